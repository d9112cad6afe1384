"""A site's own policy: taken from a host that is as it should be, kept in mailaudit.toml, and each change of a host is found."""

from __future__ import annotations

import json
import shutil
import tomllib
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from command_line import Run
from hypothesis import given
from hypothesis import strategies as st

from mailaudit import rulebook, settings
from mailaudit.audit import audit
from mailaudit.auditor import Auditor, Options, auditor_for
from mailaudit.checks import CHECKS
from mailaudit.checks.runner import judge
from mailaudit.collect.folder import FolderWorld
from mailaudit.commands.policy import measure
from mailaudit.findings import Evidence, Result, Verdict
from mailaudit.models.facts import Facts
from mailaudit.models.policy.measure import Found
from mailaudit.models.policy.measures import SUBJECTS, Policy, taken
from mailaudit.models.policy.operators import LIST, NUMBER, OPERATORS, VERSION, Expectation, Scale, level, operators_for
from mailaudit.models.sources import Known
from mailaudit.questions import Reason
from mailaudit.settings import SettingsError, parse_settings
from mailaudit.settings.merging import merged

GOLDEN = Path(__file__).parents[1] / "examples" / "corrected"
BOOK = rulebook.load()
POLICIES = sorted(rule for rule in BOOK.pages if rule.startswith("POLICY"))
MEASURES = [(subject, each) for subject, measures in SUBJECTS.items() for each in measures]
ORIGIN = "mailaudit.toml"


@cache
def golden() -> Facts:
    auditor = auditor_for(FolderWorld(GOLDEN), BOOK, Options(select=("POLICY",)))
    return auditor.learn()[1]


@cache
def toml() -> bytes:
    return merged(b"", measure(golden()).tables, ORIGIN)


def expectations() -> tuple[Expectation, ...]:
    return parse_settings(toml()).site.policy


def judged(policy: tuple[Expectation, ...]) -> dict[str, Any]:
    slots = {**golden().slots, Policy: Known(Policy(policy))}
    return {rule: judge(CHECKS[rule], slots) for rule in POLICIES}


# The golden host


def test_every_measure_is_taken_of_the_golden_host() -> None:
    found = measure(golden())
    assert not found.unknown
    assert [(each.subject, each.name) for each in expectations()] == [(subject, each.name) for subject, each in MEASURES]


def test_the_golden_host_is_as_its_own_policy_has_it() -> None:
    assert {rule: each.verdict for rule, each in judged(expectations()).items()} == dict.fromkeys(POLICIES, Verdict.PASS)


def test_without_a_policy_nothing_is_judged() -> None:
    assert {judge(CHECKS[rule], golden().slots).verdict for rule in POLICIES} == {Verdict.NOT_APPLICABLE}
    (only,) = [each for each in expectations() if each.name == "spf"]
    verdicts = {rule: each.verdict for rule, each in judged((only,)).items()}
    assert verdicts == dict.fromkeys(POLICIES, Verdict.NOT_APPLICABLE) | {"POLICY006": Verdict.PASS}


def otherwise(scale: Scale, expectation: Expectation) -> Expectation:
    """An expectation that the host does not meet."""
    value = expectation.value
    if isinstance(value, tuple):
        other: Any = (*value, "another") if expectation.operator != "subset" else value[1:]
    elif scale.kind is NUMBER.kind:
        assert isinstance(value, int | float)
        other = value + 1
    elif scale.kind is VERSION.kind:
        other = f"1{value}"
    elif value != scale.words[-1]:
        other = scale.words[scale.words.index(str(value)) + 1]
    else:  # the host is at the strict end: let it be weaker than that
        return Expectation(expectation.subject, expectation.name, "at_most", scale.words[0], "mailaudit.toml:7")
    return Expectation(expectation.subject, expectation.name, expectation.operator, other, "mailaudit.toml:7")


