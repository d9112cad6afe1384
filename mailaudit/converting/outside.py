"""Files that 2.3 reads in a language of their own, for SQL and LDAP: in 2.4 they hold settings and are included."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from mailaudit.converting.databases import fields_block
from mailaudit.converting.fields import converted
from mailaudit.converting.locations import Pairs, Unsaid, over
from mailaudit.converting.variables import AUTH, in_new_words
from mailaudit.converting.weak import WEAK
from mailaudit.converting.writing import Work, assign, block, named
from mailaudit.edits import Edit, insert, newline_of
from mailaudit.models.dovecot.reading import parts_of
from mailaudit.models.dovecot.values import is_true
from mailaudit.parsers.tree import Statement, Tree

_CONNECT = re.compile(r"\b(\w+)=(?:'((?:[^'\\]|\\.)*)'|(\S*))")
_MYSQL = {"user": "user", "password": "password", "dbname": "dbname", "port": "port", "option_file": "option_file"}
_MYSQL |= {"option_group": "option_group", "client_flags": "client_flags", "host": ""}
_MYSQL_SSL = {"ssl_ca": "ssl_client_ca_file", "ssl_ca_path": "ssl_client_ca_dir", "ssl_cert": "ssl_client_cert_file"}
_MYSQL_SSL |= {"ssl_key": "ssl_client_key_file", "ssl_cipher": "ssl_cipher_list"}
_SQL_NAMES = {
    "driver": "sql_driver",
    "default_pass_scheme": "passdb_default_password_scheme",
    "password_query": "passdb_sql_query",
    "update_query": "passdb_sql_update_query",
    "user_query": "userdb_sql_query",
    "iterate_query": "userdb_sql_iterate_query",
}
_LDAP_NAMES = {
    "uris": "ldap_uris",
    "dn": "ldap_auth_dn",
    "dnpass": "ldap_auth_dn_password",
    "auth_bind": "passdb_ldap_bind",
    "auth_bind_userdn": "passdb_ldap_bind_userdn",
    "base": "ldap_base",
    "deref": "ldap_deref",
    "scope": "ldap_scope",
    "ldap_version": "ldap_version",
    "debug_level": "ldap_debug_level",
    "tls": "ldap_starttls",
    "tls_ca_cert_file": "ssl_client_ca_file",
    "tls_ca_cert_dir": "ssl_client_ca_dir",
    "tls_cert_file": "ssl_client_cert_file",
    "tls_key_file": "ssl_client_key_file",
    "tls_cipher_suite": "ssl_cipher_list",
    "sasl_realm": "ldap_auth_sasl_realm",
    "sasl_authz_id": "ldap_auth_sasl_authz_id",
    "sasl_mech": "ldap_auth_sasl_mechanisms",
    "pass_filter": "passdb_ldap_filter",
    "user_filter": "userdb_ldap_filter",
    "iterate_filter": "userdb_ldap_iterate_filter",
    "default_pass_scheme": "passdb_default_password_scheme",
}
_EXPANDED = frozenset(("password_query", "update_query", "user_query", "pass_filter", "user_filter", "auth_bind_userdn", "base"))
_PASSWORDS = (
    "passdb_sql_query = SELECT username, domain, password FROM users"
    " WHERE username = '%{user | username}' AND domain = '%{user | domain}'"
)
_USERS = (
    "userdb_sql_query = SELECT home, uid, gid FROM users WHERE username = '%{user | username}' AND domain = '%{user | domain}'"
)
_DEFAULTS: dict[str, list[tuple[str, str, str]]] = {
    "sql": [
        ("passdb", "default_pass_scheme", "passdb_default_password_scheme = MD5"),
        ("passdb", "password_query", _PASSWORDS),
        ("userdb", "user_query", _USERS),
        ("userdb", "iterate_query", "userdb_sql_iterate_query = SELECT username, domain FROM users"),
    ],
    "ldap": [
        ("passdb", "default_pass_scheme", "passdb_default_password_scheme = CRYPT"),
        ("passdb", "pass_filter", "passdb_ldap_filter = (&(objectClass=posixAccount)(uid=%{user}))"),
        ("userdb", "user_filter", "userdb_ldap_filter = (&(objectClass=posixAccount)(uid=%{user}))"),
    ],
}
"""What 2.3 takes where the file does not say: by the database that needs it, the name in 2.3, and the line of 2.4."""
_MAIL_COLUMN = re.compile(r"'(maildir|mbox|mdbox|sdbox):([^':]*)'(\s*)(as)\s+(userdb_)?mail\b(?!\w)", re.IGNORECASE)
_QUOTA_COLUMN = re.compile(r"concat\(\s*'\*:bytes=',\s*([\w.]+)\s*\)(\s*)(as)\s+(userdb_)?quota_rule\b", re.IGNORECASE)
_OLD_COLUMN = re.compile(r"\b(?:userdb_)?(?:mail|quota_rule\d*|sieve)\b(?=\s*(?:,|\bFROM\b))", re.IGNORECASE)
_DEFAULT_SCHEME = {"sql": "MD5", "ldap": "CRYPT"}
_IS_MAP = "map"


def convert_outside(work: Work, tree: Tree, language: str, kinds: set[str]) -> None:
    """A file of SQL's, LDAP's or a dictionary's settings; `kinds` are the databases that take it in."""
    said: set[str] = set()
    for statement in tree.statements:
        if statement.kind == "setting":
            said.add(statement.seen[0].value)
            with work.naming(statement.span, "write it by hand, see the documentation of 2.4"):
                _SETTING[language](work, statement, _driver(tree, kinds))
        elif statement.is_block and statement.seen[0].value == _IS_MAP and language == "dict":
            _map(work, statement)
        else:
            work.leave(statement.whole, "this is no setting that is known here", "write it by hand")
    if "passdb" in kinds and language in _DEFAULT_SCHEME:
        _schemes(work, tree, _DEFAULT_SCHEME[language])
    missing = [line for kind, name, line in _DEFAULTS.get(language, []) if kind in kinds and name not in said]
    if missing and tree.text.chars.strip():
        newline = newline_of(tree.text)
        end = len(tree.text.chars)
        begin = "" if not end or tree.text.chars.endswith("\n") else newline
        work.edit((insert(tree.text, end, begin + "".join(f"{line}{newline}" for line in missing)),))


