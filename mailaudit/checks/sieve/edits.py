"""What imapsieve's rules come to for the folders of spam and of deleted mail, and how fixes write Sieve's settings."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Sequence

from mailaudit.checks.dovecot.edits import append, place_of
from mailaudit.editing import dovecot as editing
from mailaudit.edits import Edit, create
from mailaudit.findings import Exempt, Place
from mailaudit.models.dovecot.config import DovecotConfig
from mailaudit.models.dovecot.reading import Setting
from mailaudit.models.dovecot.settings import NEW
from mailaudit.models.files import Files, Gone
from mailaudit.models.reference import Reference
from mailaudit.models.sieve.script import Sieve
from mailaudit.models.sieve.uses import Use, plugin_settings, uses

LEARN = {"report-spam": "learn-spam.sh", "report-ham": "learn-ham.sh"}  # the reference's scripts, and what they pipe to
SCRIPTS = "/usr/local/lib/dovecot/sieve"  # where the guide has them
OTHER = "Archive"  # a folder like any other
SPAM = frozenset({"junk", "spam", "junk e-mail", "inbox.junk", "inbox.spam"})
_NUMBER = re.compile(r"imapsieve_mailbox(\d+)_")


def folders(dovecot: DovecotConfig, flag: str) -> list[str]:
    """The names of the folders that have a special use (RFC 6154)."""
    found: list[str] = []
    for namespace in dovecot.root.of("namespace"):
        prefix = namespace.get("prefix")
        for mailbox in namespace.of("mailbox"):
            use = mailbox.get("special_use")
            if use is not None and f"\\{flag}".lower() in use.value.lower().split():
                found.append((prefix.value if prefix is not None else "") + mailbox.name)
    return found


def trash(dovecot: DovecotConfig) -> str:
    """The folder of deleted mail."""
    return next(iter(folders(dovecot, "Trash")), "Trash")


def junk(dovecot: DovecotConfig) -> str:
    """The folder of spam: that with the special use, of several the one that imapsieve's rules name; else one called so."""
    named = [setting.value for name, setting in plugin_settings(dovecot).items() if name.endswith("_name")]
    if dovecot.family == NEW:
        named = [name for use in uses(dovecot) for name in (use.mailbox, use.source) if name and name != "*"]
    special = folders(dovecot, "Junk")
    mailboxes = [mailbox.name for namespace in dovecot.root.of("namespace") for mailbox in namespace.of("mailbox")]
    usual = (name for name in (*mailboxes, *named) if name.lower() in SPAM)
    return next((name for name in (*(each for each in special if each in named), *special, *usual)), "Junk")


def not_asked(dovecot: DovecotConfig) -> Exempt | None:
    """Why nothing is asked of imapsieve: there are no folders to move mail between, or another plugin learns from it."""
    if "imap" not in dovecot.protocols:
        return Exempt("Dovecot does not serve IMAP")
    if "antispam" in dovecot.words("mail_plugins", "imap"):
        return Exempt("the plugin antispam learns from what users move")
    return None


def told_elsewhere(sieve: Sieve, dovecot: DovecotConfig) -> Exempt | None:
    """Why a part of the way from a user's move to rspamd is not asked for: of a way without any part SIEVE001 speaks alone."""
    if why := not_asked(dovecot):
        return why
    plugins = {name for word in dovecot.words("mail_plugins", "imap") for name in re.split("[ ,]", word)}
    settings = any(name.startswith("imapsieve_") for name in plugin_settings(dovecot))
    parts = sieve.at("imap before", "imap after") or {"sieve_imapsieve", "sieve_extprograms"} & set(sieve.plugins)
    if parts or settings or "imap_sieve" in plugins or sieve.directories:
        return None
    return Exempt("no part of learning from what users move is set up, which SIEVE001 tells")


def running(sieve: Sieve, dovecot: DovecotConfig) -> list[Use]:
    """The rules of imapsieve that Dovecot gets to: 2.3 reads them by number, and stops at the first that has no name."""
    found = sieve.at("imap before", "imap after")
    if dovecot.family == NEW:
        return found
    end = first_free(dovecot)
    return [use for use in found if (match := _NUMBER.match(use.setting.name)) and int(match[1]) < end]


def first_free(dovecot: DovecotConfig) -> int:
    """The first number from 1 on under which no rule of imapsieve has a name."""
    settings = plugin_settings(dovecot)
    number = 1
    while (name := settings.get(f"imapsieve_mailbox{number}_name")) is not None and name.value:
        number += 1
    return number


