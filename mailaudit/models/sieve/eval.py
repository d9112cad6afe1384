"""What a Sieve script does with a message of which only some things are known.

Truth has three values: True, False, and None where it depends on what is not known. Of an action it is said that it certainly
happens, or that it may.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from mailaudit.models.sieve.parts import Argument, Call, Resolved, else_if, resolve, word_of
from mailaudit.models.sieve.tests import matched
from mailaudit.parsers.tree import Token

Truth = bool | None
_CANCELS = frozenset({"fileinto", "redirect", "discard", "reject", "ereject", "pipe"})
_ENDS = frozenset({"stop", "return", "error"})
_SILENT = frozenset({"require", "set", "global", "import", "export", "debug_log", "break", *_ENDS})
_VARIABLE = re.compile(r"\$\{([0-9]+|[A-Za-z_][A-Za-z0-9_]*(?:\.[A-Za-z0-9_]+)*)\}")


def both(first: Truth, second: Truth) -> Truth:
    """True if both are, False if one is false."""
    if first is False or second is False:
        return False
    return True if first and second else None


def negated(truth: Truth) -> Truth:
    """The other one."""
    return None if truth is None else not truth


@dataclass(frozen=True, slots=True)
class Situation:
    """What is known of the message and its delivery.

    `headers` holds the values of header fields by lower-case name, an empty tuple for a field that is not there; of others
    nothing is known. `environment` holds the items of the environment extension in the same way.
    """

    headers: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, eq=False)
class Action:
    """Something that a script does: the command, and whether it certainly does.

    `values` are those of the command's strings, in order, None where they depend on what is not known. `is_copy` is true if the
    message is dealt with as if the action were not there.
    """

    kind: str
    call: Call
    certain: bool
    values: tuple[str | None, ...] = ()
    is_copy: bool = False

    @property
    def token(self) -> Token:
        """The first of its arguments, or the command's name."""
        positional = [argument for argument in self.call.arguments if argument.kind in ("string", "strings")]
        return positional[-1].at if positional and self.kind in ("fileinto", "redirect") else self.call.name


@dataclass(frozen=True, slots=True, eq=False)
class Outcome:
    """What a script does: its actions, whether the message stays in the inbox by default, whether the script stops the rest.

    `keeps` is that of the implicit keep. `stops` is true if no script after this one is run, as `stop` has it.
    """

    actions: tuple[Action, ...]
    keeps: Truth
    stops: Truth

    def of(self, kind: str) -> list[Action]:
        """The actions of one kind."""
        return [action for action in self.actions if action.kind == kind]


@dataclass(frozen=True, slots=True)
class _State:
    """What is known at one place of a script.

    `variables` has None for one whose value is not known; one that is not there is empty, unless `is_open`: something unknown
    has been run. `matches` are the match values. `cancelled` is whether the implicit keep is; `runs` whether this place is
    reached once the block is entered; `stopped` whether a `stop` ended the script. `copies` are the actions so far with `:copy`:
    the same one without it adds nothing and so leaves the implicit keep alone.
    """

    variables: Mapping[str, str | None] = field(default_factory=dict)
    matches: tuple[str, ...] | None = ()
    is_open: bool = False
    cancelled: Truth = False
    runs: Truth = True
    stopped: Truth = False
    copies: Mapping[tuple[str, tuple[str | None, ...]], Truth] = field(default_factory=dict)

    def variable(self, name: str) -> str | None:
        """A variable's value, or None where it is not known."""
        if name.isdigit():
            if self.matches is None:
                return None
            return self.matches[int(name)] if int(name) < len(self.matches) else ""
        if "." in name:
            return None
        return self.variables.get(name.lower(), None if self.is_open else "")


def _joined(states: Sequence[_State]) -> _State:
    """What is known where one of several ways was gone."""
    first, *rest = states
    for other in rest:
        names = {**first.variables, **other.variables}
        either = {name: first.variable(name) if first.variable(name) == other.variable(name) else None for name in names}
        first = _State(
            either,
            first.matches if first.matches == other.matches else None,
            first.is_open or other.is_open,
            first.cancelled if first.cancelled == other.cancelled else None,
            first.runs if first.runs == other.runs else None,
            first.stopped if first.stopped == other.stopped else None,
            {each: both(first.copies.get(each), other.copies.get(each)) for each in {**first.copies, **other.copies}},
        )
    return first


