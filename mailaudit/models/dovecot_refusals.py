"""What Dovecot refuses by meaning: values that a setting cannot have, sections and names that its family does not know."""

from __future__ import annotations

import re
from dataclasses import replace

from mailaudit.models.dovecot_reading import Setting, key_of, name_of
from mailaudit.models.dovecot_settings import (
    BOOLEANS,
    CHOICES,
    FILTERS,
    NAMED_IN_NEW,
    NEW,
    NUMBERS,
    OLD,
    OLD_PROTOCOLS,
    ONLY_NEW,
    ONLY_OLD,
    PROTOCOLS,
    RENAMED,
    SECTIONS_ONLY_NEW,
    SECTIONS_ONLY_OLD,
)
from mailaudit.parsers.tree import Problem, Statement

_TRUE = frozenset(("on", "true", "t", "enable", "enabled", "yes", "y", "1"))
_FALSE = frozenset(("off", "false", "f", "n", "0", "disable", "disabled", "none", "no"))
_VARIABLE = re.compile(r"\$([a-z0-9_]*)(?= |\Z)")
_ESCAPE = re.compile(r"\\(?![\\\"])", re.DOTALL)


def refused_section(statement: Statement, within: tuple[Statement, ...], family: str) -> Problem | None:
    """Why the daemon refuses a section by its first line, or None."""
    type_, name = name_of(statement)
    outer = [name_of(each)[0] for each in within]
    message = _unknown_section(statement, type_, name, family) or _misplaced_section(type_, outer)
    return Problem(message, statement.tokens[0].span) if message else None


def _unknown_section(statement: Statement, type_: str, name: str, family: str) -> str:
    if family == OLD:
        if statement.kind == "group" or type_ in SECTIONS_ONLY_NEW:
            return f'Dovecot 2.3 knows no section "{type_}"'
        return "a service has a name" if type_ == "service" and not name else ""
    if type_ in SECTIONS_ONLY_OLD:
        return f'Dovecot 2.4 knows no section "{type_}"'
    return f'the section "{type_}" has no name, which Dovecot 2.4 asks for' if type_ in NAMED_IN_NEW and not name else ""


def _misplaced_section(type_: str, outer: list[str]) -> str:
    if outer and outer[-1] == "plugin":
        return 'no section may stand in the section "plugin"'
    around = next((each for each in reversed(outer) if each in FILTERS), None)
    if type_ not in FILTERS or around is None:
        return ""
    if FILTERS.index(around) > FILTERS.index(type_):
        return f'"{type_}" may not stand in "{around}"; write it the other way round'
    return '"protocol" may not stand in "protocol"' if around == type_ == "protocol" else ""


def refused_setting(setting: Setting, inside: str, within: tuple[Statement, ...], family: str) -> Problem | None:
    """Why the daemon refuses a setting, or None. `inside` is the type of the section it stands in, "" for none or a filter."""
    statement = setting.statement
    assert statement is not None
    if any(name_of(each)[0] == "plugin" for each in within) or inside == "plugin":
        return None
    return _of_the_other_family(setting, statement, inside, family) or _malformed(setting, inside, family)


def _of_the_other_family(setting: Setting, statement: Statement, inside: str, family: str) -> Problem | None:
    name = setting.name
    key = key_of(statement)
    if family == OLD and name in ONLY_NEW.get(inside, ()):
        return Problem(f'Dovecot 2.3 knows no setting "{name}"', key.span)
    if family == OLD and (key.kind == "string" or (setting.token and setting.token.kind == "heredoc")):
        return Problem("Dovecot 2.3 knows no quoted names and no here-documents", key.span)
    if family == NEW and name in ONLY_OLD.get(inside, ()):
        if name not in RENAMED or inside:
            return Problem(f'Dovecot 2.4 knows no setting "{name}"', key.span)
        new, values = RENAMED[name]
        value = setting.value if values is None else values.get(setting.value)
        mend = None if value is None else f"{new} = {value}"
        return Problem(f'Dovecot 2.4 knows no setting "{name}"; it is "{new}" there', statement.span, mend=mend)
    return None


