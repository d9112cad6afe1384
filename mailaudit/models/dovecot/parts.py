"""What Dovecot's settings add up to: databases of users, listeners, the place of the mail."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from mailaudit.models.dovecot.catalogue import catalogue
from mailaudit.models.dovecot.reading import Setting
from mailaudit.models.dovecot.sections import Section, written_for
from mailaudit.models.dovecot.settings import LISTENERS, LISTENERS_ONLY_NEW, NEW, OLD, SERVICE_PROTOCOLS
from mailaudit.models.dovecot.vars import expand
from mailaudit.parsers.tree import Statement, Token

_OPTION = re.compile(r"(scheme|username_format)=(\S+)\s*")
_LOOPBACK = re.compile(r"127\.\d+\.\d+\.\d+|\[?::1\]?|localhost")


@dataclass(frozen=True, slots=True, eq=False)
class Database:
    """One passdb or userdb.

    For the driver `passwd-file`: `path` is the file, `scheme` that of a hash without a prefix, `username_format` the template
    of the key; the latter two with the token that says so, None where it is left to the default. `args` is the setting that
    names the file.
    """

    kind: str
    name: str
    driver: str
    section: Section
    path: Token | None = None
    scheme: str = "CRYPT"
    username_format: str = "%u"
    args: Setting | None = None
    scheme_token: Token | None = None
    format_token: Token | None = None

    @property
    def statement(self) -> Statement:
        """The first line of its section."""
        return self.section.visits[0].statement

    @property
    def via(self) -> tuple[Statement, ...]:
        """The include statements that led to it, outermost first."""
        return self.section.visits[0].via

    @property
    def denies(self) -> bool:
        """True if it only turns users away."""
        deny = self.section.get("deny", "passdb_deny")
        return deny is not None and deny.value.lower() in ("yes", "y", "1")


def database(section: Section, root: Section, family: str) -> Database:
    """The database that a passdb or userdb section makes."""
    return _new_database(section, root) if family == NEW else _old_database(section)


def _new_database(section: Section, root: Section) -> Database:
    kind = section.type
    driver = section.get("driver", f"{kind}_driver")
    path = section.get("passwd_file_path", f"{kind}_passwd_file_path") or root.get("passwd_file_path")
    name = f"{kind}_default_password_scheme"
    scheme = section.get("default_password_scheme", name) or root.get(name)
    form = section.get("auth_username_format", f"{kind}_auth_username_format")
    return Database(
        kind,
        section.name,
        driver.value if driver else section.name,
        section,
        path=path.token if path else None,
        scheme=scheme.value if scheme else catalogue(NEW).default(name, written_for(root)),
        username_format=form.value if form else "%{user}",
        args=path,
        scheme_token=scheme.token if scheme else None,
        format_token=form.token if form else None,
    )


def _old_database(section: Section) -> Database:
    driver = section.get("driver")
    args = section.get("args")
    default = section.get("default_password_scheme")
    made = Database(section.type, section.name, driver.value if driver else "", section, args=args)
    if default is not None and default.value:
        made = replace(made, scheme=default.value, scheme_token=default.token)
    if made.driver != "passwd-file" or args is None or args.token is None:
        return made
    at = 0
    while (match := _OPTION.match(args.value, at)) is not None:
        token = part(args, *match.span(2))
        if match[1] == "scheme":
            made = replace(made, scheme=match[2], scheme_token=token)
        else:
            made = replace(made, username_format=match[2], format_token=token)
        at = match.end()
    return replace(made, path=part(args, at, len(args.value)) if at < len(args.value) else None)


def part(setting: Setting, start: int, end: int) -> Token:
    """A part of a setting's value as a token: its own characters, or all of the value where it was not written in one piece."""
    token = setting.token
    assert token is not None
    value = setting.value[start:end]
    at = token.span.chars.find(setting.value)
    if at < 0:
        return Token(token.kind, value, token.text, token.start, token.end)
    return Token("word", value, token.text, token.start + at + start, token.start + at + end)


