"""The values of login.conf(5): strings with escapes, sizes, times and numbers, as cgetstr(3) and login_cap(3) read them."""

from __future__ import annotations

import re

INFINITY = (1 << 63) - 1
"""RLIM_INFINITY: no limit."""
_NUMBER = re.compile(r"[ \t\n\v\f\r]*([+-]?)(0[xX][0-9A-Fa-f]+|0[0-7]*|[1-9][0-9]*)")
_UNITS = {"b": 1 << 9, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40}
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800, "y": 31536000}
_ESCAPE = re.compile(r"\^([^\0])|\\([0-7]{1,3}|[\s\S])|[\\^]\Z")
_LETTERS = {"b": "\b", "t": "\t", "n": "\n", "f": "\f", "r": "\r", "e": "\x1b", "c": ":"}


def decoded(value: str) -> str:
    r"""A string value: `\E`, `\n` and the like, `\072`, `^C`; an unfinished escape is dropped (cgetstr)."""
    if "\\" not in value and "^" not in value:
        return value

    def char(match: re.Match[str]) -> str:
        control, escaped = match[1], match[2]
        if control is not None:
            return chr(ord(control) & 0o37)
        if escaped is None:
            return ""
        if escaped[0] in "01234567":
            return chr(int(escaped, 8) & 0xFF)
        return _LETTERS.get(escaped.lower(), escaped)

    return _ESCAPE.sub(char, value)


def number_of(written: str) -> int | None:
    """A number in C's notation, or `infinity` (login_getcapnum)."""
    if written.lower() == "infinity":
        return INFINITY
    match = _NUMBER.fullmatch(written)
    return None if match is None else _integer(match)


def time_of(written: str) -> int | None:
    """Seconds: numbers, each with s, m, h, d, w or y behind it or nothing, added up (login_getcaptime)."""
    if written.lower() == "infinity":
        return INFINITY
    total = at = 0
    while at < len(written):
        match = _NUMBER.match(written, at)
        number = None if match is None else _integer(match)
        if match is None or number is None:
            return None
        at = match.end()
        if at < len(written):
            unit = _SECONDS.get(written[at].lower())
            if unit is None:
                return None
            number *= unit
            at += 1
        total += number
    return min(total, INFINITY)


def size_of(written: str) -> int | None:
    """Bytes: a number with b (512), k, m, g or t behind it, or several with x between them (login_getcapsize).

    One further character at the end is passed over, as in `4MB`.
    """
    if written.lower() in ("infinity", "inf"):
        return INFINITY
    product, at = 1, 0
    while True:
        match = _NUMBER.match(written, at)
        number = None if match is None else _integer(match)
        if match is None or number is None:
            return None if at == 0 or len(written) - at > 0 else product
        at = match.end()
        unit = _UNITS.get(written[at : at + 1].lower())
        product = min(product * number * (unit or 1), INFINITY)
        at += unit is not None
        if written[at : at + 1] not in ("x", "*") or not _NUMBER.match(written, at + 1):
            return product if len(written) - at <= 1 else None
        at += 1


def _integer(match: re.Match[str]) -> int | None:
    """The number of a match, None beyond 64 bits."""
    sign, digits = match[1], match[2]
    if len(digits) > 25:
        return None
    base = 16 if digits[:2] in ("0x", "0X") else 8 if digits[0] == "0" else 10
    number = int(digits, base)
    return None if number > INFINITY else -number if sign == "-" else number
