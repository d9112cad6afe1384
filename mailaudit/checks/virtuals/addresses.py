"""Rules about the virtual map: every mailbox and every duty has its address, and no chain goes round in a circle."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from shlex import quote

from mailaudit.checks.registry import rule
from mailaudit.editing import tables
from mailaudit.editing.style import Unwritable
from mailaudit.edits import Fix, Safety
from mailaudit.findings import Doubt, Finding, Outcome, Place
from mailaudit.models.credentials import Credentials
from mailaudit.models.site import Site
from mailaudit.models.sources import Lacking, Missing, NotHere
from mailaudit.models.virtuals import DEEPEST, Entry, Leaf, Loop, Virtuals
from mailaudit.questions import Reason

DUTIES = ("root", "abuse", "hostmaster", "postmaster", "webmaster")
OWNER = "vmail"


@rule("VIRT001")
def mailboxes_have_entries(virtuals: Virtuals, credentials: Credentials) -> Iterator[Outcome]:
    """Each mail user's address is in the map and ends in the account that owns the mail."""
    owners = {entry.owner for entry in credentials.entries if entry.owner is not None} or {OWNER}
    certain = all(entry.owner is not None for entry in credentials.entries)  # else any account may be the owner
    lacking = [entry.address for entry in credentials.entries if virtuals.lookup(entry.address) is None]
    missing = adding(virtuals, [(address, _owner(virtuals, owners)) for address in dict.fromkeys(lacking)], _is_mailbox)
    for address in dict.fromkeys(entry.address for entry in credentials.entries):
        entry = virtuals.lookup(address)
        if entry is None:
            message = f"{address} can log in, but mail for it is refused: the virtual map has no entry."
            yield Finding(message, (_whole(virtuals),), missing, "mailbox", address, absence=True)
            continue
        ends = virtuals.expand(address)
        if not any(leaf.target.kind == "user" and (leaf.target.value in owners or not certain) for leaf in ends):
            message = f"Mail for {address} does not end in a mailbox: no chain from it leads to {' or '.join(sorted(owners))}."
            fix = _leading(virtuals, entry, _owner(virtuals, owners))
            yield Finding(message, (Place.at(entry.key.span, "leads elsewhere"), *_ends(ends)), fix, "mailbox", address)


@rule("VIRT002")
def duties_are_answered(virtuals: Virtuals, credentials: Credentials, site: Site) -> Iterator[Outcome]:
    """root, abuse, hostmaster, postmaster and webmaster of each domain reach a mailbox."""
    if not site.domains:
        yield Doubt(Reason.NOT_RECORDED, "Which domains this host has mail for is not known.")
    mailboxes = [entry.address for entry in credentials.entries]
    wanted = [f"{duty}@{domain}" for domain in site.domains for duty in DUTIES]
    lacking = [address for address in wanted if virtuals.lookup(address) is None]
    missing = adding(virtuals, [(address, reader(address, mailboxes)) for address in lacking], is_alias) if mailboxes else None
    for address in wanted:
        entry = virtuals.lookup(address)
        if entry is None:
            message = f"Mail for {address} is refused: the virtual map has no entry."
            yield Finding(message, (_whole(virtuals),), missing, "duty", address, absence=True)
        elif not any(_is_read(virtuals, leaf, mailboxes, site) for leaf in virtuals.expand(address)):
            message = f"Mail for {address} reaches no mailbox that anybody reads."
            places = (Place.at(entry.key.span, "leads nowhere"), *_ends(virtuals.expand(address)))
            fix = _leading(virtuals, entry, reader(address, mailboxes)) if mailboxes else None
            yield Finding(message, places, fix, "duty", address)


@rule("VIRT005")
def chains_end(virtuals: Virtuals, credentials: Credentials | Missing | NotHere | Lacking) -> Iterator[Outcome]:
    """No chain leads back to itself, and none is longer than smtpd follows."""
    mailboxes = [entry.address for entry in credentials.entries] if isinstance(credentials, Credentials) else []
    for loop in virtuals.loops:
        names = [entry.name for entry in loop.entries]
        message = f"Mail for {names[0]} goes round in a circle ({' to '.join([*names, names[0]])}) and is refused."
        related = (Place.at(entry.key.span, "on the way round") for entry in loop.entries if entry is not loop.closing)
        places = (Place.at(loop.target.token.span, "leads back"), *related)
        yield Finding(message, places, _unknotted(virtuals, loop, mailboxes), "loop", " ".join(sorted(names)))
    deep = {name for name, steps in virtuals.depths.items() if steps >= DEEPEST}
    inner = {found for name in deep for target in virtuals.by_name[name].targets if (found := virtuals.follow(name, target))}
    for name in sorted(deep - inner):
        message = (
            f"Mail for {name} is handed on {virtuals.depths[name]} times; smtpd gives up after {DEEPEST - 1} and refuses it."
        )
        fix = Fix("Let it lead to the mailbox itself", Safety.MANUAL)
        yield Finding(message, (Place.at(virtuals.by_name[name].key.span),), fix, "depth", name)


