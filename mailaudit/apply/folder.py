"""Writes a plan to a folder: all of its files or none, each atomically, owner and mode kept, links not followed."""

from __future__ import annotations

import os
import re
import shutil
import stat as modes
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from secrets import token_hex

from mailaudit.collect.directory import RefusedError, components
from mailaudit.wording import why_not

NEW_FILE = 0o644
_GENERATE = re.compile(rb"\{\{generate:([^{}]*)\}\}")
_HEX = re.compile(rb"hex([1-9][0-9]?)")
_MASK = b"{{masked:"
_OPEN = os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NOCTTY


class ApplyError(Exception):
    """A plan that was not written; the message names the file and why, and what was not put back, if anything. Exit code 5."""


class OutPlaceError(ApplyError):
    """A place for the corrected tree that cannot be one. Exit code 2."""


@dataclass(frozen=True, slots=True)
class Written:
    """What was written: files replaced and files created, and (by `out_folder`) what could not be copied, by path on the host."""

    replaced: tuple[str, ...] = ()
    created: tuple[str, ...] = ()
    skipped: tuple[str, ...] = ()


def with_secrets(path: str, data: bytes) -> bytes:
    """The bytes with a secret of its own for each `{{generate:hexN}}`, N random bytes in hexadecimal.

    Raises `ApplyError` for a file that holds masks: what they stand for is not known here.
    """
    if _MASK in data:
        raise ApplyError(f"{path} holds masked values; such a file is never written")

    def secret(match: re.Match[bytes]) -> bytes:
        form = _HEX.fullmatch(match[1])
        if form is None:
            raise ApplyError(f"{path} asks for a secret of an unknown form: {match[0].decode('utf-8', 'replace')}")
        return token_hex(int(form[1])).encode()

    return _GENERATE.sub(secret, data)


def write_folder(
    root: Path,
    files: Mapping[str, bytes],
    read: Mapping[str, bytes | None],
    new_modes: Mapping[str, int] | None = None,
) -> Written:
    """Write files by their paths on the host below a root; all of them, or none and an `ApplyError`.

    `read` holds what each file held when it was read, None where there was none: whatever has changed since stops it all.
    New files get a mode of `new_modes`, else 0644.
    """
    with _transaction() as transaction:
        for path, data in sorted(files.items()):
            mode = (new_modes or {}).get(path, NEW_FILE)
            transaction.stage(root, path, with_secrets(path, data), read.get(path), mode)
        for step in transaction.steps:
            with _telling(step.path):
                step.commit()
        transaction.sync()
    created = tuple(step.path for step in transaction.steps if step.old is None)
    return Written(tuple(step.path for step in transaction.steps if step.old is not None), created)


@dataclass
class Step:
    """One file: its directory, its name there, what was there, and the names of its new and its old content beside it."""

    path: str
    directory: int
    name: str
    old: os.stat_result | None
    new_name: str = field(default_factory=lambda: f".mailaudit-{token_hex(8)}")
    old_name: str = field(default_factory=lambda: f".mailaudit-{token_hex(8)}")
    new: tuple[int, int] = (0, 0)
    kept: bool = False
    begun: bool = False

    def write(self, name: str, data: bytes, mode: int) -> None:
        """Write a file beside it, closed to others until it is whole, with the owner of the file that it replaces."""
        descriptor = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _OPEN, 0o600, dir_fd=self.directory)
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            if self.old is not None:
                self._keep_owner(descriptor, self.old)
            os.fchmod(descriptor, mode)
            os.fsync(descriptor)
            if name == self.new_name:
                status = os.fstat(descriptor)
                self.new = status.st_dev, status.st_ino

    def _keep_owner(self, descriptor: int, old: os.stat_result) -> None:
        new = os.fstat(descriptor)
        if (new.st_uid, new.st_gid) == (old.st_uid, old.st_gid):
            return
        try:
            os.fchown(descriptor, old.st_uid if new.st_uid != old.st_uid else -1, old.st_gid)
        except PermissionError:
            who = f"{old.st_uid}:{old.st_gid}"
            raise ApplyError(f"{self.path} belongs to {who}, which only root may keep; run this as root") from None

    def commit(self) -> None:
        """Put the new content in place; the old one is kept beside it until all is done."""
        if self.old is None:
            self.begun = True
            self._create()
            return
        now = status_at(self.name, self.directory)
        if now is None or _identity(now) != _identity(self.old):
            raise ApplyError(f"{self.path} was changed while this ran")
        self._keep()
        self.begun = True
        os.rename(self.new_name, self.name, src_dir_fd=self.directory, dst_dir_fd=self.directory)

    def _create(self) -> None:
        try:
            os.link(self.new_name, self.name, src_dir_fd=self.directory, dst_dir_fd=self.directory, follow_symlinks=False)
        except FileExistsError:
            raise ApplyError(f"{self.path} was created while this ran") from None
        except OSError:  # no hard links here
            os.rename(self.new_name, self.name, src_dir_fd=self.directory, dst_dir_fd=self.directory)

    def _keep(self) -> None:
        self.kept = True
        try:
            os.link(self.name, self.old_name, src_dir_fd=self.directory, dst_dir_fd=self.directory, follow_symlinks=False)
        except OSError:  # no hard links here, or not to another's file
            assert self.old is not None
            self.write(self.old_name, _content(self.name, self.directory), modes.S_IMODE(self.old.st_mode))

    def undo(self) -> str | None:
        """Put back what was there; says what could not be. It may have been interrupted at any point of `commit`."""
        if not self.begun:
            return None
        try:
            if self.old is None:
                now = status_at(self.name, self.directory)
                if now is not None and (now.st_dev, now.st_ino) == self.new:
                    os.unlink(self.name, dir_fd=self.directory)
            else:
                os.rename(self.old_name, self.name, src_dir_fd=self.directory, dst_dir_fd=self.directory)
        except OSError as error:
            self.kept = False
            beside = "" if self.old is None else f", its old content is in {self.old_name} beside it"
            return f"{self.path} could not be put back ({why_not(error)}){beside}"
        return None

    def tidy(self) -> None:
        """Remove what lies beside it."""
        for name in (self.new_name, *([self.old_name] if self.kept else [])):
            with suppress(OSError):
                os.unlink(name, dir_fd=self.directory)


