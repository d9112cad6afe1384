"""Which language a file is written in, by its path."""

from __future__ import annotations

from fnmatch import fnmatchcase

from mailaudit.parsers import LANGUAGES
from mailaudit.parsers.tree import Language

_WILD = frozenset("*?[")


def language_of(path: str) -> tuple[Language, str | None] | None:
    """The language of whose files an absolute path ends like one, and the root that it lies in, where the path tells that.

    `/srv/host7/etc/pf.conf` is pf in the root `/srv/host7` (and `/etc/pf.conf` in the root ""); `/home/me/pf.conf` is pf in none.
    """
    parts = path.split("/")
    best: tuple[int, Language, str | None] | None = None
    for language in LANGUAGES.values():
        for pattern in language.paths:
            wanted = pattern.strip("/").split("/")
            score = _alike(parts, wanted)
            if score and (best is None or score > best[0]):
                root = "/".join(parts[: -len(wanted)]) if score == len(wanted) else None
                best = (score, language, root)
    return None if best is None else best[1:]


def _alike(parts: list[str], wanted: list[str]) -> int:
    """How many components at the ends are alike; a glob's last component needs the one before it as well."""
    count = 0
    for part, pattern in zip(reversed(parts), reversed(wanted), strict=False):
        if not fnmatchcase(part, pattern):
            break
        count += 1
    least = 2 if _WILD & set(wanted[-1]) else 1
    return count if count >= least else 0
