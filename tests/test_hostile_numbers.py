"""A number of thousands of digits, or in the digits of another script, is no number: it ends no scan, wherever a host says it."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hostfiles import sources

from mailaudit.models.clock import Clock
from mailaudit.models.facts import read
from mailaudit.models.site import Declared
from mailaudit.questions import Command
from mailaudit.text import decimal

FILES = {
    "/etc/services": "ssh {}/tcp\n",
    "/etc/master.passwd": "root:{{{{masked:bcrypt:{}:0}}}}:0:0:daemon:0:0:root:/root:/bin/ksh\n",
    "/etc/passwd": "root:*:{}:0:root:/root:/bin/ksh\n",
    "/etc/group": "wheel:*:{}:root\n",
    "/etc/doas.conf": "permit {} as root\npermit :{}\n",
    "/etc/httpd.conf": 'server "a" {{\n\tlisten on * port "{}"\n}}\n',
    "/etc/dovecot/dovecot.conf": "first_valid_uid = {}\nlast_valid_uid = 5\nservice imap {{\n  process_limit = {}\n}}\n",
    "/etc/login.conf": "default:\\\n\t:openfiles={}:\n",
    "/etc/redis/redis.conf": "port {}\n",
    "/etc/mail/smtpd.conf": 'queue encryption "{{{{masked:queue-key:{}:x}}}}"\n',
}
COMMANDS = {
    Command.NETSTAT: "tcp 0 0 *.{} *.* LISTEN\n",
    Command.PS: "{} root Fri Nov 20 09:30:02 2026 /sbin/init\n1 root Fri Nov {} 09:30:02 2026 /sbin/init\n",
    Command.SSHD: "port {}\n",
    Command.UNAME: "OpenBSD {}.{} amd64\n",
    Command.IFCONFIG: "lo0: flags=8049<UP>\n\tinet6 ::{} prefixlen 128\n\tinet 127.{} netmask 0xff000000\n"
    "\tinet 1.1.1.1 netmask 0xff999999\n",
}


@pytest.mark.parametrize("where", [*FILES, *COMMANDS])
@pytest.mark.parametrize("number", ["9" * 5000, "²", "٣"], ids=["nines", "superscript", "arabic"])
def test_no_number(where: str | Command, number: str) -> None:
    files = {path: said.format(number, number) for path, said in FILES.items() if path == where}
    commands = {command: (0, said.format(number, number)) for command, said in COMMANDS.items() if command == where}
    assert read(sources(files, commands), Declared(), {}, Clock(datetime.now(UTC))).slots


def test_what_is_a_decimal_number() -> None:
    assert [decimal(each) for each in ("0", "007", "9" * 19)] == [0, 7, 10**19 - 1]
    assert [decimal(each) for each in ("", "-1", "+1", "1 ", "1_0", "²", "٣", "9" * 20)] == [None] * 8
