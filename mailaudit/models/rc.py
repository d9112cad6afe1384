"""What runs at boot, and with which flags: rc.conf.local over rc.conf, as rc(8) and rcctl(8) have it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from mailaudit.models.sources import Known, Lacking, Model, NotHere, Slot, Sources
from mailaudit.parsers import rc
from mailaudit.parsers.tree import Problem, Token, Tree
from mailaudit.questions import Failed

PATH = "/etc/rc.conf.local"
DEFAULTS = "/etc/rc.conf"
ASSUMED = "OpenBSD's own defaults, for /etc/rc.conf is not there"
OFF = "NO"
SWITCHES = frozenset(["accounting", "check_quotas", "ipsec", "library_aslr", "multicast", "pf", "spamd_black"])
"""The services that are no daemons: their variable is YES or NO."""
_ON = "cron dhcpleased ntpd pflogd resolvd slaacd smtpd sndiod spamlogd sshd syslogd"
_OFF = """
amd apmd bgpd bgplgd bootparamd dhcp6leased dhcpd dhcrelay dhcrelay6 dvmrpd eigrpd ftpd ftpproxy ftpproxy6 hostapd
hotplugd httpd identd ifstated iked inetd isakmpd iscsid ldapd ldattach ldomd ldpd lldpd lockd lpd mopd mountd mrouted
nfsd npppd nsd ospf6d ospfd portmap rad radiusd rarpd rbootd relayd ripd route6d sasyncd sensorsd slowcgi snmpd spamd
statd tftpd tftpproxy unbound unwind vmd watchdogd wsmoused xenodm ypbind ypldap ypserv
"""
_OTHERS = {
    "accounting": "NO",
    "amd_master": "/etc/amd/master",
    "check_quotas": "YES",
    "ipsec": "NO",
    "library_aslr": "YES",
    "multicast": "NO",
    "pf": "YES",
    "pkg_scripts": "",
    "savecore_flags": "",
    "shlib_dirs": "",
    "spamd_black": "NO",
}
_WORD = re.compile(r"[^ \t\r]+")


@dataclass(frozen=True, slots=True, eq=False)
class Setting:
    """One assignment as written; the name's value is in lower case."""

    name: Token
    value: Token


@dataclass(frozen=True, slots=True, eq=False)
class Service:
    """A daemon or another service.

    `flags` are what rc.conf.local or rc.conf gives it: empty for those of its rc.d(8) script, `NO` for off. `by` is the word that
    decides whether it runs, None where that is a default: the value of its `_flags`, or its name in `pkg_scripts`.
    """

    name: str
    enabled: bool
    flags: str
    by: Token | None
    is_base: bool


@dataclass(frozen=True, eq=False)
class RcConf(Model):
    """The variables of rc.conf(8).

    `settings` are all assignments of rc.conf.local in their order; `defaults` the values of rc.conf; `ignored` the lines of
    rc.conf.local that rc(8) passes over, each with the reason; `pkg_scripts` the packages' daemons in the order of their start.
    """

    settings: tuple[Setting, ...] = ()
    defaults: Mapping[str, str] = field(default_factory=dict)
    pkg_scripts: tuple[Token, ...] = ()
    ignored: tuple[Problem, ...] = ()

    def assigned(self, name: str) -> tuple[Setting, ...]:
        """All assignments of a variable, the last of which counts."""
        return tuple(setting for setting in self.settings if setting.name.value == name)

    def setting(self, name: str) -> Setting | None:
        """The assignment that counts, None where the default does."""
        return next(iter(self.assigned(name)[-1:]), None)

    @property
    def repeated(self) -> tuple[tuple[Setting, ...], ...]:
        """The variables that are assigned more than once, all their assignments."""
        names = dict.fromkeys(setting.name.value for setting in self.settings)
        return tuple(found for name in names if len(found := self.assigned(name)) > 1)

    def value(self, name: str) -> str | None:
        """What a variable is at boot; None if it is nowhere assigned."""
        if name == "spamlogd_flags" and (self._plain("spamd_flags") == OFF or self._plain("spamd_black") != OFF):
            return OFF
        if name == "pflogd_flags" and self._plain("pf") == OFF:
            return OFF
        value = self._plain(name)
        if name in ("nfsd_flags", "mountd_flags") and value == OFF and self._plain("nfs_server") == "YES":
            return "-tun 4" if name == "nfsd_flags" else ""
        return value

    def _plain(self, name: str) -> str | None:
        found = self.setting(name)
        return self.defaults.get(name) if found is None else found.value.value

    def is_base(self, daemon: str) -> bool:
        """True for a daemon of the base system: rc.conf has its flags."""
        return f"{daemon}_flags" in self.defaults

    def order(self, daemon: str) -> int | None:
        """The place of a package's daemon in the order of their start, from 0."""
        return next((number for number, word in enumerate(self.pkg_scripts) if word.value == daemon), None)

    def service(self, name: str) -> Service:
        """A daemon by the name of its rc.d(8) script, or one of the other services by that of its variable."""
        variable = name if name in SWITCHES else f"{name}_flags"
        flags = self.value(variable) or ""
        setting = self.setting(variable)
        by = None if setting is None else setting.value
        base = name in SWITCHES or self.is_base(name)
        if base or flags == OFF:
            return Service(name, flags != OFF, flags, by, base)
        at = self.order(name)
        return Service(name, at is not None, flags, None if at is None else self.pkg_scripts[at], is_base=False)


def read_rc(sources: Sources) -> Slot[RcConf]:
    """What is set for boot. A host need not have a rc.conf.local; a repository without one says nothing."""
    local = sources.tree(PATH, "rc")
    if isinstance(local, Failed):
        return Lacking(local.reason, local.detail, PATH)
    if not isinstance(local, Tree) and not sources.snapshot.recorded:
        return NotHere(f"{PATH} is not in the target")
    base = sources.tree(DEFAULTS, "rc")
    settings = _settings(local) if isinstance(local, Tree) else ()
    scripts = [setting for setting in settings if setting.name.value == "pkg_scripts"]
    return Known(
        RcConf(
            trees=tuple(tree for tree in (local, base) if isinstance(tree, Tree)),
            assumed=() if isinstance(base, Tree) else (ASSUMED,),
            settings=settings,
            defaults={each.name.value: each.value.value for each in _settings(base)} if isinstance(base, Tree) else _stock(),
            pkg_scripts=tuple(_words(scripts[-1].value)) if scripts else (),
            ignored=tuple(_ignored(local)) if isinstance(local, Tree) else (),
        )
    )


def _settings(tree: Tree) -> tuple[Setting, ...]:
    return tuple(Setting(*statement.node.leaves()) for statement in tree.statements if statement.kind == "assignment")


def _words(value: Token) -> Iterable[Token]:
    for match in _WORD.finditer(value.value):
        start, end = match.span()
        yield Token("word", match.group(), value.text, value.start + start, value.start + end)


def _ignored(tree: Tree) -> Iterable[Problem]:
    for statement in tree.statements:
        if statement.kind == "ignored":
            yield Problem(rc.why_ignored(statement), statement.span)


def _stock() -> dict[str, str]:
    flags = {f"{name}_flags": "" for name in _ON.split()} | {f"{name}_flags": OFF for name in _OFF.split()}
    return flags | _OTHERS
