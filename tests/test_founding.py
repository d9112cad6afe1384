"""A host from nothing: whatever the site is called, what is written audits clean, is whole, and holds nobody else's names."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import tomllib
from datetime import datetime
from pathlib import Path

import pytest
from command_line import Run
from hypothesis import given, settings
from hypothesis import strategies as st

from mailaudit import rulebook
from mailaudit.audit import audit
from mailaudit.auditor import Options, auditor_for
from mailaudit.collect.memory import MemoryDirectory, MemoryWorld
from mailaudit.findings import FileStatus, HostReport, Verdict
from mailaudit.founding.files import CHECKLIST, dkim_command, folder, zone_name
from mailaudit.founding.wish import Plan, Wish, WishError, plan
from mailaudit.models.dkim_record import strings
from mailaudit.models.zone import read_zone
from mailaudit.parsers import LANGUAGES
from mailaudit.parsers.tree import nothing
from mailaudit.questions import Reason
from mailaudit.text import Text

BOOK = rulebook.load()
EXAMPLES = Path(__file__).parents[1] / "examples"
TAKEN = "2026-11-23T03:00:00Z"
WISH = Wish("acme-mail.org", "h1", "9.9.9.9/24", "2620:fe::fe/48", ("anna", "bob"), "vio0")
OTHERS = ("example", "203.0.113.", "198.51.100.", "192.0.2.", "2001:db8")
PUBKEY = EXAMPLES / "corrected/etc/mail/dkim/example.com.pubkey"


def made(wish: Wish) -> dict[str, str]:
    planned = plan(wish)
    return folder(planned, BOOK.founding(planned.dovecot), version="0", taken=TAKEN)


def judged(files: dict[str, str], profile: str = "strict") -> HostReport:
    world = MemoryWorld(MemoryDirectory.of({path: text.encode() for path, text in files.items()}), "host", "host")
    auditor = auditor_for(world, BOOK, Options(profile=profile))
    report = auditor.examine(*auditor.learn())
    assert not report.crashes
    return report


def bad(report: HostReport) -> list[tuple[str, str, str]]:
    loud = [r for r in report.results if r.verdict is Verdict.UNKNOWN and r.reason not in (Reason.OFFLINE, Reason.NOT_RECORDED)]
    failed = [r for r in report.results if r.verdict is Verdict.FAIL]
    return [(r.rule, str(r.verdict), r.message) for r in (*failed, *loud)]


# Clean for every site

LABELS = st.from_regex(r"[a-z]([a-z0-9]|-[a-z0-9]){0,8}", fullmatch=True)
PEOPLE = st.from_regex(r"[a-z]([._-]?[a-z0-9]){0,9}", fullmatch=True).filter(lambda name: name != "root")
IPV4 = st.sampled_from(["9.9.9.9", "9.9.9.9/31", "10.1.2.3/8", "185.199.108.153"])
IPV6 = st.sampled_from(["2620:fe::fe", "2620:fe::9/64", "fd00::1/64", "2a00:1450:4001::5/128"])


@st.composite
def wishes(draw: st.DrawFn) -> Wish:
    domain = ".".join(
        [*draw(st.lists(LABELS, min_size=1, max_size=2)), draw(st.sampled_from(["org", "de", "co.uk", "xn--p1ai"]))]
    )
    ipv4, ipv6 = draw(st.sampled_from([(True, True), (True, False), (False, True)]))
    host, mail = draw(LABELS), draw(st.one_of(st.just("mail"), LABELS))
    return Wish(
        domain,
        draw(st.sampled_from([host, f"{host}.{domain}."])),
        draw(IPV4) if ipv4 else None,
        draw(IPV6) if ipv6 else None,
        tuple(draw(st.lists(PEOPLE, max_size=3))),
        draw(st.sampled_from([None, "vio0", "em1"])),
        draw(LABELS),
        mail,
        draw(st.sampled_from(["2.3", "2.4"])),
    )


@settings(max_examples=8, deadline=None)
@given(wishes())
def test_every_site_is_clean_and_whole(wish: Wish) -> None:
    files = made(wish)
    report = judged(files)
    assert not bad(report), wish
    assert {each.status for each in report.files} == {FileStatus.READ}
    text = "\n".join(files.values())
    assert not [each for each in OTHERS if each in text]
    left = set(re.findall(r"\{\{[^}]*\}\}", text)) - {"{{generate:hex16}}"}
    assert not [each for each in left if not each.startswith("{{masked:bcrypt:60:")]
    assert tomllib.loads(files["mailaudit.toml"])["site"]["domains"] == [plan(wish).domain]


@pytest.mark.parametrize("profile", rulebook.PROFILES)
@pytest.mark.parametrize("dovecot", ["2.3", "2.4"])
def test_every_profile_is_clean(profile: str, dovecot: str) -> None:
    planned = plan(Wish("acme-mail.org", "h1", "9.9.9.9", dovecot=dovecot))
    report = judged(folder(planned, BOOK.founding(dovecot), version="0", taken=TAKEN), profile)
    assert not bad(report)
    passed = {r.rule for r in report.results if r.verdict is Verdict.PASS}
    telling = {"PF020", "SMTPD023", "CRED002", "ACME013", "DOVECOT030", "SIEVE003", "RSPAMD004", "CROSS020"}
    assert passed >= {rule for rule in telling if profile in BOOK.pages[rule].profiles}


def test_the_examples_own_site_gives_the_corrected_example() -> None:
    """What is proved of that one, on real daemons too, is proved of every host from nothing."""
    files = made(Wish("example.com", "host7", "203.0.113.9/24", "2001:db8::9/64", ("example_user",), "vio0"))
    mine = {path: text for path, text in files.items() if path.startswith(("etc/", "usr/"))}
    theirs = {path.relative_to(EXAMPLES / "corrected").as_posix(): path for path in (EXAMPLES / "corrected").rglob("*")}
    assert set(mine) <= set(theirs)
    for path, text in mine.items():
        pattern = re.escape(text)
        for mark in (r"\\{\\{generate:hex16\\}\\}", r"\\{\\{masked:bcrypt:60:[0-9a-f]{16}\\}\\}"):
            pattern = re.sub(mark, r'[^:"]+', pattern)
        assert re.fullmatch(pattern, theirs[path].read_text()), path
    system = {
        "etc/shells",
        "etc/master.passwd",
        "etc/passwd",
        "etc/group",
        "etc/services",
        "etc/login.conf",
        "etc/doas.conf",
        "etc/mygate",
    }
    packaged = {"etc/redis/redis.conf", "etc/dovecot/conf.d/10-mail.conf", "etc/dovecot/conf.d/auth-system.conf.ext"}
    packaged |= {"etc/login.conf.d/dovecot", "etc/login.conf.d/rspamd"}
    made_there = {
        "etc/ssl/mail.example.com.pem",
        "etc/ssl/dovecot/dh.pem",
        "etc/mail/dkim/example.com.pubkey",
        "etc/smtpd.conf.bak",
    }
    of_host = {path for path, file in theirs.items() if file.is_file() and path.startswith(("etc/", "usr/"))}
    assert of_host - set(mine) == system | packaged | made_there


def test_a_release_without_fixes_is_told_as_such() -> None:
    report = judged(made(Wish("acme-mail.org", "h1", "9.9.9.9", openbsd="7.4")))
    assert [rule for rule, _, _ in bad(report)] == ["HOST002"]


# The zone


def zone_of(planned: Plan, files: dict[str, str]) -> str:
    return files[zone_name(planned)]


def record(key: Path, domain: str, selector: str, folder_: Path) -> str:
    """What the checklist's command prints on a host whose key this is."""
    public = folder_ / "key.pubkey"
    shutil.copy(key, public)
    command = dkim_command(domain, selector).replace(f"/etc/mail/dkim/{domain}.pubkey", str(public))
    return subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=True).stdout


