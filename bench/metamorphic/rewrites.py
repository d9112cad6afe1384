"""Rewrites of the corrected example that keep its meaning: no rule may find anything, and none may lose its verdict."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from bench.metamorphic.host import Bench, Host
from mailaudit.checks.pf.running import expanded
from mailaudit.findings import HostReport, Verdict
from mailaudit.models.pf.config import Ruleset
from mailaudit.models.sources import Known
from mailaudit.questions import Command, CommandOutput, Found, RunCommand

Write = Callable[[Host, random.Random], Host]


@dataclass(frozen=True)
class Way:
    """One way of writing the same otherwise. `loads` says that pf's rules are then others, or in another order."""

    what: str
    path: str
    write: Write
    loads: bool = False


@dataclass(frozen=True)
class Rewrite:
    """The example rewritten, in one way or several."""

    ways: tuple[Way, ...]
    host: Host

    def __str__(self) -> str:
        return "; ".join(f"{way.path}: {way.what}" for way in self.ways)


def replaced(path: str, *pairs: tuple[str, str]) -> Write:
    """Other words for the one place, or the places, where these stand; all that are given."""

    def write(host: Host, _: random.Random) -> Host:
        text = host.text(path)
        for old, new in pairs:
            if old not in text:
                raise LookupError(f"{path}: no {old!r}")
            text = text.replace(old, new)
        return host.write(path, text)

    return write


def one_of(path: str, old: str, *news: str) -> Write:
    """One of several spellings of the same."""
    return lambda host, rng: replaced(path, (old, rng.choice(news)))(host, rng)


def added(path: str, *texts: str) -> Write:
    """With lines at the end that change nothing."""

    def write(host: Host, rng: random.Random) -> Host:
        before = host.text(path) if path in host.files else ""
        return host.write(path, f"{before}{rng.choice(texts)}\n")

    return write


def shuffled(path: str, *starts: str) -> Write:
    """The lines that begin so in another order."""

    def write(host: Host, rng: random.Random) -> Host:
        lines = host.text(path).split("\n")
        numbers = [number for number, line in enumerate(lines) if line.startswith(starts)]
        if len(numbers) < 2:
            raise LookupError(f"{path}: {len(numbers)} lines begin with {starts}")
        order = numbers[:]
        while order == numbers:
            rng.shuffle(order)
        moved = dict(zip(numbers, [lines[number] for number in order], strict=True))
        return host.write(path, "\n".join(moved.get(number, line) for number, line in enumerate(lines)))

    return write


def listed(path: str, words: str, mark: str = " ") -> Write:
    """A list in another order."""

    def write(host: Host, rng: random.Random) -> Host:
        items = words.split(mark)
        order = items[:]
        while order == items:
            rng.shuffle(order)
        return replaced(path, (words, mark.join(order)))(host, rng)

    return write


def moved(source: str, text: str, target: str, instead: str = "", mode: int = 0o600) -> Write:
    """Lines moved to the end of another file, which has a mode of its own; `instead` is what stands in their place."""

    def write(host: Host, rng: random.Random) -> Host:
        host = replaced(source, (text, instead))(host, rng)
        before = host.text(target) if target in host.files else ""
        return host.write(target, before + text).stat(target, mode=mode)

    return write


def commented(path: str, mark: str = "#") -> Write:
    """With a comment on a line of its own, and blank lines, between statements."""

    def write(host: Host, rng: random.Random) -> Host:
        lines = host.text(path).split("\n")
        places = [
            n for n, line in enumerate(lines) if not (n and lines[n - 1].endswith("\\")) and not line.startswith((" ", "\t"))
        ]
        for number in sorted(rng.sample(places, min(3, len(places))), reverse=True):
            lines.insert(number, rng.choice((f"{mark} a note", "", f"{mark}pass auth ssl = no")))
        return host.write(path, "\n".join(lines))

    return write


def trailing(path: str) -> Write:
    """With blanks at the ends of lines, and blanks doubled where there is one already."""

    def write(host: Host, rng: random.Random) -> Host:
        lines = [
            f"{line}{rng.choice(('', ' ', chr(9)))}" if line and not line.endswith("\\") else line
            for line in host.text(path).split("\n")
        ]
        return host.write(path, "\n".join(lines))

    return write


def continued(path: str, *starts: str) -> Write:
    """With a line of this kind carried on in the next one."""

    def write(host: Host, rng: random.Random) -> Host:
        lines = host.text(path).split("\n")
        numbers = [n for n, line in enumerate(lines) if line.lstrip().startswith(starts) and not line.endswith("\\")]
        number = rng.choice(numbers)
        line = lines[number]
        outside = [
            m.start() for m in re.finditer(" ", line) if line[: m.start()].count('"') % 2 == 0 and line[: m.start()].strip()
        ]
        at = rng.choice(outside)
        lines[number] = f"{line[:at]} \\\n\t{line[at + 1 :]}"
        return host.write(path, "\n".join(lines))

    return write


def said(command: Command, old: str, *news: str) -> Write:
    """What is recorded of a command, in other words."""
    return lambda host, rng: host.command(command, old, rng.choice(news))


def as_loaded(host: Host, bench: Bench) -> Host:
    """With what pfctl would say of the rewritten pf.conf."""
    slot = bench.facts(host)[2].slots[Ruleset]
    assert isinstance(slot, Known)
    assert isinstance(slot.value, Ruleset)
    lines = "".join(f"{line}\n" for line, _ in expanded(slot.value))
    for command in (Command.PFCTL_RULES, Command.PFCTL_CHECK):
        host = host.answer(RunCommand(command), Found(CommandOutput(0, lines)))
    return host


def rewrites(bench: Bench, ways: list[Way], count: int, seed: int) -> Iterator[Rewrite]:
    """So many rewrites: each way once, then several at a time, until there are enough."""
    rng = random.Random(seed)
    made = 0
    for number in range(count * 4):
        chosen = (ways[number],) if number < len(ways) else tuple(rng.sample(ways, rng.randint(2, 6)))
        host = bench.base
        done: list[Way] = []
        for way in chosen:
            try:
                host = way.write(host, rng)
            except LookupError:
                if len(chosen) == 1:
                    raise
                continue  # another way has changed the very words
            done.append(way)
        if any(way.loads for way in done):
            host = as_loaded(host, bench)
        yield Rewrite(tuple(done), host)
        made += 1
        if made == count:
            return


def spoilt(base: HostReport, report: HostReport) -> list[str]:
    """What a report on a rewritten host says and should not."""
    before = {result.rule: result.verdict for result in base.results}
    return [
        f"{result.rule} {result.verdict}: {result.message}"
        for result in report.results
        if result.verdict is Verdict.FAIL or (before[result.rule] is Verdict.PASS and result.verdict is Verdict.UNKNOWN)
    ]
