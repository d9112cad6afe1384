"""Rules about single settings of Dovecot: where they stand, TLS, how users prove who they are, what OpenBSD asks for."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator

from mailaudit.checks.dovecot.demands import Demand, unmet
from mailaudit.checks.dovecot.edits import place_of, set_to
from mailaudit.checks.registry import rule
from mailaudit.editing import dovecot as editing
from mailaudit.edits import Edit, Fix, Safety
from mailaudit.findings import Doubt, Exempt, Finding, Outcome, Place
from mailaudit.models.dovecot.config import DovecotConfig
from mailaudit.models.dovecot.reading import LOCAL, Setting
from mailaudit.models.dovecot.settings import NEW, OLD
from mailaudit.models.dovecot.values import is_true
from mailaudit.models.sources import Lacking, Missing, NotHere
from mailaudit.models.system import Uname
from mailaudit.parsers.tree import Statement, Tree
from mailaudit.questions import Reason

INCLUDE = f"!include_try {LOCAL.rpartition('/')[2]}"
PACKAGED_MAIL = "/etc/dovecot/conf.d/10-mail.conf"  # as OpenBSD's package has it, it sets mmap_disable
OLD_PROTOCOLS = ("ANY", "SSLv2", "SSLv3", "TLSv1", "TLSv1.0", "TLSv1.1")
MIXED = "Anna@Example.ORG"
TAKEN = ("plain", "login")
NEEDS = {"oauthbearer": "oauth2", "xoauth2": "oauth2", "gssapi": "", "gss-spnego": "", "external": ""}
"""Mechanisms that need no password of ours, and the driver of the passdb that makes use of them; empty where none does."""

ORDER = {
    OLD: Demand(
        "ssl_prefer_server_ciphers",
        lambda value: value is True,
        "The mail program picks the cipher, not the server: ssl_prefer_server_ciphers is {}.",
        "yes",
    ),
    NEW: Demand(
        "ssl_server_prefer_ciphers",
        lambda value: value == "server",
        "The mail program picks the cipher, not the server: ssl_server_prefer_ciphers is {}.",
        "server",
    ),
}
VERSION = Demand(
    "ssl_min_protocol",
    lambda value: value not in OLD_PROTOCOLS,
    "Mail programs may still speak versions of TLS before 1.2: ssl_min_protocol is {}.",
    "TLSv1.2",
)
MMAP = Demand(
    "mmap_disable",
    lambda value: value is True,
    "mmap_disable is {}: on OpenBSD what one process writes to an index another does not see in its mapping.",
    "yes",
)


@rule("DOVECOT002")
def own_settings_are_read_last(dovecot: DovecotConfig) -> Iterator[Outcome]:
    """Local.conf is included, after all else."""
    if dovecot.packaged:
        return
    main = dovecot.trees[0]
    at = next((include for include in _includes(main) if _leads_to_local(include)), None)
    if at is None and dovecot.has_local is not True:
        yield Exempt(f"there is no {LOCAL}, and no line that would include it: the settings stand in {main.text.path}")
    elif at is None:
        message = f"{LOCAL} is there, and no line includes it: nothing that it says counts."
        edits = editing.add_lines(main, (), (INCLUDE,)) or ()
        fix = Fix("Include it at the end", Safety.SAFE, edits) if edits else None
        yield Finding(message, (Place.whole(main.text),), fix, "include of local.conf", "missing", absence=True)
    elif (later := _after(main, at)) is not None:
        message = f"{LOCAL} is not read last: what {later.span.chars} brings overrides it."
        places = (Place.at(at.span), Place.at(later.span, "read later"))
        edits = (*editing.remove(at), *(editing.add_lines(main, (), (at.span.chars,)) or ()))
        yield Finding(message, places, Fix("Include it at the end", Safety.SAFE, edits), "include of local.conf", "not last")


def _includes(tree: Tree) -> Iterator[Statement]:
    yield from (each for each in tree.statements if each.kind == "include" and each.template is not None)


def _leads_to_local(include: Statement) -> bool:
    written = include.tokens[-1].value
    return written in (LOCAL, "local.conf", "./local.conf")


def _after(main: Tree, include: Statement) -> Statement | None:
    return next((each for each in _includes(main) if each.span.start > include.span.start), None)


@rule("DOVECOT014")
def server_picks_the_cipher(dovecot: DovecotConfig) -> Iterator[Outcome]:
    """The order of ciphers is the server's."""
    if dovecot.setting("ssl_min_protocol").value == "TLSv1.3":
        yield Exempt("TLS 1.3 alone is spoken, and all its ciphers are good")
        return
    yield from unmet(dovecot, ORDER[dovecot.family])


@rule("DOVECOT015")
def old_tls_is_off(dovecot: DovecotConfig) -> Iterator[Outcome]:
    """No version of TLS before 1.2 is spoken."""
    yield from unmet(dovecot, VERSION)


