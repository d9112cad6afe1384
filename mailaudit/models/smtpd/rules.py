"""Reads smtpd.conf's actions, listeners and match rules into a draft, each checked as smtpd checks it."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Mapping

from mailaudit.models.smtpd.draft import Draft
from mailaudit.models.smtpd.parts import Action, Cause, Criterion, Listener, Rule, Table, leaf, string
from mailaudit.models.smtpd.releases import PKI_REQUIRED
from mailaudit.parsers.tree import Node, Statement, Token

ACTIONS = ("mbox", "maildir", "lmtp", "mda", "forward-only", "expand-only", "relay")
_KINDS = {  # what an action's option can look things up in
    "alias": ("hash",), "virtual": ("hash",), "userbase": ("hash",), "helo-src": ("hash",), "auth": ("hash",),
    "domain": ("hash",), "src": ("list",), "host": ("list",),
}  # fmt: skip
_EXCLUSIVE = (("alias", "virtual"), ("host", "domain"), ("backup", "host"), ("backup", "domain"))
_LONGEST_TAG = 32
_PLACE = re.compile(r"[0-9]+(?:\.[0-9]+){0,3}|(?![0-9.]+\Z)[A-Za-z0-9_.:%-]+", re.ASCII)  # no row of digits and dots that is none
_TLS = {"tls": "tls", "tls-require": "tls-require", "smtps": "smtps"}
_WORDS = ("mask-src", "no-dsn", "proxy-v2", "received-auth")
_OPTIONS = (
    "inet4", "inet6", "port", "filter", "ciphers", "protocols", "ca", "tag", "hostname", "hostnames", "mask-src",
    "received-auth", "no-dsn", "proxy-v2", "senders",
)  # fmt: skip


def read_action(draft: Draft, statement: Statement) -> None:
    """`action NAME` and how mail is delivered or relayed."""
    node = statement.node
    name = string(node)
    body = next(part for part in node if isinstance(part, Node) and part.kind in ACTIONS)
    options = [part for part in body if isinstance(part, Node)]
    ttls = node.nodes("ttl")
    draft.once([each for each in (*options, *ttls) if each.kind != "wrapper"])
    _exclusive(draft, options)
    for ttl in ttls:
        draft.delay(string(ttl))
    tables: dict[str, Table] = {}
    values: dict[str, Token] = {ttl.kind: string(ttl) for ttl in ttls}
    filters: tuple[Token, ...] = ()
    for option in options:
        if option.kind in _KINDS:
            use = "relay auth" if option.kind == "auth" else option.kind
            found = draft.table(option, use, *_KINDS[option.kind])
            if found is not None:
                tables.setdefault(option.kind, found[0])
        elif option.kind == "filter":
            filters = draft.filter_use(option)
        elif any(token.is_string for token in option.leaves()):
            values.setdefault(option.kind, string(option))
    _check_action(draft, body, options, tables)
    argument = next((token for token in body.leaves() if token.is_string), None)
    words = {option.kind: option.first for option in options}
    words |= {token.value: token for option in options if (token := leaf(option, "no-verify")) is not None}
    action = Action(name, body.kind, body.first, statement, argument, words, values, tables, filters)
    if name.value in draft.actions:
        draft.refuse(f'the action "{name.value}" is defined twice', name)
        return
    draft.below.pop(name.value, None)
    draft.actions[name.value] = action


def _exclusive(draft: Draft, options: list[Node]) -> None:
    words = {option.kind: option.first for option in options}
    for pair in _EXCLUSIVE:
        both = [kind for kind in words if kind in pair]  # in their order; an offset may be one in a macro
        if len(both) > 1:
            draft.refuse(f'"{pair[0]}" and "{pair[1]}" exclude each other', words[both[1]])


def _check_action(draft: Draft, body: Node, options: list[Node], tables: Mapping[str, Table]) -> None:
    for option in options:
        if option.kind == "user" and body.kind in ("mbox", "forward-only", "expand-only"):
            draft.refuse(f'"user" can not stand with "{body.kind}"', option.first)
        elif option.kind == "wrapper" and string(option).value not in draft.wrappers:
            draft.refuse(f'the mda wrapper "{string(option).value}" is not defined above', string(option))
        elif option.kind == "srs" and draft.options.srs_key is None:
            draft.refuse('"srs" needs an "srs key" above', option.first)
        elif option.kind == "auth":
            before = options[: [each.kind for each in options].index("auth")]
            if not any(each.kind in ("host", "domain") for each in before):
                draft.refuse('"auth" needs a "host" before it', option.first)
            for _, value in tables["auth"].entries:
                if value is not None:  # the whole, and the password wherever it stands alone
                    parts = (value.value, value.value.partition(":")[2])
                    draft.secrets.extend(("relay-credentials", part) for part in parts if part)


def read_listen(draft: Draft, statement: Statement) -> None:
    """`listen on socket` or on an interface, a group, an address or a host name."""
    node = statement.node
    socket = node.node("on-socket")
    body = socket or node.node("on")
    assert body is not None
    at = body.first
    options = {part.kind: part for part in reversed([part for part in body if isinstance(part, Node)])}
    everything = [part for part in body if isinstance(part, Node)]
    draft.once(everything, _OPTIONS)
    families = [part.first for part in everything if part.kind in ("inet4", "inet6")]
    if {token.value for token in families} == {"inet4", "inet6"}:
        draft.refuse('"inet4" and "inet6" exclude each other', families[-1])
    if socket is not None and any(listener.is_socket for listener in draft.listeners):
        draft.refuse("a second listener on the socket", at)
    modes = [part for part in everything if part.kind in _TLS]
    logins = [part for part in everything if part.kind in ("auth", "auth-optional")]
    for extra in (*modes[1:], *logins[1:]):
        draft.refuse(f'"{extra.first.value}" contradicts what stands before it', extra.first)
    mode, login = modes[0] if modes else None, logins[0] if logins else None
    port, port_at = _port(draft, options.get("port"), mode)
    auth_table = draft.table(login, "listen auth", "list", "hash") if login is not None else None
    for _, password in auth_table[0].entries if auth_table is not None else ():
        if password is not None:
            draft.secrets.append(("password", password.value))
    senders = options.get("senders")
    sender_table = draft.table(senders, "senders", "hash") if senders is not None else None
    hostnames = draft.table(options["hostnames"], "hostnames", "hash") if "hostnames" in options else None
    listener = Listener(
        statement=statement,
        at=at,
        where="socket" if socket is not None else at.value,
        family=_family(options, at.value),
        port=None if socket is not None else port,
        port_at=port_at,
        tls=_TLS[mode.kind] if mode is not None else "none",
        tls_at=mode.first if mode is not None else None,
        verify=mode is not None and leaf(mode, "verify") is not None,
        pki=tuple(string(part) for part in everything if part.kind == "pki"),
        auth="none" if login is None else "required" if login.kind == "auth" else "optional",
        auth_at=login.first if login is not None else None,
        auth_table=auth_table[0] if auth_table else None,
        filters=draft.filter_use(options["filter"]) if "filter" in options else (),
        hostname=string(options["hostname"]) if "hostname" in options else None,
        tag=string(options["tag"]) if "tag" in options else None,
        senders=sender_table[0] if sender_table else None,
        masks_source="mask-src" in options,
        words={part.kind: part.first for part in everything if part.kind in _WORDS} | _masquerade(senders),
        values={part.kind: string(part) for part in everything if part.kind in ("ca", "ciphers", "protocols")},
        hostnames=hostnames[0] if hostnames else None,
    )
    _check_listener(draft, listener, options.get("ca"))
    draft.listeners.append(listener)


def _masquerade(senders: Node | None) -> dict[str, Token]:
    word = leaf(senders, "masquerade") if senders is not None else None
    return {} if word is None else {"masquerade": word}


def _family(options: Mapping[str, Node], where: str) -> int | None:
    if "inet4" in options:
        return 4
    if "inet6" in options:
        return 6
    try:
        return ipaddress.ip_address(where).version
    except ValueError:
        return None


def _port(draft: Draft, option: Node | None, mode: Node | None) -> tuple[int | None, Token | None]:
    """A listener's port: 25, or 465 with smtps, where none is given."""
    if option is None:
        return (465 if mode is not None and mode.kind == "smtps" else 25), None
    at = option.leaves()[1]
    if at.kind == "number":
        number = int(at.value) if len(at.value) < 10 else 0
        known: int | None = number if 0 < number < 65536 else None
    else:
        known = draft.services.port(at.value, "tcp")
    if known is None:
        draft.refuse(f'"{at.value}" is no port: expected a name from services(5) or a number from 1 to 65535', at)
    return known, at


