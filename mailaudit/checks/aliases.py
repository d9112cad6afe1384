"""Rules about the aliases of the host's own names: somebody reads root's mail, duties are answered, nothing surprising runs."""

from __future__ import annotations

from collections.abc import Iterator
from shlex import quote

from mailaudit.checks.lacking import unread
from mailaudit.checks.registry import rule
from mailaudit.editing import tables
from mailaudit.edits import Fix, Safety
from mailaudit.findings import Doubt, Finding, Outcome, Place
from mailaudit.models.credentials import Credentials
from mailaudit.models.site import Site
from mailaudit.models.smtpd.config import SmtpdConfig
from mailaudit.models.sources import Lacking, Missing, NotHere
from mailaudit.models.virtuals import Aliases, Leaf, Virtuals
from mailaudit.questions import Reason

ROOT = "root"
DUTIES = {"postmaster": ROOT, "mailer-daemon": "postmaster", "abuse": ROOT}
WRITTEN = {"mailer-daemon": "MAILER-DAEMON"}
DROPPED = "/dev/null"
_WHAT = {"command": "runs a program", "file": "is written to a file", "include": "goes to the names in a file"}

Users = Credentials | Missing | NotHere | Lacking
Map = Virtuals | Missing | NotHere | Lacking


@rule("ALIAS001")
def somebody_reads_roots_mail(
    aliases: Aliases, credentials: Users, virtuals: Map, site: Site, smtpd: SmtpdConfig | Missing | Lacking | NotHere
) -> Iterator[Outcome]:
    """Mail for root ends in a mailbox of a mail user, or at another site."""
    if doubts := tuple(unread(credentials, virtuals)):
        yield from doubts
        return
    entry = aliases.entry(ROOT)
    ends = aliases.expand(ROOT)
    verdicts = [_is_read(leaf, credentials, virtuals, site) for leaf in ends]
    if True in verdicts:
        return
    if None in verdicts:
        yield Doubt(Reason.IN_DOUBT, "Whether anybody has the mailbox that mail for root goes to is not known.")
        return
    local = [each for each in smtpd.actions.values() if "alias" in each.tables] if isinstance(smtpd, SmtpdConfig) else []
    if entry is None and local and all(each.kind == "forward-only" for each in local):
        message = "Where mail for root goes stands in root's .forward, which was not read."
        yield Doubt(Reason.NOT_RECORDED, message, tuple(Place.at(each.kind_at.span) for each in local))
        return
    place = Place.whole(aliases.trees[0].text) if entry is None and aliases.trees else None
    place = place or (Place.at(entry.key.span) if entry is not None else Place.whole("/etc/mail/smtpd.conf"))
    message = "Mail for root lies on the host in a file that nobody is told of: no alias leads it to a mail user."
    if entry is not None:
        message = "Mail for root leads to no mailbox that anybody reads."
    places = (place, *(Place.at(leaf.target.token.span, "it ends here") for leaf in ends))
    yield Finding(
        message, places, _to_user(aliases, credentials), "root", "missing" if entry is None else "unread", entry is None
    )


def _is_read(leaf: Leaf, credentials: Users, virtuals: Map, site: Site) -> bool | None:
    """True if a person finds mail there, None where that is not known: of an account of the host, or of names in a file."""
    match leaf.target.kind:
        case "command":
            found: bool | None = True
        case "file":
            found = leaf.target.value != DROPPED
        case "user":
            found = False if leaf.target.value.lower() == ROOT else None
        case "address":
            found = _takes(leaf.target.value, credentials, virtuals, site)
        case kind:
            found = None if kind == "include" else False
    return found


def _takes(address: str, credentials: Users, virtuals: Map, site: Site) -> bool | None:
    """True if an address is one of another site, or ends in some mailbox of this one."""
    if address.rpartition("@")[2] not in site.domains:
        return True if site.domains else None
    if isinstance(virtuals, Virtuals):
        return bool(virtuals.expand(address))
    if isinstance(virtuals, Lacking) or not isinstance(credentials, Credentials):
        return None
    return credentials.entry(address) is not None


def _to_user(aliases: Aliases, credentials: Users) -> Fix | None:
    """Root's mail to the first mail user."""
    users = (
        [entry.address for entry in credentials.entries if "@" in entry.address] if isinstance(credentials, Credentials) else []
    )
    if not users or not aliases.trees or aliases.refusals:
        return None
    edits = tables.set_entry(aliases.trees[0], ROOT, [users[0]]) or ()
    return Fix(f"Let {users[0]} read it", Safety.SAFE, edits, _update(aliases)) if edits else None


def _update(aliases: Aliases) -> tuple[str, ...]:
    return tuple(f"smtpctl update table {quote(name)}" for name in aliases.tables)


@rule("ALIAS002")
def duties_have_aliases(aliases: Aliases) -> Iterator[Outcome]:
    """postmaster, MAILER-DAEMON and abuse have entries."""
    lacking = [name for name in DUTIES if aliases.lookup(name) is None]
    fix = None
    if lacking and aliases.trees and not aliases.refusals:
        tree = aliases.trees[0]
        lines = [tables.entry_line(tree, WRITTEN.get(name, name), [DUTIES[name]]) for name in lacking]
        names = ", ".join(WRITTEN.get(name, name) for name in lacking)
        fix = Fix(f"Add {names}", Safety.SAFE, tables.add_lines(tree, lines) or (), _update(aliases))
    for name in lacking:
        shown = WRITTEN.get(name, name)
        place = Place.whole(aliases.trees[0].text if aliases.trees else "/etc/mail/smtpd.conf")
        yield Finding(f"The host has no {shown}: mail for this name is refused.", (place,), fix, "duty", name, absence=True)


@rule("ALIAS003")
def nothing_runs_unseen(aliases: Aliases) -> Iterator[Outcome]:
    """No alias runs a program, writes a file, or takes its names from another file."""
    for entry in aliases.by_name.values():
        for target in entry.targets:
            if target.kind not in _WHAT or target.value == DROPPED:
                continue
            yield Finding(
                f"Mail for {entry.name} {_WHAT[target.kind]}: {target.value}.",
                (Place.at(target.token.span),),
                Fix("Look whether this is meant; else let it lead to a person", Safety.MANUAL),
                f"target of {entry.name}",
                target.kind,
            )