@dataclass(frozen=True, slots=True, eq=False)
class Listener:
    """A port that a service listens on.

    `section` is the inet_listener section that speaks of it, None where all is left to the defaults; `settings` are the
    settings by their 2.3 names (`port`, `ssl`, `address`, and the global `listen`) where files set them.
    """

    service: str
    name: str
    port: int
    ssl: bool
    addresses: tuple[str, ...]
    section: Section | None
    settings: dict[str, Setting]

    @property
    def is_public(self) -> bool:
        """True if it can be reached from another machine."""
        return any(_LOOPBACK.fullmatch(address) is None for address in self.addresses)

    @property
    def families(self) -> frozenset[str]:
        """The address families it listens on for other machines: `inet`, `inet6`; a host name may mean either, so both."""
        public = [address for address in self.addresses if _LOOPBACK.fullmatch(address) is None]
        found = {"inet6" if ":" in address else "inet" for address in public}
        if any(re.fullmatch(r"[A-Za-z][A-Za-z0-9.-]*", address) for address in public):
            found |= {"inet", "inet6"}
        return frozenset(found)


def listeners(root: Section, protocols: frozenset[str], listen: Setting, family: str) -> Iterator[Listener]:
    """The ports that are open, those of services whose protocol is off left out."""
    defaults = {service: ports for service, _, ports in LISTENERS}
    configured = {section.name: section for section in root.of("service")}
    for service in dict.fromkeys((*defaults, *configured)):
        section = configured.get(service)
        own = section.get("protocol") if section else None
        protocol = own.value if own else SERVICE_PROTOCOLS.get(service, "")
        if protocol and protocol not in protocols:
            continue
        sections = section.of("inet_listener") if section else []
        ports = [each for each in defaults.get(service, ()) if family == NEW or each[0] not in LISTENERS_ONLY_NEW]
        known = {name for name, _, _ in ports}
        for default in ports:
            yield from _listener(service, default, next((each for each in sections if each.name == default[0]), None), listen)
        for each in sections:
            if each.name not in known:
                yield from _listener(service, (each.name, 0, False), each, listen)


def _listener(service: str, default: tuple[str, int, bool], section: Section | None, listen: Setting) -> Iterator[Listener]:
    name, port, ssl = default
    settings: dict[str, Setting] = {} if listen.is_default else {"listen": listen}
    for known, *spellings in (
        ("port", "port", "inet_listener_port"),
        ("ssl", "ssl", "inet_listener_ssl"),
        ("address", "address", "listen", "inet_listener_listen"),
    ):
        found = section.get(*spellings) if section else None
        if found is not None and found.value:
            settings[known] = found
    port = int(settings["port"].value) if "port" in settings and settings["port"].value.isdigit() else port
    ssl = settings["ssl"].value.lower() in ("yes", "y", "1") if "ssl" in settings else ssl
    where = settings.get("address", listen)
    addresses = tuple(address for address in re.split(r"[ ,]+", where.value) if address)
    if port:
        yield Listener(service, name, port, ssl, addresses, section, settings)


@dataclass(frozen=True, slots=True, eq=False)
class MailPlace:
    """Where a user's mail lies: the format (`maildir`, ...), the template of its path, and the settings that say so."""

    format: str
    path: str
    setting: Setting
    format_setting: Setting | None = None


def mail_place(inbox: Section | None, scopes: list[Section], family: str) -> MailPlace | None:
    """The place of the inbox, or None where it is left to be guessed. `scopes` are searched in order, the global one last."""
    within = [inbox, *scopes] if inbox else scopes
    if family == OLD:
        location = inbox.get("location") if inbox else None
        if location is None or not location.value:
            location = next((found for scope in scopes if (found := scope.get("mail_location"))), None)
        if location is None or not location.value:
            return None
        kind, _, rest = location.value.partition(":")
        has_format = bool(rest) and kind.isalnum()  # else the first part is a path, and options follow
        return MailPlace(kind.lower(), rest.split(":")[0], location) if has_format else MailPlace("", kind, location)
    path = next((found for scope in within if (found := scope.get("mail_path", "namespace_mail_path"))), None)
    driver = next((found for scope in within if (found := scope.get("mail_driver", "namespace_mail_driver"))), None)
    if path is None or not path.value:
        return None
    return MailPlace(driver.value.lower() if driver else "", path.value, path, driver)


def evaluate(template: str, family: str, user: str, home: str | None) -> str | None:
    """An absolute path from a template, or None where it cannot be told."""
    if template == "~" or template.startswith("~/"):
        if home is None:
            return None
        template = home.replace("%", "%%") + template[1:] if family == OLD else home + template[1:]
    path = expand(template, family, user, home)
    return posixpath.normpath(path) if path is not None and path.startswith("/") else None
