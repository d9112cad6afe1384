"""Measures of certificates, of DNS, and of what signs and filters mail."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial
from math import isfinite

from mailaudit.findings import Evidence, Place
from mailaudit.models.certificates import Certificate
from mailaudit.models.dns.policies import dkim_key, dmarc_records, is_dkim
from mailaudit.models.dns.reply import Reply
from mailaudit.models.dns.site_records import Dns
from mailaudit.models.pem import PemFiles
from mailaudit.models.policy.measure import Found, Measure, listed
from mailaudit.models.policy.operators import LIST, NUMBER, Scale, level
from mailaudit.models.redis import RedisConfig
from mailaudit.models.rspamd.config import RspamdConfig
from mailaudit.models.shown import ShownCertificates
from mailaudit.models.spf.record import SyntaxFault, read_record, records_of
from mailaudit.questions import Failed, KeyFacts

_STRENGTH = {
    "rsa": ((1024, 80), (2048, 112), (3072, 128), (4096, 152), (7680, 192)),
    "ecdsa": ((224, 112), (256, 128), (384, 192)),
}
"""Bits of a key, and of the symmetric key that is as strong (NIST SP 800-57, part 1, table 2; 4096 as GnuTLS has it)."""


def _certificates(shown: ShownCertificates, pem: PemFiles) -> Iterator[tuple[str, Certificate]]:
    for path in dict.fromkeys(each.certificate for each in shown.mail):
        chain = pem.chain(path)
        if isinstance(chain, tuple) and chain:
            yield path, chain[0]


def _key_kinds(shown: ShownCertificates, pem: PemFiles) -> Found | None:
    found = list(_certificates(shown, pem))
    return Found(listed(each.key.kind for _, each in found), Place.whole(found[0][0])) if found else None


def _key_strength(shown: ShownCertificates, pem: PemFiles) -> Found | None:
    weakest = min(((_strength(each.key), path) for path, each in _certificates(shown, pem)), default=None)
    return None if weakest is None else Found(weakest[0], Place.whole(weakest[1]))


def _strength(key: KeyFacts) -> int:
    steps = _STRENGTH.get(key.kind)
    return 128 if steps is None else max((strength for bits, strength in steps if key.bits >= bits), default=0)


def _names(shown: ShownCertificates, pem: PemFiles) -> Found | None:
    found = list(_certificates(shown, pem))
    return Found(listed(name for _, each in found for name in each.names), Place.whole(found[0][0])) if found else None


def _authorities(shown: ShownCertificates) -> Found | None:
    found = listed(host for path, host in shown.authorities.items() if host and any(e.certificate == path for e in shown.mail))
    return Found(found, Place.whole("/etc/acme-client.conf")) if found else None


_OF_CERTIFICATES = (ShownCertificates, PemFiles)
CERTIFICATES = (
    Measure("keys", "kinds of the keys of mail's certificates", LIST, "subset", _OF_CERTIFICATES, _key_kinds),
    Measure("strength", "strength of the weakest of these keys in bits", NUMBER, "at_least", _OF_CERTIFICATES, _key_strength),
    Measure("names", "names on mail's certificates", LIST, "at_least", _OF_CERTIFICATES, _names),
    Measure("authorities", "who signs mail's certificates", LIST, "subset", (ShownCertificates,), _authorities),
)


def _failed(replies: Iterable[Reply]) -> Failed | None:
    """Why one of the replies is not known."""
    return next((reply.failed for reply in replies if reply.failed is not None), None)


def _weakest(scale: Scale, found: Iterable[tuple[str, Reply]]) -> Found | Failed | None:
    """The weakest of several domains' words, or why one of them is not known."""
    rows = list(found)
    failed = _failed(reply for _, reply in rows)
    if failed is not None or not rows:
        return failed
    word, reply = min(rows, key=lambda each: scale.rank(each[0]))
    return Found(word, Evidence(reply.question, reply.shown))


SPF = level("none", "+all", "?all", "~all", "-all")
DMARC = level("absent", "none", "quarantine", "reject")
DNSSEC = level("bogus", "insecure", "secure")


def _spf(dns: Dns) -> Found | Failed | None:
    return _weakest(SPF, ((_spf_word(reply), reply) for reply in (dns.look(domain, "TXT") for domain in dns.domains)))


def _spf_word(reply: Reply) -> str:
    records = records_of(reply.texts)
    try:
        last = read_record(records[0]).all if len(records) == 1 else None
    except SyntaxFault:
        return "none"
    if last is not None:
        return f"{last.qualifier}all"
    return "?all" if len(records) == 1 else "none"


