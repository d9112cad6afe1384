"""check_host() of RFC 7208: what a receiver makes of a domain's record for a client's address."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

from mailaudit.models.spf.macros import Transaction, cut, expand
from mailaudit.models.spf.record import LOOKING_UP, SpfRecord, SyntaxFault, Term, is_explanation, read_record, records_of
from mailaudit.questions import Failed

MOST_EXCHANGERS = 10
MOST_NAMES = 10  # of an address that "ptr" looks at
DEEPEST = 12  # records one behind another, where the limit of lookups is lifted to count them: each takes a wave of questions
_RESULTS = {"+": "pass", "-": "fail", "~": "softfail", "?": "neutral"}


@dataclass(frozen=True, slots=True)
class Looked:
    """What DNS answered: addresses, names without their final dots, MX by preference, or texts; none for a void lookup."""

    values: tuple[str, ...] = ()
    failed: Failed | None = None


Ask = Callable[[str, str], Looked]
"""Name without its final dot and type; the same question has the same answer."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Section 4.6.4. With higher ones a record is counted instead of refused."""

    lookups: int = 10
    voids: int = 2


@dataclass(frozen=True, slots=True)
class SpfResult:
    """What came out: none, neutral, pass, fail, softfail, temperror or permerror (section 2.6).

    `term` decided it, in the record of `domain`. `why` tells an error; `failed` is the answer that could not be told.
    """

    result: str
    domain: str = ""
    term: Term | None = None
    why: str = ""
    failed: Failed | None = None
    explanation: str | None = None
    lookups: int = 0
    voids: int = 0


class _StopError(Exception):
    """Evaluation ends with an error."""

    def __init__(self, result: str, why: str, failed: Failed | None = None) -> None:
        super().__init__(why)
        self.result = result
        self.failed = failed


def check_host(address: str, sender: str, helo: str, ask: Ask, limits: Limits | None = None) -> SpfResult:
    """Evaluate the record of the sender's domain, or of HELO's for an empty sender.

    Raises ValueError for what is no address. Whatever the records say, it ends: lookups and depth are bounded.
    """
    client: IPv4Address | IPv6Address = ip_address(address)
    mapped = client.ipv4_mapped if isinstance(client, IPv6Address) else None
    local, _, domain = (sender or helo).rpartition("@")
    transaction = Transaction(mapped or client, helo, local or "postmaster", domain)
    checking = _Checking(transaction, ask, limits or Limits())
    try:
        found = checking.host(domain, 0, is_own=True)
    except _StopError as stop:
        found = SpfResult(stop.result, domain, why=str(stop), failed=stop.failed)
    return SpfResult(
        found.result,
        found.domain,
        found.term,
        found.why,
        found.failed,
        found.explanation,
        checking.lookups,
        checking.voids,
    )


def is_name(domain: str) -> bool:
    """True for a domain that a record may be asked of (section 4.3): several labels, none of them empty or too long."""
    labels = domain.removesuffix(".").split(".")
    return len(labels) > 1 and all(0 < len(label) < 64 for label in labels) and len(domain) < 255 and "[" not in domain


