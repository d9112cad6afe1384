"""Tar archives as worlds: read without unpacking, bounded, hostile members refused by name."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from mailaudit.collect import archive
from mailaudit.collect.archive import read_archive
from mailaudit.collect.root import RootWorld
from mailaudit.collect.roots import Roots, find_worlds
from mailaudit.collect.world import TargetError
from mailaudit.questions import Absent, Answer, Failed, Found, ListFiles, ReadFile, Reason, Stat, StatFile

FILES = {"host7/etc/pf.conf": b"pass\n", "host7/etc/mail/smtpd.conf": b"listen on all\n"}


def member(name: str, data: bytes = b"", **fields: object) -> tuple[tarfile.TarInfo, bytes]:
    info = tarfile.TarInfo(name)
    info.size = len(data)
    info.mode = 0o640
    info.uname, info.gname = "root", "wheel"
    info.mtime = 1_700_000_000
    for field, value in fields.items():
        setattr(info, field, value)
    return info, data


def tar(members: list[tuple[tarfile.TarInfo, bytes]], form: int = tarfile.PAX_FORMAT) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=form, encoding="utf-8", errors="surrogateescape") as archive_:
        for info, data in members:
            archive_.addfile(info, io.BytesIO(data))
    return out.getvalue()


def host(*more: tuple[tarfile.TarInfo, bytes], form: int = tarfile.PAX_FORMAT) -> bytes:
    return tar([*(member(name, data) for name, data in FILES.items()), *more], form)


@pytest.fixture
def world(tmp_path: Path) -> Callable[[bytes], RootWorld]:
    def make(data: bytes) -> RootWorld:
        return find(tmp_path, data).worlds[0]

    return make


def find(folder: Path, data: bytes, name: str = "mx1.tgz") -> Roots:
    (folder / name).write_bytes(data)
    return find_worlds(str(folder / name))


def refusal(answer: Answer) -> str:
    assert isinstance(answer, Failed)
    assert answer.reason is Reason.UNREADABLE
    return answer.detail


@pytest.mark.parametrize("pack", [bytes, gzip.compress, bz2.compress, lzma.compress], ids=["tar", "gzip", "bzip2", "xz"])
@pytest.mark.parametrize("form", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_formats(tmp_path: Path, pack: Callable[[bytes], bytes], form: int) -> None:
    roots = find(tmp_path, pack(host(form=form)))
    assert not roots.errors
    (found,) = roots
    assert (found.host, found.target) == ("host7", f"{tmp_path / 'mx1.tgz'}:host7")
    assert found.answer(ReadFile("/etc/pf.conf")) == Found(b"pass\n")
    assert found.answer(ListFiles("/etc/mail/*")) == Found(("/etc/mail/smtpd.conf",))
    assert found.answer(ReadFile("/etc/httpd.conf")) == Absent()
    assert isinstance(found.answer(ReadFile("/usr/local/sbin/dovecot")), Failed)


def test_headers_tell_modes_and_owners(world: Callable[[bytes], RootWorld]) -> None:
    found = world(host(member("host7/etc/mail/credentials", b"x", mode=0o100440, uname="", gname="", uid=95, gid=518)))
    time_ = "2023-11-14T22:13:20Z"
    assert found.answer(StatFile("/etc/pf.conf")) == Found(Stat("file", 0o640, "root", "wheel", 5, time_))
    assert found.answer(StatFile("/etc/mail/credentials")) == Found(Stat("file", 0o440, "95", "518", 1, time_))
    assert found.answer(StatFile("/etc/mail")) == Found(Stat("directory"))


def test_a_git_archive_tells_none(world: Callable[[bytes], RootWorld]) -> None:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", pax_headers={"comment": "0123456789abcdef" * 2 + "01234567"}) as archive_:
        for name, data in FILES.items():
            archive_.addfile(member(name, data)[0], io.BytesIO(data))
    assert world(out.getvalue()).answer(StatFile("/etc/pf.conf")) == Found(Stat("file", size=5))


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"mode": 0o755}, True),
        ({"mode": 0o700}, False),
        ({"mode": 0o755, "uname": "anna"}, False),
        ({"mode": 0o755, "uname": ""}, True),
    ],
)
def test_a_copy_in_somebodys_folder_tells_none(
    world: Callable[[bytes], RootWorld], fields: dict[str, object], *, told: bool
) -> None:
    """No host has an /etc that is a user's, or that others may not enter."""
    found = world(tar([member("./", type=tarfile.DIRTYPE, mode=0o700), member("./etc", b"", type=tarfile.DIRTYPE, **fields),
                       member("./etc/pf.conf", b"pass\n")]))  # fmt: skip
    stat = found.answer(StatFile("/etc/pf.conf"))
    assert isinstance(stat, Found)
    assert isinstance(stat.value, Stat)
    assert stat.value.mode == (0o640 if told else None)


