"""What a stand-in is made of: operations (`Call`), what arrives at one (`Ask`), and how it says no (`Refused`).

Handlers are plain functions without a single `await`: on one event loop that makes each of them atomic.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Protocol

from starlette.datastructures import Headers, QueryParams
from starlette.responses import Response

from backhaul.sandbox.faults import Fault

Clock = Callable[[], datetime]


def utc_now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True)
class Ask:
    """One request, read whole. `notes` goes into the journal: only what an inspection needs, never a person's name or number."""

    method: str
    path: str
    params: Mapping[str, str]
    query: QueryParams
    headers: Headers
    body: bytes
    fault: Fault | None = None
    notes: dict[str, object] = field(default_factory=dict)

    def json(self) -> object:
        """The body as JSON. Raises ValueError when it is none."""
        return json.loads(self.body)

    @property
    def mood(self) -> str:
        """A fault the handler itself plays (Google's "zero"), or "" for an ordinary day."""
        return self.fault.fault if self.fault else ""


@dataclass(frozen=True)
class Call:
    """One documented operation: method, path template, and the function that answers it."""

    method: str
    path: str
    answer: Callable[[Ask], Response]


class Refused(Exception):
    """Ends a handler early with the vendor's own error."""

    def __init__(self, response: Response) -> None:
        super().__init__(response.status_code)
        self.response = response


Refusal = Callable[[Fault], Response]


class Vendor(Protocol):
    """A group of operations that share a name in fault orders, a label for people, and a way of refusing."""

    @property
    def service(self) -> str: ...
    @property
    def label(self) -> str: ...
    @property
    def refusals(self) -> Mapping[str, Refusal]:
        """The vendor's own words for each ordered fault ("429", "denied" …)."""
        ...

    def calls(self) -> Sequence[Call]: ...


class Window:
    """At most `limit` units per key in each window of `seconds`, counted from whole multiples of the window. None: no limit."""

    def __init__(self, limit: int | None, seconds: int, clock: Clock) -> None:
        self._limit = limit
        self._seconds = seconds
        self._clock = clock
        self._spent: dict[str, tuple[int, int]] = {}

    def admits(self, key: str, units: int = 1) -> bool:
        """Counts the units if they fit; a refused call is not counted, so waiting for the next window always helps."""
        if self._limit is None:
            return True
        window = math.floor(self._clock().timestamp() / self._seconds)
        began, spent = self._spent.get(key, (window, 0))
        if began != window:
            spent = 0
        if spent + units > self._limit:
            return False
        self._spent[key] = (window, spent + units)
        return True
