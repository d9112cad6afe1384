"""Dovecot's configuration as the daemon means it, 2.3 and 2.4 in one model."""

from __future__ import annotations

import posixpath
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from mailaudit.models.accounts import Accounts, read_accounts
from mailaudit.models.dovecot.catalogue import catalogue
from mailaudit.models.dovecot.groups import include
from mailaudit.models.dovecot.new import NewMerging
from mailaudit.models.dovecot.old import OldMerging
from mailaudit.models.dovecot.owner import CREDENTIALS, Ids, mail_ids, refused_ranges
from mailaudit.models.dovecot.parts import Database, Listener, MailPlace, database, evaluate, listeners, mail_place
from mailaudit.models.dovecot.passwd_file import secrets_of
from mailaudit.models.dovecot.reading import LOCAL, MAIN, Reading, Setting, Visit
from mailaudit.models.dovecot.releases import PACKAGE, VERSION
from mailaudit.models.dovecot.sections import Section, written_for
from mailaudit.models.dovecot.settings import CERTIFICATE, FILE_SETTINGS, FILTERS, KEY, NEW, OLD, OLD_PROTOCOLS
from mailaudit.models.dovecot.values import is_true, list_words
from mailaudit.models.dovecot.vars import expand
from mailaudit.models.dovecot.whole import refusals
from mailaudit.models.included import WithIncludes, in_reading_order
from mailaudit.models.sources import Known, Missing, Slot, Sources, refused_statements
from mailaudit.parsers.tree import Problem
from mailaudit.questions import Absent, Command, CommandOutput, Failed, Found, RunCommand, Stat
from mailaudit.text import Text

FILES = ("/etc/dovecot/*.conf", "/etc/dovecot/conf.d/*.conf")
_VARIABLE = re.compile(r"%\{|\$")
_SECRET = re.compile(r"(?:^|_)(?:password|passphrase|api_key|secret)$")
_IN_ARGUMENTS = re.compile(r"(?:^| )(?:password|pass)=(\S+)")


@dataclass(frozen=True, slots=True, eq=False)
class StartFile:
    """A file that a setting names and Dovecot reads at start, also if another statement overrides that one.

    `there` is None where it is not known whether the file is there.
    """

    setting: Setting
    path: str
    there: bool | None
    overridden: bool

    @property
    def problem(self) -> Problem:
        """Why Dovecot does not start without it."""
        return Problem(f"{self.path} is not there, and Dovecot reads it at start", self.setting.span)


