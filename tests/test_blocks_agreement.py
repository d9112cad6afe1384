"""acme-client.conf and httpd.conf as their daemons had them: refused where, meaning what; with macros, includes and without."""

from __future__ import annotations

import random
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType

import pytest
from config_forms import leaves, lost_ways, place, said, with_includes, with_macros

from bench.agreement import CORPORA, acme, httpd
from bench.agreement.recorded import cases
from mailaudit.models import acme as acme_model
from mailaudit.models import httpd as httpd_model
from mailaudit.models.acme import AcmeConfig
from mailaudit.models.httpd_parts import HttpdConfig
from mailaudit.parsers import acme as acme_parser
from mailaudit.parsers import httpd as httpd_parser
from mailaudit.parsers.tokens import Lexicon
from mailaudit.parsers.tree import Token
from mailaudit.text import Text

FIXTURES = Path(__file__).parent / "fixtures" / "configs"
NAMES = {"acme": "/etc/acme-client.conf", "httpd": "/etc/httpd.conf"}
LEXICONS: dict[str, Lexicon] = {"acme": acme_parser.LEXICON, "httpd": httpd_parser.LEXICON}
AGREEMENT: dict[str, ModuleType] = {"acme": acme, "httpd": httpd}
KEYS = {"port_token", "handle"}  # what else a model says hangs on them
needs_corpora = pytest.mark.skipif(not CORPORA.is_dir(), reason="the corpora of real files are not beside this checkout")
both = pytest.mark.parametrize("language", ["acme", "httpd"])


@needs_corpora
@both
def test_recorded_answers(language: str) -> None:
    for row in AGREEMENT[language].rows(CORPORA):
        assert row.wrong == (), row.subject
        assert row.agree + len(row.explained) == row.of


def read(language: str, files: Mapping[str, bytes]) -> AcmeConfig | HttpdConfig:
    def include(path: str) -> Text | None:
        return Text(path, files[path]) if path in files else None

    text = Text(NAMES[language], files[NAMES[language]])
    if language == "acme":
        return acme_model.understood(acme_parser.parse(text, include))
    return httpd_model.understood(httpd_parser.parse(text, include), httpd.SERVICES)


def texts(language: str) -> list[tuple[str, str]]:
    found = [("fixture", (FIXTURES / language / NAMES[language][1:]).read_text("utf-8"))]
    known = cases(CORPORA, language, 80) if CORPORA.is_dir() else []
    good = [(case.name, case.data.decode("utf-8", "surrogateescape")) for case in known if case.ok and len(case.data) < 8000]
    return [*found, *good]


@both
def test_the_fixture_is_read_whole(language: str) -> None:
    _, text = texts(language)[0]
    model = read(language, {NAMES[language]: text.encode()})
    assert model.refusals == ()
    assert [statement.span.chars for tree in model.trees for statement in tree.unread()] == []


def form(language: str, text: str, source: random.Random, includes: int) -> dict[str, bytes]:
    lexicon = LEXICONS[language]
    other, parts = with_includes(with_macros(text, source, 5, lexicon, no="{}"), source, includes, lexicon)
    return {NAMES[language]: other.encode("utf-8", "surrogateescape"), **parts}


@both
@pytest.mark.parametrize("seed", range(3))
def test_macros_and_includes_change_nothing(language: str, seed: int) -> None:
    source = random.Random(seed)
    for name, text in texts(language):
        files = form(language, text, source, seed)
        model = read(language, files)
        assert model.refusals == (), (name, files)
        assert said(model) == said(read(language, {NAMES[language]: text.encode("utf-8", "surrogateescape")})), (name, files)


@both
@pytest.mark.parametrize("seed", range(2))
def test_a_value_leads_back_to_its_characters(language: str, seed: int) -> None:
    source = random.Random(seed)
    for name, text in texts(language)[:25]:
        files = form(language, text, source, 1)
        before = leaves(read(language, files))
        tokens = [(way, leaf) for way, leaf in before.items() if isinstance(leaf, Token)]
        keys = {place(leaf) for way, leaf in tokens if KEYS & set(way)}
        known = [leaf for _, leaf in tokens if leaf.is_string and place(leaf) not in keys]
        for token in source.sample(known, min(6, len(known))):
            assert lost_ways(token, before, lambda given: read(language, given), files) == [], (name, token, files)
