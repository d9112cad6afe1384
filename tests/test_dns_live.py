"""DNS as it is asked over the network: real servers with signed zones, and servers of the tests' own that misbehave."""

from __future__ import annotations

import asyncio
import errno
import re
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from ipaddress import ip_address
from typing import Any

import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
import dns.rrset
import dns_lab
import pytest

from mailaudit.collect import ways
from mailaudit.collect.budget import Budget, Trouble
from mailaudit.collect.dns import wire
from mailaudit.collect.dns.heard import Heard
from mailaudit.collect.dns.lookups import Lookups
from mailaudit.collect.dns.wire import Exchange, Query, Server
from mailaudit.collect.trips import alone
from mailaudit.models.dns.reply import reply_of
from mailaudit.models.dns.signatures import signatures
from mailaudit.questions import Answer, Failed, Found, LookUp, Reason, RRset, ZoneFault, ZoneSecurity

# ---- nsd and unbound


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dns_lab.Lab]:
    lacking = dns_lab.missing()
    if lacking:
        pytest.skip(f"{lacking} is not installed")
    with dns_lab.running(tmp_path_factory.mktemp("dns")) as running:
        yield running


def of_lab(lab: dns_lab.Lab, question: LookUp | ZoneSecurity | ZoneFault, *, anchor: str | None = None) -> Answer:
    lookups = Lookups((Server("127.0.0.1", lab.resolver),), Budget(20), lab.authority, (anchor or lab.anchor,))
    return asyncio.run(lookups.ask([question]))[question]


def rrset(answer: Answer) -> RRset:
    assert isinstance(answer, Found), answer
    assert isinstance(answer.value, RRset)
    return answer.value


@pytest.mark.daemon
@pytest.mark.parametrize(
    ("zone", "state"),
    [
        ("signed.test.", "secure"),
        ("mail.signed.test.", "secure"),  # no zone of its own
        ("nothing.signed.test.", "secure"),  # a wildcard's alias
        ("hashed.test.", "secure"),
        ("nothing.hashed.test.", "secure"),
        ("plain.test.", "insecure"),
        ("broken.test.", "bogus"),
        ("signed.opt.", "secure"),
        ("plain.opt.", "insecure"),  # a registry with opt-out
    ],
)
def test_zones_are_validated_from_the_root(lab: dns_lab.Lab, zone: str, state: str) -> None:
    assert of_lab(lab, ZoneSecurity(zone)) == Found(state)


@pytest.mark.daemon
@pytest.mark.parametrize(
    ("zone", "fault"),
    [
        ("signed.test.", ""),
        ("plain.test.", ""),
        (
            "broken.test.",
            "the SOA record of broken.test. was changed after it was signed: its signature does not fit it",
        ),
        ("over.test.", "the DNSKEY record of over.test. has a signature that ended on 2025-02-01 00:00 UTC"),
        ("early.test.", "the DNSKEY record of early.test. has a signature that does not hold before 2099-01-01 00:00 UTC"),
        ("missing.test.", "the SOA record of missing.test. has no signature"),
        ("keyless.test.", "there is a DS record of keyless.test., and keyless.test. has no DNSKEY record"),
        ("rekeyed.test.", "the DS record of rekeyed.test. is for key N, and rekeyed.test. has N: none that it fits"),
    ],
)
def test_where_the_chain_breaks(lab: dns_lab.Lab, zone: str, fault: str) -> None:
    assert of_lab(lab, ZoneSecurity(zone)) == Found("bogus" if fault else "insecure" if zone == "plain.test." else "secure")
    found = of_lab(lab, ZoneFault(zone))
    assert isinstance(found, Found)
    assert re.sub(r"(key|has) [0-9]+", r"\1 N", str(found.value)) == fault


@pytest.mark.daemon
def test_the_signatures_of_a_zone_come_with_its_soa_and_its_keys(lab: dns_lab.Lab) -> None:
    records = rrset(of_lab(lab, LookUp("signed.test.", "RRSIG"))).records
    assert {record.split()[0] for record in records} == {"SOA", "DNSKEY"}
    found = signatures(reply_of(LookUp("signed.test.", "RRSIG"), of_lab(lab, LookUp("signed.test.", "RRSIG"))))
    assert all(each.begins < each.ends for each in found)
    assert rrset(of_lab(lab, LookUp("plain.test.", "RRSIG"))).records == ()


