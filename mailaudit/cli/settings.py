"""The commands `config ...`: the settings that are in force."""

from __future__ import annotations

from typing import Annotated

import typer

from mailaudit.choices import AnswerFormat, Common
from mailaudit.cli.help import Commands, alone
from mailaudit.cli.options import with_options
from mailaudit.exitcodes import ExitCode, epilog

config = Commands(help="Show the settings that are in force.", callback=alone, invoke_without_command=True)


@config.command("show", epilog=epilog(ExitCode.FINDINGS, ExitCode.FIX_FAILED, ok="they are shown"))
@with_options(Common, "domain", "profile", "ignore", "config", "debug")
def show(
    common: Common,
    targets: Annotated[
        list[str] | None,
        typer.Argument(metavar="TARGET", help="As for scan; default: the working directory.", show_default=False),
    ] = None,
    form: Annotated[AnswerFormat, typer.Option("--format", help="What is written to standard output.")] = AnswerFormat.TERMINAL,
) -> int:
    """Show every setting of each host and where it comes from: a file and its line, the host's files, the command line."""
    from mailaudit.commands.config import show as run

    return run(common, targets or [], form)
