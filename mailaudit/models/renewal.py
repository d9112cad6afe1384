"""What runs acme-client, and which daemons are made to read the new certificate afterwards."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from mailaudit.models.cron import Crontabs, Run
from mailaudit.models.shell import Step
from mailaudit.parsers.tree import Token
from mailaudit.text import Span

CLIENT = "acme-client"
WEEK = 8 * 24 * 60  # minutes; a random time of day makes a week eight days at worst
_TAKES_A_WORD = "fe"
_SERVICES = {"smtpd": "smtpd", "Dovecot": "dovecot", "httpd": "httpd"}
_NO_RELOAD = frozenset({"smtpd"})  # its rc.d(8) script has none
_HINT = re.compile(r"acme|cert|letsencrypt|renew|ssl|tls|deploy", re.IGNORECASE)
_KNOWN = frozenset(
    {"acme-client", "rcctl", "doveadm", "pkill", "kill", "logger", "mail", "echo", "test", "[", "sleep", "ocspcheck"}
)


@dataclass(frozen=True, slots=True, eq=False)
class Renewal:
    """A run of acme-client that may renew a certificate.

    `beside` are the steps behind it in the same line of a crontab, or in the same script; `on_line` tells which.
    """

    run: Run
    beside: tuple[Step, ...]
    on_line: bool

    @property
    def script(self) -> Step | None:
        """A step that runs if there is a new certificate, of a program that is no part of the system: it may do anything."""
        followers = (step for step in self.beside if self.run.step in step.needs and step.program not in _KNOWN)
        return next((step for step in followers if step.call[0].kind != "expanded" and "/" in step.call[0].value), None)


@dataclass(frozen=True, slots=True)
class Awakened:
    """Whether a daemon is made to read the new certificate; `always` is a restart that happens without a new one too."""

    missing: bool
    always: Step | None = None


def renewals(crontabs: Crontabs, handle: str) -> list[Renewal]:
    """The runs that renew a domain: as root, with its handle or with a variable's value."""
    found = []
    for run in crontabs.running(CLIENT):
        words = _handles(run.step.arguments)
        as_root = run.user == "root" or run.step.words[0].value in ("doas", "sudo")
        if words is not None and as_root and any(word.kind == "expanded" or word.value == handle for word in words):
            found.append(_renewal(crontabs, run))
    return found


def _handles(arguments: Sequence[Token]) -> list[Token] | None:
    """The arguments that are no options; None for a call that asks for no certificate: it tests, or revokes."""
    words: list[Token] = []
    skip = False
    for token in arguments:
        value = token.value
        if skip:
            skip = False
        elif value.startswith("-") and len(value) > 1 and not words:
            if set(value[1:]) & {"n", "r"}:
                return None
            skip = value[-1] in _TAKES_A_WORD
        else:
            words.append(token)
    return words


def _renewal(crontabs: Crontabs, run: Run) -> Renewal:
    at = run.step.span
    on_line = run.job is not None and run.job.statement.span.text is at.text
    siblings = (
        run.job.steps if run.job is not None and on_line else [e.step for e in crontabs.runs if e.step.span.text is at.text]
    )
    return Renewal(run, tuple(step for step in siblings if step.span.start > at.start), on_line)


def awakened(crontabs: Crontabs, found: Sequence[Renewal], daemon: str) -> Awakened:
    """Whether one of these renewals, or a job of its own, makes a daemon read the certificate."""
    always = None
    for renewal in found:
        for step in renewal.beside:
            if not wakes(step, daemon) or renewal.run.step in step.unless:
                continue
            if renewal.run.step in step.needs or not step.sure or _asks(step):
                return Awakened(missing=False)
            if not any(each.program == CLIENT for each in step.needs):
                always = step
    if always is not None:
        restarts = any(token.value == "restart" for token in always.arguments)
        return Awakened(missing=False, always=always if restarts else None)
    own = [run for run in crontabs.runs if wakes(run.step, daemon) and not run.step.needs and not run.step.unless]
    return Awakened(missing=not any(run.schedule.at_least_every(WEEK) for run in own))


def _asks(step: Step) -> bool:
    """True if a test of some variable decides whether a step is run: of `$?`, it may be."""
    return any(token.kind == "expanded" for each in (*step.needs, *step.unless) for token in each.arguments)


def wakes(step: Step, daemon: str) -> bool:
    """True if a command makes a daemon read its certificate anew: a restart, of the host even, or a reload where there is one."""
    service = _SERVICES[daemon]
    words = [token.value for token in step.arguments]
    if step.program in ("reboot", "shutdown"):
        return True
    if step.program == "doveadm":
        return service == "dovecot" and "reload" in words
    if step.program in ("pkill", "kill"):
        return service not in _NO_RELOAD and any("HUP" in word for word in words) and any(service in word for word in words)
    verbs = {"restart"} if service in _NO_RELOAD else {"restart", "reload"}
    if step.program == "rcctl":
        named = any(token.kind == "expanded" or token.value == service for token in step.arguments[1:])
        return named and bool(words) and words[0] in verbs
    return step.program == service and step.call[0].value.startswith("/etc/rc.d/") and bool(verbs & set(words))


def scripts_not_seen(crontabs: Crontabs) -> list[Span]:
    """Where root runs a program by its path whose name suggests certificates, and which is no part of the system."""
    return [
        run.step.span
        for run in crontabs.runs
        if run.step.program not in _KNOWN
        and run.step.call[0].kind != "expanded"
        and any(
            token.value.startswith(("/", "./", "~")) and _HINT.search(token.value)
            for token in (run.step.call[0], *run.step.arguments[:1])
        )
    ]
