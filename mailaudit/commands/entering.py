"""A live host, entered to be written to: its world, and its applier."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from mailaudit.apply.host import Heard, HostWriter
from mailaudit.audit import opened
from mailaudit.choices import Common
from mailaudit.collect.login import Login
from mailaudit.collect.online import OnlineWorld
from mailaudit.collect.ssh.host import HostWorld
from mailaudit.collect.ssh.target import is_path
from mailaudit.collect.world import World
from mailaudit.commands.telling import UsageError
from mailaudit.commands.watching import is_watched
from mailaudit.reports.masking import visible


@contextmanager
def entered(target: str, login: Login) -> Iterator[tuple[World, HostWriter]]:
    """The world of a live host, and what writes to it. Raises `TargetError` with code 4 where it cannot be entered."""
    if is_path(target):
        raise UsageError(f"{target} is a path; a live host is wanted", "mail.example.com, user@mail.example.com")
    with opened([target], login) as (one,):
        (world,) = one.worlds
        host = world.told if isinstance(world, OnlineWorld) else world
        assert isinstance(host, HostWorld)
        yield world, HostWriter(host.address, host.user, host.means, known_hosts=host.known_hosts)


def progress(common: Common) -> Heard:
    """Shows on standard error how a run goes on, where somebody watches."""
    if not is_watched(common):
        return lambda _: None
    return _tell


def _tell(line: str) -> None:
    sys.stderr.write(f"  {visible(line)}\n")
    sys.stderr.flush()
