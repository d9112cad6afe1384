"""A fix that calls for another: both are carried out, or neither."""

from __future__ import annotations

import shutil
from pathlib import Path

from mailaudit import rulebook
from mailaudit.auditor import Options, auditor_for
from mailaudit.collect.roots import find_worlds
from mailaudit.edits import Safety
from mailaudit.repair import plan

CORRECTED = Path(__file__).parents[1] / "examples" / "corrected"


def without_465(root: Path) -> None:
    """The corrected example, whose port 465 is neither listened on nor let in."""
    shutil.copytree(CORRECTED, root)
    smtpd, pf = root / "etc/mail/smtpd.conf", root / "etc/pf.conf"
    smtpd.write_text("".join(line for line in smtpd.read_text().splitlines(keepends=True) if "smtps" not in line))
    pf.write_text(pf.read_text().replace("submission submissions", "submission"))


def test_a_new_listeners_port_is_opened_with_it(tmp_path: Path) -> None:
    """The listener alone would be one that nobody reaches, a port opened first would be one that nobody serves."""
    without_465(tmp_path / "host")
    (world,) = find_worlds(str(tmp_path / "host"))
    done = plan(auditor_for(world, rulebook.load(), Options()), frozenset({Safety.SAFE, Safety.UNSAFE}))
    assert "SMTPD024" in {result.rule for result in done.mended}
    assert "smtps" in done.files["/etc/mail/smtpd.conf"]
    assert "submissions" in done.files["/etc/pf.conf"]
