"""answers.json: every mistake is told with its place, every answer comes back, unknown fields survive."""

from __future__ import annotations

import contextlib
import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailaudit.collect.folder import FolderWorld
from mailaudit.questions import (
    Absent,
    Answer,
    Command,
    CommandOutput,
    Endpoint,
    Failed,
    FetchPolicy,
    Found,
    Handshake,
    KeyFacts,
    ListFiles,
    LookUp,
    PublicKey,
    Question,
    ReadFile,
    Reason,
    RRset,
    RunCommand,
    Stat,
    StatFile,
    ZoneFault,
    ZoneSecurity,
)
from mailaudit.recording import Recording, RecordingError, parse_answers, save_answers, saved_files, sections
from mailaudit.snapshot import Snapshot

CONTRACT = r"""{
  "format": "mailaudit.snapshot/1", "taken": "2026-11-22T12:00:00Z", "host": "host7.example.com",
  "stat": {"/etc/mail/credentials": {"type": "file", "mode": "0440", "owner": "_smtpd", "group": "_dovecot", "size": 213,
                                     "mtime": "2026-11-20T08:00:00Z"},
           "/etc/aliases": {"type": "symlink", "target": "mail/aliases"},
           "/etc/mail/dkim/example.com.key": null},
  "commands": {"uname": {"status": 0, "stdout": "OpenBSD 7.8 amd64\n"}, "ps": {"error": "timeout"}, "syspatch-c": null},
  "keys": {"/etc/ssl/private/mail.example.com.key": {"kind": "rsa", "bits": 4096, "spki": "sha256:..."}},
  "dns": {"Example.com. mx": {"rcode": "NOERROR", "ad": true, "ttl": 300, "records": ["0 mail.example.com."],
                              "servers": {"198.51.100.53": {"rcode": "NOERROR", "aa": true, "records": ["0 mail.example.com."]}}},
          "www.example.com. A": {"rcode": "NOERROR", "records": ["203.0.113.9"], "cname": ["example.com."]},
          "*.example.com. A": {"rcode": "NXDOMAIN"},
          "_mta-sts.example.com. TXT": {"error": "timeout", "detail": "no answer in 5 s"}},
  "dnssec": {"example.com.": "secure", "example.net.": {"error": "servfail"}},
  "endpoints": {"203.0.113.9 25 smtp": {"greeting": "220 ...", "ehlo": ["SIZE"], "starttls": true, "odd": [1, {"x": null}]},
                "2001:DB8:0::9 143 tcp": {"error": "refused"}}
}"""


def test_the_contract_s_example() -> None:
    found = parse_answers(CONTRACT.encode())
    assert (found.host, found.taken, found.extra) == ("host7.example.com", "2026-11-22T12:00:00Z", ())
    server = {"198.51.100.53": {"rcode": "NOERROR", "aa": True, "records": ("0 mail.example.com.",)}}
    expected: dict[Question, Answer] = {
        StatFile("/etc/mail/credentials"): Found(Stat("file", 0o440, "_smtpd", "_dovecot", 213, "2026-11-20T08:00:00Z")),
        StatFile("/etc/aliases"): Found(Stat("symlink", target="mail/aliases")),
        StatFile("/etc/mail/dkim/example.com.key"): Absent(),
        ReadFile("/etc/mail/dkim/example.com.key"): Absent(),
        RunCommand(Command.UNAME): Found(CommandOutput(0, "OpenBSD 7.8 amd64\n")),
        RunCommand(Command.PS): Failed(Reason.TIMEOUT),
        RunCommand(Command.SYSPATCH): Absent(),
        PublicKey("/etc/ssl/private/mail.example.com.key"): Found(KeyFacts("rsa", 4096, "sha256:...")),
        LookUp("example.com.", "MX"): Found(RRset("NOERROR", ("0 mail.example.com.",), 300, ad=True, servers=server)),
        LookUp("www.example.com.", "A"): Found(RRset("NOERROR", ("203.0.113.9",), cname=("example.com.",))),
        LookUp("*.example.com.", "A"): Found(RRset("NXDOMAIN")),
        LookUp("_mta-sts.example.com.", "TXT"): Failed(Reason.TIMEOUT, "no answer in 5 s"),
        ZoneSecurity("example.com."): Found("secure"),
        ZoneSecurity("example.net."): Failed(Reason.SERVFAIL),
        Handshake("203.0.113.9", 25, "smtp"): Found(
            Endpoint({"greeting": "220 ...", "ehlo": ("SIZE",), "starttls": True, "odd": [1, {"x": None}]})
        ),
        Handshake("2001:db8::9", 143, "tcp"): Failed(Reason.REFUSED),
    }
    assert found.answers == expected


