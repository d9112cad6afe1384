"""A tar archive as files in memory: read once, bounded, nothing unpacked to disk, hostile members refused by name."""

from __future__ import annotations

import bz2
import gzip
import importlib
import lzma
import re
import tarfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO, Any

from mailaudit.collect.directory import MAX_FILE, MAX_PATH
from mailaudit.collect.memory import Entry, directory_entry, place
from mailaudit.collect.world import TargetError
from mailaudit.questions import Stat, mtime

MAX_UNPACKED = 1024 * 1024 * 1024  # bytes that an archive may decompress to
MAX_KEPT = 128 * 1024 * 1024  # bytes of files held in memory
MAX_MEMBERS = 200_000
MAX_GLOBALS = 100  # fields that a pax archive states for all members, copied for each
MAX_HEADER = 256 * 1024  # bytes of one member's headers, with those that extend them
MAX_NOTED = 20  # refused members that are named one by one
_CHUNK = 64 * 1024
_ZSTD = b"\x28\xb5\x2f\xfd"
_DIGITS = re.compile(rb"[0-9]{64}")

_TYPES = {
    tarfile.REGTYPE: "file",
    tarfile.AREGTYPE: "file",
    tarfile.CONTTYPE: "file",
    tarfile.DIRTYPE: "directory",
    tarfile.SYMTYPE: "symlink",
    tarfile.FIFOTYPE: "fifo",
    tarfile.CHRTYPE: "device",
    tarfile.BLKTYPE: "device",
}


class _HostileError(Exception):
    """The archive is one that would cost too much to read."""


class _Forward:
    """The decompressed bytes of an archive, forward only and bounded, as `tarfile` reads them."""

    def __init__(self, source: IO[bytes]) -> None:
        self._source = source
        self._at = 0
        self._header = 0
        self._in_header = False
        self.last = b""

    def start_header(self) -> None:
        """What follows are a member's headers, which are bounded more narrowly."""
        self._header = 0
        self._in_header = True

    def start_data(self) -> None:
        """What follows is a member's data."""
        self._in_header = False

    def tell(self) -> int:
        """The offset in the decompressed bytes."""
        return self._at

    def seek(self, offset: int) -> None:
        """Skip forward."""
        if offset < self._at:
            raise tarfile.ReadError("a member begins before the one that precedes it ends")
        while self._at < offset:
            if not self._take(min(_CHUNK, offset - self._at)):
                raise tarfile.ReadError("unexpected end of data")

    def read(self, size: int) -> bytes:
        """Up to `size` bytes, fewer only at the end."""
        if self._in_header:
            self._header += size
            if not 0 <= self._header <= MAX_HEADER:
                raise _HostileError(f"the headers of one member take more than {MAX_HEADER // 1024} KiB")
        chunks = []
        while size > 0 and (chunk := self._take(min(_CHUNK, size))):
            chunks.append(chunk)
            size -= len(chunk)
        data = b"".join(chunks)
        if self._in_header:
            self.last = data
            # tarfile searches extended headers in a time quadratic in the length of a run of digits (CVE-2024-6232)
            if len(data) > tarfile.BLOCKSIZE and _DIGITS.search(data):
                raise _HostileError("an extended header holds an endless number")
        return data

    def drain(self) -> None:
        """Read to the end, so that the checksum of the compression is checked."""
        while self._take(_CHUNK):
            pass

    def _take(self, size: int) -> bytes:
        data = self._source.read(size)
        self._at += len(data)
        if self._at > MAX_UNPACKED:
            raise _HostileError(f"it unpacks to more than {MAX_UNPACKED // 1024**3} GiB")
        return data


@dataclass
class Archive:
    """An archive's members as a directory tree.

    `refused` names those that were left out and why; `modes` says whether the headers tell the host's own modes and owners
    (those of `git archive` do not); `kept` counts the bytes in memory.
    """

    root: Entry = field(default_factory=directory_entry)
    refused: list[str] = field(default_factory=list)
    modes: bool = True
    kept: int = 0


def read_archive(path: Path) -> Archive:
    """Read a tar archive, compressed with gzip, bzip2, xz or (where Python can) zstd, or not.

    Raises `TargetError` with code 2 if it is no such thing, 4 if it is damaged, truncated, or too costly to read.
    """
    try:
        with path.open("rb") as raw, _decompressed(raw, path) as source:
            return _read(_Forward(source), path)
    except _HostileError as error:
        raise TargetError(f"{path}: refused, {error}", 4) from error
    except (OSError, EOFError, ValueError, IndexError, tarfile.TarError, zlib.error, lzma.LZMAError) as error:
        raise TargetError(f"{path}: the archive is damaged or cut short ({error}); nothing of it was read", 4) from error


