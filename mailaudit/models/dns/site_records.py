"""What DNS says of a site's domains, names and addresses, read in waves: each answer names what is asked for next."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from itertools import product

from mailaudit.models.acme import AcmeConfig
from mailaudit.models.dns.asking import Asking
from mailaudit.models.dns.host import MOST, HostAddresses, is_public, read_host
from mailaudit.models.dns.names import above, askable, bare, is_below, listing, reverse
from mailaudit.models.dns.policies import dmarc_records, is_mta_sts, mailboxes, permission
from mailaudit.models.dns.reply import Reply
from mailaudit.models.dns.sending import Sender, Sending, SpfAsking, read_sending
from mailaudit.models.hostname_if import HostnameIf
from mailaudit.models.interfaces import Interfaces
from mailaudit.models.rspamd.config import RspamdConfig
from mailaudit.models.site import Site
from mailaudit.models.smtpd.config import SmtpdConfig
from mailaudit.models.sources import Known, Lacking, Model, NotHere, Slot, Sources
from mailaudit.models.spf.check import SpfResult
from mailaudit.questions import NOT_ASKED, Failed, Found, LookUp, Reason, ZoneFault, ZoneSecurity

TTL = 300  # seconds: what the reference's own records have
MOST_DOMAINS = 20
MOST_NAMES = 20  # exchangers, name servers or names of an address that are followed
OF_DOMAIN = ("SOA", "NS", "DS", "RRSIG", "A", "AAAA", "MX", "CAA", "TXT")
OF_HOST = ("A", "AAAA", "CNAME", "TXT")
SERVICES = ("_submissions._tcp", "_imaps._tcp", "_sieve._tcp")
BELOW = (("_dmarc", "TXT"), ("_mta-sts", "TXT"), ("mta-sts", "A"), ("_smtp._tls", "TXT"), *((each, "SRV") for each in SERVICES))
RANDOM = ("A", "CNAME", "MX", "TXT")


@dataclass(frozen=True, slots=True)
class Exchanger:
    """One MX record: preference, and the exchanger's name without its final dot; empty for the null MX (RFC 7505)."""

    preference: int
    name: str


@dataclass(frozen=True, eq=False)
class Dns(Model):
    """All replies by question, and what they are about.

    `domains` are the site's; `helo_names` what the host calls itself in HELO; `selectors` pairs of domain and selector that mail
    is signed with; `certificate_names` what certificates are got for; `faults` where the chain to each bogus zone breaks. `spf`
    has what each domain's mail gets from each address, `helo_spf` what each name in HELO gets, `spf_costs` what a stranger gets
    and what that takes.
    """

    domains: tuple[str, ...] = ()
    host: HostAddresses = field(default_factory=HostAddresses)
    helo_names: tuple[str, ...] = ()
    selectors: tuple[tuple[str, str], ...] = ()
    certificate_names: tuple[str, ...] = ()
    replies: Mapping[LookUp, Reply] = field(default_factory=dict, repr=False)
    states: Mapping[str, str | Failed] = field(default_factory=dict)
    faults: Mapping[str, str] = field(default_factory=dict)
    sending: Sending = field(default_factory=Sending)
    spf: Mapping[tuple[str, Sender], SpfResult] = field(default_factory=dict, repr=False)
    helo_spf: Mapping[Sender, SpfResult] = field(default_factory=dict, repr=False)
    spf_costs: Mapping[str, SpfResult] = field(default_factory=dict, repr=False)

    def look(self, name: str, type_: str) -> Reply:
        """The reply to a question; not recorded for one that the model did not ask."""
        owner = askable(name)
        if owner is None:
            return Reply(name, type_, "NXDOMAIN")
        question = LookUp(owner, type_)
        known = self.replies.get(question)
        return known or Reply(owner, type_, failed=Failed(Reason.NOT_RECORDED, f"{question} was not asked"))

    def random(self, domain: str, type_: str) -> Reply:
        """What a name in the domain gets that nobody wrote down: the answer of a wildcard, if there is one."""
        return self.look(f"*.{domain}", type_)

    def is_from_wildcard(self, reply: Reply) -> bool:
        """True if a random label gets the same answer: nobody wrote this one down."""
        domain = next((each for each in self.domains if is_below(reply.owner, each) and bare(reply.owner) != each), None)
        return domain is not None and reply.same_as(self.random(domain, reply.type))

    def exchangers(self, domain: str) -> tuple[Exchanger, ...]:
        """The domain's MX records by preference."""
        return exchangers(self.look(domain, "MX"))

    def addresses(self, name: str, version: int) -> Reply:
        """The addresses of a name: 4 or 6."""
        return self.look(name, "A" if version == 4 else "AAAA")

    def pointer(self, address: str) -> Reply:
        """The names of an address."""
        return self.look(reverse(address), "PTR")

    def climb(self, name: str) -> Reply:
        """The CAA records that hold for a name: of the closest name above it that has any (RFC 8659, section 3)."""
        return climb(self.look, name)

    def remembered(self, owner: str) -> int:
        """For how many seconds resolvers may go by what a name had until now; what is not there, they remember by the SOA."""
        domain = next((each for each in self.domains if is_below(owner, each)), None)
        known = [reply.ttl or 0 for reply in self.replies.values() if bare(reply.owner) == bare(owner) and reply.is_there]
        known += [int(data.split()[-1]) for data in self.look(domain, "SOA").data] if domain is not None else []
        return max(known, default=0) or TTL

    def security(self, zone: str) -> str | Failed:
        """`secure`, `insecure` or `bogus`, or why that could not be told."""
        return self.states.get(bare(zone), Failed(Reason.NOT_RECORDED, f"{zone} was not asked"))


