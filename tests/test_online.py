"""When a scan asks the network: only with --online, only for what is not recorded, only what questions name."""

from __future__ import annotations

import asyncio
import re
import signal
import socket
import threading
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import CancelledError, ThreadPoolExecutor, wait
from contextlib import contextmanager
from pathlib import Path

import pytest

from mailaudit import rulebook
from mailaudit.audit import _at_once
from mailaudit.auditor import Options, auditor_for
from mailaudit.choices import Common, Looking
from mailaudit.cli import run
from mailaudit.collect import trips
from mailaudit.collect.folder import FolderWorld
from mailaudit.collect.login import Login
from mailaudit.collect.online import _BATCHES, Network, OnlineWorld, Outside
from mailaudit.collect.ssh.asking import refusal
from mailaudit.collect.ssh.first import FIRST
from mailaudit.collect.ssh.host import HostWorld
from mailaudit.collect.ssh.target import Address
from mailaudit.collect.targets import open_targets
from mailaudit.commands import choosing
from mailaudit.commands.telling import UsageError
from mailaudit.questions import (
    LIVE,
    Answer,
    Command,
    CommandOutput,
    Endpoint,
    Failed,
    Found,
    Handshake,
    LookUp,
    Question,
    ReadFile,
    Reason,
    RRset,
    RunCommand,
    StatFile,
)

CORRECTED = Path(__file__).parents[1] / "examples" / "corrected"
RECORDED = LookUp("example.com.", "MX")
NOT_RECORDED = LookUp("other.example.com.", "MX")


class Listening(Network):
    """A network that notes what it is asked for."""

    def __init__(self) -> None:
        super().__init__(Outside())
        self.asked: list[Question] = []

    async def ask(self, wave: Iterable[Question]) -> dict[Question, Answer]:
        self.asked += list(wave)
        return {question: Found(RRset("NXDOMAIN")) for question in self.asked}


def test_what_is_recorded_is_not_asked_again() -> None:
    network = Listening()
    world = OnlineWorld(FolderWorld(CORRECTED), network)
    answers = world.ask([RECORDED, NOT_RECORDED, ReadFile("/etc/pf.conf"), ReadFile("/etc/nothing")])
    assert network.asked == [NOT_RECORDED]
    recorded = answers[RECORDED]
    assert isinstance(recorded, Found)
    assert isinstance(recorded.value, RRset)
    assert recorded.value.records == ("0 mail.example.com.",)
    assert isinstance(answers[ReadFile("/etc/pf.conf")], Found)


class Slow(Network):
    """A network that answers DNS at once and ports never."""

    def __init__(self) -> None:
        super().__init__(Outside())
        self.batches: list[list[Question]] = []

    async def ask(self, wave: Iterable[Question]) -> dict[Question, Answer]:
        questions = list(wave)
        self.batches.append(questions)
        if any(isinstance(each, Handshake) for each in questions):
            await asyncio.sleep(60)
        return {question: Found(RRset("NXDOMAIN")) for question in questions}


def test_each_kind_of_question_for_the_network_has_a_batch() -> None:
    assert {kind for kinds in _BATCHES for kind in kinds} == set(LIVE)


def test_a_slow_port_keeps_nobody_from_the_next_file_or_name() -> None:
    network = Slow()
    world = OnlineWorld(FolderWorld(CORRECTED), network)
    port, file = Handshake("203.0.113.9", 9999, "tcp"), ReadFile("/etc/pf.conf")
    known: set[Question] = set(world.some([port, NOT_RECORDED, file]))
    assert file in known
    while NOT_RECORDED not in known:
        known |= set(world.some([each for each in (port, NOT_RECORDED, file) if each not in known]))
    assert port not in known
    world.lose()
    asked = [question for batch in network.batches for question in batch]
    assert len(asked) == len(set(asked))


class Shell:
    """A shell that tells who asks at once, and what slow commands say when it is let."""

    def __init__(self, host: Host) -> None:
        self.host, self.told, self.heard = host, "", asyncio.Event()

    def tell(self, words: bytes) -> None:
        self.told = words.decode().rpartition("collect() {")[2]
        self.host.runs.append(self.told)
        self.heard.set()

    async def hear(self) -> bytes:
        await self.heard.wait()
        if "rspamadm" in self.told:
            await asyncio.to_thread(self.host.let.wait)
        self.heard.clear()
        trips.step("answers")
        mark = re.findall(r"MARK=(\w+)", self.told)[0]
        said = ["0 begin 0 -\nauditor\nOpenBSD\nbsd", "1 out 0 -\nsaid\n", "1 end 0 -\n", "0 done 0 -\n"]
        return "".join(f"\n@{mark} {each}" for each in said).encode()

    async def end(self) -> None:
        pass


