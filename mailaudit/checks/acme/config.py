"""Rules about acme-client.conf: its authorities, and the certificate for mail."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from shlex import quote

from mailaudit.checks.loading import ended, loads
from mailaudit.checks.registry import rule
from mailaudit.editing import acme as editing
from mailaudit.editing.style import Edits, Unwritable
from mailaudit.edits import Fix, Safety
from mailaudit.findings import Doubt, Exempt, Finding, Outcome, Place
from mailaudit.models.acme import AcmeConfig, Authority, Domain
from mailaudit.models.pem import PemFiles
from mailaudit.models.reference import Reference
from mailaudit.models.shown import ShownCertificates, files
from mailaudit.models.site import Site
from mailaudit.models.sources import Lacking, Missing, NotHere
from mailaudit.models.taking_effect import ORDER
from mailaudit.models.url import read_url
from mailaudit.parsers.tree import Problem, Statement, Token, Tree
from mailaudit.questions import Failed, KeyFacts

PRODUCTION = "https://acme-v02.api.letsencrypt.org/directory"
LETSENCRYPT = ".letsencrypt.org"
NO_DOMAIN = Exempt("acme-client gets no certificate for mail")
_UNDEFINED = "is not defined above"
_WANTS_CONTACT = {"api.buypass.com": "Buypass", "acme.zerossl.com": "ZeroSSL"}


def tree_of(acme: AcmeConfig, statement: Statement) -> Tree:
    """The file that a statement stands in."""
    return next(tree for tree in acme.trees if tree.text is statement.span.text)


def signers(acme: AcmeConfig, domains: list[Domain]) -> list[Authority]:
    """The authorities that sign some domains."""
    found = {id(authority): authority for domain in domains if (authority := acme.signer(domain)) is not None}
    return list(found.values())


def option_fix(title: str, safety: Safety, edits: Edits | None, *commands: str) -> Fix | None:
    """A fix by edits, if there are any."""
    return Fix(title, safety, edits, commands) if edits else None


def covering(acme: AcmeConfig | Missing | NotHere | Lacking, shown: ShownCertificates, path: str, name: str) -> Fix | None:
    """How the certificate in a file gets one more name; None for one that acme-client does not get."""
    domain = shown.renewers.get(path)
    if domain is None or not isinstance(acme, AcmeConfig):
        return None
    if name in domain.names:
        return Fix(f"Get one for {name}", Safety.UNSAFE, commands=renewing(domain, shown, path))
    try:
        edits = editing.add_name(tree_of(acme, domain.statement), domain.statement, name)
    except Unwritable:
        return None
    return option_fix(f"Add {name} to the certificate, and get it anew", Safety.UNSAFE, edits, issue(domain))


def issue(domain: Domain) -> str:
    """The command that asks for a certificate at once."""
    return f"acme-client -F {quote(domain.handle.value)}"


def renewing(domain: Domain, shown: ShownCertificates, path: str) -> tuple[str, ...]:
    """The commands that ask for a certificate at once, and have the daemons that show its file show it."""
    daemons = {use.daemon.lower() for use in shown.shown if use.certificate == path}
    return (issue(domain), *(each.command for each in ORDER if each.daemon in daemons))


def _undefined(acme: AcmeConfig) -> list[Problem]:
    return [problem for problem in acme.refusals if problem.message.endswith(_UNDEFINED)]


@rule("ACME001")
def acme_client_conf_loads(acme: AcmeConfig | Missing, reference: Reference) -> Iterator[Outcome]:
    """acme-client.conf is there, and acme-client refuses nothing of it that another rule does not report."""
    if isinstance(acme, AcmeConfig):
        others = {id(problem) for problem in _undefined(acme)}
        acme = dataclasses.replace(acme, refusals=tuple(each for each in acme.refusals if id(each) not in others))
    yield from loads(acme, "acme-client", reference)


@rule("ACME002")
def production_authority(acme: AcmeConfig, shown: ShownCertificates, site: Site) -> Iterator[Outcome]:
    """The certificate for mail is signed by an authority that others trust."""
    domains = shown.domains(acme, site)
    if not domains:
        yield NO_DOMAIN
    for authority in signers(acme, domains):
        why = _not_production(authority.api) if authority.api is not None else None
        if authority.api is None or why is None:
            continue
        is_known = read_url(authority.api.value).host.endswith(LETSENCRYPT)
        edits = None
        if is_known:
            edits = editing.set_option(tree_of(acme, authority.statement), authority.statement, f'api url "{PRODUCTION}"')
        fix = option_fix("Ask Let's Encrypt's production authority", Safety.SAFE, edits, *(issue(each) for each in domains))
        place = Place.at(authority.api.span, "the authority")
        yield Finding(f"The authority {authority.name.value} {why}.", (place,), fix, "api", authority.api.value)


def _not_production(api: Token) -> str | None:
    url = read_url(api.value)
    host = url.host
    if "staging" in host or host in ("localhost", "api.test4.buypass.no") or host.endswith(".test"):
        return "is one for tests: nobody trusts the certificates that it signs"
    if host.startswith("acme-v01."):
        return "speaks ACME version 1, which was switched off in 2021"
    if url.scheme != "https":
        return "is asked without TLS"
    if host.endswith(LETSENCRYPT) and url.path != "/directory":
        return f"has its directory at {PRODUCTION}, and not at {url.path or '/'}"
    return None


@rule("ACME004")
def certificate_for_mail_host(acme: AcmeConfig, shown: ShownCertificates, site: Site) -> Iterator[Outcome]:
    """Some domain section is for the mail host's name."""
    if site.mail_host is None:
        yield Exempt("the mail host's name is not known")
        return
    is_guess = site.declared.mail_host is None  # from the label of a pki, it may be
    if acme.domain_for(site.mail_host) is not None or (is_guess and any(shown.reads(domain) for domain in acme.domains)):
        return
    path = acme.trees[0].text
    message = f"No domain section is for {site.mail_host}, so acme-client gets no certificate for it."
    yield Finding(message, (Place.whole(path),), _section(acme, site.mail_host), "domain", site.mail_host, absence=True)


