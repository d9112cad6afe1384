"""The `[policy]` of mailaudit.toml: what a site expects of its hosts, subject by subject, with operators."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

from mailaudit.models.policy.measure import Measure
from mailaudit.models.policy.measures import SUBJECTS
from mailaudit.models.policy.operators import Expectation, expected_words, operators_for, read_expected
from mailaudit.settings.tables import Expected, Table
from mailaudit.settings.values import table as a_table

_TOP: Mapping[str, Expected] = {subject: Expected("a table", a_table) for subject in SUBJECTS}


def read_policy(table: Table) -> Iterator[Expectation]:
    """The expectations of the table, in its order. Raises `SettingsError` for a subject, measure or operator that is none."""
    found = table.read(_TOP)
    for subject, content in found.items():
        yield from _subject(table.below(subject, content), subject)


def _subject(table: Table, subject: str) -> Iterator[Expectation]:
    measures = {measure.name: measure for measure in SUBJECTS[subject]}
    known = {name: Expected("a table such as { equals = ... }", a_table) for name in measures}
    for name, content in table.read(known).items():
        below = table.below(name, content)
        origin = str(table.said(name))
        for operator, value in below.read(_operators(measures[name])).items():
            yield Expectation(subject, name, operator, value, origin)


def _operators(measure: Measure) -> Mapping[str, Expected]:
    scale = measure.scale
    return {
        operator: Expected(expected_words(scale, operator), partial(_read, scale, operator)) for operator in operators_for(scale)
    }


def _read(scale: Any, operator: str, value: Any) -> Any:
    return read_expected(scale, operator, value)
