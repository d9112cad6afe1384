"""Rules about DMARC (RFC 9989): one record, which asks for something, reports to somebody, and holds for subdomains."""

from __future__ import annotations

from collections.abc import Iterator

from mailaudit.checks.dns.words import doubts, instead, lacks, publish, seen, txt
from mailaudit.checks.registry import rule
from mailaudit.edits import Fix
from mailaudit.findings import Exempt, Finding, Outcome, Severity
from mailaudit.models.dns.names import above
from mailaudit.models.dns.policies import POLICIES, Dmarc, dmarc_records, mailboxes, permission
from mailaudit.models.dns.reply import Reply
from mailaudit.models.dns.site_records import RANDOM, Dns

NONE = "there is no DMARC record, which is DNS040's to tell"


def _rua(domain: str) -> str:
    return f"mailto:dmarcreport@{domain}"


def _wanted(domain: str) -> str:
    return txt(f"_dmarc.{domain}", f"v=DMARC1; p=quarantine; rua={_rua(domain)}")


def _with(reply: Reply, policy: Dmarc, title: str, **to: str) -> Fix:
    """The record with tags that say something else; one that is to say nothing is left out."""
    told = {"v": "DMARC1", "p": "quarantine", **policy.tags, **to}
    text = "; ".join(f"{name}={value}" for name, value in told.items() if value)
    return instead(title, txt(reply.owner, text), reply, _is_dmarc)


def _is_dmarc(text: str) -> bool:
    return bool(dmarc_records([text]))


def _reply(dns: Dns, domain: str) -> Reply:
    return dns.look(f"_dmarc.{domain}", "TXT")


def published(dns: Dns) -> Iterator[tuple[str, Reply, Dmarc]]:
    """Each domain's own record, where it has just one."""
    for domain in dns.domains:
        found = dmarc_records(_reply(dns, domain).texts)
        if len(found) == 1:
            yield domain, _reply(dns, domain), found[0]


def _unasked(dns: Dns) -> Iterator[Outcome]:
    for domain in dns.domains:
        yield from doubts(_reply(dns, domain))
    if not list(published(dns)):
        yield Exempt(NONE)


@rule("DNS040")
def one_dmarc_record(dns: Dns) -> Iterator[Outcome]:
    """Each domain has one DMARC record, or one above it holds."""
    for domain in dns.domains:
        reply = _reply(dns, domain)
        yield from doubts(reply)
        found = dmarc_records(reply.texts)
        parents = [_reply(dns, each) for each in above(domain)[1:]]
        if len(found) > 1:
            message = f"{domain} has {len(found)} DMARC records: receivers take none of them."
            yield Finding(
                message, seen(reply), instead("Publish one", _wanted(domain), reply, _is_dmarc), f"DMARC of {domain}", "several"
            )
        elif reply.failed is None and not found and not any(dmarc_records(each.texts) for each in parents):
            unknown = list(doubts(*parents))
            yield from unknown
            if not unknown:
                message = f"{domain} has no DMARC record: nothing says what to do with mail that is forged in its name."
                yield lacks(message, reply, publish("Publish one", _wanted(domain)), f"DMARC of {domain}")


@rule("DNS041")
def forged_mail_is_kept_out(dns: Dns) -> Iterator[Outcome]:
    """The record asks receivers to put forged mail aside, or to refuse it."""
    yield from _unasked(dns)
    for domain, reply, policy in published(dns):
        if policy.applied == "none":
            asked = policy.tags.get("p")
            why = "and is a test (t=y)" if policy.is_test and policy.policy != "none" else "which asks for nothing"
            said = f"says p={asked}, {why}" if asked is not None else "has no p"
            message = f"The DMARC record of {domain} {said}: forged mail is delivered as any other."
            fix = _with(reply, policy, "Ask for quarantine", p="quarantine", t="")
            yield Finding(message, seen(reply), fix, f"DMARC policy of {domain}", policy.policy)


@rule("DNS042")
def dmarc_has_no_share(dns: Dns) -> Iterator[Outcome]:
    """The record does not have `pct`, which is no tag any more."""
    yield from _unasked(dns)
    for domain, reply, policy in published(dns):
        share = policy.tags.get("pct")
        if share is not None:
            effect = "" if share == "100" else ", and receivers that still read it let a part of forged mail pass"
            message = f"The DMARC record of {domain} has pct={share}, a tag that RFC 9989 took out{effect}."
            fix, severity = _with(reply, policy, "Take pct out", pct=""), Severity.MEDIUM if effect else None
            yield Finding(message, seen(reply), fix, f"pct of DMARC of {domain}", share, severity=severity)


@rule("DNS043")
def reports_are_asked_for(dns: Dns) -> Iterator[Outcome]:
    """The record names an address for reports, whose domain wants them."""
    yield from _unasked(dns)
    for domain, reply, policy in published(dns):
        found = mailboxes(policy.tags.get("rua", ""))
        if not found:
            message = f"The DMARC record of {domain} names no address for reports: nobody learns who sends in its name."
            yield Finding(
                message,
                seen(reply),
                _with(reply, policy, "Name one", rua=_rua(domain)),
                f"rua of {domain}",
                "missing",
                absence=True,
            )
        for mailbox in dict.fromkeys(found):
            yield from _permitted(dns, domain, mailbox)


def _permitted(dns: Dns, domain: str, mailbox: str) -> Iterator[Outcome]:
    owner = permission(domain, mailbox)
    if owner is None:
        return
    reply = dns.look(owner, "TXT")
    yield from doubts(reply)
    if reply.failed is None and not dmarc_records(reply.texts):
        there = mailbox.rpartition("@")[2]
        message = f"Reports of {domain} go to {there}, which does not say that it takes them: they are not sent."
        fix = publish(f"Have {there} publish this", txt(owner, "v=DMARC1;"))
        yield lacks(message, reply, fix, f"rua of {domain}")


@rule("DNS044")
def subdomains_are_covered(dns: Dns) -> Iterator[Outcome]:
    """What holds for subdomains is not weaker than what holds for the domain, and not in vain."""
    yield from _unasked(dns)
    for domain, reply, policy in published(dns):
        for tag in ("sp", "np"):
            asked = policy.tags.get(tag, policy.policy).lower()
            if asked not in POLICIES or POLICIES.index(asked) < POLICIES.index(policy.policy):
                message = (
                    f"DMARC of {domain} asks for {policy.policy}, but says {tag}={asked} for subdomains: those can be forged."
                )
                fix = _with(reply, policy, f"Take {tag} out", **{tag: ""})
                yield Finding(message, seen(reply), fix, f"{tag} of DMARC of {domain}", asked)
        wildcard = next((each for type_ in RANDOM if (each := dns.random(domain, type_)).is_there), None)
        if "np" in policy.tags and wildcard is not None:
            message = f"DMARC of {domain} has np for names that do not exist, and by a wildcard all names exist."
            said = policy.tags.get("sp", policy.tags["np"])
            fix = _with(reply, policy, "Say it by sp, or delete the wildcard", np="", sp=said)
            yield Finding(message, seen(reply, wildcard), fix, f"np of DMARC of {domain}", "wildcard")
