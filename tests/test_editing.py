"""Edits in the field's own terms: byte for byte what they write, in each language and style."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailaudit.editing import (
    acme,
    crontab,
    doas,
    dovecot,
    hostname_if,
    httpd,
    lists,
    login,
    pf,
    rc,
    redis,
    sieve,
    smtpd,
    sshd,
    statements,
    tables,
    ucl,
    words,
    zone,
)
from mailaudit.editing.lists import Items
from mailaudit.editing.style import Edits, Style, Unwritable
from mailaudit.edits import apply
from mailaudit.parsers.pf_lines import LEXICON
from mailaudit.parsers.tree import Statement, Tree, nothing
from mailaudit.text import Text

Change = Callable[[Tree], Edits | None]


def read(style: Style, chars: str) -> Tree:
    return style.language.parse(Text.of("/etc/file", chars), nothing)


def changed(style: Style, chars: str, change: Change) -> str:
    """The text after a change; a second time the same change finds nothing to do, or is done again where it adds."""
    edits = change(read(style, chars))
    assert edits is not None
    return apply(chars, edits)


def settled(style: Style, chars: str, change: Change) -> str:
    after = changed(style, chars, change)
    assert change(read(style, after)) == ()
    return after


def nth(tree: Tree, kind: str, number: int = 0) -> Statement:
    return [each for each in tree.walk() if each.kind == kind][number]


LINES = "set skip on lo\n\n# all\nblock all # now\npass out\n"


@pytest.mark.parametrize(
    ("before", "change", "after"),
    [
        (LINES, lambda t: pf.remove(nth(t, "rule")), "set skip on lo\n\n# all\npass out\n"),
        (LINES, lambda t: statements.remove(nth(t, "rule"), pf.STYLE, comment=True), "set skip on lo\n\n# all\npass out\n"),
        (
            "a = 1\n\n# b\nb = 2\n\nc = 3\n",
            lambda t: statements.remove(nth(t, "macro", 1), pf.STYLE, comment=True),
            "a = 1\n\nc = 3\n",
        ),
        ("a = 1\nb = 2", lambda t: pf.remove(nth(t, "macro", 1)), "a = 1"),
        ("a = 1\nb = 2", lambda t: pf.add(t, "c = 3"), "a = 1\nb = 2\nc = 3"),
        ("a = 1 \\\n\nb = 2\n", lambda t: pf.remove(nth(t, "macro")), "b = 2\n"),
        ("pass in # x \\\n goes on\nblock all\n", lambda t: pf.remove(nth(t, "rule")), "block all\n"),
        (
            "pass in \\\n# x\nblock all\n",
            lambda t: statements.above(nth(t, "rule", 1), pf.STYLE, "match"),
            "pass in \\\n# x\nmatch\nblock all\n",
        ),
        ("", lambda t: pf.add(t, "block all"), "block all\n"),
        ("pass in\n", lambda t: pf.set_option(t, "block-policy", "return"), "set block-policy return\npass in\n"),
        ("# f\n\npass in\n", lambda t: pf.set_option(t, "debug", "notice"), "# f\n\nset debug notice\npass in\n"),
        ("set debug \\\n  err # e\n", lambda t: pf.set_option(t, "debug", "notice"), "set debug \\\n  notice # e\n"),
        (
            'anchor "x" {\n  pass in\n}\n',
            lambda t: statements.inside(nth(t, "anchor"), pf.STYLE, "pass out"),
            'anchor "x" {\n  pass in\n  pass out\n}\n',
        ),
    ],
)
def test_statements(before: str, change: Change, after: str) -> None:
    assert changed(pf.STYLE, before, change) == after


def test_a_line_keeps_the_line_ends_of_its_file() -> None:
    crlf = "ssl = yes\r\nlisten = *\r\n"
    assert settled(dovecot.STYLE, crlf, lambda t: dovecot.set_value(t, "protocols", "imap")) == crlf + "protocols = imap\r\n"
    gone = changed(dovecot.STYLE, crlf, lambda t: dovecot.remove(nth(t, "setting")))
    assert gone == "listen = *\r\n"


def test_commented_out_is_a_comment_with_its_body() -> None:
    before = "service x {\n  # why\n  port = 1\n}\nssl = yes\n"
    after = "#service x {\n  # why\n  #port = 1\n#}\nssl = yes\n"
    assert changed(dovecot.STYLE, before, lambda t: dovecot.comment_out(nth(t, "section"))) == after


def ports(tree: Tree, number: int = 0) -> tuple[Statement, Items]:
    rule = nth(tree, "rule", number)
    (listed,) = [node for node in pf.lists_of(rule) if node.kind == "ports"]
    items = pf.items(rule, listed)
    assert items is not None
    return rule, items


@pytest.mark.parametrize(
    ("before", "added", "removed"),
    [
        ("{ 22 25 }", "{ 22 25 587 }", "{ 25 }"),
        ("{ 22, 25 }", "{ 22, 25, 587 }", "{ 25 }"),
        ("{22,25}", "{22,25,587}", "{25}"),
        ("{ 22\n\t25 # mail\n}", "{ 22\n\t25 # mail\n\t587\n}", "{ 25 # mail\n}"),
        ("{\n\t22, # shell\n\t25 # mail\n}", "{\n\t22, # shell\n\t25, # mail\n\t587\n}", "{\n\t25 # mail\n}"),
        ("{ \\\n 22, \\\n 25 \\\n}", "{ \\\n 22, \\\n 25, \\\n 587 \\\n}", "{ \\\n 25 \\\n}"),
        ("25", "{ 25 587 }", None),
        ("{ 25 }", "{ 25 587 }", None),
        ("1024:2048", "{ 1024:2048 587 }", None),
    ],
)
def test_lists(before: str, added: str, removed: str | None) -> None:
    chars = f"pass in proto tcp to port {before}\n"
    tree = read(pf.STYLE, chars)
    edits = lists.insert_item(ports(tree)[1], "587")
    assert edits is not None
    assert apply(chars, edits) == f"pass in proto tcp to port {added}\n"
    gone = lists.remove_item(ports(tree)[1], 0)
    assert (None if gone is None else apply(chars, gone)) == (
        None if removed is None else f"pass in proto tcp to port {removed}\n"
    )


def test_the_last_of_a_list_of_lines_takes_the_comma_before_it_along() -> None:
    chars = "pass in proto tcp to port {\n\t22, # shell\n\t25 # mail\n}\n"
    edits = lists.remove_item(ports(read(pf.STYLE, chars))[1], 1)
    assert edits is not None
    assert apply(chars, edits) == "pass in proto tcp to port {\n\t22 # shell\n}\n"


def test_a_macro_changes_only_when_it_is_asked_for() -> None:
    chars = 'p = "22 25"\npass in proto tcp to port { $p 80 }\npass in proto tcp to port $p\n'
    tree = read(pf.STYLE, chars)
    rule, items = ports(tree)
    edits = lists.insert_item(items, "587", 1)
    assert edits is not None
    assert apply(chars, edits) == chars.replace("{ $p 80 }", "{ $p 587 80 }")
    assert lists.insert_item(ports(tree, 1)[1], "587") is None, "whether $p holds a list is not for the rule to say"
    assert words.instead(rule.seen[-4], "23") is None, "22 came out of the macro"
    assert words.without(rule, [rule.seen[-4]]) is None
    assert settled(pf.STYLE, chars, lambda t: pf.set_macro(t, "p", "22 26")) == chars.replace("22 25", "22 26")


@pytest.mark.parametrize(
    ("before", "change", "after"),
    [
        ("listen on all tls\n", lambda t: smtpd.set_option(nth(t, "listen"), "pki", "m1"), "listen on all tls pki m1\n"),
        ("listen on all pki a tls\n", lambda t: smtpd.set_option(nth(t, "listen"), "pki", "m1"), "listen on all pki m1 tls\n"),
        ("listen on all prot 25\n", lambda t: smtpd.set_option(nth(t, "listen"), "tls"), "listen on all prot 25 tls\n"),
        ("listen on all auth # x\n", lambda t: smtpd.set_option(nth(t, "listen"), "auth", "<u>"), "listen on all auth <u> # x\n"),
        ("listen on all auth <u>\n", lambda t: smtpd.set_option(nth(t, "listen"), "auth"), "listen on all auth\n"),
        ("listen on all auth <u> tls\n", lambda t: smtpd.remove_option(nth(t, "listen"), "auth"), "listen on all tls\n"),
        (
            'match for local action "l"\n',
            lambda t: smtpd.set_option(nth(t, "match"), "from", "any"),
            'match for local from any action "l"\n',
        ),
        (
            'pki m1 cert "/c"\n\naction "a" relay\n',
            lambda t: smtpd.set_pki(t, "m1", "key", "/k"),
            'pki m1 cert "/c"\npki m1 key "/k"\n\naction "a" relay\n',
        ),
        (
            "table a file:/a\n\ntable b { x, y }\n\nlisten on all\n",
            lambda t: smtpd.set_table(t, "c", "db:/c"),
            "table a file:/a\n\ntable b { x, y }\n\ntable c db:/c\n\nlisten on all\n",
        ),
        ("listen on all filter a\n", lambda t: smtpd.add_filter(nth(t, "listen"), "b"), "listen on all filter { a, b }\n"),
        (
            'listen on all filter { "a" }\n',
            lambda t: smtpd.add_filter(nth(t, "listen"), "b"),
            'listen on all filter { "a", "b" }\n',
        ),
    ],
)
def test_smtpd(before: str, change: Change, after: str) -> None:
    assert changed(smtpd.STYLE, before, change) == after


def test_a_new_group_stands_off_as_the_files_groups_do() -> None:
    before = "# users\nlisten on all port 587\n\n# others\nlisten on all\n\nmatch for any reject\n"
    add: Change = lambda t: smtpd.add(t, "listen on socket", use=nth(t, "listen"))  # noqa: E731
    assert changed(smtpd.STYLE, before, add) == "listen on socket\n\n" + before
    crowded = "listen on all port 587\nlisten on all\n"
    assert changed(smtpd.STYLE, crowded, add) == "listen on socket\n" + crowded


@pytest.mark.parametrize(
    ("before", "key", "value", "path", "after"),
    [
        ("ssl = yes # s\n", "ssl", "required", (), "ssl = required # s\n"),
        ("a=1\nssl=yes\n", "listen", "*", (), "a=1\nssl=yes\nlisten=*\n"),
        (
            "a       = 1\nprotocols = x\nssl       = yes\n",
            "listen",
            "*",
            (),
            "a       = 1\nprotocols = x\nssl       = yes\nlisten    = *\n",
        ),
        ("ssl       = yes\nprotocols = x\n", "listen", "*", (), "ssl       = yes\nprotocols = x\nlisten    = *\n"),
        ("ssl = yes\n!include conf.d/*\n", "listen", "*", (), "ssl = yes\n!include conf.d/*\nlisten = *\n"),
        ("", "listen", "*", (), "listen = *\n"),
        ("service a {\n\tx = 1\n}\n", "y", "2", ("service a",), "service a {\n\tx = 1\n\ty = 2\n}\n"),
        ("service a {\n}\n", "y", "2", ("service a", "unix_listener b"), "service a {\n  unix_listener b {\n    y = 2\n  }\n}\n"),
        ("x = 1\n", "y", "2", ("protocol imap",), "x = 1\n\nprotocol imap {\n  y = 2\n}\n"),
        ("x = 1\n", "y", "a # b", (), 'x = 1\ny = "a # b"\n'),
        ("x = a \\\n  b \\\n  c\n", "x", "d e", (), "x = d e\n"),
    ],
)
def test_dovecot(before: str, key: str, value: str, path: tuple[str, ...], after: str) -> None:
    assert settled(dovecot.STYLE, before, lambda t: dovecot.set_value(t, key, value, path)) == after


def test_a_long_value_of_dovecot_goes_on_as_it_did() -> None:
    before = "auth_mechanisms = " + " \\\n  ".join(["plain"] * 30) + "\n"
    value = " ".join(["login"] * 40)
    after = settled(dovecot.STYLE, before, lambda t: dovecot.set_value(t, "auth_mechanisms", value))
    assert after.count(" \\\n  login") == 3
    assert max(map(len, after.splitlines())) <= dovecot.WIDTH + 20


@pytest.mark.parametrize(
    ("style", "before", "change", "after"),
    [
        (
            acme.STYLE,
            "domain a {\n\tsign with b\n}\n",
            lambda t: acme.add_name(t, nth(t, "domain"), "www.a"),
            "domain a {\n\tsign with b\n\talternative names { www.a }\n}\n",
        ),
        (
            acme.STYLE,
            "domain a {\n\talternative names { x y }\n\tsign with b\n}\n",
            lambda t: acme.remove_name(nth(t, "domain"), "x"),
            "domain a {\n\talternative names { y }\n\tsign with b\n}\n",
        ),
        (
            httpd.STYLE,
            'server "a" {\n    listen on * tls port 443\n    tls {\n        certificate "/c"\n        key "/k"\n    }\n}\n',
            lambda t: httpd.set_flag(t, nth(t, "server"), 'tls key "/n"'),
            'server "a" {\n    listen on * tls port 443\n    tls {\n        certificate "/c"\n        key "/n"\n    }\n}\n',
        ),
        (
            httpd.STYLE,
            'server "a" {\n\tlisten on * port 80\n}\n',
            lambda t: httpd.add(t, 'server "b" {', "\tlisten on * port 81", '\tlocation "/" {', "\t\tblock", "\t}", "}"),
            'server "a" {\n\tlisten on * port 80\n}\nserver "b" {\n\tlisten on * port 81\n\tlocation "/" {\n\t\tblock\n\t}\n}\n',
        ),
        (
            ucl.STYLE,
            'a = "x";\nsec {\n    b: true\n    long: 2\n}\n',
            lambda t: ucl.set_value(t, ("sec", "c"), "y"),
            'a = "x";\nsec {\n    b: true\n    long: 2\n    c: "y"\n}\n',
        ),
        (ucl.STYLE, '{\n  "a": 1\n}\n', lambda t: ucl.set_value(t, ("b",), 2), '{\n  "a": 1,\n  "b": 2\n}\n'),
        (ucl.STYLE, 'a = "x";\n', lambda t: ucl.add_item(t, ("a",), "y"), 'a = ["x", "y"];\n'),
        (ucl.STYLE, 'a = [\n  "x",\n  "y", # why\n];\n', lambda t: ucl.remove_item(t, ("a",), "y"), 'a = [\n  "x",\n];\n'),
        (
            login.STYLE,
            "auth:\\\n\t:a=b:\\\n\t:tc=default:\n",
            lambda t: login.set_capability(t, "auth", "openfiles", "128"),
            "auth:\\\n\t:a=b:\\\n\t:openfiles=128:\\\n\t:tc=default:\n",
        ),
        (login.STYLE, "auth:a=b:tc=c:\n", lambda t: login.remove_capability(t, "auth", "a"), "auth:tc=c:\n"),
        (rc.STYLE, 'smtpd_flags="-v"\n', lambda t: rc.set_variable(t, "smtpd_flags", "-x"), 'smtpd_flags="-x"\n'),
        (rc.STYLE, "pkg_scripts=a b\n", lambda t: rc.add_package_script(t, "c"), "pkg_scripts=a b c\n"),
        (rc.STYLE, 'pkg_scripts="a b c" # d\n', lambda t: rc.remove_package_script(t, "b"), 'pkg_scripts="a c" # d\n'),
        (rc.STYLE, "pkg_scripts=ab a\n", lambda t: rc.remove_package_script(t, "b"), "pkg_scripts=ab a\n"),
        (rc.STYLE, "", lambda t: rc.set_variable(t, "dovecot_flags", ""), "dovecot_flags=\n"),
        (doas.STYLE, "permit :wheel\n", lambda t: doas.set_option(nth(t, "rule"), "persist"), "permit persist :wheel\n"),
        (
            crontab.SYSTEM,
            "PATH=/bin\n#m\th\n0\t1\t*\t*\t*\troot\t/bin/a\n",
            lambda t: crontab.add_job(t, "@daily", "date +%s", "root"),
            "PATH=/bin\n#m\th\n0\t1\t*\t*\t*\troot\t/bin/a\n@daily\troot\tdate +\\%s\n",
        ),
        (
            crontab.STYLE,
            "PATH=/bin\n0 1 * * * a\n",
            lambda t: crontab.set_variable(t, "MAILTO", "x"),
            "PATH=/bin\nMAILTO=x\n0 1 * * * a\n",
        ),
        (
            sshd.STYLE,
            "Port 22\n\nMatch User a\n\tX11Forwarding no\n",
            lambda t: sshd.set_keyword(t, "PermitRootLogin", "no"),
            "Port 22\nPermitRootLogin no\n\nMatch User a\n\tX11Forwarding no\n",
        ),
        (sshd.STYLE, "Port 22\nPort 23\n", lambda t: sshd.set_keyword(t, "Port", "24"), "Port 24\nPort 23\n"),
        (
            sshd.STYLE,
            "# both\nport 22\nUseDNS no\nPort 23 # too\nMatch User a\n\tX11Forwarding no\n",
            lambda t: sshd.remove_keyword(t, "Port"),
            "# both\nUseDNS no\nMatch User a\n\tX11Forwarding no\n",
        ),
        (
            sshd.STYLE,
            "X11Forwarding yes\nMatch User a\n\tX11Forwarding no\n\tAllowTcpForwarding no\n",
            lambda t: sshd.remove_keyword(t, "X11Forwarding", nth(t, "match")),
            "X11Forwarding yes\nMatch User a\n\tAllowTcpForwarding no\n",
        ),
        (
            redis.STYLE,
            "bind 127.0.0.1\n",
            lambda t: redis.set_directive(t, "requirepass", 'a "b'),
            'bind 127.0.0.1\nrequirepass "a \\"b"\n',
        ),
        (
            hostname_if.STYLE,
            "inet 192.0.2.1 255.255.255.0\nup\n",
            lambda t: hostname_if.add(t, "inet alias 192.0.2.2 255.255.255.255"),
            "inet 192.0.2.1 255.255.255.0\ninet alias 192.0.2.2 255.255.255.255\nup\n",
        ),
        (
            tables.STYLES["aliases"],
            "root:\ta\nx:\tb\n",
            lambda t: tables.set_entry(t, "y", ["c", "d"]),
            "root:\ta\nx:\tb\ny:\tc, d\n",
        ),
        (
            tables.STYLES["virtuals"],
            "a@b  vmail\n@b   vmail\n",
            lambda t: tables.set_entry(t, "c@bb", ["x"]),
            "a@b  vmail\n@b   vmail\nc@bb x\n",
        ),
        (tables.STYLES["aliases"], "a: b, c\n", lambda t: tables.remove_target(nth(t, "entry"), "b"), "a: c\n"),
        (
            tables.STYLES["credentials"],
            "u:h:1:1::/h::\n",
            lambda t: tables.set_field(t, nth(t, "entry"), 1, "n"),
            "u:n:1:1::/h::\n",
        ),
        (sieve.STYLE, 'require "a";\nkeep;\n', lambda t: sieve.add_require(t, "b"), 'require ["a", "b"];\nkeep;\n'),
        (sieve.STYLE, "keep;\n", lambda t: sieve.add_require(t, "b"), 'require ["b"];\n\nkeep;\n'),
        (
            zone.STYLE,
            "@    IN SOA ns h 1 2 3 4 5\nmail IN A    192.0.2.1\n     IN AAAA 2001:db8::1\n",
            lambda t: zone.remove_record(t, nth(t, "record", 1)),
            "@    IN SOA ns h 1 2 3 4 5\nmail IN AAAA 2001:db8::1\n",
        ),
        (
            zone.STYLE,
            "mail IN A    192.0.2.1\n     IN AAAA 2001:db8::1\nwww  IN A    192.0.2.1\n",
            lambda t: zone.add_record(t, "mail", "A", "192.0.2.2"),
            "mail IN A    192.0.2.1\n     IN AAAA 2001:db8::1\n     IN A    192.0.2.2\nwww  IN A    192.0.2.1\n",
        ),
        (
            zone.STYLE,
            "mail IN A    192.0.2.1 ; one\n     IN AAAA 2001:db8::1\n",
            lambda t: zone.set_record(t, "mail", "A", "192.0.2.2"),
            "mail IN A    192.0.2.2 ; one\n     IN AAAA 2001:db8::1\n",
        ),
        (
            zone.STYLE,
            "mail IN A    192.0.2.1\n",
            lambda t: zone.set_record(t, "mail", "AAAA", "2001:db8::1"),
            "mail IN A    192.0.2.1\nmail IN AAAA    2001:db8::1\n",
        ),
    ],
)
def test_each_language_in_its_own_style(style: Style, before: str, change: Change, after: str) -> None:
    assert changed(style, before, change) == after


@pytest.mark.parametrize(
    "change",
    [
        lambda: smtpd.write("two\nlines"),
        lambda: httpd.write("nul\0"),
        lambda: dovecot.write("two\nlines"),
        lambda: rc.write("a # b"),
        lambda: tables.write_target("two\nlines"),
        lambda: zone.write_text("two\nlines"),
        lambda: login.written("a", "b:c"),
        lambda: pf.add(read(pf.STYLE, ""), "pass in # and more"),
        lambda: pf.add(read(pf.STYLE, ""), "pass in\npass out"),
        lambda: pf.add(read(pf.STYLE, ""), "pass inn"),
        lambda: smtpd.set_option(nth(read(smtpd.STYLE, "listen on all\n"), "listen"), "virtual", "<x>"),
        lambda: smtpd.set_option(nth(read(smtpd.STYLE, "listen on all\n"), "listen"), "tag", "a }"),
        lambda: acme.add_name(*_domain(), "a b"),
        lambda: httpd.add(read(httpd.STYLE, ""), 'server "x" {', "}", "banner"),
        lambda: crontab.add_job(read(crontab.STYLE, ""), "61 * * * *", "a"),
        lambda: doas.set_option(nth(read(doas.STYLE, "permit nopass a\n"), "rule"), "persist"),
        lambda: sshd.set_keyword(read(sshd.STYLE, ""), "PermitRootLogin", "perhaps"),
        lambda: dovecot.set_value(read(dovecot.STYLE, ""), "a b", "c"),
    ],
)
def test_what_cannot_be_written_is_refused(change: Callable[[], object]) -> None:
    with pytest.raises(Unwritable):
        change()


def _domain() -> tuple[Tree, Statement]:
    tree = read(acme.STYLE, "domain a {\n\tsign with b\n}\n")
    return tree, nth(tree, "domain")


def test_of_several_records_none_is_the_one() -> None:
    tree = read(zone.STYLE, "mail IN A 192.0.2.1\nmail IN A 192.0.2.2\n")
    assert zone.set_record(tree, "mail", "A", "192.0.2.3") is None


def test_a_block_that_must_hold_something_is_not_emptied() -> None:
    tree, domain = _domain()
    assert acme.remove(tree, domain.body[0]) is None
    assert acme.comment_out(tree, domain.body[0]) is None
    assert acme.remove_option(domain, "sign") is None


VALUES = st.text(st.characters(codec="utf-8") | st.sampled_from(" \t\n\r\0\"'\\#;:,={}[]()<>%$@/|-"), max_size=12)


def in_smtpd(value: str) -> str:
    return read(smtpd.STYLE, f"m = {smtpd.write(value)} # x\nlisten on all\n").statements[0].seen[2].value


def in_pf(value: str) -> str:
    return read(pf.STYLE, f"pass in label {words.quoted(value, LEXICON)} # x\nblock\n").statements[0].seen[3].value


def in_dovecot(value: str) -> str:
    return read(dovecot.STYLE, f"m = {dovecot.write(value)}\nssl = yes\n").statements[0].seen[2].value


def in_httpd(value: str) -> str:
    return read(httpd.STYLE, f"chroot {httpd.write(value)} # x\nprefork 3\n").statements[0].seen[1].value


def in_ucl(value: str) -> str:
    return read(ucl.STYLE, f"m = {ucl.write(value)}; # x\nn = 1;\n").statements[0].node.nodes("value")[0].first.value


def in_redis(value: str) -> str:
    return read(redis.STYLE, f"requirepass {redis.write(value)}\nbind *\n").statements[0].seen[1].value


def in_rc(value: str) -> str:
    return read(rc.STYLE, f"smtpd_flags={rc.write(value)} # x\n").statements[0].node.leaves()[1].value


def in_table(value: str) -> str:
    return read(tables.STYLES["aliases"], f"a: {tables.write_target(value)}, b\n").statements[0].tokens[2].value


def in_sieve(value: str) -> str:
    return read(sieve.STYLE, f"redirect {sieve.write(value)}; # x\n").statements[0].tokens[1].value


def in_doas(value: str) -> str:
    return read(doas.STYLE, f"permit a as {doas.write(value)} # x\n").statements[0].node.nodes("target")[0].first.value


@pytest.mark.parametrize(
    "written",
    [in_smtpd, in_pf, in_dovecot, in_httpd, in_ucl, in_redis, in_rc, in_table, in_sieve, in_doas],
)
@given(value=VALUES)
@settings(max_examples=120)
def test_a_value_is_read_again_as_it_was_or_refused(written: Callable[[str], str], value: str) -> None:
    try:
        found = written(value)
    except Unwritable:
        return
    assert found == value
