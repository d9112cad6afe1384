"""Rules about one mailbox that two daemons know: smtpd's delivery path and Dovecot's mail path, for each user and spelling."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator

from mailaudit.checks.registry import rule
from mailaudit.checks.smtpd.actions import users_actions
from mailaudit.editing.words import after, instead
from mailaudit.edits import Fix, Safety
from mailaudit.findings import Doubt, Exempt, Finding, Outcome, Place
from mailaudit.models.credentials import Credentials
from mailaudit.models.dovecot.config import DovecotConfig
from mailaudit.models.dovecot.sections import Section
from mailaudit.models.dovecot.user import MailUser, mail_user
from mailaudit.models.site import Site
from mailaudit.models.smtpd.config import SmtpdConfig
from mailaudit.models.smtpd.expand import Recipient, with_modifier
from mailaudit.models.smtpd.parts import Action
from mailaudit.models.sources import Lacking, Missing, NotHere
from mailaudit.questions import Reason

LMTP = "lmtp"
FOLDER = "Junk"  # mail.maildir(8) knows no other, and writes it as .Junk
_FORMATS = ("dest", "dest.user", "dest.domain", "rcpt", "rcpt.user", "rcpt.domain")

Users = Credentials | Missing | NotHere | Lacking


def spellings(address: str) -> tuple[str, ...]:
    """What else mail for a user may be addressed to: smtpd looks up in lower case, and hands on as it was written."""
    user, _, domain = address.partition("@")
    return f"{user.capitalize()}@{domain}", f"{user}@{domain.capitalize()}", address.upper()


@rule("CROSS050")
def delivery_meets_each_user(smtpd: SmtpdConfig, dovecot: DovecotConfig, credentials: Users, site: Site) -> Iterator[Outcome]:
    """Mail for a user reaches the mailbox that the user logs in to, however the address is spelt."""
    if isinstance(credentials, Lacking):
        yield Doubt(credentials.reason, credentials.detail)
    known = [entry.address for entry in credentials.entries] if isinstance(credentials, Credentials) else []
    actions = [action for action in users_actions(smtpd, site) if action.kind in ("maildir", LMTP)]
    made_up = [f"somebody@{domain}" for domain in site.domains]
    for action in actions:
        if action.kind == LMTP and not isinstance(credentials, Credentials | Lacking) and "rcpt-to" in action.words:
            message = "Who the users are, whose mail Dovecot is to take, stands in the credentials, which are not at hand."
            yield Doubt(Reason.NOT_RECORDED, message, (Place.at(action.at),))
        elif action.kind == LMTP:
            yield from _by_lmtp(smtpd, dovecot, action, known)
        else:
            yield from _by_maildir(smtpd, dovecot, action, known or made_up)
    if not actions:
        yield Exempt("no action delivers users' mail into maildirs or over LMTP")


def _by_maildir(smtpd: SmtpdConfig, dovecot: DovecotConfig, action: Action, users: list[str]) -> Iterator[Outcome]:
    """Spellings that go astray; that a user's own path is another is told by SMTPD017, of a sub-address by SMTPD018."""
    place = Place.at((action.argument or action.kind_at).span)
    if smtpd.returns_all(action):
        yield Exempt("smtpd can not expand the path and returns the mail, and SMTPD017 says so")
        return
    if not users:
        yield Doubt(
            Reason.NOT_RECORDED, "No user is known, and no domain, so that the two paths could not be compared.", (place,)
        )
    for address in users:
        read = mail_user(dovecot, address).inbox_path
        plain = _written(smtpd, action, address)
        if read.value is None or plain is None:
            why = read.why if read.value is None else "its template could not be evaluated"
            who = "Dovecot" if read.value is None else "smtpd"
            reason = Reason.NOT_RECORDED if dovecot.has_packaged_users else Reason.IN_DOUBT
            yield Doubt(reason, f"Where {who} has the mail of {address} is not known: {why}.", (place,))
            return
        if plain != read.value.rstrip("/"):
            yield Exempt(f"smtpd and Dovecot have different places for the mail of {address}, and SMTPD017 says so")
            return
        for spelt in spellings(address):
            written = _written(smtpd, action, spelt)
            if written is not None and written != read.value.rstrip("/") and action.argument is not None:
                chars = action.argument.span.chars
                template = with_modifier(chars, _FORMATS, "lowercase", smtpd.release)
                edits = instead(action.argument, template) if template != chars else None
                fix = Fix("Write it in lower case; move what went astray by hand", Safety.UNSAFE, edits) if edits else None
                places = [place]
                places += [Place.at(read.place, "read")] if read.place is not None else []
                message = f"Mail for {spelt} goes to {written}, and the user's mailbox is {read.value}."
                yield Finding(message, tuple(places), fix, f"action {action.name.value}", "case")
                return


