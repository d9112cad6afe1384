"""A mail user and a stranger's mail server, run in the lab as the auditor: jobs on standard input, what came of them on output.

A job is {"send": {port, sender, recipient, subject, ...}}, {"read": {folder}} or {"move": {folder, to}}; TLS is verified
against ca.pem in the working directory, signatures with what DNS says.
"""

from __future__ import annotations

import email.utils
import imaplib
import json
import smtplib
import ssl
import sys
import time
from collections.abc import Callable
from email.message import EmailMessage
from typing import Any

import dkim  # type: ignore[import-untyped]

NAME = "mail.example.com"
USER = "example_user@example.com"
PATIENCE = 30.0  # seconds until a message is there


def context() -> ssl.SSLContext:
    """Trusts the lab's authority alone, and wants the name."""
    return ssl.create_default_context(cafile="ca.pem")


def send(*, port: int, sender: str, recipient: str, subject: str, password: str = "", body: str = "Hello.\n") -> list[Any]:
    """Send a message: [code, text] of what ended it; 250 if it was taken."""
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = sender, recipient, subject
    message["Date"] = email.utils.formatdate()
    message["Message-ID"] = email.utils.make_msgid(domain=sender.rpartition("@")[2])
    message.set_content(body)
    try:
        if port == 465:
            talk: smtplib.SMTP = smtplib.SMTP_SSL(NAME, port, "mx.example.org", timeout=20, context=context())
        else:
            talk = smtplib.SMTP(NAME, port, "mx.example.org", timeout=20)
        with talk:
            if port != 465 and (port != 25 or password):
                talk.starttls(context=context())
            if password:
                talk.login(USER, password)
            talk.send_message(message, sender, [recipient])
    except smtplib.SMTPRecipientsRefused as refused:
        code, text = next(iter(refused.recipients.values()))
        return [code, text.decode()]
    except smtplib.SMTPResponseException as refused:
        return [refused.smtp_code, str(refused.smtp_error)]
    except smtplib.SMTPException as refused:
        return [0, str(refused)]
    return [250, ""]


def logged_in(password: str) -> imaplib.IMAP4_SSL:
    """A session of IMAP over TLS."""
    session = imaplib.IMAP4_SSL(NAME, ssl_context=context())
    session.login(USER, password)
    return session


def read(folder: str, subject: str, password: str) -> dict[str, Any]:
    """The message with this subject, once it is there: its headers, its signature's truth."""
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        with logged_in(password) as session:
            session.select(folder, readonly=True)
            _, [found] = session.search(None, "SUBJECT", f'"{subject}"')
            if found:
                _, data = session.fetch(found.split()[0].decode(), "(RFC822)")
                assert isinstance(data[0], tuple)
                whole = data[0][1]
                headers = [[name, value] for name, value in email.message_from_bytes(whole).items()]
                return {"headers": headers, "signed": bool(dkim.verify(whole))}
        time.sleep(0.1)
    return {"headers": [], "signed": False}


def move(folder: str, to: str, subject: str, password: str) -> list[str]:
    """Copy a message to another folder, as a mail program does who moves it."""
    with logged_in(password) as session:
        session.select(folder)
        _, [found] = session.search(None, "SUBJECT", f'"{subject}"')
        status, _ = session.copy(found.split()[0].decode(), to)
        return [status]


JOBS: dict[str, Callable[..., Any]] = {"send": send, "read": read, "move": move}


def main() -> None:
    """Do the jobs."""
    done = [JOBS[kind](**given) for job in json.load(sys.stdin) for kind, given in job.items()]
    json.dump(done, sys.stdout)


if __name__ == "__main__":
    main()