def run(commands: Sequence[Call], situation: Situation, required: frozenset[str]) -> Outcome:
    """What a script does. What is refused in it is left out; blocks are nested no deeper than the parser lets them be."""
    running = _Running(situation, required)
    end = running.block(commands, _State(), True)
    return Outcome(tuple(running.actions), negated(end.cancelled), end.stopped)


class _Running:
    def __init__(self, situation: Situation, required: frozenset[str]) -> None:
        self._situation = situation
        self._required = required
        self.actions: list[Action] = []

    def block(self, commands: Sequence[Call], state: _State, certain: bool) -> _State:
        """Run a block; `certain` is whether it is entered for certain."""
        at = 0
        while at < len(commands) and state.runs is not False:
            call = commands[at]
            end = at + 1
            if call.name.value == "if" or call.is_doubtful:
                while end < len(commands) and commands[end].name.value in ("elsif", "else"):
                    end += 1
                state = self._choice(commands[at:end], state, certain)
            else:
                state = self._command(call, state, certain)
            at = end
        return state

    def _choice(self, chain: Sequence[Call], state: _State, certain: bool) -> _State:
        ends: list[_State] = []
        remains: Truth = True
        for call in chain:
            meant = else_if(call) or call
            truth: Truth = True if meant.name.value == "else" and not call.is_doubtful else None
            if not call.is_doubtful and meant.tests:
                state, truth = self._test(meant.tests[0], state)
            if truth is not False:
                entered = bool(certain and state.runs and remains and truth)
                ends.append(self.block(call.body, replace(state, runs=True, stopped=False), entered))
            if truth:
                remains = False
                break
            remains = None if truth is None else remains
        if remains is not False or state.runs is None:
            ends.append(state)
        return _joined(ends)

    def _command(self, call: Call, state: _State, certain: bool) -> _State:
        word = word_of(call, self._required)
        if word is None or not word.is_command:
            return state
        name = word.name
        given = resolve(call, word)
        if name == "foreverypart":
            return self._loop(call, state)
        if name not in _SILENT:
            is_copy = "copy" in given.tags
            values = tuple(self._expand(token, state) for argument in given.positional for token in argument.tokens)
            self.actions.append(Action(name, call, bool(certain and state.runs), values, is_copy))
            state = _dealt_with(state, name, values, is_copy=is_copy)
        if name in _ENDS:
            stops = name == "stop"
            return replace(state, runs=False, stopped=state.runs if stops and state.stopped is False else state.stopped)
        if name == "break":
            return replace(state, runs=None)
        return self._assigned(name, given, state)

    def _assigned(self, name: str, given: Resolved, state: _State) -> _State:
        if name == "set" and len(given.positional) == 2:
            value = self._expand(given.positional[1].at, state)
            return _with(state, given.positional[0].values[0], _modified(value, set(given.tags)))
        if name == "extracttext" and given.positional:
            return _with(state, given.positional[0].values[0], None)
        if name == "execute":
            output = given.tag("output")
            return state if output is None else _with(state, output.values[0], None)
        if name in ("include", "global", "import", "filter"):
            is_script = name == "include"
            return replace(
                state,
                variables={} if name != "filter" else state.variables,
                is_open=name != "filter" or state.is_open,
                cancelled=None if is_script and not state.cancelled else state.cancelled,
                runs=None if is_script and state.runs else state.runs,
                stopped=None if is_script else state.stopped,
            )
        return state

    def _loop(self, call: Call, state: _State) -> _State:
        """The parts of a message are not known: the block may be run any number of times."""
        changed = [each for each in call.walk() if each.name.value in ("set", "extracttext", "execute")]
        names = [argument.values[0] for each in changed for argument in each.arguments if argument.kind == "string"]
        before = replace(state, variables={**state.variables, **{name.lower(): None for name in names}}, matches=None)
        inside = self.block(call.body, before, False)
        after = replace(inside, runs=state.runs if inside.stopped is False else None)
        return _joined([before, after])

    # Tests

    def _test(self, call: Call, state: _State) -> tuple[_State, Truth]:
        """A test's truth, and what is known after it: match values."""
        name = call.name.value
        if name in ("true", "false"):
            return state, name == "true"
        if name == "not" and call.tests:
            state, truth = self._test(call.tests[0], state)
            return state, negated(truth)
        if name in ("anyof", "allof"):
            return self._tests(call, state)
        return self._compared(call, state)

    def _tests(self, call: Call, state: _State) -> tuple[_State, Truth]:
        decides = call.name.value == "anyof"
        found: Truth = not decides
        for test in call.tests:
            after, truth = self._test(test, state)
            state = after if found is not None else _joined([state, after])
            if truth is decides:
                return state, decides
            found = None if truth is None else found
        return state, found

    def _compared(self, call: Call, state: _State) -> tuple[_State, Truth]:
        word = word_of(call, self._required)
        if word is None or not word.is_test:
            return state, None
        given = resolve(call, word)
        if word.name == "exists" and given.positional and "mime" not in given.tags:
            return state, self._exists(given.positional[0], state)
        unknown = replace(state, matches=None) if "matches" in given.tags or "regex" in given.tags else state
        sources = self._sources(word.name, given, state)
        if sources is None or len(given.positional) < 2:
            return unknown, None
        keys = [self._expand(token, state) for token in given.positional[1].tokens]
        truth, values = matched(sources, keys, given)
        if truth and values is not None:
            return replace(state, matches=values), True
        return (state if truth is False else unknown), truth

    def _exists(self, argument: Argument, state: _State) -> Truth:
        truth: Truth = True
        for token in argument.tokens:
            name = self._expand(token, state)
            values = None if name is None else self._situation.headers.get(name.lower())
            truth = both(truth, None if values is None else bool(values))
        return truth

    def _sources(self, name: str, given: Resolved, state: _State) -> list[str | None] | None:
        """The strings that a test looks at, None for those that are not known; or None where nothing can be told of them."""
        if not given.positional or {"mime", "index", "last"} & set(given.tags):
            return None
        names = [self._expand(token, state) for token in given.positional[0].tokens]
        if name == "string":
            return list(names)
        if name == "environment":
            return [None if each is None else self._situation.environment.get(each.lower()) for each in names]
        if name == "header":
            found: list[str | None] = []
            for each in names:
                values = None if each is None else self._situation.headers.get(each.lower())
                found += [None] if values is None else [value.strip() for value in values]
            return found
        return None

    def _expand(self, token: Token, state: _State) -> str | None:
        """A string's value with its variables put in."""
        if "variables" not in self._required or "${" not in token.value:
            return token.value
        parts: list[str] = []
        at = 0
        for match in _VARIABLE.finditer(token.value):
            value = state.variable(match[1])
            if value is None:
                return None
            parts += (token.value[at : match.start()], value)
            at = match.end()
        return "".join((*parts, token.value[at:]))


def _dealt_with(state: _State, name: str, values: tuple[str | None, ...], *, is_copy: bool) -> _State:
    """What an action makes of the implicit keep."""
    if name not in _CANCELS:
        return state
    if is_copy:
        return replace(state, copies={**state.copies, (name, values): state.runs})
    known = state.copies.get((name, values), False) if None not in values else None if state.copies else False
    if known is False and any(each == name and None in others for each, others in state.copies):
        known = None
    if state.cancelled or known:
        return state
    return replace(state, cancelled=True if known is False and state.runs else None)


def _with(state: _State, name: str, value: str | None) -> _State:
    return replace(state, variables={**state.variables, name.lower(): value})


def _modified(value: str | None, tags: set[str]) -> str | None:
    if value is None or not tags:
        return value
    if tags <= {"lower", "upper"}:
        return value.lower() if "lower" in tags else value.upper()
    return None