@pytest.mark.daemon
def test_a_chain_is_asked_for_at_once(lab: dns_lab.Lab) -> None:
    lookups = Lookups((Server("127.0.0.1", lab.resolver),), Budget(20), lab.authority, (lab.anchor,))
    question = ZoneSecurity("signed.test.")
    answers, chain = asyncio.run(alone(lookups.ask([question])))
    assert answers == {question: Found("secure")}
    assert len(chain) == 1


@pytest.mark.daemon
def test_with_another_anchor_all_is_bogus(lab: dns_lab.Lab) -> None:
    assert of_lab(lab, ZoneSecurity("signed.test."), anchor=f"1 13 2 {'00' * 32}") == Found("bogus")


@pytest.mark.daemon
def test_the_resolver_and_each_authoritative_server_answer(lab: dns_lab.Lab) -> None:
    found = rrset(of_lab(lab, LookUp("signed.test.", "MX")))
    assert (found.rcode, found.records, found.ttl, found.ad) == ("NOERROR", ("0 mail.signed.test.",), 300, True)
    assert found.servers == {"127.0.0.1": {"rcode": "NOERROR", "aa": True, "records": ("0 mail.signed.test.",)}}


@pytest.mark.daemon
def test_a_random_label_finds_the_wildcard_and_nothing_where_there_is_none(lab: dns_lab.Lab) -> None:
    found = rrset(of_lab(lab, LookUp("*.signed.test.", "A")))
    assert (found.records, found.cname) == (("203.0.113.9",), ("signed.test.",))
    assert rrset(of_lab(lab, LookUp("*.plain.test.", "A"))).rcode == "NXDOMAIN"


@pytest.mark.daemon
def test_an_answer_that_does_not_fit_udp_comes_whole(lab: dns_lab.Lab) -> None:
    found = rrset(of_lab(lab, LookUp("long._domainkey.signed.test.", "TXT")))
    assert len(found.records[0]) == 8 * 252 + 7
    assert found.servers["127.0.0.1"]["records"] == found.records


@pytest.mark.daemon
def test_what_a_resolver_withholds_for_dnssec_is_servfail_though_the_servers_have_it(lab: dns_lab.Lab) -> None:
    answer = of_lab(lab, LookUp("broken.test.", "A"))
    assert isinstance(answer, Failed)
    assert answer.reason is Reason.SERVFAIL
    assert "DNSSEC is broken" in answer.detail


@pytest.mark.daemon
def test_a_private_address_that_the_zone_itself_has_is_its_answer(lab: dns_lab.Lab) -> None:
    assert rrset(of_lab(lab, LookUp("inside.plain.test.", "A"))).records == ("10.1.2.3",)


@pytest.mark.daemon
def test_aliases_and_absence(lab: dns_lab.Lab) -> None:
    assert rrset(of_lab(lab, LookUp("alias.hashed.test.", "AAAA"))).cname == ("mail.hashed.test.",)
    nothing = rrset(of_lab(lab, LookUp("mail.hashed.test.", "TXT")))
    assert (nothing.rcode, nothing.records, nothing.ttl) == ("NOERROR", (), None)


# ---- servers that misbehave

Reply = Callable[[dns.message.Message], bytes | None]


class _Udp(asyncio.DatagramProtocol):
    def __init__(self, reply: Reply) -> None:
        self.reply, self.asked = reply, 0

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self.asked += 1
        said = self.reply(dns.message.from_wire(data))
        if said is not None:
            self.transport.sendto(said, addr)


@asynccontextmanager
async def server(reply: Reply) -> AsyncIterator[tuple[Server, _Udp]]:
    loop = asyncio.get_running_loop()
    transport, protocol = await loop.create_datagram_endpoint(lambda: _Udp(reply), local_addr=("127.0.0.1", 0))
    try:
        yield Server("127.0.0.1", transport.get_extra_info("sockname")[1]), protocol
    finally:
        transport.close()


def saying(*records: str, rcode: dns.rcode.Rcode = dns.rcode.NOERROR, aa: bool = False) -> Reply:
    """Answers every question with these records of its name and type; of NS and SOA it knows nothing."""

    def reply(query: dns.message.Message) -> bytes:
        answer = dns.message.make_response(query)
        answer.set_rcode(rcode)
        answer.flags |= dns.flags.AA if aa else dns.flags.Flag(0)
        asked = query.question[0]
        if records and asked.rdtype in (dns.rdatatype.A, dns.rdatatype.TXT):
            answer.answer.append(dns.rrset.from_text_list(asked.name, 60, "IN", asked.rdtype, records))
        return answer.to_wire()

    return reply


