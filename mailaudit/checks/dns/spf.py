"""Rules about SPF: one record, which lets this host's mail pass, nobody else's, and is not too long to be read."""

from __future__ import annotations

from collections.abc import Iterator

from mailaudit.checks.dns.words import doubts, instead, lacks, no_addresses, publish, seen, txt
from mailaudit.checks.registry import rule
from mailaudit.edits import Fix, Safety
from mailaudit.findings import Doubt, Evidence, Exempt, Finding, Outcome, Severity
from mailaudit.models.dns.site_records import Dns
from mailaudit.models.spf.check import Limits, SpfResult
from mailaudit.models.spf.record import SpfRecord, SyntaxFault, read_record, records_of
from mailaudit.questions import Reason

_LIMITS = Limits()


@rule("DNS020")
def one_spf_record(dns: Dns) -> Iterator[Outcome]:
    """Each domain has one SPF record."""
    for domain in dns.domains:
        reply = dns.look(domain, "TXT")
        yield from doubts(reply)
        found = records_of(reply.texts)
        if reply.failed is None and not found:
            message = f"{domain} has no SPF record: nothing says which servers send its mail."
            yield lacks(message, reply, publish("Publish one", txt(domain, _record(dns))), f"SPF of {domain}")
        elif len(found) > 1:
            message = f"{domain} has {len(found)} SPF records, which receivers take for an error: none of them counts."
            places = tuple(Evidence(reply.question, text) for text in found)
            title = "Publish one in place of all, with what the others allow"
            fix = instead(title, txt(domain, _record(dns)), reply, _is_spf)
            yield Finding(message, places, fix, f"SPF of {domain}", "several")


def _record(dns: Dns) -> str:
    addresses = (f"ip{'6' if ':' in each else '4'}:{each}" for each in dns.sending.addresses)
    return " ".join(("v=spf1", *addresses, "~all")) if dns.sending.addresses else "v=spf1 mx ~all"


def _is_spf(text: str) -> bool:
    return bool(records_of([text]))


def _corrected(dns: Dns, domain: str, title: str, *more: str, without: str = "", end: str = "") -> Fix:
    """The record with more mechanisms, without those of a name, with another end; one anew if it is not read."""
    own, reply = _own(dns, domain), dns.look(domain, "TXT")
    if own is None:
        return instead(title, txt(domain, _record(dns)), reply, _is_spf)
    kept = [term.written for term in own.terms if term.name not in ("all", "redirect", without)]
    last = [term.written for term in own.terms if term.name in ("all", "redirect")][-1:]
    words = dict.fromkeys(("v=spf1", *kept, *more, *([end] if end else last or ["~all"])))
    return instead(title, txt(domain, " ".join(words)), reply, _is_spf)


def _missing(dns: Dns, domain: str) -> list[str]:
    """The mechanisms for addresses that mail leaves by and that SPF does not let pass."""
    refused = [each for each in dns.sending.senders if dns.spf[domain, each].result != "pass"]
    return list(dict.fromkeys(f"ip{each.version}:{each.address}" for each in refused))


def _own(dns: Dns, domain: str) -> SpfRecord | None:
    """The domain's one record, where there is just one and it can be read."""
    found = records_of(dns.look(domain, "TXT").texts)
    try:
        return read_record(found[0]) if len(found) == 1 else None
    except SyntaxFault:
        return None


@rule("DNS021")
def mail_from_here_passes_spf(dns: Dns) -> Iterator[Outcome]:
    """SPF lets mail pass from every address that it leaves by."""
    if dns.sending.smarthost:
        yield Exempt("all mail goes through another server, whose addresses are not known")
    elif dns.sending.open_families:
        yield from [no_addresses()] if not dns.host.moving else [_moving()]
    for domain in dns.domains:
        told: set[str] = set()
        for sender in dns.sending.senders:
            found = dns.spf[domain, sender]
            yield from _failed(found)
            counts = dns.spf_costs[domain]
            too_long = found.result == "permerror" and (counts.lookups > _LIMITS.lookups or counts.voids > _LIMITS.voids)
            if found.result in ("pass", "none", "temperror") or too_long or len(records_of(dns.look(domain, "TXT").texts)) > 1:
                continue
            if found.result == "permerror":
                if found.why not in told:
                    told.add(found.why)
                    message = f"SPF of {domain} is an error for receivers: {found.why}."
                    yield Finding(
                        message,
                        seen(dns.look(domain, "TXT")),
                        _corrected(dns, domain, "Publish one without the mistake, with what else is to be allowed"),
                        f"SPF of {domain}",
                        "permerror",
                    )
                continue
            by = f' by "{found.term.written}"' if found.term is not None else ""
            message = f"Mail of {domain} leaves from {sender.address}, and SPF says {found.result} of it{by}."
            part = f"ip{sender.version}:{sender.address}"
            title = f"Allow the address: put {part} before the last term"
            fix = _corrected(dns, domain, title, *_missing(dns, domain))
            yield Finding(message, seen(dns.look(domain, "TXT")), fix, f"SPF of {domain}, IPv{sender.version}", found.result)


