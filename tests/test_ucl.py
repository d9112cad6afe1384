"""UCL: its statements, its values, what is said of broken ones, and how files merge."""

from __future__ import annotations

import json
import random
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from daemons import Root, need, roots, rspamadm
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.agreement import CORPORA
from bench.agreement.ucl import Disk, read, rows, same
from mailaudit.models.ucl.document import Chunk, Evaluation
from mailaudit.models.ucl.values import Json, Value, as_json
from mailaudit.parsers import ucl
from mailaudit.parsers.tree import Problem, Statement, Tree, gaps, nothing, render
from mailaudit.text import Text

FIXTURES = Path(__file__).parent / "fixtures/configs/rspamd"
EVERY = pytest.mark.parametrize("root", roots(), ids=lambda root: root.name)


def parse(chars: str) -> Tree:
    tree = ucl.parse(Text.of("/f", chars), nothing)
    assert render(tree) == chars.encode()
    assert all(ucl.LANGUAGE.trivia.fullmatch(gap.chars) for gap in gaps(tree))
    return tree


def meant(chars: str) -> Json:
    evaluation, wrong = read(Text.of("/f", chars))
    assert not wrong
    return as_json(evaluation.root)


def problems(tree: Tree) -> list[Problem]:
    return [statement.problem for statement in tree.unread() if statement.problem is not None]


def shape(statement: Statement) -> object:
    """A statement as its kind, names and value, or body."""
    node = statement.node
    keys = node.node("keys")
    names = [token.value for token in keys.leaves()] if keys is not None else []
    value = node.node("value")
    if statement.is_block:
        return (statement.kind, names, [shape(each) for each in statement.body])
    return (statement.kind, names, (value.first.kind, value.first.value) if value is not None else None)


# Statements


def test_statements_have_their_names_and_values() -> None:
    tree = parse('a = 1;\nb "x y" { c: [1, {d e}] }\n.include(try=true; priority=1,duplicate=merge) "$CONFDIR/x";\n')
    setting, section, macro = tree.statements
    assert shape(setting) == ("setting", ["a"], ("integer", "1"))
    inner: object = ("section", [], [("setting", ["d"], ("word", "e"))])
    assert shape(section) == ("section", ["b", "x y"], [("array", ["c"], [("item", [], ("integer", "1")), inner])])
    arguments = [[token.value for token in each.leaves()] for each in macro.node.nodes("argument")]
    assert arguments == [["try", "true"], ["priority", "1"], ["duplicate", "merge"]]
    value = macro.node.node("value")
    assert value is not None
    assert value.first.value == "$CONFDIR/x"
    assert [token.kind for token in setting.tokens] == ["key", "=", "integer", ";"]
    assert [token.kind for token in section.close] == ["}"]


@pytest.mark.parametrize(
    ("written", "kind", "value"),
    [
        ("10", "integer", 10),
        ("-10", "integer", -10),
        ("007", "integer", 7),
        ("0x1f", "integer", 31),
        ("10k", "integer", 10_000),
        ("10kb", "integer", 10_240),
        ("5m", "integer", 5_000_000),
        ("5min", "seconds", 300.0),
        ("500ms", "seconds", 0.5),
        ("1d", "seconds", 86400.0),
        ("1.5", "float", 1.5),
        ("1e3", "float", 1000.0),
        ("1.2.3", "string", "1.2.3"),
        ("10foo", "string", "10foo"),
        ("50%", "string", "50%"),
        ("127.0.0.1", "string", "127.0.0.1"),
        ('"10"', "string", "10"),
        ("Yes", "boolean", True),
        ("off", "boolean", False),
        ("null", "null", None),
        ("hello world", "string", "hello world"),
        ("'it\\'s\\n'", "string", "it's\\n"),
        ('"a\\tb\\u00e9"', "string", "a\tbé"),
        ("<<EOD\nx\ny\nEOD", "string", "x\ny"),
        ("10 # ten", "integer", 10),
        ("10 /* ten */", "string", "10"),
    ],
)
def test_values_are_typed_as_libucl_types_them(written: str, kind: str, value: object) -> None:
    evaluation, wrong = read(Text.of("/f", f"a = {written}\n"))
    assert not wrong
    found_value = evaluation.root.get("a")
    assert found_value is not None
    assert (found_value.kind, found_value.scalar) == (kind, value)


