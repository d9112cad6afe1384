"""The DNSSEC state of a zone: the chain of DS and DNSKEY from the root's trust anchor, each link validated by us."""

from __future__ import annotations

import base64
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime

import dns.dnssec
import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.rdata
import dns.rdataclass
import dns.rdataset
import dns.rdatatype
import dns.rdtypes.ANY.DNSKEY
import dns.rdtypes.ANY.DS
import dns.rdtypes.ANY.NSEC
import dns.rdtypes.ANY.NSEC3
import dns.rdtypes.ANY.RRSIG
import dns.rrset

from mailaudit.collect.budget import Trouble
from mailaudit.collect.dns.resolvers import Resolvers
from mailaudit.collect.trips import together
from mailaudit.questions import Reason

ROOT_ANCHORS = (
    "20326 8 2 E06D44B80B8F1D39A95C0B0D7C65D08458E880409BBC683457104237C7F8EC8D",
    "38696 8 2 683D2D0ACB8C9B712A1948B27F741219298D0A450D612C483AF444A4C0FB2B16",
)
"""DS records of the root's keys of 2017 and 2024 (https://data.iana.org/root-anchors/root-anchors.xml)."""
ALGORITHMS = frozenset({5, 7, 8, 10, 13, 14, 15, 16})  # those that dnspython validates
DIGESTS = frozenset({1, 2, 4})
MOST_ITERATIONS = 100  # of NSEC3; a zone with more is treated as insecure (RFC 9276, section 3.2)
MOST_KEYS = 32  # DNSKEYs, and signatures of one set, that are tried: more is an attack (CVE-2023-50387)
_OPT_OUT = 1
_ZONE_KEY = 0x0100  # RFC 4034, section 2.1.1

DNSKEY, DS, SOA, NSEC, NSEC3, RRSIG = (
    dns.rdatatype.DNSKEY,
    dns.rdatatype.DS,
    dns.rdatatype.SOA,
    dns.rdatatype.NSEC,
    dns.rdatatype.NSEC3,
    dns.rdatatype.RRSIG,
)


class _Bogus(Exception):  # noqa: N818  a state of a zone, not a mistake
    """A signature is not right, or one that must be there is not; what it says is which, in words."""


class _Insecure(Exception):  # noqa: N818  the same
    """It is proved that the zone above does not sign for this one."""


class _Stripped(Exception):  # noqa: N818  the same
    """The resolver leaves signatures out: nothing can be validated through it."""


