"""A Dovecot on a configuration of a test's own that serves IMAP and LMTP on the loopback, and what a user sees of it."""

from __future__ import annotations

import imaplib
import shutil
import smtplib
import socket
import ssl
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from daemons import Root

AROUND = """
base_dir = ROOM/run
state_dir = ROOM/run
log_path = ROOM/log
default_login_user = nobody
default_internal_user = nobody
default_internal_group = nogroup
first_valid_uid = 1
listen = 127.0.0.1
service stats {
  unix_listener stats-writer {
    mode = 0666
  }
}
service imap-login {
  chroot =
  inet_listener imap {
    port = IMAP
  }
}
service lmtp {
  inet_listener lmtp {
    port = LMTP
  }
}
"""
"""What a Dovecot needs to run beside others, in words that 2.3 and 2.4 share."""


class Serving:
    """A Dovecot that serves."""

    def __init__(self, room: Path, imap: int, lmtp: int) -> None:
        self.room, self._imap, self._lmtp = room, imap, lmtp

    def deliver(self, recipient: str, subject: str, *headers: str) -> tuple[int, bytes]:
        """Hand a message over by LMTP; the answer to it."""
        lines = ["From: sender@example.net", f"To: {recipient}", f"Subject: {subject}", *headers, "", "text"]
        with smtplib.LMTP("127.0.0.1", self._lmtp) as lmtp:
            try:
                lmtp.sendmail("sender@example.net", [recipient], "\r\n".join(lines))
            except smtplib.SMTPRecipientsRefused as error:
                return error.recipients[recipient]
            except smtplib.SMTPDataError as error:
                return error.smtp_code, error.smtp_error if isinstance(error.smtp_error, bytes) else error.smtp_error.encode()
        return 250, b""

    @contextmanager
    def login(self, user: str, password: str, *, tls: bool = False) -> Iterator[imaplib.IMAP4]:
        """A user's session."""
        session = _secured("127.0.0.1", self._imap) if tls else imaplib.IMAP4("127.0.0.1", self._imap, timeout=10)
        try:
            session.login(user, password)
            yield session
        finally:
            session.logout()

    @property
    def log(self) -> str:
        """What it wrote to its log."""
        return (self.room / "log").read_text(errors="replace")


def _secured(host: str, port: int) -> imaplib.IMAP4:
    """A session with TLS from the start; the certificate is one of a test's own."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return imaplib.IMAP4_SSL(host, port, ssl_context=context, timeout=10)


def ports(count: int) -> list[int]:
    """Ports of the loopback that are free."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    found = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return found


@contextmanager
def room_in(root: Root) -> Iterator[Path]:
    """A folder that a root's programs can see, gone at the end."""
    room = Path(tempfile.mkdtemp(prefix="ds", dir=Path(root.path or "/") / "tmp"))
    try:
        room.chmod(0o755)
        (room / "run").mkdir()
        (room / "mail").mkdir()
        (room / "mail").chmod(0o777)
        yield room
    finally:
        shutil.rmtree(room)


@contextmanager
def serving(root: Root, room: Path, files: Mapping[str, bytes], imap: int, lmtp: int) -> Iterator[Serving]:
    """Run Dovecot on `dovecot.conf` of these files, which are written to a room."""
    for name, data in files.items():
        (room / name).parent.mkdir(parents=True, exist_ok=True)
        (room / name).write_bytes(data)
        (room / name).chmod(0o755 if data.startswith(b"#!") else 0o644)
    enter = [] if root.path is None else ["chroot", str(root.path)]
    command = [*enter, "dovecot", "-F", "-c", f"{root.inside(room)}/dovecot.conf"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    try:
        for port in (imap, lmtp):
            _wait(process, port)
        yield Serving(room, imap, lmtp)
    finally:
        if process.poll() is None:
            process.terminate()
        process.communicate(timeout=20)


def _wait(process: subprocess.Popen[str], port: int) -> None:
    until = time.monotonic() + 10
    while True:
        if process.poll() is not None:
            assert process.stderr is not None
            raise RuntimeError(f"dovecot did not start: {process.stderr.read()}")
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            if time.monotonic() > until:
                raise TimeoutError(f"nothing listens on {port} yet") from None
            time.sleep(0.05)
        else:
            return
