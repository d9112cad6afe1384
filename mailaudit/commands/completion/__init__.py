"""`mailaudit completion`: scripts that tell a shell what can be typed next; none of them starts Python."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from mailaudit import rulebook
from mailaudit.choices import Format, Shell
from mailaudit.commands.completion import bash, fish, ksh, zsh
from mailaudit.commands.completion.placing import place
from mailaudit.commands.completion.words import Takes, Value, Verb
from mailaudit.commands.pf import VERDICTS
from mailaudit.commands.telling import shown
from mailaudit.parsers import LANGUAGES

_SCRIPTS: Mapping[Shell, Callable[[Verb], str]] = {
    Shell.KSH: ksh.script,
    Shell.BASH: bash.script,
    Shell.ZSH: zsh.script,
    Shell.FISH: fish.script,
}


def completion(program: Verb, shell: Shell, *, install: bool, debug: bool = False) -> int:
    """Print a shell's script, or write it where the shell looks for it."""

    def make() -> str:
        text = script(program, shell)
        return place(shell, text) if install else text

    return shown(make, debug=debug)


def script(program: Verb, shell: Shell) -> str:
    """The script by which a shell completes the program's commands, options and values."""
    return _SCRIPTS[shell](filled(program))


def filled(program: Verb) -> Verb:
    """With the words that values are chosen among, where the command line itself does not list them."""
    rules = tuple(rulebook.load().called)
    lists = {
        "RULE": rules,
        "ID": rules,
        "LANGUAGE": tuple(LANGUAGES),
        "VERDICT": VERDICTS,
        "FORMAT:PATH": tuple(map(str, Format)),
    }
    return _filled(program, lists)


def _filled(verb: Verb, lists: Mapping[str, tuple[str, ...]]) -> Verb:
    def fill(value: Value) -> Value:
        lacking = value.takes in (Takes.WORDS, Takes.OUTLET) and not value.words
        return replace(value, words=lists[value.called]) if lacking else value

    return replace(
        verb,
        options=tuple(replace(each, value=fill(each.value)) for each in verb.options),
        arguments=tuple(replace(each, value=fill(each.value)) for each in verb.arguments),
        below=tuple(_filled(each, lists) for each in verb.below),
    )
