"""Which match rules never decide, because all that they match is decided above them.

Source: ruleset_match(): the first rule that matches decides, and its criteria are all to be met.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain

from mailaudit.models.smtpd.config import SmtpdConfig
from mailaudit.models.smtpd.match import hostname_match, network_of
from mailaudit.models.smtpd.parts import Criterion, Rule

_OPTIONS = ("tag", "helo", "auth", "mail_from", "rcpt_to")
Tri = bool | None


@dataclass(frozen=True, slots=True, eq=False)
class Dead:
    """A rule that never decides, and those above it that do; `certain` is False where it hangs on a table that is not known.

    `tag` is one that the rule asks for and no listener gives, `by` is then empty.
    """

    rule: Rule
    by: tuple[Rule, ...] = ()
    certain: bool = True
    tag: str = ""


def dead_rules(smtpd: SmtpdConfig) -> Iterator[Dead]:
    """The rules that decide for no message at all. One with the criterion `tls` is neither dead nor kills another."""
    above = _Above(smtpd)
    for rule in smtpd.rules:
        if rule.tls is None:
            tag = _missing_tag(smtpd, rule)
            found = Dead(rule, tag=tag) if tag else above.killers(rule)
            if found is not None:
                yield found
            above.add(rule)


class _Above:
    """The rules above one, found by the domains that they are for."""

    def __init__(self, smtpd: SmtpdConfig) -> None:
        self._smtpd = smtpd
        self._by_domain: dict[str, list[Rule]] = {}
        self._others: list[Rule] = []

    def add(self, rule: Rule) -> None:
        names = _names(self._smtpd, rule)
        for name in names or ():
            self._by_domain.setdefault(name, []).append(rule)
        if names is None or any("*" in name for name in names):
            self._others.append(rule)

    def killers(self, rule: Rule) -> Dead | None:
        by: list[Rule] = []
        certain = True
        names = _names(self._smtpd, rule)
        for name in names if names is not None else (None,):
            first: tuple[Rule, Tri] | None = None
            for each in chain(self._others, self._by_domain.get(name, ()) if name is not None else ()):
                truth = _covers(self._smtpd, each, rule, name)
                if truth or (truth is None and first is None):
                    first = each, truth
                if truth:
                    break
            if first is None:
                return None
            by.append(first[0])
            certain = certain and first[1] is True
        unique = {id(each): each for each in by}
        return Dead(rule, tuple(unique.values()), certain) if by else None


def _names(smtpd: SmtpdConfig, rule: Rule) -> tuple[str, ...] | None:
    """The domains and patterns that a rule is for, None where it is for others or they are not known."""
    way = rule.destination
    keys = smtpd.keys(way.table) if way.table is not None and way.kind == "domain" and not (way.negated or way.regex) else None
    return None if keys is None else tuple(dict.fromkeys(key.lower() for key in keys))


def _missing_tag(smtpd: SmtpdConfig, rule: Rule) -> str:
    """The tag that a rule asks for, if no listener gives it."""
    tag = rule.tag
    keys = smtpd.keys(tag.table) if tag is not None and tag.table is not None and not (tag.negated or tag.regex) else None
    given = {each.tag.value.lower() for each in smtpd.listeners if each.tag is not None}
    return keys[0] if keys and not given.intersection(key.lower() for key in keys) else ""


def _covers(smtpd: SmtpdConfig, one: Rule, other: Rule, name: str | None) -> Tri:
    """Whether a rule matches all that another one does, of mail for a name or pattern; None where that is not known."""
    truths = [
        _source(smtpd, one.source, other.source),
        _destination(smtpd, one.destination, other.destination, name),
        *(_option(smtpd, getattr(one, option), getattr(other, option)) for option in _OPTIONS),
    ]
    if False in truths:
        return False
    return None if None in truths else True


def _same(smtpd: SmtpdConfig, one: Criterion, other: Criterion) -> bool:
    if (one.kind, one.negated, one.regex) != (other.kind, other.negated, other.regex):
        return False
    if one.table is None or other.table is None:
        return one.table is other.table
    keys = smtpd.keys(one.table)
    return one.table.name == other.table.name or (keys is not None and set(keys) == set(smtpd.keys(other.table) or ()))


def _source(smtpd: SmtpdConfig, one: Criterion, other: Criterion) -> Tri:
    if _same(smtpd, one, other):
        return True
    if one.negated or other.negated:
        return one.kind == "any" and not one.negated
    if one.kind == "any" or (one.kind == "local" and other.kind == "socket"):
        return True
    if not one.kind == other.kind == "src" or one.regex or other.regex or one.table is None or other.table is None:
        return False
    keys, others = smtpd.keys(one.table), smtpd.keys(other.table)
    if keys is None or others is None:
        return None
    return all(key in keys or any(_within(key, each) for each in keys) for key in others)


def _within(key: str, network: str) -> bool:
    inner, outer = network_of(key), network_of(network)
    if inner is None or outer is None or inner.version != outer.version:
        return False
    return inner.network_address in outer and inner.prefixlen >= outer.prefixlen


def _destination(smtpd: SmtpdConfig, one: Criterion, other: Criterion, name: str | None) -> Tri:
    if _same(smtpd, one, other) or (one.kind == "any" and not one.negated):
        return True
    if one.kind != "domain" or other.kind != "domain" or one.table is None or one.negated or one.regex:
        return False
    keys = smtpd.keys(one.table)
    if keys is None:
        return None
    if name is None:
        return False
    return any(key.lower() == name or key == "*" or ("*" not in name and hostname_match(name, key)) for key in keys)


def _option(smtpd: SmtpdConfig, one: Criterion | None, other: Criterion | None) -> Tri:
    if one is None or other is None:
        return one is None
    if _same(smtpd, one, other):
        return True
    if one.negated or other.negated or one.regex or other.regex:
        return False
    if one.table is None or other.table is None:  # `auth` is whoever is logged in
        return one.table is None
    keys, others = smtpd.keys(one.table), smtpd.keys(other.table)
    if keys is None or others is None:
        return None
    return {key.lower() for key in others} <= {key.lower() for key in keys}
