"""Rules about the names that smtpd shows, and the sender that it shows for mail that it only hands on."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from mailaudit.checks.lacking import unread
from mailaudit.checks.smtpd.edits import add_line, instead
from mailaudit.checks.smtpd.scope import smtpd_rule
from mailaudit.editing.smtpd import set_option
from mailaudit.edits import Fix, Safety
from mailaudit.findings import Doubt, Finding, Outcome, Place
from mailaudit.models.site import Site
from mailaudit.models.smtpd.config import SmtpdConfig
from mailaudit.models.smtpd.match import LOCAL, Session
from mailaudit.models.smtpd.parts import Action, Rule
from mailaudit.models.smtpd.reach import Reach, reach
from mailaudit.models.smtpd.route import Router
from mailaudit.models.sources import Lacking, Missing, NotHere
from mailaudit.models.virtuals import Aliases, Leaf, Virtuals
from mailaudit.questions import Reason

_LABEL = r"[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?"
_QUALIFIED = re.compile(rf"{_LABEL}(?:\.{_LABEL})+\.?", re.IGNORECASE | re.ASCII)
_NUMBERS = re.compile(r"[\d.]+")
_NOWHERE = ("local", "localdomain", "localhost", "lan", "home", "internal", "intranet", "invalid", "arpa")  # in nobody's DNS


def is_public_name(name: str) -> bool:
    """True for a name that may stand in the public DNS."""
    last = name.rstrip(".").rpartition(".")[2].lower()
    return bool(_QUALIFIED.fullmatch(name)) and not _NUMBERS.fullmatch(name) and last not in _NOWHERE


@smtpd_rule("SMTPD028", needs_mail=True)
def listeners_show_a_name(smtpd: SmtpdConfig, site: Site) -> Iterator[Outcome]:
    """Each listener for strangers says a name that can be looked up."""
    for listener in smtpd.listeners:
        if reach(listener) is Reach.HOST:
            continue
        if listener.hostname is None and smtpd.server_name is None:
            yield Doubt(Reason.NOT_RECORDED, "Which name smtpd shows where a listener says none was not recorded.")
        elif listener.hostname is not None and not is_public_name(listener.hostname.value):
            name, at = listener.hostname.value, listener.hostname
            host = site.host_name if site.host_name and is_public_name(site.host_name) else None
            edits = instead(at, f'"{host}"') if host else ()
            fix = Fix(f"Show {host}", Safety.SAFE, edits) if edits else None
            message = f"The listener on port {listener.port} calls itself {name}, a name that nobody can look up."
            yield Finding(message, (Place.at(at.span),), fix, f"listener {listener.port}", name.lower())


@smtpd_rule("SMTPD035", needs_mail=True)
def forwards_have_our_sender(
    smtpd: SmtpdConfig,
    site: Site,
    virtuals: Virtuals | Missing | NotHere | Lacking,
    aliases: Aliases | Missing | NotHere | Lacking,
) -> Iterator[Outcome]:
    """What comes in from others and is sent on to others leaves with a sender of this site."""
    yield from unread(virtuals, aliases)
    if isinstance(virtuals, Lacking):  # where it is not recorded either, nobody knows what it hands on
        yield Doubt(virtuals.reason, virtuals.detail)
    local = [rule.action for rule in smtpd.rules if rule.action is not None and not rule.action.is_relay and _from_outside(rule)]
    leaves: list[Leaf] = []
    if isinstance(virtuals, Virtuals) and any("virtual" in action.tables for action in local):
        leaves += [leaf for name in virtuals.by_name for leaf in virtuals.expand(name)]
    if isinstance(aliases, Aliases) and any("alias" in action.tables for action in local):
        leaves += [leaf for name in aliases.by_name for leaf in aliases.expand(name)]
    own = {*site.domains, *smtpd.accepted_domains, *(virtuals.domains if isinstance(virtuals, Virtuals) else ())}
    targets = {leaf.target.value: leaf for leaf in leaves if leaf.target.kind == "address"}
    foreign = {address: leaf for address, leaf in targets.items() if address.rpartition("@")[2] not in own}
    for action, leaf in _relays(smtpd, foreign).values():
        yield _unchanged(smtpd, action, leaf)


def _from_outside(rule: Rule) -> bool:
    return rule.source.negated or rule.source.kind not in ("local", "socket")


def _relays(smtpd: SmtpdConfig, foreign: Mapping[str, Leaf]) -> dict[str, tuple[Action, Leaf]]:
    """The actions by which mail leaves for foreign addresses with its sender unchanged, each with the first such address."""
    router = Router(smtpd, Session(LOCAL))
    found: dict[str, tuple[Action, Leaf]] = {}
    for address, leaf in foreign.items():
        decided = router.route(address).rule
        action = decided.action if decided is not None else None
        if action is not None and action.is_relay and "srs" not in action.words:
            found.setdefault(action.name.value, (action, leaf))
    return found


def _unchanged(smtpd: SmtpdConfig, action: Action, leaf: Leaf) -> Finding:
    edits = set_option(action.statement, "srs") or ()
    if edits and smtpd.options.srs_key is None:
        edits = (*add_line(smtpd, "srs", 'srs key "{{generate:hex16}}"', above=action.statement), *edits)
    fix = Fix("Give it a sender of this site", Safety.UNSAFE, edits) if edits else None
    domain = leaf.target.value.rpartition("@")[2]
    message = f'"{action.name.value}" sends mail for {leaf.entry.name} on to {domain} under its old sender, whose SPF then fails.'
    places = (Place.at(action.at), Place.at(leaf.target.token.span, "this leads there"))
    return Finding(message, places, fix, f"action {action.name.value}", "no srs")
