"""The real hosts' doas.conf, crontabs, sshd_config and local scripts are read whole, and judged as their programs judge them."""

from __future__ import annotations

import pytest

from bench.agreement import CORPORA
from bench.agreement.administration import rows


@pytest.mark.skipif(not CORPORA.is_dir(), reason="the collection of real files is not beside this checkout")
def test_real_files_are_read_whole_and_judged_alike() -> None:
    found = list(rows(CORPORA))
    assert len(found) >= 4
    for row in found:
        assert not row.wrong, row.subject
        assert row.agree == row.of > 0, row.subject
