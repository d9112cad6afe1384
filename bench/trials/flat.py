"""Edits of the files of one statement a line tried: rc.conf.local, redis, sshd, doas, crontab, hostname.if."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from functools import partial

from bench.trials import Edits, Row, Trial, depths, lines, row
from bench.trials.pf import values
from mailaudit.editing import crontab, doas, hostname_if, rc, redis, sshd
from mailaudit.editing.style import Style, Unwritable
from mailaudit.parsers.tree import Statement, Tree

QUOTES = "\"'"
VALUES = ("NO", "-v -f /etc/x", "", "it's", 'say "x"', "a b", "back\\slash", "ends\\", "#mark", "% off", "-O", "ü ü")


def _plain(tree: Tree, rng: random.Random, style: Style) -> Iterator[Trial]:
    """Trials of whole lines, in files that end as they must."""
    if tree.text.chars.endswith("\n") or not style.ends:
        yield from lines.trials(tree, rng, style)


def _tried(change: Callable[[], Edits | None]) -> Edits | None:
    """The edits, or none for a value that cannot be written."""
    try:
        return change()
    except Unwritable:
        return None


def rc_trials(tree: Tree, rng: random.Random) -> Iterator[Trial]:
    """Some edits of one rc.conf.local."""
    if not tree.text.chars.endswith("\n"):
        return
    yield from _plain(tree, rng, rc.STYLE)
    value = rng.choice(VALUES)
    names = [each.seen[0].value for each in tree.statements if each.kind == "assignment"]
    for name in (rng.choice(names) if names else "smtpd_flags", "freshd_flags"):
        found = rc.variable(tree, name)
        edits = _tried(partial(rc.set_variable, tree, name, value))
        again = partial(rc.set_variable, name=name, value=value)
        yield Trial(
            "set variable", edits, _rows(found), ((0, "assignment", (name, "=", value)),), again=again, cuts=True, marks=QUOTES
        )
        if found is not None and names.count(name) == 1:
            yield Trial("remove variable", rc.remove_variable(tree, name), _rows(found), (), cuts=True)
    scripts = rc.variable(tree, "pkg_scripts")
    words = scripts.node.leaves()[1].value.split() if scripts else []
    come = ((0, "assignment", ("pkg_scripts", "=", " ".join([*words, "freshd"]))),)
    edits = rc.add_package_script(tree, "freshd")
    again = partial(rc.add_package_script, name="freshd")
    yield Trial("add package script", edits, _rows(scripts), come, again=again, marks=QUOTES)


def _rows(statement: Statement | None, depth: int = 0) -> tuple[Row, ...]:
    return () if statement is None else (row(statement, depth),)


def redis_trials(tree: Tree, rng: random.Random) -> Iterator[Trial]:
    """Some edits of one redis.conf."""
    yield from _plain(tree, rng, redis.STYLE)
    value = rng.choice((*VALUES, "two\nlines", "t\tab"))
    for name in ("requirepass", "dbfilename", "fresh.option"):
        found = redis.directives(tree, name)[-1:]
        gone = tuple(row(each, 0) for each in found)
        edits = _tried(partial(redis.set_directive, tree, name, value))
        yield Trial(f"set {name}", edits, gone, ((0, "setting", (name, value)),), again=_redis_again(name, value))
    names = [each.seen[0].value for each in tree.statements if each.kind == "setting"]
    if names:
        name = rng.choice(names)
        found = redis.directives(tree, name)
        if len(found) == 1:
            yield Trial("remove directive", redis.remove_directive(tree, name), _rows(found[0]), (), cuts=True)


def _redis_again(name: str, value: str) -> Callable[[Tree], Edits | None]:
    return lambda after: redis.set_directive(after, name, value)


def sshd_trials(tree: Tree, rng: random.Random) -> Iterator[Trial]:
    """Some edits of one sshd_config."""
    yield from lines.trials(tree, rng, sshd.STYLE)
    matches = [each for each in tree.statements if each.kind == "match" and not each.problem]
    for match in (None, rng.choice(matches) if matches else None):
        depth = 0 if match is None else 1
        name, value = rng.choice(
            (("PermitRootLogin", "no"), ("Banner", "/etc/a b"), ("X11Forwarding", "yes"), ("AllowUsers", "x"))
        )
        found = sshd.keywords(tree, name, match)[:1]
        gone = tuple(row(each, depth) for each in found)
        old = values(found[0]) if found else []
        come = (*old[: old.index(name.lower()) + 1], *(["="] if "=" in old[1:] else []), value) if old else (name.lower(), value)
        number = None if match is None else tree.statements.index(match)
        again = partial(_sshd_again, name, value, number)
        edits = sshd.set_keyword(tree, name, value, match=match)
        yield Trial(f"set {name}", edits, gone, ((depth, "setting", come),), again=again)


def _sshd_again(name: str, value: str, number: int | None, after: Tree) -> Edits | None:
    return sshd.set_keyword(after, name, value, match=None if number is None else after.statements[number])


def doas_trials(tree: Tree, rng: random.Random) -> Iterator[Trial]:
    """Some edits of one doas.conf."""
    yield from _plain(tree, rng, doas.STYLE)
    line = "permit nopass fresh as root cmd /bin/ls args -l"
    come = ((0, "rule", tuple(line.split())),)
    undo = (lambda after: doas.remove(after.statements[-1])) if tree.text.chars.endswith("\n") else None
    yield Trial("add rule", doas.add(tree, line), (), come, undo=undo)
    found = [each for each in tree.statements if each.problem is None and each.seen[0].kind == "permit"]
    if not found:
        return
    rule = rng.choice(found)
    name, argument = rng.choice((("persist", ""), ("keepenv", ""), ("setenv", "{ PATH=/bin }")))
    old = values(rule)
    has = [node for node in rule.node.nodes("option") if node.first.kind == name]
    if not has:
        new = (old[0], name, *argument.split(), *old[1:])
        number = tree.statements.index(rule)
        again = partial(_doas_again, number, name, argument)
        edits = _tried(partial(doas.set_option, rule, name, argument))
        yield Trial(f"set {name}", edits, _rows(rule), ((0, "rule", new),), again=again)
    elif name != "setenv":
        left = tuple(value for value in old if value != name)
        yield Trial(f"remove {name}", doas.remove_option(rule, name), _rows(rule), ((0, "rule", left),))


def _doas_again(number: int, name: str, argument: str, after: Tree) -> Edits | None:
    return doas.set_option(after.statements[number], name, argument)


def crontab_trials(tree: Tree, rng: random.Random) -> Iterator[Trial]:
    """Some edits of one crontab."""
    yield from _plain(tree, rng, crontab.style_of(tree))
    if not tree.text.chars.endswith("\n"):
        return
    user = "root" if tree.language == crontab.SYSTEM.language.name else ""
    command = rng.choice(("/usr/bin/true", "date +%s", "a  b | c"))
    when = rng.choice(("@daily", "~ 3 * * 1-5"))
    come = (*when.split(), *([user] if user else []), command)
    edits = crontab.add_job(tree, when, command, user)
    yield Trial(
        "add job", edits, (), ((0, "job", come),), undo=lambda after: crontab.remove(after, crontab.jobs(after, command)[-1])
    )
    for name in ("MAILTO", "FRESH"):
        value = rng.choice(VALUES)
        found = crontab.variable(tree, name)
        edits = _tried(partial(crontab.set_variable, tree, name, value))
        again = partial(crontab.set_variable, name=name, value=value)
        yield Trial(f"set {name}", edits, _rows(found), ((0, "variable", (name, "=", value)),), again=again)
    jobs = [each for each in tree.statements if each.kind == "job" and not each.problem]
    if jobs:
        job = rng.choice(jobs)
        at = next(number for number, token in enumerate(job.tokens) if token.kind == "command")
        old = values(job)
        new = (*old[:at], command, *old[at + 1 :])
        yield Trial("set command", crontab.set_command(job, command), _rows(job), ((0, "job", new),))
        timed = [token.kind in ("minute", "hour", "monthday", "month", "weekday", "when") for token in job.tokens]
        new = (*when.split(), *(value for value, is_time in zip(old, timed, strict=True) if not is_time))
        yield Trial("set when", crontab.set_when(job, when), _rows(job), ((0, "job", new),))


def hostname_trials(tree: Tree, rng: random.Random) -> Iterator[Trial]:
    """Some edits of one hostname.if."""
    yield from _plain(tree, rng, hostname_if.STYLE)
    if not tree.text.chars.endswith("\n"):
        return
    line = rng.choice(("inet alias 192.0.2.77 255.255.255.255", "inet6 2001:db8::77 64", "group fresh"))
    kind = "ifconfig" if line.startswith("group") else "address"
    yield Trial("add line", hostname_if.add(tree, line), (), ((0, kind, tuple(line.split())),))
    found = [each for each in tree.statements if each.kind == "address"]
    if found:
        address = rng.choice(found)
        line = "inet 192.0.2.78 255.255.255.0"
        edits = hostname_if.replace(address, line)
        yield Trial("replace address", edits, _rows(address), ((depths(tree)[id(address)], "address", tuple(line.split())),))
