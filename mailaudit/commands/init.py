"""`mailaudit init`: the whole corrected set-up of a host from nothing, with its zone and a checklist."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

from mailaudit import __version__, output, rulebook
from mailaudit.choices import Common, NewHost
from mailaudit.commands.new_folder import vacant, writable, write_new
from mailaudit.commands.telling import UsageError, shown
from mailaudit.founding.files import CHECKLIST, folder, zone_name
from mailaudit.founding.wish import Wish, WishError, plan
from mailaudit.questions import now


def init(common: Common, newhost: NewHost, domain: str, host: str) -> int:
    """Write the folder and say what is in it; by default it is called as the host."""
    told = asdict(newhost)
    out = told.pop("out")
    wish = Wish(domain, host, users=tuple(told.pop("user") or ()), **told)

    def make() -> str:
        try:
            made = plan(wish)
        except WishError as error:
            raise UsageError(str(error)) from error
        place = out or made.host_name
        vacant(place)
        files = folder(made, rulebook.load().founding(made.dovecot), version=__version__, taken=now())
        with writable(f"-o {place}"):
            write_new(Path(place), {path: text.encode() for path, text in files.items()})
        for warning in made.warnings:
            output.complain(warning)
        return "".join(
            f"{line}\n"
            for line in (
                f"{len(files)} files for {made.host_name} are in {place}; no secret is among them.",
                f"{place}/{CHECKLIST}: what to do with them, in an order that works",
                f"{place}/{zone_name(made)}: the records to publish",
                f"mailaudit scan {place}: judges them again after you change them",
            )
        )

    return shown(make, debug=common.debug)