@rule("DOVECOT020")
def passwords_are_told_as_they_are(dovecot: DovecotConfig) -> Iterator[Outcome]:
    """PLAIN and LOGIN are offered inside TLS, and nothing that crypt(3)'s hashes cannot answer."""
    words = [word.lower() for word in dovecot.words("auth_mechanisms")]
    drivers = {each.driver for each in dovecot.passdbs}
    wrong = [word for word in words if word not in TAKEN and not _is_of_use(word, drivers, dovecot)]
    setting = dovecot.setting("auth_mechanisms")
    block = dovecot.root.named("auth_mechanisms", "")
    opened = block.opened if block is not None else None
    places = (Place.at(opened.span) if setting.is_default and opened else _place(dovecot, setting),)
    kept = [word for word in words if word not in wrong]
    good = " ".join(kept if "plain" in kept else ("plain", *kept))
    edits = set_to(dovecot, setting, "auth_mechanisms", good) if opened is None else ()
    fix = Fix(f"Offer {good}", Safety.SAFE, edits) if edits else None
    if wrong:
        message = f"Dovecot offers {' and '.join(wrong)}, which no password that is kept as crypt(3)'s hash can answer."
        if "anonymous" in wrong:
            message = "Dovecot lets people in without a password: anonymous is among its mechanisms."
        yield Finding(message, places, fix, "auth_mechanisms", " ".join(wrong))
    elif "plain" not in words:
        message = "Dovecot does not offer PLAIN, the mechanism that every mail program has."
        yield Finding(message, places, fix, "auth_mechanisms", "no plain")


def _is_of_use(word: str, drivers: set[str], dovecot: DovecotConfig) -> bool:
    """True if a passdb may answer a mechanism: one that is no file of hashes, or whose passwords are kept as they are."""
    if word == "anonymous":
        return False
    if word in NEEDS:
        return not NEEDS[word] or NEEDS[word] in drivers
    plain = ("plain", "cleartext", word.replace("-", ""), word)
    return any(each.driver != "passwd-file" or each.scheme.lower() in plain for each in dovecot.passdbs)


@rule("DOVECOT021")
def no_password_in_the_clear(dovecot: DovecotConfig) -> Iterator[Outcome]:
    """No login is taken without TLS, whoever asks."""
    offered = any(setting.value != "required" for setting in dovecot.everywhere("ssl"))
    name, bad = ("disable_plaintext_auth", False) if dovecot.family == OLD else ("auth_allow_cleartext", True)
    for setting in dovecot.everywhere(name) if offered else ():
        if is_true(setting.value) is bad:
            message = f"Dovecot takes passwords without TLS: {name} is {setting.value}, and TLS is not required."
            closed = Fix("Take them inside TLS only", Safety.SAFE, set_to(dovecot, setting, name, "no" if bad else "yes"))
            yield Finding(message, (_place(dovecot, setting),), closed, name, setting.value, absence=setting.is_default)
    setting = dovecot.setting("login_trusted_networks")
    block = dovecot.root.named("login_trusted_networks", "")
    trusted = [word for word in dovecot.words("login_trusted_networks") if not _is_loopback(word)]
    if trusted and (dovecot.family == OLD or offered):
        at = Place.at(block.opened.span) if setting.is_default and block and block.opened else _place(dovecot, setting)
        edits: tuple[Edit, ...] = set_to(dovecot, setting, setting.name, "") if not setting.is_default else ()
        fix = Fix("Trust no network", Safety.SAFE, edits) if edits else None
        message = f"From {' and '.join(trusted)} Dovecot takes passwords without TLS: login_trusted_networks names it."
        yield Finding(message, (at,), fix, "login_trusted_networks", " ".join(trusted))


def _is_loopback(word: str) -> bool:
    try:
        return ipaddress.ip_network(re.sub(r"[\[\]]", "", word), strict=False).is_loopback
    except ValueError:
        return word == "localhost"


@rule("DOVECOT025")
def logins_are_in_lower_case(dovecot: DovecotConfig) -> Iterator[Outcome]:
    """A login is looked up, and its mail found, in lower case, however it was typed."""
    setting = dovecot.setting("auth_username_format")
    login = dovecot.login(MIXED)
    files = [each for each in (*dovecot.passdbs, *dovecot.userdbs) if each.driver == "passwd-file" and not each.denies]
    keys = [dovecot.key_in(each, MIXED) for each in files] or [login]
    if login is None or None in keys:
        message = f"What auth_username_format makes of a login could not be evaluated: {setting.value}"
        yield Doubt(Reason.IN_DOUBT, message, (_place(dovecot, setting),))
        return
    paths = [dovecot.mail_path(each, "/home") for each in (MIXED, MIXED.lower())]
    if any(key != key.lower() for key in keys if key is not None) or paths[0] != paths[1]:
        good = "%Lu" if dovecot.family == OLD else "%{user | lower}"
        message = f"Who types {MIXED} is looked up with capitals, as {login}: the user is not found, or gets another mailbox."
        fix = Fix("Look up in lower case", Safety.SAFE, set_to(dovecot, setting, setting.name, good))
        yield Finding(message, (_place(dovecot, setting),), fix, setting.name, setting.value)


@rule("DOVECOT042")
def indexes_are_not_mapped(dovecot: DovecotConfig, uname: Uname | Missing | NotHere | Lacking) -> Iterator[Outcome]:
    """On OpenBSD Dovecot does not map the files of its indexes."""
    if isinstance(uname, Uname) and uname.system != "OpenBSD":
        yield Exempt(f"the host runs {uname.system}, where mapped files and written ones agree")
        return
    setting = dovecot.setting("mmap_disable")
    if dovecot.is_packages_own(PACKAGED_MAIL) and setting.is_default:
        return
    if not isinstance(uname, Uname) and setting.is_default:
        message = "Whether the host is an OpenBSD, which needs mmap_disable, is not known."
        yield Doubt(Reason.NOT_RECORDED, message, (_place(dovecot, setting),))
    else:
        yield from unmet(dovecot, MMAP)


def _place(dovecot: DovecotConfig, setting: Setting) -> Place:
    return place_of(dovecot) if setting.is_default else Place.at(setting.span)
