"""Defects that other auditors had in what they tell, a test each (the table: `test_others_defects.py`)."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import report_formats
from command_line import Run
from markdown_it import MarkdownIt

from mailaudit.checks import CHECKS
from mailaudit.checks.registry import Declared
from mailaudit.choices import Format
from mailaudit.commands import scan
from mailaudit.findings import Outcome
from mailaudit.models.pf.config import Ruleset
from mailaudit.output import SUMMARY

CORRECTED = Path(__file__).parents[1] / "examples" / "corrected"
OPEN_RELAY = 'listen on all\naction "r" relay\nmatch from any for any action "r"\n'
CANARY = re.compile("canary", re.IGNORECASE)
SECRETS = {
    "mail/smtpd.conf": (
        "queue encryption canary-queue-0123456789abcdefghi\n"
        'table secrets { "h" = "relayuser:canary-relay" }\n'
        "table credentials passwd:/etc/mail/credentials\n"
        'pki canary-queue-0123456789abcdefghi cert "/etc/ssl/x"\n'  # what is quoted in a message
        "listen on all\n"
        'action "r" relay host smtp+tls://h@relay.example.net auth <secrets>\n'
        'match from any for any action "r" # canary-relay, canary-queue-0123456789abcdefghi\n'
    ),
    "mail/credentials": "u@example.com:$2b$10$canarycanarycanarycanuJ1nVJq4bGmGZ0RbLfUjzYp1d8Zb8dWe:vmail:2000:2000:/var/vmail\n",
    "redis/redis.conf": "requirepass canary-redis\n",
    "rspamd/local.d/redis.conf": 'password = "canary-redis";\n',
    "rspamd/local.d/worker-controller.inc": 'enable_password = "canary-controller";\n',
    "hostname.iwx0": "wpakey canary-wpa-key\ninet autoconf\n",
    "dovecot/dovecot.conf": "passdb sql {\n sql_driver = pgsql\n pgsql h {\n parameters {\n password = canary-sql\n}\n}\n}\n",
}


def host(folder: Path, files: dict[str, str]) -> Path:
    for path, content in files.items():
        (folder / "etc" / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / "etc" / path).write_text(content)
    return folder


@pytest.fixture
def relay(tmp_path: Path) -> Path:
    """A host with one finding of SMTPD044 and those that go with it."""
    return host(tmp_path / "host", {"mail/smtpd.conf": OPEN_RELAY})


def everything(folder: Path) -> list[str]:
    """The options that write each format to a file of its own."""
    folder.mkdir(exist_ok=True)
    return [part for form in Format for part in ("--output", f"{form}:{folder / form}")]


def results(out: str, *rules: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(out)["hosts"][0]["results"]
    return [each for each in found if not rules or each["rule"] in rules]


def test_no_secret_stands_in_any_format_diff_trace_or_record(run: Run, tmp_path: Path) -> None:
    """ansible, train, zizmor, kubescape: secrets in diffs, logs, command lines, a SARIF snippet."""
    root = host(tmp_path / "host", SECRETS)
    told = ""
    for arguments in (
        ("scan", root, "-v", "--debug", "--show-passed", "--save", tmp_path / "saved", *everything(tmp_path / "told")),
        ("fix", root, "--unsafe", "-v", *everything(tmp_path / "plan")),
        ("trace", root, "submission", "u@example.com"),
        ("parse", "--annotate", *(root / "etc" / each for each in SECRETS)),
        ("parse", "--json", *(root / "etc" / each for each in SECRETS)),
    ):
        _, out, err = run(*arguments)
        told += out + err
    for folder in ("saved", "told", "plan"):
        files = [each for each in (tmp_path / folder).rglob("*") if each.is_file()]
        assert len(files) >= len(SECRETS)
        told += "\n".join(f"{file}: {line}" for file in files for line in file.read_text().splitlines())
    assert [line for line in told.splitlines() if CANARY.search(line)] == []
    assert "masked" in told


def test_a_crash_shows_no_secret(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same, in tracebacks and debugging output."""
    key = "0123456789abcdeffeedfacefeedface"

    def crashes(pf: Ruleset) -> Iterator[Outcome]:
        yield from ()
        del pf
        raise ValueError(f"the key {key} is odd")

    monkeypatch.setitem(CHECKS, "PF050", Declared("PF050", crashes))
    root = host(tmp_path / "host", {"mail/smtpd.conf": f"queue encryption {key}\n{OPEN_RELAY}", "pf.conf": "pass\n"})
    for options in ([], ["--debug", *everything(tmp_path / "told")]):
        code, out, err = run("scan", root, *options)
        assert code == 4
        assert key not in out + err + "".join(each.read_text() for each in tmp_path.glob("told/*"))


