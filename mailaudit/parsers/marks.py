"""A byte order mark at the beginning of a file, told as what it is: it cannot be seen, and most programs refuse it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import wraps

from mailaudit.parsers.tree import Include, Problem, Tree
from mailaudit.text import Span, Text

MARK = "\ufeff"
Parse = Callable[[Text, Include], Tree]


def telling(parse: Parse) -> Parse:
    """A parser that names the mark where the first statement is refused for it, if the parser does not do so itself."""

    @wraps(parse)
    def parse_and_tell(text: Text, include: Include) -> Tree:
        tree = parse(text, include)
        return _told(tree) if text.chars.startswith(MARK) else tree

    return parse_and_tell


def _told(tree: Tree) -> Tree:
    first, *rest = tree.statements or (None,)
    problem = first.problem if first is not None else None
    if first is None or problem is None or first.tokens[0].start != 0 or problem.span.start > len(MARK):
        return tree
    if "byte order mark" in problem.message:
        return tree
    message = "the file begins with a byte order mark, which is taken for a part of its first word"
    told = Problem(message, Span(tree.text, 0, len(MARK)), problem.refused, mend="")
    return replace(tree, statements=(replace(first, problem=told), *rest))
