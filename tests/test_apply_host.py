"""The applier by itself, as root in a mount namespace: whatever happens to it, each file is as before, or all are as planned."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from applier_host import APPLIER, Host, digest, file, host, plan

pytestmark = pytest.mark.daemon

OLD = {
    "/etc/pf.conf": "block\n",
    "/etc/redis/redis.conf": "bind lo\n",
    "/etc/mail/aliases": "root: somebody\n",
    "/etc/mail/copy": "secret\n",
    "/etc/mail/aliases.db": "made of aliases\n",
}
LOOKED_AT = ("/etc/mail", "/etc/pf.conf", "/etc/login.conf.d", "/etc/redis")
PLAN = (
    file("/etc/pf.conf", "pass\n", OLD["/etc/pf.conf"]),
    file("/etc/redis/redis.conf", "bind lo0\n", OLD["/etc/redis/redis.conf"]),
    file("/etc/login.conf.d/new/one", "new\n", None, "0600"),
    "mode 0600 root daemon /etc/mail/aliases",
    "remove " + digest(OLD["/etc/mail/copy"]) + " /etc/mail/copy",
    "dir 0750 root daemon /etc/mail/made",
    "run newaliases",
    "run pfctl -f /etc/pf.conf",
    "run rcctl restart smtpd",
)
NEW_REDIS = "bind lo0\n"
RESET = """
rm -rf /var/mailaudit /etc/mail /etc/redis /etc/login.conf.d /var/say/*
mkdir -p /etc/mail /etc/redis /etc/login.conf.d
"""
NOD = """
while :; do
	for at in /var/mailaudit/runs/*; do if [ -e $at/before ]; then touch $at/reached $at/keep; fi; done
	sleep 0.02
done
"""
NEWALIASES = "echo 'made anew' > /etc/mail/aliases.db"
KILL = """
for pid in $(pgrep -f '[a]pplier.pl run'); do
	[ "$(readlink /proc/$pid/ns/mnt)" != "$(readlink /proc/self/ns/mnt)" ] || kill -9 $pid
done
"""
FAULTS = Path(__file__).parent / "perl"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    with host(tmp_path_factory.mktemp("applier")) as found:
        yield found


@pytest.fixture
def fresh(made: Host) -> Host:
    reset(made)
    return made


def reset(made: Host) -> None:
    script = [RESET, f"cat > /var/say/newaliases <<'E'\n{NEWALIASES}\nE"]
    script += [f"printf %s '{text}' > {path}; chmod 644 {path}" for path, text in OLD.items()]
    made.sh("\n".join([*script, "chmod 640 /etc/redis/redis.conf; chown root:daemon /etc/redis/redis.conf"]))


@contextmanager
def nodding(made: Host) -> Iterator[None]:
    """Somebody who says at once that all is as it should be."""
    somebody = made.popen("sh", "-c", NOD)
    try:
        yield
    finally:
        os.killpg(somebody.pid, signal.SIGKILL)
        somebody.communicate()


def faulty(what: str, at: int) -> tuple[str, ...]:
    return (f"-I{FAULTS}", f"-MFault={what},{at}")


def until(made: Host, run: int, words: str) -> None:
    """Wait until a run has come so far."""
    for _ in range(200):
        if words in made.sh(f"cat /var/mailaudit/runs/{run}/journal 2>/dev/null || true"):
            return
        time.sleep(0.02)
    raise AssertionError(made.sh(f"cat /var/mailaudit/runs/{run}/journal"))


def settled(made: Host) -> None:
    """Wait until no run is at work."""
    for _ in range(200):
        if "busy" not in made.apply("history"):
            return
        time.sleep(0.02)
    raise AssertionError


def test_a_plan_is_carried_out_and_taken_back(fresh: Host) -> None:
    before = fresh.state(*LOOKED_AT)
    with nodding(fresh):
        done = fresh.apply("run", plan=plan(*PLAN))
    assert done.end == "end kept"
    after = fresh.state(*LOOKED_AT)
    assert f"/etc/redis/redis.conf 640 root:daemon 9 {digest(NEW_REDIS)}" in after
    assert "/etc/login.conf.d/new/one 600 root:root" in after
    assert "/etc/mail/aliases 600 root:daemon" in after
    assert "/etc/mail/made d 750 root:daemon" in after
    assert "/etc/mail/copy" not in after
    assert ".mailaudit" not in after
    assert fresh.sh("cat /etc/pf.conf /etc/mail/aliases.db") == "pass\nmade anew\n"
    ran = fresh.sh("cat /var/say/ran").splitlines()
    assert ran[-3:] == ["pfctl -f /etc/pf.conf", "rcctl restart smtpd", "rcctl check smtpd"]
    assert fresh.apply("rollback").end == "end restored rolled back"
    assert fresh.state(*LOOKED_AT) == before
    assert fresh.sh("cat /var/say/ran").splitlines()[-3:] == ran[-3:]
    assert fresh.apply("rollback").end == "end refused there is no run to roll back"


def end_of(made: Host, run: int) -> str:
    journal = made.sh(f"cat /var/mailaudit/runs/{run}/journal 2>/dev/null || true").splitlines()
    return journal[-1].partition(" ")[2] if journal else ""


def test_power_is_cut_at_any_moment(made: Host) -> None:
    """Killed with all of its kind at every second call that changes anything: then `rollback`, and all is as before."""
    reached = set()
    for at in range(1, 400, 2):
        reset(made)
        before = made.state(*LOOKED_AT)
        with nodding(made):
            made.apply("run", plan=plan(*PLAN), perl=faulty("kill", at))
        journal = made.sh("cat /var/mailaudit/runs/1/journal 2>/dev/null || true")
        reached |= set(re.findall(r"step (\w+)", journal))
        if "end kept" in journal:
            assert reached >= {"parent", "s0", "s1", "s2", "s3", "s4", "s5", "s6", "s7", "s8"}
            return
        back = made.apply("rollback")
        assert back.end.startswith(("end restored", "end refused there is no run")), (at, back.lines)
        assert made.state(*LOOKED_AT) == before, at
        if at % 10 == 1:
            with nodding(made):
                assert made.apply("run", plan=plan(*PLAN)).end == "end kept"
    raise AssertionError("it was never finished")


@pytest.mark.parametrize("of_a_kept_run", [True, False])
def test_power_is_cut_while_it_is_rolled_back(made: Host, of_a_kept_run: bool) -> None:
    for at in range(1, 200, 2):
        reset(made)
        before = made.state(*LOOKED_AT)
        if of_a_kept_run:
            with nodding(made):
                assert made.apply("run", plan=plan(*PLAN)).end == "end kept"
        else:
            cut(made, 1)
        made.apply("rollback", perl=faulty("kill", at))
        if end_of(made, 1).startswith("end restored"):
            assert at > 10
            assert made.state(*LOOKED_AT) == before
            return
        assert made.apply("rollback").end.startswith("end restored"), at
        assert made.state(*LOOKED_AT) == before, at
    raise AssertionError("it was never finished")


def cut(made: Host, run: int) -> None:
    """A run that is killed with all of its kind while it waits."""
    begun = made.start("run", plan=plan(*PLAN))
    until(made, run, "waiting reached")
    made.sh(KILL)
    begun.communicate()


def test_a_worker_that_is_killed_alone_is_cleaned_up_after(made: Host) -> None:
    for at in range(30, 120, 6):
        reset(made)
        before = made.state(*LOOKED_AT)
        with nodding(made):
            done = made.apply("run", plan=plan(*PLAN), perl=faulty("worker", at))
        if done.end == "end kept":
            break
        settled(made)
        if "end restored" not in done:  # it was killed before it went its own way
            made.apply("rollback")
        assert made.state(*LOOKED_AT) == before, at


def test_the_disk_is_full_from_some_moment_on(made: Host) -> None:
    for at in range(1, 400, 7):
        reset(made)
        before = made.state(*LOOKED_AT)
        with nodding(made):
            done = made.apply("run", plan=plan(*PLAN), perl=faulty("full", at))
        if done.end == "end kept":
            return
        assert done.end.startswith(("end refused", "end restored")), (at, done.lines)
        settled(made)
        made.apply("rollback")
        assert made.state(*LOOKED_AT) == before, at
    raise AssertionError("it was never finished")


@pytest.mark.parametrize("full", ["/etc/mail", "/var/mailaudit"])
def test_a_disk_without_room(fresh: Host, full: str) -> None:
    """A small file system of its own, filled up to some kilobytes."""
    fresh.sh(
        f"mkdir -p {full}; cp -a {full} /var/kept; mount -t tmpfs -o size=256k,mode=0700 none {full}; cp -a /var/kept/. {full}/"
    )
    try:
        fresh.sh(f"chmod {755 if full == '/etc/mail' else 700} {full}")
        before = fresh.state(*LOOKED_AT)
        fresh.sh(f"dd if=/dev/zero of={full}/.filler bs=1k count=220 2>/dev/null")
        large = file("/etc/mail/virtuals", "x" * 100_000, None)
        with nodding(fresh):
            done = fresh.apply("run", plan=plan(*PLAN, large))
        assert "No space left on device" in done.end
        fresh.sh(f"rm -f {full}/.filler")
        assert fresh.state(*LOOKED_AT) == before
        with nodding(fresh):
            assert fresh.apply("run", plan=plan(*PLAN)).end == "end kept"
    finally:
        fresh.sh(f"umount {full}; rm -rf /var/kept")


def changes() -> dict[str, str]:
    return {
        "changed": "echo more >> /etc/pf.conf",
        "gone": "rm /etc/redis/redis.conf",
        "made": "mkdir -p /etc/login.conf.d/new; echo x > /etc/login.conf.d/new/one",
        "linked": "mv /etc/pf.conf /etc/pf.other; ln -s pf.other /etc/pf.conf",
        "hard": "ln /etc/pf.conf /etc/pf.other",
        "way": "mv /etc/mail /etc/mail.other; ln -s mail.other /etc/mail",
        "open": "chmod 777 /etc/mail",
        "owned": "chown daemon /etc/mail",
    }


@pytest.mark.parametrize("what", changes())
def test_what_was_changed_since_it_was_read_stops_it_all(fresh: Host, what: str) -> None:
    fresh.sh(changes()[what])
    try:
        before = fresh.state("/etc/mail/", *LOOKED_AT[1:])
        done = fresh.apply("run", plan=plan(*PLAN))
        assert done.end.startswith("end refused /etc/"), done.lines
        assert fresh.state("/etc/mail/", *LOOKED_AT[1:]) == before
        assert fresh.apply("rollback").end == "end refused there is no run to roll back"
    finally:
        fresh.sh("rm -rf /etc/pf.conf /etc/pf.other /etc/mail /etc/mail.other")


def test_what_was_only_read_is_looked_at_too(fresh: Host) -> None:
    read = f"read {digest('other')} /etc/mail/aliases"
    assert fresh.apply("run", plan=plan(read, *PLAN)).end == "end refused /etc/mail/aliases was changed since it was read"
    assert fresh.apply("run", plan=plan("read - /etc/mail/aliases", *PLAN)).end.endswith("was changed since it was read")
    assert fresh.apply("run", plan=plan("seen 3 0 /etc/mail/aliases", *PLAN)).end.endswith("was changed since it was read")


def test_a_file_that_is_changed_between_two_steps(fresh: Host) -> None:
    """Another program writes while the checkers are at work: nothing of its is lost, all else is as before."""
    fresh.put({"/var/say/pfctl": "echo other > /etc/redis/redis.conf"})
    before = fresh.state("/etc/pf.conf", "/etc/login.conf.d", "/etc/mail/aliases")
    with nodding(fresh):
        done = fresh.apply("run", plan=plan(*PLAN))
    assert done.end == "end restored /etc/redis/redis.conf was changed while this ran"
    assert fresh.state("/etc/pf.conf", "/etc/login.conf.d", "/etc/mail/aliases") == before
    assert fresh.sh("cat /etc/redis/redis.conf; ls -A /etc/mail /etc/redis").split() == [
        "other", "/etc/mail:", "aliases", "aliases.db", "copy", "/etc/redis:", "redis.conf"
    ]  # fmt: skip


def test_a_file_that_is_changed_after_it_was_written_stays_as_its_owner_left_it(fresh: Host) -> None:
    fresh.put({"/var/say/rcctl": "echo other > /etc/pf.conf; exit 1"})
    with nodding(fresh):
        done = fresh.apply("run", plan=plan(*PLAN))
    assert done.end.startswith("end partly /usr/sbin/rcctl restart smtpd failed")
    assert "/etc/pf.conf was changed by another since; it is left as it is" in done.end
    assert fresh.sh("cat /etc/pf.conf /etc/redis/redis.conf") == "other\nbind lo\n"
    assert ".mailaudit" not in fresh.state("/etc/mail", "/etc/pf.conf")


@pytest.mark.parametrize("refusing", ["copy", "place"])
def test_a_checker_refuses(fresh: Host, refusing: str) -> None:
    """The stand-in pfctl refuses a copy that lets all pass, or the same in place."""
    where = "/var/mailaudit/*/tree" if refusing == "copy" else "-nf?/etc/pf.conf"
    fresh.put(
        {"/var/say/pfctl": f'case "$*" in *{where}*) if grep pass ${{2}} >/dev/null; then echo "line 1: no"; exit 1; fi;; esac'}
    )
    before = fresh.state(*LOOKED_AT)
    done = fresh.apply("run", plan=plan(*PLAN))
    said = "end refused pf refuses the changed files" if refusing == "copy" else "end restored pf refuses the files in place"
    assert done.end.startswith(f"{said}: line 1: no")
    assert fresh.state(*LOOKED_AT) == before


