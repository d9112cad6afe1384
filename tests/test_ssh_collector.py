"""The collector script under this machine's own sh: what it says of files, keys and commands, and what never leaves the host."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from mailaudit.collect.ssh import asking
from mailaudit.collect.ssh.answering import answers
from mailaudit.collect.ssh.asking import BECOMES, numbered, refusal
from mailaudit.collect.ssh.commands import COMMANDS, doas_line, holds_passwords, is_readable
from mailaudit.collect.ssh.output import Asked, Said, read_output, stat_of
from mailaudit.models.passwords import password_of
from mailaudit.questions import (
    Absent,
    Answer,
    Command,
    CommandOutput,
    Failed,
    Found,
    KeyFacts,
    ListFiles,
    PublicKey,
    Question,
    ReadFile,
    Reason,
    RunCommand,
    Stat,
    StatFile,
)

pytestmark = pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed")

MARK = "5f1d"
BCRYPT = "$2b$10$Eb.SjpdrLArwcsRaj0dTcuo9TlmbupjYdABklB/Du.LkZJXDpDx.O"
SHELLS = [each for each in (["sh"], ["bash", "--posix"], ["mksh"], ["ksh93"], ["busybox", "ash"]) if shutil.which(each[0])]


def script(numbered: dict[int, Question], become: str, key: str, mark: str, known: Asked | None = None) -> bytes:
    """What a shell that is told of one wave is told in all."""
    return asking.collector(become, key, known) + asking.wave(numbered, mark)


def run(wave: list[Question], shell: tuple[str, ...] = ("sh",), key: str = "key") -> tuple[list[Answer], bytes]:
    parts = numbered(wave)
    done = subprocess.run([*shell], input=script(parts, "none", key, MARK), capture_output=True, check=False)
    assert done.stderr == b""
    asked = read_output(done.stdout, MARK)
    assert asked.finished
    found = {question: answers(question, asked, number)[question] for number, question in parts.items()}
    return [found[question] for question in wave], done.stdout


def answered(words: bytes) -> Asked:
    return read_output(subprocess.run(["sh"], input=words, capture_output=True, check=True).stdout, MARK)


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that others may enter; pytest's own are closed to them."""
    with tempfile.TemporaryDirectory() as made:
        Path(made).chmod(0o755)
        yield Path(made)


@pytest.mark.parametrize("shell", SHELLS, ids=lambda shell: shell[0])
def test_files_come_byte_by_byte(tmp_path: Path, shell: list[str]) -> None:
    contents = [b"", b"no newline", b"one\n\n", bytes(range(256)), b"\n@ 1 done 0 -\n@M 1 out 0 -\n", b"x\r\n" * 5000, b"y"]
    names = ["plain.sh", "a b.sh", "it's.sh", '$(id)`id`"$NL.sh', "-n.sh", "glob*[x]\\n.sh", "new\nline.sh"]
    for name, content in zip(names, contents, strict=True):
        (tmp_path / name).write_bytes(content)
    found, _ = run([ReadFile(str(tmp_path / name)) for name in names], tuple(shell))
    assert found == [Found(content) for content in contents]


@pytest.mark.parametrize("shell", SHELLS, ids=lambda shell: shell[0])
def test_files_that_are_asked_for_one_by_one_come_byte_by_byte(tmp_path: Path, shell: list[str]) -> None:
    """The shell holds what it can; a byte that it cannot hold, a long file or a key is asked for as it was before."""
    odd = bytes(range(1, 256)) * 9 + b"\n\n"
    contents = [
        b"",
        b"\n",
        odd,
        b"a\0b",
        odd * 40,
        f"a {BCRYPT}\n{BCRYPT}".encode(),
        b"$1 costs $$ 5\r\n",
        b"-n",
        b"no PRIVATE KEY\n",
    ]
    for number, content in enumerate(contents):
        (tmp_path / f"of{number}").write_bytes(content)
        (tmp_path / f"{number}.sh").symlink_to(f"of{number}")
    found, said = run([ReadFile(f"{tmp_path}/{number}.sh") for number in range(len(contents))], tuple(shell))
    masked = found.pop(5)
    contents.pop(5)
    assert found == [Found(content) for content in contents]
    assert isinstance(masked, Found)
    assert isinstance(masked.value, bytes)
    assert masked.value.count(b"{{masked:bcrypt-") == 2
    assert BCRYPT.encode() not in said


