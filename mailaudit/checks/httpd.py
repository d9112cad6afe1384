"""Rules about httpd.conf: who answers the certificate authority on port 80, and what else is given away there."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator

from mailaudit.checks.loading import loads
from mailaudit.checks.registry import rule
from mailaudit.editing import httpd as editing
from mailaudit.editing import statements
from mailaudit.editing.style import Edits, Unwritable, fitted
from mailaudit.edits import Fix, Safety
from mailaudit.findings import Doubt, Exempt, Finding, Outcome, Place
from mailaudit.models.acme import AcmeConfig
from mailaudit.models.challenge import (
    HTTP,
    HTTPS,
    PREFIX,
    Served,
    Way,
    answer,
    challenge,
    challenge_directory,
    joined,
    others,
    server_for,
    serves,
)
from mailaudit.models.httpd import HttpdConfig
from mailaudit.models.httpd_parts import BOTH, CHROOT, ROOT, Server
from mailaudit.models.listening import Listening
from mailaudit.models.reference import Reference
from mailaudit.models.shown import ShownCertificates
from mailaudit.models.site import Site
from mailaudit.models.sources import Missing
from mailaudit.models.url import read_url
from mailaudit.parsers.tree import Statement, Tree
from mailaudit.questions import Reason

NO_CHALLENGE = Exempt("acme-client gets no certificate for mail, so no authority comes to port 80")
NO_HTTP = Exempt("no server listens on port 80")
_ANY = {"inet": "0.0.0.0", "inet6": "::"}  # noqa: S104  an address for httpd.conf
_UNSURE = "A pattern, a rewrite or a file that may be there decides how httpd answers the authority."


def tree_of(httpd: HttpdConfig, statement: Statement) -> Tree:
    """The file that a statement stands in."""
    return next(tree for tree in httpd.trees if tree.text is statement.span.text)


def asked(
    httpd: HttpdConfig, acme: AcmeConfig, shown: ShownCertificates, site: Site
) -> Iterator[tuple[str, str, Server, bool | None]]:
    """Who is asked for challenges: name, the directory that acme-client writes to, the server that answers, if it is named so."""
    for domain in shown.domains(acme, site):
        for name in domain.names:
            server, named = server_for(httpd, name)
            if server is not None:
                yield name, challenge_directory(domain), server, named


def verdict(ways: list[Served], directory: str) -> bool | None:
    """True if the authority surely gets what acme-client wrote, False if surely not."""
    found = {None if served.way is Way.REWRITE else serves(served, directory) for served in ways}
    return found.pop() if len(found) == 1 else None


@rule("HTTPD001")
def httpd_conf_loads(httpd: HttpdConfig | Missing, reference: Reference) -> Iterator[Outcome]:
    """httpd.conf is there, and httpd reads it."""
    yield from loads(httpd, "httpd", reference)


@rule("HTTPD002")
def server_for_each_name(httpd: HttpdConfig, acme: AcmeConfig, shown: ShownCertificates, site: Site) -> Iterator[Outcome]:
    """A server that knows the authority answers for each name of the certificate."""
    names = list(asked(httpd, acme, shown, site))
    if not names:
        yield NO_CHALLENGE if not shown.domains(acme, site) else NO_HTTP
    for name, directory, server, named in names:
        if named is not False or verdict(challenge(httpd, server), directory) is not False:
            continue
        good = (each for _, other, each, _ in names if verdict(challenge(httpd, each), other) is True)
        fix = option_fix(f"Have a server answer for {name}", _named_server(httpd, next(good, None), name))
        message = f"No server on port 80 is called {name}: requests for it go to {server.name.value}, which knows no challenges."
        yield Finding(message, (Place.at(server.name.span, "answers instead"),), fix, "server", name)


def option_fix(title: str, edits: Edits | None) -> Fix | None:
    """A safe fix by edits, if there are any."""
    return Fix(title, Safety.SAFE, edits, ("rcctl reload httpd",)) if edits else None


def _named_server(httpd: HttpdConfig, good: Server | None, name: str) -> Edits | None:
    try:
        if good is not None:
            return _add(httpd, good, f"alias {editing.write(name)}")
        lines = [f"server {editing.write(name)} {{", "\tlisten on * port 80", *_location("\t"), "}"]
        return editing.add(httpd.trees[0], *lines)
    except Unwritable:
        return None


def _location(indent: str = "") -> list[str]:
    lines = [f'location "{PREFIX}/*" {{', '\troot "/acme"', "\trequest strip 2", "}"]
    return [indent + line for line in lines]


@rule("HTTPD003")
def listens_on_port_80(httpd: HttpdConfig, acme: AcmeConfig, shown: ShownCertificates, site: Site) -> Iterator[Outcome]:
    """The servers of the certificate's names listen on port 80, over IPv4 and IPv6."""
    domains = shown.domains(acme, site)
    if not domains:
        yield NO_CHALLENGE
        return
    listeners = [each for each in httpd.listeners if each.port == HTTP and not each.is_loopback and not each.tls]
    over = {family for listener in listeners for family in listener.families}
    if not over:
        fix = option_fix("Listen on port 80", _listen(httpd, domains[0].names[0]))
        message = "httpd does not listen on port 80 for others, and that is where the certificate authority comes."
        yield Finding(message, (Place.whole(httpd.trees[0].text),), fix, "port 80", "missing", absence=True)
    for family in BOTH:
        if over and family not in over:
            named = {"inet": "IPv4", "inet6": "IPv6"}[family]
            server = next(each for each in httpd.servers if listeners[0] in each.listeners)
            edits = _add(httpd, server, f"listen on {_ANY[family]} port 80")
            fix = option_fix(f"Listen over {named} too", edits)
            message = f"httpd listens on port 80, but not over {named}."
            yield Finding(message, (Place.at(listeners[0].address.span, "one family"),), fix, "port 80", named, absence=True)


