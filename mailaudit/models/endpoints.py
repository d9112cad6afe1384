"""What the host shows from outside: greetings, extensions, versions of TLS and certificates, by address and port."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from mailaudit.models.certificates import MAX_CERTIFICATES, Certificate, NotReadError, read_certificate
from mailaudit.models.dns.host import HostAddresses, canonical
from mailaudit.models.site import Site
from mailaudit.models.sources import Known, Lacking, Model, NotHere, Slot, Sources
from mailaudit.questions import Answer, Endpoint, Failed, Found, Handshake, Reason

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
}
"""The ports that are asked: those of the reference, and those that it keeps shut. The first word of each is what is asked; an
answer to another, where one is recorded, serves as well."""
MAX_ADDRESSES = 8  # of a site; one of each family is usual
MAX_LINE = 1000  # characters of a greeting or of a line that follows it: twice what RFC 5321 allows
MAX_LINES = 100
MAX_PEM = 64 * 1024
NOT_ASKED = frozenset({Reason.OFFLINE, Reason.NOT_RECORDED})
OLD = frozenset({"SSLv2", "SSLv3", "TLSv1", "TLSv1.0", "TLSv1.1"})


@dataclass(frozen=True, slots=True, eq=False)
class Seen:
    """What one listener said. What was not recorded is None; a greeting that was not is empty.

    `lines` are the extensions before TLS (of ManageSieve its capabilities), `lines_tls` those inside it. `protocols` are the
    versions of TLS that it speaks: none at all if the handshake failed; `agreed` is the one of a handshake after which no others
    were tried. `chain` has the server's own certificate first, `refusal` is what was said instead of a handshake.
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


def read_endpoints(sources: Sources, site: Site, host: HostAddresses, daemons: Iterable[Slot[object]]) -> Slot[Endpoints]:
    """What the host's own addresses show. Nothing is asked where the target holds no daemon that would answer."""
    if not any(isinstance(slot, Known | Lacking) for slot in daemons) and not sources.snapshot.recorded:
        return NotHere("nothing of a daemon that listens for others is in the target")
    addresses = _addresses(site, host)
    if not addresses:
        reason = Reason.NOT_RECORDED if sources.snapshot.online else Reason.OFFLINE
        return Lacking(reason, "the addresses of this host are not known, so its ports were not asked")
    reader = _Reader()
    found = dict(_answer(sources, address, port, reader) for address in addresses for port in SPOKEN)
    if all(isinstance(each, Failed) and each.reason in NOT_ASKED for each in found.values()):
        first = next(each for each in found.values() if isinstance(each, Failed))
        return Lacking(first.reason, "what this host's ports show was not asked")
    return Known(Endpoints(found=found))


def _addresses(site: Site, host: HostAddresses) -> list[str]:
    """Those of the host that its names have in DNS, else all of them; where they are not known, those of its names."""
    named = [text for text in map(canonical, (*site.ipv4, *site.ipv6)) if text is not None]
    known = [address for version in (4, 6) for address in host.family(version) or ()]
    return list(dict.fromkeys([address for address in named if address in known] or known or named))[:MAX_ADDRESSES]


def _answer(sources: Sources, address: str, port: int, reader: _Reader) -> tuple[Handshake, Seen | Failed]:
    usual, *others = (Handshake(address, port, protocol) for protocol in SPOKEN[port])
    question = next((each for each in (usual, *others) if sources.snapshot.answer(each) is not None), usual)
    return question, reader.seen(question, sources.ask(question))


@dataclass
class _Reader:
    """Reads answers; a certificate that many listeners show is read once."""

    known: dict[str, Certificate | NotReadError] = field(default_factory=dict)

    def seen(self, question: Handshake, answer: Answer) -> Seen | Failed:
        if isinstance(answer, Failed):
            return answer
        if not isinstance(answer, Found) or not isinstance(answer.value, Endpoint):
            return Failed(Reason.REFUSED, f"{question}: nobody answers")
        fields = answer.value.fields
        status, starttls = fields.get("status"), fields.get("starttls")
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
            chain=self.chain(fields.get("chain")),
            status=status if isinstance(status, int) and not isinstance(status, bool) else None,
        )

    def chain(self, value: object) -> tuple[Certificate, ...] | NotReadError | None:
        """The certificates of a chain; what cannot be read of it makes the whole unreadable."""
        if not isinstance(value, list | tuple) or not value:
            return None
        if len(value) > MAX_CERTIFICATES:
            return NotReadError(f"more than {MAX_CERTIFICATES} certificates")
        found: list[Certificate] = []
        for pem in value:
            one = self.certificate(pem)
            if isinstance(one, NotReadError):
                return one
            found.append(one)
        return tuple(found)

    def certificate(self, pem: object) -> Certificate | NotReadError:
        if not isinstance(pem, str) or len(pem) > MAX_PEM:
            return NotReadError("what is no certificate")
        if pem not in self.known:
            try:
                self.known[pem] = read_certificate(pem)
            except NotReadError as error:
                self.known[pem] = error
        return self.known[pem]


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
