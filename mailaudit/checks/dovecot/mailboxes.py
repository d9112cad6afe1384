"""Rules about what users see of their mail: the home beside it, the namespace of the inbox, its folders."""

from __future__ import annotations

from collections.abc import Iterator

from mailaudit.checks.dovecot.edits import append, comment_out, insert_below, place_of
from mailaudit.checks.registry import rule
from mailaudit.editing.dovecot import replace_value
from mailaudit.edits import Edit, Fix, Safety, replace
from mailaudit.findings import Doubt, Exempt, Finding, Outcome, Place
from mailaudit.models.dovecot.config import DovecotConfig
from mailaudit.models.dovecot.passwd_file import lines_of
from mailaudit.models.dovecot.sections import Section
from mailaudit.models.dovecot.user import Inbox, MailUser, inbox_of, mail_user
from mailaudit.models.dovecot.values import is_true
from mailaudit.questions import Failed, Reason
from mailaudit.text import Text

PACKAGED_MAIL = "/etc/dovecot/conf.d/10-mail.conf"  # as the package has it, its namespace has the inbox
PACKAGED_FOLDERS = "/etc/dovecot/conf.d/15-mailboxes.conf"  # as the package has it, it marks all but Archive, and Sent twice
SOMEBODY = "somebody@one.example"
FOLDERS = ("Archive", "Drafts", "Junk", "Sent", "Trash")
"""Folders that mail programs look for, each by the flag of its own name (RFC 6154)."""
SUBSCRIBED = 2


@rule("DOVECOT041")
def home_is_not_the_mail(dovecot: DovecotConfig) -> Iterator[Outcome]:
    """A user's home is another directory than the mail, so that what Dovecot keeps at home is no folder."""
    doubt = _who_is_not_known(dovecot)
    if doubt is not None:
        yield doubt
    texts = [dovecot.passwd_files.get(each.path.value) for each in dovecot.userdbs if each.path is not None]
    users = [name for each in texts if isinstance(each, Text) for name in lines_of(each)]
    told: set[object] = set()
    for name in users or (SOMEBODY,):
        user = mail_user(dovecot, name)
        if user.home.value is None or user.mail.value is None or user.home.place is None or user.home.place in told:
            continue
        if _is_shown(user, user.home.value, user.mail.value):
            told.add(user.home.place)
            yield _home(dovecot, user, is_known=bool(users))


def _who_is_not_known(dovecot: DovecotConfig) -> Doubt | None:
    """The doubt of users whose homes are not in the files at hand."""
    for each in dovecot.userdbs:
        text = dovecot.passwd_files.get(each.path.value) if each.path is not None else None
        if isinstance(text, Failed):
            return Doubt(text.reason, text.detail or "the file of users could not be read")
        if each.driver == "passwd-file" and not isinstance(text, Text):
            return Doubt(Reason.NOT_RECORDED, "The homes stand in the file of users, which is not at hand.")
        if each.driver not in ("passwd-file", "static", "prefetch"):
            return Doubt(Reason.NOT_RECORDED, f"The homes are those that {each.driver} knows, and are not in Dovecot's files.")
    if dovecot.has_packaged_users:
        return Doubt(Reason.NOT_RECORDED, "Who the users are, and where their homes, stands in the package's own files.")
    return None


def _is_shown(user: MailUser, home: str, mail: str) -> bool:
    """True if the home is the directory of the mail, or, where each directory in it is a folder, below it."""
    if user.format.value != "maildir":
        return False
    by_directories = user.inbox is not None and user.inbox.layout.value == "fs"
    return home.rstrip("/") == mail or (by_directories and home.startswith(f"{mail}/"))


