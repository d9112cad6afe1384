"""Rules about what smtpd, Dovecot and the maps must agree on about the mail users."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator

from mailaudit.checks.credentials.fields import mail_field, path_of, without_mail
from mailaudit.checks.lacking import unread
from mailaudit.checks.registry import rule
from mailaudit.checks.virtuals.addresses import reader
from mailaudit.editing import tables
from mailaudit.edits import Fix, Safety, replace
from mailaudit.findings import Doubt, Exempt, Finding, Outcome, Place
from mailaudit.models.credentials import Credentials, Entry
from mailaudit.models.dovecot.config import DovecotConfig
from mailaudit.models.dovecot.settings import NEW
from mailaudit.models.files import Files, Way
from mailaudit.models.mail_owner import MailOwner
from mailaudit.models.site import Site
from mailaudit.models.smtpd.config import SmtpdConfig
from mailaudit.models.smtpd.expand import Recipient
from mailaudit.models.sources import Lacking, Missing, NotHere
from mailaudit.models.virtuals import Entry as Mapped
from mailaudit.models.virtuals import Target, Virtuals
from mailaudit.questions import Reason

_BY_HAND = Fix("Let it lead to a mail user, or make this one a mail user", Safety.MANUAL)


@rule("CROSS052")
def one_place_for_each_users_mail(
    credentials: Credentials, dovecot: DovecotConfig, smtpd: SmtpdConfig | Missing | NotHere | Lacking
) -> Iterator[Outcome]:
    """What a user's line says of home and mail leads where Dovecot's settings and smtpd's actions lead."""
    yield from unread(smtpd)
    config = smtpd if isinstance(smtpd, SmtpdConfig) else None
    for entry in credentials.entries:
        field = mail_field(entry) if dovecot.family != NEW else None
        template = dovecot.mail_path(entry.address, entry.home.value or None)
        written = path_of(field, entry) if field else None
        if written is not None and "%" in written:
            yield Doubt(Reason.IN_DOUBT, f"Where the field of {entry.name.value} puts the mail could not be evaluated.")
        elif written is not None and template is not None and posixpath.normpath(written) != template:
            assert entry.extra is not None
            message = f"The line of {entry.name.value} puts the mail into {written}; the settings of Dovecot say {template}."
            fix = without_mail(credentials, entry, Safety.UNSAFE, "Remove it, and move the mail to where the settings say")
            yield Finding(message, (Place.at(entry.extra.span),), fix, f"userdb_mail of {entry.address}", "path")
        elif written is None and config is not None and template is not None and dovecot.mail_path(entry.address) is None:
            yield from _by_home(config, entry, template)


def _by_home(smtpd: SmtpdConfig, entry: Entry, read: str) -> Iterator[Outcome]:
    """Dovecot's path depends on the home in the line: smtpd's actions must write there."""
    user, _, domain = entry.address.partition("@")
    for action in smtpd.actions.values():
        if action.kind != "maildir" or "virtual" not in action.tables:
            continue
        written = smtpd.mail_path(action, Recipient(user, domain))
        if written is not None and posixpath.normpath(written) != read:
            message = f"With the home of {entry.name.value} Dovecot reads {read}, and smtpd delivers to {written}."
            places = (Place.at(entry.home.span), Place.at((action.argument or action.kind_at).span, "delivers"))
            yield Finding(message, places, None, f"home of {entry.address}", "path")


@rule("CROSS063")
def mail_ends_in_mailboxes_of_users(
    virtuals: Virtuals, credentials: Credentials, owner: MailOwner, site: Site
) -> Iterator[Outcome]:
    """Every address that ends in the account that owns the mail is one that somebody can log in as."""
    owners = {entry.owner for entry in credentials.entries if entry.owner is not None} | {owner.name}
    users = {entry.address for entry in credentials.entries}
    for entry in virtuals.by_name.values():
        name = entry.name
        mine = [target for target in entry.targets if target.kind == "user" and target.value in owners]
        if not mine or name.startswith("@") or name in owners or virtuals.follow(name, mine[0]) is not None:
            continue
        user, at, domain = name.partition("@")
        domains = (domain,) if at else site.domains
        lost = [each for each in (f"{virtuals.bare(user)}@{domain}" for domain in domains) if each not in users]
        if lost:
            message = f"Mail for {lost[0]} is kept in a mailbox that nobody can open: the credentials have no such user."
            fix = _to_a_user(entry, mine[0], sorted(users)) or _BY_HAND
            yield Finding(message, (Place.at(entry.key.span),), fix, "mailbox", name, absence=True)


def _to_a_user(entry: Mapped, target: Target, users: list[str]) -> Fix | None:
    """A mail user in the place of the account that owns the mail."""
    if not users or entry.statement is None:
        return None
    to = reader(entry.name, users)
    edits = tables.replace_target(entry.statement, target.value, to)
    return Fix(f"Let it lead to {to}, or make it a mail user", Safety.UNSAFE, edits) if edits else None


@rule("CROSS064")
def one_file_of_users(smtpd: SmtpdConfig, dovecot: DovecotConfig, files: Files) -> Iterator[Outcome]:
    """The file that smtpd checks logins against is the one of Dovecot's passdb and userdb."""
    paths = [table.path for table in smtpd.credential_tables if table.backend == "passwd" and table.path is not None]
    databases = [each for each in (*dovecot.passdbs, *dovecot.userdbs) if each.driver == "passwd-file" and not each.denies]
    on_files = [each for each in databases if each.path is not None and each.path.value.startswith("/")]
    if not paths or not on_files:
        yield Exempt("smtpd's logins or Dovecot's users are in no file of table-passwd's format")
        return
    ours = {_real(files, path) for path in paths}
    for kind in ("passdb", "userdb"):
        of_kind = [each for each in on_files if each.kind == kind]
        if not of_kind or any(_real(files, each.path.value) in ours for each in of_kind if each.path):
            continue
        token = of_kind[0].path
        assert token is not None
        table = next(each for each in smtpd.credential_tables if each.path == paths[0])
        fix = Fix(f"Name {paths[0]}", Safety.UNSAFE, (replace(token.span, paths[0]),)) if len(ours) == 1 else None
        yield Finding(
            f"Dovecot's {kind} is on {token.value}, and smtpd checks logins against {paths[0]}: there are two lists of users.",
            (Place.at(token.span), Place.at(table.at.span, "smtpd's")),
            fix,
            f"{kind} path",
            token.value,
        )


def _real(files: Files, path: str) -> str:
    """The path with links followed, as far as they are known."""
    way = files.way(path)
    return way.path if isinstance(way, Way) else posixpath.normpath(path)
