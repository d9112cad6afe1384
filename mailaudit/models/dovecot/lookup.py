"""In which of Dovecot's databases a name is found, in their order: yes, no, or not known."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from mailaudit.models.dovecot.config import DovecotConfig
from mailaudit.models.dovecot.parts import Database
from mailaudit.models.dovecot.passwd_file import Line, lines_of
from mailaudit.models.dovecot.values import is_true
from mailaudit.models.dovecot.vars import expand
from mailaudit.questions import Absent, Failed, Reason
from mailaudit.text import Text

SYSTEM = ("bsdauth", "pam", "passwd", "shadow")  # drivers that know the host's accounts
LOGIN = "imap"
_WAYS = ("result_success", "result_failure", "result_internalfail", "skip")
_MARKS = re.compile(r"[\\'\"]")  # what Dovecot escapes in the key of a passwd-file
_STATIC_FLAG = "allow_all_users"


@dataclass(frozen=True, slots=True, eq=False)
class Lookup:
    """One database, asked for one name.

    `key` is what it is asked for, None where that cannot be told; `found` None where it is not known whether the name is
    there, `why` then says what is in the way, `reason` of which sort that is; `line` is the line of a passwd-file that answers.
    """

    database: Database
    key: str | None
    found: bool | None
    line: Line | None = None
    why: str = ""
    reason: Reason = Reason.IN_DOUBT


def name_of_login(dovecot: DovecotConfig, address: str) -> tuple[str | None, str]:
    """The name that a login becomes before any lookup; none and why if it is refused, None and why if that is not known.

    Source: auth_request_fix_username(): default domain, translation, allowed characters, format.
    """
    realm = dovecot.setting("auth_default_realm" if dovecot.family == "2.3" else "auth_default_domain").value
    name = f"{address}@{realm}" if realm and "@" not in address else address
    pairs = dovecot.setting("auth_username_translation").value
    name = name.translate({ord(pairs[at]): pairs[at + 1] for at in range(0, len(pairs) - 1, 2)})
    allowed = dovecot.setting("auth_username_chars").value
    wrong = next((each for each in name if allowed and each not in allowed), None)
    if wrong is not None:
        return "", f"auth_username_chars does not allow {wrong!r} in a name"
    login = dovecot.login(name)
    if login is None:
        return None, f"what auth_username_format makes of {address} could not be evaluated"
    return login, "" if login else "no name is left after auth_username_format"


def passdb_lookups(dovecot: DovecotConfig, login: str) -> Iterator[Lookup]:
    """The passdbs that a login comes to with the right password, up to the one that lets it in or turns it away."""
    for each in dovecot.passdbs:
        asked = _asked(dovecot, each, login)
        yield asked
        if asked.found:
            return


def userdb_lookups(dovecot: DovecotConfig, login: str, protocol: str, password: Lookup | None) -> Iterator[Lookup]:
    """The userdbs that are asked, up to the one that knows the user. `password` is the passdb's answer to a login."""
    for each in dovecot.userdbs:
        if each.driver == "prefetch":
            asked = _prefetched(each, login, protocol, password)
        elif each.driver == "static":
            asked = _static(dovecot, each, login, protocol)
        else:
            asked = _asked(dovecot, each, login)
        yield asked
        if asked.found:
            return


def _asked(dovecot: DovecotConfig, database: Database, login: str) -> Lookup:
    asked_for = _MARKS.sub(r"\\\g<0>", login) if database.driver == "passwd-file" else login
    key = expand(database.username_format, dovecot.family, asked_for)
    odd = next((each for name in _WAYS if (each := database.section.get(name, f"{database.kind}_{name}"))), None)
    if odd is not None and odd.value not in ("never", "return-ok", "continue"):
        return Lookup(database, key, None, why=f"{odd.name} is {odd.value}")
    if database.driver == "passwd-file":
        return _in_file(dovecot, database, key)
    if database.driver in SYSTEM:
        return _in_system(dovecot, database, key)
    if database.driver == "static":
        return Lookup(database, key, found=True)
    why = f"whom the driver {database.driver} knows is not in the host's files"
    return Lookup(database, key, None, why=why, reason=Reason.NOT_RECORDED)


