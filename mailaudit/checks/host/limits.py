"""Rules about login classes, redis, and the copies of the configuration that were put aside."""

from __future__ import annotations

from collections.abc import Iterator
from shlex import quote

from mailaudit.checks.lacking import whether_there
from mailaudit.checks.registry import rule
from mailaudit.editing import login as write_login
from mailaudit.editing import redis as write_redis
from mailaudit.edits import Edit, Fix, Safety
from mailaudit.findings import Doubt, Evidence, Exempt, Finding, Outcome, Place
from mailaudit.models.copies import SMTPD, Copies
from mailaudit.models.daemons import Daemons
from mailaudit.models.files import Files, Gone, Unsure
from mailaudit.models.login import FOLDER, PATH, LoginConf
from mailaudit.models.login_classes import LoginClass
from mailaudit.models.redis import RedisConfig
from mailaudit.models.sockets import Sockets
from mailaudit.models.sources import Lacking, Missing, NotHere
from mailaudit.models.system import TYPED
from mailaudit.parsers.tree import Tree
from mailaudit.questions import Command, Reason, Stat
from mailaudit.text import Span

OTHERS_READ = 0o004
PF_COPY = "/etc/pf.conf.defaults"
LEAST = {"dovecot": (1024, 2048), "rspamd": (2048, 4096)}
"""The open files that a daemon needs: the limit that it starts with, and the one that it may raise it to."""


@rule("HOST041")
def pf_conf_was_put_aside(files: Files) -> Iterator[Outcome]:
    """The copy of the first pf.conf is there, and not for everyone."""
    stat = files.stat(PF_COPY)
    if isinstance(stat, Gone) and files.of_host:
        where = (Evidence(f"stat {PF_COPY}", "not there"),)
        yield Finding("There is no copy of the first pf.conf to go back to.", where, None, "missing")
    elif not isinstance(stat, Stat) or stat.mode is None:
        yield Doubt(Reason.NOT_RECORDED, f"The mode of {PF_COPY} was not recorded.")
    elif stat.mode & OTHERS_READ:
        yield _open_copy(PF_COPY, stat, "Every account on this host can read {path}.")


def _open_copy(path: str, stat: Stat, message: str) -> Finding:
    mode = f"{stat.mode or 0:04o}"
    where = (Evidence(f"stat {path}", f"{mode} {stat.owner}:{stat.group}"),)
    fix = Fix("Close it to others", Safety.SAFE, commands=(f"chmod 600 {quote(path)}",))
    return Finding(message.format(path=path), where, fix, "mode", mode)


@rule("HOST042")
def smtpd_conf_was_put_aside(files: Files, copies: Copies) -> Iterator[Outcome]:
    """The copy of the first smtpd.conf is there; if a secret is in it, it is not for everyone."""
    stat = files.stat(SMTPD)
    if isinstance(stat, Gone) and files.of_host:
        where = (Evidence(f"stat {SMTPD}", "not there"),)
        yield Finding("There is no copy of the first smtpd.conf to go back to.", where, None, "missing")
    elif not isinstance(stat, Stat) or stat.mode is None:
        yield Doubt(Reason.NOT_RECORDED, f"The mode of {SMTPD} was not recorded.")
    elif stat.mode & OTHERS_READ and copies.in_smtpd is None:
        yield Doubt(copies.why.reason if copies.why else Reason.NOT_RECORDED, f"What stands in {SMTPD} was not recorded.")
    elif stat.mode & OTHERS_READ and copies.in_smtpd:
        yield _open_copy(SMTPD, stat, "Every account on this host can read {path}, and a key or a password's hash is in it.")