def _schemes(work: Work, tree: Tree, default: str) -> None:
    """Passwords of weak schemes are refused by 2.4: they are allowed where the scheme is one, else it is told."""
    named = next(
        (each for each in reversed(tree.statements) if each.kind == "setting" and each.seen[0].value == "default_pass_scheme"),
        None,
    )
    scheme = _value(named) if named is not None else default
    place = named.span if named is not None else tree.statements[0].span if tree.statements else None
    if place is not None and scheme.upper() in WEAK:
        work.allows_weak = True
        work.note(
            place, f"2.4 refuses passwords of the scheme {scheme}, so auth_allow_weak_schemes is turned on; set new passwords"
        )
    elif place is not None:
        work.note(place, "passwords that name a weak scheme, such as MD5-CRYPT, need auth_allow_weak_schemes = yes in 2.4")


def _driver(tree: Tree, kinds: set[str]) -> str:
    """The SQL driver: the file says it, or of a dictionary, what names the file."""
    found = [_value(each) for each in tree.statements if each.kind == "setting" and each.seen[0].value == "driver"]
    return found[-1] if found else next(iter(kinds & {"mysql", "pgsql", "sqlite"}), "")


def _value(statement: Statement) -> str:
    token = parts_of(statement)[1]
    return token.value if token is not None else ""


