"""The two examples agree with the guide, with the reference's templates, and with themselves."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import tomllib
from itertools import takewhile
from pathlib import Path
from typing import Any

import pytest

from mailaudit.models.reference import read_reference
from mailaudit.models.site import Site

ROOT = Path(__file__).parents[1]
GUIDE = Path(__file__).parents[2] / "shared" / "guide.md"
REFERENCE = ROOT / "rules" / "reference"
EXAMPLES = [ROOT / "examples" / name for name in ("as-published", "corrected")]
PUBLISHED, CORRECTED = EXAMPLES
ON_HOST = {"etc", "usr", "var"}

SITE = Site(
    domains=("example.com",),
    mail_host="mail.example.com",
    host_name="host7.example.com",
    ipv4=("203.0.113.9",),
    ipv6=("2001:db8::9",),
    selectors={"example.com": "selector0"},
)
GENERATED = "{{generate:hex16}}"

example = pytest.mark.parametrize("root", EXAMPLES, ids=lambda root: root.name)


def files(root: Path) -> list[Path]:
    """The host's own files below a root, relative to it."""
    found = (path.relative_to(root) for path in root.rglob("*") if path.is_file())
    return sorted(path for path in found if path.parts[0] in ON_HOST)


def answers(root: Path) -> dict[str, Any]:
    loaded = json.loads((root / "answers.json").read_text())
    assert isinstance(loaded, dict)
    return loaded


def render(template: str, dkim_txt: str | None = None) -> str:
    text = read_reference({"/": template}, SITE, dkim_txt).text("/")
    assert text is not None
    return text


# Templates


@pytest.mark.parametrize("path", files(REFERENCE), ids=str)
def test_template_renders_to_the_corrected_file(path: Path) -> None:
    expected = (CORRECTED / path).read_bytes().decode()
    # A generated secret is whatever stands in the example, between the same bytes before and after it.
    before, *after = render((REFERENCE / path).read_bytes().decode()).split(GENERATED)
    if not after:
        assert before == expected
        return
    [end] = after
    assert expected.startswith(before)
    assert expected.endswith(end)
    assert re.fullmatch(r"[^\s\"]{32,}", expected[len(before) : len(expected) - len(end)])


def test_nothing_is_left_to_fill_in() -> None:
    for path in files(REFERENCE):
        assert "{{" not in render((REFERENCE / path).read_text()).replace(GENERATED, "")
    for root in EXAMPLES:
        assert not [path for path in files(root) if "{{" in (root / path).read_text().replace("{{masked:", "")]


def test_queue_key_has_the_length_that_smtpd_takes() -> None:
    def key(root: Path) -> str:
        match = re.search(r'^queue encryption "?(\w+)', (root / "etc/mail/smtpd.conf").read_text(), re.MULTILINE)
        assert match
        return match[1]

    assert len(key(PUBLISHED)) == 31
    assert re.fullmatch(r"[0-9a-f]{32}", key(CORRECTED))


# The zone


def zone_records() -> dict[str, list[str]]:
    """The template's records as answers: question to presentation text, names absolute."""
    dns = answers(CORRECTED)["dns"]
    [dkim] = dns["selector0._domainkey.example.com. TXT"]["records"]
    records: dict[str, list[str]] = {}
    for line in render((REFERENCE / "zone").read_text(), dkim).splitlines():
        if not line or line.startswith((";", "$")):
            continue
        owner, in_, kind, data = line.split("\t")
        assert in_ == "IN"
        owner = "example.com." if owner == "@" else owner if owner.endswith(".") else f"{owner}.example.com."
        records.setdefault(f"{owner} {kind}", []).append(data)
    return records


def test_zone_is_what_the_corrected_name_servers_answered() -> None:
    dns = answers(CORRECTED)["dns"]
    records = zone_records()
    for question, expected in records.items():
        assert dns[question]["records"] == expected, question
    delegation = {"SOA", "NS", "DS"}
    for question, answer in dns.items():
        owner, kind = question.split(" ")
        if answer.get("records") and kind not in delegation | {"PTR"} and owner.endswith("example.com."):
            assert question in records


def test_dkim_record_holds_the_key_of_the_example() -> None:
    recorded = answers(CORRECTED)
    [record] = recorded["dns"]["selector0._domainkey.example.com. TXT"]["records"]
    strings = re.findall(r'"([^"]*)"', record)
    assert len(strings) > 1
    assert all(len(string) <= 255 for string in strings)
    spki = base64.b64decode("".join(strings).partition("p=")[2], validate=True)
    assert recorded["keys"]["/etc/mail/dkim/example.com.key"]["spki"] == "sha256:" + hashlib.sha256(spki).hexdigest()
    pem = (CORRECTED / "etc/mail/dkim/example.com.pubkey").read_text()
    assert base64.b64decode("".join(pem.splitlines()[1:-1])) == spki


# Recorded answers


