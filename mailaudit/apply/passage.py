"""Whether a ruleset of pf lets the auditor in: asked before it is tried, of the very connection that is in use."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import ip_address

from mailaudit.models.facts import Facts
from mailaudit.models.interfaces import LOOPBACK, Interface
from mailaudit.models.pf.answering import answer
from mailaudit.models.pf.asking import Asked
from mailaudit.models.pf.config import Ruleset
from mailaudit.models.pf.packet import BadPacketError
from mailaudit.models.sources import Known


@dataclass(frozen=True, slots=True)
class Passage:
    """The two ends of an SSH connection, as the host sees them (SSH_CONNECTION of sshd(8))."""

    client: str
    server: str
    port: str

    def __str__(self) -> str:
        return f"{self.client} to {self.server} port {self.port}"


def read_passage(said: str) -> Passage | None:
    """What SSH_CONNECTION says: client, its port, server, its port; None where it says something else."""
    words = said.split()
    return Passage(words[0], words[2], words[3]) if len(words) == 4 and words[3].isdigit() else None


def fate(facts: Facts, passage: Passage) -> str:
    """What becomes of a new connection like that one: `pass`, `block`, `partly`, `unknown`; empty where there is no ruleset."""
    slot = facts.slots.get(Ruleset)
    if not isinstance(slot, Known) or not isinstance(slot.value, Ruleset):
        return ""
    known = (*slot.value.interfaces.known, LOOPBACK)
    interface = _arrives_at(passage, known)
    asked = Asked(interface=interface, source=passage.client, target=passage.server, port=passage.port, protocol="tcp", flags="S")
    try:
        return answer(slot.value, asked).value
    except BadPacketError:
        return "unknown"


def _arrives_at(passage: Passage, interfaces: Iterable[Interface]) -> str:
    """The interface that the connection comes in by; empty where it is the one to the Internet, or cannot be told."""
    try:
        client, server = ip_address(passage.client), ip_address(passage.server)
    except ValueError:
        return ""
    held = [(each, own) for each in interfaces for own in each.addresses or () if own.family == client.version]
    if any(own.value == int(client) for _, own in held):  # it talks to itself
        return LOOPBACK.name
    near = [each.name for each, own in held if own.network()[0] <= int(client) <= own.network()[1]]
    there = [each.name for each, own in held if own.value == int(server)]
    return next(iter((*near, *there)), "")


def objection(before: Facts, after: Facts, passage: Passage) -> str:
    """Why the ruleset that is planned is not to be tried; empty if nothing speaks against it."""
    now = fate(after, passage)
    if now == "block":
        return f"the planned pf.conf would lock you out: it blocks {passage}"
    if now in ("partly", "unknown") and fate(before, passage) == "pass":
        return f"the planned pf.conf may lock you out: whether it passes {passage} cannot be told"
    return ""
