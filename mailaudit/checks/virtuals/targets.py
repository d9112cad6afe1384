"""Rules about what the virtual map leads to and whom it lets in: mailboxes alone, no catch-all, nothing off the host unsaid."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from difflib import get_close_matches
from shlex import quote

from mailaudit.checks.modes import OTHERS_WRITE, looked
from mailaudit.checks.registry import rule
from mailaudit.checks.virtuals.addresses import reader
from mailaudit.editing import tables
from mailaudit.editing.style import Unwritable
from mailaudit.edits import Fix, Safety, replace
from mailaudit.findings import Doubt, Evidence, Exempt, Finding, Outcome, Place
from mailaudit.models.credentials import Credentials
from mailaudit.models.files import Files
from mailaudit.models.mail_owner import MailOwner
from mailaudit.models.site import Site
from mailaudit.models.sources import Missing, NotHere
from mailaudit.models.virtuals import Entry, Target, Virtuals
from mailaudit.parsers.tree import Tree
from mailaudit.questions import Reason

MOST_DOMAINS = 20
DROPPED = "/dev/null"
ROOT = ("root", "0")
_LEADS = {
    "command": "runs {0} for mail from anyone",
    "file": "is written to the file {0}",
    "include": "goes to whatever the file of {0} names",
    "invalid": "is put off for ever, for smtpd can make nothing of {0}",
}


@rule("VIRT006")
def chains_end_in_mailboxes(
    virtuals: Virtuals, credentials: Credentials | Missing | NotHere, owner: MailOwner, site: Site
) -> Iterator[Outcome]:
    """Every chain ends in the account that owns the mail; no program, no file, no other account, no address that is not there."""
    entries = credentials.entries if isinstance(credentials, Credentials) else ()
    owners = {entry.owner for entry in entries if entry.owner is not None} | {owner.name}
    certain = all(entry.owner is not None for entry in entries)  # else any account may be the owner
    for entry in virtuals.by_name.values():
        for target in entry.targets:
            if virtuals.follow(entry.name, target) is not None:
                continue
            about = f"target of {entry.name}"
            fix = _to_a_mailbox(virtuals, entry, target, [each.address for each in entries])
            if target.kind in _LEADS and target.value != DROPPED:
                yield _finding(entry, target, _LEADS[target.kind].format(target.value), about, fix)
            elif target.kind == "address" and _is_ours(virtuals, site, target):
                yield _finding(entry, target, f"is refused: {target.value} has no entry", about, fix)
            elif target.kind == "user" and target.value not in owners:
                what = f"ends in {target.value}, which is neither {owner.name} nor another entry of the map"
                if certain:
                    yield _finding(entry, target, what, about, fix)
                else:
                    message = f"Whether {target.value} owns the mail is not known."
                    yield Doubt(Reason.NOT_RECORDED, message, (Place.at(target.token.span),))


def _is_ours(virtuals: Virtuals, site: Site, target: Target) -> bool:
    return target.value.rpartition("@")[2] in site.domains and virtuals.lookup(target.value) is None


def _finding(entry: Entry, target: Target, what: str, about: str, fix: Fix | None) -> Finding:
    return Finding(f"Mail for {entry.name} {what}.", (Place.at(target.token.span),), fix, about, target.kind)


def _to_a_mailbox(virtuals: Virtuals, entry: Entry, target: Target, mailboxes: list[str]) -> Fix | None:
    """A mail user in the target's place: the one of nearly the same name, else the one who reads what nobody else does.

    What runs a program or writes a file may be meant, so a person decides.
    """
    if not mailboxes or entry.statement is None or virtuals.refusals:
        return None
    near = get_close_matches(target.value, mailboxes, 1, 0.8)
    to = near[0] if near else reader(entry.name, mailboxes)
    try:
        edits = tables.replace_target(entry.statement, target.value, to)
    except Unwritable:
        return None
    safety = Safety.MANUAL if target.kind in ("command", "file", "include") else Safety.UNSAFE
    return Fix(f"Let {entry.name} lead to {to}", safety, edits, _update(virtuals)) if edits else None


@rule("VIRT007")
def no_catch_all(virtuals: Virtuals, site: Site) -> Iterator[Outcome]:
    """No entry takes mail for names that nobody has, but where the site says so."""
    declared = {domain.lower().lstrip("@") for domain in site.declared.catch_all}
    for entry in virtuals.by_name.values():
        domain = entry.name[1:]
        if (
            not entry.name.startswith("@")
            or domain in declared
            or (not domain and declared.issuperset(site.domains) and declared)
        ):
            continue
        if all(target.kind == "error" for target in entry.targets):
            continue
        of = f"of {domain}" if domain else "of every domain"
        yield Finding(
            f"{entry.name} takes mail for any name {of}, so that guessed names are never refused.",
            (Place.at(entry.key.span),),
            _removal(virtuals, entry),
            "catch-all",
            entry.name,
        )


def _tree_of(virtuals: Virtuals, entry: Entry) -> Tree | None:
    return next((tree for tree in virtuals.trees if tree.text is entry.key.text), None)


def _removal(virtuals: Virtuals, entry: Entry) -> Fix | None:
    tree = _tree_of(virtuals, entry)
    edits = tables.remove(tree, entry.statement) if tree is not None and entry.statement is not None else None
    return Fix(f"Remove {entry.name}", Safety.UNSAFE, edits, _update(virtuals)) if edits else None


def _update(virtuals: Virtuals) -> tuple[str, ...]:
    return tuple(f"smtpctl update table {quote(name)}" for name in virtuals.tables)


@rule("VIRT008")
def names_have_domains(virtuals: Virtuals, site: Site) -> Iterator[Outcome]:
    """No key is a name without a domain, which would count in every domain."""
    for entry in virtuals.by_name.values():
        if "@" in entry.name:
            continue
        is_used = any(
            target.kind == "user" and target.value.lower() == entry.name
            for each in virtuals.by_name.values()
            for target in each.targets
            if each is not entry
        )
        if is_used:
            continue  # a step on the way, which other entries lead to
        yield Finding(
            f"{entry.name} has no domain, so the entry counts in every domain that is looked up here.",
            (Place.at(entry.key.span),),
            _qualified(virtuals, entry, site.domains),
            "bare name",
            entry.name,
        )


def _qualified(virtuals: Virtuals, entry: Entry, domains: tuple[str, ...]) -> Fix | None:
    """The same for each domain that has no entry of its own for the name; where all have, the entry says nothing."""
    tree = _tree_of(virtuals, entry)
    whole = [name for name in (f"{entry.name}@{domain}" for domain in domains) if name not in virtuals.by_name]
    if tree is None or entry.statement is None or not whole or len(domains) > MOST_DOMAINS:
        return None
    targets = [target.token.value for target in entry.targets]
    try:
        more = [tables.entry_line(tree, name, targets) for name in whole[1:]]
    except Unwritable:
        return None
    added = tables.add_lines(tree, more, entry.statement) if more else ()
    if added is None or not targets:
        return None
    return Fix(f"Write {', '.join(whole)}", Safety.SAFE, (replace(entry.key.span, whole[0]), *added), _update(virtuals))


@rule("VIRT009")
def nothing_is_forwarded_unsaid(virtuals: Virtuals, site: Site) -> Iterator[Outcome]:
    """Mail goes to other sites only where the site says so."""
    if not site.domains:
        yield Doubt(Reason.NOT_RECORDED, "Which domains this host has mail for is not known.")
        return
    declared = {domain.lower() for domain in site.declared.forwards_to}
    for entry in virtuals.by_name.values():
        for target in entry.targets:
            domain = target.value.rpartition("@")[2]
            if target.kind != "address" or domain in declared or domain in site.domains or domain in virtuals.domains:
                continue
            yield Finding(
                f"Mail for {entry.name} is sent on to {domain}, which the site does not say it means to.",
                (Place.at(target.token.span),),
                _declared(virtuals, entry, target, domain),
                f"forward of {entry.name}",
                domain,
            )


def _declared(virtuals: Virtuals, entry: Entry, target: Target, domain: str) -> Fix:
    """A person says in the settings that it is meant, or the target goes."""
    title = f"If it is meant, say forwards_to = [{domain!r}] under [site] in mailaudit.toml; else take {target.value} out"
    edits = tables.remove_target(entry.statement, target.value) if entry.statement is not None else None
    return Fix(title, Safety.MANUAL, edits or (), _update(virtuals))


@rule("VIRT010")
def the_map_is_roots(virtuals: Virtuals, files: Files) -> Iterator[Outcome]:
    """Only root may write the files of the map."""
    if not virtuals.trees:
        yield Exempt("the map stands in smtpd.conf itself")
    for tree in virtuals.trees:
        path = tree.text.path
        stat = looked(files, path)
        if isinstance(stat, Doubt):
            yield stat
        elif stat is not None and stat.mode is not None and (stat.owner not in ROOT or stat.mode & OTHERS_WRITE):
            quoted = shlex.quote(path)
            commands = (f"chown root:wheel {quoted}", f"chmod {stat.mode & ~OTHERS_WRITE:04o} {quoted}")
            yield Finding(
                f"Somebody besides root may write {path}, and so take mail of anybody.",
                (Evidence.stat(path, stat), Place.whole(tree.text)),
                Fix("Give the file to root alone", Safety.SAFE, commands=commands),
                "write",
                f"{stat.mode:04o} {stat.owner}",
            )