def _add(httpd: HttpdConfig, server: Server, *lines: str) -> Edits | None:
    return editing.add_option(tree_of(httpd, server.statement), server.statement, *lines)


def _listen(httpd: HttpdConfig, name: str) -> Edits | None:
    """A listener for the server of that name, if there is one."""
    server = next((each for each in httpd.servers if each.answers_to(name)), None)
    if server is None or any(each.port == HTTP for each in server.listeners):
        return None
    return _add(httpd, server, "listen on * port 80")


@rule("HTTPD004")
def challenges_are_served(httpd: HttpdConfig, acme: AcmeConfig, shown: ShownCertificates, site: Site) -> Iterator[Outcome]:
    """The server of each name answers the authority with a file: that directory is acme-client's is ACME010's."""
    names = list(asked(httpd, acme, shown, site))
    if not names:
        yield NO_CHALLENGE if not shown.domains(acme, site) else NO_HTTP
    judged: set[int] = set()
    for name, directory, server, named in names:
        ways = challenge(httpd, server)
        found = verdict(ways, directory)
        if found is None:
            yield Doubt(Reason.IN_DOUBT, _UNSURE, (Place.at(ways[0].at),))
        elif not found and named is not False and id(server) not in judged and not only_root_differs(ways, directory):
            judged.add(id(server))
            yield _not_served(httpd, name, ways[-1], directory)


def only_root_differs(ways: list[Served], directory: str) -> bool:
    """True if the authority is given a file that lies right in a directory, though in another than acme-client's."""
    return all(served.file is not None and served.location is not None and served.answer.strip == 2 for served in ways) and all(
        posixpath.dirname(served.file or "") != directory for served in ways
    )


def _not_served(httpd: HttpdConfig, name: str, served: Served, directory: str) -> Finding:
    if served.location is None and served.way is Way.FILE:
        message = f"No location of the server for {name} is for the authority's challenges, so it answers them with 404."
    elif served.way is not Way.FILE:
        where = f"the location {served.location.path.value}" if served.location else "the server itself"
        message = f"The authority that comes for {name} gets to {where}, which {served.way}."
    else:
        message = f"A challenge for {name} is looked for in {served.file}, but acme-client writes it to {directory}."
    fix = option_fix("Serve the challenges", _serve(httpd, served, directory))
    return Finding(message, (Place.at(served.at, "answers the authority"),), fix, f"challenge for {name}", str(served.way))


