"""What the collector printed: headings with encoded lines, metadata as stat(1) writes it."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from mailaudit.questions import Stat

_TYPES = {0o10: "file", 0o4: "directory", 0o12: "symlink", 0o1: "fifo", 0o14: "socket", 0o2: "device", 0o6: "device"}
_METADATA = re.compile(r"([0-7]+|[0-9a-f]+):([^:]*):([^:]*):([0-9]+):(-?[0-9]+):(?: -> )?(.*)", re.DOTALL)


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
    """What the answers of a run depend on: who asked, by which means, and on which system.

    `finished` says whether the script came to its end.
    """

    user: str = ""
    become: str = ""
    system: str = ""
    finished: bool = False
    said: Mapping[int, tuple[Said, ...]] = field(default_factory=dict)


def read_output(output: bytes) -> Asked:
    """What a run of the script said, as far as it came."""
    said: dict[int, list[Said]] = {}
    first = Said("begin", 0, False, b"")
    finished = False
    become = ""
    for head, lines, whole in _parts(output):
        number, kind, status, how = int(head[0]), head[1].decode("ascii"), int(head[2]), head[3].decode("ascii", "replace")
        if kind == "done":
            finished = True
        elif kind == "begin":
            first, become = Said(kind, status, False, _decoded(lines)), how.split(" ")[0].strip("-")
        elif whole:
            said.setdefault(number, []).append(Said(kind, status, how == "become", _decoded(lines)))
    user, _, system = first.text.partition("\n")
    return Asked(user, become, system, finished, {number: tuple(each) for number, each in said.items()})


def _parts(output: bytes) -> Iterator[tuple[list[bytes], list[bytes], bool]]:
    """Each heading with its lines, and whether another heading follows, which says that it is whole."""
    parts: list[tuple[list[bytes], list[bytes]]] = []
    for line in output.split(b"\n"):
        if line.startswith(b"@ "):
            head = line.split(b" ", 4)
            if len(head) < 5 or not (head[1].isdigit() and head[2].isalpha() and head[3].isdigit()):
                continue
            parts.append((head[1:], []))
        elif parts:
            parts[-1][1].append(line)
    for at, (head, lines) in enumerate(parts):
        yield head, lines, at + 1 < len(parts)


def _decoded(lines: list[bytes]) -> bytes:
    """The bytes that uuencode -m or od wrote."""
    try:
        if lines and lines[0].startswith(b"begin-base64"):
            return base64.b64decode(b"".join(line for line in lines[1:] if line.strip() != b"===="), validate=True)
        return bytes.fromhex(b"".join(lines).decode("ascii"))
    except (ValueError, binascii.Error):
        return b""


def stat_of(text: str) -> Stat | None:
    """Metadata as stat(1) of OpenBSD or of GNU printed it; None where it is something else."""
    match = _METADATA.fullmatch(text)
    if match is None:
        return None
    raw, owner, group, size, time, target = match.groups()
    gnu = ord(raw[0]) > ord("7") or len(raw) == 4  # %f is hexadecimal, four digits; %p octal, five or six
    mode = int(raw, 16 if gnu else 8)
    kind = _TYPES.get(mode >> 12, "device")
    when = datetime.fromtimestamp(int(time), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return Stat(kind, mode & 0o7777, owner, group, int(size), when, target if kind == "symlink" else None)
