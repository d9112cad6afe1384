"""Rules about what two layers must agree on: the files of certificate and key."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator
from dataclasses import dataclass, field

from mailaudit.checks.registry import rule
from mailaudit.edits import Fix, Safety, replace
from mailaudit.findings import Exempt, Finding, Outcome, Place
from mailaudit.models.acme import AcmeConfig, Domain
from mailaudit.models.dovecot.config import DovecotConfig
from mailaudit.models.site import Site
from mailaudit.models.smtpd.config import SmtpdConfig
from mailaudit.models.sources import NotHere
from mailaudit.parsers.tree import Token
from mailaudit.text import Span

CERTIFICATE = "certificate"
KEY = "key"


@dataclass(frozen=True, slots=True)
class _Use:
    """A file that a daemon's configuration names, and the characters that name it."""

    daemon: str
    path: str
    span: Span
    shared: bool = False  # written in a macro, which others may use

    @property
    def normal(self) -> str:
        """The path without what means nothing: doubled slashes, dots."""
        return posixpath.normpath(self.path)


@dataclass(slots=True)
class _Group:
    """What acme-client writes for one certificate, and the daemons that read it."""

    written: _Use
    readers: list[_Use] = field(default_factory=list)


@rule("CROSS001")
def one_certificate(
    acme: AcmeConfig, smtpd: SmtpdConfig | NotHere, dovecot: DovecotConfig | NotHere, site: Site
) -> Iterator[Outcome]:
    """Both daemons show the certificate that acme-client renews."""
    yield from _agree(CERTIFICATE, _groups(CERTIFICATE, acme, smtpd, dovecot, site))


@rule("CROSS002")
def one_key(acme: AcmeConfig, smtpd: SmtpdConfig | NotHere, dovecot: DovecotConfig | NotHere, site: Site) -> Iterator[Outcome]:
    """Both daemons read the key that acme-client's certificate belongs to."""
    yield from _agree(KEY, _groups(KEY, acme, smtpd, dovecot, site))


def _groups(
    what: str, acme: AcmeConfig, smtpd: SmtpdConfig | NotHere, dovecot: DovecotConfig | NotHere, site: Site
) -> list[_Group]:
    groups: dict[str, _Group] = {}
    names: list[str] = []
    if isinstance(smtpd, SmtpdConfig):
        shown = [smtpd.pki[name] for name in smtpd.certificate_names if name in smtpd.pki]
        for pki in shown:
            token = pki.cert if what == CERTIFICATE else pki.key
            domain = _domain(acme, pki.name)
            names.append(pki.name)
            if domain is not None and token is not None:
                _join(groups, what, domain, _of_token("smtpd", token))
    use = _of_dovecot(what, dovecot) if isinstance(dovecot, DovecotConfig) else None
    if use is not None:
        same = next((each for each in acme.domains if _named(each, what, use.normal)), None)
        domain = same or _domain(acme, *([site.mail_host] if site.mail_host else []), *names)
        if domain is not None:
            _join(groups, what, domain, use)
    return list(groups.values())


def _join(groups: dict[str, _Group], what: str, domain: Domain, use: _Use) -> None:
    token = _file(domain, what)
    if token is not None:
        groups.setdefault(domain.handle.value, _Group(_of_token("acme-client", token))).readers.append(use)


def _file(domain: Domain, what: str) -> Token | None:
    return domain.full_chain if what == CERTIFICATE else domain.key


def _named(domain: Domain, what: str, path: str) -> bool:
    token = _file(domain, what)
    return token is not None and posixpath.normpath(token.value) == path


def _domain(acme: AcmeConfig, *names: str) -> Domain | None:
    """The certificate for one of these names, or the only one there is."""
    found = next((domain for name in names if (domain := acme.domain_for(name)) is not None), None)
    return found or (acme.domains[0] if len(acme.domains) == 1 else None)


def _of_token(daemon: str, token: Token) -> _Use:
    return _Use(daemon, token.value, _where(token.span, token.value), bool(token.via))


def _of_dovecot(what: str, dovecot: DovecotConfig) -> _Use | None:
    setting = dovecot.certificate if what == CERTIFICATE else dovecot.key
    path = dovecot.path_of(setting)
    return None if path is None or setting.is_default else _Use("Dovecot", path, _where(setting.span, path))


def _where(span: Span, path: str) -> Span:
    """The path itself within its quotes or behind its `<`."""
    at = span.chars.find(path)
    return span if at < 0 else Span(span.text, span.start + at, span.start + at + len(path))


def _agree(what: str, groups: list[_Group]) -> Iterator[Outcome]:
    if not groups:
        yield Exempt("acme-client gets no certificate that smtpd or Dovecot could show")
    for group in groups:
        odd = [use for use in group.readers if use.normal != group.written.normal]
        paths = {use.normal for use in odd}
        if len(odd) == len(group.readers) > 1 and len(paths) == 1:
            daemons = " and ".join(dict.fromkeys(use.daemon for use in odd))
            message = (
                f"acme-client writes the {what} {group.written.path}, but {daemons} read {odd[0].path}, which nobody renews."
            )
            yield _finding(what, message, group.written, odd, odd[0].path)
            continue
        for use in odd:
            message = f"{use.daemon} reads the {what} {use.path}, but acme-client writes {group.written.path}."
            others = [group.written, *(each for each in group.readers if each is not use)]
            yield _finding(what, message, use, others, group.written.path)


def _finding(what: str, message: str, odd: _Use, others: list[_Use], path: str) -> Finding:
    written = odd.span.chars == odd.path and not odd.shared
    fix = Fix(
        f"Name {path} here too",
        Safety.UNSAFE if written else Safety.MANUAL,
        (replace(odd.span, path),) if written else (),
    )
    places = (Place.at(odd.span, f"{odd.daemon}: another file"), *(Place.at(use.span, use.daemon) for use in others))
    return Finding(message, places, fix, f"{what} of {odd.daemon}", odd.normal)
