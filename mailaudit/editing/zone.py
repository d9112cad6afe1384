"""Edits of DNS zone text: records added, changed and removed, so that no other record gets another owner."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from mailaudit.editing import statements
from mailaudit.editing.assignments import blanks
from mailaudit.editing.style import NONE, Edits, Style, Unwritable, alone
from mailaudit.edits import Edit
from mailaudit.parsers import zone
from mailaudit.parsers.tree import Node, Statement, Token, Tree
from mailaudit.text import Span

STYLE = Style(zone.LANGUAGE, re.compile(r"[ \t]*(?:;[^\r\n]*)?\r?(?:\n|\Z)"), comments=(";",))
OCTETS = 255  # of one character string


@dataclass(frozen=True, slots=True, eq=False)
class Record:
    """A record of a file: its statement, its owner's full name (with a dot at the end, where the origin is known), its type."""

    statement: Statement
    owner: str
    kind: str
    origin: str

    @property
    def has_owner(self) -> bool:
        """True if its line names the owner, false if the line above does."""
        return self.statement.node.node("owner") is not None


def full(name: str, origin: str) -> str:
    """A name in lower case and in full, as far as the origin is known."""
    if name == "@":
        return origin or "@"
    if name.endswith(".") and not name.endswith("\\."):
        return name.lower()
    return f"{name}.{origin}".lower() if origin and origin != "." else f"{name}{origin}".lower()


def records(tree: Tree, origin: str = "") -> Iterator[Record]:
    """The records of a file in order; `origin` is the name of the zone, where no $ORIGIN says so before."""
    origin = full(origin, "") if origin else ""
    owner = full("@", origin)
    for each in tree.statements:
        if each.template is None or each.problem is not None:
            continue
        if each.kind == "origin":
            origin = full(each.node.nodes("name")[0].first.value, origin)
        elif each.kind == "record":
            named = each.node.node("owner")
            owner = full(named.first.value, origin) if named is not None else owner
            yield Record(each, owner, each.node.nodes("type")[0].first.value.upper(), origin)


def find(tree: Tree, owner: str, kind: str, origin: str = "") -> list[Record]:
    """The records of a name and type."""
    wanted = full(owner, full(origin, "") if origin else "")
    return [each for each in records(tree, origin) if each.owner == wanted and each.kind == kind.upper()]


def write_text(value: str) -> str:
    """The strings of a TXT record: quoted, none longer than 255 octets. Raises Unwritable for control characters."""
    octets = value.encode("utf-8", "surrogateescape")
    if any(octet < 0x20 for octet in octets):
        raise Unwritable(f"no text of a record is {value!r}")
    parts = [octets[at : at + OCTETS] for at in range(0, len(octets), OCTETS)] or [b""]
    return " ".join(f'"{"".join(_octet(octet) for octet in part)}"' for part in parts)


def _octet(octet: int) -> str:
    char = chr(octet)
    if octet > 0x7E:
        return f"\\{octet:03d}"
    return f"\\{char}" if char in '"\\' else char


def _checked(kind: str, rdata: str) -> Statement:
    """The record that type and data are; raises Unwritable if they are none, or more."""
    read = alone(STYLE, [f"x IN {kind} {rdata}"])
    if read.kind != "record" or read.node.nodes("type")[0].first.value != kind or ";" in rdata.split('"', maxsplit=1)[0]:
        raise Unwritable(f"no record is {kind} {rdata}")
    return read


def set_record(tree: Tree, owner: str, kind: str, rdata: str, origin: str = "") -> Edits | None:
    """The one record of a name and type: changed, or added where there is none; None where there are several."""
    found = find(tree, owner, kind, origin)
    if len(found) > 1:
        return None
    return replace_data(found[0].statement, rdata) if found else add_record(tree, owner, kind, rdata, origin)


def replace_data(statement: Statement, rdata: str) -> Edits:
    """Other data of a record: only the fields that differ are written, the parentheses around them stay."""
    new = _checked(statement.node.nodes("type")[0].first.value, rdata).node.nodes("rdata")[0].leaves()
    old = statement.node.nodes("rdata")[0].leaves()
    edits = statements.rewrite(old, new)
    if not edits:
        return NONE
    edit = edits[0]
    depth = 0
    for token in statement.tokens:
        if edit.start <= token.start and token.end <= edit.end:
            depth += {"(": 1, ")": -1}.get(token.kind, 0)
    if depth == 0:
        return edits
    first = _index(statement, old[0])
    while statement.tokens[first - 1].kind == "(":
        first -= 1
    return (Edit(edit.path, statement.tokens[first].start, statement.tokens[-1].end, rdata),)