def _home(dovecot: DovecotConfig, user: MailUser, *, is_known: bool) -> Finding:
    place, home = user.home.place, (user.home.value or "").rstrip("/")
    assert place is not None
    edits: tuple[Edit, ...] = ()
    setting = dovecot.setting("mail_home")
    layout = user.inbox.layout.value if user.inbox is not None else None
    if layout == "fs" or (user.mail.place is not None and "~" in user.mail.place.chars):
        edits = ()  # a home below would be a folder as well, or take the mail with it
    elif not setting.is_default and place == setting.span and setting.statement is not None:
        edits = replace_value(setting.statement, f"{setting.value.rstrip('/')}/home")
    elif place.chars.rstrip("/") == home and home == user.mail.value:
        edits = (replace(place, f"{home}/home"),)
    of_whom = f"The home of {user.address}" if is_known else "The home of each user"
    message = f"{of_whom} is the directory of the mail itself: what Dovecot keeps at home shows up among the folders."
    title = "Let the home be a directory of its own; move .dovecot.sieve and sieve there by hand"
    about = f"home of {user.address}" if is_known else "mail_home"
    also = (Place.at(user.mail.place, "the mail"),) if user.mail.place is not None else ()
    return Finding(message, (Place.at(place), *also), Fix(title, Safety.UNSAFE, edits) if edits else None, about, "mail")


@rule("DOVECOT050")
def inbox_is_where_folders_are(dovecot: DovecotConfig) -> Iterator[Outcome]:
    """One namespace holds the inbox, and its folders stand beside it, not below a prefix."""
    inbox = inbox_of(dovecot)
    if inbox is None:
        yield from _no_inbox(dovecot)
    elif inbox.prefix.value:
        statement = inbox.prefix.statement
        edits = replace_value(statement, "") if statement is not None else ()
        message = f"Folders have names below {inbox.prefix.value}: mail programs show them under the inbox, or not at all."
        fix = Fix("Leave the prefix empty", Safety.UNSAFE, edits) if edits else None
        yield Finding(message, (Place.at(inbox.prefix.span),), fix, "namespace prefix", inbox.prefix.value)


def _no_inbox(dovecot: DovecotConfig) -> Iterator[Finding]:
    namespaces = [each for each in dovecot.root.of("namespace") if each.opened is not None]
    if dovecot.is_packages_own(PACKAGED_MAIL):
        namespaces = [each for each in namespaces if each.name != "inbox"] if not _is_named_inbox(dovecot) else []
    first = next((each for each in namespaces if each.name == "inbox"), next(iter(namespaces), None))
    if first is None or first.opened is None:
        return
    said = first.get("inbox", "namespace_inbox")
    if said is not None and said.statement is not None:
        edits = replace_value(said.statement, "yes")
    else:
        edits = insert_below(dovecot, first.opened, "inbox = yes")
    message = "No namespace holds the inbox, so that Dovecot opens nobody's mail."
    fix = Fix("Let it hold the inbox", Safety.UNSAFE, edits)
    yield Finding(message, (Place.at(first.opened.span),), fix, "namespace inbox", "missing", absence=True)


def _is_named_inbox(dovecot: DovecotConfig) -> bool:
    return any(each.name == "inbox" for each in dovecot.root.of("namespace"))


@rule("DOVECOT051")
def folders_are_there(dovecot: DovecotConfig) -> Iterator[Outcome]:
    """Archive, Drafts, Junk, Sent and Trash are there from the start, subscribed, and marked for what they are."""
    inbox = inbox_of(dovecot)
    if inbox is None:
        yield Exempt("no namespace holds the inbox, and DOVECOT050 says so")
        return
    marked = {name: [each for each in inbox.mailboxes if f"\\{name}".lower() in _flags(each)] for name in FOLDERS}
    missing = [name for name in FOLDERS if not marked[name]]
    if dovecot.is_packages_own(PACKAGED_FOLDERS) and missing not in ([], ["Archive"]):
        message = f"{PACKAGED_FOLDERS} is not at hand, which marks folders as the package has it."
        yield Doubt(Reason.NOT_RECORDED, message)
        missing = [name for name in missing if name == "Archive"]
    if missing:
        yield _unmarked(dovecot, inbox, missing)
    best = [max(each, key=_in_use) for each in marked.values() if each]
    for section in dict.fromkeys(each for each in best if _in_use(each) < SUBSCRIBED):
        yield _unsubscribed(dovecot, section)


def _flags(mailbox: Section) -> list[str]:
    setting = mailbox.get("special_use", "mailbox_special_use")
    block = mailbox.named("special_use", "")
    words = setting.value.lower().split() if setting is not None else []
    return words + [each.name.lower() for each in (block.settings.values() if block else ()) if is_true(each.value)]


