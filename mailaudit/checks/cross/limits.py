"""Rules about what two layers must agree on: how large a message may be, how many files Dovecot may open."""

from __future__ import annotations

import re
from collections.abc import Iterator

from mailaudit.checks.dovecot.sieve import plugins
from mailaudit.checks.host.limits import LEAST
from mailaudit.checks.registry import rule
from mailaudit.checks.rspamd.edits import place_of, set_to
from mailaudit.checks.smtpd.actions import users_actions
from mailaudit.checks.smtpd.edits import add_line, instead, is_filtered
from mailaudit.checks.smtpd.scope import smtpd_rule
from mailaudit.editing import login as write_login
from mailaudit.edits import Edit, Fix, Safety
from mailaudit.findings import Doubt, Exempt, Finding, Outcome, Place
from mailaudit.models.dovecot.catalogue import Definition
from mailaudit.models.dovecot.config import DovecotConfig
from mailaudit.models.dovecot.reading import Setting
from mailaudit.models.dovecot.settings import NEW
from mailaudit.models.dovecot.values import comes_to
from mailaudit.models.login import LoginConf
from mailaudit.models.login_classes import LoginClass
from mailaudit.models.rspamd.config import RspamdConfig
from mailaudit.models.sieve.uses import plugin_settings
from mailaudit.models.site import Site
from mailaudit.models.smtpd.config import SmtpdConfig
from mailaudit.models.sources import Lacking, Missing, NotHere
from mailaudit.questions import Reason

MIB = 1024 * 1024
RSPAMD_TAKES = 50 * MIB  # where max_message is not set (cfg_file.h, DEFAULT_MAX_MESSAGE)
QUOTA_SIZE = {"2.3": "quota_max_mail_size", NEW: "quota_mail_size"}
NEEDED = LEAST["dovecot"][0]  # what HOST060 asks for: enough for Dovecot's own limits
_SIZE = Definition("size", "size", "")


def shown(size: float) -> str:
    """A size as people write it."""
    return f"{size / MIB:g}M" if size >= MIB else f"{size / 1024:g}K"


@smtpd_rule("CROSS100")
def sizes_fit(
    smtpd: SmtpdConfig, rspamd: RspamdConfig | NotHere | Lacking, dovecot: DovecotConfig | Missing | NotHere | Lacking, site: Site
) -> Iterator[Outcome]:
    """Whatever smtpd takes, rspamd looks at and Dovecot delivers."""
    if any(is_filtered(smtpd, listener) for listener in smtpd.listeners):
        if isinstance(rspamd, RspamdConfig):
            yield from _rspamd_looks(smtpd, rspamd)
        elif isinstance(rspamd, Lacking):
            yield Doubt(rspamd.reason, rspamd.detail or f"{rspamd.path} could not be looked at")
    if any(action.kind in ("lmtp", "mda") for action in users_actions(smtpd, site)):
        if isinstance(dovecot, DovecotConfig):
            yield from _dovecot_delivers(smtpd, dovecot)
        elif isinstance(dovecot, Lacking):
            yield Doubt(dovecot.reason, dovecot.detail or f"{dovecot.path} could not be looked at")


def _place(smtpd: SmtpdConfig, label: str = "") -> Place:
    at = smtpd.options.max_message_size_at
    return Place.whole(smtpd.tree.text, label) if at is None else Place.at(at.span, label)


def _rspamd_looks(smtpd: SmtpdConfig, rspamd: RspamdConfig) -> Iterator[Outcome]:
    value, most = rspamd.get("options", "max_message"), smtpd.options.max_message_size
    limit = value.number if value is not None else RSPAMD_TAKES
    ours = value is not None and not rspamd.is_packaged(value)
    places = (place_of(rspamd, value, "options.inc"), _place(smtpd, "smtpd takes more"))
    if limit is None:
        yield Doubt(Reason.IN_DOUBT, "How large a message rspamd takes could not be told.", places)
    elif limit < most:
        edits = set_to(rspamd, value, "options.inc", ("max_message",), most)
        yield Finding(
            f"smtpd takes messages of up to {shown(most)}, and rspamd none above {shown(limit)}: the filter defers larger ones.",
            places if ours else (_place(smtpd), *places[:1]),
            Fix("Let rspamd take as much", Safety.UNSAFE, edits, ("rcctl restart rspamd",)) if edits else None,
            "rspamd max_message",
            shown(limit),
            absence=not ours,
        )


