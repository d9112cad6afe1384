"""Lists of words: in 2.3 one string that says itself again to be added to, in 2.4 a list of yes and no."""

from __future__ import annotations

from mailaudit.converting.writing import Work, block
from mailaudit.parsers.tree import Statement

_PLUGINS: dict[str, str] = {"zlib": "mail_compress"}
_GONE = {
    "imap_zlib": "IMAP's COMPRESS is built in",
    "stats": "the statistics are built in",
    "imap_stats": "the statistics are built in",
    "old_stats": "the statistics are built in",
    "imap_old_stats": "the statistics are built in",
    "autocreate": "mailboxes are made by `auto` of their section",
}
_REMOVED = {
    "replication": "replication was removed from 2.4",
    "replicator": "replication was removed from 2.4",
    "fts_squat": "the index of fts_squat was removed; take fts_flatcurve",
    "fts_lucene": "the index of fts_lucene was removed; take fts_flatcurve",
    "listescape": "write mailbox_list_storage_escape_char",
    "mailbox_alias": "the plugin was removed from 2.4",
    "antispam": "this plugin knows no 2.4; what it does is said by imapsieve",
}
_KNOWN = frozenset(
    (
        "acl",
        "apparmor",
        "charset_alias",
        "fts",
        "fts_flatcurve",
        "fts_solr",
        "imap_acl",
        "imap_filter_sieve",
        "imap_quota",
        "imap_sieve",
        "last_login",
        "lazy_expunge",
        "mail_compress",
        "mail_crypt",
        "mail_crypt_acl",
        "mail_log",
        "mail_lua",
        "notify",
        "notify_status",
        "pop3_migration",
        "push_notification",
        "push_notification_lua",
        "quota",
        "quota_clone",
        "sieve",
        "trash",
        "virtual",
        "welcome",
    )
)

_OF_SIEVE = frozenset(("sieve_extensions", "sieve_global_extensions"))
_GONE_EXTENSIONS = frozenset(("imapflags", "notify"))
_WITH_SIGNS = frozenset(("imap_capability", "sieve_extensions", "sieve_global_extensions", "submission_backend_capabilities"))


def convert_list(work: Work, statement: Statement, name: str, value: str, new: str | None = None) -> None:
    """A list's setting: what adds to itself becomes a block, whose words add to what is set already."""
    new = new or name
    words = value.replace(",", " ").split()
    kept = _plugins(work, statement, words) if name == "mail_plugins" else words
    if name in _OF_SIEVE:
        kept = words = _known_extensions(work, statement, words)
    if f"${name}" in words:
        _added(work, statement, new, [word for word in kept if word != f"${name}"])
    elif any(word[0] in "+-" for word in words) and name in _WITH_SIGNS:
        _signed(work, statement, new, words)
    elif kept != words or len(words) < len(value.replace(",", " ").split()):
        work.value(statement, " ".join(kept))
    elif any(word.startswith("$") for word in words):
        work.leave(statement.span, f"{name} takes in another setting, which a list of 2.4 cannot", "write its words out")
    elif new != name:
        work.rename(statement, new)


def _added(work: Work, statement: Statement, name: str, words: list[str]) -> None:
    if words:
        work.lines(statement, block(name, [f"{word.removesuffix('=yes')} = yes" for word in words]))
    else:
        work.remove(statement)


def _signed(work: Work, statement: Statement, name: str, words: list[str]) -> None:
    """`+a -b` adds to the default and takes from it; without a sign before the first word it takes its place."""
    if not all(word[0] in "+-" for word in words):
        work.leave(statement.span, f"{name} has words with a sign and words without", "write the whole list, without signs")
        return
    work.lines(statement, block(name, [f"{word[1:]} = {'yes' if word[0] == '+' else 'no'}" for word in words]))


def _known_extensions(work: Work, statement: Statement, words: list[str]) -> list[str]:
    """Extensions of Sieve without those that are no more."""
    gone = [word for word in words if word.lstrip("+-") in _GONE_EXTENSIONS]
    for word in gone:
        name = word.lstrip("+-")
        work.note(statement.span, f"the extension {name} is left out: 2.4 has it no more, and scripts that require it fail")
    return [word for word in words if word not in gone]


def _plugins(work: Work, statement: Statement, words: list[str]) -> list[str]:
    """The plugins by the names of 2.4, those left out that are built in."""
    found: list[str] = []
    for word in words:
        if word in _GONE:
            work.note(statement.span, f"the plugin {word} is left out: {_GONE[word]}")
        elif word in _REMOVED:
            work.leave(statement.span, f"2.4 has no plugin {word}", _REMOVED[word])
            found.append(word)
        else:
            new = _PLUGINS.get(word, word)
            if new not in _KNOWN and not word.startswith("$"):
                work.note(statement.span, f"the plugin {word} is not one of Dovecot's own: see that there is one for 2.4")
            found.append(new)
    return found
