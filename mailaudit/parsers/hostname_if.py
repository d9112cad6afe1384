r"""hostname.if(5): a line a call of ifconfig(8), as netstart(8) reads and unpacks it.

A line is cut into words at blanks; a backslash before a newline continues it, before another character it goes. What is in
quotes is one word. Statements, and the nodes of their readings (all leaves are of kind `word` unless said otherwise):

* `address`: `inet [alias] ADDRESS [NETMASK [BROADCAST [OPTIONS]]]` or `inet6 [alias] ADDRESS [PREFIXLEN [OPTIONS]]`. The node
  has the nodes `family`, `alias` (where it is there), `host`, `netmask` or `prefixlen`, `broadcast`, `options`, each with its
  words as leaves; those that are not written are not there.
* `autoconf`: `inet autoconf`, `inet6 autoconf` or `dhcp`, and options: all words are leaves of the node.
* `dest`: `dest ADDRESS`: the other end of the line before. Its leaves are the two words.
* `command`: `!COMMAND`, run by the shell. Its node has one leaf, of kind `command`: what follows the token `!`.
* `ifconfig`: anything else: words for ifconfig, all leaves of the node.
* `ignored`: what netstart passes over: `inet` and `inet6` alone, `dest` without a line before it or without its address, a last
  line without a newline. All words are leaves. `why_ignored` says why.
* `unread`: a line that ifconfig refuses, or one with characters that mean something to the shell.

Comments are lines that begin with `#`, continued by a backslash like others, and a word that begins with `#`, with what follows
it, where no address, mask or the like is expected.

/etc/mygate and /etc/myname are read by the same script: a `line` that is not blank and no comment, its words the node's leaves
(the first is the gateway or the name), or `ignored`, as above.

Source: netstart 1.229 of OpenBSD, parse_hn_line() and ifstart().
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import partial
from ipaddress import IPv4Address, IPv6Address

from mailaudit.parsers.brief import brief
from mailaudit.parsers.tree import Include, Language, Problem, Statement, Template, Token, Tree
from mailaudit.text import Span, Text

TRIVIA = re.compile(r"(?:[ \t\n]|\\[ \t\n]|\\\Z|#(?:[^\n\\]|\\[\s\S])*(?:\\?\Z|\n))*")
NO_NEWLINE = "the last line has no newline, so netstart(8) does not read it"
PASSED_OVER = "netstart(8) passes over this line"
_LINE = re.compile(r"(?:[^\n\\]++|\\[\s\S])*\\?")
_BLANK = re.compile(r"(?:[ \t]|\\[ \t\n])*")
_WORD = re.compile(r"(?:[^ \t\n\\\"']++|\\[^ \t\n]|\\\n(?![ \t])|\"(?:[^\"\\]|\\[\s\S])*\"|'(?:[^'\\]|\\[\s\S])*')+")
_PLAIN = re.compile(r"(?:[^ \t\n\\]++|\\[^ \t\n])+")
_ESCAPE = re.compile(r"\\([\s\S])")
_SHELL = re.compile(r"[;&|`$<>()]")


def parse(text: Text, _include: Include) -> Tree:
    """The tree of such a file."""
    return Tree("hostname", text, tuple(_statements(text)))


def parse_plain(text: Text, _include: Include, name: str) -> Tree:
    """The tree of /etc/mygate or /etc/myname."""
    return Tree(name, text, tuple(_plain_lines(text)))


LANGUAGE = Language("hostname", parse, TRIVIA, ("/etc/hostname.*",))
MYGATE = Language("mygate", partial(parse_plain, name="mygate"), TRIVIA, ("/etc/mygate",))
MYNAME = Language("myname", partial(parse_plain, name="myname"), TRIVIA, ("/etc/myname",))


def why_ignored(statement: Statement) -> str:
    """Why netstart passes over an `ignored` line."""
    last = statement.tokens[-1]
    match = _LINE.match(last.text.chars, last.end)
    return NO_NEWLINE if match is not None and match.end() == len(last.text.chars) else PASSED_OVER


def _statements(text: Text) -> Iterator[Statement]:
    chars = text.chars
    at = 0
    after_one = False  # a line before, whose other end `dest` would give
    while at < len(chars):
        end = _end(_LINE.match(chars, at))
        start = _end(_BLANK.match(chars, at, end))
        if start < end and chars[start] != "#":
            statement = _line(text, start, end, after_one)
            after_one = after_one or statement.kind not in ("ignored", "dest")
            yield statement
        at = end + 1


def _plain_lines(text: Text) -> Iterator[Statement]:
    chars = text.chars
    at = 0
    while at < len(chars):
        end = _end(_LINE.match(chars, at))
        start = _end(_BLANK.match(chars, at, end))
        if start < end and chars[start] != "#":
            yield _flat("line" if end < len(chars) else "ignored", _words(text, start, end, _PLAIN))
        at = end + 1


def _line(text: Text, start: int, end: int, after_one: bool) -> Statement:
    if text.chars.find("\0", start, end) >= 0:
        words = _words(text, start, end, _PLAIN)
        return _unread(words, Problem("the line holds a NUL byte", Span(text, start, end), refused=False))
    if text.chars[start] == "!":
        return _command(text, start, end)
    words = _words(text, start, end, _WORD)
    if end == len(text.chars):
        return _flat("ignored", words)
    if words[-1].kind == "bad":
        return _unread(words, Problem(f"the quote is not closed: {words[-1].value[:1]}", words[-1].span))
    return _inet(words) if words[0].value in ("inet", "inet6") else _others(words, after_one)


def _others(words: Sequence[Token], after_one: bool) -> Statement:
    """A line that does not begin with an address family."""
    words = _without_comment(words, 1)
    first = words[0].value
    if first == "dest":
        return _checked("dest" if len(words) == 2 and after_one else "ignored", words)
    return _checked("autoconf" if first == "dhcp" else "ifconfig", words)


def _inet(words: Sequence[Token]) -> Statement:
    """A line that begins with `inet` or `inet6`."""
    if len(words) == 1:
        return _flat("ignored", words)
    second = words[1]
    if second.kind == "#":
        return _unread(words, _expected("an address", second))
    if second.value == "autoconf":
        return _checked("autoconf", _without_comment(words, 2))
    no_address = words[0].value == "inet6" and ":" not in second.value and second.value != "alias"
    if len(words) == 2 and (no_address or second.value.startswith("-")):  # before a third word a mask is expected all the same
        return _checked("ifconfig", words)
    return _address(words)


def _address(words: Sequence[Token]) -> Statement:
    at = 2 if words[1].value == "alias" else 1
    slots = ("host", "netmask", "broadcast") if words[0].value == "inet" else ("host", "prefixlen")
    if at == len(words):
        return _unread(words, Problem('expected an address after "alias"', words[1].span))
    for slot, word in zip(slots, words[at:], strict=False):
        problem = _wrong(slot, word)
        if problem is not None:
            return _unread(words, problem)
    words = _without_comment(words, at + len(slots))
    shell = _of_the_shell(words)
    if shell is not None:
        return _unread(words, shell)
    parts = [Template("family", (0,))]
    if at == 2:
        parts.append(Template("alias", (1,)))
    parts += [Template(slot, (at + number,)) for number, slot in enumerate(slots) if at + number < len(words)]
    if len(words) > at + len(slots):
        parts.append(Template("options", tuple(range(at + len(slots), len(words)))))
    seen = tuple(words)
    return Statement("address", seen, seen, Template("address", tuple(parts)))


def _wrong(slot: str, word: Token) -> Problem | None:
    """What ifconfig does not take at a place where netstart puts a word of its own before it."""
    value = word.value
    if slot == "host":
        return _expected("an address", word) if word.kind == "#" else None
    if slot == "netmask" and not _is_mask(value):
        return _expected("a netmask such as 255.255.255.0 or 0xffffff00", word)
    if slot == "prefixlen" and not (value.isascii() and value.isdigit() and len(value) < 4 and int(value) <= 128):
        return _expected("a prefix length from 0 to 128", word)
    if slot == "broadcast" and not value.endswith("NONE") and not _is_ipv4(value):
        return _expected("a broadcast address or NONE", word)
    return None


def _expected(what: str, word: Token) -> Problem:
    found, more = ("#", "; a comment needs a line of its own here") if word.kind == "#" else (word.value, "")
    return Problem(f'expected {what}, found "{brief(found)}"{more}', word.span)


def _is_mask(value: str) -> bool:
    return _is_ipv4(value) or re.fullmatch(r"0x[0-9A-Fa-f]{1,8}", value) is not None


def _is_ipv4(value: str) -> bool:
    try:
        IPv4Address(value)
    except ValueError:
        return False
    return True


def ipv6(value: str) -> IPv6Address | None:
    """The IPv6 address that a word is, without its scope and prefix length."""
    try:
        return IPv6Address(value.partition("/")[0].partition("%")[0])
    except ValueError:
        return None


def _of_the_shell(words: Sequence[Token]) -> Problem | None:
    """The line is evaluated by the shell: what means something to it is not read."""
    for word in words:
        found = _SHELL.search(word.value) if word.kind == "word" else None
        if found is not None:
            message = f'"{found[0]}" means something to the shell; only lines that begin with "!" are read so'
            return Problem(message, word.span, refused=False)
    return None


def _checked(kind: str, words: Sequence[Token]) -> Statement:
    """A statement all of whose words are leaves, if none means something to the shell."""
    shell = _of_the_shell(words)
    return _flat(kind, words) if shell is None else _unread(words, shell)


def _command(text: Text, start: int, end: int) -> Statement:
    if end == len(text.chars):
        return _flat("ignored", _words(text, start, end, _PLAIN))
    at = _end(_BLANK.match(text.chars, start + 1, end))
    to = at + len(text.chars[at:end].rstrip(" \t"))
    command = " ".join(_value(text.chars[at:to]).split())  # the words of the line with a blank between them, even in quotes
    tokens = (Token("!", "!", text, start, start + 1), Token("command", command, text, at, to))
    return Statement("command", tokens, tokens, Template("command", (1,)))


def _words(text: Text, at: int, end: int, pattern: re.Pattern[str]) -> list[Token]:
    """The words of a line. A quote that is not closed is a bad one, and one that begins with "#" a comment, both to its end."""
    chars = text.chars
    words: list[Token] = []
    while at < end:
        match = pattern.match(chars, at, end)
        to = at if match is None else match.end()
        if words and chars[at] == "#" and pattern is _WORD:
            words.append(Token("#", chars[at:end], text, at, end))
            return words
        if to < end and chars[to] not in " \t\\":
            words.append(Token("bad", chars[to:end], text, at, end))
            return words
        if to == at:  # a backslash that ends the file
            words.append(Token("word", "", text, at, end))
            return words
        word = chars[at:to]
        quoted = word[0] in "\"'" and word.find(word[0], 1) == len(word) - 1
        words.append(Token("string" if quoted else "word", _unquoted(word), text, at, to))
        at = _end(_BLANK.match(chars, to, end))
    return words


def _value(written: str) -> str:
    """Characters as `read` gives them: a backslash before a newline goes with it, another one goes alone."""
    if "\\" not in written:
        return written
    return _ESCAPE.sub(lambda match: "" if match[1] == "\n" else match[1], written)


def _unquoted(written: str) -> str:
    if '"' not in written and "'" not in written:
        return _value(written)
    return re.sub(r"\"([^\"]*)\"|'([^']*)'", lambda match: match[1] or match[2] or "", _value(written))


def _without_comment(words: Sequence[Token], at: int) -> Sequence[Token]:
    """The words without a comment at their end, if that is not one of the first `at`."""
    return words[:-1] if len(words) > at and words[-1].kind == "#" else words


def _flat(kind: str, words: Sequence[Token]) -> Statement:
    tokens = tuple(words)
    return Statement(kind, tokens, tokens, Template(kind, tuple(range(len(tokens)))))


def _unread(words: Sequence[Token], problem: Problem) -> Statement:
    tokens = tuple(words)
    return Statement("unread", tokens, tokens, None, problem)


def _end(match: re.Match[str] | None) -> int:
    assert match is not None  # the pattern matches nothing as well
    return match.end()
