"""The Sieve scripts that Dovecot's settings name: when each runs, what it does, and the programs it starts."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

from mailaudit.models.dovecot.catalogue import catalogue, version_of
from mailaudit.models.dovecot.config import DovecotConfig
from mailaudit.models.dovecot.reading import Setting
from mailaudit.models.dovecot.settings import NEW
from mailaudit.models.dovecot.values import comes_to
from mailaudit.models.sieve.eval import Outcome, Situation, run
from mailaudit.models.sieve.parts import Call, calls, resolve, word_of
from mailaudit.models.sieve.refusals import LARGEST, refusals, required
from mailaudit.models.sieve.regex import PCRE_SINCE, dialects
from mailaudit.models.sieve.uses import Use, plugin_settings, uses
from mailaudit.models.sieve.words import ALWAYS_NEW, DEFAULT, ELSEWHERE, ONLY_NEW, ONLY_OLD, OPTIONAL, PLUGINS
from mailaudit.models.sources import Known, Model, Slot, Sources
from mailaudit.parsers.tree import Token, Tree
from mailaudit.questions import Absent, Failed, Found, ListFiles, Stat
from mailaudit.text import Text

PROGRAMS = {"pipe": "sieve_pipe_bin_dir", "filter": "sieve_filter_bin_dir", "execute": "sieve_execute_bin_dir"}
"""The commands that start a program, and the setting that names the directory in which it is looked for."""


@dataclass(frozen=True, slots=True, eq=False)
class Program:
    """A program that a script starts: the command, and the file if its directory is set."""

    name: str
    call: Call
    token: Token
    path: str | None = None
    stat: Stat | Absent | Failed | None = None
    text: Text | Absent | Failed | None = None


@dataclass(frozen=True, eq=False)
class Script(Model):
    """One script. `stat` and `binary` are what is known of the file and of what `sievec` made of it."""

    path: str = ""
    commands: tuple[Call, ...] = ()
    required: Mapping[str, Token] = field(default_factory=dict, repr=False)
    programs: tuple[Program, ...] = ()
    stat: Stat | Absent | Failed | None = None
    binary: Stat | Absent | Failed | None = None

    @property
    def binary_path(self) -> str:
        """Where `sievec` puts what it makes of the script."""
        return self.path.removesuffix(".sieve") + ".svbin"

    def outcome(self, situation: Situation | None = None) -> Outcome:
        """What it does with a message of which this is known."""
        return run(self.commands, situation or Situation(), frozenset(self.required))


@dataclass(frozen=True, eq=False)
class Sieve(Model):
    """All scripts by path, and the settings that have them run, in the order in which they run.

    `missing` are the paths that a setting names and that are not there, `unknown` those of which nothing is known. `available`
    and `user_extensions` are the extensions that global and users' own scripts may require; `plugins` those of `sieve_plugins`;
    `directories` the settings that say where programs are looked for, by name.
    """

    uses: tuple[Use, ...] = ()
    scripts: Mapping[str, Script] = field(default_factory=dict)
    missing: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()
    available: frozenset[str] = frozenset()
    user_extensions: frozenset[str] = frozenset()
    plugins: tuple[str, ...] = ()
    directories: Mapping[str, Setting] = field(default_factory=dict)

    def at(self, *whens: str) -> list[Use]:
        """The uses of these kinds."""
        return [use for use in self.uses if use.when in whens]

    def scripts_of(self, use: Use) -> list[Script]:
        """The scripts of a use that are there."""
        return [self.scripts[path] for path in use.paths if path in self.scripts]

    @cached_property
    def programs(self) -> tuple[Program, ...]:
        """All programs that scripts start."""
        return tuple(program for script in self.scripts.values() for program in script.programs)


def read_sieve(sources: Sources, dovecot: Slot[DovecotConfig]) -> Slot[Sieve]:
    """The scripts that Dovecot's settings name."""
    if not isinstance(dovecot, Known):
        return dovecot
    return Known(_Reading(sources, dovecot.value).sieve())


def _release(dovecot: DovecotConfig) -> tuple[int, ...] | None:
    """The release that runs, as far as there is evidence of it: it is at least the one that the files are written for."""
    written = version_of(dovecot.written)
    return version_of(dovecot.installed) or (written if written is not None and written >= PCRE_SINCE else None)


