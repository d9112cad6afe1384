"""login.conf, rc.conf.local and the other files of the base system: beside readings of the same files by other means.

Nothing was recorded of these. The login classes are compared with a rendition of cgetent(3) that works on the text as the C
library does, character by character; the variables of rc.conf with what a shell makes of the file.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from itertools import islice
from pathlib import Path

from bench.agreement import Row
from mailaudit.models.login import LoginConf, read_login
from mailaudit.models.rc import Setting, read_rc
from mailaudit.models.sources import Known, Sources
from mailaudit.parsers import LANGUAGES
from mailaudit.parsers.tree import nothing
from mailaudit.questions import Absent, Answer, Found, ListFiles, Question, ReadFile
from mailaudit.snapshot import Snapshot
from mailaudit.text import Text

LOGIN = "/etc/login.conf"
FOLDER = "/etc/login.conf.d/"
RC = "/etc/rc.conf.local"
LANGUAGES_HERE = ("group", "hostname", "login", "master.passwd", "mygate", "myname", "passwd", "rc", "services")
RC_SHELL = r"""
tab=$(printf '\t')
while IFS=" $tab" read -r line; do
	case $line in
	[#=]*) continue ;;
	*=*) ;;
	*) continue ;;
	esac
	name=${line%%=*}
	while :; do
		case $name in
		*" " | *"$tab") name=${name%?} ;;
		*) break ;;
		esac
	done
	case $name in
	*[A-Z]*) name=$(printf %s "$name" | tr A-Z a-z) ;;
	esac
	case $name in
	*[!a-z0-9_]* | [0-9]* | "") continue ;;
	*_execdir | *_flags | *_logger | *_rtable | *_timeout | *_user) ;;
	accounting | amd_master | check_quotas | ipsec | library_aslr | multicast | nfs_server) ;;
	pexp | pf | pkg_scripts | shlib_dirs | spamd_black) ;;
	*) continue ;;
	esac
	value=${line#*=}
	while :; do
		case $value in
		" "* | "$tab"*) value=${value#?} ;;
		*) break ;;
		esac
	done
	value=${value%%#*}
	while :; do
		case $value in
		*" " | *"$tab") value=${value%?} ;;
		*) break ;;
		esac
	done
	case $value in
	\"*\" | \'*\') value=${value#?} value=${value%?} ;;
	esac
	printf '%s=%s\n' "$name" "$value"
done
"""


def sources(files: Mapping[str, bytes]) -> Sources:
    """A host with these files below /etc, and nothing else."""
    answers: dict[Question, Answer] = {ReadFile(path): Found(data) for path, data in files.items()}
    for pattern in (f"{FOLDER}*", "/etc/hostname.*"):
        answers[ListFiles(pattern)] = Found(tuple(sorted(path for path in files if fnmatchcase(path, pattern))))
    for path in (LOGIN, RC, "/etc/rc.conf", "/etc/passwd", "/etc/group", "/etc/master.passwd", "/etc/mygate", "/etc/myname"):
        answers.setdefault(ReadFile(path), Absent())
    return Sources(Snapshot("host", "target", answers, recorded=True))


def records_of(data: str) -> list[str]:
    """The records of a capability database, continuations joined; one that no newline ends is lost."""
    found: list[str] = []
    record: list[str] = []
    for char in data:
        if char != "\n":
            record.append(char)
        elif record and record[-1] == "\\":
            record.pop()
        else:
            found.append("".join(record))
            record = []
    return [record for record in found if record and not record.startswith("#")]


def lookup(files: list[list[str]], name: str, level: int = 0) -> tuple[str, int]:
    """A record with its tc= replaced, and how that went: 0, 1 (a tc= names nothing), -1 (no such record), -3 (a loop)."""
    if level > 32:
        return "", -3
    for number, records in enumerate(files):
        for record in records:
            if name in record.split(":", 1)[0].split("|"):
                return replaced(record, files[number:], level)
    return "", -1


def replaced(record: str, files: list[list[str]], level: int) -> tuple[str, int]:
    """A record with its tc= replaced."""
    at = record.find(":")
    head, fields = (record, []) if at < 0 else (record[:at], record[at + 1 :].split(":"))
    status = 0
    done: list[str] = []
    for number, one in enumerate(fields):
        if one.startswith(("tc@", "tc=@")):
            done += fields[number:]
            break
        if not one.startswith("tc="):
            done.append(one)
            continue
        inner, how = lookup(files, one[3:], level + 1)
        if how < -1:
            return "", how
        status = status or int(how != 0)
        done += [one] if how == -1 else inner.split(":")[1:]
    return ":".join([head, *done]), status


def capability(record: str, name: str, operator: str) -> str | None:
    """What stands behind the first capability of a name and operator; None if there is none or it is taken away before."""
    for one in record.split(":")[1:]:
        if one.startswith(name):
            rest = one[len(name) :]
            if rest.startswith("@"):
                return None
            if operator == ":" and not rest:
                return ""
            if operator != ":" and rest.startswith(operator):
                return None if rest[1:].startswith("@") else rest[1:]
    return None


def login_differences(files: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """For each class that is written anywhere: its name, and where our reading differs from cgetent's, else nothing."""
    slot = read_login(sources({path: data.encode("utf-8", "surrogateescape") for path, data in files.items()}))
    model = slot.value if isinstance(slot, Known) else LoginConf()
    read = {path: records_of(data) for path, data in files.items()}
    names = {name for records in read.values() for record in records for name in record.split(":", 1)[0].split("|")}
    for name in sorted(names):
        if re.fullmatch(r"[^\s/\0]+", name):
            there = [read[path] for path in (f"{FOLDER}{name}", LOGIN) if path in read]
            yield name, difference(*lookup(there, name), model, name)