def test_a_snapshot_in_an_archive_tells_its_own(world: Callable[[bytes], RootWorld]) -> None:
    answers = b'{"host": "mx.example.com", "stat": {"/etc/pf.conf": {"type": "file", "mode": "0600"}}}'
    found = world(host(member("host7/answers.json", answers), member("host7/mailaudit.toml", b"[site]\n")))
    assert (found.host, found.recorded) == ("mx.example.com", True)
    assert [data for _, data in found.settings] == [b"[site]\n"]
    assert found.answer(StatFile("/etc/pf.conf")) == Found(Stat("file", 0o600))
    assert found.answer(StatFile("/etc/mail/smtpd.conf")) == Found(Stat("file", size=14))


def test_a_root_at_the_top_has_the_archive_s_name(tmp_path: Path) -> None:
    roots = find(tmp_path, tar([member("./etc/pf.conf", b"pass\n")]))
    assert [(found.host, found.target) for found in roots] == [("mx1", str(tmp_path / "mx1.tgz"))]


def test_several_roots(tmp_path: Path) -> None:
    names = ["repo/hosts/b/etc/pf.conf", "repo/hosts/a/etc/httpd.conf", "repo/.git/etc/pf.conf", "repo/mailaudit.toml"]
    assert [found.host for found in find(tmp_path, tar([member(name) for name in names]))] == ["a", "b"]


def test_the_last_of_equal_members_counts(world: Callable[[bytes], RootWorld]) -> None:
    found = world(host(member("host7/etc/pf.conf", b"block\n"), member("host7/etc", type=tarfile.DIRTYPE)))
    assert found.answer(ReadFile("/etc/pf.conf")) == Found(b"block\n")
    assert found.answer(ReadFile("/etc/mail/smtpd.conf")) == Found(b"listen on all\n")


