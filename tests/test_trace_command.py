"""`mailaudit trace` as it is called: the examples, JSON, exit codes, bad input, hostile files and addresses."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from tracing import FILES, HASH, edited, lay_out, valid

from mailaudit import cli
from mailaudit.choices import Way
from mailaudit.trace.hops import Kind, Verdict

ROOT = Path(__file__).parents[1]
EXAMPLES = ROOT / "examples"
GOLDEN = Path(__file__).parent / "fixtures" / "traces"
SHARED = ROOT.parent / "shared" / "corpora" / "hosts"
USER = "example_user@example.com"
ESCAPES = "\x1b]0;owned\x07\x9b31m\u202e"
CASES = [
    ("as-published", "inbound", USER, 1),
    ("as-published", "submission", USER, 1),
    ("as-published", "imap", USER, 4),
    ("corrected", "inbound", "abuse@example.com", 0),
    ("corrected", "inbound", "info@example.com", 1),
    ("corrected", "submission", USER, 0),
    ("corrected", "imap", USER, 0),
]

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.setenv("COLUMNS", "200")

    def call(*arguments: object) -> tuple[int, str, str]:
        code = cli.run([str(argument) for argument in arguments])
        told = capsys.readouterr()
        return code, told.out, told.err

    return call


def without_lines(text: str) -> str:
    """The trace without numbers of lines: comments in the examples come and go."""
    return re.sub(r"(/[\w./-]+):\d+:\d+: ", r"\1: ", text).replace(str(EXAMPLES), "examples")


@pytest.mark.parametrize(("example", "way", "address", "code"), CASES)
def test_the_examples_are_traced(run: Run, example: str, way: str, address: str, code: int) -> None:
    found, out, err = run("trace", EXAMPLES / example, way, address, "-q")
    assert (found, err) == (code, "")
    golden = GOLDEN / f"{example}-{way}-{address.partition('@')[0]}.txt"
    if os.environ.get("WRITE_GOLDEN"):
        golden.write_text(without_lines(out), "utf-8")
    assert without_lines(out) == golden.read_text("utf-8")


@pytest.mark.parametrize(("example", "way", "address", "code"), CASES)
def test_the_same_in_json(run: Run, example: str, way: str, address: str, code: int) -> None:
    found, out, err = run("trace", EXAMPLES / example, way, address, "--format", "json")
    assert (found, err) == (code, "")
    data = valid(out)
    assert (data["exit_code"], data["asked"]["way"], data["asked"]["address"]) == (code, way, address)
    assert sum(data["counts"].values()) == len(data["hops"])
    assert run("trace", EXAMPLES / example, way, address, "--format", "json")[1] == out


def test_a_break_in_full(run: Run, tmp_path: Path) -> None:
    code, out, _ = run("trace", lay_out(tmp_path), "submission", "alice@example.com", "--from", "bob@example.com")
    assert code == 1
    assert out.endswith("""\
 9  broken          sender: bob@example.com
    alice@example.com may not send from bob@example.com: 530 Sender rejected.
    /etc/mail/senders:1:1
    1 | alice@example.com: alice@example.com, info@example.com
      | ^^^^^^^^^^^^^^^^^
    /etc/mail/smtpd.conf:11:1
    11 | listen on all port submission tls-require pki mail auth <creds> senders <may>
       | -----------------------------------------------------------------------------

