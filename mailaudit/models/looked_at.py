"""The paths whose metadata rules ask about: those of the reference, and those that the configuration names."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from mailaudit.models.accounts import Accounts
from mailaudit.models.acme import CHALLENGE_DIRECTORY, AcmeConfig
from mailaudit.models.credentials import COPIES, Credentials
from mailaudit.models.dovecot.config import DovecotConfig
from mailaudit.models.httpd import HttpdConfig
from mailaudit.models.pf.config import Ruleset
from mailaudit.models.rspamd.config import RspamdConfig
from mailaudit.models.sieve.script import Sieve
from mailaudit.models.site import Site
from mailaudit.models.smtpd.config import SmtpdConfig
from mailaudit.models.sources import Known, Model, Slot

FIXED = (
    "/etc/acme-client.conf",
    "/etc/doas.conf",
    "/etc/httpd.conf",
    "/etc/login.conf",
    "/etc/login.conf.db",
    "/etc/login.conf.d/dovecot.db",
    "/etc/login.conf.d/rspamd.db",
    "/etc/mail/aliases",
    "/etc/mail/credentials",
    "/etc/mail/dkim",
    "/etc/mail/smtpd.conf",
    "/etc/mail/smtpd.conf.bak",
    "/etc/mail/virtuals",
    "/etc/myname",
    "/etc/pf.conf",
    "/etc/pf.conf.defaults",
    "/etc/smtpd.conf.bak",
    "/etc/ssl/dovecot",
    "/etc/ssl/private",
    "/etc/sudoers",
    "/usr/local/lib/dovecot",
    "/usr/local/lib/dovecot/lib90_sieve_plugin.so",
    "/usr/local/lib/dovecot/lib95_imap_sieve_plugin.so",
    "/usr/local/libexec/smtpd/table-passwd",
    "/var/spool/smtpd",
    "/var/spool/smtpd/incoming",
    "/var/spool/smtpd/offline",
    "/var/spool/smtpd/purge",
    "/var/spool/smtpd/queue",
    "/var/spool/smtpd/temporary",
    "/var/vmail",
    "/var/vmail/.forward",
    "/var/vmail/.ssh",
    "/var/www/acme",
)
"""Those that are asked about wherever a host is at hand."""

SIEVE = "/usr/local/lib/dovecot/sieve"
LEARNED = ("spam", "ham")


def looked_at(slots: Mapping[type, Slot[object]]) -> tuple[str, ...]:
    """All absolute paths whose metadata some rule asks about, sorted."""
    found = set(FIXED)
    site = slots.get(Site)
    domains = site.value.domains if isinstance(site, Known) and isinstance(site.value, Site) else ()
    for slot in slots.values():
        if isinstance(slot, Known) and isinstance(slot.value, Model):
            found.update(tree.text.path for tree in slot.value.trees)
            found.update(path for path in (*_named(slot.value, domains), *_home(slot.value)) if path.startswith("/"))
    return tuple(sorted(found))


def _named(model: Model, domains: tuple[str, ...]) -> Iterator[str]:
    """The paths that a configuration names."""
    match model:
        case AcmeConfig():
            for authority in model.authorities:
                yield from (token.value for token in (authority.account,) if token)
            for domain in model.domains:
                named = (domain.key, domain.certificate, domain.chain, domain.full_chain, domain.challengedir)
                yield from (token.value for token in named if token)
            yield CHALLENGE_DIRECTORY
        case SmtpdConfig():
            yield from _of_smtpd(model)
        case DovecotConfig():
            for setting in (model.certificate, model.key, model.setting("ssl_dh")):
                yield from (path for path in (model.path_of(setting),) if path)
            yield model.setting("ssl_server_dh_file").value
            yield from (each.path.value for each in (*model.passdbs, *model.userdbs) if each.path is not None)
            yield from (each.path.value + suffix for each in model.passdbs if each.path is not None for suffix in COPIES)
        case HttpdConfig():
            for server in model.servers:
                yield from (token.value for option in ("certificate", "key") if (token := server.tls_option(option)))
        case RspamdConfig():
            yield from (path for key in model.dkim.all_keys(domains) for path in (key.path, *key.public_paths) if path)
        case Sieve():
            yield from _of_sieve(model)
        case Ruleset():
            yield from (token.value for table in model.definitions.values() for token in table.files)
        case Credentials():
            yield from (entry.home.value for entry in model.entries)
            yield from (model.path + suffix for suffix in COPIES)


def _of_smtpd(smtpd: SmtpdConfig) -> Iterator[str]:
    """Certificates and keys, tables, the programs of filters."""
    for pki in smtpd.pki.values():
        yield from (token.value for token in (pki.cert, pki.key) if token)
    for table in smtpd.tables.values():
        yield from (path for path in (table.path,) if path)
    for table in smtpd.credential_tables:
        yield from (table.path + suffix for suffix in COPIES if table.path)
    for known in smtpd.filters.values():
        yield from (path for path in (known.program_path,) if path)


def _of_sieve(sieve: Sieve) -> Iterator[str]:
    """The scripts, what sievec made of them, the programs that they start, the directories of those; the guide's own names."""
    directories = [setting.value for setting in sieve.directories.values()]
    yield from (path for use in sieve.uses for path in use.paths)
    yield from (f"{SIEVE}/report-{what}.sieve" for what in LEARNED)
    yield from (f"{directory.rstrip('/')}/learn-{what}.sh" for directory in (SIEVE, *directories) for what in LEARNED)
    for script in sieve.scripts.values():
        yield from (script.path, script.binary_path)
    yield from (program.path for program in sieve.programs if program.path)
    yield from directories


def _home(model: Model) -> Iterator[str]:
    """What matters of the home of the account that owns the mail."""
    owner = model.user("vmail") if isinstance(model, Accounts) else None
    if owner is not None:
        yield from (f"{owner.home.value.rstrip('/')}{below}" for below in ("", "/.forward", "/.ssh"))
