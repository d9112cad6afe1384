"""The files that hold secrets: which, where that stands or is said, and which accounts besides root have to read them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from mailaudit.models.acme import AcmeConfig
from mailaudit.models.credentials import Credentials
from mailaudit.models.dovecot.config import DovecotConfig
from mailaudit.models.mail_owner import MailOwner
from mailaudit.models.redis import RedisConfig
from mailaudit.models.rspamd.config import RspamdConfig
from mailaudit.models.shown import ShownCertificates
from mailaudit.models.smtpd.config import SmtpdConfig
from mailaudit.models.sources import Known, Lacking, Model, Slot
from mailaudit.text import Span

SMTPD_USER = "_smtpd"  # table-passwd runs as it, and smtpd reads its tables anew as it
DOVECOT_USER = "_dovecot"  # the port's default_internal_user, which the auth service runs as
RSPAMD_USER = "_rspamd"
WRITTEN = frozenset({"relay-credentials", "password", "dovecot-password", "rspamd"})
"""Kinds of secrets that are looked for in the files: of keys it is known where they stand, and hashes have files of their own."""
SHORTEST = 6  # a shorter value may stand anywhere; where it is a password, RSPAMD004 and HOST073 say what is wrong with it
CONFIGURATION, KEY, SIGNING_KEY, HASHES, MAIL = "configuration", "key", "signing key", "hashes", "mail"


@dataclass(frozen=True, slots=True, eq=False)
class SecretFile:
    """One file, or the directory of all mail.

    `what` says what is in it, `at` where that stands, or where the file is named; a file as a whole where nothing names it.
    `readers` are the accounts besides root that read it. `owner`, `group` and `mode` are those that it should have.
    """

    kind: str
    path: str
    what: str
    at: Span | str
    readers: tuple[str, ...] = ()
    owner: str = "root"
    group: str = "wheel"
    mode: str = "0600"


@dataclass(frozen=True, eq=False)
class SecretFiles(Model):
    """All of them. `lacking` are the configurations that could not be looked at: what they name is not here."""

    files: tuple[SecretFile, ...] = ()
    lacking: tuple[Lacking, ...] = ()

    @property
    def configurations(self) -> tuple[SecretFile, ...]:
        """Those that people write secrets into."""
        return tuple(each for each in self.files if each.kind == CONFIGURATION)


def read_secret_files(slots: Mapping[type, Slot[object]], domains: tuple[str, ...]) -> SecretFiles:
    """Those that the daemons' configurations name; `domains` are the site's own."""
    found: dict[str, SecretFile] = {}
    used = [slots[kind] for kind in (SmtpdConfig, DovecotConfig, RspamdConfig, RedisConfig, AcmeConfig, Credentials)]
    models = [slot.value for slot in used if isinstance(slot, Known) and isinstance(slot.value, Model)]
    for slot in (*used, slots[ShownCertificates], slots[MailOwner]):
        for each in _of(slot.value, slots, domains) if isinstance(slot, Known) else ():
            found.setdefault(each.path, each)
    return SecretFiles(
        trees=tuple(tree for model in models for tree in model.trees),
        refusals=tuple(problem for model in models for problem in model.refusals),
        files=tuple(found.values()),
        lacking=tuple(slot for slot in used if isinstance(slot, Lacking)),
    )


def _of(model: object, slots: Mapping[type, Slot[object]], domains: tuple[str, ...]) -> Iterator[SecretFile]:
    match model:
        case SmtpdConfig():
            yield from _of_smtpd(model)
        case DovecotConfig():
            what = "a password that Dovecot logs in with"
            yield from (SecretFile(CONFIGURATION, at.path, what, at) for at in _places(model))
        case RspamdConfig():
            yield from _of_rspamd(model, domains)
        case RedisConfig():
            at = model.place("requirepass") if model.value("requirepass") else None
            if at is not None:
                yield SecretFile(CONFIGURATION, at.path, "redis's password", at, ("_redis",), "root", "_redis", "0640")
        case AcmeConfig():
            keys = [domain.key for domain in model.domains if domain.key is not None]
            yield from (SecretFile(KEY, key.value, "the private key", key.span, mode="0400") for key in keys)
        case ShownCertificates():
            named = {each.key: each.key_at for each in model.shown if each.key is not None}
            yield from (SecretFile(KEY, key, "the private key", at or key, mode="0400") for key, at in named.items())
        case Credentials():
            dovecot = slots[DovecotConfig]
            config = dovecot.value if isinstance(dovecot, Known) and isinstance(dovecot.value, DovecotConfig) else None
            readers = (SMTPD_USER, auth_user(config))
            path = model.path
            yield SecretFile(HASHES, path, "the file of password hashes", path, readers, "_smtpd", "_dovecot", "0440")
        case MailOwner():
            yield SecretFile(MAIL, model.home, "all mail", model.home, (model.name,), model.name, model.name, "0700")


def auth_user(dovecot: DovecotConfig | None) -> str:
    """As whom Dovecot looks users up."""
    if dovecot is None:
        return DOVECOT_USER
    service = dovecot.root.named("service", "auth")
    named = service.get("user", "service_user") if service is not None else None
    internal = dovecot.root.get("default_internal_user")
    default = internal.value if internal is not None and internal.value else DOVECOT_USER
    value = named.value if named is not None else ""
    return value if value and not value.startswith(("$", "%")) else default


def _of_rspamd(rspamd: RspamdConfig, domains: tuple[str, ...]) -> Iterator[SecretFile]:
    what = "a password of rspamd's, or its hash"
    user = RSPAMD_USER
    yield from (SecretFile(CONFIGURATION, at.path, what, at, (user,), "root", user, "0640") for at in _places(rspamd))
    for key in rspamd.dkim.all_keys(domains) if rspamd.is_enabled("dkim_signing") is not False else ():
        own = key.path_value is not None and not rspamd.is_packaged(key.path_value)
        if key.path is not None and (own or not key.fallback):
            at: Span | str = key.path_value.span if own and key.path_value is not None else key.path
            yield SecretFile(SIGNING_KEY, key.path, f"the key that signs mail of {key.domain}", at, (user,), "root", user, "0440")


def _of_smtpd(smtpd: SmtpdConfig) -> Iterator[SecretFile]:
    options = smtpd.options
    keys = {"the key of the queue": options.queue_key, "the key of SRS": options.srs_key}
    keys["the old key of SRS"] = options.settings.get("srs key backup")
    for what, token in keys.items():
        if token is not None:
            yield SecretFile(CONFIGURATION, token.text.path, what, token.span)
    for at in _places(smtpd):
        yield SecretFile(CONFIGURATION, at.path, "a password or its hash", at)
    for action in smtpd.actions.values():
        table = action.tables.get("auth")
        if table is not None and table.path is not None:
            what = "what smtpd logs in with where it sends mail"
            user = SMTPD_USER
            yield SecretFile(CONFIGURATION, table.path, what, table.at.span, (user,), "root", user, "0640")


def _places(model: Model) -> Iterator[Span]:
    """Where a model's secrets stand in its files: of each file the first."""
    values = [value for kind, value in model.secrets if len(value) >= SHORTEST and kind in WRITTEN]
    for tree in model.trees:
        chars = tree.text.chars
        starts = {at: value for value in values if (at := chars.find(value)) >= 0}
        if starts:
            at = min(starts)
            yield Span(tree.text, at, at + len(starts[at]))
