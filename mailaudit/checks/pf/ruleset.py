"""Rules about the packet filter's ruleset: that it loads, what it skips, what it answers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from mailaudit.checks.loading import another_language, ended, is_another_language, misread, missing, refused_by_checker
from mailaudit.checks.pf.edits import MOST_EDITS, above, option_line, remove_word, top_rules
from mailaudit.checks.pf.words import NAMES, doubt, place_of
from mailaudit.checks.registry import rule
from mailaudit.editing import words
from mailaudit.editing.pf import remove
from mailaudit.edits import Edit, Fix, Safety, insert
from mailaudit.edits import replace as put
from mailaudit.findings import Doubt, Finding, Outcome, Place
from mailaudit.models.interfaces import LOOPBACK, NEVER_EGRESS, driver_of
from mailaudit.models.pf.config import Ruleset
from mailaudit.models.pf.items import Fault
from mailaudit.models.pf.reach import own_address
from mailaudit.models.pf.reader import Skip
from mailaudit.models.pf.rules import Rule
from mailaudit.models.pf.traffic import ALL_PORTS, CLIENT_PORTS, Traffic
from mailaudit.models.pf.values import ICMP, ICMP6, TCP, UDP
from mailaudit.models.reference import Reference
from mailaudit.models.sources import Missing
from mailaudit.models.verdicts import Verdicts
from mailaudit.parsers.tree import Problem, Statement
from mailaudit.questions import Command, Reason

FAMILIES = (4, 6)
MOST_PLACES = 5


@rule("PF001")
def pf_conf_loads(pf: Ruleset | Missing, reference: Reference, verdicts: Verdicts) -> Iterator[Outcome]:
    """pf.conf is there, and pfctl takes it."""
    if isinstance(pf, Missing):
        finding = missing(pf.path, "pf", reference)
        fix = replace(finding.fix, safety=Safety.UNSAFE) if finding.fix is not None else None
        yield replace(finding, fix=fix)
        return
    is_taken = Command.PFCTL_CHECK in verdicts.taken
    if is_another_language(pf) and not is_taken:
        yield another_language(pf, "pfctl")
        return
    alike: dict[str, list[Fault]] = {}
    for fault in pf.faults:
        alike.setdefault(fault.problem.message, []).append(fault)
    statements = (each for tree in pf.trees for top in tree.statements for each in top.walk())
    broken = {id(each.problem): each for each in statements if each.problem is not None}
    for message, faults in alike.items():
        yield misread(message, "pfctl", faults[0].problem.span) if is_taken else _refused(message, faults, broken)
    if not pf.faults:
        yield from refused_by_checker(pf, "pfctl", Command.PFCTL_CHECK, verdicts)


def _refused(message: str, faults: list[Fault], broken: Mapping[int, Statement]) -> Finding:
    first, *more = faults
    places = [Place.at(first.problem.span, message)]
    places += [Place.at(use.span, "used here") for use in first.uses]
    places += [Place.at(fault.problem.span, "here too") for fault in more[:MOST_PLACES]]
    fix = None
    if len(faults) > MOST_EDITS:
        fix = Fix("Write it as it was meant", Safety.MANUAL)
    elif all(fault.problem.mend is not None for fault in faults):
        edits = tuple(edit for fault in faults for edit in _as_meant(fault.problem, broken.get(id(fault.problem))))
        fix = Fix("Write it as it was meant", Safety.UNSAFE, edits)
    return Finding(ended(f"pfctl refuses the whole file: {message}"), tuple(places), fix, "refused", message)


def _as_meant(problem: Problem, statement: Statement | None) -> Iterator[Edit]:
    """The mended word in its place; a word that stands too late goes where the statement was read to have it."""
    seen = statement.seen if statement is not None else ()
    at = next((number for number, token in enumerate(seen) if token.kind in ("log", "quick") and token.span == problem.span), 0)
    if not at or problem.mend:
        yield put(problem.span, problem.mend or "")
        return
    behind = seen[at - 1]
    yield insert(behind.text, behind.end, f" {seen[at].kind}")
    assert statement is not None
    yield from words.without(statement, [seen[at]]) or ()


@rule("PF010")
def loopback_is_not_filtered(pf: Ruleset) -> Iterator[Outcome]:
    """The host's programs can talk to one another."""
    if pf.skipped(LOOPBACK) is not None:
        return
    unsure: Doubt | None = None
    for traffic in _on_loopback():
        outcome = pf.filter.run(traffic)
        found, doubts = outcome.deciding()
        if outcome.surely_blocked:
            what = f"{NAMES[traffic.protocol]} over IPv{traffic.family}"
            message = f"The host's programs cannot talk to one another by {what}: nothing skips lo0, and a rule blocks it."
            fix = Fix("Skip the loopback interface", Safety.SAFE, option_line(pf, "set skip on lo"))
            yield Finding(message, (place_of(pf, found, "this rule blocks it"),), fix, "skip lo", absence=True)
            return
        if outcome.in_doubt and unsure is None:
            unsure = doubt(pf, doubts, "traffic on lo0 passes")
    if unsure is not None:
        yield unsure


