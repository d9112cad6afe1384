"""Why Dovecot refuses a setting or a section: names that it does not know, values that a setting cannot have."""

from __future__ import annotations

import difflib
import re
from dataclasses import replace

from mailaudit.models.dovecot.catalogue import Catalogue, Definition, catalogue
from mailaudit.models.dovecot.reading import Setting, key_of
from mailaudit.models.dovecot.settings import NEW, OLD, RENAMED, SUCCESSORS
from mailaudit.models.dovecot.values import comes_to, expected
from mailaudit.models.dovecot.vars import broken_variable
from mailaudit.parsers.brief import brief
from mailaudit.parsers.tree import Problem, Statement
from mailaudit.text import Span

_ESCAPE = re.compile(r"\\(?![\\\"])", re.DOTALL)
_MOST_SUGGESTIONS = 30  # for so many unknown names a like one is looked for; a file has few, or is none of Dovecot's


class Names:
    """What to say of names that the family does not know."""

    def __init__(self, known: Catalogue) -> None:
        self.known = known
        self._suggested = 0

    @property
    def other(self) -> Catalogue:
        """The other family's catalogue, read only where a name is not known."""
        return catalogue(OLD if self.known.family == NEW else NEW)

    def unknown_setting(self, setting: Setting, written: str, where: tuple[str, ...]) -> Problem:
        """The refusal of a setting; `where` are the types of the sections it stands in."""
        statement = setting.statement
        assert statement is not None
        key = key_of(statement)
        if self.known.family == NEW and written in RENAMED and not where:
            new, values = RENAMED[written]
            value = setting.value if values is None else values.get(setting.value)
            mend = None if value is None else f"{new} = {value}"
            return Problem(f'Dovecot 2.4 knows no setting "{written}"; it is "{new}" there', statement.span, mend=mend)
        inside = f' in the section "{where[-1]}"' if where else ""
        like, mend = self._like(written, where, "=")
        return Problem(f'Dovecot {self.known.family} knows no setting "{written}"{inside}{like}', key.span, mend=mend)

    def unknown_section(self, statement: Statement, type_: str, where: tuple[str, ...]) -> Problem:
        """The refusal of a section by its type."""
        like, mend = self._like(type_, where, "{")
        at = statement.tokens[0].span
        return Problem(f'Dovecot {self.known.family} knows no section "{type_}"{like}', at, mend=mend)

    def _like(self, name: str, where: tuple[str, ...], mark: str) -> tuple[str, str | None]:
        """What was perhaps meant, as words that end the message, and as a mending where only one letter differs."""
        renamed = {new: old for old, (new, _) in RENAMED.items()}
        if self.known.family == OLD and name in renamed:
            return f'; in 2.3 it is "{renamed[name]}"', None
        if self.known.family == NEW and name in SUCCESSORS:
            return f"; in 2.4 it is {SUCCESSORS[name]}", None
        if self._in_other(name, where):
            return f"; Dovecot {self.other.family} does", None
        self._suggested += 1
        if self._suggested > _MOST_SUGGESTIONS or len(name) > 60:
            return "", None
        there = self._candidates(where, mark)
        close = difflib.get_close_matches(name, there, 2, 0.8)
        if not close:
            return "", None
        is_plain = len(close) == 1 or not _is_one_letter_off(name, close[1])
        return f'; did you mean "{close[0]}"?', close[0] if is_plain and _is_one_letter_off(name, close[0]) else None

    def _in_other(self, name: str, where: tuple[str, ...]) -> bool:
        prefixed = (name, *(f"{each}_{name}" for each in where)) if self.other.family == NEW else (name,)
        return any(self.other.get(each) for each in prefixed) or self.other.get(name, where) is not None

    def _candidates(self, where: tuple[str, ...], mark: str) -> list[str]:
        if self.known.family == OLD:
            definitions = self.known.inside.get(where, {})
            return [each.name for each in definitions.values() if each.is_section == (mark == "{") and each.kind != "obsolete"]
        found = [each.name for each in self.known.inside[()].values() if each.is_section == (mark == "{") or "list" in each.kind]
        own = f"{where[-1]}_" if where else ""
        return [*found, *(name.removeprefix(own) for name in found if own and name.startswith(own))]


