"""Reports made by hand, for the tests of the formats: a usual one, a hostile one, one of a run that failed."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime

from mailaudit.edits import Edit, Fix, Safety
from mailaudit.findings import (
    Basis,
    Coverage,
    Evidence,
    FileStatus,
    HostReport,
    Lifetime,
    Place,
    Report,
    Result,
    Severity,
    Verdict,
    WaivedBy,
)
from mailaudit.questions import Reason
from mailaudit.text import Span, Text

QUEUE_KEY = "0123456789abcdef0123456789abcde"
PASSWORD_HASH = "$2b$10$abcdefghijklmnopqrstuuJ1nVJq4bGmGZ0RbLfUjzYp1d8Zb8dWe"

PF = Text.of(
    "/etc/pf.conf",
    """\
# Firewall, Zürich office
icmp_types = "{ echoreq, unreach }"
tcp_services = "{ sshd, smtp, http }"

set skip on lo
set block-policy return

block log all
pass in on egress inet proto icmp all icmp-type $icmp_types
pass in on egress proto tcp from any to (egress) port $tcp_services
pass out all
""",
)
SMTPD = Text.of(
    "/etc/mail/smtpd.conf",
    f"""\
pki mail.example.com cert "/etc/ssl/mail.example.com.crt"
queue encryption key "{QUEUE_KEY}"
listen on all port submission tls pki mail.example.com auth <credentials>
listen on all tls pki mail.example.com \\
\thostname host7.example.com filter rspamd
match from any for domain example.com action deliver
frobnicate the queue
""",
)
CREDENTIALS = Text.of("/etc/mail/credentials", f"someone@example.com:{PASSWORD_HASH}:vmail:2000:2000:/var/vmail\n")
SITE = {
    "domains": ["example.com"],
    "mail_host": "mail.example.com",
    "host_name": "host7.example.com",
    "ipv4": ["203.0.113.9"],
    "ipv6": ["2001:db8::9"],
    "selectors": {"example.com": "selector0"},
}


def span(text: Text, words: str, nth: int = 1) -> Span:
    """The nth place of these words in a text."""
    at = -1
    for _ in range(nth):
        at = text.chars.index(words, at + 1)
    return Span(text, at, at + len(words))


def fingerprint(*words: str) -> str:
    """Any fingerprint."""
    return hashlib.sha256("\0".join(words).encode("utf-8", "surrogateescape")).hexdigest()


def result(
    rule: str,
    name: str,
    verdict: Verdict,
    message: str = "",
    *,
    severity: Severity = Severity.HIGH,
    basis: Basis = Basis.GUIDE,
    title: str = "",
    places: tuple[Place | Evidence, ...] = (),
    fix: Fix | None = None,
    reason: Reason | None = None,
    assumed: tuple[str, ...] = (),
    waiver: str = "",
    note: str = "",
) -> Result:
    """A result with a fingerprint where it needs one."""
    made = fingerprint(rule, message) if verdict in (Verdict.FAIL, Verdict.WAIVED) else ""
    title = title or name.replace("-", " ").capitalize()
    by = WaivedBy.SETTINGS if waiver else None
    return Result(
        rule, name, verdict, severity, basis, title, message, reason, assumed, places, fix, made, waiver, note, waived_by=by
    )


def usual() -> Report:
    """A host with something of everything."""
    sshd = span(PF, "sshd")
    listen = span(SMTPD, "tls")
    failing = (
        result(
            "PF001",
            "pf-conf-loads",
            Verdict.FAIL,
            'pfctl refuses the file: "sshd" is no service in /etc/services.',
            severity=Severity.CRITICAL,
            title="pf.conf loads",
            places=(Place.at(sshd, "no such service"), Place.at(span(PF, "$tcp_services"), "used here")),
            fix=Fix("Name the service ssh.", Safety.SAFE, (Edit(PF.path, sshd.start, sshd.end, "ssh"),)),
        ),
        result(
            "SMTPD023",
            "submission-requires-tls",
            Verdict.FAIL,
            "The listener on port 587 offers TLS but does not require it.",
            title="Submission requires TLS",
            places=(Place.at(listen, "offered, not required"),),
            fix=Fix("Require TLS.", Safety.UNSAFE, (Edit(SMTPD.path, listen.start, listen.end, "tls-require"),)),
        ),
        result(
            "SMTPD041",
            "queue-key-length",
            Verdict.FAIL,
            "The queue key has 31 characters; smtpd takes exactly 32.",
            severity=Severity.CRITICAL,
            basis=Basis.CORRECTNESS,
            title="The queue key has 32 characters",
            places=(Place.at(span(SMTPD, f'"{QUEUE_KEY}"'), "31 characters"),),
            fix=Fix(
                "Generate a new key.",
                Safety.UNSAFE,
                (
                    Edit(
                        SMTPD.path,
                        span(SMTPD, QUEUE_KEY).start,
                        span(SMTPD, QUEUE_KEY).end,
                        "{{generate:hex16}}",
                    ),
                ),
            ),
        ),
        result(
            "CRED002",
            "credentials-mode",
            Verdict.FAIL,
            "Everyone on the host can read the password hashes.",
            severity=Severity.MEDIUM,
            basis=Basis.SECURITY,
            title="Only smtpd and Dovecot read the credentials",
            places=(
                Evidence("stat /etc/mail/credentials", "0644 root:wheel"),
                Place.at(span(CREDENTIALS, PASSWORD_HASH), "a hash"),
            ),
            fix=Fix(
                "Give the file to smtpd and Dovecot.",
                Safety.MANUAL,
                commands=("chown _smtpd:_dovecot /etc/mail/credentials", "chmod 0440 /etc/mail/credentials"),
            ),
        ),
        result(
            "DNS011",
            "caa-present",
            Verdict.FAIL,
            "No CAA record says which authority may issue certificates.",
            severity=Severity.LOW,
            basis=Basis.SECURITY,
            title="CAA names the authority",
            places=(Evidence("example.com. CAA", "NOERROR, no records"),),
            fix=Fix("Publish the record.", Safety.MANUAL, records=('example.com. 3600 IN CAA 0 issue "letsencrypt.org"',)),
        ),
        result(
            "PF044",
            "ipv6-icmp",
            Verdict.FAIL,
            "IPv6 neighbour discovery is blocked.",
            title="IPv6 works through the firewall",
            places=(Place.whole(PF),),
            note="(/etc/pf.conf does not load as it stands; this is judged as if that were mended.)",
            assumed=("service names as OpenBSD ships them",),
        ),
    )
    others = (
        result("PF010", "loopback-skipped", Verdict.PASS, severity=Severity.LOW),
        result("PF020", "default-deny", Verdict.PASS),
        result("DNS020", "spf-present", Verdict.UNKNOWN, "the network was not asked", reason=Reason.OFFLINE),
        result("DNS021", "spf-hard-fail", Verdict.UNKNOWN, "the network was not asked", reason=Reason.OFFLINE),
        result(
            "SMTPD031",
            "no-open-relay",
            Verdict.UNKNOWN,
            "/etc/mail/smtpd.conf:7 was not read, so this could not be told",
            severity=Severity.CRITICAL,
            reason=Reason.NOT_READ,
            places=(Place.at(span(SMTPD, "frobnicate the queue")),),
        ),
        result("DOVECOT010", "dovecot-loads", Verdict.NOT_APPLICABLE, "nothing of dovecot is in the target"),
        result(
            "PF033",
            "log-blocked",
            Verdict.WAIVED,
            "Blocked packets are not logged.",
            severity=Severity.LOW,
            places=(Place.at(span(PF, "block")),),
            waiver="the disk is small, until 2027-03-31",
        ),
    )
    files = (
        Coverage(PF.path, "pf", FileStatus.REFUSED, digest(PF), 8, ((span(PF, '"{ sshd, smtp, http }"'), "no such service"),)),
        Coverage(SMTPD.path, "smtpd", FileStatus.PARTLY_READ, digest(SMTPD), 7, ((span(SMTPD, "frobnicate the queue"), "?"),)),
        Coverage(CREDENTIALS.path, "credentials", FileStatus.READ, digest(CREDENTIALS), 1),
        Coverage("/etc/acme-client.conf", "acme", FileStatus.MISSING),
        Coverage("/etc/mail/aliases", "aliases", FileStatus.UNREADABLE, detail="it is a FIFO"),
    )
    host = HostReport(
        "host7.example.com",
        "examples/corrected",
        online=False,
        site=SITE,
        files=files,
        results=failing + others,
        texts={text.path: text for text in (PF, SMTPD, CREDENTIALS)},
        secrets=(("queue-key", QUEUE_KEY), ("hash", PASSWORD_HASH)),
        certificates=(
            lifetime("/etc/ssl/mail.example.com.crt", "2026-10-20", "2027-01-18"),
            lifetime("203.0.113.9:25", "2026-08-01", "2026-10-30"),
        ),
        now=datetime(2026, 11, 22, 12, tzinfo=UTC),
    )
    return Report(
        profile="recommended",
        rules=13,
        started="2026-11-22T12:00:00Z",
        finished="2026-11-22T12:00:01Z",
        hosts=(host,),
        exit_code=4,
        exit_reason="not read: host7.example.com: /etc/mail/smtpd.conf",
    )


def lifetime(at: str, first: str, last: str) -> Lifetime:
    """That of a certificate for mail.example.com."""
    begin, end = (datetime.fromisoformat(f"{each}T08:00:00+00:00") for each in (first, last))
    return Lifetime(at, ("mail.example.com",), begin, end, f"sha256:{fingerprint(first, last)}")


def digest(text: Text) -> str:
    """The SHA-256 of a text."""
    return hashlib.sha256(text.data).hexdigest()


HOSTILE = "\x1b]0;owned\x07\x1b[31m \x9b2J [bold red]markup[/] \u202eevil\u2066 \r\b\x00 \udce9 \u200b::error::x <script>"


def hostile() -> Report:
    """A host whose every word tries to be more than a word."""
    text = Text.of("/etc/pf.conf", f"# {HOSTILE}\npass in quick {HOSTILE} all\n")
    at = span(text, "quick")
    finding = result(
        "PF020",
        "default-deny",
        Verdict.FAIL,
        f"It says {HOSTILE}.",
        places=(
            Place.at(at, f"label {HOSTILE}"),
            Place.at(Span(text, 2, 12)),
            Evidence(f"question {HOSTILE}", f"answer {HOSTILE}"),
        ),
        fix=Fix(f"Fix {HOSTILE}", Safety.MANUAL, (), (f"command {HOSTILE}",), (f"record {HOSTILE}",)),
        assumed=(f"assumed {HOSTILE}",),
    )
    waived = result("PF021", "another", Verdict.WAIVED, f"{HOSTILE}", waiver=f"because {HOSTILE}")
    doubt = result("PF022", "third", Verdict.UNKNOWN, f"doubt {HOSTILE}", reason=Reason.IN_DOUBT, places=(Place.at(at),))
    host = HostReport(
        f"host{HOSTILE}",
        f"./{HOSTILE}",
        online=False,
        site=SITE,
        files=(
            Coverage(f"/etc/{HOSTILE}", "pf", FileStatus.PARTLY_READ, digest(text), 3, ((at, HOSTILE),)),
            Coverage("/etc/x", "pf", FileStatus.UNREADABLE, detail=f"detail {HOSTILE}"),
        ),
        results=(finding, waived, doubt),
        texts={text.path: text},
    )
    return Report("strict", 3, "2026-11-22T12:00:00Z", "2026-11-22T12:00:00Z", (host,), (f"error {HOSTILE}",), 4, HOSTILE)


def failed() -> Report:
    """A run that never came to a host."""
    time = "2026-11-22T12:00:00Z"
    return Report("recommended", 0, time, time, (), ("./nowhere is not there",), 2, "usage or configuration error")
