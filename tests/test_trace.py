"""Chains: a sound host's, and where each kind of break shows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tracing import FILES, HASH, broken, edited, lay_out, told, traced

from mailaudit.findings import Evidence, Place
from mailaudit.questions import Reason
from mailaudit.trace.addresses import BadAddressError, read_address
from mailaudit.trace.hops import Hop, Kind, Verdict

SMTPD, VIRTUALS, DOVECOT = "/etc/mail/smtpd.conf", "/etc/mail/virtuals", "/etc/dovecot/dovecot.conf"
CREDENTIALS, PF = "/etc/mail/credentials", "/etc/pf.conf"
ALICE = "alice@example.com"
MX = "listen on all tls pki mail"
LMTP = FILES[SMTPD].replace(
    'maildir "/var/vmail/%{dest.domain}/%{dest.user:lowercase|strip}"', 'lmtp "/var/dovecot/lmtp" rcpt-to'
)


def spot(hop: Hop) -> tuple[str, str]:
    """The file and the characters of the place that decides a hop."""
    first = hop.places[0]
    assert isinstance(first, Place)
    return first.path, first.span.chars if first.span is not None else ""


def test_a_message_for_an_alias_arrives(tmp_path: Path) -> None:
    trace = traced(lay_out(tmp_path), "inbound", "info@example.com")
    assert trace.verdict is Verdict.OK
    assert trace.end == "Mail for info@example.com arrives in /var/vmail/example.com/alice."
    assert told(trace) == [
        "dns not-asked", "pf ok", "daemon ok", "listener ok", "greeting not-asked", "handshake not-asked", "tls ok", "match ok",
        "action ok", "expansion ok", "match ok", "expansion ok", "expansion ok", "expansion ok", "delivery ok", "mailbox ok",
    ]  # fmt: skip
    places = [hop.places[0] for hop in trace.hops if hop.places]
    assert [place.corners()[0] for place in places if isinstance(place, Place) and place.path == VIRTUALS and place.span] == [
        2,
        1,
    ]


def test_a_user_sends_to_somebody_elsewhere(tmp_path: Path) -> None:
    trace = traced(lay_out(tmp_path), "submission", ALICE)
    assert trace.verdict is Verdict.OK
    assert trace.end == f"Mail of {ALICE} from {ALICE} to somebody@example.net goes on to the servers of example.net."
    assert told(trace) == [
        "dns not-asked", "pf ok", "daemon ok", "listener ok", "greeting not-asked", "handshake not-asked", "tls ok", "login ok",
        "sender ok", "match ok", "action ok", "pf ok", "delivery ok",
    ]  # fmt: skip


def test_a_user_reads(tmp_path: Path) -> None:
    trace = traced(lay_out(tmp_path), "imap", ALICE)
    assert trace.verdict is Verdict.OK
    assert trace.end == f"{ALICE} logs in with the right password and reads /var/vmail/example.com/alice."
    assert told(trace) == [
        "dns not-asked", "pf ok", "daemon ok", "listener ok", "greeting not-asked", "handshake not-asked", "tls ok", "login ok",
        "login ok", "login ok", "mailbox ok", "mailbox ok", "mailbox ok",
    ]  # fmt: skip


# Addresses


@pytest.mark.parametrize("address", ["alice+tag@example.com", "ALICE@Example.COM", "Info+x@example.com"])
def test_tags_and_capitals_come_to_the_same_mailbox(tmp_path: Path, address: str) -> None:
    trace = traced(lay_out(tmp_path), "inbound", address)
    assert trace.verdict is Verdict.OK
    assert "/var/vmail/example.com/alice." in trace.end


def test_a_path_that_keeps_the_tag_is_one_that_nobody_reads(tmp_path: Path) -> None:
    root = lay_out(tmp_path, edited(SMTPD, "lowercase|strip", "lowercase"))
    hop = broken(traced(root, "inbound", "alice+tag@example.com"))
    assert hop.kind is Kind.MAILBOX
    assert "alice+tag, and Dovecot reads /var/vmail/example.com/alice" in hop.message
    assert traced(root, "inbound", ALICE).verdict is Verdict.OK


@pytest.mark.parametrize("address", ['"info"@example.com', '"a b"@example.com', "a..b@example.com", ".a@example.com"])
def test_smtpd_takes_no_quotes_and_no_odd_dots(tmp_path: Path, address: str) -> None:
    assert broken(traced(lay_out(tmp_path), "inbound", address)).kind is Kind.ADDRESS


@pytest.mark.parametrize(("release", "taken"), [("7.8", True), ("7.9", False)])
def test_characters_for_a_shell_are_taken_no_more(tmp_path: Path, release: str, taken: bool) -> None:
    record = {"commands": {"uname": {"status": 0, "stdout": f"OpenBSD {release} amd64\n"}}}
    trace = traced(lay_out(tmp_path, record=record), "inbound", ALICE, sender="a@x.org")
    assert trace.verdict is Verdict.OK
    trace = traced(lay_out(tmp_path / "odd", record=record), "inbound", "alice+$x@example.com")
    assert trace.verdict is (Verdict.OK if taken else Verdict.BROKEN)
    if not taken:
        assert "none of $ ` { | } before the @, so it refuses alice+$x@example.com: 501 5.1.3" in broken(trace).message


def test_mail_of_an_action_that_can_not_be_expanded_comes_back(tmp_path: Path) -> None:
    root = lay_out(tmp_path, edited(SMTPD, "lowercase|strip", "lower"))
    hop = broken(traced(root, "inbound", ALICE))
    assert hop.kind is Kind.DELIVERY
    assert hop.message == "smtpd takes the mail and sends it back: smtpd can not expand %{dest.user:lower}."


@pytest.mark.parametrize(
    "written", ["", " ", "a", "@example.com", "a@", "a b@example.com", "a@b@c", "a@-x.org", "a@x..org", "a@é.org", "a\x1b@x.org",
                '"a@x.org', f"{'a' * 256}@x.org", "a@x.org\n", "<a@x.org>"],
)  # fmt: skip
def test_what_is_no_address_is_refused(written: str) -> None:
    with pytest.raises(BadAddressError):
        read_address(written)


def test_addresses_are_read() -> None:
    assert str(read_address("Info+x@Example.COM.")) == "Info+x@example.com"
    assert str(read_address("a@[192.0.2.1]")) == "a@[192.0.2.1]"
    assert read_address("alice", bare=True).domain == ""


# Expansion


def test_a_domain_that_is_not_handled_breaks_at_the_rules(tmp_path: Path) -> None:
    hop = broken(traced(lay_out(tmp_path), "inbound", "info@example.org"))
    assert (hop.kind, spot(hop)) == (Kind.RULE, (SMTPD, ""))
    assert "550" in hop.message


def test_an_unknown_user_breaks_at_the_map(tmp_path: Path) -> None:
    hop = broken(traced(lay_out(tmp_path), "inbound", "nobody@example.com"))
    assert (hop.kind, spot(hop)) == (Kind.EXPANSION, (VIRTUALS, ""))
    assert "524" in hop.message


def test_a_rule_that_rejects_is_shown(tmp_path: Path) -> None:
    changes = edited(SMTPD, "match from any", 'match from any for rcpt-to "info@example.com" reject\nmatch from any')
    hop = broken(traced(lay_out(tmp_path, changes), "inbound", "info@example.com"))
    assert spot(hop) == (SMTPD, 'match from any for rcpt-to "info@example.com" reject')


def test_a_loop_breaks(tmp_path: Path) -> None:
    root = lay_out(tmp_path, {VIRTUALS: "a@example.com: b@example.com\nb@example.com: a@example.com\n"})
    hop = broken(traced(root, "inbound", "a@example.com"))
    assert hop.kind is Kind.EXPANSION
    assert "in a circle" in hop.message


def test_a_catch_all_takes_everybody(tmp_path: Path) -> None:
    root = lay_out(tmp_path, edited(VIRTUALS, "info@", "@example.com: alice@example.com\ninfo@"))
    trace = traced(root, "inbound", "whoever@example.com")
    assert trace.verdict is Verdict.OK
    assert any(spot(hop) == (VIRTUALS, "@example.com") for hop in trace.hops if hop.kind is Kind.EXPANSION)


def test_mail_that_is_forwarded_leaves_through_pf(tmp_path: Path) -> None:
    trace = traced(lay_out(tmp_path), "inbound", "away@example.com")
    assert trace.end == "Mail for away@example.com goes on to the servers of example.org."
    root = lay_out(tmp_path, edited(PF, "pass out\n", "pass out\nblock out proto tcp to port 25\n"))
    hop = broken(traced(root, "inbound", "away@example.com"))
    assert spot(hop) == (PF, "block out proto tcp to port 25")


def test_one_of_two_ends_may_break(tmp_path: Path) -> None:
    changes = edited(VIRTUALS, "info@example.com: ", "info@example.com: far@example.org, ")
    changes |= edited(PF, "pass out\n", "pass out\nblock out proto tcp to port 25\n")
    trace = traced(lay_out(tmp_path, changes), "inbound", "info@example.com")
    assert trace.is_whole
    assert broken(trace).branch == "relay example.org"
    assert trace.end.endswith("arrives in /var/vmail/example.com/alice.")


def test_a_relay_by_a_host_of_this_machine_meets_no_firewall(tmp_path: Path) -> None:
    changes = edited(SMTPD, '"out" relay', '"out" relay host smtp://127.0.0.1:10027')
    changes |= edited(PF, "pass out\n", "")
    assert traced(lay_out(tmp_path, changes), "submission", ALICE).verdict is Verdict.OK


def test_a_smart_host_is_reached_on_its_port(tmp_path: Path) -> None:
    changes = edited(SMTPD, '"out" relay', '"out" relay host smtps://mx.example.net')
    changes |= edited(PF, "pass out\n", "pass out proto tcp to port 25\n")
    hop = broken(traced(lay_out(tmp_path, changes), "submission", ALICE))
    assert (hop.kind, hop.subject) == (Kind.FIREWALL, "port 465 to the Internet")


def test_a_sender_of_a_list_takes_another_way(tmp_path: Path) -> None:
    changes = edited(SMTPD, "match from any", 'match from any mail-from "bad@example.org" for any reject\nmatch from any')
    root = lay_out(tmp_path, changes)
    assert traced(root, "inbound", ALICE).verdict is Verdict.OK
    assert broken(traced(root, "inbound", ALICE, sender="bad@example.org")).kind is Kind.RULE


def test_a_table_that_is_not_at_hand_leaves_it_open(tmp_path: Path) -> None:
    trace = traced(lay_out(tmp_path, {VIRTUALS: None}), "inbound", "info@example.com")
    assert (trace.verdict, trace.is_whole, trace.is_incomplete) == (Verdict.UNKNOWN, False, True)
    changes = edited(SMTPD, 'for domain "example.com"', "for domain <doms>")
    changes[SMTPD] = f"table doms file:/var/lib/doms\n{changes[SMTPD]}"
    last = traced(lay_out(tmp_path, changes), "inbound", "info@example.com").hops[-1]
    assert (last.kind, last.verdict, last.reason) == (Kind.RULE, Verdict.UNKNOWN, Reason.NOT_RECORDED)


# Before the rules


@pytest.mark.parametrize(
    ("changes", "kind", "where"),
    [
        (edited(PF, "{ 25 465", "{ 465"), Kind.FIREWALL, (PF, "block all")),
        (edited(SMTPD, "table aliases", "tabel aliases"), Kind.DAEMON, (SMTPD, "tabel")),
        (edited(SMTPD, "listen on all tls pki mail\n", ""), Kind.LISTENER, (SMTPD, "")),
        (edited(SMTPD, "listen on all tls", "listen on lo0 tls"), Kind.LISTENER, (SMTPD, "listen on lo0 tls pki mail")),
        (edited(SMTPD, MX, f"{MX} auth <creds>"), Kind.LISTENER, (SMTPD, "auth")),
        (edited(SMTPD, MX, "listen on all port 25 smtps pki mail"), Kind.LISTENER, (SMTPD, "smtps")),
        ({CREDENTIALS: "broken line\n"}, Kind.DAEMON, (CREDENTIALS, "broken line")),
    ],
)  # fmt: skip
def test_what_stands_before_the_rules_breaks(
    tmp_path: Path, changes: dict[str, str | None], kind: Kind, where: tuple[str, str]
) -> None:
    trace = traced(lay_out(tmp_path, changes), "inbound", "info@example.com")
    hop = broken(trace)
    assert trace.hops[-1] is hop
    assert (hop.kind, spot(hop)) == (kind, where)


def test_what_pfctl_refuses_leaves_open_which_rules_are_in_force(tmp_path: Path) -> None:
    trace = traced(lay_out(tmp_path, edited(PF, "{ 25", "{ 25 sshd")), "inbound", ALICE)
    hop = next(hop for hop in trace.hops if hop.kind is Kind.FIREWALL)
    assert (hop.verdict, hop.reason, spot(hop)) == (Verdict.UNKNOWN, Reason.IN_DOUBT, (PF, "sshd"))
    assert trace.is_incomplete


def test_a_firewall_that_is_off_lets_all_pass(tmp_path: Path) -> None:
    trace = traced(lay_out(tmp_path, {"/etc/rc.conf.local": "pf=NO\n", PF: "block all\n"}), "inbound", ALICE)
    hop = next(hop for hop in trace.hops if hop.kind is Kind.FIREWALL)
    assert (hop.verdict, spot(hop)) == (Verdict.OK, ("/etc/rc.conf.local", "NO"))


def test_a_daemon_that_is_off_breaks(tmp_path: Path) -> None:
    root = lay_out(tmp_path, {"/etc/rc.conf.local": "smtpd_flags=NO\n"})
    assert spot(broken(traced(root, "inbound", ALICE))) == ("/etc/rc.conf.local", "NO")
    assert spot(broken(traced(root, "imap", ALICE))) == ("/etc/rc.conf.local", "")


def test_nothing_of_a_daemon_is_no_break(tmp_path: Path) -> None:
    trace = traced(
        lay_out(tmp_path, {path: None for path in FILES if path.startswith(("/etc/mail", "/etc/dovecot"))}), "imap", ALICE
    )
    assert (trace.verdict, trace.hops[-1].kind, trace.is_incomplete) == (Verdict.UNKNOWN, Kind.DAEMON, True)


def test_a_filter_that_smtpd_decides_itself(tmp_path: Path) -> None:
    def with_filter(words: str) -> Path:
        changes = edited(SMTPD, "listen on all tls pki mail\n", "listen on all tls pki mail filter own\n")
        changes[SMTPD] = f"filter own phase {words}\n{changes[SMTPD]}"
        return lay_out(tmp_path, changes)

    hop = broken(
        traced(with_filter('rcpt-to match rcpt-to { "info@example.com" } reject "550 no"'), "inbound", "info@example.com")
    )
    assert (hop.kind, "550 no" in hop.message) == (Kind.FILTER, True)
    assert traced(with_filter('connect match !rdns disconnect "550 no"'), "inbound", ALICE).verdict is Verdict.OK
    assert broken(traced(with_filter('mail-from match !auth reject "550 no"'), "inbound", ALICE)).kind is Kind.FILTER


# A user who sends


def test_who_may_send_as_whom(tmp_path: Path) -> None:
    root = lay_out(tmp_path)
    assert traced(root, "submission", ALICE, sender="Info+x@example.com").verdict is Verdict.OK
    hop = broken(traced(root, "submission", ALICE, sender="bob@example.com"))
    assert (hop.kind, spot(hop)) == (Kind.SENDER, ("/etc/mail/senders", ALICE))
    free = lay_out(tmp_path, edited(SMTPD, " senders <may>", ""))
    assert traced(free, "submission", ALICE, sender="ceo@elsewhere.org").verdict is Verdict.OK
    none = lay_out(tmp_path, {"/etc/mail/senders": "bob@example.com: @example.com\n"})
    assert spot(broken(traced(none, "submission", ALICE))) == ("/etc/mail/senders", "")


@pytest.mark.parametrize(
    ("field", "words"),
    [("{BLF-CRYPT}$2b$10$x", "begins with {BLF-CRYPT}"), ("*", "is locked"), ("$6$abc$def", "is no bcrypt hash")],
)  # fmt: skip
def test_a_password_that_cannot_match(tmp_path: Path, field: str, words: str) -> None:
    root = lay_out(tmp_path, {CREDENTIALS: f"alice@example.com:{field}:2000:2000::/home::\n"})
    hop = broken(traced(root, "submission", ALICE))
    assert (hop.kind, words in hop.message) == (Kind.LOGIN, True)


def test_a_login_with_capitals_in_the_file_is_never_found(tmp_path: Path) -> None:
    text = FILES[CREDENTIALS]
    hop = broken(traced(lay_out(tmp_path, {CREDENTIALS: text.replace("alice", "Alice", 1)}), "submission", ALICE))
    assert spot(hop) == (CREDENTIALS, "Alice@example.com")
    hop = broken(traced(lay_out(tmp_path), "submission", "bob@example.com"))
    assert spot(hop) == (CREDENTIALS, "")


def test_logins_may_be_the_hosts_accounts(tmp_path: Path) -> None:
    root = lay_out(tmp_path, edited(SMTPD, "auth <creds> senders <may>", "auth"))
    trace = traced(root, "submission", "carl", sender="carl@example.com")
    hop = next(hop for hop in trace.hops if hop.kind is Kind.LOGIN)
    assert (hop.verdict, spot(hop)) == (Verdict.UNKNOWN, ("/etc/passwd", "carl"))
    assert broken(traced(root, "submission", ALICE)).kind is Kind.LOGIN


def test_no_listener_for_users(tmp_path: Path) -> None:
    root = lay_out(tmp_path, edited(SMTPD, FILES[SMTPD].splitlines()[10] + "\n", ""))
    assert broken(traced(root, "submission", ALICE)).kind is Kind.LISTENER


def test_mail_of_a_user_to_a_neighbour_arrives(tmp_path: Path) -> None:
    trace = traced(lay_out(tmp_path), "submission", ALICE, recipient="info@example.com")
    assert trace.end.endswith("arrives in /var/vmail/example.com/alice.")


# A user who reads


def test_a_user_without_a_line_is_not_let_in(tmp_path: Path) -> None:
    hop = broken(traced(lay_out(tmp_path), "imap", "bob@example.com"))
    assert (hop.kind, spot(hop)) == (Kind.LOGIN, (CREDENTIALS, ""))
    locked = {CREDENTIALS: "alice@example.com:*:2000:2000::/home::\n"}
    hop = broken(traced(lay_out(tmp_path, locked), "imap", ALICE))
    assert spot(hop) == (CREDENTIALS, ALICE)


def test_files_that_a_daemon_may_not_read(tmp_path: Path) -> None:
    stat = {"type": "file", "mode": "0400", "owner": "root", "group": "wheel"}
    root = lay_out(tmp_path, None, {"dns": DNS, "stat": {CREDENTIALS: stat}})
    for way in ("submission", "imap"):
        hop = broken(traced(root, way, ALICE))
        assert (hop.kind, "may not read" in hop.message) == (Kind.DAEMON, True)


def test_a_listener_inside_may_be_led_to(tmp_path: Path) -> None:
    trace = traced(lay_out(tmp_path, edited(SMTPD, MX, "listen on 10.0.0.5 tls pki mail")), "inbound", ALICE)
    hop = next(hop for hop in trace.hops if hop.kind is Kind.LISTENER)
    assert (hop.verdict, hop.reason, trace.is_whole) == (Verdict.UNKNOWN, Reason.IN_DOUBT, True)
    bound = lay_out(tmp_path, edited(SMTPD, MX, "listen on 203.0.113.77 tls pki mail"))
    assert broken(traced(bound, "inbound", ALICE)).kind is Kind.LISTENER


def test_a_maildir_of_an_account_is_read_by_the_account(tmp_path: Path) -> None:
    changes = edited(SMTPD, 'action "local" mbox', 'action "local" maildir "~/Maildir"')
    changes[SMTPD] = str(changes[SMTPD]).replace("match from local for local", "match from any for domain host7.example.com")
    changes[DOVECOT] = FILES[DOVECOT].replace("maildir:/var/vmail/%d/%n", "maildir:~/Maildir")
    changes[CREDENTIALS] = f"carl:{HASH}:1001:1001::/home/carl::\n"
    trace = traced(lay_out(tmp_path, changes), "inbound", "postmaster@host7.example.com")
    assert trace.end == "Mail for postmaster@host7.example.com arrives in /home/carl/Maildir."
    assert trace.hops[-1].message == "Dovecot reads the mail of carl there."


@pytest.mark.parametrize(
    ("changes", "kind", "words"),
    [
        (edited(CREDENTIALS, "2000:2000", "100:2000"), Kind.MAILBOX, "below first_valid_uid"),
        (edited(CREDENTIALS, HASH, "secret"), Kind.LOGIN, "no hash"),
        (edited(DOVECOT, "protocols = imap lmtp", "protocols = lmtp"), Kind.LISTENER, "imap is off"),
        (edited(DOVECOT, "ssl = required", "ssl = no"), Kind.LISTENER, "TLS is off"),
        (edited(DOVECOT, "  inbox = yes\n", "  inbox = no\n"), Kind.MAILBOX, "none holds the inbox"),
        (edited(DOVECOT, "ssl = required", "ssl = perhaps"), Kind.DAEMON, "refuses its configuration"),
        ({"/etc/ssl/mail.crt": "nothing"}, Kind.TLS, "holds no"),
    ],
)
def test_why_a_user_cannot_read(tmp_path: Path, changes: dict[str, str | None], kind: Kind, words: str) -> None:
    hop = broken(traced(lay_out(tmp_path, changes), "imap", ALICE))
    assert (hop.kind, words in hop.message) == (kind, True), hop.message


def test_a_certificate_for_another_name_keeps_users_out_and_other_servers_not(tmp_path: Path) -> None:
    toml = FILES["/mailaudit.toml"].replace("mail.example.com", "imap.example.com")
    root = lay_out(tmp_path, {"/mailaudit.toml": toml})
    assert broken(traced(root, "imap", ALICE)).kind is Kind.TLS
    assert traced(root, "inbound", ALICE).verdict is Verdict.OK


# Delivery by LMTP


def with_lmtp(dovecot: str) -> dict[str, str | None]:
    return {SMTPD: LMTP, DOVECOT: FILES[DOVECOT] + dovecot}


LISTENER = "service lmtp {\n  unix_listener lmtp {\n    user = vmail\n    mode = 0600\n  }\n}\n"


def test_lmtp_hands_the_mail_to_dovecot(tmp_path: Path) -> None:
    trace = traced(lay_out(tmp_path, with_lmtp(LISTENER)), "inbound", "info+x@example.com")
    assert trace.verdict is Verdict.OK
    assert trace.end == "Mail for info+x@example.com arrives in /var/vmail/example.com/alice."


@pytest.mark.parametrize(
    ("dovecot", "words"),
    [
        (LISTENER.replace("vmail", "dovecot"), "who may not write to it"),
        (LISTENER.replace("0600", "0"), "no LMTP socket"),
        ("protocols = imap\n", "does not serve LMTP"),
    ],
)  # fmt: skip
def test_a_socket_that_smtpd_does_not_reach(tmp_path: Path, dovecot: str, words: str) -> None:
    hop = broken(traced(lay_out(tmp_path, with_lmtp(dovecot)), "inbound", ALICE))
    assert (hop.kind, words in hop.message) == (Kind.DELIVERY, True), hop.message


def test_dovecot_knows_the_recipient_or_not(tmp_path: Path) -> None:
    changes = with_lmtp(LISTENER) | edited(
        VIRTUALS, "alice@example.com: vmail", "alice@example.com: vmail\nghost@example.com: vmail"
    )
    hop = broken(traced(lay_out(tmp_path, changes), "inbound", "ghost@example.com"))
    assert (hop.kind, "550 5.1.1" in hop.message) == (Kind.MAILBOX, True)


def test_a_script_that_throws_all_mail_away_breaks(tmp_path: Path) -> None:
    plugin = "protocol lmtp {\n  mail_plugins = sieve\n}\nplugin {\n  sieve_before = /etc/dovecot/all.sieve\n}\n"
    changes = with_lmtp(LISTENER + plugin) | {"/etc/dovecot/all.sieve": "discard;\n"}
    hop = broken(traced(lay_out(tmp_path, changes), "inbound", ALICE))
    assert spot(hop) == ("/etc/dovecot/all.sieve", "discard")
    changes["/etc/dovecot/all.sieve"] = 'require "fileinto"; if header :is "X-Spam" "yes" { fileinto "Junk"; }\n'
    assert not traced(lay_out(tmp_path, changes), "inbound", ALICE).breaks
    changes["/etc/dovecot/all.sieve"] = 'require "fileinto"; fileinto "Later";\n'
    assert "every message into Later" in traced(lay_out(tmp_path, changes), "inbound", ALICE).hops[-1].message


# The network, as recorded

DNS: dict[str, Any] = {
    "example.com. MX": {"rcode": "NOERROR", "records": ["10 mail.example.com."]},
    "mail.example.com. A": {"rcode": "NOERROR", "records": ["203.0.113.9"]},
    "mail.example.com. AAAA": {"rcode": "NOERROR", "records": []},
}
ENDPOINTS: dict[str, Any] = {"203.0.113.9 25 smtp": {"greeting": "220 hello", "starttls": True, "protocols": ["TLSv1.3"]}}


def recorded(tmp_path: Path, dns: dict[str, Any], endpoints: dict[str, Any] | None = None) -> Path:
    return lay_out(tmp_path, None, {"dns": {**DNS, **dns}, "endpoints": ENDPOINTS if endpoints is None else endpoints})


def test_what_is_recorded_of_the_network_is_told(tmp_path: Path) -> None:
    trace = traced(recorded(tmp_path, {}), "inbound", "info@example.com")
    assert told(trace)[:2] == ["dns ok", "dns ok"]
    assert trace.hops[0].places == (Evidence("example.com. MX", "10 mail.example.com."),)
    assert {hop.verdict for hop in trace.hops if hop.kind in (Kind.GREETING, Kind.HANDSHAKE)} == {Verdict.OK}


@pytest.mark.parametrize(
    ("answer", "verdict", "reason"),
    [
        ({"rcode": "NXDOMAIN"}, Verdict.BROKEN, None),
        ({"rcode": "NOERROR", "records": ["0 ."]}, Verdict.BROKEN, None),
        ({"rcode": "NOERROR", "records": ["10 mx.example.org."]}, Verdict.UNKNOWN, Reason.NOT_RECORDED),
        ({"rcode": "SERVFAIL"}, Verdict.UNKNOWN, Reason.SERVFAIL),
        ({"error": "timeout"}, Verdict.UNKNOWN, Reason.TIMEOUT),
    ],
)
def test_what_dns_says_of_the_domain(tmp_path: Path, answer: dict[str, Any], verdict: Verdict, reason: Reason | None) -> None:
    trace = traced(recorded(tmp_path, {"example.com. MX": answer}), "inbound", "info@example.com")
    assert (trace.hops[0].verdict, trace.hops[0].reason) == (verdict, reason)
    assert (len(trace.hops) == 1) == (verdict is Verdict.BROKEN or reason is Reason.SERVFAIL)


def test_mail_that_goes_to_another_host(tmp_path: Path) -> None:
    elsewhere = {
        "example.com. MX": {"rcode": "NOERROR", "records": ["10 mx.example.org."]},
        "mx.example.org. A": {"rcode": "NOERROR", "records": ["192.0.2.1"]},
        "mx.example.org. AAAA": {"rcode": "NOERROR", "records": []},
    }
    assert "not this host" in broken(traced(recorded(tmp_path, elsewhere), "inbound", ALICE)).message
    backup = elsewhere | {"example.com. MX": {"rcode": "NOERROR", "records": ["10 mx.example.org.", "20 mail.example.com."]}}
    first = traced(recorded(tmp_path, backup), "inbound", ALICE).hops[0]
    assert (first.verdict, first.reason) == (Verdict.UNKNOWN, Reason.IN_DOUBT)
    other = {"mail.example.com. A": {"rcode": "NOERROR", "records": ["192.0.2.1"]}}
    assert broken(traced(recorded(tmp_path, other), "imap", ALICE)).kind is Kind.DNS


@pytest.mark.parametrize(
    ("endpoint", "verdict"),
    [
        ({"error": "refused"}, Verdict.BROKEN),
        ({"greeting": "554 go away"}, Verdict.BROKEN),
        ({"greeting": "421 later"}, Verdict.UNKNOWN),
        ({"error": "timeout"}, Verdict.UNKNOWN),
    ],
)
def test_what_answers_on_the_port(tmp_path: Path, endpoint: dict[str, Any], verdict: Verdict) -> None:
    trace = traced(recorded(tmp_path, {}, {"203.0.113.9 25 smtp": endpoint}), "inbound", ALICE)
    hop = next(hop for hop in trace.hops if hop.kind is Kind.GREETING)
    assert hop.verdict is verdict


def test_a_certificate_that_is_not_there_keeps_dovecot_down(tmp_path: Path) -> None:
    root = lay_out(tmp_path, {"/etc/ssl/mail.crt": None}, {"dns": DNS, "stat": {"/etc/ssl/mail.crt": None}})
    hop = broken(traced(root, "imap", ALICE))
    assert (hop.kind, spot(hop)) == (Kind.DAEMON, (DOVECOT, "/etc/ssl/mail.crt"))
    hop = broken(traced(root, "inbound", ALICE))
    assert (hop.kind, spot(hop)) == (Kind.TLS, (SMTPD, '"/etc/ssl/mail.crt"'))