@pytest.mark.parametrize(("subject", "each"), MEASURES, ids=[f"{subject}-{each.name}" for subject, each in MEASURES])
def test_each_difference_is_a_finding_with_both_values_and_the_line(subject: str, each: Any) -> None:
    policy = expectations()
    (mine,) = [one for one in policy if (one.subject, one.name) == (subject, each.name)]
    other = otherwise(each.scale, mine)
    found = taken(each, golden().slots)
    assert isinstance(found, Found)
    bad = {rule: one for rule, one in judged(tuple(other if one is mine else one for one in policy)).items() if one.findings}
    assert [len(one.findings) for one in bad.values()] == [1]
    [finding] = next(iter(bad.values())).findings
    assert "(mailaudit.toml:7)" in finding.message
    assert finding.places[0] == found.place
    assert isinstance(finding.places[1], Evidence)
    assert finding.places[1].question == "mailaudit.toml:7"
    assert finding.about == f"policy {subject}.{each.name} {other.operator}"


# Changes of the host

FILE_CHANGES: list[tuple[str, str, str, str]] = [
    ("etc/pf.conf", "ssh smtp http", "ssh smtp http 8080", "pf.tcp_in"),
    ("etc/pf.conf", "imaps sieve", "imaps", "pf.tcp_in6"),
    ("etc/pf.conf", "pass out\n", "pass out\npass in on egress inet proto udp to port 53\n", "pf.udp_in"),
    ("etc/mail/smtpd.conf", "submission tls-require", "submission tls", "smtpd.listeners"),
    ("etc/mail/smtpd.conf", " senders <allowed_from> mask-src", " mask-src", "smtpd.listeners"),
    ("etc/mail/smtpd.conf", "35M", "50M", "smtpd.max_message_size"),
    ("etc/mail/smtpd.conf", 'domain "example.com"', 'domain { "example.com", "example.net" }', "smtpd.domains"),
    ("etc/dovecot/local.conf", "ssl = required", "ssl = yes", "dovecot.ssl"),
    ("etc/dovecot/local.conf", "ssl_min_protocol = TLSv1.2", "ssl_min_protocol = TLSv1", "dovecot.ssl_min_protocol"),
    ("etc/dovecot/local.conf", "auth_mechanisms = plain", "auth_mechanisms = plain login", "dovecot.auth_mechanisms"),
    ("etc/dovecot/local.conf", "protocols = imap", "protocols = pop3 imap", "dovecot.protocols"),
    ("etc/rspamd/local.d/dkim_signing.conf", "selector0", "selector1", "filters.dkim"),
    ("etc/redis/redis.conf", "bind 127.0.0.1 ::1", "bind 127.0.0.1 203.0.113.9", "filters.redis_addresses"),
    ("etc/redis/redis.conf", "port 6379", "port 6379\nmaxmemory 500mb", "filters.redis_memory"),
    ("etc/group", "root,alex", "root,alex,vmail", "system.wheel"),
    ("etc/passwd", "2000:2000:Virtual Mail User:/var/vmail:/sbin/nologin", "2000:2000::/var/vmail:/bin/ksh", "system.logins"),
    ("etc/passwd", "_smtpd:*:95:95", "_smtpd:*:96:95", "system.service_users"),
    ("etc/rc.conf.local", "redis rspamd", "rspamd", "system.services"),
    ("answers.json", "v=DMARC1; p=quarantine", "v=DMARC1; p=none", "dns.dmarc"),
    ("answers.json", "ip6:2001:db8::9 ~all", "ip6:2001:db8::9 ?all", "dns.spf"),
    ("answers.json", '"0 issue \\"letsencrypt.org\\""', '"0 issue \\"other.example\\""', "dns.caa"),
    ("answers.json", "opensmtpd-filter-rspamd-0.1.8\\n", "", "system.packages"),
    ("answers.json", "passwordauthentication no", "passwordauthentication yes", "system.password_login"),
    ("answers.json", "OpenBSD 7.9", "OpenBSD 7.8", "system.release"),
]


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("golden") / "host"
    shutil.copytree(GOLDEN, root)
    (root / ORIGIN).write_bytes(merged((root / ORIGIN).read_bytes(), measure(golden()).tables, ORIGIN))
    return root


