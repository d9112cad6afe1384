"""The words of smtpd.conf before OpenSMTPD 6.4 (2018), which many tutorials still have, and what became of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from mailaudit.parsers.tree import Token

RULES = ("accept", "reject")
_RULE = {
    "accept": "match ... action NAME",
    "reject": "match ... reject",
    "deliver to maildir": "action NAME maildir",
    "deliver to mbox": "action NAME mbox",
    "deliver to mda": "action NAME mda",
    "deliver to lmtp": "action NAME lmtp",
    "deliver to": "action NAME",
    "relay via": "action NAME relay host",
    "relay backup": "action NAME relay backup",
    "relay": "action NAME relay",
    "from source": "from src",
    "source": "src, after the action",
    "sender": "mail-from",
    "recipient": "rcpt-to",
    "tagged": "tag",
    "authenticated": "auth",
    "alias": "alias, after the action",
    "virtual": "virtual, after the action",
    "userbase": "userbase, after the action",
    "expire": "ttl, after the action",
    "as": "mail-from, after the action",
    "hostname": "helo, after the action",
    "hostnames": "helo-src, after the action",
    "certificate": "pki, after the action",
    "verify": "tls, after the action",
}
_LISTEN = {
    "certificate": "pki NAME",
    "secure": "tls, or smtps on a port of its own",
    "ssl": "tls",
    "enable auth": "auth",
    "mask-source": "mask-src",
}
_FIRST = {
    "limit mta": "mta limit",
    "limit session": "smtp limit",
    "limit smtp": "smtp limit",
    "limit mda": "mda limit",
    "limit scheduler": "scheduler limit",
    "limit": "smtp limit, mta limit or mda limit",
    "expire": "queue ttl",
    "max-message-size": "smtp max-message-size",
    "size": "smtp max-message-size",
    "bounce-warn": "bounce warn-interval",
    "subaddressing-delimiter": "smtp sub-addr-delim",
    "ciphers": "smtp ciphers",
    "map": "table",
    "hostname": "hostname, after listen",
    "ssl-ciphers": "smtp ciphers",
}
_PKI = {"certificate": "cert"}
_TABLES = (_RULE, _PKI, _LISTEN, _FIRST)
_INSIDE = {**dict.fromkeys(RULES, _RULE), "pki": _PKI, "ca": _PKI, "listen": _LISTEN}

Became = tuple[tuple[str, str], ...]


def is_rule(row: Sequence[Token]) -> bool:
    """True for a rule of the old grammar: `accept` or `reject` at its beginning."""
    return bool(row) and row[0].kind != "string" and row[0].value in RULES and not _defines_macro(row)


def became(rows: Iterable[Sequence[Token]]) -> Became:
    """Pairs of the old words that statements hold and what stands for each since 6.4, in the order of the tables above."""
    found: dict[int, set[str]] = {id(table): set() for table in _TABLES}
    for row in rows:
        words = [token.value if token.kind != "string" else "" for token in row]
        if words and not _defines_macro(row):
            table = _INSIDE.get(words[0], _FIRST)
            found[id(table)].update(_old_words(words if table is not _FIRST else words[:2], table))
    return tuple((old, new) for table in _TABLES for old, new in table.items() if old in found[id(table)])


def told(words: Became) -> str:
    """What became of old words, as a sentence."""
    return ", ".join(f'"{old}" is now "{new}"' for old, new in words)


def _old_words(words: list[str], table: dict[str, str]) -> Iterator[str]:
    at = 0
    while at < len(words):
        for size in (3, 2, 1):
            if (old := " ".join(words[at : at + size])) in table:
                yield old
                break
        else:
            size = 1
        at += size if table is not _FIRST else len(words)


def _defines_macro(row: Sequence[Token]) -> bool:
    return len(row) > 1 and row[1].kind == "="
