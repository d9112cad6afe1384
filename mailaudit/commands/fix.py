"""`mailaudit fix`: plan the corrections, show them, write them."""

from __future__ import annotations

from functools import partial

from mailaudit.choices import Common, Looking
from mailaudit.collect.ssh.target import is_path
from mailaudit.commands.convert import convert_folder
from mailaudit.commands.fix_folder import mend
from mailaudit.commands.level import Level
from mailaudit.commands.looking import chosen_targets
from mailaudit.commands.telling import UsageError, reported, shown
from mailaudit.findings import Report
from mailaudit.output import Telling


def fix(common: Common, target: str | None, level: Level, looking: Looking) -> int:
    """Plan the corrections of a target's hosts, write them if asked to, and tell."""
    return reported(common, partial(_made, common, target, level, looking))


def show_the_applier() -> int:
    """Print the program that writes to a live host as root."""
    from mailaudit.apply.transaction import applier  # noqa: PLC0415  only who writes to a live host needs it

    return shown(lambda: applier().decode("ascii"), debug=False)


def _made(common: Common, target: str | None, level: Level, looking: Looking) -> tuple[Report, Telling]:
    if target is None:
        raise UsageError("Missing argument 'TARGET'", "mailaudit fix DIRECTORY", "mailaudit fix HOST")
    chosen_targets([target], None, live=True)
    if not is_path(target):
        if level.release is not None:
            raise UsageError("--to is for folders", f"mailaudit snapshot {target} -o DIR, then mailaudit fix DIR --to ...")
        from mailaudit.commands.fix_host import mend_host  # noqa: PLC0415  only who mends a live host pays for asyncssh

        return mend_host(common, target, level, looking)
    if level.reload:
        raise UsageError("--reload is for live hosts: no daemon runs in a folder", "mailaudit fix HOST --write --reload")
    if level.release is not None:
        return convert_folder(common, target, level)
    return mend(common, target, level)
