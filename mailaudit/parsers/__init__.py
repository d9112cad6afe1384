"""The languages that mailaudit reads: an explicit list."""

from __future__ import annotations

from dataclasses import replace

from mailaudit.parsers import (
    accounts,
    acme,
    aliases,
    credentials,
    crontab,
    doas,
    dovecot,
    hostname_if,
    httpd,
    login,
    pf,
    rc,
    redis,
    services,
    shell,
    sieve,
    smtpd,
    sshd,
    ucl,
    zone,
)
from mailaudit.parsers.marks import telling
from mailaudit.parsers.tree import Language

_ALL: tuple[Language, ...] = (
    accounts.GROUP,
    accounts.MASTER,
    accounts.PASSWD,
    acme.LANGUAGE,
    aliases.LANGUAGE,
    aliases.TABLE,
    aliases.VIRTUALS,
    credentials.LANGUAGE,
    crontab.LANGUAGE,
    crontab.SYSTEM,
    doas.LANGUAGE,
    dovecot.LANGUAGE,
    hostname_if.LANGUAGE,
    hostname_if.MYGATE,
    hostname_if.MYNAME,
    httpd.LANGUAGE,
    login.LANGUAGE,
    pf.LANGUAGE,
    rc.LANGUAGE,
    redis.LANGUAGE,
    services.LANGUAGE,
    shell.LANGUAGE,
    sieve.LANGUAGE,
    smtpd.LANGUAGE,
    sshd.LANGUAGE,
    ucl.LANGUAGE,
    zone.LANGUAGE,
)

LANGUAGES: dict[str, Language] = {each.name: replace(each, parse=telling(each.parse)) for each in _ALL}
