"""The sections of answers.json: how each kind of question and its answer are written (contract, section 6)."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any

from mailaudit.questions import (
    Command,
    CommandOutput,
    Endpoint,
    FetchPolicy,
    Handshake,
    KeyFacts,
    ListFiles,
    LookUp,
    PublicKey,
    Question,
    ReadFile,
    RRset,
    RunCommand,
    Stat,
    StatFile,
    Value,
    ZoneFault,
    ZoneSecurity,
)
from mailaudit.recording.reading import Reader, RecordingError

PROTOCOLS = ("smtp", "smtps", "imaps", "sieve", "http", "https", "tcp")


@dataclass(frozen=True, slots=True)
class Section:
    """One section of the document.

    `question` reads a key (None: unknown, kept) and `key` writes it; `value` reads an entry and `entry` writes it; `nullable`
    says whether null may stand for "not there".
    """

    name: str
    kind: type[Question]
    question: Callable[[Reader], Question | None]
    key: Callable[[Any], str]
    value: Callable[[Reader], Value]
    entry: Callable[[Any], Any]
    nullable: bool = True


def normal(question: Question) -> Question:
    """The question as a record knows it: names in lower case, addresses in their canonical text."""
    match question:
        case LookUp(owner, kind):
            return LookUp(owner.lower(), kind.upper())
        case ZoneSecurity(zone) | ZoneFault(zone):
            return type(question)(zone.lower())
        case Handshake(address, port, protocol):
            return Handshake(_address(address) or address, port, protocol)
        case FetchPolicy(domain):
            return FetchPolicy(domain.lower())
        case _:
            return question


# ---- keys


def _path(entry: Reader) -> str:
    path = entry.keys[-1]
    if not path.startswith("/"):
        raise RecordingError(f'{entry.place}: expected a path that begins with "/"')
    return path


def _command(entry: Reader) -> RunCommand | None:
    name = entry.keys[-1]
    return RunCommand(Command(name)) if name in set(Command) else None


def _look_up(entry: Reader) -> LookUp:
    owner, _, kind = entry.keys[-1].partition(" ")
    if not owner.endswith(".") or not re.fullmatch(r"[A-Za-z0-9-]+", kind):
        raise RecordingError(f'{entry.place}: expected an owner with its final dot and a type, like "example.com. MX"')
    return LookUp(owner.lower(), kind.upper())


def _zone(entry: Reader) -> str:
    zone = entry.keys[-1]
    if not zone.endswith("."):
        raise RecordingError(f'{entry.place}: expected a zone with its final dot, like "example.com."')
    return zone.lower()


def _handshake(entry: Reader) -> Handshake:
    written, _, rest = entry.keys[-1].partition(" ")
    port, _, protocol = rest.partition(" ")
    address = _address(written)
    is_port = re.fullmatch(r"[0-9]{1,5}", port) is not None and 0 < int(port) < 65536
    if address is None or not is_port or protocol not in PROTOCOLS:
        raise RecordingError(
            f'{entry.place}: expected an address, a port and one of {", ".join(PROTOCOLS)}, like "203.0.113.9 25 smtp"'
        )
    return Handshake(address, int(port), protocol)


def _policy(entry: Reader) -> FetchPolicy:
    domain = entry.keys[-1]
    if not re.fullmatch(r"(?:[A-Za-z0-9_-]+\.)+[A-Za-z0-9-]+", domain):
        raise RecordingError(f'{entry.place}: expected a domain without its final dot, like "example.com"')
    return FetchPolicy(domain.lower())


def _address(written: str) -> str | None:
    try:
        return str(ip_address(written))
    except ValueError:
        return None


# ---- entries


def _stat(entry: Reader) -> Stat:
    fields = entry.fields("type", "mode", "owner", "group", "size", "mtime", "target", needs=("type",))
    mode = entry.optional(fields, "mode", lambda each: each.matching(r"[0-7]{3,4}", 'a string like "0440"'))
    return Stat(
        type=fields["type"].choice(["file", "directory", "symlink", "fifo", "socket", "device"]),
        mode=None if mode is None else int(mode, 8),
        owner=entry.optional(fields, "owner", lambda each: each.text('"_smtpd"')),
        group=entry.optional(fields, "group", lambda each: each.text('"_dovecot"')),
        size=entry.optional(fields, "size", Reader.number),
        mtime=entry.optional(fields, "mtime", Reader.time),
        target=entry.optional(fields, "target", lambda each: each.text('"mail/aliases"')),
    )


def _stat_entry(stat: Stat) -> dict[str, Any]:
    return _stated(
        type=stat.type,
        mode=None if stat.mode is None else f"{stat.mode:04o}",
        owner=stat.owner,
        group=stat.group,
        size=stat.size,
        mtime=stat.mtime,
        target=stat.target,
    )


def _bytes(entry: Reader) -> bytes:
    raise entry.wrong('null or {"error": ...} (a file\'s bytes lie beside answers.json)')


def _no_bytes(_value: bytes) -> Any:
    raise TypeError("the bytes of a file are not written into answers.json")


def _output(entry: Reader) -> CommandOutput:
    fields = entry.fields("status", "stdout", needs=("status", "stdout"))
    return CommandOutput(fields["status"].number(negative=True), fields["stdout"].text('"OpenBSD 7.8 amd64\\n"'))


def _key_facts(entry: Reader) -> KeyFacts:
    fields = entry.fields("kind", "bits", "spki", needs=("kind", "bits", "spki"))
    return KeyFacts(fields["kind"].text('"rsa"'), fields["bits"].number(), fields["spki"].text('"sha256:..."'))


def _rrset(entry: Reader) -> RRset:
    fields = entry.fields("rcode", "ad", "ttl", "records", "cname", "servers", needs=("rcode",))
    servers = fields["servers"].entries() if "servers" in fields else {}
    return RRset(
        rcode=fields["rcode"].text('"NOERROR"'),
        records=entry.optional(fields, "records", Reader.texts) or (),
        ttl=entry.optional(fields, "ttl", Reader.number),
        ad=entry.optional(fields, "ad", Reader.flag),
        cname=entry.optional(fields, "cname", Reader.texts) or (),
        servers={address: _free(server) for address, server in servers.items()},
    )


def _rrset_entry(rrset: RRset) -> dict[str, Any]:
    return _stated(
        rcode=rrset.rcode,
        ad=rrset.ad,
        ttl=rrset.ttl,
        records=list(rrset.records) or None,
        cname=list(rrset.cname) or None,
        servers={address: dict(fields) for address, fields in rrset.servers.items()} or None,
    )


def _envelopes(entry: Reader) -> tuple[dict[str, object], ...]:
    """What a probe tried: a list of objects with strings."""
    if not isinstance(entry.value, list):
        raise entry.wrong("a list of objects with sender, recipient and reply")
    each = [Reader(entry.origin, (*entry.keys, str(number)), value, entry.extra) for number, value in enumerate(entry.value)]
    return tuple({name: field.any_text() for name, field in one.entries().items()} for one in each)


_TYPED: dict[str, Callable[[Reader], object]] = {
    **dict.fromkeys(("greeting", "filtered", "name", "path", "server", "location", "rcode", "error", "detail"), Reader.any_text),
    **dict.fromkeys(
        ("ehlo_reply", "mail_reply", "starttls_reply", "ehlo_tls_reply", "tls_error", "trust_error"), Reader.any_text
    ),
    **dict.fromkeys(("ehlo", "ehlo_tls", "capabilities", "protocols", "protocols_seen", "chain"), Reader.texts),
    **dict.fromkeys(("records", "cname"), Reader.texts),
    **dict.fromkeys(("starttls", "trusted", "too_long", "aa", "ad"), Reader.flag),
    **dict.fromkeys(("address", "type", "body"), Reader.any_text),
    **dict.fromkeys(("client", "relay_end"), Reader.any_text),
    "relay": _envelopes,
    "status": Reader.number,
}
"""The known fields of an endpoint and of a server's own answer."""