def _serve(httpd: HttpdConfig, served: Served, directory: str) -> Edits | None:
    """The right strip in the location that is for challenges; else one for them above all others."""
    chroot = httpd.chroot.value if httpd.chroot is not None else CHROOT
    if not directory.startswith(f"{chroot}/"):
        return None
    root = directory.removeprefix(chroot)
    statement = served.server.statement
    location = served.location
    if location is not None and PREFIX in location.path.value:
        tree = tree_of(httpd, location.statement)
        block = location.statement
        if served.way is Way.FILE:
            return editing.set_flag(tree, block, "request strip 2")
        undo = {Way.BLOCK: "pass", Way.REDIRECT: "pass", Way.PROGRAM: "no fastcgi", Way.LOGIN: "no authenticate"}.get(served.way)
        inherits = location.answer.block is None and location.answer.fastcgi is None
        return editing.add_option(tree, block, undo) if undo is not None and inherits else None
    lines = [f'location "{PREFIX}/*" {{', f"\troot {editing.write(root)}", "\trequest strip 2"]
    lines += ["\tpass"] if served.server.answer.block else []
    lines += ["\tno fastcgi"] if served.server.answer.fastcgi else []
    return _first(tree_of(httpd, statement), statement, *lines, "}")


def _first(tree: Tree, server: Statement, *lines: str) -> Edits | None:
    """A location above all others of a server, for the first one that fits decides."""
    kin = [each for each in server.body if each.kind == "location"]
    return statements.above(kin[0], fitted(tree, editing.STYLE), *lines) if kin else editing.add_option(tree, server, *lines)


@rule("HTTPD006")
def nothing_else_is_served(httpd: HttpdConfig, site: Site) -> Iterator[Outcome]:
    """On port 80 the mail host answers all but the authority with a refusal or a redirection."""
    server, _ = server_for(httpd, site.mail_host or "")
    if server is None:
        yield NO_HTTP
        return
    for served in others(httpd, server):
        what = _given_away(httpd, served)
        if what is None:
            continue
        message = f"On port 80 {what}; nothing but the authority's challenges belongs there."
        edits = None
        if served.location is None:
            edits = _add(httpd, server, "location * {", "\tblock return 404", "}")
        yield Finding(
            message, (Place.at(served.at, "answers"),), option_fix("Refuse all else", edits), "port 80", served.at.chars
        )


def _given_away(httpd: HttpdConfig, served: Served) -> str | None:
    """What a location gives to anybody; nothing but a page of OpenBSD's own is in the stock directory."""
    if served.way is Way.PROGRAM:
        return "a FastCGI program answers"
    if served.way is not Way.FILE:
        return None
    if served.answer.auto_index:
        return "the names of all files of a directory are shown"
    root = posixpath.normpath(served.answer.root.value) if served.answer.root is not None else ROOT
    mine = {posixpath.dirname(each.file) for each in challenge(httpd, served.server) if each.file is not None}
    chroot = httpd.chroot.value if httpd.chroot is not None else CHROOT
    return None if root == ROOT or joined(chroot, root) in mine else f"the files of {root} are served without TLS"


@rule("HTTPD007")
def redirection_leads_somewhere(httpd: HttpdConfig, listening: Listening, site: Site) -> Iterator[Outcome]:
    """Who is sent from http to https finds somebody there."""
    sockets = listening.sockets.listening if listening.sockets is not None else ()
    answered = any(port.number == HTTPS for port in listening.ports) or any(socket.port == HTTPS for socket in sockets)
    for server in httpd.servers:
        if answered or not any(listener.port == HTTP for listener in server.listeners):
            continue
        for served in (answer(httpd, server, location, "/") for location in (None, *server.locations)):
            uri = served.answer.uri
            own = served.answer is server.answer or (served.location is not None and served.location.answer.uri is not None)
            if served.way is not Way.REDIRECT or uri is None or not own or not _is_here(uri.value, httpd, site):
                continue
            message = "This sends everybody to https, but nothing listens on port 443."
            block = served.location.statement if served.location is not None else server.statement
            edits = editing.set_option(tree_of(httpd, block), block, "block return 404")
            yield Finding(
                message, (Place.at(uri.span, "leads nowhere"),), option_fix("Refuse instead", edits), "https", uri.value
            )


def _is_here(uri: str, httpd: HttpdConfig, site: Site) -> bool:
    """True if a redirection leads to https on this host."""
    url = read_url(uri)
    host = url.host[:1] + url.host[1:].partition("$")[0]
    if url.scheme != "https" or url.port not in ("", str(HTTPS)):
        return False
    return (
        host.startswith(("$http_host", "$server_name"))
        or host == site.mail_host
        or any(server.answers_to(host) for server in httpd.servers)
    )
