"""smtpd.conf as a whole: what listens, what becomes of each message, and what smtpd itself would refuse."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from mailaudit.models import smtpd_read, smtpd_rules
from mailaudit.models.smtpd_draft import Draft, Services
from mailaudit.models.smtpd_parts import Action, Cause, Filter, Listener, Options, Pki, Refusal, Rule, Table
from mailaudit.models.smtpd_reach import Reach, reach
from mailaudit.models.sources import Known, Model, Slot, Sources, all_trees, refused_statements
from mailaudit.parsers.tree import Included, Problem, Statement, Tree
from mailaudit.questions import Absent, Failed, Reason, Stat
from mailaudit.text import Span

PATH = "/etc/mail/smtpd.conf"
LIBEXEC = "/usr/local/libexec/smtpd"
ALIASES = "/etc/mail/aliases"
_OLD_RULES = ("accept", "reject")
_READERS = {**smtpd_read.READERS, **smtpd_rules.READERS}

Looked = Stat | Absent | Failed


@dataclass(frozen=True, eq=False)
class SmtpdConfig(Model):
    """smtpd.conf(5) read.

    `meanings` are the refusals that the grammar does not show; `stats` what is known of the files and programs it names; `lists`
    the keys of the tables that rules look things up in, by path.
    """

    pki: Mapping[str, Pki] = field(default_factory=dict)
    tables: Mapping[str, Table] = field(default_factory=dict)
    filters: Mapping[str, Filter] = field(default_factory=dict)
    actions: Mapping[str, Action] = field(default_factory=dict)
    listeners: tuple[Listener, ...] = ()
    rules: tuple[Rule, ...] = ()
    options: Options = field(default_factory=Options)
    server_name: str | None = None
    meanings: tuple[Refusal, ...] = ()
    stats: Mapping[str, Looked] = field(default_factory=dict, repr=False)
    lists: Mapping[str, tuple[str, ...] | Absent | Failed] = field(default_factory=dict, repr=False)
    unknown_includes: tuple[Problem, ...] = ()

    @property
    def tree(self) -> Tree:
        """The root file."""
        return self.trees[0]

    @property
    def path(self) -> str:
        """The root file's path."""
        return self.tree.text.path

    @property
    def not_read(self) -> list[Problem]:
        """What smtpd would read and mailaudit could not: included files that could not be looked at."""
        return [*super().not_read, *self.unknown_includes]

    def statements(self) -> Iterator[Statement]:
        """All statements in the order smtpd reads them, included files in their place."""
        for _, statement in _in_order(self.tree):
            yield statement

    @cached_property
    def old_grammar(self) -> tuple[Problem, ...]:
        """What is refused of a file in the grammar before 6.4, its rules first; empty if it is not such a file."""
        unread = [(statement, statement.problem) for tree in self.trees for statement in tree.unread()]
        rules = [why for statement, why in unread if why is not None and statement.seen and statement.seen[0].value in _OLD_RULES]
        return (*rules, *(problem for problem in self.refusals if problem not in rules)) if rules else ()

    @cached_property
    def only_sends(self) -> bool:
        """True if the host takes no mail from others: it listens to itself, and no rule takes mail of anybody else."""
        inward = all(reach(listener) is Reach.HOST for listener in self.listeners)
        own = all(
            rule.action is None or rule.auth is not None or (rule.source.kind in ("local", "socket") and not rule.source.negated)
            for rule in self.rules
        )
        return bool(self.listeners) and inward and own

    def stat(self, path: str) -> Looked:
        """What is known of a file that the configuration names."""
        return self.stats.get(path, Failed(Reason.NOT_RECORDED, f"stat {path} was not recorded"))

    def program(self, filter_: Filter) -> str | None:
        """The path of a filter's program: relative ones are below smtpd's own directory; None where it has none."""
        if filter_.program is None:
            return None
        words = filter_.program.value.split()
        return None if not words else words[0] if words[0].startswith("/") else f"{LIBEXEC}/{words[0]}"

    def filters_of(self, listener: Listener) -> tuple[Filter, ...]:
        """The filters that a listener's mail goes through, chains resolved; those that are not defined left out."""
        found: list[Filter] = []
        for token in listener.filters:
            known = self.filters.get(token.value)
            if known is not None and known.kind == "chain":
                found += [self.filters[each.value] for each in known.chain if each.value in self.filters]
            elif known is not None:
                found.append(known)
        return tuple(found)

    @cached_property
    def credential_tables(self) -> tuple[Table, ...]:
        """The tables that listeners check logins against."""
        return _distinct(listener.auth_table for listener in self.listeners)

    @cached_property
    def virtual_tables(self) -> tuple[Table, ...]:
        """The tables that actions expand virtual addresses with."""
        return _distinct(action.tables.get("virtual") for action in self.actions.values())

    @cached_property
    def alias_tables(self) -> tuple[Table, ...]:
        """The tables that actions expand the host's own names with."""
        return _distinct(action.tables.get("alias") for action in self.actions.values())

    @cached_property
    def sender_tables(self) -> tuple[Table, ...]:
        """The tables that say who may send as whom."""
        return _distinct(listener.senders for listener in self.listeners)

    @cached_property
    def accepted_domains(self) -> tuple[str, ...]:
        """The domains that mail from anywhere is delivered for on this host, lower case, patterns left out."""
        found: list[str] = []
        for rule in self.rules:
            table = rule.destination.table
            if rule.action is None or rule.action.is_relay or rule.source.kind != "any" or rule.source.negated:
                continue
            if rule.destination.kind == "domain" and table is not None and not rule.destination.negated:
                found += [key for key in self.keys(table) or () if "*" not in key and "." in key]
        return tuple(dict.fromkeys(key.lower() for key in found))

    @cached_property
    def certificate_names(self) -> tuple[str, ...]:
        """The names of the pki that listeners show, else of all."""
        shown = [name.value.lower() for listener in self.listeners for name in listener.pki]
        return tuple(name for name in dict.fromkeys([*shown, *self.pki]) if name != "*")

    def keys(self, table: Table) -> tuple[str, ...] | None:
        """The keys of a table, or None where they are not known."""
        if table.path is None:
            return tuple(key.value for key, _ in table.entries) if table.is_defined else None
        known = self.lists.get(table.path)
        return known if isinstance(known, tuple) else None


