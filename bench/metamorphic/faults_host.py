"""Faults of the host: accounts, services, certificates, renewal, what is recorded of it."""

from __future__ import annotations

import dataclasses
import random

from bench.metamorphic.faults import Change, Family, add, drop, edit, gone, mode, owner, said, setting, there, written
from bench.metamorphic.host import Host
from mailaudit.questions import Absent, Command, CommandOutput, Found, KeyFacts, PublicKey, RunCommand, Stat, StatFile

ACME = "/etc/acme-client.conf"
HTTPD = "/etc/httpd.conf"
CERTIFICATE = "/etc/ssl/mail.example.com.pem"
KEY = "/etc/ssl/private/mail.example.com.key"
ACCOUNT = "/etc/ssl/private/letsencrypt.key"
DKIM_KEY = "/etc/mail/dkim/example.com.key"
CRONTAB = "~ ~ * * * acme-client mail.example.com && rcctl restart smtpd && rcctl reload dovecot\n"
VMAIL = "/var/vmail"
MTA_STS = """server "mta-sts.example.com" {
	listen on * tls port 443
	tls certificate "/etc/ssl/mail.example.com.pem"
	tls key "/etc/ssl/private/mail.example.com.key"
	root "/htdocs/mta-sts"
}"""


def key(path: str, kind: str, bits: int, digest: str = "0" * 64) -> Change:
    """With another key in a file."""
    answer = Found(KeyFacts(kind, bits, f"sha256:{digest}"))
    return lambda host, _: (host.answer(PublicKey(path), answer), path)


def weaker(path: str, kind: str, bits: int) -> Change:
    """With another kind of key, to which everything else still fits."""

    def change(host: Host, _: random.Random) -> tuple[Host, str]:
        known = host.record.answers[PublicKey(path)]
        assert isinstance(known, Found)
        assert isinstance(known.value, KeyFacts)
        return host.answer(PublicKey(path), Found(dataclasses.replace(known.value, kind=kind, bits=bits))), path

    return change


def fails(command: Command, stdout: str = "") -> Change:
    """With a command that ends with an error."""
    return lambda host, _: (host.answer(RunCommand(command), Found(CommandOutput(1, stdout))), str(command))


def unchained(host: Host, _: random.Random) -> tuple[Host, str]:
    """With the server's certificate alone."""
    first, end, _rest = host.text(CERTIFICATE).partition("-----END CERTIFICATE-----\n")
    return host.write(CERTIFICATE, first + end), CERTIFICATE


def uninstalled(package: str, *paths: str) -> Change:
    """Without a package and its files."""

    def change(host: Host, _: random.Random) -> tuple[Host, str]:
        known = host.record.answers[RunCommand(Command.PKG_INFO)]
        assert isinstance(known, Found)
        assert isinstance(known.value, CommandOutput)
        lines = [line for line in known.value.stdout.splitlines(keepends=True) if not line.startswith(package)]
        for path in paths:
            host = host.answer(StatFile(path), Absent())
        return host.answer(RunCommand(Command.PKG_INFO), Found(CommandOutput(0, "".join(lines)))), str(Command.PKG_INFO)

    return change


def account(user: str, old: str, new: str) -> Change:
    """With other words in the line of an account, in both files that have it."""

    def change(host: Host, _: random.Random) -> tuple[Host, str]:
        for path in ("/etc/passwd", "/etc/master.passwd"):
            lines = host.text(path).split("\n")
            (number,) = (number for number, line in enumerate(lines) if line.startswith(f"{user}:"))
            if old not in lines[number]:
                raise ValueError(f"{path}: {user} has no {old}")
            lines[number] = lines[number].replace(old, new)
            host = host.write(path, "\n".join(line for line in lines[:-1] if line) + "\n")
        return host, "/etc/passwd"

    return change


def stale(path: str) -> Change:
    """With a database that was made before the file was written."""
    old = Stat("file", 0o644, "root", "wheel", 8192, "2026-10-01T00:00:00Z")
    return lambda host, _: (host.answer(StatFile(path), Found(old)), path)


