"""Rules about the credentials of the mail users."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Iterator

from mailaudit.checks.registry import rule
from mailaudit.edits import Fix, Safety, insert, replace
from mailaudit.findings import Doubt, Evidence, Finding, Outcome, Place
from mailaudit.models.credentials import Credentials, Entry
from mailaudit.models.passwords import BCRYPT, LOCKED
from mailaudit.models.site import Site
from mailaudit.questions import Failed, Reason, Stat

OTHERS_READ = 0o004
OTHERS = 0o007
BCRYPT_LENGTH = 60
ENCRYPT = "smtpctl encrypt"  # without an argument it reads the password from standard input


@rule("CRED002")
def not_for_others(credentials: Credentials) -> Iterator[Outcome]:
    """Others than owner and group have no access."""
    stat = credentials.stat
    if not isinstance(stat, Stat) or stat.mode is None:
        reason = stat.reason if isinstance(stat, Failed) else Reason.NOT_RECORDED
        yield Doubt(reason, f"The mode of {credentials.path} was not recorded.")
    elif stat.mode & OTHERS:
        what = "read the password hashes" if stat.mode & OTHERS_READ else "get at the file of password hashes"
        path = shlex.quote(credentials.path)
        commands = (f"chown _smtpd:_dovecot {path}", f"chmod 0440 {path}")
        yield Finding(
            f"Every account on this host can {what}: {credentials.path} has mode {stat.mode:04o}.",
            (
                Evidence(f"stat {credentials.path}", f"{stat.mode:04o} {stat.owner}:{stat.group}"),
                Place.whole(credentials.tree.text),
            ),
            Fix("Give the file to both daemons and to nobody else", Safety.SAFE, commands=commands),
            "mode",
            f"{stat.mode & OTHERS:o}",
        )


@rule("CRED005")
def well_formed(credentials: Credentials) -> Iterator[Outcome]:
    """Each line is one that table-passwd takes."""
    for problem in credentials.refusals:
        text = problem.span.text
        start, _ = text.line_span(problem.span.start)
        yield Finding(
            f"One such line keeps smtpd from running: {problem.message}.",
            (Place.at(problem.span, problem.message),),
            Fix("Comment the line out, so that smtpd starts", Safety.UNSAFE, (insert(text, start, "# "),)),
            "line",
            problem.message,
        )


@rule("CRED007")
def full_lower_case_addresses(credentials: Credentials, site: Site) -> Iterator[Outcome]:
    """Each name is a full address of one of the site's domains, in lower case."""
    addresses = Counter(entry.address for entry in credentials.entries)
    for entry in credentials.entries:
        name = entry.name.value
        place = (Place.at(entry.name.span),)
        if name != entry.address:
            free = addresses[entry.address] == 1
            edits = (replace(entry.name.span, entry.address),) if free else ()
            fix = Fix(f"Write {entry.address}", Safety.SAFE if free else Safety.MANUAL, edits)
            yield Finding(
                f"smtpd looks logins up in lower case, so {name} can read mail and never send.", place, fix, "case", name
            )
        user, at, domain = entry.address.partition("@")
        if not at or not user or not domain:
            yield Finding(
                f"The login {name} is not a full address, so its mail is not signed and its mailbox has no domain.",
                place,
                about="address",
                value=name,
            )
        elif site.domains and domain not in site.domains:
            yield Finding(
                f"This host takes no mail for {domain}, the domain of the login {name}.", place, about="domain", value=name
            )


@rule("CRED008")
def bcrypt_hashes(credentials: Credentials) -> Iterator[Outcome]:
    """Each password is a hash that both daemons verify on OpenBSD."""
    for entry in credentials.entries:
        password = entry.password
        if password.scheme == LOCKED or (password.scheme == BCRYPT and password.length == BCRYPT_LENGTH):
            continue
        if password.is_prefixed:
            what = f"begins with {password.scheme}, which smtpd takes for part of the hash"
        else:
            what = f"is {password.scheme}, {password.length} characters; OpenBSD verifies bcrypt alone, which begins with $2b$"
        yield Finding(
            f"The password of {entry.name.value} {what}: this user cannot log in to send.",
            (Place.at(entry.name.span, "the second field of this line"),),
            _new_hash(entry),
            f"password of {entry.address}",
            password.kind,
        )


def _new_hash(entry: Entry) -> Fix:
    """Without its prefix the hash is one that both verify; any other needs the password, which only a person has."""
    token = entry.statement.node.leaves()[1]
    prefix = entry.password.scheme
    if entry.password.behind == BCRYPT and token.value.upper().startswith(prefix):
        span = token.span.__class__(token.text, token.start, token.start + len(prefix))
        return Fix(f"Remove {prefix}: Dovecot's passdb says scheme=CRYPT", Safety.UNSAFE, (replace(span, ""),))
    return Fix("Make a new hash; type the password when asked", Safety.MANUAL, commands=(ENCRYPT,))
