"""Settings that stand in no section but filters: other names, other values, other words for variables."""

from __future__ import annotations

import re
from collections.abc import Callable

from mailaudit.converting.lists import convert_list
from mailaudit.converting.locations import Pairs, Unsaid, split
from mailaudit.converting.variables import LETTERS, MAIL, in_new_words
from mailaudit.converting.writing import Work, assign, block
from mailaudit.edits import Edit
from mailaudit.models.dovecot.catalogue import catalogue
from mailaudit.models.dovecot.obsolete import changed
from mailaudit.models.dovecot.reading import parts_of
from mailaudit.models.dovecot.sections import Section, is_variable_line
from mailaudit.models.dovecot.settings import NEW, OLD, RENAMED
from mailaudit.models.dovecot.values import is_true
from mailaudit.parsers.tree import Statement

_NAMES = {
    **{old: new for old, (new, values) in RENAMED.items() if values is None},
    "ssl_alt_cert": "ssl_server_alt_cert_file",
    "ssl_alt_key": "ssl_server_alt_key_file",
    "ssl_client_cert": "ssl_client_cert_file",
    "ssl_client_key": "ssl_client_key_file",
    "ssl_client_ca_file": "ssl_client_ca_file",
    "ssl_cert_username_field": "ssl_server_cert_username_field",
    "ssl_key_password": "ssl_server_key_password",
    "ssl_require_crl": "ssl_server_require_crl",
    "ssl_verify_client_cert": "ssl_server_request_client_cert",
    "auth_default_realm": "auth_default_domain",
    "default_idle_kill": "default_idle_kill_interval",
    "mail_attachment_dir": "mail_ext_attachment_path",
    "mail_attachment_hash": "mail_ext_attachment_hash",
    "mail_attachment_min_size": "mail_ext_attachment_min_size",
}
_FILES = frozenset(
    ("ssl_cert", "ssl_key", "ssl_dh", "ssl_ca", "ssl_alt_cert", "ssl_alt_key", "ssl_client_cert", "ssl_client_key")
)
_VALUES = {old: (new, values) for old, (new, values) in RENAMED.items() if values is not None}
_EXPANDED = frozenset(
    (
        *LETTERS,
        "mail_home",
        "mail_chroot",
        "mail_attachment_dir",
        "postmaster_address",
        "imapc_user",
        "imapc_host",
        "imapc_master_user",
        "imapc_rawlog_dir",
        "pop3c_user",
        "pop3c_host",
        "pop3c_master_user",
        "pop3c_rawlog_dir",
        "submission_relay_user",
        "submission_relay_master_user",
        "login_source_ips",
        "auth_policy_server_url",
        "mail_server_admin",
        "mail_server_comment",
    )
)
"""Settings in whose values 2.3 looks for variables."""
_GONE = {
    "auth_stats": "the statistics are built in",
    "imap_id_log": "what clients say of themselves is an event",
    "replication_max_conns": "replication was removed, and nothing else asks for it",
    "replication_full_sync_interval": "replication was removed, and nothing else asks for it",
    "replication_dsync_parameters": "replication was removed, and nothing else asks for it",
    "stats_writer_socket_path": "the path is built in",
}
_IMAPC_DEFAULTS = {"rfc822.size": "no-fetch-size", "fetch-headers": "no-fetch-headers", "search": "no-search"}
_IMAPC_DEFAULTS |= {"fetch-bodystructure": "no-fetch-bodystructure", "delay-login": "no-delay-login", "modseq": "no-modseq"}
_IMAPC_DEFAULTS |= {"acl": "no-acl"}
_DICTS = {"mail_attribute_dict": "mail_attribute", "notify_status_dict": "notify_status"}


def convert_setting(work: Work, statement: Statement) -> None:
    """One setting outside of sections other than filters."""
    key, token, from_file = parts_of(statement)
    name, value = key.value, token.value if token else ""
    special = _SPECIAL.get(name)
    if special is not None:
        with work.naming(statement.span, "write mail_driver, mail_path and their like"):
            special(work, statement, name, value)
        return
    if _obsolete(work, statement, name, value):
        return
    if name in _FILES:
        _file(work, statement, name, value, from_file=from_file)
        return
    new = _NAMES.get(name, name)
    definition = catalogue(NEW).get(new)
    if definition is None:
        _gone(work, statement, name)
    elif definition.kind == "boollist":
        convert_list(work, statement, name, value, new)
    else:
        if is_variable_line(token, from_file=from_file) and any(word.startswith("$") for word in value.split()):
            text = variables(work, statement, value)
            if text is not None:
                work.value(statement, text)
        elif name in _EXPANDED and "%" in value:
            work.template(statement, LETTERS.get(name, MAIL))
        if new != name:
            work.rename(statement, new)
        if name == "mail_attachment_dir":
            work.note(statement.span, "attachments that 2.3 stored once for all are read, new ones are stored each")


def variables(work: Work, statement: Statement, value: str) -> str | None:
    """A value that takes in other settings, by their names of 2.4: `$name` is `$SET:name`."""
    found = []
    for word in value.split(" "):
        name = word[1:]
        if not word.startswith("$") or name.startswith("ENV:"):
            found.append(word)
        elif name in _VALUES or name in _SPECIAL or catalogue(NEW).get(_NAMES.get(name, name)) is None:
            work.leave(statement.span, f"2.4 has nothing that {word} stands for", "write the value out")
            return None
        else:
            found.append(f"$SET:{_NAMES.get(name, name)}")
    return " ".join(found)


