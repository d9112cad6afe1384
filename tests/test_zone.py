"""DNS zone text: read as master files are, refused as BIND refuses them, and answered from as a server would."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import daemons
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench import laws
from bench.agreement import CORPORA, Row
from bench.agreement import zone as agreement
from mailaudit import rulebook
from mailaudit.auditor import Auditor, Options
from mailaudit.collect.folder import FolderWorld
from mailaudit.models.dkim_record import LONGEST, PLACEHOLDER, strings
from mailaudit.models.reference import Reference
from mailaudit.models.sources import Known
from mailaudit.models.zone import RecordSet, Zone, absolute, read_zone
from mailaudit.parsers.tree import Node, Tree, nothing
from mailaudit.parsers.zone import LANGUAGE, seconds
from mailaudit.settings import Settings
from mailaudit.text import Text

FIXTURES = agreement.FIXTURES
EXAMPLES = Path(__file__).parents[1] / "examples"
WHOLE = (FIXTURES / "whole.zone").read_bytes()
PUBLISHED = (FIXTURES / "as-published.zone").read_bytes()


def tree(chars: str | bytes, files: dict[str, str] | None = None) -> Tree:
    data = chars.encode() if isinstance(chars, str) else chars
    known = files or {}
    return LANGUAGE.parse(Text("/zones/z", data), lambda path: Text.of(path, known[path]) if path in known else None)


def zone(chars: str | bytes, files: dict[str, str] | None = None) -> Zone:
    return read_zone(tree(chars, files), "example.com")


def data(read: Zone, owner: str, type_: str) -> tuple[str, ...]:
    found = read.get(owner, type_)
    return () if found is None else found.data


def shown(node: Node) -> object:
    return [node.kind, *(each.value if not isinstance(each, Node) else shown(each) for each in node)]


# Entries


@pytest.mark.parametrize(
    ("chars", "kind", "node"),
    [
        (
            "a 300 IN A 192.0.2.1",
            "record",
            [["owner", "a"], ["ttl", "300"], ["class", "IN"], ["type", "A"], ["rdata", "192.0.2.1"]],
        ),
        (
            "a IN 1h A 192.0.2.1",
            "record",
            [["owner", "a"], ["class", "IN"], ["ttl", "1h"], ["type", "A"], ["rdata", "192.0.2.1"]],
        ),
        (" MX 0 mail", "record", [["type", "MX"], ["rdata", "0", "mail"]]),
        ("IN A 192.0.2.1", "record", [["owner", "IN"], ["type", "A"], ["rdata", "192.0.2.1"]]),
        (r'@ TXT "a\"b" c\;d;e', "record", [["owner", "@"], ["type", "TXT"], ["rdata", 'a"b', r"c\;d"]]),
        ("@ MX ( 0 ; here\n mail )", "record", [["owner", "@"], ["type", "MX"], ["rdata", "0", "mail"]]),
        ("$ttl 1h", "ttl", ["$TTL", ["ttl", "1h"]]),
        ("$ORIGIN x.", "origin", ["$ORIGIN", ["name", "x."]]),
        ("$INCLUDE f x.", "include", ["$INCLUDE", ["file", "f"], ["name", "x."]]),
        (
            "$GENERATE 1-9/2 h$ A 192.0.2.$",
            "generate",
            ["$GENERATE", ["range", "1-9/2"], ["owner", "h$"], ["type", "A"], ["rdata", "192.0.2.$"]],
        ),
    ],
)
def test_an_entry_has_its_fields(chars: str, kind: str, node: list[object]) -> None:
    [statement] = tree(chars).statements
    assert statement.kind == kind
    assert shown(statement.node) == [kind, *node]


@pytest.mark.parametrize(
    ("chars", "at"),
    [
        ('a TXT "open\nb A 192.0.2.1', '"open'),
        ("a TXT ( x\nb A 192.0.2.1", "("),
        ("a TXT x )\nb A 192.0.2.1", ")"),
        ("$FOO\nb A 192.0.2.1", "$FOO"),
        ("$TTL never\nb A 192.0.2.1", "never"),
        ("$GENERATE 1 h A 192.0.2.1\nb A 192.0.2.1", "1"),
        ("a\nb A 192.0.2.1", "a"),
        ('a TXT "\\999"\nb A 192.0.2.1', '"\\999"'),
    ],
)
def test_reading_goes_on_with_the_next_line(chars: str, at: str) -> None:
    first, second = tree(chars).statements
    assert first.problem is not None
    assert (first.kind, first.problem.span.chars, second.kind) == ("unread", at, "record")


@pytest.mark.parametrize(
    ("written", "value"),
    [("300", 300), ("1h30m", 5400), ("1W", 604800), ("2d3s", 172803), ("1h2", None), ("x", None), ("-1", None)],
)
def test_times_have_units(written: str, value: int | None) -> None:
    assert seconds(written) == value


@given(st.integers(min_value=0, max_value=10**9))
@settings(max_examples=75, deadline=None)
def test_mutants_come_back(seed: int) -> None:
    for spoilt in laws.mutants(WHOLE, 3, seed, [b'"', b"(", b")", b";", b"\\", b"\r", b"$INCLUDE x\n"]):
        laws.check(LANGUAGE, spoilt)
        read_zone(LANGUAGE.parse(Text("/z", spoilt), nothing), "example.com")


# Records


def test_records_have_absolute_names_and_their_times() -> None:
    read = zone(WHOLE)
    assert not read.refusals
    [soa] = read.sets["example.com.", "SOA"].records
    assert soa.data == "ns1.example.com. hostmaster.example.com. 2026112004 3600 900 1209600 300"
    assert {key: each.ttl for key, each in read.sets.items() if key[1] == "MX"} == {("example.com.", "MX"): 3600}
    assert data(read, "MAIL.example.com.", "AAAA") == ("2001:db8::9",)
    assert data(read, "host2.hosts.example.com.", "A") == ("203.0.113.102",)
    assert data(read, r"a\.b.example.com.", "A") == ("203.0.113.11",)
    [text] = read.sets["mail.example.com.", "TXT"].records
    assert text.strings == (b'quotes " and A and \\', b"plain")
    assert read.sets["example.com.", "TXT"].records[0].text == "v=spf1 a -all"


def test_a_record_remembers_its_words() -> None:
    [record] = zone("$TTL 1\n@ MX 0 mail\n").sets["example.com.", "MX"].records
    assert [token.span.chars for token in record.tokens] == ["MX", "0", "mail"]
    assert record.tokens[0].span.line == 2


def test_a_value_changes_with_its_written_characters() -> None:
    """What a record's tokens cover is what it is made of: replaced there, the value is replaced."""
    read = zone(WHOLE)
    for each in read.sets.values():
        for record in each.records:
            if record.type != "A" or "$" in record.tokens[1].value:
                continue
            span = record.tokens[1].span
            chars = span.text.chars
            changed = zone(chars[: span.start] + "198.51.100.77" + chars[span.end :])
            assert "198.51.100.77" in data(changed, record.owner, "A")


