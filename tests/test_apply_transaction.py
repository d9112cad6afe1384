"""Plans as the applier takes them: which commands it is given, what it looks after; rulesets that would lock the auditor out."""

from __future__ import annotations

import shutil
from hashlib import sha256
from pathlib import Path

import pytest

from mailaudit import rulebook
from mailaudit.apply.folder import ApplyError
from mailaudit.apply.passage import Passage, fate, objection, read_passage
from mailaudit.apply.runs import outcome, past
from mailaudit.apply.transaction import Seconds, Transaction, transaction
from mailaudit.auditor import Auditor, Options, auditor_for
from mailaudit.collect.roots import find_worlds
from mailaudit.edits import Safety
from mailaudit.findings import HostReport
from mailaudit.questions import Absent, Answer, Found, Question, ReadFile, Stat, StatFile
from mailaudit.repair import Plan, plan
from mailaudit.reports.terminal.applied import failure, in_words
from mailaudit.snapshot import Snapshot
from mailaudit.worklist import Deed, Kind

CORRECTED = Path(__file__).parents[1] / "examples" / "corrected"
BLOCK = "block\n"
SSH = Passage("192.0.2.7", "203.0.113.9", "22")


def digest(text: str) -> str:
    return sha256(text.encode()).hexdigest()


def made(
    files: dict[str, tuple[str, bytes | None]] | None = None,
    todo: tuple[str, ...] = (),
    answers: dict[Question, Answer] | None = None,
    *,
    reload: bool = True,
    deeds: tuple[Deed, ...] = (),
) -> Transaction:
    report = HostReport("h", "h", online=False, site={}, files=(), results=(), texts={}, secrets=())
    files = files or {}
    whole = Plan(
        report,
        report,
        {path: new for path, (new, _) in files.items()},
        {path: old for path, (_, old) in files.items()},
        (),
        (),
        todo=(*(Deed(Kind.COMMAND, each) for each in todo), *deeds),
    )
    return transaction(whole, Snapshot("h", "h", answers or {}), "me@here", Seconds(), reload=reload)


def lines(transaction: Transaction) -> list[str]:
    return transaction.plan.decode().splitlines()


def test_files_and_what_they_held() -> None:
    found = made({"/etc/pf.conf": ("pass\n", b"block\n"), "/etc/mail/new": ("{{generate:hex16}}\n", None)})
    head, *rest = lines(found)
    assert head == "mailaudit 1"
    assert rest[:2] == ["by me@here", "wait 60 300"]
    assert f"file {digest(BLOCK)} 0644 5 /etc/pf.conf" in rest
    new = rest.index("file - 0600 33 /etc/mail/new")
    assert len(rest[new + 1]) == 32
    assert rest[-1] == "end"
    assert found.files == ("/etc/mail/new", "/etc/pf.conf")


def test_a_file_with_masks_is_not_written() -> None:
    with pytest.raises(ApplyError, match="/etc/mail/credentials holds masked values"):
        made({"/etc/mail/credentials": ("x", b"u:{{masked:bcrypt:60:0123456789abcdef}}\n")})


def test_what_the_applier_does_not_write_is_refused_by_name() -> None:
    for path in ("/etc/passwd", "/home/x", "/etc/mail/../x", "/usr/local/libexec/mailaudit-apply"):
        with pytest.raises(ApplyError, match="none of the files that are written"):
            made({path: ("x", None)})


def test_daemons_that_have_to_wait_for_names_are_left() -> None:
    found = made(todo=("rcctl reload httpd", "rcctl restart rspamd"))
    assert len(found.done) == 2
    wait = Deed(Kind.WAIT, "wait", seconds=3600)
    todo = (Deed(Kind.COMMAND, "rcctl reload httpd"), wait, Deed(Kind.COMMAND, "rcctl restart rspamd"))
    assert [deed.text for deed in made(deeds=todo).by_hand] == ["wait", "rcctl restart rspamd"]