def _section(acme: AcmeConfig, name: str) -> Fix | None:
    used = {path for domain in acme.domains for path in (*files(domain), *([domain.key.value] if domain.key else []))}
    key, chain = f"/etc/ssl/private/{name}.key", f"/etc/ssl/{name}.pem"
    if not acme.authorities or used & {key, chain}:
        return None
    lines = [
        f"domain {name} {{",
        f'\tdomain key "{key}"',
        f'\tdomain full chain certificate "{chain}"',
        f"\tsign with {acme.authorities[0].name.span.chars}",
        "}",
    ]
    try:
        edits = editing.add(acme.trees[0], *lines)
    except Unwritable:
        return None
    return option_fix(f"Add a domain section for {name}", Safety.SAFE, edits, f"acme-client {quote(name)}")


@rule("ACME006")
def full_chain_is_written(acme: AcmeConfig, shown: ShownCertificates, site: Site) -> Iterator[Outcome]:
    """acme-client writes leaf and intermediates into one file."""
    domains = shown.domains(acme, site)
    if not domains:
        yield NO_DOMAIN
    for domain in domains:
        if domain.full_chain is not None or domain.certificate is None:
            continue
        path = domain.certificate.value
        message = f"acme-client writes {path} without the intermediate certificate, and no file with both."
        place = Place.at(domain.certificate.span, "the leaf alone")
        yield Finding(message, (place,), _full_chain_fix(domain, path), f"full chain of {domain.handle.value}", path)


def _full_chain_fix(domain: Domain, path: str) -> Fix | None:
    option = next((each for each in domain.statement.body if each.kind == "certificate" and each.template), None)
    if option is None:
        return None
    try:
        line = f"domain full chain certificate {editing.write(path)}"
        edits = editing.replace(option, line, domain.statement)
    except Unwritable:
        return None
    return option_fix("Write the full chain into that file", Safety.UNSAFE, edits, issue(domain))


@rule("ACME007")
def authority_is_defined(acme: AcmeConfig) -> Iterator[Outcome]:
    """Each domain's authority is defined above it."""
    for problem in _undefined(acme):
        message = ended(f"acme-client refuses this file: {problem.message}")
        domain = next((each for each in acme.domains if each.sign_with and each.sign_with.start == problem.span.start), None)
        fix = None
        if domain is not None and len(acme.authorities) == 1 and _is_above(acme.authorities[0], domain):
            line = f"sign with {acme.authorities[0].name.span.chars}"
            edits = editing.set_option(tree_of(acme, domain.statement), domain.statement, line)
            fix = option_fix("Name the authority that there is", Safety.SAFE, edits)
        yield Finding(message, (Place.at(problem.span, "not defined"),), fix, "sign with", problem.span.chars)
    for domain in acme.domains:
        if domain.sign_with is None and not acme.authorities:
            message = f"No authority is defined that could sign the certificate of {domain.handle.value}."
            yield Finding(message, (Place.at(domain.handle.span),), None, "authority", domain.handle.value, absence=True)


