"""The folder world: what it reads, what it refuses by name, and what the silence of a root means."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from mailaudit.collect import folder
from mailaudit.collect.directory import MAX_LINKS, RefusedError, components, glob
from mailaudit.collect.folder import FolderDirectory, FolderWorld
from mailaudit.collect.root import Metadata, RootWorld
from mailaudit.collect.world import World
from mailaudit.questions import (
    Absent,
    Answer,
    Command,
    CommandOutput,
    Failed,
    Found,
    ListFiles,
    LookUp,
    ReadFile,
    Reason,
    RunCommand,
    Stat,
    StatFile,
)
from mailaudit.settings import SettingsError


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "host7"
    write(folder, "/etc/pf.conf", "pass\n")
    write(folder, "/etc/mail/smtpd.conf", "listen on all\n")
    return folder


def write(root: Path, path: str, content: str | bytes) -> Path:
    file = root / path.lstrip("/")
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    return file


def read(root: Path, path: str) -> Answer:
    return FolderWorld(root).answer(ReadFile(path))


def refusal(answer: Answer) -> str:
    assert isinstance(answer, Failed)
    assert answer.reason is Reason.UNREADABLE
    return answer.detail


def test_a_time_that_no_calendar_has_is_none(tmp_path: Path) -> None:
    """Somebody's clock was wrong; tmpfs and ZFS keep such times, other file systems what they can of them."""
    (tmp_path / "a").touch()
    os.utime(tmp_path / "a", (10**14, 10**14))
    stat = FolderDirectory.at(tmp_path).look("a")
    assert stat is not None
    assert (stat.mtime is None) == ((tmp_path / "a").stat().st_mtime == 10**14)


def test_it_is_a_world(root: Path) -> None:
    world: World = FolderWorld(root)
    assert (world.host, world.target, world.recorded, world.online, world.taken) == ("host7", str(root), False, False, None)
    file, dns, command = ReadFile("/etc/pf.conf"), LookUp("example.com.", "MX"), RunCommand(Command.UNAME)
    assert world.ask([file, dns, command]) == {
        file: Found(b"pass\n"),
        dns: Failed(Reason.OFFLINE, "the network was not asked"),
        command: Failed(Reason.NOT_RECORDED, "uname was not recorded"),
    }
    assert FolderWorld(root, online=True).answer(dns) == Failed(Reason.NOT_RECORDED, "example.com. MX was not recorded")


@pytest.mark.parametrize(
    ("myname", "name"),
    [
        (b"mx.example.com\nsecond line\n", "mx.example.com"),
        (b"  mx.example.com  ", "mx.example.com"),
        (b"", "host7"),
        (b"\n", "host7"),
        (b"mx\x1b[31m.example.com\n", "host7"),
        (b"\xff\xfe\n", "host7"),
    ],
)
def test_a_host_is_named_by_its_own_file(root: Path, myname: bytes, name: str) -> None:
    write(root, "/etc/myname", myname)
    assert FolderWorld(root).host == name


