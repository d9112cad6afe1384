"""Rules about where smtpd listens: mail from other servers, users' mail, the local socket."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator, Sequence

from mailaudit.checks.smtpd.edits import (
    add_line,
    after,
    credentials,
    instead,
    is_filtered,
    pki_name,
    rspamd,
    without,
)
from mailaudit.checks.smtpd.filtering import (
    LOOKED_AFTER,
    has_signer,
    is_handled,
    is_looked_after,
    is_told_once,
    rspamd_beside,
)
from mailaudit.checks.smtpd.scope import smtpd_rule
from mailaudit.checks.smtpd.siblings import like_siblings
from mailaudit.editing.words import append
from mailaudit.edits import Edit, Fix, Safety
from mailaudit.findings import Doubt, Evidence, Exempt, Finding, Outcome, Place
from mailaudit.models.behind import Behind
from mailaudit.models.endpoints import Endpoints
from mailaudit.models.site import Site
from mailaudit.models.smtpd.config import SmtpdConfig
from mailaudit.models.smtpd.parts import Listener
from mailaudit.models.smtpd.reach import EVERYWHERE, Reach, covers, is_outward, reach
from mailaudit.models.sources import Lacking, Missing, NotHere
from mailaudit.parsers.tree import Token
from mailaudit.questions import Reason


def public(smtpd: SmtpdConfig, port: int) -> list[Listener]:
    """The listeners of a port that strangers reach, or may."""
    return [listener for listener in smtpd.listeners if listener.port == port and is_outward(listener)]


def _inside(smtpd: SmtpdConfig, port: int) -> Doubt | None:
    """What is to be said where only private addresses are listened on: there may be address translation before them."""
    for listener in smtpd.listeners:
        if listener.port == port and reach(listener) is Reach.INSIDE:
            message = f"Whether anybody outside reaches port {port} on a private address is not known."
            return Doubt(Reason.IN_DOUBT, message, (Place.at(listener.span),))
    return None


def _for_whom(listener: Listener) -> Doubt | None:
    """A doubt of a plain listener on an interface that may be an inner one: there it needs neither TLS nor logins."""
    if reach(listener) is not Reach.UNKNOWN or listener.auth != "none":
        return None
    message = f"Whether the listener on {listener.where}, port {listener.port}, is for strangers is not known."
    return Doubt(Reason.IN_DOUBT, message, (Place.at(listener.span),))


def uncovered(listeners: Sequence[Listener], site: Site) -> list[str]:
    """The site's addresses that none of the listeners is bound to; `IPv4` or `IPv6` where its addresses are not known."""
    known = [address for address in (*site.ipv4, *site.ipv6) if _is_address(address)]
    if known:
        return [address for address in known if not any(covers(listener, address) for listener in listeners)]
    if all(_is_address(listener.where) and not _is_wildcard(listener.where) for listener in listeners):
        return []  # somebody wrote down each address; which there are is not known
    families = {4, 6} if any(listener.family is None for listener in listeners) else {each.family for each in listeners}
    return [f"IPv{family}" for family in (4, 6) if family not in families]


def _is_address(where: str) -> bool:
    try:
        ipaddress.ip_address(where)
    except ValueError:
        return False
    return True


def _is_wildcard(where: str) -> bool:
    return ipaddress.ip_address(where).is_unspecified


@smtpd_rule("SMTPD022", needs_mail=True)
def mail_exchanger_listens(smtpd: SmtpdConfig, site: Site) -> Iterator[Outcome]:
    """Port 25 takes mail on all addresses, offers TLS without asking for it, and filters."""
    listeners = public(smtpd, 25)
    if not listeners:
        yield _inside(smtpd, 25) or _missing(smtpd, 25, "tls", "No other server can deliver: nothing listens on port 25.")
        return
    yield from _reach(listeners, site, 25)
    for listener in listeners:
        doubt = _for_whom(listener) if listener.tls == "none" else None
        if doubt is not None:
            yield doubt
            continue
        yield from _offers_tls(smtpd, listener)
        yield from _filtered(smtpd, listener)