@dataclass
class Chain:
    """Validates zones through the resolvers; what was validated once is kept."""

    resolvers: Resolvers
    anchors: tuple[str, ...] = ROOT_ANCHORS
    keys: dict[dns.name.Name, dns.rdataset.Rdataset] = field(default_factory=dict)

    async def state(self, zone: dns.name.Name) -> str:
        """`secure`, `insecure` or `bogus`. Raises `Trouble` where it cannot be told."""
        try:
            return await self._validated(zone)
        except _Insecure:
            return "insecure"
        except _Bogus:
            return "bogus"
        except _Stripped:
            return await self._as_resolver_says(zone)

    async def fault(self, zone: dns.name.Name) -> str:
        """Where the chain to a bogus zone breaks, in words; empty for any other. Raises `Trouble` where it cannot be told."""
        try:
            await self._validated(zone)
        except _Bogus as bogus:
            return str(bogus)
        except (_Insecure, _Stripped):
            pass
        return ""

    async def _as_resolver_says(self, zone: dns.name.Name) -> str:
        """The AD bit, where that is all there is: it proves that the resolver validated, its absence proves nothing."""
        found = await self.resolvers.ask(zone, SOA)
        if found.flags & dns.flags.AD:
            return "secure"
        raise Trouble(Reason.IN_DOUBT, "the resolver gives no signatures, so that DNSSEC cannot be validated through it")

    async def _validated(self, zone: dns.name.Name) -> str:
        await self._foresee(zone)
        at = dns.name.root
        keys = await self._root()
        for depth in range(2, len(zone) + 1):
            child = zone.split(depth)[1]
            ds = await self._delegation(child, at, keys)
            if ds is not None:
                at, keys = child, await self._zone_keys(child, ds)
        found = await self.resolvers.ask(zone, SOA, dnssec=True)
        rrsets = [*found.answer, *found.authority]
        soa = next((each for each in rrsets if each.rdtype == SOA and each.name == at), None)
        if soa is None:
            raise Trouble(Reason.PROTOCOL, f"{at} shows no SOA record")
        _validate(soa, rrsets, at, keys)
        return "secure"

    async def _foresee(self, zone: dns.name.Name) -> None:
        """Ask at once for all that the chain will want; what could not be had will be missed there."""
        names = [zone.split(depth)[1] for depth in range(2, len(zone) + 1)]
        wanted = [(dns.name.root, DNSKEY), *((name, type_) for name in names for type_ in (DS, DNSKEY)), (zone, SOA)]

        async def ask(name: dns.name.Name, type_: dns.rdatatype.RdataType) -> None:
            with suppress(Trouble):
                await self.resolvers.ask(name, type_, dnssec=True)

        await together(*(ask(*each) for each in wanted))

    async def _root(self) -> dns.rdataset.Rdataset:
        ds = dns.rdataset.from_text_list("IN", "DS", 0, list(self.anchors))
        found = await self.resolvers.ask(dns.name.root, DNSKEY, dnssec=True)
        if not any(each.rdtype == RRSIG for each in found.answer):
            raise _Stripped
        return await self._zone_keys(dns.name.root, ds)

    async def _delegation(
        self, child: dns.name.Name, parent: dns.name.Name, keys: dns.rdataset.Rdataset
    ) -> dns.rdataset.Rdataset | None:
        """The DS records of a child zone; None where no zone begins there. Raises `_Insecure` where it is proved to have none."""
        found = await self.resolvers.ask(child, DS, dnssec=True)
        ds = next((each for each in found.answer if each.rdtype == DS and each.name == child), None)
        if ds is not None:
            _validate(ds, found.answer, parent, keys)
            return ds
        alias = next((each for each in found.answer if each.rdtype == dns.rdatatype.CNAME and each.name == child), None)
        if alias is not None:
            _validate(alias, found.answer, parent, keys)
            return None
        denial = [each for each in found.authority if each.rdtype in (NSEC, NSEC3)]
        if not denial:
            raise _Bogus(f"{parent} proves neither that {child} has a DS record nor that it has none")
        for rrset in denial:
            _validate(rrset, found.authority, parent, keys)
        _denied(child, parent, denial)
        return None

    async def _zone_keys(self, zone: dns.name.Name, ds: Iterable[dns.rdata.Rdata]) -> dns.rdataset.Rdataset:
        """A zone's keys, signed by one that the DS records name."""
        if zone in self.keys:
            return self.keys[zone]
        named = [each for each in ds if isinstance(each, dns.rdtypes.ANY.DS.DS)]
        usable = [each for each in named if each.algorithm in ALGORITHMS and each.digest_type in DIGESTS]
        if not usable:
            raise _Insecure  # RFC 4035, section 5.2
        found = await self.resolvers.ask(zone, DNSKEY, dnssec=True)
        keys = next((each for each in found.answer if each.rdtype == DNSKEY and each.name == zone), None)
        if keys is None:
            raise _Bogus(f"there is a DS record of {zone}, and {zone} has no DNSKEY record")
        if len(keys) > MOST_KEYS:
            raise _Bogus(f"{zone} has {len(keys)} keys, more than anybody tries")
        trusted = [key for key in keys if any(_is_named(zone, key, each) for each in usable)]
        if not trusted:
            wanted, there = _numbers(each.key_tag for each in usable), _numbers(map(dns.dnssec.key_id, keys))
            raise _Bogus(f"the DS record of {zone} is for key {wanted}, and {zone} has {there}: none that it fits")
        _validate(keys, found.answer, zone, dns.rdataset.from_rdata_list(0, trusted))
        self.keys[zone] = keys
        return keys


def _is_named(zone: dns.name.Name, key: dns.rdata.Rdata, ds: dns.rdtypes.ANY.DS.DS) -> bool:
    assert isinstance(key, dns.rdtypes.ANY.DNSKEY.DNSKEY)
    if not key.flags & _ZONE_KEY or dns.dnssec.key_id(key) != ds.key_tag or key.algorithm != ds.algorithm:
        return False
    try:
        made = dns.dnssec.make_ds(zone, key, ds.digest_type, validating=True)
    except (dns.exception.DNSException, ValueError):
        return False
    return bool(made == ds)


def _validate(
    rrset: dns.rrset.RRset, section: Iterable[dns.rrset.RRset], signer: dns.name.Name, keys: dns.rdataset.Rdataset
) -> None:
    """Raises `_Bogus` unless one of the signatures of a set in its section is by a key of the signer's."""
    what = f"the {dns.rdatatype.to_text(rrset.rdtype)} record of {rrset.name}"
    signatures = next(
        (each for each in section if each.rdtype == RRSIG and each.name == rrset.name and each.covers == rrset.rdtype), None
    )
    if signatures is None:
        raise _Bogus(f"{what} has no signature")
    if len(signatures) > MOST_KEYS:
        raise _Bogus(f"{what} has {len(signatures)} signatures, more than anybody tries")
    try:
        dns.dnssec.validate(rrset, signatures, {signer: keys})
    except (dns.exception.DNSException, ValueError) as error:
        raise _Bogus(f"{what} {_wrong(signatures, signer, keys)}") from error


