"""A whole configuration of Dovecot 2.3 as 2.4 takes it: all files, each with as few edits as it needs."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from mailaudit.converting.databases import Databases, convert_database
from mailaudit.converting.outside import convert_outside
from mailaudit.converting.places import convert_namespace, convert_of_service, convert_service_name, name_listener
from mailaudit.converting.plain import convert_setting
from mailaudit.converting.plugins import convert_plugins
from mailaudit.converting.upgraded import upgraded
from mailaudit.converting.users import convert_users
from mailaudit.converting.weak import ALLOWED, weak_users
from mailaudit.converting.writing import Left, Names, Note, Work, assign, block, named, unwrapped
from mailaudit.edits import Edit, apply, newline_of
from mailaudit.models.dovecot.config import DovecotConfig, read_dovecot
from mailaudit.models.dovecot.reading import MAIN, Reading, Visit, parts_of
from mailaudit.models.dovecot.sections import Section
from mailaudit.models.dovecot.settings import FILTERS, NEW
from mailaudit.models.sources import Known, Sources
from mailaudit.parsers import dovecot as language
from mailaudit.parsers.tree import Statement, Tree, nothing
from mailaudit.text import Text, encode

VERSIONS = ("dovecot_config_version = 2.4.0", "dovecot_storage_version = 2.4.0")
DEFAULT_SCRIPTS = ("sieve_script personal {", "  path = ~/sieve", "  active_path = ~/.dovecot.sieve", "}")
"""Where 2.3 looks for a user's own scripts if nothing says where."""
PACKAGES_OWN = ("/usr/share/", "/usr/lib/")
_DATABASES = ("passdb", "userdb")


@dataclass(frozen=True, slots=True)
class Conversion:
    """New characters by path with the texts they replace, what is left to do by hand, and what else is to be known.

    `is_new` is true for a configuration that is one of 2.4 already, `missing` if there is none.
    """

    files: Mapping[str, str] = field(default_factory=dict)
    read: Mapping[str, Text] = field(default_factory=dict)
    left: tuple[Left, ...] = ()
    notes: tuple[Note, ...] = ()
    secrets: tuple[tuple[str, str], ...] = ()
    is_new: bool = False
    missing: bool = False


def convert(sources: Sources) -> Conversion:
    """The conversion of the configuration that sources have; what they have no answer to yet is in their `wanted`."""
    slot = read_dovecot(sources)
    if not isinstance(slot, Known):
        return Conversion(missing=True)
    config = slot.value
    if config.family == NEW:
        return Conversion(is_new=True)
    reading = Reading(sources)
    main = config.trees[0] if config.trees and config.trees[0].text.path == MAIN else None
    if main is not None:
        reading.tree(main)
    else:
        reading.packaged()
    return _Whole(config, reading, sources, main).conversion()


