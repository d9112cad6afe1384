"""Rules about which mail is signed, and as whose: rspamd's settings for signing, and the listeners that mail comes in by."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from mailaudit.checks.dkim.keys import FILE
from mailaudit.checks.registry import rule
from mailaudit.checks.rspamd.edits import add_section, own_file, place_of, set_to
from mailaudit.checks.smtpd.filtering import has_signer
from mailaudit.edits import Edit, Fix, Safety, create
from mailaudit.findings import Doubt, Exempt, Finding, Outcome, Place
from mailaudit.models.reference import Reference
from mailaudit.models.registrable import registrable
from mailaudit.models.rspamd.config import RspamdConfig
from mailaudit.models.site import Site
from mailaudit.models.smtpd.config import SmtpdConfig
from mailaudit.models.sources import Lacking, Missing, NotHere
from mailaudit.questions import Reason

_LABELS = re.compile(r"[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)*\Z", re.IGNORECASE)
"""A selector as DNS labels (RFC 6376, section 3.1: sub-domain of RFC 5321)."""
OFF = Exempt("rspamd's module dkim_signing is off")
Mail = SmtpdConfig | Missing | Lacking | NotHere


def _not_asked(rspamd: RspamdConfig, smtpd: Mail) -> Exempt | Doubt | None:
    """Why nothing is asked of rspamd's signing: it does none, or smtpd.conf, which could say so, was not read."""
    if isinstance(smtpd, Lacking):
        return Doubt(smtpd.reason, smtpd.detail)
    if isinstance(smtpd, SmtpdConfig) and smtpd.old_grammar:
        return Exempt("which program signs the mail stands in an smtpd.conf before OpenSMTPD 6.4, which is not judged")
    if isinstance(smtpd, SmtpdConfig) and has_signer(smtpd):
        return Exempt("another program than rspamd signs the mail")
    return OFF if rspamd.is_enabled("dkim_signing") is False else None


def _doubts(rspamd: RspamdConfig) -> Iterator[Doubt]:
    for value in rspamd.dkim.unknown:
        message = "A map, a script or a store decides which mail is signed with which key, and was not read."
        yield Doubt(Reason.IN_DOUBT, message, (Place.at(value.span),))


@dataclass(frozen=True, slots=True)
class Wanted:
    """A setting of the module that is on or off, what it is to be, and what is wrong while it is not."""

    name: str
    to: bool
    message: str


def _flags(rspamd: RspamdConfig, safety: Safety, *wanted: Wanted) -> Iterator[Outcome]:
    """A finding for each setting that is not as it is to be."""
    for each in wanted:
        value, is_on = rspamd.dkim.value(each.name), rspamd.dkim.flag(each.name)
        place = place_of(rspamd, value, FILE)
        if is_on is None:
            yield Doubt(Reason.IN_DOUBT, f"Whether {each.name} is on could not be told.", (place,))
        elif is_on is not each.to:
            edits = set_to(rspamd, value, FILE, (each.name,), each.to)
            fix = Fix(f"Set {each.name} to {str(each.to).lower()}", safety, edits) if edits else None
            is_unsaid = value is None or rspamd.is_packaged(value)
            yield Finding(each.message, (place,), fix, each.name, str(is_on).lower(), absence=is_unsaid)


@rule("DKIM007")
def each_domain_is_signed(rspamd: RspamdConfig, site: Site, smtpd: Mail, reference: Reference) -> Iterator[Outcome]:
    """Each of the site's domains has a key and a selector."""
    is_off = rspamd.is_enabled("dkim_signing") is False
    why = _not_asked(rspamd, smtpd)
    if why is not None and not (is_off and why == OFF):
        yield why
        return
    filters = rspamd.get("options", "filters")
    if is_off and rspamd.is_enabled("dkim") is False and rspamd.dkim.flag("enabled") and filters is not None:
        edits = set_to(rspamd, filters, "options.inc", ("filters",), f"{filters.text},dkim") if filters.text else ()
        fix = Fix("Name dkim among them", Safety.SAFE, edits) if edits else None
        message = (
            "Rspamd's options leave dkim out of the filters, without which dkim_signing does not load: all mail leaves unsigned."
        )
        yield Finding(message, (place_of(rspamd, filters, "options.inc"),), fix, "filters", "no dkim")
        return
    if is_off:
        switch = rspamd.dkim.value("enabled")
        edits = set_to(rspamd, switch, FILE, ("enabled",), to=True)
        fix = Fix("Switch it on", Safety.SAFE, edits) if edits else None
        message = "Rspamd's module dkim_signing is off: all mail leaves unsigned."
        yield Finding(message, (place_of(rspamd, switch, FILE),), fix, "enabled", "false")
        return
    doubts = list(_doubts(rspamd))
    yield from doubts
    for domain in site.domains if not doubts else ():
        if not _has_entry(rspamd, domain):
            yield _without_entry(rspamd, site, domain, reference)


