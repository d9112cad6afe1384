"""Measures of the system: accounts, packages, services, sshd, the release."""

from __future__ import annotations

from mailaudit.findings import Evidence, Place
from mailaudit.models.accounts import Accounts
from mailaudit.models.credentials import Credentials
from mailaudit.models.policy.measure import Found, Measure, listed
from mailaudit.models.policy.operators import LIST, NUMBER, VERSION, level
from mailaudit.models.processes import Processes
from mailaudit.models.rc import RcConf
from mailaudit.models.sshd import SshdConfig
from mailaudit.models.system import Packages, Uname

NO_LOGIN = frozenset({"/sbin/nologin", "/usr/sbin/nologin", "/usr/bin/false", "/bin/false"})
SERVICES = {"_dovecot", "_dovenull", "_redis", "_rspamd", "_smtpd", "_smtpq", "_valkey", "vmail", "www"}
_ROOT = level("yes", "without-password", "forced-commands-only", "no")


def _wheel(accounts: Accounts) -> Found | None:
    group = accounts.group("wheel")
    if group is None:
        return None
    primary = (user.name.value for user in accounts.users if user.gid == group.gid)
    return Found(listed((*group.members, *primary)), Place.at(group.name.span))


def _logins(accounts: Accounts) -> Found:
    names = (user.name.value for user in accounts.users if user.shell.value not in NO_LOGIN)
    return Found(listed(names), Place.whole(accounts.trees[0].text))


def _service_users(accounts: Accounts) -> Found:
    """The accounts that the daemons of mail run as, with their numbers."""
    found = (f"{user.name.value} {user.uid}" for user in accounts.users if user.name.value in SERVICES)
    return Found(listed(found), Place.whole(accounts.trees[0].text))


def _running(processes: Processes) -> Found | None:
    known = ((each.user, each.command.split()[0]) for each in processes.processes if each.user in SERVICES)
    found = listed(f"{user} {program.rpartition('/')[2].rstrip(':')}" for user, program in known)
    return Found(found, Evidence("ps", ", ".join(found))) if found else None


def _packages(packages: Packages) -> Found:
    found = listed(each.stem for each in packages.installed)
    return Found(found, Evidence("pkg_info", ", ".join(found)))


def _enabled(rc: RcConf) -> Found:
    """Packages' daemons, and those of the base system that the host sets itself."""
    base = {each.name.value.removesuffix("_flags") for each in rc.settings if each.name.value.endswith("_flags")}
    names = {*base, *(token.value for token in rc.pkg_scripts)}
    return Found(listed(name for name in names if rc.service(name).enabled), Place.whole(rc.trees[0].text))


def _release(uname: Uname) -> Found | None:
    if uname.release is None:
        return None
    return Found(".".join(map(str, uname.release)), Evidence("uname", uname.said))


def _sshd(name: str, sshd: SshdConfig) -> Found | None:
    value = (sshd.value(name) or "").lower()
    value = "without-password" if value == "prohibit-password" else value
    at = sshd.place(name)
    place = Place.at(at) if at is not None else Evidence("sshd -T", f"{name} {value}")
    return Found(value, place) if value in _ROOT.words else None


def _root_login(sshd: SshdConfig) -> Found | None:
    return _sshd("permitrootlogin", sshd)


def _password_login(sshd: SshdConfig) -> Found | None:
    return _sshd("passwordauthentication", sshd)


def _rounds(credentials: Credentials) -> Found | None:
    known = [entry.password.cost for entry in credentials.entries if entry.password.cost is not None]
    return Found(min(known), Place.whole(credentials.tree.text)) if known else None


SYSTEM = (
    Measure("release", "OpenBSD's release", VERSION, "at_least", (Uname,), _release),
    Measure("packages", "installed packages", LIST, "at_least", (Packages,), _packages),
    Measure("services", "services that are switched on", LIST, "at_least", (RcConf,), _enabled),
    Measure("processes", "processes that run as mail's accounts", LIST, "at_least", (Processes,), _running),
    Measure("wheel", "members of wheel", LIST, "subset", (Accounts,), _wheel),
    Measure("logins", "accounts with a shell", LIST, "subset", (Accounts,), _logins),
    Measure("service_users", "accounts of mail's daemons, with their numbers", LIST, "equals", (Accounts,), _service_users),
    Measure("root_login", "how root may log in over SSH", _ROOT, "at_least", (SshdConfig,), _root_login),
    Measure("password_login", "whether SSH takes passwords", level("yes", "no"), "at_least", (SshdConfig,), _password_login),
    Measure("bcrypt_cost", "cost of the cheapest hash of a mail user", NUMBER, "at_least", (Credentials,), _rounds),
)
