"""What httpd refuses of a file that its grammar reads.

Source: the actions of httpd's parse.y of 2025-09; server_match() and server_tls_cmp() for servers that collide.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator

from mailaudit.models.httpd_parts import HttpdConfig, Listener, Server
from mailaudit.parsers.blocks import unfold
from mailaudit.parsers.brief import brief
from mailaudit.parsers.tree import Node, Problem, Statement, Token, Tree
from mailaudit.text import Span, decimal

NOT_IN_LOCATIONS = frozenset({"listen", "alias", "tcp", "connection", "tls", "errdocs", "hsts", "location"})
PROTOCOLS = frozenset(  # tls_config_parse_protocols(3)
    ["all", "default", "legacy", "secure", "compat", "tlsv1", "tlsv1.0", "tlsv1.1", "tlsv1.2", "tlsv1.3"]
)
SHARED_TLS = ("ciphers", "dhe", "ecdhe", "client", "ticket")
MOST_PROCESSES = 32
_NUMBER = re.compile(r"-?[0-9]+")


def refusals(tree: Tree, model: HttpdConfig) -> Iterator[Problem]:
    """The refusals by meaning, server by server."""
    for statement, _ in unfold(tree):
        if statement.kind == "prefork" and not 0 < _number(statement.node) <= MOST_PROCESSES:
            token = statement.node.leaves()[-1]
            yield Problem(f"invalid number of processes: {token.value}", token.place)
    above: list[tuple[Server, Token, Listener]] = []
    for server in model.servers:
        yield from _options(server, model)
        yield from _collisions(server, above)
    if not model.servers:
        start = Span(tree.text, 0, 0)
        yield Problem("no server is defined, so httpd has nothing to do", start)


def _options(server: Server, model: HttpdConfig) -> Iterator[Problem]:
    listening = False
    encrypted = False
    seen: set[tuple[str, bool | None]] = set()
    ports = {id(listener.statement): listener.port for listener in server.listeners}
    locations = {id(location.statement): location for location in server.locations}
    for option, file in unfold(_file_of(server, model), server.statement.body):
        if option.kind == "listen" and option.template is not None:
            listening = True
            encrypted = encrypted or option.node.has("tls")
            yield from _port(option, ports[id(option)])
        elif option.kind == "tls" and option.template is not None:
            if not encrypted:
                yield Problem('"tls" stands above any "listen ... tls"', option.tokens[-1].span)
            yield from _protocols(option.node)
        elif option.kind == "location" and option.template is not None:
            location = locations[id(option)]
            if not listening:
                yield Problem('"location" stands above any "listen"', option.tokens[0].span)
            if (location.path.value, location.found) in seen:
                yield Problem(f'location "{location.path.value}" is defined twice', option.end)
            seen.add((location.path.value, location.found))
            yield from _in_location(option, file)
        yield from _return(option)
    if not listening and not any(each.unread for each in server.statement.body):
        yield Problem(f'server "{server.name.value}" has no "listen"', server.statement.end)


def _file_of(server: Server, model: HttpdConfig) -> Tree:
    text = server.statement.tokens[0].text
    return next(tree for tree in model.trees if tree.text is text)


def _in_location(location: Statement, file: Tree) -> Iterator[Problem]:
    for option, _ in unfold(file, location.body):
        if option.kind in NOT_IN_LOCATIONS:
            yield Problem(f'"{option.tokens[0].value}" may not stand in a location', option.tokens[0].span)
        yield from _return(option)


def _port(option: Statement, known: int | None) -> Iterator[Problem]:
    port = option.node.leaves()[-1]
    if _NUMBER.fullmatch(port.value):
        if not 0 < (decimal(port.value) or 0) < 65536:
            yield Problem(f"invalid port: {brief(port.value)}", port.place)
    elif known is None:
        yield Problem(f'unknown port "{port.value}"', port.place)


def _return(option: Statement) -> Iterator[Problem]:
    if option.kind != "block" or option.template is None or not option.node.has("return"):
        return
    code = next(token for token in option.node.leaves() if token.kind == "number")
    uri = [token for token in option.node.leaves() if token.is_string]
    if not 100 <= int(code.value) < 600:
        yield Problem(f"invalid return code: {code.value}", code.place)
    elif uri and not 300 <= int(code.value) < 400:
        yield Problem(f"return code {code.value} takes no address; only 300 to 399 do", uri[0].place)


def _protocols(node: Node) -> Iterator[Problem]:
    for flag in node.nodes("protocols"):
        token = flag.leaves()[-1]
        if any(word.lstrip("!") not in PROTOCOLS for word in _words(token)):
            yield Problem(f'invalid TLS protocols: "{token.value}"', token.place)


def _collisions(server: Server, above: list[tuple[Server, Token, Listener]]) -> Iterator[Problem]:
    """Two servers with one name, address and port; or servers that share address and port but not TLS."""
    names = [server.name, *(name for name, _ in server.aliases)]
    for listener in server.listeners:
        for name in names:
            rivals = [each for each in above if _same_socket(each[2], listener)]
            twin = next((each for each in rivals if each[1].value == name.value), None)
            if twin is not None:
                yield Problem(f'server "{name.value}" is defined twice', server.statement.end)
                return
            if rivals and name is server.name and listener is server.listeners[0]:  # the daemon does not look at the others
                yield from _tls_clash(server, listener, rivals[0])
            above.append((server, name, listener))


def _tls_clash(server: Server, listener: Listener, rival: tuple[Server, Token, Listener]) -> Iterator[Problem]:
    place = server.statement.end
    if rival[2].tls != listener.tls:
        message = f'server "{server.name.value}" and another share an address and a port, one with TLS and one without'
        yield Problem(message, place)
    elif listener.tls and _tls_key(rival[0]) != _tls_key(server):
        yield Problem(f'server "{server.name.value}" has other TLS options than another on the same address and port', place)


def _tls_key(server: Server) -> tuple[str | None, ...]:
    tokens = (server.tls_option(name) for name in SHARED_TLS)
    return (_versions(server), *(None if token is None else token.value for token in tokens))


def _versions(server: Server) -> str:
    """The protocol versions that are on, newest first; libtls knows 1.2 and 1.3 alone, and both are on by default."""
    token = server.tls_option("protocols")
    words = {"default"} if token is None else set(_words(token))
    grouped = bool(words & {"all", "default", "legacy", "secure", "compat"})
    on = {version for version in ("1.2", "1.3") if grouped or f"tlsv{version}" in words or "tlsv1" in words}
    return " ".join(sorted(version for version in on if f"!tlsv{version}" not in words))


def _words(token: Token) -> list[str]:
    return [word.strip() for word in token.value.lower().replace(":", ",").split(",")]


def _same_socket(one: Listener, other: Listener) -> bool:
    """True if the first takes what the other wants: an address of any (`*`, `0.0.0.0`, `::`) takes all of its family."""
    if one.port != other.port or one.port is None:
        return False
    if not set(one.families) & set(other.families):
        return False
    return one.address.value == other.address.value or _is_any(one)


def _is_any(listener: Listener) -> bool:
    if listener.address.value == "*":
        return True
    try:
        return ipaddress.ip_address(listener.address.value).is_unspecified
    except ValueError:
        return False


def _number(node: Node) -> int:
    return int(node.leaves()[-1].value)
