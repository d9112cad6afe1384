"""Rules about the keys that sign outgoing mail: that they are there, fit, are rspamd's to read and nobody else's."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import replace
from posixpath import dirname

from mailaudit.checks.dns.words import printed_record
from mailaudit.checks.registry import rule
from mailaudit.checks.rspamd.edits import place_of
from mailaudit.edits import Fix, Safety
from mailaudit.findings import Doubt, Evidence, Exempt, Finding, Outcome, Place
from mailaudit.models.certificates import NotReadError
from mailaudit.models.files import Access, Allowed, Denied, Files, Gone, Unsure, Way
from mailaudit.models.pem import PemFiles
from mailaudit.models.rspamd.config import RspamdConfig
from mailaudit.models.rspamd.dkim import SigningKey
from mailaudit.models.site import Site
from mailaudit.questions import Absent, Failed, KeyFacts, Reason, Stat

USER = "_rspamd"
FILE = "dkim_signing.conf"
LEAST_BITS, MOST_BITS = 2048, 4096
TRUSTED = frozenset({"root", USER})
TRUSTED_GROUPS = frozenset({"wheel", USER})


def named_keys(rspamd: RspamdConfig, site: Site) -> list[SigningKey]:
    """The keys that the host's files name: of each domain, one of each path."""
    keys = [key for key in rspamd.dkim.all_keys(site.domains) if not key.fallback or _is_own(rspamd, key)]
    return list({(key.path or key.domain): key for key in keys}.values())


def _is_own(rspamd: RspamdConfig, key: SigningKey) -> bool:
    return key.path_value is not None and not rspamd.is_packaged(key.path_value)


def place_of_key(rspamd: RspamdConfig, key: SigningKey) -> Place:
    """Where a key's path is written."""
    return place_of(rspamd, key.path_value, FILE, "the key")


def _paths(rspamd: RspamdConfig, site: Site) -> Iterator[tuple[SigningKey, str] | Doubt | Exempt]:
    """Each key with its path; why there is none."""
    if rspamd.is_enabled("dkim_signing") is False:
        yield Exempt("rspamd's module dkim_signing is off")
        return
    keys = named_keys(rspamd, site)
    if not keys:
        yield Exempt("rspamd's files name no key")
    for key in keys:
        if key.path is None:
            message = f"Which key signs the mail of {key.domain} could not be told."
            yield Doubt(Reason.IN_DOUBT, message, (place_of_key(rspamd, key),))
        else:
            yield key, key.path


def _look(files: Files, path: str) -> Stat | Gone | Unsure:
    """What a path leads to; where nobody looked for the file itself, a directory that is not at hand does not make it missing."""
    found, own = files.stat(path), files.found.get(path)
    return Unsure(own.reason, own.detail) if isinstance(found, Gone) and isinstance(own, Failed) else found


def _shown(stat: Stat) -> str:
    return f"{stat.mode or 0:04o} {stat.owner}:{stat.group}"


def _unknown(unsure: Unsure, key: SigningKey, rspamd: RspamdConfig) -> Doubt:
    return Doubt(unsure.reason, f"{unsure.detail[:1].upper()}{unsure.detail[1:]}.", (place_of_key(rspamd, key),))


@rule("DKIM001")
def directory_is_closed(rspamd: RspamdConfig, site: Site, files: Files) -> Iterator[Outcome]:
    """The directory of the keys is there, and none but root may put files into it."""
    seen: set[str] = set()
    for found in _paths(rspamd, site):
        if not isinstance(found, tuple):
            yield found
            continue
        key, path = found
        directory = dirname(path)
        if directory not in seen:
            seen.add(directory)
            yield from _directory(rspamd, key, directory, _look(files, directory))


def _directory(rspamd: RspamdConfig, key: SigningKey, path: str, stat: Stat | Gone | Unsure) -> Iterator[Outcome]:
    quoted = shlex.quote(path)
    if isinstance(stat, Unsure):
        yield _unknown(stat, key, rspamd)
    elif isinstance(stat, Gone):
        fix = Fix("Make it", Safety.SAFE, commands=(f"install -d -o root -g wheel -m 0755 {quoted}",))
        message = f"There is no {path}, where the key of {key.domain} is to lie."
        yield Finding(message, (Evidence(f"stat {path}", "absent"), place_of_key(rspamd, key)), fix, "directory", "absent")
    elif stat.mode is None or stat.owner is None:
        yield Doubt(Reason.NOT_RECORDED, f"Mode and owner of {path} were not recorded.", (place_of_key(rspamd, key),))
    elif stat.owner not in TRUSTED or stat.mode & 0o002 or (stat.mode & 0o020 and stat.group not in TRUSTED_GROUPS):
        commands = (f"chown root:wheel {quoted}", f"chmod 0755 {quoted}")
        fix = Fix("Give it to root", Safety.SAFE, commands=commands)
        message = f"Others than root can put a key of their own into {path}, with which rspamd then signs."
        yield Finding(
            message, (Evidence(f"stat {path}", _shown(stat)), place_of_key(rspamd, key)), fix, "directory", f"{stat.mode:04o}"
        )


