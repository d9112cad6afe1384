"""How a check is declared: one rule id, one pure function whose annotations are its inputs (law 10)."""

from __future__ import annotations

import types
import typing
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache

from mailaudit.findings import Outcome

Check = Callable[..., Iterator[Outcome]]


@dataclass(frozen=True, slots=True)
class Declared:
    """A check: the id of its rule, and the function."""

    rule: str
    function: Check

    def inputs(self) -> dict[str, tuple[type, ...]]:
        """The types that each parameter takes, from its annotation; a union's members one by one."""
        return _inputs(self.function)


@cache
def _inputs(function: Check) -> dict[str, tuple[type, ...]]:
    hints = typing.get_type_hints(function)
    hints.pop("return", None)
    return {name: _members(hint) for name, hint in hints.items()}


def _members(hint: object) -> tuple[type, ...]:
    if isinstance(hint, types.UnionType):
        return tuple(typing.cast("type", member) for member in typing.get_args(hint))
    return (typing.cast("type", hint),)


REGISTRY: dict[str, Declared] = {}


def rule(identity: str) -> Callable[[Check], Check]:
    """Declare the check of a rule."""

    def declare(function: Check) -> Check:
        if identity in REGISTRY:
            raise ValueError(f"two checks for rule {identity}")
        REGISTRY[identity] = Declared(identity, function)
        return function

    return declare
