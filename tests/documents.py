"""The blocks of a page that a reader copies: each begins with a comment that says which file it is."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
FENCE = re.compile(r"^```[a-z]*\n(?P<text># (?P<name>[^,:\n]+).*?)^```$", re.MULTILINE | re.DOTALL)


def blocks(page: str) -> dict[str, str]:
    """The blocks of a page, by what their comments begin with up to a comma or colon: `.gitlab-ci.yml`."""
    found = [(match["name"], match["text"]) for match in FENCE.finditer((ROOT / page).read_text("utf-8"))]
    assert len(dict(found)) == len(found), "each has a name of its own"
    return dict(found)