def _is_one_letter_off(name: str, other: str) -> bool:
    """True if one letter was added, left out or changed, or two neighbours have changed places."""
    shorter, longer = sorted((name, other), key=len)
    at = next((i for i, (a, b) in enumerate(zip(shorter, longer, strict=False)) if a != b), len(shorter))
    if len(shorter) != len(longer):
        return shorter[at:] == longer[at + 1 :]
    return shorter[at + 1 :] == longer[at + 1 :] or (
        shorter[at : at + 2] == longer[at : at + 2][::-1] and shorter[at + 2 :] == longer[at + 2 :]
    )


def refused_value(setting: Setting, definition: Definition, family: str) -> Problem | None:
    """Why the daemon refuses a setting's value, or None."""
    token, value = setting.token, setting.value
    if token is not None and token.kind == "string" and family == NEW:
        escape = _ESCAPE.search(token.span.chars[1:-1].replace("\\\\", "").replace('\\"', ""))
        if escape is not None and token.span.chars[0] == '"':
            return Problem("in quotes, Dovecot 2.4 takes a backslash only before a quote or another backslash", token.span)
    if family == NEW and "%{" in value:
        return refused_variable(setting, definition)
    if setting.from_file or definition.kind in ("str", "file") or "$ENV:" in value:
        return None
    if definition.kind == "boollist":
        message = broken_list(value)
        return Problem(message, setting.span) if message else None
    if comes_to(definition, value, is_new=family == NEW) is not None:
        return None
    wanted, meant = expected(definition, value)
    found = brief(value)
    found = found if wanted.startswith("a port") else f'"{found}"'
    name = "" if wanted.startswith("a port") else f" for {written_name(setting)}"
    return Problem(f"expected {wanted}{name}, found {found}", setting.span, mend=meant if token else None)


def refused_variable(setting: Setting, definition: Definition) -> Problem | None:
    """Why 2.4 refuses a value with variables, or None."""
    is_looked_at = definition.has_variables and not setting.from_file
    broken = broken_variable(setting.value) if is_looked_at else None
    return Problem(f"this is no well-formed variable: {broken[:40]}", setting.span) if broken else None


def written_name(setting: Setting) -> str:
    """A setting's name as it is written."""
    return key_of(setting.statement).value.split("/")[-1] if setting.statement else setting.name


def broken_list(value: str) -> str:
    """Why 2.4 refuses the one-line form of a list: a quote at a wrong place; empty if it does not."""
    at, inside, ended = 0, False, False
    begun = False
    while at < len(value):
        char = value[at]
        if char == '"' and not inside:
            if begun:
                return "a quote stands in the middle of a word of the list"
            inside = True
        elif char == '"' and not ended:
            ended = True
        elif char in " ," and (ended or not inside):
            inside = ended = begun = False
        elif ended:
            return 'expected "," or a blank after a quoted word of the list'
        else:
            at += char == "\\" and inside
            begun = True
        at += 1
    return "a quoted word of the list has no closing quote" if inside and not ended else ""


def mended(setting: Setting, problem: Problem) -> Setting | None:
    """A refused setting as it was plainly meant; None where it is to be left out."""
    if problem.mend is None or setting.statement is None:
        return None
    if problem.span == setting.statement.span and " = " in problem.mend:
        name, _, value = problem.mend.partition(" = ")
        return replace(setting, name=name, value=value, from_file=False)
    if problem.span == _key_span(setting.statement):
        return replace(setting, name=problem.mend)
    return replace(setting, value=problem.mend)


def _key_span(statement: Statement) -> Span:
    return key_of(statement).span
