"""One host: how it stands, its mail flow, its findings, what was not told, and how much was read."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from mailaudit.findings import Coverage, FileStatus, Verdict
from mailaudit.questions import NOT_ASKED
from mailaudit.reports.html.certificates import lifetimes
from mailaudit.reports.html.finding import Told, filtered, finding
from mailaudit.reports.html.flow import picture
from mailaudit.reports.html.hops import ABOUT, Entry, Hop, Shape, Standing, anchor_of, entries, of_severity, standings
from mailaudit.reports.html.marks import worded
from mailaudit.reports.html.markup import NOTHING, Child, Html, joined, listed, tag
from mailaudit.reports.html.prose import inline
from mailaudit.reports.html.source import CUT, changed, copied
from mailaudit.reports.terminal.coverage import status
from mailaudit.reports.view import REASONS, View, counted
from mailaudit.wording import number_of

MANY = 24  # findings that a hop names
MOST_UNREAD = 20  # statements of a file
WIDEST = 240  # characters of one
WORDS = {
    Shape.FINE: "passed",
    Shape.UNTOLD: "not told",
    Shape.UNASKED: "not asked",
    Shape.WAIVED: "waived",
    Shape.NOTHING: "not applicable",
}
KINDS = {
    Verdict.PASS: "passed",
    Verdict.UNKNOWN: "not evaluated",
    Verdict.WAIVED: "waived",
    Verdict.NOT_APPLICABLE: "not applicable",
}
GOOD = (FileStatus.READ, FileStatus.IGNORED)


def host(view: View, number: int, told: Told, form: Html, *, show_passed: bool) -> Html:
    """The whole section of a host; `form` is the filter, where it stands before the host's findings."""
    name = anchor(number)
    all_told = entries(view, name)
    standing = standings(all_told)
    found = of(all_told, Verdict.FAIL)
    waived = of(all_told, Verdict.WAIVED)
    sections = (
        ("Mail flow", "flow", tag("div", picture(name, view.name, standing), _hops(name, standing), class_="way-and-hops")),
        ("Findings", "findings", joined(form, [finding(view, each, name, told) for each in found]) if found else _none(view)),
        ("Waived", "waived", joined(*(finding(view, each, name, told) for each in waived))),
        ("Waivers to look at", "waivers", listed(view.clean(each) for each in view.host.notes)),
        ("Not evaluated", "unknown", _unknown(view, of(all_told, Verdict.UNKNOWN))),
        ("Assumed", "assumed", _assumed(view, all_told)),
        ("Certificates", "certificates", lifetimes(view)),
        ("What fix would do, or did", "plan", _plan(view.host.plan)),
        ("Files", "files", _files(view)),
        ("Passed", "passed", _passed(of(all_told, Verdict.PASS)) if show_passed else NOTHING),
        ("Not applicable", "exempt", _exempt(view, of(all_told, Verdict.NOT_APPLICABLE)) if show_passed else NOTHING),
    )
    there = [(title, f"{name}-{part}", body) for title, part, body in sections if body.chars]
    contents = tag("ul", [tag("li", tag("a", title, href=f"#{at}")) for title, at, _ in there])
    return tag(
        "section",
        tag("h2", view.name),
        _standing(view),
        tag("nav", contents, aria_label=f"Contents: {view.name}"),
        [tag("section", tag("h3", title), body, id=at) for title, at, body in there],
        id=name,
        class_="of-host",
    )


def anchor(number: int) -> str:
    """What the anchors of a host begin with."""
    return f"h{number}"


def of(told: Iterable[Entry], verdict: Verdict) -> list[Entry]:
    """Those of one verdict."""
    return [each for each in told if each.result.verdict is verdict]


def _standing(view: View) -> Html:
    host_ = view.host
    counts = host_.counts()
    told = ", ".join(f"{counts[verdict]} {word}" for verdict, word in KINDS.items() if counts[verdict])
    site = {
        "Target": f"{view.clean(host_.target)}, {'online' if host_.online else 'offline'}",
        "Mail domains": _names(view, "domains"),
        "Mail host": _names(view, "mail_host"),
        "Host name": _names(view, "host_name"),
        "Addresses": ", ".join(filter(None, (_names(view, "ipv4"), _names(view, "ipv6")))),
    }
    rows = [(tag("dt", key), tag("dd", value)) for key, value in site.items() if value]
    return joined(tag("p", severities(view), f"; {told}" if told else "", class_="standing"), tag("dl", rows, class_="facts"))


def severities(view: View) -> Html:
    """How many findings of each severity, each with its mark."""
    found = [worded(of_severity(severity), f"{count} {severity}") for severity, count in counted(view.host.results)]
    return joined(*(joined(", " if number else "", each) for number, each in enumerate(found))) if found else Html("no findings")


def _names(view: View, key: str) -> str:
    value = view.host.site.get(key)
    names = value if isinstance(value, list | tuple) else [value] if isinstance(value, str) else []
    return view.clean(", ".join(map(str, names)))


def _hops(name: str, standing: Mapping[Hop, Standing]) -> Html:
    return tag("ul", [_hop(name, hop, standing[hop]) for hop in Hop], class_="hops")


