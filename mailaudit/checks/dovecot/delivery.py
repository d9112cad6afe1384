"""The rule that what users upload by ManageSieve runs when their mail is delivered."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator
from dataclasses import dataclass

from mailaudit.checks.dovecot.edits import add_plugin, append, place_of, plugin_lines, plugin_setting
from mailaudit.checks.dovecot.listeners import serve
from mailaudit.checks.dovecot.sieve import plugins
from mailaudit.checks.dovecot.sockets import closed, socket_lines
from mailaudit.checks.sieve.edits import SCRIPTS, files_of
from mailaudit.checks.smtpd.actions import users_actions
from mailaudit.checks.smtpd.scope import smtpd_rule
from mailaudit.editing import words
from mailaudit.edits import Edit, Fix, Safety
from mailaudit.findings import Doubt, Exempt, Finding, Outcome, Place
from mailaudit.models.dovecot.config import DovecotConfig
from mailaudit.models.dovecot.settings import NEW
from mailaudit.models.dovecot.sockets import sockets
from mailaudit.models.files import Files
from mailaudit.models.mail_owner import MailOwner
from mailaudit.models.reference import Reference
from mailaudit.models.sieve.script import Sieve
from mailaudit.models.site import Site
from mailaudit.models.smtpd.config import SmtpdConfig
from mailaudit.models.smtpd.parts import Action
from mailaudit.questions import Reason

FILING = "spam-to-junk"  # the reference's script that files marked mail, as a maildir action's `junk` does
BY_SMTPD = ("maildir", "mbox")
LDA = ("dovecot-lda", "dovecot/deliver")


@dataclass(frozen=True, slots=True)
class _Host:
    """All that the fix writes into, or looks at."""

    dovecot: DovecotConfig
    sieve: Sieve
    files: Files
    owner: MailOwner
    reference: Reference


@smtpd_rule("DOVECOT070", needs_mail=True)
def sieve_runs_at_delivery(  # noqa: PLR0913, PLR0917  the rule itself looks at three, its fix at all
    smtpd: SmtpdConfig, dovecot: DovecotConfig, sieve: Sieve, files: Files, owner: MailOwner, reference: Reference, site: Site
) -> Iterator[Outcome]:
    """Where ManageSieve is offered, users' mail is delivered by Dovecot, with its plugin sieve."""
    if "sieve" not in dovecot.protocols:
        yield Exempt("ManageSieve is not offered, so that users have no scripts")
        return
    host = _Host(dovecot, sieve, files, owner, reference)
    for action in users_actions(smtpd, site):
        if action.kind in BY_SMTPD:
            yield _by_smtpd(host, action)
        elif action.kind in ("lmtp", "mda"):
            yield from _by_dovecot(dovecot, action)


def _by_smtpd(host: _Host, action: Action) -> Finding:
    edits = _by_lmtp(host, action)
    commands = (f"sievec {SCRIPTS}/{FILING}.sieve", "rcctl reload dovecot", "rcctl restart smtpd")
    return Finding(
        f"Users upload Sieve scripts and none ever runs: smtpd puts their mail into the {action.kind} itself, past Dovecot.",
        (Place.at((action.argument or action.kind_at).span), _offered(host.dovecot)),
        Fix("Have Dovecot deliver, by LMTP", Safety.UNSAFE, edits, commands) if edits else None,
        f"action {action.name.value}",
        action.kind,
    )


def _offered(dovecot: DovecotConfig) -> Place:
    """Where ManageSieve is among the protocols."""
    setting, label = dovecot.setting("protocols"), "ManageSieve is offered"
    return place_of(dovecot, label) if setting.is_default else Place.at(setting.span, label)


def _by_lmtp(host: _Host, action: Action) -> tuple[Edit, ...]:
    """What makes an action deliver by Dovecot's LMTP, marked mail go to Junk all the same, and Dovecot ready for it."""
    dovecot = host.dovecot
    path = posixpath.join(dovecot.setting("base_dir").value, "lmtp")
    last = action.words.get("junk") or action.argument
    found = words.instead(action.kind_at, f'lmtp "{path}" rcpt-to', last)
    if not found:
        return ()
    edits, lines = list(found), list[str]()
    protocols, block = dovecot.setting("protocols"), dovecot.root.named("protocols", "")
    if "lmtp" not in dovecot.protocols and protocols.is_default and block is None:
        lines.append(f"protocols = {' '.join((*dovecot.words('protocols'), 'lmtp'))}")
    elif "lmtp" not in dovecot.protocols:
        edits += serve(dovecot, protocols, block, ["lmtp"], [])
    if "sieve" not in plugins(dovecot, "lmtp"):
        written = plugin_setting(dovecot, "lmtp") is not None
        edits += add_plugin(dovecot, "lmtp", "sieve") if written else ()
        lines += () if written else plugin_lines(dovecot, "lmtp", "sieve")
    socket = next((each for each in sockets(dovecot, "lmtp") if each.path == path), None)
    if socket is not None and socket.section is not None and socket.section.opened is not None:
        edits += closed(dovecot, socket, host.owner.name)
    else:
        lines += socket_lines("lmtp", host.owner.name)
    if not host.sieve.at("before"):
        script = f"{SCRIPTS}/{FILING}.sieve"
        edits += files_of(host.sieve, host.files, host.reference, script, FILING)
        lines += _filing(dovecot, script)
    return (*edits, *(append(dovecot, *lines) if lines else ()))


def _filing(dovecot: DovecotConfig, script: str) -> tuple[str, ...]:
    if dovecot.family == NEW:
        return (f"sieve_script {FILING} {{", "\ttype = before", f"\tpath = {script}", "}")
    return ("plugin {", f"\tsieve_before = {script}", "}")


def _by_dovecot(dovecot: DovecotConfig, action: Action) -> Iterator[Outcome]:
    written = action.argument.value if action.argument is not None else ""
    place = Place.at((action.argument or action.kind_at).span)
    protocol = "lmtp" if action.kind == "lmtp" else "lda"
    is_ours = _is_ours(dovecot, written) if protocol == "lmtp" else any(name in written for name in LDA)
    if not is_ours:
        message = f"Whether {written or action.kind}, which takes the users' mail, runs their Sieve scripts is not known."
        yield Doubt(Reason.IN_DOUBT, message, (place,))
    elif "sieve" not in plugins(dovecot, protocol):
        own = plugin_setting(dovecot, protocol)
        yield Finding(
            f"Users upload Sieve scripts and none ever runs: the protocol {protocol} has no plugin sieve.",
            (place_of(dovecot) if own is None else Place.at(own.span), Place.at(place.span, "delivers") if place.span else place),
            Fix("Load the plugin at delivery", Safety.UNSAFE, add_plugin(dovecot, protocol, "sieve")),
            f"protocol {protocol} mail_plugins",
            "sieve",
            absence=True,
        )


def _is_ours(dovecot: DovecotConfig, where: str) -> bool:
    """True if Dovecot is what listens at a socket or `host:port` that smtpd delivers to by LMTP."""
    if where.startswith("/"):
        return "dovecot" in where or posixpath.normpath(where) in {each.path for each in sockets(dovecot, "lmtp")}
    port = where.rpartition(":")[2]
    return any(each.service == "lmtp" and str(each.port) == port for each in dovecot.listeners)
