"""What all formats tell alike: results in order and cleaned, places as paths that a reader can open, reasons in words."""

from __future__ import annotations

import posixpath
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from mailaudit.choices import SarifProfile
from mailaudit.edits import Fix, Safety
from mailaudit.exitcodes import ExitCode
from mailaudit.findings import UNFINISHED, Coverage, Evidence, FileStatus, HostReport, Place, Report, Result, Severity, Verdict
from mailaudit.questions import NOT_ASKED, Reason
from mailaudit.reports.changes import diff_of
from mailaudit.reports.masking import Mask, visible
from mailaudit.reports.terminal.prose import blocks
from mailaudit.rulebook import Page
from mailaudit.text import Span

if TYPE_CHECKING:
    from mailaudit.comparing.differences import HostDifference

MOST_LINES = 3  # of a file, in an excerpt
WIDEST = 240  # characters of a line, in an excerpt
REASONS = {
    Reason.OFFLINE: "the network was not asked",
    Reason.NOT_RECORDED: "what would tell was not recorded",
    Reason.UNREADABLE: "could not be read",
    Reason.NOT_READ: "depends on a statement that was not read",
    Reason.TIMEOUT: "timed out",
    Reason.SERVFAIL: "DNS cannot answer",
    Reason.REFUSED: "turned away",
    Reason.PROTOCOL: "the other side broke the protocol",
    Reason.IN_DOUBT: "in doubt",
    Reason.CRASHED: "the rule itself crashed",
}
LEVELS = {  # the three that SARIF and GitHub have
    Severity.CRITICAL: "error",
    Severity.HIGH: "error",
    Severity.MEDIUM: "warning",
    Severity.LOW: "note",
    Severity.INFO: "note",
}


@dataclass(frozen=True, slots=True)
class Reader:
    """Who reads a report: the rules' pages by id, the folder that targets are named from, and those from which paths are told.

    Of `roots` the first that a path lies in counts.
    """

    pages: Mapping[str, Page] = field(default_factory=dict)
    here: str = ""
    roots: tuple[str, ...] = ()
    sarif_profile: SarifProfile = SarifProfile.STANDARD
    most: int | None = None  # characters that may be written, where there is a bound
    show_passed: bool = False


@dataclass(frozen=True, slots=True)
class Spot:
    """A place as a reader of the repository opens it; lines and columns count from 1, the end column is one past."""

    path: str
    line: int = 1
    column: int = 1
    end_line: int = 1
    end_column: int = 1
    label: str = ""
    whole: bool = True  # the file as such is meant
    excerpt: str = ""


@dataclass(frozen=True)
class View:
    """One host's report, with nothing in what it gives that must not be shown; no other of the report has its name."""

    host: HostReport
    reader: Reader
    name: str

    @cached_property
    def mask(self) -> Mask:
        """What masks the host's secrets."""
        return mask_of([self.host])

    def clean(self, chars: str) -> str:
        """The characters, masked and visible."""
        return visible(self.mask(chars))

    def of(self, *verdicts: Verdict) -> list[Result]:
        """The results of these verdicts, the worst first."""
        return sorted((result for result in self.host.results if result.verdict in verdicts), key=worst_first)

    def message(self, result: Result) -> str:
        """What a result says."""
        return self.clean(f"{result.message} {result.note}".strip())

    def path(self, path: str) -> str:
        """A path on the host as one from the reader's root, or an absolute one; of a live host, below its name."""
        host = self.host
        if host.live:
            return visible(posixpath.join(host.name.replace("/", "_"), path.lstrip("/")))
        whole = posixpath.normpath(posixpath.join(self.reader.here, host.target, path.lstrip("/")))
        prefixes = (f"{root.rstrip('/')}/" for root in self.reader.roots)
        return visible(next((whole.removeprefix(each) for each in prefixes if whole.startswith(each)), whole))

    def spots(self, result: Result) -> list[Spot]:
        """The result's places in files, the primary one first."""
        return [self.spot(place) for place in result.places if isinstance(place, Place)]

    def first(self, result: Result) -> Spot | None:
        """Its primary place in files; or the file whose mode or owner it is about."""
        spots = self.spots(result)
        known = {file.path for file in self.host.files if file.status is not FileStatus.MISSING}
        asked = (each.question.removeprefix("stat ") for each in result.places if isinstance(each, Evidence))
        return spots[0] if spots else next((Spot(self.path(path)) for path in asked if path in known), None)

    def spot(self, place: Place) -> Spot:
        """A place in a file."""
        excerpt = "\n".join(self.lines(place)) if place.span is not None else ""
        return Spot(self.path(place.path), *place.corners(), self.clean(place.label), place.span is None, excerpt)

    def lines(self, place: Place) -> list[str]:
        """The first lines of a file that a place covers, without their newlines."""
        span = place.span
        if span is None:
            return []
        found: list[str] = []
        text, at = span.text, span.start
        while len(found) < MOST_LINES and (not found or at < span.end):
            start, end = text.line_span(at)
            line = visible(self.mask.written(Span(text, start, min(end, start + WIDEST))).rstrip("\r\n"), keep="\t")
            found.append(line if end - start <= WIDEST else f"{line}...")
            at = end
        return found

    def asked(self, result: Result) -> list[str]:
        """What was asked and answered, where a result rests on that: `example.com. MX: 10 mail.example.com.`."""
        return [self.clean(f"{e.question}: {e.answer}") for e in result.places if isinstance(e, Evidence)]

    def by_hand(self, fix: Fix) -> list[str]:
        """The commands and records of a fix."""
        return [self.clean(each) for each in (*fix.commands, *fix.records)]

    def diff(self, fix: Fix) -> str:
        """What a fix changes in files."""
        return visible(diff_of(fix, self.host, self.mask), keep="\n\t")

    def unread(self) -> list[Coverage]:
        """The files that were not read, or in part only, though the daemon reads them."""
        return [each for each in sorted(self.host.files, key=lambda each: each.path) if each.status in UNFINISHED]

    @property
    def anchor(self) -> str:
        """A file for what stands in none, where a place must be named: smtpd.conf, or else the first that is there."""
        there = sorted(each.path for each in self.host.files if each.status is not FileStatus.MISSING)
        return self.path(min(there, key=lambda path: not path.endswith("/smtpd.conf"), default="/etc/mail/smtpd.conf"))

    def not_asked(self) -> dict[Reason, list[str]]:
        """The rules that could not be told for want of evidence, by reason; a scan is none the less complete."""
        found: dict[Reason, list[str]] = {}
        for result in self.of(Verdict.UNKNOWN):
            if result.reason in NOT_ASKED:
                found.setdefault(result.reason, []).append(result.rule)
        return {reason: sorted(set(rules)) for reason, rules in sorted(found.items())}

    def undecided(self) -> list[Result]:
        """The results that should have been told and could not be."""
        return [result for result in self.of(Verdict.UNKNOWN) if result.reason not in NOT_ASKED]


