"""Rules about what smtpd does with a message: deliver to users, to the host's own accounts, or relay."""

from __future__ import annotations

import re
from collections.abc import Iterator

from mailaudit.checks.smtpd.edits import add_line, after, instead, local_action, relay_action
from mailaudit.checks.smtpd.scope import smtpd_rule
from mailaudit.editing.words import append
from mailaudit.edits import Edit, Fix, Safety
from mailaudit.findings import Doubt, Finding, Outcome, Place
from mailaudit.models.credentials import Credentials
from mailaudit.models.dovecot.config import DovecotConfig
from mailaudit.models.site import Site
from mailaudit.models.smtpd.config import SmtpdConfig
from mailaudit.models.smtpd.expand import Recipient, with_modifier
from mailaudit.models.smtpd.match import Envelope, Session
from mailaudit.models.smtpd.parts import Action, Listener
from mailaudit.models.smtpd.route import Router, exchanger_sessions, local_session, route
from mailaudit.models.sources import Missing, NotHere
from mailaudit.questions import Reason

_USER_FORMATS = ("dest", "dest.user", "rcpt", "rcpt.user")
_HOST = re.compile(r"(?:(?P<scheme>[a-z+]+)://)?(?:(?P<label>[^@/]*)@)?\[?(?P<host>[^\]/]*?)\]?(?::\d+)?", re.IGNORECASE)
_MADE_UP = "somebody@made-up.example.org"
VIRTUALS = "/etc/mail/virtuals"
_MAILBOXES = "/var/mail"  # where mail.local(8) puts it
_SECURE = ("smtps", "smtp+tls")
_SCHEMES = (*_SECURE, "smtp", "smtp+notls", "lmtp")  # to.c, text_to_relayhost


def users_actions(smtpd: SmtpdConfig, site: Site) -> list[Action]:
    """The local actions that mail from anywhere for the site's domains is delivered by; else those with virtual addresses."""
    found: dict[str, Action] = {}
    for router in [Router(smtpd, session) for session in exchanger_sessions(smtpd)]:
        for domain in site.domains:
            decided = router.route(f"user@{domain}").rule
            if decided is not None and decided.action is not None and not decided.action.is_relay:
                found[decided.action.name.value] = decided.action
    if not found:
        found = {name: action for name, action in smtpd.actions.items() if "virtual" in action.tables}
    return list(found.values())


@smtpd_rule("SMTPD016", needs_mail=True)
def users_mail_is_expanded(smtpd: SmtpdConfig, site: Site) -> Iterator[Outcome]:
    """The action for the site's domains looks addresses up in a virtual table."""
    actions = users_actions(smtpd, site)
    table = next(iter(smtpd.virtual_tables), None) or smtpd.tables.get("virtuals")
    if not actions:
        edits: tuple[Edit, ...] = ()
        if table is not None:
            path = "/var/vmail/%{dest.domain:lowercase}/%{dest.user:lowercase|strip}"
            line = f'action "inbound" maildir "{path}" junk virtual <{table.name}>'
            edits = add_line(smtpd, "action", line)
        fix = Fix("Add an action for the users' mail", Safety.UNSAFE, edits) if edits else None
        message = "No action delivers mail for virtual addresses, so no user of the site gets any."
        yield Finding(message, (Place.whole(smtpd.path),), fix, "virtual", "missing", absence=True)
    for action in actions:
        if "virtual" in action.tables:
            continue
        words: tuple[Edit, ...] = ()
        if "alias" not in action.tables:
            name = table.name if table is not None else "virtuals"
            above = add_line(smtpd, "table", f"table {name} file:{VIRTUALS}", above=action.statement) if table is None else ()
            words = (*above, *append(action.statement, f"virtual <{name}>"))
        fix = Fix("Expand virtual addresses", Safety.UNSAFE, words) if words else None
        message = f'The action "{action.name.value}" takes the users\' mail and looks no virtual addresses up.'
        yield Finding(message, (Place.at(action.at),), fix, f"action {action.name.value}", "no virtual")


