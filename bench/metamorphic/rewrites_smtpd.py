"""smtpd.conf and its maps written otherwise."""

from __future__ import annotations

from bench.metamorphic.faults_smtpd import ALIASES, CONF, CREDENTIALS, PLAIN, VIRTUALS
from bench.metamorphic.rewrites import Way, added, commented, continued, listed, moved, one_of, replaced, shuffled, trailing

SENDERS = "/etc/mail/senders"
PKI = (
    'pki mail.example.com cert "/etc/ssl/mail.example.com.pem"\npki '
    'mail.example.com key  "/etc/ssl/private/mail.example.com.key"\n'
)
USER = "example_user@example.com"
NAMES = "abuse@example.com, hostmaster@example.com, postmaster@example.com, webmaster@example.com"

WAYS = [
    Way(
        "macros introduced",
        CONF,
        replaced(CONF, (PKI, 'name = "host7.example.com"\n' + PKI), ('hostname "host7.example.com"', "hostname $name")),
    ),
    Way(
        "macros introduced",
        CONF,
        replaced(CONF, (PKI, 'dir = "/etc/mail"\n' + PKI), ("file:/etc/mail/aliases", '"file:/etc/mail/aliases"')),
    ),
    Way(
        "macros introduced",
        CONF,
        replaced(CONF, (PKI, "site = example.com\n" + PKI), ('for domain "example.com"', "for domain $site")),
    ),
    Way("numbers for ports", CONF, replaced(CONF, ("port submission", "port 587"))),
    Way(
        "a port written out",
        CONF,
        one_of(
            CONF,
            "listen on all smtps pki",
            "listen on all port 465 smtps pki",
            "listen on all port submissions smtps pki",
            "listen on all port smtps smtps pki",
        ),
    ),
    Way("a port written out", CONF, one_of(CONF, PLAIN, "listen on all port 25 tls", "listen on all port smtp tls")),
    Way(
        "options of a listener in another order",
        CONF,
        one_of(
            CONF,
            'listen on all tls pki mail.example.com hostname "host7.example.com" filter "rspamd"',
            'listen on all hostname "host7.example.com" filter "rspamd" tls pki mail.example.com',
            'listen on all filter "rspamd" pki mail.example.com tls hostname "host7.example.com"',
        ),
    ),
    Way(
        "options of a listener in another order",
        CONF,
        replaced(CONF, ("auth <credentials> senders <allowed_from>", "senders <allowed_from> auth <credentials>")),
    ),
    Way(
        "one family after the other",
        CONF,
        replaced(
            CONF,
            (
                'listen on all tls pki mail.example.com hostname "host7.example.com" filter "rspamd"',
                (
                    'listen on 0.0.0.0 tls pki mail.example.com hostname "host7.example.com" filter "rspamd"\n'
                    'listen on :: tls pki mail.example.com hostname "host7.example.com" filter "rspamd"'
                ),
            ),
        ),
    ),
    Way(
        "one family after the other",
        CONF,
        replaced(
            CONF,
            (
                'listen on all tls pki mail.example.com hostname "host7.example.com" filter "rspamd"',
                (
                    'listen on all inet4 tls pki mail.example.com hostname "host7.example.com" filter "rspamd"\n'
                    'listen on all inet6 tls pki mail.example.com hostname "host7.example.com" filter "rspamd"'
                ),
            ),
        ),
    ),
    Way("listeners in another order", CONF, shuffled(CONF, "listen ")),
    Way("tables in another order", CONF, shuffled(CONF, "table ")),
    Way("actions in another order", CONF, shuffled(CONF, "action ")),
    Way("key and certificate in another order", CONF, shuffled(CONF, "pki ")),
    Way("settings in another order", CONF, shuffled(CONF, "queue ", "smtp ")),
    Way(
        "rules that do not meet in another order", CONF, shuffled(CONF, "match from any for domain", "match from local for local")
    ),
    Way("rules that do the same in another order", CONF, shuffled(CONF, "match from auth for any", "match from local for any")),
    Way(
        "rules first",
        CONF,
        replaced(
            CONF,
            ('filter "rspamd" proc-exec "/usr/local/libexec/smtpd/filter-rspamd"\n', ""),
            (PKI, f'{PKI}filter rspamd proc-exec "/usr/local/libexec/smtpd/filter-rspamd"\n'),
        ),
    ),
    Way("criteria in another order", CONF, replaced(CONF, ("match from auth for any", "match for any from auth"))),
    Way(
        "criteria in another order",
        CONF,
        replaced(CONF, ('match from any for domain "example.com"', 'match for domain "example.com" from any')),
    ),
    Way(
        "another word for logins",
        CONF,
        one_of(CONF, "match from auth for any", "match auth from any for any", "match from any auth for any"),
    ),
    Way(
        "a default left out",
        CONF,
        replaced(CONF, ("match from local for local", "match for local"), ("match from local for any", "match for any")),
    ),
    Way("a list of one", CONF, replaced(CONF, ('for domain "example.com"', 'for domain { "example.com" }'))),
    Way(
        "a table of one",
        CONF,
        replaced(CONF, (PKI, f'{PKI}table domains {{ "example.com" }}\n'), ('for domain "example.com"', "for domain <domains>")),
    ),
    Way(
        "a table in a file",
        CONF,
        lambda host, rng: replaced(
            CONF,
            ("table aliases ", "table domains file:/etc/mail/domains\ntable aliases "),
            ('for domain "example.com"', "for domain <domains>"),
        )(host.write("/etc/mail/domains", "example.com\n"), rng),
    ),
    Way("upper case", CONF, one_of(CONF, 'for domain "example.com"', 'for domain "Example.COM"', 'for domain "EXAMPLE.com"')),
    Way("quotes taken away", CONF, replaced(CONF, ('"inbound"', "inbound"), ('"local_inbound"', "local_inbound"))),
    Way("quotes taken away", CONF, replaced(CONF, ('filter "rspamd"', "filter rspamd"))),
    Way(
        "quotes taken away",
        CONF,
        replaced(
            CONF,
            ('hostname "host7.example.com"', "hostname host7.example.com"),
            ('helo "host7.example.com"', "helo host7.example.com"),
        ),
    ),
    Way("quotes", CONF, replaced(CONF, ("pki mail.example.com", 'pki "mail.example.com"'))),
    Way("other names", CONF, replaced(CONF, ('"outbound"', '"send"'), ('"inbound"', '"receive"'))),
    Way("other names", CONF, replaced(CONF, ("<virtuals>", "<people>"), ("table virtuals ", "table people "))),
    Way("other names", CONF, replaced(CONF, ("<credentials>", "<users>"), ("table credentials ", "table users "))),
    Way("other names", CONF, replaced(CONF, ('filter "rspamd"', 'filter "spam"'))),
    Way(
        "a chain of one filter",
        CONF,
        replaced(
            CONF,
            ('filter "rspamd" proc-exec', 'filter "daemon" proc-exec'),
            ("queue compression", 'filter "rspamd" chain { "daemon" }\nqueue compression'),
        ),
    ),
    Way(
        "the program apart",
        CONF,
        replaced(
            CONF,
            (
                'filter "rspamd" proc-exec "/usr/local/libexec/smtpd/filter-rspamd"',
                'proc "rs" "/usr/local/libexec/smtpd/filter-rspamd"\nfilter "rspamd" proc "rs"',
            ),
        ),
    ),
    Way("the program by its name", CONF, replaced(CONF, ('"/usr/local/libexec/smtpd/filter-rspamd"', '"filter-rspamd"'))),
    Way(
        "another size",
        CONF,
        one_of(CONF, "max-message-size 35M", "max-message-size 36700160", "max-message-size 35840K", "max-message-size 40M"),
    ),
    Way(
        "defaults written out",
        CONF,
        replaced(CONF, ("queue compression", "queue compression\nqueue ttl 4d\nbounce warn-interval 4h")),
    ),
    Way(
        "defaults written out",
        CONF,
        replaced(CONF, ("queue compression", 'queue compression\nsmtp sub-addr-delim "+"\nmta max-deferred 100')),
    ),
    Way(
        "tables in an included file",
        CONF,
        moved(CONF, "table virtuals     file:/etc/mail/virtuals\n", "/etc/mail/tables.conf", 'include "/etc/mail/tables.conf"\n'),
    ),
    Way("keys in an included file", CONF, moved(CONF, PKI, "/etc/mail/pki.conf", 'include "/etc/mail/pki.conf"\n')),
    Way("comments", CONF, commented(CONF)),
    Way("blanks", CONF, trailing(CONF)),
    Way("a line carried on", CONF, continued(CONF, "listen", "match", "action", "pki", "filter")),
    Way(
        "lines in another order",
        VIRTUALS,
        shuffled(VIRTUALS, "example_user@", "root@", "abuse@", "hostmaster@", "postmaster@", "webmaster@", "dmarc", "caa"),
    ),
    Way("without colons", VIRTUALS, one_of(VIRTUALS, ": ", " ", "\t", ":")),
    Way("upper case", VIRTUALS, one_of(VIRTUALS, "root@example.com:", "Root@Example.com:", "ROOT@example.com:")),
    Way(
        "by another name",
        VIRTUALS,
        replaced(VIRTUALS, (f"abuse@example.com: {USER}", "abuse@example.com: postmaster@example.com")),
    ),
    Way("twice", VIRTUALS, replaced(VIRTUALS, (f"abuse@example.com: {USER}", f"abuse@example.com: {USER}, root@example.com"))),
    Way("comments", VIRTUALS, commented(VIRTUALS)),
    Way("blanks", VIRTUALS, trailing(VIRTUALS)),
    Way(
        "lines in another order",
        ALIASES,
        shuffled(ALIASES, "root", "MAILER", "postmaster", "abuse", "hostmaster", "security", "webmaster", "bin", "daemon", "www"),
    ),
    Way("upper case", ALIASES, one_of(ALIASES, "postmaster: root", "Postmaster: root", "POSTMASTER: root")),
    Way("blanks", ALIASES, one_of(ALIASES, ": ", ":\t", ":")),
    Way(
        "by another name",
        ALIASES,
        one_of(ALIASES, "webmaster: root", "webmaster: postmaster", f"webmaster: {USER}", "webmaster: root, postmaster"),
    ),
    Way("one more", ALIASES, added(ALIASES, "ftp: root", "toor: root", "sshd: root", "www-data: root")),
    Way("comments", ALIASES, commented(ALIASES)),
    Way("a list in another order", SENDERS, listed(SENDERS, NAMES, ", ")),
    Way("a list without blanks", SENDERS, replaced(SENDERS, (", ", ","))),
    Way("upper case", SENDERS, replaced(SENDERS, ("postmaster@example.com", "Postmaster@Example.com"))),
    Way("comments", SENDERS, commented(SENDERS)),
    Way("another cost", CREDENTIALS, one_of(CREDENTIALS, "$2b$10$", "$2b$12$", "$2b$09$", "$2a$10$")),
    Way(
        "a name in the field for people",
        CREDENTIALS,
        one_of(CREDENTIALS, ":2000:2000::", ":2000:2000:Example User:", ":2000:2000:somebody:"),
    ),
    Way("a field less", CREDENTIALS, one_of(CREDENTIALS, "/home::", "/home:", "/home")),
    Way("comments", CREDENTIALS, commented(CREDENTIALS)),
]