def _has_entry(rspamd: RspamdConfig, domain: str) -> bool:
    """True if a mail's domain, or what rspamd makes of it, has an entry, or the settings for all domains name a key."""
    names = {domain, registrable(domain) or domain} if rspamd.dkim.flag("use_esld") is not False else {domain}
    if names & set(rspamd.dkim.domains):
        return True
    path = rspamd.dkim.value("path")
    return path is not None and not rspamd.is_packaged(path) and rspamd.dkim.flag("try_fallback") is not False


def _without_entry(rspamd: RspamdConfig, site: Site, domain: str, reference: Reference) -> Finding:
    selector = site.selectors.get(domain, "selector0")
    path = rspamd.local(FILE)
    text = reference.text(path)
    edits: tuple[Edit, ...]
    if own_file(rspamd, FILE) is None and text is not None and site.domains[0] == domain:
        edits = (create(path, text),)
    else:
        settings = (("path", f"/etc/mail/dkim/{domain}.key"), ("selector", selector))
        edits = add_section(rspamd, FILE, ("domain", domain), settings)
    fix = Fix(f"Add an entry for {domain}", Safety.SAFE, edits) if edits else None
    message = f"Rspamd has no key for {domain}, so its mail leaves unsigned."
    cased = next((name for name in rspamd.dkim.domains if name.lower() == domain), None)
    place = Place.whole(path)
    if cased is not None:
        message = f"Rspamd looks {domain} up in lower case, so the entry {cased} is never met, and its mail leaves unsigned."
        place = place_of(rspamd, rspamd.dkim.domains[cased], FILE)
        fix = None
    return Finding(message, (place,), fix, f"domain {domain}", "missing", absence=cased is None)


@rule("DKIM008")
def selector_is_the_published_one(rspamd: RspamdConfig, site: Site, smtpd: Mail) -> Iterator[Outcome]:
    """The selector that mail is signed with is the one that the site says it publishes."""
    why = _not_asked(rspamd, smtpd)
    if why is not None:
        yield why
        return
    for domain in site.domains:
        keys = [key for key in rspamd.dkim.keys(domain) if not key.fallback or _has_entry(rspamd, domain)]
        declared = site.declared.selectors.get(domain)
        for key in keys:
            if key.selector is not None and not _LABELS.match(key.selector):
                message = f"The selector {key.selector} of {domain} is no name in the DNS, so no receiver finds the key."
                place = place_of(rspamd, key.selector_value, FILE)
                yield Finding(message, (place,), None, f"selector {domain}", key.selector)
        selectors = {key.selector.lower() for key in keys if key.selector is not None}
        if not keys:
            yield Exempt(f"mail of {domain} is not signed")
        elif declared is None or None in [key.selector for key in keys]:
            yield Doubt(
                Reason.OFFLINE, f"Which selector of {domain} is published was not asked, and mailaudit.toml does not say."
            )
        elif declared.lower() not in selectors:
            value = keys[0].selector_value
            edits = set_to(rspamd, value, FILE, ("domain", domain, "selector"), declared)
            fix = Fix(f"Sign with {declared}, once its key is in place", Safety.MANUAL, edits)
            message = f"Mail of {domain} is signed with the selector {keys[0].selector}, and the site publishes {declared}."
            yield Finding(message, (place_of(rspamd, value, FILE),), fix, f"selector {domain}", str(keys[0].selector))


