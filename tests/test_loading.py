"""A file that is none of its daemon's is one finding; one with a few faults is a finding for each."""

from __future__ import annotations

import pytest
from pf_corpus import read

from bench.agreement.smtpd import model
from mailaudit.checks.loading import is_another_language, loads
from mailaudit.checks.pf.ruleset import pf_conf_loads
from mailaudit.findings import Finding
from mailaudit.models.reference import Reference
from mailaudit.models.verdicts import Verdicts

POSTFIX = """\
smtp      inet  n       -       y       -       -       smtpd
submission inet n       -       y       -       -       smtpd
  -o syslog_name=postfix/submission
  -o smtpd_tls_security_level=encrypt
pickup    unix  n       -       y       60      1       pickup
cleanup   unix  n       -       y       -       0       cleanup
qmgr      unix  n       -       n       300     1       qmgr
"""
SHELL = '#!/bin/sh\nset -e\nfor f in *; do\n  echo "$f"\n  rm -f /tmp/x\n  mv a b\n  exit 1\ndone\n'
FAULTS = "listen on lo0 port {\nlisten on\naction\nqueue\nmatch\naction l mbox\nmatch for local action l\n"


@pytest.mark.parametrize(("chars", "findings"), [(POSTFIX, 1), (SHELL, 1), (FAULTS, 5)])
def test_a_file_of_another_program_is_one_finding(chars: str, findings: int) -> None:
    smtpd = model(chars.encode())
    found = [each for each in loads(smtpd, "smtpd", Reference()) if isinstance(each, Finding)]
    assert len(found) == findings
    assert is_another_language(smtpd) is (findings == 1)
    assert ("another program's file" in found[0].message) is (findings == 1)


def test_a_file_with_carriage_returns_is_still_its_own() -> None:
    assert not is_another_language(model(FAULTS.replace("\n", "\r\n").encode()))


def test_a_firewall_of_another_system_is_one_finding() -> None:
    chars = "*filter\n:INPUT DROP [0:0]\n-A INPUT -i lo -j ACCEPT\n-A INPUT -p tcp --dport 22 -j ACCEPT\nCOMMIT\n"
    (found,) = pf_conf_loads(read(chars), Reference(), Verdicts())
    assert isinstance(found, Finding)
    assert "another program's file" in found.message
