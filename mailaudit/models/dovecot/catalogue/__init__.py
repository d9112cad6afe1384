"""What Dovecot 2.3 and 2.4 know of their settings: names, types, members and defaults, as their own doveconf tells them.

The tables beside this module are made by `bench/dovecot_catalogue.py` and read when they are first asked for.
"""

from __future__ import annotations

import pkgutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache

SECTIONS = frozenset(("sections", "named", "strlist", "boollist", "filter", "array"))
"""Types that have a block: those of 2.3 (`sections`, `named`, `strlist`) and those of 2.4."""

Version = tuple[int, ...]
FIRST: Version = (2, 4, 1)
LAST: Version = (2, 4, 5)
"""The releases of 2.4 that were asked what they know."""


def version_of(text: str) -> Version | None:
    """A release to compare by, as (2, 4, 1); None for a text that names none, or a family alone."""
    parts = text.split(".")
    is_whole = len(parts) > 2 and all(part.isascii() and part.isdigit() and len(part) < 6 for part in parts)
    return tuple(map(int, parts)) if is_whole else None


@dataclass(frozen=True, slots=True)
class Definition:
    """A setting or a type of section.

    `kind` is one of bool, uint, uintmax, octal, size, time, msecs, port, enum, str, file; for sections of 2.3 `named` (one for
    each name) or `sections` (a new one each time), of 2.4 `filter` (without a name), `array` (with one), for both `strlist`,
    in 2.4 `boollist`. `members` are an enum's. `needs` is the setting that a filter of 2.4 must have. `alias` is the name
    under which the daemon keeps the value. `of_auth` is true for what may not stand in `local` or `remote`; `has_variables` is
    false where 2.4 does not look for `%{`. `is_later` is true for what 2.4.1 does not know, `is_gone` for what 2.4.5 does not
    any more; `since` has the defaults of files that are written for a later 2.4, the latest first.
    """

    name: str
    kind: str
    default: str
    members: tuple[str, ...] = ()
    needs: str = ""
    alias: str = ""
    of_auth: bool = False
    has_variables: bool = True
    is_later: bool = False
    is_gone: bool = False
    since: tuple[tuple[Version, str], ...] = ()

    @property
    def is_section(self) -> bool:
        """True for what is written as a block."""
        return self.kind in SECTIONS


@dataclass(frozen=True, slots=True)
class Catalogue:
    """All settings of a family.

    `inside` has those of 2.3 by the types of the sections they stand in, `()` for none; all of 2.4 are global. `preset` has
    what the family sets by itself in sections: `("service imap-login", "inet_listener imap")` has `port` 143.
    """

    family: str
    inside: Mapping[tuple[str, ...], Mapping[str, Definition]]
    preset: Mapping[tuple[str, ...], Mapping[str, str]]

    def get(self, name: str, where: tuple[str, ...] = ()) -> Definition | None:
        """The definition of a name in sections of these types."""
        return self.inside.get(where, {}).get(name)

    def default(self, name: str, written: str = "") -> str:
        """A global setting's value where nothing is written; empty for what the family does not know.

        `written` is the release of 2.4 that the files are written for (`dovecot_config_version`).
        """
        known = self.get(name)
        if known is None:
            return ""
        own = self.preset.get((name,))
        if own is None and known.since and (version := version_of(written)):
            return next((default for first, default in known.since if first <= version), known.default)
        return known.default if own is None else " ".join(each for each, value in own.items() if value == "yes")

    def presets_below(self, *path: str) -> Iterator[tuple[str, ...]]:
        """The sections that are there by themselves directly below a section."""
        yield from (each for each in self.preset if each[:-1] == path)


@cache
def catalogue(family: str) -> Catalogue:
    """The catalogue of `2.3` or `2.4`."""
    inside: dict[tuple[str, ...], dict[str, Definition]] = {}
    preset: dict[tuple[str, ...], dict[str, str]] = {}
    table = pkgutil.get_data(__name__, f"{family}.tsv")  # a part of the program, no file of the host
    assert table is not None
    for line in table.decode().splitlines():
        if line.startswith("#"):
            continue
        where, name, kind, default, flags = line.split("\t")
        if kind == "=":
            preset.setdefault(tuple(where.split(" > ")) if where else (), {})[name] = default
        else:
            inside.setdefault(tuple(where.split("/")) if where else (), {})[name] = _definition(name, kind, default, flags)
    return Catalogue(family, inside, preset)


def _definition(name: str, kind: str, default: str, flags: str) -> Definition:
    type_, _, detail = kind.partition(":")
    alias = ""
    if type_ == "alias":
        alias, _, kind = detail.partition(" ")
        type_, _, detail = kind.partition(":")
    members = tuple(detail.split("|")) if type_ == "enum" else ()
    needs = detail if type_ in ("filter", "array") else ""
    has = flags.split(",")
    since = [(version_of(first) or (), value) for first, is_change, value in (flag.partition("=") for flag in has) if is_change]
    return Definition(
        name,
        type_,
        default,
        members,
        needs,
        alias,
        of_auth="auth" in has,
        has_variables="novars" not in has,
        is_later="later" in has,
        is_gone="gone" in has,
        since=tuple(sorted(since, reverse=True)),
    )