def test_included_files_are_read_in_place() -> None:
    files = {"/zones/part": "$ORIGIN sub.example.com.\na A 192.0.2.1\n", "/zones/other": "b A 192.0.2.2\n"}
    read = zone("$TTL 60\n$INCLUDE part\n$INCLUDE other x.example.com.\n$INCLUDE gone\nc A 192.0.2.3\n", files)
    assert set(read.sets) == {("a.sub.example.com.", "A"), ("b.x.example.com.", "A"), ("c.example.com.", "A")}
    assert [each.path for each in read.lacking] == ["/zones/gone"]
    assert len(read.trees) == 3


def test_files_that_include_each_other_end() -> None:
    read = zone("$TTL 60\n$INCLUDE z\na A 192.0.2.1\n", {"/zones/z": "$INCLUDE z\n"})
    assert [each.why for each in read.lacking] == ["files include each other"]


@pytest.mark.parametrize(
    ("chars", "at", "message"),
    [
        ("@ A 192.0.2.300", "A 192.0.2.300", "this is no value for A"),
        ("@ MX mail", "MX mail", "this is no value for MX"),
        ("@ FOO x", "FOO", 'there is no type of record "FOO"'),
        ("@ CH A 192.0.2.1", "CH", "a zone is of one class"),
        (" A 192.0.2.1", "A", "no entry above says whose record this is"),
        ("a..b A 192.0.2.1", "a..b", "this is no name"),
        ("a CNAME b\na A 192.0.2.1", "A 192.0.2.1", "a name that is an alias has no other records"),
        ("a CNAME b\na CNAME c", "CNAME c", "a name has one CNAME"),
        (f'@ TXT "{"x" * 256}"', f'TXT "{"x" * 256}"', "this is no value for TXT"),
    ],
)
def test_a_refusal_names_its_place(chars: str, at: str, message: str) -> None:
    [problem] = zone(f"$TTL 300\n{chars}\n").refusals
    assert problem.span.chars == at
    assert message in problem.message


def test_a_record_without_a_time_is_refused() -> None:
    [problem] = zone("@ A 192.0.2.1\n").refusals
    assert "no TTL" in problem.message


def test_what_is_not_in_the_zone_is_left_out() -> None:
    read = zone("$TTL 1\nexample.net. A 192.0.2.1\n")
    assert not read.sets
    assert [record.owner for record in read.outside] == ["example.net."]


# Answers


