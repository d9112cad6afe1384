"""What UCL files come to together: statements and macros carried out in order, values merged by priority as libucl does it.

Source: ucl_state_machine() in libucl's ucl_parser.c.
"""

from __future__ import annotations

from mailaudit.models.ucl.macros import Macro
from mailaudit.models.ucl.merging import Chunk, Files, Frame, Merging
from mailaudit.models.ucl.values import Value
from mailaudit.parsers.tree import Statement, Tree

__all__ = ["Chunk", "Evaluation", "Files"]


class Evaluation(Merging):
    """The object that files make together. `problems` are what libucl refuses beyond grammar, and what could not be looked at."""

    def run(self, tree: Tree, into: Value | None = None, chunk: Chunk | None = None) -> Value:
        """Carry out a file's statements and those of all that it includes; gives the root."""
        self.push(tree, into or self.root, chunk or Chunk(tree.text.path))
        while self.frames:
            frame = self.frames[-1]
            statement = next(frame.statements, None)
            if statement is None:
                self.frames.pop()
            else:
                self._carry_out(statement, frame)
        return self.root

    def _carry_out(self, statement: Statement, frame: Frame) -> None:
        if statement.kind == "macro":
            Macro(self, statement, frame).carry_out()
        elif statement.kind in ("setting", "item"):
            value = self._target(statement, frame)
            node = statement.node.node("value")
            if value is not None and node is not None:
                self.set(value, node.first, frame.chunk)
        elif statement.kind in ("section", "array"):
            self._enter(statement, frame)

    def _target(self, statement: Statement, frame: Frame) -> Value | None:
        """The value that a statement gives: made anew, or one that is there already."""
        if frame.into.kind == "array":
            value = Value(priority=frame.chunk.priority)
            frame.into.elements.append(value)
            return value
        node = statement.node.node("keys")
        keys = node.leaves() if node is not None else []
        at = frame.into
        for key in keys[:-1]:
            at = self.place(at, key, frame.chunk)
            if not self.make(at, "object", key):
                return None
        return self.place(at, keys[-1], frame.chunk) if keys else None

    def _enter(self, statement: Statement, frame: Frame) -> None:
        kind = "object" if statement.kind == "section" else "array"
        bracket = statement.tokens[-1]
        node = statement.node.node("keys")
        if frame.into.kind == "object" and node is not None and not node.leaves():
            value: Value | None = frame.into  # the outer brackets of a file
            if kind == "array" and not frame.into.members:
                frame.into.kind = "array"
        else:
            value = self._target(statement, frame)
        if value is not None and self.make(value, kind, bracket):
            self.frames.append(Frame(iter(statement.body), value, frame.chunk))
