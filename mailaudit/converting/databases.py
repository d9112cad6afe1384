"""Databases of users: sections with a name in 2.4, and settings of their own in the place of `args`."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from mailaudit.converting.fields import converted, in_args, of_auth
from mailaudit.converting.locations import Pairs, Unsaid
from mailaudit.converting.writing import Names, Work, assign, block, named
from mailaudit.edits import insert, replace
from mailaudit.models.dovecot.reading import Visit, parts_of
from mailaudit.models.dovecot.values import is_true
from mailaudit.parsers.tree import Statement
from mailaudit.text import Text

REMOVED = {
    "checkpassword": "2.4 has no checkpassword; a lua script or passwd-file can say the same",
    "dict": "2.4 has no databases of users in a dictionary; a lua script, SQL or passwd-file can say the same",
    "nss": "2.4 has no nss; write passwd",
    "shadow": "2.4 has no shadow; write pam, or passwd",
    "vpopmail": "2.4 has no vpopmail; its users can be had by SQL",
    "sia": "2.4 has no sia",
}
_OPTION = re.compile(r"(scheme|username_format)=(\S+)\s*")
_FIELD = re.compile(r"[A-Za-z0-9_/.:+-]+")
_OUTSIDE = {"sql": "sql", "ldap": "ldap"}


@dataclass
class Databases:
    """The names that sections have been given, and the files that they refer to, by the language of each."""

    names: dict[str, Names] = field(default_factory=lambda: {"passdb": Names(), "userdb": Names()})
    files: dict[str, tuple[str, set[str]]] = field(default_factory=dict)


def convert_database(work: Work, known: Databases, section: Statement, inside: Sequence[Visit]) -> None:
    """A passdb or userdb; `inside` are the settings in it."""
    kind = section.seen[0].value
    settings = {visit.statement.seen[0].value: visit.statement for visit in inside}
    driver = _value(settings.get("driver"))
    if not driver:
        work.leave(section.span, f"the {kind} says no driver", "write one")
        return
    if driver in REMOVED:
        work.leave(settings["driver"].span, f"the driver {driver} was removed", REMOVED[driver])
        return
    written = [token for token in section.seen[1:] if token.kind != "{"]
    if written and written[0].value:
        known.names[kind].taken.add(written[0].value)
    else:
        name = known.names[kind].give(_value(settings.get("name")) or driver)
        words = named("", name).lstrip()
        if written:
            work.edit((replace(written[0].span, words),))
        else:
            work.edit((insert(section.text, section.seen[0].end, f" {words}"),))
    for visit in inside:
        _setting(work, known, kind, driver, visit.statement)


def _value(statement: Statement | None) -> str:
    token = parts_of(statement)[1] if statement is not None else None
    return token.value if token is not None else ""


def _setting(work: Work, known: Databases, kind: str, driver: str, statement: Statement) -> None:
    key, value = statement.seen[0].value, _value(statement)
    with work.naming(statement.span, "write it by hand, see the documentation of 2.4's userdb and passdb fields"):
        if key == "args":
            if driver in _OUTSIDE and value:
                path = _outside(work, driver, value)
                known.files.setdefault(path, (_OUTSIDE[driver], set()))[1].add(kind)
                work.lines(statement, [f"!include {value}"])
            else:
                work.lines(statement, _args(work, kind, driver, value))
        elif key == "default_fields":
            work.lines(statement, fields_block(_fields(work, in_args(value)), ":default"))
        elif key == "override_fields":
            _check_override(work, value)
            work.lines(statement, fields_block(_fields(work, in_args(value))))
        elif key == "name":
            work.remove(statement)
        elif key == "pass":
            work.lines(statement, ["result_success = continue"] if is_true(value) else [])
        elif key == "mechanisms":
            work.rename(statement, "mechanisms_filter")
        elif (key == "auth_verbose" and value == "default") or (key == "username_filter" and not value):
            work.remove(statement)


def _check_override(work: Work, value: str) -> None:
    """A whole location of 2.3 leaves nothing of a user's own; of settings for its parts some would stay."""
    texts = [text for text in work.config.passwd_files.values() if isinstance(text, Text)]
    if any(name == "mail" for name, _ in in_args(value)) and any("userdb_mail=" in text.chars for text in texts):
        raise Unsaid("mail overrides what users have in fields of their own, where 2.4 has several settings")


