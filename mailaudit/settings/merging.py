"""Adds lines to a mailaudit.toml: every byte that is there stays, what it says already is said by nobody else."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import Any

from mailaudit.settings.tables import SettingsError, read_toml

_HEADER = re.compile(r"[ \t]*\[[ \t]*([^\[\]\n]+?)[ \t]*\][ \t]*(?:#[^\n]*)?\r?\n?\Z")
_ANY_HEADER = re.compile(r"[ \t]*\[")


def written(value: object) -> str:
    """A value as TOML has it: strings, numbers, dates, lists, and tables in one line."""
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{_key(key)} = {written(each)}" for key, each in value.items()) + " }"
    assert isinstance(value, Sequence)
    return f"[{', '.join(map(written, value))}]"


def header(table: Iterable[str]) -> str:
    """The keys that lead to a table, as TOML has them in its header."""
    return ".".join(map(_key, table))


def _key(key: str) -> str:
    return key if re.fullmatch(r"[A-Za-z0-9_-]+", key) else written(key)


def merged(data: bytes, additions: Mapping[tuple[str, ...], Mapping[str, object]], origin: str, comment: str = "") -> bytes:
    """The document with keys added to its tables, those left out that are there already.

    `additions` has the keys by the names that lead to their table; `comment` stands above what is new at its end. Raises
    `SettingsError` where the document is none, or says its tables in a way that lines cannot be added to.
    """
    source, document = read_toml(data, origin)
    wanted = {table: _missing(_at(document, table), keys) for table, keys in additions.items()}
    lines = source.splitlines(keepends=True)
    end = "\r\n" if lines and lines[0].endswith("\r\n") else "\n"
    new: list[str] = []
    for table, keys in wanted.items():
        told = [f"{_key(name)} = {written(value)}{end}" for name, value in keys.items()]
        at = _end_of(lines, table)
        if told and at is None:
            new += [end, f"[{header(table)}]{end}", *told]
        elif told and at is not None:
            if not lines[at - 1].endswith("\n"):
                lines[at - 1] += end
            lines[at:at] = told
    if new:
        if lines and not lines[-1].endswith("\n"):
            lines[-1] += end
        lines += [
            *([end] if lines and comment else []),
            *([f"# {comment}{end}"] if comment else []),
            *(new[1:] if comment else new),
        ]
    text = "".join(lines)
    if not _says(text, document, wanted):
        told_all = "; ".join(f"[{'.'.join(table)}] {', '.join(keys)}" for table, keys in wanted.items() if keys)
        raise SettingsError(f"{origin}: lines cannot be added to it without changing others; what it lacks is {told_all}")
    return text.encode()


def _at(document: Mapping[str, Any], table: Iterable[str]) -> Mapping[str, Any]:
    found: Any = document
    for name in table:
        found = found.get(name, {}) if isinstance(found, dict) else {}
    return found if isinstance(found, dict) else {}


def _missing(there: Mapping[str, Any], keys: Mapping[str, object]) -> dict[str, object]:
    return {name: value for name, value in keys.items() if name not in there}


def _end_of(lines: Sequence[str], table: tuple[str, ...]) -> int | None:
    """The number of the line behind a table's last one; None where it has no header."""
    wanted = ".".join(table)
    start = None
    for number, line in enumerate(lines):
        if start is None:
            match = _HEADER.match(line)
            if match is not None and re.sub(r"[ \t\"']", "", match[1]) == wanted:
                start = number
        elif _ANY_HEADER.match(line) and _is_header(line):
            return _back(lines, start, number)
    return None if start is None else _back(lines, start, len(lines))


def _is_header(line: str) -> bool:
    """True for a header, and not for a line of a list."""
    return re.match(r"[ \t]*\[\[?[ \t]*[A-Za-z0-9_\"'-][^,]*\]\]?[ \t]*(?:#.*)?$", line.rstrip("\r\n")) is not None


def _back(lines: Sequence[str], start: int, end: int) -> int:
    """Before the blank lines and comments that stand above the next table."""
    while end - 1 > start and (not lines[end - 1].strip() or lines[end - 1].lstrip().startswith("#")):
        end -= 1
    return end


def _says(text: str, before: Mapping[str, Any], wanted: Mapping[tuple[str, ...], Mapping[str, object]]) -> bool:
    """True if the text says what it said before and what is wanted, and nothing else."""
    expected = json.loads(json.dumps(before, default=str))
    for table, keys in wanted.items():
        found = expected
        for name in table if keys else ():
            found = found.setdefault(name, {}) if isinstance(found, dict) else {}
        if keys:
            found.update(json.loads(json.dumps(keys)))
    try:
        return bool(json.loads(json.dumps(tomllib.loads(text), default=str)) == expected)
    except tomllib.TOMLDecodeError:
        return False
