"""pf.conf: lexer and grammar, expanded rules and packets as OpenBSD's pfctl and pf have them."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from ipaddress import ip_address, ip_interface
from pathlib import Path

from bench.agreement import CORPORA, Row
from bench.agreement.pf_space import compared
from mailaudit.models.interfaces import Address, Interface, Interfaces, driver_of
from mailaudit.models.pf.config import Ruleset, ruleset
from mailaudit.models.pf.doubt import Doubts
from mailaudit.models.pf.packet import read_packet
from mailaudit.models.pf.print_file import printed
from mailaudit.models.pf.resolve import HOSTS, Resolver
from mailaudit.models.pf.values import GROUPS, USERS
from mailaudit.models.services import Services, _stock
from mailaudit.models.sources import Sources
from mailaudit.parsers.pf import parse
from mailaudit.questions import Absent, Answer, Found, Question, ReadFile
from mailaudit.snapshot import Snapshot
from mailaudit.text import Text

FOLDER = CORPORA / "pf"
STOCK = Services(ports=_stock())
LENIENT = Services(ports={**_stock(), ("matter", "tcp"): 5540, ("matter", "udp"): 5540})  # pfctl was given names it did not know
TRIED_ON = Interfaces(
    known=(
        Interface("lo0", frozenset(["lo"]), (Address(4, 0x7F000001, 8),)),
        Interface("em0", frozenset(["egress"]), (Address(4, 0x0A650001, 24), Address(6, (0x20010DB8 << 96) + 1, 64))),
        Interface("em1", frozenset(), (Address(4, 0x0A660001, 24),)),
    )
)  # the interfaces of the machine that the micro-tests were tried on
ELSEWHERE: Mapping[str, bytes | None] = {"/nonexistent": None, "/foo.conf": None, "/inc1.conf": b"pass in on lo0\n"}


@dataclass(frozen=True)
class Micro:
    """A micro-test: a file, whether pfctl accepts it, and the lines that it prints."""

    name: str
    source: str
    accepted: bool
    printed: tuple[str, ...] = ()


def micro_tests(folder: Path = FOLDER) -> list[Micro]:
    """The cases of lexer.txt."""
    if not folder.is_dir():
        return []
    text = (folder / "lexer.txt").read_bytes().decode("utf-8", "surrogateescape")
    found = []
    for part in text.split("### ")[1:]:
        name, _, rest = part.partition("\n")
        lines = rest.split("\n")
        source = [line[4:].replace("\\r", "\r") for line in lines if line.startswith("  | ") or line == "  |"]
        verdict = next(line for line in lines if line.startswith("  => "))
        said = tuple(line[4:] for line in lines if line.startswith("  > "))
        found.append(Micro(name, "\n".join(source) + "\n", verdict[5:].startswith("ACCEPT"), said))
    return found


def real_rulesets(folder: Path = FOLDER) -> list[tuple[str, bool]]:
    """The real rulesets, and whether pfctl accepts them when interfaces, names, users and files are supplied."""
    if not folder.is_dir():
        return []
    rows = (folder / "real" / "pfctl.tsv").read_text("utf-8").splitlines()[1:]
    return [(row.split("\t")[0], row.split("\t")[1] == "accept") for row in rows]


def interfaces_of(name: str, folder: Path = FOLDER) -> Interfaces:
    """The interfaces that were assumed for a real ruleset."""
    path = folder / "packets" / f"{name}.ifs"
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


def real(name: str, folder: Path = FOLDER) -> Ruleset:
    """A real ruleset on the host that it was tried on; where that was not recorded, on one with the interfaces that it names."""
    source = (folder / "real" / name).read_bytes()
    interfaces = interfaces_of(name, folder)
    return read(source, interfaces if interfaces.known else mentioned(read(source, services=LENIENT)), LENIENT)


def mentioned(pf: Ruleset) -> Interfaces:
    """The interfaces that a ruleset names, each with addresses of both families."""
    peers = [peer for rule in pf.rules for peer in (*rule.sources, *rule.targets)]
    peers += [peer for rule in pf.rules if rule.options.nat is not None for peer in rule.options.nat.targets]
    names = {item.name for rule in pf.rules for item in rule.interfaces} | {peer.name for peer in peers}
    known = sorted(name for name in names if driver_of(name))
    both = [
        (Address(4, 0x0A650001 + (n << 8), 24), Address(6, (0x20010DB8 << 96) + (n << 64) + 1, 64)) for n in range(len(known))
    ]
    return Interfaces(known=tuple(Interface(name, frozenset(), each) for name, each in zip(known, both, strict=True)))


class Everybody(dict[str, int]):
    """Users and groups: those that pfctl's host did not have were supplied, all with one number."""

    def __missing__(self, name: str) -> int:
        return 1000

    def __contains__(self, name: object) -> bool:
        return True


