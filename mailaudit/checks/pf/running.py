"""Rules about pf as it runs: that it is on, that it runs what is on disk, and that nobody else writes there."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from shlex import quote

from mailaudit.checks.modes import OTHERS_WRITE, looked
from mailaudit.checks.pf.words import NAMES, place_of, ports_text
from mailaudit.checks.registry import rule
from mailaudit.edits import Fix, Safety
from mailaudit.findings import Doubt, Evidence, Finding, Outcome, Place
from mailaudit.models.files import Files
from mailaudit.models.pf.config import PATH, Ruleset
from mailaudit.models.pf.difference import Parting, difference
from mailaudit.models.pf.expand import Expanded, Expander
from mailaudit.models.pf.print import rule_text
from mailaudit.models.pf.print_file import rules
from mailaudit.models.pf.resolve import Resolver
from mailaudit.models.pf.rules import Rule
from mailaudit.models.pf.running import LoadedRules, PfStatus, rule_lines
from mailaudit.models.system import TYPED
from mailaudit.questions import Command, Reason, Stat

OTHERS = 0o077
MOST_LINES = 3
LOAD = (f"pfctl -nf {PATH}", f"pfctl -f {PATH}")


@rule("PF002")
def pf_is_enabled(status: PfStatus) -> Iterator[Outcome]:
    """Pf looks at packets at all."""
    if not status.enabled:
        shown = Evidence(TYPED[Command.PFCTL_INFO], status.said)
        fix = Fix("Enable pf, now and at boot", Safety.UNSAFE, commands=(LOAD[0], "rcctl enable pf", f"pfctl -ef {PATH}"))
        yield Finding(
            "pf is disabled: every port of the host is open, whatever pf.conf says.", (shown,), fix, "status", "disabled"
        )


@rule("PF003")
def loaded_rules_are_those_of_the_file(pf: Ruleset, loaded: LoadedRules) -> Iterator[Outcome]:
    """Pf runs the rules of pf.conf, no others, in their order."""
    own = expanded(pf)
    wanted = loaded.of_file if loaded.of_file is not None and not pf.faults else rule_lines(line for line, _ in own)
    if wanted == loaded.lines:
        return
    missing, extra = Counter(wanted) - Counter(loaded.lines), Counter(loaded.lines) - Counter(wanted)
    if loaded.of_file is None or pf.faults:  # pfctl may have left out or put together some of the file's rules
        yield from _by_what_passes(pf, loaded, missing, extra)
        return
    yield _differs(own, missing, extra)


def expanded(pf: Ruleset) -> list[tuple[str, Rule | None]]:
    """The rules as pfctl would load them, each with the one that it comes from."""
    lines: list[tuple[str, Rule | None]] = []
    for number, each in enumerate(Expander(Resolver(pf.interfaces)).all(pf.entries)):
        if isinstance(each, Expanded):
            lines.append((rule_text(each, number), each.rule))
        else:
            lines += [(line, None) for line in rules([each])]
    return lines


def _differs(own: list[tuple[str, Rule | None]], missing: Counter[str], extra: Counter[str]) -> Finding:
    places: list[Place | Evidence] = []
    for line, source in own:
        if line in missing and source is not None and len(places) < MOST_LINES:
            places.append(Place.at(source.statement.span, "not loaded"))
    places = list(dict.fromkeys(places)) or [Place.whole(PATH)]
    places += [Evidence(TYPED[Command.PFCTL_RULES], line) for line in list(extra)[:MOST_LINES]]
    if missing or extra:
        counted = [
            f"{sum(count.values())} {what}"
            for count, what in ((missing, "of its rules are not loaded"), (extra, "others are"))
            if count
        ]
        message = f"pf runs other rules than those of pf.conf: {', '.join(counted)}."
    else:
        message = "pf runs the rules of pf.conf in another order, and the last one that matches decides."
    return Finding(message, tuple(places), _load(), "loaded", "other")


def _load() -> Fix:
    return Fix("Load the file, with a way back at hand", Safety.UNSAFE, commands=LOAD)


def _by_what_passes(pf: Ruleset, loaded: LoadedRules, missing: Counter[str], extra: Counter[str]) -> Iterator[Outcome]:
    """Where pfctl did not say what the file comes to: only what makes a difference to packets is told."""
    if loaded.entries is None:
        yield Doubt(Reason.NOT_READ, "What pf runs could not be read whole, so it could not be compared with pf.conf.")
        return
    parting = next((each for each in difference(pf, replace(pf, entries=loaded.entries)) if _is_sure(each)), None)
    if parting is None:
        what = f"whether pf runs the rules of pf.conf; `{TYPED[Command.PFCTL_CHECK]}` was not recorded"
        yield Doubt(Reason.NOT_RECORDED, f"It could not be told {what}.")
        return
    kind = NAMES.get(parting.protocol or 0, "other protocols")
    ports = f"/{ports_text(parting.ports)}" if parting.ports else ""
    does = {"pass": "lets pass", "block": "blocks"}
    message = (
        f"pf runs other rules than those of pf.conf: it {does[parting.after]} {kind}{ports} on the way {parting.direction} "
        f"over IPv{parting.family}, which the file {does[parting.before]}."
    )
    shown = list(extra or missing)[:MOST_LINES]
    lines = [Evidence(TYPED[Command.PFCTL_RULES], line if extra else f"not among them: {line}") for line in shown]
    yield Finding(message, (place_of(pf, parting.rule_before, "not so"), *lines), _load(), "loaded", "other")


def _is_sure(parting: Parting) -> bool:
    return "in-doubt" not in (parting.before, parting.after)


@rule("PF004")
def pf_conf_is_roots_alone(files: Files, pf: Ruleset) -> Iterator[Outcome]:
    """Nobody but root reads or writes the rules."""
    for path in dict.fromkeys(tree.text.path for tree in pf.trees):
        stat = looked(files, path)
        if isinstance(stat, Doubt):
            yield stat
        elif isinstance(stat, Stat) and stat.mode is not None and (stat.mode & OTHERS or stat.owner not in ("root", "0")):
            write = stat.mode & OTHERS_WRITE or stat.owner not in ("root", "0")
            harm = (
                "so others than root can change what the filter does"
                if write
                else "and tells any local user what the filter does"
            )
            fix = Fix("Root's alone", Safety.SAFE, commands=(f"chown root:wheel {quote(path)}", f"chmod 0600 {quote(path)}"))
            message = f"{path} is not root's alone, {harm}."
            yield Finding(message, (Evidence.stat(path, stat),), fix, f"mode of {path}", f"{stat.mode:04o}")
