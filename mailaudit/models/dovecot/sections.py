"""Dovecot's effective settings: sections merged by type and name, the last value of each setting, and what it overrode."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from mailaudit.models.dovecot.catalogue import Catalogue, Definition, catalogue
from mailaudit.models.dovecot.reading import Setting, Visit
from mailaudit.models.dovecot.refusals import Names
from mailaudit.parsers.tree import Problem, Statement, Token

LONGEST = 65536  # characters of a value, once its variables are in it


@dataclass(slots=True, eq=False)
class Section:
    """A section with all that is said in it, in however many places.

    `settings` are by the name that the daemon keeps them under: in 2.4 `passdb x { driver = y }` is `passdb_driver`. `visits`
    are its first lines, or settings that name it by slashes; there are none for the root.
    """

    type: str = ""
    name: str = ""
    settings: dict[str, Setting] = field(default_factory=dict)
    sections: list[Section] = field(default_factory=list)
    visits: list[Visit] = field(default_factory=list)
    index: dict[tuple[str, str], Section] = field(default_factory=dict, repr=False)

    def of(self, type_: str) -> list[Section]:
        """The sections of a type directly below, in the order they were opened; in 2.4 the type's prefix may be left out."""
        types = (type_, f"{self.type}_{type_}")
        return [section for section in self.sections if section.type in types]

    def named(self, type_: str, name: str) -> Section | None:
        """The section of a type and name directly below."""
        types, names = (type_, f"{self.type}_{type_}"), (name, name.lower())
        return next((self.index[each, key] for each in types for key in names if (each, key) in self.index), None)

    @property
    def opened(self) -> Statement | None:
        """The last first line of it, or None where only slashes name it."""
        return next((visit.statement for visit in reversed(self.visits) if visit.statement.is_block), None)

    def get(self, *names: str) -> Setting | None:
        """The first of these settings that is set here; in 2.4 the section's prefix may be left out."""
        for name in names:
            for full in (name, f"{self.type}_{name}"):
                if full in self.settings:
                    return self.settings[full]
        return None

    def walk(self) -> Iterator[Section]:
        """Itself and all sections below, however deep."""
        left = [self]
        while left:
            section = left.pop()
            yield section
            left += reversed(section.sections)

    def child(self, type_: str, name: str, key: str | None = None) -> Section:
        """The section of a type and name directly below, made if it is not there. `key` is the name by which it is known."""
        known = self.index.get((type_, name if key is None else key))
        return self.another(type_, name, key) if known is None else known

    def another(self, type_: str, name: str, key: str | None = None) -> Section:
        """A new section of a type and name directly below, beside those that are there."""
        made = Section(type_, name)
        self.sections.append(made)
        self.index.setdefault((type_, name if key is None else key), made)
        return made


def written_for(root: Section) -> str:
    """The release of 2.4 that the files are written for; empty where they do not say."""
    version = root.settings.get("dovecot_config_version")
    return version.value if version else ""


@dataclass(slots=True, eq=False)
class Scope:
    """An open section as the reading goes on.

    `kind` is `filter` (local, remote, protocol and their kin; the root too), `section`, `list` (its settings are a list's
    elements), `setting` (a block after a plain setting's name), `auth` (a block of versions before 2.0), or `lost`: it was
    refused, and what stands in it is kept from the rest. `where` are the types of the sections of 2.3 that it stands in, up to
    the filter around them.
    """

    statement: Statement | None
    section: Section
    kind: str = "filter"
    where: tuple[str, ...] = ()
    definition: Definition | None = None


@dataclass
class Merging:
    """Visits become sections. What the daemon refuses is in `refused`; it is left out, or read as it was plainly meant."""

    family: str
    installed: str = ""  # the release, as much of it as is told
    root: Section = field(default_factory=Section)
    refused: list[Problem] = field(default_factory=list)
    unknown: list[Problem] = field(default_factory=list)  # what could not be made out
    open: list[Scope] = field(default_factory=list)
    known: Catalogue = field(init=False)
    names: Names = field(init=False)

    def __post_init__(self) -> None:
        self.known = catalogue(self.family)
        self.names = Names(self.known)
        self.open.append(Scope(None, self.root))

    def add(self, visits: Iterable[Visit]) -> None:
        """Take statements in, in the order the daemon comes to them."""
        for visit in visits:
            while len(self.open) > 1 and not self._is_within(visit):
                self.closed(self.open.pop())
            if visit.statement.is_block:
                self.section(visit)
            elif visit.statement.kind == "setting":
                self.setting(visit)
        while len(self.open) > 1:
            self.closed(self.open.pop())

    def _is_within(self, visit: Visit) -> bool:
        depth = len(self.open) - 1
        return len(visit.within) >= depth and visit.within[depth - 1] is self.open[-1].statement

    def section(self, visit: Visit) -> None:
        """Open a section."""
        raise NotImplementedError

    def setting(self, visit: Visit) -> None:
        """Take a setting in."""
        raise NotImplementedError

    def closed(self, scope: Scope) -> None:
        """Look at a section at its end."""

    def lose(self, visit: Visit, problem: Problem) -> None:
        """Refuse a section: what stands in it is read, and kept from the rest."""
        self.refused.append(problem)
        self.open.append(Scope(visit.statement, Section(), "lost"))

    def around(self) -> list[Section]:
        """The filters that are open, the innermost first, the root last."""
        found = [scope.section for scope in reversed(self.open) if scope.kind == "filter"]
        return list(dict.fromkeys(found))

    def is_too_long(self, value: str, token: Token) -> bool:
        """True for a value that variables have made longer than anything sensible; it is not made out."""
        if len(value) <= LONGEST:
            return False
        self.unknown.append(Problem("variables make this longer than is read", token.span, refused=False))
        return True

    @staticmethod
    def store(section: Section, setting: Setting) -> None:
        """Set a setting, and remember what it overrides."""
        before = section.settings.get(setting.name)
        if before is not None:
            setting = Setting(
                setting.name, setting.value, setting.token, setting.statement, setting.from_file, setting.within, before
            )
        section.settings[setting.name] = setting


def is_variable_line(token: Token | None, *, from_file: bool) -> bool:
    """True for a value in which the daemon looks for variables: one without quotes that has a dollar sign."""
    return token is not None and token.kind == "word" and not from_file and "$" in token.value
