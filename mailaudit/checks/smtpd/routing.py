"""Rules about who may send what where: the match rules, judged by what becomes of a message."""

from __future__ import annotations

from collections.abc import Iterator

from mailaudit.checks.smtpd.actions import submission_sessions
from mailaudit.checks.smtpd.edits import add_line, before, local_action, relay_action, virtual_action, without
from mailaudit.checks.smtpd.probed import relayed
from mailaudit.checks.smtpd.scope import smtpd_rule
from mailaudit.editing import words
from mailaudit.editing.smtpd import remove
from mailaudit.edits import Edit, Fix, Safety
from mailaudit.findings import Doubt, Exempt, Finding, Outcome, Place
from mailaudit.models.endpoints import Endpoints
from mailaudit.models.site import Site
from mailaudit.models.smtpd.config import SmtpdConfig
from mailaudit.models.smtpd.match import Envelope, Session, Truth
from mailaudit.models.smtpd.parts import Action, Rule
from mailaudit.models.smtpd.reach import Reach, reach
from mailaudit.models.smtpd.relay import Relay, open_relays
from mailaudit.models.smtpd.route import Route, Router, exchanger_sessions, local_session, route
from mailaudit.models.sources import Lacking, Missing, NotHere
from mailaudit.parsers.tree import Statement
from mailaudit.questions import Reason

FOREIGN = "somebody@foreign.example.org"


def _goes(way: Route, *, relayed: bool) -> Route | None:
    """The way of a message if it is not the wanted one: delivered here, or relayed. A 451 is SMTPD045's to report."""
    decided = way.rule.action if way.rule is not None else None
    if way.answer == "tempfail" or (way.answer == "accept" and decided is not None and decided.is_relay is relayed):
        return None
    for rule_, truth in way.maybe:  # a rule for some senders only is a policy, not a lack
        if truth is Truth.CHOICE and rule_.action is not None and rule_.action.is_relay is relayed:
            return None
    return way


def _doubt(way: Route, what: str) -> Doubt | None:
    if not way.doubts:
        return None
    first = way.doubts[0]
    return Doubt(Reason.IN_DOUBT, f"Whether this rule applies to {what} is not known.", (Place.at(first.span),))


def _place(smtpd: SmtpdConfig, way: Route) -> Place:
    return Place.at(way.rule.span, "this rule decides") if way.rule is not None else Place.whole(smtpd.path)


def _add_rule(smtpd: SmtpdConfig, way: Route, line: str, action: Action) -> tuple[Edit, ...]:
    """A rule above the one that decides now, if its action is defined by then; else below the last rule."""
    decides = way.rule.statement if way.rule is not None else None
    if decides is not None and _stands_below(decides, action.statement):
        return before(decides, line)
    return add_line(smtpd, "match", line)


def _stands_below(lower: Statement, upper: Statement) -> bool:
    return lower.span.text is upper.span.text and upper.span.start < lower.span.start


@smtpd_rule("SMTPD040", needs_mail=True)
def own_domains_are_accepted(smtpd: SmtpdConfig, site: Site) -> Iterator[Outcome]:
    """Mail from anywhere for each domain of the site is delivered."""
    if not site.domains:
        yield Exempt("it is not known which domains the site takes mail for")
    routers = [(session, Router(smtpd, session)) for session in exchanger_sessions(smtpd)]
    for domain in site.domains:
        for session, router in routers:
            way = _goes(router.route(f"somebody@{domain}"), relayed=False)
            if way is not None:
                yield _doubt(way, f"mail for {domain}") or _inner(session) or _not_accepted(smtpd, way, domain, session)
                break


def _inner(session: Session) -> Doubt | None:
    """A doubt where mail comes in on an interface that may be an inner one."""
    if session.listener is None or reach(session.listener) is not Reach.UNKNOWN:
        return None
    message = f"Whether other servers deliver to {session.listener.where} is not known."
    return Doubt(Reason.IN_DOUBT, message, (Place.at(session.listener.span),))


def _not_accepted(smtpd: SmtpdConfig, way: Route, domain: str, session: Session) -> Finding:
    edits = accepting(smtpd, way, domain, session.tag)
    fix = Fix(f"Accept mail for {domain}", Safety.UNSAFE, edits) if edits else None
    done = "relayed, not delivered" if way.answer == "accept" else "refused"
    message = f"Mail from other servers for {domain} is {done}."
    return Finding(message, (_place(smtpd, way),), fix, "domain", domain, absence=way.rule is None)


def accepting(smtpd: SmtpdConfig, way: Route, domain: str, tag: str) -> tuple[Edit, ...]:
    """The edits that have mail for a domain delivered. A new rule stands below those that refuse some senders."""
    for each in smtpd.rules:
        table = each.destination.table
        is_for = each.destination.kind == "domain" and table is not None and domain in (smtpd.keys(table) or ())
        first = each.statement.tokens[0]
        is_implied = each.source.kind == "local" and each.source.at.span == first.span
        if is_for and is_implied and each.action is not None and not each.action.is_relay and each.auth is None:
            return words.after(first, "from any") or ()
    action = virtual_action(smtpd)
    if action is None:
        return ()
    tagged = f' tag "{tag}"' if tag else ""
    line = f'match{tagged} from any for domain "{domain}" action {action.name.span.chars}'
    return _add_rule(smtpd, way, line, action)


