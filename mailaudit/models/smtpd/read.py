"""Reads smtpd.conf's definitions and global options into a draft: pki, tables, filters and what applies to all."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Mapping
from dataclasses import replace

from mailaudit.models.release import shown
from mailaudit.models.smtpd.draft import QUEUE_KEY_LENGTH, Draft, inline_entries, is_placeholder, scaled, secret_length, values
from mailaudit.models.smtpd.parts import Cause, Criterion, Filter, Pki, Proc, Table, leaf, string
from mailaudit.models.smtpd.releases import MAX_RCPT
from mailaudit.parsers.tree import Node, Statement, Token

_HOST_NAME = re.compile(r"(?:(?!-)[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*)?\.?", re.ASCII)
_DYNAMIC = ("db", "getpwnam")
_LIMITS = {
    "smtp": {"max-rcpt", "max-mails"},
    "mda": {"max-session", "max-session-per-user", "task-lowat", "task-hiwat", "task-release"},
    "scheduler": {"max-inflight", "max-evp-batch-size", "max-msg-batch-size", "max-schedule"},
    "mta": {
        "max-conn-per-host", "max-conn-per-route", "max-conn-per-source", "max-conn-per-connector", "max-conn-per-relay",
        "max-conn-per-domain", "conn-delay-host", "conn-delay-route", "conn-delay-source", "conn-delay-connector",
        "conn-delay-relay", "conn-delay-domain", "reconn-delay-route", "session-mail-max", "session-transaction-delay",
        "session-keepalive", "max-failures-per-session", "task-hiwat", "task-lowat", "task-release",
    },
}  # fmt: skip


def read_pki(draft: Draft, statement: Statement) -> None:
    """`pki NAME cert FILE key FILE dhe WORD`; what several statements say of one name adds up."""
    node = statement.node
    name = string(node)
    if name.value != "*" and not _HOST_NAME.fullmatch(name.value):
        draft.refuse(f'"{name.value}" is no host name', name)
        draft.has_odd_pki = True
    key = name.value.lower()
    pki = draft.pki.get(key, Pki(key, ()))
    pki = replace(pki, statements=(*pki.statements, statement))
    for option in node.nodes("cert"):
        pki = replace(pki, cert=string(option))
    for option in node.nodes("key"):
        pki = replace(pki, key=string(option))
    for dhe in node.nodes("dhe"):
        pki = replace(pki, dhe=string(dhe))
        if string(dhe).value.lower() not in ("none", "auto", "legacy"):
            draft.refuse(f'expected none, auto or legacy after "dhe", found "{string(dhe).value}"', string(dhe))
    draft.pki[key] = pki


def read_ca(draft: Draft, statement: Statement) -> None:
    """`ca NAME cert FILE`."""
    name = string(statement.node)
    if name.value != "*" and not _HOST_NAME.fullmatch(name.value):
        draft.refuse(f'"{name.value}" is no host name', name)
    certificate = statement.node.node("cert")
    assert certificate is not None
    draft.cas[name.value.lower()] = string(certificate)


def read_table(draft: Draft, statement: Statement) -> None:
    """`table NAME BACKEND:PATH` or `table NAME { ... }`."""
    node = statement.node
    name = string(node)
    inline = node.node("inline")
    if inline is not None:
        entries, kind = inline_entries(inline)
        table = Table(name.value, name, "static", None, entries, kind, statement)
    else:
        table = _file_table(draft, statement, name, string(node, 1))
    if name.value in draft.tables:
        draft.refuse(f"the table <{name.value}> is defined twice", name)
        return
    draft.tables[name.value] = table


def _file_table(draft: Draft, statement: Statement, name: Token, source: Token) -> Table:
    backend, colon, path = source.value.partition(":")
    if source.value.startswith("/"):
        backend, path = "static", source.value
    elif colon and not path.startswith("/"):
        draft.refuse(f'the path of the table <{name.value}> must begin with "/"', source)
    elif not backend or (backend == "getpwnam" and path):
        draft.refuse(f'"{source.value}" is no backend of a table: expected file:PATH, db:PATH or the like', source)
    backend = "file" if backend == "static" else backend
    kind = None if backend == "file" else "dynamic"
    return Table(name.value, name, backend, path or None, (), kind, statement)


def read_proc(draft: Draft, statement: Statement) -> None:
    """`proc NAME PROGRAM`."""
    node = statement.node
    name = string(node)
    draft.once([*node.nodes("user"), *node.nodes("group"), *node.nodes("chroot")])
    if name.value in draft.procs:
        draft.refuse(f'the proc "{name.value}" is defined twice', name)
        return
    draft.procs[name.value] = Proc(name, string(node, 1), _values(node))


def _values(node: Node) -> dict[str, Token]:
    """The user, group and chroot of a program."""
    return {part.kind: string(part) for part in node if isinstance(part, Node) and part.kind in ("user", "group", "chroot")}


def read_filter(draft: Draft, statement: Statement) -> None:
    """`filter NAME` and proc-exec, proc, phase or chain."""
    node = statement.node
    name = string(node)
    if name.value in draft.filters:
        draft.refuse(f'the filter "{name.value}" is defined twice', name)
        return
    kind = next(kind for kind in ("proc-exec", "proc", "phase", "chain") if node.node(kind) is not None)
    part = node.node(kind)
    assert part is not None
    found = Filter(name, kind, statement)
    if kind == "proc-exec":
        draft.once([*part.nodes("user"), *part.nodes("group"), *part.nodes("chroot")])
        draft.procs[name.value] = Proc(name, string(part), _values(part))
        found = replace(found, proc=draft.procs[name.value])
    elif kind == "proc":
        found = replace(found, proc=draft.procs.get(string(part).value))
        if found.proc is None:
            draft.refuse(f'the proc "{string(part).value}" is not defined above', string(part))
    elif kind == "phase":
        found = _phase(draft, found, part)
    else:
        listed = next((each.node("list") for each in part.nodes("chain")), None)
        found = replace(found, chain=draft.chain(values(listed)) if listed is not None else ())
    draft.filters[name.value] = found


def _phase(draft: Draft, found: Filter, part: Node) -> Filter:
    """What a filter of smtpd's own does, when, to whom."""
    phase = next(each for each in part if isinstance(each, Node))
    asked, effect = [each for each in phase if isinstance(each, Node)]
    table = draft.table(asked, asked.kind, "list", "hash")
    word = next(token for token in asked.leaves() if token.kind != "!")
    condition = Criterion(asked.kind, word, asked.has("!"), *(table or ()))
    says = next((token for token in effect.leaves() if token.is_string), None)
    return replace(found, phase=phase.kind.removeprefix("phase-"), condition=condition, effect=effect.kind, says=says)


