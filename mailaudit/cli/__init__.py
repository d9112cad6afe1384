"""The command line: parse arguments, call, render, exit code. Only this room ends the program."""

from __future__ import annotations

import gc
import signal
import sys
from types import FrameType
from typing import Annotated, Any

import typer

from mailaudit import __version__
from mailaudit.choices import AnswerFormat, Color, Common, Looking, NewHost, Release, Shell, Way
from mailaudit.cli.comparing import baseline, diff
from mailaudit.cli.help import NO_VERDICT, Commands, alone
from mailaudit.cli.options import with_options
from mailaudit.cli.pf import pf
from mailaudit.cli.settings import config
from mailaudit.exitcodes import ExitCode, Terminated, epilog

# Commands import mailaudit.commands when they run: `mailaudit --help` pays for no parser, model or report.

app = Commands(name="mailaudit", pretty_exceptions_enable=False, context_settings={"help_option_names": ["-h", "--help"]})


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"mailaudit {__version__}")
        raise typer.Exit


AnswerForm = Annotated[AnswerFormat, typer.Option("--format", help="What is written to standard output.")]


@app.callback(invoke_without_command=True)
def top(
    context: typer.Context,
    _show_version: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=_version, help="Show the version and end.")
    ] = False,
) -> None:
    """Audit and mend the configuration of an OpenBSD mail host: pf, OpenSMTPD, Dovecot and what stands around them."""
    alone(context)


@app.command(epilog=epilog(ExitCode.FIX_FAILED))
@with_options(Common)
@with_options(Looking)
def scan(
    common: Common,
    looking: Looking,
    targets: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="TARGET",
            help="A host root, a repository of several, a snapshot, a tar archive; or a live host: name, user@name, ssh://name:port.",
            show_default=False,
        ),
    ] = None,
    targets_file: Annotated[str | None, typer.Option("-T", "--targets", metavar="FILE", help="Targets, one a line.")] = None,
    save: Annotated[
        str | None, typer.Option("--save", metavar="DIR", help="Keep what was asked as a snapshot, a new folder.")
    ] = None,
    since: Annotated[
        str | None, typer.Option("--since", metavar="REV", help="Only hosts whose files differ from this revision of git.")
    ] = None,
    accepted: Annotated[
        str | None, typer.Option("--baseline", metavar="FILE", help="Findings in this file do not count until they are worse.")
    ] = None,
    changed_since: Annotated[
        str | None,
        typer.Option("--changed-since", metavar="REPORT", help="Tell only what is not as in this JSON report."),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print what a live host would be asked for; ask nothing.")] = False,
) -> int:
    """Collect, judge, report: what is wrong with hosts, why, and what mends it."""
    from mailaudit.commands.ahead import Wish, show_what_is_asked
    from mailaudit.commands.ahead import scan as run

    if dry_run:
        return show_what_is_asked()
    return run(common, Wish(targets or [], targets_file, save, since, accepted, changed_since), looking)


@app.command(epilog=epilog(ok="nothing is to be corrected", findings="corrections are planned, or left to be made"))
@with_options(Common)
@with_options(Looking, "offline", "resolver", "trust_anchor", "ca_file", "timeout", "become")
def fix(
    common: Common,
    looking: Looking,
    target: Annotated[
        str | None,
        typer.Argument(metavar="TARGET", help="A host root, a repository of several, or a live host.", show_default=False),
    ] = None,
    write: Annotated[bool, typer.Option("--write", help="Write the safe corrections.")] = False,
    unsafe: Annotated[bool, typer.Option("--unsafe", help="The unsafe ones as well: mail flow or access may change.")] = False,
    check: Annotated[bool, typer.Option("--check", help="No diff; only the exit code tells.")] = False,
    out: Annotated[str | None, typer.Option("--out", metavar="DIR", help="Write the corrected tree there.")] = None,
    partial: Annotated[bool, typer.Option("--force-partial", help="Edit files too that could be read in part only.")] = False,
    release: Annotated[Release | None, typer.Option("--to", help="Write the configuration anew for this release.")] = None,
    reload: Annotated[
        bool, typer.Option("--reload", help="Of a live host: have its daemons take up what was written, and load pf.")
    ] = False,
    show_applier: Annotated[
        bool, typer.Option("--show-applier", help="Print the program that writes to a live host as root; write nothing.")
    ] = False,
) -> int:
    """Show the corrections as a diff; make them with --write."""
    from mailaudit.commands.fix import fix as run
    from mailaudit.commands.fix import show_the_applier
    from mailaudit.commands.level import Level

    if show_applier:
        return show_the_applier()
    level = Level(write=write, unsafe=unsafe, check=check, out=out, force_partial=partial, release=release, reload=reload)
    return run(common, target, level, looking)


