"""Secrets of a snapshot, masked before it is saved: what models know for secrets, and what stands where secrets stand."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from dataclasses import replace
from fnmatch import fnmatchcase
from typing import Protocol

from mailaudit.questions import Answer, CommandOutput, Found, ReadFile, RunCommand
from mailaudit.snapshot import Snapshot

_SHORT = 6  # characters; a shorter secret is masked only on lines that speak of secrets: "root" must not blot out half a file
_SPEAKS = re.compile(rb"(?i)pass|secret|key|auth|srs|encrypt|credential|token")
_SETTING = re.compile(
    rb"(?im)^([ \t]*(?:(?:requirepass|masterauth)[ \t]+|queue[ \t]+encryption[ \t]+(?:key[ \t]+)?"
    rb"|srs[ \t]+key[ \t]+(?:backup[ \t]+)?"
    rb"|(?:[a-z_]*(?:password|passphrase|secret|api_?key|auth_?token)|wpakey|nwkey)[ \t]*(?:=|(?<=key)[ \t])[ \t]*)[\"']?)"
    rb"([^\s\"';{}#]+)"
)
_BRACES = ("*/mail/*.conf*", "*/pf.conf*", "*/httpd.conf*", "*/acme-client.conf*", "*/redis*.conf*")
"""Where a mask needs quotes: a brace is a token of its own there."""
_PRIVATE = re.compile(rb"-----BEGIN ([A-Z0-9 ]*)PRIVATE KEY-----.*?(?:-----END [A-Z0-9 ]*PRIVATE KEY-----|\Z)", re.DOTALL)


class Masking(Protocol):
    """Masks the secrets in some bytes."""

    def __call__(self, data: bytes, *, quoted: bool) -> bytes:
        """The bytes with masks; with `quoted`, in quotes where the secret had none."""


def without_secrets(snapshot: Snapshot, secrets: Iterable[tuple[str, str]], key: str) -> Snapshot:
    """A snapshot in whose files and outputs every secret is `{{masked:KIND:LENGTH:DIGEST}}`; `secrets` are kind and value."""
    masked = _masking(secrets, key)
    more: dict[object, Answer] = {}
    for question, answer in snapshot.answers.items():
        if not isinstance(answer, Found):
            continue
        if isinstance(question, ReadFile) and isinstance(answer.value, bytes):
            more[question] = Found(masked(answer.value, quoted=any(fnmatchcase(question.path, each) for each in _BRACES)))
        elif isinstance(question, RunCommand) and isinstance(answer.value, CommandOutput):
            told = masked(answer.value.stdout.encode("utf-8", "surrogateescape"), quoted=False)
            more[question] = Found(CommandOutput(answer.value.status, told.decode("utf-8", "surrogateescape")))
    return replace(snapshot, answers={**snapshot.answers, **more})  # type: ignore[dict-item]


def mask(kind: str, value: bytes, key: str) -> bytes:
    """The mask of a secret: its kind, its length in bytes, and a digest that only the same key gives again."""
    digest = hashlib.sha256(key.encode() + b":" + value + b":" + key.encode()).hexdigest()[:16]
    return f"{{{{masked:{re.sub('[^a-z0-9-]+', '-', kind.lower())}:{len(value)}:{digest}}}}}".encode()


def _masking(secrets: Iterable[tuple[str, str]], key: str) -> Masking:
    """Masks the secrets in the bytes of a file; told whether a mask needs quotes where the secret had none."""
    kinds = {value.encode("utf-8", "surrogateescape"): kind for kind, value in secrets if len(value) > 1 and "{{" not in value}
    words = sorted(kinds, key=len, reverse=True)
    long, short = ([word for word in words if (len(word) >= _SHORT) == wanted] for wanted in (True, False))

    def masked(data: bytes, *, quoted: bool) -> bytes:
        def known(match: re.Match[bytes]) -> bytes:
            made = mask(kinds[match[0]], match[0], key)
            return b'"%s"' % made if quoted and match.string[: match.start()].endswith((b" ", b"\t")) else made

        def setting(match: re.Match[bytes]) -> bytes:
            if len(match[2]) < _SHORT:
                return match[0]
            made = mask("setting", match[2], key)
            return match[1] + (b'"%s"' % made if quoted and match[1].endswith((b" ", b"\t")) else made)

        data = _PRIVATE.sub(lambda match: b"-----{{masked:private-key:%d:0}}-----" % len(match[0]), data)
        if long:
            data = _any_of(long).sub(known, data)
        if short:
            pattern = _any_of(short)
            lines = data.split(b"\n")
            data = b"\n".join(pattern.sub(known, line) if _SPEAKS.search(line) else line for line in lines)
        return _SETTING.sub(setting, data)

    return masked


def _any_of(words: list[bytes]) -> re.Pattern[bytes]:
    return re.compile(rb"(?<![A-Za-z0-9])(?:" + b"|".join(map(re.escape, words)) + rb")(?![A-Za-z0-9])")
