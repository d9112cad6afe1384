"""action.yml: valid as GitHub describes actions, and its scripts run: whatever the inputs hold, nothing of it is a script."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import report_formats
from github_action import ROOT, action, checked, use

HOSTILE = "$(touch hacked)`touch hacked`\"; touch hacked; '\n::error::x"
PF = "block log all\npass out all\n"


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    """A checkout with a host that has findings, in a folder with a blank; and modules that nobody may import."""
    checkout = tmp_path / "a workspace"
    for host, pf in (("mx 1", PF), ("mx2", f"set skip on lo\n{PF}")):
        (checkout / host / "etc").mkdir(parents=True)
        (checkout / host / "etc" / "pf.conf").write_text(pf)
    for module in ("json", "venv", "pip", "sitecustomize", "mailaudit", "typer"):
        (checkout / f"{module}.py").write_text("open('hacked', 'w')\nraise SystemExit(99)\n")
    return checkout


def test_it_is_as_github_describes_actions() -> None:
    checked("github-actions", ROOT / "action.yml")


def test_no_script_has_an_expression_in_it_and_each_action_is_pinned() -> None:
    steps = action()["runs"]["steps"]
    for step in steps:
        assert "${{" not in step.get("run", "")
        assert "run" not in step or step["shell"] == "bash"
        assert "uses" not in step or re.fullmatch(r"[\w-]+/[\w/-]+@[0-9a-f]{40}", step["uses"])
    used = set(re.findall(r"\$\{\{ (inputs\.[a-z-]+)", (ROOT / "action.yml").read_text())) | {"inputs.upload-sarif"}
    assert used == {f"inputs.{name}" for name in action()["inputs"]}


def test_findings_are_told_and_uploaded_and_then_fail(workspace: Path) -> None:
    ran = use(workspace, {"target": "mx 1\nmx2", "args": "--select PF010\n  --strict-waivers", "upload-sarif": "true"})
    assert ran.code == 1, ran.said
    assert "::warning file=mx 1/etc/pf.conf,line=1," in ran.said
    assert "# mailaudit" in ran.summary
    assert "PF010" in ran.summary
    numbers = dict.fromkeys(("critical", "high", "low", "info", "waived", "unknown"), "0")
    given = {name: value for name, value in ran.outputs.items() if not name.endswith("-file")}
    assert given == numbers | {"exit-code": "1", "complete": "true", "findings": "1", "medium": "1"}
    assert ran.uploaded == {"sarif_file": ran.outputs["sarif-file"], "category": "mailaudit"}
    report_formats.sarif(Path(ran.outputs["sarif-file"]).read_text())
    assert json.loads(Path(ran.outputs["json-file"]).read_text())["exit_code"] == 1
    assert not (workspace / "hacked").exists()


def test_nothing_found_is_a_success(workspace: Path) -> None:
    ran = use(workspace, {"target": "./mx2", "args": "--select PF010", "summary": "false"})
    assert (ran.code, ran.outputs["findings"], ran.uploaded, ran.summary) == (0, "0", None, "")


daemon = pytest.mark.daemon  # no daemon, but half a second each


@pytest.mark.parametrize(
    ("inputs", "code"),
    [
        ({"profile": HOSTILE, "target": f"./{HOSTILE}"}, 2),
        ({"args": "--select PF010 *"}, 2),
        ({"args": "--select PF --ignore PF"}, 3),
        pytest.param({"target": f"./{HOSTILE}"}, 2, marks=daemon),
        pytest.param({"target": "--help"}, 2, marks=daemon),
        pytest.param({"target": ""}, 2, marks=daemon),
        pytest.param({"target": "./nowhere"}, 2, marks=daemon),
        pytest.param({"fail-on": "low --exit-zero"}, 2, marks=daemon),
        pytest.param({"args": HOSTILE}, 2, marks=daemon),
    ],
)
def test_what_is_not_complete_is_not_uploaded(workspace: Path, inputs: dict[str, str], code: int) -> None:
    ran = use(workspace, {"upload-sarif": "true"} | {"args": "--select PF010 --offline"} | inputs)
    assert ran.code == code, ran.said
    assert ran.outputs["exit-code"] == str(code)
    assert ran.outputs["complete"] == "false"
    assert ran.uploaded is None
    assert not (workspace / "hacked").exists()


@daemon
def test_only_hosts_that_a_change_touches_are_scanned_and_none_is_uploaded(workspace: Path) -> None:
    git = ("git", "-c", "user.name=x", "-c", "user.email=x@example.com", "-C", str(workspace))
    for command in (("init", "-q"), ("add", "--all"), ("commit", "-q", "-m", "x")):
        subprocess.run([*git, *command], check=True)
    (workspace / "mx2" / "etc" / "pf.conf").write_text(PF)
    inputs = {"target": ".", "since": "HEAD", "args": "--select PF010", "upload-sarif": "true"}
    ran = use(workspace, inputs)
    assert (ran.code, ran.outputs["findings"], ran.uploaded) == (1, "1", None), ran.said
    assert "file=mx2/etc/pf.conf," in ran.said
    subprocess.run([*git, "commit", "-q", "-a", "-m", "x"], check=True)
    shutil.rmtree(workspace.parent / "runner's temp")
    ran = use(workspace, inputs)
    assert (ran.code, ran.outputs["findings"], ran.outputs["complete"], ran.uploaded) == (0, "0", "true", None), ran.said


@pytest.mark.daemon
@pytest.mark.skipif(shutil.which("shellcheck") is None, reason="shellcheck is not installed")
def test_shellcheck_has_nothing_to_say(tmp_path: Path) -> None:
    for number, step in enumerate(step for step in action()["runs"]["steps"] if "run" in step):
        script = tmp_path / f"{number}.sh"
        script.write_text(step["run"])
        done = subprocess.run(["shellcheck", "--shell=bash", str(script)], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout


@pytest.mark.daemon
def test_it_installs_itself_and_nothing_of_the_repository_under_audit(workspace: Path) -> None:
    ran = use(workspace, {"target": "mx 1", "args": "--select PF010"}, install=True)
    assert (ran.code, ran.outputs["findings"]) == (1, "1"), ran.said
    assert not (workspace / "hacked").exists()