class Host:
    """A host of such shells."""

    def __init__(self) -> None:
        self.let = threading.Event()
        self.runs: list[str] = []
        self.shells = 0

    async def open(self) -> None:
        pass

    async def shell(self) -> Shell:
        self.shells += 1
        return Shell(self)

    async def close(self) -> None:
        pass


class Known(HostWorld):
    """The host at the end of a channel."""

    def __init__(self, at: Host) -> None:
        super().__init__(Address("h"), "h", "key")
        self.at = at

    def channel(self) -> Host:
        return self.at


def test_a_slow_command_keeps_nobody_from_the_next_file() -> None:
    at, slow, quick = Host(), RunCommand(Command.RSPAMADM_CONFIGTEST), RunCommand(Command.UNAME)
    host = Known(at)
    host.connect([slow, quick])
    world = OnlineWorld.of(host, Outside())
    assert world.some([slow, quick]).keys() == {quick}
    at.let.set()
    assert world.some([slow]) == {slow: Found(CommandOutput(0, "said\n"))}
    assert len(at.runs) == 2
    other = Known(at)
    other.connect([slow])
    assert other.ask([slow]) == {slow: Found(CommandOutput(0, "said\n"))}
    assert len(at.runs) == 3


def test_what_goes_with_the_login_is_what_every_host_is_asked_first() -> None:
    host = HostWorld(Address("h"), "h", "key")
    asked = [each for each in auditor_for(host, rulebook.load(), Options()).first() if not isinstance(each, (*LIVE, StatFile))]
    assert sorted(map(repr, (each for group in FIRST for each in group))) == sorted(map(repr, asked))
    assert not [each for each in asked if refusal(each)]


def test_what_went_with_the_login_is_not_asked_again() -> None:
    at, name, machine = Host(), RunCommand(Command.HOSTNAME), RunCommand(Command.MACHINE)
    host = Known(at)
    host.send([name])
    host.send([name, machine])
    host.connect()
    assert host.ask([name, machine]).keys() == {name, machine}
    assert [each.count("command_ ") for each in at.runs] == [1, 1]


def test_what_lands_before_anybody_looks_is_of_the_critical_path_too() -> None:
    at, name, machine = Host(), RunCommand(Command.HOSTNAME), RunCommand(Command.MACHINE)
    host = Known(at)
    host.send([name])
    wait(host._landing)  # noqa: SLF001  nobody looks until then
    host.send([name])
    host.connect()
    assert list(host.journey.chain) == ["answers"]
    host.ask([name, machine])
    assert list(host.journey.chain) == ["answers"] * 2
    assert len(at.runs) == 2


def test_whoever_waits_for_the_network_can_be_called_off() -> None:
    world = OnlineWorld(FolderWorld(CORRECTED), Slow())
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(world.ask, [Handshake("203.0.113.9", 9999, "tcp")])
        time.sleep(0.1)
        start = time.monotonic()
        world.lose()
        with pytest.raises(CancelledError):
            waiting.result(5)
    assert time.monotonic() - start < 2


