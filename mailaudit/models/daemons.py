"""Which daemons start at boot, in which order, and which of them run now."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from mailaudit.models.dovecot.config import DovecotConfig
from mailaudit.models.httpd import HttpdConfig
from mailaudit.models.processes import Processes
from mailaudit.models.rc import RcConf
from mailaudit.models.redis import RedisConfig
from mailaudit.models.rspamd.config import RspamdConfig
from mailaudit.models.smtpd.config import SmtpdConfig
from mailaudit.models.sources import Known, Lacking, Model, NotHere, Slot, Sources
from mailaudit.models.system import said
from mailaudit.questions import Command, Reason

CONFIGURED_BY: Mapping[str, type] = {
    "dovecot": DovecotConfig,
    "httpd": HttpdConfig,
    "redis": RedisConfig,
    "rspamd": RspamdConfig,
    "smtpd": SmtpdConfig,
}


@dataclass(frozen=True, eq=False)
class Daemons(Model):
    """The daemons by the names of their rc.d(8) scripts.

    `rc` is what the files say, `on`, `order`, `started` and `failed` what rcctl(8) said, `processes` those of ps(1): None for
    what is not known. `not_here` are daemons of which the target holds nothing, each with the reason.
    """

    rc: RcConf | None = None
    on: frozenset[str] | None = None
    order: tuple[str, ...] | None = None
    started: frozenset[str] | None = None
    failed: frozenset[str] | None = None
    processes: Processes | None = None
    not_here: Mapping[str, str] = field(default_factory=dict)

    def enabled(self, name: str) -> bool | None:
        """True if it starts at boot: by the files where they are known, else as rcctl said."""
        if self.rc is not None:
            return self.rc.service(name).enabled
        return None if self.on is None else name in self.on

    def running(self, name: str) -> bool | None:
        """True if it runs now: as rcctl said, else by its processes."""
        if self.started is not None:
            return name in self.started
        if self.failed is not None and (self.on is None or name in self.on or name in self.failed):
            if name in self.failed:
                return False
            if self.on is not None:
                return True
        return None if self.processes is None else self.processes.has(name)

    def place_in_order(self, name: str) -> int | None:
        """The place of a package's daemon among those that start at boot; None if it is not there, or that is not known."""
        if self.rc is not None:
            return self.rc.order(name)
        return self.order.index(name) if self.order is not None and name in self.order else None


def read_daemons(sources: Sources, slots: Mapping[type, Slot[object]]) -> Slot[Daemons]:
    """What is known of the daemons, from the files, rcctl and ps."""
    rc, processes = slots[RcConf], slots[Processes]
    told = {
        command: None if isinstance(output := said(sources, command), Lacking) else tuple(output.split())
        for command in (Command.RCCTL_LS_ON, Command.RCCTL_ORDER, Command.RCCTL_LS_STARTED, Command.RCCTL_LS_FAILED)
    }
    if isinstance(rc, Lacking) and rc.reason is not Reason.NOT_RECORDED and all(each is None for each in told.values()):
        return rc
    config = rc.value if isinstance(rc, Known) and isinstance(rc.value, RcConf) else None
    on, order, started, failed = told.values()
    return Known(
        Daemons(
            trees=config.trees if config else (),
            assumed=config.assumed if config else (),
            rc=config,
            on=None if on is None else frozenset(on),
            order=order,
            started=None if started is None else frozenset(started),
            failed=None if failed is None else frozenset(failed),
            processes=processes.value if isinstance(processes, Known) and isinstance(processes.value, Processes) else None,
            not_here={} if sources.snapshot.recorded else _not_here(slots),
        )
    )


def _not_here(slots: Mapping[type, Slot[object]]) -> dict[str, str]:
    return {name: slot.why for name, kind in CONFIGURED_BY.items() if isinstance(slot := slots[kind], NotHere)}
