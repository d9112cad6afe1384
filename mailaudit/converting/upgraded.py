"""A host once it has the other release: what is recorded of the old one would stand against the new configuration."""

from __future__ import annotations

import re
from dataclasses import replace

from mailaudit.questions import Command, CommandOutput, Found, RunCommand
from mailaudit.snapshot import Snapshot

_EVIDENCE = (
    (Command.PKG_INFO, re.compile(r"\bdovecot-2\.3[\w.]*"), "dovecot-2.4.1"),
    (Command.PKG_INFO, re.compile(r"\bdovecot-pigeonhole-0\.5[\w.]*"), "dovecot-pigeonhole-2.4.1"),
    (Command.DOVECOT_VERSION, re.compile(r"\A2\.3[\d.]*"), "2.4.1"),
)


def upgraded(snapshot: Snapshot) -> Snapshot:
    """The same host with Dovecot 2.4 and Pigeonhole 2.4 installed, where older ones are recorded."""
    for command, old, new in _EVIDENCE:
        answer = snapshot.answer(RunCommand(command))
        if isinstance(answer, Found) and isinstance(answer.value, CommandOutput):
            output = replace(answer.value, stdout=old.sub(new, answer.value.stdout))
            snapshot = snapshot.with_answers({RunCommand(command): Found(output)})
    return snapshot
