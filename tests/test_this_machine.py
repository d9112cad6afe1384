"""`scan /`: the machine itself, asked by the collector like any host, but in a shell of its own."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from mailaudit.cli import run
from mailaudit.collect import targets
from mailaudit.collect.login import Login
from mailaudit.collect.online import OnlineWorld, Outside
from mailaudit.collect.ssh.local import LocalShell, LocalWorld, Machine
from mailaudit.collect.ssh.shells import CHANNELS, Shells
from mailaudit.collect.targets import open_targets
from mailaudit.questions import (
    Absent,
    Command,
    CommandOutput,
    Failed,
    Found,
    ListFiles,
    ReadFile,
    Reason,
    RunCommand,
    Stat,
    StatFile,
)


@pytest.fixture(scope="module")
def world() -> Iterator[LocalWorld]:
    made = LocalWorld("/", "ab" * 16, "none", 20)
    made.connect()
    yield made
    made.close()


def test_its_files_and_commands_are_asked_for(world: LocalWorld) -> None:
    uname, hosts, wanted = RunCommand(Command.UNAME), ReadFile("/etc/hosts"), ListFiles("/etc/host*")
    found = world.ask([uname, hosts, wanted, StatFile("/etc"), StatFile("/etc/no-such"), ReadFile("/etc/ssl/private/a.key")])
    assert found[hosts] == Found(Path("/etc/hosts").read_bytes())
    output, listed, directory = found[uname], found[wanted], found[StatFile("/etc")]
    assert isinstance(output, Found)
    assert isinstance(output.value, CommandOutput)
    assert output.value.stdout.startswith(os.uname().sysname)
    assert isinstance(listed, Found)
    assert isinstance(listed.value, tuple)
    assert "/etc/hosts" in listed.value
    assert isinstance(directory, Found)
    assert isinstance(directory.value, Stat)
    assert directory.value.type == "directory"
    assert found[StatFile("/etc/no-such")] == Absent()
    secret = found[ReadFile("/etc/ssl/private/a.key")]
    assert isinstance(secret, Failed)
    assert secret.reason is Reason.UNREADABLE


def test_loopback_belongs_to_it_and_no_network_is_asked_by_itself(world: LocalWorld) -> None:
    assert not world.online
    assert OnlineWorld.of(world, Outside()).network.ports.loopback


async def told(*words: bytes, end: bytes = b"end\n", seconds: float = 5) -> list[bytes]:
    """What a machine's shells say to some words, one after the other; the last is cut off where they hang."""
    machine = Machine()
    shells = Shells(machine)
    said = [await shells.run(b"", each, end, 20, seconds) for each in words]
    await machine.close()
    return said


def test_a_shell_that_hangs_ends_with_all_that_it_started(tmp_path: Path) -> None:
    mark = tmp_path / "pid"
    start = time.monotonic()
    [said] = asyncio.run(told(f"echo begun; sleep 60 & echo $! > {mark}; wait\n".encode(), seconds=0.5))
    assert (said, time.monotonic() - start < 5) == (b"begun\n", True)
    is_gone(int(mark.read_text()))


def is_written(path: Path) -> None:
    """Wait until a file holds something."""
    while not path.exists() or not path.read_text():
        time.sleep(0.01)


def is_gone(process: int) -> None:
    """Fail if a process lives."""
    for _ in range(50):
        state = Path(f"/proc/{process}/stat")
        if not state.exists() or state.read_text().rpartition(") ")[2].startswith("Z"):
            return
        time.sleep(0.05)
    pytest.fail("the child lives")


def test_a_shell_that_does_not_listen_harms_nobody() -> None:
    [said, again] = asyncio.run(told(b"exec true\n" + b"#" * 2_000_000, b"echo end\n"))
    assert (said, again) == (b"", b"end\n")


def test_a_shell_stays_and_the_next_words_are_for_it() -> None:
    first, second = asyncio.run(told(b"x=$$; echo $x; echo end\n", b'[ "$x" = $$ ] && echo same; echo end\n'))
    assert first.endswith(b"end\n")
    assert second == b"same\nend\n"


def test_after_one_that_hangs_there_is_another() -> None:
    [cut, whole] = asyncio.run(told(b"x=1; sleep 60\n", b"echo $x; echo end\n", seconds=0.5))
    assert (cut, whole) == (b"", b"\nend\n")


def test_what_comes_behind_the_end_keeps_nobody_waiting() -> None:
    """Something that a command left behind goes on printing: the answers are there, and the next wave has another shell."""
    start = time.monotonic()
    said, again = asyncio.run(told(b"x=1; echo here; printf 'end\nmore'\n", b"echo $x; echo end\n"))
    assert (said, again, time.monotonic() - start < 4) == (b"here\nend\nmore", b"\nend\n", True)


