"""The manual has every command, option, choice, variable, exit code and key of the program, and nothing else."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from daemons import HERE, need

from mailaudit import settings
from mailaudit.choices import Format, Shell
from mailaudit.cli import app
from mailaudit.cli.tree import tree
from mailaudit.collect.budget import SECONDS
from mailaudit.collect.login import JOBS
from mailaudit.commands.completion import filled
from mailaudit.commands.completion.words import Option, Takes
from mailaudit.commands.looking import MOST_JOBS
from mailaudit.exitcodes import ExitCode
from mailaudit.findings import Severity
from mailaudit.models.policy.measures import SUBJECTS
from mailaudit.models.policy.operators import operators_for
from mailaudit.settings import parse_settings

ROOT = Path(__file__).parents[1]
PAGES = sorted((ROOT / "man").iterdir())
COMMAND, SETTINGS = ((ROOT / "man" / name).read_text() for name in ("mailaudit.1", "mailaudit.toml.5"))
VERBS = {" ".join(each.path): each for each in filled(tree(app)).all() if not each.below}
OF_OTHERS = {"COLUMNS", "HOME", "SSH_AUTH_SOCK"}
"""Variables that what mailaudit is made of looks at."""


def macros(line: str) -> list[str]:
    return shlex.split(line[1:].replace("\\&", "").replace("'", "\\'")) if line.startswith(".") else []


def section(page: str, name: str) -> list[str]:
    return page.partition(f"\n.Sh {name}\n")[2].partition("\n.Sh ")[0].splitlines()


@dataclass
class Item:
    """An item of a list: its head, and the lines below it with the items in them."""

    head: list[str]
    below: list[Item] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)

    def all(self) -> Iterator[Item]:
        yield self
        for each in self.below:
            yield from each.all()

    def words(self, macro: str) -> set[str]:
        """What a macro marks below it, items in it left out."""
        return {word for line in self.lines for word in marked(macros(line), macro)}


def marked(tokens: list[str], macro: str) -> Iterator[str]:
    """The words behind a macro, up to the next one or what is no word."""
    inside = False
    for token in tokens:
        if re.fullmatch(r"[A-Z][a-z]|Ar|Op", token):
            inside = token == macro
        elif inside and re.search(r"\w", token):
            yield token


def items(lines: list[str]) -> list[Item]:
    """The items of the lists in some lines, one in another."""
    top = Item([])
    open_: list[Item] = [top]
    depth = 0
    in_head = False
    for line in lines:
        tokens = macros(line)
        first = tokens[0] if tokens else ""
        if first == "Bl":
            depth += 1
        elif first == "El":
            depth -= 1
            open_ = open_[: depth + 1]
        elif first == "It":
            made = Item(tokens[1:])
            open_ = [*open_[:depth], made]
            open_[-2].below.append(made)
            in_head = tokens[1:] == ["Xo"]
        elif first == "Xc":
            in_head = False
        elif in_head:
            open_[-1].head += [*tokens, "\n"]
        else:
            open_[-1].lines.append(line)
    return top.below


COMMANDS = {" ".join(marked(each.head, "Ic")): each for each in items(section(COMMAND, "COMMANDS"))}
SHARED = items(section(COMMAND, "OPTIONS"))


def names(head: list[str]) -> list[str]:
    """The options that an item is about."""
    return [f"-{each}" for each in marked(head, "Fl")]


def usage(verb: str) -> list[list[str]]:
    """The lines of a command's synopsis behind its name."""
    lines = " ".join(COMMANDS[verb].head[1:]).split("\n")
    return [line.split() for line in lines[1:] if line.strip()]


def test_every_command_stands_there() -> None:
    assert set(COMMANDS) == set(VERBS)
    assert {each for line in COMMAND.splitlines() for each in marked(macros(line), "Ic")} <= {
        word for verb in VERBS for word in verb.split()
    } | {"explain"}


@pytest.mark.parametrize("path", VERBS)
def test_a_command_takes_what_its_synopsis_says(path: str) -> None:
    verb, lines = VERBS[path], usage(path)
    options = [line for line in lines if "Fl" in line]
    wanted = [each for each in verb.options if "--help" not in each.names]
    assert len(options) == len(wanted)
    for line in options:
        (name,) = (f"-{each}" for each in marked(line, "Fl"))
        (option,) = (each for each in wanted if name in each.names)
        assert ("Ar" in line) == (option.value.takes is not Takes.NOTHING), name
        assert (line[0] == "Op") != option.needed, name
    arguments = [line for line in lines if "Fl" not in line]
    assert [(line[0] != "Op", line[-1] == "...") for line in arguments] == [(each.needed, each.many) for each in verb.arguments]


