"""What Dovecot refuses once all files are read: values that do not fit together, words that a list cannot have.

The daemon tells no line for these; the place is the setting that is wrong. Source: the settings checks of 2.3.19 and 2.4.1.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator

from mailaudit.models.dovecot.catalogue import Catalogue, catalogue
from mailaudit.models.dovecot.groups import own_group
from mailaudit.models.dovecot.places import crowded, doubled, nameless
from mailaudit.models.dovecot.reading import Reading, Setting, key_of
from mailaudit.models.dovecot.releases import of_other_releases
from mailaudit.models.dovecot.sections import Section
from mailaudit.models.dovecot.settings import FILTERS, NEW, OLD, OLD_PROTOCOLS, PROTOCOLS
from mailaudit.models.dovecot.values import comes_to, is_true, list_words
from mailaudit.parsers.tree import Problem, Statement

_NOT_ZERO = frozenset(
    (
        "auth_worker_max_count",
        "fts_search_timeout",
        "imapc_max_idle_time",
        "imapc_max_line_length",
        "lmtp_user_concurrency_limit",
        "mailbox_idle_check_interval",
        "submission_relay_max_idle_time",
    )
)
_NOT_EMPTY = frozenset(("dsync_alt_char", "dsync_hashed_headers"))
_AT_MOST = {"mail_cache_max_size": 2**30, "mail_cache_purge_delete_percentage": 100}
_AT_LEAST = {"auth_cache_size": 1024}  # or nothing
_PATHS = frozenset(("whitespace-before-path", "mailbox-for-path"))
_IMAPC = frozenset(
    (
        "guid-forced",
        "gmail-migration",
        "zimbra-workarounds",
        "no-examine",
        "proxyauth",
        "fetch-msn-workarounds",
        "fetch-fix-broken-mails",
        "send-id",
        "fetch-empty-is-expunged",
        "no-msn-updates",
    )
)
_WORDS: dict[str, dict[str, frozenset[str]]] = {
    "imap_client_workarounds": {"": frozenset(("delay-newmail", "tb-extra-mailbox-sep", "tb-lsub-flags"))},
    "pop3_client_workarounds": {"": frozenset(("outlook-no-nuls", "oe-ns-eoh"))},
    "lmtp_client_workarounds": {"": _PATHS},
    "submission_client_workarounds": {"": _PATHS | {"implicit-auth-external", "exotic-backend"}},
    "pop3c_features": {"": frozenset(("no-pipelining",))},
    "mail_log_events": {
        "": frozenset(
            ("delete", "undelete", "expunge", "save", "copy", "mailbox_create", "mailbox_delete", "mailbox_rename", "flag_change")
        )
    },
    "mail_log_fields": {"": frozenset(("uid", "box", "msgid", "size", "vsize", "flags", "from", "subject"))},
    "mail_attachment_detection_options": {
        "": frozenset(("add-flags", "add-flags-on-save", "no-flags-on-fetch", "exclude-inlined"))
    },
    "dsync_features": {
        OLD: frozenset(("empty-header-workaround",)),
        NEW: frozenset(("empty-header-workaround", "no-header-hashes")),
    },
    "imapc_features": {
        OLD: _IMAPC
        | frozenset(("rfc822.size", "fetch-headers", "search", "modseq", "delay-login", "fetch-bodystructure", "acl")),
        NEW: _IMAPC
        | frozenset(
            (
                "no-fetch-size",
                "no-fetch-headers",
                "no-search",
                "no-modseq",
                "no-delay-login",
                "no-fetch-bodystructure",
                "no-acl",
                "no-metadata",
                "no-qresync",
            )
        ),
    },
}
_SPECIAL_USES = frozenset("\\" + word for word in ("all", "archive", "drafts", "flagged", "important", "junk", "sent", "trash"))
_SERVICE_TYPES = frozenset(("", "log", "config", "anvil", "login", "startup", "worker"))
_VERBOSE = re.compile(r"(?:no|yes|plain|sha1)(?::0*[1-9][0-9]{0,8})?")
_UIDL = re.compile(r"%[-0-9.]*[A-Z]*(?:\{([^}]*)\}|(.))")
_LETTERS = frozenset("vumfg")
_LONG_LETTERS = frozenset(("uidvalidity", "uid", "md5", "filename", "guid"))


def _refusals(root: Section, reading: Reading, family: str, installed: str, *, packaged: bool) -> Iterator[Problem]:
    known = catalogue(family)
    version = root.settings.get("dovecot_config_version")
    if version is not None and installed.startswith(OLD):
        yield Problem("Dovecot 2.3 is installed, and these are settings of 2.4", version.span)
    if family == NEW:
        yield from _groups(root)
        yield from _unknown_elements(root)
        yield from of_other_releases(root, known, installed)
        if not packaged:
            yield from _versions(root, reading)
    if family == OLD:
        yield from _databases(root)
    for section in root.walk():
        if section.type.startswith("@") or section.type == "plugin":
            continue
        for setting in section.settings.values():
            if setting.statement is not None and "$ENV:" not in setting.value and not setting.from_file:
                yield from _refused(setting, section, root, known)
    yield from _together(root, family)
    yield from _metrics(root, family)
    yield from nameless(root)
    yield from doubled(root, known)
    yield from crowded(root, known)


def _versions(root: Section, reading: Reading) -> Iterator[Problem]:
    main = next(iter(reading.trees.values()))
    first = next((s for s in main.statements if s.template is not None), None)
    if first is not None and (first.kind != "setting" or key_of(first).value != "dovecot_config_version"):
        yield Problem("Dovecot 2.4 asks for dovecot_config_version as the first setting", first.tokens[0].span)
    version = root.settings.get("dovecot_config_version")
    if version is None:
        return
    for each in (version, *version.overridden):
        if not re.fullmatch(r"2\.4\.\d+", each.value):
            yield Problem("dovecot_config_version must be a version of Dovecot 2.4, as 2.4.0", each.span)
        elif each.before is not None and each.before.value != each.value:
            yield Problem("dovecot_config_version cannot be changed once it is set", each.span)
    storage = root.settings.get("dovecot_storage_version")
    if storage is None or not storage.value:
        yield Problem("Dovecot 2.4 asks for dovecot_storage_version as well", (storage or version).span)


def _groups(root: Section) -> Iterator[Problem]:
    """Groups that are named and not defined."""
    for section in root.walk():
        for name, setting in section.settings.items():
            if name.startswith("@") and (name, setting.value) not in root.index and own_group(name, setting.value) is None:
                yield Problem(f"no group {name} {setting.value} is defined", setting.span)


def _databases(root: Section) -> Iterator[Problem]:
    for section in (*root.of("passdb"), *root.of("userdb")):
        at: Statement = section.visits[0].statement
        if not section.settings.get("driver", Setting("driver", "")).value:
            yield Problem(f"this {section.type} has no driver", at.tokens[0].span)


def _refused(setting: Setting, section: Section, root: Section, known: Catalogue) -> Iterator[Problem]:
    """Why one setting is refused, wherever it stands."""
    name, value = setting.name, setting.value
    message = ""
    if name in _NOT_ZERO or name in _AT_MOST or name in _AT_LEAST:
        definition = known.get(name)
        number = comes_to(definition, value, is_new=known.family == NEW) if definition else None
        if number == 0 and name in _NOT_ZERO:
            message = f"{name} must not be 0"
        elif name in _AT_MOST and isinstance(number, int) and number > _AT_MOST[name]:
            message = f"{name} is too large"
        elif name in _AT_LEAST and isinstance(number, int) and 0 < number < _AT_LEAST[name]:
            message = f"{name} is too small"
    elif name in _NOT_EMPTY and not value:
        message = f"{name} must not be empty"
    elif name in _WORDS:
        message = _unknown_word(name, value, known.family)
    elif name in _CHECKS and "%{" not in value.replace("%{u", "").replace("%{m", ""):
        message = _CHECKS[name](value, section, known.family)
    elif name == "protocols" and not section.type:
        yield from _unknown_protocol(setting, root, known.family)
    if message:
        yield Problem(message, setting.span)


def _unknown_word(name: str, value: str, family: str) -> str:
    words = _WORDS[name].get(family) or _WORDS[name][""]
    for word in re.split(r"[ ,]+", value):
        is_own = word.lower() in words or word.startswith(("content-type=", "throttle:"))
        if word and not is_own:
            return f'{name} does not know "{word}"'
    return ""


def _unknown_protocol(setting: Setting, root: Section, family: str) -> Iterator[Problem]:
    if (setting.value == "none" and family == OLD) or setting.token is None:
        return
    own = {each.value for service in root.of("service") if (each := service.get("protocol"))}
    words = list_words(setting.value) if family == NEW else [word for word in setting.value.split(" ") if word]
    for word in words:
        if word not in PROTOCOLS and word not in own and (word not in OLD_PROTOCOLS or family == NEW):
            meant = [part.lower() for each in words for part in re.split(r"[,\t]", each) if part]
            meant = [OLD_PROTOCOLS.get(part, part) for part in meant]
            plain = " ".join(part for part in dict.fromkeys(meant) if part in PROTOCOLS)
            mend = plain if plain and "$" not in setting.token.value else None
            yield Problem(f'protocols names "{word}", which Dovecot does not know', setting.token.span, mend=mend)
            return


def _unknown_elements(root: Section) -> Iterator[Problem]:
    """Protocols that the block form of the list turns on and no service has."""
    own = {each.value for service in root.of("service") if (each := service.get("protocol"))}
    block = root.named("protocols", "")
    for setting in block.settings.values() if block else ():
        if is_true(setting.value) and setting.name not in PROTOCOLS and setting.name not in own and setting.statement:
            message = f'protocols names "{setting.name}", which Dovecot does not know'
            yield Problem(message, key_of(setting.statement).span)


def _listen(value: str, section: Section, family: str) -> str:
    return "listen must name at least one address" if family == OLD and not value and not section.name else ""


def _special_use(value: str, section: Section, family: str) -> str:
    unknown = next((word for word in value.split(" ") if word and word.lower() not in _SPECIAL_USES), None)
    return f"Dovecot 2.3 knows no special_use {unknown}" if unknown and family == OLD and section.type == "mailbox" else ""


def _separator(value: str, section: Section, _family: str) -> str:
    return (
        "a separator is one character"
        if section.type == "namespace" and len(value.encode("utf-8", "surrogateescape")) > 1
        else ""
    )


def _uidl(value: str, _section: Section, family: str) -> str:
    if family == NEW:
        return "" if "%{" in value else "pop3_uidl_format must hold a variable"
    found = [match for match in _UIDL.finditer(value) if match[2] != "%"]
    wrong = next((m for m in found if (m[2] or "") not in _LETTERS and (m[1] or "") not in _LONG_LETTERS), None)
    if wrong is not None:
        return f"pop3_uidl_format has no variable {wrong[0]}"
    return "" if found else "pop3_uidl_format must hold a variable"


def _type(value: str, section: Section, _family: str) -> str:
    is_wrong = section.type == "service" and value not in _SERVICE_TYPES
    return f'expected "log", "config", "anvil", "login", "startup" or "worker" for type, found "{value}"' if is_wrong else ""


def _vsz(value: str, _section: Section, family: str) -> str:
    definition = catalogue(OLD).get("vsz_limit", ("service",))
    size = comes_to(definition, value, is_new=family == NEW) if definition else None
    return (
        "vsz_limit must be at least 1 M" if isinstance(size, int) and (0 < size < 2**20 or (size == 0 and family == NEW)) else ""
    )


def _exporter(name: str, known: frozenset[str]) -> Callable[[str, Section, str], str]:
    """A check of the words of an event_exporter's setting."""

    def check(value: str, section: Section, family: str) -> str:
        words = value.split(" ") if name == "format_args" else [value]
        wrong = next((word for word in words if word not in known), None)
        return (
            f'{name} does not know "{wrong}"' if section.type == "event_exporter" and family == OLD and wrong is not None else ""
        )

    return check


