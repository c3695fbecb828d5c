"""The outside world as tests have it: it remembers what it was asked, and fails when told to."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from backhaul.core.errors import OutcomeUnknown, OutsideProblem, Unplaceable
from backhaul.outside.mail import Message
from backhaul.outside.maps import Address, Found, Leg, Place, Point, in_batches
from backhaul.outside.quo import Contact, Kept

PORTAL = "https://portal.example.test"


class CountingLimits:
    """Limits that let everything through and remember what was taken, what was answered and what was refused."""

    def __init__(self, refusal: Exception | None = None) -> None:
        self.taken: list[tuple[str, int]] = []
        self.well: list[str] = []
        self.unwell: list[tuple[str, str]] = []
        self._refusal = refusal

    async def take(self, service: str, units: int) -> None:
        if self._refusal:
            raise self._refusal
        self.taken.append((service, units))

    async def answered(self, service: str) -> None:
        self.well.append(service)

    async def refused(self, service: str, problem: OutsideProblem) -> None:
        self.unwell.append((service, problem.code))


class Failing:
    """Counts calls; the n-th of them (from 1) raises what `fails` says."""

    def __init__(self) -> None:
        self.calls = 0
        self._failures: dict[int, OutsideProblem] = {}
        self._always: OutsideProblem | None = None

    def fails(self, *, at: int | None = None, error: OutsideProblem) -> None:
        """At the given call from now on (1: the next one), or always."""
        if at is None:
            self._always = error
        else:
            self._failures[self.calls + at] = error

    def works(self) -> None:
        self._always = None
        self._failures.clear()

    def _called(self) -> None:
        self.calls += 1
        error = self._failures.get(self.calls) or self._always
        if error is not None:
            raise error


class FakeMaps(Failing):
    """Every place is a minute further than the one before; two places to a call, so that batches show."""

    service = "Google Maps"

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[list[UUID]] = []
        self.located: list[str] = []
        self.unknown: set[str] = set()
        self.vague: set[str] = set()
        self.no_road: set[UUID] = set()

    async def locate(self, address: Address) -> Found:
        self.located.append(address.text)
        if address.city in self.unknown:
            raise Unplaceable(
                self.service,
                "Google Maps does not know this address",
                "Street, city or postal code may be misspelt",
                "Correct the address",
                code="maps.not_found",
            )
        return Found(
            point=Point(latitude=44.65, longitude=-63.57),
            precision="approximate" if address.city in self.vague else "exact",
            formatted=address.text,
            place_id=None,
        )

    def batches(self, places: Sequence[Place]) -> list[list[Place]]:
        return in_batches(places, 2)

    async def minutes(self, starts: Sequence[Place], end: Point) -> dict[UUID, Leg]:
        self.asked.append([start.id for start in starts])
        self._called()
        return {
            start.id: Leg(error="There is no road between these two places")
            if start.id in self.no_road
            else Leg(minutes=10 + n, metres=9_500)
            for n, start in enumerate(starts)
        }

    async def aclose(self) -> None:
        pass


class FakeQuo(Failing):
    """Contacts by external id. Like the real one it keeps whatever it is given, so a careless caller would make two."""

    def __init__(self) -> None:
        super().__init__()
        self.contacts: dict[str, Contact] = {}
        self.loses_answers = 0

    async def put_contact(self, contact: Contact, *, external_id: str, contact_id: str | None = None) -> Kept:
        self._called()
        created = external_id not in self.contacts
        self.contacts[external_id] = contact
        if self.loses_answers:
            self.loses_answers -= 1
            raise OutcomeUnknown(
                "Quo", "Quo may or may not have done what was asked", "The connection ended", "Look in Quo", code="quo.unknown"
            )
        return Kept(contact_id=f"QC-{external_id}", created=created)

    async def knows(self, external_id: str) -> bool:
        return external_id in self.contacts

    async def aclose(self) -> None:
        pass


class FakeSlack(Failing):
    def __init__(self) -> None:
        super().__init__()
        self.posts: list[str] = []

    async def post(self, text: str) -> None:
        self._called()
        self.posts.append(text)

    async def aclose(self) -> None:
        pass


class FakeMail(Failing):
    """Keeps every mail it is given. Like a real server it takes the same one twice, so a careless caller would send two."""

    def __init__(self) -> None:
        super().__init__()
        self.sent: list[Message] = []
        self.loses_answers = 0

    async def send(self, message: Message) -> None:
        self._called()
        self.sent.append(message)
        if self.loses_answers:
            self.loses_answers -= 1
            raise OutcomeUnknown(
                "The mail server",
                "The mail may or may not have gone out",
                "The connection ended",
                "Ask them",
                code="mail.unknown",
            )

    async def greet(self) -> None:
        self._called()

    async def aclose(self) -> None:
        pass