def described(path: str, option: Option) -> Item:
    """The one item that tells an option of a command."""
    found = [each for each in (*COMMANDS[path].below, *SHARED) if set(names(each.head)) & set(option.names)]
    own = [each for each in found if each in COMMANDS[path].below]
    assert len(own or found) == 1, (path, option.names)
    return (own or found)[0]


def told(path: str) -> Iterator[tuple[Option, Item]]:
    for option in VERBS[path].options:
        if "--help" not in option.names:
            yield option, described(path, option)


@pytest.mark.parametrize("path", VERBS)
def test_every_option_is_told_with_its_choices(path: str) -> None:
    for option, item in told(path):
        there = names(item.head)
        assert set(option.names) <= set(there), option.names
        assert ("Ar" in item.head) == (option.value.takes is not Takes.NOTHING), option.names
        if option.value.takes is Takes.WORDS and option.value.called not in ("RULE", "ID"):
            assert set(option.value.words) <= item.words("Cm"), option.names
        assert option.many == ("May be given more than once." in item.lines), option.names
    for argument in VERBS[path].arguments:
        if argument.value.words and argument.value.called != "ID":
            inside = {word for each in COMMANDS[path].all() for word in (*each.words("Cm"), *marked(each.head, "Cm"))}
            assert set(argument.value.words) <= inside, argument


def test_no_option_and_no_choice_is_told_that_is_not_there() -> None:
    every = {name for verb in VERBS.values() for option in verb.options for name in option.names} | {"--version"}
    assert {f"-{each}" for line in COMMAND.splitlines() for each in marked(macros(line), "Fl")} == every
    pairs = [pair for path in VERBS for pair in told(path)]
    used = {id(item) for _, item in pairs}
    for path, command in COMMANDS.items():
        assert all(id(each) in used for each in command.below if "Fl" in each.head), path
    for item in SHARED:
        options = [option for option, same in pairs if same is item]
        assert options, item.head
        if options[0].value.takes is Takes.WORDS and options[0].value.called != "RULE":
            assert item.words("Cm") == {word for each in options for word in each.value.words}, item.head
    (form,) = (each for each in SHARED if names(each.head) == ["--format"])
    assert form.words("Cm") == set(Format)
    assert COMMANDS["completion"].words("Cm") == set(Shell)


@pytest.mark.parametrize(
    ("option", "text"),
    [
        ("--timeout", f"the default is {SECONDS:g}."),
        ("--jobs", f"from 1 to {MOST_JOBS}; the default is {JOBS}."),
        ("--selector", "the default is selector0."),
        ("--mail-name", "the default is mail."),
        ("--openbsd", "the default is 7.9."),
    ],
)
def test_a_default_is_the_one_that_is(option: str, text: str) -> None:
    (item,) = (each for each in (*SHARED, *COMMANDS["init"].below) if option in names(each.head))
    assert text in " ".join(item.lines)
    code = (ROOT / "mailaudit/choices.py").read_text()
    if option in ("--selector", "--mail-name", "--openbsd"):
        assert re.search(rf'"{option}".*default="{re.escape(text.removesuffix(".").rpartition(" ")[2])}"', code)


def test_every_variable_of_the_environment_is_told() -> None:
    code = "\n".join(path.read_text() for path in (ROOT / "mailaudit").rglob("*.py"))
    asked = set(re.findall(r'environ(?:\.get\(|\[)"([A-Z_]+)"', code))
    asked |= set(re.findall(r'_folder\("([A-Z_]+)"', code)) | set(re.findall(r'^SUMMARY = "([A-Z_]+)"', code, re.MULTILINE))
    asked |= set(re.findall(r'"(GITHUB_WORKSPACE|CI_PROJECT_DIR)"', code))
    there = {name for each in items(section(COMMAND, "ENVIRONMENT")) for name in marked(each.head, "Ev")}
    assert there == asked | OF_OTHERS
    assert code.count("os.environ") == len(re.findall(r"os\.environ(?:\.get\(|\[|\.items)(?:\"|[a-zA-Z]|\(\))", code))


def test_every_exit_code_is_told() -> None:
    assert [each.head for each in items(section(COMMAND, "EXIT STATUS"))] == [[str(int(code))] for code in sorted(ExitCode)]
    assert ", ".join(str(int(code)) for code in ExitCode) in COMMAND


def test_every_rule_that_is_named_is_one() -> None:
    rules = {path.name.partition("-")[0] for path in (ROOT / "rules").rglob("*.md")}
    assert set(re.findall(r"\b[A-Z]{2,}\d{3}\b", COMMAND + SETTINGS)) <= rules


