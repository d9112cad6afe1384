"""Faults of Dovecot's and rspamd's files, and of Sieve's scripts."""

from __future__ import annotations

from bench.metamorphic.faults import Family, add, drop, edit, elsewhere, gone, mode, owner, written

LOCAL = "/etc/dovecot/local.conf"
AUTH = "/etc/dovecot/conf.d/10-auth.conf"
SCRIPTS = "/usr/local/lib/dovecot/sieve"
DKIM = "/etc/rspamd/local.d/dkim_signing.conf"
DKIM_KEY = "/etc/mail/dkim/example.com.key"
CONTROLLER = "/etc/rspamd/local.d/worker-controller.inc"
USERDB = "args = username_format=%u /etc/mail/credentials"
PASSDB = "args = scheme=CRYPT username_format=%u /etc/mail/credentials"

FAMILIES = [
    Family("DOVECOT001", "no dovecot.conf", gone("/etc/dovecot/dovecot.conf")),
    Family("DOVECOT001", "a brace that does not close", edit(LOCAL, "    mode = 0600\n  }\n}", "    mode = 0600\n  }")),
    Family("DOVECOT001", "a setting misspelt", edit(LOCAL, "first_valid_gid", "first_valid_gd", "first_<word>_gid")),
    Family("DOVECOT010", "TLS is a choice", edit(LOCAL, "ssl = required", "ssl = yes", "ssl = no")),
    Family("DOVECOT010", "TLS is not told", drop(LOCAL, "ssl = required")),
    Family(
        "CROSS001",
        "another certificate",
        edit(LOCAL, "ssl_cert = </etc/ssl/mail.example.com.pem", "ssl_cert = </etc/ssl/<word>.pem"),
    ),
    Family("DOVECOT011", "the name of the file, not the file", edit(LOCAL, "ssl_cert = </etc", "ssl_cert = /etc")),
    Family("DOVECOT011", "no certificate", drop(LOCAL, "ssl_cert")),
    Family(
        "CROSS002",
        "another key",
        edit(LOCAL, "ssl_key = </etc/ssl/private/mail.example.com.key", "ssl_key = </etc/ssl/private/<word>.key"),
    ),
    Family("DOVECOT012", "no key", drop(LOCAL, "ssl_key")),
    Family("DOVECOT022", "by the bare name", edit(LOCAL, USERDB, "args = username_format=%n /etc/mail/credentials")),
    Family("CROSS064", "another file", edit(LOCAL, USERDB, "args = username_format=%u /etc/<word>")),
    Family("DOVECOT023", "another scheme", edit(LOCAL, "scheme=CRYPT", "scheme=PLAIN", "scheme=SHA512-CRYPT")),
    Family("DOVECOT024", "system accounts", edit(AUTH, "#!include auth-system.conf.ext", "!include auth-system.conf.ext")),
    Family(
        "DOVECOT024", "system accounts", add(LOCAL, "passdb {\n  driver = bsdauth\n}", "passdb {\n  driver = pam\n}"), "passdb {"
    ),
    Family(
        "DOVECOT030", "a number too low", edit(LOCAL, "first_valid_uid = 2000", "first_valid_uid = 1000", "first_valid_uid = 500")
    ),
    Family(
        "DOVECOT030",
        "a number too high",
        edit(LOCAL, "first_valid_gid = 2000", "first_valid_gid = 2001", "first_valid_gid = 5000"),
    ),
    Family("DOVECOT030", "not told", drop(LOCAL, "first_valid_uid")),
    Family("DOVECOT040", "not a maildir", edit(LOCAL, "maildir:/var/vmail/%d/%n", "mbox:/var/vmail/%d/%n")),
    Family(
        "DOVECOT040", "one for all", edit(LOCAL, "maildir:/var/vmail/%d/%n", "maildir:/var/vmail/%d", "maildir:/var/vmail/<word>")
    ),
    Family("DOVECOT040", "not told", drop(LOCAL, "mail_location")),
    Family("DOVECOT060", "POP3 as well", edit(LOCAL, "protocols = imap lmtp sieve", "protocols = imap pop3 lmtp sieve")),
    Family("DOVECOT060", "no IMAP", edit(LOCAL, "protocols = imap lmtp sieve", "protocols = lmtp sieve")),
    Family("DOVECOT061", "port 143", edit(LOCAL, "inet_listener imap {\n    port = 0", "inet_listener imap {\n    port = 143")),
    Family("DOVECOT061", "port 143", edit(LOCAL, "  inet_listener imap {\n    port = 0\n  }\n", "")),
    Family(
        "DOVECOT062",
        "another port",
        edit(
            LOCAL,
            "inet_listener imap {\n    port = 0\n  }",
            "inet_listener imap {\n    port = 0\n  }\n  inet_listener imaps {\n    port = <port>\n  }",
        ),
    ),
    Family("DOVECOT062", "one address", add(LOCAL, "listen = 203.0.113.9", "listen = *")),
    Family("CROSS001", "another certificate", edit(LOCAL, "ssl_cert = </etc/ssl/mail", "ssl_cert = </etc/ssl/<word>")),
    Family("CROSS002", "another key", edit(LOCAL, "ssl_key = </etc/ssl/private/mail", "ssl_key = </etc/ssl/private/<word>")),
    Family("CROSS020", "another port", edit(LOCAL, "port = 4190", "port = <port>")),
    Family("CROSS064", "another list", edit(LOCAL, PASSDB, "args = scheme=CRYPT username_format=%u /etc/dovecot/<word>")),
    Family("TLS017", "no parameters", gone("/etc/ssl/dovecot/dh.pem"), "ssl_dh"),
    Family("TLS018", "anybody may write", mode("/etc/ssl/dovecot", 0o777, 0o775)),
    Family("TLS018", "another's", owner("/etc/ssl/dovecot", "alex:alex")),
    Family("SIEVE001", "nothing runs", drop(LOCAL, "imapsieve_mailbox1_name")),
    Family("SIEVE001", "for another folder", edit(LOCAL, "imapsieve_mailbox1_name = Junk", "imapsieve_mailbox1_name = <word>")),
    Family(
        "SIEVE001",
        "for another cause",
        edit(LOCAL, "imapsieve_mailbox1_causes = COPY", "imapsieve_mailbox1_causes = APPEND", "imapsieve_mailbox1_causes = FLAG"),
    ),
    Family("SIEVE002", "nothing runs", drop(LOCAL, "imapsieve_mailbox2_name", "imapsieve_mailbox2_before")),
    Family("SIEVE002", "from another folder", edit(LOCAL, "imapsieve_mailbox2_from = Junk", "imapsieve_mailbox2_from = <word>")),
    Family("SIEVE003", "no script", gone(f"{SCRIPTS}/report-spam.sieve"), "report-spam"),
    Family("SIEVE003", "no script", gone(f"{SCRIPTS}/report-ham.sieve"), "report-ham"),
    Family(
        "SIEVE003",
        "another script",
        elsewhere(LOCAL, "sieve/spam-to-junk.sieve", "sieve/<word>.sieve", f"{SCRIPTS}/<word>.sieve"),
    ),
    Family("SIEVE004", "not compiled", gone(f"{SCRIPTS}/report-spam.svbin")),
    Family("SIEVE004", "compiled before", written(f"{SCRIPTS}/report-ham.svbin", "2026-11-19T08:22:00Z", "2026-10-20T08:22:00Z")),
    Family("SIEVE004", "compiled by another", owner(f"{SCRIPTS}/spam-to-junk.svbin", "vmail:vmail", "alex:alex")),
    Family("SIEVE005", "no plugins", edit(LOCAL, "sieve_imapsieve sieve_extprograms", "sieve_imapsieve", "sieve_extprograms")),
    Family("SIEVE005", "no extensions", drop(LOCAL, "sieve_global_extensions")),
    Family("SIEVE006", "no program", gone(f"{SCRIPTS}/learn-spam.sh")),
    Family("SIEVE006", "a program that may not be run", mode(f"{SCRIPTS}/learn-ham.sh", 0o644, 0o600)),
    Family("SIEVE006", "a program that others may write", mode(f"{SCRIPTS}/learn-ham.sh", 0o777, 0o757)),
    Family("SIEVE006", "another's program", owner(f"{SCRIPTS}/learn-spam.sh", "vmail:vmail", "alex:alex")),
    Family("SIEVE006", "no directory of programs", drop(LOCAL, "sieve_pipe_bin_dir")),
    Family("SIEVE007", "among the mail", edit(LOCAL, "sieve = file:~/sieve;", "sieve = file:/var/vmail/%d/%n/.sieve;")),
    Family("SIEVE008", "spam that is thrown away", edit(f"{SCRIPTS}/report-ham.sieve", '["Trash", "Junk"]', '["Junk"]')),
    Family("SIEVE009", "the wrong lesson", edit(f"{SCRIPTS}/learn-ham.sh", "learn_ham", "learn_spam")),
    Family(
        "SIEVE009", "another place", edit(f"{SCRIPTS}/learn-spam.sh", "127.0.0.1:11334", "127.0.0.1:<port>", "203.0.113.9:11334")
    ),
    Family("SIEVE009", "nothing is learned", edit(f"{SCRIPTS}/learn-spam.sh", "learn_spam", "learn_ham")),
    Family("SIEVE010", "programs for everyone", edit(LOCAL, "sieve_global_extensions = +vnd", "sieve_extensions = +vnd")),
    Family("RSPAMD001", "a brace that does not close", edit(DKIM, "    }\n}", "    }\n")),
    Family("RSPAMD001", "a quote that does not close", edit(CONTROLLER, '7b";', "7b;")),
    Family(
        "RSPAMD002",
        "open to the world",
        add("/etc/rspamd/local.d/worker-controller.inc", 'bind_socket = "*:11334";', 'bind_socket = "203.0.113.9:11334";'),
    ),
    Family("RSPAMD002", "open to the world", add("/etc/rspamd/local.d/worker-proxy.inc", 'bind_socket = "*:11332";')),
    Family("RSPAMD003", "no redis", drop("/etc/rspamd/local.d/redis.conf", "servers")),
    Family("RSPAMD003", "another port", edit("/etc/rspamd/local.d/redis.conf", '"127.0.0.1"', '"127.0.0.1:<port>"')),
    Family(
        "RSPAMD004",
        "the usual password",
        edit(CONTROLLER, "$2$1i7c6s6d8c1srjdx371a4ghfqm6yi3nm$emyo77q63td68zmpq499a1gqbi93st8ajm5itw1zi5uriacm5x7b", "q1"),
    ),
    Family("RSPAMD004", "no password", gone(CONTROLLER)),
    Family(
        "RSPAMD006",
        "no worker",
        add("/etc/rspamd/local.d/worker-normal.inc", "enabled = false;", 'bind_socket = "127.0.0.1:<port>";'),
        "filter-rspamd",
    ),
    Family("RSPAMD007", "for nobody", edit("/etc/rspamd/local.d/settings.conf", "authenticated = true", "authenticated = false")),
    Family("RSPAMD007", "no settings", gone("/etc/rspamd/local.d/settings.conf")),
    Family("RSPAMD008", "turned", add("/etc/rspamd/local.d/actions.conf", "reject = 5;", "greylist = 12;", "add_header = 20;")),
    Family("RSPAMD009", "no SPF", add("/etc/rspamd/local.d/spf.conf", "enabled = false;")),
    Family("RSPAMD009", "no DMARC", add("/etc/rspamd/local.d/dmarc.conf", "enabled = false;")),
    Family("DKIM001", "another's directory", owner("/etc/mail/dkim", "alex:alex")),
    Family("DKIM001", "anybody may write", mode("/etc/mail/dkim", 0o777, 0o757)),
    Family("DKIM002", "no key", gone(DKIM_KEY)),
    Family(
        "DKIM002",
        "another file",
        elsewhere(DKIM, "/etc/mail/dkim/example.com.key", "/etc/mail/dkim/<word>.key", "/etc/mail/dkim/<word>.key"),
    ),
    Family("DKIM004", "open to others", mode(DKIM_KEY, 0o444, 0o644)),
    Family("DKIM005", "closed to rspamd", mode(DKIM_KEY, 0o400)),
    Family("DKIM005", "closed to rspamd", owner(DKIM_KEY, "root:wheel", "_smtpd:_smtpd")),
    Family("DKIM005", "a directory that rspamd may not enter", mode("/etc/mail/dkim", 0o700)),
    Family("DKIM006", "another public half", edit("/etc/mail/dkim/example.com.pubkey", "MIIBIjAN", "MIIBIjAM")),
    Family("DKIM007", "another domain", edit(DKIM, "    example.com {", "    <domain> {")),
    Family("DKIM008", "no selector", drop(DKIM, "selector =")),
    Family("DKIM008", "another selector", edit(DKIM, '"selector0"', '"<word>"')),
    Family("DKIM009", "users are not signed", add(DKIM, "sign_authenticated = false;")),
    Family("DKIM007", "nothing is signed", add(DKIM, "enabled = false;")),
    Family("DKIM009", "the host is not signed", add(DKIM, "sign_local = false;")),
    Family("DKIM011", "not compared", edit(DKIM, "check_pubkey = true", "check_pubkey = false")),
    Family("DKIM011", "not compared", drop(DKIM, "check_pubkey", "allow_pubkey_mismatch")),
    Family(
        "DKIM012",
        "for other domains",
        edit(DKIM, "try_fallback = false;", 'try_fallback = true;\npath = "/etc/mail/dkim/<word>.key";'),
    ),
]
