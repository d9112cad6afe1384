"""How live hosts are entered, and the network asked about them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from mailaudit.collect.budget import SECONDS
from mailaudit.collect.masking_key import masking_key
from mailaudit.collect.online import Outside
from mailaudit.collect.ssh.target import is_path, read_address
from mailaudit.collect.world import World
from mailaudit.questions import Question

if TYPE_CHECKING:
    from mailaudit.collect.ssh.host import HostWorld

JOBS = 8  # hosts at once, unless -j says otherwise


def unwatched(_target: str, _what: str) -> None:
    """Nobody watches."""


@dataclass(frozen=True, slots=True)
class Login:
    """How live hosts are entered: `become` is none, doas, sudo or auto; `seconds` are for one host's whole scan.

    `outside` says how the network is asked about them, None that it is not. `watch` is told for each target what is asked of it,
    and nothing when it is done; `first` tells what will be asked of a host first of all, `meanwhile` is done while that is waited
    for. Several threads call them. `begun` are the hosts that are being logged in to already, by target.
    """

    become: str = "auto"
    seconds: float = SECONDS
    jobs: int = JOBS
    known_hosts: tuple[str, ...] | None = None
    outside: Outside | None = None
    watch: Callable[[str, str], None] = unwatched
    first: Callable[[World], Sequence[Question]] = lambda _world: ()
    meanwhile: Callable[[], None] = lambda: None
    begun: Mapping[str, HostWorld] = field(default_factory=dict)


def begun(targets: Sequence[str], login: Login) -> Login:
    """The same, with logins under way to the live hosts that are asked first: they answer while the program is read.

    What every host is asked, whatever is known of it, goes with the login. Raises `TargetError` with code 2 for what
    is no name of a host.
    """
    live = {target: read_address(target) for target in targets if not is_path(target)}
    if not live:
        return login
    from mailaudit.collect.ssh.first import FIRST  # noqa: PLC0415  as below
    from mailaudit.collect.ssh.host import HostWorld  # noqa: PLC0415  who scans files pays for no asyncssh

    key, worlds = masking_key(), {}
    for target, address in list(live.items())[: login.jobs]:
        world = worlds[target] = HostWorld(address, target, key, login.become, login.seconds, login.known_hosts)
        world.begin()
        for group in FIRST:
            world.send(group)
    return replace(login, begun=worlds)