def _decompressed(raw: IO[bytes], path: Path) -> Any:
    magic = raw.read(512)
    raw.seek(0)
    openers: dict[bytes, Callable[[IO[bytes]], Any]] = {
        b"\x1f\x8b": lambda file: gzip.GzipFile(fileobj=file, mode="rb"),
        b"BZh": bz2.BZ2File,
        b"\xfd7zXZ\0": lzma.LZMAFile,
        _ZSTD: lambda file: _zstd(file, path),
    }
    for start, opener in openers.items():
        if magic.startswith(start):
            return opener(raw)
    if len(magic) < 512 or (magic[257:262] != b"ustar" and not _checksum_holds(magic)):
        raise TargetError(f"{path} is neither a directory nor a tar archive", 2)
    return raw


def _zstd(file: IO[bytes], path: Path) -> Any:
    try:
        return importlib.import_module("compression.zstd").ZstdFile(file)
    except ImportError:
        raise TargetError(
            f"{path} is compressed with zstd, which this Python cannot read (3.14 can); unpack it and scan the folder", 2
        ) from None


def _checksum_holds(block: bytes) -> bool:
    """True for the header of an archive older than ustar, and for an archive of nothing but zeros, which is empty."""
    if not any(block):
        return True
    digits = block[148:156].strip(b" \0")
    plain = sum(block[:148]) + 32 * 8 + sum(block[156:])
    return digits.isdigit() and not digits.strip(b"01234567") and int(digits, 8) == plain


def _read(source: _Forward, path: Path) -> Archive:
    archive = Archive()
    source.start_header()
    # an `IO` of few methods: tarfile asks for no others when it reads forward
    with tarfile.TarFile(fileobj=source, mode="r", encoding="utf-8", errors="surrogateescape") as tar:  # type: ignore[arg-type]
        count = 0
        while (member := tar.next()) is not None:
            source.start_data()
            count += 1
            if count > MAX_MEMBERS:
                raise _HostileError(f"it has more than {MAX_MEMBERS} members")
            _take(archive, tar, member)
            tar.members.clear()  # type: ignore[attr-defined] # it would remember every one
            if len(tar.pax_headers) > MAX_GLOBALS:
                raise _HostileError(f"it has more than {MAX_GLOBALS} global headers")
            source.start_header()
        if source.last != bytes(tarfile.BLOCKSIZE):
            raise tarfile.ReadError("it does not end as an archive does")
        comment = tar.pax_headers.get("comment", "")
        archive.modes = re.fullmatch(r"[0-9a-f]{40,64}", comment) is None
    source.start_data()
    source.drain()
    if len(archive.refused) > MAX_NOTED:
        more = len(archive.refused) - MAX_NOTED
        archive.refused[MAX_NOTED:] = [f"and {more} more members of {path.name} were refused"]
    return archive


def _take(archive: Archive, tar: tarfile.TarFile, member: tarfile.TarInfo) -> None:
    name = member.name
    parts = [part for part in name.split("/") if part not in ("", ".")]
    refusal = _refusal(name, parts)
    if refusal:
        archive.refused.append(f"archive member {name[:200]} was refused: {refusal}")
        return
    if not parts:
        return
    entry = _linked(archive, member) if member.type == tarfile.LNKTYPE else _entry(archive, tar, member)
    place(archive.root, parts, entry)


def _refusal(name: str, parts: list[str]) -> str:
    if name.startswith("/"):
        return "its path is absolute"
    if ".." in parts:
        return 'its path goes up with ".."'
    if len(name) > MAX_PATH:
        return f"its path has {len(name)} characters"
    return ""


def _entry(archive: Archive, tar: tarfile.TarFile, member: tarfile.TarInfo) -> Entry:
    stat = Stat(
        type=_TYPES.get(member.type, "device"),
        mode=member.mode & 0o7777,
        owner=member.uname or str(member.uid),
        group=member.gname or str(member.gid),
        size=member.size,
        mtime=mtime(member.mtime),
        target=member.linkname if member.issym() else None,
    )
    if member.issparse():
        return Entry(replace(stat, type="file"), why=f"{member.name} is stored sparsely; unpack the archive and scan the folder")
    if stat.type != "file" or member.size > MAX_FILE:
        return Entry(stat, why=f"{member.name} is no regular file of up to {MAX_FILE // 1024**2} MiB")
    if archive.kept + member.size > MAX_KEPT:
        why = f"the archive's files take more than {MAX_KEPT // 1024**2} MiB, so that {member.name} was not read; "
        return Entry(stat, why=why + "unpack it and scan the folder")
    archive.kept += member.size
    file = tar.extractfile(member)
    assert file is not None
    return Entry(stat, file.read())


def _linked(archive: Archive, member: tarfile.TarInfo) -> Entry:
    """A hard link: the file that it names, which must come before it in the archive."""
    target = member.linkname
    parts = [part for part in target.split("/") if part not in ("", ".")]
    why = _refusal(target, parts)
    at: Entry | None = archive.root
    for part in parts if not why else ():
        at = at.below.get(part) if at is not None else None
    if not why and at is not None and at.stat.type not in ("directory", "symlink"):
        return at
    return Entry(Stat("file"), why=f"{member.name} is a hard link to {target}: {why or 'no such file in the archive'}")
