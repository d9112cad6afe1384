"""rc.conf.local is read as rc.subr(8) reads it, and what runs at boot is what rc(8) would start."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.agreement import system as agreement
from mailaudit.models.rc import RcConf, read_rc
from mailaudit.models.sources import Known, Lacking, NotHere, Sources
from mailaudit.parsers.rc import LANGUAGE, parse
from mailaudit.parsers.tree import gaps, nothing, render
from mailaudit.questions import Absent, Answer, Question, ReadFile
from mailaudit.snapshot import Snapshot
from mailaudit.text import Text

FIXTURE = Path(__file__).parent / "fixtures" / "configs" / "rc" / "rc.conf.local"
PATH = "/etc/rc.conf.local"


def model(local: str | bytes | None, base: str | None = None) -> RcConf:
    files = {} if local is None else {PATH: local if isinstance(local, bytes) else local.encode()}
    if base is not None:
        files["/etc/rc.conf"] = base.encode()
    slot = read_rc(agreement.sources(files))
    assert isinstance(slot, Known)
    return slot.value


def test_assignments_and_what_is_passed_over() -> None:
    found = model(FIXTURE.read_bytes())
    assert [(setting.name.value, setting.value.value) for setting in found.settings] == [
        ("httpd_flags", ""),
        ("smtpd_flags", "NO"),
        ("pkg_scripts", "redis  rspamd dovecot"),
        ("ntpd_flags", "-s"),
        ("dhcpd_flags", '"-c'),
        ("sshd_flags", '"unclosed'),
        ("pf", "YES"),
        ("named_flags", '"ntpd_flags="'),
        ("httpd_flags", "-v"),
        ("dovecot_rtable", "2"),
        ("spamd_flags", ""),
    ]
    assert [(problem.span.line, problem.message) for problem in found.ignored] == [
        (10, 'expected the name of a variable before "=", found "export unbound_flags"'),
        (11, '"pf_rules" is no variable of rc.conf(8)'),
        (12, 'expected a variable and "=", as in smtpd_flags='),
        (13, '"" is no variable of rc.conf(8)'),
        (17, "the last line has no newline, so rc(8) does not read it"),
    ]


def test_the_tokens_of_an_assignment() -> None:
    [plain, quoted, empty] = parse(Text(PATH, b" A_FLAGS =\t-x y # z\npf='NO'\nb_flags=# nothing\n"), nothing).statements
    assert [(token.kind, token.value) for token in plain.tokens] == [("name", "a_flags"), ("=", "="), ("value", "-x y")]
    assert [(token.kind, token.value) for token in quoted.tokens] == [
        ("name", "pf"),
        ("=", "="),
        ("'", "'"),
        ("value", "NO"),
        ("'", "'"),
    ]
    assert [leaf.value for leaf in empty.node.leaves()] == ["b_flags", ""]


def test_the_last_assignment_counts() -> None:
    found = model("httpd_flags=NO\npf=NO\nhttpd_flags=-v\n")
    setting = found.setting("httpd_flags")
    assert setting is not None
    assert setting.value.span.line == 3
    assert [[each.name.span.line for each in repeated] for repeated in found.repeated] == [[1, 3]]
    assert (found.value("httpd_flags"), found.value("pf"), found.value("pflogd_flags")) == ("-v", "NO", "NO")


@pytest.mark.parametrize(
    ("local", "name", "enabled", "base", "by"),
    [
        ("", "smtpd", True, True, None),
        ("", "httpd", False, True, None),
        ("httpd_flags=\n", "httpd", True, True, ""),
        ("smtpd_flags=NO\n", "smtpd", False, True, "NO"),
        ("smtpd_flags=no\n", "smtpd", True, True, "no"),
        ("", "pf", True, True, None),
        ("pf=NO\n", "pf", False, True, "NO"),
        ("pf=NO\n", "pflogd", False, True, None),
        ("pkg_scripts=redis dovecot\n", "dovecot", True, False, "dovecot"),
        ("pkg_scripts=redis dovecot\ndovecot_flags=NO\n", "dovecot", False, False, "NO"),
        ("pkg_scripts=redis\n", "dovecot", False, False, None),
        ("pkg_scripts=httpd\n", "httpd", False, True, None),
        ("dovecot_flags=\n", "dovecot", False, False, None),
        ("", "spamlogd", False, True, None),
        ("spamd_flags=\n", "spamlogd", True, True, None),
        ("nfs_server=YES\n", "nfsd", True, True, None),
        ("smtpd_flags=NO\r\n", "smtpd", True, True, "NO\r"),
    ],
)
def test_what_runs_at_boot(local: str, name: str, enabled: bool, base: bool, by: str | None) -> None:
    service = model(local).service(name)
    assert (service.enabled, service.is_base, None if service.by is None else service.by.value) == (enabled, base, by)


def test_packages_start_in_their_order() -> None:
    found = model('pkg_scripts=old\npkg_scripts="redis  rspamd\tdovecot"\n')
    assert [found.order(name) for name in ("redis", "rspamd", "dovecot", "old")] == [0, 1, 2, None]
    assert [word.span.chars for word in found.pkg_scripts] == ["redis", "rspamd", "dovecot"]


def test_the_defaults_are_those_of_rc_conf_where_it_is_there() -> None:
    stock, own = model(""), model(None, "smtpd_flags=NO\nnginx_flags=NO\n. /etc/rc.conf.local\n")
    assert stock.assumed
    assert not own.assumed
    assert (stock.service("smtpd").enabled, own.service("smtpd").enabled) == (True, False)
    assert (stock.is_base("nginx"), own.is_base("nginx")) == (False, True)


def test_what_stands_for_a_file_that_is_not_there() -> None:
    absent: dict[Question, Answer] = {ReadFile(PATH): Absent()}
    assert isinstance(read_rc(Sources(Snapshot("host", "target", absent))), NotHere)
    assert isinstance(read_rc(Sources(Snapshot("host", "target", {}))), Lacking)
    assert isinstance(read_rc(Sources(Snapshot("host", "target", absent, recorded=True))), Known)


LINE = st.builds(
    "{}{}{}{}{}{}{}".format,
    st.sampled_from(["", " ", "\t "]),
    st.sampled_from(["httpd_flags", "PF", "pkg_scripts", "pf_rules", "x y_flags", "", "#pf", "_user", "9_flags"]),
    st.sampled_from(["", " ", "\t"]),
    st.sampled_from(["=", "==", "", "= ="]),
    st.sampled_from(["", " ", "\t"]),
    st.text(alphabet="aNO-\"'#\\ =\t$", max_size=8),
    st.sampled_from(["\n", "\n\n", " \n", "\r\n", ""]),
)


@given(st.lists(st.lists(LINE, max_size=8).map("".join), min_size=1, max_size=6))
@settings(max_examples=40, deadline=None)
def test_every_file_is_read_as_a_shell_reads_it(files: list[str]) -> None:
    for file in files:
        assert agreement.rc_by_us(file.encode()) == agreement.rc_by_shell(file.encode()), file


@given(data=st.one_of(st.binary(max_size=200), st.lists(LINE, max_size=8).map("".join).map(str.encode)))
@settings(deadline=None)
def test_any_bytes_are_kept_and_values_lead_back(data: bytes) -> None:
    text = Text(PATH, data)
    tree = parse(text, nothing)
    assert render(tree) == data
    assert all(LANGUAGE.trivia.fullmatch(gap.chars) for gap in gaps(tree))
    for number, setting in enumerate(model(data).settings):
        assert setting.value.span.chars == setting.value.value
        changed = text.chars[: setting.value.start] + "changed" + text.chars[setting.value.end :]
        again = model(changed.encode("utf-8", "surrogateescape")).settings[number]
        assert (again.value.value, again.value.start) == ("changed", setting.value.start)
