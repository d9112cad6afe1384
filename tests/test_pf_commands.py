"""`mailaudit pf` as a user runs it: questions, answers, codes, and what is told of bad input."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pf_corpus import read

from mailaudit import cli
from mailaudit.models.pf.answering import answer
from mailaudit.models.pf.asking import WORDS, read_words
from mailaudit.models.pf.doubt import Doubt, table
from mailaudit.models.pf.packet import BadPacketError

ROOT = Path(__file__).parents[1]
CORRECTED, PUBLISHED = str(ROOT / "examples/corrected"), str(ROOT / "examples/as-published")
SCHEMA = json.loads((ROOT / "mailaudit/reports/schema/pf.schema.json").read_text())

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    for name in ("NO_COLOR", "FORCE_COLOR", "COLUMNS"):
        monkeypatch.delenv(name, raising=False)

    def call(*arguments: str) -> tuple[int, str, str]:
        code = cli.run(["pf", *arguments])
        told = capsys.readouterr()
        assert "Traceback" not in told.out + told.err
        return code, told.out, told.err

    return call


def data(out: str) -> Any:
    told = json.loads(out)
    jsonschema.validate(told, SCHEMA)
    return told


def host(folder: Path, text: str) -> str:
    (folder / "etc").mkdir(parents=True)
    (folder / "etc/pf.conf").write_text(text)
    return str(folder)


@pytest.mark.parametrize(
    ("packet", "code", "verdict", "line"),
    [
        ("in on egress inet6 proto tcp from 2001:db8::1 to (egress) port 25", 0, "pass", ":26: "),
        ("in on vio0 proto tcp from 192.0.2.1 to self port smtp", 0, "pass", ":26: "),
        ("proto tcp to port submission", 0, "pass", ":29: "),
        ("in proto tcp to port 6379", 1, "block", ":20: "),
        ("in proto udp to port domain", 1, "block", ":20: "),
        ("in proto icmp", 0, "pass", ":23: "),
        ("in icmp6-type routeradv inet6", 1, "block", ":20: "),
        ("out proto tcp to 198.51.100.7 port 25 user _smtpd", 0, "pass", ":32: "),
        ("out proto tcp to 198.51.100.7 port 25 user root", 1, "block", ":34: "),
        ("out proto tcp to port 25", 4, "unknown", ":34: "),
        ("in proto tcp to port 20:30", 1, "partly", ":26: "),
        ("in on lo0 to port 6379", 0, "pass", ":14: "),
        ("in proto tcp to port 25 flags SR", 1, "block", "before any rule"),
        ("dir=in if=vio0 proto=tcp src=192.0.2.1 dst=203.0.113.9 dport=25", 0, "pass", ":26: "),
        ("dir=out af=inet6 dport=443", 0, "pass", ":32: "),
    ],
)
def test_a_packet_and_the_line_that_decides(run: Run, packet: str, code: int, verdict: str, line: str) -> None:
    got, out, err = run("test", CORRECTED, *packet.split())
    assert (got, err) == (code, "")
    assert out.startswith(verdict)
    assert line in out
    got, out, _ = run("test", CORRECTED, packet, "--format", "json")
    told = data(out)
    assert (got, told["exit_code"]) == (code, code)
    assert told["hosts"][0]["packets"][0]["verdict"] == verdict


def test_the_path_of_rules_that_matched_is_told(run: Run) -> None:
    _, out, _ = run("test", CORRECTED, "in proto tcp from 192.0.2.1 to port ssh")
    assert [line.split(": ")[0].strip() for line in out.splitlines() if "/etc/pf.conf:" in line] == [
        "decides",
        "matched",
        "matched",
    ]
    _, out, _ = run("test", CORRECTED, "in proto tcp from 192.0.2.1 to port ssh", "--format", "json")
    part = data(out)["hosts"][0]["packets"][0]["parts"][0]
    assert [each["line"] for each in part["matched"]] == [20, 26, 29]
    assert part["rule"]["line"] == 29


def test_the_internet_is_asked_unless_said(run: Run, tmp_path: Path) -> None:
    text = "pass in proto tcp to port 25\nblock in quick from { 10/8 127/8 }\nblock in quick from urpf-failed\n"
    where = host(tmp_path, text)
    assert run("test", where, "in to port 25")[0] == 0
    code, out, _ = run("test", where, "in from any to port 25")
    assert code == 4
    assert "The routing table decides" in out
    text += "block in quick from 198.51.100.0/24\n"
    (tmp_path / "etc/pf.conf").write_text(text)
    code, out, _ = run("test", where, "in inet to port 25")
    assert (code, out.split()[0]) == (1, "partly")
    assert "from the Internet but for 198.51.100.0/24" in out


def test_a_doubt_names_its_line_and_reason_and_what_would_settle_it(run: Run) -> None:
    code, out, _ = run("test", CORRECTED, "out port smtp")
    assert code == 4
    assert "in doubt: /etc/pf.conf:34: block return out log" in out
    assert 'Say who sends it: "user NAME".' in out


@pytest.mark.parametrize(
    ("packet", "said"),
    [
        ("in proto tpc to port 25", "did you mean tcp?"),
        ("in proto tcp to port smpt", "did you mean smtp?"),
        ("in proto tcp to port 65536", "the last one is 65535"),
        ("in proto tcp to port 30:20", "ends before it begins"),
        ("in proto tcp to port", "a value must follow it"),
        ("in proto tcp from 192.0.2.1 port 25", '"to self port 25"'),
        ("in proto tcp from 192.0.2.1 to 2001:db8::1 port 25", "one family"),
        ("in inet proto tcp from 2001:db8::1 to port 25", "one family"),
        ("in proto tcp from 192.0.2.0/33 to port 25", "up to 32"),
        ("in proto tcp from mail.example.com to port 25", "is no address"),
        ("in proto tcp from <nobody> to port 25", "is no address"),
        ("in on em7 proto tcp to port 25", "no interface or group of the host; it has"),
        ("in proto icmp to port 25", "has no ports"),
        ("in proto icmp icmp-type ping", "is no type of ICMP"),
        ("in proto tcp icmp-type 8", "has no icmp-type"),
        ("in proto tcp to port 25 flags XYZ", "no TCP flags"),
        ("in in proto tcp", "said twice"),
        ("pass in proto tcp to port 25", "what becomes of it is what is asked"),
        ("in protocol tcp", 'did you mean "proto"?'),
        ("in prot\x1b[31mtcp", "says nothing of a packet"),
        ("dir=up dport=25", "says nothing of a packet"),
        ("in prio high", "no priority"),
        ("in proto icmp code 999", "is no code"),
        ("in proto 999", "is no protocol"),
    ],
)
def test_packets_that_make_no_sense_are_told_in_one_line(run: Run, packet: str, said: str) -> None:
    code, out, err = run("test", CORRECTED, *packet.split(" "))
    assert (code, out) == (2, "")
    assert said in err
    assert "\x1b" not in err
    assert err.startswith("mailaudit: ")
    code, out, _ = run("test", CORRECTED, packet, "--format", "json")
    assert (code, data(out)["exit_code"], data(out)["hosts"]) == (2, 2, [])


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("test", CORRECTED), 2),
        (("test", CORRECTED, "in", "--packets", "-"), 2),
        (("test", CORRECTED, "in", "--expect", "maybe"), 2),
        (("test", CORRECTED, "--packets", "/nonexistent/packets"), 2),
        (("test", CORRECTED, "--packets", "/"), 2),
        (("test", "/nonexistent/host", "in"), 2),
        (("test", "nohost", "in"), 2),
        (("test",), 2),
        (("reachable",), 2),
        (("reachable", str(ROOT / "docs")), 3),
        (("reachable", CORRECTED, "--direction", "up"), 2),
        (("diff", CORRECTED), 2),
        (("diff", CORRECTED, str(ROOT / "examples")), 2),
        (("nosuch",), 2),
        ((), 2),
    ],
)
def test_wrong_usage_is_told_in_a_line_or_two(run: Run, arguments: tuple[str, ...], code: int) -> None:
    got, _, err = run(*arguments)
    assert got == code
    assert len(err.splitlines()) <= 3


@pytest.mark.parametrize("command", ["reachable", "test", "shadowed", "diff"])
def test_help_is_short_and_names_the_codes(run: Run, command: str) -> None:
    code, out, _ = run(command, "--help")
    assert code == 0
    assert "Exit codes:" in out


def test_a_file_of_packets_is_a_gate(run: Run, tmp_path: Path) -> None:
    gate = tmp_path / "firewall.txt"
    gate.write_text(
        "# what must hold\n\npass in proto tcp to port smtp  # mail\nblock in proto tcp to port 6379\nin to port 80\n"
    )
    code, out, _ = run("test", CORRECTED, "--packets", str(gate))
    assert code == 0
    assert [line.split()[0] for line in out.splitlines() if not line.startswith(" ")] == ["pass", "block", "pass"]
    gate.write_text("pass in proto tcp to port smtp\npass in proto tcp to port 6379\n")
    code, out, _ = run("test", CORRECTED, "--packets", str(gate))
    assert code == 1
    assert "(expected: pass)" in out
    gate.write_text("block out proto tcp to port smtp\n")
    assert run("test", CORRECTED, "--packets", str(gate))[0] == 4


def test_packets_come_as_json_lines_too(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = [
        {"name": "mail", "packet": "in proto tcp to port smtp", "expect": "pass"},
        {"name": "redis", "packet": "in proto tcp to port 6379", "expect": "block"},
    ]
    text = "".join(json.dumps(each) + "\n" for each in lines)
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text.encode())))
    code, out, _ = run("test", CORRECTED, "--packets", "-", "--format", "json")
    assert code == 0
    packets = data(out)["hosts"][0]["packets"]
    assert [(each["name"], each["expected"], each["verdict"]) for each in packets] == [
        ("mail", "pass", "pass"),
        ("redis", "block", "block"),
    ]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('{"packet": "in"', "not JSON"),
        ('{"packet": 25}', "an object of texts"),
        ('{"expect": "pass"}', "packet is missing"),
        ('{"packet": "in", "verdict": "pass"}', "verdict is unknown"),
        ('{"packet": "in", "expect": "open"}', "expected one of"),
        ("pass in proto tpc", "did you mean tcp?"),
        ("[" * 100_000, "says nothing"),
        ('{"a":' * 50_000, "not JSON"),
        ("# nothing", "there is no packet in it"),
        ("\udcff\x00", "says nothing"),
    ],
)
def test_a_bad_line_of_packets_is_named(run: Run, tmp_path: Path, line: str, said: str) -> None:
    gate = tmp_path / "gate"
    gate.write_bytes(b"\n" + line.encode("utf-8", "surrogateescape") + b"\n")
    code, out, err = run("test", CORRECTED, "--packets", str(gate))
    assert (code, out) == (2, "")
    assert said in err
    assert said == "there is no packet in it" or f"{gate}:2: " in err


def test_reachable_lists_what_comes_in_with_its_lines(run: Run) -> None:
    code, out, err = run("reachable", CORRECTED)
    assert (code, err) == (0, "")
    comes_in, _, goes_out = out.partition("What goes out")
    assert "tcp port 25 (smtp), 80 (http), 4190 (sieve)\n      /etc/pf.conf:26: " in comes_in
    assert "? tcp port 25 (smtp)\n      /etc/pf.conf:34: " in goes_out
    _, out, _ = run("reachable", CORRECTED, "--direction", "in", "--format", "json")
    regions = data(out)["hosts"][0]["regions"]
    assert {each["direction"] for each in regions} == {"in"}
    ports = {
        port for each in regions if each["protocol"] == "tcp" for low, high in each["ports"] for port in range(low, high + 1)
    }
    assert ports == {22, 25, 80, 465, 587, 993, 4190}


def test_reachable_of_nothing_and_of_everything(run: Run, tmp_path: Path) -> None:
    _, out, _ = run("reachable", host(tmp_path / "closed", "block\n"))
    assert out.startswith("Nothing comes in.\nNothing goes out.\n")
    _, out, _ = run("reachable", host(tmp_path / "open", "set skip on egress\n"))
    assert "/etc/pf.conf:1: set skip on egress" in out
    _, out, _ = run("reachable", host(tmp_path / "empty", ""))
    assert "no rule blocks it" in out


def test_shadowed_names_the_rules_that_decide_instead(run: Run, tmp_path: Path) -> None:
    code, out, _ = run("shadowed", host(tmp_path / "a", "pass in proto tcp to port 25\nblock in\npass out\n"))
    assert code == 1
    assert "never decides: /etc/pf.conf:1: " in out
    assert "decides in its place: /etc/pf.conf:2: block in" in out
    code, out, _ = run("shadowed", host(tmp_path / "b", "pass in proto tcp to port 25\nblock in\npass out\n"), "--format", "json")
    (found,) = data(out)["hosts"][0]["shadowed"]
    assert (found["rule"]["line"], [each["line"] for each in found["killers"]]) == (1, [2])
    code, out, _ = run("shadowed", CORRECTED)
    assert (code, out) == (0, "Every rule decides over some packet, or may.\n")


def test_diff_says_what_passes_one_and_not_the_other(run: Run) -> None:
    assert run("diff", CORRECTED, CORRECTED)[:2] == (0, "What passes one passes the other.\n")
    code, out, _ = run("diff", CORRECTED, PUBLISHED)
    assert code == 1
    assert "pass -> block  in over vio0" in out
    assert "pfctl refuses /etc/pf.conf as it stands" in out
    code, out, _ = run("diff", CORRECTED, PUBLISHED, "--format", "json")
    told = data(out)
    opened = [
        each for each in told["differences"] if (each["before"], each["after"], each["protocol"]) == ("block", "pass", "tcp")
    ]
    assert [each["ports"] for each in opened] == [[[443, 443]]] * len(opened)
    assert [each["loads"] for each in told["hosts"]] == [True, False]


def test_a_pf_conf_by_itself_is_a_target(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "new-rules"
    file.write_text("block\npass in proto tcp to port 25\n")
    code, out, _ = run("test", str(file), "in to port 25")
    assert (code, out.split()[0]) == (0, "pass")
    assert "assumed: the group egress exists" in out
    code, _, _ = run("diff", CORRECTED + "/etc/pf.conf", CORRECTED)
    assert code == 0


def test_several_hosts_are_told_apart(run: Run) -> None:
    _, out, _ = run("test", str(ROOT / "examples"), "in to port 25")
    assert sum(line.startswith("pass") for line in out.splitlines()) == 2
    assert "(" + CORRECTED + ")" in out


def test_a_table_that_is_not_recorded_leaves_it_unknown(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "pf.conf"
    file.write_text('table <bad> persist file "/etc/bad"\npass in\nblock in from <bad>\n')
    code, out, _ = run("test", str(file), "in from 198.51.100.7 to port 25")
    assert code == 4
    assert "in doubt: " in out
    assert Doubt.TABLE.sentence.split(",")[0].split()[0] in out


def test_an_included_file_that_is_not_recorded_makes_it_incomplete(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "pf.conf"
    file.write_text('block\ninclude "/etc/more.conf"\n')
    code, out, _ = run("reachable", str(file))
    assert code == 4
    assert "could not be read, and may change the answer" in out


@pytest.mark.parametrize("text", [b"", b"\0", b"\xff\xfe", b"pass in\\", b"{" * 10_000, b"table <t> {", b"match nat-to\n"])
@pytest.mark.parametrize("command", [("reachable",), ("shadowed",), ("test", "in")])
def test_any_bytes_are_a_ruleset_or_are_refused_in_words(run: Run, tmp_path: Path, text: bytes, command: tuple[str, ...]) -> None:
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/pf.conf").write_bytes(text)
    code, out, _ = run(command[0], str(tmp_path), *command[1:], "--format", "json")
    assert code in (0, 1, 4)
    data(out)


_WORDS = st.lists(
    st.one_of(
        st.sampled_from(
            [*WORDS, "tcp", "udp", "icmp", "25", "smtp", "any", "self", "192.0.2.1", "2001:db8::1/64", "<abusers>", "("]
        ),
        st.text(max_size=8),
    ),
    max_size=9,
)


@given(_WORDS)
@settings(max_examples=400, deadline=None)
def test_any_words_are_a_packet_or_are_refused(words: list[str]) -> None:
    pf = read((ROOT / "examples/corrected/etc/pf.conf").read_bytes())
    try:
        asked = read_words(words)
        verdict = answer(pf, asked)
    except BadPacketError:
        return
    assert verdict.value in ("pass", "block", "partly", "unknown")
    assert read_words(str(asked).split()) == asked


def test_the_reasons_of_doubt_are_documented() -> None:
    assert "<!-- doubts -->\n" + table() in (ROOT / "docs/pf.md").read_text()
    assert set(SCHEMA["$defs"]["doubts"]["items"]["enum"]) == {str(each) for each in Doubt}
