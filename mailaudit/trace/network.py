"""The hops that only the network can tell of: names and addresses in DNS, greetings, TLS handshakes."""

from __future__ import annotations

from collections.abc import Generator, Iterable
from dataclasses import dataclass
from ipaddress import ip_address

from mailaudit.findings import Evidence
from mailaudit.models.endpoints import said
from mailaudit.questions import NOT_ASKED, Failed, Found, Handshake, LookUp, Reason, RRset
from mailaudit.trace.hops import ChainEndError, Hop, Kind, Verdict, broken, ok, unanswered, unknown
from mailaudit.trace.host import Host

MOST_NAMES = 16  # exchangers of a domain that are looked up
TYPES = ("A", "AAAA")
Steps = Generator[Hop, None, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class _Exchanger:
    preference: int
    name: str


def mail_exchanger(host: Host, domain: str) -> Steps:
    """Where DNS says that mail for a domain goes; the addresses that lead to this host, none where they are not known."""
    if domain.startswith("["):
        literal = domain.strip("[]").removeprefix("IPv6:")
        yield ok(Kind.DNS, domain, "The address stands in the mail address itself: DNS is not asked.")
        return (literal,)
    question = LookUp(f"{domain}.", "MX")
    answer = host.ask(question)
    if not isinstance(answer, Found) or not isinstance(answer.value, RRset):
        yield unanswered(Kind.DNS, str(question), answer)
        return host.site.ipv4 + host.site.ipv6
    said = _said(question, answer.value)
    wrong = _no_answer(question, answer.value)
    if wrong is not None:
        raise ChainEndError(wrong)
    exchangers = _exchangers(answer.value)
    if any(each.name == "" for each in exchangers):
        raise broken(Kind.DNS, str(question), f"{domain} says that it takes no mail at all (a null MX, RFC 7505).", said)
    names = list(dict.fromkeys(each.name for each in exchangers)) or [domain]
    leading = {name: found for name in names[:MOST_NAMES] if (found := _leads_here(host, name)) is not None}
    ours = [name for name in names if leading.get(name)]
    if not ours:
        yield _not_ours(host, question, names, leading, said)
        return host.site.ipv4 + host.site.ipv6
    best = [each.name for each in exchangers if each.preference == exchangers[0].preference] or [domain]
    if ours[0] in best:
        yield ok(Kind.DNS, str(question), f"Mail for {domain} goes to {ours[0]}, which is this host.", said)
    else:
        why = f"Mail for {domain} goes to {best[0]} first; it comes to this host when that one does not answer."
        yield unknown(Kind.DNS, str(question), Reason.IN_DOUBT, why, said)
    return (yield from addresses_of(host, ours[0]))


def addresses_of(host: Host, name: str | None) -> Steps:
    """The addresses of a name that others connect to; those that lead to this host, none where they are not known."""
    if name is None:
        message = "Under which name users connect is not known; mailaudit.toml can say it: mail_host."
        yield unknown(Kind.DNS, "the host's name", Reason.NOT_RECORDED, message)
        return ()
    answers = [(question, host.ask(question)) for question in (LookUp(f"{name}.", kind) for kind in TYPES)]
    subject = f"{name}. {' '.join(TYPES)}"
    found = [(question, answer.value) for question, answer in answers if isinstance(answer, Found)]
    records = [(question, value) for question, value in found if isinstance(value, RRset)]
    known = tuple(record for _, value in records for record in value.records if is_address(record))
    said = tuple(_said(question, value) for question, value in records)
    if not known:
        silent = next((answer for _, answer in answers if not isinstance(answer, Found)), None)
        if silent is not None:
            yield unanswered(Kind.DNS, subject, silent)
            return host.site.ipv4 + host.site.ipv6
        wrong = next((hop for question, value in records if (hop := _no_answer(question, value, subject)) is not None), None)
        raise ChainEndError(wrong) if wrong else broken(Kind.DNS, subject, f"{name} has no address.", *said)
    own = tuple(address for address in known if address in host.addresses)
    if not own and host.addresses:
        raise broken(Kind.DNS, subject, f"{name} is {', '.join(known)}: that is not this host.", *said)
    yield ok(Kind.DNS, subject, f"{name} is {', '.join(known)}.", *said)
    return own or known


def greeting(host: Host, addresses: Iterable[str], port: int, protocol: str) -> Generator[Hop, None, None]:
    """What answers on a port when one connects, and the TLS handshake there."""
    subject = f"port {port}"
    asked = [Handshake(address, port, protocol) for address in _one_of_each_family(addresses)]
    answers = [(question, host.ask(question)) for question in asked]
    told = [(question, said(question, answer)) for question, answer in answers]
    heard = [(question, fields) for question, fields in told if not isinstance(fields, Failed)]
    if not heard:
        refused = [question for question, answer in told if isinstance(answer, Failed) and answer.reason is Reason.REFUSED]
        if refused and len(refused) == len(answers):
            places = [Evidence(str(question), "refused") for question in refused]
            raise broken(Kind.GREETING, subject, f"Connections to port {port} are refused.", *places)
        failed = sorted((a for _, a in told if isinstance(a, Failed)), key=lambda a: a.reason in NOT_ASKED)
        silent = failed[0] if failed else Failed(Reason.OFFLINE, "no address is known to connect to")
        for kind in (Kind.GREETING, Kind.HANDSHAKE):
            yield unanswered(kind, subject, silent)
        return
    question, fields = heard[0]
    yield _greeted(subject, question, fields.get("greeting"))
    yield _shaken(subject, question, fields.get("starttls"), fields.get("protocols"))


def _greeted(subject: str, question: Handshake, words: object) -> Hop:
    if not isinstance(words, str):
        return Hop(Kind.GREETING, subject, Verdict.NOT_ASKED, "The greeting was not recorded.", reason=Reason.NOT_RECORDED)
    said = Evidence(str(question), words)
    good = words.startswith(("220", "* OK"))
    if not good and words.startswith(("5", "* BYE")):
        raise broken(Kind.GREETING, subject, "The server turns everybody away.", said)
    if not good:
        return unknown(Kind.GREETING, subject, Reason.PROTOCOL, "The server is there and does not greet as it should.", said)
    return ok(Kind.GREETING, subject, "The server greets.", said)


def _shaken(subject: str, question: Handshake, starttls: object, protocols: object) -> Hop:
    said = Evidence(
        str(question), ", ".join(map(str, protocols)) if isinstance(protocols, list | tuple) else f"STARTTLS: {starttls}"
    )
    if isinstance(protocols, list | tuple) and protocols:
        return ok(Kind.HANDSHAKE, subject, "The handshake succeeds.", said)
    if isinstance(protocols, list | tuple) or starttls is False:
        is_public = question.port == 25
        message = "The server offers no TLS" + ("; mail comes in clear." if is_public else ".")
        if is_public:
            return ok(Kind.HANDSHAKE, subject, message, said)
        raise broken(Kind.HANDSHAKE, subject, message, said)
    return Hop(Kind.HANDSHAKE, subject, Verdict.NOT_ASKED, "The handshake was not recorded.", reason=Reason.NOT_RECORDED)


def is_address(written: str) -> bool:
    """True for an IP address."""
    try:
        ip_address(written)
    except ValueError:
        return False
    return True


def _one_of_each_family(addresses: Iterable[str]) -> list[str]:
    by_version = {ip_address(each).version: each for each in reversed(tuple(addresses)) if is_address(each)}
    return [by_version[version] for version in sorted(by_version)]


def _said(question: LookUp, answer: RRset) -> Evidence:
    return Evidence(str(question), ", ".join(answer.records) or ("no records" if answer.rcode == "NOERROR" else answer.rcode))


def _no_answer(question: LookUp, answer: RRset, subject: str = "") -> Hop | None:
    """The hop at which a name that is not there, or that no server answers for, ends the chain or leaves it open."""
    subject = subject or str(question)
    if answer.rcode == "NXDOMAIN":
        return broken(Kind.DNS, subject, f"There is no {question.owner} in DNS.", _said(question, answer)).hop
    if answer.rcode != "NOERROR":
        reason = Reason.REFUSED if answer.rcode == "REFUSED" else Reason.SERVFAIL
        return unknown(Kind.DNS, subject, reason, "No server answers for this name.", _said(question, answer))
    return None


def _exchangers(answer: RRset) -> list[_Exchanger]:
    """The exchangers, best first; what is no MX record is left out."""
    found: list[_Exchanger] = []
    for record in answer.records:
        preference, _, name = record.partition(" ")
        if preference.isascii() and preference.isdigit() and len(preference) < 6:
            found.append(_Exchanger(int(preference), name.strip().lower().removesuffix(".")))
    return sorted(found, key=lambda each: each.preference)


def _leads_here(host: Host, name: str) -> bool | None:
    """True if a name is this host's, by name or by address; None where that cannot be told."""
    if name in host.names:
        return True
    answers = [host.ask(LookUp(f"{name}.", kind)) for kind in TYPES]
    records = {record for a in answers if isinstance(a, Found) and isinstance(a.value, RRset) for record in a.value.records}
    if not host.addresses or (not records and any(not isinstance(answer, Found) for answer in answers)):
        return None
    return bool(records & host.addresses)


def _not_ours(host: Host, question: LookUp, names: list[str], leading: dict[str, bool], said: Evidence) -> Hop:
    known = f"as far as is known, this host is {', '.join(sorted(host.names)) or 'without a name'}"
    if any(name not in leading for name in names):
        message = f"Mail goes to {', '.join(names)}. Whether that is this host could not be told: {known}."
        return unknown(Kind.DNS, str(question), Reason.NOT_RECORDED, message, said)
    raise broken(Kind.DNS, str(question), f"Mail goes to {', '.join(names)}, which is not this host ({known}).", said)