def _obsolete(work: Work, statement: Statement, name: str, value: str) -> bool:
    """What 2.3 itself takes for something else: write that."""
    change = changed(name, value, Section())
    if change is None:
        return False
    if change.refused:
        work.leave(statement.span, change.refused, "write ssl_min_protocol")
    elif not change.settings:
        work.drop(statement, f"{name} has had no effect since 2.3")
    elif all(not sections for sections, _, _ in change.settings) and len(change.settings) == 1:
        _, new, text = change.settings[0]
        if new == name:
            work.value(statement, text)
        else:
            new = _NAMES.get(new, new)
            work.lines(statement, [assign(new, text)])
    elif all(sections and sections[0][0] == "service" for sections, _, _ in change.settings if sections):
        work.lines(statement, [line for sections, new, text in change.settings for line in _in_sections(sections, new, text)])
    else:
        work.leave(statement.span, f"{name} is a setting of Dovecot 1", "say it in the words of 2.3 first")
    return True


def _in_sections(sections: tuple[tuple[str, str], ...], name: str, value: str) -> list[str]:
    name = {"service_count": "restart_request_count", "address": "listen"}.get(name, name)
    lines = [assign(name, value)]
    for type_, key in reversed(sections):
        lines = block(f"{type_} {key}", lines)
    return lines


def _file(work: Work, statement: Statement, name: str, value: str, *, from_file: bool) -> None:
    """A certificate or key: the file's path, without the `<` before it."""
    work.rename(statement, _NAMES[name])
    if from_file:
        mark = statement.seen[2]
        path = statement.seen[3] if len(statement.seen) > 3 else None
        from_mark = path.start if path is not None else mark.end
        work.edit((Edit(mark.text.path, mark.start, from_mark, ""),))
    elif value.startswith("$"):  # 2.4.5 takes no $SET: for a file
        found = [each for now in work.config.everywhere(name) for each in (now, *now.overridden) if each.statement is statement]
        if found and found[0].value.startswith("/"):
            work.value(statement, found[0].value)
        else:
            work.leave(statement.span, f"2.4 takes no {value} for a file", "write the file's path")
    elif value:
        work.value(statement, f"inline:{value}")


def _gone(work: Work, statement: Statement, name: str) -> None:
    if _GONE.get(name):
        work.drop(statement, f"{name} is left out: {_GONE[name]}")
    elif name in catalogue(OLD).inside[()]:
        work.leave(statement.span, f"2.4 has no setting {name}", "take the line out, or look for what does the same in 2.4")
    else:
        work.leave(statement.span, f"no Dovecot has a setting {name}", "take the line out")


# What is said in another way altogether


def location_lines(pairs: Pairs) -> list[str]:
    """The settings of a place of mail."""
    return [assign(name, value) for name, value in pairs]


def _mail_location(work: Work, statement: Statement, _name: str, value: str) -> None:
    if value:
        work.lines(statement, location_lines(split(value)))
    else:
        work.remove(statement)


def _renamed_value(work: Work, statement: Statement, name: str, value: str) -> None:
    new, values = _VALUES[name]
    assert values is not None
    if name == "disable_plaintext_auth" and not is_true(value) and work.config.ssl.value == "required":
        work.drop(statement, f"{name} is left out: with ssl = required it has no effect")
        return
    work.rename(statement, new)
    work.value(statement, values["yes" if is_true(value) else "no"])


def _verbose_ssl(work: Work, statement: Statement, _name: str, value: str) -> None:
    if is_true(value):
        work.lines(statement, [assign("log_debug", "category=ssl")])
    else:
        work.drop(statement, "verbose_ssl is left out: it is off, as log_debug is")


def _workers(work: Work, statement: Statement, _name: str, value: str) -> None:
    work.lines(statement, block("service auth-worker", [assign("process_limit", value)]))


def _imapc_verify(work: Work, statement: Statement, name: str, value: str) -> None:
    work.lines(statement, block(name.partition("_")[0], [assign("ssl_client_require_valid_cert", value)]))


def _dict(work: Work, statement: Statement, name: str, value: str) -> None:
    work.lines(statement, block(_DICTS[name], dict_lines(in_new_words(value))))


def dict_lines(uri: str) -> list[str]:
    """The section of a dictionary that 2.3 names by `driver:path`, or by `proxy::name`. Raises `Unsaid`."""
    driver, _, path = uri.partition(":")
    if driver == "file":
        return block("dict file", [assign("path", path)])
    proxy = re.fullmatch(r"proxy:([^:]*):(.+)", uri)
    if proxy:
        socket = [assign("dict_proxy_socket_path", proxy[1])] if proxy[1] else []
        return block("dict proxy", [assign("name", proxy[2]), *socket])
    if driver == "redis":
        found = dict(part.partition("=")[::2] for part in path.split(":"))
        return block("dict redis", [assign(f"redis_{key}", found[key]) for key in ("host", "port", "path") if key in found])
    raise Unsaid(f"the dictionary {uri} is none that is known here")


def _imapc_features(work: Work, statement: Statement, _name: str, value: str) -> None:
    """What had to be asked for is on in 2.4 unless it is turned off."""
    words = value.split()
    off = [no for yes, no in _IMAPC_DEFAULTS.items() if yes not in words]
    rest = [word for word in words if word not in _IMAPC_DEFAULTS]
    work.value(statement, " ".join([*rest, *off]))


def _listen(work: Work, statement: Statement, name: str, value: str) -> None:
    if not _obsolete(work, statement, name, value):
        convert_list(work, statement, name, value)


Special = Callable[[Work, Statement, str, str], None]
_SPECIAL: dict[str, Special] = {
    "mail_location": _mail_location,
    **dict.fromkeys(_VALUES, _renamed_value),
    "verbose_ssl": _verbose_ssl,
    "auth_worker_max_count": _workers,
    "imapc_ssl_verify": _imapc_verify,
    **dict.fromkeys(_DICTS, _dict),
    "imapc_features": _imapc_features,
    "listen": _listen,
}
