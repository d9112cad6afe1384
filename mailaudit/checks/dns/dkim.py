"""Rules about published keys of DKIM: there, readable, whole, in earnest, and those that mail is signed with."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import product

from mailaudit.checks.dkim.keys import place_of_key
from mailaudit.checks.dns.words import delete, dkim_fix, doubts, instead, lacks, publish, seen, txt
from mailaudit.checks.registry import rule
from mailaudit.edits import Fix, Safety
from mailaudit.findings import Doubt, Exempt, Finding, Outcome
from mailaudit.models.clock import Clock
from mailaudit.models.dkim_record import DkimRecords, strings
from mailaudit.models.dns.policies import DkimKey, dkim_key, is_dkim
from mailaudit.models.dns.reply import Reply
from mailaudit.models.dns.site_records import Dns
from mailaudit.models.pem import PemFiles
from mailaudit.models.rspamd.config import RspamdConfig
from mailaudit.models.site import Site
from mailaudit.questions import Failed, KeyFacts

UNDER_WAY = timedelta(days=7)  # what is signed on the last day is read, forwarded and reported on for a week
_UNSIGNED = "no selector is known: rspamd's files name none, and [site] selectors neither"


@dataclass(frozen=True, slots=True, eq=False)
class _At:
    """A selector that mail is signed with, and what is published there."""

    domain: str
    selector: str
    reply: Reply

    @property
    def owner(self) -> str:
        """The record's name."""
        return f"{self.selector}._domainkey.{self.domain}"


def _published(dns: Dns) -> Iterator[_At]:
    for domain, selector in dns.selectors:
        yield _At(domain, selector, dns.look(f"{selector}._domainkey.{domain}", "TXT"))


def _keys(dns: Dns) -> Iterator[tuple[_At, DkimKey]]:
    for at in _published(dns):
        for text in at.reply.texts:
            if is_dkim(text):
                yield at, dkim_key(text)


def _unasked(dns: Dns) -> Iterator[Outcome]:
    if not dns.selectors:
        yield Exempt(_UNSIGNED)
    for at in _published(dns):
        yield from doubts(at.reply)


def _anew(records: DkimRecords, at: _At) -> Fix:
    """The record as it is to be, and what is there now taken out."""
    fix = dkim_fix(records, at.domain, at.selector)
    return instead(fix.title, fix.records[0], at.reply, is_dkim) if fix.records else fix


@rule("DNS030")
def key_is_published(dns: Dns, records: DkimRecords) -> Iterator[Outcome]:
    """There is a key, and only one, at each selector that mail is signed with."""
    yield from _unasked(dns)
    for at in _published(dns):
        owner, domain, reply = at.owner, at.domain, at.reply
        found = [text for text in reply.texts if is_dkim(text)]
        if reply.failed is None and not found:
            other = "; a wildcard answers in its place" if dns.is_from_wildcard(reply) else ""
            message = f"No key is published at {owner}{other}: signatures of {domain} cannot be verified."
            yield lacks(message, reply, dkim_fix(records, domain, at.selector), f"DKIM record {owner}")
        elif len(found) > 1:
            message = f"There are {len(found)} keys at {owner}: which one a receiver takes is not defined."
            yield Finding(message, seen(reply), _anew(records, at), f"DKIM record {owner}", "several")


@rule("DNS031")
def key_is_readable(dns: Dns, records: DkimRecords) -> Iterator[Outcome]:
    """The published record is one that verifiers can read."""
    yield from _unasked(dns)
    for at, found in _keys(dns):
        if found.fault and not found.cut:
            message = f"The record at {at.owner} is no key: {found.fault}."
            yield Finding(message, seen(at.reply), _anew(records, at), f"DKIM record {at.owner}", "no key")


@rule("DNS032")
def key_is_whole(dns: Dns, records: DkimRecords) -> Iterator[Outcome]:
    """Nothing of the published key was lost on its way into the zone."""
    yield from _unasked(dns)
    for at, found in _keys(dns):
        if found.cut:
            message = f"The key at {at.owner} has been cut short: it cannot be decoded."
            yield Finding(message, seen(at.reply), _anew(records, at), f"DKIM record {at.owner}", "cut short")


