"""Two reports compared, a baseline kept, and the nightly report that goes on from the last one."""

from __future__ import annotations

import contextlib
import json
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest
import report_samples as samples
from hypothesis import given
from hypothesis import strategies as st

from mailaudit.comparing import carrying
from mailaudit.comparing.baseline import Baseline, Entry, accepted, pruned, read_baseline, updated, written
from mailaudit.comparing.differences import Kind, compare, paired, steady
from mailaudit.comparing.known import Carried, Known, KnownHost, Told, carried_data, read_report
from mailaudit.comparing.nodes import ContentError
from mailaudit.findings import Severity, Since, Verdict, WaivedBy
from mailaudit.questions import Reason
from mailaudit.reports import markdown_comparison as markdown
from mailaudit.reports.comparison import Compared
from mailaudit.reports.json import as_data, dump
from mailaudit.reports.terminal import comparison as terminal
from mailaudit.reports.terminal.paper import Screen

PF = "/etc/pf.conf"


def fail(rule: str = "PF010", number: int = 1, message: str = "m", severity: Severity = Severity.HIGH, **more: Any) -> Told:
    return Told(rule, "n", Verdict.FAIL, severity, message, None, f"{number:064x}", f"{PF}:1:1", (PF,), **more)


def passed(rule: str = "PF010") -> Told:
    return Told(rule, "n", Verdict.PASS)


def unknown(rule: str = "PF010", reason: Reason = Reason.TIMEOUT) -> Told:
    return Told(rule, "n", Verdict.UNKNOWN, message="timed out", reason=reason)


def exempt(rule: str = "PF010") -> Told:
    return Told(rule, "n", Verdict.NOT_APPLICABLE, message="not here")


def host(*results: Told, name: str = "mx", unfinished: tuple[str, ...] = (), read: tuple[str, ...] = (PF,)) -> KnownHost:
    return KnownHost(name, name, results, frozenset(read), frozenset(unfinished))


def report(*hosts: KnownHost, code: int = 0, carried: Any = None) -> Known:
    return Known("r.json", "0.1.0", "recommended", "2026-11-22T12:00:00Z", hosts, code, carried=carried or {})


def kinds(before: KnownHost, after: KnownHost) -> list[tuple[Kind, str]]:
    found = compare(report(before), report(after)).hosts[0].differences
    return [(each.kind, each.told.fingerprint[-1:]) for each in found]


# ---- classes


def test_new_fixed_unchanged_changed() -> None:
    old = host(fail(number=1), fail(number=2), fail(number=3, message="10 days left"), fail(number=4))
    new = host(fail(number=1), fail(number=3, message="9 days left"), fail(number=4, severity=Severity.LOW), fail(number=5))
    assert kinds(old, new) == [
        (Kind.UNCHANGED, "1"),
        (Kind.UNCHANGED, "3"),
        (Kind.CHANGED, "4"),
        (Kind.NEW, "5"),
        (Kind.FIXED, "2"),
    ]


@pytest.mark.parametrize(
    ("after", "kind"),
    [
        (host(passed()), Kind.FIXED),
        (host(unknown()), Kind.NOT_EVALUATED),
        (host(unknown(reason=Reason.OFFLINE)), Kind.NOT_EVALUATED),
        (host(unknown(reason=Reason.CRASHED)), Kind.NOT_EVALUATED),
        (host(exempt()), Kind.FIXED),  # the file was read, and the rule does not apply to it any more
        (host(exempt(), read=()), Kind.NOT_EVALUATED),  # the file is not there
        (host(fail(number=2)), Kind.FIXED),
        (host(fail(number=2), unfinished=("/etc/other",)), Kind.NOT_EVALUATED),  # what was not read may be what is missing
        (host(passed(), unfinished=("/etc/other",)), Kind.FIXED),
        (host(passed("PF011")), Kind.RULE_REMOVED),
    ],
)
def test_only_a_rule_that_was_evaluated_says_that_something_is_fixed(after: KnownHost, kind: Kind) -> None:
    found = [each for each in compare(report(host(fail())), report(after)).hosts[0].differences if each.before is not None]
    assert [each.kind for each in found] == [kind]


