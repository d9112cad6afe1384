"""The rule about whom the filter of smtpd asks: a worker of rspamd that listens there."""

from __future__ import annotations

import re
from collections.abc import Iterator

from mailaudit.checks.host.services import RESTARTS
from mailaudit.checks.registry import rule
from mailaudit.checks.rspamd.edits import place_of
from mailaudit.checks.smtpd.edits import instead
from mailaudit.edits import Fix, Safety
from mailaudit.findings import Doubt, Exempt, Finding, Outcome, Place
from mailaudit.models.rspamd.config import Bind, RspamdConfig, Worker
from mailaudit.models.smtpd.config import SmtpdConfig
from mailaudit.models.smtpd.parts import Filter
from mailaudit.questions import Reason

DEFAULT_URL = "http://localhost:11333"  # of filter-rspamd
_URL = re.compile(r"(?P<scheme>https?)://(?:\[(?P<six>[^\]]+)\]|(?P<host>[^:/\s]+))(?::(?P<port>\d{1,5}))?(?:/.*)?\Z")


@rule("RSPAMD006")
def filter_finds_rspamd(smtpd: SmtpdConfig, rspamd: RspamdConfig) -> Iterator[Outcome]:
    """What the filter asks is a socket of a worker."""
    filters = [each for each in smtpd.filters.values() if each.program is not None and "filter-rspamd" in each.program.value]
    if not filters:
        yield Exempt("no filter of smtpd hands mail to rspamd")
    for known in filters:
        yield from _finds(rspamd, known)


def _words(known: Filter) -> list[str]:
    return known.program.value.split() if known.program is not None else []


def option_of(known: Filter, name: str) -> str | None:
    """The value of an option, as Go's flag package reads it: one dash or two, `=` or the next word."""
    words = _words(known)
    for number, word in enumerate(words[1:], 1):
        option, equals, value = word.partition("=")
        if option in (f"-{name}", f"--{name}"):
            return value if equals else words[number + 1] if number + 1 < len(words) else ""
    return None


def _finds(rspamd: RspamdConfig, known: Filter) -> Iterator[Outcome]:
    assert known.program is not None
    url = option_of(known, "url") or DEFAULT_URL
    place = Place.at(known.program.span)
    workers = [worker for worker in rspamd.workers if worker.is_enabled is not False]
    binds = [bind for worker in workers for bind in worker.binds]
    if re.match(r"unix:|[^/]*:\d{1,5}\Z", url):
        socket = re.sub(r"unix:(?://)?(?=/)", "", url)
        fix = _replaced(known, url, socket if socket != url else f"http://{url}")
        message = (
            f"The filter takes http:// and an address, or a local socket's path: with {url} it ends at once, and smtpd with it."
        )
        yield Finding(message, (place,), fix, f"filter {known.name.value}", url)
        return
    if url.startswith("/"):
        if url in {bind.path for bind in binds}:
            return
        what = url
    else:
        match = _URL.match(url)
        if match is None:
            yield Doubt(Reason.IN_DOUBT, f"Whom the filter asks at {url} could not be told.", (place,))
            return
        host = match["six"] or match["host"]
        port = int(match["port"] or (443 if match["scheme"] == "https" else 80))
        if not (host in ("localhost", "::1") or host.startswith("127.")):
            yield Doubt(
                Reason.NOT_RECORDED, f"The filter asks rspamd on another host, {host}, of which nothing is known.", (place,)
            )
            return
        if any(bind.port == port and _answers(bind, host) for bind in binds):
            return
        what = f"port {port} of this host"
    if any(bind.host is None and bind.path is None for bind in binds):
        yield Doubt(Reason.IN_DOUBT, "What rspamd listens on could not be told.", (place,))
        return
    related = tuple(
        place_of(rspamd, bind.value, worker.file or "", "listens here") for worker in workers for bind in worker.binds
    )
    own = tuple(each for each in related if each.span is not None)
    message = f"The filter asks rspamd on {what}, where no worker listens: smtpd then puts off every mail, the users' too."
    yield Finding(message, (place, *own), _asking(known, workers, url), f"filter {known.name.value}", url)


def _replaced(known: Filter, url: str, new: str) -> Fix | None:
    """The filter asks somewhere else."""
    if known.program is None:
        return None
    words = known.program.value.replace(url, new) if url in known.program.value else f"{known.program.value} -url {new}"
    edits = instead(known.program, f'"{words}"')
    return Fix("Ask where rspamd listens", Safety.UNSAFE, edits, RESTARTS["smtpd"]) if edits else None


def _asking(known: Filter, workers: list[Worker], url: str) -> Fix:
    """The filter asks where the one worker for messages listens; without such a one, rspamd has to be looked after."""
    judging = [bind for worker in workers if worker.kind == "normal" for bind in worker.binds]
    ports = {bind.port for bind in judging if bind.port is not None and _answers(bind, "localhost")}
    fix = _replaced(known, url, f"http://localhost:{ports.pop()}") if len(ports) == 1 else None
    return fix or Fix("See where rspamd listens", Safety.MANUAL, commands=RESTARTS["rspamd"])


def _answers(bind: Bind, host: str) -> bool:
    """True if a worker that listens there is reached under a loopback name."""
    if bind.host in ("*", "localhost", host) or host == "localhost":
        return bind.host is not None
    return bind.host in ("0.0.0.0", "::") or (bind.host == "*v4" and host != "::1")  # noqa: S104  compared, not bound
