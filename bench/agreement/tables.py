"""smtpd's tables: real files as OpenSMTPD 6.8, 7.6 and 7.9 take them, asked live, for no answers are recorded."""

from __future__ import annotations

import random
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from bench.agreement import Row
from mailaudit.models.virtuals import target_of
from mailaudit.parsers import LANGUAGES
from mailaudit.parsers.tree import Tree, nothing
from mailaudit.text import Text

LAB = Path(__file__).resolve().parents[2] / ".lab"
TABLE_HELPER = "/usr/libexec/opensmtpd/table-passwd"
FOLDERS = ("aliases", "virtuals", "domains", "maps")
TRAILING = "before 7.5 makemap takes a # in a line for a comment, and keeps blanks at its end"


@dataclass(frozen=True, slots=True)
class Daemons:
    """A root with smtpd and its tools; `path` is None for this machine's own."""

    version: str
    path: Path | None

    def run(self, *command: str, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
        """Run one of its programs."""
        enter = [] if self.path is None else ["chroot", str(self.path)]
        return subprocess.run([*enter, *command], input=stdin, capture_output=True, timeout=30, check=False)

    def room(self) -> tempfile.TemporaryDirectory[str]:
        """A fresh folder in its /tmp."""
        return tempfile.TemporaryDirectory(dir=None if self.path is None else self.path / "tmp")

    def inside(self, path: Path) -> str:
        """The name of a path of ours for its programs."""
        return str(path) if self.path is None else f"/{path.relative_to(self.path)}"


def daemons() -> list[Daemons]:
    """What is installed: Debian 12's 6.8, and 7.6 and 7.9 in roots of their own."""
    here = [Daemons("6.8", None)] if shutil.which("smtpd", path="/usr/sbin:/usr/bin") else []
    newer = [Daemons(version, LAB / suite) for version, suite in (("7.6", "trixie"), ("7.9", "sid"))]
    return [*here, *(each for each in newer if each.path is not None and (each.path / "usr/sbin/smtpd").exists())]


def parse(language: str, data: bytes) -> Tree:
    """The tree of a table's file."""
    return LANGUAGES[language].parse(Text("/etc/mail/table", data), nothing)


def kind_of(smtpd: Daemons, data: bytes) -> str:
    """What smtpd makes of a file: refused, a list, or a hash."""
    with smtpd.room() as folder:
        table, conf = Path(folder) / "table", Path(folder) / "smtpd.conf"
        table.write_bytes(data)
        taken = []
        for use in ("", "match for domain <t> action l\n"):
            conf.write_text(f"table t file:{smtpd.inside(table)}\naction l mbox\n{use}match for local action l\n")
            taken.append(smtpd.run("smtpd", "-n", "-f", smtpd.inside(conf)).returncode == 0)
    return "refused" if not taken[0] else "list" if taken[1] else "hash"


def our_kind(data: bytes) -> str:
    """What mailaudit makes of it."""
    tree = parse("table", data)
    if any(statement.problem is not None and statement.problem.refused for statement in tree.statements):
        return "refused"
    return "list" if any(statement.kind == "key" for statement in tree.statements) else "hash"


def entries(smtpd: Daemons, data: bytes) -> dict[str, str] | None:
    """The keys and targets of a map as makemap writes them, or None if it refuses it."""
    with smtpd.room() as folder:
        table, made = Path(folder) / "table", Path(folder) / "table.db"
        table.write_bytes(data)
        if smtpd.run("makemap", "-t", "aliases", "-o", smtpd.inside(made), smtpd.inside(table)).returncode:
            return None
        lines = smtpd.run("makemap", "-U", smtpd.inside(made)).stdout.decode("utf-8", "surrogateescape").split("\n")
    pairs = [line.partition("\t") for line in lines if line]
    return {key: value.replace('"', "") for key, _, value in pairs}


def our_entries(data: bytes) -> dict[str, str] | None:
    """The same by mailaudit: None where a line or a target is one that smtpd can make nothing of."""
    tree = parse("table", data)
    found: dict[str, str] = {}
    for statement in tree.statements:
        targets = statement.node.node("targets") if statement.template is not None else None
        if targets is None or any(target_of(token).kind == "invalid" for token in targets.leaves()):
            return None
        found[statement.node.first.value.lower()] = ",".join(token.value for token in targets.leaves())
    return found


def logins(smtpd: Daemons, data: bytes, names: list[str]) -> list[str] | None:
    """What table-passwd 1.0 answers for names: found, not-found, error; None if it gives up on the file."""
    with smtpd.room() as folder:
        table = Path(folder) / "table"
        table.write_bytes(data)
        asked = [f"table|0.1|1.1|c|lookup|credentials|{number}|{name}" for number, name in enumerate(names)]
        said = ["config|smtpd-version|7.6", "config|protocol|0.1", "config|tablename|c", "config|ready", *asked, ""]
        done = smtpd.run(TABLE_HELPER, smtpd.inside(table), stdin="\n".join(said).encode("utf-8", "surrogateescape"))
    if done.returncode:
        return None
    answers = done.stdout.decode("utf-8", "surrogateescape").split("\n")
    return [answer.split("|")[2] for answer in answers if answer.startswith("lookup-result")]


def our_logins(data: bytes) -> list[str] | None:
    """The names of the entries, or None if a line keeps table-passwd from running."""
    tree = parse("credentials", data)
    if any(statement.problem is not None for statement in tree.statements):
        return None
    return [statement.node.leaves()[0].value for statement in tree.statements]


def real_files(corpora: Path, limit: int | None, *folders: str) -> list[Path]:
    """The files of folders; a sample of them that is always the same."""
    found = [path for folder in folders for path in sorted((corpora / "tables" / folder).iterdir())]
    return found if limit is None else random.Random(64).sample(found, min(limit, len(found)))


def rows(corpora: Path, limit: int | None = None) -> Iterator[Row]:
    """What each installed version says of kinds and of entries, and table-passwd of credentials."""
    known = daemons()
    if not known:
        yield Row("tables", 0, 0, ("OpenSMTPD is not installed here",))
    for smtpd in known:
        files = real_files(corpora, limit, *FOLDERS)
        wrong = [f"{path.name}: smtpd says {kind_of(smtpd, path.read_bytes())}" for path in files if _differs(smtpd, path)]
        yield Row(f"tables, kinds, OpenSMTPD {smtpd.version}", len(files) - len(wrong), len(files), (), tuple(wrong))
        if smtpd.version != "7.9":  # Debian builds it without db, so that its makemap makes nothing
            yield _maps(smtpd, real_files(corpora, limit, "aliases", "virtuals"))
        if smtpd.version != "6.8":  # the protocol is another one there
            yield _credentials(smtpd, real_files(corpora, limit, "credentials"))


def _differs(smtpd: Daemons, path: Path) -> bool:
    return kind_of(smtpd, path.read_bytes()) != our_kind(path.read_bytes())


def _maps(smtpd: Daemons, files: list[Path]) -> Row:
    explained, wrong = [], []
    for path in files:
        data = path.read_bytes()
        theirs, ours = entries(smtpd, data), our_entries(data)
        if theirs != ours and smtpd.version == "6.8" and _stripped(theirs) == _without_ends(data):
            explained.append(f"{path.name}: {TRAILING}")
        elif theirs != ours:
            wrong.append(
                f"{path.name}: makemap {theirs and sorted(theirs.items())[:2]}, mailaudit {ours and sorted(ours.items())[:2]}"
            )
    subject = f"aliases and virtuals, entries, OpenSMTPD {smtpd.version}"
    return Row(subject, len(files) - len(wrong) - len(explained), len(files), tuple(explained), tuple(wrong))


def _stripped(found: dict[str, str] | None) -> dict[str, str] | None:
    return None if found is None else {key: value.rstrip(" \t") for key, value in found.items()}


def _without_ends(data: bytes) -> dict[str, str] | None:
    """Our entries of a map whose lines lose what an older makemap drops."""
    cut = b"\n".join(line.split(b"#")[0] for line in data.split(b"\n"))
    return our_entries(cut)


def _credentials(smtpd: Daemons, files: list[Path]) -> Row:
    wrong = []
    for path in files:
        names = our_logins(path.read_bytes())
        answers = logins(smtpd, path.read_bytes(), names or ["nobody"])
        if (names is None) != (answers is None) or (names and answers != ["found"] * len(names)):
            wrong.append(f"{path.name}: table-passwd says {answers}, mailaudit reads {names}")
    return Row("credentials, table-passwd 1.0", len(files) - len(wrong), len(files), (), tuple(wrong))
