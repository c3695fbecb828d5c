"""Google Calendar: what the tasks that keep the drivers' calendars, and the drivers who read them, may rely on."""

from __future__ import annotations

import json
import re
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal
from uuid import UUID
from zoneinfo import ZoneInfo

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from backhaul.core.errors import (
    Gone,
    Malformed,
    Misconfigured,
    OutcomeUnknown,
    OutsideProblem,
    RateLimited,
    Transient,
    Unplaceable,
)
from backhaul.dispatch.outside import limits_of
from backhaul.dispatch.settings import load
from backhaul.outside.google_calendar import CREATION_UNITS, Event, KeptCalendar, Outcome, event_id
from backhaul.outside.google_calendar_errors import Paused
from tests.fakes import CountingLimits
from tests.far_google import KEY, USER, Body, FarGoogle

HALIFAX = ZoneInfo("America/Halifax")
APPOINTMENT, DRIVER = UUID(int=7), UUID(int=1)
MARKER = f"driver:{DRIVER}"
TRIP = Event(
    appointment_id=APPOINTMENT,
    driver_id=DRIVER,
    title="Transport: Jane Roe to QEII",
    description="Ring twice. 902-555-0100",
    location="1276 South Park St",
    starts=datetime(2026, 12, 1, 9, 30, tzinfo=HALIFAX),
    ends=datetime(2026, 12, 1, 10, 15, tzinfo=HALIFAX),
    colour=2,
)
PLAIN = TRIP.model_copy(update={"title": "Transport", "description": "", "location": "", "colour": None})
PRIVATE = ("Jane", "Roe", "QEII", "902-555-0100", "South Park", "ana@demo.test", USER, KEY.account, "ya29")


async def kept(google: FarGoogle, marker: str = MARKER) -> str:
    """The id of a calendar."""
    return (await google.calendar.put_calendar(marker, "Ana")).calendar_id


async def put(google: FarGoogle, calendar_id: str, event: Event = TRIP, generation: int = 0) -> Outcome:
    return await google.calendar.put_event(calendar_id, event_id(APPOINTMENT, calendar_id, generation), event)


async def delete(google: FarGoogle, calendar_id: str, generation: int = 0) -> bool:
    return await google.calendar.delete_event(calendar_id, event_id(APPOINTMENT, calendar_id, generation))


async def patch(google: FarGoogle, calendar_id: str, event: Event = TRIP, generation: int = 0) -> Outcome:
    return await google.calendar.patch_event(calendar_id, event_id(APPOINTMENT, calendar_id, generation), event)


def as_it_says(problem: OutsideProblem) -> str:
    """All that it shows, in which nobody is named."""
    shown = repr(vars(problem)) + str(problem)
    for private in PRIVATE:
        assert private not in shown
    return shown


def answers(google: FarGoogle, status: int, body: object, method: str, path: str = "") -> None:
    """Instead of the stand-in, to that method on paths with that end."""
    content = body if isinstance(body, str) else json.dumps(body)

    def answer(request: httpx.Request) -> httpx.Response | None:
        wanted = request.method == method and request.url.path.endswith(path) and request.url.path != "/token"
        return httpx.Response(status, text=content) if wanted else None

    google.before = answer


# ── An event's id ──


@given(appointment=st.uuids(), calendar_id=st.text(), generation=st.integers(0, 10**6))
def test_every_id_is_one_that_google_takes(appointment: UUID, calendar_id: str, generation: int) -> None:
    made = event_id(appointment, calendar_id.encode("utf-8", "replace").decode(), generation)
    assert re.fullmatch(r"[a-v0-9]{5,1024}", made)


def test_an_id_is_the_same_each_time_and_another_for_each_appointment_calendar_and_generation() -> None:
    assert event_id(APPOINTMENT, "a@group", 0) == "r8v5rps0uoo2ea2scbtf49rss2tqa8ng"  # kept at Google: never to change
    asked = [(UUID(int=number), calendar, generation) for number in (7, 8) for calendar in "ab" for generation in (0, 1)]
    assert len({event_id(*one) for one in asked}) == 8


# ── An event is there once, as we know it ──


