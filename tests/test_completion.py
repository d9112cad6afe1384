"""Shells complete commands, options and what these take: asked in real shells, pressing TAB where a terminal can be had."""

from __future__ import annotations

import os
import pty
import re
import select
import shlex
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from command_line import Run
from daemons import HERE, need

from mailaudit import rulebook
from mailaudit.choices import Format, Shell
from mailaudit.cli import app
from mailaudit.cli.tree import tree
from mailaudit.commands.completion import script

SCRIPTS = {shell: script(tree(app), shell) for shell in Shell}
SLOW = 0.15  # seconds after which somebody who pressed TAB notices
daemon = pytest.mark.daemon


@pytest.mark.parametrize("shell", Shell)
def test_a_script_has_every_command_option_choice_and_rule(shell: Shell) -> None:
    words = set(SCRIPTS[shell].replace("'", " ").replace("=[", " ").replace("[", " ").replace(")", " ").replace("(", " ").split())
    book = rulebook.load()
    for verb in tree(app).all():
        names = {name for option in verb.options for name in option.names}
        wanted = {name.lstrip("-") for name in names} if shell is Shell.FISH else names
        assert {each.lstrip("*+") for each in words if each.lstrip("*+")} | {each.rstrip("+") for each in words} >= wanted, (
            verb.path
        )
        assert not verb.path or f"{verb.name}" in SCRIPTS[shell]
    rules = book.pages if shell is Shell.KSH else book.called
    assert all(each in words or f"{each}:" in words for each in (*Format, *rules))


def test_nothing_of_ours_is_started_by_a_key() -> None:
    for text in SCRIPTS.values():
        assert "$(mailaudit" not in text
        assert "python" not in text.lower()


# Where it is written