@pytest.fixture(scope="module")
def auditor(host: Path) -> Auditor:
    return auditor_for(FolderWorld(host), BOOK, Options(select=("POLICY",)))


@pytest.mark.parametrize("change", FILE_CHANGES, ids=[f"{each[3]}-{number}" for number, each in enumerate(FILE_CHANGES)])
def test_each_change_of_the_host_is_found(host: Path, auditor: Auditor, change: tuple[str, str, str, str]) -> None:
    path, old, new, expected = change
    kept = (host / path).read_text()
    assert old in kept
    try:
        (host / path).write_text(kept.replace(old, new))
        auditor.world = FolderWorld(host)
        report = auditor.examine(*auditor.learn())
    finally:
        (host / path).write_text(kept)
    failed = [result for result in report.results if result.verdict is Verdict.FAIL]
    line = {name: at for at, name in _lines(host)}
    assert any(f"mailaudit.toml:{line[expected]})" in result.message for result in failed), [r.message for r in report.results]


def _lines(host: Path) -> list[tuple[int, str]]:
    """The line of each expectation, by subject and name."""
    found, subject = [], ""
    for number, line in enumerate((host / ORIGIN).read_text().splitlines(), 1):
        if line.startswith("["):
            subject = line.strip("[]").removeprefix("policy.")
        elif " = " in line:
            found.append((number, f"{subject}.{line.partition(' ')[0]}"))
    return found


def test_a_whole_scan_of_the_golden_host_with_its_policy_is_clean(host: Path) -> None:
    assert audit([str(host)], Options(profile="guide")).exit_code == 0


def test_what_was_never_recorded_is_unknown_and_quiet(host: Path, tmp_path: Path) -> None:
    root = tmp_path / "host"
    shutil.copytree(host, root)
    answers = json.loads((root / "answers.json").read_text())
    for section in ("dns", "dnssec", "endpoints"):
        del answers[section]
    del answers["commands"]["pkg_info"]
    (root / "answers.json").write_text(json.dumps(answers))
    report = audit([str(root)], Options(select=("POLICY",)))
    verdicts: dict[str, Result] = {result.rule: result for result in report.hosts[0].results}
    assert (verdicts["POLICY006"].verdict, verdicts["POLICY006"].reason) == (Verdict.UNKNOWN, Reason.OFFLINE)
    assert (verdicts["POLICY007"].verdict, verdicts["POLICY007"].reason) == (Verdict.UNKNOWN, Reason.NOT_RECORDED)
    assert verdicts["POLICY001"].verdict is Verdict.PASS
    assert report.exit_code == 0


def test_a_name_server_that_fails_makes_a_scan_incomplete(host: Path, tmp_path: Path, run: Run) -> None:
    root = tmp_path / "host"
    shutil.copytree(host, root)
    answers = json.loads((root / "answers.json").read_text())
    answers["dns"]["_dmarc.example.com. TXT"] = {"error": "servfail"}
    (root / "answers.json").write_text(json.dumps(answers))
    report = audit([str(root)], Options(select=("POLICY006",)))
    assert [(each.verdict, each.reason) for each in report.hosts[0].results] == [(Verdict.UNKNOWN, Reason.SERVFAIL)]
    assert report.exit_code == 4
    code, told, _ = run("policy", "new", "--from", str(root), "-o", str(tmp_path / "x.toml"))
    assert (code, "not measured: what DMARC asks for mail that fails" in told) == (4, True)


# Operators

LEVELS = level("no", "yes", "required")
numbers = st.integers(0, 9)
lists = st.lists(st.sampled_from("abc"), max_size=3).map(tuple)


@given(numbers, numbers)
def test_numbers_have_an_order(found: int, expected: int) -> None:
    def holds(operator: str) -> bool:
        return OPERATORS[operator](NUMBER, found, expected)

    assert holds("at_least") is (found >= expected)
    assert holds("at_most") is (found <= expected)
    assert holds("equals") is (holds("at_least") and holds("at_most"))
    assert OPERATORS["one_of"](NUMBER, found, (expected, 4)) is (found in (expected, 4))


