"""Rules about what Dovecot serves, and on which ports."""

from __future__ import annotations

from collections.abc import Iterator

from mailaudit.checks.dovecot.edits import append, insert_below, place_of, set_to
from mailaudit.checks.registry import rule
from mailaudit.editing.dovecot import remove, replace_value
from mailaudit.edits import Edit, Fix, Safety
from mailaudit.findings import Exempt, Finding, Outcome, Place
from mailaudit.models.dovecot.config import DovecotConfig
from mailaudit.models.dovecot.parts import Listener
from mailaudit.models.dovecot.reading import Setting
from mailaudit.models.dovecot.sections import Section
from mailaudit.models.dovecot.settings import NEW
from mailaudit.models.pf.config import Ruleset
from mailaudit.models.pf.values import TCP
from mailaudit.models.site import Site
from mailaudit.models.sources import Lacking, Missing, NotHere

IMAPS, MANAGESIEVE, OLD_MANAGESIEVE = 993, 4190, 2000
SIEVE_LOGIN = "managesieve-login"
WANTED, TAKEN = ("imap", "sieve"), frozenset(("imap", "lmtp", "sieve"))
BOTH = "*, ::"


@rule("DOVECOT060")
def serves_imap_and_sieve(dovecot: DovecotConfig, site: Site) -> Iterator[Outcome]:
    """IMAP and ManageSieve are served, LMTP where it is used, nothing else."""
    off = site.declared.managesieve == "off"
    wanted = {"imap"} if off else set(WANTED)
    missing = sorted(wanted - dovecot.protocols)
    extra = sorted(dovecot.protocols - TAKEN)
    if missing or extra:
        said = [f"does not serve {' or '.join(missing)}"] if missing else []
        said += [f"serves {' and '.join(extra)}, which the set-up has no use for"] if extra else []
        setting = dovecot.setting("protocols")
        block = dovecot.root.named("protocols", "")
        place = place_of(dovecot) if setting.is_default else Place.at(setting.span)
        if block is not None and setting.is_default:
            place = Place.at((block.opened or block.visits[-1].statement).span)
        yield Finding(
            f"Dovecot {' and '.join(said)}.",
            (place,),
            Fix("Serve IMAP and ManageSieve", Safety.UNSAFE, serve(dovecot, setting, block, missing, extra)),
            "protocols",
            " ".join((*(f"-{name}" for name in missing), *(f"+{name}" for name in extra))),
            absence=setting.is_default,
        )
    elif off:
        yield Exempt("ManageSieve is declared to be off, so that only IMAP is asked for, and it is served")


def serve(
    dovecot: DovecotConfig, setting: Setting, block: Section | None, missing: list[str], extra: list[str]
) -> tuple[Edit, ...]:
    """Serve these protocols too, and those no more; `block` is 2.4's section of them."""
    if block is None or block.opened is None:
        kept = [name for name in dovecot.words("protocols") if name in TAKEN]
        return set_to(dovecot, setting, "protocols", " ".join((*kept, *missing)))
    answers = [(name, "no") for name in extra] + [(name, "yes") for name in missing]
    edits = [edit for name, value in answers if name in block.settings for edit in _answer(block.settings[name], value)]
    new = [f"{name} = yes" for name in missing if name not in block.settings]
    return (*edits, *(insert_below(dovecot, block.opened, *new) if new else ()))


def _answer(setting: Setting, value: str) -> tuple[Edit, ...]:
    assert setting.statement is not None
    return replace_value(setting.statement, value)


