"""Rules about the files of TLS: modes, Diffie-Hellman parameters; and what certificates are used for that they are not for."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator
from shlex import quote

from mailaudit.checks.acme.config import LETSENCRYPT, option_fix
from mailaudit.checks.modes import OTHERS_WRITE, RootsDirectory, looked
from mailaudit.checks.registry import rule
from mailaudit.checks.tls.certificates import Chain, Pair, chains, gaps, mismatch
from mailaudit.editing import crontab as cron_editing
from mailaudit.editing import httpd as httpd_editing
from mailaudit.editing import smtpd as smtpd_editing
from mailaudit.edits import Fix, Safety
from mailaudit.findings import Doubt, Evidence, Exempt, Finding, Outcome, Place
from mailaudit.models.acme import AcmeConfig
from mailaudit.models.certificates import NotReadError
from mailaudit.models.cron import Crontabs
from mailaudit.models.dovecot.config import DovecotConfig
from mailaudit.models.dovecot.reading import Setting
from mailaudit.models.files import Files
from mailaudit.models.httpd import HttpdConfig
from mailaudit.models.pem import NEVER_ASKED, PemFiles
from mailaudit.models.shown import ShownCertificates, files
from mailaudit.models.smtpd.config import SmtpdConfig
from mailaudit.models.smtpd.parts import Action, Pki
from mailaudit.models.sources import Lacking, Missing, NotHere
from mailaudit.models.url import read_url
from mailaudit.questions import Absent, Failed
from mailaudit.text import Span

MOST_OF_A_KEY = 0o740  # smtpd takes no wider one
FEWEST_DH_BITS = 2048

Acme = AcmeConfig | Missing | NotHere | Lacking


@rule("TLS007")
def keys_are_closed(shown: ShownCertificates, acme: Acme, files: Files) -> Iterator[Outcome]:
    """Each key belongs to root, and nobody but root and a group can read it."""
    yield from (Doubt(each.reason, each.detail) for each in shown.lacking)
    if isinstance(acme, Lacking):
        yield Doubt(acme.reason, acme.detail)
    keys: dict[str, Span] = {}
    for domain in acme.domains if isinstance(acme, AcmeConfig) else ():
        if domain.key is not None:
            keys[domain.key.value] = domain.key.span
    keys |= {each.key: each.key_at for each in shown.shown if each.key is not None and each.key_at is not None}
    if not keys:
        yield Exempt("no key is named")
    for path, span in keys.items():
        stat = looked(files, path)
        if isinstance(stat, Doubt):
            yield Doubt(stat.reason, stat.message, (Place.at(span, "the key"),))
        elif stat is None:
            yield Exempt(f"{path} is not there")
        elif stat.owner != "root" or (stat.mode or 0) & ~MOST_OF_A_KEY:
            message = f"The private key {path} has mode {stat.mode:04o} and belongs to {stat.owner}: others can get at it."
            fix = Fix(
                "Give it to root alone", Safety.SAFE, commands=(f"chown root:wheel {quote(path)}", f"chmod 0400 {quote(path)}")
            )
            places = (Evidence.stat(path, stat), Place.at(span, "named here"))
            yield Finding(message, places, fix, f"mode of {path}", f"{stat.mode:04o} {stat.owner}")


@rule("TLS008")
def certificates_are_not_writable(shown: ShownCertificates, files: Files) -> Iterator[Outcome]:
    """Nobody but its owner, who is root, can change a certificate."""
    yield from gaps(shown)
    for path, span in {each.certificate: each.certificate_at for each in shown.shown}.items():
        stat = looked(files, path)
        if isinstance(stat, Doubt):
            yield Doubt(stat.reason, stat.message, (Place.at(span, "the certificate"),))
        elif stat is None:
            yield Exempt(f"{path} is not there")
        elif stat.owner != "root" or (stat.mode or 0) & OTHERS_WRITE:
            message = (
                f"Others than root can change the certificate {path}: it has mode {stat.mode:04o} and belongs to {stat.owner}."
            )
            fix = Fix(
                "Close it to writers", Safety.SAFE, commands=(f"chown root:wheel {quote(path)}", f"chmod 0444 {quote(path)}")
            )
            places = (Evidence.stat(path, stat), Place.at(span, "named here"))
            yield Finding(message, places, fix, f"mode of {path}", f"{stat.mode:04o} {stat.owner}")


def _dh(dovecot: DovecotConfig) -> tuple[Setting, str] | None:
    """The setting that names the file of Diffie-Hellman parameters, and the file."""
    for name in ("ssl_dh", "ssl_server_dh_file"):
        setting = dovecot.setting(name)
        path = dovecot.path_of(setting)
        if path is not None and not setting.is_default and path.startswith("/"):
            return setting, path
    return None


@rule("TLS017")
def dh_parameters_are_there(dovecot: DovecotConfig, pem: PemFiles) -> Iterator[Outcome]:
    """The Diffie-Hellman parameters that Dovecot is told of are there and have 2048 bits."""
    named = _dh(dovecot)
    if named is None:
        yield Exempt("Dovecot is told of no Diffie-Hellman parameters, and needs none")
        return
    setting, path = named
    found = pem.dh.get(path, NEVER_ASKED)
    if isinstance(found, Failed):
        yield Doubt(found.reason, found.detail)
        return
    if isinstance(found, Absent):
        what = "is not there"
    elif isinstance(found, NotReadError):
        what = f"holds {found}"
    elif found < FEWEST_DH_BITS:
        what = f"has parameters of {found} bits, which is too few"
    else:
        return
    command = f"openssl dhparam -out {quote(path)} {FEWEST_DH_BITS}"
    fix = Fix("Make new parameters", Safety.SAFE, commands=(command, "rcctl reload dovecot"))
    message = f"The file {path}, from which Dovecot takes Diffie-Hellman parameters, {what}."
    yield Finding(
        message, (Place.at(setting.span, "named here"),), fix, "dh", str(found) if isinstance(found, int) else "missing"
    )


@rule("TLS018")
def dh_directory_is_there(dovecot: DovecotConfig, files: Files) -> Iterator[Outcome]:
    """The directory of these parameters is there, and nobody but root can write to it."""
    named = _dh(dovecot)
    if named is None:
        yield Exempt("Dovecot is told of no Diffie-Hellman parameters")
        return
    setting, path = named
    directory = posixpath.dirname(path)
    of_root = RootsDirectory(
        directory,
        0o755,
        absent=f"There is no directory {directory} for Dovecot's Diffie-Hellman parameters.",
        opened=f"Others than root can put files into {directory}",
    )
    yield from of_root.judged(files, "directory", Place.at(setting.span, "a file in it"))


@rule("TLS019")
def no_stapling(
    shown: ShownCertificates,
    pem: PemFiles,
    acme: Acme,
    crontabs: Crontabs,
    httpd: HttpdConfig | Missing | NotHere | Lacking,
) -> Iterator[Outcome]:
    """Nothing relies on OCSP where the authority is Let's Encrypt, which answers no such question any more."""
    yield from gaps(shown)
    for chain in chains(shown, pem):
        if not isinstance(chain, Chain):
            yield chain
        elif chain.leaf.must_staple:
            message = f"The certificate in {chain.path} demands a stapled OCSP answer, and {chain.shown} it without one."
            yield Finding(message, chain.places("Must-Staple"), None, f"staple of {chain.path}", "must-staple")
    if isinstance(acme, Lacking):
        yield Doubt(acme.reason, acme.detail)
    if not _is_letsencrypt(acme):
        return
    yield from (Doubt(why.reason, f"whether {path} runs ocspcheck is not known") for path, why in crontabs.unknown.items())
    for run in crontabs.running("ocspcheck"):
        alone = run.job is not None and len(run.job.steps) == 1 and crontabs.root is not None
        alone = alone and run.job is not None and run.job.statement.span.text is run.step.span.text
        edits = cron_editing.remove(crontabs.root, run.job.statement) if alone and crontabs.root and run.job else None
        fix = option_fix("Take the job out", Safety.SAFE, edits)
        message = "This job asks Let's Encrypt by OCSP, which has not answered since 2025: it fails each time."
        yield Finding(message, (Place.at(run.step.span, "asks in vain"),), fix, "ocspcheck", "runs")
    for server in httpd.servers if isinstance(httpd, HttpdConfig) else ():
        token = server.tls_option("ocsp")
        if token is not None:
            fix = option_fix("Staple nothing", Safety.SAFE, httpd_editing.remove_flag(server.statement, "tls", "ocsp"))
            message = (
                f"The server {server.name.value} staples the OCSP answer in {token.value}, and Let's Encrypt gives none any more."
            )
            yield Finding(message, (Place.at(token.span, "nobody renews it"),), fix, f"ocsp of {server.name.value}", "set")


