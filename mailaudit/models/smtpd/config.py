"""smtpd.conf as a whole: what listens, what becomes of each message, and what smtpd itself would refuse."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from mailaudit.models.release import NEWEST, Number, read_release
from mailaudit.models.smtpd import evidence, read, rules
from mailaudit.models.smtpd.draft import Draft, Services
from mailaudit.models.smtpd.expand import Recipient, mail_path, unexpandable
from mailaudit.models.smtpd.parts import Action, Cause, Filter, Listener, Options, Pki, Proc, Refusal, Rule, Table
from mailaudit.models.smtpd.reach import Reach, reach
from mailaudit.models.smtpd.releases import as_read_by, refused_earlier, unknown_parts
from mailaudit.models.sources import Known, Model, Slot, Sources, all_trees
from mailaudit.parsers.smtpd_grammar import KEYWORDS
from mailaudit.parsers.smtpd_old import became, is_rule, told
from mailaudit.parsers.tree import Problem, Statement, Token, Tree
from mailaudit.questions import Absent, Failed, Reason, Stat
from mailaudit.text import Span

PATH = "/etc/mail/smtpd.conf"
ALIASES = "/etc/mail/aliases"
_READERS = {**read.READERS, **rules.READERS}

Looked = Stat | Absent | Failed


@dataclass(frozen=True, eq=False)
class SmtpdConfig(Model):
    """smtpd.conf(5) read.

    `meanings` are the refusals that the grammar does not show; `stats` what is known of the files and programs it names; `lists`
    the keys of the tables that rules look things up in, by path; `addresses` those of the host, as far as they are known.
    `old_grammar` is what there is to say of a file in the grammar before 6.4: it is the only refusal then.
    """

    pki: Mapping[str, Pki] = field(default_factory=dict)
    cas: Mapping[str, Token] = field(default_factory=dict)
    tables: Mapping[str, Table] = field(default_factory=dict)
    procs: Mapping[str, Proc] = field(default_factory=dict)
    filters: Mapping[str, Filter] = field(default_factory=dict)
    actions: Mapping[str, Action] = field(default_factory=dict)
    listeners: tuple[Listener, ...] = ()
    rules: tuple[Rule, ...] = ()
    options: Options = field(default_factory=Options)
    server_name: str | None = None
    meanings: tuple[Refusal, ...] = ()
    stats: Mapping[str, Looked] = field(default_factory=dict, repr=False)
    lists: Mapping[str, tuple[str, ...] | Absent | Failed] = field(default_factory=dict, repr=False)
    addresses: frozenset[str] = field(default=frozenset(), repr=False)
    unknown_includes: tuple[Problem, ...] = ()
    old_grammar: Problem | None = None
    release: Number = NEWEST

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
    def delivers_by_rspamc(self) -> bool:
        """True if rspamc looks at mail before it is delivered, as an mda or a wrapper around one."""
        words = (token.value for each in self.statements() if each.kind in ("mda", "action") for token in each.seen)
        return any("rspamc" in word for word in words)

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

    def mail_path(self, action: Action, recipient: Recipient) -> str | None:
        """The directory or file that an action delivers to, or None if it hands mail on, or the place is not known."""
        return mail_path(action, recipient, self.options.sub_address_delimiter, self.release)

    def keeps_tag(self, action: Action) -> bool:
        """True if the sub-address of `user+tag@domain` becomes part of the path that an action delivers to."""
        tagged = f"user{self.options.sub_address_delimiter}tag"
        tag, plain = (self.mail_path(action, Recipient(user, "example.org", home="/home")) for user in (tagged, "user"))
        return tag != plain

    def returns_all(self, action: Action) -> str:
        """Why smtpd returns all mail of an action to its senders: a format that it can not expand; empty if it can."""
        words = action.argument.value if action.argument is not None and action.kind in ("maildir", "mda", "lmtp") else ""
        found = unexpandable(words, self.release)
        if found is None:
            return ""
        before = unexpandable(words) is None
        return f"smtpd can not expand {found}" + (": before 7.9 it reads no modifier behind a part in brackets" if before else "")

    def keys(self, table: Table) -> tuple[str, ...] | None:
        """The keys of a table, or None where they are not known."""
        if table.path is None:
            return tuple(key.value for key, _ in table.entries) if table.is_defined else None
        known = self.lists.get(table.path)
        return known if isinstance(known, tuple) else None


def read_smtpd(sources: Sources, services: Services) -> Slot[SmtpdConfig]:
    """The model of /etc/mail/smtpd.conf, read as the host's release reads it."""
    slot = sources.slot(PATH, sources.tree(PATH, "smtpd"), ("/etc/mail/*",))
    if not isinstance(slot, Known):
        return slot
    tree = slot.value
    trees = all_trees(tree)
    draft = _drawn(tree, Draft(services, read_release(sources).number))
    if not draft.rules and not draft.refusals:
        problem = Problem("there is no match rule, so smtpd has nothing to do", Span(tree.text, 0, 0))
        draft.refusals.append(Refusal(Cause.NO_RULES, problem))
    missing, unknown = evidence.includes(sources, tree)
    draft.refusals += [Refusal(Cause.OTHER, problem) for problem in missing]
    _half_pki(draft, tree)
    refusals = sorted((refusal.problem for refusal in draft.refusals), key=_reading_order)
    old = _old_grammar(tree, refusals)
    name, assumed = evidence.server_name(sources)
    stats = evidence.stats(sources, draft)
    if ALIASES in stats and isinstance(stats[ALIASES], Absent) and not sources.snapshot.recorded:
        stats[ALIASES] = Stat("file")  # a repository leaves out what the system brings along
        assumed += (f"{ALIASES} as OpenBSD ships it",)
    if any(each.port_at is not None and each.port_at.kind != "number" for each in draft.listeners):
        assumed += services.assumed
    return Known(
        SmtpdConfig(
            trees=trees,
            refusals=(old,) if old is not None else tuple(refusals),
            assumed=assumed,
            secrets=tuple(draft.secrets),
            pki=draft.pki,
            cas=draft.cas,
            tables=draft.tables,
            procs=draft.procs,
            filters=draft.filters,
            actions=draft.actions,
            listeners=tuple(evidence.located(sources, draft.listeners)),
            rules=tuple(draft.rules),
            options=draft.options,
            server_name=name,
            meanings=() if old is not None else tuple(each for each in draft.refusals if each.cause is not Cause.GRAMMAR),
            stats=stats,
            lists=evidence.lists(sources, draft.rules),
            addresses=evidence.own_addresses(sources),
            unknown_includes=unknown,
            old_grammar=old,
            release=draft.release,
        )
    )


