"""The fields that databases of users give: what 2.3 says in one word and 2.4 in several."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from mailaudit.converting.locations import Pairs, Unsaid, over, split
from mailaudit.converting.quota import limits
from mailaudit.converting.variables import AUTH, in_new_words
from mailaudit.models.dovecot.config import DovecotConfig

_OF_USERDB = "userdb_"
NOTHING = frozenset(("noreplicate",))


def converted(config: DovecotConfig, name: str, value: str, say: Callable[[str], str]) -> Pairs:
    """The fields that one of 2.3 comes to. `say` writes variables anew. Raises `Unsaid`."""
    prefix = _OF_USERDB if name.startswith(_OF_USERDB) else ""
    bare = name.removeprefix(prefix)
    if bare == "mail":
        pairs = _mail(config, value, say)
    elif re.fullmatch(r"quota\d*_rule\d*|quota_rule\d*", bare):
        pairs = limits(value)
    elif bare in NOTHING:
        pairs = []
    elif re.fullmatch(r"namespace/[^/]*/location", bare):
        pairs = [(bare.rpartition("/")[0] + "/" + key, each) for key, each in split(value, say)]
    elif bare in ("sieve", "sieve_dir", "sieve_before", "sieve_after", "quota", "acl", "mail_location"):
        raise Unsaid(f"2.4 has no field {bare} in a database of users")
    else:
        pairs = [(bare, say(value))]
    return [(prefix + key, each) for key, each in pairs]


def _mail(config: DovecotConfig, value: str, say: Callable[[str], str]) -> Pairs:
    """A user's own place of mail; without a format it has that of all the others, if they have one."""
    for_all = config.setting("mail_location").value
    try:
        return over(split(value, say), for_all)
    except Unsaid:
        place = config.mail_place
        if ":" in value or place is None or not place.format:
            raise
        return over([("mail_driver", place.format), ("mail_path", say(value))], for_all)


def in_args(args: str) -> Iterator[tuple[str, str]]:
    """The fields in a row of words."""
    for word in args.split():
        name, _, value = word.partition("=")
        yield name, value


def of_auth(template: str) -> str:
    """Variables as databases of users have them."""
    return in_new_words(template, AUTH)
