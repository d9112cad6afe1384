"""What `parse` tells of a file: JSON as its schema says, and annotations."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema

from mailaudit.parsers import smtpd
from mailaudit.parsers.tree import nothing
from mailaudit.reports.parsed import ParsedFile, write
from mailaudit.reports.terminal import parsed
from mailaudit.reports.terminal.paper import Screen
from mailaudit.text import Text

SCHEMA = json.loads((Path(__file__).parents[1] / "mailaudit/reports/schema/parse.schema.json").read_text())
KEY = "0123456789abcdef0123456789abcdef"
SMTPD = f'queue encryption "{KEY}"\nfrobnicate \x1b[31m\nlisten on all\n'


def file(chars: str = SMTPD, path: str = "etc/mail/smtpd.conf") -> ParsedFile:
    return ParsedFile(path, "smtpd", smtpd.parse(Text.of(path, chars), nothing))


def validated(*files: ParsedFile) -> dict[str, Any]:
    data: dict[str, Any] = json.loads(write(files))
    jsonschema.Draft202012Validator(SCHEMA).validate(data)
    return data


def test_the_schema_is_a_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


def test_a_file_is_told_as_json() -> None:
    (found,) = validated(file())["files"]
    assert found["path"] == "etc/mail/smtpd.conf"
    assert found["status"] == "refused"
    assert found["statements"] == 3
    assert [each["line"] for each in found["unread"]] == [2]
    assert [each["state"] for each in found["tree"]] == ["read", "refused", "read"]
    assert found["tree"][2]["tokens"][0] == {"kind": "listen", "text": "listen", "line": 3, "column": 1}


def test_no_secret_is_told() -> None:
    assert KEY not in write([file()])
    for annotate in (True, False):
        assert KEY not in parsed.write([file()], Screen(200), annotate=annotate)


def test_files_that_were_not_read_are_told() -> None:
    missing = ParsedFile("etc/pf.conf", "pf", None, "it does not exist", missing=True)
    fifo = ParsedFile("etc/pf.conf", "pf", None, "it is a FIFO")
    assert [each["status"] for each in validated(missing, fifo)["files"]] == ["missing", "unreadable"]
    assert "unreadable: it is a FIFO" in parsed.write([fifo], Screen())


def test_every_statement_is_annotated() -> None:
    shown = parsed.write([file()], Screen(60), annotate=True).splitlines()
    assert shown[0] == "etc/mail/smtpd.conf: smtpd, 2/3 statements; the daemon"
    assert any(line.startswith("  read        1  queue") for line in shown)
    assert any(line.startswith("  refused     2  unread") and "\\x1b[31m" in line for line in shown)
    assert any("^^^" in line for line in shown)


def test_what_no_rule_asks_about_is_told_as_irrelevant() -> None:
    told = ParsedFile("etc/mail/smtpd.conf", "smtpd", file().tree, asked=lambda statement: statement.kind == "listen")
    (found,) = validated(told)["files"]
    assert [each["state"] for each in found["tree"]] == ["irrelevant", "refused", "read"]
    assert "  irrelevant  1  queue" in parsed.write([told], Screen(80), annotate=True)


def test_problems_are_told_without_annotation() -> None:
    shown = parsed.write([file()], Screen(80))
    assert "etc/mail/smtpd.conf:2:1: the daemon refuses this: " in shown
    many = parsed.write([file("".join(f"frobnicate{number}\n" for number in range(100)))], Screen(80))
    assert "80 more; --annotate shows them" in many


def test_what_is_wrong_with_many_lines_is_told_once() -> None:
    shown = parsed.write([file("frobnicate\n" * 100)], Screen(80))
    assert shown.count("the daemon refuses this") == 1
    assert "the same in lines 2, 3, 4, 5, 6 and 94 more" in shown


def test_a_key_is_masked_where_no_model_knows_it_for_one() -> None:
    key = "0123456789abcdef0123456789abcde9"
    text = Text.of(
        "/etc/mail/smtpd.conf", f'k = "{key}"\nqueue encryptoin "{key}"\nfilter "r" proc-exec "/usr/local/libexec/f"\n'
    )
    file = ParsedFile(text.path, "smtpd", smtpd.parse(text, nothing))
    shown = write([file])
    assert key not in shown
    assert "/usr/local/libexec/f" in shown
