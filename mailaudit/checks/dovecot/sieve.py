"""Rules about Dovecot's plugins: that imapsieve is loaded, where plugins are looked for, what ManageSieve says it can do."""

from __future__ import annotations

import re
from collections.abc import Iterator

from mailaudit.checks.dovecot.edits import add_plugin, place_of, plugin_setting, set_to
from mailaudit.checks.registry import rule
from mailaudit.checks.sieve.edits import told_elsewhere
from mailaudit.editing.dovecot import remove
from mailaudit.edits import Fix, Safety
from mailaudit.findings import Evidence, Exempt, Finding, Outcome, Place
from mailaudit.models.dovecot.config import DovecotConfig
from mailaudit.models.dovecot.reading import Setting
from mailaudit.models.files import Files, Gone
from mailaudit.models.sieve.script import Sieve

PLUGINS = "/usr/local/lib/dovecot"  # where OpenBSD's package puts them
CAPABILITIES = ("managesieve_sieve_capability", "managesieve_notify_capability")


def plugins(dovecot: DovecotConfig, protocol: str) -> frozenset[str]:
    """The plugins of a protocol; the daemon takes commas between them too."""
    return frozenset(name for word in dovecot.words("mail_plugins", protocol) for name in re.split("[ ,]", word) if name)


@rule("DOVECOT065")
def imap_has_imapsieve(dovecot: DovecotConfig, sieve: Sieve) -> Iterator[Outcome]:
    """The plugin imap_sieve is loaded for IMAP."""
    why = told_elsewhere(sieve, dovecot)
    if why is not None:
        yield why
    elif "imap_sieve" not in plugins(dovecot, "imap"):
        own = plugin_setting(dovecot, "imap")
        yield Finding(
            "IMAP does not load the plugin imap_sieve: no script runs when a user moves a message.",
            (place_of(dovecot) if own is None else Place.at(own.span),),
            Fix("Load it", Safety.SAFE, add_plugin(dovecot, "imap", "imap_sieve")),
            "protocol imap mail_plugins",
            "imap_sieve",
            absence=True,
        )


@rule("DOVECOT066")
def plugins_are_where_they_are_looked_for(dovecot: DovecotConfig, files: Files) -> Iterator[Outcome]:
    """Plugins are looked for where the package puts them, and that directory is there."""
    for setting in dovecot.everywhere("mail_plugin_dir"):
        if setting.value.rstrip("/") != PLUGINS:
            yield Finding(
                f"Dovecot looks for its plugins in {setting.value}; the package puts them into {PLUGINS}.",
                (place_of(dovecot) if setting.is_default else Place.at(setting.span),),
                Fix("Look where they are", Safety.SAFE, set_to(dovecot, setting, "mail_plugin_dir", PLUGINS)),
                "mail_plugin_dir",
                setting.value,
            )
    if isinstance(files.stat(PLUGINS), Gone) and files.of_host:
        where = (Evidence(f"stat {PLUGINS}", "not there"),)
        fix = Fix("Install the packages again", Safety.SAFE, commands=("pkg_add -r dovecot dovecot-pigeonhole",))
        yield Finding(f"{PLUGINS}, where Dovecot looks for its plugins, is not there.", where, fix, "directory")


@rule("DOVECOT067")
def capabilities_are_not_written_down(dovecot: DovecotConfig, sieve: Sieve) -> Iterator[Outcome]:
    """What Sieve can do is left to Dovecot to find out."""
    if "sieve" not in dovecot.protocols:
        yield Exempt("ManageSieve is not served")
        return
    for name in CAPABILITIES:
        for setting in dovecot.everywhere(name):
            if setting.statement is None or not setting.value:
                continue
            yield Finding(
                f"{name} is written by hand{_difference(setting, sieve)}.",
                (Place.at(setting.statement.span),),
                Fix("Let Dovecot find it out", Safety.SAFE, remove(setting.statement)),
                name,
                "set",
            )


def _difference(setting: Setting, sieve: Sieve) -> str:
    """What a list of Sieve's extensions says that is not so, or leaves out; nothing is known of notifications."""
    if setting.name != CAPABILITIES[0]:
        return ": Dovecot finds the list out by itself"
    said = frozenset(setting.value.split())
    wrong = sorted(said - sieve.user_extensions)
    missing = sorted(name for name in sieve.user_extensions - said if not name.startswith("comparator-"))
    if wrong:
        return f", and names what users' scripts may not use: {' '.join(wrong)}"
    if missing:
        return f", and leaves out what users' scripts may use: {' '.join(missing)}"
    return ": right today, and wrong once Sieve's extensions change"
