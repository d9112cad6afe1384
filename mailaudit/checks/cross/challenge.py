"""Rules about what acme-client and httpd must agree on: the directory of the authority's challenges."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator
from shlex import quote

from mailaudit.checks.httpd import NO_CHALLENGE, NO_HTTP, asked, only_root_differs, verdict
from mailaudit.checks.registry import rule
from mailaudit.editing import httpd as editing
from mailaudit.editing.style import Edits, Unwritable
from mailaudit.edits import Fix, Safety
from mailaudit.findings import Doubt, Evidence, Exempt, Finding, Outcome, Place
from mailaudit.models.acme import AcmeConfig, Domain
from mailaudit.models.challenge import Served, challenge
from mailaudit.models.files import Access, Denied, Files, Gone, Unsure, Way
from mailaudit.models.httpd import HttpdConfig
from mailaudit.models.httpd_parts import CHROOT
from mailaudit.models.shown import ShownCertificates
from mailaudit.models.site import Site


@rule("ACME010")
def challenges_lie_where_httpd_looks(
    acme: AcmeConfig, httpd: HttpdConfig, shown: ShownCertificates, site: Site
) -> Iterator[Outcome]:
    """acme-client writes challenges into the directory that httpd serves them from."""
    names = list(asked(httpd, acme, shown, site))
    if not names:
        yield NO_CHALLENGE if not shown.domains(acme, site) else NO_HTTP
    judged: set[tuple[int, str]] = set()
    for name, directory, server, _ in names:
        ways = challenge(httpd, server)
        if (id(server), directory) in judged or not only_root_differs(ways, directory):
            continue
        judged.add((id(server), directory))
        domain = next(each for each in shown.domains(acme, site) if name in each.names)
        yield _differs(httpd, domain, ways[-1], directory)


def _differs(httpd: HttpdConfig, domain: Domain, served: Served, directory: str) -> Finding:
    looks = posixpath.dirname(served.file or "")
    message = f"acme-client writes challenges to {directory}, but httpd looks for them in {looks}."
    root = served.answer.root
    here = root.span if root is not None else served.at
    own = Place.at(domain.challengedir.span if domain.challengedir is not None else domain.handle.span, "acme-client")
    place = Place.at(here, "httpd")
    edits = _root(httpd, served, directory)
    fix = Fix("Serve that directory", Safety.SAFE, edits, ("rcctl reload httpd",)) if edits else None
    return Finding(message, (place, own), fix, f"challenges of {domain.handle.value}", looks)


def _root(httpd: HttpdConfig, served: Served, directory: str) -> Edits | None:
    chroot = httpd.chroot.value if httpd.chroot is not None else CHROOT
    if served.location is None or not directory.startswith(f"{chroot}/"):
        return None  # httpd sees nothing outside its chroot
    block = served.location.statement
    tree = next(each for each in httpd.trees if each.text is block.span.text)
    try:
        return editing.set_option(tree, block, f"root {editing.write(directory.removeprefix(chroot))}")
    except Unwritable:
        return None


@rule("CROSS010")
def httpd_reads_what_acme_client_writes(
    acme: AcmeConfig, httpd: HttpdConfig, shown: ShownCertificates, site: Site, files: Files
) -> Iterator[Outcome]:
    """From httpd's chroot, as www, the way leads to the directory of challenges; where that is, the other rules say."""
    names = list(asked(httpd, acme, shown, site))
    if not names:
        yield NO_CHALLENGE if not shown.domains(acme, site) else NO_HTTP
    chroot = posixpath.normpath(httpd.chroot.value if httpd.chroot is not None else CHROOT)
    served = {directory for _, directory, server, _ in names if verdict(challenge(httpd, server), directory) is not False}
    if names and not served:
        yield Exempt("httpd serves no directory of challenges: ACME010 or HTTPD004 says why")
    for directory in sorted(served):
        allowed = files.may("www", directory, Access.EXECUTE)
        way = files.way(directory)
        if isinstance(allowed, Unsure):
            yield Doubt(allowed.reason, allowed.detail)
        elif (isinstance(way, Gone) and way.path == directory) or (isinstance(allowed, Denied) and allowed.path == directory):
            yield Exempt(f"httpd cannot read {directory}: ACME012 says why")
        elif isinstance(allowed, Denied):
            message = f"httpd cannot reach {directory}: www may not go through {allowed.path}."
            fix = Fix("Let others through", Safety.SAFE, commands=(f"chmod o+x {quote(allowed.path)}",))
            proof = Evidence.stat(allowed.path, allowed.stat)
            yield Finding(message, (proof,), fix, f"way to {directory}", allowed.stat.shown)
        elif isinstance(way, Way) and not f"{way.path}/".startswith(f"{chroot}/"):
            message = f"{directory} is a link to {way.path}, which httpd does not see from its chroot {chroot}."
            yield Finding(
                message, (Evidence(f"stat {directory}", f"leads to {way.path}"),), None, f"way to {directory}", way.path
            )
        elif isinstance(way, Gone):
            message = f"The way to {directory} ends at {way.path}, which is not there."
            yield Finding(message, (Evidence(f"stat {way.path}", "absent"),), None, f"way to {directory}", "absent")