async def test_an_event_is_entered_with_our_id_and_nobody_is_told(google: FarGoogle) -> None:
    calendar_id = await kept(google)
    assert await put(google, calendar_id) == "created"
    assert google.body("POST") == {
        "id": event_id(APPOINTMENT, calendar_id, 0),
        "summary": "Transport: Jane Roe to QEII",
        "description": "Ring twice. 902-555-0100",
        "location": "1276 South Park St",
        "start": {"dateTime": "2026-12-01T09:30:00-04:00", "timeZone": "America/Halifax"},
        "end": {"dateTime": "2026-12-01T10:15:00-04:00", "timeZone": "America/Halifax"},
        "status": "confirmed",
        "colorId": "2",
        "visibility": "private",
        "reminders": {
            "useDefault": False,
            "overrides": [{"method": "popup", "minutes": 60}, {"method": "popup", "minutes": 5}],
        },
        "extendedProperties": {"private": {"appointment": str(APPOINTMENT), "driver": str(DRIVER)}},
    }
    asked = google.requests[-1].url
    assert asked.params["sendUpdates"] == "none"
    assert asked.raw_path.startswith(f"/calendar/v3/calendars/{calendar_id.replace('@', '%40')}/events?".encode())


async def test_what_is_not_known_is_not_sent(google: FarGoogle) -> None:
    await put(google, await kept(google), PLAIN)
    assert "colorId" not in google.body("POST")
    assert google.body("POST")["start"].keys() == {"dateTime", "timeZone"}


async def test_an_event_entered_again_is_changed(google: FarGoogle) -> None:
    calendar_id = await kept(google)
    await put(google, calendar_id)
    later = TRIP.model_copy(update={"ends": TRIP.ends + timedelta(hours=1), "title": "Transport: J. Roe"})
    assert await put(google, calendar_id, later) == "changed"
    (event,) = google.events
    assert (event["summary"], event["end"]["dateTime"]) == ("Transport: J. Roe", "2026-12-01T11:15:00-04:00")
    assert google.asked[-3:] == [f"{method} calendars/{calendar_id}/events{end}" for method, end in (
        ("POST", ""), ("GET", f"/{event['id']}"), ("PATCH", f"/{event['id']}")
    )]  # fmt: skip


async def test_a_change_clears_what_the_event_no_longer_has_and_keeps_what_others_added(google: FarGoogle) -> None:
    calendar_id = await kept(google)
    await put(google, calendar_id)
    (before,) = google.events
    by_hand = {"start": {"date": "2026-12-01"}, "end": {"date": "2026-12-02"}, "attachments": ["a map"]}
    google.app.store.put("event", f"{calendar_id}/{before['id']}", before | by_hand, label=calendar_id)
    assert await patch(google, calendar_id, PLAIN) == "changed"
    (event,) = google.events
    assert (event["summary"], event["description"], event["location"]) == ("Transport", "", "")
    assert "colorId" not in event
    assert event["start"] == {"dateTime": "2026-12-01T09:30:00-04:00", "timeZone": "America/Halifax"}
    assert event["attachments"] == ["a map"]


async def test_a_cancelled_trip_stays_in_sight_as_tentative(google: FarGoogle) -> None:
    calendar_id = await kept(google)
    await put(google, calendar_id)
    cancelled = TRIP.model_copy(update={"title": f"CANCELLED - {TRIP.title}", "status": "tentative"})
    assert await put(google, calendar_id, cancelled) == "changed"
    assert (google.events[0]["summary"], google.events[0]["status"]) == (cancelled.title, "tentative")


async def test_a_change_asked_for_twice_is_one_event(google: FarGoogle) -> None:
    calendar_id = await kept(google)
    await put(google, calendar_id)
    assert [await patch(google, calendar_id) for _ in range(2)] == ["changed", "changed"]
    assert len(google.events) == 1


async def test_a_change_of_what_was_never_entered_says_so(google: FarGoogle) -> None:
    calendar_id = await kept(google)
    with pytest.raises(Gone) as caught:
        await patch(google, calendar_id)
    assert caught.value.code == "calendar.no_event"
    assert google.events == []


