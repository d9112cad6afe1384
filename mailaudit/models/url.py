"""A URL's parts, as far as configurations use them (RFC 3986, appendix B); nothing of it is opened."""

from __future__ import annotations

import re
from dataclasses import dataclass

_URL = re.compile(r"(?:([A-Za-z][A-Za-z0-9+.-]*):)?(?://([^/?#]*))?([^?#]*)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Url:
    """Scheme and host in lower case, the port's digits, the path; empty where there is none."""

    scheme: str
    host: str
    port: str
    path: str


def read_url(written: str) -> Url:
    """The parts of a URL: of any text, for nothing is refused."""
    match = _URL.match(written)
    assert match is not None  # every part may be empty
    host, _, port = (match[2] or "").rpartition("@")[2].partition(":")
    return Url((match[1] or "").lower(), host.lower(), port, match[3])