class EveryHost(dict[str, tuple[tuple[int, int], ...]]):
    """Hosts: all were supplied, each with some address; here with one of 198.18.0.0/15 that stands for it."""

    def __missing__(self, name: str) -> tuple[tuple[int, int], ...]:
        self[name] = ((4, 0xC6120000 + len(self)),)
        return self[name]

    def __contains__(self, name: object) -> bool:
        return True


def with_supplied(expected: list[str], got: list[str]) -> list[str]:
    """Our lines with the addresses that pfctl was supplied with for the names of hosts: for each name always the same one."""
    known: dict[str, str] = {}
    lines = []
    for theirs, ours in zip(expected, got, strict=False):
        if theirs != ours:
            for a, b in zip(theirs.split(), ours.split(), strict=False):
                if b.startswith("198.18."):
                    known.setdefault(b, a)
        lines.append(" ".join(known.get(word, word) for word in ours.split(" ")))
    return [*lines, *got[len(lines) :]]


def difference(expected: list[str], got: list[str]) -> str:
    """The first line that differs."""
    for number, (a, b) in enumerate(zip(expected, got, strict=False), 1):
        if a != b:
            return f"line {number}: pfctl {a!r}, here {b!r}"
    return "" if len(expected) == len(got) else f"pfctl has {len(expected)} lines, here are {len(got)}"


def _row(subject: str, results: Iterator[tuple[str, str]]) -> Row:
    of = 0
    wrong = []
    for name, what in results:
        of += 1
        if what:
            wrong.append(f"{name}: {what}")
    return Row(subject, of - len(wrong), of, (), tuple(wrong))


def lexer_verdicts(tests: list[Micro]) -> Iterator[tuple[str, str]]:
    """Each micro-test, and what is wrong with our verdict."""
    for test in tests:
        accepted = not read(test.source, TRIED_ON, files=ELSEWHERE).faults
        yield test.name, "" if accepted == test.accepted else f"pfctl {'accepts' if test.accepted else 'refuses'} it"


def lexer_prints(tests: list[Micro]) -> Iterator[tuple[str, str]]:
    """Each micro-test, and where our print of it differs: of what pfctl refuses, the lines before it gives up."""
    for test in tests:
        yield test.name, difference(list(test.printed), list(printed(read(test.source, TRIED_ON, files=ELSEWHERE))))


def real_verdicts(names: list[tuple[str, bool]], folder: Path) -> Iterator[tuple[str, str]]:
    """Each real ruleset, and what is wrong with our verdict."""
    for name, accepted in names:
        faults = real(name, folder).faults
        why = f": {faults[0].problem.message}" if faults else ""
        yield name, "" if accepted == (not faults) else f"pfctl {'accepts' if accepted else 'refuses'} it{why}"


def norms(names: list[tuple[str, bool]], folder: Path) -> Iterator[tuple[str, str]]:
    """Each real ruleset that pfctl accepts, and where the expanded rules differ."""
    for name, accepted in names:
        path = folder / "packets" / f"{name}.norm"
        if accepted and path.exists():
            expected = path.read_bytes().decode("utf-8", "surrogateescape").split("\n")[:-1]
            pf = real(name, folder)
            supplied = Resolver(pf.interfaces, EveryHost(HOSTS), Everybody(USERS), Everybody(GROUPS))
            yield name, difference(expected, with_supplied(expected, list(printed(pf, supplied))))


