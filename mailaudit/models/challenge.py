"""How httpd answers on port 80: the authority that comes for a challenge, and everybody else."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import StrEnum

from mailaudit.models.acme import CHALLENGE_DIRECTORY, Domain
from mailaudit.models.httpd_parts import CHROOT, ROOT, Answer, HttpdConfig, Location, Server
from mailaudit.parsers.tree import Statement
from mailaudit.text import Span

HTTP = 80
HTTPS = 443
PREFIX = "/.well-known/acme-challenge"
TOKEN = "token"  # noqa: S105  the last part of the path of any challenge


class Way(StrEnum):
    """What httpd does with a request."""

    FILE = "serves a file"
    BLOCK = "refuses it"
    REDIRECT = "redirects it"
    PROGRAM = "gives it to a FastCGI program"
    LOGIN = "asks for a password"
    REWRITE = "makes a request for another path of it"


@dataclass(frozen=True, slots=True, eq=False)
class Served:
    """How a server answers a request, by one of its locations or, without one, by itself.

    `answer` is that of the location with what it inherits. `file` is the path that is read on the host, for `Way.FILE` alone.
    """

    server: Server
    location: Location | None
    answer: Answer
    way: Way
    file: str | None = None

    @property
    def at(self) -> Span:
        """The words that decide: the location's path or the server's name."""
        return self.location.path.span if self.location is not None else self.server.name.span


def challenge_directory(domain: Domain) -> str:
    """Where acme-client puts the challenges of a domain."""
    return joined(domain.challengedir.value if domain.challengedir is not None else CHALLENGE_DIRECTORY)


def server_for(httpd: HttpdConfig, name: str) -> tuple[Server | None, bool | None]:
    """The server that answers for a name on port 80, and whether it is named so; None where a Lua pattern decides."""
    on_port = [server for server in httpd.servers if any(each.port == HTTP for each in server.listeners)]
    for server in on_port:
        fits = server.answers_to(name)
        if fits is not False:
            return server, fits
    return (on_port[0] if on_port else None), False


def answers(httpd: HttpdConfig, server: Server, path: str) -> list[Served]:
    """How a server answers a request for a path: in one way, or in one of several where patterns or files decide."""
    found: list[Served] = []
    for location in server.locations:
        covered = location.covers(path)
        if covered is not False:
            found.append(answer(httpd, server, location, path))
        if covered:
            return found
    return [*found, answer(httpd, server, None, path)]


def challenge(httpd: HttpdConfig, server: Server) -> list[Served]:
    """How a server answers the authority."""
    return answers(httpd, server, f"{PREFIX}/{TOKEN}")


def serves(served: Served, directory: str) -> bool:
    """True if what is read for a challenge is what acme-client writes into a directory."""
    return served.file == posixpath.join(directory, TOKEN)


def others(httpd: HttpdConfig, server: Server) -> Iterator[Served]:
    """How a server answers all other requests: each location that one may come to, and the server itself."""
    for location in server.locations:
        if not location.is_pattern and location.path.value.lower().startswith(PREFIX):
            continue
        yield answer(httpd, server, location, "/")
        if location.path.value in ("*", "/*") and not location.is_pattern and location.found is None:
            return
    yield answer(httpd, server, None, "/")


def answer(httpd: HttpdConfig, server: Server, location: Location | None, path: str) -> Served:
    """How a location, or the server itself, answers a request for a path (httpd, config_getserver_config)."""
    own = inherited(server, location)
    way = _way(own, [server.statement, *([location.statement] if location is not None else [])])
    if way is not Way.FILE:
        return Served(server, location, own, way)
    chroot = httpd.chroot.value if httpd.chroot is not None else CHROOT
    root = own.root.value if own.root is not None else ROOT
    return Served(server, location, own, way, joined(chroot, root, _stripped(path, own.strip or 0)))


def joined(*parts: str) -> str:
    """The absolute path that parts of one make, without what means nothing."""
    return "/" + posixpath.normpath("/".join(parts)).lstrip("/")


def inherited(server: Server, location: Location | None) -> Answer:
    """The answer of a location with what it takes over from its server: a block too, but not how much is stripped."""
    above = server.answer
    if location is None:
        return above
    own = location.answer
    if own.block is None:
        own = replace(own, block=above.block, code=above.code, uri=above.uri)
    return replace(
        own,
        root=own.root or above.root,
        fastcgi=above.fastcgi if own.fastcgi is None else own.fastcgi,
        auto_index=above.auto_index if own.auto_index is None else own.auto_index,
    )


def _way(own: Answer, blocks: list[Statement]) -> Way:
    if _last(blocks, "request", "rewrite"):
        return Way.REWRITE
    if own.block:
        return Way.REDIRECT if own.uri is not None and own.code is not None and 300 <= own.code < 400 else Way.BLOCK
    if _last(blocks, "authenticate", "authenticate"):
        return Way.LOGIN
    return Way.PROGRAM if own.fastcgi else Way.FILE


def _last(blocks: list[Statement], kind: str, flag: str) -> bool:
    """True if the last option with a flag in these blocks, the inner one last, does not say no to it."""
    options = [option for block in blocks for option in block.body if option.kind == kind and option.template]
    found = [node for option in options for node in (option.node, *option.node.nodes(flag)) if node.kind == flag]
    return bool(found) and found[-1].leaves()[0].value != "no"


def _stripped(path: str, number: int) -> str:
    """A path without its first directories (httpd, server_root_strip)."""
    for _ in range(number):
        path = "/".join(("", *path.split("/")[2:])) if path.count("/") > 1 else ""
    return path
