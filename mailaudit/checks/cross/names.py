"""Rules about domains and names: what has users, addresses or a key also gets mail, and the server says one name of itself."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from mailaudit.checks.host.services import RESTARTS
from mailaudit.checks.lacking import unread
from mailaudit.checks.registry import rule
from mailaudit.checks.smtpd.names import is_public_name
from mailaudit.checks.smtpd.routing import accepting
from mailaudit.edits import Fix, Safety
from mailaudit.findings import Doubt, Evidence, Exempt, Finding, Outcome, Place
from mailaudit.models.behind import Behind
from mailaudit.models.credentials import Credentials
from mailaudit.models.endpoints import Endpoints
from mailaudit.models.rspamd.config import RspamdConfig
from mailaudit.models.site import Site
from mailaudit.models.smtpd.config import SmtpdConfig
from mailaudit.models.smtpd.match import Session
from mailaudit.models.smtpd.name import is_qualified
from mailaudit.models.smtpd.parts import Listener
from mailaudit.models.smtpd.reach import is_outward
from mailaudit.models.smtpd.route import Route, Router, exchanger_sessions, local_session
from mailaudit.models.sources import Lacking, Missing, NotHere
from mailaudit.models.system import HostName
from mailaudit.models.virtuals import Virtuals
from mailaudit.parsers.tree import Token
from mailaudit.questions import Reason
from mailaudit.text import Span

MAILNAME = "/etc/mail/mailname"
GREETS = frozenset({25, 465, 587})


@rule("CROSS030")
def domains_are_the_same_everywhere(
    smtpd: SmtpdConfig,
    site: Site,
    credentials: Credentials | Missing | NotHere | Lacking,
    virtuals: Virtuals | Missing | NotHere | Lacking,
    rspamd: RspamdConfig | Missing | NotHere | Lacking,
) -> Iterator[Outcome]:
    """A domain that has users, addresses or a signing key is one that mail is accepted for."""
    yield from unread(credentials, virtuals, rspamd)
    if isinstance(virtuals, Lacking):  # where it is not recorded either, nobody knows its domains
        yield Doubt(virtuals.reason, virtuals.detail)
    if smtpd.only_sends:
        yield Exempt("this host takes no mail from others")
        return
    strangers = [Router(smtpd, session) for session in exchanger_sessions(smtpd)]
    own = [Router(smtpd, local_session(smtpd)), Router(smtpd, Session(authenticated=True))]
    if isinstance(credentials, Credentials):
        logins = {entry.address: entry.name.span for entry in credentials.entries}
        yield from _refused(smtpd, strangers, _first(logins, site), "has users who log in", "users")
    if isinstance(virtuals, Virtuals):
        keys = {entry.name: entry.key.span for entry in virtuals.by_name.values()}
        yield from _refused(smtpd, [*strangers, *own], _first(keys, site), "has addresses in the virtual map", "addresses")
    if isinstance(rspamd, RspamdConfig) and rspamd.is_enabled("dkim_signing") is not False:
        signed = {
            f"postmaster@{domain}": value.span for domain, value in rspamd.dkim.domains.items() if not rspamd.is_packaged(value)
        }
        known = {*site.domains, *([site.host_name] if site.host_name else [])}
        strange = {name: at for name, at in signed.items() if not _is_part(name.partition("@")[2].lower(), known)}
        yield from _refused(smtpd, strangers, _first(strange, site), "has a key that signs its mail", "key")


def _is_part(domain: str, known: set[str]) -> bool:
    """True for a domain above or below one of the site's: rspamd may sign by either."""
    return any(domain == each or domain.endswith(f".{each}") or each.endswith(f".{domain}") for each in known)


def _first(places: dict[str, Span], site: Site) -> dict[str, tuple[str, Span]]:
    """One address of each domain with its place; the site's own domains are SMTPD040's."""
    found: dict[str, tuple[str, Span]] = {}
    for address, span in places.items():
        user, _, domain = address.lower().rpartition("@")
        if "@" in address and domain and domain not in site.domains:
            found.setdefault(domain, (f"{user or 'postmaster'}@{domain}", span))
    return found


def _refused(
    smtpd: SmtpdConfig, routers: list[Router], domains: dict[str, tuple[str, Span]], what: str, about: str
) -> Iterator[Outcome]:
    for domain, (address, span) in domains.items():
        routes = [router.route(address) for router in routers]
        if any(_is_taken(route) for route in routes):
            continue
        if any(route.maybe or route.answer == "tempfail" for route in routes):
            tables = [rule_.destination.table for route in routes for rule_ in route.doubts]
            unread_ = any(table is not None and table.path is not None and smtpd.keys(table) is None for table in tables)
            reason = Reason.NOT_RECORDED if unread_ else Reason.IN_DOUBT
            yield Doubt(reason, f"Whether mail for {domain} is accepted could not be told.", (Place.at(span),))
            continue
        message = f"{domain} {what}, and no rule of smtpd.conf accepts mail for it."
        fix = Fix("Accept mail for it, or take it out here", Safety.MANUAL, accepting(smtpd, routes[0], domain, ""))
        yield Finding(message, (Place.at(span, "not accepted"),), fix, f"{about} of {domain}", "not accepted", absence=True)


