"""What Dovecot 2.3 still takes of older versions' settings, with a warning, and what it makes of them.

Source: src/config/old-set-parser.c of 2.3.19. Only settings outside of sections, with a plain value, are looked at.
"""

from __future__ import annotations

from dataclasses import dataclass

from mailaudit.models.dovecot.filters import network
from mailaudit.models.dovecot.sections import Section
from mailaudit.models.dovecot.settings import OLD_PROTOCOLS

Becomes = tuple[tuple[tuple[str, str], ...], str, str]
"""The sections by type and name, a setting's name, and its value."""


@dataclass(frozen=True, slots=True)
class Change:
    """The settings that an obsolete one comes to, none if it has been removed.

    `is_lenient` is true where the daemon forgets that it refused one of them.
    """

    settings: tuple[Becomes, ...] = ()
    from_file: bool = False
    refused: str = ""
    is_lenient: bool = False


_REMOVED = frozenset(
    (
        "auth_count",
        "dbox_rotate_days",
        "dbox_rotate_min_size",
        "director_consistent_hashing",
        "login_dir",
        "mail_log_max_lines_per_sec",
        "maildir_copy_preserve_filename",
        "ssl_dh_parameters_length",
        "ssl_parameters_regenerate",
    )
)
_RENAMED: dict[str, tuple[str, dict[str, str]]] = {
    "dbox_rotate_size": ("mdbox_rotate_size", {}),
    "fsync_disable": ("mail_fsync", {"yes": "never", "no": "optimized"}),
    "ssl_disable": ("ssl", {"yes": "no", "no": "yes"}),
}
_MAIL_SERVICES = {"imap": "imap", "pop3": "pop3", "sieve": "managesieve"}
_LOGIN_SERVICES = {protocol: f"{service}-login" for protocol, service in _MAIL_SERVICES.items()}
_AUTH_SERVICE = {"": "auth"}
_OF_SERVICES: dict[str, tuple[dict[str, str], str]] = {
    "login_chroot": (_LOGIN_SERVICES, "chroot"),
    "login_user": (_LOGIN_SERVICES, "user"),
    "login_executable": (_LOGIN_SERVICES, "executable"),
    "login_process_size": (_LOGIN_SERVICES, "vsz_limit"),
    "login_process_per_connection": (_LOGIN_SERVICES, "service_count"),
    "login_processes_count": (_LOGIN_SERVICES, "process_min_avail"),
    "login_max_processes_count": (_LOGIN_SERVICES, "process_limit"),
    "login_max_connections": (_LOGIN_SERVICES, "client_limit"),
    "max_mail_processes": (_MAIL_SERVICES, "process_limit"),
    "mail_executable": (_MAIL_SERVICES, "executable"),
    "mail_process_size": (_MAIL_SERVICES, "vsz_limit"),
    "mail_drop_priv_before_exec": (_MAIL_SERVICES, "drop_priv_before_exec"),
    "auth_executable": (_AUTH_SERVICE, "executable"),
    "auth_process_size": (_AUTH_SERVICE, "vsz_limit"),
    "auth_user": (_AUTH_SERVICE, "user"),
    "auth_chroot": (_AUTH_SERVICE, "chroot"),
}
_VERSIONS = ("SSLv3", "TLSv1", "TLSv1.1", "TLSv1.2")
_IDLE = frozenset(("outlook-idle", "netscape-eoh"))


def changed_section(type_: str, name: str) -> tuple[str, str]:
    """A section as it is called today."""
    renamed = {("protocol", "managesieve"): "sieve", ("service", "dns_client"): "dns-client"}
    return type_, renamed.get((type_, name), name)


def changed(name: str, value: str, around: Section) -> Change | None:
    """What has become of a setting; None where it still is what it was. `around` is the filter that it stands in."""
    if name in _REMOVED:
        return Change()
    if name in _OF_SERVICES:
        return _of_services(name, value, around)
    return _under_another_name(name, value) or _of_words(name, value, around)


