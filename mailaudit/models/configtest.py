"""What rspamd itself says of its configuration, where it was asked: `rspamadm configtest`."""

from __future__ import annotations

from dataclasses import dataclass

from mailaudit.models.sources import Model, Sources
from mailaudit.questions import Command, CommandOutput, Found, RunCommand


@dataclass(frozen=True, eq=False)
class Configtest(Model):
    """The command's outcome, None where it was not recorded."""

    output: CommandOutput | None = None

    @property
    def is_refused(self) -> bool:
        """True if rspamd was asked and refuses its configuration."""
        return self.output is not None and self.output.status != 0

    @property
    def last_line(self) -> str:
        """The last line that it said."""
        lines = self.output.stdout.strip().splitlines() if self.output is not None else []
        return lines[-1].strip() if lines else ""


def read_configtest(sources: Sources) -> Configtest:
    """The recorded outcome."""
    answer = sources.ask(RunCommand(Command.RSPAMADM_CONFIGTEST))
    return Configtest(output=answer.value if isinstance(answer, Found) and isinstance(answer.value, CommandOutput) else None)
