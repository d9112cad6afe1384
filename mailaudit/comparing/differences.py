"""What became of each finding between two reports, and of each rule that one of them could not tell."""

from __future__ import annotations

import re
from collections import defaultdict, deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol, TypeVar

from mailaudit.comparing.known import Known, KnownHost, Told
from mailaudit.findings import Severity, Verdict
from mailaudit.wording import number_of


class Kind(StrEnum):
    """What became of a finding or a rule."""

    NEW = "new"
    FIXED = "fixed"
    CHANGED = "changed"
    UNCHANGED = "unchanged"
    NOT_EVALUATED = "no-longer-evaluated"
    NEWLY_EVALUATED = "newly-evaluated"
    RULE_ADDED = "rule-added"  # the other report did not judge it: another rulebook, profile or selection
    RULE_REMOVED = "rule-removed"


@dataclass(frozen=True, slots=True)
class Difference:
    """One finding, or a rule without one, in both reports. `why` says in words what the kind does not."""

    kind: Kind
    before: Told | None
    after: Told | None
    why: str = ""

    @property
    def told(self) -> Told:
        """As it is now, else as it was."""
        found = self.after if self.after is not None and (self.after.is_found or self.before is None) else self.before
        assert found is not None
        return found

    @property
    def is_finding(self) -> bool:
        """True for a finding, false for a rule that had none or could not be told."""
        return self.told.is_found

    @property
    def is_reworded(self) -> bool:
        """True where nothing but the words changed, as they do when another answer of several was heard first."""
        before, after = self.before, self.after
        if self.kind is not Kind.CHANGED or before is None or after is None:
            return False
        return (before.verdict, before.severity) == (after.verdict, after.severity)

    @property
    def is_waived(self) -> bool:
        """True for a finding that was never but waived."""
        return all(each.verdict is Verdict.WAIVED for each in (self.before, self.after) if each is not None)

    @property
    def is_worse(self) -> bool:
        """True for what counts: a finding that was not known before, or is worse than it was."""
        after, before = self.after, self.before
        if after is None or after.verdict is not Verdict.FAIL:
            return False
        if self.kind is Kind.CHANGED and before is not None:
            return before.verdict is Verdict.WAIVED or after.severity > before.severity
        return self.kind in (Kind.NEW, Kind.NEWLY_EVALUATED)


@dataclass(frozen=True, slots=True)
class HostDifference:
    """A host in both reports, or in one."""

    before: KnownHost | None
    after: KnownHost | None
    differences: tuple[Difference, ...]

    @property
    def name(self) -> str:
        """What it is called now, else what it was."""
        return self._last.name

    @property
    def target(self) -> str:
        """What it was found at last."""
        return self._last.target

    @property
    def _last(self) -> KnownHost:
        host = self.after or self.before
        assert host is not None
        return host

    def of(self, *kinds: Kind) -> list[Difference]:
        """The differences of these kinds, the worst first."""
        found = (each for each in self.differences if each.kind in kinds)
        return sorted(found, key=lambda each: (-each.told.severity, each.told.rule, each.told.where, each.told.fingerprint))


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two reports compared."""

    before: Known
    after: Known
    hosts: tuple[HostDifference, ...]

    def of(self, *kinds: Kind) -> list[Difference]:
        """The differences of all hosts of these kinds."""
        return [each for host in self.hosts for each in host.of(*kinds)]

    def worse(self, least: Severity) -> list[Difference]:
        """What counts, at this severity or above."""
        found = (each for host in self.hosts for each in host.differences if each.is_worse)
        return [each for each in found if each.told.severity >= least]

    def drift(self, least: Severity) -> str:
        """How much of that there is, in words: `2 new or worse findings at or above high`."""
        count = len(self.worse(least))
        found = number_of(count, "new or worse finding") if count else "nothing new or worse"
        return f"{found} at or above {least}"


class Named(Protocol):
    """What has a host's name and target."""

    @property
    def name(self) -> str:
        """The host's name."""

    @property
    def target(self) -> str:
        """What it was found at."""


Old = TypeVar("Old", bound=Named)
New = TypeVar("New", bound=Named)


def paired(before: Sequence[Old], after: Sequence[New], *, renamed: bool = True) -> list[tuple[Old | None, New | None]]:
    """Hosts by their names; those of one name by their targets, then in order.

    Where hosts may have been `renamed`, the only two are one whatever they are called.
    """
    if renamed and len(before) == len(after) == 1:
        return [(before[0], after[0])]
    found: dict[int, int] = {}  # the number of the old one by that of the new one
    for known_by in (lambda host: (host.name, host.target), lambda host: host.name):
        taken = set(found.values())
        left: defaultdict[object, deque[int]] = defaultdict(deque)
        for number, old in enumerate(before):
            if number not in taken:
                left[known_by(old)].append(number)
        for number, new in enumerate(after):
            if number not in found and left[known_by(new)]:
                found[number] = left[known_by(new)].popleft()
    taken = set(found.values())
    pairs = ((before[found[number]] if number in found else None, new) for number, new in enumerate(after))
    return [*pairs, *((old, None) for number, old in enumerate(before) if number not in taken)]


