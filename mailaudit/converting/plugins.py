"""`plugin` sections: their settings stand outside in 2.4, most under the same name."""

from __future__ import annotations

import re
from collections.abc import Callable

from mailaudit.converting.lists import convert_list
from mailaudit.converting.locations import Unsaid
from mailaudit.converting.plain import dict_lines
from mailaudit.converting.quota import convert_quota
from mailaudit.converting.sieve import convert_sieve, is_sieve
from mailaudit.converting.variables import MAIL, in_new_words
from mailaudit.converting.writing import Work, assign, block, in_inbox, named
from mailaudit.models.dovecot.catalogue import catalogue
from mailaudit.models.dovecot.reading import parts_of
from mailaudit.models.dovecot.settings import NEW
from mailaudit.models.dovecot.values import is_true
from mailaudit.parsers.tree import Statement

_NAMES = {
    "sieve_user_log": "sieve_user_log_path",
    "sieve_quota_max_storage": "sieve_quota_storage_size",
    "sieve_quota_max_scripts": "sieve_quota_script_count",
    "sieve_spamtest_max_header": "sieve_spamtest_score_max_header",
    "sieve_spamtest_max_value": "sieve_spamtest_score_max_value",
    "sieve_virustest_max_header": "sieve_virustest_score_max_header",
    "sieve_virustest_max_value": "sieve_virustest_score_max_value",
    "zlib_save": "mail_compress_write_method",
    "quota_max_mail_size": "quota_mail_size",
    "lazy_expunge": "lazy_expunge_mailbox",
    "fts_index_timeout": "fts_search_timeout",
    "quota_over_flag": "quota_over_status_current",
    "quota_over_flag_lazy_check": "quota_over_status_lazy_check",
    "quota_over_flag_value": "quota_over_status_mask",
    "mail_crypt_curve": "crypt_user_key_curve",
    "mail_crypt_acl_require_secure_key_sharing": "crypt_acl_require_secure_key_sharing",
}
_GONE = {
    "quota_vsizes": "sizes are always counted so",
    "mail_crypt_save_version": "what is written is said by crypt_write_algorithm, whose default is this",
    "sieve_vacation_max_subject_codepoints": "there is no such limit",
    "hostname": "it is no plugin's, and has had no effect here",
    "postmaster": "it is no plugin's, and has had no effect here",
    "mail_replica": "replication was removed from 2.4",
    "userdb_warning_disable": "it is no plugin's, and has had no effect here",
}
Found = dict[str, tuple[Statement, str]]
_AUTOCREATE = re.compile(r"auto(create|subscribe)\d*")
_LEVELS = {"gz": "compress_gz_level", "deflate": "compress_deflate_level", "zstd": "compress_zstd_level"}
_LEVELS["bz2"] = "compress_bz2_block_size_100k"
_QUOTA = re.compile(r"quota\d*(?:_rule\d*|_warning\d*)?")


def convert_plugins(work: Work, found: Found) -> None:
    """The settings of all `plugin` sections that stand in the same filters; of a setting that is said again, the last."""
    convert_sieve(work, {name: each for name, each in found.items() if is_sieve(name)})
    convert_quota(work, {name: each for name, each in found.items() if name == "quota_grace" or _QUOTA.fullmatch(name)})
    for name, (statement, value) in found.items():
        if not is_sieve(name) and not _QUOTA.fullmatch(name):
            with work.naming(statement.span, "see the plugin's settings in 2.4"):
                _one(work, found, name, statement, value)


def _one(work: Work, found: Found, name: str, statement: Statement, value: str) -> None:
    lines = _trash(work, statement, value) if name == "trash" else _special(found, name, statement, value)
    if lines is not None:
        work.lines(statement, lines)
        return
    new = _NAMES.get(name, name)
    definition = catalogue(NEW).get(new)
    if name in _GONE:
        work.drop(statement, f"{name} is left out: {_GONE[name]}")
    elif _AUTOCREATE.fullmatch(name):
        work.drop(statement, f"{name} is left out: the plugin has been gone since 2.3; write `auto` in the mailbox's section")
    elif definition is None or (definition.is_section and definition.kind != "boollist"):
        work.leave(
            statement.span,
            f"no plugin of 2.4 has a setting {name}",
            "take the line out, unless a plugin of another maker reads it",
        )
    elif definition.kind == "boollist":
        convert_list(work, statement, name, value, new)
    else:
        if new != name:
            work.rename(statement, new)
        if definition.kind == "bool" and value.lower() not in ("yes", "no"):
            work.value(statement, "yes" if value else "no")  # in 2.3 a plugin's setting is on once it says anything
        elif "%" in value:
            work.template(statement, MAIL)


