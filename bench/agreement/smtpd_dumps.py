"""What OpenSMTPD 7.8 understood of a configuration, as its dump tells it and as the model does: two sets of sentences."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from mailaudit.models.smtpd.config import SmtpdConfig
from mailaudit.models.smtpd.draft import seconds
from mailaudit.models.smtpd.parts import Action, Criterion, Filter, Listener, Rule, Table
from mailaudit.parsers.tree import Token

PHASES = {0: "connect", 1: "helo", 2: "ehlo", 4: "auth", 5: "mail-from", 6: "rcpt-to", 7: "data", 14: "commit"}
EFFECTS = ("reject", "disconnect", "rewrite", "report", "junk", "bypass")
LIMITS = {"max_rcpt": ("smtp limit max-rcpt", 1000), "max_mails": ("smtp limit max-mails", 100)}
TLS = {"none": (), "tls": ("starttls",), "tls-require": ("starttls", "starttls-require"), "smtps": ("smtps",)}
AUTH = {"none": (), "optional": ("auth",), "required": ("auth", "auth-require")}
CRITERIA = ("tag", "helo", "auth", "tls", "mail_from", "rcpt_to")
Sentence = tuple[object, ...]


def theirs(conf: Mapping[str, Any]) -> set[Sentence]:
    """The dump's sentences."""
    return {tuple(each) for each in _Dump(conf).sentences()}


class _Dump:
    def __init__(self, conf: Mapping[str, Any]) -> None:
        self.conf = conf

    def table(self, name: str | None) -> object:
        """A table by its name if it is declared, else by its content."""
        if name is None or not name.startswith("<dynamic"):
            return name
        return tuple(sorted((key, value) for key, value in self.conf["tables"][name]["entries"]))

    def filters(self, name: str | None) -> tuple[str, ...]:
        if name is None or not name.startswith("<dynchain"):
            return () if name is None else (name,)
        return tuple(self.conf["filters"][name]["chain"])

    def sentences(self) -> Iterator[Sentence]:
        conf = self.conf
        for each in conf["listeners"]:
            flags = tuple(sorted(set(each["flags"]) - {"filtered"}))
            where = ("socket", None) if each["kind"] == "socket" else (each["on"], each["port"])
            more = (each.get("tag"), each.get("hostname"), tuple(each["pki"]), each.get("protocols"))
            tables = (self.table(each.get("authtable")), self.table(each.get("senders")))
            yield "listen", *where, flags, *more, *tables, self.filters(each.get("filter"))
        for name, each in conf["actions"].items():
            yield "action", name, *sorted(self._action(each))
        for number, each in enumerate(conf["matches"]):
            yield "match", number, *self._match(each)
        for name, each in conf["procs"].items():
            yield "proc", name, each["command"], each.get("user"), each.get("group"), each.get("chroot")
        for name, each in conf["filters"].items():
            if not name.startswith("<dynchain"):
                yield "filter", name, *self._filter(each)
        for name, each in conf["pki"].items():
            yield "pki", name, each.get("cert"), each.get("key"), each.get("dhe", 0)
        yield from (("ca", name, file) for name, file in conf["ca"].items())
        queue, smtp = conf["queue"], conf["smtp"]
        yield "queue", queue["compression"], queue["encryption"], queue["ttl"], queue.get("key")
        yield "smtp", smtp["maxsize"], smtp["max_rcpt"], smtp["max_mails"], smtp["delim"], smtp.get("ciphers")
        yield "srs", conf["srs"]["ttl"], conf["srs"].get("key"), conf["srs"].get("key_backup")
        yield "bounce", *conf["bounce_warn"]
        yield "deferred", conf["mta_max_deferred"]

    def _action(self, each: Mapping[str, Any]) -> Iterator[Sentence]:
        for key, value in each.items():
            if key in ("alias", "virtual", "userbase", "auth", "host", "src", "helo_src"):
                yield key, self.table(value)
            elif key == "filter":
                yield key, self.filters(value)
            elif key == "command":
                yield key, value.removeprefix("/libexec/opensmtpd/")
            else:
                yield key, value

    def _match(self, each: Mapping[str, Any]) -> Iterator[object]:
        yield each.get("action")
        for key in ("from", "for", *CRITERIA):
            yield key, each.get(key, 0), self.table(each.get(f"t_{key}")), bool(each.get(f"{key}_re"))
        yield bool(each.get("from_socket")), bool(each.get("from_rdns"))

    def _filter(self, each: Mapping[str, Any]) -> Iterator[object]:
        yield each["type"]
        if each["type"] != "phase":
            yield each.get("proc") or tuple(each.get("chain", ()))
            return
        yield PHASES[each["phase"]]
        yield next((effect, each[effect] if effect not in ("junk", "bypass") else None) for effect in EFFECTS if effect in each)
        for key, value in each.items():
            if key not in (*EFFECTS, "type", "phase"):
                sign, table = (value, None) if isinstance(value, int) else (value[0], self.table(value[1]))
                yield key.removesuffix("_t").removesuffix("_re").replace("_", "-"), sign, table, key.endswith("_re")


