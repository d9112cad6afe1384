"""Whom the command line names, and how they are looked at."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from ipaddress import ip_address
from pathlib import Path

from mailaudit.choices import Looking
from mailaudit.collect.budget import SECONDS
from mailaudit.collect.login import JOBS, Login
from mailaudit.collect.online import Outside
from mailaudit.collect.ssh.target import is_path
from mailaudit.commands.telling import UsageError
from mailaudit.wording import why_not

# What reads and judges is not imported here: a live host is logged in to before it is.

MOST_SECONDS = 86_400
MOST_PORTS = 65_536
MOST_JOBS = 256
MOST_OF_ANCHORS = 1024 * 1024  # bytes
MOST_OF_TARGETS = 1024 * 1024  # bytes


def chosen_targets(named: Sequence[str], targets_file: str | None, *, live: bool = False) -> list[str]:
    """All targets that are named, on the command line and in a file; with `live`, hosts too, not paths alone. Each once."""
    targets = list(dict.fromkeys([*named, *(_listed(targets_file) if targets_file is not None else ())]))
    if not targets:
        lacking = "no TARGET is named" if targets_file is None else f"-T {targets_file}: no target is named in it"
        raise UsageError(lacking, "mailaudit scan HOST, mailaudit scan DIRECTORY" if live else "mailaudit scan DIRECTORY")
    for target in targets:
        if not live and not is_path(target):
            raise UsageError(f"{target}: no such file or directory", "mailaudit snapshot HOST -o DIR records a live host")
    return targets


def _listed(path: str) -> list[str]:
    try:
        with Path(path).open("rb") as file:
            data = file.read(MOST_OF_TARGETS + 1)
    except OSError as error:
        raise UsageError(f"-T {path}: {why_not(error)}") from error
    if len(data) > MOST_OF_TARGETS:
        raise UsageError(f"-T {path}: over {MOST_OF_TARGETS // 1024} KiB, the most that mailaudit reads")
    lines = data.decode("utf-8", "surrogateescape").splitlines()
    return [line.strip() for line in lines if line.strip() and not line.lstrip().startswith("#")]


def login(looking: Looking) -> Login:
    """How live hosts are entered, and the network asked about them."""
    return trusting(entering(looking), looking)


def entering(looking: Looking) -> Login:
    """The same, without whom to trust: what a login does not wait for."""
    outside = _outside(looking)
    if looking.jobs is not None and not 0 < looking.jobs <= MOST_JOBS:
        raise UsageError(f"-j {looking.jobs}: expected a number from 1 to {MOST_JOBS}")
    online = ((looking.online, "--online"), (looking.probe_relay, "--probe-relay"), (looking.resolver, "--resolver"))
    for asked, named in online:
        if asked and looking.offline:
            raise UsageError(f"{named} and --offline are both asked for")
    return Login(str(looking.become), outside.seconds, looking.jobs or JOBS, None, None if looking.offline else outside)


def trusting(login: Login, looking: Looking) -> Login:
    """The same with the authorities and trust anchors that files hold; reading them takes dnspython and cryptography."""
    anchors = _anchors(looking.trust_anchor) if looking.trust_anchor is not None else ()
    authorities = _authorities(looking.ca_file) if looking.ca_file else ()
    outside = login.outside
    return login if outside is None else replace(login, outside=replace(outside, anchors=anchors, authorities=authorities))


def _outside(looking: Looking) -> Outside:
    """How the network is asked, whomever it trusts."""
    resolvers = tuple(map(_resolver, looking.resolver or ()))
    if looking.timeout is not None and not 0 < looking.timeout < MOST_SECONDS:
        raise UsageError(f"--timeout {looking.timeout:g}: expected a number of seconds")
    seconds = SECONDS if looking.timeout is None else looking.timeout
    return Outside(resolvers, seconds, probe_relay=looking.probe_relay)


def _authorities(path: str) -> tuple[str, ...]:
    """The authorities in a file."""
    from mailaudit.collect.authorities import AuthoritiesError, read_authorities  # noqa: PLC0415  only who names a file reads one

    try:
        return read_authorities(path)
    except AuthoritiesError as error:
        raise UsageError(f"--ca-file {path}: {error}", "the file holds certificates of authorities as PEM text") from error


def _anchors(path: str) -> tuple[str, ...]:
    """The root's trust anchors in a file."""
    from mailaudit.collect.directory import RefusedError  # noqa: PLC0415  only who names a file pays for it, and for dnspython
    from mailaudit.collect.dns.anchors import AnchorError, read_anchors  # noqa: PLC0415  as above
    from mailaudit.collect.named import named_file  # noqa: PLC0415  as above

    try:
        data = named_file(path)
        if data is None:
            raise UsageError(f"--trust-anchor {path}: no such file or directory")
        if len(data) > MOST_OF_ANCHORS:
            raise AnchorError("too long for a file of trust anchors")
        return read_anchors(data.decode("ascii"))
    except RefusedError as error:
        raise UsageError(f"--trust-anchor {path}: {error}") from error
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
