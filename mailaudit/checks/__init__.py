"""The checks: facts in, findings out; pure. Each module is named here, none is discovered."""

from __future__ import annotations

from mailaudit.checks import acme, agreement, credentials, httpd, virtuals
from mailaudit.checks.registry import REGISTRY, Declared

_MODULES = (acme, agreement, credentials, httpd, virtuals)  # importing them declares their rules

CHECKS: dict[str, Declared] = REGISTRY