@pytest.mark.parametrize(
    "local", ["2026-11-01T00:30:00-03:00", "2026-11-01T01:30:00-03:00", "2026-11-01T01:30:00-04:00", "2026-11-01T02:30:00-04:00"]
)
async def test_a_time_is_told_with_the_offset_of_its_own_hour(google: FarGoogle, local: str) -> None:
    starts = datetime.fromisoformat(local).astimezone(UTC)
    trip = TRIP.model_copy(update={"starts": starts, "ends": starts + timedelta(hours=3)})
    await put(google, await kept(google), trip)
    assert google.body("POST")["start"]["dateTime"] == local


# ── A deleted event keeps its id ──


async def test_a_deleted_events_id_is_spent_and_the_next_generation_is_entered(google: FarGoogle) -> None:
    calendar_id = await kept(google)
    await put(google, calendar_id)
    assert await delete(google, calendar_id) is True
    assert await put(google, calendar_id) == "spent"
    assert await patch(google, calendar_id) == "spent"
    assert google.events == []
    assert await put(google, calendar_id, generation=1) == "created"


async def test_a_deleted_event_is_spent_though_google_tells_no_more_than_its_id(google: FarGoogle) -> None:
    calendar_id = await kept(google)
    await put(google, calendar_id)
    answers(google, 200, {"id": event_id(APPOINTMENT, calendar_id, 0), "status": "cancelled"}, "GET")
    assert await put(google, calendar_id) == "spent"
    answers(google, 410, {"error": {"code": 410, "errors": [{"reason": "deleted"}]}}, "GET")
    assert await put(google, calendar_id) == "spent"


async def test_an_event_deleted_while_it_is_changed_is_not_brought_back_to_life(google: FarGoogle) -> None:
    calendar_id = await kept(google)
    await put(google, calendar_id)

    def somebody_deletes(request: httpx.Request) -> None:
        if request.method == "GET":
            (event,) = google.events
            gone = event | {"status": "cancelled", "etag": '"other"'}
            google.app.store.put("event", f"{calendar_id}/{event['id']}", gone, label=calendar_id)

    google.after = somebody_deletes
    with pytest.raises(Transient) as caught:
        await put(google, calendar_id)
    assert caught.value.code == "calendar.changed"
    google.after = lambda _: None
    assert await put(google, calendar_id) == "spent"
    assert google.events == []


async def test_an_event_that_is_there_but_not_yet_to_be_seen_is_tried_again(google: FarGoogle) -> None:
    calendar_id = await kept(google)
    await put(google, calendar_id)
    google.fails("404", method="GET")
    with pytest.raises(Transient) as caught:
        await put(google, calendar_id)
    assert caught.value.code == "calendar.not_yet"
    google.works()
    assert await put(google, calendar_id) == "changed"


async def test_deleting_what_is_not_there_is_done(google: FarGoogle) -> None:
    calendar_id = await kept(google)
    assert await delete(google, calendar_id) is False
    await put(google, calendar_id)
    assert [await delete(google, calendar_id) for _ in range(3)] == [True, False, False]
    assert await delete(google, "lost@group.calendar.google.com") is False
    assert google.requests[-1].url.params["sendUpdates"] == "none"


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [(404, "<html>not here</html>", Gone), (410, "", Gone), (200, "<html>sign in to the guest network</html>", Malformed)],
)
async def test_a_proxys_page_is_no_deletion(google: FarGoogle, status: int, body: str, kind: type[OutsideProblem]) -> None:
    calendar_id = await kept(google)
    await put(google, calendar_id)
    answers(google, status, body, "DELETE")
    with pytest.raises(kind):
        await delete(google, calendar_id)
    assert len(google.events) == 1


# ── A calendar is there once ──


async def test_a_new_calendar_carries_our_mark_and_belongs_to_the_office(google: FarGoogle) -> None:
    made = await google.calendar.put_calendar(MARKER, "Ana")
    (calendar,) = google.calendars
    assert made == KeptCalendar(calendar_id=calendar["id"], created=True)
    assert calendar["description"].splitlines()[0] == MARKER
    assert (calendar["summary"], calendar["timeZone"], calendar["dataOwner"]) == ("Ana", "America/Halifax", USER)
    assert google.asked == ["GET users/me/calendarList", "POST calendars"]
    assert google.requests[1].url.params == httpx.QueryParams({"maxResults": "250", "showHidden": "true"})


