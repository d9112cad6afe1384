"""What `fix` plans or did as JSON's own types: the key `plan` of a host in the report (contract, section 8)."""

from __future__ import annotations

from typing import Any

from mailaudit.findings import Result
from mailaudit.repair import Plan
from mailaudit.reports.masking import Mask, visible
from mailaudit.reports.view import mask_of
from mailaudit.worklist import Deed


def as_data(plan: Plan, *, written: bool) -> dict[str, Any]:
    """The plan. Secrets are masked in its diff as everywhere."""
    mask = mask_of([plan.before, plan.report])
    return {
        "written": written,
        "converged": plan.converged,
        "files": [visible(path) for path in sorted(plan.files)],
        "diff": visible(mask(plan.diff, written=True, diff=True), keep="\n\r\t"),
        "mended": [_result(each) for each in plan.mended],
        "failed": [_result(each) for each in plan.failed],
        "left": [{**_result(each), "why": visible(mask(why))} for each, why in plan.left],
        "todo": [_deed(each, mask) for each in plan.todo],
    }


def _result(result: Result) -> dict[str, Any]:
    return {"rule": result.rule, "fingerprint": result.fingerprint}


def _deed(deed: Deed, mask: Mask) -> dict[str, Any]:
    return {
        "kind": str(deed.kind),
        "text": visible(mask(deed.text)),
        "check": deed.check or None,
        "because": [visible(mask(each)) for each in deed.because],
        "seconds": deed.seconds,
    }
