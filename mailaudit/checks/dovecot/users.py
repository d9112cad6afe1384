"""Rules about whom Dovecot lets in: the file of users that smtpd reads too, and nobody else."""

from __future__ import annotations

from collections.abc import Iterator

from mailaudit.checks.dovecot.edits import append, comment_out, insert_below, place_of
from mailaudit.checks.registry import rule
from mailaudit.checks.smtpd.scope import Mail
from mailaudit.edits import Edit, Fix, Safety, replace
from mailaudit.findings import Doubt, Exempt, Finding, Outcome, Place
from mailaudit.models.dovecot.config import DovecotConfig
from mailaudit.models.dovecot.owner import CREDENTIALS
from mailaudit.models.dovecot.parts import Database
from mailaudit.models.dovecot.settings import NEW
from mailaudit.models.smtpd.config import SmtpdConfig
from mailaudit.models.sources import NotHere
from mailaudit.parsers.tree import Statement
from mailaudit.questions import Reason

PACKAGED_AUTH = "/etc/dovecot/conf.d/10-auth.conf"  # the packaged one includes auth-system.conf.ext
FILE = "passwd-file"
OF_SYSTEM = ("bsdauth", "pam", "passwd", "shadow")  # drivers that let the accounts of the system in
_SCHEME = "default_password_scheme = CRYPT"  # in 2.4, whose own default takes the hash for the password
SCHEMES = ("CRYPT", "BLF-CRYPT")  # both leave $2b$ hashes to crypt(3)
ADDRESS = "anna@one.example"

DATABASES = frozenset({"sqlite", "mysql", "postgres", "ldap"})  # tables of OpenSMTPD's extras


@rule("DOVECOT022")
def users_are_those_of_the_file(dovecot: DovecotConfig, smtpd: Mail) -> Iterator[Outcome]:
    """There is a userdb on a passwd-file whose keys are full addresses."""
    yield from _both_in_a_database(dovecot.userdbs, smtpd) or _on_a_file(dovecot, dovecot.userdbs, "userdb")


@rule("DOVECOT023")
def passwords_are_those_of_the_file(dovecot: DovecotConfig, smtpd: Mail) -> Iterator[Outcome]:
    """There is a passdb on a passwd-file whose keys are full addresses and whose hashes are crypt(3)'s."""
    paths = [each.path.value for each in dovecot.passdbs if each.driver == FILE and each.path is not None]
    path = next((each for each in paths if each.startswith("/") and each != CREDENTIALS), None)
    if isinstance(smtpd, NotHere) and path is not None:
        yield Exempt(f"nothing of smtpd is in the target, and {path} need not be like its file")
        return
    yield from _both_in_a_database(dovecot.passdbs, smtpd) or _on_a_file(dovecot, dovecot.passdbs, "passdb")


def _both_in_a_database(databases: tuple[Database, ...], smtpd: Mail) -> list[Exempt]:
    """Why a file is not asked for: both daemons look users up in a database, which may well be the same."""
    drivers = {each.driver for each in databases if not each.denies}
    backends = {table.backend for table in smtpd.credential_tables} if isinstance(smtpd, SmtpdConfig) else set()
    if drivers and backends and drivers <= {"sql", "ldap"} and backends <= DATABASES:
        return [Exempt("smtpd and Dovecot look their users up in a database")]
    return []


def _on_a_file(dovecot: DovecotConfig, databases: tuple[Database, ...], kind: str) -> Iterator[Outcome]:
    on_files = [database for database in databases if database.driver == FILE and not database.denies]
    found = [list(_wrong(dovecot, database)) for database in on_files]
    if [] in found:
        return
    if found:
        yield from found[0]
        return
    others = [database for database in databases if not database.denies]
    if others:
        yield _elsewhere(dovecot, others, kind)
        return
    what = "the users" if kind == "userdb" else "the passwords"
    yield Finding(
        f"Dovecot does not look {what} up in a file: there is no {kind} with the driver passwd-file.",
        (place_of(dovecot),),
        _add(dovecot, kind),
        kind,
        "missing",
        absence=True,
    )


def _elsewhere(dovecot: DovecotConfig, others: list[Database], kind: str) -> Finding:
    drivers = " and ".join(dict.fromkeys(each.driver or each.name for each in others))
    what = "users" if kind == "userdb" else "passwords"
    fix = _add(dovecot, kind)
    advice = (
        "" if fix else f" That may be what this site wants; before it is changed, all of its users have to be in {CREDENTIALS}."
    )
    return Finding(
        f"Dovecot looks {what} up by {drivers}, and not in a file that smtpd reads too.{advice}",
        tuple(Place.at(each.statement.span) for each in others),
        fix,
        kind,
        "missing",
        absence=True,
    )


def _add(dovecot: DovecotConfig, kind: str) -> Fix | None:
    """A database on the file; None where the site keeps its users elsewhere, for they are not in the file then."""
    drivers = {each.driver for each in (*dovecot.passdbs, *dovecot.userdbs) if not each.denies and each.driver != FILE}
    if (drivers or dovecot.has_packaged_users) and not (dovecot.has_credentials and drivers.issubset(OF_SYSTEM)):
        return None
    return Fix(f"Add a {kind} on {CREDENTIALS}", Safety.UNSAFE, append(dovecot, *_block(dovecot, kind)))


def _block(dovecot: DovecotConfig, kind: str) -> tuple[str, ...]:
    if dovecot.family == NEW:
        lines = (_SCHEME,) if kind == "passdb" else ()
        return (f"{kind} passwd-file {{", *(f"\t{each}" for each in (*lines, f"passwd_file_path = {CREDENTIALS}")), "}")
    scheme = "scheme=CRYPT " if kind == "passdb" else ""
    return (f"{kind} {{", "\tdriver = passwd-file", f"\targs = {scheme}username_format=%u {CREDENTIALS}", "}")