def test_names_and_addresses_are_compared_as_dns_and_ip_do() -> None:
    found = parse_answers(CONTRACT.encode())
    assert found.answer(LookUp("EXAMPLE.com.", "MX")) == found.answer(LookUp("example.com.", "MX")) is not None
    assert found.answer(Handshake("2001:db8:0:0::9", 143, "tcp")) == Failed(Reason.REFUSED)
    assert found.answer(ZoneSecurity("Example.COM.")) == Found("secure")
    assert found.answer(Handshake("host name", 143, "tcp")) is None


@pytest.mark.parametrize(
    ("document", "message"),
    [
        (
            {"stat": {"/etc/mail/credentials": {"type": "file", "mode": 416}}},
            'stat./etc/mail/credentials.mode: expected a string like "0440", found 416',
        ),
        ({"stat": {"/x": {"type": "file", "mode": "rw"}}}, 'stat./x.mode: expected a string like "0440", found "rw"'),
        ({"stat": {"/x": {"mode": "0440"}}}, "stat./x: type is missing"),
        (
            {"stat": {"/x": {"type": "door"}}},
            'stat./x.type: expected one of file, directory, symlink, fifo, socket, device, found "door"',
        ),
        ({"stat": {"/x": {"type": "file", "size": -1}}}, "stat./x.size: expected a whole number, found -1"),
        ({"stat": {"/x": {"type": "file", "size": True}}}, "stat./x.size: expected a whole number, found true"),
        ({"stat": {"/x": {"type": "file", "owner": 0}}}, 'stat./x.owner: expected a string like "_smtpd", found 0'),
        (
            {"stat": {"/x": {"type": "file", "mtime": "today"}}},
            'stat./x.mtime: expected a time like "2026-11-22T12:00:00Z", found "today"',
        ),
        ({"stat": {"x": None}}, 'stat.x: expected a path that begins with "/"'),
        ({"stat": {"/x": "file"}}, 'stat./x: expected an object, found "file"'),
        ({"stat": []}, "stat: expected an object, found a list"),
        ([], "the document: expected an object, found a list"),
        (None, "the document: expected an object, found null"),
        ({"host": None}, 'host: expected a string like "host7.example.com", found null'),
        ({"taken": 5}, "taken: expected a string, found 5"),
        ({"format": "mailaudit.snapshot/9"}, 'format: expected "mailaudit.snapshot/1", found "mailaudit.snapshot/9"'),
        ({"files": {"/x": "text"}}, 'files./x: expected null or {"error": ...} (a file\'s bytes lie beside'),
        ({"lists": {"/x/*": "/x/y"}}, 'lists./x/*: expected a list of strings, found "/x/y"'),
        ({"lists": {"/x/*": ["/x/y", 1]}}, "lists./x/*.1: expected a string, found 1"),
        ({"lists": {"/x/*": None}}, "lists./x/*: expected a list of strings, found null"),
        ({"commands": {"uname": {"status": "0", "stdout": ""}}}, 'commands.uname.status: expected a whole number, found "0"'),
        ({"commands": {"uname": {"status": 0}}}, "commands.uname: stdout is missing"),
        ({"keys": {"/k": {"kind": "rsa", "bits": "2048", "spki": ""}}}, 'keys./k.bits: expected a whole number, found "2048"'),
        (
            {"dns": {"example.com MX": {"rcode": "NOERROR"}}},
            "dns.example.com MX: expected an owner with its final dot and a type",
        ),
        ({"dns": {"example.com.": {"rcode": "NOERROR"}}}, "dns.example.com.: expected an owner with its final dot and a type"),
        ({"dns": {"a. A": None}}, "dns.a. A: expected an object, found null"),
        ({"dns": {"a. A": {"records": []}}}, "dns.a. A: rcode is missing"),
        ({"dns": {"a. A": {"error": "nxdomain"}}}, "dns.a. A.error: expected one of offline, not-recorded, unreadable,"),
        ({"dns": {"a. A": {"rcode": "NOERROR", "records": "x"}}}, 'dns.a. A.records: expected a list of strings, found "x"'),
        ({"dns": {"a. A": {"rcode": "NOERROR", "ad": 1}}}, "dns.a. A.ad: expected true or false, found 1"),
        (
            {"dns": {"a. A": {"rcode": "NOERROR", "servers": {"192.0.2.1": {"aa": "yes"}}}}},
            'dns.a. A.servers.192.0.2.1.aa: expected true or false, found "yes"',
        ),
        ({"dns": {"a. A": {"rcode": "NOERROR"}, "A. a": {"rcode": "NOERROR"}}}, "dns.A. a: it stands there twice"),
        ({"dnssec": {"example.com": "secure"}}, "dnssec.example.com: expected a zone with its final dot"),
        ({"dnssec": {"example.com.": True}}, "dnssec.example.com.: expected one of secure, insecure, bogus, found true"),
        (
            {"endpoints": {"example.com 25 smtp": {}}},
            "endpoints.example.com 25 smtp: expected an address, a port and one of",
        ),
        ({"endpoints": {"192.0.2.1 99999 smtp": {}}}, "endpoints.192.0.2.1 99999 smtp: expected an address"),
        ({"endpoints": {"192.0.2.1 25": {}}}, "endpoints.192.0.2.1 25: expected an address"),
        ({"endpoints": {"192.0.2.1 25 smtp": {"starttls": "yes"}}}, "25 smtp.starttls: expected true or false"),
        ({"policies": {"https://mta-sts.example.com/": {}}}, "expected a domain without its final dot"),
        ({"endpoints": {"192.0.2.1 25 smtp": {"relay": "x"}}}, "smtp.relay: expected a list of objects"),
        ({"endpoints": {"192.0.2.1 25 smtp": {"relay": [{"reply": 250}]}}}, "smtp.relay.0.reply: expected a string"),
        ({"policies": {"example.com": {"status": "200"}}}, "example.com.status: expected a whole number"),
        ({"endpoints": {"192.0.2.1 25 smtp": {"ehlo": [None]}}}, "25 smtp.ehlo.0: expected a string, found null"),
        ({"host": {"x" * 100: 1}}, "host: expected a string like"),
        ({"host": ["x"]}, "found a list"),
        ({"taken": "x" * 100}, 'found "' + "x" * 56 + "..."),
    ],
)
def test_wrong_types_are_errors_with_their_place(document: Any, message: str) -> None:
    with pytest.raises(RecordingError) as caught:
        parse_answers(json.dumps(document).encode(), "host7/answers.json")
    assert str(caught.value).startswith("host7/answers.json: ")
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "a.json:1:1: expecting value"),
        (b'{"host":\n "x",}', "a.json:2:6: "),
        (b'{"host": "x"', "a.json:1:13: "),
        (b'{"host": "x"}{}', "a.json:1:14: extra data"),
        (b'{"host":\n "\xff"}', "a.json:2: it is not UTF-8 text"),
        (b'{"stat": {"/a": null, "/b": null, "/a": null}}', 'a.json: "/a" stands twice in one object'),
        (b'{"x": NaN}', "a.json: NaN is no JSON value"),
        (b'{"x": ' + b"9" * 5000 + b"}", "a.json: a number has more digits than any answer needs"),
        (b'{"stat": {"/a": {"type": "file", "owner": "r\\uD800t"}}}', "a.json: \\ud800 is half of a character"),
        (b'{"x": ' + b"1" * 5000 + b"}", "a.json: "),
        (b'{"x": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", "nested more than 64 deep"),
        (b'{"x": ' + b"[" * 80 + b"]" * 80 + b"}", "nested more than 64 deep"),
        (b'{"x": ' * 100_000, "nested more than 64 deep"),
        (b" " * (16 * 1024 * 1024 + 1), "it is over 16 MiB"),
        (b"\xff\xfe{\0", "it is not UTF-8 text"),
        (b"\0", "a.json:1:1"),
    ],
    ids=lambda value: value[:20].decode("latin-1") if isinstance(value, bytes) else None,
)
def test_what_is_no_json(data: bytes, message: str) -> None:
    with pytest.raises(RecordingError) as caught:
        parse_answers(data, "a.json")
    assert message in str(caught.value)


