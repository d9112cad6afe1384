"""Edits tried on the real files: after each one the file reads as before but for that edit."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

from bench import corpus
from bench.agreement import CORPORA, Row
from bench.trials import Tally, Trials, blocks, dovecot, flat, pf, records, smtpd, tables, zone
from mailaudit.parsers import LANGUAGES
from mailaudit.parsers.choosing import language_of
from mailaudit.parsers.tree import nothing
from mailaudit.text import Text

TRIALS: dict[str, Trials] = {
    "acme": blocks.acme_trials,
    "crontab": flat.crontab_trials,
    "crontab-system": flat.crontab_trials,
    "doas": flat.doas_trials,
    "dovecot": dovecot.trials,
    "hostname": flat.hostname_trials,
    "httpd": blocks.httpd_trials,
    "login": records.login_trials,
    "pf": pf.trials,
    "rc": flat.rc_trials,
    "redis": flat.redis_trials,
    "sieve": records.sieve_trials,
    "smtpd": smtpd.trials,
    "sshd": flat.sshd_trials,
    "zone": zone.trials,
    "ucl": records.ucl_trials,
    **dict.fromkeys(("aliases", "table", "virtuals"), tables.trials),
    **dict.fromkeys(("credentials", "group", "master.passwd", "passwd"), tables.field_trials),
    "services": tables.service_trials,
}
OWN = Path(__file__).parents[2]
TRIED = 400  # edits of each language
LARGEST = 64 << 10  # bytes of a file


def own_files() -> dict[str, list[Path]]:
    """The examples and the tests' own files of each language."""
    found: dict[str, list[Path]] = {language: [] for language in TRIALS}
    for folder in ("examples", "tests/fixtures/configs"):
        for path in sorted((OWN / folder).rglob("*")):
            language = language_of(str(path)) if path.is_file() else None
            if language is not None and language[0].name in found:
                found[language[0].name].append(path)
    for pattern in ("tests/fixtures/configs/zone/*", "examples/*/zone/*", "examples/*/*.zone"):
        found["zone"] += [path for path in sorted(OWN.glob(pattern)) if path.is_file()]
    return found


def real_files() -> dict[str, list[Path]]:
    """The real files of each language; none where the collection is not at hand."""
    found = {language: list(corpus.files(language)) for language in TRIALS}
    for language, path in corpus.host_files() if CORPORA.is_dir() else ():
        if language in found:
            found[language].append(path)
    return found


def files() -> dict[str, list[Path]]:
    """All files of each language whose edits can be tried."""
    real = real_files()
    return {language: [*real[language], *own] for language, own in own_files().items()}


def tally(language: str, paths: list[Path], most: int, seed: int = 0) -> Tally:
    """So many edits of files of a language, spread over all of them."""
    rng = random.Random(f"{language} {seed}")
    done = Tally()
    paths = [path for path in paths if 0 < path.stat().st_size <= LARGEST]
    for number in range(most if paths else 0):
        if done.tried >= most:
            break
        path = paths[number % len(paths)] if number else rng.choice(paths)
        tree = LANGUAGES[language].parse(Text(str(path), path.read_bytes()), nothing)
        for trial in TRIALS[language](tree, rng):
            done.add(LANGUAGES[language], tree, trial)
    return done


def rows(_corpora: Path, limit: int | None = None) -> Iterator[Row]:
    """A row for each language: edits tried, edits that held; `limit` is the number of edits of each language."""
    for language, paths in files().items():
        done = tally(language, paths, limit or TRIED)
        if done.tried:
            yield Row(f"edits of {language}", done.held, done.tried, wrong=tuple(done.wrong or ()))
