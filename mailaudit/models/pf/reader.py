"""Reads the trees of pf.conf into rules, anchors, tables and options, and gathers what pfctl refuses."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from mailaudit.models.interfaces import Interfaces, driver_of
from mailaudit.models.pf.definitions import Queue, check_option, joined, read_queue, read_table
from mailaudit.models.pf.items import Fault, OnInterface, Refused, interfaces
from mailaudit.models.pf.rule_reader import RuleReader
from mailaudit.models.pf.rules import (
    STOCK,
    Anchor,
    Defaults,
    Entry,
    Rule,
    Table,
    Translation,
)
from mailaudit.models.pf.values import Peer
from mailaudit.models.services import Services
from mailaudit.parsers.making import many
from mailaudit.parsers.tree import Included, Node, Problem, Statement, Token, Tree
from mailaudit.text import Span


@dataclass(frozen=True, slots=True)
class Skip:
    """One interface or group of `set skip on`."""

    name: str
    at: Token
    statement: Statement


@dataclass
class Found:
    """What was read of a ruleset so far."""

    entries: list[Entry] = field(default_factory=list)
    tables: dict[str, Table] = field(default_factory=dict)
    skips: list[Skip] = field(default_factory=list)
    options: dict[str, list[Statement]] = field(default_factory=dict)
    loads: dict[str, tuple[Entry, ...] | None] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)
    missing: list[tuple[str, Span]] = field(default_factory=list)  # included files of which there is no text
    queues: list[Queue] = field(default_factory=list)
    queue_names: set[str] = field(default_factory=set)
    definitions: dict[int, Table] = field(default_factory=dict)  # of tables, by the identity of their statements
    policy: str = "drop"  # as it stands at the statement that is being read
    defaults: Defaults = STOCK  # the same


class RulesReader:
    """Goes through statements in the order in which pfctl reads them."""

    def __init__(self, services: Services, interfaces: Interfaces) -> None:
        self.rules = RuleReader(services, interfaces)
        self.reader = self.rules.items
        self.found = Found()

    def read(self, tree: Tree) -> Found:
        """All of a file and of what it includes."""
        with many():
            self._statements(tree.statements, iter(tree.included), self.found.entries, self.found.tables)
        return self.found

    def _statements(
        self,
        statements: tuple[Statement, ...],
        included: Iterator[Included],
        entries: list[Entry],
        tables: dict[str, Table],
    ) -> None:
        faults = self.found.faults
        for statement in statements:
            problem = statement.problem
            if problem is not None and problem.refused:
                faults.append(Fault(problem, _uses(statement, problem.span)))
            if statement.template is None:
                if statement.body:  # the anchor's own line is refused: its rules are judged as if they stood outside
                    self._statements(statement.body, included, entries, tables)
                continue
            try:
                self._statement(statement, included, entries, tables)
            except Refused as refused:
                faults.append(Fault(refused.problem, _macros(refused.token)))
                self.reader.faults.clear()
            if self.reader.faults:
                faults += [Fault(each.problem, _macros(each.token)) for each in self.reader.faults]
                self.reader.faults.clear()

    def _statement(
        self, statement: Statement, included: Iterator[Included], entries: list[Entry], tables: dict[str, Table]
    ) -> None:
        kind = statement.kind
        if kind == "rule":
            rule = self.rule(statement)
            if rule.options.binat:
                entries += _both_ways(rule)
            else:
                entries.append(rule)
        elif kind == "anchor":
            self._anchor(statement, included, entries)
        elif kind == "table":
            table = read_table(statement, self.reader)
            self.found.definitions[id(statement)] = table
            before = tables.get(table.name)
            tables[table.name] = joined(before, table) if before is not None else table
        elif kind == "set":
            self._set(statement)
        elif kind == "antispoof":
            entries += _antispoof(statement)
        elif kind == "queue":
            queue = read_queue(statement)
            self.found.queues.append(queue)
            self.found.queue_names.add(queue.name.value)
        elif kind in ("include", "load"):
            self._include(statement, included, entries, tables)

    def rule(self, statement: Statement) -> Rule:
        """A rule or an anchor's condition."""
        found = self.found
        return self.rules.rule(statement, found.policy, found.defaults, found.queue_names)

    def _anchor(self, statement: Statement, included: Iterator[Included], entries: list[Entry]) -> None:
        rule = self.rule(statement)
        node = statement.node
        named = node.node("name")
        name = named.first.value if named is not None else ""
        _anchor_name(name, statement)
        if not statement.is_block:
            if not name:
                raise Refused("an anchor without rules must have a name", statement.seen[0])
            entries.append(Anchor(rule, name, None))
            return
        body: list[Entry] = []
        tables: dict[str, Table] = {}
        named_at = statement.close[0].span if statement.close else statement.span
        policy = self.found.policy
        self._statements(statement.body, included, body, tables)
        self.found.policy = policy
        if len(tables) > 1:  # so pfctl of 7.8: after a second table the anchor's end is a syntax error
            self.found.faults.append(Fault(Problem("an anchor with rules of its own can define only one table", named_at)))
        if name and any(isinstance(each, Anchor) and each.name == name and each.body is not None for each in entries):
            token = named.first if named is not None else statement.seen[0]
            raise Refused(f'there is another anchor "{name}" with rules of its own', token)
        entries.append(Anchor(rule, name, tuple(body), tables))

    def _set(self, statement: Statement) -> None:
        node = statement.node
        option = next(child for child in node if isinstance(child, Node))
        name = option.kind
        leaves = option.all_leaves()
        if name == "skip":
            self._skip(statement, leaves)
        else:
            check_option(name, leaves, self.found.options)
        if name == "block-policy":
            self.found.policy = leaves[1].kind
        elif name == "state-policy":
            self.found.defaults = replace(self.found.defaults, lock=leaves[1].kind)
        elif name == "state-defaults":
            self.found.defaults = replace(self.found.defaults, states=option)
        elif name == "reassemble":
            self.found.defaults = replace(self.found.defaults, reassembles=leaves[1].value != "no")
        self.found.options.setdefault(name, []).append(statement)

    def _skip(self, statement: Statement, leaves: list[Token]) -> None:
        names = interfaces(leaves[2:])
        if not names or (len(names) == 1 and names[0].name == "none" and not names[0].negated):
            self.found.skips.clear()
            return
        for each in names:
            if each.negated or each.rdomain is not None:
                raise Refused('"set skip on" takes interfaces and groups, without "!" or "rdomain"', each.at)
        self.found.skips += [Skip(each.name, each.at, statement) for each in names]

    def _include(
        self, statement: Statement, included: Iterator[Included], entries: list[Entry], tables: dict[str, Table]
    ) -> None:
        file = next(included)
        if file.tree is None:
            self.found.missing.append((file.path, file.at))
        if statement.kind == "include":
            if file.tree is not None:
                self._statements(file.tree.statements, iter(file.tree.included), entries, tables)
            return
        name = statement.seen[2].value
        if file.tree is None:
            self.found.loads[name] = None
            return
        loaded: list[Entry] = []
        own: dict[str, Table] = {}
        policy, self.found.policy = self.found.policy, "drop"
        self._statements(file.tree.statements, iter(file.tree.included), loaded, own)
        self.found.policy = policy
        self.found.loads[name] = tuple(loaded)
        for table in own.values():
            tables.setdefault(table.name, table)


