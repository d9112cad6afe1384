"""Runs this repository's action.yml as GitHub's runner does: inputs are expressions, scripts are bash's, outputs are files."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[1]
BASH = ("bash", "--noprofile", "--norc", "-eo", "pipefail")
EXPRESSION = re.compile(r"\$\{\{ *([a-z0-9.-]+) *\}\}")


def action() -> dict[str, Any]:
    loaded = yaml.safe_load((ROOT / "action.yml").read_text("utf-8"))
    assert isinstance(loaded, dict)
    return loaded


def checked(schema: str, *files: Path) -> None:
    """Hold files against a schema that check-jsonschema carries."""
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", f"vendor.{schema}", *map(str, files)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


@dataclass
class Ran:
    """A use of the action: how it ended, what its steps wrote, the outputs it gives, what `upload-sarif` was given."""

    code: int = 0
    said: str = ""
    summary: str = ""
    outputs: dict[str, str] = field(default_factory=dict)
    uploaded: dict[str, str] | None = None


def installed(folder: Path) -> Path:
    """The folder that the step of installing leaves, with this environment's own mailaudit in it."""
    programs = folder / "venv" / "bin"
    programs.mkdir(parents=True)
    for name, arguments in (("python", ""), ("mailaudit", "-m mailaudit")):
        (programs / name).write_text(
            f'#!/bin/sh\nexec env PYTHONPATH="{ROOT}" PYTHONSAFEPATH=1 "{sys.executable}" {arguments} "$@"\n'
        )
        (programs / name).chmod(0o755)
    return folder


def use(workspace: Path, inputs: Mapping[str, str], *, install: bool = False) -> Ran:
    """Use the action in a job that works in a folder; without `install` it finds mailaudit installed."""
    described = action()
    runner = workspace.parent / "runner's temp"
    runner.mkdir()
    known = {f"inputs.{name}": str(each.get("default", "")) for name, each in described["inputs"].items()}
    known |= {f"inputs.{name}": value for name, value in inputs.items()} | {"steps.python.outputs.python-path": sys.executable}
    if not install:
        known["steps.install.outputs.folder"] = str(installed(runner / "mailaudit"))
    ran = Ran()
    for step in described["runs"]["steps"]:
        wanted = "if" not in step or all(_holds(each, known) for each in step["if"].split(" && "))
        if "uses" in step:
            if wanted and "upload-sarif" in step["uses"]:
                ran.uploaded = {name: _evaluated(value, known) for name, value in step["with"].items()}
        elif wanted and not ran.code and (install or step.get("id") != "install"):
            _run(step, known, workspace, runner, ran)
    ran.outputs = {name: _evaluated(each["value"], known) for name, each in described["outputs"].items()}
    return ran


def _holds(condition: str, known: Mapping[str, str]) -> bool:
    name, value = condition.split(" == ")
    return known.get(name, "") == value.strip("'")


def _evaluated(text: str | bool, known: Mapping[str, str]) -> str:
    return EXPRESSION.sub(lambda found: known.get(found[1], ""), str(text))


def _run(step: Mapping[str, Any], known: dict[str, str], workspace: Path, runner: Path, ran: Ran) -> None:
    script, output, summary = runner / "script.sh", runner / "output", runner / "summary"
    script.write_text(step["run"])
    output.write_text("")
    environment = {name: os.environ[name] for name in ("PATH", "HOME", "PIP_INDEX_URL", "PIP_CONFIG_FILE") if name in os.environ}
    environment |= {
        "GITHUB_ACTIONS": "true", "GITHUB_WORKSPACE": str(workspace), "GITHUB_ACTION_PATH": str(ROOT), "RUNNER_TEMP": str(runner),
        "GITHUB_OUTPUT": str(output), "GITHUB_STEP_SUMMARY": str(summary),
    }  # fmt: skip
    environment |= {name: _evaluated(value, known) for name, value in step.get("env", {}).items()}
    done = subprocess.run(
        [*BASH, str(script)],
        cwd=workspace,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    ran.code = done.returncode
    ran.said += done.stdout
    ran.summary = summary.read_text("utf-8") if summary.exists() else ""
    for line in output.read_text("utf-8").splitlines():
        name, _, value = line.partition("=")
        known[f"steps.{step['id']}.outputs.{name}"] = value
