"""Whether links lead somewhere: those of the Markdown in a checkout, and those of the site as it was built."""

from __future__ import annotations

import re
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

_FENCE = re.compile(r"^[ \t]*(```+)[^\n]*\n.*?^[ \t]*\1[ \t]*$", re.DOTALL | re.MULTILINE)
_CODE = re.compile(r"`[^`\n]+`")
_LINK = re.compile(r"\]\((?P<target>[^)\s]+)\)|(?:src|href|srcset)=\"(?P<attribute>[^\"]+)\"")
_OUTSIDE = ("http", "https", "mailto")
_FETCHED = {"src", "srcset", "data", "poster"}  # what a browser gets by itself; of link also href


def dead_in_markdown(root: Path, pages: list[Path]) -> list[str]:
    """Each relative link of the pages that leads to no file or to no heading, and each outside one that is no address."""
    dead = []
    for page in pages:
        for link in _LINK.finditer(_CODE.sub("", _FENCE.sub("", page.read_text("utf-8")))):
            target = link["target"] or link["attribute"]
            why = _why_dead(root, page, target)
            if why:
                dead.append(f"{page.relative_to(root)}: {target}: {why}")
    return dead


def _why_dead(root: Path, page: Path, target: str) -> str | None:
    parts = urlsplit(target)
    if parts.scheme or parts.netloc:
        return _bad_outside(target)
    there = (page.parent / unquote(parts.path)).resolve() if parts.path else page
    if not there.is_relative_to(root) or not there.exists():
        return "there is no such file"
    if parts.fragment and there.suffix == ".md" and parts.fragment not in headings(there):
        return "there is no such heading"
    return None


@cache
def headings(page: Path) -> frozenset[str]:
    """The anchors of a page's headings, as code hosts make them."""
    text = _FENCE.sub("", page.read_text("utf-8"))
    return frozenset(slug(found) for found in re.findall(r"^#{1,6} +(.+?)[ \t]*$", text, re.MULTILINE))


def slug(heading: str) -> str:
    """A heading's anchor, as code hosts make it: lower case, no punctuation, dashes for blanks."""
    plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading)
    return re.sub(r"[^\w\- ]", "", plain.lower()).replace(" ", "-")


def _bad_outside(target: str) -> str | None:
    parts = urlsplit(target)
    if parts.scheme not in _OUTSIDE or (parts.scheme != "mailto" and "." not in (parts.hostname or "")):
        return "this is no address"
    return None


class _Page(HTMLParser):
    """What a page of the site has: anchors, links, and what a browser fetches for it."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.anchors: set[str] = set()
        self.links: list[str] = []
        self.fetched: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if not value:
                continue
            if name == "id" or (tag == "a" and name == "name"):
                self.anchors.add(value)
            elif name == "href" and tag == "a":
                self.links.append(value)
            elif name in _FETCHED or (name == "href" and tag == "link"):
                self.fetched.append(value)


def dead_in_site(root: Path) -> list[str]:
    """Each link of the built site that leads nowhere, and all that a browser would fetch from elsewhere."""
    pages: dict[Path, _Page] = {}
    for path in sorted(root.rglob("*.html")):
        pages[path] = _Page()
        pages[path].feed(path.read_text("utf-8"))
    dead = []
    for path, page in pages.items():
        for link in dict.fromkeys(page.links):
            why = _dead_link(path, link, pages)
            if why:
                dead.append(f"{path.relative_to(root)}: {link}: {why}")
        for each in dict.fromkeys(page.fetched):
            parts = urlsplit(each)
            if parts.netloc or parts.scheme not in {"", "data"}:
                dead.append(f"{path.relative_to(root)}: {each}: fetched from elsewhere")
            elif not parts.scheme and not (path.parent / unquote(parts.path)).exists():
                dead.append(f"{path.relative_to(root)}: {each}: there is no such file")
    for path in sorted(root.rglob("*.css")):
        dead += [
            f"{path.relative_to(root)}: {each}: fetched from elsewhere" for each in _OUTSIDE_CSS.findall(path.read_text("utf-8"))
        ]
    return dead


_OUTSIDE_CSS = re.compile(r"(?:@import\s+|url\()\s*[\"']?((?:https?:)?//[^\"')\s]+)")


def _dead_link(path: Path, link: str, pages: dict[Path, _Page]) -> str | None:
    parts = urlsplit(link)
    if parts.scheme or parts.netloc:
        return _bad_outside(link)
    there = Path(path.parent, unquote(parts.path)).resolve() if parts.path else path
    if there.is_dir():
        there /= "index.html"
    if there not in pages:
        return None if there.is_file() else "there is no such page"
    if parts.fragment and unquote(parts.fragment) not in pages[there].anchors:
        return "there is no such anchor"
    return None
