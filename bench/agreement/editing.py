"""Edits tried on the real files: after each one the file reads as before but for that edit."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

from bench import corpus
from bench.agreement import Row
from bench.trials import Tally, Trials, blocks, dovecot, pf, smtpd
from mailaudit.parsers import LANGUAGES
from mailaudit.parsers.tree import nothing
from mailaudit.text import Text

TRIALS: dict[str, Trials] = {
    "pf": pf.trials,
    "smtpd": smtpd.trials,
    "dovecot": dovecot.trials,
    "acme": blocks.acme_trials,
    "httpd": blocks.httpd_trials,
}
TRIED = 400  # edits of each language
LARGEST = 64 << 10  # bytes of a file


def files() -> dict[str, list[Path]]:
    """The real files of each language whose edits can be tried."""
    found = {language: list(corpus.files(language)) for language in TRIALS}
    for language, path in corpus.host_files():
        if language in found:
            found[language].append(path)
    return found


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
