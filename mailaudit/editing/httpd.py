"""Edits of httpd.conf(5): servers, locations, their options, the flags of an option, media types."""

from __future__ import annotations

from mailaudit.editing import lists, statements, words
from mailaudit.editing.blocks import Blocks
from mailaudit.editing.lists import Items
from mailaudit.editing.style import NONE, PARSE_Y_JOINS, PARSE_Y_REST, Edits, Style, alone
from mailaudit.parsers import httpd
from mailaudit.parsers.tree import Node, Statement, Tree

STYLE = Style(
    httpd.LANGUAGE,
    PARSE_Y_REST,
    joins=PARSE_Y_JOINS,
    order=("include", "macro", "chroot", "logdir", "errdocs", "prefork", "default", "banner", "server", "types"),
)
BLOCKS = Blocks(STYLE, {"server": 'server "x" {', "location": 'server "x" {', "types": "types {"})

block = BLOCKS.find
add = BLOCKS.add
add_option = BLOCKS.add_option
set_option = BLOCKS.set_option
remove_option = BLOCKS.remove_option
replace = BLOCKS.replace
remove = BLOCKS.remove
comment_out = BLOCKS.comment_out


def write(value: str) -> str:
    """A value in double quotes. Raises Unwritable for what httpd.conf cannot hold."""
    return words.quoted(value, httpd.LEXICON, only='"')


def flag_nodes(statement: Statement) -> list[Node]:
    """The flags of an option, as `certificate "/etc/ssl/mail.pem"` of `tls { ... }`."""
    return [child for child in statement.node if isinstance(child, Node)] if statement.template else []


def flags(statement: Statement) -> Items:
    """The flags of an option as a list, which has braces if there is more than one."""
    opened = next((token for token in statement.tokens if token.kind == "{"), None)
    closed = statement.tokens[-1] if opened is not None and statement.tokens[-1].kind == "}" else None
    return Items(STYLE, tuple(tuple(node.all_leaves()) for node in flag_nodes(statement)), opened, closed, commas=True)


def set_flag(tree: Tree, block: Statement, line: str) -> Edits | None:
    """An option with one flag, as `tls certificate "/etc/ssl/mail.pem"`: in the place of the flag that the block has.

    Else as a line below the other options of its kind. None where it comes out of a macro.
    """
    new = alone(STYLE, [line], BLOCKS.around(block))
    wanted = flag_nodes(new)
    if len(wanted) != 1:
        return set_option(tree, block, line)
    for statement in block.body:
        if statement.kind != new.kind or statement.problem is not None:
            continue
        for node in flag_nodes(statement):
            if node.kind == wanted[0].kind:
                leaves, come = node.all_leaves(), wanted[0].all_leaves()
                return words.instead(leaves[0], come[0].span.to(come[-1].span).chars, leaves[-1])
    return add_option(tree, block, line)


def remove_flag(block: Statement, kind: str, flag: str) -> Edits | None:
    """A block without a flag of an option; the option goes with the last flag."""
    for statement in block.body:
        if statement.kind != kind or statement.problem is not None:
            continue
        found = flag_nodes(statement)
        for number, node in enumerate(found):
            if node.kind == flag:
                if len(found) > 1:
                    return lists.remove_item(flags(statement), number)
                return None if len(block.body) == 1 else statements.remove(statement, STYLE)
    return NONE


def add_flag(statement: Statement, flag: str) -> Edits | None:
    """One more flag of an option, which gets braces with the second one."""
    words.fragment(flag, httpd.LEXICON)
    return lists.insert_item(flags(statement), flag)


def set_macro(tree: Tree, name: str, value: str) -> Edits | None:
    """Give a macro another value; None if the file defines none of this name."""
    return words.set_macro(tree, httpd.LEXICON, name, value)
