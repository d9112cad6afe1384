"""doas.conf is read as doas reads it, and the last rule that matches decides."""

from __future__ import annotations

import os
import random
from pathlib import Path

import daemons
import pytest
from daemons import HERE
from hostfiles import sources
from hypothesis import given
from hypothesis import strategies as st

from mailaudit.models.doas import DoasConfig, Who, read_doas
from mailaudit.models.sources import Known, Missing, NotHere
from mailaudit.parsers.doas import LANGUAGE, OPTIONS
from mailaudit.parsers.tree import Tree, gaps, nothing, render
from mailaudit.questions import Stat
from mailaudit.text import Text

FIXTURE = Path(__file__).parent / "fixtures/configs/doas/etc/doas.conf"
PATH = "/etc/doas.conf"
ADMIN = Who("admin", 1000, frozenset({"admin", "wheel"}), frozenset({1000, 0}))


def tree(chars: str) -> Tree:
    return LANGUAGE.parse(Text.of(PATH, chars), nothing)


def problems(chars: str) -> list[tuple[str, str]]:
    found = (statement.problem for statement in tree(chars).unread())
    return [(problem.message, problem.span.chars) for problem in found if problem is not None]


def config(chars: str, **stat: object) -> DoasConfig:
    slot = read_doas(sources({PATH: chars}, stats={PATH: Stat("file", **stat)}))  # type: ignore[arg-type]
    assert isinstance(slot, Known)
    return slot.value


# The lexer and the grammar: each case was put to doas -C

ACCEPTED = [
    "permit root\n",
    "permit\troot # comment\n",
    'permit "nopass"\n',
    'permit ro"ot"\n',
    "permit root=x\n",
    "permit nopass nopass root\n",
    "permit root\\\n\n",
    "permit root \\\n\n",
    "permit root\\\n cmd x\n",
    'deny root cmd "a b" args ""\n',
    'permit setenv { A=1 -B "C" } root as x cmd y args\n',
    "permit setenv { } root\n",
    "permit root cmd a args { }\n".replace("{ }", "\\{ \\}"),
    "# comment \\\npermit root\n",
    "",
    "# no newline at the end",
    "\n\n  \t\n",
    'permit root cmd "a\\"b" args a\\ b\n',
    "permit :0 as 0\n",
]
REFUSED = [
    ("permit root", "the last line does not end with a newline", "root"),
    ("permit nopass \\\n  keepenv root\n", 'right after a backslash at a line\'s end "keepenv" is no keyword', "keepenv"),
    ("permit nopass persist root\n", "nopass and persist cannot be combined", "persist"),
    ("permit setenv { A } setenv { B } root\n", "setenv may stand only once in a rule", "setenv"),
    ("\r\n", 'expected "permit" or "deny", found "\r"', "\r"),
    ("permit root as\n", 'expected a user after "as", found the end of the line', "as"),
    ("permit root as root cmd a args cmd\n", 'expected an argument or the end of the line, found "cmd"', "cmd"),
    ("permit root cmd {\n", 'expected a command after "cmd", found "{"', "{"),
    ("permit setenv { A B root\n", 'expected a variable or "}", found the end of the line', "root"),
    ("permit setenv A root\n", 'expected "{" after "setenv", found "A"', "A"),
    ("deny nopass root\n", 'expected a user or a group (:group), found "nopass"', "nopass"),
    ("permit root root\n", 'expected "as", "cmd" or the end of the line, found "root"', "root"),
    ("permit root cmd a b\n", 'expected "args" or the end of the line, found "b"', "b"),
    ('permit root "open\n', "a quote is not closed", '"open'),
    ("permit root \\", "a backslash stands at the end of the file", "\\"),
    ("permit ro\0ot\n", "the character NUL is not allowed", "ro\0ot"),
    ("permit " + "x" * 1024 + "\n", "a word may have 1023 characters at most", "x" * 1024),
    ("permit nopasswd :wheel\n", 'there is no option "nopasswd"; nopass is meant', "nopasswd"),
    ("Permit root\n", 'there is no action "Permit"; permit is meant', "Permit"),
    ("allow root\n", 'expected "permit" or "deny", found "allow"', "allow"),
]


@pytest.mark.parametrize("chars", ACCEPTED)
def test_what_doas_takes_is_read(chars: str) -> None:
    assert not problems(chars)


@pytest.mark.parametrize(("chars", "message", "place"), REFUSED)
def test_what_doas_refuses_is_told_at_its_word(chars: str, message: str, place: str) -> None:
    assert problems(chars) == [(message, place)]


@pytest.mark.daemon
@pytest.mark.parametrize("chars", [*ACCEPTED, *(chars for chars, _, _ in REFUSED)])
def test_doas_says_the_same(chars: str, tmp_path: Path) -> None:
    daemons.need(HERE, "doas")
    file = tmp_path / "doas.conf"
    file.write_bytes(chars.encode())
    assert (HERE.run("doas", "-C", str(file)).returncode == 0) == (not problems(chars))


@pytest.mark.daemon
def test_doas_agrees_on_spoilt_files(tmp_path: Path) -> None:
    """Seeded mutants of the fixture: accepted and refused alike."""
    daemons.need(HERE, "doas")
    rng = random.Random(3)
    chars = FIXTURE.read_text()
    words = [*OPTIONS, "permit", "deny", "as", "cmd", "args", "{", "}", '"', "\\", "\\\n", "#", "\n", " ", ":x", "\t"]
    for _ in range(300):
        a, b = sorted((rng.randrange(len(chars)), rng.randrange(len(chars))))
        mutant = rng.choice((chars[:a] + chars[min(b, a + 9) :], chars[:a] + rng.choice(words) + chars[a:], chars[:a]))
        file = tmp_path / "doas.conf"
        file.write_bytes(mutant.encode())
        assert (HERE.run("doas", "-C", str(file)).returncode == 0) == (not problems(mutant)), mutant


