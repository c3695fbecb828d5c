"""How failures arrive: by the event stream, by Supabase Realtime, and by polling when neither can be had."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest
from playwright.async_api import Page, Route, expect

from tests.browser.conftest import People
from tests.browser.person import Person
from tests.browser.portal import Portal
from tests.browser.realtime_stand_in import RealtimeStandIn
from tests.processes import Process

_IMPATIENT = "document.addEventListener('DOMContentLoaded', () => { TaskLine.backOffMs = 20 })"


async def test_without_the_stream_a_failure_arrives_by_polling_and_the_stream_comes_back(person: People, portal: Portal) -> None:
    agent = await person()
    await configured(agent.page, pollMs=400)
    await agent.page.add_init_script(_IMPATIENT)
    await agent.page.route("**/events", lambda route: route.abort())
    await agent.keep_session("agent")
    await agent.open("dashboard.html")
    await agent.go_live("polling")
    await expect(agent.page.locator("#connection")).to_contain_text("The live connection is down")
    portal.failure("Paula Polled (K4000001)")
    await expect(agent.page.locator(".task-toast")).to_contain_text("Paula Polled")

    await agent.page.unroute("**/events")
    await agent.page.evaluate("window.dispatchEvent(new Event('online'))")
    await agent.go_live("stream")
    await expect(agent.page.locator("#liveState")).to_have_text("Live")
    portal.failure("Stella Streamed (K4000002)", code="other")
    await expect(agent.page.locator(".task-toast", has_text="Stella Streamed")).to_be_visible()


async def test_what_failed_while_the_network_was_away_is_told_when_it_is_back(person: People, portal: Portal) -> None:
    agent = await person()
    await agent.page.add_init_script(_IMPATIENT)
    await agent.come_back("agent")
    await agent.page.context.set_offline(True)
    await agent.go_live("offline")
    await expect(agent.page.locator("#connection")).to_contain_text("Trying again by itself")
    portal.failure("Missed Meanwhile (K4000003)")
    await agent.page.context.set_offline(False)
    await agent.go_live("stream")
    await expect(agent.page.locator(".task-toast")).to_contain_text("Missed Meanwhile")


async def test_a_server_without_the_stream_is_polled_without_asking_for_it_again(person: People, portal: Portal) -> None:
    agent = await person()
    asked: list[str] = []

    async def not_here(route: Route) -> None:
        asked.append(route.request.url)
        await route.fulfill(status=404, json={"success": False, "message": "There is nothing here"})

    await configured(agent.page, pollMs=200)
    await agent.page.add_init_script(_IMPATIENT)
    await agent.page.route("**/events", not_here)
    await agent.keep_session("agent")
    await agent.open("dashboard.html")
    await agent.go_live("polling")
    portal.failure("Polly Only (K4000004)")
    await expect(agent.page.locator(".task-toast")).to_contain_text("Polly Only")
    assert len(asked) == 1


# ── Supabase Realtime ──


@dataclass
class OnSupabase:
    """A second server on the same database, configured as it is on Supabase; `realtime` stands in for Supabase's own."""

    portal: Portal
    url: str
    realtime: RealtimeStandIn

    async def enter(self, one: Person, page: str = "dashboard.html", name: str = "agent") -> tuple[Page, dict[str, Any]]:
        await one.page.add_init_script(_IMPATIENT)
        said = await one.keep_session(name)
        await one.page.goto(f"{self.url}/{page}")
        return one.page, said

    def row(self, task_id: Any) -> dict[str, Any]:
        with self.portal.database() as database:
            found = database.execute("select to_jsonb(t) from public.background_tasks t where id = %s", [task_id]).fetchone()
        assert found is not None
        row: dict[str, Any] = found[0]
        return row


