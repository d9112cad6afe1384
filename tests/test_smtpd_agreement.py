"""mailaudit refuses of smtpd.conf what smtpd refuses, at its line: by recorded answers of 6.8 and 7.8, and by asking live."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from daemons import Root, need, roots
from smtpd_live import NAME, Live, Said, beside, live, mutants, statements, whole

from bench.agreement import CORPORA
from bench.agreement.smtpd import VERSIONS, compare, hosts, meanings, model, old_files
from mailaudit.models.smtpd.config import SmtpdConfig

needs_corpora = pytest.mark.skipif(not CORPORA.is_dir(), reason="the corpora of real files are not beside this checkout")
SOUND = 'pki p cert "/etc/ssl/mail.example.com.pem"\npki p key "/etc/ssl/private/mail.example.com.key"\n'
SOUND += 'filter f proc-exec "/bin/true"\naction l mbox\naction o relay\n'
END = "match for local action l\n"


@needs_corpora
@pytest.mark.parametrize("version", VERSIONS)
def test_recorded_answers(version: str) -> None:
    row = compare(CORPORA, version)
    assert row.wrong == ()
    assert row.agree == row.of


@needs_corpora
def test_the_model_says_what_smtpd_understood() -> None:
    for row in (meanings(CORPORA), hosts(CORPORA)):
        assert row.wrong == (), row.subject


@needs_corpora
def test_the_grammar_before_64_is_named_once_and_nothing_else_is_taken_for_it() -> None:
    row = old_files(CORPORA)
    assert row.wrong == ()


def test_what_became_of_the_words_before_64() -> None:
    smtpd = model(
        b'pki a.org certificate "/c"\nlisten on em0 secure tag OUT\nexpire 4d\n'
        b'accept tagged OUT from source 10.0.0.0/8 for domain "a.org" virtual <v> deliver to maildir "~/m"\n'
        b"accept for any relay via smtp://h\nreject from any sender { x }\n"
    )
    problem = smtpd.old_grammar
    assert problem is not None
    assert smtpd.refusals == (problem,)
    for words in (
        '"accept" is now "match ... action NAME"',
        '"reject" is now "match ... reject"',
        '"deliver to maildir" is now "action NAME maildir"',
        '"relay via" is now "action NAME relay host"',
        '"from source" is now "from src"',
        '"tagged" is now "tag"',
        '"sender" is now "mail-from"',
        '"virtual" is now "virtual, after the action"',
        '"certificate" is now "cert"',
        '"secure" is now "tls, or smtps on a port of its own"',
        '"expire" is now "queue ttl"',
    ):
        assert words in problem.message


def test_one_old_rule_does_not_make_a_file_an_old_one() -> None:
    smtpd = model(b"action l mbox\nmatch for local action l\nreject from any sender { x }\n")
    assert smtpd.old_grammar is None
    assert [problem.message for problem in smtpd.refusals] == [
        'this is the grammar of OpenSMTPD before 6.4: "reject" is now "match ... reject", "sender" is now "mail-from"'
    ]
    assert len(smtpd.rules) == 1


@pytest.mark.parametrize(
    ("chars", "since", "message", "line"),
    [
        ("table t {\n a\n}", (7, 5), 'does not read a new line after "{"', 3),
        ("table t { a,\n b }", (7, 5), 'does not read a new line after ","', 3),
        ("table t { a\n}", (7, 5), 'does not read a new line before "}"', 4),
        ("table t { a\n b }", (6, 4), "", 0),
        ("match mail-from { a = b } action l", (7, 5), 'can not look "mail-from" up in a table of keys with values', 3),
        ("match for rcpt-to { a = b } action l", (7, 5), "in a table of keys with values", 3),
        ("listen on socket no-dsn", (7, 5), 'does not read "socket no-dsn"', 3),
        ("listen on lo0 tls pki a pki a", (6, 9), "more than one pki", 3),
        ('listen on lo0 tls pki a protocols "x"', (6, 9), 'does not read "protocols"', 3),
        ('action x relay ciphers "x"', (6, 9), 'does not read "ciphers"', 3),
        ("admd x", (6, 8), 'does not read "admd"', 3),
        ("match from auth for any action l", (6, 7), 'does not read "from auth"', 3),
        ("match from rdns for any action l", (6, 5), 'does not read "rdns"', 3),
        ('filter f proc-exec "x"', (6, 6), 'does not read "filter"', 3),
        ("match auth for any action l", (6, 4), "", 0),
    ],
)
def test_what_a_release_does_not_read_yet(chars: str, since: tuple[int, int], message: str, line: int) -> None:
    text = f'pki a cert "/c" key "/k"\naction l mbox\n{chars}\nmatch for local action l\n'.encode()
    assert model(text, f"{since[0]}.{since[1]}").refusals == ()
    if message:
        before = (since[0], since[1] - 1)
        problem = model(text, f"{before[0]}.{before[1]}").refusals[0]
        assert message in problem.message
        assert f"smtpd before {since[0]}.{since[1]}" in problem.message
        assert problem.span.line == line


def test_tls_without_pki_is_refused_since_libtls() -> None:
    text = b"listen on lo0 tls\naction l mbox\nmatch for local action l\n"
    assert model(text, "6.8").refusals == ()
    assert '"tls" needs a "pki"' in model(text, "6.9").refusals[0].message


@pytest.mark.parametrize("value", ["99", "0", "-1"])
def test_fewer_than_100_recipients_are_refused_since_79(value: str) -> None:
    text = f"smtp limit max-mails 1 max-rcpt {value}\naction l mbox\nmatch for local action l\n"
    assert model(text.encode(), "7.8").refusals == ()
    problem = model(text.encode(), "7.9").refusals[0]
    assert (problem.span.chars, problem.mend) == (value, "100")
    assert "since OpenSMTPD 7.9" in problem.message
    assert model(text.replace(value, "100").encode(), "7.9").refusals == ()
    limit = f'n = "{value}"\nsmtp limit max-rcpt $n\naction l mbox\nmatch for local action l\n'
    assert model(limit.encode(), "7.9").refusals[0].mend is None


def test_the_name_of_a_pki_is_kept_in_lower_case_and_looked_for_as_written() -> None:
    text = b'pki Mail.A cert "/c" key "/k"\nlisten on lo0 tls pki Mail.A\naction l mbox\nmatch for local action l\n'
    assert model(text, "6.8").refusals == ()
    problem = model(text).refusals[0]
    assert (problem.span.line, problem.mend) == (2, "mail.a")


def test_a_word_that_was_none_of_the_keywords_yet() -> None:
    text = b"table protocols { a }\naction l mbox\nmatch from src <protocols> for local action l\n"
    assert model(text).refusals != ()
    assert model(text, "6.8").refusals == ()


def differs(live: Live, text: str, smtpd: SmtpdConfig, said: Said) -> str:
    """How the two differ on a file, in words; a line counts where both name one in the file itself."""
    ours = min((problem.span.line for problem in smtpd.refusals if problem.span.path == NAME), default=None)
    lines = None not in (ours, said.line) and ours != said.line
    if said.of_others or not (said.ok is bool(smtpd.refusals) or lines):
        return ""
    shown = [(problem.span.line, problem.message) for problem in smtpd.refusals]
    return f"{live.version}: {said} but {shown}\n{text[-300:]}"


@pytest.mark.daemon
@pytest.mark.parametrize("root", roots(), ids=lambda root: root.name)
def test_live_answers(root: Root, tmp_path: Path) -> None:
    need(root, "smtpd")
    others = beside()
    with live(root, tmp_path) as smtpd:
        assert smtpd.ask(whole(smtpd.version)).ok
        texts = [f"{SOUND}{each}\n{END}" for each in random.Random(6).sample(statements(), 60)]
        texts += [whole("7.8"), *mutants(whole(smtpd.version), 6, 40)]
        different = [
            differs(smtpd, text, model(text.encode("utf-8", "surrogateescape"), smtpd.version, others), smtpd.ask(text))
            for text in texts
        ]
    assert list(filter(None, different)) == []


def test_the_fixture_is_read_whole() -> None:
    smtpd = model(whole("7.8").encode(), files=beside())
    assert smtpd.refusals == ()
    assert smtpd.not_read == []
    assert model(whole("6.8").encode(), "6.8", beside()).refusals == ()
