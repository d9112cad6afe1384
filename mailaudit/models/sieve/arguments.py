"""What single Sieve words ask of their arguments beyond type and number: names, addresses, expressions, places."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from mailaudit.models.sieve.parts import Argument, Call, Resolved
from mailaudit.models.sieve.regex import Dialect
from mailaudit.models.sieve.regex import fault as regex_fault
from mailaudit.models.sieve.words import ADDRESS_HEADERS, CORE_COMPARATORS, ENVELOPE_PARTS, RELATIONS, UNICODE, Word
from mailaudit.parsers.tree import Token

Fault = tuple[Token, str]
VARIABLE = re.compile(r"\$\{([0-9]+|[A-Za-z_][A-Za-z0-9_]*(?:\.[A-Za-z0-9_]+)*)\}")
MOST_MATCHES = 32
FAR = 10  # digits: what comes of so many differs between releases
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_NAMESPACES = {"env": "vnd.dovecot.environment", "global": "include"}
_VARIABLE_NAME = "expected the name of a variable: letters, digits and underscores"
_LOCAL = r'(?:"(?:[^"\\]|\\.)*"|[^\s()<>\[\]:;@\\,"]+)'
_DOMAIN = r'(?:\[[^\[\]]*\]|[^\s()<>\[\]:;@\\,".]+(?:\.[^\s()<>\[\]:;@\\,".]+)*)'
_ADDRESS = re.compile(rf'\s*(?:{_LOCAL}@{_DOMAIN}|(?:[^<>@,;:"]|"[^"]*")*<{_LOCAL}@{_DOMAIN}>)\s*')
_FIELD = re.compile(r"[!-9;-~]+")
_WITH_PLACES = frozenset({"break", "extracttext"})


@dataclass(frozen=True, slots=True)
class Around:
    """What stands around a call: what was required, the parts' loops, and those who may compile its regular expressions."""

    required: frozenset[str]
    loops: tuple[str, ...]
    by: tuple[Dialect, ...]


def fault_of(call: Call, word: Word, given: Resolved, around: Around) -> Iterator[Fault]:
    """What is wrong with the arguments of a call that are right in number and type."""
    required = around.required
    for argument in call.arguments:
        for token in argument.tokens if argument.kind in ("string", "strings") else ():
            yield from _variables(token, required)
    yield from _matching(given, required, around.by)
    yield from _index(given, word)
    if word.name in _WITH_PLACES:
        yield from _loop(call, given, around.loops)
    check = _CHECKS.get(word.name)
    if check is not None:
        yield from check(call, given, _Fixed(required))


class _Fixed:
    """Which strings stand for themselves: those without variables, or all where variables are not required."""

    def __init__(self, required: frozenset[str]) -> None:
        self._has_variables = "variables" in required

    def value(self, token: Token) -> str | None:
        """A string's value, or None where variables make it."""
        return None if self._has_variables and VARIABLE.search(token.value) else token.value


def _variables(token: Token, required: frozenset[str]) -> Iterator[Fault]:
    if "variables" not in required:
        return
    for match in VARIABLE.finditer(token.value):
        name = match[1]
        space, dot, _ = name.partition(".")
        digits = name.lstrip("0") if name.isdigit() else ""
        if len(digits) < FAR and int(digits or 0) > MOST_MATCHES:
            yield token, f"there are at most {MOST_MATCHES} match values, so no ${{{name}}}"
        elif dot and _NAMESPACES.get(space.lower()) not in required:
            yield token, f'there are no variables "{space}."'


def _matching(given: Resolved, required: frozenset[str], by: tuple[Dialect, ...]) -> Iterator[Fault]:
    comparator = given.tag("comparator")
    name = "i;ascii-casemap"
    if comparator is not None:
        name = comparator.values[0].lower()
        if name not in CORE_COMPARATORS and f"comparator-{name}" not in required:
            yield comparator.at, f'there is no comparator "{name}", or it is not required'
    for tag in ("count", "value"):
        relation = given.tag(tag)
        if relation is not None and relation.values[0] not in RELATIONS:
            yield relation.at, f'expected one of {", ".join(sorted(RELATIONS))} after :{tag}, found "{relation.values[0]}"'
    by_part = next((tag for tag in ("contains", "matches") if tag in given.tags), None)
    if by_part and name == "i;ascii-numeric":
        yield given.tags[by_part][0], f":{by_part} looks into strings, which i;ascii-numeric cannot"
    if "list" in given.tags and comparator is not None:
        yield comparator.at, ":list takes no comparator"
    if "regex" in given.tags:
        if name not in CORE_COMPARATORS and not (name == UNICODE and Dialect.PCRE in by):
            yield given.tags["regex"][0], f":regex cannot compare with {name}"
        fixed = _Fixed(required)
        for token in given.positional[-1].tokens if given.positional else ():
            expression = fixed.value(token)
            found = regex_fault(expression, by) if expression is not None else ""
            if found:
                yield token, f"this regular expression has {found}"


def _index(given: Resolved, word: Word) -> Iterator[Fault]:
    index = given.tag("index")
    if index is not None and word.tags["index"].parameter == "number" and index.values == ("0",):
        yield index.at, ":index counts from 1"


def _loop(call: Call, given: Resolved, loops: tuple[str, ...]) -> Iterator[Fault]:
    name = given.tag("name")
    if not loops:
        yield call.name, f"{call.name.value} stands in no foreverypart"
    elif name is not None and name.values[0] not in loops:
        yield call.name, f'{call.name.value} stands in no foreverypart of the name "{name.values[0]}"'


def _address(argument: Argument | None, fixed: _Fixed) -> Iterator[Fault]:
    for token in argument.tokens if argument is not None else ():
        value = fixed.value(token)
        if value is not None and not _ADDRESS.fullmatch(value):
            yield token, "expected one address like user@example.com"


