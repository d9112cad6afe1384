"""UCL's values as libucl types them: numbers with their suffixes, booleans, null, and what escapes in strings stand for.

Source: ucl_maybe_parse_number(), ucl_maybe_parse_boolean() and the unescaping functions of libucl as rspamd 3.4 has it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

END = "\0\n\r#,;]}"  # a bare value ends before any of these (UCL_CHARACTER_VALUE_END)
LONGEST_NUMBER = 127  # characters; a longer row of digits is a string
_DECIMAL = {"k": 1000, "m": 1000**2, "g": 1000**3}
_BINARY = {"k": 1024, "m": 1024**2, "g": 1024**3}
_SECONDS = {"s": 1, "h": 3600, "d": 86400, "w": 604800, "y": 31536000}
_BOOLEANS = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}
_DIGITS = re.compile(r"-?[0-9xX]")
_FLOAT = re.compile(r"-?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_INTEGER = re.compile(r"-?[0-9]+")
_HEXADECIMAL = re.compile(r"-?[0-9A-Fa-f]+")
_ESCAPE = re.compile(r"\\(u[0-9A-Fa-f]{4}|[\s\S])")
_ESCAPES = {"n": "\n", "r": "\r", "b": "\b", "t": "\t", "f": "\f"}
_IN_SINGLE = re.compile(r"\\(\r\n|[\s\S])")

Scalar = int | float | bool | str | None


@dataclass(frozen=True, slots=True)
class Number:
    """A number at the head of a text: its kind (`integer`, `float` or `seconds`), its value, and the offset behind it."""

    kind: str
    value: int | float
    end: int


class OutOfRangeError(ValueError):
    """A number that fits no 64 bits; `end` is the offset behind its digits."""

    def __init__(self, end: int) -> None:
        super().__init__(end)
        self.end = end


def number(chars: str, start: int) -> Number | None:
    """The number that begins at an offset, if what stands there is one as a whole; `OutOfRangeError` if it is too big."""
    if _DIGITS.match(chars, start) is None:
        return None
    digits = _digits(chars, start)
    if digits is None:
        return None
    begin, end, is_float, is_hexadecimal = digits
    negative = chars[start] == "-"
    written = ("-" if negative else "") + chars[begin:end]
    pattern = _FLOAT if is_float else _HEXADECIMAL if is_hexadecimal else _INTEGER
    match = pattern.match(written)
    if match is None or end - begin >= LONGEST_NUMBER:
        return None
    at = begin + match.end() - negative
    if is_float:
        value: int | float = float(match.group())
        if abs(value) == float("inf"):
            raise OutOfRangeError(end)
    else:
        value = int(match.group(), 16 if is_hexadecimal else 10)
        if not -(2**63) <= value < 2**63:
            raise OutOfRangeError(end)
    return _suffixed(chars, at, value, is_hexadecimal)


def _digits(chars: str, start: int) -> tuple[int, int, bool, bool] | None:
    """Where the digits begin and end, and whether they are a float's or hexadecimal; None if it is no number."""
    at = begin = start + (chars[start] == "-")
    seen = dot = exponent = hexadecimal = False
    limit = min(len(chars), start + 2 * LONGEST_NUMBER)
    while at < limit:
        char = chars[at]
        if "0" <= char <= "9" or (hexadecimal and char in "abcdefABCDEF"):
            seen = seen or char.isdigit()
        elif char in "xX" and not hexadecimal:
            hexadecimal, begin = True, at + 1
        elif hexadecimal:
            if char == ".":
                return None
            break
        elif at == begin:
            return None
        elif char == ".":
            if dot:
                return None
            dot = True
        elif char in "eE":
            at += 1
            if exponent or at >= len(chars) or not ("0" <= chars[at] <= "9" or chars[at] in "+-"):
                return None
            exponent = True
        else:
            break
        at += 1
    return (begin, at, (dot or exponent) and not hexadecimal, hexadecimal) if seen and at > begin else None


def _ends(chars: str, at: int) -> bool:
    return at >= len(chars) or chars[at] in END


def _suffixed(chars: str, at: int, value: float, hexadecimal: bool) -> Number | None:
    """The number with what its suffix makes of it; None if what follows belongs to no number."""
    plain = "float" if isinstance(value, float) else "integer"
    if _ends(chars, at):
        return Number(plain, value, at)
    first = chars[at].lower()
    rest = chars[at + 1 : at + 3].lower()
    if first in " \t":
        end = at
        while end < len(chars) and chars[end] in " \t":
            end += 1
        return Number(plain, value, at) if _ends(chars, end) else None
    if first in _DECIMAL:
        return _multiplied(chars, at, value, first + rest, hexadecimal)
    if first in _SECONDS and _ends(chars, at + 1):
        seconds = float(value) * _SECONDS[first]
        return Number("integer", int(value), at + 1) if hexadecimal else Number("seconds", seconds, at + 1)
    return None


def _multiplied(chars: str, at: int, value: float, suffix: str, hexadecimal: bool) -> Number | None:
    """A number with a suffix that begins with k, m or g."""
    letter, second = suffix[0], suffix[1:2]
    if second == "s":
        factor = 0.001 if letter == "m" else float(_DECIMAL[letter])
        seconds = value / 1000.0 if letter == "m" else value * factor
        found = Number("integer", int(value), at + 2) if hexadecimal else Number("seconds", seconds, at + 2)
    elif second == "b":
        found = Number("integer", _wrapped(int(value) * _BINARY[letter]), at + 2)
    elif suffix == "min":
        found = Number("integer", int(value), at + 3) if hexadecimal else Number("seconds", value * 60.0, at + 3)
    else:
        product = value * _DECIMAL[letter]
        found = Number("float", product, at + 1) if isinstance(product, float) else Number("integer", _wrapped(product), at + 1)
    return found if _ends(chars, found.end) else None


def _wrapped(value: int) -> int:
    """What is left of a product in 64 bits."""
    return (value + 2**63) % 2**64 - 2**63


def keyword(written: str) -> tuple[str, Scalar] | None:
    """The kind and value of a bare word that is no string: a boolean, null, not-a-number or infinity."""
    if written == "null":
        return "null", None
    if written in ("nan", "inf"):
        return "float", float(written)
    if len(written) <= 5:
        found = _BOOLEANS.get(written.lower())
        if found is not None:
            return "boolean", found
    return None


def unescape(inside: str) -> str:
    """What a double-quoted string or a bare word with backslashes means."""
    if "\\" not in inside or len(inside) < 2:
        return inside
    return _ESCAPE.sub(_unescaped, inside)


def _unescaped(match: re.Match[str]) -> str:
    found = match[1]
    if len(found) == 1:
        return _ESCAPES.get(found, found)
    code = int(found[1:], 16)
    if 0xD800 <= code < 0xE000:  # half of a pair: libucl writes its three bytes, which are no UTF-8
        return chr(code).encode("utf-8", "surrogatepass").decode("utf-8", "surrogateescape")
    return chr(code)


def unescape_single(inside: str) -> str:
    """What a single-quoted string means: only its own quote is escaped, and a backslash joins lines."""
    return _IN_SINGLE.sub(_unescaped_single, inside) if "\\" in inside else inside


def _unescaped_single(match: re.Match[str]) -> str:
    found = match[1]
    return found if found == "'" else "" if found[0] in "\r\n" else match[0]
