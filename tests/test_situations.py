"""Each way to end gives its exit code and a valid report in every format; the documentation has the table."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
import report_formats
from report_situations import SITUATIONS, table

from mailaudit import cli, rulebook
from mailaudit.choices import Format
from mailaudit.output import SUMMARY

PAGE = Path(__file__).parents[1] / "docs" / "exit-codes.md"
BEGIN, END = "<!-- situations -->\n", "<!-- end of situations -->\n"
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
            code = cli.run([*arguments, "--format", form, *(part for report in reports for part in ("--output", report))])
        out = capsys.readouterr().out
        assert code == each.code, each.found
        told = {str(other): report_formats.READ[other]((folder / other).read_text("utf-8")) for other in Format}
        assert report_formats.READ[form](out) == told[form] or form is Format.TERMINAL, each.found
        assert "json:/dev/full" in each.options or told["jsonl"] == f"exit_code {code}", each.found
        said.append((each, told))
    page = PAGE.read_text("utf-8")
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    made = f"{before}{BEGIN}{table(said)}{END}{after}"
    if os.environ.get(WRITES):
        PAGE.write_text(made, "utf-8")
    assert made == PAGE.read_text("utf-8"), f"{WRITES}=1 writes it"