@rule("DOVECOT061")
def no_port_without_tls(dovecot: DovecotConfig, site: Site, pf: Ruleset | Missing | Lacking | NotHere) -> Iterator[Outcome]:
    """No IMAP or POP3 listener that others reach is without TLS from the start; none at all for POP3."""
    for listener in dovecot.listeners:
        plain = listener.service == "imap-login" and not listener.ssl
        if not (plain or listener.service == "pop3-login") or not listener.is_public or listener.port in site.open_tcp:
            continue
        port = listener.settings.get("port")
        what = "IMAP without TLS from the start" if plain else "POP3"
        shut = isinstance(pf, Ruleset) and all(pf.passes_in(each, TCP, listener.port).value == "no" for each in pf.families)
        held = ", and the packet filter alone keeps others out" if shut else ""
        yield Finding(
            f"Port {listener.port} is open for {what}{held}.",
            (_place(dovecot, listener, port),),
            Fix(f"Close port {listener.port}", Safety.UNSAFE, _set_port(dovecot, listener, 0)),
            f"listener {listener.service} {listener.name}".strip(),
            str(listener.port),
            absence=port is None,
        )


def _place(dovecot: DovecotConfig, listener: Listener, setting: Setting | None) -> Place:
    if setting is not None:
        return Place.at(setting.span)
    header = listener.section.opened if listener.section else None
    return place_of(dovecot) if header is None else Place.at(header.span)


def _set_port(dovecot: DovecotConfig, listener: Listener, port: int) -> tuple[Edit, ...]:
    setting = listener.settings.get("port")
    if setting is not None and setting.statement is not None:
        return replace_value(setting.statement, str(port))
    if listener.section is not None and listener.section.opened is not None:
        return insert_below(dovecot, listener.section.opened, f"port = {port}")
    lines = (f"inet_listener {listener.name} {{", f"\tport = {port}", "}")
    service = dovecot.root.named("service", listener.service)
    if service is not None and service.opened is not None:
        return insert_below(dovecot, service.opened, *lines)
    return append(dovecot, f"service {listener.service} {{", *(f"\t{line}" for line in lines), "}")


@rule("DOVECOT062")
def imaps_is_open(dovecot: DovecotConfig) -> Iterator[Outcome]:
    """Port 993 is open for IMAP over TLS, on both address families."""
    on_port = [each for each in dovecot.listeners if each.service == "imap-login" and each.port == IMAPS]
    listener = next((each for each in on_port if each.ssl), next(iter(on_port), None))
    if listener is None:
        yield _closed(dovecot)
        return
    if not listener.ssl or dovecot.ssl.value == "no":
        yield _without_tls(dovecot, listener)
    lacking = sorted({"inet": "IPv4", "inet6": "IPv6"}[each] for each in {"inet", "inet6"} - listener.families)
    if lacking:
        setting = listener.settings.get("address", dovecot.setting("listen"))
        yield Finding(
            f"Nobody reaches port 993 by {' or '.join(lacking)}.",
            (Place.at(setting.span),),
            Fix("Listen on both address families", Safety.UNSAFE, set_to(dovecot, setting, "listen", BOTH)),
            "listener 993 addresses",
            " ".join(lacking),
        )


def _without_tls(dovecot: DovecotConfig, listener: Listener) -> Finding:
    header = listener.section.opened if listener.section else None
    edits: tuple[Edit, ...] = ()
    if listener.ssl:
        place = Place.at(dovecot.ssl.span)
        edits = set_to(dovecot, dovecot.ssl, "ssl", "required")
    else:
        said = listener.settings.get("ssl")
        place = _place(dovecot, listener, said)
        if said is not None and said.statement is not None:
            edits = replace_value(said.statement, "yes")
        elif header is not None:
            edits = insert_below(dovecot, header, "ssl = yes")
    fix = Fix("Speak TLS on it", Safety.UNSAFE, edits) if edits else None
    return Finding("Port 993 is open, and speaks no TLS.", (place,), fix, "listener 993 ssl", "no")


def _closed(dovecot: DovecotConfig) -> Finding:
    service = dovecot.root.named("service", "imap-login")
    section = service.named("inet_listener", "imaps") if service else None
    port = section.get("port", "inet_listener_port") if section else None
    protocols = dovecot.setting("protocols")
    message, fix, place = "Port 993 is closed", None, place_of(dovecot)
    if "imap" not in dovecot.protocols:
        message += ": the protocol imap is not served"
        place = place if protocols.is_default else Place.at(protocols.span)
    elif port is not None and port.statement is not None:
        message += f": the listener imaps has port {port.value}"
        fix = Fix("Listen on 993", Safety.UNSAFE, replace_value(port.statement, str(IMAPS)))
        place = Place.at(port.span)
    return Finding(f"{message}.", (place,), fix, "listener 993", "closed")


