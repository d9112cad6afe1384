"""Rules about Dovecot as a whole: that it loads, its TLS, its mail."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

from mailaudit.checks.dovecot.edits import append, comment_out, place_of, set_to
from mailaudit.checks.loading import loads, refused_by_checker
from mailaudit.checks.registry import rule
from mailaudit.editing.dovecot import replace_value
from mailaudit.edits import Edit, Fix, Safety
from mailaudit.findings import Doubt, Finding, Outcome, Place
from mailaudit.models.dovecot.config import DovecotConfig, StartFile
from mailaudit.models.dovecot.owner import VMAIL_ID
from mailaudit.models.dovecot.parts import MailPlace
from mailaudit.models.dovecot.reading import Setting, name_of
from mailaudit.models.dovecot.settings import NEW
from mailaudit.models.dovecot.vars import has_old_variables, in_new_spelling
from mailaudit.models.reference import Reference
from mailaudit.models.site import Site
from mailaudit.models.sources import Missing
from mailaudit.models.verdicts import Verdicts
from mailaudit.parsers.tree import Problem
from mailaudit.questions import Command, Reason
from mailaudit.text import decimal

LOWEST = 500  # no fix lets Dovecot open mail as an account below this
WITHOUT_LOGIN = ("lmtp", "lda", "doveadm")  # protocols that nobody logs in to
SELF_SIGNED = ("/etc/ssl/dovecotcert.pem", "/etc/ssl/private/dovecot.pem", "/etc/ssl/dovecot/")  # what the package makes
OLD_PATH, NEW_PATH = "/var/vmail/%d/%n", "/var/vmail/%{user | domain}/%{user | username}"
USERS = ("anna@one.example", "bert@one.example", "anna@two.example", "bert@two.example")


@rule("DOVECOT001")
def loads_at_all(dovecot: DovecotConfig | Missing, reference: Reference, verdicts: Verdicts) -> Iterator[Outcome]:
    """The files are there, and Dovecot refuses nothing of them."""
    yield from refused_by_checker(dovecot, "Dovecot", Command.DOVECONF, verdicts)
    files = dovecot.files if isinstance(dovecot, DovecotConfig) else ()
    absent = [file for file in files if file.there is False]
    if isinstance(dovecot, DovecotConfig):
        of_files = {file.problem for file in absent}
        refusals = tuple(each for each in _without_swallowed(dovecot.refusals) if each not in of_files)
        dovecot = dataclasses.replace(dovecot, refusals=refusals)
    for outcome in loads(dovecot, "Dovecot", reference, is_taken=Command.DOVECONF in verdicts.taken):
        if isinstance(outcome, Finding) and outcome.fix is not None:
            yield dataclasses.replace(outcome, fix=dataclasses.replace(outcome.fix, safety=Safety.UNSAFE))
        else:
            yield outcome
    for file in absent:
        yield _absent_file(file)
    for file in files:
        if file.there is None:
            message = f"Dovecot reads {file.path} at start; whether it is there was not recorded."
            yield Doubt(Reason.NOT_RECORDED, message, (Place.at(file.setting.span),))


def _without_swallowed(problems: tuple[Problem, ...]) -> tuple[Problem, ...]:
    """Without those behind a section of their file that is never closed: they follow from it."""
    swallowed: set[str] = set()
    kept = []
    for problem in problems:
        if problem.span.path not in swallowed:
            kept.append(problem)
        if problem.swallows:
            swallowed.add(problem.span.path)
    return tuple(kept)


def _absent_file(file: StartFile) -> Finding:
    message = f"Dovecot reads {file.path} at start, and the file is not there."
    fix = None
    if file.overridden and file.setting.statement is not None:
        message += " That another line names another file does not help."
        fix = Fix("Comment the line out, for another one overrides it", Safety.SAFE, comment_out(file.setting.statement))
    return Finding(message, (Place.at(file.setting.span),), fix, f"file of {file.setting.name}", file.path)


@rule("DOVECOT010")
def tls_is_required(dovecot: DovecotConfig) -> Iterator[Outcome]:
    """No login without TLS, whatever the address or protocol."""
    for setting in dovecot.everywhere("ssl"):
        scope = _scope(setting)
        if setting.value == "required" or scope in [f"protocol {name}" for name in WITHOUT_LOGIN]:
            continue
        said = "TLS is off" if setting.value == "no" else "Dovecot offers TLS and does not demand it"
        why = "no file sets ssl" if setting.is_default else f"ssl is {setting.value}"
        where = f" in {scope}" if scope else ""
        yield Finding(
            f"{said}: {why}{where}.",
            (place_of(dovecot) if setting.is_default else Place.at(setting.span),),
            Fix("Demand TLS", Safety.UNSAFE, set_to(dovecot, setting, "ssl", "required")),
            f"ssl {scope}".strip(),
            setting.value,
            absence=setting.is_default,
        )


def _scope(setting: Setting) -> str:
    return " ".join(" ".join(name_of(statement)).strip() for statement in setting.within)


@rule("DOVECOT011")
def certificate_is_named(dovecot: DovecotConfig, site: Site) -> Iterator[Outcome]:
    """The certificate is a file's, by its absolute path, and not the one that the package made for itself."""
    path = f"/etc/ssl/{site.mail_host}.pem" if site.mail_host else None
    yield from _names_a_file(dovecot, dovecot.certificate, "certificate", path)


