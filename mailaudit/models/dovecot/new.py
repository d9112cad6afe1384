"""How Dovecot 2.4 takes its statements in: names are global, and a section's prefix may be left out inside of it."""

from __future__ import annotations

from dataclasses import dataclass

from mailaudit.models.dovecot.catalogue import FIRST, LAST, Definition, version_of
from mailaudit.models.dovecot.filters import misplaced
from mailaudit.models.dovecot.reading import Setting, Visit, key_of, name_of, parts_of, value_of
from mailaudit.models.dovecot.refusals import mended, refused_value, refused_variable
from mailaudit.models.dovecot.sections import LONGEST, Merging, Scope, Section, is_variable_line
from mailaudit.models.dovecot.settings import FILTERS
from mailaudit.models.dovecot.values import is_true
from mailaudit.parsers.tree import Problem, Statement, Token

_NOT_IN = {"namespace": ("namespace", "mailbox"), "mailbox": ("mailbox",)}
_NOT_IN_GROUPS = frozenset(("import_environment", "base_dir", "dovecot_storage_version"))
_LISTS = ("strlist", "boollist")


@dataclass
class NewMerging(Merging):
    """2.4."""

    # Sections

    def section(self, visit: Visit) -> None:
        """Open a section: a group, a filter, a list, or a block after a plain setting's name."""
        statement, parent = visit.statement, self.open[-1]
        type_, name = name_of(statement)
        if parent.kind == "lost":
            self.open.append(Scope(statement, Section(), "lost"))
        elif statement.kind == "group":
            self._group(visit)
        elif type_.startswith("@"):
            self._group_of(visit, statement.tokens[0], name)
        elif parent.kind == "list" and type_ not in self.known.inside[()]:
            self.lose(visit, Problem(f'no section may stand in the list "{parent.section.type}"', statement.tokens[0].span))
        else:
            full = next((each for each in self._prefixed(parent.section, type_) if self._is_prefixable(each)), type_)
            self._typed(visit, full, type_, name)

    def _typed(self, visit: Visit, type_: str, written: str, name: str) -> None:
        statement, parent = visit.statement, self.open[-1]
        definition = self.known.get(type_)
        message = ""
        if type_ in FILTERS:
            message = misplaced(type_, name, self.open, self.family)
        elif definition is None:
            self.lose(visit, self.names.unknown_section(statement, written, self._types()))
            return
        elif definition.kind in ("filter", "array"):
            message = self._misnamed(statement, definition, written, name)
        if message:
            self.lose(visit, Problem(message, statement.tokens[0].span))
        elif type_ in FILTERS:
            self._enter(visit, parent.section.child(type_, name.lower() if type_ == "local_name" else name), None)
        elif definition is not None and definition.kind in ("filter", "array"):
            self._enter(visit, parent.section.child(type_, name), definition)
        elif definition is not None and definition.kind in _LISTS:
            section = self._home(type_).child(type_, "")
            section.visits.append(visit)
            self.open.append(Scope(statement, section, "list", definition=definition))
        else:
            self.open.append(Scope(statement, parent.section, "setting", definition=definition))

    def _enter(self, visit: Visit, section: Section, definition: Definition | None) -> None:
        section.visits.append(visit)
        self.open.append(Scope(visit.statement, section, "filter", definition=definition))

    def _misnamed(self, statement: Statement, definition: Definition, written: str, name: str) -> str:
        """Why a section may not stand here, or not with this name."""
        node = statement.node.node("name")
        is_named = bool(name) or (node is not None and node.first.kind == "string")
        around = self.open[-1].section
        if definition.kind == "filter":
            return f'the section "{written}" has no name in Dovecot 2.4' if is_named else ""
        if around.name and around.type in _NOT_IN.get(definition.name, ()):
            return f'"{written}" may not stand in "{around.type}"'
        if definition.name == "service" and around.name and around.type not in FILTERS and not around.type.startswith("@"):
            return f'"service" may not stand in "{around.type}"'
        if name.startswith("__"):
            return f'the name of a "{written}" must not begin with "__"'
        return "" if is_named else f'the section "{written}" has no name, which Dovecot 2.4 asks for'

    def _group(self, visit: Visit) -> None:
        """A group: settings that take effect where it is named."""
        statement = visit.statement
        label, name = statement.node.node("label"), statement.node.node("name")
        assert label is not None
        assert name is not None
        self._group_of(visit, label.first, name.first.value)

    def _group_of(self, visit: Visit, label: Token, name: str) -> None:
        statement = visit.statement
        if len(self.open) > 1:
            self.lose(visit, Problem("a group may not stand in a section", statement.tokens[0].span))
        elif not label.value.startswith("@"):
            at = statement.body[0].tokens[0] if statement.body else label  # the daemon stumbles over what is inside
            self.lose(visit, Problem("the label of a group begins with @", at.span, mend=None))
        else:
            self._enter(visit, self.root.child(label.value, name), None)

    def closed(self, scope: Scope) -> None:
        """Ask for the setting that a section must have."""
        needed = scope.definition.needs if scope.definition and scope.kind == "filter" else ""
        if not needed or scope.statement is None:
            return
        section = scope.section
        if needed not in section.settings and not any(each.type == needed for each in section.sections):
            at = scope.statement.close[0] if scope.statement.close else scope.statement.tokens[0]
            written = needed.removeprefix(f"{section.type}_")
            self.refused.append(Problem(f'the section "{section.type}" must have {written}, and has none', at.span))

    # Settings

    def setting(self, visit: Visit) -> None:
        """Take a setting in, under the longest name that the sections around it make of its own."""
        statement, scope = visit.statement, self.open[-1]
        if scope.kind == "lost":
            return
        key, token, from_file = parts_of(statement)
        value = token.value if token else ""
        if is_variable_line(token, from_file=from_file):
            expanded = self._expanded(value, key.value, statement)
            if expanded is None or (token is not None and self.is_too_long(expanded, token)):
                return
            value = expanded
        setting = Setting(key.value, value, token, statement, from_file, visit.within)
        if key.value.startswith("@"):
            self._include(setting, scope)
        elif scope.kind == "list":
            self._element(setting, scope)
        elif scope.kind == "setting":
            assert scope.definition is not None
            self._put(_renamed(setting, scope.definition.name), scope.section, scope.definition)
        else:
            self._resolved(setting, scope)

    def _include(self, setting: Setting, scope: Scope) -> None:
        if any(each.section.type.startswith("@") for each in self.open):
            self._refuse(setting, "a group may not name another one")
        else:
            self.store(scope.section, setting)

    def _element(self, setting: Setting, scope: Scope) -> None:
        """An element of a list that is written as a block."""
        value = setting.value
        problem = refused_variable(setting, scope.definition) if scope.definition and "%{" in value else None
        if problem is not None:
            self.refused.append(problem)
            return
        is_truth = (
            scope.definition is not None and scope.definition.kind == "boollist" and "$ENV:" not in value and "%{" not in value
        )
        if is_truth and not is_true(value) and value.lower() != "no":
            self.refused.append(Problem(f'expected "yes" or "no" for {setting.name}, found "{value}"', setting.span))
        else:
            self.store(scope.section, setting)

    def _resolved(self, setting: Setting, scope: Scope) -> None:
        """Set a setting in the section that its name leads to from this one."""
        section, path = scope.section, setting.name
        while "/" in path:
            type_, _, rest = path.partition("/")
            definition = self.known.get(type_)
            if definition is None or definition.kind not in ("filter", "array"):
                break
            name = ""
            if definition.kind == "array" and "/" in rest:
                name, _, rest = rest.partition("/")
            section, path = section.child(type_, name), rest
        name = next((each for each in self._prefixed(section, path) if self._is_prefixable(each)), path)
        definition = self.known.get(name.partition("/")[0])
        if definition is None:
            self._unknown(setting, path)
            return
        if section.type and not section.name and section.type not in FILTERS and name.startswith(f"{section.type}_"):
            section = self._parent_of(section)
        if "/" in name and definition.kind in _LISTS:
            list_, _, element = name.partition("/")
            self.store(section.child(list_, ""), _renamed(setting, element))
        else:
            self._put(_renamed(setting, name), section, definition)

    def _parent_of(self, section: Section) -> Section:
        """The section around one that has no name: its own settings belong there."""
        scopes = [scope.section for scope in self.open]
        at = scopes.index(section) if section in scopes else len(scopes)
        return scopes[at - 1] if at else self.root

    def _home(self, type_: str) -> Section:
        """The section that a list belongs to."""
        section = self.open[-1].section
        is_own = section.type and not section.name and section.type not in FILTERS and type_.startswith(f"{section.type}_")
        return self._parent_of(section) if is_own else section

    @staticmethod
    def _prefixed(section: Section, name: str) -> list[str]:
        """The names that the daemon tries for one in a section before the name itself."""
        if not section.type or section.type in FILTERS:
            return []
        type_ = section.type.removeprefix("@")
        if section.name:
            return [f"{type_}_{section.name.replace('/', '_')}_{name}", f"{type_}_{name}"]
        return [name] if name.startswith(f"{type_}_") else [f"{type_}_{name}"]

    def _is_prefixable(self, name: str) -> bool:
        definition = self.known.get(name.partition("/")[0])
        return definition is not None and definition.kind != "filter"

    def _put(self, setting: Setting, section: Section, definition: Definition) -> None:
        if definition.kind == "filter":
            self._refuse(setting, f'"{definition.name}" is a section: {definition.name} {{')
            return
        if definition.kind == "array":
            self._refuse(setting, f'"{definition.name}" is a section with a name: {definition.name} {setting.value} {{')
            return
        if definition.kind == "strlist" and setting.value:
            self._refuse(setting, f'"{definition.name}" is a list of settings: {definition.name} {{')
            return
        if definition.of_auth and any(each.section.type in ("local", "local_name", "remote") for each in self.open):
            self._refuse(setting, "Dovecot takes no settings of auth in local and remote")
            return
        if definition.name in _NOT_IN_GROUPS and any(each.section.type.startswith("@") for each in self.open):
            self._refuse(setting, f"{definition.name} may not stand in a group")
            return
        problem = refused_value(setting, definition, self.family)
        if problem is not None:
            self.refused.append(problem)
            better = mended(setting, problem)
            if better is None:
                return
            setting = better
        self.store(section, setting)
        block = section.index.pop((setting.name, ""), None) if definition.kind in _LISTS else None
        if block is not None:  # a list's form in one line takes the place of what its block said before
            section.sections[:] = [each for each in section.sections if each is not block]

    def _unknown(self, setting: Setting, written: str) -> None:
        problem = self.names.unknown_setting(setting, written, self._types())
        self.refused.append(problem)
        better = mended(setting, problem)
        if better is None:
            return
        section = self.open[-1].section
        name = next((each for each in self._prefixed(section, better.name) if self._is_prefixable(each)), better.name)
        definition = self.known.get(name)
        if definition and not definition.is_section and refused_value(better, definition, self.family) is None:
            self.store(section, _renamed(better, name))

    def _types(self) -> tuple[str, ...]:
        return tuple(scope.section.type for scope in self.open if scope.section.type and scope.section.type not in FILTERS)

    def _refuse(self, setting: Setting, message: str) -> None:
        assert setting.statement is not None
        self.refused.append(Problem(message, key_of(setting.statement).span))

    # Variables

    def _expanded(self, value: str, key: str, statement: Statement) -> str | None:
        """A value with its $SET: variables, None where one of them is refused; blanks between words become one."""
        found: list[str] = []
        size = 0
        for word in value.split(" "):
            size += len(found[-1]) if found else 0
            if size > LONGEST:
                break
            if not word.startswith("$SET:"):
                found += [word] if word else []
                continue
            definition = self.known.get(word[5:])
            if definition is None or definition.is_section:
                why = "no setting has the name that" if definition is None else "there is no text that"
                token = value_of(statement)
                assert token is not None
                if "/" in word and (version_of(self.installed) or LAST) > FIRST:  # 2.4.2 brought this
                    message = f"the setting of another section that {word} stands for is not looked up"
                    self.unknown.append(Problem(message, token.span, refused=False))
                    return None
                self.refused.append(Problem(f"{why} {word} stands for", token.span))
                return None
            found.append(self._look_up(definition, key))
        return " ".join(found)

    def _look_up(self, definition: Definition, key: str) -> str:
        """A setting's value so far: of the section it stands in; of those around it only where a setting names itself."""
        scopes = [scope.section for scope in reversed(self.open)]
        for section in scopes if definition.name == key else scopes[:1]:
            if definition.name in section.settings:
                return section.settings[definition.name].value
        return definition.default


def _renamed(setting: Setting, name: str) -> Setting:
    if setting.name == name:
        return setting
    return Setting(name, setting.value, setting.token, setting.statement, setting.from_file, setting.within, setting.before)