def _hop(name: str, hop: Hop, standing: Standing) -> Html:
    counts = ", ".join(f"{standing.counts[shape]} {word}" for shape, word in WORDS.items() if standing.counts.get(shape))
    links: list[Child] = [
        (tag("a", each.result.rule, href=f"#{each.anchor}", title=each.result.name), " ") for each in standing.findings[:MANY]
    ]
    if len(standing.findings) > MANY:
        links.append(f"and {len(standing.findings) - MANY} more")
    about = ABOUT[hop]
    return tag(
        "li",
        tag("p", tag("b", about.name), " ", worded(standing.shape, standing.word)),
        tag("p", about.told, f": {counts}" if counts else "", class_="soft"),
        tag("p", *links) if links else NOTHING,
        id=anchor_of(name, hop),
    )


def _none(view: View) -> Html:
    return tag("p", "Nothing was found." if view.host.counts()["pass"] else "Nothing was evaluated.")


def _unknown(view: View, told: Sequence[Entry]) -> Html:
    """What could not be told, by reason: first what should have been."""
    groups: dict[tuple[bool, str], list[Entry]] = {}
    for each in told:
        reason = each.result.reason
        if reason is not None:
            groups.setdefault((reason in NOT_ASKED, reason), []).append(each)
    return joined(*(_reason(view, group) for _, group in sorted(groups.items(), key=lambda each: each[0])))


def _reason(view: View, group: Sequence[Entry]) -> Html:
    reason = group[0].result.reason
    assert reason is not None
    title = tag("summary", tag("b", f"{REASONS[reason]}"), f" ({reason}): {number_of(len(group), 'rule')}")

    def row(each: Entry) -> Html:
        return joined(_rule(each), "" if reason in NOT_ASKED else f": {view.message(each.result)}")

    return tag("details", title, _entries(group, row), open=reason not in NOT_ASKED)


def _entries(group: Iterable[Entry], row: Callable[[Entry], Html]) -> Html:
    rows = [tag("li", row(each), **filtered(each)) for each in group]
    return tag("ul", rows, class_="rows") if rows else NOTHING


def _assumed(view: View, told: Sequence[Entry]) -> Html:
    rests: dict[str, set[str]] = {}
    for each in told:
        for assumed in each.result.assumed:
            rests.setdefault(assumed, set()).add(each.result.rule)
    return joined(*(_rest(view.clean(assumed), sorted(rules)) for assumed, rules in sorted(rests.items())))


def _rest(assumed: str, rules: Sequence[str]) -> Html:
    summary = tag("summary", assumed, tag("span", f" ({number_of(len(rules), 'rule')})", class_="soft"))
    return tag("details", summary, tag("p", tag("code", " ".join(rules))))


def _files(view: View) -> Html:
    files = sorted((each for each in view.host.files if each.status is not FileStatus.MISSING), key=lambda each: each.path)
    missing = sorted(each.path for each in view.host.files if each.status is FileStatus.MISSING)
    rows = [tag("li", *_file(view, each)) for each in files]
    statements = sum(each.statements for each in files)
    unread = sum(len(each.unread) for each in files)
    head = tag("p", f"{number_of(len(files), 'file')}, {number_of(statements, 'statement')}, {unread} of them not read.")
    absent = tag("p", "Not there: ", view.clean(", ".join(missing)), ".") if missing else NOTHING
    return joined(*((head, tag("ul", rows, class_="files")) if rows else ()), absent)


def _file(view: View, file: Coverage) -> Iterator[Html]:
    told = view.clean(status(file))
    shape = Shape.HIGH if file.status is FileStatus.REFUSED else Shape.UNTOLD
    yield tag("p", tag("code", view.clean(file.path)), " ", told if file.status in GOOD else worded(shape, told))
    rows = []
    for span, why in file.unread[:MOST_UNREAD]:
        written = view.mask.written(span)
        shown = written[:WIDEST] + (CUT if len(written) > WIDEST else "")
        rows.append(joined(f"line {span.line}: ", tag("code", view.clean(shown)), f" {view.clean(why)}"))
    if len(file.unread) > MOST_UNREAD:
        rows.append(joined(f"and {len(file.unread) - MOST_UNREAD} more"))
    yield listed(rows)
    if file.sha256:
        yield tag("p", f"SHA-256 {file.sha256}", class_="soft digest")


def _passed(told: Sequence[Entry]) -> Html:
    return _entries(sorted(told, key=_by_rule), _rule)


def _exempt(view: View, told: Sequence[Entry]) -> Html:
    return _entries(sorted(told, key=_by_rule), lambda each: joined(_rule(each), f": {view.message(each.result)}"))


def _by_rule(entry: Entry) -> str:
    return entry.result.rule


def _rule(entry: Entry) -> Html:
    return joined(tag("code", entry.result.rule), " ", inline(entry.result.title))


def _plan(plan: Mapping[str, object] | None) -> Html:
    """What `fix` would do or did; `reports.plan` has cleaned it."""
    if plan is None:
        return NOTHING
    todo = plan.get("todo")
    deeds = [str(each.get("text")) for each in todo if isinstance(each, dict)] if isinstance(todo, list) else []
    return joined(
        tag("p", "It was written." if plan.get("written") else "Nothing was written."),
        changed(str(plan.get("diff") or "")),
        joined(tag("p", "Then, in this order:"), copied(deeds)) if deeds else NOTHING,
    )
