"""The quota plugin's settings: roots, limits and warnings."""

from __future__ import annotations

import re
from collections.abc import Mapping

from mailaudit.converting.locations import Pairs, Unsaid
from mailaudit.converting.variables import in_new_words
from mailaudit.converting.writing import Work, assign, block, in_inbox, named
from mailaudit.parsers.tree import Statement

Found = Mapping[str, tuple[Statement, str]]
_ROOT = re.compile(r"quota\d*")
_RULE = re.compile(r"(quota\d*)_rule\d*")
_WARNING = re.compile(r"(quota\d*)_warning\d*")
_LIMIT = re.compile(r"(storage|bytes|messages)=(-?)(\+?)([0-9]+)(%%?|%)?([BbkKMGT]?)")
_WARN = re.compile(r"(-?)(storage|bytes|messages)=([0-9]+)(%%?) +(\S+) *(.*)")
_COLONS = re.compile(r":(?![^{}]*\})")  # those of a variable part nothing
_DRIVERS = frozenset(("count", "maildir", "fs", "imapc"))


def limits(rule: str) -> Pairs:
    """The settings of a rule for all mailboxes. Raises `Unsaid`."""
    mailbox, _, rest = rule.partition(":")
    if mailbox != "*" or not rest:
        raise Unsaid(f"the quota rule {rule} is not one for all mailboxes")
    return [_limit(each, rule) for each in _COLONS.split(rest) if not each.startswith("backend=")]


def _limit(text: str, rule: str) -> tuple[str, str]:
    match = _LIMIT.fullmatch(text)
    if match is None or match[2] or match[3] or match[5]:
        if re.fullmatch(r"(storage|bytes|messages)=%\{\S+\}", text) and not text.startswith("storage"):
            kind, _, amount = text.partition("=")
            return ("quota_storage_size" if kind == "bytes" else "quota_message_count"), amount
        raise Unsaid(f"2.4 has no such limit as {rule}")
    if match[1] == "messages":
        return "quota_message_count", match[4] if match[4] != "0" else "unlimited"
    if match[4].strip("0") == "":
        return "quota_storage_size", "unlimited"
    return "quota_storage_size", match[4] + (match[6] or ("K" if match[1] == "storage" else ""))


def convert_quota(work: Work, found: Found) -> None:
    """All settings of a `plugin` section that are about quota."""
    limited = next((statement for name, (statement, _) in found.items() if name == "quota_rule"), None)
    if limited is not None and "quota_grace" not in found:
        work.note(
            limited.span, "a message may go over the limit by 10 M, in 2.3 by a tenth of it: quota_storage_grace says how far"
        )
    for name, (statement, value) in found.items():
        rule, warning = _RULE.fullmatch(name), _WARNING.fullmatch(name)
        with work.naming(statement.span, "see the settings of the quota plugin of 2.4"):
            if _ROOT.fullmatch(name):
                _root(work, statement, value)
            elif rule:
                work.lines(statement, _rule(work, rule, value))
            elif warning:
                work.lines(statement, _warning(warning, value))


def _root(work: Work, statement: Statement, value: str) -> None:
    """`count:User quota`; what follows further colons are options."""
    driver, _, rest = value.partition(":")
    label, *options = rest.split(":")
    if driver not in _DRIVERS:
        raise Unsaid(
            f"2.4 has no quota driver {driver}; quota is counted by the driver count, and quota_clone copies it to a dict"
        )
    lines = [assign("driver", driver)]
    for option in options:
        match = re.fullmatch(r"hidden|ignoreunlimited|noenforcing|ns=.*", option)
        if option == "noenforcing":
            lines.append("enforce = no")
        elif option == "hidden":
            lines.append("hidden = yes")
        elif option == "ignoreunlimited":
            lines.append("ignore_unlimited = yes")
        elif option and (match is None or option.startswith("ns=")):
            raise Unsaid(f"2.4 has no option {option} for a quota root")
    work.lines(statement, block(named("quota", label or "User quota"), lines))


def _of_first_root(match: re.Match[str]) -> None:
    if match[1] != "quota":
        raise Unsaid(f"{match[0]} is for another root than the first")


def _rule(work: Work, match: re.Match[str], value: str) -> list[str]:
    """A rule's settings: for all mailboxes as they are, for one in its section."""
    _of_first_root(match)
    mailbox, _, rest = value.partition(":")
    if mailbox == "*":
        return [assign(name, amount) for name, amount in limits(value)]
    mailbox = "INBOX" if mailbox == "?" else mailbox
    if rest == "ignore":
        return in_inbox(work, [(mailbox, ["quota_ignore = yes"])])
    more = re.fullmatch(r"(storage|bytes)=\+([0-9]+)([BbkKMGT]?)", rest)
    if more is None:
        raise Unsaid(f"2.4 has no such limit as {value}")
    extra = more[2] + (more[3] or ("K" if more[1] == "storage" else ""))
    return in_inbox(work, [(mailbox, [assign("quota_storage_extra", extra)])])


def _warning(name: re.Match[str], value: str) -> list[str]:
    _of_first_root(name)
    match = _WARN.fullmatch(value)
    if match is None:
        raise Unsaid(f"the warning {value} is not one at a part of the limit")
    resource = "message" if match[2] == "messages" else "storage"
    lines = ["resource = message"] if resource == "message" else []
    lines.append(assign(f"quota_{resource}_percentage", match[3]))
    if match[1]:
        lines.append("threshold = under")
    arguments = in_new_words(match[6])
    lines += block(named("execute", match[5]), [assign("args", arguments)] if arguments else [])
    return block(f"quota_warning {name[0].removeprefix('quota_')}", lines)