def _free(entry: Reader) -> dict[str, object]:
    """An object whose known fields have their types, lists of strings as tuples, and whose others are kept as they are."""
    return {name: _TYPED[name](field) if name in _TYPED else field.value for name, field in entry.entries().items()}


def _fields(endpoint: Endpoint) -> dict[str, Any]:
    return dict(endpoint.fields)


def _stated(**fields: Any) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}


def _security(entry: Reader) -> str:
    return entry.choice(["secure", "insecure", "bogus"])


SECTIONS: tuple[Section, ...] = (
    Section("stat", StatFile, lambda entry: StatFile(_path(entry)), lambda q: q.path, _stat, _stat_entry),
    Section("files", ReadFile, lambda entry: ReadFile(_path(entry)), lambda q: q.path, _bytes, _no_bytes),
    Section("lists", ListFiles, lambda entry: ListFiles(_path(entry)), lambda q: q.pattern, Reader.texts, list, nullable=False),
    Section(
        "commands",
        RunCommand,
        _command,
        lambda q: str(q.command),
        _output,
        lambda output: {"status": output.status, "stdout": output.stdout},
    ),
    Section(
        "keys",
        PublicKey,
        lambda entry: PublicKey(_path(entry)),
        lambda q: q.path,
        _key_facts,
        lambda key: {"kind": key.kind, "bits": key.bits, "spki": key.spki},
    ),
    Section("dns", LookUp, _look_up, lambda q: f"{q.owner} {q.type}", _rrset, _rrset_entry, nullable=False),
    Section("dnssec", ZoneSecurity, lambda e: ZoneSecurity(_zone(e)), lambda q: q.zone, _security, str, nullable=False),
    Section("dnssec_faults", ZoneFault, lambda e: ZoneFault(_zone(e)), lambda q: q.zone, Reader.any_text, str, nullable=False),
    Section("policies", FetchPolicy, _policy, lambda q: q.domain, lambda e: Endpoint(_free(e)), _fields, nullable=False),
    Section("endpoints", Handshake, _handshake, str, lambda e: Endpoint(_free(e)), _fields, nullable=False),
)
