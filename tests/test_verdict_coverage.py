"""Every rule is seen with each verdict that it may have: pass and fail on its page, the others on hosts that lack something."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import get_type_hints

import pytest

from bench.metamorphic.evidence import losses, recorded_lists
from bench.metamorphic.host import BOOK, Bench
from mailaudit.audit import audit
from mailaudit.auditor import Options
from mailaudit.checks import CHECKS
from mailaudit.checks.registry import Check, Declared
from mailaudit.concluding import MOST_NAMES, conclude
from mailaudit.exitcodes import ExitCode
from mailaudit.findings import Basis, HostReport, Outcome, Result, Severity, Verdict
from mailaudit.questions import ListFiles, PublicKey, ReadFile, Reason, RunCommand, StatFile

EXAMPLES = Path(__file__).parents[1] / "examples"
PARTS_OF_A_HOST = ("etc/pf.conf", "etc/mail", "etc/dovecot", "etc/acme-client.conf", "etc/httpd.conf", "etc/rspamd")
SAYS_NOT_APPLICABLE = re.compile(r"not apply|not[- ]applicable")
NEVER_UNKNOWN = {
    "CROSS065": "rc.conf.local and rcctl order are two witnesses",
    "HOST034": "rc.conf.local, rcctl and ps are three witnesses: one lost leaves two",
    "HOST076": "there is no sshd_config here",
    "SMTPD050": "there is no mailname here",
}
"""Rules that no single loss of evidence leaves unknown, and why."""
OF_A_POLICY = {rule for rule in BOOK.pages if rule.startswith("POLICY")}
"""Rules about a site's own policy, which the examples do not have; tests/test_policy.py is about them."""
FILES = (
    "/etc/pf.conf",
    "/etc/mail/smtpd.conf",
    "/etc/dovecot/dovecot.conf",
    "/etc/dovecot/local.conf",
    "/etc/dovecot/conf.d/10-auth.conf",
    "/etc/dovecot/conf.d/10-mail.conf",
    "/etc/dovecot/conf.d/15-mailboxes.conf",
    "/etc/acme-client.conf",
    "/etc/httpd.conf",
    "/etc/mail/credentials",
    "/etc/doas.conf",
    "/etc/redis/redis.conf",
    "/etc/rc.conf.local",
    "/etc/rspamd/local.d/dkim_signing.conf",
    "/etc/rspamd/local.d/worker-controller.inc",
    "/usr/local/lib/dovecot/sieve/report-ham.sieve",
    "/usr/local/lib/dovecot/sieve/report-spam.sieve",
    "/usr/local/lib/dovecot/sieve/spam-to-junk.sieve",
)
"""Files of languages in which a line of nonsense is a fault; in the others it is a name like any other."""


@cache
def bench() -> tuple[Bench, HostReport]:
    made = Bench()
    return made, made.judge(made.base)


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, set[Verdict]]:
    """The verdicts of each rule on the examples, on repositories of one daemon, and where one thing cannot be read."""
    found: dict[str, set[Verdict]] = {rule: set() for rule in BOOK.pages}
    known, base = bench()
    lost = [loss for loss in losses(known) if loss.way == "unreadable"]
    hosts = [loss.host for loss in lost if isinstance(loss.question, ReadFile)]
    for kind in (StatFile, RunCommand, PublicKey, ListFiles):
        host = recorded_lists(known)
        for loss in lost:
            if isinstance(loss.question, kind):
                host = host.unreadable(loss.question)
        hosts.append(host)
    reports = [base, *map(known.judge, hosts)]
    for number, part in enumerate(PARTS_OF_A_HOST):
        root = tmp_path_factory.mktemp(f"repository{number}")
        source, target = EXAMPLES / "corrected" / part, root / part
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target)
        else:
            shutil.copy(source, target)
        reports += audit([str(root)], Options(profile="strict")).hosts
    reports += audit([str(EXAMPLES / "as-published")], Options(profile="strict")).hosts
    for report in reports:
        for result in report.results:
            found[result.rule].add(result.verdict)
    return found


def test_each_rule_passes_and_fails_on_its_page() -> None:
    """`test_rule_pages` shows that these cases do what they say."""
    for page in BOOK.pages.values():
        assert {case.wrong for case in page.cases} == {True, False}, page.id


