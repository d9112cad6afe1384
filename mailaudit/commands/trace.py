"""`mailaudit trace`: follow one message or login through a host, hop by hop."""

from __future__ import annotations

from dataclasses import dataclass

from mailaudit import output, rulebook
from mailaudit.auditor import Auditor, Options, auditor_for
from mailaudit.choices import AnswerFormat, Common, Way
from mailaudit.collect.roots import find_worlds
from mailaudit.commands.choosing import options
from mailaudit.commands.looking import chosen_targets
from mailaudit.commands.telling import UsageError, explained
from mailaudit.exitcodes import ExitCode, settle, worst
from mailaudit.models.dovecot.config import DovecotConfig
from mailaudit.models.facts import Facts
from mailaudit.models.pf.config import Ruleset
from mailaudit.models.smtpd.config import SmtpdConfig
from mailaudit.models.sources import Known, Model, Sources
from mailaudit.reports import trace as as_json
from mailaudit.reports.terminal import trace as terminal
from mailaudit.reports.trace import HostTrace, Told
from mailaudit.survey import learned
from mailaudit.trace.addresses import Address, BadAddressError, read_address
from mailaudit.trace.hops import Trace, Verdict
from mailaudit.trace.host import Host
from mailaudit.trace.ways import Asked, follow
from mailaudit.wording import number_of

ON_THE_WAY: dict[Way, tuple[type[Model], ...]] = {
    Way.INBOUND: (Ruleset, SmtpdConfig, DovecotConfig),
    Way.SUBMISSION: (Ruleset, SmtpdConfig),
    Way.IMAP: (Ruleset, DovecotConfig),
}
"""The models whose assumptions a trace rests on."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What the command line asks for, as written."""

    target: str
    way: Way
    address: str
    sender: str | None = None
    recipient: str | None = None
    port: int | None = None


def trace(common: Common, wish: Wish, form: AnswerFormat = AnswerFormat.TERMINAL) -> int:
    """Trace and tell; the exit code."""
    told = Told(wish.way, wish.address)
    try:
        told = _traced(options(common), wish)
        text = _text(common, told, form)
    except BaseException as error:  # noqa: BLE001  JSON must be valid on every way out (contract, section 4)
        code, message = explained(error, debug=common.debug)
        if form is AnswerFormat.TERMINAL:
            return code
        told = Told(wish.way, wish.address, errors=(message,), exit_code=code, exit_reason=code.short)
        text = as_json.write(told)
    failure = output.write(text)
    if failure:
        output.complain(failure)
        return worst((told.exit_code, ExitCode.INCOMPLETE))
    return told.exit_code


def _text(common: Common, told: Told, form: AnswerFormat) -> str:
    if form is AnswerFormat.JSON:
        return as_json.write(told)
    return terminal.write(told, output.screen(common.color), quiet=common.quiet)


def _traced(chosen: Options, wish: Wish) -> Told:
    asked = _asked(wish)
    chosen_targets([wish.target], None)
    found = find_worlds(wish.target)
    if len(found.worlds) > 1:
        roots = [f"mailaudit trace {world.root or world.target} ..." for world in found.worlds[:8]]
        raise UsageError(f"{wish.target} holds {len(found.worlds)} hosts: name the root of one", *roots)
    auditor = auditor_for(found.worlds[0], rulebook.load(), chosen)
    host, traced = followed(auditor, asked)
    code, why = concluded(traced, chosen)
    secrets = (*host.facts.secrets, *host.secrets)
    assumed = tuple(dict.fromkeys((*_assumed(host.facts, wish.way), *host.assumed)))
    texts = host.facts.texts | {path: tree.text for path, (_, tree) in host.sources.read.items() if hasattr(tree, "text")}
    world = auditor.world
    result = HostTrace(world.host, world.target, world.online, traced, assumed, texts, secrets)
    errors = tuple(found.errors)
    if errors and not chosen.allow_incomplete:
        code, why = worst((code, ExitCode.INCOMPLETE)), "; ".join(errors)
    return Told(wish.way, wish.address, asked, result, errors, code, why)


def followed(auditor: Auditor, asked: Asked) -> tuple[Host, Trace]:
    """The trace, once all that it asks has been asked."""
    snapshot, facts = auditor.learn()

    def make(sources: Sources) -> tuple[Host, Trace]:
        host = Host(facts, sources)
        return host, follow(host, asked)

    return learned(snapshot, auditor.world.ask, make, auditor.shelf)


def _asked(wish: Wish) -> Asked:
    """What is asked, its addresses read. Raises `UsageError`."""
    bare = wish.way is not Way.INBOUND
    address = _address("ADDRESS", wish.address, bare=bare)
    sender = _address("--from", wish.sender) if wish.sender is not None else None
    recipient = _address("--to", wish.recipient) if wish.recipient is not None else None
    if recipient is not None and wish.way is not Way.SUBMISSION:
        raise UsageError(f"--to is for submission; of {wish.way}, ADDRESS says it all")
    if wish.way is Way.IMAP and sender is not None:
        raise UsageError("--from is for messages, and imap is a login")
    if wish.way is Way.INBOUND and wish.port not in (None, 25):
        raise UsageError(f"--port {wish.port}: other servers deliver to port 25 alone")
    if wish.way is Way.SUBMISSION and sender is None and not address.domain:
        raise UsageError(f"the login {wish.address} has no domain: from which address does it send?", "--from user@example.com")
    return Asked(wish.way, address, sender, recipient, wish.port)


def _address(what: str, written: str, *, bare: bool = False) -> Address:
    try:
        return read_address(written, bare=bare)
    except BadAddressError as error:
        raise UsageError(f"{what} {written}: {error}", "info@example.com") from error


def _assumed(facts: Facts, way: Way) -> list[str]:
    slots = [facts.slots[kind] for kind in ON_THE_WAY[way]]
    models = [slot.value for slot in slots if isinstance(slot, Known)]
    return [text for model in models if isinstance(model, Model) for text in model.assumed]


def concluded(traced: Trace, chosen: Options) -> tuple[ExitCode, str]:
    """The exit code and its reason (contract, section 2)."""
    codes = [ExitCode.FINDINGS] if traced.breaks else []
    codes += [ExitCode.INCOMPLETE] if traced.is_incomplete else []
    code = settle(codes, exit_zero=chosen.exit_zero, allow_incomplete=chosen.allow_incomplete)
    hops = list(enumerate(traced.hops, 1))
    if traced.breaks:
        at = ", ".join(f"{number} ({hop.kind})" for number, hop in hops if hop.verdict is Verdict.BROKEN)
        return code, f"the chain breaks at hop {at}"
    open_ = ", ".join(f"{number} ({hop.kind})" for number, hop in hops if hop.verdict is Verdict.UNKNOWN)
    told = "the chain is whole" if traced.is_whole else "the chain could not be followed to its end"
    parts = [f"could not tell hop {open_}"] if open_ else []
    count = len(traced.not_asked)
    parts += [f"{number_of(count, 'hop')} not asked"] if count else []
    return code, "; ".join((told, *parts))
