"""Scripts are cut into words and operators as sh(1) cuts them; which commands run after which is told as far as it can be."""

from __future__ import annotations

import random
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailaudit.models.shell import Step, script_steps
from mailaudit.parsers.shell import LANGUAGE
from mailaudit.parsers.tree import Tree, gaps, nothing, render
from mailaudit.text import Text

FIXTURE = Path(__file__).parent / "fixtures/configs/shell/etc/daily.local"


def tree(chars: str) -> Tree:
    return LANGUAGE.parse(Text.of("/etc/daily.local", chars), nothing)


def words(chars: str) -> list[tuple[str, str]]:
    return [(token.kind, token.value) for statement in tree(chars).statements for token in statement.tokens]


def told(chars: str) -> list[tuple[str, list[str], list[str], bool]]:
    def names(steps: tuple[Step, ...]) -> list[str]:
        return [step.program for step in steps]

    return [(step.program, names(step.needs), names(step.unless), step.sure) for step in script_steps(tree(chars).statements)]


@pytest.mark.parametrize(
    ("chars", "found"),
    [
        ("a 'b c'\"d\\\"e\" f\\ g # h\n", [("word", "a"), ("string", 'b cd"e'), ("string", "f g")]),
        ("a#b ''", [("word", "a#b"), ("string", "")]),
        ('$b "$(c "d e")" `f g` *.x', [("expanded", each) for each in ("$b", '"$(c "d e")"', "`f g`", "*.x")]),
        ("a '$b' \"\\$c\" $ x$", [("word", "a"), ("string", "$b"), ("string", "$c"), ("word", "$"), ("word", "x$")]),
        ("a>b 2>&1", [("word", "a"), ("redirection", ">"), ("word", "b"), ("redirection", "2>&1")]),
        (">>c<d", [("redirection", ">>"), ("word", "c"), ("redirection", "<"), ("word", "d")]),
        ("a&&b||c", [("word", "a"), ("&&", "&&"), ("word", "b"), ("||", "||"), ("word", "c")]),
        ("a|b;c&", [("word", "a"), ("|", "|"), ("word", "b"), (";", ";"), ("word", "c"), ("&", "&")]),
        ("a \\\n  b\\\nc", [("word", "a"), ("string", "bc")]),
        ("a <<X\n; &&\nX\nz", [("word", "a"), ("redirection", "<<"), ("word", "X"), ("heredoc", "; &&\nX"), ("word", "z")]),
        ("$((1 + (2)))x ${a:-b}", [("expanded", "$((1 + (2)))x"), ("expanded", "${a:-b}")]),
        ("[ -x a ] && [ab]", [("word", "["), ("word", "-x"), ("word", "a"), ("word", "]"), ("&&", "&&"), ("expanded", "[ab]")]),
    ],
)  # fmt: skip
def test_words_and_operators(chars: str, found: list[tuple[str, str]]) -> None:
    assert words(chars) == found


@pytest.mark.parametrize("chars", ["'a", 'x "a', "`a", "$(a", "${a", 'x "$(a"'])
def test_what_is_not_closed_is_told(chars: str) -> None:
    [problem] = [statement.problem for statement in tree(f"b\n{chars}\nc").unread()]
    assert problem is not None
    assert problem.span.line == 2


def test_statements_are_lines() -> None:
    kinds = [(statement.kind, statement.span.line) for statement in tree("a &&\n b\n\n# c\nd 'e\nf' g\n").statements]
    assert kinds == [("line", 1), ("line", 5)]


