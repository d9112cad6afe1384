"""The corrected example otherwise written stays clean, spoilt in one place is found out, robbed of evidence does not pass.

Seeded samples of `make metamorphic`, which does the whole.
"""

from __future__ import annotations

import random
from functools import cache

import pytest

from bench.metamorphic.evidence import losses, seeded, silent, used_by
from bench.metamorphic.families import FAMILIES, NOT_COVERED, WAYS
from bench.metamorphic.faults import Family, edit, faults
from bench.metamorphic.host import BOOK, Bench
from bench.metamorphic.rewrites import Way, rewrites, spoilt
from mailaudit.findings import HostReport, Verdict
from mailaudit.questions import Question, StatFile

LIVE = {"D", "P", "T"}  # evidence of the network: what is wrong there is no fault of a file
PARTS = 3
FEW = 10  # of each part


@cache
def bench() -> tuple[Bench, HostReport]:
    made = Bench()
    return made, made.judge(made.base)


def test_the_example_is_as_it_was_left() -> None:
    """What is judged here is what `mailaudit scan examples/corrected` judges."""
    _, base = bench()
    assert {result.verdict for result in base.results} <= {Verdict.PASS, Verdict.NOT_APPLICABLE}
    assert {result.rule for result in base.results} == {page.id for page in BOOK.pages.values() if "strict" in page.profiles}


@pytest.mark.parametrize("part", range(PARTS))
def test_rewrites_stay_clean(part: int) -> None:
    known, base = bench()
    ways = random.Random(part).sample(WAYS, FEW)
    for each in rewrites(known, ways, FEW + 4, seed=part):
        assert not spoilt(base, known.judge(each.host)), each


@pytest.mark.parametrize("part", range(PARTS))
def test_single_faults_are_found_where_they_are(part: int) -> None:
    known, _ = bench()
    families = random.Random(part).sample(FAMILIES, FEW)
    for fault in faults(known.base, families, FEW, seed=part):
        assert fault.found(known.judge(fault.host)) is None, (fault.family.rule, fault.family.what)


def test_what_can_be_generated_is_enough() -> None:
    known, _ = bench()
    assert len(WAYS) >= 200
    assert len(FAMILIES) >= 300
    assert len({str(each) for each in rewrites(known, WAYS, len(WAYS) + 100, seed=1)}) > 200


def test_each_rule_has_a_fault_or_a_reason() -> None:
    about = {family.rule for family in FAMILIES}
    assert about <= set(BOOK.pages)
    assert set(NOT_COVERED) <= set(BOOK.pages) - about
    told = {page.id for page in BOOK.pages.values() if not set(page.evidence) & LIVE}
    assert not told - about - set(NOT_COVERED)


@pytest.mark.parametrize("part", range(PARTS))
def test_lost_evidence_lets_nothing_pass_in_silence(part: int) -> None:
    known, base = bench()
    families = random.Random(part).sample(FAMILIES, FEW)
    used = used_by(known, families)
    lost = [loss for loss in losses(known) if loss.question in used]
    for loss in [*lost, *seeded(list(losses(known)), FEW // 2, part)]:
        assert not silent(base, used, loss, known.judge(loss.host))


# The trials can fail: what they would miss if they did not look is told apart.


def test_a_rewrite_that_changes_the_meaning_is_noticed() -> None:
    known, base = bench()
    way = Way("not the same", "/etc/pf.conf", lambda host, _: host.edit("/etc/pf.conf", "block log all", "pass log all"))
    (each,) = rewrites(known, [way], 1, seed=0)
    assert spoilt(base, known.judge(each.host))


def test_a_fault_that_another_rule_finds_or_none_is_noticed() -> None:
    known, _ = bench()
    other = Family("PF002", "not this one", edit("/etc/pf.conf", "block log all", "pass log all"))
    none = Family("PF002", "none", edit("/etc/pf.conf", "# Counters for", "# Figures for"))
    elsewhere = Family("PF051", "not there", edit("/etc/pf.conf", "loginterface egress", "loginterface none"), at="block log")
    found = [fault.found(known.judge(fault.host)) for fault in faults(known.base, [other, none, elsewhere], 3, seed=0)]
    assert [why.split(";")[0] if why else why for why in found][:2] == ["pass ", "pass "]
    assert found[2]
    assert found[2].startswith("points at")


def test_a_rule_that_passes_without_its_evidence_is_noticed() -> None:
    known, base = bench()
    question: Question = StatFile("/etc/pf.conf")
    (loss, _) = losses(known, [question])
    assert [
        line.split(" passes")[0] for line in silent(base, {question: {"PF010": "made up"}}, loss, known.judge(loss.host))
    ] == ["stat /etc/pf.conf not recorded: PF010"]
