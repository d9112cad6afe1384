"""The list of judged findings is read whole, names rules and verdicts that exist, and holds of a host as it is scanned today."""

from __future__ import annotations

from collections import Counter

import pytest

from bench.judged import HOSTS, LIST, VERDICTS, Key, found, listed
from mailaudit import rulebook

ROWS = list(listed(LIST.read_text()))


def test_each_row_is_read() -> None:
    written = [line for line in LIST.read_text().splitlines() if line.startswith("| ") and not line.startswith("| rule ")]
    assert len({(key.host, key.rule, key.path, verdict) for key, verdict in ROWS}) <= len(written) <= len(ROWS)
    assert {key.rule for key, _ in ROWS} <= set(rulebook.load().pages)
    assert {verdict for _, verdict in ROWS} <= set(VERDICTS)


def test_a_row_may_name_several_lines() -> None:
    rows = list(
        listed("## host\n\n| HOST016 | /etc/ssh/sshd_config:1, 1, 7 | true | why |\n| SMTPD002 | table | false | why |\n")
    )
    keys = [Key("host", "HOST016", "/etc/ssh/sshd_config", line) for line in (1, 1, 7)]
    assert rows == [*((key, "true") for key in keys), (Key("host", "SMTPD002", "table", 0), "false")]


@pytest.mark.skipif(not HOSTS.is_dir(), reason="the collection of real hosts is not beside this checkout")
@pytest.mark.parametrize("host", ["dithematic", "my-email"])
def test_a_host_is_found_as_it_was_judged(host: str) -> None:
    assert Counter(found(HOSTS / host)) == Counter(key for key, _ in ROWS if key.host == host)
