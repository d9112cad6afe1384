"""The command line as a process: signals, pipes, encodings, and how long help takes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SAMPLE = """
import sys, time
sys.path.insert(0, "tests")
import report_samples
import mailaudit.commands.scan as scan
from mailaudit.cli import main
"""
BARE = """
import typer
app = typer.Typer()
@app.command()
def scan(target: str, write: bool = False) -> None: "Scan."
@app.command()
def fix(target: str, write: bool = False) -> None: "Fix."
app()
"""


def start(code: str, *arguments: str, **environment: str) -> subprocess.Popen[bytes]:
    """A scan of which `code` says what it gives."""
    return subprocess.Popen(
        [sys.executable, "-c", f"{SAMPLE}\n{code}\nsys.argv = ['mailaudit', *sys.argv[1:]]\nmain()", "scan", ".", *arguments],
        cwd=ROOT,
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


USUAL = "scan.audit = lambda *_: report_samples.usual()"
HOSTILE = "scan.audit = lambda *_: report_samples.hostile()"
SLOWLY = """
import mailaudit.output as output
render = output.render
def slowly(*those):
    sys.stderr.write("writing\\n"); sys.stderr.flush(); time.sleep(0.2)
    return render(*those)
output.render = slowly
"""
SLEEP = "def audit(*_):\n    sys.stderr.write('ready\\n'); sys.stderr.flush(); time.sleep(60)\nscan.audit = audit"


@pytest.mark.parametrize(("sent", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 143)])
@pytest.mark.parametrize("form", ["json", "terminal"])
def test_signals_have_their_codes(sent: signal.Signals, code: int, form: str) -> None:
    with start(SLEEP, "--format", form) as process:
        assert process.stderr is not None
        assert process.stderr.readline() == b"ready\n"
        process.send_signal(sent)
        out, err = process.communicate(timeout=20)
    assert process.returncode == code
    assert b"Traceback" not in err
    if form == "json":
        assert json.loads(out)["exit_code"] == code
    else:
        assert out == b""


def test_a_second_signal_does_not_cut_off_what_the_first_has_to_say() -> None:
    with start(f"{SLEEP}\n{SLOWLY}", "--format", "json") as process:
        assert process.stderr is not None
        for line in (b"ready\n", b"mailaudit: interrupted\n", b"writing\n"):
            assert process.stderr.readline() == line
            process.send_signal(signal.SIGINT)
        process.send_signal(signal.SIGTERM)
        out, _ = process.communicate(timeout=20)
    assert process.returncode == 130
    assert json.loads(out)["exit_code"] == 130


def test_a_reader_that_goes_away_is_no_error() -> None:
    with start(USUAL) as process:
        assert process.stdout is not None
        process.stdout.close()
        assert process.stderr is not None
        assert process.stderr.read() == b""
        assert process.wait(20) == 4


def test_a_closed_standard_output_is_told() -> None:
    done = subprocess.run(
        ["sh", "-c", 'exec "$0" -m mailaudit version >&-', sys.executable], cwd=ROOT, capture_output=True, check=False
    )
    assert b"Traceback" not in done.stderr
    code = f"{SAMPLE}\n{USUAL}\nsys.argv = ['mailaudit', 'scan', '.']\nmain()"
    done = subprocess.run(["sh", "-c", 'exec "$0" -c "$1" >&-', sys.executable, code], cwd=ROOT, capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (4, b"mailaudit: standard output is closed\n")


def test_a_full_disk_is_told() -> None:
    code = f"{SAMPLE}\n{USUAL}\nsys.argv = ['mailaudit', 'scan', '.']\nmain()"
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, stdout=full, stderr=subprocess.PIPE, check=False)
    said = b"mailaudit: standard output could not be written: no space left on device\n"
    assert (done.returncode, done.stderr) == (4, said)
    with Path("/dev/full").open("wb") as full:
        asked = [sys.executable, "-m", "mailaudit", "--help"]
        done = subprocess.run(asked, cwd=ROOT, stdout=full, stderr=subprocess.PIPE, check=False)
    assert (done.returncode, done.stderr) == (4, said)


@pytest.mark.parametrize(
    "environment", [{"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}, {"PYTHONIOENCODING": "ascii"}]
)
@pytest.mark.parametrize("sample", [HOSTILE])
def test_ascii_is_enough(environment: dict[str, str], sample: str) -> None:
    for form in ("terminal", "json"):
        with start(sample, "--format", form, **environment) as process:
            out, err = process.communicate(timeout=20)
        assert process.returncode == 4
        assert err == b""
        assert out.isascii()
        assert b"\x1b" not in out


def test_names_that_are_no_text_are_told() -> None:
    done = subprocess.run([sys.executable, "-m", "mailaudit", "scan", b"./\xff\x1b"], cwd=ROOT, capture_output=True, check=False)
    assert done.returncode == 2
    assert done.stderr == b"mailaudit: ./\\xff\\x1b does not exist\n"
