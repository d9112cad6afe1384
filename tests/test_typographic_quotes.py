"""Quotes as word processors write them are told as such, and mended into straight ones once."""

from __future__ import annotations

from pathlib import Path

import pytest
from command_line import Run

from mailaudit.parsers import LANGUAGES
from mailaudit.text import Text


@pytest.mark.parametrize(
    ("language", "chars", "mend"),
    [
        ("smtpd", "pki a cert “/etc/ssl/a.pem”\n", '"/etc/ssl/a.pem"'),
        ("smtpd", "table t file:“/etc/mail/t”\n", '"file:/etc/mail/t"'),
        ("smtpd", "action „l“ maildir ‘~/a b’ # “x”\n", '"l" maildir "~/a b"'),
        ("pf", "tcp = “{ 22 25 }”\n", '"{ 22 25 }"'),
        ("pf", "pass in on ‘em0’ proto tcp to port 25\n", '"em0"'),
        ("httpd", 'server “a.org” {\n listen on * port 80\n root "/x"\n}\n', '"a.org"'),
        ("acme", "authority “x” {\n api url “https://a”\n}\n", '"x"'),
    ],
)
def test_what_is_meant_is_plain(language: str, chars: str, mend: str) -> None:
    text = Text.of("/x", chars)
    statement = LANGUAGES[language].parse(text, lambda _: None).statements[0]
    assert statement.problem is not None
    assert statement.problem.mend == mend
    assert statement.problem.message == f"typographic quotes are no quotes here: {mend} is meant"
    span = statement.problem.span
    mended = Text.of("/x", chars[: span.start] + mend + chars[span.end :])
    again = LANGUAGES[language].parse(mended, lambda _: None).statements[0]
    assert again.problem is None
    assert [token.value for token in again.seen] == [token.value for token in statement.seen]


@pytest.mark.parametrize(
    "chars", ["pki a cert “/etc/ssl/a.pem\n", "pki a cert /etc/ssl/a.pem”\n", "“\n", 'x = "“"\npki $x cert “\n']
)
def test_what_is_not_plain_is_left(chars: str) -> None:
    last = LANGUAGES["smtpd"].parse(Text.of("/x", chars), lambda _: None).statements[-1]
    assert last.problem is not None
    assert last.problem.mend is None


def test_a_fix_mends_them_once(run: Run, tmp_path: Path) -> None:
    (tmp_path / "etc/mail").mkdir(parents=True)
    file = tmp_path / "etc/mail/smtpd.conf"
    file.write_text("listen on all\naction ”r“ relay\nmatch from local for any action “r”\n")
    assert run("fix", tmp_path, "--unsafe", "--write", "--select", "SMTPD001")[0] == 0
    assert file.read_text() == 'listen on all\naction "r" relay\nmatch from local for any action "r"\n'