def _wrong(signatures: Iterable[dns.rdata.Rdata], signer: dns.name.Name, keys: dns.rdataset.Rdataset) -> str:
    """What is the matter with signatures of which none is right."""
    found = [each for each in signatures if isinstance(each, dns.rdtypes.ANY.RRSIG.RRSIG)]
    tags = set(map(dns.dnssec.key_id, keys))
    known = [each for each in found if each.signer == signer and each.key_tag in tags]
    now = time.time()
    if not known:
        return f"is signed by key {_numbers(each.key_tag for each in found)}, and {signer} trusts {_numbers(tags)}"
    if all(each.expiration < now for each in known):
        return f"has a signature that ended on {_day(max(each.expiration for each in known))}"
    if all(each.inception > now for each in known):
        return f"has a signature that does not hold before {_day(min(each.inception for each in known))}"
    return "was changed after it was signed: its signature does not fit it"


def _numbers(found: Iterable[int]) -> str:
    return " and ".join(map(str, sorted(set(found))))


def _day(seconds: int) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M} UTC"


def _denied(child: dns.name.Name, parent: dns.name.Name, denial: list[dns.rrset.RRset]) -> None:
    """Returns if it is proved that no zone begins at the child, raises `_Insecure` if one does that is not signed for."""
    for owner, rdata in ((each.name, rdata) for each in denial for rdata in each):
        if isinstance(rdata, dns.rdtypes.ANY.NSEC.NSEC):
            if owner == child:
                return _at(rdata)
            if owner < child and (child < rdata.next or rdata.next == parent):
                return None
        elif isinstance(rdata, dns.rdtypes.ANY.NSEC3.NSEC3):
            if rdata.iterations > MOST_ITERATIONS:
                raise _Insecure
            if owner == _hashed(child, parent, rdata):
                return _at(rdata)
    if any(_covers(each, parent, name) for name in _between(child, parent) for each in denial):
        return None
    raise _Bogus(f"what {parent} proves about {child} does not prove that it has no DS record")


def _covers(rrset: dns.rrset.RRset, parent: dns.name.Name, name: dns.name.Name) -> bool:
    """True if a hashed span covers a name; where the span may hold unsigned delegations, the name is insecure."""
    for rdata in rrset:
        if not isinstance(rdata, dns.rdtypes.ANY.NSEC3.NSEC3):
            continue
        hashed, start = _hashed(name, parent, rdata).labels[0].lower(), rrset.name.labels[0].lower()
        end = base64.b32hexencode(rdata.next).lower()
        inside = start < hashed < end if start < end else hashed > start or hashed < end
        if inside and rdata.flags & _OPT_OUT:
            raise _Insecure
        if inside:
            return True
    return False


def _hashed(name: dns.name.Name, parent: dns.name.Name, rdata: dns.rdtypes.ANY.NSEC3.NSEC3) -> dns.name.Name:
    label = dns.dnssec.nsec3_hash(name, rdata.salt, rdata.iterations, rdata.algorithm).lower()
    return dns.name.Name((label.encode(), *parent.labels))


def _between(child: dns.name.Name, parent: dns.name.Name) -> Iterator[dns.name.Name]:
    """The child and the names above it, below the parent."""
    for depth in range(len(child), len(parent), -1):
        yield child.split(depth)[1]


def _at(rdata: dns.rdtypes.ANY.NSEC.NSEC | dns.rdtypes.ANY.NSEC3.NSEC3) -> None:
    """What the types at the child's own name say: a DS that was hidden, a delegation without one, or no delegation."""
    if _has(rdata, DS):
        raise _Bogus("a DS record that is there is left out of the answer")
    if _has(rdata, dns.rdatatype.NS) and not _has(rdata, SOA):
        raise _Insecure


def _has(rdata: dns.rdtypes.ANY.NSEC.NSEC | dns.rdtypes.ANY.NSEC3.NSEC3, type_: dns.rdatatype.RdataType) -> bool:
    window, at = divmod(int(type_), 256)
    bitmap = dict(rdata.windows).get(window, b"")
    return at // 8 < len(bitmap) and bool(bitmap[at // 8] & (0x80 >> at % 8))
