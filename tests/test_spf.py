"""check_host() against the test suite of RFC 7208, and records that want to take forever."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailaudit.models.spf.check import Limits, Looked, check_host
from mailaudit.models.spf.record import SyntaxFault, read_record
from mailaudit.questions import Failed, Reason

SUITE = Path(__file__).parents[2] / "shared" / "corpora" / "spf" / "rfc7208-tests.yml"
TIMEOUT = Looked(failed=Failed(Reason.TIMEOUT, "no answer"))


class FakeDns:
    """The zone data of a scenario. A TIMEOUT is met by whatever is not among the entries before it."""

    def __init__(self, zone: Mapping[str, list[Any]]) -> None:
        self.zone = {name.lower(): entries for name, entries in zone.items()}

    def __call__(self, name: str, type_: str) -> Looked:
        return self._look(name.lower().removesuffix("."), type_, 0)

    def _look(self, name: str, type_: str, depth: int) -> Looked:
        entries = self.zone.get(name, [])
        has_txt = any(isinstance(each, dict) and "TXT" in each for each in entries)
        found: list[str] = []
        for entry in entries:
            if entry == "TIMEOUT":
                return Looked(tuple(found)) if found else TIMEOUT
            ((kind, value),) = entry.items()
            kind = "TXT" if kind == "SPF" and not has_txt else kind
            if kind == "CNAME" and depth < 8:
                return self._look(str(value).lower().removesuffix("."), type_, depth + 1)
            if kind == type_ and value != "NONE":
                found.append(self._value(kind, value))
        return Looked(tuple(found))

    @staticmethod
    def _value(kind: str, value: Any) -> str:
        if kind == "MX":
            return str(value[1])
        return "".join(value) if isinstance(value, list) else str(value)


def scenarios() -> Iterator[Any]:
    if not SUITE.exists():
        return
    yaml = pytest.importorskip("yaml")
    for document in yaml.safe_load_all(SUITE.read_text("utf-8")):
        for name, test in document["tests"].items():
            yield pytest.param(document["zonedata"], test, id=f"{document['description']}: {name}")


@pytest.mark.skipif(not SUITE.exists(), reason="the test suite of RFC 7208 is not at hand")
@pytest.mark.parametrize(("zone", "test"), list(scenarios()))
def test_suite(zone: Mapping[str, list[Any]], test: Mapping[str, Any]) -> None:
    sender = test["mailfrom"]
    found = check_host(test["host"], sender, test["helo"], FakeDns(zone))
    wanted = test["result"] if isinstance(test["result"], list) else [test["result"]]
    assert found.result in wanted, found
    if "explanation" in test and found.result == "fail":
        assert (found.explanation or "DEFAULT") == test["explanation"]


def evaluate(records: Mapping[str, str], limits: Limits | None = None) -> Any:
    zone = {name: [{"TXT": text}] for name, text in records.items()}
    return check_host("203.0.113.9", "a@example.com", "h.example.com", FakeDns(zone), limits)


def test_loops_end_also_where_lookups_are_only_counted() -> None:
    loop = {"example.com": "v=spf1 include:example.com include:example.com -all"}
    assert evaluate(loop).result == "permerror"
    assert evaluate(loop, Limits(60, 60)).result == "permerror"
    assert evaluate({"example.com": "v=spf1 redirect=example.com"}, Limits(60, 60)).result == "permerror"


def test_lookups_beyond_the_limit_are_counted() -> None:
    record = {"example.com": "v=spf1 " + " ".join(f"a:h{n}.example.com" for n in range(12)) + " ~all"}
    assert evaluate(record).result == "permerror"
    counted = evaluate(record, Limits(60, 60))
    assert (counted.result, counted.lookups, counted.voids) == ("softfail", 12, 12)


def test_a_failure_keeps_its_reason() -> None:
    found = check_host("203.0.113.9", "a@example.com", "h", lambda _name, _type: TIMEOUT)
    assert found.result == "temperror"
    assert found.failed is not None
    assert found.failed.reason is Reason.TIMEOUT


@given(st.text(alphabet="v=spf1 +-~?:./%{}adeilmnoptxr0123456789iprs_", max_size=80))
def test_any_record_has_a_result(text: str) -> None:
    try:
        read_record("v=spf1 " + text)
    except SyntaxFault:
        assert evaluate({"example.com": "v=spf1 " + text}).result == "permerror"
    else:
        evaluate({"example.com": "v=spf1 " + text})
