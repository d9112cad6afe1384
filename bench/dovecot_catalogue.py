"""Make the catalogue of Dovecot's settings by asking an installed doveconf: names, types, members and defaults.

Names are all words in doveconf's programs that it does not call unknown. A type is told by how a wrong value is refused, an
enum's members by trying all lists of words that the programs hold. Run as root, with all of the family's packages installed;
2.4's is that of its first release here, to which the last one adds what it knows besides:

    python -m bench.dovecot_catalogue [--root FOLDER] [--before TABLE] > mailaudit/models/dovecot/catalogue/FAMILY.tsv
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

Row = tuple[str, str, str, str, str]
WORD = re.compile(rb"[a-z][a-z0-9_./-]{1,50}(?=\0)")
MEMBERS = re.compile(rb"(?<=\0)[A-Za-z0-9.+_-]*(?::[A-Za-z0-9.+_-]*)+(?=\0)")
UNKNOWN = re.compile("Unknown (?:setting|section)|Panic: file config-parser")
FILTERS = {"local", "local_name", "remote", "protocol", "group"}
UPSTREAM = {  # what Debian's packages change, as Dovecot itself has it; paths and accounts as in OpenBSD's package
    "base_dir": {"2.3": "/var/dovecot", "2.4": "/var/dovecot"},
    "default_internal_group": {"2.3": "_dovecot", "2.4": "_dovecot"},
    "default_internal_user": {"2.3": "_dovecot", "2.4": "_dovecot"},
    "default_login_user": {"2.3": "_dovenull", "2.4": "_dovenull"},
    "libexec_dir": {"2.3": "/usr/local/libexec/dovecot", "2.4": "/usr/local/libexec/dovecot"},
    "login_plugin_dir": {"2.3": "/usr/local/lib/dovecot/login", "2.4": "/usr/local/lib/dovecot/login"},
    "mail_plugin_dir": {"2.3": "/usr/local/lib/dovecot", "2.4": "/usr/local/lib/dovecot"},
    "state_dir": {"2.3": "/var/dovecot", "2.4": "/var/dovecot"},
    "protocols": {"2.3": "imap pop3 lmtp"},
    "mail_location": {"2.3": ""},
    "ssl_cert": {"2.3": ""},
    "ssl_key": {"2.3": ""},
    "ssl_dh": {"2.3": ""},
    "ssl_client_ca_dir": {"2.3": "", "2.4": ""},
    "mbox_write_locks": {"2.3": "dotlock fcntl"},
}


def head_for(version: str) -> str:
    """The first lines of a file that is written for a release of 2.4."""
    return f"dovecot_config_version = {version}\ndovecot_storage_version = {version}\n"


class Doveconf:
    """One installed doveconf, in this file system or in a root of its own."""

    def __init__(self, root: Path | None) -> None:
        self.enter = ["chroot", str(root)] if root else []
        self.base = root or Path("/")
        self.room = Path(tempfile.mkdtemp(dir=self.base / "tmp"))
        version = subprocess.run([*self.enter, "dovecot", "--version"], capture_output=True, text=True, check=True).stdout
        self.version = version.split()[0]
        self.family = ".".join(self.version.split(".")[:2])
        self.head = "" if self.family == "2.3" else head_for("2.4.0")

    def run(self, text: str, *flags: str) -> tuple[str, str, str]:
        """What doveconf prints for a configuration, its fatal error, and all it says beside."""
        with tempfile.NamedTemporaryFile("w", dir=self.room, suffix=".conf") as file:
            file.write(self.head + text)
            file.flush()
            name = "/" + str(Path(file.name).relative_to(self.base))
            command = [*self.enter, "doveconf", *flags, "-c", name]
            done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
        errors = [line.partition("Fatal: ")[2] for line in done.stderr.splitlines() if "Fatal: " in line]
        error = re.sub(r"^Error in configuration file \S+?(?: line \d+)?: ", "", errors[-1]) if errors else ""
        return done.stdout, error, done.stderr

    def error(self, text: str) -> str:
        """The fatal error alone."""
        return self.run(text, "-n")[1]

    def is_obsolete(self, text: str) -> bool:
        """True if it takes a setting with the warning that there is no such one any more."""
        return "Obsolete setting" in self.run(text, "-n")[2]

    def programs(self) -> Iterator[bytes]:
        """The bytes of doveconf and of the plugins that bring settings along."""
        yield (self.base / "usr/bin/doveconf").read_bytes()
        for path in sorted((self.base / "usr/lib/dovecot").rglob("*.so")):
            data = path.read_bytes()
            is_shared = path.name.startswith("libdovecot")  # 2.3 prints all that is in there, 2.4 leaves out the filters
            if b"_setting_parser_info" in data and not (is_shared and self.family == "2.3"):
                yield data

    def words(self) -> list[str]:
        """All words that may be names; one that ends another may be stored as its end only."""
        whole = {word.decode() for data in self.programs() for word in WORD.findall(data)}
        ends = {word[at.end() :] for word in whole for at in re.finditer(r"[_./-]", word)} | whole
        return sorted(word for word in ends if re.fullmatch("[a-z][a-z0-9_]+", word))

    def members(self) -> list[str]:
        """All lists of words that may be members of an enum, the longest first."""
        found = {each.decode() for data in self.programs() for each in MEMBERS.findall(data)}
        return sorted(found, key=lambda each: (-each.count(":"), each))


def defaults(printed: str) -> Iterator[tuple[tuple[str, ...], str, str]]:
    """The settings of a print, with the first lines of the sections that they stand in."""
    within: list[str] = []
    for line in printed.splitlines():
        text = line.strip()
        if text.startswith("#") or not text:
            continue
        if text.endswith("{"):
            within.append(text[:-1].strip())
        elif text == "}":
            within.pop()
        else:
            name, _, value = text.partition(" =")
            value = value.strip()
            if len(value) > 1 and value[0] == value[-1] == '"':
                value = re.sub(r"\\(.)", r"\1", value[1:-1])
            yield tuple(within), name.strip('"'), value


class Asking:
    """What is known of one family."""

    def __init__(self, doveconf: Doveconf) -> None:
        self.doveconf = doveconf
        self.lists = doveconf.members()
        self.pool = ThreadPoolExecutor(4)

    def inside(self, where: tuple[str, ...], text: str) -> str:
        """A text in sections of these types."""
        for type_ in reversed(where):
            name = "" if type_ in ("passdb", "userdb", "plugin") and self.doveconf.family == "2.3" else "zz"
            text = f"{type_} {name} {{\n{text}}}\n"
        return text

    def known(self, where: tuple[str, ...], words: Iterable[str]) -> list[str]:
        """Those words that are settings or sections there."""

        def ask(word: str) -> bool:
            said = self.doveconf.run(self.inside(where, f"{word} = !\n"), "-n")[2]
            return not UNKNOWN.search(said)

        chosen = list(words)
        return [word for word, found in zip(chosen, self.pool.map(ask, chosen), strict=True) if found]

    def type_of(self, where: tuple[str, ...], name: str, default: str) -> str:  # noqa: PLR0911  one line for each type
        """The type of a setting, told by how wrong values are refused."""
        refused = self.refusal(where, name, "!")
        if "Invalid boolean" in refused:
            return "bool"
        if "Invalid size" in refused:
            return "size"
        if "Invalid port" in refused:
            return "port"
        if "Invalid time" in refused:
            return "time" if "not supported" in self.refusal(where, name, "1 msecs") else "msecs"
        if "Invalid number" in refused:
            if "Invalid number: 0x" in self.refusal(where, name, "0x"):
                return "octal"
            return (
                "uintmax"
                if self.doveconf.family != "2.3" and "Invalid number" in self.refusal(where, name, "unlimited")
                else "uint"
            )
        if "Invalid value: " in refused:
            return f"enum:{self.members_of(where, name, default)}"
        return self.other(where, name, refused)

    def refusal(self, where: tuple[str, ...], name: str, value: str) -> str:
        return self.doveconf.error(self.inside(where, f"{name} = {value}\n"))

    def members_of(self, where: tuple[str, ...], name: str, default: str) -> str:
        """The longest list of words all of which are taken, the default among them."""
        for each in self.lists:
            members = each.split(":")
            if default in ("", members[0]) and not any("Invalid value" in self.refusal(where, name, m) for m in members):
                return each.replace(":", "|")
        return default

    def other(self, where: tuple[str, ...], name: str, refused: str) -> str:  # noqa: PLR0911  one line for each type
        """The type of what has a block, or of plain text."""
        if self.doveconf.family == "2.3":
            printed, error, _ = self.doveconf.run(self.inside(where, f"{name} {{\nzzz = !\n}}\n"), "-s")
            if not error and any(found == "zzz" for _, found, _ in defaults(printed)):
                return "strlist"
            opened = self.doveconf.run(self.inside(where, f"{name} zz {{\n}}\n"), "-s")[0]
            if not any(name in [line.split(" ")[0] for line in within] for within, *_ in defaults(opened)):
                return "str"
            twice = self.doveconf.error(self.inside(where, f"{name} zz {{\n}}\n{name} zz {{\n}}\n"))
            return "sections" if "already exists" in twice else "named"
        if "named filter" in refused:
            needed = re.search(r"required to have (\S+) setting", self.doveconf.error(f"{name} {{\n}}\n"))
            return f"filter:{needed[1]}" if needed else "filter"
        if "named list filter" in refused:
            needed = re.search(r"required to have (\S+) setting", self.doveconf.error(f"{name} zz {{\n}}\n"))
            return f"array:{needed[1]}" if needed else "array"
        if "string list" in refused:
            return "strlist"
        if "Invalid boolean" in self.refusal((), f"{name}/x", "!"):
            return "boollist"
        opened = self.doveconf.run(f"{name} = /zz/zz\n", "-n", "-x")[1]
        return "file" if "open(/zz/zz)" in opened else "str"

    def alias(self, where: tuple[str, ...], name: str, kind: str) -> str:
        """The name under which doveconf prints a setting that is not printed under its own."""
        value = {"port": "77", "size": "77 M", "uint": "77", "bool": "yes"}.get(kind, "zzvalue")
        printed = self.doveconf.run(self.inside(where, f"{name} = {value}\n"), "-s")[0]
        return next((other for within, other, found in defaults(printed) if found == value and _types(within) == where), "")

    def flags(self, name: str, kind: str, default: str) -> str:
        """`auth` for what may not stand in `local` or `remote`, `novars` for that in which 2.4 looks for no variables."""
        refused = self.doveconf.error(f"local 192.0.2.1 {{\n{name} = {default}\n}}\n")
        found = ["auth"] if "not supported inside local/remote" in refused else []
        is_text = kind == "str" and self.doveconf.family != "2.3"
        found += ["novars"] if is_text and "syntax error" not in self.doveconf.run(f"{name} = %{{x\n", "-n")[2] else []
        return ",".join(found)


def old_rows(asking: Asking) -> Iterator[Row]:
    """The settings of 2.3: those of no section, then those of each type of section."""
    doveconf, words = asking.doveconf, asking.doveconf.words()
    left: list[tuple[str, ...]] = [()]
    while left:
        where = left.pop(0)
        opened = doveconf.run(asking.inside(where, ""), "-s")[0]
        mine = [(name, value) for within, name, value in defaults(opened) if _types(within) == where and _is_ours(within)]
        values = dict(mine)
        for name in asking.known(where, dict.fromkeys((*values, *words))):
            if name in FILTERS and not where:
                continue
            value = upstream(doveconf, name, values.get(name, ""))
            if doveconf.is_obsolete(asking.inside(where, f"{name} = {value}\n")):
                yield "/".join(where), name, "obsolete", "", ""
                continue
            kind = asking.type_of(where, name, value)
            if kind in ("named", "sections"):
                left.append((*where, name))
            elif name not in values and kind != "strlist" and (other := asking.alias(where, name, kind)) not in ("", name):
                kind = f"alias:{other} {kind}"
            yield "/".join(where), name, kind, value, "" if where else asking.flags(name, kind, value)
    for within, name, value in defaults(doveconf.run("", "-d", "-s")[0]):
        if within and within[0].startswith("service "):
            yield " > ".join(within), name, "=", value, ""


def _types(within: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(each.split(" ")[0] for each in within)


def _is_ours(within: tuple[str, ...]) -> bool:
    return all(each.endswith(" zz") or " " not in each for each in within)


def new_rows(asking: Asking) -> Iterator[Row]:
    """The settings of 2.4, whose names are all global, then what its own filters set."""
    doveconf = asking.doveconf
    printed = list(defaults(doveconf.run("", "-d", "-s")[0]))
    values: dict[str, str] = {}
    for within, name, value in printed:
        for full in (name, "_".join((*within[-1:], name))):
            if not any(" " in each for each in within):
                values.setdefault(full, value)
    known: set[str] = set()
    for name in asking.known((), dict.fromkeys((*values, *doveconf.words()))):
        if name not in FILTERS:
            value = upstream(doveconf, name, values.get(name, ""))
            kind = asking.type_of((), name, value)
            known.add(name)
            yield "", name, kind, "" if kind.startswith(("filter", "array")) else value, asking.flags(name, kind, value)
    for within, name, value in printed:
        if any(" " in each for each in within) or (within and name not in known and "_".join((within[-1], name)) not in known):
            yield " > ".join(within), name, "=", value, ""


def changes(doveconf: Doveconf) -> dict[str, tuple[str, list[str]]]:
    """Global settings whose default depends on the release a file is written for: that of 2.4.0, then as flags `2.4.3=CRYPT`."""
    found: dict[str, tuple[str, list[str]]] = {}
    last: dict[str, str] = {}
    for patch in range(int(re.findall(r"\d+", doveconf.version)[2]) + 1):
        doveconf.head = head_for(f"2.4.{patch}")
        values = {name: value for within, name, value in defaults(doveconf.run("", "-a")[0]) if not within}
        for name, value in values.items():
            if last.get(name, value) != value and not name.startswith("dovecot_"):
                found.setdefault(name, (last[name], []))[1].append(f"2.4.{patch}={value}")
        last = values
    return found


def united(before: Iterable[Row], now: Iterable[Row], changed: dict[str, tuple[str, list[str]]]) -> Iterator[Row]:
    """What an earlier release knows, and what this one knows besides or not any more; presets of sections are the earlier's."""
    earlier = {row[:2]: row for row in before}
    later = {row[:2]: row for row in now if row[2] != "="}
    for key, row in (later | earlier).items():
        where, name, kind, first, flags = row
        if kind == "=":
            yield row
            continue
        newer = later.get(key)
        is_wider = newer is not None and newer[2].startswith("enum") and sorted(newer[2].split("|")) != sorted(kind.split("|"))
        default, since = changed.get(name, (first, []))
        came = ["gone"] if newer is None else ["later"] if key not in earlier else []
        yield where, name, newer[2] if newer and is_wider else kind, default, ",".join((*flags.split(), *came, *since))


def upstream(doveconf: Doveconf, name: str, value: str) -> str:
    """A default as Dovecot has it, where the installed package changes it."""
    return UPSTREAM.get(name, {}).get(doveconf.family, value)


def _row(line: str) -> Row:
    where, name, kind, default, flags = line.split("\t")
    return where, name, kind, default, flags


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", type=Path, help="a root that has the family's packages, entered by chroot")
    parser.add_argument("--before", type=Path, help="the table of an earlier release of the family, to add to")
    asked = parser.parse_args()
    doveconf = Doveconf(asked.root)
    rows = list((old_rows if doveconf.family == "2.3" else new_rows)(Asking(doveconf)))
    version = doveconf.version
    if asked.before:
        head, *lines = asked.before.read_text().splitlines()
        version = f"{head.split()[2].rstrip(':')} to {version}"
        rows = list(united((_row(line) for line in lines), rows, changes(doveconf)))
    print(f"# Dovecot {version}: section, name, type, default, flags; made by bench/dovecot_catalogue.py")
    for row in sorted(set(rows), key=lambda row: (row[2] == "=", row)):
        print("\t".join(row))
    doveconf.room.rmdir()
    return 0


if __name__ == "__main__":
    sys.exit(main())
