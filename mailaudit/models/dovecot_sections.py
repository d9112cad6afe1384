"""Dovecot's effective settings: sections merged by type and name, the last value of each setting, and what it overrode."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from mailaudit.models.dovecot_reading import Setting, Visit, key_of, name_of, value_of
from mailaudit.models.dovecot_refusals import refused_section, refused_setting, renamed
from mailaudit.models.dovecot_settings import DEFAULTS, FILTERS, NEW, OLD, PREFIXES, SECTIONS_THAT_ADD_UP
from mailaudit.parsers.tree import Problem, Statement


@dataclass(frozen=True, slots=True, eq=False)
class Section:
    """A section with all that is said in it, in however many places.

    `visits` are its first lines, or settings that name it by slashes; there are none for the root.
    """

    type: str = ""
    name: str = ""
    settings: dict[str, Setting] = field(default_factory=dict)
    sections: list[Section] = field(default_factory=list)
    visits: list[Visit] = field(default_factory=list)
    index: dict[tuple[str, str], Section] = field(default_factory=dict, repr=False)

    def of(self, type_: str) -> list[Section]:
        """The sections of a type directly below, in the order they were opened."""
        return [section for section in self.sections if section.type == type_]

    def named(self, type_: str, name: str) -> Section | None:
        """The section of a type and name directly below."""
        return self.index.get((type_, name))

    @property
    def opened(self) -> Statement | None:
        """The last first line of it, or None where only slashes name it."""
        return next((visit.statement for visit in reversed(self.visits) if visit.statement.is_block), None)

    def get(self, *names: str) -> Setting | None:
        """The first of these settings that is set here."""
        return next((self.settings[name] for name in names if name in self.settings), None)

    def walk(self) -> Iterable[Section]:
        """Itself and all sections below."""
        yield self
        for section in self.sections:
            yield from section.walk()


@dataclass
class Merging:
    """Visits become sections. What the daemon refuses is in `refused`; it is left out, or read as it was plainly meant."""

    family: str
    root: Section = field(default_factory=Section)
    refused: list[Problem] = field(default_factory=list)
    _open: list[tuple[Statement | None, Section]] = field(default_factory=list)

    def add(self, visits: Iterable[Visit]) -> None:
        """Take all visits in their order."""
        self._open = [(None, self.root)]
        for visit in visits:
            while len(self._open) > 1 and not self._is_within(visit):
                self._open.pop()
            if visit.statement.is_block:
                self._section(visit)
            elif visit.statement.kind == "setting":
                self._setting(visit)

    def _is_within(self, visit: Visit) -> bool:
        depth = len(self._open) - 1
        return len(visit.within) >= depth and visit.within[depth - 1] is self._open[-1][0]

    def _section(self, visit: Visit) -> None:
        statement = visit.statement
        parent = self._open[-1][1]
        type_, name = name_of(statement)
        problem = refused_section(statement, visit.within, self.family)
        if problem is not None:
            self.refused.append(problem)
            self._open.append((statement, Section(type_, name)))  # what stands in it is read, and kept from the rest
            return
        section = self._child(parent, type_, name)
        section.visits.append(visit)
        self._open.append((statement, section))

    def _child(self, parent: Section, type_: str, name: str) -> Section:
        adds_up = not name and self.family == OLD and type_ in SECTIONS_THAT_ADD_UP
        known = None if adds_up else parent.named(type_, name)
        if known is None:
            known = Section(type_, name)
            parent.sections.append(known)
            parent.index.setdefault((type_, name), known)
        return known

    def _setting(self, visit: Visit) -> None:
        statement = visit.statement
        scope, name = self._scope(visit)
        value = self._value(statement, scope, name)
        token, from_file = value_of(statement), statement.node.has("<")
        setting = Setting(name, value, token, statement, from_file=from_file, within=visit.within)
        inside = "" if scope.type in ("", *FILTERS) else scope.type
        problem = refused_setting(setting, inside, visit.within, self.family)
        if problem is not None:
            self.refused.append(problem)
            mended = renamed(setting, problem, self.family)
            if mended is None:
                return
            setting = mended
        scope.settings[setting.name] = replace(setting, before=scope.settings.get(setting.name))
        if self.family == NEW:  # a list's string form takes the place of what its block form said before
            block = scope.index.pop((setting.name, ""), None)
            if block is not None:
                scope.sections[:] = [each for each in scope.sections if each is not block]

    def _scope(self, visit: Visit) -> tuple[Section, str]:
        """The section that a setting belongs to, and its name there."""
        *around, (_, scope) = self._open
        key = key_of(visit.statement).value
        if scope.type == "plugin":
            return scope, key
        *path, name = key.split("/")
        while path:
            type_ = path.pop(0)
            around.append((None, scope))
            scope = self._child(scope, type_, path.pop(0) if path else "")
            scope.visits.append(visit)
        if self.family == NEW and scope.type in PREFIXES and around:
            name = name if name.startswith(scope.type) else f"{scope.type}_{name}"
            scope = around[-1][1]
        return scope, name

    def _value(self, statement: Statement, scope: Section, name: str) -> str:
        token = value_of(statement)
        if token is None:
            return ""
        if token.kind != "word" or "$" not in token.value or statement.node.has("<"):
            return token.value
        if self.family == NEW:
            return " ".join(self._variable(word, scope, name) for word in token.value.split(" "))
        if not token.value.startswith("$"):
            return token.value
        first, blank, rest = token.value.partition(" ")
        return self._look_up(first[1:], scope, name) + blank + rest

    def _variable(self, word: str, scope: Section, name: str) -> str:
        return self._look_up(word[5:], scope, name) if word.startswith("$SET:") else word

    def _look_up(self, variable: str, scope: Section, name: str) -> str:
        """A setting's value so far: of this section; of those around it only where a setting names itself."""
        scopes = [scope, *(section for _, section in reversed(self._open))] if variable == name else [scope]
        for each in scopes:
            if variable in each.settings:
                return each.settings[variable].value
        return DEFAULTS[self.family].get(variable, "")
