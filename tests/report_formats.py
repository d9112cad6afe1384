"""What each format of a report must be to be read by the program it is for; and what it says, in a few words."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import html5lib
import jsonschema
from markdown_it import MarkdownIt

ROOT = Path(__file__).parents[1]
METRIC = re.compile(r'(mailaudit_[a-z_]+)(\{(?:[a-z]+="(?:[^"\\\n]|\\[\\"n])*",?)+\})? (-?[0-9]+)')
ANNOTATION = re.compile(r"::(error|warning|notice) ((?:[a-zA-Z]+=[^,:\r\n]*)(?:,[a-zA-Z]+=[^,:\r\n]*)*)::([^\r\n]*)")
GITLAB = {
    "type": "array",
    "items": {
        "type": "object",
        "required": ["description", "check_name", "fingerprint", "severity", "location"],
        "properties": {
            "severity": {"enum": ["info", "minor", "major", "critical", "blocker"]},
            "fingerprint": {"type": "string", "pattern": "^[0-9a-f]{64}$"},
            "location": {
                "required": ["path", "lines"],
                "properties": {
                    "path": {"type": "string", "minLength": 1},
                    "lines": {"required": ["begin"], "properties": {"begin": {"type": "integer", "minimum": 1}}},
                },
            },
        },
    },
}


@cache
def _validator(name: str) -> Any:
    schema = json.loads((ROOT / name).read_text("utf-8"))
    return jsonschema.validators.validator_for(schema)(schema)


def terminal(text: str) -> str:
    return "a text" if text else "nothing"


def json_report(text: str) -> str:
    data = json.loads(text)
    _validator("mailaudit/reports/schema/report.schema.json").validate(data)
    return f"{len(data['errors'])} errors" if data["errors"] else f"{len(data['hosts'])} hosts"


def sarif(text: str) -> str:
    data = json.loads(text)
    _validator("tests/fixtures/schemas/sarif-2.1.0.json").validate(data)
    (run,) = data["runs"]
    (invocation,) = run["invocations"]
    told = [*invocation["toolExecutionNotifications"], *invocation["toolConfigurationNotifications"]]
    well = "successful" if invocation["executionSuccessful"] else "not successful"
    assert invocation["executionSuccessful"] or any(each["level"] in ("error", "warning") for each in told)
    open_ = sum(not each.get("suppressions") for each in run["results"])
    return f"{well}, results: {open_}"


def github(text: str) -> str:
    levels = [found[1] for found in map(ANNOTATION.fullmatch, text.splitlines()) if found is not None]
    assert len(levels) == len(text.splitlines())
    assert all(levels.count(level) <= 10 for level in levels)
    return f"errors: {levels.count('error')}"


def markdown(text: str) -> str:
    tokens = MarkdownIt("commonmark").enable("table").parse(text)
    assert tokens[0].tag == "h1"
    return tokens[4].content.strip("*").split(":")[0]


def html(text: str) -> str:
    page = html5lib.HTMLParser(strict=True, namespaceHTMLElements=False).parse(text)
    elements = list(page.iter())
    anchors = [each.attrib["id"] for each in elements if "id" in each.attrib]
    assert len(anchors) == len(set(anchors))
    for each in elements:
        for name, value in each.attrib.items():
            assert not isinstance(name, str) or not name.startswith("on"), "no handler stands in the page"
            if str(name).endswith(("href", "src")) or name in ("aria-labelledby", "aria-describedby", "for"):
                assert value.removeprefix("#") in anchors, value
    assert not {each.tag for each in elements} & {"img", "link", "iframe", "object", "base", "audio", "video"}
    (ending,) = (each.text for each in elements if each.attrib.get("class") == "ending")
    return str(ending).split(":")[0].lower()


def junit(text: str) -> str:
    root = ET.fromstring(text)
    suites = list(root)
    assert root.tag == "testsuites"
    counts = {kind: len(root.findall(f".//{kind}")) for kind in ("testcase", "failure", "error", "skipped")}
    for name, kind in (("tests", "testcase"), ("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
        assert int(root.attrib[name]) == counts[kind] == sum(int(suite.attrib[name]) for suite in suites)
    names = [(suite.attrib["name"], case.attrib["classname"], case.attrib["name"]) for suite in suites for case in suite]
    assert len(names) == len(set(names)), "each case has a name of its own"
    return f"failures: {counts['failure']}, errors: {counts['error']}"


def gitlab(text: str) -> str:
    data = json.loads(text)
    jsonschema.Draft202012Validator(GITLAB).validate(data)
    assert len({each["fingerprint"] for each in data}) == len(data)
    return f"issues: {len(data)}"


def prometheus(text: str) -> str:
    seen, values = set(), {}
    assert text.endswith("\n")
    for line in text.splitlines():
        if not line.startswith("# "):
            found = METRIC.fullmatch(line)
            assert found is not None, line
            assert (found[1], found[2]) not in seen, "a sample is told once"
            seen.add((found[1], found[2]))
            values[found[1]] = int(found[3])
    return f"complete: {values['mailaudit_complete']}"


def jsonl(text: str) -> str:
    data = [json.loads(line) for line in text.splitlines()]
    assert data[0]["type"] == "run"
    assert data[-1]["type"] == "end"
    return f"exit_code {data[-1]['exit_code']}"


READ: dict[str, Callable[[str], str]] = {
    "terminal": terminal,
    "json": json_report,
    "sarif": sarif,
    "github": github,
    "markdown": markdown,
    "html": html,
    "junit": junit,
    "gitlab": gitlab,
    "prometheus": prometheus,
    "jsonl": jsonl,
}
