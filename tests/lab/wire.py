"""A wire that delays, for kernels without netem. Run as `wire.py SECONDS INTERFACE NAMESPACE INTERFACE`.

It makes a TUN device here and one in another network namespace, and carries packets between them, each way that much later.
"""

from __future__ import annotations

import fcntl
import os
import select
import struct
import sys
import time
from collections import deque

TUNSETIFF = 0x400454CA
IFF_TUN, IFF_NO_PI = 0x0001, 0x1000
CLONE_NEWNET = 0x40000000
BIGGEST = 65_536
HELD = 20_000  # packets on their way; a wire that is full loses what comes


def tun(name: str) -> int:
    """A TUN device of this name in the network namespace that this process is in."""
    device = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(device, TUNSETIFF, struct.pack("16sH22x", name.encode(), IFF_TUN | IFF_NO_PI))
    return device


def enter(namespace: str) -> None:
    """Go into another network namespace."""
    import ctypes  # noqa: PLC0415  Python 3.12 has os.setns

    opened = os.open(namespace, os.O_RDONLY)
    if ctypes.CDLL(None, use_errno=True).setns(opened, CLONE_NEWNET):
        raise OSError(ctypes.get_errno(), "setns")
    os.close(opened)


def carry(ends: tuple[int, int], delay: float) -> None:
    """Carry packets until the process is ended."""
    other = dict(zip(ends, reversed(ends), strict=True))
    under_way: deque[tuple[float, int, bytes]] = deque()
    poll = select.poll()
    for end in ends:
        poll.register(end, select.POLLIN)
    while True:
        wait = None if not under_way else max(0.0, (under_way[0][0] - time.monotonic()) * 1000)
        for end, _ in poll.poll(wait):
            try:
                while True:
                    packet = os.read(end, BIGGEST)
                    if len(under_way) < HELD:
                        under_way.append((time.monotonic() + delay, other[end], packet))
            except BlockingIOError:
                pass
        now = time.monotonic()
        while under_way and under_way[0][0] <= now:
            _, end, packet = under_way.popleft()
            try:
                os.write(end, packet)
            except OSError:  # the interface is not up yet, or its queue is full
                continue


def main() -> None:
    """Make the devices, and be the wire."""
    delay, here, namespace, there = sys.argv[1:]
    first = tun(here)
    enter(namespace)
    carry((first, tun(there)), float(delay))


if __name__ == "__main__":
    main()
