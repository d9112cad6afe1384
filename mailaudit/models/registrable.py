"""What of a domain its owner registered, as far as that can be told without the list of public suffixes."""

from __future__ import annotations

# What registries put between a country's label and the registered name; the list of public suffixes has some thousand more.
_SECOND_LEVEL = frozenset(
    "ac ad asn biz co com ed edu firm gen go gob gouv gov govt gv id ind inf info int kiwi lg ltd me mil muni ne net nhs nic "  # noqa: SIM905
    "nom or org plc pol pro res sch school web".split()
)
_COUNTRY = 2  # letters of a country's label
_SHORT = 3  # a registered name directly below a country's label is seldom as short; a registry's own label often is


def registrable(domain: str) -> str | None:
    """The registered domain that a name is or lies in; None where that cannot be told.

    rspamd asks its own copy of the list (rspamd_util.get_tld).
    """
    labels = domain.lower().rstrip(".").split(".")
    if len(labels) <= 2:
        return ".".join(labels)
    country, second = labels[-1], labels[-2]
    if len(country) != _COUNTRY:
        return ".".join(labels[-2:])
    if second in _SECOND_LEVEL:
        return ".".join(labels[-3:])
    return None if len(second) <= _SHORT else ".".join(labels[-2:])
