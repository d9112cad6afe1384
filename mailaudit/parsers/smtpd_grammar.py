"""The grammar of smtpd.conf(5) from OpenSMTPD 6.4 to 7.9: statements as rows of token kinds."""

from __future__ import annotations

import pyparsing as pp

from mailaudit.parsers.grammar import Grammar, Kinds, node
from mailaudit.parsers.tokens import Lexicon

_WORDS = """action admd alias any auth auth-optional backup bounce bypass ca cert chain chroot ciphers commit compression connect
    data data-line dhe disconnect domain ehlo encryption expand-only fcrdns filter for forward-only from group helo helo-src
    host hostname hostnames include inet4 inet6 junk key limit listen lmtp local mail-from maildir mask-src masquerade match
    max-deferred max-message-size mbox mda mta mx no-dsn no-verify noop on phase pki port proc proc-exec protocols proxy-v2
    queue quit rcpt-to rdns received-auth recipient regex reject relay report rewrite rset scheduler senders smtp smtp-in
    smtp-out smtps socket src srs sub-addr-delim table tag tagged tls tls-require ttl user userbase verify virtual
    warn-interval wrapper"""
KEYWORDS = frozenset(_WORDS.split())
STATEMENTS = (
    "action", "admd", "bounce", "ca", "filter", "include", "listen", "match", "mda", "mta", "pki", "proc", "queue",
    "scheduler", "smtp", "srs", "table",
)  # fmt: skip

# Bare words hold printable ASCII only; `{` to `,` end them (parse.y, allowed_in_string).
LEXICON = Lexicon(KEYWORDS, stop="(){}<>!=#,", operators=("=>",))

_kinds = Kinds()
_word = _kinds.token
_string = _kinds.token("string", "a word or a quoted string")
_number = _kinds.token("number", "a number")
_not = _kinds.token("!")


def _either(*choices: pp.ParserElement, name: str = "") -> pp.ParserElement:
    element = pp.MatchFirst(choices)
    return element.set_name(name) if name else element


def _flag(word: str) -> pp.ParserElement:
    """An option that is one word."""
    return node(word, _word(word))


def _taking(word: str, argument: pp.ParserElement) -> pp.ParserElement:
    """An option whose word must be followed by an argument."""
    return node(word, _word(word) - argument)


def _named(word: str, what: str) -> pp.ParserElement:
    return _taking(word, _kinds.token("string", what))


# Lists: commas are optional, newlines may stand after them or in their place (7.5 and later).
_S, _N, _COMMA = (_kinds.char(kind) for kind in ("string", "newline", ","))
_ASSIGN = f"[{_kinds.char('=')}{_kinds.char('=>')}]"
_SEPARATOR = f"(?:{_COMMA}{_N}*|{_N}+)?"


def _run(element: str, name: str) -> pp.ParserElement:
    run = pp.Regex(f"{_N}*{element}(?:{_SEPARATOR}{element})*{_N}*")
    run.set_parse_action(lambda _s, at, t: range(at, at + len(t[0])))
    return run.set_name(name)


_values = node("list", _run(_S, "a value"))
_pairs = node("pairs", _run(_S + _ASSIGN + _S, "a key and its value"))
_inline = node("inline", _word("{") - _either(_pairs, _values, name="a value, or a key = value") - _word("}"))
_names = node("chain", _word("{") - _values - _word("}"))
_reference = node("ref", _word("<") - _string - _word(">"))
_table = _either(_inline, _reference, node("value", _string), name="a <table>, a { list } or a value")
_tables = _either(node("regex", _word("regex") - _table), _table, name='"regex", a <table>, a { list } or a value')

_macro = node("macro", _string + _word("=") - _kinds.token("string", "a word or a quoted string (no keyword, no bare number)"))
_include = node("include", _word("include") - _kinds.token("string", "a file name"))

_pki = node(
    "pki",
    _word("pki") - _kinds.token("string", "a name"),
    pp.ZeroOrMore(_either(_named("cert", "a file name"), _named("key", "a file name"), _named("dhe", "none, auto or legacy"))),
)
_ca = node("ca", _word("ca") - _kinds.token("string", "a name") - _named("cert", "a file name"))
_declared_table = node(
    "table",
    _word("table") - _kinds.token("string", "a table name that is no keyword"),
    _either(_string, _inline, name="a { list } or a backend and path"),
)

