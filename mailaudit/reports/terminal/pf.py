"""Answers about rulesets, for a terminal."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from mailaudit.models.pf.answering import Part
from mailaudit.models.pf.asking import Asked
from mailaudit.models.pf.doubt import Doubt
from mailaudit.reports import pf
from mailaudit.reports.pf import HostAnswer, Told, Tried
from mailaudit.reports.terminal.paper import Paper, Screen
from mailaudit.reports.terminal.pf_regions import (
    MOST_ADDRESSES,
    MOST_PORTS,
    STYLES,
    differences,
    few,
    listed,
    place,
    reachable,
    span,
)

MOST_PARTS = 12


def write(told: Told, screen: Screen) -> str:
    """The answers, host by host."""
    paper = Paper(screen)
    for number, host in enumerate(told.hosts):
        paper.mask = host.mask
        if len(told.hosts) > 1 and told.question != "diff":
            if number:
                paper.blank()
            paper.line((paper.clean(f"{host.name} ({host.target})"), "bold"))
        _ANSWERS[told.question](paper, host)
        _footnotes(paper, host, host.target if told.question == "diff" else "")
    if told.question == "diff":
        differences(paper, told)
    return paper.text()


def _footnotes(paper: Paper, host: HostAnswer, whose: str) -> None:
    of = f"{paper.clean(whose)}: " if whose else ""
    if not host.loads:
        paper.wrapped(f"{of}pfctl refuses /etc/pf.conf as it stands; this is judged as if that were mended.", style="yellow")
    for each in host.unread:
        paper.wrapped(f"{of}could not be read, and may change the answer: {paper.clean(each)}", "", "  ", style="yellow")
    for each in host.assumed:
        paper.wrapped(f"{of}assumed: {paper.clean(each)}", "", "  ", style="dim")


# One packet


def _tested(paper: Paper, host: HostAnswer) -> None:
    several = len(host.packets) > 1
    for each in host.packets:
        _packet(paper, each, brief=several and each.as_expected)


def _packet(paper: Paper, tried: Tried, *, brief: bool) -> None:
    verdict = tried.verdict
    expected = f"  (expected: {tried.expected})" if tried.expected and not tried.as_expected else ""
    name = f"{paper.clean(tried.name)}: " if tried.name else ""
    paper.line((f"{verdict.value:<8}", STYLES[verdict.value]), f"{name}{paper.clean(str(verdict.asked))}", (expected, "red"))
    if brief:
        return
    told: dict[tuple[object, ...], list[Part]] = {}
    for part in verdict.parts:
        key = (part.fate, part.rule, part.skip, part.why, _matched(part), part.doubts, *_ends(part, verdict.asked), part.ports)
        told.setdefault(key, []).append(part)
    for parts in [*told.values()][:MOST_PARTS]:
        if len(told) > 1:
            _packets(paper, parts, verdict.asked)
        _part(paper, parts[0])
    if len(told) > MOST_PARTS:
        paper.line(f"  and {len(told) - MOST_PARTS} more parts (--format json has all)")
    for doubt in verdict.doubts:
        if not any(doubt in reasons for part in verdict.parts for _, reasons in part.doubts):
            paper.wrapped(doubt.sentence, "  ", style="yellow")
    if Doubt.USER in verdict.doubts and not verdict.asked.user:
        paper.wrapped('Say who sends it: "user NAME".', "  ")


def _ends(part: Part, asked: Asked) -> tuple[str, str]:
    """The two ends in words: `self` where the host's own were asked about, all of them."""
    words = [few(pf.in_short(parts, part.family), MOST_ADDRESSES) for parts in (part.sources, part.targets)]
    near = 1 if asked.direction == "in" else 0
    said = (asked.source, asked.target)[near]
    if said in ("", "self") or part.interface.called(said):
        words[near] = "self"
    return words[0], words[1]


def _matched(part: Part) -> tuple[tuple[int, bool], ...]:
    return tuple((id(each.rule), bool(each.sure)) for each in part.trail)


def _packets(paper: Paper, parts: Sequence[Part], asked: Asked) -> None:
    """Which packets a part is about, where there are several."""
    part = parts[0]
    fate = pf.fate_name(part.fate)
    words = [listed(dict.fromkeys(pf.FAMILIES[each.family] for each in parts))]
    words.append(f"on {listed(dict.fromkeys(pf.interface_name(each.interface) or 'another interface' for each in parts))}")
    numbers = pf.ports(part.ports)
    source, target = _ends(part, asked)
    words += [f"port {few(numbers, MOST_PORTS)}"] if numbers else []
    paper.wrapped(
        paper.clean(f"{fate}: {'; '.join((*words, f'from {source}', f'to {target}'))}"), "  ", "    ", style=STYLES[fate]
    )


def _part(paper: Paper, part: Part) -> None:
    """One part in full: the deciding line, the doubts, the rules that matched before."""
    if part.skip is not None:
        place(paper, part.skip.statement.span, "  ", "pf looks at nothing there: ")
        return
    if part.why:
        paper.wrapped(part.why, "  ")
    elif part.fate != "in-doubt":
        place(paper, span(part.rule), "  ", "decides: ", otherwise="no rule matches, and what no rule matches passes")
    for rule, reasons in part.doubts:
        place(paper, span(rule), "  ", "in doubt: ", otherwise="rules before the last")
        for sentence in pf.reasons(reasons):
            paper.wrapped(sentence, "    ", style="yellow")
    if part.fate == "in-doubt" and part.rule is not None:
        place(paper, span(part.rule), "  ", f"if it does not match: {part.rule.action} by ")
    before = [each for each in part.trail if each.rule is not part.rule and each.rule not in [rule for rule, _ in part.doubts]]
    for each in before:
        place(paper, span(each.rule), "  ", "matched: " if each.sure else "perhaps matched: ")


# Rules that never decide, and differences


def _shadowed(paper: Paper, host: HostAnswer) -> None:
    if not host.shadowed:
        paper.line("Every rule decides over some packet, or may.")
    for each in host.shadowed:
        place(paper, each.rule.statement.span, "", "never decides: ")
        if each.skip is not None:
            place(paper, each.skip.statement.span, "  ", "pf looks at nothing there: ")
        elif not each.killers:
            paper.wrapped("It can match no packet.", "  ")
        for killer in each.killers:
            place(paper, killer.statement.span, "  ", "decides in its place: ")


def _nothing(_paper: Paper, _host: HostAnswer) -> None:
    """Of the hosts that are compared there is nothing to tell but the difference."""


_ANSWERS: dict[str, Callable[[Paper, HostAnswer], None]] = {
    "reachable": reachable,
    "test": _tested,
    "shadowed": _shadowed,
    "diff": _nothing,
}
