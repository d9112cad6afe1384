"""Rules about users' mail: as whom a user may send, and what a message tells of the user's own computer."""

from __future__ import annotations

import re
from collections.abc import Iterator
from shlex import quote

from mailaudit.checks.lacking import unread
from mailaudit.checks.smtpd.edits import add_line
from mailaudit.checks.smtpd.scope import smtpd_rule
from mailaudit.editing import tables
from mailaudit.editing.smtpd import set_option
from mailaudit.editing.style import Unwritable
from mailaudit.edits import Edit, Fix, Safety, create
from mailaudit.findings import Doubt, Finding, Outcome, Place
from mailaudit.models.credentials import Credentials
from mailaudit.models.site import Site
from mailaudit.models.smtpd.config import SmtpdConfig
from mailaudit.models.smtpd.parts import Listener, Table
from mailaudit.models.smtpd.reach import Reach, reach
from mailaudit.models.smtpd.senders import USUAL, Sender, Senders
from mailaudit.models.sources import Lacking, Missing, NotHere
from mailaudit.models.virtuals import Virtuals
from mailaudit.parsers.tree import Token
from mailaudit.questions import Reason

_PLAIN = re.compile(r"[A-Za-z0-9._+=-]+@[A-Za-z0-9.-]+", re.ASCII)  # what stands in a map as it is
_NAME = "allowed_from"


def with_login(smtpd: SmtpdConfig) -> list[Listener]:
    """The listeners that take logins from other hosts; those on port 25, which should take none, are SMTPD026's."""
    return [each for each in smtpd.listeners if each.auth != "none" and each.port != 25 and reach(each) is not Reach.HOST]


@smtpd_rule("SMTPD033", needs_mail=True)
def users_send_as_themselves(
    smtpd: SmtpdConfig,
    senders: Senders,
    site: Site,
    credentials: Credentials | Missing | NotHere | Lacking,
    virtuals: Virtuals | Missing | NotHere | Lacking,
) -> Iterator[Outcome]:
    """Who logs in may send as himself only: each listener has a map, and the map knows all users and no strange domain."""
    yield from unread(credentials, virtuals)
    if isinstance(credentials, Lacking):  # where they are not recorded either, nobody knows whose addresses are missing
        yield Doubt(credentials.reason, credentials.detail)
    entries = credentials.entries if isinstance(credentials, Credentials) else ()
    users = tuple(dict.fromkeys(entry.address for entry in entries))
    own = {user: _own(user, virtuals) for user in users}
    free = [listener for listener in with_login(smtpd) if listener.senders is None]
    edits = _restricted(smtpd, senders, free, own)
    for listener in free:
        fix = Fix("Let users send as themselves alone", Safety.UNSAFE, edits) if edits else None
        message = f"Who logs in on port {listener.port} may send as anybody, whatever his own address is."
        place = Place.at((listener.auth_at or listener.at).span)
        yield Finding(message, (place,), fix, f"listener {listener.port}", "no senders")
    path = credentials.path if isinstance(credentials, Credentials) else ""
    for table in {each.senders.name: each.senders for each in with_login(smtpd) if each.senders is not None}.values():
        logins = [each.auth_table for each in with_login(smtpd) if each.senders is table]
        is_theirs = all(each is not None and each.path == path for each in logins)
        yield from _mapped(senders, table, own if is_theirs else {}, site)


def _own(user: str, virtuals: Virtuals | Missing | NotHere | Lacking) -> list[str]:
    """The addresses whose mail a user gets: his own, and those that lead to it."""
    found = [user]
    if isinstance(virtuals, Virtuals):
        names = (entry.name for entry in virtuals.by_name.values() if _PLAIN.fullmatch(entry.name))
        found += (name for name in names if any(leaf.address == user for leaf in virtuals.expand(name)))
    return list(dict.fromkeys(found))


