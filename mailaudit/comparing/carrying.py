"""From night to night: what changed since an earlier report, and what the next one must know of what was not told this time."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from mailaudit.comparing.differences import Comparison, Difference, HostDifference, Kind, added, differences, gone, paired
from mailaudit.comparing.known import Carried, Known, KnownHost, Told
from mailaudit.findings import Verdict
from mailaudit.questions import Reason

SAID_AT = 2  # reports in a row in which a rule could not be told
Key = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Night:
    """What there is to tell, and what the report carries for the next."""

    comparison: Comparison
    persisting: tuple[tuple[KnownHost, Told], ...]  # hosts, and rules of theirs that could not be told twice in a row: told once
    carried: Mapping[Key, tuple[Carried, ...]]


def since(earlier: Known, now: Known) -> Night:
    """What changed between an earlier report and that of now."""
    hosts: list[HostDifference] = []
    carried: dict[Key, tuple[Carried, ...]] = {}
    persisting: list[tuple[KnownHost, Told]] = []
    before = _all_known(earlier)
    known = {id(host): states for host, states in before}
    for old, new in paired([each for each, _ in before], now.hosts, renamed=now.is_complete):  # a dead host was not renamed
        states = known.get(id(old), {})
        if new is None:
            assert old is not None
            if now.is_complete:
                hosts.append(gone(old, "the host is gone"))
            else:
                carried[old.name, old.target] = _of_a_dead_host(old, states)
            continue
        found = tuple(_settled(each) for each in differences(old, new)) if old is not None else added(new)
        hosts.append(HostDifference(old, new, found))
        after = _after(new, found, states)
        persisting += [(new, new.by_rule[each.rule][0]) for each in after if _is_said(each, states, new)]
        if after:
            carried[new.name, new.target] = after
    return Night(Comparison(earlier, now, tuple(hosts)), tuple(persisting), carried)


def kept(earlier: Known) -> Mapping[Key, tuple[Carried, ...]]:
    """What a report of a run that audited nothing carries for the next."""
    return {(host.name, host.target): _of_a_dead_host(host, states) for host, states in _all_known(earlier)}


def first(now: Known) -> Mapping[Key, tuple[Carried, ...]]:
    """What the first of all reports carries for the next."""
    hosts = {(host.name, host.target): _after(host, (), {}) for host in now.hosts}
    return {key: states for key, states in hosts.items() if states}


def _all_known(report: Known) -> list[tuple[KnownHost, Mapping[str, Carried]]]:
    """The hosts as they were known by a report and those before it, and what it carried of them."""
    left = dict(report.carried)
    found: list[tuple[KnownHost, Mapping[str, Carried]]] = []
    for host in report.hosts:
        states = {each.rule: each for each in left.pop((host.name, host.target), ())}
        found.append((_filled(host, states), states))
    for (name, target), carried in left.items():
        states = {each.rule: each for each in carried}
        found.append((_filled(KnownHost(name, target, ()), states), states))
    return found


def _filled(host: KnownHost, states: Mapping[str, Carried]) -> KnownHost:
    """A host with the last known results in place of those that could not be told, and findings that nobody saw go."""
    results: list[Told] = []
    for rule in (*host.by_rule, *(rule for rule in states if rule not in host.by_rule)):
        own, state = host.by_rule.get(rule, ()), states.get(rule)
        is_told = bool(own) and own[0].verdict is not Verdict.UNKNOWN
        if state is None:
            results += own
        elif is_told:
            results += [each for each in own if each.is_found] + list(state.findings) or list(own)
        elif state.known:
            results += state.findings or (Told(rule, own[0].name if own else "", Verdict.PASS),)
        else:
            results += own or (Told(rule, "", Verdict.UNKNOWN, reason=Reason.IN_DOUBT),)
    return replace(host, results=tuple(results))


def _settled(difference: Difference) -> Difference:
    """A finding of a rule that never could be told before is as new as any."""
    return replace(difference, why="") if difference.kind is Kind.NEWLY_EVALUATED else difference


def _after(host: KnownHost, found: Iterable[Difference], states: Mapping[str, Carried]) -> tuple[Carried, ...]:
    """What is to be carried of a host that was audited."""
    lost: dict[str, list[Told]] = {}
    for each in found:
        if each.kind in (Kind.NOT_EVALUATED, Kind.RULE_REMOVED) and each.before is not None:
            lost.setdefault(each.before.rule, []).append(each.before)
    after = []
    unknown = {rule for rule, results in host.by_rule.items() if results[0].verdict is Verdict.UNKNOWN}
    for rule in sorted({*lost, *unknown}):
        state = states.get(rule)
        findings = tuple(each for each in lost.get(rule, ()) if each.is_found)
        times = (state.times if state is not None else 0) + (rule in unknown and host.by_rule[rule][0].is_open)
        is_known = rule in lost or (state is not None and state.known)
        after.append(Carried(rule, is_known, times if rule in unknown else 0, findings))
    return tuple(after)


def _is_said(state: Carried, states: Mapping[str, Carried], host: KnownHost) -> bool:
    """True for the report in which a rule could not be told for the second time in a row."""
    before = states[state.rule].times if state.rule in states else 0
    return state.rule in host.by_rule and before < SAID_AT <= state.times


def _of_a_dead_host(host: KnownHost, states: Mapping[str, Carried]) -> tuple[Carried, ...]:
    """All that is known of a host that was not audited."""
    found = []
    for rule, results in host.by_rule.items():
        is_known = results[0].verdict is not Verdict.UNKNOWN
        times = states[rule].times if rule in states else 0
        found.append(Carried(rule, is_known, times, tuple(each for each in results if each.is_found)))
    return tuple(found)