def _written(smtpd: SmtpdConfig, action: Action, address: str) -> str | None:
    user, _, domain = address.partition("@")
    path = smtpd.mail_path(action, Recipient(user, domain))
    return posixpath.normpath(path) if path is not None else None


def _by_lmtp(smtpd: SmtpdConfig, dovecot: DovecotConfig, action: Action, users: list[str]) -> Iterator[Outcome]:
    """Dovecot is asked for each user as smtpd names it, with a sub-address too."""
    place = Place.at(action.at)
    if "rcpt-to" not in action.words:
        if "virtual" not in action.tables:
            return  # each user is an account of the system, and is named by it
        edits = after(action.argument or action.kind_at, "rcpt-to")
        fix = Fix("Name the user to Dovecot", Safety.UNSAFE, edits) if edits else None
        account = mail_user(dovecot, "vmail", LMTP)
        message = "smtpd names to Dovecot the account that the mail belongs to, and not the user whose mail it is."
        if account.exists is not None:
            yield Finding(message, (place,), fix, f"action {action.name.value}", "no rcpt-to", absence=True)
        else:
            message = f"Whether Dovecot knows the account that smtpd names is not known: {account.why}."
            yield Doubt(account.reason, message, (place,))
        return
    mark = smtpd.options.sub_address_delimiter
    for address in users:
        name, _, domain = address.partition("@")
        for spelt in (address, f"{name}{mark}tag@{domain}", *spellings(address)):
            found = mail_user(dovecot, spelt, LMTP)
            if found.exists is None:
                message = f"Whether Dovecot takes mail for {spelt} is not known: {found.why}."
                yield Doubt(found.reason, message, (place,))
                return
            if not found.exists:
                yield _unknown(dovecot, action, found, address)
                return


def _unknown(dovecot: DovecotConfig, action: Action, found: MailUser, address: str) -> Finding:
    """Mail that smtpd takes and Dovecot refuses."""
    asked = found.login or found.address
    places = [Place.at(action.at)]
    userdb = next(iter(dovecot.userdbs), None)
    if userdb is not None:
        places.append(Place.at((userdb.format_token or userdb.statement).span, "where Dovecot looks"))
    message = f"smtpd hands mail for {found.address} to Dovecot, which looks for {asked} and knows no such user: it bounces."
    fix = Fix("Let both name the user alike", Safety.MANUAL)
    about = "user" if found.address == address else "spelling"
    return Finding(message, tuple(places), fix, f"action {action.name.value}", about, absence=True)


@rule("CROSS051")
def junk_is_one_folder(smtpd: SmtpdConfig, dovecot: DovecotConfig, site: Site) -> Iterator[Outcome]:
    """The folder that smtpd files spam in is the one that Dovecot shows as Junk."""
    actions = [each for each in users_actions(smtpd, site) if each.kind == "maildir" and "junk" in each.words]
    user = mail_user(dovecot, f"somebody@{next(iter(site.domains), 'one.example')}")
    if not actions or user.inbox is None or user.format.value not in (None, "maildir"):
        yield Exempt("smtpd files no mail in Junk that Dovecot would show from a maildir")
        return
    layout, junk = user.inbox.layout, _marked(user.inbox.mailboxes)
    place = Place.at(actions[0].words["junk"].span)
    if layout.value == "fs" and layout.place is not None:
        message = "smtpd files spam in .Junk, and Dovecot's folders are plain directories without a dot: nobody sees it."
        fix = Fix("Keep folders as smtpd does; move those that are there", Safety.MANUAL)
        yield Finding(message, (Place.at(layout.place), place), fix, "layout", "fs")
    elif layout.value != "maildir++":
        at = (Place.at(layout.place),) if layout.place is not None else (place,)
        yield Doubt(Reason.IN_DOUBT, f"How Dovecot's layout {layout.value} names folders on the disk is not known here.", at)
    elif junk is not None and junk.name != FOLDER and junk.visits:
        header = junk.visits[0].statement
        message = f"smtpd files spam in Junk, and the folder that Dovecot marks for it is {junk.name}: users see two."
        named = next((token for token in header.tokens if token.value == junk.name), None)
        is_free = all(each.name != FOLDER for each in user.inbox.mailboxes)
        edits = (instead(named, FOLDER) or ()) if named is not None and is_free else ()
        fix = Fix("Name it Junk; rename users' folders with it", Safety.UNSAFE if edits else Safety.MANUAL, edits)
        yield Finding(message, (Place.at(header.span), place), fix, "name of Junk", junk.name)


def _marked(mailboxes: tuple[Section, ...]) -> Section | None:
    """The folder that is marked for spam; the one named Junk where several are."""
    found = [
        each
        for each in mailboxes
        if (use := each.get("special_use", "mailbox_special_use")) and "\\junk" in use.value.lower().split()
    ]
    return next((each for each in found if each.name == FOLDER), next(iter(found), None))
