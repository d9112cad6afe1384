r"""rc.conf.local and rc.conf: assignments, as `_rc_parse_conf` of rc.subr(8) reads them. No shell reads these files.

Statements, and the nodes of their readings:

* `assignment`: a line `name=value` that is taken. Its node has the leaf `name` (its value is in lower case, as it counts) and the
  leaf `value` (which may be empty): what stands after the first `=`, up to a `#` wherever that stands, without the blanks
  around it and without one pair of quotes. The other tokens are `=` and, where the value is quoted, the two quotes `"` or `'`.
* `ignored`: any other line: its node has one leaf `ignored`, the whole line. `why_ignored` says why rc(8) passes over it.

A line is cut at its newline; a backslash means nothing. Blank lines, lines that begin with `#`, and a `#` with what follows
it in an assignment are trivia.

Source: rc.subr 1.162 and later of OpenBSD.
"""

from __future__ import annotations

import re

from mailaudit.parsers import lines
from mailaudit.parsers.brief import brief
from mailaudit.parsers.tree import Include, Language, Statement, Template, Token, Tree
from mailaudit.text import Text

BLANKS = " \t"
TRIVIA = re.compile(r"(?:[ \t\n]|#[^\n]*(?:\n|\Z))*")
SUFFIXES = ("execdir", "flags", "logger", "rtable", "timeout", "user")
"""What a daemon's variables end in, after an underscore."""
VARIABLES = frozenset(
    {
        *("accounting", "amd_master", "check_quotas", "ipsec", "library_aslr", "multicast", "nfs_server", "pexp", "pf"),
        *("pkg_scripts", "shlib_dirs", "savecore_flags", "spamd_black"),
    }
)
"""The variables that belong to no daemon."""
_LINE = re.compile(r"[^\n]*")
_SUFFIX = re.compile(rf"_(?:{'|'.join(SUFFIXES)})\Z")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
_ASSIGNMENT = Template("assignment", (0, 2))
_QUOTED = Template("assignment", (0, 3))
_IGNORED = Template("ignored", (0,))


def parse(text: Text, _include: Include) -> Tree:
    """The tree of such a file."""
    return Tree("rc", text, tuple(statement for match in _LINE.finditer(text.chars) if (statement := _line(text, *match.span()))))


LANGUAGE = Language("rc", parse, TRIVIA, ("/etc/rc.conf.local", "/etc/rc.conf"))


def why_ignored(statement: Statement) -> str:
    """Why rc(8) passes over an `ignored` line."""
    line = statement.tokens[0]
    return why_not(line.value, closed=line.end < len(line.text.chars)) or ""


def why_not(line: str, *, closed: bool) -> str | None:
    """Why a line is no assignment, blanks around it left out; `closed` says that a newline ends it. None if it is one."""
    name = line.split("=", 1)[0].rstrip(BLANKS)
    if "=" not in line:
        return 'expected a variable and "=", as in smtpd_flags='
    if not is_variable(name.lower()):
        return f'"{brief(name)}" is no variable of rc.conf(8)'
    if not _NAME.match(name):
        return f'expected the name of a variable before "=", found "{brief(name)}"'
    return None if closed else "the last line has no newline, so rc(8) does not read it"


def is_variable(name: str) -> bool:
    """True for a name, in lower case, that `_rc_parse_conf` takes."""
    return name in VARIABLES or _SUFFIX.search(name) is not None


def _line(text: Text, start: int, end: int) -> Statement | None:
    chars = text.chars
    closed = end < len(chars)
    start += len(chars[start:end]) - len(chars[start:end].lstrip(BLANKS))
    end = start + len(chars[start:end].rstrip(BLANKS))
    if start == end or chars[start] == "#":
        return None
    line = chars[start:end]
    if "\0" in line:
        return lines.unread(text, start, end, "the line holds a NUL byte", refused=False)
    if why_not(line, closed=closed) is not None:
        return _statement(_IGNORED, Token("ignored", line, text, start, end))
    return _assignment(text, start, end)


def _assignment(text: Text, start: int, end: int) -> Statement:
    chars = text.chars
    equals = chars.index("=", start)
    name = chars[start:equals].rstrip(BLANKS)
    before = (
        Token("name", name.lower(), text, start, start + len(name)),
        Token("=", "=", text, equals, equals + 1),
    )
    at = equals + 1 + len(chars[equals + 1 : end]) - len(chars[equals + 1 : end].lstrip(BLANKS))
    comment = chars.find("#", at, end)
    value = chars[at : end if comment < 0 else comment].rstrip(BLANKS)
    to = at + len(value)
    quote = value[:1]
    if len(value) < 2 or quote not in "\"'" or quote != value[-1]:
        return _statement(_ASSIGNMENT, *before, Token("value", value, text, at, to))
    return _statement(
        _QUOTED,
        *before,
        Token(quote, quote, text, at, at + 1),
        Token("value", value[1:-1], text, at + 1, to - 1),
        Token(quote, quote, text, to - 1, to),
    )


def _statement(template: Template, *tokens: Token) -> Statement:
    return Statement(template.kind, tokens, tokens, template)
