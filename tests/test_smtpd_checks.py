"""The checks of smtpd.conf: never crash, keep to their evidence, report one mistake once, and edit nothing they should not."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailaudit.checks import CHECKS
from mailaudit.checks.runner import Judged, judge
from mailaudit.edits import apply
from mailaudit.findings import Verdict
from mailaudit.models.clock import Clock
from mailaudit.models.credentials import Credentials
from mailaudit.models.dovecot.config import DovecotConfig, read_dovecot
from mailaudit.models.facts import read
from mailaudit.models.files import Files
from mailaudit.models.services import read_services
from mailaudit.models.site import Declared, Site
from mailaudit.models.smtpd.config import PATH, SmtpdConfig, read_smtpd
from mailaudit.models.sources import Known, NotHere, Slot, Sources
from mailaudit.models.virtuals import Aliases, Virtuals
from mailaudit.questions import (
    Absent,
    Answer,
    Command,
    CommandOutput,
    Found,
    Question,
    ReadFile,
    Reason,
    RunCommand,
    Stat,
    StatFile,
)
from mailaudit.snapshot import Snapshot

RULES = sorted(each for each in CHECKS if each.startswith("SMTPD"))
FILTER = "/usr/local/libexec/smtpd/filter-rspamd"
RESTRICTED = " senders <allowed_from> mask-src"
WHOLE = """\
# a comment
net = "all"
pki mail.example.com cert "/etc/ssl/mail.example.com.pem"
pki mail.example.com key "/etc/ssl/private/mail.example.com.key"
table aliases file:/etc/mail/aliases
table credentials passwd:/etc/mail/credentials
table virtuals { "example_user@example.com" = vmail }
table allowed_from { "example_user@example.com" = "@example.com" }
filter "rspamd" proc-exec "filter-rspamd"
queue compression
queue encryption "0123456789abcdef0123456789abcdef"
action "inbound" maildir "/var/vmail/example.com/%{dest.user:lowercase|strip}" junk virtual <virtuals>
action "local_inbound" mbox alias <aliases>
action "outbound" relay
listen on socket filter "rspamd"
listen on $net tls pki mail.example.com filter "rspamd"
listen on all port submission tls-require pki mail.example.com auth <credentials> filter "rspamd" senders <allowed_from> mask-src
listen on all smtps pki mail.example.com auth <credentials> filter "rspamd" senders <allowed_from> mask-src
match from any for domain "example.com" action "inbound"
match from local for local action "local_inbound"
match from auth for any action "outbound"
match from local for any action "outbound"
"""


def slots(chars: str, answers: dict[Question, Answer] | None = None) -> dict[type, Slot[object]]:
    return _slots(chars, tuple((answers or {}).items()))


@lru_cache(maxsize=4)
def _slots(chars: str, answers: tuple[tuple[Question, Answer], ...]) -> dict[type, Slot[object]]:
    known: dict[Question, Answer] = {ReadFile(PATH): Found(chars.encode("utf-8", "surrogateescape")), **dict(answers)}
    sources = Sources(Snapshot("host", "target", known))
    declared = Declared(domains=("example.com",), mail_host="mail.example.com")
    facts = read(sources, declared, {}, Clock(now=datetime(2026, 11, 22, tzinfo=UTC)))
    return {
        **facts.slots,
        DovecotConfig: NotHere("no Dovecot"),
        Credentials: NotHere("no credentials"),
        Aliases: NotHere("no aliases"),
        Virtuals: NotHere("no virtuals"),
    }


def judged(identity: str, chars: str, answers: dict[Question, Answer] | None = None) -> Judged:
    result = judge(CHECKS[identity], slots(chars, answers))
    if result.crash is not None:
        raise result.crash
    return result


def failing(chars: str) -> set[str]:
    return {identity for identity in RULES if judged(identity, chars).verdict is Verdict.FAIL}


def test_a_right_file_has_no_findings() -> None:
    assert failing(WHOLE) == set()


@settings(max_examples=150, deadline=None)
@given(st.integers(0, len(WHOLE)), st.integers(0, 30), st.text(alphabet="\\\"'{}<>=!#,$ \t\nab1é\x00-", max_size=8))
def test_no_check_crashes_on_anything_and_each_edit_fits(at: int, cut: int, new: str) -> None:
    chars = WHOLE[:at] + new + WHOLE[at + cut :]
    for identity in RULES:
        for finding in judged(identity, chars).findings:
            if finding.fix is not None:
                apply(chars, [edit for edit in finding.fix.edits if edit.path == PATH])


@settings(max_examples=100, deadline=None)
@given(st.lists(st.sampled_from(WHOLE.splitlines()), max_size=12))
def test_no_check_crashes_on_any_choice_of_lines(lines: list[str]) -> None:
    chars = "\n".join(lines)
    for identity in RULES:
        judged(identity, chars)


@pytest.mark.parametrize(
    ("old", "new", "rules"),
    [
        ("0123456789abcdef0123456789abcdef", "0123", {"SMTPD031"}),
        ("table aliases file:/etc/mail/aliases\n", "", {"SMTPD012"}),
        ("table credentials passwd:/etc/mail/credentials\n", "", {"SMTPD013"}),
        ('filter "rspamd" proc-exec "filter-rspamd"\n', "", {"SMTPD015"}),
        ('pki mail.example.com key "/etc/ssl/private/mail.example.com.key"\n', "", {"SMTPD010"}),
        ("tls-require pki mail.example.com auth", "auth", {"SMTPD023"}),
        ("port submission tls-require", "port submission tls", {"SMTPD023"}),
        ("listen on all smtps", "listen on all port 465 tls", {"SMTPD024"}),
        ("junk ", "", {"SMTPD019"}),
        ("|strip", "", {"SMTPD018"}),
        ("tls pki mail.example.com filter", "tls pki mail.example.com auth <credentials> filter", {"SMTPD026"}),
        ("match from auth for any", "match from any for any", {"SMTPD044", "SMTPD046"}),
        ("match from auth", "match tls from auth", {"SMTPD045"}),
        ('match from any for domain "example.com" action "inbound"\n', "", {"SMTPD040", "SMTPD047"}),
        ("mbox alias <aliases>\n", "mbox alias <aliases> alias <aliases>\n", {"SMTPD001"}),
    ],
)
def test_one_mistake_is_one_rule_s_finding(old: str, new: str, rules: set[str]) -> None:
    assert failing(WHOLE.replace(old, new, 1)) == rules


def test_what_came_out_of_a_macro_is_not_edited() -> None:
    chars = 'mode = "tls"\n' + WHOLE.replace("tls-require", "$mode")
    (finding,) = judged("SMTPD023", chars).findings
    assert finding.places[0].corners()[0] == 1  # type: ignore[union-attr]  # the word in the macro
    assert finding.fix is None


def test_not_recorded_is_not_missing() -> None:
    result = judged("SMTPD015", WHOLE)
    assert (result.verdict, result.reason) == (Verdict.UNKNOWN, Reason.NOT_RECORDED)
    assert judged("SMTPD015", WHOLE, {StatFile(FILTER): Absent()}).verdict is Verdict.FAIL
    assert judged("SMTPD015", WHOLE, {StatFile(FILTER): Found(Stat("file", 0o755, "root", "bin"))}).verdict is Verdict.PASS
    assert judged("SMTPD011", WHOLE).reason is Reason.NOT_RECORDED


def test_an_include_that_is_not_known_leaves_what_seems_missing_in_doubt() -> None:
    chars = 'include "/etc/mail/more.conf"\n' + WHOLE.replace('listen on socket filter "rspamd"\n', "")
    result = judged("SMTPD025", chars)
    assert (result.verdict, result.reason) == (Verdict.UNKNOWN, Reason.NOT_READ)


def test_an_included_file_counts() -> None:
    chars = 'include "/etc/mail/more.conf"\n' + WHOLE.replace('listen on socket filter "rspamd"\n', "")
    more: dict[Question, Answer] = {
        ReadFile("/etc/mail/more.conf"): Found(b'filter "early" proc-exec "filter-rspamd"\nlisten on socket filter "early"\n')
    }
    assert judged("SMTPD025", chars, more).verdict is Verdict.PASS


def test_a_relay_behind_an_unknown_table_is_in_doubt() -> None:
    chars = WHOLE.replace("match from auth", "table t ldap:/x\nmatch from src <t> for any action outbound\nmatch from auth")
    result = judged("SMTPD044", chars)
    assert (result.verdict, result.reason) == (Verdict.UNKNOWN, Reason.IN_DOUBT)


def test_the_key_is_in_no_finding() -> None:
    key = "0123456789abcdef0123456789abcde"
    for finding in judged("SMTPD031", WHOLE.replace(key + "f", key)).findings:
        assert key not in finding.message + finding.value + finding.about


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        ("wg1", Verdict.PASS),
        ("tun0", Verdict.PASS),
        ("192.168.1.1", Verdict.PASS),
        ("fd00::1", Verdict.PASS),
        ("trunk0", Verdict.UNKNOWN),
        ("203.0.113.9", Verdict.FAIL),
        ("egress", Verdict.FAIL),
        ("mail.example.com", Verdict.FAIL),
    ],
)
def test_who_reaches_an_open_relay(where: str, expected: Verdict) -> None:
    chars = f"listen on {where}\naction out relay\nmatch from any for any action out\n"
    assert judged("SMTPD044", chars).verdict is expected


@pytest.mark.parametrize("where", ["wg1", "10.0.0.1", "trunk0"])
def test_a_listener_inside_is_not_edited(where: str) -> None:
    line = f"listen on {where} port 587 tls-require pki mail.example.com\nlisten on {where}\n"
    for identity in ("SMTPD022", "SMTPD023", "SMTPD026", "SMTPD044"):
        for found in judged(identity, WHOLE + line).findings:
            assert not found.fix, (identity, found.message)


OLD = """\
listen on lo0
listen on egress tls certificate mail.example.com auth-optional
table aliases db:/etc/mail/aliases.db
accept for local alias <aliases> deliver to mbox
accept from any for domain "example.com" deliver to maildir
accept for any relay
"""


def test_the_grammar_before_6_4_is_one_finding_and_nothing_is_edited() -> None:
    found = judged("SMTPD001", OLD).findings
    assert len(found) == 1
    assert "before 6.4" in found[0].message
    assert found[0].fix is None
    for identity in RULES:
        if identity[5] in "124" or identity == "SMTPD010":
            assert not judged(identity, OLD).findings
    assert judged("SMTPD044", OLD).verdict is Verdict.NOT_APPLICABLE
    assert judged("SMTPD022", OLD).verdict is Verdict.NOT_APPLICABLE


SENDS = """\
table aliases file:/etc/mail/aliases
table secrets file:/etc/mail/secrets
listen on socket
listen on lo0
action "local" mbox alias <aliases>
action "relay" relay host smtps://relay@mail.example.net auth <secrets>
match for local action "local"
match from local for any action "relay"
"""


def test_a_host_that_only_sends_is_not_made_a_mail_exchanger() -> None:
    for number in ("10", "13", "14", "16", "22", "23", "24", "28", "30", "32", "33", "34", "35", "40", "42"):
        assert judged(f"SMTPD0{number}", SENDS).verdict is Verdict.NOT_APPLICABLE, number
    assert judged("SMTPD022", SENDS.replace("listen on lo0", "listen on all")).verdict is Verdict.FAIL
    inside = SENDS.replace("listen on lo0", "listen on em1").replace("match from local for any", "match from any for any")
    for number in ("13", "14", "15", "16", "22", "23", "24", "25"):
        assert judged(f"SMTPD0{number}", inside).verdict is Verdict.NOT_APPLICABLE, number
    taking = SENDS + 'match from any for domain "example.com" action "local"\n'
    assert judged("SMTPD022", taking).verdict is Verdict.FAIL


def test_the_aliases_that_openbsd_ships_are_assumed_unless_a_record_says_otherwise() -> None:
    known: dict[Question, Answer] = {StatFile("/etc/mail/aliases"): Absent()}
    result = judged("SMTPD012", WHOLE, known)
    assert result.verdict is Verdict.PASS
    assert "/etc/mail/aliases as OpenBSD ships it" in result.assumed
    answers: dict[Question, Answer] = {ReadFile(PATH): Found(WHOLE.encode()), **known}
    sources = Sources(Snapshot("host", "target", answers, recorded=True))
    recorded = {**slots(WHOLE), SmtpdConfig: read_smtpd(sources, read_services(sources)), Files: Known(Files())}
    assert judge(CHECKS["SMTPD012"], recorded).verdict is Verdict.FAIL


def test_a_table_that_no_other_rule_looks_after_must_be_there_too() -> None:
    chars = WHOLE.replace("table aliases", "table domains file:/etc/mail/domains\ntable aliases")
    assert judged("SMTPD001", chars).verdict is Verdict.PASS
    gone: dict[Question, Answer] = {StatFile("/etc/mail/domains"): Absent()}
    assert judged("SMTPD001", chars, gone).verdict is Verdict.PASS  # a repository may leave it out
    (finding,) = judge(CHECKS["SMTPD001"], {**slots(chars, gone), Files: Known(Files())}).findings
    assert "/etc/mail/domains" in finding.message
    assert finding.fix is None


DKIMSIGN = WHOLE.replace(
    'filter "rspamd" proc', 'filter "sign" proc-exec "filter-dkimsign -d example.com"\nfilter "rspamd" proc'
).replace('<credentials> filter "rspamd"', '<credentials> filter "sign"')
PROXY = WHOLE.replace('<credentials> filter "rspamd"', "<credentials>").replace(
    '"outbound" relay\n', '"outbound" relay host smtp://127.0.0.1:10027\n'
)


@pytest.mark.parametrize("chars", [DKIMSIGN, PROXY])
@pytest.mark.parametrize("identity", ["SMTPD023", "SMTPD024"])
def test_what_another_program_signs_is_not_called_unsigned(chars: str, identity: str) -> None:
    for finding in judged(identity, chars).findings:
        assert "sign" not in finding.message
        assert finding.fix is None


def test_the_socket_s_other_signer_is_left_alone() -> None:
    chars = DKIMSIGN.replace('socket filter "rspamd"', 'socket filter "sign"')
    (finding,) = judged("SMTPD025", chars).findings
    assert "unsigned" not in finding.message
    assert finding.fix is None


def test_rspamc_at_delivery_checks_mail() -> None:
    chars = WHOLE.replace('pki mail.example.com filter "rspamd"', "pki mail.example.com").replace(
        "action", "mda wrapper check \"rspamc --mime -e '%{mda}'\"\naction", 1
    )
    assert judged("SMTPD022", chars).verdict is Verdict.PASS
    (finding,) = judged(
        "SMTPD015", chars.replace('filter "rspamd" proc-exec "filter-rspamd"\n', "").replace(' filter "rspamd"', "")
    ).findings
    assert "checked" not in finding.message
    assert finding.fix is None


def test_a_new_listener_has_the_restrictions_of_its_sibling() -> None:
    old = f'listen on all port submission tls-require pki mail.example.com auth <credentials> filter "rspamd"{RESTRICTED}\n'
    options = (
        'auth <credentials> senders { "u@example.com" = "u@example.com" } masquerade \\\n'
        '    hostname mail.example.com received-auth mask-src tag MSA filter "rspamd"'
    )
    chars = WHOLE.replace(old, "").replace(
        f'smtps pki mail.example.com auth <credentials> filter "rspamd"{RESTRICTED}', f"smtps pki mail.example.com {options}"
    )
    assert judged("SMTPD024", chars).verdict is Verdict.PASS
    (finding,) = judged("SMTPD023", chars).findings
    assert finding.fix is not None
    line = finding.fix.edits[0].text.strip()
    expected = f"listen on all port submission tls-require pki mail.example.com {options}".replace(" \\\n    ", " ")
    assert line == expected
    mended = apply(chars, finding.fix.edits)
    assert judged("SMTPD023", mended).verdict is Verdict.PASS
    assert judged("SMTPD001", mended).verdict is Verdict.PASS


def test_a_new_listener_for_each_address_of_its_sibling() -> None:
    rest = 'smtps pki mail.example.com auth <credentials> senders { "u@example.com" = "u@example.com" } filter "rspamd"\n'
    old = f'listen on all port submission tls-require pki mail.example.com auth <credentials> filter "rspamd"{RESTRICTED}\n'
    both = f'required = "{rest.strip()}"'.replace('"rspamd"', "rspamd").replace('"u@example.com"', "'u@example.com'")
    lines = f"{both}\nlisten on 203.0.113.9 $required\nlisten on 2001:db8::9 $required\n"
    smtps = f'listen on all smtps pki mail.example.com auth <credentials> filter "rspamd"{RESTRICTED}\n'
    chars = WHOLE.replace(old, "").replace(smtps, lines)
    (finding,) = judged("SMTPD023", chars).findings
    assert finding.fix is not None
    mended = apply(chars, finding.fix.edits)
    assert judged("SMTPD023", mended).verdict is Verdict.PASS, mended
    assert mended.count("port submission") == 2


def test_a_pki_that_is_not_defined_is_among_the_refusals() -> None:
    found = slots(WHOLE.replace("smtps pki mail.example.com", "smtps pki other.example.com"))[SmtpdConfig]
    assert isinstance(found, Known)
    assert isinstance(found.value, SmtpdConfig)
    assert [problem.message for problem in found.value.refusals] == ['the pki "other.example.com" is not defined above']


def test_a_domain_in_a_path_is_no_disagreement_where_no_domain_is_known() -> None:
    chars = WHOLE.replace('for domain "example.com"', "for domain <unknown>").replace(
        "table aliases", "table unknown ldap:/x\ntable aliases"
    )
    dovecot: dict[Question, Answer] = {
        ReadFile("/etc/dovecot/dovecot.conf"): Found(b"mail_location = maildir:/var/vmail/%d/%n\n")
    }
    known = dict(slots(chars))
    known[Site] = Known(Site())
    sources = Sources(Snapshot("host", "target", dovecot))
    known[DovecotConfig] = read_dovecot(sources)
    assert judge(CHECKS["SMTPD017"], known).verdict is Verdict.UNKNOWN


def test_no_modifier_is_written_where_smtpd_can_not_read_it() -> None:
    """Before 7.9 a part and a modifier together return all mail."""
    chars = WHOLE.replace("%{dest.user:lowercase|strip}", "%{dest.user[0:9]}")
    assert chars != WHOLE
    for release, mended in ((8, False), (9, True)):
        uname: dict[Question, Answer] = {RunCommand(Command.UNAME): Found(CommandOutput(0, f"OpenBSD 7.{release} amd64\n"))}
        (finding,) = judged("SMTPD018", chars, uname).findings
        assert (finding.fix is not None) is mended


def test_an_inner_interface_need_not_take_the_domain_s_mail() -> None:
    chars = "listen on trunk0\naction out relay\nmatch from any for any action out\n"
    assert judged("SMTPD040", chars).verdict is Verdict.UNKNOWN
    assert judged("SMTPD040", chars.replace("trunk0", "egress")).verdict is Verdict.FAIL


IFCONFIG = """\
lo0: flags=8049<UP,LOOPBACK,RUNNING,MULTICAST> mtu 32768
\tgroups: lo
\tinet 127.0.0.1 netmask 0xff000000
vio0: flags=8843<UP,BROADCAST,RUNNING,SIMPLEX,MULTICAST> mtu 1500
\tgroups: egress
\tinet 203.0.113.9 netmask 0xffffff00 broadcast 203.0.113.255
"""


@pytest.mark.parametrize(
    ("listening", "expected"),
    [
        ("tcp 0 0 *.22 *.* LISTEN\n", Verdict.NOT_APPLICABLE),  # it does not run, which HOST031 is about
        ("tcp 0 0 127.0.0.1.25 *.* LISTEN\n", Verdict.UNKNOWN),  # it may run with an older file
        ("tcp 0 0 127.0.0.1.25 *.* LISTEN\ntcp 0 0 203.0.113.77.25 *.* LISTEN\n", Verdict.FAIL),
        ("tcp 0 0 203.0.113.9.25 *.* LISTEN\n", Verdict.PASS),
    ],
)
def test_addresses_that_came_later(listening: str, expected: Verdict) -> None:
    answers: dict[Question, Answer] = {
        RunCommand(Command.IFCONFIG): Found(CommandOutput(0, IFCONFIG)),
        RunCommand(Command.NETSTAT): Found(CommandOutput(0, listening)),
    }
    chars = "listen on all\naction l mbox\nmatch from any for any action l\n"
    assert judged("SMTPD027", chars, answers).verdict is expected
    assert judged("SMTPD027", chars).verdict is Verdict.UNKNOWN


@pytest.mark.parametrize(
    ("chars", "count"),
    [
        ("table senders { a = b }\nlisten on all\naction l mbox\nmatch from mail-from <senders> for any action l\n", 1),
        ("table { a, b }\n", 0),
        ("table user { a }\ntable domain { b }\n", 2),
        ("listen on all senders <\n", 0),
    ],
)
def test_names_that_are_words_are_told_once_for_each(chars: str, count: int) -> None:
    assert len(judged("SMTPD004", chars).findings) == count