def _whole(virtuals: Virtuals) -> Place:
    return Place.whole(virtuals.trees[0].text if virtuals.trees else "/etc/mail/smtpd.conf")


def _ends(leaves: Iterable[Leaf]) -> Iterator[Place]:
    return (Place.at(leaf.target.token.span, f"{leaf.address} ends here") for leaf in leaves)


def _is_read(virtuals: Virtuals, leaf: Leaf, mailboxes: list[str], site: Site) -> bool:
    """True if somebody finds the mail there: a mail user's mailbox, a program, a list, or another site."""
    kind = leaf.target.kind
    if kind == "user":
        user, _, domain = leaf.address.partition("@")
        return f"{virtuals.bare(user)}@{domain}" in mailboxes
    if kind == "address":
        return leaf.target.value.partition("@")[2] not in site.domains
    return kind in ("command", "include") or (kind == "file" and leaf.target.value != "/dev/null")


def reader(address: str, mailboxes: list[str]) -> str:
    """Who reads mail for a duty: the first mail user of its domain, else the first."""
    domain = address.partition("@")[2]
    return next((each for each in mailboxes if each.endswith(f"@{domain}")), mailboxes[0])


def _owner(virtuals: Virtuals, owners: set[str]) -> str:
    """The account that the map's mailboxes lead to already, else the one that the credentials name."""
    used = (target.value for entry in virtuals.entries for target in entry.targets if target.kind == "user")
    return next((name for name in used if name in owners), min(owners))


def _is_mailbox(entry: Entry) -> bool:
    return any(target.kind == "user" for target in entry.targets)


def is_alias(entry: Entry) -> bool:
    """True for an entry that leads to another address."""
    return any(target.kind == "address" for target in entry.targets)


def adding(virtuals: Virtuals, lines: list[tuple[str, str]], beside: Callable[[Entry], bool]) -> Fix | None:
    """One fix that adds all lines that lack, in the file's own style, below the last entry that is like them."""
    if not lines or not virtuals.trees or virtuals.refusals:
        return None
    tree = virtuals.trees[0]
    entries = [entry for entry in virtuals.entries if entry.statement is not None and entry.key.text is tree.text]
    alike = [entry for entry in entries if beside(entry)] or entries
    try:
        added = [tables.entry_line(tree, key, [value]) for key, value in lines]
    except Unwritable:  # a login that no map can name, such as one with a blank
        return None
    edits = tables.add_lines(tree, added, alike[-1].statement if alike else None) or ()
    names = ", ".join(key for key, _ in lines)
    return Fix(f"Add {names}", Safety.SAFE, edits, _update(virtuals))


def _leading(virtuals: Virtuals, entry: Entry, to: str) -> Fix | None:
    """An entry that leads to somebody who reads the mail, in the place of nobody."""
    tree = next((each for each in virtuals.trees if each.text is entry.key.text), None)
    if tree is None or entry.statement is None or virtuals.refusals:
        return None
    try:
        edits = tables.set_entry(tree, entry.key.value, [to])
    except Unwritable:
        return None
    return Fix(f"Let {entry.name} lead to {to}", Safety.UNSAFE, edits, _update(virtuals)) if edits else None


def _update(virtuals: Virtuals) -> tuple[str, ...]:
    return tuple(f"smtpctl update table {quote(name)}" for name in virtuals.tables)


def _unknotted(virtuals: Virtuals, loop: Loop, mailboxes: list[str]) -> Fix:
    """An entry that names itself beside others loses that name; another leads to a mail user of its domain."""
    entry = loop.closing
    if len(loop.entries) == 1 and len(entry.targets) > 1 and entry.statement is not None:
        edits = tables.remove_target(entry.statement, loop.target.token.value) or ()
        return Fix(f"Remove {loop.target.value} from its own line", Safety.SAFE, edits)
    fix = _leading(virtuals, entry, reader(entry.name, mailboxes)) if mailboxes else None
    return fix or Fix("Let one of these lead to a mailbox", Safety.MANUAL)
