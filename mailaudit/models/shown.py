"""The certificates that the daemons show, each with its key: what smtpd, Dovecot and httpd are told to read."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from mailaudit.models.acme import AcmeConfig, Authority, Domain
from mailaudit.models.dovecot.config import DovecotConfig
from mailaudit.models.httpd import HttpdConfig
from mailaudit.models.httpd_parts import Server
from mailaudit.models.site import Site
from mailaudit.models.smtpd.config import SmtpdConfig
from mailaudit.models.smtpd.parts import Pki
from mailaudit.models.sources import Known, Lacking, Model, Slot
from mailaudit.models.url import read_url
from mailaudit.parsers.tree import Problem, Token
from mailaudit.text import Span

HTTPD = "httpd"


@dataclass(frozen=True, slots=True, eq=False)
class Shown:
    """A certificate's file and its key's, as a daemon is told of them, and where. `names` are those it is shown under, if any."""

    daemon: str
    certificate: str
    certificate_at: Span
    key: str | None = None
    key_at: Span | None = None
    names: tuple[Token, ...] = ()


@dataclass(frozen=True, eq=False)
class ShownCertificates(Model):
    """All of them.

    `lacking` are the configurations that could not be looked at: what they name is not here. `renewers` are the domains of
    acme-client.conf by the files that hold their certificates, `authorities` the hosts of those that sign them.
    """

    shown: tuple[Shown, ...] = ()
    lacking: tuple[Lacking, ...] = ()
    partly: tuple[Problem, ...] = ()
    renewers: Mapping[str, Domain] = field(default_factory=dict)
    authorities: Mapping[str, str] = field(default_factory=dict)

    @property
    def not_read(self) -> list[Problem]:
        """What the daemons would read of their files and mailaudit could not."""
        return list(self.partly)

    @property
    def mail(self) -> tuple[Shown, ...]:
        """Those that mail programs and other mail hosts see."""
        return tuple(each for each in self.shown if each.daemon != HTTPD)

    def domains(self, acme: AcmeConfig, site: Site) -> list[Domain]:
        """The domains whose certificates are for mail: shown there, or good for the mail host; else the only one."""
        found = [each for each in acme.domains if (site.mail_host and site.mail_host in each.names) or self.reads(each)]
        return found or (list(acme.domains) if len(acme.domains) == 1 else [])

    def reads(self, domain: Domain) -> bool:
        """True if smtpd or Dovecot shows the certificate of a domain."""
        read = {posixpath.normpath(each.certificate) for each in self.mail}
        return any(posixpath.normpath(path) in read for path in files(domain))


def files(domain: Domain) -> tuple[str, ...]:
    """The files that hold the certificate of a domain."""
    return tuple(token.value for token in (domain.full_chain, domain.certificate) if token is not None)


def read_shown(
    smtpd: Slot[SmtpdConfig], dovecot: Slot[DovecotConfig], httpd: Slot[HttpdConfig], acme: Slot[AcmeConfig]
) -> ShownCertificates:
    """The certificates of all three daemons."""
    config = acme.value if isinstance(acme, Known) else AcmeConfig()
    written = [(path, domain) for domain in config.domains for path in files(domain)]
    slots = (smtpd, dovecot, httpd)
    models: list[Model] = [slot.value for slot in slots if isinstance(slot, Known)]
    return ShownCertificates(
        shown=tuple(each for model in models for each in _of(model)),
        lacking=tuple(slot for slot in slots if isinstance(slot, Lacking)),
        partly=tuple(problem for model in models for problem in model.not_read),
        renewers=dict(written),
        authorities={path: _host(config.signer(domain)) for path, domain in written},
    )


def _host(authority: Authority | None) -> str:
    return read_url(authority.api.value).host if authority is not None and authority.api is not None else ""


def _of(model: Model) -> Iterator[Shown]:
    match model:
        case SmtpdConfig():
            yield from _of_smtpd(model)
        case DovecotConfig():
            yield from _of_dovecot(model)
        case HttpdConfig():
            for server in model.servers:
                yield from _of_httpd(server)


def _of_smtpd(smtpd: SmtpdConfig) -> Iterator[Shown]:
    """The pki that listeners name, and the one for all other names; all of them where no listener names one."""
    tls = [listener for listener in smtpd.listeners if listener.pki]
    wanted = {name.value for listener in tls for name in listener.pki} or set(smtpd.pki)
    pkis: list[Pki] = [pki for name, pki in smtpd.pki.items() if name in wanted or name == "*"]
    for pki in pkis:
        if pki.cert is not None:
            key, at = (pki.key.value, pki.key.span) if pki.key is not None else (None, None)
            names = tuple(statement.seen[1] for statement in pki.statements[:1]) if "." in pki.name else ()
            yield Shown("smtpd", pki.cert.value, pki.cert.span, key, at, names)


def _of_dovecot(dovecot: DovecotConfig) -> Iterator[Shown]:
    certificate, key = dovecot.certificate, dovecot.key
    path = dovecot.path_of(certificate)
    if path is not None and not certificate.is_default and dovecot.ssl.value != "no":
        yield Shown("Dovecot", path, certificate.span, dovecot.path_of(key), None if key.is_default else key.span)


def _of_httpd(server: Server) -> Iterator[Shown]:
    certificate, key = server.tls_option("certificate"), server.tls_option("key")
    if certificate is None or not any(listener.tls for listener in server.listeners):
        return
    names = [(server.name, server.is_pattern), *server.aliases]
    plain = tuple(name for name, is_pattern in names if not is_pattern and "." in name.value and "*" not in name.value)
    key_path, key_at = (key.value, key.span) if key is not None else (None, None)
    yield Shown(HTTPD, certificate.value, certificate.span, key_path, key_at, plain)