def _reading_order(problem: Problem) -> tuple[bool, str, int]:
    return problem.span.path != PATH, problem.span.path, problem.span.start


def _drawn(tree: Tree, draft: Draft) -> Draft:
    """The draft with all statements read into it; rules that name an action below them are kept: it is plain which is meant."""
    _read_into(draft, tree)
    below = {refusal.name for refusal in draft.refusals if refusal.cause is Cause.ACTION} & set(draft.actions)
    if not below:
        return draft
    again = Draft(draft.services, draft.release, below={name: draft.actions[name] for name in below})
    _read_into(again, tree)
    return again


def _read_into(draft: Draft, tree: Tree) -> None:
    for _, written in _in_order(tree):
        statement = as_read_by(written, draft.release)
        problem = refused_earlier(statement, draft.release)
        if problem is not None and problem.refused:
            name = reserved_name(statement) if problem is statement.problem else ""
            draft.refusals.append(Refusal(Cause.RESERVED if name else Cause.GRAMMAR, problem, name))
        if statement.template is not None:
            draft.refusals += [Refusal(Cause.RELEASE, problem) for problem in unknown_parts(statement, draft.release)]
            reader = _READERS.get(statement.kind)
            if reader is not None:
                reader(draft, statement)


def reserved_name(statement: Statement) -> str:
    """The word of the language that a broken statement gives to a macro or a table, or calls one by; empty if that is not it."""
    problem = statement.problem
    name = problem.mend[1:-1] if problem is not None and problem.mend is not None else ""
    if problem is None or name not in KEYWORDS or problem.mend != f'"{name}"':
        return ""
    before = [token for token in statement.seen if token.text is problem.span.text and token.end <= problem.span.start]
    if not before:
        return name if statement.kind == "macro" else ""
    is_table = before[-1].kind == "<" or (statement.kind == "table" and len(before) == 1)
    return name if is_table else ""


def _old_grammar(tree: Tree, refusals: list[Problem]) -> Problem | None:
    """What to say of a file that was written for OpenSMTPD before 6.4: one thing, at the first place that is refused."""
    statements = [statement for _, statement in _in_order(tree)]
    rows = [statement.tokens for statement in statements if statement.problem is not None]
    old = sum(1 for row in rows if is_rule(row))
    if not refusals or old <= sum(1 for statement in statements if statement.kind == "match"):
        return None
    message = f"it is written in the grammar of OpenSMTPD before 6.4: {told(became(rows))}"
    return Problem(message, refusals[0].span)


def _in_order(tree: Tree) -> Iterator[tuple[Tree, Statement]]:
    """Statements as smtpd reads them: an included file's right after the include."""
    included = {(each.at.start, each.at.end): each for each in tree.included if each.at.text is tree.text}
    for statement in tree.statements:
        yield tree, statement
        if statement.kind == "include":
            at = statement.seen[1].place
            found = included.get((at.start, at.end))
            if found is not None and found.tree is not None:
                yield from _in_order(found.tree)


def _half_pki(draft: Draft, tree: Tree) -> None:
    """Refuse a pki without certificate or key, unless a statement is broken that may give it: that one is the mistake then."""
    rows = [statement.tokens for _, statement in _in_order(tree) if statement.unread]
    if draft.has_odd_pki or any(token.value in ("pki", "cert", "key") for row in rows for token in row):
        return
    for pki in draft.pki.values():
        for word, token in (("cert", pki.cert), ("key", pki.key)):
            if token is None:
                at = pki.statements[0].seen[1]
                draft.refuse(f'the pki "{at.value}" has no {word}', at, Cause.HALF_PKI, pki.name, word)


def _distinct(tables: Iterator[Table | None]) -> tuple[Table, ...]:
    return tuple({table.name: table for table in tables if table is not None}.values())
