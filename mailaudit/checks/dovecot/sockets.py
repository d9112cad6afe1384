"""Rules about Dovecot's local sockets: who may hand mail to LMTP, who may ask about passwords."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator

from mailaudit.checks.dovecot.edits import append, insert_below, place_of
from mailaudit.checks.lacking import unread
from mailaudit.checks.registry import rule
from mailaudit.checks.smtpd.actions import users_actions
from mailaudit.editing.dovecot import replace_value
from mailaudit.edits import Edit, Fix, Safety
from mailaudit.findings import Doubt, Exempt, Finding, Outcome, Place
from mailaudit.models.dovecot.config import DovecotConfig
from mailaudit.models.dovecot.sockets import GROUP, OTHERS, OWNER, Socket, sockets
from mailaudit.models.mail_owner import MailOwner
from mailaudit.models.site import Site
from mailaudit.models.smtpd.config import SmtpdConfig
from mailaudit.models.smtpd.parts import Action
from mailaudit.models.sources import Lacking, Missing, NotHere
from mailaudit.questions import Reason

CHECKED_BY_DAEMON = 0o666  # of a userdb's socket: Dovecot then tells each account of itself only
CLOSED_DIRECTORIES = ("login/", "token-login/", "/var/spool/postfix/private/")  # nobody else gets to what lies in these
GIVES_ALL = ("master", "doveadm-server")  # whoever may talk to these may be any user


def _place(dovecot: DovecotConfig, socket: Socket, *names: str) -> Place:
    found = next((socket.settings[name] for name in names if name in socket.settings), None)
    if found is not None:
        return Place.at(found.span)
    header = socket.section.opened if socket.section is not None else None
    return place_of(dovecot) if header is None else Place.at(header.span)


@rule("DOVECOT071")
def lmtp_is_for_smtpd(
    dovecot: DovecotConfig, smtpd: SmtpdConfig | Missing | NotHere | Lacking, owner: MailOwner, site: Site
) -> Iterator[Outcome]:
    """The socket of LMTP is where smtpd delivers, and open to the mail's owner alone."""
    actions = [each for each in users_actions(smtpd, site) if each.kind == "lmtp"] if isinstance(smtpd, SmtpdConfig) else []
    wanted = {each.argument.value: each for each in actions if each.argument and each.argument.value.startswith("/")}
    serves = "lmtp" in dovecot.protocols
    open_ = list(sockets(dovecot, "lmtp")) if serves else []
    yield from unread(smtpd)
    if isinstance(smtpd, Lacking) and smtpd.reason is Reason.NOT_RECORDED:
        yield Doubt(smtpd.reason, smtpd.detail or f"{smtpd.path} was not recorded")
    if not serves and not wanted:
        yield Exempt("Dovecot does not serve LMTP, and smtpd does not deliver by it")
    for path, action in wanted.items():
        if posixpath.normpath(path) not in {each.path for each in open_}:
            yield from _nobody_there(dovecot, action, path, serves=serves)
    for socket in open_:
        here = {posixpath.normpath(path): action for path, action in wanted.items()}
        yield from _lmtp(dovecot, socket, here.get(socket.path), owner)


def _nobody_there(dovecot: DovecotConfig, action: Action, path: str, *, serves: bool) -> Iterator[Finding]:
    if not serves and not path.startswith(dovecot.setting("base_dir").value.rstrip("/") + "/"):
        return  # another program's socket
    why = "has no LMTP socket there" if serves else "does not serve LMTP"
    place = Place.at(action.argument.span) if action.argument is not None else Place.at(action.at)
    yield Finding(f"smtpd delivers to {path}, and Dovecot {why}.", (place,), None, f"action {action.name.value}", path)


