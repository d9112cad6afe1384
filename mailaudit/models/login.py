"""Login classes: which limits login.conf(5) and login.conf.d give to users and daemons, as login_getclass(3) finds them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from mailaudit.models.login_classes import Capability, LoginClass, Record, Records, Unresolved
from mailaudit.models.sources import Known, Lacking, Missing, Model, NotHere, Slot, Sources, refused_statements
from mailaudit.parsers import login
from mailaudit.parsers.tree import Problem, Statement, Token, Tree, nothing
from mailaudit.questions import Failed, Reason, Stat
from mailaudit.text import Text

PATH = "/etc/login.conf"
FOLDER = "/etc/login.conf.d"
DAEMON = "daemon"
STOCK = r"""default:\
	:path=/usr/bin /bin /usr/sbin /sbin /usr/X11R6/bin /usr/local/bin /usr/local/sbin:\
	:umask=022:datasize-max=1536M:datasize-cur=1536M:maxproc-max=256:maxproc-cur=128:\
	:openfiles-max=1024:openfiles-cur=512:stacksize-cur=4M:localcipher=blowfish,a:tc=auth-defaults:tc=auth-ftp-defaults:
auth-defaults:auth=passwd,skey:
auth-ftp-defaults:auth-ftp=passwd:
daemon:\
	:ignorenologin:datasize=4096M:maxproc=infinity:openfiles-max=1024:openfiles-cur=128:stacksize-cur=8M:tc=default:
staff:\
	:datasize-cur=1536M:datasize-max=infinity:maxproc-max=512:maxproc-cur=256:ignorenologin:requirehome@:tc=default:
authpf:welcome=/etc/motd.authpf:shell=/usr/sbin/authpf:tc=default:
pbuild:datasize-max=infinity:datasize-cur=12G:maxproc-max=1024:maxproc-cur=512:stacksize-cur=8M:priority=5:tc=default:
bgpd:datasize=16384M:openfiles=512:tc=daemon:
unbound:openfiles=512:tc=daemon:
vmd:datasize=16384M:tc=daemon:
xenodm:openfiles=512:tc=daemon:
"""
ASSUMED = "OpenBSD's own login classes, for /etc/login.conf is not there"


@dataclass(frozen=True, slots=True)
class Database:
    """A file made by cap_mkdb(1), read in place of the text that it is `of`; `stale` if that is younger, None if not known."""

    path: str
    of: str
    stale: bool | None


@dataclass(frozen=True, slots=True, eq=False)
class Shadowed:
    """A class that is written and never found by its name, for `by` is found first."""

    name: Token
    by: Token


@dataclass(frozen=True, eq=False)
class LoginConf(Model):
    """The login classes of a host.

    `refusals` are the places for which classes are not found, and values that do not count; `ignored` what nobody ever looks
    at, each with the reason. Where `databases` are, they are read in place of the text, which is told here all the same.
    `unread` are the files that could not be looked at; classes of theirs may be there.
    """

    records: Records = field(default_factory=lambda: Records({}))
    ignored: tuple[Problem, ...] = ()
    databases: tuple[Database, ...] = ()
    unread: Mapping[str, Failed] = field(default_factory=dict)

    def login_class(self, name: str) -> LoginClass | None:
        """The class of a name, as a user's or in `su -c`; None if it is not found, or found and broken."""
        return self.records.login_class(name, _paths(name))

    def why_unread(self, name: str) -> Failed | None:
        """Why it is not known whether there is a class of a name; None if that is known."""
        return next((self.unread[path] for path in (f"{FOLDER}/{name}", FOLDER) if path in self.unread), None)

    def daemon_class(self, daemon: str) -> LoginClass | None:
        """The class that rc.d(8) starts a daemon in: that of its own name, else `daemon`."""
        return self.login_class(daemon) or self.login_class(DAEMON)

    @cached_property
    def shadowed(self) -> tuple[Shadowed, ...]:
        """The classes of login.conf, and of a file of login.conf.d those of its own name, that another one hides."""
        found: list[Shadowed] = []
        for path, records in self.records.files.items():
            for record in records:
                name = record.names[0]
                first = self.records.find(name.value, _paths(name.value))
                if first is not None and first is not record and path in _paths(name.value):
                    found.append(Shadowed(name, next(each for each in first.names if each.value == name.value)))
        return tuple(found)


def _paths(name: str) -> tuple[str, ...]:
    return (f"{FOLDER}/{name}", PATH)


