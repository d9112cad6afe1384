"""The pf corpus as test cases: micro-tests, real rulesets, interfaces and packets with pfctl's and pf's answers."""

from __future__ import annotations

from bench.agreement.pf import ELSEWHERE, LENIENT, TRIED_ON, Micro, interfaces_of, micro_tests, read, real_rulesets
from bench.agreement.pf import FOLDER as CORPUS

__all__ = ["CORPUS", "ELSEWHERE", "LENIENT", "TRIED_ON", "Micro", "interfaces_of", "micro_tests", "read", "real_rulesets"]

HAS_CORPUS = CORPUS.is_dir()
WHY_NOT = "the corpora of real files are not beside this checkout"
