"""The baseline: findings that a site began with, by host, which do not count until they are worse (`mailaudit.baseline/1`)."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from mailaudit.comparing.differences import Named, unjudged
from mailaudit.comparing.known import Known, KnownHost, Told, of_host
from mailaudit.comparing.nodes import Node, document
from mailaudit.concluding import first_of
from mailaudit.findings import HostReport, Result, Severity, Since, Verdict, WaivedBy

SCHEMA = "mailaudit.baseline/1"
_SEVERITIES = {str(each): each for each in Severity}


@dataclass(frozen=True, slots=True, order=True)
class Entry:
    """A finding that is accepted. The first three fields order the file; all but `host` and `fingerprint` are for its readers."""

    host: str
    path: str  # or the question
    rule: str
    fingerprint: str
    name: str
    severity: Severity
    message: str


@dataclass(frozen=True, slots=True)
class Baseline:
    """All entries, in order, which mailaudit wrote them, and all hosts that were audited for it, those without an entry too."""

    version: str
    profile: str
    hosts: tuple[str, ...]
    entries: tuple[Entry, ...]
    origin: str = ""


def read_baseline(data: bytes, origin: str) -> Baseline:
    """A baseline from its JSON. Raises `ContentError`, which names the place."""
    node = document(data, origin, SCHEMA, "baseline of mailaudit baseline create")
    entries = [_entry(each) for each in node["entries"].items()]
    known: dict[tuple[str, str], Entry] = {}
    for each in sorted(entries, key=lambda each: each.severity):  # a merge may leave one twice: what is accepted is the lesser
        known.setdefault((each.host, each.fingerprint), each)
    tool = node["tool"]
    return Baseline(tool["version"].text(), tool["profile"].text(), _hosts(node, known), tuple(sorted(known.values())), origin)


def _hosts(node: Node, entries: Iterable[tuple[str, str]]) -> tuple[str, ...]:
    return tuple(sorted({*node["hosts"].texts(), *(host for host, _ in entries)}))


def _entry(node: Node) -> Entry:
    fingerprint = node["fingerprint"].text()
    if len(fingerprint) != 64 or set(fingerprint) - set("0123456789abcdef"):
        raise node["fingerprint"].error("expected 64 hexadecimal digits")
    return Entry(
        node["host"].text(),
        node["path"].text(),
        node["rule"].text(),
        fingerprint,
        node["name"].text(),
        node["severity"].one_of(_SEVERITIES),
        node["message"].text(),
    )


def written(baseline: Baseline) -> str:
    """The file: an entry a line, in order, so that two people's changes merge line by line."""
    tool = json.dumps({"name": "mailaudit", "version": baseline.version, "profile": baseline.profile})
    hosts = ",\n".join(json.dumps(each) for each in sorted(baseline.hosts))
    lines = ",\n".join(json.dumps(_data(each)) for each in sorted(baseline.entries))
    return f'{{\n"schema": "{SCHEMA}",\n"tool": {tool},\n"hosts": [\n{hosts}\n],\n"entries": [\n{lines}\n]\n}}\n'


def _data(entry: Entry) -> dict[str, str]:
    return {
        "host": entry.host,
        "path": entry.path,
        "rule": entry.rule,
        "name": entry.name,
        "severity": str(entry.severity),
        "message": entry.message,
        "fingerprint": entry.fingerprint,
    }


def entries_of(host: KnownHost, name: str) -> Iterator[Entry]:
    """The entries of a host's findings, by the name that the baseline has for it."""
    for each in host.results:
        if each.verdict is Verdict.FAIL:
            path = each.paths[0] if each.paths and each.where.startswith(each.paths[0]) else each.where
            yield Entry(name, path, each.rule, each.fingerprint, each.name, each.severity, each.message)


@dataclass(frozen=True, slots=True)
class Upkeep:
    """A baseline after an audit, and what became of its entries."""

    baseline: Baseline
    added: tuple[Entry, ...] = ()
    removed: tuple[Entry, ...] = ()
    kept: tuple[tuple[Entry, str], ...] = ()  # entries that the audit could not judge, and why


def updated(baseline: Baseline, report: Known) -> Upkeep:
    """With findings that are not in it, and the severity that those in it have now; nothing is taken out.

    What is waived already has its own reason, and is left to it.
    """
    entries = {(each.host, each.fingerprint): each for each in baseline.entries}
    added = []
    called = _names(baseline, report.hosts, renamed=not report.failures)
    names = {*baseline.hosts, *called}
    for new, name in zip(report.hosts, called, strict=True):
        for each in entries_of(new, name):
            key = each.host, each.fingerprint
            if key not in entries or entries[key].severity < each.severity:
                added.append(each)
                entries[key] = each
    if not added and names == {*baseline.hosts}:
        return Upkeep(baseline)
    made = Baseline(report.version, report.profile, tuple(sorted(names)), tuple(sorted(entries.values())), baseline.origin)
    return Upkeep(made, tuple(sorted(added)))