@pytest.mark.parametrize(
    ("chars", "value"),
    [
        ("a =\nb = 1\n", {"a": "b = 1"}),
        ("a = 1; // c\n", {"a": 1, "//": "c"}),
        ("a = b#c;\n", {"a": "b"}),
        ("/* x /* y */ z */ a = 1;", {"a": 1}),
        ("{ a = 1 }", {"a": 1}),
        ("a 1\r\nb 2\r\n", {"a": 1, "b": 2}),
        ("a = 1\na = 2", {"a": [1, 2]}),
        ("s x { a = 1 }\ns y { b = 2 }", {"s": [{"x": {"a": 1}}, {"y": {"b": 2}}]}),
        ("a = [1];\na = [2];", {"a": [1, 2]}),
        ("a = [1; 2,]", {"a": [1, 2]}),
        ("a b c {}", {"a": {"b": {"c": {}}}}),
        ("a = x{y}z;", {"a": "x{y}z"}),
        ("\ufeffa = 1;", {"\ufeffa": 1}),
    ],
)
def test_what_surprises_is_read_as_libucl_reads_it(chars: str, value: object) -> None:
    assert meant(chars) == value


# Diagnostics


@pytest.mark.parametrize(
    ("chars", "message", "place", "mend"),
    [
        ('a = "x" b = 1\n', 'expected ";" or a newline after the value, found "b"', "b", None),
        ("a = b, c;\n", 'expected "=" and a value after "c", found ";"', ";", None),
        ("s{ a = 1 }\n", 'expected a blank between "s" and "{"', "{", " {"),
        ("s\n{ a = 1 }\n", 'expected "{" on the line of "s", found the end of the line', "s", None),
        ("$DOMAIN { a = 1 }\n", '"$DOMAIN" must stand in double quotes to be a name', "$DOMAIN", '"$DOMAIN"'),
        ("a@b = 1\n", '"a@b" must stand in double quotes to be a name', "a@b", '"a@b"'),
        ('a = "x\n', "expected '\"' to end the string, found the end of the line", '"x\n', None),
        ('a = "x\ty";\n', "a tab must not stand in a string between double quotes", "\t", "\\t"),
        ('a = "\\u12";\n', 'expected four hexadecimal digits after "\\u"', "\\u", None),
        ("s { a = 1;\n", 'expected "}" to end what "{" begins here, found the end of the file', "{", None),
        ("s { l = [1 }\n", 'expected "]" to end what "[" begins on line 1, found "}"', "}", None),
        ("a = 1 }\n", 'nothing is open here that "}" could close', "}", None),
        ('l = ["a" "b"]\n', 'expected "," or "]" after the value, found """', '"', None),
        ("a == 1\n", 'expected a value after "=", found "="', "=", None),
        ('.inclde "x"\n', 'there is no macro ".inclde", did you mean .include?', ".inclde", ".include"),
        (".include\n;a = 1\n", 'expected a file\'s name after ".include", found ";"', ".include", None),
        ("a = <<EOD\nx\n EOD\nb = 1\n", 'expected "EOD" alone on its line to end the text, found " EOD"', " EOD", None),
        ("/* x\na = 1\n", 'expected "*/" to end the comment, found the end of the file', "/*", None),
        ("/* *\n", 'expected "*/" to end the comment, found the end of the file', "/*", None),
        ("a = 99999999999999999999\n", "the number 99999999999999999999 is out of range", "99999999999999999999", None),
        ("; a = 1\n", 'expected a name, found ";"', ";", None),
        ("a", 'expected a value after "a", found the end of the file', "a", None),
    ],
)
def test_a_broken_statement_is_named_in_plain_words(chars: str, message: str, place: str, mend: str | None) -> None:
    found = problems(parse(chars))
    assert [(p.message, p.span.chars, p.mend) for p in found[:1]] == [(message, place, mend)]
    assert all(p.refused for p in found)


@pytest.mark.parametrize("broken", ["c;", '"x', "]] ? [[", "@ = 1 = 2", "}", "a = }", ".foo bar", "= 3", "k [1; \n]]"])
def test_reading_goes_on_with_the_next_statement(broken: str) -> None:
    for before, after in (("", "\nlast = 1;\n"), ("first { x = 1; }\n", "\nlast { y = 2; }\n")):
        tree = parse(before + broken + after)
        assert problems(tree)
        assert tree.statements[-1].kind in ("setting", "section")
        keys = tree.statements[-1].node.node("keys")
        assert keys is not None
        assert keys.first.value == "last"
        assert tree.statements[-1].problem is None