def test_a_checker_that_cannot_judge_a_copy_judges_nothing(fresh: Host) -> None:
    fresh.put({"/var/say/pfctl": 'case "$*" in *mailaudit*) echo "not for me"; exit 1;; esac'})
    with nodding(fresh):
        done = fresh.apply("run", plan=plan(*PLAN))
    assert "check pf nothing: it cannot judge a copy: not for me" in done.lines
    assert done.end == "end kept"


def test_a_checker_that_is_not_there_judges_nothing(fresh: Host) -> None:
    fresh.sh("mv /sbin/pfctl /sbin/pfctl.away 2>/dev/null || mv /usr/sbin/pfctl /usr/sbin/pfctl.away")
    try:
        with nodding(fresh):
            done = fresh.apply("run", plan=plan(PLAN[0]))
        assert "check pf nothing: /sbin/pfctl is not there" in done.lines
    finally:
        fresh.sh("mv /sbin/pfctl.away /sbin/pfctl 2>/dev/null || mv /usr/sbin/pfctl.away /usr/sbin/pfctl")


def test_a_new_directory_with_a_new_file_goes_again(fresh: Host) -> None:
    """Made for the file, given its owner by a step behind it; sievec is not there, which is told and harms nothing."""
    before = fresh.state("/usr/local/lib")
    fresh.sh("mv /usr/local/bin/sievec /usr/local/bin/sievec.away")
    path = "/usr/local/lib/dovecot/more/x.sieve"
    steps = (file(path, "keep;\n", None), "dir 0750 root daemon /usr/local/lib/dovecot/more", f"run sievec {path}")
    with nodding(fresh):
        done = fresh.apply("run", plan=plan(*steps))
    assert done.end == "end kept"
    assert f"left sievec {path}" in done.lines
    assert "/usr/local/lib/dovecot/more d 750 root:daemon" in fresh.state("/usr/local/lib")
    assert fresh.apply("rollback").end == "end restored rolled back"
    assert fresh.state("/usr/local/lib") == before
    fresh.sh("mv /usr/local/bin/sievec.away /usr/local/bin/sievec")