def read_queue(draft: Draft, statement: Statement) -> None:
    """`queue compression`, `queue encryption KEY`, `queue ttl TIME`."""
    node = statement.node
    compression, encryption, ttl = node.node("compression"), node.node("encryption"), node.node("ttl")
    if compression is not None:
        draft.options = replace(draft.options, queue_compression=compression.first)
    elif encryption is not None:
        key = leaf(encryption, "string") or leaf(encryption, "word")
        draft.options = replace(draft.options, queue_encryption=encryption.first, queue_key=key)
        if key is not None:
            _queue_key(draft, key)
    elif ttl is not None:
        draft.delay(string(ttl))
        draft.set("queue ttl", string(ttl))


def _queue_key(draft: Draft, key: Token) -> None:
    if key.value.lower() in ("stdin", "-"):
        return
    if not is_placeholder(key.value):
        draft.secrets.append(("queue-key", key.value))
    length = secret_length(key.value)
    if length != QUEUE_KEY_LENGTH:
        message = f"the queue encryption key has {length} characters; it must have {QUEUE_KEY_LENGTH}"
        draft.refuse(message, key, Cause.QUEUE_KEY)


def read_smtp(draft: Draft, statement: Statement) -> None:
    """`smtp max-message-size`, `sub-addr-delim`, `ciphers`, `limit`."""
    node = statement.node
    size, delimiter = node.node("max-message-size"), node.node("sub-addr-delim")
    if size is not None:
        at = size.leaves()[1]
        bytes_ = scaled(at.value)
        if bytes_ is None:
            draft.refuse(f'"{at.value}" is no size: expected a number of bytes, or one with K, M or G', at)
        else:
            draft.options = replace(draft.options, max_message_size=bytes_, max_message_size_at=at)
    elif delimiter is not None:
        at = string(delimiter)
        if len(at.value) != 1 or not "!" <= at.value <= "~" or at.value == "@":
            draft.refuse("sub-addr-delim takes one visible character that is no @", at)
        else:
            draft.options = replace(draft.options, sub_address_delimiter=at.value)
    for ciphers in node.nodes("ciphers"):
        draft.set("smtp ciphers", string(ciphers))
    read_limits(draft, statement)