def test_a_path_with_odd_characters_is_not_written() -> None:
    with pytest.raises(ApplyError, match="characters"):
        made({"/etc/mail/a\nrun sh": ("x", None)})


RUN = {
    "chmod 0640 /etc/mail/x": ["mode 0640 = = /etc/mail/x"],
    "chmod 640 /etc/mail/x /etc/y": ["mode 640 = = /etc/mail/x", "mode 640 = = /etc/y"],
    "chown root:wheel /etc/x": ["mode = root wheel /etc/x"],
    "chown :_dovecot /etc/x": ["mode = = _dovecot /etc/x"],
    "chown root '/etc/x'": ["mode = root = /etc/x"],
    "install -d -o root -g wheel -m 0755 /etc/mail/dkim": ["dir 0755 root wheel /etc/mail/dkim"],
    "sievec /usr/local/lib/dovecot/sieve/x.sieve": ["run sievec /usr/local/lib/dovecot/sieve/x.sieve"],
    "newaliases": ["run newaliases"],
    "cap_mkdb /etc/login.conf": ["run cap_mkdb /etc/login.conf"],
    "rcctl enable smtpd": ["run rcctl enable smtpd"],
    "rcctl restart smtpd": ["run rcctl restart smtpd"],
    "smtpctl update table aliases": ["run smtpctl update table aliases"],
    "pfctl -f /etc/pf.conf": ["run pfctl -f /etc/pf.conf"],
}


@pytest.mark.parametrize("command", RUN)
def test_commands_that_the_applier_runs(command: str) -> None:
    there: dict[Question, Answer] = {StatFile(path): Found(Stat("file")) for path in ("/etc/mail/x", "/etc/x", "/etc/y")}
    found = made(todo=(command,), answers=there)
    assert [each for each in lines(found) if each.split()[0] in ("mode", "dir", "run")] == RUN[command]
    assert [deed.text for deed in found.done] == [command]


@pytest.mark.parametrize(
    "command",
    [
        "chmod o+x /etc/x",
        "chmod 600 /etc/not_there",
        "chmod 600 /etc/master.passwd",
        "chmod 600 /home/x",
        "chown vmail /etc/x",
        "sievec /home/x.sieve",
        "chmod 4755 /etc/x",
        "chmod 640",
        "chmod 640 x",
        "chown -R vmail /var/vmail",
        "chown : /etc/x",
        "chmod 0640 '/etc/a b'",
        "chmod 640 '/etc/x",
        "pfctl -ef /etc/pf.conf",
        "pkg_add dovecot",
        "usermod -s /sbin/nologin vmail",
        "rcctl restart smtpd; reboot",
        "rcctl stop smtpd",
        "sh -c true",
        "rm /etc/mail/unknown",
        "cp /a /b",
        "acme-client -F example.com",
    ],
)
def test_all_other_commands_are_left_for_a_person(command: str) -> None:
    found = made(todo=(command,), answers={StatFile("/etc/x"): Found(Stat("file")), ReadFile("/etc/passwd"): Found(b"root:\n")})
    assert found.steps == 0
    assert [deed.text for deed in found.by_hand] == [command]


def test_daemons_are_told_with_reload_only() -> None:
    found = made(
        None,
        ("rcctl restart smtpd", "pfctl -f /etc/pf.conf", "chmod 600 /etc/x"),
        {StatFile("/etc/x"): Found(Stat("file"))},
        reload=False,
    )
    assert [deed.text for deed in found.by_hand] == ["rcctl restart smtpd", "pfctl -f /etc/pf.conf"]
    assert [deed.text for deed in found.done] == ["chmod 600 /etc/x"]


def test_who_gets_a_certificate_by_hand_is_told_what_takes_it_up() -> None:
    """What has a daemon show it is of no use before; where files were written too, the daemon is told twice."""
    why, path = "Get a new certificate", "/etc/mail/smtpd.conf"
    issue = Deed(Kind.COMMAND, "acme-client -F mail.example.com", (why,))
    dovecot = Deed(Kind.COMMAND, "rcctl reload dovecot", (why,))
    smtpd = Deed(Kind.COMMAND, "rcctl restart smtpd", (path, why))
    rspamd = Deed(Kind.COMMAND, "rcctl restart rspamd", ("/etc/rspamd/local.d/redis.conf",))
    found = made(deeds=(rspamd, issue, dovecot, smtpd))
    assert found.done == (rspamd, smtpd)
    assert found.by_hand == (issue, dovecot, smtpd)


