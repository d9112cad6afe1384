"""Edits of acme-client.conf and httpd.conf tried."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator

from bench.trials import Edits, Row, Trial, depths, lines, row
from bench.trials.pf import macro_trials, values
from mailaudit.editing import acme, httpd
from mailaudit.parsers.tree import Node, Statement, Tree


def acme_trials(tree: Tree, rng: random.Random) -> Iterator[Trial]:
    """Some edits of one acme-client.conf."""
    yield from lines.trials(tree, rng, acme.STYLE, lines.Own(acme.remove, acme.comment_out, acme.BLOCKS.headers))
    yield from macro_trials(tree, rng, acme.set_macro, frozenset())
    new = ("domain fresh.example {", '\tdomain key "/etc/ssl/private/fresh.key"', "}")
    come = ((0, "domain", ("domain", "fresh.example", "{")), (1, "key", ("domain", "key", "/etc/ssl/private/fresh.key")))
    yield Trial("add domain", acme.add(tree, *new), (), (*come, (0, "end", ("}",))), undo=_undone_domain)
    found = [each for each in tree.walk() if each.kind == "domain" and each.close and not each.problem]
    if not found:
        return
    domain = rng.choice(found)
    first = acme.block(tree, "domain", _name(domain))
    if first is not domain:
        return
    yield _set(tree, acme.set_option, domain, 'challengedir "/var/www/fresh"', ("challengedir", "/var/www/fresh"))
    names = acme.names(domain)
    statement = next((each for each in domain.body if each.kind == "alternative"), None)
    old = values(statement) if statement else []
    if statement is None:
        yield Trial(
            "add name", acme.add_name(tree, domain, "fresh.example"), (), ((1, "alternative", _named(["fresh.example"])),)
        )
    elif names is not None:
        gone = (row(statement, 1),)
        bare = old[3:-1]
        come_name = ((1, "alternative", (*old[:3], *bare, "fresh.example", "}")),)
        yield Trial(
            "add name",
            acme.add_name(tree, domain, "fresh.example"),
            gone,
            come_name,
            again=lambda after: acme.add_name(after, acme.block(after, "domain", _name(domain)) or domain, "fresh.example"),
            marks=",",
        )
        name = rng.choice(names.items)[0].value
        left = list(bare)
        left.remove(name)
        come_left = ((1, "alternative", (*old[:3], *left, "}")),) if [each for each in left if each != ","] else ()
        yield Trial("remove name", acme.remove_name(domain, name), gone, come_left, marks=",", cuts=True)


def _undone_domain(after: Tree) -> Edits | None:
    found = acme.block(after, "domain", "fresh.example")
    return acme.remove(after, found) if found else None


def _undone_server(after: Tree) -> Edits | None:
    found = httpd.block(after, "server", "fresh.example")
    return httpd.remove(after, found) if found else None


def _named(names: list[str]) -> tuple[str, ...]:
    return ("alternative", "names", "{", *names, "}")


def _name(block: Statement) -> str:
    return next(token.value for token in block.seen[1:] if token.is_string)


Change = Callable[[Tree, Statement, str], Edits | None]


def _set(tree: Tree, change: Change, block: Statement, line: str, words: tuple[str, ...]) -> Trial:
    depth = depths(tree)[id(block)] + 1
    kind = words[0]
    old = [each for each in block.body if each.kind == kind][-1:]
    number = [id(each) for each in tree.walk()].index(id(block))
    return Trial(
        f"set {kind}",
        change(tree, block, line),
        tuple(row(each, depth) for each in old),
        ((depth, kind, words),),
        again=lambda after: change(after, list(after.walk())[number], line),
    )


def httpd_trials(tree: Tree, rng: random.Random) -> Iterator[Trial]:
    """Some edits of one httpd.conf."""
    yield from lines.trials(tree, rng, httpd.STYLE, lines.Own(httpd.remove, httpd.comment_out, httpd.BLOCKS.headers))
    yield from macro_trials(tree, rng, httpd.set_macro, frozenset())
    new = ('server "fresh.example" {', "\tlisten on * port 80", '\tlocation "/x" {', "\t\tblock drop", "\t}", "}")
    come: tuple[Row, ...] = (
        (0, "server", ("server", "fresh.example", "{")),
        (1, "listen", ("listen", "on", "*", "port", "80")),
        (1, "location", ("location", "/x", "{")),
        (2, "block", ("block", "drop")),
        (1, "end", ("}",)),
        (0, "end", ("}",)),
    )
    yield Trial("add server", httpd.add(tree, *new), (), come, undo=_undone_server)
    found = [each for each in tree.walk() if each.kind in ("server", "location") and each.close and not each.problem]
    if not found:
        return
    block = rng.choice(found)
    if not any(token.kind == "macro" for each in block.body for token in each.tokens):
        yield _set(tree, httpd.set_option, block, 'root "/fresh dir"', ("root", "/fresh dir"))
        yield _flagged(tree, rng, block)
    yield from _flags(tree, rng)


def _flagged(tree: Tree, rng: random.Random, block: Statement) -> Trial:
    kind, flag, words = rng.choice((("tls", "certificate", ("/fresh.pem",)), ("log", "access", ("fresh.log",))))
    depth = depths(tree)[id(block)] + 1
    line = f'{kind} {flag} "{words[0]}"'
    number = [id(each) for each in tree.walk()].index(id(block))
    again = lambda after: httpd.set_flag(after, list(after.walk())[number], line)  # noqa: E731
    edits = httpd.set_flag(tree, block, line)
    for statement in block.body:
        for node in httpd.flag_nodes(statement) if statement.kind == kind else ():
            if node.kind == flag:
                old, new = values(statement), []
                first, last = _bounds(statement, node)
                new = [*old[:first], flag, *words, *old[last + 1 :]]
                return Trial("set flag", edits, (row(statement, depth),), ((depth, kind, tuple(new)),), again=again)
    return Trial("new flag", edits, (), ((depth, kind, (kind, flag, *words)),), again=again)


def _bounds(statement: Statement, node: Node) -> tuple[int, int]:
    starts = [token.start for token in statement.tokens if token.value not in ("\r", "\n")]
    leaves = node.all_leaves()
    return starts.index(leaves[0].start), starts.index(leaves[-1].start)


def _flags(tree: Tree, rng: random.Random) -> Iterator[Trial]:
    where = depths(tree)
    found = [
        (block, each)
        for block in tree.walk()
        for each in block.body
        if each.kind in ("tls", "connection", "log", "directory", "hsts", "fastcgi")
        and each.problem is None
        and httpd.flag_nodes(each)
        and not any(token.kind == "macro" for token in each.tokens)
    ]
    if not found:
        return
    block, statement = rng.choice(found)
    depth = where[id(statement)]
    nodes = httpd.flag_nodes(statement)
    node = rng.choice(nodes)
    first, last = _bounds(statement, node)
    old = values(statement)
    same = [each for each in block.body if each.kind == statement.kind]
    kinds = [each.kind for one in same for each in httpd.flag_nodes(one)]
    if kinds.count(node.kind) == 1:
        come = ((depth, statement.kind, (*old[:first], *old[last + 1 :])),) if len(nodes) > 1 else ()
        edits = httpd.remove_flag(block, statement.kind, node.kind)
        yield Trial("remove flag", edits, (row(statement, depth),), come, cuts=True, marks=",")
    copy = node.first.span.to(node.all_leaves()[-1].span).chars
    _, end = _bounds(statement, nodes[-1])
    copied = old[first : last + 1]
    if "{" in old:
        new = [*old[: end + 1], *copied, *old[end + 1 :]]
    else:
        begin, _ = _bounds(statement, nodes[0])
        new = [*old[:begin], "{", *old[begin : end + 1], *copied, "}", *old[end + 1 :]]
    yield Trial(
        "add flag",
        httpd.add_flag(statement, copy),
        (row(statement, depth),),
        ((depth, statement.kind, tuple(new)),),
        marks=",",
    )
