"""What the host shows from outside: greetings, extensions, versions of TLS and certificates, by address and port."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from mailaudit.models.acme import PATH as ACME
from mailaudit.models.certificates import Certificate, NotReadError
from mailaudit.models.chains import Chains
from mailaudit.models.dns.host import HostAddresses, canonical
from mailaudit.models.dns.names import askable
from mailaudit.models.dns.site_records import Dns, is_ours
from mailaudit.models.hostname_if import FILES
from mailaudit.models.probed import Probe, read_probe
from mailaudit.models.site import Site
from mailaudit.models.smtpd.config import PATH as SMTPD
from mailaudit.models.sources import Known, Lacking, Model, NotHere, Slot, Sources
from mailaudit.questions import (
    NOT_ASKED,
    Answer,
    Command,
    Endpoint,
    Failed,
    Found,
    Handshake,
    ListFiles,
    LookUp,
    Question,
    ReadFile,
    Reason,
    RunCommand,
)

SHUT = (21, 23, 110, 995, 3306, 6379, 11211, 11332, 11333, 11334, 11335)
"""Ports of programs that a mail host may have and that are none of the Internet's: FTP, telnet, POP3, databases, rspamd."""
SPOKEN: Mapping[int, tuple[str, ...]] = {
    25: ("smtp",),
    80: ("http",),
    143: ("tcp",),
    443: ("tcp", "https"),
    465: ("smtps",),
    587: ("smtp",),
    993: ("imaps",),
    2000: ("tcp", "sieve"),
    4190: ("sieve", "tcp"),
    **dict.fromkeys(SHUT, ("tcp",)),
}
"""The ports that are asked: those of the reference, and those that it keeps shut. The first word of each is what is asked; an
answer to another, where one is recorded, serves as well."""
SMTP = 25
MAX_ADDRESSES = 8  # of a site; one of each family is usual
MAX_LINE = 1000  # characters of a greeting or of a line that follows it: twice what RFC 5321 allows
MAX_LINES = 100
OLD = frozenset({"SSLv2", "SSLv3", "TLSv1", "TLSv1.0", "TLSv1.1"})


@dataclass(frozen=True, slots=True)
class Filtered(Failed):
    """Nobody answers on the port, while others at its address answer: what comes for it is dropped on the way, here or there."""


@dataclass(frozen=True, slots=True, eq=False)
class Seen:
    """What one listener said. What was not recorded is None; a greeting that was not is empty.

    `lines` are the extensions before TLS (of ManageSieve its capabilities), `lines_tls` those inside it. `protocols` are the
    versions of TLS that it speaks: none at all if the handshake failed; `agreed` is the one of a handshake after which no others
    were tried. `chain` has the server's own certificate first, `refusal` is what was said instead of a handshake. `name` is what
    the listener was called in it. `trusted` says whether the chain led to an authority that is trusted where one looked from,
    `trust_error` why not. `mail_reply` is what MAIL got before TLS, `probe` what `--probe-relay` was told.
    """

    at: Handshake
    greeting: str = ""
    lines: tuple[str, ...] | None = None
    lines_tls: tuple[str, ...] | None = None
    starttls: bool | None = None
    protocols: tuple[str, ...] | None = None
    agreed: tuple[str, ...] = ()
    refusal: str = ""
    chain: tuple[Certificate, ...] | NotReadError | None = None
    status: int | None = None
    name: str = ""
    trusted: bool | None = None
    trust_error: str = ""
    mail_reply: str = ""
    probe: Probe | None = None

    @property
    def leaf(self) -> Certificate | None:
        """The server's own certificate, where it could be read."""
        return self.chain[0] if isinstance(self.chain, tuple) else None

    @property
    def speaks_tls(self) -> bool | None:
        """True if a handshake was made, False if it failed or nothing offers one; None if that was not recorded."""
        if self.protocols or self.agreed or self.chain:
            return True
        return False if self.protocols is not None or self.starttls is False or self.refusal else None

    @property
    def turns_away(self) -> bool:
        """True for words that say: not now, or not you. They tell nothing of what others are shown."""
        return self.greeting.startswith(("4", "5", "* BYE", "BYE")) or self.refusal.startswith(("4", "BYE"))

    @property
    def old_protocols(self) -> tuple[str, ...]:
        """The versions of TLS that RFC 8996 forbids, of those that it speaks."""
        return tuple(each for each in self.protocols or self.agreed if each in OLD)


@dataclass(frozen=True, eq=False)
class Endpoints(Model):
    """What was said at each address and port, or why nothing was."""

    found: Mapping[Handshake, Seen | Failed] = field(default_factory=dict)

    def on(self, *ports: int) -> tuple[tuple[Handshake, Seen | Failed], ...]:
        """What was asked of some ports, at each of the host's addresses."""
        return tuple((question, seen) for question, seen in self.found.items() if question.port in ports)

    def seen(self, *ports: int) -> tuple[Seen, ...]:
        """What was said on some ports, or on all."""
        return tuple(
            each for question, each in self.found.items() if isinstance(each, Seen) and (not ports or question.port in ports)
        )

    def refused(self, port: int) -> tuple[Handshake, ...]:
        """Where connections to a port were refused."""
        return tuple(q for q, seen in self.on(port) if isinstance(seen, Failed) and seen.reason is Reason.REFUSED)


