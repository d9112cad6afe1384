"""Tables as OpenSMTPD's own programs take them: which are lists, which maps, and what a map's entries are."""

from __future__ import annotations

import random

import pytest

from bench.agreement import CORPORA
from bench.agreement.tables import (
    TABLE_HELPER,
    Daemons,
    daemons,
    entries,
    kind_of,
    logins,
    our_entries,
    our_kind,
    our_logins,
    parse,
    rows,
)
from mailaudit.models.virtuals import target_of

MAPS = [  # makemap refuses more than a lookup does: keys twice, quotes around a name, a comma in a command
    "root: bob\n",
    "Root:bob,alice@Example.com,carol\n",
    "root : bob\n",
    "root\tbob\n",
    "# c\nroot: bob # no comment\n",
    "root: bob@example.com\n  # indented comment\nabuse: root\n",
    'list: "|/usr/bin/prog -a b",/dev/null,:include:/etc/mail/list\n',
    "list: |/usr/bin/prog\n",
    "out: error:550 no such user\n",
    "out: :error:550 no such user\n",
    "out: error:no such user\n",
    "out: :include:relative\n",
    "root: <bob>\n",
    "root: bob alice\n",
    "root: bo(b)\n",
    "root: @example.com\n",
    "root: bob@\n",
    "root: bob@[192.0.2.1]\n",
    "root: a!b@example.com\n",
    "root:\n",
    "root\nabuse: root\n",
    "abuse: root\nroot\n",
    "a@b.c: vmail\n@b.c: vmail\n@: vmail\n",
    "[::1]: root\n",
    "[::1 root\n",
    "root: bob\r\n",
    "root: bob \t\n",
    "",
    "\n\n",
    "# @list\nexample.com\nexample.net x\n",
    "example.com\nexample.net\n",
    "root: é\n",
    "a,b: c\n",
]
CREDENTIALS = [
    "a:x:1:1:g:/h:s:e", "a:x:1:1:g:/h", "a:x:1:1:g", "a:x", "a", "", ":x:1:1::/h", "a:x:1:1::/h # c", "# c", "  # c", " ", "\t",
    "a#b:x:1:1::/h", "a\\#b:x:1:1::/h", "a:x:1:1::/h \t", "a:x:one:1::/h", "a:x:1:1::/h:s:e:f", "a b:x:1:1::/h", "a:x::::",
    "a:{x}y:1:1::/h", "a:x:1:1::/h\\", "a:x:1:1::/h\\\n:s", "a:x:1:1::/h\n\nb:y:1:1::/h", "é:x:1:1::/h", "a:x:1:1::/h\r",
    "a:x:1:1::/h\r\n\r", f"a:{'x' * 2030}:1:1::/h", f"a:{'x' * 2040}:1:1::/h", "a:x:1:1::/h\na:y:1:1::/h",
]  # fmt: skip


@pytest.mark.parametrize(
    ("target", "kind"),
    [
        ("bob", "user"),
        ("bob+x.y_z-1", "user"),
        ("bob@example.com", "address"),
        ("a!b@example.com", "address"),
        ("/var/mail/x", "file"),
        ("|/bin/x", "command"),
        (":include:/x", "include"),
        ("include:x", "invalid"),
        ("error:550 no", "error"),
        ("error:650 no", "invalid"),
        ("error:no", "invalid"),
        ("bob alice", "invalid"),
        ("<bob>", "invalid"),
        ("@example.com", "invalid"),
        ("bob@[192.0.2.1]", "address"),
        ("a b@example.com", "invalid"),
    ],
)
def test_the_kind_of_a_target(target: str, kind: str) -> None:
    (statement,) = parse("table", f'root: "{target}"\n'.encode()).statements
    node = statement.node.node("targets")
    assert node is not None
    assert target_of(node.leaves()[0]).kind == kind


NEWER = pytest.mark.parametrize("version", ["7.6", "7.9"])


def installed(version: str) -> Daemons:
    found = next((each for each in daemons() if each.version == version), None)
    return found or pytest.skip(f"OpenSMTPD {version} is not installed")


@pytest.mark.daemon
@NEWER
def test_live_kinds_and_entries(version: str) -> None:
    smtpd = installed(version)
    for chars in random.Random(5).sample(MAPS, 12):
        data = chars.encode()
        kind = kind_of(smtpd, data)
        assert our_kind(data) == kind, chars
        if kind == "hash" and version == "7.6":  # Debian's 7.9 has no makemap
            assert our_entries(data) == entries(smtpd, data), chars


@pytest.mark.daemon
@NEWER
def test_live_credentials(version: str) -> None:
    smtpd = installed(version)
    if smtpd.path is not None and not (smtpd.path / TABLE_HELPER[1:]).exists():
        pytest.skip("table-passwd is not installed")
    for line in CREDENTIALS:
        data = f"{line}\n".encode()
        names = our_logins(data)
        answers = logins(smtpd, data, names or ["nobody"])
        assert (names is None) == (answers is None), line
        assert not names or answers == ["found"] * len(names), line


@pytest.mark.daemon
@pytest.mark.skipif(not CORPORA.is_dir(), reason="the corpora of real files are not beside this checkout")
def test_real_files() -> None:
    for row in rows(CORPORA, 6):
        assert row.wrong == (), row.subject
