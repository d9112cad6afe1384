"""Items of lists put in, taken out, replaced: `{ a, b }`, `{ a b }`, `a, b`, one item a line with comments behind them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from mailaudit.editing.style import NONE, Edits, Style, line_end
from mailaudit.editing.words import set_off
from mailaudit.edits import Edit, insert
from mailaudit.parsers.tree import Statement, Token
from mailaudit.text import Span, Text

BLANKS = " \t"
BARE = ("", "")
_BLANKS = re.compile(r"[ \t]*")
_JOINED = re.compile(r"\\?\r?\n")

Length = Callable[[Sequence[Token], int], int]
"""How many tokens the item that begins at a token has."""


def one(_tokens: Sequence[Token], _at: int) -> int:
    """The length of items that are one token each."""
    return 1


@dataclass(frozen=True, slots=True)
class Items:
    """A list as written: its items, and the brackets around them, if any.

    Items that came out of a macro are those of its definition, and to change them is to change it; only with `shared` is that
    done.
    """

    style: Style
    items: tuple[tuple[Token, ...], ...]
    opened: Token | None = None
    closed: Token | None = None
    commas: bool = False  # for a list that has not two items to show it
    brackets: tuple[str, str] = ("{ ", " }")  # around a list that had none, from its second item on; empty where none may be
    shared: bool = False

    @classmethod
    def of(
        cls, style: Style, tokens: Sequence[Token], length: Length = one, *, commas: bool = False, shared: bool = False
    ) -> Items:
        """The list that a run of tokens is, brackets and commas among them."""
        opened = closed = None
        if tokens and tokens[0].kind in ("{", "["):
            opened = tokens[0]
            closed = tokens[-1] if tokens[-1].kind in ("}", "]") else None
            tokens = tokens[1:-1] if closed else tokens[1:]
        items: list[tuple[Token, ...]] = []
        at = 0
        while at < len(tokens):
            if tokens[at].kind in (",", "newline"):
                at += 1
                continue
            size = max(length(tokens, at), 1)
            items.append(tuple(tokens[at : at + size]))
            at += size
        return cls(style, tuple(items), opened, closed, commas, shared=shared)

    @classmethod
    def written(
        cls, style: Style, statement: Statement, leaves: Sequence[Token], length: Length = one, *, commas: bool = False
    ) -> Items | None:
        """The list as it stands in the statement, a macro's use as one item; None if it does not stand there at all."""
        first, last = leaves[0], leaves[-1]
        if first.via and last.via and first.via == last.via:
            place = first.via[0]
            start, end = place.start, place.end
        elif first.via or last.via:
            return None
        else:
            start, end = first.start, last.end
        run = [token for token in statement.tokens if start <= token.start and token.end <= end]
        return cls.of(style, run, length, commas=commas) if run else None

    def around(self, number: int) -> tuple[Items, int]:
        """The items beside one that are written where it is, and its number among them: those of one macro, or of none."""
        via, text = self.items[number][0].via, self.items[number][0].text
        first = last = number
        while first and self.items[first - 1][0].via == via and self.items[first - 1][0].text is text:
            first -= 1
        while last + 1 < len(self.items) and self.items[last + 1][0].via == via and self.items[last + 1][0].text is text:
            last += 1
        inside = self.opened is None or self.opened.via == via
        opened, closed = (self.opened, self.closed) if inside else (None, None)
        brackets = self.brackets if inside else BARE
        return replace(self, items=self.items[first : last + 1], opened=opened, closed=closed, brackets=brackets), number - first

    def spans(self) -> list[Span] | None:
        """The written characters of each item, in order; None if they do not stand in one text, or come out of a macro."""
        spans: list[Span] = []
        for item in self.items:
            first, last = item[0], item[-1]
            if (first.via or last.via) and not self.shared:
                return None
            if first.text is not last.text or last.end < first.start or first.via != self.items[0][0].via:
                return None
            spans.append(Span(first.text, first.start, last.end))
        if any(one.text is not other.text or one.end > other.start for one, other in pairwise(spans)):
            return None
        return spans