def read_endpoints(
    sources: Sources, site: Site, host: HostAddresses, dns: Slot[Dns], daemons: Iterable[Slot[object]]
) -> Slot[Endpoints]:
    """What the host's own addresses show. Nothing is asked where the target holds no daemon that would answer."""
    if not any(isinstance(slot, Known | Lacking) for slot in daemons) and not sources.snapshot.recorded:
        return NotHere("nothing of a daemon that listens for others is in the target")
    if sources.snapshot.online and any(question in sources.wanted for question in _before(site, host)):
        return Lacking(Reason.NOT_RECORDED, "what tells the addresses and names of this host is asked for first")
    addresses = _addresses(site, host)
    if not addresses:
        reason = Reason.NOT_RECORDED if sources.snapshot.online else Reason.OFFLINE
        return Lacking(reason, "the addresses of this host are not known, so its ports were not asked")
    reader = _Reader()
    names = _Names.of(site, dns)
    found = dict(_answer(sources, names.handshakes(address, port), reader) for address in addresses for port in SPOKEN)
    if all(isinstance(each, Failed) and each.reason in NOT_ASKED for each in found.values()):
        first = next(each for each in found.values() if isinstance(each, Failed))
        return Lacking(first.reason, "what this host's ports show was not asked")
    return Known(Endpoints(found=found))


def _before(site: Site, host: HostAddresses) -> Iterator[Question]:
    """What is to be known before ports are asked, all of them at once: whose they are, and what who connects calls them."""
    yield from (LookUp(owner, "MX") for owner in map(askable, site.domains) if owner is not None)
    yield RunCommand(Command.IFCONFIG)
    if not host.known:
        yield ListFiles(FILES)
    if not (site.declared.mail_host and site.declared.domains):
        yield from map(ReadFile, (SMTPD, ACME))


def _addresses(site: Site, host: HostAddresses) -> list[str]:
    """Those of the host that its names have in DNS, else all of them; where they are not known, those of its names."""
    named = [text for text in map(canonical, (*site.ipv4, *site.ipv6)) if text is not None]
    known = [address for version in (4, 6) for address in host.family(version) or ()]
    return list(dict.fromkeys([address for address in named if address in known] or known or named))[:MAX_ADDRESSES]


@dataclass(frozen=True, slots=True)
class _Names:
    """What those who connect call the host: servers the exchanger, people the mail host; and a domain whose mail it takes."""

    exchanger: str
    mail_host: str
    domain: str

    @classmethod
    def of(cls, site: Site, dns: Slot[Dns]) -> _Names:
        """The names."""
        mail_host, domain = site.mail_host or site.host_name or "", next(iter(site.domains), "")
        known = dns.value if isinstance(dns, Known) else Dns()
        named = [each.name for name in known.domains for each in known.exchangers(name) if is_ours(each.name, site)]
        return cls(mail_host if mail_host in named or not named else named[0], mail_host, domain)

    def handshakes(self, address: str, port: int) -> Iterator[Handshake]:
        """What is asked of a port, the usual first."""
        name = self.exchanger if port == SMTP else self.mail_host
        return (Handshake(address, port, protocol, name, self.domain) for protocol in SPOKEN[port])


def _answer(sources: Sources, questions: Iterable[Handshake], reader: _Reader) -> tuple[Handshake, Seen | Failed]:
    usual, *others = questions
    question = next((each for each in (usual, *others) if sources.snapshot.answer(each) is not None), usual)
    return question, reader.seen(question, sources.ask(question))


def said(question: Handshake, answer: Answer) -> Mapping[str, object] | Failed:
    """The fields of an answer, or why there are none."""
    if isinstance(answer, Failed):
        tells = answer.detail and answer.reason not in NOT_ASKED
        return replace(answer, detail=f"{question}: {answer.detail}") if tells else answer
    if not isinstance(answer, Found) or not isinstance(answer.value, Endpoint):
        return Failed(Reason.REFUSED, f"{question}: nobody answers")
    fields = answer.value.fields
    if fields.get("filtered"):
        return Filtered(Reason.TIMEOUT, f"{question}: {_line(fields['filtered']) or 'no answer, while other ports answer'}")
    return fields


@dataclass
class _Reader:
    """Reads answers."""

    chains: Chains = field(default_factory=Chains)

    def seen(self, question: Handshake, answer: Answer) -> Seen | Failed:
        fields = said(question, answer)
        if isinstance(fields, Failed):
            return fields
        status, starttls, trusted = fields.get("status"), fields.get("starttls"), fields.get("trusted")
        lines = _lines(fields.get("ehlo"))
        return Seen(
            at=question,
            greeting=_line(fields.get("greeting")),
            lines=lines if lines is not None else _lines(fields.get("capabilities")),
            lines_tls=_lines(fields.get("ehlo_tls")),
            starttls=starttls if isinstance(starttls, bool) else None,
            protocols=_lines(fields.get("protocols")),
            agreed=_lines(fields.get("protocols_seen")) or (),
            refusal=_line(fields.get("starttls_reply")),
            chain=self.chains.read(fields.get("chain")),
            status=status if isinstance(status, int) and not isinstance(status, bool) else None,
            name=_line(fields.get("name")).lower(),
            trusted=trusted if isinstance(trusted, bool) else None,
            trust_error=_line(fields.get("trust_error")),
            mail_reply=_line(fields.get("mail_reply")),
            probe=read_probe(fields),
        )


def _line(value: object) -> str:
    return value[:MAX_LINE] if isinstance(value, str) else ""


def _lines(value: object) -> tuple[str, ...] | None:
    if not isinstance(value, list | tuple):
        return None
    return tuple(_each(value))


def _each(values: Iterable[object]) -> Iterator[str]:
    for number, value in enumerate(values):
        if number == MAX_LINES:
            return
        if isinstance(value, str):
            yield value[:MAX_LINE]