@dataclass
class _Whole:
    config: DovecotConfig
    reading: Reading
    sources: Sources
    main: Tree | None
    work: Work = field(init=False)
    databases: Databases = field(default_factory=Databases)
    namespaces: Names = field(default_factory=Names)
    gone: set[int] = field(default_factory=set)  # sections that were made comments
    listeners: int = 0

    def __post_init__(self) -> None:
        self.work = Work(self.config, self._read)

    def conversion(self) -> Conversion:
        """All of it."""
        never_closed = [problem for problem in self.config.refusals if problem.swallows]
        if never_closed:  # what stands behind it may be a part of it, so nothing is known of any of it
            return Conversion(left=tuple(Left(each.span, each.message, "mend it first") for each in never_closed))
        texts = {path: tree.text for path, tree in self.reading.trees.items()}
        lacking = {file.problem.span for file in self.config.files}  # they are on the host, perhaps
        for problem in (each for each in self.config.refusals if each.span not in lacking):
            self.work.leave(problem.span, problem.message, "mend it first: Dovecot 2.3 does not take it either")
        for visit, inside in self._visits():
            self._one(visit, inside)
        self._twice()
        self._plugins()
        texts |= self._outside()
        texts |= self._users()
        self._guessed()
        self.work.allows_weak |= weak_users(self.work) and self.config.setting("auth_allow_weak_schemes").is_default
        files = {path: self._written(text) for path, text in texts.items()}
        files = {path: chars for path, chars in files.items() if chars != texts[path].chars}
        if not self.work.left:
            self._refused(files)
        return Conversion(
            files,
            {path: texts[path] for path in files},
            tuple(sorted(dict.fromkeys(self.work.left), key=lambda each: (each.span.path, each.span.start))),
            tuple(sorted(dict.fromkeys(self.work.notes), key=lambda each: (each.span.path, each.span.start))),
            tuple(self.work.secrets),
        )

    def _visits(self) -> Iterator[tuple[Visit, list[Visit]]]:
        """Each statement once, those of the package's own files left out, with the settings right in it."""
        seen: set[int] = set()
        inside: dict[int, list[Visit]] = {}
        for visit in self.reading.visits:
            if visit.within:
                inside.setdefault(id(visit.within[-1]), []).append(visit)
        for visit in self.reading.visits:
            if id(visit.statement) not in seen and not visit.statement.text.path.startswith(PACKAGES_OWN):
                seen.add(id(visit.statement))
                settings = [each for each in inside.get(id(visit.statement), []) if each.statement.kind == "setting"]
                yield visit, settings

    def _twice(self) -> None:
        """A file that is included in sections of several kinds would have to be written in several ways."""
        first: dict[int, tuple[str, ...]] = {}
        told: set[str] = set()
        for visit in self.reading.visits:
            where = _types(visit)
            path = visit.statement.text.path
            if first.setdefault(id(visit.statement), where) != where and path not in told:
                told.add(path)
                self.work.leave(visit.via[-1].span, f"{path} is included in sections of several kinds", "include it once")

    def _one(self, visit: Visit, inside: list[Visit]) -> None:
        statement = visit.statement
        where = _types(visit)
        if statement.unread or statement.problem is not None or any(id(each) in self.gone for each in visit.within):
            return
        if statement.is_block:
            self._section(statement, where, inside)
        elif not where:
            self._setting(statement)
        elif where[0] == "service":
            convert_of_service(self.work, statement, where)

    def _setting(self, statement: Statement) -> None:
        """A setting outside of sections. Protocols that are added to the default are all that are on: 2.4 has none by default."""
        key, token, _ = parts_of(statement)
        before = self.config.setting("protocols").overridden
        is_first = not any(each.statement is not None for each in before)
        if (
            key.value == "protocols"
            and token is not None
            and "$protocols" in token.value
            and is_first
            and not self.has_protocol_files
        ):
            self.work.value(statement, " ".join(token.value.replace("$protocols", "imap pop3 lmtp").split()))
        elif key.value == "protocols" and token is not None and token.value == "none":
            self.work.value(statement, "")
        else:
            convert_setting(self.work, statement)

    def _section(self, statement: Statement, where: tuple[str, ...], inside: list[Visit]) -> None:
        type_ = statement.seen[0].value
        if type_ in _DATABASES:
            convert_database(self.work, self.databases, statement, inside)
        elif type_ == "namespace":
            convert_namespace(self.work, self.namespaces, statement, inside)
        elif type_ == "service" and not where:
            if not convert_service_name(self.work, statement):
                self.gone.add(id(statement))
        elif type_.endswith("_listener") and where[:1] == ("service",):
            self.listeners += 1
            name_listener(self.work, statement, self.listeners)
        elif type_ == "dict" and not where:
            self._dictionaries(statement)
        elif type_ in ("metric", "event_exporter") and not where:
            self.work.leave(statement.span, f"{type_} is said otherwise in 2.4", "write it anew")

    def _dictionaries(self, section: Statement) -> None:
        """`dict { name = mysql:/file }`: the dictionaries that the dict service serves."""
        for each in section.body:
            if each.kind != "setting":
                continue
            token = parts_of(each)[1]
            name, value = each.seen[0].value, token.value if token is not None else ""
            driver, _, path = value.partition(":")
            if driver in ("mysql", "pgsql", "sqlite") and path.startswith("/") and self._read(path) is not None:
                self.databases.files.setdefault(path, ("dict", set()))[1].add(driver)
                lines = [assign("driver", "sql"), assign("sql_driver", driver), f"!include {path}"]
                self.work.lines(each, block("dict_server", block(named("dict", name), lines)))
            elif not driver.startswith("/") and not path:
                self.work.drop(each, f"{name} is left out: it names no dictionary")
            else:
                self.work.leave(each.span, f"the dictionary {value} is not converted", "write it into dict_server")

    def _refused(self, files: Mapping[str, str]) -> None:
        """Name what 2.4 would refuse of the converted files all the same, at its place in them."""
        snapshot = upgraded(self.sources.snapshot.with_files({path: encode(chars) for path, chars in files.items()}))
        slot = read_dovecot(Sources(snapshot, self.sources.shelf))
        if isinstance(slot, Known):
            lacking = {file.problem.span for file in slot.value.files}
            for problem in slot.value.refusals:
                if problem.span not in lacking:
                    self.work.leave(problem.span, f"once converted, {problem.message}", "write the line by hand")

    # Plugins

    def _plugins(self) -> None:
        """`plugin` sections by the filters around them."""
        scopes: dict[tuple[str, ...], dict[str, tuple[Statement, str]]] = {}
        for visit, _ in self._visits():
            statement = visit.statement
            where = [each.seen[0].value for each in visit.within]
            if where[-1:] != ["plugin"] or statement.kind != "setting":
                continue
            scope = tuple(" ".join(token.value for token in each.seen) for each in visit.within[:-1])
            name, token, _ = parts_of(statement)
            before = scopes.setdefault(scope, {}).pop(name.value, None)
            if before is not None:
                self.work.drop(before[0], f"{name.value} is left out: it is said again, and that one counts")
            scopes[scope][name.value] = statement, token.value if token is not None else ""
        for found in scopes.values():
            convert_plugins(self.work, found)

    # Other files

    def _read(self, path: str) -> Text | None:
        text = self.sources.file(path)
        return text if isinstance(text, Text) else None

    def _outside(self) -> dict[str, Text]:
        texts = {path: text for path in self.databases.files if (text := self._read(path)) is not None}
        for path, text in texts.items():
            self._outside_file(text, *self.databases.files[path])
        return texts

    def _outside_file(self, text: Text, kind: str, users: set[str]) -> None:
        tree = language.parse(text, nothing)
        problems = [statement for statement in tree.walk() if statement.problem is not None]
        for statement in problems:
            assert statement.problem is not None
            self.work.leave(statement.problem.span, statement.problem.message, "write it by hand")
        if not problems:
            convert_outside(self.work, tree, kind, users)

    def _users(self) -> dict[str, Text]:
        texts = {path: text for path, text in self.config.passwd_files.items() if isinstance(text, Text)}
        for text in texts.values():
            convert_users(self.work, text)
        return texts

    # The whole

    @property
    def has_protocol_files(self) -> bool:
        """True if protocols turn themselves on in files of their packages, as Debian has it; none is on by default then."""
        patterns = (*self.reading.absent, *self.reading.unrecorded, *self.reading.trees)
        return any("/protocols.d/" in pattern for pattern in patterns)

    def _head(self) -> list[str]:
        """What 2.3 has by default and 2.4 has not, for the end of the main file."""
        config, lines = self.config, [ALLOWED] if self.work.allows_weak else []
        if config.setting("protocols").is_default and not self.has_protocol_files:
            lines.append("protocols = imap pop3 lmtp")
        plugins = [section for section in config.root.walk() if section.type == "plugin"]
        is_said = any(name in section.settings for section in plugins for name in ("sieve", "sieve_dir", "sieve_storage"))
        uses = [word for each in config.everywhere("mail_plugins") for word in each.value.split()]
        if not is_said and ("sieve" in config.protocols or "sieve" in uses):
            lines += DEFAULT_SCRIPTS
        return lines

    def _guessed(self) -> None:
        """Where the mail lies must be said in 2.4: it does not look for it in the places that 2.3 tries."""
        config = self.config
        says = any(_gives_mail(section) for kind in _DATABASES for section in config.root.of(kind))
        if self.main is not None and config.mail_place is None and config.protocols and not says:
            first = next((each for each in self.main.statements if each.is_written), None)
            if first is not None:
                why = "nothing says where the mail lies, so that 2.3 looks for it, which 2.4 does not"
                self.work.leave(first.span, why, "write mail_location first, as `doveadm mailbox path` of 2.3 has it")

    def _written(self, text: Text) -> str:
        """A file's new characters, without the first lines and the braces of sections that are gone."""
        chars = apply(text.chars, self.work.edits.get(text.path, []))
        if text.path not in self.reading.trees:
            return chars
        tree = language.parse(Text.of(text.path, chars), nothing)
        while gone := list(_outermost(tree.statements)):
            chars = apply(chars, _without_overlap([edit for each in gone for edit in unwrapped(each)]))
            tree = language.parse(Text.of(text.path, chars), nothing)
        if self.main is not None:
            return self._with_head(tree) if text.path == self.main.text.path else chars
        is_last = text.path == next(reversed(self.reading.trees))
        return _behind(text, chars, self._head()) if is_last else chars

    def _with_head(self, tree: Tree) -> str:
        """The main file with the versions above all settings, and what is no default any more below them."""
        text = tree.text
        first = next((each for each in tree.statements if each.is_written), None)
        at = text.line_span(first.span.start)[0] if first is not None else len(text.chars)
        if first is None:
            return _behind(text, text.chars, [*VERSIONS, *self._head()])
        versions = "".join(f"{line}{newline_of(text)}" for line in VERSIONS)
        return _behind(text, text.chars[:at] + versions + text.chars[at:], self._head())


