"""The report as SARIF 2.1.0, for code scanning and for viewers; `--sarif-profile github` keeps to what GitHub takes."""

from __future__ import annotations

import re
from typing import Any

from mailaudit import __version__
from mailaudit.choices import SarifProfile
from mailaudit.exitcodes import ExitCode
from mailaudit.findings import Report, Verdict
from mailaudit.reports.json import dump
from mailaudit.reports.sarif.notifications import of_configuration, of_execution
from mailaudit.reports.sarif.places import HOSTS, ROOT, encoded
from mailaudit.reports.sarif.results import result
from mailaudit.reports.sarif.rules import rules
from mailaudit.reports.view import Reader, View, ending, findings, views

SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
MOST_RESULTS = 25_000  # of a run, that GitHub takes
SIGNALS = {ExitCode.INTERRUPTED: "SIGINT", ExitCode.TERMINATED: "SIGTERM"}
_REDACTED = re.compile(r"\{\{masked:[^{}]*\}\}")


def write(report: Report, reader: Reader) -> str:
    """The whole report, in ASCII characters, with a final newline."""
    run = _run(report, reader)
    masks = sorted(set(_REDACTED.findall(dump(run["results"]))))
    return dump({"$schema": SCHEMA, "version": "2.1.0", "runs": [{**run, **({"redactionTokens": masks} if masks else {})}]})


def _run(report: Report, reader: Reader) -> dict[str, Any]:
    github = reader.sarif_profile is SarifProfile.GITHUB
    seen = views(report, reader)
    described, index = rules(seen, reader.pages)
    told = findings(seen, *((Verdict.FAIL,) if github else (Verdict.FAIL, Verdict.WAIVED)))
    kept = told[:MOST_RESULTS] if github else told
    driver = {"name": "mailaudit", "semanticVersion": __version__, "rules": described}
    return {
        "tool": {"driver": driver},
        **({} if github else {"automationDetails": {"id": _category(seen)}}),  # there upload-sarif gives its own if there is none
        "invocations": [_invocation(report, seen, index, left=len(told) - len(kept))],
        "originalUriBaseIds": {
            ROOT: {"description": {"text": "The repository, or the folder that mailaudit was called in."}},
            HOSTS: {"description": {"text": "The live hosts, each as a folder of its name."}},
        },
        "columnKind": "unicodeCodePoints",
        "results": [result(view, each, index, github=github) for view, each in kept],
        "properties": {"profile": report.profile, "hosts": [_host(view.name, view.host.counts()) for view in seen]},
    }


def _category(seen: list[View]) -> str:
    """What runs are compared within: the one host that was audited, or all."""
    return f"mailaudit/{encoded(seen[0].name)}/" if len(seen) == 1 else "mailaudit/"


def _host(name: str, counts: dict[str, int]) -> dict[str, Any]:
    return {"name": name, "counts": counts}


def _invocation(report: Report, seen: list[View], index: dict[str, int], *, left: int) -> dict[str, Any]:
    code = ExitCode(report.exit_code)
    signal = {"exitSignalName": SIGNALS[code], "exitSignalNumber": code - 128} if code in SIGNALS else {}
    return {
        "executionSuccessful": code in (ExitCode.OK, ExitCode.FINDINGS),
        "exitCode": int(code),
        "exitCodeDescription": ending(report),
        **signal,
        "startTimeUtc": report.started,
        "endTimeUtc": report.finished,
        "toolExecutionNotifications": of_execution(report, seen, index, left),
        "toolConfigurationNotifications": of_configuration(report, seen),
    }
