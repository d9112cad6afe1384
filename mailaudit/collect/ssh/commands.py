"""What is asked of a live host, and nothing else: the files by pattern and the commands with their arguments."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from fnmatch import fnmatchcase

from mailaudit.questions import Command

FILES = (
    "/etc/*",
    "/root/.forward",
    "/usr/local/etc/*",
    "/usr/local/lib/dovecot/*",
    "/usr/local/share/dovecot/*",
    "/usr/local/share/examples/rspamd/*",
    "/usr/local/share/rspamd/*",
    "/usr/share/misc/*",
    "/var/cron/*",
    "/var/db/rspamd/*",
    "/var/dovecot/*",
    "/var/rspamd/*",
    "/var/www/acme/*",
    "/var/www/conf/*",
    "*/.forward",
    "*.sieve",
    "*.sh",
    "*.pub",
    "*.pubkey",
    "*.pem",
    "*.crt",
)
"""The files that are read; `*` crosses slashes. Of any other path only type, mode, owner and size are asked."""
NEVER = (
    "*/private/*",
    "*.key",
    "*_key",
    "/etc/spwd.db",
    "/etc/soii.key",
    "/etc/shadow*",
    "/etc/gshadow*",
    "*/id_rsa",
    "*/id_ed25519",
    "*/id_ecdsa",
    "/etc/iked/*.key",
    "/etc/random.seed",
)
"""The files that are never read, not even where `FILES` has them; of a private key the host computes the public half."""
PASSWORDS = ("*passwd*", "*credential*", "*secret*", "*shadow*", "*/users")
"""Files whose lines are `name:password...`: the password leaves the host as scheme, length and keyed digest."""
NO_PASSWORDS = ("*.conf", "*.ext", "*.inc", "*.sh", "*.sieve", "*.pem", "*.crt", "*.pub", "*.toml", "*.db", "*.lua")


@dataclass(frozen=True, slots=True)
class Words:
    """A command's words, the first an absolute path, and whether it takes root, and longer than all others together.

    One that `complains` says on standard error what it has against a file: that, not what it prints, is its answer then.
    """

    words: tuple[str, ...]
    root: bool = False
    slow: bool = False
    complains: bool = False


STAT_WORDS = ("/usr/bin/stat", "-f", "%p:%Su:%Sg:%z:%m:%Y")
"""How metadata is asked for on OpenBSD; `--` and the path follow."""
COMMANDS = {
    Command.UNAME: Words(("/usr/bin/uname", "-srm")),
    Command.HOSTNAME: Words(("/bin/hostname",)),
    Command.MACHINE: Words(("/usr/bin/machine",)),
    Command.IFCONFIG: Words(("/sbin/ifconfig", "-A")),
    Command.NETSTAT: Words(("/usr/bin/netstat", "-ln")),
    Command.RCCTL_LS_ON: Words(("/usr/sbin/rcctl", "ls", "on")),
    Command.RCCTL_LS_STARTED: Words(("/usr/sbin/rcctl", "ls", "started"), root=True),
    Command.RCCTL_LS_FAILED: Words(("/usr/sbin/rcctl", "ls", "failed"), root=True),
    Command.RCCTL_ORDER: Words(("/usr/sbin/rcctl", "order")),
    Command.PKG_INFO: Words(("/usr/sbin/pkg_info", "-q")),
    Command.PS: Words(("/bin/ps", "-axww", "-o", "pid,user,lstart,command")),
    Command.CRONTAB_ROOT: Words(("/usr/bin/crontab", "-l", "-u", "root"), root=True),
    Command.PFCTL_INFO: Words(("/sbin/pfctl", "-si"), root=True),
    Command.PFCTL_RULES: Words(("/sbin/pfctl", "-sr"), root=True),
    Command.PFCTL_CHECK: Words(("/sbin/pfctl", "-nvf", "/etc/pf.conf"), root=True, complains=True),
    Command.SMTPD_CHECK: Words(("/usr/sbin/smtpd", "-n"), root=True, complains=True),
    Command.SMTPCTL_QUEUE: Words(("/usr/sbin/smtpctl", "show", "queue"), root=True),
    Command.SMTPCTL_HOSTS: Words(("/usr/sbin/smtpctl", "show", "hosts"), root=True),
    Command.DOVECOT_VERSION: Words(("/usr/local/sbin/dovecot", "--version")),
    Command.DOVECONF: Words(("/usr/local/bin/doveconf", "-n"), root=True, complains=True),
    Command.RSPAMADM_CONFIGTEST: Words(("/usr/local/bin/rspamadm", "configtest"), root=True, slow=True),
    Command.RSPAMADM_CONFIGDUMP: Words(
        ("/usr/local/bin/rspamadm", "configdump", "dkim_signing", "worker", "actions"), root=True, slow=True
    ),
    Command.SSHD: Words(("/usr/sbin/sshd", "-T"), root=True),
    Command.SYSPATCH: Words(("/usr/sbin/syspatch", "-c"), root=True),
    Command.NTPCTL: Words(("/usr/sbin/ntpctl", "-s", "status"), root=True),
}
"""Every command of the closed list with its exact words, as doas.conf(5) may name them."""


def is_readable(path: str) -> bool:
    """True if a file is one of those that are read."""
    clean = path.startswith("/") and ".." not in path.split("/") and "\0" not in path
    return clean and any(fnmatchcase(path, each) for each in FILES) and not any(fnmatchcase(path, each) for each in NEVER)


def holds_passwords(path: str) -> bool:
    """True if the second field of the file's lines is a password."""
    return any(fnmatchcase(path, each) for each in PASSWORDS) and not any(fnmatchcase(path, each) for each in NO_PASSWORDS)