@rule("DOVECOT012")
def key_is_named(dovecot: DovecotConfig, site: Site) -> Iterator[Outcome]:
    """The key is a file's, by its absolute path, and not the one that the package made for itself."""
    path = f"/etc/ssl/private/{site.mail_host}.key" if site.mail_host else None
    yield from _names_a_file(dovecot, dovecot.key, "key", path)


def _names_a_file(dovecot: DovecotConfig, setting: Setting, what: str, expected: str | None) -> Iterator[Finding]:
    written = setting.value.lstrip("< ")
    value = written
    if not setting.value:
        message, value = f"Dovecot has no {what} to work with: {setting.name} is not set.", expected or ""
    elif written.startswith(SELF_SIGNED):
        message, value = f"Dovecot's {what} is the one that the package made, and no client trusts it.", expected or ""
    elif not written.startswith("/"):
        message = f"{setting.name} names its file by {written}, which means another file in another directory."
        value = expected or ""
    elif dovecot.family == NEW and (setting.from_file or setting.value.startswith("<")):
        message = f"Dovecot 2.4 wants the path alone in {setting.name}: with < it takes what is in the file for a path."
    elif dovecot.family != NEW and not setting.from_file:
        message = f"Dovecot takes the characters {setting.value} for the {what} itself: only a bare < makes it read the file."
    else:
        return
    edits = set_to(dovecot, setting, setting.name, value, from_file=dovecot.family != NEW) if value else ()
    yield Finding(
        message,
        (place_of(dovecot) if setting.is_default else Place.at(setting.span),),
        Fix(f"Name {value}", Safety.UNSAFE, edits) if edits else None,
        setting.name,
        setting.value,
        absence=setting.is_default,
    )


@rule("DOVECOT030")
def only_vmail_has_mail(dovecot: DovecotConfig) -> Iterator[Outcome]:
    """Users below the mail users' ids have no mail, and the mail users have."""
    yield from _of_kind(dovecot, "uid")
    first, last = (_id_of(dovecot.setting(f"{end}_valid_uid")) for end in ("first", "last"))
    if not first or first != last:  # a range of one uid leaves nothing that a gid could open
        yield from _of_kind(dovecot, "gid")


def _id_of(setting: Setting) -> int | None:
    return decimal(setting.value)


def _of_kind(dovecot: DovecotConfig, kind: str) -> Iterator[Outcome]:
    first, last = (dovecot.setting(f"{end}_valid_{kind}") for end in ("first", "last"))
    value, limit = _id_of(first), _id_of(last)
    if value is None or limit is None:
        broken = first if value is None else last
        yield Doubt(
            Reason.IN_DOUBT, f"{broken.name} is {broken.value}, which could not be evaluated.", (_place_at(dovecot, broken),)
        )
        return
    ids = dovecot.mail_ids(kind)
    if ids.is_certain:
        lowest, highest = min(ids.numbers), max(ids.numbers)
    elif value == VMAIL_ID or value in ids.numbers:
        lowest = highest = value
    elif value > VMAIL_ID or ids.is_elsewhere:
        message = f"{first.name} is {value}; whether that is the {kind} of the mail users is not known from the host's files."
        yield Doubt(Reason.NOT_RECORDED, message, (_place_at(dovecot, first),))
        return
    else:
        lowest = highest = VMAIL_ID
    is_known = ids.is_certain or ids.is_guides or value == VMAIL_ID
    if value > lowest:
        message = f"{first.name} is {value}, so that Dovecot refuses the mail of users whose {kind} is {lowest}."
        fix = _range(dovecot, kind, lowest, highest) if kind == "gid" or lowest >= LOWEST else None
        yield _ids_finding(dovecot, first, message, fix)
    elif value < lowest:
        said = "is not set, and its default" if first.is_default else "is"
        what = "accounts of the system" if kind == "uid" else "groups of the system"
        message = f"{first.name} {said} {value}: mail may be opened as {what} from {value} up."
        yield _ids_finding(dovecot, first, message, _range(dovecot, kind, lowest, highest) if is_known else None)
    elif limit and limit < highest:
        message = f"{last.name} is {limit}, so that Dovecot refuses the mail of users whose {kind} is {highest}."
        yield _ids_finding(dovecot, last, message, _range(dovecot, kind, lowest, highest) if is_known else None)


def _place_at(dovecot: DovecotConfig, setting: Setting) -> Place:
    return place_of(dovecot) if setting.is_default else Place.at(setting.span)