def _index(statement: Statement, token: Token) -> int:
    return next(number for number, each in enumerate(statement.tokens) if each is token)


def add_record(tree: Tree, owner: str, kind: str, rdata: str, origin: str = "") -> Edits | None:
    """One more record: below the last one of its name, else below the last of the file, its columns as in the line above."""
    _checked(kind, rdata)
    known = list(records(tree, origin))
    wanted = full(owner, full(origin, "") if origin else "")
    kin = [each for each in known if each.owner == wanted]
    beside = kin[-1] if kin else known[-1] if known else None
    if beside is None:
        line = f"{owner} IN {kind} {rdata}"
        alone(STYLE, [line])
        return statements.at_end(tree, STYLE, line)
    name = "" if kin and not beside.has_owner else _spelled(kin, owner, wanted, beside.origin)
    at = next(number for number, each in enumerate(known) if each is beside)
    pairs = [_pair(each.statement) for each in known[max(at - 1, 0) : at + 2]]
    line = _line(beside.statement, name, kind, rdata, [pair for pair in pairs if pair is not None])
    if name:
        alone(STYLE, [line])
    return statements.below(beside.statement, STYLE, line, indent="")


def _spelled(kin: list[Record], owner: str, wanted: str, origin: str) -> str:
    """An owner's name as the file writes it, or as it is told from the origin in force."""
    for each in reversed(kin):
        node = each.statement.node.node("owner")
        if node is not None and full(node.first.value, origin) == wanted:
            return node.first.span.chars
    if not origin or full(owner, origin) == wanted:
        return owner
    return "@" if wanted == origin else wanted


def _pair(statement: Statement) -> tuple[Token, Token] | None:
    """A record's type and the first field of its data."""
    data = statement.node.nodes("rdata")[0].leaves()
    return (statement.node.nodes("type")[0].first, data[0]) if data else None


def _line(above: Statement, owner: str, kind: str, rdata: str, pairs: list[tuple[Token, Token]]) -> str:
    """A record's line, with time to live, class and columns of another one."""
    text = above.span.text
    begin = text.line_span(above.span.start)[0]
    fields: list[tuple[str, int]] = [(owner, begin)]
    for name in ("ttl", "class"):
        node = above.node.node(name)
        if node is not None:
            fields.append((node.first.span.chars, node.first.start))
    fields.sort(key=lambda field: field[1])
    fields.append((kind, above.node.nodes("type")[0].first.start))
    if "\n" in text.chars[begin : fields[-1][1]]:
        return " ".join([*(field for field, _ in fields), rdata])
    line = _in_columns(Span(text, begin, fields[-1][1]), fields)
    return line + blanks(pairs, kind, " ", len(line) - len(kind)) + rdata


def _in_columns(span: Span, fields: list[tuple[str, int]]) -> str:
    """Fields with the blanks that stand before those of the line above: columns, where they are made of spaces."""
    line = fields[0][0]
    column = 0
    for field, start in fields[1:]:
        at = start - span.start
        led = span.chars[column:at]
        gap = led[len(led.rstrip(" \t")) :] or " "
        line += (gap if "\t" in gap or len(gap) == 1 else " " * max(at - len(line), 1)) + field
        column = at
    return line


def remove_record(tree: Tree, statement: Statement) -> Edits:
    """Take a record out; a record below that has its owner from it gets it written."""
    edits = statements.remove(statement, STYLE)
    owner = statement.node.node("owner")
    following = _heir(tree, statement)
    if owner is None or following is None or _same_before(tree, statement, owner):
        return edits
    text = tree.text
    begin = text.line_span(following.span.start)[0]
    blank = text.chars[begin : following.span.start]
    name = owner.first.span.chars
    rest = blank[len(name) :] if "\t" not in blank and len(blank) > len(name) else blank if "\t" in blank else " "
    return (*edits, Edit(text.path, begin, following.span.start, name + rest))


def _heir(tree: Tree, statement: Statement) -> Statement | None:
    """The next record, if it has its owner from the line above."""
    at = next(number for number, each in enumerate(tree.statements) if each is statement)
    for each in tree.statements[at + 1 :]:
        if each.kind == "record":
            return each if each.template is not None and each.node.node("owner") is None else None
        if each.kind == "generate":
            return None
    return None


def _same_before(tree: Tree, statement: Statement, owner: Node) -> bool:
    """True if the record above has the same owner, so that nothing changes for the one below."""
    before: Record | None = None
    for each in records(tree):
        if each.statement is statement:
            return before is not None and before.owner == each.owner
        before = each
    return owner is None
