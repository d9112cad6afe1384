"""The languages that mailaudit reads: an explicit list."""

from __future__ import annotations

from mailaudit.parsers.tree import Language

_ALL: tuple[Language, ...] = ()

LANGUAGES: dict[str, Language] = {language.name: language for language in _ALL}
