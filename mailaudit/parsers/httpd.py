"""The grammar of httpd.conf(5): OpenBSD httpd's parse.y of 2025-09."""

from __future__ import annotations

from collections.abc import Callable

import pyparsing as pp

from mailaudit.parsers.blocks import ROOT, Dialect, read_blocks
from mailaudit.parsers.grammar import Grammar, Kinds, node
from mailaudit.parsers.tokens import TRIVIA, Lexicon
from mailaudit.parsers.tree import Include, Language, Problem, Template, Token, Tree
from mailaudit.text import Text

_KEYWORDS = (
    "access alias authenticate auto backlog banner block body buffer ca certificate chroot ciphers client combined common "
    "connection crl default dhe directory drop ecdhe errdocs error fastcgi forwarded found gzip-static hsts include index ip "
    "key lifetime listen location log logdir match max max-age no nodelay not ocsp on optional param pass port prefork "
    "preload protocols request requests return rewrite root sack server socket strip style subdomains syslog tcp ticket "
    "timeout tls type types with"
)
LEXICON = Lexicon(
    keywords=frozenset(_KEYWORDS.split()),
    first=r"A-Za-z0-9:_*",
    stop="(){}<>!=#,;/",
    operators=(),
)
_KINDS = Kinds()
_token = _KINDS.token
_STRING = _token("string", "a name or a quoted string")
_NUMBER = _token("number", "a number")
_PORT = (_token("string") | _token("number")).set_name("a port's name or number")


def _words(text: str) -> pp.ParserElement:
    """A row of keywords."""
    return pp.And([_token(word) for word in text.split()])


def _flags(keyword: str, flags: pp.ParserElement, name: str) -> pp.ParserElement:
    """A keyword with one flag, or with several in braces, each but the last ended by a comma or a new line."""
    flags.set_name(name)
    line, comma = _token("newline"), _token(",", "a comma or a new line")
    lines = pp.ZeroOrMore(line)
    separator = (comma | line) + lines
    several = _token("{") + lines + flags + pp.ZeroOrMore(separator + flags) + lines + _token("}", 'a comma, a new line or "}"')
    return _token(keyword) + (several | flags).set_name(name)


def _include() -> pp.ParserElement:
    return node("include", _token("include"), _token("string", "the name of a file"))


def _media_type() -> pp.ParserElement:
    return _STRING + _token("/") + _token("string", "a media subtype")


def _root() -> pp.ParserElement:
    match = pp.Opt(_token("match"))
    return (
        _include()
        | node("macro", _token("string", "a macro's name"), _token("="), _token("string", "the macro's value"))
        | node("server", _token("server"), match, _token("string", "the server's name"), _token("{"))
        | node("types", _token("types"), _token("{"))
        | node("prefork", _token("prefork"), _NUMBER)
        | node("chroot", _token("chroot"), _STRING)
        | node("errdocs", _token("errdocs"), _STRING)
        | node("logdir", _token("logdir"), _STRING)
        | node("default", _words("default type"), _media_type())
        | node("banner", pp.Opt(_token("no")), _token("banner"))
    ).set_name('"server", "types", "include", a macro or a global option')


def _types() -> pp.ParserElement:
    names = _KINDS.run(["string", "number"], "a file name extension")
    return (_include() | node("type", _media_type(), names, pp.Opt(_token(";")))).set_name("a media type")


def _tls() -> pp.ParserElement:
    revocation = _words("crl") + _STRING | _token("optional")
    flags = (
        node("certificate", _token("certificate"), _STRING)
        | node("key", _token("key"), _STRING)
        | node("ocsp", _token("ocsp"), _STRING)
        | node("ciphers", _token("ciphers"), _STRING)
        | node("client", _words("client ca"), _STRING, pp.ZeroOrMore(revocation))
        | node("dhe", _token("dhe"), _STRING)
        | node("ecdhe", _token("ecdhe"), _STRING)
        | node("protocols", _token("protocols"), _STRING)
        | node("ticket", _words("ticket lifetime"), _token("default") | _NUMBER)
        | node("ticket", _words("no ticket"))
    )
    return node("tls", _flags("tls", flags, "a TLS option"))


def _fastcgi() -> pp.ParserElement:
    flags = (
        node("socket", _words("socket tcp"), _STRING, pp.Opt(_PORT))
        | node("socket", _token("socket"), _STRING)
        | node("param", _token("param"), _STRING, _STRING)
        | node("strip", _token("strip"), _NUMBER)
    )
    return (
        node("fastcgi", _words("no fastcgi"))
        | node("fastcgi", _flags("fastcgi", flags, "a FastCGI option"))
        | node("fastcgi", _token("fastcgi"))
    )


def _connection() -> pp.ParserElement:
    flags = (
        node("timeout", pp.Opt(_token("request")), _token("timeout"), _NUMBER)
        | node("requests", _words("max requests"), _NUMBER)
        | node("body", _words("max request body"), _NUMBER)
    )
    return node("connection", _flags("connection", flags, "a connection option"))