def test_each_rule_passes_here_or_does_not_apply(seen: Mapping[str, set[Verdict]]) -> None:
    judged = {rule: verdicts for rule, verdicts in seen.items() if verdicts}
    assert not [rule for rule, verdicts in judged.items() if not verdicts & {Verdict.PASS, Verdict.NOT_APPLICABLE}]


def test_each_rule_is_unknown_where_it_cannot_look(seen: Mapping[str, set[Verdict]]) -> None:
    judged = {rule: verdicts for rule, verdicts in seen.items() if verdicts}
    never = {rule for rule, verdicts in judged.items() if Verdict.UNKNOWN not in verdicts}
    assert never <= set(NEVER_UNKNOWN) | OF_A_POLICY


def test_each_rule_that_may_not_apply_does_not_somewhere(seen: Mapping[str, set[Verdict]]) -> None:
    for page in BOOK.pages.values():
        prose = page.body.partition("\n## Wrong")[0]
        if SAYS_NOT_APPLICABLE.search(prose) and seen[page.id]:
            assert Verdict.NOT_APPLICABLE in seen[page.id], page.id


@pytest.mark.parametrize("path", FILES)
def test_a_broken_line_is_never_passed_over(path: str) -> None:
    """Some rule finds it or cannot tell any more; where the others go on, they say that the file does not load as it stands."""
    known, base = bench()
    before = {result.rule: result.verdict for result in base.results}
    lines = known.base.text(path).split("\n")
    told = [number for number, line in enumerate(lines) if line.strip() and not line.strip().startswith("#")]
    for number in told[:: max(1, len(told) // 4)]:
        host = known.base.write(path, "\n".join([*lines[:number], f'%%% " {lines[number]}', *lines[number + 1 :]]))
        results = known.judge(host).results
        assert not [result.rule for result in results if result.reason is Reason.CRASHED]
        changed = [r for r in results if r.verdict is Verdict.FAIL or r.verdict is not before[r.rule] or r.note]
        assert changed, lines[number]


def test_rules_that_crash_harm_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every second rule crashes: each is unknown for that reason, all others say what they said."""
    known, base = bench()
    doomed = list(CHECKS)[::2]
    for rule in doomed:
        monkeypatch.setitem(CHECKS, rule, Declared(rule, _crashing(CHECKS[rule])))
    report = known.judge(known.base)
    verdicts = {result.rule: (result.verdict, result.reason) for result in report.results}
    before = {result.rule: (result.verdict, result.reason) for result in base.results}
    crashed = {rule for rule, (_, reason) in verdicts.items() if reason is Reason.CRASHED}
    assert crashed == set(doomed) & set(verdicts) - OF_A_POLICY
    assert all(verdicts[rule][0] is Verdict.UNKNOWN for rule in crashed)
    assert {rule: said for rule, said in verdicts.items() if rule not in crashed} == {
        rule: said for rule, said in before.items() if rule not in crashed
    }
    code, why = conclude((report,), Options(), selected=True)
    assert code == ExitCode.INCOMPLETE
    assert sum(rule in why for rule in crashed) == MOST_NAMES
    assert why.endswith(f" and {len(crashed) - MOST_NAMES} more")


def test_the_last_line_of_an_incomplete_audit_tells_of_findings_too() -> None:
    found = Result("PF020", "x", Verdict.FAIL, Severity.HIGH, Basis.GUIDE, "t", "m")
    unsure = replace(found, rule="DNS001", verdict=Verdict.UNKNOWN, reason=Reason.SERVFAIL)
    for results, why in (
        ((found, unsure), "1 finding at or above low; could not tell: DNS001"),
        ((unsure,), "could not tell: DNS001"),
        ((replace(found, severity=Severity.INFO), unsure), "could not tell: DNS001"),
    ):
        host = HostReport("h", "t", online=True, site={}, files=(), results=results)
        assert conclude((host,), Options(), selected=True) == (ExitCode.INCOMPLETE, why)


def _crashing(declared: Declared) -> Check:
    def crash(**_: object) -> Iterator[Outcome]:
        raise ArithmeticError(declared.rule)

    crash.__annotations__ = {**get_type_hints(declared.function)}
    return crash
