"""The prose of rule pages and of sentences with code in them, as elements."""

from __future__ import annotations

import re
from collections.abc import Iterator

from mailaudit.reports.html.markup import Html, joined, tag
from mailaudit.reports.terminal.prose import blocks

_ITEM = re.compile(r"(?:[-*+] |\d+[.)] )")
_CODE = re.compile(r"(`+)(.+?)\1")


def paragraphs(markdown: str) -> Iterator[Html]:
    """A section of a rule's page."""
    for block in blocks(markdown):
        if block.startswith("```"):
            yield tag("pre", tag("code", "\n".join(block.split("\n")[1:-1])))
        elif _ITEM.match(block):
            yield tag("ul", [tag("li", inline(_ITEM.sub("", line, count=1))) for line in block.split("\n")])
        else:
            yield tag("p", inline(block))


def inline(chars: str) -> Html:
    """A sentence with `code` in it."""
    parts: list[Html | str] = []
    at = 0
    for match in _CODE.finditer(chars):
        parts += [chars[at : match.start()], tag("code", match[2].strip())]
        at = match.end()
    return joined(*parts, chars[at:])
