"""Single faults of the corrected example, each with the rule that is meant to find it."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from bench.metamorphic.host import Host
from mailaudit.findings import Evidence, HostReport, Place, Verdict
from mailaudit.questions import Command

Change = Callable[[Host, random.Random], tuple[Host, str]]
"""What makes a host with the fault, and what was changed: a file's path, a question or a setting."""


@dataclass(frozen=True)
class Family:
    """One way of doing something wrong, and the rule that is meant to find it.

    `at` stands in the line that decides, where that is another one than the line that was changed, or in another file.
    """

    rule: str
    what: str
    change: Change
    at: str = ""


@dataclass(frozen=True)
class Fault:
    """One fault: the host that has it, what was changed, and the lines of the file that are new, none if some only went."""

    family: Family
    host: Host
    where: str
    lines: frozenset[int]

    def found(self, report: HostReport) -> str | None:
        """None if the rule that is meant finds it and points to it, else what it said instead."""
        results = [result for result in report.results if result.rule == self.family.rule]
        failed = [result for result in results if result.verdict is Verdict.FAIL]
        if not failed:
            others = sorted({result.rule for result in report.results if result.verdict is Verdict.FAIL})
            said = f"{results[0].verdict} {results[0].message}" if results else "nothing"
            return f"{said}; found by {', '.join(others) or 'none'}"
        if any(self._points(place) for result in failed for place in result.places):
            return None
        shown = [f"{p.path}:{p.corners()[0]}" if isinstance(p, Place) else p.question for each in failed for p in each.places]
        return f"points at {', '.join(shown)} and not at {self.where}:{sorted(self.lines)}"

    def _points(self, place: Place | Evidence) -> bool:
        if isinstance(place, Evidence) and self.family.at:
            return self.family.at in place.question
        if isinstance(place, Evidence):
            return not self.where.startswith("/") or place.question.endswith(self.where) or self.where in place.answer
        if self.family.at:
            return self.family.at in "\n".join(self.block(place))
        if place.path != self.where:
            return not self.where.startswith("/")
        first, _, _, _ = place.corners()
        last = first + len(self.block(place))
        return not self.lines or place.span is None or any(first <= line < last for line in self.lines)

    def block(self, place: Place) -> list[str]:
        """The lines of a place; of a block's first line all its lines."""
        first, _, last, _ = place.corners()
        lines = self.host.text(place.path).split("\n")[first - 1 :] if place.path in self.host.files else []
        if lines and lines[last - first].rstrip().endswith("{"):
            depth = 0
            for number, line in enumerate(lines):
                depth += line.count("{") - line.count("}")
                if depth <= 0 and number:
                    return lines[: number + 1]
        return lines[: last - first + 1]


_HOLES: dict[str, Callable[[random.Random], str]] = {
    "<port>": lambda rng: str(rng.choice((8025, 2525, 10587, 9993, 4443, 3389))),
    "<address>": lambda rng: f"198.51.100.{rng.randrange(1, 255)}",
    "<word>": lambda rng: "".join(rng.choice("bcdfghklmnprstvz") + rng.choice("aeiou") for _ in range(3)),
    "<domain>": lambda rng: rng.choice(("example.net", "example.org", "mail.example.net", "other.example")),
    "<letter>": lambda rng: rng.choice("qxz"),
}


def fill(text: str, rng: random.Random) -> str:
    """A text with its holes filled."""
    return re.sub(r"<(?:port|address|word|domain|letter)>", lambda hole: _HOLES[hole[0]](rng), text)


def edit(path: str, old: str, *news: str) -> Change:
    """Other characters at the one place in a file where the old ones stand."""

    def change(host: Host, rng: random.Random) -> tuple[Host, str]:
        return host.edit(path, old, fill(rng.choice(news), rng)), path

    return change


def drop(path: str, *lines: str) -> Change:
    """Without the one line that holds one of these texts, or with that line as a comment."""

    def change(host: Host, rng: random.Random) -> tuple[Host, str]:
        kept = host.text(path).split("\n")
        wanted = rng.choice(lines)
        (number,) = (number for number, line in enumerate(kept) if wanted in line)
        kept[number : number + 1] = rng.choice(([], [f"# {kept[number].lstrip()}"]))
        return host.write(path, "\n".join(kept)), path

    return change