A = LookUp("mail.example.com.", "A")
OF_A = Query(dns.name.from_text("mail.example.com."), dns.rdatatype.A)


def asked_of(*replies: Reply, question: LookUp | ZoneSecurity = A, seconds: float = 10.0) -> Answer:
    """The answer where each resolver in turn behaves so."""

    async def run() -> Answer:
        servers: list[Server] = []

        async def with_next(left: tuple[Reply, ...]) -> Answer:
            if not left:
                return (await Lookups(tuple(servers), Budget(seconds)).ask([question]))[question]
            async with server(left[0]) as (each, _):
                servers.append(each)
                return await with_next(left[1:])

        following: Awaitable[Answer] = with_next(replies)
        return await following

    return asyncio.run(run())


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire, "PATIENCE", (0.05, 0.1))
    monkeypatch.setattr(wire, "TCP_PATIENCE", 0.2)


@pytest.mark.parametrize(
    ("rcode", "reason"),
    [
        (dns.rcode.SERVFAIL, Reason.SERVFAIL),
        (dns.rcode.REFUSED, Reason.REFUSED),
        (dns.rcode.YXDOMAIN, Reason.PROTOCOL),
    ],
)
def test_a_failure_is_never_an_absence(rcode: dns.rcode.Rcode, reason: Reason) -> None:
    answer = asked_of(saying(rcode=rcode))
    assert isinstance(answer, Failed)
    assert answer.reason is reason


@pytest.mark.usefixtures("hasty")
@pytest.mark.parametrize("bad", [saying(rcode=dns.rcode.SERVFAIL), saying(rcode=dns.rcode.REFUSED), lambda _: None])
def test_the_next_resolver_is_asked_where_one_fails(bad: Reply) -> None:
    assert rrset(asked_of(bad, saying("203.0.113.9"))).records == ("203.0.113.9",)


@pytest.mark.usefixtures("hasty")
def test_silence_is_a_timeout() -> None:
    answer = asked_of(lambda _: None)
    assert isinstance(answer, Failed)
    assert answer.reason is Reason.TIMEOUT


@pytest.mark.usefixtures("hasty")
def test_rubbish_is_not_waited_for_beyond_the_time_of_an_answer() -> None:
    answer = asked_of(lambda _: b"\xff" * 40)
    assert isinstance(answer, Failed)
    assert answer.reason is Reason.TIMEOUT


@pytest.mark.usefixtures("hasty")
def test_an_answer_to_another_question_is_not_taken() -> None:
    other = dns.message.make_query("evil.example.net.", "A")
    assert isinstance(asked_of(lambda _: saying("198.51.100.66")(other)), Failed)


def test_a_server_without_edns_is_asked_without_it() -> None:
    def reply(query: dns.message.Message) -> bytes | None:
        return saying(rcode=dns.rcode.FORMERR)(query) if query.edns >= 0 else saying("203.0.113.9")(query)

    assert rrset(asked_of(reply)).records == ("203.0.113.9",)


@pytest.mark.parametrize("address", ["198.18.0.7", "10.0.0.1", "127.0.1.1", "100.64.3.2", "240.0.0.1"])
def test_an_address_that_only_a_resolver_has_and_nobody_can_reach_is_in_doubt(address: str) -> None:
    answer = asked_of(saying(address))
    assert isinstance(answer, Failed)
    assert answer.reason is Reason.IN_DOUBT
    assert address in answer.detail


@pytest.mark.parametrize("owner", ["9.113.0.203.zen.example.com.", f"{'1.' * 32}zen.example.com."])
def test_a_code_of_a_blocklist_is_an_answer_and_its_own_servers_are_not_bothered(owner: str) -> None:
    found = rrset(asked_of(saying("127.0.0.2"), question=LookUp(owner, "A")))
    assert (found.records, found.servers) == (("127.0.0.2",), {})


def test_a_budget_ends_everything() -> None:
    start = time.monotonic()
    answer = asked_of(lambda _: None, lambda _: None, seconds=0.3)
    assert isinstance(answer, Failed)
    assert answer.reason is Reason.TIMEOUT
    assert time.monotonic() - start < 1.5


@pytest.mark.usefixtures("hasty")
def test_a_silent_resolver_is_given_up_soon() -> None:
    async def run() -> int:
        async with server(lambda _: None) as (silent, protocol):
            lookups = Lookups((silent,), Budget(20))
            for number in range(10):
                await lookups.ask([LookUp(f"host{number}.example.com.", "A")])
            return protocol.asked

    assert asyncio.run(run()) <= 2 * (wire.SILENT_AFTER + 1)


