"""Mending in earnest, in samples: hosts of others, many mistakes at once; `make metamorphic` does all of it."""

from __future__ import annotations

import atexit
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

import pytest
from daemons import Root, need, roots

from bench.mending import LEVELS, combined, hosts, mended
from mailaudit.collect.roots import find_worlds
from mailaudit.collect.world import World

ROOT = Path(__file__).parents[1]
CORPORA = ROOT.parent / "shared" / "corpora"
EXAMPLE = ROOT / "examples" / "as-published"
SAMPLE = ("cyberusnetwork", "hmail.app", "delan-daria")
EVERY = pytest.mark.parametrize("root", roots(), ids=lambda root: root.name)
BASE = {"/etc/mail/aliases": b"postmaster: root\n"}  # what OpenBSD comes with
LINUX = {
    "listen on all": "listen on lo",
    "listen on egress": "listen on lo",
    "port submission": "port 587",
    "user = vmail": "user = mail",
}


def every() -> dict[str, World]:
    (own,) = find_worlds(str(EXAMPLE))
    return {"as-published": own, **(dict(hosts(CORPORA)) if CORPORA.is_dir() else {})}


@pytest.mark.parametrize("name", SAMPLE)
def test_hosts_of_others_are_not_harmed(name: str) -> None:
    if not CORPORA.is_dir():
        pytest.skip("the corpora are not here")
    world = dict(hosts(CORPORA))[name]
    assert not [each for level in LEVELS for each in mended(name, world, level).wrong]


def test_many_mistakes_at_once_are_mended_without_a_new_one() -> None:
    done = mended("seed 107", combined(107, 6)[1], "all")
    assert done.plan.mended
    assert not done.wrong


@cache
def pair() -> Path:
    """A key and a certificate, for what a checker reads without a look at the names."""
    made = Path(tempfile.mkdtemp())
    atexit.register(shutil.rmtree, made, ignore_errors=True)
    new = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "9", "-subj", "/CN=mail.example.com"]
    subprocess.run([*new, "-keyout", made / "key.pem", "-out", made / "cert.pem"], check=True, capture_output=True, timeout=60)
    return made


@pytest.fixture
def folder(root: Root, tmp_path: Path) -> Iterator[Path]:
    """A folder that programs of the root can see."""
    room = root.room(tmp_path)
    yield room
    if root.path is not None:
        shutil.rmtree(room)


def accepted(root: Root, folder: Path, name: str, files: Mapping[str, bytes]) -> dict[str, str]:
    """What the checkers say of a host's files, written below a folder: by program, nothing if it takes them."""
    base = folder / name
    inside = root.inside(base)
    for path, data in {**BASE, **files}.items():
        text = data.decode("utf-8", "surrogateescape").replace("{{generate:hex16}}", "0123456789abcdef0123456789abcdef")
        for ours, theirs in LINUX.items():
            text = text.replace(ours, theirs)
        place = base / path.lstrip("/")
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(re.sub(r"(?<![\w/.])/etc/(?!services)", f"{inside}/etc/", text).encode("utf-8", "surrogateescape"))
    said: dict[str, str] = {}
    for program, path, command in (
        ("smtpd", "/etc/mail/smtpd.conf", ("smtpd", "-n", "-f", f"{inside}/etc/mail/smtpd.conf")),
        ("dovecot", "/etc/dovecot/dovecot.conf", ("doveconf", "-c", f"{inside}/etc/dovecot/dovecot.conf", "-n")),
        ("rspamd", "/etc/rspamd", ("rspamadm", f"--var=LOCAL_CONFDIR={inside}/etc/rspamd", "configtest")),
    ):
        if not (base / path.lstrip("/")).exists() or not root.has(command[0]):
            continue
        if program == "smtpd":
            (base / path.lstrip("/")).chmod(0o600)
            lay_keys(base, (base / path.lstrip("/")).read_text("utf-8", "surrogateescape"), inside)
        done = root.run(*command, timeout=120)
        taken = "syntax OK" in done.stdout if program == "rspamd" else done.returncode == 0
        said[program] = "" if taken else (done.stderr or done.stdout).strip()[-400:]
    return said


def lay_keys(base: Path, smtpd: str, inside: str) -> None:
    """The example's own certificate, and a key, wherever smtpd.conf names one: the checker reads them."""
    for word, path in re.findall(r"\b(cert|key)\s+\"?(/[^\s\"]+)", smtpd):
        place = base / path.removeprefix(inside).lstrip("/")
        place.parent.mkdir(parents=True, exist_ok=True)
        if not place.exists() and path.startswith(inside):
            place.write_bytes((pair() / f"{word}.pem").read_bytes())
            place.chmod(0o600)


@pytest.mark.daemon
@EVERY
@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("name", every())
def test_what_the_daemons_take_they_take_after_mending_too(root: Root, folder: Path, name: str, level: str) -> None:
    need(root, "smtpd")
    done = mended(name, every()[name], level)
    before = {path: text.data for path, text in done.plan.before.texts.items()}
    one, other = accepted(root, folder, "before", before), accepted(root, folder, "after", done.files)
    assert {program: other[program] for program, said in one.items() if not said and other[program]} == {}
