"""Dovecot's %variables in templates: %u, %n, %d, %h with L, U and widths in 2.3, %{user | domain | lower} in 2.4."""

from __future__ import annotations

import re
from collections.abc import Callable

from mailaudit.models.dovecot.settings import NEW

_OLD = re.compile(
    r"%(?:(?P<percent>%)|(?P<from>-?[0-9]{1,4}(?=\.))?\.?(?P<width>[1-9][0-9]{0,3})?(?P<change>[LUR]*)"
    r"(?:\{(?P<long>[a-z_]+)\}|(?P<short>[a-z])))"
)
_CHANGES: dict[str, Callable[[str], str]] = {"L": str.lower, "U": str.upper, "R": lambda value: value[::-1]}
_LONG = {"user": "u", "username": "n", "domain": "d", "home": "h"}
_NEW = re.compile(r"%\{([^{}]*)\}")
_SUBSTR = re.compile(r"substr\( *(-?[0-9]{1,4}) *(?:, *([1-9][0-9]{0,3}) *)?\)")
# What is no ASCII counts as a letter; a class that names those instead of the others is slow to compile.
_SKIP = r"[\s{!#$&<>?@\[\]^`~\\]*"  # what is nothing to the reader of variables
_WORD = r"[^\x00-@\[-`{-\x7f][^\x00-,<-@\[-^`{-\x7f]*"
_QUOTED = r"""(?:"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')"""
_NUMBER = rf"(?:-{_SKIP})?[0-9]+"
_ARGUMENT = rf"(?:{_WORD}{_SKIP}={_SKIP})?(?:{_QUOTED}|{_WORD}|{_NUMBER})"
_ARGUMENTS = rf"\({_SKIP}{_ARGUMENT}{_SKIP}(?:,{_SKIP}{_ARGUMENT}{_SKIP})*\)"
_FILTER = rf"{_WORD}{_SKIP}(?:{_ARGUMENTS}{_SKIP})?(?:[-+*/%]{_SKIP}(?:{_NUMBER}|{_WORD}){_SKIP})?"
_EXPRESSION = re.compile(rf"%\{{{_SKIP}(?:{_FILTER})?(?:\|{_SKIP}(?:{_FILTER})?)*\}}", re.DOTALL)
_ONE_LETTER = re.compile(r"%[LU]*[undh](?![a-z])")


def expand(template: str, family: str, user: str, home: str | None = None) -> str | None:
    """The template for a user, or None where it holds something that is not known here.

    `user` is the name that was logged in with, after `auth_username_format`; `home` that user's home.
    """
    name, _, domain = user.partition("@")
    values = {"u": user, "n": name, "d": domain, "h": home}
    return _expand_new(template, values) if family == NEW else _expand_old(template, values)


def _expand_old(template: str, values: dict[str, str | None]) -> str | None:
    out: list[str] = []
    at = 0
    while (percent := template.find("%", at)) >= 0:
        match = _OLD.match(template, percent)
        if match is None:
            return None
        value = "%" if match["percent"] else values.get(_LONG.get(match["long"] or "", match["short"] or ""))
        if value is None:
            return None
        for change in match["change"] or "":
            value = _CHANGES[change](value)
        out += (template[at:percent], _piece(value, int(match["from"] or 0), int(match["width"] or 0)))
        at = match.end()
    return "".join((*out, template[at:]))


def _piece(value: str, start: int, width: int) -> str:
    """The part of a value from an offset, from its end if that is negative; a width of 0 is all."""
    rest = value[max(len(value) + start, 0) :] if start < 0 else value[start:]
    return rest[: width or None]


def _expand_new(template: str, values: dict[str, str | None]) -> str | None:
    out: list[str] = []
    at = 0
    while (percent := template.find("%{", at)) >= 0:
        match = _NEW.match(template, percent)
        value = _filtered(match[1], values) if match else None
        if match is None or value is None:
            return None
        out += (template[at:percent], value)
        at = match.end()
    return "".join((*out, template[at:]))


def _filtered(inside: str, values: dict[str, str | None]) -> str | None:
    first, *filters = (part.strip() for part in inside.split("|"))
    value = {"user": values["u"], "home": values["h"]}.get(first)
    for each in filters:
        if value is None:
            return None
        name, _, domain = value.partition("@")
        substr = _SUBSTR.fullmatch(each)
        if substr is not None:
            value = _piece(value, int(substr[1]), int(substr[2] or 0))
            continue
        value = {"username": name, "domain": domain, "lower": value.lower(), "upper": value.upper()}.get(each)
    return value


def broken_variable(value: str) -> str | None:
    """The first `%{` of 2.4 that is no well-formed variable, with what follows it; None if all are."""
    at = 0
    while (start := value.find("%", at)) >= 0:
        if value.startswith("%%{", start):
            at = start + 3
        elif not value.startswith("%{", start):
            at = start + 1
        elif (match := _EXPRESSION.match(value, start)) is None:
            return value[start:]
        else:
            at = match.end()
    return None


def has_old_variables(template: str) -> bool:
    """True if the template holds a one-letter variable of 2.3, which 2.4 takes for plain characters."""
    return _ONE_LETTER.search(template) is not None


_NEW_SPELLINGS = {
    "u": "%{user}",
    "n": "%{user | username}",
    "d": "%{user | domain}",
    "h": "%{home}",
    "Lu": "%{user | lower}",
    "Ln": "%{user | username | lower}",
    "Ld": "%{user | domain | lower}",
}


def in_new_spelling(template: str) -> str | None:
    """A template of 2.3 as 2.4 writes it; None where a variable has no plain counterpart."""
    out: list[str] = []
    at = 0
    while (percent := template.find("%", at)) >= 0:
        match = _OLD.match(template, percent)
        spelling = None
        if match is not None and not match["from"] and not match["width"]:
            key = (match["change"] or "") + _LONG.get(match["long"] or "", match["short"] or "")
            spelling = "%%" if match["percent"] else _NEW_SPELLINGS.get(key)
        if match is None or spelling is None:
            return None
        out += (template[at:percent], spelling)
        at = match.end()
    return "".join((*out, template[at:]))
