"""The mail host's file system: the corrected example's files, what they need here, stand-ins for what only OpenBSD has."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
from collections.abc import Iterable, Mapping
from pathlib import Path

from lab.space import RESOLVER
from lab.zones import CORRECTED
from mailaudit.collect.ssh.commands import COMMANDS, STAT_WORDS, doas_line
from mailaudit.questions import Command

USER = "auditor"
PASSWORD = "correct-horse-battery-staple"
"""That of example_user@example.com."""
SUBSTITUTIONS: Mapping[str, str] = {
    "/etc/passwd": "more lines: Debian's names of the daemons' accounts with OpenBSD's numbers, and who audits",
    "/etc/group": "the same",
    "/etc/master.passwd": "who audits",
    "/etc/doas.conf": "more lines: what it lets the auditor do, a line for each command",
    "/etc/mail/credentials": "the hash of a password that the tests know",
    "/etc/mail/dkim/example.com.pubkey": "the key of this test session",
    "/etc/ssl/mail.example.com.pem": "the certificate of this test session",
}
"""What differs from the corrected example's files, and why. All else is it, byte for byte."""
PLACES: Mapping[str, str] = {
    "/usr/bin/ksh": "/bin/sh",
    "/usr/local/bin/doveconf": "/usr/bin/doveconf",
    "/usr/local/bin/rspamadm": "/usr/bin/rspamadm",
    "/usr/local/bin/rspamc": "/usr/bin/rspamc",
    "/usr/local/sbin/dovecot": "/usr/sbin/dovecot",
    "/usr/local/sbin/redis-server": "/usr/bin/redis-server",
}
"""Where OpenBSD has what Debian has elsewhere."""
NEWER = "/var/lab/newer"
"""Where Debian 13's root is mounted in the host's; it has the host's /etc, /home, /run and /var."""
OF_NEWER: Mapping[str, str] = {
    "/usr/sbin/smtpd": "/usr/sbin/smtpd -f /etc/mail/smtpd.conf",
    "/usr/sbin/smtpctl": "/usr/sbin/smtpctl",
    "/usr/local/libexec/smtpd/filter-rspamd": "/usr/libexec/opensmtpd/filter-rspamd",
    "/usr/local/libexec/smtpd/table-passwd": "/usr/libexec/opensmtpd/table-passwd",
}
"""OpenSMTPD's programs, as they are called and as Debian 13 has them."""
SAID = (
    Command.UNAME, Command.HOSTNAME, Command.MACHINE, Command.IFCONFIG, Command.RCCTL_LS_ON, Command.RCCTL_LS_STARTED,
    Command.RCCTL_LS_FAILED, Command.RCCTL_ORDER, Command.PKG_INFO, Command.CRONTAB_ROOT, Command.PFCTL_INFO, Command.PFCTL_RULES,
    Command.PFCTL_CHECK, Command.SYSPATCH, Command.NTPCTL,
)  # fmt: skip
"""Commands that only OpenBSD has: their stand-ins print what the example's record says."""
READ = (
    "/etc/hostname.vio0", "/etc/mail/credentials", "/etc/mail/smtpd.conf", "/etc/master.passwd", "/etc/pf.conf",
    "/etc/redis/redis.conf", "/etc/rspamd/local.d/redis.conf", "/etc/rspamd/local.d/worker-controller.inc", "/etc/smtpd.conf.bak",
)  # fmt: skip
"""Closed files that doas.conf lets the auditor read."""
KEYS = ("/etc/mail/dkim/example.com.key", "/etc/ssl/private/letsencrypt.key", "/etc/ssl/private/mail.example.com.key")
"""Keys whose public half it may have the host compute."""
SEEN = (
    *KEYS, "/root/.forward", "/var/vmail/.forward", "/var/vmail/.ssh", "/var/vmail/example.com",
    "/var/vmail/example.com/example_user", "/var/vmail/example.com/example_user/home",
)  # fmt: skip
"""Paths in closed directories whose owner and mode it may see."""
LISTED = ("/var/vmail", "/var/vmail/example.com/")
"""Closed directories that it may list."""
_STANDINS = Path(__file__).with_name("standins")
_SBIN = ("httpd", "pfctl", "rcctl")
_ALIASES = {"opensmtpd": "_smtpd", "opensmtpq": "_smtpq", "dovecot": "_dovecot", "dovenull": "_dovenull"}
_OF_DEBIAN = (
    "alternatives",
    "ld.so.cache",
    "ld.so.conf",
    "ld.so.conf.d",
    "pam.d",
    "security",
    "rspamd",
    "protocols",
    "ssl/openssl.cnf",
)
_ETC = {
    "nsswitch.conf": "passwd: files\ngroup: files\nshadow: files\nhosts: files dns\nservices: files\nprotocols: files\n",
    "host.conf": "multi on\n",
    "hosts": "127.0.0.1 localhost all\n::1 localhost all\n203.0.113.9 all\n2001:db8::9 all\n",
    "resolv.conf": f"nameserver {RESOLVER}\n",
    "pf.conf.defaults": "set skip on lo\nblock return\npass\n",
    "ssh/sshd_config": "PermitRootLogin no\nPasswordAuthentication no\nKbdInteractiveAuthentication no\n",
}
_FOLDERS = {
    "/var/dovecot": ("root", "wheel", 0o755),
    "/var/empty": ("root", "wheel", 0o755),
    "/var/lib/dovecot": ("root", "wheel", 0o755),
    "/var/lib/opensmtpd/empty": ("root", "wheel", 0o755),
    "/var/lib/rspamd": ("_rspamd", "_rspamd", 0o750),
    "/var/log/rspamd": ("_rspamd", "_rspamd", 0o750),
    "/var/redis": ("_redis", "_redis", 0o700),
    "/var/spool/smtpd": ("root", "wheel", 0o711),
    "/var/tmp": ("root", "wheel", 0o1777),
    "/var/www/acme": ("root", "daemon", 0o755),
    "/var/vmail/example.com/example_user/home": ("vmail", "vmail", 0o700),
    f"/home/{USER}/.ssh": (USER, USER, 0o700),
    "/root": ("root", "wheel", 0o700),
}


