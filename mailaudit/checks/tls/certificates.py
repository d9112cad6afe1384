"""Rules about the certificates that the daemons show: there, in time, for the right name, complete, strong."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from shlex import quote

from mailaudit.checks.acme.config import covering, issue, renewing
from mailaudit.checks.registry import rule
from mailaudit.edits import Fix, Safety
from mailaudit.findings import Doubt, Evidence, Exempt, Finding, Outcome, Place
from mailaudit.models.acme import AcmeConfig
from mailaudit.models.certificates import Certificate, NotReadError
from mailaudit.models.clock import Clock
from mailaudit.models.endpoints import Endpoints, Seen
from mailaudit.models.pem import PemFiles
from mailaudit.models.shown import Shown, ShownCertificates
from mailaudit.models.site import Site
from mailaudit.models.sources import Lacking, Missing, NotHere
from mailaudit.questions import Absent, Failed, KeyFacts
from mailaudit.wording import number_of

WARN_BELOW = 1 / 3  # of the lifetime: acme-client renews then, whatever the lifetime is
FEWEST_BITS = {"rsa": 2048, "ecdsa": 256}
NOTHING_SHOWN = Exempt("no daemon shows a certificate")


@dataclass(frozen=True, slots=True, eq=False)
class Chain:
    """A file of certificates, the server's own first, and the daemons that show it."""

    path: str
    uses: tuple[Shown, ...]
    certificates: tuple[Certificate, ...]

    @property
    def leaf(self) -> Certificate:
        """The server's own certificate."""
        return self.certificates[0]

    @property
    def shown(self) -> str:
        """Who shows it, in words: `smtpd and Dovecot show`."""
        return showing(use.daemon for use in self.uses)

    def places(self, label: str, at: Certificate | None = None) -> tuple[Place, ...]:
        """The certificate in its file, and where the daemons are told of the file."""
        span = (at or self.leaf).span
        assert span is not None  # it was read from a file
        return (Place.at(span, label), *(Place.at(use.certificate_at, use.daemon) for use in self.uses))


def showing(daemons: Iterable[str]) -> str:
    """The daemons and what they do: `smtpd shows`."""
    names = list(dict.fromkeys(daemons))
    return f"{' and '.join(names)} show{'s' * (len(names) == 1)}"


def by_path(shown: ShownCertificates) -> dict[str, tuple[Shown, ...]]:
    """The daemons that show each file."""
    found: dict[str, tuple[Shown, ...]] = {}
    for each in shown.shown:
        found[each.certificate] = (*found.get(each.certificate, ()), each)
    return found


def gaps(shown: ShownCertificates) -> Iterator[Outcome]:
    """What is to be said where no certificate is shown, or not all that are shown are known."""
    yield from (Doubt(each.reason, each.detail) for each in shown.lacking)
    if not shown.shown:
        yield NOTHING_SHOWN


def chains(shown: ShownCertificates, pem: PemFiles) -> Iterator[Chain | Doubt | Exempt]:
    """The files that hold certificates; what is wrong with others is TLS001's."""
    for path, uses in by_path(shown).items():
        found = pem.chain(path)
        if isinstance(found, tuple):
            yield Chain(path, uses, found)
        elif isinstance(found, Failed):
            yield Doubt(found.reason, found.detail or f"{path} could not be looked at")
        else:
            yield Exempt(f"there is no certificate in {path}: TLS001 says so")


def renew(shown: ShownCertificates, path: str, title: str = "Get a new certificate") -> Fix | None:
    """How a new certificate is got, where acme-client writes the file."""
    domain = shown.renewers.get(path)
    return Fix(title, Safety.UNSAFE, commands=renewing(domain, shown, path)) if domain is not None else None


@rule("TLS001")
def certificate_is_there(shown: ShownCertificates, pem: PemFiles) -> Iterator[Outcome]:
    """Each file that a daemon shows holds a certificate."""
    yield from gaps(shown)
    for path, uses in by_path(shown).items():
        found = pem.chain(path)
        if isinstance(found, Failed):
            yield Doubt(found.reason, found.detail or f"{path} could not be looked at")
        elif isinstance(found, Absent | NotReadError):
            what = f"holds {found}" if isinstance(found, NotReadError) else "is not there"
            places = tuple(Place.at(use.certificate_at, use.daemon) for use in uses)
            message = f"The certificate {path}, which {uses[0].daemon} is to show, {what}."
            kind = "absent" if isinstance(found, Absent) else "no certificate"
            yield Finding(message, places, renew(shown, path), f"certificate {path}", kind)


