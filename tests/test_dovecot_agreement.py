"""mailaudit takes and refuses of Dovecot's files what doveconf does, at its line, and makes the same settings of them."""

from __future__ import annotations

import random
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from daemons import Root, need, roots
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.agreement import CORPORA
from bench.agreement.dovecot import FOLDER, MAIN, alone, hosts, model_of, real_files, refused_lines, rows, vectors
from bench.agreement.dovecot_dumps import differences
from bench.agreement.dovecot_live import EXPLAINED, Ask, compare, files_of, mutants, trees
from mailaudit.models.dovecot.config import DovecotConfig
from mailaudit.models.dovecot.settings import NEW, OLD

FIXTURES = Path(__file__).parent / "fixtures" / "configs" / "dovecot"
needs_corpora = pytest.mark.skipif(not CORPORA.is_dir(), reason="the corpora of real files are not beside this checkout")
HOSTS = {family: (FIXTURES / family / "host.conf").read_text() for family in (OLD, NEW)}


@needs_corpora
def test_recorded_answers() -> None:
    found = list(rows(CORPORA))
    assert [row.wrong for row in found if row.wrong] == []
    assert all(row.agree + len(row.explained) == row.of for row in found)
    assert sum(row.of for row in found if "effective" in row.subject) > 600


@needs_corpora
def test_a_sample_is_a_sample() -> None:
    assert max(row.of for row in rows(CORPORA, 5)) <= 5
    assert min(len(list(source(CORPORA))) for source in (vectors, real_files, hosts)) > 10


def test_the_comparison_sees_what_differs() -> None:
    model = model_of({MAIN: b"mail_home = /a\nservice auth {\n  user = root\n}\n"}, OLD)
    same = "mail_home = /a\nservice auth {\n  user = root\n}\n"
    assert differences(model, same) == []
    assert differences(model, same.replace("/a", "/b")) == ["mail_home is '/b' to doveconf, '/a' to mailaudit"]
    assert differences(model, same.replace("root", "x")) == ["service auth/user is 'x' to doveconf, 'root' to mailaudit"]
    assert differences(model, "mail_home = /a\n") == ["mailaudit has service auth/user = 'root', doveconf nothing"]
    assert differences(model, same + "mail_debug = yes\n") == ["doveconf has mail_debug = 'yes', mailaudit nothing"]
    case = alone("x", b"nonsense = 1\n", NEW, ok=False, errors=("FILE line 1: Unknown setting",))
    assert [line for line, _ in refused_lines(model_of(case.files, NEW))] == [case.line]


# Live


@pytest.fixture(params=roots(), ids=lambda root: root.name)
def doveconf(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[str, Ask]]:
    """The family of a root's doveconf, and a way to ask it."""
    root: Root = request.param
    need(root, "doveconf")
    family = ".".join(root.run("dovecot", "--version").stdout.split(".")[:2])
    room = root.room(tmp_path)

    def ask(data: bytes) -> tuple[int, str, str]:
        (room / "dovecot.conf").write_bytes(data)
        done = root.run("doveconf", "-n", "-c", f"{root.inside(room)}/dovecot.conf")
        return done.returncode, done.stdout, done.stderr

    yield family, ask
    if root.path is not None:
        shutil.rmtree(room)


@pytest.mark.daemon
def test_own_files_are_read_as_doveconf_reads_them(doveconf: tuple[str, Ask]) -> None:
    family, ask = doveconf
    row = compare("files", files_of(FIXTURES / family), family, ask, explained=EXPLAINED)
    assert row.wrong == ()
    assert row.of > 25


@pytest.mark.daemon
def test_single_faults_are_judged_as_doveconf_judges_them(doveconf: tuple[str, Ask]) -> None:
    family, ask = doveconf
    sound = [(name, text) for name, text in files_of(FIXTURES / family) if not name.startswith("bad")]
    texts = [(f"{name} {number}", each) for name, text in sound for number, each in enumerate(mutants(text, 20, 1))]
    row = compare("single faults", texts, family, ask, explained=EXPLAINED)
    assert row.wrong == ()
    assert row.agree > 0.95 * row.of


