"""acme-client.conf, httpd.conf and the files of the host itself written otherwise."""

from __future__ import annotations

import random

from bench.metamorphic.faults_host import ACME, CRONTAB, HTTPD
from bench.metamorphic.host import Host
from bench.metamorphic.rewrites import Way, added, commented, continued, listed, moved, one_of, replaced, said, shuffled, trailing
from mailaudit.questions import Command, RunCommand

AUTHORITY = (
    'authority letsencrypt {\n\tapi url "https://acme-v02.api.letsencrypt.org/directory"\n'
    '\taccount key "/etc/ssl/private/letsencrypt.key"\n}\n'
)
LOGIN = "/etc/login.conf"
DOVECOT = "/etc/login.conf.d/dovecot"
RSPAMD = "/etc/login.conf.d/rspamd"
RC = "/etc/rc.conf.local"
DOAS = "/etc/doas.conf"
REDIS = "/etc/redis/redis.conf"
HOSTNAME = "/etc/hostname.vio0"
GROUP = "/etc/group"
SERVICES = "/etc/services"


def from_sshd_config(host: Host, rng: random.Random) -> Host:
    """What sshd is told, by its file in place of what it prints."""
    words = [
        "PermitRootLogin no",
        "PasswordAuthentication no",
        "KbdInteractiveAuthentication no",
        "PubkeyAuthentication yes",
        "Port 22",
    ]
    rng.shuffle(words)
    text = "".join(f"{rng.choice((word, word.lower(), word.replace(' ', '=')))}\n" for word in words)
    return host.unanswered(RunCommand(Command.SSHD)).write("/etc/ssh/sshd_config", text)


def shuffled_accounts(host: Host, rng: random.Random) -> Host:
    """The accounts but root's in another order, the same in both files."""
    names = [line.split(":")[0] for line in host.text("/etc/passwd").splitlines()]
    others = names[1:]
    rng.shuffle(others)
    for path in ("/etc/passwd", "/etc/master.passwd"):
        lines = {line.split(":")[0]: line for line in host.text(path).splitlines()}
        host = host.write(path, "".join(f"{lines[name]}\n" for name in [names[0], *others]))
    return host