def insert_item(listed: Items, words: str, at: int | None = None) -> Edits | None:
    """One more item, at the end or before item `at`; a lone item without brackets becomes a list.

    None where items come out of a macro that is not to change, or are not written in one place.
    """
    spans = listed.spans()
    if spans is None or (not spans and listed.opened is None):
        return None
    at = len(spans) if at is None else at
    if listed.opened is None and len(spans) == 1 and listed.brackets != BARE:
        if any(token.kind == "macro" for token in listed.items[0]):
            return None  # it may hold a list already
        return _made_a_list(listed, spans[0], words, at)
    if not spans:
        opened = listed.opened
        assert opened is not None
        return _into_empty(opened, listed.closed, words)
    if at == 0:
        first = spans[0]
        return (insert(first.text, first.start, words + _separator(listed, spans, 1)),)
    return _behind(listed, spans, words, at)


def _made_a_list(listed: Items, span: Span, words: str, at: int) -> Edits:
    opening, closing = listed.brackets
    comma = "," if listed.commas else ""
    pair = f"{words}{comma} {span.chars}" if at == 0 else f"{span.chars}{comma} {words}"
    whole = f"{opening}{pair}{closing}"
    if listed.shared and not _in_quotes(span):  # a brace may stand in a macro's value within quotes alone
        whole = f'"{whole}"' if listed.items[0][0].via else whole
    return (Edit(span.path, span.start, span.end, set_off(span.text, span.start, span.end, whole)),)


def _in_quotes(span: Span) -> bool:
    line = span.text.chars[span.text.line_span(span.start)[0] : span.start]
    return line.count('"') % 2 == 1 or line.count("'") % 2 == 1


def _into_empty(opened: Token, closed: Token | None, words: str) -> Edits | None:
    if closed is None or closed.text is not opened.text or closed.start < opened.end:
        return None
    text = opened.text
    between = text.chars[opened.end : closed.start]
    if not between.strip(BLANKS):
        return (Edit(text.path, opened.end, closed.start, f" {words} "),)
    return (insert(text, opened.end, f" {words}" if between[0].isspace() else f" {words} "),)


def _separator(listed: Items, spans: Sequence[Span], at: int) -> str:
    """What stands between the items beside number `at`: a comma or not, blanks, an end of line with the indentation below."""
    for before, after in _nearest(spans, at):
        between = before.text.chars[before.end : after.start]
        comma = "," if "," in _bare(listed, between) else ""
        joined = _JOINED.search(between)
        if joined is None:
            if "#" not in between:
                return between or " "
            continue
        indent = between[between.rfind("\n") + 1 :]
        gap = between[: joined.start()]
        blank = gap[len(gap.rstrip(BLANKS)) :] if joined.group().startswith("\\") else ""
        return f"{comma}{blank}{joined.group()}{indent}" if "\n" not in indent else f"{comma} "
    return ", " if listed.commas else " "


def _bare(listed: Items, between: str) -> str:
    """What stands between two items without the comments."""
    for mark in listed.style.comments:
        between = re.sub(rf"{re.escape(mark)}[^\n]*", "", between)
    return between


def _nearest(spans: Sequence[Span], at: int) -> Iterable[tuple[Span, Span]]:
    numbers = sorted(range(len(spans) - 1), key=lambda number: (abs(number + 2 - at), number))
    return ((spans[number], spans[number + 1]) for number in numbers[:8])


def _behind(listed: Items, spans: Sequence[Span], words: str, at: int) -> Edits:
    """An item behind number `at` - 1; in a list of one item a line, behind the comment on its line too."""
    before = spans[at - 1]
    text = before.text
    separator = _separator(listed, spans, at)
    following = spans[at].start if at < len(spans) else (listed.closed.start if listed.closed else before.end)
    comma = _comma_behind(listed, text, before.end, following)
    if "\n" not in separator or "\\" in separator:
        if comma is None:
            return (insert(text, before.end, separator + words),)
        blanks = separator.replace(",", "", 1)
        return (insert(text, comma, f"{blanks or ' '}{words},"),)
    end = line_end(text, listed.style, before.end if comma is None else comma)
    if end is None or text.chars[end - 1 : end] != "\n":
        return (insert(text, before.end, separator + words),) if comma is None else (insert(text, comma, f" {words},"),)
    has_comma = "," in separator
    newline = "\r\n" if "\r" in separator else "\n"
    indent = separator[separator.rfind("\n") + 1 :]
    line = f"{indent}{words}{',' if comma is not None else ''}{newline}"
    if has_comma and comma is None:
        return (insert(text, before.end, ","), insert(text, end, line))
    return (insert(text, end, line),)


