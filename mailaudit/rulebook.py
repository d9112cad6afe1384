"""Reads rules/: one Markdown page for each rule, and the corrected reference."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from functools import cached_property
from pathlib import Path
from typing import Any

from mailaudit.findings import Basis, Severity

PROFILES = ("guide", "recommended", "strict")
MARK = re.compile(r"[ \t]*# <--[ \t]*$", re.MULTILINE)
_FRONT = re.compile(r"\A\+\+\+\n(.*?)^\+\+\+\n", re.DOTALL | re.MULTILINE)
_FENCE = re.compile(r"^(```+)([^\n`]*)\n(.*?)^\1[ \t]*$", re.DOTALL | re.MULTILINE)
_ID = re.compile(r"[A-Z]+\d{3}")
_FIELDS = {"severity", "basis", "evidence", "sources", "since", "traps", "profiles", "also"}


class SelectionError(Exception):
    """A rule id, name or prefix that selects nothing; the hints say what does."""

    hints = ("mailaudit rules lists all of them",)


@dataclass(frozen=True, slots=True)
class Case:
    """A Wrong or Right section of a page: files by path, without their marks, and the marked lines of each."""

    title: str
    wrong: bool
    files: dict[str, str]
    marks: dict[str, tuple[int, ...]]


@dataclass(frozen=True)
class Page:
    """A rule's page. `title` states what is right; `also` are the catalogue's other ids for the same rule."""

    id: str
    name: str
    severity: Severity
    basis: Basis
    evidence: tuple[str, ...]
    sources: tuple[str, ...]
    since: str
    traps: tuple[str, ...]
    profiles: tuple[str, ...]
    source: str = field(repr=False)
    also: tuple[str, ...] = ()

    @property
    def ids(self) -> tuple[str, ...]:
        """All ids that it goes by, its own first."""
        return (self.id, *self.also)

    @cached_property
    def body(self) -> str:
        """The Markdown below the front matter."""
        return _FRONT.sub("", self.source, count=1)

    @cached_property
    def title(self) -> str:
        """The page's heading: the state that is right."""
        for line in self.body.splitlines():
            if line.startswith("# "):
                return line[2:].strip()
        return self.name

    def section(self, heading: str) -> str:
        """The prose of a section, one paragraph a line, or an empty text."""
        match = re.search(rf"^## {re.escape(heading)}[ \t]*\n(.*?)(?=^## |\Z)", self.body, re.DOTALL | re.MULTILINE)
        return match.group(1).strip() if match else ""

    @cached_property
    def cases(self) -> tuple[Case, ...]:
        """The Wrong and Right sections, in order."""
        found = []
        for match in re.finditer(r"^## (Wrong|Right)\b([^\n]*)\n(.*?)(?=^## |\Z)", self.body, re.DOTALL | re.MULTILINE):
            blocks = {fence[2].strip(): fence[3] for fence in _FENCE.finditer(match[3])}
            marks = {
                path: tuple(n for n, line in enumerate(text.split("\n"), 1) if MARK.search(line)) for path, text in blocks.items()
            }
            texts = {path: MARK.sub("", text) for path, text in blocks.items()}
            found.append(Case(match[2].strip(" :"), match[1] == "Wrong", texts, marks))
        return tuple(found)


class PageError(Exception):
    """A page that is not as it must be."""