@pytest.mark.parametrize("shell", SHELLS, ids=lambda shell: shell[0])
def test_a_shell_answers_wave_after_wave_as_they_come(tmp_path: Path, shell: list[str]) -> None:
    """Each in full before the next is there; nothing of one is left in the next, and no command sees the shell's input."""
    (tmp_path / "a.sh").write_text("first")
    (tmp_path / "credentials").write_text("u:canary-password\n")
    waves: list[list[Question]] = [
        [ReadFile(f"{tmp_path}/a.sh"), ReadFile(f"{tmp_path}/credentials"), ListFiles(f"{tmp_path}/*.sh")],
        [RunCommand(Command.UNAME), ReadFile(f"{tmp_path}/none.sh")],
        [ReadFile(f"{tmp_path}/a.sh"), StatFile(f"{tmp_path}/none.sh")],
    ]
    found = []
    with subprocess.Popen(shell, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(asking.collector("none", "key"))
        for number, wave in enumerate(waves):
            parts, mark = numbered(wave), f"{MARK}{number}"
            process.stdin.write(asking.wave(parts, mark))
            said = b""
            while not said.endswith(asking.last_words(mark)):
                chunk = process.stdout.read(65536)
                assert chunk
                said += chunk
            asked = read_output(said, mark)
            assert asked.finished
            assert asked.user
            found += [answers(question, asked, at)[question] for at, question in parts.items()]
            (tmp_path / "a.sh").write_text("then another")
        process.stdin.close()
        assert process.wait(10) == 0
        assert process.stderr is not None
        assert process.stderr.read() == b""
    files = [each.value for each in found if isinstance(each, Found) and isinstance(each.value, bytes)]
    assert b"first" in files
    assert b"then another" in files
    assert not any(b"canary" in each for each in files)
    assert found.count(Absent()) == 2
    assert sum(isinstance(each, Found) and isinstance(each.value, CommandOutput) for each in found) == 1


@pytest.mark.parametrize("shell", SHELLS, ids=lambda shell: shell[0])
def test_no_wave_leaves_anything_to_the_next(tmp_path: Path, shell: list[str]) -> None:
    """Whatever was asked before, in whatever order: a shell that stays says what a new one says."""
    contents = {"a.sh": b"a\n", "nul.sh": b"a\0b", "hash.sh": f"x={BCRYPT}\n".encode(), "credentials": b"u:canary-password\n"}
    contents |= {"key.sh": b"-----BEGIN RSA PRIVATE KEY-----\n", "big.sh": b"z" * 70_000, "new\nline.sh": b"n", "empty.sh": b""}
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
    (tmp_path / "link.sh").symlink_to("credentials")
    paths = [f"{tmp_path}/{name}" for name in (*contents, "link.sh", "none.sh", "a.sh/below.sh")]
    asked: list[Question] = [*map(ReadFile, paths), *map(StatFile, paths), PublicKey(paths[0])]
    asked += [ListFiles(f"{tmp_path}/{each}") for each in ("*.sh", "none/*", "a.sh/*")]
    asked += [RunCommand(Command.UNAME), RunCommand(Command.PFCTL_INFO)]
    parts = [numbered(wave) for wave in (asked[::-3], asked[::-1], asked)]
    words = asking.collector("none", "key") + b"".join(asking.wave(part, f"{MARK}{at}") for at, part in enumerate(parts))
    said = subprocess.run(shell, input=words, capture_output=True, check=True).stdout
    fresh = dict(zip(asked, run(asked, tuple(shell), "key")[0], strict=True))
    for at, part in enumerate(parts):
        mine = said.partition(asking.last_words(f"{MARK}{at - 1}"))[2] if at else said
        output = read_output(mine.partition(f"\n@{MARK}{at + 1} ".encode())[0], f"{MARK}{at}")
        assert output.finished
        assert {each: answers(each, output, number)[each] for number, each in part.items()} == {
            each: fresh[each] for each in part.values()
        }


def test_who_asks_is_found_out_once(tmp_path: Path) -> None:
    (tmp_path / "a.sh").write_text("x")
    wave: list[Question] = [ReadFile(f"{tmp_path}/a.sh")]
    first = answered(script(numbered(wave), "none", "k", MARK))
    assert first.user
    assert first.flavour == "gnu"
    again = answered(script(numbered(wave), "none", "k", MARK, replace(first, user="it's somebody")))
    assert again == replace(first, user="it's somebody")


def test_metadata_and_what_is_not_there(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("1234")
    (tmp_path / "file").chmod(0o4640)
    (tmp_path / "link").symlink_to("some where\n@ 9 done 0 -")
    os.mkfifo(tmp_path / "fifo.sh")
    found, _ = run(
        [
            StatFile(f"{tmp_path}/file"),
            StatFile(f"{tmp_path}/link"),
            StatFile(f"{tmp_path}/none"),
            StatFile(f"{tmp_path}/file/below"),
            ReadFile(f"{tmp_path}/fifo.sh"),
            ReadFile(f"{tmp_path}/none.sh"),
        ]
    )
    stat, link, none, below, fifo, unread = found
    assert isinstance(stat, Found)
    assert isinstance(stat.value, Stat)
    assert (stat.value.type, stat.value.mode, stat.value.size) == ("file", 0o4640, 4)
    assert isinstance(link, Found)
    assert isinstance(link.value, Stat)
    assert (link.value.type, link.value.target) == ("symlink", "some where\n@ 9 done 0 -")
    assert [none, below, unread] == [Absent(), Absent(), Absent()]
    assert fifo == Failed(Reason.UNREADABLE, f"{tmp_path}/fifo.sh is a fifo; mailaudit reads regular files only")


def test_globs_list_what_matches_and_nothing_else(tmp_path: Path) -> None:
    for name in ("a.conf", "b c.conf", ".hidden.conf", "d.txt", "sub/e.conf", "$(touch pwned).conf"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("")
    wave: list[Question] = [ListFiles(f"{tmp_path}/{each}") for each in ("*.conf", "*/*.conf", "x*", "none/*")]
    found, _ = run(wave)
    names = [f"{tmp_path}/{each}" for each in ("$(touch pwned).conf", "a.conf", "b c.conf")]
    assert found == [Found(tuple(names)), Found((f"{tmp_path}/sub/e.conf",)), Found(()), Found(())]


def test_password_hashes_leave_the_host_as_scheme_length_and_digest_only(tmp_path: Path) -> None:
    canaries = [BCRYPT, "{BLF-CRYPT}" + BCRYPT, "canary-plain-pass:word", "$6$canarysalt$canarycanarycanary", "canary123abcd"]
    lines = [f"u{number}@example.com:{each}" for number, each in enumerate(canaries)]
    lines += [
        "full:canary-short:1000:1000::/home/full:/bin/ksh",
        "# comment: kept",
        "locked:*************:1:1::/:/x",
        "none::1:1::/:/x",
    ]
    (tmp_path / "credentials").write_text("\n".join(lines))
    (tmp_path / "other.sh").write_text(f"pass='{BCRYPT}' # $1$HOME stays\n")
    (tmp_path / "alias.sh").symlink_to("credentials")
    assert holds_passwords(f"{tmp_path}/credentials")
    found, said = run([ReadFile(f"{tmp_path}/{name}") for name in ("credentials", "other.sh", "alias.sh")])
    texts = [each.value.decode() for each in found if isinstance(each, Found) and isinstance(each.value, bytes)]
    for canary in ("canary", BCRYPT[7:]):
        assert canary not in "".join(texts)
        assert canary.encode() not in said
    first = texts[0].split("\n")
    digest = hashlib.sha256(f"key:{BCRYPT}:key".encode()).hexdigest()[:16]
    assert first[0] == f"u0@example.com:{{{{masked:bcrypt-{BCRYPT[4:6]}:60:{digest}}}}}"
    for line, canary in zip(first, canaries, strict=False):
        masked, whole = password_of(line.partition(":")[2]), password_of(canary)
        assert (masked, masked.cost) == (whole, whole.cost)
    assert first[5].endswith(":1000:1000::/home/full:/bin/ksh")
    assert first[6:] == lines[6:]
    assert texts[1] == f"pass='{{{{masked:bcrypt-{BCRYPT[4:6]}:60:{digest}}}}}' # $1$HOME stays\n"
    assert texts[2] == texts[0]


def test_private_keys_are_never_read_their_public_half_is(tmp_path: Path) -> None:
    key = tmp_path / "mail.key"
    subprocess.run(["openssl", "genrsa", "-out", str(key), "2048"], check=True, capture_output=True)
    public = subprocess.run(["openssl", "pkey", "-in", str(key), "-pubout", "-outform", "DER"], check=True, capture_output=True)
    (tmp_path / "both.pem").write_bytes(b"x\n" + key.read_bytes())
    (tmp_path / "hollow.key").write_text("nothing of a key\n")
    names = ("mail.key", "hollow.key", "none.key")
    found, said = run([ReadFile(f"{tmp_path}/both.pem"), *(PublicKey(f"{tmp_path}/{each}") for each in names)])
    assert found[0] == Failed(Reason.UNREADABLE, f"{tmp_path}/both.pem holds a private key, which mailaudit never reads")
    assert found[1] == Found(KeyFacts("rsa", 2048, f"sha256:{hashlib.sha256(public.stdout).hexdigest()}"))
    assert isinstance(found[2], Failed)
    assert found[3] == Absent()
    secret = key.read_text().splitlines()[5][:40]
    assert secret.encode() not in said
    assert not is_readable("/etc/ssl/private/mail.example.com.key")
    assert isinstance(refusal(ReadFile("/etc/ssh/ssh_host_rsa_key")), Failed)


def test_commands_are_those_of_the_list_with_their_status(tmp_path: Path) -> None:
    found, _ = run([RunCommand(Command.UNAME), RunCommand(Command.PFCTL_INFO)])
    assert isinstance(found[0], Found)
    assert isinstance(found[0].value, CommandOutput)
    assert found[0].value.status == 0
    assert found[0].value.stdout.startswith(f"{os.uname().sysname} ")
    assert found[1] == Absent() or shutil.which("pfctl")
    assert set(COMMANDS) == set(Command)
    assert all(each.words[0].startswith("/") for each in COMMANDS.values())
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be somebody else")
def test_what_may_not_be_read_names_the_line_of_doas_conf(open_folder: Path) -> None:
    tmp_path = open_folder
    (tmp_path / "closed.sh").write_text("x")
    (tmp_path / "closed.sh").chmod(0o600)
    (tmp_path / "shut").mkdir(mode=0o700)
    found, _ = run(
        [
            ReadFile(f"{tmp_path}/closed.sh"),
            StatFile(f"{tmp_path}/shut/x"),
            ListFiles(f"{tmp_path}/shut/*"),
            PublicKey(f"{tmp_path}/closed.sh"),
        ],
        ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "sh"),
    )
    details = [each.detail for each in found if isinstance(each, Failed) and each.reason is Reason.UNREADABLE]
    assert details[0].endswith(f"allow it: permit nopass nobody as root cmd /bin/cat args {tmp_path}/closed.sh")
    assert f"cmd /usr/bin/stat args -f %p:%Su:%Sg:%z:%m:%Y -- {tmp_path}/shut/x" in details[1]
    assert f"cmd /bin/ls args -1a {tmp_path}/shut" in details[2]
    said, _, line = details[3].partition("; this line of doas.conf would allow it: permit nopass nobody as root cmd ")
    assert (said, line.split()[0]) == (f"public half of {tmp_path}/closed.sh: permission denied", "/usr/bin/openssl")


def test_what_sudo_was_not_there_to_run_is_not_told_of_the_host() -> None:
    """A command that nobody ran says nothing: no crontab, a configuration that is refused."""
    missing = (Said("out", 0, become=True, data=b""), Said("end", 127, become=True, data=b"/bin/sh: 122: sudo: not found\n"))
    wave: list[Question] = [RunCommand(Command.CRONTAB_ROOT), RunCommand(Command.RSPAMADM_CONFIGTEST)]
    for means, allows in (
        ("sudo -n", "this line of sudoers would allow it: audit ALL=(root) NOPASSWD: /usr/"),
        ("doas -n", "this line of doas.conf would allow it: permit"),
    ):
        for question in wave:
            found = answers(question, Asked("audit", means, "OpenBSD", "bsd", said={1: missing}), 1)[question]
            assert isinstance(found, Failed)
            assert found.reason is Reason.UNREADABLE
            assert "sudo: not found" in found.detail
            assert allows in found.detail


def test_output_that_breaks_off_is_a_timeout_not_an_absence(tmp_path: Path) -> None:
    (tmp_path / "a.sh").write_text("aaaa" * 4000)
    wave: list[Question] = [ReadFile(f"{tmp_path}/a.sh"), StatFile(f"{tmp_path}/none")]
    parts = numbered(wave)
    whole = subprocess.run(["sh"], input=script(parts, "none", "k", MARK), capture_output=True, check=True).stdout
    for end in (0, 30, len(whole) // 2):
        asked = read_output(whole[:end], MARK)
        assert not asked.finished
        for number, question in parts.items():
            answer = answers(question, asked, number)[question]
            assert isinstance(answer, Failed)
            assert answer.reason is Reason.TIMEOUT
    assert read_output(
        b"\xff\x00@ x\n@M x\n@M 1 out 0\n@M 1 out 0 -\nzz\n@M 0 whole 0 -\n1:9 x\n@M 0 same 0 -\n\n@M 0 done 0 -\n", "M"
    ).finished


def test_a_script_cut_off_on_its_way_runs_nothing(tmp_path: Path) -> None:
    whole = script(numbered([StatFile(str(tmp_path))]), "none", "k", MARK)
    done = subprocess.run(["sh"], input=whole[:-40], capture_output=True, check=False)
    assert done.stdout == b""


def test_metadata_of_openbsd() -> None:
    assert stat_of("100440:_smtpd:_dovecot:213:1763625600:") == Stat(
        "file", 0o440, "_smtpd", "_dovecot", 213, "2025-11-20T08:00:00Z", None
    )
    assert stat_of("40755:root:wheel:512:1763625600:") == Stat("directory", 0o755, "root", "wheel", 512, "2025-11-20T08:00:00Z")
    link = stat_of("120755:root:wheel:4:1763625600:mail/aliases")
    assert link is not None
    assert (link.type, link.target) == ("symlink", "mail/aliases")
    assert stat_of("sorry") is None
    assert [stat_of(f"{mode}:root:wheel:4:1:") for mode in ("1abcd", "7", "8" * 6, "7" * 7)] == [None] * 4
    assert stat_of(f"100440:root:wheel:{'4' * 5000}:1:") is None
    for time in ("99999999999999", "-99999999999999999999", "253402300800"):
        assert stat_of(f"100440:root:wheel:4:{time}:") == Stat("file", 0o440, "root", "wheel", 4, None)


def test_lines_of_doas_conf_quote_what_needs_it() -> None:
    assert doas_line("audit", "/bin/cat", "/etc/pf.conf") == "permit nopass audit as root cmd /bin/cat args /etc/pf.conf"
    assert doas_line("audit", "/bin/cat", '/a "b"') == 'permit nopass audit as root cmd /bin/cat args "/a \\"b\\""'


@pytest.mark.parametrize(
    "path", ["etc/x", "/etc/../root/x", "/etc/x\0y", "/home/u/diary", "/etc/ssl/private/x.pem", "/etc/spwd.db"]
)
def test_no_other_file_is_asked_for(path: str) -> None:
    assert isinstance(refusal(ReadFile(path)), Failed)
    assert BECOMES == ("none", "doas", "sudo", "auto")


def test_many_files_at_once_and_the_odd_ones_among_them(tmp_path: Path) -> None:
    plain = [tmp_path / f"{number}.sh" for number in range(250)]
    for number, path in enumerate(plain):
        path.write_bytes(b"%d\n@" % number * (number % 7))
    (tmp_path / "key.sh").write_text("-----BEGIN RSA PRIVATE KEY-----\n")
    (tmp_path / "hash.sh").write_text(f"x={BCRYPT}\n")
    (tmp_path / "link.sh").symlink_to("1.sh")
    names = ("key.sh", "none.sh", "hash.sh", "link.sh", "1.sh/below.sh")
    wave: list[Question] = [*(ReadFile(str(path)) for path in plain[:120]), *(ReadFile(f"{tmp_path}/{name}") for name in names)]
    wave += [*(ReadFile(str(path)) for path in plain[120:]), *(StatFile(str(path)) for path in plain)]
    found, said = run(wave)
    by_question = dict(zip(wave, found, strict=True))
    assert [by_question[ReadFile(str(path))] for path in plain] == [Found(path.read_bytes()) for path in plain]
    assert all(isinstance(by_question[StatFile(str(path))], Found) for path in plain)
    key, none, hashed, link, below = (by_question[ReadFile(f"{tmp_path}/{name}")] for name in names)
    assert isinstance(key, Failed)
    assert (none, below, link) == (Absent(), Absent(), Found(plain[1].read_bytes()))
    assert isinstance(hashed, Found)
    assert BCRYPT.encode() not in said


def test_files_that_change_while_they_are_read_are_read_again(tmp_path: Path) -> None:
    """The first reading of all is dropped, the second is whole."""
    (tmp_path / "a.sh").write_text("old")
    (tmp_path / "b.sh").write_text("other")
    wave: list[Question] = [ReadFile(f"{tmp_path}/a.sh"), ReadFile(f"{tmp_path}/b.sh")]
    parts = numbered(wave)
    whole = script(parts, "none", "k", MARK)
    assert whole.count(b'eval "/bin/cat $words"') == 1
    grown = f"printf newer >> {tmp_path}/a.sh; ".encode()
    done = subprocess.run(
        ["sh"], input=whole.replace(b'eval "/bin/cat $words"', grown + b'eval "/bin/cat $words"'), capture_output=True, check=True
    )
    asked = read_output(done.stdout, MARK)
    found = [answers(question, asked, number)[question] for number, question in parts.items()]
    assert found == [Found(b"oldnewer"), Found(b"other")]


def test_a_file_that_goes_between_two_looks_is_neither_there_nor_missing(tmp_path: Path) -> None:
    (tmp_path / "a.sh").write_text("x")
    wave: list[Question] = [ReadFile(f"{tmp_path}/a.sh")]
    whole = script(numbered(wave), "none", "k", MARK)
    gone = whole.replace(b"plain_() {", f"plain_() {{ rm -f {tmp_path}/a.sh;".encode())
    done = subprocess.run(["sh"], input=gone, capture_output=True, check=True)
    assert answers(wave[0], read_output(done.stdout, MARK), 1)[wave[0]] == Absent()  # looked at again, it is gone
    later = whole.replace(b"	for try in 1 2; do", f"	rm -f {tmp_path}/a.sh; for try in 1 2; do".encode())
    (tmp_path / "a.sh").write_text(BCRYPT)
    done = subprocess.run(["sh"], input=later, capture_output=True, check=True)
    why = f"{tmp_path}/a.sh was there, and gone when it was to be read"
    assert answers(wave[0], read_output(done.stdout, MARK), 1)[wave[0]] == Failed(Reason.UNREADABLE, why)
