"""The README shows what the program shows, names what there is, and its commands work as they stand."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest
from command_line import Run

from bench.site import picture
from mailaudit.exitcodes import ExitCode
from mailaudit.settings import parse_settings

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text("utf-8")
COMMANDS = [
    shlex.split(line, comments=True) for block in re.findall(r"```sh\n(.*?)```", README, re.DOTALL) for line in block.splitlines()
]
ARE_OURS = [words[1:] for words in COMMANDS if words[0] == "mailaudit"]


def test_the_finding_shown_is_one_of_the_demo() -> None:
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


def test_the_picture_is_of_today() -> None:
    assert "](docs/report.svg)" in README
    now, then = picture.words(picture.made()), picture.words(picture.PICTURE.read_text("utf-8"))
    assert now == then, "a scan says something else than the picture: `make docs-update` draws it anew"


def test_the_first_line_below_the_title_says_what_a_bare_debian_lacks() -> None:
    first = next(line for line in README.splitlines()[1:] if line)
    assert "python3-venv" in first


def test_the_first_two_commands_are_those_of_the_makefile() -> None:
    assert README.index("make demo") < README.index("make test") < README.index("](docs/report.svg)")


@pytest.mark.parametrize("words", ARE_OURS, ids=" ".join)
def test_a_command_does_what_it_says(words: list[str], run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a small repository in place of the examples, and with a host that nobody can reach in place of the reader's."""
    host = tmp_path / "examples" / "as-published" / "etc"
    host.mkdir(parents=True)
    shutil.copy(ROOT / "examples/as-published/etc/pf.conf", host)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    live = "mail.example.com" in words
    code, out, err = run(*("ssh://127.0.0.1:1" if word == "mail.example.com" else word for word in words))
    expected = {ExitCode.INCOMPLETE} if live else {ExitCode.OK, ExitCode.FINDINGS}
    assert code in expected, err
    assert out or live
    for outlet in (word.partition(":")[2] for before, word in pairwise(words) if before == "--output"):
        assert (tmp_path / outlet).stat().st_size


def test_nobody_forgot_a_command() -> None:
    assert {words[0] for words in COMMANDS} == {"mailaudit", "pipx", "uv", "python3"}
    assert {words[0] for words in ARE_OURS} >= {"scan", "fix", "doctor", "rules"}


def test_the_waiver_shown_is_one() -> None:
    shown = re.search(r"```toml\n(.*?)```", README, re.DOTALL)
    assert shown is not None
    (waiver,) = parse_settings(shown[1].encode()).waivers
    assert (waiver.rule, str(waiver.expires)) == ("CROSS021", "2027-03-31")


def test_every_make_target_named_in_the_documents_is_there() -> None:
    makefile = (ROOT / "Makefile").read_text("utf-8")
    for page in (README, *(path.read_text("utf-8") for path in (ROOT / "CONTRIBUTING.md", *(ROOT / "docs").glob("*.md")))):
        for target in re.findall(r"`make ([a-z-]+)", page):
            assert re.search(rf"^{target}:", makefile, re.MULTILINE), target


def test_it_is_short() -> None:
    assert len(README.splitlines()) < 200


def told(environment: dict[str, str]) -> str:
    """What pipx says of its places."""
    return subprocess.run(["pipx", "environment"], env=environment, capture_output=True, text=True, check=True).stdout


@pytest.mark.daemon
@pytest.mark.parametrize("tool", ["pipx", "uv", "python3"])
def test_it_installs_as_it_says(tool: str, tmp_path: Path) -> None:
    """From a checkout, into places of its own; pip and its like fetch what mailaudit needs."""
    (line,) = (
        line
        for block in re.findall(r"```sh\n(.*?)```", README, re.DOTALL)
        for line in block.splitlines()
        if line.startswith(tool)
    )
    bin_ = Path(sys.executable).parent
    if tool != "python3" and shutil.which(tool, path=f"{bin_}:{os.environ['PATH']}") is None:
        pytest.skip(f"{tool} is not installed")
    places = {"PIPX_HOME": "pipx", "PIPX_BIN_DIR": "bin", "UV_TOOL_DIR": "uv", "UV_TOOL_BIN_DIR": "bin", "HOME": "home"}
    environment = {
        **os.environ,
        **{name: str(tmp_path / place) for name, place in places.items()},
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
    }
    environment["PATH"] = f"{bin_}:{environment['PATH']}"
    (tmp_path / "home").mkdir()
    checkout = tmp_path / "checkout"
    ignored = shutil.ignore_patterns(".*", "build", "dist", "tests", "__pycache__")
    shutil.copytree(ROOT, checkout, ignore=ignored)
    done = subprocess.run(["sh", "-c", line], cwd=checkout, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    program = tmp_path / "home/.mailaudit/bin/mailaudit" if tool == "python3" else tmp_path / "bin/mailaudit"
    scan = subprocess.run(
        [program, "scan", ROOT / "examples/corrected"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert (scan.returncode, scan.stderr) == (0, "")
    assert [*tmp_path.rglob("share/man/man1/mailaudit.1")]
    if tool == "pipx" and "PIPX_MAN_DIR" in told(environment):  # Debian 12's does not know of manual pages yet
        assert (tmp_path / "home/.local/share/man/man1/mailaudit.1").exists()
