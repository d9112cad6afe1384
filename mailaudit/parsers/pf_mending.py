"""What was plainly meant by a statement that pfctl refuses: a keyword misspelt, a word left out, a list without its braces."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from difflib import get_close_matches

from mailaudit.parsers.brief import brief
from mailaudit.parsers.grammar import Mismatch
from mailaudit.parsers.pf_grammar import GRAMMAR, KEYWORDS
from mailaudit.parsers.pf_messages import mismatch, placed, shown
from mailaudit.parsers.tree import Problem, Template, Token
from mailaudit.text import Span

Tokens = tuple[Token, ...]
Reading = tuple[Tokens, Problem]
MOST_TRIES = 2000  # in one file; a file of that many mistakes is no pf.conf
LONGEST = 500  # tokens of a statement that is worth it
MOST_INSERTED = 2  # words left out of one statement
_SAID = {  # what other packet filters and systems call it
    "accept": "pass", "allow": "pass", "permit": "pass", "deny": "block", "reject": "block", "ipv4": "inet", "ip4": "inet",
    "ipv6": "inet6", "ip6": "inet6", "interface": "on", "log-all": "log",
}  # fmt: skip
_LISTS = {  # after which words a list may stand, and what one of its items is called
    "port": "ports", "proto": "protocols", "on": "interfaces", "from": "addresses", "to": "addresses", "user": "users",
    "group": "groups", "icmp-type": "ICMP types", "icmp6-type": "ICMPv6 types", "for": "interfaces", "os": "systems",
    "nat-to": "addresses", "rdr-to": "addresses", "route-to": "addresses",
}  # fmt: skip
_PARTS = frozenset(["word", "string", "number", ",", "/", "!", "<", ">", "=", "!=", "(", ")"])
_INTERFACE = re.compile(r"(?:[a-z]{2,}[0-9]{1,4}|egress|lo)\Z")
_PROTOCOLS = frozenset(["tcp", "udp", "icmp", "icmp6", "esp", "gre"])
_UNQUOTED = re.compile(r"[A-Za-z0-9_:./*%@+~-]+")
_LITERAL = re.compile(r'"([^"]+)"\Z')


class Mender:
    """Finds other rows of tokens that pfctl would read, and says what was wrong; it tries but so often in one file."""

    def __init__(self) -> None:
        self.left = MOST_TRIES

    def meant(self, seen: Tokens, found: Mismatch) -> tuple[Tokens, Template, Problem] | None:
        """What a statement that does not read was plainly meant to be, or None."""
        if len(seen) > LONGEST:
            return None
        for tokens, problem in _readings(seen, found):
            if self.left <= 0:
                return None
            self.left -= 1
            read = GRAMMAR.read(tokens)
            if isinstance(read, Template):
                return tokens, read, problem
        return None


def _readings(seen: Tokens, found: Mismatch) -> Iterator[Reading]:
    at = found.at
    if at < len(seen):
        yield from _misspelt(seen, at, found)
        yield from _in_quotes(seen, at)
        yield from _netmask(seen, at)
        yield from _unquoted(seen, at)
        yield from _without_word(seen, at)
        yield from _braces(seen, at)
    yield from _left_out(seen, found)
    yield from _brackets(seen, at)
    yield from _never_closed(seen, at, found)


def _said(seen: Tokens, found: Mismatch) -> Problem:
    return mismatch(found, seen, seen, too_nested=False)


def _misspelt(seen: Tokens, at: int, found: Mismatch) -> Iterator[Reading]:
    token = seen[at]
    first = seen[0]
    places = [at, 0] if first.kind == "word" and at == 1 else [at]  # of a first word that is none, the second is told
    for place in places:
        token = seen[place]
        if token.kind != "word":
            continue
        for words in _keywords_like(token.value):
            made = [Token(word, word, token.text, token.start, token.end, token.via) for word in words]
            text = " ".join(words)
            problem = _said(seen, Mismatch(place, found.expected))
            message = f'{problem.message}; did you mean "{text}"?'
            yield (*seen[:place], *made, *seen[place + 1 :]), Problem(message, token.span, mend=None if token.via else text)


def _keywords_like(word: str) -> Iterator[list[str]]:
    lower = word.lower()
    if lower in KEYWORDS:
        yield [lower]
    if lower in _SAID:
        yield [_SAID[lower]]
    letters = sorted(lower)
    near = get_close_matches(lower, sorted(KEYWORDS), n=3, cutoff=0.7)
    yield from ([word] for word in sorted(near, key=lambda word: sorted(word) != letters))
    for size in range(2, len(lower) - 1):
        if lower[:size] in KEYWORDS and lower[size:] in KEYWORDS:
            yield [lower[:size], lower[size:]]


def _unquoted(seen: Tokens, at: int) -> Iterator[Reading]:
    """A path or network without its quotes, as one string."""
    if seen[at].kind != "/" or seen[at].via:
        return
    before = at > 0 and seen[at - 1].kind in ("word", "number") and seen[at - 1].end == seen[at].start
    first = at - 1 if before else at
    match = _UNQUOTED.match(seen[at].text.chars, seen[first].start)
    if match is None:
        return
    rest = [number for number in range(first, len(seen)) if seen[number].start >= match.end()]
    string = Token("string", match.group(), seen[at].text, match.start(), match.end())
    problem = Problem(f'what contains a "/" must stand in quotes here: "{shown(string)}"', string.span, mend=f'"{string.value}"')
    yield (*seen[:first], string, *(seen[rest[0] :] if rest else ())), problem


def _netmask(seen: Tokens, at: int) -> Iterator[Reading]:
    """A netmask in dots, as the number of its bits."""
    if seen[at].kind != "/" or at + 1 >= len(seen):
        return
    mask = seen[at + 1]
    parts = mask.value.split(".")
    if len(parts) != 4 or not all(part.isascii() and part.isdigit() and int(part) < 256 for part in parts):
        return
    bits = "".join(f"{int(part):08b}" for part in parts)
    if "01" in bits:
        return
    number = Token("number", str(bits.count("1")), mask.text, mask.start, mask.end, mask.via)
    problem = Problem(f"a netmask is a number of bits: /{number.value}", mask.span, mend=None if mask.via else number.value)
    yield (*seen[: at + 1], number, *seen[at + 2 :]), problem


def _in_quotes(seen: Tokens, at: int) -> Iterator[Reading]:
    """The value of a macro that holds more than words, in quotes; and in braces, if it holds commas without them."""
    if at < 2 or seen[1].kind != "=" or not seen[0].is_string:
        return
    parts = [token for token in seen[2:] if token.kind != "newline"]
    if not parts or any(token.via or token.kind in ("macro", "string", "bad") for token in parts):
        return
    span = Span(seen[2].text, parts[0].start, parts[-1].end)
    if "\n" in span.chars or '"' in span.chars or "'" in span.chars or "\\" in span.chars:
        return
    text = span.chars if parts[0].kind == "{" or all(token.kind != "," for token in parts) else f"{{ {span.chars} }}"
    value = Token("string", text, span.text, span.start, span.end)
    problem = Problem(f'the value of a macro must stand in quotes here: "{shown(value)}"', span, mend=f'"{text}"')
    yield (*seen[:2], value), problem


def _without_word(seen: Tokens, at: int) -> Iterator[Reading]:
    """A word that says what the next one is, left out: `to` before a port, `on` before an interface, `proto`."""
    token = seen[at]
    text = None
    if token.kind == "port":
        message = f'"port" cannot stand after "{shown(seen[at - 1])}", only after "from" or "to" and an address, if there is one'
        text = "to"
    elif token.is_string and _INTERFACE.match(token.value):
        message, text = f'expected "on" before the interface "{shown(token)}"', "on"
    elif token.is_string and token.value in _PROTOCOLS:
        message, text = f'expected "proto" before the protocol "{token.value}"', "proto"
    if text is not None:
        mend = None if token.via else f"{text} {token.span.chars}"
        yield _with(seen, at, text), Problem(message, token.span, mend=mend)


def _with(seen: Tokens, at: int, kind: str) -> Tokens:
    """The tokens with one more, of no characters, before token `at`."""
    place = seen[at].start if at < len(seen) else seen[-1].end
    beside = seen[min(at, len(seen) - 1)]
    return (*seen[:at], Token(kind, kind, beside.text, place, place, beside.via), *seen[at:])


def _braces(seen: Tokens, at: int) -> Iterator[Reading]:
    """Several items in a row that lack the braces around them."""
    first = at
    while first > 0 and seen[first - 1].kind in _PARTS:
        first -= 1
    if not first or seen[first - 1].kind not in _LISTS or first == at:
        return
    last = at
    while last < len(seen) and seen[last].kind in _PARTS:
        last += 1
    wrapped = _with(_with(seen, last, "}"), first, "{")
    span = Span(seen[first].text, seen[first].start, seen[last - 1].end)
    plain = not any(token.via for token in seen[first:last])
    text = f"{{ {span.chars} }}" if plain else None
    message = f"several {_LISTS[seen[first - 1].kind]} must stand in braces: {brief(text) if text else '{ ... }'}"
    yield wrapped, Problem(message, seen[at].span if not plain else span, mend=text)


def _left_out(seen: Tokens, found: Mismatch) -> Iterator[Reading]:
    """The word or mark that was expected, put in; and the next one, if that is missing too."""
    tokens, put = seen, found
    texts: list[tuple[int, str]] = []
    for _ in range(MOST_INSERTED):
        literal = _LITERAL.match(put.expected)
        if literal is None or literal[1] == "=":  # a word of prose is no macro
            return
        tokens = _with(tokens, put.at, literal[1])
        texts.append((put.at, literal[1]))
        read = GRAMMAR.read(tokens)
        if isinstance(read, Template):
            yield tokens, _filled(seen, found, texts)
            return
        put = read


def _filled(seen: Tokens, found: Mismatch, texts: Sequence[tuple[int, str]]) -> Problem:
    """The problem of words left out, with the text that stands where they should, if they belong to one place."""
    problem = _said(seen, found)
    at = found.at
    if at >= len(seen) or seen[at].kind == "newline":
        before = seen[at - 1]
        return replace(problem, mend=None if before.via else before.span.chars + "".join(placed(text) for _, text in texts))
    written = seen[at].span.chars
    if seen[at].via or any(where not in (at, at + 2) for where, _ in texts):
        return problem
    marks = [text for _, text in texts]
    if marks[0] in (")", ">") and not seen[at - 1].via:
        return replace(problem, span=seen[at - 1].span, mend=seen[at - 1].span.chars + marks[0])
    if len(marks) == 2:
        return replace(problem, span=seen[at].span, mend=f"{marks[0]}{written}{marks[1]}")
    glue = "" if marks[0] in ("<", "(") else " "
    return replace(problem, span=seen[at].span, mend=f"{marks[0]}{glue}{written}")


def _brackets(seen: Tokens, at: int) -> Iterator[Reading]:
    """An address whose `(` or `<` has no other end, or no beginning."""
    if at >= len(seen):
        return
    kind = seen[at].kind
    if kind in ("(", "<") and at + 1 < len(seen) and seen[at + 1].is_string:
        close, word = (")" if kind == "(" else ">"), seen[at + 1]
        problem = Problem(
            f'expected "{close}" after "{shown(word)}", found {_what(seen, at + 2)}',
            word.span,
            mend=None if word.via else word.span.chars + close,
        )
        yield _with(seen, at + 2, close), problem
    elif kind in (")", ">") and at > 0 and seen[at - 1].is_string:
        opens, word = ("(" if kind == ")" else "<"), seen[at - 1]
        problem = Problem(
            f'there is no "{opens}" before "{shown(word)}{kind}"', word.span, mend=None if word.via else opens + word.span.chars
        )
        yield _with(seen, at - 1, opens), problem
    elif at > 0 and seen[at - 1].kind == "state" and seen[at].kind != "(":
        span = Span(seen[at].text, seen[at].start, seen[-1].end)
        plain = not any(token.via for token in seen[at:])
        message = 'the options of a state must stand in parentheses behind "state"'
        yield (
            _with(_with(seen, len(seen), ")"), at, "("),
            Problem(message, span if plain else seen[at].span, mend=f"({span.chars})" if plain else None),
        )


def _what(seen: Tokens, at: int) -> str:
    return f'"{shown(seen[at])}"' if at < len(seen) and seen[at].kind != "newline" else "the end of the line"


def _never_closed(seen: Tokens, at: int, found: Mismatch) -> Iterator[Reading]:
    """A list that lacks its closing brace, which belongs where the next thing that is no item stands."""
    opened = [number for number in range(min(at, len(seen))) if seen[number].kind == "{"]
    if not opened or any(token.kind == "}" for token in seen[opened[-1] :]):
        return
    end = at
    while end > opened[-1] + 1 and seen[end - 1].kind in ("newline", ","):
        end -= 1
    last = seen[end - 1]
    closed = (*_with(seen[:end], end, "}"), *(token for token in seen[end:] if token.kind not in ("newline", ",")))
    message = f'the "{{" is never closed: expected "}}" after "{shown(last)}", found {_what(seen, at)}'
    del found
    yield closed, Problem(message, last.span, mend=None if last.via else f"{last.span.chars} }}")