@pytest.mark.parametrize(
    ("shell", "place", "rest"),
    [
        ("bash", ".local/share/bash-completion/completions/mailaudit", ". {place}"),
        ("zsh", ".zfunc/_mailaudit", "fpath=({folder} $fpath)"),
        ("fish", ".config/fish/completions/mailaudit.fish", "by itself"),
        ("ksh", ".config/mailaudit/completion.ksh", ". {place}"),
    ],
)
def test_it_is_written_where_the_shell_looks(
    shell: str, place: str, rest: str, *, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable in ("XDG_DATA_HOME", "XDG_CONFIG_HOME", "BASH_COMPLETION_USER_DIR", "ZDOTDIR"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    where = tmp_path / place
    code, out, err = run("completion", shell, "--install")
    assert (code, err) == (0, "")
    assert out.startswith(f"{where} is written.\n")
    assert rest.format(place=where, folder=where.parent) in out
    assert where.read_text() == SCRIPTS[Shell(shell)]
    assert [each for each in tmp_path.rglob("*") if each.is_file()] == [where]
    assert run("completion", shell, "--install")[1].startswith(f"{where} is up to date.\n")
    where.write_text(f"# made by `mailaudit completion {shell}`, an older one\n")
    assert run("completion", shell, "--install")[1].startswith(f"{where} is brought up to date.\n")
    assert where.read_text() == SCRIPTS[Shell(shell)]


def test_what_somebody_else_wrote_stays(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    where = tmp_path / "fish/completions/mailaudit.fish"
    where.parent.mkdir(parents=True)
    where.write_text("complete -c mailaudit\n")
    code, out, err = run("completion", "fish", "--install")
    assert (code, out) == (2, "")
    assert f"{where} was not made by mailaudit; it is left as it is" in err
    assert where.read_text() == "complete -c mailaudit\n"
    where.unlink()
    where.symlink_to("/nowhere")
    assert run("completion", "fish", "--install")[0] == 2
    assert where.is_symlink()
    where.unlink()
    where.parent.rmdir()
    where.parent.write_text("")
    code, _, err = run("completion", "fish", "--install")
    assert code == 2
    assert f"--install: {where}" in err


def test_a_folder_that_is_not_absolute_is_none(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_HOME", "elsewhere")
    assert run("completion", "ksh", "--install")[1].startswith(str(tmp_path / ".config/mailaudit/completion.ksh"))


def test_a_shell_that_is_none_is_refused(run: Run) -> None:
    code, out, err = run("completion", "tcsh")
    assert (code, out) == (2, "")
    assert "'tcsh' is not one of" in err


# In the shells themselves


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "hosts").mkdir()
    (tmp_path / "host7.tar").touch()
    (tmp_path / "Saved one.json").touch()
    return tmp_path


def asked(shell: str, code: str, folder: Path) -> list[str]:
    command = {"fish": ["fish", "--no-config"], "bash": ["bash", "--norc", "--noprofile"], "mksh": ["mksh"]}[shell]
    done = subprocess.run(
        [*command, "-c", code], cwd=folder, env=quiet(folder), capture_output=True, text=True, check=True, timeout=30
    )
    assert done.stderr == ""
    return done.stdout.splitlines()


def quiet(folder: Path) -> dict[str, str]:
    return {"HOME": str(folder), "PATH": os.environ["PATH"], "TERM": "dumb", "LC_ALL": "C.UTF-8", "PS1": "ready> "}


def in_bash(folder: Path, line: str) -> list[str]:
    place = folder / "script"
    place.write_text(SCRIPTS[Shell.BASH])
    words = [word for each in line.split(" ") for word in split_at_breaks(each)]
    array = " ".join(map(shlex.quote, words))
    code = f'. {place}; COMP_WORDS=({array}); COMP_CWORD={len(words) - 1}; _mailaudit; printf "%s\\n" "${{COMPREPLY[@]}}"'
    found = [each for each in asked("bash", code, folder) if each]
    place.unlink()
    return found


def split_at_breaks(word: str) -> list[str]:
    """A word as bash gives it to a function: = and : stand by themselves."""
    parts = [each for each in word.replace("=", "\0=\0").replace(":", "\0:\0").split("\0") if each]
    return parts or [""]


def in_fish(folder: Path, line: str) -> list[str]:
    place = folder / "script"
    place.write_text(SCRIPTS[Shell.FISH])
    found = asked("fish", f"source {place}; complete -C {shlex.quote(line)}", folder)
    place.unlink()
    return [each.split("\t")[0] for each in found]


SHELLS = {"bash": in_bash, "fish": in_fish}
CASES: list[tuple[str, set[str], set[str]]] = [  # what is typed, what must be offered, what must not
    ("mailaudit ", {"scan", "fix", "pf", "policy", "completion"}, {"reachable", "json", "host7.tar", "explain"}),
    ("mailaudit s", {"scan", "snapshot"}, {"fix"}),
    ("mailaudit --v", {"--version"}, {"--verbose"}),
    ("mailaudit pf ", {"reachable", "test", "shadowed", "diff"}, {"scan", "new"}),
    ("mailaudit policy n", {"new"}, set()),
    ("mailaudit scan --fo", {"--format"}, {"--force-partial"}),
    ("mailaudit fix --fo", {"--format", "--force-partial"}, set()),
    ("mailaudit scan --format j", {"json", "jsonl", "junit"}, {"sarif", "hosts"}),
    ("mailaudit pf diff --format ", {"json", "terminal"}, {"jsonl", "sarif", "hosts"}),
    ("mailaudit scan --profile ", {"guide", "recommended", "strict"}, {"host7.tar"}),
    ("mailaudit scan --fail-on m", {"medium"}, {"low"}),
    ("mailaudit scan --select PF02", {"PF020"}, {"SMTPD001"}),
    ("mailaudit scan --select PF020 --ignore default-d", {"default-deny"}, set()),
    ("mailaudit rules DNS01", {"DNS011", "DNS012"}, {"PF020"}),
    ("mailaudit rules default-d", {"default-deny"}, set()),
    ("mailaudit scan ho", {"host7.tar"}, {"Saved"}),
    ("mailaudit scan --format json ho", {"host7.tar"}, {"json"}),
    ("mailaudit scan host7.tar --o", {"--output", "--online", "--offline"}, {"host7.tar"}),
    ("mailaudit fix --to ", {"dovecot-2.4"}, {"host7.tar"}),
    ("mailaudit trace . in", {"inbound"}, {"imap"}),
    ("mailaudit trace --port 25 . su", {"submission"}, set()),
    ("mailaudit parse --language smt", {"smtpd"}, {"pf"}),
    ("mailaudit pf test --expect p", {"pass", "partly"}, {"block"}),
    ("mailaudit completion ", {"ksh", "bash", "zsh", "fish"}, {"host7.tar"}),
    ("mailaudit completion bash --i", {"--install"}, set()),
    ("mailaudit init example.org --dovecot ", {"2.3", "2.4"}, set()),
    ("mailaudit scan --output s", {"sarif:"}, {"json:"}),
]


@daemon
@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize(("line", "offered", "others"), CASES, ids=[each[0] for each in CASES])
def test_a_shell_offers_what_may_stand_there(shell: str, line: str, offered: set[str], others: set[str], folder: Path) -> None:
    need(HERE, shell)
    found = {each.removesuffix("/") for each in SHELLS[shell](folder, line)}
    assert found >= offered
    assert not found & others


@daemon
@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("mailaudit scan --format=js", {"json", "jsonl"}),
        ("mailaudit scan --output json:ho", {"hosts", "host7.tar"}),
        ("mailaudit scan --config Sav", {"Saved one.json"}),
        ("mailaudit scan --save ho", {"hosts"}),
    ],
)
def test_bash_knows_its_own_breaks_of_words(line: str, offered: set[str], folder: Path) -> None:
    need(HERE, "bash")
    assert set(in_bash(folder, line)) == offered


@daemon
def test_fish_completes_the_path_behind_a_format(folder: Path) -> None:
    need(HERE, "fish")
    assert set(in_fish(folder, "mailaudit scan --output json:ho")) == {"json:hosts/", "json:host7.tar"}
    assert "--format=json" in in_fish(folder, "mailaudit scan --format=js")


def in_ksh(line: str) -> list[str]:
    """What OpenBSD's ksh offers, by its manual: the array of the argument's number, else that of all; those that begin so."""
    *before, begun = line.split(" ")
    arrays = {
        name: shlex.split(words.replace("\\\n", " "))
        for name, words in re.findall(r"^set -A (\w+) -- ((?:.*\\\n)*.*\n)", SCRIPTS[Shell.KSH], re.MULTILINE)
    }
    words = arrays.get(f"complete_mailaudit_{len(before)}", arrays["complete_mailaudit"])
    return [each for each in words if each.startswith(begun)]


@pytest.mark.parametrize(("line", "offered"), [(line, offered) for line, offered, _ in CASES], ids=[each[0] for each in CASES])
def test_ksh_has_the_words_and_leaves_paths_to_itself(line: str, offered: set[str]) -> None:
    found = in_ksh(line)
    assert set(found) >= offered - {"host7.tar", "default-deny", "smtpd"}
    assert "host7.tar" not in offered or not found  # no word begins so: ksh goes on with files


@daemon
def test_ksh_reads_its_words(folder: Path) -> None:
    """Asked of mksh, the kin of OpenBSD's ksh that Debian has: it reads the same arrays, and completes nothing by them."""
    need(HERE, "mksh")
    place = folder / "script"
    place.write_text(SCRIPTS[Shell.KSH])
    first, second, any_other = (
        asked("mksh", f'. {place}; printf "%s\\n" "${{complete_mailaudit{which}[@]}}"', folder) for which in ("_1", "_2", "")
    )
    program = tree(app)
    assert set(first) == {each.name for each in program.below} | {"--version", "-h", "--help"}
    assert {"reachable", "new", "PF020", "bash", "--format"} <= set(second)
    assert {"json", "strict", "critical", "PF020", "--format", "json:"} <= set(any_other)
    assert not {"scan", "reachable", "default-deny"} & set(any_other)
    assert all(len(each) == len(set(each)) for each in (first, second, any_other))


@daemon
@pytest.mark.parametrize("shell", SHELLS)
def test_a_key_is_answered_at_once(shell: str, folder: Path) -> None:
    need(HERE, shell)
    place = folder / "script"
    place.write_text(SCRIPTS[Shell(shell)])
    one = {
        "bash": "COMP_WORDS=(mailaudit scan --profile strict --select PF); COMP_CWORD=5; _mailaudit",
        "fish": "complete -C 'mailaudit scan --profile strict --select PF' >/dev/null",
    }[shell]

    def took(code: str) -> float:
        started = time.perf_counter()
        asked(shell, code, folder)
        return time.perf_counter() - started

    base = min(took(f". {place}; {one}") for _ in range(3))
    more = min(took(f". {place}; " + f"{one}; " * 11) for _ in range(3))
    assert (more - base) / 10 < SLOW


# With a key, on a terminal


class Terminal:
    """A shell on a terminal of its own, in which somebody types."""

    def __init__(self, command: list[str], folder: Path) -> None:
        self.end, other = pty.openpty()
        self.shell = subprocess.Popen(
            ["setsid", "--ctty", *command], cwd=folder, env=quiet(folder), stdin=other, stdout=other, stderr=other
        )
        os.close(other)
        self.seen = ""

    def type(self, text: str) -> None:
        os.write(self.end, text.encode())

    def wait(self, wanted: str, seconds: float = 20) -> str:
        """What was shown up to a text that must come."""
        end = time.monotonic() + seconds
        while wanted not in self.seen:
            assert time.monotonic() < end, f"no {wanted!r} in {self.seen!r}"
            if select.select([self.end], [], [], 0.2)[0]:
                self.seen += os.read(self.end, 65536).decode(errors="replace")
        shown, _, self.seen = self.seen.partition(wanted)
        return shown

    def close(self) -> None:
        self.shell.kill()
        self.shell.wait()
        os.close(self.end)


@contextmanager
def terminal(command: list[str], folder: Path) -> Iterator[Terminal]:
    made = Terminal(command, folder)
    try:
        yield made
    finally:
        made.close()


SHOW = "mailaudit() { printf '<%s>' \"$@\"; echo '!'; }"


def start_bash(folder: Path) -> list[str]:
    (folder / "rc").write_text(f"{SCRIPTS[Shell.BASH]}\n{SHOW}\nPS1='ready> '\nbind 'set enable-bracketed-paste off'\n")
    return ["bash", "--noprofile", "--rcfile", str(folder / "rc"), "-i"]


def start_zsh(folder: Path) -> list[str]:
    (folder / ".zfunc").mkdir()
    (folder / ".zfunc/_mailaudit").write_text(SCRIPTS[Shell.ZSH])
    lines = (
        f"fpath=({folder}/.zfunc $fpath)",
        "autoload -Uz compinit; compinit -u -D",
        SHOW,
        "PS1='ready> '",
        "unsetopt zle_bracketed_paste",
    )
    (folder / ".zshrc").write_text("\n".join(lines) + "\n")
    return ["zsh", "-o", "noglobalrcs", "-i"]


STARTS: dict[str, Callable[[Path], list[str]]] = {"bash": start_bash, "zsh": start_zsh}
KEYS = [  # what is typed before TAB, and what the command gets
    ("mailaudit sca\t", "<scan>"),
    ("mailaudit pf rea\t", "<pf><reachable>"),
    ("mailaudit scan --format sar\t", "<scan><--format><sarif>"),
    ("mailaudit scan --format=sar\t", "<scan><--format=sarif>"),
    ("mailaudit scan --profile str\t host7\t", "<scan><--profile><strict><host7.tar>"),
    ("mailaudit rules default-d\t", "<rules><default-deny>"),
    ("mailaudit trace --port 25 . inb\t", "<trace><--port><25><.><inbound>"),
    ("mailaudit scan --output sar\thost7\t", "<scan><--output><sarif:host7.tar>"),
    ("mailaudit scan --config Sav\t", "<scan><--config><Saved one.json>"),
    ("mailaudit policy new --from hosts\t", "<policy><new><--from><hosts>"),
    ("mailaudit completion fi\t--inst\t", "<completion><fish><--install>"),
]


@daemon
@pytest.mark.parametrize("shell", STARTS)
def test_a_key_completes_the_line(shell: str, folder: Path) -> None:
    need(HERE, shell)
    with terminal(STARTS[shell](folder), folder) as there:
        there.wait("ready> ")
        for typed, given in KEYS:
            for part in re.split(r"(?<=\t)", typed):
                there.type(part)
                time.sleep(0.1)
            there.type("\n")
            there.wait("<")
            got = "<" + there.wait("!")
            assert got.replace("/>", ">") == given, typed  # zsh takes the slash behind a folder back
            there.wait("ready> ")