@rule("DNS033")
def key_is_in_earnest(dns: Dns) -> Iterator[Outcome]:
    """The record says neither that it is a test nor that only SHA-1 will do."""
    yield from _unasked(dns)
    for at, found in _keys(dns):
        owner, reply = at.owner, at.reply
        flags = [each.strip().lower() for each in found.tags.get("t", "").split(":")]
        hashes = [each.strip().lower() for each in found.tags.get("h", "sha256").split(":")]
        if "y" in flags:
            message = f"The record at {owner} says `t=y`: receivers treat signed mail as if it had no signature."
            kept = [each for each in flags if each != "y"]
            fix = _without(at, found, "Take `t=y` out", "t", ":".join(kept))
            yield Finding(message, seen(reply), fix, f"DKIM record {owner}", "t=y")
        if "sha256" not in hashes:
            message = f"The record at {owner} allows no hash but {found.tags['h']}: signatures with SHA-256 do not count."
            yield Finding(message, seen(reply), _without(at, found, "Take the tag `h` out", "h"), f"DKIM record {owner}", "h")


def _without(at: _At, found: DkimKey, title: str, tag: str, value: str = "") -> Fix:
    """The record with a tag that says something else, or without it."""
    tags = {**found.tags, tag: value}
    text = "; ".join(f"{name}={each}" for name, each in tags.items() if each or name != tag)
    return instead(title, txt(at.owner, text), at.reply, is_dkim)


@rule("CROSS040")
def published_key_signs(dns: Dns, rspamd: RspamdConfig, pem: PemFiles, records: DkimRecords) -> Iterator[Outcome]:
    """The key at a selector is the public half of the one that rspamd signs with."""
    signing = [key for domain in dns.domains for key in rspamd.dkim.keys(domain) if key.selector and key.path]
    keys = [key for key in signing if (key.domain, (key.selector or "").lower()) in dns.selectors]
    if rspamd.is_enabled("dkim_signing") is False or not keys:
        yield Exempt("rspamd signs nothing for these domains")
        return
    for key in keys:
        owner = f"{(key.selector or '').lower()}._domainkey.{key.domain}"
        reply, private = dns.look(owner, "TXT"), pem.key(key.path or "")
        yield from doubts(reply)
        found = [dkim_key(text).key for text in reply.texts if is_dkim(text)]
        published = [each for each in found if each is not None]
        if not published:
            yield Exempt("there is no published key to compare, which is DNS030's and DNS031's to tell")
        elif isinstance(private, Failed):
            yield Doubt(private.reason, private.detail or f"{key.path} could not be looked at", (place_of_key(rspamd, key),))
        elif isinstance(private, KeyFacts) and private.spki not in {each.spki for each in published}:
            message = f"rspamd signs with {key.path}, and another key is published at {owner}: every signature fails."
            fix = _anew(records, _At(key.domain, (key.selector or "").lower(), reply))
            yield Finding(message, (*seen(reply), place_of_key(rspamd, key)), fix, f"DKIM key {owner}", "another key")


@rule("CROSS041")
def old_keys_go_when_their_mail_is_read(dns: Dns, site: Site, clock: Clock) -> Iterator[Outcome]:
    """The key of a selector that is no longer signed with stays for a week, and no longer."""
    if not site.declared.old_selectors:
        yield Exempt("[site] old_selectors of mailaudit.toml names no selector that mail is no longer signed with")
    today = clock.now.date()
    for domain, (selector, last) in product(dns.domains, site.declared.old_selectors.items()):
        at = _At(domain, selector, dns.look(f"{selector}._domainkey.{domain}", "TXT"))
        yield from doubts(at.reply)
        if (domain, selector) in dns.selectors and last < today:
            message = f"mailaudit.toml says that nothing was signed with {selector} after {last}, and mail of {domain} still is."
            fix = Fix(f"Sign with a newer selector, or take {selector} out of old_selectors", Safety.MANUAL)
            yield Finding(message, seen(at.reply), fix, f"DKIM record {at.owner}", "in use")
        elif at.reply.failed is None:
            yield from _old(at, last, today)


def _old(at: _At, last: date, today: date) -> Iterator[Finding]:
    texts = [text for text in at.reply.texts if is_dkim(text)]
    keys = [text for text in texts if dkim_key(text).key is not None]
    if today - last > UNDER_WAY and keys:
        message = (
            f"{at.owner} still has a key, {(today - last).days} days after the last mail that was signed with it: "
            f"whoever comes by the old private key, from a backup or an old disk, signs as {at.domain}."
        )
        fix = publish("Take the record out", *(delete(at.owner, "TXT", strings(text)) for text in keys))
        yield Finding(message, seen(at.reply), fix, f"DKIM record {at.owner}", "too long")
    elif today - last <= UNDER_WAY and not keys:
        message = (
            f"{at.owner} has no key any more that could be used, and mail that was signed with it until {last} "
            "is still under way: its signature fails."
        )
        fix = Fix(f"Publish its key again, for {UNDER_WAY.days} days after {last}", Safety.MANUAL)
        yield Finding(message, seen(at.reply), fix, f"DKIM record {at.owner}", "too short", absence=True)
