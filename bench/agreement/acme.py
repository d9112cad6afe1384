"""acme-client.conf: accepted or refused, where, and what it means, as OpenBSD's acme-client (parse.y 1.47) had it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from bench.agreement import Row
from bench.agreement.recorded import Case, cases, dumps, host_cases, verdicts
from mailaudit.models.acme import PATH, AcmeConfig, understood
from mailaudit.parsers.acme import parse
from mailaudit.parsers.tree import Token
from mailaudit.text import Text


def model(data: bytes, files: Mapping[str, bytes] | None = None) -> AcmeConfig:
    """The model of a file and of those it includes."""
    known = files or {}
    return understood(parse(Text(PATH, data), lambda path: Text(path, known[path]) if path in known else None))


def _means(case: Case) -> tuple[set[str], set[str]]:
    """The lines of the dump and ours, each with the block that it stands in."""
    theirs: set[str] = set()
    block = ""
    for line in case.dump:
        if not line.startswith("\t"):
            block = line or block
        else:
            theirs.add(f"{block} {line.strip()}")
    return theirs, set(_ours(model(case.data)))


def _ours(acme: AcmeConfig) -> Iterator[str]:
    def line(block: str, word: str, token: Token | None, more: str = "") -> Iterator[str]:
        if token is not None:
            yield f'{block} {word} "{token.value}"{more}'

    for authority in acme.authorities:
        block = f"authority {authority.name.value} {{"
        yield from line(block, "api url", authority.api)
        yield from line(block, "account key", authority.account, f" {authority.account_type}")
        if authority.insecure is not None:
            yield f"{block} insecure"
    for domain in acme.domains:
        block = f"domain {domain.handle.value} {{"
        yield from line(block, "domain name", domain.name)
        if domain.alternative_names:
            yield f"{block} alternative names {{ {', '.join(token.value for token in domain.alternative_names)} }}"
        yield from line(block, "domain key", domain.key, f" {domain.key_type}")
        for word, token in (
            ("domain certificate", domain.certificate),
            ("domain chain certificate", domain.chain),
            ("domain full chain certificate", domain.full_chain),
            ("sign with", domain.sign_with),
            ("challengedir", domain.challengedir),
            ("profile", domain.profile),
        ):
            yield from line(block, word, token)


def rows(corpora: Path, limit: int | None = None) -> Iterator[Row]:
    """Verdicts, and meanings of what was accepted."""
    known = cases(corpora, "acme", limit)
    yield verdicts("acme-client.conf", known, lambda case: model(case.data).refusals)
    hosts = {case.name: (case, files) for case, files in host_cases(corpora, "acme", PATH)}
    whole = [case for case, _ in hosts.values()]
    yield verdicts("acme-client.conf of whole hosts", whole, lambda case: model(case.data, hosts[case.name][1]).refusals)
    yield dumps("acme-client.conf, meaning", known, _means)