def _renamed(work: Work, statement: Statement, names: dict[str, str]) -> None:
    key = statement.seen[0].value
    new = names.get(key)
    if new is None:
        raise Unsaid(f"2.4 has no counterpart for {key} that is known here")
    work.rename(statement, new)
    if key in _EXPANDED:
        work.template(statement, AUTH)


# SQL


def _sql(work: Work, statement: Statement, driver: str) -> None:
    key = statement.seen[0].value
    if key == "connect":
        work.lines(statement, list(_connection(work, statement, driver)))
    elif key == "userdb_warning_disable":
        work.drop(statement, "userdb_warning_disable is left out: nothing warns")
    else:
        _renamed(work, statement, _SQL_NAMES)
        if key in ("password_query", "user_query"):
            _columns(work, statement)


def _connection(work: Work, statement: Statement, driver: str) -> Iterator[str]:
    """Where the database is, and as whom to enter."""
    value = _value(statement)
    if driver == "sqlite":
        yield assign("sqlite_path", value)
        return
    words = [(match[1], match[2] if match[2] is not None else match[3]) for match in _CONNECT.finditer(value)]
    work.secrets += [("dovecot-password", each) for name, each in words if name == "password" and each]
    hosts = [each for name, each in words if name == "host"] or ["localhost"]
    options = [(name, each) for name, each in words if name not in ("host", "maxconns")]
    if driver == "mysql":
        unknown = [name for name, _ in options if name not in _MYSQL and name not in _MYSQL_SSL and name != "charset"]
        if unknown:
            raise Unsaid(f"2.4 has no {unknown[0]} for a connection to MySQL that is known here")
        lines = [assign({**_MYSQL, **_MYSQL_SSL}[name], each) for name, each in options if name != "charset"]
        if any(name in _MYSQL_SSL for name, _ in options):
            lines.append("ssl = yes")
        if any(name == "charset" for name, _ in options):
            work.note(statement.span, "charset is left out: say it in MySQL's option file")
    elif driver == "pgsql":
        lines = block("parameters", [assign(name, each) for name, each in options]) if options else []
    else:
        raise Unsaid(f"the SQL driver {driver or 'that is not named here'} is not converted")
    for host in hosts:
        yield from block(named(driver, host), lines)


def _columns(work: Work, statement: Statement) -> None:
    """Columns that 2.4 takes no more: a whole location of mail, a rule of quota."""
    token = parts_of(statement)[1]
    if token is None:
        return
    raw = token.text.chars[token.start : token.end]
    taken = raw
    if _MAIL_COLUMN.search(raw) and len(over([], work.config.setting("mail_location").value)) > 1:
        raise Unsaid("the query gives mail, which took the place of all that mail_location says; give each part of it")
    for pattern, new in ((_MAIL_COLUMN, _mail_column), (_QUOTA_COLUMN, _quota_column)):
        for match in pattern.finditer(raw):
            _replace_around(work, statement, token.start + match.start(), token.start + match.end(), new(match))
            taken = taken[: match.start()] + " " * len(match[0]) + taken[match.end() :]
    columns = re.split(r"\bFROM\b", taken, maxsplit=1, flags=re.IGNORECASE)[0] + " FROM"
    old = _OLD_COLUMN.search(columns)
    if old is not None:
        raise Unsaid(f"the query gives {old[0]}, which 2.4 does not take; give mail_path, quota_storage_size and their like")


def _mail_column(match: re.Match[str]) -> str:
    prefix = match[5] or ""
    return f"'{match[1]}' {match[4]} {prefix}mail_driver, '{in_new_words(match[2], AUTH)}'{match[3]}{match[4]} {prefix}mail_path"


def _quota_column(match: re.Match[str]) -> str:
    return f"{match[1]}{match[2]}{match[3]} {match[4] or ''}quota_storage_size"


