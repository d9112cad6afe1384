"""Fixing the published set-up with everything allowed gives a host that behaves as the corrected one: asked of the models."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import pytest

from mailaudit import rulebook
from mailaudit.auditor import Options, auditor_for
from mailaudit.collect.roots import find_worlds
from mailaudit.edits import Safety
from mailaudit.models.acme import AcmeConfig
from mailaudit.models.dovecot.catalogue import catalogue
from mailaudit.models.dovecot.config import DovecotConfig
from mailaudit.models.dovecot.sections import Section
from mailaudit.models.dovecot.settings import OLD
from mailaudit.models.dovecot.user import mail_user
from mailaudit.models.facts import Facts
from mailaudit.models.httpd import HttpdConfig
from mailaudit.models.login import LoginConf
from mailaudit.models.pf.config import Ruleset
from mailaudit.models.pf.difference import difference
from mailaudit.models.rspamd.config import RspamdConfig
from mailaudit.models.sieve.eval import Outcome, Situation
from mailaudit.models.sieve.script import Sieve
from mailaudit.models.smtpd.config import SmtpdConfig
from mailaudit.models.smtpd.delivery import deliver
from mailaudit.models.smtpd.maps import Maps
from mailaudit.models.smtpd.match import Session
from mailaudit.models.smtpd.parts import Action, Table
from mailaudit.models.smtpd.route import Router, exchanger_sessions, local_session
from mailaudit.models.sources import Known
from mailaudit.models.ucl.values import Value
from mailaudit.repair import Plan, plan
from mailaudit.text import encode
from mailaudit.worklist import DELETED, Kind

EXAMPLES = Path(__file__).parents[1] / "examples"
ALL = frozenset({Safety.SAFE, Safety.UNSAFE})
ADDRESSES = (
    *(f"{name}@example.com" for name in ("example_user", "Example_User", "example_user+tag", "root", "abuse", "dmarcreport")),
    *(f"{name}@example.com" for name in ("postmaster", "webmaster", "hostmaster", "caareport", "nobody-there", "vmail")),
    "root@host7.example.com",
    "root@localhost",
    "someone@example.org",
    "root@mail.example.com",
)


M = TypeVar("M")


def known(facts: Facts, kind: type[M]) -> M:
    slot = facts.slots[kind]
    assert isinstance(slot, Known), kind
    assert isinstance(slot.value, kind)
    return slot.value


@dataclass(frozen=True, slots=True)
class Pair:
    """What is known of the published host once it was fixed, and of the corrected one."""

    fixed: Facts
    corrected: Facts
    plan: Plan

    def both(self, kind: type, says: Callable[..., object]) -> tuple[object, object]:
        return says(known(self.fixed, kind)), says(known(self.corrected, kind))


@pytest.fixture(scope="module")
def hosts() -> Pair:
    facts = []
    for name in ("as-published", "corrected"):
        (world,) = find_worlds(str(EXAMPLES / name))
        auditor = auditor_for(world, rulebook.load(), Options(profile="strict"))
        snapshot, learned = auditor.learn()
        if name == "as-published":
            done = plan(auditor, ALL)
            _, learned = auditor.learn(snapshot.with_files({path: encode(chars) for path, chars in done.files.items()}))
        facts.append(learned)
    return Pair(facts[0], facts[1], done)


def test_pf_lets_the_same_pass(hosts: Pair) -> None:
    one, other = hosts.both(Ruleset, lambda pf: pf)
    assert isinstance(one, Ruleset)
    assert isinstance(other, Ruleset)
    parted = [(each.direction, each.protocol, each.icmp, each.ports, each.before, each.after) for each in difference(one, other)]
    assert not parted


def table(found: Table | None) -> object:
    return found if found is None else (found.backend, found.path, [(k.value, v.value if v else None) for k, v in found.entries])


def listeners(smtpd: SmtpdConfig) -> list[tuple[str, ...]]:
    return sorted(
        (
            str((each.where, each.family, each.port, each.tls, each.verify, each.auth, each.masks_source)),
            str([token.value for token in each.pki]),
            str([token.value for token in each.filters]),
            (each.hostname.value if each.hostname is not None else smtpd.server_name) or "",
            str(table(each.auth_table)),
            str(table(each.senders)),
        )
        for each in smtpd.listeners
    )


def test_smtpd_listens_and_is_set_alike(hosts: Pair) -> None:
    one, other = hosts.both(SmtpdConfig, listeners)
    assert one == other
    one, other = hosts.both(SmtpdConfig, lambda smtpd: (smtpd.server_name, sorted(smtpd.pki), sorted(smtpd.filters)))
    assert one == other


def action(found: Action | None, smtpd: SmtpdConfig) -> object:
    if found is None:
        return None
    values = {name: token.value for name, token in found.values.items()}
    if found.is_relay:
        values.setdefault("helo", smtpd.server_name or "")
    argument = found.argument.value if found.argument is not None else None
    tables = {word: table(each) for word, each in found.tables.items()}
    return found.kind, found.is_relay, argument, sorted({*found.words} - {"helo"}), tables, values


def routes(smtpd: SmtpdConfig) -> list[object]:
    sessions = [*exchanger_sessions(smtpd), local_session(smtpd), Session(authenticated=True, user="example_user@example.com")]
    found: list[object] = []
    for session in sessions:
        router = Router(smtpd, session)
        for address in ADDRESSES:
            for sender in ("example_user@example.com", "somebody@example.org", ""):
                route = router.route(address, sender)
                found.append(
                    (address, sender, route.answer, action(route.rule.action if route.rule is not None else None, smtpd))
                )
    return found


def test_smtpd_leads_mail_the_same_ways(hosts: Pair) -> None:
    one, other = hosts.both(SmtpdConfig, routes)
    assert one == other


def test_mail_ends_in_the_same_mailboxes(hosts: Pair) -> None:
    ends = []
    for facts in (hosts.fixed, hosts.corrected):
        smtpd, maps = known(facts, SmtpdConfig), known(facts, Maps)
        found = [deliver(maps, session, address) for session in exchanger_sessions(smtpd) for address in ADDRESSES]
        ends.append([(e.answer, e.reply, [(end.kind, end.where, end.user, end.bounce) for end in e.ends]) for e in found])
    assert ends[0] == ends[1]


def sections(section: Section, above: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], str]]:
    """What is set in sections, by section and name."""
    for inner in section.sections:
        here = (*above, f"{inner.type} {inner.name}")
        yield from (((*here, name), setting.value) for name, setting in inner.settings.items() if setting.value)
        yield from sections(inner, here)


def dovecot(config: DovecotConfig) -> dict[str, object]:
    names = [name for name, each in catalogue(OLD).inside[()].items() if not each.is_section and name != "protocols"]
    said: dict[str, object] = {
        f"{protocol or ''} {name}": config.setting(name, protocol).value for protocol in (None, "imap", "lmtp") for name in names
    }
    said |= {"/".join(path): text for path, text in sections(config.root)}
    said["listeners"] = sorted(str((each.port, each.service)) for each in config.listeners)
    said["databases"] = [
        (each.kind, each.driver, each.path.value if each.path else "") for each in (*config.passdbs, *config.userdbs)
    ]
    said["protocols"] = sorted(config.protocols)
    for address in ("example_user@example.com", "Example_User@example.com"):
        user = mail_user(config, address)
        said[f"user {address}"] = (user.home.value, user.inbox_path.value, user.exists)
    return said


def test_dovecot_is_set_alike(hosts: Pair) -> None:
    one, other = hosts.both(DovecotConfig, dovecot)
    assert isinstance(one, dict)
    assert isinstance(other, dict)
    assert {name: (one.get(name), other.get(name)) for name in {*one, *other} if one.get(name) != other.get(name)} == {}


def did(outcome: Outcome) -> object:
    return [(each.kind, each.certain, each.values, each.is_copy) for each in outcome.actions], outcome.keeps, outcome.stops


def test_scripts_run_at_the_same_times_and_do_the_same(hosts: Pair) -> None:
    def says(sieve: Sieve) -> object:
        spam = Situation()
        return (
            [(use.when, use.paths, use.is_global) for use in sieve.uses],
            {path: did(script.outcome(spam)) for path, script in sieve.scripts.items()},
            sorted(program.path or program.name for program in sieve.programs),
            sorted(sieve.available),
            sorted(sieve.user_extensions),
        )

    one, other = hosts.both(Sieve, says)
    assert one == other


def flat(found: Value | None, name: str = "") -> Iterator[tuple[str, object]]:
    """The scalars of a configuration by their path; of several that have one path, all."""
    inner = [(key, each) for key, members in found.members.items() for each in members] if found is not None else []
    for key, each in inner:
        yield from flat(each, f"{name} {key}".strip())
    for number, each in enumerate(found.elements if found is not None else ()):
        yield from flat(each, f"{name} {number}")
    if found is not None and found.kind not in ("object", "array"):
        yield name, found.scalar


def test_rspamd_is_set_alike(hosts: Pair) -> None:
    one, other = hosts.both(RspamdConfig, lambda rspamd: dict(flat(rspamd.section())))
    assert isinstance(one, dict)
    assert isinstance(other, dict)
    parted = {name: (one.get(name), other.get(name)) for name in {*one, *other} if one.get(name) != other.get(name)}
    password, fallback = "worker controller password", "dkim_signing try_fallback"
    assert parted.pop(password)[0] == "{{generate:hex16}}"  # made when it is written; the other is a hash
    assert parted.pop(fallback) == (True, False)  # the packaged place has no key of domains without an entry
    assert parted == {}
    one, other = hosts.both(
        RspamdConfig, lambda r: [(k.domain, k.selector, k.path, k.fallback) for k in r.dkim.all_keys(["example.com"])]
    )
    assert one == other


def test_the_rest_is_set_alike(hosts: Pair) -> None:
    for kind, says in (
        (AcmeConfig, lambda acme: [(each.handle.value, sorted(each.names), each.key.value) for each in acme.domains]),
        (HttpdConfig, lambda httpd: [each.name.value for each in httpd.servers]),
        (LoginConf, lambda login: str([(each.record.names[0].value) for each in (login.login_class("dovecot"),)])),
    ):
        one, other = hosts.both(kind, says)
        assert one == other


def test_dns_is_the_corrected_zone_once_all_records_are_in(hosts: Pair) -> None:
    """What the published zone answers, with what is to be published and without what is to go."""
    before, wanted = (json.loads((EXAMPLES / name / "answers.json").read_text())["dns"] for name in ("as-published", "corrected"))
    answers = {question: set(found.get("records", ())) for question, found in before.items() if not found.get("cname")}
    for deed in hosts.plan.todo:
        if deed.kind is Kind.RECORD:
            line = re.fullmatch(r"(\S+) \d+ IN (\S+) (.*)", deed.text.removeprefix(DELETED))
            assert line is not None
            held = answers.setdefault(f"{line[1]} {line[2]}", set())
            held.discard(line[3]) if deed.text.startswith(DELETED) else held.add(line[3])
    about = ("A", "AAAA", "MX", "TXT", "CAA", "PTR")
    key = "selector0._domainkey.example.com. TXT"  # made on the host, and printed there
    assert any(
        deed.kind is Kind.COMMAND and deed.text.startswith(f"printf '{key.removesuffix(' TXT')} 300") for deed in hosts.plan.todo
    )
    different = {
        question: (sorted(answers.get(question, ())), sorted(found.get("records", ())))
        for question, found in wanted.items()
        if question.split()[1] in about and question != key and set(found.get("records", ())) != answers.get(question, set())
    }
    assert different == {"mail.example.com. TXT": ([], ['"v=spf1 a -all"'])}  # a name that nobody says in HELO