def _wrong(dovecot: DovecotConfig, database: Database) -> Iterator[Outcome]:
    kind = database.kind
    header = Place.at(database.statement.span)
    if database.path is None or not database.path.value.startswith("/"):
        place = header if database.path is None else Place.at(database.path.span)
        edits = () if database.path is None else (replace(database.path.span, CREDENTIALS),)
        fix = Fix(f"Name {CREDENTIALS}", Safety.UNSAFE, edits) if edits else None
        yield Finding(f"This {kind} names no file by its absolute path.", (place,), fix, f"{kind} path", "missing")
    key = dovecot.key_in(database, ADDRESS)
    if key is None:
        message = f"Under which key this {kind} looks a user up could not be evaluated."
        yield Doubt(Reason.IN_DOUBT, message, (header,))
    elif key.lower() != ADDRESS:
        yield _short_key(dovecot, database, key)
    if kind == "passdb" and database.scheme.upper() not in SCHEMES:
        token = database.scheme_token
        mended: tuple[Edit, ...] = (replace(token.span, "CRYPT"),) if token else ()
        if token is None and dovecot.family == NEW:
            mended = insert_below(dovecot, database.statement, _SCHEME)
        yield Finding(
            f"This passdb takes a hash without a prefix for {database.scheme}; smtpd's hashes are crypt(3)'s.",
            (Place.at(token.span) if token else header,),
            Fix("Take them for crypt(3)'s", Safety.UNSAFE, mended) if mended else None,
            "passdb scheme",
            database.scheme,
        )


def _short_key(dovecot: DovecotConfig, database: Database, key: str) -> Finding:
    setting = dovecot.setting("auth_username_format")
    before = (dovecot.login(ADDRESS) or "").lower() != ADDRESS  # the domain is lost before the database is asked
    token = setting.token if before else database.format_token
    old, new = ("%Lu", "%{user | lower}") if before else ("%u", "%{user}")
    edits: tuple[Edit, ...] = (replace(token.span, new if dovecot.family == NEW else old),) if token else ()
    return Finding(
        f"This {database.kind} looks {ADDRESS} up as {key}, and the keys of the file are full addresses.",
        (Place.at(token.span if token else database.statement.span), Place.at(database.statement.span, "the database")),
        Fix("Look users up by their full address", Safety.UNSAFE, edits) if edits else None,
        f"{database.kind} key",
        token.value if token else "",
    )


@rule("DOVECOT024")
def nobody_else_is_let_in(dovecot: DovecotConfig) -> Iterator[Outcome]:
    """No passdb or userdb is active but those on the file."""
    if dovecot.passdbs and not _on_file(dovecot.passdbs):
        yield Exempt("no passdb is on a file of mail users, so that there is none beside which another would be one too many")
        return
    other = [*_others(dovecot.passdbs), *_others(dovecot.userdbs)]
    by_file: dict[str, list[Database]] = {}
    for database in other:
        by_file.setdefault(database.statement.tokens[0].text.path, []).append(database)
    for group in by_file.values():
        include = _include_of(group)
        if include is not None:
            yield _other(group[0], Place.at(include.span), include, tuple(group))
            continue
        for database in group:
            yield _other(database, Place.at(database.statement.span), database.statement, (database,))
    if dovecot.packaged and PACKAGED_AUTH not in {tree.text.path for tree in dovecot.trees}:
        message = f"{PACKAGED_AUTH} is not at hand; as the package has it, it lets the accounts of the system in."
        yield Doubt(Reason.NOT_RECORDED, message)


def _on_file(databases: tuple[Database, ...]) -> bool:
    return any(each.driver == FILE and not each.denies for each in databases)


def _others(databases: tuple[Database, ...]) -> list[Database]:
    """The databases of a kind that let in whom the file of the mail users does not name."""
    if not _on_file(databases):
        return []  # another design, and the only one that works
    paths = [each.path.value for each in databases if each.driver == FILE and each.path and not each.denies]
    users = CREDENTIALS if CREDENTIALS in paths else next(iter(paths), "")
    return [
        each
        for each in databases
        if not each.denies and (each.driver != FILE or (each.path is not None and each.path.value != users))
    ]


def _include_of(group: list[Database]) -> Statement | None:
    """The statement that includes their file by its name, if nothing else stands in that file: it may be commented out."""
    via = group[0].via
    if not via or any(mark in via[-1].tokens[-1].value for mark in "*?[{"):
        return None
    alike = all(each.via and each.via[-1] is via[-1] and not each.section.visits[0].within for each in group)
    return via[-1] if alike and _only_databases(group) else None


def _only_databases(group: list[Database]) -> bool:
    """True if their file holds no statement but theirs."""
    text = group[0].statement.tokens[0].text
    rest = list(text.chars)
    for each in group:
        whole = each.statement.whole
        rest[whole.start : whole.end] = " " * (whole.end - whole.start)
    return all(not line.strip() or line.lstrip().startswith("#") for line in "".join(rest).split("\n"))


def _other(database: Database, place: Place, statement: Statement, group: tuple[Database, ...]) -> Finding:
    drivers = " and ".join(f"the {each.kind} {each.driver or each.name}" for each in group)
    verb = "are" if len(group) > 1 else "is"
    related = tuple(Place.at(each.statement.span, f"{each.kind} {each.driver}") for each in group)
    return Finding(
        f"Users are looked up elsewhere too: {drivers} {verb} active beside the file of the mail users.",
        (place, *(each for each in related if each.span != place.span)),
        Fix("Comment it out", Safety.UNSAFE, comment_out(statement)),
        f"{database.kind} {database.driver}",
        ", ".join(each.driver for each in group),
    )