@dataclass
class _Checking:
    """One evaluation: the counts are those of all records together."""

    transaction: Transaction
    ask: Ask
    limits: Limits
    lookups: int = 0
    voids: int = 0
    names: dict[str, str] = field(default_factory=dict)

    def host(self, domain: str, depth: int, *, is_own: bool) -> SpfResult:
        if not is_name(domain) or not domain.isascii():
            return SpfResult("none", domain)
        if depth > DEEPEST:
            raise _StopError("permerror", "records include one another without an end")
        looked = self.ask(domain, "TXT")
        if looked.failed is not None:
            raise _StopError("temperror", looked.failed.detail, looked.failed)
        texts = records_of(looked.values)
        if not texts:
            return SpfResult("none", domain)
        if len(texts) > 1:
            raise _StopError("permerror", f"{domain} has {len(texts)} SPF records")
        try:
            record = read_record(texts[0])
        except SyntaxFault as fault:
            raise _StopError("permerror", f"the record of {domain} is wrong: {fault}") from fault
        self._foresee(record, domain)
        return self._record(record, domain, depth, is_own=is_own)

    def _foresee(self, record: SpfRecord, domain: str) -> None:
        """Ask at once for what a record names, so that a long record needs few waves."""
        kinds = {"include": "TXT", "redirect": "TXT", "mx": "MX", "exists": "A", "a": self._family}
        for term in [term for term in record.terms if term.name in kinds][: self.limits.lookups]:
            if "%" not in (term.domain or ""):
                self._look(term.domain or domain, kinds[term.name])

    @property
    def _family(self) -> str:
        return "A" if self.transaction.address.version == 4 else "AAAA"

    def _record(self, record: SpfRecord, domain: str, depth: int, *, is_own: bool) -> SpfResult:
        for term in record.mechanisms:
            if self._matches(term, domain, depth):
                result = _RESULTS[term.qualifier]
                explanation = self._explanation(record, domain) if result == "fail" and is_own else None
                return SpfResult(result, domain, term, explanation=explanation)
        redirect = record.modifier("redirect")
        if redirect is None:
            return SpfResult("neutral", domain)
        self._count(redirect)
        target = self._target(redirect, domain)
        found = self.host(target, depth + 1, is_own=is_own)
        if found.result == "none":
            raise _StopError("permerror", f'"{redirect.written}" leads to no record')
        return found

    def _matches(self, term: Term, domain: str, depth: int) -> bool:
        address = self.transaction.address
        if term.name in LOOKING_UP:
            self._count(term)
        if term.network is not None:
            return address.version == term.network.version and address in term.network
        if term.name == "all":
            return True
        target = self._target(term, domain)
        match term.name:
            case "include":
                found = self._include(term, target, depth)
            case "a":
                found = self._is_one_of(self._needed(target, self._family), term)
            case "mx":
                found = self._exchanger(term, target)
            case "exists":
                found = bool(self._needed(target, "A"))
            case _:
                found = self._pointer(target)
        return found

    def _count(self, term: Term) -> None:
        self.lookups += 1
        if self.lookups > self.limits.lookups:
            raise _StopError("permerror", f'more than {self.limits.lookups} terms look something up, the last "{term.written}"')

    def _target(self, term: Term, domain: str) -> str:
        if term.domain is None:
            return domain
        return cut(expand(term.domain, self.transaction, domain, lambda: self._validated(domain)))

    def _look(self, name: str, type_: str) -> Looked:
        return self.ask(cut(name), type_) if is_name(cut(name)) else Looked()

    def _needed(self, name: str, type_: str) -> tuple[str, ...]:
        """An answer that the result hangs on; nothing there is void."""
        looked = self._look(name, type_)
        if looked.failed is not None:
            raise _StopError("temperror", looked.failed.detail, looked.failed)
        if not looked.values:
            self.voids += 1
            if self.voids > self.limits.voids:
                raise _StopError("permerror", f"more than {self.limits.voids} lookups find nothing, the last {name} {type_}")
        return looked.values

    def _include(self, term: Term, target: str, depth: int) -> bool:
        found = self.host(target, depth + 1, is_own=False)
        if found.result == "none":
            raise _StopError("permerror", f'"{term.written}" names a domain without a record')
        return found.result == "pass"

    def _is_one_of(self, addresses: tuple[str, ...], term: Term) -> bool:
        client = self.transaction.address
        bits = term.bits4 if client.version == 4 else term.bits6
        networks = (ip_network(f"{each}/{bits}", strict=False) for each in addresses)
        return any(client.version == network.version and client in network for network in networks)

    def _exchanger(self, term: Term, target: str) -> bool:
        names = self._needed(target, "MX")
        if len(names) > MOST_EXCHANGERS:
            raise _StopError("permerror", f"{target} has more than {MOST_EXCHANGERS} mail exchangers")
        found = [self._look(name, self._family) for name in names]
        for looked in found:
            if looked.failed is not None:
                raise _StopError("temperror", looked.failed.detail, looked.failed)
            if self._is_one_of(looked.values, term):
                return True
        return False

    def _names(self) -> list[str]:
        """The client's names that lead back to its address."""
        looked = self.ask(self.transaction.backwards, "PTR")
        names = [name.removesuffix(".").lower() for name in looked.values[:MOST_NAMES]]
        return [name for name in names if self._is_one_of(self._look(name, self._family).values, Term("", "ptr", "+"))]

    def _pointer(self, target: str) -> bool:
        wanted = target.lower()
        return any(name == wanted or name.endswith(f".{wanted}") for name in self._names())

    def _validated(self, domain: str) -> str:
        if domain not in self.names:
            found = self._names()
            wanted = domain.lower()
            below = [name for name in found if name.endswith(f".{wanted}")]
            self.names[domain] = next(iter([*(n for n in found if n == wanted), *below, *found]), "unknown")
        return self.names[domain]

    def _explanation(self, record: SpfRecord, domain: str) -> str | None:
        term = record.modifier("exp")
        if term is None:
            return None
        looked = self._look(self._target(term, domain), "TXT")
        if looked.failed is not None or len(looked.values) != 1 or not is_explanation(looked.values[0]):
            return None
        return expand(looked.values[0], self.transaction, domain, lambda: self._validated(domain))
