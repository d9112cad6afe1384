"""Defects that other auditors had, each a test named after what it prevents.

They were seen in zizmor, gixy, ssh-audit, pip-audit, InSpec, Augeas, ruff, conftest and their kin, or asked of them by their
users. What a name alone does not find stands in another file: `_reports` is `test_others_defects_reports.py`.

| defect elsewhere | held by |
|---|---|
| 1 one mistake silences a file | test_a_broken_statement_silences_no_other, test_a_file_cut_off_is_not_clean |
| 2 a fix that claims success, a "diff" that is none | test_a_fix_mends_each_of_equal_faults, test_what_a_fix_shows_is_a_diff |
| 3 JSON that is none when something fails | _reports::test_every_format_is_itself_where_nothing_can_be_reached |
| 4 a diff that hides what cannot be mended | test_a_fix_never_hides_what_it_cannot_mend |
| 5 warnings without the file's name, stack traces | test_a_warning_names_its_file_and_shows_no_traceback |
| 6 one code for "found" and "not reached" | test_what_is_found_and_what_is_not_reached_have_codes_of_their_own |
| 7 a line as identity | test_a_finding_stays_itself_when_lines_move |
| 7 lines, counts as a baseline's | _reports::test_a_baseline_knows_a_finding_by_no_line_and_no_count |
| 7 no path in a baseline's | _reports::test_a_baseline_knows_a_finding_by_its_file |
| 8 a baseline that shrinks because a scan did not run | _reports::test_a_scan_that_did_not_run_fixes_nothing |
| 9 policies that break with each patch | test_a_policy_holds_though_the_host_is_patched |
| 10 rule, check, fix and text drift apart | test_a_rule_is_told_from_one_source |
| 11 blocks flattened | test_what_holds_in_a_block_is_not_taken_for_all |
| 12 what is missing is nil, and nil passes | test_what_is_missing_never_passes |
| 13 closed lists of words | test_a_word_that_is_not_known_costs_its_statement_alone |
| 14 a library's new release breaks the reading | test_the_grammars_library_is_pinned_and_behind_one_door |
| 15 the wrong line, reading that stops in silence | test_a_mistake_is_told_at_its_own_line |
| 16 secrets in diffs, logs, snippets | _reports::test_no_secret_stands_in_any_format_diff_trace_or_record |
| 16 secrets in tracebacks | _reports::test_a_crash_shows_no_secret, _reports::test_an_internal_error_shows_no_hash |
| 17 hosts trusted unseen | test_no_host_is_trusted_unseen |
| 18 a score to chase | test_there_is_no_score_to_chase |
| 19 a banner's CVEs | test_no_rule_judges_by_a_banner |
| 20 checks that flap | test_a_network_that_does_not_answer_is_no_finding |
| 20 mails that flap | _reports::test_a_network_that_flaps_makes_no_mail |
| 21 formats that disagree, codes that the format changes | _reports::test_what_is_waived_is_so_in_every_format_and_code |
| 22 backups that a daemon loads or everybody reads | test_a_fix_leaves_no_file_that_a_daemon_would_load |
| 23 a program on the host for each fact | test_a_wave_of_many_questions_is_few_programs |
| 24 a file's text as the terminal's markup | _reports::test_brackets_in_a_file_are_no_markup |
| 24 as that of any format | _reports::test_no_text_of_a_host_becomes_markup_anywhere |
| 25 advice that locks out | test_no_fix_locks_the_administrator_out |
| 26 the host grades itself | test_the_audited_host_does_not_grade_itself |
| 26 the host attacks the auditor | test_nothing_in_a_host_leads_out_of_it |
| 27 time set back | test_no_time_that_somebody_says_makes_a_waiver_valid, test_certificates_are_judged_at_the_records_time |
| asked for: the place of what is missing | test_what_is_missing_has_a_place |
| asked for: new syntax | test_a_newer_release_of_the_language_is_read_as_far_as_it_is_known |
| asked for: what passed, by name | test_what_passed_can_be_seen |
| asked for: hosts kept apart | test_what_is_found_on_one_host_is_told_of_it_alone |
"""

