"""MTA-STS policies (RFC 8461): what each says, and how it was had."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from mailaudit.models.certificates import Certificate, NotReadError
from mailaudit.models.chains import Chains
from mailaudit.models.dns.host import is_public
from mailaudit.models.dns.names import askable
from mailaudit.models.dns.policies import is_mta_sts
from mailaudit.models.dns.site_records import Dns
from mailaudit.models.sources import Known, Model, Slot, Sources
from mailaudit.questions import Absent, Endpoint, Failed, FetchPolicy, LookUp, Reason

LONGEST = 31_557_600  # seconds that a policy may be kept: a year
MOST_LINES = 1000
_SHOWN = 300  # characters of what was said
MODES = ("enforce", "testing", "none")
_FIELD = re.compile(r"([A-Za-z0-9][A-Za-z0-9_.-]{0,31})[ \t]*:[ \t]*(.*?)[ \t]*")
_PATTERN = re.compile(r"(?:\*\.)?(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?\.)+[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")


@dataclass(frozen=True, slots=True)
class Policy:
    """What a policy says: its mode, the seconds it is kept, and the patterns of exchangers in lower case.

    `faults` are parts of sentences; a policy with any is none to a sender.
    """

    mode: str
    max_age: int
    patterns: tuple[str, ...]
    faults: tuple[str, ...] = ()

    def allows(self, exchanger: str) -> bool:
        """True for an exchanger that it names: `*.` stands for one label, the first (RFC 8461, section 4.1)."""
        name = exchanger.lower().removesuffix(".")
        parent = name.partition(".")[2]
        return any(each == name or (bool(parent) and each == f"*.{parent}") for each in self.patterns)


def read_policy(body: str) -> Policy:
    """The policy in a text. Of a field that is there twice the first counts, of `mx` all; unknown ones are let be."""
    faults: list[str] = []
    values: dict[str, str] = {}
    patterns: list[str] = []
    lines = body.removesuffix("\n").split("\n")[:MOST_LINES]
    for number, line in enumerate(lines, 1):
        found = _FIELD.fullmatch(line.removesuffix("\r"))
        if found is None:
            faults.append(f"its line {number} is no field")
        elif found[1] == "mx":
            patterns.append(found[2].lower())
        else:
            values.setdefault(found[1], found[2])
    faults += _faults(values, patterns)
    age = values.get("max_age", "")
    return Policy(values.get("mode", ""), int(age) if re.fullmatch("[0-9]{1,10}", age) else 0, tuple(patterns), tuple(faults))


def _faults(values: Mapping[str, str], patterns: list[str]) -> Iterator[str]:
    if values.get("version") != "STSv1":
        yield 'it does not say "version: STSv1"'
    if values.get("mode") not in MODES:
        yield "its mode is not enforce, testing or none"
    age = values.get("max_age", "")
    if not re.fullmatch("[0-9]{1,10}", age) or int(age) > LONGEST:
        yield f"its max_age is no number of seconds up to {LONGEST}"
    if not patterns and values.get("mode") != "none":
        yield "it names no mx"
    for each in patterns:
        if not _PATTERN.fullmatch(each):
            yield "an mx of it is neither a host name nor one with *. before it"
            return


@dataclass(frozen=True, slots=True, eq=False)
class Fetched:
    """What the web host of a domain's policy said. What was not recorded is None or empty.

    `chain` and `trusted` are as with other listeners, `tls_error` is the alert that a handshake ended by; `policy` is there only
    if there was a text, `too_long` is true for one that is longer than a policy may be.
    """

    at: FetchPolicy
    address: str = ""
    status: int | None = None
    type: str = ""
    location: str = ""
    chain: tuple[Certificate, ...] | NotReadError | None = None
    trusted: bool | None = None
    trust_error: str = ""
    tls_error: str = ""
    too_long: bool = False
    policy: Policy | None = None

    @property
    def leaf(self) -> Certificate | None:
        """The web host's own certificate, where it could be read."""
        return self.chain[0] if isinstance(self.chain, tuple) else None


@dataclass(frozen=True, eq=False)
class Policies(Model):
    """What came of fetching, by domain; of domains without a record nothing is fetched."""

    found: Mapping[str, Fetched | Failed] = field(default_factory=dict)


def read_policies(sources: Sources, dns: Slot[Dns]) -> Slot[Policies]:
    """The policies of the domains that have a record. Their hosts are asked once all their addresses are known."""
    if not isinstance(dns, Known):
        return dns
    found = {}
    for domain in dns.value.domains:
        texts = [text for text in dns.value.look(f"_mta-sts.{domain}", "TXT").texts if is_mta_sts(text)]
        owner = askable(domain)
        if len(texts) == 1 and owner is not None:
            found[domain] = _fetched(sources, dns.value, owner.removesuffix("."))
    return Known(Policies(found=found))


def _fetched(sources: Sources, dns: Dns, domain: str) -> Fetched | Failed:
    replies = [dns.look(f"mta-sts.{domain}", type_) for type_ in ("AAAA", "A")]
    addresses = tuple(each for reply in replies for each in reply.data if is_public(each) or each in dns.host.known)
    question = FetchPolicy(domain, addresses)
    if sources.snapshot.answer(question) is None and not addresses:
        inner = Failed(Reason.IN_DOUBT, f"{question.host} has no address that the Internet sees")
        return next((reply.failed for reply in replies if reply.failed is not None), inner)
    if sources.snapshot.online and any(LookUp(f"mta-sts.{domain}.", type_) in sources.wanted for type_ in ("A", "AAAA")):
        return Failed(Reason.NOT_RECORDED, f"{question} is asked for in the next wave")
    answer = sources.ask(question)
    if isinstance(answer, Failed):
        return answer
    if isinstance(answer, Absent) or not isinstance(answer.value, Endpoint):
        return Failed(Reason.NOT_RECORDED, f"{question} was not recorded")
    return _read(question, answer.value.fields)


def _read(question: FetchPolicy, fields: Mapping[str, object]) -> Fetched:
    status, trusted, body = fields.get("status"), fields.get("trusted"), fields.get("body")
    return Fetched(
        at=question,
        address=_text(fields.get("address")),
        status=status if isinstance(status, int) and not isinstance(status, bool) else None,
        type=_text(fields.get("type")),
        location=_text(fields.get("location")),
        chain=Chains().read(fields.get("chain")),
        trusted=trusted if isinstance(trusted, bool) else None,
        trust_error=_text(fields.get("trust_error")),
        tls_error=_text(fields.get("tls_error")),
        too_long=fields.get("too_long") is True,
        policy=read_policy(body) if isinstance(body, str) else None,
    )


def _text(value: object) -> str:
    return value[:_SHOWN] if isinstance(value, str) else ""
