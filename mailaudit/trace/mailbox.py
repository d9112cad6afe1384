"""The hops at Dovecot: who logs in, whose mail it is, and where it lies."""

from __future__ import annotations

import posixpath
from collections.abc import Generator, Iterator

from mailaudit.findings import Place
from mailaudit.models.dovecot.config import DovecotConfig
from mailaudit.models.dovecot.lookup import Lookup
from mailaudit.models.dovecot.user import Decided, MailUser, mail_user
from mailaudit.models.files import Files
from mailaudit.models.passwords import PLAIN, password_of
from mailaudit.models.smtpd.config import SmtpdConfig
from mailaudit.models.smtpd.delivery import End
from mailaudit.models.sources import Known
from mailaudit.questions import Reason
from mailaudit.trace.hops import ChainEndError, Hop, Kind, at, broken, lost, ok, unknown
from mailaudit.trace.host import Host, why_not
from mailaudit.trace.listeners import own_place, setting_place
from mailaudit.trace.sieve import sieved

Steps = Generator[Hop, None, str | None]
REFUSED = "Dovecot refuses the login"


def logged_in(host: Host, dovecot: DovecotConfig, address: str) -> Steps:
    """The databases that a login comes to, and the mail that it opens. Gives the directory of new mail."""
    user = mail_user(dovecot, address)
    yield _named(dovecot, user)
    for number, each in enumerate(user.passdbs, 1):
        if each is user.passdbs[-1] and user.password is None and each.found is False and user.may_log_in is False:
            raise _refused(each, number, address)
        yield _asked(each, number, user)
    if user.password is None:
        if user.passdbs and user.may_log_in is None:
            raise lost(Kind.LOGIN, address, user.reason, f"Whether {address} may log in could not be told: {user.why}.")
        if not dovecot.passdbs and not _is_of_host(host):
            message = "The files at hand name no passdb; others may be on the host."
            raise lost(Kind.LOGIN, address, Reason.NOT_RECORDED, message, own_place(dovecot))
        raise broken(Kind.LOGIN, address, f"No passdb lets {address} in: {REFUSED}.", *_databases(dovecot, "passdb"))
    _matchable(user.password, address)
    for number, each in enumerate(user.userdbs, 1):
        yield _asked(each, number, user)
    if user.exists is False:
        message = f"{address} logs in, and no userdb knows it: the session ends at once."
        raise broken(Kind.LOGIN, address, message, *_databases(dovecot, "userdb"))
    if user.exists is None:
        yield unknown(Kind.LOGIN, address, user.reason, f"Whether a userdb knows {address} could not be told: {user.why}.")
    return (yield from _opened(dovecot, user))


def _refused(each: Lookup, number: int, address: str) -> ChainEndError:
    """The last passdb does not let a user in."""
    database = each.database
    place = Place.at(database.path.span if database.path is not None else database.statement.span)
    file = (Place.whole(database.path.value),) if database.path is not None else ()
    what = f"{database.driver}{f' {database.path.value}' if database.path is not None else ''}"
    if each.line is not None:
        message = f"The line of {each.key} in {what} lets nobody in: it has no password that could match, or ids of nobody"
        return broken(Kind.LOGIN, f"passdb {number}", f"{message}. {REFUSED}.", Place.at(each.line.span), place)
    message = f"{what} has no {each.key}, and no other passdb lets {address} in: {REFUSED}."
    return broken(Kind.LOGIN, f"passdb {number}", message, *file, place)


def _is_of_host(host: Host) -> bool:
    """True if a host was looked at, or recorded: what is not there is then not there."""
    files = host.known(Files)
    return files is not None and files.of_host


def _named(dovecot: DovecotConfig, user: MailUser) -> Hop:
    setting = dovecot.setting("auth_username_format")
    place = setting_place(dovecot, setting)
    if user.login is None and user.exists is False:
        raise broken(Kind.LOGIN, user.address, f"{REFUSED}: {user.why}.", place)
    if user.login is None:
        raise lost(Kind.LOGIN, user.address, Reason.IN_DOUBT, f"{user.why[:1].upper()}{user.why[1:]}.", place)
    same = " as it is" if user.login == user.address else ""
    return ok(Kind.LOGIN, user.address, f"Dovecot looks {user.login} up{same}.", *(() if setting.is_default else (place,)))


