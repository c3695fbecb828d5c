"""A small crew for work that costs much. Few work at once, so that a flood of it leaves the rest of the house room to breathe.

Whoever is known is served before all strangers. Strangers wait in a queue of bounded length: where it is full, one more is told
so at once, which costs nothing, rather than kept waiting for what would come too late.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from heapq import heappop, heappush
from itertools import count
from threading import Lock
from typing import Any, TypeVar

from backhaul.core.errors import Busy

T = TypeVar("T")


@dataclass(order=True, slots=True)
class _Job:
    stranger: bool
    number: int
    work: Callable[[], Any] = field(compare=False)
    done: Future[Any] = field(compare=False, default_factory=Future)


class Crew:
    """Threads for one kind of work.

    hands: how many work at once. queue: how many strangers may wait. full: what one more of them is told.
    """

    def __init__(self, name: str, *, hands: int, queue: int, full: str = "Too many are asking at once") -> None:
        self._threads = ThreadPoolExecutor(hands, thread_name_prefix=name)
        self._queue = queue
        self._full = full
        self._waiting: list[_Job] = []
        self._strangers = 0
        self._numbers = count()
        self._lock = Lock()

    async def do(self, work: Callable[[], T], *, stranger: bool = False) -> T:
        """What `work` returns or raises. Raises: Busy, when it is a stranger's and too many of them are waiting."""
        job = _Job(stranger, next(self._numbers), work)
        with self._lock:
            if stranger and self._strangers >= self._queue:
                raise Busy(
                    "Too many people are signing in", "Each sign-in costs work, and there is a queue", "Try again in a moment"
                )
            self._strangers += stranger
            heappush(self._waiting, job)
        self._threads.submit(self._next)
        answer: T = await asyncio.wrap_future(job.done)
        return answer

    def _next(self) -> None:
        """Does the most urgent job, which need not be the one that it was called for."""
        with self._lock:
            job = heappop(self._waiting)
            self._strangers -= job.stranger
        if not job.done.set_running_or_notify_cancel():
            return  # nobody waits for it any more
        try:
            job.done.set_result(job.work())
        except BaseException as error:
            job.done.set_exception(error)
