"""What is known of hosts by a report: read back from its JSON, whoever wrote that."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from mailaudit.comparing.nodes import Node, document
from mailaudit.exitcodes import ExitCode
from mailaudit.findings import UNFINISHED, Evidence, FileStatus, HostReport, Result, Severity, Verdict
from mailaudit.questions import NOT_ASKED, Reason

SCHEMA = "mailaudit.report/1"
FOUND = (Verdict.FAIL, Verdict.WAIVED)
READ = (FileStatus.READ, FileStatus.REFUSED)
_FAILED = (ExitCode.INCOMPLETE, ExitCode.USAGE, ExitCode.FIX_FAILED, ExitCode.INTERNAL, ExitCode.INTERRUPTED, ExitCode.TERMINATED)
_VERDICTS = {str(each): each for each in Verdict}
_SEVERITIES = {str(each): each for each in Severity}
_REASONS = {str(each): each for each in Reason}
_STATUS = {str(each): each for each in FileStatus}


@dataclass(frozen=True, slots=True)
class Told:
    """One result as a report told it. `where` is its first place in words, `paths` are the files of all of them."""

    rule: str
    name: str
    verdict: Verdict
    severity: Severity = Severity.INFO
    message: str = ""
    reason: Reason | None = None
    fingerprint: str = ""
    where: str = ""
    paths: tuple[str, ...] = ()

    @property
    def is_found(self) -> bool:
        """True for a finding, one that is waived too."""
        return self.verdict in FOUND

    @property
    def is_open(self) -> bool:
        """True where it could not be told, though it was asked."""
        return self.verdict is Verdict.UNKNOWN and self.reason not in NOT_ASKED


@dataclass(frozen=True)
class KnownHost:
    """A host: its results, the files that were read whole, and those that were not."""

    name: str
    target: str
    results: tuple[Told, ...]
    read: frozenset[str] = frozenset()
    unfinished: frozenset[str] = frozenset()
    notes: tuple[str, ...] = ()

    @cached_property
    def by_rule(self) -> Mapping[str, tuple[Told, ...]]:
        """The results of each rule."""
        found: dict[str, list[Told]] = {}
        for each in self.results:
            found.setdefault(each.rule, []).append(each)
        return {rule: tuple(results) for rule, results in found.items()}

    @cached_property
    def findings(self) -> Mapping[str, Told]:
        """The findings by fingerprint, those that are waived too."""
        return {each.fingerprint: each for each in self.results if each.is_found}


@dataclass(frozen=True, slots=True)
class Carried:
    """What earlier reports knew of a rule and the last one did not tell: its findings, if it ever was known.

    `times` counts the reports in a row that asked in vain.
    """

    rule: str
    known: bool
    times: int
    findings: tuple[Told, ...] = ()


@dataclass(frozen=True)
class Known:
    """A report. `carried` is what is still known of hosts by reports before it, by name and target."""

    origin: str
    version: str
    profile: str
    started: str
    hosts: tuple[KnownHost, ...]
    exit_code: int = 0
    exit_reason: str = ""
    errors: tuple[str, ...] = ()
    carried: Mapping[tuple[str, str], tuple[Carried, ...]] = field(default_factory=dict)

    @property
    def failures(self) -> tuple[str, ...]:
        """What went wrong in the run; hosts' notes stand among the errors too, behind their names."""
        notes = Counter(f"{host.name}: {note}" for host in self.hosts for note in host.notes)
        return tuple((Counter(self.errors) - notes).elements())

    @property
    def is_complete(self) -> bool:
        """True if all was evaluated that was asked for, whatever --allow-incomplete made of it."""
        whole = not any(host.unfinished or any(each.is_open for each in host.results) for host in self.hosts)
        return whole and not self.failures and self.exit_code not in _FAILED


def read_report(data: bytes, origin: str) -> Known:
    """A report from its JSON. Raises `ContentError`, which names the place."""
    return of_data(document(data, origin, SCHEMA, "report of mailaudit scan --format json"))


def of_data(node: Node) -> Known:
    """A report from JSON's own types."""
    return Known(
        origin=node.origin,
        version=node["tool"]["version"].text(),
        profile=node["rulebook"]["profile"].text(),
        started=node["started"].text(),
        hosts=tuple(_host(each) for each in node["hosts"].items()),
        exit_code=node["exit_code"].number(),
        exit_reason=node["exit_reason"].text(),
        errors=node["errors"].texts(),
        carried={_key(each): _carried(each) for each in _list(node.get("carried"))},
    )


