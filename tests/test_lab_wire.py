"""The lab's delaying wire: so many milliseconds each way, for both families, and a scan over it is the same scan."""

from __future__ import annotations

import json
import statistics
import sys
from collections.abc import Iterator

import pytest
from lab import Kit, Lab, running
from lab.space import HOST

DELAY = 0.05
CONNECT = """
import json, socket, sys, time
def once(host):
    start = time.monotonic()
    socket.create_connection((host, 22), 10).close()
    return time.monotonic() - start
print(json.dumps({host: [once(host) for _ in range(5)] for host in sys.argv[1:]}))
"""

pytestmark = pytest.mark.daemon


@pytest.fixture(scope="module")
def slow(lab_kit: Kit, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    with running(lab_kit, tmp_path_factory.mktemp("slow"), delay=DELAY) as made:
        yield made


def test_a_round_trip_takes_twice_the_delay(slow: Lab) -> None:
    done = slow.run(sys.executable, "-c", CONNECT, *HOST)
    for host, taken in json.loads(done.out).items():
        assert 2 * DELAY <= statistics.median(taken) < 2 * DELAY + 0.05, (host, taken)


def test_a_scan_over_a_long_way_finds_the_same(slow: Lab) -> None:
    scan = slow.scan()
    assert (scan.failures, scan.code) == ([], 0), scan.errors
