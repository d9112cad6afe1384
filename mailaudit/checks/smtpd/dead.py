"""Rules about what in smtpd.conf does nothing: match rules that never decide, actions that no rule uses."""

from __future__ import annotations

from collections.abc import Iterator

from mailaudit.checks.smtpd.scope import smtpd_rule
from mailaudit.editing.smtpd import remove
from mailaudit.edits import Fix, Safety
from mailaudit.findings import Doubt, Exempt, Finding, Outcome, Place
from mailaudit.models.smtpd.config import SmtpdConfig
from mailaudit.models.smtpd.covers import Dead, dead_rules
from mailaudit.models.smtpd.parts import Action, Cause
from mailaudit.questions import Reason


@smtpd_rule("SMTPD046")
def every_rule_decides(smtpd: SmtpdConfig) -> Iterator[Outcome]:
    """Each match rule is the first one for some message."""
    for dead in dead_rules(smtpd):
        place = Place.at(dead.rule.span)
        if not dead.certain:
            message = "Whether this rule ever decides hangs on a table that is not known."
            yield Doubt(Reason.NOT_RECORDED, message, (place, *_deciding(dead)))
        elif dead.tag:
            message = f'This rule never decides: no listener gives the tag "{dead.tag}".'
            fix = Fix("Give a listener the tag, or remove the rule", Safety.MANUAL)
            yield Finding(message, (place,), fix, "rule", "tag", absence=True)
        else:
            message = "This rule never decides: all that it matches is decided above it."
            yield Finding(message, (place, *_deciding(dead)), _removal(dead), "rule", "dead")


def _deciding(dead: Dead) -> Iterator[Place]:
    return (Place.at(each.span, "this rule decides") for each in dead.by)


def _removal(dead: Dead) -> Fix:
    """A rule that says the same goes; what another one was meant to do, only a person knows."""
    names = {None if each.action is None else each.action.name.value for each in (dead.rule, *dead.by)}
    if len(names) == 1:
        return Fix("Remove the rule", Safety.SAFE, remove(dead.rule.statement))
    return Fix("Move it above the rule that decides now, or remove it", Safety.MANUAL)


@smtpd_rule("SMTPD047")
def every_action_is_used(smtpd: SmtpdConfig) -> Iterator[Outcome]:
    """Some match rule uses each action."""
    if any(refusal.cause is Cause.ACTION for refusal in smtpd.meanings):
        yield Exempt("a match rule names an action that is not defined, which SMTPD001 reports")
        return
    used = {rule.action.name.value for rule in smtpd.rules if rule.action is not None}
    used |= {token.value for tree in smtpd.trees for each in tree.unread() for token in each.tokens}  # a rule that is refused
    for name, action in smtpd.actions.items():
        if name not in used:
            message = f'No match rule uses the action "{name}".'
            yield Finding(message, (Place.at(action.at),), _unused(smtpd, action, used), f"action {name}", "unused", absence=True)


def _unused(smtpd: SmtpdConfig, action: Action, used: set[str]) -> Fix:
    """An action goes if another one of its sort is used; else it is most likely the rule that lacks."""
    if any(name in used and _sort(each) == _sort(action) for name, each in smtpd.actions.items()):
        return Fix("Remove it", Safety.SAFE, remove(action.statement))
    return Fix("Have a match rule use it, or remove it", Safety.MANUAL)


def _sort(action: Action) -> str:
    return "relay" if action.is_relay else "virtual" if "virtual" in action.tables else "local"
