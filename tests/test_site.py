"""The documentation site: every page has its place, every link leads somewhere, what is made is of today."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from typer.main import get_command

from bench.site import guide, rulepages
from bench.site.gathering import written
from bench.site.links import dead_in_markdown, dead_in_site, slug
from bench.site.navigation import MADE, NAVIGATION
from mailaudit import cli, rulebook
from mailaudit.settings import SettingsError, parse_settings

ROOT = Path(__file__).parents[1]
BOOK = rulebook.load()
PAGES = [path for part in NAVIGATION.values() for path in part]


def test_every_page_has_its_place_in_the_navigation() -> None:
    wanted = {path for path in written() if not path.startswith("docs/decisions/")}
    assert wanted - set(PAGES) == set(), "name it in bench/site/navigation.py"
    assert set(PAGES) - wanted == MADE
    assert len(PAGES) == len(set(PAGES))


def test_links_between_pages_lead_somewhere() -> None:
    pages = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "rules").rglob("*.md")]
    assert dead_in_markdown(ROOT, sorted(pages)) == []


def test_a_dead_link_in_a_page_is_found(tmp_path: Path) -> None:
    (tmp_path / "a.md").write_text(
        "# One & two\n\n## `pf` says: no\n[a](b.md#here) [b](c.md) [c](#one--two) [d](#pf-says-no) `[e](no.md)`\n"
    )
    (tmp_path / "b.md").write_text(
        "# There\n[a](a.md) [up](../x.md) [out](https://example.com/x) [bad](https:///x) [odd](javascript:x)\n"
    )
    dead = dead_in_markdown(tmp_path, [tmp_path / "a.md", tmp_path / "b.md"])
    assert [each.split(": ")[1] for each in dead] == ["b.md#here", "c.md", "../x.md", "https:///x", "javascript:x"]


def test_anchors_are_those_of_code_hosts() -> None:
    assert slug("What it touches, and what never leaves the host") == "what-it-touches-and-what-never-leaves-the-host"
    assert slug("`mailaudit.toml`: [the rest](x.md)") == "mailaudittoml-the-rest"


def test_what_is_dead_or_fetched_from_elsewhere_in_the_site_is_found(tmp_path: Path) -> None:
    (tmp_path / "a.html").write_text(
        '<p id="x"><a href="#x">1</a><a href="#y">2</a><a href="b.html#z">3</a><a href="c.html">4</a><a href="https://a.example/">5</a>'
        '<script src="https://cdn.example.com/a.js"></script><img src="no.png"><link rel="stylesheet" href="//f.example/x">'
    )
    (tmp_path / "b.html").write_text('<h1 id="z">')
    (tmp_path / "a.css").write_text(
        "@import 'https://example.com/a.css'; b { background: url(data:x) } c { background: url(//example.com/c) }"
    )
    dead = [each.split(": ")[1] for each in dead_in_site(tmp_path)]
    script, style = "https://cdn.example.com/a.js", "https://example.com/a.css"
    assert dead == ["#y", "c.html", script, "no.png", "//f.example/x", style, "//example.com/c"]


def test_a_rules_page_has_its_facts_and_the_paths_of_its_examples() -> None:
    page = BOOK.pages["SMTPD023"]
    text = rulepages.rule(page, "smtpd")
    assert text.startswith("---\norphan: true\n---\n# SMTPD023 ")
    assert f":Severity: [{page.severity}]{{.severity .{page.severity}}}" in text
    assert "{code-block} text\n:caption: /etc/mail/smtpd.conf\n:emphasize-lines: " in text
    assert "# <--" not in text
    for needed in ("## Why it matters", "## What breaks", "## How to mend", *page.sources):
        assert needed in text


def test_a_rules_page_leads_to_the_rules_beside_it() -> None:
    rules = [BOOK.pages[each] for each in ("PF001", "PF002", "PF003")]
    assert [[each.id for each in found] for found in rulepages.beside(rules).values()] == [
        ["PF002"],
        ["PF001", "PF003"],
        ["PF002"],
    ]
    assert rulepages.beside(rules[:1]) == {"PF001": []}
    assert "- Next to it: [PF001](PF001.md) " in rulepages.rule(rules[1], "pf", rules[:1])


def test_the_index_has_every_rule_once_and_every_subject() -> None:
    subjects = {path.name.split("-")[0]: path.parent.name for path in BOOK.root.glob("*/*-*.md")}
    assert set(subjects.values()) == set(rulepages.SUBJECTS)
    assert re.findall(r"^\| \[(\w+)\]\(\1\.md\)", rulepages.index(BOOK, subjects), re.MULTILINE) == sorted(
        BOOK.pages, key=lambda each: (list(rulepages.SUBJECTS).index(subjects[each]), each)
    )


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("see PF020.", "see [PF020](../rules/PF020.md)."),
        ("ABUSE006 is another's", "[ABUSE006](../rules/DOVECOT024.md) is another's"),
        ("`PF020`, [PF020](x.md), PF999, XPF020", "`PF020`, [PF020](x.md), PF999, XPF020"),
        ("# PF020\n\n```\nPF020\n```\n", "# PF020\n\n```\nPF020\n```\n"),
    ],
)
def test_a_rules_id_in_prose_is_a_link(before: str, after: str) -> None:
    known = rulepages.ids(list(BOOK.pages.values()))
    assert rulepages.linked(before, known, "../") == after


def test_what_the_guide_gets_wrong_is_of_today() -> None:
    assert guide.PAGE.read_text("utf-8") == guide.made(), "`make docs-update` writes it anew"


def test_the_readme_counts_the_rules() -> None:
    assert f"the {len(BOOK.pages)} rules" in (ROOT / "README.md").read_text("utf-8")


def test_pages_that_are_made_are_not_written_by_hand() -> None:
    assert not [path for path in MADE if (ROOT / path).exists()]


def test_every_command_is_among_all_commands() -> None:
    told = (ROOT / "docs" / "commands.md").read_text("utf-8")
    commands = [(name, each) for name, each in vars(get_command(cli.app))["commands"].items() if not each.hidden]
    assert len(commands) > 10
    for name, command in commands:
        for each in vars(command).get("commands", {"": None}):
            full = f"{name} {each}".strip()
            assert re.search(rf"`{full}\b", told), f"docs/commands.md does not have {full}"


@pytest.mark.parametrize("table", ["site", "rules", "waiver"])
def test_every_key_of_the_settings_is_shown(table: str) -> None:
    shown = re.search(r"<!-- settings -->\n```toml\n(.*?)```", (ROOT / "docs" / "settings.md").read_text("utf-8"), re.DOTALL)
    assert shown is not None
    assert parse_settings(shown[1].encode()).profile == "recommended"
    with pytest.raises(SettingsError) as told:
        parse_settings(f"[[{table}]]\nqqqqqq = 1\n".encode() if table == "waiver" else f"[{table}]\nqqqqqq = 1\n".encode())
    known = set(re.findall(r"\w+", str(told.value).partition("known are ")[2]))
    there = tomllib.loads(shown[1])[table]
    assert known - set(there[0] if table == "waiver" else there) <= {"match"}
    assert known