@needs_corpora
@pytest.mark.daemon
@pytest.mark.parametrize("root", roots(), ids=lambda root: root.name)
def test_whole_trees_are_read_as_doveconf_reads_them(root: Root, tmp_path: Path) -> None:
    need(root, "doveconf")
    family = ".".join(root.run("dovecot", "--version").stdout.split(".")[:2])
    room = root.room(tmp_path)

    def ask(folder: Path) -> tuple[int, str, str]:
        shutil.copytree(folder, room / folder.name)
        done = root.run("doveconf", "-n", "-c", f"{root.inside(room)}/{folder.name}/dovecot.conf")
        return done.returncode, done.stdout, done.stderr

    row = trees(CORPORA, family, ask)
    if root.path is not None:
        shutil.rmtree(room)
    assert row.wrong == ()
    assert row.of > (30 if family == OLD else 0)


# Origins


def values(model: DovecotConfig) -> list[tuple[str, str, str, str]]:
    """Every setting with the section it stands in."""
    return [(s.type, s.name, name, each.value) for s in model.root.walk() for name, each in sorted(s.settings.items())]


def tops(text: str) -> list[str]:
    """The top-level statements of a file, each with its line ends."""
    found: list[str] = []
    depth = 0
    for line in text.splitlines(keepends=True):
        if depth == 0:
            found.append(line)
        else:
            found[-1] += line
        depth += line.rstrip().endswith("{") - (line.strip() == "}")
    return found


@pytest.mark.parametrize("family", [OLD, NEW])
@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_an_included_file_may_stand_in_the_includes_place(family: str, data: st.DataObject) -> None:
    statements = tops(HOSTS[family])
    first = data.draw(st.integers(2 if family == NEW else 0, len(statements) - 1))  # the versions stay where they are
    last = data.draw(st.integers(first, len(statements)))
    part = "".join(statements[first:last])
    main = "".join([*statements[:first], "!include part.conf\n", *statements[last:]])
    apart = model_of({MAIN: main.encode(), f"{FOLDER}/part.conf": part.encode()}, family)
    whole = model_of({MAIN: HOSTS[family].encode()}, family)
    assert values(apart) == values(whole)
    for section in apart.root.walk():
        for setting in section.settings.values():
            assert setting.statement is not None
            where = setting.span.text
            assert setting.span.chars in (part if where.path.endswith("part.conf") else main)


@pytest.mark.parametrize(
    ("family", "name", "variable"),
    [(OLD, "log_path", "$log_path"), (OLD, "mail_plugins", "$mail_plugins"), (NEW, "log_path", "$SET:log_path")],
)
@given(value=st.from_regex(r"[a-z/][a-z0-9_/]{0,20}", fullmatch=True), tail=st.sampled_from(["", " more", " a  b"]))
def test_a_variable_may_stand_in_its_values_place(family: str, name: str, variable: str, value: str, tail: str) -> None:
    versions = "dovecot_config_version = 2.4.0\ndovecot_storage_version = 2.4.0\n" if family == NEW else ""
    user = "login_greeting" if name == "log_path" else name
    texts = [f"{versions}{name} = {value}\n{user} = {word}{tail}\n" for word in (variable, value)]
    through, plain = (model_of({MAIN: text.encode()}, family) for text in texts)
    assert through.setting(user).value.split() == plain.setting(user).value.split() == f"{value}{tail}".split()
    assert through.setting(user).span.chars == f"{variable}{tail}"


@pytest.mark.parametrize("family", [OLD, NEW])
def test_every_value_leads_to_what_is_written(family: str) -> None:
    for _name, text in files_of(FIXTURES / family):
        model = model_of({MAIN: text.encode()}, family)
        for section in model.root.walk():
            for setting in section.settings.values():
                if setting.statement is not None and setting.token is not None and "$" not in setting.token.value:
                    assert text[setting.span.start : setting.span.end] == setting.span.chars
                    assert (
                        setting.token.value in setting.span.chars.replace('\\"', '"').replace("\\\n", "")
                        or "\\" in setting.span.chars
                    )


def test_mutants_differ_and_come_again() -> None:
    text = HOSTS[OLD]
    found = list(mutants(text, 50, 3))
    assert found == list(mutants(text, 50, 3))
    assert sum(each != text for each in found) > 40
    assert random.Random(1).random() != random.Random(2).random()
