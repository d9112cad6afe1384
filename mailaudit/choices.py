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
    HTML = "html"
    JUNIT = "junit"
    GITLAB = "gitlab"
    PROMETHEUS = "prometheus"
    JSONL = "jsonl"


class AnswerFormat(StrEnum):
    """The formats of what is no report: the answer to a question, a list."""

    TERMINAL = "terminal"
    JSON = "json"


class DiffFormat(StrEnum):
    """The formats of a comparison."""

    TERMINAL = "terminal"
    JSON = "json"
    MARKDOWN = "markdown"


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


def option(*names: str, default: Any = None, told: str = "", metavar: str | None = None, group: str | None = None) -> Any:
    """An option of the command line as a dataclass field; `told` is its help, `group` the heading that it stands under."""
    return field(default=default, metadata={"names": names, "help": told, "metavar": metavar, "rich_help_panel": group})


NETWORK, HOSTS = "The network", "Live hosts"
JUDGED, REPORT, CODE = "What is judged", "The report", "The exit code"


@dataclass(frozen=True, kw_only=True)
class Looking:
    """Whether and how the network and live hosts are asked; `timeout` is in seconds, `jobs` are hosts at once."""

    online: bool = option(
        "--online", default=False, told="Ask DNS and the host's own ports; of a live host the default.", group=NETWORK
    )
    offline: bool = option(
        "--offline", default=False, told="Do not ask DNS and the host's ports; of a path the default.", group=NETWORK
    )
    resolver: list[str] | None = option(
        "--resolver", metavar="ADDR[:PORT]", told="Ask this resolver in place of the system's; repeatable.", group=NETWORK
    )
    trust_anchor: str | None = option(
        "--trust-anchor",
        metavar="FILE",
        told="Keys of the root for DNSSEC: DS or DNSKEY records, or BIND's trust-anchors.  [default: those of 2017 and 2024]",
        group=NETWORK,
    )
    ca_file: str | None = option("--ca-file", metavar="FILE", told="Further authorities to trust for TLS, as PEM.", group=NETWORK)
    probe_relay: bool = option(
        "--probe-relay", default=False, told="Ask port 25 whether it takes mail for others; none is ever sent.", group=NETWORK
    )
    timeout: float | None = option(
        "--timeout", metavar="SECONDS", told="For the whole scan of one host.  [default: 60]", group=HOSTS
    )
    become: Become = option(
        "--become",
        default=Become.AUTO,
        told="How files and commands that root alone may read and run are asked for.",
        group=HOSTS,
    )
    jobs: int | None = option("-j", "--jobs", metavar="N", told="Live hosts at once.  [default: 8]", group=HOSTS)


@dataclass(frozen=True, kw_only=True)
class NewHost:
    """What `init` is told of a host beside its names."""

    ipv4: str | None = option("--ipv4", metavar="ADDR[/LEN]", told="Its IPv4 address.")
    ipv6: str | None = option("--ipv6", metavar="ADDR[/LEN]", told="Its IPv6 address.")
    out: str | None = option("-o", "--out", metavar="DIR", told="A new folder for it.  [default: the host's name]")
    user: list[str] | None = option("--user", metavar="NAME", told="A mailbox, the part before the @; repeatable.")
    interface: str | None = option("--interface", metavar="NAME", told="Write hostname.NAME for it, such as vio0.")
    selector: str = option("--selector", metavar="NAME", default="selector0", told="The DKIM selector.")
    mail_name: str = option("--mail-name", metavar="NAME", default="mail", told="What clients and the MX record call it.")
    dovecot: str = option("--dovecot", metavar="2.3|2.4", default="2.3", told="The family that is installed there.")
    openbsd: str = option("--openbsd", metavar="RELEASE", default="7.9", told="The release that runs there.")


@dataclass(frozen=True, kw_only=True)
class Common:
    """The options that `scan` and `fix` share (contract, section 1)."""

    domain: list[str] | None = option("--domain", metavar="DOMAIN", told="A mail domain of the host; repeatable.", group=JUDGED)
    profile: Profile | None = option(
        "--profile", told="Which rules are judged.  [default: the settings', else recommended]", group=JUDGED
    )
    select: list[str] | None = option(
        "--select", metavar="RULE", told="Only these rules, by id, name or prefix; repeatable.", group=JUDGED
    )
    ignore: list[str] | None = option(
        "--ignore", metavar="RULE", told="Not these rules, in the same way; repeatable.", group=JUDGED
    )
    fail_on: Threshold = option(
        "--fail-on", default=Threshold.LOW, told="The least severity of a finding that gives 1.", group=CODE
    )
    config: str | None = option(
        "--config", metavar="FILE", told="Settings.  [default: mailaudit.toml in the target, of a live host here]", group=JUDGED
    )
    form: Format = option(
        "--format",
        metavar="FORMAT",
        default=Format.TERMINAL,
        told=f"What is written to standard output: {', '.join(Format)}.",
        group=REPORT,
    )
    output: list[str] | None = option(
        "--output", metavar="FORMAT:PATH", told="Write the report there too; repeatable.", group=REPORT
    )
    sarif_profile: SarifProfile = option(
        "--sarif-profile",
        default=SarifProfile.STANDARD,
        told="github leaves out of SARIF what code scanning there ignores.",
        group=REPORT,
    )
    now: str | None = option(
        "--now",
        metavar="TIME",
        told="Judge certificates at this time, such as 2026-11-22T12:00:00Z.  [default: the record's time, else now]",
        group=JUDGED,
    )
    show_passed: bool = option("--show-passed", default=False, told="Name the rules that passed too.", group=REPORT)
    no_inline_ignores: bool = option(
        "--no-inline-ignores", default=False, told="Heed no waivers in the host's own files.", group=JUDGED
    )
    strict_waivers: bool = option(
        "--strict-waivers", default=False, told="1 too for waivers that expired or that nothing needs.", group=CODE
    )
    exit_zero: bool = option("--exit-zero", default=False, told="0 in place of 1.", group=CODE)
    allow_incomplete: bool = option("--allow-incomplete", default=False, told="What the rest gives in place of 4.", group=CODE)
    quiet: bool = option("-q", "--quiet", default=False, told="One line for each finding; no progress.", group=REPORT)
    verbose: bool = option("-v", "--verbose", default=False, told="Every finding, every reason.", group=REPORT)
    color: Color = option("--color", default=Color.AUTO, told="When standard output is coloured.", group=REPORT)
    debug: bool = option("--debug", default=False, told="Show a traceback for an internal error.")
