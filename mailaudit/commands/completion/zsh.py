"""zsh(1): a function for each command, in the words of its own `_arguments`."""

from __future__ import annotations

from collections.abc import Iterator

from mailaudit.commands.completion.words import Argument, Option, Takes, Value, Verb

_HEAD = """\
#compdef mailaudit
# mailaudit: completion for zsh, made by `mailaudit completion zsh`. It belongs in a folder of fpath, called _mailaudit.

_mailaudit_place() {
	_alternative 'files:path:_files' 'hosts:host:_hosts'
}

_mailaudit_outlet() {
	if compset -P '*:'; then
		_files
	else
		compadd -S : -q -- "$@"
	fi
}
"""
_ACTIONS = {
    Takes.PATH: "_files",
    Takes.FOLDER: "_directories",
    Takes.HOST: "_hosts",
    Takes.PLACE: "_mailaudit_place",
    Takes.TEXT: " ",
}
_MANY = 40  # words that stand in a function of their own


def script(program: Verb) -> str:
    """The functions, that of the program last; it runs when zsh has loaded the file."""
    lists: dict[tuple[str, ...], str] = {}
    functions = [_function(verb, lists) for verb in reversed(list(program.all()))]
    long = [f'\n{name}() {{\n\tcompadd "$@" -- \\\n\t\t{_lines(words)}\n}}\n' for words, name in lists.items()]
    return _HEAD + "".join((*long, *functions)) + '\n_mailaudit "$@"\n'


def _function(verb: Verb, lists: dict[tuple[str, ...], str]) -> str:
    specs = [_quoted(each) for option in verb.options for each in _option(option, lists)]
    specs += [_quoted(_argument(number, each, lists)) for number, each in enumerate(verb.arguments, 1)]
    name = "_".join(("_mailaudit", *verb.path))
    if not verb.below:
        return f"\n{name}() {{\n\t_arguments -S \\\n\t\t{_joined(specs)}\n}}\n"
    told = [_quoted(f"{each.name}:{each.told}") for each in verb.below]
    ways = "".join(f"\t\t{each.name}) {'_'.join(('_mailaudit', *each.path))} ;;\n" for each in verb.below)
    return (
        f"\n{name}() {{\n\tlocal curcontext=$curcontext state line\n\tlocal -A opt_args\n\tlocal -a commands\n"
        f"\t_arguments -C -S \\\n\t\t{_joined([*specs, _quoted('1: :->command'), _quoted('*:: :->rest')])}\n"
        f"\tcase $state in\n\tcommand)\n\t\tcommands=(\n\t\t\t{_separated(told)}\n\t\t)\n\t\t_describe command commands\n\t\t;;\n"
        f"\trest)\n\t\tcase $words[1] in\n{ways}\t\tesac\n\t\t;;\n\tesac\n}}\n"
    )


def _option(option: Option, lists: dict[tuple[str, ...], str]) -> Iterator[str]:
    others = "*" if option.many else f"({' '.join(option.names)})" if len(option.names) > 1 else ""
    for name in option.names:
        if option.value.takes is Takes.NOTHING:
            yield f"{others}{name}[{_plain(option.told)}]"
        else:
            ends = "=" if name.startswith("--") else "+"
            yield f"{others}{name}{ends}[{_plain(option.told)}]:{_called(option.value)}:{_action(option.value, lists)}"


def _argument(number: int, argument: Argument, lists: dict[tuple[str, ...], str]) -> str:
    place = "*" if argument.many else f"{number}" if argument.needed else f"{number}:"
    return f"{place}:{_called(argument.value)}:{_action(argument.value, lists)}"


def _called(value: Value) -> str:
    return _plain(value.called) or "value"


def _action(value: Value, lists: dict[tuple[str, ...], str]) -> str:
    if value.takes is Takes.OUTLET:
        return f"_mailaudit_outlet {' '.join(value.words)}"
    if value.takes is not Takes.WORDS:
        return _ACTIONS[value.takes]
    if len(value.words) < _MANY:
        return f"({' '.join(value.words)})"
    return lists.setdefault(value.words, f"_mailaudit_words_{len(lists) + 1}")


def _plain(text: str) -> str:
    """A text in which nothing means anything to `_arguments`."""
    for each in "\\[]:":
        text = text.replace(each, f"\\{each}")
    return text


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"


def _joined(specs: list[str]) -> str:
    return " \\\n\t\t".join(specs)


def _separated(words: list[str]) -> str:
    return "\n\t\t\t".join(words)


def _lines(words: tuple[str, ...]) -> str:
    return " \\\n\t\t".join(" ".join(words[at : at + 8]) for at in range(0, len(words), 8))
