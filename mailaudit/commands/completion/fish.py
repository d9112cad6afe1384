"""fish(1): a line for each thing that can be typed, with the command behind which it may stand."""

from __future__ import annotations

from collections.abc import Iterator

from mailaudit.commands.completion.words import Option, Takes, Value, Verb

_HEAD = """\
# mailaudit: completion for fish, made by `mailaudit completion fish`.

# True behind the command that the arguments name, none for the program itself.
function __mailaudit_at
    set -l words
    for word in (commandline -opc)[2..-1]
        string match -q -- '-*' $word; or set -a words $word
    end
    set -l path $words[1]
    contains -- "$path" @GROUPS@; and set path $words[1..2]
    test "$path" = "$argv"
end

# FORMAT:PATH, the formats given.
function __mailaudit_outlet
    set -l token (string replace -r '^--[^=]*=' '' -- (commandline -ct))
    if string match -q '*:*' -- $token
        set -l parts (string split -m 1 : -- $token)
        for each in (__fish_complete_path $parts[2])
            echo "$parts[1]:$each"
        end
    else
        printf '%s:\\n' $argv
    end
end
"""
_MANY = 40  # words that stand in a function of their own


def script(program: Verb) -> str:
    """The lines, behind the functions that they ask."""
    lists: dict[tuple[str, ...], str] = {}
    groups = " ".join(each.name for each in program.below if each.below)
    lines = [line for verb in program.all() for line in _lines(verb, lists)]
    long = [f"\nfunction {name}\n    printf '%s\\n' \\\n        {_words(words)}\nend\n" for words, name in lists.items()]
    return "".join((_HEAD.replace("@GROUPS@", groups), *long, "\ncomplete -c mailaudit -f\n", *(f"{line}\n" for line in lines)))


def _lines(verb: Verb, lists: dict[tuple[str, ...], str]) -> Iterator[str]:
    start = f"complete -c mailaudit -n {_quoted(' '.join(('__mailaudit_at', *verb.path)))}"
    for each in verb.below:
        yield f"{start} -a {each.name} -d {_quoted(each.told)}"
    for option in verb.options:
        yield f"{start} {_names(option)} -d {_quoted(option.told)}{_taken(option.value, lists)}"
    for argument in verb.arguments:
        if argument.value.takes in (Takes.PATH, Takes.PLACE, Takes.FOLDER):
            yield f"{start} -F"
        if argument.value.takes in (Takes.PLACE, Takes.HOST):
            yield f"{start} -a '(__fish_print_hostnames)'"
        if argument.value.takes is Takes.WORDS:
            yield f"{start} -a {_quoted(_choice(argument.value, lists))}"


def _names(option: Option) -> str:
    return " ".join(f"-l {name[2:]}" if name.startswith("--") else f"-s {name[1:]}" for name in option.names)


_TAKEN = {
    Takes.NOTHING: "",
    Takes.PATH: " -r -F",
    Takes.PLACE: " -r -F -a '(__fish_print_hostnames)'",
    Takes.FOLDER: " -x -a '(__fish_complete_directories)'",
    Takes.HOST: " -x -a '(__fish_print_hostnames)'",
    Takes.TEXT: " -x",
}


def _taken(value: Value, lists: dict[tuple[str, ...], str]) -> str:
    if value.takes is Takes.OUTLET:
        return f" -x -a '(__mailaudit_outlet {' '.join(value.words)})'"
    if value.takes is Takes.WORDS:
        return f" -x -a {_quoted(_choice(value, lists))}"
    return _TAKEN[value.takes]


def _choice(value: Value, lists: dict[tuple[str, ...], str]) -> str:
    if len(value.words) < _MANY:
        return " ".join(value.words)
    return f"({lists.setdefault(value.words, f'__mailaudit_words_{len(lists) + 1}')})"


def _words(words: tuple[str, ...]) -> str:
    return " \\\n        ".join(" ".join(words[at : at + 8]) for at in range(0, len(words), 8))


def _quoted(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"
