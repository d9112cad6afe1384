"""The command line as data: what typer was told of commands, options and arguments, for completion and for the manual."""

from __future__ import annotations

from typing import Any

import typer

from mailaudit.commands.completion.words import Argument, Option, Takes, Value, Verb

_BY_METAVAR = {
    "FILE": Takes.PATH,
    "REPORT": Takes.PATH,
    "A": Takes.PATH,
    "B": Takes.PATH,
    "DIR": Takes.FOLDER,
    "HOST": Takes.HOST,
    "TARGET": Takes.PLACE,
    "FORMAT:PATH": Takes.OUTLET,
}
_WORDS = frozenset({"RULE", "ID", "LANGUAGE", "VERDICT"})  # choices that this room does not know
_HELP = Option(("-h", "--help"), Value(Takes.NOTHING), "Show this message and exit")


def tree(app: typer.Typer) -> Verb:
    """All that the program takes, what is hidden left out."""
    return _verb(typer.main.get_command(app), ())


def _verb(command: Any, path: tuple[str, ...]) -> Verb:
    shown = [each for each in command.params if not getattr(each, "hidden", False)]
    return Verb(
        path,
        _line(command.help or ""),
        (
            *(
                Option(tuple(each.opts), _value(each), _line(each.help or ""), bool(each.multiple), bool(each.required))
                for each in shown
                if each.param_type_name == "option"
            ),
            _HELP,
        ),
        tuple(
            Argument(_value(each), _line(getattr(each, "help", None) or ""), bool(each.required), each.nargs == -1)
            for each in shown
            if each.param_type_name == "argument"
        ),
        tuple(_verb(each, (*path, name)) for name, each in getattr(command, "commands", {}).items() if not each.hidden),
    )


def _value(parameter: Any) -> Value:
    if getattr(parameter, "is_flag", False):
        return Value(Takes.NOTHING)
    called = (parameter.metavar or "").removesuffix("...")
    choices = tuple(str(getattr(each, "value", each)) for each in getattr(parameter.type, "choices", ()))
    if choices or "|" in called:
        return Value(Takes.WORDS, choices or tuple(called.split("|")), called)
    return Value(Takes.WORDS if called in _WORDS else _BY_METAVAR.get(called, Takes.TEXT), (), called)


def _line(told: str) -> str:
    """The first sentence, without what ends it."""
    first = " ".join(told.split("\n\n", 1)[0].split())
    return first.partition(". ")[0].removesuffix(".")
