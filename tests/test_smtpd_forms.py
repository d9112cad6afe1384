"""The model of a file with macros and includes is that of the file without; each value leads back to its own characters."""

from __future__ import annotations

import random
import re

import pytest
from smtpd_forms import Leaves, leaves, said, with_includes, with_macros
from smtpd_live import NAME, beside, whole

from bench.agreement import CORPORA
from bench.agreement.smtpd import cases, model
from mailaudit.models.smtpd import SmtpdConfig
from mailaudit.parsers.tree import Token
from mailaudit.text import Text

VALUES = {"entries", "argument", "cert", "key", "program", "hostname", "tag", "queue_key", "srs_key", "user", "helo", "mail-from"}
LIKE = str.maketrans({"q": "z", "Q": "Z", **{str(digit): str(digit % 8 + 1) for digit in range(10)}})


Given = tuple[str, str, dict[str, bytes]]


def texts() -> list[Given]:
    found: list[Given] = [("fixture", whole("7.8"), beside())]
    known = [case for case in cases(CORPORA, "7.8") if case.ok] if CORPORA.is_dir() else []
    long = [case for case in known if case.name.startswith("smtpd/new/") or case.data.count(b"\n") > 6]
    return [*found, *((case.name, case.data.decode("utf-8", "surrogateescape"), {}) for case in long)]


def read(text: str, files: dict[str, bytes]) -> SmtpdConfig:
    return model(text.encode("utf-8", "surrogateescape"), files=files)


@pytest.mark.parametrize("seed", range(4))
def test_macros_and_includes_change_nothing(seed: int) -> None:
    source = random.Random(seed)
    compared = 0
    for name, text, files in texts():
        plain = said(read(text, files))
        form = with_macros(text, source, 6)
        parts: dict[str, bytes] = {}
        if seed % 4:
            form, parts = with_includes(form, source, seed % 4)
        other = read(form, files | parts)
        assert other.refusals == (), (name, form)
        assert said(other) == plain, (name, form)
        compared += form != text
    assert compared or not CORPORA.is_dir()


def values(found: Leaves) -> list[Token]:
    """The tokens of values, those left out whose characters name something too."""
    tokens = [(way, leaf) for way, leaf in found.items() if isinstance(leaf, Token)]
    names = {place(leaf) for way, leaf in tokens if not VALUES & set(way) and way[-1] != "at"}
    return [leaf for way, leaf in tokens if leaf.is_string and VALUES & set(way) and place(leaf) not in names]


def place(token: Token) -> tuple[str, int, int]:
    return token.text.path, token.start, token.end


def changed(chars: str) -> tuple[str, str] | None:
    """Characters with their last letter or digit another one, and that one; None if they have none."""
    found = list(re.finditer(r"[A-Za-z0-9]", chars))
    if not found:
        return None
    at = found[-1].start()
    new = chars[at].translate(LIKE) if chars[at] in "qQ" or chars[at].isdigit() else "q"
    return chars[:at] + new + chars[at + 1 :], new


@pytest.mark.parametrize("seed", range(4))
def test_a_value_leads_back_to_its_characters(seed: int) -> None:
    source = random.Random(seed)
    for name, text, files in source.sample(texts(), min(25, len(texts()))):
        form, parts = with_includes(with_macros(text, source, 5), source, 1)
        here = {NAME: form.encode("utf-8", "surrogateescape"), **files, **parts}
        before = leaves(read(form, files | parts))
        known = values(before)
        for token in source.sample(known, min(6, len(known))):
            other = changed(token.span.chars)
            wanted = changed(token.value)
            if other is None or wanted is None:
                continue
            path = token.text.path
            chars = Text(path, here[path]).chars
            edited = here | {path: (chars[: token.start] + other[0] + chars[token.end :]).encode("utf-8", "surrogateescape")}
            after = leaves(model(edited[NAME], files={each: data for each, data in edited.items() if each != NAME}))
            assert after.keys() == before.keys(), (name, token, form)
            for way, leaf in before.items():
                if isinstance(leaf, Token):
                    now = after[way]
                    assert isinstance(now, Token)
                    expected = wanted[0] if place(leaf) == place(token) else leaf.value
                    assert now.value == expected, (name, way, token, form)