async def test_a_calendar_with_our_mark_is_found_whatever_people_wrote_beside_it(google: FarGoogle) -> None:
    made = await google.calendar.put_calendar(MARKER, "Ana")
    (calendar,) = google.calendars
    for words in (f"Ana's trips ({MARKER})", f"{MARKER}.", f"<p>{MARKER}</p>"):
        google.app.store.put("calendar", made.calendar_id, calendar | {"description": words, "summary": "Ana B."})
        assert await google.calendar.put_calendar(MARKER, "Ana") == KeptCalendar(calendar_id=made.calendar_id, created=False)
    assert len(google.calendars) == 1


async def test_another_drivers_mark_is_not_ours(google: FarGoogle) -> None:
    one = await kept(google, "driver:12")
    assert await kept(google, "driver:1") != one
    assert await kept(google, "driver:12") == one
    assert await google.calendar.knows("driver:12")
    assert not await google.calendar.knows("driver:2")


async def test_a_calendar_on_a_later_page_of_the_list_is_found(google: FarGoogle) -> None:
    for number in range(251):
        has(google, f"c{number:03}", f"driver:{number}", "owner")
    assert await kept(google, "driver:250") == "c250"
    assert google.asked == ["GET users/me/calendarList"] * 2


async def test_a_calendar_we_may_only_read_is_not_ours_and_one_we_own_comes_first(google: FarGoogle) -> None:
    has(google, "a", "driver:1", "reader")
    assert await google.calendar.knows("driver:1") is False
    has(google, "b", "driver:1", "writer")
    assert await kept(google, "driver:1") == "b"
    for name in ("d", "c"):
        has(google, name, "driver:1", "owner")
    assert [await kept(google, "driver:1") for _ in range(2)] == ["c", "c"]


def has(google: FarGoogle, name: str, marker: str, role: str) -> None:
    google.app.store.put("calendar", name, {"id": name, "summary": "Ana", "description": marker, "dataOwner": "other@demo.test"})
    google.app.store.put("acl", f"{name}/user:{USER}", {"scope": {"value": USER}, "role": role}, label=name)


async def test_a_calendar_is_shared_so_that_the_driver_can_read_what_is_private(google: FarGoogle) -> None:
    made = await google.calendar.put_calendar(MARKER, "Ana", share_with="ana@demo.test")
    assert google.readers(made.calendar_id) == {"ana@demo.test": "writer"}
    assert google.requests[-1].url.params["sendNotifications"] == "false"
    again = await google.calendar.put_calendar(MARKER, "Ana", share_with="ana@demo.test")
    assert again == KeptCalendar(calendar_id=made.calendar_id, created=False)
    assert google.readers(made.calendar_id) == {"ana@demo.test": "writer"}


async def test_a_driver_is_told_of_the_calendar_on_request(google: FarGoogle) -> None:
    calendar_id = await kept(google)
    await google.calendar.share_calendar(calendar_id, "ana@demo.test", tell=True)
    assert google.readers(calendar_id) == {"ana@demo.test": "writer"}
    assert google.requests[-1].url.params["sendNotifications"] == "true"


async def test_who_is_to_read_a_calendar_no_more_does_not(google: FarGoogle) -> None:
    calendar_id = await kept(google)
    await google.calendar.share_calendar(calendar_id, "ana+1@demo.test")
    assert await google.calendar.unshare_calendar(calendar_id, "ana+1@demo.test") is True
    assert google.readers(calendar_id) == {}
    assert await google.calendar.unshare_calendar(calendar_id, "ana+1@demo.test") is False
    assert await google.calendar.unshare_calendar("lost@group.calendar.google.com", "ana@demo.test") is False


async def test_a_calendar_takes_a_new_name_once_and_keeps_our_mark(google: FarGoogle) -> None:
    calendar_id = (await google.calendar.put_calendar(MARKER, "Trips of Ana")).calendar_id
    for renamed in (True, False):
        assert await google.calendar.rename_calendar(calendar_id, "Trips of Ana Novo", ours="Trips of ") is renamed
    assert google.app.store.get("calendar", calendar_id)["summary"] == "Trips of Ana Novo"  # type: ignore[index]
    assert len([asked for asked in google.asked if asked.startswith("PATCH")]) == 1
    assert await kept(google) == calendar_id


