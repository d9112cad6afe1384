"""`mailaudit parse`: what is read of single files."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from difflib import get_close_matches
from fnmatch import fnmatchcase
from functools import partial

from mailaudit import output, relevance, rulebook
from mailaudit.choices import Color
from mailaudit.collect.directory import RefusedError
from mailaudit.collect.named import absolute, file_below, named_file
from mailaudit.commands.telling import UsageError, shown
from mailaudit.exitcodes import ExitCode, worst
from mailaudit.findings import FileStatus
from mailaudit.models.clock import Clock
from mailaudit.models.facts import read
from mailaudit.models.site import Declared
from mailaudit.models.sources import Sources
from mailaudit.parsers import LANGUAGES
from mailaudit.parsers.choosing import language_of
from mailaudit.parsers.tree import Language, Problem, Tree
from mailaudit.questions import Answer, Found, ListFiles, Question, ReadFile
from mailaudit.relevance import Relevance
from mailaudit.reports import parsed
from mailaudit.reports.parsed import ParsedFile
from mailaudit.reports.terminal.parsed import write as told_of_files
from mailaudit.snapshot import Snapshot
from mailaudit.text import Span, Text


@dataclass(frozen=True, slots=True)
class Reading:
    """How `parse` reads and tells."""

    language: str | None = None
    annotate: bool = False
    as_json: bool = False
    color: Color = Color.AUTO
    debug: bool = False


def parse(paths: Sequence[str], reading: Reading) -> int:
    """Read files one by one and tell what was read of them."""
    files: list[ParsedFile] = []

    def make() -> str:
        chosen = [_language(path, reading.language) for path in paths]
        asking = relevance.load(rulebook.root())
        files.extend(_read(path, *each, asking) for path, each in zip(paths, chosen, strict=True))
        if not reading.as_json:
            return told_of_files(files, output.screen(reading.color), annotate=reading.annotate)
        for file in files:
            if file.tree is None:
                output.complain(f"{file.path}: {file.why}")
        return parsed.write(files)

    code = shown(make, debug=reading.debug, otherwise=parsed.write([]) if reading.as_json else "")
    missing = [ExitCode.USAGE for file in files if file.status is FileStatus.MISSING]
    unread = [ExitCode.INCOMPLETE for file in files if file.status is not FileStatus.READ]
    return worst((code, *missing, *unread))


def _language(path: str, named: str | None) -> tuple[Language, str | None]:
    """The language of a file, and the host root that it lies in, if its path tells."""
    found = language_of(absolute(path))
    if named is None:
        if found is None and not os.path.lexists(path):
            raise UsageError(f"{path} does not exist")
        if found is None and os.path.isdir(path):  # noqa: PTH112  see above
            raise UsageError(f"{path} is a directory", f"mailaudit scan {path}")
        if found is None:
            raise UsageError(f"{path}: its path does not tell its language", f"--language {'|'.join(LANGUAGES)}")
        return found
    if named not in LANGUAGES:
        near = get_close_matches(named, LANGUAGES, n=1)
        raise UsageError(f"no language is called {named}", *near, f"languages: {', '.join(LANGUAGES)}")
    return LANGUAGES[named], found[1] if found is not None and found[0].name == named else None


def _read(path: str, language: Language, root: str | None, asking: Relevance) -> ParsedFile:
    try:
        data = named_file(path)
    except RefusedError as error:
        why = str(error).removeprefix(f"{path} ")
        with suppress(OSError):  # of a relative name in a working directory that is gone
            why = why.removeprefix(f"{os.path.realpath(path)} ")
        return ParsedFile(path, language.name, None, why if why == str(error) else f"it {why}")
    if data is None:
        return ParsedFile(path, language.name, None, "it does not exist", missing=True)

    def include(included: str) -> Text | None:
        below = None if root is None else file_below(root, included)
        return None if below is None else Text(included, below)

    tree = language.parse(Text(path, data), include)
    refusals, secrets = _meant(language, path, root, tree)
    return ParsedFile(path, language.name, tree, asked=partial(asking.asks, language.name), refusals=refusals, secrets=secrets)


def _meant(
    language: Language, path: str, root: str | None, tree: Tree
) -> tuple[tuple[Problem, ...], tuple[tuple[str, str], ...]]:
    """What the daemon refuses of a file beyond its grammar, and the secrets in it: as its model knows them of this file alone."""
    place = _place(language, path, root)
    answers: dict[Question, Answer] = {ReadFile(place): Found(tree.text.data)} if place else {}
    facts = None
    while answers and facts is None:
        facts = read(Sources(Snapshot("", path, dict(answers))), Declared(), {}, Clock(now=datetime.now(UTC)))
        for question in facts.wanted - answers.keys():
            if isinstance(question, ListFiles) and fnmatchcase(place, question.pattern):
                answers[question] = Found((place,))
                facts = None
    if facts is None:
        return (), ()
    told = (problem for model in facts.models for problem in model.refusals if problem.span.path == place)
    here = (replace(each, span=Span(tree.text, each.span.start, each.span.end)) for each in told)
    return tuple(sorted(here, key=lambda each: each.span.start)), facts.secrets


def _place(language: Language, path: str, root: str | None) -> str:
    """Where the file stands on a host: the usual place of its language where its path does not tell; empty if there is none."""
    if root is not None:
        return absolute(path).removeprefix(root)
    name = os.path.basename(path)  # noqa: PTH119
    alike = [each for each in language.paths if fnmatchcase(name, each.rpartition("/")[2])]
    usual = [each for each in (*alike, *language.paths) if "*" not in each or each in alike]
    return f"{usual[0].rpartition('/')[0]}/{name if usual[0] in alike else usual[0].rpartition('/')[2]}" if usual else ""