@given(st.binary(max_size=200))
def test_no_bytes_do_more_than_a_recording_error(data: bytes) -> None:
    with contextlib.suppress(RecordingError):
        parse_answers(data)


def test_a_byte_order_mark_is_read_over() -> None:
    assert parse_answers(b'\xef\xbb\xbf{"host": "x"}').host == "x"


def test_an_empty_record_says_nothing() -> None:
    assert parse_answers(b"{}") == Recording()


# ---- saving

NAMES = st.text("abz019-_", min_size=1, max_size=8)
TEXTS = st.one_of(st.text(max_size=20), st.binary(max_size=20).map(lambda data: data.decode("utf-8", "surrogateescape")))
PATHS = (NAMES | TEXTS).map(lambda name: f"/etc/{name}")
REASONS = st.sampled_from([r for r in Reason if r not in (Reason.OFFLINE, Reason.NOT_RECORDED)])
FAILED = st.builds(Failed, REASONS, TEXTS)
TIMES = st.sampled_from(["2026-11-22T12:00:00Z", "2026-11-22T12:00:00+01:00"])
LISTS = st.lists(TEXTS, max_size=3).map(tuple)
COUNTS = st.integers(0, 2**40)
STATS = st.builds(
    Stat,
    st.sampled_from(["file", "directory", "symlink", "fifo", "socket", "device"]),
    st.none() | st.integers(0, 0o7777),
    st.none() | TEXTS,
    st.none() | TEXTS,
    st.none() | COUNTS,
    st.none() | TIMES,
    st.none() | TEXTS,
)
SERVERS = st.dictionaries(
    st.sampled_from(["192.0.2.1", "2001:db8::1"]),
    st.fixed_dictionaries({"rcode": TEXTS}, optional={"aa": st.booleans(), "records": LISTS, "odd": st.integers()}),
    max_size=2,
)
RRSETS = st.builds(RRset, TEXTS, LISTS, st.none() | COUNTS, st.none() | st.booleans(), LISTS, SERVERS)
ENDPOINTS = st.builds(
    Endpoint,
    st.fixed_dictionaries(
        {},
        optional={
            "greeting": TEXTS,
            "ehlo": LISTS,
            "starttls": st.booleans(),
            "relay": st.lists(st.fixed_dictionaries({"sender": TEXTS, "recipient": TEXTS, "reply": TEXTS}), max_size=2).map(
                tuple
            ),
            "odd": st.none(),
        },
    ),
)
LOOKUPS = st.builds(LookUp, NAMES.map(lambda name: f"{name}.example.com."), st.sampled_from(["A", "MX", "TXT"]))
ADDRESSES = st.ip_addresses().map(str)
HANDSHAKES = st.builds(Handshake, ADDRESSES, st.integers(1, 65535), st.sampled_from(["smtp", "tcp"]))


