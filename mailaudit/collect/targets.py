"""Opens what the command line names: paths, and live hosts, many at once; a dead one harms no other."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from mailaudit.collect.folder import FolderDirectory
from mailaudit.collect.login import Login
from mailaudit.collect.masking_key import masking_key
from mailaudit.collect.online import OnlineWorld
from mailaudit.collect.root import SETTINGS, own_settings
from mailaudit.collect.roots import find_worlds, is_root
from mailaudit.collect.ssh.target import is_path, read_address
from mailaudit.collect.world import Layers, TargetError, World

if TYPE_CHECKING:
    from mailaudit.collect.ssh.host import HostWorld

ROOT = Path("/")


@dataclass
class Opened:
    """The worlds of one target, what could not be looked at on the way, or why it cannot be opened at all.

    `aside` is that of its `Roots`.
    """

    target: str
    worlds: list[World] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    aside: dict[Path, str] = field(default_factory=dict)
    failure: TargetError | None = None
    live: bool = False
    close: Callable[[], None] = lambda: None


def open_targets(targets: Sequence[str], login: Login) -> list[Opened]:
    """Open all targets, live hosts `login.jobs` at a time. Raises `TargetError` with code 2 for one that is none."""
    live = [target for target in targets if not is_path(target)]
    for target in live:
        read_address(target)
    if not live:
        return _beside([_path(target, login) for target in targets])
    from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415  a scan of files pays for no threads

    key, settings = masking_key(), working_settings()
    worlds = {target: _live(target, login, key, settings) for target in live}
    with ThreadPoolExecutor(min(login.jobs, len(worlds))) as pool:
        hosts = {target: pool.submit(_host, world, login) for target, world in worlds.items()}
        try:
            return _beside([hosts[target].result() if target in hosts else _path(target, login) for target in targets])
        except BaseException:  # an interrupt waits for no login
            for each in hosts.values():
                each.cancel()
            for world in worlds.values():
                world.lose()
            for world in worlds.values():
                world.close()
            raise


def _beside(found: list[Opened]) -> list[Opened]:
    """The same, with what is to be said of host roots that were seen and are in no target."""
    roots = {world.root.resolve() for each in found for world in each.worlds if world.root is not None}
    for each in found:
        each.errors += [said for root, said in each.aside.items() if root not in roots]
    return found


def _path(target: str, login: Login) -> Opened:
    try:
        if _is_this_machine(target):
            return _here(target, login)
        found = find_worlds(target)
    except TargetError as error:
        return Opened(target, failure=error)
    return Opened(target, [*found], found.errors, found.aside)


def _is_this_machine(target: str) -> bool:
    try:
        return Path(target).resolve() == ROOT
    except (OSError, RuntimeError):  # a circle of links, a working directory that is gone
        return False


def _here(target: str, login: Login) -> Opened:
    """The machine itself, which is asked for its files and commands like any live host, but over no network."""
    from mailaudit.collect.ssh.local import LocalWorld  # noqa: PLC0415  as below

    if not is_root(FolderDirectory.at(ROOT)):
        raise TargetError(f"{target}: none of the files that are audited is on this machine", 3)
    world = LocalWorld(target, masking_key(), login.become, login.seconds)
    world.connect(login.first(world))
    return Opened(target, [world], close=world.close)


def working_settings() -> Layers:
    """The settings of the working directory, which are those of live hosts (contract, section 7)."""
    try:
        here = FolderDirectory.at(Path.cwd())
    except OSError:
        return ()
    return own_settings(here, SETTINGS)


def _live(target: str, login: Login, key: str, settings: Layers) -> HostWorld:
    """The world of a live host, which may be being logged in to already."""
    from mailaudit.collect.ssh.host import HostWorld  # noqa: PLC0415  only who scans a live host pays for asyncssh

    begun = login.begun.get(target)
    world = begun or HostWorld(read_address(target), target, key, login.become, login.seconds, login.known_hosts)
    world.settings = settings
    return world


def _host(world: HostWorld, login: Login) -> Opened:
    target = world.target
    asked = OnlineWorld.of(world, login.outside) if login.outside is not None else None
    login.watch(target, "logging in")
    try:
        if target not in login.begun:
            world.begin()
        wave = login.first(asked or world)
        world.send(wave)
        if asked is not None:
            asked.network.budget.left()  # from now on: one budget for all of a host
            asked.network.prepare()
            asked.begin(wave)
        login.meanwhile()
        world.connect()
    except BaseException as error:
        if asked is not None:
            asked.lose()
        world.close()
        login.watch(target, "")
        if isinstance(error, TargetError):
            return Opened(target, failure=error, live=True)
        raise
    login.watch(target, "logged in")
    return Opened(target, [asked or world], live=True, close=world.close)
