"""The neck of the hourglass: one question about a mail host, and its answer, as data."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum


class Reason(StrEnum):
    """Why something could not be told: the closed list of contract, section 3."""

    OFFLINE = "offline"
    NOT_RECORDED = "not-recorded"
    UNREADABLE = "unreadable"
    NOT_READ = "not-read"
    TIMEOUT = "timeout"
    SERVFAIL = "servfail"
    REFUSED = "refused"
    PROTOCOL = "protocol"
    IN_DOUBT = "in-doubt"
    CRASHED = "crashed"


NOT_ASKED = frozenset({Reason.OFFLINE, Reason.NOT_RECORDED})
"""The reasons that are no failure: nobody was to ask, or whoever recorded did not; the audit is whole (contract, section 2)."""
_ALLOWING = re.compile(r"; this line of (doas\.conf|sudoers) would allow it: ")
OVER = "seconds for this host were over"
LATE = "the host did not answer in time"
OUT_OF_TIME = (OVER, LATE)  # in details: a longer `--timeout` gives time for it; who never answers gets no more of it


def allowing(file: str, line: str) -> str:
    """What stands at the end of a refusal's detail: the line of doas.conf or sudoers that would allow what is refused."""
    return f"; this line of {file} would allow it: {line}"


def refusal(detail: str) -> tuple[str, str, str]:
    """A detail without the line that would allow what it tells of, that line's file and the line; empty where there is none."""
    said, file, line = (*_ALLOWING.split(detail, 1), "", "")[:3]
    return said, file, line


class Command(StrEnum):
    """The closed list of read-only commands (catalogue, Appendix D); a survey cannot invent one."""

    UNAME = "uname"
    HOSTNAME = "hostname"
    IFCONFIG = "ifconfig"
    NETSTAT = "netstat"
    RCCTL_LS_ON = "rcctl-ls-on"
    RCCTL_LS_STARTED = "rcctl-ls-started"
    RCCTL_LS_FAILED = "rcctl-ls-failed"
    RCCTL_ORDER = "rcctl-order"
    PKG_INFO = "pkg_info"
    PS = "ps"
    CRONTAB_ROOT = "crontab-l-root"
    PFCTL_INFO = "pfctl-si"
    PFCTL_RULES = "pfctl-sr"
    PFCTL_CHECK = "pfctl-nvf"
    SMTPD_CHECK = "smtpd-n"
    SMTPCTL_QUEUE = "smtpctl-show-queue"
    SMTPCTL_HOSTS = "smtpctl-show-hosts"
    DOVECOT_VERSION = "dovecot--version"
    DOVECONF = "doveconf-n"
    RSPAMADM_CONFIGTEST = "rspamadm-configtest"
    RSPAMADM_CONFIGDUMP = "rspamadm-configdump"
    SSHD = "sshd-T"
    SYSPATCH = "syspatch-c"
    MACHINE = "machine"
    NTPCTL = "ntpctl-s-status"


CHECKERS = (Command.PFCTL_CHECK, Command.SMTPD_CHECK, Command.DOVECONF, Command.RSPAMADM_CONFIGTEST)
"""The daemons' own checkers: what one says against the files is of no account once a file is written."""


@dataclass(frozen=True, slots=True)
class ReadFile:
    """The bytes of a file; answered by `bytes`."""

    path: str

    def __str__(self) -> str:
        return self.path


@dataclass(frozen=True, slots=True)
class StatFile:
    """Type, mode and owner of a path, links not followed; answered by `Stat`."""

    path: str

    def __str__(self) -> str:
        return f"stat {self.path}"


@dataclass(frozen=True, slots=True)
class ListFiles:
    """The paths that match a glob; answered by a sorted `tuple[str, ...]`."""

    pattern: str

    def __str__(self) -> str:
        return f"ls {self.pattern}"


@dataclass(frozen=True, slots=True)
class RunCommand:
    """The output of one command of the closed list; answered by `CommandOutput`."""

    command: Command

    def __str__(self) -> str:
        return str(self.command)


@dataclass(frozen=True, slots=True)
class PublicKey:
    """The public half of a private key, computed where the key is; answered by `KeyFacts`."""

    path: str

    def __str__(self) -> str:
        return f"public half of {self.path}"


@dataclass(frozen=True, slots=True)
class LookUp:
    """One DNS question: owner with its final dot, and type; answered by `RRset`."""

    owner: str
    type: str

    def __str__(self) -> str:
        return f"{self.owner} {self.type}"