@rule("TLS002")
def certificate_is_in_time(shown: ShownCertificates, pem: PemFiles, clock: Clock) -> Iterator[Outcome]:
    """Each certificate is valid now, and for a third of its lifetime at least."""
    yield from gaps(shown)
    for chain in chains(shown, pem):
        if not isinstance(chain, Chain):
            yield chain
            continue
        leaf = chain.leaf
        days = (leaf.not_after - clock.now).days
        if clock.now > leaf.not_after:
            kind, what = "expired", f"expired on {leaf.not_after:%Y-%m-%d}"
        elif clock.now < leaf.not_before:
            kind, what = "not yet", f"is not valid before {leaf.not_before:%Y-%m-%d}"
        elif leaf.left(clock.now) < WARN_BELOW:
            kind, what = "soon", f"expires in {number_of(days, 'day')}, and less than a third of its lifetime is left"
        else:
            continue
        message = f"The certificate in {chain.path}, which {chain.shown}, {what}."
        yield Finding(message, chain.places(what), renew(shown, chain.path), f"time of {chain.path}", kind)


@rule("TLS003")
def certificate_is_for_mail_host(
    shown: ShownCertificates, pem: PemFiles, site: Site, acme: AcmeConfig | Missing | NotHere | Lacking
) -> Iterator[Outcome]:
    """What smtpd shows is good for the mail host's name, and so is what Dovecot shows."""
    yield from gaps(shown)
    name = site.mail_host
    if name is None:
        yield Exempt("the mail host's name is not known")
        return
    found = list(chains(shown, pem))
    yield from (each for each in found if not isinstance(each, Chain))
    known = [each for each in found if isinstance(each, Chain)]
    wrong: dict[str, list[str]] = {}
    for daemon in dict.fromkeys(each.daemon for each in shown.mail):
        mine = [chain for chain in known if any(use.daemon == daemon for use in chain.uses)]
        complete = {use.certificate for use in shown.shown if use.daemon == daemon} == {chain.path for chain in mine}
        if mine and complete and not any(chain.leaf.covers(name) for chain in mine):
            wrong.setdefault(mine[0].path, []).append(daemon)
    for chain in (each for each in known if each.path in wrong):
        names = ", ".join(chain.leaf.names[:5]) or "no name at all"
        message = f"The certificate that {showing(wrong[chain.path])} is not for {name}; it is for {names}."
        fix = covering(acme, shown, chain.path, name)
        yield Finding(message, chain.places(f"not for {name}"), fix, f"name shown by {' and '.join(wrong[chain.path])}", name)


@rule("TLS006")
def chain_is_complete(
    shown: ShownCertificates, pem: PemFiles, endpoints: Endpoints | Missing | NotHere | Lacking
) -> Iterator[Outcome]:
    """Each file links the server's certificate to its authority's, and what is shown leads to one that is trusted."""
    yield from gaps(shown)
    told: set[str] = set()
    for chain in chains(shown, pem):
        if not isinstance(chain, Chain):
            yield chain
            continue
        broken = _broken(chain.certificates)
        if broken is not None:
            at, kind, what = broken
            message = f"In {chain.path}, which {chain.shown}, {what}."
            yield Finding(message, chain.places(kind, at), renew(shown, chain.path), f"chain of {chain.path}", kind)
            told.add(chain.leaf.digest)
    if isinstance(endpoints, Endpoints):
        yield from _untrusted(endpoints, told)


