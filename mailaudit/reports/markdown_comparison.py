"""Two reports compared, as Markdown: for a ticket, a comment on a change, a mail."""

from __future__ import annotations

from collections.abc import Iterator

from mailaudit.comparing.differences import Difference, HostDifference, Kind
from mailaudit.exitcodes import ExitCode
from mailaudit.reports.comparison import CHANGES, TITLES, Compared, clean, rules_without_findings, sides, was
from mailaudit.reports.markdown import MARKS, code, plain
from mailaudit.reports.view import names


def write(compared: Compared) -> str:
    """The whole comparison; what is unchanged is counted."""
    return "\n".join(_document(compared)) + "\n"


def _document(compared: Compared) -> Iterator[str]:
    told = ExitCode(compared.exit_code)
    yield "# mailaudit diff"
    yield ""
    yield f"**{plain(clean(f'exit code {int(told)} ({told.word}): {compared.exit_reason}'))}**"
    yield ""
    for error in compared.errors:
        yield f"- error: {plain(clean(error))}"
        yield ""
    if compared.comparison is None:
        return
    for line in sides(compared.comparison):
        yield f"- {plain(line)}"
    yield ""
    hosts = compared.comparison.hosts
    for host, name in zip(hosts, names(hosts), strict=True):
        yield from _host(host, name)


def _host(host: HostDifference, name: str) -> Iterator[str]:
    note = "" if host.before and host.after else " (new)" if host.after else " (gone)"
    yield f"## {plain(clean(name))}{note}"
    yield ""
    for kind in (*CHANGES, Kind.NOT_EVALUATED, Kind.RULE_REMOVED):
        found = [each for each in host.of(kind) if each.is_finding]
        if found:
            yield f"### {TITLES[kind].capitalize()}: {len(found)}"
            yield ""
            yield from map(_finding, found)
            yield ""
    for words, rules in rules_without_findings(host):
        yield f"{plain(clean(words)).capitalize()}: {plain(clean(' '.join(rules)))}"
        yield ""
    unchanged = sum(each.is_finding for each in host.of(Kind.UNCHANGED))
    yield f"Unchanged: {unchanged}"
    yield ""


def _finding(difference: Difference) -> str:
    told = difference.told
    note = f" ({was(difference)})" if was(difference) else ""
    where = f" at {code(clean(told.where))}" if told.where else ""
    why = f" ({plain(clean(difference.why))})" if difference.why else ""
    head = f"{MARKS[told.severity]} {told.severity}{note}: {plain(clean(f'{told.rule} {told.name}'))}"
    return f"- {head}{where}: {plain(clean(told.message))}{why}"