def lay_out(tree: Path, secrets: Mapping[str, bytes]) -> None:
    """Make the host's files in an empty folder. `secrets` are keys, certificates and authorised keys by path."""
    for name in _OF_DEBIAN:
        (tree / "etc" / name).parent.mkdir(parents=True, exist_ok=True)
        subprocess.run(["cp", "-a", f"/etc/{name}", str(tree / "etc" / name)], check=True)
    shutil.rmtree(tree / "etc/rspamd/local.d", ignore_errors=True)
    shutil.copytree(tree / "etc/rspamd", tree / "usr/local/share/examples/rspamd", symlinks=True)
    for top in ("etc", "usr"):
        shutil.copytree(CORRECTED / top, tree / top, dirs_exist_ok=True)
    for name, text in _ETC.items():
        (tree / "etc" / name).parent.mkdir(parents=True, exist_ok=True)
        (tree / "etc" / name).write_text(text)
    (tree / "etc/localtime").symlink_to("/usr/share/zoneinfo/America/Los_Angeles")  # ps(1) shows local times
    _accounts(tree / "etc")
    (tree / "etc/mail/credentials").write_text(_credentials())
    with (tree / "etc/doas.conf").open("a") as doas:
        doas.writelines(f"{line}\n" for line in allowed(USER))
    for path, data in secrets.items():
        place = tree / path.lstrip("/")
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(data)
    _programs(tree)
    _owners(tree)


def _accounts(etc: Path) -> None:
    """More lines in passwd and group."""
    for name in ("passwd", "group"):
        path = etc / name
        lines = {line.split(":")[0]: line for line in path.read_text().splitlines()}
        more = [line.replace(real, alias, 1) for alias, real in _ALIASES.items() if (line := lines.get(real))]
        own = {"passwd": f"{USER}:*:1001:1001:Auditor:/home/{USER}:/bin/sh", "group": f"{USER}:*:1001:"}[name]
        path.write_text("".join(f"{line}\n" for line in [*lines.values(), own, *more]))
    with (etc / "master.passwd").open("a") as master:
        master.write(f"{USER}:*:1001:1001:staff:0:0:Auditor:/home/{USER}:/bin/sh\n")
    (etc / "shadow").write_text(f"root:*:19000::::::\n{USER}:*:19000::::::\n")


