"""rspamd's configuration as it takes effect: every section, merged from packaged files, local.d, override.d and the rest."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from mailaudit.models.included import WithIncludes, in_reading_order
from mailaudit.models.rspamd.dkim import DkimSigning
from mailaudit.models.rspamd.files import FOLDERS, HostFiles, variables
from mailaudit.models.rspamd.stock import Packaged
from mailaudit.models.rspamd.workers import Bind, Worker, workers
from mailaudit.models.sources import Known, Lacking, NotHere, Slot, Sources, refused_statements
from mailaudit.models.ucl.document import Evaluation
from mailaudit.models.ucl.templates import never_closed
from mailaudit.models.ucl.values import Value
from mailaudit.parsers.tree import Problem, Tree
from mailaudit.questions import Failed, Reason
from mailaudit.text import Span, Text

__all__ = ["Bind", "DkimSigning", "RspamdConfig", "Worker", "read_rspamd"]

MAIN = "rspamd.conf"
PACKAGED = "rspamd's packaged settings"
C_MODULES = frozenset({"chartable", "dkim", "fuzzy_check", "regexp"})  # loaded only if options.filters names them
OF_THE_SITE = ("local.d/", "override.d/", "modules.local.d/", "maps.d/", "rspamd.conf.local", "rspamd.conf.override")
NEEDS = {"arc": "dkim", "dkim_signing": "dkim"}  # modules in Lua that do not load without one of these
_SECRET = re.compile(r"password|secret|api_?key|privkey|(?:^|_)token$|credential", re.IGNORECASE)
_STOCK_PASSWORD = "q1"  # noqa: S105  every copy of rspamd has it: no secret


@dataclass(frozen=True, eq=False)
class RspamdConfig(WithIncludes):
    """The effective settings.

    `root` holds all sections by name. `folder` is where rspamd's files are. `packaged` are the paths of packaged files that stood
    in for the host's. `own` are the files of local.d and override.d that were read, and `unused` those that no module includes.
    """

    root: Value = field(default_factory=lambda: Value("object"))
    folder: str = FOLDERS[0]
    packaged: tuple[str, ...] = ()
    own: tuple[str, ...] = ()
    unused: tuple[str, ...] = ()
    database: str = "/var/rspamd"

    def section(self, *names: str) -> Value | None:
        """A section: `redis`, or `classifier`, `bayes`."""
        return self.root.get(*names)

    def get(self, *names: str) -> Value | None:
        """The value of a setting: `actions`, `reject`. Its `span` is where it was decided, its `before` what it overrides."""
        return self.root.get(*names)

    @staticmethod
    def is_packaged(value: Value) -> bool:
        """True if no file of the host says so: the value is a packaged one, its span is in no file that anyone can edit."""
        token = value.token or value.key
        return token is None or isinstance(token.text, Packaged)

    def is_own(self, value: Value) -> bool:
        """True if a file says so that is for the site's settings, and not one of the package's, as it came or changed."""
        token = value.token or value.key
        if token is None or isinstance(token.text, Packaged):
            return False
        name = token.text.path.removeprefix(f"{self.folder}/")
        return name == token.text.path or name.startswith(OF_THE_SITE)

    @property
    def dkim(self) -> DkimSigning:
        """What signs outgoing mail."""
        return DkimSigning(self.section("dkim_signing") or Value("object"), self.database)

    @property
    def workers(self) -> tuple[Worker, ...]:
        """All workers, those that are switched off among them."""
        return tuple(workers(self.root))

    def local(self, name: str) -> str:
        """The path of a file in local.d, where the host's own settings go."""
        return f"{self.folder}/local.d/{name}"

    def is_enabled(self, module: str) -> bool | None:
        """True if a module is loaded: it has a section, is not switched off, and a C module is among the filters."""
        section = self.section(module)
        if section is None:
            return False
        enabled = section.get("enabled")
        if enabled is not None and enabled.kind in ("boolean", "string") and enabled.truth is not True:
            return enabled.truth
        module = NEEDS.get(module, module)
        if module in C_MODULES:
            options = self.section("options") or Value("object")
            filters = [value.text for value in options.all("filters")]
            if None in filters:
                return None
            return module in {name.strip() for each in filters if each for name in re.split("[,;]", each)}
        return True