def test_a_template_is_kept_and_not_said_to_be_refused() -> None:
    tree = parse('{% if env.X %}\na = "{= env.X =}";\n{% endif %}\nb = 1;\n')
    assert [problem.refused for problem in problems(tree)] == [False, False]
    evaluation, _ = read(tree.text)
    value = evaluation.root.get("a")
    assert value is not None
    assert value.templated
    assert value.text is None


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ('"{= env.ADDR|default(\'localhost\') =}:{= env.PORT | default("11333") =}"', "localhost:11333"),
        ('"glob;{= env.MIRROR | default "https://maps.example" =}/x.zst"', "glob;https://maps.example/x.zst"),
        ("'{= env.ADDR|default('local') =}'", "local"),
        ('{= env.COUNT | default("5") =}', 5),
        ("{= env.TIME|default('5') =}min", 300.0),
        ("{= env.ON|default('yes') =}; # said", True),
        ('<<E\n{= env.X | default "x, y" =}\nE', "x, y"),
        ("\"{= env.LOG|default('$DIR/log') =}\"", "/var/log"),
    ],
)
def test_a_template_that_names_its_default_is_that_default(written: str, expected: Json) -> None:
    """So 4.1.5 packages addresses and maps; 3.4 carries it out all the same."""
    parse(f"a = {written}\nl = [{written}, 2]\nb = 1;\n")
    evaluation, wrong = read(Text.of("/f", f"a = {written}\nb = 1;\n"), {"DIR": "/var"})
    assert not wrong
    assert as_json(evaluation.root) == {"a": expected, "b": 1}


@pytest.mark.parametrize(
    "written", ['"{= env.X =}"', "{=env.X=}x", "\"{= env.X | upper | default('a') =}\"", "\"{= hostname | default('a') =}\""]
)
def test_a_template_that_needs_more_than_its_default_is_not_known(written: str) -> None:
    evaluation, wrong = read(Text.of("/f", f"a = {written}\nb = 1;\n"))
    assert not wrong
    value = evaluation.root.get("a")
    assert value is not None
    assert (value.templated, value.text, value.number, value.truth) == (True, None, None, None)
    assert evaluation.root.get("b") is not None


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("a = 1;\n/** x **/\nb = 2;\n", {"a": 1, "b": 2}),
        ("a = 1; /* x **/ b = 2; /* y */\n", {"a": 1, "b": 2}),
        ("a = <<EOD\nx\nEOD", {"a": "x"}),
        ("a = <<E\nx\nE=\nE", {"a": "x\nE="}),
    ],
)
def test_what_releases_of_rspamd_read_otherwise_is_read_as_the_newest_does_and_not_certain(written: str, expected: Json) -> None:
    """3.4 refuses all of it."""
    tree = parse(written)
    assert [(problem.refused, problem.hides) for problem in problems(tree)] == [(False, True)]
    assert meant(written) == expected


@pytest.mark.daemon
@EVERY
def test_what_releases_read_otherwise(root: Root, shared: Path) -> None:
    need(root, "rspamadm")
    script = shared / "ask.lua"
    texts = ("a = 1;\\n/** x **/\\nb = 2;\\n", "a = <<EOD\\nx\\nEOD")
    script.write_text("".join(f"print(require('ucl').parser():parse_string('{text}'))\n" for text in texts))
    taken = [line.startswith("true") for line in rspamadm(root, "lua", "-b", root.inside(script)).stdout.splitlines() if line]
    release = rspamadm(root, "--version").stdout.split()[1]
    assert taken == [not release.startswith("3.")] * 2


def test_a_masked_secret_is_a_value() -> None:
    assert meant("password = {{masked:rspamd:20:abc}};\n") == {"password": "{{masked:rspamd:20:abc}}"}


def test_deep_nesting_is_kept_and_not_said_to_be_refused() -> None:
    tree = parse("a {\n" * 100 + "}\n" * 100 + "b = 1;\n")
    assert [problem.refused for problem in problems(tree)] == [False]
    assert tree.statements[-1].kind == "setting"


