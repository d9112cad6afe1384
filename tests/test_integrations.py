"""docs/integrations.md can be copied: each block is valid for what reads it, and what it runs does as the page says."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import report_formats
import yaml
from documents import ROOT, blocks
from github_action import action, checked, installed

from mailaudit.parsers.crontab import LANGUAGE
from mailaudit.parsers.tree import nothing
from mailaudit.text import Text

PAGE = ROOT / "docs" / "integrations.md"
BLOCKS = blocks("docs/integrations.md")
TEMPLATE = ROOT / "integrations" / "gitlab" / "mailaudit.gitlab-ci.yml"
BEGIN, END = "<!-- inputs -->\n", "<!-- end of inputs -->\n"
HOST = ROOT / "examples" / "as-published"
WORKFLOWS = [name for name in BLOCKS if name.startswith(".github/")]
CRONTABS = [name for name in BLOCKS if name.startswith("crontab(5)")]


def test_every_block_of_the_page_is_named() -> None:
    assert len(re.findall(r"^```", PAGE.read_text("utf-8"), re.MULTILINE)) == 2 * len(BLOCKS)


@pytest.mark.parametrize("name", WORKFLOWS)
def test_a_workflow_is_as_github_takes_it_and_gives_the_action_its_inputs(name: str, tmp_path: Path) -> None:
    file = tmp_path / "workflow.yml"
    file.write_text(BLOCKS[name])
    checked("github-workflows", file)
    workflow = yaml.safe_load(BLOCKS[name])
    assert workflow["permissions"] == {"contents": "read"}, "no more than it needs"
    for job in workflow["jobs"].values():
        (ours,) = [step for step in job["steps"] if step.get("uses") == "OWNER/mailaudit@COMMIT"]
        assert ours["with"].keys() <= action()["inputs"].keys()
        assert job.get("permissions", {}).get("security-events") == ("write" if ours["with"].get("upload-sarif") else None)
        if "since" in ours["with"]:
            assert job["steps"][0]["with"]["fetch-depth"] == 0, "the revision is there"
            assert "upload-sarif" not in ours["with"], "hosts that were not scanned must not look mended"


def test_the_page_tells_the_inputs_of_the_action() -> None:
    rows = [f"| `{name}` | {each['description']} | `{each['default']}` |" for name, each in action()["inputs"].items()]
    outputs = ", ".join(f"`{name}`" for name in action()["outputs"])
    table = "\n".join(("| input | is | default |", "|---|---|---|", *rows)).replace("``", "")
    page = PAGE.read_text("utf-8")
    before, _, rest = page.partition(BEGIN)
    made = f"{before}{BEGIN}{table}\n\nOutputs: {outputs}.\n{END}{rest.partition(END)[2]}"
    if os.environ.get("MAILAUDIT_WRITE_DOCS"):
        PAGE.write_text(made, "utf-8")
    assert made == page, "MAILAUDIT_WRITE_DOCS=1 writes it"


def gitlab_job() -> dict[str, Any]:
    """The job of the page, with what it extends."""
    job = yaml.safe_load(BLOCKS[".gitlab-ci.yml"])["mailaudit"]
    (hidden,) = yaml.safe_load(TEMPLATE.read_text("utf-8")).values()
    assert job.pop("extends") == ".mailaudit"
    assert job["variables"].keys() <= hidden["variables"].keys()
    return {**hidden, **job, "variables": {**hidden["variables"], **job["variables"]}}


def test_the_job_is_as_gitlab_takes_it(tmp_path: Path) -> None:
    whole, page = tmp_path / "whole.yml", tmp_path / "page.yml"
    whole.write_text(yaml.safe_dump({"mailaudit": gitlab_job()}))
    page.write_text(BLOCKS[".gitlab-ci.yml"])
    checked("gitlab-ci", TEMPLATE, whole, page)


def test_the_configuration_is_as_pre_commit_takes_it(tmp_path: Path) -> None:
    config = tmp_path / ".pre-commit-config.yaml"
    config.write_text(BLOCKS[".pre-commit-config.yaml"])
    command = [sys.executable, "-m", "pre_commit", "validate-config", str(config)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    hooks = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text())
    (repository,) = yaml.safe_load(BLOCKS[".pre-commit-config.yaml"])["repos"]
    assert {hook["id"] for hook in repository["hooks"]} == {hook["id"] for hook in hooks}


@dataclass(frozen=True)
class Table:
    """A crontab as cron reads it, in which paths and hosts of the page are those of a test."""

    variables: Mapping[str, str]
    jobs: tuple[tuple[tuple[str, ...], str], ...]  # flags, command

    @staticmethod
    def of(text: str, instead: Mapping[str, object]) -> Table:
        for written, meant in instead.items():
            text = text.replace(written, str(meant))
        tree = LANGUAGE.parse(Text.of("/var/cron/tabs/mailaudit", text), nothing)
        assert not list(tree.unread())
        variables, jobs = {}, []
        for statement in tree.statements:
            leaves = [(token.kind, token.value) for token in statement.node.leaves()]
            told = dict(leaves)
            assert "input" not in told, "a % ends a command"
            if statement.kind == "variable":
                variables[leaves[0][1]] = leaves[1][1]
            else:
                jobs.append((tuple(value for kind, value in leaves if kind == "flag"), told["command"]))
        return Table(variables, tuple(jobs))

    def run(self, home: Path) -> list[tuple[int, str]]:
        """Run each job as cron does: the exit code and what would be mailed."""
        environment = {
            "PATH": "/usr/bin:/bin",
            "SHELL": "/bin/sh",
            "LOGNAME": "mailaudit",
            "USER": "mailaudit",
            "HOME": str(home),
        }
        environment |= {name: value for name, value in self.variables.items() if name != "MAILTO"}
        ended = [
            subprocess.run(
                ["/bin/sh", "-c", command], cwd=home, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT, text=True, check=False, start_new_session=True,
            )
            for _, command in self.jobs
        ]  # fmt: skip
        return [(done.returncode, done.stdout) for done in ended]


@pytest.mark.parametrize("name", CRONTABS)
def test_a_crontab_is_as_openbsds_cron_takes_it(name: str) -> None:
    table = Table.of(BLOCKS[name], {})
    assert table.jobs
    for flags, command in table.jobs:
        assert "s" in "".join(flags), "no second one beside one that hangs"
        assert "n" not in "".join(flags), "what is said with exit code 0 is news too"
        assert command.startswith("mailaudit ")
        assert table.variables["PATH"].startswith("/usr/local/bin:")


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """The home of the user whose crontab it is, with a host's files, and mailaudit in bin/."""
    folder = tmp_path / "home"
    shutil.copytree(HOST, folder / "host")
    (folder / "bin").symlink_to(installed(folder / "installed") / "venv" / "bin")
    return folder