def test_acme_client_is_told_a_domain(fresh: Host) -> None:
    old = "# mine\ndomain mail.example.com {\n}\n"
    fresh.put({"/etc/acme-client.conf": old})
    with nodding(fresh):
        done = fresh.apply("run", plan=plan(file("/etc/acme-client.conf", old + "# more\n", old)))
    assert "check acme-client accepts" in done.lines
    ran = [line for line in fresh.sh("cat /var/say/ran").splitlines() if line.startswith("acme-client")]
    assert ran[0] == "acme-client -n -f /var/mailaudit/runs/1/tree/etc/acme-client.conf mail.example.com"
    fresh.sh("rm /etc/acme-client.conf")


def test_the_real_smtpd_judges_the_copy(fresh: Host) -> None:
    """With its includes and tables led into the copy: the changed table is seen, the one in place is not."""
    config = 'include "/etc/mail/more.conf"\ntable aliases file:/etc/mail/aliases\n'
    config += "action a mbox alias <aliases>\nmatch for local action a\n"
    fresh.put({"/etc/mail/smtpd.conf": config, "/etc/mail/more.conf": "listen on lo\n"})
    steps = (
        file("/etc/mail/smtpd.conf", f"{config}# more\n", config),
        file("/etc/mail/more.conf", "listen nowhere\n", "listen on lo\n"),
    )
    if not fresh.sh("command -v smtpd || true"):
        pytest.skip("smtpd is not installed")
    before = fresh.state(*LOOKED_AT)
    done = fresh.apply("run", plan=plan(*steps))
    assert done.end.startswith("end refused smtpd refuses the changed files: /etc/mail/more.conf:1: syntax error"), done.lines
    assert fresh.state(*LOOKED_AT) == before
    with nodding(fresh):
        done = fresh.apply("run", plan=plan(steps[0]))
    assert "check smtpd accepts" in done.lines