@app.command(epilog=epilog(*NO_VERDICT, ok="it is shown"))
def rules(
    identity: Annotated[
        str | None, typer.Argument(metavar="ID", help="A rule's id or name, or a prefix of ids.", show_default=False)
    ] = None,
    color: Annotated[Color, typer.Option(help="When standard output is coloured.")] = Color.AUTO,
) -> int:
    """Show the catalogue of rules, or one rule's page."""
    from mailaudit.commands.rules import rules as run

    return run(identity, color)


@app.command(hidden=True, epilog=epilog(*NO_VERDICT, ok="it is shown"))
def explain(
    identity: Annotated[str, typer.Argument(metavar="ID", help="A rule's id or name.")],
    color: Annotated[Color, typer.Option(help="When standard output is coloured.")] = Color.AUTO,
) -> int:
    """Show one rule's page: `rules ID` by another name."""
    return rules(identity, color)


@app.command(epilog=epilog(*NO_VERDICT, ok="every statement was read"))
def parse(
    files: Annotated[list[str], typer.Argument(metavar="FILE", help="Configuration files.")],
    language: Annotated[
        str | None, typer.Option("--language", metavar="LANGUAGE", help="pf, smtpd, dovecot, ...  [default: by the path]")
    ] = None,
    annotate: Annotated[bool, typer.Option("--annotate", help="Show every statement and its state.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON (schema mailaudit.parse/1).")] = False,
    color: Annotated[Color, typer.Option(help="When standard output is coloured.")] = Color.AUTO,
    debug: Annotated[bool, typer.Option("--debug", help="Show a traceback for an internal error.")] = False,
) -> int:
    """Show what is read of each file, statement by statement."""
    from mailaudit.commands.parse import Reading
    from mailaudit.commands.parse import parse as run

    return run(files, Reading(language, annotate, as_json, color, debug))


app.command("diff", epilog=epilog(ExitCode.FIX_FAILED, ok="nothing is new", findings="something is new or worse"))(diff)
app.add_typer(baseline, name="baseline")
app.add_typer(pf, name="pf")


@app.command(epilog=epilog(ExitCode.FIX_FAILED, ok="the chain is whole", findings="the chain breaks"))
@with_options(Common, "domain", "config", "now", "exit_zero", "allow_incomplete", "quiet", "color", "debug")
def trace(
    common: Common,
    target: Annotated[str, typer.Argument(metavar="TARGET", help="A host root, a snapshot, or a tar archive of one host.")],
    way: Annotated[Way, typer.Argument(metavar="inbound|submission|imap", help="What is followed.")],
    address: Annotated[
        str, typer.Argument(metavar="ADDRESS", help="inbound: the recipient; submission: who logs in and sends; imap: who reads.")
    ],
    sender: Annotated[
        str | None, typer.Option("--from", metavar="ADDRESS", help="Who it is from; of submission, ADDRESS unless said.")
    ] = None,
    recipient: Annotated[
        str | None, typer.Option("--to", metavar="ADDRESS", help="Of submission, whom it is for.  [default: somebody elsewhere]")
    ] = None,
    port: Annotated[
        int | None,
        typer.Option("--port", metavar="N", min=1, max=65535, help="The port of the listener.  [default: the usual one]"),
    ] = None,
    form: AnswerForm = AnswerFormat.TERMINAL,
) -> int:
    """Follow one message or login through the host, hop by hop."""
    from mailaudit.commands.trace import Wish
    from mailaudit.commands.trace import trace as run

    return run(common, Wish(target, way, address, sender, recipient, port), form)


Host = Annotated[str, typer.Argument(metavar="HOST", help="A live host: name, user@name, ssh://user@name:port.")]


@app.command(epilog=epilog(*NO_VERDICT, ok="all was recorded"))
@with_options(Common, "config", "domain", "allow_incomplete", "debug")
@with_options(Looking, "offline", "resolver", "trust_anchor", "ca_file", "timeout", "become")
def snapshot(
    common: Common,
    looking: Looking,
    target: Host,
    out: Annotated[str, typer.Option("-o", "--out", metavar="DIR", help="A new folder for it.")],
) -> int:
    """Record a live host, without its secrets, to be scanned later."""
    from mailaudit.commands.snapshot import snapshot as run

    return run(common, target, out, looking)


@app.command(epilog=epilog(*NO_VERDICT, ok="all can be asked"))
@with_options(Common, "debug")
@with_options(Looking, "timeout", "become")
def doctor(common: Common, looking: Looking, target: Host) -> int:
    """Try the way to a live host, and say which lines doas.conf lacks."""
    from mailaudit.commands.snapshot import doctor as run

    return run(common, target, looking)


@app.command(epilog=epilog(*NO_VERDICT, ok="they are listed"))
@with_options(Common, "quiet", "debug")
@with_options(Looking, "timeout", "become")
def history(common: Common, looking: Looking, target: Host, form: AnswerForm = AnswerFormat.TERMINAL) -> int:
    """List what was written to a live host, and how it ended."""
    from mailaudit.commands.history import history as run

    return run(common, target, looking, form)


