"""From which addresses mail leaves, what is said in HELO there, and what receivers make of it by SPF."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from mailaudit.models.dns.asking import Asking
from mailaudit.models.dns.host import MOST, HostAddresses, canonical
from mailaudit.models.dns.names import bare, reverse
from mailaudit.models.smtpd.config import SmtpdConfig
from mailaudit.models.smtpd.parts import Action
from mailaudit.models.sources import Known, Lacking, Slot
from mailaudit.models.spf.check import Limits, Looked, SpfResult, check_host

COUNTED = Limits(30, 30)
"""So that a record that is too long is counted to its end."""
_BOTH = frozenset({4, 6})
NOBODY = "0.0.0.0"  # noqa: S104  no client has it, so that a record is read to its last term


@dataclass(frozen=True, slots=True)
class Sender:
    """An address that mail leaves from, and the name in HELO there; None where a table says it or smtpd.conf was not read."""

    address: str
    helo: str | None

    @property
    def version(self) -> int:
        """4 or 6."""
        return 6 if ":" in self.address else 4


@dataclass(frozen=True, slots=True)
class Sending:
    """How mail leaves: by which addresses, and whether there are others that are not known.

    `open_families` are those whose addresses are not known and not pinned. `smarthost` is true if all mail goes through another
    server, whose addresses it leaves from then.
    """

    senders: tuple[Sender, ...] = ()
    open_families: frozenset[int] = frozenset()
    smarthost: bool = False

    @property
    def addresses(self) -> tuple[str, ...]:
        """The addresses, each once."""
        return tuple(dict.fromkeys(each.address for each in self.senders))


def read_sending(smtpd: Slot[SmtpdConfig], host: HostAddresses, own_name: str | None) -> Sending:
    """How mail leaves by smtpd.conf; without one, as if it had a plain relay. Of one that was not read the HELO is not known."""
    if not isinstance(smtpd, Known):
        return _direct(((None, (4, 6), None if isinstance(smtpd, Lacking) else own_name),), host)
    used = [rule.action for rule in smtpd.value.rules if rule.action is not None and rule.action.is_relay]
    direct = [action for action in dict.fromkeys(used) if "host" not in action.tables]
    if used and not direct:
        return Sending(smarthost=True)
    families = _families(smtpd.value)
    found = _direct(((_pinned(smtpd.value, each), families, _helo(each, own_name)) for each in direct), host)
    sources = [each.tables["src"] for each in direct if "src" in each.tables]
    return found if all(smtpd.value.keys(each) is not None for each in sources) else replace(found, open_families=_BOTH)


def _families(smtpd: SmtpdConfig) -> tuple[int, ...]:
    """`mta limit inet4` has smtpd use IPv4 alone."""
    settings = {word: token.value for word, token in smtpd.options.settings.items()}
    for version, word in ((4, "inet4"), (6, "inet6")):
        if f"mta limit {word}" in settings or settings.get("mta limit") == word:
            return (version,)
    return (4, 6)


def _pinned(smtpd: SmtpdConfig, action: Action) -> tuple[str, ...] | None:
    """The addresses of `relay src`; None without it. A table that is not at hand has none."""
    table = action.tables.get("src")
    if table is None:
        return None
    keys = smtpd.keys(table) or ()
    return tuple(text for text in (canonical(key.strip("[]").removeprefix("ipv6:")) for key in keys) if text is not None)


def _helo(action: Action, own_name: str | None) -> str | None:
    if "helo-src" in action.tables:
        return None
    said = action.values.get("helo")
    return bare(said.value) if said is not None else own_name


def _direct(relays: Iterable[tuple[tuple[str, ...] | None, tuple[int, ...], str | None]], host: HostAddresses) -> Sending:
    senders: dict[Sender, None] = {}
    unknown: set[int] = set()
    for pinned, families, helo in relays:
        for version in families:
            if pinned is not None:  # smtpd goes to no server of a family that it has no source for
                senders.update((Sender(each, helo), None) for each in pinned if (":" in each) == (version == 6))
                continue
            if host.family(version) is None or version in host.moving:
                unknown.add(version)
            senders.update((Sender(each, helo), None) for each in host.family(version) or ())
    return Sending(tuple(senders)[:MOST], frozenset(unknown))


@dataclass
class SpfAsking:
    """SPF's questions, asked through the model's."""

    asking: Asking

    def __call__(self, name: str, type_: str) -> Looked:
        """What SPF sees of a reply."""
        if type_ == "PTR" and bare(name) == bare(reverse(NOBODY)):
            return Looked()
        reply = self.asking.look(name, type_)
        values: Iterator[str] | tuple[str, ...] = reply.data
        if type_ == "TXT":
            values = reply.texts
        elif type_ == "MX":
            pairs = sorted((int(data.split(None, 1)[0]), data.split(None, 1)[1]) for data in reply.data)
            values = (bare(name) for _, name in pairs if name != ".")
        elif type_ == "PTR":
            values = (bare(data) for data in reply.data)
        return Looked(tuple(values), reply.failed)

    def counted(self, domain: str) -> SpfResult:
        """What a stranger gets, and the record's costs."""
        return check_host(NOBODY, f"postmaster@{domain}", domain, self, COUNTED)

    def of_domain(self, domain: str, sender: Sender) -> SpfResult:
        """What mail of a domain gets."""
        return check_host(sender.address, f"postmaster@{domain}", sender.helo or domain, self)

    def of_helo(self, sender: Sender) -> SpfResult | None:
        """What the name in HELO gets."""
        return check_host(sender.address, "", sender.helo, self) if sender.helo else None