@dataclass
class Transaction:
    """The steps of a plan, the directories made for them, and the descriptors to close."""

    open: ExitStack
    steps: list[Step] = field(default_factory=list)
    made: list[tuple[int, str]] = field(default_factory=list)

    def stage(self, root: Path, path: str, data: bytes, read: bytes | None, new_mode: int) -> None:
        """Write a file's new content beside it, after making sure that it is what was read."""
        try:
            *above, name = components(path)
        except (RefusedError, ValueError) as error:
            raise ApplyError(f"{path!r} cannot be written: {error}") from error
        with _telling(path):
            directory = self._directory(root, above, path)
            old = status_at(name, directory)
            _same_as_read(path, name, directory, old, read)
            step = Step(path, directory, name, old)
            self.steps.append(step)
            step.write(step.new_name, data, new_mode if old is None else modes.S_IMODE(old.st_mode))

    def _directory(self, root: Path, above: list[str], path: str) -> int:
        descriptor = self._entered(os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC))
        for name in above:
            status = status_at(name, descriptor)
            if status is None:
                os.mkdir(name, 0o755, dir_fd=descriptor)
                self.made.append((descriptor, name))
            elif modes.S_ISLNK(status.st_mode):
                raise ApplyError(f"{path} was not written: {name} on the way to it is a symbolic link, which is not followed")
            descriptor = self._entered(os.open(name, os.O_RDONLY | os.O_DIRECTORY | _OPEN, dir_fd=descriptor))
        return descriptor

    def _entered(self, descriptor: int) -> int:
        self.open.callback(os.close, descriptor)
        return descriptor

    def sync(self) -> None:
        """Make the renames last."""
        for directory in {step.directory for step in self.steps} | {directory for directory, _ in self.made}:
            os.fsync(directory)

    def undo(self) -> list[str]:
        """Put all back; says what could not be."""
        left = [message for step in reversed(self.steps) if (message := step.undo()) is not None]
        self.tidy()
        for directory, name in reversed(self.made):
            with suppress(OSError):  # another's file may lie in it by now
                os.rmdir(name, dir_fd=directory)
        return left

    def tidy(self) -> None:
        """Remove what lies beside the files."""
        for step in self.steps:
            step.tidy()


@contextmanager
def _transaction() -> Iterator[Transaction]:
    """All or nothing: whatever ends it early, signals too, puts back what was done."""
    with ExitStack() as stack:
        transaction = Transaction(stack)
        try:
            yield transaction
        except BaseException as error:
            left = transaction.undo()
            after = f"; {'; '.join(left)}" if left else "; nothing was changed"
            if isinstance(error, ApplyError | OSError):
                message = str(error) if isinstance(error, ApplyError) else why_not(error)
                raise ApplyError(message + after) from error
            if left:
                raise ApplyError(f"interrupted{after}") from error
            raise
        transaction.tidy()


