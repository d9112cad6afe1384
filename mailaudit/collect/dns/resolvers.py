"""The resolvers: those named on the command line, or the system's; each question goes to the next where one fails."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import ip_address

import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
import dns.resolver

from mailaudit.collect.budget import Trouble
from mailaudit.collect.dns.wire import Exchange, Query, Server
from mailaudit.questions import Reason

MOST = 4  # resolvers that are tried
_OF_RCODE = {dns.rcode.SERVFAIL: Reason.SERVFAIL, dns.rcode.REFUSED: Reason.REFUSED}
_TELLING = (Reason.SERVFAIL, Reason.REFUSED, Reason.PROTOCOL, Reason.TIMEOUT, Reason.OFFLINE)


def system_resolvers() -> tuple[Server, ...]:
    """Those of /etc/resolv.conf; none where there is none."""
    try:
        found = dns.resolver.Resolver()
    except dns.resolver.NoResolverConfiguration:
        return ()
    return tuple(Server(str(each), found.port) for each in found.nameservers if _is_address(str(each)))[:MOST]


def _is_address(written: str) -> bool:
    try:
        ip_address(written)
    except ValueError:
        return False
    return True


@dataclass(frozen=True)
class Resolvers:
    """Resolvers in the order in which they are tried; those that never answer come last."""

    servers: tuple[Server, ...]
    exchange: Exchange

    @property
    def are_here(self) -> bool:
        """True if one of them is on this machine."""
        return any(ip_address(server.address.partition("%")[0]).is_loopback for server in self.servers)

    async def ask(self, name: dns.name.Name, type_: dns.rdatatype.RdataType, *, dnssec: bool = False) -> dns.message.Message:
        """An answer with NOERROR or NXDOMAIN. Raises `Trouble` with the most telling reason where no resolver gives one."""
        if not self.servers:
            raise Trouble(Reason.TIMEOUT, "no resolver is known: name one with --resolver")
        troubles: list[Trouble] = []
        for server in sorted(self.servers, key=self.exchange.is_silent):
            try:
                found = await self.exchange.ask(server, Query(name, type_, dnssec=dnssec))
            except Trouble as trouble:
                troubles.append(trouble)
                continue
            if found.rcode() in (dns.rcode.NOERROR, dns.rcode.NXDOMAIN):
                return found
            reason = _OF_RCODE.get(found.rcode(), Reason.PROTOCOL)
            troubles.append(Trouble(reason, f"{server} answers {dns.rcode.to_text(found.rcode())}"))
        worst = min(troubles, key=lambda each: _TELLING.index(each.reason))
        reason = Reason.TIMEOUT if worst.reason is Reason.OFFLINE else worst.reason  # that nobody could be asked is no wish
        raise Trouble(reason, "; ".join(dict.fromkeys(each.detail for each in troubles)))
