"""The laws of the house (docs/architecture.md) that are about the code itself, read from its imports."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from mailaudit import rulebook
from mailaudit.checks import CHECKS

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "mailaudit"

# Law 1. A module may import only from floors below its own; within a floor, only as the circle test allows.
FLOORS: tuple[tuple[str, ...], ...] = (
    ("choices", "exitcodes", "text", "wording"),
    ("edits",),
    ("questions",),
    ("findings", "fingerprints", "snapshot", "recording"),
    ("parsers",),
    ("editing",),
    ("models",),
    ("checks", "collect", "comparing", "concluding", "converting", "relevance", "rulebook", "settings", "survey"),
    ("audit", "auditor", "founding", "trace", "worklist"),
    ("repair",),
    ("apply", "reports"),
    ("output",),
    ("commands",),
    ("cli",),
    ("__main__",),
)
FLOOR = {room: number for number, rooms in enumerate(FLOORS) for room in rooms}

# Law 2. Each package has one door.
DOORS = {
    "typer": ("cli",),
    "click": ("cli",),
    "rich": ("cli", "reports.terminal"),
    "asyncssh": ("collect.ssh", "apply"),
    "pyparsing": ("parsers",),
    "dns": ("collect.dns", "models.zone"),
    "cryptography": ("models.certificates",),
    "OpenSSL": ("collect.tls",),
}
PURE = (
    "checks",
    "comparing",
    "converting",
    "editing",
    "fingerprints",
    "founding",
    "models",
    "parsers",
    "survey",
    "repair",
    "reports",
    "trace",
    "worklist",
)
IO_MODULES = {"socket", "ssl", "asyncio", "subprocess", "os", "pathlib", "shutil", "tempfile", "selectors", "urllib", "http"}


@dataclass(frozen=True, slots=True)
class Module:
    """What laws ask of a module; the tree itself is not kept."""

    docstring: str | None
    imports: frozenset[str]
    calls: frozenset[str]
    attributes: frozenset[str]
    strings: tuple[str, ...]


def read(path: Path) -> Module:
    tree = ast.parse(path.read_text("utf-8"))
    nodes = list(ast.walk(tree))
    return Module(
        ast.get_docstring(tree),
        frozenset(imports(nodes)),
        frozenset(node.func.id for node in nodes if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)),
        frozenset(
            f"{node.value.id}.{node.attr}"
            for node in nodes
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name)
        ),
        tuple(node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)),
    )


@pytest.fixture(scope="module")
def modules() -> dict[str, Module]:
    found = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE).with_suffix("").parts
        found[".".join(part for part in parts if part != "__init__")] = read(path)
    return found


def imports(nodes: list[ast.AST]) -> Iterator[str]:
    for found in nodes:
        if isinstance(found, ast.Import):
            yield from (alias.name for alias in found.names)
        elif isinstance(found, ast.ImportFrom):
            assert not found.level, "imports are absolute"
            module = found.module or ""
            if module in (
                "mailaudit",
                "mailaudit.models",
                "mailaudit.checks",
                "mailaudit.editing",
                "mailaudit.parsers",
                "mailaudit.reports",
            ):
                for alias in found.names:
                    whole = PACKAGE.joinpath(*module.split(".")[1:], alias.name)
                    yield f"{module}.{alias.name}" if whole.is_dir() or whole.with_suffix(".py").exists() else module
            else:
                yield module


def own(module: Module) -> set[str]:
    return {name.removeprefix("mailaudit.") for name in module.imports if name.startswith("mailaudit.")}


def room(module: str) -> str:
    return module.split(".", 1)[0]


def test_imports_point_down(modules: dict[str, Module]) -> None:
    wrong = [
        f"{name} must not import {target}"
        for name, module in modules.items()
        if name
        for target in own(module)
        if room(target) != room(name) and FLOOR[room(target)] > FLOOR[room(name)]
    ]
    assert wrong == []


def test_what_checks_know_others_learn_of_the_models(modules: dict[str, Module]) -> None:
    ask = {room(name) for name, module in modules.items() if any(room(target) == "checks" for target in own(module))}
    assert ask == {"auditor", "checks"}


def test_no_module_imports_itself_by_a_circle(modules: dict[str, Module]) -> None:
    graph = {name: {t for t in own(module) if t in modules and t != name} for name, module in modules.items()}
    done: set[str] = set()

    def visit(name: str, path: tuple[str, ...]) -> None:
        assert name not in path, " -> ".join((*path, name))
        if name not in done:
            for target in sorted(graph[name]):
                visit(target, (*path, name))
            done.add(name)

    for name in graph:
        visit(name, ())


@pytest.mark.parametrize("package", DOORS)
def test_one_door_for_each_package(package: str, modules: dict[str, Module]) -> None:
    for name, module in modules.items():
        if any(each.split(".")[0] == package for each in module.imports):
            assert any(name == door or name.startswith(door + ".") for door in DOORS[package]), f"{name} imports {package}"


def test_below_the_neck_nothing_is_opened(modules: dict[str, Module]) -> None:
    forbidden = {"open", "input", "exec", "eval", "__import__"}
    for name, module in modules.items():
        if room(name) in PURE:
            used = {each.split(".")[0] for each in module.imports} & IO_MODULES
            assert not used, f"{name} imports {sorted(used)}"
            assert "collect" not in {room(target) for target in own(module)}, name
            assert not module.calls & forbidden, f"{name} calls {sorted(module.calls & forbidden)}"


# Law 13. Programs of this machine are run by two modules: the machine's own collector (`scan /`), and git for `--since`.
RUN_PROGRAMS = {"collect.ssh.local": {"asyncio.create_subprocess_exec"}, "collect.git": {"subprocess", "subprocess.Popen"}}
STARTING = re.compile(
    r"os\.(?:system|popen|startfile|(?:posix_)?spawn\w*|exec[lv]\w*|fork\w*)|(?:pty|subprocess)\.(?:[a-z]\w+|Popen)|Popen"
    r"|(?:\w+\.)?(?:create_)?subprocess_(?:exec|shell)"
)


def test_programs_are_run_by_two_modules(modules: dict[str, Module]) -> None:
    for name, module in modules.items():
        packages = {each.split(".")[0] for each in module.imports} & {"subprocess", "multiprocessing", "pty", "ctypes", "runpy"}
        starts = {each for each in {*module.attributes, *module.calls} if STARTING.fullmatch(each)}
        found = (packages | starts) - RUN_PROGRAMS.get(name, set())
        assert not found, f"{name} may not run programs: {sorted(found)}"


def test_help_pays_for_no_parser_dns_ssh_or_crypto() -> None:
    code = (
        "import sys\n"
        "sys.argv = ['mailaudit', '--help']\n"
        "from mailaudit.cli import main\n"
        "try:\n    main()\n"
        "except SystemExit:\n    pass\n"
        "heavy = {'pyparsing', 'dns', 'asyncssh', 'cryptography', 'OpenSSL', 'asyncio'}\n"
        "ours = {'mailaudit.parsers', 'mailaudit.models', 'mailaudit.checks', 'mailaudit.audit', 'mailaudit.auditor'}\n"
        "print(sorted((heavy | ours) & set(sys.modules)), file=sys.stderr)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr.strip() == "[]"


def test_a_scan_of_files_pays_for_no_event_loop() -> None:
    code = (
        "import sys, mailaudit.commands.ahead, mailaudit.commands.scan\n"
        "unused = {'asyncio', 'asyncssh', 'concurrent.futures', 'dns', 'OpenSSL', 'ssl', 'mailaudit.comparing'}\n"
        "print(sorted(unused & set(sys.modules)))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_login_waits_for_nothing_that_reads_or_judges() -> None:
    code = (
        "import sys, mailaudit.cli, mailaudit.commands.ahead, mailaudit.collect.ssh.host\n"
        "rooms = {'audit', 'auditor', 'checks', 'models', 'parsers', 'settings', 'survey'}\n"
        "from mailaudit.commands.looking import entering\n"
        "entering(mailaudit.choices.Looking(trust_anchor='no such file', ca_file='no such file'))\n"
        "ours = {name.split('.')[1] for name in sys.modules if name.startswith('mailaudit.')}\n"
        "print(sorted(rooms & ours), 'dns' in sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[] False"


def test_pages_and_functions_are_paired() -> None:
    pages = rulebook.load().pages
    assert sorted(CHECKS) == sorted(pages)


def test_names_of_rules_are_unique_and_pages_lie_in_their_subject() -> None:
    book = rulebook.load()
    assert len(book.by_name) == len(book.pages)
    for path in (ROOT / "rules").rglob("*.md"):
        assert path.parent.parent == ROOT / "rules", path


def test_every_module_says_its_purpose_in_a_docstring(modules: dict[str, Module]) -> None:
    assert [name for name, module in modules.items() if name and not module.docstring] == []


def test_no_vague_rooms(modules: dict[str, Module]) -> None:
    vague = {"utils", "util", "core", "manager", "helpers", "helper", "common", "misc"}
    assert not {part for name in modules for part in name.split(".")} & vague


POSSESSIVE = re.compile(r"(?<!\\)\)(?:[*+?]|\{[0-9,]*\})\+|\(\?>")


def test_no_pattern_has_possessive_groups(modules: dict[str, Module]) -> None:
    """Debian 12's Python 3.11.2 matches them wrongly where a group could match in two ways (CPython issue 106052)."""
    found = [(name, each) for name, module in modules.items() for each in module.strings if POSSESSIVE.search(each)]
    assert found == []
