"""The commands `diff` and `baseline ...`: what changed, and what is accepted."""

from __future__ import annotations

from typing import Annotated

import typer

from mailaudit.choices import AnswerFormat, Common, DiffFormat, Looking
from mailaudit.cli.help import NO_VERDICT, Commands, alone
from mailaudit.cli.options import with_options
from mailaudit.exitcodes import ExitCode, epilog

HOW = ("domain", "profile", "select", "ignore", "config", "now", "no_inline_ignores", "allow_incomplete", "debug")
LOOKED = ("online", "offline", "resolver", "trust_anchor", "ca_file", "timeout", "become", "jobs")
BASELINE = "mailaudit-baseline.json"
_WRITES = epilog(ExitCode.FINDINGS, ExitCode.FIX_FAILED, ok="it is written, or is as it should be")

baseline = Commands(
    help="Accept the findings that there are; scan --baseline counts what is new or worse.",
    callback=alone,
    invoke_without_command=True,
)
Targets = Annotated[list[str], typer.Argument(metavar="TARGET", help="As for scan; or a report (--format json).")]
File = Annotated[str, typer.Option("--baseline", metavar="FILE", help="The baseline.")]


@with_options(Common, *HOW, "fail_on", "exit_zero", "output", "quiet", "verbose", "color")
def diff(
    common: Common,
    before: Annotated[
        str,
        typer.Argument(metavar="A", help="A report (--format json); or a root, snapshot or archive, which is audited offline."),
    ],
    after: Annotated[str, typer.Argument(metavar="B", help="The same, later.")],
    form: Annotated[DiffFormat, typer.Option("--format", help="What is written to standard output.")] = DiffFormat.TERMINAL,
) -> int:
    """Compare two reports or snapshots: what is new, fixed, changed or no longer evaluated."""
    from mailaudit.commands.diff import diff as run

    return run(common, before, after, form)


@baseline.command("create", epilog=_WRITES)
@with_options(Common, *HOW)
@with_options(Looking, *LOOKED)
def create(
    common: Common,
    looking: Looking,
    targets: Targets,
    file: File = BASELINE,
    force: Annotated[bool, typer.Option("--force", help="Replace the baseline that is there.")] = False,
) -> int:
    """Write all findings of the targets as a new baseline."""
    from mailaudit.commands.baseline import create as run

    return run(common, looking, targets, file, force=force)


@baseline.command("update", epilog=_WRITES)
@with_options(Common, *HOW)
@with_options(Looking, *LOOKED)
def update(common: Common, looking: Looking, targets: Targets, file: File = BASELINE) -> int:
    """Add findings that are new or worse; take nothing out."""
    from mailaudit.commands.baseline import update as run

    return run(common, looking, targets, file)


@baseline.command("prune", epilog=_WRITES)
@with_options(Common, *HOW)
@with_options(Looking, *LOOKED)
def prune(common: Common, looking: Looking, targets: Targets, file: File = BASELINE) -> int:
    """Take out findings that are gone, where their rules were evaluated."""
    from mailaudit.commands.baseline import prune as run

    return run(common, looking, targets, file)


@baseline.command("show", epilog=epilog(*NO_VERDICT, ok="it is shown"))
@with_options(Common, "color", "debug")
def show(
    common: Common,
    file: File = BASELINE,
    form: Annotated[AnswerFormat, typer.Option("--format", help="What is written to standard output.")] = AnswerFormat.TERMINAL,
) -> int:
    """Show what is accepted, by host."""
    from mailaudit.commands.baseline import show as run

    return run(common, file, form)
