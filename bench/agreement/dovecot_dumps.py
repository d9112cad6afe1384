"""What `doveconf -n` prints, beside the effective settings of a model: section by section, value by value."""

from __future__ import annotations

import re
from collections.abc import Iterator

from mailaudit.models.dovecot.catalogue import Catalogue, Definition, catalogue
from mailaudit.models.dovecot.config import DovecotConfig
from mailaudit.models.dovecot.filters import network
from mailaudit.models.dovecot.reading import Setting, name_of
from mailaudit.models.dovecot.sections import Section
from mailaudit.models.dovecot.settings import FILTERS, NEW, OLD
from mailaudit.models.dovecot.values import comes_to, list_words

Key = tuple[tuple[str, str, int], ...]
"""The sections around a setting: type, name, and how many of that type and name come before it."""
HIDDEN = "# hidden, use -P to show it"
_HIDDEN_PART = "#hidden_use-P_to_show#"
DEBIAN = {
    "base_dir": "/run/dovecot",
    "default_internal_group": "dovecot",
    "default_internal_user": "dovecot",
    "default_login_user": "dovenull",
    "libexec_dir": "/usr/lib/dovecot",
    "login_plugin_dir": "/usr/lib/dovecot/modules/login",
    "mail_plugin_dir": "/usr/lib/dovecot/modules",
    "protocols": "",
    "state_dir": "/var/lib/dovecot",
}
"""What the package that was asked has where nothing is set, other than the one of OpenBSD."""
_OF_PLUGINS = frozenset(
    ("managesieve_notify_capability", "managesieve_sieve_capability")
)  # what an installed plugin says it can do


def differences(model: DovecotConfig, printed: str) -> list[str]:
    """Where a print differs from a model, in words."""
    known = catalogue(model.family)
    theirs = dict(_printed(printed, known))
    ours, optional = _effective(model, known)
    found = []
    for key, value in theirs.items():
        said = ours.get(key, optional.get(key))
        if said is None:
            if not _is_own(key, value, known):
                found.append(f"doveconf has {_words(key)} = {value!r}, mailaudit nothing")
        elif not _same(said, value, key, known):
            found.append(f"{_words(key)} is {value!r} to doveconf, {said.value!r} to mailaudit")
    found += [f"mailaudit has {_words(key)} = {ours[key].value!r}, doveconf nothing" for key in ours if key not in theirs]
    return found


def _words(key: tuple[Key, str]) -> str:
    return "/".join([*(f"{type_} {name}".strip() for type_, name, _ in key[0]), key[1]])


def _printed(text: str, known: Catalogue) -> Iterator[tuple[tuple[Key, str], str]]:
    """The settings of a print by their full names."""
    open_: list[tuple[str, str, int]] = []
    counts: dict[tuple[Key, str, str], int] = {}
    document: list[str] = []
    heredoc: tuple[tuple[Key, str], str] | None = None
    for line in text.split("\n"):
        stripped = line.strip()
        if heredoc is not None:
            if stripped == heredoc[1]:
                yield heredoc[0], "\n".join(document)
                heredoc = None
            else:
                document.append(line)
        elif (
            not stripped or (not open_ and stripped.lstrip("{\\!&<>?@[]^`~$").startswith("#")) or stripped.startswith("doveconf:")
        ):
            continue
        elif stripped.endswith("{") and " = " not in stripped:
            open_.append(_opened(stripped, tuple(open_), counts, known))
        elif stripped == "}":
            open_.pop()
        else:
            name, _, value = stripped.partition(" =")
            key = (tuple(open_), re.sub(r"\\(.)", r"\1", name[1:-1]) if name.startswith('"') else name)
            key = _full(key, known)
            value = value.removeprefix(" ")
            if value.startswith("<<"):
                heredoc, document = (key, value[2:].strip()), []
            else:
                yield key, _unquoted(value)


def _opened(line: str, around: Key, counts: dict[tuple[Key, str, str], int], known: Catalogue) -> tuple[str, str, int]:
    type_, _, name = line[:-1].strip().removeprefix("group ").partition(" ")
    name = _unquoted(name.strip())
    if known.family == NEW and around and type_ not in FILTERS:
        for each in _prefixes(around[-1]):
            if (definition := known.get(f"{each}_{type_}")) is not None and definition.kind != "filter":
                type_ = f"{each}_{type_}"
                break
    name = _net(name) if type_ in ("local", "remote") else name
    key = (around, type_, name)
    counts[key] = counts.get(key, -1) + 1
    return type_, name, counts[key] if known.family == OLD and not name else 0


def _prefixes(step: tuple[str, str, int]) -> list[str]:
    type_, name, _ = step
    return [f"{type_}_{name}", type_] if name else [type_]