async def test_a_calendar_that_was_named_by_hand_keeps_that_name(google: FarGoogle) -> None:
    calendar_id = (await google.calendar.put_calendar(MARKER, "North shore, Ana")).calendar_id
    assert await google.calendar.rename_calendar(calendar_id, "Trips of Ana Novo", ours="Trips of ") is False
    assert google.app.store.get("calendar", calendar_id)["summary"] == "North shore, Ana"  # type: ignore[index]


async def test_a_name_whose_answer_is_lost_is_looked_at_before_it_is_given_again(google: FarGoogle) -> None:
    calendar_id = (await google.calendar.put_calendar(MARKER, "Trips of Ana")).calendar_id
    google.fails("lost", method="PATCH", times=1)
    with pytest.raises(Transient) as caught:
        await google.calendar.rename_calendar(calendar_id, "Trips of Ana Novo", ours="Trips of ")
    as_it_says(caught.value)
    assert await google.calendar.rename_calendar(calendar_id, "Trips of Ana Novo", ours="Trips of ") is False


@pytest.mark.parametrize("body", ["<html>Sign in</html>", {}, {"id": "x"}])
async def test_a_page_in_place_of_the_calendar_gives_no_name(google: FarGoogle, body: object) -> None:
    calendar_id = await kept(google)
    answers(google, 200, body, "GET")
    with pytest.raises(Malformed):
        await google.calendar.rename_calendar(calendar_id, "Trips of Ana", ours="Trips of ")
    assert not [asked for asked in google.asked if asked.startswith("PATCH")]


async def test_a_calendar_made_a_moment_ago_is_shared_a_little_later(google: FarGoogle) -> None:
    calendar_id = await kept(google)
    google.fails("404", path="/calendar", method="POST", times=1)
    with pytest.raises(Transient) as caught:
        await google.calendar.share_calendar(calendar_id, "ana@demo.test", new=True)
    assert caught.value.code == "calendar.not_yet"
    await google.calendar.share_calendar(calendar_id, "ana@demo.test", new=True)


async def test_sharing_what_is_not_there_says_so(google: FarGoogle) -> None:
    with pytest.raises(Gone) as caught:
        await google.calendar.share_calendar("lost@group.calendar.google.com", "ana@demo.test")
    assert caught.value.code == "calendar.not_found"
    as_it_says(caught.value)


@pytest.mark.parametrize(("status", "reason"), [(404, "notFound"), (403, "requiredAccessLevel")])
async def test_a_calendar_too_new_to_be_shared_is_shared_by_the_next_attempt(google: FarGoogle, status: int, reason: str) -> None:
    answers(google, status, {"error": {"code": status, "errors": [{"reason": reason}]}}, "POST", "/acl")
    with pytest.raises(Transient) as caught:
        await google.calendar.put_calendar(MARKER, "Ana", share_with="ana@demo.test")
    assert caught.value.code == "calendar.not_yet"
    google.before = lambda _: None
    made = await google.calendar.put_calendar(MARKER, "Ana", share_with="ana@demo.test")
    assert not made.created
    assert google.readers(made.calendar_id) == {"ana@demo.test": "writer"}
    assert len(google.calendars) == 1


async def test_a_creation_whose_answer_is_lost_is_looked_for_before_it_is_repeated(google: FarGoogle) -> None:
    google.fails("lost", method="POST")
    with pytest.raises(OutcomeUnknown) as caught:
        await google.calendar.put_calendar(MARKER, "Ana")
    assert caught.value.code == "calendar.broken"
    google.works()
    assert (await google.calendar.put_calendar(MARKER, "Ana")).created is False
    assert len(google.calendars) == 1


@pytest.mark.parametrize("body", [{}, {"id": ""}, {"id": 7}, [], "<html>sign in</html>"])
async def test_yes_without_an_id_leaves_the_creation_unknown(google: FarGoogle, body: object) -> None:
    answers(google, 200, body, "POST")
    with pytest.raises(OutcomeUnknown) as caught:
        await google.calendar.put_calendar(MARKER, "Ana")
    assert caught.value.code == "calendar.unknown"


