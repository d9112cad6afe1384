"""The hops of the Sieve scripts that run when Dovecot delivers."""

from __future__ import annotations

from collections.abc import Iterator

from mailaudit.findings import Place
from mailaudit.models.dovecot.config import DovecotConfig
from mailaudit.models.dovecot.parts import evaluate
from mailaudit.models.dovecot.user import MailUser
from mailaudit.models.sieve.eval import Situation
from mailaudit.models.sieve.script import Script, Sieve
from mailaudit.models.sieve.uses import Use
from mailaudit.questions import Absent, Reason
from mailaudit.trace.hops import Hop, Kind, Verdict, broken, ok, unknown
from mailaudit.trace.host import Host
from mailaudit.trace.listeners import setting_place

_PLAIN_HEADERS = ("x-spam", "x-spam-flag", "x-spam-status", "x-spamd-result")  # what rspamd adds to spam; ordinary mail has none
_LOSING = ("discard", "reject", "ereject")


def sieved(host: Host, dovecot: DovecotConfig, user: MailUser, protocol: str) -> Iterator[Hop]:
    """What the scripts do that run at delivery, with a message that nothing marks as spam."""
    words = dovecot.words("mail_plugins", protocol)
    if "sieve" not in words:
        setting = dovecot.setting("mail_plugins", protocol)
        yield ok(Kind.SIEVE, user.user, "No Sieve runs at delivery: the mail is in INBOX.", setting_place(dovecot, setting))
        return
    sieve = host.known(Sieve)
    if sieve is None:
        return
    yield from _scripts(dovecot, sieve, "before")
    own = next((_own_script(host, dovecot, user, use) for use in sieve.at("personal")), None)
    if own is not None:
        yield own
    if own is None or own.verdict is Verdict.OK:  # only who has no script gets the default one
        yield from _scripts(dovecot, sieve, "default")
    yield from _scripts(dovecot, sieve, "after")


def _own_script(host: Host, dovecot: DovecotConfig, user: MailUser, use: Use) -> Hop:
    """Whether the user has a script. It is never read: what it says is the user's own."""
    place = setting_place(dovecot, use.setting)
    where = use.location or use.setting.value
    path = evaluate(where, dovecot.family, user.user, user.home.value)
    if path is not None and isinstance(host.sources.stat(path), Absent):
        return ok(Kind.SIEVE, user.user, f"The user has no script of their own ({path}).", place)
    message = f"The user's own script, {where}, decides the rest; it was not looked at."
    return unknown(Kind.SIEVE, user.user, Reason.NOT_RECORDED, message, place)


def _scripts(dovecot: DovecotConfig, sieve: Sieve, when: str) -> Iterator[Hop]:
    for use in sieve.at(when):
        place = setting_place(dovecot, use.setting)
        for path in use.paths or (use.location or use.setting.value,):
            script = sieve.scripts.get(path)
            if script is not None:
                yield _outcome(script, place)
            elif path in sieve.missing:
                yield ok(Kind.SIEVE, path, f"The script {path} is not there; mail goes on.", place)
            else:
                yield unknown(Kind.SIEVE, path, Reason.NOT_RECORDED, f"The script {path} was not looked at.", place)


def _outcome(script: Script, place: Place) -> Hop:
    """What a script does with an ordinary message."""
    outcome = script.outcome(Situation(headers=dict.fromkeys(_PLAIN_HEADERS, ())))
    certain = [each for each in outcome.actions if each.certain and not each.is_copy]
    thrown = next((each for each in certain if each.kind in _LOSING), None)
    if thrown is not None:
        message = f"The script does `{thrown.kind}` with every message."
        raise broken(Kind.SIEVE, script.path, message, Place.at(thrown.token.span), place)
    filed = next((each for each in certain if each.kind == "fileinto"), None)
    if filed is not None:
        folder = (filed.values[0] if filed.values else None) or "a folder"
        return ok(Kind.SIEVE, script.path, f"The script files every message into {folder}.", Place.at(filed.token.span), place)
    if outcome.keeps:
        return ok(Kind.SIEVE, script.path, "The script leaves ordinary mail in INBOX.", place)
    return ok(Kind.SIEVE, script.path, "Where the script leaves the mail depends on the message.", place)
