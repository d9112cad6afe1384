"""The rule that every port shows the certificate that its daemon was told to show."""

from __future__ import annotations

from collections.abc import Iterator

from mailaudit.checks.host.services import RESTARTS
from mailaudit.checks.registry import rule
from mailaudit.checks.tls.endpoints import IMAPS, SIEVE, SMTP, SUBMISSION, SUBMISSIONS, said, silent, turned_away
from mailaudit.edits import Fix, Safety
from mailaudit.findings import Doubt, Evidence, Exempt, Finding, Outcome, Place
from mailaudit.models.behind import Behind
from mailaudit.models.certificates import Certificate
from mailaudit.models.endpoints import Endpoints, Seen
from mailaudit.models.pem import PemFiles
from mailaudit.models.shown import Shown, ShownCertificates
from mailaudit.questions import Failed, Reason

PORTS = {"smtpd": (SMTP, SUBMISSIONS, SUBMISSION), "Dovecot": (IMAPS, SIEVE)}


@rule("TLS014")
def the_certificate_of_now_is_shown(
    shown: ShownCertificates,
    pem: PemFiles,
    endpoints: Endpoints,
    behind: Behind,
) -> Iterator[Outcome]:
    """What is shown on each port is what lies in a file that a daemon shows."""
    if not shown.mail:
        yield Exempt("no mail daemon shows a certificate")
        return
    chains = {use.certificate: pem.chain(use.certificate) for use in shown.mail}
    yield from (Doubt(chain.reason, chain.detail) for chain in chains.values() if isinstance(chain, Failed))
    good = {chain[0].digest for chain in chains.values() if isinstance(chain, tuple)}
    if not good:  # TLS001 tells of what is no certificate
        yield Exempt("there is no certificate on disk")
    if not good or any(isinstance(chain, Failed) for chain in chains.values()):
        return
    for daemon, uses in by_daemon(shown).items():
        yield from _gaps(endpoints, PORTS[daemon])
        seen = [(each, each.leaf) for each in endpoints.seen(*PORTS[daemon]) if each.leaf is not None]
        other = [(each, leaf) for each, leaf in seen if leaf.digest not in good]
        if other and daemon in behind:
            yield Exempt(f"{daemon} does not run what is on disk: HOST036 tells of that")
        elif other:
            yield _another(daemon, uses, other)


def by_daemon(shown: ShownCertificates) -> dict[str, list[Shown]]:
    """The certificates that smtpd and Dovecot are told to show."""
    return {daemon: uses for daemon in PORTS if (uses := [each for each in shown.mail if each.daemon == daemon])}


def _gaps(endpoints: Endpoints, numbers: tuple[int, ...]) -> Iterator[Outcome]:
    yield from silent(endpoints, *numbers)
    for each in endpoints.seen(*numbers):
        if each.turns_away:
            yield turned_away(each)
        elif each.leaf is None and each.speaks_tls is not False:
            yield Doubt(Reason.NOT_RECORDED, f"{each.at}: the certificate was not recorded")


def _another(daemon: str, uses: list[Shown], other: list[tuple[Seen, Certificate]]) -> Finding:
    ports = sorted({each.at.port for each, _ in other})
    where = f"port{'s' * (len(ports) > 1)} {' and '.join(map(str, ports))}"
    paths = " or ".join(dict.fromkeys(use.certificate for use in uses))
    message = f"On {where} another certificate is shown than the one in {paths}: {daemon} has not read the file of now."
    evidence = [said(each, f"valid until {leaf.not_after:%Y-%m-%d}, {leaf.digest}") for each, leaf in other]
    fix = Fix(f"Have {daemon} read its files", Safety.UNSAFE, commands=RESTARTS[daemon.lower()])
    places: tuple[Place | Evidence, ...] = (*(Place.at(use.certificate_at, "the file") for use in uses), *evidence)
    return Finding(message, places, fix, f"certificate shown by {daemon}", "another")
