"""`scan --baseline`, `mailaudit baseline`, `mailaudit diff` and `scan --changed-since`, from the command line."""

from __future__ import annotations

import json
import os
import shutil
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import report_formats
from command_line import Run
from markdown_it import MarkdownIt

from mailaudit import rulebook
from mailaudit.choices import Format

ROOT = Path(__file__).parents[1]
SCHEMA = json.loads((ROOT / "mailaudit/reports/schema/diff.schema.json").read_text("utf-8"))
FINE = "set skip on lo\nblock log all\npass out all\n"
BAD = "block log all\npass out all\n"  # PF010
WORSE = BAD + "pass in on egress proto tcp to port 6379\n"  # PF048 too
BOOK = cache(rulebook.load)
ONLY = ("--select", "PF010,PF048")


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to work in, with a host that has one finding."""
    book = BOOK()
    monkeypatch.setattr(rulebook, "load", lambda: book)
    monkeypatch.chdir(tmp_path)
    return made("host", BAD)


def made(name: str, pf: str) -> Path:
    place = Path(name) / "etc" / "pf.conf"
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(pf)
    (Path(name) / "etc" / "myname").write_text(f"{Path(name).name}.example.com\n")
    return Path(name)


def write(host: Path, pf: str) -> None:
    (host / "etc" / "pf.conf").write_text(pf)


# ---- baseline


def test_a_baseline_is_made_and_its_findings_do_not_count(host: Path, run: Run) -> None:
    code, out, err = run("baseline", "create", host, *ONLY)
    assert (code, err) == (0, "")
    assert out.splitlines()[:2] == ["1 finding on 1 host in mailaudit-baseline.json", "1 added"]
    code, out, _ = run("scan", host, *ONLY, "--baseline", "mailaudit-baseline.json")
    assert code == 0
    assert "1 in the baseline" in out
    assert "PF010" not in out
    write(host, WORSE)
    code, out, _ = run("scan", host, *ONLY, "--baseline", "mailaudit-baseline.json", "-q")
    assert code == 1
    assert "PF048" in out
    assert "PF010" not in out
    _, out, _ = run("scan", host, *ONLY, "--baseline", "mailaudit-baseline.json", "-v")
    assert "Waived: in the baseline mailaudit-baseline.json" in " ".join(out.split())


def test_all_formats_agree_on_which_findings_count(host: Path, run: Run) -> None:
    run("baseline", "create", host, *ONLY)
    write(host, WORSE)
    reports = [part for form in Format for part in ("--output", f"{form}:{form}")]
    assert run("scan", host, *ONLY, "--baseline", "mailaudit-baseline.json", *reports)[0] == 1
    told = {str(form): Path(form).read_text("utf-8") for form in Format}
    for form, text in told.items():
        report_formats.READ[form](text)
    data = json.loads(told["json"])
    assert data["hosts"][0]["counts"]["fail"] == data["hosts"][0]["counts"]["waived"] == 1
    by_rule = {each["rule"]: each for each in data["hosts"][0]["results"]}
    assert by_rule["PF010"]["waived"] == {"by": "baseline", "reason": "in the baseline mailaudit-baseline.json"}
    assert (by_rule["PF010"]["since"], by_rule["PF048"]["since"]) == ("unchanged", "new")
    results = {each["ruleId"]: each for each in json.loads(told["sarif"])["runs"][0]["results"]}
    assert results["PF048"]["suppressions"] == []
    assert results["PF010"]["suppressions"][0]["kind"] == "external"
    assert (results["PF010"]["baselineState"], results["PF048"]["baselineState"]) == ("unchanged", "new")
    assert [each["check_name"].split()[0] for each in json.loads(told["gitlab"])] == ["PF048"]
    assert told["junit"].count("<failure") == told["junit"].count("<skipped") == 1
    assert "PF048" in told["github"]
    assert "PF010" not in told["github"]
    assert 'mailaudit_finding{host="host.example.com",rule="PF048"' in told["prometheus"]
    assert 'rule="PF010"' not in told["prometheus"]
    lines = [json.loads(line) for line in told["jsonl"].splitlines()]
    assert [each["rule"] for each in lines if each.get("verdict") == "fail"] == ["PF048"]
    shown = told["markdown"].split("<details><summary>Waived: 1")
    assert "PF010" not in shown[0]
    assert "PF010" in shown[1]
    assert "PF048" in told["terminal"]
    assert "PF010" not in told["terminal"]


def test_create_replaces_nothing_unless_it_is_said(host: Path, run: Run) -> None:
    Path("b.json").write_text("mine")
    code, out, err = run("baseline", "create", host, *ONLY, "--baseline", "b.json")
    assert (code, out) == (2, "")
    assert err.startswith("mailaudit: --baseline b.json: it is there already\nhint: mailaudit baseline update adds to it")
    assert Path("b.json").read_text() == "mine"
    assert run("baseline", "create", host, *ONLY, "--baseline", "b.json", "--force")[0] == 0
    assert run("baseline", "show", "--baseline", "b.json")[0] == 0


def test_update_adds_prune_takes_out_show_shows(host: Path, run: Run) -> None:
    run("baseline", "create", host, *ONLY)
    write(host, WORSE.replace("block", "set skip on lo\nblock"))
    code, out, _ = run("baseline", "update", host, *ONLY)
    assert (code, out.splitlines()[1]) == (0, "1 added")
    before = Path("mailaudit-baseline.json").read_bytes()
    assert run("baseline", "update", host, *ONLY)[1] == "2 findings on 1 host in mailaudit-baseline.json\n"
    assert Path("mailaudit-baseline.json").read_bytes() == before
    _, out, _ = run("scan", host, *ONLY, "--baseline", "mailaudit-baseline.json")
    assert "1 entry is not needed, the finding is gone: PF010" in " ".join(out.split())
    assert run("scan", host, *ONLY, "--baseline", "mailaudit-baseline.json", "--strict-waivers")[0] == 1
    code, out, _ = run("baseline", "prune", host, *ONLY)
    assert (code, out.splitlines()[:2]) == (0, ["1 finding on 1 host in mailaudit-baseline.json", "1 taken out"])
    _, out, _ = run("baseline", "show")
    assert "PF048" in out
    assert "PF010" not in out
    shown = json.loads(run("baseline", "show", "--format", "json")[1])
    assert shown == json.loads(Path("mailaudit-baseline.json").read_text())
    schema = json.loads((ROOT / "mailaudit/reports/schema/baseline.schema.json").read_text("utf-8"))
    jsonschema.Draft202012Validator(schema).validate(shown)


def test_a_scan_that_did_not_run_prunes_nothing(host: Path, run: Run) -> None:
    run("baseline", "create", host, *ONLY)
    write(host, "set skip on lo\nfrobnicate\n")
    for select in (("--select", "PF048"), ONLY):
        (host / "etc" / "pf.conf").unlink()
        os.mkfifo(host / "etc" / "pf.conf") if select is ONLY else write(host, FINE)
        code, out, _ = run("baseline", "prune", host, *select)
        assert code == (4 if select is ONLY else 0)
        assert "1 stays, as it could not be told whether the finding is gone" in out
        assert "PF010" in Path("mailaudit-baseline.json").read_text()


def test_several_hosts_in_one_baseline(host: Path, run: Run) -> None:
    made("all/mx1", BAD)
    made("all/mx2", FINE)
    assert "on 2 hosts" in run("baseline", "create", "all", *ONLY)[1]
    assert run("scan", "all", *ONLY, "--baseline", "mailaudit-baseline.json")[0] == 0
    write(Path("all/mx2"), BAD)
    assert run("scan", "all", *ONLY, "--baseline", "mailaudit-baseline.json")[0] == 1
    assert run("scan", "all/mx2", *ONLY, "--baseline", "mailaudit-baseline.json")[0] == 1
    assert host.exists()


def test_a_report_is_not_written_over_the_baseline(host: Path, run: Run) -> None:
    run("baseline", "create", host, *ONLY)
    before = Path("mailaudit-baseline.json").read_text()
    options = ("--baseline", "mailaudit-baseline.json", "--output", f"json:{Path.cwd()}/mailaudit-baseline.json")
    code, out, err = run("scan", host, *ONLY, *options, "--output", "json:other.json")
    assert (code, out, "the baseline lies there" in err) == (2, "", True)
    assert Path("mailaudit-baseline.json").read_text() == before
    assert json.loads(Path("other.json").read_text())["exit_code"] == 2
    Path("loop").symlink_to("loop")
    code, _, err = run("scan", host, *ONLY, "--baseline", "mailaudit-baseline.json", "--output", "json:loop")
    assert (code, "loop could not be written: too many levels of symbolic links" in err) == (4, True)


@pytest.mark.usefixtures("host")
def test_a_host_that_is_dead_or_left_out_lends_its_entries_to_no_other(run: Run) -> None:
    made("all/mx1", BAD)
    run("baseline", "create", "all", *ONLY)
    made("all/mx2", BAD)
    baseline = ("--baseline", "mailaudit-baseline.json")
    dead = ("all/mx2", "ssh://127.0.0.1:1", *ONLY, "--offline", "--allow-incomplete")
    assert run("scan", *dead, *baseline)[0] == 1
    run("baseline", "prune", *dead, *baseline)
    assert run("baseline", "show")[1].startswith("mx1.example.com\n  medium PF010")
    assert "mx2.example.com: /etc/pf.conf: medium PF010" in run("baseline", "update", *dead, *baseline)[1]


def test_a_baseline_of_a_report(host: Path, run: Run) -> None:
    run("scan", host, *ONLY, "--output", "json:r.json")
    assert run("baseline", "create", "r.json")[0] == 0
    assert run("scan", host, *ONLY, "--baseline", "mailaudit-baseline.json")[0] == 0


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "there is no such file"),
        (b"", "b.json:1: it is no JSON"),
        (b"{}", "b.json: it is no baseline of mailaudit baseline create"),
        (b"\xff", "b.json: it is not UTF-8 text"),
        (b"[" * 99999, "b.json: it is nested too deeply"),
        (
            b'{"schema": "mailaudit.baseline/1", "tool": {"version": "1", "profile": "p"}, "hosts": [], "entries": [7]}',
            "entries[0]",
        ),
        ("folder", "it is no regular file"),
        ("fifo", "it is no regular file"),
    ],
)
def test_a_bad_baseline_is_told_before_anything_is_scanned(host: Path, run: Run, content: Any, message: str) -> None:
    place = Path("b.json")
    if content == "folder":
        place.mkdir()
    elif content == "fifo":
        os.mkfifo(place)
    elif content is not None:
        place.write_bytes(content)
    for command in (("scan", host), ("baseline", "update", host), ("baseline", "prune", host), ("baseline", "show")):
        code, out, err = run(*command, "--baseline", "b.json")
        assert (code, out) == (2, ""), command
        assert err.startswith("mailaudit: --baseline b.json")
        assert message in err
        assert "Traceback" not in err


def test_a_baseline_that_cannot_be_written(host: Path, run: Run) -> None:
    assert run("baseline", "create", host, "--baseline", "no/such/b.json")[0] == 2
    assert run("baseline", "create", host, "--baseline", ".", "--force")[0] == 2
    assert run("baseline", "create", "./nowhere")[0] == 2
    assert not Path("mailaudit-baseline.json").exists()


# ---- diff


def compared(run: Run, *arguments: Any) -> tuple[int, dict[str, Any]]:
    code, out, _ = run("diff", *arguments, *ONLY, "--format", "json")
    data = json.loads(out)
    jsonschema.Draft202012Validator(SCHEMA).validate(data)
    assert data["exit_code"] == code
    return code, data


def test_diff_of_roots_reports_and_archives(host: Path, run: Run) -> None:
    other = made("other", WORSE)
    run("scan", host, *ONLY, "--output", "json:a.json")
    run("scan", other, *ONLY, "--output", "json:b.json")
    archive = shutil.make_archive("b", "gztar", "other")
    for one in (host, "a.json"):
        for two in (other, "b.json", archive):
            code, data = compared(run, one, two)
            assert code == 1
            assert {kind: count for kind, count in data["counts"].items() if count} == {"new": 1, "unchanged": 1}
            assert [(each["before"], each["after"]) for each in data["hosts"]] == [("host.example.com", "other.example.com")]
    assert compared(run, other, host)[0] == 0
    assert compared(run, host, other, "--fail-on", "critical")[0] == 0
    assert compared(run, host, other, "--exit-zero")[0] == 0
    _, out, _ = run("diff", "a.json", "b.json")
    assert "  new: 1\n    high PF048 no-other-tcp-port-is-reachable /etc/pf.conf:3:1\n" in out
    assert "  1 new, 1 unchanged\n" in out
    code, out, _ = run("diff", "a.json", "b.json", "--format", "markdown")
    assert code == 1
    assert "PF048" in out
    assert MarkdownIt("commonmark").parse(out)[0].tag == "h1"
    assert run("diff", "a.json", "b.json", "--output", "markdown:d.md", "--output", "json:d.json")[0] == 1
    assert Path("d.md").read_text() == out
    assert json.loads(Path("d.json").read_text())["counts"]["new"] == 1
    assert run("diff", "a.json", "b.json", "--output", "sarif:d.sarif")[0] == 2
    _, out, _ = run("diff", "a.json", "b.json", "-q")
    assert out.splitlines()[0].startswith("other.example.com: new: /etc/pf.conf:3:1: high PF048")


def test_a_selection_holds_for_reports_too_and_what_is_judged_stays_so(host: Path, run: Run) -> None:
    made("other", WORSE)
    run("scan", host, *ONLY, "--output", "json:a.json")
    run("scan", "other", *ONLY, "--output", "json:b.json")
    for chosen in ("--select=PF010", "--ignore=no-other-tcp-port-is-reachable"):
        assert run("diff", "a.json", "b.json", chosen)[0] == 0
        assert run("diff", host, "b.json", chosen)[0] == 0
    assert run("diff", "a.json", "b.json", "--select", "PF048")[0] == 1
    run("baseline", "create", "b.json", "--select", "PF048")
    assert run("baseline", "show")[1].count("PF0") == 1
    assert "0 findings" in run("baseline", "prune", "a.json", "--select", "PF048")[1]
    code, _, err = run("diff", "a.json", "b.json", "--select", "PF999")
    assert (code, "no rule is called" in err) == (2, True)
    for option in ("--profile=strict", "--domain=example.com", "--config=x", "--now=2030-01-01", "--no-inline-ignores"):
        for command in (("diff", "a.json", "b.json"), ("baseline", "update", "a.json")):
            code, _, err = run(*command, option)
            assert (code, option.partition("=")[0] in err, "judged already" in err) == (2, True, True), (command, option)


def test_diff_with_a_report_that_is_not_complete(host: Path, run: Run) -> None:
    run("scan", host, *ONLY, "--output", "json:a.json")
    (host / "etc" / "pf.conf").unlink()
    os.mkfifo(host / "etc" / "pf.conf")
    run("scan", host, *ONLY, "--output", "json:b.json")
    code, data = compared(run, "a.json", "b.json")
    assert (code, data["counts"]["no-longer-evaluated"], data["counts"]["fixed"]) == (4, 1, 0)
    assert compared(run, "a.json", "b.json", "--allow-incomplete")[0] == 0
    code, data = compared(run, "b.json", "a.json")
    assert (code, data["counts"]["newly-evaluated"]) == (1, 1)


def test_diff_of_what_is_none(host: Path, run: Run) -> None:
    run("scan", "./nowhere", "--output", "json:failed.json")
    Path("text.json").write_text("{]")
    Path("empty").write_text("")
    for bad in ("failed.json", "text.json", "empty", "./nowhere", "live.example.org"):
        code, data = compared(run, bad, host)
        assert (code, len(data["errors"]), data["before"]) == (2, 1, None), bad
        code, out, err = run("diff", bad, host)
        assert (code, out) == (2, "")
        assert bad in err
    assert compared(run, host, "failed.json")[0] == 4


def test_what_another_rulebook_judges_is_no_drift(host: Path, run: Run) -> None:
    run("scan", host, "--select", "PF048", "--output", "json:a.json")
    code, data = compared(run, "a.json", host)
    assert (code, data["counts"]["rule-added"], data["counts"]["new"]) == (0, 1, 0)
    code, data = compared(run, host, "a.json")
    assert (code, data["counts"]["rule-removed"], data["counts"]["fixed"]) == (0, 1, 0)


def test_hostile_words_in_a_report_are_shown_and_not_obeyed(host: Path, run: Run) -> None:
    run("scan", host, *ONLY, "--output", "json:a.json")
    data = json.loads(Path("a.json").read_text())
    evil = "\x1b[31m\u202e\ud800 ::error::x <script> `x` {CRYPT}$2b$08$aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
    data["hosts"][0]["name"] = evil
    for result in data["hosts"][0]["results"]:
        result.update(message=evil, name=evil, rule=evil, fingerprint=evil * (result["verdict"] == "fail"))
    Path("b.json").write_text(json.dumps(data))
    for form in ("terminal", "json", "markdown"):
        code, out, _ = run("diff", "a.json", "b.json", "--format", form)
        assert code in (0, 1)
        assert not {"\x1b", "\u202e", "\ud800"} & set(out)
        assert "$2b$08" not in out
    assert "<script>" not in run("diff", "a.json", "b.json", "--format", "markdown")[1]
    assert run("baseline", "create", "b.json")[0] == 0
    assert "\x1b" not in run("baseline", "show")[1]


# ---- nightly


def test_what_was_never_but_waived_is_no_news(host: Path, run: Run) -> None:
    nightly(run, host)
    (host / "mailaudit.toml").write_text('[[waiver]]\nrule = "PF048"\nreason = "a test"\n')
    write(host, WORSE)
    assert nightly(run, host) == (0, "", "")
    code, data = compared(run, "last.json", host)
    assert (code, data["errors"]) == (0, [])
    (host / "mailaudit.toml").write_text('[[waiver]]\nrule = "PF"\nreason = "a test"\n')
    code, out, _ = nightly(run, host)
    assert code == 0
    assert "changed: /etc/pf.conf:1:1: medium (is waived now) PF010" in out
    (host / "mailaudit.toml").unlink()
    code, out, _ = nightly(run, host)
    assert code == 1
    assert out.count("(was waived)") == 2


def test_a_question_that_times_out_for_a_night_is_never_mentioned(
    tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    book = BOOK()
    monkeypatch.setattr(rulebook, "load", lambda: book)
    monkeypatch.chdir(tmp_path)
    shutil.copytree(ROOT / "examples" / "as-published", "host")
    record = json.loads(Path("host/answers.json").read_text())
    known = {each: answer for each, answer in record["dns"].items() if each.startswith("*.")}
    timeout, none = {"error": "timeout"}, {"rcode": "NXDOMAIN"}

    def night(answer: Any) -> tuple[int, str]:
        record["dns"] |= {each: answer.get(each, answer) for each in known}
        Path("host/answers.json").write_text(json.dumps(record))
        line = ("--select", "DNS011", "-q", "--changed-since", "last.json", "--output", "json:last.json")
        return run("scan", "host", *line)[:2]

    assert night(known)[0] == 1
    assert [night(each) for each in (known, timeout, known)] == [(0, ""), (4, ""), (0, "")]
    assert night(timeout) == (4, "")
    code, out = night(timeout)
    assert code == 4
    assert "DNS011 no-wildcard could not be told twice in a row (timed out)" in " ".join(out.split())
    assert [night(each) for each in (timeout, known)] == [(4, ""), (0, "")]
    for each in known:  # one answer of several
        assert night({**known, each: timeout}) == (0, "")
    assert "fixed" in night(none)[1]
    assert [night(each) for each in (timeout, none)] == [(4, ""), (0, "")]


def nightly(run: Run, *more: Any) -> tuple[int, str, str]:
    return run("scan", *more, *ONLY, "-q", "--changed-since", "last.json", "--output", "json:last.json")


def test_the_nightly_mail_tells_changes_alone(host: Path, run: Run) -> None:
    code, out, err = nightly(run, host)
    assert (code, err) == (1, "")
    assert "PF010" in out
    for _ in range(2):
        assert nightly(run, host) == (0, "", "")
    write(host, WORSE)
    code, out, _ = nightly(run, host)
    assert code == 1
    assert out.startswith("host.example.com: new: /etc/pf.conf:3:1: high PF048")
    assert "PF010" not in out
    assert nightly(run, host) == (0, "", "")
    write(host, FINE)
    code, out, _ = nightly(run, host)
    assert code == 0
    assert out.count("fixed:") == 2
    assert nightly(run, host) == (0, "", "")
    report_formats.READ["json"](Path("last.json").read_text())


def test_what_strict_waivers_count_is_told_at_night_too(host: Path, run: Run) -> None:
    write(host, f"{BAD}# mailaudit: ignore[PF048] nothing needs this\n")
    nightly(run, host)
    assert nightly(run, host) == (0, "", "")
    for quiet in ((), ("-q",)):
        code, out, _ = run("scan", host, *ONLY, "--changed-since", "last.json", "--strict-waivers", *quiet)
        assert code == 1
        assert "the waiver of PF048 is not needed" in out
        assert "exit code 1 (findings): waivers that are not right, and --strict-waivers" in out


def test_a_dead_host_or_a_mistake_makes_no_flood(host: Path, run: Run) -> None:
    nightly(run, host)
    for target, code in (("ssh://127.0.0.1:1", 4), ("./nowhere", 2)):
        got, out, err = nightly(run, target)
        assert (got, out) == (code, "")
        assert err
        report_formats.READ["json"](Path("last.json").read_text())
    assert nightly(run, host) == (0, "", "")
    write(host, FINE)
    assert "fixed" in nightly(run, host)[1]


@pytest.mark.usefixtures("host")
def test_one_host_of_two_is_dead_and_then_gone(run: Run) -> None:
    made("all/mx1", BAD)
    made("all/mx2", BAD)
    nightly(run, "all/mx1", "all/mx2")
    code, out, _ = nightly(run, "all/mx1", "ssh://127.0.0.1:1")
    assert code == 4
    assert "mx2" not in out
    code, out, _ = nightly(run, "all/mx1", "ssh://127.0.0.1:1", "--allow-incomplete")
    assert code == 0
    assert "mx2" not in out  # what is let pass is not told as gone
    assert nightly(run, "all/mx1", "all/mx2")[:2] == (0, "")
    code, out, _ = nightly(run, "all/mx1")
    assert code == 0
    assert out.startswith("mx2.example.com: the host is gone; it had 1 finding\n")
    assert nightly(run, "all/mx1") == (0, "", "")


def test_a_file_that_cannot_be_read_is_told_once_if_it_lasts(host: Path, run: Run) -> None:
    nightly(run, host)
    (host / "etc" / "pf.conf").unlink()
    os.mkfifo(host / "etc" / "pf.conf")
    assert nightly(run, host) == (4, "", "")
    code, out, _ = nightly(run, host)
    assert code == 4
    assert "host.example.com: PF010 PF048 could not be told twice in a row (could not be read)" in " ".join(out.split())
    assert nightly(run, host) == (4, "", "")
    (host / "etc" / "pf.conf").unlink()
    write(host, BAD)
    assert nightly(run, host) == (0, "", "")


def test_an_earlier_report_that_is_none_is_told_and_left_alone(host: Path, run: Run) -> None:
    for content in (b"", b"{}", b"\xff", b'{"schema": "mailaudit.report/1"}'):
        Path("last.json").write_bytes(content)
        code, out, err = nightly(run, host)
        assert (code, out) == (2, "")
        assert "--changed-since last.json" in err
        assert Path("last.json").read_bytes() == content
    Path("last.json").unlink()
    run("scan", "./nowhere", "--output", "json:last.json")
    assert "audited no host" in nightly(run, host)[2]
    assert run("scan", host, "--changed-since", "none.json")[0] == 2
    assert run("scan", host, "--changed-since", "none.json", "--output", "sarif:none.json")[0] == 2


def test_what_is_interrupted_loses_nothing(host: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    nightly(run, host)

    def audit(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("mailaudit.commands.scan.audit", audit)
        assert nightly(run, host)[0] == 130
    assert nightly(run, host) == (0, "", "")


def test_sarif_tells_what_became_of_each_finding(host: Path, run: Run) -> None:
    nightly(run, host)
    write(host, WORSE)
    code, out, _ = run("scan", host, *ONLY, "--changed-since", "last.json", "--format", "sarif")
    assert code == 1
    report_formats.READ["sarif"](out)
    states = {each["ruleId"]: each["baselineState"] for each in json.loads(out)["runs"][0]["results"]}
    assert states == {"PF010": "unchanged", "PF048": "new"}
    code, out, _ = run("scan", host, *ONLY, "--format", "sarif")
    assert not any("baselineState" in each for each in json.loads(out)["runs"][0]["results"])