@given(lists, lists)
def test_lists_have_no_order(found: tuple[str, ...], expected: tuple[str, ...]) -> None:
    def holds(operator: str) -> bool:
        return OPERATORS[operator](LIST, found, expected)

    assert holds("equals") is (holds("subset") and holds("at_least"))
    assert holds("subset") is (set(found) <= set(expected))
    assert OPERATORS["equals"](LIST, found, tuple(reversed(found)))


def test_words_and_versions_have_their_own_order() -> None:
    at_least = OPERATORS["at_least"]
    assert at_least(LEVELS, "required", "yes")
    assert not at_least(LEVELS, "no", "yes")
    assert at_least(VERSION, "7.10", "7.9")
    assert not at_least(VERSION, "7.9", "8")
    assert operators_for(LIST) == ("equals", "at_least", "subset")


def test_several_operators_of_a_measure_all_count() -> None:
    policy = tuple(Expectation("pf", "tcp_in", operator, (25, 9), "x:1") for operator in ("at_least", "subset"))
    assert len(judged(policy)["POLICY001"].findings) == 2


# Settings


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("[policy]\npff = {}", "mailaudit.toml:2: policy.pff is no known key; the nearest is pf"),
        ("[policy.pf]\ntcp = {}", "mailaudit.toml:2: policy.pf.tcp is no known key; the nearest is tcp_in"),
        ("[policy.pf]\ntcp_in = [22]", "policy.pf.tcp_in: expected a table such as { equals = ... }, found [22]"),
        (
            "[policy.pf]\n\ntcp_in = { atleast = [22] }",
            "mailaudit.toml:3: policy.pf.tcp_in.atleast is no known key; the nearest is at_least",
        ),
        ("[policy.pf]\ntcp_in = { at_most = [22] }", "policy.pf.tcp_in.at_most is no known key"),
        ("[policy.pf]\ntcp_in = { equals = 22 }", "policy.pf.tcp_in.equals: expected a list of words or numbers, found 22"),
        ("[policy.pf]\ntcp_in = { equals = [[22]] }", "policy.pf.tcp_in.equals: expected a list of words or numbers"),
        ("[policy.dovecot]\nssl = { at_least = 'on' }", 'expected one of no, yes, required, found "on"'),
        ("[policy.dovecot]\nssl = { one_of = ['on'] }", "expected a list of one of no, yes, required"),
        ("[policy.system]\nrelease = { at_least = 7.9 }", 'expected a version like "7.9", found 7.9'),
        ("[policy.system]\nrelease = { at_least = 'new' }", 'expected a version like "7.9", found "new"'),
        ("[policy.filters]\nreject = { equals = true }", "expected a number, found true"),
        ("[policy.filters]\nreject = { equals = 'much' }", 'expected a number, found "much"'),
    ],
)
def test_a_policy_that_is_none_is_told_with_its_line(written: str, said: str) -> None:
    with pytest.raises(SettingsError) as error:
        parse_settings(written.encode())
    assert said in str(error.value)


# Merging

MINE = b"""# Ours.
[site]   # names
domains = [ 'example.com' ]

# what we agreed on
[policy.pf]
tcp_in = { subset = [22, 25, 465, 587, 993, 4190, 80] } # since May

# and this
[[waiver]]
rule = "DNS011"
reason = "so it is"
"""


def kept(before: bytes, after: bytes) -> bool:
    """True if the lines of one stand in the other, in their order."""
    lines = iter(after.splitlines())
    return all(line in lines for line in before.splitlines())


@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
@pytest.mark.parametrize("cut", [0, 1])
def test_what_is_there_stays_byte_for_byte(end: bytes, cut: int) -> None:
    before = MINE.replace(b"\n", end)
    before = before[: len(before) - len(end) * cut]
    after = merged(before, measure(golden()).tables, ORIGIN, "new")
    assert kept(before, after)
    assert after.count(b"\n") == after.count(end)
    document = tomllib.loads(after.decode())
    assert document["policy"]["pf"]["tcp_in"] == {"subset": [22, 25, 465, 587, 993, 4190, 80]}
    assert document["policy"]["pf"]["udp_in"] == {"equals": []}
    assert document["site"]["selectors"] == {"example.com": "selector0"}
    assert len(parse_settings(after).site.policy) == len(MEASURES)
    assert merged(after, measure(golden()).tables, ORIGIN, "new") == after