@pytest.mark.parametrize(
    "body", [{}, [], {"kind": "calendar#events"}, {"kind": "calendar#calendarList", "items": [{}]}, "<html/>"]
)
async def test_a_list_of_another_shape_is_an_error_and_never_a_reason_to_create(google: FarGoogle, body: object) -> None:
    answers(google, 200, body, "GET")
    with pytest.raises(Malformed) as caught:
        await google.calendar.put_calendar(MARKER, "Ana")
    assert caught.value.code == "calendar.unreadable"
    assert google.calendars == []


async def test_a_list_without_end_is_given_up(google: FarGoogle) -> None:
    answers(google, 200, {"kind": "calendar#calendarList", "items": [], "nextPageToken": "again"}, "GET")
    with pytest.raises(Malformed, match="cannot read"):
        await google.calendar.knows(MARKER)
    assert len(google.asked) == 40


@pytest.mark.parametrize("marker", ["", " ", "driver: 1"])
async def test_a_mark_that_would_be_found_everywhere_is_refused(google: FarGoogle, marker: str) -> None:
    with pytest.raises(ValueError, match="one word"):
        await google.calendar.put_calendar(marker, "Ana")


async def test_a_creation_costs_more_of_the_limit_so_that_google_does_not_pause_us() -> None:
    limits = CountingLimits()
    with closing(FarGoogle(limits)) as google:
        calendar_id = await kept(google)
        await put(google, calendar_id)
    assert limits.taken == [("calendar", 1), ("calendar", 45), ("calendar", 1)]


def test_no_minute_holds_more_requests_than_google_allows_for_one_person(tmp_path: Path) -> None:
    limits = {limit.service: limit for limit in limits_of(load(env={"BACKHAUL_HOME": str(tmp_path)}))}
    assert limits["calendar"].burst + 60 * limits["calendar"].per_second <= 600
    assert limits["calendar"].burst >= CREATION_UNITS


# ── What goes wrong ──

SLOW = (
    "Google Calendar asked us to slow down",
    "Too many requests in a short time",
    "Nothing to do; it is tried again by itself",
)
PAUSE = (
    "Google Calendar has put this account in a pause",
    "Too many calendars, events or guests in a short time",
    "Wait some hours; do not keep trying",
)
GUESTS = (
    "Google does not let this account invite guests",
    "Domain-wide delegation is missing",
    "The Workspace administrator must grant it; the event itself can be saved without guests",
)
NO_CALENDAR = (
    "The driver's calendar was not found",
    "It was deleted, or is no longer shared with us",
    "Share it again or create a new one",
)
Texts = tuple[str, str, str] | None


@pytest.mark.parametrize(
    ("fault", "kind", "code", "texts"),
    [
        ("401", Misconfigured, "calendar.token", None),
        ("402", Paused, "calendar.quota", PAUSE),
        ("403", Misconfigured, "calendar.permissions", None),
        ("denied", Misconfigured, "calendar.guests", GUESTS),
        ("404", Gone, "calendar.not_found", NO_CALENDAR),
        ("409", Transient, "calendar.conflict", None),
        ("410", Gone, "calendar.deleted", None),
        ("412", Transient, "calendar.changed", None),
        ("429", RateLimited, "calendar.rate_limited", SLOW),
        ("500", Transient, "calendar.500", None),
        ("503", Transient, "calendar.503", None),
        ("rateLimitExceeded", RateLimited, "calendar.rate_limited", SLOW),
        ("userRateLimitExceeded", RateLimited, "calendar.rate_limited", SLOW),
        ("quotaExceeded", Paused, "calendar.quota", PAUSE),
        ("forbiddenForServiceAccounts", Misconfigured, "calendar.guests", GUESTS),
        ("html", Transient, "calendar.502", None),
        ("timeout", Transient, "calendar.timeout", None),
        ("lost", Transient, "calendar.broken", None),
    ],
)
async def test_each_refusal_of_an_event_has_its_class_and_text(
    google: FarGoogle, fault: str, kind: type[OutsideProblem], code: str, texts: Texts
) -> None:
    calendar_id = await kept(google)
    google.fails(fault)
    with pytest.raises(OutsideProblem) as caught:
        await put(google, calendar_id)
    problem = caught.value
    assert (type(problem), problem.code, problem.service) == (kind, code, "Google Calendar")
    if texts:
        assert (problem.what, problem.why, problem.todo) == texts
    assert problem.why
    assert problem.todo
    as_it_says(problem)
    assert google.asked[-1].startswith("POST"), "nothing is tried again below the task layer, but for a token"


