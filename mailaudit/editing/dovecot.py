"""Edits of Dovecot's settings files, 2.3 and 2.4: settings in sections, sections and filters, includes."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from mailaudit.editing import statements
from mailaudit.editing.assignments import blanks
from mailaudit.editing.style import NONE, Edits, Style, Unwritable, alone, fitted, newline_at
from mailaudit.edits import Edit, indent_of, insert
from mailaudit.parsers import dovecot
from mailaudit.parsers.tree import Statement, Token, Tree, nothing
from mailaudit.text import Text

STYLE = Style(
    dovecot.LANGUAGE,
    re.compile(r"(?:[ \t]|\\[ \t]*(?:#[^\n]*)?\r?\n)*(?:\\?[ \t]*#[^\n]*)?\r?(?:\n|\Z)"),
    joins=re.compile(r"[ \t]*[^#\s][^\n]*\\[ \t]*(?:#[^\n]*)?\r?|[ \t]*\\[ \t]*(?:#[^\n]*)?\r?"),
    indent="  ",
)
WIDTH = 100  # characters; a longer value that has blanks goes on in further lines
_SECTIONS = ("section", "group")
_WORD = re.compile(r"[^\s={}\"#'<\\]+")

Path = Sequence[str]
"""The sections around a setting, outermost first, each as `type` or `type name`: `("service lmtp", "unix_listener lmtp")`."""


def write(value: str) -> str:
    """A value as it is written behind `=`: bare, or in quotes where it would be read otherwise. Raises Unwritable."""
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    for candidate in (value, f'"{escaped}"'):
        if "\n" in candidate or "\r" in candidate or "\0" in candidate:
            break
        if not candidate:
            continue
        tree = dovecot.parse(Text.of("", f"x = {candidate} # a lone quote would hide this\ny = z\n"), nothing)
        first = tree.statements[0]
        if len(tree.statements) == 2 and len(first.tokens) == 3 and first.problem is None and first.tokens[2].value == value:
            return candidate
    raise Unwritable(f"no setting of Dovecot can be {value!r}")


def name_of(section: Statement) -> str:
    """A section's type, and its name behind a blank."""
    words = [token.value for token in section.seen if token.kind != "{"]
    return " ".join(words)


def sections(tree: Tree, path: Path) -> list[Statement]:
    """The sections of this file at a path, in order; a section may be written more than once."""
    return list(_sections(tree.statements, path)) if path else []


def _sections(among: Sequence[Statement], path: Path) -> Iterator[Statement]:
    for each in among:
        if each.kind in _SECTIONS and each.is_block and name_of(each) == path[0]:
            if len(path) == 1:
                yield each
            else:
                yield from _sections(each.body, path[1:])


def setting(tree: Tree, key: str, path: Path = ()) -> Statement | None:
    """The last statement of this file that sets a key at a path."""
    among = [tree.statements] if not path else [section.body for section in sections(tree, path)]
    found = [each for body in among for each in body if each.kind == "setting" and each.seen[0].value == key]
    return found[-1] if found else None


def set_value(tree: Tree, key: str, value: str, path: Path = (), *, from_file: bool = False) -> Edits | None:
    """`key = value` at a path: where this file says it last, else below the settings there; sections are made where they lack.

    With `from_file` the value is the path of a file whose content is meant (`< path`).
    """
    statement = setting(tree, key, path)
    if statement is not None:
        return replace_value(statement, value, from_file=from_file)
    words = ("<" if from_file else "") + write(value) if value else ""
    _check(key)
    depth = len(path)
    while depth and not sections(tree, path[:depth]):
        depth -= 1
    if depth < len(path):
        lines = [*_opened(path[depth:]), "\t" * (len(path) - depth) + f"{key} = {words}".rstrip(), *_closed(len(path) - depth)]
        return add_lines(tree, path[:depth], lines)
    return _new(tree, sections(tree, path)[-1] if path else None, key, words)


def _opened(path: Path) -> list[str]:
    return ["\t" * depth + f"{_header(name)} {{" for depth, name in enumerate(path)]


def _closed(count: int) -> list[str]:
    return ["\t" * depth + "}" for depth in reversed(range(count))]


def _check(key: str) -> None:
    if not _WORD.fullmatch(key) or key in ("!include", "!include_try", "group"):
        raise Unwritable(f"no setting of Dovecot is called {key!r}")


def _header(name: str) -> str:
    """The first line of a section, its name in quotes where it holds blanks."""
    kind, _, rest = name.partition(" ")
    written = f"{kind} {rest}".rstrip()
    if rest and not _WORD.fullmatch(rest):
        written = f'{kind} "{rest}"'
    alone(STYLE, [f"{written} {{", "}"])
    return written


