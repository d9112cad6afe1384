"""Places as SARIF has them: URIs, regions, messages."""

from __future__ import annotations

import re
from typing import Any

from mailaudit.reports.view import Spot, View

ROOT = "SRCROOT"
HOSTS = "HOSTS"
_URI = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~/")
_LINK = re.compile(r"\[(?=[^\]]*\]\()")
_PLACEHOLDER = re.compile(r"\{(\d+)\}")


def encoded(path: str) -> str:
    """A path as part of a URI."""
    return "".join(chr(byte) if byte in _URI else f"%{byte:02X}" for byte in path.encode("utf-8", "surrogateescape"))


def message(text: str) -> dict[str, str]:
    """A message whose words are no link and no placeholder, whatever they look like (SARIF, sections 3.11.5 and 3.11.6)."""
    return {"text": _PLACEHOLDER.sub(r"{{\1}}", _LINK.sub(r"\\[", text))}


def artifact(view: View, path: str) -> dict[str, str]:
    """Where a file is: from the root, below a live host's name, or at an absolute path."""
    if path.startswith("/"):
        return {"uri": f"file://{encoded(path)}"}
    return {"uri": encoded(path), "uriBaseId": HOSTS if view.host.live else ROOT}


def region(spot: Spot) -> dict[str, Any]:
    """The characters meant; of a file as a whole, its first line."""
    if spot.whole:
        return {"startLine": 1}
    return {"startLine": spot.line, "startColumn": spot.column, "endLine": spot.end_line, "endColumn": spot.end_column}


def physical(view: View, spot: Spot) -> dict[str, Any]:
    """A place in a file, and its lines, unless it has more than are shown."""
    place: dict[str, Any] = {"artifactLocation": artifact(view, spot.path), "region": region(spot)}
    last = spot.line + spot.excerpt.count("\n")
    if spot.excerpt and last >= spot.end_line:
        place["contextRegion"] = {"startLine": spot.line, "endLine": last, "snippet": {"text": spot.excerpt}}
    return place


def location(view: View, spot: Spot, number: int | None = None) -> dict[str, Any]:
    """A place in a file with its label, and with the number by which messages may name it."""
    return {
        **({} if number is None else {"id": number}),
        "physicalLocation": physical(view, spot),
        "logicalLocations": [{"name": view.name, "kind": "host"}],
        **({"message": message(spot.label)} if spot.label else {}),
    }