def _missing(smtpd: SmtpdConfig, port: int, words: str, message: str) -> Finding:
    pki, logins, known = pki_name(smtpd), credentials(smtpd), rspamd(smtpd)
    where = {25: "", 587: " port submission", 465: ""}[port]
    line = f"listen on all{where} {words} pki {pki}"
    edits: tuple[Edit, ...] = ()
    alike = like_siblings(smtpd, port, words) if port != 25 else []
    if alike:
        edits = add_line(smtpd, "listen", *alike)
    elif pki is not None and (port == 25 or logins is not None):
        if port != 25 and logins is not None:
            line += f" auth <{logins.name}>"
        if known is not None:
            line += f" filter {known.name.span.chars}"
        edits = add_line(smtpd, "listen", line)
    fix = Fix(f"Listen on port {port}", Safety.UNSAFE, edits) if edits else None
    return Finding(message, (Place.whole(smtpd.path),), fix, f"listener {port}", "missing", absence=True)


def _reach(listeners: Sequence[Listener], site: Site, port: int) -> Iterator[Outcome]:
    missing = uncovered(listeners, site)
    if not missing:
        return
    first = listeners[0]
    edits: tuple[Edit, ...] = ()
    if len(listeners) == 1:
        limits = [token for token in first.statement.seen if token.kind in ("inet4", "inet6")]
        edits = without(first.statement, limits) if reach(first) is Reach.PUBLIC else ()
        if reach(first) is Reach.PUBLIC and first.where not in EVERYWHERE and (_is_address(first.where) or not limits):
            edits += instead(first.at, "all")
    fix = Fix(f"Listen on all addresses on port {port}", Safety.UNSAFE, edits) if edits else None
    message = f"Nothing listens on port {port} for {' and '.join(missing)}."
    yield Finding(message, (Place.at(first.span),), fix, f"listener {port}", "addresses")


def _offers_tls(smtpd: SmtpdConfig, listener: Listener) -> Iterator[Outcome]:
    place = (Place.at((listener.tls_at or listener.at).span),)
    if listener.tls == "none":
        pki = pki_name(smtpd)
        edits = after(listener.port_at or listener.at, f"tls pki {pki}") if pki is not None and not listener.pki else ()
        fix = Fix("Offer TLS", Safety.UNSAFE, edits) if edits else None
        message = f"The listener on port {listener.port} offers no TLS: mail from other servers comes in clear."
        yield Finding(message, place, fix, f"listener {listener.port}", "none")
    elif listener.requires_tls:
        assert listener.tls_at is not None
        verify = [token for token in listener.statement.seen if token.kind == "verify"]
        fix = Fix("Offer TLS", Safety.UNSAFE, (*instead(listener.tls_at, "tls"), *without(listener.statement, verify)))
        message = f"The listener on port {listener.port} takes no mail without TLS; servers that have none can not deliver."
        yield Finding(message, place, fix, f"listener {listener.port}", listener.tls)
    if listener.tls != "none":
        yield from _has_pki(smtpd, listener)


def _has_pki(smtpd: SmtpdConfig, listener: Listener) -> Iterator[Outcome]:
    if listener.pki or listener.tls_at is None:
        return
    pki = pki_name(smtpd)
    verify = [token for token in listener.statement.seen if token.kind == "verify"]
    fix = Fix("Name the pki", Safety.UNSAFE, after((verify or [listener.tls_at])[0], f"pki {pki}")) if pki is not None else None
    message = f"The listener on port {listener.port} has no pki, so smtpd does not start (since OpenSMTPD 6.9)."
    yield Finding(message, (Place.at(listener.tls_at.span),), fix, f"listener {listener.port}", "no pki")


def _filtered(smtpd: SmtpdConfig, listener: Listener) -> Iterator[Outcome]:
    if is_filtered(smtpd, listener) or is_told_once(smtpd):
        return
    if listener.port == 25 and smtpd.delivers_by_rspamc:
        return
    edits = rspamd_beside(smtpd, listener)
    fix = Fix("Filter it", Safety.UNSAFE, edits) if edits else None
    effect = (
        "" if is_handled(smtpd, listener) else ": it is not checked for spam" if listener.port == 25 else ": it is not signed"
    )
    message = f"Mail that comes in on port {listener.port} does not go through rspamd{effect}."
    yield Finding(message, (Place.at(listener.span),), fix, f"listener {listener.port}", "no filter")


