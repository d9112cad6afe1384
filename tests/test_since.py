"""Hosts that were touched since a revision of git; and that git runs nothing that a repository names."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from mailaudit.cli import run
from mailaudit.collect import git as git_module
from mailaudit.collect import since as since_module
from mailaudit.collect.git import RevisionError, held_since
from mailaudit.collect.roots import find_worlds
from mailaudit.collect.since import Since

pytestmark = pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")
NAMED = {f"GIT_{role}_{what}": "a@example.com" for role in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}


@pytest.fixture(autouse=True)
def _no_settings_of_the_user(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    monkeypatch.setenv("HOME", str(tmp_path))


def git(folder: Path, *words: str) -> str:
    environment = {name: value for name, value in os.environ.items() if name != "GIT_DIR"} | NAMED
    done = subprocess.run(["git", *words], cwd=folder, env=environment, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def lay(folder: Path, files: dict[str, str]) -> None:
    for path, text in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)


def commit(folder: Path) -> str:
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "--allow-empty", "-m", "next")
    return git(folder, "rev-parse", "HEAD")


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    folder = tmp_path / "repo"
    folder.mkdir()
    git(folder, "init", "-q", "-b", "main")
    lay(folder, {f"hosts/{name}/etc/pf.conf": f"# {name}\nblock\n" for name in ("mx1", "mx2", "mx3")})
    lay(folder, {"mailaudit.toml": "", "README": "", "hosts/b/mailaudit.toml": "", "hosts/b/mx4/etc/pf.conf": ""})
    commit(folder)
    return folder


def touched(folder: Path, revision: str = "main") -> list[str]:
    since = Since.of(str(folder), revision)
    roots = [world.root for world in find_worlds(str(folder)) if world.root is not None]
    return [root.name for root in roots if since.touches(root)]


def gone(folder: Path, revision: str = "main") -> list[str]:
    found = Since.of(str(folder), revision).gone([world.root for world in find_worlds(str(folder)) if world.root is not None])
    return [each.replace(str(folder), "") for each in found]


EVERY = ["mx4", "mx1", "mx2", "mx3"]


def written(path: str, text: str = "pass\n") -> Callable[[Path], object]:
    return lambda folder: lay(folder, {path: text})


@pytest.mark.parametrize(
    ("change", "found"),
    [
        (lambda _: None, []),
        (written("hosts/mx2/etc/pf.conf"), ["mx2"]),
        (written("hosts/mx2/etc/mail/new"), ["mx2"]),
        (written("hosts/mx2/mailaudit.toml", ""), ["mx2"]),
        (written("README"), []),
        (written("hosts/README"), []),
        (written("mailaudit.toml", "[site]\n"), EVERY),
        (lambda folder: (folder / "mailaudit.toml").unlink(), EVERY),
        (written("hosts/mailaudit.toml", ""), EVERY),
        (written("hosts/b/mailaudit.toml", "[site]\n"), ["mx4"]),
        (lambda folder: (folder / "hosts/mx1/etc/pf.conf").chmod(0o755), []),
        (lambda folder: os.utime(folder / "hosts/mx1/etc/pf.conf", (0, 0)), []),
        (lambda folder: (folder / "hosts/mx1/etc/x").symlink_to("pf.conf"), ["mx1"]),
        (lambda folder: os.mkfifo(folder / "hosts/mx1/etc/x"), ["mx1"]),
        (lambda folder: (folder / "hosts/mx1/etc/empty").mkdir(), []),
        (lambda folder: (folder / os.fsdecode(b'hosts/mx1/etc/\xff\n\t"')).write_text(""), ["mx1"]),
    ],
)
def test_which_hosts_are_touched(repository: Path, change: Callable[[Path], object], found: list[str]) -> None:
    change(repository)
    assert touched(repository) == found
    git(repository, "checkout", "-q", "-b", "topic")
    if found != ["mx1"] or not any((repository / "hosts/mx1/etc").glob("x")):
        commit(repository)
        assert touched(repository) == found


def test_odd_names_and_links_are_what_they_were_once_committed(repository: Path) -> None:
    (repository / os.fsdecode(b'hosts/mx1/etc/\xff\n\t"')).write_text("")
    (repository / "hosts/mx1/etc/link").symlink_to(os.fsdecode(b"\xfe"))
    assert touched(repository) == ["mx1"]
    commit(repository)
    assert touched(repository) == []
    (repository / "hosts/mx1/etc/link").unlink()
    (repository / "hosts/mx1/etc/link").symlink_to("pf.conf")
    assert touched(repository) == ["mx1"]


def test_what_others_did_meanwhile_is_not_ours(repository: Path) -> None:
    git(repository, "checkout", "-q", "-b", "topic")
    lay(repository, {"hosts/mx2/etc/pf.conf": "pass\n"})
    commit(repository)
    git(repository, "checkout", "-q", "main")
    lay(repository, {"hosts/mx3/etc/pf.conf": "pass\n"})
    commit(repository)
    assert touched(repository, "topic") == ["mx3"]
    git(repository, "checkout", "-q", "topic")
    assert touched(repository) == ["mx2"]
    assert touched(repository, "HEAD~1") == ["mx2"]
    assert touched(repository / "hosts/mx2") == ["mx2"]
    assert touched(repository / "hosts/mx1") == []


def test_hosts_that_are_gone_or_called_otherwise_are_told(repository: Path) -> None:
    (repository / "hosts/mx1").rename(repository / "hosts/mail1")
    shutil.rmtree(repository / "hosts/mx2")
    lay(repository, {"hosts/.old/etc/pf.conf": ""})
    assert touched(repository) == ["mail1"]
    assert gone(repository) == [
        "/hosts/mx1 was a host at main, and is /hosts/mail1 now",
        "/hosts/mx2 was a host at main, and is no host any more",
    ]


def test_what_lies_in_another_host_was_none_of_its_own(repository: Path) -> None:
    lay(repository, {"hosts/mx1/backup/etc/pf.conf": ""})
    commit(repository)
    lay(repository, {"hosts/b/etc/pf.conf": ""})  # mx4 lies in a host now, where it went unseen
    assert gone(repository) == []
    shutil.rmtree(repository / "hosts/mx1")
    assert gone(repository) == ["/hosts/mx1 was a host at main, and is no host any more"]


def test_a_repository_that_is_one_host(tmp_path: Path) -> None:
    git(tmp_path, "init", "-q", "-b", "main")
    lay(tmp_path, {"etc/pf.conf": "block\n"})
    commit(tmp_path)
    assert touched(tmp_path) == []
    lay(tmp_path, {"etc/pf.conf": "pass\n"})
    assert touched(tmp_path) == [tmp_path.name]


@pytest.mark.parametrize(("bound", "value"), [("MOST_FILES", 1), ("MAX_DEPTH", 2)])
def test_a_host_too_large_to_compare_is_taken_for_touched(
    repository: Path, monkeypatch: pytest.MonkeyPatch, bound: str, value: int
) -> None:
    lay(repository, {"hosts/mx2/etc/mail/deep": ""})
    commit(repository)
    assert touched(repository) == []
    monkeypatch.setattr(since_module, bound, value)
    assert touched(repository) == ["mx2"]


def test_a_repository_with_the_longer_names(tmp_path: Path) -> None:
    try:
        git(tmp_path, "init", "-q", "-b", "main", "--object-format=sha256")
    except subprocess.CalledProcessError:
        pytest.skip("this git has no SHA-256")
    lay(tmp_path, {"mx1/etc/pf.conf": "", "mx2/etc/pf.conf": ""})
    commit(tmp_path)
    assert touched(tmp_path) == []
    lay(tmp_path, {"mx2/etc/pf.conf": "pass\n"})
    assert touched(tmp_path) == ["mx2"]


def wrong(folder: Path, revision: str) -> tuple[str, tuple[str, ...]]:
    with pytest.raises(RevisionError) as error:
        held_since(folder, revision)
    assert error.value.code == 2
    return str(error.value).replace(str(folder), "FOLDER"), error.value.hints


@pytest.mark.parametrize(
    "revision",
    ["-x", "--output=/tmp/x", "--help", "", "a\nb", "nul\0", "HEAD:hosts", "HEAD^{tree}", "HEAD..HEAD", "@{9}", "no such"],
)
def test_revisions_that_are_none(repository: Path, revision: str) -> None:
    told, _ = wrong(repository, revision)
    assert told.startswith(f"--since {revision}: ")
    assert "expected a revision" in told or "git knows no such revision in FOLDER" in told


def test_where_there_is_nothing_to_compare_with(tmp_path: Path, repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "plain").mkdir()
    assert wrong(tmp_path / "plain", "main")[0] == "--since main: FOLDER is in no git repository"
    git(tmp_path / "plain", "init", "-q", "-b", "main")
    assert "git knows no such revision" in wrong(tmp_path / "plain", "main")[0]
    git(tmp_path / "plain", "fetch", "-q", str(repository), "main:other")
    assert wrong(tmp_path / "plain", "other")[0] == "--since other: the branch that is checked out in FOLDER has no commit yet"
    commit(tmp_path / "plain")
    assert "no commit in common" in wrong(tmp_path / "plain", "other")[0]
    assert "no work tree" in wrong(repository / ".git", "main")[0]
    monkeypatch.setenv("PATH", "relative:")
    assert wrong(repository, "main")[0] == "--since main: git is not installed, or not in PATH"


def test_a_shallow_clone_is_told_what_to_do(tmp_path: Path, repository: Path) -> None:
    first = git(repository, "rev-parse", "HEAD")
    git(repository, "checkout", "-q", "-b", "topic")
    lay(repository, {"hosts/mx2/etc/pf.conf": "pass\n"})
    commit(repository)
    git(tmp_path, "clone", "-q", "--depth", "1", f"file://{repository}", "clone")
    told, hints = wrong(tmp_path / "clone", first)
    assert "git knows no such revision in what this shallow clone has of the history" in told
    assert "fetch-depth: 0" in " ".join(hints)
    git(tmp_path / "clone", "fetch", "-q", "--depth", "1", "origin", "main:main")
    told, again = wrong(tmp_path / "clone", "main")
    assert "no commit in common with the one that is checked out in what this shallow clone has of the history" in told
    assert again == hints
    git(tmp_path / "clone", "fetch", "-q", "--unshallow")
    assert touched(tmp_path / "clone", first) == ["mx2"]


def test_another_s_repository_is_named(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")
    environment = git_module._environment  # noqa: SLF001  git's own way to test this
    monkeypatch.setattr(git_module, "_environment", lambda: environment() | {"GIT_TEST_ASSUME_DIFFERENT_OWNER": "1"})
    told, hints = wrong(repository / "hosts", "main")
    assert "which belongs to another user" in told
    assert hints == (f"if you trust it: git config --global --add safe.directory {repository}",)


def test_a_repository_too_large_or_too_slow(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(git_module, "MOST_LISTED", 40)
    assert "holds more than mailaudit compares" in wrong(repository, "main")[0]
    slow = repository.parent / "bin/git"
    slow.parent.mkdir()
    slow.write_text("#!/bin/sh\nexec sleep 20\n")
    slow.chmod(0o755)
    monkeypatch.setenv("PATH", f"{slow.parent}:{os.environ['PATH']}")
    monkeypatch.setattr(git_module, "SECONDS", 0.1)
    assert "no answer in 0.1 seconds" in wrong(repository, "main")[0]


# ---- hostile repositories


def hostile(repository: Path, canary: Path) -> Iterator[tuple[str, str]]:
    """All that a configuration can have git run, as far as it is known."""
    command = f"touch {canary}"
    for key in (
        "core.fsmonitor",
        "core.pager",
        "core.editor",
        "core.sshCommand",
        "core.gitProxy",
        "core.askPass",
        "core.alternateRefsCommand",
        "pager.ls-tree",
        "pager.rev-parse",
        "pager.merge-base",
        "diff.external",
        "diff.x.command",
        "diff.x.textconv",
        "filter.x.clean",
        "filter.x.smudge",
        "filter.x.process",
        "merge.x.driver",
        "gpg.program",
        "credential.helper",
        "uploadpack.packObjectsHook",
        "trace2.eventTarget",
    ):
        yield key, f"!{command}" if key == "credential.helper" else command
    for name in ("ls-tree", "rev-parse", "merge-base"):
        yield f"alias.{name}", f"!{command}"
    hooks = repository / ".git/evil"
    hooks.mkdir()
    for name in ("post-index-change", "reference-transaction", "post-checkout", "pre-auto-gc", "fsmonitor-watchman"):
        for where in (hooks, repository / ".git/hooks"):
            where.mkdir(exist_ok=True)
            (where / name).write_text(f"#!/bin/sh\n{command}\n")
            (where / name).chmod(0o755)
    yield "core.hooksPath", str(hooks)
    included = repository / ".git/included"
    included.write_text(f'[core]\n\tfsmonitor = "{command}"\n[pager]\n\tls-tree = "{command}"\n')
    yield "include.path", str(included)


def test_git_runs_nothing_that_a_repository_names(repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    canary = tmp_path / "canary"
    lay(repository, {".gitattributes": "* filter=x diff=x merge=x\n"})
    commit(repository)
    for key, value in hostile(repository, canary):
        git(repository, "config", "--add", key, value)
    canary.unlink(missing_ok=True)
    lay(repository, {"hosts/mx2/etc/pf.conf": "pass\n"})
    (repository / "git").write_text(f"#!/bin/sh\ntouch {canary}\n")
    (repository / "git").chmod(0o755)
    monkeypatch.setenv("PATH", f".:{repository.name}::{os.environ['PATH']}")
    monkeypatch.chdir(repository)
    assert touched(repository) == ["mx2"]
    assert gone(repository) == []
    assert not canary.exists()


def test_what_a_partial_clone_lacks_is_not_fetched(repository: Path, tmp_path: Path) -> None:
    canary = tmp_path / "canary"
    tree = git(repository, "rev-parse", "HEAD:hosts")
    (repository / ".git/objects" / tree[:2] / tree[2:]).unlink()
    for key, value in (
        ("core.repositoryFormatVersion", "1"),
        ("extensions.partialClone", "evil"),
        ("remote.evil.url", f"ext::sh -c touch% {canary}"),
        ("remote.evil.promisor", "true"),
        ("remote.evil.uploadpack", f"touch {canary};"),
        ("protocol.allow", "always"),
        ("protocol.ext.allow", "always"),
    ):
        git(repository, "config", key, value)
    told, _ = wrong(repository, "main")
    assert "lacks objects" in told or "git failed" in told
    assert not canary.exists()
    git(repository, "config", "remote.evil.url", str(repository))
    assert "lacks objects" in wrong(repository, "main")[0]
    assert not canary.exists()


def test_a_repository_in_the_folder_is_not_taken_for_its_own(repository: Path, tmp_path: Path) -> None:
    git(repository, "clone", "-q", "--bare", str(repository), str(repository / "hosts/b/bare"))
    assert "no work tree" in wrong(repository / "hosts/b/bare", "main")[0]
    assert touched(repository) == []
    monkey = {"GIT_DIR": str(tmp_path / "elsewhere"), "GIT_WORK_TREE": "/", "GIT_INDEX_FILE": "/dev/null"}
    with pytest.MonkeyPatch.context() as patch:
        for name, value in monkey.items():
            patch.setenv(name, value)
        assert touched(repository) == []


def test_a_work_tree_elsewhere_is_not_compared(repository: Path, tmp_path: Path) -> None:
    git(repository, "worktree", "add", "-q", str(tmp_path / "linked"), "HEAD")
    assert touched(tmp_path / "linked/hosts") == []
    git(repository, "config", "core.worktree", "/")
    assert "core.worktree" in wrong(repository / "hosts", "main")[0]


def test_replaced_and_grafted_history_is_not_believed(repository: Path) -> None:
    first = git(repository, "rev-parse", "HEAD")
    git(repository, "checkout", "-q", "-b", "topic")
    lay(repository, {"hosts/mx2/etc/pf.conf": "pass\n"})
    second = commit(repository)
    lay(repository, {".git/info/grafts": f"{second}\n"})  # no parent: nothing in common with the first
    assert touched(repository, first) == ["mx2"]
    git(repository, "replace", first, second)
    assert touched(repository, first) == ["mx2"]


# ---- the command


@pytest.mark.usefixtures("repository")
def test_only_touched_hosts_are_scanned(repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lay(repository, {"hosts/mx2/etc/pf.conf": "set skip on lo\nblock\n"})
    shutil.rmtree(repository / "hosts/mx3")
    assert run(["scan", str(repository), "--since", "main", "--select", "PF010", "--format", "json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert [host["name"] for host in told["hosts"]] == ["mx2"]
    assert told["errors"] == []
    gone = f"{repository}/hosts/mx3 was a host at main, and is no host any more"
    assert told["exit_reason"].endswith(f"; 2 hosts not touched since main and not scanned; {gone}")


def test_nothing_touched_is_nothing_to_do(repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["scan", str(repository), "--since", "HEAD"]) == 0
    assert "nothing to do; 4 hosts not touched since HEAD and not scanned" in " ".join(capsys.readouterr().out.split())
    assert run(["scan", str(repository), "--since", "HEAD", "--ignore", "PF", "--select", "PF"]) == 3
    assert run(["scan", str(repository), "--since", "HEAD", "--select", "NONE1"]) == 2
    lay(repository, {"mailaudit.toml": "[sight]\n"})
    assert run(["scan", str(repository), "--since", "HEAD"]) == 2


@pytest.mark.parametrize("target", ["mx1.example.com", "ssh://mx1.example.com", "hosts.tar"])
def test_only_folders_have_revisions(
    target: str, repository: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(repository)
    subprocess.run(["tar", "cf", "hosts.tar", "hosts"], check=True)
    assert run(["scan", target, "--since", "main"]) == 2
    assert "--since" in capsys.readouterr().err


def test_settings_and_authorities_that_are_named_count(repository: Path) -> None:
    lay(repository, {"ci.toml": "", "hosts/b/ca.pem": "x", "hosts/b/mailaudit.toml": '[site]\nca_file = "ca.pem"\n'})
    commit(repository)
    since = Since.of(str(repository), "HEAD")
    root = repository / "hosts/b/mx4"
    assert not since.touches(root, [repository / "ci.toml", repository / "hosts/b/ca.pem", Path("/etc/passwd")])
    lay(repository, {"hosts/b/ca.pem": "y"})
    assert since.touches(root, [repository / "hosts/b/ca.pem"])
    lay(repository, {"ci.toml": "[site]\n"})
    assert since.touches(root, [repository / "ci.toml"])


def test_a_link_for_settings_always_counts(repository: Path) -> None:
    (repository / "mailaudit.toml").unlink()
    (repository / "mailaudit.toml").symlink_to("README")
    commit(repository)
    assert touched(repository, "HEAD") == EVERY


def test_a_waiver_that_a_host_may_need_that_is_not_scanned_is_not_called_needless(
    repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lay(repository, {"mailaudit.toml": '[[waiver]]\nrule = "PF010"\nreason = "x"\n', "hosts/mx1/etc/pf.conf": "set skip on lo\n"})
    commit(repository)
    scan = ["scan", str(repository), "--select", "PF010", "--format", "json"]
    lay(repository, {"hosts/mx1/etc/pf.conf": "set skip on lo\nblock\n"})
    assert run([*scan, "--since", "HEAD"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (len(told["hosts"]), told["errors"]) == (1, [])
