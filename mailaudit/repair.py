"""Findings' fixes into new texts and a diff; audits again until nothing more mends."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from mailaudit.audit import Auditor
from mailaudit.edits import Fix, Safety, apply, compatible, unified_diff
from mailaudit.findings import FileStatus, HostReport, Result, Verdict
from mailaudit.questions import Absent, Found, ReadFile
from mailaudit.snapshot import Snapshot
from mailaudit.text import Text, encode

CALLS = 6  # a new port is opened in pf and throttled there; learning from what users move has six parts
MAX_ROUNDS = 10  # beyond one for each finding, since fixes that do harm together are tried one a round


@dataclass(frozen=True, slots=True)
class Plan:
    """What would be written: new characters by path, with the bytes they replace (None: the file is new); what was left, and why.

    `mended` are the findings that go away, `left` those that stay with the reason, `report` the audit of the planned files.
    """

    before: HostReport
    report: HostReport
    files: Mapping[str, str]
    read: Mapping[str, bytes | None]
    mended: tuple[Result, ...]
    left: tuple[tuple[Result, str], ...]
    converged: bool = True

    @property
    def diff(self) -> str:
        """The unified diff of all files, with secrets as they are: the printer masks them."""
        old = {path: None if data is None else Text(path, data).chars for path, data in self.read.items()}
        return unified_diff(old, self.files)


@dataclass
class _Round:
    snapshot: Snapshot
    report: HostReport
    refused: dict[str, str] = field(default_factory=dict)  # fingerprint of a finding whose fix did harm: what harm
    has_changed: bool = False  # since the first of these was refused

    def accept(self, other: _Round) -> None:
        """Go on from another state of the host."""
        self.snapshot, self.report = other.snapshot, other.report
        self.has_changed = bool(self.refused)


def plan(auditor: Auditor, allowed: frozenset[Safety]) -> Plan:
    """Plan all fixes of the allowed safety levels for the auditor's host."""
    snapshot, facts = auditor.learn()
    before = auditor.examine(snapshot, facts)
    state = _Round(snapshot, before)
    converged = False
    for _ in range(MAX_ROUNDS + len(_failing(before))):
        if _mend(auditor, state, allowed):
            continue
        if not state.refused or not state.has_changed:
            converged = True
            break
        state.refused.clear()  # what did harm then may do none beside the other corrections
        state.has_changed = False
    files, read = _changed(snapshot, state.snapshot)
    after = {result.fingerprint for result in _failing(state.report)}
    mended = tuple(result for result in _failing(before) if result.fingerprint not in after)
    left = tuple((result, _why_left(result, allowed, state)) for result in _failing(state.report))
    return Plan(before, state.report, files, read, mended, left, converged)


def _mend(auditor: Auditor, state: _Round, allowed: frozenset[Safety]) -> bool:
    """One round: apply what fits together; if that does harm, the first half of it, down to one. True if anything changed."""
    todo = [(r.fingerprint, r.fix) for r in _failing(state.report) if r.fix is not None and _wanted(r, allowed, state)]
    some = todo
    while some:
        taken, _ = compatible([fix for _, fix in some])
        done = _carried_out(auditor, state, taken, allowed) if taken else "its edits overlap"
        if not isinstance(done, str):
            state.accept(done)
            return True
        if len(some) > 1:
            some = some[: len(some) // 2]
            continue
        state.refused[some[0][0]] = done
        todo = todo[1:]
        some = todo
    return False


def _carried_out(auditor: Auditor, state: _Round, fixes: Sequence[Fix], allowed: frozenset[Safety]) -> _Round | str:
    """The host with these fixes, or the harm they would do. What a fix calls for is done with it: a new listener's port in pf."""
    done = _applied(auditor, state.snapshot, fixes)
    harm = _harm(state.report, done.report)
    known = {result.fingerprint for result in _failing(state.report)}
    for _ in range(CALLS):
        new = [result for result in _failing(done.report) if result.fingerprint not in known]
        called_for = [result.fix for result in new if result.fix is not None and _wanted(result, allowed, done)]
        taken, _ = compatible(called_for)
        if harm is None or not taken:
            break
        done = _applied(auditor, done.snapshot, taken)
        harm = _harm(state.report, done.report)
    return done if harm is None else harm


def _applied(auditor: Auditor, snapshot: Snapshot, fixes: Iterable[Fix]) -> _Round:
    edits = sorted({edit for fix in fixes for edit in fix.edits})
    files: dict[str, bytes] = {}
    for path in {edit.path for edit in edits}:
        text = _text(snapshot, path)
        chars = text.chars if text is not None else ""
        files[path] = encode(apply(chars, [edit for edit in edits if edit.path == path]))
    changed, facts = auditor.learn(snapshot.with_files(files))
    return _Round(changed, auditor.examine(changed, facts))


def _harm(before: HostReport, after: HostReport) -> str | None:
    """What a change made worse: a statement that is no longer read, or a finding that was not there."""
    unread = {file.path: len(file.unread) for file in before.files}
    for file in after.files:
        if len(file.unread) > unread.get(file.path, 0):
            return f"{file.path} would no longer be read whole"
    known = Counter(result.rule for result in _failing(before))
    for rule, count in Counter(result.rule for result in _failing(after)).items():
        if count > known[rule]:
            return f"it would bring up a finding of {rule}"
    return None


def _failing(report: HostReport) -> list[Result]:
    return [result for result in report.results if result.verdict is Verdict.FAIL]


def _wanted(result: Result, allowed: frozenset[Safety], state: _Round) -> bool:
    fix = result.fix
    if fix is None or not fix.edits or fix.safety not in allowed or result.fingerprint in state.refused:
        return False
    return not _partly_read(fix, state)


def _partly_read(fix: Fix, state: _Round) -> bool:
    partly = {file.path for file in state.report.files if file.status is FileStatus.PARTLY_READ}
    return any(edit.path in partly for edit in fix.edits)


def _why_left(result: Result, allowed: frozenset[Safety], state: _Round) -> str:
    fix = result.fix
    if fix is None:
        return "by hand"
    if result.fingerprint in state.refused:
        return f"its fix was taken back: {state.refused[result.fingerprint]}"
    if not fix.edits:
        return "by hand"
    if fix.safety not in allowed:
        return "needs --unsafe" if fix.safety is Safety.UNSAFE else "by hand"
    if _partly_read(fix, state):
        return "its file was only partly read, so it is not edited"
    return "the other corrections took all rounds; run fix again"


def _changed(before: Snapshot, after: Snapshot) -> tuple[dict[str, str], dict[str, bytes | None]]:
    files: dict[str, str] = {}
    read: dict[str, bytes | None] = {}
    for question, answer in after.answers.items():
        if isinstance(question, ReadFile) and answer != before.answer(question) and isinstance(answer, Found):
            assert isinstance(answer.value, bytes)
            old = before.answer(question)
            files[question.path] = Text(question.path, answer.value).chars
            read[question.path] = old.value if isinstance(old, Found) and isinstance(old.value, bytes) else None
    return files, read


def _text(snapshot: Snapshot, path: str) -> Text | None:
    answer = snapshot.answer(ReadFile(path))
    if isinstance(answer, Found) and isinstance(answer.value, bytes):
        return Text(path, answer.value)
    if answer is None or isinstance(answer, Absent):
        return None
    raise ValueError(f"{path} cannot be edited: it could not be read")