def _in_file(dovecot: DovecotConfig, database: Database, key: str | None) -> Lookup:
    path = database.path.value if database.path is not None else ""
    text = dovecot.passwd_files.get(path)
    if key is None:
        return Lookup(database, None, None, why="the key of the lookup could not be evaluated")
    if not isinstance(text, Text):
        return Lookup(database, key, None, why=f"{path or 'its file'} could not be read", reason=_reason(text))
    line = lines_of(text).get(key)
    if line is None:
        return Lookup(database, key, found=False)
    shared = any(each.path is not None and each.path.value == path for each in dovecot.userdbs)
    taken = line.is_user(dovecot.accounts) if shared else True
    if database.denies:
        return Lookup(database, key, taken, line)
    if database.kind == "passdb" and taken is not False and not line.has_password:
        taken = False
    limits = [name for name, _, _ in line.extras() if name in ("nologin", "allow_nets", "nopassword", "user")]
    if database.kind == "passdb" and taken and limits:
        return Lookup(database, key, None, line, f"the line has {limits[0]}")
    why = "whether its ids are accounts of the host is not known" if taken is None else ""
    return Lookup(database, key, taken, line, why, Reason.IN_DOUBT if dovecot.accounts is not None else Reason.NOT_RECORDED)


def _in_system(dovecot: DovecotConfig, database: Database, key: str | None) -> Lookup:
    if key is not None and ("@" in key or (dovecot.accounts is not None and dovecot.accounts.user(key) is None)):
        return Lookup(database, key, found=False)
    why = f"whether {database.driver} knows {key or 'the name'} is not in the files"
    return Lookup(database, key, None, why=why, reason=Reason.NOT_RECORDED)


def _prefetched(database: Database, login: str, protocol: str, password: Lookup | None) -> Lookup:
    """Prefetch answers for a login whose passdb gave fields for the userdb; nothing else asks a passdb first."""
    if protocol != LOGIN:
        return Lookup(database, login, found=False)
    if password is None or password.line is None:
        return Lookup(database, login, None, why="what the passdb gives along is not known")
    given = any(name.startswith("userdb_") for name, _, _ in password.line.extras())
    return Lookup(database, login, given, password.line)


def _static(dovecot: DovecotConfig, database: Database, login: str, protocol: str) -> Lookup:
    """Static knows everybody who has logged in; for mail it asks the passdbs unless it is told to know everybody."""
    flag = database.section.get(_STATIC_FLAG, f"static_{_STATIC_FLAG}", f"userdb_static_{_STATIC_FLAG}")
    args = database.args.value if database.args is not None else ""
    everybody = (flag is not None and is_true(flag.value)) or f"{_STATIC_FLAG}=yes" in args.split()
    if protocol == LOGIN or everybody:
        return Lookup(database, login, found=True)
    found, doubt = settled(tuple(passdb_lookups(dovecot, login)))
    return Lookup(database, login, found) if doubt is None else Lookup(database, login, found, why=doubt.why, reason=doubt.reason)


def _reason(text: Absent | Failed | None) -> Reason:
    return text.reason if isinstance(text, Failed) else Reason.NOT_RECORDED


def settled(lookups: tuple[Lookup, ...]) -> tuple[bool | None, Lookup | None]:
    """What the lookups come to: whether the name is known to any, and the lookup for which that is not known.

    A passdb that denies turns away whom it has.
    """
    doubt: Lookup | None = None
    for each in lookups:
        if each.found is None:
            doubt = doubt or each
        elif each.found and each.database.denies:
            return False, None
        elif each.found:
            return (None, doubt) if doubt and any(e.database.denies and e.found is None for e in lookups) else (True, None)
    return (None, doubt) if doubt else (False, None)
