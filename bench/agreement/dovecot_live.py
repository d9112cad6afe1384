"""Dovecot files and single faults in them, beside what an installed doveconf says at once."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

from bench.agreement import Row
from bench.agreement.dovecot import FOLDER, MAIN, Case, model_of, refused_lines, verdicts
from bench.agreement.dovecot_dumps import differences
from mailaudit.models.dovecot.catalogue import catalogue
from mailaudit.models.dovecot.settings import NEW

OF_SOME_RELEASES = tuple(each.name for each in catalogue(NEW).inside[()].values() if each.is_later or each.is_gone)
"""The settings that not every release of 2.4 knows."""
EXPLAINED = {
    "stands for": "doveconf -n looks no variable up, the daemon does",
    "gethostbyname": "a name that the host's resolver does not know",
    "doesn't exist": "an account that the host does not have",
    "Can't open file": "a file that the host does not have",
    "mail_plugin_dir: access": "a directory that the host does not have",
    "Plugin '": "a plugin that the host does not have",
    "Failed to": "a variable of the environment that the host does not have",
    "Currently supported versions": "it is written for a later 2.4 than the one at hand",
    "bind: Unknown setting": "the plugin for LDAP, whose setting it is, is not installed",
    "not built with": "an experiment that the installed Dovecot is not built with",
    "protocols names": "doveconf of 2.4.5 leaves protocols to the daemon, which refuses them",
    **{f"{name}: Unknown setting": "it came or went with a release other than the one at hand" for name in OF_SOME_RELEASES},
    "event filter": "the filters of metrics and logs have a language of their own, which is not read",
    'expected a setting\'s name, found "="': "doveconf takes elements without a name in lists",
}
"""What marks a difference whose reason lies outside our reach, and the reason."""
Ask = Callable[[bytes], tuple[int, str, str]]
"""Doveconf's status for a file, what it prints, and what it says beside."""

_ABSOLUTE = re.compile(rb"^\s*!include\w*\s+/", re.MULTILINE)
_ERROR = re.compile(r"(?:Fatal|Error|Panic): (.*)")
_WORDS = ("yes", "no", "x", "0", "60", "10 M", "5 mins", "on", '"', "$nope", "%{user}", "}", "{", "#", "=", "\\")


def mutants(text: str, count: int, seed: int) -> Iterator[str]:
    """Texts that differ in one place: a character, a word, a line."""
    rng = random.Random(f"{seed} {text[:40]} {len(text)}")
    for _ in range(count):
        lines = text.split("\n")
        number = rng.randrange(len(lines))
        lines[number : number + 1] = _changed(lines[number], rng)
        yield "\n".join(lines)


def _changed(line: str, rng: random.Random) -> list[str]:
    at = rng.randrange(len(line) + 1)
    words = line.split(" ")
    word = rng.randrange(len(words))
    kinds: tuple[Callable[[], list[str]], ...] = (
        lambda: [line[:at] + line[at + 1 :]],
        lambda: [line[:at] + rng.choice("abz_1 =/{}#\"'\\$%-.,") + line[at:]],
        lambda: [line[: max(at - 1, 0)] + line[at : at + 1] + line[max(at - 1, 0) : at] + line[at + 1 :]],
        list,
        lambda: [line, line],
        lambda: [" ".join([*words[:word], rng.choice(_WORDS), *words[word + 1 :]])],
        lambda: [" ".join([*words[:word], *words[word + 1 :]])],
        lambda: [line.partition("=")[0] + "= " + rng.choice(_WORDS)],
    )
    return rng.choice(kinds)()


def compare(subject: str, texts: Iterable[tuple[str, str]], family: str, ask: Ask, *, explained: dict[str, str]) -> Row:
    """How far the reading of texts agrees with doveconf's: verdict, line of the error, effective settings."""
    of = 0
    wrong: list[str] = []
    for name, text in texts:
        data = text.encode("utf-8", "surrogateescape")
        of += 1
        difference = judged(name, data, family, ask)
        if difference:
            wrong.append(difference)
    known = [f"{text[:60]}: {why}" for text in wrong for mark, why in explained.items() if mark in text]
    return Row(subject, of - len(wrong), of, tuple(known), tuple(t for t in wrong if not any(mark in t for mark in explained)))


def judged(name: str, data: bytes, family: str, ask: Ask) -> str:
    """How one file's reading differs from doveconf's, or empty."""
    return _compared(name, {MAIN: data}, family, ask(data))


def _compared(name: str, files: Mapping[str, bytes], family: str, answer: tuple[int, str, str]) -> str:
    status, printed, said = answer
    is_wrong = status or "Could not find a minimum" in said
    errors = [match[1] for line in said.splitlines() if (match := _ERROR.search(line))] if is_wrong else []
    errors = [each for each in errors if "Error in configuration" in each] or errors
    case = Case(name, files, family, ok=not errors, errors=tuple(errors[:1]))
    model = model_of(case.files, family)
    if model.unknown or model.not_read:
        return ""
    different = verdicts(case, model)
    if different or errors:
        return different and f"{different} | {refused_lines(model)[:2]}"
    found = differences(model, printed)
    return f"{name}: {'; '.join(found[:3])}" if found else ""


def trees(corpora: Path, family: str, ask: Callable[[Path], tuple[int, str, str]]) -> Row:
    """Whole /etc/dovecot of real hosts: what doveconf says of each `dovecot.conf` in its place beside its other files."""
    wrong: list[str] = []
    of = 0
    for folder in sorted((corpora / "dovecot" / "trees").iterdir()):
        files = {f"{FOLDER}/{path.relative_to(folder)}": path.read_bytes() for path in folder.rglob("*") if path.is_file()}
        is_new = MAIN in files and b"dovecot_config_version" in files[MAIN]
        if MAIN not in files or is_new != (family == NEW) or any(_ABSOLUTE.search(data) for data in files.values()):
            continue
        of += 1
        difference = _compared(folder.name, files, family, ask(folder))
        wrong += [difference] if difference else []
    known = [f"{text[:60]}: {why}" for text in wrong for mark, why in EXPLAINED.items() if mark in text]
    faults = tuple(text for text in wrong if not any(mark in text for mark in EXPLAINED))
    return Row(f"Dovecot {family} trees, live", of - len(wrong), of, tuple(known), faults)


def files_of(folder: Path) -> Iterator[tuple[str, str]]:
    """The configurations of a folder by name."""
    for path in sorted(folder.glob("*.conf")):
        yield path.name, path.read_text("utf-8", "surrogateescape")
