"""The crew for costly work: who is served first, and who is sent away rather than kept waiting. Nothing here is timed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from threading import Event
from typing import Any

import pytest

from backhaul.core.crew import Crew
from backhaul.core.errors import Busy


async def asked(crew: Crew, work: Callable[[], Any], *, stranger: bool = False) -> asyncio.Task[Any]:
    """A job that has been handed in."""
    job = asyncio.create_task(crew.do(work, stranger=stranger))
    await asyncio.sleep(0)
    return job


async def test_whoever_is_known_is_served_before_all_strangers_and_each_in_their_order() -> None:
    crew, go_on = Crew("test", hands=1, queue=10), Event()
    done: list[str] = []
    jobs = [await asked(crew, partial(go_on.wait, 10))]
    for name in ("stranger 1", "known 1", "stranger 2", "known 2"):
        jobs.append(await asked(crew, partial(done.append, name), stranger=name.startswith("stranger")))
    go_on.set()
    await asyncio.gather(*jobs)
    assert done == ["known 1", "known 2", "stranger 1", "stranger 2"]


async def test_a_stranger_too_many_is_told_so_at_once_and_nobody_else_is() -> None:
    """(2.4.1, 15.2.2)"""
    crew, go_on = Crew("test", hands=1, queue=2), Event()
    jobs = [await asked(crew, partial(go_on.wait, 10))]
    jobs += [await asked(crew, go_on.is_set, stranger=True) for _ in range(2)]
    with pytest.raises(Busy) as refused:
        await crew.do(go_on.is_set, stranger=True)
    assert (refused.value.status, refused.value.retry_after) == (503, 5)
    jobs += [await asked(crew, go_on.is_set) for _ in range(5)]
    go_on.set()
    assert all(await asyncio.gather(*jobs))
    assert await crew.do(go_on.is_set, stranger=True)


async def test_nothing_is_done_for_whoever_has_gone_and_their_place_is_free() -> None:
    crew, go_on = Crew("test", hands=1, queue=1), Event()
    done: list[str] = []
    working = await asked(crew, partial(go_on.wait, 10))
    gone = await asked(crew, partial(done.append, "for nobody"), stranger=True)
    gone.cancel()
    await asyncio.wait({gone})
    go_on.set()
    await working
    await crew.do(partial(done.append, "known"))
    await crew.do(partial(done.append, "stranger"), stranger=True)
    assert done == ["known", "stranger"]


async def test_what_goes_wrong_is_told_to_whose_work_it_was_and_the_crew_works_on() -> None:
    crew = Crew("test", hands=1, queue=1)
    with pytest.raises(ZeroDivisionError):
        await crew.do(lambda: 1 // 0, stranger=True)
    assert await crew.do(lambda: 7, stranger=True) == 7


def test_one_crew_serves_one_event_loop_after_another() -> None:
    crew = Crew("test", hands=1, queue=1)
    assert [asyncio.run(crew.do(lambda n=n: n)) for n in range(3)] == [0, 1, 2]
