"""A whole ruleset as `pfctl -nv` prints it: macros, options, tables and queues in their order, then the expanded rules.

Source: pfctl's parse.y, print_tabledef(), print_queuespec() and pfctl_load_ruleset().
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from mailaudit.models.pf.config import Ruleset
from mailaudit.models.pf.definitions import Queue, Rate
from mailaudit.models.pf.expand import Expanded, ExpandedAnchor, Expander, Pool
from mailaudit.models.pf.print import network, rule_text
from mailaudit.models.pf.resolve import Resolver
from mailaudit.models.pf.rules import Table
from mailaudit.models.pf.values import Peer, strtoul
from mailaudit.parsers.tree import Included, Node, Statement, Token

Made = Expanded | ExpandedAnchor


def printed(ruleset: Ruleset, resolver: Resolver | None = None) -> Iterator[str]:
    """The lines of a ruleset; names are resolved as far as the host's interfaces are known unless a resolver is given.

    Of a ruleset that pfctl refuses, these are the lines that it prints before it gives up.
    """
    resolver = resolver or Resolver(ruleset.interfaces)
    made = list(Expander(resolver).all(ruleset.entries))
    pools: dict[int, list[Pool]] = {}
    for each in _all(made):
        for pool in (each.rdr, each.nat, each.route):
            if pool is not None and pool.table:
                pools.setdefault(id(each.rule.statement), []).append(pool)
    tree = ruleset.trees[0]
    refused = [fault.problem.span for fault in ruleset.faults]
    for statement in _in_order(tree.statements, iter(tree.included)):
        for pool in pools.get(id(statement), ()):
            yield f"table <{pool.table}> const {{ {' '.join(_entry(peer) for peer in pool.targets)} }}"
        own = statement.span
        faults = [span.start for span in refused if span.text is own.text and own.start <= span.start <= own.end]
        yield from _said(statement, ruleset, resolver, min(faults, default=None))
    if not refused:
        for queue in ruleset.queues:
            yield from _queues(queue, ruleset.queues)
        yield from rules(made)


def rules(made: Iterable[Made], depth: int = 0) -> Iterator[str]:
    """The lines of expanded rules, those of anchors indented."""
    indent = "  " * depth
    for number, each in enumerate(made):
        if isinstance(each, Expanded):
            yield indent + rule_text(each, number)
            continue
        text = indent + rule_text(each.condition, number, each.name)
        if not each.body:
            yield text
            continue
        yield f"{text} {{"
        yield from rules(each.body, depth + 1)
        yield f"{indent}}}"


def _all(made: Iterable[Made]) -> Iterator[Expanded]:
    for each in made:
        if isinstance(each, Expanded):
            yield each
        else:
            yield each.condition
            yield from _all(each.body or ())


def _in_order(statements: Sequence[Statement], included: Iterator[Included]) -> Iterator[Statement]:
    """The statements that were read, in the order in which pfctl reads them; files loaded into anchors are read later."""
    for statement in statements:
        if statement.template is None:
            continue
        yield statement
        if statement.kind in ("include", "load"):
            tree = next(included).tree
            if tree is not None and statement.kind == "include":
                yield from _in_order(tree.statements, iter(tree.included))
        yield from _in_order(statement.body, included)


def _said(statement: Statement, ruleset: Ruleset, resolver: Resolver, fault: int | None) -> Iterator[str]:
    """What is said of a statement when it is read; the `fault` that is found at some offset ends that."""
    kind = statement.kind
    if kind == "set":
        yield from _option(next(child for child in statement.node if isinstance(child, Node)), fault)
    elif kind == "macro" and statement.problem is None:  # what is wrong with its value is found where it is used
        name, _, *parts = statement.seen
        yield f'{name.value} = "{" ".join(str(int(p.value)) if p.kind == "number" else p.value for p in parts)}"'
    elif kind == "table" and fault is None:
        yield table_text(ruleset.definitions[id(statement)], resolver)


def _entry(peer: Peer) -> str:
    return network(peer) if peer.kind == "net" else peer.name


def table_text(table: Table, resolver: Resolver) -> str:
    """A table: its options in a fixed order, lists that follow one another as one."""
    words = {token.value for token in table.options}
    text = " ".join([f"table <{table.name}>", *(word for word in ("const", "persist", "counters") if word in words)])
    listed = False
    for part in table.parts:
        if isinstance(part, Token):
            text += f'{" }" if listed else ""} file "{part.value}"'
            listed = False
            continue
        if not part and len(table.parts) > 1:
            continue
        text += "" if listed else " {"
        listed = True
        text += "".join(f" {'!' if peer.negated else ''}{_entry(peer)}" for peer in resolver.peers(part))
    return f"{text} }}" if listed else text


def _queues(queue: Queue, queues: Sequence[Queue]) -> Iterator[str]:
    """The queues on the interfaces of one, each with those below it."""
    if queue.parent is None:
        for interface in queue.interfaces:
            yield queue_text(queue, interface.name)
            yield from _below(queue, interface.name, queues)


def _below(queue: Queue, interface: str, queues: Sequence[Queue]) -> Iterator[str]:
    for child in queues:
        on = [each.name for each in child.interfaces]
        if child.parent is not None and child.parent.value == queue.name.value and (not on or interface in on):
            yield queue_text(child, interface)
            if child.name.value != queue.name.value:
                yield from _below(child, interface, queues)


def queue_text(queue: Queue, interface: str) -> str:
    """A queue on one of its interfaces."""
    words = [f"queue {queue.name.value}"]
    words.append(f"parent {queue.parent.value}" if queue.parent is not None else f"on {interface}")
    words += [f"{name} {int(token.value)}" for name, token in (("flows", queue.flows), ("quantum", queue.quantum)) if token]
    curves = [(queue.bandwidth, "bandwidth"), (queue.least, "min"), (queue.most, "max")]
    bandwidths = [f"{name} {_rate(rate)}" for rate, name in curves if rate is not None and rate.value]
    words += [", ".join(bandwidths)] if bandwidths else []
    words += ["default"] if queue.is_default is not None else []
    words += [f"qlimit {int(queue.qlimit.value)}"] if queue.qlimit is not None and int(queue.qlimit.value) else []
    return " ".join(words)


def _rate(rate: Rate) -> str:
    text = _bits(rate.value)
    return f"{text} burst {_bits(rate.burst)} for {rate.milliseconds}ms" if rate.milliseconds else text


def _bits(value: int) -> str:
    unit = 0
    while value >= 1000 and value % 1000 == 0 and unit < 3:
        value, unit = value // 1000, unit + 1
    return f"{value}{' KMG'[unit]}"


_PLAIN = frozenset(["optimization", "loginterface", "block-policy", "state-policy", "debug"])


def _option(node: Node, fault: int | None) -> Iterator[str]:
    """A `set` statement: some are printed as they are, some are not printed."""
    leaves = node.all_leaves()
    words = [token for token in leaves[1:] if token.kind not in ("{", "}", "(", ")", ",", "newline")]
    name = node.kind
    if fault is not None:  # an interface that cannot be skipped is told after all were
        words = [] if name not in ("timeout", "limit", "skip") else [w for w in words if name == "skip" or w.end <= fault]
        words = words[: len(words) // 2 * 2] if name != "skip" else [w for w in words if w.kind != "!"]
        if not words:
            return
    if name in _PLAIN:
        yield f"set {name} {words[0].value}"
    elif name in ("timeout", "limit"):
        for key, value in zip(words[::2], words[1::2], strict=True):
            yield f"set {name} {key.value} {int(value.value)}"
    elif name == "skip":
        names = [token.value for token in words[1:]]
        yield "set skip on none" if names in ([], ["none"]) else f"set skip on {{ {' '.join(names)} }}"
    elif name == "reassemble":
        yield f"set reassemble {words[0].value} {words[1].value if len(words) > 1 else ''}"
    elif name == "hostid":
        yield f"set hostid 0x{int(words[0].value) if words[0].kind == 'number' else strtoul(words[0].value) or 0:08x}"
    elif name == "fingerprints":
        yield f'set fingerprints "{words[0].value}"'
    elif name == "syncookies":
        marks = dict(zip((w.value for w in words[1::2]), (w.value for w in words[2::2]), strict=True))
        limits = f" (start {marks.get('start', '25%')}, end {marks.get('end', '12%')})" if marks else ""
        yield f"set syncookies {words[0].value}{limits}"