@pytest.mark.parametrize(
    ("chars", "found"),
    [
        ("a; b", [("a", [], [], True), ("b", [], [], True)]),
        ("a && b && c", [("a", [], [], True), ("b", ["a"], [], True), ("c", ["a", "b"], [], True)]),
        ("a || b", [("a", [], [], True), ("b", [], ["a"], True)]),
        ("a || b && c", [("a", [], [], True), ("b", [], ["a"], True), ("c", [], [], False)]),
        ("! a && b", [("a", [], [], True), ("b", [], ["a"], True)]),
        ("a && { b\nc; }; d", [("a", [], [], True), ("b", ["a"], [], True), ("c", ["a"], [], True), ("d", [], [], True)]),
        ("(a; b) && c", [("a", [], [], True), ("b", [], [], True), ("c", ["b"], [], True)]),
        ("a | b && c", [("a", [], [], True), ("b", [], [], True), ("c", ["b"], [], True)]),
        (
            "if a; then b; elif c; then d; else e; fi",
            [
                ("a", [], [], True),
                ("b", ["a"], [], True),
                ("c", [], ["a"], True),
                ("d", ["c"], ["a"], True),
                ("e", [], ["a", "c"], True),
            ],
        ),
        ("for i in x y; do a; done; b", [("a", [], [], False), ("b", [], [], True)]),
        ("while a; do b; done", [("a", [], [], False), ("b", [], [], False)]),
        ("case $1 in x|y) a;; *) b; esac; c", [("a", [], [], False), ("b", [], [], False), ("c", [], [], True)]),
        ("f() { a; }\nb", [("a", [], [], False), ("b", [], [], True)]),
        ("a || exit 1\nb", [("a", [], [], True), ("exit", [], ["a"], True), ("b", [], [], False)]),
        ("set -e; a; b", [("set", [], [], True), ("a", [], [], False), ("b", [], [], False)]),
        ("A=b c >d 2>&1 e", [("c", [], [], True)]),
        ("A=b", []),
    ],
)  # fmt: skip
def test_which_command_runs_after_which(chars: str, found: list[tuple[str, list[str], list[str], bool]]) -> None:
    assert told(chars) == found


@pytest.mark.parametrize(
    ("chars", "program", "arguments"),
    [
        ("/usr/sbin/acme-client -v x", "acme-client", ["-v", "x"]),
        ("doas -u vmail nice -n 5 env A=b acme-client x", "acme-client", ["x"]),
        ("timeout -k 5 60 acme-client x", "acme-client", ["x"]),
        ("env -i PATH=/bin acme-client", "acme-client", []),
        ("exec rcctl restart smtpd", "rcctl", ["restart", "smtpd"]),
        ("$CLIENT x", "", ["x"]),
        ("doas -s", "doas", ["-s"]),
    ],
)
def test_the_program_behind_its_wrappers(chars: str, program: str, arguments: list[str]) -> None:
    [step] = script_steps(tree(chars).statements)
    assert (step.program, [token.value for token in step.arguments]) == (program, arguments)


def test_nesting_and_long_chains_are_read_promptly() -> None:
    assert len(told("( " * 2000 + "a" + " )" * 2000)) == 1
    assert len(script_steps(tree("a && " * 20_000 + "a").statements)) == 20_001


def test_sh_cuts_the_same_words(tmp_path: Path) -> None:
    """Random lines of quotes and backslashes: sh prints the arguments that we see, or refuses what we call unclosed."""
    shell = shutil.which("sh")
    if shell is None:
        pytest.skip("sh is not installed")
    rng = random.Random(6)
    parts = ["a", "b", "#", "'", '"', "\\", " ", "  ", "'x y'", '"p q"', "\\'", '\\"', "=", "/", "-n", "\\ ", "\n", "\\\n", ";"]
    lines = ["".join(rng.choice(parts) for _ in range(rng.randrange(1, 12))) for _ in range(150)]
    script = tmp_path / "script"
    for line in lines:
        read = tree(f"show {line}\n")
        shown = [step.words[1:] for step in script_steps(read.statements) if step.words[0].value == "show"]
        script.write_text(f"show() {{ printf '<%s>' \"$@\"; printf '|\\n|'; }}\nexec 2>/dev/null\nshow {line}\n")
        done = subprocess.run([shell, str(script)], capture_output=True, text=True, check=False, cwd=tmp_path)
        if read.unread():
            assert done.returncode == 2, line
        elif done.returncode != 2:  # semicolons without a command between them
            expected = ["".join(f"<{token.value}>" for token in found) or "<>" for found in shown]
            assert done.stdout.split("|\n|")[:-1] == expected, line


@given(
    st.lists(
        st.one_of(
            st.sampled_from(["'", '"', "`", "$(", ")", "${", "}", "\\", "\n", " && ", "| ", "<<E\n", "\nE\n"]),
            st.sampled_from(["{ ", " }", "f() ", "#"]),
            st.sampled_from(["if ", "then ", "fi", "case ", ";;", "esac", "do ", "done ", "for ", "while ", "; ", "! "]),
            st.text(max_size=2),
        )
    )
)  # fmt: skip
def test_any_text_comes_back_and_its_steps_are_told(parts: list[str]) -> None:
    data = "".join(parts).encode("utf-8", "surrogatepass")
    read = LANGUAGE.parse(Text("/etc/daily.local", data), nothing)
    assert render(read) == data
    assert all(LANGUAGE.trivia.fullmatch(gap.chars) for gap in gaps(read))
    script_steps(read.statements)
