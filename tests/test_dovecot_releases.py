"""What the releases of Dovecot 2.4 differ in is told by the release that runs, or by the one that the files are written for."""

from __future__ import annotations

import pytest
from hostfiles import sources

from mailaudit.models.dovecot.catalogue import catalogue
from mailaudit.models.dovecot.config import DovecotConfig, read_dovecot
from mailaudit.models.dovecot.parts import database
from mailaudit.models.dovecot.settings import NEW
from mailaudit.models.sources import Known
from mailaudit.questions import Command

USERS = "passdb passwd-file {\n  passwd_file_path = /etc/mail/credentials\n}\n"


def config(text: str, written: str = "2.4.1", installed: str = "") -> DovecotConfig:
    """The model of settings for a release, on a host that says of itself what runs there."""
    head = f"dovecot_config_version = {written}\ndovecot_storage_version = 2.4.0\n"
    said = {Command.DOVECOT_VERSION: (0, f"{installed}\n")} if installed else {}
    slot = read_dovecot(sources({"/etc/dovecot/dovecot.conf": head + text}, said))
    assert isinstance(slot, Known)
    return slot.value


def refused(text: str, written: str = "2.4.1", installed: str = "") -> list[tuple[int, str]]:
    return [(each.span.line, each.message) for each in config(text, written, installed).refusals]


@pytest.mark.parametrize(
    ("name", "written", "value"),
    [
        ("passdb_default_password_scheme", "2.4.0", "PLAIN"),
        ("passdb_default_password_scheme", "2.4.2", "PLAIN"),
        ("passdb_default_password_scheme", "2.4.3", "CRYPT"),
        ("passdb_default_password_scheme", "2.4.10", "CRYPT"),
        ("lmtp_user_concurrency_limit", "2.4.0", "0"),
        ("lmtp_user_concurrency_limit", "2.4.1", "10"),
        ("mailbox_directory_name_legacy", "2.4.1", "yes"),
        ("mailbox_directory_name_legacy", "2.4.2", "no"),
    ],
)
def test_a_default_is_that_of_the_version_that_the_files_are_written_for(name: str, written: str, value: str) -> None:
    assert config("", written).setting(name).value == value
    assert catalogue(NEW).default(name, written) == value


@pytest.mark.parametrize(("written", "scheme"), [("2.4.1", "PLAIN"), ("2.4.3", "CRYPT")])
def test_a_password_without_a_scheme_is_what_the_version_says(written: str, scheme: str) -> None:
    root = config(USERS, written).root
    assert [database(each, root, NEW).scheme for each in root.of("passdb")] == [scheme]


LATER = "ssl_peer_certificate_fingerprint_hash = SHA256\n"
GONE = "acl_global_path = /etc/dovecot/acls\n"


@pytest.mark.parametrize("installed", ["", "2.4.2 (1234567890)", "2.4.5 (0cbb641e3e)", "2.4.1-4 (7d8c0e5759)"])
def test_names_that_came_later_are_known(installed: str) -> None:
    """Debian's 2.4.1-4 has some of them; between 2.4.1 and 2.4.5 it is not known when each came."""
    assert refused(LATER + "ssl_server_request_client_cert = any-cert\n", installed=installed) == []


def test_names_are_told_from_the_release_that_runs() -> None:
    message = 'Dovecot 2.4.1 is installed, and knows no setting "ssl_peer_certificate_fingerprint_hash"; a later one does'
    assert refused(LATER, installed="2.4.1 (7d8c0e5759)") == [(3, message)]
    message = 'Dovecot 2.4.5 knows no setting "acl_global_path" any more'
    assert refused(GONE, installed="2.4.5 (0cbb641e3e)") == refused(GONE, "2.4.5") == [(3, message)]
    assert refused(GONE) == refused(GONE, installed="2.4.1 (7d8c0e5759)") == []


def test_zero_is_no_limit_up_to_2_4_2_and_nothing_later() -> None:
    text = "last_valid_uid = 0\nsieve_quota_script_count = 0\n"
    assert refused(text) == refused(text, installed="2.4.2 (1)") == []
    of_later = [
        (3, 'last_valid_uid must not be 0 from Dovecot 2.4.3 on; "unlimited" is no limit'),
        (4, 'sieve_quota_script_count must not be 0 from Dovecot 2.4.3 on; "unlimited" is no limit'),
    ]
    assert refused(text, "2.4.3") == refused(text, installed="2.4.5 (1)") == of_later


def test_a_file_is_named_by_its_path_in_2_4_5() -> None:
    text = "ssl_server_cert_file = /a\nssl_server_key_file = $SET:ssl_server_cert_file\n"
    assert [each for each in refused(text) if "$SET" in each[1]] == []
    message = "Dovecot 2.4.5 takes a file by its path alone, not by $SET:ssl_server_cert_file"
    assert (4, message) in refused(text, installed="2.4.5 (1)")


def test_files_written_for_a_later_release_are_refused() -> None:
    message = "these files are written for Dovecot 2.4.3, and 2.4.1, which is installed, refuses them"
    assert refused("", "2.4.3", "2.4.1 (7d8c0e5759)") == [(1, message)]
    assert refused("", "2.4.3", "2.4.1-4 (7d8c0e5759)") == []  # Debian's takes what was written for 2.4.4
    assert refused("", "2.4.3", "2.4.3 (1)") == refused("", "2.4.3", "2.4.10 (1)") == []


def test_another_sections_setting_is_not_looked_up() -> None:
    text = "service pop3-login {\n  client_limit = $SET:service/imap-login/service_client_limit\n}\n"
    found = config(text)
    assert found.refusals == ()
    assert [each.span.line for each in found.unknown] == [4]
    message = "no setting has the name that $SET:service/imap-login/service_client_limit stands for"
    assert refused(text, installed="2.4.1 (7d8c0e5759)") == [(4, message)]