def answers_to(questions: st.SearchStrategy[Any], values: st.SearchStrategy[Any], *, nullable: bool = True) -> Any:
    answers = FAILED | st.builds(Found, values) | (st.just(Absent()) if nullable else FAILED)
    return st.dictionaries(questions, answers, max_size=4)


SNAPSHOTS = st.builds(
    lambda parts, host, taken: Snapshot(host, "x", {q: a for part in parts for q, a in part.items()}, recorded=True, taken=taken),
    st.tuples(
        answers_to(st.builds(StatFile, PATHS), STATS),
        answers_to(st.builds(ReadFile, PATHS), st.binary(max_size=20)),
        answers_to(st.builds(ListFiles, PATHS), LISTS, nullable=False),
        answers_to(st.builds(RunCommand, st.sampled_from(Command)), st.builds(CommandOutput, st.integers(-1, 255), TEXTS)),
        answers_to(st.builds(PublicKey, PATHS), st.builds(KeyFacts, TEXTS, COUNTS, TEXTS)),
        answers_to(LOOKUPS, RRSETS, nullable=False),
        answers_to(st.builds(ZoneSecurity, NAMES.map("{}.".format)), st.sampled_from(["secure", "bogus"]), nullable=False),
        answers_to(st.builds(ZoneFault, NAMES.map("{}.".format)), TEXTS, nullable=False),
        answers_to(HANDSHAKES, ENDPOINTS, nullable=False),
        answers_to(st.builds(FetchPolicy, NAMES.map("{}.example.com".format)), ENDPOINTS, nullable=False),
    ),
    NAMES,
    st.none() | TIMES,
)


