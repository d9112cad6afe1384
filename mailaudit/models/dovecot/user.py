"""What Dovecot makes of one user: whether the name is known, its home and ids, and where its mail lies, each with its place.

Checked against `doveadm user` and `doveadm mailbox path` of 2.3.19 and 2.4.1.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from mailaudit.models.dovecot.config import DovecotConfig
from mailaudit.models.dovecot.lookup import LOGIN, Lookup, name_of_login, passdb_lookups, settled, userdb_lookups
from mailaudit.models.dovecot.parts import MailPlace, evaluate
from mailaudit.models.dovecot.reading import Setting
from mailaudit.models.dovecot.sections import Section
from mailaudit.models.dovecot.settings import NEW, OLD
from mailaudit.models.dovecot.values import is_true
from mailaudit.models.dovecot.vars import expand
from mailaudit.questions import Reason
from mailaudit.text import Span

_FIELD = re.compile(r"(?:^|\s)(\w[\w/]*)=(\S*)")
_NUMBERS = {"uid": 2, "gid": 3, "home": 5}
_DEFAULT = ":default"
_LAYOUTS = {"maildir++": ".", "fs": "/"}


@dataclass(frozen=True, slots=True, eq=False)
class Decided:
    """A value, the place that decided it and those that it overrode, the last first.

    `value` is None where there is none or it cannot be told, `why` says which; `place` None where it is a default.
    """

    value: str | None = None
    place: Span | None = None
    overrides: tuple[Span, ...] = ()
    why: str = ""

    def over(self, earlier: Decided | None) -> Decided:
        """The same value, in the place of an earlier one."""
        if earlier is None or earlier.place is None:
            return self
        return Decided(self.value, self.place, (*self.overrides, earlier.place, *earlier.overrides), self.why)


@dataclass(frozen=True, slots=True, eq=False)
class Inbox:
    """The namespace of the inbox: `section` is None where Dovecot makes one by itself.

    `separator` is that of names as clients see them; `layout` is `maildir++`, `fs` or another way of folders on disk. `prefix`
    and `separator` are settings, defaults where no file sets them. `mailboxes` are the sections that name mailboxes in it.
    """

    section: Section | None
    prefix: Setting
    separator: str
    layout: Decided
    mailboxes: tuple[Section, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class MailUser:
    """One user as Dovecot knows it.

    `address` is what was asked for, `login` what the lookups ask for (None: `why` says), `user` the name that variables mean,
    which a userdb may change. `exists` and `may_log_in` are None where that is not known, `why` then says what is in the way,
    `reason` of which sort that is.
    `mail` is the directory of the mail, `inbox_path` that of new mail, the same but where a setting says otherwise.
    `inbox` is None where namespaces are written and none holds the inbox: Dovecot then opens no mail.
    """

    address: str
    protocol: str
    login: str | None
    passdbs: tuple[Lookup, ...] = ()
    userdbs: tuple[Lookup, ...] = ()
    may_log_in: bool | None = None
    exists: bool | None = None
    why: str = ""
    reason: Reason = Reason.IN_DOUBT
    user: str = ""
    uid: Decided = field(default_factory=Decided)
    gid: Decided = field(default_factory=Decided)
    home: Decided = field(default_factory=Decided)
    format: Decided = field(default_factory=Decided)
    mail: Decided = field(default_factory=Decided)
    inbox_path: Decided = field(default_factory=Decided)
    inbox: Inbox | None = None

    @property
    def password(self) -> Lookup | None:
        """The passdb that lets the user in."""
        return next((each for each in self.passdbs if each.found and not each.database.denies), None)

    @property
    def known_by(self) -> Lookup | None:
        """The userdb that decides: the first that has the user, None where one before it may."""
        last = next((each for each in self.userdbs if each.found is not False), None)
        return last if last is not None and last.found else None

    def folder(self, name: str) -> str | None:
        """The directory of a mailbox of the inbox's namespace, by its name below the prefix; None where it cannot be told."""
        if self.mail.value is None or self.inbox is None or self.inbox.layout.value not in _LAYOUTS:
            return None
        on_disk = name.replace(self.inbox.separator, _LAYOUTS[self.inbox.layout.value])
        return f"{self.mail.value}/{'.' if self.inbox.layout.value == 'maildir++' else ''}{on_disk}"


