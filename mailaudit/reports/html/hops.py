"""The hops of the mail's way, which rules tell of each, and how it stands there."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from mailaudit.findings import Evidence, Result, Severity, Verdict
from mailaudit.questions import NOT_ASKED
from mailaudit.reports.view import View


class Hop(StrEnum):
    """The hops, in the order in which they are told."""

    SERVERS = "servers"
    PROGRAMS = "programs"
    DNS = "dns"
    PF = "pf"
    SMTPD = "smtpd"
    RSPAMD = "rspamd"
    MAILDIR = "maildir"
    DOVECOT = "dovecot"
    ACCOUNTS = "accounts"
    CERTIFICATES = "certificates"
    SYSTEM = "system"


@dataclass(frozen=True, slots=True)
class About:
    """What a hop is called, and what is looked at there."""

    name: str
    told: str


ABOUT: Mapping[Hop, About] = {
    Hop.SERVERS: About("Other servers", "what the rest of the Internet makes of this host"),
    Hop.PROGRAMS: About("Mail programs", "how users' programs find the host"),
    Hop.DNS: About("DNS", "MX, addresses, SPF, DKIM, DMARC, MTA-STS, reverse names"),
    Hop.PF: About("pf", "the firewall: which ports are open to whom"),
    Hop.SMTPD: About("OpenSMTPD", "listeners, routing, relaying, the queue"),
    Hop.RSPAMD: About("rspamd", "the filter, its redis, DKIM signatures"),
    Hop.MAILDIR: About("Maildirs", "where mail is delivered, and who owns it"),
    Hop.DOVECOT: About("Dovecot", "IMAP, ManageSieve, Sieve scripts"),
    Hop.ACCOUNTS: About("Accounts", "credentials, virtual addresses, aliases"),
    Hop.CERTIFICATES: About("Certificates", "acme-client, httpd, certificates and keys"),
    Hop.SYSTEM: About("System", "OpenBSD itself: release, services, limits, root"),
}

RULES: Mapping[str, Hop] = {
    "ABUSE": Hop.ACCOUNTS,
    "ABUSE007": Hop.PF,
    "ABUSE010": Hop.SMTPD,
    "ABUSE011": Hop.SMTPD,
    "ABUSE013": Hop.SYSTEM,
    "ACME": Hop.CERTIFICATES,
    "ALIAS": Hop.ACCOUNTS,
    "CRED": Hop.ACCOUNTS,
    "CRED011": Hop.MAILDIR,
    "CRED012": Hop.MAILDIR,
    "CRED013": Hop.MAILDIR,
    "CROSS00": Hop.CERTIFICATES,
    "CROSS010": Hop.CERTIFICATES,
    "CROSS02": Hop.PF,
    "CROSS030": Hop.SMTPD,
    "CROSS04": Hop.RSPAMD,
    "CROSS05": Hop.MAILDIR,
    "CROSS06": Hop.DOVECOT,
    "CROSS060": Hop.MAILDIR,
    "CROSS061": Hop.SYSTEM,
    "CROSS063": Hop.MAILDIR,
    "CROSS064": Hop.ACCOUNTS,
    "CROSS070": Hop.CERTIFICATES,
    "CROSS071": Hop.DNS,
    "CROSS072": Hop.CERTIFICATES,
    "CROSS080": Hop.DNS,
    "CROSS09": Hop.SMTPD,
    "CROSS100": Hop.SMTPD,
    "CROSS101": Hop.RSPAMD,
    "CROSS103": Hop.SYSTEM,
    "DKIM": Hop.RSPAMD,
    "DNS": Hop.DNS,
    "DNS053": Hop.PROGRAMS,
    "DNS054": Hop.SERVERS,
    "DOVECOT": Hop.DOVECOT,
    "DOVECOT030": Hop.MAILDIR,
    "DOVECOT04": Hop.MAILDIR,
    "HOST": Hop.SYSTEM,
    "HOST020": Hop.SMTPD,
    "HOST021": Hop.SMTPD,
    "HOST022": Hop.DOVECOT,
    "HOST023": Hop.DOVECOT,
    "HOST024": Hop.RSPAMD,
    "HOST025": Hop.RSPAMD,
    "HOST030": Hop.CERTIFICATES,
    "HOST031": Hop.SMTPD,
    "HOST032": Hop.DOVECOT,
    "HOST033": Hop.RSPAMD,
    "HOST034": Hop.RSPAMD,
    "HOST035": Hop.PF,
    "HOST041": Hop.PF,
    "HOST042": Hop.SMTPD,
    "HOST05": Hop.MAILDIR,
    "HOST056": Hop.SYSTEM,
    "HOST060": Hop.DOVECOT,
    "HOST062": Hop.RSPAMD,
    "HOST073": Hop.RSPAMD,
    "HOST074": Hop.RSPAMD,
    "HTTPD": Hop.CERTIFICATES,
    "PF": Hop.PF,
    "POLICY": Hop.SYSTEM,
    "POLICY001": Hop.PF,
    "POLICY002": Hop.SMTPD,
    "POLICY003": Hop.DOVECOT,
    "POLICY004": Hop.CERTIFICATES,
    "POLICY005": Hop.RSPAMD,
    "POLICY006": Hop.DNS,
    "RSPAMD": Hop.RSPAMD,
    "SIEVE": Hop.DOVECOT,
    "SMTPD": Hop.SMTPD,
    "SMTPD011": Hop.CERTIFICATES,
    "SMTPD017": Hop.MAILDIR,
    "SMTPD019": Hop.MAILDIR,
    "TLS": Hop.CERTIFICATES,
    "TLS010": Hop.SMTPD,
    "TLS011": Hop.SMTPD,
    "TLS012": Hop.DOVECOT,
    "TLS013": Hop.SMTPD,
    "VIRT": Hop.ACCOUNTS,
}
"""Where a rule belongs, by the beginning of its id; the longest one counts."""

SPANNING = ("ABUSE", "CROSS", "POLICY")
"""Rules about more than one daemon: where such a finding belongs, the file that it stands in tells first."""

PATHS: Mapping[str, Hop] = {
    "/etc/pf.": Hop.PF,
    "/etc/mail/smtpd.conf": Hop.SMTPD,
    "/etc/mail/": Hop.ACCOUNTS,
    "/etc/mail/dkim/": Hop.RSPAMD,
    "/etc/dovecot/": Hop.DOVECOT,
    "/usr/local/lib/dovecot/sieve/": Hop.DOVECOT,
    "/etc/rspamd/": Hop.RSPAMD,
    "/etc/redis/": Hop.RSPAMD,
    "/etc/acme-client.conf": Hop.CERTIFICATES,
    "/etc/httpd.conf": Hop.CERTIFICATES,
    "/etc/ssl/": Hop.CERTIFICATES,
    "/var/vmail": Hop.MAILDIR,
}
"""The hop of a file, by the beginning of its path; the longest one counts."""


def of_rule(identity: str) -> Hop:
    """The hop that a rule tells of."""
    return _longest(RULES, identity) or Hop.SYSTEM


def of_result(result: Result) -> Hop:
    """The hop that a result tells of."""
    first = result.places[0] if result.places and result.rule.startswith(SPANNING) else None
    path = "" if first is None else first.question.removeprefix("stat ") if isinstance(first, Evidence) else first.path
    return _longest(PATHS, path) or of_rule(result.rule)


def _longest(table: Mapping[str, Hop], word: str) -> Hop | None:
    longest = min(len(word), max(map(len, table)))
    return next((table[word[:size]] for size in range(longest, 0, -1) if word[:size] in table), None)


class Shape(StrEnum):
    """The marks, worst first: each has its own shape, colour and word."""

    CRITICAL = "critical"
    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"
    INFO = "info"
    UNTOLD = "not told"
    WAIVED = "waived"
    PARTLY = "partly asked"
    UNASKED = "not asked"
    FINE = "in order"
    NOTHING = "not audited"


def of_severity(severity: Severity) -> Shape:
    """The mark of a severity."""
    return Shape(str(severity))


@dataclass(frozen=True, slots=True)
class Entry:
    """A result in the page: its anchor, where it belongs, its mark."""

    result: Result
    anchor: str
    hop: Hop
    shape: Shape


def anchor_of(host: str, hop: Hop) -> str:
    """The anchor of a hop; `host` begins it."""
    return f"{host}-hop-{hop}"


def entries(view: View, host: str) -> list[Entry]:
    """All results of a host, the worst first; `host` begins their anchors."""
    results = view.of(*Verdict)
    return [Entry(each, f"{host}-{number}", of_result(each), shape_of(each)) for number, each in enumerate(results, 1)]


def shape_of(result: Result) -> Shape:
    """The mark of one result."""
    if result.verdict is Verdict.FAIL:
        return of_severity(result.severity)
    if result.verdict is Verdict.UNKNOWN:
        return Shape.UNASKED if result.reason in NOT_ASKED else Shape.UNTOLD
    return {Verdict.WAIVED: Shape.WAIVED, Verdict.PASS: Shape.FINE}.get(result.verdict, Shape.NOTHING)


@dataclass(frozen=True, slots=True)
class Standing:
    """How it stands at a hop: its worst mark, its findings worst first, how many results of each mark."""

    shape: Shape
    findings: tuple[Entry, ...]
    counts: Mapping[Shape, int]

    @property
    def word(self) -> str:
        """In words: `critical (3)`."""
        return f"{self.shape} ({len(self.findings)})" if self.findings else str(self.shape)


def standings(told: Iterable[Entry]) -> dict[Hop, Standing]:
    """How it stands at each hop."""
    by_hop: dict[Hop, list[Entry]] = {hop: [] for hop in Hop}
    for entry in told:
        by_hop[entry.hop].append(entry)
    return {hop: _standing(found) for hop, found in by_hop.items()}


def _standing(told: list[Entry]) -> Standing:
    counts = Counter(entry.shape for entry in told)
    worst = next((shape for shape in Shape if counts[shape]), Shape.NOTHING)
    if worst is Shape.UNASKED and counts[Shape.FINE]:
        worst = Shape.PARTLY
    return Standing(worst, tuple(entry for entry in told if entry.result.verdict is Verdict.FAIL), counts)
