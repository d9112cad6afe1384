"""What checks and signs mail beside rspamd's filter: other filters, a proxy on this host, rspamc before delivery."""

from __future__ import annotations

import re

from mailaudit.checks.smtpd.edits import add_rspamd
from mailaudit.checks.smtpd.scope import has_no_users, leaves_by_smarthost
from mailaudit.edits import Edit
from mailaudit.models.smtpd.config import SmtpdConfig
from mailaudit.models.smtpd.parts import Filter, Listener

LOOKED_AFTER = "this host only sends, and another program or its smarthost signs what it sends"
_LOOPBACK = re.compile(r"(?:[a-z+]+://)?(?:[^@/]*@)?(?:127\.[\d.]+|localhost|\[?::1\]?)(?::\d+)?", re.IGNORECASE)


def _signs(known: Filter) -> bool:
    return known.program is not None and "dkim" in known.program.value.lower()


def _has_proxy(smtpd: SmtpdConfig) -> bool:
    proxies = [action.tables["host"] for action in smtpd.actions.values() if action.is_relay and "host" in action.tables]
    return any(_LOOPBACK.fullmatch(key.value) for table in proxies for key, _ in table.entries)


def has_signer(smtpd: SmtpdConfig) -> bool:
    """True if mail is signed by another than rspamd: a filter such as filter-dkimsign, or a proxy that mail is relayed to."""
    return _has_proxy(smtpd) or any(_signs(known) for known in smtpd.filters.values())


def is_done_otherwise(smtpd: SmtpdConfig) -> bool:
    """True if some program may do what rspamd's filter does."""
    programs = [known for known in smtpd.filters.values() if known.program is not None]
    return bool(programs) or has_signer(smtpd) or smtpd.delivers_by_rspamc


def is_told_once(smtpd: SmtpdConfig) -> bool:
    """True if the site has other programs in the place of rspamd's filter: that it has no such filter, SMTPD015 tells."""
    return not any("rspamd" in name for name in _named(smtpd)) and is_done_otherwise(smtpd)


def _named(smtpd: SmtpdConfig) -> list[str]:
    named = [token.value for listener in smtpd.listeners for token in listener.filters]
    programs = [known.program.value for known in smtpd.filters.values() if known.program is not None]
    return [*smtpd.filters, *named, *programs]


def is_looked_after(smtpd: SmtpdConfig) -> bool:
    """True if the host only sends, and another program or the smarthost that all its mail leaves by signs what it sends."""
    return has_no_users(smtpd) or (smtpd.only_sends and (leaves_by_smarthost(smtpd) or has_signer(smtpd)))


def is_handled(smtpd: SmtpdConfig, listener: Listener) -> bool:
    """True if what a listener takes may be checked or signed by another program, so that nothing can be said of it."""
    if any(known.program is not None for known in smtpd.filters_of(listener)):
        return True
    return _has_proxy(smtpd) or (listener.port == 25 and smtpd.delivers_by_rspamc)


def rspamd_beside(smtpd: SmtpdConfig, listener: Listener) -> tuple[Edit, ...]:
    """The edits that add rspamd's filter, none where something else does its work already."""
    if any(_signs(known) for known in smtpd.filters_of(listener)):
        return ()
    done = smtpd.delivers_by_rspamc if listener.port == 25 else has_signer(smtpd)
    return () if done else add_rspamd(smtpd, listener)
