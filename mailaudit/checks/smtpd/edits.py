"""What a fix puts into smtpd.conf, and beside which statement; a macro's words stay what they are."""

from __future__ import annotations

from collections.abc import Iterable

from mailaudit.editing import statements, words
from mailaudit.editing.smtpd import STYLE, add_filter
from mailaudit.edits import Edit
from mailaudit.models.smtpd.config import SmtpdConfig
from mailaudit.models.smtpd.parts import Action, Filter, Listener, Table
from mailaudit.parsers.tree import Statement, Token

_RSPAMD = "rspamd"


def add_line(smtpd: SmtpdConfig, kind: str, *lines: str, above: Statement | None = None) -> tuple[Edit, ...]:
    """New lines of a kind in smtpd.conf itself: below the last one of its kind that stands above its use."""
    return statements.add(smtpd.tree, STYLE, kind, *lines, use=above) or ()


def below(statement: Statement, *lines: str) -> tuple[Edit, ...]:
    """Lines below a statement, indented alike."""
    return statements.below(statement, STYLE, *lines) or ()


def before(statement: Statement, line: str) -> tuple[Edit, ...]:
    """A line above a statement, indented alike; a comment that stands above it stays with it."""
    return statements.above(statement, STYLE, line)


def after(token: Token, written: str) -> tuple[Edit, ...]:
    """Words behind a token; nothing where the token came out of a macro, whose other uses would change too."""
    return words.after(token, written) or ()


def instead(token: Token, written: str) -> tuple[Edit, ...]:
    """Other words for a token; nothing where it came out of a macro."""
    return words.instead(token, written) or ()


def without(statement: Statement, tokens: Iterable[Token]) -> tuple[Edit, ...]:
    """A statement without some of its tokens; nothing where one of them came out of a macro."""
    return words.without(statement, tokens) or ()


def rspamd(smtpd: SmtpdConfig) -> Filter | None:
    """The filter that hands mail to rspamd: by its program, or a chain that holds it."""
    for known in smtpd.filters.values():
        if known.program is not None and _RSPAMD in known.program.value:
            return known
    return None


def is_filtered(smtpd: SmtpdConfig, listener: Listener) -> bool:
    """True if a listener's mail goes through rspamd; the name of a filter that is not defined is taken at its word."""
    if any(known.program is not None and _RSPAMD in known.program.value for known in smtpd.filters_of(listener)):
        return True
    return any(_RSPAMD in token.value for token in listener.filters if token.value not in smtpd.filters)


def add_rspamd(smtpd: SmtpdConfig, listener: Listener) -> tuple[Edit, ...]:
    """The edits that put rspamd's filter behind those that a listener has; none where that is not plain."""
    known = rspamd(smtpd)
    if known is None:
        return ()
    if len(listener.filters) == 1:
        chained = smtpd.filters.get(listener.filters[0].value)
        if chained is None or chained.kind == "chain":
            return ()
    return add_filter(listener.statement, known.name.value) or ()


def pki_name(smtpd: SmtpdConfig) -> str | None:
    """The name of the first pki as it is written, or None if none is defined."""
    for pki in smtpd.pki.values():
        return pki.statements[0].seen[1].span.chars
    return None


def credentials(smtpd: SmtpdConfig) -> Table | None:
    """The table of logins: that of table-passwd, else the one a listener uses."""
    for table in smtpd.tables.values():
        if table.backend == "passwd":
            return table
    return next(iter(smtpd.credential_tables), None)


def virtual_action(smtpd: SmtpdConfig) -> Action | None:
    """The local action that expands virtual addresses."""
    actions = [action for action in smtpd.actions.values() if not action.is_relay]
    with_tables = [action for action in actions if "virtual" in action.tables]
    return with_tables[0] if with_tables else None


def local_action(smtpd: SmtpdConfig) -> Action | None:
    """The local action that expands the host's own names, else one that delivers without virtual addresses."""
    actions = [action for action in smtpd.actions.values() if not action.is_relay and "virtual" not in action.tables]
    with_aliases = [action for action in actions if "alias" in action.tables]
    return next(iter(with_aliases or actions), None)


def relay_action(smtpd: SmtpdConfig) -> Action | None:
    """The first action that relays."""
    return next((action for action in smtpd.actions.values() if action.is_relay), None)
