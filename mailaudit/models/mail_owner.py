"""The account that owns the mail: vmail, or the one that all credentials name."""

from __future__ import annotations

from dataclasses import dataclass

from mailaudit.models.accounts import Accounts, User
from mailaudit.models.credentials import Credentials
from mailaudit.models.sources import Known, Lacking, Model, Slot
from mailaudit.text import Span

VMAIL = "vmail"
VMAIL_ID = 2000  # the guide's number
HOME = "/var/vmail"


@dataclass(frozen=True, eq=False)
class MailOwner(Model):
    """The account by its `name`; `user` is None where there is none or accounts are not known.

    `numbers` are those that the credentials give their users, each with a place that says so; where they say none, the guide's.
    `lacking` says why the credentials could not be read.
    """

    name: str = VMAIL
    user: User | None = None
    numbers: tuple[tuple[int, Span | None], ...] = ((VMAIL_ID, None),)
    lacking: Lacking | None = None

    @property
    def home(self) -> str:
        """Its home without a final slash, the guide's where it is not known."""
        return (self.user.home.value.rstrip("/") if self.user is not None else "") or HOME


def read_mail_owner(accounts: Slot[Accounts], credentials: Slot[Credentials]) -> MailOwner:
    """Who owns the mail; another account than vmail only where there is no vmail."""
    entries = credentials.value.entries if isinstance(credentials, Known) else ()
    known = accounts.value if isinstance(accounts, Known) else None
    name = VMAIL
    owners = {entry.owner for entry in entries}
    if known is not None and known.user(VMAIL) is None and len(owners) == 1:
        (only,) = owners
        name = only if only is not None and known.user(only) is not None else VMAIL
    written = {entry.uid.value: entry.uid.span for entry in reversed(entries)}
    numbers = tuple((int(uid), span) for uid, span in written.items() if uid.isascii() and uid.isdigit() and len(uid) < 11)
    return MailOwner(
        name=name,
        user=known.user(name) if known is not None else None,
        numbers=numbers or ((VMAIL_ID, None),),
        lacking=credentials if isinstance(credentials, Lacking) else None,
    )