def _redirect(_call: Call, given: Resolved, fixed: _Fixed) -> Iterator[Fault]:
    if "list" in given.tags:
        yield given.tags["list"][0], "redirect goes to no list"
    yield from _address(given.positional[0], fixed)


def _sender(_call: Call, given: Resolved, fixed: _Fixed) -> Iterator[Fault]:
    yield from _address(given.tag("from"), fixed)


def _report(_call: Call, given: Resolved, fixed: _Fixed) -> Iterator[Fault]:
    yield from _address(given.positional[2], fixed)


def _globals(_call: Call, given: Resolved, _fixed: _Fixed) -> Iterator[Fault]:
    for token in given.positional[0].tokens:
        if not _NAME.fullmatch(token.value):
            yield token, _VARIABLE_NAME


def _set(_call: Call, given: Resolved, _fixed: _Fixed) -> Iterator[Fault]:
    token = given.positional[0].at
    space, dot, _ = token.value.partition(".")
    if token.value.isdigit():
        yield token, "match values cannot be set"
    elif dot and _NAME.fullmatch(space):
        yield token, "variables of a namespace cannot be set here" if space == "env" else f'there are no variables "{space}."'
    elif not _NAME.fullmatch(token.value):
        yield token, _VARIABLE_NAME


def _output(_call: Call, given: Resolved, fixed: _Fixed) -> Iterator[Fault]:
    output = given.tag("output")
    if output is not None and not _NAME.fullmatch(output.values[0]):
        yield output.at, _VARIABLE_NAME
    yield from _program(_call, given, fixed)


def _program(call: Call, given: Resolved, fixed: _Fixed) -> Iterator[Fault]:
    token = given.positional[0].at
    name = fixed.value(token)
    if name is None:
        yield token, f"the program of {call.name.value} cannot come out of a variable"
    elif not name or "/" in name or any(ord(char) < 32 or ord(char) == 127 for char in name):
        yield token, f'"{name}" is no name of a program; it is looked for in one directory'


def _size(call: Call, given: Resolved, _fixed: _Fixed) -> Iterator[Fault]:
    if not {"over", "under"} & set(given.tags):
        yield call.name, "size takes :over or :under"


def _addresses(_call: Call, given: Resolved, fixed: _Fixed) -> Iterator[Fault]:
    for token in given.positional[0].tokens:
        value = fixed.value(token)
        if value is not None and value.lower() not in ADDRESS_HEADERS:
            yield token, f'the header field "{value}" holds no addresses'


def _envelope(_call: Call, given: Resolved, fixed: _Fixed) -> Iterator[Fault]:
    part = next((tag for tag in ("all", "localpart", "domain", "user", "detail") if tag in given.tags), None)
    for token in given.positional[0].tokens:
        value = fixed.value(token)
        if value is not None and value.lower() not in ENVELOPE_PARTS:
            yield token, f'the envelope has no part "{value}"'
        elif part and value is not None and value.lower() == "auth":
            yield token, f':{part} asks for an address, and "auth" is none'


def _field(_call: Call, given: Resolved, fixed: _Fixed) -> Iterator[Fault]:
    token = given.positional[0].at
    name = fixed.value(token)
    if name and not _FIELD.fullmatch(name):
        yield token, f'"{name}" is no name of a header field'


def _folder(_call: Call, given: Resolved, _fixed: _Fixed) -> Iterator[Fault]:
    token = given.positional[0].at
    if any("\udc80" <= char <= "\udcff" for char in token.value):
        yield token, "the name of a folder is UTF-8"


def _notify(_call: Call, given: Resolved, fixed: _Fixed) -> Iterator[Fault]:
    importance = given.tag("importance")
    if importance is not None and fixed.value(importance.at) not in (None, "1", "2", "3"):
        yield importance.at, f'the importance is 1, 2 or 3, not "{importance.values[0]}"'
    options = given.tag("options")
    for token in options.tokens if options is not None and given.positional else ():
        if not re.match(r"[^=\s]+=", fixed.value(token) or "x="):
            yield token, "expected an option like name=value"
    if given.positional:
        method = fixed.value(given.positional[0].at)
        if method is not None and not _is_mailto(method):
            yield given.positional[0].at, "expected a method like mailto:user@example.com"
    yield from _address(given.tag("from"), fixed)


def _is_mailto(method: str) -> bool:
    scheme, _, rest = method.partition(":")
    recipients = rest.partition("?")[0]
    if scheme.lower() != "mailto" or re.search(r"%(?![0-9A-Fa-f]{2})", rest) or "," in recipients:
        return False
    written = re.sub(r"%([0-9A-Fa-f]{2})", lambda match: chr(int(match[1], 16)), recipients)
    return all(_ADDRESS.fullmatch(each) for each in written.split(",")) if written else True


def _special(_call: Call, given: Resolved, fixed: _Fixed) -> Iterator[Fault]:
    for token in given.positional[-1].tokens:
        value = fixed.value(token)
        if value is not None and not value.startswith("\\"):
            yield token, f'"{value}" is no special use, which begins with a backslash'


_Check = Callable[[Call, Resolved, _Fixed], Iterator[Fault]]
_CHECKS: dict[str, _Check] = {
    "redirect": _redirect,
    "vacation": _sender,
    "report": _report,
    "set": _set,
    "extracttext": _set,
    "global": _globals,
    "import": _globals,
    "export": _globals,
    "size": _size,
    "pipe": _program,
    "filter": _program,
    "execute": _output,
    "address": _addresses,
    "envelope": _envelope,
    "addheader": _field,
    "deleteheader": _field,
    "fileinto": _folder,
    "notify": _notify,
    "specialuse_exists": _special,
}
