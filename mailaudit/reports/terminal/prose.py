"""The Markdown of rule pages as plain paragraphs."""

from __future__ import annotations

import re
from collections.abc import Iterator

_LINK = re.compile(r"\[([^\]]+)\]\(([^)]+)\)")
_STRONG = re.compile(r"(\*\*|__)(?=\S)(.+?)(?<=\S)\1")
_ITEM = re.compile(r"[-*+] |\d+[.)] ")
_FENCE = re.compile(r"(```+)[^\n]*\n.*?^\1[ \t]*$", re.DOTALL | re.MULTILINE)


def blocks(markdown: str) -> Iterator[str]:
    """The blocks of a text: headings, fences as they stand, and paragraphs and lists with one paragraph or item a line."""
    at = 0
    for fence in _FENCE.finditer(markdown):
        yield from _paragraphs(markdown[at : fence.start()])
        yield fence[0]
        at = fence.end()
    yield from _paragraphs(markdown[at:])


def _paragraphs(markdown: str) -> Iterator[str]:
    for block in re.split(r"\n[ \t]*\n|\n(?=#)", markdown):
        if not block.strip():
            continue
        heading, _, rest = block.strip().partition("\n") if block.lstrip().startswith("#") else ("", "", block)
        if heading:
            yield heading
        if rest.strip():
            yield _filled(rest.strip())


def _filled(block: str) -> str:
    lines: list[str] = []
    for line in block.splitlines():
        if lines and not _ITEM.match(line):
            lines[-1] = f"{lines[-1]} {line.strip()}"
        else:
            lines.append(line.strip())
    return "\n".join(_plain(line) for line in lines)


def _plain(markdown: str) -> str:
    """A line without links and emphasis; code keeps its backquotes."""
    return _STRONG.sub(r"\2", _LINK.sub(r"\1 (\2)", markdown))


def first_words(section: str) -> str:
    """The first paragraph or list of a section, and the list or code that a colon at its end announces, a paragraph a line."""
    found = blocks(section)
    first = next(found, "")
    if not first.endswith(":"):
        return _code(first)
    return f"{first}\n{_code(next(found, ''))}".rstrip()


def _code(block: str) -> str:
    if not block.startswith("```"):
        return block
    return "\n".join(f"  {line}" for line in block.split("\n")[1:-1])