def read_limits(draft: Draft, statement: Statement) -> None:
    """The limits of smtp, mta, mda and scheduler."""
    known = _LIMITS[statement.kind]
    node = statement.node
    domain = node.node("for")
    words = f"{statement.kind} limit" + (f" for domain {string(domain).value}" if domain is not None else "")
    for option in node:
        if isinstance(option, Node) and option.kind in ("inet4", "inet6"):
            draft.set(f"{words} {option.kind}", option.first)
    for deferred in node.nodes("max-deferred"):
        draft.set("mta max-deferred", deferred.leaves()[1])
    for limit in node.nodes("limit"):
        value = limit.leaves()[1]
        draft.set(f"{words} {limit.first.value}", value)
        if limit.first.value == "max-rcpt" and draft.release >= MAX_RCPT[0] and int(value.value) < MAX_RCPT[1]:
            message = f'since OpenSMTPD {shown(MAX_RCPT[0])} "max-rcpt" must be at least {MAX_RCPT[1]}, as RFC 5321 asks'
            draft.refuse(message, value, mend=None if value.via else str(MAX_RCPT[1]))
        if limit.first.value not in known:
            near = difflib.get_close_matches(limit.first.value, known, 1)
            meant = f'; "{near[0]}" is meant' if near else ""
            mend = near[0] if near and not limit.first.via else None
            draft.refuse(f'"{limit.first.value}" is no limit of {statement.kind}{meant}', limit.first, mend=mend)


def read_mda(draft: Draft, statement: Statement) -> None:
    """`mda limit`, `mda wrapper NAME COMMAND`."""
    wrapper = statement.node.node("wrapper")
    if wrapper is None:
        read_limits(draft, statement)
        return
    name = string(wrapper)
    if name.value in draft.wrappers:
        draft.refuse(f'the mda wrapper "{name.value}" is defined twice', name)
    draft.wrappers.add(name.value)


def read_srs(draft: Draft, statement: Statement) -> None:
    """`srs key KEY`, `srs key backup KEY`, `srs ttl TIME`."""
    key, ttl = statement.node.node("key"), statement.node.node("ttl")
    if key is not None:
        value = string(key)
        if not is_placeholder(value.value):
            draft.secrets.append(("srs-key", value.value))
        if leaf(key, "backup") is None:
            draft.options = replace(draft.options, srs_key=value)
        else:
            draft.set("srs key backup", value)
    elif ttl is not None:
        draft.set("srs ttl", string(ttl))
        seconds = draft.delay(string(ttl))
        if seconds is not None and seconds < 86400:
            draft.refuse("an srs ttl of less than a day is too short", string(ttl))


def read_bounce(draft: Draft, statement: Statement) -> None:
    """`bounce warn-interval TIME, ...`."""
    draft.options = replace(draft.options, bounce_delays=tuple(values(statement.node)))
    for token in draft.options.bounce_delays:
        draft.delay(token)


def read_admd(draft: Draft, statement: Statement) -> None:
    """`admd NAME`."""
    name = string(statement.node)
    if not all(" " <= char <= "~" for char in name.value):
        draft.refuse("an admd holds printable ASCII characters only", name)
    draft.set("admd", name)


READERS: Mapping[str, Callable[[Draft, Statement], None]] = {
    "pki": read_pki,
    "ca": read_ca,
    "table": read_table,
    "proc": read_proc,
    "filter": read_filter,
    "queue": read_queue,
    "smtp": read_smtp,
    "mta": read_limits,
    "scheduler": read_limits,
    "mda": read_mda,
    "srs": read_srs,
    "bounce": read_bounce,
    "admd": read_admd,
}
