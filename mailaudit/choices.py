"""What the command line lets choose among; imported by `--help`, so it imports nothing of ours."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class Format(StrEnum):
    """The formats of a report; each but the first is a module of `reports/`."""

    TERMINAL = "terminal"
    JSON = "json"
    SARIF = "sarif"
    GITHUB = "github"
    MARKDOWN = "markdown"
    JUNIT = "junit"
    GITLAB = "gitlab"
    PROMETHEUS = "prometheus"
    JSONL = "jsonl"


class AnswerFormat(StrEnum):
    """The formats of what is no report: the answer to a question, a list."""

    TERMINAL = "terminal"
    JSON = "json"


class SarifProfile(StrEnum):
    """For whom SARIF is written: everybody, or GitHub's code scanning with its limits."""

    STANDARD = "standard"
    GITHUB = "github"


class Color(StrEnum):
    """When standard output is coloured."""

    AUTO = "auto"
    ALWAYS = "always"
    NEVER = "never"


class Become(StrEnum):
    """Whose rights a live host's closed files and commands are asked with."""

    NONE = "none"
    DOAS = "doas"
    SUDO = "sudo"
    AUTO = "auto"


class Direction(StrEnum):
    """The ways of packets, as a host sees them."""

    IN = "in"
    OUT = "out"


class Profile(StrEnum):
    """The profiles (catalogue, section 7)."""

    GUIDE = "guide"
    RECOMMENDED = "recommended"
    STRICT = "strict"


class Way(StrEnum):
    """What `trace` follows: a message from another server, a message that a user sends, a user who reads."""

    INBOUND = "inbound"
    SUBMISSION = "submission"
    IMAP = "imap"


class Release(StrEnum):
    """The releases that `fix` writes a configuration anew for."""

    DOVECOT_2_4 = "dovecot-2.4"


class Shell(StrEnum):
    """The shells that commands and options are completed in."""

    KSH = "ksh"
    BASH = "bash"
    ZSH = "zsh"
    FISH = "fish"


class Threshold(StrEnum):
    """The least severity that makes a scan fail."""

    INFO = "info"
    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    CRITICAL = "critical"


def option(*names: str, default: Any = None, told: str = "", metavar: str | None = None) -> Any:
    """An option of the command line as a dataclass field; `told` is its help."""
    return field(default=default, metadata={"names": names, "help": told, "metavar": metavar})


@dataclass(frozen=True, kw_only=True)
class Looking:
    """Whether and how the network and live hosts are asked; `timeout` is in seconds, `jobs` are hosts at once."""

    online: bool = option(
        "--online", default=False, told="Ask DNS and the host's own ports for what files and record do not tell."
    )
    offline: bool = option("--offline", default=False, told="Of a live host, ask what SSH shows alone.")
    resolver: list[str] | None = option(
        "--resolver", metavar="ADDR[:PORT]", told="Ask this resolver, not the system's; repeatable."
    )
    trust_anchor: str | None = option(
        "--trust-anchor", metavar="FILE", told="The root's keys for DNSSEC: DS or DNSKEY records, or BIND's trust-anchors."
    )
    ca_file: str | None = option("--ca-file", metavar="FILE", told="Further authorities to trust for TLS, as PEM.")
    probe_relay: bool = option(
        "--probe-relay", default=False, told="Ask port 25 whether it takes mail for others; none is ever sent."
    )
    timeout: float | None = option("--timeout", metavar="SECONDS", told="For one host, its whole scan; default: 60.")
    become: Become = option("--become", default=Become.AUTO, told="Whose rights a live host's closed files are read with.")
    jobs: int | None = option("-j", "--jobs", metavar="N", told="So many live hosts at once; default: 8.")


@dataclass(frozen=True, kw_only=True)
class NewHost:
    """What `init` is told of a host beside its names."""

    ipv4: str | None = option("--ipv4", metavar="ADDR[/LEN]", told="Its IPv4 address.")
    ipv6: str | None = option("--ipv6", metavar="ADDR[/LEN]", told="Its IPv6 address.")
    out: str | None = option("-o", "--out", metavar="DIR", told="A new folder; default: called as the host.")
    user: list[str] | None = option("--user", metavar="NAME", told="A mailbox, the part before the @; repeatable.")
    interface: str | None = option("--interface", metavar="NAME", told="Write hostname.NAME for it, such as vio0.")
    selector: str = option("--selector", metavar="NAME", default="selector0", told="The DKIM selector.")
    mail_name: str = option("--mail-name", metavar="NAME", default="mail", told="What clients and the MX record call it.")
    dovecot: str = option("--dovecot", metavar="2.3|2.4", default="2.3", told="The family that is installed there.")
    openbsd: str = option("--openbsd", metavar="RELEASE", default="7.9", told="The release that runs there.")


@dataclass(frozen=True, kw_only=True)
class Common:
    """The options that `scan` and `fix` share (contract, section 1)."""

    domain: list[str] | None = option("--domain", metavar="DOMAIN", told="A mail domain of the host; repeatable.")
    profile: Profile | None = option("--profile", told="Which rules are judged; default: the settings', else recommended.")
    select: list[str] | None = option("--select", metavar="RULE", told="Only these rules: ids, names, prefixes; repeatable.")
    ignore: list[str] | None = option("--ignore", metavar="RULE", told="Not these rules; repeatable.")
    fail_on: Threshold = option("--fail-on", default=Threshold.LOW, told="The least severity that gives code 1.")
    config: str | None = option("--config", metavar="FILE", told="Settings, in place of the target's mailaudit.toml.")
    form: Format = option("--format", default=Format.TERMINAL, told="What standard output carries.")
    output: list[str] | None = option("--output", metavar="FORMAT:PATH", told="Write the report there as well; repeatable.")
    sarif_profile: SarifProfile = option(
        "--sarif-profile", default=SarifProfile.STANDARD, told="For GitHub's code scanning: what it ignores is left out."
    )
    now: str | None = option("--now", metavar="TIME", told="Judge certificates at this time, such as 2026-11-22T12:00:00Z.")
    show_passed: bool = option("--show-passed", default=False, told="Name the rules that passed.")
    no_inline_ignores: bool = option("--no-inline-ignores", default=False, told="Heed no waiver in the host's own files.")
    strict_waivers: bool = option("--strict-waivers", default=False, told="Code 1 for expired and unused waivers.")
    exit_zero: bool = option("--exit-zero", default=False, told="Code 0 in place of 1.")
    allow_incomplete: bool = option("--allow-incomplete", default=False, told="In place of code 4, what the rest gives.")
    quiet: bool = option("--quiet", "-q", default=False, told="One line for each finding.")
    verbose: bool = option("--verbose", "-v", default=False, told="Every finding, every reason.")
    color: Color = option("--color", default=Color.AUTO, told="Colour on standard output.")
    debug: bool = option("--debug", default=False, told="Show a traceback for an internal error.")