def _check_listener(draft: Draft, listener: Listener, ca: Node | None) -> None:
    where = f"listen {listener.port}"
    if listener.tag is not None and len(listener.tag.value) > _LONGEST_TAG:
        draft.refuse(f"a tag has at most {_LONGEST_TAG} characters", listener.tag)
    if ca is not None and string(ca).value.lower() not in draft.cas:
        draft.refuse(f'the ca "{string(ca).value}" is not defined above', string(ca))
    for name in listener.pki:
        known = name.value.lower()
        if known not in draft.pki:
            draft.refuse(f'the pki "{name.value}" is not defined above', name, Cause.PKI, known, where)
        elif name.value != known and draft.release >= PKI_REQUIRED:
            message = f'smtpd keeps the pki "{name.value}" as "{known}", and looks for a listener\'s letter by letter'
            draft.refuse(message, name, mend=None if name.via else name.span.chars.replace(name.value, known))
    if listener.is_socket:
        return
    if not _PLACE.fullmatch(listener.where):
        draft.refuse(f'"{listener.where}" is no interface, group, address or host name', listener.at)
    if listener.tls_at is None:
        if listener.auth_at is not None:
            message = f'"{listener.auth_at.value}" needs "tls", "tls-require" or "smtps"'
            draft.refuse(message, listener.auth_at, Cause.AUTH_WITHOUT_TLS, where=where)
        if listener.pki:
            draft.refuse('"pki" needs "tls", "tls-require" or "smtps"', listener.pki[0])
    elif not listener.pki and draft.release >= PKI_REQUIRED:
        message = f'"{listener.tls_at.value}" needs a "pki" (since OpenSMTPD 6.9)'
        draft.refuse(message, listener.tls_at, Cause.TLS_WITHOUT_PKI, where=where)


