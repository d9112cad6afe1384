"""Several mailaudit.toml of one host: what they say together, and where each thing is said."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest

from mailaudit.auditor import Options, auditor_for, select
from mailaudit.cli import run
from mailaudit.collect.roots import find_worlds
from mailaudit.findings import Basis, Result, Severity, Verdict
from mailaudit.models.policy.operators import Expectation
from mailaudit.rulebook import SelectionError
from mailaudit.rulebook import load as load_rulebook
from mailaudit.settings import Settings, SettingsError, Waiver, load, parse_settings, read_layer, waive
from mailaudit.settings.tables import Lines
from mailaudit.settings.writing import as_toml

FAR = """[site]
domains = ["example.com"]
mail_host = "mail.example.com"
selectors = { "example.com" = "far" }
open_ports = { tcp = [8080], udp = [53] }
[rules]
profile = "strict"
ignore = ["DNS013"]
[rules.severity]
PF052 = "info"
"PF010" = "low"
[policy.smtpd]
domains = { subset = ["example.com"] }
[[waiver]]
rule = "DNS011"
reason = "far"
"""
NEAR = """
site.domains = ["example.org"]
site.open_ports = { tcp = [9090] }
[rules]
ignore = [
  "PF020",
  "DNS013",
]
severity = { PF = "high" }
[policy]
smtpd.domains = { equals = ["example.org"] }
[[waiver]]
rule = "DNS010"
reason = "near"
"""
BOOK = load_rulebook()


def both(far: str = FAR, near: str = NEAR) -> Settings:
    return load((("far.toml", far.encode()), ("hosts/near.toml", near.encode())))


def test_the_nearest_file_wins_key_by_key_and_values_are_never_mixed() -> None:
    site = both().site
    assert (site.domains, site.mail_host, dict(site.selectors)) == (("example.org",), "mail.example.com", {"example.com": "far"})
    assert (site.open_tcp, site.open_udp) == ((9090,), ())
    assert [(each.operator, each.value, each.origin) for each in site.policy] == [
        ("equals", ("example.org",), "hosts/near.toml:11")
    ]
    assert both().profile == "strict"


def test_what_is_ignored_and_waived_adds_up() -> None:
    found = both()
    assert found.ignore == ("DNS013", "PF020")
    assert [(each.rule, each.origin) for each in found.waivers] == [("DNS011", "far.toml:14"), ("DNS010", "hosts/near.toml:12")]


def test_of_two_severities_the_nearer_decides_and_in_one_file_the_longer(tmp_path: Path) -> None:
    (tmp_path / "mx/etc").mkdir(parents=True)
    (tmp_path / "mx/etc/pf.conf").write_text("")
    (tmp_path / "mailaudit.toml").write_text('[rules.severity]\nPF020 = "info"\nPF = "low"\nPF01 = "medium"\n')

    def severities() -> list[Severity]:
        (world,) = find_worlds(str(tmp_path))
        found = auditor_for(world, BOOK, Options()).severities
        return [found["PF020"], found["PF010"], found["PF030"]]

    assert severities() == [Severity.INFO, Severity.MEDIUM, Severity.LOW]
    (tmp_path / "mx/mailaudit.toml").write_text('[rules.severity]\nPF0 = "critical"\n')
    assert severities() == [Severity.CRITICAL] * 3
    (tmp_path / "mx/mailaudit.toml").write_text('[rules.severity]\nPF = "high"\n')  # which the far one has before the longer
    assert severities() == [Severity.HIGH] * 3


def test_each_thing_has_its_place() -> None:
    said = {".".join(keys): str(place) for keys, place in both().said.items()}
    assert said == {
        "site.domains": "hosts/near.toml:2",
        "site.mail_host": "far.toml:3",
        "site.selectors": "far.toml:4",
        "site.open_ports": "hosts/near.toml:3",
        "rules.profile": "far.toml:7",
        "rules.ignore.DNS013": "far.toml:8",
        "rules.ignore.PF020": "hosts/near.toml:5",
        "rules.severity.PF052": "far.toml:10",
        "rules.severity.PF010": "far.toml:11",
        "rules.severity.PF": "hosts/near.toml:9",
        "policy.smtpd.domains": "hosts/near.toml:11",
    }


def test_one_file_says_what_it_said_alone() -> None:
    assert load((("m.toml", FAR.encode()),)) == parse_settings(FAR.encode(), "m.toml")
    assert load(()) == Settings()


def test_together_they_can_be_kept_as_one_file() -> None:
    found = both()
    again = parse_settings(as_toml(found))
    told = [(each.subject, each.name, each.operator, each.value) for each in again.site.policy]
    assert told == [("smtpd", "domains", "equals", ("example.org",))]
    assert again.ignore == found.ignore
    assert again.profile == found.profile
    assert [(each.rule, each.reason) for each in again.waivers] == [("DNS011", "far"), ("DNS010", "near")]
    assert (again.site.domains, again.site.open_tcp, again.site.selectors) == (("example.org",), (9090,), {"example.com": "far"})
    assert parse_settings(as_toml(Settings(files=("odd\udcff\n.toml",)))) == Settings(files=("mailaudit.toml",))


def test_a_waiver_with_all_its_words_is_kept() -> None:
    text = (
        '[[waiver]]\nrule = "A"\nreason = "line\\n \\"q\\" é"\nexpires = 2027-03-31\nhost = "mx*"\nmatch = "' + "0" * 64 + '"\n'
    )
    found = parse_settings(text.encode(), "m")
    (again,) = parse_settings(as_toml(found), "m").waivers
    assert again == type(again)(**{name: getattr(found.waivers[0], name) for name in again.__slots__} | {"origin": "m:3"})


def test_a_mistake_in_one_host_s_file_is_told_and_nothing_is_scanned(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("mx1", "mx2"):
        (tmp_path / name / "etc").mkdir(parents=True)
        (tmp_path / name / "etc/pf.conf").write_text("block\n")
    (tmp_path / "mailaudit.toml").write_text('[rules]\nprofile = "guide"\n')
    (tmp_path / "mx2/mailaudit.toml").write_text("\n[site]\nmailhost = 1\n")
    assert run(["scan", str(tmp_path)]) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert "mx2/mailaudit.toml:3: site.mailhost is no known key; the nearest is mail_host" in told.err
    assert run(["scan", str(tmp_path), "--config", str(tmp_path / "mailaudit.toml"), "--select", "PF001"]) == 0


@pytest.mark.parametrize(
    ("far", "near", "place"),
    [
        ('[rules]\nignore = ["NONE1"]', "", "far.toml:2: no rule is called 'NONE1'"),
        ("", '[rules]\nignore = [\n"PF",\n"default-dany"]', "hosts/near.toml:2: no rule is called 'default-dany'; did you mean"),
    ],
)
def test_a_rule_that_is_none_is_told_with_its_file(far: str, near: str, place: str) -> None:
    with pytest.raises(SelectionError) as error:
        select(BOOK, both(far, near), Options())
    assert str(error.value).startswith(place)


def test_lines_are_found_in_one_pass() -> None:
    text = "[rules.severity]\n" + "".join(f'R{n} = "low"\n' for n in range(40_000))
    begun = time.monotonic()
    assert parse_settings(text.encode()).severity["R39999"] is Severity.LOW
    assert time.monotonic() - begun < 5
    lines = Lines('a.b = 1\n[x."y z"]\nk = 2\n"q" . r = 3\n[[w]]\n[[w]]\nz = 1\n')
    asked = [("a",), ("a", "b"), ("x",), ("x", "y z", "k"), ("x", "y z", "q", "r"), ("w[2]", "z"), ("w[3]", "z"), ("none",)]
    assert [lines.of(keys) for keys in asked] == [1, 1, 2, 3, 4, 7, 5, None]


@pytest.mark.parametrize(
    ("toml", "told"),
    [
        ("a" + ".a" * 300_000 + " = 1", "m:1: a key of more than 100 names is none"),
        ('x = 1\n["a"' + '."a"' * 200_000 + "]", "m:2: a key of more than 100 names is none"),
        ('"' + "a" * 900_000 + '" = 1', f"m:1: {'a' * 57}... is no known key; known are site"),
        ('[site]\nmail_host = "' + "a." * 400_000 + '"', "m:2: site.mail_host: expected a host name"),
        ("x = " + "{a = " * 2000 + "1" + "}" * 2000, "m: it is nested too deeply"),
        ("[[waiver]]\n" * 80_000, "m:1: waiver[1].rule is missing"),
    ],
    ids=lambda value: value[:20],
)
def test_a_hostile_file_is_refused_soon_and_in_few_words(toml: str, told: str) -> None:
    begun = time.monotonic()
    with pytest.raises(SettingsError) as error:
        parse_settings(toml.encode(), "m")
    assert time.monotonic() - begun < 5
    assert str(error.value).startswith(told)
    assert len(str(error.value)) < 300


def test_dots_in_quotes_and_comments_are_no_names() -> None:
    names = ", ".join(f'"d{n}.example.com"' for n in range(1000))
    assert len(parse_settings(f"[site]\ndomains = [{names}] # {'.' * 200}\n".encode()).site.domains) == 1000


def test_many_waivers_of_one_rule_are_looked_at_once() -> None:
    waivers = [Waiver("PF", "r", origin=f"m:{n}") for n in range(30_000)]
    found = [Result(f"PF{n:03}", "x", Verdict.FAIL, Severity.LOW, Basis.GUIDE, "", "") for n in range(3)]
    found += [Result(f"DNS{n:03}", "x", Verdict.PASS, Severity.LOW, Basis.GUIDE, "", "") for n in range(400)]
    begun = time.monotonic()
    done = waive(found, waivers, date(2026, 11, 22), "mx")
    assert time.monotonic() - begun < 5
    assert ({each.verdict for each in done.results[:3]}, len(done.used), done.unused) == ({Verdict.WAIVED}, 30_000, ())


# ---- what is no file of settings


def fifo(path: Path) -> None:
    os.mkfifo(path)


def directory(path: Path) -> None:
    path.mkdir()


def huge(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(100 * 1024 * 1024)


def long(path: Path) -> None:
    path.write_bytes(b"#" * (1024 * 1024 + 1))


def loop(path: Path) -> None:
    path.symlink_to(path.name)


def outside(path: Path) -> None:
    path.symlink_to("../../elsewhere.toml")


def dangling(path: Path) -> None:
    path.symlink_to("nowhere.toml")


@pytest.mark.parametrize("make", [fifo, directory, huge, long, loop, outside, dangling])
@pytest.mark.parametrize("where", ["", "mx"])
def test_settings_that_are_no_file_of_settings_are_a_usage_error(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], make: Callable[[Path], None], where: str
) -> None:
    (tmp_path / "repo/mx/etc").mkdir(parents=True)
    (tmp_path / "repo/mx/etc/pf.conf").write_text("")
    (tmp_path / "elsewhere.toml").write_text("")
    path = tmp_path / "repo" / where / "mailaudit.toml"
    make(path)
    for command in (["scan"], ["fix"], ["config", "show"]):
        assert run([*command, str(tmp_path / "repo")]) == 2, command
        told = capsys.readouterr()
        assert str(path) in told.err
        assert "Traceback" not in told.err
    if make is not outside:
        assert run(["scan", str(tmp_path / "repo"), "--config", str(path)]) == 2
        assert f"mailaudit: {path}" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("toml", "message"),
    [
        ('[[waiver]]\nrule = "A"\nreason = "r"\nhost = "mx[1"', "m:4: waiver[1].host: expected a glob of host names"),
        ('[[waiver]]\nrule = "A"\nreason = "r"\nhost = "mx1/etc"', "m:4: waiver[1].host: expected a glob of host names"),
        ('[[waiver]]\nrule = "A"\nreason = "r"\nhost = ["mx1"]', "m:4: waiver[1].host: expected a glob of host names"),
        ('[[waiver]]\nrule = "A"\nreason = "r"\nexpires = 2027-02-30', "m:4:"),
        (
            '[[waiver]]\nrule = "A"\nreason = "r"\nexpires = 10:00:00',
            "m:4: waiver[1].expires: expected a date like 2027-03-31, without",
        ),
        (
            '[[waiver]]\nrule = "A"\nreason = "r"\nmatch = "..."',
            "m:4: waiver[1].match: expected a finding's fingerprint, 64 hexa",
        ),
        ('waiver = [{ rule = "A", reason = 1 }]', "m:1: waiver[1].reason: expected a reason, in words, found 1"),
        ('[[waivers]]\nrule = "A"', "m:1: waivers is no known key; the nearest is waiver"),
        ("[[site]]\n", "m:1: site: expected a table"),
        ('[site]\ndomains = ["a b"]', "m:2: site.domains: expected a list of domains"),
        ('[site]\ndomains = ["*.example.com"]', "m:2: site.domains: expected a list of domains"),
        ('[site]\nca_file = "a\\u0000b"', "m:2: site.ca_file: expected a path"),
        ('[rules]\nignore = ["A\\u001b[31m"]', "m:2: rules.ignore: expected a list of rules"),
        ('[rules]\nignore = [""]', "m:2: rules.ignore: expected a list of rules"),
        ('[rules.severity]\n"" = "low"', "m:2: rules.severity."),
        ("\ufeff[site]\n", "m:1: it begins with a byte order mark"),
        ("x = 1e400", "m:1: x is no known key"),
        ("[site]\nbackup_days = 1e400", "m:2: site.backup_days: expected a number of days from 1 to 36500, found"),
        ("[site]\nbackup_days = 99999999999999999999", "m:2: site.backup_days: expected a number of days"),
        ("[site]\nold_selectors = { a = 3 }", "m:2: site.old_selectors: expected a table of selectors and the last day of each"),
        ("[site]\nold_selectors = { a = 2026-10-01T00:00:00Z }", "m:2: site.old_selectors: expected a table of selectors"),
        (
            "[site.old_selectors]\nSelector0 = 2026-03-31\nselector0 = 2026-04-30",
            "m:3: site.old_selectors.selector0 is Selector0 again: upper and lower case are one",
        ),
        (
            '[site]\nselectors = { "Example.com" = "a", "example.com." = "b" }',
            "m:2: site.selectors.example.com. is Example.com again: upper and lower case are one",
        ),
        ("[site]\nbackup_days = nan", "m:2: site.backup_days: expected a number of days from 1 to 36500, found NaN"),
    ],
    ids=lambda value: ascii(value)[:50],
)
def test_odd_values_are_told_with_what_was_expected(toml: str, message: str) -> None:
    with pytest.raises(SettingsError) as error:
        parse_settings(toml.encode(), "m")
    assert str(error.value).startswith(message)
    assert "\x1b" not in str(error.value)


def test_a_policy_s_measure_is_one_value(tmp_path: Path) -> None:
    layer = read_layer(b'[policy.smtpd]\ndomains = { subset = ["a.b"], at_least = ["a.b"] }\n', str(tmp_path))
    (found,) = [value for keys, value in layer.values.items() if keys[0] == "policy"]
    assert all(isinstance(each, Expectation) for each in found)


# ---- waivers that several hosts share


def waivers_told(folder: Path, capsys: pytest.CaptureFixture[str], *options: str) -> tuple[int, list[str]]:
    code = run(["scan", str(folder), "--select", "PF010", "--strict-waivers", "--format", "json", *options])
    return code, [each.replace(str(folder), "") for each in json.loads(capsys.readouterr().out)["errors"]]


def test_a_shared_waiver_is_needless_only_if_no_host_needs_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name, rules in (("mx1", "set skip on lo\nblock\n"), ("mx2", "block\n"), ("mx3", "set skip on lo\nblock\n")):
        (tmp_path / name / "etc").mkdir(parents=True)
        (tmp_path / name / "etc/pf.conf").write_text(rules)
    (tmp_path / "mailaudit.toml").write_text('[[waiver]]\nrule = "PF010"\nreason = "nothing talks to itself"\n')
    assert waivers_told(tmp_path, capsys) == (0, [])
    (tmp_path / "mx2/etc/pf.conf").write_text("set skip on lo\nblock\n")
    needless = "mx1: /mailaudit.toml:1: the waiver of PF010 is not needed: no finding matches it"
    assert waivers_told(tmp_path, capsys) == (1, [needless])
    with (tmp_path / "mailaudit.toml").open("a") as file:
        file.write("expires = 2020-01-01\n")
    assert waivers_told(tmp_path, capsys) == (1, ["mx1: /mailaudit.toml:1: the waiver of PF010 has expired (2020-01-01)"])


def test_dates_are_kept_as_dates() -> None:
    found = parse_settings(b'[site]\nold_selectors = { "2025.far" = 2026-01-31, near = 2026-10-01 }\n')
    assert found.site.old_selectors == {"2025.far": date(2026, 1, 31), "near": date(2026, 10, 1)}
    assert parse_settings(as_toml(found)).site == found.site


def test_a_saved_host_keeps_what_all_files_say(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    etc = tmp_path / "repo/mx/etc"
    etc.mkdir(parents=True)
    (etc / "pf.conf").write_text("set skip on lo\nblock\n")
    (tmp_path / "repo/mailaudit.toml").write_text('[site]\ndomains = ["example.com"]\n[rules.severity]\nPF020 = "info"\n')
    (tmp_path / "repo/mx/mailaudit.toml").write_text('[site]\nbackup_days = 3\n[rules.severity]\nPF0 = "low"\n')
    arguments = ["--select", "PF0", "--exit-zero", "--format", "json"]
    run(["scan", str(tmp_path / "repo"), "--save", str(tmp_path / "kept"), *arguments])
    before = json.loads(capsys.readouterr().out)["hosts"][0]
    saved = parse_settings((tmp_path / "kept/mailaudit.toml").read_bytes())
    assert (saved.site.domains, saved.site.backup_days) == (("example.com",), 3)
    run(["scan", str(tmp_path / "kept"), *arguments])
    after = json.loads(capsys.readouterr().out)["hosts"][0]
    told = [{(each["rule"], each["severity"]) for each in host["results"]} for host in (before, after)]
    assert told[0] == told[1]
    assert ("PF020", "low") in told[1]