def _dovecot_delivers(smtpd: SmtpdConfig, dovecot: DovecotConfig) -> Iterator[Outcome]:
    setting = plugin_settings(dovecot).get(QUOTA_SIZE[dovecot.family])
    if setting is None or not setting.value or not {"quota"} & (plugins(dovecot, "lmtp") | plugins(dovecot, "lda")):
        return
    limit, most = comes_to(_SIZE, setting.value, is_new=dovecot.family == NEW), smtpd.options.max_message_size
    if isinstance(limit, int) and 0 < limit < most:
        edits = _take_less(smtpd, limit)
        yield Finding(
            f"smtpd takes messages of up to {shown(most)}, and Dovecot delivers none above {shown(limit)}: larger ones bounce.",
            (Place.at(setting.span), _place(smtpd, "smtpd takes more")),
            Fix("Take no more than is delivered", Safety.UNSAFE, edits, ("rcctl restart smtpd",)) if edits else None,
            setting.name,
            shown(limit),
        )


def _take_less(smtpd: SmtpdConfig, size: int) -> tuple[Edit, ...]:
    written = f"{size // MIB}M" if size % MIB == 0 else str(size)
    at = smtpd.options.max_message_size_at
    return instead(at, written) if at is not None else add_line(smtpd, "smtp", f"smtp max-message-size {written}")


@rule("CROSS062")
def dovecot_may_open_what_it_needs(dovecot: DovecotConfig, login: LoginConf | Missing | NotHere | Lacking) -> Iterator[Outcome]:
    """The login class of Dovecot lets it open as many files as one of its processes may have clients."""
    by, need = _clients(dovecot)
    if by is None or need <= NEEDED:
        return
    found = login.login_class("dovecot") if isinstance(login, LoginConf) else None
    if found is None:
        detail = "Which files Dovecot's login class lets it open was not recorded."
        yield Doubt(login.reason if isinstance(login, Lacking) else Reason.NOT_RECORDED, detail, (Place.at(by.span),))
        return
    limit = found.limit("openfiles")
    if limit.soft is None or limit.soft < NEEDED:
        yield Exempt("the login class dovecot allows too few open files whatever Dovecot is told, as HOST060 says")
    elif limit.soft < need:
        own = limit.soft_by in found.record.capabilities
        at = limit.soft_by.value if own and limit.soft_by is not None else None
        yield Finding(
            f"A process of Dovecot may have {need} clients, and its login class lets it open {limit.soft} files.",
            (Place.at(by.span), Place.at((at or found.record.names[0]).span, "the login class")),
            Fix("Raise the login class", Safety.SAFE, _raise(login, found, need), ("rcctl restart dovecot",)),
            "client_limit",
            str(need),
        )


def _clients(dovecot: DovecotConfig) -> tuple[Setting | None, int]:
    """The most clients that one process may have, and the setting that says so: Dovecot's own reckoning of the files it needs."""
    default = dovecot.setting("default_client_limit")
    found = [] if default.is_default else [default]
    for service in dovecot.root.of("service"):
        protocol = service.get("protocol")
        name = protocol.value if protocol is not None else re.sub("^managesieve", "sieve", service.name).partition("-login")[0]
        setting = service.get("client_limit")
        served = name not in ("imap", "pop3", "lmtp", "sieve", "submission") or name in dovecot.protocols
        found += [setting] if setting is not None and served else []
    numbers = [
        (int(each.value), each) for each in found if each.value.isascii() and each.value.isdigit() and len(each.value) < 10
    ]
    most = max(numbers, key=lambda pair: pair[0], default=None)
    return (None, 0) if most is None else (most[1], most[0])


def _raise(login: object, found: LoginClass, need: int) -> tuple[Edit, ...]:
    assert isinstance(login, LoginConf)
    tree = next((tree for tree in login.trees if tree.text.path == found.record.path), None)
    if tree is None:
        return ()
    name, limit = found.record.names[0].value, found.limit("openfiles")
    both = limit.soft_by is limit.hard_by and limit.soft_by is not None and limit.soft_by.name.value == "openfiles"
    raised = ["openfiles"] if both else ["openfiles-cur", *(["openfiles-max"] if (limit.hard or 0) < need else [])]
    return tuple(edit for each in raised for edit in write_login.set_capability(tree, name, each, str(need)) or ())