def test_what_one_host_was_told_no_other_asks_again() -> None:
    """Hosts of one site share their zones, and many at once are too much for a small name server."""

    async def run() -> int:
        async with server(lambda query: dns.message.make_response(query).to_wire()) as (at, protocol):
            shared = Heard()
            hosts = [Exchange(Budget(5), shared) for _ in range(3)]
            await asyncio.gather(*(each.ask(at, OF_A) for each in hosts))
            await asyncio.gather(*(each.ask(at, OF_A) for each in hosts))
            return protocol.asked

    assert asyncio.run(run()) == 1


def test_what_one_host_was_not_told_in_its_time_another_asks_itself() -> None:
    async def run() -> list[object]:
        def slow(query: dns.message.Message) -> bytes | None:
            return dns.message.make_response(query).to_wire() if protocol.asked > 1 else None

        async with server(slow) as (at, protocol):
            shared = Heard()
            asked = (Exchange(Budget(seconds), shared).ask(at, OF_A) for seconds in (0.2, 5, 5, 5))
            told: list[object] = await asyncio.gather(*asked, return_exceptions=True)
            assert protocol.asked == 2  # not all at once
            return told

    first, *others = asyncio.run(run())
    assert isinstance(first, Trouble)
    assert all(isinstance(each, dns.message.Message) for each in others)


def test_what_one_wave_waits_for_is_not_asked_again_by_the_next() -> None:
    heard: list[str] = []

    async def run() -> None:
        begun = asyncio.Event()

        def silent(query: dns.message.Message) -> None:
            heard.append(str(query.question[0]))
            begun.set()

        async with server(silent) as (slow, _):
            lookups = Lookups((slow,), Budget(0.4))
            first = asyncio.ensure_future(lookups.ask([A]))
            await begun.wait()
            await asyncio.gather(first, lookups.ask([A]))

    asyncio.run(run())
    assert heard
    assert len(heard) == len(set(heard))


def test_the_ad_bit_is_evidence_where_signatures_are_left_out() -> None:
    def reply(query: dns.message.Message) -> bytes:
        answer = dns.message.make_response(query)
        answer.flags |= dns.flags.AD
        return answer.to_wire()

    assert asked_of(reply, question=ZoneSecurity("example.com.")) == Found("secure")
    without = asked_of(saying(), question=ZoneSecurity("example.com."))
    assert isinstance(without, Failed)
    assert without.reason is Reason.IN_DOUBT


def beside(resolver: Reply, authority: Reply, question: LookUp = A) -> Answer:
    """The answer where the zone's name server is one of ours too; the resolver knows it whatever else it says."""

    def knowing(query: dns.message.Message) -> bytes | None:
        asked, answer = query.question[0], dns.message.make_response(query)
        known = {("example.com.", "NS"): "ns.example.net.", ("ns.example.net.", "A"): "127.0.0.1"}
        data = known.get((asked.name.to_text(), dns.rdatatype.to_text(asked.rdtype)))
        if data is not None:
            answer.answer.append(dns.rrset.from_text(asked.name, 60, "IN", asked.rdtype, data))
        elif asked.name.to_text() == question.owner and asked.rdtype != dns.rdatatype.NS:
            return resolver(query)
        return answer.to_wire()

    async def run() -> Answer:
        async with server(knowing) as (at, _), server(authority) as (other, _):
            lookups = Lookups((at,), Budget(10), other.port)
            return (await lookups.ask([question]))[question]

    return asyncio.run(run())


def test_a_lame_server_is_told_beside_the_answer() -> None:
    found = rrset(beside(saying("203.0.113.9"), saying(rcode=dns.rcode.REFUSED)))
    assert found.records == ("203.0.113.9",)
    assert found.servers == {"127.0.0.1": {"rcode": "REFUSED", "aa": False, "records": ()}}


def test_a_server_that_cannot_answer_now_is_not_lame_but_untold() -> None:
    found = rrset(beside(saying("203.0.113.9"), saying(rcode=dns.rcode.SERVFAIL)))
    [said] = reply_of(A, Found(found)).servers
    assert (said.lame, said.failed) == (False, Reason.SERVFAIL)


