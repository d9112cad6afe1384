"""A rule about commands that smtpd delivers with: what a stranger writes in an address is read by no shell."""

from __future__ import annotations

import re
from collections.abc import Iterator

from mailaudit.checks.smtpd.edits import instead
from mailaudit.checks.smtpd.scope import smtpd_rule
from mailaudit.edits import Fix, Safety
from mailaudit.findings import Exempt, Finding, Outcome, Place
from mailaudit.models.smtpd.config import SmtpdConfig

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
    for action in smtpd.actions.values():
        if action.kind != "mda" or action.argument is None:
            continue
        command = action.argument.value
        found = [*_raw(command), *(match[1] for match in _VARIABLE.finditer(command))]
        if not found:
            continue
        escaped = _escaped(action.argument.span.chars)
        edits = instead(action.argument, escaped) if not _VARIABLE.search(escaped) and not _raw(escaped) else ()
        fix = Fix("Let smtpd escape it", Safety.UNSAFE, edits) if edits else None
        message = (
            f"{found[0]} is what a stranger wrote, and a shell reads it: unless smtpd has the fix of September 2026, whoever "
            "sends mail runs commands here."
        )
        yield Finding(message, (Place.at(action.argument.span),), fix, f"action {action.name.value}", "shell")


def _raw(command: str) -> list[str]:
    return [match[0] for match in _RAW.finditer(command) if "raw" in match[3].lower().split("|")]


def _escaped(chars: str) -> str:
    """The command with formats that smtpd escapes; what has none stays."""

    def tame(match: re.Match[str]) -> str:
        kept = [word for word in match[3].split("|") if word.lower() != "raw"]
        return f"%{{{match[1]}{match[2]}{':' if kept else ''}{'|'.join(kept)}}}"

    def named(match: re.Match[str]) -> str:
        format_ = _ESCAPED[match["inside"] or match["plain"]] if match[1].strip("${}") in _ESCAPED else ""
        return match[0].replace(match[1], format_) if format_ else match[0]

    return _VARIABLE.sub(named, _RAW.sub(tame, chars))
