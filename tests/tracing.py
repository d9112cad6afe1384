"""A small mail host in a folder, sound as it is, and its traces: the tests break one thing of it at a time."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import jsonschema

from mailaudit.auditor import Options, auditor_for
from mailaudit.choices import Way
from mailaudit.collect.roots import find_worlds
from mailaudit.commands.trace import followed
from mailaudit.rulebook import load
from mailaudit.trace.addresses import read_address
from mailaudit.trace.hops import Hop, Trace
from mailaudit.trace.ways import Asked

SCHEMA = json.loads((Path(__file__).parents[1] / "mailaudit/reports/schema/trace.schema.json").read_text("utf-8"))
HASH = "$2b$10$abcdefghijklmnopqrstuuJ1nVJq4bGmGZ0RbLfUjzYp1d8Zb8dWe"
FILES: dict[str, str] = {
    "/mailaudit.toml": '[site]\ndomains = ["example.com"]\nmail_host = "mail.example.com"\nipv4 = ["203.0.113.9"]\n',
    "/etc/myname": "host7.example.com\n",
    "/etc/pf.conf": "block all\npass in on egress proto tcp to port { 25 465 587 993 }\npass out\n",
    "/etc/passwd": "vmail:*:2000:2000::/var/vmail:/sbin/nologin\ncarl:*:1001:1001::/home/carl:/bin/ksh\n",
    "/etc/group": "vmail:*:2000:\ncarl:*:1001:\n",
    "/etc/mail/aliases": "root: carl\npostmaster: root\n",
    "/etc/mail/credentials": f"alice@example.com:{HASH}:2000:2000::/var/vmail/example.com/alice/home::\n",
    "/etc/mail/senders": "alice@example.com: alice@example.com, info@example.com\n",
    "/etc/mail/virtuals": "alice@example.com: vmail\ninfo@example.com: alice@example.com\naway@example.com: far@example.org\n",
    "/etc/mail/smtpd.conf": """\
pki mail cert "/etc/ssl/mail.crt"
pki mail key "/etc/ssl/private/mail.key"
table aliases file:/etc/mail/aliases
table creds passwd:/etc/mail/credentials
table virtuals file:/etc/mail/virtuals
table may file:/etc/mail/senders
action "in" maildir "/var/vmail/%{dest.domain}/%{dest.user:lowercase|strip}" virtual <virtuals>
action "local" mbox alias <aliases>
action "out" relay
listen on all tls pki mail
listen on all port submission tls-require pki mail auth <creds> senders <may>
match from any for domain "example.com" action "in"
match from local for local action "local"
match from auth for any action "out"
match from local for any action "out"
""",
    "/etc/dovecot/dovecot.conf": """\
protocols = imap lmtp
ssl = required
ssl_cert = </etc/ssl/mail.crt
ssl_key = </etc/ssl/private/mail.key
mail_location = maildir:/var/vmail/%d/%n
passdb {
  driver = passwd-file
  args = scheme=CRYPT username_format=%u /etc/mail/credentials
}
userdb {
  driver = passwd-file
  args = username_format=%u /etc/mail/credentials
}
namespace inbox {
  inbox = yes
}
""",
    "/etc/ssl/mail.crt": "no certificate of mailaudit's",
    "/etc/ssl/private/mail.key": "",
}
CERTIFICATE = (Path(__file__).parents[1] / "examples/corrected/etc/ssl/mail.example.com.pem").read_text("utf-8")
NOW = "2026-11-22T12:00:00Z"


def lay_out(root: Path, changes: Mapping[str, str | None] | None = None, record: Mapping[str, Any] | None = None) -> Path:
    """The host's files in a folder, some of them changed or left out (None); with a record beside them if there is one."""
    for path, text in {**FILES, "/etc/ssl/mail.crt": CERTIFICATE, **(changes or {})}.items():
        if text is not None:
            where = root / path[1:]
            where.parent.mkdir(parents=True, exist_ok=True)
            where.write_bytes(text.encode("utf-8", "surrogateescape"))
    if record is not None:
        whole = {"format": "mailaudit.snapshot/1", "taken": NOW, "host": "host7.example.com", "stat": {}, "commands": {}}
        (root / "answers.json").write_text(json.dumps({**whole, **record}), "utf-8")
    return root


def edited(path: str, old: str, new: str) -> dict[str, str | None]:
    """A change of one of the host's files."""
    assert old in FILES[path], old
    return {path: FILES[path].replace(old, new)}


def traced(root: Path, way: str, address: str, sender: str | None = None, recipient: str | None = None) -> Trace:
    """The trace of a host in a folder."""
    auditor = auditor_for(find_worlds(str(root)).worlds[0], load(), Options(now=datetime(2026, 11, 22, tzinfo=UTC)))
    from_ = read_address(sender) if sender is not None else None
    to = read_address(recipient) if recipient is not None else None
    return followed(auditor, Asked(Way(way), read_address(address, bare=True), from_, to))[1]


def told(trace: Trace) -> list[str]:
    """Each hop as `kind verdict`."""
    return [f"{hop.kind} {hop.verdict}" for hop in trace.hops]


def broken(trace: Trace) -> Hop:
    """The one hop at which it breaks."""
    (hop,) = trace.breaks
    return hop


def valid(out: str) -> dict[str, Any]:
    """A trace in JSON, checked against its schema."""
    data: dict[str, Any] = json.loads(out)
    jsonschema.Draft202012Validator(SCHEMA).validate(data)
    return data