class TestHostileMembers:
    """Each is refused by name; the rest is read."""

    @pytest.mark.parametrize(
        ("name", "why"),
        [
            ("/etc/httpd.conf", "its path is absolute"),
            ("host7/../../etc/httpd.conf", 'its path goes up with ".."'),
            ("host7/etc/" + "x/" * 3000 + "y", "its path has 6011 characters"),
        ],
    )
    def test_paths(self, tmp_path: Path, name: str, why: str) -> None:
        roots = find(tmp_path, host(member(name, b"server\n")))
        assert roots.errors == [f"archive member {name[:200]} was refused: {why}"]
        (found,) = roots
        assert found.answer(ReadFile("/etc/httpd.conf")) == Absent()
        assert found.answer(ReadFile("/etc/pf.conf")) == Found(b"pass\n")

    def test_many_are_not_named_one_by_one(self, tmp_path: Path) -> None:
        roots = find(tmp_path, host(*(member(f"../{number}") for number in range(50))))
        assert len(roots.errors) == 21
        assert roots.errors[-1] == "and 30 more members of mx1.tgz were refused"

    @pytest.mark.parametrize(
        ("kind", "what"), [(tarfile.CHRTYPE, "device"), (tarfile.BLKTYPE, "device"), (tarfile.FIFOTYPE, "FIFO")]
    )
    def test_devices(self, world: Callable[[bytes], RootWorld], kind: bytes, what: str) -> None:
        found = world(host(member("host7/etc/httpd.conf", type=kind)))
        assert f"/etc/httpd.conf is a {what}" in refusal(found.answer(ReadFile("/etc/httpd.conf")))

    def test_symbolic_links(self, world: Callable[[bytes], RootWorld]) -> None:
        links = {
            "in": "mail/smtpd.conf",
            "absolute": "/etc/pf.conf",
            "out": "../../other/secret",
            "far": "/home/secret",
            "loop": "loop",
        }
        found = world(
            host(
                member("other/secret", b"secret"),
                *(member(f"host7/etc/{n}", type=tarfile.SYMTYPE, linkname=to) for n, to in links.items()),
            )
        )
        assert found.answer(ReadFile("/etc/in")) == Found(b"listen on all\n")
        assert found.answer(ReadFile("/etc/absolute")) == Found(b"pass\n")
        assert "leads out of the root" in refusal(found.answer(ReadFile("/etc/out")))
        assert "which is not in this root" in refusal(found.answer(ReadFile("/etc/far")))
        assert "symbolic links, a loop" in refusal(found.answer(ReadFile("/etc/loop")))
        stat = found.answer(StatFile("/etc/in"))
        assert isinstance(stat, Found)
        assert isinstance(stat.value, Stat)
        assert (stat.value.type, stat.value.target) == ("symlink", "mail/smtpd.conf")

    def test_hard_links(self, world: Callable[[bytes], RootWorld]) -> None:
        links = {"same": "host7/etc/pf.conf", "up": "../secret", "absolute": "/etc/master.passwd", "gone": "host7/gone"}
        found = world(host(*(member(f"host7/etc/{n}", type=tarfile.LNKTYPE, linkname=to) for n, to in links.items())))
        assert found.answer(ReadFile("/etc/same")) == Found(b"pass\n")
        assert "hard link to ../secret: its path goes up" in refusal(found.answer(ReadFile("/etc/up")))
        assert "hard link to /etc/master.passwd: its path is absolute" in refusal(found.answer(ReadFile("/etc/absolute")))
        assert "no such file in the archive" in refusal(found.answer(ReadFile("/etc/gone")))

    def test_sparse_members(self, world: Callable[[bytes], RootWorld]) -> None:
        sparse = {"GNU.sparse.major": "0", "GNU.sparse.minor": "1", "GNU.sparse.map": "0,1"}
        small = sparse | {"GNU.sparse.size": "5", "GNU.sparse.name": "host7/etc/small"}
        large = sparse | {"GNU.sparse.size": str(10**13), "GNU.sparse.name": "host7/etc/large"}
        members = [member("x", b"x", pax_headers=small), member("x", b"x", pax_headers=large), member("host7/etc/z", b"z")]
        found = world(host(*members))
        assert "is stored sparsely" in refusal(found.answer(ReadFile("/etc/small")))
        assert "mailaudit reads files of up to 16 MiB" in refusal(found.answer(ReadFile("/etc/large")))
        assert found.answer(ReadFile("/etc/z")) == Found(b"z")

    def test_a_file_of_20_mib(self, world: Callable[[bytes], RootWorld]) -> None:
        found = world(gzip.compress(host(member("host7/etc/httpd.conf", bytes(20 * 1024 * 1024))), 1))
        assert "20 MiB; mailaudit reads files of up to 16 MiB" in refusal(found.answer(ReadFile("/etc/httpd.conf")))

    def test_names_that_are_odd(self, world: Callable[[bytes], RootWorld]) -> None:
        names = ["new\nline", "\udcff", "\x1b[31m", " ", "*"]
        found = world(host(*(member(f"host7/etc/mail/{name}", name.encode("utf-8", "replace")) for name in names)))
        listed = found.answer(ListFiles("/etc/mail/*"))
        assert listed == Found(tuple(sorted(f"/etc/mail/{name}" for name in [*names, "smtpd.conf"])))


