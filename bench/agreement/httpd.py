"""httpd.conf: accepted or refused, where, and what it means, as OpenBSD's httpd (parse.y of 2025-09) had it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from bench.agreement import Row
from bench.agreement.recorded import Case, cases, dumps, host_cases, verdicts
from mailaudit.models.httpd import PATH, understood
from mailaudit.models.httpd_parts import ROOT, Answer, HttpdConfig, Server
from mailaudit.models.services import read_services
from mailaudit.models.sources import Sources
from mailaudit.parsers.httpd import parse
from mailaudit.parsers.tree import Token
from mailaudit.snapshot import Snapshot
from mailaudit.text import Text

SERVICES = read_services(Sources(Snapshot("host", "target", {})))
FIELDS = ("name", "loc", "port", "tls", "root", "strip", "index", "ret", "uri", "cert", "key")


def model(data: bytes, files: Mapping[str, bytes] | None = None) -> HttpdConfig:
    """The model of a file and of those it includes."""
    known = files or {}
    return understood(parse(Text(PATH, data), lambda path: Text(path, known[path]) if path in known else None), SERVICES)


def _means(case: Case) -> tuple[set[str], set[str]]:
    theirs: set[str] = set()
    for line in case.dump:
        kind, *pairs = line.split(" ")
        values = dict(pair.partition("=")[::2] for pair in pairs)
        if kind == "location":
            del values["tls"]  # httpd keeps that of the server alone
        theirs.add(" ".join([kind, *(f"{field}={values.get(field, '')}" for field in FIELDS)]))
    return theirs, set(_ours(model(case.data)))


def _ours(httpd: HttpdConfig) -> Iterator[str]:
    """A server is listed for each of its names and addresses, and with each of them its locations."""
    for server in httpd.servers:
        for name, is_pattern in ((server.name, server.is_pattern), *server.aliases):
            for listener in server.listeners:
                where = {"port": str(listener.port), "tls": str(int(listener.tls))}
                own = _answer(server.answer, ROOT) | {
                    "cert": _file(server, "certificate", "crt"),
                    "key": _file(server, "key", "key"),
                }
                own["index"] = own["index"] or "index.html"
                yield _line("server", where | own | {"name": _named(name, is_pattern)})
                for location in server.locations:
                    mine = _answer(location.answer, "") | {"loc": _named(location.path, location.is_pattern)}
                    yield _line("location", where | mine | {"name": name.value, "tls": "", "cert": "-", "key": "-"})


def _line(kind: str, values: dict[str, str]) -> str:
    return " ".join([kind, *(f"{field}={values.get(field, '')}" for field in FIELDS)])


def _named(token: Token, is_pattern: bool) -> str:
    return token.value + ("~" if is_pattern else "")


def _file(server: Server, option: str, suffix: str) -> str:
    token = server.tls_option(option)
    return token.value if token is not None else f"/etc/ssl/{'private/' if suffix == 'key' else ''}server.{suffix}"


def _answer(answer: Answer, root: str) -> dict[str, str]:
    return {
        "root": answer.root.value if answer.root is not None else root,
        "strip": str(answer.strip or 0),
        "index": answer.index.value if answer.index is not None else "",
        "ret": str(answer.code or 0) if answer.block else "0",
        "uri": answer.uri.value if answer.uri is not None else "-",
    }


def rows(corpora: Path, limit: int | None = None) -> Iterator[Row]:
    """Verdicts, and meanings of what was accepted."""
    known = cases(corpora, "httpd", limit)
    yield verdicts("httpd.conf", known, lambda case: model(case.data).refusals)
    hosts = {case.name: (case, files) for case, files in host_cases(corpora, "httpd", PATH)}
    whole = [case for case, _ in hosts.values()]
    yield verdicts("httpd.conf of whole hosts", whole, lambda case: model(case.data, hosts[case.name][1]).refusals)
    yield dumps("httpd.conf, meaning", known, _means)