from __future__ import annotations

import json
import os
import re
import shutil
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import asyncssh
import pytest
from command_line import Run

from mailaudit import cli, rulebook
from mailaudit.checks import CHECKS
from mailaudit.collect.loop import wait_for
from mailaudit.collect.ssh.commands import COMMANDS
from mailaudit.collect.ssh.connection import Connection
from mailaudit.collect.ssh.host import HostWorld
from mailaudit.collect.ssh.target import Address
from mailaudit.collect.world import TargetError
from mailaudit.exitcodes import ExitCode
from mailaudit.questions import Command, Question, ReadFile, RunCommand, StatFile

ROOT = Path(__file__).parents[1]
CORRECTED = ROOT / "examples" / "corrected"
OPEN_RELAY = 'listen on all\naction "r" relay\nmatch from any for any action "r"\n'

Host = Callable[..., Path]


@pytest.fixture
def host(tmp_path: Path) -> Host:
    def make(name: str = "host", **files: str) -> Path:
        for path, content in files.items():
            file = tmp_path / name / "etc" / path.replace("__", "/").replace("_conf", ".conf")
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(content)
        return tmp_path / name

    return make


def results(out: str, *rules: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(out)["hosts"][0]["results"]
    return [each for each in found if not rules or each["rule"] in rules]


def verdicts(out: str, *rules: str) -> list[str]:
    return [each["verdict"] for each in results(out, *rules)]


@pytest.mark.parametrize("broken", ["listen on all tls {\n", 'table x { "\n', "frobnicate {\n", "macro = \n", 'listen on "\n'])
@pytest.mark.parametrize("above", [True, False])
def test_a_broken_statement_silences_no_other(run: Run, host: Host, broken: str, *, above: bool) -> None:
    """gixy: one `;` less, and the finding of another line is gone, with code 0."""
    root = host(mail__smtpd_conf=broken + OPEN_RELAY if above else OPEN_RELAY + broken)
    code, out, _ = run("scan", root, "--select", "SMTPD001,SMTPD044", "--format", "json")
    loads, relays = results(out, "SMTPD001"), results(out, "SMTPD044")
    assert code == (4 if above and '"' in broken else 1)
    assert {each["verdict"] for each in loads} == {"fail"}
    assert [each for each in relays if each["verdict"] == "pass" and "does not load as it stands" not in each["message"]] == []
    assert relays[0]["verdict"] == "fail" or '"' in broken  # a quote goes on over the lines below, for smtpd too


@pytest.mark.parametrize("size", range(10, len(OPEN_RELAY) - 1, 9))
def test_a_file_cut_off_is_not_clean(run: Run, host: Host, size: int) -> None:
    """gixy: a file that ends in the middle had no findings, code 0 and no warning."""
    cut = OPEN_RELAY[:size]
    code, out, _ = run("scan", host(mail__smtpd_conf=cut), "--select", "SMTPD", "--format", "json")
    assert code in (1, 4)
    told = results(out, "SMTPD001")
    assert (told[0]["verdict"], cut.count("\n") + 1) in [("fail", each["places"][0]["line"]) for each in told]


def test_a_fix_mends_each_of_equal_faults(run: Run, host: Host) -> None:
    """gixy: of two equal findings the first was mended, and "Applied successfully" told with code 0."""
    root = host(mail__credentials="bad line\nu@example.com:x\nbad line\n", mail__smtpd_conf=OPEN_RELAY)
    code, _, _ = run("fix", root, "--unsafe", "--write", "--select", "CRED005")
    assert code == 0
    assert (root / "etc/mail/credentials").read_text() == "# bad line\n# u@example.com:x\n# bad line\n"
    assert run("scan", root, "--select", "CRED005")[0] != 1


def applied(old: str, hunks: str) -> str:
    """A text after the hunks of its diff, which must fit to the character."""
    lines, made, at = old.splitlines(keepends=True), [], 0
    for start, body in re.findall(r"(?ms)^@@ -([0-9]+),?[0-9]* \+[0-9]+,?[0-9]* @@\n(.*?)(?=^@@|\Z)", hunks):
        made += lines[at : (at := int(start) - 1)]
        for line in body.splitlines(keepends=True):
            assert line[0] == "+" or lines[at] == line[1:]
            made += [line[1:]] if line[0] in " +" else []
            at += line[0] in " -"
    return "".join([*made, *lines[at:]])


def test_what_a_fix_shows_is_a_diff(run: Run, host: Host, tmp_path: Path) -> None:
    """gixy: what a dry run prints is no diff; ruff: what is shown is not what is written."""
    root = host(pf_conf='tcp = "{ 22, 25 }"\nblock all\n\n\n\n\n\n\n\npass in proto tcp to port $tcp\npass out all\n')
    out = run("fix", root, "--unsafe", "--select", "PF")[1]
    ((path, hunks),) = re.findall(r"(?ms)^--- a(\S+)\n\+\+\+ b\1\n((?:[-+ @].*?\n)+)", out)
    run("fix", root, "--unsafe", "--select", "PF", "--out", tmp_path / "mended")
    assert hunks.count("@@ -") > 1
    assert applied((root / path[1:]).read_text(), hunks) == (tmp_path / "mended" / path[1:]).read_text()


def test_a_fix_never_hides_what_it_cannot_mend(run: Run, host: Host) -> None:
    """ruff: `--diff` says nothing of what has no fix, with code 0."""
    code, out, _ = run("fix", host(mail__smtpd_conf=OPEN_RELAY), "--select", "SMTPD044,SMTPD030")
    assert code == 1
    assert "SMTPD044" in out


def test_a_warning_names_its_file_and_shows_no_traceback(run: Run, host: Host) -> None:
    """zizmor: a warning without the file's name; a stack trace for the user."""
    root = host(mail__smtpd_conf=OPEN_RELAY)
    (root / "etc/pf.conf").mkdir()
    _, out, err = run("scan", root, "-q")
    assert "/etc/pf.conf" in out.rpartition("exit code")[2]
    assert "Traceback" not in out + err


def test_what_is_found_and_what_is_not_reached_have_codes_of_their_own(run: Run, host: Host) -> None:
    """pip-audit, checkov: 1 for both."""
    assert run("scan", host(mail__smtpd_conf=OPEN_RELAY), "--select", "SMTPD044")[0] == 1
    assert run("scan", "ssh://nobody@127.0.0.1:1")[0] == 4


def test_a_finding_stays_itself_when_lines_move(run: Run, host: Host) -> None:
    """zizmor: ignored by line; eslint: by count; checkov: without the path."""
    one = run("scan", host("a", mail__smtpd_conf=OPEN_RELAY), "--format", "json")[1]
    moved = run(
        "scan",
        host("b", mail__smtpd_conf=f"# a comment\n\n{OPEN_RELAY}".replace(" all\n", "   all # more\n")),
        "--format",
        "json",
    )[1]
    prints = [{each["fingerprint"] for each in results(out) if each["verdict"] == "fail"} for out in (one, moved)]
    assert prints[0] == prints[1]
    twice = run("scan", host("c", pf_conf="pass in proto tcp to port 23\n" * 2), "--format", "json")[1]
    found = [each["fingerprint"] for each in results(twice) if each["verdict"] == "fail"]
    assert len(found) == len(set(found))


def test_what_holds_in_a_block_is_not_taken_for_all(run: Run, host: Host) -> None:
    """InSpec: a `Match` block flattened; a setting put at the end of the file, inside the last block."""
    root = host(
        dovecot__dovecot_conf="ssl = required\nprotocol imap {\n  ssl = no\n}\n",
        pf_conf='block return\npass out\nanchor "x" {\n  pass in proto tcp to port 23\n}\n',
        ssh__sshd_config="PasswordAuthentication no\nMatch User x\n\tPasswordAuthentication yes\n",
    )
    _, out, _ = run("scan", root, "-q", "--profile", "strict")
    assert "/etc/dovecot/dovecot.conf:3:9: critical DOVECOT010" in out
    assert re.search(r"/etc/pf.conf:4:3: high PF048 .* tcp 23", out)


def test_what_is_missing_never_passes(run: Run, host: Host) -> None:
    """InSpec: an attribute that is not there is nil, and nil fulfils the expectation."""
    _, out, _ = run("scan", host(mail__smtpd_conf=OPEN_RELAY), "--format", "json", "--profile", "strict")
    passed = {re.sub(r"\d+", "", each["rule"]) for each in results(out) if each["verdict"] == "pass"}
    assert passed & {"PF", "DOVECOT", "HTTPD", "ACME", "RSPAMD", "DNS", "CRED", "VIRTUALS"} == set()


def test_a_word_that_is_not_known_costs_its_statement_alone(run: Run, host: Host) -> None:
    """Augeas: a lens without the newest keyword loses the whole file."""
    root = host(
        mail__smtpd_conf=f"listen on all frobnicate\n{OPEN_RELAY}",
        dovecot__dovecot_conf="frobnicate = yes\nprotocol imap {\n  ssl = no\n}\n",
        pf_conf="frobnicate all\nset skip on lo\npass\n",
    )
    _, out, _ = run("scan", root, "-q")
    for finding in ("smtpd.conf:4:1: critical SMTPD044", "dovecot.conf:3:9: critical DOVECOT010", "pf.conf:3:1: high PF048"):
        assert finding in out
    for place in ("smtpd.conf:1:15", "dovecot.conf:1:1", "pf.conf:1:1"):
        assert place in out


def test_the_grammars_library_is_pinned_and_behind_one_door() -> None:
    """gixy: pyparsing 3 broke it."""
    with (ROOT / "pyproject.toml").open("rb") as file:
        needs = tomllib.load(file)["project"]["dependencies"]
    assert any(re.fullmatch(r"pyparsing>=[0-9.]+,<[0-9]+", each) for each in needs)
    importing = [
        path for path in (ROOT / "mailaudit").rglob("*.py") if re.search(r"(?m)^\s*(import|from) pyparsing", path.read_text())
    ]
    assert {path.parent.name for path in importing} == {"parsers"}


@pytest.mark.parametrize(
    ("path", "content", "place"),
    [
        ("pf_conf", "pass in proto tcp to port {\n ssh,\n smtp,\n imap,\n @@@,\n}\n", "/etc/pf.conf:5:"),
        ("mail__smtpd_conf", "table t {\n a = b,\n c = d,\n e = f,\n g = {\n}\n", "/etc/mail/smtpd.conf:5:"),
        ("mail__smtpd_conf", "listen on all \\\n port 25 \\\n tls \\\n pki x \\\n frobnicate\n", "/etc/mail/smtpd.conf:5:"),
        ("httpd_conf", 'server "x" {\n listen on * port 80\n root "/x"\n tls {\n  frobnicate\n }\n}\n', "/etc/httpd.conf:5:"),
    ],
)
def test_a_mistake_is_told_at_its_own_line(run: Run, host: Host, path: str, content: str, place: str) -> None:
    """Alternatives of a PEG tell of the line where the statement begins, or read no further and say nothing."""
    _, out, _ = run("scan", host(**{path: content}), "-q")
    assert place in out


def test_no_host_is_trusted_unseen(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """train: host keys are not verified unless one asks for it."""
    given: list[object] = []

    async def connect(*_: object, known_hosts: object, **__: object) -> None:
        given.append(known_hosts)
        raise OSError(111, "connection refused")

    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(asyncssh, "connect", connect)
    with pytest.raises(TargetError):
        wait_for(Connection(Address("192.0.2.1"), known_hosts=(str(tmp_path / "none"),)).open())
    assert given == [b"\n"]


def test_there_is_no_score_to_chase() -> None:
    """Lynis: people mend what counts, not what matters."""
    schema = (ROOT / "mailaudit/reports/schema/report.schema.json").read_text()
    assert not re.search(r"score|index|grade", schema)


def test_no_rule_judges_by_a_banner() -> None:
    """ssh-audit: a version's CVEs, though OpenBSD mends them under the same version."""
    assert [page.name for page in (ROOT / "rules").rglob("*.md") if "CVE-" in page.read_text()] == []


def test_a_network_that_does_not_answer_is_no_finding(run: Run, tmp_path: Path) -> None:
    """mailinabox: checks that flap teach people to look away."""
    root = Path(shutil.copytree(CORRECTED, tmp_path / "host"))
    record = json.loads((root / "answers.json").read_text())
    for section in ("dns", "dnssec", "endpoints"):
        for question in record.get(section, {}):
            record[section][question] = {"error": "timeout", "detail": "no answer"}
    (root / "answers.json").write_text(json.dumps(record))
    code, out, _ = run("scan", root, "--format", "json")
    assert code == 4
    assert [each["rule"] for each in results(out) if each["verdict"] == "fail"] == []


def test_a_policy_holds_though_the_host_is_patched(run: Run, tmp_path: Path) -> None:
    """ssh-audit: policies that want exactly what was there break with each of a distribution's patches."""
    root = Path(shutil.copytree(CORRECTED, tmp_path / "host"))
    assert run("policy", "new", "--from", root, "-o", tmp_path / "policy.toml")[0] == 0
    judge = ("scan", root, "--select", "POLICY", "--config", tmp_path / "policy.toml")
    record = json.loads((root / "answers.json").read_text())
    record["commands"]["uname"]["stdout"] = "OpenBSD 8.4 amd64\n"
    record["commands"]["pkg_info"]["stdout"] += "zstd-1.5.7\n"
    (root / "answers.json").write_text(json.dumps(record))
    assert run(*judge)[0] == 0
    (root / "etc/dovecot/dovecot.conf").write_text("ssl = no\n")
    assert run(*judge)[0] == 1


def test_a_rule_is_told_from_one_source(run: Run) -> None:
    """ssh-audit: guide and policy differ; InSpec: codes told the other way round in its help."""
    assert set(rulebook.load().pages) == set(CHECKS)
    page = rulebook.load().pages["PF020"]
    assert page.title in run("rules", "PF020")[1]
    sarif = json.loads(run("scan", CORRECTED, "--select", "PF020", "--format", "sarif")[1])
    (rule,) = sarif["runs"][0]["tool"]["driver"]["rules"]
    assert (rule["name"], rule["shortDescription"]["text"]) == (page.name, page.title)
    assert page.section("Why it matters").strip() in rule["help"]["markdown"]
    told = (run("--help")[1], (ROOT / "docs/exit-codes.md").read_text("utf-8"))
    assert [code for code in ExitCode if f"{int(code)}  {code.short}" not in told[0] or code.meaning not in told[1]] == []


def test_what_is_missing_has_a_place(run: Run, host: Host) -> None:
    """conftest, batfish, gixy: a finding without a line; nobody knows where what is missing should be."""
    root = host(mail__smtpd_conf=OPEN_RELAY, pf_conf="pass\n", dovecot__dovecot_conf="ssl = no\n")
    found = [each for each in results(run("scan", root, "--format", "json")[1]) if each["verdict"] == "fail"]
    assert len(found) > 10
    assert [each["rule"] for each in found if not any(place.get("path") for place in each["places"])] == []


def test_a_newer_release_of_the_language_is_read_as_far_as_it_is_known(run: Run, host: Host) -> None:
    """Dovecot 2.4: tools that knew 2.3 read nothing, or read it as if nothing had changed."""
    newer = "dovecot_config_version = 2.5.1\nssl_server_cert_file = /etc/ssl/x.pem\nssl = no\nbrand_new = yes\n"
    out = run("scan", host(dovecot__dovecot_conf=newer), "-q")[1]
    assert "/etc/dovecot/dovecot.conf:3:7: critical DOVECOT010" in out
    assert "/etc/dovecot/dovecot.conf:4:1: " in out
    assert "/etc/dovecot/dovecot.conf:2:" not in out  # a name that 2.3 does not know


def test_what_passed_can_be_seen(run: Run) -> None:
    """conftest: passes are counted and have no names."""
    out = run("scan", CORRECTED, "--select", "PF020", "--show-passed")[1]
    assert "PF020 default-deny" in out
    assert verdicts(run("scan", CORRECTED, "--select", "PF020", "--format", "json")[1]) == ["pass"]


def test_what_is_found_on_one_host_is_told_of_it_alone(run: Run, host: Host, tmp_path: Path) -> None:
    """ssh-audit: with a list of targets, results under another host's name; one that is dead ends them all."""
    host("hosts/relay", mail__smtpd_conf=OPEN_RELAY)
    host("hosts/well", mail__smtpd_conf=OPEN_RELAY.replace("from any", "from local"))
    code, out, _ = run(
        "scan", "ssh://nobody@127.0.0.1:1", tmp_path / "hosts", "--offline", "--select", "SMTPD044", "--format", "json"
    )
    hosts = {each["name"]: [result["verdict"] for result in each["results"]] for each in json.loads(out)["hosts"]}
    assert (code, hosts) == (4, {"relay": ["fail"], "well": ["pass"]})


Modes = dict[Path, int]


def modes(root: Path) -> Modes:
    return {path: path.stat().st_mode for path in root.rglob("*")}


@pytest.fixture(scope="module")
def mended(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Modes]:
    """The published set-up, mended as far as may be; and the modes of what was there before."""
    root = Path(shutil.copytree(ROOT / "examples" / "as-published", tmp_path_factory.mktemp("mended") / "host"))
    before = modes(root)
    assert cli.run(["fix", str(root), "--unsafe", "--write", "--select", "PF,SMTPD,DOVECOT"]) in (0, 1)
    return root, before


def test_a_fix_leaves_no_file_that_a_daemon_would_load(mended: tuple[Path, Modes]) -> None:
    """gixy: `conf.d/x.conf.bak` beside the file, world-readable."""
    root, before = mended
    after = modes(root)
    assert {path: mode for path, mode in after.items() if path in before} == before
    assert [path.name for path in after if path not in before and re.search(r"bak|orig|~|tmp", path.name)] == []


class Counting:
    """A way to shells that counts them; each ends at once."""

    shells = 0

    async def open(self) -> None:
        pass

    async def shell(self) -> Counting:
        self.shells += 1
        return self

    def tell(self, words: bytes) -> None:
        pass

    async def hear(self) -> bytes:
        return b""

    async def end(self) -> None:
        pass

    async def close(self) -> None:
        pass


class Counted(HostWorld):
    """A host at the end of it."""

    def channel(self) -> Counting:
        return Counting()


def test_a_wave_of_many_questions_is_few_programs() -> None:
    """InSpec: a remote program for each fact, four minutes of them; asyncssh: more channels than a server gives."""
    world = Counted(Address("h"), "h", "key", timeout=60.0)
    world.begin()
    assert world._opening is not None  # noqa: SLF001  no host is at hand
    counting, wave = world._opening[0], [ReadFile(f"/etc/mail/{number}") for number in range(300)]  # noqa: SLF001  as above
    asked: list[Question] = [*wave, *(StatFile(f"/etc/{number}") for number in range(300)), *map(RunCommand, Command)]
    assert set(world.ask(asked)) == set(asked)
    slow = sum(each.slow for each in COMMANDS.values())  # by themselves: nobody else waits for them
    assert isinstance(counting, Counting)
    assert 0 < counting.shells <= 3 + slow <= 6


def test_no_fix_locks_the_administrator_out(run: Run, mended: tuple[Path, Modes]) -> None:
    """Advice that closes port 22, which it came by."""
    assert run("pf", "test", mended[0], "in proto tcp from 192.0.2.1 to port 22")[0] == 0


def test_the_audited_host_does_not_grade_itself(run: Run, host: Host) -> None:
    """A comment in its own file that waives the finding; the auditor may refuse it."""
    line = 'match from any for any action "r" # mailaudit: ignore[SMTPD044] all is well'
    root = host(mail__smtpd_conf=OPEN_RELAY.replace('match from any for any action "r"', line))
    assert run("scan", root, "--select", "SMTPD044")[0] == 0
    assert run("scan", root, "--select", "SMTPD044", "--no-inline-ignores")[0] == 1


def test_no_time_that_somebody_says_makes_a_waiver_valid(run: Run, host: Host) -> None:
    """A date set back revives what has expired; certificates alone are judged by --now."""
    root = host(mail__smtpd_conf=OPEN_RELAY)
    (root / "mailaudit.toml").write_text('[[waiver]]\nrule = "SMTPD044"\nreason = "a test"\nexpires = 2020-01-01\n')
    assert run("scan", root, "--select", "SMTPD044", "--now", "2019-12-31T00:00:00Z")[0] == 1


def test_certificates_are_judged_at_the_records_time(run: Run) -> None:
    """An old record is not found expired because it is read late, and --now looks ahead."""
    assert run("scan", CORRECTED, "--select", "TLS")[0] == 0
    assert run("scan", CORRECTED, "--select", "TLS", "--now", "2040-01-01T00:00:00Z")[0] == 1


def huge(file: Path, _: Path) -> None:
    with file.open("wb") as made:
        made.truncate(1 << 40)


Trap = Callable[[Path, Path], object]
TRAPS: dict[str, Trap] = {
    "a link out": lambda file, outside: file.symlink_to(outside),
    "a link up": lambda file, _: file.symlink_to("../" * 30 + "etc/passwd"),
    "a circle of links": lambda file, _: file.symlink_to(file.name),
    "a pipe": lambda file, _: os.mkfifo(file),
    "a folder": lambda file, _: file.mkdir(),
    "a device": lambda file, _: file.symlink_to("/dev/zero"),
    "a huge file": huge,
    "an include of what lies outside": lambda file, outside: file.write_text(f'include "{outside}"\n'),
    "an include up": lambda file, _: file.write_text(f'include "{"../" * 30}etc/passwd"\n'),
    "an include of itself": lambda file, _: file.write_text('include "/etc/pf.conf"\n'),
}


@pytest.mark.parametrize("trap", TRAPS)
def test_nothing_in_a_host_leads_out_of_it(run: Run, host: Host, tmp_path: Path, trap: str) -> None:
    """Links, pipes, devices, huge files, includes: none is followed, each is told, and the rest is audited."""
    outside = tmp_path / "outside"
    outside.write_text("canary-of-the-auditor\n")
    root = host(mail__smtpd_conf=OPEN_RELAY)
    TRAPS[trap](root / "etc/pf.conf", outside)
    code, out, err = run("scan", root, "-v")
    assert code == (1 if trap == "an include of itself" else 4)  # pfctl refuses that one itself
    assert "/etc/pf.conf" in out
    assert not re.search("canary|root:x:0", out + err)
    assert "SMTPD044" in out


def test_the_table_names_tests_that_are_there() -> None:
    here = Path(__file__)
    held = dict(re.findall(r"(?m)^\| ([0-9]+|asked)\b.*?\| (.*) \|$", __doc__ or ""))
    assert [number for number in range(1, 28) if str(number) not in held] == []
    for other, name in re.findall(r"(_reports::)?(test_\w+)(?!\w*\.py)", __doc__ or ""):
        file = here.with_name(f"{here.stem}_reports.py") if other else here
        assert re.search(rf"(?m)^def {name}\(", file.read_text("utf-8")), name