def _on_loopback() -> Iterator[Traffic]:
    for family in FAMILIES:
        own = own_address(LOOPBACK, family)
        for protocol in (TCP, UDP, ICMP if family == 4 else ICMP6):
            for direction in ("in", "out"):
                yield Traffic(direction, LOOPBACK, family, protocol, own, own, CLIENT_PORTS, ALL_PORTS, user="other")


@rule("PF011")
def nothing_else_is_skipped(pf: Ruleset) -> Iterator[Outcome]:
    """No interface that strangers' packets come through goes unfiltered."""
    for skip in pf.skips:
        if LOOPBACK.called(skip.name) or driver_of(skip.name) == "lo":
            continue
        leads_out = [interface.called(skip.name) for interface in pf.egress]
        tunnel = skip.name in NEVER_EGRESS or driver_of(skip.name) in NEVER_EGRESS
        if all(leads_out) or tunnel:
            what = "a tunnel" if tunnel else "the way to the Internet"
            message = f"pf looks at no packet on {skip.name}, {what}: everything passes there."
            fix = Fix(f"Filter {skip.name} too", Safety.UNSAFE, _unskip(pf, skip))
            yield Finding(message, (Place.at(skip.at.span, "skipped here"),), fix, "skip", skip.name)
        elif any(leads_out):
            message = f"pf looks at no packet on {skip.name}, and it could not be told whether that leads to the Internet."
            yield Doubt(Reason.IN_DOUBT, message, (Place.at(skip.at.span, "skipped here"),))


def _unskip(pf: Ruleset, skip: Skip) -> tuple[Edit, ...]:
    alone = sum(1 for each in pf.skips if each.statement is skip.statement) == 1
    return remove(skip.statement) if alone else remove_word(skip.statement, skip.at)


@rule("PF050")
def blocked_connections_are_answered(pf: Ruleset) -> Iterator[Outcome]:
    """Whoever is blocked is told so, unless the file says that silence is meant."""
    deciding = [pf.admits(family, TCP, 1).rules for family in FAMILIES]
    silent = [rules[0] for rules in deciding if rules and rules[0].returns == "drop" and not _says_drop(rules[0])]
    policies = pf.options.get("block-policy", [])
    nobody = not any(deciding) and not policies
    if not nobody and (not silent or _policy_before(pf, silent[0]) == "drop"):
        return
    late = [each for each in policies if each.node.all_leaves()[-1].kind == "return"]
    if late and silent:
        message = 'This "set block-policy return" stands below the rule that blocks, so that rule still drops in silence.'
        edits = (*remove(late[0]), *above(_first_block(pf, silent[0]).statement, late[0].span.chars))
        fix = Fix("Set the policy above the rule", Safety.SAFE, edits)
        already = Place.at(silent[0].statement.span, "already blocks")
        yield Finding(message, (Place.at(late[0].span, "too late"), already), fix, "block-policy", "late")
        return
    message = "Blocked connections are dropped in silence, so whoever tries waits for a timeout: the block policy is not set."
    fix = Fix("Answer blocked connections", Safety.SAFE, option_line(pf, "set block-policy return"))
    places = tuple(Place.at(each.statement.span, "drops in silence") for each in silent[:1]) or (Place.whole(pf.text),)
    yield Finding(message, places, fix, "block-policy", "unset", absence=True)


def _says_drop(blocking: Rule) -> bool:
    return any(token.kind == "drop" for token in blocking.statement.seen[:3])


def _policy_before(pf: Ruleset, blocking: Rule) -> str:
    """The policy that was set above a rule, in its own file."""
    span = blocking.statement.span
    before = [
        each.node.all_leaves()[-1].kind
        for each in pf.options.get("block-policy", [])
        if each.span.text is not span.text or each.span.start < span.start
    ]
    return before[-1] if before else ""


def _first_block(pf: Ruleset, otherwise: Rule) -> Rule:
    return next((each for each in top_rules(pf) if each.action == "block"), otherwise)