@pytest.mark.parametrize("fault", ["401", "402", "403", "404", "429", "denied", "quotaExceeded", "rateLimitExceeded"])
async def test_a_refusal_means_the_same_whatever_was_asked(google: FarGoogle, fault: str) -> None:
    calendar_id = await kept(google)
    google.fails(fault)
    asked = (
        google.calendar.put_calendar(MARKER, "Ana"),
        google.calendar.knows(MARKER),
        google.calendar.share_calendar(calendar_id, "ana@demo.test"),
        google.calendar.rename_calendar(calendar_id, "Trips of Ana", ours="Trips of "),
        put(google, calendar_id),
    )
    told = []
    for question in asked:
        with pytest.raises(OutsideProblem) as caught:
            await question
        told.append((type(caught.value), caught.value.code))
    assert len(set(told)) == 1


@pytest.mark.parametrize("reason", ["forbidden", "forbiddenForNonOrganizer", "requiredAccessLevel"])
async def test_one_calendar_that_is_closed_to_us_does_not_put_all_on_hold(google: FarGoogle, reason: str) -> None:
    calendar_id = await kept(google)
    words = {"message": "Jane Roe must be the organizer", "errors": [{"reason": reason}]}
    answers(google, 403, {"error": words}, "POST")
    with pytest.raises(Unplaceable) as caught:
        await put(google, calendar_id)
    assert caught.value.code == "calendar.read_only"
    assert caught.value.why == f'It answered 403: "[…] […] must be the organizer · {reason}"'
    as_it_says(caught.value)


def test_a_pause_is_not_prolonged_by_asking_every_minute() -> None:
    assert Paused("Google Calendar", "paused").leave_s == 3600


async def test_a_creation_without_a_known_end_is_unknown_and_never_transient(google: FarGoogle) -> None:
    for fault in ("500", "503", "html", "timeout", "lost"):
        google.app.store.forget_everything()
        google.fails(fault, method="POST")
        with pytest.raises(OutcomeUnknown):
            await google.calendar.put_calendar(MARKER, "Ana")


@pytest.mark.parametrize(("retry_after", "pause"), [(None, 60.0), (7, 7.0)])
async def test_the_pause_is_a_minute_unless_google_says_otherwise(
    google: FarGoogle, retry_after: int | None, pause: float
) -> None:
    google.fails("429", retry_after=retry_after)
    with pytest.raises(RateLimited) as caught:
        await google.calendar.knows(MARKER)
    assert caught.value.retry_after == pause


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (
            {"error": {"message": "Bad Jane", "errors": [{"reason": "timeRangeEmpty"}]}},
            'It answered 400: "Bad […] · timeRangeEmpty"',
        ),
        ({"error": {"message": 7, "errors": "none"}}, "It answered 400"),
        ({"error": {"errors": [7]}}, "It answered 400"),
        ({"error": {"errors": [{"reason": 7}]}}, "It answered 400"),
        ({"error": "invalid"}, "It answered 400"),
        ([{"error": {}}], "It answered 400"),
        ("<html>no</html>", "It answered 400"),
    ],
)
async def test_a_fault_of_ours_is_told_as_far_as_it_can_be_read(google: FarGoogle, body: object, why: str) -> None:
    calendar_id = await kept(google)
    answers(google, 400, body, "POST")
    with pytest.raises(Malformed) as caught:
        await put(google, calendar_id)
    assert (caught.value.code, caught.value.why) == ("calendar.400", why)


@pytest.mark.parametrize("body", [{}, [], {"id": 7}, "<html>sign in</html>"])
async def test_a_page_in_place_of_the_event_is_no_success(google: FarGoogle, body: object) -> None:
    calendar_id = await kept(google)
    answers(google, 200, body, "POST")
    with pytest.raises(Malformed) as caught:
        await put(google, calendar_id)
    assert caught.value.code == "calendar.unreadable"