def test_the_real_dovecot_and_rspamd_judge_their_copies(fresh: Host) -> None:
    for program in ("doveconf", "rspamadm"):
        if not fresh.sh(f"command -v {program} || true"):
            pytest.skip(f"{program} is not installed")
    for path, bad, says in (
        ("/etc/dovecot/conf.d/99-more.conf", "no_such_setting = yes\n", "dovecot refuses the changed files"),
        ("/etc/rspamd/local.d/actions.conf", "reject = {\n", "rspamd refuses the changed files"),
    ):
        before = fresh.state("/etc/dovecot", "/etc/rspamd")
        assert fresh.apply("run", plan=plan(file(path, bad, None))).end.startswith(f"end refused {says}")
        with nodding(fresh):
            done = fresh.apply("run", plan=plan(file(path, "# nothing\n", None)))
        assert done.end == "end kept"
        assert fresh.apply("rollback").end.startswith("end restored")
        assert fresh.state("/etc/dovecot", "/etc/rspamd") == before


def test_of_two_runs_at_once_the_second_is_refused_and_told_whose_the_first_is(fresh: Host) -> None:
    first = fresh.start("run", plan=plan(*PLAN))
    until(fresh, 1, "waiting reached")
    second = fresh.apply("run", plan=plan(*PLAN))
    assert re.fullmatch(r"end refused another run is at work: run 1 by root \(a test\) since \S+Z", second.end)
    assert fresh.apply("rollback").end.startswith("end refused another run is at work")
    assert "open busy" in fresh.apply("history")
    with nodding(fresh):
        out, _ = first.communicate(timeout=20)
    assert out.endswith(b"end kept\n")


