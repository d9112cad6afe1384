"""Saves what was asked of hosts as snapshots: a scan of one gives the same verdicts, and no secret is in it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from mailaudit.auditor import Auditor
from mailaudit.collect.authorities import AuthoritiesError, read_authorities
from mailaudit.collect.masking_key import masking_key
from mailaudit.collect.named import named_settings
from mailaudit.collect.root import SETTINGS
from mailaudit.commands.new_folder import write_new
from mailaudit.models.facts import Facts
from mailaudit.recording import ANSWERS, save_answers, saved_files
from mailaudit.recording.secrecy import without_secrets
from mailaudit.settings import load
from mailaudit.settings.writing import as_toml
from mailaudit.snapshot import Snapshot


@dataclass(frozen=True)
class Learned:
    """All that is known of one host, and who asked."""

    auditor: Auditor
    known: Snapshot
    facts: Facts


def save(learned: Learned, place: Path) -> Snapshot:
    """Write a host's snapshot to a new folder, with the settings it was judged by; what was written. Raises `OSError`."""
    saved = without_secrets(learned.known, learned.facts.secrets, masking_key())
    files = {path.lstrip("/"): data for path, data in saved_files(saved).items()}
    settings = _settings(learned.auditor)
    beside = {SETTINGS: settings} if settings is not None else {}
    write_new(place, {**_authorities(learned.auditor), **files, **beside, ANSWERS: save_answers(saved).encode()})
    return saved


def save_all(hosts: Sequence[Learned], place: Path) -> list[str]:
    """Write the snapshot of one host to a new folder, those of several to folders in it. Raises `OSError`.

    Returns a sentence for each.
    """
    if len(hosts) > 1:
        place.mkdir(mode=0o700, exist_ok=True)
    told, taken = [], set[str]()
    for host in hosts:
        name = _folder(host.known.host, taken)
        where = place / name if len(hosts) > 1 else place
        told.append(summary(save(host, where), where))
    return told


def summary(saved: Snapshot, place: Path | str) -> str:
    """What was saved where."""
    return f"{len(saved_files(saved))} files and {len(saved.answers)} answers of {saved.host} are in {place}"


def _settings(auditor: Auditor) -> bytes | None:
    """The file that the host was judged by, as it is, or what several say as one."""
    config = auditor.options.config
    files = auditor.world.settings if config is None else named_settings(config)
    if len(files) < 2:
        return files[0][1] if files else None
    return as_toml(replace(load(files), severity=auditor.severities))


def _authorities(auditor: Auditor) -> dict[str, bytes]:
    """The certificates that the settings name in a file beside them, so that the saved settings name them too."""
    written = auditor.settings.site.ca_file
    if written is None or "/" in written:
        return {}
    said = auditor.settings.said["site", "ca_file"]
    try:
        return {written: "".join(read_authorities(str(Path(said.file).parent / written))).encode()}
    except AuthoritiesError:
        return {}


def _folder(host: str, taken: set[str]) -> str:
    """A host's name as that of a folder that is not there yet."""
    name = first = re.sub(r"[^A-Za-z0-9._-]", "_", host).lstrip(".") or "host"
    number = 1
    while name.lower() in taken:
        number += 1
        name = f"{first}-{number}"
    taken.add(name.lower())
    return name
