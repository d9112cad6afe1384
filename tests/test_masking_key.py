"""The key of the digests in masks is kept with the user's settings; and users who have no account, and no home to keep it in."""

from __future__ import annotations

import os
import pwd
from pathlib import Path
from typing import TYPE_CHECKING, Self

import pytest

from mailaudit.collect.masking_key import masking_key

if TYPE_CHECKING:
    from command_line import Run


def test_it_is_made_once_and_for_its_user_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    made = masking_key()
    assert masking_key() == made
    (file,) = (tmp_path / "mailaudit").iterdir()
    assert file.read_text() == f"{made}\n"
    assert file.stat().st_mode & 0o777 == 0o600


def test_a_disk_that_is_full_leaves_no_half_of_a_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))

    class Full:
        def __enter__(self) -> Self:
            return self

        def __exit__(self, *_: object) -> None:
            pass

        def write(self, _text: str) -> int:
            raise OSError(28, "No space left on device")

    def full(descriptor: int, _mode: str) -> Full:
        os.close(descriptor)
        return Full()

    with monkeypatch.context() as patched:
        patched.setattr(os, "fdopen", full)
        masking_key()
    assert [*(tmp_path / "mailaudit").iterdir()] == []
    assert masking_key() == masking_key()


def test_who_has_no_home_has_a_key_for_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    def homeless() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    monkeypatch.setattr(Path, "home", homeless)
    assert len(masking_key()) == 64


def test_what_is_no_key_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    (tmp_path / "mailaudit").mkdir()
    (tmp_path / "mailaudit" / "masking.key").write_text("mine\n")
    assert masking_key() != masking_key()
    assert (tmp_path / "mailaudit" / "masking.key").read_text() == "mine\n"


def test_who_has_no_account_here_is_told_what_to_set(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def nobody(uid: int) -> pwd.struct_passwd:
        raise KeyError(uid)

    for name in ("LOGNAME", "USER", "LNAME", "USERNAME", "HOME", "XDG_CONFIG_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(pwd, "getpwuid", nobody)
    code, _, told = run("scan", "127.0.0.1", "--offline")
    assert (code, told) == (
        4,
        "mailaudit: 127.0.0.1: ssh: Unknown local username: set one of LOGNAME, USER, LNAME, or USERNAME in the environment\n",
    )
