"""Settings that several files say together as one file, for where they are kept apart from those."""

from __future__ import annotations

from collections.abc import Iterator

from mailaudit.settings import Settings, Waiver
from mailaudit.settings.merging import header, written


def as_toml(settings: Settings) -> bytes:
    """A mailaudit.toml that says all of it."""
    lines = [f"# What is said of this host in {', '.join(map(_in_words, settings.files))}."]
    for table, keys in _tables(settings):
        lines += ["", f"[{header(table)}]", *(f"{written_key} = {written(value)}" for written_key, value in keys)]
    for waiver in settings.waivers:
        lines += ["", "[[waiver]]", *(f"{key} = {value}" for key, value in _waiver(waiver))]
    return "".join(f"{line}\n" for line in lines).encode("utf-8")


def _in_words(path: str) -> str:
    return written(path.encode("utf-8", "backslashreplace").decode())


def _tables(settings: Settings) -> Iterator[tuple[tuple[str, ...], list[tuple[str, object]]]]:
    site = settings.site
    names = [keys[1] for keys in settings.said if keys[0] == "site"]
    ports = {"tcp": site.open_tcp, "udp": site.open_udp}
    if names:
        yield ("site",), [(name, ports if name == "open_ports" else getattr(site, name)) for name in names]
    rules: list[tuple[str, object]] = [("ignore", settings.ignore)] if settings.ignore else []
    if ("rules", "profile") in settings.said:
        rules.insert(0, ("profile", settings.profile))
    if rules:
        yield ("rules",), rules
    if settings.severity:
        yield ("rules", "severity"), [(header((rule,)), str(severity)) for rule, severity in settings.severity.items()]
    policy: dict[str, dict[str, dict[str, object]]] = {}
    for each in site.policy:
        policy.setdefault(each.subject, {}).setdefault(each.name, {})[each.operator] = each.value
    for subject, measures in policy.items():
        yield ("policy", subject), list(measures.items())


def _waiver(waiver: Waiver) -> Iterator[tuple[str, str]]:
    yield "rule", written(waiver.rule)
    yield "reason", written(waiver.reason)
    if waiver.expires is not None:
        yield "expires", waiver.expires.isoformat()
    for key, value in (("host", waiver.host), ("match", waiver.match)):
        if value is not None:
            yield key, written(value)