@dataclass(frozen=True, eq=False)
class DovecotConfig(WithIncludes):
    """The effective settings.

    `family` is `2.3` or `2.4`; `root` holds all settings and sections, merged; `packaged` is true if no dovecot.conf is at
    hand, so that the packaged one is assumed and the files that it includes may be missing from the record. `own` is the file
    that the site's own settings go into, by its text, or by its path if it is included and still to be written. `files` are
    those that are read at start because a setting names them. `accounts` are the host's, None where they are not known;
    `passwd_files` the files of users that databases name, by path. `has_credentials` is true if the file that smtpd reads too
    is known to be there, `has_local` whether local.conf is, None where that is not known. `installed` is the release that runs,
    as much of it as is told; empty where there is no evidence of it.
    """

    family: str = OLD
    root: Section = field(default_factory=Section)
    packaged: bool = False
    own: Text | str = LOCAL
    files: tuple[StartFile, ...] = ()
    accounts: Accounts | None = None
    passwd_files: Mapping[str, Text | Absent | Failed] = field(default_factory=dict, repr=False)
    has_credentials: bool = False
    has_local: bool | None = None
    installed: str = ""

    def setting(self, name: str, protocol: str | None = None) -> Setting:
        """The effective setting of a name, for all connections or for those of a protocol."""
        for scope in self._scopes(protocol):
            if name in scope.settings:
                return scope.settings[name]
        return Setting(name, catalogue(self.family).default(name, self.written))

    @property
    def written(self) -> str:
        """The release of 2.4 that the files are written for; empty where they do not say."""
        return written_for(self.root)

    def _scopes(self, protocol: str | None) -> list[Section]:
        if protocol is None:
            return [self.root]
        matching = [
            section
            for section in self.root.of("protocol")
            if section.name == protocol or (section.name.startswith("!") and section.name != f"!{protocol}")
        ]
        return [*reversed(matching), self.root]

    def everywhere(self, name: str) -> tuple[Setting, ...]:
        """The effective setting for all connections, then each that filters set for some."""
        return (self.setting(name), *_filtered(self.root, name))

    @property
    def ssl(self) -> Setting:
        """Whether TLS is off (`no`), offered (`yes`) or demanded (`required`)."""
        return self.setting("ssl")

    @property
    def certificate(self) -> Setting:
        """The setting that names the certificate's file; a default if none does."""
        return self.setting(CERTIFICATE[self.family])

    @property
    def key(self) -> Setting:
        """The setting that names the key's file; a default if none does."""
        return self.setting(KEY[self.family])

    def path_of(self, setting: Setting) -> str | None:
        """The file that a certificate's or key's setting names; None where the value is taken for the certificate itself."""
        if not setting.value or (self.family == NEW and setting.value.startswith("inline:")):
            return None
        return setting.value if setting.from_file or self.family == NEW else None

    @cached_property
    def passdbs(self) -> tuple[Database, ...]:
        """Where passwords are looked up, in order."""
        return tuple(database(section, self.root, self.family) for section in self.root.of("passdb"))

    @cached_property
    def userdbs(self) -> tuple[Database, ...]:
        """Where users are looked up, in order."""
        return tuple(database(section, self.root, self.family) for section in self.root.of("userdb"))

    @property
    def credentials(self) -> Text | None:
        """The file that smtpd reads too, if a database names it and it could be read."""
        text = self.passwd_files.get(CREDENTIALS)
        return text if isinstance(text, Text) else None

    def mail_ids(self, kind: str) -> Ids:
        """Under which ids the mail is opened; `kind` is `uid` or `gid`."""
        ids = mail_ids(kind, self.root, self.userdbs, self.accounts, self.credentials)
        return Ids(is_elsewhere=True) if self.has_packaged_users and not ids.is_certain else ids

    @property
    def has_packaged_users(self) -> bool:
        """True if nothing at hand says who the users are, so that they may be the system's accounts, as the package has it."""
        return self.packaged and not self.passdbs and not self.userdbs

    def is_packages_own(self, path: str) -> bool:
        """True if a file is not at hand that is taken to be there as the package has it, as dovecot.conf is."""
        return self.packaged and path not in {tree.text.path for tree in self.trees}

    def login(self, address: str) -> str | None:
        """The name that a login becomes before it is looked up, or None where it cannot be told."""
        return expand(self.setting("auth_username_format").value or "%u", self.family, address)

    def key_in(self, of: Database, address: str) -> str | None:
        """The key under which a login is looked up in a passwd-file, or None where it cannot be told."""
        user = self.login(address)
        return None if user is None else expand(of.username_format, self.family, user)

    @property
    def mail_place(self) -> MailPlace | None:
        """Where the mail lies, or None where Dovecot is left to guess."""
        return self.place_in("imap")

    def place_in(self, protocol: str) -> MailPlace | None:
        """Where a protocol has the mail, or None where Dovecot is left to guess."""
        return mail_place(self.inbox, self._scopes(protocol), self.family)

    @property
    def inbox(self) -> Section | None:
        """The namespace that holds the inbox, None where none is written to."""
        return next(iter(self._inboxes()), None)

    def _inboxes(self) -> list[Section]:
        return [s for s in self.root.of("namespace") if (inbox := s.get("inbox")) and is_true(inbox.value)]

    @property
    def mail_driver(self) -> Setting:
        """In 2.4, the format of the inbox, also where no path is set."""
        found = (scope.get("namespace_mail_driver", "mail_driver") for scope in (*self._inboxes(), *self._scopes("imap")))
        return next((each for each in found if each is not None), self.setting("mail_driver"))

    def mail_path(self, user: str, home: str | None = None) -> str | None:
        """The path of a user's mail, or None where it cannot be told. `user` is a full address."""
        place = self.mail_place
        login = self.login(user)
        if place is None or login is None:
            return None
        return evaluate(place.path, self.family, login, home or self.home(user))

    def home(self, user: str) -> str | None:
        """The home of a user whose userdb names none, or None where no `mail_home` is set either."""
        login = self.login(user)
        template = self.setting("mail_home").value
        return evaluate(template, self.family, login, None) if login and template else None

    def words(self, name: str, protocol: str | None = None) -> tuple[str, ...]:
        """The words of a list: those of its string, and in 2.4 those that its block says yes to."""
        found: list[str] = []
        for scope in reversed(self._scopes(protocol)):
            if name in scope.settings:
                value = scope.settings[name].value
                found = list_words(value) if self.family == NEW else [word for word in value.split(" ") if word]
            block = scope.named(name, "")
            for setting in block.settings.values() if block else ():
                found = [word for word in found if word != setting.name]
                found += [setting.name] if is_true(setting.value) else []
        if not found and all(name not in scope.settings for scope in self._scopes(protocol)):
            found = catalogue(self.family).default(name, self.written).split()
        return tuple(dict.fromkeys(found))

    @property
    def protocols(self) -> frozenset[str]:
        """The protocols that are served."""
        return frozenset(OLD_PROTOCOLS.get(word, word) for word in self.words("protocols") if word != "none")

    @property
    def listeners(self) -> tuple[Listener, ...]:
        """The ports that are open."""
        return tuple(listeners(self.root, self.protocols, self.setting("listen"), self.family))