def test_an_internal_error_shows_no_hash(run: Run, tmp_path: Path, relay: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same, where nothing is known of the host yet."""
    hashed = "$2b$10$canarycanarycanarycanuJ1nVJq4bGmGZ0RbLfUjzYp1d8Zb8dWe"

    def audit(*_: object) -> None:
        raise ValueError(f"{hashed} is odd")

    monkeypatch.setattr(scan, "audit", audit)
    for options in ([], ["--debug", *everything(tmp_path / "told")]):
        code, out, err = run("scan", relay, *options)
        assert code == 70
        assert not CANARY.search(out + err + "".join(each.read_text() for each in tmp_path.glob("told/*")))


def test_every_format_is_itself_where_nothing_can_be_reached(run: Run, tmp_path: Path) -> None:
    """ssh-audit: coloured text on a closed port, though JSON was asked for."""
    code, out, _ = run("scan", "ssh://nobody@127.0.0.1:1", "--offline", "--format", "json", *everything(tmp_path / "told"))
    assert (code, json.loads(out)["exit_code"]) == (4, 4)
    for form in Format:
        assert report_formats.READ[form]((tmp_path / "told" / form).read_text("utf-8"))


def test_what_is_waived_is_so_in_every_format_and_code(run: Run, tmp_path: Path, relay: Path) -> None:
    """prowler: a muted finding changes the code or not by the format; kubescape: shows in one what it hides in another."""

    def told(root: Path) -> tuple[int, dict[str, str]]:
        code = run("scan", root, "--select", "SMTPD044", *everything(tmp_path / "told"))[0]
        return code, {form: report_formats.READ[form]((tmp_path / "told" / form).read_text("utf-8")) for form in Format}

    def codes(*options: str) -> set[int]:
        return {run("scan", relay, "--select", "SMTPD044", "--format", form, *options)[0] for form in Format}

    assert codes() == {1} == {told(relay)[0]}
    (relay / "mailaudit.toml").write_text('[[waiver]]\nrule = "SMTPD044"\nreason = "a test"\n')
    assert codes() == {0}
    assert told(relay) == told(host(tmp_path / "clean", {"mail/smtpd.conf": OPEN_RELAY.replace("from any", "from local")}))
    assert [each["verdict"] for each in results(run("scan", relay, "--format", "json")[1], "SMTPD044")] == ["waived"]
    (relay / "mailaudit.toml").unlink()
    run("baseline", "create", relay, "--select", "SMTPD044", "--baseline", tmp_path / "baseline")
    assert run("scan", relay, "--select", "SMTPD044", "--baseline", tmp_path / "baseline", *everything(tmp_path / "told"))[0] == 0


def test_brackets_in_a_file_are_no_markup(run: Run, tmp_path: Path) -> None:
    """rich: `[red]` vanishes and `[/x]` raises."""
    root = host(tmp_path / "host", {"pf.conf": "pass in # [red]x[/red] [/x] [link=y]\n"})
    _, out, err = run("scan", root, "--color", "always")
    assert "[red]x[/red] [/x] [link=y]" in re.sub(r"\x1b\[[0-9;]*m", "", out)
    assert err == ""


def test_no_text_of_a_host_becomes_markup_anywhere(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The tool's own formats turned against their reader: HTML, links, workflow commands, escapes of the terminal."""
    monkeypatch.setenv(SUMMARY, str(tmp_path / "summary"))
    evil = "</script><script>alert(1)</script><img src=x onerror=alert(1)> ![x](http://e.example/x) \x1b]0;x\x07 ::error::x %0A"
    root = host(tmp_path / "<b>host", {"pf.conf": f'pass in # {evil}\n::error::x\npass in proto tcp to port "{evil}"\n'})
    (root / "etc/myname").write_text("<b>host::error::x\n")
    run("scan", root, "--format", "github", *everything(tmp_path / "told"))
    for form in Format:
        text = (tmp_path / "told" / form).read_text("utf-8")
        assert report_formats.READ[form](text)
        assert all(char.isprintable() or char in "\n\t" for char in text)
    for text in ((tmp_path / "told" / "markdown").read_text(), (tmp_path / "summary").read_text()):
        kinds = {child.type for token in MarkdownIt("gfm-like", {"linkify": False}).parse(text) for child in token.children or ()}
        assert kinds
        assert not kinds & {"link_open", "image", "html_inline"}
    assert not re.search(r"(?m)^::error::x", (tmp_path / "told" / "github").read_text())


# ---- what was known already

TELNET, SOCKS = "pass in proto tcp to port 23\n", "pass in proto tcp to port 1080\n"
WITHOUT_TLS = "ssl = no\n"


@pytest.fixture
def known(run: Run, tmp_path: Path) -> Callable[[dict[str, str]], int]:
    """The exit code of a host of these files, beside a baseline of the first one."""
    baseline = tmp_path / "baseline.json"

    def code(files: dict[str, str]) -> int:
        root = host(tmp_path / f"{len(list(tmp_path.iterdir()))}", files)
        rules = ("--select", "PF048,DOVECOT010", "--baseline", baseline)
        if not baseline.exists():
            assert run("baseline", "create", root, *rules)[0] == 0
        return run("scan", root, *rules)[0]

    return code


def test_a_baseline_knows_a_finding_by_no_line_and_no_count(known: Callable[[dict[str, str]], int]) -> None:
    """zizmor: a line moves, and the finding is new; eslint: one is mended, another made, and the count is the same."""
    assert known({"pf.conf": f"block all\n{TELNET}"}) == 0
    assert known({"pf.conf": f"# more\n\nblock   all # of it\n\n{TELNET}"}) == 0
    assert known({"pf.conf": f"block all\n{SOCKS}"}) == 1
    assert known({"pf.conf": f"block all\n{SOCKS}{TELNET}"}) == 1


def test_a_baseline_knows_a_finding_by_its_file(known: Callable[[dict[str, str]], int]) -> None:
    """checkov: what is accepted in one file is so in every other."""
    assert known({"dovecot/dovecot.conf": f"{WITHOUT_TLS}!include conf.d/*.conf\n", "dovecot/conf.d/10.conf": "\n"}) == 0
    assert known({"dovecot/dovecot.conf": "!include conf.d/*.conf\n", "dovecot/conf.d/10.conf": WITHOUT_TLS}) == 1


def test_a_scan_that_did_not_run_fixes_nothing(run: Run, tmp_path: Path) -> None:
    """A baseline that shrinks, or a difference that says "fixed", because nobody looked."""
    root = host(tmp_path / "host", {"pf.conf": f"block all\n{TELNET}"})
    baseline, report = tmp_path / "baseline.json", tmp_path / "report.json"
    run("scan", root, "--select", "PF048", "--output", f"json:{report}")
    run("baseline", "create", root, "--select", "PF048", "--baseline", baseline)
    kept = baseline.read_text()
    (root / "etc/pf.conf").unlink()
    os.mkfifo(root / "etc/pf.conf")
    for command in ("prune", "update"):
        assert run("baseline", command, root, "--select", "PF048", "--baseline", baseline)[0] == 4
        assert json.loads(baseline.read_text())["entries"] == json.loads(kept)["entries"]
    assert run("baseline", "prune", root, "--select", "PF020", "--baseline", baseline)[0] in (0, 4)
    assert json.loads(baseline.read_text())["entries"] == json.loads(kept)["entries"]
    code, out, _ = run("diff", report, root, "--select", "PF048", "--format", "json")
    assert code == 4
    assert (json.loads(out)["counts"]["fixed"], json.loads(out)["counts"]["no-longer-evaluated"]) == (0, 1)


def test_a_network_that_flaps_makes_no_mail(run: Run, tmp_path: Path) -> None:
    """mailinabox: a timeout is mailed as a change, and its end as another; people look away."""
    root = Path(shutil.copytree(CORRECTED, tmp_path / "host"))
    rules = ("-q", "--select", "DNS0", "--changed-since", tmp_path / "last.json", "--output", f"json:{tmp_path / 'last.json'}")
    well = json.loads((root / "answers.json").read_text())
    well["dns"]["_dmarc.example.com. TXT"] = {"rcode": "NXDOMAIN"}
    ill = {**well, "dns": {name: {"error": "timeout"} for name in well["dns"]}}
    told = []
    for night in (well, ill, well, ill, well):
        (root / "answers.json").write_text(json.dumps(night))
        told.append(run("scan", root, *rules)[:2])
    assert [code for code, _ in told] == [1, 4, 0, 4, 0]
    assert "DNS040" in told[0][1]
    assert [out for _, out in told[1:]] == [""] * 4
