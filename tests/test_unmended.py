"""Every rule mends itself: some Wrong section of its page has edits, an exact command or a record; else there is a reason."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from mailaudit import rulebook, settings
from mailaudit.auditor import Auditor, Options
from mailaudit.collect.memory import MemoryDirectory, MemoryWorld
from mailaudit.findings import Result, Verdict
from mailaudit.rulebook import Page

BOOK = rulebook.load()

UNMENDED = {
    "ABUSE007": "RSPAMD002, HOST073 and PF048 mend the parts that make it",
    "ABUSE010": "no setting of smtpd changes it",
    "ABUSE011": "which names there are, only the site knows",
    "ALIAS003": "what a program or a file in an alias is for, only its owner knows",
    "CRED014": "which of two passwords is the right one, only the user knows",
    "DNS001": "signatures are made by whoever runs the zone",
    "DNS012": "name servers are the registrar's and the zone's",
    "DNS054": "a blocklist is asked by its own form",
    "HOST005": "a host's name is chosen by its owner",
    "HOST072": "backups are arranged elsewhere",
    "HOST077": "what was meant by a line that cron cannot read, only its writer knows",
    "HOST078": "what was meant by a line that ifconfig cannot read, only its writer knows",
    "HOST079": "what was meant by a broken account, only its writer knows",
    "HOST080": "what was meant by a broken login class, only its writer knows",
    **{f"POLICY00{number}": "whether the host or the policy is to change, only the site knows" for number in range(1, 8)},
}
"""Rules whose findings no machine can mend, each with the reason."""


def found(page: Page) -> Iterator[Result]:
    """The findings of its Wrong sections, one section after another."""
    for case in page.cases:
        if case.wrong:
            held = {f"/{path.lstrip('/')}": text.encode() for path, text in case.files.items()}
            world = MemoryWorld(MemoryDirectory.of({"/etc/x": b"", **held}), "host", "host")
            auditor = Auditor(world, BOOK, settings.load(world.settings), Options(), (page.id,))
            yield from (each for each in auditor.examine(*auditor.learn()).results if each.verdict is Verdict.FAIL)


def is_mended(result: Result) -> bool:
    fix = result.fix
    return fix is not None and bool(fix.edits or fix.commands or fix.records)


@pytest.mark.parametrize("identity", BOOK.pages)
def test_a_rule_mends_itself_or_says_why_not(identity: str) -> None:
    mended = any(map(is_mended, found(BOOK.pages[identity])))
    assert mended != (identity in UNMENDED), "UNMENDED names a rule that mends itself" if mended else "no fix, and no reason"


def test_reasons_are_of_rules_that_exist() -> None:
    assert not set(UNMENDED) - set(BOOK.pages)
    assert all(len(why.split()) > 3 for why in UNMENDED.values())