@smtpd_rule("SMTPD041")
def own_names_are_delivered(smtpd: SmtpdConfig, site: Site) -> Iterator[Outcome]:
    """Mail of this host for its own names is delivered to its own accounts."""
    names = ["localhost"]
    if smtpd.server_name is not None and smtpd.server_name not in site.domains:
        names.append(smtpd.server_name)
    for name in names:
        way = _goes(route(smtpd, local_session(smtpd), Envelope(f"root@{name}")), relayed=False)
        if way is None:
            continue
        doubt = _doubt(way, f"mail for root@{name}")
        if doubt is not None:
            yield doubt
            return
        action = local_action(smtpd)
        edits: tuple[Edit, ...] = ()
        if action is not None:
            line = f"match from local for local action {action.name.span.chars}"
            edits = _add_rule(smtpd, way, line, action)
        fix = Fix("Deliver the host's own mail", Safety.UNSAFE, edits) if edits else None
        done = "leaves the host" if way.answer == "accept" else "is refused"
        message = f"What cron and daemons write to root@{name} {done}."
        yield Finding(message, (_place(smtpd, way),), fix, "local", done, absence=way.rule is None)
        return


@smtpd_rule("SMTPD042", needs_mail=True)
def users_may_relay(smtpd: SmtpdConfig) -> Iterator[Outcome]:
    """Users who log in may send anywhere, on every port that takes logins."""
    for session, listener in submission_sessions(smtpd):
        way = _goes(route(smtpd, session, Envelope(FOREIGN)), relayed=True)
        if way is None:
            continue
        doubt = _doubt(way, "users who are logged in")
        port = f" on port {listener.port}" if listener is not None else ""
        message = f"Users who log in{port} can not send to other domains."
        yield doubt or _relays(smtpd, way, "match from auth for any action", message, "auth")
        return


@smtpd_rule("SMTPD043")
def this_host_may_relay(smtpd: SmtpdConfig) -> Iterator[Outcome]:
    """What runs on this host may send anywhere."""
    way = _goes(route(smtpd, local_session(smtpd), Envelope(FOREIGN)), relayed=True)
    if way is not None:
        doubt = _doubt(way, "mail of this host")
        message = "Mail of this host's own programs to other domains is refused."
        yield doubt or _relays(smtpd, way, "match from local for any action", message, "local")


def _relays(smtpd: SmtpdConfig, way: Route, line: str, message: str, about: str) -> Finding:
    action = relay_action(smtpd)
    edits: tuple[Edit, ...] = ()
    if action is not None:
        edits = _add_rule(smtpd, way, f"{line} {action.name.span.chars}", action)
    fix = Fix("Let it out", Safety.UNSAFE, edits) if edits else None
    return Finding(message, (_place(smtpd, way),), fix, about, "refused", absence=way.rule is None)


@smtpd_rule("SMTPD044")
def no_open_relay(smtpd: SmtpdConfig, site: Site, endpoints: Endpoints | Missing | NotHere | Lacking) -> Iterator[Outcome]:
    """No stranger can send to other domains through this host."""
    seen: set[int] = set()
    for witness in open_relays(smtpd, site.domains):
        doubtful = witness.doubtful
        if doubtful is not None:
            message = "Whether strangers may relay hangs on this rule, and what it applies to is not certain."
            yield Doubt(Reason.IN_DOUBT, message, (Place.at(doubtful.span),))
        elif reach(witness.listener) is Reach.UNKNOWN:
            message = f"This rule relays for all who reach {witness.listener.where}; whether strangers do is not known."
            yield Doubt(Reason.IN_DOUBT, message, (Place.at(witness.rule.span), Place.at(witness.listener.span)))
        elif witness.rule.span.start not in seen:
            seen.add(witness.rule.span.start)
            yield _open(witness)
    if not seen:
        yield from relayed(smtpd, site, endpoints)


def _open(witness: Relay) -> Finding:
    rule_, listener = witness.rule, witness.listener
    who = f"Anybody in {witness.sources}" if witness.sources else "Anybody"
    envelope = witness.envelope
    sender = f", from {envelope.sender}" if rule_.mail_from is not None and envelope.sender is not None else ""
    message = f"{who} may send mail to other domains through this host: to {envelope.recipient}{sender}, for one."
    places = (Place.at(rule_.span, "this rule lets it through"), Place.at(listener.span, "it comes in here"))
    return Finding(message, places, _close(rule_), "open relay", f"port {listener.port}")


def _close(rule_: Rule) -> Fix:
    """A rule that asks for a login; one that asks for none on purpose goes."""
    if rule_.auth is not None:
        return Fix("Remove the rule", Safety.UNSAFE, remove(rule_.statement))
    first = rule_.statement.tokens[0]
    return Fix("Ask for a login", Safety.UNSAFE, words.after(first, "auth") or ())


@smtpd_rule("SMTPD045")
def no_tls_criterion(smtpd: SmtpdConfig) -> Iterator[Outcome]:
    """No rule has the criterion `tls`, which smtpd does not implement."""
    for each in smtpd.rules:
        if each.tls is None:
            continue
        criterion = next(node for node in each.statement.node.nodes("tls"))
        edits = without(each.statement, criterion.leaves())
        fix = Fix("Remove the criterion", Safety.UNSAFE, edits) if edits else None
        message = 'Every message that reaches this rule is put off with a 451: smtpd does not implement "tls" here.'
        yield Finding(message, (Place.at(each.tls.at.span),), fix, "tls criterion", "tls")
