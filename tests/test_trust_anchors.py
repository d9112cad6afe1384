"""`--trust-anchor`: the files in which unbound and BIND keep the root's keys, and what is none of them."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailaudit.choices import Common, Looking
from mailaudit.cli import run
from mailaudit.collect.dns.anchors import AnchorError, read_anchors
from mailaudit.collect.dns.chain import ROOT_ANCHORS
from mailaudit.commands import choosing
from mailaudit.commands.telling import UsageError

KSK_2017 = (
    "AwEAAaz/tAm8yTn4Mfeh5eyI96WSVexTBAvkMgJzkKTOiW1vkIbzxeF3+/4RgWOq7HrxRixHlFlExOLAJr5emLvN7SWXgnLh4+B5xQlNVz8Og8kvArMtNROxVQuC"
    "aSnIDdD5LKyWbRd2n9WGe2R8PzgCmr3EgVLrjyBxWezF0jLHwVN8efS3rCj/EWgvIWgb9tarpVUDK/b58Da+sqqls3eNbuv7pr+eoZG+SrDK6nWeL3c6H5Apxz7L"
    "jVc1uTIdsIXxuOLYA4/ilBmSVIzuDWfdRUfhHdY6+cn8HFRm+2hM8AnXGXws9555KrUB5qihylGa8subX2Nn6UwNR1AkUTV74bU="
)
DS_2017 = ROOT_ANCHORS[0].lower()
AUTOTRUST = f"""\
; autotrust trust anchor file
;;id: . 1
;;last_queried: 1502438004 ;;Fri Aug 11 07:53:24 2017
.\t172800\tIN\tDNSKEY\t257 3 8 {KSK_2017} ;{{id = 20326 (ksk), size = 2048b}} ;;state=2 [  VALID  ] ;;count=0 ;;lastchange=0
.\t172800\tIN\tDNSKEY\t257 3 8 AwEAAQ== ;{{id = 1 (ksk), size = 8b}} ;;state=1 [ ADDPEND ] ;;count=3
"""
BIND = f"""\
# the root, as BIND has it
trust-anchors {{
    // this key
    . initial-key 257 3 8 "{KSK_2017[:100]}
        {KSK_2017[100:]}"; /* 2017 */
    . static-ds 38696 8 2 "683D2D0ACB8C9B712A1948B27F741219298D0A450D612C483AF444A4C0FB2B16";
}};
"""


@pytest.mark.parametrize(
    ("text", "anchors"),
    [
        (f". IN DS {ROOT_ANCHORS[0]}\n", (DS_2017,)),
        (f". DS {ROOT_ANCHORS[0]}", (DS_2017,)),
        (
            f". 3600 IN DS 20326 8 2 (\n  {ROOT_ANCHORS[0].split()[3][:32]} ; half\n  {ROOT_ANCHORS[0].split()[3][32:]} )\n",
            (DS_2017,),
        ),
        (AUTOTRUST, (DS_2017,)),
        (BIND, tuple(each.lower() for each in ROOT_ANCHORS)),
        (f'trusted-keys {{ . 257 3 8 "{KSK_2017}"; }};', (DS_2017,)),
        (f". IN DS {ROOT_ANCHORS[0]}\n. IN DNSKEY 257 3 8 {KSK_2017}\n", (DS_2017,)),
    ],
    ids=["ds", "short", "several lines", "autotrust", "bind", "trusted-keys", "twice"],
)
def test_the_forms_of_unbound_and_bind_are_read(text: str, anchors: tuple[str, ...]) -> None:
    assert read_anchors(text) == anchors


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "no DS and no DNSKEY"),
        ("; only a comment\n", "no DS and no DNSKEY"),
        ("hello\n", "malformed"),
        (". IN A 192.0.2.1\n", "type A"),
        (f"example.com. IN DS {ROOT_ANCHORS[0]}\n", "example.com."),
        (f". IN DS {ROOT_ANCHORS[0][:-2]}\n", "digest length"),
        (". IN DNSKEY 257 3 8 !!\n", "base64"),
        (f". IN DNSKEY 1 3 8 {KSK_2017}\n", "flags 257"),
        (f". IN DNSKEY 385 3 8 {KSK_2017}\n", "in force"),
        (f". IN DS 1 3 2 {'00' * 32}\n", "algorithm 3"),
        ("$INCLUDE /etc/passwd\n", "unknown"),
        ("trust-anchors { . initial-key 257 3; };", "three numbers"),
        ('trust-anchors { }; options { directory "/"; };', "outside"),
        ("trust-anchors { };", "no DS and no DNSKEY"),
    ],
)
def test_what_is_no_anchor_is_told(text: str, says: str) -> None:
    with pytest.raises(AnchorError, match=says):
        read_anchors(text)


@given(st.one_of(st.text(max_size=200), st.text(alphabet='. \n\t(){};"$@\\#/*DSINKEY0123456789aA', max_size=300)))
def test_any_text_is_anchors_or_an_error(text: str) -> None:
    with contextlib.suppress(AnchorError):
        assert read_anchors(text)


def test_the_option_reaches_whoever_asks_the_network(tmp_path: Path) -> None:
    file = tmp_path / "root.key"
    file.write_text(AUTOTRUST)
    chosen = choosing.options(Common(), Looking(online=True, trust_anchor=str(file)))
    assert chosen.outside is not None
    assert chosen.outside.anchors == (DS_2017,)
    assert chosen.login.outside is not None
    assert chosen.login.outside.anchors == (DS_2017,)


@pytest.mark.parametrize("bytes_", [None, b"", b"\xff\xfe\x00", b". IN DS 1 2 3\n", b"x" * 2_000_000])
def test_a_file_that_is_none_is_a_usage_error(tmp_path: Path, bytes_: bytes | None) -> None:
    file = tmp_path / "root.key"
    if bytes_ is not None:
        file.write_bytes(bytes_)
    with pytest.raises(UsageError, match=r"--trust-anchor .*root\.key"):
        choosing.options(Common(), Looking(online=True, trust_anchor=str(file)))


@pytest.mark.parametrize("command", ["scan", "snapshot"])
def test_the_commands_that_ask_the_network_have_it(command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rest = ["-o", str(tmp_path / "out")] if command == "snapshot" else []
    assert run([command, "mail.example.com", "--trust-anchor", str(tmp_path / "none"), *rest]) == 2
    assert "--trust-anchor" in capsys.readouterr().err
