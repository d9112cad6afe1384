"""The critical path: which round trips waited for which, counted where they are made."""

from __future__ import annotations

import asyncio

from mailaudit.collect.trips import Journey, alone, follow, reached, step, together
from mailaudit.commands import critical_path


async def walk(*labels: str) -> str:
    for label in labels:
        await asyncio.sleep(0)
        step(label)
    return labels[-1]


def test_steps_one_after_the_other_are_a_chain() -> None:
    async def run() -> None:
        await walk("a")
        await walk("b", "c")

    assert asyncio.run(alone(run()))[1] == ("a", "b", "c")


def test_of_what_is_done_at_once_the_longest_counts() -> None:
    async def run() -> None:
        await walk("first")
        assert await together(walk("short"), walk("l1", "l2"), walk("m")) == ["short", "l2", "m"]
        await walk("last")

    assert asyncio.run(alone(run()))[1] == ("first", "l1", "l2", "last")


def test_who_waits_for_anothers_answer_follows_its_chain_if_that_is_longer() -> None:
    async def run() -> None:
        await walk("own")
        follow(())
        assert reached() == ("own",)
        follow(("x", "y"))

    assert asyncio.run(alone(run()))[1] == ("x", "y")


def test_a_measurement_begins_at_nothing_and_leaves_nothing() -> None:
    async def run() -> tuple[str, ...]:
        await walk("before")
        _, inner = await alone(walk("in"))
        assert inner == ("in",)
        return reached()

    assert asyncio.run(alone(run()))[0] == ("before",)


def test_what_is_asked_next_goes_on_from_what_is_known() -> None:
    journey = Journey()
    journey.note(asyncio.run(alone(walk("connection", "login", "login")))[1])
    journey.note(asyncio.run(alone(walk("port 25")))[1])
    assert journey.chain == ("connection", "login", "login")
    journey.note(asyncio.run(alone(walk("answers"), journey.chain))[1])
    first, steps = critical_path.lines("mx.example.com", journey)
    assert first == "mx.example.com: critical path: 4 round trips; 0.00 s were spent waiting\n"
    assert steps == "  connection > login x 2 > answers\n"


def test_what_asks_nobody_has_none() -> None:
    assert list(critical_path.lines("etc", Journey())) == []
