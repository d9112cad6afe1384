"""Anchors filled from the files that `load anchor` names.

Source: pf_step_into_anchor() of pf.c: a wildcard anchor runs what is attached one level below its path, by name.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from mailaudit.models.pf.rules import Anchor, Entry, Table

Loads = Mapping[str, tuple[Entry, ...] | None]
"""The rules loaded into each anchor, None where the file is not known."""
MOST_FILLED = 1000  # anchors filled from files: such files may name one another's anchors again and again
Filling = tuple[tuple[Entry, ...] | None, Mapping[str, Table]]
_EMPTY: Filling = (None, {})


def filled(entries: tuple[Entry, ...], loads: Loads) -> tuple[Entry, ...]:
    """The entries with the rules of `load anchor` in the anchors that they are loaded into."""
    return _Filler(loads).entries(entries, "") if loads else entries


class _Filler:
    """Fills anchors; it stops after many, for files may fill one another's."""

    def __init__(self, loads: Loads) -> None:
        self.loads = loads
        self.left = MOST_FILLED

    def entries(self, entries: tuple[Entry, ...], path: str) -> tuple[Entry, ...]:
        """The entries of the ruleset at a path."""
        return tuple(self._anchor(entry, path) if isinstance(entry, Anchor) else entry for entry in entries)

    def _anchor(self, anchor: Anchor, path: str) -> Anchor:
        name = f"{path}/{anchor.name}".lstrip("/")
        if anchor.body is not None:
            return replace(anchor, body=self.entries(anchor.body, name))
        if self.left <= 0:
            return anchor
        self.left -= 1
        if name.rpartition("/")[2] == "*":
            body, tables = self._below(name.rpartition("/")[0])
            return replace(anchor, body=body, tables=tables)
        body, tables = self._loaded(name)
        return replace(anchor, body=self.entries(body, name) if body is not None else None, tables=tables)

    def _below(self, path: str) -> Filling:
        """What is loaded into the anchors one level below a path, by name; nothing if one of the files is not known."""
        body: list[Entry] = []
        tables: dict[str, Table] = {}
        for name in sorted(set(self._children(path))):
            below, own = self._loaded(name)
            if below is None:
                return _EMPTY
            body += self.entries(below, name)
            tables |= own
        return (tuple(body), tables) if body else _EMPTY

    def _children(self, path: str) -> Iterator[str]:
        for name in self.loads:
            if name.rpartition("/")[0] == path:
                yield name
        inner = self._loaded(path)[0] if path else None
        for entry in inner or ():
            if isinstance(entry, Anchor) and entry.name and entry.body:
                yield f"{path}/{entry.name}"

    def _loaded(self, name: str) -> Filling:
        """What was loaded into an anchor, or stands in one of its name in what was loaded further up; and its tables."""
        parts = name.split("/")
        for size in range(len(parts), 0, -1):
            body, tables = self.loads.get("/".join(parts[:size])), dict[str, Table]()
            for part in parts[size:]:
                inner = next((each for each in body or () if isinstance(each, Anchor) and each.name == part and each.body), None)
                body = inner.body if inner is not None else None
                tables |= inner.tables if inner is not None else {}
            if body is not None:
                return body, tables
        return _EMPTY