@app.command(epilog=epilog(ExitCode.FINDINGS, ExitCode.NOTHING, ok="all is as it was"))
@with_options(Common, "quiet", "debug")
@with_options(Looking, "timeout", "become")
def rollback(
    common: Common,
    looking: Looking,
    target: Host,
    number: Annotated[
        int | None, typer.Argument(metavar="RUN", min=1, help="Its number, as history lists it.", show_default=False)
    ] = None,
) -> int:
    """Restore what was there on a live host before it was written to.

    Without RUN that is the run that was cut off, else the last that was kept.
    """
    from mailaudit.commands.history import rollback as run

    return run(common, target, number, looking)


@app.command(epilog=epilog(*NO_VERDICT, ok="it is written"))
@with_options(Common, "debug")
@with_options(NewHost)
def init(
    common: Common,
    newhost: NewHost,
    domain: Annotated[str, typer.Argument(metavar="DOMAIN", help="The mail domain.")],
    host: Annotated[str, typer.Option("--host", metavar="NAME", help="The host's own name below the domain, such as h1.")],
) -> int:
    """Write all files of a new host, its zone, and what to do with them."""
    from mailaudit.commands.init import init as run

    return run(common, newhost, domain, host)


SETTINGS = "mailaudit.toml"
policy = Commands(help="Keep what a site expects of its hosts, for scan to compare.", callback=alone, invoke_without_command=True)
app.add_typer(policy, name="policy")
app.add_typer(config, name="config")


@policy.command("new", epilog=epilog(ExitCode.FINDINGS, ExitCode.FIX_FAILED, ok="it is written"))
@with_options(Common, "domain", "config", "now", "allow_incomplete", "debug")
@with_options(Looking, "online", "offline", "resolver", "trust_anchor", "ca_file", "timeout", "become")
def policy_new(
    common: Common,
    looking: Looking,
    source: Annotated[str, typer.Option("--from", metavar="TARGET", help="The host that is as all should be; as for scan.")],
    out: Annotated[str, typer.Option("-o", "--out", metavar="FILE", help="Where it is kept; -: standard output.")] = SETTINGS,
) -> int:
    """Write what a host is like as what the site expects; what the file says already stays."""
    from mailaudit.commands.policy import new as run

    return run(common, looking, source, out)


@app.command(epilog=epilog(*NO_VERDICT, ok="it is printed, or written"))
@with_options(Common, "debug")
def completion(
    common: Common,
    shell: Annotated[Shell, typer.Argument(metavar="ksh|bash|zsh|fish", help="The shell.")],
    install: Annotated[
        bool, typer.Option("--install", help="Write it where the shell looks for it, in your home; nothing foreign is replaced.")
    ] = False,
) -> int:
    """Print the script by which a shell completes what is typed."""
    from mailaudit.cli.tree import tree
    from mailaudit.commands.completion import completion as run

    return run(tree(app), shell, install=install, debug=common.debug)


@app.command(epilog=epilog(*NO_VERDICT, ok="it is shown"))
def version() -> int:
    """Show the version."""
    typer.echo(f"mailaudit {__version__}")
    return ExitCode.OK


def main() -> None:
    """Run the command line and end the program with its exit code."""
    gc.set_threshold(200_000, 20, 100)  # what is read lives until it is told: no use in walking it every 700 objects
    signal.signal(signal.SIGTERM, _terminate)
    if signal.getsignal(signal.SIGHUP) is signal.SIG_DFL:  # the terminal is gone; nohup wants that not to matter
        signal.signal(signal.SIGHUP, _terminate)
    try:
        code = run(sys.argv[1:])
    except KeyboardInterrupt:
        code = ExitCode.INTERRUPTED
    except Terminated:
        code = ExitCode.TERMINATED
    except BrokenPipeError:
        code = ExitCode.OK
    except OSError as error:  # of help and version, which typer writes
        code = _unheard(error)
    gc.freeze()  # nor to walk it once more at the end, when the system takes it all back: a fifth of a scan's time
    sys.exit(int(code))


def _unheard(error: OSError) -> int:
    from mailaudit.output import complain, lost

    complain(lost(error))
    return ExitCode.INCOMPLETE


def _terminate(_signal: int, _frame: FrameType | None) -> None:
    raise Terminated


def run(arguments: list[str]) -> int:
    """Run the command line; the exit code. What typer refuses is one line, and a hint."""
    try:
        code = app(arguments, prog_name="mailaudit", standalone_mode=False)
    except Exception as error:
        if not hasattr(error, "format_message"):  # typer's own: of its copy of click, or of click, as its version has it
            raise
        _refuse(error)
        return ExitCode.USAGE
    return code if isinstance(code, int) else ExitCode.OK


def _refuse(error: Any) -> None:
    from mailaudit.output import complain

    context = getattr(error, "ctx", None)
    path = context.command_path if context is not None else "mailaudit"
    message = " ".join(error.format_message().replace("Value error, ", "").split()).rstrip(".")
    complain(message, [f"{path} --help"])
