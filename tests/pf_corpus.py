"""The pf corpus as test cases: micro-tests, real rulesets, interfaces and packets with pfctl's and pf's answers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from ipaddress import ip_address, ip_interface
from pathlib import Path

from mailaudit.models.interfaces import LOOPBACK, Address, Interface, Interfaces
from mailaudit.models.pf import Ruleset, ruleset
from mailaudit.models.services import Services, _stock
from mailaudit.models.sources import Sources
from mailaudit.parsers.pf import parse
from mailaudit.questions import Absent, Answer, Found, Question, ReadFile
from mailaudit.snapshot import Snapshot
from mailaudit.text import Text

CORPUS = Path(__file__).parents[2] / "shared" / "corpora" / "pf"
HAS_CORPUS = CORPUS.is_dir()
WHY_NOT = "the corpora of real files are not beside this checkout"
STOCK = Services(ports=_stock())
LENIENT = Services(ports={**_stock(), ("matter", "tcp"): 5540, ("matter", "udp"): 5540})  # pfctl was given names it did not know
TRIED_ON = Interfaces(
    known=(
        LOOPBACK,
        Interface("em0", frozenset(["egress"]), (Address(4, 0x0A650001, 24), Address(6, (0x20010DB8 << 96) + 1, 64))),
        Interface("em1", frozenset(), (Address(4, 0x0A660001, 24),)),
    )
)  # the interfaces of the machine that the micro-tests were tried on


@dataclass(frozen=True)
class Micro:
    """A micro-test: a file, and whether pfctl accepts it."""

    name: str
    source: str
    accepted: bool


def micro_tests() -> Iterator[Micro]:
    """The cases of lexer.txt."""
    if not HAS_CORPUS:
        return
    text = (CORPUS / "lexer.txt").read_bytes().decode("utf-8", "surrogateescape")
    for part in text.split("### ")[1:]:
        name, _, rest = part.partition("\n")
        lines = rest.split("\n")
        source = [line[4:].replace("\\r", "\r") for line in lines if line.startswith("  | ") or line == "  |"]
        verdict = next(line for line in lines if line.startswith("  => "))
        yield Micro(name, "\n".join(source) + "\n", verdict[5:].startswith("ACCEPT"))


def real_rulesets() -> list[tuple[str, bool]]:
    """The real rulesets, and whether pfctl accepts them when interfaces, names, users and files are supplied."""
    if not HAS_CORPUS:
        return []
    rows = (CORPUS / "real" / "pfctl.tsv").read_text("utf-8").splitlines()[1:]
    return [(row.split("\t")[0], row.split("\t")[1] == "accept") for row in rows]


def interfaces_of(name: str) -> Interfaces:
    """The interfaces that were assumed for a real ruleset."""
    path = CORPUS / "packets" / f"{name}.ifs"
    if not path.exists():
        return Interfaces()
    found: dict[str, tuple[frozenset[str], list[Address]]] = {}
    for line in path.read_text("utf-8").splitlines():
        kind, interface, *rest = line.split()
        if kind == "if":
            found[interface] = frozenset(rest[1].split(",") if len(rest) > 1 else ()), []
            continue
        address = ip_interface(rest[0])
        peer = int(ip_address(rest[1])) if len(rest) > 1 else None
        broadcast = int(address.network.broadcast_address) if address.version == 4 and peer is None else None
        found[interface][1].append(Address(address.version, int(address.ip), address.network.prefixlen, peer, broadcast))
    return Interfaces(known=tuple(Interface(name, groups, tuple(each)) for name, (groups, each) in found.items()))


def read(
    source: str | bytes,
    interfaces: Interfaces | None = None,
    services: Services = STOCK,
    files: Mapping[str, bytes | None] | None = None,
) -> Ruleset:
    """The ruleset of a source on a host with some interfaces; `files` are others, None for those that are not there."""
    answers: dict[Question, Answer] = {
        ReadFile(path): Absent() if data is None else Found(data) for path, data in (files or {}).items()
    }
    sources = Sources(Snapshot("host", "target", answers))
    text = Text("/etc/pf.conf", source if isinstance(source, bytes) else source.encode("utf-8", "surrogateescape"))
    return ruleset(parse(text, sources.include), sources, services, interfaces or Interfaces())
