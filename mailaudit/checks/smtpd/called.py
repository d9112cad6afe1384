"""Rules about what smtpd calls itself: in its greeting, and to the servers that it sends mail to."""

from __future__ import annotations

from collections.abc import Iterator

from mailaudit.checks.registry import rule
from mailaudit.checks.smtpd.edits import instead
from mailaudit.checks.smtpd.scope import smtpd_rule
from mailaudit.edits import Fix, Safety, replace
from mailaudit.findings import Doubt, Exempt, Finding, Outcome, Place
from mailaudit.models.site import Site
from mailaudit.models.smtpd.config import SmtpdConfig
from mailaudit.models.smtpd.name import MailName, is_qualified
from mailaudit.models.smtpd.parts import Action
from mailaudit.parsers.tree import Token
from mailaudit.questions import Reason


def _wanted(site: Site) -> str | None:
    """The full name that the host has, else that of the site's mail host."""
    return next((name for name in (site.host_name, site.mail_host) if name and is_qualified(name)), None)


@rule("SMTPD050")
def server_name_is_qualified(name: MailName, site: Site) -> Iterator[Outcome]:
    """The first line of /etc/mail/mailname is a full host name and nothing else."""
    if name.line is None or name.name is None:
        yield Exempt("there is no /etc/mail/mailname: smtpd takes the host's own name, which HOST003 is about")
        return
    if is_qualified(name.name):
        return
    if not name.name:
        message = "The first line of /etc/mail/mailname is empty: smtpd does not start."
    elif is_qualified(name.name.strip()):
        message = "Behind or before the name in /etc/mail/mailname stand blanks, which smtpd says with it."
    else:
        message = "The first line of /etc/mail/mailname is no full host name, and smtpd greets with all of it."
    wanted = name.name.strip() if is_qualified(name.name.strip()) else _wanted(site)
    edits = (replace(name.line, wanted),) if wanted is not None else ()
    fix = Fix(f"Write {wanted}", Safety.UNSAFE, edits, ("rcctl restart smtpd",)) if edits else None
    yield Finding(message, (Place.at(name.line),), fix, "mailname", "not full" if name.name else "empty")


@smtpd_rule("SMTPD051")
def relays_greet_with_full_names(smtpd: SmtpdConfig, site: Site) -> Iterator[Outcome]:
    """The names that mail goes out under are full host names."""
    for action in smtpd.actions.values():
        if not action.is_relay or _speaks_lmtp(smtpd, action):
            continue
        table = action.tables.get("helo-src")
        names = [action.values["helo"]] if "helo" in action.values else []
        names += [value for _, value in table.entries if value is not None] if table is not None else []
        if table is not None and table.path is not None:
            message = f"Which names the table {table.name} has is not read."
            yield Doubt(Reason.NOT_RECORDED, message, (Place.at(table.at.span),))
        for token in names:
            if not is_qualified(token.value):
                yield _unqualified(smtpd, site, action, token)


def _unqualified(smtpd: SmtpdConfig, site: Site, action: Action, token: Token) -> Finding:
    own = smtpd.server_name
    wanted = own if own is not None and is_qualified(own) and own not in site.domains else _wanted(site)
    edits = instead(token, f'"{wanted}"') if wanted is not None else ()
    message = f"Mail goes out under the name {token.value}, which is no full host name: many servers refuse it."
    fix = Fix(f"Say {wanted}", Safety.SAFE, edits) if edits else None
    return Finding(message, (Place.at(token.span),), fix, f"helo of {action.name.value}", token.value.lower())


def _speaks_lmtp(smtpd: SmtpdConfig, action: Action) -> bool:
    """True if an action hands mail to LMTP servers alone, which do not mind the name."""
    table = action.tables.get("host")
    keys = smtpd.keys(table) if table is not None else None
    return bool(keys) and all(key.startswith("lmtp://") for key in keys or ())