def _types(visit: Visit) -> tuple[str, ...]:
    """The types of the sections around a statement, filters left out."""
    return tuple(each.seen[0].value for each in visit.within if each.seen[0].value not in FILTERS)


def _behind(text: Text, chars: str, lines: list[str]) -> str:
    """Lines at the end of a file, with its line ends."""
    newline = newline_of(text)
    broken = newline if lines and chars and not chars.endswith("\n") else ""
    return chars + broken + "".join(f"{line}{newline}" for line in lines)


def _gives_mail(section: Section) -> bool:
    """True if a database may say where a user's mail lies."""
    driver = section.get("driver")
    fields = [each.value for name in ("args", "default_fields", "override_fields") if (each := section.get(name))]
    return (driver is not None and driver.value not in ("passwd", "static", "pam", "prefetch")) or any(
        re.search(r"(?:^|\s)(?:userdb_)?mail=", each) for each in fields
    )


def _outermost(statements: Sequence[Statement]) -> Iterator[Statement]:
    """Sections that are gone and stand in no other such section."""
    for each in statements:
        if _is_gone(each):
            yield each
        elif each.body:
            yield from _outermost(each.body)


def _is_gone(statement: Statement) -> bool:
    """True for a section that 2.4 has no more, and whose settings stand outside of it."""
    if not statement.is_block or not statement.close:
        return False
    words = [token.value for token in statement.seen if token.kind != "{"]
    return words[0] == "plugin" or words == ["dict"]


def _without_overlap(edits: list[Edit]) -> list[Edit]:
    """Edits without those that lie in another one."""
    found: list[Edit] = []
    for edit in sorted(set(edits), key=lambda each: (each.start, -each.end)):
        if not found or edit.start >= found[-1].end:
            found.append(edit)
    return found