def test_the_command_prints_the_record_of_the_key(tmp_path: Path) -> None:
    body = "".join(PUBKEY.read_text().splitlines()[1:-1])
    printed = record(PUBKEY, "acme-mail.org", "s1", tmp_path)
    assert printed == f"s1._domainkey\tIN\tTXT\t{strings(f'v=DKIM1;k=rsa;p={body}')}\n"


@pytest.mark.parametrize(("ipv4", "ipv6"), [("9.9.9.9", "2620:fe::fe"), ("9.9.9.9", None), (None, "2620:fe::fe")])
def test_the_zone_as_published_is_right(ipv4: str | None, ipv6: str | None, tmp_path: Path) -> None:
    """The records as a resolver would answer them, with those of the name servers and of the addresses' owner."""
    wish = Wish("acme-mail.org", "h1", ipv4, ipv6, ("anna",))
    files, planned = made(wish), plan(wish)
    text = zone_of(planned, files)
    whole = text + record(PUBKEY, planned.domain, planned.selector, tmp_path)
    zone = read_zone(LANGUAGES["zone"].parse(Text("/zone", whole.encode()), nothing), planned.domain)
    assert not zone.refusals
    dns: dict[str, object] = {
        f"{owner} {kind}": {"rcode": "NOERROR", "ad": True, "ttl": 300, "records": list(each.data)}
        for (owner, kind), each in zone.sets.items()
    }
    reverse = re.findall(r"^; (\S+arpa\.)\tIN\tPTR\t(\S+)$", text, re.MULTILINE)
    assert len(reverse) == (ipv4 is not None) + (ipv6 is not None)
    dns |= {f"{owner} PTR": {"rcode": "NOERROR", "records": [name]} for owner, name in reverse}
    answers = json.loads(files["answers.json"])
    report = judged({**files, "answers.json": json.dumps({**answers, "dns": dns})})
    failed = [r for r in report.results if r.verdict is Verdict.FAIL]
    # One key at one name server's is what the test has; an address of one family alone is what it is.
    assert {r.rule for r in failed} <= {"DNS003"} | ({"DNS004"} if ipv6 is None else set()), [(r.rule, r.message) for r in failed]
    passed = {r.rule for r in report.results if r.verdict is Verdict.PASS}
    assert {"DNS007", "DNS020", "DNS031", "DNS040", "DNS051"} <= passed


