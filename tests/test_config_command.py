"""`mailaudit config show`: what is in force for each host, and where it comes from."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from mailaudit.cli import run
from mailaudit.settings import SITE, parse_settings

ROOT = Path(__file__).parents[1]
SCHEMA = json.loads((ROOT / "mailaudit/reports/schema/config.schema.json").read_text())
FAR = """[site]
blocklists = ["zen.example.net"]
[rules]
profile = "strict"
ignore = ["PF050"]
[rules.severity]
PF052 = "info"
[policy.smtpd]
domains = { subset = ["example.com"] }
[[waiver]]
rule = "DNS011"
reason = "until the move"
expires = 2027-03-31
host = "h*"
[[waiver]]
rule = "DNS012"
reason = "another's"
host = "other"
"""
NEAR = '[site]\nmail_host = "mail.example.com"\n[rules]\nignore = ["PF048"]\n'


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    etc = tmp_path / "hosts/mx1/etc"
    (etc / "mail").mkdir(parents=True)
    (etc / "myname").write_text("h7.example.com\n")
    (etc / "mail/smtpd.conf").write_text(
        'listen on all\naction "a" maildir\nmatch from any for domain "example.com" action "a"\n'
    )
    (tmp_path / "mailaudit.toml").write_text(FAR)
    (tmp_path / "hosts/mx1/mailaudit.toml").write_text(NEAR)
    return tmp_path


def shown(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, tuple[Any, str]]:
    assert run(["config", "show", *arguments, "--format", "json"]) == 0
    told = json.loads(capsys.readouterr().out)
    jsonschema.validate(told, SCHEMA)
    (host,) = told["hosts"]
    found: dict[str, tuple[Any, str]] = {}
    for each in host["values"]:
        name = ".".join(each["key"])
        value = each["value"][0] if name == "rules.ignore" and each["value"] else each["value"]
        name = f"{name} {value}" if name == "rules.ignore" else name
        found[name] = value, f"{each['origin']['kind']} {each['origin']['told']}".strip()
    return found


@pytest.mark.usefixtures("repository")
def test_every_value_has_its_origin(capsys: pytest.CaptureFixture[str]) -> None:
    found = shown(capsys, ".", "--ignore", "DNS013")
    assert found["site.domains"] == (["example.com"], "inferred domains that /etc/mail/smtpd.conf takes mail for")
    assert found["site.host_name"] == ("h7.example.com", "inferred /etc/myname")
    assert found["site.mail_host"] == ("mail.example.com", "file hosts/mx1/mailaudit.toml:2")
    assert found["site.ipv4"] == (None, "inferred nothing tells it")
    assert found["site.selectors"] == ({"example.com": "selector0"}, "default")
    assert found["site.managesieve"] == ("public", "default")
    assert found["site.backup_days"] == (None, "default")
    assert found["site.blocklists"] == (["zen.example.net"], "file mailaudit.toml:2")
    assert found["rules.profile"] == ("strict", "file mailaudit.toml:4")
    assert found["rules.ignore PF050"][1] == "file mailaudit.toml:5"
    assert found["rules.ignore PF048"][1] == "file hosts/mx1/mailaudit.toml:4"
    assert found["rules.ignore DNS013"][1] == "command-line --ignore"
    assert found["rules.severity.PF052"] == ("info", "file mailaudit.toml:7")
    assert found["policy.smtpd.domains"] == ({"subset": ["example.com"]}, "file mailaudit.toml:9")
    waiver = {"rule": "DNS011", "reason": "until the move", "expires": "2027-03-31", "host": "h*"}
    assert found["waiver"] == (waiver, "file mailaudit.toml:10")  # that of another host is not in force here
    assert {name.partition(".")[2] for name in found if name.startswith("site.")} == set(SITE)


@pytest.mark.usefixtures("repository")
def test_the_command_line_wins(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    found = shown(capsys, "hosts", "--domain", "example.org", "--profile", "guide")
    assert found["site.domains"] == (["example.org"], "command-line --domain")
    assert found["rules.profile"] == ("guide", "command-line --profile")
    assert found["site.blocklists"] == ([], "default")  # what lies above the target does not count
    (tmp_path / "ci.toml").write_text("[site]\nbackup_days = 3\n")
    found = shown(capsys, ".", "--config", "ci.toml")
    assert found["site.backup_days"] == (3, "file ci.toml:2")
    assert found["rules.profile"] == ("recommended", "default")


@pytest.mark.usefixtures("repository")
def test_what_people_see_is_toml_that_says_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["config", "show"]) == 0
    told = capsys.readouterr().out
    assert told.startswith("# h7.example.com (hosts/mx1)\n# settings: mailaudit.toml, hosts/mx1/mailaudit.toml\n")
    assert "# inferred: /etc/myname\n" in told
    assert tomllib.loads(told)["rules"]["ignore"] == ["PF050", "PF048"]
    settings = parse_settings(told.encode())
    assert (settings.profile, settings.site.mail_host, len(settings.waivers)) == ("strict", "mail.example.com", 1)


def test_of_a_live_host_nothing_is_asked(repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = shown(capsys, "mx1.example.com")
    assert found["site.domains"] == (None, "unknown")
    assert found["site.blocklists"] == (["zen.example.net"], "file mailaudit.toml:2")
    (repository / "empty").mkdir()
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(repository / "empty")
        assert shown(capsys)["rules.profile"] == ("recommended", "default")
        assert run(["config", "show", "."]) == 3


def test_mistakes_and_odd_names(repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (repository / "hosts/mx1/mailaudit.toml").write_text('[rules]\nignore = ["NONE1"]\n')
    assert run(["config", "show", "."]) == 2
    assert "hosts/mx1/mailaudit.toml:2: no rule is called 'NONE1'" in capsys.readouterr().err
    assert run(["config", "show", "./nowhere"]) == 2
    assert run(["config", "show", "a b"]) == 2
    assert run(["config"]) == 2
    (repository / "hosts/mx1/mailaudit.toml").unlink()
    (repository / "hosts/mx1").rename(repository / "hosts/\x1b[31m\n# x")
    (repository / "hosts/\x1b[31m\n# x/etc/myname").write_bytes(b"\xff\xfe\n")
    smtpd = repository / "hosts/\x1b[31m\n# x/etc/mail/smtpd.conf"
    smtpd.write_bytes(smtpd.read_bytes().replace(b"example.com", b"a.\xff\x1b[1mb"))
    capsys.readouterr()
    for form in ("terminal", "json"):
        assert run(["config", "show", ".", "--format", form]) == 0
        told = capsys.readouterr().out
        assert "\x1b" not in told
        assert told.encode()