FAMILIES = [
    Family("ACME001", "no acme-client.conf", gone(ACME)),
    Family("ACME001", "a word misspelt", edit(ACME, "sign with", "signed with")),
    Family("ACME002", "a test authority", edit(ACME, "https://acme-v02.api", "https://acme-staging-v02.api")),
    Family("ACME003", "an open key of the account", mode(ACCOUNT, 0o644, 0o444, 0o440)),
    Family("ACME003", "another's key of the account", owner(ACCOUNT, "www:www", "alex:alex")),
    Family("ACME004", "another name", edit(ACME, "domain mail.example.com {", "domain www.<domain> {")),
    Family(
        "ACME005",
        "a key beside the certificate",
        edit(ACME, "/etc/ssl/private/mail.example.com.key", "/etc/ssl/mail.example.com.key"),
    ),
    Family("ACME006", "the leaf alone", edit(ACME, "domain full chain certificate", "domain certificate")),
    Family("ACME007", "an authority that is not defined", edit(ACME, "sign with letsencrypt", "sign with <word>")),
    Family("ACME008", "a name that is not in it", add(HTTPD, MTA_STS), "domain mail.example.com {"),
    Family("ACME009", "another type of key", edit(ACME, 'private/mail.example.com.key"', 'private/mail.example.com.key" ecdsa')),
    Family(
        "ACME010",
        "another directory",
        edit(ACME, "sign with letsencrypt", 'sign with letsencrypt\n\tchallengedir "/var/www/<word>"'),
    ),
    Family("ACME011", "open to others", mode("/etc/ssl/private", 0o755, 0o750, 0o711)),
    Family("ACME011", "another's", owner("/etc/ssl/private", "www:www")),
    Family("ACME012", "no directory", gone("/var/www/acme")),
    Family("ACME012", "closed to httpd", mode("/var/www/acme", 0o700, 0o750)),
    Family("ACME013", "nobody renews", said(Command.CRONTAB_ROOT, CRONTAB, "")),
    Family("ACME013", "once a month", said(Command.CRONTAB_ROOT, "~ ~ * * * acme", "~ ~ 1 * * acme", "30 4 1 * * acme")),
    Family(
        "ACME014",
        "nobody is told",
        said(
            Command.CRONTAB_ROOT,
            " && rcctl restart smtpd && rcctl reload dovecot",
            "",
            " && rcctl reload dovecot",
            " && rcctl restart smtpd",
        ),
    ),
    Family(
        "ACME014",
        "told each time",
        said(
            Command.CRONTAB_ROOT,
            "mail.example.com && rcctl restart smtpd && rcctl",
            "mail.example.com; rcctl restart smtpd; rcctl",
        ),
    ),
    Family(
        "ACME016",
        "a contact is wanted",
        edit(ACME, "https://acme-v02.api.letsencrypt.org/directory", "https://acme.zerossl.com/v2/DV90"),
    ),
    Family("HTTPD001", "no httpd.conf", gone(HTTPD)),
    Family("HTTPD001", "a word misspelt", edit(HTTPD, "request strip 2", "request strp 2", "request stripe 2")),
    Family(
        "HTTPD002",
        "another server",
        edit(
            HTTPD,
            'server "mail.example.com" {\n\tlisten on * port 80\n',
            'server "www.<domain>" {\n\tlisten on * port 80\n\troot '
            '"/<word>"\n}\nserver "mx.<domain>" {\n\tlisten on * port 80\n',
        ),
    ),
    Family(
        "HTTPD003", "one address", edit(HTTPD, "listen on * port 80", "listen on 203.0.113.9 port 80", "listen on * port <port>")
    ),
    Family("ACME010", "another directory of httpd", edit(HTTPD, 'root "/acme"', 'root "/<word>"')),
    Family("HTTPD004", "a part too few", edit(HTTPD, "request strip 2", "request strip 1", "request strip 3")),
    Family(
        "HTTPD004",
        "blocked before",
        edit(
            HTTPD, 'server "mail.example.com" {\n', 'server "mail.example.com" {\n\tlocation "/.well-known/*" {\n\t\tblock\n\t}\n'
        ),
    ),
    Family("HTTPD006", "everything is served", edit(HTTPD, "block return 404", 'root "/<word>"')),
    Family("HTTPD006", "a list of files", edit(HTTPD, "block return 404", "directory auto index")),
    Family("HTTPD007", "nobody there", edit(HTTPD, "block return 404", 'block return 301 "https://$HTTP_HOST$REQUEST_URI"')),
    Family("CROSS010", "a directory on the way", mode("/var/www", 0o700)),
    Family("CROSS021", "nobody listens", edit("/etc/pf.conf", "smtp http sub", "smtp http imap sub")),
    Family("TLS001", "no certificate", gone(CERTIFICATE), "mail.example.com.pem"),
    Family("TLS005", "another's key", key(KEY, "rsa", 4096), "private/mail.example.com.key"),
    Family("TLS006", "no chain", unchained),
    Family("TLS007", "an open key", mode(KEY, 0o644, 0o444)),
    Family("TLS008", "anybody may change it", mode(CERTIFICATE, 0o666, 0o464)),
    Family("TLS008", "another's", owner(CERTIFICATE, "www:www", "alex:alex")),
    Family("DKIM003", "a short key", weaker(DKIM_KEY, "rsa", 1024)),
    Family("HOST002", "an old release", said(Command.UNAME, "7.9", "7.5", "7.6", "7.4")),
    Family("HOST003", "a bare name", edit("/etc/myname", "host7.example.com", "host7", "<word>")),
    Family("HOST004", "the mail domain", edit("/etc/myname", "host7.example.com", "example.com")),
    Family("HOST005", "what it does", edit("/etc/myname", "host7.example.com", "smtp.example.com", "imap.example.com")),
    Family("HOST011", "nobody can log in", account("alex", "/bin/ksh", "/sbin/nologin")),
    Family("HOST012", "nobody in wheel", edit("/etc/group", "wheel:*:0:root,alex", "wheel:*:0:root")),
    Family("HOST013", "no doas.conf", gone("/etc/doas.conf")),
    Family("HOST013", "for another group", edit("/etc/doas.conf", ":wheel", ":<word>", "<word>")),
    Family("HOST014", "without a password", edit("/etc/doas.conf", "permit persist", "permit nopass")),
    Family("HOST014", "writable", mode("/etc/doas.conf", 0o666, 0o664)),
    Family(
        "HOST015",
        "root may log in",
        said(Command.SSHD, "permitrootlogin no\npasswordauthentication no", "permitrootlogin yes\npasswordauthentication yes"),
    ),
    Family("HOST016", "passwords", said(Command.SSHD, "\npasswordauthentication no", "\npasswordauthentication yes")),
    Family("HOST016", "passwords", said(Command.SSHD, "kbdinteractiveauthentication no", "kbdinteractiveauthentication yes")),
    Family("HOST020", "no table-passwd", uninstalled("opensmtpd-table-passwd", "/usr/local/libexec/smtpd/table-passwd")),
    Family("HOST021", "no filter", uninstalled("opensmtpd-filter-rspamd", "/usr/local/libexec/smtpd/filter-rspamd")),
    Family("HOST022", "no Dovecot", uninstalled("dovecot-2")),
    Family(
        "HOST023",
        "no Pigeonhole",
        uninstalled(
            "dovecot-pigeonhole",
            "/usr/local/lib/dovecot/lib90_sieve_plugin.so",
            "/usr/local/lib/dovecot/lib95_imap_sieve_plugin.so",
        ),
    ),
    Family("HOST023", "another version", said(Command.PKG_INFO, "pigeonhole-0.5.21.1", "pigeonhole-2.4.1")),
    Family("HOST024", "no rspamd", uninstalled("rspamd")),
    Family("HOST025", "no redis", uninstalled("redis")),
    Family("HOST030", "not at boot", edit("/etc/rc.conf.local", "httpd_flags=", "httpd_flags=NO")),
    Family("HOST030", "does not run", said(Command.RCCTL_LS_STARTED, "httpd\n", "")),
    Family("HOST031", "not at boot", add("/etc/rc.conf.local", "smtpd_flags=NO")),
    Family("HOST031", "does not run", said(Command.RCCTL_LS_STARTED, "smtpd\n", "")),
    Family("HOST032", "not at boot", edit("/etc/rc.conf.local", "pkg_scripts=redis rspamd dovecot", "pkg_scripts=redis rspamd")),
    Family("HOST033", "not at boot", edit("/etc/rc.conf.local", "pkg_scripts=redis rspamd dovecot", "pkg_scripts=redis dovecot")),
    Family(
        "HOST034", "too late", edit("/etc/rc.conf.local", "pkg_scripts=redis rspamd dovecot", "pkg_scripts=rspamd redis dovecot")
    ),
    Family("HOST035", "pf is off", add("/etc/rc.conf.local", "pf=NO")),
    Family("HOST036", "changed since", written("/etc/mail/smtpd.conf", "2026-11-21T10:00:00Z", "2026-11-22T01:00:00Z")),
    Family("HOST040", "set twice", add("/etc/rc.conf.local", "httpd_flags=-v", "pkg_scripts=redis rspamd dovecot")),
    Family("HOST041", "no copy", gone("/etc/pf.conf.defaults")),
    Family("HOST041", "an open copy", mode("/etc/pf.conf.defaults", 0o644, 0o604)),
    Family("HOST042", "no copy", gone("/etc/smtpd.conf.bak")),
    Family("HOST050", "no vmail", drop("/etc/passwd", "vmail:")),
    Family("HOST051", "another number", account("vmail", "2000:2000", "2001:2000")),
    Family("HOST052", "may log in", account("vmail", "/sbin/nologin", "/bin/ksh")),
    Family("HOST053", "another home", account("vmail", "/var/vmail", "/home/vmail")),
    Family("HOST054", "no directory", gone(VMAIL)),
    Family("HOST054", "another's", owner(VMAIL, "root:wheel", "alex:alex")),
    Family("HOST055", "open to others", mode(VMAIL, 0o755, 0o705, 0o777)),
    Family("HOST056", "a .forward", there("/var/vmail/.forward", 0o644, "vmail", "vmail")),
    Family(
        "HOST060", "too few", edit("/etc/login.conf.d/dovecot", "openfiles-cur=1024", "openfiles-cur=512", "openfiles-cur=128")
    ),
    Family("HOST060", "too few at most", edit("/etc/login.conf.d/dovecot", "openfiles-max=2048", "openfiles-max=1024")),
    Family("HOST060", "no class", gone("/etc/login.conf.d/dovecot")),
    Family("HOST061", "stale", stale("/etc/login.conf.db")),
    Family("HOST061", "stale", stale("/etc/login.conf.d/dovecot.db")),
    Family("HOST062", "too few", edit("/etc/login.conf.d/rspamd", "openfiles-cur=2048", "openfiles-cur=1024")),
    Family("HOST062", "no class", gone("/etc/login.conf.d/rspamd")),
    Family(
        "HOST070",
        "patches to install",
        lambda host, _: (host.answer(RunCommand(Command.SYSPATCH), Found(CommandOutput(0, "001_xserver\n"))), "syspatch-c"),
    ),
    Family("HOST071", "not synchronised", said(Command.NTPCTL, "clock synced", "clock unsynced")),
    Family("HOST071", "not at boot", said(Command.RCCTL_LS_STARTED, "ntpd\n", "")),
    Family("HOST072", "no backups", setting("backup_days = 7\n", "backup_days = 400\n")),
    Family(
        "HOST073",
        "redis for all",
        edit("/etc/redis/redis.conf", "bind 127.0.0.1 ::1", "bind 0.0.0.0", "bind 127.0.0.1 203.0.113.9"),
    ),
    Family("HOST073", "redis for all", drop("/etc/redis/redis.conf", "bind 127.0.0.1")),
]