@rule("DKIM009")
def mail_is_eligible(rspamd: RspamdConfig, smtpd: Mail) -> Iterator[Outcome]:
    """What users and this host send is signed."""
    why = _not_asked(rspamd, smtpd)
    if why is not None:
        yield why
        return
    yield from _flags(
        rspamd,
        Safety.SAFE,
        Wanted("sign_authenticated", to=True, message="Rspamd does not sign what users who logged in send."),
        Wanted("sign_local", to=True, message="Rspamd does not sign what this host itself sends."),
    )


@rule("DKIM010")
def domains_are_looked_up_whole(rspamd: RspamdConfig, site: Site, smtpd: Mail) -> Iterator[Outcome]:
    """A domain below a registered one is not cut down before its key is looked up."""
    why = _not_asked(rspamd, smtpd)
    if why is not None:
        yield why
        return
    value = rspamd.dkim.value("use_esld")
    place = place_of(rspamd, value, FILE)
    uses_esld = rspamd.dkim.flag("use_esld")
    for domain in dict.fromkeys((*site.domains, *rspamd.dkim.domains)):
        cut = registrable(domain)
        if uses_esld is False or cut == domain.lower():
            continue
        if cut is None or uses_esld is None:
            message = f"Whether rspamd looks up the key of {domain} under this name could not be told."
            yield Doubt(Reason.IN_DOUBT, message, (place,))
            continue
        edits = set_to(rspamd, value, FILE, ("use_esld",), to=False)
        fix = Fix("Look domains up whole", Safety.SAFE, edits) if edits else None
        message = f"Rspamd makes {cut} of {domain} before it looks for a key, so the entry {domain} is never met."
        if domain not in rspamd.dkim.domains:
            message = f"Rspamd makes {cut} of {domain} before it looks for a key, so its mail is signed as {cut} or not at all."
        entry = rspamd.dkim.domains.get(domain)
        related = (Place.at(entry.span, "this entry"),) if entry is not None and not rspamd.is_packaged(entry) else ()
        is_unsaid = value is None or rspamd.is_packaged(value)
        yield Finding(message, (place, *related), fix, f"use_esld {domain}", "true", absence=is_unsaid)


@rule("DKIM011")
def published_key_is_compared(rspamd: RspamdConfig, smtpd: Mail) -> Iterator[Outcome]:
    """Rspamd compares its key with the published one, and does not sign where they differ."""
    why = _not_asked(rspamd, smtpd)
    if why is not None:
        yield why
        return
    looks = Wanted("check_pubkey", to=True, message="Rspamd signs without a look at the published key.")
    heeds = Wanted("allow_pubkey_mismatch", to=False, message="Rspamd signs although the published key does not fit.")
    yield from _flags(rspamd, Safety.SAFE, looks if rspamd.dkim.flag(looks.name) is not True else heeds)


@rule("DKIM012")
def no_key_for_strangers(rspamd: RspamdConfig, smtpd: Mail) -> Iterator[Outcome]:
    """Mail of a domain that has no key of its own is not signed with another one's."""
    why = _not_asked(rspamd, smtpd)
    if why is not None:
        yield why
        return
    path = rspamd.dkim.path
    value = rspamd.dkim.value("path")
    falls_back = rspamd.dkim.flag("try_fallback")
    switch = rspamd.dkim.value("try_fallback")
    if falls_back is False or (path is not None and re.search(r"\$(?:domain\b|\{domain\})", path)):
        return
    place = place_of(rspamd, value or switch, FILE)
    if path is None or falls_back is None:
        yield Doubt(Reason.IN_DOUBT, "Which key signs the mail of domains without an entry could not be told.", (place,))
        return
    has_entries = bool(rspamd.dkim.domains)
    edits = set_to(rspamd, switch, FILE, ("try_fallback",), to=False) if has_entries else ()
    fix = Fix("Sign no mail of other domains", Safety.SAFE, edits) if edits else None
    message = f"Mail of any domain without an entry is signed with {path}, whose public half that domain does not publish."
    yield Finding(message, (place,), fix, "fallback", "one key")
