"""What recorded commands say: parsed, three-valued where nothing was recorded."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest
from hostfiles import sources

from mailaudit.models.clock import moment, read_clock
from mailaudit.models.daemons import Daemons, read_daemons
from mailaudit.models.dovecot.config import DovecotConfig
from mailaudit.models.httpd import HttpdConfig
from mailaudit.models.processes import Processes, read_processes
from mailaudit.models.rc import RcConf, read_rc
from mailaudit.models.redis import RedisConfig
from mailaudit.models.releases import is_supported
from mailaudit.models.rspamd.config import RspamdConfig
from mailaudit.models.smtpd.config import SmtpdConfig
from mailaudit.models.sources import Known, Lacking, NotHere, Slot
from mailaudit.models.system import Package, read_packages, read_patches, read_time_keeping, read_uname
from mailaudit.questions import Command, Reason

PS = """PID USER STARTED COMMAND
1 root Fri Nov 20 09:30:02 2026 /sbin/init
41833 root Fri Nov  6 09:30:21 2026 /usr/sbin/smtpd
41834 _smtpd Fri Nov 20 09:30:21 2026 smtpd: klondike
52719 root Fri Nov 20 09:30:30 2026 /usr/local/sbin/dovecot
52720 root Sat Nov 21 03:00:01 2026 dovecot/log
52721 root Foo Bar 99 nonsense
"""
NOTHING: Slot[object] = NotHere("nothing of it is in the target")
CONFIGS = (SmtpdConfig, DovecotConfig, HttpdConfig, RspamdConfig, RedisConfig)


@pytest.mark.parametrize(
    ("release", "day", "supported"),
    [
        ((7, 9), date(2026, 6, 1), True),
        ((7, 8), date(2026, 6, 1), True),
        ((7, 7), date(2026, 6, 1), False),
        ((7, 7), date(2026, 5, 18), True),
        ((7, 8), date(2026, 8, 31), True),
        ((7, 8), date(2026, 11, 22), None),  # a release that is not in the table may be out
        ((7, 9), date(2026, 11, 22), True),  # one may be, two cannot
        ((7, 9), date(2027, 6, 1), None),
        ((7, 7), date(2027, 6, 1), False),
        ((8, 0), date(2026, 11, 22), None),
        ((6, 6), date(2026, 11, 22), False),
    ],
)
def test_the_two_newest_releases_get_fixes(release: tuple[int, int], day: date, supported: bool | None) -> None:
    assert is_supported(release, day) is supported


def test_the_time_is_that_of_the_option_then_of_the_snapshot_then_of_the_clock() -> None:
    chosen, current = datetime(2027, 1, 1, tzinfo=UTC), datetime(2028, 1, 1, tzinfo=UTC)
    taken = "2026-11-22T12:00:00Z"
    assert read_clock(chosen, taken, current).now == chosen
    assert read_clock(None, taken, current).now == moment(taken)
    assert read_clock(None, None, current).now == read_clock(None, "yesterday", current).now == current


@pytest.mark.parametrize(
    ("said", "system", "release"),
    [
        ("OpenBSD 7.8\n", "OpenBSD", (7, 8)),
        ("OpenBSD host7.example.com 7.8 GENERIC.MP#1 amd64\n", "OpenBSD", (7, 8)),
        ("OpenBSD 8.0-beta amd64\n", "OpenBSD", (8, 0)),
        ("Linux 6.1.0-18-amd64\n", "Linux", None),
        ("Haiku\n", "Haiku", None),
    ],
)
def test_uname(said: str, system: str, release: tuple[int, int] | None) -> None:
    slot = read_uname(sources({}, {Command.UNAME: (0, said)}))
    assert isinstance(slot, Known)
    assert (slot.value.system, slot.value.release) == (system, release)


def test_what_was_not_recorded_or_failed_is_lacking() -> None:
    unasked = read_uname(sources({}))
    assert isinstance(unasked, Lacking)
    assert unasked.reason is Reason.NOT_RECORDED
    failed = read_patches(sources({}, {Command.SYSPATCH: (1, "")}))
    assert isinstance(failed, Lacking)
    assert failed.reason is Reason.UNREADABLE


def test_packages_have_a_stem_a_version_and_flavors() -> None:
    listed = (
        "rspamd-3.12.1-hyperscan\nopensmtpd-filter-rspamd-0.1.8 connects smtpd\ndovecot-2.4.1p1v0-ldap-mysql\n.libs1-x-1.0\n\n"
    )
    slot = read_packages(sources({}, {Command.PKG_INFO: (0, listed)}))
    assert isinstance(slot, Known)
    assert slot.value.of("rspamd") == Package("rspamd", "3.12.1", ("hyperscan",))
    assert slot.value.of("valkey", "opensmtpd-filter-rspamd") == Package("opensmtpd-filter-rspamd", "0.1.8")
    dovecot = slot.value.of("dovecot")
    assert dovecot is not None
    assert dovecot.family == "2.4"
    assert dovecot.name == "dovecot-2.4.1p1v0-ldap-mysql"
    assert slot.value.of("filter-rspamd") is None


@pytest.mark.parametrize(
    ("said", "synced"), [("clock synced, stratum 3", True), ("4/4 peers valid, clock unsynced", False), ("peers valid", None)]
)
def test_the_clock_is_as_ntpctl_says(said: str, synced: bool | None) -> None:
    slot = read_time_keeping(sources({}, {Command.NTPCTL: (0, said)}))
    assert isinstance(slot, Known)
    assert slot.value.synced is synced


def processes(ps: str) -> Processes:
    slot = read_processes(sources({}, {Command.PS: (0, ps)}), {})
    assert isinstance(slot, Known)
    return slot.value


def test_processes_know_since_when_a_daemon_runs_what_it_runs() -> None:
    found = processes(PS)
    assert len(found.processes) == 5
    assert found.read_at("smtpd") == (datetime(2026, 11, 6, 9, 30, 21, tzinfo=UTC), False)
    assert found.read_at("dovecot") == (datetime(2026, 11, 21, 3, 0, 1, tzinfo=UTC), False)
    assert found.read_at("httpd") is None
    assert (found.has("smtpd"), found.has("rspamd"), found.has("ntpd")) == (True, False, None)


def test_a_reload_that_processes_do_not_show_is_not_ruled_out() -> None:
    found = processes(
        "7 root Fri Nov 20 09:30:02 2026 /usr/local/sbin/dovecot\n8 root Fri Nov 20 09:30:02 2026 /usr/sbin/httpd\n"
    )
    assert found.read_at("dovecot") == found.read_at("httpd") == (datetime(2026, 11, 20, 9, 30, 2, tzinfo=UTC), True)


def daemons(files: dict[str, str], commands: dict[Command, tuple[int, str]]) -> Slot[Daemons]:
    host = sources(files, commands)
    slots: dict[type, Slot[object]] = dict.fromkeys(CONFIGS, NOTHING)
    slots[Processes] = read_processes(host, slots)
    slots[RcConf] = read_rc(host)
    return read_daemons(host, slots)


def test_files_say_what_starts_and_commands_what_runs() -> None:
    slot = daemons(
        {"/etc/rc.conf.local": "pkg_scripts=rspamd redis\n"},
        {Command.RCCTL_LS_ON: (0, "dovecot\n"), Command.RCCTL_LS_STARTED: (1, "redis\nsmtpd\n")},
    )
    assert isinstance(slot, Known)
    found = slot.value
    assert [found.enabled(name) for name in ("redis", "dovecot", "httpd", "smtpd", "pf")] == [True, False, False, True, True]
    assert [found.running(name) for name in ("redis", "dovecot")] == [True, False]
    assert (found.place_in_order("rspamd"), found.place_in_order("redis"), found.place_in_order("dovecot")) == (0, 1, None)


def test_commands_stand_in_for_files() -> None:
    slot = daemons({}, {Command.RCCTL_LS_ON: (0, "smtpd\nredis\n"), Command.RCCTL_LS_FAILED: (1, "redis\n")})
    assert isinstance(slot, Known)
    found = slot.value
    assert (found.enabled("smtpd"), found.enabled("dovecot")) == (True, False)
    assert (found.running("smtpd"), found.running("redis"), found.running("dovecot")) == (True, False, None)


def test_processes_stand_in_for_rcctl() -> None:
    slot = daemons({}, {Command.PS: (0, PS)})
    assert isinstance(slot, Known)
    found = slot.value
    assert (found.running("smtpd"), found.running("rspamd"), found.running("ntpd")) == (True, False, None)
    assert found.enabled("smtpd") is None


def test_of_nothing_nothing_is_known() -> None:
    slot = daemons({}, {})
    assert isinstance(slot, Known)
    assert {slot.value.enabled("smtpd"), slot.value.running("smtpd"), slot.value.place_in_order("redis")} == {None}
    assert set(slot.value.not_here) == {"dovecot", "httpd", "redis", "rspamd", "smtpd"}
