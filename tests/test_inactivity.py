"""Inactivity, judged by the server: what an office relies on when somebody leaves a screen open. The clock is held, not slept.

Only the person's own input moves the clock (OWASP ASVS 7.3.1): the page's report of it, and a save. Whatever a page does by
itself, polling, listening, renewing, does not.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from datetime import timedelta
from typing import Any

import pytest

from backhaul.core import stream as streams
from backhaul.core.store import Actor
from backhaul.core.testing import Clock
from tests.api_fixtures import Api, jane, refused, until

LIMITS = {"admin": 30, "supervisor": 60, "booking_agent": 120, "driver": 120, "client": 120}
TEXT = "Your session has expired due to inactivity. Please log in again."


@pytest.fixture
def clock(api: Api) -> Clock:
    return Clock(api.database)


class Page:
    """A page of one person in one tab, which renews its tokens as ours do."""

    def __init__(self, api: Api, who: dict[str, Any]) -> None:
        self.api = api
        self.access, self.refresh = who["access_token"], who["refresh_token"]

    async def poll(self) -> int:
        return (await self.api.get("/webhook/get-failed-tasks", by=self.access)).status_code

    async def report(self, idle: timedelta = timedelta()) -> Any:
        body = {"idle_ms": round(idle.total_seconds() * 1000)}
        return await self.api.post("/webhook/update-activity", body, by=self.access)

    async def renew(self) -> Any:
        answer = await self.api.post("/webhook/refresh-token", {"refresh_token": self.refresh})
        if answer.status_code == 200:
            self.access, self.refresh = answer.json()["access_token"], answer.json()["refresh_token"]
        return answer


async def page_of(api: Api, role: str) -> Page:
    if role == "admin":
        api.user("admin")  # somebody else who could let them in again
    credentials = {"username": api.user(role), "password": "a long enough secret 1"}
    return Page(api, (await api.post("/webhook/user-login", credentials)).json())


# ── The matrix: five roles, and what a page may be doing meanwhile ──────────────────────────────────────────────────


async def nothing(page: Page, clock: Clock, limit: timedelta) -> None:
    clock.advance(seconds=limit.total_seconds())


async def polling_and_renewing(page: Page, clock: Clock, limit: timedelta) -> None:
    for _ in range(10):
        assert await page.poll() == 200
        assert (await page.renew()).status_code == 200
        assert (await page.api.get("/webhook/session-status", by=page.access)).status_code == 200
        clock.advance(seconds=limit.total_seconds() / 10)


async def a_sleeping_laptop(page: Page, clock: Clock, limit: timedelta) -> None:
    """Input until the lid is shut; the report of it arrives when it is opened again, and comes too late."""
    assert (await page.report()).status_code == 200
    clock.advance(hours=limit.total_seconds() / 3600)


@pytest.mark.parametrize("role", LIMITS)
@pytest.mark.parametrize("meanwhile", [nothing, polling_and_renewing, a_sleeping_laptop])
async def test_after_the_limit_of_the_role_the_session_is_over_at_every_door(
    api: Api, clock: Clock, role: str, meanwhile: Callable[[Page, Clock, timedelta], Awaitable[None]]
) -> None:
    """ASVS 7.3.1; the limits are the office's own."""
    page = await page_of(api, role)
    limit = timedelta(minutes=LIMITS[role])
    await meanwhile(page, clock, limit)
    for answer in (
        await api.get("/webhook/get-failed-tasks", by=page.access),
        await page.report(),
        await page.report(limit),
        await api.get("/events", by=page.access),
        await page.renew(),
    ):
        said = refused(answer, 401, "session.idle")
        assert said["message"] == TEXT
    with api.database.acting("authenticated", _claims(api, page)) as connection:
        assert connection.execute("select private.my_id() as me").fetchone() == {"me": None}


@pytest.mark.parametrize("role", LIMITS)
async def test_a_second_before_the_limit_it_is_still_alive_and_input_carries_it_on(api: Api, clock: Clock, role: str) -> None:
    page = await page_of(api, role)
    limit = timedelta(minutes=LIMITS[role])
    for _ in range(3):
        clock.advance(seconds=limit.total_seconds() - 1)
        said = (await page.report()).json()
        assert (said["left_s"], said["limit_s"], said["warn_s"]) == (limit.total_seconds(), limit.total_seconds(), 300)
        assert await page.poll() == 200


@pytest.mark.parametrize("role", LIMITS)
async def test_what_one_tab_reports_keeps_the_other_alive(api: Api, clock: Clock, role: str) -> None:
    one = await page_of(api, role)
    other = Page(api, {"access_token": one.access, "refresh_token": one.refresh})
    for _ in range(3):
        clock.advance(minutes=LIMITS[role] - 1)
        assert (await one.report()).status_code == 200
        assert await other.poll() == 200
    clock.advance(minutes=LIMITS[role])
    assert await other.poll() == 401


