"""Rules about Sieve's settings: what is learned from what users move, what scripts may do, where users' own scripts lie."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator

from mailaudit.checks.dovecot.edits import insert_below, place_of
from mailaudit.checks.registry import rule
from mailaudit.checks.sieve.edits import (
    OTHER,
    SCRIPTS,
    add_words,
    files_of,
    fires,
    junk,
    learns_spam,
    not_asked,
    place,
    rule_lines,
    running,
    set_plugin,
    told_elsewhere,
)
from mailaudit.editing import dovecot as editing
from mailaudit.edits import Edit, Fix, Safety
from mailaudit.findings import Doubt, Exempt, Finding, Outcome, Place
from mailaudit.models.credentials import Credentials
from mailaudit.models.dovecot.config import DovecotConfig
from mailaudit.models.dovecot.parts import evaluate
from mailaudit.models.dovecot.reading import Setting
from mailaudit.models.dovecot.settings import NEW
from mailaudit.models.dovecot.values import list_words
from mailaudit.models.files import Files
from mailaudit.models.reference import Reference
from mailaudit.models.sieve.script import Sieve
from mailaudit.models.sieve.uses import Use, active, location, plugin_settings
from mailaudit.models.sources import Lacking, Missing, NotHere
from mailaudit.questions import Reason

PLUGINS = ("sieve_imapsieve", "sieve_extprograms")
PIPE = "vnd.dovecot.pipe"
PROGRAMS = frozenset({PIPE, "vnd.dovecot.filter", "vnd.dovecot.execute"})
OPTIONAL = frozenset({*PROGRAMS, "vnd.dovecot.environment"})
DEFAULT_PLACE = "file:~/sieve;active=~/.dovecot.sieve"  # Pigeonhole's own for 2.3
SOMEBODY, SOMEWHERE = "somebody@example.com", "/an/unknown/home"


@rule("SIEVE001")
def spam_is_learned(sieve: Sieve, dovecot: DovecotConfig, files: Files, reference: Reference) -> Iterator[Outcome]:
    """A script runs when a user moves a message into the folder of spam."""
    why = not_asked(dovecot)
    if why is not None:
        yield why
        return
    if learns_spam(sieve, dovecot):
        return
    message = f"Nothing happens when a user moves a message into {junk(dovecot)}, so nobody's spam is learned."
    edits = rule_lines(dovecot, "report-spam", junk(dovecot), None)
    edits += files_of(sieve, files, reference, f"{SCRIPTS}/report-spam.sieve", "report-spam")
    yield _no_rule(sieve, dovecot, message, ("INBOX", junk(dovecot)), "report-spam", edits)


@rule("SIEVE002")
def ham_is_learned(sieve: Sieve, dovecot: DovecotConfig, files: Files, reference: Reference) -> Iterator[Outcome]:
    """A script runs when a user moves a message out of the folder of spam, wherever to."""
    why = told_elsewhere(sieve, dovecot)
    if why is not None:
        yield why
        return
    name = junk(dovecot)
    for target in ("INBOX", OTHER):
        if not any(fires(use, name, target) for use in running(sieve, dovecot)):
            where = "another folder" if target == OTHER else target
            message = f"Nothing happens when a user moves a message from {name} to {where}, so rspamd does not learn its mistake."
            edits = rule_lines(dovecot, "report-ham", "*", name)
            edits += files_of(sieve, files, reference, f"{SCRIPTS}/report-ham.sieve", "report-ham")
            yield _no_rule(sieve, dovecot, message, (name, target), "report-ham", edits)
            return


def _no_rule(  # noqa: PLR0913, PLR0917  what a finding says, and what mends it
    sieve: Sieve, dovecot: DovecotConfig, message: str, way: tuple[str, str], script: str, edits: tuple[Edit, ...]
) -> Finding:
    """A finding at the rule that lacks nothing but the cause, or about one that is missing."""
    for use in running(sieve, dovecot):
        if fires(_for_all_causes(use), *way):
            causes = use.settings.get("causes") or use.settings.get("cause")
            span = causes.span if causes is not None else (use.setting.within or (use.setting,))[-1].span
            mended = _for_copies(dovecot, use, causes)
            fix = Fix("Run it for copies", Safety.SAFE, mended) if mended else None
            return Finding(message, (Place.at(span),), fix, f"rule {script}", causes.value if causes is not None else "")
    fix = Fix("Add the rule", Safety.SAFE, edits, (f"sievec {SCRIPTS}/{script}.sieve",)) if edits else None
    return Finding(message, (place_of(dovecot),), fix, f"rule {script}", "missing", absence=True)


def _for_copies(dovecot: DovecotConfig, use: Use, causes: Setting | None) -> tuple[Edit, ...]:
    """Copies among what a rule runs for; 2.4 finds its words for certain where all are in lower case."""
    if causes is None or causes.statement is None:
        return insert_below(dovecot, use.setting.within[-1], "cause = copy") if use.setting.within else ()
    words = [*list_words(causes.value.lower()), "copy"] if dovecot.family == NEW else [causes.value, "COPY"]
    return editing.replace_value(causes.statement, " ".join(dict.fromkeys(words)))


def _for_all_causes(use: Use) -> Use:
    return Use(use.when, use.setting, use.location, use.paths, use.mailbox, use.source)


@rule("SIEVE005")
def scripts_have_their_extensions(sieve: Sieve, dovecot: DovecotConfig) -> Iterator[Outcome]:
    """The plugins are loaded, and global scripts may use what the learning scripts require."""
    why = told_elsewhere(sieve, dovecot)
    if why is not None:
        yield why
        return
    missing = [name for name in PLUGINS if name not in sieve.plugins]
    settings = plugin_settings(dovecot)
    if missing:
        edits = add_words(dovecot, "sieve_plugins", missing)
        fix = Fix("Load them", Safety.SAFE, edits) if edits else None
        message = (
            f"Sieve's plugins lack {' and '.join(missing)}, so no script runs when users move mail, or none can start a program."
        )
        yield Finding(
            message, (place(dovecot, settings.get("sieve_plugins")),), fix, "sieve_plugins", " ".join(missing), absence=True
        )
        return
    required = {PIPE, *_required(sieve, dovecot)} & OPTIONAL
    off = sorted(required - sieve.available)
    if off:
        edits = add_words(dovecot, "sieve_global_extensions", off, "+")
        fix = Fix("Allow them to global scripts", Safety.SAFE, edits) if edits else None
        message = f"Global scripts may not use {' and '.join(off)}, so the learning scripts are refused."
        at = place(dovecot, settings.get("sieve_global_extensions"))
        yield Finding(message, (at,), fix, "sieve_global_extensions", " ".join(off), absence=True)


def _required(sieve: Sieve, dovecot: DovecotConfig) -> set[str]:
    """What the scripts of imapsieve require; where none is at hand, what the guide's do."""
    scripts = [script for use in running(sieve, dovecot) for script in sieve.scripts_of(use)]
    if not scripts:
        return {"vnd.dovecot.environment"}
    return {name for script in scripts for name in script.required}


