"""httpd.conf(5) as meant: servers, the addresses they listen on, and their locations."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from mailaudit.models.httpd_parts import Answer, HttpdConfig, Listener, Location, Server
from mailaudit.models.httpd_refusals import refusals
from mailaudit.models.included import in_reading_order, missing_includes
from mailaudit.models.services import Services, read_services
from mailaudit.models.sources import Known, Slot, Sources, all_trees, refused_statements
from mailaudit.parsers.blocks import unfold
from mailaudit.parsers.tree import Node, Statement, Token, Tree
from mailaudit.text import decimal

__all__ = ["HttpdConfig", "Listener", "Location", "Server", "read_httpd", "understood"]

PATH = "/etc/httpd.conf"
STOCK = frozenset({"/usr/share/misc/mime.types"})


def _listener(option: Statement, services: Services) -> Listener:
    leaves = option.node.leaves()
    port = leaves[-1]
    number = decimal(port.value)
    return Listener(leaves[2], services.port(port.value) if number is None else number, port, option.node.has("tls"), option)


def _answer(answer: Answer, option: Statement) -> Answer:
    node = option.node
    first = node.leaves()[0].kind
    strings = [token for token in node.leaves() if token.is_string]
    numbers = [int(token.value) for token in node.leaves() if token.kind == "number"]
    if option.kind == "root":
        return replace(answer, root=strings[-1])
    if option.kind == "request":
        strips = [flag.leaves()[-1] for flag in node.nodes("strip")]
        return replace(answer, strip=int(strips[-1].value)) if strips else answer
    if option.kind == "block":
        uri = strings[-1] if strings else None
        code = None if node.has("drop") else numbers[0] if numbers else 403
        return replace(answer, block=True, code=code, uri=uri)
    if option.kind == "pass":
        return replace(answer, block=False)
    if option.kind == "fastcgi":
        return replace(answer, fastcgi=first != "no")
    if option.kind == "directory":
        for flag in node.nodes("auto"):
            answer = replace(answer, auto_index=not flag.has("no"))
        for flag in node.nodes("index"):
            answer = replace(answer, index=None if flag.has("no") else flag.leaves()[-1])
    return answer


def _location(statement: Statement, file: Tree) -> Location:
    node = statement.node
    answer = Answer()
    for option, _ in unfold(file, statement.body):
        if option.template is not None and option.kind != "empty":  # empty: a line that was mended to nothing
            answer = _answer(answer, option)
    found = None if not node.has("found") else not node.has("not")
    path = next(token for token in node.leaves() if token.is_string)
    return Location(path, node.has("match"), found, answer, statement)


def _tls(node: Node) -> Iterator[tuple[str, Token]]:
    for part in node:
        if isinstance(part, Node):
            yield from ((part.kind, token) for token in part.leaves() if token.is_string)


def read_server(statement: Statement, file: Tree, services: Services) -> Server:
    """A server of its block."""
    node = statement.node
    server = Server(next(token for token in node.leaves() if token.is_string), node.has("match"), statement)
    for option, at in unfold(file, statement.body):
        if option.template is None:
            continue
        if option.kind == "listen":
            server = replace(server, listeners=(*server.listeners, _listener(option, services)))
        elif option.kind == "location":
            server = replace(server, locations=(*server.locations, _location(option, at)))
        elif option.kind == "alias":
            server = replace(server, aliases=(*server.aliases, (option.node.leaves()[-1], option.node.has("match"))))
        elif option.kind == "tls":
            server = replace(server, tls=(*server.tls, *_tls(option.node)))
        elif option.kind != "empty":
            server = replace(server, answer=_answer(server.answer, option))
    return server


def understood(tree: Tree, services: Services) -> HttpdConfig:
    """The model of a tree alone."""
    trees = all_trees(tree)
    servers: list[Server] = []
    chroot = None
    for statement, file in unfold(tree):
        if statement.kind == "server":
            servers.append(read_server(statement, file, services))
        elif statement.kind == "chroot":
            chroot = statement.node.leaves()[-1]
    model = HttpdConfig(trees=trees, servers=tuple(servers), chroot=chroot)
    problems = (*refused_statements(trees), *refusals(tree, model))
    return replace(model, refusals=in_reading_order(trees, problems))


def read_httpd(sources: Sources) -> Slot[HttpdConfig]:
    """The model of the host's httpd.conf."""
    slot = sources.slot(PATH, sources.tree(PATH, "httpd"), (PATH,))
    if not isinstance(slot, Known):
        return slot
    return Known(missing_includes(understood(slot.value, read_services(sources)), sources, STOCK))