def _passwords(value: str, _section: Section, _family: str) -> str:
    is_known = _VERBOSE.fullmatch(value)
    return (
        ""
        if is_known
        else f'expected "no", "plain" or "sha1", with ":" and a length, for auth_verbose_passwords, found "{value}"'
    )


def _hash(value: str, _section: Section, _family: str) -> str:
    mark = next((mark for mark in "/-" if mark in value), None)
    return f'mail_attachment_hash must not hold "{mark}"' if mark else ""


_CHECKS: dict[str, Callable[[str, Section, str], str]] = {
    "auth_verbose_passwords": _passwords,
    "format": _exporter("format", frozenset(("none", "json", "tab-text"))),
    "format_args": _exporter("format_args", frozenset(("", "time-rfc3339", "time-unix"))),
    "listen": _listen,
    "mail_attachment_hash": _hash,
    "mailbox_special_use": _special_use,
    "namespace_separator": _separator,
    "pop3_uidl_format": _uidl,
    "separator": _separator,
    "service_type": _type,
    "service_vsz_limit": _vsz,
    "special_use": _special_use,
    "transport": _exporter("transport", frozenset(("drop", "http-post", "log"))),
    "type": _type,
    "vsz_limit": _vsz,
}


def _together(root: Section, family: str) -> Iterator[Problem]:
    """Settings that contradict one another."""
    known = catalogue(family)
    for scope in (root, *(section for section in root.sections if section.type in FILTERS)):

        def value(name: str, scope: Section = scope) -> str:
            setting = scope.settings.get(name) or root.settings.get(name)
            return setting.value if setting else known.default(name)

        def at(*names: str, scope: Section = scope) -> Setting | None:
            return next((scope.settings[name] for name in names if name in scope.settings), None)

        index = at("mail_nfs_index", "mmap_disable", "mail_fsync")
        if index and is_true(value("mail_nfs_index")) and not is_true(value("mmap_disable")):
            yield Problem("mail_nfs_index = yes needs mmap_disable = yes", index.span)
        elif index and is_true(value("mail_nfs_index")) and value("mail_fsync") != "always":
            yield Problem("mail_nfs_index = yes needs mail_fsync = always", index.span)
        flag = at("pop3_delete_type", "pop3_deleted_flag")
        if flag and value("pop3_delete_type") == "flag" and not value("pop3_deleted_flag"):
            yield Problem("pop3_delete_type = flag needs pop3_deleted_flag", flag.span)
        clear = at("auth_allow_cleartext", "ssl")
        if family == NEW and clear and value("ssl") == "required" and is_true(value("auth_allow_cleartext")):
            yield Problem("auth_allow_cleartext = yes has no effect with ssl = required", clear.span)


