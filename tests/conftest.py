"""Settings of the whole suite: examples that hypothesis makes up are the same in every run; a lab for those who ask for one."""

from __future__ import annotations

import shutil
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

if TYPE_CHECKING:
    from command_line import Run
    from daemons import Root
    from lab import Kit, Lab

settings.register_profile("suite", derandomize=True, deadline=None)
settings.load_profile("suite")


if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # a shell's background job; what the tests start is to heed it
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs the command line in this process: exit code, standard output, standard error."""
    from mailaudit import cli  # noqa: PLC0415  not every test has a command line

    def call(*arguments: object) -> tuple[int, str, str]:
        code = cli.run([str(argument) for argument in arguments])
        told = capsys.readouterr()
        return code, told.out, told.err

    return call


@pytest.fixture
def shared(root: Root, tmp_path: Path) -> Iterator[Path]:
    """A folder that programs of the test's root can see."""
    folder = root.room(tmp_path)
    yield folder
    if root.path is not None:
        shutil.rmtree(folder)


@pytest.fixture(scope="session")
def lab_kit(tmp_path_factory: pytest.TempPathFactory) -> Kit:
    """Keys, certificates, zones and files of labs."""
    from lab import Kit, missing  # noqa: PLC0415  only tests with daemons pay for it

    why = missing()
    if why:
        pytest.skip(why)
    return Kit(tmp_path_factory.mktemp("kit"))


@pytest.fixture(scope="module")
def lab(lab_kit: Kit, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """A lab for a module's tests."""
    from lab import running  # noqa: PLC0415  the same

    with running(lab_kit, tmp_path_factory.mktemp("lab")) as made:
        yield made
