"""How Dovecot 2.3 takes its statements in: sections by type and name, variables, and what it knows inside of which section."""

from __future__ import annotations

from dataclasses import dataclass, field

from mailaudit.models.dovecot.filters import misplaced
from mailaudit.models.dovecot.obsolete import Change, changed, changed_section
from mailaudit.models.dovecot.reading import Setting, Visit, key_of, name_of, parts_of, value_of
from mailaudit.models.dovecot.refusals import mended, refused_value
from mailaudit.models.dovecot.sections import LONGEST, Merging, Scope, Section, is_variable_line
from mailaudit.models.dovecot.settings import FILTERS
from mailaudit.models.dovecot.values import is_true
from mailaudit.parsers.tree import Problem, Statement, Token
from mailaudit.text import Span


@dataclass
class OldMerging(Merging):
    """2.3."""

    counter: int = 0  # sections without a name; each is a section of its own
    _filters: dict[Section, dict[str, str]] = field(default_factory=dict)  # what is combined in a filter, by type

    def section(self, visit: Visit) -> None:
        """Open a section: a filter, a section that the ones around it know, or a block after a plain setting's name."""
        statement, parent = visit.statement, self.open[-1]
        type_, name = name_of(statement)
        if parent.kind == "lost":
            self.open.append(Scope(statement, Section(), "lost"))
        elif statement.kind == "group" or statement.tokens[0].kind == "string":
            self.lose(visit, Problem(f'Dovecot 2.3 knows no section "{type_}"', statement.tokens[0].span))
        elif parent.kind == "list":
            problem = Problem(f'no section may stand in the section "{parent.section.type}"', statement.tokens[0].span)
            self.lose(visit, problem)
        elif parent.kind == "auth":
            self._of_old_auth(visit, type_, name)
        elif type_ in FILTERS:
            self._filter(visit, *changed_section(type_, name))
        elif type_ == "auth" and not parent.where:
            self.open.append(Scope(statement, self.root, "auth"))
        else:
            self._section(visit, *changed_section(type_, name))

    def _filter(self, visit: Visit, type_: str, name: str) -> None:
        message = misplaced(type_, name, self.open, self.family)
        if message:
            self.lose(visit, Problem(message, visit.statement.tokens[0].span))
            return
        section = self.root
        combined = {**self._filters.get(self.around()[0], {}), type_: name}  # a network in a network takes its place
        for each in FILTERS:
            section = section.child(each, combined[each]) if each in combined else section
        section.visits.append(visit)
        for scope in [each for each in self.open if each.kind == "section"]:  # the path to what is set stays the same
            section = section.child(scope.section.type, scope.section.name)
        self._filters[section] = combined
        self.open.append(Scope(visit.statement, section, "filter", self.open[-1].where))

    def _section(self, visit: Visit, type_: str, name: str) -> None:
        statement, parent = visit.statement, self.open[-1]
        definition = self.known.get(type_, parent.where)
        if definition is None or definition.kind == "obsolete":
            self.lose(visit, self.names.unknown_section(statement, type_, parent.where))
            return
        if not name:
            self.counter += 1
        if not definition.is_section and parent.where:  # the daemon falls over it
            problem = Problem(f'"{type_}" is a setting, no section: {type_} = ...', statement.tokens[0].span)
            self.lose(visit, problem)
        elif not definition.is_section:
            self._plain(visit, type_, name or str(self.counter - 1), parent)
        elif definition.kind == "strlist":
            section = parent.section.child(type_, "")
            section.visits.append(visit)
            self.open.append(Scope(statement, section, "list", (*parent.where, type_), definition))
        elif definition.kind == "sections" and name and parent.section.named(type_, name):
            problem = Problem(f"a second {type_} of the name {name}", statement.tokens[0].span)
            self.lose(visit, problem)
        else:
            section = parent.section.child(type_, name, name.lower() or f"#{self.counter}")
            section.name = name  # names that differ in capitals are one, and the last one stays
            section.visits.append(visit)
            self.open.append(Scope(statement, section, "section", (*parent.where, type_), definition))

    def _plain(self, visit: Visit, type_: str, name: str, parent: Scope) -> None:
        """A block after a plain setting's name: the setting gets the section's name for a value, and nothing is known inside."""
        node = visit.statement.node.node("name")
        setting = Setting(type_, name, node.first if node else None, visit.statement, within=visit.within)
        self._put(setting, parent.section, parent.where)
        self.open.append(Scope(visit.statement, Section(type_, name), "setting", (*parent.where, type_)))

    def _of_old_auth(self, visit: Visit, type_: str, name: str) -> None:
        """A section inside of `auth`, as versions before 2.0 had it: `passdb pam` is a passdb of the driver pam."""
        if type_ == "socket":  # of another age: what it sets up has no counterpart that a rule asks about
            self.open.append(Scope(visit.statement, Section(), "lost"))
            return
        if type_ not in ("passdb", "userdb"):
            self._section(visit, type_, name)
            return
        self.counter += 1
        section = self.root.child(type_, "", f"#{self.counter}")
        section.visits.append(visit)
        node = visit.statement.node.node("name")
        self.store(section, Setting("driver", name, node.first if node else None, visit.statement))
        self.open.append(Scope(visit.statement, section, "section", (type_,), self.known.get(type_)))

    def setting(self, visit: Visit) -> None:
        """Take a setting in: under its own name, or as what it has become since."""
        statement, scope = visit.statement, self.open[-1]
        if scope.kind == "lost":
            return
        key, token, from_file = parts_of(statement)
        value = token.value if token else ""
        is_variable = is_variable_line(token, from_file=from_file)
        if is_variable:
            refusals = len(self.refused)
            value = self._expanded(value, key.value.split("/")[-1], statement)
            if len(self.refused) > refusals or (token is not None and self.is_too_long(value, token)):
                return
        setting = Setting(key.value, value, token, statement, from_file, visit.within)
        if key.kind == "string" or (token is not None and token.kind == "heredoc"):
            at = key.span if key.kind == "string" or token is None else _second_line(token)
            self.refused.append(Problem("Dovecot 2.3 knows no quoted names and no here-documents", at))
            return
        if scope.kind == "auth" and not key.value.startswith("auth_"):
            setting = Setting(f"auth_{key.value}", value, token, statement, from_file, visit.within)
        change = None if scope.where or from_file or is_variable else changed(setting.name, value, self.around()[0])
        if change is None:
            self._found(setting, scope)
        else:
            self._changed(setting, change, scope)

    def _found(self, setting: Setting, scope: Scope) -> None:
        """Set a setting in the section that its name leads to from this one."""
        section, where, path = scope.section, scope.where, setting.name.split("/")
        if scope.kind == "list" and "/" not in setting.name:
            self.store(section, setting)
            return
        while len(path) > 1:
            definition = self.known.get(path[0], where)
            if definition is None or not definition.is_section:
                break
            found = self._on_path(section, where, path, definition.kind)
            if found is None:
                break
            section, where, path = found
            if definition.kind == "strlist":
                self.store(section, _renamed(setting, "/".join(path)))
                return
        if len(path) > 1:
            self._unknown(setting, setting.name, scope.where)
        else:
            self._put(_renamed(setting, path[0]), section, where)

    def _on_path(
        self, section: Section, where: tuple[str, ...], path: list[str], kind: str
    ) -> tuple[Section, tuple[str, ...], list[str]] | None:
        """The section that the first words of a slashed name lead to; only one that is there already."""
        type_, name = path[0], path[1]
        if kind == "strlist":
            return section.child(type_, ""), (*where, type_), path[1:]
        known = section.named(type_, name)
        if known is None and not self._is_preset(section, type_, name):
            return None
        return known or section.child(type_, name, name.lower()), (*where, type_), path[2:]

    def _is_preset(self, section: Section, type_: str, name: str) -> bool:
        above = (f"{section.type} {section.name}",) if section.type == "service" else ()
        return (*above, f"{type_} {name}") in self.known.preset

    def _put(self, setting: Setting, section: Section, where: tuple[str, ...]) -> None:
        definition = self.known.get(setting.name, where)
        if definition is None or definition.kind == "obsolete":
            self._unknown(setting, setting.name, where)
            return
        if definition.of_auth and any(each.type in ("local", "local_name", "remote") for each in self.around()):
            self._refuse(setting, "Dovecot takes no settings of auth in local and remote")
            return
        if definition.is_section:
            return  # it makes empty sections
        problem = refused_value(setting, definition, self.family)
        if problem is not None:
            self.refused.append(problem)
            better = mended(setting, problem)
            if better is not None:
                self.store(section, _renamed(better, definition.alias or better.name))
            return
        self.store(section, _renamed(setting, definition.alias or setting.name))

    def _unknown(self, setting: Setting, written: str, where: tuple[str, ...]) -> None:
        problem = self.names.unknown_setting(setting, written, where)
        self.refused.append(problem)
        better = mended(setting, problem)
        definition = self.known.get(better.name, where) if better else None
        if better and definition and not definition.is_section and refused_value(better, definition, self.family) is None:
            self.store(self.open[-1].section, better)

    def _refuse(self, setting: Setting, message: str) -> None:
        assert setting.statement is not None
        self.refused.append(Problem(message, key_of(setting.statement).span))

    def _changed(self, setting: Setting, change: Change, scope: Scope) -> None:
        """Take in what an obsolete setting has become."""
        if change.refused:
            self._refuse(setting, change.refused)
        refused = len(self.refused)
        for sections, name, value in change.settings:
            section = self.root if sections else scope.section
            for type_, key in sections:
                section = section.child(type_, key, key.lower())
            new = Setting(name, value, setting.token, setting.statement, change.from_file or setting.from_file, setting.within)
            if section.type == "plugin":
                self.store(section, new)
            else:
                self._put(new, section, tuple(type_ for type_, _ in sections))
        if change.is_lenient:
            del self.refused[refused:]

    def _expanded(self, value: str, key: str, statement: Statement) -> str:
        """A value with its variables; blanks between words become one."""
        found: list[str] = []
        size = 0
        for word in value.split(" "):
            if word and size <= LONGEST:
                found.append(self._variable(word, key, statement) if word.startswith("$") else word)
                size += len(found[-1])
        return " ".join(found)

    def _variable(self, word: str, key: str, statement: Statement) -> str:
        """A setting's value so far: of the filter it stands in; of those around it only where a setting names itself."""
        name = word[1:]
        if name.startswith("ENV:"):
            return word
        definition = self.known.get(name)
        if definition is None or definition.is_section:
            token = value_of(statement)
            assert token is not None
            self.refused.append(Problem(f"no setting has the name that {word} stands for", token.span))
            return word
        scopes = self.around()
        for section in scopes if name == key else scopes[:1]:
            if name in section.settings:
                value = section.settings[name].value
                return ("yes" if is_true(value) else "no") if definition.kind == "bool" else value
        return definition.default


def _second_line(document: Token) -> Span:
    """Where a here-document's text begins: the line that 2.3 cannot read."""
    start = document.start + document.span.chars.find("\n") + 1
    return Span(document.text, start, document.end)


def _renamed(setting: Setting, name: str) -> Setting:
    if setting.name == name:
        return setting
    return Setting(name, setting.value, setting.token, setting.statement, setting.from_file, setting.within, setting.before)
