"""Which of Dovecot's settings have Sieve scripts run, and when: those of 2.3's plugins, and 2.4's `sieve_script` sections."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from mailaudit.models.dovecot.config import DovecotConfig
from mailaudit.models.dovecot.reading import Setting
from mailaudit.models.dovecot.sections import Section
from mailaudit.models.dovecot.settings import NEW
from mailaudit.models.dovecot.values import is_true, list_words

_DELIVERY = {"sieve_before": "before", "sieve_after": "after", "sieve_default": "default", "sieve_discard": "discard"}
_NUMBERED = re.compile(r"(sieve_before|sieve_after)([0-9]*)")
_IMAP = re.compile(r"imapsieve_mailbox([0-9]+|XXX)_(name|from|causes|before|after)")
_NEW = ("type", "path", "driver", "cause", "active_path")


@dataclass(frozen=True, slots=True, eq=False)
class Use:
    """A setting that has scripts run.

    `when` is `before`, `after`, `default`, `discard` or `personal` at delivery, and `imap before` or `imap after` for what users
    do over IMAP; there `mailbox` is the mailbox that something happens in, `source` the one a message comes from (None for any),
    both maybe with wildcards, and `causes` are what it runs for of COPY, APPEND and FLAG; None for whatever happens, which a 2.3
    means that names none (2.4 then never runs it). `location` is the path as set, None if it is no file's; `paths` are the
    scripts' own paths where they can be told. `settings` are all that make it up, by their last word (`name`, `from`, `causes`,
    `before`; in 2.4 `type`, `path`, `cause`).
    """

    when: str
    setting: Setting
    location: str | None
    paths: tuple[str, ...] = ()
    mailbox: str | None = None
    source: str | None = None
    causes: tuple[str, ...] | None = None
    settings: Mapping[str, Setting] = field(default_factory=dict, repr=False)

    @property
    def is_global(self) -> bool:
        """True for scripts of the administrator's."""
        return self.when != "personal"


def plugin_settings(dovecot: DovecotConfig) -> dict[str, Setting]:
    """The settings that plugins get: in 2.3 those of `plugin` sections, those for deliveries before those for all; in 2.4 all."""
    if dovecot.family == NEW:
        return dict(dovecot.root.settings)
    found: dict[str, Setting] = {}
    within = [dovecot.root, *(each for each in dovecot.root.of("protocol") if each.name in ("lmtp", "lda", "imap"))]
    for section in within:
        for plugin in section.of("plugin"):
            found.update(plugin.settings)
    return found


def location(value: str) -> str | None:
    """The path in a script's location (`file:/path;name=...`), or None if it is no file's."""
    kind, colon, rest = value.partition(":")
    if colon and kind.isalnum():
        if kind.lower() != "file":
            return None
        value = rest
    return value.partition(";")[0] or None


def _causes(section: Section, setting: Setting | None) -> tuple[str, ...]:
    """What 2.4 runs a script for: it sorts the words by their bytes and searches without case, so that mixed cases may miss."""
    found = list_words(setting.value) if setting is not None else []
    for name in ("cause", "sieve_script_cause"):
        block = section.named(name, "")
        for each in block.settings.values() if block is not None else ():
            found = [word for word in found if word != each.name] + [each.name] * is_true(each.value)
    words = [word.upper() for word in sorted(found)]
    return tuple(cause for cause in ("APPEND", "COPY", "FLAG") if _is_found(words, cause))


def _is_found(words: list[str], wanted: str) -> bool:
    """The daemon's own binary search."""
    left, right = 0, len(words)
    while left < right:
        middle = (left + right) // 2
        if words[middle] == wanted:
            return True
        left, right = (middle + 1, right) if words[middle] < wanted else (left, middle)
    return False


def active(value: str) -> str | None:
    """The script that is run out of a user's directory of scripts (`file:~/sieve;active=...`), if a location names it."""
    options = value.split(";")[1:]
    return next((option.removeprefix("active=") for option in options if option.startswith("active=")), None)


def uses(dovecot: DovecotConfig) -> tuple[Use, ...]:
    """All settings that have scripts run, in the order in which they run."""
    return tuple(_new_uses(dovecot) if dovecot.family == NEW else _old_uses(plugin_settings(dovecot)))


def _old_uses(settings: Mapping[str, Setting]) -> Iterator[Use]:
    """The uses of 2.3's settings, in the order in which they run."""
    for name in sorted(settings, key=_order):
        setting = settings[name]
        match = _NUMBERED.fullmatch(name)
        base = match[1] if match else name
        if base in _DELIVERY and setting.value:
            yield Use(_DELIVERY[base], setting, location(setting.value))
        elif name == "sieve" and setting.value:
            yield Use("personal", setting, active(setting.value) or location(setting.value))
    rules = {match[1]: None for name in settings if (match := _IMAP.fullmatch(name))}
    for number in rules:
        given = {
            part: settings.get(f"imapsieve_mailbox{number}_{part}") for part in ("name", "from", "causes", "before", "after")
        }
        known = {part: setting for part, setting in given.items() if setting is not None and setting.value}
        for part in ("before", "after"):
            if part in known and "name" in known:
                causes = tuple(known["causes"].value.upper().replace(",", " ").split()) if "causes" in known else None
                source = known["from"].value if "from" in known else None
                place = location(known[part].value)
                yield Use(f"imap {part}", known[part], place, (), known["name"].value, source, causes, known)


def _order(name: str) -> tuple[int, int, str]:
    """Before, personal, default, after; numbered ones by number."""
    match = _NUMBERED.fullmatch(name)
    rank = ("sieve_before", "sieve", "sieve_default", "sieve_after", "sieve_discard")
    base = match[1] if match else name
    number = int(match[2][:9]) if match and match[2] else 1
    return (rank.index(base) if base in rank else len(rank), number, name)


def _new_uses(dovecot: DovecotConfig) -> Iterator[Use]:
    """The uses of 2.4's `sieve_script` sections, those within mailboxes and `imapsieve_from` among them."""
    left: list[tuple[Section, str | None, str | None]] = [(dovecot.root, None, None)]
    found: list[Use] = []
    while left:
        section, mailbox, source = left.pop()
        if section.type == "sieve_script":
            use = _new_use(section, mailbox, source)
            found += [use] if use is not None else []
        mailbox = section.name if section.type == "mailbox" else mailbox
        source = section.name if section.type == "imapsieve_from" else source
        left += [(each, mailbox, source) for each in reversed(section.sections)]
    rank = ("before", "personal", "default", "after")
    yield from sorted(found, key=lambda use: rank.index(use.when) if use.when in rank else len(rank))


def _new_use(section: Section, mailbox: str | None, source: str | None) -> Use | None:
    given = {
        name: setting for name in _NEW if (setting := section.get(name, f"sieve_script_{name}")) is not None and setting.value
    }
    path = given.get("path")
    kind = given["type"].value.lower() if "type" in given else "personal"
    is_file = "driver" not in given or given["driver"].value.lower() == "file"
    if path is None or kind == "global":
        return None
    in_imap = mailbox is not None or source is not None
    when = f"imap {kind}" if in_imap else kind
    causes = _causes(section, given.get("cause")) if in_imap else None
    name = mailbox or "*" if in_imap else None
    place = given["active_path"].value if kind == "personal" and "active_path" in given else path.value
    return Use(when, path, place if is_file else None, (), name, source, causes, given)