def _files_limit(login: LoginConf, daemon: str, files: Files) -> Iterator[Outcome]:
    """A finding if the class that a daemon starts in lets it open too few files."""
    found = login.login_class(daemon)
    why = login.why_unread(daemon)
    if why is not None:
        yield Doubt(why.reason, why.detail)
        return
    if found is None:
        if files.of_host:
            yield _no_class(login, daemon)
        else:
            what = f"There is no login class {daemon} in the target; whether the host has that of the package was not recorded."
            yield Doubt(Reason.NOT_RECORDED, what)
        return
    limit = found.limit("openfiles")
    bounds = ((limit.soft, limit.soft_by, LEAST[daemon][0], "cur"), (limit.hard, limit.hard_by, LEAST[daemon][1], "max"))
    few = [(bound, by, least, f"openfiles-{which}") for bound, by, least, which in bounds if bound is None or bound < least]
    if len(few) == 2 and few[0][1] is few[1][1]:
        few = few[1:]  # one capability for both
    for bound, by, least, name in few:
        own = by is not None and by in found.record.capabilities
        place = by.value if own and by is not None and by.value is not None else found.record.names[0]
        written = by.name.value if own and by is not None else name
        yield Finding(
            f"The login class {daemon} allows {'some' if bound is None else bound} open files; {least} are needed.",
            (Place.at(place.span),),
            Fix(f"Raise {written}", Safety.SAFE, _raise(login, found, written, str(least))),
            name,
            str(bound),
        )


def _no_class(login: LoginConf, daemon: str) -> Finding:
    path = f"{FOLDER}/{daemon}"
    soft, hard = LEAST[daemon]
    started = login.daemon_class(daemon)
    limit = started.limit("openfiles").soft if started is not None else None
    lines = f"{daemon}:\\\n\t:openfiles-cur={soft}:\\\n\t:openfiles-max={hard}:\\\n\t:tc=daemon:\n"
    edits = () if any(tree.text.path == path for tree in login.trees) else (Edit(path, 0, 0, lines),)
    few = "" if limit is None else f", with {limit} open files"
    return Finding(
        f"There is no login class {daemon}: it runs in the class daemon{few}.",
        (Place.whole(path),),
        Fix("Write the class as the package has it", Safety.SAFE, edits, (f"rcctl restart {daemon}",)),
        "class",
        absence=True,
    )


def _raise(login: LoginConf, found: LoginClass, name: str, value: str) -> tuple[Edit, ...]:
    tree = _tree_of(login.trees, found.record.path)
    edits = write_login.set_capability(tree, found.record.names[0].value, name, value) if tree is not None else None
    return edits or ()


def _tree_of(trees: tuple[Tree, ...], path: str) -> Tree | None:
    return next((tree for tree in trees if tree.text.path == path), None)


@rule("HOST060")
def dovecot_may_open_files(login: LoginConf, files: Files, daemons: Daemons | Lacking | NotHere) -> Iterator[Outcome]:
    """The login class of Dovecot gives it files enough, builds on daemon, and is written once."""
    if isinstance(daemons, Daemons) and "dovecot" in daemons.not_here:
        yield Exempt(daemons.not_here["dovecot"])
        return
    yield from _files_limit(login, "dovecot", files)
    found, daemon = login.login_class("dovecot"), login.login_class("daemon")
    if found is not None and daemon is not None and not {*map(id, found.capabilities)} & {*map(id, daemon.capabilities)}:
        name = found.record.names[0]
        fix = Fix("Build on daemon", Safety.SAFE, _raise(login, found, "tc", "daemon"))
        yield Finding(
            "The login class dovecot does not build on daemon, so other limits are those of nobody.",
            (Place.at(name.span),),
            fix,
            "tc",
        )
    for each in login.shadowed:
        if each.name.value == "dovecot":
            statement = next(
                (s for tree in login.trees for s in tree.statements if s.kind == "class" and each.name in s.tokens), None
            )
            yield Finding(
                f"This class dovecot is never used: {each.by.text.path} is looked at first.",
                (
                    Place.at(each.name.span),
                    Place.at(each.by.span, "this one counts"),
                    *([Place.at(statement.span, "all of it")] if statement is not None else []),
                ),
                Fix("Remove what is not used", Safety.SAFE, write_login.remove_class(statement) if statement is not None else ()),
                "twice",
            )