_proc_options = pp.ZeroOrMore(_either(*(_named(word, f"a {word}") for word in ("user", "group", "chroot"))))
_proc = node("proc", _word("proc") - _string - _string, _proc_options)


def _condition(word: str, argument: pp.ParserElement) -> pp.ParserElement:
    return node(word, pp.Optional(_not), _word(word) + argument)


def _phases() -> list[pp.ParserElement]:
    network = [
        _condition("fcrdns", pp.Empty()),
        _condition("rdns", pp.Optional(_tables)),
        _condition("src", _tables),
    ]
    helo = [*network, _condition("helo", _tables)]
    auth = [*helo, _condition("auth", pp.Optional(_tables))]
    sender = [*auth, _condition("mail-from", _tables)]
    recipient = [*sender, _condition("rcpt-to", _tables)]
    conditions = {
        "connect": network, "helo": helo, "ehlo": helo, "auth": auth, "mail-from": sender, "rcpt-to": recipient,
        "data": sender, "commit": sender,
    }  # fmt: skip
    plain = [_named(word, "a text") for word in ("reject", "disconnect", "rewrite", "report")]
    effects = [*plain, _flag("junk"), _flag("bypass")]
    return [
        node(
            f"phase-{phase}",
            _word(phase)
            - _word("match")
            - _either(*allowed, name=f"a condition of phase {phase}")
            - _either(*(plain if phase == "commit" else effects), name="reject, disconnect, rewrite, report, junk or bypass"),
        )
        for phase, allowed in conditions.items()
    ]


_filter = node(
    "filter",
    _word("filter") - _kinds.token("string", "a filter name"),
    _either(
        node("proc-exec", _word("proc-exec") - _string, _proc_options),
        _named("proc", "the name of a proc"),
        node("phase", _word("phase") - _either(*_phases(), name="the name of a phase")),
        node("chain", _word("chain") - _names),
        name="proc, proc-exec, phase or chain",
    ),
)

_ttl = _named("ttl", "a time such as 4d")
_local_option = _either(
    _named("user", "a user name"),
    *(_taking(word, _table) for word in ("alias", "virtual", "userbase")),
    _named("wrapper", "the name of an mda wrapper"),
)
_filter_use = _taking("filter", _either(_names, _string, name="a filter name or a { chain }"))
_remote_option = _either(
    *(_named(word, what) for word, what in (("helo", "a host name"), ("pki", "a pki name"), ("ca", "a ca name"))),
    *(_named(word, what) for word, what in (("ciphers", "a list of ciphers"), ("protocols", "a list of protocols"))),
    *(_taking(word, _table) for word in ("helo-src", "src", "host", "domain", "auth")),
    _named("mail-from", "a mail address"),
    node("backup", _word("backup") + pp.Optional(_word("mx") - _kinds.token("string", "a host name"))),
    node("tls", _word("tls") + pp.Optional(_word("no-verify"))),
    _filter_use,
    _flag("srs"),
)


def _local(word: str, *rest: pp.ParserElement) -> pp.ParserElement:
    return node(word, _word(word), *rest, pp.ZeroOrMore(_local_option))


_action = node(
    "action",
    _word("action") - _kinds.token("string", "a name that is no keyword"),
    _either(
        _local("mbox"),
        _local("maildir", pp.Optional(_string), pp.Optional(_flag("junk"))),
        _local("lmtp", pp.Empty() - _kinds.token("string", "a socket or a host"), pp.Optional(_flag("rcpt-to"))),
        _local("mda", pp.Empty() - _kinds.token("string", "a command")),
        _local("forward-only"),
        _local("expand-only"),
        node("relay", _word("relay"), pp.ZeroOrMore(_remote_option)),
        name="mbox, maildir, lmtp, mda, forward-only, expand-only or relay",
    ),
    pp.ZeroOrMore(_ttl),
)