@rule("DKIM002")
def key_is_there(rspamd: RspamdConfig, site: Site, files: Files, pem: PemFiles) -> Iterator[Outcome]:
    """Each key is there, and is one that others verify."""
    kinds: dict[str, set[str]] = {}
    for found in _paths(rspamd, site):
        if not isinstance(found, tuple):
            yield found
            continue
        key, path = found
        stat, facts = _look(files, path), pem.key(path)
        where = place_of_key(rspamd, key)
        if isinstance(stat, Gone):
            message = f"The key of {key.domain}, {path}, is not there: its mail leaves without a signature."
            yield Finding(
                message, (Evidence(f"stat {path}", "absent"), where), _new_key(key, path), f"key {key.domain}", "absent"
            )
        elif isinstance(stat, Stat) and stat.type == "file" and stat.size == 0:
            message = f"The key of {key.domain}, {path}, is empty: its mail leaves without a signature."
            yield Finding(
                message, (Evidence(f"stat {path}", "0 bytes"), where), _new_key(key, path), f"key {key.domain}", "empty"
            )
        elif isinstance(facts, KeyFacts):
            kinds.setdefault(key.domain, set()).add(facts.kind)
            if facts.kind not in ("rsa", "ed25519"):
                message = f"The key of {key.domain} is of the kind {facts.kind}, with which mail is not signed."
                yield Finding(
                    message, (Evidence(f"public half of {path}", facts.kind), where), None, f"key {key.domain}", facts.kind
                )
        elif isinstance(facts, Failed):
            yield Doubt(facts.reason, f"What kind of key {path} holds was not recorded.", (where,))
    for domain, known in kinds.items():
        if known == {"ed25519"}:
            message = f"Mail of {domain} is signed with an Ed25519 key alone, which many receivers do not verify."
            place = place_of_key(rspamd, rspamd.dkim.keys(domain)[0])
            fix = _another_key(rspamd.dkim.keys(domain)[0], f"/etc/mail/dkim/{domain}.key")
            yield Finding(message, (place,), fix, f"key {domain}", "ed25519 alone")


def _new_key(key: SigningKey, path: str) -> Fix:
    """The commands that make it and print the record that has to be published before mail is signed with it."""
    quoted = shlex.quote(path)
    commands = (
        f"openssl genrsa -out {quoted} 2048",
        f"chown root:{USER} {quoted}",
        f"chmod 0440 {quoted}",
        f"openssl rsa -in {quoted} -pubout -out {shlex.quote(path.removesuffix('.key'))}.pubkey",
    )
    printed = printed_record(f"{key.selector}._domainkey.{key.domain}", path) if key.selector else None
    return Fix("Make the key, and publish what is printed last", Safety.UNSAFE, commands=(*commands, *filter(None, (printed,))))


def _another_key(key: SigningKey, path: str) -> Fix:
    """A new key has a selector of its own: the old one stays published until all mail that it signed has arrived."""
    counted = re.fullmatch(r"(.*?)([0-9]{0,9})", key.selector or "selector0")
    assert counted is not None
    selector = f"{counted[1]}{int(counted[2] or 0) + 1}"
    fix = _new_key(replace(key, selector=selector), f"{path.removesuffix('.key')}.{selector}.key")
    return replace(fix, title=f"Make a new key, publish what is printed last, and a day later sign with the selector {selector}")


def _present(rspamd: RspamdConfig, site: Site, files: Files) -> Iterator[tuple[SigningKey, str, Stat] | Doubt | Exempt]:
    """Each key that is there, with what is known of its file."""
    gone: list[str] = []
    count = 0
    for found in _paths(rspamd, site):
        if not isinstance(found, tuple):
            yield found
            continue
        key, path = found
        count += 1
        stat = _look(files, path)
        if isinstance(stat, Unsure):
            yield _unknown(stat, key, rspamd)
        elif isinstance(stat, Gone):
            gone.append(path)
        else:
            yield key, path, stat
    if gone and len(gone) == count:
        yield Exempt(f"{gone[0]} is not there")


@rule("DKIM003")
def key_has_good_length(rspamd: RspamdConfig, site: Site, files: Files, pem: PemFiles) -> Iterator[Outcome]:
    """RSA keys have 2048 to 4096 bits."""
    for found in _present(rspamd, site, files):
        if not isinstance(found, tuple):
            yield found
            continue
        key, path, _ = found
        facts, where = pem.key(path), place_of_key(rspamd, key)
        if isinstance(facts, Failed):
            yield Doubt(facts.reason, f"The length of the key {path} was not recorded.", (where,))
        elif isinstance(facts, KeyFacts) and facts.kind == "rsa" and not LEAST_BITS <= facts.bits <= MOST_BITS:
            what = (
                "too short: receivers take no notice of the signature" if facts.bits < LEAST_BITS else "longer than many verify"
            )
            message = f"The key of {key.domain} has {facts.bits} bits, which is {what}."
            evidence = Evidence(f"public half of {path}", f"{facts.kind} {facts.bits}")
            yield Finding(message, (evidence, where), _another_key(key, path), f"key {key.domain}", str(facts.bits))