PARTS = '.include( |.include |.load(key=a) x|.priority 9|.inherit a|(|)|try=true|;|,|/*|*/|#|"x"|[1, 2]|=|{|}| |{%|%}'
MACROS = (*PARTS.split("|"), "\n", "{{masked:", "<<A\n", "\\")


@given(st.lists(st.sampled_from(MACROS), max_size=12).map("".join))
@settings(max_examples=300, deadline=None)
def test_macros_keep_the_laws_and_are_carried_out_without_a_crash(chars: str) -> None:
    Evaluation(Shelf(x="a = 1"), {}).run(parse(chars))


# Merging


class Shelf:
    """Files by their path."""

    def __init__(self, **files: str) -> None:
        self.files = {f"/{name}": chars for name, chars in files.items()}

    def tree(self, path: str) -> Tree | str:
        return ucl.parse(Text.of(path, self.files[path]), nothing) if path in self.files else "absent"

    def text(self, path: str) -> Text | None:
        return Text.of(path, self.files[path]) if path in self.files else None

    def matches(self, pattern: str) -> tuple[str, ...]:
        return tuple(sorted(path for path in self.files if path.startswith(pattern.rstrip("*"))))


def evaluate(main: str, **files: str) -> Evaluation:
    evaluation = Evaluation(Shelf(**files), {"LOCAL_CONFDIR": ""})
    evaluation.run(ucl.parse(Text.of("/main", main), nothing), chunk=Chunk("/main"))
    return evaluation


STOCK = """section {
    word = "stock"; list = ["a"]; many = 1; many = 2; nested { x = 1; y = 2; }
    .include(try=true; priority=1,duplicate=merge) "$LOCAL_CONFDIR/local"
    .include(try=true; priority=10) "$LOCAL_CONFDIR/override"
}
"""


def test_local_values_replace_and_sections_merge() -> None:
    found = evaluate(STOCK, local='word = "local"; list = ["b"]; many = 3; nested { y = 3; z = 4; }')
    assert as_json(found.root) == {
        "section": {"word": "local", "list": ["a", "b"], "many": 3, "nested": {"x": 1, "y": 3, "z": 4}}
    }
    word = found.root.get("section", "word")
    assert word is not None
    assert word.span.path == "/local"
    assert [(value.scalar, value.span.path) for value in word.before] == [("stock", "/main")]


def test_an_override_takes_the_place_of_whole_sections() -> None:
    found = evaluate(STOCK, local="nested { y = 3; }", override="nested { z = 4; }\nlist = []\n")
    section = found.root.get("section")
    assert section is not None
    assert as_json(section) == {"word": "stock", "list": [], "many": [1, 2], "nested": {"z": 4}}
    assert [value.span.path for value in section.members["list"][0].before] == ["/main"]


def test_a_weaker_value_that_comes_later_is_remembered_as_overridden() -> None:
    found = evaluate('.priority 3\na = 1\n.include "/weak"\n', weak="a = 2")
    value = found.root.get("a")
    assert value is not None
    assert (value.scalar, [each.scalar for each in value.before]) == (1, [2])


@pytest.mark.parametrize(
    ("main", "files", "message"),
    [
        ('.include "/x"', {}, "/x is not there"),
        ('.include(try=true) "/x"\n.include "$CURDIR/main"', {}, "/main includes itself"),
        ('a { b = 1 }\n.include(duplicate=merge) "/x"', {"x": "a = [1]"}, "an object and an array cannot be merged"),
        ('a = 1\n.include(duplicate=error) "/x"', {"x": "a = 2"}, '"a" is there already'),
        ('.inherit "none"', {}, 'there is no section "none" to inherit from'),
        (".priority x", {}, 'expected a number after ".priority", found "x"'),
        ('.include "/x"', {"x": '.include "/y"', "y": '.include "/x"'}, "more than 16 files include one another here"),
    ],
)
def test_what_libucl_refuses_beyond_grammar(main: str, files: dict[str, str], message: str) -> None:
    found = evaluate(main, **files)
    assert [problem.message for problem in found.problems if problem.refused][:1] == [message]


def test_bombs_of_includes_end() -> None:
    again = '.include "/b"\n' * 60
    found = evaluate('.include "/a"\n', a=again, b='.include "/c"\n' * 60, c=".include(try=true) '/d'\n" * 60)
    assert found.included < 3000


