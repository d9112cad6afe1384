"""What the collector printed: headings, each with the bytes that follow it; metadata as stat(1) writes it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from mailaudit.questions import Stat, mtime

FLAVOURS = ("bsd", "gnu")
_TYPES = {0o10: "file", 0o4: "directory", 0o12: "symlink", 0o1: "fifo", 0o14: "socket", 0o2: "device", 0o6: "device"}
_HEADING = re.compile(rb"([0-9]{1,9}) ([a-z]+) ([0-9]{1,9}) ([^\n]*)")
_SIZE = re.compile(rb"([0-9]{1,9}):([0-9]{1,12})")
_MODE = r"(?:([0-9a-f]{4})|([0-7]{5,6}))"  # GNU's %f is hexadecimal, OpenBSD's %p is octal
_METADATA = re.compile(_MODE + r":([^:]*):([^:]*):([0-9]{1,20}):(-?[0-9]{1,20}):(?: -> )?(.*)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Said:
    """One thing that the script said of a question: kind, exit status, whether it took `become`, and what it printed."""

    kind: str
    status: int
    become: bool
    data: bytes

    @property
    def text(self) -> str:
        """What it printed as text without its last newline."""
        return self.data.decode("utf-8", "surrogateescape").rstrip("\n")


@dataclass(frozen=True, slots=True)
class Asked:
    """What the answers to a wave depend on: who asked, by which means, on which system, and whose stat(1) that has: bsd or gnu.

    `finished` says whether the collector came to the end of the wave.
    """

    user: str = ""
    become: str = ""
    system: str = ""
    flavour: str = ""
    finished: bool = False
    said: Mapping[int, tuple[Said, ...]] = field(default_factory=dict)


def read_output(output: bytes, mark: str) -> Asked:
    """What the collector said to the wave with that mark, as far as it came."""
    said: dict[int, list[Said]] = {}
    begin = Said("begin", 0, False, b"")
    finished = False
    become = ""
    together = b""
    for number, each, how in _parts(output, mark):
        match each.kind:
            case "done":
                finished = True
            case "begin":
                begin, become = each, how.split(" ")[0].strip("-")
            case "whole":
                together = each.data
            case "same":
                for of, content in _told_apart(together):
                    said.setdefault(of, []).extend((Said("out", 0, False, content), Said("end", 0, False, b"")))
            case _:
                said.setdefault(number, []).append(each)
    user, system, flavour = (*begin.text.split("\n"), "", "", "")[:3]
    return Asked(
        user,
        become,
        system,
        flavour if flavour in FLAVOURS else "",
        finished,
        {number: tuple(each) for number, each in said.items()},
    )


def _parts(output: bytes, mark: str) -> Iterator[tuple[int, Said, str]]:
    """What was said, with its question's number and by which means; the last only if nothing can be missing of it."""
    _, *parts = output.split(f"\n@{mark} ".encode("ascii"))
    for at, part in enumerate(parts):
        heading, _, data = part.partition(b"\n")
        head = _HEADING.fullmatch(heading)
        if head is None:
            continue
        number, kind, status, how = (each.decode("ascii", "replace") for each in head.groups())
        if at + 1 < len(parts) or kind == "done":
            yield int(number), Said(kind, int(status), how == "become", data), how


def _told_apart(together: bytes) -> Iterator[tuple[int, bytes]]:
    """The contents of files that came as one, by the numbers and sizes before them."""
    sizes, _, contents = together.partition(b"\n")
    pairs = [(int(number), int(size)) for number, size in _SIZE.findall(sizes)]
    if sum(size for _, size in pairs) != len(contents):
        return
    at = 0
    for number, size in pairs:
        yield number, contents[at : at + size]
        at += size


def stat_of(text: str) -> Stat | None:
    """Metadata as stat(1) of OpenBSD or of GNU printed it; None where it is something else."""
    match = _METADATA.fullmatch(text)
    if match is None:
        return None
    gnu, bsd, owner, group, size, time, target = match.groups()
    mode = int(gnu, 16) if gnu else int(bsd, 8)
    kind = _TYPES.get(mode >> 12, "device")
    return Stat(kind, mode & 0o7777, owner, group, int(size), mtime(int(time)), target if kind == "symlink" else None)