def _malformed(setting: Setting, inside: str, family: str) -> Problem | None:
    value, token = setting.value, setting.token
    if token is not None and token.kind == "word" and token.value.startswith("$") and family == OLD and not setting.from_file:
        if _VARIABLE.match(token.value) is None or token.value == "$":
            return Problem(f"no setting has the name that {token.value.split(' ')[0]} stands for", token.span)
        return None
    if token is not None and token.kind == "string" and family == NEW:
        escape = _ESCAPE.search(token.span.chars[1:-1].replace("\\\\", "").replace('\\"', ""))
        if escape is not None and token.span.chars[0] == '"':
            return Problem("in quotes, Dovecot 2.4 takes a backslash only before a quote or another backslash", token.span)
    if setting.from_file or "%{" in value or "$" in value:
        return None
    return _wrong_kind(setting, inside, value)


def _wrong_kind(setting: Setting, inside: str, value: str) -> Problem | None:
    name = setting.name
    if name in BOOLEANS.get(inside, ()):
        return _no_boolean(setting, value)
    if (inside, name) in CHOICES:
        return _no_choice(setting, value, CHOICES[inside, name])
    if name in NUMBERS.get(inside, ()):
        return _no_number(setting, value)
    if name == "protocols" and not inside:
        return _unknown_protocol(setting)
    if name == "listen" and not inside and not value:
        return Problem("listen must name at least one address", setting.span)
    return None


def _no_boolean(setting: Setting, value: str) -> Problem | None:
    if value.lower() in ("yes", "y", "1", "no"):
        return None
    meant = "yes" if value.lower() in _TRUE else "no" if value.lower() in _FALSE else None
    message = f'expected "yes" or "no" for {setting.name}, found "{value}"'
    return Problem(message, setting.span, mend=meant if setting.token else None)


def _no_choice(setting: Setting, value: str, choices: tuple[str, ...]) -> Problem | None:
    if value in choices:
        return None
    expected = ", ".join(f'"{each}"' for each in choices[:-1]) + f' or "{choices[-1]}"'
    mend = _choice(value.lower(), choices) if setting.token else None
    return Problem(f'expected {expected} for {setting.name}, found "{value}"', setting.span, mend=mend)


def _no_number(setting: Setting, value: str) -> Problem | None:
    if not (value.isascii() and value.isdigit()):
        return Problem(f'expected a number for {setting.name}, found "{value}"', setting.span)
    if setting.name == "port" and (len(value) > 5 or int(value) > 65535):
        return Problem(f"expected a port from 0 to 65535, found {value}", setting.span)
    return None


def _choice(value: str, choices: tuple[str, ...]) -> str | None:
    if value in choices:
        return value
    if "yes" in choices and value in _TRUE:
        return "yes"
    return "no" if "no" in choices and value in _FALSE else None


def _unknown_protocol(setting: Setting) -> Problem | None:
    if setting.value == "none" or setting.token is None:
        return None
    words = [word for word in setting.value.split(" ") if word]
    for word in words:
        if word not in PROTOCOLS and word not in OLD_PROTOCOLS:
            meant = [part.lower() for each in words for part in re.split(r"[,\t]", each) if part]
            plain = " ".join(part for part in meant if part in PROTOCOLS)
            mend = plain if plain and "$" not in setting.token.value else None
            return Problem(f'protocols names "{word}", which Dovecot does not know', setting.token.span, mend=mend)
    return None


def renamed(setting: Setting, problem: Problem, family: str) -> Setting | None:
    """A refused setting as it was plainly meant; None where it is to be left out."""
    if problem.mend is None:
        return None
    if family == NEW and setting.name in RENAMED and " = " in problem.mend:
        name, _, value = problem.mend.partition(" = ")
        return replace(setting, name=name, value=value, from_file=False)
    return replace(setting, value=problem.mend)
