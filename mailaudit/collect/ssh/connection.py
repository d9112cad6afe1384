"""The connection to a host: strict about its key, asks for no password, runs nothing but sh with the collector on its input."""

from __future__ import annotations

import asyncio
import os
import re
import socket
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncssh

from mailaudit.collect import trips
from mailaudit.collect.ssh.target import Address
from mailaudit.collect.world import TargetError
from mailaudit.wording import why_not

CONNECT = 15.0  # seconds to reach and log in, where the whole budget is not less
_CHUNK = 1 << 18
_ENDING = 1.0  # seconds
_FREED = 0.05  # seconds until sshd counts a session no more that is closed: what it reads with the close it refuses
UNREACHABLE = 4  # the exit code: incomplete
_KNOWN_HOSTS = ("~/.ssh/known_hosts", "/etc/ssh/ssh_known_hosts")


def in_words(error: OSError) -> str:
    """What the system says of a host that cannot be reached; what several addresses say alike is said once."""
    if isinstance(error, socket.gaierror):
        return why_not(error)
    numbers = [error.errno] if error.errno else [int(each) for each in re.findall(r"\[Errno (\d+)\]", str(error))]
    return " and ".join(dict.fromkeys(os.strerror(each).lower() for each in numbers)) or str(error).lower()


class _Client(asyncssh.SSHClient):
    """Trusts no key that known_hosts does not have; remembers which it was, to name it."""

    def __init__(self) -> None:
        self.offered: asyncssh.SSHKey | None = None
        self.trips = 0
        self._waits = True

    def connection_made(self, conn: asyncssh.SSHClientConnection) -> None:
        """Count the times that something comes in after something was sent: the round trips of a login."""
        send, receive = conn.send_packet, conn.data_received

        def sending(*packet: Any, **how: Any) -> None:
            self._waits = True
            send(*packet, **how)

        def receiving(data: bytes, datatype: Any = None) -> None:
            self.trips, self._waits = self.trips + self._waits, False
            receive(data, datatype)

        vars(conn).update(send_packet=sending, data_received=receiving)

    def validate_host_public_key(self, host: str, addr: str, port: int, key: asyncssh.SSHKey) -> bool:
        """Refuse; asyncssh asks only about keys that are not known."""
        del host, addr, port
        self.offered = key
        return False


def destination(address: Address) -> tuple[str, int, str]:
    """The name and the port that ssh_config makes of an address, and through whom, if through anybody."""
    try:
        options = _options(address.host, address.port or (), address.user or ())
    except (OSError, asyncssh.Error, asyncssh.ConfigParseError, ValueError) as error:
        raise TargetError(f"{address}: ssh_config: {error}", UNREACHABLE) from error
    via = options.tunnel if isinstance(options.tunnel, str) else "a ProxyCommand" if options.proxy_command else ""
    return str(options.host or address.host), int(options.port or 22), via


def _options(host: str, port: Any, user: Any) -> Any:
    try:
        return asyncssh.SSHClientConnectionOptions(host=host, port=port, username=user, client_keys=None, agent_path=None)
    except asyncssh.ConfigParseError:
        raise
    except (ValueError, RuntimeError) as error:  # who has no account here, as in a container, has no name and no home
        raise TargetError(f"{host}: ssh: {error}", UNREACHABLE) from error


@dataclass(eq=False)
class RemoteShell:
    """/bin/sh of a host, with a pipe for its input; what it complains of is not heard."""

    process: asyncssh.SSHClientProcess[bytes]
    _told: bool = False

    def tell(self, words: bytes) -> None:
        """Give it more to do. Raises `OSError` where it has gone."""
        self.process.stdin.write(words)
        self._told = True

    async def hear(self) -> bytes:
        """More of what it prints; nothing at its end. Raises `OSError` where it is lost."""
        try:
            chunk = await self.process.stdout.read(_CHUNK)
        except asyncssh.Error as error:
            raise OSError(str(error)) from error
        if self._told:
            trips.step("answers")
            self._told = False
        return chunk

    async def end(self) -> None:
        """Have sshd kill it and what it runs, but for what runs as root; until it is gone sshd counts it among its sessions."""
        with suppress(OSError):
            self.process.kill()
            async with asyncio.timeout(_ENDING):
                await self.process.wait_closed()
                await asyncio.sleep(_FREED)
        self.process.close()