@given(SNAPSHOTS)
def test_every_answer_comes_back(snapshot: Snapshot) -> None:
    text = save_answers(snapshot)
    assert text == save_answers(Snapshot(snapshot.host, "x", dict(list(snapshot.answers.items())[::-1]), taken=snapshot.taken))
    found = parse_answers(text.encode())
    files = saved_files(snapshot)
    again: dict[Question, Answer] = dict(found.answers)
    again |= {ReadFile(path): Found(data) for path, data in files.items()}
    for question, answer in snapshot.answers.items():
        assert again[question] == answer
    assert (found.host, found.taken) == (snapshot.host, snapshot.taken)


@given(
    st.dictionaries(
        NAMES.filter(lambda n: n not in ("stat", "dns", "keys")),
        st.recursive(st.none() | st.integers() | st.text(), lambda v: st.lists(v) | st.dictionaries(st.text(), v), max_leaves=5),
    )
)
def test_unknown_fields_survive(unknown: dict[str, Any]) -> None:
    document = {
        **unknown,
        "host": "x",
        "stat": {"/x": {**{f"u-{key}": value for key, value in unknown.items()}, "type": "file"}},
        "commands": {f"u-{key}": value for key, value in unknown.items()},
        "dns": {"a. A": {"rcode": "NOERROR", "note": 1}},
    }
    found = parse_answers(json.dumps(document).encode())
    text = save_answers(Snapshot("x", "x", found.answers), found.extra)
    assert parse_answers(text.encode()) == found
    saved = json.loads(text)
    assert {key: value for key, value in document.items() if value != {} or key in unknown} == {
        k: v for k, v in saved.items() if k != "format"
    }


def test_an_unknown_field_goes_with_what_it_belongs_to() -> None:
    found = parse_answers(b'{"stat": {"/x": {"type": "file", "note": "mine"}}, "dns": {"a. A": {"error": "timeout", "n": 1}}}')
    text = save_answers(Snapshot("x", "x", {StatFile("/x"): Absent()}), found.extra)
    assert parse_answers(text.encode()).answers == {StatFile("/x"): Absent(), ReadFile("/x"): Absent()}