@pytest.mark.parametrize("inline", [b"policy = {}\n", b"[policy]\npf = { tcp_in = { equals = [] } }\n"])
def test_what_cannot_take_lines_is_refused(inline: bytes) -> None:
    with pytest.raises(SettingsError, match="lines cannot be added to it without changing others"):
        merged(inline, measure(golden()).tables, ORIGIN)


def test_lines_that_only_look_like_headers_do_not_mislead() -> None:
    before = b'[site]\ndomains = [\n  "example.com",\n]\n[policy.smtpd]\nlisteners = { equals = [\n  "25 tls" ] }\n'
    after = merged(before, {("policy", "smtpd"): {"filters": {"at_least": ["x"]}}}, ORIGIN)
    assert after == before + b'filters = { at_least = ["x"] }\n'
    before = b'[policy.smtpd]\nlisteners = { equals = [\n["25", "tls"],\n["26"],\n] }\n'
    assert merged(before, {("policy", "smtpd"): {"filters": 1}}, ORIGIN) == before + b"filters = 1\n"


def test_a_comment_stays_above_its_table() -> None:
    after = merged(b'[site]\nmail_host = "a.example"\n\n# why\n[rules]\n', {("site",): {"backup_days": 2}}, ORIGIN)
    assert after == b'[site]\nmail_host = "a.example"\nbackup_days = 2\n\n# why\n[rules]\n'


def test_a_last_line_without_an_end_gets_one() -> None:
    after = merged(b'[site]\nmail_host = "a.example"', {("site",): {"backup_days": 2}}, ORIGIN)
    assert after == b'[site]\nmail_host = "a.example"\nbackup_days = 2\n'


@given(
    st.dictionaries(
        st.from_regex(r"[a-z_]{1,6}", fullmatch=True),
        st.one_of(st.text(max_size=5), st.integers(), st.lists(st.text(max_size=4), max_size=2)),
        max_size=3,
    )
)
def test_any_value_is_written_as_it_is_read(keys: dict[str, object]) -> None:
    after = merged(MINE, {("policy", "x"): keys, ("site",): {f"z{name}": value for name, value in keys.items()}}, ORIGIN)
    document = tomllib.loads(after.decode())
    assert document.get("policy", {}).get("x", {}) == keys
    assert kept(MINE, after)


# The command


