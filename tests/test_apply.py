"""Writing to a folder: all or nothing, owner and mode kept, links not followed, secrets made only here."""

from __future__ import annotations

import os
import re
import socket
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mailaudit.apply import ApplyError, out_folder, with_secrets, write_folder
from mailaudit.apply import folder as apply

OLD = {"/etc/pf.conf": b"pass\n", "/etc/mail/smtpd.conf": b"listen on all\n"}
NEW = {"/etc/pf.conf": b"block\npass\n", "/etc/mail/smtpd.conf": b"listen on all tls\n"}
CREATED = {"/etc/rspamd/local.d/redis.conf": b'servers = "127.0.0.1";\n', "/etc/myname": b"mx.example.com\n"}
READ: dict[str, bytes | None] = {**OLD, **dict.fromkeys(CREATED)}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "host7"
    for path, data in OLD.items():
        (folder / path[1:]).parent.mkdir(parents=True, exist_ok=True)
        (folder / path[1:]).write_bytes(data)
    (folder / "etc/pf.conf").chmod(0o600)
    (folder / "etc/mail/smtpd.conf").chmod(0o640)
    return folder


def tree(root: Path) -> dict[str, tuple[object, ...]]:
    """Everything in a folder: content, mode and inode of each path, leftovers among them."""
    found: dict[str, tuple[object, ...]] = {}
    for path in sorted(root.rglob("*")):
        status = path.lstat()
        content = path.read_bytes() if stat.S_ISREG(status.st_mode) else b""
        found[str(path.relative_to(root))] = (content, oct(status.st_mode), status.st_ino)
    return found


def refused(root: Path, why: str, files: dict[str, bytes] | None = None, read: dict[str, bytes | None] | None = None) -> None:
    """The plan is refused, and nothing at all is different."""
    before = tree(root)
    with pytest.raises(ApplyError, match=re.escape(why)) as caught:
        write_folder(root, files if files is not None else NEW | CREATED, read if read is not None else READ)
    assert tree(root) == before
    assert "nothing was changed" in str(caught.value) or "could not be put back" in str(caught.value)


def test_files_are_replaced_and_created(root: Path) -> None:
    done = write_folder(root, NEW | CREATED, READ, {"/etc/myname": 0o600})
    assert (done.replaced, done.created) == (("/etc/mail/smtpd.conf", "/etc/pf.conf"), tuple(sorted(CREATED)))
    found = {f"/{path}": (content, mode) for path, (content, mode, _) in tree(root).items() if str(mode).startswith("0o100")}
    assert found == {
        "/etc/mail/smtpd.conf": (NEW["/etc/mail/smtpd.conf"], "0o100640"),
        "/etc/pf.conf": (NEW["/etc/pf.conf"], "0o100600"),
        "/etc/rspamd/local.d/redis.conf": (CREATED["/etc/rspamd/local.d/redis.conf"], "0o100644"),
        "/etc/myname": (CREATED["/etc/myname"], "0o100600"),
    }


def test_special_bits_and_a_narrow_umask_do_not_matter(root: Path) -> None:
    (root / "etc/pf.conf").chmod(0o4755)
    old = os.umask(0o077)
    try:
        write_folder(root, NEW | CREATED, READ)
    finally:
        os.umask(old)
    assert stat.S_IMODE((root / "etc/pf.conf").stat().st_mode) == 0o4755
    assert stat.S_IMODE((root / "etc/myname").stat().st_mode) == 0o644


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give files away")
def test_the_owner_is_kept(root: Path) -> None:
    os.chown(root / "etc/pf.conf", 12345, 54321)
    write_folder(root, NEW, READ)
    status = (root / "etc/pf.conf").stat()
    assert (status.st_uid, status.st_gid, stat.S_IMODE(status.st_mode)) == (12345, 54321, 0o600)