@smtpd_rule("SMTPD017")
def delivery_agrees_with_dovecot(
    smtpd: SmtpdConfig, dovecot: DovecotConfig, credentials: Credentials | Missing | NotHere, site: Site
) -> Iterator[Outcome]:
    """Mail is written where Dovecot reads it, for every user; for one made up where none is known."""
    entries = credentials.entries if isinstance(credentials, Credentials) else ()
    addresses = [entry.address for entry in entries if "@" in entry.address]
    addresses += [f"somebody@{domain}" for domain in site.domains]
    addresses = addresses or [_MADE_UP]
    for action in users_actions(smtpd, site):
        place = Place.at((action.argument or action.kind_at).span)
        returns = smtpd.returns_all(action)
        if returns:
            message = f"All mail for the users is taken and then returned to its senders: {returns}."
            yield Finding(message, (place,), None, f"action {action.name.value}", "format")
            continue
        if action.kind == "mbox":
            yield from _beside(action, place, dovecot)
        if action.kind != "maildir":
            continue
        for address in addresses:
            user, _, domain = address.partition("@")
            written = smtpd.mail_path(action, Recipient(user, domain))
            read = dovecot.mail_path(address)
            if address == _MADE_UP and _names_domain(written) != _names_domain(read):
                message = "smtpd or Dovecot names a domain in its path, and which domains there are is not known."
                yield Doubt(Reason.IN_DOUBT, message, (place,))
            elif written is None or read is None:
                who = "smtpd" if written is None else "Dovecot"
                yield Doubt(Reason.IN_DOUBT, f"Where {who} has the mail of {address} can not be told from the files.", (place,))
            elif written.rstrip("/") != read.rstrip("/"):
                edits = _like_dovecot(action, address, read)
                fix = Fix("Write where Dovecot reads", Safety.UNSAFE, edits) if edits else None
                message = f"smtpd puts the mail of {address} into {written}, and Dovecot looks for it in {read}."
                yield Finding(message, (place,), fix, f"action {action.name.value}", "path")
                break


def _beside(action: Action, place: Place, dovecot: DovecotConfig) -> Iterator[Outcome]:
    """A finding if what goes to the accounts' own mailboxes is not where Dovecot reads."""
    read = dovecot.mail_place
    if read is not None and read.format != "mbox":
        message = f"smtpd puts the users' mail into {_MAILBOXES}, and Dovecot looks for it in {read.path}."
        yield Finding(message, (place,), None, f"action {action.name.value}", "mbox")


def _names_domain(path: str | None) -> bool:
    return path is not None and _MADE_UP.partition("@")[2] in path


def _like_dovecot(action: Action, address: str, path: str) -> tuple[Edit, ...]:
    """The template that gives Dovecot's path for one user and, as far as names stand in it, for all."""
    if action.argument is None:
        return ()
    user, _, domain = address.partition("@")
    if path.count(f"/{user}") != 1:
        return ()
    template = path.replace(f"/{domain}/", "/%{dest.domain:lowercase}/").replace(f"/{user}", "/%{dest.user:lowercase|strip}")
    return instead(action.argument, f'"{template}"')


@smtpd_rule("SMTPD018")
def sub_address_is_stripped(smtpd: SmtpdConfig, site: Site) -> Iterator[Outcome]:
    """user+tag@ is delivered where user@ is."""
    for action in users_actions(smtpd, site):
        if action.kind != "maildir" or action.argument is None or not smtpd.keeps_tag(action):
            continue
        written = action.argument.span.chars
        stripped = with_modifier(written, _USER_FORMATS, "strip", smtpd.release)
        edits = instead(action.argument, stripped) if stripped != written else ()
        fix = Fix("Strip the sub-address; move stray maildirs by hand", Safety.UNSAFE, edits) if edits else None
        message = "Mail to user+tag@ goes into a maildir of its own, named user+tag, which nobody reads."
        yield Finding(message, (Place.at(action.argument.span),), fix, f"action {action.name.value}", "no strip")


@smtpd_rule("SMTPD019")
def spam_goes_to_junk(smtpd: SmtpdConfig, site: Site) -> Iterator[Outcome]:
    """Mail that the filter marks as spam is filed as such."""
    for action in users_actions(smtpd, site):
        if action.kind != "maildir" or "junk" in action.words:
            continue
        fix = Fix("File marked mail in Junk", Safety.SAFE, after(action.argument or action.kind_at, "junk"))
        message = f'The action "{action.name.value}" puts mail that is marked as spam into the inbox.'
        yield Finding(message, (Place.at(action.at),), fix, f"action {action.name.value}", "no junk")