@rule("SIEVE007")
def own_scripts_lie_apart(
    sieve: Sieve, dovecot: DovecotConfig, credentials: Credentials | Missing | Lacking | NotHere
) -> Iterator[Outcome]:
    """Each user's scripts lie in a place of their own, which IMAP does not show as a folder."""
    if isinstance(credentials, Lacking):
        yield Doubt(credentials.reason, credentials.detail)
        return
    has_scripts = "sieve" in dovecot.protocols or any("sieve" in dovecot.words("mail_plugins", name) for name in ("lmtp", "lda"))
    uses = sieve.at("personal")
    if not has_scripts or (dovecot.family == NEW and not uses):
        yield Exempt("no user has scripts")
        return
    paths = _places(uses[0]) if uses else (active(DEFAULT_PLACE), location(DEFAULT_PLACE))
    at = place(dovecot, uses[0].setting if uses else None)
    user, home = _somebody(dovecot, credentials)
    root = dovecot.mail_path(user, home or SOMEWHERE)
    for path in paths:
        if path is None:
            continue
        if not path.startswith("~") and "%" not in path and path.startswith("/"):
            if "sieve" not in dovecot.protocols:
                yield Exempt(f"users upload no scripts: that at {path} is the administrator's, for all")
                return
            message = f"All users share the scripts at {path}: whoever changes theirs changes everybody's."
            yield Finding(message, (at,), _apart(dovecot, user, home, root), "sieve", "shared")
            return
        whole = evaluate(path if path.startswith(("/", "~", "%")) else f"~/{path}", dovecot.family, user, home or SOMEWHERE)
        if root is None or whole is None or (home is None and whole.startswith(SOMEWHERE) and not root.startswith(SOMEWHERE)):
            message = "Whether users' scripts lie among their mail could not be told."
            yield Doubt(Reason.IN_DOUBT if home else Reason.NOT_RECORDED, message, (at,))
            return
        if _shows(whole, root):
            message = f"The scripts of {user} lie among their mail, where IMAP shows {posixpath.basename(whole)} as a folder."
            yield Finding(message, (at,), _apart(dovecot, user, home, root), "sieve", "in the mail")
            return