def test_inherited_values_give_way() -> None:
    found = evaluate('base { a = 1; b = 2; }\nmine { .inherit "base"\n b = 3; }\n')
    assert as_json(found.root) == {"base": {"a": 1, "b": 2}, "mine": {"a": 1, "b": 3}}


def test_variables() -> None:
    found = evaluate('a = "$LOCAL_CONFDIR/x ${FILENAME} $$ $NO ${NO}";\nb = \'$FILENAME\';\nc = "$$";\n')
    assert as_json(found.root) == {"a": "/x /main $ $NO ${NO}", "b": "$FILENAME", "c": "$$"}


# Origins


def scalars(value: Value, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Value]]:
    """All scalars below a value, with the way to each."""
    if value.kind == "object":
        for name, chain in value.members.items():
            for number, each in enumerate(chain):
                yield from scalars(each, (*path, name, str(number)))
    elif value.kind == "array":
        for number, each in enumerate(value.elements):
            yield from scalars(each, (*path, str(number)))
    else:
        yield path, value


class Changed:
    """The fixtures' files, one of them with other characters in one place."""

    def __init__(self, value: Value | None = None, written: str = "") -> None:
        self.value, self.written = value, written

    def tree(self, path: str) -> Tree | str:
        text = self.text(path)
        return "absent" if text is None else ucl.parse(text, nothing)

    def text(self, path: str) -> Text | None:
        text = Disk().text(path)
        token = self.value.token if self.value is not None else None
        if text is None or token is None or text.path != token.text.path:
            return text
        return Text.of(path, text.chars[: token.start] + self.written + text.chars[token.end :])

    def matches(self, pattern: str) -> tuple[str, ...]:
        return Disk().matches(pattern)


MODULES = ("dkim_signing.conf", "redis.conf", "actions.conf", "options.inc", "settings.conf", "worker-controller.inc")


def whole(files: Changed) -> Evaluation:
    """The fixtures' modules, each a section that includes them as rspamd does."""
    lines = [
        f'"{name}" {{ word = "stock"\n.include(try=true;priority=1,duplicate=merge) "$LOCAL_CONFDIR/local.d/{name}"\n'
        f'.include(try=true;priority=10) "$LOCAL_CONFDIR/override.d/{name}"\n}}\n'
        for name in MODULES
    ]
    evaluation = Evaluation(files, {"LOCAL_CONFDIR": str(FIXTURES)})
    evaluation.run(ucl.parse(Text.of("/main", "".join(lines)), nothing))
    assert not [problem for problem in evaluation.problems if problem.refused]
    return evaluation


@given(st.randoms(use_true_random=False), st.sampled_from(['"changed"', "'changed'", "changed"]))
@settings(max_examples=40, deadline=None)
def test_changing_what_is_written_of_a_value_changes_that_value_alone(rng: random.Random, written: str) -> None:
    before = dict(scalars(whole(Changed()).root))
    path, value = rng.choice([(path, value) for path, value in before.items() if value.span.path != "/main"])
    after = dict(scalars(whole(Changed(value, written)).root))
    assert before.keys() == after.keys()
    assert [each for each in before if (before[each].kind, before[each].scalar) != (after[each].kind, after[each].scalar)] == [
        path
    ]
    assert after[path].scalar == "changed"


# Agreement


@pytest.mark.skipif(not CORPORA.is_dir(), reason="the collection of real files is not beside this checkout")
def test_recorded_answers_agree() -> None:
    for row in rows(CORPORA):
        assert row.of
        assert not row.wrong, row.subject
        assert row.agree + len(row.explained) == row.of


