"""What is typed once files were written, and in which order: as the corrected example's daemons take them up."""

from __future__ import annotations

from pathlib import Path

import pytest

from mailaudit import rulebook
from mailaudit.auditor import Options, auditor_for
from mailaudit.collect.roots import find_worlds
from mailaudit.models.facts import Facts
from mailaudit.models.taking_effect import ORDER, steps

EXAMPLE = Path(__file__).parents[1] / "examples" / "corrected"
SIEVE = "/usr/local/lib/dovecot/sieve/report-ham.sieve"


@pytest.fixture(scope="module")
def facts() -> Facts:
    (world,) = find_worlds(str(EXAMPLE))
    return auditor_for(world, rulebook.load(), Options()).learn()[1]


@pytest.mark.parametrize(
    ("changed", "typed"),
    [
        ([], []),
        (["/etc/acme-client.conf", "/etc/doas.conf"], []),
        (["/etc/mail/smtpd.conf", "/etc/pf.conf"], ["pfctl -f /etc/pf.conf", "rcctl restart smtpd"]),
        (["/etc/dovecot/conf.d/10-ssl.conf", "/etc/dovecot/local.conf"], ["rcctl reload dovecot"]),
        (["/etc/mail/virtuals"], ["smtpctl update table virtuals"]),
        (["/etc/mail/credentials"], ["smtpctl update table credentials"]),
        (["/etc/mail/aliases", "/etc/mail/smtpd.conf"], ["rcctl restart smtpd"]),
        (["/etc/rspamd/local.d/settings.conf", "/etc/httpd.conf"], ["rcctl reload httpd", "rcctl restart rspamd"]),
        ([SIEVE, "/etc/dovecot/local.conf"], [f"sievec {SIEVE}", "rcctl reload dovecot"]),
        (["/etc/ssh/sshd_config", "/etc/mail/mailname"], ["rcctl restart smtpd", "rcctl reload sshd"]),
    ],
)
def test_what_is_typed_for_which_files(facts: Facts, changed: list[str], typed: list[str]) -> None:
    assert [step.command for step in steps(changed, facts.slots)] == typed


def test_each_step_names_its_files_and_what_checks_them(facts: Facts) -> None:
    (step,) = steps(["/etc/mail/smtpd.conf", "/etc/mail/virtuals"], facts.slots)
    assert (step.daemon, step.check, step.because) == ("smtpd", "smtpd -n", ("/etc/mail/smtpd.conf",))


def test_what_others_need_comes_first() -> None:
    place = {each.daemon: number for number, each in enumerate(ORDER)}
    assert place["pf"] < place["smtpd"]
    assert place["redis"] < place["rspamd"] < place["dovecot"] < place["smtpd"]
    assert max(place, key=place.__getitem__) == "sshd"
