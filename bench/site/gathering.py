"""Lays the site's sources as they lie in a checkout: a relative link leads to the same thing on a code host and in the site."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from bench.site import rulepages
from bench.site.navigation import NAVIGATION, ROOT
from mailaudit import rulebook

_RULE_LINK = re.compile(r"(\]\([^)\s]*\brules/)[a-z]+/([A-Z]+\d+)-[a-z0-9-]+(\.md)")
_LINK = re.compile(r"\]\((?!https?:|mailto:|#)(?P<path>[^)#\s]+)")
_LINKED = re.compile(r"(?<!!)\[(?P<words>[^\]\n]+)\]\((?!https?:|mailto:|#)(?P<path>[^)#\s]+)\)")
_MANUALS = {"1": "man/mailaudit.1", "5": "man/mailaudit.toml.5"}


def gather(into: Path) -> None:
    """Write all pages of the site below `into`, as Markdown."""
    book = rulebook.load()
    subjects = {path.name.split("-")[0]: path.parent.name for path in book.root.glob("*/*-*.md")}
    pages = {
        f"rules/{page.id}.md": rulepages.rule(page, subject, beside)
        for subject, rules in rulepages.in_subjects(book, subjects).items()
        for page, beside in zip(rules, rulepages.beside(rules).values(), strict=True)
    }
    pages |= {f"rules/{other}.md": rulepages.other_id(page, other) for page in book.pages.values() for other in page.also}
    pages["rules/index.md"] = rulepages.index(book, subjects)
    pages |= {path: (ROOT / path).read_text("utf-8") for path in written()}
    pages |= {"docs/decisions/index.md": _decisions(pages)} | dict(_manuals())
    pages["index.md"] = pages.pop("README.md") + _contents(pages)
    known = rulepages.ids(list(book.pages.values()))
    shutil.rmtree(into, ignore_errors=True)
    for path, text in pages.items():
        _write(into / path, _as_in_site(path, rulepages.linked(text, known, "../" * path.count("/"))))
    for target in {each for path in written() for each in _files(path)}:
        (into / target).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / target, into / target)


def written() -> list[str]:
    """The pages that people wrote, by their paths in the checkout."""
    found = [path.relative_to(ROOT).as_posix() for path in sorted((ROOT / "docs").rglob("*.md"))]
    return [*found, *(path for part in NAVIGATION.values() for path in part if "/" not in path)]


def _decisions(pages: dict[str, str]) -> str:
    found = sorted(path for path in pages if re.fullmatch(r"docs/decisions/\d{4}-.*\.md", path))
    entries = "\n".join(path.rpartition("/")[2] for path in found)
    return f"# Decisions\n\nWhy the house is built as it is: context, decision, consequences.\n\n```{{toctree}}\n{entries}\n```\n"


def _manuals() -> Iterator[tuple[str, str]]:
    """The manual pages as HTML, where there are any and mandoc is installed."""
    for section, path in _MANUALS.items():
        program = shutil.which("mandoc")
        if program and (ROOT / path).exists():
            made = subprocess.check_output([program, "-T", "html", "-O", "fragment", ROOT / path], text=True)
            name = Path(path).stem
            yield f"man/{name}.{section}.md", f"# {name}({section})\n\n````{{raw}} html\n{made}````\n"


def _contents(pages: dict[str, str]) -> str:
    """The navigation, which hangs on the first page: the README."""
    trees = []
    for caption, paths in NAVIGATION.items():
        there = [path for path in paths if path != "README.md"]
        there += [path for path in pages if path.startswith("man/") and caption == "Look up"]
        own = "self\n" if "README.md" in paths else ""
        trees.append(f"```{{toctree}}\n:hidden:\n:caption: {caption}\n\n{own}" + "\n".join(there) + "\n```\n")
    return "\n" + "\n".join(trees)


def _as_in_site(path: str, text: str) -> str:
    """Links as the site has them: rules by their ids alone, the README as the first page, folders not at all."""

    def mended(link: re.Match[str]) -> str:
        target = (ROOT / path).parent / link["path"]
        if target == ROOT / "README.md" or (target.exists() and target.samefile(ROOT / "README.md")):
            return f"[{link['words']}]({link['path'].replace('README.md', 'index.md')})"
        return link["words"] if target.is_dir() else link[0]

    return _LINKED.sub(mended, _RULE_LINK.sub(r"\1\2\3", text))


def _files(path: str) -> Iterator[str]:
    """The files that are no pages and that a page links to: they come along."""
    for link in _LINK.finditer((ROOT / path).read_text("utf-8")):
        target = (ROOT / path).parent / link["path"]
        if target.is_file() and target.suffix != ".md":
            yield target.resolve().relative_to(ROOT).as_posix()


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, "utf-8")
