"""smtpd's own checker asked about configurations of ours, and single faults made of a sound one by a seed."""

from __future__ import annotations

import random
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from daemons import Root

from mailaudit.parsers.smtpd_grammar import KEYWORDS, LEXICON
from mailaudit.parsers.tokens import tokenise
from mailaudit.text import Text

FIXTURES = Path(__file__).parent / "fixtures" / "configs" / "smtpd"
NAME = "/etc/mail/smtpd.conf"
BEYOND = ("failed to load", "pushfile", "fopen", "does not exist")  # what smtpd says of other files
NEWER = (  # what OpenSMTPD 6.8 does not read of the fixture, and what stands in its place for it
    ('{\n\t10.1.2.3, # the printer\n\t"2001:db8::9"\n\n\t192.0.2.0/24\n}', '{ 10.1.2.3, "2001:db8::9"\n\t192.0.2.0/24 }'),
    (" tag SOCKET no-dsn", " tag SOCKET"),
    (' pki "*" hostname', " hostname"),
    (' \\\n\tprotocols "TLSv1.3" ciphers "HIGH"', ""),
    (' ciphers "HIGH" protocols "TLSv1.2"', ""),
    ('match auth <writers> mail-from <writers> rcpt-to { "a@example.net" = b } for any action out\n', ""),
)


@dataclass(frozen=True, slots=True)
class Said:
    """What smtpd said: whether it takes the file, and the first line that it names in it, None where it names none."""

    ok: bool
    line: int | None
    errors: tuple[str, ...]

    @property
    def of_others(self) -> bool:
        """True if it is about other files than the configuration."""
        return any(word in error for error in self.errors for word in BEYOND)


def whole(version: str) -> str:
    """The fixture with every directive; of an older version with what that one reads."""
    text = (FIXTURES / NAME[1:]).read_text("utf-8")
    for new, old in NEWER if version == "6.8" else ():
        if new not in text:
            raise ValueError(new)
        text = text.replace(new, old)
    return text


def statements() -> list[str]:
    """Single statements, right and wrong, each to be put between two that are right."""
    return (FIXTURES / "statements.txt").read_text("utf-8").rstrip("\n").split("\n%\n")


def beside() -> dict[str, bytes]:
    """The other files of the fixture, by their paths on the host."""
    found = {f"/{path.relative_to(FIXTURES)}": path.read_bytes() for path in (FIXTURES / "etc").rglob("*") if path.is_file()}
    del found[NAME]
    return found


@dataclass(frozen=True, slots=True)
class Live:
    """One version of smtpd with a folder that holds the fixture's files, a certificate and a key."""

    root: Root
    version: str
    folder: Path

    def ask(self, text: str) -> Said:
        """What smtpd says of a configuration; its /etc is in the folder."""
        etc = self.root.inside(self.folder) + "/etc/"
        path = self.folder / NAME[1:]
        path.write_text(text.replace("/etc/", etc), "utf-8", "surrogateescape")
        done = self.root.run("smtpd", "-n", "-f", etc + "mail/smtpd.conf")
        errors = tuple(done.stderr.strip().split("\n"))
        lines = [error.split(":")[1] for error in errors if error.startswith(f"{etc}mail/smtpd.conf:")]
        line = next((int(each) for each in lines if each.isdigit()), None)
        if line is not None and line > text.count("\n") + 1:  # past the end, for an open brace there
            line = None
        return Said(done.returncode == 0, line, errors)


@contextmanager
def live(root: Root, tmp_path: Path) -> Iterator[Live]:
    """The smtpd of a root; what was put into the root is taken away again."""
    folder = root.room(tmp_path)
    try:
        for path, data in beside().items():
            target = folder / path[1:]
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(data.replace(b"/etc/", f"{root.inside(folder)}/etc/".encode()))
        (folder / "etc/ssl/private").mkdir(parents=True)
        key, certificate = folder / "etc/ssl/private/mail.example.com.key", folder / "etc/ssl/mail.example.com.pem"
        new = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "9", "-subj", "/CN=mail.example.com"]
        subprocess.run([*new, "-keyout", key, "-out", certificate], check=True, capture_output=True, timeout=60)
        key.chmod(0o600)
        version = root.run("smtpd", "-h").stderr.split("OpenSMTPD ")[1][:3]
        yield Live(root, version, folder)
    finally:
        if root.path is not None:
            shutil.rmtree(folder)


def mutants(text: str, seed: int, count: int) -> Iterator[str]:
    """Texts with one fault each: a token lost, doubled, replaced, a character put in or lost, a line lost or moved."""
    source = random.Random(seed)
    tokens = [token for token in tokenise(Text.of("/x", text), LEXICON) if token.kind != "newline"]
    for _ in range(count):
        yield _mutant(text, [(token.start, token.end) for token in tokens], source)


def _mutant(text: str, tokens: list[tuple[int, int]], source: random.Random) -> str:
    start, end = source.choice(tokens)
    other = text[slice(*source.choice(tokens))]
    at = source.randrange(start, end)
    lines = text.split("\n")
    one, two = source.randrange(len(lines)), source.randrange(len(lines))
    swapped = list(lines)
    swapped[one], swapped[two] = lines[two], lines[one]
    return source.choice(
        [
            text[:start] + text[end:],
            f"{text[:end]} {text[start:]}",
            text[:start] + other + text[end:],
            f"{text[:start]}{other} {text[start:]}",
            text[:start] + source.choice(sorted(KEYWORDS)) + text[end:],
            text[:at] + source.choice("\"'\\{}<>!=,#$\n\t 5-/éa\r;") + text[at:],
            text[:at] + text[at + 1 :],
            "\n".join(lines[:one] + lines[one + 1 :]),
            "\n".join(swapped),
        ]
    )