def _new(tree: Tree, section: Statement | None, key: str, words: str) -> Edits | None:
    """A setting below its like: in a section, or at the outermost level below all that may be included."""
    body = section.body if section is not None else tree.statements
    beside = [each for each in body if each.kind == "setting"]
    line = assigned(beside or [each for each in tree.walk() if each.kind == "setting"], key, words)
    if section is not None:
        if beside:
            return statements.below(beside[-1], STYLE, line)
        return statements.inside(section, fitted(tree, STYLE), line)
    includes = [each for each in body if each.kind == "include"]
    if beside and (not includes or includes[-1].span.end < beside[-1].span.start):
        return statements.below(beside[-1], STYLE, line)
    return statements.at_end(tree, STYLE, line, apart=bool(tree.statements) and tree.statements[-1].is_block)


def assigned(beside: Sequence[Statement], key: str, words: str) -> str:
    """`key = value` with the blanks that the settings beside it have."""
    before = blanks([(each.tokens[0], each.tokens[1]) for each in beside], key, " ")
    after = blanks([(each.tokens[1], each.tokens[2]) for each in beside if len(each.tokens) > 2], "=", " ") if beside else " "
    if "=" in after or len(after) > 1:
        after = " "
    return f"{key}{before}={after}{words}".rstrip()


def replace_value(statement: Statement, value: str, *, from_file: bool = False) -> Edits:
    """Put another value behind the `=` of a setting; long ones go on in further lines where the old one did."""
    equals, *written = statement.tokens[1:]
    marked = bool(written) and written[0].kind == "<"
    old = written[1:] if marked else written
    if marked == from_file and (old[0].value if old else "") == value and (not old or old[0].kind != "heredoc"):
        return NONE
    words = ("<" if from_file else "") + (write(value) if value else "")
    if marked and from_file and old:
        return (Edit(equals.text.path, old[0].start, old[-1].end, write(value)),)
    if not written:
        return (insert(equals.text, equals.end, f" {words}"),)
    if _spans_lines(written) or (len(words) > WIDTH and "\\" in equals.text.chars):
        words = continued(statement, words)
    start = written[0].start if words else equals.end
    return (Edit(equals.text.path, start, written[-1].end, words),)


def _spans_lines(written: Sequence[Token]) -> bool:
    return written[-1].kind != "heredoc" and "\n" in written[-1].text.chars[written[0].start : written[-1].end]


def continued(statement: Statement, words: str) -> str:
    """Words over several lines that a backslash joins, as long as they are single words with single blanks between them."""
    text = statement.span.text
    newline = newline_at(text, text.line_span(statement.span.start)[1])
    below = text.line_span(statement.span.start)[1]
    goes_on = below < statement.span.end  # else the new lines are two steps further in
    indent = indent_of(text, below) if goes_on else indent_of(text, statement.span.start) + "    "
    lines: list[str] = [""]
    for word in words.split(" "):
        if lines[-1] and len(lines[-1]) + len(word) > WIDTH - 20:
            lines.append(word)
        else:
            lines[-1] = f"{lines[-1]} {word}" if lines[-1] else word
    shown = f" \\{newline}{indent}".join(lines)
    tree = dovecot.parse(Text.of("", f"x = {shown}\n"), nothing)
    plain = dovecot.parse(Text.of("", f"x = {words}\n"), nothing)
    same = [token.value for token in tree.statements[0].tokens] == [token.value for token in plain.statements[0].tokens]
    return shown if same and len(tree.statements) == 1 else words


def add_lines(tree: Tree, path: Path, lines: Sequence[str]) -> Edits | None:
    """Lines into the last section at a path, or at the end of the file; each tab they begin with is a level of indentation."""
    style = fitted(tree, STYLE)
    if _is_tight([each for each in tree.walk() if each.kind == "setting"]):
        lines = [re.sub(r"^(\t*[^\s={}]+) = ", r"\1=", line) for line in lines]
    if path:
        return statements.inside(sections(tree, path)[-1], style, *lines)
    return statements.at_end(tree, style, *lines, apart=len(lines) > 1 and bool(tree.text.chars))


def add_section(tree: Tree, name: str, settings: Sequence[tuple[str, str]], path: Path = ()) -> Edits | None:
    """A new section with settings at a path, behind what stands there; None if the path is not there."""
    if path and not sections(tree, path):
        return None
    for key, _ in settings:
        _check(key)
    inner = ["\t" + f"{key} = {write(value) if value else ''}".rstrip() for key, value in settings]
    return add_lines(tree, path, [f"{_header(name)} {{", *inner, "}"])


def _is_tight(settings: Sequence[Statement]) -> bool:
    """True if no setting of a file has blanks before its `=`."""
    return bool(settings) and all(each.tokens[0].end == each.tokens[1].start for each in settings)


def remove(statement: Statement) -> Edits:
    """Take a setting, a section or an include out; its comment lines stay."""
    return statements.remove(statement, STYLE)


def comment_out(statement: Statement) -> Edits | None:
    """Make comments of all the lines of a statement; None if it shares a line with another."""
    return statements.comment_out(statement, STYLE)
