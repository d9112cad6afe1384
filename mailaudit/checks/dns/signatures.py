"""Rules about DNSSEC: that a signed zone validates, and goes on to."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from mailaudit.checks.dns.words import doubts, seen
from mailaudit.checks.registry import rule
from mailaudit.edits import Fix, Safety
from mailaudit.findings import Doubt, Evidence, Exempt, Finding, Outcome, Severity
from mailaudit.models.clock import Clock
from mailaudit.models.dns.signatures import signatures
from mailaudit.models.dns.site_records import Dns
from mailaudit.questions import NOT_ASKED, Failed

LEAST = timedelta(days=3)
"""What a signature must hold on for: a long weekend."""


@rule("DNS001")
def signatures_are_valid(dns: Dns, clock: Clock) -> Iterator[Outcome]:
    """A zone that is signed validates, from the registrar's DS records on, and will in three days."""
    states = {domain: dns.security(domain) for domain in dns.domains}
    for domain, state in states.items():
        if isinstance(state, Failed):
            yield Doubt(state.reason, state.detail or f"The DNSSEC state of {domain} is not known.")
        elif state == "bogus":
            fault = dns.faults.get(domain, "")
            message = (
                f"The signatures of {domain} do not validate: resolvers that look answer SERVFAIL to every question about it."
                + (f" What is wrong: {fault}." if fault else "")
            )
            fix = Fix("Sign the zone again, or take the DS records out at the registrar", Safety.MANUAL)
            place = Evidence(f"{domain}. DNSSEC", "bogus")
            yield Finding(message, (place,), fix, f"DNSSEC of {domain}", "bogus", severity=Severity.CRITICAL)
        else:
            yield from _signed(dns, domain, state, clock)
    if all(state == "insecure" for state in states.values()):
        yield Exempt("no domain is signed, and the guide leaves that open")


def _signed(dns: Dns, domain: str, state: str, clock: Clock) -> Iterator[Outcome]:
    """What the signatures themselves tell. A record that has the state alone is enough for what it says."""
    reply = dns.look(domain, "RRSIG")
    if reply.failed is not None and reply.failed.reason not in NOT_ASKED:
        yield from doubts(reply)
    found = signatures(reply)
    if state == "insecure" and found:
        message = f"{domain} is signed, and there is no DS record at the registrar: nobody checks the signatures."
        fix = Fix("Give the registrar the DS record of the zone's key, or stop signing", Safety.MANUAL)
        places = (Evidence(f"{domain}. DNSSEC", "insecure"), *seen(reply))
        yield Finding(message, places, fix, f"DNSSEC of {domain}", "no DS")
    stale = [each for each in found if state == "secure" and each.is_stale(clock.now, LEAST)]
    if stale:
        first = min(stale, key=lambda each: each.ends)
        hours = max(0, int(first.left(clock.now).total_seconds()) // 3600)
        message = f"The signature of the {first.covers} records of {domain} ends in {hours} hours: from then on {domain} is gone."
        fix = Fix("Sign the zone again, and see why its signer has stopped", Safety.MANUAL)
        yield Finding(message, seen(reply), fix, f"DNSSEC of {domain}", "ends soon", severity=Severity.HIGH)
