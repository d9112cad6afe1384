"""The Sieve plugins' settings: each script and each place of scripts is a section in 2.4."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import partial

from mailaudit.converting.locations import Unsaid
from mailaudit.converting.variables import in_new_words
from mailaudit.converting.writing import Work, assign, block, named
from mailaudit.parsers.tree import Statement

Found = Mapping[str, tuple[Statement, str]]
_ORDERED = re.compile(r"sieve_(before|after)(\d*)")
EVERY_CAUSE = ("append", "copy", "flag")  # which 2.3 takes for said where nothing is, and 2.4 does not
_IMAP = re.compile(r"imapsieve_mailbox(\d+)_(name|from|causes|before|after)")
_TEXT = re.compile(r"sieve_(spam|virus)test_text_value(\d+)")
_LINK = "~/.dovecot.sieve"
_STORE = "~/sieve"
PERSONAL = frozenset(("sieve", "sieve_dir", "sieve_storage", "sieve_default", "sieve_global_path", "sieve_default_name"))
SCRIPTS = frozenset(("sieve_global_dir", "sieve_global"))


def is_sieve(name: str) -> bool:
    """True for the settings that are converted here."""
    return name in PERSONAL | SCRIPTS or any(each.fullmatch(name) for each in (_ORDERED, _IMAP, _TEXT))


def convert_sieve(work: Work, found: Found) -> None:
    """All settings of a `plugin` section that name scripts of Sieve."""
    for convert in (_personal, _default, _ordered, _imap, _texts):
        convert(work, found)


def _try(work: Work, statement: Statement, lines: Callable[[], list[str]]) -> None:
    with work.naming(statement.span, "write a sieve_script section"):
        work.lines(statement, lines())


def place(location: str, *, is_link: bool = False) -> list[tuple[str, str]]:
    """The settings of a place of scripts: `file:PATH;active=LINK`. Raises `Unsaid`."""
    driver, colon, rest = location.partition(":")
    if not colon or "/" in driver:
        driver, rest = "file", location
    if driver != "file":
        raise Unsaid(f"scripts kept by {driver} are not converted")
    path, *options = rest.split(";")
    pairs = [("active_path" if is_link else "path", in_new_words(path))]
    for option in options:
        name, _, value = option.partition("=")
        new = {"active": "active_path", "bindir": "bin_path", "name": "name"}.get(name)
        if new is None:
            raise Unsaid(f"2.4 has no option {name} for a place of scripts")
        pairs.append((new, in_new_words(value)))
    return pairs


def _personal(work: Work, found: Found) -> None:
    """The user's own scripts: the store, and the link to the active one."""
    statement, value = found.get("sieve", (None, ""))
    store, directory = found.get("sieve_dir", found.get("sieve_storage", (None, "")))
    if statement is None:
        if store is not None:
            _try(
                work,
                store,
                lambda: block("sieve_script personal", [assign("path", in_new_words(directory)), assign("active_path", _LINK)]),
            )
        return

    def lines() -> list[str]:
        is_link = not value.startswith("file:") and not value.endswith("/")
        pairs = place(value, is_link=is_link)
        if is_link:
            pairs.insert(0, ("path", in_new_words(directory or _STORE)))
        elif "active_path" not in dict(pairs):
            pairs.append(("active_path", _LINK))
        return block("sieve_script personal", [assign(name, each) for name, each in pairs])

    _try(work, statement, lines)
    if store is not None:
        work.remove(store)


def _default(work: Work, found: Found) -> None:
    """The script of those who have none, and the place of scripts that all may include."""
    statement, value = found.get("sieve_default", found.get("sieve_global_path", (None, "")))
    name = found.get("sieve_default_name")
    if statement is not None:
        extra = [("name", name[1])] if name else []
        _try(work, statement, partial(_typed, "default", "default", value, extra))
        if name:
            work.remove(name[0])
    elif name:
        work.drop(name[0], "sieve_default_name is left out: there is no sieve_default")
    if "sieve_default" in found and "sieve_global_path" in found:
        work.drop(found["sieve_global_path"][0], "sieve_global_path is left out: sieve_default goes before it")
    for key in SCRIPTS:
        if key in found:
            _try(work, found[key][0], partial(_typed, "global", "global", found[key][1], []))


def _typed(name: str, type_: str, value: str, extra: list[tuple[str, str]]) -> list[str]:
    pairs = [("type", type_), *extra, *place(value)]
    return block(named("sieve_script", name), [assign(key, each) for key, each in pairs])


def _ordered(work: Work, found: Found) -> None:
    for key, (statement, value) in found.items():
        match = _ORDERED.fullmatch(key)
        if match:
            _try(work, statement, partial(_typed, key.removeprefix("sieve_"), match[1], value, []))


def _imap(work: Work, found: Found) -> None:
    """What runs when a message is put into a mailbox over IMAP: the numbered settings are one section."""
    rules: dict[str, dict[str, tuple[Statement, str]]] = {}
    for key, each in found.items():
        if match := _IMAP.fullmatch(key):
            rules.setdefault(match[1], {})[match[2]] = each
    for number, parts in rules.items():
        scripts: dict[str, tuple[Statement, str]] = {kind: parts.pop(kind) for kind in ("before", "after") if kind in parts}
        if "name" not in parts or not scripts:
            for statement, _ in (*parts.values(), *scripts.values()):
                work.drop(statement, "it is left out: without a mailbox's name and a script it did nothing")
            continue
        last = max((*parts.values(), *scripts.values()), key=lambda each: (each[0].text.path, each[0].span.start))[0]
        _try(work, last, partial(_imap_lines, number, {key: value for key, (_, value) in parts.items()}, scripts))
        for statement, _ in (*parts.values(), *scripts.values()):
            if statement is not last:
                work.remove(statement)


def _imap_lines(number: str, parts: dict[str, str], scripts: dict[str, tuple[Statement, str]]) -> list[str]:
    lines: list[str] = []
    causes = parts.get("causes", "").lower().replace(",", " ").split() or EVERY_CAUSE
    for kind, (_, value) in scripts.items():
        pairs = [("type", kind), ("cause", " ".join(causes)), *place(value)]
        suffix = f"-{kind}" if len(scripts) > 1 else ""
        lines += block(f"sieve_script imapsieve{number}{suffix}", [assign(key, each) for key, each in pairs])
    if parts.get("from", "*") not in ("*", ""):
        lines = block(named("imapsieve_from", parts["from"]), lines)
    if parts["name"] != "*":
        lines = block(named("mailbox", parts["name"]), lines)
    return lines


def _texts(work: Work, found: Found) -> None:
    for key, (statement, value) in found.items():
        match = _TEXT.fullmatch(key)
        if match:
            _try(work, statement, partial(_text, match, value))


def _text(match: re.Match[str], value: str) -> list[str]:
    return block(f"sieve_{match[1]}test_text_value", [assign(match[2], value)])
