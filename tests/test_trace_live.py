"""A trace says of a recipient what smtpd itself says to RCPT TO."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from daemons import HERE, need
from tracing import lay_out, traced

from mailaudit.trace.hops import Kind

ADDRESSES = (
    "info@example.com", "INFO@Example.COM", "info+tag@example.com", "list@example.com", "deep@example.com", "loop@example.com",
    "nobody-here@example.com", "gone@example.com", "ghost@example.com", "any@other.example", "x+y@other.example",
    "info@example.org", "root@localhost", "a@mx.sub.example", "a@sub.example", '"info"@example.com', '"a b"@example.com',
    "a..b@example.com", ".a@example.com", "in/fo@example.com", "info@[203.0.113.9]", "über@example.com", "never@example.com",
)  # fmt: skip
CONF = """\
table users { "info@example.com" = nobody, "list@example.com" = "info@example.com, deep@example.com", \
"deep@example.com" = "info+x@example.com", "loop@example.com" = "pool@example.com", "pool@example.com" = "loop@example.com", \
"gone@example.com" = "error:550 moved away", "ghost@example.com" = no_such_account, "@other.example" = nobody }
action "in" maildir "/var/vmail/%{dest.user}" virtual <users>
listen on 203.0.113.9
match from any for rcpt-to "never@example.com" reject
match from any for domain { "example.com", "other.example" } action "in"
match from any for domain "*.sub.example" action "in"
"""


@pytest.mark.daemon
@pytest.mark.skipif(os.geteuid() != 0 or shutil.which("unshare") is None, reason="needs root and unshare")
def test_smtpd_answers_as_the_trace_says(tmp_path: Path) -> None:
    need(HERE, "smtpd")
    lines = ["EHLO stranger.example", "MAIL FROM:<somebody@example.net>", *(f"RCPT TO:<{each}>" for each in ADDRESSES), "QUIT"]
    jobs = [{"root": "", "conf": CONF, "talks": [{"port": 25, "lines": lines}]}]
    session = Path(__file__).parent / "smtpd_session.py"
    command = ["unshare", "-mnpf", "--kill-child", sys.executable, str(session)]
    done = subprocess.run(command, input=json.dumps(jobs), capture_output=True, text=True, timeout=120, check=False)
    if done.returncode:
        pytest.skip(f"smtpd could not be run here: {done.stderr.strip()[-200:]}")
    job = json.loads(done.stdout)[0]
    assert job["talks"], job["log"]
    (talk,) = job["talks"]
    replies = dict(zip(ADDRESSES, talk[3:], strict=False))
    assert len(replies) == len(ADDRESSES)
    passwd = "nobody:*:65534:65534::/nonexistent:/sbin/nologin\nroot:*:0:0::/root:/bin/sh\n"
    root = lay_out(tmp_path / "host", {"/etc/mail/smtpd.conf": CONF, "/etc/passwd": passwd, "/etc/rc.conf.local": None})
    for address, reply in replies.items():
        trace = traced(root, "inbound", address)
        refused = [hop for hop in trace.breaks if hop.kind in (Kind.ADDRESS, Kind.RULE, Kind.EXPANSION)]
        assert bool(refused) == (not reply.startswith("250")), (address, reply, [hop.message for hop in trace.breaks])
        if refused and reply[:1] == "5":
            assert reply[:3] in refused[0].message, (address, reply, refused[0].message)