def _moving() -> Doubt:
    message = (
        "Addresses come by autoconfiguration, so which ones mail leaves by is not known: `relay src`, or [site] ipv6, says it."
    )
    return Doubt(Reason.IN_DOUBT, message)


def _failed(found: SpfResult) -> Iterator[Doubt]:
    if found.result == "temperror":
        reason = found.failed.reason if found.failed is not None else Reason.IN_DOUBT
        yield Doubt(reason, found.why or f"SPF of {found.domain} could not be evaluated.")


@rule("DNS022")
def spf_ends_with_a_verdict(dns: Dns) -> Iterator[Outcome]:
    """SPF tells mail from elsewhere apart."""
    for domain in dns.domains:
        found = dns.spf_costs[domain]
        yield from _failed(found)
        if found.result not in ("pass", "neutral"):
            continue
        term = found.term.written if found.term is not None else ""
        if found.result == "pass":
            message = f'SPF of {domain} lets everybody\'s mail pass, by "{term}".'
        elif term:
            message = f'SPF of {domain} says nothing of mail from elsewhere: it ends with "{term}".'
        else:
            message = f"SPF of {domain} says nothing of mail from elsewhere: it ends without `~all`."
        fix = _corrected(dns, domain, "End the record with ~all", end="~all")
        severity = Severity.HIGH if found.result == "pass" else None
        place = seen(dns.look(domain, "TXT"))
        yield Finding(message, place, fix, f"end of SPF of {domain}", term or "no all", severity=severity)


@rule("DNS023")
def spf_is_cheap(dns: Dns) -> Iterator[Outcome]:
    """SPF stays below the limits that receivers set to what it makes them look up."""
    for domain in dns.domains:
        found, own = dns.spf_costs[domain], _own(dns, domain)
        yield from _failed(found)
        place = seen(dns.look(domain, "TXT"))
        fix = Fix("Name addresses by ip4 and ip6; take out what is not used", Safety.MANUAL)
        if found.lookups > _LIMITS.lookups:
            message = (
                f"SPF of {domain} takes {found.lookups} lookups, and receivers stop at {_LIMITS.lookups}: "
                "for mail that no term before lets pass, the record is an error."
            )
            yield Finding(message, place, fix, f"lookups of SPF of {domain}", "too many")
        elif found.voids > _LIMITS.voids:
            message = f"SPF of {domain} names {found.voids} domains that are not there, and receivers stop at {_LIMITS.voids}."
            yield Finding(message, place, fix, f"void lookups of SPF of {domain}", "too many")
        pointers = [term for term in own.mechanisms if term.name == "ptr"] if own is not None else []
        for term in pointers[:1]:
            message = (
                f'SPF of {domain} asks for the sender\'s name by "{term.written}", which is slow, and not to be used (RFC 7208).'
            )
            fix = _corrected(dns, domain, "Name addresses in its place", *_missing(dns, domain), without="ptr")
            yield Finding(message, place, fix, f"SPF of {domain}", "ptr")


@rule("DNS024")
def hello_name_has_spf(dns: Dns) -> Iterator[Outcome]:
    """The name in HELO has an SPF record of its own."""
    if dns.sending.smarthost:
        yield Exempt("all mail goes through another server")
    elif not dns.sending.senders:
        yield no_addresses()
    told: set[str] = set()
    unsaid = next((sender for sender in dns.sending.senders if sender.helo is None), None)
    if unsaid is not None:
        yield Doubt(Reason.NOT_RECORDED, f"What is said in HELO from {unsaid.address} is not known.")
    for sender, found in dns.helo_spf.items():
        yield from _failed(found)
        if found.result in ("pass", "temperror") or sender.helo is None or sender.helo in told:
            continue
        told.add(sender.helo)
        reply = dns.look(sender.helo, "TXT")
        fix = publish("Publish one", txt(sender.helo, "v=spf1 a -all"))
        about = f"SPF of {sender.helo}"
        if found.result == "none":
            message = f"{sender.helo}, the name in HELO, has no SPF record: anybody may say that name."
            yield lacks(message, reply, fix, about)
        else:
            message = f"From {sender.address} this host says HELO {sender.helo}, and SPF of that name says {found.result}."
            yield Finding(message, seen(reply), fix, about, found.result)