# ── Laws ──

FAULTS = (None, "lost", "timeout", "500", "503", "429", "409", "412", "html", "401", "403", "rateLimitExceeded")
A_FAULT = st.tuples(st.sampled_from(FAULTS), st.sampled_from(["POST", "GET", "PATCH", "DELETE"]), st.integers(1, 2))
AN_ATTEMPT = st.tuples(st.sampled_from(["put", "patch", "delete"]), A_FAULT)


class Keeper:
    """Keeps one trip in a calendar as a task would: the next generation once an id is spent."""

    def __init__(self, google: FarGoogle, calendar_id: str) -> None:
        self.google, self.calendar_id, self.generation = google, calendar_id, 0

    async def act(self, act: Literal["put", "patch", "delete"], event: Event) -> None:
        if act == "delete":
            await delete(self.google, self.calendar_id, self.generation)
            return
        ask = put if act == "put" else patch
        while await ask(self.google, self.calendar_id, event, self.generation) == "spent":
            self.generation += 1
            ask = put


def at_fault(google: FarGoogle, fault: tuple[str | None, str, int]) -> None:
    kind, method, times = fault
    google.works()
    if kind:
        google.fails(kind, method=method, times=times)


@settings(deadline=None, max_examples=50)  # each is a whole stand-in
@given(attempts=st.lists(AN_ATTEMPT, max_size=6))
async def test_no_order_of_attempts_and_failures_leaves_a_trip_twice_or_as_it_was(attempts: list[Any]) -> None:
    with closing(FarGoogle()) as google:
        keeper = Keeper(google, await kept(google))
        for number, (act, fault) in enumerate(attempts):
            at_fault(google, fault)
            try:
                await keeper.act(act, TRIP.model_copy(update={"title": f"state {number}"}))
            except OutsideProblem as problem:
                as_it_says(problem)
        google.works()
        await keeper.act("put", TRIP)
        assert [event["summary"] for event in google.events] == [TRIP.title]
        await keeper.act("delete", TRIP)
        assert google.events == []


@settings(deadline=None, max_examples=50)  # each is a whole stand-in
@given(faults=st.lists(A_FAULT, max_size=6), share=st.booleans())
async def test_no_order_of_failures_leaves_a_driver_two_calendars(faults: list[Any], share: bool) -> None:
    with closing(FarGoogle()) as google:
        share_with = "ana@demo.test" if share else None
        for fault in faults:
            at_fault(google, fault)
            try:
                await google.calendar.put_calendar(MARKER, "Ana", share_with=share_with)
            except OutsideProblem as problem:
                as_it_says(problem)
        google.works()
        made = await google.calendar.put_calendar(MARKER, "Ana", share_with=share_with)
        assert [calendar["id"] for calendar in google.calendars] == [made.calendar_id]
        assert google.readers(made.calendar_id) == ({"ana@demo.test": "writer"} if share else {})


# ── The event itself ──


@pytest.mark.parametrize(
    "wrong",
    [
        {"title": ""},
        {"starts": "2026-12-01T09:30:00"},
        {"ends": TRIP.starts},
        {"ends": TRIP.starts + timedelta(milliseconds=900)},
        {"zone": "America/Hallifax"},
        {"zone": "../etc/passwd"},
        {"popups": (-1,)},
        {"popups": (1, 2, 3, 4, 5, 6)},
        {"status": "cancelled"},
        {"colour": 12},
        {"driver_id": "Ana"},
    ],
)
def test_what_google_would_not_take_is_refused_here_without_repeating_it(wrong: Body) -> None:
    with pytest.raises(ValidationError) as caught:
        Event(**{**TRIP.model_dump(), **wrong})
    assert "Jane" not in str(caught.value)


def test_what_steps_are_asked_with_and_answer_survives_being_kept() -> None:
    answers: list[tuple[Any, Any]] = [
        (Event, TRIP),
        (Outcome, "spent"),
        (KeptCalendar, KeptCalendar(calendar_id="c", created=True)),
    ]
    for shape, value in answers:
        adapter: TypeAdapter[Any] = TypeAdapter(shape)
        assert adapter.validate_json(adapter.dump_json(value)) == value
