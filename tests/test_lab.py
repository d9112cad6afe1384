"""The lab: the corrected example on real daemons is judged right, live and from its snapshot, which holds no secret."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from lab import Kit, Lab, missing, running

pytestmark = pytest.mark.daemon


@pytest.fixture(scope="module")
def kit(tmp_path_factory: pytest.TempPathFactory) -> Kit:
    why = missing()
    if why:
        pytest.skip(why)
    return Kit(tmp_path_factory.mktemp("kit"))


@pytest.fixture(scope="module")
def lab(kit: Kit, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    with running(kit, tmp_path_factory.mktemp("lab")) as made:
        yield made


def test_doctor_finds_the_way(lab: Lab) -> None:
    told = lab.mailaudit("doctor", "mail.example.com")
    assert "ok    logged in as auditor; /bin/sh runs the collector on OpenBSD" in told.out, told.errors
    assert "/etc/doas.conf would allow it" not in told.out, told.out
