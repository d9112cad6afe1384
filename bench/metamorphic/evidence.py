"""What becomes of the rules when one piece of evidence is missing or cannot be read: none may go on to pass in silence."""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from bench.metamorphic.faults import Family, faults
from bench.metamorphic.host import Bench, Host
from mailaudit.findings import HostReport, Result, Verdict
from mailaudit.questions import (
    Absent,
    Answer,
    CommandOutput,
    Found,
    KeyFacts,
    ListFiles,
    PublicKey,
    Question,
    ReadFile,
    Reason,
    RunCommand,
    Stat,
    StatFile,
)

Used = Mapping[Question, Mapping[str, str]]
"""Per question the rules whose verdict hangs on its answer, each with the change of the answer that showed it."""

WITNESSES: tuple[tuple[str, tuple[str, ...], str], ...] = (
    ("/etc/myname", ("HOST003", "HOST004", "HOST005"), "hostname says it too"),
    ("/etc/httpd.conf", ("PF045", "CROSS021"), "netstat lists who listens"),
    ("/etc/mail/credentials", ("DOVECOT030",), "the account that owns the mail has the numbers"),
    (
        "/etc/rc.conf.local",
        ("CROSS065", "HOST030", "HOST031", "HOST032", "HOST033", "HOST034", "HOST035", "PF052"),
        "rcctl says it too",
    ),
    (
        "rcctl-ls-started",
        ("HOST030", "HOST031", "HOST032", "HOST033", "HOST034", "HOST071"),
        "rcctl ls failed, ps and ntpctl say it too",
    ),
    ("pfctl-nvf", ("PF001",), "the file itself is read"),
    ("pfctl-nvf", ("PF003",), "the file itself is expanded and compared"),
    ("smtpd-n", ("SMTPD001",), "the file itself is read"),
    ("stat /etc/mail/dkim/example.com.key", ("DKIM002",), "its public half was made of it"),
    ("stat /usr/local/lib/dovecot/lib90_sieve_plugin.so", ("HOST023",), "pkg_info says it too"),
    ("stat /usr/local/lib/dovecot/lib95_imap_sieve_plugin.so", ("HOST023",), "pkg_info says it too"),
    ("stat /usr/local/libexec", ("HOST020", "HOST021"), "pkg_info says it too"),
    ("stat /usr/local/libexec/smtpd", ("HOST020", "HOST021"), "pkg_info says it too"),
    ("stat /usr/local/libexec/smtpd/filter-rspamd", ("HOST021",), "pkg_info says it too"),
    ("stat /usr/local/libexec/smtpd/table-passwd", ("HOST020",), "pkg_info says it too"),
)
"""Rules that go on to pass without a piece of evidence because another one tells the same, and which."""
_WITNESSED = {(question, rule) for question, rules, _ in WITNESSES for rule in rules}


@dataclass(frozen=True)
class Loss:
    """One piece of evidence gone: the question, the way, and the host without it."""

    question: Question
    way: str
    host: Host


def losses(bench: Bench, questions: Iterable[Question] | None = None) -> Iterator[Loss]:
    """Each piece of evidence not recorded, and unreadable."""
    assert bench.snapshot is not None
    base = recorded_lists(bench)
    for question in sorted(bench.snapshot.answers if questions is None else questions, key=str):
        if isinstance(question, ReadFile) and question.path not in base.files:
            continue
        if not isinstance(question, ReadFile | ListFiles) and question not in base.record.answers:
            continue
        yield Loss(question, "not recorded", base.unanswered(question))
        yield Loss(question, "unreadable", base.unreadable(question))


def recorded_lists(bench: Bench) -> Host:
    """The host with all lists of files recorded as well, so that one of them can be lost."""
    assert bench.snapshot is not None
    lists: dict[Question, Answer] = {q: answer for q, answer in bench.snapshot.answers.items() if isinstance(q, ListFiles)}
    host = bench.base
    return dataclasses.replace(host, record=dataclasses.replace(host.record, answers={**host.record.answers, **lists}))


def verdicts(report: HostReport) -> dict[str, Result]:
    """One result of each rule."""
    return {result.rule: result for result in report.results}


def used_by(bench: Bench, families: list[Family], seed: int = 5) -> dict[Question, dict[str, str]]:
    """What rules use, as faults show it: whose finding a change of one answer brought about."""
    used: dict[Question, dict[str, str]] = {}
    for fault in faults(bench.base, families, len(families), seed):
        changed = _changed(bench.base, fault.host)
        if len(changed) == 1:
            for rule in _failed(bench.judge(fault.host)):
                used.setdefault(changed[0], {}).setdefault(rule, fault.family.what)
    return used