@dataclass
class Connection:
    """One connection to one host. Not thread-safe: one audit uses it."""

    address: Address
    timeout: float = CONNECT
    known_hosts: tuple[str, ...] | None = None
    _connection: asyncssh.SSHClientConnection | None = None

    @property
    def user(self) -> str:
        """Who logged in."""
        return self._connection.get_extra_info("username") if self._connection is not None else ""

    async def open(self) -> None:
        """Connect and log in. Raises `TargetError` with code 4, which says why not and what to do."""
        clients: list[_Client] = []

        def client() -> _Client:
            clients.append(_Client())
            return clients[-1]

        try:
            known = await asyncio.to_thread(self._known)
            self._connection = await asyncio.wait_for(
                asyncssh.connect(
                    self.address.host,
                    self.address.port or (),
                    username=self.address.user or (),
                    client_factory=client,
                    known_hosts=known,
                    preferred_auth=("gssapi-with-mic", "hostbased", "publickey"),
                    agent_forwarding=False,
                    keepalive_interval=10,
                ),
                self.timeout,
            )
            trips.step("connection")
            for _ in range(clients[-1].trips):
                trips.step("login")
        except asyncssh.HostKeyNotVerifiable as error:
            raise self._distrusted(clients[-1].offered if clients else None, known, error) from error
        except (OSError, asyncssh.Error, asyncssh.KeyImportError, asyncssh.ConfigParseError, TimeoutError) as error:
            raise self._failed(error) from error

    def _known(self) -> list[str] | bytes:
        """The files of known hosts that there are; none of them is a host without known keys, never one that is trusted."""
        options = _options(self.address.host, self.address.port or (), self.address.user or ())
        for jump in str(options.tunnel or "").split(",") if isinstance(options.tunnel, str) else ():
            name = jump.rpartition("@")[2].partition(":")[0]
            if _options(name, (), ()).known_hosts is None:
                raise TargetError(f"{self.address}: ssh_config switches off the check of the host key of {name}", UNREACHABLE)
        named = options.known_hosts if isinstance(options.known_hosts, list) else None
        chosen = self.known_hosts or tuple(str(each) for each in named or _KNOWN_HOSTS)
        paths = [Path(each).expanduser() for each in chosen]
        return [str(path) for path in paths if path.is_file()] or b"\n"

    def _distrusted(self, key: asyncssh.SSHKey | None, known: list[str] | bytes, error: Exception) -> TargetError:
        """What to say of a host whose key is not known, or is another than the known one."""
        if key is None:
            return TargetError(f"{self.address}: the host key is not to be trusted: {error}", UNREACHABLE)
        kind = key.get_algorithm().removeprefix("ssh-")
        fingerprint = f"{kind} {key.get_fingerprint('sha256')}"
        host = self.address.host
        port = self.address.port or 22
        name = host if port == 22 else f"[{host}]:{port}"
        try:
            has_another = bool(asyncssh.match_known_hosts(known, host, "", None if port == 22 else port)[0])
        except ValueError:
            has_another = False
        if has_another:
            return TargetError(
                f"{self.address}: the host key has changed: it is now {fingerprint}, and known_hosts has another. Somebody may "
                f"be in between. If the host's own `ssh-keygen -lf` says the same, `ssh-keygen -R '{name}'` forgets the old key",
                UNREACHABLE,
            )
        option = "" if port == 22 else f"-p {port} "
        return TargetError(
            f"{self.address}: the host key is not known: {fingerprint}. Compare it with what `ssh-keygen -lf /etc/ssh/"
            f"ssh_host_{kind.split('-')[0]}_key.pub` says on the host, then log in once with `ssh {option}{host}`, or add it "
            f"with `ssh-keyscan {option}{host} >> ~/.ssh/known_hosts`",
            UNREACHABLE,
        )

    def _failed(self, error: Exception) -> TargetError:
        match error:
            case asyncssh.PermissionDenied():
                why = "the login was refused: no key of ~/.ssh or of the agent is accepted for that user"
            case TimeoutError():
                why = f"no connection within {self.timeout:g} seconds"
            case asyncssh.DisconnectError():
                why = f"the connection failed: {error.reason or error}"
            case socket.gaierror(errno=socket.EAI_AGAIN):
                why = f"its address could not be looked up: {in_words(error)}"
            case socket.gaierror():
                why = f"no file and no host of that name: {in_words(error)}"
            case OSError():
                why = f"it cannot be reached: {in_words(error)}"
            case _:
                why = f"ssh: {error}"
        return TargetError(f"{self.address}: {why}", UNREACHABLE)

    async def shell(self) -> RemoteShell:
        """Another shell, on a channel of its own. Raises `OSError` where there is none to be had."""
        if self._connection is None:
            raise OSError("logged out")
        try:
            process = await self._connection.create_process("exec /bin/sh", encoding=None, stderr=asyncssh.DEVNULL)
        except asyncssh.Error as error:
            raise OSError(str(error)) from error
        trips.step("channel")
        trips.step("shell")
        return RemoteShell(process)

    async def close_rudely(self) -> None:
        """Break the connection off, as a network does."""
        if self._connection is not None:
            self._connection.abort()

    async def close(self) -> None:
        """Log out."""
        if self._connection is not None:
            self._connection.close()
            await self._connection.wait_closed()
            self._connection = None