def climb(look: Callable[[str, str], Reply], name: str) -> Reply:
    """RFC 8659, section 3: the closest name with CAA records decides, a name whose answer is not known may be the one."""
    reply = Reply(name, "CAA", "NXDOMAIN")
    for each in above(name):
        reply = look(each, "CAA")
        if not reply.is_absent:
            return reply
    return reply


def exchangers(reply: Reply) -> tuple[Exchanger, ...]:
    """The exchangers that an MX answer names, by preference."""
    pairs = (data.split(None, 1) for data in reply.data)
    found = (Exchanger(int(preference), bare(name)) for preference, name in pairs)
    return tuple(sorted(found, key=lambda each: (each.preference, each.name)))


@dataclass(frozen=True, slots=True)
class Subjects:
    """The other models that say what to ask for."""

    smtpd: Slot[SmtpdConfig]
    acme: Slot[AcmeConfig]
    rspamd: Slot[RspamdConfig]
    static: Slot[HostnameIf]
    interfaces: Interfaces


def read_dns(sources: Sources, site: Site, subjects: Subjects) -> Slot[Dns]:
    """What DNS says. Without a domain there is nothing to ask; where nothing at all was answered, that is the reason."""
    domains = tuple(bare(each) for each in site.domains if askable(each))[:MOST_DOMAINS]
    if not domains:
        return NotHere("no domain of the site is known")
    asking = Asking(sources)
    host = read_host(site, subjects.static, subjects.interfaces)
    own_name = _own_name(site, subjects.smtpd)
    sending_host, assumed = _as_published(asking, site, host)
    sending = read_sending(subjects.smtpd, sending_host, own_name)
    helo_names = _unique(each.helo for each in sending.senders if each.helo) or _unique([own_name] if own_name else [])
    for domain in domains:
        _domain(asking, domain)
    spf = SpfAsking(asking)
    states = {domain: _security(sources, domain) for domain in domains}
    dns = Dns(
        assumed=assumed,
        domains=domains,
        host=host,
        helo_names=helo_names,
        selectors=_selectors(site, domains, subjects.rspamd),
        certificate_names=_unique(_certificate_names(site, subjects.acme)),
        replies=asking.replies,
        states=states,
        faults={domain: _fault(sources, domain) for domain, state in states.items() if state == "bogus"},
        sending=sending,
        spf={(domain, each): spf.of_domain(domain, each) for domain in domains for each in sending.senders},
        helo_spf={each: found for each in sending.senders if (found := spf.of_helo(each)) is not None},
        spf_costs={domain: spf.counted(domain) for domain in domains},
    )
    _names(asking, site, dns)
    if all(reply.failed is not None and reply.failed.reason in NOT_ASKED for reply in asking.replies.values()):
        failed = next(reply.failed for reply in asking.replies.values() if reply.failed is not None)
        return Lacking(failed.reason, failed.detail)
    return Known(dns)


def _as_published(asking: Asking, site: Site, host: HostAddresses) -> tuple[HostAddresses, tuple[str, ...]]:
    """Where nothing tells the host's addresses, those of the mail host in DNS stand in to judge how mail leaves."""
    if site.mail_host is None or host.known or host.moving:
        return host, ()
    ipv4, ipv6 = ([each for each in asking.look(site.mail_host, type_).data if is_public(each)] for type_ in ("A", "AAAA"))
    if not ipv4 and not ipv6:
        return host, ()
    assumed = f"the addresses of {site.mail_host} in DNS as this host's own"
    return replace(host, ipv4=tuple(ipv4[:MOST]), ipv6=tuple(ipv6[:MOST])), (assumed,)


def _names(asking: Asking, site: Site, dns: Dns) -> None:
    """Ask for what is said of the host's names, its addresses and its keys."""
    for name in _unique((*dns.helo_names, *(each for each in (site.mail_host, site.host_name) if each))):
        _host(asking, name)
    for name in dns.certificate_names:
        climb(asking.look, name)
        _host(asking, name, ("A", "AAAA"))
    for domain, selector in dns.selectors:
        for type_ in ("TXT", "CNAME"):
            asking.look(f"{selector}._domainkey.{domain}", type_)
    for domain, selector in product(dns.domains, [*site.declared.old_selectors][:MOST_NAMES]):
        asking.look(f"{selector}._domainkey.{domain}", "TXT")
    for address in dict.fromkeys((*dns.host.known, *dns.sending.addresses)):
        _pointer(asking, address)
    for address, blocklist in product(dns.host.known, site.declared.blocklists[:MOST_NAMES]):
        asking.look(listing(address, blocklist), "A")


