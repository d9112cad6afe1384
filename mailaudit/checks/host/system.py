"""Rules about the system itself: its release, its name, its patches, its clock, its backups."""

from __future__ import annotations

from collections.abc import Iterator
from shlex import quote

from mailaudit.checks.registry import rule
from mailaudit.edits import Fix, Safety, replace
from mailaudit.findings import Doubt, Evidence, Finding, Outcome, Place
from mailaudit.models.clock import Clock
from mailaudit.models.daemons import Daemons
from mailaudit.models.release import shown
from mailaudit.models.releases import RELEASED, is_supported
from mailaudit.models.site import Site
from mailaudit.models.sources import Lacking
from mailaudit.models.system import TYPED, HostName, Patches, TimeKeeping, Uname
from mailaudit.parsers.tree import Token
from mailaudit.questions import Command, Reason

ROLES = frozenset({"ftp", "imap", "mail", "mx", "ns", "pop", "smtp", "webmail", "www"})
LONGEST = 31  # days: a backup that is older holds mail that few would not miss


@rule("HOST002")
def release_gets_fixes(uname: Uname, clock: Clock) -> Iterator[Outcome]:
    """The host runs OpenBSD, and one of its two newest releases."""
    said = Evidence(TYPED[Command.UNAME], uname.said)
    if uname.system != "OpenBSD":
        yield Finding(f"The host runs {uname.system}, not OpenBSD.", (said,), None, "system", uname.system)
        return
    day = clock.now.date()
    supported = None if uname.release is None else is_supported(uname.release, day)
    if supported is None:
        newest = max(RELEASED)
        yield Doubt(
            Reason.NOT_RECORDED,
            f"Whether {uname.said} still got fixes on {day} is not known: the newest release known here is {shown(newest)}.",
            (said,),
        )
    elif not supported and uname.release is not None:
        yield Finding(
            f"OpenBSD {shown(uname.release)} gets no fixes any more: two newer releases are out.",
            (said,),
            Fix("Upgrade, one release after the other", Safety.MANUAL, commands=("sysupgrade",)),
            "release",
            shown(uname.release),
        )


def _names(name: HostName) -> Iterator[tuple[str, str, Token | None]]:
    """The host's names with the word for each: the one of the next boot, and the one of now."""
    if name.written is not None:
        yield "written in /etc/myname", name.written.value.lower().rstrip("."), name.written
    if name.now is not None:
        yield "of now", name.now.lower().rstrip("."), None


def _places(name: str, token: Token | None) -> tuple[Place | Evidence, ...]:
    return (Place.at(token.span),) if token is not None else (Evidence(TYPED[Command.HOSTNAME], name),)


def _rename(new: str | None, token: Token | None) -> Fix | None:
    """Another name; what mail says of itself changes with it."""
    if new is None:
        return None
    edits = (replace(token.span, new),) if token is not None else ()
    return Fix(f"Call the host {new}", Safety.UNSAFE, edits, (f"hostname {quote(new)}", "rcctl restart smtpd"))


def _within(name: str, domains: tuple[str, ...]) -> bool:
    return any(name.endswith(f".{domain}") for domain in domains)


@rule("HOST003")
def host_name_is_qualified(name: HostName, site: Site) -> Iterator[Outcome]:
    """The host's name is a label and one of the site's domains, now and after the next boot."""
    names = list(_names(name))
    good = [each for _, each, _ in names if _within(each, site.domains) or ("." in each and not site.domains)]
    for which, each, token in names:
        if each in good or each in site.domains:
            continue
        if "." not in each:
            domain = site.domains[0] if site.domains else None
            wanted = good[0] if good else f"{each}.{domain}" if domain and each else None
            what = f"The host's name {which}, {each}, is no full name: other hosts refuse mail from a host that greets with it."
        else:
            wanted = good[0] if good else None
            what = f"The host's name {which}, {each}, is in none of the site's domains ({', '.join(site.domains)})."
        yield Finding(
            what, _places(each, token), _rename(wanted, token), f"name {which}", "in no domain" if "." in each else "not full"
        )
    if len(good) == len(names) > 1 and good[0] != good[1]:
        yield Finding(
            f"The host is called {good[1]} now and {good[0]} after the next boot.",
            (*_places(good[1], None), *_places(good[0], names[0][2])),
            Fix("Use one name", Safety.MANUAL, commands=(f"hostname {quote(good[0])}",)),
            "two names",
        )


@rule("HOST004")
def host_name_is_no_mail_domain(name: HostName, site: Site) -> Iterator[Outcome]:
    """The host is not called as a mail domain."""
    for which, each, token in _names(name):
        if each in site.domains:
            yield Finding(
                f"The host's name {which} is the mail domain {each} itself, so that mail for it counts as mail for local users.",
                _places(each, token),
                Fix(f"Put a label in front of it: LABEL.{each}", Safety.MANUAL, commands=(f"hostname LABEL.{quote(each)}",)),
                f"name {which}",
            )


@rule("HOST005")
def host_name_is_no_role(name: HostName, site: Site) -> Iterator[Outcome]:
    """The host's label does not tell what it is for."""
    for which, each, token in _names(name):
        label = each.partition(".")[0]
        if label in ROLES and each not in site.domains:
            yield Finding(
                f"The label of the host's name {which}, {label}, tells everyone what it is for.",
                _places(each, token),
                about=f"label {which}",
                value=label,
            )


@rule("HOST070")
def patches_are_installed(patches: Patches) -> Iterator[Outcome]:
    """Nothing is left for syspatch: all patches are installed."""
    if patches.missing:
        some = f"{len(patches.missing)} patches of the base system are" if len(patches.missing) > 1 else "A patch is"
        yield Finding(
            f"{some} not installed, the last of them {patches.missing[-1]}.",
            (Evidence(TYPED[Command.SYSPATCH], " ".join(patches.missing)),),
            Fix("Install the patches, then restart what they say", Safety.UNSAFE, commands=("syspatch",)),
            "patches",
        )


@rule("HOST071")
def clock_is_synchronised(kept: TimeKeeping | Lacking, daemons: Daemons | Lacking) -> Iterator[Outcome]:
    """The clock is synchronised by ntpd."""
    fix = Fix("Have ntpd run", Safety.SAFE, commands=("rcctl enable ntpd", "rcctl start ntpd"))
    if isinstance(daemons, Daemons) and daemons.running("ntpd") is False:
        here = Evidence(TYPED[Command.RCCTL_LS_STARTED], "ntpd is not among them")
        yield Finding("ntpd does not run, so that the clock drifts.", (here,), fix, "ntpd")
    elif isinstance(kept, Lacking):
        yield Doubt(kept.reason, kept.detail)
    elif kept.synced is None:
        yield Doubt(Reason.NOT_RECORDED, "ntpctl does not say whether the clock is synchronised.")
    elif not kept.synced:
        yield Finding(
            "The clock is not synchronised: certificates, signatures and logs are judged by a time that may be wrong.",
            (Evidence(TYPED[Command.NTPCTL], kept.said),),
            fix,
            "clock",
        )


@rule("HOST072")
def backups_are_declared(site: Site) -> Iterator[Outcome]:
    """The settings say that there are backups, and how old one may be."""
    days = site.declared.backup_days
    if days is None:
        yield Doubt(
            Reason.NOT_RECORDED,
            "Whether there are backups is known to a person only: declare backup_days under [site] in mailaudit.toml.",
        )
    elif days > LONGEST:
        declared = (Evidence("mailaudit.toml, backup_days", str(days)),)
        yield Finding(f"A backup may be {days} days old: so much mail is lost with a disk.", declared, None, "backups", str(days))