def _replace_around(work: Work, statement: Statement, start: int, end: int, new: str) -> None:
    """Write a piece of a value anew; the variables in it were written by themselves before, and are not any more."""
    path = statement.text.path
    edits = work.edits.get(path, [])
    work.edits[path] = [each for each in edits if not (start <= each.start and each.end <= end)]
    work.edit((Edit(path, start, end, new),))


# LDAP


def _ldap(work: Work, statement: Statement, _driver: str) -> None:
    key, value = statement.seen[0].value, _value(statement)
    if key == "dnpass" and value:
        work.secrets.append(("dovecot-password", value))
    if key == "hosts":
        work.lines(statement, [assign("ldap_uris", " ".join(f"ldap://{host}" for host in value.split()))])
    elif key in ("pass_attrs", "user_attrs"):
        kind = "passdb" if key == "pass_attrs" else "userdb"
        work.lines(statement, fields_block(list(_attributes(work, value)), name=f"{kind}_fields"))
    elif key == "iterate_attrs":
        work.lines(statement, fields_block(list(_attributes(work, value)), name="userdb_ldap_iterate_fields"))
    elif key == "tls_require_cert":
        strict = value in ("demand", "hard", "")
        work.lines(statement, [] if strict else ["ssl_client_require_valid_cert = no"])
    elif key == "sasl_bind" and not is_true(value):
        work.remove(statement)
    elif key == "blocking":
        work.lines(statement, [f"passdb_use_worker = {value}", f"userdb_use_worker = {value}"])
    elif key == "debug_level" and value == "0":
        work.remove(statement)
    else:
        _renamed(work, statement, _LDAP_NAMES)


def _attributes(work: Work, value: str) -> Iterator[tuple[str, str]]:
    """`attribute=field` pairs; `=field=template` builds a field from several."""
    for each in re.split(r",(?![^{}]*\})", value):
        pair = each.strip()
        if not pair:
            continue
        attribute, equals, rest = pair.partition("=")
        if attribute:
            name, _, template = rest.partition("=")
            if template:
                template = template.replace("%$", f"%{{ldap:{attribute}}}")
            yield from converted(work.config, name if equals else attribute, template or f"%{{ldap:{attribute}}}", _of_ldap)
        else:
            name, _, template = rest.partition("=")
            yield from converted(work.config, name, template, _of_ldap)


def _of_ldap(template: str) -> str:
    return in_new_words(template, AUTH)


# Dictionaries in SQL


def _dict(work: Work, statement: Statement, driver: str) -> None:
    key = statement.seen[0].value
    if key != "connect":
        raise Unsaid(f"{key} is no setting of a dictionary that is known here")
    work.lines(statement, list(_connection(work, statement, driver)))


def _map(work: Work, section: Statement) -> None:
    """A map of keys to columns of a table."""
    values: dict[str, str] = {}
    fields: Pairs = []
    for each in section.body:
        if each.is_block and each.seen[0].value == "fields":
            fields = [(inner.seen[0].value, _value(inner)) for inner in each.body if inner.kind == "setting"]
        elif each.kind == "setting":
            values[each.seen[0].value] = _value(each)
    kinds = {"value_hexblob": "hexblob"}
    lines = [assign("sql_table", values.get("table", ""))]
    if "username_field" in values:
        lines.append(assign("username_field", values["username_field"]))
    if "expire_field" in values:
        lines.append(assign("expire_field", values["expire_field"]))
    for name in (each.strip() for each in values.get("value_field", "").split(",")):
        type_ = values.get("value_type", kinds.get("value_hexblob", "") if values.get("value_hexblob") == "yes" else "")
        lines += block(f"value_field {name}", [assign("type", type_)] if type_ and type_ != "string" else [])
    for name, value in fields:
        lines += block(f"key_field {name}", [assign("value", value)])
    work.lines(section, block(named("dict_map", values.get("pattern", "")), lines))


_SETTING: dict[str, Callable[[Work, Statement, str], None]] = {"sql": _sql, "ldap": _ldap, "dict": _dict}
