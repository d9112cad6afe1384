"""What no report may show, and what no report may pass on as it is: secrets are masked, control characters are made visible."""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator
from itertools import accumulate

from mailaudit.text import Span, Text

_SPLIT = re.compile(r"\\\r?\n|\r?\n|\\")  # what a daemon drops inside a quoted value: it may stand in the middle of a secret
_TORN = re.compile(r"\\?\r?\n[-+ ]?|\\")  # the same in a diff, where each line has a mark before it
_HASH = re.compile(
    r"\$(?:2[abxy]?|5|6|7|y|argon2i?d?)\$[A-Za-z0-9./$=,+]{2,}|\$1\$[A-Za-z0-9./$]{16,}"
    r"|(?<![{$%])\{[A-Z][A-Z0-9._-]+\}[^\s:{}]+"
)
_NAMED = re.compile(  # a second net, for statements that no model could read: what these words set is never shown
    r"(?<![a-z0-9])(queue\s+encryption|srs\s+\w+|requi?repass|masterauth|(?:[a-z0-9]+[_-])*(?:password|passwd|passphrase|secret|token"
    r"|api_?key|secret_?key|encryption_?key|privkey)|wpakey|nwkey|authkey|wgpsk|wgkey|peerkey|carppass|(?:[a-z0-9]+[_-])+pass)(?![a-z0-9_-])"
    r"(?!:/(?:etc|var|usr|home)/)"  # a table of logins is told by its path: passwd:/etc/mail/credentials
    r"(?:\s+(?:key|backup)\b)*[\"']?[ \t]*[=:]?[ \t]*"
    r"(?:\"(?P<quoted>[^\"\n{][^\"\n]*)|(?P<bare>(?!(?:key|backup)[ \t]+[\"']?\{\{)[^\s\"{;=#:][^\s\";]*))"
)
_WORDS = ("encryption", "srs", "pass", "secret", "key", "token", "auth")  # each match of _NAMED holds one
_PRIVATE = re.compile(r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----.*?(?:-----END [A-Z0-9 ]*PRIVATE KEY-----|\Z)", re.DOTALL)
_LOGIN = re.compile(r"(?<=[a-z0-9+.-])://[^\s/@:\"']*:(?P<password>[^\s/@\"']+)@")  # of a URL
_TELLING = 16  # characters from which on it is no word of prose that stands behind "password", and masked everywhere
_SHORT = 6  # a shorter secret is masked only where it stands alone: "root" must not blot out half a report


class Mask:
    """Masks the secrets of one host, wherever they stand, as `{{masked:KIND}}`.

    `secrets` are pairs of kind and value. A value is found even where it is written over two lines or with backslashes in it.
    """

    def __init__(self, secrets: Iterable[tuple[str, str]] = ()) -> None:
        values = {_SPLIT.sub("", value): kind for kind, value in secrets}
        values.pop("", None)
        self._files: dict[Text, list[tuple[int, int, str]]] = {}
        self._values: dict[str, dict[str, str]] = {}  # their kinds, by their first characters
        for value, kind in values.items():
            self._values.setdefault(value[:_SHORT], {})[value] = kind
        self._sizes = {start: sorted(set(map(len, alike))) for start, alike in self._values.items()}

    @classmethod
    def of(cls, secrets: Iterable[tuple[str, str]], texts: Iterable[Text]) -> Mask:
        """A mask of secrets, and of what statements of these texts set that no model could read."""
        found = [(text.chars[start:end], kind) for text in texts for start, end, kind in _nets(text.chars)]
        return cls([*((kind, value) for value, kind in found if len(value) >= _TELLING), *secrets])

    def spans(self, chars: str, *, written: bool = False, diff: bool = False) -> list[tuple[int, int, str]]:
        """Where secrets stand: start, end and mask, in order, never overlapping.

        In a file's own characters (`written`) what follows a word such as `password` is taken for a secret as well. In a `diff`
        the marks before lines stand in the middle of what is written over two of them.
        """
        found = _nets(chars) if written else _hashes(chars)
        if not self._values:
            return _merged(found)
        flat, gaps = _flatten(chars, _TORN if diff else _SPLIT)
        own = [(gaps.before(at), gaps.before(end - 1) + 1, kind) for at, end, kind in self._places(flat)]
        return _merged([*own, *found])

    def _places(self, flat: str) -> Iterator[tuple[int, int, str]]:
        """Where the secrets stand. Thousands may begin alike, as hashes do: at each beginning they are looked up, not tried."""
        for start in self._begun(flat):
            alike = self._values[start]
            at = flat.find(start)
            while at >= 0:
                for size in self._sizes[start]:
                    end = at + size
                    kind = alike.get(flat[at:end]) if end <= len(flat) else None
                    if kind is not None and (
                        size >= _SHORT or not (_is_word(flat[at - 1 : at]) or _is_word(flat[end : end + 1]))
                    ):
                        yield at, end, kind
                at = flat.find(start, at + 1)

    def _begun(self, flat: str) -> Iterable[str]:
        """The first characters of secrets that stand in some characters."""
        if len(self._values) < len(flat):
            return (start for start in self._values if start in flat)
        sizes = {len(start) for start in self._values}
        return self._values.keys() & {flat[at : at + size] for size in sizes for at in range(len(flat))}

    def within(self, span: Span) -> list[tuple[int, int, str]]:
        """Where secrets stand in a part of a file, those that begin before it or end after it too. A file is searched once."""
        found = self._files.get(span.text)
        if found is None:
            found = self._files[span.text] = self.spans(span.text.chars, written=True)
        first = bisect_right(found, span.start, key=lambda each: each[1])
        return found[first : bisect_left(found, span.end, key=lambda each: each[0])]

    def written(self, span: Span) -> str:
        """A span's characters with every secret masked, those that begin or end outside it too."""
        out: list[str] = []
        chars = span.text.chars
        at = span.start
        for start, end, mask in self.within(span):
            out += (chars[at : max(start, at)], mask)
            at = min(end, span.end)
        return "".join((*out, chars[at : span.end]))

    def __call__(self, chars: str, *, written: bool = False, diff: bool = False) -> str:
        """The characters with every secret masked."""
        out: list[str] = []
        at = 0
        for start, end, mask in self.spans(chars, written=written, diff=diff):
            out += (chars[at:start], mask)
            at = end
        return "".join((*out, chars[at:])) if out else chars


def _hashes(chars: str) -> list[tuple[int, int, str]]:
    found = [(match.start(), match.end(), "hash") for match in _HASH.finditer(chars)] if "$" in chars or "}" in chars else []
    if "PRIVATE KEY" in chars:
        found += [(match.start(), match.end(), "private-key") for match in _PRIVATE.finditer(chars)]
    if "://" in chars:
        found += [(*match.span("password"), "password") for match in _LOGIN.finditer(chars)]
    return found


def _nets(chars: str) -> list[tuple[int, int, str]]:
    """What looks like a secret in a file's own characters."""
    found = _hashes(chars)
    for match in _NAMED.finditer(chars) if any(word in chars for word in _WORDS) else ():
        start, end = match.span("quoted" if match["quoted"] else "bare")
        found.append((start, end, re.sub(r"\W+", "-", match[1])))
    return found


class _Gaps:
    """Maps an offset of flattened characters back to the characters as written."""

    def __init__(self, matches: list[re.Match[str]]) -> None:
        lengths = [0, *accumulate(match.end() - match.start() for match in matches)]
        self._lengths = lengths
        self._starts = [match.start() - before for match, before in zip(matches, lengths, strict=False)]

    def before(self, offset: int) -> int:
        return offset + self._lengths[bisect_right(self._starts, offset)]


def _flatten(chars: str, split: re.Pattern[str]) -> tuple[str, _Gaps]:
    if "\\" not in chars and "\n" not in chars:
        return chars, _Gaps([])
    return split.sub("", chars), _Gaps(list(split.finditer(chars)))


def _is_word(char: str) -> bool:
    return char.isalnum() or char == "_"


def _merged(found: Iterable[tuple[int, int, str]]) -> list[tuple[int, int, str]]:
    """Overlapping places become one, named after the longest secret that begins there, or else the first found."""
    merged: list[tuple[int, int, str]] = []
    for start, end, kind in sorted(found, key=lambda each: (each[0], -each[1])):
        if merged and start < merged[-1][1]:
            before = merged[-1]
            merged[-1] = (before[0], max(before[1], end), before[2])
        else:
            merged.append((start, end, f"{{{{masked:{kind}}}}}"))
    return merged


def visible(chars: str, encoding: str = "utf-8", keep: str = "") -> str:
    r"""The characters with nothing left in them that a terminal, a log or a browser would act on.

    Control characters, terminal escapes, bidirectional controls, odd blanks, undecodable bytes and what `encoding` cannot write
    are shown as `\x1b` or `\u202e`; characters in `keep` stay.
    """
    everything = encoding.lower().replace("_", "-") in ("utf-8", "utf8")
    if chars.isprintable() and (everything or chars.isascii()):
        return chars
    known = {char: _shown(char, encoding) for char in set(chars) if char not in keep}
    return "".join([known.get(char, char) for char in chars])


def _shown(char: str, encoding: str) -> str:
    code = ord(char)
    if 0xDC80 <= code <= 0xDCFF:  # a byte that did not decode: mailaudit.text keeps it as a surrogate
        return f"\\x{code - 0xDC00:02x}"
    if char.isprintable():
        try:
            char.encode(encoding)
        except (UnicodeEncodeError, LookupError):
            pass
        else:
            return char
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
