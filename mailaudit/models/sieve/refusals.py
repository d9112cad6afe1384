"""What `sievec` refuses of a script that its parser can read: unknown words, missing extensions, arguments that do not fit.

Source: Pigeonhole's answers (0.5.19, 2.4.1, 2.4.5), one word at a time. As it does, one fault is told of each command, and what
stands in a block that can never be entered is not looked at.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from difflib import get_close_matches

from mailaudit.models.sieve.arguments import Around, fault_of
from mailaudit.models.sieve.parts import Argument, Call, Resolved, calls, else_if, resolve, word_of
from mailaudit.models.sieve.regex import ANY, Dialect
from mailaudit.models.sieve.words import CONFLICTS, GONE, KNOWN, Tag, Word, words
from mailaudit.parsers.tree import Problem, Token, Tree

_KINDS = {"string": "a string", "strings": "a string or a list of strings", "number": "a number", "tag": "a tag"}
_TAKES_MORE = frozenset({"setflag", "addflag", "removeflag", "specialuse_exists"})  # and looks at none of it
_FIRST_IF = frozenset({"if", "elsif"})
MOST_HINTS = 100
LARGEST = 1 << 20  # bytes; the default of sieve_max_script_size


def refusals(
    tree: Tree,
    available: frozenset[str] = KNOWN,
    largest: int = LARGEST,
    *,
    is_new: bool = False,
    by: tuple[Dialect, ...] = ANY,
) -> tuple[Problem, ...]:
    """What Pigeonhole refuses of a script where these extensions are there to be required, in reading order.

    `largest` is the number of bytes that a script may have, 0 for any number; `is_new` is true for Pigeonhole 2.4; `by` are
    those who may compile its regular expressions.
    """
    read = tuple(problem for statement in tree.unread() if (problem := statement.problem) is not None and problem.refused)
    checking = _Checking(available, GONE if is_new else frozenset(), by)
    checking.block(calls(tree.statements), is_top=True)
    found = sorted((*read, *checking.problems), key=lambda problem: problem.span.start)
    if tree.statements and 0 < largest < len(tree.text.data):
        found.insert(0, Problem(f"a script has at most {largest} bytes", tree.statements[0].span))
    return tuple(found)


class _Checking:
    """One pass over a script: which extensions it has required so far, and what is wrong."""

    def __init__(self, available: frozenset[str], gone: frozenset[str], by: tuple[Dialect, ...]) -> None:
        self._available = available
        self._by = by
        self._gone = gone
        self._required: set[str] = set()
        self._is_past_require = False
        self._is_past_import = False
        self._loops: list[str] = []
        self._hints: dict[str, str] = {}
        self.problems: list[Problem] = []

    def block(self, commands: Sequence[Call], *, is_top: bool = False) -> None:
        """Check the commands of a block."""
        before = ""
        is_decided = False  # an `if` above is always true: its elsif and else are never reached
        for call in commands:
            name = call.name.value
            is_decided = is_decided and name in ("elsif", "else")
            self._is_past_require |= name != "require"
            self._is_past_import |= name not in ("require", "import", "export")
            if call.is_doubtful:
                self.block(call.body)
            elif name in ("elsif", "else") and before not in _FIRST_IF:
                self._refuse(call.name, f"{name} must follow if or elsif")
            elif name == "require" and (self._is_past_require or not is_top):
                self._refuse(call.name, "require stands before all other commands")
            elif name in GONE - self._gone and (self._is_past_import or not is_top):
                self._refuse(call.name, f"{name} stands before all other commands but require")
            elif is_decided:
                self._header(call)
            else:
                is_decided = self._command(call) is True and name in _FIRST_IF
            before = name

    def _refuse(self, at: Token, message: str, mend: str | None = None) -> None:
        self.problems.append(Problem(message, at.span, mend=mend))

    def _header(self, call: Call) -> tuple[Call, Word | None, bool]:
        """Check a command without its tests and its block: what it was meant for, its word, and whether it is right."""
        condition = else_if(call)
        if condition is not None:
            span = call.name.span.to(condition.name.span)
            self.problems.append(Problem('expected "elsif", found "else if"', span, mend="elsif"))
            call = Call(condition.name, condition.arguments, condition.tests, condition.is_list, call.statement, call.body)
        word = self._word(call, is_test=False)
        return call, word, word is not None and self._check(call, word, is_test=False)

    def _command(self, call: Call) -> bool | None:
        """Check a command; the truth of its test, where that can be told."""
        call, word, is_right = self._header(call)
        if word is None:
            return None
        constant = self._tests(call, word)
        if is_right and constant is False:
            return constant
        if word.has_block:
            name = resolve(call, word).tag("name")
            self._loops += ["" if name is None else name.values[0]] if word.name == "foreverypart" else []
            self.block(call.body)
            self._loops = self._loops[:-1] if word.name == "foreverypart" else self._loops
        return constant

    def _test(self, call: Call) -> bool | None:
        """Check a test; its truth where that can be told beforehand."""
        word = self._word(call, is_test=True)
        if word is None:
            return None
        is_right = self._check(call, word, is_test=True)
        constant = self._tests(call, word)
        if not is_right:
            return None
        if word.name in ("true", "false"):
            return word.name == "true"
        if word.name == "ihave":
            return None if self._has(resolve(call, word).positional[0]) else False
        return constant

    def _tests(self, call: Call, word: Word) -> bool | None:
        """Check the tests within as far as their outcome can depend on them; the truth of all, where it can be told."""
        if not word.tests:
            return None
        if word.name in ("anyof", "allof"):
            decides = word.name == "anyof"
            truth: bool | None = not decides
            for test in call.tests:
                found = self._test(test)
                if found is decides:
                    return decides
                truth = truth if found is not None else None
            return truth
        outcomes = [self._test(test) for test in call.tests]
        if len(outcomes) != 1 or outcomes[0] is None:
            return None
        return not outcomes[0] if word.name == "not" else outcomes[0]

    def _has(self, argument: Argument) -> bool:
        """What ihave asks. The extensions are there to be used from then on."""
        known = [name for name in argument.values if name in self._available]
        self._required.update(known)
        return len(known) == len(argument.tokens)

    # The word

    def _word(self, call: Call, *, is_test: bool) -> Word | None:
        name = call.name.value
        required = frozenset(self._required)
        word = word_of(call, required)
        what = "test" if is_test else "command"
        if word is None or name in self._gone:
            hint = self._hint(name, is_test=is_test)
            self._refuse(call.name, f'there is no {what} "{name}"{hint}')
            return None
        if word.extensions and not required.intersection(word.extensions):
            self._refuse(call.name, f'{name} needs require "{word.extensions[0]}"')
            return None
        if not (word.is_test if is_test else word.is_command):
            self._refuse(call.name, f"{name} is a {'command' if is_test else 'test'}, and a {what} is expected here")
            return None
        return word

    def _hint(self, name: str, *, is_test: bool | None = None) -> str:
        """The name that was probably meant. It is looked for only so often: a script of nothing but such names is no script."""
        if name not in self._hints:
            near: list[str] = []
            if len(self._hints) < MOST_HINTS:
                known = [each for each, (first, *_) in words().items() if first.is_test == is_test]
                near = get_close_matches(name, sorted(KNOWN) if is_test is None else known, 1)
            self._hints[name] = f'; did you mean "{near[0]}"?' if near else ""
        return self._hints[name]

    # Arguments

    def _check(self, call: Call, word: Word, *, is_test: bool) -> bool:
        """True if a call's arguments, tests and block are what its word takes; else the first fault is told."""
        before = len(self.problems)
        for at, message in self._faults(call, word, is_test=is_test):
            self._refuse(at, message)
            break
        if word.name == "require" and len(self.problems) == before:
            self._require(resolve(call, word).positional[0])
        return len(self.problems) == before

    def _faults(self, call: Call, word: Word, *, is_test: bool) -> Iterator[tuple[Token, str]]:
        yield from self._unknown_tags(call, word)
        yield from self._tag_faults(call, word)
        resolved = resolve(call, word)
        yield from self._positional(call, word, resolved)
        yield from _test_faults(call, word)
        if not is_test:
            yield from _block_faults(call, word)
        yield from fault_of(call, word, resolved, Around(frozenset(self._required), tuple(self._loops), self._by))

    def _tag(self, word: Word, argument: Argument) -> Tag | None:
        tag = word.tags.get(argument.at.value)
        return tag if tag is not None and (not tag.extension or tag.extension in self._required) else None

    def _unknown_tags(self, call: Call, word: Word) -> Iterator[tuple[Token, str]]:
        for argument in call.arguments:
            if argument.kind == "tag" and self._tag(word, argument) is None:
                known = word.tags.get(argument.at.value)
                if known is not None:
                    yield argument.at, f':{known.name} needs require "{known.extension}"'
                else:
                    yield argument.at, f"{word.name} takes no :{argument.at.value}"

    def _tag_faults(self, call: Call, word: Word) -> Iterator[tuple[Token, str]]:
        given: dict[str, str] = {}
        waiting = list(reversed(call.arguments))
        while waiting and waiting[-1].kind == "tag":
            argument = waiting.pop()
            tag = word.tags[argument.at.value]
            other = given.get(tag.family)
            if other is not None:
                twice = f":{tag.name} is given twice" if other == tag.name else f":{tag.name} and :{other} exclude each other"
                yield argument.at, twice
            given[tag.family] = tag.name
            if not tag.parameter:
                continue
            if not waiting:
                yield argument.at, f"expected {_KINDS[tag.parameter]} after :{tag.name}"
                return
            parameter = waiting.pop()
            if not parameter.fits(tag.parameter):
                yield parameter.at, f"expected {_KINDS[tag.parameter]} after :{tag.name}, found {_KINDS[parameter.kind]}"
        late = next((argument for argument in waiting if argument.kind == "tag"), None)
        names = set(given.values())
        for argument in call.arguments:
            after = word.tags[argument.at.value].after if argument.kind == "tag" else ""
            if after and after not in names:
                yield argument.at, f":{argument.at.value} needs :{after}"
        if late is not None:
            yield late.at, f":{late.at.value} stands before the other arguments"

    def _positional(self, call: Call, word: Word, resolved: Resolved) -> Iterator[tuple[Token, str]]:
        least, most = word.counts()
        count = len(resolved.positional)
        if count < least or (count > most and word.name not in _TAKES_MORE):
            wanted = str(most) if least == most else f"{least} or {most}"
            yield call.name, f"{word.name} takes {wanted} arguments besides tags, and {count} are given"
            return
        types = word.arguments
        if count < most:
            types = types[1:] if word.optional == "first" else types[:-1]
        for argument, type_ in zip(resolved.positional, types, strict=False):
            if not argument.fits(type_):
                yield argument.at, f"{word.name} takes {_KINDS[type_]} here, found {_KINDS[argument.kind]}"

    # Extensions

    def _require(self, argument: Argument) -> None:
        for token in argument.tokens:
            name = token.value
            if name not in self._available:
                self._refuse(token, _not_there(name) or f'there is no extension "{name}"{self._hint(name)}')
            self._required |= {name} & KNOWN
            for old, new in CONFLICTS:
                if name in (old, new) and old in self._required and new in self._required:
                    self._refuse(token, f"{old} and {new} cannot both be required")