def test_the_record_of_the_key_is_not_there_before_the_key_is() -> None:
    text = made(WISH)[zone_name(plan(WISH))]
    live = [line for line in text.splitlines() if line and not line.startswith((";", "$"))]
    assert not [line for line in live if "domainkey" in line or "_mta-sts" in line]
    assert f"; {dkim_command('acme-mail.org', 'selector0')}" in text.splitlines()
    assert [line for line in live if line.startswith("_smtp._tls")]


def test_one_name_for_host_and_mail_has_its_records_once() -> None:
    wish = Wish("acme-mail.org", "mx", "9.9.9.9", mail_name="mx")
    lines = made(wish)["acme-mail.org.zone"].splitlines()
    assert lines.count("mx.acme-mail.org.\tIN\tA\t9.9.9.9") == 1
    assert any("mail cannot move" in each for each in plan(wish).warnings)


# The checklist


def steps() -> list[str]:
    return re.split(r"^## \d+\. ", made(WISH)[CHECKLIST], flags=re.MULTILINE)[1:]


def test_the_checklist_puts_every_file_in_its_place_as_the_record_says() -> None:
    files = made(WISH)
    stat = json.loads(files["answers.json"])["stat"]
    for owner, group, mode, source, target in re.findall(
        r"^install -o (\S+) -g (\S+) -m (\d+) (\S+) (\S+)", files[CHECKLIST], re.MULTILINE
    ):
        assert source == "/dev/null" or (f"/{source}" == target and source in files)
        assert stat[target] == {"type": "file", "mode": mode, "owner": owner, "group": group}
    installed = set(re.findall(r"^install -o .* (/\S+?)(?: &&.*)?$", files[CHECKLIST], re.MULTILINE))
    of_host = {f"/{path}" for path in files if path.startswith(("etc/", "usr/"))}
    assert of_host - installed == {"/etc/rc.conf.local", "/etc/hostname.vio0"}  # rcctl writes the one; the other is for an eye
    made_there = re.findall(r"^install -d -o (\S+) -g (\S+) -m (\d+) (\S+)", files[CHECKLIST], re.MULTILINE)
    assert made_there
    for owner, group, mode, target in made_there:
        assert stat[target] == {"type": "directory", "mode": mode, "owner": owner, "group": group}


