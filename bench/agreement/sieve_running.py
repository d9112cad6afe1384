"""Sieve scripts run: where a message ends, as Pigeonhole's `sieve-test` has it, asked live about scripts made at random."""

from __future__ import annotations

import os
import random
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

from bench.agreement import Row
from mailaudit.models.sieve.eval import Situation, run
from mailaudit.models.sieve.parts import calls
from mailaudit.models.sieve.refusals import required
from mailaudit.parsers.sieve import parse
from mailaudit.parsers.tree import nothing
from mailaudit.text import Text

MESSAGE = """\
From: a@example.org
To: user@example.com
Subject: [list] Hello World
X-Spam: yes
X-Two: one
X-Two: two
X-Empty:
List-Id: My list <dev.lists.example.com>

body
"""
HEADERS = {
    "x-spam": ("yes",),
    "subject": ("[list] Hello World",),
    "x-two": ("one", "two"),
    "x-empty": ("",),
    "list-id": ("My list <dev.lists.example.com>",),
    "x-none": (),
}
_KEYS = (
    "yes",
    "YES",
    "ye",
    "",
    "*",
    "?es",
    "*l*",
    "[*] * *",
    "*<*.*>*",
    "one",
    "two",
    "t?o",
    "none",
    "${a}",
    "${1}",
    "x\\\\*",
    "dev",
)
_FOLDERS = ("INBOX", "Junk", "x/${a}", "y${1}", "z${2}", "${b}")
_STORED = re.compile(r"store message in folder: (.*)")
_SENT = re.compile(r"redirect message to: <(.*)>")


def script(rng: random.Random) -> str:
    """A script that sievec accepts."""
    return 'require ["fileinto", "copy", "variables"];\n' + _block(rng, 0)


def _block(rng: random.Random, depth: int) -> str:
    return "".join(_command(rng, depth) for _ in range(rng.randint(1, 4)))


def _command(rng: random.Random, depth: int) -> str:
    kind = rng.randrange(9 if depth < 3 else 6)
    if kind == 0:
        return f'fileinto {rng.choice(("", ":copy "))}"{rng.choice(_FOLDERS)}";\n'
    if kind == 1:
        name = rng.choice("ab")
        other = "b" if name == "a" else "a"  # sieve-test 0.5.19 empties a variable before it puts its own value into it
        value = rng.choice(("k${1}", f"${{{other}}}L", f"${{{other}}}", "two"))
        return f'set {rng.choice(("", ":lower ", ":upper "))}"{name}" "{value}";\n'
    if kind == 2:
        return rng.choice(
            ("keep;\n", "discard;\n", "stop;\n", 'redirect "a@example.net";\n', 'redirect :copy "b@example.net";\n')
        )
    if kind < 6:
        return f'fileinto :copy "c{rng.randrange(9)}";\n'
    chain = f"if {_test(rng, depth)} {{\n{_block(rng, depth + 1)}}}"
    for _ in range(rng.randrange(2)):
        chain += f" elsif {_test(rng, depth)} {{\n{_block(rng, depth + 1)}}}"
    return chain + (f" else {{\n{_block(rng, depth + 1)}}}\n" if rng.randrange(2) else "\n")


def _test(rng: random.Random, depth: int) -> str:
    kind = rng.randrange(8 if depth < 3 else 5)
    match = rng.choice((":is", ":contains", ":matches", ':comparator "i;octet" :is', ':comparator "i;octet" :matches'))
    keys = ", ".join(f'"{key}"' for key in rng.sample(_KEYS, rng.randint(1, 2)))
    if kind < 3:
        names = ", ".join(f'"{name}"' for name in rng.sample(sorted(HEADERS), rng.randint(1, 2)))
        return f"header {match} [{names}] [{keys}]"
    if kind == 3:
        return f'string {match} "{rng.choice(("${a}", "${1}", "one"))}" [{keys}]'
    if kind == 4:
        return f'exists "{rng.choice(sorted(HEADERS))}"'
    if kind == 5:
        return f"not {_test(rng, depth + 1)}"
    return f"{'anyof' if kind == 6 else 'allof'} ({_test(rng, depth + 1)}, {_test(rng, depth + 1)})"


def ours(chars: str) -> tuple[set[str], set[str]]:
    """The folders and the addresses that the message ends in, as mailaudit has it; `?` for what it cannot tell."""
    commands = calls(parse(Text.of("/s.sieve", chars), nothing).statements)
    outcome = run(commands, Situation(HEADERS), frozenset(required(commands)))
    is_unsure = outcome.keeps is None or any(not action.certain or None in action.values for action in outcome.actions)
    unsure = {"?"} if is_unsure else set()
    folders = {action.values[0] or "" for action in outcome.of("fileinto") if None not in action.values}
    kept = {"INBOX"} if outcome.of("keep") or outcome.keeps else set()
    return folders | kept | unsure, {action.values[0] or "" for action in outcome.of("redirect")}


@dataclass(frozen=True, slots=True)
class Place:
    """Where `sieve-test` runs: a folder that other users may enter, its name there, what leads there, and which Dovecot it is."""

    folder: Path
    name: str
    enter: tuple[str, ...] = ()
    is_new: bool = False

    def settings(self) -> str:
        """A configuration under which it runs."""
        is_root = os.geteuid() == 0
        lines = [
            *(["dovecot_config_version = 2.4.0", "dovecot_storage_version = 2.4.0"] if self.is_new else []),
            f"mail_uid = {'nobody' if is_root else os.geteuid()}",
            f"mail_gid = {'nogroup' if is_root else os.getegid()}",
            "first_valid_uid = 1",
            f"mail_home = {self.name}/home",
            *(["mail_driver = maildir", "mail_path = ~/m"] if self.is_new else ["mail_location = maildir:~/m"]),
            "log_path = /dev/stderr",
        ]
        return "".join(f"{line}\n" for line in lines)


def theirs(chars: str, place: Place) -> tuple[set[str], set[str]]:
    """The same, as `sieve-test` has it. Raises ValueError with what it said where it fails."""
    folder = place.folder
    home = folder / "home"
    home.mkdir(exist_ok=True)
    home.chmod(0o777)
    (folder / "dovecot.conf").write_text(place.settings())
    (folder / "script.sieve").write_text(chars)
    (folder / "message").write_text(MESSAGE)
    conf, sieve, message = (f"{place.name}/{each}" for each in ("dovecot.conf", "script.sieve", "message"))
    command = (*place.enter, "sieve-test", "-c", conf, sieve, message)
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise ValueError(done.stderr + done.stdout)
    return set(_STORED.findall(done.stdout)), set(_SENT.findall(done.stdout))


def row(place: Place, count: int, seed: int = 0) -> Row:
    """One comparison over so many scripts."""
    rng = random.Random(seed)
    scripts = [script(rng) for _ in range(count)]
    wrong = tuple(each for each in scripts if ours(each) != theirs(each, place))
    return Row("sieve: sieve-test on where a message ends", count - len(wrong), count, (), wrong)