@smtpd_rule("SMTPD023", needs_mail=True)
def submission_requires_tls_and_login(smtpd: SmtpdConfig, site: Site) -> Iterator[Outcome]:
    """Port 587 takes users' mail in TLS, from those who log in, and filters."""
    listeners = public(smtpd, 587)
    if not listeners:
        yield _inside(smtpd, 587) or _missing(smtpd, 587, "tls-require", "Users can not send mail: nothing listens on port 587.")
        return
    yield from _reach(listeners, site, 587)
    for listener in listeners:
        yield from _submission(smtpd, listener, "tls-require")


@smtpd_rule("SMTPD024", needs_mail=True)
def submissions_listens(smtpd: SmtpdConfig, site: Site) -> Iterator[Outcome]:
    """Port 465 takes users' mail in TLS from the first byte, from those who log in, and filters."""
    listeners = public(smtpd, 465)
    if not listeners:
        yield _inside(smtpd, 465) or _missing(
            smtpd, 465, "smtps", "Nothing listens on port 465, where mail programs look for TLS from the first byte."
        )
        return
    yield from _reach(listeners, site, 465)
    for listener in listeners:
        yield from _submission(smtpd, listener, "smtps")


def _submission(smtpd: SmtpdConfig, listener: Listener, wanted: str) -> Iterator[Outcome]:
    doubt = _for_whom(listener)
    if doubt is not None:
        yield doubt
        return
    yield from _wants_tls(smtpd, listener, wanted)
    yield from _wants_login(smtpd, listener)
    yield from _filtered(smtpd, listener)


def _wants_tls(smtpd: SmtpdConfig, listener: Listener, wanted: str) -> Iterator[Outcome]:
    port = listener.port
    if listener.tls != wanted:
        what = {
            "none": f"The listener on port {port} has no TLS: passwords would go in clear, and smtpd refuses that.",
            "tls": f"The listener on port {port} offers TLS but does not require it.",
            "tls-require": f"The listener on port {port} waits for STARTTLS, and mail programs begin with TLS there.",
            "smtps": f"The listener on port {port} begins with TLS, and mail programs say STARTTLS there.",
        }[listener.tls]
        place = (Place.at((listener.tls_at or listener.port_at or listener.at).span),)
        edits = instead(listener.tls_at, wanted) if listener.tls_at is not None else _with_tls(smtpd, listener, wanted)
        fix = Fix(f"Use {wanted}", Safety.UNSAFE, edits) if edits else None
        yield Finding(what, place, fix, f"listener {port}", listener.tls)
    if listener.tls != "none":
        yield from _has_pki(smtpd, listener)


def _with_tls(smtpd: SmtpdConfig, listener: Listener, wanted: str) -> tuple[Edit, ...]:
    pki = pki_name(smtpd)
    if listener.pki:
        return after(listener.port_at or listener.at, wanted)
    return after(listener.port_at or listener.at, f"{wanted} pki {pki}") if pki is not None else ()


def _wants_login(smtpd: SmtpdConfig, listener: Listener) -> Iterator[Outcome]:
    port, at, table = listener.port, listener.auth_at, credentials(smtpd)
    reference = f"<{table.name}>" if table is not None else None
    place = (Place.at((at or listener.at).span),)
    edits: tuple[Edit, ...] = ()
    if listener.auth == "none":
        words = f"auth {reference}"
        edits = append(listener.statement, words) if reference and listener.tls != "none" else ()
        message = f"The listener on port {port} asks nobody to log in, so it takes mail as port 25 does and users can not relay."
    elif listener.auth == "optional":
        assert at is not None
        missing_table = f" {reference}" if listener.auth_table is None and reference else ""
        edits = instead(at, f"auth{missing_table}")
        message = f"The listener on port {port} takes mail from those who do not log in, too."
    elif listener.auth_table is None:
        assert at is not None
        edits = after(at, reference) if reference else ()
        message = f"The listener on port {port} checks the passwords of system accounts, not those of the mail users."
    else:
        return
    fix = Fix("Ask for a login of the mail users", Safety.UNSAFE, edits) if edits else None
    yield Finding(message, place, fix, f"listener {port}", f"auth {listener.auth}")