@rule("DOVECOT063")
def managesieve_is_open(dovecot: DovecotConfig, site: Site) -> Iterator[Outcome]:
    """ManageSieve is on port 4190, for those whom the site declares."""
    if site.declared.managesieve == "off" or "sieve" not in dovecot.protocols:
        yield Exempt(f"ManageSieve is {'declared to be off' if 'sieve' in dovecot.protocols else 'not served'}")
        return
    ours = [each for each in dovecot.listeners if each.service == SIEVE_LOGIN and each.port == MANAGESIEVE]
    if not ours:
        yield _no_managesieve(dovecot)
    for listener in ours:
        if listener.is_public and site.declared.managesieve == "local":
            at = listener.settings.get("address") or listener.settings.get("port")
            yield Finding(
                "ManageSieve is declared to be for this host, and listens for others.",
                (_place(dovecot, listener, at),),
                Fix("Listen on loopback", Safety.UNSAFE, _on_loopback(dovecot, listener)),
                "listener 4190 addresses",
                "public",
            )


def _no_managesieve(dovecot: DovecotConfig) -> Finding:
    service = dovecot.root.named("service", SIEVE_LOGIN)
    section = service.named("inet_listener", "sieve") if service else None
    port = section.get("port", "inet_listener_port") if section else None
    message, fix, place = "ManageSieve is served, and not on its port 4190", None, place_of(dovecot)
    if port is not None and port.statement is not None:
        message += f": the listener sieve has port {port.value}"
        fix = Fix("Listen on 4190", Safety.UNSAFE, replace_value(port.statement, str(MANAGESIEVE)))
        place = Place.at(port.span)
    return Finding(f"{message}.", (place,), fix, "listener 4190", "closed")


def _on_loopback(dovecot: DovecotConfig, listener: Listener) -> tuple[Edit, ...]:
    name, value = ("listen" if dovecot.family == NEW else "address"), "127.0.0.1, ::1"
    said = listener.settings.get("address")
    if said is not None and said.statement is not None:
        return replace_value(said.statement, value)
    if listener.section is not None and listener.section.opened is not None:
        return insert_below(dovecot, listener.section.opened, f"{name} = {value}")
    lines = (f"service {SIEVE_LOGIN} {{", "\tinet_listener sieve {", f"\t\t{name} = {value}", "\t}", "}")
    return append(dovecot, *lines)


@rule("DOVECOT064")
def old_managesieve_is_closed(dovecot: DovecotConfig, site: Site) -> Iterator[Outcome]:
    """Nothing listens on port 2000, where ManageSieve was before it had a port of its own."""
    ours = [each for each in dovecot.listeners if each.service == SIEVE_LOGIN]
    for listener in ours:
        if listener.port != OLD_MANAGESIEVE or not listener.is_public or listener.port in site.open_tcp:
            continue
        if listener.name == "sieve" and all(each.port != MANAGESIEVE for each in ours):
            yield Exempt("the only listener of ManageSieve is on port 2000, which DOVECOT063 tells")
            return
        section = listener.section
        whole = section is not None and section.opened is not None and len(section.visits) == 1 and listener.name != "sieve"
        edits = remove(section.opened) if whole and section and section.opened else _set_port(dovecot, listener, 0)
        yield Finding(
            "Port 2000 is open for ManageSieve, whose port is 4190.",
            (_place(dovecot, listener, listener.settings.get("port")),),
            Fix("Take the listener away", Safety.SAFE, edits),
            f"listener {SIEVE_LOGIN} {listener.name}".strip(),
            str(listener.port),
        )
