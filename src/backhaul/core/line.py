"""The line to one service outside, whatever it speaks: the shared limit before, the log after, and words for common failures."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from time import perf_counter
from typing import Protocol, TypeVar

import structlog

from backhaul.core.errors import Malformed, Misconfigured, OutcomeUnknown, OutsideProblem, Transient

T = TypeVar("T")
_log = structlog.get_logger(__name__)


class Limits(Protocol):
    """The shared budget of one key: every process that uses the key draws from it."""

    async def take(self, service: str, units: int) -> None:
        """Returns when `units` may be sent; raises if the wait is too long or the service is on hold."""
        ...

    async def answered(self, service: str) -> None:
        """The service did its work."""
        ...

    async def refused(self, service: str, problem: OutsideProblem) -> None:
        """The service did not. Raises in place of the problem when it is everybody's and others have been told already."""
        ...


class _NoLimits:
    async def take(self, service: str, units: int) -> None:
        """Everything may go at once."""

    async def answered(self, service: str) -> None:
        """Nothing was on hold."""

    async def refused(self, service: str, problem: OutsideProblem) -> None:
        """Nothing is put on hold."""


NO_LIMITS: Limits = _NoLimits()


@dataclass(frozen=True)
class Kind:
    """A class of failure, and its words; {} stands for the service."""

    error: type[OutsideProblem]
    what: str
    todo: str


BY_ITSELF = "Nothing to do; it is tried again by itself"
UNREACHABLE = Kind(Transient, "{} could not be reached", BY_ITSELF)
SILENT = Kind(Transient, "{} did not answer", BY_ITSELF)
FAULTY = Kind(Transient, "{} is out of service", BY_ITSELF)
UNKNOWN = Kind(OutcomeUnknown, "{} may or may not have done what was asked", "Look in {} before repeating it")
UNUSABLE = Kind(Misconfigured, "The address or key set for {} cannot be used", "Ask the administrator to correct the setting")
UNREADABLE = Kind(Malformed, "{} gave an answer we cannot read", "Report it to a developer; retrying will hardly help")


class Line:
    """service: its name as people know it. key: its short name: the budget to draw from, and the first half of error codes."""

    def __init__(self, service: str, key: str, limits: Limits) -> None:
        self.service = service
        self.key = key
        self._limits = limits

    async def ask(
        self, attempt: Callable[[dict[str, object]], Awaitable[T | OutsideProblem]], *, units: int = 1, **about: object
    ) -> T:
        """Makes one attempt within the limits, logs it, and tells the limits how it went.

        attempt: returns the answer, or the problem instead of raising it: a problem raised from a library's own error would
        carry that error, and with it addresses and keys. What it adds to the dict it is given is logged, like `about`.

        Raises: the problem; whatever the attempt and the limits raise.
        """
        await self._limits.take(self.key, units)
        started = perf_counter()
        note = dict(about)
        outcome = await attempt(note)
        ms = round((perf_counter() - started) * 1000)
        if isinstance(outcome, OutsideProblem):
            _log.info("outbound", service=self.key, units=units, ms=ms, problem=outcome.code, **note)
            await self._limits.refused(self.key, outcome)
            raise outcome
        _log.info("outbound", service=self.key, units=units, ms=ms, **note)
        await self._limits.answered(self.key)
        return outcome

    def problem(self, kind: Kind, why: str, code: str) -> OutsideProblem:
        what, todo = kind.what.format(self.service), kind.todo.format(self.service)
        return kind.error(self.service, what, why, todo, code=f"{self.key}.{code}")