RESULTS = st.builds(
    lambda findings, others: host(*findings, *others),
    st.lists(
        st.builds(fail, st.sampled_from(("A1", "A2")), st.integers(0, 3)), unique_by=lambda each: each.fingerprint, max_size=4
    ),
    st.lists(st.sampled_from((passed("A3"), unknown("A4"), exempt("A5"))), unique=True),
)


@given(RESULTS, RESULTS)
def test_each_finding_is_told_once_and_the_way_back_is_the_mirror(one: KnownHost, other: KnownHost) -> None:
    there, back = compare(report(one), report(other)), compare(report(other), report(one))
    for host_, side in ((one, "before"), (other, "after")):
        told = [
            getattr(each, side).fingerprint for each in there.of(*Kind) if getattr(each, side) and getattr(each, side).is_found
        ]
        assert sorted(told) == sorted(host_.findings)
    assert len(there.of(Kind.UNCHANGED)) == len(back.of(Kind.UNCHANGED))
    assert len(there.of(Kind.RULE_ADDED)) == len(back.of(Kind.RULE_REMOVED))
    if not (there.of(Kind.NOT_EVALUATED) or back.of(Kind.NOT_EVALUATED)):
        assert len(there.of(Kind.NEW)) == len(back.of(Kind.FIXED))
    same = compare(report(one), report(one))
    assert {each.kind for each in same.of(*Kind)} <= {Kind.UNCHANGED}
    assert not same.worse(Severity.INFO)


def test_what_counts_as_worse() -> None:
    waived = replace(fail(), verdict=Verdict.WAIVED)
    for old, new, worse in (
        (host(passed()), host(fail()), True),
        (host(unknown()), host(fail()), True),
        (host(passed("X1")), host(passed("X1"), fail()), False),  # a rule that was not judged before is no drift
        (host(fail()), host(fail()), False),
        (host(fail(severity=Severity.LOW)), host(fail()), True),
        (host(fail()), host(fail(severity=Severity.LOW)), False),
        (host(fail(message="a")), host(fail(message="b")), False),
        (host(waived), host(fail()), True),
        (host(fail()), host(waived), False),
        (host(passed()), host(waived), False),
    ):
        found = compare(report(old), report(new)).worse(Severity.LOW)
        assert bool(found) is worse, (old, new)
    low = compare(report(host(passed())), report(host(fail(severity=Severity.LOW))))
    assert low.worse(Severity.LOW)
    assert not low.worse(Severity.MEDIUM)


def test_hosts_are_paired_by_name_then_target_and_the_only_two_anyhow() -> None:
    a, b, c = host(name="a"), host(name="b"), host(name="c")
    a2 = replace(a, target="elsewhere")
    assert paired([a], [b]) == [(a, b)]
    assert paired([a, b], [b, c]) == [(b, b), (None, c), (a, None)]
    assert paired([a, a2], [a2, a]) == [(a2, a2), (a, a)]
    assert paired([a, a2], [replace(a, target="x")]) == [(a, replace(a, target="x")), (a2, None)]
    assert paired([], [a]) == [(None, a)]


def test_a_host_that_is_gone_fixes_nothing_and_one_that_is_new_is_told() -> None:
    found = compare(report(host(fail(), name="a"), host(name="b")), report(host(fail(), name="c"), host(name="b")))
    assert [(each.kind, each.why) for each in found.of(*Kind)] == [
        (Kind.NEW, "the host is new"),
        (Kind.NOT_EVALUATED, "the host is gone"),
    ]


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("It expires in 1 day.", "It expires in 2 days.", True),
        ("TTL 300 on 192.0.2.1", "TTL 86400 on 2001:db8::1", True),
        ("serial 2026112201 at 2026-11-22T12:00:00Z", "serial 2026112302 at 2026-11-23", True),
        ("It asks 192.0.2.1, 192.0.2.2 and 192.0.2.3", "It asks 192.0.2.9", True),
        ("in 36 hours", "in 1 day", True),
        ("port smtp is open", "port imap is open", False),
        ("expires in 3 days", "expired 3 days ago", False),
    ],
)
def test_numbers_times_and_addresses_are_no_change(one: str, other: str, same: bool) -> None:
    assert (steady(one) == steady(other)) is same


def test_messages_are_compared_promptly() -> None:
    steady("1" * 200_000 + " and " * 100_000 + "1, " * 100_000)
    steady("a" * 200_000)
    steady("a1" * 100_000)