@pytest.mark.parametrize(
    ("owner", "type_", "rcode", "records", "aliases", "wildcard"),
    [
        ("example.com.", "MX", "NOERROR", ("0 mail.example.com.",), 0, None),
        ("Mail.Example.com.", "A", "NOERROR", ("203.0.113.9",), 0, None),
        ("mail.example.com.", "MX", "NOERROR", (), 0, None),
        ("nothing.example.com.", "A", "NXDOMAIN", (), 0, None),
        ("_tcp.example.com.", "A", "NOERROR", (), 0, None),
        ("x.shop.example.com.", "A", "NOERROR", ("203.0.113.9",), 1, "*.shop.example.com."),
        ("x.y.shop.example.com.", "AAAA", "NOERROR", ("2001:db8::9",), 1, "*.shop.example.com."),
        ("www.shop.example.com.", "A", "NOERROR", ("203.0.113.10",), 0, None),
        ("x.www.shop.example.com.", "A", "NXDOMAIN", (), 0, None),
        ("shop.example.com.", "A", "NOERROR", (), 0, None),
        ("_25._tcp.mail.example.com.", "CNAME", "NOERROR", ("tlsa.example.com.",), 0, None),
    ],
)
def test_a_server_would_answer(  # noqa: PLR0917  the columns of a table
    owner: str, type_: str, rcode: str, records: tuple[str, ...], aliases: int, wildcard: str | None
) -> None:
    answer = zone(WHOLE).answer(owner, type_)
    found = answer.records.data if answer.records else ()
    assert (answer.rcode, found, len(answer.aliases), answer.wildcard) == (rcode, records, aliases, wildcard)


def test_aliases_in_a_circle_end_and_those_out_of_the_zone_are_named() -> None:
    read = zone("$TTL 1\na CNAME b\nb CNAME a\nc CNAME mail.example.net.\n")
    assert read.answer("a.example.com.", "A").records is None
    assert read.answer("c.example.com.", "A").leaves == "mail.example.net."


def test_an_answer_has_the_same_form_as_a_zones_records() -> None:
    live = RecordSet.of("Example.com.", "TXT", ['"v=spf1 a " "-all"'], 300)
    assert (live.owner, live.records[0].text, live.records[0].tokens) == ("example.com.", "v=spf1 a -all", ())
    with pytest.raises(ValueError, match="expecting an integer"):
        RecordSet.of("example.com.", "MX", ["mail."])
    assert absolute("Mail", "example.com") == "mail.example.com."


# The guide's zone and the reference's


def recorded(example: str) -> dict[str, list[str]]:
    answers = json.loads((EXAMPLES / example / "answers.json").read_text())["dns"]
    return {
        question: answer["records"] for question, answer in answers.items() if answer.get("records") and not answer.get("cname")
    }


def test_the_guides_table_is_what_its_name_servers_answered() -> None:
    read = zone(PUBLISHED)
    assert not read.refusals
    dns = recorded("as-published")
    for (owner, type_), each in read.sets.items():
        expected = RecordSet.of(owner, type_, dns[f"{owner} {type_}"]).data
        assert sorted(each.data) == sorted(expected)
    assert read.answer("host7.example.com.", "A").wildcard == "*.example.com."


def reference(example: str) -> Reference:
    host = Auditor(FolderWorld(EXAMPLES / example), rulebook.load(), Settings(), Options(), ())
    slot = host.learn()[1].slots[Reference]
    assert isinstance(slot, Known)
    assert isinstance(slot.value, Reference)
    return slot.value


def named(example: str) -> str:
    text = reference(example).text("/zone")
    assert text is not None
    return text


def test_the_reference_zone_holds_what_the_corrected_name_servers_answered() -> None:
    """The DKIM record with it: it is made of the public key that lies beside the private one."""
    read = zone(named("corrected"))
    assert not read.refusals
    dns = recorded("corrected")
    for (owner, type_), each in read.sets.items():
        assert each.data == RecordSet.of(owner, type_, dns[f"{owner} {type_}"]).data
        assert each.ttl == 300
    types = {"A", "AAAA", "MX", "CAA", "TXT"}
    ours = {question for question in dns if question.split()[1] in types and question.split()[0].endswith("example.com.")}
    assert ours == {f"{owner} {type_}" for owner, type_ in read.sets}
    [dkim] = read.sets["selector0._domainkey.example.com.", "TXT"].records
    assert [len(each) <= LONGEST for each in dkim.strings] == [True, True]
    assert not any(type_ == "CNAME" for _, type_ in read.sets)


def test_without_a_public_key_the_reference_zone_says_so() -> None:
    assert reference("as-published").names["dkim_txt"] == PLACEHOLDER
    assert not zone(named("as-published")).refusals


def test_long_text_becomes_several_strings() -> None:
    found = RecordSet.of("a.", "TXT", [strings("x" * 600)]).records[0]
    assert [len(each) for each in found.strings] == [255, 255, 90]


# Agreement


def wrong(row: Row) -> tuple[str, ...]:
    assert row.agree + len(row.explained) + len(row.wrong) == row.of
    return row.wrong


@pytest.mark.daemon
def test_named_checkzone_agrees(tmp_path: Path) -> None:
    daemons.need(daemons.HERE, "named-checkzone")
    judge = agreement.installed(tmp_path)
    whole = [path.read_bytes() for path in FIXTURES.glob("*.zone")]
    assert not wrong(agreement.compare("whole files", whole, judge))
    assert not wrong(agreement.compare("single entries", agreement.lines(), judge))
    assert not wrong(agreement.compare("single faults", agreement.mutants(150, 7), judge))


@pytest.mark.skipif(shutil.which("named-checkzone") is None, reason="named-checkzone is not installed")
def test_the_table_has_its_rows() -> None:
    assert [row.of > 0 for row in agreement.rows(CORPORA, 5)] == [True, True]