def within(path: str, line: str, old: str, *news: str) -> Change:
    """Other characters within the line that begins so."""

    def change(host: Host, rng: random.Random) -> tuple[Host, str]:
        lines = host.text(path).split("\n")
        (number,) = (number for number, each in enumerate(lines) if each.startswith(line))
        if old not in lines[number]:
            raise ValueError(f"{path}: no {old!r} in {lines[number]!r}")
        lines[number] = lines[number].replace(old, fill(rng.choice(news), rng))
        return host.write(path, "\n".join(lines)), path

    return change


def swap(path: str, first: str, second: str) -> Change:
    """Two lines in each other's place."""

    def change(host: Host, _: random.Random) -> tuple[Host, str]:
        lines = host.text(path).split("\n")
        one, other = (next(number for number, line in enumerate(lines) if text in line) for text in (first, second))
        lines[one], lines[other] = lines[other], lines[one]
        return host.write(path, "\n".join(lines)), path

    return change


def elsewhere(path: str, old: str, new: str, absent: str) -> Change:
    """With the name of a file, or a directory, that is not there."""

    def change(host: Host, rng: random.Random) -> tuple[Host, str]:
        word = fill("<word>", rng)
        return host.edit(path, old, new.replace("<word>", word)).delete(absent.replace("<word>", word)), path

    return change


def add(path: str, *texts: str) -> Change:
    """With lines at the end of a file, which is made if need be."""

    def change(host: Host, rng: random.Random) -> tuple[Host, str]:
        text = fill(rng.choice(texts), rng)
        before = host.text(path) if path in host.files else ""
        return host.write(path, f"{before}{text}\n"), path

    return change


def gone(path: str) -> Change:
    """Without a file or whatever it is."""
    return lambda host, _: (host.delete(path), path)


def mode(path: str, *modes: int) -> Change:
    """With other permissions."""
    return lambda host, rng: (host.stat(path, mode=rng.choice(modes)), path)


def owner(path: str, *owners: str) -> Change:
    """With another user and group."""

    def change(host: Host, rng: random.Random) -> tuple[Host, str]:
        user, group = rng.choice(owners).split(":")
        return host.stat(path, owner=user, group=group), path

    return change


def there(path: str, mode: int, user: str = "root", group: str = "wheel", mtime: str = "2026-11-22T11:00:00Z") -> Change:
    """With a file where there is none, or one that was written then."""
    return lambda host, _: (host.stat(path, mode=mode, owner=user, group=group, mtime=mtime), path)


def written(path: str, *times: str) -> Change:
    """Written at another time."""
    return lambda host, rng: (host.stat(path, mtime=rng.choice(times)), path)


def said(command: Command, old: str, *news: str) -> Change:
    """With another word in what a command says."""
    return lambda host, rng: (host.command(command, old, fill(rng.choice(news), rng)), str(command))


def setting(old: str, *news: str) -> Change:
    """With other words in mailaudit.toml."""
    return lambda host, rng: (host.with_settings(old, fill(rng.choice(news), rng)), "mailaudit.toml")


def faults(host: Host, families: list[Family], count: int, seed: int) -> Iterator[Fault]:
    """So many faults, all different: each family once, and again with other choices until there are enough."""
    seen: set[tuple[str, str]] = set()
    rng = random.Random(seed)
    for _ in range(40):
        for family in families:
            changed, where = family.change(host, rng)
            key = (family.rule, difference(host, changed))
            if key in seen:
                continue
            seen.add(key)
            yield Fault(family, changed, where, new_lines(host, changed, where))
            if len(seen) == count:
                return


def difference(host: Host, changed: Host) -> str:
    """What a changed host has that the host has not, as text."""
    files = [(path, data) for path, data in changed.files.items() if host.files.get(path) != data]
    answers = [(str(q), a) for q, a in changed.record.answers.items() if host.record.answers.get(q) is not a]
    return repr((files, sorted(set(host.files) - set(changed.files)), answers, changed.settings))


def new_lines(host: Host, changed: Host, path: str) -> frozenset[int]:
    """The numbers of the lines of a file that say something new; one from which words were only taken says nothing new."""
    if path not in changed.files:
        return frozenset()
    before = host.text(path).split("\n") if path in host.files else []
    known = [words(line) for line in before if line not in changed.text(path).split("\n")]
    return frozenset(
        number
        for number, line in enumerate(changed.text(path).split("\n"), 1)
        if line.strip()
        and not line.lstrip().startswith("#")
        and line not in before
        and not any(words(line) <= old for old in known)
    )


def words(line: str) -> set[str]:
    """The words of a line, punctuation left out."""
    return set(re.findall(r"[\w.$%/-]+", line))
