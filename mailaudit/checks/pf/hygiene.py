"""Rules about what is left over in pf.conf, never comes to decide, or is not told to anybody."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

from mailaudit.checks.pf.edits import option_line, top_rules
from mailaudit.checks.pf.words import doubt
from mailaudit.checks.registry import rule
from mailaudit.editing import words
from mailaudit.editing.pf import remove, set_option
from mailaudit.edits import Fix, Safety
from mailaudit.findings import Doubt, Exempt, Finding, Outcome, Place
from mailaudit.models.files import Files
from mailaudit.models.pf.addresses import public
from mailaudit.models.pf.config import Ruleset
from mailaudit.models.pf.match import Matcher, concerns
from mailaudit.models.pf.reach import own_address
from mailaudit.models.pf.rules import Options, Rule, outline
from mailaudit.models.pf.shadow import shadowed
from mailaudit.models.pf.traffic import Addresses, Masks, Traffic
from mailaudit.models.pf.values import TCP, UDP
from mailaudit.models.rc import RcConf
from mailaudit.models.sources import Lacking, NotHere
from mailaudit.parsers.tree import Statement, Token, Tree
from mailaudit.questions import Absent, Reason

MOST_RULES = 10_000  # beyond that it may take too long to compare each with those that it meets
MOST_PLACES = 5


@rule("PF051")
def the_way_out_is_counted(pf: Ruleset) -> Iterator[Outcome]:
    """Pf counts what comes and goes over the interface to the Internet."""
    found = pf.options.get("loginterface", [])
    if found:
        name = found[-1].node.all_leaves()[-1]
        if name.value == "egress" or any(name.value in (each.name, *each.groups) for each in pf.egress):
            return
        edits = set_option(pf.trees[0], "loginterface", "egress") if found[-1].text is pf.text else None
        message = f"pf keeps its counters for {name.value}, which is not the way to the Internet."
        fix = Fix("Count on egress", Safety.SAFE if edits else Safety.MANUAL, edits or ())
        yield Finding(message, (Place.at(name.span, "not egress"),), fix, "loginterface", name.value)
        return
    fix = Fix("Count on egress", Safety.SAFE, option_line(pf, "set loginterface egress"))
    message = "pf keeps no counters for the interface to the Internet: pfctl -si tells nothing of its packets."
    yield Finding(message, (Place.whole(pf.text),), fix, "loginterface", "unset", absence=True)


@rule("PF052")
def blocked_packets_are_logged(pf: Ruleset, rc: RcConf | NotHere | Lacking) -> Iterator[Outcome]:
    """What comes in and no rule lets in is logged, and pflogd writes it down."""
    silent: dict[Rule, None] = {}
    blocks = False
    for family, protocol in product(pf.families, (TCP, UDP)):
        answer = pf.admits(family, protocol, 1)
        if answer.value == "doubt":
            yield doubt(pf, answer.doubts, "blocked packets are logged")
            return
        deciding = answer.rules[0] if answer.rules else None
        if answer.value != "no" or deciding is None or deciding.action != "block":
            continue
        blocks = True
        if not deciding.log and not _logged_before(pf, family, protocol):
            silent.setdefault(deciding)
    for each in silent:
        place = Place.at(each.statement.span, "blocks without a trace")
        yield Finding("Packets that this rule blocks are not logged.", (place,), _with_log(pf, each), "log", "no")
    if not blocks:
        yield Exempt("nothing is blocked by default")
    elif isinstance(rc, RcConf) and not rc.service("pflogd").enabled:
        by = rc.service("pflogd").by
        place = (
            Place.at(by.span, "off") if by is not None else Place.whole(rc.trees[0].text if rc.trees else "/etc/rc.conf.local")
        )
        fix = Fix("Enable pflogd", Safety.UNSAFE, commands=("rcctl enable pflogd", "rcctl start pflogd"))
        yield Finding("pflogd does not start at boot, so nobody writes down what pf logs.", (place,), fix, "pflogd", "off")


def _logged_before(pf: Ruleset, family: int, protocol: int) -> bool:
    """True if a match rule logs whatever strangers send."""
    logs = [each for each in pf.rules if each.action == "match" and each.log]
    for interface in pf.egress if logs else ():
        strangers, own = Addresses(public(family), stranger=True), own_address(interface, family)
        traffic = Traffic("in", interface, family, protocol, strangers, own, target_ports=((1, 1),))
        matcher = Matcher(traffic, pf.book)
        about = [each for each in logs if concerns(each, "in", interface, family, protocol)]
        if not any(matcher.match(each, pf.tables, _no_tags)[0] for each in about):
            return False
    return bool(logs)


def _no_tags(_options: Options) -> Masks:
    return 0, 1


def _with_log(pf: Ruleset, by: Rule) -> Fix:
    """`log` behind the direction, or where none is said behind the action."""
    template = by.statement.template
    if template is None or by.statement.kind != "rule" or by not in top_rules(pf):
        return Fix("Log what is blocked", Safety.MANUAL)
    plan = outline(template)
    at = plan.direction if plan.direction is not None else max((plan.action, *plan.how))
    edits = words.after(by.statement.seen[at], "log")
    return Fix("Log what is blocked", Safety.SAFE if edits else Safety.MANUAL, edits or ())


@rule("PF055")
def rules_that_pass_come_to_decide(pf: Ruleset) -> Iterator[Outcome]:
    """Each rule that lets something in or out decides over some packet."""
    passing = [each for each in pf.rules if each.action == "pass"]
    if len(pf.rules) > MOST_RULES:
        yield Doubt(Reason.IN_DOUBT, f"With {len(pf.rules):,} rules it was not worked out which of them never decide.")
        return
    for each in shadowed(pf, passing):
        span = each.rule.statement.span
        if each.skip is not None:
            continue  # what is not filtered passes, as the rule would have it
        if not each.killers:
            message = "This rule never lets anything pass: no packet that comes to the rules matches it."
            yield Finding(message, (Place.at(span, "never matches"),), _dead(each.rule), "shadowed", "empty")
            continue
        closed = all(other.action == "block" for other in each.killers)
        if not closed and not _says_more(each.rule.options):
            continue  # what it matches passes all the same, but for what others block on purpose
        does = "never lets anything pass" if closed else "never takes effect"
        message = f"This rule {does}: other rules decide over all that it matches."
        others = [Place.at(other.statement.span, "decides instead") for other in each.killers]
        yield Finding(message, (Place.at(span, "never decides"), *others), _dead(each.rule), "shadowed", "killed")


def _dead(rule_: Rule) -> Fix:
    """What never decides can go without a change of what passes; whether it was to decide, only a person knows."""
    return Fix("Remove it, or move it to where it decides", Safety.UNSAFE, remove(rule_.statement))


def _says_more(options: Options) -> bool:
    """True if a rule does more than let packets pass: it limits them, or leads them elsewhere."""
    leads = (options.rdr, options.nat, options.route_to, options.divert_to)
    return bool(options.state_options) or any(each is not None for each in leads)


@rule("PF056")
def nothing_is_left_over(pf: Ruleset, files: Files) -> Iterator[Outcome]:
    """Each macro is used, each table is defined, and the files of tables are there."""
    for statement in _unused_macros(pf.trees):
        name = statement.seen[0]
        fix = Fix(f"Take {name.value} out", Safety.SAFE, remove(statement))
        yield Finding(f"The macro {name.value} is used nowhere.", (Place.at(name.span, "unused"),), fix, "macro", name.value)
    yield from _undefined_tables(pf)
    yield from _absent_files(pf, files)


def _unused_macros(trees: tuple[Tree, ...]) -> Iterator[Statement]:
    """The last definitions of macros that no statement uses; tokens are looked at only where the name stands."""
    defined: dict[str, Statement] = {}
    for tree in trees:
        for each in tree.walk():
            if each.kind == "macro" and each.problem is None:
                defined[each.seen[0].value] = each
    for name, statement in defined.items():
        use = f"${name}"
        if not any(use in tree.text.chars and any(_uses(each, use, name) for each in tree.walk()) for tree in trees):
            yield statement


def _uses(statement: Statement, use: str, name: str) -> bool:
    if not statement.is_written or use not in statement.span.chars:
        return False
    return any(token.kind == "macro" and token.value == name for token in statement.tokens)


def _undefined_tables(pf: Ruleset) -> Iterator[Finding]:
    known = {each.name for each in pf.definitions.values()} | set(pf.tables)
    used: dict[str, Token] = {}
    for each in pf.rules:
        for peer in (*each.sources, *each.targets):
            if peer.kind == "table" and peer.name not in known:
                used.setdefault(peer.name, peer.at)
    for name, at in used.items():
        message = f"The table <{name}> is defined nowhere: it is empty until something fills it."
        edits = option_line(pf, f"table <{name}> persist") if at.text is pf.text else ()
        fix = Fix(f"Define <{name}>", Safety.SAFE if edits else Safety.MANUAL, edits)
        yield Finding(message, (Place.at(at.span, "not defined"),), fix, "table", name, absence=True)


def _absent_files(pf: Ruleset, files: Files) -> Iterator[Outcome]:
    """Files of tables that are known not to be there; of a repository, which need not hold them, nothing is said."""
    if not files.of_host:
        return
    for table in pf.definitions.values():
        for token in table.files:
            if isinstance(files.found.get(token.value), Absent):
                message = (
                    f"The table <{table.name}> is to be read from {token.value}, which is not there: pfctl refuses the file."
                )
                yield Finding(message, (Place.at(token.span, "not there"),), None, f"table {table.name}", "file")
