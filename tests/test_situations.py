"""Each way to end gives its exit code and a valid report in every format; the documentation has the table."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest
import report_formats
from report_situations import DIFFERENCES, SITUATIONS, differences_table, table

from mailaudit import cli, rulebook
from mailaudit.choices import DiffFormat, Format
from mailaudit.output import SUMMARY

PAGE = Path(__file__).parents[1] / "docs" / "exit-codes.md"
BEGIN, END = "<!-- situations -->\n", "<!-- end of situations -->\n"
BEGIN_DIFF, END_DIFF = "<!-- differences -->\n", "<!-- end of differences -->\n"
WRITES = "MAILAUDIT_WRITE_DOCS"  # set to write the table, not to compare it


@pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed, which --since asks")
def test_every_format_is_valid_in_every_situation(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    book = rulebook.load()
    said = []
    for number, each in enumerate(SITUATIONS):
        folder = tmp_path / str(number)
        folder.mkdir()
        form = list(Format)[number % len(Format)]
        reports = [f"{other}:{folder / other}" for other in Format]
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(rulebook, "load", lambda: book)
            patch.delenv(SUMMARY, raising=False)
            arguments = each.arguments(folder, patch)
            capsys.readouterr()
            code = cli.run([*arguments, "--format", form, *(part for report in reports for part in ("--output", report))])
        out = capsys.readouterr().out
        assert code == each.code, each.found
        told = {str(other): report_formats.READ[other]((folder / other).read_text("utf-8")) for other in Format}
        assert report_formats.READ[form](out) == told[form] or form is Format.TERMINAL, each.found
        assert "json:/dev/full" in each.options or told["jsonl"] == f"exit_code {code}", each.found
        said.append((each, told))
    written(BEGIN, END, table(said))


def test_every_difference_ends_as_it_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    book = rulebook.load()
    monkeypatch.setattr(rulebook, "load", lambda: book)
    for number, each in enumerate(DIFFERENCES):
        form = list(DiffFormat)[number % len(DiffFormat)]
        folder = tmp_path / str(number)
        folder.mkdir()
        arguments = each.arguments(folder, monkeypatch)
        capsys.readouterr()
        code = cli.run([*arguments, "--format", form])
        out = capsys.readouterr().out
        assert code == each.code, each.found
        if form is DiffFormat.JSON:
            assert json.loads(out)["exit_code"] == code
        assert out or (form is DiffFormat.TERMINAL and code in (2, 3))
    written(BEGIN_DIFF, END_DIFF, differences_table())


def written(begin: str, end: str, table_: str) -> None:
    """A table stands in the page as it is made."""
    page = PAGE.read_text("utf-8")
    before, _, rest = page.partition(begin)
    _, _, after = rest.partition(end)
    made = f"{before}{begin}{table_}{end}{after}"
    if os.environ.get(WRITES):
        PAGE.write_text(made, "utf-8")
    assert made == PAGE.read_text("utf-8"), f"{WRITES}=1 writes it"
