"""Rules that the host's own files are taken by what reads them: none is in the catalogue, which asks what such files say."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from mailaudit.checks.host.vmail import is_of
from mailaudit.checks.loading import loads
from mailaudit.checks.registry import rule
from mailaudit.edits import Fix, Safety
from mailaudit.edits import replace as put
from mailaudit.findings import Doubt, Exempt, Finding, Outcome, Place
from mailaudit.models.accounts import GROUPS, Accounts
from mailaudit.models.cron import Crontabs
from mailaudit.models.doas import DoasConfig
from mailaudit.models.hostname_if import HostnameIf
from mailaudit.models.login import LoginConf
from mailaudit.models.mail_owner import MailOwner
from mailaudit.models.redis import RedisConfig
from mailaudit.models.reference import Reference
from mailaudit.models.sources import Missing, Model
from mailaudit.models.sshd import SshdConfig
from mailaudit.questions import Reason

LOOKED_UP = {"/etc/passwd": "getpwnam(3)", "/etc/master.passwd": "pwd_mkdb(8)", "/etc/group": "getgrnam(3)"}


def _loads(model: Model | Missing, reader: str, reference: Reference) -> Iterator[Outcome]:
    """What the program that reads a file refuses of it; that the file is not there is another rule's business."""
    if isinstance(model, Missing):
        yield Exempt(f"{model.path} is not there")
    elif not model.trees:
        yield Exempt(f"no file that {reader} reads is at hand")
    else:
        yield from loads(model, reader, reference)


@rule("HOST074")
def redis_conf_loads(redis: RedisConfig | Missing, reference: Reference) -> Iterator[Outcome]:
    """Redis refuses nothing of redis.conf."""
    yield from _loads(redis, "redis", reference)


@rule("HOST075")
def doas_conf_loads(doas: DoasConfig | Missing, reference: Reference) -> Iterator[Outcome]:
    """Doas refuses nothing of doas.conf."""
    yield from _loads(doas, "doas", reference)


@rule("HOST076")
def sshd_config_loads(sshd: SshdConfig | Missing, reference: Reference) -> Iterator[Outcome]:
    """Sshd refuses nothing of sshd_config."""
    yield from _loads(sshd, "sshd", reference)


@rule("HOST077")
def crontabs_load(cron: Crontabs | Missing, reference: Reference) -> Iterator[Outcome]:
    """Cron refuses no line of a crontab, and sh none of the host's own scripts that run by it."""
    if isinstance(cron, Missing):
        return
    of_sh = tuple(each for each in cron.refusals if each.span.path in cron.scripts)
    of_cron = tuple(each for each in cron.refusals if each not in of_sh)
    for outcome in _loads(replace(cron, refusals=of_cron), "cron", reference):
        shown = isinstance(outcome, Finding) and cron.root is None  # by `crontab -l`: there is no file to write into
        yield replace(outcome, fix=None) if shown and isinstance(outcome, Finding) else outcome
    yield from loads(replace(cron, refusals=of_sh, trees=()), "sh", reference)
    for path, failed in cron.unknown.items():
        if failed.reason is not Reason.NOT_RECORDED:
            yield Doubt(failed.reason, failed.detail or f"{path} could not be looked at")


@rule("HOST078")
def hostname_if_loads(interfaces: HostnameIf | Missing, reference: Reference) -> Iterator[Outcome]:
    """Ifconfig refuses no line of the interfaces' files."""
    yield from _loads(interfaces, "ifconfig", reference)


@rule("HOST079")
def accounts_are_found(accounts: Accounts | Missing, owner: MailOwner) -> Iterator[Outcome]:
    """Every line of passwd and group is an account or a group; HOST050 tells of that of the mail's owner."""
    if isinstance(accounts, Missing):
        yield Exempt(f"{accounts.path} is not there")
        return
    if not accounts.groups:
        yield Doubt(Reason.NOT_RECORDED, f"{GROUPS} could not be looked at.")
    for problem in accounts.refusals:
        if accounts.user(owner.name) is None and problem.span.path != GROUPS and is_of(problem.span, owner.name):
            continue
        by = LOOKED_UP.get(problem.span.path, "the system")
        fix = None
        if problem.mend is not None:
            fix = Fix("Write it as it was meant", Safety.MANUAL, (put(problem.span, problem.mend),))
        yield Finding(
            f"{by} does not take this line: {problem.message}.", (Place.at(problem.span),), fix, "refused", problem.message
        )


@rule("HOST080")
def login_conf_loads(login: LoginConf | Missing, reference: Reference) -> Iterator[Outcome]:
    """Every login class is found, with all its values."""
    if isinstance(login, LoginConf):
        yield from (Doubt(why.reason, why.detail) for why in login.unread.values())
    yield from _loads(login, "login_getclass(3)", reference)