@pytest.mark.daemon
@EVERY
def test_configdump_of_the_fixtures_agrees(root: Root, shared: Path) -> None:
    """All sections but those that rspamd's own Lua rewrites after the files are read."""
    need(root, "rspamadm")
    local = shutil.copytree(FIXTURES, shared / "rspamd")
    dumped = json.loads(rspamadm(root, f"--var=LOCAL_CONFDIR={root.inside(local)}", "configdump", "-j", "-C").stdout)
    above = str(root.path or "")
    variables = {
        "CONFDIR": f"{above}/etc/rspamd",
        "LOCAL_CONFDIR": str(local),
        "RUNDIR": "/run/rspamd",
        "DBDIR": "/var/lib/rspamd",
        "LOGDIR": "/var/log/rspamd",
        "PLUGINSDIR": "/usr/share/rspamd/plugins",
        "SHAREDIR": "/usr/share/rspamd",
        "RULESDIR": "/usr/share/rspamd/rules",
        "WWWDIR": "/usr/share/rspamd/www",
        "BRANCH_VERSION": rspamadm(root, "--version").stdout.split()[1].partition(".")[0],
    }
    main = Path(f"{above}/etc/rspamd/rspamd.conf")
    evaluation, wrong = read(Text(str(main), main.read_bytes()), variables)
    assert not wrong
    ours: Any = json.loads(json.dumps(as_json(evaluation.root, emitted=True)).replace(f"{above}/", "/"))
    assert {*ours} - {*dumped} <= {"surbl", "emails"}  # made into rbl by newer ones
    assert not {*dumped} - {*ours}
    for each in (ours["options"], dumped["options"]):
        each.pop("check_all_filters")
    for each in (ours["actions"], dumped["actions"]):
        each.pop("greylist", None)  # null, which 3.4 leaves out
    ours["worker"] = json.loads(json.dumps(ours["worker"]).replace("localhost:", "127.0.0.1:"))
    dumped["worker"] = json.loads(json.dumps(dumped["worker"]).replace("localhost:", "127.0.0.1:"))
    rewritten = {"group", "metric", "regexp", "surbl"}
    assert [name for name in dumped if name not in rewritten and not same(ours[name], dumped[name])] == []


WORDS = 'a b key x-y "q" 1 10k 5min 1.5 0x1f 1.2.3 50% yes null $X ${X} { } [ ] { } = : ; , # // /* */ . * @ \\ " \' é < nan'
PHRASES = ("<<EOD\nx\nEOD\n", "a = 1;\n", "s { ", "l = [1, 2]", 'n "m" {', "key = ", "# c\n", "/* c */")
PIECES = (*WORDS.split(), *PHRASES, "\n", "\n", " ", " ", "\t", "\r\n", "\v")


def first_line(tree: Tree) -> int:
    """The line of what libucl comes to first: a bracket that is never closed it notes at the end."""
    return min(
        (problem.message.endswith("the end of the file") and "begins here" in problem.message, problem.span.line)
        for problem in problems(tree)
    )[1]


@pytest.mark.daemon
@EVERY
def test_libucl_accepts_what_we_accept_and_refuses_it_on_the_same_line(root: Root, shared: Path) -> None:
    """Seeded random texts, asked of the libucl in rspamd."""
    need(root, "rspamadm")
    rng = random.Random(20261122)
    texts = ["".join(rng.choice(PIECES) for _ in range(rng.randrange(1, 14))) for _ in range(400)]
    texts = [text for text in texts if text.lstrip()[:1] not in ("{", "[") and "\ufffd" not in text]
    for number, text in enumerate(texts):
        (shared / str(number)).write_bytes(text.encode())
    script = shared / "ask.lua"
    script.write_text(
        "local ucl = require 'ucl'\n"
        f"for i = 0, {len(texts) - 1} do\n"
        "  local p = ucl.parser()\n"
        f"  local ok, err = p:parse_file('{root.inside(shared)}/' .. i)\n"
        "  if ok then print('OK ' .. i .. ' ' .. p:get_object_wrapped():tostring('json-compact'):gsub('\\n', ' '))\n"
        "  else print('NO ' .. i .. ' ' .. tostring(err):gsub('\\n', ' ')) end\n"
        "end\n"
    )
    done = rspamadm(root, "lua", "-b", root.inside(script))
    answers = [line for line in done.stdout.split("\n") if line.startswith(("OK ", "NO "))]
    assert len(answers) == len(texts)
    for text, answer in zip(texts, answers, strict=True):
        evaluation, wrong = read(Text.of("/f", text))
        verdict, _, said = answer.split(" ", 2)
        if any(not problem.refused for tree in evaluation.trees.values() for problem in problems(tree)):
            continue
        assert (verdict == "OK") is not bool(wrong), (text, answer, wrong)
        line = re.search(r"line: (\d+)", said)
        if verdict == "NO" and line is not None:
            assert int(line[1]) == first_line(ucl.parse(Text.of("/f", text), nothing)), (text, answer)
        if verdict == "OK":
            printed = read(Text.of("/printed", said.rsplit("\t", 1)[0]))[0].root
            assert same(as_json(evaluation.root, emitted=True), as_json(printed)), (text, answer)