class TestCostlyArchives:
    """Bombs are refused as a whole, before they cost time or memory."""

    def test_one_that_unpacks_to_too_much(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(archive, "MAX_UNPACKED", 8 * 1024 * 1024)
        with pytest.raises(TargetError, match="unpacks to more than") as caught:
            find(tmp_path, gzip.compress(host(member("junk", bytes(20 * 1024 * 1024))), 1))
        assert caught.value.code == 4

    def test_one_with_too_many_members(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(archive, "MAX_MEMBERS", 100)
        with pytest.raises(TargetError, match="more than 100 members"):
            find(tmp_path, host(*(member(str(number)) for number in range(100))))

    def test_one_with_endless_headers(self, tmp_path: Path) -> None:
        with pytest.raises(TargetError, match="headers of one member take more than"):
            find(tmp_path, host(member("x", pax_headers={"comment": "y" * 1024 * 1024})))
        info, _ = member("x" * 1024 * 1024)
        with pytest.raises(TargetError, match="headers of one member take more than"):
            find(tmp_path, host((info, b""), form=tarfile.GNU_FORMAT))

    def test_one_with_an_endless_number_in_a_header(self, tmp_path: Path) -> None:
        with pytest.raises(TargetError, match="endless number"):
            find(tmp_path, host(member("x", pax_headers={"comment": "1" * 200_000})))

    def test_one_with_more_than_memory_should_hold(
        self, world: Callable[[bytes], RootWorld], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(archive, "MAX_KEPT", 22)
        found = world(host(member("host7/etc/httpd.conf", b"server\n")))
        assert "archive's files take more than" in refusal(found.answer(ReadFile("/etc/httpd.conf")))
        assert found.answer(ReadFile("/etc/pf.conf")) == Found(b"pass\n")

    def test_one_nested_deeply(self, tmp_path: Path) -> None:
        roots = find(tmp_path, host(member("a/" * 2000 + "b")))
        assert [found.host for found in roots] == ["host7"]
        assert "not searched" in roots.errors[0]


class TestDamage:
    """Of an archive that is damaged or cut short nothing is believed: what is missing may be in the lost part."""

    @pytest.mark.parametrize("pack", [bytes, gzip.compress, bz2.compress, lzma.compress])
    @pytest.mark.parametrize("share", [0.3, 0.5, 0.9])
    def test_cut_short(self, tmp_path: Path, pack: Callable[[bytes], bytes], share: float) -> None:
        whole = pack(
            tar([member(f"host7/etc/{n}", bytes(range(256)) * 9) for n in ("pf.conf", "a", "b")], tarfile.GNU_FORMAT)[:9728]
        )
        with pytest.raises(TargetError) as caught:
            find(tmp_path, whole[: int(len(whole) * share)])
        assert caught.value.code == 4

    def test_a_broken_header_in_the_middle(self, tmp_path: Path) -> None:
        data = bytearray(host())
        at = data.index(b"host7/etc/mail")
        data[at] ^= 1
        with pytest.raises(TargetError, match="damaged or cut short"):
            find(tmp_path, bytes(data))

    def test_a_broken_checksum(self, tmp_path: Path) -> None:
        data = bytearray(gzip.compress(host()))
        data[-5] ^= 1
        with pytest.raises(TargetError, match="damaged or cut short"):
            find(tmp_path, bytes(data))

    def test_every_byte_changed(self, tmp_path: Path) -> None:
        """Whatever is changed in the headers, nothing but `TargetError` comes out."""
        data = host(member("host7/etc/link", type=tarfile.SYMTYPE, linkname="x"))
        for at in range(1024):
            changed = bytearray(data)
            changed[at] ^= 0x85
            (tmp_path / "x.tar").write_bytes(changed)
            try:
                read_archive(tmp_path / "x.tar")
            except TargetError as error:
                assert error.code in (2, 4)  # noqa: PT017 - either outcome is right


@pytest.mark.parametrize(
    ("data", "why", "code"),
    [
        (b"", "neither a directory nor a tar archive", 2),
        (b"pass in quick\n" * 100, "neither a directory nor a tar archive", 2),
        (bytes(10240), "nothing to audit", 3),
        (tar([member("readme.txt", b"x")]), "nothing to audit", 3),
        (gzip.compress(b"no archive", mtime=0), "damaged or cut short", 4),
    ],
)
def test_what_is_no_archive_of_a_host(tmp_path: Path, data: bytes, why: str, code: int) -> None:
    with pytest.raises(TargetError, match=why) as caught:
        find(tmp_path, data)
    assert caught.value.code == code


def test_zstd_where_python_cannot_read_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "compression.zstd", None)
    with pytest.raises(TargetError, match="compressed with zstd") as caught:
        find(tmp_path, b"\x28\xb5\x2f\xfd" + bytes(600))
    assert caught.value.code == 2
