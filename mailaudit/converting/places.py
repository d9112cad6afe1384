"""Sections of services, namespaces and their like: names that 2.4 asks for, settings that are called otherwise."""

from __future__ import annotations

from mailaudit.converting.locations import over, shared_prefix, shared_words, split
from mailaudit.converting.plain import location_lines, variables
from mailaudit.converting.variables import in_new_words
from mailaudit.converting.writing import Names, Work, named
from mailaudit.edits import insert, replace
from mailaudit.models.dovecot.catalogue import catalogue
from mailaudit.models.dovecot.reading import Visit, parts_of
from mailaudit.models.dovecot.sections import is_variable_line
from mailaudit.models.dovecot.settings import NEW
from mailaudit.models.dovecot.values import is_true
from mailaudit.parsers.tree import Statement

_OF_SERVICES = {"service_count": "restart_request_count", "idle_kill": "idle_kill_interval", "address": "listen"}
_GONE_SERVICES = {
    "replicator": "replication was removed from 2.4",
    "aggregator": "replication was removed from 2.4",
    "old-stats": "the old statistics were removed",
    "director": "director was removed from 2.4",
    "ipc": "ipc was removed from 2.4",
}
_UNLIMITED = {"service_count": {"0": "unlimited"}}
_SERVICE_NAMES = {"dns_client": "dns-client"}


def convert_namespace(work: Work, known: Names, section: Statement, inside: list[Visit]) -> None:
    """A namespace: it has a name in 2.4, and no location."""
    settings = {visit.statement.seen[0].value: visit.statement for visit in inside}
    values = {key: _value(statement) for key, statement in settings.items()}
    written = [token for token in section.seen[1:] if token.kind != "{"]
    if written and written[0].value:
        known.taken.add(written[0].value)
    else:
        wanted = "inbox" if is_true(values.get("inbox", "")) else values.get("type") or "private"
        words = named("", known.give(wanted)).lstrip()
        if written:
            work.edit((replace(written[0].span, words),))
        else:
            work.edit((insert(section.text, section.seen[0].end, f" {words}"),))
    shared = values.get("type") in ("shared", "public") and "%%" in values.get("prefix", "") + values.get("location", "")
    for key, statement in settings.items():
        if key in ("location", "prefix"):
            _place(work, statement, key, values[key], shared=shared)


def _place(work: Work, statement: Statement, key: str, value: str, *, shared: bool) -> None:
    with work.naming(statement.span, "write mail_driver, mail_path and their like"):
        if key == "location" and not value:
            work.remove(statement)
        elif key == "location":
            pairs = split(value, shared_words if shared else in_new_words)
            work.lines(statement, location_lines(over(pairs, work.config.setting("mail_location").value)))
        elif shared and "%%" in value:
            work.value(statement, shared_prefix(value))


def _value(statement: Statement) -> str:
    token = parts_of(statement)[1]
    return token.value if token is not None else ""


def convert_service_name(work: Work, section: Statement) -> bool:
    """A service's first line; False if 2.4 has no such service, which is made a comment."""
    names = [token for token in section.seen[1:] if token.kind != "{"]
    name = names[0].value if names else ""
    if name in _GONE_SERVICES:
        work.drop(section, f"the service {name} is left out: {_GONE_SERVICES[name]}")
        return False
    if name in _SERVICE_NAMES:
        work.edit((replace(names[0].span, _SERVICE_NAMES[name]),))
    return True


def name_listener(work: Work, section: Statement, number: int) -> None:
    """A listener without a name: 2.4 asks for one."""
    if all(token.kind == "{" for token in section.seen[1:]):
        port = next((_value(each) for each in section.body if each.kind == "setting" and each.seen[0].value == "port"), "")
        words = f"port{port}" if port.isdigit() else f"listener{number}"
        work.edit((insert(section.text, section.seen[0].end, f" {words}"),))


def convert_of_service(work: Work, statement: Statement, where: tuple[str, ...]) -> None:
    """A setting of a service or of one of its listeners."""
    key, token, from_file = parts_of(statement)
    value = token.value if token is not None else ""
    name = _OF_SERVICES.get(key.value, key.value)
    if name != key.value:
        work.rename(statement, name)
    new = _UNLIMITED.get(key.value, {}).get(value)
    if new is not None:
        work.value(statement, new)
    elif is_variable_line(token, from_file=from_file):
        text = variables(work, statement, value)
        if text is not None:
            work.value(statement, text)
    if not any(catalogue(NEW).get(each) for each in (name, *(f"{type_}_{name}" for type_ in where))):
        work.leave(statement.span, f"2.4 has no setting {key.value} in {where[-1]}", "take the line out")
