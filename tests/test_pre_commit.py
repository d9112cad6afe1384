"""The hooks for pre-commit: run by itself, in a repository that passes and one that does not; and for the files they are for."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
import yaml

from mailaudit.parsers import LANGUAGES
from mailaudit.parsers.choosing import language_of

ROOT = Path(__file__).parents[1]
MANIFEST = ROOT / ".pre-commit-hooks.yaml"
HOOKS = {hook["id"]: hook for hook in yaml.safe_load(MANIFEST.read_text("utf-8"))}
KNOWN = [pattern for language in LANGUAGES.values() for pattern in language.paths]
OTHERS = ("README.md", "pf.conf.md", "etc/motd", "etc/rspamd/maps.d/x", "etc/ssl/cert.pem", "src/pf.conf", "lib/dovecot/x.sieve")


def test_the_manifest_is_as_pre_commit_wants_it() -> None:
    command = [sys.executable, "-m", "pre_commit", "validate-manifest", str(MANIFEST)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("root", ["", "hosts/mx1"])
def test_the_files_to_parse_are_those_whose_path_tells_their_language(root: str) -> None:
    wanted = re.compile(HOOKS["mailaudit-parse"]["files"])
    for pattern in KNOWN:
        path = f"{root}{pattern}".lstrip("/").replace("*", "x-1")
        assert wanted.search(path), path
        assert language_of(f"/{path}") is not None
    for path in OTHERS:
        assert not wanted.search(f"{root}/{path}".lstrip("/")), path


@pytest.mark.parametrize("root", ["", "hosts/mx1/"])
def test_whatever_a_scan_reads_calls_for_one(root: str) -> None:
    wanted = re.compile(HOOKS["mailaudit"]["files"])
    examples = (path.relative_to(ROOT / "examples").as_posix() for path in (ROOT / "examples").rglob("*") if path.is_file())
    for path in (*(path.lstrip("/") for path in KNOWN), *(path.split("/", 1)[1] for path in examples if "ca.pem" not in path)):
        assert wanted.search(f"{root}{path}"), path
    assert not any(wanted.search(f"{root}{path}") for path in ("README.md", "src/main.c", "docs/petc/x"))


class Repository:
    """A repository of git's in a folder of its own, with pre-commit's hooks installed."""

    def __init__(self, folder: Path, hooks: Sequence[dict[str, object]]) -> None:
        self.path = folder / "repository"
        self.path.mkdir()
        names = {f"GIT_{who}_{what}": "x@example.com" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
        nothing = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}
        self.environment = {
            **os.environ,
            **names,
            **nothing,
            "PRE_COMMIT_HOME": str(folder / "cache"),
            "PRE_COMMIT_COLOR": "never",
        }
        self.git("init", "-q", "-b", "main")
        revision = subprocess.run(
            ["git", "rev-parse", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=True
        ).stdout.strip()
        config = {"repos": [{"repo": str(ROOT), "rev": revision, "hooks": list(hooks)}]}
        (self.path / ".pre-commit-config.yaml").write_text(yaml.safe_dump(config))
        self.run(sys.executable, "-m", "pre_commit", "install")

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command, cwd=self.path, env=self.environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
        )

    def git(self, *command: str) -> None:
        done = self.run("git", *command)
        assert done.returncode == 0, done.stdout

    def commit(self) -> tuple[int, str]:
        """Commit all that lies there: the exit code, and what the hooks said."""
        self.git("add", "--all")
        done = self.run("git", "commit", "-q", "-m", "x")
        return done.returncode, done.stdout


@pytest.mark.daemon
@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="this is no checkout of git's, which pre-commit installs hooks from")
def test_pre_commit_takes_what_is_right_and_refuses_what_is_not(tmp_path: Path) -> None:
    repository = Repository(tmp_path, [{"id": "mailaudit"}, {"id": "mailaudit-parse"}])
    shutil.copytree(ROOT / "examples" / "corrected", repository.path / "hosts" / "mx1")
    code, said = repository.commit()
    assert code == 0, said
    assert len(re.findall(r"^mailaudit (?:scan|parse)\.*Passed$", said, re.MULTILINE)) == 2

    smtpd = repository.path / "hosts/mx1/etc/mail/smtpd.conf"
    right = smtpd.read_text()
    smtpd.write_text(f"{right}frob\n")
    code, said = repository.commit()
    assert code == 1
    assert re.search(r"mailaudit scan\.+Failed\n- hook id: mailaudit\n- exit code: 1", said), said
    assert "SMTPD001" in said
    assert re.search(r"mailaudit parse\.+Failed\n- hook id: mailaudit-parse\n- exit code: 4", said), said

    smtpd.write_text(right)
    (repository.path / "README.md").write_text("Hosts.\n")
    code, said = repository.commit()
    assert code == 0, said
    assert said.count("no files to check") == 2