@contextmanager
def _telling(path: str | Path) -> Iterator[None]:
    """Failures of the system name the file."""
    try:
        yield
    except OSError as error:
        raise ApplyError(f"{path} cannot be written: {why_not(error)}") from error


def status_at(name: str, directory: int) -> os.stat_result | None:
    """A directory entry's metadata, a link's own, or None if there is none."""
    try:
        return os.stat(name, dir_fd=directory, follow_symlinks=False)
    except FileNotFoundError:
        return None


def _identity(status: os.stat_result) -> tuple[int, ...]:
    return status.st_dev, status.st_ino, status.st_mode, status.st_size, status.st_mtime_ns, status.st_uid, status.st_gid


def _content(name: str, directory: int) -> bytes:
    descriptor = os.open(name, os.O_RDONLY | os.O_NONBLOCK | _OPEN, dir_fd=directory)
    with os.fdopen(descriptor, "rb") as file:
        return file.read()


def _same_as_read(path: str, name: str, directory: int, old: os.stat_result | None, read: bytes | None) -> None:
    if old is None:
        if read is not None:
            raise ApplyError(f"{path} is gone since it was read")
        return
    if modes.S_ISLNK(old.st_mode):
        raise ApplyError(f"{path} is a symbolic link, which is not followed; fix the file that it leads to")
    if not modes.S_ISREG(old.st_mode):
        raise ApplyError(f"{path} is no regular file")
    if read is None:
        raise ApplyError(f"{path} was not there when it was read, and is now")
    if old.st_size != len(read) or _content(name, directory) != read:
        raise ApplyError(f"{path} was changed since it was read")


def out_folder(
    root: Path,
    out: Path,
    files: Mapping[str, bytes],
    read: Mapping[str, bytes | None],
    new_modes: Mapping[str, int] | None = None,
) -> Written:
    """Write a copy of a root with files changed as a plan says to another directory, which must be empty or not there.

    Links are copied as links; FIFOs, sockets, devices and `.git` are left out. Nothing is there until all of it is.
    """
    with _telling(out):
        source, place = root.resolve(), out.resolve()
    if source == Path("/"):
        raise OutPlaceError("this machine as a whole is not copied; write the changes in place, or scan a copy of its etc/")
    if place == source or source in place.parents or place in source.parents:
        raise OutPlaceError(f"{out} and {root} lie one in the other; choose a directory elsewhere")
    staging = place.parent / f".mailaudit-{token_hex(8)}"
    try:
        if place.exists() and (not place.is_dir() or any(place.iterdir())):
            raise OutPlaceError(f"{out} is there already and not an empty directory")
        place.parent.mkdir(parents=True, exist_ok=True)
        skipped = _copied(source, staging)
        written = write_folder(staging, files, read, new_modes)
        staging.rename(place)
    except OSError as error:
        raise ApplyError(f"{_failing(error, source, staging, out)}: {why_not(error)}; nothing was written") from error
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    return Written(written.replaced, written.created, tuple(skipped))


def _failing(error: OSError, source: Path, staging: Path, out: Path) -> str:
    """Which file could not be read or written: of a copy that fails the system names both, the new one last."""
    name = Path(os.fsdecode(error.filename2 or error.filename or staging))
    if name.is_relative_to(staging):
        return f"{out / name.relative_to(staging)} cannot be written"
    return f"{name} cannot be read" if name.is_relative_to(source) else f"{out} cannot be written"


def _copied(source: Path, target: Path) -> list[str]:
    """Copy a tree; gives the paths of what is not copied."""
    skipped: list[str] = []
    target.mkdir(mode=0o700)
    todo = [(source, target)]
    made = []
    while todo:
        old, new = todo.pop()
        made.append((old, new))
        for entry in sorted(old.iterdir()):
            status = entry.lstat()
            place = new / entry.name
            if modes.S_ISLNK(status.st_mode):
                place.symlink_to(entry.readlink())
            elif modes.S_ISDIR(status.st_mode) and entry.name != ".git":
                place.mkdir(mode=0o700)
                todo.append((entry, place))
            elif modes.S_ISREG(status.st_mode):
                shutil.copy2(entry, place, follow_symlinks=False)
            else:
                skipped.append(f"/{entry.relative_to(source)}")
    for old, new in reversed(made):
        shutil.copystat(old, new)
    return skipped
