"""From every value of a rule one gets back to its written characters: other characters there change that value alone."""

from __future__ import annotations

from collections.abc import Mapping

from hypothesis import given, settings
from hypothesis import strategies as st
from pf_corpus import TRIED_ON, read

from mailaudit.models.pf.config import Ruleset
from mailaudit.models.pf.origins import Origin, origins
from mailaudit.models.pf.rules import Anchor, Entry, Rule

INCLUDED = """peer = "10.0.9"
pass out on $ext proto udp to $peer.7 port 53 tag INNER
"""
SOURCE = """ext = "em0"
lan = "10.0.1"
ports = "ssh smtp" 587
more = '{' $ports "}"
hosts = 10.0.0.1 "10.0.0.3"
both = "{" $hosts "10.0.0.4/31 }"
rest = "keep state (max 10, max-src-conn-rate 5/3, overload <bad> flush)"
set skip on lo
table <bad> persist
queue q on em0 bandwidth 10M default
include "/etc/pf.inner"
match out on $ext inet from $lan.0/24 nat-to 203.0.113.9 port 1024:2048
pass in quick log on { $ext em1 } inet proto { tcp udp } from $both port > 1023 to ! <good> port $more label "one" set prio (2, 5)
pass in on $ext inet proto tcp from 192.0.2.0/24 to $lan.9 port { 22 80:90 1000 >< 60000 } user { _smtpd > 1000 } $rest
pass in inet proto icmp icmp-type { echoreq unreach code needfrag } tagged INNER rtable 3 probability 20%
pass in on $ext inet proto tcp to port 8080 rdr-to 10.0.0.5 port 80 set (queue q, tos 0x10) tag 'a b'
anchor "mail" in on $ext inet proto tcp {
  pass proto tcp to ($ext) port smtp max-pkt-rate 100/10
  block return-icmp (host-unr) log (to pflog1) from { $lan.1 - $lan.5 $peer.8 } received-on em1
}
pass in inet6 proto icmp6 icmp6-type 128 flags any
pass in on $ext inet proto tcp from route lan os Windows flags S/SA divert-to 127.0.0.1 port 8025
"""
OTHER: Mapping[str, str] = {
    "on": "em7", "from": "198.51.100.77", "to": "198.51.100.78", "from mask": "25", "to mask": "30", "from end": "10.0.1.9",
    "from port": "4444", "to port": "4445", "os": "Linux", "icmp-type": "3", "icmp-type code": "host-unr",
    "icmp6-type": "129", "received-on": "em8", "user": "_dhcp", "label": "two", "tag": "OUTER", "tagged": "OUTER",
    "rtable": "4", "probability": "30%",
    "nat-to": "203.0.113.10", "nat-to port": "3000", "rdr-to": "10.0.0.6", "rdr-to port": "81", "anchor": "post", "max": "20",
    "max-src-conn-rate": "6", "max-src-conn-rate seconds": "7", "overload": "worse", "set prio": "3", "set prio for acks": "6",
    "set tos": "0x08", "max-pkt-rate": "101", "max-pkt-rate seconds": "11", "log to": "pflog2", "return-icmp code": "net-unr",
    "divert-to": "127.0.0.2", "divert-to port": "8026",
}  # fmt: skip
OTHER_FLAGS = {"S": "A", "SA": "SAFR"}


def conditions(entries: tuple[Entry, ...]) -> list[Rule]:
    found: list[Rule] = []
    for entry in entries:
        found += [entry.rule, *conditions(entry.body or ())] if isinstance(entry, Anchor) else [entry]
    return found


def values(pf: Ruleset) -> list[Origin]:
    return [origin for rule in conditions(pf.entries) for origin in origins(rule)]


def model(source: str, inner: str) -> Ruleset:
    pf = read(source, TRIED_ON, files={"/etc/pf.inner": inner.encode()})
    assert not pf.faults, pf.faults
    return pf


BEFORE = model(SOURCE, INCLUDED)
VALUES = values(BEFORE)


def other(origin: Origin) -> str | None:
    if origin.name == "flags":
        return OTHER_FLAGS.get(origin.value)
    if origin.name in ("from", "to") and origin.value.isalnum():
        return "em7"  # the name of an interface, a table or a route label
    return OTHER.get(origin.name) if origin.at.is_string or origin.at.kind == "number" else None


def test_all_kinds_of_values_are_there() -> None:
    assert set(OTHER) <= {origin.name for origin in VALUES} | {"to mask"}
    assert {"action", "direction", "family", "proto", "state", "flush", "set queue", "log"} <= {origin.name for origin in VALUES}
    assert {origin.at.text.path for origin in VALUES} == {"/etc/pf.conf", "/etc/pf.inner"}
    assert any(origin.at.via for origin in VALUES)


def test_each_value_is_what_is_written() -> None:
    for origin in VALUES:
        written = origin.at.span.chars
        assert origin.value in written or "$" in written, origin


@given(st.sampled_from([origin for origin in VALUES if other(origin) is not None]))
@settings(max_examples=150, deadline=None)
def test_other_characters_change_that_value_alone(origin: Origin) -> None:
    new, span = other(origin), origin.at.span
    assert new is not None
    chars = span.text.chars
    if chars[span.start] in "\"'":
        new = f"'{new}'"
    changed = chars[: span.start] + new + chars[span.end :]
    in_main = span.path == "/etc/pf.conf"
    after = values(model(changed if in_main else SOURCE, INCLUDED if in_main else changed))
    assert len(after) == len(VALUES)
    for old, found in zip(VALUES, after, strict=True):
        assert old.name == found.name
        touched = old.at.text is span.text and old.at.start < span.end and span.start < old.at.end
        assert (old.value != found.value) == touched, (origin, old, found)
        if touched:
            assert found.value == new.strip("'")