def test_many_runs_at_once(fresh: Host) -> None:
    with nodding(fresh):
        all_ = [fresh.start("run", plan=plan(*PLAN)) for _ in range(6)]
        ends = [process.communicate(timeout=60)[0].decode().splitlines()[-1] for process in all_]
    assert ends.count("end kept") == 1
    assert all(end == "end kept" or end.startswith(("end refused another run", "end refused /etc/")) for end in ends), ends


@pytest.mark.parametrize("mark", ["reached", "keep"])
def test_nobody_says_that_it_works(fresh: Host, mark: str) -> None:
    before = fresh.state(*LOOKED_AT)
    wait = "wait 1 1"
    begun = fresh.start("run", plan=plan(*PLAN, wait=wait))
    if mark == "keep":
        until(fresh, 1, "waiting reached")
        assert fresh.apply("reached", "1").end == "end reached"
    out, _ = begun.communicate(timeout=20)
    why = "no new connection came within 1 seconds" if mark == "reached" else "nobody said within 1 seconds"
    assert f"end restored {why}" in out.decode()
    assert fresh.state(*LOOKED_AT) == before
    assert fresh.sh("grep -c 'restart smtpd' /var/say/ran") == "2\n"
    assert fresh.apply("keep", "1").end == "end refused run 1 is over"


