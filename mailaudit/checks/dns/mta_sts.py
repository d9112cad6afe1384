"""The rule that a domain's MTA-STS policy can be fetched, is one, and lets its mail in."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from mailaudit.checks.dns.words import doubts, new_mta_sts, publish, record, seen
from mailaudit.checks.registry import rule
from mailaudit.edits import Fix, Safety
from mailaudit.findings import Doubt, Evidence, Exempt, Finding, Outcome
from mailaudit.models.certificates import Certificate, NotReadError
from mailaudit.models.clock import Clock
from mailaudit.models.dns.policies import is_mta_sts
from mailaudit.models.dns.site_records import Dns
from mailaudit.models.endpoints import SMTP, Endpoints, Seen
from mailaudit.models.mta_sts import Fetched, Policies, Policy
from mailaudit.models.sources import Lacking, Missing, NotHere
from mailaudit.questions import Failed, FetchPolicy, Reason

SHORTEST = 86_400  # seconds; a policy that is kept for less than a day is gone for whoever cuts it off that long
_OK, _REDIRECTS = 200, range(300, 400)
VERIFIED = Fix("Show a certificate for that name, from an authority that all know", Safety.MANUAL)


@rule("CROSS071")
def policy_is_there_and_lets_mail_in(
    dns: Dns, policies: Policies, endpoints: Endpoints | Missing | NotHere | Lacking, clock: Clock
) -> Iterator[Outcome]:
    """Where a domain has an MTA-STS record, senders get its policy, and mail to each exchanger meets it."""
    records = {domain: dns.look(f"_mta-sts.{domain}", "TXT") for domain in dns.domains}
    if not any(is_mta_sts(text) for reply in records.values() for text in reply.texts):
        yield Exempt("no domain has MTA-STS, which is optional")
    for domain, reply in records.items():
        yield from doubts(reply)
        if sum(map(is_mta_sts, reply.texts)) != 1:  # DNS050 tells of several
            continue
        found = policies.found.get(domain)
        outcomes = list(_reached(dns, domain, found, clock.now))
        yield from outcomes
        if not outcomes and isinstance(found, Fetched) and found.policy is not None:
            change = new_mta_sts("Change the policy, and then the id of the record at _mta-sts", reply, clock.now)
            yield from _fits(dns, domain, found, found.policy, change)
            if isinstance(endpoints, Endpoints) and found.policy.mode == "enforce":
                yield from _verified(dns, domain, endpoints, clock.now)


def _reached(dns: Dns, domain: str, found: Fetched | Failed | None, now: datetime) -> Iterator[Outcome]:
    """What keeps senders from the policy, the first thing alone."""
    url, about = FetchPolicy(domain), f"policy of {domain}"
    fix = Fix(f"Serve the policy at {url}, or delete the record at _mta-sts.{domain}", Safety.MANUAL)
    replies = (dns.look(url.host, "A"), dns.look(url.host, "AAAA"))
    if all(reply.is_absent for reply in replies):
        message = f"{domain} has an MTA-STS record, and {url.host}, where its policy is fetched, has no address."
        lines = (record(url.host, "AAAA" if ":" in each else "A", each) for each in dns.host.known)
        fix = publish(f"{fix.title}; its host needs an address", *lines)
        yield Finding(message, seen(*replies), fix, about, "no address", absence=True)
    elif isinstance(found, Failed) and found.reason is Reason.REFUSED:
        message = f"{domain} has an MTA-STS record, and nobody answers on port 443 of {url.host}, where its policy is fetched."
        yield Finding(message, (Evidence(str(url), "refused"), *seen(*replies)), fix, about, "refused")
    elif not isinstance(found, Fetched):
        failed = found or Failed(Reason.NOT_RECORDED, f"{url} was not recorded")
        yield Doubt(failed.reason, failed.detail or f"{url}: {failed.reason}", (Evidence(str(url), str(failed.reason)),))
    elif (fault := _fault(found, url.host, now)) is not None:
        value, words = fault
        message = f"Senders do not take the MTA-STS policy of {domain}: {words}."
        yield Finding(message, (Evidence(str(url), _shown(found)),), fix, about, value)
    elif found.policy is None or found.chain is None or found.trusted is None:
        yield Doubt(Reason.NOT_RECORDED, f"{url}: its text, or whether its certificate is trusted, was not recorded")


def _fault(found: Fetched, host: str, now: datetime) -> tuple[str, str] | None:
    """What is wrong with how a policy is served: a word for the fingerprint, and part of a sentence."""
    if found.tls_error:
        return "no handshake", f"no TLS handshake comes about on {host} ({found.tls_error})"
    if isinstance(found.chain, NotReadError):
        return "certificate", f"{host} shows {found.chain} for a certificate"
    if found.leaf is not None and (why := bad(found.leaf, host, now)):
        return "certificate", f"the certificate of {host} {why}"
    if found.trusted is False:
        return "not trusted", f"the certificate of {host} leads to no authority that is trusted ({found.trust_error})"
    return _answer_fault(found, host)


def _answer_fault(found: Fetched, host: str) -> tuple[str, str] | None:
    """What is wrong with the answer itself."""
    if found.status in _REDIRECTS:
        return "redirect", f"{host} answers by a redirect to {found.location or 'elsewhere'}, which is not followed"
    if found.status not in (None, _OK):
        return "status", f"{host} answers with status {found.status}"
    if found.too_long:
        return "too long", "it is longer than 64 KiB"
    if found.type and found.type.partition(";")[0].strip().lower() != "text/plain":
        return "type", f"it is served as {found.type}, not as text/plain"
    if found.policy is not None and found.policy.faults:
        return "faults", " and ".join(found.policy.faults[:3])
    return None


def bad(leaf: Certificate, name: str, now: datetime) -> str:
    """What is wrong with a certificate that is shown for a name, as part of a sentence; empty where nothing is."""
    if not leaf.covers(name):
        return f"is not for that name, but for {', '.join(leaf.names[:5]) or 'none'}"
    if now > leaf.not_after:
        return f"expired on {leaf.not_after:%Y-%m-%d}"
    return f"is not valid before {leaf.not_before:%Y-%m-%d}" if now < leaf.not_before else ""


def _fits(dns: Dns, domain: str, found: Fetched, policy: Policy, change: Fix) -> Iterator[Outcome]:
    """The policy names each exchanger, and is kept long enough to be of use."""
    reply = dns.look(domain, "MX")
    yield from doubts(reply)
    if policy.mode == "none":
        return
    shown = Evidence(str(found.at), _shown(found))
    for exchanger in dns.exchangers(domain):
        if exchanger.name and not policy.allows(exchanger.name):
            then = (
                "deliver nothing to it" if policy.mode == "enforce" else "report it, and deliver nothing once its mode is enforce"
            )
            message = f"The MTA-STS policy of {domain} does not name the exchanger {exchanger.name}: senders {then}."
            yield Finding(message, (shown, *seen(reply)), change, f"exchanger {exchanger.name} of {domain}", "not in the policy")
    if policy.mode == "enforce" and policy.max_age < SHORTEST:
        message = (
            f"Senders keep the MTA-STS policy of {domain} for {policy.max_age} seconds: who cuts them off that long is rid of it."
        )
        yield Finding(message, (shown,), change, f"max_age of {domain}", "short")


def _verified(dns: Dns, domain: str, endpoints: Endpoints, now: datetime) -> Iterator[Finding]:
    """Senders verify the exchangers: what port 25 shows is for the name, in time, and trusted."""
    for name in (each.name for each in dns.exchangers(domain) if each.name):
        addresses = {address for version in (4, 6) for address in dns.addresses(name, version).data}
        here = [each for each in endpoints.seen(SMTP) if each.at.address in addresses and each.leaf is not None]
        wrong = {each: why for each in here if each.leaf is not None and (why := bad(each.leaf, name, now) or _not_trusted(each))}
        if wrong:
            first = next(iter(wrong.values()))
            message = f"By its MTA-STS policy {domain} has senders verify {name}, and the certificate shown on port 25 {first}."
            evidence = tuple(Evidence(str(each.at), why) for each, why in wrong.items())
            yield Finding(message, evidence, VERIFIED, f"certificate of {name} for {domain}", "not valid")


def _not_trusted(found: Seen) -> str:
    return f"leads to no authority that is trusted ({found.trust_error})" if found.trusted is False else ""


def _shown(found: Fetched) -> str:
    """What was fetched, as evidence."""
    policy = found.policy
    if policy is None or policy.faults:
        return " ".join(filter(None, (str(found.status or ""), found.type, found.location, found.tls_error)))
    return f"mode {policy.mode}, max_age {policy.max_age}, mx {', '.join(policy.patterns[:20])}"
