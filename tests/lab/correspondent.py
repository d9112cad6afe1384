"""A user who writes to herself and reads her mail about once a second, run in the lab as the auditor; tells of each try as JSON.

`{"sent": N, "code": 250, "at": T}`: message N was taken (0: no connection, or none that held).
`{"read": [N, ...], "at": T}`: what is in the INBOX; `{"read": null, ...}`: it could not be read.
T are seconds of a clock that only goes forward.
"""

from __future__ import annotations

import imaplib
import json
import os
import re
import ssl
import sys
import threading
import time

from lab.letters import NAME, USER, context, send

PAUSE = 0.7
SUBJECT = "while it is mended"


def tell(**what: object) -> None:
    """A line, whole."""
    sys.stdout.write(json.dumps({**what, "at": time.monotonic()}) + "\n")
    sys.stdout.flush()


def write(password: str) -> None:
    """Submit for ever."""
    number = 0
    while True:
        number += 1
        try:
            code, text = send(port=587, sender=USER, recipient=USER, subject=f"{SUBJECT} {number}", password=password)
        except OSError as error:
            code, text = 0, str(error)
        tell(sent=number, code=code, text=text)
        time.sleep(PAUSE)


def look(password: str, trusting: ssl.SSLContext) -> None:
    """Read for ever, each time in a session of its own."""
    while True:
        try:
            with imaplib.IMAP4_SSL(NAME, ssl_context=trusting, timeout=20) as session:
                session.login(USER, password)
                _, [count] = session.select("INBOX", readonly=True)
                found = session.fetch("1:*", "(BODY.PEEK[HEADER.FIELDS (SUBJECT)])")[1] if count != b"0" else []
            headers = b"".join(each[1] for each in found if isinstance(each, tuple)).decode()
            tell(read=[int(each) for each in re.findall(rf"{SUBJECT} ([0-9]+)", headers)])
        except (OSError, imaplib.IMAP4.error) as error:
            tell(read=None, text=str(error))
        time.sleep(PAUSE)


def main() -> None:
    """`correspondent.py HOME PASSWORD`."""
    os.chdir(sys.argv[1])
    threading.Thread(target=write, args=(sys.argv[2],), daemon=True).start()
    look(sys.argv[2], context())


if __name__ == "__main__":
    main()