@smtpd_rule("SMTPD025")
def socket_is_filtered(smtpd: SmtpdConfig) -> Iterator[Outcome]:
    """What sendmail(8) hands in is filtered, and so signed."""
    if rspamd(smtpd) is None and is_looked_after(smtpd):
        yield Exempt(LOOKED_AFTER)
        return
    if is_told_once(smtpd):
        yield Exempt("no filter of smtpd's hands mail to rspamd, which SMTPD015 tells")
        return
    sockets = [listener for listener in smtpd.listeners if listener.is_socket]
    known = rspamd(smtpd)
    short = "Mail from cron, daemons and sendmail does not go through rspamd"
    if not sockets:
        edits: tuple[Edit, ...] = ()
        message = f"{short}." if has_signer(smtpd) else f"{short}, so it is sent unsigned."
        if known is not None and not has_signer(smtpd):
            edits = first_listener(smtpd, f"listen on socket filter {known.name.span.chars}")
        fix = Fix("Filter the socket", Safety.SAFE, edits) if edits else None
        yield Finding(message, (Place.whole(smtpd.path),), fix, "listener socket", "missing", absence=True)
    for listener in sockets:
        if not is_filtered(smtpd, listener):
            edits = rspamd_beside(smtpd, listener)
            message = f"{short}." if is_handled(smtpd, listener) else f"{short}, so it is sent unsigned."
            fix = Fix("Filter the socket", Safety.SAFE, edits) if edits else None
            yield Finding(message, (Place.at(listener.span),), fix, "listener socket", "no filter")


def first_listener(smtpd: SmtpdConfig, line: str) -> tuple[Edit, ...]:
    """A line where the first listener is, if the filter is defined by then; else after the last one."""
    known = rspamd(smtpd)
    first = next((each.statement for each in smtpd.listeners if each.span.text is smtpd.tree.text), None)
    if known is not None and first is not None and known.statement.span.start < first.span.start:
        return add_line(smtpd, "listen", line, above=first)
    return add_line(smtpd, "listen", line)


@smtpd_rule("SMTPD026")
def no_login_on_port_25(
    smtpd: SmtpdConfig, endpoints: Endpoints | Missing | NotHere | Lacking, behind: Behind
) -> Iterator[Outcome]:
    """The port that all the world may speak to takes no passwords."""
    listeners = public(smtpd, 25)
    if isinstance(endpoints, Endpoints) and not any(each.auth_at for each in listeners) and "smtpd" not in behind:
        yield from _offers_login(endpoints, listeners)
    for listener in listeners:
        if listener.auth_at is None:
            continue
        edits = without(listener.statement, _login_tokens(listener))
        fix = Fix("Take no logins on port 25", Safety.UNSAFE, edits) if edits else None
        message = "Port 25 takes logins, so anybody can try passwords there."
        yield Finding(message, (Place.at(listener.auth_at.span),), fix, "listener 25", f"auth {listener.auth}")


def _offers_login(endpoints: Endpoints, listeners: Sequence[Listener]) -> Iterator[Finding]:
    """Port 25 offers AUTH inside TLS, though the file has no word of it; before TLS it is TLS011's."""
    for seen in endpoints.seen(25):
        offer = next((line for line in seen.lines_tls or () if re.match(r"AUTH(?:[ =]|$)", line, re.IGNORECASE)), None)
        if offer is not None:
            places = [Place.at(each.span) for each in listeners[:1]]
            message = "Port 25 takes logins once TLS is on, which smtpd.conf does not say: another program answers there."
            yield Finding(message, (*places, Evidence(str(seen.at), offer[:300])), None, "listener 25", "auth in TLS")
            return


def _login_tokens(listener: Listener) -> list[Token]:
    """The auth word and the table behind it."""
    on = listener.statement.node.node("on")
    options = [*on.nodes("auth"), *on.nodes("auth-optional")] if on is not None else []
    return [token for option in options for token in option.all_leaves()]
