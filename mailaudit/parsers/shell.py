"""sh(1) as far as scripts such as /etc/daily.local and the commands of crontabs need it: lines of words and operators.

This is no shell: it tells words, operators and the text of here-documents apart, so that a model can see which commands are run.

Statements:

- `line`, all up to a newline that ends a command (not one in quotes, in `$( )`, in backquotes, after a backslash, or right after
  `&&`, `||` or `|`); its node `line` has all tokens as leaves, in order.
- `unread`, the rest of a file from a quote, parenthesis or backquote on that is not closed.

Token kinds: `word` (bare), `string` (with quotes or backslashes; the value is without them), `expanded` (holds a parameter, a
command substitution or an unquoted pattern, so that its value is known to the running shell alone; the value is as written),
`redirection` (an operator such as `>>` or `2>&1`; the file's name is the next word), `heredoc` (the text of a here-document with
its last line), and the operators `&&`, `||`, `;`, `;;`, `&`, `|`, `(`, `)`. Reserved words (`if`, `{`, `!`) are plain words.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from mailaudit.parsers.tree import Include, Language, Problem, Statement, Template, Token, Tree
from mailaudit.text import Text

_NEST = 40  # command substitutions one in another
_TOKEN = re.compile(
    r"(?:[ \t]|\\\n)*"
    r"(?:(?P<newline>\n)|(?P<comment>#[^\n]*)"
    r"|(?P<redirection>[0-9]*(?:<<-?|>>|<&-?|>&-?|<>|>\||[<>])(?:(?<=&)[0-9-])?)"
    r"|(?P<operator>&&|\|\||;;|[;&|()])|(?P<word>(?=.))|(?P<end>\Z))",
    re.DOTALL,
)
_PLAIN = re.compile(r"[^\s\\'\"`$|&;()<>*?\[~]+")
_GLOBS = frozenset("*?[~")
_TEST = re.compile(r"(?<![^\s;&|(])\[(?=[ \t])")  # the command [
_PARAMETER = re.compile(r"\$(?:[A-Za-z_][A-Za-z0-9_]*|[0-9@*#?!$-]|\{[^}\n]*\})")
_TRIVIA = re.compile(r"(?:[ \t\n]|\\\n|#[^\n]*(?:\n|\Z))*")
_TEMPLATES: dict[int, Template] = {}
_GOES_ON = ("&&", "||", "|")


def parse(text: Text, _include: Include) -> Tree:
    """The tree of a script."""
    return Tree("shell", text, tuple(_statements(text)))


LANGUAGE = Language("shell", parse, _TRIVIA, ("/etc/daily.local", "/etc/weekly.local", "/etc/monthly.local"))


def tokens_of(text: Text, start: int, end: int) -> tuple[tuple[Token, ...], Problem | None]:
    """The tokens of a command that stands in another file, newlines left out, and what is not closed in it."""
    found: list[Token] = []
    for statement in _statements(text, start, end):
        found += statement.tokens
        if statement.problem is not None:
            return tuple(found), statement.problem
    return tuple(found), None


def _statements(text: Text, base: int = 0, end: int | None = None) -> Iterator[Statement]:
    chars = text.chars if end is None else text.chars[base:end]
    at = 0
    tokens: list[Token] = []
    heredocs: list[tuple[str, bool]] = []
    while True:
        match = _TOKEN.match(chars, at)
        if match is None:  # the word branch takes any character
            raise AssertionError(at)
        kind = match.lastgroup or "end"
        start, at = match.span(kind)
        if kind == "word":
            token = _word(text, chars, base, start)
            if token is None:
                yield from _line(tokens)
                yield _unclosed(text, base + start, base + len(chars))
                return
            at = token.end - base
            if tokens and tokens[-1].kind == "redirection" and "<<" in tokens[-1].value:
                heredocs.append((token.value, tokens[-1].value.endswith("-")))
            tokens.append(token)
        elif kind in ("redirection", "operator"):
            tokens.append(Token(kind if kind == "redirection" else match[kind], match[kind], text, base + start, base + at))
        elif kind != "comment":
            if kind == "newline" and heredocs:
                at = _heredocs(text, chars, base, at, heredocs, tokens)
            if kind == "end" or not (tokens and tokens[-1].kind in _GOES_ON):
                yield from _line(tokens)
                tokens = []
            if kind == "end":
                return


def _line(tokens: list[Token]) -> Iterator[Statement]:
    if tokens:
        size = len(tokens)
        template = _TEMPLATES.get(size)
        if template is None:
            template = _TEMPLATES[size] = Template("line", (range(size),))
        seen = tuple(tokens)
        yield Statement("line", seen, seen, template)


def _unclosed(text: Text, start: int, end: int) -> Statement:
    token = Token("bad", text.chars[start:end], text, start, end)
    return Statement("unread", (token,), (token,), None, Problem("a quote, parenthesis or brace is not closed", token.span))


def _heredocs(  # noqa: PLR0913, PLR0917  the scanner's state
    text: Text, chars: str, base: int, at: int, heredocs: list[tuple[str, bool]], tokens: list[Token]
) -> int:
    """Take the lines of the here-documents that the line above asked for; where the last one ends."""
    for delimiter, tabs in heredocs:
        start = at
        while at < len(chars):
            found = chars.find("\n", at)
            eol = len(chars) if found < 0 else found
            line = chars[at:eol]
            at = min(eol + 1, len(chars))
            if (line.lstrip("\t") if tabs else line) == delimiter:
                at = eol
                break
        if at > start:
            tokens.append(Token("heredoc", chars[start:at], text, base + start, base + at))
    heredocs.clear()
    return at


def _word(text: Text, chars: str, base: int, start: int) -> Token | None:
    """The word at an offset, or None if something in it is not closed."""
    at = start
    value: list[str] = []
    kind = "word"
    size = len(chars)
    while at < size:
        char = chars[at]
        plain = _PLAIN.match(chars, at)
        if plain is not None:
            value.append(plain[0])
            at = plain.end()
            continue
        if char in " \t\n|&;()<>":
            break
        if char == "\\":
            value.append(chars[at + 1 : at + 2].replace("\n", ""))
            at = min(at + 2, size)
            kind = "string" if kind == "word" else kind
            continue
        if char in "'\"":
            end = _quoted(chars, at, value)
            kind = "string" if kind == "word" else kind
            if end is not None and char == '"' and _expands(chars[at:end]):
                kind = "expanded"
        elif char in "$`":
            end = _expansion(chars, at)
            kind = "expanded" if end is not None and end > at + 1 else kind
            value.append(char)
        else:
            end = at + 1
            value.append(char)
            kind = "expanded" if char in _GLOBS and not _TEST.match(chars, at) else kind
        if end is None:
            return None
        at = end
    written = chars[start:at]
    return Token(kind, written if kind == "expanded" else "".join(value), text, base + start, base + at)


def _expands(quoted: str) -> bool:
    return any(mark in re.sub(r"\\.", "", quoted, flags=re.DOTALL) for mark in "$`")


def _quoted(chars: str, at: int, value: list[str], depth: int = 0) -> int | None:
    """Where a quoted part ends; its value is added, of double quotes that hold expansions as they are written."""
    if chars[at] == "'":
        end = chars.find("'", at + 1)
        if end < 0:
            return None
        value.append(chars[at + 1 : end])
        return end + 1
    end = at + 1
    while end < len(chars) and chars[end] != '"':
        if chars[end] == "\\":
            end += 2
        elif chars[end] in "$`":
            after = _expansion(chars, end, depth)
            if after is None:
                return None
            end = after
        else:
            end += 1
    if end >= len(chars):
        return None
    value.append(re.sub(r'\\(["\\$`\n])', lambda found: found[1].replace("\n", ""), chars[at + 1 : end]))
    return end + 1


def _expansion(chars: str, at: int, depth: int = 0) -> int | None:
    """Where a parameter, a command substitution or an arithmetic expression ends; a lone dollar sign is itself."""
    if chars[at] == "`":
        end = at + 1
        while end < len(chars) and chars[end] != "`":
            end += 2 if chars[end] == "\\" else 1
        return end + 1 if end < len(chars) else None
    if chars.startswith("$(", at):
        return _parenthesis(chars, at + 2, depth)
    match = _PARAMETER.match(chars, at)
    if match is not None:
        return match.end()
    return None if chars.startswith("${", at) else at + 1


def _parenthesis(chars: str, at: int, depth: int) -> int | None:
    """Where the parenthesis that was opened before an offset closes."""
    if depth > _NEST:
        return None
    opened = 1
    while at < len(chars):
        char = chars[at]
        after: int | None = at + 1
        if char == "\\":
            after = at + 2
        elif char in "'\"":
            after = _quoted(chars, at, [], depth + 1)
        elif char == "`" or chars.startswith("$(", at):
            after = _expansion(chars, at, depth + 1)
        elif char == "(":
            opened += 1
        elif char == ")":
            opened -= 1
            if not opened:
                return at + 1
        if after is None:
            return None
        at = after
    return None