def difference(record: str, status: int, model: LoginConf, name: str) -> str:
    """Where a class of ours differs from a record, or nothing."""
    ours = model.login_class(name)
    if status != 0 or ours is None:
        return "" if status != 0 and ours is None else f"cgetent(3) says {status}, we find {'nothing' if ours is None else 'it'}"
    for one in record.split(":")[1:]:
        cap = re.split(r"[=#@]", one, maxsplit=1)[0]
        for operator in "=#:" if re.fullmatch(r"[^\s\\]+", cap) else "":  # nobody looks for others
            found = ours.capability(cap, "" if operator == ":" else operator)
            value = None if found is None else "" if found.value is None else found.value.value
            theirs = capability(record, cap, operator)
            if cap != "tc" and value != theirs:
                return f"{cap}{operator}: cgetent(3) says {theirs!r}, we {value!r}"
    return ""


def rc_by_shell(data: bytes) -> list[tuple[str, str]]:
    """The assignments of a file of rc.conf's kind, as a shell reads them."""
    done = subprocess.run(["/bin/sh", "-c", RC_SHELL], input=data, capture_output=True, check=True)
    lines = done.stdout.decode("utf-8", "surrogateescape").split("\n")[:-1]
    return [(name, value) for name, _, value in (line.partition("=") for line in lines)]


def rc_by_us(data: bytes) -> list[tuple[str, str]]:
    """The same as the model has them."""
    slot = read_rc(sources({RC: data}))
    settings: tuple[Setting, ...] = slot.value.settings if isinstance(slot, Known) else ()
    return [(setting.name.value, setting.value.value) for setting in settings]


def rows(corpora: Path, limit: int | None = None) -> Iterator[Row]:
    """A row for each comparison; `limit` is the number of files of each."""
    yield _login(corpora, limit)
    yield _rc(corpora, limit)
    yield _read(corpora, limit)


def _login(corpora: Path, limit: int | None) -> Row:
    agree, wrong = 0, []
    hosts: list[tuple[str, dict[str, str]]] = []
    for path in sorted(corpora.glob("tables/login_conf/*")):
        folder = path.name.partition("login.conf.d_")[2].partition("@")[0]
        hosts.append((path.name, {f"{FOLDER}{folder}" if folder else LOGIN: _chars(path)}))
    for etc in sorted(corpora.glob("hosts/*/etc")):
        files = {f"/etc/{path.relative_to(etc)}": _chars(path) for path in (*etc.glob("login.conf"), *etc.glob("login.conf.d/*"))}
        hosts.append((etc.parent.name, files))
    of = 0
    for name, files in islice(hosts, limit):
        for login_class, differs in login_differences(files):
            of += 1
            agree += not differs
            wrong += [f"{name}: {login_class}: {differs}"] if differs else []
    return Row("login.conf: classes as cgetent(3) finds them", agree, of, wrong=tuple(wrong))


def _rc(corpora: Path, limit: int | None) -> Row:
    paths = [*sorted(corpora.glob("tables/rc_conf_local/*")), *sorted(corpora.glob("hosts/*/etc/rc.conf*"))]
    chosen = list(islice(paths, limit))
    wrong = [path.name for path in chosen if rc_by_us(path.read_bytes()) != rc_by_shell(path.read_bytes())]
    return Row("rc.conf.local: variables as a shell reads them", len(chosen) - len(wrong), len(chosen), wrong=tuple(wrong))


def _read(corpora: Path, limit: int | None) -> Row:
    """Files of the base system without a statement that we leave unread and their reader does not."""
    found = [("login", path) for path in sorted(corpora.glob("tables/login_conf/*"))]
    found += [("rc", path) for path in sorted(corpora.glob("tables/rc_conf_local/*"))]
    for name in LANGUAGES_HERE:
        for pattern in LANGUAGES[name].paths:
            found += [(name, path) for path in sorted(corpora.glob(f"hosts/*{pattern}")) if path.is_file()]
    chosen = list(islice(found, limit))
    wrong = []
    for name, path in chosen:
        tree = LANGUAGES[name].parse(Text(f"/etc/{path.name}", path.read_bytes()), nothing)
        problems = [statement.problem for statement in tree.unread() if statement.problem is not None]
        wrong += [f"{path}: {problem.message}" for problem in problems if not problem.refused]
    return Row("files of the base system read whole", len(chosen) - len(wrong), len(chosen), wrong=tuple(wrong))


def _chars(path: Path) -> str:
    return path.read_bytes().decode("utf-8", "surrogateescape")