def views(report: Report, reader: Reader) -> list[View]:
    """The hosts of a report as this reader sees them."""
    return [View(host, reader, name) for host, name in zip(report.hosts, names(report.hosts), strict=True)]


def names(hosts: Sequence[HostReport] | Sequence[HostDifference]) -> list[str]:
    """What hosts are called: those of one name are told apart by their targets, or else by number."""
    alike = Counter(host.name for host in hosts)
    taken: dict[str, None] = {}
    numbers: Counter[str] = Counter()
    for host in hosts:
        name = visible(f"{host.name} ({host.target})" if alike[host.name] > 1 else host.name)
        told = name
        while told in taken:
            numbers[name] += 1
            told = f"{name} {numbers[name] + 1}"
        taken[told] = None
    return list(taken)


def findings(seen: Iterable[View], *verdicts: Verdict) -> list[tuple[View, Result]]:
    """The findings of all hosts, the worst first."""
    all_found = ((view, result) for view in seen for result in view.of(*verdicts or (Verdict.FAIL,)))
    return sorted(all_found, key=lambda each: -each[1].severity)


def errors(report: Report) -> list[str]:
    """What went wrong in the run."""
    mask = mask_of(report.hosts)
    return [visible(mask(error)) for error in report.errors]


def ending(report: Report) -> str:
    """How the run ended: `exit code 4 (incomplete): not read whole: /etc/pf.conf`."""
    code = ExitCode(report.exit_code)
    reason = visible(mask_of(report.hosts)(report.exit_reason)) or code.short
    return f"exit code {int(code)} ({code.word}): {reason}"


def has_verdict(report: Report) -> bool:
    """True if it ended with code 0 or 1; with --allow-incomplete it does so though something could not be told."""
    return report.exit_code in (ExitCode.OK, ExitCode.FINDINGS)


def mask_of(hosts: Iterable[HostReport]) -> Mask:
    """What masks all secrets of these hosts."""
    every = list(hosts)
    return Mask.of((s for host in every for s in host.secrets), (text for host in every for text in host.texts.values()))


def order(result: Result) -> tuple[str, int, int, str, str, str]:
    """The order of results: path, line, column, rule. What stands in no file comes first."""
    first = result.places[0] if result.places else None
    if isinstance(first, Place):
        line, column, _, _ = first.corners()
        return first.path, line, column, result.rule, result.message, result.fingerprint
    return "", 0, 0, result.rule, result.message, result.fingerprint


def worst_first(result: Result) -> tuple[object, ...]:
    """The order for people. What is at no line comes last in its file: it may miss only what a refused line was to say."""
    first = result.places[0] if result.places else None
    path, *rest = order(result)
    return -result.severity, path, isinstance(first, Place) and first.span is None, *rest


def told(result: Result) -> str:
    """What a result says, its note and waiver included, in one piece; not yet cleaned."""
    message = f"{result.message} {result.note}".strip()
    if result.verdict is Verdict.WAIVED and result.waiver:
        message = f"{message} Waived: {result.waiver}"
    return message


def how(fix: Fix) -> str:
    """How a fix is applied."""
    return {
        Safety.SAFE: "`mailaudit fix` does this (safe).",
        Safety.UNSAFE: "`mailaudit fix --unsafe` does this: look at it first.",
        Safety.MANUAL: "By hand.",
    }[fix.safety if fix.edits else Safety.MANUAL]


_EXAMPLES = re.compile(r"^## (?:Wrong|Right)\b", re.MULTILINE)


def explanation(page: Page) -> str:
    """A rule's page without its title and examples, as Markdown, and what it rests on."""
    prose = _EXAMPLES.split(page.body, maxsplit=1)[0].strip()
    prose = prose.removeprefix(f"# {page.title}").strip()
    return f"{prose}\n\nSources: {'; '.join(page.sources)}." if page.sources else prose


def in_words(markdown: str) -> str:
    """Markdown as plain text."""
    return "\n\n".join(block.lstrip("# ") for block in blocks(markdown))


def counted(results: Iterable[Result]) -> Iterator[tuple[Severity, int]]:
    """How many findings there are of each severity that there are some of, the worst first."""
    found = [result.severity for result in results if result.verdict is Verdict.FAIL]
    return ((each, found.count(each)) for each in sorted(set(found), reverse=True))