def _not_there(name: str) -> str:
    """Why a name that is known cannot be required; nothing for one that is not."""
    if name in KNOWN:
        return f'the extension "{name}" is not turned on for this script'
    if any(not word.extensions for word in words().get(name.lower(), ())):
        return f'"{name}" is always there and not an extension'
    return ""


def _test_faults(call: Call, word: Word) -> Iterator[tuple[Token, str]]:
    count = len(call.tests)
    if word.tests == 0 and count:
        yield call.name, f'{word.name} takes no test; is a ";" missing after it?'
    elif word.tests and not count:
        yield call.name, f"{word.name} takes a test"
    elif word.tests == 1 and call.is_list:
        yield call.name, f"{word.name} takes one test, without parentheses around it"
    elif word.tests > 1 and not call.is_list:
        yield call.name, f"{word.name} takes a list of tests in parentheses"


def _block_faults(call: Call, word: Word) -> Iterator[tuple[Token, str]]:
    has_block = call.statement is not None and call.statement.is_block
    if word.has_block and not has_block:
        yield call.name, f'{word.name} needs a block in "{{" and "}}"'
    elif has_block and not word.has_block:
        yield call.name, f"{word.name} takes no block"


def required(commands: Iterable[Call]) -> dict[str, Token]:
    """The extensions that a script requires, each with its first place."""
    found: dict[str, Token] = {}
    for call in commands:
        if call.name.value == "require":
            for argument in call.arguments:
                for token in argument.tokens if argument.kind in ("string", "strings") else ():
                    found.setdefault(token.value, token)
    return found
