"""Authorities of a site's own: `ca_file` of mailaudit.toml and `--ca-file`, and what is none."""

from __future__ import annotations

import tarfile
from pathlib import Path

import make_certificates
import pytest

from mailaudit import rulebook
from mailaudit.auditor import Options, auditor_for
from mailaudit.choices import Common, Looking
from mailaudit.cli import run
from mailaudit.collect.authorities import AuthoritiesError, read_authorities
from mailaudit.collect.online import OnlineWorld, Outside
from mailaudit.collect.roots import find_worlds
from mailaudit.collect.world import World
from mailaudit.commands import choosing
from mailaudit.settings import SettingsError

BOOK = rulebook.load()
ROOT = make_certificates.make("intermediate")
TWO = f"# ours\n{ROOT}\nbetween\n{make_certificates.make('stranger')}"


def target(tmp_path: Path, ca_file: str, text: str | None = ROOT) -> Path:
    root = tmp_path / "host"
    (root / "etc").mkdir(parents=True)
    (root / "etc" / "pf.conf").write_text("pass\n")
    (root / "mailaudit.toml").write_text(f'[site]\nca_file = "{ca_file}"\n')
    if text is not None:
        (root / "ca.pem").write_text(text)
    return root


def trusted(root: Path, options: Options | None = None, outside: Outside | None = None) -> tuple[str, ...]:
    world: World = OnlineWorld.of(find_worlds(str(root)).worlds[0], outside or Outside())
    assert isinstance(world, OnlineWorld)
    world.network.prepare()  # what asks may be imported before it is known whom to trust
    auditor_for(world, BOOK, options or Options())
    return world.network.ports.trust._further  # noqa: SLF001  what a handshake is verified with


def test_what_the_settings_name_is_trusted(tmp_path: Path) -> None:
    assert trusted(target(tmp_path, "ca.pem", TWO)) == read_authorities(str(tmp_path / "host" / "ca.pem"))
    assert len(read_authorities(str(tmp_path / "host" / "ca.pem"))) == 2


def test_what_the_command_line_names_is_trusted_as_well(tmp_path: Path) -> None:
    (tmp_path / "more.pem").write_text(make_certificates.make("stranger"))
    outside = choosing.options(Common(), Looking(online=True, ca_file=str(tmp_path / "more.pem"))).outside
    assert outside is not None
    assert trusted(target(tmp_path, "ca.pem"), outside=outside) == (make_certificates.make("stranger"), ROOT)


def test_settings_of_the_command_line_may_name_any_file(tmp_path: Path) -> None:
    root = target(tmp_path, "ca.pem", None)
    (tmp_path / "own.toml").write_text('[site]\nca_file = "../own.pem"\n')
    (tmp_path.parent / "own.pem").write_text(ROOT)
    assert trusted(root, Options(config=str(tmp_path / "own.toml"))) == (ROOT,)


@pytest.mark.parametrize(
    ("ca_file", "text", "why"),
    [
        ("ca.pem", None, "no such file"),
        ("ca.pem", "", "no certificate is in it"),
        (
            "ca.pem",
            "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
            "its 1. is a certificate that cannot be read",
        ),
        ("ca.pem", ROOT * 1001, "more than 1000 certificates"),
        ("../../ca.pem", ROOT, "outside of the target"),
        ("/etc/passwd", ROOT, "outside of the target"),
        ("etc", ROOT, "a directory"),
    ],
)
def test_what_is_none_is_a_mistake_in_the_settings(tmp_path: Path, ca_file: str, text: str | None, why: str) -> None:
    root = target(tmp_path, ca_file, text)
    with pytest.raises(SettingsError, match=r"mailaudit\.toml:2: site\.ca_file: ") as error:
        trusted(root)
    assert why in str(error.value)


def test_a_link_out_of_the_target_is_not_followed(tmp_path: Path) -> None:
    root = target(tmp_path, "link.pem")
    (tmp_path / "outside.pem").write_text(ROOT)
    (root / "link.pem").symlink_to("../outside.pem")
    with pytest.raises(SettingsError, match="outside of the target"):
        trusted(root)


def test_an_archive_is_told_as_such(tmp_path: Path) -> None:
    root = target(tmp_path, "ca.pem")
    with tarfile.open(tmp_path / "host.tar", "w") as archive:
        archive.add(root, ".")
    with pytest.raises(SettingsError, match="it lies in an archive"):
        trusted(tmp_path / "host.tar")


def test_offline_nobody_reads_it(tmp_path: Path) -> None:
    auditor_for(find_worlds(str(target(tmp_path, "ca.pem", None))).worlds[0], BOOK, Options())


def test_a_file_that_is_none_is_a_usage_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = target(tmp_path, "ca.pem")
    assert run(["scan", str(root), "--online", "--ca-file", str(root / "etc" / "pf.conf")]) == 2
    assert "no certificate is in it" in capsys.readouterr().err
    with pytest.raises(AuthoritiesError, match="no such file"):
        read_authorities(str(tmp_path / "nothing.pem"))
