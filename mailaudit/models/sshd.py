"""sshd's settings: what counts for every login, what Match blocks change, and the ports that it listens on."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from mailaudit.models.included import WithIncludes, in_reading_order
from mailaudit.models.ordered import Visits
from mailaudit.models.services import PATH as SERVICES
from mailaudit.models.services import Services, read_services
from mailaudit.models.sources import Sources, refused_statements
from mailaudit.parsers.sshd import is_for_all
from mailaudit.parsers.sshd_keywords import ALIASES, KEYWORDS
from mailaudit.parsers.tree import Problem, Statement, Token, Tree
from mailaudit.questions import Command, CommandOutput, Found, RunCommand
from mailaudit.text import Span, decimal

PATH = "/etc/ssh/sshd_config"
FOLDER = "/etc/ssh"
DEFAULTS: Mapping[str, str] = {
    "addressfamily": "any",
    "allowagentforwarding": "yes",
    "allowtcpforwarding": "yes",
    "authorizedkeysfile": ".ssh/authorized_keys .ssh/authorized_keys2",
    "clientalivecountmax": "3",
    "clientaliveinterval": "0",
    "disableforwarding": "no",
    "gatewayports": "no",
    "hostbasedauthentication": "no",
    "kbdinteractiveauthentication": "yes",
    "logingracetime": "120",
    "loglevel": "info",
    "maxauthtries": "6",
    "maxsessions": "10",
    "maxstartups": "10:30:100",
    "passwordauthentication": "yes",
    "permitemptypasswords": "no",
    "permitrootlogin": "prohibit-password",
    "permittty": "yes",
    "permituserenvironment": "no",
    "pubkeyauthentication": "yes",
    "strictmodes": "yes",
    "syslogfacility": "auth",
    "usedns": "no",
    "x11forwarding": "no",
}
"""What counts where nothing is written (servconf.c, fill_default_server_options())."""
_ADDED = frozenset(
    {"port", "listenaddress", "hostkey", "hostcertificate", "allowusers", "denyusers", "allowgroups", "denygroups", "acceptenv"}
)
"""Keywords of which each statement adds to those before; of all others the first counts, of `subsystem` the first of a name."""
_SAME = {"without-password": "prohibit-password"}


@dataclass(frozen=True, slots=True, eq=False)
class Setting:
    """One statement: the keyword as the man page names it in lower case, its arguments, and the Match blocks around it.

    A block `Match all` is no condition: it is not in `within`, but `for_all` is true.
    """

    name: str
    keyword: Token
    arguments: tuple[Token, ...]
    statement: Statement
    within: tuple[Statement, ...] = ()
    for_all: bool = False

    @property
    def value(self) -> str:
        """The arguments, joined by blanks."""
        return " ".join(token.value for token in self.arguments)

    @property
    def span(self) -> Span:
        """The whole statement."""
        return self.statement.span


@dataclass(frozen=True, slots=True)
class Address:
    """An address that sshd listens on; no port means all of `Port`. `*` stands for all addresses."""

    host: str
    port: int | None
    at: Token | None = None


@dataclass(frozen=True, eq=False)
class SshdConfig(WithIncludes):
    """sshd's configuration.

    `ports` are those it listens on, at least one. `settings` are the statements without a condition, in order; `conditional`
    those within Match blocks. `recorded` is what `sshd -T` said, by keyword: it is what counts, wherever it is known.
    """

    ports: tuple[int, ...] = field(default=(22,))
    settings: tuple[Setting, ...] = ()
    conditional: tuple[Setting, ...] = ()
    recorded: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    addresses: tuple[Address, ...] = ()

    def written(self, name: str) -> tuple[Setting, ...]:
        """The statements of a keyword that count for every login: the first, or all where each adds to the others.

        What a block `Match all` says of a login takes the place of what stands above all blocks.
        """
        name = ALIASES.get(name.lower(), name.lower())
        found = tuple(setting for setting in self.settings if setting.name == name)
        known = KEYWORDS.get(name)
        if known is not None and known.in_match:
            found = tuple(setting for setting in found if setting.for_all) or found
        return found if name in _ADDED or name == "subsystem" else found[:1]

    def value(self, name: str) -> str | None:
        """What counts for every login: as `sshd -T` said, as written, or the default; None where there is none of these."""
        name = ALIASES.get(name.lower(), name.lower())
        recorded = self.recorded.get(name)
        if recorded is not None:
            found: str | None = " ".join(recorded)
        else:
            found = " ".join(setting.value for setting in self.written(name)) or DEFAULTS.get(name)
        return None if found is None else _SAME.get(found.lower(), found)

    def is_on(self, name: str) -> bool:
        """True if a flag is `yes` for every login."""
        return (self.value(name) or "").lower() == "yes"

    def exceptions(self, name: str) -> tuple[Setting, ...]:
        """What Match blocks set for some logins."""
        name = ALIASES.get(name.lower(), name.lower())
        return tuple(setting for setting in self.conditional if setting.name == name)

    def place(self, name: str) -> Span | None:
        """Where the value that counts is written, if it is written."""
        found = self.written(name)
        return found[0].span if found else None


def read_sshd(sources: Sources) -> SshdConfig:
    """sshd_config with what it includes, and what `sshd -T` said; without either, sshd's defaults."""
    services = sources.make(read_services)
    answer = sources.ask(RunCommand(Command.SSHD))
    recorded: Mapping[str, tuple[str, ...]] = {}
    if isinstance(answer, Found) and isinstance(answer.value, CommandOutput) and answer.value.status == 0:
        recorded = _recorded(answer.value.stdout)
    tree = sources.tree(PATH, "sshd")
    if not isinstance(tree, Tree):
        assumed = () if recorded else ("sshd listens on port 22",)
        return SshdConfig(ports=_ports(recorded, (), services), recorded=recorded, assumed=assumed)
    visits = Visits(sources, "sshd", lambda path: path if path.startswith("/") else f"{FOLDER}/{path}", must=False)
    found = [setting for visit in visits.of(tree) if (setting := _setting(*visit)) is not None]
    settings = tuple(setting for setting in found if not setting.within)
    refused = (*refused_statements(visits.trees), *visits.refused, *_unknown_ports(found, services))
    refusals = in_reading_order(visits.trees, refused)
    return SshdConfig(
        trees=tuple(visits.trees),
        refusals=refusals,
        unknown=tuple(visits.unknown),
        ports=_ports(recorded, settings, services),
        settings=settings,
        conditional=tuple(setting for setting in found if setting.within),
        recorded=recorded,
        addresses=tuple(_addresses(settings, services)),
    )


