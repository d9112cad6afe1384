"""Which statements some rule asks about: rules/relevance.toml, for those who want to know what of a file matters here."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from mailaudit.parsers.tree import Statement


def name_of(statement: Statement) -> str:
    """What a statement is about: its first word that does not just say its kind again (`set skip` is about `skip`)."""
    for token in statement.tokens:
        if token.value != statement.kind:
            return token.value
    return statement.kind


@dataclass(frozen=True, slots=True)
class Relevance:
    """By language and kind of statement: True if rules ask about all of the kind, else patterns of the names they ask about."""

    kinds: Mapping[str, Mapping[str, bool | tuple[str, ...]]]

    def asks(self, language: str, statement: Statement) -> bool:
        """True if the verdict of some rule may hang on the statement, more than by its being read at all."""
        asked = self.kinds.get(language, {}).get(statement.kind, False)
        if isinstance(asked, bool):
            return asked
        name = name_of(statement)
        return any(fnmatchcase(name, pattern) for pattern in asked)


def load(rules: Path) -> Relevance:
    """The relevance that the folder of rules tells."""
    told: dict[str, dict[str, Any]] = tomllib.loads((rules / "relevance.toml").read_text("utf-8"))
    return Relevance(
        {
            language: {kind: asked if isinstance(asked, bool) else tuple(asked) for kind, asked in kinds.items()}
            for language, kinds in told.items()
        }
    )
