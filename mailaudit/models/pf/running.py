"""What pf itself says: whether it is enabled, and which rules it runs."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from mailaudit.models.interfaces import read_interfaces
from mailaudit.models.pf.reader import RulesReader
from mailaudit.models.pf.rules import Entry
from mailaudit.models.services import Services
from mailaudit.models.sources import Known, Lacking, Model, Slot, Sources
from mailaudit.models.system import said
from mailaudit.parsers.pf import parse
from mailaudit.parsers.tree import nothing
from mailaudit.questions import Command, CommandOutput, Found, Reason, RunCommand
from mailaudit.text import Text

_STATUS = re.compile(r"^Status: (Enabled|Disabled)\b.*", re.MULTILINE)
_AUTOMATIC = re.compile(r"<__automatic_[0-9a-f_]+>")
_RULE = re.compile(r"(?:pass|block|match|anchor|antispoof)\b")
_NAMED_ANCHOR = re.compile(r'anchor "[^_"][^"]*"')


@dataclass(frozen=True)
class PfStatus(Model):
    """Whether pf is enabled, and the line in which pfctl(8) said so."""

    enabled: bool
    said: str


@dataclass(frozen=True, eq=False)
class LoadedRules(Model):
    """The rules that pf runs, one a line as `pfctl -sr` prints them; `entries` are they as data, None where one was not read.

    `of_file` are those that `pfctl -nvf /etc/pf.conf` would load; None where it was not asked, said none, or refuses the file.
    """

    lines: tuple[str, ...]
    entries: tuple[Entry, ...] | None = field(default=None, repr=False)
    of_file: tuple[str, ...] | None = None


def read_pf_status(sources: Sources) -> Slot[PfStatus]:
    """What `pfctl -si` said."""
    output = said(sources, Command.PFCTL_INFO)
    if isinstance(output, Lacking):
        return output
    match = _STATUS.search(output)
    if match is None:
        return Lacking(Reason.UNREADABLE, "`pfctl -si` does not say whether pf is enabled")
    return Known(PfStatus(match[1] == "Enabled", match[0].strip()))


def read_loaded_rules(sources: Sources, services: Services) -> Slot[LoadedRules]:
    """What `pfctl -sr` said, beside what `pfctl -nvf` says of the file."""
    output = said(sources, Command.PFCTL_RULES)
    if isinstance(output, Lacking):
        return output
    lines = rule_lines(output.splitlines())
    tree = parse(Text.of(str(Command.PFCTL_RULES), "".join(f"{line}\n" for line in lines)), nothing)
    found = RulesReader(services, read_interfaces(sources)).read(tree)
    whole = not found.faults and not tree.unread()
    checked = sources.ask(RunCommand(Command.PFCTL_CHECK))
    of_file = None
    if isinstance(checked, Found) and isinstance(checked.value, CommandOutput) and checked.value.status == 0:
        of_file = rule_lines(checked.value.stdout.splitlines()) or None
    return Known(LoadedRules(lines, tuple(found.entries) if whole else None, of_file))


def rule_lines(lines: Iterable[str]) -> tuple[str, ...]:
    """The rules among printed lines; anchors that have a name without their rules, which `pfctl -sr` does not show.

    The tables that pfctl makes itself have numbers that are not the same twice: they are numbered in their order here.
    """
    known: dict[str, str] = {}

    def numbered(match: re.Match[str]) -> str:
        return known.setdefault(match[0], f"<__automatic_{len(known)}>")

    return tuple(_AUTOMATIC.sub(numbered, line) for line in _shown(lines))


def _shown(lines: Iterable[str]) -> Iterator[str]:
    hides: list[bool] = []  # for each anchor that is open, whether its rules are left out
    for line in map(str.strip, lines):
        hidden = bool(hides) and hides[-1]
        if line == "}" and hides:
            hides.pop()
            if not hidden:
                yield line
        elif line.startswith("anchor") and line.endswith("{"):
            named = _NAMED_ANCHOR.match(line) is not None
            hides.append(hidden or named)
            if not hidden:
                yield line[:-1].rstrip() if named else line
        elif not hidden and _RULE.match(line):
            yield line
