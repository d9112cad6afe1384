"""The rule that daemons run with the limits that are on disk, and not with those of an older login class."""

from __future__ import annotations

from collections.abc import Iterator

from mailaudit.checks.host.limits import LEAST
from mailaudit.checks.registry import rule
from mailaudit.edits import Fix, Safety
from mailaudit.findings import Doubt, Evidence, Exempt, Finding, Outcome, Place
from mailaudit.models.clock import moment
from mailaudit.models.files import Files
from mailaudit.models.login import LoginConf
from mailaudit.models.processes import Processes, is_younger
from mailaudit.models.system import TYPED
from mailaudit.questions import Command, Reason, Stat


@rule("CROSS103")
def daemons_run_with_the_limits_on_disk(processes: Processes, login: LoginConf, files: Files) -> Iterator[Outcome]:
    """No daemon has been running since before its own login class was changed."""
    judged = False
    for daemon in LEAST:
        main, found = processes.main(daemon), login.login_class(daemon)
        if main is None or found is None:
            continue
        judged = True
        path, name = found.record.path, found.record.names[0]
        stat = files.stat(path)
        changed = moment(stat.mtime) if isinstance(stat, Stat) and stat.mtime else None
        if changed is None:
            yield Doubt(Reason.NOT_RECORDED, f"When {path} was changed was not recorded.", (Place.at(name.span),))
        elif is_younger(changed, main.started):
            message = f"{daemon} runs with the limits of an older login class: {path} changed after {daemon} had started."
            shown = (
                Evidence(f"stat {path}", f"changed {changed:%Y-%m-%d %H:%M:%S} UTC"),
                Evidence(TYPED[Command.PS], f"{daemon} since {main.started:%Y-%m-%d %H:%M:%S} UTC"),
            )
            fix = Fix("Start it anew", Safety.UNSAFE, commands=(f"rcctl restart {daemon}",))
            yield Finding(message, (*shown, Place.at(name.span, "its class")), fix, f"class of {daemon}", "older")
    if not judged:
        yield Exempt("no daemon with a login class of its own runs here")
