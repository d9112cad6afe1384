"""Dovecot's and rspamd's files, and Sieve's scripts, written otherwise."""

from __future__ import annotations

from bench.metamorphic.faults_dovecot import AUTH, CONTROLLER, DKIM, LOCAL, PASSDB, SCRIPTS, USERDB
from bench.metamorphic.rewrites import Way, added, commented, listed, moved, one_of, replaced, shuffled, trailing

MAIN = "/etc/dovecot/dovecot.conf"
MAIL = "/etc/dovecot/conf.d/10-mail.conf"
BOXES = "/etc/dovecot/conf.d/15-mailboxes.conf"
REDIS = "/etc/rspamd/local.d/redis.conf"
SETTINGS = "/etc/rspamd/local.d/settings.conf"
HAM = f"{SCRIPTS}/report-ham.sieve"
SPAM = f"{SCRIPTS}/report-spam.sieve"
JUNK = f"{SCRIPTS}/spam-to-junk.sieve"
LMTP = "service lmtp {\n  unix_listener lmtp {\n    user = vmail\n    mode = 0600\n  }\n}\n"
IMAP = "service imap-login {\n  inet_listener imap {\n    port = 0\n  }\n}\n"
TLS = "ssl_dh = </etc/ssl/dovecot/dh.pem\n"
PLUGINS = (
    "  sieve_plugins = sieve_imapsieve sieve_extprograms\n  "
    "sieve_global_extensions = +vnd.dovecot.pipe +vnd.dovecot.environment\n"
)
TWENTY = "/etc/dovecot/conf.d/20-more.conf"

