"""What a host says at great length, to make us slow, is read in a time that grows no faster than it (contract, section 10)."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from hostfiles import sources

from mailaudit.models.clock import Clock
from mailaudit.models.facts import read
from mailaudit.models.pf.config import Ruleset
from mailaudit.models.pf.tables import TableFiles
from mailaudit.models.site import Declared
from mailaudit.models.sources import Known
from mailaudit.questions import Command
from mailaudit.reports.masking import Mask
from mailaudit.reports.terminal.paper import folded

SECONDS = 0.5  # each takes milliseconds; in a time that is quadratic in their lengths, several seconds


def models(path: str, more: dict[str, str]) -> Callable[[str], object]:
    """Reads all models of a host that has a file of these characters, and more files."""
    return lambda chars: read(sources({path: chars, **more}), Declared(), {}, Clock(datetime.now(UTC)))


def table(chars: str) -> None:
    files = {"/etc/pf.conf": 'table <t> file "/etc/t"\nblock in from <t>\n', "/etc/t": chars}
    known = read(sources(files), Declared(), {}, Clock(datetime.now(UTC))).slots[Ruleset]
    assert isinstance(known, Known)
    assert isinstance(known.value, Ruleset)
    TableFiles(sources(files)).read(known.value.tables["t"])


SIGNING = 'domain { example.com { path = "/etc/mail/dkim/a.key"; selector = "a"; } }\n'
PUBLIC = "-----BEGIN PUBLIC KEY-----"
CASES: dict[str, tuple[Callable[[str], object], str]] = {
    "blanks in a public key": (
        models("/etc/mail/dkim/a.pubkey", {"/etc/rspamd/local.d/dkim_signing.conf": SIGNING}),
        PUBLIC + " " * 3000,
    ),
    "blanks in a table of pf": (table, "\t" * 60_000),
    "backslashes of login.conf": (models("/etc/login.conf", {}), "a:\\\n\t:x=" + "\\" * 20_001 + "y\\\n\tz:\n"),
    "blank lines of ifconfig": (
        lambda chars: read(sources({}, {Command.IFCONFIG: (0, chars)}), Declared(), {}, Clock(datetime.now(UTC))),
        "vio0: flags=8843<UP>\n" + "\n" * 60_000,
    ),
    "letters before a URL": (Mask(), "a" * 200_000 + "://"),
    "letters in a URL": (Mask(), "see https://" + "a" * 200_000),
    "blanks at the end of a sentence": (lambda chars: [*folded(chars, 80)], "a" + " " * 40_000),
}


@pytest.mark.parametrize("name", CASES)
def test_long(name: str) -> None:
    read, chars = CASES[name]
    since = time.process_time()
    read(chars)
    assert time.process_time() - since < SECONDS
