"""Rules about renewal: that something runs acme-client, that the daemons then read what it wrote, that it works."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from shlex import quote

from mailaudit.checks.acme.config import NO_DOMAIN
from mailaudit.checks.registry import rule
from mailaudit.editing import crontab
from mailaudit.edits import Fix, Safety, insert
from mailaudit.findings import Doubt, Exempt, Finding, Outcome, Place
from mailaudit.models.acme import AcmeConfig, Domain
from mailaudit.models.clock import Clock
from mailaudit.models.cron import Crontabs
from mailaudit.models.pem import PemFiles
from mailaudit.models.renewal import Renewal, awakened, renewals, scripts_not_seen
from mailaudit.models.shown import ShownCertificates, files
from mailaudit.models.site import Site
from mailaudit.questions import Failed, Reason

WHEN = "~ ~ * * *"
_DAY = 24 * 60
AT_LEAST = 8 * _DAY  # once a week, at a time that cron draws
SHORT_LIVED = 2 * _DAY  # a certificate for six days is renewed when three are left
_AFTER = {"smtpd": "rcctl restart smtpd", "Dovecot": "rcctl reload dovecot", "httpd": "rcctl reload httpd"}


def _daemons(domain: Domain, shown: ShownCertificates) -> list[str]:
    """The daemons that show a domain's certificate."""
    mine = {each.daemon for each in shown.shown if each.certificate in files(domain)}
    return [daemon for daemon in _AFTER if daemon in mine]


@rule("ACME013")
def renewal_is_automatic(acme: AcmeConfig, shown: ShownCertificates, site: Site, crontabs: Crontabs) -> Iterator[Outcome]:
    """Something runs acme-client for the mail host's certificate, once a week at least."""
    domains = shown.domains(acme, site)
    if not domains:
        yield NO_DOMAIN
    for domain in domains:
        found = renewals(crontabs, domain.handle.value)
        short = domain.profile is not None and domain.profile.value == "shortlived"
        if any(each.run.schedule.at_least_every(SHORT_LIVED if short else AT_LEAST) is not False for each in found):
            continue
        if found:
            yield _too_seldom(found[0], domain, often="day" if short else "week")
            continue
        doubt = _not_seen(crontabs)
        yield doubt if doubt is not None else _not_renewed(domain, shown, crontabs)


def _too_seldom(renewal: Renewal, domain: Domain, often: str) -> Finding:
    job = renewal.run.job
    fix = None
    if job is not None and job.statement.span.text is renewal.run.step.span.text:
        fix = Fix("Run it each day", Safety.SAFE, crontab.set_when(job.statement, "~ ~ * * *"))
    message = f"acme-client runs for {domain.handle.value} less than once a {often}."
    places = (Place.at(renewal.run.step.span, "too seldom"), Place.at(domain.handle.span, "the certificate"))
    return Finding(message, places, fix, f"renewal of {domain.handle.value}", "seldom")


def _not_seen(crontabs: Crontabs) -> Doubt | None:
    """Why a renewal may be there all the same."""
    for path, why in crontabs.unknown.items():
        return Doubt(why.reason, f"whether {path} runs acme-client is not known: {why.detail}")
    if crontabs.assumed:
        return Doubt(Reason.NOT_RECORDED, "root's crontab was not recorded, and it may run acme-client")
    for span in scripts_not_seen(crontabs):
        return Doubt(Reason.NOT_RECORDED, "this job runs a script that may call acme-client", (Place.at(span),))
    return None


def _not_renewed(domain: Domain, shown: ShownCertificates, crontabs: Crontabs) -> Finding:
    command = " && ".join([f"acme-client {quote(domain.handle.value)}", *(_AFTER[each] for each in _daemons(domain, shown))])
    title = "Run acme-client each day, at times that cron draws"
    edits = crontab.add_job(crontabs.root, WHEN, command) if crontabs.root is not None else None
    job = quote(f"{WHEN} {crontab.write_command(command)}")
    commands = () if edits else (f"(crontab -l; echo {job}) | crontab -",)
    message = f"Nothing runs acme-client for {domain.handle.value}: its certificate is never renewed."
    fix = Fix(title, Safety.SAFE, edits or (), commands)
    about = f"renewal of {domain.handle.value}"
    return Finding(message, (Place.at(domain.handle.span, "never renewed"),), fix, about, "missing", absence=True)


