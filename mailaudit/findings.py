"""What an audit says, as data: places, findings, verdicts, results, the report."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import IntEnum, StrEnum

from mailaudit.edits import Fix
from mailaudit.questions import Reason, Stat
from mailaudit.text import Span, Text


class Severity(IntEnum):
    """How bad it is; ordered."""

    INFO = 0
    LOW = 1
    MEDIUM = 2
    HIGH = 3
    CRITICAL = 4

    def __str__(self) -> str:
        return self.name.lower()


class Basis(StrEnum):
    """On what a rule rests (contract, section 5)."""

    GUIDE = "guide"
    CORRECTNESS = "correctness"
    SECURITY = "security"
    DELIVERABILITY = "deliverability"
    HYGIENE = "hygiene"


class Verdict(StrEnum):
    """What became of a rule (contract, section 3)."""

    PASS = "pass"  # noqa: S105  no password, whatever it looks like
    FAIL = "fail"
    UNKNOWN = "unknown"
    NOT_APPLICABLE = "not-applicable"
    WAIVED = "waived"


@dataclass(frozen=True, slots=True)
class Place:
    """A place in a file. Without a span it is the file as a whole (line 1, column 1)."""

    path: str
    span: Span | None = None
    label: str = ""

    @classmethod
    def at(cls, span: Span, label: str = "") -> Place:
        """The place of a span."""
        return cls(span.path, span, label)

    @classmethod
    def whole(cls, text: Text | str, label: str = "") -> Place:
        """A file as a whole, by its text or its path."""
        return cls(text if isinstance(text, str) else text.path, None, label)

    def corners(self) -> tuple[int, int, int, int]:
        """Line, column, end line and end column, from 1; the end column is one past the last character."""
        if self.span is None:
            return 1, 1, 1, 1
        return (*self.span.text.position(self.span.start), *self.span.text.position(self.span.end))


@dataclass(frozen=True, slots=True)
class Evidence:
    """A question and what was answered, where a finding rests on more than the characters of a file."""

    question: str
    answer: str

    @classmethod
    def stat(cls, path: str, seen: Stat | None) -> Evidence:
        """What was seen at a path: mode and owner, or that nothing is there."""
        return cls(f"stat {path}", "absent" if seen is None else seen.shown)


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong.

    The first place is the primary one. `about` names the structural place of the setting and `value` the offending value, both
    without line numbers, secrets, addresses or times: they make the fingerprint. `absence` says that the finding rests on
    something not being there, so that it cannot be claimed of a file that was only partly read. `severity` is there where a case
    is worse than the rule's page says in general.
    """

    message: str
    places: tuple[Place | Evidence, ...]
    fix: Fix | None = None
    about: str = ""
    value: str = ""
    absence: bool = False
    severity: Severity | None = None


@dataclass(frozen=True, slots=True)
class Doubt:
    """The rule could not tell, and why (law 7)."""

    reason: Reason
    message: str
    places: tuple[Place | Evidence, ...] = ()


@dataclass(frozen=True, slots=True)
class Exempt:
    """The rule does not apply here, and why."""

    why: str


Outcome = Finding | Doubt | Exempt


class WaivedBy(StrEnum):
    """What waives a finding: a comment in the host's own file, mailaudit.toml, or a baseline."""

    INLINE = "inline"
    SETTINGS = "settings"
    BASELINE = "baseline"


class Since(StrEnum):
    """What became of a finding since a baseline or an earlier report; the words are SARIF's."""

    NEW = "new"
    UNCHANGED = "unchanged"
    UPDATED = "updated"


@dataclass(frozen=True, slots=True)
class Result:
    """One line of the report: a rule's verdict, or one of its findings.

    `note` goes with the message: what is the same for other results too, such as that a file does not load as it stands.
    `also` are the other ids of the rule. `waiver` is the reason that a finding is waived for. `since` is there where a baseline
    or an earlier report was compared with.
    """

    rule: str
    name: str
    verdict: Verdict
    severity: Severity
    basis: Basis
    title: str
    message: str
    reason: Reason | None = None
    assumed: tuple[str, ...] = ()
    places: tuple[Place | Evidence, ...] = ()
    fix: Fix | None = None
    fingerprint: str = ""
    waiver: str = ""
    note: str = ""
    also: tuple[str, ...] = ()
    waived_by: WaivedBy | None = None
    since: Since | None = None


class FileStatus(StrEnum):
    """How far a file was read (contract, section 4); ordered by the enum, worst last."""

    READ = "read"
    IGNORED = "ignored"
    MISSING = "missing"
    REFUSED = "refused"
    PARTLY_READ = "partly-read"
    UNREADABLE = "unreadable"


UNFINISHED = frozenset({FileStatus.PARTLY_READ, FileStatus.UNREADABLE})
"""What makes an audit incomplete: a file that the daemon reads and mailaudit did not, or not to its end (contract, section 2)."""


@dataclass(frozen=True, slots=True)
class Coverage:
    """How far one file was read: statements in all, and the spans of those that were not, each with a reason.

    `swallowed` says that a quote or a bracket is never closed, so that it is not known what the statements behind it mean.
    """

    path: str
    language: str
    status: FileStatus
    sha256: str = ""
    statements: int = 0
    unread: tuple[tuple[Span, str], ...] = ()
    detail: str = ""
    swallowed: bool = False


@dataclass(frozen=True, slots=True)
class Lifetime:
    """That of a server's certificate, in UTC; `at` is the file that holds it or what shows it, such as `203.0.113.9:25`."""

    at: str
    names: tuple[str, ...]
    not_before: datetime
    not_after: datetime
    digest: str


@dataclass(frozen=True, slots=True)
class HostReport:
    """All that was found out about one host.

    `texts` are the files that edits and places speak of, by path, so that a report opens none. `secrets` are pairs of kind and
    value that no report may show. `notes` are sentences about the audit itself, such as a waiver that has expired. `now` is the
    time that certificates were judged at.
    """

    name: str
    target: str
    online: bool
    site: Mapping[str, object]
    files: tuple[Coverage, ...]
    results: tuple[Result, ...]
    texts: Mapping[str, Text] = field(default_factory=dict, repr=False)
    secrets: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    notes: tuple[str, ...] = ()
    crashes: tuple[BaseException, ...] = field(default=(), repr=False)
    live: bool = False  # it was asked itself: no files of it are here
    certificates: tuple[Lifetime, ...] = ()
    now: datetime | None = None
    defect: str = ""  # what ended its audit, if that was mailaudit itself
    plan: Mapping[str, object] | None = None  # what `fix` would do or did, as `reports.plan` has it

    def counts(self) -> dict[str, int]:
        """The number of results of each verdict, all verdicts named."""
        counts = {str(verdict): 0 for verdict in Verdict}
        for result in self.results:
            counts[result.verdict] += 1
        return counts


@dataclass(frozen=True, slots=True)
class Report:
    """The whole report of a run. `carried` is what the next one must know of what was not told in this one, as JSON has it."""

    profile: str
    rules: int
    started: str
    finished: str
    hosts: tuple[HostReport, ...]
    errors: tuple[str, ...] = ()
    exit_code: int = 0
    exit_reason: str = ""
    carried: tuple[Mapping[str, object], ...] | None = None