@pytest.mark.daemon
def test_doas_decides_the_same(tmp_path: Path) -> None:
    """Random rules about root, whom the tests run as: the verdict and the need of a password are doas' own."""
    daemons.need(HERE, "doas")
    if os.getuid():
        pytest.skip("only root can ask doas about root")
    rng = random.Random(4)
    me = Who("root", 0, frozenset({"root"}), frozenset({0, *os.getgroups()}))
    for _ in range(150):
        rules = [
            " ".join(
                (
                    rng.choice(("permit", "permit nopass", "deny")),
                    rng.choice(("root", ":root", "0", ":0", "daemon", ":daemon", "1", ":1", "nobody-here")),
                    rng.choice(("", "as root", "as 0", "as daemon")),
                    rng.choice(("", "", "cmd ls", "cmd ls args", "cmd ls args -l", "cmd ls args -l /", "cmd cat")),
                )
            )
            for _ in range(rng.randrange(1, 6))
        ]
        chars = "\n".join(rules) + "\n"
        arguments = rng.choice(([], ["-l"], ["-l", "/"]))
        file = tmp_path / "doas.conf"
        file.write_text(chars)
        said = HERE.run("doas", "-C", str(file), "ls", *arguments).stdout.strip()
        decision = config(chars).decide(me, command="ls", arguments=arguments)
        assert decision.permitted == said.startswith("permit"), chars
        if decision.rule is not None and decision.permitted:
            assert (decision.rule.option("nopass") is not None) == (said == "permit nopass"), chars


# The tree


def test_rules_and_their_parts() -> None:
    rules = [statement.node for statement in tree(FIXTURE.read_text()).statements]
    second = rules[1]
    assert [part.kind for part in second if not hasattr(part, "value")] == [
        "action",
        "option",
        "option",
        "identity",
        "target",
        "cmd",
        "args",
    ]
    variables = second.nodes("option")[1].node("variables")
    assert variables is not None
    assert [word.value for word in variables.leaves()] == ["PATH=/bin:/usr/bin", "-DISPLAY", "LC_ALL=en_US.UTF-8", "EDITOR"]
    arguments = rules[-1].node("args")
    assert arguments is not None
    assert [word.value for word in arguments.leaves()] == ["", '"quoted"', "a b"]


def test_reading_goes_on_after_a_refused_line() -> None:
    assert [s.kind for s in tree("permit\nallow x\npermit root\n").statements] == ["unread", "unread", "rule"]


@given(
    st.lists(st.one_of(st.sampled_from(['"', "\\", "\\\n", "{", "}", "#", "permit ", "setenv", "\n", " "]), st.text(max_size=3)))
)
def test_any_text_comes_back(parts: list[str]) -> None:
    data = "".join(parts).encode("utf-8", "surrogatepass")
    read = LANGUAGE.parse(Text(PATH, data), nothing)
    assert render(read) == data
    assert all(LANGUAGE.trivia.fullmatch(gap.chars) for gap in gaps(read))


def test_every_value_is_its_written_characters() -> None:
    """Law 5: a word put in the place that a rule's value remembers is that value when the file is read again."""
    chars = FIXTURE.read_text()
    for number, rule in enumerate(config(chars).rules):
        tokens = [rule.identity, rule.target, rule.command, *(rule.arguments or ())]
        for token in filter(None, tokens):
            again = config(chars[: token.start] + "changed" + chars[token.end :]).rules[number]
            words = [again.identity, again.target, again.command, *(again.arguments or ())]
            assert "changed" in [word.value for word in words if word is not None]


# The model


def test_the_last_rule_that_matches_decides() -> None:
    found = config("permit nopass :wheel\ndeny admin as root cmd reboot\npermit admin as root cmd reboot args now\n")
    assert found.decide(ADMIN).permitted is True
    assert found.decide(ADMIN, command="reboot", arguments=()).permitted is False
    now = found.decide(ADMIN, command="reboot", arguments=("now",))
    assert now.permitted is True
    assert now.rule is found.rules[2]
    assert found.decide(ADMIN, command="reboot").permitted is None  # it depends on the arguments
    assert found.decide(ADMIN, Who("vmail", 2000), "reboot").rule is found.rules[0]


def test_unknown_groups_leave_it_open_unless_all_rules_agree() -> None:
    stranger = Who("guest")
    assert config("permit :wheel\n").decide(stranger).permitted is None
    assert config("deny :wheel\n").decide(stranger).permitted is False
    assert config("permit guest\npermit :wheel\n").decide(stranger).permitted is True
    assert config("permit guest\ndeny :wheel\n").decide(stranger).permitted is None
    assert config("permit :wheel\ndeny guest\n").decide(stranger).permitted is False
    assert config("permit 1000\n").decide(stranger).permitted is None
    assert config("permit 1000\n").decide(ADMIN).permitted is True


def test_no_rule_denies() -> None:
    assert config("").decide(ADMIN).permitted is False


def test_a_misspelt_option_is_refused_and_judged_as_meant() -> None:
    found = config("permit nopasswd :wheel\n")
    assert [problem.mend for problem in found.refusals] == ["nopass"]
    assert found.rules[0].option("nopass") is not None


def test_without_the_file() -> None:
    assert isinstance(read_doas(sources({})), NotHere | Missing)