def _anchor_name(name: str, statement: Statement) -> None:
    if name.startswith("_") or "/_" in name:
        raise Refused('names of anchors that begin with "_" are reserved', statement.seen[1])
    if statement.is_block and "/" in name:
        raise Refused("an anchor with rules of its own cannot have a path for its name", statement.seen[1])


def _both_ways(rule: Rule) -> list[Rule]:
    """What binat-to stands for: nat-to on the way out, rdr-to on the way in."""
    nat = rule.options.nat
    assert nat is not None
    out = replace(rule, direction="out", options=replace(rule.options, nat=replace(nat, static_port=True)))
    back = replace(rule.options, nat=None, rdr=Translation(rule.sources))
    return [
        out,
        replace(
            rule,
            direction="in",
            sources=rule.targets,
            source_ports=rule.target_ports,
            source_tests=rule.target_tests,
            targets=nat.targets,
            target_ports=rule.source_ports,
            target_tests=rule.source_tests,
            options=back,
        ),
    ]


def _antispoof(statement: Statement) -> list[Entry]:
    node = statement.node
    listed = node.node("interfaces")
    family = node.node("family")
    assert listed is not None
    tokens = listed.all_leaves()
    number = 0 if family is None else 4 if family.first.kind == "inet" else 6
    log, quick = node.node("log") is not None, node.node("quick") is not None
    made: list[Entry] = []
    for each in interfaces(tokens):
        index = next(i for i, token in enumerate(tokens) if token is each.at)
        dynamic = index > 0 and tokens[index - 1].kind == "("
        peer = Peer("interface", each.at, name=each.name, modifiers=("network",), dynamic=dynamic)
        rule = Rule(statement, "block", "in", log, quick, family=number, returns="drop")
        made.append(replace(rule, interfaces=(OnInterface(each.name, True, each.at),), sources=(peer,)))
        if driver_of(each.name) != "lo":  # of a group pfctl does not know that it is loopback
            made.append(replace(rule, sources=(replace(peer, modifiers=()),)))
    return made


def _macros(token: Token) -> tuple[Token, ...]:
    return tuple(Token("macro", use.chars, use.text, use.start, use.end) for use in token.via)


def _uses(statement: Statement, span: Span) -> tuple[Token, ...]:
    for token in statement.seen:
        if token.start == span.start and token.text is span.text:
            return _macros(token)
    return ()