WAYS = [
    Way("settings moved into conf.d", LOCAL, moved(LOCAL, LMTP, TWENTY, mode=0o644)),
    Way("settings moved into conf.d", LOCAL, moved(LOCAL, IMAP, "/etc/dovecot/conf.d/10-master.conf", mode=0o644)),
    Way("settings moved into conf.d", LOCAL, moved(LOCAL, TLS, "/etc/dovecot/conf.d/10-ssl.conf", mode=0o644)),
    Way("settings moved into conf.d", LOCAL, moved(LOCAL, "mail_location = maildir:/var/vmail/%d/%n\n", MAIL, mode=0o644)),
    Way(
        "settings moved into a file that is included",
        LOCAL,
        moved(LOCAL, LMTP, "/etc/dovecot/lmtp.conf", "!include lmtp.conf\n", mode=0o644),
    ),
    Way(
        "settings moved into a file that is included",
        LOCAL,
        moved(LOCAL, PLUGINS, "/etc/dovecot/sieve.inc", "  !include /etc/dovecot/sieve.inc\n", mode=0o644),
    ),
    Way("settings moved out of conf.d", MAIL, moved(MAIL, "mmap_disable = yes\n", LOCAL, mode=0o644)),
    Way("settings moved out of conf.d", AUTH, moved(AUTH, "auth_mechanisms = plain\n", LOCAL, mode=0o644)),
    Way(
        "all in one file",
        MAIN,
        lambda host, rng: moved(LOCAL, host.text(LOCAL), MAIN, mode=0o644)(
            replaced(MAIN, ("!include_try local.conf\n", ""))(host, rng), rng
        ).delete(LOCAL),
    ),
    Way(
        "the include that must be there",
        MAIN,
        one_of(
            MAIN,
            "!include_try local.conf",
            "!include local.conf",
            "!include_try /etc/dovecot/local.conf",
            "!include /etc/dovecot/local.conf",
        ),
    ),
    Way("the whole path", MAIN, replaced(MAIN, ("!include conf.d/*.conf", "!include /etc/dovecot/conf.d/*.conf"))),
    Way(
        "file by file",
        MAIN,
        replaced(
            MAIN,
            (
                "!include conf.d/*.conf",
                (
                    "!include conf.d/10-auth.conf\n!include conf.d/10-mail.conf\n"
                    "!include conf.d/10-ssl.conf\n!include conf.d/15-mailboxes.conf"
                ),
            ),
        ),
    ),
    Way("settings in another order", LOCAL, shuffled(LOCAL, "ssl")),
    Way(
        "settings in another order",
        LOCAL,
        shuffled(LOCAL, "first_valid", "mail_location", "mmap_disable", "protocols", "mail_plugin_dir"),
    ),
    Way("settings in another order", LOCAL, shuffled(LOCAL, "  sieve", "  imapsieve")),
    Way("sections in another order", LOCAL, replaced(LOCAL, (LMTP, ""), (IMAP, LMTP + IMAP))),
    Way(
        "sections in another order",
        LOCAL,
        replaced(
            LOCAL,
            (f"userdb {{\n  driver = passwd-file\n  {USERDB}\n}}\n", ""),
            (
                f"passdb {{\n  driver = passwd-file\n  {PASSDB}\n}}\n",
                f"passdb {{\n  driver = passwd-file\n  {PASSDB}\n}}\nuserdb {{\n  driver = passwd-file\n  {USERDB}\n}}\n",
            ),
        ),
    ),
    Way(
        "settings in another order",
        LOCAL,
        replaced(LOCAL, (f"  driver = passwd-file\n  {PASSDB}", f"  {PASSDB}\n  driver = passwd-file")),
    ),
    Way("a section split", LOCAL, replaced(LOCAL, (PLUGINS, f"}}\n\nplugin {{\n{PLUGINS}"))),
    Way(
        "a section split",
        LOCAL,
        replaced(LOCAL, ("  mailbox Junk {\n    auto", "}\nnamespace inbox {\n  mailbox Junk {\n    auto")),
    ),
    Way(
        "long names of variables",
        LOCAL,
        replaced(LOCAL, ("maildir:/var/vmail/%d/%n", "maildir:/var/vmail/%{domain}/%{username}")),
    ),
    Way("long names of variables", LOCAL, replaced(LOCAL, ("username_format=%u", "username_format=%{user}"))),
    Way("lower case", LOCAL, replaced(LOCAL, ("username_format=%u", "username_format=%Lu"))),
    Way("lower case", LOCAL, replaced(LOCAL, ("maildir:/var/vmail/%d/%n", "maildir:/var/vmail/%Ld/%Ln"))),
    Way(
        "options in another order",
        LOCAL,
        replaced(LOCAL, ("scheme=CRYPT username_format=%u /etc", "username_format=%u scheme=CRYPT /etc")),
    ),
    Way(
        "a default left out",
        LOCAL,
        replaced(LOCAL, ("scheme=CRYPT username_format=%u", "scheme=CRYPT"), (USERDB, "args = /etc/mail/credentials")),
    ),
    Way("a default left out", LOCAL, replaced(LOCAL, ("mail_plugin_dir = /usr/local/lib/dovecot\n", ""))),
    Way("a default left out", LOCAL, replaced(LOCAL, ("auth_mechanisms = plain\n", ""))),
    Way(
        "quotes",
        LOCAL,
        replaced(LOCAL, ("ssl = required", 'ssl = "required"'), ("first_valid_uid = 2000", 'first_valid_uid = "2000"')),
    ),
    Way("quotes", LOCAL, replaced(LOCAL, (PASSDB, PASSDB.replace("scheme", '"scheme') + '"'))),
    Way(
        "quotes",
        LOCAL,
        replaced(
            LOCAL,
            ("imapsieve_mailbox1_name = Junk", 'imapsieve_mailbox1_name = "Junk"'),
            ("mailbox Junk {\n    auto", 'mailbox "Junk" {\n    auto'),
        ),
    ),
    Way(
        "the list of plugins written out",
        LOCAL,
        replaced(LOCAL, ("mail_plugins = $mail_plugins imap_sieve", "mail_plugins = imap_sieve")),
    ),
    Way(
        "the list of plugins written out", LOCAL, replaced(LOCAL, ("mail_plugins = $mail_plugins sieve", "mail_plugins = sieve"))
    ),
    Way("lists in another order", LOCAL, listed(LOCAL, "imap lmtp sieve")),
    Way("lists in another order", LOCAL, listed(LOCAL, "sieve_imapsieve sieve_extprograms")),
    Way("lists in another order", LOCAL, listed(LOCAL, "+vnd.dovecot.pipe +vnd.dovecot.environment")),
    Way(
        "defaults written out",
        LOCAL,
        added(
            LOCAL,
            "listen = *, ::",
            "disable_plaintext_auth = yes",
            "auth_username_format = %Lu",
            "auth_failure_delay = 2 secs",
            "mail_max_userip_connections = 10",
            "auth_verbose_passwords = no",
        ),
    ),
    Way(
        "defaults written out",
        LOCAL,
        replaced(
            LOCAL,
            (
                "inet_listener imap {\n    port = 0\n  }",
                "inet_listener imap {\n    port = 0\n  }\n  inet_listener imaps {\n    port = 993\n    ssl = yes\n  }",
            ),
        ),
    ),
    Way(
        "defaults written out",
        LOCAL,
        added(
            LOCAL,
            "ssl_cipher_list = ALL:!kRSA:!SRP:!kDHd:!DSS:!aNULL:!eNULL:!EXPORT:!DES:!3DES:!MD5:!PSK:!RC4:!ADH:!LOW@STRENGTH",
            "recipient_delimiter = +",
            "lmtp_save_to_detail_mailbox = no",
            "mail_home =",
        ),
    ),
    Way("other causes", LOCAL, replaced(LOCAL, ("imapsieve_mailbox1_causes = COPY", "imapsieve_mailbox1_causes = COPY APPEND"))),
    Way(
        "said twice, the last counts",
        LOCAL,
        replaced(LOCAL, ("# TLS: no login without it.\n", "# TLS: no login without it.\nssl = yes\nssl_min_protocol = TLSv1\n")),
    ),
    Way(
        "said before, and overridden",
        AUTH,
        added(AUTH, "ssl = no", "first_valid_uid = 500", "protocols = imap pop3", "mail_location = mbox:~/mail"),
    ),
    Way("a mode without its first digit", LOCAL, one_of(LOCAL, "mode = 0600", "mode = 0600 ", "mode = 00600")),
    Way("special folders once", BOXES, replaced(BOXES, ("  mailbox Drafts {\n    special_use = \\Drafts\n  }\n", ""))),
    Way("comments", LOCAL, commented(LOCAL)),
    Way("comments", AUTH, commented(AUTH)),
    Way("blanks", LOCAL, trailing(LOCAL)),
    Way("indented otherwise", LOCAL, replaced(LOCAL, ("  ", "\t"))),
    Way("without blanks", LOCAL, replaced(LOCAL, (" = required", "=required"), ("first_valid_uid = ", "first_valid_uid="))),
    Way("a line carried on", LOCAL, replaced(LOCAL, ("+vnd.dovecot.pipe +vnd", "+vnd.dovecot.pipe \\\n    +vnd"))),
    Way("sections with their names", DKIM, replaced(DKIM, ("domain {\n    example.com {", 'domain {\n    "example.com" {'))),
    Way(
        "sections in one line",
        DKIM,
        replaced(
            DKIM,
            (
                (
                    "domain {\n    example.com {\n        path = "
                    '"/etc/mail/dkim/example.com.key";\n        selector = "selector0";\n    }\n}'
                ),
                'domain { example.com { path = "/etc/mail/dkim/example.com.key"; selector = "selector0"; } }',
            ),
        ),
    ),
    Way("named sections", DKIM, replaced(DKIM, ("domain {\n    example.com {", 'domain "example.com" {'), ("    }\n}\n", "}\n"))),
    Way(
        "colons and commas",
        DKIM,
        replaced(
            DKIM,
            ('path = "/etc/mail/dkim/example.com.key";', 'path: "/etc/mail/dkim/example.com.key",'),
            ('selector = "selector0";', '"selector": "selector0"'),
        ),
    ),
    Way(
        "without quotes",
        DKIM,
        replaced(DKIM, ('"selector0"', "selector0"), ('"/etc/mail/dkim/example.com.key"', "/etc/mail/dkim/example.com.key")),
    ),
    Way(
        "other words for yes and no",
        DKIM,
        one_of(DKIM, "check_pubkey = true", "check_pubkey = yes", "check_pubkey = on", "check_pubkey true"),
    ),
    Way(
        "other words for yes and no",
        DKIM,
        one_of(DKIM, "allow_pubkey_mismatch = false", "allow_pubkey_mismatch = no", "allow_pubkey_mismatch = off"),
    ),
    Way("lines without semicolons", DKIM, replaced(DKIM, (";\n", "\n"))),
    Way("settings in another order", DKIM, shuffled(DKIM, "check_pubkey", "allow_pubkey", "try_fallback")),
    Way(
        "settings moved to override.d",
        DKIM,
        moved(
            DKIM, "check_pubkey = true;\nallow_pubkey_mismatch = false;\n", "/etc/rspamd/override.d/dkim_signing.conf", mode=0o644
        ),
    ),
    Way(
        "all of it moved to override.d",
        DKIM,
        lambda host, rng: moved(DKIM, host.text(DKIM), "/etc/rspamd/override.d/dkim_signing.conf", mode=0o644)(host, rng).delete(
            DKIM
        ),
    ),
    Way(
        "defaults written out",
        DKIM,
        added(DKIM, "sign_local = true;", "sign_authenticated = true;", "use_esld = true;", "allow_username_mismatch = true;"),
    ),
    Way("comments", DKIM, commented(DKIM)),
    Way(
        "another comment",
        DKIM,
        replaced(DKIM, ("# One section", "/* One section"), ("use_esld = false.\n", "use_esld = false. */\n")),
    ),
    Way("blanks", DKIM, trailing(DKIM)),
    Way(
        "the port written out",
        REDIS,
        one_of(REDIS, '"127.0.0.1"', '"127.0.0.1:6379"', '"localhost"', "127.0.0.1", '["127.0.0.1"]'),
    ),
    Way(
        "moved to override.d",
        REDIS,
        lambda host, rng: moved(REDIS, host.text(REDIS), "/etc/rspamd/override.d/redis.conf", mode=0o644)(host, rng).delete(
            REDIS
        ),
    ),
    Way("a list in another order", SETTINGS, replaced(SETTINGS, ('["rbl", "spf"]', '["spf", "rbl"]'))),
    Way("another priority", SETTINGS, one_of(SETTINGS, "priority = high", "priority = 10", 'priority = "high"')),
    Way("another name", SETTINGS, replaced(SETTINGS, ("authenticated {\n", "users {\n"))),
    Way("other words for yes", SETTINGS, one_of(SETTINGS, "authenticated = true", "authenticated = yes", "authenticated: true")),
    Way(
        "the controller's default",
        CONTROLLER,
        added(CONTROLLER, 'bind_socket = "localhost:11334";', 'bind_socket = "127.0.0.1:11334";'),
    ),
    Way(
        "a password for changes",
        CONTROLLER,
        added(
            CONTROLLER,
            'enable_password = "$2$1i7c6s6d8c1srjdx371a4ghfqm6yi3nm$emyo77q63td68zmpq499a1gqbi93st8ajm5itw1zi5uriacm5x7b";',
        ),
    ),
    Way("comments", HAM, commented(HAM)),
    Way("a list in another order", HAM, replaced(HAM, ('["Trash", "Junk"]', '["Junk", "Trash"]'))),
    Way(
        "a list in another order",
        HAM,
        replaced(
            HAM,
            (
                '["vnd.dovecot.pipe", "copy", "imapsieve", "environment", "variables"]',
                '["variables", "environment", "imapsieve", "copy", "vnd.dovecot.pipe"]',
            ),
        ),
    ),
    Way(
        "a test for each",
        HAM,
        replaced(
            HAM,
            (
                'if string :is "${mailbox}" ["Trash", "Junk"] {',
                'if anyof (string :is "${mailbox}" "Trash", string :is "${mailbox}" "Junk") {',
            ),
        ),
    ),
    Way(
        "a test after the other",
        HAM,
        replaced(
            HAM,
            (
                'if string :is "${mailbox}" ["Trash", "Junk"] {\n    stop;\n}',
                'if string :is "${mailbox}" "Trash" {\n    stop;\n} elsif string "${mailbox}" "Junk" {\n    stop;\n}',
            ),
        ),
    ),
    Way(
        "defaults written out",
        HAM,
        replaced(HAM, ('string :is "${mailbox}"', 'string :comparator "i;ascii-casemap" :is "${mailbox}"')),
    ),
    Way(
        "several requires",
        SPAM,
        replaced(
            SPAM,
            (
                'require ["vnd.dovecot.pipe", "copy", "imapsieve", "environment", "variables"];',
                'require "vnd.dovecot.pipe"; require "copy";\nrequire ["imapsieve", "environment", "variables"];',
            ),
        ),
    ),
    Way(
        "without the user's name",
        SPAM,
        replaced(SPAM, ('pipe :copy "learn-spam.sh" [ "${username}" ];', 'pipe :copy "learn-spam.sh";')),
    ),
    Way("all in one line", SPAM, replaced(SPAM, (" {\n    set", " { set"), ('";\n}', '"; }'))),
    Way("upper case", JUNK, replaced(JUNK, ("if header :is", "IF Header :Is"), ('fileinto "Junk"', 'FileInto "Junk"'))),
    Way("another header's case", JUNK, replaced(JUNK, ('"X-Spam" "yes"', '["x-spam"] ["yes"]'))),
    Way(
        "another comment",
        JUNK,
        replaced(JUNK, ("# Runs at delivery, before the user's own script. Compile as root: sievec.", "/* Runs at delivery. */")),
    ),
    Way(
        "the long option",
        f"{SCRIPTS}/learn-ham.sh",
        one_of(
            f"{SCRIPTS}/learn-ham.sh",
            "-h 127.0.0.1:11334",
            "--connect=127.0.0.1:11334",
            "-h localhost:11334",
            "-h 127.0.0.1",
            "--connect 127.0.0.1:11334",
        ),
    ),
    Way(
        "the program in its path",
        f"{SCRIPTS}/learn-spam.sh",
        one_of(
            f"{SCRIPTS}/learn-spam.sh",
            "exec /usr/local/bin/rspamc",
            "/usr/local/bin/rspamc",
            "exec rspamc",
            "exec '/usr/local/bin/rspamc'",
        ),
    ),
    Way("the default left out", f"{SCRIPTS}/learn-spam.sh", replaced(f"{SCRIPTS}/learn-spam.sh", (" -h 127.0.0.1:11334", ""))),
]
