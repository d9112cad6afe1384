"""`mailaudit snapshot`: collect only, and save what a later scan judges alike; `mailaudit doctor`: the way to a host."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from mailaudit import rulebook
from mailaudit.audit import opened
from mailaudit.auditor import auditor_for, prepared
from mailaudit.choices import Common, Looking
from mailaudit.collect.ssh.target import is_path
from mailaudit.commands.choosing import options
from mailaudit.commands.looking import chosen_targets, login
from mailaudit.commands.new_folder import vacant, writable
from mailaudit.commands.saving import Learned, save, summary
from mailaudit.commands.telling import UsageError, shown
from mailaudit.commands.watching import watched
from mailaudit.exitcodes import ExitCode
from mailaudit.questions import NOT_ASKED, Failed, Handshake, Reason, refusal
from mailaudit.snapshot import Snapshot

_MARKS = {True: "ok  ", False: "FAIL", None: "note"}
_CLOSED = NOT_ASKED | {Reason.REFUSED}


def snapshot(common: Common, target: str, out: str, looking: Looking) -> int:
    """Record a host in a folder."""
    code = ExitCode.OK

    def make() -> str:
        nonlocal code
        vacant(out)
        found = learned(common, target, looking)
        with writable(f"-o {out}"):
            saved = save(found, Path(out))
        failures = _failures(saved)
        code = ExitCode.INCOMPLETE if failures and not common.allow_incomplete else ExitCode.OK
        lines = [summary(saved, out)]
        return "".join(f"{line}\n" for line in (*lines, *(f"not to be had: {each}" for each in failures)))

    return shown(make, debug=common.debug) or code


def doctor(common: Common, target: str, looking: Looking) -> int:
    """Try the way to a host step by step."""
    code = ExitCode.OK

    def make() -> str:
        nonlocal code
        lines = []
        for line, fine in _steps(common, target, looking):
            lines.append(f"{_MARKS[fine]}  {line}\n")
            if fine is False:
                code = ExitCode.INCOMPLETE
        return "".join(lines)

    return shown(make, debug=common.debug) or code


def _steps(common: Common, target: str, looking: Looking) -> Iterator[tuple[str, bool | None]]:
    """Each step, and whether it was taken; None for one that a scan does not need."""
    if is_path(target):
        raise UsageError(f"{target} is a path; doctor tries the way to a live host")
    from mailaudit.collect.ssh.trial import steps  # noqa: PLC0415  asyncssh is paid for where a host is asked

    reached = True
    for step in steps(target, login(looking)):
        reached = step.fine
        yield step.line, step.fine
    if not reached:
        return
    known = learned(common, target, Looking(offline=True, become=looking.become, timeout=looking.timeout)).known
    failures = _failures(known)
    lines = sorted({refusal(each)[1:] for each in failures} - {("", "")})
    yield f"{len(known.answers) - len(failures)} of {len(known.answers)} questions are answered", not failures
    for each in failures:
        yield refusal(each)[0], False
    if lines:
        more = "what they open may ask for more: then try again"
        yield (
            f"/etc/{lines[0][0]} would allow it with these lines; {more}\n" + "\n".join(f"      {each}" for _, each in lines),
            False,
        )
    yield _writing(target, looking)


def _writing(target: str, looking: Looking) -> tuple[str, bool | None]:
    """Whether `fix --write` could write there; a host that is only looked at needs none of it."""
    from mailaudit.apply.host import ApplierError  # noqa: PLC0415  as above
    from mailaudit.commands.entering import entered  # noqa: PLC0415

    with entered(target, replace(login(looking), outside=None)) as (_, writer):
        if writer.user == "root":
            return "fix --write would send what it needs along", True
        if not writer.means:
            return f"fix --write could not write there, which no scan needs: {writer.user} cannot become root", None
        try:
            writer.prepare()
        except ApplierError as error:
            why = f"fix --write could not write there, which no scan needs: {error.message}"
            return "\n      ".join((why, *error.hints)), None
    return "fix --write may write there", True


def learned(common: Common, target: str, looking: Looking) -> Learned:
    """All that a scan of one host asks, and what is read of it."""
    named, book = chosen_targets([target], None, live=True), rulebook.load()
    with watched(common, options(common, looking)) as chosen, opened(named, prepared(chosen, book)) as [one]:
        if len(one.worlds) != 1:
            raise UsageError(f"{target} holds {len(one.worlds)} hosts; name one")
        auditor = replace(auditor_for(one.worlds[0], book, chosen), live=one.live)
        return Learned(auditor, *auditor.learn())


def _failures(known: Snapshot) -> list[str]:
    """What could not be had. That a port is closed is an answer."""
    failed = ((question, each) for question, each in known.answers.items() if isinstance(each, Failed))
    return sorted(
        {
            each.detail
            for question, each in failed
            if each.reason not in (_CLOSED if isinstance(question, Handshake) else NOT_ASKED)
        }
    )
