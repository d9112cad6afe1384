"""Faults of smtpd.conf and of the maps that it reads."""

from __future__ import annotations

from bench.metamorphic.faults import Family, add, drop, edit, elsewhere, gone, mode, owner, swap, within

CONF = "/etc/mail/smtpd.conf"
VIRTUALS = "/etc/mail/virtuals"
ALIASES = "/etc/mail/aliases"
CREDENTIALS = "/etc/mail/credentials"
KEY = "/etc/ssl/private/mail.example.com.key"
PLAIN = "listen on all tls"
SUBMISSION = "listen on all port submission tls-require"
SMTPS = "listen on all smtps pki mail.example.com"
LOGIN = ":2000:2000::/var/vmail/example.com/example_user/home::"
HASH = "$2b$10$Eb.SjpdrLArwcsRaj0dTcuo9TlmbupjYdABklB/Du.LkZJXDpDx.O"

FAMILIES = [
    Family("SMTPD001", "no smtpd.conf", gone(CONF)),
    Family("SMTPD013", "a table that is not defined", edit(CONF, "table credentials ", "table <word> "), "auth <credentials>"),
    Family(
        "SMTPD001",
        "an action that is not defined",
        edit(CONF, 'match from auth for any action "outbound"', 'match from auth for any action "<word>"'),
    ),
    Family("SMTPD001", "a word misspelt", edit(CONF, "queue compression", "queue compresion", "queue <word>")),
    Family("SMTPD001", "a port that is no service", edit(CONF, "port submission", "port <word>")),
    Family("SMTPD010", "no key", drop(CONF, "pki mail.example.com key")),
    Family("SMTPD010", "no certificate", drop(CONF, "pki mail.example.com cert")),
    Family("SMTPD011", "the key is open", mode(KEY, 0o644, 0o444, 0o660)),
    Family("SMTPD011", "the key is another's", owner(KEY, "www:www", "_smtpd:_smtpd")),
    Family("SMTPD012", "no aliases", gone(ALIASES)),
    Family("SMTPD013", "another kind of table", edit(CONF, "passwd:/etc/mail/credentials", "file:/etc/mail/credentials")),
    Family(
        "SMTPD013",
        "a file that is not there",
        elsewhere(CONF, "passwd:/etc/mail/credentials", "passwd:/etc/mail/<word>", "/etc/mail/<word>"),
    ),
    Family("SMTPD014", "no virtuals", gone(VIRTUALS)),
    Family("SMTPD015", "no program", gone("/usr/local/libexec/smtpd/filter-rspamd")),
    Family("SMTPD015", "a program that may not be run", mode("/usr/local/libexec/smtpd/filter-rspamd", 0o644, 0o600)),
    Family("SMTPD015", "another program", edit(CONF, "smtpd/filter-rspamd", "smtpd/filter-<word>")),
    Family("SMTPD016", "the recipients are not looked up", edit(CONF, " rcpt-to virtual <virtuals>", " rcpt-to")),
    Family(
        "SMTPD016",
        "in the wrong map",
        edit(CONF, "rcpt-to virtual <virtuals>", "rcpt-to alias <aliases>"),
    ),
    Family(
        "SMTPD017",
        "delivered elsewhere",
        edit(CONF, 'lmtp "/var/dovecot/lmtp" rcpt-to', 'maildir "/var/spool/%{dest.user}"', "mbox"),
    ),
    Family(
        "DOVECOT071",
        "a socket that nobody listens on",
        edit(CONF, '"/var/dovecot/lmtp"', '"/var/dovecot/<word>"', '"/var/run/lmtp"'),
    ),
    Family(
        "SMTPD018",
        "tags make mailboxes of their own",
        edit(CONF, 'lmtp "/var/dovecot/lmtp" rcpt-to', 'maildir "/var/vmail/%{dest.domain}/%{dest.user:lowercase}"'),
    ),
    Family(
        "SMTPD019",
        "spam is not filed",
        edit(CONF, 'lmtp "/var/dovecot/lmtp" rcpt-to', 'maildir "/var/vmail/%{dest.domain}/%{dest.user:lowercase|strip}"'),
    ),
    Family("SMTPD020", "no aliases", edit(CONF, "mbox alias <aliases>", "mbox")),
    Family(
        "SMTPD021",
        "a relay without TLS",
        edit(CONF, "relay helo", "relay host smtp://relay.<domain> helo", 'relay host "smtp+notls://relay.<domain>" helo'),
    ),
    Family("SMTPD022", "no TLS on port 25", within(CONF, PLAIN, " tls pki mail.example.com", "")),
    Family("SMTPD022", "TLS or nothing", edit(CONF, "listen on all tls pki", "listen on all tls-require pki")),
    Family("SMTPD022", "no filter", within(CONF, PLAIN, ' filter "rspamd"', "")),
    Family("SMTPD022", "only one address", edit(CONF, "listen on all tls", "listen on 203.0.113.9 tls", "listen on lo0 tls")),
    Family("SMTPD022", "no port 25", drop(CONF, "listen on all tls")),
    Family(
        "SMTPD023",
        "TLS is offered only",
        edit(CONF, SUBMISSION, "listen on all port submission tls", "listen on all port 587 tls"),
    ),
    Family("SMTPD023", "logins are optional", within(CONF, SUBMISSION, "auth <cred", "auth-optional <cred")),
    Family("SMTPD023", "no submission", drop(CONF, SUBMISSION)),
    Family("SMTPD023", "another port", edit(CONF, "port submission", "port <port>")),
    Family("SMTPD024", "no port 465", drop(CONF, SMTPS)),
    Family("SMTPD025", "no filter on the socket", drop(CONF, "listen on socket")),
    Family("SMTPD025", "no filter on the socket", edit(CONF, 'listen on socket filter "rspamd"', "listen on socket")),
    Family(
        "SMTPD026",
        "logins on port 25",
        within(CONF, PLAIN, " filter", " auth <credentials> filter", " auth-optional <credentials> filter"),
    ),
    Family("SMTPD031", "no key", drop(CONF, "queue encryption")),
    Family(
        "SMTPD031",
        "a key too short",
        edit(CONF, '6afd577b0de0f89e2cdf5c206f21ba6e"', '6afd577b0de0f89e2cdf5c206f21ba6"', '6afd577b0de0f89e"'),
    ),
    Family("SMTPD040", "another domain", edit(CONF, 'for domain "example.com"', 'for domain "<domain>"')),
    Family(
        "SMTPD040", "only from here", edit(CONF, "match from any for domain", "match from local for domain", "match for domain")
    ),
    Family("SMTPD040", "no such rule", drop(CONF, "match from any for domain")),
    Family("SMTPD041", "nothing for the host", drop(CONF, "match from local for local")),
    Family("SMTPD042", "users send nowhere", drop(CONF, "match from auth for any")),
    Family(
        "SMTPD043",
        "programs send nowhere",
        edit(CONF, "\nmatch from auth for any", "\nmatch from local for any reject\nmatch from auth for any"),
    ),
    Family("SMTPD044", "an open relay", edit(CONF, "match from auth for any", "match from any for any")),
    Family(
        "SMTPD044",
        "an open relay",
        add(
            CONF,
            'match from any for any action "outbound"',
            'match from src "0.0.0.0/0" for any action "outbound"',
            'match from any ! for domain "<domain>" action "outbound"',
        ),
    ),
    Family("SMTPD045", "TLS as a criterion", edit(CONF, "match from any for domain", "match tls from any for domain")),
    Family("SMTPD024", "port 465 is not signed", within(CONF, SMTPS, ' filter "rspamd"', "")),
    Family("SMTPD023", "587 is not signed", within(CONF, SUBMISSION, ' filter "rspamd"', "")),
    Family("ALIAS001", "nobody reads root's mail", drop(ALIASES, "root: example_user")),
    Family(
        "ALIAS001",
        "a reader that is not there",
        edit(ALIASES, "root: example_user@example.com", "root: <word>@example.com"),
    ),
    Family("ALIAS002", "no such name", drop(ALIASES, "postmaster: root", "abuse: root", "MAILER-DAEMON")),
    Family("ALIAS003", "a program", add(ALIASES, '<word>: "|/usr/local/bin/<word>"', "<word>: /var/log/<word>")),
    Family(
        "VIRT001", "a mailbox without a line", edit(VIRTUALS, "example_user@example.com: vmail\n", "<word>@example.com: vmail\n")
    ),
    Family("VIRT001", "a mailbox without a line", drop(VIRTUALS, "example_user@example.com: vmail")),
    Family("VIRT002", "no such name", drop(VIRTUALS, "root@", "abuse@", "hostmaster@", "postmaster@", "webmaster@")),
    Family(
        "VIRT005",
        "a circle",
        edit(
            VIRTUALS,
            "abuse@example.com: example_user@example.com",
            "abuse@example.com: abuse@example.com",
            "abuse@example.com: postmaster@example.com, abuse@example.com",
        ),
    ),
    Family(
        "VIRT006",
        "no mailbox",
        edit(
            VIRTUALS,
            "hostmaster@example.com: example_user@example.com",
            "hostmaster@example.com: <word>",
            "hostmaster@example.com: root",
        ),
    ),
    Family("VIRT007", "a catch-all", add(VIRTUALS, "@example.com: example_user@example.com", "@: example_user@example.com")),
    Family("VIRT008", "a bare name", add(VIRTUALS, "<word>: example_user@example.com")),
    Family(
        "VIRT009",
        "handed on",
        edit(VIRTUALS, "dmarcreport@example.com: example_user@example.com", "dmarcreport@example.com: <word>@<domain>"),
    ),
    Family("VIRT010", "another's file", owner(VIRTUALS, "alex:alex", "vmail:vmail")),
    Family("VIRT010", "anybody may write", mode(VIRTUALS, 0o666, 0o664)),
    Family("CROSS063", "a mailbox without a user", add(VIRTUALS, "<word>@example.com: vmail")),
    Family("CRED001", "no credentials", gone(CREDENTIALS)),
    Family("CRED002", "open to others", mode(CREDENTIALS, 0o444, 0o644, 0o666)),
    Family("CRED003", "closed to a daemon", mode(CREDENTIALS, 0o400, 0o040, 0o000)),
    Family("CRED003", "closed to a daemon", owner(CREDENTIALS, "root:wheel", "_smtpd:_smtpd", "root:_dovecot")),
    Family("CRED004", "writable", mode(CREDENTIALS, 0o640, 0o660, 0o460)),
    Family("CRED005", "a field too few", edit(CREDENTIALS, LOGIN, LOGIN, ":2000:2000", ":2000:2000:")),
    Family(
        "CRED006",
        "no number",
        edit(CREDENTIALS, LOGIN, LOGIN.replace(":2000:2000:", ":::"), LOGIN.replace(":2000:2000:", ":<word>:2000:")),
    ),
    Family("CRED007", "upper case", edit(CREDENTIALS, "example_user@example.com:", "Example_User@example.com:", "example_user:")),
    Family(
        "CRED008",
        "another kind of hash",
        edit(CREDENTIALS, HASH, "{SHA512-CRYPT}$6$abc$" + "a" * 86, "{BLF-CRYPT}" + HASH, HASH.replace("$2b$", "$2y$")),
    ),
    Family("CRED009", "in the clear", edit(CREDENTIALS, HASH, "<word><word>", "{PLAIN}<word>")),
    Family("CRED010", "quick to try", edit(CREDENTIALS, "$2b$10$", "$2b$04$", "$2b$06$", "$2b$05$")),
    Family("CRED011", "another account", edit(CREDENTIALS, ":2000:2000:", ":1000:1000:", ":2001:2000:", ":2000:1000:")),
    Family(
        "CRED012",
        "a home elsewhere",
        edit(CREDENTIALS, "/var/vmail/example.com/example_user/home", "/home/<word>", "/var/vmail/<word>", ""),
    ),
    Family(
        "CRED013",
        "the mail's place again",
        edit(CREDENTIALS, "/home::", "/home::userdb_mail=maildir:/var/vmail/example.com/example_user"),
    ),
    Family("CRED014", "a user twice", add(CREDENTIALS, f"example_user@example.com:{HASH}{LOGIN}")),
    Family("CROSS052", "a home that is no such user's", edit(CREDENTIALS, "/home::", "/home::userdb_mail=maildir:/srv/<word>")),
    Family("SMTPD041", "turned", swap(CONF, "match from local for local", "match from local for any")),
]
