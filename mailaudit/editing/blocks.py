"""Edits of files made of blocks of options, as acme-client.conf and httpd.conf are."""

from __future__ import annotations

from dataclasses import dataclass

from mailaudit.editing import statements
from mailaudit.editing.style import NONE, Edits, Style, alone, fitted, siblings
from mailaudit.parsers.tree import Statement, Tree


@dataclass(frozen=True)
class Blocks:
    """A language of blocks: its style, and for each kind of block the first line of one, in which options can be read."""

    style: Style
    headers: dict[str, str]

    def around(self, block: Statement) -> tuple[str, str]:
        """The lines around an option of such a block, to read it alone."""
        return self.headers[block.kind], "}"

    def find(self, tree: Tree, kind: str, name: str = "") -> Statement | None:
        """The first block of a kind and name in the file."""
        for each in tree.walk():
            if each.is_block and each.kind == kind and each.template is not None:
                names = [token.value for token in each.seen[1:-1] if token.is_string]
                if not name or name in names:
                    return each
        return None

    def add(self, tree: Tree, *lines: str) -> Edits | None:
        """A statement or a whole block at the outermost level, beside its kind; each tab of a line is a level of indentation."""
        kind = alone(self.style, lines).kind
        return statements.add(tree, self.style, kind, *lines)

    def add_option(self, tree: Tree, block: Statement, *lines: str) -> Edits | None:
        """One more option of a block, or a block in it: below the last one of its kind, else at the end of the block."""
        kind = alone(self.style, lines, self.around(block)).kind
        kin = [each for each in block.body if each.kind == kind]
        if kin and block.close:
            return statements.below(kin[-1], fitted(tree, self.style), *lines)
        return statements.inside(block, fitted(tree, self.style), *lines)

    def set_option(self, tree: Tree, block: Statement, line: str) -> Edits | None:
        """An option that a block has once: in place of the one that it has, else at the end of the block."""
        kind = alone(self.style, [line], self.around(block)).kind
        kin = [each for each in block.body if each.kind == kind]
        if kin:
            return self.replace(kin[-1], line, block)
        return self.add_option(tree, block, line)

    def replace(self, statement: Statement, line: str, block: Statement | None = None) -> Edits:
        """Another statement in the place of one: only the words that differ are written; of a block, its first line."""
        return statements.replace(statement, self.style, line, around=self.around(block) if block is not None else ("", ""))

    def remove_option(self, block: Statement, kind: str) -> Edits | None:
        """A block without its options of a kind; None if none would be left."""
        found = [each for each in block.body if each.kind == kind]
        if found and len(found) == len(block.body):
            return None
        return tuple(edit for each in found for edit in statements.remove(each, self.style)) if found else NONE

    def remove(self, tree: Tree, statement: Statement) -> Edits | None:
        """Take an option or a whole block out; its comment lines stay. None if a block would be left empty: none may be."""
        return None if self._is_last(tree, statement) else statements.remove(statement, self.style)

    def comment_out(self, tree: Tree, statement: Statement) -> Edits | None:
        """Make comments of all the lines of a statement; None if a block would be left empty."""
        return None if self._is_last(tree, statement) else statements.comment_out(statement, self.style)

    @staticmethod
    def _is_last(tree: Tree, statement: Statement) -> bool:
        among = siblings(tree, statement)
        return len(among) == 1 and among is not tree.statements