def test_it_is_cancelled(fresh: Host) -> None:
    before = fresh.state(*LOOKED_AT)
    begun = fresh.start("run", plan=plan(*PLAN))
    until(fresh, 1, "waiting reached")
    assert fresh.apply("cancel", "1").end == "end cancel"
    out, _ = begun.communicate(timeout=20)
    assert out.decode().endswith("end restored it was cancelled\n")
    assert fresh.state(*LOOKED_AT) == before


def test_who_asked_for_it_goes_away_and_it_goes_on(fresh: Host) -> None:
    begun = fresh.start("run", plan=plan(*PLAN))
    until(fresh, 1, "waiting reached")
    os.killpg(begun.pid, signal.SIGKILL)
    begun.communicate()
    assert "open busy" in fresh.apply("history")
    with nodding(fresh):
        settled(fresh)
    assert "end kept" in fresh.apply("history")


def test_an_unfinished_run_stands_in_the_way_of_the_next(fresh: Host) -> None:
    before = fresh.state(*LOOKED_AT)
    cut(fresh, 1)
    assert fresh.state(*LOOKED_AT) != before
    assert fresh.apply("run", plan=plan(*PLAN)).end == "end refused run 1 was cut off; roll it back first: rollback 1"
    assert "open cut-off" in fresh.apply("history")
    assert fresh.apply("rollback").end == "end restored it was cut off"
    assert fresh.state(*LOOKED_AT) == before


def test_an_old_run_of_another_version_stands_in_nobodys_way(fresh: Host) -> None:
    before = fresh.state(*LOOKED_AT)
    with nodding(fresh):
        assert fresh.apply("run", plan=plan(*PLAN)).end == "end kept"
        assert fresh.apply("rollback").end == "end restored rolled back"
        fresh.sh("echo mailaudit 0 > /var/mailaudit/runs/1/plan")
        assert fresh.apply("run", plan=plan(*PLAN)).end == "end kept"
    assert fresh.apply("rollback", "2").end == "end restored rolled back"
    assert fresh.state(*LOOKED_AT) == before


def test_what_was_changed_since_a_run_is_not_rolled_back(fresh: Host) -> None:
    with nodding(fresh):
        fresh.apply("run", plan=plan(*PLAN))
    fresh.sh("echo more >> /etc/pf.conf")
    before = fresh.state(*LOOKED_AT)
    assert fresh.apply("rollback").end == "end refused /etc/pf.conf was changed since run 1; nothing was rolled back"
    assert fresh.state(*LOOKED_AT) == before


RC = "/etc/rc.conf.local"
RCCTL = 'if [ "$1" = enable ]; then echo "$2_flags=" >> /etc/rc.conf.local; fi'
ENABLE = "run rcctl enable ntpd"


