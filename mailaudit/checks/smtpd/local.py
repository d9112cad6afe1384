"""Rules about the host's own names among the mail domains: which mail is for accounts of the system, and which for users."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from mailaudit.checks.smtpd.actions import submission_sessions
from mailaudit.checks.smtpd.edits import instead
from mailaudit.checks.smtpd.probed import reached
from mailaudit.checks.smtpd.scope import smtpd_rule
from mailaudit.edits import Edit, Fix, Safety, create
from mailaudit.edits import replace as rewrite
from mailaudit.findings import Doubt, Exempt, Finding, Outcome, Place
from mailaudit.models.endpoints import Endpoints
from mailaudit.models.site import Site
from mailaudit.models.smtpd.config import SmtpdConfig
from mailaudit.models.smtpd.match import Envelope, hostname_match
from mailaudit.models.smtpd.name import PATH, MailName, is_qualified
from mailaudit.models.smtpd.parts import Rule, Table
from mailaudit.models.smtpd.route import exchanger_sessions, local_session, route
from mailaudit.models.sources import Lacking, Missing, NotHere
from mailaudit.models.system import HostName
from mailaudit.questions import Reason

LITERAL = "[203.0.113.9]"  # any address: smtpd's local names have those of the host


@smtpd_rule("SMTPD048", needs_mail=True)
def accounts_get_no_mail_from_outside(
    smtpd: SmtpdConfig, site: Site, endpoints: Endpoints | Missing | NotHere | Lacking
) -> Iterator[Outcome]:
    """Mail from outside for the host's own names does not reach the accounts of the system."""
    if not any(each.action is not None and "virtual" in each.action.tables and _is_public(each) for each in smtpd.rules):
        yield Exempt("the accounts of this host are its mail users")
        return
    names = [name for name in (smtpd.server_name, "localhost", LITERAL) if name is not None and name not in site.domains]
    seen: set[int] = set()
    for session in exchanger_sessions(smtpd):
        for name in names:
            way = route(smtpd, session, Envelope(f"root@{name}"))
            decides, action = way.rule, way.rule.action if way.rule is not None else None
            if decides is None or action is None or action.is_relay or "virtual" in action.tables or id(decides) in seen:
                continue
            seen.add(id(decides))
            if way.doubts:
                message = f"Whether mail from outside for root@{name} gets this far is not known."
                yield Doubt(Reason.IN_DOUBT, message, (Place.at(decides.span), Place.at(way.doubts[0].span)))
                continue
            message = f"Anybody may write to root@{name} and every other account of this host."
            edits = _from_local(decides)
            fix = Fix("Take it from this host alone", Safety.UNSAFE, edits) if edits else None
            yield Finding(message, (Place.at(decides.span),), fix, "local names", "from outside")
    if not seen:
        yield from reached(smtpd, site, endpoints)


def _is_public(each: Rule) -> bool:
    return each.source.kind == "any" and not each.source.negated and (each.auth is None or each.auth.negated)


def _from_local(each: Rule) -> tuple[Edit, ...]:
    plain = each.auth is None and each.mail_from is None and each.source.kind == "any" and not each.source.negated
    return instead(each.source.at, "local") if plain and each.destination.kind == "local" else ()


@smtpd_rule("SMTPD049", needs_mail=True)
def own_domains_are_named(smtpd: SmtpdConfig, site: Site) -> Iterator[Outcome]:
    """Mail from anywhere is taken for domains that are named, each of them the site's."""
    for each in smtpd.rules:
        way, action = each.destination, each.action
        if action is None or action.is_relay or not _is_public(each) or each.rcpt_to is not None:
            continue
        if way.kind == "any" or (way.kind == "domain" and (way.negated or way.regex)):
            message = "This rule takes mail from anybody for any domain, or for all that fit a pattern."
            yield Finding(message, (Place.at(each.span),), Fix("Name the domains", Safety.MANUAL), "domains", way.kind)
        elif way.kind == "domain" and way.table is not None:
            yield from _named(smtpd, site, way.table)