def _apart(dovecot: DovecotConfig, user: str, home: str | None, root: str | None) -> Fix | None:
    """Scripts in the user's home, if mail does not lie there; else DOVECOT041 has to part those first."""
    new = evaluate("~/sieve", dovecot.family, user, home or SOMEWHERE)
    if home is None or new is None or (root is not None and _shows(new, root)) or dovecot.family == NEW:
        return None
    edits = set_plugin(dovecot, "sieve", DEFAULT_PLACE)
    return Fix("Keep them in the home; move those that are there", Safety.UNSAFE, edits) if edits else None


def _places(use: Use) -> tuple[str | None, ...]:
    """Where the active script is, and where all of a user's are."""
    if "path" in use.settings:
        return use.location, location(use.settings["path"].value)
    return active(use.setting.value), location(use.setting.value)


def _somebody(dovecot: DovecotConfig, credentials: object) -> tuple[str, str | None]:
    """A user, and where their home is, if that is known."""
    entries = credentials.entries if isinstance(credentials, Credentials) else ()
    entry = next((each for each in entries if each.home.value), None)
    if entry is not None:
        return entry.address, entry.home.value
    return SOMEBODY, dovecot.home(SOMEBODY)


def _shows(path: str, root: str) -> bool:
    """True if a maildir shows what lies at a path: a name with a dot before it directly in the maildir, or anything below one."""
    if not path.startswith(f"{root}/"):
        return False
    return path.removeprefix(f"{root}/").startswith(".")


@rule("SIEVE010")
def users_start_no_programs(sieve: Sieve, dovecot: DovecotConfig) -> Iterator[Outcome]:
    """Users' own scripts can start no program."""
    allowed = sorted(PROGRAMS & sieve.user_extensions)
    if not allowed:
        return
    setting = plugin_settings(dovecot).get("sieve_extensions")
    edits = _moved(sieve, dovecot, setting, allowed)
    fix = Fix("Allow them to global scripts alone", Safety.SAFE, edits) if edits else None
    message = f"Users' own scripts may use {' and '.join(allowed)}: who can upload a script can start programs on this host."
    yield Finding(message, (place(dovecot, setting),), fix, "sieve_extensions", " ".join(allowed))


def _moved(sieve: Sieve, dovecot: DovecotConfig, setting: Setting | None, words: list[str]) -> tuple[Edit, ...]:
    """The edits that take words out of the users' extensions and keep them for global scripts."""
    if setting is None or setting.statement is None:
        return ()
    left = [word for word in setting.value.split() if word.lstrip("+") not in words]
    edits = editing.replace_value(setting.statement, " ".join(left)) if left else editing.remove(setting.statement)
    was_global = [word for word in words if word in sieve.available]
    named = plugin_settings(dovecot).get("sieve_global_extensions")
    known = {word.lstrip("+") for word in named.value.split()} if named is not None else set()
    more = [f"+{word}" for word in was_global if word not in known]
    if more and dovecot.family != NEW:
        if named is None or named.statement is None:
            line = f"sieve_global_extensions = {' '.join(more)}"
            kept = f"sieve_extensions = {' '.join(left)}" if left else ""
            return _instead(setting, [line, *([kept] if kept else [])])
        return (*edits, *set_plugin(dovecot, "sieve_global_extensions", " ".join((named.value, *more))))
    return edits


def _instead(setting: Setting, lines: list[str]) -> tuple[Edit, ...]:
    """Other lines in the place of a setting's."""
    assert setting.statement is not None
    span = setting.statement.span
    start = span.text.line_span(span.start)[0]
    indent = span.text.chars[start : span.start]
    return (Edit(span.path, span.start, span.end, f"\n{indent}".join(lines)),)