@pytest.mark.parametrize("steps", [(ENABLE,), (file(RC, "new\n", "old\n"), ENABLE)])
def test_what_rcctl_edited_is_rolled_back_unless_somebody_edited_it_since(fresh: Host, steps: tuple[bytes | str, ...]) -> None:
    fresh.put({RC: "old\n", "/var/say/rcctl": RCCTL})
    with nodding(fresh):
        assert fresh.apply("run", plan=plan(*steps)).end == "end kept"
    ran = fresh.sh(f"cat {RC}")
    assert ran.endswith("ntpd_flags=\n")
    fresh.put({RC: f"{ran}theirs=\n"})
    assert fresh.apply("rollback").end == f"end refused {RC} was changed since run 1; nothing was rolled back"
    assert fresh.sh(f"cat {RC}") == f"{ran}theirs=\n"
    fresh.put({RC: ran})
    assert fresh.apply("rollback").end == "end restored rolled back"
    assert fresh.sh(f"cat {RC}") == "old\n"


@pytest.mark.parametrize("number", ["1234567", "2x", "-1", "last"])
def test_a_number_that_is_none_does_not_roll_back_the_last_run(fresh: Host, number: str) -> None:
    with nodding(fresh):
        fresh.apply("run", plan=plan(*PLAN))
    before = fresh.state(*LOOKED_AT)
    assert fresh.apply("rollback", number).end == f"end refused {number} is no number of a run"
    assert fresh.state(*LOOKED_AT) == before


def test_pf_is_loaded_under_a_timer_before_anything_is_written(fresh: Host) -> None:
    """The stand-in pfctl notes which file it loaded: the copy first; without a new connection, the old one again."""
    fresh.put({"/var/say/pfctl": 'if [ "$1" = -f ]; then echo "$(cat $2)" >> /var/say/loaded; fi'})
    before = fresh.state(*LOOKED_AT)
    done = fresh.apply("run", plan=plan("trial", *PLAN, wait="wait 1 1"))
    assert done.end == "end restored no new connection came within 1 seconds"
    assert fresh.sh("cat /var/say/loaded") == "pass\nblock\n"
    assert fresh.state(*LOOKED_AT) == before
    with nodding(fresh):
        assert fresh.apply("run", plan=plan("trial", *PLAN)).end == "end kept"
    assert fresh.sh("cat /var/say/loaded") == "pass\nblock\npass\npass\n"


def test_pf_is_restored_though_the_worker_is_killed(fresh: Host) -> None:
    fresh.put({"/var/say/pfctl": 'if [ "$1" = -f ]; then echo "$(cat $2)" >> /var/say/loaded; fi'})
    begun = fresh.start("run", plan=plan("trial", *PLAN))
    until(fresh, 1, "waiting reached")
    fresh.sh(KILL.replace("pgrep", "pgrep -n"))
    out, _ = begun.communicate(timeout=20)
    assert out.decode().endswith("end restored it ended before its time\n")
    assert fresh.sh("cat /var/say/loaded") == "pass\nblock\n"


HOSTILE: dict[str, bytes | str] = {
    "above": "file - 0644 1 /etc/mail/../passwd\nx",
    "passwd": "file - 0644 1 /etc/passwd\nx",
    "elsewhere": "file - 0644 1 /usr/bin/x\nx",
    "itself": "file - 0644 1 /usr/local/libexec/mailaudit-apply\nx",
    "state": "mode 0777 = = /var/mailaudit",
    "shadow": "mode 0644 = = /etc/master.passwd",
    "open": "mode 0666 = = /etc/mail/aliases",
    "setuid": "mode 4755 = = /etc/mail/aliases",
    "nobody": "mode 0644 no_such_user_here = /etc/mail/aliases",
    "shell": "run sh -c 'touch /etc/owned'",
    "substitution": "run rcctl restart $(touch /etc/owned)",
    "semicolon": "run rcctl restart smtpd;touch /etc/owned",
    "newline": "run newaliases\nrun sh",
    "path": "run sievec /etc/passwd",
    "option": "run sievec -x /etc/mail/x.sieve",
    "characters": "file - 0644 1 /etc/mail/a b\nx",
    "escape": b"by \x1b[2J",
    "twice": "remove 0000000000000000000000000000000000000000000000000000000000000000 /etc/pf.conf",
    "short": "file - 0644 100 /etc/mail/x\nx",
    "words": "please",
}


