"""The lab: the corrected example on real daemons is judged right, live and from its snapshot, which holds no secret."""

from __future__ import annotations

import pytest
from lab import Lab

pytestmark = pytest.mark.daemon


def test_doctor_finds_the_way(lab: Lab) -> None:
    told = lab.mailaudit("doctor", "mail.example.com")
    assert "ok    logged in as auditor; /bin/sh runs the collector on OpenBSD" in told.out, told.errors
    assert "FAIL" not in told.out
    assert told.code == 0