def _asked(each: Lookup, number: int, user: MailUser) -> Hop:
    database = each.database
    subject = f"{database.kind} {number}"
    place = Place.at(database.path.span if database.path is not None else database.statement.span)
    what = f"{database.driver}{f' {database.path.value}' if database.path is not None else ''}"
    if each.found is None:
        return unknown(Kind.LOGIN, subject, each.reason, f"{what}: {each.why}.", place)
    if database.denies and each.found:
        raise broken(Kind.LOGIN, subject, f"{what} turns {each.key} away.", *at([each.line.span if each.line else None]), place)
    if each.found:
        return ok(Kind.LOGIN, subject, f"{what} knows {each.key}.", *at([each.line.span if each.line else None]), place)
    last = each is (user.passdbs if database.kind == "passdb" else user.userdbs)[-1]
    return ok(Kind.LOGIN, subject, f"{what} has no {each.key}{'' if last else '; the next is asked'}.", place)


def _matchable(found: Lookup, address: str) -> None:
    """Break where the line's password is no hash and the passdb takes it for one."""
    if found.line is None or len(found.line.fields) < 2 or found.database.scheme.upper() != "CRYPT":
        return
    if password_of(found.line.fields[1].chars).scheme == PLAIN:
        message = f"What stands for the password of {address} is no hash, so no password matches: {REFUSED}."
        raise broken(Kind.LOGIN, address, message, Place.at(found.line.span))


def _databases(dovecot: DovecotConfig, kind: str) -> tuple[Place, ...]:
    found = dovecot.passdbs if kind == "passdb" else dovecot.userdbs
    return tuple(Place.at(each.statement.span) for each in found) or (own_place(dovecot),)


def _opened(dovecot: DovecotConfig, user: MailUser) -> Steps:
    """Ids, home, mail and namespace of a user. Gives the directory of new mail, None where that cannot be told."""
    address = user.address
    yield _ids(dovecot, user)
    if user.home.value is None:
        yield ok(Kind.MAILBOX, address, f"{user.home.why[:1].upper()}{user.home.why[1:]}.", *_decided(dovecot, user.home))
    else:
        yield ok(Kind.MAILBOX, address, f"The home is {user.home.value}.", *_decided(dovecot, user.home))
    if user.inbox is None:
        message = "Namespaces are written, and none holds the inbox: Dovecot opens no mail."
        raise broken(Kind.MAILBOX, address, message, own_place(dovecot))
    if user.inbox_path.value is None:
        message = f"Where the mail lies could not be told: {user.mail.why or user.inbox_path.why}."
        yield unknown(Kind.MAILBOX, address, Reason.IN_DOUBT, message, *_decided(dovecot, user.mail))
        return None
    kind = f", {user.format.value}" if user.format.value else ""
    yield ok(Kind.MAILBOX, address, f"The mail is in {user.inbox_path.value}{kind}.", *_decided(dovecot, user.inbox_path))
    names = [section.name for section in user.inbox.mailboxes if section.name]
    if names:
        listed = ", ".join(dict.fromkeys(names))
        yield ok(Kind.MAILBOX, address, f"Beside INBOX, clients are offered {listed}.", *_namespace(dovecot, user))
    return user.inbox_path.value


def _namespace(dovecot: DovecotConfig, user: MailUser) -> tuple[Place, ...]:
    section = user.inbox.section if user.inbox is not None else None
    opened = section.opened if section is not None else None
    return (own_place(dovecot),) if opened is None else (Place.at(opened.span),)


def _ids(dovecot: DovecotConfig, user: MailUser) -> Hop:
    """Under which ids the mail is opened; below the first that is valid Dovecot ends the session."""
    for kind, decided in (("uid", user.uid), ("gid", user.gid)):
        places = _decided(dovecot, decided)
        if decided.value is None:
            message = f"Nothing says with which {kind} the mail is opened: the session ends at once."
            if user.exists is None:
                return unknown(Kind.MAILBOX, user.address, user.reason, f"The {kind} of the mail is not known.", *places)
            raise broken(Kind.MAILBOX, user.address, message, *places)
        number = _number(dovecot, kind, decided.value)
        first = dovecot.setting(f"first_valid_{kind}")
        if number is not None and first.value.isdigit() and number < int(first.value[:10]):
            message = f"The {kind} {decided.value} is below first_valid_{kind}, {first.value}: the session ends at once."
            raise broken(Kind.MAILBOX, user.address, message, *places, setting_place(dovecot, first))
    message = f"The mail is opened with uid {user.uid.value} and gid {user.gid.value}."
    return ok(Kind.MAILBOX, user.address, message, *_decided(dovecot, user.uid))


