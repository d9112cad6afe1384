"""What the guide gets wrong, as a page of docs/: the rules that name a trap, and what a scan of the guide's own set-up says."""

from __future__ import annotations

import re
from itertools import groupby

from bench.site.navigation import ROOT
from mailaudit import rulebook
from mailaudit.audit import audit
from mailaudit.auditor import Options
from mailaudit.findings import Verdict

PAGE = ROOT / "docs" / "what-the-guide-gets-wrong.md"
_HEAD = """# What the guide gets wrong

Made from the rules' pages and a scan; `make docs-update` writes it anew.

mailaudit was written for people who set up a mail host on OpenBSD from a published guide: pf, acme-client, httpd, OpenSMTPD,
Dovecot, Rspamd and DNS records in one sitting. Most of it is good advice. {count} things in it are not: some keep a daemon from
starting, some lose mail in silence, some leave a door open. Each has a number (T01 ...), and the rules beside it find it. The
last column is what a scan of [examples/as-published](../examples/as-published) says, the set-up of a reader who typed every
command. Where it is empty, the guide leads there or leaves it to chance, and this reader was lucky.
[examples/corrected](../examples/corrected) is the same host with all of it mended.
"""


def made() -> str:
    """The page as it is today: the rules that name a trap, worst first."""
    book = rulebook.load()
    paths = {path.name.split("-")[0]: path.relative_to(book.root).as_posix() for path in book.root.glob("*/*-*.md")}
    said = _said()
    trapped = sorted((page for page in book.pages.values() if page.traps), key=lambda page: (-page.severity, page.traps, page.id))
    lines = [_HEAD.format(count=len({trap for page in trapped for trap in page.traps}))]
    for severity, pages in groupby(trapped, key=lambda page: page.severity):
        lines += [
            f"## {str(severity).capitalize()}\n",
            "| defect | rule | is right when | the guide's reader is told |",
            "|---|---|---|---|",
        ]
        lines += [
            f"| {', '.join(page.traps)} | [{page.id}](../rules/{paths[page.id]}) | {page.title} | {said.get(page.id, '')} |"
            for page in pages
        ]
        lines.append("")
    return "\n".join(lines)


def _said() -> dict[str, str]:
    """The first message of each rule that fails for the guide's reader, for a cell of a table."""
    said: dict[str, str] = {}
    for host in audit([str(ROOT / "examples" / "as-published")], Options()).hosts:
        for result in host.results:
            if result.verdict is Verdict.FAIL:
                said.setdefault(result.rule, re.sub(r"([\\|<>*_\[\]`])", r"\\\1", result.message).replace("\n", " "))
    return said