def mail_user(dovecot: DovecotConfig, address: str, protocol: str = LOGIN) -> MailUser:
    """The user of an address, as a protocol asks for it: `imap` and its kin log in, `lmtp` only looks the user up.

    Mail for `user+detail` is looked up as `user`.
    """
    asked = without_detail(dovecot, address) if protocol == "lmtp" else address
    login, why = name_of_login(dovecot, asked)
    if not login:
        refused = None if login is None else False
        return MailUser(address, protocol, None, may_log_in=refused, exists=refused, why=why)
    passdbs = tuple(passdb_lookups(dovecot, login)) if protocol != "lmtp" else ()
    let_in, unsure_password = settled(passdbs)
    password = next((each for each in passdbs if each.found and not each.database.denies), None)
    userdbs = tuple(userdb_lookups(dovecot, login, protocol, password))
    exists, unsure_user = settled(userdbs)
    unsure = unsure_user or unsure_password
    why, reason = (unsure.why, unsure.reason) if unsure is not None else ("", Reason.IN_DOUBT)
    if dovecot.has_packaged_users:
        let_in = exists = None
        why, reason = "the packaged files that say who the users are, are not at hand", Reason.NOT_RECORDED
    known = next((each for each in userdbs if each.found is not False), None)
    fields = dict(_fields(dovecot, known, login)) if known is not None and known.found else {}
    broken = next((each.why for each in fields.values() if each.why), "")
    if broken and exists:
        exists, why, reason = None, broken, Reason.IN_DOUBT
    named = fields.get("user")
    user = named.value if named is not None and named.value else login
    home = _home(dovecot, fields.get("home"), user)
    doubt = (known.why if not known.found else "") if known is not None else (why if exists is None else "")
    place = dovecot.place_in(protocol)
    location = _location(dovecot, place, fields)
    root = Decided(why=doubt) if doubt and _needs_fields(place) else _mail(dovecot, location, user, home)
    return MailUser(
        address,
        protocol,
        login,
        passdbs,
        userdbs,
        _and(let_in, exists) if protocol != "lmtp" else None,
        exists,
        why,
        reason,
        user,
        _id(dovecot, "uid", fields),
        _id(dovecot, "gid", fields),
        home,
        _format(dovecot, location, fields),
        root,
        _inbox_path(dovecot, location, root, user, home),
        inbox_of(dovecot, location),
    )


def without_detail(dovecot: DovecotConfig, address: str) -> str:
    """The address that LMTP looks up: without what follows a character of `recipient_delimiter`."""
    name, at, domain = address.rpartition("@")
    marks = dovecot.setting("recipient_delimiter", "lmtp").value
    if not at or not marks:
        return address
    return re.split(f"[{re.escape(marks)}]", name, maxsplit=1)[0] + at + domain


def _and(first: bool | None, second: bool | None) -> bool | None:
    return False if first is False or second is False else None if first is None or second is None else True


def _fields(dovecot: DovecotConfig, known: Lookup, login: str) -> Iterator[tuple[str, Decided]]:
    """What a userdb says of the user, later values over earlier ones."""
    found: dict[str, Decided] = {}
    for name, written, place, is_template in _said(dovecot, known):
        user = found["user"].value or login if "user" in found else login
        value = expand(written, dovecot.family, user) if is_template else written
        why = "" if value is not None else f"{written} could not be evaluated"
        found[name] = Decided(value, place, why=why).over(found.get(name))
    yield from found.items()


def _said(dovecot: DovecotConfig, known: Lookup) -> Iterator[tuple[str, str, Span, bool]]:
    """Names, values, places, and whether the value is a template, in the order in which they are taken in."""
    section = known.database.section
    for name in ("default_fields", "args") if known.database.driver == "static" else ("default_fields",):
        yield from _words(section.get(name))
    yield from _of_blocks(section, of_default=True)
    if known.line is not None and known.database.driver != "prefetch":
        for name, number in _NUMBERS.items():
            span = known.line.field(number)
            if span is not None:
                yield name, span.chars, span, False
    for name, value, span in known.line.extras() if known.line is not None else ():
        if name.startswith("userdb_"):
            yield name.removeprefix("userdb_"), value, span, dovecot.family == OLD
    yield from _words(section.get("override_fields"))
    yield from _of_blocks(section, of_default=False)


def _of_blocks(section: Section, *, of_default: bool) -> Iterator[tuple[str, str, Span, bool]]:
    """The fields of 2.4's sections: those marked `:default`, which the user's own go before, or the others."""
    for fields in section.of("fields"):
        for setting in fields.settings.values():
            if setting.statement is not None and setting.name.endswith(_DEFAULT) is of_default:
                yield setting.name.removesuffix(_DEFAULT), setting.value, setting.span, True


def _words(setting: Setting | None) -> Iterator[tuple[str, str, Span, bool]]:
    for match in _FIELD.finditer(setting.value) if setting is not None and setting.statement is not None else ():
        assert setting is not None
        yield match[1], match[2], setting.span, True


def _set(setting: Setting) -> Decided:
    if setting.is_default:
        return Decided(setting.value or None)
    before = tuple(each.span for each in setting.overridden if not each.is_default)
    return Decided(setting.value or None, setting.span, before)


def _home(dovecot: DovecotConfig, said: Decided | None, user: str) -> Decided:
    setting = _set(dovecot.setting("mail_home"))
    if said is not None and (said.value or said.why):
        found = said.over(setting)
    elif setting.value:
        value = expand(setting.value, dovecot.family, user)
        found = Decided(value, setting.place, setting.overrides, "" if value else f"{setting.value} could not be evaluated")
    else:
        return Decided(why="no home is set")
    if found.value is not None and not found.value.startswith("/"):
        return Decided(None, found.place, found.overrides, f"the home {found.value} is no absolute path")
    if found.value is not None and "/./" in found.value:
        return Decided(None, found.place, found.overrides, f"the home {found.value} changes the root directory")
    return found