assumed: OpenBSD's own service names, for /etc/services is not there
assumed: the group egress exists, with addresses of both families
The chain breaks at hop 9 (sender).
exit code 1 (findings): the chain breaks at hop 9 (sender)
""")


def test_hops_that_need_the_network_are_not_asked(run: Run, tmp_path: Path) -> None:
    code, out, _ = run("trace", lay_out(tmp_path), "inbound", "info@example.com", "--now", "2026-11-22", "--format", "json")
    data = valid(out)
    quiet = {hop["kind"] for hop in data["hops"] if hop["verdict"] == "not-asked"}
    assert (code, quiet) == (0, {"dns", "greeting", "handshake"})
    assert {hop["reason"] for hop in data["hops"] if hop["verdict"] == "not-asked"} == {"offline"}
    assert data["exit_reason"] == "the chain is whole; 3 hops not asked"


def test_the_schema_names_all_kinds_and_verdicts() -> None:
    schema = json.loads((ROOT / "mailaudit/reports/schema/trace.schema.json").read_text("utf-8"))
    hop = schema["$defs"]["hop"]["properties"]
    assert set(hop["kind"]["enum"]) == set(Kind)
    assert set(hop["verdict"]["enum"]) == set(Verdict)
    assert set(schema["properties"]["asked"]["properties"]["way"]["enum"]) == set(Way)


def test_the_page_tells_of_every_kind() -> None:
    table = (ROOT / "docs/trace.md").read_text("utf-8").partition("<!-- kinds -->")[2].partition("\n\n")[0]
    assert re.findall(r"^\| `([a-z]+)`", table, re.MULTILINE) == [*Kind]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("inbound", "info"), "found no @"),
        (("inbound", "@example.com"), "nothing before the @"),
        (("imap", "a b@example.com"), "a blank"),
        (("submission", "alice"), "has no domain"),
        (("inbound", "a@example.com", "--to", "b@example.com"), "--to is for submission"),
        (("imap", "a@example.com", "--from", "b@example.com"), "imap is a login"),
        (("inbound", "a@example.com", "--port", "587"), "port 25 alone"),
        (("submission", "a@example.com", "--to", "nobody"), "--to nobody"),
        (("outbound", "a@example.com"), "inbound"),
        (("inbound", "a@example.com", "--domain", "x y"), "--domain"),
    ],
)
def test_bad_input_is_a_usage_error(run: Run, tmp_path: Path, arguments: tuple[str, ...], words: str) -> None:
    code, out, err = run("trace", lay_out(tmp_path), *arguments)
    assert (code, out) == (2, "")
    assert words in err


def test_bad_input_is_valid_json(run: Run, tmp_path: Path) -> None:
    code, out, _ = run("trace", lay_out(tmp_path), "inbound", "info", "--format", "json")
    data = valid(out)
    assert (code, data["exit_code"], data["host"], len(data["errors"])) == (2, 2, None, 1)


def test_targets_that_cannot_be_traced(run: Run, tmp_path: Path) -> None:
    assert run("trace", tmp_path / "gone", "imap", "a@example.com")[0] == 2
    (tmp_path / "empty").mkdir()
    assert run("trace", tmp_path / "empty", "imap", "a@example.com")[0] == 3
    for name in ("one", "two"):
        lay_out(tmp_path / "both" / name)
    code, _, err = run("trace", tmp_path / "both", "imap", "a@example.com")
    assert (code, "holds 2 hosts" in err) == (2, True)


def test_the_exit_code_may_be_bent(run: Run, tmp_path: Path) -> None:
    root = lay_out(tmp_path)
    assert run("trace", root, "inbound", "nobody@example.com", "--exit-zero")[0] == 0
    root = lay_out(tmp_path, edited("/etc/pf.conf", "{ 25", "{ 25 sshd"))
    arguments = ("trace", root, "inbound", "info@example.com", "--now", "2026-11-22")
    assert run(*arguments)[0] == 4
    assert run(*arguments, "--allow-incomplete")[0] == 0


def clean(out: str) -> bool:
    return not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e]", out)


@pytest.mark.parametrize("form", ["terminal", "json"])
def test_nothing_of_the_host_or_the_command_line_reaches_the_terminal_as_it_is(run: Run, tmp_path: Path, form: str) -> None:
    changes: dict[str, str | None] = dict(edited("/etc/mail/virtuals", "info@example.com:", f"info@example.com: {ESCAPES}x,"))
    changes |= edited("/etc/mail/smtpd.conf", 'action "in"', f'# {ESCAPES}\naction "in"')
    root = lay_out(tmp_path / f"h{ESCAPES[0]}", changes)
    for address in ("info@example.com", f"{ESCAPES}@example.com", f"a{ESCAPES}@example.com", "[bold]x[/bold]@example.com"):
        code, out, err = run("trace", root, "inbound", address, "--format", form)
        assert code in (1, 2, 4)
        assert clean(out)
        assert clean(err)


def test_secrets_are_masked(run: Run, tmp_path: Path) -> None:
    changes: dict[str, str | None] = {"/etc/mail/creds": "alice@example.com\thunter2hunter2\n"}
    changes |= edited("/etc/mail/smtpd.conf", "passwd:/etc/mail/credentials", "file:/etc/mail/creds")
    changes["/etc/mail/smtpd.conf"] = (
        f'queue encryption key "feedfacefeedfacefeedfacefeedface"\n{changes["/etc/mail/smtpd.conf"]}'
    )
    root = lay_out(tmp_path, changes)
    for way in Way:
        for form in ("terminal", "json"):
            _, out, _ = run("trace", root, way, "alice@example.com", "--format", form)
            assert HASH not in out
            assert HASH.split("$")[-1] not in out
            assert "hunter2" not in out
            assert "feedface" not in out


@pytest.mark.parametrize("path", sorted(path for path in FILES if path.startswith("/etc")))
def test_no_file_that_is_missing_makes_it_crash_or_whole(run: Run, tmp_path: Path, path: str) -> None:
    root = lay_out(tmp_path, {path: None})
    for way in Way:
        code, out, err = run("trace", root, way, "alice@example.com", "--format", "json", "--now", "2026-11-22")
        assert (code in (0, 1, 4), err) == (True, "")
        valid(out)


@pytest.mark.skipif(not SHARED.is_dir(), reason="the collection of real hosts is not here")
@pytest.mark.parametrize("way", list(Way))
def test_real_hosts_are_traced(run: Run, way: Way) -> None:
    roots = sorted(path for path in SHARED.iterdir() if path.is_dir())
    for root in roots[list(Way).index(way) :: len(Way)]:
        for address in ("postmaster@example.com", "alice+x@example.com"):
            code, out, _ = run("trace", root, way, address, "--format", "json")
            assert code in (0, 1, 2, 3, 4), root
            valid(out)


def test_a_copy_of_an_example_is_enough(run: Run, tmp_path: Path) -> None:
    root = shutil.copytree(EXAMPLES / "corrected" / "etc", tmp_path / "etc").parent
    code, out, _ = run("trace", root, "inbound", "abuse@example.com", "--format", "json")
    assert (code, valid(out)["verdict"]) in ((0, "unknown"), (4, "unknown"))
