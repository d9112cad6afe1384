"""The hops of a user who sends: the login at smtpd, and the address that it may send from."""

from __future__ import annotations

from mailaudit.findings import Place
from mailaudit.models.accounts import Accounts
from mailaudit.models.credentials import Credentials
from mailaudit.models.passwords import BCRYPT, LOCKED, Password
from mailaudit.models.smtpd.match import address_match
from mailaudit.models.smtpd.parts import Listener, Table
from mailaudit.models.smtpd.senders import Senders
from mailaudit.models.sources import Known, Missing
from mailaudit.parsers.tree import Token, Tree
from mailaudit.questions import Absent, Reason
from mailaudit.trace.hops import Hop, Kind, broken, ok, unknown
from mailaudit.trace.host import Host, why_not

WRONG = "535 Authentication failed"
REJECTED = "530 Sender rejected"


def login(host: Host, listener: Listener, user: str) -> Hop:
    """Whether smtpd knows a user, and a password can match. The password itself is never tried."""
    table = listener.auth_table
    at = Place.at((listener.auth_at or listener.at).span)
    if table is None:
        return _of_system(host, user, at)
    if table.backend == "passwd":
        return _of_credentials(host, table, user, at)
    found = _rows(host, table, user)
    if isinstance(found, Hop):
        return found
    host.secrets.extend(("password", value.value) for _, values in found for value in values)
    for key, _ in found:
        if key.value.lower() == user.lower():
            message = f"smtpd knows the user {user}, by the table {table.name}."
            return ok(Kind.LOGIN, user, message, Place.at(key.span), at)
    raise broken(Kind.LOGIN, user, f"The table {table.name} has no user {user}: {WRONG}.", _table_place(table), at)


def _of_system(host: Host, user: str, at: Place) -> Hop:
    slot = host.slot(Accounts)
    if not isinstance(slot, Known):
        return unknown(Kind.LOGIN, user, why_not(slot)[0], f"Users are the host's accounts, which are not at hand: {user}?", at)
    known = slot.value.user(user)
    if known is None:
        raise broken(Kind.LOGIN, user, f"Users are the host's accounts, and none is called {user}: {WRONG}.", at)
    place = Place.at(known.name.span)
    if known.secret is None:
        return unknown(
            Kind.LOGIN, user, Reason.NOT_RECORDED, f"Whether the account {user} has a password is not known.", place, at
        )
    if not known.secret.has_password:
        raise broken(Kind.LOGIN, user, f"The account {user} has no password that could match: {WRONG}.", place, at)
    return ok(Kind.LOGIN, user, f"{user} is an account of the host.", place, at)


def _of_credentials(host: Host, table: Table, user: str, at: Place) -> Hop:
    slot = host.slot(Credentials)
    if not isinstance(slot, Known):
        path = table.path or "the file of credentials"
        reason, message = why_not(slot)
        if isinstance(slot, Missing) and host.sources.snapshot.recorded:
            raise broken(Kind.LOGIN, user, f"{path} is not there: nobody can log in.", _table_place(table), at)
        return unknown(Kind.LOGIN, user, reason, f"{message} Who may log in is not known.", at)
    credentials = slot.value
    entry = next((each for each in credentials.entries if each.name.value == user.lower()), None)
    if entry is None:
        alike = credentials.entry(user)
        if alike is not None:
            message = f"smtpd looks logins up in lower case, so it never finds {alike.name.value}: {WRONG}."
            raise broken(Kind.LOGIN, user, message, Place.at(alike.name.span), at)
        raise broken(Kind.LOGIN, user, f"{credentials.path} has no user {user}: {WRONG}.", Place.whole(credentials.tree.text), at)
    place = Place.at(entry.name.span)
    wrong = _no_match(entry.password)
    if wrong:
        raise broken(Kind.LOGIN, user, f"The password of {user} {wrong}: {WRONG}.", place, at)
    return ok(Kind.LOGIN, user, f"smtpd knows the user {user}, whose password is a {BCRYPT} hash.", place, at)


def _no_match(password: Password) -> str:
    """Why no password can match; empty if one can. OpenBSD's crypt_checkpass(3) verifies bcrypt alone."""
    if password.is_prefixed:
        return f"begins with {password.scheme}, which smtpd takes for part of the hash"
    if password.scheme == LOCKED:
        return "is locked"
    return "" if password.scheme == BCRYPT else f"is no bcrypt hash ({password.scheme})"


def sender(host: Host, listener: Listener, user: str, address: str, delimiter: str) -> Hop:
    """Whether a user may send from an address."""
    table = listener.senders
    here = Place.at(listener.span)
    if table is None:
        message = f"The listener has no senders: whoever has logged in may send from any address, {address} too."
        return ok(Kind.SENDER, address, message, here)
    senders = host.known(Senders)
    lacking = senders.lacking.get(table.name) if senders is not None else None
    if senders is None or lacking is not None:
        reason, message = why_not(lacking or host.slot(Senders))  # type: ignore[arg-type]  # it is not known, as was just seen
        return unknown(Kind.SENDER, address, reason, message, Place.at(table.at.span), here)
    row = senders.maps.get(table.name, {}).get(user.lower())
    if row is None:
        message = f"The table {table.name} has no entry for {user}, who may send from no address at all: {REJECTED}."
        raise broken(Kind.SENDER, address, message, _table_place(table), here)
    for token in row.addresses:
        if address_match(address, token.value, delimiter):
            return ok(Kind.SENDER, address, f"{user} may send from {address}.", Place.at(token.span), here)
    message = f"{user} may not send from {address}: {REJECTED}."
    raise broken(Kind.SENDER, address, message, Place.at(row.login.span), here)


def _rows(host: Host, table: Table, user: str) -> list[tuple[Token, list[Token]]] | Hop:
    """Keys and values of a table of logins, or the hop that says why they are not known."""
    if table.path is None and table.is_defined:
        return [(key, [value] if value is not None else []) for key, value in table.entries]
    if table.path is None or table.backend != "file":
        message = f"The table {table.name} is of the kind {table.backend}, which is not read."
        return unknown(Kind.LOGIN, user, Reason.NOT_RECORDED, message, Place.at(table.at.span))
    tree = host.sources.tree(table.path, "table")
    if isinstance(tree, Tree):
        read = [statement.node for statement in tree.statements if statement.kind == "entry"]
        return [(node.first, targets.leaves() if (targets := node.node("targets")) else []) for node in read]
    reason = Reason.NOT_RECORDED if isinstance(tree, Absent) else tree.reason
    message = f"{table.path}, the table {table.name}, is not at hand."
    return unknown(Kind.LOGIN, user, reason, message, Place.at(table.at.span))


def _table_place(table: Table) -> Place:
    return Place.whole(table.path) if table.path is not None else Place.at(table.at.span)