@pytest.mark.parametrize("what", HOSTILE)
def test_a_plan_that_asks_for_anything_else_is_refused_whole(fresh: Host, what: str) -> None:
    before = fresh.state(*LOOKED_AT, "/etc/passwd")
    done = fresh.apply("run", plan=plan(PLAN[0], HOSTILE[what]))
    assert done.end.startswith("end refused "), done.lines
    assert len(done.lines) == 1
    assert fresh.state(*LOOKED_AT, "/etc/passwd") == before
    assert fresh.sh("ls /var/mailaudit/runs; ls /etc/owned 2>/dev/null || true") == ""


@pytest.mark.parametrize(
    "make", [lambda whole: whole[: len(whole) // 2], lambda whole: whole[:-4], lambda _: b"", lambda whole: whole + b"x"]
)
def test_a_plan_that_was_cut_off_is_refused(fresh: Host, make: Callable[[bytes], bytes]) -> None:
    assert fresh.apply("run", plan=make(plan(*PLAN))).end == "end refused the plan was cut off"


def test_the_environment_is_not_heeded(fresh: Host) -> None:
    fresh.sh("mkdir -p /var/evil; printf '#!/bin/sh\\ntouch /etc/owned\\n' > /var/evil/pfctl; chmod 755 /var/evil/pfctl")
    script = f"PATH=/var/evil:$PATH ENV=/var/evil/pfctl BASH_ENV=/var/evil/pfctl DOAS_USER='$(x)' perl -T {APPLIER} history"
    assert fresh.sh(script) == "end history\n"
    assert fresh.sh("ls /etc/owned 2>/dev/null || true") == ""


def test_a_daemon_that_it_starts_keeps_nothing_of_the_connection(fresh: Host) -> None:
    """OpenBSD's csh hands on its own copies of what it was given; a daemon that held them would hold the connection open."""
    fresh.sh("echo 'sleep 30 </dev/null >/dev/null 2>&1 &' > /var/say/rcctl")
    process = fresh.popen("sh", "-c", f"exec 5>&1; exec perl -T {APPLIER} run")
    with nodding(fresh):
        out, _ = process.communicate(plan(*PLAN), timeout=20)
    assert b"end kept" in out


def test_a_state_directory_that_is_not_roots_alone_is_not_used(fresh: Host) -> None:
    fresh.sh("mkdir -p /var/mailaudit; chmod 755 /var/mailaudit")
    assert fresh.apply("history").end == "end refused /var/mailaudit is not a directory of root's alone"
    fresh.sh("rm -r /var/mailaudit; ln -s /etc/mail /var/mailaudit")
    assert fresh.apply("history").end == "end refused /var/mailaudit is not a directory of root's alone"
    fresh.sh("rm /var/mailaudit")


def test_a_directory_that_waits_under_the_name_beside(fresh: Host) -> None:
    """What somebody left where the new content would go is not overwritten."""
    fresh.sh("echo mine > /etc/redis/.mailaudit-1-new-redis.conf")
    done = fresh.apply("run", plan=plan(*PLAN))
    assert done.end.startswith("end restored /etc/redis/.mailaudit-1-new-redis.conf cannot be written: File exists")


def test_perl_finds_nothing_to_complain_of() -> None:
    done = subprocess.run(["perl", "-cwT", str(APPLIER)], capture_output=True, text=True, check=False)
    assert done.stderr == f"{APPLIER} syntax OK\n"
