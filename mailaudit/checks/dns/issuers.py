"""Rules about what DNS and the host's files say together: the authority that CAA allows, and where reports arrive."""

from __future__ import annotations

from collections.abc import Iterator

from mailaudit.checks.dns.dmarc import published
from mailaudit.checks.dns.exchangers import tagged
from mailaudit.checks.dns.words import doubts, publish, record, seen
from mailaudit.checks.registry import rule
from mailaudit.checks.virtuals.addresses import adding, is_alias, reader
from mailaudit.edits import Fix, Safety
from mailaudit.findings import Doubt, Evidence, Exempt, Finding, Outcome, Place
from mailaudit.models.acme import AcmeConfig
from mailaudit.models.credentials import Credentials
from mailaudit.models.dns.policies import mailboxes, tags
from mailaudit.models.dns.reply import Reply
from mailaudit.models.dns.site_records import Dns
from mailaudit.models.smtpd.config import SmtpdConfig
from mailaudit.models.smtpd.delivery import deliver
from mailaudit.models.smtpd.maps import Maps
from mailaudit.models.smtpd.route import exchanger_sessions
from mailaudit.models.sources import Lacking, Missing, NotHere
from mailaudit.models.virtuals import Virtuals
from mailaudit.questions import NOT_ASKED, Reason

ISSUERS = {
    "letsencrypt.org": "letsencrypt.org",
    "buypass.com": "buypass.com",
    "zerossl.com": "sectigo.com",
    "pki.goog": "pki.goog",
}
"""The names that authorities go by in CAA, by the domain of their service."""
_CHALLENGE = "http-01"
_KNOWN_TAGS = frozenset({"issue", "issuewild", "iodef", "issuemail", "issuevmc", "contactemail", "contactphone"})


@rule("CROSS070")
def configured_authority_may_issue(dns: Dns, acme: AcmeConfig) -> Iterator[Outcome]:
    """CAA lets the authority that acme-client asks issue for each name."""
    for domain in acme.domains:
        signer = acme.signer(domain)
        url = signer.api.value if signer is not None and signer.api is not None else ""
        host = url.partition("://")[2].partition("/")[0].partition(":")[0].lower()
        issuer = next((name for each, name in ISSUERS.items() if host == each or host.endswith(f".{each}")), None)
        for name in domain.names:
            if name not in dns.certificate_names:
                continue
            reply = dns.climb(name)
            yield from doubts(reply)
            if not reply.is_there or "issue" not in {tag for tag, _ in tagged(reply)}:
                continue  # whoever may issue; DNS009 tells that
            if issuer is None:
                yield Doubt(Reason.IN_DOUBT, f"Which name the authority at {host or 'no address'} goes by in CAA is not known.")
                continue
            why = _forbids(reply, issuer)
            if why:
                message = f"CAA forbids the certificate for {name}: {why}. The next renewal fails."
                fix = publish("Allow the authority", record(reply.owner, "CAA", f'0 issue "{issuer}"'))
                place = Place.at(domain.name.span, "the certificate")
                yield Finding(message, (*seen(reply), place), fix, f"CAA of {name}", "forbidden")


def _forbids(reply: Reply, issuer: str) -> str:
    """Why the authority may not issue; empty if it may."""
    critical = [data.split(None, 2) for data in reply.data]
    unknown = next((tag for flags, tag, _ in critical if int(flags) & 128 and tag.lower() not in _KNOWN_TAGS), None)
    if unknown is not None:
        return f'the property "{unknown}" is critical, and no authority knows it'
    allowed = [value for tag, value in tagged(reply) if tag == "issue"]
    mine = [value for value in allowed if value.partition(";")[0].strip().lower() == issuer]
    if not mine:
        return f"it allows {' and '.join(each for each in allowed if each.strip('; ')) or 'nobody'}, not {issuer}"
    methods = [tags(value.partition(";")[2]).get("validationmethods") for value in mine]
    if all(each is not None and _CHALLENGE not in [m.strip() for m in each.split(",")] for each in methods):
        return f"it allows no validation by {_CHALLENGE}, which acme-client uses"
    return ""


@rule("CROSS080")
def reports_arrive(
    dns: Dns,
    smtpd: SmtpdConfig,
    maps: Maps,
    virtuals: Virtuals | Missing | NotHere | Lacking,
    credentials: Credentials | Missing | NotHere | Lacking,
) -> Iterator[Outcome]:
    """Addresses for reports that lie in the site's domains are delivered."""
    found: dict[str, Evidence] = {}
    for domain in dns.domains:
        asked = (dns.look(f"_dmarc.{domain}", "TXT"), dns.climb(domain), dns.look(f"_smtp._tls.{domain}", "TXT"))
        yield from (doubt for doubt in doubts(*asked) if doubt.reason not in NOT_ASKED)
        for mailbox, place in _named(dns, domain):
            if mailbox.rpartition("@")[2] in dns.domains:
                found.setdefault(mailbox, place)
    if not found:
        yield Exempt("no address for reports lies in the site's domains")
    if smtpd.only_sends:
        yield Exempt("this host takes no mail from others")
        return
    sessions = exchanger_sessions(smtpd)
    for mailbox, place in found.items():
        ways = [deliver(maps, session, mailbox) for session in sessions]
        if any(way.answer == "accept" for way in ways):
            continue
        refused = next((way for way in ways if way.answer == "reject"), None)
        if refused is None:
            yield Doubt(Reason.IN_DOUBT, f"Whether mail for {mailbox} is delivered could not be told.", (place,))
            continue
        said = f" ({refused.reply})" if refused.reply else ""
        message = f"Reports go to {mailbox}, and mail for it is refused{said}."
        fix = _added(mailbox, virtuals, credentials) or Fix("Add the address to the virtual map", Safety.MANUAL)
        decided = (Place.at(refused.decided, "refused"),) if refused.decided is not None else ()
        yield Finding(message, (place, *decided), fix, "reports", mailbox, absence=True)


def _added(
    mailbox: str, virtuals: Virtuals | Missing | NotHere | Lacking, credentials: Credentials | Missing | NotHere | Lacking
) -> Fix | None:
    """The address in the virtual map, leading to a mail user."""
    users = [entry.address for entry in credentials.entries] if isinstance(credentials, Credentials) else []
    if not users or not isinstance(virtuals, Virtuals) or virtuals.lookup(mailbox) is not None:
        return None
    return adding(virtuals, [(mailbox, reader(mailbox, users))], is_alias)


def _named(dns: Dns, domain: str) -> Iterator[tuple[str, Evidence]]:
    """Addresses for reports: DMARC's, CAA's, those of TLS."""
    for owner, reply, policy in published(dns):
        if owner == domain:
            for tag in ("rua", "ruf"):
                yield from ((each, Evidence(reply.question, reply.shown)) for each in mailboxes(policy.tags.get(tag, "")))
    reply = dns.climb(domain)
    for tag, value in tagged(reply):
        if tag == "iodef":
            yield from ((each, Evidence(reply.question, reply.shown)) for each in mailboxes(value))
    reply = dns.look(f"_smtp._tls.{domain}", "TXT")
    for text in reply.texts:
        if text.startswith("v=TLSRPTv1"):
            yield from ((each, Evidence(reply.question, reply.shown)) for each in mailboxes(tags(text).get("rua", "")))
