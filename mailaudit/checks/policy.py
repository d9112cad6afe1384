"""Rules about the site's own policy: on this host each value is as the site expects it."""

from __future__ import annotations

from collections.abc import Iterator

from mailaudit.checks.registry import rule
from mailaudit.findings import Doubt, Evidence, Exempt, Finding, Outcome
from mailaudit.models.accounts import Accounts
from mailaudit.models.credentials import Credentials
from mailaudit.models.dns.site_records import Dns
from mailaudit.models.dovecot.config import DovecotConfig
from mailaudit.models.pem import PemFiles
from mailaudit.models.pf.config import Ruleset
from mailaudit.models.policy.measure import Found, Measure
from mailaudit.models.policy.measures import Policy
from mailaudit.models.policy.operators import OPERATORS, Expectation, Value
from mailaudit.models.processes import Processes
from mailaudit.models.rc import RcConf
from mailaudit.models.redis import RedisConfig
from mailaudit.models.rspamd.config import RspamdConfig
from mailaudit.models.shown import ShownCertificates
from mailaudit.models.smtpd.config import SmtpdConfig
from mailaudit.models.sources import Lacking, Missing, NotHere
from mailaudit.models.sshd import SshdConfig
from mailaudit.models.system import Packages, Uname
from mailaudit.questions import Failed, Reason

_WORDS = {
    "equals": "the policy wants {}",
    "at_least": "the policy wants at least {}",
    "at_most": "the policy wants at most {}",
    "one_of": "the policy wants one of {}",
    "subset": "the policy wants nothing beyond {}",
}


@rule("POLICY001")
def open_ports(policy: Policy, pf: Ruleset | Missing | Lacking | NotHere) -> Iterator[Outcome]:
    """The firewall opens the ports that the site agreed on."""
    yield from _compared(policy, "pf", pf)


@rule("POLICY002")
def mail_transport(policy: Policy, smtpd: SmtpdConfig | Missing | Lacking | NotHere) -> Iterator[Outcome]:
    """The listeners, domains and filters of smtpd are as agreed."""
    yield from _compared(policy, "smtpd", smtpd)


@rule("POLICY003")
def mailboxes(policy: Policy, dovecot: DovecotConfig | Missing | Lacking | NotHere) -> Iterator[Outcome]:
    """Dovecot serves as agreed."""
    yield from _compared(policy, "dovecot", dovecot)


@rule("POLICY004")
def certificates(policy: Policy, shown: ShownCertificates, pem: PemFiles) -> Iterator[Outcome]:
    """Mail's certificates are as agreed."""
    yield from _compared(policy, "certificates", shown, pem)


@rule("POLICY005")
def filters(
    policy: Policy, rspamd: RspamdConfig | Missing | Lacking | NotHere, redis: RedisConfig | Missing | Lacking | NotHere
) -> Iterator[Outcome]:
    """What rspamd and redis do is as agreed."""
    yield from _compared(policy, "filters", rspamd, redis)


@rule("POLICY006")
def records(policy: Policy, dns: Dns | Missing | Lacking | NotHere) -> Iterator[Outcome]:
    """What DNS says of the site's mail is as agreed."""
    yield from _compared(policy, "dns", dns)


@rule("POLICY007")
def system(  # noqa: PLR0913, PLR0917  each is an input
    policy: Policy,
    uname: Uname | Missing | Lacking | NotHere,
    packages: Packages | Missing | Lacking | NotHere,
    rc: RcConf | Missing | Lacking | NotHere,
    processes: Processes | Missing | Lacking | NotHere,
    accounts: Accounts | Missing | Lacking | NotHere,
    sshd: SshdConfig,
    credentials: Credentials | Missing | Lacking | NotHere,
) -> Iterator[Outcome]:
    """Release, packages, services, accounts and logins are as agreed."""
    yield from _compared(policy, "system", uname, packages, rc, processes, accounts, sshd, credentials)


def _compared(policy: Policy, subject: str, *models: object) -> Iterator[Outcome]:
    wanted = policy.of(subject)
    if not wanted:
        yield Exempt(f"the policy says nothing of this: mailaudit.toml has no [policy.{subject}]")
    for measure, expectations in wanted.items():
        given = [next((each for each in models if isinstance(each, need)), None) for need in measure.needs]
        if None in given:
            yield _not_known(measure, models)
            continue
        found = measure.take(*given)
        if found is None:
            yield Doubt(Reason.NOT_RECORDED, f"{measure.says}: what is there does not tell")
        elif isinstance(found, Failed):
            yield Doubt(found.reason, f"{measure.says}: {found.detail or 'this could not be looked at'}")
        else:
            yield from _deviations(subject, measure, found, expectations)


def _not_known(measure: Measure, models: tuple[object, ...]) -> Doubt:
    why = next((each for each in models if isinstance(each, Lacking)), None)
    reason = why.reason if why is not None else Reason.NOT_RECORDED
    return Doubt(reason, f"{measure.says}: {why.detail if why is not None and why.detail else 'this was not recorded'}")


def _deviations(subject: str, measure: Measure, found: Found, expectations: list[Expectation]) -> Iterator[Finding]:
    for each in expectations:
        if OPERATORS[each.operator](measure.scale, found.value, each.value):
            continue
        wanted = _WORDS[each.operator].format(shown(each.value))
        message = f"{measure.says}: {shown(found.value)}; {wanted} ({each.origin}).{_difference(found.value, each)}"
        origin = Evidence(each.origin, wanted)
        about = f"policy {subject}.{measure.name} {each.operator}"
        yield Finding(f"{message[:1].upper()}{message[1:]}", (found.place, origin), None, about, shown(found.value))


def _difference(value: Value, expectation: Expectation) -> str:
    """What a list has beyond the policy, and what it lacks."""
    if not isinstance(value, tuple) or not isinstance(expectation.value, tuple):
        return ""
    more = sorted(set(map(str, value)) - set(map(str, expectation.value)))
    less = sorted(set(map(str, expectation.value)) - set(map(str, value)))
    told = [f"more: {', '.join(more)}"] * (bool(more) and expectation.operator != "at_least")
    told += [f"missing: {', '.join(less)}"] * (bool(less) and expectation.operator != "subset")
    return f" {'; '.join(told)[:1].upper()}{'; '.join(told)[1:]}." if told else ""


def shown(value: Value) -> str:
    """A value in words."""
    if isinstance(value, tuple):
        return ", ".join(map(_plain, value)) or "none"
    return _plain(value)


def _plain(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