def _changed(base: Host, host: Host) -> list[Question]:
    """The questions that are answered otherwise; a file's new size goes with its bytes."""
    files = [ReadFile(path) for path in {*base.files, *host.files} if base.files.get(path) != host.files.get(path)]
    others: list[Question] = [q for q, answer in host.record.answers.items() if base.record.answers.get(q) != answer]
    read = {question.path for question in files}
    if any(path not in host.files for path in read):
        return []  # a file that is gone may be known to be there by its metadata
    return [*files, *(q for q in others if not isinstance(q, StatFile | ReadFile) or q.path not in read)]


def _failed(report: HostReport) -> set[str]:
    return {result.rule for result in report.results if result.verdict is Verdict.FAIL}


def probed(bench: Bench, part: int = 0, parts: int = 1) -> dict[Question, dict[str, str]]:
    """What rules use, as any change of one answer shows it; of all questions, or a part of them."""
    assert bench.snapshot is not None
    used: dict[Question, dict[str, str]] = {}
    lost = list(dict.fromkeys(loss.question for loss in losses(bench)))  # two ways of losing each
    for question in lost[part::parts]:
        for what, host in _probes(bench.base, question):
            for rule in _failed(bench.judge(host)):
                used.setdefault(question, {}).setdefault(rule, what)
    return used


def _probes(host: Host, question: Question) -> Iterator[tuple[str, Host]]:
    """A host with other answers to a question."""
    known = host.record.answers.get(question)
    if isinstance(question, ReadFile) and question.path in host.files:
        lines = host.text(question.path).split("\n")
        if not question.path.endswith(".pem"):
            for number, line in enumerate(lines):
                if line.strip() and not line.strip().startswith("#"):
                    yield f"without line {number + 1}", host.write(question.path, "\n".join(lines[:number] + lines[number + 1 :]))
        yield "empty", host.write(question.path, "")
    elif isinstance(question, StatFile) and isinstance(known, Found) and isinstance(known.value, Stat):
        for mode in (0o777, 0o000, 0o644, 0o600, 0o755):
            yield f"mode {mode:04o}", host.stat(question.path, mode=mode)
        yield "another's", host.stat(question.path, owner="alex", group="alex")
        yield "root's", host.stat(question.path, owner="root", group="wheel")
        for mtime in ("2026-11-22T11:00:00Z", "2020-11-22T11:00:00Z"):
            yield f"of {mtime}", host.stat(question.path, mtime=mtime)
        if question.path not in host.files:
            yield "absent", host.delete(question.path)
    elif isinstance(question, StatFile) and isinstance(known, Absent):
        yield "there", host.stat(question.path, mode=0o666)
    elif isinstance(question, RunCommand) and isinstance(known, Found) and isinstance(known.value, CommandOutput):
        lines = known.value.stdout.splitlines(keepends=True)
        for number in range(len(lines)):
            output = dataclasses.replace(known.value, stdout="".join(lines[:number] + lines[number + 1 :]))
            yield f"without {lines[number]!r}", host.answer(question, Found(output))
        yield "an error", host.answer(question, Found(CommandOutput(1, "")))
    elif isinstance(question, PublicKey):
        yield "another key", host.answer(question, Found(KeyFacts("rsa", 1024, f"sha256:{'0' * 64}")))


def silent(before: HostReport, used: Used, loss: Loss, report: HostReport) -> list[str]:
    """The rules that pass though what they hang on is gone, and those that claim a fault for want of evidence."""
    base, now = verdicts(before), verdicts(report)
    wrong: list[str] = []
    for rule, result in now.items():
        told = f"{loss.question} {loss.way}: {rule}"
        if result.reason is Reason.CRASHED:
            wrong.append(f"{told} crashes")
        elif result.verdict is Verdict.FAIL and base[rule].verdict is not Verdict.FAIL:
            wrong.append(f"{told} fails: {result.message}")
        elif (
            result.verdict is Verdict.PASS
            and rule in used.get(loss.question, {})
            and set(result.assumed) <= set(base[rule].assumed)
        ):
            if (str(loss.question), rule) in _WITNESSED:
                continue
            wrong.append(f"{told} passes ({used[loss.question][rule]})")
    return wrong


def seeded(losses_: list[Loss], count: int, seed: int) -> list[Loss]:
    """A sample of losses."""
    return random.Random(seed).sample(losses_, min(count, len(losses_)))