def test_the_checklist_stands_in_an_order_that_works() -> None:
    text = made(WISH)[CHECKLIST]
    order = [
        "pkg_add",
        "useradd",
        "/var/vmail\n",
        "etc/httpd.conf /etc/httpd.conf",
        "rcctl enable httpd",
        "acme-client -v mail.acme-mail.org",
        "openssl genrsa",
        "install -o _smtpd -g _dovecot",
        "smtpctl encrypt",
        "fold -w 255",
        "dig +short selector0._domainkey",
        "etc/mail/smtpd.conf /etc/mail/smtpd.conf",
        "sievec",
        "dkim_signing.conf /etc/",
        "smtpd -n",
        "rcctl start redis rspamd dovecot",
        "rcctl restart smtpd",
        "crontab -",
        "pfctl -nf",
        "sleep 120",
        "pfctl -f /etc/pf.conf\n",
        "kill $(cat",
        "the MX record last",
    ]
    places = [text.index(each) for each in order]
    assert places == sorted(places), [each for each, at, after in zip(order, places, places[1:], strict=False) if at > after]


def test_every_block_of_the_checklist_is_shell() -> None:
    for block in re.findall(r"^```\n(.*?)^```", made(WISH)[CHECKLIST], re.MULTILINE | re.DOTALL):
        if "in-addr.arpa" not in block:
            assert subprocess.run(["sh", "-n"], input=block, text=True, capture_output=True, check=False).stderr == "", block


def block(text: str, word: str) -> str:
    [found] = [each for each in re.findall(r"^```\n(.*?)^```", text, re.MULTILINE | re.DOTALL) if word in each]
    assert isinstance(found, str)
    return found


def test_secrets_are_made_where_the_checklist_is_typed(tmp_path: Path) -> None:
    files = made(WISH)
    closed = [path for path, text in files.items() if "{{generate:" in text and path != CHECKLIST]
    assert closed == ["etc/mail/smtpd.conf", "etc/rspamd/local.d/worker-controller.inc"]
    for path in closed:
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(files[path])
    done = subprocess.run(["sh", "-c", block(files[CHECKLIST], "sed -i")], cwd=tmp_path, check=False, capture_output=True)
    assert (done.stdout, done.stderr) == (b"", b"")
    found = []
    for path in closed:
        before, after = files[path].split("{{generate:hex16}}")
        text = (tmp_path / path).read_text()
        assert text.startswith(before)
        assert text.endswith(after)
        found.append(text[len(before) : -len(after)])
    assert all(re.fullmatch("[0-9a-f]{32}", each) for each in found)
    assert len(set(found)) == 2


def test_a_password_becomes_the_users_line(tmp_path: Path) -> None:
    """With a stand-in for smtpctl(8) that shows what it was given."""
    files = made(WISH)
    (tmp_path / "smtpctl").write_text('#!/bin/sh\nread -r word\necho "hash-of-$word-by-$1"\n')
    (tmp_path / "smtpctl").chmod(0o755)
    for line, word in zip(re.findall(r'^echo "password of.*$', files[CHECKLIST], re.MULTILINE), ("first", "second"), strict=True):
        command = f"PATH={tmp_path}:$PATH; {line}".replace("/etc/mail/credentials", f"{tmp_path}/credentials")
        subprocess.run(["sh", "-ec", command], input=f"{word}\n", text=True, check=True, capture_output=True)
    written = (tmp_path / "credentials").read_text()
    masks = iter(["hash-of-first-by-encrypt", "hash-of-second-by-encrypt"])
    assert written == re.sub(r"\{\{masked:[^}]*\}\}", lambda _: next(masks), files["etc/mail/credentials"])


# What is said, and what is refused


