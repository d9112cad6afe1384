"""A seeded sample of `make corpus`: real files and their mutants come back byte for byte, where the collection is there."""

from __future__ import annotations

import random

import pytest

from bench import corpus, laws
from bench.agreement import CORPORA
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
