"""`mailaudit pf`: questions about a packet filter's ruleset."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from mailaudit import output
from mailaudit.choices import AnswerFormat, Color
from mailaudit.collect.directory import RefusedError
from mailaudit.collect.named import absolute, named_file
from mailaudit.collect.roots import find_worlds
from mailaudit.collect.world import TargetError, unasked
from mailaudit.commands.looking import chosen_targets
from mailaudit.commands.telling import UsageError, explained
from mailaudit.exitcodes import ExitCode, worst
from mailaudit.models.pf.answering import answer
from mailaudit.models.pf.asking import read_words
from mailaudit.models.pf.config import PATH, Ruleset, read_pf
from mailaudit.models.pf.difference import difference
from mailaudit.models.pf.packet import BadPacketError
from mailaudit.models.pf.reachable import reachable
from mailaudit.models.pf.shadow import shadowed
from mailaudit.models.services import read_services
from mailaudit.models.sources import Known, Lacking
from mailaudit.parsers.choosing import language_of
from mailaudit.questions import Answer, Failed, Found, Question, ReadFile, Reason
from mailaudit.reports import pf
from mailaudit.reports.masking import Mask
from mailaudit.reports.pf import HostAnswer, Told, Tried
from mailaudit.reports.terminal.pf import write as told_in_words
from mailaudit.snapshot import Snapshot
from mailaudit.survey import Ask, learned

VERDICTS = ("pass", "block", "partly", "unknown")
MOST_BYTES = 16 << 20  # of a file of packets


@dataclass(frozen=True, slots=True)
class Way:
    """How the answer is told."""

    form: AnswerFormat = AnswerFormat.TERMINAL
    color: Color = Color.AUTO
    debug: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Host:
    """One host of a target with its ruleset."""

    name: str
    target: str
    ruleset: Ruleset

    def blank(self) -> HostAnswer:
        """What there is to say of any question."""
        ruleset = self.ruleset
        unread = tuple(f"{each.span.path}:{each.span.line}: {each.message}" for each in ruleset.not_read)
        mask = Mask.of(ruleset.secrets, (tree.text for tree in ruleset.trees))
        return HostAnswer(self.name, self.target, not ruleset.refusals, ruleset.assumed, unread, mask, ruleset.services)


def show_reachable(targets: Sequence[str], direction: str | None, way: Way) -> int:
    """What comes in and goes out."""
    directions = (direction,) if direction else ("in", "out")

    def make() -> Told:
        found = tuple(replace(host.blank(), regions=tuple(reachable(host.ruleset, directions))) for host in _hosts(targets))
        return Told("reachable", found, exit_code=_incomplete(found))

    return _tell("reachable", make, way)


def show_shadowed(targets: Sequence[str], way: Way) -> int:
    """Rules that never decide; code 1 if there are any."""

    def make() -> Told:
        found = tuple(replace(host.blank(), shadowed=tuple(shadowed(host.ruleset))) for host in _hosts(targets))
        code = ExitCode.FINDINGS if any(host.shadowed for host in found) else ExitCode.OK
        return Told("shadowed", found, exit_code=worst((code, _incomplete(found))))

    return _tell("shadowed", make, way)


def show_difference(before: str, after: str, way: Way) -> int:
    """What passes one ruleset and not the other; code 1 if anything does."""

    def make() -> Told:
        one, other = _single(before), _single(after)
        found = (one.blank(), other.blank())
        parted = tuple(difference(one.ruleset, other.ruleset))
        code = ExitCode.FINDINGS if parted else ExitCode.OK
        return Told("diff", found, parted, exit_code=worst((code, _incomplete(found))))

    return _tell("diff", make, way)


def test_packets(target: str, words: Sequence[str], packets: str | None, expected: str | None, way: Way) -> int:
    """What becomes of packets: code 0 if they pass, or fare as expected, 1 if not, 4 if that cannot be told."""

    def make() -> Told:
        if bool(words) == (packets is not None):
            raise UsageError(
                "say one packet, or name a file of them with --packets", "mailaudit pf test . in proto tcp to port 25"
            )
        if expected is not None and expected not in VERDICTS:
            raise UsageError(f"--expect {expected}: expected one of {', '.join(VERDICTS)}")
        asked = [Line(tuple(words), expected or "")] if packets is None else list(_lines(packets, expected or ""))
        found = tuple(replace(host.blank(), packets=tuple(_tried(host, each) for each in asked)) for host in _hosts([target]))
        codes = [_fate(tried) for host in found for tried in host.packets]
        return Told("test", found, exit_code=worst((*codes, _incomplete(found))))

    return _tell("test", make, way)


@dataclass(frozen=True, slots=True)
class Line:
    """A packet as it was written, what is expected of it, its name, and where it stands, for messages."""

    words: tuple[str, ...]
    expected: str = ""
    name: str = ""
    where: str = ""


def _tried(host: Host, line: Line) -> Tried:
    try:
        return Tried(answer(host.ruleset, read_words(line.words)), line.expected, line.name)
    except BadPacketError as error:
        raise UsageError(f"{line.where}{error}", "mailaudit pf test --help") from error


def _fate(tried: Tried) -> ExitCode:
    if tried.as_expected:
        return ExitCode.OK
    if tried.verdict.value == "unknown":
        return ExitCode.INCOMPLETE
    return ExitCode.OK if tried.verdict.value == (tried.expected or "pass") else ExitCode.FINDINGS


def _lines(path: str, expected: str) -> Iterator[Line]:
    """The packets of a file, one a line: as words, behind `pass` or `block` if that is expected, or as JSON."""
    found = 0
    for number, line in enumerate(_text(path).splitlines(), 1):
        where = f"{path}:{number}: "
        words = line.split("#", 1)[0].split() if not line.lstrip().startswith("{") else []
        if line.lstrip().startswith("{"):
            yield _json(line, where, expected)
        elif words and words[0] in VERDICTS:
            yield Line(tuple(words[1:]), words[0], "", where)
        elif words:
            yield Line(tuple(words), expected, "", where)
        else:
            continue
        found += 1
    if not found:
        raise UsageError(f"{path}: there is no packet in it")


def _json(line: str, where: str, expected: str) -> Line:
    try:
        given = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{where}not JSON: {error}") from error
    if not isinstance(given, dict) or not all(isinstance(each, str) for each in given.values()):
        raise UsageError(f'{where}expected an object of texts, such as {{"packet": "in proto tcp to port 25", "expect": "pass"}}')
    others = given.keys() - {"packet", "expect", "name"}
    if others or "packet" not in given:
        what = f"{min(others)} is unknown" if others else "packet is missing"
        raise UsageError(f"{where}{what}; the names are packet, expect and name")
    wanted = given.get("expect", expected)
    if wanted and wanted not in VERDICTS:
        raise UsageError(f"{where}expect is {wanted}: expected one of {', '.join(VERDICTS)}")
    return Line(tuple(given["packet"].split()), wanted, given.get("name", ""), where)


def _text(path: str) -> str:
    try:
        if path == "-":
            return sys.stdin.buffer.read(MOST_BYTES).decode("utf-8", "replace")
        data = named_file(path)
    except (OSError, RefusedError) as error:
        raise UsageError(f"--packets {path}: {error}") from error
    if data is None:
        raise UsageError(f"--packets {path}: it does not exist")
    return data.decode("utf-8", "replace")


def _hosts(targets: Sequence[str]) -> list[Host]:
    """The hosts of targets that have a ruleset; raises if there is none at all."""
    chosen_targets(targets, None)
    found: list[Host] = []
    for target in targets:
        found += _of_target(target)
    return found


def _single(target: str) -> Host:
    found = _hosts([target])
    if len(found) > 1:
        names = ", ".join(each.target for each in found)
        raise UsageError(f"{target} holds several hosts; name one of them", names)
    return found[0]


def _of_target(target: str) -> Iterator[Host]:
    alone = _file(target)
    if alone is not None:
        yield alone
        return
    roots = find_worlds(target)
    if roots.errors:
        raise TargetError(f"{target}: {'; '.join(roots.errors)}", ExitCode.INCOMPLETE)
    lacking = []
    found = 0
    for world in roots:
        slot = _learned(unasked(world), world.ask)
        if isinstance(slot, Known):
            found += 1
            yield Host(world.host, world.target, slot.value)
        elif isinstance(slot, Lacking):
            lacking.append(f"{world.target}: {PATH}: {slot.detail or slot.reason}")
    if lacking:
        raise TargetError("; ".join(lacking), ExitCode.INCOMPLETE)
    if not found:
        raise TargetError(f"{target}: nothing to ask: there is no {PATH}", ExitCode.NOTHING)


def _learned(snapshot: Snapshot, ask: Ask) -> object:
    """The ruleset, asked for wave after wave as an audit does, but nothing else."""
    return learned(snapshot, ask, lambda sources: sources.make(read_pf, sources.make(read_services)))


def _file(target: str) -> Host | None:
    """A target that is a file of rules itself; None if it is anything else. One in a host root is read with the files there."""
    path = Path(target)
    if not path.is_file() or target.endswith((".tar", ".tgz", ".gz", ".xz", ".bz2", ".zst")):
        return None
    named = language_of(absolute(target))
    if named is not None and named[0].name == "pf" and named[1]:
        return next(iter(_of_target(named[1])))
    data = named_file(target)
    if data is None or b"\0" in data[:1024]:  # an archive by another name
        return None
    answers: dict[Question, Answer] = {ReadFile(PATH): Found(data)}
    slot = _learned(Snapshot(path.name, target, answers), lambda wave: {each: Failed(Reason.NOT_RECORDED) for each in wave})
    return Host(path.name, target, slot.value) if isinstance(slot, Known) and isinstance(slot.value, Ruleset) else None


def _incomplete(found: Sequence[HostAnswer]) -> ExitCode:
    return ExitCode.INCOMPLETE if any(host.unread for host in found) else ExitCode.OK


def _tell(question: str, make: Callable[[], Told], way: Way) -> int:
    """Write the answer; JSON is valid on every way out."""
    try:
        told = make()
        text = pf.write(told) if way.form is AnswerFormat.JSON else told_in_words(told, output.screen(way.color))
    except BaseException as error:  # noqa: BLE001  see above
        code, message = explained(error, debug=way.debug)
        told = Told(question, errors=(message,), exit_code=code)
        text = pf.write(told) if way.form is AnswerFormat.JSON else ""
    failure = output.write(text) if text else ""
    if failure:
        output.complain(failure)
        return worst((told.exit_code, ExitCode.INCOMPLETE))
    return ExitCode(told.exit_code)
