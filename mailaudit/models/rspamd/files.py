"""Where rspamd's includes lead on a host: its own files, and packaged ones where the host's are not at hand."""

from __future__ import annotations

import posixpath
from fnmatch import fnmatchcase
from functools import cache

from mailaudit.models.rspamd.stock import Packaged, files, packaged
from mailaudit.models.sources import Sources
from mailaudit.parsers import ucl
from mailaudit.parsers.tree import Tree, nothing
from mailaudit.questions import NOT_ASKED, Absent, Failed, Reason
from mailaudit.text import Text

FOLDERS = ("/etc/rspamd", "/usr/local/etc/rspamd")  # OpenBSD's and Linux's, FreeBSD's
LISTED = ("", "local.d/", "override.d/", "modules.d/", "scores.d/")
_DATABASE = {"/etc/rspamd": "/var/rspamd", "/usr/local/etc/rspamd": "/var/db/rspamd"}


def variables(folder: str) -> dict[str, str]:
    """Rspamd's own variables, as packaged for OpenBSD or FreeBSD; the host's name and rspamd's version are not known."""
    share = "/usr/local/share/rspamd"
    return {
        "CONFDIR": folder,
        "LOCAL_CONFDIR": folder,
        "RUNDIR": "/var/run/rspamd",
        "DBDIR": _DATABASE[folder],
        "LOGDIR": "/var/log/rspamd",
        "PLUGINSDIR": f"{share}/plugins",
        "SHAREDIR": share,
        "RULESDIR": f"{share}/rules",
        "WWWDIR": f"{share}/www",
        "PREFIX": "/usr/local",
    }


@cache
def _packaged_tree(text: Packaged) -> Tree:
    return ucl.parse(text, nothing)


class HostFiles:
    """The files of one folder of rspamd.

    `own` are those that were read on the host, by path; `assumed` the packaged ones; `unread` those that are there and could
    not be read, each with the reason.
    """

    def __init__(self, sources: Sources, folder: str) -> None:
        self.sources = sources
        self.folder = folder
        self.own: dict[str, Tree] = {}
        self.assumed: list[str] = []
        self.unread: dict[str, str] = {}
        self.listings = {posixpath.normpath(f"{folder}/{below}"): sources.list(f"{folder}/{below}*") for below in LISTED}
        dynamic = f"{_DATABASE[folder]}/dynamic"
        self.listings[dynamic] = sources.list(f"{dynamic}/*")

    @property
    def there(self) -> tuple[str, ...]:
        """The files that are known to lie in the folder."""
        return tuple(path for paths in self.listings.values() if not isinstance(paths, Failed) for path in paths)

    @property
    def barred(self) -> Failed | None:
        """Why a part of the folder cannot be looked into, if that is so."""
        failed = (listing for listing in self.listings.values() if isinstance(listing, Failed))
        return next((each for each in failed if each.reason not in NOT_ASKED), None)

    def tree(self, path: str) -> Tree | str:
        """A file's tree: the host's, else the packaged one."""
        path = posixpath.normpath(path)
        listing = self.listings.get(posixpath.dirname(path))
        found: Tree | Absent | Failed = Absent()
        if listing is None or (not isinstance(listing, Failed) and path in listing):
            found = self.sources.tree(path, "ucl")
        if isinstance(found, Tree):
            self.own[path] = found
            return found
        stock = packaged(self.folder, posixpath.relpath(path, self.folder))
        if stock is not None and not (isinstance(found, Failed) and found.reason is Reason.UNREADABLE):
            self.assumed.append(path)
            return _packaged_tree(stock)
        if isinstance(found, Failed):
            self.unread[path] = found.detail
            return found.detail
        return "absent"

    def text(self, path: str) -> Text | None:
        """A file's text."""
        found = self.sources.file(posixpath.normpath(path))
        return found if isinstance(found, Text) else None

    def matches(self, pattern: str) -> tuple[str, ...]:
        """The files that match a glob: the host's, else the packaged ones."""
        pattern = posixpath.normpath(pattern)
        found = self.sources.list(pattern)
        if not isinstance(found, Failed) and found:
            return found
        return tuple(path for path in (f"{self.folder}/{name}" for name in sorted(files())) if fnmatchcase(path, pattern))