def _secrets(root: Value) -> Iterator[tuple[str, str]]:
    """The values of settings that no report may show."""
    waiting: list[tuple[str, Value]] = [("", root)]
    seen: set[int] = set()
    while waiting:
        name, value = waiting.pop()
        if id(value) in seen:
            continue
        seen.add(id(value))
        if value.kind == "string" and _SECRET.search(name) and isinstance(value.scalar, str) and value.scalar != _STOCK_PASSWORD:
            yield "rspamd", value.scalar
        waiting += [(key, each) for key, chain in value.members.items() for each in chain]
        waiting += [(name, each) for each in (*value.elements, *value.before)]


def understood(files: HostFiles, main: Tree) -> RspamdConfig:
    """The model of what rspamd.conf leads to."""
    known = variables(files.folder)
    evaluation = Evaluation(files, known)
    root = evaluation.run(main)
    trees = tuple(tree for tree in evaluation.trees.values() if not isinstance(tree.text, Packaged))
    problems = [problem for problem in evaluation.problems if not isinstance(problem.span.text, Packaged)]
    binds = [bind for worker in workers(root) for bind in worker.binds]
    unheard = (Problem(bind.wrong, bind.value.span) for bind in binds if bind.wrong and bind.value.token is not None)
    refused = (*refused_statements(trees), *(problem for problem in problems if problem.refused), *unheard, *_templates(trees))
    local = tuple(path for path in files.there if _is_local(path, files.folder))
    return RspamdConfig(
        trees=trees,
        refusals=in_reading_order(trees, refused),
        assumed=(PACKAGED,) if files.assumed else (),
        secrets=tuple(dict.fromkeys(_secrets(root))),
        unknown=(*(problem for problem in problems if not problem.refused), *_unread(files)),
        root=root,
        folder=files.folder,
        packaged=tuple(dict.fromkeys(files.assumed)),
        own=tuple(path for path in local if path in evaluation.trees),
        unused=tuple(path for path in local if path not in evaluation.trees and path.endswith((".conf", ".inc"))),
        database=known["DBDIR"],
    )


def _templates(trees: tuple[Tree, ...]) -> Iterator[Problem]:
    """The templates that are never closed."""
    for tree in trees:
        at = never_closed(tree.text.chars)
        if at >= 0:
            mark = Span(tree.text, at, at + 2)
            yield Problem(f'expected "{mark.chars[1]}}}" to end the template, found the end of the file', mark, swallows=True)


def _unread(files: HostFiles) -> Iterator[Problem]:
    """The files that could not be read: what includes them may be a packaged file, which nobody can be pointed to."""
    for path, why in files.unread.items():
        yield Problem(f"the file could not be read ({why})", Span(Text(path, b""), 0, 0), refused=False)
    for path, listing in files.listings.items():
        if isinstance(listing, Failed) and path.startswith(files.folder):
            yield Problem(f"which files are there is not known ({listing.detail})", Span(Text(path, b""), 0, 0), refused=False)


def _is_local(path: str, folder: str) -> bool:
    return path.startswith((f"{folder}/local.d/", f"{folder}/override.d/"))


def read_rspamd(sources: Sources) -> Slot[RspamdConfig]:
    """The model of the host's rspamd."""
    lacking: Failed | None = None
    for folder in FOLDERS:
        files = HostFiles(sources, folder)
        if files.barred is not None:
            return Lacking(files.barred.reason, files.barred.detail, folder)
        if files.there:
            main = files.tree(f"{folder}/{MAIN}")
            if isinstance(main, str):
                return Lacking(Reason.UNREADABLE, main, f"{folder}/{MAIN}")
            return Known(understood(files, main))
        failed = [listing for listing in files.listings.values() if isinstance(listing, Failed)]
        lacking = lacking or next(iter(failed), None)
    if sources.snapshot.recorded and lacking is not None:
        return Lacking(lacking.reason, lacking.detail, FOLDERS[0])
    return NotHere(f"nothing of {FOLDERS[0]} is in the target")
