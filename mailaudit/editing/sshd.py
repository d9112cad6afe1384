"""Edits of sshd_config(5): keywords set, added, removed, outside of Match blocks or in one."""

from __future__ import annotations

from collections.abc import Sequence

from mailaudit.editing import statements
from mailaudit.editing.assignments import blanks
from mailaudit.editing.spelling import in_quotes, only, spelled
from mailaudit.editing.style import LINE_REST, NONE, Edits, Style, Unwritable, alone
from mailaudit.edits import Edit
from mailaudit.parsers import sshd
from mailaudit.parsers.tree import Statement, Token, Tree, nothing
from mailaudit.text import Text

STYLE = Style(sshd.LANGUAGE, LINE_REST, indent="\t")


def write(value: str) -> str:
    """An argument: bare where it may be, else in double quotes. Raises Unwritable."""
    return spelled(value, [value, in_quotes(value)], _read)


def _read(written: str) -> str | None:
    read = only(STYLE.language, f"Banner {written}")
    return read.node.leaves()[1].value if read is not None and len(read.node.leaves()) == 2 else None


def keywords(tree: Tree, name: str, match: Statement | None = None) -> list[Statement]:
    """The statements of a keyword outside of Match blocks, or in one; of most the first one counts."""
    among = tree.statements if match is None else match.body
    return [each for each in among if each.kind in ("setting", "include") and _keyword(each).value == name.lower()]


def _keyword(statement: Statement) -> Token:
    return next(token for token in statement.seen if token.kind == "keyword")


def set_keyword(tree: Tree, name: str, *arguments: str, match: Statement | None = None) -> Edits | None:
    """`Name argument ...`: in the first statement of the keyword, which counts; else in a new one, before any Match."""
    found = keywords(tree, name, match)
    if not found:
        return add_keyword(tree, name, *arguments, match=match)
    old = [token for token in found[0].node.leaves() if token.kind != "keyword"]
    if [token.value for token in old] == list(arguments):
        return NONE
    words = " ".join(write(argument) for argument in arguments)
    alone(STYLE, [f"{name} {words}"])
    return (Edit(tree.text.path, old[0].start, old[-1].end, words),)


def add_keyword(tree: Tree, name: str, *arguments: str, match: Statement | None = None) -> Edits | None:
    """One more statement of a keyword, below those of it; a new one at the end of its part of the file."""
    among = tree.statements if match is None else match.body
    settings = [each for each in among if each.kind in ("setting", "include")]
    kin = keywords(tree, name, match) or settings
    line = f"{name}{_blanks(settings, name)}{' '.join(write(argument) for argument in arguments)}"
    alone(STYLE, [line])
    if match is not None:
        _check_in_match(line)
    if kin:
        return statements.below(kin[-1], STYLE, line)
    if match is not None:
        return statements.below(match, STYLE, f"\t{line}") if match.body == () else None
    first = next((each for each in tree.statements if each.kind == "match"), None)
    if first is not None:
        return statements.above(first, STYLE, line, apart=True)
    return statements.at_end(tree, STYLE, line)


def _check_in_match(line: str) -> None:
    """Raise Unwritable for a keyword that may not stand in a Match block."""
    read = STYLE.language.parse(Text.of("", f"Match all\n{line}\n"), nothing).statements
    problem = read[0].body[0].problem
    if problem is not None:
        raise Unwritable(problem.message)


def _blanks(settings: Sequence[Statement], name: str) -> str:
    return blanks([(each.tokens[0], each.tokens[1]) for each in settings if len(each.tokens) > 1], name, " ") or " "


def remove_keyword(tree: Tree, name: str, match: Statement | None = None) -> Edits:
    """Without all statements of a keyword, in one part of the file."""
    return tuple(edit for each in keywords(tree, name, match) for edit in statements.remove(each, STYLE))


def remove(statement: Statement) -> Edits:
    """Take a statement out, a Match with its block; its comment lines stay."""
    return statements.remove(statement, STYLE)