@pytest.mark.parametrize(
    ("wish", "said"),
    [
        (Wish("nodots", "h1", "9.9.9.9"), "'nodots' is no domain"),
        (Wish("", "h1", "9.9.9.9"), "'' is no domain"),
        (Wish("-x.org", "h1", "9.9.9.9"), "is no domain"),
        (Wish("under_score.org", "h1", "9.9.9.9"), "is no domain"),
        (Wish("a.b/../c", "h1", "9.9.9.9"), "is no domain"),
        (Wish("acme.org\n", "h1", "9.9.9.9", selector="a b"), "--selector a b: expected"),
        (Wish("1.2.3.4", "h1", "9.9.9.9"), "is no domain"),
        (Wish("x" * 64 + ".org", "h1", "9.9.9.9"), "is no domain"),
        (Wish(".".join(["x" * 60] * 4), "h1", "9.9.9.9"), "longer than DNS takes"),
        (Wish("stra\u00dfe.de", "h1", "9.9.9.9"), "xn--"),
        (Wish("b\u00fc..de", "h1", "9.9.9.9"), "is no domain: nothing stands between two of its dots"),
        (Wish("\u00fc" * 64 + ".de", "h1", "9.9.9.9"), "is no domain: a part of it is longer than the 63 characters"),
        (Wish("acme.org", "h1.other.net", "9.9.9.9"), "--host h1.other.net: expected a name below acme.org"),
        (Wish("acme.org", "acme.org", "9.9.9.9"), "--host acme.org"),
        (Wish("acme.org", "h_1", "9.9.9.9"), "--host h_1"),
        (Wish("acme.org", "h1", "9.9.9.9", mail_name=""), "--mail-name"),
        (Wish("acme.org", "h1"), "expected --ipv4, --ipv6 or both"),
        (Wish("acme.org", "h1", "2620:fe::fe"), "this is one of IPv6"),
        (Wish("acme.org", "h1", None, "9.9.9.9"), "this is one of IPv4"),
        (Wish("acme.org", "h1", "9.9.9.256"), "--ipv4 9.9.9.256: expected"),
        (Wish("acme.org", "h1", None, "fe80::1%vio0"), "--ipv6 fe80::1%vio0"),
        (Wish("acme.org", "h1", None, "::ffff:9.9.9.9"), "--ipv6"),
        (
            Wish("acme.org", "h1", "0.0.0.0"),
            "--ipv4 0.0.0.0: expected an address that other mail servers reach; this one is no host's",
        ),
        (Wish("acme.org", "h1", "0.1.2.3"), "is no host's"),
        (Wish("acme.org", "h1", "127.0.0.1"), "leads a host to itself"),
        (Wish("acme.org", "h1", "224.0.0.1"), "is that of a group of hosts"),
        (Wish("acme.org", "h1", "255.255.255.255"), "is reserved"),
        (Wish("acme.org", "h1", "169.254.1.1"), "is of one link alone"),
        (Wish("acme.org", "h1", "9.9.9.0/24"), "not that of its whole network 9.9.9.0/24"),
        (Wish("acme.org", "h1", "9.9.9.255/24"), "not that of its whole network 9.9.9.0/24"),
        (Wish("acme.org", "h1", None, "::"), "--ipv6 ::: expected"),
        (Wish("acme.org", "h1", None, "::1"), "leads a host to itself"),
        (Wish("acme.org", "h1", None, "ff02::1"), "is that of a group of hosts"),
        (Wish("acme.org", "h1", None, "fe80::1"), "is of one link alone"),
        (Wish("acme.org", "h1", "9.9.9.9", users=("postmaster",)), "--user postmaster"),
        (Wish("acme.org", "h1", "9.9.9.9", users=("a b",)), "--user a b"),
        (Wish("acme.org", "h1", "9.9.9.9", users=("a+b",)), "--user a+b"),
        (Wish("acme.org", "h1", "9.9.9.9", users=("a:b",)), "--user a:b"),
        (Wish("acme.org", "h1", "9.9.9.9", users=("../x",)), "--user ../x"),
        (Wish("acme.org", "h1", "9.9.9.9", interface="../x"), "--interface ../x"),
        (Wish("acme.org", "h1", "9.9.9.9", dovecot="2.2"), "--dovecot 2.2: expected 2.3 or 2.4"),
        (Wish("acme.org", "h1", "9.9.9.9", openbsd="5.9"), "--openbsd 5.9"),
        (Wish("acme.org", "h1", "9.9.9.9", openbsd="latest"), "--openbsd latest"),
    ],
)
def test_what_cannot_be_is_refused(wish: Wish, said: str) -> None:
    with pytest.raises(WishError, match=re.escape(said)):
        plan(wish)


@given(st.text(max_size=20), st.text(max_size=10), st.text(max_size=20))
def test_no_words_do_harm(domain: str, host: str, address: str) -> None:
    try:
        planned = plan(Wish(domain, host, address))
    except WishError:
        return
    assert re.fullmatch(r"[a-z0-9.-]+", planned.domain + planned.host_name)


