"""Faults of what daemons load, of folders, names and queues."""

from __future__ import annotations

import random

from bench.metamorphic.faults import Family, add, drop, edit, mode, owner, said, within, written
from bench.metamorphic.faults_dovecot import LOCAL
from bench.metamorphic.faults_smtpd import CONF, CREDENTIALS, HASH, LOGIN, PLAIN, VIRTUALS
from bench.metamorphic.host import Host
from mailaudit.questions import Command, CommandOutput, Found, RunCommand

BOXES = "/etc/dovecot/conf.d/15-mailboxes.conf"
MAIN = "/etc/dovecot/dovecot.conf"
SPOOL = "/var/spool/smtpd"
RDONE = 'match from any for domain "example.com" action "inbound"'

LATE = (
    "000000000000000{0}|inet4|mta||somebody@example.com|a{0}@example.net|"
    "a{0}@example.net|1795330799|1795676399|1795330859|4|pending|1200|Network error\n"
)


def queued(host: Host, _: random.Random) -> tuple[Host, str]:
    """With mail that waits and waits."""
    lines = "".join(LATE.format(number) for number in range(1, 6))
    return host.answer(RunCommand(Command.SMTPCTL_QUEUE), Found(CommandOutput(0, lines))), str(Command.SMTPCTL_QUEUE)


FAMILIES = [
    Family("ABUSE004", "a copied line", add(CREDENTIALS, f"<word>@example.com:{HASH}{LOGIN.replace('example_user', 'other')}")),
    Family("ABUSE011", "a backup for all names", add(CONF, 'match from any for domain "<domain>" action "outbound"')),
    Family("CROSS030", "no such domain", add(VIRTUALS, "sales@<domain>: example_user@example.com")),
    Family("CROSS050", "by the account", edit(CONF, '"/var/dovecot/lmtp" rcpt-to virtual', '"/var/dovecot/lmtp" virtual')),
    Family("CROSS093", "another's name", within(CONF, PLAIN, 'hostname "host7.example.com"', 'hostname "mail.<domain>"')),
    Family("CROSS093", "another's name", edit(CONF, 'helo "host7.example.com"', 'helo "old.<domain>"')),
    Family("CROSS103", "younger than the daemon", written("/etc/login.conf.d/dovecot", "2026-11-21T10:00:00Z")),
    Family(
        "DOVECOT002",
        "read first",
        edit(MAIN, "!include conf.d/*.conf\n!include_try local.conf", "!include_try local.conf\n!include conf.d/*.conf"),
    ),
    Family("DOVECOT002", "not read", drop(MAIN, "!include_try local.conf")),
    Family("DOVECOT014", "the client picks", edit(LOCAL, "ssl_prefer_server_ciphers = yes", "ssl_prefer_server_ciphers = no")),
    Family("DOVECOT014", "not told", drop(LOCAL, "ssl_prefer_server_ciphers")),
    Family(
        "DOVECOT015",
        "old TLS",
        edit(LOCAL, "ssl_min_protocol = TLSv1.2", "ssl_min_protocol = TLSv1", "ssl_min_protocol = TLSv1.1"),
    ),
    Family(
        "DOVECOT020",
        "what hashes cannot answer",
        edit(
            LOCAL,
            "auth_mechanisms = plain",
            "auth_mechanisms = plain cram-md5",
            "auth_mechanisms = plain anonymous",
            "auth_mechanisms = login",
        ),
    ),
    Family("DOVECOT021", "switched off", add(LOCAL, "disable_plaintext_auth = no", "login_trusted_networks = 192.0.2.0/24")),
    Family("DOVECOT025", "as it is written", add(LOCAL, "auth_username_format = %u", "auth_username_format =")),
    Family("DOVECOT041", "the home is the maildir", edit(CREDENTIALS, "/example_user/home::", "/example_user::")),
    Family("DOVECOT042", "mapped", edit(LOCAL, "mmap_disable = yes", "mmap_disable = no")),
    Family("DOVECOT050", "a prefix", edit(LOCAL, "  prefix =\n", "  prefix = INBOX.\n", "  prefix = <word>/\n")),
    Family(
        "DOVECOT051",
        "not there",
        edit(
            LOCAL,
            "mailbox Archive {\n    auto = subscribe",
            "mailbox Archive {\n    auto = create",
            "mailbox Archive {\n    auto = no",
        ),
    ),
    Family(
        "DOVECOT052",
        "two of a kind",
        edit(
            BOXES,
            '#mailbox "Sent Messages" {\n  #  special_use = \\Sent\n  #}',
            'mailbox "Sent Messages" {\n    special_use = \\Sent\n  }',
        ),
    ),
    Family(
        "HOST074", "no such directive", edit("/etc/redis/redis.conf", "protected-mode yes", "protected-mod yes", "<word> yes")
    ),
    Family("HOST074", "no such value", edit("/etc/redis/redis.conf", "daemonize yes", "daemonize <word>")),
    Family("HOST075", "a word that is none", edit("/etc/doas.conf", "permit persist", "permit persit", "allow persist")),
    Family("HOST076", "no such keyword", add("/etc/ssh/sshd_config", "PasswordAuthentification no", "PermitRootLogin never")),
    Family("HOST077", "no such minute", said(Command.CRONTAB_ROOT, "30 1 * * *", "61 1 * * *", "30 25 * * *")),
    Family(
        "HOST078",
        "a quote that does not close",
        edit("/etc/hostname.vio0", "inet 203.0.113.9 255.255.255.0", 'inet 203.0.113.9 255.255.255.0 description "mail'),
    ),
    Family("HOST079", "no number", edit("/etc/group", "_rspamd:*:750:", "_rspamd:*:<word>:")),
    Family("HOST080", "no such class", edit("/etc/login.conf.d/dovecot", ":tc=daemon:", ":tc=<word>:")),
    Family("HOST080", "no amount", edit("/etc/login.conf.d/rspamd", "openfiles-max=4096", "openfiles-max=<word>")),
    Family("SMTPD046", "said twice", edit(CONF, RDONE, f"{RDONE}\n{RDONE}")),
    Family("SMTPD046", "too late", add(CONF, 'match from any mail-from "@<domain>" for domain "example.com" reject')),
    Family(
        "SMTPD047", "an action that nothing uses", edit(CONF, "\nlisten on socket", '\naction "<word>" mbox\nlisten on socket')
    ),
    Family("SMTPD048", "accounts of the system", edit(CONF, "match from local for local", "match from any for local")),
    Family(
        "SMTPD049",
        "a pattern",
        edit(CONF, 'for domain "example.com"', 'for domain "*.example.com"', 'for domain { "example.com", "*.example.com" }'),
    ),
    Family("SMTPD050", "one label", add("/etc/mail/mailname", "host7", "<word>", "host7.localdomain")),
    Family("SMTPD051", "no full name", edit(CONF, 'helo "host7.example.com"', 'helo "localhost"', 'helo "<word>"')),
    Family("SMTPD054", "many are late", queued),
    Family("SMTPD053", "open to all", mode(f"{SPOOL}/queue", 0o755, 0o777)),
    Family("SMTPD053", "another's", owner(f"{SPOOL}/purge", "root:wheel", "alex:alex")),
    Family("SMTPD055", "younger than smtpd", written(VIRTUALS, "2026-11-21T10:00:00Z", "2026-11-22T10:00:00Z")),
]
