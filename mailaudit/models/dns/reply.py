"""One DNS answer as rules read it: there, not there, or not to be told; and whether the zone's servers say the same."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mailaudit.questions import Absent, Answer, Failed, Found, LookUp, Reason, RRset

if TYPE_CHECKING:
    from mailaudit.models.zone import Record

MOST_RECORDS = 100  # of one answer; more than 64 KiB of text hold no more that mean anything to mail
_RCODES = {"SERVFAIL": Reason.SERVFAIL, "REFUSED": Reason.REFUSED}
_ANSWERS = ("NOERROR", "NXDOMAIN")
_NOT_MINE = ("REFUSED", "NOTAUTH")
_SHOWN = 400  # characters of an answer in evidence


@dataclass(frozen=True, slots=True)
class ServerReply:
    """What one authoritative server said, or why it could not be told; `tcp` is what it said by TCP, where that was asked."""

    server: str
    rcode: str = ""
    records: tuple[str, ...] = ()
    authoritative: bool | None = None
    error: str = ""
    tcp: str = ""

    @property
    def lame(self) -> bool:
        """True for a server that answers without authority, or refuses the zone that is delegated to it.

        SERVFAIL says that it cannot answer now, which does not tell whether it has the zone.
        """
        return self.failed is None and (self.authoritative is False or self.rcode in _NOT_MINE)

    @property
    def failed(self) -> Reason | None:
        """Why what it has could not be told; None if it could."""
        if self.error:
            return Reason(self.error) if self.error in list(Reason) else Reason.PROTOCOL
        if self.rcode == "SERVFAIL":
            return Reason.SERVFAIL
        return Reason.PROTOCOL if self.rcode and self.rcode not in (*_ANSWERS, *_NOT_MINE) else None


@dataclass(frozen=True, slots=True, eq=False)
class Reply:
    """An answer. `records` are there only if `failed` is None; `aliases` are the CNAMEs that were followed, the first first."""

    owner: str
    type: str
    rcode: str = "NOERROR"
    records: tuple[Record, ...] = ()
    aliases: tuple[str, ...] = ()
    ttl: int | None = None
    ad: bool | None = None
    servers: tuple[ServerReply, ...] = ()
    failed: Failed | None = None

    @property
    def is_there(self) -> bool:
        """True if there are records."""
        return bool(self.records)

    @property
    def is_absent(self) -> bool:
        """True if it is known that there are none: NXDOMAIN, or NOERROR without records."""
        return self.failed is None and not self.records

    @property
    def data(self) -> tuple[str, ...]:
        """The values in presentation text."""
        return tuple(record.data for record in self.records)

    @property
    def texts(self) -> tuple[str, ...]:
        """The values of TXT records, each with its strings joined."""
        return tuple(record.text for record in self.records)

    @property
    def question(self) -> str:
        """Owner and type, as evidence has them."""
        return f"{self.owner} {self.type}"

    @property
    def shown(self) -> str:
        """The answer as evidence has it."""
        if self.failed is not None:
            return str(self.failed.reason)
        found = ", ".join(self.data) or ("no such name" if self.rcode == "NXDOMAIN" else "no such record")
        chain = "".join(f"CNAME {alias}, " for alias in self.aliases)
        whole = f"{chain}{found}"
        return whole if len(whole) <= _SHOWN else f"{whole[: _SHOWN - 3]}..."

    def same_as(self, other: Reply) -> bool:
        """True if both lead to the same records by the same aliases."""
        return self.is_there and self.aliases == other.aliases and sorted(self.data) == sorted(other.data)


def reply_of(question: LookUp, answer: Answer) -> Reply:
    """The reply. Records that are none of their type make it one that could not be told."""
    if isinstance(answer, Failed):
        return Reply(question.owner, question.type, failed=answer)
    if isinstance(answer, Absent):
        return Reply(question.owner, question.type, "NXDOMAIN")
    assert isinstance(answer, Found)
    assert isinstance(answer.value, RRset)
    found = answer.value
    if found.rcode not in _ANSWERS:
        reason = _RCODES.get(found.rcode, Reason.PROTOCOL)
        return Reply(question.owner, question.type, failed=Failed(reason, f"{question} was answered by {found.rcode}"))
    try:
        records = _records(question, found)
    except ValueError as error:
        return Reply(question.owner, question.type, failed=Failed(Reason.PROTOCOL, f"{question} has no such value: {error}"))
    aliases = tuple(alias.lower() for alias in found.cname[:MOST_RECORDS])
    servers = tuple(_server(server, said) for server, said in found.servers.items())
    return Reply(question.owner, question.type, found.rcode, records, aliases, found.ttl, found.ad, servers)


def _records(question: LookUp, found: RRset) -> tuple[Record, ...]:
    if not found.records:
        return ()
    from mailaudit.models.zone import RecordSet  # noqa: PLC0415  a scan without answers does not pay for dnspython

    return RecordSet.of(question.owner, question.type, found.records[:MOST_RECORDS], found.ttl).records


def _server(server: str, said: Mapping[str, object]) -> ServerReply:
    records, authoritative = said.get("records"), said.get("aa")
    return ServerReply(
        server,
        str(said.get("rcode", "")),
        tuple(str(each) for each in records[:MOST_RECORDS]) if isinstance(records, (list, tuple)) else (),
        authoritative if isinstance(authoritative, bool) else None,
        str(said.get("error", "")),
        str(said.get("tcp", "")),
    )