class TestAbsence:
    """What it means in a root without a record that a path is not there (contract, section 3)."""

    @pytest.mark.parametrize("path", ["/etc/httpd.conf", "/etc/mail/credentials", "/etc/mail/mailname", "/etc/services"])
    def test_configuration_is_absent(self, root: Path, path: str) -> None:
        assert read(root, path) == Absent()
        assert FolderWorld(root).answer(StatFile(path)) == Absent()

    @pytest.mark.parametrize(
        "path",
        [
            "/usr/local/libexec/smtpd/filter-rspamd",
            "/etc/ssl/private/mail.example.com.key",
            "/etc/mail/dkim/example.com.key",
            "/etc/ssl/mail.example.com.fullchain.pem",
            "/etc/passwd",
            "/etc/mail/aliases.db",
            "/var/vmail",
            "/usr/local/lib/dovecot/sieve/report-spam.sieve",
        ],
    )
    def test_what_a_host_makes_for_itself_was_not_recorded(self, root: Path, path: str) -> None:
        for question in (ReadFile(path), StatFile(path)):
            answer = FolderWorld(root).answer(question)
            assert isinstance(answer, Failed)
            assert answer.reason is Reason.NOT_RECORDED
            assert path in answer.detail

    def test_a_directory_that_the_repository_keeps_tells_what_is_not_in_it(self, root: Path) -> None:
        write(root, "/usr/local/lib/dovecot/sieve/report-ham.sieve", "")
        assert read(root, "/usr/local/lib/dovecot/sieve/report-spam.sieve") == Absent()
        write(root, "/usr/local/bin/own-script", "")
        assert isinstance(read(root, "/usr/local/bin/dovecot"), Failed)

    def test_a_file_where_a_directory_should_be(self, root: Path) -> None:
        assert read(root, "/etc/pf.conf/anchors") == Absent()

    def test_a_checkout_tells_type_and_size_but_neither_mode_nor_owner(self, root: Path) -> None:
        world = FolderWorld(root)
        assert world.answer(StatFile("/etc/pf.conf")) == Found(Stat("file", size=5))
        seen = world.answer(StatFile("/etc/mail"))
        assert isinstance(seen, Found)
        assert isinstance(seen.value, Stat)
        assert (seen.value.type, seen.value.mode, seen.value.owner, seen.value.mtime) == ("directory", None, None, None)

    def test_this_machine_tells_all(self, root: Path) -> None:
        world = FolderWorld(root)
        world.metadata = Metadata.OWN
        (root / "etc/pf.conf").chmod(0o640)
        answer = world.answer(StatFile("/etc/pf.conf"))
        assert isinstance(answer, Found)
        assert isinstance(answer.value, Stat)
        assert answer.value.mode == 0o640
        assert answer.value.owner
        assert answer.value.mtime is not None
        assert answer.value.mtime.endswith("Z")
        assert world.answer(ReadFile("/usr/local/libexec/smtpd/filter-rspamd")) == Absent()
        assert world.answer(ListFiles("/usr/local/lib/*")) == Found(())
        assert FolderWorld(Path("/")).metadata is Metadata.OWN

    def test_globs(self, root: Path) -> None:
        world = FolderWorld(root)
        assert world.answer(ListFiles("/etc/dovecot/conf.d/*.conf")) == Found(())
        assert isinstance(world.answer(ListFiles("/usr/local/lib/dovecot/*.so")), Failed)


