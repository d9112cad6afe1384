"""OpenBSD's ksh(1): arrays of words, one for a number of argument and one for all others; what matches no word is a file."""

from __future__ import annotations

from collections.abc import Iterable

from mailaudit.commands.completion.words import Takes, Verb

_HEAD = """\
# mailaudit: completion for OpenBSD's ksh(1), made by `mailaudit completion ksh`. Read it from the file that ENV names (~/.kshrc).
# ksh knows words for the first argument, the second and all others; where none of them matches it completes file names.
"""


def script(program: Verb) -> str:
    """The program's words as ksh has them: commands, then what is below them, then options and what they take.

    Rules go by their ids alone, and languages are left out: a path that begins as one of their names does could not be
    completed.
    """
    verbs = list(program.all())
    commands = [each.name for each in program.below]
    below = [each.name for verb in program.below for each in verb.below]
    options = [name for verb in verbs for option in verb.options for name in option.names]
    values = [
        word if each.takes is Takes.WORDS else f"{word}:"
        for verb in verbs
        for each in (*(option.value for option in verb.options), *(argument.value for argument in verb.arguments))
        for word in each.words
        if each.called not in ("RULE", "ID", "LANGUAGE") or word.isupper()
    ]
    arrays = {
        "complete_mailaudit_1": [*commands, *(name for option in program.options for name in option.names)],
        "complete_mailaudit_2": [*below, *options, *values],
        "complete_mailaudit": [*options, *values],
    }
    return _HEAD + "".join(f"set -A {name} -- \\\n{_lines(words)}\n" for name, words in arrays.items())


def _lines(words: Iterable[str]) -> str:
    """Words between which the shell sees blanks, in lines that a person can read."""
    lines: list[str] = []
    for word in dict.fromkeys(words):
        if lines and len(lines[-1]) + 1 + len(word) <= 78:
            lines[-1] += f" {word}"
        else:
            lines.append(f"\t{word}")
    return " \\\n".join(lines)