# ---- reading a report back


def data() -> dict[str, Any]:
    made: dict[str, Any] = json.loads(dump(as_data(samples.usual())))
    return made


def test_a_report_is_read_back() -> None:
    known = read_report(dump(data()).encode(), "r.json")
    (one,) = known.hosts
    assert len(one.results) == len(samples.usual().hosts[0].results)
    assert {each.verdict for each in one.results} == set(Verdict)
    assert not known.is_complete
    assert all(each.where and each.fingerprint for each in one.findings.values())


@pytest.mark.parametrize(
    ("known", "whole"),
    [
        (report(host(passed(), fail("A1")), code=1), True),
        (report(host(unknown(reason=Reason.OFFLINE), unknown("A1", Reason.NOT_RECORDED))), True),
        (report(host(unknown())), False),  # code 0 by --allow-incomplete
        (report(host(passed(), unfinished=(PF,))), False),
        (replace(report(host(passed())), errors=("mx2: it does not answer",)), False),
        (replace(report(replace(host(passed()), notes=("a waiver is over",))), errors=("mx: a waiver is over",)), True),
        (replace(report(host(passed())), errors=("mx: it does not answer",)), False),
        (report(host(passed()), code=4), False),
    ],
)
def test_what_was_asked_in_vain_makes_a_report_incomplete_whatever_its_code(known: Known, whole: bool) -> None:
    assert known.is_complete is whole


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda d: d.update(schema="x"),
            'r.json: it is no report of mailaudit scan --format json: expected "schema": "mailaudit.report/1", it',
        ),
        (lambda d: d.pop("schema"), "r.json: it is no report of"),
        (lambda d: d.pop("hosts"), "r.json: the document: hosts is missing"),
        (lambda d: d.update(hosts={}), "r.json: hosts: expected a list, found {}"),
        (lambda d: d.update(hosts=[1]), "r.json: hosts[0]: expected an object, found 1"),
        (lambda d: d.update(tool=[]), "r.json: tool: expected an object, found []"),
        (lambda d: d.update(exit_code=True), "r.json: exit_code: expected a number, found true"),
        (lambda d: d.update(exit_code=-1), "r.json: exit_code: expected a number, found -1"),
        (
            lambda d: d["hosts"][0]["results"][0].update(severity="awful"),
            "r.json: hosts[0].results[0].severity: expected one of info, low",
        ),
        (lambda d: d["hosts"][0]["results"][0].update(verdict=["fail"]), "r.json: hosts[0].results[0].verdict: expected one of"),
        (
            lambda d: d["hosts"][0]["results"][0].update(verdict="unknown", reason=None),
            "r.json: hosts[0].results[0]: reason is missing",
        ),
        (
            lambda d: d["hosts"][0]["results"][0].update(verdict="fail", fingerprint=""),
            "r.json: hosts[0].results[0].fingerprint: a finding needs",
        ),
        (lambda d: d["hosts"][0].update(name="x" * 99 + "\udc80", files=7), "r.json: hosts[0].files: expected a list, found 7"),
        (lambda d: d.update(errors=["a", 7]), "r.json: errors[1]: expected a string, found 7"),
        (lambda d: d.update(carried=[{"host": "a"}]), "r.json: carried[0]: target is missing"),
        (
            lambda d: d.update(carried=[{"host": "a", "target": "", "rules": [{"rule": "A", "known": 1}]}]),
            "r.json: carried[0].rules[0].known",
        ),
    ],
)
def test_mistakes_in_a_report_are_told_with_their_place(change: Any, message: str) -> None:
    changed = data()
    change(changed)
    with pytest.raises(ContentError) as caught:
        read_report(json.dumps(changed).encode(), "r.json")
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "r.json:1: it is no JSON: expecting value"),
        (b"{\n]", "r.json:2: it is no JSON"),
        (b"\xff", "r.json: it is not UTF-8 text"),
        (b"[" * 100_000, "r.json: it is nested too deeply"),
        (b"1" * 5000, "r.json: it is nested too deeply, or holds a number that is too long"),
        (b"[]", "r.json: it is no report"),
        (b'"mailaudit.report/1"', "r.json: it is no report"),
    ],
    ids=lambda value: str(value)[:20],
)
def test_what_is_no_report(content: bytes, message: str) -> None:
    with pytest.raises(ContentError) as caught:
        read_report(content, "r.json")
    assert str(caught.value).startswith(message)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3),
    max_leaves=5,
)
KEYS = ("schema", "tool", "rulebook", "started", "hosts", "errors", "exit_code", "exit_reason", "carried")