def _dmarc(dns: Dns) -> Found | Failed | None:
    return _weakest(DMARC, ((_dmarc_word(reply), reply) for reply in (dns.look(f"_dmarc.{each}", "TXT") for each in dns.domains)))


def _dmarc_word(reply: Reply) -> str:
    records = dmarc_records(reply.texts)
    return records[0].applied if len(records) == 1 else "absent"


def _exchangers(dns: Dns) -> Found | Failed | None:
    return _records(dns, "MX", (f"{each.preference} {each.name}" for domain in dns.domains for each in dns.exchangers(domain)))


def _issuers(dns: Dns) -> Found | Failed | None:
    data = (each.split(None, 2) for domain in dns.domains for each in dns.look(domain, "CAA").data)
    return _records(dns, "CAA", (value.strip('"').partition(";")[0].strip() or ";" for _, tag, value in data if tag == "issue"))


def _records(dns: Dns, type_: str, words: Iterable[str]) -> Found | Failed | None:
    replies = [dns.look(domain, type_) for domain in dns.domains]
    failed = _failed(replies)
    if failed is not None or not replies:
        return failed
    return Found(listed(words), Evidence(replies[0].question, replies[0].shown))


def _dkim_bits(dns: Dns) -> Found | Failed | None:
    """The bits of the weakest RSA key that is published; 0 for one that cannot be used."""
    bits: list[tuple[int, Reply]] = []
    for domain, selector in dns.selectors:
        reply = dns.look(f"{selector}._domainkey.{domain}", "TXT")
        if reply.failed is not None:
            return reply.failed
        keys = [dkim_key(text).key for text in reply.texts if is_dkim(text)] or [None]
        bits += ((0 if key is None else key.bits, reply) for key in keys if key is None or key.kind == "rsa")
    if not bits:
        return None
    number, reply = min(bits, key=lambda each: each[0])
    return Found(number, Evidence(reply.question, reply.shown))


def _dnssec(dns: Dns) -> Found | Failed | None:
    known = [(dns.security(domain), domain) for domain in dns.domains]
    failed = next((state for state, _ in known if isinstance(state, Failed)), None)
    if failed is not None or not known:
        return failed
    state, domain = min(((str(state), domain) for state, domain in known), key=lambda each: DNSSEC.rank(each[0]))
    return Found(state, Evidence(f"{domain}. DNSSEC", state))


DNS = (
    Measure("spf", "what SPF says of strangers", SPF, "at_least", (Dns,), _spf),
    Measure("dmarc", "what DMARC asks for mail that fails", DMARC, "at_least", (Dns,), _dmarc),
    Measure("mx", "mail exchangers", LIST, "equals", (Dns,), _exchangers),
    Measure("caa", "authorities that CAA lets sign", LIST, "subset", (Dns,), _issuers),
    Measure("dkim_bits", "bits of the weakest DKIM key that is published", NUMBER, "at_least", (Dns,), _dkim_bits),
    Measure("dnssec", "whether the zone is signed", DNSSEC, "at_least", (Dns,), _dnssec),
)


def _threshold(name: str, rspamd: RspamdConfig) -> Found | None:
    value = rspamd.get("actions", name) or rspamd.get("actions", name.replace("_", " "))
    if value is None or value.number is None or not isfinite(value.number):
        return None
    written = not rspamd.is_packaged(value)
    return Found(value.number, Place.at(value.span) if written else Place.whole(rspamd.local("actions.conf")))


def _signed(rspamd: RspamdConfig) -> Found:
    found = (f"{domain} {key.selector}" for domain in rspamd.dkim.domains for key in rspamd.dkim.keys(domain))
    return Found(listed(found), Place.whole(rspamd.local("dkim_signing.conf")))


def _redis_addresses(redis: RedisConfig) -> Found:
    return Found(listed(redis.addresses), _in_redis(redis, "bind"))


def _redis_memory(redis: RedisConfig) -> Found:
    return Found(redis.most_memory, _in_redis(redis, "maxmemory"))


def _in_redis(redis: RedisConfig, name: str) -> Place:
    at = redis.place(name)
    return Place.whole(redis.trees[0].text) if at is None else Place.at(at)


FILTERS = (
    *(
        Measure(name, f'the score of rspamd\'s action "{name}"', NUMBER, "equals", (RspamdConfig,), partial(_threshold, name))
        for name in ("greylist", "add_header", "reject")
    ),
    Measure("dkim", "domains that rspamd signs for, with their selectors", LIST, "at_least", (RspamdConfig,), _signed),
    Measure("redis_addresses", "addresses that redis listens on", LIST, "subset", (RedisConfig,), _redis_addresses),
    Measure("redis_memory", "bytes that redis may use, 0 for no bound", NUMBER, "equals", (RedisConfig,), _redis_memory),
)
