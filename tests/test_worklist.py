"""What is left to do stands in an order that works, each thing once."""

from __future__ import annotations

import re

from mailaudit.edits import Fix, Safety
from mailaudit.models.taking_effect import Step
from mailaudit.worklist import Deed, Kind, worklist

KEY = 'selector1._domainkey.example.com. 300 IN TXT "v=DKIM1;k=rsa;p=AAAA"'


def typed(*commands: str) -> Fix:
    return Fix("Do it", Safety.SAFE, commands=commands)


def published(*records: str) -> Fix:
    return Fix("Publish it", Safety.MANUAL, records=records)


def words(fixes: list[Fix], *steps: Step) -> list[str]:
    return [each.text for each in worklist(fixes, steps, lambda _: 300)]


def test_each_thing_is_done_once_and_what_others_need_first() -> None:
    found = words(
        [
            typed("rcctl reload dovecot", "chmod 0440 /etc/mail/credentials"),
            typed("smtpd -n", "rcctl restart smtpd", "chown _smtpd:_dovecot /etc/mail/credentials"),
            typed("rcctl restart dovecot", "sievec /a.sieve", "pkg_add redis", "rcctl enable redis", "rcctl start redis"),
            typed("useradd vmail", "install -d -o vmail /var/vmail", "smtpctl update table virtuals", "pfctl -e"),
        ],
        Step("rcctl reload dovecot", ("/etc/dovecot/local.conf",), "dovecot", "doveconf -n > /dev/null"),
        Step("pfctl -f /etc/pf.conf", ("/etc/pf.conf",), "pf", "pfctl -nf /etc/pf.conf"),
    )
    assert found == [
        "useradd vmail",
        "pkg_add redis",
        "install -d -o vmail /var/vmail",
        "chmod 0440 /etc/mail/credentials",
        "chown _smtpd:_dovecot /etc/mail/credentials",
        "sievec /a.sieve",
        "rcctl enable redis",
        "pfctl -f /etc/pf.conf",
        "rcctl start redis",
        "rcctl restart dovecot",
        "rcctl restart smtpd",
    ]


def test_what_takes_files_up_is_checked_first() -> None:
    (deed,) = worklist([typed("rcctl restart smtpd")], (), lambda _: 0)
    assert deed == Deed(Kind.COMMAND, "rcctl restart smtpd", ("Do it",), "smtpd -n")


def test_a_key_is_published_before_mail_is_signed_with_it() -> None:
    found = worklist([published(KEY)], [Step("rcctl restart rspamd", ("/etc/rspamd/x",), "rspamd")], lambda _: 3600)
    assert [each.kind for each in found] == [Kind.RECORD, Kind.WAIT, Kind.COMMAND]
    assert found[1].seconds == 3600
    assert "selector1._domainkey.example.com." in found[1].text


def test_a_name_has_an_address_and_a_certificate_before_it_is_an_exchanger() -> None:
    exchanger, address = "example.com. 300 IN MX 0 mx.example.com.", "mx.example.com. 300 IN A 203.0.113.9"
    found = words([published(exchanger, address), typed("acme-client -F mx.example.com", "acme-client mx.example.com")])
    assert [re.sub("^wait .*", "wait", each) for each in found] == [
        address,
        "wait",
        "acme-client -F mx.example.com",
        exchanger,
    ]


def test_a_policy_is_served_before_its_id_is_published() -> None:
    record = '_mta-sts.example.com. 300 IN TXT "v=STSv1; id=1;"'
    assert words([published(record), typed("rcctl reload httpd")]) == ["rcctl reload httpd", record]


def test_a_record_comes_in_before_another_goes() -> None:
    gone, new = "; delete: example.com. 300 IN MX 10 example.com.", "example.com. 300 IN MX 0 mail.example.com."
    assert words([published(gone, new)]) == [new, gone]


def test_what_only_looks_comes_last() -> None:
    assert words([typed("smtpctl show queue", "rcctl restart smtpd")]) == ["rcctl restart smtpd", "smtpctl show queue"]