@pytest.mark.parametrize("role", LIMITS)
@pytest.mark.parametrize("hours", [-24, 24])
async def test_a_clients_clock_that_is_a_day_off_changes_nothing(api: Api, clock: Clock, role: str, hours: int) -> None:
    """The page says how long ago the input was, never when: its clock has no way in. What it may send besides is ignored."""
    page = await page_of(api, role)
    clock.advance(minutes=LIMITS[role] - 1)
    theirs = (clock.now + timedelta(hours=hours)).timestamp() * 1000
    answer = await api.post("/webhook/update-activity", {"idle_ms": 0, "now": theirs, "last_activity": theirs}, by=page.access)
    assert answer.json()["left_s"] == LIMITS[role] * 60
    clock.advance(minutes=LIMITS[role])
    assert await page.poll() == 401


@pytest.mark.parametrize("role", LIMITS)
async def test_an_open_stream_is_closed_when_the_limit_comes_and_says_so(
    api: Api, clock: Clock, role: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streams, "KEEP_ALIVE_S", 0.02)
    page = await page_of(api, role)
    await until(lambda: api.app.state.stream.listening)
    events = api.app.state.stream.events(api.app.state.tokens.read(page.access))
    async with asyncio.timeout(10), aclosing(events):
        assert b"hello" in await anext(events)
        clock.advance(minutes=LIMITS[role] - 1)
        for _ in range(3):  # listening is no activity, and the stream looks again without being told
            assert await anext(events) == b": keep-alive\n\n"
        clock.advance(minutes=1)
        last = await _last(events)
    assert b'"reason":"idle"' in last
    assert TEXT.encode() in last


async def test_a_stream_looks_at_just_the_moment_its_session_ends(api: Api, agent: Actor) -> None:
    """By the clock that runs: two seconds before the limit, long before the next keep-alive is due."""
    api.database.all("create or replace function task_now() returns timestamptz language sql stable as 'select now()'")
    api.database.all("update user_sessions set last_activity_at = now() - interval '2 hours' + interval '1 second'")
    await until(lambda: api.app.state.stream.listening)
    events = api.app.state.stream.events(api.app.state.tokens.read(api.token(agent)))
    async with asyncio.timeout(5), aclosing(events):
        assert b"hello" in await anext(events)
        assert b'"reason":"idle"' in await _last(events)


# ── What counts ─────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_save_is_the_persons_own_input_also_behind_a_page_that_reports_none(api: Api, clock: Clock, agent: Actor) -> None:
    clock.advance(minutes=119)
    assert (await api.post("/webhook/add-client", jane(), by=agent)).status_code == 200
    clock.advance(minutes=119)
    assert (await api.get("/webhook/get-clients", by=agent)).status_code == 200


async def test_reports_that_come_late_or_out_of_order_never_move_the_clock_back_or_ahead(
    api: Api, clock: Clock, agent: Actor
) -> None:
    clock.advance(minutes=60)
    for idle_ms, left_s in ((600_000, 110 * 60), (1_200_000, 110 * 60), (599_000, 110 * 60 + 1), (0, 7200), (86_400_000, 7200)):
        said = (await api.post("/webhook/update-activity", {"idle_ms": idle_ms}, by=agent)).json()
        assert said["left_s"] == left_s, idle_ms


async def test_a_report_that_is_no_number_of_milliseconds_is_refused(api: Api, agent: Actor) -> None:
    for wrong in (-1, 1e300, "soon", [], 7 * 86_400_000 + 1):
        refused(await api.post("/webhook/update-activity", {"idle_ms": wrong}, by=agent), 400, "validation")
    assert (await api.post("/webhook/update-activity", {}, by=agent)).status_code == 200


async def test_asking_how_long_is_left_does_not_lengthen_it(api: Api, clock: Clock, agent: Actor) -> None:
    clock.advance(minutes=100)
    for _ in range(2):
        said = (await api.get("/webhook/session-status", by=agent)).json()
        assert (said["left_s"], said["role"], said["session_id"]) == (1200, "booking_agent", str(agent.session_id))


async def test_the_limits_are_said_in_one_place_and_served_to_the_pages(api: Api, clock: Clock, agent: Actor) -> None:
    api.database.all(
        "update private.inactivity_limits set idle_for = '10 minutes', warn_before = '1 minute' where role = 'booking_agent'"
    )
    served = (await api.get("/portal-config")).json()["inactivity"]["booking_agent"]
    assert served == {"limit_s": 600, "warn_s": 60}
    clock.advance(minutes=10)
    refused(await api.get("/webhook/get-clients", by=agent), 401, "session.idle")


async def test_after_a_week_a_session_is_over_however_busy(api: Api, clock: Clock) -> None:
    """ASVS 7.3.2."""
    page = await page_of(api, "booking_agent")
    for _ in range(7 * 24 - 1):
        clock.advance(hours=1)
        api.database.all("update user_sessions set last_activity_at = task_now()")
    assert (await page.renew()).json()["refresh_expires_in"] == 3600
    clock.advance(hours=1)
    refused(await page.renew(), 401, "session.expired")


def _claims(api: Api, page: Page) -> dict[str, str]:
    claims = api.app.state.tokens.read(page.access)
    return {"sub": str(claims.user_id), "session_id": str(claims.session_id), "role": "authenticated"}


async def _last(events: AsyncIterator[bytes]) -> bytes:
    last = b""
    async for event in events:
        last = event
    return last
