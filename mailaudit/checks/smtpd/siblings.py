"""A new listener for users' mail like the one that is there: with the same restrictions on who may send as whom."""

from __future__ import annotations

import re

from mailaudit.models.smtpd.config import SmtpdConfig
from mailaudit.models.smtpd.parts import Listener
from mailaudit.models.smtpd.reach import is_outward
from mailaudit.parsers.tree import Node

_OWN = ("port", "tls", "tls-require", "smtps")  # options in which submission and smtps differ
_CONTINUED = re.compile(r"\s*\\\n\s*")


def like_siblings(smtpd: SmtpdConfig, port: int, words: str) -> list[str]:
    """Lines for a port, one for each listener on the other port that asks for a login; empty where there is none."""
    siblings = [each for each in smtpd.listeners if is_outward(each) and each.requires_auth and each.port not in (25, port)]
    where = " port submission" if port == 587 else ""
    same_port = [each for each in siblings if each.port == siblings[0].port]
    return [f"listen on {each.at.span.chars}{where} {words}{_options(each)}" for each in same_port]


def _options(listener: Listener) -> str:
    body = listener.statement.node.node("on")
    options = [part for part in body or () if isinstance(part, Node) and part.kind not in _OWN]
    return "".join(f" {_written(option)}" for option in options)


def _written(option: Node) -> str:
    """An option as it stands in the file; one that came out of macros word by word."""
    tokens = option.all_leaves()
    if any(token.via or token.text is not tokens[0].text for token in tokens):
        return " ".join(token.span.chars for token in tokens).replace("< ", "<").replace(" >", ">")
    return _CONTINUED.sub(" ", tokens[0].text.chars[tokens[0].start : tokens[-1].end])
