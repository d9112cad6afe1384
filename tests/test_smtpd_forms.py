"""The model of a file with macros and includes is that of the file without; each value leads back to its own characters."""

from __future__ import annotations

import random
from collections.abc import Mapping

import pytest
from config_forms import Leaves, leaves, lost_ways, place, said, with_includes, with_macros
from smtpd_live import NAME, beside, whole

from bench.agreement import CORPORA
from bench.agreement.smtpd import cases, model
from mailaudit.models.smtpd.config import SmtpdConfig
from mailaudit.parsers.smtpd_grammar import LEXICON
from mailaudit.parsers.tree import Token

VALUES = {"entries", "argument", "cert", "key", "program", "hostname", "tag", "queue_key", "srs_key", "user", "helo", "mail-from"}
Given = tuple[str, str, dict[str, bytes]]


def texts() -> list[Given]:
    found: list[Given] = [("fixture", whole("7.8"), beside())]
    known = [case for case in cases(CORPORA, "7.8") if case.ok] if CORPORA.is_dir() else []
    long = [case for case in known if case.name.startswith("smtpd/new/") or case.data.count(b"\n") > 6]
    return [*found, *((case.name, case.data.decode("utf-8", "surrogateescape"), {}) for case in long)]


def read(files: Mapping[str, bytes]) -> SmtpdConfig:
    return model(files[NAME], files={path: data for path, data in files.items() if path != NAME})


def files_of(text: str, others: Mapping[str, bytes]) -> dict[str, bytes]:
    return {**others, NAME: text.encode("utf-8", "surrogateescape")}


@pytest.mark.parametrize("seed", range(4))
def test_macros_and_includes_change_nothing(seed: int) -> None:
    source = random.Random(seed)
    for name, text, others in texts():
        form, parts = with_includes(with_macros(text, source, 6, LEXICON), source, seed % 4, LEXICON)
        other = read(files_of(form, others | parts))
        assert other.refusals == (), (name, form)
        assert said(other) == said(read(files_of(text, others))), (name, form)


def values(found: Leaves) -> list[Token]:
    """The tokens of values, those left out whose characters name something too."""
    tokens = [(way, leaf) for way, leaf in found.items() if isinstance(leaf, Token)]
    names = {place(leaf) for way, leaf in tokens if not VALUES & set(way) and way[-1] != "at"}
    return [leaf for way, leaf in tokens if leaf.is_string and VALUES & set(way) and place(leaf) not in names]


@pytest.mark.parametrize("seed", range(4))
def test_a_value_leads_back_to_its_characters(seed: int) -> None:
    source = random.Random(seed)
    for name, text, others in source.sample(texts(), min(25, len(texts()))):
        form, parts = with_includes(with_macros(text, source, 5, LEXICON), source, 1, LEXICON)
        files = files_of(form, others | parts)
        before = leaves(read(files))
        known = values(before)
        for token in source.sample(known, min(6, len(known))):
            assert lost_ways(token, before, read, files) == [], (name, token, form)
