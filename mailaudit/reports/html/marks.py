"""The marks of verdicts: a shape, a colour and a word each, so that none of them is needed to tell it."""

from __future__ import annotations

from collections.abc import Mapping

from mailaudit.reports.html.hops import Shape
from mailaudit.reports.html.markup import Html, joined, tag

RING = "M8 1a7 7 0 1 0 0 14a7 7 0 1 0 0-14zm0 1.6a5.4 5.4 0 1 1 0 10.8a5.4 5.4 0 1 1 0-10.8z"
DRAWN: Mapping[Shape, str] = {  # 16 by 16, filled by the even-odd rule
    Shape.CRITICAL: "M5 .5h6L15.5 5v6L11 15.5H5L.5 11V5z"
    "M5.4 4 4 5.4 6.6 8 4 10.6 5.4 12 8 9.4 10.6 12 12 10.6 9.4 8 12 5.4 10.6 4 8 6.6z",
    Shape.HIGH: "M8 .8 15.8 14.8H.2zM7.1 5.4v4.8h1.8V5.4zM7.1 11.3v1.9h1.8v-1.9z",
    Shape.MEDIUM: "M8 .4 15.6 8 8 15.6.4 8z",
    Shape.LOW: f"{RING}M8 5a3 3 0 1 0 0 6a3 3 0 1 0 0-6z",
    Shape.INFO: "M1 1h14v14H1zM7.1 3.4v1.9h1.8V3.4zM7.1 6.8v5.8h1.8V6.8z",
    Shape.UNTOLD: f"{RING}M5.3 6.2A2.7 2.7 0 1 1 8.8 8.8v.8H7.2V7.6h.8a1.1 1.1 0 1 0-1.1-1.4zM7.2 10.6v1.6h1.6v-1.6z",
    Shape.WAIVED: f"{RING}M4.5 7.1v1.8h7V7.1z",
    Shape.PARTLY: "M1 8.6 2.5 7.1 6 10.6 13.5 3 15 4.5 6 13.6zM1 14.4h2v1.6H1zM5 14.4h2v1.6H5zM9 14.4h2v1.6H9zM13 14.4h2v1.6h-2z",
    Shape.UNASKED: "M6.5 1h3v1.8h-3zM1 6.5h1.8v3H1zM13.2 6.5H15v3h-1.8zM6.5 13.2h3V15h-3z"
    "M2.6 3.9 3.9 2.6l1.5 1.5-1.3 1.3zM12.1 2.6l1.3 1.3"
    "-1.5 1.5-1.3-1.3zM2.6 12.1l1.5-1.5 1.3 1.3-1.5 1.5zM10.6 11.9l1.3-1.3 1.5 1.5-1.3 1.3z",
    Shape.FINE: "M1 8.6 2.8 6.8 6 10 13.2 2.7 15 4.5 6 13.6z",
    Shape.NOTHING: "M2 7h12v2H2z",
}


def defined() -> Html:
    """All marks, and the head of an arrow, drawn once for the page."""
    shapes = [
        tag("symbol", tag("path", d=path, fill_rule="evenodd", fill="currentColor"), id=_id(shape), viewBox="0 0 16 16")
        for shape, path in DRAWN.items()
    ]
    head = tag(
        "marker",
        tag("path", d="M0 0 8 4 0 8z"),
        id="head",
        viewBox="0 0 8 8",
        refX=7,
        refY=4,
        markerWidth=8,
        markerHeight=8,
        markerUnits="userSpaceOnUse",
        orient="auto",
    )
    return tag("svg", tag("defs", shapes, head), class_="defined", aria_hidden="true")


def mark(shape: Shape) -> Html:
    """The mark itself, where its word stands beside it."""
    return tag("svg", used(shape), class_=f"mark {color(shape)}", aria_hidden="true")


def used(shape: Shape, **attributes: float) -> Html:
    """The mark within another picture."""
    return tag("use", href=f"#{_id(shape)}", **attributes)


def worded(shape: Shape, word: str = "") -> Html:
    """The mark and its word."""
    return tag("span", joined(mark(shape), " ", word or str(shape)), class_=f"verdict {color(shape)}")


def color(shape: Shape) -> str:
    """The class that colours it."""
    return f"c-{shape.name.lower()}"


def _id(shape: Shape) -> str:
    return f"m-{shape.name.lower()}"
