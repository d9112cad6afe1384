"""`mailaudit policy new`: what a host is like, kept as what the site expects."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from mailaudit import output
from mailaudit.apply import ApplyError, write_folder
from mailaudit.choices import Common, Looking
from mailaudit.collect.named import named_file
from mailaudit.commands.new_folder import writable
from mailaudit.commands.snapshot import learned
from mailaudit.commands.telling import UsageError, shown
from mailaudit.exitcodes import ExitCode
from mailaudit.models.facts import Facts
from mailaudit.models.policy.measure import Found, Measure
from mailaudit.models.policy.measures import SUBJECTS, taken
from mailaudit.models.policy.operators import Value
from mailaudit.questions import NOT_ASKED, Failed, now
from mailaudit.reports.masking import visible
from mailaudit.settings import parse_settings, values
from mailaudit.settings.merging import merged

Tables = dict[tuple[str, ...], dict[str, object]]


@dataclass(frozen=True, slots=True)
class Measured:
    """The tables of mailaudit.toml that a host would have, the measures that could not be taken, what was looked at in vain."""

    tables: Tables
    unknown: tuple[Measure, ...]
    failures: tuple[str, ...]


def new(common: Common, looking: Looking, source: str, out: str) -> int:
    """Measure a host and add what is new to a file of settings."""
    code = ExitCode.OK

    def make() -> str:
        nonlocal code
        there = b"" if out == "-" else _there(out)
        parse_settings(there, out)
        found = learned(common, source, looking)
        measured = measure(found.facts)
        code = ExitCode.INCOMPLETE if measured.failures and not common.allow_incomplete else ExitCode.OK
        host = visible(found.known.host)
        comment = f"What this site expects of its hosts: as {host} was on {now()[:10]} (mailaudit policy new)."
        made = merged(there, measured.tables, out, comment)
        parse_settings(made, out)
        for each in measured.failures:
            output.complain(f"not to be had: {each}")
        if out == "-":
            return made.decode()
        _write(out, there, made)
        return "".join(f"{line}\n" for line in _told(measured, there, made, host, out))

    return shown(make, debug=common.debug) or code


def measure(facts: Facts) -> Measured:
    """All measures that can be taken of a host."""
    tables: Tables = {("site",): _site(facts)}
    unknown: list[Measure] = []
    failures: set[str] = set()
    for subject, measures in SUBJECTS.items():
        table = tables.setdefault(("policy", subject), {})
        for each in measures:
            found = taken(each, facts.slots)
            if isinstance(found, Failed) and found.reason not in NOT_ASKED:
                failures.add(f"{each.says}: {found.detail or found.reason}")
            if not isinstance(found, Found) or not _is_text(found.value):
                unknown.append(each)
            else:
                table[each.name] = {each.operator: list(found.value) if isinstance(found.value, tuple) else found.value}
    return Measured({table: keys for table, keys in tables.items() if keys}, tuple(unknown), tuple(sorted(failures)))


def _is_text(value: Value) -> bool:
    """False for what odd bytes of a file stand in, in a list's words too."""
    with suppress(UnicodeEncodeError):
        for each in value if isinstance(value, tuple) else (value,):
            str(each).encode()
        return True
    return False


def _site(facts: Facts) -> dict[str, object]:
    """What the rules take for the site's own names, as far as they are names."""
    site = facts.site
    found: dict[str, object] = {}
    domains = [domain for domain in site.domains if _is_name(domain)]
    if domains:
        found["domains"] = domains
        found["selectors"] = {each: site.selectors[each] for each in domains if _is_name(site.selectors.get(each, ""))}
    if site.mail_host and _is_name(site.mail_host):
        found["mail_host"] = site.mail_host
    return found


def _is_name(written: str) -> bool:
    with suppress(ValueError):
        return values.domain(written).isascii()
    return False


def _there(out: str) -> bytes:
    place = Path(out)
    with writable(f"-o {out}"):
        if place.is_symlink() or (place.exists() and not place.is_file()):
            raise UsageError(f"-o {out}: it is no regular file")
        if not place.absolute().parent.is_dir():
            raise UsageError(f"-o {out}: there is no {place.absolute().parent}")
    return named_file(out) or b""


def _write(out: str, there: bytes, made: bytes) -> None:
    place = Path(out).absolute()
    if made != there:
        try:
            write_folder(place.parent, {f"/{place.name}": made}, {f"/{place.name}": there if place.exists() else None})
        except ApplyError as error:
            raise ApplyError(f"-o {out}: {error}") from error


def _told(measured: Measured, there: bytes, made: bytes, host: str, out: str) -> Iterator[str]:
    before, after = (len(parse_settings(each).site.policy) for each in (there, made))
    yield f"{after - before} expectations of {host} are in {out}" + (f"; {before} were there and stay" if before else "")
    if measured.unknown:
        yield f"not measured: {', '.join(each.says for each in measured.unknown)}"
    config = "" if out == "-" else f" --config {shlex.quote(out)}"
    yield f"mailaudit scan TARGET{config} compares; with --select POLICY it does nothing else"