def _fields(work: Work, fields: Iterable[tuple[str, str]]) -> Pairs:
    found = [pair for name, value in fields for pair in converted(work.config, name, value, of_auth)]
    unfit = next((name for name, _ in found if not _FIELD.fullmatch(name)), None)
    if unfit is not None:
        raise Unsaid(f"{unfit!r} is no name of a field")
    return found


def fields_block(pairs: Pairs, mark: str = "", name: str = "fields") -> list[str]:
    """The section of fields; `:default` marks those that a database itself may override."""
    return block(name, [assign(f"{key}{mark}", value) for key, value in pairs]) if pairs else []


def _args(work: Work, kind: str, driver: str, value: str) -> list[str]:
    """What a driver's arguments are in settings of their own."""
    if not value:
        return []
    if driver not in _ARGS:
        raise Unsaid(f"what args say to the driver {driver} is not known here")
    return _ARGS[driver](work, kind, value)


def _outside(work: Work, driver: str, path: str) -> str:
    """A file of its own: it is converted where it is, and taken in here."""
    if "%" in path or not path.startswith("/"):
        raise Unsaid(f"which file of {driver} {path} is cannot be told")
    if work.read(posixpath.normpath(path)) is None:
        raise Unsaid(f"{path} is not at hand, and holds settings that are written otherwise in 2.4")
    return posixpath.normpath(path)


def _passwd_file(_work: Work, kind: str, args: str) -> list[str]:
    """The file, the scheme of hashes that name none, and the key. Not told, 2.4 takes such a hash for the password itself."""
    lines: list[str] = []
    has_scheme = kind == "userdb"
    at = 0
    while (match := _OPTION.match(args, at)) is not None:
        if match[1] == "scheme":
            lines.append(assign("default_password_scheme", match[2]))
            has_scheme = True
        elif match[2] not in ("%u", "%Lu"):
            lines.append(assign("auth_username_format", of_auth(match[2])))
        at = match.end()
    if not has_scheme:
        lines.append(assign("default_password_scheme", "CRYPT"))
    return [assign("passwd_file_path", of_auth(args[at:].strip())), *lines]


def _static(work: Work, kind: str, args: str) -> list[str]:
    lines: list[str] = []
    rest: list[tuple[str, str]] = []
    for name, value in in_args(args):
        if kind == "passdb" and name == "password":
            lines.append(assign("static_password", of_auth(value)))
        elif kind == "userdb" and name == "allow_all_users":
            lines.append(assign("static_allow_all_users", value or "yes"))
        else:
            rest.append((name, value))
    return [*fields_block(_fields(work, rest)), *lines]


def _pam(_work: Work, _kind: str, args: str) -> list[str]:
    lines: list[str] = []
    for word in args.split():
        name, equals, value = word.partition("=")
        if equals and name in ("session", "setcred", "failure_show_msg", "max_requests"):
            lines.append(assign(f"pam_{name}", value))
        elif word in ("-session", "-setcred"):
            lines.append(assign(f"pam_{word[1:]}", "yes"))
        elif not equals:
            lines.append(assign("pam_service_name", "%{protocol}" if word == "*" else of_auth(word)))
        elif name not in ("cache_key", "blocking"):
            raise Unsaid(f"2.4's pam has no {name}")
    return lines


def _passwd(work: Work, _kind: str, args: str) -> list[str]:
    words = dict(in_args(args))
    blocking = words.pop("blocking", None)
    lines = [assign("use_worker", blocking)] if blocking in ("yes", "no") else []
    return [*lines, *fields_block(_fields(work, words.items()))]


def _lua(_work: Work, _kind: str, args: str) -> list[str]:
    words = dict(in_args(args))
    if set(words) - {"file", "blocking"}:
        raise Unsaid("what args say to the lua script is not known here")
    worker = [assign("use_worker", words["blocking"])] if words.get("blocking") in ("yes", "no") else []
    return [assign("lua_file", words.get("file", "")), *worker]


def _nothing(_work: Work, _kind: str, _args: str) -> list[str]:
    return []


_ARGS: dict[str, Callable[[Work, str, str], list[str]]] = {
    "passwd-file": _passwd_file,
    "static": _static,
    "pam": _pam,
    "passwd": _passwd,
    "prefetch": _nothing,
    "bsdauth": _nothing,
    "lua": _lua,
}
