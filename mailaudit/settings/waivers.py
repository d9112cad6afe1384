"""Findings that the site lives with: waivers in mailaudit.toml and in comments of the files themselves."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date
from fnmatch import fnmatchcase

from mailaudit.findings import Place, Result, Verdict, WaivedBy
from mailaudit.text import Span, Text

MAX_STACKED = 50  # comment lines between a waiver and what it covers
_COMMENT = re.compile(r"[#;][ \t]*mailaudit:([^\n]*)")
_IGNORE = re.compile(r"[ \t]*ignore[ \t]*\[([^\]\n]*)\][ \t]*(?:until=(\S+)[ \t]*)?(.*)", re.DOTALL)
_RULE = re.compile(r"[A-Za-z0-9-]+")


@dataclass(frozen=True, slots=True)
class Waiver:
    """One waiver: a rule's id, name or prefix, the reason, and what narrows it down.

    `expires` is the last day that it holds; `host` a glob; `match` a fingerprint. One that stands in a comment has the file's
    `path` and the `lines` it covers. `origin` says where it is written.
    """

    rule: str
    reason: str
    expires: date | None = None
    host: str | None = None
    match: str | None = None
    origin: str = ""
    path: str | None = None
    lines: tuple[int, ...] = ()

    @property
    def needless(self) -> str:
        """What is told of it where no finding needs it."""
        return f"{self.origin}: the waiver of {self.rule} is not needed: no finding matches it"

    @property
    def over(self) -> str:
        """What is told of it behind its last day."""
        return f"{self.origin}: the waiver of {self.rule} has expired ({self.expires})"

    @property
    def for_nobody(self) -> str:
        """What is told of it where no host is one that it is for."""
        return f"{self.origin}: the waiver of {self.rule} is for hosts like {self.host}, and there is none"

    def concerns(self, host: str) -> bool:
        """True if it is for a host of that name."""
        return self.host is None or fnmatchcase(host.lower(), self.host.lower())

    def names(self, result: Result) -> bool:
        """True if it is about the rule of a result."""
        return self.rule == result.name or any(each.startswith(self.rule.upper()) for each in (result.rule, *result.also))

    def covers(self, result: Result) -> bool:
        """True if it waives a result of the rule that it names."""
        if self.match is not None and self.match != result.fingerprint:
            return False
        if self.path is None:
            return True
        first = next((place for place in result.places if isinstance(place, Place)), None)
        return first is not None and first.path == self.path and first.corners()[0] in self.lines


@dataclass(frozen=True, slots=True)
class BadWaiver:
    """A comment that means to be a waiver and is none, and why."""

    message: str
    span: Span

    def __str__(self) -> str:
        return f"{self.span.path}:{self.span.line}: {self.message}"


@dataclass(frozen=True, slots=True)
class Waived:
    """Results with their waivers applied, and the waivers that applied, that have expired, and that no finding needs."""

    results: tuple[Result, ...]
    used: tuple[Waiver, ...]
    expired: tuple[Waiver, ...]
    unused: tuple[Waiver, ...]


def waive(results: Iterable[Result], waivers: Sequence[Waiver], today: date, host: str) -> Waived:
    """Apply waivers to a host's results; `today` is the day in UTC by the clock.

    Only findings are waived: a rule that could not tell has nothing to waive. Of several waivers the first decides. One is unused
    only if its rule was decided.
    """
    here = [each for each in waivers if each.concerns(host)]
    expired = [each for each in here if each.expires is not None and each.expires < today]
    valid = [each for each in here if each.expires is None or each.expires >= today]
    order = {each: number for number, each in enumerate(valid)}
    groups: dict[str, list[Waiver]] = {}  # many name the same rule, which is looked at once
    for each in valid:
        groups.setdefault(each.rule if each.rule.islower() else each.rule.upper(), []).append(each)
    used: set[Waiver] = set()
    decided: set[str] = set()
    done: list[Result] = []
    for result in results:
        about = [rule for rule, group in groups.items() if group[0].names(result)]
        covering = [each for rule in about for each in groups[rule] if result.verdict is Verdict.FAIL and each.covers(result)]
        used.update(covering)
        if result.verdict is not Verdict.UNKNOWN:
            decided.update(about)
        done.append(_waived(result, min(covering, key=order.__getitem__)) if covering else result)
    unused = {each for rule in decided for each in groups[rule]} - used
    needed, needless = (tuple(each for each in valid if each in some) for some in (used, unused))
    return Waived(tuple(done), needed, tuple(expired), needless)


def told_once(
    notes: Sequence[Sequence[str]], shared: Sequence[Sequence[Waiver]], needed: Iterable[Waiver]
) -> Iterator[tuple[str, ...]]:
    """The notes of several hosts without what is told again of a waiver that they share, or is not so of the next host.

    `shared` are the waivers in each host's settings, `needed` those that some host needs or may need.
    """
    said = {waiver.needless for waiver in needed}
    for each, waivers in zip(notes, shared, strict=True):
        own = {waiver.needless for waiver in waivers} | {waiver.over for waiver in waivers}
        yield tuple(note for note in each if note not in own or note not in said)
        said |= own & {*each}


def _waived(result: Result, waiver: Waiver) -> Result:
    by = WaivedBy.SETTINGS if waiver.path is None else WaivedBy.INLINE
    reason = waiver.reason if waiver.expires is None else f"{waiver.reason} (until {waiver.expires})"
    return replace(result, verdict=Verdict.WAIVED, waiver=reason, waived_by=by)


def inline_waivers(text: Text, comments: Iterable[Span] | None = None) -> tuple[list[Waiver], list[BadWaiver]]:
    """The waivers in a file's comments, and what means to be one and is not.

    `comments` are the spans to look in (a tree's gaps will do); without them, the whole text. A comment after a statement
    covers its own line. One on a line of its own covers the next line that is no comment, and itself: what is said of a file
    as a whole is said of its first line.
    """
    found: list[Waiver] = []
    bad: list[BadWaiver] = []
    for span in comments if comments is not None else [Span(text, 0, len(text.chars))]:
        for match in _COMMENT.finditer(text.chars, span.start, span.end):
            read = _read(match[1].rstrip())
            if isinstance(read, str):
                bad.append(BadWaiver(read, Span(text, match.start(), match.end())))
                continue
            rules, until, reason = read
            line, _ = text.position(match.start())
            lines = _covered(text, line, match.start())
            origin = f"{text.path}:{line}"
            found += [Waiver(rule, reason, until, origin=origin, path=text.path, lines=lines) for rule in rules]
    return found, bad


def _read(comment: str) -> tuple[list[str], date | None, str] | str:
    """Rules, last day and reason of a comment; or why it is no waiver."""
    match = _IGNORE.fullmatch(comment)
    if match is None:
        return "expected ignore[RULE] and a reason after mailaudit:"
    rules = [rule.strip() for rule in match[1].split(",")]
    if not all(_RULE.fullmatch(rule) for rule in rules):
        return "expected one rule, or several with commas between them, in ignore[...]"
    until: date | None = None
    if match[2] is not None:
        try:
            until = date.fromisoformat(match[2])
        except ValueError:
            return f"expected a date like 2027-03-31 after until=, found {match[2][:20]!r}"
    if not match[3].strip():
        return "a waiver needs a reason, in words"
    return rules, until, match[3].strip()


def _covered(text: Text, line: int, offset: int) -> tuple[int, ...]:
    start, _ = text.line_span(offset)
    if text.chars[start:offset].strip():
        return (line,)
    following = line + 1
    while following < min(text.lines, line + MAX_STACKED) and text.line(following).lstrip()[:1] in ("#", ";"):
        following += 1
    return (line, following)