@given(st.sampled_from(KEYS), st.sampled_from((None, "name", "files", "results", "target")), JSON)
def test_no_content_does_more_than_an_error(key: str, below: str | None, value: object) -> None:
    changed = data()
    if below is None:
        changed[key] = value
    else:
        changed["hosts"][0][below] = value
    with contextlib.suppress(ContentError):
        read_report(json.dumps(changed).encode(), "r.json")


# ---- baseline


def entry(number: int = 1, name: str = "mx", rule: str = "PF010", severity: Severity = Severity.HIGH) -> Entry:
    return Entry(name, PF, rule, f"{number:064x}", "n", severity, "m")


def baseline(*entries: Entry) -> Baseline:
    return Baseline("0.1.0", "recommended", tuple(sorted({each.host for each in entries})), entries, "b.json")


@given(st.lists(st.builds(entry, st.integers(0, 9), st.sampled_from(("a", "b\u202e", "c\udc80"))), unique=True))
def test_a_baseline_is_written_and_read_back_sorted(entries: list[Entry]) -> None:
    text = written(baseline(*entries))
    assert read_baseline(text.encode(), "b.json") == baseline(*sorted(entries))
    assert text.isascii()
    assert text.count("\n") == 8 + max(len({each.host for each in entries}), 1) + max(len(entries), 1)  # an entry a line
    assert written(read_baseline(text.encode(), "b.json")) == text


def test_a_line_that_a_merge_left_twice_is_one_entry() -> None:
    once = written(baseline(entry()))
    text = once.replace("\n]\n}", f",\n{once.splitlines()[7]}\n]\n" + "}")
    assert read_baseline(text.encode(), "b.json").entries == (entry(),)


@pytest.mark.parametrize("order", [1, -1])
def test_of_two_severities_that_a_merge_left_the_lesser_is_accepted(order: int) -> None:
    low, high = replace(entry(), severity=Severity.LOW), replace(entry(), severity=Severity.HIGH)
    lines = [written(baseline(each)).splitlines() for each in (low, high)][::order]
    text = "\n".join((*lines[0][:7], f"{lines[0][7]},", *lines[1][7:]))
    assert read_baseline(text.encode(), "b.json").entries == (low,)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("mailaudit.baseline/1", "mailaudit.report/1", "b.json: it is no baseline of mailaudit baseline create"),
        ('"high"', '"bad"', "b.json: entries[0].severity: expected one of"),
        ('"fingerprint": "0', '"fingerprint": "x', "b.json: entries[0].fingerprint: expected 64 hexadecimal digits"),
        ('"host": "mx"', '"host": 5', "b.json: entries[0].host: expected a string, found 5"),
        ("\n]\n}", "<<<<<<< HEAD\n]\n}", "b.json:8: it is no JSON"),
    ],
)
def test_mistakes_in_a_baseline_are_told_with_their_place(old: str, new: str, message: str) -> None:
    with pytest.raises(ContentError) as caught:
        read_baseline(written(baseline(entry())).replace(old, new, 1).encode(), "b.json")
    assert str(caught.value).startswith(message)


def test_findings_of_a_baseline_are_waived_and_nothing_else_is() -> None:
    (one,) = samples.usual().hosts
    found = [each for each in one.results if each.verdict is Verdict.FAIL]
    entries = tuple(Entry(one.name, PF, each.rule, each.fingerprint, each.name, each.severity, "") for each in found)
    worse = replace(entries[0], severity=Severity(entries[0].severity - 1))
    (done,) = accepted([one], baseline(worse, *entries[1:]))
    assert done.counts()["unknown"] == one.counts()["unknown"]
    after = {each.fingerprint: each for each in done.results}
    assert after[found[0].fingerprint].verdict is Verdict.FAIL
    assert after[found[0].fingerprint].since is Since.UPDATED
    for each in found[1:]:
        told = after[each.fingerprint]
        assert (told.verdict, told.waived_by, told.since) == (Verdict.WAIVED, WaivedBy.BASELINE, Since.UNCHANGED)
        assert told.waiver == "in the baseline b.json"
    (none,) = accepted([one], baseline(*(replace(each, host="other") for each in entries), replace(entries[0], host="third")))
    assert none.counts() == one.counts()
    assert {each.since for each in none.results if each.verdict is Verdict.FAIL} == {Since.NEW}
    (renamed,) = accepted([replace(one, name="now called so")], baseline(*entries))
    assert renamed.counts()["fail"] == 0


