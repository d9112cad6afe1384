"""The languages that mailaudit reads: an explicit list."""

from __future__ import annotations

from mailaudit.parsers import accounts, acme, aliases, credentials, dovecot, httpd, pf, services, sieve, smtpd
from mailaudit.parsers.tree import Language

_ALL: tuple[Language, ...] = (
    accounts.GROUP,
    accounts.PASSWD,
    acme.LANGUAGE,
    aliases.LANGUAGE,
    aliases.TABLE,
    aliases.VIRTUALS,
    credentials.LANGUAGE,
    dovecot.LANGUAGE,
    httpd.LANGUAGE,
    pf.LANGUAGE,
    services.LANGUAGE,
    sieve.LANGUAGE,
    smtpd.LANGUAGE,
)

LANGUAGES: dict[str, Language] = {language.name: language for language in _ALL}
