"""The catalogue of rules, and one rule's page, for a terminal."""

from __future__ import annotations

import re
from collections.abc import Sequence

from mailaudit.reports.terminal.paper import Paper, Screen
from mailaudit.reports.terminal.prose import blocks
from mailaudit.reports.terminal.report import STYLES
from mailaudit.rulebook import Page

ROOMY = 30  # cells a title needs beside the other columns


def catalogue(pages: Sequence[Page], screen: Screen) -> str:
    """All rules as a table: id, severity, basis, name, title."""
    paper = Paper(screen)
    identity = max(len(page.id) for page in pages)
    basis = max(len(page.basis) for page in pages)
    name = max(len(page.name) for page in pages)
    taken = identity + 10 + basis + 2 + name + 2
    for page in pages:
        columns = f"{page.id:<{identity}}  ", (f"{page.severity!s:<8}", STYLES[page.severity]), f"  {page.basis:<{basis}}  "
        if taken + 2 + ROOMY <= paper.width:
            paper.line(*columns, (f"{page.name:<{name}}", "bold"), f"  {paper.own(page.title)}")
        else:
            paper.line(*columns, (page.name, "bold"))
            paper.wrapped(paper.own(page.title), "    ")
    paper.blank()
    paper.wrapped(f"{len(pages)} rules; `mailaudit rules ID` shows a rule's page.")
    return paper.text()


def one(page: Page, screen: Screen) -> str:
    """A rule's page."""
    paper = Paper(screen)
    paper.wrapped(f"{page.id} {page.name}", style="bold")
    paper.wrapped(paper.own(page.title))
    paper.blank()
    facts = {
        "also": ", ".join(page.also),
        "severity": str(page.severity),
        "basis": str(page.basis),
        "profiles": ", ".join(page.profiles),
        "sources": "; ".join(page.sources),
        "traps": ", ".join(page.traps),
        "since": page.since,
    }
    for label, told in facts.items():
        if told:
            paper.wrapped(paper.own(told), f"  {label:<10}", " " * 12)
    body = re.sub(r"\A\s*# [^\n]*\n", "", page.body)
    for block in blocks(body):
        paper.blank()
        _block(paper, block)
    return paper.text()


def _block(paper: Paper, block: str) -> None:
    if block.startswith("#"):
        paper.wrapped(paper.own(block.lstrip("# ")), style="bold")
    elif block.startswith("```"):
        _code(paper, block)
    else:
        for line in block.split("\n"):
            hanging = "    " if re.match(r"[-*+] |\d", line) else "  "
            paper.wrapped(paper.own(line), "  ", hanging)


def _code(paper: Paper, block: str) -> None:
    """A fenced block as it stands; what is marked as wrong stands out."""
    opening, *lines = block.split("\n")
    info = opening.strip("`").strip()
    if info:
        paper.line("  ", (paper.own(info), "cyan"))
    for line in lines[:-1]:
        shown = paper.clean(line.expandtabs())
        paper.line("    ", (shown, "red") if shown.endswith("# <--") else shown)