def read_smtpd(sources: Sources, services: Services) -> Slot[SmtpdConfig]:
    """The model of /etc/mail/smtpd.conf."""
    slot = sources.slot(PATH, sources.tree(PATH, "smtpd"), ("/etc/mail/*",))
    if not isinstance(slot, Known):
        return slot
    tree = slot.value
    draft = Draft(services)
    for _, statement in _in_order(tree):
        reader = _READERS.get(statement.kind)
        if reader is not None and statement.template is not None:
            reader(draft, statement)
    draft = _with_actions_below(draft, tree, services)
    if not draft.rules and not draft.refusals and not refused_statements(all_trees(tree)):
        problem = Problem("there is no match rule, so smtpd has nothing to do", Span(tree.text, 0, 0))
        draft.refusals.append(Refusal(Cause.NO_RULES, problem))
    missing, unknown = _includes(sources, tree)
    draft.refusals += [Refusal(Cause.OTHER, problem) for problem in missing]
    _half_pki(draft)
    trees = all_trees(tree)
    problems = [*refused_statements(trees), *(refusal.problem for refusal in draft.refusals)]
    name, assumed = _server_name(sources)
    stats = _stats(sources, draft)
    if ALIASES in stats and isinstance(stats[ALIASES], Absent) and not sources.snapshot.recorded:
        stats[ALIASES] = Stat("file")  # a repository leaves out what the system brings along
        assumed += (f"{ALIASES} as OpenBSD ships it",)
    return Known(
        SmtpdConfig(
            trees=trees,
            refusals=tuple(sorted(problems, key=lambda p: (p.span.path != PATH, p.span.path, p.span.start))),
            assumed=assumed,
            secrets=tuple(draft.secrets),
            pki=draft.pki,
            tables=draft.tables,
            filters=draft.filters,
            actions=draft.actions,
            listeners=tuple(draft.listeners),
            rules=tuple(draft.rules),
            options=draft.options,
            server_name=name,
            meanings=tuple(draft.refusals),
            stats=stats,
            lists=_lists(sources, draft.rules),
            unknown_includes=unknown,
        )
    )


