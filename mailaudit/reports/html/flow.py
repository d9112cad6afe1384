"""The mail's way as a picture: what comes in, what users send, what they read; each hop with its mark, linked to its findings."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from mailaudit.reports.html.hops import ABOUT, Hop, Standing, anchor_of
from mailaudit.reports.html.marks import color, used
from mailaudit.reports.html.markup import Html, tag
from mailaudit.wording import number_of

WIDTH, HEIGHT = 340, 506  # of the picture's own units: a telephone shows about one to a pixel
MARK = 16


@dataclass(frozen=True, slots=True)
class Box:
    """Where a hop is drawn. `outside` are the two ends, which are not the host's own."""

    x: float
    y: float
    width: float
    height: float = 48
    outside: bool = False


BOXES: Mapping[Hop, Box] = {
    Hop.SERVERS: Box(8, 4, 152, outside=True),
    Hop.PROGRAMS: Box(180, 4, 152, outside=True),
    Hop.DNS: Box(84, 76, 108),
    Hop.PF: Box(10, 162, 320),
    Hop.SMTPD: Box(10, 242, 160),
    Hop.DOVECOT: Box(220, 242, 110),
    Hop.RSPAMD: Box(10, 322, 160),
    Hop.MAILDIR: Box(220, 322, 110),
    Hop.ACCOUNTS: Box(10, 394, 156),
    Hop.CERTIFICATES: Box(174, 394, 156),
    Hop.SYSTEM: Box(10, 448, 320),
}
INBOUND, SUBMISSION, READING, ASKING = "inbound", "submission", "reading", "asking"
ARROWS: tuple[tuple[str, str], ...] = (
    (INBOUND, "M34 52V162"),
    (INBOUND, "M34 210V242"),
    (INBOUND, "M70 290V322"),
    (INBOUND, "M100 322V290"),
    (INBOUND, "M170 281H190V346H220"),
    (SUBMISSION, "M206 52V162"),
    (SUBMISSION, "M206 210V262H170"),
    (SUBMISSION, "M62 242V210"),
    (SUBMISSION, "M62 162V52"),
    (READING, "M275 322V290"),
    (READING, "M290 242V210"),
    (READING, "M290 162V52"),
    (ASKING, "M120 52V76"),
    (ASKING, "M187 52V76"),
)
NUMBERS = ((1, 34, 104), (2, 62, 132), (2, 206, 104), (3, 290, 104))
WAYS = (
    (
        1,
        INBOUND,
        "Inbound",
        "other servers look the host up in DNS; pf lets them in to OpenSMTPD, which asks rspamd and delivers to the maildirs.",
    ),
    (
        2,
        SUBMISSION,
        "Submission",
        "users hand OpenSMTPD what they send; rspamd signs it, and it goes out through pf to other servers.",
    ),
    (3, READING, "Reading", "Dovecot reads the maildirs for users' programs, which come in through pf."),
)
WORDS = (
    "In order: all that was asked passed. Partly asked: so did what was asked. Not asked: no network, or no record of it. "
    "Not told: it was asked, and could not be told. Not audited: there is nothing of it to judge."
)
TOLD = "Each box is a part of the mail's way and says, by a mark and in words, the worst that was found there. It leads there."


def picture(host: str, name: str, standings: Mapping[Hop, Standing]) -> Html:
    """The picture and what its arrows mean; `host` begins the anchors of the hops."""
    title, told = f"{host}-picture", f"{host}-picture-told"
    drawn = tag(
        "svg",
        tag("title", f"The mail flow of {name}", id=title),
        tag("desc", TOLD, id=told),
        tag("rect", x=3, y=141, width=334, height=362, rx=6, class_="host"),
        tag("text", "this host", x=134, y=156, class_="small", text_anchor="middle"),
        [tag("path", d=path, class_=f"way {way}", marker_end=None if way == ASKING else "url(#head)") for way, path in ARROWS],
        _numbers(),
        [_node(hop, host, standings[hop]) for hop in Hop],
        class_="flow",
        viewBox=f"0 0 {WIDTH} {HEIGHT}",
        role="group",
        aria_labelledby=title,
        aria_describedby=told,
    )
    ways = [tag("li", _sample(number, way), tag("span", tag("b", f"{word}: "), about)) for number, way, word, about in WAYS]
    return tag(
        "figure", drawn, tag("figcaption", tag("ol", ways, class_="ways"), tag("p", WORDS, class_="soft")), class_="picture"
    )


def _numbers() -> Iterator[Html]:
    for number, x, y in NUMBERS:
        yield tag("circle", cx=x, cy=y, r=9, class_="number")
        yield tag("text", str(number), x=x, y=y + 4, class_="small", text_anchor="middle")


def _sample(number: int, way: str) -> Html:
    line = tag("path", d="M18 9H46", class_=f"way {way}", marker_end="url(#head)")
    disc = tag("circle", cx=9.5, cy=9, r=8.5, class_="number")
    word = tag("text", str(number), x=9.5, y=13, class_="small", text_anchor="middle")
    return tag("svg", line, disc, word, viewBox="0 0 48 18", width=48, height=18, class_="sample", aria_hidden="true")


def _node(hop: Hop, host: str, standing: Standing) -> Html:
    box, about = BOXES[hop], ABOUT[hop]
    x, y, middle = box.x, box.y, box.y + box.height / 2
    rounded = box.height / 2 if box.outside else 4
    left = x + 10 + (3 if box.outside else 0)
    drawn = (
        tag("rect", x=x, y=y, width=box.width, height=box.height, rx=rounded, class_="box"),
        used(standing.shape, x=left, y=middle - MARK / 2, width=MARK, height=MARK),
        tag("text", about.name, x=left + 24, y=middle - 4, class_="name"),
        tag("text", standing.word, x=left + 24, y=middle + 13, class_="word"),
    )
    count = len(standing.findings)
    found = f", {number_of(count, 'finding')}" if count else ""
    label = f"{about.name}: {standing.shape}{found}"
    return tag("a", drawn, href=f"#{anchor_of(host, hop)}", class_=f"node {color(standing.shape)}", aria_label=label)
