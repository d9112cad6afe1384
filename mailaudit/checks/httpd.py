"""Rules about httpd.conf."""

from __future__ import annotations

from collections.abc import Iterator

from mailaudit.checks.loading import loads
from mailaudit.checks.registry import rule
from mailaudit.findings import Outcome
from mailaudit.models.httpd import HttpdConfig
from mailaudit.models.reference import Reference
from mailaudit.models.sources import Missing


@rule("HTTPD001")
def httpd_conf_loads(httpd: HttpdConfig | Missing, reference: Reference) -> Iterator[Outcome]:
    """httpd.conf is there, and httpd reads it."""
    yield from loads(httpd, "httpd", reference)
