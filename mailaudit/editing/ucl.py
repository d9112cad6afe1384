"""Edits of rspamd's UCL files: settings in sections, arrays, in the file's own marks: `=` or `:`, `;` or `,` or none."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence

from mailaudit.editing import lists, statements
from mailaudit.editing.assignments import blanks
from mailaudit.editing.lists import Items
from mailaudit.editing.spelling import in_quotes, preferring, spelled
from mailaudit.editing.style import NONE, Edits, Style, Unwritable, fitted
from mailaudit.edits import Edit, insert
from mailaudit.parsers import ucl
from mailaudit.parsers.tree import Statement, Token, Tree, nothing
from mailaudit.text import Text

STYLE = Style(ucl.LANGUAGE, re.compile(r"[ \t]*(?:#[^\n]*)?\r?(?:\n|\Z)"), indent="  ")
_STRINGS = ("string", "word", "heredoc")
_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*\Z")

Path = Sequence[str]
"""The keys from the outermost one to a setting: `("worker", "normal", "bind_socket")`."""
Value = str | int | float | bool


def write(value: Value, like: str = "") -> str:
    """A value as it is written, a string bare only if `like` is. Raises Unwritable."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return spelled(str(value), [str(value)], _number)
    bare = [value] if like and like[0] not in "\"'" else []
    escaped = in_quotes(value).replace("\n", "\\n").replace("\t", "\\t").replace("\r", "\\r")
    return spelled(value, [*bare, *preferring([escaped, in_quotes(value, "'")], like)], _string)


def _string(written: str) -> str | None:
    token = _value(written)
    return token.value if token is not None and token.kind in ("string", "word") else None


def _number(written: str) -> str | None:
    token = _value(written)
    return token.value if token is not None and token.kind in ("integer", "float") else None


def _value(written: str) -> Token | None:
    """The value token that characters are, with a mark or a comment behind them."""
    if "\n" in written or "\0" in written:
        return None
    for end in (";", " # x", ", "):
        found = ucl.parse(Text.of("", f"k = {written}{end}\nj = 1;\n"), nothing).statements
        node = found[0].node.node("value") if len(found) == 2 and found[0].kind == "setting" and not found[0].problem else None
        if node is None or node.first.span.chars != written:
            return None
    return node.first if node is not None else None


def keys(statement: Statement) -> list[str]:
    """The keys of a setting, a section or an array."""
    node = statement.node.node("keys") if statement.template is not None else None
    return [token.value for token in node.leaves()] if node is not None else []


def root(tree: Tree) -> Statement | None:
    """The outer braces of a file, where it has them."""
    first = tree.statements[0] if len(tree.statements) == 1 else None
    return first if first is not None and first.kind == "section" and not keys(first) else None


def find(tree: Tree, path: Path) -> list[Statement]:
    """The settings, sections and arrays of this file at a path, in order."""
    outer = root(tree)
    return list(_find(outer.body if outer is not None else tree.statements, list(path)))


def _find(among: Sequence[Statement], path: list[str]) -> Iterator[Statement]:
    for each in among:
        found = keys(each)
        if found and found == path:
            yield each
        elif found and each.kind == "section" and path[: len(found)] == found:
            yield from _find(each.body, path[len(found) :])


def set_value(tree: Tree, path: Path, value: Value) -> Edits | None:
    """A setting at a path: where this file says it last, else below the settings there; sections are made where they lack.

    None where a section or an array stands at the path, or the file is broken where the setting would stand.
    """
    found = find(tree, path)
    if found:
        return replace_value(found[-1], value) if found[-1].kind == "setting" else None
    for key in path:
        _check(key)
    depth = len(path) - 1
    while depth and not [each for each in find(tree, path[:depth]) if each.kind == "section"]:
        depth -= 1
    section = [each for each in find(tree, path[:depth]) if each.kind == "section"][-1] if depth else root(tree)
    return _new(tree, section, list(path[depth:]), value)


