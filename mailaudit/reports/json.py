"""The report as JSON: schema `mailaudit.report/1` (contract, section 4), described by schema/report.schema.json."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from mailaudit import __version__
from mailaudit.edits import Edit, Fix
from mailaudit.findings import Coverage, Evidence, HostReport, Lifetime, Place, Report, Result
from mailaudit.reports.masking import Mask, visible
from mailaudit.reports.view import mask_of, order, told
from mailaudit.text import Span, Text

SCHEMA = "mailaudit.report/1"
LONGEST = 400  # characters of an unread statement that are shown
_PLAIN = "".join(map(chr, [*range(0x20), 0x7F]))  # JSON has its own escapes for these


def write(report: Report) -> str:
    """The whole report, in ASCII characters, with a final newline."""
    return dump(as_data(report))


def dump(data: object) -> str:
    """JSON as mailaudit writes it everywhere: indented, in ASCII characters, with a final newline.

    A log of GitHub's that it is printed to acts on `##[` wherever it stands.
    """
    return json.dumps(data, indent=2, ensure_ascii=True).replace("##[", "#\\u0023[") + "\n"


def as_data(report: Report) -> dict[str, Any]:
    """The report as JSON's own types, keys in the contract's order."""
    every = mask_of(report.hosts)
    hosts = [_host(host) for host in report.hosts]
    return {
        "schema": SCHEMA,
        "tool": {"name": "mailaudit", "version": __version__},
        "rulebook": {"profile": report.profile, "rules": report.rules},
        "started": report.started,
        "finished": report.finished,
        "hosts": hosts,
        "errors": [_text(error, every) for error in report.errors]
        + [f"{each['name']}: {note}" for each in hosts for note in each["notes"]],
        "exit_code": int(report.exit_code),
        "exit_reason": _text(report.exit_reason, every),
        **({} if report.carried is None else {"carried": list(report.carried)}),
    }


def _host(host: HostReport) -> dict[str, Any]:
    mask = mask_of([host])
    return {
        "name": visible(host.name),
        "target": visible(host.target),
        "online": host.online,
        "site": dict(host.site),
        "files": [_file(each, mask) for each in sorted(host.files, key=lambda each: each.path)],
        "results": [_result(each, host.texts, mask) for each in sorted(host.results, key=order)],
        "counts": host.counts(),
        "notes": [_text(each, mask) for each in host.notes],
        "now": None if host.now is None else moment(host.now),
        "certificates": [_lifetime(each, mask) for each in host.certificates],
        **({} if host.plan is None else {"plan": host.plan}),
    }


def moment(time: datetime) -> str:
    """A time in UTC, as reports write it."""
    return f"{time.astimezone(UTC).replace(tzinfo=None).isoformat(timespec='seconds')}Z"


def _lifetime(lifetime: Lifetime, mask: Mask) -> dict[str, Any]:
    return {
        "at": _text(lifetime.at, mask),
        "names": [_text(each, mask) for each in lifetime.names],
        "not_before": moment(lifetime.not_before),
        "not_after": moment(lifetime.not_after),
        "digest": lifetime.digest,
    }


def _file(coverage: Coverage, mask: Mask) -> dict[str, Any]:
    return {
        "path": visible(coverage.path),
        "language": coverage.language,
        "sha256": coverage.sha256,
        "status": str(coverage.status),
        "statements": coverage.statements,
        "unread": [unread(span, mask) for span, _ in coverage.unread],
    }


def unread(span: Span, mask: Mask) -> dict[str, Any]:
    """A statement that was not read: its place and its characters, a long one clipped."""
    line, column = span.text.position(span.start)
    return {"line": line, "column": column, "text": visible(mask.written(span)[:LONGEST], keep=_PLAIN)}


def _result(result: Result, texts: Mapping[str, Text], mask: Mask) -> dict[str, Any]:
    return {
        "rule": result.rule,
        "name": result.name,
        "verdict": str(result.verdict),
        "severity": str(result.severity),
        "basis": str(result.basis),
        "title": result.title,
        "message": _text(told(result), mask),
        "reason": None if result.reason is None else str(result.reason),
        "assumed": [_text(each, mask) for each in result.assumed],
        "places": [place_data(each, mask, primary=number == 0) for number, each in enumerate(result.places)],
        "fix": None if result.fix is None else _fix(result.fix, texts, mask),
        "fingerprint": result.fingerprint,
        "also": list(result.also),
        "waived": None if result.waived_by is None else {"by": str(result.waived_by), "reason": _text(result.waiver, mask)},
        "since": None if result.since is None else str(result.since),
    }


def place_data(place: Place | Evidence, mask: Mask, *, primary: bool) -> dict[str, Any]:
    """A place, or what was asked and answered."""
    if isinstance(place, Evidence):
        return {"question": _text(place.question, mask), "answer": _text(place.answer, mask)}
    line, column, end_line, end_column = place.corners()
    return {
        "path": visible(place.path),
        "line": line,
        "column": column,
        "end_line": end_line,
        "end_column": end_column,
        "label": _text(place.label, mask),
        "primary": primary,
    }


def _fix(fix: Fix, texts: Mapping[str, Text], mask: Mask) -> dict[str, Any]:
    return {
        "title": _text(fix.title, mask),
        "safety": str(fix.safety),
        "edits": [_edit(each, texts.get(each.path), mask) for each in sorted(fix.edits)],
        "commands": [_text(each, mask) for each in fix.commands],
        "records": [_text(each, mask) for each in fix.records],
    }


def _edit(edit: Edit, text: Text | None, mask: Mask) -> dict[str, Any]:
    """An edit in bytes of the file as read. What it inserts stays exact: an undecodable byte is a lone surrogate."""
    if text is None and edit.end > 0:
        raise LookupError(f"the report has no text of {edit.path}, which a fix edits")
    start, end = (0, 0) if text is None else (text.byte_offset(edit.start), text.byte_offset(edit.end))
    return {"path": visible(edit.path), "start": start, "end": end, "text": mask(edit.text, written=True)}


def _text(chars: str, mask: Mask) -> str:
    return visible(mask(chars))