def test_it_is_written_for_people() -> None:
    found = parse_answers(CONTRACT.encode())
    text = save_answers(Snapshot("host7.example.com", "x", found.answers, taken=found.taken))
    assert '\n    "/etc/aliases": {"type": "symlink", "target": "mail/aliases"},\n' in text
    assert '\n    "/etc/mail/dkim/example.com.key": null\n' in text
    assert '"mode": "0440"' in text
    assert '"ps": {"error": "timeout"}' in text
    assert text.endswith("}\n")
    assert list(json.loads(text)) == ["format", "taken", "host", "stat", "commands", "keys", "dns", "dnssec", "endpoints"]


def test_what_was_never_asked_is_not_saved() -> None:
    answers: dict[Question, Answer] = {
        LookUp("example.com.", "MX"): Failed(Reason.OFFLINE, "x"),
        StatFile("/x"): Failed(Reason.NOT_RECORDED, "x"),
    }
    assert json.loads(save_answers(Snapshot("h", "x", answers))) == {"format": "mailaudit.snapshot/1", "host": "h"}


def test_nothing_in_it_is_obeyed_by_a_terminal() -> None:
    answers: dict[Question, Answer] = {RunCommand(Command.PS): Found(CommandOutput(0, "\x1b[31m\x9b\u202e\udcff\x7f"))}
    text = save_answers(Snapshot("h", "x", answers))
    assert all(char == "\n" or (char.isprintable() and char < "\x7f") for char in text)
    assert parse_answers(text.encode()).answers == answers


def test_a_saved_snapshot_answers_as_the_host_did(tmp_path: Path) -> None:
    asked: dict[Question, Answer] = {
        ReadFile("/etc/pf.conf"): Found(b"pass\n"),
        StatFile("/etc/pf.conf"): Found(Stat("file", 0o600, "root", "wheel", 5, "2026-11-22T12:00:00Z")),
        ReadFile("/etc/httpd.conf"): Absent(),
        StatFile("/etc/httpd.conf"): Absent(),
        ReadFile("/etc/doas.conf"): Absent(),
        ReadFile("/etc/mail/secrets"): Failed(Reason.UNREADABLE, "permission denied"),
        StatFile("/etc/mail/secrets"): Found(Stat("file", 0, "root", "wheel", 5)),
        ListFiles("/etc/dovecot/conf.d/*.conf"): Found(("/etc/dovecot/conf.d/1.conf", "/etc/dovecot/conf.d/2.conf")),
        ListFiles("/etc/dovecot/none/*.conf"): Found(()),
        ReadFile("/etc/dovecot/conf.d/1.conf"): Found(b"a = b\n"),
        RunCommand(Command.PS): Failed(Reason.TIMEOUT, "slow"),
        LookUp("example.com.", "MX"): Found(RRset("NOERROR", ("0 mail.example.com.",))),
    }
    snapshot = Snapshot("mx.example.com", "mx", asked, recorded=True, taken="2026-11-22T12:00:00Z")
    (tmp_path / "answers.json").write_text(save_answers(snapshot))
    for path, data in saved_files(snapshot).items():
        (tmp_path / path[1:]).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path[1:]).write_bytes(data)
    world = FolderWorld(tmp_path)
    assert world.ask(list(asked)) == asked
    assert (world.host, world.taken) == (snapshot.host, snapshot.taken)


def test_docs_name_every_field() -> None:
    told = (Path(__file__).parents[1] / "docs" / "answers.md").read_text()
    source = "".join(path.read_text() for path in (Path(__file__).parents[1] / "mailaudit/collect/tls").glob("*.py"))
    kept = {*re.findall(r"facts\[\"(\w+)\"\]", source), *re.findall(r"\{\"(trusted|trust_error|too_long|filtered)\"", source)}
    known = set(sections._TYPED) - {"rcode", "aa", "ad", "error", "detail"}  # noqa: SLF001  the fields that are read as such
    assert {"greeting", "chain", "relay", "client"} <= kept
    for name in (kept | known) - {"records", "cname"}:
        assert f"`{name}`" in told, name
