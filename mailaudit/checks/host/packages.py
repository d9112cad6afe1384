"""Rules about the packages that the set-up is made of."""

from __future__ import annotations

from collections.abc import Iterator

from mailaudit.checks.registry import rule
from mailaudit.edits import Fix, Safety
from mailaudit.findings import Doubt, Evidence, Exempt, Finding, Outcome, Place
from mailaudit.models.files import Files, Gone
from mailaudit.models.smtpd.config import SmtpdConfig
from mailaudit.models.sources import Lacking
from mailaudit.models.system import TYPED, Machine, Package, Packages
from mailaudit.questions import Command, Reason, Stat
from mailaudit.text import Span

READER = "/usr/local/libexec/smtpd/table-passwd"
PLUGINS = "/usr/local/lib/dovecot"
SIEVE_PLUGINS = (f"{PLUGINS}/lib90_sieve_plugin.so", f"{PLUGINS}/lib95_imap_sieve_plugin.so")
FAMILIES = {"2.3": "0.5", "2.4": "2.4"}
"""Of each of Dovecot's families that of Pigeonhole that goes with it."""
WITH_HYPERSCAN = frozenset({"amd64", "i386"})


def _lists(package: Package | None, stem: str) -> Evidence:
    return Evidence(TYPED[Command.PKG_INFO], package.name if package is not None else f"{stem} is not among them")


def _add(name: str) -> Fix:
    return Fix(f"Install {name}", Safety.UNSAFE, commands=(f"pkg_add {name}",))


def _lacks(message: str, stem: str, name: str = "") -> Finding:
    """A finding for a package that is not installed."""
    return Finding(message, (_lists(None, stem),), _add(name or stem), stem, absence=True)


def _runs(files: Files, path: str) -> bool | None:
    """True if a program is there and may be run; None if that is not known."""
    stat = files.stat(path)
    if isinstance(stat, Gone):
        return False
    return None if not isinstance(stat, Stat) or stat.mode is None else stat.type == "file" and bool(stat.mode & 0o111)


def _program(path: str, package: Package | None, stem: str, files: Files, used: Span) -> Iterator[Finding]:
    """A finding if a program can not be run, or if nothing shows that it can and its package is not installed."""
    runs = _runs(files, path)
    if runs or (runs is None and package is not None):
        return
    if package is None:
        message = f"{stem} is not installed, and smtpd.conf needs its program {path}."
    else:
        message = f"{stem} is installed, but its program {path} is not there or may not be run."
    evidence = [_lists(package, stem)]
    stat = files.stat(path)
    if isinstance(stat, Stat | Gone):
        mode = f"{stat.mode:04o}" if isinstance(stat, Stat) and stat.mode is not None else "not there"
        evidence.append(Evidence(f"stat {path}", mode))
    yield Finding(message, (*evidence, Place.at(used, "it is needed here")), _add(stem), stem)


@rule("HOST020")
def table_passwd_is_installed(packages: Packages, smtpd: SmtpdConfig, files: Files) -> Iterator[Outcome]:
    """The program that reads the credentials for smtpd is installed."""
    table = next((table for table in smtpd.tables.values() if table.backend == "passwd" and table.statement is not None), None)
    if table is None or table.statement is None:
        yield Exempt("no table of smtpd.conf is a passwd table")
        return
    package = packages.of("opensmtpd-table-passwd", "opensmtpd-extras-passwd")
    yield from _program(READER, package, "opensmtpd-table-passwd", files, table.statement.span)


@rule("HOST021")
def filter_rspamd_is_installed(packages: Packages, smtpd: SmtpdConfig, files: Files) -> Iterator[Outcome]:
    """The program between smtpd and rspamd is installed."""
    stem = "opensmtpd-filter-rspamd"
    used = [each for each in smtpd.filters.values() if "filter-rspamd" in (each.program_path or "")]
    for each in used:
        assert each.program_path is not None
        yield from _program(each.program_path, packages.of(stem), stem, files, each.statement.span)
    if not used:
        yield Exempt("no filter of smtpd.conf runs filter-rspamd")


@rule("HOST022")
def dovecot_is_installed(packages: Packages) -> Iterator[Outcome]:
    """Dovecot is installed, in a version that is known here."""
    dovecot = packages.of("dovecot")
    if dovecot is None:
        yield _lacks("Dovecot is not installed: nobody can read mail.", "dovecot", "dovecot--")
    elif dovecot.family not in FAMILIES:
        yield Doubt(Reason.NOT_RECORDED, f"What Dovecot {dovecot.version} reads is not known here: only 2.3 and 2.4 are.")


@rule("HOST023")
def pigeonhole_is_installed(packages: Packages, files: Files) -> Iterator[Outcome]:
    """Pigeonhole is installed in the version that goes with Dovecot, and its plugins are there."""
    stem = "dovecot-pigeonhole"
    dovecot, sieve = packages.of("dovecot"), packages.of(stem)
    if dovecot is None:
        yield Exempt("Dovecot is not installed")
    elif sieve is None:
        yield _lacks("Pigeonhole is not installed: Dovecot runs no Sieve scripts and offers no ManageSieve.", stem)
    elif dovecot.family in FAMILIES and sieve.family != FAMILIES[dovecot.family]:
        message = f"Pigeonhole {sieve.version} does not go with Dovecot {dovecot.version}, which will not load it."
        fix = Fix("Bring both to one release", Safety.UNSAFE, commands=("pkg_add -u dovecot dovecot-pigeonhole",))
        yield Finding(message, (_lists(sieve, stem), _lists(dovecot, "dovecot")), fix, "family", sieve.family)
    else:
        for path in SIEVE_PLUGINS:
            if isinstance(files.stat(path), Gone):
                message = f"Pigeonhole is installed, but its plugin {path} is not there."
                again = Fix("Install it again", Safety.UNSAFE, commands=(f"pkg_add -r -D installed {stem}",))
                yield Finding(message, (Evidence(f"stat {path}", "not there"), _lists(sieve, stem)), again, path)


@rule("HOST024")
def rspamd_is_installed(packages: Packages, machine: Machine | Lacking) -> Iterator[Outcome]:
    """Rspamd is installed, in whichever flavor."""
    if packages.of("rspamd") is None:
        fast = isinstance(machine, Machine) and machine.architecture in WITH_HYPERSCAN
        name = "rspamd--hyperscan" if fast else "rspamd--"
        yield _lacks("Rspamd is not installed: mail is neither checked nor signed.", "rspamd", name)


@rule("HOST025")
def redis_is_installed(packages: Packages) -> Iterator[Outcome]:
    """Redis, or valkey in its place, is installed."""
    if packages.of("redis", "valkey") is None:
        yield _lacks("Neither redis nor valkey is installed: rspamd learns nothing and greylists nobody.", "redis")
