"""What differs between Dovecot 2.3 and 2.4 in what the rules ask about: names, protocols, listeners.

Source: doveconf -d of 2.3.19; the settings structures of 2.4; the upgrade notes from 2.3 to 2.4.
"""

from __future__ import annotations

OLD, NEW = "2.3", "2.4"

# What each family calls the same thing.
CERTIFICATE = {OLD: "ssl_cert", NEW: "ssl_server_cert_file"}
KEY = {OLD: "ssl_key", NEW: "ssl_server_key_file"}

FILTERS = ("local", "local_name", "remote", "protocol")
"""Sections whose settings hold for some connections only, in the order in which one may stand in another."""

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

RENAMED: dict[str, tuple[str, dict[str, str] | None]] = {
    "ssl_cert": ("ssl_server_cert_file", None),
    "ssl_key": ("ssl_server_key_file", None),
    "ssl_dh": ("ssl_server_dh_file", None),
    "ssl_ca": ("ssl_server_ca_file", None),
    "ssl_prefer_server_ciphers": ("ssl_server_prefer_ciphers", {"yes": "server", "no": "client"}),
    "disable_plaintext_auth": ("auth_allow_cleartext", {"yes": "no", "no": "yes"}),
}
"""Settings of 2.3 that 2.4 has under another name, and what becomes of their values; None: a path, its `<` left out."""

SUCCESSORS = {
    "address": "listen",
    "args": "passwd_file_path and its like",
    "auth_worker_max_count": "process_limit of service auth-worker",
    "default_password_scheme": "passdb_default_password_scheme",
    "dict": "dict_server",
    "location": "mail_path",
    "mail_location": "mail_driver and mail_path",
    "plugin": "no section: its settings stand outside",
    "quota_rule": "quota_storage_size",
    "service_count": "restart_request_count",
    "sieve": "sieve_script",
    "ssl_alt_cert": "ssl_server_alt_cert_file",
    "ssl_alt_key": "ssl_server_alt_key_file",
    "ssl_cert_username_field": "ssl_server_cert_username_field",
    "ssl_key_password": "ssl_server_key_password",
    "ssl_protocols": "ssl_min_protocol",
    "ssl_require_crl": "ssl_server_require_crl",
    "ssl_verify_client_cert": "ssl_server_request_client_cert",
    "verbose_ssl": "log_debug = category=ssl",
}
"""What to write in 2.4 instead of settings and sections of 2.3 whose value has changed as well."""

FILE_SETTINGS = frozenset(new for new, values in RENAMED.values() if values is None)
"""Settings of 2.4 whose value is the path of a file that is read at start."""
