"""Rules about the files and directories of acme-client: keys that nobody else reads, challenges that httpd can read."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator
from shlex import quote

from mailaudit.checks.acme.config import NO_DOMAIN, signers
from mailaudit.checks.modes import OTHERS_WRITE, RootsDirectory, looked
from mailaudit.checks.registry import rule
from mailaudit.edits import Fix, Safety
from mailaudit.findings import Doubt, Evidence, Exempt, Finding, Outcome, Place
from mailaudit.models.acme import AcmeConfig
from mailaudit.models.challenge import challenge_directory
from mailaudit.models.files import SHIPPED, Access, Denied, Files, Unsure
from mailaudit.models.shown import ShownCertificates
from mailaudit.models.site import Site
from mailaudit.parsers.tree import Token
from mailaudit.questions import Stat

PRIVATE = "/etc/ssl/private"
_GROUP_OR_OTHERS = 0o077


@rule("ACME003")
def account_key_is_closed(acme: AcmeConfig, shown: ShownCertificates, site: Site, files: Files) -> Iterator[Outcome]:
    """The account's key belongs to root and is closed to all others; acme-client makes one that is not there."""
    domains = shown.domains(acme, site)
    if not domains:
        yield NO_DOMAIN
    for authority in signers(acme, domains):
        if authority.account is None or not authority.account.value.startswith("/"):
            continue
        path = authority.account.value
        stat = looked(files, path)
        if isinstance(stat, Doubt):
            yield Doubt(stat.reason, stat.message, (Place.at(authority.account.span, "the account's key"),))
        elif stat is not None and (stat.owner != "root" or (stat.mode or 0) & _GROUP_OR_OTHERS):
            message = f"The account's key {path} is not root's alone: it has mode {stat.mode:04o} and belongs to {stat.owner}."
            yield _closed(message, path, stat, authority.account, f"chown root:wheel {quote(path)}", f"chmod 0400 {quote(path)}")


def _closed(message: str, path: str, stat: Stat, at: Token, *commands: str) -> Finding:
    fix = Fix("Give it to root alone", Safety.SAFE, commands=commands)
    return Finding(
        message, (Evidence.stat(path, stat), Place.at(at.span, "named here")), fix, f"mode of {path}", f"{stat.mode:04o}"
    )


@rule("ACME005")
def key_lies_in_a_closed_directory(acme: AcmeConfig, shown: ShownCertificates, site: Site, files: Files) -> Iterator[Outcome]:
    """The certificate's key lies in a directory that only root may enter; /etc/ssl/private is ACME011's."""
    domains = shown.domains(acme, site)
    if not domains:
        yield NO_DOMAIN
    for key in (domain.key for domain in domains if domain.key is not None and domain.key.value.startswith("/")):
        directory = posixpath.dirname(posixpath.normpath(key.value))
        if directory == PRIVATE:
            continue
        stat = looked(files, directory)
        if isinstance(stat, Doubt):
            yield Doubt(stat.reason, stat.message, (Place.at(key.span, "the key"),))
        elif stat is None:  # git keeps no empty directory, so nothing is claimed of one that is not there
            yield Exempt(f"there is no {directory}")
        elif (stat.mode or 0) & _GROUP_OR_OTHERS:
            message = f"The key {key.value} lies in {directory}, which others may enter: its mode is {stat.mode:04o}."
            places = (Place.at(key.span, "the key"), Evidence.stat(directory, stat))
            fix = None
            if directory not in SHIPPED:  # what the system shares stays open
                fix = Fix(
                    "Close it", Safety.SAFE, commands=(f"chown root:wheel {quote(directory)}", f"chmod 0700 {quote(directory)}")
                )
            yield Finding(message, places, fix, "directory of a key", directory)


@rule("ACME011")
def private_directory_is_closed(acme: AcmeConfig, files: Files) -> Iterator[Outcome]:
    """/etc/ssl/private is there, and only root may enter it."""
    keys = [authority.account for authority in acme.authorities] + [domain.key for domain in acme.domains]
    inside = [key for key in keys if key is not None and posixpath.normpath(key.value).startswith(f"{PRIVATE}/")]
    if not inside:
        yield Exempt(f"no key is in {PRIVATE}")
        return
    directory = RootsDirectory(
        PRIVATE,
        0o700,
        absent=f"There is no directory {PRIVATE}, so acme-client cannot write its keys.",
        opened=f"{PRIVATE} is open to others than root",
    )
    yield from directory.judged(files, "private", Place.at(inside[0].span, "a key in it"))


@rule("ACME012")
def challenge_directory_is_there(acme: AcmeConfig, shown: ShownCertificates, site: Site, files: Files) -> Iterator[Outcome]:
    """The directory of challenges is there; www can read it, and only root can write to it."""
    domains = shown.domains(acme, site)
    if not domains:
        yield NO_DOMAIN
    for directory in dict.fromkeys(challenge_directory(domain) for domain in domains):
        stat = looked(files, directory)
        if isinstance(stat, Doubt):
            yield stat
        elif stat is None or stat.type != "directory":
            command = f"install -d -o root -g daemon -m 0755 {quote(directory)}"
            fix = Fix("Make the directory", Safety.SAFE, commands=(command,))
            message = f"There is no directory {directory}, so acme-client has no place for the authority's challenge."
            yield Finding(message, (Evidence.stat(directory, stat),), fix, "challenges", "absent")
        else:
            yield from _readable(files, directory, stat)


def _readable(files: Files, directory: str, stat: Stat) -> Iterator[Outcome]:
    verdict = files.may("www", directory, Access.READ | Access.EXECUTE)
    if isinstance(verdict, Unsure):
        yield Doubt(verdict.reason, verdict.detail)
    wrong = None
    if isinstance(verdict, Denied) and verdict.stat is stat:
        wrong = "httpd cannot read it"
    elif stat.owner != "root" or (stat.mode or 0) & OTHERS_WRITE:
        wrong = "others than root can put files there"
    if wrong is not None:
        commands = (f"chown root:daemon {quote(directory)}", f"chmod 0755 {quote(directory)}")
        places: tuple[Evidence, ...] = (Evidence.stat(directory, stat),)
        message = f"{directory} has mode {stat.mode:04o} and belongs to {stat.owner}: {wrong}."
        fix = Fix("Open it to readers alone", Safety.SAFE, commands=commands)
        yield Finding(message, places, fix, "challenges", f"{stat.mode:04o}")
