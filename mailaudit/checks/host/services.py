"""Rules about the daemons: which start at boot, in which order, and whether they run what is on disk."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from mailaudit.checks.registry import rule
from mailaudit.editing import rc as write
from mailaudit.editing import statements
from mailaudit.edits import Edit, Fix, Safety, create
from mailaudit.findings import Doubt, Evidence, Exempt, Finding, Outcome, Place
from mailaudit.models.clock import moment
from mailaudit.models.daemons import Daemons
from mailaudit.models.files import Files, Gone
from mailaudit.models.processes import Processes, is_younger
from mailaudit.models.rc import PATH, RcConf, Setting
from mailaudit.models.system import TYPED
from mailaudit.models.taking_effect import ORDER
from mailaudit.parsers.tree import Statement, Tree
from mailaudit.questions import Command, Reason, Stat

FILTER = "rspamd"  # the daemons that rspamd asks start before it, those that need it behind it
CONFIGURATIONS = frozenset({"/etc/mail/smtpd.conf", "/etc/httpd.conf", "/etc/dovecot/dovecot.conf"})
RESTARTS = {each.daemon: tuple(filter(None, (each.check, each.command))) for each in ORDER}


@dataclass(frozen=True, slots=True)
class Duty:
    """A daemon, what is lost while it does not run, and who may apply the fix."""

    daemon: str
    lost: str
    safety: Safety = Safety.UNSAFE


OTHERS = ("sendmail", "postfix", "exim")  # mail servers of packages, and OpenBSD's own until 5.6


def _tree(rc: RcConf | None) -> Tree | None:
    trees = rc.trees if rc is not None else ()
    return next((tree for tree in trees if tree.text.path == PATH), None)


def _enable(daemons: Daemons, name: str) -> tuple[Edit, ...]:
    """What rcctl enable does to rc.conf.local; a daemon that others need stands in front of them."""
    rc, tree = daemons.rc, _tree(daemons.rc)
    if rc is None:
        return ()
    base = rc.is_base(name)
    if tree is None:
        return (create(PATH, f"{name}_flags=\n" if base else f"pkg_scripts={name}\n"),)
    if base:
        return write.set_variable(tree, f"{name}_flags", "") or ()
    off = write.remove_variable(tree, f"{name}_flags") if rc.service(name).flags == "NO" else ()
    words = [word.value for word in rc.pkg_scripts if word.value != name]
    at = words.index(FILTER) if name in ("redis", "valkey") and FILTER in words else len(words)
    return (*off, *(write.set_variable(tree, "pkg_scripts", " ".join([*words[:at], name, *words[at:]])) or ()))


def _serves(daemons: Daemons, duty: Duty) -> Iterator[Outcome]:
    """Findings for a daemon that does not start at boot, or does not run."""
    name = duty.daemon
    if name in daemons.not_here:
        yield Exempt(daemons.not_here[name])
        return
    enabled, running = daemons.enabled(name), daemons.running(name)
    if enabled is False:
        yield Finding(
            f"{name} does not start at boot: after the next one {duty.lost}.",
            (_place(daemons, name),),
            Fix(f"Enable {name}", duty.safety, _enable(daemons, name), (f"rcctl enable {name}", f"rcctl start {name}")),
            f"{name} at boot",
        )
    if running is False:
        command = Command.RCCTL_LS_STARTED if daemons.started is not None else Command.RCCTL_LS_FAILED
        command = command if daemons.started is not None or daemons.failed is not None else Command.PS
        shown = f"{name} is among them" if command is Command.RCCTL_LS_FAILED else f"{name} is not among them"
        yield Finding(
            f"{name} does not run: {duty.lost}.",
            (Evidence(TYPED[command], shown),),
            Fix(f"Start {name}, and see in the log why it stopped", duty.safety, commands=(f"rcctl start {name}",)),
            f"{name} now",
        )
    if enabled is None or running is None:
        what = "starts at boot" if enabled is None else "runs"
        yield Doubt(Reason.NOT_RECORDED, f"Whether {name} {what} was not recorded.")


def _place(daemons: Daemons, name: str) -> Place | Evidence:
    if daemons.rc is None:
        return Evidence(TYPED[Command.RCCTL_LS_ON], f"{name} is not among them")
    by = daemons.rc.service(name).by
    tree = _tree(daemons.rc)
    if by is not None and by.text.path == PATH and by.value:
        return Place.at(by.span)
    return Place.whole(tree.text if tree is not None else PATH)


@rule("HOST030")
def httpd_serves(daemons: Daemons) -> Iterator[Outcome]:
    """Httpd starts at boot and runs."""
    yield from _serves(daemons, Duty("httpd", "no certificate can be renewed", Safety.SAFE))


@rule("HOST031")
def smtpd_serves(daemons: Daemons) -> Iterator[Outcome]:
    """Smtpd starts at boot and runs."""
    other = next((name for name in OTHERS if daemons.enabled("smtpd") is False and daemons.enabled(name)), None)
    if other is not None:
        yield Exempt(f"another mail server starts at boot: {other}")
        return
    yield from _serves(daemons, Duty("smtpd", "no mail comes in or goes out"))


@rule("HOST032")
def dovecot_serves(daemons: Daemons) -> Iterator[Outcome]:
    """Dovecot starts at boot and runs."""
    yield from _serves(daemons, Duty("dovecot", "nobody can read mail"))


@rule("HOST033")
def rspamd_serves(daemons: Daemons) -> Iterator[Outcome]:
    """Rspamd starts at boot and runs."""
    yield from _serves(daemons, Duty("rspamd", "smtpd defers every message with 421, for its filter has nobody to ask"))


@rule("HOST034")
def redis_serves_first(daemons: Daemons) -> Iterator[Outcome]:
    """Redis, or valkey, starts at boot before rspamd, and runs."""
    name = "valkey" if daemons.enabled("valkey") else "redis"
    yield from _serves(daemons, Duty(name, "rspamd has no memory: no learning, no greylisting, no rate limits"))
    first, second = daemons.place_in_order(name), daemons.place_in_order(FILTER)
    if name in daemons.not_here or first is None or second is None or first < second:
        return
    tree = _tree(daemons.rc)
    words = [word.value for word in daemons.rc.pkg_scripts] if daemons.rc is not None else list(daemons.order or ())
    words.remove(name)
    words.insert(words.index(FILTER), name)
    edits = (write.set_variable(tree, "pkg_scripts", " ".join(words)) or ()) if tree is not None else ()
    place = (
        Place.at(daemons.rc.pkg_scripts[first].span)
        if daemons.rc is not None
        else Evidence(TYPED[Command.RCCTL_ORDER], " ".join(daemons.order or ()))
    )
    fix = Fix("Start it first", Safety.SAFE, edits, (f"rcctl order {' '.join(words)}",))
    yield Finding(f"{name} starts after {FILTER}, which needs it from its first message on.", (place,), fix, "order")


@rule("CROSS065")
def rspamd_starts_before_dovecot(daemons: Daemons) -> Iterator[Outcome]:
    """Rspamd starts at boot before Dovecot, whose users teach it."""
    first, second = daemons.place_in_order(FILTER), daemons.place_in_order("dovecot")
    if first is None or second is None:
        absent = [daemons.not_here[name] for name in (FILTER, "dovecot") if name in daemons.not_here]
        if absent:
            yield Exempt(absent[0])
        elif daemons.rc is None and daemons.order is None:
            yield Doubt(Reason.NOT_RECORDED, "In which order the daemons of packages start was not recorded.")
        else:
            yield Exempt("rspamd and Dovecot do not both start at boot")
    elif first > second:
        tree = _tree(daemons.rc)
        words = [word.value for word in daemons.rc.pkg_scripts] if daemons.rc is not None else list(daemons.order or ())
        words.remove("dovecot")
        words.insert(words.index(FILTER) + 1, "dovecot")
        edits = (write.set_variable(tree, "pkg_scripts", " ".join(words)) or ()) if tree is not None else ()
        place = (
            Place.at(daemons.rc.pkg_scripts[second].span)
            if daemons.rc is not None
            else Evidence(TYPED[Command.RCCTL_ORDER], " ".join(daemons.order or ()))
        )
        fix = Fix("Start it last", Safety.SAFE, edits, (f"rcctl order {' '.join(words)}",))
        message = "Dovecot starts before rspamd: what its users move to Junk meanwhile teaches nobody."
        yield Finding(message, (place,), fix, "order of dovecot")


@rule("HOST035")
def pf_is_on_at_boot(daemons: Daemons) -> Iterator[Outcome]:
    """Pf is not switched off in rc.conf.local."""
    enabled = daemons.enabled("pf")
    tree = _tree(daemons.rc)
    if enabled is None:
        yield Doubt(Reason.NOT_RECORDED, "Whether pf is on at boot was not recorded.")
    elif not enabled:
        edits = write.remove_variable(tree, "pf") if tree is not None else ()
        yield Finding(
            "pf is off at boot: after the next one every port that something listens on is open to everyone.",
            (_place(daemons, "pf"),),
            Fix("Leave it on, as it comes", Safety.UNSAFE, edits, ("rcctl enable pf", "pfctl -e")),
            "pf at boot",
        )


@rule("HOST036")
def daemons_run_what_is_on_disk(processes: Processes, files: Files) -> Iterator[Outcome]:
    """No file that a daemon reads at its start is younger than that start."""
    for daemon, lacking in processes.lacking.items():
        if processes.has(daemon):
            yield Doubt(lacking.reason, f"What {daemon} reads at its start is not known: {lacking.detail}.")
    for daemon, paths in processes.files.items():
        read = processes.read_at(daemon)
        if read is None:
            continue
        since, unseen = read
        times = {path: _changed(files, path) for path in paths}
        later = {path: time for path, time in times.items() if isinstance(time, datetime) and is_younger(time, since)}
        if later and not unseen:
            yield _stale(daemon, since, later)
        for path in later if unseen else ():
            what = f"{path} is younger than {daemon}'s processes; whether it was told to reload since, they do not show."
            yield Doubt(Reason.NOT_RECORDED, what)
        for path in (path for path, time in times.items() if time is None):
            yield Doubt(Reason.NOT_RECORDED, f"When {path}, which {daemon} reads, was changed was not recorded.")


def _changed(files: Files, path: str) -> datetime | Gone | None:
    """When a file was changed; None if that is not known."""
    stat = files.stat(path)
    if isinstance(stat, Gone):
        return stat
    return moment(stat.mtime) if isinstance(stat, Stat) and stat.mtime else None


def _stale(daemon: str, since: datetime, changed: Mapping[str, datetime]) -> Finding:
    first, *more = sorted(changed, key=lambda path: (path not in CONFIGURATIONS, path))
    others = f" and {len(more)} more of its files" if more else ""
    return Finding(
        f"{daemon} does not run what is on disk: {first}{others} changed after {daemon} had read it.",
        (
            *(Evidence(f"stat {path}", f"changed {changed[path]:%Y-%m-%d %H:%M:%S} UTC") for path in (first, *more)),
            Evidence(TYPED[Command.PS], f"{daemon} since {since:%Y-%m-%d %H:%M:%S} UTC"),
        ),
        Fix(
            f"Mend first what else is found in its files, then have {daemon} read them",
            Safety.UNSAFE,
            commands=RESTARTS.get(daemon, (f"rcctl restart {daemon}",)),
        ),
        daemon,
    )


@rule("HOST040")
def variables_are_set_once(rc: RcConf) -> Iterator[Outcome]:
    """No variable is assigned twice in rc.conf.local."""
    for settings in rc.repeated:
        *before, last = settings
        name = last.name.value
        for setting in before:
            yield Finding(
                f"{name} is set again further down, so this line does nothing.",
                (Place.at(setting.name.span), Place.at(last.name.span, "this one counts")),
                Fix("Remove the line that does nothing", Safety.SAFE, _without(rc, setting)),
                name,
            )


def _without(rc: RcConf, setting: Setting) -> tuple[Edit, ...]:
    tree = _tree(rc)
    found: list[Statement] = [each for each in tree.statements if setting.name in each.tokens] if tree is not None else []
    return tuple(edit for each in found for edit in statements.remove(each, write.STYLE))
