"""services(5) is read as getservbyname(3) reads it; where it is not there, OpenBSD's own names stand in."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailaudit.models.services import Services, read_services
from mailaudit.models.sources import Sources
from mailaudit.parsers.services import LANGUAGE, parse
from mailaudit.parsers.tree import gaps, nothing, render
from mailaudit.questions import Absent, Answer, Found, Question, ReadFile
from mailaudit.snapshot import Snapshot
from mailaudit.text import Text

PATH = "/etc/services"


def services(data: bytes | None) -> Services:
    answers: dict[Question, Answer] = {ReadFile(PATH): Absent() if data is None else Found(data)}
    return read_services(Sources(Snapshot("host", "target", answers)))


def test_names_further_names_and_comments() -> None:
    found = services(b"# names\nsmtp\t25/tcp mail # of old\nntp 123/udp\nhttp 80/tcp www\nodd line\n\nbig 99999/tcp\n")
    assert found.port("mail") == 25
    assert found.port("ntp") == 123
    assert found.port("ntp", "tcp") is None
    assert found.name(80) == "http"
    assert found.port("of") is None
    assert found.port("big") is None
    assert found.assumed == ()


def test_stock_names_stand_in_and_say_so() -> None:
    found = services(None)
    ports = [("ssh", 22), ("smtps", 465), ("submissions", 465), ("submission", 587), ("imaps", 993), ("sieve", 4190), ("www", 80)]
    assert [found.port(name) for name, _ in ports] == [port for _, port in ports]
    assert found.port("sshd") is None
    assert found.assumed


@pytest.mark.parametrize(
    ("said", "meant"), [("sshd", "ssh"), ("submision", "submission"), ("managesieve", "sieve"), ("SMTP", "smtp"), ("xyzzy", None)]
)
def test_what_an_unknown_name_means(said: str, meant: str | None) -> None:
    assert services(None).meant(said) == meant


def test_a_service_over_another_protocol_is_never_meant() -> None:
    """pfctl asks for TCP and UDP alone; a broken line may name anything."""
    assert services(b"sshx 22/tcs\nssh 22/tcs\n").meant("sshd") is None


@given(st.binary(max_size=300))
def test_any_bytes_are_kept(data: bytes) -> None:
    tree = parse(Text(PATH, data), nothing)
    assert render(tree) == data
    assert all(LANGUAGE.trivia.fullmatch(gap.chars) for gap in gaps(tree))