def test_entries_that_are_not_needed_are_told_only_where_their_rule_was_evaluated() -> None:
    (one,) = samples.usual().hosts
    by = {verdict: next(each.rule for each in one.results if each.verdict is verdict) for verdict in Verdict}
    gone = entry(7, one.name, by[Verdict.PASS])
    for other, note in ((gone, True), (entry(7, one.name, by[Verdict.UNKNOWN]), False), (entry(7, one.name, "ZZ999"), False)):
        (done,) = accepted([one], baseline(other))
        assert bool(done.notes[len(one.notes) :]) is note
    (done,) = accepted([one], baseline(gone))
    assert done.notes[-1] == (
        f"b.json: 1 entry is not needed, the finding is gone: {by[Verdict.PASS]} (mailaudit baseline prune)"
    )


def test_update_adds_and_keeps_prune_takes_out_what_was_evaluated_and_is_gone() -> None:
    base = baseline(entry(1), entry(2, rule="PF011"), entry(3, rule="PF012"), entry(4, "other"))
    now = report(host(fail(number=5), unknown("PF011"), passed("PF012")))
    after = updated(base, now)
    assert [each.fingerprint[-1] for each in after.added] == ["5"]
    assert {*after.baseline.entries} == {*base.entries, entry(5)}
    less = pruned(base, now)
    assert [each.fingerprint[-1] for each in less.removed] == ["1", "3"]
    assert {each.fingerprint[-1]: why for each, why in less.kept} == {"2": "timed out", "4": "the host was not audited"}
    worse = updated(baseline(entry(1, severity=Severity.LOW)), report(host(fail())))
    assert worse.baseline.entries == (entry(1),)
    assert updated(base, report(host(fail()))).baseline is base
    only = updated(baseline(entry(1)), report(host(fail(number=2), name="renamed")))
    assert [each.host for each in only.baseline.entries] == ["mx", "mx"]


def test_a_scan_that_did_not_run_shrinks_no_baseline() -> None:
    base = baseline(entry(1), entry(2, "mx2"))
    for now in (report(), report(host(unknown())), report(host(exempt(), read=())), report(host(name="mx3"), host(name="mx4"))):
        assert pruned(base, now).baseline.entries == base.entries


def test_two_hosts_of_one_name_share_their_entries() -> None:
    two = report(host(fail()), replace(host(passed()), target="elsewhere"))
    base = baseline(entry(1), entry(2))
    assert pruned(base, two).removed == (entry(2),)


# ---- from night to night


def nights(*states: KnownHost | None) -> list[list[str]]:
    """What is told each night; None is a night on which the host is dead."""
    earlier: Known | None = None
    said = []
    for state in states:
        now = report(state) if state is not None else report(code=4)
        if earlier is None:
            carried, told = carrying.first(now), ["first"]
        else:
            night = carrying.since(earlier, now)
            kinds_ = (Kind.NEW, Kind.FIXED, Kind.CHANGED, Kind.NEWLY_EVALUATED, Kind.RULE_ADDED)
            found = [each for each in night.comparison.of(*kinds_) if each.is_finding]
            carried, told = (
                night.carried,
                [str(each.kind) for each in found] + [f"{each.rule} unknown" for _, each in night.persisting],
            )
        text = dump({**data(), "hosts": [], "carried": list(carried_data(carried))})
        earlier = replace(now, carried=read_report(text.encode(), "r").carried)
        said.append(told)
    return said[1:]


BAD, GOOD, OPEN, DEAD = host(fail()), host(passed()), host(unknown()), None