def read_login(sources: Sources) -> Slot[LoginConf]:
    """The host's login classes. OpenBSD's own stand in for a login.conf that is not told, where login.conf.d holds any."""
    main = sources.tree(PATH, "login")
    listed = sources.list(f"{FOLDER}/*")
    paths = listed if isinstance(listed, tuple) else ()
    found = {PATH: main, **{path: sources.tree(path, "login") for path in paths if not path.endswith(".db")}}
    trees = {path: tree for path, tree in found.items() if isinstance(tree, Tree)}
    if isinstance(main, Failed) and (not trees or main.reason is not Reason.NOT_RECORDED):
        return Lacking(main.reason, main.detail, PATH)
    if not trees:
        return Missing(PATH) if sources.snapshot.recorded else NotHere(f"nothing of {PATH} and its kin is in the target")
    told = isinstance(main, Tree) or (sources.snapshot.recorded and not isinstance(main, Failed))
    files = {path: _records(tree) for path, tree in trees.items()}
    if not told:
        files[PATH] = _records(login.parse(Text(PATH, STOCK.encode()), nothing))
    records = Records(files)
    return Known(
        LoginConf(
            trees=tuple(trees.values()),
            refusals=(*refused_statements(trees.values()), *_refusals(records, trees, told)),
            assumed=() if told else (ASSUMED,),
            records=records,
            ignored=tuple(problem for tree in trees.values() for problem in _ignored(tree)),
            databases=tuple(_databases(sources, paths)),
            unread={
                **({FOLDER: listed} if isinstance(listed, Failed) else {}),
                **{path: tree for path, tree in found.items() if path != PATH and isinstance(tree, Failed)},
            },
        )
    )


def _records(tree: Tree) -> tuple[Record, ...]:
    return tuple(Record.of(statement) for statement in tree.statements if statement.kind == "class")


def _refusals(records: Records, trees: Mapping[str, Tree], told: bool) -> Iterator[Problem]:
    """Where classes are broken, and values that do not count, in reading order."""
    for path in trees:
        for record in records.files[path]:
            broken = records.resolved(record, (path, PATH) if path != PATH else (PATH,))
            own = {id(capability.value) for capability in record.capabilities}
            if isinstance(broken, Unresolved) and id(broken.at) in own and (told or not broken.is_missing):
                message = f"{broken.why}: the class {record.names[0].value} and those that refer to it are not found"
                yield Problem(message, broken.at.span)
            yield from (problem for each in record.capabilities if (problem := _invalid(each)) is not None)


def _invalid(capability: Capability) -> Problem | None:
    """Why login_cap(3) does not take a value."""
    name, kind = capability.name, capability.kind
    if not kind or capability.takes_away:
        return None
    if capability.operator == "#":
        operator = Token("#", "#", name.text, name.end, name.end + 1)
        return Problem(f'{name.value} is read only with "=", not with "#"', operator.span, mend="=")
    if capability.value is None:
        return Problem(f"expected a {kind}: {name.value}=...", name.span)
    if capability.amount is None:
        return Problem(f'invalid {kind} of {name.value}: "{capability.value.value}"', capability.value.span)
    return None


def _ignored(tree: Tree) -> Iterator[Problem]:
    """What no lookup finds: records without a name or an end, fields with blanks before them, classes in another one's file."""
    own = tree.text.path.removeprefix(f"{FOLDER}/")
    classes = [statement for statement in tree.statements if statement.kind == "class"]
    wanted = {own} | {
        each.value.value for s in classes for each in Record.of(s).capabilities if each.name.value == "tc" and each.value
    }
    for statement in tree.statements:
        if statement.kind == "ignored":
            yield Problem(login.why_ignored(statement), statement.span)
        elif statement.kind == "class":
            yield from _fields(statement)
            names = Record.of(statement).names
            if tree.text.path != PATH and not any(name.value in wanted for name in names):
                yield Problem(f'in this file login_getclass(3) looks for the class "{own}" alone', names[0].span)


def _fields(statement: Statement) -> Iterator[Problem]:
    for node in statement.node.nodes("ignored"):
        field = node.first
        if field.value.endswith("\r"):
            message = "a carriage return stands at the end of the line, so the record ends here"
        elif field.value.startswith("#"):
            message = "inside a record this is no comment: what stands behind its colons counts"
        else:
            message = "a capability that does not stand right behind a colon is not found"
        yield Problem(message, field.span)


def _databases(sources: Sources, listed: tuple[str, ...]) -> Iterator[Database]:
    """The databases that are there."""
    for path in (f"{PATH}.db", *(path for path in listed if path.endswith(".db"))):
        made = sources.stat(path)
        if isinstance(made, Stat):
            text = sources.stat(path.removesuffix(".db"))
            times = (made.mtime, text.mtime) if isinstance(text, Stat) else (None, None)
            yield Database(path, path.removesuffix(".db"), None if None in times else str(times[0]) < str(times[1]))
