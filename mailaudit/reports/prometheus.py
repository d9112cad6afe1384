"""The report as metrics in Prometheus's text format, for node_exporter's textfile collector."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import datetime

from mailaudit import __version__
from mailaudit.findings import Report, Severity, Verdict
from mailaudit.reports.view import Reader, View, errors, findings, has_verdict, views

_LABEL = {ord("\\"): r"\\", ord('"'): r"\"", ord("\n"): r"\n"}
Sample = tuple[dict[str, str], int]


def write(report: Report, reader: Reader) -> str:
    """Gauges; those of the run are there whatever became of it."""
    seen = views(report, reader)
    lines: list[str] = []
    for name, help_, samples in _metrics(report, seen):
        lines += (f"# HELP mailaudit_{name} {help_}", f"# TYPE mailaudit_{name} gauge")
        lines += [f"mailaudit_{name}{_labels(labels)} {value}" for labels, value in samples]
    return "\n".join(lines) + "\n"


def _metrics(report: Report, seen: list[View]) -> Iterator[tuple[str, str, Iterable[Sample]]]:
    yield "info", "Version and profile.", [({"version": __version__, "profile": report.profile}, 1)]
    yield "exit_code", "The exit code of the run.", [({}, report.exit_code)]
    gaps = errors(report) or any(view.unread() or view.undecided() for view in seen)  # whatever --allow-incomplete says
    whole = has_verdict(report) and not gaps
    yield "complete", "1 if all that was selected was evaluated, but for want of evidence.", [({}, int(whole))]
    yield "hosts", "Hosts that were audited.", [({}, len(seen))]
    yield "start_time_seconds", "When the run began.", [({}, _time(report.started))]
    yield "end_time_seconds", "When the run ended.", [({}, _time(report.finished))]
    yield (
        "results",
        "Results of a host by verdict.",
        _merged(
            ({"host": view.name, "verdict": verdict}, count) for view in seen for verdict, count in view.host.counts().items()
        ),
    )
    yield (
        "findings",
        "Findings of a host by severity.",
        _merged(
            (
                {"host": view.name, "severity": str(severity)},
                sum(result.severity is severity for result in view.of(Verdict.FAIL)),
            )
            for view in seen
            for severity in Severity
        ),
    )
    yield (
        "finding",
        "Findings of a host by rule.",
        _merged(
            ({"host": view.name, "rule": each.rule, "name": each.name, "severity": str(each.severity)}, 1)
            for view, each in findings(seen)
        ),
    )
    yield (
        "files_not_read",
        "Files of a host that were not read, or in part only.",
        _merged(({"host": view.name}, len(view.unread())) for view in seen),
    )


def _merged(samples: Iterable[Sample]) -> list[Sample]:
    """One sample for each set of labels: two hosts may have one name."""
    sums: Counter[tuple[tuple[str, str], ...]] = Counter()
    for labels, value in samples:
        sums[tuple(labels.items())] += value
    return [(dict(labels), value) for labels, value in sums.items()]


def _time(written: str) -> int:
    return int(datetime.fromisoformat(written).timestamp())


def _labels(labels: dict[str, str]) -> str:
    return "{" + ",".join(f'{name}="{value.translate(_LABEL)}"' for name, value in labels.items()) + "}" if labels else ""
