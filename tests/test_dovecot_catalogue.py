"""The catalogue of Dovecot's settings is sound, and its own daemons know all that is in it."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
from daemons import Root, need, roots

from mailaudit.models.dovecot.catalogue import SECTIONS, Definition, catalogue
from mailaudit.models.dovecot.settings import NEW, OLD, RENAMED, SUCCESSORS
from mailaudit.models.dovecot.values import comes_to, expected, list_words

KINDS = {"bool", "uint", "uintmax", "octal", "size", "time", "msecs", "port", "enum", "str", "file", "obsolete", *SECTIONS}
OF_PLUGINS = ("mysql", "pgsql", "sqlite", "ldap", "cassandra", "fts_solr", "fts_flatcurve", "passdb_ldap", "userdb_ldap")


def of(kind: str, *members: str) -> Definition:
    return Definition("x", kind, "", members)


@pytest.mark.parametrize("family", [OLD, NEW])
def test_every_definition_is_sound(family: str) -> None:
    known = catalogue(family)
    for where, names in known.inside.items():
        for name, each in names.items():
            assert each.name == name
            assert each.kind in KINDS, (where, name)
            assert (each.kind == "enum") == bool(each.members)
            if each.default and each.kind not in SECTIONS and "$" not in each.default:
                assert comes_to(each, each.default, is_new=family == NEW) is not None, (where, name, each.default)
            assert not each.alias or known.get(each.alias, where)
    assert len(known.inside[()]) > 350


def test_what_is_renamed_was_there_and_is_there() -> None:
    old, new = catalogue(OLD), catalogue(NEW)
    for before, (after, values) in RENAMED.items():
        assert old.get(before)
        assert new.get(before) is None
        definition = new.get(after)
        assert definition
        assert all(comes_to(definition, value, is_new=True) is not None for value in (values or {}).values())
    inside = {name for names in old.inside.values() for name in names} | {"quota_rule", "default_password_scheme", "sieve"}
    assert set(SUCCESSORS) <= inside


@pytest.mark.parametrize(
    ("family", "name", "default"),
    [
        (OLD, "ssl_min_protocol", "TLSv1.2"),
        (OLD, "auth_username_format", "%Lu"),
        (OLD, "protocols", "imap pop3 lmtp"),
        (OLD, "nonsense", ""),
        (NEW, "auth_mechanisms", "plain"),
        (NEW, "protocols", ""),
        (NEW, "auth_allow_cleartext", "no"),
        (NEW, "ssl_server_prefer_ciphers", "client"),
    ],
)
def test_what_holds_where_nothing_is_written(family: str, name: str, default: str) -> None:
    assert catalogue(family).default(name) == default


@pytest.mark.parametrize("family", [OLD, NEW])
def test_listeners_that_are_there_by_themselves(family: str) -> None:
    preset = catalogue(family).preset
    assert preset["service imap-login", "inet_listener imaps"]["port"] == "993"
    assert preset["service lmtp", "unix_listener lmtp"]["mode"] == "0666"
    assert ("service imap-login", "inet_listener imap") in set(catalogue(family).presets_below("service imap-login"))


@pytest.mark.parametrize(
    ("definition", "value", "meant"),
    [
        (of("bool"), "YES", True),
        (of("bool"), "1", True),
        (of("bool"), "n", None),
        (of("uint"), "007", 7),
        (of("uint"), "4294967296", None),
        (of("uint"), "-1", None),
        (of("uint"), "9" * 5000, None),
        (of("uint"), "0" * 5000 + "1", 1),
        (of("octal"), "0600", 0o600),
        (of("octal"), "384", 384),
        (of("octal"), "08", None),
        (of("port"), "65535", 65535),
        (of("port"), "65536", None),
        (of("size"), "10 M", 10 * 2**20),
        (of("size"), "10MiB", 10 * 2**20),
        (of("size"), "10BB", None),
        (of("size"), "16777216T", None),
        (of("time"), "60", None),
        (of("time"), "0", 0),
        (of("time"), "1 hours", 3_600_000),
        (of("time"), "2000 msecs", 2000),
        (of("time"), "1 msecs", None),
        (of("msecs"), "1 msecs", 1),
        (of("time"), "5 m", 300_000),
        (of("time"), "5 x", None),
        (of("enum", "a", "b"), "b", "b"),
        (of("enum", "a", "b"), "B", None),
    ],
)
def test_values(definition: Definition, value: str, meant: object) -> None:
    assert comes_to(definition, value, is_new=False) == meant


def test_what_2_4_takes_besides() -> None:
    assert comes_to(of("time"), "infinite", is_new=True) == "unlimited"
    assert comes_to(of("uintmax"), "unlimited", is_new=True) is None
    assert comes_to(of("size"), "unlimited", is_new=False) is None
    assert list_words('a, "b c"  d,,e') == ["a", "b c", "d", "e"]


def test_what_was_meant() -> None:
    assert expected(of("bool"), "on") == ('"yes" or "no"', "yes")
    assert expected(of("enum", "no", "yes", "required"), "REQUIRED")[1] == "required"
    assert expected(of("time"), "60")[1] == "60 secs"
    assert expected(of("msecs"), "60")[1] is None


def every_setting(family: str) -> str:
    """A file that sets every global setting to what it is anyway."""
    lines = ["dovecot_config_version = 2.4.1", "dovecot_storage_version = 2.4.1"] if family == NEW else []
    for name, each in catalogue(family).inside[()].items():
        is_left_out = each.kind == "obsolete" or each.is_later or each.is_gone or name.startswith(("dovecot_", *OF_PLUGINS))
        is_own = each.is_section or is_left_out
        if not is_own and not each.alias and (each.default or each.kind == "str"):
            quoted = each.default.replace("\\", "\\\\").replace('"', '\\"')
            lines.append(f'{name} = "{quoted}"')
    return "\n".join(lines) + "\n"


@pytest.mark.daemon
@pytest.mark.parametrize("root", roots(), ids=lambda root: root.name)
def test_the_daemon_knows_every_name_and_takes_every_default(root: Root, tmp_path: Path) -> None:
    need(root, "doveconf")
    family = ".".join(root.run("dovecot", "--version").stdout.split(".")[:2])
    room = root.room(tmp_path)
    (room / "dovecot.conf").write_text(every_setting(family))
    done = root.run("doveconf", "-n", "-c", f"{root.inside(room)}/dovecot.conf")
    if root.path is not None:
        shutil.rmtree(room)
    assert not re.search(r"conf line \d+: ", done.stderr), done.stderr  # what it says of no line is of the values together
