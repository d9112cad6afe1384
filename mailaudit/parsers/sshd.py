"""sshd_config(5): a keyword and its arguments a line; Match blocks last to the next one or to the end of the file.

Statements (servconf.c 1.424, argv_split() and strdelim()):

- `setting`; its node `setting` has the leaves keyword (kind `keyword`, its value in lower case; older names stay what they
  are, see `sshd_keywords.ALIASES`) and arguments (`word`, or `string` where quotes or backslashes are in it). An equals sign
  after the keyword is a token `=` and no leaf. Of ForceCommand, VersionAddendum and the commands for keys and principals the
  rest of the line is one argument.
- `include`; its node `include` has the leaves keyword and paths or patterns, relative ones being below /etc/ssh. A model lists
  and reads them.
- `match`, a block: its node `match` has the leaf keyword and a child `criterion` for each criterion, with the leaves name
  (`user`, `Group`, as written) and argument (none for `all` and `invalid-user`, and for `user=x`, which is one token); its body
  are the statements up to the next `match` or the end of the file. There are no closing tokens.
- `ignored`, a line whose keyword sshd cannot find for a quote in it; it passes over the line.
- `unread`, a line that sshd refuses; a refused Match line still is a block.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from mailaudit.parsers import sshd_keywords
from mailaudit.parsers.brief import brief
from mailaudit.parsers.nearest import nearest
from mailaudit.parsers.sshd_keywords import ELSEWHERE, KEYWORDS
from mailaudit.parsers.tree import Include, Language, Problem, Statement, Template, Token, Tree
from mailaudit.text import Text

CRITERIA = ("user", "group", "host", "address", "localaddress", "localport", "rdomain", "version")
LONE_CRITERIA = ("all", "invalid-user")
_BLANK = " \t\r"
_KEYWORD = re.compile(r"=?[ \t\r]*(?P<word>[^ \t\r\n\"=]*)(?:\"(?P<quoted>[^\"\n]*)(?P<closed>\")?)?")
_EQUALS = re.compile(r"[ \t\r]*(?:(?P<equals>=)[ \t\r]*)?")
_ARGUMENT = re.compile(
    r"(?:[^ \t\\'\"]++|\\[\\'\" ]|\\(?![\\'\" ])"
    r"|'(?:[^'\\]++|\\[\\'\"]|\\(?![\\'\"]))*'|\"(?:[^\"\\]++|\\[\\'\"]|\\(?![\\'\"]))*\")+"
)
_NAMES = tuple(KEYWORDS)
_TRIVIA = re.compile(r"(?:[ \t\r\f\n]|#[^\n]*(?:\n|\Z))*")
_IGNORED = Template("ignored", ())
_SETTINGS: dict[tuple[str, tuple[str, ...], int], Template] = {}


def parse(text: Text, _include: Include) -> Tree:
    """The tree of an sshd_config. Include statements are read, not followed: only a model can list what a pattern matches."""
    blocks: list[tuple[Statement | None, list[Statement]]] = [(None, [])]
    for statement in _lines(text):
        if statement.is_block:
            blocks.append((statement, []))
        else:
            blocks[-1][1].append(statement)
    statements = list(blocks[0][1])
    for match, body in blocks[1:]:
        if match is not None:
            within = tuple(body) if is_for_all(match) else tuple(_in_match(each) for each in body)
            statements.append(
                Statement(match.kind, match.tokens, match.seen, match.template, match.problem, within, is_block=True)
            )
    return Tree("sshd", text, tuple(statements))


LANGUAGE = Language("sshd", parse, _TRIVIA, ("/etc/ssh/sshd_config", "/etc/ssh/sshd_config.d/*"))


def is_for_all(block: Statement) -> bool:
    """True for `Match all`, which holds from the start: what stands below it is as if it stood above all blocks."""
    criteria = [] if block.unread else block.node.nodes("criterion")
    return len(criteria) == 1 and criteria[0].first.value.lower() == "all"


def _in_match(statement: Statement) -> Statement:
    if statement.problem is not None or statement.kind != "setting":
        return statement
    keyword = statement.node.first
    known = KEYWORDS[keyword.value]
    if known.in_match:
        return statement
    problem = Problem(f"{known.name} is not allowed within a Match block", keyword.span)
    return Statement("unread", statement.tokens, statement.seen, None, problem)


def _lines(text: Text) -> Iterator[Statement]:
    chars = text.chars
    at = 0
    while at < len(chars):
        newline = chars.find("\n", at)
        eol = len(chars) if newline < 0 else newline
        line = chars[at:eol]
        start = at + len(line) - len(line.lstrip(_BLANK))
        end = at + len(line.rstrip(" \t\r\f"))
        if chars[start : start + 1] == "\f":  # it counts where nothing stands before it
            end = max(end, start + 1)
        if start < end and chars[start] != "#":
            yield _line(text, start, end)
        at = eol + 1


def _line(text: Text, start: int, end: int) -> Statement:
    chars = text.chars
    word = _KEYWORD.match(chars, start, end)
    unclosed = word is not None and word["quoted"] is not None and word["closed"] is None
    if word is None or unclosed or not word["word"] + (word["quoted"] or ""):
        token = Token("bad", chars[start:end], text, start, end)
        return Statement("ignored", (token,), (token,), _IGNORED)
    value = word["word"] + (word["quoted"] or "")
    keyword = Token("keyword", value.lower(), text, word.start("word"), word.end())
    tokens = [keyword]
    if word.start("word") > start:
        tokens.insert(0, Token("=", "=", text, start, start + 1))
    equals = _EQUALS.match(chars, word.end(), end)
    at = equals.end() if equals else word.end()
    if equals and equals["equals"]:
        tokens.append(Token("=", "=", text, equals.start("equals"), equals.end("equals")))
    if at >= end:
        return _unread(tokens, f'expected an argument after "{brief(value)}", found the end of the line', keyword)
    known = KEYWORDS.get(keyword.value)
    arguments = _arguments(text, at, end)
    if arguments is not None and known is not None and known.shape in ("raw", "command"):
        arguments = [Token("word", chars[at:end], text, at, end)]
    if arguments is None:
        bad = Token("bad", chars[at:end], text, at, end)
        return _unread([*tokens, bad], "a quote is not closed", bad)
    tokens += arguments
    return _known(tokens, keyword, tuple(arguments))


def _arguments(text: Text, at: int, end: int) -> list[Token] | None:
    """The arguments up to a comment, or None if a quote is not closed."""
    chars = text.chars
    found: list[Token] = []
    while True:
        while at < end and chars[at] in " \t":
            at += 1
        if at >= end or chars[at] == "#":
            return found
        match = _ARGUMENT.match(chars, at, end)
        if match is None or (match.end() < end and chars[match.end()] not in " \t"):
            return None
        written = match[0]
        at = match.end()
        if "\\" in written or "'" in written or '"' in written:
            found.append(Token("string", _value(written), text, match.start(), at))
        else:
            found.append(Token("word", written, text, match.start(), at))


def _value(written: str) -> str:
    """An argument without its quotes and backslashes; a backslash before a blank counts outside quotes alone."""
    value: list[str] = []
    quote = ""
    at = 0
    while at < len(written):
        char = written[at]
        after = written[at + 1 : at + 2]
        if char == "\\" and after and (after in "\\'\"" or (after == " " and not quote)):
            value.append(after)
            at += 1
        elif char == quote:
            quote = ""
        elif not quote and char in "'\"":
            quote = char
        else:
            value.append(char)
        at += 1
    return "".join(value)


def _known(tokens: list[Token], keyword: Token, arguments: tuple[Token, ...]) -> Statement:
    """The statement of a line with these arguments, its keyword being known, mended or refused."""
    known = KEYWORDS.get(keyword.value)
    problem = None
    if known is None:
        meant = _meant(keyword)
        unknown = f'sshd knows no keyword "{brief(keyword.span.chars)}"'
        if meant is None or isinstance(meant, Problem):
            return _unread(tokens, unknown, keyword) if meant is None else _refused(tokens, meant)
        known = KEYWORDS[meant]
        problem = Problem(f"{unknown}; {known.name} is meant", keyword.span, mend=known.name)
        seen = [Token("keyword", meant, keyword.text, keyword.start, keyword.end) if each is keyword else each for each in tokens]
    else:
        seen = tokens
    if known.name == "Match":
        return _match(tokens, seen, arguments, problem)
    wrong = sshd_keywords.fault(known.shape, arguments)
    if wrong is not None:
        expected, token = wrong
        found = "the end of the line" if token is None else f'"{brief(token.span.chars)}"'
        return _unread(tokens, f"expected {expected} after {known.name}, found {found}", token or keyword)
    kind = "include" if known.name == "Include" else "setting"
    return Statement(kind, tuple(tokens), tuple(seen), _setting(kind, seen), problem)


def _setting(kind: str, tokens: list[Token]) -> Template:
    key = (kind, tuple(token.kind for token in tokens[:3]), len(tokens))
    template = _SETTINGS.get(key)
    if template is None:
        numbers = tuple(number for number, token in enumerate(tokens) if token.kind != "=")
        template = _SETTINGS[key] = Template(kind, numbers)
    return template


def _meant(keyword: Token) -> str | Problem | None:
    """The keyword that an unknown one is nearly, or why there is none."""
    if keyword.value in ELSEWHERE:
        message = f"OpenBSD's sshd knows no {keyword.span.chars}; it belongs to {ELSEWHERE[keyword.value]}"
        return Problem(message, keyword.span, mend=None)
    return nearest(keyword.value, _NAMES, 0.8)


def _unread(tokens: list[Token], message: str, at: Token) -> Statement:
    return _refused(tokens, Problem(message, at.span))


def _refused(tokens: list[Token], problem: Problem) -> Statement:
    seen = tuple(tokens)
    return Statement("unread", seen, seen, None, problem)


def _match(tokens: list[Token], seen: list[Token], arguments: tuple[Token, ...], problem: Problem | None) -> Statement:
    first = len(seen) - len(arguments)
    parts: list[int | range | Template] = [number for number, token in enumerate(seen[:first]) if token.kind == "keyword"]
    at = first
    fault: Problem | None = None
    while at < len(seen) and fault is None:
        size, fault = _criterion(seen, at, first)
        parts.append(Template("criterion", tuple(range(at, at + size))))
        at += size
    if not arguments:
        fault = Problem("expected a criterion after Match, found the end of the line", tokens[0].span)
    if fault is not None:
        return Statement("unread", tuple(tokens), tuple(tokens), None, fault, is_block=True)
    return Statement("match", tuple(tokens), tuple(seen), Template("match", tuple(parts)), problem, is_block=True)


def _expected(name: str, argument: str) -> str:
    """What is expected instead of a criterion's argument, or nothing."""
    if name == "localport" and not (argument.isdigit() and len(argument) < 6 and int(argument) < 65536):
        return "a port"
    return sshd_keywords.networks(argument) if name in ("address", "localaddress") else ""


def _criterion(seen: list[Token], at: int, first: int) -> tuple[int, Problem | None]:
    """How many tokens the criterion at a place has, and what is wrong with it."""
    token = seen[at]
    name, equals, argument = token.value.partition("=")
    name = name.lower()
    if token.value.lower() in LONE_CRITERIA:
        if token.value.lower() == "all" and (at > first or at + 1 < len(seen)):
            return 1, Problem('"all" cannot be combined with other criteria', token.span)
        return 1, None
    if name not in CRITERIA:
        names = ", ".join((*CRITERIA, *LONE_CRITERIA))
        near = nearest(name, (*CRITERIA, *LONE_CRITERIA), 0.7)
        mend = token.span.chars.replace(token.span.chars[: len(name)], near, 1) if near else None
        return 1, Problem(f'expected one of {names} after Match, found "{brief(token.value)}"', token.span, mend=mend)
    if not equals and at + 1 < len(seen):
        argument = seen[at + 1].value
    if not argument:
        return 1, Problem(f'expected an argument after "{brief(token.value)}", found the end of the line', token.span)
    expected = _expected(name, argument)
    if expected:
        return 1, Problem(f'expected {expected} after "{name}", found "{brief(argument)}"', token.span)
    return (1 if equals else 2), None