class TestRefusals:
    """What is neither followed nor read: named, with the reason, promptly."""

    def test_a_directory(self, root: Path) -> None:
        (root / "etc/httpd.conf").mkdir()
        assert refusal(read(root, "/etc/httpd.conf")) == ("/etc/httpd.conf is a directory; mailaudit reads regular files only")
        assert FolderWorld(root).answer(StatFile("/etc/httpd.conf")) is not None

    def test_the_root_itself(self, root: Path) -> None:
        assert "is a directory" in refusal(read(root, "/"))
        answer = FolderWorld(root).answer(StatFile("/"))
        assert isinstance(answer, Found)

    def test_a_fifo_does_not_block(self, root: Path) -> None:
        os.mkfifo(root / "etc/httpd.conf")
        assert "is a FIFO" in refusal(read(root, "/etc/httpd.conf"))
        assert FolderWorld(root).answer(StatFile("/etc/httpd.conf")) == Found(Stat("fifo", size=0))

    def test_a_file_swapped_for_a_fifo_does_not_block(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        seen = FolderDirectory.look

        def look(self: FolderDirectory, name: str) -> Stat | None:
            found = seen(self, name)
            if name == "pf.conf":
                (root / "etc/pf.conf").unlink()
                os.mkfifo(root / "etc/pf.conf")
            return found

        monkeypatch.setattr(FolderDirectory, "look", look)
        assert "changed into something else" in refusal(read(root, "/etc/pf.conf"))

    def test_a_socket(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(root / "etc")  # a socket's path is short
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind("httpd.conf")
            assert "is a socket" in refusal(read(root, "/etc/httpd.conf"))

    def test_a_device(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        assert "is a device" in refusal(FolderWorld(Path("/")).answer(ReadFile("/dev/null")))
        world = FolderWorld(root)
        monkeypatch.setattr(FolderDirectory, "look", lambda *_: Stat("device"))
        assert "is a device" in refusal(world.answer(ReadFile("/pf.conf")))

    def test_a_file_of_20_mib(self, root: Path) -> None:
        file = root / "etc/httpd.conf"
        with file.open("wb") as sparse:
            sparse.truncate(20 * 1024 * 1024)
        assert refusal(read(root, "/etc/httpd.conf")) == "/etc/httpd.conf is 20 MiB; mailaudit reads files of up to 16 MiB"

    def test_a_file_that_grows_over_the_limit(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(folder, "MAX_FILE", 3)
        assert "pf.conf is over" in refusal(read(root, "/etc/pf.conf"))

    @pytest.mark.skipif(os.geteuid() == 0, reason="root may read every file")
    def test_permission(self, root: Path) -> None:
        (root / "etc/pf.conf").chmod(0)
        assert refusal(read(root, "/etc/pf.conf")) == "/etc/pf.conf cannot be read: permission denied"
        (root / "etc/mail").chmod(0)
        try:
            assert "permission denied" in refusal(read(root, "/etc/mail/smtpd.conf"))
            assert "permission denied" in refusal(FolderWorld(root).answer(ListFiles("/etc/mail/*")))
        finally:
            (root / "etc/mail").chmod(0o755)

    def test_what_the_system_denies_is_told(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        def denied(*_: object, **__: object) -> int:
            raise PermissionError(13, "Permission denied")

        monkeypatch.setattr(FolderDirectory, "_open", denied)
        assert refusal(read(root, "/etc/pf.conf")) == "/etc/pf.conf cannot be read: permission denied"
        assert "permission denied" in refusal(FolderWorld(root).answer(ListFiles("/etc/*")))

    @pytest.mark.parametrize(
        ("path", "why"),
        [
            ("/etc/../../secret", 'goes up with ".."'),
            ("etc/pf.conf", "is not an absolute path"),
            ("", "is not an absolute path"),
            ("/etc/pf\0.conf", "holds a NUL character"),
            ("/etc/" + "x" * 5000, "path of 5005 characters"),
            ("/etc/" + "x" * 300, "cannot be read: file name too long"),
        ],
    )
    def test_paths_that_are_none(self, root: Path, path: str, why: str) -> None:
        assert why in refusal(read(root, path))
        assert why in refusal(FolderWorld(root).answer(StatFile(path)))
        assert why in refusal(FolderWorld(root).answer(ListFiles(path)))


class TestLinks:
    """Symbolic links are followed within the root, as the host itself would follow them."""

    def test_relative_and_absolute_ones(self, root: Path) -> None:
        (root / "etc/aliases").symlink_to("mail/smtpd.conf")
        (root / "etc/absolute").symlink_to("/etc/mail/smtpd.conf")
        (root / "etc/up").symlink_to("mail/../../etc/pf.conf")
        (root / "etc/post").symlink_to("mail")
        assert read(root, "/etc/aliases") == read(root, "/etc/absolute") == Found(b"listen on all\n")
        assert read(root, "/etc/up") == Found(b"pass\n")
        assert read(root, "/etc/post/smtpd.conf") == Found(b"listen on all\n")
        assert FolderWorld(root).answer(ListFiles("/etc/post/*")) == Found(("/etc/post/smtpd.conf",))
        assert FolderWorld(root).answer(StatFile("/etc/aliases")) == Found(Stat("symlink", size=15, target="mail/smtpd.conf"))

    def test_a_link_to_a_directory_is_no_file(self, root: Path) -> None:
        (root / "etc/httpd.conf").symlink_to("mail")
        assert refusal(read(root, "/etc/httpd.conf")) == (
            "/etc/httpd.conf leads to /etc/mail, which is a directory; mailaudit reads regular files only"
        )
        (root / "etc/top").symlink_to("mail/..")
        assert "is a directory" in refusal(read(root, "/etc/top"))
        assert read(root, "/etc/top/pf.conf") == Found(b"pass\n")
        assert FolderWorld(root).answer(ListFiles("/etc/top/p*")) == Found(("/etc/top/pf.conf",))

    @pytest.mark.parametrize("absolute", [True, False])
    def test_out_of_the_root(self, root: Path, absolute: bool) -> None:
        secret = write(root.parent, "secret", "secret\n")
        (root / "etc/httpd.conf").symlink_to(secret if absolute else "../../secret")
        answer = refusal(read(root, "/etc/httpd.conf"))
        assert "/etc/httpd.conf" in answer
        assert ("not in this root" if absolute else "out of the root") in answer
        (root / "etc/elsewhere").symlink_to(root.parent if absolute else "../..")
        listed = FolderWorld(root).answer(ListFiles("/etc/elsewhere/*"))
        assert listed == Found(()) if absolute else isinstance(listed, Failed)

    def test_a_dangling_one_is_absent_only_where_the_whole_machine_is_seen(self, root: Path) -> None:
        (root / "etc/httpd.conf").symlink_to("gone")
        assert "leads through a symbolic link to /etc/gone" in refusal(read(root, "/etc/httpd.conf"))
        world = FolderWorld(root)
        world.metadata = Metadata.OWN
        assert world.answer(ReadFile("/etc/httpd.conf")) == Absent()

    def test_loops(self, root: Path) -> None:
        (root / "etc/a").symlink_to("b")
        (root / "etc/b").symlink_to("a")
        (root / "etc/self").symlink_to("self/self")
        (root / "etc/up").symlink_to("../etc/up/x")
        for path in ("/etc/a", "/etc/b/c", "/etc/self", "/etc/up"):
            assert f"more than {MAX_LINKS} symbolic links" in refusal(read(root, path))

    def test_a_chain_that_ends(self, root: Path) -> None:
        for number in range(MAX_LINKS):
            (root / f"etc/{number}").symlink_to(str(number + 1))
        write(root, f"/etc/{MAX_LINKS}", "end")
        assert read(root, "/etc/0") == Found(b"end")

    def test_a_file_swapped_for_a_link(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        secret = write(root.parent, "secret", "secret\n")
        seen = FolderDirectory.look

        def look(self: FolderDirectory, name: str) -> Stat | None:
            found = seen(self, name)
            if name == "pf.conf":
                (root / "etc/pf.conf").unlink()
                (root / "etc/pf.conf").symlink_to(secret)
            return found

        monkeypatch.setattr(FolderDirectory, "look", look)
        assert "/etc/pf.conf cannot be read" in refusal(read(root, "/etc/pf.conf"))

    def test_a_directory_swapped_for_a_link(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        write(root.parent, "elsewhere/smtpd.conf", "secret\n")
        seen = FolderDirectory.look

        def look(self: FolderDirectory, name: str) -> Stat | None:
            found = seen(self, name)
            if name == "mail":
                (root / "etc/mail").rename(root / "etc/moved")
                (root / "etc/mail").symlink_to(root.parent / "elsewhere")
            return found

        monkeypatch.setattr(FolderDirectory, "look", look)
        assert "/etc/mail/smtpd.conf cannot be read" in refusal(read(root, "/etc/mail/smtpd.conf"))

    def test_no_descriptor_is_left_open(self, root: Path) -> None:
        world = FolderWorld(root)
        (root / "etc/a").symlink_to("a")
        (root / "etc/out").symlink_to("mail/../../../x")

        def ask() -> None:
            for path in ("/etc/mail/smtpd.conf", "/etc/a", "/etc/out", "/etc/mail", "/etc/none/x"):
                world.ask([ReadFile(path), StatFile(path), ListFiles(path + "/*")])

        ask()
        before = len(list(Path("/dev/fd").iterdir()))
        ask()
        assert len(list(Path("/dev/fd").iterdir())) == before


class TestGlobs:
    """Globs of include statements, within the root."""

    @pytest.fixture
    def conf_d(self, root: Path) -> FolderDirectory:
        for name in ("10-auth.conf", "20-lmtp.conf", ".hidden.conf", "x.conf~", "a[1].conf", "new\nline.conf"):
            write(root, f"/etc/dovecot/conf.d/{name}", "")
        write(root, "/etc/other/conf.d/30.conf", "")
        os.close(os.open(os.fsencode(root / "etc/dovecot/conf.d") + b"/\xff.conf", os.O_CREAT | os.O_WRONLY))
        return FolderDirectory.at(root)

    @pytest.mark.parametrize(
        ("pattern", "names"),
        [
            ("/etc/dovecot/conf.d/*0-*.conf", ["10-auth.conf", "20-lmtp.conf"]),
            ("/etc/dovecot/conf.d/[0-9]?-auth.conf", ["10-auth.conf"]),
            ("/etc/dovecot/conf.d/.*.conf", [".hidden.conf"]),
            ("/etc/dovecot/conf.d/a[[]1].conf", ["a[1].conf"]),
            ("/etc/dovecot/conf.d/new*", ["new\nline.conf"]),
            ("/etc/dovecot/conf.d/\udcff.conf", ["\udcff.conf"]),
            ("//etc/./dovecot//conf.d/10-auth.conf", ["10-auth.conf"]),
            ("/etc/dovecot/conf.d/none*", []),
            ("/etc/none/*.conf", []),
            ("/etc/dovecot/conf.d/none.conf", []),
        ],
    )
    def test_matches(self, conf_d: FolderDirectory, pattern: str, names: list[str]) -> None:
        assert glob(conf_d, pattern) == tuple(f"/etc/dovecot/conf.d/{name}" for name in names)

    def test_matches_are_sorted_and_hidden_files_are_left_out(self, conf_d: FolderDirectory) -> None:
        found = glob(conf_d, "/etc/*/conf.d/*.conf")
        assert list(found) == sorted(found)
        assert "/etc/other/conf.d/30.conf" in found
        assert "/etc/dovecot/conf.d/.hidden.conf" not in found
        assert len(found) == 6

    def test_matches_are_bounded(self, conf_d: FolderDirectory, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("mailaudit.collect.directory.MAX_MATCHES", 3)
        with pytest.raises(RefusedError, match="matches more than 3"):
            glob(conf_d, "/etc/dovecot/conf.d/*")
        monkeypatch.setattr("mailaudit.collect.directory.MAX_NAMES", 3)
        with pytest.raises(RefusedError, match="holds more than 3"):
            glob(conf_d, "/etc/dovecot/conf.d/*")

    def test_a_hostile_pattern_is_prompt(self, root: Path) -> None:
        write(root, "/etc/" + "a" * 200, "")
        assert FolderWorld(root).answer(ListFiles("/etc/" + "*a" * 100 + "b")) == Found(())


def test_names_that_are_not_utf8_are_read(root: Path) -> None:
    (root / "etc" / os.fsdecode(b"\xe4.conf")).write_bytes(b"latin\n")
    assert read(root, "/etc/\udce4.conf") == Found(b"latin\n")


def test_components() -> None:
    assert components("/etc//mail/./x") == ["etc", "mail", "x"]
    assert components("/") == []


@pytest.mark.parametrize(("name", "error"), [("answers.json", RefusedError), ("mailaudit.toml", SettingsError)])
def test_own_files_that_cannot_be_read_are_not_passed_over(root: Path, name: str, error: type[Exception]) -> None:
    (root / name).symlink_to(write(root.parent, "elsewhere", "{}"))
    with pytest.raises(error, match=f"/{name} is a symbolic link to .*, which is not in this root"):
        FolderWorld(root)
    (root / name).unlink()
    (root / name).mkdir()
    with pytest.raises(error, match=f"/{name} is a directory"):
        FolderWorld(root)


def test_settings_lie_beside_etc(root: Path) -> None:
    assert FolderWorld(root).settings == ()
    write(root, "mailaudit.toml", "[site]\n")
    assert FolderWorld(root).settings == ((str(root / "mailaudit.toml"), b"[site]\n"),)


class TestRecorded:
    """A root with an answers.json beside its etc/."""

    @pytest.fixture
    def world(self, root: Path) -> RootWorld:
        write(
            root,
            "answers.json",
            """{"host": "mx.example.com", "taken": "2026-11-22T12:00:00Z",
            "stat": {"/etc/pf.conf": {"type": "file", "mode": "0600", "owner": "root", "group": "wheel", "size": 5},
                     "/etc/mail/credentials": {"type": "file", "mode": "0440"}, "/etc/httpd.conf": null,
                     "/etc/fifo": {"type": "fifo"}, "/etc/denied": {"error": "unreadable", "detail": "no"}, "/var/vmail": null},
            "commands": {"uname": {"status": 0, "stdout": "OpenBSD 7.8 amd64\\n"}}}""",
        )
        return FolderWorld(root)

    def test_its_own_words(self, world: RootWorld) -> None:
        assert (world.host, world.recorded, world.taken) == ("mx.example.com", True, "2026-11-22T12:00:00Z")
        assert world.answer(StatFile("/etc/pf.conf")) == Found(Stat("file", 0o600, "root", "wheel", 5))
        assert world.answer(RunCommand(Command.UNAME)) == Found(CommandOutput(0, "OpenBSD 7.8 amd64\n", of_before=True))
        assert world.answer(RunCommand(Command.PS)) == Failed(Reason.NOT_RECORDED, "ps was not recorded")

    def test_null_is_absent_and_what_is_not_listed_was_not_asked(self, world: RootWorld) -> None:
        for question in (ReadFile("/etc/httpd.conf"), StatFile("/etc/httpd.conf"), StatFile("/var/vmail/example.com")):
            assert world.answer(question) == Absent()
        for path in ("/etc/acme-client.conf", "/etc/mail/credentials", "/usr/local/sbin/dovecot"):
            answer = world.answer(ReadFile(path))
            assert isinstance(answer, Failed)
            assert answer.reason is Reason.NOT_RECORDED

    def test_what_the_record_could_not_read(self, world: RootWorld) -> None:
        assert "is a fifo" in refusal(world.answer(ReadFile("/etc/fifo")))
        assert refusal(world.answer(ReadFile("/etc/denied"))) == "no"
        assert refusal(world.answer(StatFile("/etc/denied"))) == "no"

    def test_a_file_written_after_the_record_is_there(self, root: Path, world: RootWorld) -> None:
        write(root, "/etc/httpd.conf", "server\n")
        assert world.answer(ReadFile("/etc/httpd.conf")) == Found(b"server\n")
        assert world.answer(StatFile("/etc/httpd.conf")) == Found(Stat("file", size=7))

    def test_globs(self, root: Path, world: RootWorld) -> None:
        write(root, "/etc/dovecot/conf.d/10.conf", "")
        assert world.answer(ListFiles("/etc/dovecot/conf.d/*.conf")) == Found(("/etc/dovecot/conf.d/10.conf",))
        assert world.answer(ListFiles("/etc/none/*.conf")) == Found(())
        write(root, "answers.json", '{"lists": {"/etc/dovecot/conf.d/*.conf": ["/etc/dovecot/conf.d/99.conf"]}}')
        again = FolderWorld(root)
        assert again.answer(ListFiles("/etc/dovecot/conf.d/*.conf")) == Found(
            ("/etc/dovecot/conf.d/10.conf", "/etc/dovecot/conf.d/99.conf")
        )
        assert isinstance(again.answer(ListFiles("/etc/none/*.conf")), Failed)
