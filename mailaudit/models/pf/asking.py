"""Packets as an administrator writes them, in the words of a rule: `in on egress proto tcp from 192.0.2.1 to (egress) port 25`.

What is not said is not assumed but asked of all: every family, every source, every port.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches

from mailaudit.models.pf.packet import BadPacketError

FIELDS = {
    "if": "interface", "proto": "protocol", "src": "source", "dst": "target", "sport": "source_port", "dport": "port",
    "type": "icmp_type", "code": "code", "flags": "flags", "uid": "user", "user": "user", "prio": "prio",
}  # fmt: skip
"""The names of the form `dir=in if=em0 proto=tcp dport=25`; `dir`, `af`, `frag` and `opts` are others."""
WORDS = ("in", "out", "on", "inet", "inet6", "proto", "from", "to", "port", "icmp-type", "icmp6-type", "code", "flags", "user")


@dataclass(frozen=True, slots=True)
class Asked:
    """Packets that are asked about: what was said of them, as it was said; nothing of what was not said."""

    direction: str = "in"
    interface: str = ""
    family: int = 0
    protocol: str = ""
    source: str = ""
    target: str = ""
    source_port: str = ""
    port: str = ""
    icmp_type: str = ""
    code: str = ""
    flags: str = ""
    user: str = ""
    fragment: bool = False
    ip_options: bool = False
    prio: str = ""

    def __str__(self) -> str:
        family = {4: "inet", 6: "inet6"}.get(self.family, "")
        said = (
            self.direction, _said("on", self.interface), family, _said("proto", self.protocol), _said("from", self.source),
            _said("port" if self.source else "from any port", self.source_port), _said("to", self.target),
            _said("port", self.port), _said("icmp-type", self.icmp_type), _said("code", self.code), _said("flags", self.flags),
            _said("user", self.user), "fragment" if self.fragment else "", "options" if self.ip_options else "",
            _said("prio", self.prio),
        )  # fmt: skip
        return " ".join(filter(None, said))


def _said(word: str, value: str) -> str:
    return f"{word} {value}" if value else ""


def read_words(words: Sequence[str]) -> Asked:
    """What words say, in either form. Raises `BadPacketError`."""
    parts = [part for word in words for part in word.replace(",", " ").split()]
    if parts and all("=" in part for part in parts):
        return _keys(parts)
    return _Words(parts).read()


def _keys(parts: Sequence[str]) -> Asked:
    asked = Asked()
    for part in parts:
        name, _, value = part.partition("=")
        if name == "dir" and value in ("in", "out"):
            asked = replace(asked, direction=value)
        elif name == "af" and value in ("inet", "inet6"):
            asked = replace(asked, family=4 if value == "inet" else 6)
        elif name in FIELDS and value:
            asked = replace(asked, **{FIELDS[name]: value})  # type: ignore[arg-type]  # all of these are texts
        elif name in ("frag", "opts") and value in ("0", "1"):
            asked = replace(asked, **{"fragment" if name == "frag" else "ip_options": value == "1"})  # type: ignore[arg-type]
        else:
            names = " ".join(f"{each}=..." for each in ("dir", "af", *FIELDS, "frag", "opts"))
            raise BadPacketError(f'"{part}" says nothing of a packet; it is written {names}')
    return asked


class _Words:
    """Reads the words of a packet one by one."""

    def __init__(self, words: Sequence[str]) -> None:
        self.words = list(words)
        self.asked = Asked(direction="")
        self.end = ""

    def read(self) -> Asked:
        while self.words:
            self._one(self.words.pop(0))
        if self.end == "from" and self.asked.source_port:  # pf reads it so too; here it is most likely a slip
            meant = f'"to self port {self.asked.source_port}"'
            raise BadPacketError(f'a port behind "from" is the source\'s: say {meant}, or "to" behind it if it is meant so')
        return replace(self.asked, direction=self.asked.direction or "in")

    def _one(self, word: str) -> None:
        names = {"on": "interface", "proto": "protocol", "code": "code", "flags": "flags", "user": "user", "prio": "prio"}
        if word in ("in", "out"):
            self._set("direction", word, word)
        elif word in ("inet", "inet6"):
            self._set("family", 4 if word == "inet" else 6, word)
        elif word in ("from", "to"):
            self.end = word
            if self.words[:1] != ["port"]:
                self._set("source" if word == "from" else "target", self._value(word), word)
        elif word == "port":
            self._set("source_port" if self.end == "from" else "port", self._value(word), word)
        elif word in ("icmp-type", "icmp6-type"):
            self._set("icmp_type", self._value(word), word)
        elif word in ("fragment", "options"):
            self._set("fragment" if word == "fragment" else "ip_options", True, word)
        elif word in names:
            self._set(names[word], self._value(word), word)
        elif word != "all":
            self._refuse(word)

    def _value(self, word: str) -> str:
        while self.words and self.words[0] in ("(", "=") and len(self.words) > 1:
            self.words.pop(0)
        if not self.words or self.words[0] in WORDS:
            raise BadPacketError(f'"{word}" says nothing: a value must follow it')
        value = self.words.pop(0).removeprefix("(").removesuffix(")")
        while self.words and self.words[0] == ")":
            self.words.pop(0)
        return value

    def _set(self, name: str, value: object, word: str) -> None:
        if getattr(self.asked, name):
            raise BadPacketError(f'"{word}" is said twice')
        self.asked = replace(self.asked, **{name: value})  # type: ignore[arg-type]  # the callers know the fields

    def _refuse(self, word: str) -> None:
        if word in ("pass", "block", "match"):
            raise BadPacketError(f'a packet begins with "in" or "out", not with "{word}": what becomes of it is what is asked')
        near = get_close_matches(word, WORDS, n=1)
        hint = f'; did you mean "{near[0]}"?' if near else f"; the words are {' '.join(WORDS)}"
        raise BadPacketError(f'"{word}" says nothing of a packet{hint}')