def _net(name: str) -> str:
    net = network(name)
    return name if net is None else str(net)


def _full(key: tuple[Key, str], known: Catalogue) -> tuple[Key, str]:
    """A printed name with the prefix that the section around it stands for; where the section has no name, outside of it."""
    path, name = key
    if known.family == OLD or not path or path[-1][0] in FILTERS:
        return key
    for each in _prefixes(path[-1]):
        full = name if name.startswith(f"{each}_") and not path[-1][1] else f"{each}_{name}"
        if (definition := known.get(full)) is not None and definition.kind != "filter":
            own = known.get(path[-1][0])
            return (path[:-1] if own and own.kind == "filter" else path), full
    return key


def _unquoted(value: str) -> str:
    if len(value) > 1 and value[0] == value[-1] == '"':
        return re.sub(r"\\(.)", r"\1", value[1:-1])
    return value


def _effective(model: DovecotConfig, known: Catalogue) -> tuple[dict[tuple[Key, str], Setting], dict[tuple[Key, str], Setting]]:
    """What a print must have, and what it may have: explicit settings that are as they are without being set."""
    must: dict[tuple[Key, str], Setting] = {}
    may: dict[tuple[Key, str], Setting] = {}
    for path, where, section in _sections(model.root, (), (), known):
        for setting in section.settings.values():
            if setting.statement is None or _is_from_group(setting, path):
                continue
            definition = known.get(setting.name, where)
            default = None if definition is None else _value(definition, definition.default, known)
            is_default = definition is not None and _value(definition, setting.value, known) == default and not setting.from_file
            is_plain = not path or (known.family == OLD and path[-1][0] in ("passdb", "userdb"))
            is_other = definition is not None and definition.kind != "str"
            is_optional = (is_default and (is_plain or known.family == NEW or is_other)) or _is_versions(setting.name)
            is_optional = is_optional or DEBIAN.get(setting.name) == setting.value
            (may if is_optional else must)[path, setting.name] = setting
    return must, may


def _is_versions(name: str) -> bool:
    return name in ("dovecot_config_version", "dovecot_storage_version")


def _is_from_group(setting: Setting, path: Key) -> bool:
    groups = [each for each in setting.within if each.kind == "group" or name_of(each)[0].startswith("@")]
    return bool(groups) and not (path and path[0][0].startswith("@"))


def _sections(
    section: Section, path: Key, where: tuple[str, ...], known: Catalogue
) -> Iterator[tuple[Key, tuple[str, ...], Section]]:
    yield path, where, section
    counts: dict[tuple[str, str], int] = {}
    for each in section.sections:
        name = _net(each.name) if each.type in ("local", "remote") else each.name
        counts[each.type, name] = counts.get((each.type, name), -1) + 1
        count = counts[each.type, name] if known.family == OLD and not name else 0
        inside = () if known.family == NEW or each.type in FILTERS else (*where, each.type)
        yield from _sections(each, (*path, (each.type, name, count)), inside, known)


def _value(definition: Definition | None, value: str, known: Catalogue) -> object:
    if definition is None:
        return " ".join(value.split())
    if definition.kind == "boollist":
        return list_words(value)
    found = comes_to(definition, value, is_new=known.family == NEW)
    return " ".join(value.split()) if found is None or isinstance(found, str) else found


def _same(setting: Setting, printed: str, key: tuple[Key, str], known: Catalogue) -> bool:
    if printed == HIDDEN or _HIDDEN_PART in printed:
        return True
    value = setting.value
    if key == ((), "protocols"):  # Debian's package turns none on by itself
        value = value.replace("imap pop3 lmtp", "", 1) if setting.token and "$protocols" in setting.token.value else value
    if setting.from_file:
        return printed.removeprefix("<").strip() == value
    where = tuple(type_ for type_, _, _ in key[0] if type_ not in FILTERS) if known.family == OLD else ()
    definition = known.get(key[1], where)
    if _value(definition, value, known) == _value(definition, printed, known):
        return True
    written = setting.token.value if setting.token else ""
    return "$" in printed and " ".join(written.split()) == " ".join(printed.split())  # doveconf -n leaves variables as they are


def _is_own(key: tuple[Key, str], value: str, known: Catalogue) -> bool:
    """True for what doveconf prints of its own accord."""
    path, name = key
    if name in _OF_PLUGINS or _is_versions(name):
        return True
    if known.family == OLD:
        return bool(path) and path[-1][0] == "namespace" and name in ("location", "prefix") and not value
    types = [type_ for type_, _, _ in path]
    definition = known.get(types[-1]) if types else None
    is_element = definition is not None and value == "yes" and name in definition.default.split()
    return is_element or (bool(types) and known.preset.get((types[-1],), {}).get(name) is not None)