def _list(node: Node | None) -> Iterable[Node]:
    return () if node is None else node.items()


def _key(node: Node) -> tuple[str, str]:
    return node["host"].text(), node["target"].text()


def _host(node: Node) -> KnownHost:
    files = [(each["path"].text(), each["status"].one_of(_STATUS)) for each in node["files"].items()]
    return KnownHost(
        node["name"].text(),
        node["target"].text(),
        tuple(_told(each) for each in node["results"].items()),
        frozenset(path for path, status in files if status in READ),
        frozenset(path for path, status in files if status in UNFINISHED),
        () if (notes := node.get("notes")) is None else notes.texts(),
    )


def _told(node: Node) -> Told:
    verdict = node["verdict"].one_of(_VERDICTS)
    reason = node.get("reason")
    if verdict is Verdict.UNKNOWN and reason is None:
        raise node.error("reason is missing: the verdict is unknown")
    fingerprint = node["fingerprint"].text()
    if verdict in FOUND and not fingerprint:
        raise node["fingerprint"].error("a finding needs one")
    places = list(node["places"].items())
    return Told(
        rule=node["rule"].text(),
        name=node["name"].text(),
        verdict=verdict,
        severity=node["severity"].one_of(_SEVERITIES),
        message=node["message"].text(),
        reason=None if reason is None else reason.one_of(_REASONS),
        fingerprint=fingerprint,
        where=_where(places[0]) if places else "",
        paths=tuple(dict.fromkeys(path.text() for path in (each.get("path") for each in places) if path is not None)),
    )


def _where(place: Node) -> str:
    path = place.get("path")
    if path is None:
        return place["question"].text()
    corners = [place[name].number() for name in ("line", "column", "end_line", "end_column")]
    return path.text() if corners == [1, 1, 1, 1] else f"{path.text()}:{corners[0]}:{corners[1]}"


def _carried(node: Node) -> tuple[Carried, ...]:
    return tuple(
        Carried(
            each["rule"].text(),
            each["known"].flag(),
            each["times"].number(),
            tuple(_found(one, each["rule"].text()) for one in each["findings"].items()),
        )
        for each in node["rules"].items()
    )


def _found(node: Node, rule: str) -> Told:
    return Told(
        rule,
        node["name"].text(),
        node["verdict"].one_of(_VERDICTS),
        node["severity"].one_of(_SEVERITIES),
        node["message"].text(),
        None,
        node["fingerprint"].text(),
        node["where"].text(),
        node["paths"].texts(),
    )


def carried_data(carried: Mapping[tuple[str, str], tuple[Carried, ...]]) -> tuple[dict[str, object], ...]:
    """What a report carries, as its JSON has it."""
    return tuple(
        {"host": host, "target": target, "rules": [_carried_data(each) for each in rules]}
        for (host, target), rules in sorted(carried.items())
    )


def _carried_data(carried: Carried) -> dict[str, object]:
    findings = [
        {
            "name": each.name,
            "verdict": str(each.verdict),
            "severity": str(each.severity),
            "message": each.message,
            "fingerprint": each.fingerprint,
            "where": each.where,
            "paths": list(each.paths),
        }
        for each in carried.findings
    ]
    return {"rule": carried.rule, "known": carried.known, "times": carried.times, "findings": findings}


def of_host(host: HostReport) -> KnownHost:
    """A host that was just audited; without messages, which only reports may tell, masked."""
    files = {each.path: each.status for each in host.files}
    return KnownHost(
        host.name,
        host.target,
        tuple(map(_of_result, host.results)),
        frozenset(path for path, status in files.items() if status in READ),
        frozenset(path for path, status in files.items() if status in UNFINISHED),
    )


def _of_result(result: Result) -> Told:
    paths = tuple(each.path for each in result.places if not isinstance(each, Evidence))
    return Told(
        result.rule,
        result.name,
        result.verdict,
        result.severity,
        reason=result.reason,
        fingerprint=result.fingerprint,
        paths=tuple(dict.fromkeys(paths)),
    )
