"""The files that tables are filled from."""

from __future__ import annotations

import re

from mailaudit.models.pf.items import Refused, peer_of
from mailaudit.models.pf.rules import Table
from mailaudit.models.pf.values import WIDTH, Peer, address4, address6
from mailaudit.models.sources import Sources
from mailaudit.parsers.tree import Token
from mailaudit.text import Text

_ENTRY = re.compile(r"[#;][^\n]*|(?:(!)[ \t]*)?([^\s!#;]+)")


class TableFiles:
    """Reads the entries of tables, those of their files too."""

    def __init__(self, sources: Sources) -> None:
        self._sources = sources

    def read(self, table: Table) -> tuple[list[Peer], bool]:
        """The entries of a table, and whether they are all: False if a file is not there or holds names."""
        peers = list(table.entries)
        complete = all(peer.kind != "name" for peer in peers)
        for token in table.files:
            text = self._sources.file(token.value)
            if not isinstance(text, Text):
                complete = False
                continue
            for match in _ENTRY.finditer(text.chars):
                if match[2]:
                    peer = _entry(match, text)
                    complete = complete and peer is not None
                    peers += [peer] if peer is not None else []
        return peers, complete


def _entry(match: re.Match[str], text: Text) -> Peer | None:
    token = Token("word", match[2], text, match.start(2), match.end(2))
    address, slash, mask = match[2].partition("/")
    negated = match[1] is not None
    if not slash:
        try:
            peer = peer_of(token)
        except Refused:
            return None
        return Peer(peer.kind, token, negated, peer.family, peer.low, peer.high, peer.name, peer.modifiers)
    value, family = address4(address, short=True), 4
    if value is None:
        value, family = address6(address), 6
    if value is None or not mask.isdigit() or int(mask) > WIDTH[family]:
        return None
    size = 1 << (WIDTH[family] - int(mask))
    low = value // size * size
    return Peer("net", token, negated, family, low, low + size - 1)
