"""Dovecot 2.3 and what it was converted to: does 2.4 mean the same by it?"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from bench.agreement import Row
from bench.agreement.dovecot import FOLDER, INSTALLED, MAIN, _answer, model_of
from mailaudit.converting.conversion import Conversion, convert
from mailaudit.models.dovecot.catalogue import catalogue
from mailaudit.models.dovecot.config import DovecotConfig
from mailaudit.models.dovecot.sections import Section
from mailaudit.models.dovecot.settings import NEW, OLD
from mailaudit.models.dovecot.values import comes_to, list_words
from mailaudit.questions import Command, CommandOutput, Found, RunCommand
from mailaudit.snapshot import Snapshot
from mailaudit.survey import learned
from mailaudit.text import encode

EXPLAINED = {
    "jthvai+smtp-imap-configuration__etc_dovecot": "2.3 takes $ssl_cert in ssl_key for the path, as is written",
}
"""Trees of which something differs, and why that is right."""
USERS = ("anna.belle@example.com", "Bob@Example.org", "carl")
HOME = "/home/of/one"
_PROTOCOLS = (None, "imap", "pop3", "lmtp", "lda", "sieve", "submission")
_NEW_NAMES = {"zlib": "mail_compress"}
_GONE = frozenset(
    ("imap_zlib", "stats", "imap_stats", "old_stats", "imap_old_stats", "autocreate")  # built in, or gone since 2.3
)
_LISTENER = re.compile(r"\[(.*)\]")


def conversion_of(files: Mapping[str, bytes], installed: str | None = INSTALLED[OLD]) -> Conversion:
    """The conversion of a host that has these files and no others."""
    snapshot = Snapshot("host", "host", {})
    if installed:
        snapshot = snapshot.with_answers({RunCommand(Command.DOVECOT_VERSION): Found(CommandOutput(0, installed))})
    return learned(snapshot, lambda wave: {question: _answer(question, files) for question in wave}, convert)


def written(files: Mapping[str, bytes], made: Conversion) -> dict[str, bytes]:
    """The files of a host after a conversion."""
    return {**files, **{path: encode(chars) for path, chars in made.files.items()}}


def trees(corpora: Path) -> Iterator[tuple[str, dict[str, bytes]]]:
    """The /etc/dovecot of real hosts that are of 2.3 and have a main file, by name."""
    for folder in sorted((corpora / "dovecot" / "trees").iterdir()):
        files = {f"{FOLDER}/{path.relative_to(folder)}": path.read_bytes() for path in folder.rglob("*") if path.is_file()}
        if MAIN in files and b"dovecot_config_version" not in files[MAIN]:
            yield folder.name, files


def host_files(folder: Path) -> dict[str, bytes]:
    """The files of a host root that are Dovecot's, and the tables of users."""
    paths = [path for path in folder.rglob("*") if path.is_file() and ("dovecot" in str(path) or path.parent.name == "mail")]
    return {f"/{path.relative_to(folder)}": path.read_bytes() for path in paths}


def comments(files: Mapping[str, bytes]) -> dict[str, int]:
    """The comment lines of files, each with the number of times that it stands there."""
    found: dict[str, int] = {}
    for data in files.values():
        for line in data.decode("utf-8", "surrogateescape").splitlines():
            bare = line.strip(" \t\r")
            if bare.startswith("#"):
                found[bare] = found.get(bare, 0) + 1
    return found


def differences(old: DovecotConfig, new: DovecotConfig) -> list[str]:
    """What two configurations differ in, as far as both releases have it."""
    pairs = [*_whole(old, new), *_users(old, new)]
    found = [f"{what}: {one!r} was, {other!r} is" for what, one, other in pairs if one != other]
    return [*found, *_settings(old.root, new.root, ())]


def _whole(old: DovecotConfig, new: DovecotConfig) -> Iterator[tuple[str, object, object]]:
    yield "family", (old.family, new.family), (OLD, NEW)
    yield "protocols", old.protocols, new.protocols
    yield "listeners", _listeners(old), _listeners(new)
    yield "ssl", old.ssl.value, new.ssl.value or "yes"
    for what in ("certificate", "key"):
        one, other = getattr(old, what), getattr(new, what)
        yield what, old.path_of(one), new.path_of(other)
    yield "mechanisms", set(old.words("auth_mechanisms")), set(new.words("auth_mechanisms"))
    for protocol in _PROTOCOLS:
        plugins = {_NEW_NAMES.get(word, word) for word in old.words("mail_plugins", protocol)} - _GONE
        yield f"plugins of {protocol}", plugins, set(new.words("mail_plugins", protocol))
    for what in ("passdbs", "userdbs"):
        yield what, [each.driver for each in getattr(old, what)], [each.driver for each in getattr(new, what)]
    for name in ("first_valid_uid", "first_valid_gid", "mail_uid", "mail_gid", "ssl_min_protocol", "auth_verbose"):
        yield name, old.setting(name).value, new.setting(name).value