WAYS = [
    Way(
        "macros introduced",
        ACME,
        replaced(
            ACME,
            ("authority letsencrypt {", 'directory="https://acme-v02.api.letsencrypt.org/directory"\nauthority letsencrypt {'),
            ('api url "https://acme-v02.api.letsencrypt.org/directory"', "api url $directory"),
        ),
    ),
    Way(
        "quotes",
        ACME,
        replaced(
            ACME, ("domain mail.example.com", 'domain "mail.example.com"'), ("sign with letsencrypt", 'sign with "letsencrypt"')
        ),
    ),
    Way("settings in another order", ACME, shuffled(ACME, "\tdomain key", "\tdomain full", "\tsign")),
    Way("settings in another order", ACME, shuffled(ACME, "\tapi", "\taccount")),
    Way("the type of the key written out", ACME, replaced(ACME, ('mail.example.com.key"', 'mail.example.com.key" rsa'))),
    Way("defaults written out", ACME, replaced(ACME, ("\tsign with", '\tchallengedir "/var/www/acme"\n\tsign with'))),
    Way(
        "another handle",
        ACME,
        lambda host, rng: said(Command.CRONTAB_ROOT, "acme-client mail.example.com", "acme-client cert")(
            replaced(ACME, ("domain mail.example.com {\n", "domain cert {\n\tdomain name mail.example.com\n"))(host, rng), rng
        ),
    ),
    Way(
        "another authority that is not used",
        ACME,
        replaced(
            ACME,
            (
                "domain mail.example.com {",
                (
                    'authority test {\n\tapi url "https://acme-staging-v02.api.letsencrypt.org/directory"\n'
                    '\taccount key "/etc/ssl/private/letsencrypt-test.key"\n}\ndomain mail.example.com {'
                ),
            ),
        ),
    ),
    Way(
        "the authority in an included file",
        ACME,
        moved(ACME, AUTHORITY, "/etc/acme/letsencrypt.conf", 'include "/etc/acme/letsencrypt.conf"\n', mode=0o644),
    ),
    Way("comments", ACME, commented(ACME)),
    Way("a line carried on", ACME, continued(ACME, "domain key", "domain full", "api url", "account")),
    Way("blanks", ACME, trailing(ACME)),
    Way("the port by its name", HTTPD, one_of(HTTPD, "port 80", "port http", "port www", 'port "http"')),
    Way(
        "one family after the other",
        HTTPD,
        one_of(HTTPD, "listen on * port 80", "listen on 0.0.0.0 port 80\n\tlisten on :: port 80", 'listen on "*" port 80'),
    ),
    Way("a macro", HTTPD, replaced(HTTPD, ('server "mail', 'all = "*"\nserver "mail'), ("listen on *", "listen on $all"))),
    Way("without quotes", HTTPD, replaced(HTTPD, ('server "mail.example.com"', "server mail.example.com"))),
    Way("quotes", HTTPD, replaced(HTTPD, ("location * {", 'location "*" {'))),
    Way(
        "settings in another order",
        HTTPD,
        replaced(HTTPD, ('\t\troot "/acme"\n\t\trequest strip 2\n', '\t\trequest strip 2\n\t\troot "/acme"\n')),
    ),
    Way(
        "another refusal", HTTPD, one_of(HTTPD, "block return 404", "block return 403", "block", "block drop", "block return 410")
    ),
    Way(
        "refused in the server",
        HTTPD,
        replaced(
            HTTPD,
            ("\tlisten on * port 80\n", "\tlisten on * port 80\n\tblock return 404\n"),
            ('\t\troot "/acme"\n', '\t\tpass\n\t\troot "/acme"\n'),
            ("\tlocation * {\n\t\tblock return 404\n\t}\n", ""),
        ),
    ),
    Way("defaults written out", HTTPD, replaced(HTTPD, ('server "mail', 'chroot "/var/www"\nprefork 3\nserver "mail'))),
    Way("more names", HTTPD, replaced(HTTPD, ("\tlisten on * port 80\n", "\talias www.example.com\n\tlisten on * port 80\n"))),
    Way(
        "the default of strip for a longer path",
        HTTPD,
        replaced(
            HTTPD,
            ('location "/.well-known/acme-challenge/*"', 'location "/.well-known/acme-challenge/*"'),
            ("\tlocation * {", '\tlocation "/*" {'),
        ),
    ),
    Way(
        "in an included file",
        HTTPD,
        lambda host, rng: moved(HTTPD, host.text(HTTPD), "/etc/httpd.mail.conf", 'include "/etc/httpd.mail.conf"\n', mode=0o644)(
            host, rng
        ),
    ),
    Way("comments", HTTPD, commented(HTTPD)),
    Way("blanks", HTTPD, trailing(HTTPD)),
    Way(
        "a class in the main file",
        LOGIN,
        lambda host, rng: moved(DOVECOT, host.text(DOVECOT), LOGIN, mode=0o644)(host, rng).delete(DOVECOT),
    ),
    Way(
        "a class in the main file",
        LOGIN,
        lambda host, rng: moved(RSPAMD, host.text(RSPAMD), LOGIN, mode=0o644)(host, rng).delete(RSPAMD),
    ),
    Way("in one line", DOVECOT, replaced(DOVECOT, (":\\\n\t:", ":"))),
    Way("in one line", RSPAMD, replaced(RSPAMD, (":\\\n\t:", ":"))),
    Way(
        "limits in another order",
        DOVECOT,
        replaced(
            DOVECOT,
            ("\t:openfiles-cur=1024:\\\n\t:openfiles-max=2048:\\\n", "\t:openfiles-max=2048:\\\n\t:openfiles-cur=1024:\\\n"),
        ),
    ),
    Way(
        "one for both",
        DOVECOT,
        replaced(DOVECOT, ("\t:openfiles-cur=1024:\\\n\t:openfiles-max=2048:\\\n", "\t:openfiles=2048:\\\n")),
    ),
    Way("higher", RSPAMD, one_of(RSPAMD, "openfiles-max=4096", "openfiles-max=8192", "openfiles-max=infinity")),
    Way("octal and hexadecimal", DOVECOT, one_of(DOVECOT, "openfiles-cur=1024", "openfiles-cur=0x400", "openfiles-cur=02000")),
    Way("another name as well", DOVECOT, replaced(DOVECOT, ("dovecot:\\", "dovecot|imap server:\\"))),
    Way("comments", DOVECOT, commented(DOVECOT)),
    Way("lines in another order", RC, shuffled(RC, "httpd_flags", "pkg_scripts")),
    Way(
        "quotes",
        RC,
        one_of(
            RC,
            "pkg_scripts=redis rspamd dovecot",
            'pkg_scripts="redis rspamd dovecot"',
            "pkg_scripts='redis rspamd dovecot'",
            "pkg_scripts=redis  rspamd  dovecot",
        ),
    ),
    Way("quotes", RC, one_of(RC, "httpd_flags=\n", 'httpd_flags=""\n', "httpd_flags=''\n")),
    Way("defaults written out", RC, added(RC, "smtpd_flags=", "pf=YES", "ntpd_flags=", "sshd_flags=", "sndiod_flags=NO")),
    Way("comments", RC, commented(RC)),
    Way(
        "the target written out",
        DOAS,
        one_of(
            DOAS,
            "permit persist :wheel",
            "permit persist :wheel as root",
            "permit persist keepenv :wheel",
            "permit persist alex",
            "permit  persist\t:wheel",
        ),
    ),
    Way("a rule before", DOAS, replaced(DOAS, ("permit persist :wheel", "deny :staff\npermit persist :wheel"))),
    Way("comments", DOAS, commented(DOAS)),
    Way("lines in another order", REDIS, shuffled(REDIS, "bind", "port", "protected", "daemonize", "dir")),
    Way("a list in another order", REDIS, listed(REDIS, "127.0.0.1 ::1")),
    Way("upper case", REDIS, one_of(REDIS, "bind 127", "BIND 127", "Bind 127")),
    Way("quotes", REDIS, one_of(REDIS, "bind 127.0.0.1 ::1", 'bind "127.0.0.1" "::1"', "bind 127.0.0.1 -::1", "bind 127.0.0.1")),
    Way("a default left out", REDIS, replaced(REDIS, ("port 6379\n", ""))),
    Way("comments", REDIS, commented(REDIS)),
    Way(
        "the mask otherwise",
        HOSTNAME,
        one_of(
            HOSTNAME,
            "inet 203.0.113.9 255.255.255.0",
            "inet 203.0.113.9 0xffffff00",
            "inet 203.0.113.9/24",
            "inet 203.0.113.9 255.255.255.0 203.0.113.255",
        ),
    ),
    Way(
        "the length otherwise",
        HOSTNAME,
        one_of(
            HOSTNAME, "inet6 2001:db8::9 64", "inet6 2001:db8::9/64", "inet6 2001:DB8:0:0:0:0:0:9 64", "inet6 2001:db8:0::9 64"
        ),
    ),
    Way("lines in another order", HOSTNAME, shuffled(HOSTNAME, "inet")),
    Way("comments", HOSTNAME, commented(HOSTNAME)),
    Way("accounts in another order", "/etc/passwd", shuffled_accounts),
    Way(
        "groups in another order",
        GROUP,
        shuffled(GROUP, "daemon", "operator", "bin", "staff", "sshd", "_smtpd", "_dovecot", "_rspamd", "vmail"),
    ),
    Way("members in another order", GROUP, replaced(GROUP, ("wheel:*:0:root,alex", "wheel:*:0:alex,root"))),
    Way("services in another order", SERVICES, shuffled(SERVICES, "ssh", "smtp", "http", "imaps", "sieve", "submission")),
    Way("blanks", SERVICES, replaced(SERVICES, ("\t\t", "    "))),
    Way("comments", SERVICES, commented(SERVICES)),
    Way("sshd's file in place of its answer", "/etc/ssh/sshd_config", from_sshd_config),
    Way(
        "root's password not, its keys neither",
        "sshd-T",
        said(Command.SSHD, "permitrootlogin no", "permitrootlogin prohibit-password", "permitrootlogin without-password"),
    ),
    Way(
        "another time",
        "crontab",
        said(
            Command.CRONTAB_ROOT,
            "~ ~ * * * acme",
            "17 3 * * * acme",
            "~ 2-4 * * * acme",
            "@daily acme",
            "0~59 0~23 * * * acme",
            "5 4 * * 0,3 acme",
            "~ */12 * * * acme",
        ),
    ),
    Way(
        "the programs in their path",
        "crontab",
        said(
            Command.CRONTAB_ROOT,
            CRONTAB,
            CRONTAB.replace("acme-client mail", "/usr/sbin/acme-client mail").replace("rcctl", "/usr/sbin/rcctl"),
        ),
    ),
    Way(
        "other words for the same",
        "crontab",
        said(
            Command.CRONTAB_ROOT,
            "acme-client mail.example.com && rcctl restart smtpd && rcctl reload dovecot",
            "acme-client mail.example.com && { rcctl restart smtpd; rcctl reload dovecot; }",
            "acme-client mail.example.com && (rcctl restart smtpd; rcctl reload dovecot)",
            "acme-client mail.example.com && rcctl reload dovecot && rcctl restart smtpd",
            "if acme-client mail.example.com; then rcctl restart smtpd; rcctl reload dovecot; fi",
            "acme-client mail.example.com && rcctl restart smtpd && doveadm reload",
        ),
    ),
    Way("in silence", "crontab", said(Command.CRONTAB_ROOT, "~ ~ * * * acme", "~ ~ * * * -n acme", "~ ~ * * * -s acme")),
    Way(
        "in a script of its own",
        "crontab",
        lambda host, rng: said(Command.CRONTAB_ROOT, CRONTAB, "")(host, rng).write(
            "/etc/daily.local", "#!/bin/sh\nacme-client mail.example.com && rcctl restart smtpd && rcctl reload dovecot\n"
        ),
    ),
]
