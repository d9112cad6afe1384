"""Elements of HTML: characters become markup in `tag` alone, where they are escaped and made visible."""

from __future__ import annotations

import html
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeAlias

from mailaudit.reports.masking import visible

VOID = frozenset({"br", "hr", "input", "link", "meta"})


@dataclass(frozen=True, slots=True)
class Html:
    """Markup, as it goes to the page."""

    chars: str


Child: TypeAlias = "Html | str | Iterable[Child]"
NOTHING = Html("")


def tag(name: str, /, *children: Child, **attributes: str | float | bool | None) -> Html:
    """An element. Strings in it are text; so are the values of its attributes, of which None and False are left out.

    `class_` is the attribute class, `aria_label` is aria-label.
    """
    told = "".join([_attribute(key, value) for key, value in attributes.items() if value is not None and value is not False])
    return Html(f"<{name}{told}>" if name in VOID else f"<{name}{told}>{joined(*children).chars}</{name}>")


def _attribute(key: str, value: str | float) -> str:
    name = key.rstrip("_").replace("_", "-")
    return f" {name}" if value is True else f' {name}="{html.escape(visible(str(value)))}"'


def joined(*children: Child) -> Html:
    """Markup and text in one piece."""
    return Html("".join(_written(children)))


def _written(children: Iterable[Child]) -> Iterable[str]:
    for child in children:
        if isinstance(child, Html):
            yield child.chars
        elif isinstance(child, str):
            yield html.escape(visible(child, keep="\n\t"), quote=False)
        else:
            yield joined(*child).chars


def raw(name: str, chars: str) -> Html:
    """A `style` or `script` of our own, as it stands."""
    return Html(f"<{name}>{chars}</{name}>")


def listed(items: Iterable[Child], **attributes: str | None) -> Html:
    """A list, or nothing if there is nothing in it."""
    rows = [tag("li", each) for each in items]
    return tag("ul", rows, **attributes) if rows else NOTHING
