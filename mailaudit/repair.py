"""Findings' fixes into new texts and a diff; audits again until nothing more mends."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

from mailaudit.auditor import Auditor
from mailaudit.edits import Fix, Safety, apply, compatible, unified_diff
from mailaudit.findings import Evidence, FileStatus, HostReport, Result, Verdict
from mailaudit.models.dns.site_records import TTL, Dns
from mailaudit.models.facts import Facts
from mailaudit.models.sources import Known
from mailaudit.models.taking_effect import steps
from mailaudit.questions import Absent, Found, ReadFile
from mailaudit.snapshot import Snapshot
from mailaudit.text import Text, encode
from mailaudit.worklist import Deed, worklist

CALLS = 6  # a new port is opened in pf and throttled there; learning from what users move has six parts
MASK = b"{{masked:"
OUTSIDE = "T"  # the evidence that is daemons as they run
BY_HAND = "by hand"
TYPED = "by commands on the host"
MAX_ROUNDS = 10  # beyond one for each finding, since fixes that do harm together are tried one a round


@dataclass(frozen=True, slots=True)
class Wish:
    """What is to be mended: by which safety levels, of which rules (None: all that are judged), and in partly read files too.

    A rule that is not chosen is judged nevertheless: no fix may bring up a finding of it.
    """

    allowed: frozenset[Safety]
    rules: frozenset[str] | None = None
    partly_read: bool = False

    def names(self, result: Result) -> bool:
        """True for a result of a rule that is chosen."""
        return self.rules is None or result.rule in self.rules


@dataclass(frozen=True, slots=True)
class Plan:
    """What would be written: new characters by path, with the bytes they replace (None: the file is new); what was left, and why.

    `mended` are the findings that go away, `left` those that stay with the reason, `report` the audit of the planned files, both
    reports of the chosen rules alone. `todo` is what is to be done once the files are written, in order. `failed`, of a plan that
    was written, are the findings that a new audit has and the plan had promised away.
    """

    before: HostReport
    report: HostReport
    files: Mapping[str, str]
    read: Mapping[str, bytes | None]
    mended: tuple[Result, ...]
    left: tuple[tuple[Result, str], ...]
    converged: bool = True
    todo: tuple[Deed, ...] = ()
    failed: tuple[Result, ...] = ()

    @property
    def diff(self) -> str:
        """The unified diff of all files, with secrets as they are: the printer masks them."""
        old = {path: None if data is None else Text(path, data).chars for path, data in self.read.items()}
        return unified_diff(old, self.files)


@dataclass
class _Round:
    snapshot: Snapshot
    facts: Facts
    report: HostReport
    refused: dict[str, str] = field(default_factory=dict)  # fingerprint of a finding whose fix did harm: what harm
    seen: set[int] = field(default_factory=set)  # states that were gone through: what leads back to one leads nowhere
    has_changed: bool = False  # since the first of these was refused

    def accept(self, other: _Round) -> None:
        """Go on from another state of the host."""
        self.seen.add(_state(self.snapshot))
        self.snapshot, self.facts, self.report = other.snapshot, other.facts, other.report
        self.has_changed = bool(self.refused)


def plan(auditor: Auditor, allowed: frozenset[Safety], *, rules: frozenset[str] | None = None, partly_read: bool = False) -> Plan:
    """Plan all fixes of the allowed safety levels for the auditor's host; the other two are as in `Wish`."""
    wish = Wish(allowed, rules, partly_read)
    snapshot, facts = auditor.learn()
    before = auditor.examine(snapshot, facts)
    state = _Round(snapshot, facts, before)
    converged = False
    for _ in range(MAX_ROUNDS + len(_failing(before))):
        if _mend(auditor, state, wish):
            continue
        if not state.refused or not state.has_changed:
            converged = True
            break
        state.refused.clear()  # what did harm then may do none beside the other corrections
        state.has_changed = False
    return _told(snapshot, before, state, wish, converged=converged)


def _told(snapshot: Snapshot, before: HostReport, state: _Round, wish: Wish, *, converged: bool) -> Plan:
    files, read = _changed(snapshot, state.snapshot)
    asked, found = _chosen(before, wish), _chosen(state.report, wish)
    after = {result.fingerprint for result in _failing(found)}
    mended = tuple(result for result in _failing(asked) if result.fingerprint not in after)
    left = tuple((result, _why_left(result, wish, state)) for result in _failing(found))
    todo = worklist(
        [*(result.fix for result in mended if result.fix is not None), *_without_files(left, wish)],
        steps(files, state.facts.slots),
        partial(_remembered, state.facts),
    )
    return Plan(asked, found, files, read, mended, left, converged, todo)


def verified(plan: Plan, report: HostReport) -> Plan:
    """A plan that was written, beside what a new audit of the same rules says of the host."""
    rules = frozenset(result.rule for result in plan.before.results)
    report = _chosen(report, Wish(frozenset(), rules))
    promised = {result.fingerprint for result in _failing(plan.report)}
    after = {result.fingerprint for result in _failing(report)}
    return replace(
        plan,
        report=report,
        mended=tuple(result for result in plan.mended if result.fingerprint not in after),
        left=tuple((result, why) for result, why in plan.left if result.fingerprint in after),
        failed=tuple(result for result in _failing(report) if result.fingerprint not in promised),
    )


def _chosen(report: HostReport, wish: Wish) -> HostReport:
    return replace(report, results=tuple(result for result in report.results if wish.names(result)))


