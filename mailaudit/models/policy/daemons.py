"""Measures of the firewall, of smtpd and of Dovecot."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial

from mailaudit.findings import Place
from mailaudit.models.dovecot.config import DovecotConfig
from mailaudit.models.pf.config import Ruleset
from mailaudit.models.pf.values import TCP, UDP, Range, merged
from mailaudit.models.policy.measure import Found, Measure, listed
from mailaudit.models.policy.operators import LIST, NUMBER, VERSION, Scalar, level
from mailaudit.models.smtpd.config import SmtpdConfig
from mailaudit.models.smtpd.parts import Listener
from mailaudit.models.smtpd.reach import Reach, reach

FEW = 16
"""As many ports in a row are told one by one."""
_TLS = ("SSLv3", "TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3")


def _open(family: int, protocol: int, pf: Ruleset) -> Found | None:
    if family not in pf.families:
        return None
    ranges = [each for found in pf.open_ports(family, protocol) for each in found.ranges]
    return Found(tuple(_ports(merged(ranges))), Place.whole(pf.trees[0].text))


def _ports(ranges: Iterable[Range]) -> Iterator[Scalar]:
    for first, last in ranges:
        yield from range(first, last + 1) if last - first < FEW else (f"{first}-{last}",)


PF = tuple(
    Measure(
        f"{word}_{'in' if family == 4 else 'in6'}",
        f"{word.upper()} ports that the firewall opens to the Internet over IPv{family}",
        LIST,
        "equals",
        (Ruleset,),
        partial(_open, family, protocol),
    )
    for word, protocol in (("tcp", TCP), ("udp", UDP))
    for family in (4, 6)
)


def _smtpd_listeners(smtpd: SmtpdConfig) -> Found:
    return Found(listed(_listener(each) for each in smtpd.listeners), Place.whole(smtpd.tree.text))


def _listener(listener: Listener) -> str:
    """A listener in a few words: `587 tls-require auth senders`."""
    if listener.is_socket:
        words = ["socket"]
    else:
        words = ["loopback"] if reach(listener) is Reach.HOST else []
        words += [f"{listener.port or listener.port_at}", *([listener.tls] if listener.tls != "none" else ())]
    words += {"required": ["auth"], "optional": ["auth-optional"]}.get(listener.auth, [])
    words += ["senders"] if listener.senders is not None else []
    return " ".join(words)


def _domains(smtpd: SmtpdConfig) -> Found:
    return Found(listed(smtpd.accepted_domains), Place.whole(smtpd.tree.text))


def _size(smtpd: SmtpdConfig) -> Found:
    at = smtpd.options.max_message_size_at
    place = Place.whole(smtpd.tree.text) if at is None else Place.at(at.span)
    return Found(smtpd.options.max_message_size, place)


def _smtpd_filters(smtpd: SmtpdConfig) -> Found:
    """The programs that all mail of some listener goes through, by the last part of their paths."""
    named = {each.program_path or "" for listener in smtpd.listeners for each in smtpd.filters_of(listener)}
    return Found(listed(path.rpartition("/")[2] for path in named if path), Place.whole(smtpd.tree.text))


def _queue(smtpd: SmtpdConfig) -> Found:
    at = smtpd.options.queue_encryption
    return Found("yes" if at is not None else "no", Place.whole(smtpd.tree.text) if at is None else Place.at(at.span))


SMTPD = (
    Measure("listeners", "listeners of smtpd, with their TLS and logins", LIST, "equals", (SmtpdConfig,), _smtpd_listeners),
    Measure("domains", "domains that smtpd takes mail for from others", LIST, "equals", (SmtpdConfig,), _domains),
    Measure("max_message_size", "the largest message in bytes", NUMBER, "equals", (SmtpdConfig,), _size),
    Measure("filters", "programs that filter mail", LIST, "at_least", (SmtpdConfig,), _smtpd_filters),
    Measure("queue_encryption", "whether the queue is encrypted", level("no", "yes"), "at_least", (SmtpdConfig,), _queue),
)


def _family(dovecot: DovecotConfig) -> Found:
    return Found(dovecot.family, Place.whole(dovecot.own))


def _protocols(dovecot: DovecotConfig) -> Found:
    return Found(listed(dovecot.protocols), _at(dovecot, "protocols"))


def _dovecot_listeners(dovecot: DovecotConfig) -> Found:
    found = (f"{each.port} {each.name}{' tls' if each.ssl else ''}" for each in dovecot.listeners if each.is_public)
    return Found(listed(found), Place.whole(dovecot.own))


def _ssl(dovecot: DovecotConfig) -> Found | None:
    return Found(dovecot.ssl.value, _at(dovecot, "ssl")) if dovecot.ssl.value in ("no", "yes", "required") else None


def _ssl_min_protocol(dovecot: DovecotConfig) -> Found | None:
    value = dovecot.setting("ssl_min_protocol").value
    return Found(value, _at(dovecot, "ssl_min_protocol")) if value in _TLS else None


def _mechanisms(dovecot: DovecotConfig) -> Found:
    return Found(listed(word.lower() for word in dovecot.words("auth_mechanisms")), _at(dovecot, "auth_mechanisms"))


def _passwords(dovecot: DovecotConfig) -> Found:
    return Found(listed(each.driver for each in dovecot.passdbs), Place.whole(dovecot.own))


def _at(dovecot: DovecotConfig, name: str) -> Place:
    setting = dovecot.setting(name)
    return Place.whole(dovecot.own) if setting.token is None else Place.at(setting.token.span)


_SSL = level("no", "yes", "required")
DOVECOT = (
    Measure("version", "Dovecot's family", VERSION, "at_least", (DovecotConfig,), _family),
    Measure("protocols", "protocols that Dovecot serves", LIST, "subset", (DovecotConfig,), _protocols),
    Measure("listeners", "ports that Dovecot listens on for others", LIST, "equals", (DovecotConfig,), _dovecot_listeners),
    Measure("ssl", "whether Dovecot demands TLS", _SSL, "at_least", (DovecotConfig,), _ssl),
    Measure("ssl_min_protocol", "the oldest TLS of Dovecot", level(*_TLS), "at_least", (DovecotConfig,), _ssl_min_protocol),
    Measure("auth_mechanisms", "ways to log in to Dovecot", LIST, "subset", (DovecotConfig,), _mechanisms),
    Measure("passdbs", "where Dovecot looks passwords up", LIST, "subset", (DovecotConfig,), _passwords),
)
