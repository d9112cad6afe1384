"""Where mail for a recipient ends: rules, maps, accounts and .forward files followed as smtpd follows them, step by step.

Source: lka_expand(), lka_submit() and expand_insert() of OpenSMTPD; forkmda() for what is refused only after mail was taken.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable
from dataclasses import dataclass, field, replace

from mailaudit.models.smtpd.expand import Recipient, expand
from mailaudit.models.smtpd.maps import MAPS, Account, Maps
from mailaudit.models.smtpd.match import LOCAL, Session
from mailaudit.models.smtpd.parts import Action, Rule, Table
from mailaudit.models.smtpd.route import Router
from mailaudit.models.virtuals import DEEPEST, Target, alias_keys, virtual_keys
from mailaudit.questions import Failed, Reason
from mailaudit.text import Span

MOST = 2_000  # names that are followed for one recipient
ACCEPT, REJECT, TEMPFAIL, UNKNOWN = "accept", "reject", "tempfail", "unknown"
INVALID = "550 Invalid recipient"
NO_END = "524 5.2.4 Mailing list expansion problem"
LATER = "451 Temporary failure"
LATER_NO_END = "424 4.2.4 Mailing list expansion problem"
DAEMON = "_smtpd"


@dataclass(frozen=True, slots=True)
class Step:
    """One step of an expansion: what was looked up, what came of it, and the place that decided it.

    `kind` is `rule`, `virtual`, `alias`, `include`, `account` or `forward`; `depth` counts from 0, the recipient itself.
    `rule` is the rule that applies, `missed` the table that does not have the name.
    """

    kind: str
    name: str
    says: str
    span: Span | None
    depth: int
    rule: Rule | None = None
    missed: Table | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Gap:
    """Something that is not known, on which an answer hangs: why, in words and as a reason, and its place.

    `rule` is the rule of which it is not known whether it applies.
    """

    reason: Reason
    says: str
    span: Span | None = None
    rule: Rule | None = None


@dataclass(frozen=True, slots=True, eq=False)
class End:
    """One place where the mail goes.

    `kind` is `maildir`, `mbox`, `lmtp`, `mda`, `relay`, `file` or `command`; `where` the directory, file, socket, domain, host
    or command, None where it can not be told; `user` the account it runs as. `bounce` says why smtpd sends the mail back.
    """

    kind: str
    address: str
    action: Action
    where: str | None
    span: Span
    user: str | None = None
    bounce: str | None = None


@dataclass(frozen=True, slots=True)
class Delivery:
    """What becomes of mail for a recipient.

    `answer` is accept, reject, tempfail or unknown, `reply` what smtpd says when it refuses, `decided` the place that made it.
    A refusal on any branch refuses the whole recipient: `ends` are then those that were found before it. `gaps` are what the
    answer hangs on that is not known; `assumed` what was taken for granted.
    """

    recipient: str
    answer: str
    reply: str = ""
    decided: Span | None = None
    steps: tuple[Step, ...] = ()
    ends: tuple[End, ...] = ()
    gaps: tuple[Gap, ...] = ()
    assumed: tuple[str, ...] = ()


def deliver(maps: Maps, session: Session, recipient: str, sender: str | None = None) -> Delivery:
    """The way of mail for a recipient from a session through the rules and the maps to its ends."""
    return _Walk(maps, session, recipient, sender).result()


@dataclass(slots=True, eq=False)
class _Node:
    """Something still to be followed: an address, a user, a file, a command or an error."""

    kind: str
    value: str
    span: Span | None
    depth: int = 0
    parent: _Node | None = None
    rule: Rule | None = None
    same: bool = False
    real: bool = False
    forwarded: bool = False

    def above(self, kind: str) -> _Node | None:
        """The nearest one of a kind that led here."""
        node = self.parent
        while node is not None and node.kind != kind:
            node = node.parent
        return node

    @property
    def key(self) -> tuple[Hashable, ...]:
        """What makes it the same as another, which is then not followed again (expand_cmp())."""
        user = self.above("user") if self.kind in ("file", "command") else None
        return self.kind, self.same, self.real, self.value, id(self.above("address")), id(user)


@dataclass(slots=True)
class _Walk:
    maps: Maps
    session: Session
    recipient: str
    sender: str | None
    queue: deque[_Node] = field(default_factory=deque)
    nodes: list[_Node] = field(default_factory=list)
    seen: set[tuple[Hashable, ...]] = field(default_factory=set)
    steps: list[Step] = field(default_factory=list)
    ends: list[End] = field(default_factory=list)
    gaps: list[Gap] = field(default_factory=list)
    assumed: list[str] = field(default_factory=list)
    refusal: tuple[str, str, Span | None] | None = None
    routers: dict[bool, Router] = field(default_factory=dict)

    def result(self) -> Delivery:
        self._insert(_Node("address", self.recipient, None))
        while self.queue and self.refusal is None:
            if len(self.nodes) > MOST:
                self.gaps.append(Gap(Reason.IN_DOUBT, f"more than {MOST} names come of it"))
                break
            self._follow(self.queue.popleft())
        answer, reply, span = self.refusal or (ACCEPT, "", None)
        if self.refusal is None and not self.ends:
            last = self.steps[-1].span if self.steps else None
            answer, reply, span = REJECT, NO_END, last
        if self.gaps:
            answer, reply = UNKNOWN, ""
        return Delivery(
            self.recipient,
            answer,
            reply,
            span,
            tuple(self.steps),
            tuple(self.ends),
            tuple(self.gaps),
            tuple(dict.fromkeys(self.assumed)),
        )

    def _insert(self, node: _Node) -> None:
        parent = node.parent
        node.same = node.kind == "user" and parent is not None and parent.kind == "user" and parent.value == node.value
        node.depth = 0 if parent is None else parent.depth + 1
        if node.key not in self.seen:
            self.seen.add(node.key)
            self.nodes.append(node)
            self.queue.append(node)

    def _step(self, kind: str, node: _Node, says: str, span: Span | None) -> None:
        self.steps.append(Step(kind, node.value, says, span, node.depth))

    def _not_known(self, what: str, failed: Failed, span: Span | None) -> None:
        self.gaps.append(Gap(failed.reason, f"{what} is not known: {failed.detail}", span))

    def _may_apply(self, rule: Rule, address: str) -> None:
        """A rule of which it is not known whether it applies: for want of a table, or of what only the message can tell."""
        criteria = (rule.source, rule.destination, rule.tag, rule.helo, rule.auth, rule.mail_from, rule.rcpt_to)
        tables = [each.table for each in criteria if each is not None and each.table is not None]
        missing = next((table for table in tables if self.maps.smtpd.keys(table) is None), None)
        why = "it depends on what the sender says of himself"
        if missing is not None:
            why = f"what the table {missing.name} holds is not at hand"
        reason = Reason.IN_DOUBT if missing is None else Reason.NOT_RECORDED
        self.gaps.append(Gap(reason, f"whether this rule takes mail for {address} is not known: {why}", rule.span, rule))

    def _refuse(self, answer: str, reply: str, span: Span | None) -> None:
        self.refusal = answer, reply, span

    def _follow(self, node: _Node) -> None:
        if node.depth >= DEEPEST:
            self._refuse(REJECT, NO_END, node.span)
        elif node.kind == "address":
            self._address(node)
        elif node.kind == "user":
            self._user(node)
        else:
            self._last(node)

    def _address(self, node: _Node) -> None:
        internal = node.parent is not None
        if internal not in self.routers:
            session = replace(self.session, address=LOCAL, internal=True) if internal else self.session
            self.routers[internal] = Router(self.maps.smtpd, session)
        way = self.routers[internal].route(node.value, self.sender)
        for rule, _ in way.maybe:
            self._may_apply(rule, node.value)
        span = way.rule.span if way.rule is not None else node.span
        action = way.rule.action if way.rule is not None else None
        says = "no rule applies" if way.rule is None else f'action "{action.name.value}"' if action is not None else way.answer
        self.steps.append(Step("rule", node.value, says, span, node.depth, way.rule))
        if action is None:
            self._refuse(way.answer, LATER if way.answer == TEMPFAIL else INVALID, span)
            return
        node.rule = way.rule
        table = action.tables.get("virtual")
        if action.is_relay:
            self._end(node, "relay", self._relay(action, node.value))
        elif table is None:
            self._insert(_Node("user", node.value.rpartition("@")[0].lower(), node.span, parent=node, rule=node.rule))
        elif not self._expanded(node, "virtual", virtual_keys(node.value, self._delimiter)) and self.refusal is None:
            self._refuse(REJECT, NO_END, self.steps[-1].span)

    @property
    def _delimiter(self) -> str:
        return self.maps.smtpd.options.sub_address_delimiter

    def _expanded(self, node: _Node, option: str, keys: tuple[str, ...]) -> bool:
        """Whether a table has something for a name, which is then followed; refuses what smtpd can make nothing of."""
        action = _action(node)
        table = action.tables[option]
        entry = self.maps.lookup(table, keys)
        if isinstance(entry, Failed):
            self._not_known(f"what the table {table.name} has for {node.value}", entry, table.at.span)
            return True
        if entry is None:
            says = f"not in the table {table.name}"
            self.steps.append(Step(option, node.value, says, table.at.span, node.depth, missed=table))
            return False
        self._step(option, node, ", ".join(target.token.value for target in entry.targets), entry.key.span)
        if not entry.is_sound:
            bad = next(target for target in entry.targets if target.kind == "invalid")
            self._refuse(TEMPFAIL, LATER_NO_END, bad.token.span)
            return True
        return sum(self._targeted(node, target) for target in entry.targets) > 0

    def _targeted(self, node: _Node, target: Target) -> bool:
        """Follow a target later; an included list at once. False if there is no such list."""
        if target.kind == "include":
            listed = self.maps.included(target)
            if isinstance(listed, Failed):
                self._not_known(f"what {target.value} names", listed, target.token.span)
                return True
            self._step("include", node, target.value if listed is not None else "is not there", target.token.span)
            for each in listed or ():
                self._targeted(node, each)
            return listed is not None
        self._insert(_Node(target.kind, target.token.value, target.token.span, parent=node, rule=node.rule))
        return True

    def _user(self, node: _Node) -> None:
        action = _action(node)
        option = next((each for each in MAPS if each in action.tables), None)
        if not node.same and option is not None:
            keys = (virtual_keys if option == "virtual" else alias_keys)(node.value, self._delimiter)
            if self._expanded(node, option, keys):
                return
        name = node.value.split(self._delimiter, 1)[0]
        account = self.maps.account(action, name)
        if account is None:
            self._step("account", node, "there is no such account", node.span)
            self._refuse(REJECT, INVALID, node.span)
            return
        if isinstance(account, Failed):
            self._not_known(f"whether there is an account {name}", account, node.span)
            account = Account(name)
        else:
            self._step("account", node, f"account {name}", account.span)
        node.real, node.value = True, name
        if node.same and node.parent is not None and node.parent.forwarded:
            self._local(node, account)
            return
        node.forwarded = True
        self._forwarded(node, account)

    def _forwarded(self, node: _Node, account: Account) -> None:
        kind = _action(node).kind
        targets = self.maps.forward(account)
        path = f"{(account.home or '~').rstrip('/')}/.forward"
        if isinstance(targets, Failed):
            self.gaps.append(Gap(targets.reason, f"{path} could not be read", account.span))
        elif targets and any(target.kind == "invalid" for target in targets):
            self._refuse(TEMPFAIL, LATER_NO_END, targets[0].token.span)
        elif targets:
            self._step("forward", node, ", ".join(target.token.value for target in targets), targets[0].token.span)
            for target in targets:
                self._targeted(node, target)
        elif kind in ("forward-only", "expand-only"):
            answer, reply = (TEMPFAIL, LATER_NO_END) if kind == "forward-only" else (REJECT, NO_END)
            self._step("forward", node, f"there is no {path}", _action(node).kind_at.span)
            self._refuse(answer, reply, _action(node).kind_at.span)
        else:
            if targets is None:
                self.assumed.append(f"no {path}")
            self._local(node, account)

    def _last(self, node: _Node) -> None:
        """A file, a command or an error, which ends its branch."""
        action = _action(node)
        if action.kind == "forward-only":
            self._refuse(TEMPFAIL, LATER, node.span)
        elif node.kind == "error":
            text = node.value.lstrip(":")[len("error:") :]
            self._refuse(TEMPFAIL if text.startswith("4") else REJECT, text, node.span)
        else:
            parent = node.parent
            user = parent.value if parent is not None and parent.real else DAEMON
            account = self.maps.account(action, user)
            account = account if isinstance(account, Account) else Account(user)
            where = node.value.lstrip("|") if node.kind == "command" else node.value
            self._end(node, node.kind, where, account)

    def _local(self, node: _Node, account: Account) -> None:
        action = _action(node)
        address = node.above("address")
        user, _, domain = (address.value if address is not None else self.recipient).rpartition("@")
        recipient = Recipient(user, domain, account.name, account.home, self.recipient, self.sender)
        smtpd = self.maps.smtpd
        if action.kind in ("maildir", "mbox"):
            where = smtpd.mail_path(action, recipient)
        else:
            words = action.argument.value if action.argument is not None else None
            where = expand(words, recipient, self._delimiter, smtpd.release) if words is not None else None
        self._end(node, action.kind, where, account)

    def _relay(self, action: Action, address: str) -> str | None:
        """The smart host, else the domain whose exchangers are looked up."""
        table = action.tables.get("host")
        keys = self.maps.smtpd.keys(table) if table is not None else (address.rpartition("@")[2].lower(),)
        return ", ".join(keys) if keys is not None else None

    def _end(self, node: _Node, kind: str, where: str | None, account: Account | None = None) -> None:
        action = _action(node)
        address = node if node.kind == "address" else node.above("address")
        span = node.span if kind in ("file", "command") and node.span is not None else (action.argument or action.kind_at).span
        user, bounce = self._runs_as(action, kind, account) if account is not None else (None, None)
        if kind == action.kind:
            bounce = bounce or self.maps.smtpd.returns_all(action) or None
        self.ends.append(End(kind, address.value if address is not None else self.recipient, action, where, span, user, bounce))

    def _runs_as(self, action: Action, kind: str, account: Account) -> tuple[str, str | None]:
        """The account that delivers, and why smtpd refuses to let it."""
        uid, name = account.uid, account.name
        if "user" in action.values:
            name = action.values["user"].value
            known = self.maps.accounts
            user = known.user(name) if known is not None else None
            if known is not None and user is None:
                return name, f"there is no account {name} to deliver as"
            uid = user.uid if user is not None else None
        return name, "smtpd delivers as root into an mbox alone" if uid == 0 and kind != "mbox" else None


def _action(node: _Node) -> Action:
    """The action of the rule that a node was made under."""
    assert node.rule is not None
    assert node.rule.action is not None
    return node.rule.action
