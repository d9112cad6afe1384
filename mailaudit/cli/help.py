"""How `--help` looks: commands and options in groups, whole sentences, arguments as a manual writes them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import typer
from typer.core import TyperCommand, TyperGroup

from mailaudit.choices import CODE, HOSTS, JUDGED, NETWORK, REPORT
from mailaudit.exitcodes import ExitCode, epilog

GROUPS: Mapping[str, tuple[str, ...]] = {
    "Audit and mend": ("scan", "fix", "diff", "baseline"),
    "Live hosts": ("doctor", "snapshot", "history", "rollback"),
    "Look closer": ("rules", "parse", "pf", "trace"),
    "Set up": ("init", "policy", "config", "completion", "version"),
}
"""The program's commands in the order in which somebody who is new meets them; those of no group come last."""

Command = TypeVar("Command", bound=Callable[..., Any])
NO_VERDICT = (ExitCode.FINDINGS, ExitCode.NOTHING, ExitCode.FIX_FAILED)
"""The codes that a command never ends with which neither judges nor mends."""
_ORDER = ("Arguments", "Options", NETWORK, HOSTS, JUDGED, REPORT, CODE, "General")
_SECTIONS = {"--format": REPORT, "--color": REPORT, "--debug": "General", "--help": "General"}


class Plain(TyperCommand):
    """A command whose options stand in groups, and count once if they take one value."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Read the arguments; of two values for one option, which is meant is not for this program to guess."""
        _, _, order = self.make_parser(ctx).parse_args(args=list(args))
        options: list[Any] = [each for each in order if each.param_type_name == "option"]
        for each in options:
            if options.count(each) > 1 and not (each.is_flag or each.multiple):
                ctx.fail(f"{max(each.opts, key=len)} is given {options.count(each)} times: it takes one value")
        rest: list[str] = super().parse_args(ctx, args)
        return rest

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        """What stands behind the command's name."""
        return ["[OPTIONS]", *(_piece(each, ctx) for each in self.get_params(ctx) if each.param_type_name == "argument")]

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Write arguments, the command's own options, and those that it shares by groups."""
        sections: dict[str, list[tuple[str, str]]] = {}
        for each in self.get_params(ctx):
            record = each.get_help_record(ctx)
            if record is not None:
                sections.setdefault(_section(each), []).append(record)
        for title in sorted(sections, key=_ORDER.index):
            _list(formatter, title, sections[title])


class Grouped(TyperGroup):
    """A command with others below it, which stand in groups and with all of their sentence."""

    def collect_usage_pieces(self, _ctx: Any) -> list[str]:
        """What stands behind the command's name."""
        return ["[OPTIONS]", "COMMAND", "..."]

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Write the commands and what each of them does."""
        shown = {name: command for name, command in self.commands.items() if not command.hidden}
        told = {name: (command.help or "").split("\n\n", 1)[0].replace("\n", " ") for name, command in shown.items()}
        named = GROUPS if ctx.parent is None else {}
        for title, names in named.items():
            _list(formatter, title, [(name, told.pop(name)) for name in names if name in told])
        _list(formatter, "Commands", list(told.items()))


class Commands(typer.Typer):
    """A list of commands that look alike; the exit codes stand below the help of each."""

    def __init__(self, **settings: Any) -> None:
        """Make a list; `settings` are typer's."""
        super().__init__(cls=Grouped, add_completion=False, rich_markup_mode=None, epilog=epilog(), **settings)

    def command(self, name: str | None = None, **settings: Any) -> Callable[[Command], Command]:
        """Add a command; its exit codes are all there are unless `epilog` says otherwise."""
        return super().command(name, **{"cls": Plain, "epilog": epilog(), **settings})


def alone(context: typer.Context) -> None:
    """Without any of a list's commands: its help, and the code of a usage error."""
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())
        raise typer.Exit(ExitCode.USAGE)


def _piece(argument: Any, ctx: Any) -> str:
    name = argument.make_metavar(ctx).strip("[]{}").removesuffix("...")
    many = f"{name}..." if argument.nargs == -1 else name
    return many if argument.required else f"[{many}]"


def _section(parameter: Any) -> str:
    if parameter.param_type_name == "argument":
        return "Arguments"
    named = (_SECTIONS[each] for each in parameter.opts if each in _SECTIONS)
    return getattr(parameter, "rich_help_panel", None) or next(named, "Options")


def _list(formatter: Any, title: str, rows: list[tuple[str, str]]) -> None:
    if rows:
        with formatter.section(title):
            formatter.write_dl(rows)
