"""Answers the DNS questions of a wave: each asked of the resolvers and of all authoritative servers, at once."""

from __future__ import annotations

import asyncio
import re
import secrets
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import dns.exception
import dns.name
import dns.rdatatype

from mailaudit.collect.budget import Budget, Trouble
from mailaudit.collect.dns.authority import Authorities
from mailaudit.collect.dns.chain import ROOT_ANCHORS, Chain
from mailaudit.collect.dns.heard import Heard
from mailaudit.collect.dns.replies import MOST_RECORDS, Told, not_public, told
from mailaudit.collect.dns.resolvers import Resolvers
from mailaudit.collect.dns.wire import Exchange, Query, Server
from mailaudit.collect.trips import Steps, follow, reached, together
from mailaudit.questions import Answer, Failed, Found, LookUp, Reason, RRset, ZoneFault, ZoneSecurity

DnsQuestion = LookUp | ZoneSecurity | ZoneFault
_LISTING = re.compile(r"(?:[0-9]{1,3}\.){4}|(?:[0-9a-f]\.){32}")
_RANDOM = 8  # bytes of a label that nobody has written down


@dataclass
class Lookups:
    """DNS as one host's audit asks it. `port` is where authoritative servers listen: 53 but in tests; `heard` is the run's."""

    servers: tuple[Server, ...]
    budget: Budget
    port: int = 53
    anchors: tuple[str, ...] = ROOT_ANCHORS
    heard: Heard = field(default_factory=Heard)

    def __post_init__(self) -> None:
        self.exchange = Exchange(self.budget, self.heard)
        self.resolvers = Resolvers(self.servers, self.exchange)
        self.authorities = Authorities(self.resolvers, self.port)
        self.chain = Chain(self.resolvers, self.anchors)

    async def ask(self, questions: Iterable[DnsQuestion]) -> dict[DnsQuestion, Answer]:
        """An answer to each question; what is not answered when the budget ends is `Failed(timeout)`."""
        chains: list[Steps] = []
        tasks = {question: asyncio.ensure_future(self._noted(question, chains)) for question in questions}
        if not tasks:
            return {}
        done, late = await asyncio.wait(tasks.values(), timeout=self.budget.left())
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)
        for chain in chains:
            follow(chain)
        over = self.budget.over.failed
        return {question: task.result() if task in done else over for question, task in tasks.items()}

    async def _noted(self, question: DnsQuestion, chains: list[Steps]) -> Answer:
        answer = await self._answer(question)
        chains.append(reached())
        return answer

    async def _answer(self, question: DnsQuestion) -> Answer:
        try:
            if isinstance(question, ZoneSecurity):
                return Found(await self.chain.state(dns.name.from_text(question.zone)))
            if isinstance(question, ZoneFault):
                return Found(await self.chain.fault(dns.name.from_text(question.zone)))
            if question.type == "RRSIG":
                return Found(await self._signatures(question.owner))
            return await self._look_up(question)
        except Trouble as trouble:
            return trouble.failed
        except (dns.exception.DNSException, ValueError) as error:
            return Failed(Reason.PROTOCOL, f"{question} cannot be asked: {error}")

    async def _signatures(self, owner: str) -> RRset:
        """A zone's signatures, as they come with its SOA and its keys: to a question for RRSIG many servers give no answer."""
        types = (dns.rdatatype.SOA, dns.rdatatype.DNSKEY)
        name = dns.name.from_text(owner)
        found = await together(*(self.resolvers.ask(name, type_, dnssec=True) for type_ in types))
        sets = [each for message in found for each in message.answer if each.rdtype == dns.rdatatype.RRSIG and each.name == name]
        records = sorted({rdata.to_text() for each in sets for rdata in each})
        return RRset("NOERROR", tuple(records[:MOST_RECORDS]), min((each.ttl for each in sets), default=None))

    async def _look_up(self, question: LookUp) -> Answer:
        owner = self._owner(question.owner)
        type_ = dns.rdatatype.from_text(question.type)
        found: list[Any] = await together(
            self._resolved(owner, type_), self._authoritative(owner, type_), self._by_tcp(owner, type_)
        )
        resolved: Told | Trouble
        resolved, servers, by_tcp = found
        if isinstance(resolved, Told) and _is_intercepted(servers.values()):
            servers = dict.fromkeys(servers, Trouble(Reason.IN_DOUBT, "something on the way answers in the name servers' place"))
        mapping = {
            server.address: {**_server(said), **by_tcp.get(server, {})}
            for server, said in servers.items()
            if not _is_from_here(said)
        }
        answers = [said for said in servers.values() if isinstance(said, Told) and said.aa and said.is_answer]
        own = next((said for said in answers if said.records or not said.aliases), None)
        if isinstance(resolved, Trouble):
            if own is None or await self._is_bogus(resolved, owner, type_):
                return resolved.failed
            return Found(_rrset(own, mapping, ad=None))
        odd = not_public(question.type, resolved.records)
        if odd is None or _is_listing(question.owner) or any(set(said.records) == set(resolved.records) for said in answers):
            return Found(_rrset(resolved, mapping, ad=resolved.ad))
        if own is not None:
            return Found(_rrset(own, mapping, ad=None))
        detail = f"the resolver answers {odd}, which is no public address, and no authoritative server says so as well"
        return Failed(Reason.IN_DOUBT, detail)

    def _owner(self, written: str) -> dns.name.Name:
        """The name to ask; `*` stands for one label for each domain that nobody has written down."""
        name = dns.name.from_text(written)
        if name.labels[0] != b"*":
            return name
        label = self.heard.labels.setdefault(name, f"mailaudit-{secrets.token_hex(_RANDOM)}".encode())
        return dns.name.Name((label, *name.labels[1:]))

    async def _resolved(self, owner: dns.name.Name, type_: dns.rdatatype.RdataType) -> Told | Trouble:
        try:
            return told(await self.resolvers.ask(owner, type_))
        except Trouble as trouble:
            return trouble

    async def _authoritative(self, owner: dns.name.Name, type_: dns.rdatatype.RdataType) -> Mapping[Server, Told | Trouble]:
        if _is_listing(owner.to_text()):
            return {}
        servers = await self.authorities.of(owner.parent() if type_ == dns.rdatatype.DS else owner)
        return dict(zip(servers, await together(*(self._said(each, owner, type_) for each in servers)), strict=True))

    async def _said(self, server: Server, owner: dns.name.Name, type_: dns.rdatatype.RdataType) -> Told | Trouble:
        try:
            return told(await self.exchange.ask(server, Query(owner, type_, recurse=False)))
        except Trouble as trouble:
            return trouble

    async def _by_tcp(self, owner: dns.name.Name, type_: dns.rdatatype.RdataType) -> dict[Server, dict[str, object]]:
        """Of a zone's SOA: what its servers say by TCP, which they must speak as well (RFC 7766, section 5)."""
        servers = await self.authorities.of(owner) if type_ == dns.rdatatype.SOA else ()
        found = await together(*(self._heard(each, Query(owner, type_, recurse=False, tcp=True)) for each in servers))
        return {server: {"tcp": said} for server, said in zip(servers, found, strict=True)}

    async def _heard(self, server: Server, query: Query) -> str:
        try:
            return told(await self.exchange.ask(server, query)).rcode
        except Trouble as trouble:
            return str(trouble.reason)

    async def _is_bogus(self, trouble: Trouble, owner: dns.name.Name, type_: dns.rdatatype.RdataType) -> bool:
        """True if a resolver that fails answers once it need not validate: then nobody who validates sees the record."""
        if trouble.reason is not Reason.SERVFAIL:
            return False
        try:
            await self.resolvers.ask(owner, type_, dnssec=True)
        except Trouble:
            return False
        trouble.detail += "; it answers when it is asked not to validate: DNSSEC is broken"
        return True


def _is_listing(owner: str) -> bool:
    """True for a question to a blocklist, which answers by codes in 127.0.0.0/8 and is asked through resolvers (RFC 5782)."""
    return _LISTING.match(owner) is not None and not owner.endswith(".arpa.")


def _is_intercepted(answers: Collection[Told | Trouble]) -> bool:
    """True where every server recurses and none has authority, though the zone can be resolved: networks catch port 53."""
    heard = [said for said in answers if isinstance(said, Told)]
    return bool(heard) and all(said.ra and not said.aa for said in heard)


def _is_from_here(said: Told | Trouble) -> bool:
    return isinstance(said, Trouble) and said.reason is Reason.OFFLINE


def _rrset(said: Told, servers: Mapping[str, Mapping[str, object]], *, ad: bool | None) -> RRset:
    return RRset(said.rcode, said.records, said.ttl, ad, said.aliases, servers)


def _server(said: Told | Trouble) -> dict[str, object]:
    if isinstance(said, Trouble):
        return {"error": str(said.reason), "detail": said.detail}
    entry: dict[str, object] = {"rcode": said.rcode, "aa": said.aa, "records": said.records}
    return {**entry, "cname": said.aliases} if said.aliases else entry