@pytest.mark.parametrize(
    ("wish", "said"),
    [
        (Wish("b\u00fccher.de", "h1", "9.9.9.9"), "b\u00fccher.de is xn--bcher-kva.de in DNS"),
        (Wish("acme.org", "h1", "192.0.2.1"), "192.0.2.1 is an address for documentation"),
        (Wish("acme.org", "h1", "10.0.0.1"), "10.0.0.1 is a private address"),
        (Wish("acme.org", "h1", None, "fd00::1"), "fd00::1 is a private address"),
        (Wish("acme.org", "h1", None, "2620:fe::fe"), "Without an IPv4 address"),
        (Wish("acme.org", "h1", "9.9.9.9"), "mailadmin@acme.org"),
        (Wish("acme.org", "h1", "9.9.9.9", interface="vio0"), "The network of 9.9.9.9 was not given"),
    ],
)
def test_what_is_unusual_is_said(wish: Wish, said: str) -> None:
    assert [each for each in plan(wish).warnings if said in each]
    assert said in made(wish)[CHECKLIST]


def test_nothing_is_said_of_what_is_usual() -> None:
    assert not plan(WISH).warnings


def test_the_interface_is_written_with_its_networks() -> None:
    assert made(WISH)["etc/hostname.vio0"] == "inet 9.9.9.9 255.255.255.0\ninet6 2620:fe::fe 48\n"


# The command


def test_init_writes_a_folder_that_scans_clean(run: Run, tmp_path: Path) -> None:
    out = tmp_path / "new"
    code, told, warned = run("init", "Acme-Mail.ORG.", "--host", "h1", "--ipv4", "9.9.9.9", "--user", "anna", "-o", str(out))
    assert (code, warned) == (0, "")
    assert told.splitlines()[0].endswith(f"files for h1.acme-mail.org are in {out}; no secret is among them.")
    assert sorted(path.name for path in out.iterdir()) == [
        "CHECKLIST.md", "acme-mail.org.zone", "answers.json", "etc", "mailaudit.toml", "usr",
    ]  # fmt: skip
    assert audit([str(out)], Options(now=datetime.fromisoformat(TAKEN))).exit_code == 0
    assert out.stat().st_mode & 0o077 == 0
    assert [path.name for path in tmp_path.iterdir()] == ["new"]


def test_init_says_on_standard_error_what_is_unusual(run: Run, tmp_path: Path) -> None:
    code, _, warned = run("init", "acme.org", "--host", "h1", "--ipv4", "192.0.2.9", "--user", "a", "-o", str(tmp_path / "x"))
    assert code == 0
    assert warned == "mailaudit: 192.0.2.9 is an address for documentation: no mail comes to it from the Internet.\n"


def test_init_writes_over_nothing(run: Run, tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("mine")
    for out in (tmp_path, tmp_path / "mine", tmp_path / "no" / "where"):
        code, told, warned = run("init", "acme.org", "--host", "h1", "--ipv4", "9.9.9.9", "-o", str(out))
        assert (code, told) == (2, "")
        assert f"-o {out}" in warned
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]
    assert (tmp_path / "mine").read_text() == "mine"


def test_init_leaves_nothing_half_written(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written = []

    def fail(self: Path, data: bytes) -> int:
        written.append(self)
        if len(written) > 5:
            raise OSError(28, "No space left on device")
        with self.open("wb") as file:
            return file.write(data)

    monkeypatch.setattr(Path, "write_bytes", fail)
    code, told, warned = run("init", "acme.org", "--host", "h1", "--ipv4", "9.9.9.9", "-o", str(tmp_path / "x"))
    assert (code, told) == (2, "")
    assert "cannot be written: no space left on device" in warned
    assert not list(tmp_path.iterdir())


def test_init_refuses_with_code_2(run: Run, tmp_path: Path) -> None:
    code, told, warned = run("init", "acme", "--host", "h1", "--ipv4", "9.9.9.9", "-o", str(tmp_path / "x"))
    assert (code, told) == (2, "")
    assert warned.startswith("mailaudit: 'acme' is no domain")
    assert run("init", "acme.org")[0] == 2
    assert not list(tmp_path.iterdir())