def test_policy_new_writes_adds_and_stays(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    code, told, warned = run("policy", "new", "--from", str(GOLDEN))
    assert (code, warned) == (0, "")
    assert told.startswith(f"{len(MEASURES)} expectations of host7.example.com are in mailaudit.toml\n")
    assert "\nmailaudit scan TARGET --config mailaudit.toml compares" in told
    first = (tmp_path / ORIGIN).read_bytes()
    assert settings.parse_settings(first).site.domains == ("example.com",)
    (tmp_path / ORIGIN).chmod(0o640)
    code, told, _ = run("policy", "new", "--from", str(GOLDEN), "-o", str(tmp_path / ORIGIN))
    assert (code, (tmp_path / ORIGIN).read_bytes()) == (0, first)
    assert told.startswith(
        f"0 expectations of host7.example.com are in {tmp_path / ORIGIN}; {len(MEASURES)} were there and stay\n"
    )
    (tmp_path / ORIGIN).write_bytes(MINE)
    assert run("policy", "new", "--from", str(GOLDEN))[0] == 0
    assert kept(MINE, (tmp_path / ORIGIN).read_bytes())
    assert (tmp_path / ORIGIN).stat().st_mode & 0o777 == 0o640
    assert [path.name for path in tmp_path.iterdir()] == [ORIGIN]


def test_policy_new_to_standard_output(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    code, told, _ = run("policy", "new", "--from", str(GOLDEN), "-o", "-")
    assert code == 0
    assert len(parse_settings(told.encode()).site.policy) == len(MEASURES)
    assert not list(tmp_path.iterdir())


def test_names_from_the_host_write_no_settings(run: Run, tmp_path: Path) -> None:
    root = tmp_path / "host"
    shutil.copytree(GOLDEN, root)
    (root / ORIGIN).unlink()
    answers = json.loads((root / "answers.json").read_text())
    answers["host"] = 'h\n[rules]\nignore = ["PF"]\n\x1b[31m'
    (root / "answers.json").write_text(json.dumps(answers))
    conf = (root / "etc/mail/smtpd.conf").read_text()
    (root / "etc/mail/smtpd.conf").write_text(
        conf.replace('domain "example.com"', 'domain { "example.com", "e\\\nx.org", "a]b.c" }')
    )
    code, told, _ = run("policy", "new", "--from", str(root), "-o", str(tmp_path / "x.toml"))
    assert code == 0
    assert "\x1b" not in told
    found = parse_settings((tmp_path / "x.toml").read_bytes())
    assert (found.ignore, found.site.domains) == ((), ("example.com", "ex.org"))
    assert not tomllib.loads((tmp_path / "x.toml").read_text()).get("rules")


def test_a_list_with_odd_bytes_is_not_measured(run: Run, tmp_path: Path) -> None:
    (tmp_path / "host/etc/mail").mkdir(parents=True)
    conf = b'listen on lo0\naction "a" mbox\nmatch from any for domain "e\xff.org" action "a"\n'
    (tmp_path / "host/etc/mail/smtpd.conf").write_bytes(conf)
    code, told, _ = run("policy", "new", "--from", str(tmp_path / "host"), "-o", str(tmp_path / "x.toml"))
    assert code == 0
    assert "domains that smtpd takes mail for from others" in told.partition("not measured: ")[2]
    assert b"domains" not in (tmp_path / "x.toml").read_bytes()


def test_policy_new_refuses_what_it_cannot_write(run: Run, tmp_path: Path) -> None:
    (tmp_path / "bad.toml").write_text("[policy]\nnonsense = 1\n")
    (tmp_path / "link.toml").symlink_to(tmp_path / "bad.toml")
    for out, said in (
        (tmp_path, "it is no regular file"),
        (tmp_path / "no" / "x.toml", "there is no"),
        (tmp_path / "link.toml", "it is no regular file"),
        (tmp_path / "bad.toml", "policy.nonsense is no known key"),
    ):
        code, told, warned = run("policy", "new", "--from", str(GOLDEN), "-o", str(out))
        assert (code, told) == (2, "")
        assert said in warned
    assert run("policy", "new", "--from", str(tmp_path / "nowhere"), "-o", str(tmp_path / "x"))[0] == 2
    assert run("policy", "new")[0] == 2
    assert (tmp_path / "bad.toml").read_text() == "[policy]\nnonsense = 1\n"


def test_policy_new_of_a_host_that_tells_little_says_what_is_not_measured(run: Run, tmp_path: Path) -> None:
    (tmp_path / "host/etc").mkdir(parents=True)
    (tmp_path / "host/etc/pf.conf").write_text("block all\npass in on egress proto tcp to port 25\npass out\n")
    code, told, _ = run("policy", "new", "--from", str(tmp_path / "host"), "-o", str(tmp_path / "x.toml"))
    assert code == 0
    assert "not measured: listeners of smtpd" in told
    assert parse_settings((tmp_path / "x.toml").read_bytes()).site.policy[0].value == (25,)


def test_the_documentation_has_every_measure() -> None:
    text = (Path(__file__).parents[1] / "docs/policy.md").read_text()
    rows = [f"| {subject}: `{each.name}` | {each.says} | `{each.operator}` |" for subject, each in MEASURES]
    assert [line for line in text.partition("<!-- measures -->")[2].splitlines() if line.startswith("| ")][1:] == rows
    assert [operator for operator in OPERATORS if f"| `{operator}` |" in text] == list(OPERATORS)
