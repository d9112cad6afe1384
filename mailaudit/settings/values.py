"""What the values of mailaudit.toml may be. Each function gives the value, or raises ValueError where it is none."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import date, datetime
from ipaddress import IPv4Address, IPv6Address, ip_network
from typing import Any, TypeVar

from mailaudit.findings import Severity
from mailaudit.settings.tables import TwiceError

MOST_DAYS = 36_500
T = TypeVar("T")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_DOMAIN = re.compile(r"(?=.{1,253}\Z)(?:(?!-)[\w-]{1,63}(?<!-)\.)*(?!-)[\w-]{1,63}(?<!-)")


def text(value: Any) -> str:
    """A string that is not blank and holds no control characters."""
    if not isinstance(value, str) or not value.strip() or _CONTROL.search(value):
        raise ValueError
    return value.strip()


def sentence(value: Any) -> str:
    """Such a string, written over any number of lines."""
    return text(" ".join(value.split()) if isinstance(value, str) else value)


def host_glob(value: Any) -> str:
    """A glob of host names: no path, and each bracket closed."""
    found = text(value)
    if "/" in found or "[" in re.sub(r"\[!?[^\[\]]+\]", "", found):
        raise ValueError
    return found


def texts(value: Any) -> tuple[str, ...]:
    """A list of such strings."""
    return tuple(text(each) for each in listed(value))


def listed(value: Any) -> list[Any]:
    """A list."""
    if not isinstance(value, list):
        raise ValueError  # noqa: TRY004 - one kind of error says that a value is none
    return value


def table(value: Any) -> dict[str, Any]:
    """A table."""
    if not isinstance(value, dict):
        raise ValueError  # noqa: TRY004 - one kind of error says that a value is none
    return value


def tables(value: Any) -> list[dict[str, Any]]:
    """A list of tables."""
    return [table(each) for each in listed(value)]


def one_of(*choices: str) -> Callable[[Any], str]:
    """One of some strings."""

    def read(value: Any) -> str:
        if not isinstance(value, str) or value not in choices:
            raise ValueError
        return value

    return read


def domain(value: Any) -> str:
    """A domain name, in lower case and without a final dot."""
    name = text(value).lower().removesuffix(".")
    if not _DOMAIN.fullmatch(name):
        raise ValueError
    return name


def domains(value: Any) -> tuple[str, ...]:
    """A list of domain names."""
    return tuple(domain(each) for each in listed(value))


def ipv4(value: Any) -> tuple[str, ...]:
    """A list of IPv4 addresses in their canonical text."""
    return tuple(str(IPv4Address(text(each))) for each in listed(value))


def ipv6(value: Any) -> tuple[str, ...]:
    """A list of IPv6 addresses in their canonical text."""
    return tuple(str(IPv6Address(text(each))) for each in listed(value))


def networks(value: Any) -> tuple[str, ...]:
    """A list of networks or addresses in their canonical text."""
    return tuple(str(ip_network(text(each), strict=False)) for each in listed(value))


def by_name(value: Any, read: Callable[[Any], T]) -> Mapping[str, T]:
    """A table of values by names of DNS. Raises `TwiceError` where two of them are one."""
    found: dict[str, T] = {}
    written: dict[str, str] = {}
    for key, each in table(value).items():
        name = domain(key)
        if name in found:
            raise TwiceError(key, written[name])
        found[name], written[name] = read(each), key
    return found


def selectors(value: Any) -> Mapping[str, str]:
    """A table of selectors by domain."""
    return by_name(value, domain)


def ports(value: Any) -> Mapping[str, tuple[int, ...]]:
    """A table of port numbers by protocol."""
    found = table(value)
    if set(found) - {"tcp", "udp"}:
        raise ValueError
    return {name: tuple(_port(each) for each in listed(numbers)) for name, numbers in found.items()}


def _port(value: Any) -> int:
    number = whole(value)
    if not 0 < number < 65536:
        raise ValueError
    return number


def whole(value: Any) -> int:
    """A whole number."""
    if not isinstance(value, int) or isinstance(value, bool):
        raise ValueError  # noqa: TRY004 - one kind of error says that a value is none
    return value


def days(value: Any) -> int:
    """A number of days."""
    number = whole(value)
    if not 0 < number <= MOST_DAYS:
        raise ValueError
    return number


def day(value: Any) -> date:
    """A date without a time."""
    if not isinstance(value, date) or isinstance(value, datetime):
        raise ValueError  # noqa: TRY004 - one kind of error says that a value is none
    return value


def days_of_names(value: Any) -> Mapping[str, date]:
    """A table of dates by name."""
    return by_name(value, day)


def severity(value: Any) -> Severity:
    """A severity by name."""
    return Severity[one_of(*(str(each) for each in Severity))(value).upper()]


def fingerprint(value: Any) -> str:
    """A finding's fingerprint: 64 hexadecimal digits."""
    found = text(value).lower()
    if not re.fullmatch(r"[0-9a-f]{64}", found):
        raise ValueError
    return found
