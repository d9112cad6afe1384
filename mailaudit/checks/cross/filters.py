"""The rule that all mail goes through one and the same rspamd, whichever door it comes in by."""

from __future__ import annotations

from collections.abc import Iterator

from mailaudit.checks.rspamd.asked import DEFAULT_URL, option_of
from mailaudit.checks.smtpd.edits import is_filtered, rspamd
from mailaudit.checks.smtpd.filtering import is_handled, rspamd_beside
from mailaudit.checks.smtpd.scope import smtpd_rule
from mailaudit.edits import Fix, Safety
from mailaudit.findings import Exempt, Finding, Outcome, Place
from mailaudit.models.smtpd.config import SmtpdConfig
from mailaudit.models.smtpd.parts import Filter, Listener
from mailaudit.models.smtpd.reach import is_outward

OF_OTHER_RULES = (25, 465, 587)  # where strangers reach them: SMTPD022, SMTPD024, SMTPD023; SMTPD025 has the socket


@smtpd_rule("CROSS101")
def all_mail_meets_one_rspamd(smtpd: SmtpdConfig) -> Iterator[Outcome]:
    """No listener is left out, and all filters that hand mail to rspamd hand it to one."""
    if rspamd(smtpd) is None:
        yield Exempt("no filter hands mail to rspamd")
        return
    for listener in smtpd.listeners:
        if not is_filtered(smtpd, listener) and not _is_told(smtpd, listener):
            edits = rspamd_beside(smtpd, listener)
            yield Finding(
                f"What comes in on {listener.where}, port {listener.port}, does not go through rspamd, as all other mail does.",
                (Place.at(listener.span),),
                Fix("Filter it", Safety.SAFE, edits, ("rcctl restart smtpd",)) if edits else None,
                f"listener {listener.where} {listener.port}",
                "no filter",
            )
    yield from _one_place(smtpd)


def _is_told(smtpd: SmtpdConfig, listener: Listener) -> bool:
    """True for what another rule speaks of, and for what takes mail back from a program that it was handed to: that has a tag."""
    told = listener.is_socket or (listener.port in OF_OTHER_RULES and is_outward(listener))
    return told or listener.tag is not None or is_handled(smtpd, listener)


def _one_place(smtpd: SmtpdConfig) -> Iterator[Finding]:
    """A finding for each filter that asks another rspamd than the first."""
    used = {id(known): known for listener in smtpd.listeners for known in smtpd.filters_of(listener)}
    ours = [known for known in used.values() if known.program is not None and "filter-rspamd" in known.program.value]
    for known in ours[1:]:
        if _asks(known) != _asks(ours[0]) and known.program is not None and ours[0].program is not None:
            yield Finding(
                f"The filter {known.name.value} asks {_asks(known)}, and {ours[0].name.value} another rspamd, {_asks(ours[0])}.",
                (Place.at(known.program.span), Place.at(ours[0].program.span, "asks another")),
                None,
                f"filter {known.name.value}",
                "another rspamd",
            )


def _asks(known: Filter) -> str:
    return (option_of(known, "url") or DEFAULT_URL).rstrip("/").replace("127.0.0.1", "localhost")
