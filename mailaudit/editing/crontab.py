"""Edits of crontab(5): jobs, and variables, which stand above the jobs that they are for."""

from __future__ import annotations

from mailaudit.editing import statements
from mailaudit.editing.assignments import blanks
from mailaudit.editing.spelling import only, preferring, spelled
from mailaudit.editing.style import LINE_REST, NONE, Edits, Style, alone
from mailaudit.edits import Edit, insert
from mailaudit.parsers import crontab
from mailaudit.parsers.tree import Statement, Tree

STYLE = Style(crontab.LANGUAGE, LINE_REST, indent="", ends=True)
SYSTEM = Style(crontab.SYSTEM, LINE_REST, indent="", ends=True)


def style_of(tree: Tree) -> Style:
    """How such a crontab is written: a user's own, or the system's with a column for the user."""
    return SYSTEM if tree.language == crontab.SYSTEM.name else STYLE


def write_command(command: str) -> str:
    """A command as it stands in a job: percent signs get a backslash. Raises Unwritable for one with newlines."""
    return spelled(command, [command.replace("%", "\\%")], _command)


def _command(written: str) -> str | None:
    read = only(STYLE.language, f"0 0 * * * {written}")
    found = [token.value for token in read.seen if token.kind == "command"] if read is not None and read.kind == "job" else []
    return found[0] if found else None


def jobs(tree: Tree, command: str) -> list[Statement]:
    """The jobs that run a command."""
    return [
        each
        for each in tree.statements
        if each.kind == "job" and any(token.kind == "command" and token.value == command for token in each.seen)
    ]


def add_job(tree: Tree, when: str, command: str, user: str = "") -> Edits | None:
    """A job below the last one, when it runs being `@daily` or five fields; blanks between fields as in the jobs above."""
    kin = [each for each in tree.statements if each.kind == "job"]
    gap = "\t" if kin and "\t" in tree.text.chars[kin[-1].tokens[0].end : kin[-1].tokens[0].end + 1] else " "
    line = gap.join([*when.split(), *([user] if user else []), write_command(command)])
    style = style_of(tree)
    alone(style, [line])
    return statements.below(kin[-1], style, line) if kin else statements.at_end(tree, style, line)


def set_command(statement: Statement, command: str) -> Edits:
    """Another command of a job."""
    token = next(each for each in statement.tokens if each.kind == "command")
    return NONE if token.value == command else (Edit(token.text.path, token.start, token.end, write_command(command)),)


def set_when(statement: Statement, when: str) -> Edits:
    """Another time for a job: five fields, or `@daily` and the like; fields that stay are not touched."""
    fields = ("minute", "hour", "monthday", "month", "weekday", "when")
    old = [token for token in statement.tokens if token.kind in fields]
    new = alone(STYLE, [f"{when} true"])
    return statements.rewrite(old, [token for token in new.tokens if token.kind in fields])


def remove(tree: Tree, statement: Statement) -> Edits:
    """Take a job or a variable out; its comment lines stay."""
    return statements.remove(statement, style_of(tree))


def variable(tree: Tree, name: str) -> Statement | None:
    """The last statement that sets a variable."""
    found = [each for each in tree.statements if each.kind == "variable" and each.node.leaves()[0].value == name]
    return found[-1] if found else None


def write(value: str, like: str = "") -> str:
    """A variable's value, in quotes where it must be. Raises Unwritable."""
    return spelled(value, preferring([value, f'"{value}"', f"'{value}'"], like), _value)


def _value(written: str) -> str | None:
    read = only(STYLE.language, f"MAILTO={written}".rstrip())
    found = read.node.leaves() if read is not None and read.kind == "variable" else []
    return None if not found else found[1].value if len(found) > 1 else ""


def set_variable(tree: Tree, name: str, value: str) -> Edits | None:
    """`NAME=value`: where it is set last, else below the other variables, above all jobs."""
    found = variable(tree, name)
    style = style_of(tree)
    if found is not None:
        leaves = found.node.leaves()
        old = leaves[1] if len(leaves) > 1 else None
        if (old.value if old else "") == value:
            return NONE
        if old is None or old.start == old.end:
            return (insert(tree.text, found.span.end, write(value)),)
        return (Edit(tree.text.path, old.start, old.end, write(value, old.span.chars)),)
    kin = [each for each in tree.statements if each.kind == "variable"]
    pairs = [(each.tokens[0], each.tokens[2]) for each in kin if len(each.tokens) > 2]
    line = f"{name}{blanks(pairs, name, '=', between='=')}{write(value)}"
    alone(style, [line])
    job = next((each for each in tree.statements if each.kind == "job"), None)
    if job is not None and (not kin or kin[0].span.start > job.span.start):
        return statements.above(job, style, line)
    kin = [each for each in kin if job is None or each.span.end < job.span.start]
    return statements.below(kin[-1], style, line) if kin else statements.at_end(tree, style, line)
