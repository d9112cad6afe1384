"""Dovecot's settings mean what the daemon makes of them: includes, merging, overrides, both families."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest

from mailaudit.collect.folder import FolderWorld
from mailaudit.collect.memory import MemoryDirectory, MemoryWorld
from mailaudit.collect.root import RootWorld
from mailaudit.models.dovecot.config import DovecotConfig, read_dovecot
from mailaudit.models.dovecot.vars import expand, in_new_spelling
from mailaudit.models.sources import Known, Missing, NotHere, Slot
from mailaudit.snapshot import Snapshot
from mailaudit.survey import learned

ROOT = Path(__file__).parents[1]
CORPUS = ROOT.parent / "shared" / "corpora" / "dovecot"
needs_corpus = pytest.mark.skipif(not CORPUS.is_dir(), reason="the corpus of real files is not here")
DOVECONF = shutil.which("doveconf")
MAIN = "/etc/dovecot/dovecot.conf"
LOCAL = "/etc/dovecot/local.conf"
VERSIONS = "dovecot_config_version = 2.4.1\ndovecot_storage_version = 2.4.1\n"


def learn(world: RootWorld) -> Slot[DovecotConfig]:
    """The model, once all that it asks for is answered."""
    return learned(Snapshot(world.host, world.target, recorded=world.recorded), world.ask, read_dovecot)


def slot_of(files: dict[str, str]) -> Slot[DovecotConfig]:
    return learn(MemoryWorld(MemoryDirectory.of({path: text.encode() for path, text in files.items()}), "h", "t"))


def config(text: str = "", **more: str) -> DovecotConfig:
    """The model of a dovecot.conf; further files by their name, with `_` for a dot and `__` for a slash."""
    paths = {name.replace("__", "/").replace("_", "."): chars for name, chars in more.items()}
    slot = slot_of({MAIN: text, **{f"/etc/dovecot/{name}": chars for name, chars in paths.items()}})
    assert isinstance(slot, Known)
    return slot.value


def refusals(model: DovecotConfig) -> list[tuple[int, str]]:
    return [(problem.span.line, problem.message) for problem in model.refusals]


# Files


def test_nothing_of_dovecot_is_not_here() -> None:
    assert isinstance(slot_of({"/etc/pf.conf": "pass\n"}), NotHere)


def test_a_recorded_root_without_the_main_file_is_missing_it() -> None:
    record = json.dumps({"format": "mailaudit.snapshot/1", "host": "h", "stat": {MAIN: None}})
    assert isinstance(slot_of({LOCAL: "ssl = required\n", "/answers.json": record}), Missing)


def test_a_repository_of_local_conf_assumes_the_packaged_main_file() -> None:
    slot = slot_of({LOCAL: "ssl = required\n", "/etc/dovecot/conf.d/10-ssl.conf": "ssl = yes\n"})
    assert isinstance(slot, Known)
    assert slot.value.packaged
    assert slot.value.ssl.value == "required"
    assert any("packaged" in text for text in slot.value.assumed)


def test_includes_are_relative_sorted_and_may_stand_in_sections() -> None:
    model = config(
        "!include conf.d/*.conf\nservice auth {\n  !include auth.inc\n}\n!include_try nope.conf\n!include_try local.conf\n",
        **{
            "conf_d__20-b_conf": "ssl = yes\n",
            "conf_d__10-a_conf": "ssl = no\n!include c.ext\n",
            "conf_d__c_ext": "mail_home = /c\n",
        },
        auth_inc="user = root\n",
        local_conf="ssl = required\n",
    )
    assert refusals(model) == []
    assert [tree.text.path.removeprefix("/etc/dovecot/") for tree in model.trees] == [
        "dovecot.conf",
        "conf.d/10-a.conf",
        "conf.d/c.ext",
        "conf.d/20-b.conf",
        "auth.inc",
        "local.conf",
    ]
    assert model.ssl.value == "required"
    assert [setting.value for setting in model.ssl.overridden] == ["yes", "no"]
    service = model.root.named("service", "auth")
    assert service is not None
    assert service.settings["user"].value == "root"


def test_missing_and_looping_includes_are_refused() -> None:
    model = config("!include nope.conf\n!include conf.d/*.conf\n!include a.conf\nssl = no\n", a_conf="!include a.conf\n")
    assert [(p.span.path, p.span.line, p.message) for p in model.refusals] == [
        (MAIN, 1, "no file is there that /etc/dovecot/nope.conf matches"),
        (MAIN, 2, "no file is there that /etc/dovecot/conf.d/*.conf matches"),
        ("/etc/dovecot/a.conf", 1, "/etc/dovecot/a.conf includes itself"),
    ]
    assert model.ssl.value == "no"


def test_a_file_of_the_same_pattern_may_not_be_included_before_its_turn() -> None:
    files = {"a1_conf": "!include a2.conf\n", "a2_conf": "mail_home = /x\n"}
    model = config("!include a*.conf\n", **files)
    assert [(p.span.path, p.span.line) for p in model.refusals] == [("/etc/dovecot/a1.conf", 1)]
    assert model.setting("mail_home").value == "/x"


def test_includes_that_multiply_are_bounded() -> None:
    files = {f"f{n}_conf": f"!include f{n + 1}.conf\n" * 2 for n in range(20)}
    model = config("!include f0.conf\n", **files, f20_conf="ssl = no\n")
    assert model.not_read


def test_braces_in_an_include() -> None:
    model = config("!include {b,a}.conf\n", a_conf="mail_home = /a\n", b_conf="mail_home = /b\n")
    assert model.setting("mail_home").value == "/a"


@pytest.mark.parametrize(
    "text",
    [
        "ssl = yes\n" * 9_000,
        "".join(f"service s{n} {{\n  user = x\n}}\nssl = yes\n" for n in range(2_000)),
        "passdb {\n  driver = pam\n}\n" * 2_000,
        "mail_plugins {\n  a = yes\n}\nmail_plugins = b\n" * 2_000,
        "a/b/c/d/e = f\n" * 2_000,
    ],
    ids=["settings", "sections", "databases", "lists", "slashes"],
)
@pytest.mark.parametrize("versions", ["", "dovecot_config_version = 2.4.1\ndovecot_storage_version = 2.4.1\n"])
def test_long_files_are_prompt(text: str, versions: str) -> None:
    assert config(versions + text).listeners is not None


@pytest.mark.parametrize(
    "text",
    [
        "mail_home = x\n" + "mail_home = $mail_home $mail_home\n" * 40,
        "mail_home = " + "x" * 60_000 + "\nlog_path = " + "$mail_home " * 20_000 + "\n",
        VERSIONS + "mail_home = x\n" + "mail_home = $SET:mail_home $SET:mail_home\n" * 40,
        VERSIONS + "mail_home = " + "x" * 60_000 + "\nlog_path = " + "$SET:mail_home " * 20_000 + "\n",
    ],
    ids=["doubling", "wide", "doubling in 2.4", "wide in 2.4"],
)
def test_variables_that_multiply_are_bounded(text: str) -> None:
    model = config(text)
    assert model.not_read
    assert refusals(model) == []
    assert max(len(setting.value) for setting in model.root.settings.values()) < 100_000


def test_variables_that_are_no_variables_are_prompt() -> None:
    for value in (
        "%{" * 100_000,
        "%{" + "a|" * 100_000,
        "%{a" + " " * 100_000 + "!",
        "%{a(a=a,a=a,a=a " * 20_000,
        "%{" + "{ " * 100_000,
    ):
        assert [line for line, _ in refusals(config(VERSIONS + f"mail_home = {value}\n"))] == [3]


# Values


def test_protocol_overrides_and_defaults() -> None:
    model = config("ssl = yes\nprotocol imap {\n  ssl = required\n}\nprotocol !pop3 {\n  mail_home = /x\n}\n")
    assert model.setting("ssl", "imap").value == "required"
    assert model.setting("ssl", "lmtp").value == "yes"
    assert model.setting("mail_home", "imap").value == "/x"
    assert model.setting("mail_home", "pop3").value == ""
    assert model.setting("first_valid_uid").is_default
    assert [setting.value for setting in model.everywhere("ssl")] == ["yes", "required"]


def test_variables_of_2_3_expand_at_the_start_of_words() -> None:
    model = config(
        "mail_plugins = acl\nmail_home = a $mail_plugins\nmail_plugins = $mail_plugins quota\n"
        'protocol imap {\n  mail_plugins = $mail_plugins imap_sieve\n}\nprotocol lmtp {\n  mail_plugins = "$mail_plugins"\n}\n'
    )
    assert model.words("mail_plugins") == ("acl", "quota")
    assert model.words("mail_plugins", "imap") == ("acl", "quota", "imap_sieve")
    assert model.words("mail_plugins", "lmtp") == ("$mail_plugins",)
    assert model.setting("mail_home").value == "a acl"


def test_lists_of_2_4() -> None:
    model = config(
        "dovecot_config_version = 2.4.1\ndovecot_storage_version = 2.4.1\nprotocols {\n  imap = yes\n  pop3 = no\n}\n"
        "mail_plugins = acl quota\nprotocol imap {\n  mail_plugins {\n    imap_sieve = yes\n    acl = no\n  }\n}\n"
        "mail_home = $SET:default_internal_user\n"
    )
    assert refusals(model) == []
    assert model.family == "2.4"
    assert model.protocols == {"imap"}
    assert model.words("mail_plugins", "imap") == ("quota", "imap_sieve")
    assert model.setting("mail_home").value == "_dovecot"


def test_a_prefix_section_of_2_4_holds_global_settings() -> None:
    model = config(VERSIONS + "ssl_server {\n  cert_file = /c\n}\nssl_server/key_file = /k\n")
    assert (model.certificate.value, model.key.value) == ("/c", "/k")


def test_a_try_outside_of_etc_is_taken_for_empty_and_said_so() -> None:
    model = config("!include_try /usr/share/dovecot/protocols.d/*.protocol\n")
    assert model.not_read == []
    assert any("protocols.d" in text for text in model.assumed)
    assert config("!include /usr/share/dovecot/x.conf\n").not_read != []


def test_slashes_in_a_key_name_sections() -> None:
    model = config("service/imap-login/inet_listener/imap/port = 0\nplugin/quota = x\n")
    assert [listener.port for listener in model.listeners if listener.service == "imap-login"] == [993]
    assert model.root.of("plugin")[0].settings["quota"].value == "x"


# Families


@pytest.mark.parametrize(
    ("text", "packages", "family"),
    [
        ("ssl = no\n", None, "2.3"),
        ("dovecot_config_version = 2.4.1\ndovecot_storage_version = 2.4.1\n", None, "2.4"),
        ("ssl = no\n", "dovecot-2.4.1p0v0\n", "2.4"),
        ("ssl = no\n", "dovecot-pigeonhole-2.4.1\ndovecot-2.3.21.1\n", "2.3"),
        ("ssl_server_cert_file = /x\n", None, "2.4"),
    ],
)
def test_the_family(text: str, packages: str | None, family: str) -> None:
    files = {MAIN: text}
    if packages:
        commands = {"pkg_info": {"status": 0, "stdout": packages}}
        files["/answers.json"] = json.dumps({"format": "mailaudit.snapshot/1", "host": "h", "commands": commands})
    slot = slot_of(files)
    assert isinstance(slot, Known)
    assert slot.value.family == family


# Refusals by meaning


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("ssl = on\n", 1, 'expected "yes", "no" or "required" for ssl, found "on"'),
        ("auth_verbose = true\n", 1, 'expected "yes" or "no" for auth_verbose, found "true"'),
        ("auth_verbose =\n", 1, 'expected "yes" or "no" for auth_verbose, found ""'),
        ("first_valid_uid = vmail\n", 1, 'expected a number for first_valid_uid, found "vmail"'),
        (
            "service imap-login {\n  inet_listener x {\n    port = 70000\n  }\n}\n",
            3,
            "expected a port from 0 to 65535, found 70000",
        ),
        ("namespace x {\n  inbox = true\n}\n", 2, 'expected "yes" or "no" for inbox, found "true"'),
        ("protocols = imap,sieve\n", 1, 'protocols names "imap,sieve", which Dovecot does not know'),
        ("listen =\n", 1, "listen must name at least one address"),
        ("passdb {\n  args = x\n}\n", 1, "this passdb has no driver"),
        ("passdb a {\n  driver = pam\n}\npassdb a {\n}\n", 4, "a second passdb of the name a"),
        ("service {\n}\n", 1, "a service has a name"),
        ("plugin {\n  x {\n  }\n}\n", 2, 'no section may stand in the section "plugin"'),
        ("protocol imap {\n  protocol pop3 {\n  }\n}\n", 2, '"protocol" may not stand in "protocol"'),
        ("protocol imap {\n  local 10.0.0.1 {\n  }\n}\n", 2, '"local" may not stand in "protocol"; write it the other way round'),
        ("mail_home = $log_path.x\n", 1, "no setting has the name that $log_path.x stands for"),
        ("mail_home = <<E\nE\n", 2, "Dovecot 2.3 knows no quoted names and no here-documents"),
        (
            "ssl_server_cert_file = /x\nssl_cert = <y\nssl_key = <z\n",
            1,
            'Dovecot 2.3 knows no setting "ssl_server_cert_file"; in 2.3 it is "ssl_cert"',
        ),
        ("mail_plugins {\n  x = yes\n}\n", 2, 'Dovecot 2.3 knows no setting "x" in the section "mail_plugins"'),
        ("ss_cert = </x\n", 1, 'Dovecot 2.3 knows no setting "ss_cert"; did you mean "ssl_cert"?'),
        ("mail_nonsense = 1\n", 1, 'Dovecot 2.3 knows no setting "mail_nonsense"'),
        (
            "service auth {\n  usr = x\n}\n",
            2,
            'Dovecot 2.3 knows no setting "usr" in the section "service"; did you mean "user"?',
        ),
        ("auth_cache_size = 10Q\n", 1, 'expected a size, as 10 M, for auth_cache_size, found "10Q"'),
        ("auth_cache_ttl = 60\n", 1, 'expected a time with its unit, as 30 secs, for auth_cache_ttl, found "60"'),
        (
            "service x {\n  unix_listener y {\n    mode = 08\n  }\n}\n",
            3,
            'expected an octal number, as 0600, for mode, found "08"',
        ),
        ("service {\n  user = x\n}\n", 1, "a service has a name"),
        ("service x {\n  user {\n  }\n}\n", 2, '"user" is a setting, no section: user = ...'),
        ("ssl_protocols = !SSLv2\n", 1, "ssl_protocols names SSLv2, which it does not know; it has no effect"),
        ("imap_client_workarounds = foo\n", 1, 'imap_client_workarounds does not know "foo"'),
        ("mail_home = a $nope\n", 1, "no setting has the name that $nope stands for"),
    ],
)
def test_what_2_3_refuses(text: str, line: int, message: str) -> None:
    assert (line, message) in refusals(config(text))


@pytest.mark.parametrize(
    ("text", "line", "message", "mend"),
    [
        (
            "ssl_cert = </x\n",
            3,
            'Dovecot 2.4 knows no setting "ssl_cert"; it is "ssl_server_cert_file" there',
            "ssl_server_cert_file = /x",
        ),
        (
            "disable_plaintext_auth = yes\n",
            3,
            'Dovecot 2.4 knows no setting "disable_plaintext_auth"; it is "auth_allow_cleartext" there',
            "auth_allow_cleartext = no",
        ),
        (
            "mail_location = maildir:/x\n",
            3,
            'Dovecot 2.4 knows no setting "mail_location"; in 2.4 it is mail_driver and mail_path',
            None,
        ),
        ("passdb {\n}\n", 3, 'the section "passdb" has no name, which Dovecot 2.4 asks for', None),
        ("plugin {\n}\n", 3, 'Dovecot 2.4 knows no section "plugin"; in 2.4 it is no section: its settings stand outside', None),
        (
            "passdb x {\n  args = y\n}\n",
            4,
            'Dovecot 2.4 knows no setting "args" in the section "passdb"; in 2.4 it is passwd_file_path and its like',
            None,
        ),
        ("auth_verbos = yes\n", 3, 'Dovecot 2.4 knows no setting "auth_verbos"; did you mean "auth_verbose"?', "auth_verbose"),
        ("metric x {\n}\n", 4, 'the section "metric" must have filter, and has none', None),
        ("@g = x\n", 3, "no group @g x is defined", None),
        ("mail_home = %{user | default)}\n", 3, "this is no well-formed variable: %{user | default)}", None),
        ("mail_home = $SET:mail_plugins\n", 3, "there is no text that $SET:mail_plugins stands for", None),
        ('mail_plugins = a"b"\n', 3, "a quote stands in the middle of a word of the list", None),
        ("ssl_server x {\n}\n", 3, 'the section "ssl_server" has no name in Dovecot 2.4', None),
        ("ssl_server = x\n", 3, '"ssl_server" is a section: ssl_server {', None),
        ("passdb = x\n", 3, '"passdb" is a section with a name: passdb x {', None),
        ("import_environment = x\n", 3, '"import_environment" is a list of settings: import_environment {', None),
        (
            "passdb x {\n  protocol imap {\n  }\n}\n",
            4,
            '"protocol" may not stand in "passdb"; write it the other way round',
            None,
        ),
        (
            r'mail_home = "a\nb"' + "\n",
            3,
            "in quotes, Dovecot 2.4 takes a backslash only before a quote or another backslash",
            None,
        ),
    ],
)
def test_what_2_4_refuses(text: str, line: int, message: str, mend: str | None) -> None:
    assert (line, message, mend) in [(p.span.line, p.message, p.mend) for p in config(VERSIONS + text).refusals]


def test_2_4_asks_for_its_versions() -> None:
    assert refusals(config("ssl = no\ndovecot_config_version = 2.4.1\n")) == [
        (1, "Dovecot 2.4 asks for dovecot_config_version as the first setting"),
        (2, "Dovecot 2.4 asks for dovecot_storage_version as well"),
    ]


def test_a_refused_value_is_read_as_it_was_meant_or_left_out() -> None:
    assert config("ssl = required\nssl = on\n").ssl.value == "yes"
    assert config("ssl = required\nssl = maybe\n").ssl.value == "required"
    assert config(VERSIONS + "ssl_cert = </x\n").certificate.value == "/x"


def test_a_file_that_is_read_at_start_and_not_there() -> None:
    record = json.dumps(
        {"format": "mailaudit.snapshot/1", "host": "h", "stat": {"/etc/ssl/x.pem": None, "/etc/ssl/y.pem": {"type": "file"}}}
    )
    slot = slot_of({MAIN: "ssl_cert = </etc/ssl/x.pem\nssl_cert = </etc/ssl/y.pem\n", "/answers.json": record})
    assert isinstance(slot, Known)
    assert refusals(slot.value) == [(1, "/etc/ssl/x.pem is not there, and Dovecot reads it at start")]


# Databases, listeners, mail


def test_databases_of_2_3() -> None:
    model = config(
        "passdb {\n  driver = pam\n}\npassdb {\n  args = scheme=BLF-CRYPT username_format=%n /etc/mail/credentials\n"
        "  driver = passwd-file\n}\nuserdb {\n  driver = passwd-file\n  args = /x y\n}\n"
    )
    pam, file = model.passdbs
    assert (pam.driver, pam.path) == ("pam", None)
    assert file.path is not None
    assert (file.path.value, file.path.span.chars) == ("/etc/mail/credentials", "/etc/mail/credentials")
    assert (file.scheme, file.username_format) == ("BLF-CRYPT", "%n")
    assert model.key_in(file, "Anna@Example.org") == "anna"
    (users,) = model.userdbs
    assert users.path is not None
    assert (users.path.value, users.scheme, users.username_format) == ("/x y", "CRYPT", "%u")
    assert model.key_in(users, "Anna@Example.org") == "anna@example.org"


def test_databases_of_2_4() -> None:
    model = config(
        VERSIONS
        + "passdb passwd-file {\n  passwd_file_path = /c\n  default_password_scheme = plain\n}\n"
        + "userdb x {\n  driver = passwd-file\n  passwd_file_path = /d\n  auth_username_format = %{user | username}\n}\n"
    )
    (passwords,), (users,) = model.passdbs, model.userdbs
    assert passwords.path is not None
    assert users.path is not None
    assert (passwords.driver, passwords.path.value, passwords.scheme) == ("passwd-file", "/c", "plain")
    assert (users.driver, users.path.value, model.key_in(users, "A@b")) == ("passwd-file", "/d", "a")


def test_listeners_follow_protocols() -> None:
    model = config("protocols = imap sieve\nservice imap-login {\n  inet_listener imap {\n    port = 0\n  }\n}\nlisten = *\n")
    assert [(e.service, e.name, e.port, e.ssl, sorted(e.families)) for e in model.listeners] == [
        ("imap-login", "imaps", 993, True, ["inet"]),
        ("managesieve-login", "sieve", 4190, False, ["inet"]),
    ]


def test_listeners_that_are_added_or_local() -> None:
    model = config(
        "protocols = lmtp\n"
        "service lmtp {\n  inet_listener {\n    address = 127.0.0.1 ::1\n    port = 24\n  }\n}\n"
        "service pop3-login {\n  inet_listener x {\n    port = 1110\n  }\n}\n"
        "service stats {\n  inet_listener http {\n    port = 9900\n  }\n}\n"
    )
    assert [(e.service, e.port, e.is_public) for e in model.listeners] == [("lmtp", 24, False), ("stats", 9900, True)]


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("mail_location = maildir:/var/vmail/%d/%n\n", "/var/vmail/example.org/anna"),
        ("mail_location = maildir:/var/vmail/%Ld/%Ln:LAYOUT=fs\n", "/var/vmail/example.org/anna"),
        ("mail_location = maildir:/var/vmail/%{domain}/%{username}\n", "/var/vmail/example.org/anna"),
        ("mail_location = maildir:~/Maildir\n", None),
        ("mail_location = maildir:~/Maildir\nmail_home = /home/%u\n", "/home/anna@example.org/Maildir"),
        ("mail_location = maildir:/x/%2.1n\n", "/x/n"),
        ("mail_location = maildir:/x/%2.256Nu\n", None),
        ("mail_location = maildir:/y\nnamespace inbox {\n  inbox = yes\n  location = maildir:/x/%u\n}\n", "/x/anna@example.org"),
        ("mail_location = maildir:/y\nprotocol imap {\n  mail_location = maildir:/x/%u\n}\n", "/x/anna@example.org"),
        ("", None),
        (VERSIONS + "mail_driver = maildir\nmail_path = /x/%{user | domain}/%{user|username|upper}\n", "/x/example.org/ANNA"),
        (VERSIONS + "mail_driver = maildir\nmail_path = /x/%d/%n\n", "/x/%d/%n"),
        (VERSIONS + "mail_path = ~/m\nmail_home = /x/%{user}\n", "/x/anna@example.org/m"),
    ],
)
def test_the_path_of_the_mail(text: str, path: str | None) -> None:
    assert config(text).mail_path("Anna@Example.org") == path


def test_variables() -> None:
    assert expand("%%/%Un", "2.3", "a@b") == "%/A"
    assert expand("%q", "2.3", "a@b") is None
    assert expand("%u %{env:X}", "2.4", "a@b") is None
    assert in_new_spelling("/x/%d/%Ln") == "/x/%{user | domain}/%{user | username | lower}"
    assert in_new_spelling("%q") is None


def test_secrets_are_named() -> None:
    model = config(
        "ssl_key_password = hush\ndoveadm_password = hush2\npassdb {\n  driver = static\n  args = nologin=y password=hush3\n}\n"
    )
    assert {value for _, value in model.secrets} == {"hush", "hush2", "hush3"}


# Examples and the corpus


@pytest.mark.parametrize("name", ["as-published", "corrected"])
def test_the_examples_are_read(name: str) -> None:
    slot = learn(FolderWorld(ROOT / "examples" / name))
    assert isinstance(slot, Known)
    model = slot.value
    assert refusals(model) == []
    assert model.not_read == []
    assert model.mail_path("anna@example.com") == "/var/vmail/example.com/anna"
    assert {(e.port, e.ssl) for e in model.listeners} >= {(993, True), (4190, False)}
    assert 143 not in {e.port for e in model.listeners}
    assert model.ssl.value == "required"


ABSOLUTE = re.compile(rb"^\s*!include\w*\s+/", re.MULTILINE)  # such a line took in files of the host that doveconf ran on
# What these rules need of a model can be told by doveconf -n of the same file.
COMPARED = (
    "ssl",
    "mail_location",
    "protocols",
    "listen",
    "first_valid_uid",
    "first_valid_gid",
    "mail_home",
    "mail_driver",
    "mail_path",
)


@needs_corpus
def test_effective_settings_are_those_of_doveconf() -> None:
    compared = 0
    for line in (CORPUS / "verdicts.jsonl").read_text().splitlines():
        verdict = json.loads(line)
        name = verdict["file"].removeprefix("dovecot/")
        dump = CORPUS / "doveconf_n" / f"{name.replace('/', '__')}.{verdict['ver']}.txt"
        if not verdict["ok"] or not dump.is_file() or ABSOLUTE.search((CORPUS / name).read_bytes()):
            continue
        model = config((CORPUS / name).read_text("utf-8", "surrogateescape"))
        said = dict(re.findall(r"^([a-z_]+) = (.*)$", dump.read_text("utf-8", "surrogateescape"), re.MULTILINE))
        for key in COMPARED:
            found = model.setting(key)
            if found.token is None or "$" in found.token.value or key not in said:
                continue
            assert found.value.strip() == said[key].strip().removeprefix('"').removesuffix('"').strip(), (name, key)
            compared += 1
    assert compared > 250


# Errors of doveconf that the model knows; the others need the names of all settings, or the host.
KNOWN = re.compile(
    r"Expecting '\{'|Garbage after|Unexpected '\}'|Missing|Invalid boolean|No matches|not allowed|missing section name|Recursive"
)


@needs_corpus
@pytest.mark.parametrize("family", ["23", "24"])
def test_agrees_with_doveconf_on_the_vectors(family: str) -> None:
    for line in (CORPUS / "vectors.jsonl").read_text().splitlines():
        vector = json.loads(line)
        model = config((VERSIONS if family == "24" else "") + vector["text"])
        grammar_ok = model.refusals == ()
        told = " ".join(vector[f"err{family}"])
        if vector[f"ok{family}"]:
            assert grammar_ok, (vector["name"], model.refusals)
        elif KNOWN.search(told):
            assert not grammar_ok, (vector["name"], told)


@needs_corpus
def test_agrees_with_doveconf_on_real_files() -> None:
    """No file that doveconf takes is refused; those of the errors that can be known are."""
    wrong: list[tuple[str, object]] = []
    for line in (CORPUS / "verdicts.jsonl").read_text().splitlines():
        verdict = json.loads(line)
        text = (CORPUS.parent / verdict["file"]).read_text("utf-8", "surrogateescape")
        lacks_version = verdict["ver"] == "2.4" and "dovecot_config_version" not in text
        model = config((VERSIONS if lacks_version else "") + text)
        messages = [p.message for p in model.refusals if "is not there" not in p.message]
        said = " ".join(verdict["errors"])
        if verdict["ok"] and messages and model.family == verdict["ver"]:
            wrong.append((verdict["file"], messages))
        if KNOWN.search(said) and not verdict["ok"] and not (model.refusals or model.unknown):
            wrong.append((verdict["file"], said))
    assert not wrong, str(wrong)[:3000]
