"""Finding the hosts in a target."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from report_formats import READ

from mailaudit.choices import Format
from mailaudit.cli import run
from mailaudit.collect import roots
from mailaudit.collect.roots import find_worlds
from mailaudit.collect.world import TargetError
from mailaudit.recording import RecordingError
from mailaudit.settings import SettingsError


def lay(folder: Path, *paths: str) -> None:
    for path in paths:
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(b"")


def hosts(folder: Path) -> list[str]:
    return [world.target.removeprefix(str(folder)) for world in find_worlds(str(folder))]


def failure(target: str) -> TargetError:
    with pytest.raises(TargetError) as caught:
        find_worlds(target)
    return caught.value


@pytest.mark.parametrize(
    "known",
    ["pf.conf", "mail/smtpd.conf", "dovecot/local.conf", "acme-client.conf", "httpd.conf", "rspamd/local.d/redis.conf"],
)
def test_a_root_holds_a_known_file(tmp_path: Path, known: str) -> None:
    lay(tmp_path, f"etc/{known}")
    assert hosts(tmp_path) == [""]


def test_a_repository_of_several_at_any_depth(tmp_path: Path) -> None:
    lay(tmp_path, "mx2/etc/pf.conf", "a/b/c/mx1/etc/httpd.conf", "docs/etc/readme", ".git/x/etc/pf.conf", "etc/hosts")
    assert hosts(tmp_path) == ["/a/b/c/mx1", "/mx2"]
    assert [world.host for world in find_worlds(str(tmp_path))] == ["mx1", "mx2"]


def test_what_lies_in_a_root_is_not_searched(tmp_path: Path) -> None:
    lay(tmp_path, "etc/pf.conf", "old/etc/pf.conf")
    assert hosts(tmp_path) == [""]
    told = f"{tmp_path}/old lies in a host root and was not audited: move it out, or name it as a target"
    assert (find_worlds(str(tmp_path)).errors, [*find_worlds(str(tmp_path)).aside.values()]) == ([], [told])


def test_the_host_s_own_directories_are_not_searched(tmp_path: Path) -> None:
    lay(tmp_path, "etc/pf.conf", "usr/src/etc/pf.conf", "var/www/etc/httpd.conf", "etc/x/etc/pf.conf", ".git/a/etc/pf.conf")
    found = find_worlds(str(tmp_path))
    assert (len(found.worlds), found.errors, found.aside) == (1, [], {})


def test_links_are_not_followed_in_search(tmp_path: Path) -> None:
    lay(tmp_path / "elsewhere", "etc/pf.conf")
    lay(tmp_path / "repo", "mx1/etc/pf.conf")
    (tmp_path / "repo/link").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "repo/loop").symlink_to(".")
    (tmp_path / "repo/same").symlink_to("mx1")
    (tmp_path / "repo/nowhere").symlink_to("nowhere")
    (tmp_path / "repo/file").symlink_to("mx1/etc/pf.conf")
    assert hosts(tmp_path / "repo") == ["/mx1"]
    told = f"{tmp_path}/repo/link is a symbolic link to a host root, and is not followed: name that as a target"
    assert [*find_worlds(str(tmp_path / "repo")).aside.values()] == [told]
    assert run(["scan", str(tmp_path / "repo"), "--select", "PF001"]) == 4
    assert run(["scan", str(tmp_path / "repo"), str(tmp_path / "elsewhere"), "--select", "PF001"]) == 0
    assert run(["pf", "shadowed", str(tmp_path / "repo")]) == 0
    (tmp_path / "named").symlink_to("repo/mx1")
    assert [world.host for world in find_worlds(str(tmp_path / "named"))] == ["mx1"]


def test_settings_of_the_repository_reach_its_roots(tmp_path: Path) -> None:
    lay(tmp_path, "mx1/etc/pf.conf", "mx2/etc/pf.conf")
    (tmp_path / "mailaudit.toml").write_text("top")
    (tmp_path / "mx2/mailaudit.toml").write_text("own")
    found = [world.settings for world in find_worlds(str(tmp_path))]
    top, own = (str(tmp_path / "mailaudit.toml"), b"top"), (str(tmp_path / "mx2/mailaudit.toml"), b"own")
    assert found == [(top,), (top, own)]


def test_settings_between_the_repository_and_a_root_count_too(tmp_path: Path) -> None:
    lay(tmp_path, "sites/b/mx1/etc/pf.conf", "sites/c/etc/pf.conf", "mailaudit.toml", "sites/b/mailaudit.toml")
    os.mkfifo(tmp_path / "sites/other.toml")
    (tmp_path / "docs").mkdir()
    os.mkfifo(tmp_path / "docs/mailaudit.toml")  # that of no host is not looked at
    found = [[origin.removeprefix(str(tmp_path)) for origin, _ in world.settings] for world in find_worlds(str(tmp_path))]
    assert found == [["/mailaudit.toml", "/sites/b/mailaudit.toml"], ["/mailaudit.toml"]]


def test_what_lies_above_the_target_does_not_count(tmp_path: Path) -> None:
    lay(tmp_path, "mx1/etc/pf.conf", "mailaudit.toml")
    assert [world.settings for world in find_worlds(str(tmp_path / "mx1"))] == [()]


def test_targets_that_are_none(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "loop").symlink_to("loop")
    lay(tmp_path, "empty/etc/hosts")
    assert failure(str(tmp_path / "gone")).message.endswith("gone does not exist")
    assert failure(str(tmp_path / "gone")).code == 2
    assert failure("nul\0").code == 2
    for name in ("fifo", "loop"):
        assert failure(str(tmp_path / name)).message.endswith("is neither a directory nor a tar archive")
        assert failure(str(tmp_path / name)).code == 2
    assert failure(str(tmp_path / "empty")).code == 3
    assert "no etc/ that holds one of pf.conf, mail/smtpd.conf" in failure(str(tmp_path / "empty")).message
    assert failure("x" * 300).code == 2


def test_a_known_name_that_is_no_file_makes_a_root_all_the_same(tmp_path: Path) -> None:
    (tmp_path / "etc/pf.conf").mkdir(parents=True)
    assert hosts(tmp_path) == [""]


def test_own_files_that_cannot_be_read_are_told(tmp_path: Path) -> None:
    lay(tmp_path, "etc/pf.conf")
    os.mkfifo(tmp_path / "mailaudit.toml")
    with pytest.raises(SettingsError, match=r"mailaudit\.toml is a FIFO"):
        find_worlds(str(tmp_path))


def test_a_wrong_record_is_told_with_its_place(tmp_path: Path) -> None:
    lay(tmp_path, "mx1/etc/pf.conf")
    (tmp_path / "mx1/answers.json").write_text('{"host": 7}')
    with pytest.raises(RecordingError, match=r"mx1/answers\.json: host: expected a string like .*, found 7"):
        find_worlds(str(tmp_path))


@pytest.mark.skipif(os.geteuid() == 0, reason="root may search every directory")
def test_directories_that_may_not_be_searched(tmp_path: Path) -> None:
    lay(tmp_path, "mx1/etc/pf.conf", "closed/etc/pf.conf")
    (tmp_path / "closed").chmod(0)
    try:
        found = find_worlds(str(tmp_path))
        assert found.errors == [f"{tmp_path}/closed could not be searched: permission denied"]
        assert len(found.worlds) == 1
        assert failure(str(tmp_path / "closed")).code == 4
    finally:
        (tmp_path / "closed").chmod(0o755)


def test_bounds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lay(tmp_path, "a/b/c/d/etc/pf.conf", "mx1/etc/pf.conf")
    monkeypatch.setattr(roots, "MAX_DEPTH", 3)
    assert find_worlds(str(tmp_path)).errors == [f"{tmp_path}/a/b/c is nested more than 3 directories deep; it was not searched"]
    monkeypatch.setattr(roots, "MAX_LOOKED", 3)
    assert "more than 3 files to search" in failure(str(tmp_path)).message


ODD = ("\x1b[31m", "a\nb", "x" * 255, "sp ace", "'\"`$(id)", os.fsdecode(b"\xff\xfe"), "[bold]", "::error::", "<b>", "-x", "é")


def test_odd_names_links_and_what_is_no_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lay(tmp_path, *(f"{name}/etc/pf.conf" for name in ODD), "same/mx1/etc/pf.conf", "again/mx1/etc/pf.conf")
    (tmp_path / "same/loop").symlink_to("..")
    (tmp_path / "same/mx1/loop").symlink_to("../..")
    os.mkfifo(tmp_path / "etc")
    (tmp_path / "same/etc").symlink_to("nowhere")
    found = find_worlds(str(tmp_path))
    assert [str(world.root) for world in found] == sorted(str(world.root) for world in found)
    assert (len(found.worlds), found.errors, found.aside) == (len(ODD) + 2, [], {})
    reports = [f"--output={form}:{tmp_path / f'report.{form}'}" for form in Format]
    assert run(["scan", str(tmp_path), "--select", "PF010", "--exit-zero", "--color", "never", *reports]) == 0
    assert "\x1b" not in capsys.readouterr().out
    for form in Format:
        text = (tmp_path / f"report.{form}").read_bytes().decode("utf-8")
        assert "\x1b" not in text
        READ[str(form)](text)
    assert run(["scan", str(tmp_path), "--select", "PF010", "--exit-zero", "-q"]) == 0
    told = "".join(capsys.readouterr().out.split())  # lines are as wide as the terminal
    assert told.count("/again/mx1)") == 2  # its findings, and the line among all hosts
    names = [host["name"] for host in json.loads((tmp_path / "report.json").read_text())["hosts"]]
    assert names.count("mx1") == 2
    assert "again/mx1" in (tmp_path / "report.markdown").read_text()