def compare(before: Known, after: Known) -> Comparison:
    """Compare two reports."""
    pairs = paired(before.hosts, after.hosts)
    return Comparison(before, after, tuple(_host(old, new, is_complete=after.is_complete) for old, new in pairs))


def _host(old: KnownHost | None, new: KnownHost | None, *, is_complete: bool) -> HostDifference:
    if new is None:
        assert old is not None
        return gone(old, "the host is gone" if is_complete else "the host was not audited")
    return HostDifference(old, new, tuple(differences(old, new)) if old is not None else added(new))


def gone(old: KnownHost, why: str) -> HostDifference:
    """A host that the later report does not have: none of its findings is fixed."""
    return HostDifference(old, None, tuple(Difference(Kind.NOT_EVALUATED, each, None, why) for each in old.findings.values()))


def added(new: KnownHost) -> tuple[Difference, ...]:
    """The findings of a host that the earlier report does not have."""
    return tuple(Difference(Kind.NEW, None, each, "the host is new") for each in new.findings.values())


def differences(old: KnownHost, new: KnownHost) -> Iterator[Difference]:
    """What became of all findings and rules of a host."""
    for rule in sorted({*old.by_rule, *new.by_rule}):
        before, after = old.by_rule.get(rule, ()), new.by_rule.get(rule, ())
        if not before:
            yield from (Difference(Kind.RULE_ADDED, None, each) for each in after)
        elif not after:
            yield from (Difference(Kind.RULE_REMOVED, each, None) for each in before)
        elif after[0].verdict is Verdict.UNKNOWN:
            told = after[0]
            known = [each for each in before if each.verdict is not Verdict.UNKNOWN]
            yield from (Difference(Kind.NOT_EVALUATED, each, told, told.message) for each in known)
        elif before[0].verdict is Verdict.UNKNOWN:
            yield from (Difference(Kind.NEWLY_EVALUATED, None, each, before[0].message) for each in after)
        else:
            yield from _findings(before, after, new)


def _findings(before: Sequence[Told], after: Sequence[Told], host: KnownHost) -> Iterator[Difference]:
    old = {each.fingerprint: each for each in before if each.is_found}
    new = {each.fingerprint: each for each in after if each.is_found}
    for known, told in new.items():
        if known not in old:
            yield Difference(Kind.NEW, None, told)
        else:
            yield Difference(Kind.UNCHANGED if _is_same(old[known], told) else Kind.CHANGED, old[known], told)
    for known, told in old.items():
        if known not in new:
            why = unjudged(told, host)
            yield Difference(Kind.NOT_EVALUATED if why else Kind.FIXED, told, after[0] if why else None, why)


def unjudged(told: Told, host: KnownHost) -> str:
    """Why it is not known that a finding is gone which a host's report no longer has; empty where it is.

    Only a rule that was evaluated, on files that were read, may say that something is mended.
    """
    results = host.by_rule.get(told.rule, ())
    verdicts = {each.verdict for each in results}
    if not results:
        return "the rule was not judged"
    if Verdict.UNKNOWN in verdicts:
        return results[0].message or str(results[0].reason)
    if verdicts & {Verdict.FAIL, Verdict.WAIVED} and host.unfinished:
        return f"not read whole: {', '.join(sorted(host.unfinished))}"
    if Verdict.NOT_APPLICABLE in verdicts and not (told.paths and host.read.issuperset(told.paths)):
        return f"the rule does not apply: {results[0].message}" if results[0].message else "the rule does not apply"
    return ""


def _is_same(one: Told, other: Told) -> bool:
    alike = (one.verdict, one.severity) == (other.verdict, other.severity)
    return alike and steady(one.message) == steady(other.message)


_UNIT = r"(?: (?:second|minute|hour|day|week|month|year)s?\b)?"
_VARYING = re.compile(rf"(?<![^\s,;()])[^\s,;()\d]*\d[^\s,;()]*{_UNIT}")
_SEVERAL = re.compile(r"#(?:(?:, | and |; )#)+")


def steady(message: str) -> str:
    """A message without what differs from day to day: days left, TTLs, serials, times, addresses."""
    return _SEVERAL.sub("#", _VARYING.sub("#", message))