def _named(smtpd: SmtpdConfig, site: Site, table: Table) -> Iterator[Outcome]:
    """What is wrong with the domains of a list."""
    keys = smtpd.keys(table)
    if keys is None:
        yield Doubt(Reason.NOT_RECORDED, f"Which domains the table {table.name} has is not known.", (Place.at(table.at.span),))
    declared = {domain.lower() for domain in site.declared.domains}
    tokens = {token.value: token for token, _ in table.entries}
    for key in keys or ():
        token = tokens.get(key, table.at)
        if "*" in key:
            fitting = [domain for domain in site.domains if hostname_match(domain, key)]
            edits = (
                instead(token, f'"{fitting[0]}"')
                if len(fitting) == 1 and key in tokens and fitting[0] not in (keys or ())
                else ()
            )
            fix = Fix(f"Name {fitting[0]}", Safety.UNSAFE, edits) if edits else Fix("Name the domains", Safety.MANUAL)
            message = f"Mail is taken for every domain that fits {key}, whether it is the site's or not."
            yield Finding(message, (Place.at(token.span),), fix, "domains", key)
        elif declared and key.lower() not in {*declared, "localhost", smtpd.server_name}:
            message = f"Mail is taken for {key}, which is not among the domains that mailaudit.toml names."
            fix = Fix("Remove the domain, or declare it", Safety.MANUAL)
            yield Finding(message, (Place.at(token.span),), fix, "domains", key)


@smtpd_rule("SMTPD052")
def local_names_are_no_mail_domains(
    smtpd: SmtpdConfig, site: Site, mail_name: MailName | Lacking, name: HostName | Lacking
) -> Iterator[Outcome]:
    """No mail for a mail domain is decided by a rule for the host's own names."""
    sessions = [*exchanger_sessions(smtpd), local_session(smtpd), *(session for session, _ in submission_sessions(smtpd))]
    seen: set[int] = set()
    for domain in smtpd.accepted_domains:
        if domain == "localhost" or (smtpd.server_name is not None and smtpd.server_name != domain):
            continue
        so_called = replace(smtpd, server_name=domain)
        for session in sessions:
            way = route(so_called, session, Envelope(f"somebody@{domain}"))
            if way.rule is None or way.rule.destination.kind != "local" or way.rule.destination.negated or id(way.rule) in seen:
                continue
            seen.add(id(way.rule))
            place = Place.at(way.rule.span)
            if smtpd.server_name is None:
                yield Doubt(Reason.NOT_RECORDED, f"Whether smtpd calls itself {domain} is not known.", (place,))
            else:
                message = f"smtpd calls itself {domain}, so this rule takes mail for {domain} away from its users."
                named = _named_by(mail_name, name)
                yield Finding(message, (place, *named), _other_name(mail_name, site), f"domain {domain}", "shadowed")


def _named_by(mail_name: MailName | Lacking, name: HostName | Lacking) -> tuple[Place, ...]:
    if isinstance(mail_name, MailName) and mail_name.line is not None:
        return (Place.at(mail_name.line, "its name"),)
    written = name.written if isinstance(name, HostName) else None
    return (Place.at(written.span, "its name"),) if written is not None else ()


def _other_name(mail_name: MailName | Lacking, site: Site) -> Fix:
    """The name of the host, or of the site's mail host, in /etc/mail/mailname."""
    names = [name for name in (site.host_name, site.mail_host) if name and name not in site.domains and is_qualified(name)]
    if not names or isinstance(mail_name, Lacking):
        return Fix("Give smtpd a name of its own in /etc/mail/mailname", Safety.MANUAL)
    line = mail_name.line
    edit = rewrite(line, names[0]) if line is not None else create(PATH, f"{names[0]}\n")
    return Fix(f"Let smtpd call itself {names[0]}", Safety.UNSAFE, (edit,), ("rcctl restart smtpd",))
