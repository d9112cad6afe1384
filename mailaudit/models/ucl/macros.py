"""UCL's macros carried out: `.include` and its kin, `.priority`, `.inherit`, `.load`.

Source: the macro handlers in libucl's ucl_util.c.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterator

from mailaudit.models.ucl.merging import STRATEGIES, Chunk, Frame, Merging
from mailaudit.models.ucl.values import Value
from mailaudit.parsers import ucl_values
from mailaudit.parsers.tree import Statement, Tree
from mailaudit.parsers.ucl_lexing import BLANKS

DEEPEST = 16  # files that include one another in a row (UCL_MAX_RECURSION)
MOST = 2000  # inclusions in all
_ESCAPED = str.maketrans({"\n": r"\n", "\r": r"\r", "\b": r"\b", "\t": r"\t", "\f": r"\f", "\\": r"\\", '"': r"\""})


class Macro:
    """A macro with its arguments."""

    def __init__(self, evaluation: Merging, statement: Statement, frame: Frame) -> None:
        self.evaluation = evaluation
        self.frame = frame
        node = statement.node
        name, value = node.node("name"), node.node("value")
        self.name = name.first.value if name is not None else ""
        self.token = value.first if value is not None else None
        self.span = statement.span
        self.arguments: dict[str, tuple[str, ucl_values.Scalar]] = {}
        self.searched: list[str] = []
        for argument in node.nodes("argument"):
            key, *values = argument.leaves()
            if key.value == "path":
                self.searched = [token.value for token in values]
            elif values:
                self.arguments[key.value] = evaluation.meaning(values[0], frame.chunk.path)
        self.value = evaluation.expand(self.token.value, frame.chunk.path) if self.token else ""

    def carry_out(self) -> None:
        """Do what the macro says."""
        if self.name in ("include", "includes", "try_include"):
            self._include()
        elif self.name == "priority":
            self._priority()
        elif self.name == "inherit":
            self._inherit()
        elif self.name == "load":
            self._load()

    def _argument(self, name: str, *kinds: str) -> ucl_values.Scalar:
        kind, value = self.arguments.get(name, ("", None))
        return value if kind in kinds else None

    def _priority(self) -> None:
        value = self._argument("priority", "integer")
        written = self.value.strip()
        if written:
            if not written.removeprefix("-").isdecimal() or not written.isascii():
                self.evaluation.refuse(f'expected a number after ".priority", found "{written[:40]}"', self.span)
                return
            value = int(written[:10])
        if isinstance(value, int):
            self.frame.chunk.priority = value

    def _include(self) -> None:
        if not self.value:
            return  # the parser has said so
        trial = self._argument("try", "boolean")
        optional = bool(trial) if trial is not None else self.name == "try_include"
        priority = self._argument("priority", "integer")
        strategy = self._argument("duplicate", "string")
        chunk = Chunk(
            self.value,
            priority if isinstance(priority, int) else 0,
            strategy if isinstance(strategy, str) and strategy in STRATEGIES else "append",
            self.frame.chunk.depth + 1,
        )
        found = [path for path in self._paths() if self._one(path, chunk)]
        if not found and not optional:
            self.evaluation.refuse(f"{self.value} is not there", self.span)

    def _paths(self) -> Iterator[str]:
        for folder in self.searched or [""]:
            path = posixpath.normpath(posixpath.join(folder, self.value))
            path = f"/{path.lstrip('/')}" if path.startswith("/") else path
            if self._argument("glob", "boolean") and ("*" in path or "?" in path):
                yield from reversed(self.evaluation.files.matches(path))  # the frames are a stack
            else:
                yield path
                if self.searched and not isinstance(self.evaluation.files.tree(path), str):
                    return

    def _one(self, path: str, chunk: Chunk) -> bool:
        evaluation = self.evaluation
        if path == self.frame.chunk.path:
            evaluation.refuse(f"{path} includes itself", self.span)
            return True
        if chunk.depth > DEEPEST:
            evaluation.refuse(f"more than {DEEPEST} files include one another here", self.span)
            return True
        evaluation.included += 1
        if evaluation.included > MOST:
            evaluation.refuse(f"more than {MOST} files are included", self.span, refused=False)
            return True
        tree = evaluation.files.tree(path)
        if isinstance(tree, Tree):
            evaluation.push(tree, self._into(path, chunk), Chunk(path, chunk.priority, chunk.strategy, chunk.depth))
            return True
        if tree != "absent":
            evaluation.refuse(f"{path} could not be read: {tree}", self.span, refused=False)
            return True
        return False

    def _into(self, path: str, chunk: Chunk) -> Value:
        """Where an included file's values go: here, or into a section of their own."""
        name = self._argument("key", "string")
        if name is None and self._argument("prefix", "boolean"):
            name = posixpath.basename(path)
            name = name.removesuffix(".conf").removesuffix(".ucl")
        into = self.frame.into
        if not isinstance(name, str) or into.kind != "object":
            return into
        chain = into.members.get(name)
        target = str(self._argument("target", "string") or "object").lower()
        if target != "array":
            if chain is None:
                chain = into.members[name] = [Value("object", chunk.priority)]
            elif chain[0].kind != "object":
                self.evaluation.refuse(f'"{name}" is no section', self.span)
            return chain[0]
        nested = Value("object", chunk.priority)
        if chain is None or chain[0].kind != "array":
            array = Value("array", chunk.priority)
            array.elements = list(chain or ())
            into.members[name] = chain = [array]
        chain[0].elements.append(nested)
        return nested

    def _inherit(self) -> None:
        parent = self.evaluation.root.get(self.value)
        into = self.frame.into
        if parent is None or parent.kind != "object":
            self.evaluation.refuse(f'there is no section "{self.value[:40]}" to inherit from', self.span)
            return
        replace = bool(self._argument("replace", "boolean"))
        for name, chain in list(parent.members.items()):
            there = into.members.get(name)
            if there and not replace:
                continue
            copy = chain[0].copy()
            copy.inherited = not replace
            if there:
                there.append(copy)
            else:
                into.members[name] = [copy]
                copy.chain = into.members[name]

    def _load(self) -> None:
        name = self._argument("key", "string")
        text = self.evaluation.files.text(self.value)
        if text is None:
            if not self._argument("try", "boolean"):
                self.evaluation.refuse(f"{self.value} is not there", self.span)
            return
        if not isinstance(name, str) or self.frame.into.get(name) is not None:
            why = "no key is named" if not isinstance(name, str) else f'"{name}" is there already'
            self.evaluation.refuse(f"{self.value} cannot be loaded: {why}", self.span)
            return
        priority = self._argument("priority", "integer")
        value = Value("string", priority if isinstance(priority, int) else 0)
        loaded = text.chars.strip(BLANKS) if self._argument("trim", "boolean") else text.chars
        value.scalar = loaded.translate(_ESCAPED) if self._argument("escape", "boolean") else loaded
        if self._argument("target", "string") == "int":
            found = ucl_values.number(text.chars.strip(), 0)
            value.kind, value.scalar = "integer", int(found.value) if found else 0
        self.frame.into.members[name] = value.chain
