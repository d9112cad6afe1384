"""The checks: facts in, findings out; pure. Each module is named here, none is discovered."""

from __future__ import annotations

from mailaudit.checks.registry import REGISTRY, Declared

CHECKS: dict[str, Declared] = REGISTRY