@dataclass(frozen=True)
class Rulebook:
    """All pages by id, and the templates of the corrected reference by the host's own path."""

    pages: dict[str, Page]
    root: Path = field(repr=False)

    @cached_property
    def by_name(self) -> dict[str, Page]:
        """The pages by kebab-case name."""
        return {page.name: page for page in self.pages.values()}

    @property
    def called(self) -> list[str]:
        """All that rules are called: ids, other ids, names."""
        return [*(each for page in self.pages.values() for each in page.ids), *self.by_name]

    def named(self, selectors: Iterable[str], said: object = None) -> list[str]:
        """The ids that selectors select. Raises `SelectionError` for one that selects none; `said` is where it is said."""
        found: set[str] = set()
        for selector in selectors:
            matching = self.matching(selector)
            if not matching:
                near = get_close_matches(selector, self.called, n=1)
                hint = f"; did you mean {near[0]}?" if near else ""
                raise SelectionError(f"{f'{said}: ' if said else ''}no rule is called {selector!r}{hint}")
            found.update(matching)
        return sorted(found)

    def matching(self, selector: str) -> list[str]:
        """The ids of the pages that an id, a name, or a prefix of ids selects; another id of a rule selects that rule."""
        if selector in self.by_name:
            return [self.by_name[selector].id]
        prefix = selector.upper()
        return [page.id for page in self.pages.values() if any(each.startswith(prefix) for each in page.ids)]

    @cached_property
    def reference(self) -> dict[str, str]:
        """The templates of the corrected reference: text by the path on a host."""
        return _templates(self.root / "reference")

    def founding(self, dovecot: str) -> dict[str, str]:
        """The templates of a host from nothing: the reference, what stands around it, what a Dovecot has otherwise."""
        below = self.root / "founding"
        return {**self.reference, **_templates(below / "all"), **_templates(below / f"dovecot-{dovecot}")}


def _templates(below: Path) -> dict[str, str]:
    paths = sorted(path for path in below.rglob("*") if path.is_file())
    return {f"/{path.relative_to(below).as_posix()}": path.read_text("utf-8") for path in paths}


def load() -> Rulebook:
    """The rulebook."""
    below = root()
    pages: dict[str, Page] = {}
    for path in sorted(below.glob("*/*.md")):
        page = read_page(path.name, path.read_text("utf-8"))
        if page.id in pages:
            raise PageError(f"{path.name}: a second page for {page.id}")
        pages[page.id] = page
    _check_other_ids(pages)
    return Rulebook(dict(sorted(pages.items())), below)


def _check_other_ids(pages: Mapping[str, Page]) -> None:
    """Raise `PageError` unless each other id is one page's only, and no page's own."""
    of: dict[str, str] = {}
    for page in pages.values():
        for each in page.also:
            if not _ID.fullmatch(each):
                raise PageError(f"{page.id}: also names {each!r}, which is no id such as ABUSE006")
            if each in pages:
                raise PageError(f"{page.id}: also names {each}, which has a page of its own")
            if each in of:
                raise PageError(f"{page.id}: also names {each}, which {of[each]} names too")
            of[each] = page.id


def root() -> Path:
    """The folder of rules: that of the checkout, or the one that an installed mailaudit carries."""
    packaged = Path(__file__).resolve().parent / "rules"
    return packaged if packaged.is_dir() else packaged.parent.parent / "rules"


def read_page(filename: str, source: str) -> Page:
    """A page from its text; `filename` is `ID-kebab-name.md`."""
    named = re.fullmatch(r"([A-Z]+\d+)-([a-z0-9-]+)\.md", filename)
    front = _FRONT.match(source)
    if named is None or front is None:
        raise PageError(f"{filename}: a page is named ID-name.md and begins with front matter between +++ lines")
    try:
        fields: dict[str, Any] = tomllib.loads(front[1])
        unknown = set(fields) - _FIELDS
        if unknown:
            raise PageError(f"{filename}: unknown field {min(unknown)}")
        return Page(
            id=named[1],
            name=named[2],
            severity=Severity[fields["severity"].upper()],
            basis=Basis(fields["basis"]),
            evidence=tuple(fields["evidence"]),
            sources=tuple(fields["sources"]),
            since=fields["since"],
            traps=tuple(fields.get("traps", ())),
            profiles=tuple(fields.get("profiles", _profiles(Basis(fields["basis"])))),
            source=source,
            also=tuple(fields.get("also", ())),
        )
    except (tomllib.TOMLDecodeError, KeyError, ValueError) as error:
        raise PageError(f"{filename}: {error}") from error


def _profiles(basis: Basis) -> tuple[str, ...]:
    """The profiles that hold a rule (catalogue, section 7.4)."""
    if basis is Basis.GUIDE:
        return PROFILES
    if basis is Basis.HYGIENE:
        return ("strict",)
    return ("recommended", "strict")