def test_an_owner_that_cannot_be_kept_stops_it(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def denied(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    seen = apply.status_at

    def of_another(name: str, directory: int) -> os.stat_result | None:
        found = seen(name, directory)
        if found is None or name != "pf.conf":
            return found
        return os.stat_result((found[0], found[1], found[2], found[3], 4242, *found[5:]))

    monkeypatch.setattr(apply, "status_at", of_another)
    monkeypatch.setattr(os, "fchown", denied)
    refused(root, "/etc/pf.conf belongs to 4242:")


def test_nothing_to_do(root: Path) -> None:
    before = tree(root)
    assert write_folder(root, {}, {}) == apply.Written()
    assert tree(root) == before


class TestChanged:
    """What is not as it was read stops it all."""

    def test_another_content(self, root: Path) -> None:
        (root / "etc/pf.conf").write_bytes(b"PASS\n")
        refused(root, "/etc/pf.conf was changed since it was read")

    def test_a_file_that_is_gone(self, root: Path) -> None:
        (root / "etc/pf.conf").unlink()
        refused(root, "/etc/pf.conf is gone since it was read")

    def test_a_file_that_has_appeared(self, root: Path) -> None:
        (root / "etc/myname").write_bytes(b"")
        refused(root, "/etc/myname was not there when it was read, and is now")

    @pytest.mark.parametrize("path", ["/etc/pf.conf", "/etc/myname"])
    def test_a_change_between_the_check_and_the_rename(self, root: Path, path: str, monkeypatch: pytest.MonkeyPatch) -> None:
        commit = apply.Step.commit
        file = root / path[1:]

        def late(step: apply.Step) -> None:
            if step.path == path:
                file.unlink(missing_ok=True)
                file.write_bytes(b"theirs\n")
            commit(step)

        monkeypatch.setattr(apply.Step, "commit", late)
        with pytest.raises(ApplyError, match=f"{path} was (changed|created) while this ran; nothing was changed"):
            write_folder(root, NEW | CREATED, READ)
        assert file.read_bytes() == b"theirs\n"
        assert (root / "etc/mail/smtpd.conf").read_bytes() == OLD["/etc/mail/smtpd.conf"]
        assert not [path for path in tree(root) if ".mailaudit" in path or "rspamd" in path]


class TestLinks:
    """Links are not followed; what is no regular file is not replaced."""

    def test_a_file_that_is_a_link(self, root: Path) -> None:
        (root / "etc/pf.conf").rename(root / "etc/real")
        (root / "etc/pf.conf").symlink_to("real")
        refused(root, "/etc/pf.conf is a symbolic link, which is not followed")

    def test_a_dangling_link_where_a_file_would_be_created(self, root: Path) -> None:
        (root / "etc/myname").symlink_to(root.parent / "elsewhere")
        refused(root, "/etc/myname is a symbolic link")
        assert not (root.parent / "elsewhere").exists()

    def test_a_directory_that_is_a_link(self, root: Path) -> None:
        (root / "etc/mail").rename(root.parent / "mail")
        (root / "etc/mail").symlink_to(root.parent / "mail")
        refused(root, "/etc/mail/smtpd.conf was not written: mail on the way to it is a symbolic link")
        assert (root.parent / "mail/smtpd.conf").read_bytes() == OLD["/etc/mail/smtpd.conf"]

    def test_a_directory_swapped_for_a_link(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        (root.parent / "elsewhere").mkdir()
        (root.parent / "elsewhere/smtpd.conf").write_bytes(OLD["/etc/mail/smtpd.conf"])
        seen = apply.status_at

        def swapped(name: str, directory: int) -> os.stat_result | None:
            found = seen(name, directory)
            if name == "mail" and not (root / "etc/moved").exists():
                (root / "etc/mail").rename(root / "etc/moved")
                (root / "etc/mail").symlink_to(root.parent / "elsewhere")
            return found

        monkeypatch.setattr(apply, "status_at", swapped)
        with pytest.raises(ApplyError, match=r"/etc/mail/smtpd\.conf cannot be written"):
            write_folder(root, NEW, READ)
        assert (root.parent / "elsewhere/smtpd.conf").read_bytes() == OLD["/etc/mail/smtpd.conf"]

    def test_a_directory_a_fifo_a_socket(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        file = root / "etc/pf.conf"
        file.unlink()
        file.mkdir()
        refused(root, "/etc/pf.conf is no regular file")
        file.rmdir()
        os.mkfifo(file)
        refused(root, "/etc/pf.conf is no regular file")
        file.unlink()
        monkeypatch.chdir(root / "etc")  # a socket's path is short
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind("pf.conf")
            refused(root, "/etc/pf.conf is no regular file")

    @pytest.mark.parametrize("path", ["/etc/../../x", "etc/x", "/", "", "/etc/\0"])
    def test_paths_that_are_none(self, root: Path, path: str) -> None:
        refused(root, "cannot be written", {**NEW, path: b"x"})
        assert not (root.parent / "x").exists()


class TestFailures:
    """Whatever fails, at whichever file, all is as it was."""

    @pytest.mark.parametrize("name", ["rename", "link", "fsync", "fchmod", "open", "mkdir"])
    @pytest.mark.parametrize("number", range(1, 9))
    def test_a_call_that_fails(self, root: Path, name: str, number: int, monkeypatch: pytest.MonkeyPatch) -> None:
        calls = 0
        real: Callable[..., object] = getattr(os, name)

        def failing(*args: object, **more: object) -> object:
            nonlocal calls
            calls += 1
            if calls == number:
                raise OSError(28, "No space left on device")
            return real(*args, **more)

        before = tree(root)
        with monkeypatch.context() as patched:
            patched.setattr(os, name, failing)
            try:
                write_folder(root, NEW | CREATED, READ)
            except ApplyError as error:
                assert str(error).endswith("no space left on device; nothing was changed")  # noqa: PT017 - it may succeed
                assert tree(root) == before
                return
        if name == "link":
            assert number > 0  # without hard links it goes on by copying
        else:
            assert calls < number
        after = tree(root)
        assert [content for path, (content, *_) in after.items() if f"/{path}" in NEW | CREATED]
        assert not [path for path in after if ".mailaudit" in path]

    @pytest.mark.parametrize("number", range(1, 3))
    def test_an_interruption(self, root: Path, number: int, monkeypatch: pytest.MonkeyPatch) -> None:
        rename, calls = os.rename, 0

        def interrupted(*args: Any, **more: Any) -> None:
            nonlocal calls
            calls += 1
            rename(*args, **more)
            if calls == number:
                raise KeyboardInterrupt

        before = tree(root)
        monkeypatch.setattr(os, "rename", interrupted)
        with pytest.raises(KeyboardInterrupt):
            write_folder(root, NEW | CREATED, READ)
        assert tree(root) == before

    def test_without_hard_links_the_old_content_is_copied(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        def no_links(*_: object, **__: object) -> None:
            raise OSError(95, "Operation not supported")

        sync = apply.Transaction.sync
        monkeypatch.setattr(os, "link", no_links)
        write_folder(root, {"/etc/pf.conf": NEW["/etc/pf.conf"]}, READ)
        assert (root / "etc/pf.conf").read_bytes() == NEW["/etc/pf.conf"]

        def failing(self: apply.Transaction) -> None:
            sync(self)
            raise OSError(5, "Input/output error")

        monkeypatch.setattr(apply.Transaction, "sync", failing)
        with pytest.raises(ApplyError, match="nothing was changed"):
            write_folder(root, {"/etc/mail/smtpd.conf": b"x", "/etc/myname": b"x"}, READ)
        found = {path: (content, mode) for path, (content, mode, _) in tree(root).items()}
        assert found["etc/mail/smtpd.conf"] == (OLD["/etc/mail/smtpd.conf"], "0o100640")
        assert not [path for path in found if ".mailaudit" in path or "myname" in path]

    def test_what_cannot_be_put_back_is_told_and_kept(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        rename, calls = os.rename, 0

        def failing(*args: Any, **more: Any) -> None:
            nonlocal calls
            calls += 1
            if calls > 1:
                raise OSError(5, "Input/output error")
            rename(*args, **more)

        monkeypatch.setattr(os, "rename", failing)
        with pytest.raises(ApplyError, match=r"smtpd\.conf could not be put back .* its old content is in (\S+)") as caught:
            write_folder(root, NEW, READ)
        match = re.search(r"smtpd\.conf could not be put back .* its old content is in (\S+)", str(caught.value))
        assert match is not None
        assert (root / "etc/mail" / match[1]).read_bytes() == OLD["/etc/mail/smtpd.conf"]

    def test_no_descriptor_is_left_open(self, root: Path) -> None:
        write_folder(root, NEW, READ)
        before = len(list(Path("/dev/fd").iterdir()))
        for _ in range(3):
            with pytest.raises(ApplyError):
                write_folder(root, NEW, READ)
            write_folder(root, NEW, {**NEW})
        assert len(list(Path("/dev/fd").iterdir())) == before

    @pytest.mark.skipif(os.geteuid() == 0, reason="root may write to every directory")
    def test_permission(self, root: Path) -> None:
        (root / "etc").chmod(0o555)
        refused(root, "cannot be written: permission denied")


class TestSecrets:
    """Secrets are made here and nowhere else; masks are never written."""

    def test_each_is_its_own(self, root: Path) -> None:
        write_folder(root, {"/etc/pf.conf": b"a {{generate:hex16}} b {{generate:hex16}} {{generate:hex4}}"}, READ)
        match = re.fullmatch(r"a ([0-9a-f]{32}) b ([0-9a-f]{32}) ([0-9a-f]{8})", (root / "etc/pf.conf").read_text())
        assert match is not None
        assert match[1] != match[2]

    def test_masks(self, root: Path) -> None:
        masked = {"/etc/pf.conf": b"x {{masked:key:32:ab}}"}
        refused(root, "/etc/pf.conf holds masked values; such a file is never written", NEW | masked)

    @pytest.mark.parametrize("form", [b"hex", b"hex0", b"hex100", b"base64", b""])
    def test_unknown_forms(self, form: bytes) -> None:
        with pytest.raises(ApplyError, match="/x asks for a secret of an unknown form"):
            with_secrets("/x", b"{{generate:" + form + b"}}")

    def test_other_bytes_are_left_alone(self) -> None:
        assert with_secrets("/x", b"{{ generate:hex16 }} \xff\0 {{x}}") == b"{{ generate:hex16 }} \xff\0 {{x}}"


class TestOutFolder:
    """A corrected copy elsewhere."""

    def test_a_copy_with_the_changes(self, root: Path, tmp_path: Path) -> None:
        (root / "answers.json").write_bytes(b"{}")
        (root / ".git").mkdir()
        (root / "etc/aliases").symlink_to("mail/smtpd.conf")
        (root / "etc/closed").mkdir(mode=0o500)
        os.mkfifo(root / "etc/fifo")
        before = tree(root)
        done = out_folder(root, tmp_path / "out" / "host7", NEW | CREATED, READ)
        assert tree(root) == before
        assert done.skipped == ("/.git", "/etc/fifo")
        assert done.replaced == tuple(sorted(NEW))
        found = {path: (content, mode) for path, (content, mode, _) in tree(tmp_path / "out" / "host7").items()}
        assert found["etc/pf.conf"] == (NEW["/etc/pf.conf"], "0o100600")
        assert found["answers.json"][0] == b"{}"
        assert found["etc/closed"][1] == "0o40500"
        assert found["etc/myname"][0] == CREATED["/etc/myname"]
        assert (tmp_path / "out/host7/etc/aliases").readlink() == Path("mail/smtpd.conf")
        assert [path.name for path in (tmp_path / "out").iterdir()] == ["host7"]

    def test_an_empty_directory_will_do(self, root: Path, tmp_path: Path) -> None:
        (tmp_path / "out").mkdir()
        out_folder(root, tmp_path / "out", NEW, READ)
        assert (tmp_path / "out/etc/pf.conf").read_bytes() == NEW["/etc/pf.conf"]

    def test_places_that_will_not_do(self, root: Path, tmp_path: Path) -> None:
        (tmp_path / "full").mkdir()
        (tmp_path / "full/x").write_bytes(b"")
        for out, why in (
            (tmp_path / "full", "not an empty directory"),
            (tmp_path / "full/x", "not an empty directory"),
            (root, "lie one in the other"),
            (root / "out", "lie one in the other"),
            (tmp_path, "lie one in the other"),
            (tmp_path / "full/x/y", "cannot be written"),
        ):
            with pytest.raises(ApplyError, match=why):
                out_folder(root, out, NEW, READ)
        with pytest.raises(ApplyError, match="this machine as a whole is not copied"):
            out_folder(Path("/"), tmp_path / "out", NEW, READ)
        assert sorted(path.name for path in tmp_path.iterdir()) == ["full", "host7"]

    def test_nothing_is_there_if_it_fails(self, root: Path, tmp_path: Path) -> None:
        (root / "etc/pf.conf").write_bytes(b"changed\n")
        with pytest.raises(ApplyError, match="was changed since it was read"):
            out_folder(root, tmp_path / "out", NEW, READ)
        assert [path.name for path in tmp_path.iterdir()] == ["host7"]

    @pytest.mark.parametrize("names_both", [True, False])
    def test_a_full_disk_is_that_of_the_copy(
        self, root: Path, tmp_path: Path, names_both: bool, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def full(old: Path, new: Path, *, follow_symlinks: bool) -> None:
            del follow_symlinks
            raise OSError(28, "No space left on device", *((str(old), None, str(new)) if names_both else ()))

        monkeypatch.setattr("shutil.copy2", full)
        out = tmp_path / "out"
        with pytest.raises(
            ApplyError, match=rf"^{out}{'/etc/.*' if names_both else ''} cannot be written: no space left on device"
        ):
            out_folder(root, out, NEW, READ)
        assert not out.exists()

    def test_what_cannot_be_copied_is_named(self, root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        def closed(old: Path, new: Path, *, follow_symlinks: bool) -> None:
            del new, follow_symlinks
            raise PermissionError(13, "Permission denied", str(old))

        monkeypatch.setattr("shutil.copy2", closed)
        with pytest.raises(ApplyError, match=rf"^{root}/etc/\S+ cannot be read: permission denied; nothing was written$"):
            out_folder(root, tmp_path / "out", NEW, READ)
