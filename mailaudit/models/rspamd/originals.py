"""The files that the package of rspamd brought, beside what became of them on the host."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from posixpath import dirname

from mailaudit.models.rspamd.config import OF_THE_SITE, RspamdConfig
from mailaudit.models.sources import Known, Model, Slot, Sources
from mailaudit.questions import Absent, Failed
from mailaudit.text import Text

EXAMPLES = "/usr/local/share/examples/rspamd"  # pkg_add keeps each file that it copies to /etc here as well


@dataclass(frozen=True)
class Originals(Model):
    """`pairs` are the files below rspamd's folder that are not for the site's settings, each with the package's own text."""

    pairs: Mapping[Text, Text | Absent | Failed] = field(default_factory=dict)


def read_originals(sources: Sources, rspamd: Slot[RspamdConfig]) -> Slot[Originals]:
    """Each packaged file of a host beside its original."""
    if not isinstance(rspamd, Known):
        return rspamd
    folder = f"{rspamd.value.folder}/"
    texts = [tree.text for tree in rspamd.value.trees if tree.text.path.startswith(folder)]
    packaged = {text: text.path.removeprefix(folder) for text in texts}
    return Known(
        Originals({text: _original(sources, name) for text, name in packaged.items() if not name.startswith(OF_THE_SITE)})
    )


def _original(sources: Sources, name: str) -> Text | Absent | Failed:
    """The package's file of this name, looked for among those that are there: a file of the site's own has none."""
    path = f"{EXAMPLES}/{name}"
    listed = sources.list(f"{dirname(path)}/*")
    if isinstance(listed, Failed):
        return listed
    return sources.file(path) if path in listed else Absent()