def told() -> str:
    """All that is asked of a live host, in words."""
    plain = [shlex.join(each.words) for each in COMMANDS.values() if not each.root]
    as_root = [shlex.join(each.words) for each in COMMANDS.values() if each.root]
    parts = {
        "Read, as far as the configuration leads to them ('*' crosses slashes)": FILES,
        "Never read": NEVER,
        "Passwords are masked on the host itself in": PASSWORDS,
        "Asked of any path": (
            f"{' '.join(STAT_WORDS)} -- PATH",
            "/bin/ls -1a DIRECTORY",
            "/usr/bin/openssl pkey -in KEY -pubout",
        ),
        "Run as whoever logs in": plain,
        "Run as root, each by doas or sudo, or not at all": as_root,
    }
    return "\n".join(line for title, lines in parts.items() for line in (f"{title}:", *(f"  {each}" for each in lines), ""))


def doas_line(user: str, *words: str) -> str:
    """The line of doas.conf(5) that lets a user run one exact command as root."""
    arguments = " ".join(map(_quoted, words[1:]))
    return f"permit nopass {_quoted(user)} as root cmd {_quoted(words[0])} args {arguments}".rstrip()


def root_line(means: str, user: str, *words: str) -> tuple[str, str]:
    """The file, `doas.conf` or `sudoers`, and its line that lets a user run one exact command by `doas -n` or `sudo -n`."""
    if not means.startswith("sudo"):
        return "doas.conf", doas_line(user, *words)
    arguments = " ".join(_escaped(word) for word in words[1:]) or '""'
    return "sudoers", f"{_escaped(user)} ALL=(root) NOPASSWD: {_escaped(words[0])} {arguments}"


def _escaped(word: str) -> str:
    """A word of sudoers(5): it is a pattern as well, in which a backslash is written twice."""
    return re.sub(r"[,:=#*?\[\]!^ ]", r"\\\g<0>", word.replace("\\", "\\" * 4))


def _quoted(word: str) -> str:
    if word and all(each.isalnum() or each in "-_./:%,=@+*~" for each in word):
        return word
    escaped = word.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