def ours(smtpd: SmtpdConfig) -> set[Sentence]:
    """The model's sentences."""
    return {tuple(each) for each in _sentences(smtpd)}


def _sentences(smtpd: SmtpdConfig) -> Iterator[Sentence]:
    if not any(listener.is_socket for listener in smtpd.listeners):
        yield "listen", "socket", None, ("dsn",), None, None, (), None, None, None, ()
    for listener in smtpd.listeners:
        yield "listen", *_listener(listener)
    for name, action in smtpd.actions.items():
        yield "action", name, *sorted(_action(action))
    for number, rule in enumerate(smtpd.rules):
        yield "match", number, *_rule(rule)
    for name, proc in smtpd.procs.items():
        yield "proc", name, proc.command.value, *(_value(proc.values.get(word)) for word in ("user", "group", "chroot"))
    for name, filter_ in smtpd.filters.items():
        yield "filter", name, *_filter(filter_)
    for name, pki in smtpd.pki.items():
        dhe = {"none": 0, "auto": 1, "legacy": 2}[pki.dhe.value.lower()] if pki.dhe is not None else 0
        yield "pki", name, _value(pki.cert), _value(pki.key), dhe
    yield from (("ca", name, token.value) for name, token in smtpd.cas.items())
    yield from _options(smtpd)


def _options(smtpd: SmtpdConfig) -> Iterator[Sentence]:
    options = smtpd.options
    settings = options.settings
    compressed, encrypted = int(options.queue_compression is not None), int(options.queue_encryption is not None)
    ttl = seconds(settings["queue ttl"].value) if "queue ttl" in settings else 4 * 86400
    yield "queue", compressed, encrypted, ttl, _value(options.queue_key)
    limits = [int(settings[words].value) if words in settings else usual for words, usual in LIMITS.values()]
    yield "smtp", options.max_message_size, *limits, options.sub_address_delimiter, _value(settings.get("smtp ciphers"))
    days = (seconds(settings["srs ttl"].value) or 0) // 86400 if "srs ttl" in settings else 4
    yield "srs", days, _value(options.srs_key), _value(settings.get("srs key backup"))
    delays = [seconds(token.value) for token in options.bounce_delays[:4]] or [4 * 3600]
    yield "bounce", *delays, *[0] * (4 - len(delays))
    yield "deferred", int(settings["mta max-deferred"].value) if "mta max-deferred" in settings else 100


def _listener(listener: Listener) -> Iterator[object]:
    flags = {*TLS[listener.tls], *AUTH[listener.auth], *({"dsn"} if "no-dsn" not in listener.words else ())}
    named = {"mask-src": "mask-src", "received-auth": "received-auth", "proxy-v2": "proxy-v2", "masquerade": "masquerade"}
    flags |= {flag for word, flag in named.items() if word in listener.words} | ({"tls-verify"} if listener.verify else set())
    yield from (listener.where, listener.port, tuple(sorted(flags)), _value(listener.tag), _value(listener.hostname))
    yield tuple(token.value for token in listener.pki)
    yield _value(listener.values.get("protocols"))
    yield from (_table(listener.auth_table), _table(listener.senders), tuple(token.value for token in listener.filters))