def _restricted(smtpd: SmtpdConfig, senders: Senders, free: list[Listener], own: dict[str, list[str]]) -> tuple[Edit, ...]:
    """The edits that give listeners a map: the one that others have, else a new one of all users."""
    known = next((table for table in smtpd.sender_tables if table.is_defined and table.statement is not None), None)
    edits: tuple[Edit, ...] = ()
    name = known.name if known is not None else _NAME
    if known is None:
        if senders.usual is not False or name in smtpd.tables or not own or not all(map(_PLAIN.fullmatch, own)):
            return ()
        lines = "".join(f"{user}: {', '.join(addresses)}\n" for user, addresses in own.items())
        text = f"# Who may write under which addresses.\n{lines}"
        first = free[0].statement if free else None
        edits = (create(USUAL, text), *add_line(smtpd, "table", f"table {name} file:{USUAL}", above=first))
    for listener in free:
        option = set_option(listener.statement, "senders", f"<{name}>")
        if not option:
            return ()
        edits += option
    return edits


def _mapped(senders: Senders, table: Table, own: dict[str, list[str]], site: Site) -> Iterator[Outcome]:
    """Findings for what a map says of strange addresses, and for logins that it does not know."""
    known = senders.maps.get(table.name)
    if known is None:
        lacking = senders.lacking.get(table.name)
        reason = lacking.reason if lacking is not None else Reason.NOT_RECORDED
        detail = lacking.detail if lacking is not None else f"What is in the table <{table.name}> is not known."
        yield Doubt(reason, detail, (Place.at(table.at.span),))
        return
    for sender in known.values():
        yield from _strange(sender, site)
    for user, addresses in own.items():
        if user not in known:
            yield _without_entry(senders, table, user, addresses)


def _strange(sender: Sender, site: Site) -> Iterator[Outcome]:
    """Findings for addresses that are not the site's."""
    for address in sender.addresses:
        whose = _whose(address, site)
        if whose:
            message = f"{sender.name} may send as {whose}."
            yield Finding(message, (Place.at(address.span),), None, f"sender {sender.name}", address.value.lower())


def _whose(address: Token, site: Site) -> str:
    """Whom an address stands for if it is not the site's own; an empty text if it is."""
    user, at, domain = address.value.lower().rpartition("@")
    if not at:
        user, domain = domain, ""
    if not user and not domain:
        return "anybody"
    if not domain:
        return f"{user} of any domain"
    if not site.domains or any(domain == own or domain.endswith(f".{own}") for own in site.domains):
        return ""
    return f"anybody at {domain}" if not user else f"{user}@{domain}, which is not this site's"


def _without_entry(senders: Senders, table: Table, user: str, addresses: list[str]) -> Finding:
    tree = senders.tree(table)
    edits = None
    if tree is not None and all(map(_PLAIN.fullmatch, addresses)):
        try:
            edits = tables.add_entry(tree, user, addresses)
        except Unwritable:
            edits = None
    commands = (f"smtpctl update table {quote(table.name)}",)
    fix = Fix(f"Let {user} send as himself", Safety.UNSAFE, edits, commands) if edits else None
    place = Place.whole(tree.text) if tree is not None else Place.at(table.at.span)
    message = f"{user} can log in and send nothing: <{table.name}> has no line for the login."
    return Finding(message, (place,), fix, "no sender", user, absence=True)


@smtpd_rule("SMTPD034", needs_mail=True)
def users_addresses_are_hidden(smtpd: SmtpdConfig) -> Iterator[Outcome]:
    """What users send does not tell from where."""
    for listener in with_login(smtpd):
        if listener.masks_source or not listener.requires_auth:
            continue
        edits = set_option(listener.statement, "mask-src")
        fix = Fix("Leave the client's address out", Safety.SAFE, edits) if edits else None
        message = f"Mail that users send on port {listener.port} tells every recipient from which address they sent it."
        yield Finding(message, (Place.at(listener.span),), fix, f"listener {listener.port}", "no mask-src")