@rule("HOST061")
def no_stale_database(login: LoginConf, files: Files) -> Iterator[Outcome]:
    """No database of login classes is older than the text it was made of."""
    seen = {database.path: database for database in login.databases}
    for path in (f"{PATH}.db", *(f"{FOLDER}/{name}.db" for name in LEAST)):
        stat = files.stat(path)
        if path not in seen and isinstance(stat, Unsure):
            yield whether_there(path, stat)
    for path, database in seen.items():
        if path.startswith(f"{FOLDER}/") or database.stale:
            old = " It is older than that, too." if path.startswith(FOLDER) and database.stale else ""
            made = "is read in place of" if path.startswith(FOLDER) else "is older than, and read in place of,"
            fix = Fix(
                "Have the text read", Safety.SAFE, commands=(f"cap_mkdb {PATH}" if path == f"{PATH}.db" else f"rm {quote(path)}",)
            )
            yield Finding(f"{path} {made} {database.of}.{old}", (Evidence(f"stat {path}", "file"), Place.whole(path)), fix, path)
        elif database.stale is None:
            yield Doubt(Reason.NOT_RECORDED, f"Whether {path} is older than {database.of} was not recorded.")


@rule("HOST062")
def rspamd_may_open_files(login: LoginConf, files: Files, daemons: Daemons | Lacking | NotHere) -> Iterator[Outcome]:
    """The login class of rspamd gives it files enough."""
    if isinstance(daemons, Daemons) and "rspamd" in daemons.not_here:
        yield Exempt(daemons.not_here["rspamd"])
        return
    yield from _files_limit(login, "rspamd", files)


@rule("HOST073")
def redis_is_for_this_host(redis: RedisConfig | Missing, sockets: Sockets | Lacking) -> Iterator[Outcome]:
    """Redis listens on loopback alone, and would turn others away."""
    if isinstance(redis, RedisConfig):
        yield from _bound(redis)
    if isinstance(sockets, Lacking):
        if isinstance(redis, Missing):
            yield Doubt(sockets.reason, f"There is no {redis.path}, and {sockets.detail}.")
    elif sockets.public(redis.port if isinstance(redis, RedisConfig) else 6379):
        here = Evidence(TYPED.get(Command.NETSTAT, "netstat -ln"), "the port is bound to an address that others reach")
        fix = Fix("Restart it once it is bound to loopback", Safety.UNSAFE, commands=("rcctl restart redis",))
        yield Finding("Redis listens on an address that other hosts reach.", (here,), fix, "listening")


def _bound(redis: RedisConfig) -> Iterator[Finding]:
    if not redis.only_loopback:
        others = [address for address in redis.addresses if address not in ("127.0.0.1", "::1", "localhost")]
        yield Finding(
            f"Redis listens on {' '.join(others) or 'all addresses'}: only the firewall keeps others out of rspamd's memory.",
            (_written(redis, "bind"),),
            Fix("Listen on loopback", Safety.SAFE, _set(redis, "bind", "127.0.0.1", "::1"), ("rcctl restart redis",)),
            "bind",
            " ".join(sorted(others)),
        )
    if not redis.protected:
        yield Finding(
            "Redis has no password and protected-mode is off: whoever reaches it may do anything.",
            (_written(redis, "protected-mode"),),
            Fix("Switch it on", Safety.SAFE, _set(redis, "protected-mode", "yes"), ("rcctl restart redis",)),
            "protected-mode",
            redis.value("protected-mode") or "",
        )


def _written(redis: RedisConfig, name: str) -> Place:
    span: Span | None = redis.place(name)
    return Place.whole(redis.trees[0].text) if span is None else Place.at(span)


def _set(redis: RedisConfig, name: str, *arguments: str) -> tuple[Edit, ...]:
    place = redis.place(name)
    tree = _tree_of(redis.trees, place.path) if place is not None else redis.trees[0]
    return (write_redis.set_directive(tree, name, *arguments) or ()) if tree is not None else ()