def _is_taken(route: Route) -> bool:
    """True if mail is accepted for a domain of this host's: delivered, or handed on by a rule that names it."""
    rule_ = route.rule
    if route.answer != "accept" or rule_ is None or rule_.action is None:
        return False
    return not rule_.action.is_relay or rule_.destination.kind != "any"


@rule("CROSS093")
def the_server_says_one_name(
    smtpd: SmtpdConfig,
    name: HostName,
    site: Site,
    endpoints: Endpoints | Missing | NotHere | Lacking,
    behind: Behind,
) -> Iterator[Outcome]:
    """What smtpd calls itself, in greetings and in HELO, is a name of this host."""
    host = [each.lower() for each in (name.now, name.written.value if name.written is not None else None) if each]
    known = {each for each in (*host, site.host_name, site.mail_host, *smtpd.certificate_names) if each}
    if not host and site.host_name is None:
        yield Doubt(Reason.NOT_RECORDED, "The host's name was not recorded.")
        return
    if smtpd.server_name is not None and _is_strange(smtpd.server_name, known):
        message = f"{MAILNAME} calls this server {smtpd.server_name}, and nothing else does: the host is {_all(known)}."
        fix = Fix("Remove the file, or write the host's name into it", Safety.MANUAL)
        yield Finding(message, (Place.whole(MAILNAME),), fix, "mailname", smtpd.server_name)
        known.add(smtpd.server_name)
    several = len({each.hostname.value.lower() for each in smtpd.listeners if each.hostname is not None}) > 1
    for listener in smtpd.listeners:
        token = listener.hostname
        is_one_of_many = several and _is_address(listener.where)
        if token is not None and _is_strange(token.value, known) and not is_one_of_many:
            what = f"The listener{_port(listener)} greets as {token.value}"
            yield _strange(what, token, known, f"hostname of listener{_port(listener)}")
    for action in smtpd.actions.values():
        token = action.values.get("helo")
        if token is not None and action.is_relay and "src" not in action.tables and _is_strange(token.value, known):
            yield _strange(
                f'The action "{action.name.value}" says HELO {token.value}', token, known, f"helo of {action.name.value}"
            )
    if isinstance(endpoints, Endpoints) and "smtpd" not in behind and not any(each.hostnames for each in smtpd.listeners):
        written = {each.hostname.value.lower() for each in smtpd.listeners if each.hostname is not None}
        yield from _greeted(smtpd, endpoints, known | written)


def _greeted(smtpd: SmtpdConfig, endpoints: Endpoints, known: set[str]) -> Iterator[Finding]:
    """Findings for greetings with a name that neither the host nor its files say; each name once."""
    told: set[str] = set()
    for listener in smtpd.listeners:
        for seen in endpoints.seen(listener.port) if listener.port in GREETS and is_outward(listener) else ():
            code, _, words = seen.greeting.partition(" ")
            said = words.partition(" ")[0][:255]
            if code == "220" and said.lower() not in told and _is_strange(said, known):
                told.add(said.lower())
                message = f"On port {listener.port} {said} greets, which is no name of this host: that is {_all(known)}."
                fix = Fix("See which program answers there", Safety.UNSAFE, commands=RESTARTS["smtpd"])
                places = (Place.at(listener.span, "greets otherwise"), Evidence(str(seen.at), seen.greeting[:200]))
                yield Finding(message, places, fix, "greeting", said.lower())


def _is_strange(name: str, known: set[str]) -> bool:
    """True for a full name that is not the host's; of others SMTPD028, SMTPD050 and SMTPD051 tell."""
    return is_qualified(name) and is_public_name(name) and name.lower() not in known


def _is_address(where: str) -> bool:
    return where.startswith("[") or where.replace(".", "").isdigit() or ":" in where


def _port(listener: Listener) -> str:
    return f" on port {listener.port}" if listener.port is not None else ""


def _all(names: Iterable[str]) -> str:
    return " or ".join(sorted(names))


def _strange(what: str, token: Token, known: set[str], about: str) -> Finding:
    message = f"{what}, which is no name of this host: that is {_all(known)}."
    fix = Fix("Say one of the host's names", Safety.MANUAL)
    return Finding(message, (Place.at(token.span),), fix, about, token.value.lower())
