"""A seeded sample of `make corpus`: real files and their mutants come back byte for byte, where the collection is there."""

from __future__ import annotations

import random

import pytest

from bench import corpus, laws
from bench.agreement import CORPORA, pf
from bench.agreement.pf_space import compared
from mailaudit.models.pf.packet import read_packet
from mailaudit.models.pf.shadow import shadowed
from mailaudit.parsers import LANGUAGES

pytestmark = pytest.mark.skipif(not CORPORA.is_dir(), reason="the collection of real files is not beside this checkout")
READ = sorted(set(LANGUAGES) & set(corpus.FOLDERS))


@pytest.mark.parametrize("language", READ)
def test_real_files_come_back(language: str) -> None:
    paths = list(corpus.files(language))
    for path in random.Random(language).sample(paths, min(len(paths), 25)):
        laws.check(LANGUAGES[language], path.read_bytes())


def test_mutants_of_real_files_come_back() -> None:
    jobs = corpus.mutant_jobs(1500, 1)
    assert sum(count for _, _, count, _ in jobs) == 1500
    assert [line for job in jobs for line in corpus.mutate(job)] == []


def test_less_than_one_in_a_hundred_statements_of_whole_hosts_is_unread() -> None:
    hosts = [corpus.Reading(name) for name in LANGUAGES]
    by_name = {each.language: each for each in hosts}
    for language, path in corpus.host_files():
        by_name[language].add(path)
    assert sum(each.statements for each in hosts) > 2000
    assert 100 * sum(each.unread for each in hosts) < sum(each.statements for each in hosts)


def test_what_is_reachable_by_real_rulesets_is_what_packets_reach() -> None:
    names = [name for name, accepted in pf.real_rulesets() if accepted and len(pf.interfaces_of(name).known) <= 4]
    for name in random.Random(22).sample(names, 8):
        tried, wrong = compared(pf.real(name), name, share=0.02)
        assert tried, name
        assert wrong == [], name


def test_packets_are_in_doubt_for_a_reason_of_the_list() -> None:
    row = pf.packets(random.Random(23).sample(pf.real_rulesets(), 12), pf.FOLDER, 40)
    assert row.agree + row.in_doubt == row.of
    assert row.wrong == ()


def test_rules_that_never_decide_decide_over_no_recorded_packet() -> None:
    for name, accepted in random.Random(24).sample(pf.real_rulesets(), 30):
        packets = pf.FOLDER / "packets" / f"{name}.pkts"
        if not accepted or not packets.exists():
            continue
        ruleset = pf.real(name)
        told = {id(each.rule) for each in shadowed(ruleset)}
        by_name = {interface.name: interface for interface in ruleset.interfaces.known}
        for line in packets.read_text("utf-8").splitlines() if told else ():
            decision = ruleset.verdict(read_packet(line, by_name))
            assert not told & {id(rule) for rule in (decision.rule, *decision.doubts)}, (name, line)