@pytest.fixture
async def supabase(portal: Portal) -> AsyncIterator[OnSupabase]:
    """A test asks for it before it asks for people: their pages are closed first, and do not call for what has gone."""
    async with RealtimeStandIn() as realtime:
        settings = {
            "BACKHAUL_HOME": str(portal.home),
            "BACKHAUL_SUPABASE_URL": realtime.url,
            "BACKHAUL_SUPABASE_ANON_KEY": "anon-key",
        }
        command = [sys.executable, "-m", "backhaul", "serve", "--port", "0", "--until-stdin-closes"]
        server = Process(command, settings, portal.home / "on-supabase.log")
        try:
            yield OnSupabase(portal, server.announcement(), realtime)
        finally:
            server.close()


async def test_on_supabase_a_change_of_the_row_shows_the_toast_and_a_dead_token_falls_back_to_the_stream(
    supabase: OnSupabase, person: People
) -> None:
    agent = await person()
    realtime = supabase.realtime
    page, me = await supabase.enter(agent)
    await agent.go_live("realtime")
    (join,) = realtime.joins
    assert join["access_token"] == me["access_token"]
    tasks, trips = join["config"]["postgres_changes"]
    assert (tasks["table"], tasks["filter"]) == ("background_tasks", f"created_by=eq.{me['userId']}")
    assert (trips["table"], trips.get("filter")) == ("appointments", None)
    assert realtime.keys == ["anon-key"]
    await expect(page.locator("#connection")).to_contain_text("Supabase Realtime")

    # The list is answered without it, so only the change itself can have brought the toast.
    await page.route("**/get-failed-tasks", lambda route: route.abort())
    await realtime.update(supabase.row(supabase.portal.failure("Rita Realtime (K4000005)")))
    await expect(page.locator(".task-toast")).to_contain_text('Send notification for "Rita Realtime (K4000005)"')
    await expect(page.locator(".task-indicator-badge")).to_have_text("1")
    await page.unroute("**/get-failed-tasks")

    realtime.refuse = "Token has expired 1 seconds ago"
    await realtime.hang_up(realtime.refuse)
    await agent.go_live("stream")
    assert len(realtime.joins) > 1
    supabase.portal.failure("Sven Stream (K4000006)", code="other")
    await expect(page.locator(".task-toast", has_text="Sven Stream")).to_be_visible()


async def test_on_supabase_a_trip_that_somebody_else_booked_shows_and_a_driver_hears_of_theirs_by_our_own_stream(
    supabase: OnSupabase, person: People
) -> None:
    portal, agent, driver = supabase.portal, await person(), await person()
    client = portal.client("Rhea", "Realtime")
    page, _ = await supabase.enter(agent, f"appointments.html?q={client['kNumber']}")
    await agent.go_live("realtime")
    await expect(page.locator("#listState")).to_contain_text("No trip is like that")
    form = {"knumber": client["kNumber"], "appointmentDateTime": "2027-03-09T10:00", "location": "Town hall", "transitTime": 30}
    trip = portal.ask("supervisor", "POST", "/webhook/save-appointment", form)["appointmentId"]
    with portal.database() as database:
        (row,) = database.execute("select to_jsonb(a) from public.appointments a where id = %s", [trip]).fetchone() or ({},)
    await supabase.realtime.update(row, "appointments")
    await expect(page.locator("#tripTable")).to_contain_text("Rhea Realtime")
    portal.ask("supervisor", "POST", "/webhook/save-appointment", form | {"appointmentDateTime": "2027-03-10T10:00"})
    await supabase.realtime.listen_anew()  # what came between is told nobody
    await expect(page.locator("#tripTable").get_by_text("Rhea Realtime")).to_have_count(2)

    portal.person("rita", "driver")
    await supabase.enter(driver, name="rita")
    await driver.go_live("stream")


async def configured(page: Page, **changed: Any) -> None:
    """What the server says of itself, but for this."""

    async def answer(route: Route) -> None:
        said = await (await route.fetch()).json()
        await route.fulfill(json=said | changed)

    await page.route("**/portal-config", answer)