def _credentials() -> str:
    """The example's line with the hash of a password that is known here; perl is at hand wherever Debian is."""
    line = (CORRECTED / "etc/mail/credentials").read_text()
    salt = "$2b$10$" + "LabLabLabLabLabLabLabO"
    made = subprocess.run(
        ["perl", "-e", "print crypt($ARGV[0], $ARGV[1])", PASSWORD, salt], capture_output=True, text=True, check=True
    )
    user, _, rest = line.partition(":")
    return f"{user}:{made.stdout}:{rest.partition(':')[2]}"


def allowed(user: str) -> Iterable[str]:
    """The lines of doas.conf by which all of this host can be asked."""
    yield from (doas_line(user, *each.words) for each in COMMANDS.values() if each.root)
    yield from (doas_line(user, "/bin/cat", path) for path in READ)
    yield from (doas_line(user, *STAT_WORDS, "--", path) for path in SEEN)
    yield from (doas_line(user, "/usr/bin/openssl", "pkey", "-in", path, "-pubout") for path in KEYS)
    yield from (doas_line(user, "/bin/ls", "-1a", path) for path in LISTED)


def _programs(tree: Path) -> None:
    for path, target in PLACES.items():
        link = tree / path.lstrip("/")
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(target)
    for module in Path("/usr/lib/dovecot/modules").iterdir():
        if module.name != "sieve":  # the example keeps its scripts in a folder of that name
            (tree / "usr/local/lib/dovecot" / module.name).symlink_to(module)
    for path, words in OF_NEWER.items():
        _executable(tree, path, f'#!/bin/sh\nexec chroot {NEWER} {words} "$@"\n')
    for each in _STANDINS.iterdir():
        _executable(tree, f"/usr/{'sbin' if each.name in _SBIN else 'bin'}/{each.name}", each.read_text())
    recorded = json.loads((CORRECTED / "answers.json").read_text())["commands"]
    said: dict[str, list[str]] = {"/usr/bin/uname": ["-s) echo OpenBSD ;;"]}
    for command in SAID:
        program, *arguments = COMMANDS[command].words
        output = recorded[str(command)]
        line = f"{shlex.quote(' '.join(arguments))}) printf %s {shlex.quote(output['stdout'])}; exit {output['status']} ;;"
        said.setdefault(program, []).append(line)
    for program, lines in said.items():
        path = f"/usr{program}" if program.startswith(("/bin", "/sbin")) else program
        text = [
            "#!/bin/sh",
            "# Stand-in: prints what the example's record says.",
            'case "$*" in',
            *lines,
            "*) exit 64 ;;",
            "esac",
            "",
        ]
        does = (tree / path.lstrip("/")).exists()  # a stand-in of that name asks it for the rest
        _executable(tree, f"{path}.said" if does else path, "\n".join(text))


def _executable(tree: Path, path: str, text: str) -> None:
    place = tree / path.lstrip("/")
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(text)
    place.chmod(0o755)


def _owners(tree: Path) -> None:
    """Owners and modes as the example's record has them; root's else."""
    users = {line.split(":")[0]: int(line.split(":")[2]) for line in (tree / "etc/passwd").read_text().splitlines()}
    groups = {line.split(":")[0]: int(line.split(":")[2]) for line in (tree / "etc/group").read_text().splitlines()}
    for path, (owner, group, mode) in _FOLDERS.items():
        place = tree / path.lstrip("/")
        place.mkdir(parents=True, exist_ok=True)
        os.chown(place, users[owner], groups[group])
        place.chmod(mode)
    for path, answer in json.loads((CORRECTED / "answers.json").read_text())["stat"].items():
        place = tree / path.lstrip("/")
        if answer is not None and place.exists() and not place.is_symlink() and answer["type"] in ("file", "directory"):
            os.chown(place, users[answer["owner"]], groups.get(answer["group"], 0))
            place.chmod(int(answer["mode"], 8))
    for path in (f"/home/{USER}", f"/home/{USER}/.ssh/authorized_keys"):
        os.chown(tree / path.lstrip("/"), users[USER], groups[USER])
    for path, mode in {
        "etc/shadow": 0o600,
        "etc/ssh/ssh_host_ed25519_key": 0o600,
        f"home/{USER}/.ssh/authorized_keys": 0o600,
    }.items():
        (tree / path).chmod(mode)
