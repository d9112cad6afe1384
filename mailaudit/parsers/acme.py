"""The grammar of acme-client.conf(5): acme-client's parse.y 1.47."""

from __future__ import annotations

import pyparsing as pp

from mailaudit.parsers.blocks import ROOT, Dialect, read_blocks
from mailaudit.parsers.brief import brief
from mailaudit.parsers.grammar import Grammar, Kinds, node
from mailaudit.parsers.tokens import TRIVIA, Lexicon
from mailaudit.parsers.tree import Include, Language, Problem, Template, Token, Tree
from mailaudit.text import Text

_KEYWORDS = (
    "account alternative api authority certificate chain challengedir contact domain ecdsa full include insecure key name "
    "names profile rsa sign url with"
)
LEXICON = Lexicon(
    keywords=frozenset(_KEYWORDS.split()),
    stop="(){}!=#,",
    operators=(),
)


def _grammars() -> dict[str, Grammar]:
    kinds = Kinds()
    token = kinds.token

    def string(name: str) -> pp.ParserElement:
        return token("string", name)

    path = string("the name of a file")
    key_type = pp.Opt(token("rsa") | token("ecdsa"))
    include = node("include", token("include"), path)
    macro = node("macro", string("a macro's name"), token("="), kinds.run(["string"], "the macro's value"))
    root = (
        include
        | macro
        | node("authority", token("authority"), string("the authority's name"), token("{"))
        | node("domain", token("domain"), string("the domain's name"), token("{"))
    )
    authority = (
        node("api", token("api"), token("url"), string("the URL of the authority's directory"))
        | node("account", token("account"), token("key"), path, key_type)
        | node("contact", token("contact"), string("a contact URL"))
        | node("insecure", token("insecure"))
        | node("agreement", _word(kinds), token("url"), string("a URL"))
    )
    names = _names(kinds)
    domain = (
        node("alternative", token("alternative"), token("names"), token("{"), names, token("}", 'a name or "}"'))
        | node("name", token("domain"), token("name"), string("a domain name"))
        | node("key", token("domain"), token("key"), path, key_type)
        | node("certificate", token("domain"), token("certificate"), path)
        | node("chain", token("domain"), token("chain"), token("certificate"), path)
        | node("full_chain", token("domain"), token("full"), token("chain"), token("certificate"), path)
        | node("sign", token("sign"), token("with"), string("an authority's name"))
        | node("challengedir", token("challengedir"), path)
        | node("profile", token("profile"), string("a profile's name"))
    )
    return {
        ROOT: Grammar(kinds, root.set_name('"authority", "domain", "include" or a macro')),
        "authority": Grammar(kinds, authority.set_name("an option of an authority")),
        "domain": Grammar(kinds, domain.set_name("an option of a domain")),
    }


def _word(kinds: Kinds) -> pp.ParserElement:
    return kinds.token("string", "an option of an authority")


def _names(kinds: Kinds) -> pp.ParserElement:
    """A list of names with commas or new lines between, none, one or many (`altname_l`)."""
    name, comma, line = kinds.char("string"), kinds.char(","), kinds.char("newline")
    element = pp.Regex(f"{line}*{name}(?:(?:{comma}{line}*|{line}*){name})*{line}*")
    element.set_parse_action(lambda _s, at, t: Template("names", (range(at, at + len(t[0])),)))
    return element.set_name("a domain name")


def _refuse(template: Template, tokens: tuple[Token, ...]) -> Problem | None:
    if template.kind != "agreement":
        return None
    if tokens[0].value == "agreement" and tokens[0].kind == "word":
        whole = tokens[0].span.to(tokens[-1].span)
        return Problem('"agreement url" is no longer an option: the account agrees by itself', whole, mend="")
    return Problem(f'expected an option of an authority, found "{brief(tokens[0].value)}"', tokens[0].span)


_DIALECT = Dialect(
    name="acme",
    lexicon=LEXICON,
    grammars=_grammars(),
    openers={ROOT: frozenset({"authority", "domain"})},
    refuse=_refuse,
)


def parse(text: Text, include: Include) -> Tree:
    """The tree of an acme-client.conf."""
    return read_blocks(text, include, _DIALECT)


LANGUAGE = Language("acme", parse, TRIVIA, ("/etc/acme-client.conf",))
