"""UCL's values as they stand after merging: each with the characters it was written as, and those that it overrides."""

from __future__ import annotations

from collections.abc import Iterator

from mailaudit.parsers import ucl_values
from mailaudit.parsers.tree import Token
from mailaudit.parsers.ucl_values import Scalar
from mailaudit.text import Span

STRINGS = frozenset({"string", "heredoc", "word"})
HIGHEST = 15  # libucl keeps four bits of a priority

Json = dict[str, "Json"] | list["Json"] | Scalar


class Value:
    """A value: a scalar, an object or an array.

    `kind` is `integer`, `float`, `seconds` (a float), `boolean`, `string`, `null`, `object` or `array`. `scalar` is what a scalar
    means, variables expanded; `token` is how it was written, or the bracket that opened it, or None for what no file wrote.
    `key` is the name it was written behind. `members` are an object's: values of one name are a list, an implicit array.
    `elements` are an array's. `before` are the values of the same name that it overrides, the last decided first. `templated`
    is true if a Jinja template stands in it, so that what it means is not known. `inherited` is libucl's mark for a copy
    that any later value overrides.
    """

    __slots__ = (
        "before",
        "chain",
        "elements",
        "inherited",
        "key",
        "kind",
        "members",
        "priority",
        "scalar",
        "templated",
        "token",
    )

    def __init__(self, kind: str = "null", priority: int = 0, key: Token | None = None, token: Token | None = None) -> None:
        self.kind = kind
        self.priority = priority & HIGHEST
        self.key = key
        self.token = token
        self.scalar: Scalar = None
        self.members: dict[str, list[Value]] = {}
        self.elements: list[Value] = []
        self.before: list[Value] = []
        self.chain: list[Value] = [self]
        self.templated = False
        self.inherited = False

    def copy(self) -> Value:
        """Another value like it; what is in it is shared."""
        other = Value(self.kind, self.priority, self.key, self.token)
        other.scalar, other.templated = self.scalar, self.templated
        other.members, other.elements = dict(self.members), list(self.elements)
        other.before = list(self.before)
        return other

    def get(self, *names: str) -> Value | None:
        """The value under a name, or under names one in another: the first of an implicit array."""
        at: Value | None = self
        for name in names:
            found = at.members.get(name) if at is not None else None
            at = found[0] if found else None
        return at

    def all(self, name: str) -> tuple[Value, ...]:
        """All values under a name as rspamd goes through them: of an implicit array, and in arrays."""
        return tuple(element for value in self.members.get(name, ()) for element in value.each())

    def each(self) -> Iterator[Value]:
        """The elements of an array, or the value itself."""
        if self.kind == "array":
            yield from self.elements
        else:
            yield self

    @property
    def text(self) -> str | None:
        """A scalar as rspamd makes a string of it; None for objects, arrays, null and templates."""
        if self.kind in ("object", "array", "null") or self.templated:
            return None
        return written(self.scalar)

    @property
    def truth(self) -> bool | None:
        """A boolean's value, or that of a number or a string that is taken for one; None for others and templates."""
        if self.templated:
            return None
        if isinstance(self.scalar, str):
            found = ucl_values.keyword(self.scalar)
            return found[1] if found is not None and isinstance(found[1], bool) else None
        return None if self.scalar is None else bool(self.scalar)

    @property
    def number(self) -> float | None:
        """The value of a number, or of a string that is written as one; seconds for a time."""
        if isinstance(self.scalar, str) and not self.templated:
            try:
                found = ucl_values.number(self.scalar, 0)
            except ucl_values.OutOfRangeError:
                return None
            return found.value if found is not None and found.end == len(self.scalar) else None
        return self.scalar if isinstance(self.scalar, int | float) and not isinstance(self.scalar, bool) else None

    @property
    def span(self) -> Span:
        """What is written of it; only where something is."""
        token = self.token or self.key
        if token is None:
            raise LookupError("nothing is written of this value")
        return token.span

    def __repr__(self) -> str:
        return f"Value({self.kind!r}, {self.token or self.key!r})"


def written(scalar: Scalar) -> str:
    """A scalar as libucl writes it."""
    if isinstance(scalar, bool):
        return "true" if scalar else "false"
    return "null" if scalar is None else f"{scalar:g}" if isinstance(scalar, float) else str(scalar)


def as_json(value: Value, *, emitted: bool = False) -> Json:
    """A value as plain data, the way rspamd's Lua sees it, or as libucl's emitter prints it.

    They differ where an array stands several times under a name: Lua joins them, the emitter prints the first.
    """
    if value.kind == "object":
        return {name: _chain(chain, emitted=emitted) for name, chain in value.members.items()}
    if value.kind == "array":
        return [as_json(element, emitted=emitted) for element in value.elements]
    return value.scalar


def _chain(chain: list[Value], *, emitted: bool) -> Json:
    if len(chain) == 1:
        return as_json(chain[0], emitted=emitted)
    if chain[0].kind == "array":
        values = chain[0].elements if emitted else [each for value in chain for each in value.each()]
        return [as_json(each, emitted=emitted) for each in values]
    return [as_json(each, emitted=emitted) for each in chain]