def _action(action: Action) -> Iterator[Sentence]:
    yield "type", "relay" if action.is_relay else "local"
    names = {"host": "host", "domain": "host", "helo-src": "helo_src"}
    yield from ((names.get(word, word), _table(table)) for word, table in action.tables.items())
    if not action.is_relay and "userbase" not in action.tables:
        yield "userbase", "<getpwnam>"
    values = {"mail-from": "mail_from", "backup": "backupmx"}
    for word, token in action.values.items():
        yield values.get(word, word), seconds(token.value) if word == "ttl" else token.value
    flags = {"mbox": "mbox", "forward-only": "forward_only", "expand-only": "expand_only"}
    if action.kind in flags:
        yield flags[action.kind], 1
    words = {"backup": "backup", "srs": "srs", "tls": "tls", "domain": "host_domain"}
    yield from ((flag, 1) for word, flag in words.items() if word in action.words)
    if "tls" in action.words and "no-verify" not in action.words:
        yield "tls_verify", 1
    if action.filters:
        yield "filter", tuple(token.value for token in action.filters)
    command = _command(action)
    if command:
        yield "command", command


def _command(action: Action) -> str:
    argument = action.argument.value if action.argument is not None else None
    if action.kind == "maildir":
        place = (
            argument.replace("~/", "%{user.directory}/", 1) if argument is not None and argument.startswith("~/") else argument
        )
        return "mail.maildir" + (" -j" if "junk" in action.words else "") + (f' "{place}"' if place is not None else "")
    if action.kind == "lmtp":
        return f"mail.lmtp -d {argument} {'-r' if 'rcpt-to' in action.words else '-u'}"
    return f'mail.mda "{argument}"' if action.kind == "mda" else ""


def _rule(rule: Rule) -> Iterator[object]:
    yield rule.action.name.value if rule.action is not None else None
    usual = {"any": "<anyhost>", "local": "<localhost>", "socket": None}
    yield "from", *_criterion(rule.source, usual)
    yield "for", *_criterion(rule.destination, {"any": "<anydestination>", "local": "<localnames>"})
    for name in CRITERIA:
        yield name, *_criterion(getattr(rule, name), {})
    yield rule.source.kind == "socket", rule.source.kind == "rdns"


def _criterion(criterion: Criterion | None, usual: Mapping[str, str | None]) -> Sentence:
    if criterion is None:
        return 0, None, False
    table = usual.get(criterion.kind) if criterion.table is None else _table(criterion.table)
    return -1 if criterion.negated else 1, table, criterion.regex


def _filter(filter_: Filter) -> Iterator[object]:
    yield "proc" if filter_.kind == "proc-exec" else filter_.kind
    if filter_.kind != "phase":
        yield filter_.proc.name.value if filter_.proc is not None else tuple(token.value for token in filter_.chain)
        return
    # parse.y forgets to note the phase of `phase auth`, which leaves it at connect
    yield "connect" if filter_.phase == "auth" else filter_.phase
    yield filter_.effect, _value(filter_.says)
    if filter_.condition is not None:
        sign, table, regex = _criterion(filter_.condition, {})
        yield filter_.condition.kind, sign, table, regex


def _table(table: Table | None) -> object:
    if table is None or not table.name.startswith("<dynamic"):
        return None if table is None else table.name
    return _content((key.value, _value(value)) for key, value in table.entries)


def _content(entries: Iterable[tuple[str, str | None]]) -> tuple[tuple[str, str | None], ...]:
    """The entries as smtpd keeps them: keys in lower case, of equal ones the last."""
    return tuple(sorted({key.lower(): value for key, value in entries}.items()))


def _value(token: Token | None) -> str | None:
    return None if token is None else token.value