def _is_letsencrypt(acme: Acme) -> bool:
    domains = acme.authorities if isinstance(acme, AcmeConfig) else ()
    return any(each.api and read_url(each.api.value).host.endswith(LETSENCRYPT) for each in domains)


@rule("TLS020")
def no_client_certificate(smtpd: SmtpdConfig, shown: ShownCertificates, pem: PemFiles) -> Iterator[Outcome]:
    """No relay shows a certificate that is not made for that."""
    relays = [action for action in smtpd.actions.values() if action.is_relay and "pki" in action.values]
    for action in relays:
        pki = smtpd.pki.get(action.values["pki"].value)
        if pki is not None and pki.cert is not None:
            yield from _as_client(pem, shown, action, pki)


def _as_client(pem: PemFiles, shown: ShownCertificates, action: Action, pki: Pki) -> Iterator[Outcome]:
    path = pki.cert.value if pki.cert is not None else ""
    chain = pem.chain(path)
    if isinstance(chain, tuple) and chain[0].client:
        return
    if isinstance(chain, Failed) and not shown.authorities.get(path, "").endswith(LETSENCRYPT):
        yield Doubt(chain.reason, chain.detail)
        return
    token = action.values["pki"]
    edits = smtpd_editing.remove_option(action.statement, "pki")
    fix = Fix("Relay without a client's certificate", Safety.SAFE, edits) if edits else None
    message = f'The action "{action.name.value}" shows {path} to the servers it relays to, but that is good for servers alone.'
    yield Finding(message, (Place.at(token.span, "as a client"),), fix, f"pki of {action.name.value}", path)


@rule("CROSS005")
def what_acme_client_wrote_belongs_together(acme: AcmeConfig, shown: ShownCertificates, pem: PemFiles) -> Iterator[Outcome]:
    """The certificate that acme-client wrote is for the key that it was told of; a daemon's own pair is TLS005's."""
    pairs = {(each.certificate, each.key) for each in shown.shown}
    for domain in acme.domains:
        path = next(iter(files(domain)), None)
        if domain.key is None or path is None:
            continue
        token = domain.full_chain or domain.certificate or domain.key
        places = (Place.at(domain.key.span, "the key"), Place.at(token.span, "the certificate"))
        fix = Fix("Get a certificate for this key", Safety.UNSAFE, commands=(f"acme-client -F {quote(domain.handle.value)}",))
        for outcome in mismatch(pem, Pair("acme-client", path, domain.key.value, places, fix)):
            is_told = isinstance(outcome, Finding) and (path, domain.key.value) in pairs
            yield Exempt("a daemon reads this very pair, and TLS005 tells of it") if is_told else outcome
