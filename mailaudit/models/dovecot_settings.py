"""What Dovecot 2.3 and 2.4 know of their settings, as far as a rule or a refusal needs it: defaults, kinds, names of one family.

Source: doveconf -d of 2.3.19; the settings structures of 2.4; the upgrade notes from 2.3 to 2.4.
"""

from __future__ import annotations

OLD, NEW = "2.3", "2.4"

DEFAULTS: dict[str, dict[str, str]] = {
    OLD: {
        "auth_mechanisms": "plain",
        "auth_username_format": "%Lu",
        "disable_plaintext_auth": "yes",
        "first_valid_gid": "1",
        "first_valid_uid": "500",
        "last_valid_gid": "0",
        "last_valid_uid": "0",
        "listen": "*, ::",
        "mail_home": "",
        "mail_location": "",
        "mail_plugins": "",
        "protocols": "imap pop3 lmtp",
        "ssl": "yes",
        "ssl_min_protocol": "TLSv1.2",
        "ssl_prefer_server_ciphers": "no",
    },
    NEW: {
        "auth_allow_cleartext": "no",
        "auth_mechanisms": "plain",
        "auth_username_format": "%{user | lower}",
        "first_valid_gid": "1",
        "first_valid_uid": "500",
        "last_valid_gid": "0",
        "last_valid_uid": "0",
        "listen": "*, ::",
        "mail_driver": "",
        "mail_home": "",
        "mail_path": "",
        "mail_plugins": "",
        "protocols": "",
        "ssl": "yes",
        "ssl_min_protocol": "TLSv1.2",
        "ssl_server_prefer_ciphers": "client",
    },
}

# What each family calls the same thing.
CERTIFICATE = {OLD: "ssl_cert", NEW: "ssl_server_cert_file"}
KEY = {OLD: "ssl_key", NEW: "ssl_server_key_file"}

SECTIONS_THAT_ADD_UP = frozenset(
    ("passdb", "userdb", "namespace", "service", "inet_listener", "unix_listener", "fifo_listener", "mailbox")
)
"""Of these, 2.3 makes a new one for each section without a name; all others of one kind and name are one."""

FILTERS = ("local", "local_name", "remote", "protocol")
"""Sections whose settings hold for some connections only, in the order in which one may stand in another."""

PREFIXES = frozenset(("ssl_server",))
"""Sections of 2.4 whose settings are global ones: `ssl_server { key_file = x }` is `ssl_server_key_file = x`."""

PROTOCOLS = frozenset(("imap", "pop3", "lmtp", "submission", "sieve"))
OLD_PROTOCOLS = {"imaps": "imap", "pop3s": "pop3", "managesieve": "sieve"}  # still taken, with a warning

LISTENERS: tuple[tuple[str, str, tuple[tuple[str, int, bool], ...]], ...] = (
    ("imap-login", "imap", (("imap", 143, False), ("imaps", 993, True))),
    ("pop3-login", "pop3", (("pop3", 110, False), ("pop3s", 995, True))),
    ("managesieve-login", "sieve", (("sieve", 4190, False),)),
    ("submission-login", "submission", (("submission", 587, False), ("submissions", 465, True))),
)
"""The services that listen once their protocol is on: service, protocol, and name, port and TLS of each listener."""
LISTENERS_ONLY_NEW = frozenset(("submissions",))

SERVICE_PROTOCOLS = {
    **{service: protocol for service, protocol, _ in LISTENERS},
    "imap": "imap",
    "pop3": "pop3",
    "lmtp": "lmtp",
    "managesieve": "sieve",
    "submission": "submission",
}
"""Services that run only with their protocol."""

BOOLEANS: dict[str, frozenset[str]] = {
    "": frozenset(
        (
            "auth_allow_cleartext",
            "auth_debug",
            "auth_debug_passwords",
            "auth_use_winbind",
            "auth_verbose",
            "disable_plaintext_auth",
            "dotlock_use_excl",
            "mail_debug",
            "mail_full_filesystem_access",
            "mail_nfs_index",
            "mail_nfs_storage",
            "maildir_copy_with_hardlinks",
            "maildir_very_dirty_syncs",
            "mmap_disable",
            "shutdown_clients",
            "ssl_prefer_server_ciphers",
            "ssl_require_crl",
            "ssl_verify_client_cert",
            "verbose_proctitle",
            "verbose_ssl",
            "version_ignore",
        )
    ),
    "namespace": frozenset(("inbox", "hidden", "subscriptions", "disabled", "ignore_on_failure")),
    "inet_listener": frozenset(("ssl", "haproxy", "reuse_port")),
    "passdb": frozenset(("deny", "pass", "master")),
}
"""The settings that are yes or no, by the section they stand in; "" is none, or a filter."""

CHOICES: dict[tuple[str, str], tuple[str, ...]] = {
    ("", "ssl"): ("no", "yes", "required"),
    ("mailbox", "auto"): ("no", "create", "subscribe"),
    ("namespace", "type"): ("private", "shared", "public"),
}

NUMBERS: dict[str, frozenset[str]] = {
    "": frozenset(("first_valid_uid", "first_valid_gid", "last_valid_uid", "last_valid_gid")),
    "inet_listener": frozenset(("port",)),
}

RENAMED: dict[str, tuple[str, dict[str, str] | None]] = {
    "ssl_cert": ("ssl_server_cert_file", None),
    "ssl_key": ("ssl_server_key_file", None),
    "ssl_dh": ("ssl_server_dh_file", None),
    "ssl_ca": ("ssl_server_ca_file", None),
    "ssl_prefer_server_ciphers": ("ssl_server_prefer_ciphers", {"yes": "server", "no": "client"}),
    "disable_plaintext_auth": ("auth_allow_cleartext", {"yes": "no", "no": "yes"}),
}
"""Settings of 2.3 that 2.4 has under another name, and what becomes of their values; None: a path, its `<` left out."""

ONLY_OLD: dict[str, frozenset[str]] = {
    "": frozenset((*RENAMED, "mail_location", "ssl_protocols", "verbose_ssl")),
    "namespace": frozenset(("location",)),
    "passdb": frozenset(("args",)),
    "userdb": frozenset(("args",)),
}
ONLY_NEW: dict[str, frozenset[str]] = {
    "": frozenset(
        (
            "dovecot_config_version",
            "dovecot_storage_version",
            "mail_driver",
            "mail_path",
            "mail_inbox_path",
            "mail_index_path",
            *(new for new, _ in RENAMED.values()),
        )
    ),
    "namespace": frozenset(("mail_driver", "mail_path")),
    "passdb": frozenset(("passwd_file_path",)),
    "userdb": frozenset(("passwd_file_path",)),
}
"""Settings that only one family knows, by the section they stand in."""

SECTIONS_ONLY_OLD = frozenset(("plugin",))
SECTIONS_ONLY_NEW = frozenset(
    ("mail_plugins", "protocols", "sieve_script", "sieve_plugins", "sieve_global_extensions", "imapsieve_from", "dict_server")
)

FILE_SETTINGS = frozenset(new for new, values in RENAMED.values() if values is None)
"""Settings of 2.4 whose value is the path of a file that is read at start."""

NAMED_IN_NEW = frozenset(("passdb", "userdb", "namespace", "service", "mailbox"))
"""Sections that 2.4 refuses without a name."""
