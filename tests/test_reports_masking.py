"""Secrets are masked and control characters shown, wherever they stand."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailaudit.reports.masking import Mask, visible
from mailaudit.text import Text

KEY = "0123456789abcdef0123456789abcdef"


def test_a_secret_is_masked_wherever_it_stands() -> None:
    assert Mask([("queue-key", KEY)])(f'a "{KEY}" b {KEY}') == 'a "{{masked:queue-key}}" b {{masked:queue-key}}'


@pytest.mark.parametrize("between", ["\\\n", "\n", "\\\r\n", "\\", "\\\n\\\n"])
def test_a_secret_is_masked_even_if_written_in_pieces(between: str) -> None:
    written = KEY[:5] + between + KEY[5:20] + between + KEY[20:]
    assert Mask([("key", KEY)])(f"x\n{written}\ny") == "x\n{{masked:key}}\ny"


@pytest.mark.parametrize("mark", [" ", "-", "+"])
def test_a_secret_is_masked_in_a_diff_even_if_written_in_pieces(mark: str) -> None:
    diff = f"@@ -1,2 +1,2 @@\n{mark}key {KEY[:9]}\\\n{mark}{KEY[9:]}\n-old\n"
    assert Mask([("key", KEY)])(diff, diff=True) == f"@@ -1,2 +1,2 @@\n{mark}key {{{{masked:key}}}}\n-old\n"


def test_a_short_secret_is_masked_only_as_a_word() -> None:
    mask = Mask([("password", "root")])
    assert mask("chroot root, rooted root_x root") == "chroot {{masked:password}}, rooted root_x {{masked:password}}"


def test_no_secret_is_no_change() -> None:
    assert Mask([("key", "")])("abc") == "abc"


def test_secrets_that_overlap_are_one_mask() -> None:
    assert Mask([("a", "abcdefgh"), ("b", "efghijkl")])("x abcdefghijkl y") == "x {{masked:a}} y"


@pytest.mark.parametrize(
    "hashed",
    [
        "$2b$10$abcdefghijklmnopqrstuuJ1nVJq4bGmGZ0RbLfUjzYp1d8Zb8dWe",
        "{SHA512-CRYPT}$6$rounds=5000$abcdefgh$ijklmnopqrstuvwxyz",
        "{PLAIN}hunter2",
    ],
)
def test_a_password_hash_is_masked_though_nobody_named_it(hashed: str) -> None:
    assert Mask()(f"u:{hashed}:x") == "u:{{masked:hash}}:x"


@pytest.mark.parametrize(
    ("written", "masked"),
    [
        (f"queue encryption {KEY}", "queue encryption {{masked:queue-encryption}}"),
        (f'queue encryption key "{KEY} x" y', 'queue encryption key "{{masked:queue-encryption}}" y'),
        ('enable_password = "q1";', 'enable_password = "{{masked:enable_password}}";'),
        ("srs key abc", "srs key {{masked:srs-key}}"),
        ('queue encryption "{{generate:hex16}}"', 'queue encryption "{{generate:hex16}}"'),
    ],
)
def test_statements_that_set_secrets_are_masked_unread(written: str, masked: str) -> None:
    assert Mask()(written, written=True) == masked
    assert Mask()(written) == written


@given(st.text(alphabet="ab\\\n\r"), st.lists(st.tuples(st.just("k"), st.text(alphabet="ab\\\n"))))
def test_masking_takes_any_text(chars: str, secrets: list[tuple[str, str]]) -> None:
    mask = Mask(secrets)
    at = 0
    for start, end, _ in mask.spans(chars):
        assert at <= start < end <= len(chars)
        at = end
    mask(chars)


@given(st.text(), st.sampled_from(["utf-8", "ascii", "latin-1", "nonsense"]))
def test_what_is_shown_can_be_written_and_does_nothing(chars: str, encoding: str) -> None:
    shown = visible(chars, encoding)
    assert shown.isprintable()
    shown.encode("utf-8" if encoding == "utf-8" else "latin-1" if encoding == "latin-1" else "ascii")


@pytest.mark.parametrize(
    ("chars", "shown"),
    [
        ("\x1b[31mred", "\\x1b[31mred"),
        ("caf\udce9", "caf\\xe9"),
        ("a\u202eb", "a\\u202eb"),
        ("a\u00a0b", "a\\xa0b"),
        ("\U000e0001", "\\U000e0001"),
        ("Zürich", "Zürich"),
        ("a\nb\tc", "a\\x0ab\\x09c"),
    ],
)
def test_control_characters_are_shown(chars: str, shown: str) -> None:
    assert visible(chars) == shown


def test_what_an_encoding_lacks_is_shown() -> None:
    assert visible("Zürich", "ascii") == "Z\\xfcrich"
    assert visible("…", "latin-1") == "\\u2026"
    assert visible("a\tb\n", keep="\t\n") == "a\tb\n"


def test_a_variable_in_a_path_is_no_hash() -> None:
    assert Mask()("/etc/ssl/private/${DOMAIN-NAME}.key") == "/etc/ssl/private/${DOMAIN-NAME}.key"


def test_thousands_of_secrets_that_begin_alike_are_looked_up_in_one_go() -> None:
    hashes = [f"$2b$10${number:053d}" for number in range(4_000)]
    mask = Mask([("bcrypt", value) for value in hashes])
    chars = "\n".join(f"user{number}@example.com:{value}:" for number, value in enumerate(hashes))
    started = time.process_time()
    assert mask(chars).count("{{masked:bcrypt}}") == len(hashes)
    assert time.process_time() - started < 1
    assert mask("x " + hashes[7][:-1]) == "x {{masked:hash}}"


def test_a_secret_is_not_found_past_the_end() -> None:
    assert Mask([("a", "secret"), ("b", "secretary")])("a secret") == "a {{masked:a}}"


def test_the_path_of_a_table_of_logins_is_no_secret() -> None:
    line = "table credentials passwd:/etc/mail/credentials\n"
    mask = Mask.of([], [Text.of("/etc/mail/smtpd.conf", line)])
    assert mask(line, written=True) == line
    assert mask("There is no /etc/mail/credentials.") == "There is no /etc/mail/credentials."