def packets(names: list[tuple[str, bool]], folder: Path, limit: int | None) -> Row:
    """The packets of all real rulesets: decided as pf does, or left in doubt; a wrong verdict is a fault."""
    agree = doubts = of = 0
    wrong = []
    for name, accepted in names:
        path = folder / "packets" / f"{name}.pkts"
        if not accepted or not path.exists():
            continue
        pf = real(name, folder)
        reasons = Doubts(pf)
        by_name = {interface.name: interface for interface in pf.interfaces.known}
        verdicts = path.with_suffix(".verdict").read_text("utf-8").splitlines()
        for packet, verdict in list(zip(path.read_text("utf-8").splitlines(), verdicts, strict=True))[:limit]:
            _, action, by = verdict.split("\t")[:3]
            special = {"skip": "skip", "normalize": "malformed", "default": "default", "ip-options": "ip-options"}
            asked = read_packet(packet, by_name)
            decision = pf.verdict(asked)
            got = decision.action
            of += 1
            agree += got == special.get(by, action)
            if got != "in-doubt":
                if got != special.get(by, action):
                    wrong.append(f"{name}: {packet}: pf {special.get(by, action)}, here {got}")
            elif all(reasons.of(rule, asked.traffic) for rule in decision.doubts or (None,)):
                doubts += 1
            else:
                wrong.append(f"{name}: {packet}: in doubt for no reason of the list")
    # The recorded verdicts took unknown owners of sockets for none, and anchors that are filled at run time for empty.
    return Row("pf packets, in doubt only for a reason of the list", agree, of, (), tuple(wrong), doubts)


def with_all_ports(names: list[str]) -> list[str]:
    """Ten rulesets of hosts with few interfaces, at all ports of which packets are compared."""
    few = [name for name in names if len(interfaces_of(name).known) in (2, 3)]
    return sorted(few)[:10]


def _boundaries(name: str) -> tuple[int, list[str]]:
    tried, wrong = compared(real(name), name)
    return tried, [f"{name}: {each}" for each in wrong]


def _all_ports(name: str) -> tuple[int, list[str]]:
    tried, wrong = compared(real(name), name, all_ports=True)
    return tried, [f"{name}: {each}" for each in wrong]


def space(names: list[str]) -> Iterator[Row]:
    """What is said of the whole space, beside the verdicts of single packets."""
    largest = sorted(names, key=lambda name: -len(interfaces_of(name).known))
    with ProcessPoolExecutor() as pool:
        for subject, job, some in (
            ("pf reachable(), at every boundary of ports and addresses", _boundaries, largest),
            ("pf reachable(), at all ports of ten rulesets", _all_ports, with_all_ports(names)),
        ):
            found = list(pool.map(job, some))
            tried, wrong = sum(each for each, _ in found), [line for _, lines in found for line in lines]
            yield Row(subject, tried - len(wrong), tried, (), tuple(wrong[:20]))


def rows(corpora: Path, limit: int | None = None) -> Iterator[Row]:
    """What pfctl and pf said of each file and packet, beside what mailaudit says; a seeded sample of `limit` if one is given."""
    folder = corpora / "pf"
    tests, names = micro_tests(folder), real_rulesets(folder)
    if limit is not None:
        chance = random.Random(7)
        tests, names = chance.sample(tests, min(limit, len(tests))), chance.sample(names, min(limit, len(names)))
    yield _row("pf lexer, accepted or refused", lexer_verdicts(tests))
    yield _row("pf lexer, as printed", lexer_prints(tests))
    yield _row("pf real rulesets, accepted or refused", real_verdicts(names, folder))
    yield _row("pf expanded rules, line by line", norms(names, folder))
    yield packets(names, folder, None if limit is None else 20)
    if limit is None:
        yield from space([name for name, accepted in names if accepted])
