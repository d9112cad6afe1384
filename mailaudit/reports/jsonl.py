"""The report as JSON lines, for logs and pipes: the run, each host, each file, each result, the end."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from mailaudit.findings import Report
from mailaudit.reports.json import as_data
from mailaudit.reports.view import Reader

_ENDING = ("finished", "errors", "exit_code", "exit_reason")


def write(report: Report, _reader: Reader) -> str:
    """An object a line, each with a `type`; what a host, a file and a result say is as in `--format json`."""
    return "".join(json.dumps(each).replace("##[", "#\\u0023[") + "\n" for each in _objects(as_data(report)))


def _objects(data: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield {"type": "run", **{name: value for name, value in data.items() if name not in ("hosts", *_ENDING)}}
    for host in data["hosts"]:
        own = {name: value for name, value in host.items() if name not in ("files", "results")}
        yield {"type": "host", **own}
        of = {"host": host["name"], "target": host["target"]}
        yield from ({"type": "file", **of, **each} for each in host["files"])
        yield from ({"type": "result", **of, **each} for each in host["results"])
    yield {"type": "end", **{name: data[name] for name in _ENDING}}