def _check(key: str) -> None:
    if not _PLAIN.match(key) or key in ("true", "false", "null"):
        raise Unwritable(f"no key of this file is {key!r}")


def replace_value(statement: Statement, value: Value) -> Edits | None:
    """Another value in the place of a setting's; None if it has none, or is in doubt."""
    node = statement.node.node("value")
    if node is None or statement.problem is not None:
        return None
    token = node.first
    if _means(token, value):
        return NONE
    like = token.span.chars if token.kind in ("string", "word") else '"'
    words = write(value, like)
    return (Edit(token.text.path, token.start, token.end, words),)


def _means(token: Token, value: Value) -> bool:
    if isinstance(value, bool):
        return token.kind == "boolean" and (token.value.lower() in ("true", "yes", "on")) == value
    if isinstance(value, int | float):
        return token.kind in ("integer", "float") and token.value == str(value)
    return token.kind in _STRINGS and token.value == value


def _new(tree: Tree, section: Statement | None, path: list[str], value: Value) -> Edits | None:
    body = section.body if section is not None else tree.statements
    if any(each.problem is not None for each in body[-1:]):
        return None
    beside = [each for each in body if each.kind == "setting" and len(each.tokens) > 1]
    around = beside or [each for each in tree.walk() if each.kind == "setting" and len(each.tokens) > 1]
    mark, quote = _mark(around), any(each.tokens[0].span.chars.startswith('"') for each in around)
    key = f'"{path[-1]}"' if quote else path[-1]
    like = next((each.node.nodes("value")[0].first.span.chars for each in reversed(around) if _is_text(each)), '"')
    gap = _gap(beside, key) if len(path) == 1 else ""
    words = f"{key}{gap or (': ' if quote else ' = ')}{write(value, like if like[0] in chr(34) + chr(39) else '')}{mark}"
    names = [f'"{name}"' if quote else name for name in path[:-1]]
    lines = ["\t" * depth + f"{name} {{" for depth, name in enumerate(names)]
    lines = [*lines, "\t" * len(names) + words, *("\t" * depth + "}" for depth in reversed(range(len(names))))]
    return _placed(tree, section, beside if len(path) == 1 else [], lines)


def _is_text(statement: Statement) -> bool:
    node = statement.node.node("value")
    return node is not None and node.first.kind in ("string", "word")


def _mark(around: Sequence[Statement]) -> str:
    """What ends a setting: `;`, or nothing where most lines have nothing, as in JSON, where a comma stands between."""
    ends = Counter(each.tokens[-1].value if each.tokens[-1].kind in (";", ",") else "" for each in around)
    most = ends.most_common(1)[0][0] if ends else ";"
    return ";" if most == ";" else ""


def _gap(beside: Sequence[Statement], key: str) -> str:
    """What stands between a key and its value: most settings' mark, with its blanks."""
    marked = [each for each in beside if each.tokens[1].kind in ("=", ":") and each.node.node("value") is not None]
    if not marked:
        return ""
    mark = Counter(each.tokens[1].kind for each in marked).most_common(1)[0][0]
    like = [each for each in marked if each.tokens[1].kind == mark]
    return blanks([(each.tokens[0], each.node.nodes("value")[0].first) for each in like], key, f" {mark} ", between=mark)


def _placed(tree: Tree, section: Statement | None, beside: Sequence[Statement], lines: Sequence[str]) -> Edits | None:
    """Lines below the last of the settings beside, or at the end of a section or of the file."""
    style = fitted(tree, STYLE)
    if tree.text.chars.endswith("\\"):
        return None  # a bare value whose backslash would take the newline
    body = section.body if section is not None else tree.statements
    comma = _comma_behind(body[-1]) if body else None
    if beside and (comma is None or beside[-1] is body[-1]):
        edits = statements.below(beside[-1], style, *lines)
    elif section is not None:
        edits = statements.inside(section, style, *lines)
    else:
        edits = statements.at_end(tree, style, *lines, apart=len(lines) > 1 and bool(tree.statements))
    return edits if edits is None or comma is None else (comma, *edits)