def read_match(draft: Draft, statement: Statement) -> None:
    """`match` criteria and an action, or reject."""
    node = statement.node
    parts: dict[str, Criterion] = {}
    for child in node:
        if not isinstance(child, Node) or child.kind in ("action", "reject"):
            continue
        if child.kind in ("from", "for"):
            _way(draft, child, parts)
        elif child.kind in parts:
            draft.refuse(f'"{child.kind}" is given twice', _split(child)[0][-1])
        else:
            parts[child.kind] = _criterion(draft, child, child.kind, is_negated=child.first.kind == "!")
    first = statement.seen[0]
    named = node.node("action")
    action: Action | None = None
    if named is not None:
        name = string(named)
        action = draft.actions.get(name.value) or draft.below.get(name.value)
        if name.value not in draft.actions:
            below = ", but below" if action is not None else ""
            message = f'the action "{name.value}" is not defined above{below}'
            draft.refuse(message, name, Cause.ACTION, name.value)
        if action is None:  # there is no telling what was meant: the file is judged without this rule
            return
    draft.rules.append(
        Rule(
            statement,
            parts.get("from", Criterion("local", first)),
            parts.get("for", Criterion("local", first)),
            action,
            tag=parts.get("tag"),
            helo=parts.get("helo"),
            auth=parts.get("auth"),
            tls=parts.get("tls"),
            mail_from=parts.get("mail-from"),
            rcpt_to=parts.get("rcpt-to"),
        )
    )


def _way(draft: Draft, node: Node, parts: dict[str, Criterion]) -> None:
    """A `from` or a `for`; `from auth`, `from mail-from` and `for rcpt-to` are any, and a criterion beside it."""
    words, inner = _split(node)
    at = words[-1]
    if node.kind in parts:
        draft.refuse(f'"{node.kind}" is given twice', at)
        return
    assert inner is not None
    criterion = _criterion(draft, inner, f"{node.kind} {inner.kind}", is_negated=len(words) > 1)
    if inner.kind in ("auth", "mail-from", "rcpt-to"):
        parts[node.kind] = Criterion("any", at)
        parts[inner.kind] = criterion
    else:
        parts[node.kind] = criterion


def _split(node: Node) -> tuple[list[Token], Node | None]:
    """The tokens before a criterion's first child, `!` among them, and that child."""
    words: list[Token] = []
    for child in node:
        if isinstance(child, Node):
            return words, child
        words.append(child)
    return words, None


def _criterion(draft: Draft, node: Node, use: str, *, is_negated: bool) -> Criterion:
    words, inner = _split(node)
    if inner is None:
        return Criterion(node.kind, words[-1], is_negated)
    found = draft.table(node, use, "list")
    table, regex = found if found is not None else (None, False)
    return Criterion(node.kind, words[-1], is_negated, table, regex)


READERS: Mapping[str, Callable[[Draft, Statement], None]] = {
    "action": read_action,
    "listen": read_listen,
    "match": read_match,
}