def _under_another_name(name: str, value: str) -> Change | None:
    if name in _RENAMED:
        new, values = _RENAMED[name]
        return Change((((), new, values.get(value.lower(), value)),))
    if name.startswith("mail_cache_compress_"):
        return Change((((), "mail_cache_purge_" + name[20:], value),))
    if name in ("ssl_cert_file", "ssl_key_file", "ssl_ca_file"):
        return Change((((), name.removesuffix("_file"), value),) if value else (), from_file=True)
    if name in ("sieve", "sieve_storage"):
        return Change((((("plugin", ""),), name, value),))
    return _least_version(value) if name == "ssl_protocols" else None


def _of_words(name: str, value: str, around: Section) -> Change | None:
    if name == "protocols" and any(word in OLD_PROTOCOLS for word in value.split(" ")):
        return _protocols(value)
    if name == "imap_client_workarounds" and any(word in _IDLE for word in value.replace(",", " ").split(" ")):
        words = [word for word in value.replace(",", " ").split(" ") if word and word not in _IDLE]
        return Change((((), name, " ".join(words)),))
    if name == "auth_cache_size" and value.isascii() and value.isdigit() and 0 < int(value[:5]) < 1024:
        return Change((((), name, f"{value}M"),))
    if name == "ssl_listen" or (name == "listen" and (around.type or _has_port(value))):
        return _listen(name, value, around)
    return None


def _of_services(name: str, value: str, around: Section) -> Change:
    services, new = _OF_SERVICES[name]
    if name == "login_chroot":
        value = "" if value == "no" else "login"
    elif name == "login_process_per_connection":
        value = "0" if value == "no" else "1"
    elif new == "vsz_limit":
        value += " M"
    meant = [service for protocol, service in services.items() if around.type != "protocol" or protocol in ("", around.name)]
    return Change(
        tuple(((("service", service),), new, value) for service in meant), is_lenient="sieve" in services and len(meant) > 1
    )


def _least_version(value: str) -> Change:
    words = [word for word in value.replace(",", " ").split(" ") if word]
    unknown = next((word for word in words if word.removeprefix("!") not in _VERSIONS), None)
    if unknown is not None:
        return Change(refused=f"ssl_protocols names {unknown.removeprefix('!')}, which it does not know; it has no effect")
    on = [version for version in _VERSIONS if version in words]
    left = [version for version in _VERSIONS if f"!{version}" not in words]
    least = (on or left)[:1]
    if not least:
        return Change(refused="ssl_protocols turns all versions off; it has no effect")
    return Change((((), "ssl_min_protocol", least[0]),))


def _protocols(value: str) -> Change:
    words = [word for word in value.split(" ") if word]
    left = [OLD_PROTOCOLS["managesieve"] if word == "managesieve" else word for word in words if word not in ("imaps", "pop3s")]
    closed = [each for each in ("imap", "pop3") if f"{each}s" in words and each not in words]
    ports = tuple(((("service", f"{each}-login"), ("inet_listener", each)), "port", "0") for each in closed)
    return Change((*ports, ((), "protocols", " ".join((*left, *closed)))))


def _has_port(value: str) -> bool:
    """True if something in a list is no plain address, so that what follows the last colon is taken for a port."""
    words = value.replace(",", " ").split()
    return ":" in value and any(word not in ("*", "::", "[::]") and network(word) is None for word in words)


def _listen(name: str, value: str, around: Section) -> Change:
    """`listen` with a port, or in a protocol: the address and the port of that protocol's listeners."""
    mark = "s" if name == "ssl_listen" else ""
    if not value:
        return Change()
    found: list[Becomes] = []
    meant = [each for each in ("imap", "pop3") if around.type != "protocol" or around.name == each]
    host, _, port = value.rpartition(":")
    if _has_port(value):
        value = host
        meant_ports = meant if port.isascii() and port.isdigit() and int(port[:6]) < 65536 else []  # else it is not looked at
        found += [((("service", f"{each}-login"), ("inet_listener", each + mark)), "port", port) for each in meant_ports]
    if not around.type and not mark:
        found.append(((), "listen", value))
    else:
        found += [((("service", f"{each}-login"), ("inet_listener", each + mark)), "address", value) for each in meant]
    return Change(tuple(found))