def _domain(asking: Asking, domain: str) -> None:
    for type_ in OF_DOMAIN:
        asking.look(domain, type_)
    for prefix, type_ in BELOW:
        asking.look(f"{prefix}.{domain}", type_)
    if any(is_mta_sts(text) for text in asking.look(f"_mta-sts.{domain}", "TXT").texts):
        asking.look(f"mta-sts.{domain}", "AAAA")
    for type_ in RANDOM:
        asking.look(f"*.{domain}", type_)
    for parent in above(domain)[1:]:
        asking.look(f"_dmarc.{parent}", "TXT")
    for policy in dmarc_records(asking.look(f"_dmarc.{domain}", "TXT").texts):
        for mailbox in (*mailboxes(policy.tags.get("rua", "")), *mailboxes(policy.tags.get("ruf", ""))):
            asking.look(permission(domain, mailbox) or f"_dmarc.{domain}", "TXT")
    for service in SERVICES:
        for data in asking.look(f"{service}.{domain}", "SRV").data[:MOST_NAMES]:
            _host(asking, data.rpartition(" ")[2], ("A", "AAAA"))
    for server in asking.look(domain, "NS").data[:MOST_NAMES]:
        asking.look(server, "A")
    for exchanger in exchangers(asking.look(domain, "MX"))[:MOST_NAMES]:
        if exchanger.name:
            _host(asking, exchanger.name, ("A", "AAAA", "CNAME"))
            asking.look(f"_25._tcp.{exchanger.name}", "TLSA")


def _host(asking: Asking, name: str, types: Iterable[str] = OF_HOST) -> None:
    for type_ in types:
        asking.look(name, type_)


def _pointer(asking: Asking, address: str) -> None:
    for name in asking.look(reverse(address), "PTR").data[:MOST_NAMES]:
        _host(asking, name, ("A", "AAAA", "CNAME"))


def _security(sources: Sources, domain: str) -> str | Failed:
    answer = sources.ask(ZoneSecurity(f"{domain}."))
    if isinstance(answer, Found) and isinstance(answer.value, str):
        return answer.value
    return answer if isinstance(answer, Failed) else Failed(Reason.PROTOCOL, f"the state of {domain} is none")


def _fault(sources: Sources, domain: str) -> str:
    """Where the chain to a bogus zone breaks; empty where that is not known."""
    answer = sources.ask(ZoneFault(f"{domain}."))
    return answer.value if isinstance(answer, Found) and isinstance(answer.value, str) else ""


def _own_name(site: Site, smtpd: Slot[SmtpdConfig]) -> str | None:
    """What smtpd calls itself: what mailname says, else the host's name."""
    name = (smtpd.value.server_name if isinstance(smtpd, Known) else None) or site.host_name
    return bare(name) if name else None


def _selectors(site: Site, domains: tuple[str, ...], rspamd: Slot[RspamdConfig]) -> tuple[tuple[str, str], ...]:
    """The selectors that rspamd's files name, else those that are declared; one that is only the guide's is not claimed."""
    pairs: list[tuple[str, str]] = []
    for domain in domains:
        signing = _signing(rspamd.value, domain) if isinstance(rspamd, Known) else []
        declared = site.declared.selectors.get(domain)
        pairs += [(domain, each.lower()) for each in signing or ([declared] if declared else [])]
    return tuple(dict.fromkeys(pair for pair in pairs if askable(f"{pair[1]}._domainkey.{pair[0]}")))[:MOST_NAMES]


def _signing(rspamd: RspamdConfig, domain: str) -> list[str]:
    if rspamd.is_enabled("dkim_signing") is False:
        return []
    keys = rspamd.dkim.keys(domain)
    own = [key for key in keys if not key.fallback or (key.path_value is not None and not rspamd.is_packaged(key.path_value))]
    return [key.selector for key in own if key.selector]


def _certificate_names(site: Site, acme: Slot[AcmeConfig]) -> Iterable[str]:
    if isinstance(acme, Known):
        for domain in acme.value.domains:
            yield from (name for name in domain.names if is_ours(name, site))
    elif site.mail_host:
        yield site.mail_host


def is_ours(name: str, site: Site) -> bool:
    """True for a name in one of the site's domains, or one of its hosts' own."""
    return any(is_below(name, each) for each in (*site.domains, *(n for n in (site.mail_host, site.host_name) if n)))


def _unique(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(bare(name) for name in names))[:MOST_NAMES]