@rule("ACME014")
def daemons_read_the_new_certificate(
    acme: AcmeConfig, shown: ShownCertificates, site: Site, crontabs: Crontabs
) -> Iterator[Outcome]:
    """Where acme-client wrote a new certificate, the daemons that show it are made to read it; where not, they go on."""
    yield from (Doubt(each.reason, each.detail) for each in shown.lacking)
    judged = False
    for domain in shown.domains(acme, site):
        found = renewals(crontabs, domain.handle.value)
        daemons = _daemons(domain, shown)
        if not found or not daemons:
            continue
        judged = True
        answers = {daemon: awakened(crontabs, found, daemon) for daemon in daemons}
        deaf = [daemon for daemon, answer in answers.items() if answer.missing]
        script = next((each.script for each in found if each.script is not None), None)
        if deaf and script is not None:
            message = f"what {script.call[0].value} does with the new certificate was not recorded"
            yield Doubt(Reason.NOT_RECORDED, message, (Place.at(script.span),))
        elif deaf:
            yield _deaf(domain, found[0], deaf)
        always = next((answer.always for answer in answers.values() if answer.always is not None), None)
        if always is not None:
            message = "This restarts the daemon each time, also when acme-client left the certificate as it was."
            places = (Place.at(always.span, "does not ask"), Place.at(found[0].run.step.span, "exits with 2 then"))
            yield Finding(message, places, None, f"restart for {domain.handle.value}", "always")
    doubt = None if judged else _not_seen(crontabs)
    if doubt is not None:
        yield doubt
    elif not judged:
        yield Exempt("no job that is known renews a certificate that a daemon shows")


def _deaf(domain: Domain, renewal: Renewal, deaf: list[str]) -> Finding:
    run = renewal.run
    words = "".join(f" && {_AFTER[daemon]}" for daemon in deaf)
    last = renewal.beside[-1] if renewal.beside else run.step
    fix = None
    if last is run.step or run.step in last.needs:
        end = run.job.command.end if run.job is not None and renewal.on_line else last.words[-1].end
        fix = Fix("Have the daemons read it", Safety.SAFE, (insert(run.step.span.text, end, words),))
    what = " and ".join(_AFTER[daemon].removeprefix("rcctl ") for daemon in deaf)
    message = f"This renews the certificate of {domain.handle.value}, but does not {what}: the old one is shown until it expires."
    places = (Place.at(run.step.span, "renewed here"), Place.at(domain.handle.span, "the certificate"))
    return Finding(message, places, fix, f"renewal of {domain.handle.value}", ",".join(deaf))


@rule("ACME015")
def renewal_works(acme: AcmeConfig, shown: ShownCertificates, site: Site, pem: PemFiles, clock: Clock) -> Iterator[Outcome]:
    """The certificate is not older than one that is renewed in time can be."""
    domains = shown.domains(acme, site)
    if not domains:
        yield NO_DOMAIN
    for domain in domains:
        path = next(iter(files(domain)), None)
        chain = pem.chain(path) if path is not None else None
        if isinstance(chain, Failed):
            yield Doubt(chain.reason, chain.detail)
        elif not isinstance(chain, tuple):
            yield Exempt("there is no certificate yet")
        else:
            leaf = chain[0]
            life = timedelta(seconds=leaf.lifetime)
            age = clock.now - leaf.not_before
            if age <= life * 2 / 3 + min(timedelta(days=7), life / 6):
                continue
            message = f"The certificate in {path} is {age.days} days old and should have been renewed: renewal does not work."
            assert leaf.span is not None  # it was read from a file
            places = (Place.at(leaf.span, "not renewed"), Place.at(domain.handle.span, "the certificate"))
            fix = Fix("See what acme-client says", Safety.MANUAL, commands=(f"acme-client -v {quote(domain.handle.value)}",))
            yield Finding(message, places, fix, f"age of {domain.handle.value}", "old")