def _filtered(section: Section, name: str) -> Iterable[Setting]:
    for each in section.sections:
        if each.type in FILTERS:
            if name in each.settings:
                yield each.settings[name]
            yield from _filtered(each, name)


def read_dovecot(sources: Sources) -> Slot[DovecotConfig]:
    """Dovecot's configuration from its root file and all that it includes."""
    found = sources.tree(MAIN, "dovecot")
    slot = sources.slot(MAIN, found, FILES)
    packaged = isinstance(slot, Missing) and not sources.snapshot.recorded
    reading = Reading(sources)
    if isinstance(slot, Known):
        reading.tree(slot.value)
    elif packaged:
        sources.read.pop(MAIN, None)  # it is assumed, not missing
        reading.packaged()
    else:
        return slot
    return Known(_config(reading, sources, packaged=packaged))


def _config(reading: Reading, sources: Sources, *, packaged: bool) -> DovecotConfig:
    installed = _installed(sources)
    family, assumed = _family(reading.visits, installed)
    if packaged:
        assumed += ("the packaged dovecot.conf, which includes conf.d and local.conf, for none is at hand",)
    assumed += tuple(f"nothing in {pattern}, for it was not recorded" for pattern in dict.fromkeys(reading.unrecorded))
    merging = NewMerging(family, installed) if family == NEW else OldMerging(family)
    merging.add(reading.visits)
    if isinstance(merging, NewMerging):
        include(merging)
    trees = tuple(reading.trees.values())
    files = _files(merging.root, sources, family)
    passwd_files = _passwd_files(merging.root, sources, family)
    accounts = read_accounts(sources)
    refused = [
        *refused_statements(trees),
        *reading.refused,
        *merging.refused,
        *refusals(merging.root, reading, family, installed, packaged=packaged),
        *refused_ranges(merging.root, family),
        *(file.problem for file in files if file.there is False),
    ]
    return DovecotConfig(
        trees=trees,
        refusals=in_reading_order(trees, dict.fromkeys(refused)),
        assumed=assumed,
        secrets=(*_secrets(merging.root), *_passwords(passwd_files)),
        unknown=(*reading.unknown, *merging.unknown),
        family=family,
        root=merging.root,
        packaged=packaged,
        own=_own(reading, packaged=packaged),
        files=files,
        accounts=accounts.value if isinstance(accounts, Known) else None,
        passwd_files=passwd_files,
        has_credentials=_is_there(sources, CREDENTIALS) is True,
        has_local=_is_there(sources, LOCAL),
        installed=installed,
    )


