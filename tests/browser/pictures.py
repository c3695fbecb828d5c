"""The README's pictures, taken from a fresh demo: `python -m tests.browser.pictures docs/images`."""

from __future__ import annotations

import asyncio
import sys
import tempfile
import time
from datetime import datetime, timedelta
from pathlib import Path

from playwright.async_api import Browser, expect

from backhaul.dispatch.office import OFFICE_TIME
from tests.browser.conftest import launch
from tests.browser.person import Person
from tests.browser.portal import Portal

_PATIENCE_S = 60.0


async def take_all(portal: Portal, browser: Browser, folder: Path) -> None:
    await asyncio.to_thread(_wait_until_idle, portal)
    await failure_on_the_dashboard(portal, await _somebody(portal, browser), folder / "failure-light.png")
    await failure_in_the_panel(portal, await _somebody(portal, browser, dark=True), folder / "failure-dark.png")
    await client_with_drive_times(await _somebody(portal, browser), folder / "clients-light.png")
    await board_of_tomorrow(await _somebody(portal, browser), folder / "operations-light.png")
    await week_of_trips(await _somebody(portal, browser), folder / "week-light.png")
    await invoice_in_the_dark(await _somebody(portal, browser, dark=True), folder / "invoices-dark.png")
    await failure_on_a_phone(portal, await _somebody(portal, browser, phone=True), folder / "phone.png")


async def failure_on_the_dashboard(portal: Portal, supervisor: Person, file: Path) -> None:
    await supervisor.come_back("supervisor")
    await expect(supervisor.page.locator("#failedTasksLabel")).to_have_text("All tasks completed")
    portal.fault("quo", "401")
    portal.client("Winifred", "Marchbanks", by="supervisor", city="Lunenburg", postalCode="B0J 2C0")
    await expect(supervisor.page.locator("#failedTasksCount")).to_have_text("1")
    await expect(supervisor.page.locator(".task-toast")).to_be_visible()
    await supervisor.page.screenshot(path=file)
    portal.fault("quo", "ok")
    await supervisor.page.locator("#ownFailures").get_by_role("button", name="Retry").click()
    await expect(supervisor.page.locator("#failedTasksLabel")).to_have_text("All tasks completed")


async def failure_in_the_panel(portal: Portal, agent: Person, file: Path) -> None:
    await agent.come_back("agent", "clients.html")
    portal.fault("quo", "401")
    await agent.add_client("K9000031", "Rosalind", "Harbourne", **{"City or town": "Mahone Bay", "Postal code": "B0J 2E0"})
    await agent.page.get_by_role("button", name="What to do").click()
    await expect(agent.page.locator("#task-panel .task-panel-item")).to_have_count(1)
    await agent.page.screenshot(path=file)
    portal.fault("quo", "ok")
    await agent.page.locator("#task-panel").get_by_role("button", name="Retry").click()
    await expect(agent.page.locator("#task-panel")).to_contain_text("No failed tasks")


async def client_with_drive_times(agent: Person, file: Path) -> None:
    await agent.come_back("agent", "clients.html")
    await agent.page.locator("#clientRows").get_by_role("link").first.click()
    await expect(agent.page.locator("#clientCard .drive-times tbody tr").last).to_be_visible()
    await agent.page.mouse.move(0, 0)
    await agent.page.screenshot(path=file, clip={"x": 0, "y": 0, "width": 1280, "height": 770})  # to the end of the table


async def board_of_tomorrow(supervisor: Person, file: Path) -> None:
    """Tomorrow's, since how much of today is driven depends on the hour."""
    await supervisor.come_back("supervisor", f"operations.html?day={datetime.now(OFFICE_TIME).date() + timedelta(days=1)}")
    await expect(supervisor.page.locator("#board .trip").first).to_be_visible()
    await supervisor.page.screenshot(path=file)


async def week_of_trips(supervisor: Person, file: Path) -> None:
    await supervisor.come_back("supervisor", "appointments.html?view=week")
    await expect(supervisor.page.locator("#weekDays .week-trip").first).to_be_visible()
    await supervisor.page.screenshot(path=file)


async def invoice_in_the_dark(supervisor: Person, file: Path) -> None:
    await supervisor.come_back("supervisor", "invoices.html?view=invoices")
    await supervisor.page.locator("#list").get_by_role("link").first.click()
    await expect(supervisor.page.locator("#sideCard .invoice-lines tbody tr").first).to_be_visible()
    await supervisor.page.mouse.move(0, 0)
    await supervisor.page.screenshot(path=file)


async def failure_on_a_phone(portal: Portal, agent: Person, file: Path) -> None:
    await agent.come_back("agent", "clients.html")
    portal.fault("quo", "401")
    await agent.add_client("K9000032", "Everett", "Lockhart", **{"City or town": "Chester", "Postal code": "B0J 1J0"})
    await expect(agent.page.locator(".task-toast")).to_be_visible()
    await expect(agent.page.locator("#clientRows tr").first).to_contain_text("Drive times done")
    await agent.page.screenshot(path=file)
    portal.fault("quo", "ok")


async def _somebody(portal: Portal, browser: Browser, *, dark: bool = False, phone: bool = False) -> Person:
    context = await browser.new_context(
        viewport={"width": 390, "height": 844} if phone else {"width": 1280, "height": 800},
        color_scheme="dark" if dark else "light",
        reduced_motion="reduce",
    )
    return Person(portal, await context.new_page())


def _wait_until_idle(portal: Portal) -> None:
    """Until the demo clients' own work is done."""
    deadline = time.monotonic() + _PATIENCE_S
    with portal.database() as database:
        while database.execute("select 1 from public.background_tasks where status in ('pending', 'processing')").fetchone():
            if time.monotonic() > deadline:
                raise RuntimeError("the demo's tasks do not end")
            time.sleep(0.2)


async def _main(folder: Path) -> None:
    with tempfile.TemporaryDirectory() as home:
        portal = Portal(Path(home))
        try:
            portal.wait_until_ready()
            async with launch() as browser:
                await take_all(portal, browser, folder)
        finally:
            portal.stop()


if __name__ == "__main__":
    target = Path(sys.argv[1])
    target.mkdir(parents=True, exist_ok=True)
    asyncio.run(_main(target))
