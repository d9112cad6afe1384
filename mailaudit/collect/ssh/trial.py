"""The way to a host, tried step by step: name, port, key, login, sh, rights."""

from __future__ import annotations

import socket
from collections.abc import Generator, Iterator
from dataclasses import dataclass

from mailaudit.collect.login import Login
from mailaudit.collect.masking_key import masking_key
from mailaudit.collect.ssh.connection import destination, in_words
from mailaudit.collect.ssh.host import HostWorld
from mailaudit.collect.ssh.target import read_address
from mailaudit.collect.world import TargetError


@dataclass(frozen=True, slots=True)
class Step:
    """A step and whether it was taken."""

    line: str
    fine: bool


def steps(target: str, login: Login) -> Iterator[Step]:
    """Each step, until one cannot be taken. Raises `TargetError` with code 2 for what is no name of a host."""
    address = read_address(target)
    try:
        host, port, jump = destination(address)
    except TargetError as error:
        yield Step(error.message, fine=False)
        return
    if jump:
        yield Step(f"ssh_config leads through {jump}", fine=True)
    elif not (yield from _reach(host, port, min(login.seconds, 10.0))):
        return
    world = HostWorld(address, target, masking_key(), login.become, login.seconds, login.known_hosts)
    try:
        world.connect()
    except TargetError as error:
        yield Step(error.message, fine=False)
        return
    yield Step("the host key is known", fine=True)
    yield Step(f"logged in as {world.user}; /bin/sh runs the collector on {world.system}", fine=True)
    if world.user == "root":
        yield Step("root needs nobody else's rights", fine=True)
    elif world.means:
        yield Step(f"what {world.user} may not read is asked for with {world.means}", fine=True)
    else:
        yield Step(f"there is no doas or sudo, or none is wished: {world.user} reads what {world.user} may", fine=True)
    world.close()


def _reach(host: str, port: int, seconds: float) -> Generator[Step, None, bool]:
    """Each address is tried; true if one is reached."""
    try:
        found = sorted({each[4][0] for each in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)}, key=str)
    except OSError as error:
        told = "'s address could not be looked up" if error.errno == socket.EAI_AGAIN else " has no address"
        yield Step(f"{host}{told}: {in_words(error)}", fine=False)
        return False
    yield Step(f"{host} is at {', '.join(map(str, found))}", fine=True)
    reached = False
    for address in found:
        try:
            with socket.create_connection((str(address), port), seconds):
                yield Step(f"port {port} of {address} is open", fine=True)
                reached = True
        except OSError as error:
            yield Step(f"port {port} of {address} cannot be reached: {in_words(error)}", fine=False)
    return reached
