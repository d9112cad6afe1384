"""Rules about acme-client.conf."""

from __future__ import annotations

from collections.abc import Iterator

from mailaudit.checks.loading import loads
from mailaudit.checks.registry import rule
from mailaudit.findings import Outcome
from mailaudit.models.acme import AcmeConfig
from mailaudit.models.reference import Reference
from mailaudit.models.sources import Missing


@rule("ACME001")
def acme_client_conf_loads(acme: AcmeConfig | Missing, reference: Reference) -> Iterator[Outcome]:
    """acme-client.conf is there, and acme-client reads it."""
    yield from loads(acme, "acme-client", reference)