def test_a_new_ruleset_is_tried_first() -> None:
    files: dict[str, tuple[str, bytes | None]] = {"/etc/pf.conf": ("pass\n", b"block\n")}
    assert "trial" in lines(made(files, ("pfctl -f /etc/pf.conf",)))
    assert "trial" not in lines(made(files, ("pfctl -f /etc/pf.conf",), reload=False))


def test_an_empty_file_is_made_and_a_copy_is_removed() -> None:
    install = "install -o _smtpd -g _dovecot -m 0440 /dev/null /etc/mail/credentials"
    assert made(todo=(install,)).by_hand
    found = made(todo=(install,), answers={StatFile("/etc/mail/credentials"): Absent()})
    assert lines(found)[-4:] == ["file - 0440 0 /etc/mail/credentials", "", "mode = _smtpd _dovecot /etc/mail/credentials", "end"]
    found = made(todo=("rm /etc/mail/copy",), answers={ReadFile("/etc/mail/copy"): Found(b"x")})
    assert f"remove {digest('x')} /etc/mail/copy" in lines(found)
    masked = Found(b"u:{{masked:bcrypt:60:0123456789abcdef}}\n")
    assert made(todo=("rm /etc/mail/copy",), answers={ReadFile("/etc/mail/copy"): masked}).by_hand


def test_what_was_only_read_is_looked_after() -> None:
    answers: dict[Question, Answer] = {
        ReadFile("/etc/a"): Found(b"x"),
        ReadFile("/etc/none"): Absent(),
        ReadFile("/etc/masked"): Found(b"u:{{masked:bcrypt:60:0123456789abcdef}}\n"),
        StatFile("/etc/masked"): Found(Stat("file", 0o640, "root", "wheel", 61, "1970-01-01T00:01:00Z")),
        ReadFile("/var/rspamd/x"): Found(b"x"),
        ReadFile("/etc/ssl/private/x"): Found(b"x"),
        ReadFile("/etc/pf.conf"): Found(b"block\n"),
    }
    found = made({"/etc/pf.conf": ("pass\n", b"block\n")}, answers=answers)
    read = [each for each in lines(found) if each.split(" ")[0] in ("read", "seen")]
    assert read == [f"read {digest('x')} /etc/a", "read - /etc/none", "seen 61 60 /etc/masked"]


@pytest.fixture(scope="module")
def auditor() -> Auditor:
    (world,) = find_worlds(str(CORRECTED))
    return auditor_for(world, rulebook.load(), Options())


def test_a_ruleset_that_locks_out_is_objected_to(auditor: Auditor) -> None:
    known, before = auditor.learn()
    assert fate(before, SSH) == "pass"
    pf = (CORRECTED / "etc/pf.conf").read_bytes()

    def after(old: bytes, new: bytes) -> str:
        changed = pf.replace(old, new)
        assert changed != pf
        return objection(before, auditor.learn(known.with_files({"/etc/pf.conf": changed}))[1], SSH)

    assert after(b"block log all", b"block all") == ""
    assert after(b"\npass out\n", b"\npass out\nblock in quick proto tcp from 192.0.2.0/24\n") == (
        "the planned pf.conf would lock you out: it blocks 192.0.2.7 to 203.0.113.9 port 22"
    )
    assert "may lock you out" in after(b"\npass out\n", b"\npass out\nblock in proto tcp to port ssh probability 50%\n")