def _ids_finding(dovecot: DovecotConfig, setting: Setting, message: str, fix: Fix | None) -> Finding:
    place = _place_at(dovecot, setting)
    return Finding(message, (place,), fix, setting.name, setting.value, absence=setting.is_default)


def _range(dovecot: DovecotConfig, kind: str, lowest: int, highest: int) -> Fix | None:
    """Begin the range at the lowest id, and raise its end where it is lower than the highest: Dovecot refuses an empty one.

    None where a section for some connections says otherwise, for the two are then for a person to bring together.
    """
    first, last = (dovecot.setting(f"{end}_valid_{kind}") for end in ("first", "last"))
    if any(not each.is_default for name in (first.name, last.name) for each in dovecot.everywhere(name)[1:]):
        return None
    edits = set_to(dovecot, first, first.name, str(lowest)) if _id_of(first) != lowest else ()
    title = f"Set {first.name} to {lowest}"
    if 0 < (_id_of(last) or 0) < highest:
        edits += set_to(dovecot, last, last.name, str(highest))
        title = f"Let the range of {kind}s be {lowest} to {highest}"
    return Fix(title, Safety.UNSAFE, edits)


@rule("DOVECOT040")
def each_mailbox_has_its_maildir(dovecot: DovecotConfig) -> Iterator[Outcome]:
    """Every user's mail is a maildir of its own, by domain and name."""
    place = dovecot.mail_place
    if place is None and (doubt := _left_to_the_driver(dovecot)) is not None:
        yield doubt
        return
    if place is None:
        yield Finding(
            "Nothing says where the mail lies, so Dovecot guesses, and finds none of what is delivered.",
            (place_of(dovecot),),
            Fix("Name the place of the mail", Safety.UNSAFE, append(dovecot, *_place_lines(dovecot))),
            "mail place",
            "missing",
            absence=True,
        )
        return
    paths = [dovecot.mail_path(user, dovecot.home(user) or f"/home/{user}") for user in USERS]
    known = {path for path in paths if path is not None}
    if place.format != "maildir":
        written = f"is {place.format}" if place.format else "is left to be guessed"
        yield _misplaced(dovecot, place, f"The format of the mail {written}; smtpd's side delivers into maildirs.", "format")
    elif dovecot.family == NEW and has_old_variables(place.path):
        message = f"Dovecot 2.4 takes {place.path} as it stands: one directory of this name for all users."
        yield _misplaced(dovecot, place, message, "variables")
    elif len(known) == len(USERS):
        return
    elif None in paths:
        message = f"Where the mail lies depends on {place.path}, which could not be evaluated."
        yield Doubt(Reason.IN_DOUBT, message, (Place.at(place.setting.span),))
    else:
        message = f"Users share a mailbox: {place.path} is the same directory for users of one name or one domain."
        yield _misplaced(dovecot, place, message, "shared")


def _left_to_the_driver(dovecot: DovecotConfig) -> Doubt | None:
    """The doubt of a 2.4 that names the driver and no path: maildir then takes a directory below each user's home."""
    if dovecot.family != NEW or dovecot.mail_driver.value.lower() != "maildir":
        return None
    message = "No mail_path is set, so that the mail lies where the driver maildir looks by itself, below the home of each user."
    return Doubt(Reason.IN_DOUBT, message, (_place_at(dovecot, dovecot.mail_driver),))


def _place_lines(dovecot: DovecotConfig) -> tuple[str, ...]:
    if dovecot.family == NEW:
        driver = () if dovecot.setting("mail_driver").value == "maildir" else ("mail_driver = maildir",)
        return (*driver, f"mail_path = {NEW_PATH}")
    return (f"mail_location = maildir:{OLD_PATH}",)


def _separates_users(dovecot: DovecotConfig, place: MailPlace) -> bool:
    """True if the path is written out, and another one for each user as far as can be told."""
    paths = [dovecot.mail_path(user, dovecot.home(user) or f"/home/{user}") for user in USERS]
    return place.path.startswith(("/", "~")) and (None in paths or len(set(paths)) == len(USERS))


def _misplaced(dovecot: DovecotConfig, place: MailPlace, message: str, value: str) -> Finding:
    edits: tuple[Edit, ...] = ()
    at = place.format_setting if value == "format" and place.format_setting else place.setting
    statement = place.setting.statement
    if statement is not None and dovecot.family != NEW and not place.format and _separates_users(dovecot, place):
        edits = replace_value(statement, f"maildir:{place.setting.value}")
    elif statement is not None and dovecot.family != NEW:
        edits = replace_value(statement, f"maildir:{OLD_PATH}")
    elif value == "format":
        format_setting = place.format_setting or dovecot.setting("mail_driver")
        edits = set_to(dovecot, format_setting, "mail_driver", "maildir")
    elif statement is not None:
        path = in_new_spelling(place.path) if value == "variables" else None
        edits = replace_value(statement, path or NEW_PATH)
    fix = Fix("Give each user a maildir by domain and name", Safety.UNSAFE, edits)
    return Finding(message, (Place.at(at.span),), fix, "mail place", value)