def _comma_behind(last: Statement) -> Edit | None:
    """The comma that JSON has between what stood last and what comes behind it."""
    tokens = last.close or last.tokens
    is_json = last.tokens[0].span.chars.startswith('"') and tokens[-1].kind not in (",", ";")
    return insert(tokens[-1].text, tokens[-1].end, ",") if is_json else None


def add_section(tree: Tree, path: Path, settings: Sequence[tuple[str, Value]]) -> Edits | None:
    """A new section with settings at a path whose outer sections are there or not."""
    edits: list[str] = []
    for key in [*path, *(key for key, _ in settings)]:
        _check(key)
    around = [each for each in tree.walk() if each.kind == "setting" and len(each.tokens) > 1]
    mark = _mark(around)
    depth = len(path) - 1
    while depth and not [each for each in find(tree, path[:depth]) if each.kind == "section"]:
        depth -= 1
    section = [each for each in find(tree, path[:depth]) if each.kind == "section"][-1] if depth else root(tree)
    names = path[depth:]
    edits = ["\t" * number + f"{name} {{" for number, name in enumerate(names)]
    edits += ["\t" * len(names) + f"{key} = {write(value)}{mark}" for key, value in settings]
    edits += ["\t" * number + "}" for number in reversed(range(len(names)))]
    return _placed(tree, section, [], edits)


def items(statement: Statement) -> Items | None:
    """An array as a list, or a setting as a list of one; None if it holds more than plain values."""
    if statement.kind == "setting":
        node = statement.node.node("value")
        if node is None or statement.problem is not None:
            return None
        return Items(STYLE, ((node.first,),), commas=True, brackets=("[", "]"))
    if statement.kind != "array" or not statement.close or any(each.kind != "item" or each.problem for each in statement.body):
        return None
    values = tuple((each.tokens[0],) for each in statement.body)
    return Items(STYLE, values, statement.tokens[-1], statement.close[0], commas=True)


def add_item(tree: Tree, path: Path, value: Value) -> Edits | None:
    """One more value of an array, behind the others; a single value becomes an array of two, and none becomes one of one."""
    found = find(tree, path)
    if not found:
        return set_value(tree, path, value)
    listed = items(found[-1])
    if listed is None:
        return None
    if any(_means(item[0], value) for item in listed.items):
        return NONE
    like = listed.items[-1][0].span.chars if listed.items and listed.items[-1][0].kind in ("string", "word") else '"'
    return lists.insert_item(listed, write(value, like))


def remove_item(tree: Tree, path: Path, value: Value) -> Edits | None:
    """An array without a value; None for its only one."""
    found = find(tree, path)
    listed = items(found[-1]) if found and found[-1].kind == "array" else None
    if listed is None:
        return NONE if not found else None
    number = next((number for number, item in enumerate(listed.items) if _means(item[0], value)), None)
    return NONE if number is None else lists.remove_item(listed, number)


def remove(tree: Tree, statement: Statement) -> Edits | None:
    """Take a setting, a section, an array or an element of one out; its comment lines stay.

    None for an array's first element below a comment: libucl takes none before a value that blanks set off.
    """
    array = _array(tree, statement)
    if array is not None and array.body[0] is statement:
        before = tree.text.chars[array.tokens[-1].end : statement.span.start]
        if before.strip():
            return None
    return statements.remove(statement, STYLE)


def comment_out(tree: Tree, statement: Statement) -> Edits | None:
    """Make comments of all the lines of a statement; None for an element of an array, for the reason told above."""
    return None if _array(tree, statement) is not None else statements.comment_out(statement, STYLE)


def _array(tree: Tree, statement: Statement) -> Statement | None:
    """The array that a statement is an element of."""
    return next((each for each in tree.walk() if each.kind == "array" and any(one is statement for one in each.body)), None)
