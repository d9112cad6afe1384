"""What is installed is whole: the wheel and the sdist carry the rules, and an installed wheel works outside the checkout."""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = {path.relative_to(ROOT).as_posix() for path in (ROOT / "rules").rglob("*") if path.is_file()}


def built(kind: str, folder: Path) -> Path:
    command = [sys.executable, "-m", "hatchling", "build", "--target", kind, "--directory", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    (found,) = folder.iterdir()
    return found


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return built("wheel", tmp_path_factory.mktemp("wheel"))


def test_the_wheel_carries_the_rules_and_the_schemas(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    assert {f"mailaudit/{page}" for page in PAGES} <= names
    assert "mailaudit/reports/schema/report.schema.json" in names
    assert "mailaudit/apply/applier.pl" in names
    assert {"share/man/man1/mailaudit.1", "share/man/man5/mailaudit.toml.5"} <= {
        name.partition(".data/data/")[2] for name in names
    }
    assert {f"mailaudit/models/dovecot/catalogue/{family}.tsv" for family in ("2.3", "2.4")} <= names
    assert not [name for name in names if name.startswith(("tests/", "examples/", "bench/"))]


def test_the_sdist_carries_the_rules_examples_and_tests(tmp_path: Path) -> None:
    with tarfile.open(built("sdist", tmp_path)) as archive:
        names = {name.split("/", 1)[1] for name in archive.getnames() if "/" in name}
    assert names >= PAGES
    for needed in (
        "tests/test_laws.py",
        "examples/corrected/answers.json",
        "Makefile",
        "LICENSE",
        "README.md",
        "bench/bench.py",
        "man/mailaudit.1",
    ):
        assert needed in names


def test_an_installed_wheel_works_outside_the_checkout(wheel: Path, tmp_path: Path) -> None:
    target = tmp_path / "site"
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(target)
    environment = {**os.environ, "PYTHONPATH": str(target), "PYTHONSAFEPATH": "1"}

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, *arguments]
        return subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)

    where = run("-c", "import mailaudit; print(mailaudit.__file__)").stdout.strip()
    assert where.startswith(str(target))
    scan = run("-m", "mailaudit", "scan", str(ROOT / "examples" / "corrected"))
    assert (scan.returncode, scan.stderr) == (0, "")
    assert "no findings" in scan.stdout
    rules = run("-m", "mailaudit", "rules", "PF020")
    assert rules.returncode == 0
    assert "default" in rules.stdout