_port = _either(_string, _number, _word("smtp"), _word("smtps"), name="a port name or number")
_socket_option = [_filter_use, _flag("mask-src"), _named("tag", "a word"), _flag("no-dsn")]
_listen_option = _either(
    *_socket_option,
    _flag("inet4"),
    _flag("inet6"),
    _taking("port", _port),
    node("smtps", _word("smtps") + pp.Optional(_word("verify"))),
    _flag("tls"),
    node("tls-require", _word("tls-require") + pp.Optional(_word("verify"))),
    *(_named(word, what) for word, what in (("ciphers", "a list of ciphers"), ("protocols", "a list of protocols"))),
    *(_named(word, what) for word, what in (("pki", "a pki name"), ("ca", "a ca name"), ("hostname", "a host name"))),
    node("auth", _word("auth") + pp.Optional(_table)),
    node("auth-optional", _word("auth-optional") + pp.Optional(_table)),
    _taking("hostnames", _table),
    _flag("received-auth"),
    _flag("proxy-v2"),
    node("senders", _word("senders") - _table, pp.Optional(_word("masquerade"))),
)
_listen = node(
    "listen",
    _word("listen") - _word("on"),
    _either(
        node("on-socket", _word("socket"), pp.ZeroOrMore(_either(*_socket_option))),
        node("on", _kinds.token("string"), pp.ZeroOrMore(_listen_option)),
        name="socket, an interface or an address",
    ),
)

_from = _either(
    *(_flag(word) for word in ("any", "local", "socket")),
    _taking("src", _tables),
    node("rdns", _word("rdns") + pp.Optional(_tables)),
    node("auth", _word("auth") + pp.Optional(_tables)),
    _taking("mail-from", _tables),
    name="any, local, socket, auth, src, rdns or mail-from",
)
_for = _either(
    _flag("any"), _flag("local"), _taking("domain", _tables), _taking("rcpt-to", _tables),
    name="any, local, domain or rcpt-to",
)  # fmt: skip


def _criterion(word: str, argument: pp.ParserElement) -> pp.ParserElement:
    return node(word, pp.Optional(_not), _word(word) - argument)


_match = node(
    "match",
    _word("match"),
    pp.ZeroOrMore(
        _either(
            _criterion("from", _from),
            _criterion("for", _for),
            _criterion("tls", pp.Empty()),
            _criterion("auth", pp.Optional(_tables)),
            *(_criterion(word, _tables) for word in ("tag", "helo", "mail-from", "rcpt-to")),
        )
    ),
    _either(_flag("reject"), _named("action", "the name of an action"), name='a criterion, "reject" or "action" and a name'),
)

_limits = pp.ZeroOrMore(node("limit", _string - _number))
_size = _either(_number, _string, name="a size such as 35M")
_admd = node("admd", _word("admd") - _string)
_bounce = node("bounce", _word("bounce") - _word("warn-interval") - _string, pp.ZeroOrMore(_word(",") - _string))
_wrapper = node("wrapper", _word("wrapper") - _string - _string)
_mda = node("mda", _word("mda") - _either(_word("limit") + _limits, _wrapper, name='"limit" or "wrapper"'))
_mta = node(
    "mta",
    _word("mta")
    - _either(
        _taking("max-deferred", _number),
        _word("limit")
        + pp.Optional(node("for", _word("for") - _word("domain") - _string))
        + pp.ZeroOrMore(_either(_flag("inet4"), _flag("inet6"), node("limit", _string - _number))),
        name='"limit" or "max-deferred"',
    ),
)
_queue = node(
    "queue",
    _word("queue")
    - _either(
        _flag("compression"),
        node("encryption", _word("encryption") + pp.Optional(_string)),
        _ttl,
        name="compression, encryption or ttl",
    ),
)
_scheduler = node("scheduler", _word("scheduler") - _word("limit"), _limits)
_smtp = node(
    "smtp",
    _word("smtp")
    - _either(
        _word("limit") + _limits,
        _named("ciphers", "a list of ciphers"),
        _taking("max-message-size", _size),
        _named("sub-addr-delim", "one character"),
        name="limit, ciphers, max-message-size or sub-addr-delim",
    ),
)
_srs = node(
    "srs",
    _word("srs")
    - _either(
        node("key", _word("key") - pp.Optional(_word("backup")) + _kinds.token("string", "a key")), _ttl, name="key or ttl"
    ),
)

GRAMMAR = Grammar(
    _kinds,
    _either(
        _match, _action, _listen, _declared_table, _pki, _filter, _macro, _queue, _smtp, _srs, _include,
        _ca, _proc, _mda, _mta, _bounce, _admd, _scheduler, name="a statement",
    ),
)  # fmt: skip