def _tcp() -> pp.ParserElement:
    flags = (
        node("sack", pp.Opt(_token("no")), _token("sack"))
        | node("nodelay", pp.Opt(_token("no")), _token("nodelay"))
        | node("backlog", _token("backlog"), _NUMBER)
        | node("buffer", _words("socket buffer"), _NUMBER)
        | node("ip", _token("ip"), _STRING, _NUMBER)
    )
    return node("tcp", _flags("tcp", flags, "a TCP option"))


def _log() -> pp.ParserElement:
    style = _token("common") | _token("combined") | _token("connection") | _token("forwarded")
    style.set_name('"common", "combined", "connection" or "forwarded"')
    flags = (
        node("style", _token("style"), style)
        | node("syslog", pp.Opt(_token("no")), _token("syslog"))
        | node("access", _token("access"), _STRING)
        | node("error", _token("error"), _STRING)
    )
    return node("log", _words("no log")) | node("log", _flags("log", flags, "a log option"))


def _request() -> pp.ParserElement:
    flags = (
        node("rewrite", _token("rewrite"), _STRING)
        | node("rewrite", _words("no rewrite"))
        | node("strip", _token("strip"), _NUMBER)
    )
    obsolete = node("strip", _token("strip"), _NUMBER)
    return node("request", _flags("request", flags, "a request option")) | node("request", _token("root"), obsolete)


def _directory() -> pp.ParserElement:
    flags = node("auto", pp.Opt(_token("no")), _words("auto index")) | (
        node("index", _words("no index")) | node("index", _token("index"), _STRING)
    )
    return node("directory", _flags("directory", flags, "a directory option"))


def _hsts() -> pp.ParserElement:
    flags = (
        node("max-age", _token("max-age"), _NUMBER)
        | node("subdomains", _token("subdomains"))
        | node("preload", _token("preload"))
    )
    return node("hsts", _flags("hsts", flags, "an HSTS option")) | node("hsts", _token("hsts"))


def _filter() -> pp.ParserElement:
    return (
        node("block", _words("block return"), _NUMBER, pp.Opt(_STRING))
        | node("block", _words("block drop"))
        | node("block", _token("block"))
        | node("pass", _token("pass"))
    )


def _location() -> pp.ParserElement:
    found = pp.Opt(pp.Opt(_token("not")) + _token("found"))
    match = pp.Opt(_token("match"))
    return node("location", _token("location"), found, match, _token("string", "the location's path in quotes"), _token("{"))


_OPTIONS: tuple[Callable[[], pp.ParserElement], ...] = (
    _include,
    _tls,
    _fastcgi,
    _connection,
    _tcp,
    _log,
    _request,
    _directory,
    _hsts,
    _filter,
    _location,
)


def _options() -> pp.ParserElement:
    """The options of a server; a location's are the same, and the model refuses those that may not stand in one."""
    root = node("root", _flags("root", _token("string", "the root directory in quotes"), "the root directory in quotes"))
    simple = (
        node("listen", _words("listen on"), _token("string", "an address"), pp.Opt(_token("tls")), _token("port"), _PORT)
        | node("alias", _token("alias"), pp.Opt(_token("match")), _STRING)
        | node("errdocs", _token("errdocs"), _STRING)
        | node("errdocs", _words("no errdocs"))
        | node("authenticate", _words("no authenticate"))
        | node("authenticate", _token("authenticate"), pp.Opt(_STRING), _token("with"), _STRING)
        | node("gzip-static", pp.Opt(_token("no")), _token("gzip-static"))
        | node("banner", pp.Opt(_token("no")), _token("banner"))
        | node("default", _words("default type"), _media_type())
    )
    return pp.MatchFirst([simple, root, *(option() for option in _OPTIONS)]).set_name("an option of a server")


def _refuse(template: Template, tokens: tuple[Token, ...]) -> Problem | None:
    if template.kind == "request" and tokens[0].kind == "root":
        return Problem('"root strip" is now "request strip"', tokens[0].span, mend="request")
    return None


_OPTION = Grammar(_KINDS, _options())
_DIALECT = Dialect(
    name="httpd",
    lexicon=LEXICON,
    grammars={ROOT: Grammar(_KINDS, _root()), "types": Grammar(_KINDS, _types()), "server": _OPTION, "location": _OPTION},
    openers={ROOT: frozenset({"server", "types"}), "server": frozenset({"location"})},
    strict=frozenset({"types"}),
    newer=frozenset({"header"}),
    refuse=_refuse,
)


def parse(text: Text, include: Include) -> Tree:
    """The tree of an httpd.conf."""
    return read_blocks(text, include, _DIALECT)


LANGUAGE = Language("httpd", parse, TRIVIA, ("/etc/httpd.conf",))
