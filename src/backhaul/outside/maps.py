"""The words in which the office speaks with a map service, whichever one it is.

Answers are kept as checkpoints, so every model here survives a round trip through JSON.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction
from typing import Literal, Protocol
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, model_validator


class _Value(BaseModel):
    # What people typed must not reach a log by way of a validation error.
    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)


class Point(_Value):
    """Degrees, WGS 84."""

    latitude: float = Field(ge=-90, le=90, allow_inf_nan=False)
    longitude: float = Field(ge=-180, le=180, allow_inf_nan=False)


class Address(_Value):
    """A postal address as written on the envelope; `country` is its two-letter code."""

    line: str
    city: str
    province: str
    postal_code: str
    country: str = "CA"

    @property
    def text(self) -> str:
        """One line without the country, e.g. "1 High St, Halifax, NS B3H 1A1"; empty if nothing is known."""
        region = " ".join(part.strip() for part in (self.province, self.postal_code) if part.strip())
        return ", ".join(part.strip() for part in (self.line, self.city, region) if part.strip())


class Place(_Value):
    """A point and whose it is: the answer comes back under `id`."""

    id: UUID
    point: Point


class Found(_Value):
    """Where an address lies. An approximate point is kept, but a person should confirm it."""

    point: Point
    precision: Literal["exact", "approximate"]
    formatted: str
    place_id: str | None


class Leg(_Value):
    """One drive: whole minutes, rounded up, and metres; or `error`, saying to a person why there is no answer.

    fallback: measured by a cheaper method than asked for, because the service could not do better at that moment.
    """

    minutes: int | None = Field(default=None, ge=0)
    metres: int | None = Field(default=None, ge=0)
    error: str | None = None
    fallback: bool = False

    @model_validator(mode="after")
    def _answers_or_says_why(self) -> Leg:
        if (self.minutes is None) == (self.error is None):
            raise ValueError("a leg has either minutes or an error")
        return self


class Maps(Protocol):
    """A map service. Whatever it raises is an OutsideProblem."""

    service: str

    async def locate(self, address: Address) -> Found:
        """Raises: Unplaceable when nobody knows the address."""
        ...

    def batches(self, places: Sequence[Place]) -> list[list[Place]]:
        """`places` in their order, cut into what fits one call of `minutes` or of `minutes_to`."""
        ...

    async def minutes(self, starts: Sequence[Place], end: Point) -> dict[UUID, Leg]:
        """The drive from each start, by the id of the start; every start has its leg. At most one batch; each call is billed."""
        ...

    async def minutes_to(self, start: Point, ends: Sequence[Place]) -> dict[UUID, Leg]:
        """The drive to each end, by the id of the end. As `minutes`, the other way round: ways there and back differ."""
        ...

    async def aclose(self) -> None: ...


NO_ROAD = "There is no road between these two places. One may be on an island or placed wrongly on the map. Check both addresses."


def whole_minutes(seconds: float | Fraction) -> int:
    """Rounded up: a driver who is told nine minutes must not need nine and a half."""
    return math.ceil(Fraction(seconds) / 60)  # exact, as a quotient of floats is not


def in_batches(places: Sequence[Place], size: int) -> list[list[Place]]:
    return [list(places[first : first + size]) for first in range(0, len(places), size)]