def test_the_way_in_is_that_of_the_connection(auditor: Auditor) -> None:
    """What comes from the host itself comes over loopback, which pf skips."""
    _, before = auditor.learn()
    assert fate(before, Passage("127.0.0.1", "127.0.0.1", "2222")) == "pass"
    assert fate(before, Passage("203.0.113.9", "203.0.113.9", "2222")) == "pass"
    assert fate(before, Passage("192.0.2.7", "203.0.113.9", "2222")) == "block"
    assert fate(before, Passage("fe80::1%vio0", "2001:db8::9", "22")) in ("pass", "unknown")


@pytest.mark.parametrize("masked", [False, True])
def test_a_file_that_was_not_seen_whole_is_not_edited(tmp_path: Path, *, masked: bool) -> None:
    """Passwords are masked on a live host itself: what is not known cannot be written back."""
    root = Path(shutil.copytree(CORRECTED, tmp_path / "host"))
    smtpd = root / "etc/mail/smtpd.conf"
    more = "# {{masked:bcrypt:60:0123456789abcdef}}\n" if masked else ""
    smtpd.write_text(smtpd.read_text().replace(" tls-require pki", " tls pki") + more)
    (world,) = find_worlds(str(root))
    done = plan(auditor_for(world, rulebook.load(), Options(select=("SMTPD023",))), frozenset(Safety))
    assert set(done.files) == (set() if masked else {"/etc/mail/smtpd.conf"})
    why = "/etc/mail/smtpd.conf is not edited, for not all that it holds was seen; edit it on the host"
    assert [each for _, each in done.left] == ([why] if masked else [])


def test_the_ends_of_a_connection() -> None:
    assert read_passage("192.0.2.7 4711 203.0.113.9 22\n") == SSH
    assert read_passage("2001:db8::7 4711 2001:db8::9 2222") == Passage("2001:db8::7", "2001:db8::9", "2222")
    assert read_passage("") is None
    assert read_passage("x y z a") is None


def test_a_history_is_read() -> None:
    said = [
        "run 1",
        "path file /etc/pf.conf",
        "path run rcctl restart smtpd",
        "log 1795402631 begin 1 by me (a test)",
        "log 1795402632 step s0 file /etc/pf.conf",
        "log 1795402640 end kept",
        "run 2",
        "log 1795402650 begin 2 by me",
        "open cut-off",
        "run 3",
        "open busy",
    ]
    one, two, three = past(said)
    assert (one.number, one.begun, one.ended) == (1, "2026-11-23T02:57:11Z", "2026-11-23T02:57:20Z")
    assert (one.by, one.end, one.files, one.commands) == ("me (a test)", "kept", ("/etc/pf.conf",), ("rcctl restart smtpd",))
    assert (two.end, two.ended, three.end, three.by) == ("cut-off", "", "busy", "")


def test_a_history_that_is_none_has_no_runs() -> None:
    assert [*past(["doas: not permitted", "run ²", f"run {'9' * 5000}"])] == []
    (one,) = past(["run 1", "log 99999999999999999999 begin 1 by me", "log ² end kept"])
    assert (one.begun, one.by, one.end, one.ended) == ("", "me", "kept", "")


def test_what_checkers_said_is_told() -> None:
    said = ("check pf accepts", "check rspamd nothing: it is not there", "check sshd as-before:", "left sievec /x", "end kept")
    found = outcome(3, said)
    assert found is not None
    assert found.left == {"sievec /x"}
    told = in_words("h", found, made({"/etc/pf.conf": ("x", b"y")}, ("newaliases",)))
    assert told.splitlines() == [
        "run 3: 1 file written; `mailaudit rollback h 3` takes it back",
        "  pf accepts the files",
        "  rspamd's checker judged nothing: it is not there",
        "  sshd refuses the files, as it did before",
        "  done: newaliases",
        "",
    ]


@pytest.mark.parametrize(
    ("end", "says"),
    [
        ("refused no", "no; nothing was changed"),
        ("restored no", "no; everything was restored"),
        ("partly no", "run 3 was not taken back whole: no"),
    ],
)
def test_what_went_wrong_is_told(end: str, says: str) -> None:
    found = outcome(3, [f"end {end}"])
    assert found is not None
    assert failure(found) == says
