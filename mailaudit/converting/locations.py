"""`mail_location` and what else names the place of mail, in the settings that 2.4 has for its parts."""

from __future__ import annotations

import re
from collections.abc import Callable

from mailaudit.converting.variables import in_new_words

_OPTIONS = {
    "INDEX": "mail_index_path",
    "INDEXPVT": "mail_index_private_path",
    "INDEXCACHE": "mail_cache_path",
    "CONTROL": "mail_control_path",
    "INBOX": "mail_inbox_path",
    "ALT": "mail_alt_path",
    "VOLATILEDIR": "mail_volatile_path",
    "LAYOUT": "mailbox_list_layout",
    "SUBSCRIPTIONS": "mailbox_subscriptions_filename",
    "DIRNAME": "mailbox_directory_name",
    "MAILBOXDIR": "mailbox_root_directory_name",
    "LISTINDEX": "mailbox_list_index_prefix",
    "BROKENCHAR": "mailbox_list_visible_escape_char",
}
_FLAGS = {
    "UTF-8": ("mailbox_list_utf8", "yes"),
    "ALTNOCHECK": ("mail_alt_check", "no"),
    "ITERINDEX": ("mailbox_list_iter_from_index_dir", "yes"),
    "NO-NOSELECT": ("mailbox_list_drop_noselect", "yes"),
    "KEEP-NOSELECT": ("mailbox_list_drop_noselect", "no"),
    "NO-FS-VALIDATION": ("mailbox_list_validate_fs_names", "no"),
}
_DEFAULTS = {
    "mailbox_list_utf8": "no",
    "mail_alt_check": "yes",
    "mailbox_list_iter_from_index_dir": "no",
    "mailbox_list_drop_noselect": "yes",
    "mailbox_list_validate_fs_names": "yes",
    "mailbox_directory_name_legacy": "yes",
    "mailbox_subscriptions_filename": "subscriptions",
    "mailbox_list_index_prefix": "dovecot.list.index",
    "mailbox_list_layout": "fs",
}
_OF_MAILDIR = {"mailbox_list_layout": "maildir++", "mail_inbox_path": "."}
_DRIVERS = frozenset(("maildir", "mbox", "sdbox", "mdbox", "dbox", "imapc", "pop3c", "cydir", "virtual", "raw"))
_OWNERS = re.compile(r"%%([LU]?)([undh])")
_OWNER = {"u": "owner_user", "n": "owner_user | username", "d": "owner_user | domain", "h": "owner_home"}
_FILTERS = {"": "", "L": " | lower", "U": " | upper"}
_IN_PREFIX = {"u": "$user", "n": "$username", "d": "$domain"}

Pairs = list[tuple[str, str]]


class Unsaid(ValueError):  # noqa: N818  it says what 2.4 cannot
    """A part of a location that 2.4 has no setting for, or a location that leaves Dovecot to guess."""


def split(location: str, say: Callable[[str], str] = in_new_words) -> Pairs:
    """The settings that a location of 2.3 comes to; `say` writes its variables anew.

    Raises `Unsaid`, and `UnknownVariable` for a variable that 2.4 has no word for.
    """
    driver, colon, rest = location.partition(":")
    if not colon or driver.lower() not in _DRIVERS:
        raise Unsaid("the format of the mail is left for Dovecot to guess, which 2.4 does otherwise")
    path, *options = _parts(rest)
    found = [("mail_driver", driver.lower())]
    if path:
        found.append(("mail_path", say(path)))
    for option in options:
        name, equals, value = option.partition("=")
        if equals and name in _OPTIONS:
            found.append((_OPTIONS[name], say(value)))
        elif name == "FULLDIRNAME" and equals:
            found += [("mailbox_directory_name", say(value)), ("mailbox_directory_name_legacy", "no")]
        elif option in _FLAGS:
            found.append(_FLAGS[option])
        elif option:
            raise Unsaid(f"2.4 has no setting for {option} in a location")
    return found


def over(pairs: Pairs, location: str) -> Pairs:
    """The settings of a location that takes the place of another one: what that one says besides goes back to its default.

    In 2.3 a location is one value, and another one leaves nothing of it; in 2.4 each part is a setting of its own.
    """
    try:
        beneath = dict(split(location, str)) if location else {}
    except Unsaid:
        return pairs
    said = dict(pairs)
    is_maildir = said.get("mail_driver", beneath.get("mail_driver")) == "maildir"
    defaults = {**_DEFAULTS, **(_OF_MAILDIR if is_maildir else {})}
    return [*pairs, *((name, defaults.get(name, "")) for name in beneath if name not in said and name != "mail_path")]


def _parts(rest: str) -> list[str]:
    """The parts between colons; two of them are one that belongs to a part."""
    return [part.replace("\0", ":") for part in rest.replace("::", "\0").split(":")]


def shared_words(template: str) -> str:
    """A location in a namespace of others' mail: `%%u` is the owner there."""
    out: list[str] = []
    at = 0
    for match in _OWNERS.finditer(template):
        out += (in_new_words(template[at : match.start()]), "%{" + _OWNER[match[2]] + _FILTERS[match[1]] + "}")
        at = match.end()
    return "".join((*out, in_new_words(template[at:])))


def shared_prefix(prefix: str) -> str:
    """The prefix of a namespace of others' mail: `shared/%%u/` is `shared/$user/`."""
    return _OWNERS.sub(lambda match: _IN_PREFIX.get(match[2], match[0]), prefix)
