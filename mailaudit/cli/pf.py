"""The commands `pf ...`: questions about a packet filter's ruleset."""

from __future__ import annotations

from typing import Annotated

import typer

from mailaudit.choices import AnswerFormat, Color, Direction
from mailaudit.cli.help import Commands, alone
from mailaudit.exitcodes import ExitCode, epilog

pf = Commands(help="Ask what a packet filter's ruleset does.", callback=alone, invoke_without_command=True)


Targets = Annotated[list[str], typer.Argument(metavar="TARGET", help="As for scan; or a pf.conf by itself.")]
Target = Annotated[str, typer.Argument(metavar="TARGET", help="As for scan; or a pf.conf by itself.")]
Form = Annotated[
    AnswerFormat, typer.Option("--format", help="What is written to standard output; JSON by schema mailaudit.pf/1.")
]
Coloured = Annotated[Color, typer.Option("--color", help="When standard output is coloured.")]
Debug = Annotated[bool, typer.Option("--debug", help="Show a traceback for an internal error.")]


@pf.command("reachable", epilog=epilog(ExitCode.FINDINGS, ExitCode.FIX_FAILED, ok="it is shown"))
def reachable(
    targets: Targets,
    only: Annotated[Direction | None, typer.Option("--direction", help="Only what comes in, or goes out.")] = None,
    form: Form = AnswerFormat.TERMINAL,
    color: Coloured = Color.AUTO,
    debug: Debug = False,
) -> int:
    """Show all that comes in and goes out, and which lines let it."""
    from mailaudit.commands.pf import Way, show_reachable

    return show_reachable(targets, only, Way(form, color, debug))


@pf.command("test", epilog=epilog(ExitCode.FIX_FAILED, ok="every packet passes, or is as expected", findings="one does not"))
def what_becomes(
    target: Target,
    packet: Annotated[
        list[str] | None,
        typer.Argument(metavar="PACKET", help='As in a rule: in on egress proto tcp from 192.0.2.1 to "(egress)" port 25.'),
    ] = None,
    packets: Annotated[
        str | None,
        typer.Option("--packets", metavar="FILE", help="Packets, one a line, or JSON lines; - is standard input."),
    ] = None,
    expected: Annotated[
        str | None, typer.Option("--expect", metavar="VERDICT", help="pass, block, partly or unknown: code 1 if it is another.")
    ] = None,
    form: Form = AnswerFormat.TERMINAL,
    color: Coloured = Color.AUTO,
    debug: Debug = False,
) -> int:
    """Show what becomes of a packet, and why.

    What is not said is asked of all: without "inet" of both families, without "from" of all the Internet.
    "proto" is tcp unless said, the interface that to the Internet, the target of what comes in the host itself.
    """
    from mailaudit.commands.pf import Way, test_packets

    return test_packets(target, packet or [], packets, expected, Way(form, color, debug))


@pf.command("shadowed", epilog=epilog(ExitCode.FIX_FAILED, ok="there are none", findings="there are some"))
def shadowed(targets: Targets, form: Form = AnswerFormat.TERMINAL, color: Coloured = Color.AUTO, debug: Debug = False) -> int:
    """Show rules that never decide, and those that do in their place."""
    from mailaudit.commands.pf import Way, show_shadowed

    return show_shadowed(targets, Way(form, color, debug))


@pf.command("diff", epilog=epilog(ExitCode.FIX_FAILED, ok="they pass the same", findings="they differ"))
def diff(
    before: Annotated[str, typer.Argument(metavar="A", help="One host, or its pf.conf.")],
    after: Annotated[str, typer.Argument(metavar="B", help="The other.")],
    form: Form = AnswerFormat.TERMINAL,
    color: Coloured = Color.AUTO,
    debug: Debug = False,
) -> int:
    """Show what passes one ruleset and not the other."""
    from mailaudit.commands.pf import Way, show_difference

    return show_difference(before, after, Way(form, color, debug))
