"""What a variant is: one thing that is otherwise than in the base of the lab, and what a scan must say then."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from lab.certificates import Certificate
from lab.space import RESOLVER

BUDGET = 60.0  # seconds: that of the command line


@dataclass(frozen=True)
class Variant:
    """One misconfiguration or fault, as data.

    World:
    `records`: DNS data by `owner TYPE` as in answers.json, in place of the base's; () takes them away.
    `bogus`: zones that are changed after they were signed.
    `servers`: stand-in name servers by address (see `space.SPARE`, `space.SERVERS`, `space.RESOLVER`; what is there is stopped):
    silent, servfail, refused, slow:SECONDS.
    Host:
    `edits`: replacements in the host's files, (old, new) each of which must occur. `files`: whole files; None removes one.
    `certificate`: another certificate at its place; `other_key`: a key that is not the certificate's.
    `restart`: False leaves the daemons as they were started, before the files changed.
    `stopped`: daemons that do not run. `ports`: stand-ins that answer the outside in a daemon's place: silent, endless, junk,
    drip, reset, reset-in-tls, in-clear, busy; or `drop`, a firewall that swallows all.
    `beside`: commands (words) that run on the host all the while.
    Auditor:
    `resolvers`: its resolv.conf. `known_hosts`: its file, `{key}` being the host's key. `arguments`: more for `scan`.

    What must come of it: `expected` are the verdicts, by rule, that differ from those of the base. No others may differ, but for
    those in `perhaps`, and for any that become unknown if the variant `blinds`. `code` is the exit code, `budget` the seconds
    within which a whole scan must end; `says` must occur on standard error or output.
    """

    name: str
    expected: Mapping[str, str] = field(default_factory=dict)
    code: int = 1
    budget: float = BUDGET
    perhaps: tuple[str, ...] = ()
    blinds: bool = False
    says: tuple[str, ...] = ()
    records: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    bogus: tuple[str, ...] = ()
    servers: Mapping[str, str] = field(default_factory=dict)
    edits: Mapping[str, tuple[tuple[str, str], ...]] = field(default_factory=dict)
    files: Mapping[str, str | None] = field(default_factory=dict)
    certificate: Certificate | None = None
    other_key: bool = False
    restart: bool = True
    stopped: tuple[str, ...] = ()
    ports: Mapping[int, str] = field(default_factory=dict)
    beside: tuple[tuple[str, ...], ...] = ()
    resolvers: tuple[str, ...] = (RESOLVER,)
    known_hosts: str = "mail.example.com {key}\n"
    arguments: tuple[str, ...] = ()


BASE = Variant("as it should be", code=0)