def test_who_waits_for_a_shell_has_its_whole_share_from_then_on() -> None:
    async def crowd() -> list[bytes]:
        machine = Stingy(1)
        shells = Shells(machine)
        said = await asyncio.gather(*(shells.run(b"", b"sleep 0.3; echo end\n", b"end\n", 20, 0.5) for _ in range(3)))
        await machine.close()
        return said

    assert asyncio.run(crowd()) == [b"end\n"] * 3


def test_a_shell_that_is_being_ended_has_its_place_until_it_is_gone() -> None:
    """A server counts a session as long as anything of it runs, and refuses another until then."""

    class Slow(LocalShell):
        async def end(self) -> None:
            await asyncio.sleep(0.3)
            await super().end()

    class Full(Stingy):
        async def shell(self) -> LocalShell:
            self.shells[:] = [Slow((await super().shell()).process)]
            return self.shells[0]

    async def crowd() -> list[bytes]:
        machine = Full(1)
        shells = Shells(machine)
        said = [await shells.run(b"", each, b"end\n", 20, 0.5) for each in (b"sleep 60\n", b"echo end\n")]
        await machine.close()
        return said

    assert asyncio.run(crowd()) == [b"", b"end\n"]


def test_who_leaves_ends_what_runs(tmp_path: Path) -> None:
    mark = tmp_path / "pid"

    async def leave() -> None:
        shells = Shells(Machine())
        running = asyncio.create_task(shells.run(b"", f"sleep 60 & echo $! > {mark}; wait\n".encode(), b"end\n", 20, 20))
        await asyncio.to_thread(is_written, mark)
        await shells.close()
        assert await running == b""

    asyncio.run(leave())
    is_gone(int(mark.read_text()))


def test_so_many_shells_at_once_and_no_more() -> None:
    async def crowd() -> tuple[list[bytes], int]:
        machine = Machine()
        shells = Shells(machine)
        said = await asyncio.gather(
            *(shells.run(b"y=0;", b"y=$((y + 1)); echo $y; echo end\n", b"end\n", 20, 5) for _ in range(9))
        )
        await machine.close()
        return said, len(machine.shells)

    said, opened = asyncio.run(crowd())
    assert opened == CHANNELS
    assert sum(int(each.split()[0]) == 1 for each in said) == CHANNELS


class Stingy(Machine):
    """Gives so many shells at once; what is closed makes room for another."""

    def __init__(self, most: int) -> None:
        super().__init__()
        self.most, self.opened = most, 0

    async def shell(self) -> LocalShell:
        await asyncio.sleep(0.05 * bool(self.shells))  # until what was killed is gone
        if self.opened - sum(shell.process.returncode is not None for shell in self.shells) >= self.most:
            raise OSError("no more")
        self.opened += 1
        return await super().shell()


@pytest.mark.parametrize("most", [0, 1, 2])
def test_fewer_shells_than_wished_for_are_enough(most: int) -> None:
    """`MaxSessions 1` in sshd_config."""

    async def crowd() -> tuple[list[bytes], float, int]:
        machine = Stingy(most)
        shells, start = Shells(machine), time.monotonic()
        said = await asyncio.gather(*(shells.run(b"", b"echo end\n", b"end\n", 20, 20) for _ in range(7)))
        await machine.close()
        return said, time.monotonic() - start, machine.opened

    said, took, opened = asyncio.run(crowd())
    assert took < 10
    assert opened == most
    assert said == [b"end\n" if most else b""] * 7


def test_the_only_shell_hangs_and_the_next_who_waits_has_another() -> None:
    async def crowd() -> list[bytes]:
        machine = Stingy(1)
        shells = Shells(machine)
        said = await asyncio.gather(
            shells.run(b"", b"sleep 60\n", b"end\n", 20, 0.5),
            *(shells.run(b"", b"echo end\n", b"end\n", 20, 20) for _ in range(2)),
        )
        await machine.close()
        return said

    assert asyncio.run(crowd()) == [b"", b"end\n", b"end\n"]


def test_a_machine_without_any_known_file_is_nothing_to_audit(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(targets, "is_root", lambda _: False)
    assert run(["scan", "/"]) == 3
    assert "none of the files" in capsys.readouterr().err


@pytest.mark.parametrize("target", ["/", "//", "/etc/.."])
def test_its_root_is_the_machine_however_it_is_written(target: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(targets, "is_root", lambda _: True)
    [opened] = open_targets([target], Login(become="none"))
    try:
        assert isinstance(opened.worlds[0], LocalWorld)
        assert (opened.worlds[0].target, opened.live) == (target, False)
    finally:
        opened.close()


def test_live_hosts_have_the_settings_of_the_working_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mailaudit.toml").write_text("[site]\n")
    monkeypatch.chdir(tmp_path)
    assert targets.working_settings() == (("mailaudit.toml", b"[site]\n"),)