@dataclass(frozen=True, slots=True)
class ZoneSecurity:
    """The DNSSEC state of a zone; answered by `"secure"`, `"insecure"` or `"bogus"`."""

    zone: str

    def __str__(self) -> str:
        return f"{self.zone} DNSSEC"


@dataclass(frozen=True, slots=True)
class ZoneFault:
    """Where DNSSEC's chain to a bogus zone breaks; answered by words for a reader, empty where it does not."""

    zone: str

    def __str__(self) -> str:
        return f"{self.zone} DNSSEC fault"


@dataclass(frozen=True, slots=True)
class Handshake:
    """What a listener shows from outside; answered by `Endpoint`.

    How it is asked is no part of the question: `name` is what those who connect call the listener, `domain` one whose mail it
    takes.
    """

    address: str
    port: int
    protocol: str
    name: str = field(default="", compare=False)
    domain: str = field(default="", compare=False)

    def __str__(self) -> str:
        return f"{self.address} {self.port} {self.protocol}"


@dataclass(frozen=True, slots=True)
class FetchPolicy:
    """A domain's MTA-STS policy, as its own web host serves it (RFC 8461, section 3.3); answered by `Endpoint`.

    `addresses` are the host's: how it is asked, not what.
    """

    domain: str
    addresses: tuple[str, ...] = field(default=(), compare=False)

    @property
    def host(self) -> str:
        """The name of the web host."""
        return f"mta-sts.{self.domain}"

    def __str__(self) -> str:
        return f"https://{self.host}/.well-known/mta-sts.txt"


Question = ReadFile | StatFile | ListFiles | RunCommand | PublicKey | LookUp | ZoneSecurity | ZoneFault | Handshake | FetchPolicy
LIVE = (LookUp, ZoneSecurity, ZoneFault, Handshake, FetchPolicy)  # questions that need the network


@dataclass(frozen=True, slots=True)
class Stat:
    """A path's metadata.

    `type` is file, directory, symlink, fifo, socket or device; `mode` the permission bits, `None` where not recorded.
    """

    type: str
    mode: int | None = None
    owner: str | None = None
    group: str | None = None
    size: int | None = None
    mtime: str | None = None
    target: str | None = None

    @property
    def shown(self) -> str:
        """Mode and owner as ls(1) has them: `0644 root:wheel`."""
        mode = "?" if self.mode is None else f"{self.mode:04o}"
        return f"{mode} {self.owner}:{self.group}"


def now() -> str:
    """The present time as answers and reports have it: in UTC, to the second."""
    return _written(datetime.now(UTC))


def _written(time: datetime) -> str:
    return f"{time.replace(tzinfo=None).isoformat(timespec='seconds')}Z"


def mtime(seconds: float) -> str | None:
    """A time since 1970 as `Stat` has it; None for one that no calendar has, which file systems keep all the same."""
    try:
        return _written(datetime.fromtimestamp(int(seconds), UTC))
    except (OverflowError, ValueError, OSError):
        return None


@dataclass(frozen=True, slots=True)
class CommandOutput:
    """Exit status and standard output of a command; `of_before` is true of what was said before the files became what they are.

    So is all that a record has: its files may have been edited since.
    """

    status: int
    stdout: str
    of_before: bool = False


@dataclass(frozen=True, slots=True)
class KeyFacts:
    """A key's public half: kind (`rsa`, `ecdsa`, `ed25519`), bits, and `sha256:` digest of its SubjectPublicKeyInfo."""

    kind: str
    bits: int
    spki: str


@dataclass(frozen=True, slots=True)
class RRset:
    """The final answer to a DNS question, in presentation text."""

    rcode: str
    records: tuple[str, ...] = ()
    ttl: int | None = None
    ad: bool | None = None
    cname: tuple[str, ...] = ()
    servers: Mapping[str, Mapping[str, object]] = field(default_factory=dict, hash=False)


@dataclass(frozen=True, slots=True)
class Endpoint:
    """What a listener said: the fields of an `endpoints` or `policies` entry (docs/answers.md)."""

    fields: Mapping[str, object] = field(default_factory=dict, hash=False)


Value = bytes | str | Stat | tuple[str, ...] | CommandOutput | KeyFacts | RRset | Endpoint


@dataclass(frozen=True, slots=True)
class Found:
    """It was looked for and is there."""

    value: Value


@dataclass(frozen=True, slots=True)
class Absent:
    """It was looked for and is not there."""


@dataclass(frozen=True, slots=True)
class Failed:
    """It could not be looked at, and why; `detail` is a sentence for a person."""

    reason: Reason
    detail: str = ""


Answer = Found | Absent | Failed