def _is_above(authority: Authority, domain: Domain) -> bool:
    one, other = authority.name.span, domain.handle.span
    return one.text is other.text and one.start < other.start


@rule("ACME008")
def certificate_has_all_names(acme: AcmeConfig, shown: ShownCertificates, site: Site) -> Iterator[Outcome]:
    """The certificate has each name under which a daemon shows it."""
    domains = shown.domains(acme, site)
    if not domains:
        yield NO_DOMAIN
    yield from (Doubt(each.reason, each.detail) for each in shown.lacking)
    for domain in domains:
        named = [(each.daemon, name) for each in shown.shown if each.certificate in files(domain) for name in each.names]
        known = {*domain.names, *site.domains}  # a pki may be labelled with the domain that it is for
        missing = {name.value.lower(): (daemon, name) for daemon, name in named if name.value.lower() not in known}
        for name, (daemon, token) in missing.items():
            try:
                edits = editing.add_name(tree_of(acme, domain.statement), domain.statement, name)
            except Unwritable:
                edits = None
            fix = option_fix(f"Add {name} to the certificate", Safety.UNSAFE, edits, issue(domain))
            places = (Place.at(domain.handle.span, "the certificate"), Place.at(token.span, "the name"))
            message = f"{daemon} shows the certificate of {domain.handle.value} as {name}, but it is not for that name."
            yield Finding(message, places, fix, f"name of {domain.handle.value}", name)


@rule("ACME009")
def key_is_of_its_type(acme: AcmeConfig, shown: ShownCertificates, site: Site, pem: PemFiles) -> Iterator[Outcome]:
    """A key that is there has the type that acme-client.conf says."""
    domains = shown.domains(acme, site)
    if not domains:
        yield NO_DOMAIN
    for domain in domains:
        option = next((each for each in domain.statement.body if each.kind == "key" and each.template), None)
        declared = option.node.leaves()[-1] if option is not None else None
        if domain.key is None or declared is None or declared.value not in ("rsa", "ecdsa") or declared.is_string:
            continue
        key = pem.key(domain.key.value)
        if isinstance(key, KeyFacts) and key.kind != declared.value:
            message = (
                f"acme-client.conf asks for a key of type {declared.value}, but {domain.key.value} holds one of type {key.kind}, "
                "and acme-client does not replace it."
            )
            edits = editing.set_option(
                tree_of(acme, domain.statement), domain.statement, f"domain key {domain.key.span.chars} {key.kind}"
            )
            fix = option_fix("Say what is there", Safety.UNSAFE, edits) if key.kind in ("rsa", "ecdsa") else None
            yield Finding(message, (Place.at(declared.span, "the type"),), fix, f"type of {domain.handle.value}", key.kind)
        elif isinstance(key, Failed):
            yield Doubt(key.reason, key.detail, (Place.at(domain.key.span, "the key"),))


@rule("ACME016")
def contact_where_it_is_wanted(acme: AcmeConfig, shown: ShownCertificates, site: Site) -> Iterator[Outcome]:
    """An authority that takes no account without a contact is given one."""
    domains = shown.domains(acme, site)
    if not domains:
        yield NO_DOMAIN
    for authority in signers(acme, domains):
        host = read_url(authority.api.value).host if authority.api is not None else ""
        if authority.contact is not None or host not in _WANTS_CONTACT:
            continue
        edits = None
        if site.domains:
            line = f'contact "mailto:postmaster@{site.domains[0]}"'
            edits = editing.set_option(tree_of(acme, authority.statement), authority.statement, line)
        fix = option_fix("Give the postmaster as contact", Safety.SAFE, edits)
        message = f"{_WANTS_CONTACT[host]} opens no account without a contact, and the authority {authority.name.value} has none."
        yield Finding(message, (Place.at(authority.name.span),), fix, "contact", "missing", absence=True)