def _comma_behind(listed: Items, text: Text, at: int, limit: int) -> int | None:
    """The offset behind the comma that follows an item, before the next item or the closing bracket; None if there is none."""
    between = text.chars[at:limit]
    if "," not in between:
        return None
    number = 0
    while number < len(between):
        if between.startswith(listed.style.comments, number):
            number = between.find("\n", number)
            if number < 0:
                return None
        if between[number] == ",":
            return at + number + 1
        number += 1
    return None


def replace_item(listed: Items, number: int, words: str) -> Edits | None:
    """Another item in the place of one."""
    spans = listed.spans()
    if spans is None:
        return None
    span = spans[number]
    if span.chars == words:
        return NONE
    return (Edit(span.path, span.start, span.end, set_off(span.text, span.start, span.end, words)),)


def remove_item(listed: Items, number: int, last: int | None = None) -> Edits | None:
    """The list without an item, or without those from one to `last`, with comma and blanks; a list of one keeps its brackets.

    Items that stand on lines of their own go with the lines and the comments behind them. None if none would be left.
    """
    last = number if last is None else last
    spans = listed.spans()
    if spans is None or last - number + 1 >= len(spans):
        return None
    gone = spans[number].to(spans[last])
    text = gone.text
    before = spans[number - 1] if number else None
    after = spans[last + 1] if last + 1 < len(spans) else None
    limit = after.start if after else (listed.closed.start if listed.closed else gone.end)
    comma = _comma_behind(listed, text, gone.end, limit)
    led = _comma_behind(listed, text, before.end, gone.start) if before else None
    own = _own_lines(listed, gone, comma)
    if own is None:
        own = _in_line(listed, gone, (before, after), (led, comma))
        if own.start < gone.start:
            return (own,)
    if before is None or after is not None or comma is not None or led is None:
        return (own,)
    at = text.chars.rindex(",", before.end, led)  # of the item that is the last one now
    return (Edit(text.path, at, led, ""), own)


def _in_line(listed: Items, gone: Span, beside: tuple[Span | None, Span | None], commas: tuple[int | None, int | None]) -> Edit:
    """Without items that share their line with others: with what stands before them, or where that is a comment, behind them."""
    text = gone.text
    before, after = beside
    led, comma = commas
    if before is not None and not _has_comment(listed, text, before.end, gone.start):
        return _cut(text, before.end, gone.end if comma is None or led is not None else comma)
    if after is not None and not _has_comment(listed, text, gone.end, after.start):
        return Edit(text.path, gone.start, after.start, "")
    return _cut(text, gone.start, comma or gone.end)


def _has_comment(listed: Items, text: Text, start: int, end: int) -> bool:
    return any(mark in text.chars[start:end] for mark in listed.style.comments)


def _cut(text: Text, start: int, end: int) -> Edit:
    """Without a range of characters; what is left does not run together."""
    return Edit(text.path, start, end, " " if set_off(text, start, end, "x") == " x " else "")


def _own_lines(listed: Items, gone: Span, comma: int | None) -> Edit | None:
    """The lines of items and of their comma, if nothing else but a comment stands on them and they are not joined."""
    text = gone.text
    start = text.line_span(gone.start)[0]
    end = line_end(text, listed.style, comma or gone.end)
    if text.chars[start : gone.start].strip(BLANKS) or end is None or text.chars[end - 1 : end] != "\n":
        return None
    if "\\" in text.chars[comma or gone.end : end] or text.chars[max(start - 2, 0) : start].startswith("\\"):
        return None
    return Edit(text.path, start, end, "")


def disjoint(edits: Iterable[Edit]) -> bool:
    """True if no two edits overlap."""
    ordered = sorted(edits, key=lambda edit: (edit.path, edit.start))
    return all(one.path != other.path or one.end <= other.start for one, other in pairwise(ordered))


def remove_items(listed: Items, numbers: Iterable[int]) -> Edits | None:
    """The list without several items, those that stand side by side together; None if of some place none would be left."""
    edits: list[Edit] = []
    runs: list[list[int]] = []
    for number in sorted(numbers):
        if runs and runs[-1][-1] == number - 1 and listed.items[number][0].via == listed.items[number - 1][0].via:
            runs[-1].append(number)
        else:
            runs.append([number])
    for run in runs:
        near, first = listed.around(run[0])
        found = remove_item(near, first, first + len(run) - 1)
        if found is None:
            return None
        edits += found
    return tuple(edits) if disjoint(edits) else None