def _passwd_files(root: Section, sources: Sources, family: str) -> dict[str, Text | Absent | Failed]:
    """The files of users that databases name by an absolute path without variables."""
    databases = [database(section, root, family) for section in (*root.of("passdb"), *root.of("userdb"))]
    paths = [each.path.value for each in databases if each.driver == "passwd-file" and each.path is not None]
    return {path: sources.file(path) for path in dict.fromkeys(paths) if path.startswith("/") and "%" not in path}


def _passwords(files: Mapping[str, Text | Absent | Failed]) -> tuple[tuple[str, str], ...]:
    return tuple(dict.fromkeys(each for text in files.values() if isinstance(text, Text) for each in secrets_of(text)))


def _installed(sources: Sources) -> str:
    """The release that is installed, or as much of it as is told; empty where there is no evidence of it."""
    for command, pattern in ((Command.PKG_INFO, PACKAGE), (Command.DOVECOT_VERSION, VERSION)):
        answer = sources.ask(RunCommand(command))
        if isinstance(answer, Found) and isinstance(answer.value, CommandOutput):
            match = pattern.search(answer.value.stdout)
            if match:
                return match[1]
    return ""


def _family(visits: list[Visit], installed: str) -> tuple[str, tuple[str, ...]]:
    """The family: the one the files name, else the installed one, else the one whose names they use."""
    settings = [visit for visit in visits if visit.statement.kind == "setting"]
    of_plugins = sum(any(each.seen[0].value == "plugin" for each in visit.within) for visit in settings)  # 2.3 alone has them
    outside = (visit for visit in settings if not any(each.seen[0].value == "plugin" for each in visit.within))
    keys = Counter(visit.statement.seen[0].value for visit in outside)
    if "dovecot_config_version" in keys:
        return NEW, ()
    if installed:
        return (OLD if installed.startswith(OLD) else NEW), ()
    olds, news = catalogue(OLD).inside[()], catalogue(NEW).inside[()]
    new = sum(count for key, count in keys.items() if key in news and key not in olds)
    old = sum(count for key, count in keys.items() if key in olds and key not in news) + of_plugins
    if new > old:
        return NEW, ("Dovecot 2.4, by the names of the settings",)
    return OLD, ("Dovecot 2.3, for neither the files nor a list of packages say otherwise",)


def _files(root: Section, sources: Sources, family: str) -> tuple[StartFile, ...]:
    """The files that settings name for Dovecot to read at start, those of overridden statements too."""
    found: dict[int, StartFile] = {}
    for section in root.walk():
        for setting in section.settings.values() if section.type != "plugin" else ():
            for each in (setting, *setting.overridden):
                names_file = each.from_file or (family == NEW and each.name in FILE_SETTINGS)
                if names_file and each.statement and each.value and not _VARIABLE.search(each.value):
                    path = posixpath.normpath(posixpath.join(posixpath.dirname(each.span.path), each.value))
                    file = StartFile(each, path, _is_there(sources, path), each is not setting)
                    found.setdefault(id(each.statement), file)
    return tuple(found.values())


def _is_there(sources: Sources, path: str) -> bool | None:
    stat = sources.stat(path)
    return True if isinstance(stat, Stat) else False if isinstance(stat, Absent) else None


def _own(reading: Reading, *, packaged: bool) -> Text | str:
    """The file for the site's own settings: local.conf where it is included, else the root file."""
    if LOCAL in reading.trees:
        return reading.trees[LOCAL].text
    if packaged or LOCAL in reading.absent or not reading.trees:
        return LOCAL
    return next(iter(reading.trees.values())).text


def _secrets(root: Section) -> tuple[tuple[str, str], ...]:
    found: list[tuple[str, str]] = []
    for section in root.walk():
        for setting in section.settings.values():
            if _SECRET.search(setting.name) and setting.value and not setting.from_file and "%{" not in setting.value:
                found.append(("dovecot-password", setting.value))
            elif setting.name == "args":
                found += [("dovecot-password", match[1]) for match in _IN_ARGUMENTS.finditer(setting.value)]
    return tuple(dict.fromkeys(found))