def _lmtp(dovecot: DovecotConfig, socket: Socket, action: Action | None, owner: MailOwner) -> Iterator[Outcome]:
    if socket.mode is None:
        message = f"Who may write to {socket.path} could not be evaluated."
        yield Doubt(Reason.IN_DOUBT, message, (_place(dovecot, socket, "mode"),))
        return
    user = action.values["user"].value if action is not None and "user" in action.values else owner.name
    number = str(owner.user.uid) if owner.user is not None and user == owner.name else ""
    is_his = socket.user in (user, number) and socket.user and socket.mode & OWNER
    is_its_groups = socket.group in (user, number) and socket.group and socket.mode & GROUP
    title = f"Open it to {user} alone"
    if socket.mode & OTHERS and not socket.path.startswith(CLOSED_DIRECTORIES):
        yield Finding(
            f"Every account on this host may deliver mail past the filter: {socket.path} has mode {socket.mode:04o}.",
            (_place(dovecot, socket, "mode"),),
            Fix(title, Safety.SAFE, closed(dovecot, socket, user), ("rcctl reload dovecot",)),
            "socket lmtp",
            f"{socket.mode:04o}",
            absence="mode" not in socket.settings,
        )
    elif action is not None and not is_his and not is_its_groups:
        if owner.user is None and "user" not in action.values and not _is_daemons(socket.user):
            message = f"Whether smtpd delivers as {socket.user}, to whom {socket.path} belongs, was not recorded."
            yield Doubt(Reason.NOT_RECORDED, message, (_place(dovecot, socket, "user"),))
            return
        yield Finding(
            f"smtpd delivers as {user}, who may not write to {socket.path}: it belongs to {socket.user or 'root'}.",
            (_place(dovecot, socket, "user", "mode"),),
            Fix(title, Safety.SAFE, closed(dovecot, socket, user), ("rcctl reload dovecot",)),
            "socket lmtp owner",
            socket.user or "root",
            absence="user" not in socket.settings,
        )


def _is_daemons(user: str) -> bool:
    """True for an account that gets no mail: root's is never delivered as root, and daemons have no mailboxes."""
    return user in ("", "root") or user.startswith("_")


def closed(dovecot: DovecotConfig, socket: Socket, user: str) -> tuple[Edit, ...]:
    """Give a socket to one user alone."""
    values = {"user": user, "mode": "0600"}
    section = socket.section
    if section is None or section.opened is None:
        return append(dovecot, *socket_lines(posixpath.basename(socket.path), user))
    edits: list[Edit] = []
    for name, value in values.items():
        statement = socket.settings[name].statement if name in socket.settings else None
        edits += replace_value(statement, value) if statement is not None else ()
    new = [f"{name} = {value}" for name, value in values.items() if name not in socket.settings]
    return (*edits, *(insert_below(dovecot, section.opened, *new) if new else ()))


def socket_lines(name: str, user: str) -> tuple[str, ...]:
    """A section for a socket of LMTP that a user alone may write to."""
    return ("service lmtp {", f"\tunix_listener {name} {{", f"\t\tuser = {user}", "\t\tmode = 0600", "\t}", "}")


@rule("DOVECOT074")
def sockets_of_passwords_are_closed(dovecot: DovecotConfig) -> Iterator[Outcome]:
    """No socket that answers about users and passwords, or obeys orders, is open to every account."""
    for service in ("auth", "doveadm"):
        for socket in sockets(dovecot, service):
            yield from _open_to_all(dovecot, socket)


def _open_to_all(dovecot: DovecotConfig, socket: Socket) -> Iterator[Outcome]:
    name = socket.section.name if socket.section is not None else ""
    kind = socket.section.get("type") if socket.section is not None else None
    is_userdb = name.endswith("userdb") or (kind is not None and kind.value == "userdb")
    if "mode" not in socket.settings or name.startswith(CLOSED_DIRECTORIES):
        return  # Dovecot's own modes are safe
    if socket.mode is None:
        message = f"Who may write to {socket.path} could not be evaluated."
        yield Doubt(Reason.IN_DOUBT, message, (_place(dovecot, socket, "mode"),))
    elif socket.mode & OTHERS and not (is_userdb and socket.mode & 0o777 == CHECKED_BY_DAEMON):
        statement = socket.settings["mode"].statement
        mode = f"{socket.mode & ~0o007:04o}"
        can = "be any user" if name.endswith(GIVES_ALL) else "ask about every user" if is_userdb else "try passwords unseen"
        yield Finding(
            f"Every account on this host may {can}: {socket.path} has mode {socket.mode:04o}.",
            (_place(dovecot, socket, "mode"),),
            Fix("Close it to others", Safety.SAFE, replace_value(statement, mode) if statement is not None else ()),
            f"socket {socket.service} {name}",
            f"{socket.mode:04o}",
        )