@example
def test_answers_are_a_snapshot(root: Path) -> None:
    recorded = answers(root)
    assert recorded["format"] == "mailaudit.snapshot/1"
    assert recorded["host"] == (root / "etc/myname").read_text().strip() == SITE.host_name


@example
def test_every_file_and_directory_has_its_metadata(root: Path) -> None:
    stat = answers(root)["stat"]
    for path in files(root):
        recorded = stat[f"/{path}"]
        assert recorded["type"] == "file", path
        assert recorded["size"] == (root / path).stat().st_size, path
        for parent in path.parents[:-1]:
            assert stat[f"/{parent}"]["type"] == "directory", parent


@example
def test_owners_are_accounts_of_the_host(root: Path) -> None:
    def names(path: str) -> set[str]:
        return {line.split(":")[0] for line in (root / path).read_text().splitlines()}

    recorded = [entry for entry in answers(root)["stat"].values() if entry]
    assert {entry["owner"] for entry in recorded} <= names("etc/passwd")
    assert {entry["group"] for entry in recorded} <= names("etc/group")
    assert all(re.fullmatch(r"0[0-7]{3}", entry["mode"]) for entry in recorded)


@example
def test_served_chain_is_the_file(root: Path) -> None:
    on_disk = (root / "etc/ssl/mail.example.com.pem").read_text()
    chains = ["".join(found["chain"]) for found in answers(root)["endpoints"].values() if "chain" in found]
    assert chains
    assert set(chains) == {on_disk}


@example
def test_settings_name_the_site(root: Path) -> None:
    site = tomllib.loads((root / "mailaudit.toml").read_text())["site"]
    assert site["domains"] == list(SITE.domains)
    assert (root / site["ca_file"]).is_file()


@pytest.mark.parametrize("folder", ["examples", "rules"])
def test_no_private_key_anywhere(folder: str) -> None:
    held = [path for path in (ROOT / folder).rglob("*") if path.is_file() and b"PRIVATE KEY" in path.read_bytes()]
    assert not held


# The guide


def directives(text: str) -> list[str]:
    """The lines that say something, without comments and blanks."""
    bare = (re.sub(r"(^|\s)#.*", "", line) for line in text.splitlines())
    return [line for line in ("".join(line.split()) for line in bare) if line]


def guide_blocks() -> dict[str, str]:
    """What the guide puts into each file: path to text."""
    text = GUIDE.read_text()
    fence = r"\s*```\n(.*?)```"
    blocks = dict(re.findall(r"^Create `(/\S+)`:" + fence, text, re.MULTILINE | re.DOTALL))
    blocks |= dict(re.findall(r"\*\*(/\S+)\*\*:" + fence, text, re.DOTALL))
    for line, path in re.findall(r'^\$ echo "(.*)" \| doas tee -a (/\S+)$', text, re.MULTILINE):
        blocks[path] = line
    return blocks


@pytest.mark.skipif(not GUIDE.exists(), reason="the guide is not beside this checkout")
def test_published_files_hold_the_guides_directives_in_order() -> None:
    blocks = guide_blocks()
    assert blocks.keys() == {
        "/etc/pf.conf",
        "/etc/acme-client.conf",
        "/etc/httpd.conf",
        "/etc/rc.conf.local",
        "/etc/mail/smtpd.conf",
        "/etc/mail/virtuals",
        "/etc/mail/credentials",
        "/etc/dovecot/local.conf",
        "/etc/login.conf",
        "/etc/rspamd/local.d/dkim_signing.conf",
    }
    for path, block in blocks.items():
        ours = (PUBLISHED / path[1:]).read_text()
        # The password's hash is salted: each reader's differs.
        ours = re.sub(r"\$2b\$10\$[./A-Za-z0-9]{53}", "$(smtpctl encrypt example_password)", ours)
        rest = iter(directives(ours))
        missing = [line for line in directives(block) if line not in rest]
        assert not missing, path


@pytest.mark.skipif(not GUIDE.exists(), reason="the guide is not beside this checkout")
def test_published_zone_is_the_guides_last_table() -> None:
    text = GUIDE.read_text()
    lines = text[text.rindex("| Type ") :].splitlines()[2:]
    dns = answers(PUBLISHED)["dns"]
    table: dict[str, list[str]] = {}
    for line in takewhile(lambda line: line.startswith("|"), lines):
        kind, name, data, _ttl, priority = (cell.strip() for cell in line.split("|")[1:6])
        owner = f"{name}.example.com." if name else "example.com."
        data = data.replace(r"\<", "<").replace("<IPv4-of-server>", SITE.ipv4[0]).replace("<IPv6-of-server>", SITE.ipv6[0])
        if kind in {"CNAME", "MX", "NS"}:
            data += "."
        table.setdefault(f"{owner} {kind}", []).append(f"{priority} {data}".strip())
    assert "example.com. CAA" not in table
    assert dns["example.com. CAA"]["records"] == []
    for question, expected in table.items():
        assert dns[question]["records"] == expected, question
