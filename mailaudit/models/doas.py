"""doas.conf's rules and whom they let run what: the last rule that matches decides."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from mailaudit.models.accounts import Accounts
from mailaudit.models.sources import Known, Model, Slot, Sources, refused_statements
from mailaudit.parsers.tree import Statement, Token, Tree
from mailaudit.questions import Absent, Failed, Reason, Stat
from mailaudit.text import Span, decimal

PATH = "/etc/doas.conf"


@dataclass(frozen=True, slots=True)
class Who:
    """A user as rules ask for one: name and id, names and ids of all groups; None for what is not known."""

    name: str
    uid: int | None = None
    groups: frozenset[str] | None = None
    gids: frozenset[int] | None = None


ROOT = Who("root", 0, frozenset({"wheel"}), frozenset({0}))


def who(accounts: Accounts, name: str) -> Who:
    """A user of the host, with the groups that passwd and group give it."""
    user = accounts.user(name)
    if user is None:
        return Who(name)
    groups = [group for group in accounts.groups if group.gid == user.gid or name in group.members]
    return Who(name, user.uid, frozenset(group.name.value for group in groups), frozenset({user.gid, *(g.gid for g in groups)}))


@dataclass(frozen=True, slots=True, eq=False)
class Rule:
    """One rule. `options` are its option words, `variables` the words of `setenv`.

    `target`, `command` are None where any will do; `arguments` are None where any will do, and empty where none may be given.
    """

    statement: Statement
    action: Token
    identity: Token
    options: tuple[Token, ...] = ()
    variables: tuple[Token, ...] = ()
    target: Token | None = None
    command: Token | None = None
    arguments: tuple[Token, ...] | None = None

    @property
    def span(self) -> Span:
        """The whole rule."""
        return self.statement.span

    @property
    def permits(self) -> bool:
        """True for `permit`."""
        return self.action.kind == "permit"

    def option(self, name: str) -> Token | None:
        """An option's word, if the rule has it: `nopass`, `nolog`, `persist`, `keepenv` or `setenv`."""
        return next((token for token in self.options if token.kind == name), None)

    @property
    def group(self) -> str | None:
        """The group that it is about, if it is about one."""
        name = self.identity.value
        return name[1:] if name.startswith(":") else None

    def matches(self, user: Who, target: Who, command: str | None, arguments: Sequence[str] | None) -> bool | None:
        """True if it is about this; None if that depends on what is not known."""
        found = [_is_in(user, self.group) if self.group is not None else _is(user, self.identity.value)]
        if self.target is not None:
            found.append(_is(target, self.target.value))
        if self.command is not None:
            found.append(self.command.value == command)
            if self.arguments is not None:
                found.append(None if arguments is None else [token.value for token in self.arguments] == list(arguments))
        return False if False in found else None if None in found else True


def _is(user: Who, name: str) -> bool | None:
    if name == user.name:
        return True
    uid = decimal(name)
    if uid is None:
        return False
    return None if user.uid is None else uid == user.uid


def _is_in(user: Who, group: str) -> bool | None:
    if user.groups is not None and group in user.groups:
        return True
    gid = decimal(group)
    if gid is not None and user.gids is not None:
        return gid in user.gids
    return None if user.groups is None or gid is not None else False


@dataclass(frozen=True, slots=True)
class Decision:
    """Whether doas runs it, None if that is not known; the rule that decides, if known; and those that may match instead."""

    permitted: bool | None
    rule: Rule | None = None
    doubtful: tuple[Rule, ...] = ()


@dataclass(frozen=True, eq=False)
class DoasConfig(Model):
    """The rules in their order. `metadata` is what is known of the file itself."""

    rules: tuple[Rule, ...] = ()
    metadata: Stat | Absent | Failed = field(default_factory=lambda: Failed(Reason.NOT_RECORDED))

    def decide(
        self, user: Who, target: Who = ROOT, command: str | None = None, arguments: Sequence[str] | None = None
    ) -> Decision:
        """Whether a user may run a command as another: the last rule that matches decides, and without one it is denied.

        No command means one that no rule names. A command is compared as it is typed: `cmd make` does not match `/usr/bin/make`.
        """
        doubtful: list[Rule] = []
        for rule in reversed(self.rules):
            matches = rule.matches(user, target, command, arguments)
            if matches is None:
                doubtful.append(rule)
            elif matches:
                same = all(other.permits == rule.permits for other in doubtful)
                return Decision(rule.permits if same else None, None if doubtful else rule, tuple(doubtful))
        return Decision(None if any(rule.permits for rule in doubtful) else False, None, tuple(doubtful))


def read_doas(sources: Sources) -> Slot[DoasConfig]:
    """The rules of doas.conf."""
    slot = sources.slot(PATH, sources.tree(PATH, "doas"), (PATH,))
    if not isinstance(slot, Known):
        return slot
    tree = slot.value
    return Known(
        DoasConfig(trees=(tree,), refusals=refused_statements((tree,)), rules=tuple(_rules(tree)), metadata=sources.stat(PATH))
    )


def _rules(tree: Tree) -> list[Rule]:
    return [_rule(statement) for statement in tree.statements if statement.kind == "rule"]


def _rule(statement: Statement) -> Rule:
    node = statement.node
    options = node.nodes("option")
    variables = [variable for option in options if (variable := option.node("variables")) is not None]
    parts = {kind: part.leaves() for kind in ("target", "cmd", "args") if (part := node.node(kind)) is not None}
    action, identity = node.node("action"), node.node("identity")
    assert action is not None
    assert identity is not None
    return Rule(
        statement,
        action.first,
        identity.first,
        tuple(option.first for option in options),
        tuple(word for part in variables for word in part.leaves()),
        parts["target"][0] if "target" in parts else None,
        parts["cmd"][0] if "cmd" in parts else None,
        tuple(parts["args"]) if "args" in parts else None,
    )