def _special(found: Found, name: str, statement: Statement, value: str) -> list[str] | None:
    """The lines of a setting that is said in another way; None if it is not."""
    if name in _FROM_FILE:
        return _FROM_FILE[name](value) if parts_of(statement)[2] else None
    if name in _OF_OTHERS:
        return _OF_OTHERS[name](found, value)
    return _SAID_OTHERWISE[name](value) if name in _SAID_OTHERWISE else None


def _push(value: str) -> list[str]:
    """`ox:url=http://…`: in 2.4 each driver is a section."""
    driver, _, rest = value.partition(":")
    if driver not in ("dlog", "ox"):
        raise Unsaid(f"the push notification {driver} is not converted")
    lines = [assign("driver", driver)]
    for option in rest.split():
        name, equals, text = option.partition("=")
        if name not in ("url", "user_from_metadata"):
            raise Unsaid(f"the option {name} of a push notification is not converted")
        lines.append(assign(f"ox_{name}", in_new_words(text) if equals else "yes"))
    return block(named("push_notification", driver), lines)


def _level(found: Found, value: str) -> list[str]:
    method = found["zlib_save"][1] if "zlib_save" in found else "gz"
    return [assign(_LEVELS[method], value)] if method in _LEVELS else []


def _grace(value: str) -> list[str]:
    if "%" in value:
        raise Unsaid("2.4 has no grace in percent of the limit; quota_storage_grace is a size")
    return [assign("quota_storage_grace", value)]


def _trash(work: Work, statement: Statement, path: str) -> list[str]:
    """A file of priorities and mailboxes: each is a setting of its mailbox."""
    text = work.read(path)
    if text is None:
        raise Unsaid(f"{path} is not at hand, and says what 2.4 has in sections of mailboxes")
    work.note(statement.span, f"{path} is read no more: each mailbox has a trash_priority")
    words = [each.strip().partition(" ") for each in text.chars.splitlines() if each.strip() and each.strip()[0] != "#"]
    return in_inbox(work, [(mailbox.strip(), [assign("trash_priority", priority)]) for priority, _, mailbox in words])


def _acl(value: str) -> list[str]:
    """`vfile:/global/acls:cache_secs=300`."""
    driver, _, rest = value.partition(":")
    path, *options = rest.split(":")
    lines = [assign("acl_driver", driver)]
    if path:
        lines.append(assign("acl_global_path", in_new_words(path)))
    for option in options:
        name, _, amount = option.partition("=")
        if name != "cache_secs":
            raise Unsaid(f"2.4 has no option {option} for acl")
        lines.append(assign("acl_cache_ttl", f"{amount} secs"))
    return lines


def _fts(found: Found, driver: str) -> list[str]:
    if driver == "solr" and "fts_solr" in found:
        return _solr(found["fts_solr"][1])
    if driver in ("lucene", "squat"):
        raise Unsaid(f"the index of fts_{driver} was removed from 2.4; take flatcurve, and index anew")
    return block(named("fts", driver), [])


def _fts_solr(found: Found, value: str) -> list[str]:
    return [] if "fts" in found and found["fts"][1] == "solr" else _solr(value)


def _solr(value: str) -> list[str]:
    names = {"url": "url", "batch_size": "batch_size", "soft_commit": "soft_commit"}
    words = [word.partition("=")[::2] for word in value.split()]
    return block("fts solr", [assign(names[key], in_new_words(each)) for key, each in words if key in names])


_FROM_FILE: dict[str, Callable[[str], list[str]]] = {
    "mail_crypt_global_private_key": lambda path: block(
        "crypt_global_private_key main", [assign("crypt_private_key_file", path)]
    ),
    "mail_crypt_global_public_key": lambda path: [assign("crypt_global_public_key_file", path)],
}
_OF_OTHERS: dict[str, Callable[[Found, str], list[str]]] = {"zlib_save_level": _level, "fts": _fts, "fts_solr": _fts_solr}
_SAID_OTHERWISE: dict[str, Callable[[str], list[str]]] = {
    "acl": _acl,
    "acl_shared_dict": lambda value: block("acl_sharing_map", dict_lines(in_new_words(value))),
    "last_login_dict": lambda value: block("last_login", dict_lines(in_new_words(value))),
    "notify_status_dict": lambda value: block("notify_status", dict_lines(in_new_words(value))),
    "push_notification_driver": _push,
    "push_notification_backend": _push,
    "acl_anyone": lambda value: [assign("imap_acl_allow_anyone", "yes" if value == "allow" else "no")],
    "quota_grace": _grace,
    "sieve_vacation_dont_check_recipient": lambda value: [
        assign("sieve_vacation_check_recipient", "no" if is_true(value) else "yes")
    ],
}
