"""A rule about commands that smtpd delivers with: what a stranger writes in an address is read by no shell."""

from __future__ import annotations

import re
from collections.abc import Iterator

from mailaudit.checks.smtpd.edits import instead
from mailaudit.checks.smtpd.scope import smtpd_rule
from mailaudit.edits import Fix, Safety
from mailaudit.findings import Exempt, Finding, Outcome, Place
from mailaudit.models.smtpd.config import SmtpdConfig
from mailaudit.models.smtpd.parts import string
from mailaudit.parsers.tree import Token

FIXED = (8, 0)  # the first release after the fix (2026-09-11); whether an older one was patched since smtpd does not tell
_RAW = re.compile(r"%\{((?:sender|rcpt|dest)(?:\.user)?|mbox\.from)((?:\[[^\]]*\])?):([^{}]*)\}", re.IGNORECASE)
_ESCAPED = {
    "SENDER": "%{sender}", "ORIGINAL_RECIPIENT": "%{rcpt}", "RECIPIENT": "%{dest}", "LOCAL": "%{rcpt.user}", "EXTENSION": "",
}  # fmt: skip
_NAMES = "|".join(_ESCAPED)
_VARIABLE = re.compile(rf"(?<!\\)(?:\\\\)*(\$(?:\{{(?P<inside>{_NAMES})\b[^}}]*\}}|(?P<plain>{_NAMES})\b))", re.ASCII)


@smtpd_rule("SMTPD056", needs_mail=True)
def no_shell_reads_addresses(smtpd: SmtpdConfig) -> Iterator[Outcome]:
    """No command has an address unescaped: mail.mda(8) hands it to a second shell, which reads what the first one put in."""
    if smtpd.release >= FIXED:
        yield Exempt("smtpd escapes addresses in commands since OpenBSD 8.0")
        return
    for command, about, is_read_twice in _commands(smtpd):
        found = _raw(command.value)
        found += [match[1] for match in _VARIABLE.finditer(command.value)] if is_read_twice else []
        if not found:
            continue
        escaped = _RAW.sub(_tame, command.span.chars)
        escaped = _VARIABLE.sub(_named, escaped) if is_read_twice else escaped
        left = _raw(escaped) or (is_read_twice and _VARIABLE.search(escaped))
        edits = () if left else instead(command, escaped)
        fix = Fix("Let smtpd escape it", Safety.UNSAFE, edits) if edits else None
        message = (
            f"{found[0]} is what a stranger wrote, and a shell reads it: unless smtpd has the fix of September 2026, whoever "
            "sends mail runs commands here."
        )
        yield Finding(message, (Place.at(command.span),), fix, about, "shell")


def _commands(smtpd: SmtpdConfig) -> Iterator[tuple[Token, str, bool]]:
    """The commands that deliver, each with what it belongs to, and whether two shells read it: a wrapper's is read by one."""
    for action in smtpd.actions.values():
        if action.kind == "mda" and action.argument is not None:
            yield action.argument, f"action {action.name.value}", True
    for statement in smtpd.statements():
        wrapper = statement.node.node("wrapper") if statement.kind == "mda" and statement.template is not None else None
        if wrapper is not None:
            yield string(wrapper, 1), f"wrapper {string(wrapper).value}", False


def _raw(command: str) -> list[str]:
    return [match[0] for match in _RAW.finditer(command) if "raw" in match[3].lower().split("|")]


def _tame(match: re.Match[str]) -> str:
    """A format without the modifier that keeps smtpd from escaping it."""
    kept = [word for word in match[3].split("|") if word.lower() != "raw"]
    return f"%{{{match[1]}{match[2]}{':' if kept else ''}{'|'.join(kept)}}}"


def _named(match: re.Match[str]) -> str:
    """The format that smtpd escapes in the place of a variable; the variable where there is none."""
    format_ = _ESCAPED[match["inside"] or match["plain"]] if match[1].strip("${}") in _ESCAPED else ""
    return match[0].replace(match[1], format_) if format_ else match[0]
