"""Edits of files of one entry a line: aliases(5), virtuals, other tables, credentials, passwd(5), services(5)."""

from __future__ import annotations

from collections.abc import Sequence

from mailaudit.editing import lists, statements
from mailaudit.editing.assignments import blanks
from mailaudit.editing.lists import BARE, Items
from mailaudit.editing.style import LINE_REST, NONE, Edits, Style, Unwritable
from mailaudit.edits import Edit, apply, insert
from mailaudit.parsers import LANGUAGES
from mailaudit.parsers.tree import Statement, Tree, nothing
from mailaudit.text import Text

_NAMES = ("aliases", "credentials", "group", "master.passwd", "passwd", "services", "table", "virtuals")
STYLES: dict[str, Style] = {name: Style(LANGUAGES[name], LINE_REST, indent="") for name in _NAMES}


def style_of(tree: Tree) -> Style:
    """How a file of entries is written."""
    return STYLES[tree.language]


def entry(tree: Tree, key: str) -> Statement | None:
    """The last entry of a key: the one that counts in a table of smtpd."""
    found = [each for each in tree.statements if each.template is not None and each.seen and each.seen[0].value == key]
    return found[-1] if found else None


def write_target(value: str) -> str:
    """A target as it stands behind a key, in quotes where it would be read otherwise. Raises Unwritable."""
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    for candidate in (value, f'"{escaped}"'):
        if "\n" in candidate or "\r" in candidate or "\0" in candidate:
            break
        tree = STYLES["table"].language.parse(Text.of("", f"x: a, {candidate}, b\n"), nothing)
        targets = [token.value for token in tree.statements[0].tokens if token.kind == "word"]
        if len(tree.statements) == 1 and targets == ["a", value, "b"]:
            return candidate
    raise Unwritable(f"no target of a table is {value!r}")


def set_entry(tree: Tree, key: str, targets: Sequence[str]) -> Edits | None:
    """`key: target, target`: in the entry of the key, else in a new one below the last."""
    written = ", ".join(write_target(target) for target in targets)
    found = entry(tree, key)
    if found is None or found.kind != "entry":
        return add_entry(tree, key, targets)
    old = [token for token in found.tokens if token.kind == "word"]
    if [token.value for token in old] == list(targets):
        return NONE
    end = found.tokens[-1].end
    if not old:
        return (insert(tree.text, end, f" {written}"),)
    return (Edit(tree.text.path, old[0].start, end, written),)


def add_entry(tree: Tree, key: str, targets: Sequence[str] = (), beside: Statement | None = None) -> Edits | None:
    """A new entry, below another one or the last; with no targets a line of a list of keys."""
    return add_lines(tree, [entry_line(tree, key, targets)], beside)


def entry_line(tree: Tree, key: str, targets: Sequence[str] = ()) -> str:
    """An entry as this file writes its others. Raises Unwritable."""
    entries = [each for each in tree.statements if each.kind == ("entry" if targets else "key")]
    line = key + _between(entries, key) + ", ".join(write_target(target) for target in targets) if targets else key
    _check(tree, line, key)
    return line


def add_lines(tree: Tree, lines: Sequence[str], beside: Statement | None = None) -> Edits | None:
    """Entries below another one, or below the last."""
    kind = "key" if any(each.kind == "key" for each in tree.statements) else "entry"
    kin = [each for each in tree.statements if each.kind == kind] or list(tree.statements)
    beside = beside or (kin[-1] if kin else None)
    style = style_of(tree)
    return statements.below(beside, style, *lines) if beside is not None else statements.at_end(tree, style, *lines)


def _between(entries: Sequence[Statement], key: str) -> str:
    """What stands between a key and its first target."""
    colons = [each for each in entries if len(each.tokens) > 2 and each.tokens[1].kind == ":"]
    if entries and len(colons) * 2 < len(entries):
        return blanks([(each.tokens[0], each.tokens[1]) for each in entries], key, " ", 0)
    return blanks([(each.tokens[0], each.tokens[2]) for each in colons], key, ": ", 0, between=":")


def _check(tree: Tree, line: str, key: str) -> None:
    """Raise Unwritable unless a line is one entry of this key."""
    if "\n" in line or "\r" in line:
        raise Unwritable(f"no entry of a table is {line!r}")
    read = style_of(tree).language.parse(Text.of("", _first(tree) + line + "\n"), nothing).statements
    if not read or read[-1].problem or read[-1].seen[0].value != key or read[-1].span.chars != line:
        raise Unwritable(f"no entry of a table is {line!r}")