def test_the_examples_are_commands() -> None:
    examples = [line.removeprefix(".Dl $ ") for line in (COMMAND + SETTINGS).splitlines() if line.startswith(".Dl $ ")]
    assert len(examples) > 8
    for example in examples:
        program, *words = example.replace("\\&", "").split()
        assert program == "mailaudit"
        path = max((each for each in VERBS if words[: len(each.split())] == each.split()), key=len)
        taken = {name for option in VERBS[path].options for name in option.names}
        assert {word for word in words if word.startswith("-")} <= taken, example
        assert not re.search(r" [.,;:]( |$)", example), f"mandoc would glue: {example}"


# mailaudit.toml(5)


def keys(title: str) -> list[Item]:
    text = SETTINGS.partition(f"\n.Ss The {title}\n")[2]
    return items(re.split(r"\n\.S[hs] ", text)[0].splitlines())


def heads(found: list[Item]) -> list[str]:
    return [name for each in found for name in marked(each.head, "Cm")]


def test_every_key_is_told() -> None:
    known = vars(settings)
    assert heads(keys("table site")) == list(known["SITE"])
    assert heads(keys("table rules")) == list(known["_RULES"])
    assert heads(keys("tables waiver")) == list(known["_WAIVER"])
    assert {f"{'tables' if each == 'waiver' else 'table'} {each}" for each in known["_TOP"]} == {
        title.removeprefix("The ") for title in re.findall(r"^\.Ss (.*)$", SETTINGS, re.MULTILINE)
    }
    rules = {name: each for each in keys("table rules") for name in marked(each.head, "Cm")}
    assert rules["profile"].words("Cm") == set(settings.PROFILES)
    assert rules["severity"].words("Cm") == {str(each) for each in Severity}


def test_every_measure_and_operator_is_told() -> None:
    found = keys("table policy")
    operators = {name for measures in SUBJECTS.values() for each in measures for name in operators_for(each.scale)}
    subjects = [each for each in found if each.below]
    assert set(heads([each for each in found if not each.below])) == operators
    assert heads(subjects) == list(SUBJECTS)
    for subject, measures in zip(subjects, SUBJECTS.values(), strict=True):
        assert heads(subject.below) == [each.name for each in measures]
        for item, measure in zip(subject.below, measures, strict=True):
            assert item.words("Cm") == {each for each in measure.scale.words if re.search(r"\w", each)}


def test_the_example_is_read() -> None:
    example = SETTINGS.partition(".Bd -literal -offset indent\n")[2].partition("\n.Ed")[0]
    assert set(tomllib.loads(example)) == {"site", "rules", "waiver", "policy"}
    assert parse_settings(example.encode()).waivers


# As mandoc sees them


@pytest.mark.daemon
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_mandoc_finds_no_fault(page: Path) -> None:
    """Manuals of OpenBSD that this system does not have are none."""
    need(HERE, "mandoc")
    done = subprocess.run(["mandoc", "-Ios=OpenBSD", "-Tlint", "-Wstyle", page], capture_output=True, text=True, check=False)
    faults = [line for line in (done.stdout + done.stderr).splitlines() if "STYLE: referenced manual not found:" not in line]
    assert [line for line in faults if "mandoc.db" not in line] == []


@pytest.mark.daemon
def test_mandoc_shows_the_pages_in_80_columns() -> None:
    need(HERE, "mandoc")
    for page in PAGES:
        done = subprocess.run(["mandoc", "-T", "ascii", "-O", "width=78", page], capture_output=True, text=True, check=True)
        shown = re.sub(".\b", "", done.stdout)
        assert max(map(len, shown.splitlines())) <= 78
        assert "SEE ALSO" in shown


@pytest.mark.daemon
def test_man_finds_the_pages_of_an_installed_wheel(tmp_path: Path) -> None:
    wheels, venv = tmp_path / "wheels", tmp_path / "venv"
    build = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(wheels)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    subprocess.run([sys.executable, "-m", "venv", str(venv)], check=True)
    (wheel,) = wheels.iterdir()
    install = [str(venv / "bin/python"), "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", str(wheel)]
    subprocess.run(install, check=True, capture_output=True)
    for place, page in (("man1/mailaudit.1", COMMAND), ("man5/mailaudit.toml.5", SETTINGS)):
        assert (venv / "share/man" / place).read_text() == page
    if HERE.has("man"):
        found = HERE.run("man", "-w", "-M", str(venv / "share/man"), "5", "mailaudit.toml")
        assert found.stdout.strip() == str(venv / "share/man/man5/mailaudit.toml.5")
