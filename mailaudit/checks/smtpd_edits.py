"""Where a new line or word goes in smtpd.conf: beside its kin, above its use, in the file's own style."""

from __future__ import annotations

from collections.abc import Iterable

from mailaudit.edits import Edit, indent_of, insert, insert_line, insert_line_before
from mailaudit.models.smtpd import SmtpdConfig
from mailaudit.models.smtpd_parts import Action, Filter, Listener, Table
from mailaudit.parsers.tree import Statement, Token

ORDER = ("include", "macro", "pki", "ca", "table", "proc", "filter", "queue", "smtp", "srs", "mda", "action", "listen", "match")
_RSPAMD = "rspamd"


def own_statements(smtpd: SmtpdConfig) -> list[Statement]:
    """The statements of smtpd.conf itself, those of included files left out."""
    return [statement for statement in smtpd.tree.statements if statement.tokens]


def add_line(smtpd: SmtpdConfig, kind: str, line: str, above: Statement | None = None) -> Edit:
    """A new line of a kind: below the last one of its kind that stands above its use, else above what comes later."""
    statements = own_statements(smtpd)
    is_own = above is not None and above.span.text is smtpd.tree.text
    limit = above.span.start if above is not None and is_own else len(smtpd.tree.text.chars)
    kin = [each for each in statements if each.kind == kind and each.span.end <= limit]
    if kin:
        return below(kin[-1], line)
    later = ORDER[ORDER.index(kind) + 1 :]
    following = next((each for each in statements if each.kind in later and each.span.start <= limit), None)
    neighbour = following or (above if is_own else None)
    if neighbour is not None:
        return before(neighbour, line)
    if statements:
        return below(statements[-1], line)
    return Edit(smtpd.path, 0, 0, line + "\n")


def below(statement: Statement, line: str) -> Edit:
    """A line below a statement, indented alike."""
    text = statement.span.text
    return insert_line(text, statement.span.end, indent_of(text, statement.span.start) + line)


def before(statement: Statement, line: str) -> Edit:
    """A line above a statement, indented alike; a comment that stands above it stays with it."""
    text = statement.span.text
    start = _comment_start(text.chars, text.line_span(statement.span.start)[0])
    return insert_line_before(text, start, indent_of(text, statement.span.start) + line)


def _comment_start(chars: str, start: int) -> int:
    """The start of the comment lines right above a line."""
    while start > 0:
        previous = chars.rfind("\n", 0, start - 1) + 1
        if not chars[previous : start - 1].lstrip(" \t").startswith("#"):
            return start
        start = previous
    return start


def append(statement: Statement, words: str) -> tuple[Edit, ...]:
    """Words at the end of a statement, before a comment on its line."""
    return (insert(statement.span.text, statement.span.end, " " + words),)


def after(token: Token, words: str) -> tuple[Edit, ...]:
    """Words behind a token; nothing where the token came out of a macro, whose other uses would change too."""
    return () if token.via else (insert(token.text, token.end, " " + words),)


def instead(token: Token, words: str) -> tuple[Edit, ...]:
    """Other words for a token."""
    return () if token.via else (Edit(token.text.path, token.start, token.end, words),)


def without(statement: Statement, tokens: Iterable[Token]) -> tuple[Edit, ...]:
    """A statement without some of its tokens and the blanks before them."""
    edits: list[Edit] = []
    written = {token.start: number for number, token in enumerate(statement.tokens)}
    for token in tokens:
        if token.via or token.start not in written or token.text is not statement.span.text:
            return ()
        number = written[token.start]
        start = statement.tokens[number - 1].end if number else token.start
        edits.append(Edit(token.text.path, start, token.end, ""))
    return tuple(edits)


def without_line(statement: Statement) -> Edit:
    """The file without the lines of a statement."""
    text = statement.span.text
    start, _ = text.line_span(statement.span.start)
    _, end = text.line_span(statement.span.end)
    return Edit(text.path, start, end, "")


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
    name = known.name.span.chars
    if not listener.filters:
        return append(listener.statement, f"filter {name}")
    if len(listener.filters) > 1:
        return () if listener.filters[-1].via else (insert(listener.filters[-1].text, listener.filters[-1].end, f", {name}"),)
    first = listener.filters[0]
    chained = smtpd.filters.get(first.value)
    if chained is None or chained.kind == "chain":
        return ()
    return instead(first, f"{{ {first.span.chars}, {name} }}")


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