@contextmanager
def interrupted(seconds: float) -> Iterator[None]:
    """As if somebody pressed Ctrl-C by and by."""
    before = signal.signal(signal.SIGALRM, signal.default_int_handler)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def test_an_interrupt_waits_for_no_login(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    class Mute(Host):
        async def open(self) -> None:
            await asyncio.sleep(5)

    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.setattr(HostWorld, "channel", lambda _: Mute())
    start = time.monotonic()
    with interrupted(0.2), pytest.raises(KeyboardInterrupt):
        open_targets(["a.example.com", "b.example.com", "c.example.com"], Login(jobs=2, outside=Outside()))
    assert time.monotonic() - start < 2


def test_an_interrupt_waits_for_no_host_of_many(monkeypatch: pytest.MonkeyPatch) -> None:
    class Hanging(Shell):
        async def hear(self) -> bytes:
            if "/etc/pf.conf" in self.told:
                await asyncio.sleep(5)
            return await super().hear()

    monkeypatch.setattr(Host, "shell", lambda self: asyncio.sleep(0, Hanging(self)))
    worlds = [Known(Host()) for _ in range(2)]
    for each in worlds:
        each.at.let.set()
        each.connect([RunCommand(Command.UNAME)])
    auditors = [auditor_for(each, rulebook.load(), Options()) for each in worlds]
    start = time.monotonic()
    with interrupted(0.5), pytest.raises(KeyboardInterrupt):
        _at_once(auditors, 2)
    assert time.monotonic() - start < 3


def test_a_world_that_is_online_is_otherwise_the_one_it_is_made_of() -> None:
    told = FolderWorld(CORRECTED)
    world = OnlineWorld.of(told, Outside())
    assert (world.host, world.target, world.recorded, world.taken) == (told.host, told.target, told.recorded, told.taken)
    assert (world.root, world.settings, world.online) == (told.root, told.settings, True)


def test_without_online_nothing_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_arguments: object, **_named: object) -> None:
        raise AssertionError("a socket was made")

    monkeypatch.setattr(socket, "socket", never)
    answer = FolderWorld(CORRECTED).ask([NOT_RECORDED])[NOT_RECORDED]
    assert isinstance(answer, Failed)
    assert answer.reason is Reason.OFFLINE
    assert choosing.options(Common(), Looking()).outside is None


def test_a_wave_of_nothing_for_the_network_asks_nothing() -> None:
    assert asyncio.run(Network(Outside()).ask([ReadFile("/etc/pf.conf")])) == {}


def test_loopback_is_connected_to_for_this_machine_alone() -> None:
    question = Handshake("127.0.0.1", 1, "tcp")
    other = asyncio.run(OnlineWorld.of(FolderWorld(CORRECTED), Outside(seconds=5)).network.ask([question]))[question]
    assert isinstance(other, Failed)
    assert other.reason is Reason.IN_DOUBT
    own = asyncio.run(OnlineWorld.of(FolderWorld(Path("/")), Outside(seconds=5)).network.ask([question]))[question]
    assert isinstance(own, Failed | Found)
    assert not isinstance(own, Failed) or own.reason is Reason.REFUSED
    assert not isinstance(own, Found) or isinstance(own.value, Endpoint)


@pytest.mark.parametrize(
    ("written", "known"),
    [
        ("192.0.2.53", ("192.0.2.53", 53)),
        ("192.0.2.53:5353", ("192.0.2.53", 5353)),
        ("2001:db8::53", ("2001:db8::53", 53)),
        ("[2001:db8::53]", ("2001:db8::53", 53)),
        ("[2001:db8::53]:5353", ("2001:db8::53", 5353)),
    ],
)
def test_resolvers_as_they_are_written(written: str, known: tuple[str, int]) -> None:
    outside = choosing.options(Common(), Looking(online=True, resolver=[written], timeout=9)).outside
    assert outside == Outside((known,), 9)


@pytest.mark.parametrize("written", ["", "dns.example.com", "192.0.2.53:0", "192.0.2.53:70000", "[2001:db8::53", "192.0.2.53:x"])
def test_what_is_no_resolver_is_a_usage_error(written: str) -> None:
    with pytest.raises(UsageError, match="expected an address"):
        choosing.options(Common(), Looking(online=True, resolver=[written]))


def test_a_probe_is_wished_for_by_its_option_alone() -> None:
    outside = choosing.options(Common(), Looking(online=True)).outside
    assert outside is not None
    assert not outside.probe_relay
    outside = choosing.options(Common(), Looking(online=True, probe_relay=True)).outside
    assert outside is not None
    assert outside.probe_relay
    with pytest.raises(UsageError, match="--resolver and --offline"):
        choosing.options(Common(), Looking(offline=True, resolver=["192.0.2.53"]))
    with pytest.raises(UsageError, match="--probe-relay and --offline"):
        choosing.options(Common(), Looking(offline=True, probe_relay=True))
    assert run(["scan", str(CORRECTED), "--probe-relay"]) == 2


@pytest.mark.parametrize("seconds", [0, -1, float("nan"), float("inf")])
def test_what_is_no_budget_is_a_usage_error(seconds: float) -> None:
    with pytest.raises(UsageError, match="seconds"):
        choosing.options(Common(), Looking(online=True, timeout=seconds))