@pytest.mark.daemon
def test_the_line_for_prometheus_writes_its_file_and_says_nothing(home: Path) -> None:
    instead = {"/usr/local/bin": home / "bin", "mx1.example.com": "./host", "/var/node_exporter": home}
    table = Table.of(BLOCKS["crontab(5) for Prometheus"], instead)
    assert table.run(home) == [(1, "")]
    assert report_formats.prometheus((home / "mailaudit.prom").read_text()) == "complete: 1"
    (home / "mailaudit.prom").chmod(0o640)
    assert table.run(home) == [(1, "")]
    assert [each.name for each in home.glob("*.prom*")] == ["mailaudit.prom"]
    assert (home / "mailaudit.prom").stat().st_mode & 0o777 == 0o640
    dead = Table.of(BLOCKS["crontab(5) for Prometheus"], {**instead, "mx1.example.com": "ssh://127.0.0.1:1 --offline"})
    assert dead.run(home) == [(4, "")]
    assert report_formats.prometheus((home / "mailaudit.prom").read_text()) == "complete: 0"


@pytest.mark.daemon
@pytest.mark.parametrize("shell", ["bash", "sh"])
def test_the_script_of_the_job_runs_as_gitlab_runs_it(shell: str, tmp_path: Path) -> None:
    project = tmp_path / "a group" / "project"
    shutil.copytree(HOST, project / "hosts" / "mx 1")
    for module in ("json", "venv", "pip"):
        (project / f"{module}.py").write_text("open('hacked', 'w')\nraise SystemExit(99)\n")
    job = gitlab_job()
    install = shell == "bash"
    programs = installed(tmp_path / "a group" / "installed") / "venv"
    (tmp_path / "a group" / "project.tmp").mkdir()
    if not install:
        programs.rename(tmp_path / "a group" / "project.tmp" / "mailaudit")
    before = job["before_script"] if install else []
    environment = {name: os.environ[name] for name in ("PATH", "HOME", "PIP_INDEX_URL", "PIP_CONFIG_FILE") if name in os.environ}
    environment |= {"CI_PROJECT_DIR": str(project), "GITLAB_CI": "true"} | job["variables"] | {"MAILAUDIT_SOURCE": str(ROOT)}
    for target, code, issues in (("hosts/mx 1", 1, 10), ("./nowhere", 2, 1), ("$(touch hacked)/x", 2, 1)):
        script = "\n".join(("set -e", *before, *job["script"]))
        before = []  # once is enough here
        done = subprocess.run(
            [shell, "-c", script], cwd=project, env=environment | {"MAILAUDIT_TARGET": target}, capture_output=True, check=False
        )
        assert done.returncode == code, done.stderr
        reports = job["artifacts"]["reports"]
        quality = (project / reports["codequality"]).read_text()
        assert int(report_formats.gitlab(quality).removeprefix("issues: ")) >= issues
        assert report_formats.junit((project / reports["junit"]).read_text())
        assert not (project / "hacked").exists()
    without = environment | {"MAILAUDIT_SOURCE": ""}
    done = subprocess.run(
        [shell, "-c", "\n".join(job["before_script"])], cwd=project, env=without, capture_output=True, check=False
    )
    assert (done.returncode, done.stderr) == (2, b"MAILAUDIT_SOURCE must say what pip is to install\n")


@pytest.mark.daemon
@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not installed")
def test_the_units_are_as_systemd_takes_them(tmp_path: Path) -> None:
    units = [name for name in BLOCKS if name.startswith("/etc/systemd/system/")]
    assert len(units) == 2
    for name in units:
        (tmp_path / Path(name).name).write_text(BLOCKS[name].replace("/usr/local/bin/mailaudit", "/bin/true"))
    command = ["systemd-analyze", "verify", "--man=no", *(str(tmp_path / Path(name).name) for name in units)]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    assert not [line for line in done.stdout.splitlines() if str(tmp_path) in line or "mailaudit" in line], done.stdout
