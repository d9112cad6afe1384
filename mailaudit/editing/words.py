"""Words of a statement put in, taken out and replaced, with the blanks that set them off; quoting; macros."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from mailaudit.editing.statements import same, without_return
from mailaudit.editing.style import NONE, Edits, Unwritable
from mailaudit.edits import Edit, insert
from mailaudit.parsers.tokens import Lexicon, tokenise
from mailaudit.parsers.tree import Statement, Token, Tree
from mailaudit.text import Span, Text

_EDGE = re.compile(r"[^\s(){}<>\[\],;=#!/]")


def set_off(text: Text, start: int, end: int, words: str) -> str:
    """Words with the blanks without which they would run into what stands before `start` and behind `end`."""
    chars = text.chars
    if start and _EDGE.match(chars, start - 1) and _EDGE.match(words):
        words = " " + words
    if _EDGE.match(chars, end) and _EDGE.match(words[-1:]):
        words += " "
    return words


def append(statement: Statement, words: str) -> Edits:
    """Words at the end of a statement, before a comment on its line."""
    last = without_return(statement.tokens)[-1]
    return (insert(last.text, last.end, set_off(last.text, last.end, last.end, " " + words)),)


def after(token: Token, words: str) -> Edits | None:
    """Words behind a token; None where the token came out of a macro, whose other uses would change too."""
    if token.via:
        return None
    return (insert(token.text, token.end, set_off(token.text, token.end, token.end, " " + words)),)


def before(token: Token, words: str) -> Edits | None:
    """Words in front of a token; None where it came out of a macro."""
    if token.via:
        return None
    return (insert(token.text, token.start, set_off(token.text, token.start, token.start, words + " ")),)


def instead(first: Token, words: str, last: Token | None = None) -> Edits | None:
    """Other words for a token, or for a run of tokens; None where they came out of a macro."""
    last = last or first
    if first.via or last.via or first.text is not last.text or last.end < first.start:
        return None
    if Span(first.text, first.start, last.end).chars == words:
        return NONE
    return (Edit(first.text.path, first.start, last.end, set_off(first.text, first.start, last.end, words)),)


def without(statement: Statement, tokens: Iterable[Token]) -> Edits | None:
    """A statement without some of its tokens and the blanks before them; None where one came out of a macro.

    Of a statement's first word, the blanks behind it go.
    """
    written = statement.tokens
    starts = {token.start: number for number, token in enumerate(written)}
    ends = {token.end: number for number, token in enumerate(written)}
    gone: set[int] = set()
    for token in tokens:
        if token.via or token.text is not written[0].text or token.start not in starts or token.end not in ends:
            return None
        gone.update(range(starts[token.start], ends[token.end] + 1))
    return tuple(cut(written, *run) for run in _runs(sorted(gone)))


def _runs(numbers: Sequence[int]) -> list[tuple[int, int]]:
    runs: list[tuple[int, int]] = []
    for number in numbers:
        if runs and runs[-1][1] == number - 1:
            runs[-1] = (runs[-1][0], number)
        else:
            runs.append((number, number))
    return runs


def cut(written: Sequence[Token], first: int, last: int) -> Edit:
    """Without the tokens from one number to another, and without the blanks before them; what is left does not run together."""
    text = written[0].text
    start, end = written[first].start, written[last].end
    if first == 0 and last + 1 < len(written):
        return Edit(text.path, start, written[last + 1].start, "")
    if first and (end == len(text.chars) or not _EDGE.match(text.chars, end)):
        return Edit(text.path, written[first - 1].end, end, "")
    return Edit(text.path, start, end, "" if not first or written[first - 1].end < start else " ")


def runs_on(token: Token, following: Token) -> bool:
    """True if a macro pastes to what stands beside it, so that both are one word."""
    return "macro" in (token.kind, following.kind) and all(
        each.is_string or each.kind in ("macro", "number") or each.value.isalnum() for each in (token, following)
    )


_PLAIN = re.compile(r"[^\s\"'\\]+")


def quoted(value: str, lexicon: Lexicon, *, like: str = "", only: str = "") -> str:
    """A value as one word or string of the parse.y family, quoted as `like` is, if that is written in quotes.

    Bare if it may be, unless `only` names the quote that must stand around it. Raises Unwritable for what has no spelling.
    """
    candidates: list[str] = []
    for quote in '"', "'":
        inner = value.replace(quote, f"\\{quote}")
        candidates.append(f"{quote}{inner}{quote}")
    preferred = only or (like[:1] if like[:1] in ('"', "'") else "")
    if preferred:
        candidates.sort(key=lambda written: written[0] != preferred)
    elif _PLAIN.fullmatch(value):
        candidates.insert(0, value)
    if only:
        candidates = [written for written in candidates if written[0] == only]
    for written in candidates:
        if "\n" not in written and _is_one(written, value, lexicon):
            return written
    raise Unwritable(f"no word or quoted string of this language is {value!r}")


LONGEST = 8094  # characters of a word, in all daemons with this lexer


def _is_one(written: str, value: str, lexicon: Lexicon) -> bool:
    """True if the lexer makes one word or string of what is written, and it means the value."""
    if len(value) > LONGEST or "\0" in value or "\r" in value:
        return False
    tokens = tokenise(Text.of("", written), lexicon)
    return len(tokens) == 1 and tokens[0].is_string and tokens[0].value == value


def fragment(words: str, lexicon: Lexicon) -> list[Token]:
    """The tokens of words that are to stand within a statement; raises Unwritable for what would end it or hide its rest."""
    tokens = tokenise(Text.of("", words), lexicon)
    depth = 0
    for token in tokens:
        if token.kind == "bad" or (token.kind == "newline" and depth == 0):
            raise Unwritable(f"these words cannot stand in a statement: {words!r}")
        depth += {"{": 1, "(": 1, "}": -1, ")": -1}.get(token.kind, 0)
        if depth < 0:
            break
    if depth or not tokens or tokens[0].start != 0 or tokens[-1].end != len(words):
        raise Unwritable(f"these words cannot stand in a statement: {words!r}")
    return tokens


def says(tokens: Sequence[Token], words: Sequence[Token]) -> bool:
    """True if tokens of a file say the same as words that are to stand there."""
    return len(tokens) == len(words) and all(same(one, other) for one, other in zip(tokens, words, strict=True))


def macro(tree: Tree, name: str) -> Statement | None:
    """The last definition of a macro in a file."""
    found = [each for each in tree.statements if each.kind == "macro" and each.seen[0].value == name]
    return found[-1] if found else None


def set_macro(tree: Tree, lexicon: Lexicon, name: str, value: str) -> Edits | None:
    """Give a macro that a file defines another value, in quotes like those around the old one; None if it defines none."""
    statement = macro(tree, name)
    if statement is None:
        return None
    old = without_return(statement.tokens)[2:]
    if len(old) == 1 and old[0].value == value and old[0].is_string:
        return NONE
    words = quoted(value, lexicon, like=old[0].span.chars or '"')
    return (Edit(old[0].text.path, old[0].start, old[-1].end, words),)