@pytest.mark.parametrize(
    ("states", "told"),
    [
        ((BAD, BAD, BAD), [[], []]),
        ((GOOD, BAD, BAD), [["new"], []]),
        ((BAD, GOOD, GOOD), [["fixed"], []]),
        ((BAD, OPEN, BAD), [[], []]),
        ((GOOD, OPEN, GOOD), [[], []]),
        ((GOOD, OPEN, BAD), [[], ["new"]]),
        ((BAD, OPEN, GOOD), [[], ["fixed"]]),
        ((BAD, OPEN, OPEN, OPEN, OPEN, BAD), [[], ["PF010 unknown"], [], [], []]),
        ((OPEN, OPEN, OPEN, BAD, BAD), [["PF010 unknown"], [], ["newly-evaluated"], []]),
        ((OPEN, GOOD, OPEN, OPEN), [[], [], ["PF010 unknown"]]),
        ((BAD, DEAD, BAD), [[], []]),
        ((BAD, DEAD, DEAD, GOOD), [[], [], ["fixed"]]),
        ((BAD, OPEN, DEAD, OPEN, GOOD), [[], [], ["PF010 unknown"], ["fixed"]]),
        ((GOOD, DEAD, BAD), [[], ["new"]]),
        ((BAD, host(exempt(), read=()), BAD), [[], []]),
        ((BAD, host(passed("PF011")), BAD), [[], []]),  # another selection
        ((BAD, host(fail(number=2), unfinished=("/x",)), host(fail(), fail(number=2))), [["new"], []]),
        ((host(unknown(reason=Reason.OFFLINE)),) * 4, [[], [], []]),
        ((host(passed("PF011")), host(passed("PF011"), fail())), [["rule-added"]]),
    ],
)
def test_the_nightly_report_tells_changes_once_and_does_not_flap(
    states: tuple[KnownHost | None, ...], told: list[list[str]]
) -> None:
    assert nights(*states) == told


@given(st.lists(st.sampled_from((BAD, GOOD, OPEN, DEAD)), min_size=2, max_size=12))
def test_what_is_told_over_the_nights_is_what_became_of_it(states: list[KnownHost | None]) -> None:
    known = [each for each in states if each in (BAD, GOOD)]
    changes = ["new" if new is BAD else "fixed" for old, new in pairwise(known) if old is not new]
    told = [each for night in nights(*states) for each in night if each in ("new", "fixed")]
    late = states[0] not in (BAD, GOOD)
    assert told == changes or (late and told in (["new", *changes], changes))


def test_a_dead_host_is_not_taken_for_the_one_that_answered() -> None:
    earlier = report(host(fail()))
    night = carrying.since(earlier, report(host(fail(number=2), name="other"), code=4))
    assert [(each.kind, each.why) for each in night.comparison.of(*Kind)] == [(Kind.NEW, "the host is new")]
    assert [each.findings for each in night.carried["mx", "mx"]] == [(fail(),)]
    renamed = carrying.since(earlier, report(host(fail(), name="other")))
    assert {each.kind for each in renamed.comparison.of(*Kind)} == {Kind.UNCHANGED}


def test_only_findings_are_carried() -> None:
    night = carrying.since(report(host(passed("A1"), fail("A2"))), report(host(unknown("A1"), unknown("A2"))))
    assert night.carried["mx", "mx"] == (Carried("A1", known=True, times=1), Carried("A2", True, 1, (fail("A2"),)))


def test_a_run_that_audited_nothing_keeps_all() -> None:
    night = report(host(fail(), unknown("PF011")), carried={("mx", "mx"): (Carried("PF011", True, 1, (fail("PF011", 9),)),)})
    kept = carrying.kept(night)
    assert {(each.rule, each.known, each.times, len(each.findings)) for each in kept["mx", "mx"]} == {
        ("PF010", True, 0, 1),
        ("PF011", True, 1, 1),
    }


def test_hosts_of_one_name_are_told_apart() -> None:
    alike = [host(passed(), name="mx")] * 3
    compared = Compared(compare(report(*alike), report(*alike, replace(host(fail(), name="mx"), target="./b"))))
    for told in (terminal.write(compared, Screen()), markdown.write(compared)):
        assert "mx (./b) (new)" in told.replace("\\", "")
        assert f"mx ({alike[0].target}) 3" in told.replace("\\", "")