def _in_use(mailbox: Section) -> int:
    """How far a folder is made by Dovecot itself: not at all, made, made and subscribed."""
    auto = mailbox.get("auto", "mailbox_auto")
    return {"create": 1, "subscribe": SUBSCRIBED}.get(auto.value, 0) if auto is not None else 0


def _unmarked(dovecot: DovecotConfig, inbox: Inbox, missing: list[str]) -> Finding:
    opened = inbox.section.opened if inbox.section is not None else None
    lines: list[str] = []
    edits: tuple[Edit, ...] = ()
    for name in missing:
        section = next((each for each in inbox.mailboxes if each.name == name), None)
        if section is not None and section.opened is not None and not _flags(section):
            edits += insert_below(dovecot, section.opened, f"special_use = \\{name}")
        elif section is None:
            lines += [f"mailbox {name} {{", "\tauto = subscribe", f"\tspecial_use = \\{name}", "}"]
    if lines and opened is not None:
        edits += insert_below(dovecot, opened, *lines)
    elif lines:
        edits += append(dovecot, "namespace inbox {", "\tinbox = yes", *(f"\t{line}" for line in lines), "}")
    message = f"No folder is marked as {' or '.join(missing)}: each mail program makes one of its own name."
    fix = Fix(f"Add {' and '.join(missing)}", Safety.SAFE, edits) if edits else None
    place = Place.at(opened.span) if opened is not None else place_of(dovecot)
    return Finding(message, (place,), fix, "special_use", " ".join(missing), absence=True)


def _unsubscribed(dovecot: DovecotConfig, mailbox: Section) -> Finding:
    auto = mailbox.get("auto", "mailbox_auto")
    value = auto.value if auto is not None else "no"
    said = "is made and not shown" if value == "create" else "is not there until a mail program makes it"
    edits: tuple[Edit, ...] = ()
    place = place_of(dovecot)
    if auto is not None and auto.statement is not None:
        edits, place = replace_value(auto.statement, "subscribe"), Place.at(auto.span)
    elif mailbox.opened is not None:
        edits, place = insert_below(dovecot, mailbox.opened, "auto = subscribe"), Place.at(mailbox.opened.span)
    fix = Fix(f"Make {mailbox.name} and subscribe to it", Safety.SAFE, edits) if edits else None
    message = f"The folder {mailbox.name} {said}: auto is {value}."
    return Finding(message, (place,), fix, f"auto of {mailbox.name}", value, absence=auto is None)


@rule("DOVECOT052")
def each_mark_is_one_folder_s(dovecot: DovecotConfig) -> Iterator[Outcome]:
    """No two folders are marked for the same use."""
    inbox = inbox_of(dovecot)
    by_flag: dict[str, list[Section]] = {}
    for mailbox in inbox.mailboxes if inbox is not None else ():
        for flag in _flags(mailbox):
            by_flag.setdefault(flag, []).append(mailbox)
    if dovecot.is_packages_own(PACKAGED_FOLDERS):
        message = f"{PACKAGED_FOLDERS} is not at hand; as the package has it, it marks two folders as Sent."
        yield Doubt(Reason.NOT_RECORDED, message)
    for flag, sections in by_flag.items():
        if flag == "\\all":
            continue
        first = max(sections, key=lambda each: (_in_use(each), f"\\{each.name.lower()}" == flag))
        for each in sections:
            if each is not first and each.visits:
                yield _second(each, first, flag)


def _second(mailbox: Section, first: Section, flag: str) -> Finding:
    statement = mailbox.visits[0].statement
    alone = len(mailbox.visits) == 1 and statement.is_block
    fix = Fix("Comment it out; its mail stays", Safety.SAFE, comment_out(statement)) if alone else None
    name = flag[:1] + flag[1:].capitalize()
    message = f"Two folders are marked {name}: {first.name} and {mailbox.name}. Which one a mail program takes is its own choice."
    places = [Place.at(statement.span)]
    if first.visits:
        places.append(Place.at(first.visits[0].statement.span, "the other"))
    return Finding(message, tuple(places), fix, f"mailbox {mailbox.name}", flag)