def _id(dovecot: DovecotConfig, kind: str, fields: dict[str, Decided]) -> Decided:
    setting = _set(dovecot.setting(f"mail_{kind}"))
    said = fields.get(kind)
    return said.over(setting) if said is not None and said.value else setting


def _needs_fields(place: MailPlace | None) -> bool:
    """True if a userdb may say otherwise, or gives the home that the path begins with."""
    return place is None or place.path.startswith("~") or "h" in re.findall(r"%(?:\{)?(h)", place.path)


def _location(dovecot: DovecotConfig, place: MailPlace | None, fields: dict[str, Decided]) -> Decided:
    """What says where the mail lies: in 2.3 a whole location, in 2.4 a path; a namespace's own goes before the userdb's."""
    inbox = dovecot.inbox
    is_own = _is_in(inbox, place)
    if dovecot.family == OLD:
        by_name = fields.get(f"namespace/{inbox.name}/location") if inbox is not None and inbox.name else None
        said = by_name or (None if is_own else fields.get("mail"))
    else:
        said = None if is_own else fields.get("mail_path")
    setting = _set(place.setting) if place is not None else Decided(why="nothing says where the mail lies")
    return setting if said is None else said.over(setting)


def _mail(dovecot: DovecotConfig, location: Decided, user: str, home: Decided) -> Decided:
    if location.value is None:
        return location
    if home.value is None and home.place is not None:
        return Decided(None, location.place, location.overrides, home.why)
    path = _path(location.value) if dovecot.family == OLD else location.value
    value = evaluate(path, dovecot.family, user, home.value)
    return Decided(value, location.place, location.overrides, "" if value is not None else _why_not(path, home))


def _is_in(section: Section | None, place: MailPlace | None) -> bool:
    return section is not None and place is not None and place.setting in section.settings.values()


def _why_not(path: str | None, home: Decided) -> str:
    if path is not None and path.startswith("~") and home.value is None:
        return f"{path} lies below the home: {home.why}"
    return f"{path} could not be evaluated"


def _path(location: str) -> str:
    kind, _, rest = location.partition(":")
    return rest.split(":")[0] if rest and kind.isalnum() else kind


def _format(dovecot: DovecotConfig, location: Decided, fields: dict[str, Decided]) -> Decided:
    if dovecot.family == NEW:
        said = fields.get("mail_driver")
        setting = _set(dovecot.mail_driver)
        return said.over(setting) if said is not None and said.value else setting
    kind, colon, _ = (location.value or "").partition(":")
    if not colon or not kind.isalnum():
        return Decided(None, location.place, location.overrides, location.why or "the format is left to be guessed")
    return Decided(kind.lower(), location.place, location.overrides)


def _option(dovecot: DovecotConfig, location: Decided, name: str, new: str) -> Decided | None:
    """An option of a location of 2.3, or the setting that 2.4 has for it."""
    if dovecot.family == NEW:
        inbox = dovecot.inbox
        setting = (inbox.get(new, f"namespace_{new}") if inbox is not None else None) or dovecot.setting(new)
        return None if setting.is_default or not setting.value else _set(setting)
    options = (location.value or "").split(":")
    value = next((each[len(name) + 1 :] for each in options if each.startswith(f"{name}=")), None)
    return None if value is None else Decided(value, location.place, location.overrides)


def _inbox_path(dovecot: DovecotConfig, location: Decided, root: Decided, user: str, home: Decided) -> Decided:
    option = _option(dovecot, location, "INBOX", "mail_inbox_path")
    if option is None or option.value is None or root.value is None:
        return root
    value = evaluate(option.value, dovecot.family, user, home.value)
    if value is None and dovecot.family == NEW and option.value == ".":
        return root
    return Decided(value, option.place, option.overrides, "" if value else _why_not(option.value, home))


def inbox_of(dovecot: DovecotConfig, location: Decided | None = None) -> Inbox | None:
    """The namespace of the inbox, None where namespaces are written and none is it.

    `location` is what says where the mail of the user lies; without it, what the settings say for all.
    """
    location = location or _location(dovecot, dovecot.mail_place, {})
    section = dovecot.inbox
    if section is None and any(_is_private(each) for each in dovecot.root.of("namespace")):
        return None
    layout = _option(dovecot, location, "LAYOUT", "mailbox_list_layout") or Decided("maildir++")
    layout = Decided((layout.value or "").lower(), layout.place, layout.overrides)
    prefix = section.get("prefix", "namespace_prefix") if section is not None else None
    separator = section.get("separator", "namespace_separator") if section is not None else None
    written = separator.value if separator is not None else ""
    return Inbox(
        section,
        prefix or Setting("prefix", ""),
        written or _LAYOUTS.get(layout.value or "", "/"),
        layout,
        tuple(section.of("mailbox")) if section is not None else (),
    )


def _is_private(section: Section) -> bool:
    kind = section.get("type", "namespace_type")
    disabled = section.get("disabled", "namespace_disabled")
    return (kind is None or kind.value in ("", "private")) and not (disabled is not None and is_true(disabled.value))
