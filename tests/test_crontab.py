"""Crontabs are read as OpenBSD's cron reads them: lines, fields, times, and the commands that are run."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import date, timedelta
from itertools import pairwise
from pathlib import Path

import pytest
from hostfiles import sources
from hypothesis import given
from hypothesis import strategies as st

from mailaudit.models.cron import ROOT, Crontabs, read_cron
from mailaudit.models.schedule import Schedule
from mailaudit.models.sources import Known
from mailaudit.parsers.crontab import FIELDS, LANGUAGE, SYSTEM, Range, ranges
from mailaudit.parsers.tree import Tree, gaps, nothing, render
from mailaudit.questions import Command
from mailaudit.text import Text

FIXTURES = Path(__file__).parent / "fixtures/configs"
TABLE = (FIXTURES / "crontab/var/cron/tabs/root").read_text()
DAY = 24 * 60


def tree(chars: str, language: object = LANGUAGE) -> Tree:
    assert language in (LANGUAGE, SYSTEM)
    return (SYSTEM if language is SYSTEM else LANGUAGE).parse(Text.of(ROOT, chars), nothing)


def leaves(chars: str, language: object = LANGUAGE) -> list[tuple[str, str]]:
    [statement] = tree(chars, language).statements
    return [(token.kind, token.value) for token in statement.node.leaves()]


def problems(chars: str, language: object = LANGUAGE) -> list[tuple[str, str]]:
    found = (statement.problem for statement in tree(chars, language).unread())
    return [(problem.message, problem.span.chars) for problem in found if problem is not None]


def crontabs(files: dict[str, str], listed: str | None = None) -> Crontabs:
    commands = {} if listed is None else {Command.CRONTAB_ROOT: (0, listed)}
    slot = read_cron(sources(files, commands))
    assert isinstance(slot, Known)
    return slot.value


# Lines (load_env, load_entry)


def test_variables() -> None:
    assert leaves("MAILTO=root\n") == [("word", "MAILTO"), ("word", "root")]
    assert leaves("A = b c  \n") == [("word", "A"), ("word", "b c")]
    assert leaves("\"A B\"  ='  x '\n") == [("string", "A B"), ("string", "  x ")]
    assert leaves('MAILTO=""\n') == [("word", "MAILTO"), ("string", "")]
    assert leaves("PATH=/bin:/usr/bin#x\n")[1] == ("word", "/bin:/usr/bin#x")


def test_a_value_that_is_not_there_is_refused_and_meant_to_be_empty() -> None:
    assert problems("MAILTO=\n") == [('expected a value after "="; an empty one is written MAILTO=""', "=")]


def test_jobs() -> None:
    assert leaves("5 0 * * *\t$HOME/bin/job >> out 2>&1\n") == [
        ("minute", "5"),
        ("hour", "0"),
        ("monthday", "*"),
        ("month", "*"),
        ("weekday", "*"),
        ("command", "$HOME/bin/job >> out 2>&1"),
    ]
    assert leaves("@daily -n -qs x # y\n") == [("when", "@daily"), ("flag", "-n"), ("flag", "-qs"), ("command", "x # y")]
    assert leaves("0 1 2 3 4 _rspamd  x\n", SYSTEM)[5:] == [("user", "_rspamd"), ("command", "x")]


def test_percent_signs() -> None:
    found = leaves('@daily mail -s "10\\% off" joe%Joe,%%Where are your 5\\%?%\n')
    assert found[1:] == [("command", 'mail -s "10% off" joe'), ("%", "%"), ("input", "Joe,\n\nWhere are your 5%?\n")]


@pytest.mark.parametrize(
    ("chars", "message", "place"),
    [
        ("60 * * * * x\n", 'expected a minute (0-59), "*", "~", a range or a list of them, found "60"', "60"),
        ("0 24 * * * x\n", 'expected an hour (0-23), "*", "~", a range or a list of them, found "24"', "24"),
        ("0 0 0 * * x\n", 'expected a day of the month (1-31), "*", "~", a range or a list of them, found "0"', "0"),
        ("0 0 1 juni * x\n", 'expected a month (1-12 or jan-dec), "*", "~", a range or a list of them, found "juni"', "juni"),
        (
            "0 0 * * mon-sun x\n",
            'expected a day of the week (0-7 or sun-sat), "*", "~", a range or a list of them, found "mon-sun"',
            "mon-sun",
        ),
        ("0 0 *\n", 'expected a month (1-12 or jan-dec), "*", "~", a range or a list of them, found the end of the line', "*"),
        ("0 0 * * *\n", "expected a command, found the end of the line", "*"),
        ("* * * * * * x\n", 'expected a command, found "*": the line has a field too many', "*"),
        ("@dayly x\n", 'there is no "@dayly"; @daily is meant', "@dayly"),
        (
            "@noon x\n",
            'expected one of @reboot, @yearly, @annually, @monthly, @weekly, @daily, @midnight, @hourly, found "@noon"',
            "@noon",
        ),
        ("@daily -x y\n", 'expected a flag (-n, -q, -s) or a command, found "-x"', "-x"),
        ("@daily - y\n", 'expected a flag (-n, -q, -s) or a command, found "-"', "-"),
        ("@daily x", "cron passes over a last line that does not end with a newline", "x"),
        ("just words\n", 'expected a minute (0-59), "*", "~", a range or a list of them, found "just"', "just"),
    ],
)
def test_what_cron_passes_over_is_told_at_its_word(chars: str, message: str, place: str) -> None:
    assert problems(chars) == [(message, place)]


def test_a_command_that_cron_cuts_is_told() -> None:
    [(message, _)] = problems("@daily " + "x" * 1000 + "\n")
    assert message == "cron keeps the first 999 characters of a command alone"


def test_the_systems_table_names_a_user() -> None:
    assert problems("0 0 * * * root\n", SYSTEM) == [("expected a command, found the end of the line", "root")]
    assert problems("@daily\n", SYSTEM) == [("expected a user, found the end of the line", "@daily")]


# Fields (get_list, get_range, get_number)


@pytest.mark.parametrize(
    ("kind", "written", "found"),
    [
        ("minute", "*", [Range(0, 59)]),
        ("minute", "*/15", [Range(0, 59, 15)]),
        ("minute", "1,2,5-9", [Range(1, 1), Range(2, 2), Range(5, 9)]),
        ("hour", "0-23/2", [Range(0, 23, 2)]),
        ("minute", "~", [Range(0, 59, random=True)]),
        ("minute", "~30", [Range(0, 30, random=True)]),
        ("minute", "10~", [Range(10, 59, random=True)]),
        ("minute", "0~59/30", [Range(0, 59, 30, random=True)]),
        ("minute", "~/30", [Range(0, 59, 30, random=True)]),
        ("month", "Jan-mar,DEC", [Range(1, 3), Range(12, 12)]),
        ("weekday", "sun,7", [Range(0, 0), Range(7, 7)]),
        ("minute", "*x,5", [Range(0, 59)]),  # cron passes over what stands right behind an asterisk
        ("minute", "~70", [Range(0, 59, random=True)]),  # and over a bound that is none
        ("minute", "007", [Range(7, 7)]),
        ("minute", "5/10", None),
        ("minute", "5-", None),
        ("minute", "9-5", None),
        ("minute", "1,", None),
        ("minute", ",1", None),
        ("minute", "*/0", None),
        ("minute", "*/61", None),
        ("hour", "*/24", [Range(0, 23, 24)]),
        ("hour", "*/25", None),
        ("minute", "1-5x", None),
        ("minute", "mon", None),
        ("weekday", "monday", None),
        ("weekday", "8", None),
        ("minute", "40~30", None),
        ("minute", "~x", None),
        ("minute", "", None),
    ],
)
def test_fields(kind: str, written: str, found: list[Range] | None) -> None:
    assert ranges(kind, written) == (None if found is None else tuple(found))


# When it runs


def schedule(written: str) -> Schedule:
    if written.startswith("@"):
        return Schedule.of({"when": written})
    return Schedule.of(dict(zip(FIELDS, written.split(), strict=True)))


@pytest.mark.parametrize(
    ("written", "gap"),
    [
        ("* * * * *", 1),
        ("*/5 * * * *", 5),
        ("@hourly", 60),
        ("30 1 * * *", DAY),
        ("@daily", DAY),
        ("~ ~ * * *", DAY),
        ("~/15 * * * *", 15),
        ("0 0,12 * * *", DAY // 2),
        ("@weekly", 7 * DAY),
        ("0 3 * * 6", 7 * DAY),
        ("0 0 1,15 * 5", 7 * DAY),  # either of the two days
        ("0 0 */2 * 1", 21 * DAY),  # an asterisk in one of them: both
        ("@monthly", 31 * DAY),
        ("0 0 ~ * *", 61 * DAY),  # drawn 31: not in every month
        ("@yearly", 366 * DAY),
        ("0 0 31 2 *", None),
        ("@reboot", None),
    ],
)
def test_the_longest_time_between_two_runs(written: str, gap: int | None) -> None:
    assert schedule(written).longest_gap == gap
    assert schedule(written).at_least_every(7 * DAY) is (gap is not None and gap <= 7 * DAY)


def test_too_many_draws_are_not_told() -> None:
    assert schedule("~ ~ ~ ~ ~").at_least_every(7 * DAY) is None


def minutes_of_three_years(fields: dict[str, frozenset[int]], star: bool) -> Iterator[int]:
    for number in range(3 * 366):
        day = date(2024, 1, 1) + timedelta(days=number)
        if day.month not in fields["month"]:
            continue
        by_month, by_week = day.day in fields["monthday"], day.isoweekday() % 7 in {each % 7 for each in fields["weekday"]}
        if (by_month and by_week) if star else (by_month or by_week):
            yield from (
                number * DAY + hour * 60 + minute for hour in sorted(fields["hour"]) for minute in sorted(fields["minute"])
            )


def test_the_gap_is_that_of_a_calendar_gone_through_minute_by_minute() -> None:
    rng = random.Random(5)
    for _ in range(40):
        fields: dict[str, str] = {}
        for kind, (low, high, _names) in FIELDS.items():
            first = rng.randrange(low, high + 1)
            last = rng.randrange(first, high + 1)
            fields[kind] = rng.choice(("*", "*", str(first), f"{first}-{last}", f"*/{rng.randrange(1, high - low)}"))
        sets = {
            kind: frozenset(n for each in ranges(kind, written) or () for n in range(each.low, each.high + 1, each.step))
            for kind, written in fields.items()
        }
        star = any(fields[kind].startswith("*") for kind in ("monthday", "weekday"))
        runs = list(minutes_of_three_years(sets, star))
        expected = max((after - before for before, after in pairwise(runs)), default=None)
        gap = Schedule.of(fields).longest_gap
        if expected is not None and gap is not None:
            assert gap >= expected, fields
            if len({run // DAY for run in runs}) > 60:  # what is rarer may be rarer still beyond the three years
                assert gap == expected, fields


# Who runs what


def test_jobs_variables_flags_and_steps() -> None:
    found = crontabs({ROOT: TABLE})
    assert not found.refusals
    assert not found.assumed
    [renewal] = found.running("acme-client")
    assert renewal.user == "root"
    assert renewal.schedule.at_least_every(DAY)
    assert renewal.job is not None
    assert renewal.job.flags == {"n", "s"}
    assert renewal.job.variables["MAILTO"].value == ""
    reloads = [run.step for run in found.runs if run.step.needs[:1] == (renewal.step,)]
    assert [[word.value for word in step.words] for step in reloads] == [
        ["rcctl", "restart", "smtpd"],
        ["rcctl", "reload", "dovecot"],
    ]
    assert [word.span.chars for word in reloads[1].words] == ["rcctl", "reload", "dovecot"]
    [percent] = [run for run in found.running("echo") if run.schedule.fields]
    assert [word.value for word in percent.step.words] == ["echo", "100%", "done"]


def test_what_crontab_l_showed_stands_for_roots_table() -> None:
    found = crontabs({}, listed="@hourly x\n")
    assert [(run.user, run.step.program) for run in found.runs] == [("root", "x")]
    assert not found.assumed


def test_a_host_without_a_job_of_roots_has_none() -> None:
    slot = read_cron(sources({}, {Command.CRONTAB_ROOT: (1, "")}))
    assert isinstance(slot, Known)
    assert not slot.value.runs
    assert not slot.value.assumed


def test_local_scripts_run_when_the_systems_do() -> None:
    files = {"/etc/daily.local": "acme-client a\n", "/etc/weekly.local": "x\n", ROOT: "30 1 * * * /bin/sh /etc/daily\n"}
    found = crontabs(files)
    assert [(run.step.program, run.schedule.longest_gap) for run in found.runs] == [("sh", DAY), ("acme-client", DAY)]
    assert sorted(found.scripts) == ["/etc/daily.local", "/etc/weekly.local"]  # nothing runs the second


def test_the_stock_table_is_assumed_where_none_is_known() -> None:
    found = crontabs({"/etc/monthly.local": "x\n"})
    assert [(run.user, run.schedule.longest_gap) for run in found.running("x")] == [("root", 31 * DAY)]
    assert found.assumed


def test_users_tables_and_the_systems() -> None:
    files = {
        ROOT: "@daily a\n",
        "/var/cron/tabs/vmail": "@daily b\n",
        "/etc/crontab": (FIXTURES / "crontab/etc/crontab").read_text(),
    }
    found = crontabs(files)
    assert [(job.user, job.command.value.split()[0]) for job in found.jobs] == [
        ("root", "a"),
        ("vmail", "b"),
        ("root", "/usr/local/bin/report"),
        ("www", "touch"),
        ("_rspamd", "rspamc"),
    ]
    assert found.jobs[3].span.line == 4


@given(
    st.lists(
        st.one_of(
            st.sampled_from(["* * * * * ", "@daily ", "\n", "%", "\\%", "-n ", "A=", '"', "'", " ", "\t", "~", "/5", "\r", "#"]),
            st.text(max_size=3),
        )
    )
)
def test_any_text_comes_back(parts: list[str]) -> None:
    data = "".join(parts).encode("utf-8", "surrogatepass")
    for language in (LANGUAGE, SYSTEM):
        read = language.parse(Text(ROOT, data), nothing)
        assert render(read) == data
        assert all(language.trivia.fullmatch(gap.chars) for gap in gaps(read))


def test_every_value_is_its_written_characters() -> None:
    """Law 5: a step's word or a job's time put in its place is that word or time when the file is read again."""
    found = crontabs({ROOT: TABLE})
    for number, job in enumerate(found.jobs):
        for token in job.when:
            other = "@hourly" if token.kind == "when" else "1"
            again = crontabs({ROOT: TABLE[: token.start] + other + TABLE[token.end :]}).jobs[number]
            assert other in [each.value for each in again.when]
        for step, word in [(step, word) for step, each in enumerate(job.steps) for word in each.words]:
            again = crontabs({ROOT: TABLE[: word.start] + "changed" + TABLE[word.end :]}).jobs[number]
            assert "changed" in [each.value for each in again.steps[step].words]
