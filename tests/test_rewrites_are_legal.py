"""What the rewrites write is what the daemons take: their own checkers are asked, where they are installed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from daemons import HERE, need

from bench.metamorphic.families import WAYS
from bench.metamorphic.host import Bench, Host
from bench.metamorphic.rewrites import rewrites

pytestmark = pytest.mark.daemon


def written(start: str) -> Iterator[tuple[str, Host]]:
    """The hosts on which something below a path was written otherwise, each way alone."""
    known = Bench()
    for number, each in enumerate(rewrites(known, [way for way in WAYS if way.path.startswith(start)], 200, seed=3)):
        if len(each.ways) == 1:
            yield f"{number}: {each}", each.host


def laid(host: Host, start: str, root: Path) -> Path:
    """The files below a path, where a checker can read them; names of the host's own folders lead there."""
    for path, data in host.files.items():
        if path.startswith(start):
            file = root / path.lstrip("/")
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(data.replace(start.encode(), f"{root}{start}".encode()))
    return root


def test_smtpd_takes_them(tmp_path: Path) -> None:
    need(HERE, "smtpd")
    for number, (name, host) in enumerate(written("/etc/mail/smtpd.conf")):
        root = laid(host, "/etc/mail", tmp_path / str(number))
        file = root / "etc" / "mail" / "smtpd.conf"
        said = HERE.run("smtpd", "-n", "-f", str(file))
        wrong = [line for line in said.stderr.splitlines() if re.search(r"syntax error|not defined|undefined", line)]
        assert not wrong, (name, wrong)


def test_doveconf_takes_them(tmp_path: Path) -> None:
    need(HERE, "dovecot")
    if not HERE.run("dovecot", "--version").stdout.startswith("2.3"):
        pytest.skip("the installed Dovecot is not of the family that the example is written for")
    for number, (name, host) in enumerate(written("/etc/dovecot")):
        root = laid(host, "/etc/dovecot", tmp_path / str(number))
        said = HERE.run("doveconf", "-n", "-c", str(root / "etc" / "dovecot" / "dovecot.conf"))
        beyond = (
            "Can't open file",
            "doesn't exist",
            "ssl_dh",
            "ssl_cert",
            "ssl_key",
            "access(",
            "dump-capability",
        )  # files that the host lacks
        wrong = [line for line in said.stderr.splitlines() if "Error" in line or "Fatal" in line]
        assert not [line for line in wrong if not any(word in line for word in beyond)], (name, wrong)


def test_rspamadm_takes_them(tmp_path: Path) -> None:
    need(HERE, "rspamadm")
    for number, (name, host) in enumerate(written("/etc/rspamd")):
        root = laid(host, "/etc/rspamd", tmp_path / str(number))
        said = HERE.run("rspamadm", f"--var=LOCAL_CONFDIR={root}/etc/rspamd", "configtest", timeout=60)
        wrong = [line for line in (said.stdout + said.stderr).splitlines() if re.search(r"parser error|failed to load", line)]
        assert not wrong, (name, wrong)
