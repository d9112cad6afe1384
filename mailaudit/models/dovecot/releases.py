"""What the releases of Dovecot 2.4 differ in: names that came and went, and values that are refused since one of them.

The release that counts is the one that runs; where there is no evidence of it, it is at least the one that the files are
written for. Sources: doveconf of 2.4.1 and 2.4.5, asked for every name; NEWS of 2.4.2 to 2.4.5.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from mailaudit.models.dovecot.catalogue import FIRST, LAST, Catalogue, Version, version_of
from mailaudit.models.dovecot.reading import key_of
from mailaudit.models.dovecot.sections import Section
from mailaudit.models.dovecot.values import comes_to
from mailaudit.parsers.tree import Problem

PACKAGE = re.compile(r"^dovecot-(\d+\.\d+[\d.]*)(?:p\d+)?(?:v\d+)?(?:-[a-z]\w*)?(?:\s|\Z)", re.MULTILINE)
VERSION = re.compile(r"\A(\d+\.\d+(?:[\d.]*(?=[\s(]|\Z))?)")
"""How a list of packages and `dovecot --version` tell the release; of a distributor's own (`2.4.1-4`) the family alone."""

_SET = re.compile(r"\$SET:")
ZERO_ENDS = (2, 4, 3)
_NO_LIMIT = frozenset(
    (
        "fts_message_max_size",
        "last_valid_gid",
        "last_valid_uid",
        "mail_cache_max_header_name_length",
        "mail_cache_max_headers_count",
        "mail_sort_max_read_count",
        "mail_vsize_bg_after_count",
        "quota_mail_size",
        "sieve_quota_script_count",
        "sieve_quota_storage_size",
    )
)
"""Settings of which 0 is no limit up to 2.4.2, and refused since 2.4.3."""


def of_other_releases(root: Section, known: Catalogue, installed: str) -> Iterator[Problem]:
    """What the release that runs refuses; `installed` is that release or a part of it, empty where nothing tells it."""
    runs = version_of(installed)
    version = root.settings.get("dovecot_config_version")
    written = version_of(version.value) if version else None
    if runs and written and version and runs < written:
        message = f"these files are written for Dovecot {version.value}, and {installed}, which is installed, refuses them"
        yield Problem(message, version.span)
    least = runs or written or ()
    for section in root.walk():
        for setting in section.settings.values():
            definition = known.get(setting.name)
            if definition is None or setting.statement is None:
                continue
            at = key_of(setting.statement).span
            if definition.is_later and runs and runs <= FIRST:
                message = f'Dovecot {installed} is installed, and knows no setting "{at.chars}"; a later one does'
                yield Problem(message, at)
            elif definition.is_gone and least >= LAST:
                yield Problem(f'Dovecot {_said(least)} knows no setting "{at.chars}" any more', at)
            elif definition.kind == "file" and least >= LAST and (token := setting.token) and _SET.match(token.span.chars):
                message = f"Dovecot {_said(LAST)} takes a file by its path alone, not by {token.value}"
                yield Problem(message, setting.span)
            elif setting.name in _NO_LIMIT and comes_to(definition, setting.value, is_new=True) == 0 and least >= ZERO_ENDS:
                message = f'{setting.name} must not be 0 from Dovecot {_said(ZERO_ENDS)} on; "unlimited" is no limit'
                yield Problem(message, setting.span)


def _said(number: Version) -> str:
    return ".".join(map(str, number))
