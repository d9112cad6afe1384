"""What the fixes of the rules' pages write, the real Dovecot and smtpd take: each of the release that the page's case is for."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
from daemons import Root, need, roots
from test_mending import accepted, pair
from test_rule_pages import ALLOWED, BOOK, auditor, lay

from mailaudit.models.dovecot.settings import NEW, OLD
from mailaudit.repair import plan
from mailaudit.rulebook import Case, Page
from mailaudit.text import encode

MAIN, LOCAL = "/etc/dovecot/dovecot.conf", "/etc/dovecot/local.conf"
OURS = ("/etc/dovecot/", "/etc/mail/")
_READ = re.compile(r"(?:<\s*|_file\s*=\s*)(/[^\s\"]+)")  # a file that Dovecot looks into as it loads


def mended(page: Page, case: Case, root: Path) -> dict[str, bytes]:
    """The files of a case after its fixes; none where they change nothing that Dovecot or smtpd reads."""
    lay(case, root)
    done = plan(auditor(page, root), ALLOWED)
    files = {path: encode(chars) for path, chars in done.files.items() if path.startswith(OURS)}
    return {**whole(case), **files} if files else {}


def whole(case: Case) -> dict[str, bytes]:
    """The files of a case, and the main file that includes the site's own where the case shows that alone."""
    files = {path: text.encode() for path, text in case.files.items() if path.startswith(OURS)}
    return {MAIN: f"!include {LOCAL}\n".encode(), **files} if LOCAL in files else files


def said(root: Root, room: Path, name: str, files: dict[str, bytes]) -> dict[str, str]:
    """What the daemons say; every key and certificate that Dovecot is told of is there."""
    both = [b"\n".join(data for path, data in files.items() if path.startswith(each)).decode() for each in OURS]
    pem = {path: "key.pem" if "private" in path else "cert.pem" for path in _READ.findall(both[0]) if path not in both[1]}
    return accepted(root, room, name, {**{path: (pair() / file).read_bytes() for path, file in pem.items()}, **files})


@pytest.mark.daemon
@pytest.mark.parametrize("root", roots(), ids=lambda root: root.name)
def test_daemons_take_what_the_fixes_of_pages_write(root: Root, tmp_path: Path) -> None:
    need(root, "doveconf")
    family = ".".join(root.run("dovecot", "--version").stdout.split(".")[:2])
    room = root.room(tmp_path / "room")
    refused, taken = {}, 0
    cases = [(page, each) for page in BOOK.pages.values() for each in page.cases if each.wrong and whole(each)]
    try:
        for number, (page, case) in enumerate(cases):
            is_new = any("dovecot_config_version" in text for text in case.files.values())
            if is_new is not (family == NEW):
                continue
            files = mended(page, case, tmp_path / str(number))
            after = said(root, room, f"{number}-after", files) if files else {}
            taken += sum(not each for each in after.values())
            wrong = {program: why for program, why in after.items() if why}
            before = said(root, room, f"{number}-before", whole(case)) if wrong else {}
            harmed = {program: why for program, why in wrong.items() if program == "dovecot" or before.get(program) == ""}
            refused.update({(page.id, case.title, program): why for program, why in harmed.items()})
    finally:
        if root.path is not None:
            shutil.rmtree(room)
    assert refused == {}
    assert taken > {OLD: 200, NEW: 25}[family]
