"""The README shows what the program shows, and names what there is."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from mailaudit.exitcodes import table

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text("utf-8")


def test_the_finding_shown_is_the_one_of_the_demo() -> None:
    shown = re.search(r"<!-- demo -->\n```\n(.*?)\n```", README, re.DOTALL)
    assert shown is not None
    done = subprocess.run(
        [sys.executable, "-m", "mailaudit", "scan", "examples/as-published"],
        cwd=ROOT,
        env={"COLUMNS": "80", "PYTHONIOENCODING": "utf-8"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert shown[1] in done.stdout


def test_the_exit_codes_are_those_of_the_program() -> None:
    assert "<!-- exit-codes -->\n" + table() in README


def test_the_first_line_below_the_title_says_what_a_bare_debian_lacks() -> None:
    first = next(line for line in README.splitlines()[1:] if line)
    assert "python3-venv" in first


def test_every_link_leads_to_a_file() -> None:
    for page in (ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md")):
        for target in re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text("utf-8")):
            assert (page.parent / target).exists(), f"{page.name}: {target}"


def test_every_make_target_named_in_the_documents_is_there() -> None:
    makefile = (ROOT / "Makefile").read_text("utf-8")
    for page in (README, (ROOT / "CONTRIBUTING.md").read_text("utf-8")):
        for target in re.findall(r"`make ([a-z-]+)", page):
            assert re.search(rf"^{target}:", makefile, re.MULTILINE), target
