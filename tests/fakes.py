"""The outside world as tests have it: it remembers what it was asked, and fails when told to."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from backhaul.core.errors import Gone, OutcomeUnknown, OutsideProblem, Transient, Unplaceable
from backhaul.outside.google_calendar import Event, KeptCalendar, Outcome
from backhaul.outside.mail import Message
from backhaul.outside.maps import Address, Found, Leg, Place, Point, in_batches
from backhaul.outside.quo import Contact, Kept
from backhaul.outside.quo_messages import Sent, check

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
        self.asked: list[list[UUID]] = []  # the starts of each call of `minutes`
        self.asked_to: list[list[UUID]] = []  # the ends of each call of `minutes_to`
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
        return self._measured(starts, self.asked)

    async def minutes_to(self, start: Point, ends: Sequence[Place]) -> dict[UUID, Leg]:
        return self._measured(ends, self.asked_to)

    def _measured(self, places: Sequence[Place], asked: list[list[UUID]]) -> dict[UUID, Leg]:
        asked.append([place.id for place in places])
        self._called()
        return {
            place.id: Leg(error="There is no road between these two places")
            if place.id in self.no_road
            else Leg(minutes=10 + n, metres=9_500)
            for n, place in enumerate(places)
        }

    async def aclose(self) -> None:
        pass


class FakeQuo(Failing):
    """Contacts by external id. Like the real one it keeps whatever it is given, so a careless caller would make two."""

    keeps_notes = True

    def __init__(self) -> None:
        super().__init__()
        self.contacts: dict[str, Contact] = {}
        self.notes: dict[tuple[str, str], str] = {}  # by contact and mark
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

    async def put_note(self, contact_id: str, text: str | None, *, mark: str) -> None:
        self._called()
        self.notes.pop((contact_id, mark), None)
        if text is not None:
            self.notes[contact_id, mark] = text

    async def knows(self, external_id: str) -> bool:
        return external_id in self.contacts

    async def aclose(self) -> None:
        pass


class FakeTexts(Failing):
    """Texts as (number, text), in the order they were sent. Like the real one it sends whatever it is given, again and again.

    loses_answers: so many sendings get no answer, though the text goes. swallows: so many get none, and nothing goes.
    late: what was sent is listed only after so many looks more. `fails` is for looks and sendings alike.
    """

    def __init__(self) -> None:
        super().__init__()
        self.texts: list[tuple[str, str]] = []
        self.looks = 0
        self.loses_answers = self.swallows = self.late = 0
        self.statuses: dict[str, str] = {}

    async def send(self, text: str, to: str) -> Sent:
        check(text, to)
        self._called()
        if self.swallows:
            self.swallows -= 1
            raise self._no_answer()
        self.texts.append((to, text))
        if self.loses_answers:
            self.loses_answers -= 1
            raise self._no_answer()
        return Sent(message_id=f"AC{len(self.texts)}", status="queued")

    async def sent(self, text: str, to: str, *, since: datetime) -> list[Sent]:
        check(text, to)
        self._called()
        self.looks += 1
        if self.texts and self.late:
            self.late -= 1
            return []
        return [
            Sent(message_id=f"AC{number}", status="delivered") for number, one in enumerate(self.texts, 1) if one == (to, text)
        ]

    async def status(self, message_id: str) -> str:
        self._called()
        return self.statuses.get(message_id, "delivered")

    async def sender_id(self) -> str:
        return "PN1"

    async def aclose(self) -> None:
        pass

    @staticmethod
    def _no_answer() -> OutcomeUnknown:
        return OutcomeUnknown("Quo", "Quo may or may not have done what was asked", "No answer came", code="quo.timeout")


class FakeSlack(Failing):
    def __init__(self) -> None:
        super().__init__()
        self.posts: list[str] = []

    async def post(self, text: str) -> None:
        self._called()
        self.posts.append(text)

    async def aclose(self) -> None:
        pass


class FakeCalendars(Failing):
    """Events by calendar and id; None: deleted, so that the id is spent, as it is at Google."""

    def __init__(self) -> None:
        super().__init__()
        self.calendars: dict[str, str] = {}  # by their marker
        self.events: dict[tuple[str, str], Event | None] = {}
        self.names: dict[str, str] = {}  # by their id
        self.shared: list[tuple[str, str]] = []
        self.lost: set[str] = set()  # calendars that are no longer shared with us
        self.loses_answers = 0

    async def put_event(self, calendar_id: str, event_id: str, event: Event) -> Outcome:
        self._called_about(calendar_id)
        outcome: Outcome = "changed" if (calendar_id, event_id) in self.events else "created"
        if outcome == "changed" and self.events[calendar_id, event_id] is None:
            return "spent"
        self.events[calendar_id, event_id] = event
        self._lose(Transient("Google Calendar", "Google Calendar did not answer", code="calendar.broken"))
        return outcome

    async def patch_event(self, calendar_id: str, event_id: str, event: Event) -> Outcome:
        if (calendar_id, event_id) not in self.events:
            self._called_about(calendar_id)
            raise Gone("Google Calendar", "The event is not in the driver's calendar", code="calendar.no_event")
        return await self.put_event(calendar_id, event_id, event)

    async def delete_event(self, calendar_id: str, event_id: str) -> bool:
        self._called()
        was_there = self.events.get((calendar_id, event_id)) is not None
        if was_there:
            self.events[calendar_id, event_id] = None
        self._lose(Transient("Google Calendar", "Google Calendar did not answer", code="calendar.broken"))
        return was_there

    async def put_calendar(self, marker: str, summary: str, *, share_with: str | None = None) -> KeptCalendar:
        self._called()
        created = marker not in self.calendars
        calendar_id = self.calendars.setdefault(marker, f"cal-{marker}@group.calendar.google.com")
        self.names.setdefault(calendar_id, summary)
        self._lose(OutcomeUnknown("Google Calendar", "Google Calendar may or may not have done it", code="calendar.broken"))
        if share_with:
            self.shared.append((calendar_id, share_with))
        return KeptCalendar(calendar_id=calendar_id, created=created)

    async def share_calendar(self, calendar_id: str, email: str, *, tell: bool = False, new: bool = False) -> None:
        self._called_about(calendar_id)
        self.shared.append((calendar_id, email))

    async def unshare_calendar(self, calendar_id: str, email: str) -> bool:
        self._called()
        shared = (calendar_id, email) in self.shared
        self.shared = [one for one in self.shared if one != (calendar_id, email)]
        return shared

    async def rename_calendar(self, calendar_id: str, summary: str, *, ours: str) -> bool:
        self._called_about(calendar_id)
        renamed = self.names.get(calendar_id, ours).startswith(ours) and self.names.get(calendar_id) != summary
        if renamed:
            self.names[calendar_id] = summary
        return renamed

    async def knows(self, marker: str) -> bool:
        return marker in self.calendars

    async def aclose(self) -> None:
        pass

    def _called_about(self, calendar_id: str) -> None:
        self._called()
        if calendar_id in self.lost:
            raise Gone("Google Calendar", "The driver's calendar was not found", code="calendar.not_found")

    def _lose(self, error: OutsideProblem) -> None:
        if self.loses_answers:
            self.loses_answers -= 1
            raise error


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