def _without_files(left: Iterable[tuple[Result, str]], wish: Wish) -> Iterator[Fix]:
    """Fixes that are nothing but commands, and records; what only a person can decide stays with its finding."""
    for result, _ in left:
        fix = result.fix
        if fix is None or fix.edits:
            continue
        if fix.safety in wish.allowed:
            yield fix
        elif fix.records:
            yield replace(fix, commands=())


def _remembered(facts: Facts, owner: str) -> int:
    """For how many seconds resolvers may go by what a name had until now."""
    slot = facts.slots.get(Dns)
    return slot.value.remembered(owner) if isinstance(slot, Known) and isinstance(slot.value, Dns) else TTL


def _mend(auditor: Auditor, state: _Round, wish: Wish) -> bool:
    """One round: apply what fits together; if that does harm, the first half of it, down to one. True if anything changed."""
    todo = [
        (r.fingerprint, r.fix) for r in _failing(state.report) if r.fix is not None and _wanted(r, wish, state) and wish.names(r)
    ]
    some = todo
    while some:
        taken, _ = compatible([fix for _, fix in some])
        done = _carried_out(auditor, state, taken, wish) if taken else "its edits overlap"
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


def _carried_out(auditor: Auditor, state: _Round, fixes: Sequence[Fix], wish: Wish) -> _Round | str:
    """The host with these fixes, or the harm they would do. What a fix calls for is done with it: a new listener's port in pf."""
    done = _applied(auditor, state, fixes)
    harm = _harm(state.report, done.report)
    known = {result.fingerprint for result in _failing(state.report)}
    for _ in range(CALLS):
        new = [result for result in _failing(done.report) if result.fingerprint not in known]
        called_for = [result.fix for result in new if result.fix is not None and _wanted(result, wish, done)]
        taken, _ = compatible(called_for)
        if harm is None or not taken:
            break
        done = _applied(auditor, done, taken)
        harm = _harm(state.report, done.report)
    if harm is None and _state(done.snapshot) in state.seen | {_state(state.snapshot)}:
        harm = "another correction undoes it"
    return done if harm is None else harm


def _state(snapshot: Snapshot) -> int:
    """What files hold, as a number that tells one state from another."""
    return hash(frozenset((q.path, a) for q, a in snapshot.answers.items() if isinstance(q, ReadFile) and isinstance(a, Found)))


def _applied(auditor: Auditor, state: _Round, fixes: Iterable[Fix]) -> _Round:
    snapshot = state.snapshot
    edits = sorted({edit for fix in fixes for edit in fix.edits})
    files: dict[str, bytes] = {}
    for path in {edit.path for edit in edits}:
        text = _text(snapshot, path)
        chars = text.chars if text is not None else ""
        files[path] = encode(apply(chars, [edit for edit in edits if edit.path == path]))
    changed, facts = auditor.learn(snapshot.with_files(files))
    return _Round(changed, facts, _awaited(auditor, auditor.examine(changed, facts), state.report))


def _awaited(auditor: Auditor, after: HostReport, before: HostReport) -> HostReport:
    """Without what is found because the daemons, as they are seen from outside, have not taken these files up yet."""
    known = {result.fingerprint for result in _failing(before)}

    def is_stale(result: Result) -> bool:
        seen = any(isinstance(place, Evidence) for place in result.places)
        new = result.verdict is Verdict.FAIL and result.fingerprint not in known
        return new and seen and OUTSIDE in auditor.book.pages[result.rule].evidence

    return replace(after, results=tuple(result for result in after.results if not is_stale(result)))


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


def _wanted(result: Result, wish: Wish, state: _Round) -> bool:
    fix = result.fix
    if fix is None or not fix.edits or fix.safety not in wish.allowed or result.fingerprint in state.refused:
        return False
    return not _why_not_edited(fix, wish, state)


def _partly_read(fix: Fix, wish: Wish, state: _Round) -> list[str]:
    """The files that a fix edits and that mailaudit may not edit, for it does not know what all of their statements say."""
    if wish.partly_read:
        return []
    partly = {file.path for file in state.report.files if file.status is FileStatus.PARTLY_READ or file.swallowed}
    return sorted(partly & {edit.path for edit in fix.edits})


def _not_seen(fix: Fix, state: _Round) -> list[str]:
    """The files that a fix edits and whose content is not known: not to be had, or with passwords that never leave their host."""

    def is_seen(path: str) -> bool:
        answer = state.snapshot.answer(ReadFile(path))
        if isinstance(answer, Found) and isinstance(answer.value, bytes):
            return MASK not in answer.value
        return answer is None or isinstance(answer, Absent)

    return sorted({edit.path for edit in fix.edits if not is_seen(edit.path)})


def _why_left(result: Result, wish: Wish, state: _Round) -> str:
    fix = result.fix
    if fix is None:
        return BY_HAND
    if result.fingerprint in state.refused:
        return f"its fix was taken back: {state.refused[result.fingerprint]}"
    if fix.safety not in wish.allowed:
        return "needs --unsafe" if fix.safety is Safety.UNSAFE else BY_HAND
    if not fix.edits:
        return TYPED
    return _why_not_edited(fix, wish, state) or "the other corrections took all rounds; run fix again"


def _why_not_edited(fix: Fix, wish: Wish, state: _Round) -> str:
    """Why a fix's files are not edited; empty if nothing speaks against it."""
    partly = _partly_read(fix, wish, state)
    if partly:
        return f"{', '.join(partly)} was only partly read, so it is not edited; --force-partial edits it"
    unseen = _not_seen(fix, state)
    return f"{', '.join(unseen)} is not edited, for not all that it holds was seen; edit it on the host" if unseen else ""


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