def _untrusted(endpoints: Endpoints, told: set[str]) -> Iterator[Finding]:
    """What leads to no authority that programs trust, one finding for each certificate that a file does not explain."""
    by_leaf: dict[str, list[Seen]] = {}
    for seen in endpoints.seen():
        if seen.trusted is False and seen.leaf is not None and seen.leaf.digest not in told:
            by_leaf.setdefault(seen.leaf.digest, []).append(seen)
    for some in by_leaf.values():
        ports = sorted({each.at.port for each in some})
        where = f"port{'s' * (len(ports) > 1)} {' and '.join(map(str, ports))}"
        message = f"The certificate shown on {where} leads to no authority that programs trust: {some[0].trust_error}."
        evidence = tuple(Evidence(str(each.at), each.trust_error) for each in some)
        yield Finding(message, evidence, None, f"authority of {where}", "not trusted")


def _broken(certificates: tuple[Certificate, ...]) -> tuple[Certificate, str, str] | None:
    """The first place where the chain breaks; the root itself need not be there."""
    leaf = certificates[0]
    if leaf.issued(leaf):
        return leaf, "self-signed", "the certificate is signed by itself, and nobody trusts it"
    if leaf.is_ca and len(certificates) > 1:
        return leaf, "order", "the authority's certificate stands first, where the server's own belongs"
    if len(certificates) == 1:
        return leaf, "alone", "the certificate stands alone: the one of its authority is missing"
    for one, following in pairwise(certificates):
        if not following.issued(one):
            return following, "link", "a certificate is not signed by the one that follows it"
    return None


@rule("TLS016")
def key_is_strong(shown: ShownCertificates, pem: PemFiles) -> Iterator[Outcome]:
    """The certificate's key is one that nobody breaks: RSA of 2048 bits, ECDSA of 256."""
    yield from gaps(shown)
    for chain in chains(shown, pem):
        if not isinstance(chain, Chain):
            yield chain
        elif chain.leaf.key.bits < FEWEST_BITS.get(chain.leaf.key.kind, 0):
            key = chain.leaf.key
            message = f"The key of the certificate in {chain.path} is weak: {key.kind.upper()} with {key.bits} bits."
            yield Finding(
                message, chain.places("weak"), _new_key(shown, chain.path), f"strength of {chain.path}", f"{key.kind} {key.bits}"
            )


def _new_key(shown: ShownCertificates, path: str) -> Fix | None:
    """How acme-client makes another key: it makes one where there is none."""
    domain = shown.renewers.get(path)
    if domain is None or domain.key is None:
        return None
    key = domain.key.value
    commands = (f"mv {quote(key)} {quote(f'{key}.old')}", issue(domain))
    return Fix("Have acme-client make another key, and a certificate for it", Safety.UNSAFE, commands=commands)


@rule("TLS005")
def key_belongs_to_certificate(shown: ShownCertificates, pem: PemFiles) -> Iterator[Outcome]:
    """Each daemon's key is the one that its certificate was made for."""
    yield from gaps(shown)
    judged: set[tuple[str, str]] = set()
    for each in shown.shown:
        if each.key is None or each.key_at is None or (each.certificate, each.key) in judged:
            continue
        judged.add((each.certificate, each.key))
        places = (Place.at(each.key_at, "the key"), Place.at(each.certificate_at, "the certificate"))
        yield from mismatch(pem, Pair(each.daemon, each.certificate, each.key, places, renew(shown, each.certificate)))


@dataclass(frozen=True, slots=True)
class Pair:
    """A certificate's file and its key's, whose they are, where they are named, and how to mend them."""

    owner: str
    certificate: str
    key: str
    places: tuple[Place, ...]
    fix: Fix | None


def mismatch(pem: PemFiles, pair: Pair) -> Iterator[Outcome]:
    """A finding if a key does not belong to its certificate; a file that is not there is told of by other rules."""
    chain, key = pem.chain(pair.certificate), pem.key(pair.key)
    failed = next((found for found in (chain, key) if isinstance(found, Failed)), None)
    if failed is not None:
        yield Doubt(failed.reason, failed.detail)
    elif not isinstance(chain, tuple) or not isinstance(key, KeyFacts):
        yield Exempt("certificate or key is not there")
    elif chain[0].key.spki != key.spki:
        message = f"{pair.owner}'s key {pair.key} does not belong to the certificate in {pair.certificate}."
        yield Finding(message, pair.places, pair.fix, f"key of {pair.certificate}", "another key")
