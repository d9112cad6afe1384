"""SARIF as Microsoft's validator judges it, with GitHub's rules for what code scanning takes; got from npm where there is one."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from test_reports_formats import REPORTS, rendered

from mailaudit.choices import Format, SarifProfile

PACKAGE = "@microsoft/sarif-multitool-linux@5.7.0"
NO_ADDRESS = "SARIF2005"  # the tool has no page of its own to name yet

pytestmark = [pytest.mark.daemon, pytest.mark.skipif(shutil.which("npm") is None, reason="npm is not installed")]


@pytest.fixture(scope="module")
def validator(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("npm")
    command = ["npm", "install", "--no-audit", "--no-fund", "--ignore-scripts", "--prefix", str(folder), PACKAGE]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"npm could not install {PACKAGE}: {done.stderr.strip()[-200:]}")
    (program,) = folder.glob("node_modules/@microsoft/*/Sarif.Multitool")
    program.chmod(0o755)
    return program


def judged(validator: Path, folder: Path, rules: str) -> list[str]:
    """The errors and warnings of all files in a folder."""
    command = [str(validator), "validate", "*.sarif", "--rule-kind", rules, "--output", "said", "--log", "ForceOverwrite"]
    environment = {**os.environ, "DOTNET_SYSTEM_GLOBALIZATION_INVARIANT": "1"}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert "Analysis completed successfully" in done.stdout, done.stdout
    return [line for line in done.stdout.splitlines() if (": error " in line or ": warning " in line) and NO_ADDRESS not in line]


@pytest.mark.parametrize(("profile", "rules"), [(SarifProfile.STANDARD, "Sarif"), (SarifProfile.GITHUB, "Sarif;Gh;Ghas")])
def test_the_validator_has_no_more_to_say(validator: Path, tmp_path: Path, profile: SarifProfile, rules: str) -> None:
    for name, make in REPORTS.items():
        (tmp_path / f"{name}.sarif").write_text(rendered(make(), Format.SARIF, profile))
    assert judged(validator, tmp_path, rules) == []


def test_the_validator_sees_what_is_wrong(validator: Path, tmp_path: Path) -> None:
    text = rendered(REPORTS["usual"](), Format.SARIF, SarifProfile.GITHUB)
    (tmp_path / "wrong.sarif").write_text(text.replace('"startLine": 3,', '"startLine": 9,'))
    assert judged(validator, tmp_path, "Sarif")