@smtpd_rule("SMTPD020")
def own_names_are_expanded(smtpd: SmtpdConfig) -> Iterator[Outcome]:
    """The action for the host's own names is local and looks aliases up."""
    decided = route(smtpd, local_session(smtpd), Envelope("root@localhost")).rule
    action = decided.action if decided is not None and decided.action is not None else local_action(smtpd)
    table = next(iter(smtpd.alias_tables), None) or smtpd.tables.get("aliases")
    if action is None or action.is_relay:
        action = local_action(smtpd)
    if action is None:
        edits: tuple[Edit, ...] = ()
        if table is not None:
            edits = add_line(smtpd, "action", f'action "local_inbound" mbox alias <{table.name}>')
        fix = Fix("Add an action for the host's own mail", Safety.SAFE, edits) if edits else None
        message = "No action delivers to the host's own accounts, so what cron and daemons write to root bounces."
        yield Finding(message, (Place.whole(smtpd.path),), fix, "local", "missing", absence=True)
    elif not action.tables.keys() & {"alias", "virtual"} and action.kind not in ("forward-only", "expand-only"):
        edits = append(action.statement, f"alias <{table.name}>") if table is not None else ()
        fix = Fix("Look aliases up", Safety.SAFE, edits) if edits else None
        message = f'The action "{action.name.value}" takes mail for root and does not look aliases up.'
        yield Finding(message, (Place.at(action.at),), fix, f"action {action.name.value}", "no alias")


@smtpd_rule("SMTPD021")
def outbound_relays(smtpd: SmtpdConfig) -> Iterator[Outcome]:
    """There is an action that relays, and a smarthost is spoken to in TLS and with a login."""
    if relay_action(smtpd) is None:
        fix = Fix("Add an action that relays", Safety.UNSAFE, add_line(smtpd, "action", 'action "outbound" relay'))
        message = "No action relays, so no mail leaves this host."
        yield Finding(message, (Place.whole(smtpd.path),), fix, "relay", "missing", absence=True)
    for action in smtpd.actions.values():
        hosts = action.tables.get("host")
        for key, _ in hosts.entries if action.is_relay and hosts is not None else ():
            host = _HOST.fullmatch(key.value)
            if host is None or _is_here(host["host"]):
                continue
            scheme = (host["scheme"] or "smtp").lower()
            about, place = f"action {action.name.value}", (Place.at(key.span),)
            if scheme not in _SCHEMES:
                known = "smtps" if scheme.startswith(("smtps", "ssl")) else "smtp+tls"
                edits = instead(key, f"{known}{key.value[len(scheme) :]}")
                message = f"smtpd does not know {scheme}://, so no mail leaves by the smarthost {host['host']}."
                yield Finding(message, place, Fix(f"Write {known}://", Safety.UNSAFE, edits), about, scheme)
            elif scheme not in _SECURE and "tls" not in action.words:
                fix = Fix("Require TLS of the smarthost", Safety.UNSAFE, append(action.statement, "tls"))
                message = f"Mail and login go to the smarthost {host['host']} in clear if it offers no TLS."
                yield Finding(message, place, fix, about, "no tls")
            if not host["label"] or "auth" not in action.tables:
                message = f"The smarthost {host['host']} is spoken to without a login."
                yield Finding(message, place, None, about, "no auth")


def _is_here(host: str) -> bool:
    return host in ("localhost", "::1", "") or host.startswith(("127.", "/"))


def submission_sessions(smtpd: SmtpdConfig) -> Iterator[tuple[Session, Listener | None]]:
    """Sessions of users who are logged in: one for each listener that takes logins."""
    found = False
    for listener in smtpd.listeners:
        if listener.auth != "none":
            found = True
            tag = listener.tag.value if listener.tag is not None else ""
            yield Session(authenticated=True, tag=tag, listener=listener), listener
    if not found:
        yield Session(authenticated=True), None
