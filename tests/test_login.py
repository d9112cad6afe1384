"""login.conf and login.conf.d are read as cgetent(3) and login_cap(3) read them, and every value leads back to its characters."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bench.agreement import CORPORA
from bench.agreement import system as agreement
from mailaudit.models.login import LoginConf, read_login
from mailaudit.models.login_classes import LoginClass
from mailaudit.models.login_values import INFINITY, decoded, number_of, size_of, time_of
from mailaudit.models.sources import Known, Lacking, Missing, NotHere, Sources
from mailaudit.parsers.login import LANGUAGE, parse, why_ignored
from mailaudit.parsers.tree import gaps, nothing, render
from mailaudit.questions import Absent, Answer, Found, ListFiles, Question, ReadFile, Stat, StatFile
from mailaudit.snapshot import Snapshot
from mailaudit.text import Text

FIXTURES = Path(__file__).parent / "fixtures" / "configs" / "login"
MAIN = "/etc/login.conf"
PART = "/etc/login.conf.d/"
NONE = Snapshot("host", "target", {ListFiles(f"{PART}*"): Found(())})


def model(main: str | bytes, **parts: str) -> LoginConf:
    data = main if isinstance(main, bytes) else main.encode()
    files = {MAIN: data, **{f"{PART}{name}": part.encode() for name, part in parts.items()}}
    slot = read_login(agreement.sources(files))
    assert isinstance(slot, Known)
    return slot.value


def fixture() -> LoginConf:
    files = {MAIN: (FIXTURES / "login.conf").read_bytes(), f"{PART}dovecot": (FIXTURES / "dovecot").read_bytes()}
    slot = read_login(agreement.sources(files))
    assert isinstance(slot, Known)
    return slot.value


def one(found: LoginConf, name: str) -> LoginClass:
    login_class = found.login_class(name)
    assert login_class is not None
    return login_class


def bounds(found: LoginConf, name: str, resource: str) -> tuple[int | None, int | None]:
    limit = one(found, name).limit(resource)
    return limit.soft, limit.hard


def test_records_names_and_capabilities() -> None:
    tree = parse(Text(MAIN, (FIXTURES / "login.conf").read_bytes()), nothing)
    first = tree.statements[0]
    names = first.node.node("names")
    assert names is not None
    assert [name.value for name in names.leaves()] == ["default", "the class of everybody else"]
    path = first.node.nodes("capability")[0]
    assert [leaf.value for leaf in path.leaves()] == ["path", "=", "/usr/bin /bin /usr/sbin"]
    assert [token.value for token in tree.statements[1].tokens if token.kind == "name"] == ["staff"]
    staff = [[leaf.value for leaf in node.leaves()] for node in tree.statements[1].node.nodes("capability")]
    assert staff == [["ignorenologin"], ["requirehome", "@"], ["tc", "=", "more"], ["tc", "=", "default"]]
    ignored = [statement for statement in tree.statements if statement.kind == "ignored"]
    assert ["missing at the end" in why_ignored(statement) for statement in ignored] == [True, False]
    assert "ends before the record" in why_ignored(ignored[1])


@pytest.mark.parametrize(
    ("name", "resource", "soft", "hard"),
    [
        ("default", "datasize", 1 << 30, 1 << 30),  # what stands behind the name for both does not count
        ("default", "openfiles", 256, 512),
        ("default", "cputime", 5400, 5400),
        ("default", "stacksize", 8 << 20, 8 << 20),
        ("default", "memoryuse", INFINITY, INFINITY),
        ("default", "filesize", 4 << 20, 4 << 20),
        ("default", "coredumpsize", None, None),
        ("staff", "maxproc", None, None),  # "#" is not read, "many" is no number
        ("twice", "openfiles", 1, 1),
        ("daemon", "openfiles", 100, 100),
        ("dovecot", "openfiles", 1024, 2048),
        ("dovecot", "stacksize", 8 << 20, 8 << 20),
    ],
)
def test_limits_are_those_of_the_first_capability(name: str, resource: str, soft: int | None, hard: int | None) -> None:
    assert bounds(fixture(), name, resource) == (soft, hard)


def test_the_soft_limit_is_cut_to_the_hard_one() -> None:
    limit = one(model("a:openfiles-cur=900:openfiles-max=100:\n"), "a").limit("openfiles")
    assert (limit.soft, limit.hard) == (100, 100)
    assert limit.soft_by is limit.hard_by


def test_strings_booleans_and_what_is_taken_away() -> None:
    staff = one(fixture(), "staff")
    prompt = one(fixture(), "default").string("prompt")
    assert staff.has("ignorenologin")
    assert not staff.has("requirehome")
    assert not staff.has("umask")
    assert prompt is not None
    assert decoded(prompt.value) == "Password:s\x01\x1b"
    assert one(model("a:x@:tc=b:\nb:x=1:y=1:\n"), "a").string("x") is None
    assert one(model("a:x=@:tc=b:\nb:x=1:\n"), "a").string("x") is None


def test_a_daemon_runs_in_the_class_of_its_name_or_in_daemon() -> None:
    found = fixture()
    for daemon, name in (("dovecot", "dovecot"), ("smtpd", "daemon"), ("round", "daemon"), ("nowhere", "daemon")):
        login_class = found.daemon_class(daemon)
        assert login_class is not None
        assert login_class.name == name
    assert found.login_class("") is not None
    assert found.login_class("imap") is None


def test_what_is_refused_hidden_and_never_found_is_said() -> None:
    found = fixture()
    refused = {problem.message.split(":")[0]: problem for problem in found.refusals}
    assert set(refused) == {
        'maxproc is read only with "=", not with "#"',
        "invalid number of maxproc-cur",
        "tc= leads back to a class that refers to it",
        'tc= names "gone", which is no login class',
    }
    mended = refused['maxproc is read only with "=", not with "#"']
    assert (mended.span.chars, mended.mend) == ("#", "=")
    hidden = [(shadow.name.span.path, shadow.name.span.line, shadow.by.span.path) for shadow in found.shadowed]
    assert hidden == [(MAIN, 17, MAIN), (MAIN, 26, f"{PART}dovecot")]
    assert [(problem.span.path, problem.span.line) for problem in found.ignored] == [
        (MAIN, 15),
        (MAIN, 23),
        (MAIN, 24),
        (MAIN, 27),
        (f"{PART}dovecot", 5),
    ]


def test_a_comment_inside_a_record_is_none() -> None:
    assert bounds(model("a:\\\n\t:x:\\\n#\t:openfiles=7:\\\n\t:tc=b:\nb:openfiles=9:\n"), "a", "openfiles") == (7, 7)


def test_carriage_returns_end_no_line_and_lose_what_follows() -> None:
    found = model("a:\\\r\n\t:openfiles=7:\r\n")
    assert bounds(found, "a", "openfiles") == (None, None)
    assert [problem.span.line for problem in found.ignored] == [1, 2]


def test_databases_are_told_and_whether_they_are_stale() -> None:
    answers: dict[Question, Answer] = {
        ReadFile(MAIN): Found(b"default:x:\n"),
        ListFiles(f"{PART}*"): Found((f"{PART}imap.db",)),
        StatFile(MAIN): Found(Stat("file", mtime="2026-11-02T00:00:00Z")),
        StatFile(f"{MAIN}.db"): Found(Stat("file", mtime="2026-11-01T00:00:00Z")),
        StatFile(f"{PART}imap.db"): Found(Stat("file")),
        StatFile(f"{PART}imap"): Absent(),
    }
    slot = read_login(Sources(Snapshot("host", "target", answers, recorded=True)))
    assert isinstance(slot, Known)
    assert [(database.of, database.stale) for database in slot.value.databases] == [(MAIN, True), (f"{PART}imap", None)]


def test_the_stock_classes_stand_in_where_a_repository_holds_only_additions() -> None:
    part = f"{PART}dovecot"
    answers: dict[Question, Answer] = {
        ListFiles(f"{PART}*"): Found((part,)),
        ReadFile(part): Found(b"dovecot:openfiles-cur=1024:tc=daemon:\n"),
    }
    slot = read_login(Sources(Snapshot("host", "target", answers)))
    assert isinstance(slot, Known)
    assert slot.value.assumed
    assert bounds(slot.value, "dovecot", "openfiles") == (1024, 1024)
    assert not slot.value.refusals
    assert [tree.text.path for tree in slot.value.trees] == [part]


def test_what_stands_for_files_that_are_not_there() -> None:
    def slot(*, recorded: bool, absent: bool) -> object:
        answers: dict[Question, Answer] = dict(NONE.answers)
        if absent:
            answers[ReadFile(MAIN)] = Absent()
        return read_login(Sources(Snapshot("host", "target", answers, recorded=recorded)))

    assert isinstance(slot(recorded=True, absent=True), Missing)
    assert isinstance(slot(recorded=False, absent=True), NotHere)
    assert isinstance(slot(recorded=True, absent=False), Lacking)


@pytest.mark.parametrize(
    ("written", "number", "seconds", "size"),
    [
        ("512", 512, 512, 512),
        ("0x10", 16, 16, 16),
        ("022", 18, 18, 18),
        ("infinity", INFINITY, INFINITY, INFINITY),
        ("INF", None, None, INFINITY),
        ("1h30m", None, 5400, None),
        ("2w", None, 1209600, 2),
        ("4M", None, 240, 4 << 20),
        ("4MB", None, None, 4 << 20),
        ("2x3k", None, None, 6 << 10),
        ("1b", None, None, 512),
        ("2x", None, None, 2),
        ("many", None, None, None),
        ("", None, 0, None),
        ("9" * 30, None, None, None),
    ],
)
def test_amounts(written: str, number: int | None, seconds: int | None, size: int | None) -> None:
    assert (number_of(written), time_of(written), size_of(written)) == (number, seconds, size)


NAMES = st.sampled_from(["default", "daemon", "dovecot", "a", "b", "round", "some words"])
FIELD = st.one_of(
    st.builds(
        "{}={}".format,
        st.sampled_from(["openfiles", "openfiles-cur", "path", "datasize"]),
        st.sampled_from(["1", "@", "", "x y"]),
    ),
    st.builds("tc={}".format, NAMES),
    st.sampled_from(["ignorenologin", "path@", "tc@", "openfiles#5", " lost=1", "# note", "", "\\\n\t", "\\\n", "@", "="]),
)
RECORD = st.builds(
    "{}{}{}".format,
    st.one_of(st.lists(NAMES, min_size=1, max_size=3).map("|".join), st.sampled_from(["# comment", "\t", ""])),
    st.lists(FIELD, max_size=6).map(lambda fields: "".join(f":{field}" for field in fields)),
    st.sampled_from([":\n", "\n", ":\\\n", "\\\\\n", "\\\\\n\n", "\n\n", ""]),
)
FILE = st.lists(RECORD, max_size=8).map("".join)


@given(main=FILE, part=FILE)
@settings(max_examples=150, deadline=None)
@example(main="a:tc=b:tc=b:\nb:tc=a:\n", part="")
def test_every_class_is_that_of_cgetent(main: str, part: str) -> None:
    found = list(agreement.login_differences({MAIN: main, f"{PART}dovecot": part}))
    assert not [each for each in found if each[1]]


@given(data=st.one_of(st.binary(max_size=200), FILE.map(str.encode)))
@settings(deadline=None)
def test_any_bytes_are_kept_and_make_a_model(data: bytes) -> None:
    tree = parse(Text(MAIN, data), nothing)
    assert render(tree) == data
    assert all(LANGUAGE.trivia.fullmatch(gap.chars) for gap in gaps(tree))
    model(data)


@given(main=FILE)
@settings(max_examples=50, deadline=None)
def test_every_value_leads_back_to_its_characters(main: str) -> None:
    """What stands at a value's characters is replaced, the file read again: that value is new, and it stands where it stood."""
    for records in model(main).records.files.values():
        for number, record in enumerate(records):
            for at, capability in enumerate(record.capabilities):
                if capability.value is not None and capability.name.value != "tc":
                    start, end = capability.value.start, capability.value.end
                    again = model(main[:start] + "changed" + main[end:]).records.files[MAIN][number].capabilities[at]
                    assert again.value is not None
                    assert (again.value.value, again.value.start) == ("changed", start)


def test_hostile_files_are_resolved_promptly() -> None:
    """Classes that double one another, a long chain, many of one name."""
    doubling = "".join(f"c{n}:tc=c{n + 1}:tc=c{n + 1}:\n" for n in range(60)) + "c60:x:\n"
    chain = "".join(f"d{n}:tc=d{n + 1}:\n" for n in range(5000)) + "d5000:y:\n"
    same = "same:tc=same:\n" * 5000
    found = model(doubling + chain + same)
    assert found.login_class("c0") is None
    assert found.login_class("c50") is not None
    assert found.login_class("d0") is None
    assert one(found, "d4980").has("y")
    assert len(found.shadowed) == 4999


@pytest.mark.skipif(not CORPORA.is_dir(), reason="the collection of real files is not beside this checkout")
def test_real_files_agree() -> None:
    for row in agreement.rows(CORPORA):
        assert not row.wrong, row.subject
        assert row.agree == row.of > 0
