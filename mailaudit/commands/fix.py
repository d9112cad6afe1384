"""`mailaudit fix`: plan the corrections, show them, write them."""

from __future__ import annotations

from functools import partial

from mailaudit.choices import Common
from mailaudit.commands.choosing import chosen_targets
from mailaudit.commands.convert import convert_folder
from mailaudit.commands.fix_folder import mend
from mailaudit.commands.level import Level
from mailaudit.commands.telling import reported
from mailaudit.findings import Report
from mailaudit.output import Telling


def fix(common: Common, target: str, level: Level) -> int:
    """Plan the corrections of a target's hosts, write them if asked to, and tell."""
    return reported(common, partial(_made, common, target, level))


def _made(common: Common, target: str, level: Level) -> tuple[Report, Telling]:
    chosen_targets([target], None)
    if level.release is not None:
        return convert_folder(common, target, level)
    return mend(common, target, level)