def _setting(statement: Statement, within: tuple[Statement, ...]) -> Setting | None:
    if statement.kind != "setting" or any(block.unread for block in within):
        return None
    keyword, *arguments = statement.node.leaves()
    name = ALIASES.get(keyword.value, keyword.value)
    conditions = tuple(block for block in within if not is_for_all(block))
    return Setting(name, keyword, tuple(arguments), statement, conditions, len(conditions) < len(within))


def _recorded(output: str) -> dict[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for line in output.splitlines():
        name, _, value = line.partition(" ")
        found[name.lower()] = (*found.get(name.lower(), ()), value)
    return found


def _ports(recorded: Mapping[str, tuple[str, ...]], settings: tuple[Setting, ...], services: Services) -> tuple[int, ...]:
    """The ports listened on: those of the addresses, and for addresses without one, and without any address, those of Port."""
    if recorded.get("port"):
        ports = [_port(value, services) for value in recorded["port"]]
        listed = [_address(value, services).port for value in recorded.get("listenaddress", ())]
        return _numbers([port for port in listed if port is not None] or ports)
    ports = [_port(setting.value, services) for setting in settings if setting.name == "port"] or [22]
    addresses = list(_addresses(settings, services))
    if not addresses:
        return _numbers(ports)
    return _numbers([port for each in addresses for port in ([each.port] if each.port is not None else ports)])


def _unknown_ports(settings: Iterable[Setting], services: Services) -> Iterator[Problem]:
    for setting in settings:
        if setting.name in ("port", "listenaddress"):
            token = setting.arguments[0]
            name = token.value if setting.name == "port" else _port_of(token.value)[1]
            if name and _port(name, services) is None:
                yield Problem(f'"{name}" is no port, and no service in {SERVICES}', token.span)


def _numbers(ports: list[int | None]) -> tuple[int, ...]:
    return tuple(dict.fromkeys(port for port in ports if port is not None and 0 < port < 65536)) or (22,)


def _port(written: str, services: Services) -> int | None:
    number = decimal(written) if len(written) < 6 else None
    return services.port(written, "tcp") if number is None else number


def _addresses(settings: tuple[Setting, ...], services: Services) -> Iterator[Address]:
    for setting in settings:
        if setting.name == "listenaddress":
            yield _address(setting.arguments[0].value, services, setting.arguments[0])


def _port_of(written: str) -> tuple[str, str]:
    """The host and the port of an address as it is written; an empty port where it has none."""
    if written.startswith("["):
        host, _, port = written[1:].partition("]")
        return host, port.removeprefix(":")
    host, _, port = written.rpartition(":")
    return (host, port) if written.count(":") == 1 else (written, "")


def _address(written: str, services: Services, at: Token | None = None) -> Address:
    host, port = _port_of(written)
    return Address(host, _port(port, services) if port else None, at)
