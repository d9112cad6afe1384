"""Sieve scripts: read as RFC 5228 has them, refused as sievec refuses them, and understood as far as rules ask."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

import daemons
import pytest
from hostfiles import sources
from hypothesis import given, settings
from hypothesis import strategies as st

from bench import laws
from bench.agreement import CORPORA, Row
from bench.agreement import sieve as agreement
from bench.agreement import sieve_running as running
from mailaudit.models.dovecot.config import read_dovecot
from mailaudit.models.sieve.eval import Outcome, Situation, run
from mailaudit.models.sieve.parts import calls
from mailaudit.models.sieve.refusals import LARGEST, refusals, required
from mailaudit.models.sieve.regex import ANY, Dialect, dialects, fault
from mailaudit.models.sieve.script import Script, Sieve, read_sieve
from mailaudit.models.sieve.tests import wildcards
from mailaudit.models.sources import Known
from mailaudit.parsers.sieve import DEEPEST, LANGUAGE
from mailaudit.parsers.tree import Node, Statement, Tree, nothing, render
from mailaudit.questions import Command
from mailaudit.text import Text

FIXTURES = agreement.FIXTURES
FILTERS = (FIXTURES / "filters.sieve").read_bytes()
LIBRARY = "/usr/local/lib/dovecot/sieve"


def tree(chars: str | bytes) -> Tree:
    return LANGUAGE.parse(Text("/s.sieve", chars.encode() if isinstance(chars, str) else chars), nothing)


def only(chars: str) -> Statement:
    [statement] = tree(chars).statements
    return statement


def refused(chars: str) -> list[tuple[str, str]]:
    return [(problem.span.chars, problem.message) for problem in refusals(tree(chars), agreement.AVAILABLE)]


def outcome(chars: str | bytes, headers: Mapping[str, tuple[str, ...]] | None = None, **environment: str) -> Outcome:
    commands = calls(tree(chars).statements)
    items = {name.replace("_", "."): value for name, value in environment.items()}
    return run(commands, Situation(headers or {}, items), frozenset(required(commands)))


# Words


@pytest.mark.parametrize(
    ("written", "kind", "value"),
    [
        ('"plain"', "string", "plain"),
        (r'"a \"b\" \\ \x"', "string", 'a "b" \\ x'),
        ('"two\nlines"', "string", "two\r\nlines"),
        ('"two\r\nlines"', "string", "two\r\nlines"),
        ("text:\none\n..two\n.\n", "text", "one\r\n.two\r\n"),
        ("text: # a comment\none\n.\n", "text", "one\r\n"),
        ("TEXT:\r\none\r\n.\r\n", "text", "one\r\n"),
        ("10", "number", "10"),
        ("2K", "number", "2048"),
        ("3m", "number", "3145728"),
        ("1G", "number", "1073741824"),
        (":Contains", "tag", "contains"),
    ],
)
def test_a_word_has_its_value(written: str, kind: str, value: str) -> None:
    statement = only(f"keep {written};")
    _, token = statement.node.leaves()
    assert (token.kind, token.value) == (kind, value)
    assert token.span.chars == written.rstrip("\r\n")


def test_comments_stand_between_words() -> None:
    assert not tree("# one\nkeep /* two ** / */ ; # three").unread()


@pytest.mark.parametrize(
    ("chars", "at"),
    [
        ('keep "open;\nstop;\n', '"open;'),
        ("keep text:\nno end\n", "text:"),
        ("keep; /* no end", "/* no end"),
        ("keep " + "a" * 33 + ";", "a" * 33),
        ("keep 18446744073709551616;", "18446744073709551616"),
        ("keep 99999999999999999999G;", "99999999999999999999G"),
        ("keep @;", "@"),
        ("keep\f;", "\f"),
        ("\ufeffkeep;", "\ufeff"),
        ('keep "a\0b";', '"a\0b";'),
    ],
)
def test_what_is_no_word_is_named(chars: str, at: str) -> None:
    assert tree(chars).unread()[0].problem is not None
    assert at in [problem.span.chars for s in tree(chars).unread() if (problem := s.problem) is not None]


# Structure


def shown(node: Node) -> object:
    return [node.kind, *(each.value if not isinstance(each, Node) else shown(each) for each in node)]


def test_a_command_is_a_node_of_its_arguments_and_tests() -> None:
    [statement] = tree('if anyof (header :is ["A", "b"] "c", not true) { keep; }').statements
    assert (statement.kind, statement.is_block, [s.kind for s in statement.body]) == ("block", True, ["command"])
    assert [token.value for token in statement.close] == ["}"]
    assert shown(statement.node) == [
        "command",
        "if",
        [
            "test",
            "anyof",
            [
                "tests",
                "(",
                ["test", "header", "is", ["list", "[", "A", ",", "b", "]"], "c"],
                ",",
                ["test", "not", ["test", "true"]],
                ")",
            ],
        ],
    ]


@pytest.mark.parametrize(
    ("chars", "kinds"),
    [
        ('foo ["a" "b"]; keep;', ["unread", "command"]),
        ("foo [ { keep; } stop;", ["unread", "command", "command"]),
        ("if anyof (true,) { stop; } keep;", ["unread", "command", "command"]),
        ("keep; ; stop;", ["command", "unread", "command"]),
        ("keep; } stop;", ["command", "unread", "command"]),
        ("]] what [[\nkeep;", ["unread", "command"]),
        ('require ["a"]\nif true { keep }\nstop;', ["command", "block", "command", "command"]),
        ("if true { keep; ", ["block", "command"]),
    ],
)
def test_reading_goes_on_behind_a_broken_command(chars: str, kinds: list[str]) -> None:
    assert [statement.kind for statement in tree(chars).walk()] == kinds


def test_a_forgotten_semicolon_is_put_in() -> None:
    first, *_ = tree('require ["a"]\nif true { keep }\n').statements
    assert first.problem is not None
    assert first.problem.mend == "];"
    assert first.template is not None


@pytest.mark.parametrize("deep", [DEEPEST - 1, DEEPEST])
def test_tests_and_blocks_are_nested_as_deeply_as_the_daemon_lets_them(deep: int) -> None:
    too_deep = deep >= DEEPEST
    assert bool(tree("if " + "not " * (deep - 1) + "true { }").unread()) == too_deep
    assert bool(tree("if true {" * deep + "}" * deep).unread()) == too_deep


@given(st.integers(min_value=0, max_value=10**9))
@settings(max_examples=150, deadline=None)
def test_mutants_come_back(seed: int) -> None:
    for data in laws.mutants(FILTERS, 3, seed, [b'"', b"text:\n", b"/*", b"{", b"}", b"(", b"[", b";"]):
        assert render(laws.check(LANGUAGE, data)) == data


@pytest.mark.parametrize("part", [b"text:\n", b'keep "', b"/*", b"if anyof(", b"if true {", b"frop;\n", b'"\\"'])
def test_hostile_scripts_are_read_promptly(part: bytes) -> None:
    refusals(laws.check(LANGUAGE, part * 20_000))


# Refusals


@pytest.mark.parametrize(
    ("chars", "at", "message"),
    [
        ('fileinto "x";', "fileinto", 'fileinto needs require "fileinto"'),
        ("fileint;", "fileint", 'there is no command "fileint"; did you mean "fileinto"?'),
        ('require "fileinot";', '"fileinot"', 'there is no extension "fileinot"; did you mean "fileinto"?'),
        ('require "ereject2";', '"ereject2"', 'there is no extension "ereject2"; did you mean "ereject"?'),
        ('require "extlists";', '"extlists"', 'the extension "extlists" is not turned on for this script'),
        ('require "keep";', '"keep"', '"keep" is always there and not an extension'),
        ('keep; require "copy";', "require", "require stands before all other commands"),
        ("keep :copy;", ":copy", "keep takes no :copy"),
        ('redirect :copy "a@b.c";', ":copy", ':copy needs require "copy"'),
        ('if header :is :contains "a" "b" {}', ":contains", ":contains and :is exclude each other"),
        ('if header :comparator "a" {}', "header", "header takes 2 arguments besides tags, and 0 are given"),
        ('if header "a" 3 {}', "3", "header takes a string or a list of strings here, found a number"),
        ("if true {} else if true {}", "else if", 'expected "elsif", found "else if"'),
        ("elsif true {}", "elsif", "elsif must follow if or elsif"),
        ("if true;", "if", 'if needs a block in "{" and "}"'),
        ("keep true;", "keep", 'keep takes no test; is a ";" missing after it?'),
        ("if not (true) {}", "not", "not takes one test, without parentheses around it"),
        ('redirect "a b";', '"a b"', "expected one address like user@example.com"),
        ("if keep {}", "keep", "keep is a command, and a test is expected here"),
        (
            'require "regex"; if header :regex "a" "(b" {}',
            '"(b"',
            'this regular expression has a "(" without ")"',
        ),
        ('require ["extlists", "regex"]; keep;', '"extlists"', 'the extension "extlists" is not turned on for this script'),
        (
            'require "vnd.dovecot.pipe"; pipe "../x";',
            '"../x"',
            '"../x" is no name of a program; it is looked for in one directory',
        ),
    ],
)
def test_a_refusal_names_its_place(chars: str, at: str, message: str) -> None:
    assert (at, message) in refused(chars)


@pytest.mark.parametrize("chars", ["if false { frop; }", "if true {} else { frop; }", "if anyof (true, frop) {}"])
def test_what_can_never_be_reached_is_not_looked_at(chars: str) -> None:
    assert not refused(chars)


@pytest.mark.parametrize(
    ("expression", "glibc", "posix", "pcre"),
    [
        ("(a|b)+[[:alpha:]_.-]*$", False, False, False),
        ("(a", True, True, True),
        ("*a", True, True, True),
        ("[z-a]", True, True, True),
        ("[[:foo:]]", True, True, True),
        ("a{3,1}", True, True, True),
        ("a{2", True, True, False),
        ("{", True, False, False),  # OpenBSD takes what no digit follows as it stands
        ("a{x}", True, False, False),
        ("$*", True, False, True),
        (r"\b*", True, False, True),
        (r"\1", True, False, True),
        ("[[:<:]]a", True, False, False),
        ("(?:a)", True, True, False),
        (r"\d+(?i)x", True, True, False),
        ("[a-Z]", False, False, True),  # where case does not count, it is a range
        ("[^-?]", False, False, False),
        ("a)", False, False, True),
        ("a**", False, False, True),
        ("a{2}{3}", False, False, True),
        ("a*?b++", False, False, False),
        (r"(a)\1", False, False, True),
        (r"\1(?<n>a)", True, True, False),
        (r"\k<n>", False, False, False),
        (r"\q", False, False, True),
        (r"[\q]", False, False, True),
        (r"[\w-z]", False, False, True),
        (r"[\w-]", False, False, False),
        ("[[.a.]]", False, False, True),
        ("[:alpha:]", False, False, True),
        ("[^[:^alpha:]_]", True, True, False),
        (r"[^\E]", False, False, True),
        (r"\Q(\E", True, True, False),
        ("(?x)a # (", True, True, False),
        ("(*b)", True, True, False),  # what is beyond us is not told
    ],
)
def test_who_compiles_an_expression_counts(expression: str, glibc: bool, posix: bool, pcre: bool) -> None:
    by_all = [bool(fault(expression, (each,))) for each in (Dialect.GLIBC, Dialect.POSIX, Dialect.PCRE)]
    assert by_all == [glibc, posix, pcre]
    assert bool(fault(expression, ANY)) == (posix and pcre)


@pytest.mark.parametrize("part", ["(?#", "[:", "[[:", r"\x{", r"\k<", "(?<n>", r"\1(?<n>a)", "a{1", "[a-", r"\Q", "[^-", "{1,"])
def test_hostile_expressions_are_read_promptly(part: str) -> None:
    for each in Dialect:
        fault(part * 40_000, (each,))
        fault("[" + part * 40_000, (each,))


@pytest.mark.parametrize(
    ("release", "is_new", "by"),
    [
        (None, False, (Dialect.POSIX,)),
        (None, True, ANY),
        ((2, 3, 21), False, (Dialect.POSIX,)),
        ((2, 4, 1), True, (Dialect.POSIX,)),
        ((2, 4, 2), True, (Dialect.PCRE,)),
    ],
)
def test_the_release_tells_who_compiles(release: tuple[int, ...] | None, is_new: bool, by: tuple[Dialect, ...]) -> None:
    assert dialects(release, is_new=is_new) == by


@pytest.mark.parametrize(
    ("chars", "at"),
    [
        ('require ["extlists"]; redirect :list "tag:x";', ":list"),
        ('require ["extlists"]; if header :comparator "i;octet" :list "from" "tag:x" {}', '"i;octet"'),
        ('require ["extlists"]; if header :list "from" "tag:x" {}', ""),
        ('require ["regex", "comparator-i;unicode-casemap"]; if header :comparator "i;unicode-casemap" :regex "a" "b" {}', ""),
        ('require "variables"; set "a" "${33}";', '"${33}"'),
        ('require "variables"; set "a" "${99999999999}";', ""),
    ],
)
def test_what_came_with_later_releases_is_known(chars: str, at: str) -> None:
    found = refusals(tree(chars), agreement.NEWEST.available | {"extlists"}, is_new=True, by=(Dialect.PCRE,))
    assert [problem.span.chars for problem in found] == ([at] if at else [])


def test_a_script_over_a_mebibyte_is_refused() -> None:
    [problem] = refusals(tree(b"keep;\n" + b"#" * (1 << 20) + b"\n"))
    assert "1048576 bytes" in problem.message


# What a script does

SPAM = f"{agreement.EXAMPLES}/spam-to-junk.sieve"
HAM = f"{agreement.EXAMPLES}/report-ham.sieve"


@pytest.mark.parametrize(
    ("headers", "junk", "inbox", "stops"),
    [
        ({"x-spam": ("yes",)}, True, False, True),
        ({"x-spam": ("YES ",)}, True, False, True),
        ({"x-spam": ("no",)}, False, True, False),
        ({"x-spam": ()}, False, True, False),
        ({}, None, None, None),
    ],
)
def test_marked_mail_ends_in_junk(
    headers: dict[str, tuple[str, ...]], junk: bool | None, inbox: bool | None, stops: bool | None
) -> None:
    found = outcome(Path(SPAM).read_bytes(), headers)
    filed = [True if action.certain else None for action in found.of("fileinto") if action.values[0] == "Junk"]
    assert (True if True in filed else None if filed else False, found.keeps, found.stops) == (junk, inbox, stops)


@pytest.mark.parametrize(
    ("mailbox", "runs"), [("Trash", []), ("junk", []), ("INBOX", [(True, ("learn-ham.sh", "user@example.com"))])]
)
def test_what_goes_to_the_trash_teaches_no_ham(mailbox: str, runs: object) -> None:
    found = outcome(Path(HAM).read_bytes(), imap_mailbox=mailbox, imap_user="user@example.com")
    assert [(action.certain, action.values) for action in found.of("pipe")] == runs


def test_where_the_mailbox_is_not_known_the_program_may_run() -> None:
    [action] = outcome(Path(HAM).read_bytes()).of("pipe")
    assert (action.certain, action.values[0]) == (False, "learn-ham.sh")


@pytest.mark.parametrize(
    ("chars", "actions", "keeps"),
    [
        ("keep;", [("keep", True)], True),
        ("discard;", [("discard", True)], False),
        ('require ["copy","fileinto"]; fileinto :copy "a";', [("fileinto", True)], True),
        ('if header "a" "b" { discard; } else { discard; }', [("discard", False), ("discard", False)], False),
        ('if header "a" "b" { discard; }', [("discard", False)], None),
        ('if header "a" "b" { stop; } discard;', [("discard", False)], None),
        ("if false { discard; } elsif true { keep; } else { stop; }", [("keep", True)], True),
        ("if not allof (true, false) { discard; }", [("discard", True)], False),
        ("stop; discard;", [], True),
        ("if true { stop; } discard;", [], True),
        ('frop; redirect "a@b.c";', [("redirect", True)], False),
        ("if [ { discard; } keep;", [("discard", False), ("keep", True)], None),
        ("if true {} else if true { discard; }", [], True),
        ('require "include"; include "x"; keep;', [("include", True), ("keep", False)], None),
        ('require "foreverypart"; foreverypart { discard; break; } keep;', [("discard", False), ("keep", True)], None),
    ],
)
def test_actions_are_certain_or_may_be(chars: str, actions: object, keeps: bool | None) -> None:
    found = outcome(chars)
    assert [(action.kind, action.certain) for action in found.actions] == actions
    assert found.keeps is keeps


def test_variables_are_followed() -> None:
    chars = (
        'require ["variables", "fileinto"]; set :upper "a" "x${b}"; '
        'if header :matches "List-Id" "<*.*>" { set "a" "${1}-${2}"; } fileinto "lists/${a}";'
    )
    assert outcome(chars, {"list-id": ("<one.example.com>",)}).actions[0].values == ("lists/one-example.com",)
    assert outcome(chars, {"list-id": ()}).actions[0].values == ("lists/X",)
    assert outcome(chars).actions[0].values == (None,)


@pytest.mark.parametrize(
    ("text", "key", "values"),
    [
        ("frop", "*", ("frop", "frop")),
        ("", "*", ("", "")),
        ("a.b.c", "*.*", ("a.b.c", "a", "b.c")),
        ("abc", "a?c", ("abc", "b")),
        ("abc", "a??c", None),
        ("a*c", r"a\*c", ("a*c",)),
        ("abc", r"a\*c", None),
        ("ABC", "a*", ("ABC", "BC")),
        ("abcabd", "*abd", ("abcabd", "abc")),
        ("ab", "abc", None),
    ],
)
def test_wildcards_take_as_little_as_they_can(text: str, key: str, values: tuple[str, ...] | None) -> None:
    assert wildcards(text, key) == values


def test_wildcards_take_bounded_time() -> None:
    assert wildcards("a" * 3000, "*a" * 300 + "b") is None


# The scripts of a host

OLD = f"""
protocol lmtp {{
  mail_plugins = sieve
}}
plugin {{
  sieve = file:~/sieve;active=~/.dovecot.sieve
  sieve_before = {LIBRARY}/before
  sieve_before2 = file:{LIBRARY}/spam.sieve;name=spam
  sieve_after = ldap:/etc/dovecot/x.conf
  imapsieve_mailbox1_name = Junk
  imapsieve_mailbox1_causes = COPY
  imapsieve_mailbox1_before = file:{LIBRARY}/report-spam.sieve
  imapsieve_mailbox2_name = *
  imapsieve_mailbox2_from = Junk
  imapsieve_mailbox2_causes = COPY FLAG
  imapsieve_mailbox2_before = file:{LIBRARY}/gone.sieve
  sieve_plugins = sieve_imapsieve sieve_extprograms
  sieve_global_extensions = +vnd.dovecot.pipe -regex
  sieve_pipe_bin_dir = {LIBRARY}
}}
"""
NEW = f"""
dovecot_config_version = 2.4.0
dovecot_storage_version = 2.4.0
sieve_plugins = sieve_imapsieve sieve_extprograms
sieve_global_extensions {{
  vnd.dovecot.pipe = yes
}}
sieve_pipe_bin_dir = {LIBRARY}
sieve_script personal {{
  path = ~/sieve
  active_path = ~/.dovecot.sieve
}}
sieve_script spam {{
  type = before
  path = {LIBRARY}/spam.sieve
}}
namespace inbox {{
  mailbox Junk {{
    sieve_script spam {{
      type = before
      cause = copy
      path = {LIBRARY}/report-spam.sieve
    }}
  }}
}}
imapsieve_from Junk {{
  sieve_script ham {{
    type = before
    cause = copy
    path = {LIBRARY}/gone.sieve
  }}
}}
"""
SCRIPTS = {
    f"{LIBRARY}/before/10-a.sieve": "keep;\n",
    f"{LIBRARY}/before/20-b.sieve": 'require "regex"; keep;\n',
    f"{LIBRARY}/spam.sieve": 'require "fileinto"; fileinto "Junk";\n',
    f"{LIBRARY}/report-spam.sieve": 'require ["vnd.dovecot.pipe", "copy"]; if true { pipe :copy "learn.sh" ["x"]; }\n',
    f"{LIBRARY}/learn.sh": "#!/bin/sh\n",
}


def model(dovecot: str, **more: str) -> Sieve:
    version = (0, "2.4.1\n" if "config_version" in dovecot else "2.3.21.1\n")
    asked = sources({"/etc/dovecot/dovecot.conf": dovecot, **SCRIPTS, **more}, {Command.DOVECOT_VERSION: version})
    slot = read_sieve(asked, read_dovecot(asked))
    assert isinstance(slot, Known)
    return slot.value


def test_the_scripts_of_dovecot_2_3() -> None:
    sieve = model(OLD)
    assert [(use.when, use.mailbox, use.source, use.causes) for use in sieve.uses] == [
        ("before", None, None, None),
        ("before", None, None, None),
        ("personal", None, None, None),
        ("after", None, None, None),
        ("imap before", "Junk", None, ("COPY",)),
        ("imap before", "*", "Junk", ("COPY", "FLAG")),
    ]
    first, second, personal, after, spam, ham = sieve.uses
    assert first.paths == (f"{LIBRARY}/before/10-a.sieve", f"{LIBRARY}/before/20-b.sieve")
    assert second.paths == (f"{LIBRARY}/spam.sieve",)
    assert (personal.location, personal.paths, personal.is_global) == ("~/.dovecot.sieve", (), False)
    assert after.location is None
    assert spam.setting.span.chars.endswith("report-spam.sieve")
    assert sieve.missing == ham.paths == (f"{LIBRARY}/gone.sieve",)
    assert "vnd.dovecot.pipe" in sieve.available - sieve.user_extensions
    [problem] = sieve.refusals
    assert (problem.span.path, problem.span.chars) == (f"{LIBRARY}/before/20-b.sieve", '"regex"')


def test_the_scripts_of_dovecot_2_4() -> None:
    sieve = model(NEW)
    assert [(use.when, use.mailbox, use.source, use.causes, use.location) for use in sieve.uses] == [
        ("before", None, None, None, f"{LIBRARY}/spam.sieve"),
        ("personal", None, None, None, "~/.dovecot.sieve"),
        ("imap before", "Junk", None, ("COPY",), f"{LIBRARY}/report-spam.sieve"),
        ("imap before", "*", "Junk", ("COPY",), f"{LIBRARY}/gone.sieve"),
    ]
    assert not sieve.refusals
    assert sieve.missing == (f"{LIBRARY}/gone.sieve",)


@pytest.mark.parametrize(
    ("lines", "causes"),
    [
        ("", ()),
        ("cause = copy,append", ("APPEND", "COPY")),
        ("cause = COPY FLAG", ("COPY", "FLAG")),
        ("cause = append COPY", ("APPEND",)),  # sorted with the capitals first, and searched as if there were none
        ("cause {\n append = yes\n copy = no\n}", ("APPEND",)),
        ("cause = append\ncause {\n copy = yes\n}", ("APPEND", "COPY")),
    ],
)
def test_dovecot_2_4_runs_a_script_for_the_causes_that_it_finds(lines: str, causes: tuple[str, ...]) -> None:
    [_, _, spam, _] = model(NEW.replace("cause = copy", lines, 1)).uses
    assert spam.causes == causes


def test_programs_have_their_place_and_their_file() -> None:
    [program] = model(OLD).programs
    assert (program.name, program.path, program.token.span.chars) == ("learn.sh", f"{LIBRARY}/learn.sh", '"learn.sh"')
    assert isinstance(program.text, Text)


def test_an_extension_that_is_not_turned_on_is_refused() -> None:
    sieve = model(OLD.replace("+vnd.dovecot.pipe", ""))
    assert '"vnd.dovecot.pipe"' in [problem.span.chars for problem in sieve.refusals]


@pytest.mark.parametrize(
    ("files", "installed", "is_refused"),
    [("2.4.0", "2.4.1", True), ("2.4.0", "2.4.5", False), ("2.4.2", "", False), ("2.4.0", "", False)],
)
def test_an_expression_is_judged_by_the_release_that_runs(files: str, installed: str, is_refused: bool) -> None:
    """What regcomp() refuses and PCRE2 takes."""
    script = 'require "regex"; if header :regex "Subject" "^(?:a|b)" { keep; }\n'
    dovecot = NEW.replace("dovecot_config_version = 2.4.0", f"dovecot_config_version = {files}")
    answered = {Command.DOVECOT_VERSION: (0, f"{installed} (742bb892)\n")} if installed else {}
    asked = sources({"/etc/dovecot/dovecot.conf": dovecot, **SCRIPTS, f"{LIBRARY}/spam.sieve": script}, answered)
    slot = read_sieve(asked, read_dovecot(asked))
    assert isinstance(slot, Known)
    assert bool(slot.value.refusals) == is_refused


def test_a_script_may_be_as_large_as_is_set() -> None:
    large = f"keep;\n#{'x' * LARGEST}\n"
    assert model(NEW, **{f"{LIBRARY}/spam.sieve": large}).refusals
    assert not model(f"{NEW}sieve_max_script_size = 2M\n", **{f"{LIBRARY}/spam.sieve": large}).refusals
    assert not model(f"{NEW}sieve_max_script_size = unlimited\n", **{f"{LIBRARY}/spam.sieve": large}).refusals


def test_dovecot_2_4_has_its_own_comparators_whatever_is_set() -> None:
    script = {f"{LIBRARY}/spam.sieve": 'require ["fileinto", "comparator-i;octet"]; keep;\n'}
    assert not model(f"{NEW}sieve_extensions = fileinto copy\n", **script).refusals
    old = model(OLD.replace("plugin {", "plugin {\n  sieve_extensions = fileinto"), **script)
    assert '"comparator-i;octet"' in [problem.span.chars for problem in old.refusals]


def test_a_script_answers_what_rules_ask() -> None:
    script = model(OLD).scripts[f"{LIBRARY}/spam.sieve"]
    assert isinstance(script, Script)
    assert [action.values[0] for action in script.outcome().of("fileinto")] == ["Junk"]
    assert script.required["fileinto"].span.chars == '"fileinto"'


# Agreement


def wrong(row: Row) -> tuple[str, ...]:
    assert row.agree + len(row.explained) + len(row.wrong) == row.of
    return row.wrong


@pytest.mark.skipif(not CORPORA.is_dir(), reason="the collection of real files is not beside this checkout")
def test_real_scripts_are_read() -> None:
    [row] = [row for row in agreement.rows(CORPORA, 0) if row.subject == "sieve: real scripts are read"]
    assert row.of >= 16
    assert not wrong(row)


def judge_of(root: daemons.Root, room: Path) -> agreement.Judge:
    version = "2.3" if root is daemons.HERE else "2.4"
    shutil.copy(FIXTURES / f"dovecot-{version}.conf", room / "dovecot.conf")

    def judge(data: bytes) -> tuple[bool, str]:
        (room / "script.sieve").write_bytes(data)
        inside = root.inside(room)
        done = root.run("sievec", "-c", f"{inside}/dovecot.conf", f"{inside}/script.sieve", f"{inside}/script.svbin")
        return done.returncode == 0, done.stderr

    return judge


@pytest.mark.daemon
@pytest.mark.parametrize("root", daemons.roots(), ids=lambda root: root.name)
def test_sievec_agrees(root: daemons.Root, tmp_path: Path) -> None:
    daemons.need(root, "sievec")
    room = root.room(tmp_path)
    release = {"installed": agreement.OLD, "newer": agreement.NEW, "newest": agreement.NEWEST}[root.name]
    try:
        judge = judge_of(root, room)
        whole = [path.read_bytes() for path in (*FIXTURES.glob("*.sieve"), *agreement.EXAMPLES.glob("*.sieve"))]
        assert not wrong(agreement.compare("whole scripts", whole, judge, release))
        assert not wrong(agreement.compare("single commands", agreement.words(), judge, release))
        assert not wrong(agreement.compare("single faults", agreement.mutants(150, 7), judge, release))
    finally:
        if room != tmp_path:
            shutil.rmtree(room)


@pytest.mark.daemon
@pytest.mark.parametrize("root", daemons.roots(), ids=lambda root: root.name)
def test_sieve_test_agrees_on_where_a_message_ends(root: daemons.Root) -> None:
    """All that a script looks at is known here, so nothing may be left in doubt."""
    daemons.need(root, "sieve-test")
    enter = () if root.path is None else ("chroot", str(root.path))
    with tempfile.TemporaryDirectory(dir=root.path and root.path / "tmp") as name:  # sieve-test gives up root's rights:
        folder = Path(name)
        folder.chmod(0o755)  # every folder above must let it in
        row = running.row(running.Place(folder, root.inside(folder), enter, is_new=root is not daemons.HERE), 80, 7)
    assert not wrong(row)


# Origins


def test_a_value_changes_with_its_written_characters() -> None:
    """Every string of a script leads back to the characters it was written as: replaced there, it is replaced."""
    strings = [
        token for call in calls(tree(FILTERS).statements) for each in call.walk() for a in each.arguments for token in a.tokens
    ]
    strings = [token for token in strings if token.kind in ("string", "text")]
    assert len(strings) > 40
    for number, token in enumerate(strings):
        chars = token.text.chars
        changed = tree(chars[: token.start] + '"another"' + chars[token.end :])
        again = [t for call in calls(changed.statements) for each in call.walk() for a in each.arguments for t in a.tokens]
        again = [t for t in again if t.kind in ("string", "text")]
        assert [t.value for t in again] == [t.value if t is not token else "another" for t in strings], number
