"""Edits of acme-client.conf(5): authorities and domains, their options, a domain's alternative names."""

from __future__ import annotations

from mailaudit.editing import lists, words
from mailaudit.editing.blocks import Blocks
from mailaudit.editing.lists import Items
from mailaudit.editing.style import PARSE_Y_JOINS, PARSE_Y_REST, Edits, Style, Unwritable
from mailaudit.parsers import acme
from mailaudit.parsers.tree import Statement, Tree

STYLE = Style(acme.LANGUAGE, PARSE_Y_REST, joins=PARSE_Y_JOINS, order=("include", "macro", "authority", "domain"))
BLOCKS = Blocks(STYLE, {"authority": "authority x {", "domain": "domain x {"})

block = BLOCKS.find
add = BLOCKS.add
add_option = BLOCKS.add_option
set_option = BLOCKS.set_option
remove_option = BLOCKS.remove_option
replace = BLOCKS.replace
remove = BLOCKS.remove
comment_out = BLOCKS.comment_out


def write(value: str) -> str:
    """A value in double quotes, as this file's paths and names of authorities may stand. Raises Unwritable."""
    return words.quoted(value, acme.LEXICON, only='"')


def names(domain: Statement) -> Items | None:
    """The alternative names of a domain, as they are written; None if it has none, or a macro holds them."""
    found = [each for each in domain.body if each.kind == "alternative" and each.problem is None]
    if not found:
        return None
    tokens = found[0].tokens
    return None if tokens[2].kind != "{" or tokens[-1].kind != "}" else Items.of(STYLE, tokens[2:])


def add_name(tree: Tree, domain: Statement, name: str) -> Edits | None:
    """One more name of a domain's certificate."""
    if not _is_name(name):
        raise Unwritable(f"no name of a certificate is {name!r}")
    found = names(domain)
    if found is None:
        has_one = any(each.kind == "alternative" for each in domain.body)
        return None if has_one else add_option(tree, domain, f"alternative names {{ {name} }}")
    if any(item[0].value == name for item in found.items):
        return ()
    return lists.insert_item(found, name)


def remove_name(domain: Statement, name: str) -> Edits | None:
    """A certificate without a name; the option goes with the last one."""
    found = names(domain)
    number = next((n for n, item in enumerate(found.items) if item[0].value == name), None) if found else None
    if found is None or number is None:
        return ()
    if len(found.items) == 1:
        return remove_option(domain, "alternative")
    return lists.remove_item(found, number)


def _is_name(name: str) -> bool:
    try:
        return words.quoted(name, acme.LEXICON) == name
    except Unwritable:
        return False


def set_macro(tree: Tree, name: str, value: str) -> Edits | None:
    """Give a macro another value; None if the file defines none of this name."""
    return words.set_macro(tree, acme.LEXICON, name, value)
