"""What is being asked of which host, on a terminal while it happens; nothing of it stays."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from threading import Lock
from types import TracebackType
from typing import TYPE_CHECKING, Self

from mailaudit.reports.masking import visible

if TYPE_CHECKING:
    from rich.console import Console
    from rich.live import Live
    from rich.text import Text

LEFT_FREE = 2  # lines of the terminal
WIDEST_NAME = 40  # cells


@dataclass
class Progress:
    """One line for each host that is being asked. Shown from the first word on, until the block in which it is used ends."""

    console: Console | None = None
    hosts: dict[str, tuple[float, str]] = field(default_factory=dict)  # since when, and what
    done: int = 0
    _live: Live | None = None
    _turn: Lock = field(default_factory=Lock)  # hosts are asked in threads of their own

    def tell(self, target: str, what: str) -> None:
        """Say what is asked of a host now; nothing, when it is done."""
        with self._turn:
            if what:
                since, _ = self.hosts.get(target, (time.monotonic(), ""))
                self.hosts[target] = since, what
            elif self.hosts.pop(target, None) is not None:
                self.done += 1
            if self._live is None:
                self._begin()

    def _begin(self) -> None:
        from rich.console import Console  # noqa: PLC0415  a scan that nobody watches does not pay for it
        from rich.live import Live  # noqa: PLC0415

        self.console = self.console or Console(stderr=True)
        self._live = Live(
            get_renderable=self.shown,
            console=self.console,
            transient=True,
            refresh_per_second=8,
            redirect_stdout=False,
            redirect_stderr=False,
        )
        self._live.start(refresh=True)  # the first word is shown, however soon the host is done

    def shown(self) -> Text:
        """The lines: the hosts that have been asked for longest, and how many there are besides."""
        from rich.text import Text  # noqa: PLC0415

        assert self.console is not None
        now, room = time.monotonic(), max(1, self.console.height - LEFT_FREE)
        hosts = [(visible(target, self.console.encoding), *told) for target, told in list(self.hosts.items())]
        width = min(WIDEST_NAME, max((len(name) for name, *_ in hosts), default=0))
        lines = [f"{name[:width]:<{width}}  {now - since:3.0f} s  {what}" for name, since, what in hosts[:room]]
        if len(hosts) > room or self.done:
            lines.append(f"{self.done} done, {len(hosts)} are being asked")
        return Text("\n".join(line[: self.console.width] for line in lines), no_wrap=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Take the lines away."""
        if self._live is not None:
            self._live.stop()
