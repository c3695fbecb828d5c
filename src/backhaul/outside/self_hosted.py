"""What OSRM and Valhalla share: map servers of one's own, over OpenStreetMap, without key, quota or live traffic.

Both move a place to the nearest road however far that is, so we say how far is too far: from an island the nearest road may be
on the mainland, and from beyond the server's map data it is somewhere at its edge. Both may refuse a whole matrix for one place
in it without saying which; each pair is then asked by itself.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence

import httpx

from backhaul.core.answer import Answer
from backhaul.core.errors import Malformed, Misconfigured, OutsideProblem, Unplaceable
from backhaul.core.outbound import Limits, Outbound
from backhaul.outside.geocoder import Geocoder
from backhaul.outside.maps import NO_ROAD, Leg, Point
from backhaul.outside.matrix import Matrix

NEAR_M = 1_000  # a long lane that the map lacks is nearer; the next island is not
READ_S = 20.0


class SelfHosted(Matrix):
    said = "message"  # the field that holds its own words for what is wrong

    def __init__(
        self, base_url: str, geocoder: Geocoder, *, limits: Limits, transport: httpx.AsyncBaseTransport | None = None
    ) -> None:
        line = Outbound(
            self.service, base_url, limits=limits, limiter_key="maps", said=self._said, transport=transport, read_s=READ_S
        )
        super().__init__(line, geocoder)

    async def _measure(self, origins: Sequence[Point], destinations: Sequence[Point]) -> list[list[Leg]]:
        rows: Sequence[Sequence[Leg | None]]
        try:
            rows = await self._table(origins, destinations)
        except Unplaceable:
            rows = [[None] * len(destinations)] * len(origins)
        return [
            [leg or await self._pair(origin, destination) for destination, leg in zip(destinations, row, strict=True)]
            for origin, row in zip(origins, rows, strict=True)
        ]

    @abstractmethod
    async def _table(self, origins: Sequence[Point], destinations: Sequence[Point]) -> list[list[Leg | None]]:
        """One call for all. None where its answer is no word to rely on. Raises: Unplaceable when one place spoils it."""

    @abstractmethod
    async def _alone(self, origin: Point, destination: Point) -> Leg:
        """One pair by itself. Raises: Unplaceable when there is no answer."""

    @abstractmethod
    def _in_its_words(self, answer: Answer) -> OutsideProblem | None:
        """The problem that its own error code stands for."""

    def _explain(self, answer: Answer) -> OutsideProblem | None:
        if problem := nothing_there(self.service, answer):
            return problem
        return self._in_its_words(answer) if answer.succeeded or answer.status == 400 else None

    def _said(self, answer: Answer) -> object:
        body = answer.json()
        return body.get(self.said) if isinstance(body, dict) else None

    def _expect(self, height: int, width: int, *matrices: Sequence[Sequence[object]]) -> None:
        if any([len(row) for row in rows] != [width] * height for rows in matrices):
            raise self._outbound.unreadable("Its matrix is not of the size that was asked for")

    def _bad_request(self, answer: Answer, code: object) -> Malformed:
        return Malformed(
            self.service,
            f"{self.service} did not accept our request",
            f'It answered {answer.quote(str(code))}: "{answer.quote(self._said(answer))}"'.removesuffix(': ""'),
            "Report it to a developer; retrying will not help",
            code="maps.bad_request",
        )

    def _too_big(self, limit: str) -> Misconfigured:
        return Misconfigured(
            self.service,
            f"{self.service} takes fewer places at once than we ask for",
            f"Its limit is set lower than the usual one, {limit}",
            f"Ask the administrator to set {limit}",
            code="maps.too_big",
        )

    def _no_road(self) -> Unplaceable:
        what, why, todo = NO_ROAD.rstrip(".").split(". ")
        return Unplaceable(self.service, what, why, todo, code="maps.no_road")

    def _no_road_near(self, where: str = "one of these two places") -> Unplaceable:
        return Unplaceable(
            self.service,
            f"{self.service} knows no road within {NEAR_M / 1000:g} km of {where}",
            "It may be on an island, placed wrongly on the map, or outside the map data of the server",
            "Check both addresses",
            code="maps.no_road_near",
        )

    async def _pair(self, origin: Point, destination: Point) -> Leg:
        try:
            return await self._alone(origin, destination)
        except Unplaceable as problem:
            return Leg(error=str(problem))


def nothing_there(service: str, answer: Answer) -> Misconfigured | None:
    """A server of one's own that has no such page is not the server it is taken for."""
    if answer.status != 404:
        return None
    return Misconfigured(
        service,
        f"There is no {service} at the address set for it",
        "It answered 404",
        "Ask the administrator to correct the address",
        code="maps.not_there",
    )
