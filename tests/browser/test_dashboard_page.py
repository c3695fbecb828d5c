"""The dashboard: the office's day for staff, and for drivers and clients their own trips alone."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from uuid import uuid4

import pytest
from playwright.async_api import Route, expect

from backhaul.dispatch.wall_time import office_day, office_moment
from tests.browser.conftest import People
from tests.browser.portal import Portal
from tests.browser.test_accessibility import sound

_DRIVER = """
insert into public.drivers (first_name, last_name, email, phone) values ('Dana', %(name)s, %(name)s || '@x.test', '+19025550166')
returning id::text
"""
_LINK = "select private.link_user(id, %(driver)s, %(client)s) from public.users where username = %(user)s"
_GONE = """
update public.appointments set driver_assigned = null where id = %(trip)s;
select private.archive_appointment(%(trip)s);
update public.users set driver_id = null, is_active = false where driver_id = %(driver)s;
delete from public.client_drive_times where driver_id = %(driver)s;
delete from public.drivers where id = %(driver)s;
"""


@dataclass
class Soon:
    """A trip within the hour, and a driver and a client who may both sign in. Nobody drives it yet."""

    trip: str
    client: str
    driver: str
    driver_user: str
    client_user: str


@pytest.fixture
def soon(portal: Portal) -> Iterator[Soon]:
    name = uuid4().hex[:6]
    client = portal.client(f"Soon{name}", "Rider", phone="902-555-0144")
    now = datetime.now(UTC)
    last = office_moment(datetime.combine(office_day(now), time(23, 59)))  # late at night it would be tomorrow's
    made = portal.ask("supervisor", "POST", "/webhook/save-appointment", {
        "knumber": client["kNumber"], "appointmentDateTime": min(now + timedelta(minutes=50), last).isoformat(),
        "appointmentLength": 30, "transitTime": 20, "location": "Cedar Clinic", "locationAddress": "9 Cedar Road, Digby",
        "driver_instructions": "Ring twice", "customRate": 4321,
    })  # fmt: skip
    users = [f"d{name}", f"c{name}"]
    portal.person(users[0], "driver")
    portal.person(users[1], "client")
    with portal.database() as database:
        (driver,) = database.execute(_DRIVER, {"name": name}).fetchone() or (None,)
        database.execute(_LINK, {"user": f"{users[0]}@demo.test", "driver": driver, "client": None})
        database.execute(_LINK, {"user": f"{users[1]}@demo.test", "driver": None, "client": client["client_id"]})
        trip = made["appointmentIds"][0]
        yield Soon(trip, f"Soon{name} Rider", str(driver), *users)
        for statement in filter(None, map(str.strip, _GONE.split(";"))):
            database.execute(statement.encode(), {"trip": trip, "driver": driver})


def assign(portal: Portal, soon: Soon, *, off: bool = False) -> None:
    body = {"id": soon.trip, "driver_assigned": None if off else soon.driver}
    portal.ask("admin", "POST", "/webhook/update-driver-assignment", body)


async def test_staff_see_what_nobody_drives_on_top_and_hear_when_somebody_does(
    person: People, portal: Portal, soon: Soon
) -> None:
    one = await person()
    await one.come_back("supervisor")
    row = one.page.locator(".day-trips li", has_text=soon.client)
    await expect(row).to_have_attribute("data-status", "pending")
    await expect(one.page.locator(".day-trips").first.get_by_text(soon.client)).to_be_visible()
    await expect(one.page.locator("#dayTrips .now-mark")).to_be_visible()
    await expect(one.page.locator(".number-tile[data-alarming]").first).to_contain_text("without a driver")
    await expect(one.page.locator("#tomorrow")).to_contain_text("Tomorrow")
    await expect(one.page.locator("#reminders")).to_contain_text("switched off in the settings")  # as the portal of the tests is
    assert "4321" not in await one.page.content()
    assign(portal, soon)
    await expect(row).to_contain_text("Dana")
    await expect(row).to_have_attribute("data-status", "assigned")
    agent = await person()
    await agent.come_back("agent")
    await expect(agent.page.locator(".day-trips li", has_text=soon.client)).to_contain_text("Dana")


async def test_staff_see_which_reminders_went_out_and_which_go_next(person: People, portal: Portal) -> None:
    switch = "update public.office_settings set value = %s::jsonb where key = 'reminders_on'"
    one = await person()
    with portal.database() as database:
        database.execute(switch, ["true"])
        try:
            await one.come_back("supervisor")
            await expect(one.page.locator("#reminders")).to_contain_text("sent today")
        finally:
            database.execute(switch, ["false"])


async def test_a_text_that_may_have_been_sent_is_looked_for_in_quo_and_said_to_have_arrived(
    person: People, portal: Portal, soon: Soon
) -> None:
    with portal.database() as database:
        (text,) = database.execute(
            "select m.id from public.appointments a cross join lateral private.intend_message("
            "a.id, 'client', a.client_id, 'reminder', a.pickuptime, 0, '+19025550144', 'hash') m where a.id = %s",
            [soon.trip],
        ).fetchone() or (None,)
        database.execute("select private.settle_message(%s, 'unknown', null, 'Quo gave no answer.')", [text])
    one = await person()
    await one.come_back("agent")
    reminders = one.page.locator("#reminders")
    await expect(reminders).to_contain_text("May have been sent")
    doubt = reminders.locator(".side-list li", has_text=soon.client)
    await expect(doubt).to_contain_text("Look in Quo, at 902-555-0144, for a text of about")
    await expect(doubt.get_by_role("button", name="Send again")).to_have_count(0)  # there is no failure that a retry would send
    await sound(one, "dashboard", phone=False)
    await doubt.get_by_role("button", name=f"They have it: reminder to {soon.client}").focus()
    await one.press("Enter")
    await expect(doubt).to_have_count(0)
    await expect(reminders.get_by_role("heading", name="Reminders")).to_be_focused()
    await expect(reminders).to_contain_text("No text of the trips ahead needs anybody.")


async def test_what_is_told_of_a_text_outlasts_what_else_is_heard_of_and_is_asked_once(
    person: People, portal: Portal, soon: Soon
) -> None:
    with portal.database() as database:
        for kind in ("booked", "reminder"):
            (text,) = database.execute(
                "select m.id from public.appointments a cross join lateral private.intend_message("
                "a.id, 'client', a.client_id, %s, a.pickuptime, 0, '+19025550144', 'hash') m where a.id = %s",
                [kind, soon.trip],
            ).fetchone() or (None,)
            database.execute("select private.settle_message(%s, 'unknown', null, 'Quo gave no answer.')", [text])
    one = await person()
    await one.come_back("agent")
    answered = asyncio.Event()
    asked: list[str] = []

    async def somebody_was_first(route: Route) -> None:
        asked.append(route.request.url)
        await answered.wait()
        await route.fulfill(status=409, json={"success": False, "message": "Somebody has seen to it"})

    await one.page.route("**/mark-message-sent", somebody_was_first)
    doubts = one.page.locator("#reminders .side-list li", has_text=soon.client).filter(has_text="Look in Quo")
    await expect(doubts).to_have_count(2)
    link = doubts.last.get_by_role("link", name=soon.client)
    await link.focus()
    assign(portal, soon)  # the day is drawn anew
    await expect(one.page.locator(".day-trips li", has_text=soon.client)).to_contain_text("Dana")
    await expect(link).to_be_focused()
    arrived = doubts.last.get_by_role("button", name="They have it")
    await arrived.focus()
    await one.press("Enter")
    assign(portal, soon, off=True)
    await expect(one.page.locator(".day-trips li", has_text=soon.client)).not_to_contain_text("Dana")
    await expect(arrived).to_have_attribute("aria-disabled", "true")
    await one.press("Enter")
    answered.set()
    await expect(doubts.last.locator(".problem")).to_contain_text("Somebody has seen to it")
    await expect(arrived).to_be_focused()
    assert len(asked) == 1

    async def looked_for(route: Route) -> None:
        said = await (await route.fetch()).json()
        for text in said["reminders"]["to_look_at"]:
            text["under_way"] = True
        await route.fulfill(json=said)

    await one.page.route("**/get-dashboard", looked_for)
    await one.page.reload()
    waits = one.page.locator("#reminders .side-list li", has_text="It is being looked for once more.").filter(
        has_text=soon.client
    )
    await expect(waits).to_have_count(2)
    await expect(waits.get_by_role("button")).to_have_count(0)
    await one.page.unroute_all(behavior="wait")


async def test_a_supervisor_is_led_to_the_board(person: People) -> None:
    one = await person(phone=True)
    await one.come_back("supervisor")
    await expect(one.page.locator("#failedTasksLabel")).to_have_text("All tasks completed")
    await expect(one.page.locator("#ownFailures")).to_be_hidden()
    tile = one.page.locator("a.number-tile", has_text="without a driver")
    await expect(tile).to_have_attribute("href", f"operations.html?day={office_day(datetime.now(UTC))}")
    await sound(one, "dashboard", phone=True)


async def test_a_driver_sees_whom_to_fetch_and_a_client_who_comes_and_neither_a_price(
    person: People, portal: Portal, soon: Soon
) -> None:
    drives, rides = await person(phone=True), await person()
    await drives.come_back(soon.driver_user)
    await expect(drives.page.locator("#ownTrips")).to_contain_text("No trips today")
    assign(portal, soon)  # it comes by itself, and goes by itself below
    stop = drives.page.locator("#ownTrips li", has_text=soon.client)
    await expect(stop).to_contain_text("Ring twice")
    await expect(stop.get_by_role("link", name="902-555-0144")).to_have_attribute("href", "tel:+19025550144")
    await expect(stop.get_by_role("link", name="9 Cedar Road")).to_have_attribute("rel", "noopener noreferrer")
    await expect(drives.page.locator("#officeDay")).to_be_hidden()
    await sound(drives, "driver", phone=True)

    await rides.come_back(soon.client_user)
    await expect(rides.page.locator("#ownTrips li")).to_contain_text("Dana drives you")
    await expect(rides.page.locator("#ownTrips")).not_to_contain_text("Ring twice")
    await sound(rides, "client", phone=False)
    for one in (drives, rides):
        assert "4321" not in await one.page.content()
    assign(portal, soon, off=True)
    await expect(stop).to_have_count(0)
    await expect(rides.page.locator("#ownTrips li")).to_contain_text("The driver is not chosen yet")


@pytest.mark.parametrize(("dark", "phone"), [(True, False), (False, True)])
async def test_a_driver_enters_their_time_off_hears_of_the_trip_in_the_way_and_withdraws_it(
    person: People, portal: Portal, soon: Soon, dark: bool, phone: bool
) -> None:
    assign(portal, soon)
    one = await person(dark=dark, phone=phone)
    await one.come_back(soon.driver_user)
    off, form = one.page.locator("#ownTimeOffCard"), one.page.locator("#timeOffForm")
    await expect(off).to_contain_text("None from today on.")
    await off.get_by_role("button", name="Enter time off").click()
    await expect(one.page.get_by_role("dialog", name="Your time off")).to_be_visible()
    await form.get_by_role("button", name="Save").click()
    await expect(form.locator(".form-summary li")).to_have_text(["First day is required", "Last day is required"])
    await sound(one, "form", phone)
    await form.get_by_label("First day", exact=True).fill(str(office_day(datetime.now(UTC))))
    await form.get_by_label("Reason").fill("Knee")
    await form.get_by_role("button", name="Save").click()
    await expect(off.locator(".notice")).to_contain_text("You have a trip then. It stays yours until")
    await expect(off.locator(".notice li")).to_contain_text(soon.client)
    await expect(off.locator(".notice a")).to_have_count(0)  # the page it would lead to is not theirs
    entry = off.locator(".off-line")
    await expect(entry).to_contain_text("Knee")
    await expect(off.get_by_role("button", name="Enter time off")).to_be_focused()
    await sound(one, "entered", phone)
    await entry.get_by_role("button", name="Remove").click()
    await expect(off).to_contain_text("None from today on.")
    await expect(off.get_by_role("button", name="Put it back")).to_be_focused()
    await one.press("Enter")
    await expect(entry).to_contain_text("Knee")
    await entry.get_by_role("button", name="Change").click()
    await expect(one.page.get_by_role("dialog", name="Change your time off")).to_be_visible()
    await form.get_by_label("What it is").select_option("override_available")
    await form.get_by_role("button", name="Save").click()
    await expect(entry).to_contain_text("beyond your hours")
    await expect(off.locator(".notice")).to_have_count(0)


async def test_time_off_that_cannot_be_read_says_why_and_an_account_that_is_nobodys_whom_to_ask(
    person: People, portal: Portal, soon: Soon
) -> None:
    one, nobody = await person(), await person()
    await one.keep_session(soon.driver_user)
    await one.page.route("**/get-driver-schedule", lambda route: route.abort())
    await one.open("dashboard.html")
    off = one.page.locator("#ownTimeOffCard")
    await expect(off).to_contain_text("The server cannot be reached")
    await expect(one.page.locator("#enterTimeOffBtn")).to_be_hidden()
    again = off.get_by_role("button", name="Try again")
    await again.focus()
    async with one.page.expect_event("requestfailed"):
        await one.press("Enter")
    await expect(again).to_be_focused()
    await one.page.unroute("**/get-driver-schedule")
    await one.press("Enter")
    await expect(off).to_contain_text("None from today on.")
    await expect(off.locator(".problem")).to_have_count(0)
    await expect(off.get_by_role("button", name="Enter time off")).to_be_focused()
    name = f"n{uuid4().hex[:6]}"
    portal.person(name, "driver")
    await nobody.come_back(name)
    await expect(nobody.page.locator("#ownTimeOff")).to_contain_text("has not linked this account to a driver yet")
    await expect(nobody.page.locator("#ownTimeOff").get_by_role("button")).to_have_count(0)


async def test_time_off_that_the_office_has_changed_is_not_changed_back_by_a_form_opened_before(
    person: People, portal: Portal, soon: Soon
) -> None:
    day = str(office_day(datetime.now(UTC)) + timedelta(days=3))
    said = {"entry_type": "time_off", "start_date": day, "end_date": day, "all_day": True}
    made = portal.ask("admin", "POST", "/webhook/create-driver-time-off", said | {"driver_id": soon.driver, "reason": "Knee"})
    one = await person()
    await one.come_back(soon.driver_user)
    entry, form = one.page.locator("#ownTimeOff .off-line"), one.page.locator("#timeOffForm")
    await entry.get_by_role("button", name="Change").click()
    await one.press("Escape")
    portal.ask("admin", "POST", "/webhook/update-driver-time-off", said | {"id": made["data"]["time_off"]["id"], "reason": "Hip"})
    await one.page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")  # as when the page is seen again
    await expect(entry).to_contain_text("Hip")
    await entry.get_by_role("button", name="Change").click()
    await expect(form.get_by_label("Reason")).to_have_value("Hip")


async def test_a_day_that_cannot_be_read_says_why_and_offers_to_try_again(person: People) -> None:
    one = await person()
    await one.keep_session("agent")
    await one.page.route("**/get-dashboard", lambda route: route.abort())
    await one.page.route("**/events", lambda route: route.abort())  # once changes are heard the day is read by itself
    await one.open("dashboard.html")
    await expect(one.page.locator("#dayProblem")).to_contain_text("The server cannot be reached")
    await one.page.unroute("**/get-dashboard")
    await one.page.locator("#dayProblem").get_by_role("button", name="Try again").click()
    await expect(one.page.locator("#dayTrips .now-mark")).to_be_visible()
    await expect(one.page.locator("#dayProblem .problem")).to_have_count(0)
