"""Dovecot's local sockets, as the configuration and the defaults have them: where they are, and who may write to them."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator
from dataclasses import dataclass

from mailaudit.models.dovecot.catalogue import Definition, catalogue
from mailaudit.models.dovecot.config import DovecotConfig
from mailaudit.models.dovecot.reading import Setting
from mailaudit.models.dovecot.sections import Section
from mailaudit.models.dovecot.settings import NEW
from mailaudit.models.dovecot.values import comes_to

OTHERS, GROUP, OWNER = 0o002, 0o020, 0o200  # to connect to a socket is to write to it
_MODE = Definition("mode", "octal", "")


@dataclass(frozen=True, slots=True, eq=False)
class Socket:
    """A `unix_listener`: its path, and its mode, owner and group with the settings that say so; empty for root's.

    `section` is None where only Dovecot's defaults speak of it; `mode` None where it could not be evaluated.
    """

    service: str
    path: str
    mode: int | None
    user: str
    group: str
    section: Section | None
    settings: dict[str, Setting]


def sockets(dovecot: DovecotConfig, service: str) -> Iterator[Socket]:
    """The sockets of a service, those of the defaults too; those with mode 0 are off."""
    known = catalogue(dovecot.family)
    configured = dovecot.root.named("service", service)
    sections = {each.name: each for each in (configured.of("unix_listener") if configured else ())}
    presets = [path[1].partition(" ")[2] for path in known.presets_below(f"service {service}") if path[1].startswith("unix_")]
    for name in dict.fromkeys((*presets, *sections)):
        preset = known.preset.get((f"service {service}", f"unix_listener {name}"), {})
        section = sections.get(name)
        settings = {key: found for key in ("mode", "user", "group") if section and (found := section.get(key)) is not None}
        written = settings["mode"].value if "mode" in settings else preset.get("mode", "0600")
        mode = comes_to(_MODE, written, is_new=dovecot.family == NEW)
        who = [settings[key].value if key in settings else preset.get(key, "") for key in ("user", "group")]
        path = posixpath.normpath(posixpath.join(dovecot.setting("base_dir").value, name))
        if mode != 0:
            yield Socket(service, path, mode if isinstance(mode, int) else None, who[0], who[1], section, settings)