def _in_order(tree: Tree) -> Iterator[tuple[Tree, Statement]]:
    """Statements as smtpd reads them: an included file's right after the include."""
    included = {(each.at.start, each.at.end): each for each in tree.included if each.at.text is tree.text}
    for statement in tree.statements:
        yield tree, statement
        if statement.kind == "include":
            at = statement.seen[1]
            found = included.get((at.start, at.end))
            if found is not None and found.tree is not None:
                yield from _in_order(found.tree)


def _with_actions_below(draft: Draft, tree: Tree, services: Services) -> Draft:
    """The draft again, with rules kept that name an action defined below them: it is plain which one is meant."""
    below = {refusal.name for refusal in draft.refusals if refusal.cause is Cause.ACTION} & set(draft.actions)
    if not below:
        return draft
    again = Draft(services, below={name: draft.actions[name] for name in below})
    for _, statement in _in_order(tree):
        reader = _READERS.get(statement.kind)
        if reader is not None and statement.template is not None:
            reader(again, statement)
    return again


def _half_pki(draft: Draft) -> None:
    for pki in draft.pki.values():
        for word, token in (("cert", pki.cert), ("key", pki.key)):
            if token is None:
                at = pki.statements[0].seen[1]
                draft.refuse(f'the pki "{at.value}" has no {word}', at, Cause.HALF_PKI, pki.name, word)


def _includes(sources: Sources, tree: Tree) -> tuple[list[Problem], tuple[Problem, ...]]:
    """Includes that smtpd refuses because the file is not there, and those of which it is not known."""
    missing: list[Problem] = []
    unknown: list[Problem] = []
    for each in _all_included(tree):
        if each.tree is not None or each.why != "not there, or not known yet":
            continue
        found = sources.file(each.path)
        if isinstance(found, Absent):
            missing.append(Problem(f"the included file {each.path} is not there", each.at))
        elif isinstance(found, Failed):
            unknown.append(Problem(f"the included file {each.path} could not be read", each.at, refused=False))
    return missing, tuple(unknown)


def _all_included(tree: Tree) -> Iterator[Included]:
    for each in tree.included:
        yield each
        if each.tree is not None:
            yield from _all_included(each.tree)


def _server_name(sources: Sources) -> tuple[str | None, tuple[str, ...]]:
    """What smtpd calls itself: the first line of mailname(5), else the host's name."""
    assumed: tuple[str, ...] = ()
    for path in ("/etc/mail/mailname", "/etc/myname"):
        text = sources.file(path)
        if isinstance(text, Failed) and path == "/etc/mail/mailname":
            assumed = (f"no {path}",)
        if not isinstance(text, Absent | Failed):
            name = text.chars.split("\n", 1)[0].strip().lower()
            if name:
                return name, assumed
    return None, assumed


def _stats(sources: Sources, draft: Draft) -> dict[str, Looked]:
    """What is known of key and certificate files, table files, table and filter programs."""
    paths = [token.value for pki in draft.pki.values() for token in (pki.cert, pki.key) if token is not None]
    paths += [table.path for table in draft.tables.values() if table.path is not None]
    paths += [f"{LIBEXEC}/table-{t.backend}" for t in draft.tables.values() if t.kind == "dynamic" and t.backend != "db"]
    probe = SmtpdConfig()
    paths += [path for each in draft.filters.values() if (path := probe.program(each)) is not None]
    return {path: sources.stat(path) for path in dict.fromkeys(paths)}


def _lists(sources: Sources, rules: list[Rule]) -> dict[str, tuple[str, ...] | Absent | Failed]:
    """The keys of the file tables that rules look addresses and domains up in; never of one that holds passwords."""
    found: dict[str, tuple[str, ...] | Absent | Failed] = {}
    for rule in rules:
        for criterion in (rule.source, rule.destination, rule.tag, rule.helo, rule.mail_from, rule.rcpt_to):
            table = criterion.table if criterion is not None else None
            if table is None or table.path is None or table.backend != "file":
                continue
            tree = sources.tree(table.path, "table")
            found[table.path] = _keys(tree) if isinstance(tree, Tree) else tree
    return found


def _keys(tree: Tree) -> tuple[str, ...]:
    return tuple(s.node.first.value for s in tree.statements if s.template is not None)


def _distinct(tables: Iterator[Table | None]) -> tuple[Table, ...]:
    return tuple({table.name: table for table in tables if table is not None}.values())
