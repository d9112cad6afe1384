"""What the command line chose, as an audit takes it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from ipaddress import ip_address
from pathlib import Path

from mailaudit.audit import Options
from mailaudit.choices import Common, Looking
from mailaudit.collect.budget import SECONDS
from mailaudit.collect.online import Outside
from mailaudit.collect.ssh.target import is_path
from mailaudit.collect.targets import JOBS, Login
from mailaudit.commands.telling import UsageError
from mailaudit.findings import Severity
from mailaudit.reports.terminal.report import Detail
from mailaudit.settings import values

MOST_SECONDS = 86_400
MOST_PORTS = 65_536
MOST_JOBS = 256
MOST_OF_ANCHORS = 1024 * 1024  # bytes


def chosen_targets(named: Sequence[str], targets_file: str | None, *, live: bool = False) -> list[str]:
    """All targets that are named, on the command line and in a file; with `live`, hosts too, not paths alone."""
    targets = [*named, *(_listed(targets_file) if targets_file is not None else ())]
    if not targets:
        raise UsageError("no TARGET is named", "mailaudit scan DIRECTORY")
    for target in targets:
        if not live and not is_path(target):
            raise UsageError(f"{target}: no such file or directory", "mailaudit snapshot HOST -o DIR records a live host")
    return targets


def _listed(path: str) -> list[str]:
    try:
        lines = Path(path).read_text("utf-8", "surrogateescape").splitlines()
    except OSError as error:
        raise UsageError(f"-T {path}: {(error.strerror or str(error)).lower()}") from error
    return [line.strip() for line in lines if line.strip() and not line.lstrip().startswith("#")]


def detail(common: Common) -> Detail:
    """How much is told."""
    return Detail.QUIET if common.quiet else Detail.VERBOSE if common.verbose else Detail.NORMAL


def options(common: Common, looking: Looking | None = None) -> Options:
    """What an audit needs to know of the command line."""
    return Options(
        profile=common.profile,
        select=_split(common.select),
        ignore=_split(common.ignore),
        fail_on=Severity[common.fail_on.upper()],
        config=common.config,
        domain=tuple(map(_domain, common.domain or ())),
        now=_time(common.now),
        inline_ignores=not common.no_inline_ignores,
        strict_waivers=common.strict_waivers,
        exit_zero=common.exit_zero,
        allow_incomplete=common.allow_incomplete,
        outside=_outside(looking) if looking is not None and looking.online else None,
        login=login(looking) if looking is not None else Login(),
    )


def login(looking: Looking) -> Login:
    """How live hosts are entered, and the network asked about them."""
    outside = _outside(looking)
    if looking.jobs is not None and not 0 < looking.jobs <= MOST_JOBS:
        raise UsageError(f"-j {looking.jobs}: expected a number from 1 to {MOST_JOBS}")
    for asked, named in ((looking.online, "--online"), (looking.probe_relay, "--probe-relay")):
        if asked and looking.offline:
            raise UsageError(f"{named} and --offline are both asked for")
    return Login(str(looking.become), outside.seconds, looking.jobs or JOBS, None, None if looking.offline else outside)


def _outside(looking: Looking) -> Outside:
    """How the network is asked."""
    resolvers = tuple(map(_resolver, looking.resolver or ()))
    if looking.timeout is not None and not 0 < looking.timeout < MOST_SECONDS:
        raise UsageError(f"--timeout {looking.timeout:g}: expected a number of seconds")
    anchors = _anchors(looking.trust_anchor) if looking.trust_anchor is not None else ()
    seconds = SECONDS if looking.timeout is None else looking.timeout
    authorities = _authorities(looking.ca_file) if looking.ca_file else ()
    return Outside(resolvers, seconds, anchors, authorities=authorities, probe_relay=looking.probe_relay)


def _authorities(path: str) -> tuple[str, ...]:
    """The authorities in a file."""
    from mailaudit.collect.authorities import AuthoritiesError, read_authorities  # noqa: PLC0415  only who names a file reads one

    try:
        return read_authorities(path)
    except AuthoritiesError as error:
        raise UsageError(f"--ca-file {path}: {error}", "the file holds certificates of authorities as PEM text") from error


def _anchors(path: str) -> tuple[str, ...]:
    """The root's trust anchors in a file."""
    from mailaudit.collect.dns.anchors import AnchorError, read_anchors  # noqa: PLC0415  only who names a file pays for dnspython

    try:
        with Path(path).open("rb") as file:
            data = file.read(MOST_OF_ANCHORS + 1)
        if len(data) > MOST_OF_ANCHORS:
            raise AnchorError("too long for a file of trust anchors")
        return read_anchors(data.decode("ascii"))
    except OSError as error:
        raise UsageError(f"--trust-anchor {path}: {(error.strerror or str(error)).lower()}") from error
    except ValueError as error:
        why = "no text" if isinstance(error, UnicodeDecodeError) else str(error)
        hint = "the file holds DS or DNSKEY records of the root, such as unbound's root.key or BIND's bind.keys"
        raise UsageError(f"--trust-anchor {path}: {why}", hint) from error


def _resolver(written: str) -> tuple[str, int]:
    """An address and a port: 192.0.2.53, 192.0.2.53:5353, 2001:db8::53, [2001:db8::53]:5353."""
    found = re.fullmatch(r"\[([^\]]+)\](?::([0-9]{1,5}))?|([^:]+)(?::([0-9]{1,5}))?|(.*)", written, re.DOTALL)
    assert found is not None
    address, port = found[1] or found[3] or found[5], int(found[2] or found[4] or 53)
    try:
        known = ip_address(address) if 0 < port < MOST_PORTS else None
    except ValueError:
        known = None
    if known is None:
        raise UsageError(f"--resolver {written}: expected an address, and perhaps a port: 192.0.2.53 or [2001:db8::53]:5353")
    return str(known), port


def _split(selectors: Sequence[str] | None) -> tuple[str, ...]:
    return tuple(each.strip() for selector in selectors or () for each in selector.split(",") if each.strip())


def _domain(written: str) -> str:
    try:
        return values.domain(written)
    except ValueError as error:
        raise UsageError(f"--domain {written}: expected a domain like example.com") from error


def _time(written: str | None) -> datetime | None:
    if written is None:
        return None
    try:
        time = datetime.fromisoformat(written)
    except ValueError as error:
        raise UsageError(f"--now {written}: expected a time such as 2026-11-22T12:00:00Z") from error
    return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