def pruned(baseline: Baseline, report: Known) -> Upkeep:
    """Without the entries whose rules were evaluated on their hosts and found nothing; the others stay."""
    removed: list[Entry] = []
    kept: list[tuple[Entry, str]] = []
    for entry, hosts in _on(baseline, report.hosts, _names(baseline, report.hosts, renamed=not report.failures)):
        if any(entry.fingerprint in host.findings for host in hosts):
            continue
        whys = [unjudged(_told(entry), host) for host in hosts] or ["the host was not audited"]
        why = next(filter(None, whys), "")
        if why:
            kept.append((entry, why))
        else:
            removed.append(entry)
    gone = set(removed)
    left = tuple(each for each in baseline.entries if each not in gone)
    return Upkeep(replace(baseline, entries=left), (), tuple(sorted(removed)), tuple(sorted(kept)))


def _told(entry: Entry) -> Told:
    paths = (entry.path,) if entry.path.startswith("/") else ()
    return Told(entry.rule, entry.name, Verdict.FAIL, entry.severity, fingerprint=entry.fingerprint, paths=paths)


def accepted(hosts: Sequence[HostReport], baseline: Baseline, *, renamed: bool = True) -> tuple[HostReport, ...]:
    """The reports with findings of the baseline waived, and a note about entries that are not needed any more.

    Only findings are: a rule that could not tell stays unknown. One that is worse than its entry says counts again. Where hosts
    were left out or could not be audited, the one that is there is not `renamed`.
    """
    names = _names(baseline, hosts, renamed=renamed)
    known = [of_host(host) for host in hosts]
    stale = [
        entry
        for entry, on in _on(baseline, known, names)
        if on and not any(entry.fingerprint in each.findings or unjudged(_told(entry), each) for each in on)
    ]
    entries = {name: {each.fingerprint: each for each in of_one} for name, of_one in _by_host(baseline.entries).items()}
    gone = _by_host(stale)
    return tuple(
        _accepted(host, entries.get(name, {}), gone.get(name, ()), baseline.origin)
        for host, name in zip(hosts, names, strict=True)
    )


def _accepted(host: HostReport, entries: Mapping[str, Entry], stale: Sequence[Entry], origin: str) -> HostReport:
    results = tuple(_waived(each, entries.get(each.fingerprint), origin) for each in host.results)
    return replace(host, results=results, notes=(*host.notes, *_note(stale, origin)))


def _by_host(entries: Iterable[Entry]) -> dict[str, list[Entry]]:
    found: dict[str, list[Entry]] = {}
    for each in entries:
        found.setdefault(each.host, []).append(each)
    return found


def _names(baseline: Baseline, hosts: Sequence[Named], *, renamed: bool) -> list[str]:
    """What the baseline calls the hosts: as they are called, but for the only one of both, which may be `renamed`."""
    return [*baseline.hosts] if renamed and len(baseline.hosts) == len(hosts) == 1 else [host.name for host in hosts]


def _on(baseline: Baseline, hosts: Sequence[KnownHost], names: Sequence[str]) -> Iterator[tuple[Entry, list[KnownHost]]]:
    """The entries, and the hosts that each is about: several may have one name."""
    named: dict[str, list[KnownHost]] = {}
    for host, name in zip(hosts, names, strict=True):
        named.setdefault(name, []).append(host)
    return ((entry, named.get(entry.host, [])) for entry in baseline.entries)


def _waived(result: Result, entry: Entry | None, origin: str) -> Result:
    if result.verdict is not Verdict.FAIL:
        return result
    if entry is None:
        return replace(result, since=Since.NEW)
    if result.severity > entry.severity:
        return replace(result, since=Since.UPDATED)
    why = f"in the baseline {origin}"
    return replace(result, verdict=Verdict.WAIVED, waiver=why, waived_by=WaivedBy.BASELINE, since=Since.UNCHANGED)


def _note(stale: Sequence[Entry], origin: str) -> Iterator[str]:
    if stale:
        rules = first_of(each.rule for each in sorted(stale))
        one = len(stale) == 1
        yield (
            f"{origin}: {len(stale)} {'entry is' if one else 'entries are'} not needed, the finding{'' if one else 's'} "
            f"{'is' if one else 'are'} gone: {rules} (mailaudit baseline prune)"
        )
