"""docs/openbsd.md says what the program says, and what is to be copied from it works."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from daemons import HERE, need
from lab.tree import allowed
from ssh_host import USER, running, stand_ins

from mailaudit.apply.host import PLACE
from mailaudit.cli import app
from mailaudit.cli.tree import tree
from mailaudit.collect.ssh.commands import doas_line
from mailaudit.parsers import LANGUAGES
from mailaudit.parsers.tree import nothing
from mailaudit.text import Text

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs/openbsd.md").read_text()
daemon = pytest.mark.daemon


def block(name: str) -> str:
    found = re.search(rf"<!-- {name} -->\n```\n(.*?)```", PAGE, re.DOTALL)
    assert found is not None, name
    return found[1]


def test_every_package_that_is_needed_is_named() -> None:
    wanted = {}
    for each in tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]:
        name, least = re.fullmatch(r"([a-z]+)>=([0-9.]+).*", each).groups()  # type: ignore[union-attr]
        wanted[name] = least
    rows = re.findall(r"^\| ([a-z]+) \| `(py3-[a-z]+)` \| ([0-9.]+) \|$", PAGE, re.MULTILINE)
    assert {name: least for name, _, least in rows} == wanted
    assert block("install").splitlines()[0] == f"doas pkg_add py3-pip {' '.join(package for _, package, _ in rows)}"


def test_the_lines_of_doas_conf_are_those_by_which_the_lab_is_scanned() -> None:
    assert block("doas").splitlines() == list(allowed("audit"))
    assert block("mend") == f"{doas_line('mend', PLACE).removesuffix(' args')}\n"


@pytest.mark.parametrize(
    ("name", "language"), [("doas", "doas"), ("mend", "doas"), ("sshd_config", "sshd"), ("crontab", "crontab")]
)
def test_what_is_to_be_copied_is_read_whole(name: str, language: str) -> None:
    tree = LANGUAGES[language].parse(Text.of(LANGUAGES[language].paths[0], block(name)), nothing)
    assert tree.statements
    assert not tree.unread()


def test_what_is_typed_on_the_auditors_machine_is_there() -> None:
    verbs = {" ".join(each.path): {name for option in each.options for name in option.names} for each in tree(app).all()}
    typed = re.findall(r"mailaudit (?!and |is |itself |from |needs )([a-z]+)((?: [\w/$.-]+)*)", PAGE)
    assert typed
    for verb, rest in typed:
        if verb in verbs:
            assert {word for word in rest.split() if word.startswith("-")} <= verbs[verb], verb
    assert {verb for verb, _ in typed} >= {"scan", "doctor", "fix", "snapshot", "completion"}


@daemon
@pytest.mark.parametrize("name", ["doas", "mend"])
def test_doas_takes_the_lines(name: str, tmp_path: Path) -> None:
    need(HERE, "doas")
    file = tmp_path / "doas.conf"
    file.write_text(block(name))
    done = HERE.run("doas", "-C", str(file))
    assert (done.returncode, done.stderr) == (0, "")


@daemon
def test_a_scan_needs_nothing_that_the_account_does_not_have(tmp_path: Path) -> None:
    """The key's options and sshd_config's lines as they stand there, on a real sshd; the account's name and network apart."""
    options = block("authorized_keys").partition(" ssh-ed25519")[0].replace("192.0.2.0/24", "127.0.0.1")
    tree = tmp_path / "tree"
    subprocess.run(["cp", "-a", str(ROOT / "examples/corrected"), str(tree)], check=True)
    stand_ins(tree, ROOT / "examples/corrected/answers.json")

    def restrict(folder: Path) -> None:
        file = folder / "authorized"
        file.write_text(f"{options} {file.read_text()}")

    config = block("sshd_config").replace("User audit", f"User {USER}")
    with running(tmp_path, tree, config=config, before=restrict) as host:
        words = [sys.executable, "-m", "mailaudit", "scan", host.target, "--offline", "--format", "json"]
        environment = {**os.environ, "HOME": str(host.home), "XDG_CONFIG_HOME": str(host.home / ".config")}
        done = subprocess.run(words, env=environment, cwd=ROOT, capture_output=True, text=True, check=False, timeout=120)
        report = json.loads(done.stdout)
        assert report["errors"] == [], done.stderr
        assert {"/etc/mail/smtpd.conf", "/etc/pf.conf"} <= {
            each["path"] for each in report["hosts"][0]["files"] if each["status"] == "read"
        }
        said = ["ssh", "-i", str(host.home / ".ssh/id_ed25519"), "-p", str(host.port), "-o", "StrictHostKeyChecking=no"]
        terminal = subprocess.run(
            [*said, "-o", "UserKnownHostsFile=/dev/null", "-tt", f"{USER}@127.0.0.1", "true"],
            capture_output=True,
            text=True,
            check=False,
            timeout=30,
            stdin=subprocess.DEVNULL,
        )
        assert "PTY allocation request failed" in terminal.stderr
