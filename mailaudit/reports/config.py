"""The settings of hosts with their origins: as TOML with comments, and as JSON of schema `mailaudit.config/1`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from itertools import groupby
from typing import Any

from mailaudit.reports.json import dump
from mailaudit.reports.masking import visible
from mailaudit.settings import Said
from mailaudit.settings.merging import header, written

SCHEMA = "mailaudit.config/1"
_ADDED_UP = ("rules", "ignore")
_WAIVER = ("waiver",)
_WIDEST = 60  # characters of a value, behind which its origin stands in the same line


class Kind(StrEnum):
    """Where a value comes from."""

    DEFAULT = "default"
    INFERRED = "inferred"
    UNKNOWN = "unknown"  # it is inferred once the host is asked
    FILE = "file"
    COMMAND_LINE = "command-line"


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a value comes from: from which file and line, from what it was inferred, by which option."""

    kind: Kind
    told: str = ""

    @classmethod
    def of(cls, said: Said) -> Origin:
        """A place in a file."""
        return cls(Kind.FILE, str(said))

    def __str__(self) -> str:
        match self.kind:
            case Kind.DEFAULT:
                return "default"
            case Kind.INFERRED:
                return f"inferred: {self.told}"
            case Kind.UNKNOWN:
                return "inferred once the host is asked"
        return self.told


@dataclass(frozen=True, slots=True)
class Value:
    """A value by the keys that lead to it; None where there is none."""

    keys: tuple[str, ...]
    value: object
    origin: Origin


@dataclass(frozen=True, slots=True)
class HostSettings:
    """What is in force for a host, and the files of settings that were read for it, the farthest first."""

    name: str
    target: str
    files: tuple[str, ...]
    values: tuple[Value, ...]


def as_json(hosts: Sequence[HostSettings]) -> str:
    """The settings as JSON; what is added up has an entry for each part."""
    return dump({"schema": SCHEMA, "hosts": [_host(each) for each in hosts]})


def _host(host: HostSettings) -> dict[str, Any]:
    values = [
        {
            "key": [visible(key) for key in each.keys],
            "value": _plain(each.value),
            "origin": {"kind": str(each.origin.kind), "told": visible(each.origin.told)},
        }
        for each in host.values
    ]
    files = [visible(each) for each in host.files]
    return {"name": visible(host.name), "target": visible(host.target), "files": files, "values": values}


def _plain(value: object) -> object:
    if isinstance(value, Mapping):
        return {visible(key): _plain(each) for key, each in value.items()}
    if isinstance(value, tuple | list):
        return [_plain(each) for each in value]
    if isinstance(value, date):
        return value.isoformat()
    return visible(value) if isinstance(value, str) else value


def as_text(hosts: Sequence[HostSettings]) -> str:
    """The settings of each host as TOML, each value with its origin as a comment."""
    return "\n".join("".join(f"{visible(line)}\n" for line in _lines(host)) for host in hosts)


def _lines(host: HostSettings) -> Iterator[str]:
    yield f"# {host.name}" + (f" ({host.target})" if host.target != host.name else "")
    yield f"# settings: {', '.join(host.files) or 'no mailaudit.toml'}"
    for table, group in groupby(host.values, key=lambda each: each.keys[:-1]):
        if table:
            yield ""
            yield f"[{header(table)}]"
        for keys, parts in groupby(group, key=lambda each: each.keys):
            several = list(parts)
            if keys == _ADDED_UP and several[0].value:
                yield from _added_up(several)
            else:
                yield from (line for each in several for line in (_waiver(each) if keys == _WAIVER else _value(each)))


def _added_up(parts: Sequence[Value]) -> Iterator[str]:
    yield "ignore = ["
    for part in parts:
        assert isinstance(part.value, tuple)
        yield f"  {_with(f'{written(part.value[0])},', part.origin, 2)}"
    yield "]"


def _value(value: Value) -> Iterator[str]:
    name = header(value.keys[-1:])
    yield _with(f"# {name}" if value.value is None else f"{name} = {written(value.value)}", value.origin)


def _waiver(value: Value) -> Iterator[str]:
    assert isinstance(value.value, Mapping)
    yield ""
    yield _with("[[waiver]]", value.origin)
    for key, each in value.value.items():
        yield f"{key} = {written(each)}"


def _with(line: str, origin: Origin, indent: int = 0) -> str:
    return f"{line:<{_WIDEST - indent}}  # {origin}"
