"""Limits and holds of the outside services, kept in Postgres, so that all workers together stay within them.

A service that refuses our key, asks us to slow down, or is down, is put on hold as a whole. The task that found out fails, and
somebody hears of it; every other task of that service waits at no cost. Now and then one of them goes to look.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from dataclasses import dataclass
from datetime import datetime

import psycopg
import structlog

from backhaul.core.errors import Gone, Misconfigured, OutsideProblem, Problem, RateLimited, Transient, Unplaceable
from backhaul.core.store import Store

_TAKE = b"select * from private.take(%(service)s, %(units)s, %(patience)s)"
_HOLD = b"select private.hold_service(%(service)s, %(seconds)s, %(because)s, %(code)s) as was_free"
_RELEASE = b"select private.release_service(%(service)s) as woken"
_NOTE = b"select private.note_service(%(service)s, %(because)s)"
_SET = b"select private.set_limit(%(service)s, %(per_second)s, %(burst)s)"

PATIENCE_S = 5.0  # a shorter wait is slept through, a longer one gives the worker's place to another task
OUTAGE_AFTER = 5  # transient failures in a row, seen by one worker
OUTAGE_HOLD_S = 15.0
NOTED_EVERY_S = 15.0  # that a service answers is written down now and then, and not at every call

_log = structlog.get_logger(__name__)


class OnHold(Problem):
    """The service is on hold, or used to its limit for longer than we sleep: the task waits until then, at no cost.

    code: "held" is due again as soon as the service is released; "limit" is not.
    """

    code = "held"

    def __init__(self, until: datetime, because: str, *, code: str | None = None) -> None:
        super().__init__(because, code=code)
        self.until = until
        self.because = because


@dataclass(frozen=True, slots=True)
class Limit:
    """What one service allows, in its own unit: requests for Quo, elements for Google's matrices."""

    service: str
    per_second: float
    burst: float


class SharedLimits:
    """The limits as `Outbound` asks for them. One per process; the truth is in private.services."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._probing: set[str] = set()
        self._in_a_row: Counter[str] = Counter()
        self._noted: dict[str, float] = {}  # when it was last written down that a service answers

    async def set(self, *limits: Limit) -> None:
        for limit in limits:
            await self._store.call(_SET, {"service": limit.service, "per_second": limit.per_second, "burst": limit.burst})

    async def take(self, service: str, units: int) -> None:
        """Returns when `units` may be sent. Raises: OnHold."""
        turn = await self._store.call(_TAKE, {"service": service, "units": units, "patience": PATIENCE_S})
        if turn["refused_until"] is not None:
            raise OnHold(turn["refused_until"], turn["because"], code="limit" if turn["code"] == "limit" else None)
        if turn["probe"]:
            self._probing.add(service)
        if turn["wait_s"] > 0:
            await asyncio.sleep(turn["wait_s"])

    async def answered(self, service: str) -> None:
        """The service did its work: a hold is over."""
        self._in_a_row.pop(service, None)
        await self._note(service)
        if service in self._probing:
            self._probing.discard(service)
            await self._store.call(_RELEASE, {"service": service})

    async def refused(self, service: str, problem: OutsideProblem) -> None:
        """The service did not: hold it where the problem is everybody's.

        Raises: OnHold when others know already, so that one outage is one notice.
        """
        self._in_a_row[service] = self._in_a_row[service] + 1 if isinstance(problem, Transient) else 0
        await self._note(service, problem)
        probing = service in self._probing
        seconds = self._hold_for(problem, self._in_a_row[service], probing)
        if seconds is None:
            if probing:  # it answers again; that this one task failed is another matter
                await self.answered(service)
            return
        self._probing.discard(service)
        held = await self._store.call(
            _HOLD, {"service": service, "seconds": seconds, "because": problem.message, "code": problem.code}
        )
        if not held["was_free"] and not isinstance(problem, RateLimited):
            turn = await self._store.call(_TAKE, {"service": service, "units": 0, "patience": 0})
            if turn["refused_until"] is not None:
                raise OnHold(turn["refused_until"], problem.message) from problem

    async def _note(self, service: str, problem: OutsideProblem | None = None) -> None:
        """For whoever asks after the service's health. What is wrong with one record alone says nothing against it."""
        because = None if problem is None or isinstance(problem, Unplaceable | Gone) else problem.message
        now = time.monotonic()
        if because is None and now - self._noted.get(service, -NOTED_EVERY_S) < NOTED_EVERY_S:
            return
        self._noted[service] = now if because is None else -NOTED_EVERY_S
        try:
            await self._store.call(_NOTE, {"service": service, "because": because})
        except psycopg.Error as error:  # the call to the service is over, and must not be taken for one that failed
            _log.warning("service's health not noted", service=service, why=type(error).__name__)

    @staticmethod
    def _hold_for(problem: OutsideProblem, in_a_row: int, probing: bool) -> float | None:
        match problem:
            case RateLimited():
                return problem.retry_after
            case Misconfigured(everybodys=True):
                return problem.leave_s
            case Transient() if probing or in_a_row >= OUTAGE_AFTER:
                return OUTAGE_HOLD_S
            case _:
                return None