def fires(use: Use, source: str, target: str) -> bool:
    """True if a rule has its scripts run when a message is copied, or moved, from one folder to another."""
    if use.causes is not None and "COPY" not in use.causes:
        return False
    return _is(use.mailbox, target) and (use.source is None or _is(use.source, source))


def _is(pattern: str | None, name: str) -> bool:
    """True if a pattern of IMAP's LIST matches a folder's name; INBOX is written in any case."""
    if pattern is None:
        return False
    parts = (
        re.escape(part) if part not in "*%" else ".*" if part == "*" else "[^./]*"
        for part in re.split(r"([*%])", pattern)
        if part
    )
    flags = re.IGNORECASE if name.upper() == "INBOX" else 0
    return re.fullmatch("".join(parts), name, flags) is not None


def learns_spam(sieve: Sieve, dovecot: DovecotConfig) -> list[Use]:
    """The rules that run when a message comes into the folder of spam."""
    return [use for use in running(sieve, dovecot) if fires(use, "INBOX", junk(dovecot))]


def learns_ham(sieve: Sieve, dovecot: DovecotConfig) -> list[Use]:
    """The rules that run when a message leaves the folder of spam."""
    spam = learns_spam(sieve, dovecot)
    folders = ("INBOX", OTHER)
    return [
        use for use in running(sieve, dovecot) if use not in spam and any(fires(use, junk(dovecot), name) for name in folders)
    ]


def place(dovecot: DovecotConfig, setting: Setting | None) -> Place:
    """Where a setting is written, or the file that it would stand in."""
    return place_of(dovecot) if setting is None or setting.statement is None else Place.at(setting.span)


def rule_lines(dovecot: DovecotConfig, script: str, mailbox: str, source: str | None) -> tuple[Edit, ...]:
    """The lines of a rule of imapsieve, in the words of the host's Dovecot."""
    path = f"{SCRIPTS}/{script}.sieve"
    if dovecot.family == NEW:
        block = (f"sieve_script {script} {{", "\ttype = before", "\tcause = copy", f"\tpath = {path}", "}")
        outer = f"imapsieve_from {editing.write(source)} {{" if source else f"mailbox {editing.write(mailbox)} {{"
        return append(dovecot, outer, *(f"\t{line}" for line in block), "}")
    number = first_free(dovecot)
    values = {"name": mailbox, "from": source, "causes": "COPY", "before": f"file:{path}"}
    settings = [(f"imapsieve_mailbox{number}_{part}", value) for part, value in values.items() if value]
    return append(dovecot, "plugin {", *(f"\t{name} = {value}" for name, value in settings), "}")


def files_of(sieve: Sieve, files: Files, reference: Reference, path: str, name: str) -> tuple[Edit, ...]:
    """What makes a script's path lead to the reference's script of a name, and its pipe to a program, where none is there."""
    text = reference.text(f"{SCRIPTS}/{name}.sieve")
    if text is None or not isinstance(files.stat(path), Gone):
        return ()
    program = LEARN.get(name)
    setting = sieve.directories.get("sieve_pipe_bin_dir")
    started = posixpath.join(setting.value if setting is not None else SCRIPTS, program or "")
    of_program = reference.text(f"{SCRIPTS}/{program}")
    with_program = of_program is not None and isinstance(files.stat(started), Gone)
    return (create(path, text), *((create(started, of_program),) if with_program and of_program is not None else ()))


def set_plugin(dovecot: DovecotConfig, name: str, value: str) -> tuple[Edit, ...]:
    """Give one of Sieve's settings a value: where it is set, else among the settings of plugins."""
    setting = plugin_settings(dovecot).get(name)
    if setting is not None and setting.statement is not None:
        return editing.replace_value(setting.statement, value)
    if dovecot.family == NEW:
        return append(dovecot, f"{name} = {value}")
    own = next((tree for tree in dovecot.trees if tree.text is dovecot.own), None)
    if own is not None and editing.sections(own, ("plugin",)):
        return editing.set_value(own, name, value, ("plugin",)) or ()
    return append(dovecot, "plugin {", f"\t{name} = {value}", "}")


def add_words(dovecot: DovecotConfig, name: str, words: Sequence[str], sign: str = "") -> tuple[Edit, ...]:
    """More words in a list: in 2.4 as a block that adds to what is there."""
    if dovecot.family == NEW:
        return append(dovecot, f"{name} {{", *(f"\t{word} = yes" for word in words), "}")
    return set_plugin(dovecot, name, _joined(plugin_settings(dovecot).get(name), (f"{sign}{word}" for word in words)))


def _joined(setting: Setting | None, words: Iterable[str]) -> str:
    return " ".join((*(setting.value.split() if setting is not None else ()), *words))