def _listeners(config: DovecotConfig) -> set[tuple[object, ...]]:
    plain = [each for each in config.listeners if each.name != "submissions"]
    return {
        (each.service, each.port, each.ssl, tuple(_LISTENER.sub(r"\1", address) for address in each.addresses)) for each in plain
    }


def _users(old: DovecotConfig, new: DovecotConfig) -> Iterator[tuple[str, object, object]]:
    for user in USERS:
        yield f"login {user}", old.login(user), new.login(user)
        yield f"home of {user}", old.home(user), new.home(user)
        yield f"mail of {user}", old.mail_path(user, HOME), new.mail_path(user, HOME)
        for kind in ("passdbs", "userdbs"):
            one, other = ([config.key_in(each, user) for each in getattr(config, kind)] for config in (old, new))
            yield f"key of {user} in {kind}", one, other
    for protocol in ("imap", "lmtp"):
        places = [place.format if place is not None else None for place in (old.place_in(protocol), new.place_in(protocol))]
        yield f"format for {protocol}", places[0], places[1]
    yield "mailboxes", _mailboxes(old), _mailboxes(new)


def _mailboxes(config: DovecotConfig) -> dict[str, tuple[str, ...]]:
    """The mailboxes of the inbox's namespace that say what they are for."""
    found: dict[str, tuple[str, ...]] = {}
    for each in config.inbox.of("mailbox") if config.inbox is not None else ():
        said = [each.get(name, f"mailbox_{name}") for name in ("auto", "special_use", "autoexpunge")]
        if any(said):
            found[each.name] = tuple(one.value if one is not None else "" for one in said)
    return found


def _settings(old: Section, new: Section, path: tuple[str, ...]) -> Iterator[str]:
    """Plain settings that both have by one name, and services' settings with them."""
    known, also = catalogue(OLD), catalogue(NEW)
    for name, setting in old.settings.items():
        definition, other = known.get(name, path), also.get(name)
        if setting.statement is None or definition is None or other is None or other.kind != definition.kind:
            continue
        if "%" in setting.value or "$" in setting.value or name in ("imapc_features", "log_debug"):
            continue
        now = new.get(name)
        value = now.value if now is not None else other.default
        if comes_to(definition, setting.value, is_new=False) != comes_to(other, value, is_new=True):
            if other.kind == "boollist" and list_words(setting.value) == list_words(value):
                continue
            yield f"{'/'.join((*path, name))}: {setting.value!r} was, {value!r} is"
    for section in old.sections:
        if (
            section.type in ("service", "unix_listener", "inet_listener", "fifo_listener", "protocol", "local_name")
            and section.name
        ):
            again = new.named(section.type, section.name)
            inner = (*path, section.type) if section.type not in ("protocol", "local_name") else path
            yield from _settings(section, again if again is not None else Section(section.type, section.name), inner)


def wrong(files: Mapping[str, bytes], made: Conversion) -> list[str]:
    """What is wrong with a conversion that left nothing: lost comments, another meaning, a second conversion that changes it."""
    after = written(files, made)
    before, now = comments(files), comments(after)
    found = [f"lost: {line}" for line, count in before.items() if now.get(line, 0) < count]
    again = conversion_of(after)
    if not again.is_new or again.files:
        found.append("it is not one of 2.4")
    model = model_of(after, NEW)
    found += [each.message for each in model.refusals if "reads it at start" not in each.message]
    different = differences(model_of(files, OLD), model)
    if b"/protocols.d/" in files.get(MAIN, b""):  # Debian's protocols turn themselves on in files of their packages
        different = [each for each in different if not each.startswith(("protocols:", "listeners:"))]
    return found + different


def rows(corpora: Path) -> Iterator[Row]:
    """Real trees of 2.3 that 2.3 takes: converted with the same meaning, or named."""
    agree, faults, known = 0, list[str](), list[str]()
    for name, files in trees(corpora):
        lacking = "reads it at start"
        if any(lacking not in each.message for each in model_of(files, OLD).refusals):
            continue
        made = conversion_of(files)
        found = [] if made.left else wrong(files, made)
        if made.left or (found and name in EXPLAINED):
            known.append(f"{name}: {EXPLAINED.get(name) or str(made.left[0])}")
        elif found:
            faults.append(f"{name}: {'; '.join(found[:3])}")
        else:
            agree += 1
    yield Row("Dovecot 2.3 trees converted to 2.4", agree, agree + len(known) + len(faults), tuple(known), tuple(faults))
