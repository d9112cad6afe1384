"""What port 25 said to recipients of other domains and to accounts of the system, where `--probe-relay` asked it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

MOST = 50  # envelopes
_SHOWN = 300  # characters of what was said
_ADDRESS = re.compile(r'(?:@[^:]*:)?(?P<user>"[^"]*"|[^"@]*)(?:@(?P<domain>\[[^\]]*\]|[^@"]+))?')


@dataclass(frozen=True, slots=True)
class Tried:
    """One envelope and what it got. Without a recipient it is the sender that was refused."""

    sender: str
    recipient: str
    reply: str

    @property
    def taken(self) -> bool:
        """True for a recipient that was accepted."""
        return bool(self.recipient) and self.reply.startswith("2")

    @property
    def put_off(self) -> bool:
        """True for an answer that says: not now."""
        return self.reply.startswith("4")

    @property
    def user(self) -> str:
        """The recipient's local part, as it is written."""
        found = _ADDRESS.fullmatch(self.recipient)
        return found["user"] if found else ""

    @property
    def domain(self) -> str:
        """The recipient's domain in lower case, empty for one without."""
        found = _ADDRESS.fullmatch(self.recipient)
        return (found["domain"] or "").lower() if found else ""

    @property
    def leads_on(self) -> bool:
        """True if another address is hidden in the local part: old mail servers send it there."""
        return any(mark in self.user for mark in "%!@")


@dataclass(frozen=True, slots=True)
class Probe:
    """All that was tried. `client` is the address of the one who asked, `end` why it ended too early, empty if it did not."""

    tried: tuple[Tried, ...]
    client: str = ""
    end: str = ""

    def relayed(self, own: Iterable[str]) -> list[Tried]:
        """What was accepted for other domains than one's own.

        A local part that hides an address counts only if a user who does not exist is refused: else all local parts are taken.
        """
        at_home = {*own, "", "localhost"}
        plain = [each for each in self.tried if each.taken and not _is_home(each.domain, at_home)]
        nobody = [each for each in self.tried if _is_home(each.domain, at_home) and not each.leads_on and each.user != ROOT]
        all_are_taken = not nobody or any(each.taken for each in nobody)
        hidden = [each for each in self.tried if each.taken and each.leads_on and _is_home(each.domain, at_home)]
        return plain + ([] if all_are_taken else hidden)

    @property
    def accounts(self) -> list[Tried]:
        """The addresses of root that were accepted."""
        return [each for each in self.tried if each.taken and each.user == ROOT]


ROOT = "root"


def _is_home(domain: str, own: set[str]) -> bool:
    return domain in own or domain.startswith("[")


def read_probe(fields: Mapping[str, object]) -> Probe | None:
    """The probe in an endpoint's fields, or None if there was none."""
    entries = fields.get("relay")
    if not isinstance(entries, list | tuple):
        return None
    tried = [
        Tried(*(_text(each.get(name)) for name in ("sender", "recipient", "reply"))) for each in entries[:MOST] if _is_map(each)
    ]
    return Probe(tuple(tried), _text(fields.get("client")), _text(fields.get("relay_end")))


def _is_map(value: object) -> bool:
    return isinstance(value, Mapping)


def _text(value: object) -> str:
    return value[:_SHOWN] if isinstance(value, str) else ""