@rule("DKIM004")
def key_is_closed(rspamd: RspamdConfig, site: Site, files: Files) -> Iterator[Outcome]:
    """None but root and rspamd can read a key."""
    for found in _present(rspamd, site, files):
        if not isinstance(found, tuple):
            yield found
            continue
        key, path, stat = found
        where = place_of_key(rspamd, key)
        if stat.mode is None or stat.owner is None or stat.group is None:
            yield Doubt(Reason.NOT_RECORDED, f"Mode and owner of {path} were not recorded.", (where,))
            continue
        reader = other_reader(files, path, stat)
        if reader is not None:
            message = f"{reader} can read the key of {key.domain}, {path}, and sign mail in its name."
            places = (Evidence(f"stat {path}", _shown(stat)), where)
            yield Finding(message, places, _closed(path), f"key {key.domain}", f"{stat.mode:04o}")


def other_reader(files: Files, path: str, stat: Stat) -> str | None:
    """Who else can read or replace a key: what a directory above keeps everybody away from is read by nobody."""
    way = files.way(path)
    mode = stat.mode or 0
    above = way.directories if isinstance(way, Way) else ()
    is_hidden = any(each.mode is not None and not each.mode & 0o001 for _, each in above)
    if mode & 0o006 and not is_hidden:
        return "Every account of this host"
    if stat.owner not in TRUSTED:
        return f"The account {stat.owner}"
    if mode & 0o060 and stat.group not in TRUSTED_GROUPS:
        return f"The group {stat.group}"
    return None


def _closed(path: str) -> Fix:
    quoted = shlex.quote(path)
    commands = (f"chown root:{USER} {quoted}", f"chmod 0440 {quoted}")
    return Fix("Give the key to rspamd and to nobody else", Safety.SAFE, commands=commands)


@rule("DKIM005")
def rspamd_reads_the_key(rspamd: RspamdConfig, site: Site, files: Files) -> Iterator[Outcome]:
    """The kernel lets rspamd read each key: its mode, and every directory on the way."""
    for found in _present(rspamd, site, files):
        if not isinstance(found, tuple):
            yield found
            continue
        key, path, _ = found
        verdict = files.may(USER, path, Access.READ)
        if isinstance(verdict, Unsure):
            yield _unknown(verdict, key, rspamd)
        elif isinstance(verdict, Denied):
            at, stat = verdict.path, verdict.stat
            is_way = stat.type == "directory"
            fix = Fix("Open the way", Safety.SAFE, commands=(f"chmod g+x,o+x {shlex.quote(at)}",)) if is_way else _closed(path)
            said = f"may not go through {at}" if is_way else "may not read it"
            message = f"Rspamd cannot use the key of {key.domain}, {path}: {USER} {said}. Its mail leaves unsigned."
            places = (Evidence(f"stat {at}", _shown(stat)), place_of_key(rspamd, key))
            yield Finding(message, places, fix, f"key {key.domain}", "unreadable")
        else:
            assert isinstance(verdict, Allowed | Gone)


@rule("DKIM006")
def public_half_lies_beside(rspamd: RspamdConfig, site: Site, files: Files, pem: PemFiles) -> Iterator[Outcome]:
    """The public half lies beside each key, and belongs to it."""
    for found in _present(rspamd, site, files):
        if not isinstance(found, tuple):
            yield found
            continue
        key, path, _ = found
        yield from _public_half(rspamd, key, path, pem)


def _public_half(rspamd: RspamdConfig, key: SigningKey, path: str, pem: PemFiles) -> Iterator[Outcome]:
    where = place_of_key(rspamd, key)
    halves = {each: pem.public_key(each) for each in key.public_paths}
    there = {each: half for each, half in halves.items() if not isinstance(half, Absent)}
    usual = key.public_paths[0]
    command = f"openssl rsa -in {shlex.quote(path)} -pubout -out {shlex.quote(next(iter(there), usual))}"
    fix = Fix("Write the public half again", Safety.SAFE, commands=(command,))
    private = pem.key(path)
    if not there:
        message = f"The public half of the key of {key.domain} does not lie beside it: {usual} is not there."
        yield Finding(message, (Evidence(f"stat {usual}", "absent"), where), fix, f"public key {key.domain}", "absent")
        return
    at, half = next(iter(there.items()))
    if isinstance(half, NotReadError):
        message = f"{at} holds no public key."
        yield Finding(message, (Place.whole(at), where), fix, f"public key {key.domain}", "no key")
    elif isinstance(half, Failed) or not isinstance(private, KeyFacts):
        reason = next((each.reason for each in (half, private) if isinstance(each, Failed)), Reason.NOT_RECORDED)
        yield Doubt(reason, f"Whether {at} belongs to {path} was not recorded.", (where,))
    elif isinstance(half, KeyFacts) and half.spki != private.spki:
        message = f"{at} is not the public half of {path}: whoever publishes it has every signature refuted."
        yield Finding(message, (Place.whole(at), where), fix, f"public key {key.domain}", "mismatch")
