"""Reads one rule: which tokens are what is worked out once for all rules of one shape, lists that are alike are read once."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from mailaudit.models.interfaces import Interfaces
from mailaudit.models.pf.items import OnInterface, Reader, interfaces
from mailaudit.models.pf.meaning import check
from mailaudit.models.pf.options import check_answer, read_options
from mailaudit.models.pf.rules import NO_OPTIONS, Defaults, Options, Outline, Rule, flat, outline
from mailaudit.models.pf.values import NO_PORTS, Peer, Ports
from mailaudit.models.services import Services
from mailaudit.parsers.pf_lines import LineRule
from mailaudit.parsers.tree import Statement, Template, Token

_NAMES = """
fragment flags state label icmp-type icmp6-type allow-opts tag tagged probability rtable prio tos divert-reply scrub once
max-pkt-rate
"""
_ALIKE = frozenset(_NAMES.split())  # options that are the same wherever they stand: nothing in them has a place of its own


@dataclass(frozen=True, slots=True)
class Plan:
    """What all rules of one shape have in common."""

    outline: Outline
    action: str
    direction: str
    family: int
    returns: str  # empty if it is for `set block-policy` to say
    options: tuple[int, ...]
    alike: bool  # the same words make the same options
    answers: bool  # it has words in parentheses behind `log`, `return-rst` or `return-icmp`

    @classmethod
    def of(cls, template: Template, tokens: Sequence[Token]) -> Plan:
        """The plan for a shape, from the tokens of a rule that has it."""
        found = outline(template)
        options = [number for option in found.options for number in flat(option)]
        return cls(
            found,
            tokens[found.action].kind,
            tokens[found.direction].kind if found.direction is not None else "",
            0 if found.family is None else 4 if tokens[found.family].kind == "inet" else 6,
            tokens[found.how[0]].kind if found.how else "",
            tuple(options),
            not found.systems and all(option.kind in _ALIKE for option in found.options),
            any(part.kind in ("action", "log") and len(flat(part)) > 2 for part in template.parts if isinstance(part, Template)),
        )


class _Words:
    """The tokens of one rule, made as they are asked for; and its words, by which lists are known again."""

    __slots__ = ("_line", "_tokens", "words")

    def __init__(self, statement: Statement) -> None:
        self._tokens: Sequence[Token] = ()
        self._line = statement if isinstance(statement, LineRule) else None
        if self._line is not None:
            self.words = self._line.words()
        else:
            self._tokens = statement.seen
            self.words = [f'"{token.value}' if token.kind == "string" else token.value for token in self._tokens]

    def tokens(self, numbers: Sequence[int]) -> list[Token]:
        if self._line is None:
            return [self._tokens[number] for number in numbers]
        make = self._line.token
        return [make(number, self.words[number]) for number in numbers]

    def key(self, numbers: Sequence[int]) -> tuple[str, ...]:
        words = self.words
        return tuple([words[number] for number in numbers])


class RuleReader:
    """Reads rules and the conditions of anchors."""

    def __init__(self, services: Services, known: Interfaces) -> None:
        self.items = Reader(services)
        self.interfaces = known
        self._plans: dict[Template, Plan] = {}
        self._ports: dict[tuple[str, ...], Ports] = {}
        self._protocols: dict[tuple[str, ...], tuple[int, ...]] = {}
        self._options: dict[tuple[Template | str, ...], Options] = {}

    def rule(self, statement: Statement, policy: str, defaults: Defaults, queues: Collection[str]) -> Rule:
        """A rule or an anchor's condition, below these `set` statements and queue definitions."""
        template = statement.template
        assert template is not None
        plan = self._plans.get(template)
        if plan is None:
            plan = self._plans[template] = Plan.of(template, statement.seen)
        words = _Words(statement)
        places = plan.outline
        source_ports = self._ports_of(words, places.source_ports) if places.source_ports else NO_PORTS
        target_ports = self._ports_of(words, places.target_ports) if places.target_ports else NO_PORTS
        options = NO_OPTIONS
        if places.options or places.systems:
            options = self._options_of(statement, plan, words, queues)
        rule = Rule(
            statement,
            plan.action,
            plan.direction,
            places.log,
            places.quick,
            self._on(words, places.interfaces) if places.interfaces else (),
            plan.family,
            self._protocols_of(words, places.protocols) if places.protocols else (),
            self._peers(words, places.sources) if places.sources else (),
            source_ports.ranges,
            self._peers(words, places.targets) if places.targets else (),
            target_ports.ranges,
            (plan.returns or policy) if plan.action == "block" else "",
            options,
            source_ports.tests,
            target_ports.tests,
            defaults,
        )
        if plan.answers:
            check_answer(statement.node, self.items)
        check(rule, statement, self.interfaces)
        if options.family and not rule.family:
            return replace(rule, family=options.family)
        return rule

    def _on(self, words: _Words, numbers: tuple[int, ...]) -> tuple[OnInterface, ...]:
        return interfaces(words.tokens(numbers))

    def _peers(self, words: _Words, numbers: tuple[int, ...]) -> tuple[Peer, ...]:
        return self.items.peers(words.tokens(numbers))

    def _ports_of(self, words: _Words, numbers: tuple[int, ...]) -> Ports:
        key = words.key(numbers)
        found = self._ports.get(key)
        if found is None:
            before = len(self.items.faults)
            found = self.items.ports(words.tokens(numbers))
            if len(self.items.faults) == before:  # what was mended is told at each place
                self._ports[key] = found
        return found

    def _protocols_of(self, words: _Words, numbers: tuple[int, ...]) -> tuple[int, ...]:
        key = words.key(numbers)
        found = self._protocols.get(key)
        if found is None:
            before = len(self.items.faults)
            found = self.items.protocols(words.tokens(numbers))
            if len(self.items.faults) == before:
                self._protocols[key] = found
        return found

    def _options_of(self, statement: Statement, plan: Plan, words: _Words, queues: Collection[str]) -> Options:
        key: tuple[Template | str, ...] = (*plan.outline.options, *words.key(plan.options)) if plan.alike else ()
        found = self._options.get(key) if key else None
        if found is not None:
            return found
        tokens = statement.seen
        before = len(self.items.faults)
        options = read_options(plan.outline.options, tokens, self.items, queues)
        systems = plan.outline.systems
        if systems:
            options = replace(options, systems=tuple(tokens[n].value for n in systems if tokens[n].is_string))
        if key and len(self.items.faults) == before:
            self._options[key] = options
        return options