def test_a_server_that_is_closed_by_tcp_is_told_beside_its_answer() -> None:
    soa = LookUp("example.com.", "SOA")
    found = rrset(beside(saying(), saying(aa=True), soa))
    assert found.servers["127.0.0.1"] == {"rcode": "NOERROR", "aa": True, "records": (), "tcp": "refused"}


def test_a_closed_port_is_heard_at_once() -> None:
    async def run() -> Answer:
        async with server(saying()) as (at, _):
            closed = Server("127.0.0.1", at.port)
        return (await Lookups((closed,), Budget(20)).ask([A]))[A]

    start = time.monotonic()
    answer = asyncio.run(run())
    assert time.monotonic() - start < 1
    assert isinstance(answer, Failed)
    assert answer.reason is Reason.REFUSED


def _without(family: socket.AddressFamily) -> Callable[..., object]:
    """socket.socket on a machine that has no route for a family."""
    real = socket.socket

    class Blind(real):  # type: ignore[valid-type, misc]
        def connect(self, address: Any) -> None:
            if self.family == family:
                raise OSError(errno.ENETUNREACH, "Network is unreachable")
            super().connect(address)

    return Blind


def test_a_server_that_only_others_reach_by_ipv6_costs_no_time_and_no_verdict(monkeypatch: pytest.MonkeyPatch) -> None:
    async def run() -> Answer:
        async with server(saying("203.0.113.9", aa=True)) as (at, _):
            lookups = Lookups((at,), Budget(20), at.port)
            lookups.authorities.zones[dns.name.from_text(A.owner)] = dns.name.from_text("example.com.")
            lookups.authorities.servers[dns.name.from_text("example.com.")] = (at, Server("2001:db8::53", 53))
            return (await lookups.ask([A]))[A]

    monkeypatch.setattr("mailaudit.collect.ways.socket.socket", _without(socket.AF_INET6))
    start = time.monotonic()
    found = rrset(asyncio.run(run()))
    assert time.monotonic() - start < 1
    assert list(found.servers) == ["127.0.0.1"]


@pytest.mark.parametrize(
    ("source", "to", "reason"),
    [
        ("fd00::2", "2a01:4f8::53", Reason.OFFLINE),
        ("2a01:4f8::9", "2a01:4f8::53", Reason.TIMEOUT),
        ("fd00::2", "fd00::53", Reason.TIMEOUT),
        ("10.0.0.2", "192.0.2.53", Reason.TIMEOUT),
    ],
)
def test_silence_by_ipv6_proves_nothing_to_who_has_only_an_inner_address(
    source: str, to: str, reason: Reason, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ways, "_source", lambda _: ip_address(source))
    assert ways.unheard(to, "it does not answer").reason is reason


@pytest.mark.usefixtures("hasty")
def test_a_dead_server_is_told_beside_the_answer() -> None:
    found = rrset(beside(saying("203.0.113.9"), lambda _: None))
    assert found.records == ("203.0.113.9",)
    assert found.servers["127.0.0.1"]["error"] == "timeout"


def test_a_network_that_catches_port_53_makes_no_server_lame() -> None:
    def caught(query: dns.message.Message) -> bytes:
        answer = dns.message.make_response(query, recursion_available=True)
        answer.answer.append(dns.rrset.from_text("mail.example.com.", 60, "IN", "A", "203.0.113.9"))
        return answer.to_wire()

    assert rrset(beside(saying("203.0.113.9"), caught)).servers["127.0.0.1"]["error"] == "in-doubt"


def test_an_invented_address_gives_way_to_what_the_zone_says() -> None:
    found = rrset(beside(saying("198.18.0.7"), saying("203.0.113.9", aa=True)))
    assert (found.records, found.ad) == (("203.0.113.9",), None)


@pytest.mark.usefixtures("hasty")
@pytest.mark.parametrize("bad", [lambda _: None, saying(rcode=dns.rcode.REFUSED), saying(rcode=dns.rcode.SERVFAIL)])
def test_the_zone_itself_is_heard_where_the_resolver_fails(bad: Reply) -> None:
    assert rrset(beside(bad, saying("203.0.113.9", aa=True))).records == ("203.0.113.9",)


@pytest.mark.usefixtures("hasty")
def test_a_server_without_authority_is_not_heard_in_a_resolvers_place() -> None:
    assert isinstance(beside(lambda _: None, saying("203.0.113.9")), Failed)


def test_no_resolver_at_all_is_told() -> None:
    answer = asyncio.run(Lookups((), Budget(5)).ask([A]))[A]
    assert isinstance(answer, Failed)
    assert "--resolver" in answer.detail
