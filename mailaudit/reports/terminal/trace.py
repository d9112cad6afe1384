"""A trace for a terminal: every hop with its verdict, the lines that decide it, and where the chain ends."""

from __future__ import annotations

from mailaudit.exitcodes import ExitCode
from mailaudit.findings import Evidence, Place
from mailaudit.reports.terminal import excerpt
from mailaudit.reports.terminal.paper import Paper, Screen
from mailaudit.reports.trace import HostTrace, Told
from mailaudit.trace.hops import Hop, Trace, Verdict

STYLES = {Verdict.OK: "green", Verdict.BROKEN: "bold red", Verdict.UNKNOWN: "yellow", Verdict.NOT_ASKED: "dim"}
WORDS = {
    Verdict.OK: "ok",
    Verdict.BROKEN: "broken",
    Verdict.UNKNOWN: "could not tell",
    Verdict.NOT_ASKED: "not asked",
}
_WIDEST = max(map(len, WORDS.values()))
_INDENT = "    "


def write(told: Told, screen: Screen, *, quiet: bool = False) -> str:
    """The whole trace; with `quiet` one line for each hop."""
    paper = Paper(screen)
    host = told.host
    if host is not None:
        paper.mask = host.mask
        _head(paper, told, host)
        for number, hop in enumerate(host.trace.hops, 1):
            _hop(paper, number, hop, quiet=quiet)
        _end(paper, host)
    for error in told.errors:
        paper.wrapped(f"error: {paper.clean(error)}", hanging="  ", style="red")
    code = ExitCode(told.exit_code)
    style = "green" if code is ExitCode.OK else "bold"
    paper.wrapped(f"exit code {int(code)} ({code.word}): {paper.clean(told.exit_reason)}", hanging="  ", style=style)
    return paper.text()


def _head(paper: Paper, told: Told, host: HostTrace) -> None:
    paper.wrapped(f"{paper.clean(host.name)}: {told.way} {paper.clean(told.address)}", hanging="  ", style="bold")
    where = paper.clean(f"{host.target}, {'online' if host.online else 'offline'}")
    paper.wrapped(where, "  ", style="dim")
    paper.blank()


def _hop(paper: Paper, number: int, hop: Hop, *, quiet: bool) -> None:
    if quiet:
        where = paper.where(hop.places[0]) + ": " if hop.places else ""
        verdict = (WORDS[hop.verdict], STYLES[hop.verdict])
        paper.line(f"{number:>2} ", verdict, f" {hop.kind}: {where}{paper.clean(hop.message)}")
        return
    branch = f" [{paper.clean(hop.branch)}]" if hop.branch else ""
    word = f"{WORDS[hop.verdict]:<{_WIDEST}}"
    paper.line(f"{number:>2}  ", (word, STYLES[hop.verdict]), f"  {hop.kind}: {paper.clean(hop.subject)}{branch}")
    paper.wrapped(paper.clean(hop.message), _INDENT)
    _places(paper, hop)
    paper.blank()


def _places(paper: Paper, hop: Hop) -> None:
    for place in hop.places:
        if isinstance(place, Evidence):
            paper.wrapped(f"{paper.clean(place.question)}: {paper.clean(place.answer)}", _INDENT, _INDENT + "  ")
    written = [place for place in hop.places if isinstance(place, Place)]
    for path in dict.fromkeys(place.path for place in written):
        here = [place for place in written if place.path == path]
        spans = [(place, place is written[0]) for place in here if place.span is not None]
        first = spans[0][0] if spans else here[0]
        paper.line(_INDENT, (paper.where(first), "bold"))
        if spans and first.span is not None:
            excerpt.draw(paper, first.span.text, spans, _INDENT)


def _end(paper: Paper, host: HostTrace) -> None:
    trace = host.trace
    for assumed in host.assumed:
        paper.wrapped(f"assumed: {paper.clean(assumed)}", hanging="  ")
    for sentence in ended(trace):
        style = "bold red" if trace.breaks else "bold"
        paper.wrapped(paper.clean(sentence), hanging="  ", style=style)


def ended(trace: Trace) -> list[str]:
    """Where the chain ends, in sentences."""
    if trace.breaks:
        at = [f"{number} ({hop.kind})" for number, hop in enumerate(trace.hops, 1) if hop.verdict is Verdict.BROKEN]
        told = [f"The chain breaks at hop {' and '.join(at)}."]
        return told if not trace.is_whole or not trace.end.partition(" ")[2] else [*told, trace.end]
    if not trace.is_whole:
        return [f"Beyond hop {len(trace.hops)} ({trace.hops[-1].kind}) nothing could be told."]
    return [f"As far as could be told: {trace.end}" if trace.unknown else trace.end]