def _first(tree: Tree) -> str:
    """A line that makes a table of the same sort, for its first one decides about that."""
    return "" if not tree.statements or tree.statements[0].kind != "key" else "x\n"


def remove(tree: Tree, statement: Statement) -> Edits | None:
    """Take an entry out; None for the first one where it makes the rest a list of keys, or keys with values."""
    return None if _decides(tree, statement) else statements.remove(statement, style_of(tree))


def comment_out(tree: Tree, statement: Statement) -> Edits | None:
    """Make a comment of an entry; None as above."""
    return None if _decides(tree, statement) else statements.comment_out(statement, style_of(tree))


def _decides(tree: Tree, statement: Statement) -> bool:
    """True for the first line of a table whose second line would be read as another sort of table."""
    first = tree.statements[:2]
    return len(first) == 2 and first[0] is statement and first[1].kind != statement.kind


def targets(statement: Statement) -> Items:
    """The targets of an entry of aliases, virtuals or another table."""
    words = [token for token in statement.tokens if token.kind == "word"]
    style = STYLES["table"]
    return Items(style, tuple((token,) for token in words), commas=True, brackets=BARE)


def add_target(statement: Statement, target: str) -> Edits | None:
    """One more target of an entry, behind the others."""
    found = [item[0].value for item in targets(statement).items]
    if target in found:
        return NONE
    return _if_read(statement, lists.insert_item(targets(statement), write_target(target)), [*found, target])


def _if_read(statement: Statement, edits: Edits | None, wanted: Sequence[str]) -> Edits | None:
    """Edits of an entry if it is then read as wanted: a target whose quote is never closed swallows what follows it."""
    start = statement.span.start
    if edits is None:
        return None
    moved = [Edit(edit.path, edit.start - start, edit.end - start, edit.text) for edit in edits]
    line = apply(statement.span.chars, moved)
    read = STYLES["table"].language.parse(Text.of("", f"x: y\n{line}\n"), nothing).statements
    words = [token.value for token in read[-1].tokens if token.kind == "word"] if len(read) == 2 else []
    return edits if words == list(wanted) else None


def remove_target(statement: Statement, target: str) -> Edits | None:
    """An entry without a target; None for its only one: the entry is then to go, or to lead elsewhere."""
    found = targets(statement)
    words = [item[0].value for item in found.items]
    if target not in words:
        return NONE
    number = words.index(target)
    return _if_read(statement, lists.remove_item(found, number), [*words[:number], *words[number + 1 :]])


def replace_target(statement: Statement, target: str, by: str) -> Edits | None:
    """Another target in the place of one; none if the entry has not that one."""
    found = targets(statement)
    words = [item[0].value for item in found.items]
    if target not in words:
        return NONE
    number = words.index(target)
    return _if_read(statement, lists.replace_item(found, number, write_target(by)), [*words[:number], by, *words[number + 1 :]])


def set_field(tree: Tree, statement: Statement, number: int, value: str) -> Edits | None:
    """Another value of a field between colons, counted from 0, as of credentials or passwd; None if the entry is shorter."""
    fields = [token for token in statement.tokens if token.kind == "field"]
    if number >= len(fields):
        return None
    if fields[number].value == value:
        return NONE
    old = tree.text.chars
    line = old[statement.span.start : fields[number].start] + value + old[fields[number].end : statement.span.end]
    read = style_of(tree).language.parse(Text.of("", line + "\n"), nothing).statements
    values = [token.value for token in read[0].tokens if token.kind == "field"] if len(read) == 1 else []
    wanted = [value if n == number else field.value for n, field in enumerate(fields)]
    if values != wanted or "\n" in value or "\r" in value or (read[0].problem and not statement.problem):
        raise Unwritable(f"no field of such an entry is {value!r}")
    return (Edit(tree.text.path, fields[number].start, fields[number].end, value),)


def add_fields(tree: Tree, fields: Sequence[str]) -> Edits | None:
    """A new entry of fields between colons, below the last one."""
    line = ":".join(fields)
    _check(tree, line, fields[0])
    style = style_of(tree)
    return statements.below(tree.statements[-1], style, line) if tree.statements else statements.at_end(tree, style, line)