def _number(dovecot: DovecotConfig, kind: str, written: str) -> int | None:
    if written.isascii() and written.isdigit() and len(written) < 11:
        return int(written)
    accounts = dovecot.accounts
    if accounts is None:
        return None
    if kind == "uid":
        user = accounts.user(written)
        return user.uid if user is not None else None
    group = accounts.group(written)
    return group.gid if group is not None else None


def _decided(dovecot: DovecotConfig, decided: Decided) -> tuple[Place, ...]:
    return (Place.at(decided.place),) if decided.place is not None else (own_place(dovecot),)


def delivered(host: Host, dovecot: DovecotConfig, name: str, protocol: str) -> Steps:
    """What Dovecot makes of a recipient that it gets by `lmtp` or `lda`. Gives the directory of new mail."""
    user = mail_user(dovecot, name, protocol)
    if user.exists is False:
        so = "550 5.1.1 User doesn't exist" if protocol == "lmtp" else "its program ends with code 67, and the mail goes back"
        message = f"Dovecot knows no {name}: {so}."
        raise broken(Kind.MAILBOX, name, message, *_databases(dovecot, "userdb"))
    if user.exists is None:
        message = f"Whether Dovecot knows {name} could not be told: {user.why}."
        yield unknown(Kind.MAILBOX, name, user.reason, message, *_databases(dovecot, "userdb"))
        return None
    known = user.known_by
    line = known.line.span if known is not None and known.line is not None else None
    yield ok(Kind.MAILBOX, name, f"Dovecot knows {user.user}.", *(at([line]) or _databases(dovecot, "userdb")))
    path = yield from _opened(dovecot, user)
    yield from sieved(host, dovecot, user, protocol)
    return path


def read_from(host: Host, end: End, stored: Place) -> Iterator[Hop]:
    """Whether Dovecot reads where smtpd has stored the mail."""
    slot = host.slot(DovecotConfig)
    if not isinstance(slot, Known):
        reason, message = why_not(slot)
        yield unknown(Kind.MAILBOX, end.address, reason, f"{message} Who reads the mail is not known.")
        return
    dovecot = slot.value
    owners = list(_owners(host, end))
    users = [mail_user(dovecot, owner) for owner in owners]
    reading = next((each for each in users if each.exists is not False and _reads(each, end)), None)
    user = reading or users[0]
    if user.exists is False:
        message = f"Dovecot knows no {user.address}, so nobody reads {end.where}."
        raise broken(Kind.MAILBOX, user.address, message, *_databases(dovecot, "userdb"), stored)
    place = _decided(dovecot, user.inbox_path)
    if user.inbox_path.value is None or user.exists is None:
        is_known = user.exists is not None
        why = (user.inbox_path.why or user.mail.why) if is_known else user.why
        message = f"Whether {user.address} reads {end.where} could not be told: {why}."
        yield unknown(Kind.MAILBOX, user.address, Reason.IN_DOUBT if is_known else user.reason, message, *place)
        return
    if reading is None:
        message = (
            f"smtpd stores the mail in {end.where}, and Dovecot reads {user.inbox_path.value}: {user.address} never sees it."
        )
        raise broken(Kind.MAILBOX, user.address, message, stored, *place)
    yield ok(Kind.MAILBOX, user.address, f"Dovecot reads the mail of {user.address} there.", *place)


def _reads(user: MailUser, end: End) -> bool:
    path = user.inbox_path.value
    return path is not None and posixpath.normpath(path) == posixpath.normpath(end.where or "")


def _owners(host: Host, end: End) -> Iterator[str]:
    """Who may read what smtpd stores, the likelier first: the address, or the account where the path does not depend on that."""
    smtpd = host.known(SmtpdConfig)
    address = _without_tag(end.address, smtpd.options.sub_address_delimiter if smtpd is not None else "+")
    template = end.action.argument.value if end.action.argument is not None else ""
    by_address = any(word in template for word in ("%{dest", "%{rcpt"))
    owners = (address, end.user) if by_address else (end.user, address)
    yield from (owner for owner in owners if owner)


def _without_tag(address: str, delimiter: str) -> str:
    user, sign, domain = address.rpartition("@")
    return (user.split(delimiter, 1)[0] if delimiter else user) + sign + domain