class _Reading:
    def __init__(self, sources: Sources, dovecot: DovecotConfig) -> None:
        self._sources = sources
        self._dovecot = dovecot
        self._settings = plugin_settings(dovecot)
        plugins = self._words("sieve_plugins")
        from_plugins = frozenset(name for plugin in plugins for name in PLUGINS.get(plugin, ()))
        self._known = DEFAULT | OPTIONAL | ELSEWHERE | from_plugins
        self._known -= ONLY_OLD if dovecot.family == NEW else ONLY_NEW
        start = DEFAULT | (PLUGINS["sieve_imapsieve"] & from_plugins)
        self._user = self._extensions("sieve_extensions", start) & self._known
        self._user |= ALWAYS_NEW if dovecot.family == NEW else frozenset()
        self._global = self._extensions("sieve_global_extensions", self._user) & self._known
        self._plugins = plugins
        self._by = dialects(_release(dovecot), is_new=dovecot.family == NEW)
        self._largest = self._size("sieve_max_script_size", LARGEST)

    def sieve(self) -> Sieve:
        """The model."""
        found = tuple(self._with_paths(use) for use in uses(self._dovecot))
        scripts: dict[str, Script] = {}
        missing: list[str] = []
        unknown: list[str] = []
        for use in found:
            for path in use.paths:
                if path in scripts or path in missing or path in unknown:
                    continue
                tree = self._sources.tree(path, "sieve")
                if isinstance(tree, Tree):
                    scripts[path] = self._script(path, tree, self._global if use.is_global else self._user)
                else:
                    (missing if isinstance(tree, Absent) else unknown).append(path)
        return Sieve(
            trees=tuple(tree for script in scripts.values() for tree in script.trees),
            refusals=tuple(problem for script in scripts.values() for problem in script.refusals),
            uses=found,
            scripts=scripts,
            missing=tuple(missing),
            unknown=tuple(unknown),
            available=self._global,
            user_extensions=self._user,
            plugins=self._plugins,
            directories={name: setting for name in PROGRAMS.values() if (setting := self._settings.get(name)) is not None},
        )

    # Settings

    def _words(self, name: str) -> tuple[str, ...]:
        if self._dovecot.family == NEW:
            return self._dovecot.words(name)
        setting = self._settings.get(name)
        return tuple(setting.value.split()) if setting is not None else ()

    def _size(self, name: str, default: int) -> int:
        """Bytes; 0 for any number, and for what the daemon refuses."""
        setting, definition = self._settings.get(name), catalogue(NEW).get(name)
        if setting is None or definition is None:
            return default
        size = comes_to(definition, setting.value, is_new=self._dovecot.family == NEW)
        return size if isinstance(size, int) else 0

    def _extensions(self, name: str, start: frozenset[str]) -> frozenset[str]:
        """Which are on after a setting: `+` and `-` change what is on without it, plain names replace it."""
        words = self._words(name)
        plain = [word for word in words if word[0] not in "+-"]
        found = set(plain) if plain and self._replaces(name) else {*start, *plain}
        for word in words:
            if word[0] == "+":
                found.add(word[1:])
            elif word[0] == "-":
                found.discard(word[1:])
        return frozenset(found)

    def _replaces(self, name: str) -> bool:
        """True if plain words replace the defaults: in a string that turns users' extensions on."""
        return name == "sieve_extensions" and (self._dovecot.family != NEW or name in self._dovecot.root.settings)

    # Scripts

    def _with_paths(self, use: Use) -> Use:
        if use.location is None:
            return use
        if not use.is_global:  # its directory is the user's to fill; a script that all have is read
            fixed = use.location if use.location.startswith("/") and "%" not in use.location else None
            return replace(use, paths=(posixpath.normpath(fixed),) if fixed and fixed.endswith(".sieve") else ())
        return replace(use, paths=self._paths(use.location))

    def _paths(self, location: str) -> tuple[str, ...]:
        """A script, or the scripts of a directory in the order in which they run."""
        if not location.startswith("/") or "%" in location:
            return ()
        path = posixpath.normpath(location)
        if not path.endswith(".sieve"):
            answer = self._sources.ask(ListFiles(f"{path}/*.sieve"))
            if isinstance(answer, Found) and isinstance(answer.value, tuple) and answer.value:
                return answer.value
        return (path,)

    def _script(self, path: str, tree: Tree, available: frozenset[str]) -> Script:
        commands = calls(tree.statements)
        return Script(
            trees=(tree,),
            refusals=refusals(tree, available, self._largest, is_new=self._dovecot.family == NEW, by=self._by),
            path=path,
            commands=commands,
            required=required(commands),
            programs=tuple(self._programs(commands)),
            stat=self._sources.stat(path),
            binary=self._sources.stat(path.removesuffix(".sieve") + ".svbin"),
        )

    def _programs(self, commands: Iterable[Call]) -> Iterator[Program]:
        names = frozenset(required(commands))
        for command in commands:
            for call in command.walk():
                word = word_of(call, names)
                if word is None or word.name not in PROGRAMS:
                    continue
                positional = resolve(call, word).positional
                if positional and positional[0].kind == "string":
                    yield self._program(call, positional[0].at)

    def _program(self, call: Call, token: Token) -> Program:
        directory = self._settings.get(PROGRAMS[call.name.value])
        if directory is None or not directory.value.startswith("/") or not token.value or "/" in token.value:
            return Program(token.value, call, token)
        path = posixpath.join(posixpath.normpath(directory.value), token.value)
        return Program(token.value, call, token, path, self._sources.stat(path), self._sources.file(path))
