"""What recorded commands say of the system itself: its release, name, packages, patches and clock."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from mailaudit.models.hostname_if import MYNAME
from mailaudit.models.release import Number
from mailaudit.models.sources import Known, Lacking, Model, Slot, Sources
from mailaudit.parsers.tree import Token, Tree
from mailaudit.questions import Absent, Command, CommandOutput, Failed, Found, Reason, RunCommand

TYPED: Mapping[Command, str] = {
    Command.UNAME: "uname -sr",
    Command.HOSTNAME: "hostname",
    Command.MACHINE: "machine",
    Command.PKG_INFO: "pkg_info -q",
    Command.PS: "ps -axww -o pid,user,lstart,command",
    Command.RCCTL_LS_ON: "rcctl ls on",
    Command.RCCTL_LS_STARTED: "rcctl ls started",
    Command.RCCTL_LS_FAILED: "rcctl ls failed",
    Command.RCCTL_ORDER: "rcctl order",
    Command.SMTPCTL_QUEUE: "smtpctl show queue",
    Command.SYSPATCH: "syspatch -c",
    Command.NTPCTL: "ntpctl -s status",
    Command.SSHD: "sshd -T",
    Command.PFCTL_INFO: "pfctl -si",
    Command.PFCTL_RULES: "pfctl -sr",
    Command.PFCTL_CHECK: "pfctl -nvf /etc/pf.conf",
    Command.SMTPD_CHECK: "smtpd -n",
    Command.DOVECONF: "doveconf -n",
    Command.RSPAMADM_CONFIGTEST: "rspamadm configtest",
}
"""The commands as a person types them, for evidence."""
TELLS_BY_STATUS = frozenset({Command.RCCTL_LS_STARTED, Command.RCCTL_LS_FAILED, Command.NTPCTL})
"""Those that say with a status other than 0 that something is not as it should be, and still say it."""
_UNAME = re.compile(r"(\S+) (?:\S+ )?(\d{1,9})\.(\d{1,9})(?=\s|-|\Z)")
_PACKAGE = re.compile(r"(\S+?)-(\d[^-\s]*)((?:-[^-\s]+)*)(?=\s|\Z)")


@dataclass(frozen=True)
class Uname(Model):
    """The system's name, its release as two numbers, and the words that uname(1) said."""

    system: str
    release: Number | None
    said: str


@dataclass(frozen=True, eq=False)
class HostName(Model):
    """The host's name: as it is `now`, and as `written` in /etc/myname for the next boot; None for what is not known."""

    now: str | None = None
    written: Token | None = None


@dataclass(frozen=True)
class Machine(Model):
    """The machine's architecture: `amd64`."""

    architecture: str


@dataclass(frozen=True, slots=True)
class Package:
    """An installed package: `rspamd`, `3.12.1`, `("hyperscan",)`."""

    stem: str
    version: str
    flavors: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The name as pkg_info(1) has it."""
        return "-".join((self.stem, self.version, *self.flavors))

    @property
    def family(self) -> str:
        """The first two numbers of its version: `2.3`."""
        return ".".join(re.findall(r"\d+", self.version)[:2])


@dataclass(frozen=True)
class Packages(Model):
    """The installed packages."""

    installed: tuple[Package, ...] = ()

    def of(self, *stems: str) -> Package | None:
        """The first installed package of one of these stems."""
        return next((each for stem in stems for each in self.installed if each.stem == stem), None)


@dataclass(frozen=True)
class Patches(Model):
    """The patches of the base system that are out and not installed."""

    missing: tuple[str, ...] = ()


@dataclass(frozen=True)
class TimeKeeping(Model):
    """What ntpd(8) says of the clock; `synced` is None where it says neither."""

    synced: bool | None
    said: str


def said(sources: Sources, command: Command) -> str | Lacking:
    """What a command printed, or why that is not known."""
    typed = TYPED.get(command, str(command))
    answer = sources.ask(RunCommand(command))
    if isinstance(answer, Failed):
        return Lacking(answer.reason, answer.detail or f"what `{typed}` says was not recorded")
    if isinstance(answer, Absent):
        return Lacking(Reason.NOT_RECORDED, f"the host has no `{typed}`")
    assert isinstance(answer, Found)
    assert isinstance(answer.value, CommandOutput)
    if answer.value.status != 0 and not (command in TELLS_BY_STATUS and answer.value.stdout.strip()):
        return Lacking(Reason.UNREADABLE, f"`{typed}` ended with status {answer.value.status}")
    return answer.value.stdout


def read_uname(sources: Sources) -> Slot[Uname]:
    """The system and its release."""
    output = said(sources, Command.UNAME)
    if isinstance(output, Lacking):
        return output
    match = _UNAME.match(output)
    system = output.split(" ", 1)[0].strip()
    return Known(Uname(system, (int(match[2]), int(match[3])) if match else None, output.strip()))


def read_host_name(sources: Sources) -> Slot[HostName]:
    """The host's name."""
    tree = sources.tree(MYNAME, "myname")
    output = said(sources, Command.HOSTNAME)
    if isinstance(output, Lacking) and not isinstance(tree, Tree):
        return output
    lines = [each for each in tree.statements if each.kind == "line"] if isinstance(tree, Tree) else []
    now = None if isinstance(output, Lacking) else output.strip() or None
    return Known(
        HostName(now=now, written=lines[0].tokens[0] if lines else None, trees=(tree,) if isinstance(tree, Tree) else ())
    )


def read_machine(sources: Sources) -> Slot[Machine]:
    """The architecture."""
    output = said(sources, Command.MACHINE)
    return output if isinstance(output, Lacking) else Known(Machine(output.strip()))


def read_packages(sources: Sources) -> Slot[Packages]:
    """The installed packages: the first word of each line of pkg_info(1)."""
    output = said(sources, Command.PKG_INFO)
    if isinstance(output, Lacking):
        return output
    found = (_PACKAGE.match(line) for line in output.splitlines())
    return Known(Packages(tuple(Package(m[1], m[2], tuple(m[3].split("-")[1:])) for m in found if m is not None)))


def read_patches(sources: Sources) -> Slot[Patches]:
    """The patches that syspatch(8) would install: one a line."""
    output = said(sources, Command.SYSPATCH)
    return output if isinstance(output, Lacking) else Known(Patches(tuple(output.split())))


def read_time_keeping(sources: Sources) -> Slot[TimeKeeping]:
    """Whether the clock is synchronised (ntpctl.c: "clock synced" or "clock unsynced")."""
    output = said(sources, Command.NTPCTL)
    if isinstance(output, Lacking):
        return output
    words = re.search(r"\bclock (un)?synced\b", output)
    return Known(TimeKeeping(None if words is None else words[1] is None, output.strip()))


def read_system(sources: Sources) -> dict[type, Slot[object]]:
    """All of it, by type."""
    return {
        Uname: sources.make(read_uname),
        HostName: sources.make(read_host_name),
        Machine: sources.make(read_machine),
        Packages: sources.make(read_packages),
        Patches: sources.make(read_patches),
        TimeKeeping: sources.make(read_time_keeping),
    }
