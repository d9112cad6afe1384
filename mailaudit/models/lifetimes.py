"""How long the certificates live that lie on the host or are shown by it: for reports, which judge nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from mailaudit.findings import Lifetime
from mailaudit.models.certificates import Certificate
from mailaudit.models.endpoints import Endpoints
from mailaudit.models.mta_sts import Fetched, Policies
from mailaudit.models.pem import PemFiles
from mailaudit.models.sources import Known, Slot


def lifetimes(slots: Mapping[type, Slot[object]]) -> tuple[Lifetime, ...]:
    """The servers' own certificates: of each file, of each address and port, of each web host of a policy; in this order."""
    models = [slot.value for slot in slots.values() if isinstance(slot, Known)]
    return tuple(sorted({_lifetime(at, each) for model in models for at, each in _of(model)}, key=_order))


def _of(model: object) -> Iterator[tuple[str, Certificate]]:
    match model:
        case PemFiles():
            for path, chain in model.chains.items():
                if isinstance(chain, tuple):
                    yield path, chain[0]
        case Endpoints():
            for seen in model.seen():
                if seen.leaf is not None:
                    address = f"[{seen.at.address}]" if ":" in seen.at.address else seen.at.address
                    yield f"{address}:{seen.at.port}", seen.leaf
        case Policies():
            for fetched in model.found.values():
                if isinstance(fetched, Fetched) and fetched.leaf is not None:
                    yield f"{fetched.at.host}:443", fetched.leaf


def _lifetime(at: str, certificate: Certificate) -> Lifetime:
    names = certificate.names or tuple(map(str, certificate.addresses)) or (certificate.subject,)
    return Lifetime(at, names, certificate.not_before, certificate.not_after, certificate.digest)


def _order(lifetime: Lifetime) -> tuple[bool, str]:
    return not lifetime.at.startswith("/"), lifetime.at
