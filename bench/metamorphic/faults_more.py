"""Faults that show where files, daemons, accounts and time meet."""

from __future__ import annotations

import dataclasses
import random
import re

from bench.metamorphic.faults import Change, Family, add, drop, edit, fill, mode, owner, said, setting, there, within
from bench.metamorphic.faults_dovecot import LOCAL
from bench.metamorphic.faults_host import CRONTAB, HTTPD, MTA_STS
from bench.metamorphic.faults_smtpd import CONF, PLAIN, SMTPS, SUBMISSION, VIRTUALS
from bench.metamorphic.host import Host
from mailaudit.questions import Command

MAILDIR = "/var/vmail/example.com/example_user"


def later(*times: str) -> Change:
    """Looked at later: what was to be done since then was not."""

    def change(host: Host, rng: random.Random) -> tuple[Host, str]:
        return dataclasses.replace(host, record=dataclasses.replace(host.record, taken=rng.choice(times))), "the clock"

    return change


def without_password(host: Host, _: random.Random) -> tuple[Host, str]:
    """With a root who has no password."""
    path = "/etc/master.passwd"
    return host.write(path, re.sub(r"^root:.*?(?=:0:0:)", "root:", host.text(path))), path


def stray(host: Host, rng: random.Random) -> tuple[Host, str]:
    """With a maildir of nobody."""
    path = fill("/var/vmail/example.com/<word>", rng)
    return host.stat(path, type="directory", mode=0o700, owner="vmail", group="vmail"), path


FAMILIES = [
    Family("ABUSE002", "hashes for everyone", mode("/etc/master.passwd", 0o644, 0o604)),
    Family("ABUSE013", "a key for everyone", mode(CONF, 0o644, 0o604)),
    Family("ABUSE013", "a hash for everyone", mode("/etc/rspamd/local.d/worker-controller.inc", 0o644, 0o604)),
    Family("ACME015", "not renewed", later("2026-12-25T12:00:00Z", "2027-01-02T12:00:00Z")),
    Family("TLS002", "run out", later("2027-01-19T12:00:00Z", "2027-03-01T12:00:00Z")),
    Family("TLS002", "not valid yet", later("2026-10-01T12:00:00Z")),
    Family("TLS003", "another name", setting('mail_host = "mail.example.com"', 'mail_host = "mx.example.com"')),
    Family(
        "TLS019",
        "answers that do not come",
        said(
            Command.CRONTAB_ROOT, CRONTAB, CRONTAB + "~ * * * * ocspcheck -N -o /etc/ssl/ocsp.der /etc/ssl/mail.example.com.pem\n"
        ),
    ),
    Family(
        "TLS019",
        "answers that do not come",
        add(HTTPD, MTA_STS.replace("\ttls key", '\ttls ocsp "/etc/ssl/ocsp.der"\n\ttls key')),
        "tls ocsp",
    ),
    Family("TLS020", "for servers alone", within(CONF, 'action "outbound"', "relay helo", "relay pki mail.example.com helo")),
    Family("CRED015", "an open copy", there("/etc/mail/credentials.bak", 0o644)),
    Family("CROSS053", "a maildir of nobody", stray),
    Family("CROSS060", "another's mail", owner(MAILDIR, "alex:alex", "root:wheel")),
    Family(
        "CROSS061",
        "another in the group",
        edit("/etc/group", "_rspamd:*:750:", "_rspamd:*:750:www", "_rspamd:*:750:_ntp"),
        "example.com.key",
    ),
    Family("CROSS062", "more clients than files", add(LOCAL, "default_client_limit = 4096", "default_client_limit = 20000")),
    Family(
        "CROSS065", "too late", edit("/etc/rc.conf.local", "pkg_scripts=redis rspamd dovecot", "pkg_scripts=redis dovecot rspamd")
    ),
    Family(
        "CROSS100", "more than rspamd takes", edit(CONF, "max-message-size 35M", "max-message-size 100M", "max-message-size 80M")
    ),
    Family(
        "CROSS101", "a listener without the filter", edit(CONF, "listen on socket", "listen on lo0 port <port>\nlisten on socket")
    ),
    Family("DOVECOT063", "another port", edit(LOCAL, "port = 4190", "port = 2000", "port = <port>")),
    Family(
        "DOVECOT064",
        "the old port as well",
        edit(LOCAL, "    port = 4190\n  }", "    port = 4190\n  }\n  inet_listener old {\n    port = 2000\n  }"),
    ),
    Family("DOVECOT065", "no plugin", drop(LOCAL, "mail_plugins = $mail_plugins imap_sieve")),
    Family(
        "DOVECOT066",
        "another directory",
        edit(LOCAL, "mail_plugin_dir = /usr/local/lib/dovecot", "mail_plugin_dir = /usr/lib/<word>"),
    ),
    Family(
        "DOVECOT067",
        "by hand",
        add(LOCAL, "managesieve_sieve_capability = fileinto reject", "managesieve_notify_capability = mailto"),
    ),
    Family("DOVECOT070", "no plugin", edit(LOCAL, "  mail_plugins = $mail_plugins sieve\n", "")),
    Family("DOVECOT072", "no delay", add(LOCAL, "auth_failure_delay = 0", "mail_max_userip_connections = 0")),
    Family("DOVECOT073", "passwords in the log", add(LOCAL, "auth_debug_passwords = yes", "auth_verbose_passwords = plain")),
    Family(
        "DOVECOT074",
        "an open socket",
        add(LOCAL, "service auth {\n  unix_listener auth-client {\n    mode = 0666\n  }\n}"),
        "mode = 0666",
    ),
    Family("HOST010", "no password", without_password),
    Family("SMTPD004", "a word of the language", add(CONF, 'table domain { "example.com" }'), "table domain"),
    Family("SMTPD027", "another address", said(Command.IFCONFIG, "inet 203.0.113.9 ", "inet <address> ")),
    Family(
        "SMTPD028", "half a name", within(CONF, PLAIN, 'hostname "host7.example.com"', 'hostname "host7"', 'hostname "<word>"')
    ),
    Family("SMTPD030", "not compressed", drop(CONF, "queue compression")),
    Family("SMTPD032", "too small", edit(CONF, "max-message-size 35M", "max-message-size 10M", "max-message-size 1M")),
    Family("SMTPD033", "anybody's address", within(CONF, SUBMISSION, " senders <allowed_from>", "")),
    Family(
        "SMTPD033", "a login without addresses", edit("/etc/mail/senders", "example_user@example.com: ", "<word>@example.com: ")
    ),
    Family("SMTPD034", "where it was sent from", within(CONF, SMTPS, " mask-src", "")),
    Family(
        "SMTPD035",
        "another's sender",
        edit(VIRTUALS, "caareport@example.com: example_user@example.com", "caareport@example.com: <word>@<domain>"),
    ),
    Family("SMTPD002", "no such account", edit(CONF, 'smtpd/filter-rspamd"', 'smtpd/filter-rspamd" user _<word>')),
]