def _metrics(root: Section, family: str) -> Iterator[Problem]:
    """Metrics and where they are sent."""
    for section in root.of("event_exporter"):
        for name in ("format", "transport"):
            if family == OLD and name not in section.settings and section.visits:
                yield Problem(f"the event_exporter {section.name} has no {name}", section.visits[0].statement.tokens[0].span)
        formats = [section.settings.get(name) for name in ("format", "format_args")]
        needs_time = formats[0] is not None and formats[0].value in ("json", "tab-text")
        if family == OLD and formats[0] and needs_time and not (formats[1] and formats[1].value):
            yield Problem(f"the format {formats[0].value} needs a time in format_args", formats[0].span)
    exporters = root.of("event_exporter")
    for section in root.of("metric"):
        exporter = section.get("exporter")
        if (
            exporter
            and exporter.value
            and exporter.value not in [each.name for each in exporters]
            and (exporters or family == NEW)
        ):
            yield Problem(f"no event_exporter has the name {exporter.value}", exporter.span)
        if family == OLD and section.visits and not section.name:
            yield Problem("a metric has a name", section.visits[0].statement.tokens[0].span)
        if family == OLD and not section.settings.get("filter", Setting("filter", "")).value and section.visits:
            yield Problem(f"the metric {section.name} has no filter", section.visits[0].statement.tokens[0].span)


def refusals(root: Section, reading: Reading, family: str, installed: str, *, packaged: bool) -> Iterable[Problem]:
    """All such refusals; `packaged` is true if no main file is at hand."""
    return dict.fromkeys(_refusals(root, reading, family, installed, packaged=packaged))
