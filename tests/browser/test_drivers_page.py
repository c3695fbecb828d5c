"""The drivers page, as supervisors keep it: find, add, correct, give time off, and see what became of background work."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from playwright.async_api import Locator, expect

from backhaul.dispatch.wall_time import monday_of, office_day
from tests.browser.conftest import Faults, People
from tests.browser.person import Person
from tests.browser.portal import Portal
from tests.browser.test_accessibility import sound

MONDAY = monday_of(office_day(datetime.now(UTC)))
NEXT_TUESDAY = MONDAY + timedelta(days=15)  # within the usual week, and far from the demo's trips

_TIDY = (
    "delete from public.background_tasks where entity_id in (select id from public.drivers where last_name = 'Newly')",
    "update public.drivers set active = false, home_address = null where last_name = 'Newly'",  # which forgets their drive times
)


@pytest.fixture(autouse=True)
def as_before(portal: Portal) -> Iterator[None]:
    """The demo's twelve drivers are all that the tests of other pages count."""
    yield
    with portal.database() as database:
        for statement in _TIDY:
            database.execute(statement)


def new_driver(portal: Portal, first: str, **changed: Any) -> dict[str, Any]:
    """A driver saved without the pages, who asks nothing of anybody outside."""
    form = {
        "first_name": first,
        "last_name": "Newly",
        "email": f"{uuid4().hex[:8]}@example.test",
        "preferred_calendar_type": "other",
    }
    return portal.ask("supervisor", "POST", "/webhook/add-driver", form | changed)


def give_trip(portal: Portal, driver_id: str) -> None:
    """A trip of nine o'clock on NEXT_TUESDAY, by the office's clock."""
    client = portal.client("Ida", "Passenger")
    clinic = portal.ask("supervisor", "GET", "/webhook/clinic-locations")["destinations"][0]
    portal.ask("supervisor", "POST", "/webhook/save-appointment", {
        "knumber": client["kNumber"], "appointmentDateTime": f"{NEXT_TUESDAY} 09:00", "clinic_id": clinic["id"],
        "driver_assigned": driver_id, "transitTime": 30, "appointmentLength": 60,
    })  # fmt: skip


async def fill_in(one: Person, first: str, **fields: str) -> Locator:
    await one.page.get_by_role("button", name="Add driver").click()
    form = one.page.locator("#driverForm")
    typed = {
        "First name": first, "Last name": "Newly", "E-mail": f"{uuid4().hex[:8]}@example.test",
        "Home address (optional)": "25 Water Street", "City or town": "Digby", "Postal code": "b0v1a0",
    } | fields  # fmt: skip
    for label, value in typed.items():
        await form.get_by_label(label, exact=True).fill(value)
    return form


def row_of(one: Person, first: str) -> Locator:
    return one.page.locator("#driverRows tr", has_text=f"{first} Newly")


async def test_a_driver_is_added_and_their_calendar_and_drives_follow_before_ones_eyes(
    person: People, portal: Portal, faults: Faults
) -> None:
    one = await person()
    await one.come_back("supervisor", "drivers.html")
    form = await fill_in(one, "Dee")
    await form.get_by_label("Monday, from").fill("half past")
    await form.get_by_role("button", name="Monday’s hours on all weekdays").click()
    faults("maps", "hold")
    await form.get_by_role("button", name="Save driver").click()
    await expect(form.locator(".form-summary li")).to_have_text(
        [f"{day}: write times like 08:00" for day in ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday")]
    )
    await form.get_by_label("Monday, from").fill("730")
    await form.get_by_role("button", name="Monday’s hours on all weekdays").click()
    await expect(form.get_by_label("Friday, from")).to_have_value("07:30")
    await form.get_by_role("button", name="Save driver").click()
    await expect(one.page.locator("#savedNote")).to_contain_text("Dee Newly is saved.")
    await row_of(one, "Dee").get_by_role("link", name="Dee Newly").click()
    card = one.page.locator("#driverCard")
    await expect(card).to_contain_text("Travel times are still being calculated")
    await expect(card.locator(".week-table")).to_contain_text("07:30–16:00")
    portal.fault("maps", "ok")
    portal.release()
    await expect(card).to_contain_text("Google: kept by us, and shared with them")
    await expect(card.locator(".record")).to_contain_text("clients, just now")
    await expect(card.get_by_role("heading", name="Changes")).to_be_visible()
    assert await one.page.locator(".task-toast").count() == 0


async def test_refusals_are_told_at_their_fields_and_what_was_typed_is_kept(person: People) -> None:
    one = await person()
    await one.come_back("supervisor", "drivers.html")
    await one.page.get_by_role("button", name="Add driver").click()
    form = one.page.locator("#driverForm")
    await form.get_by_role("button", name="Save driver").click()
    await expect(form.locator(".form-summary li")).to_have_text(
        ["First name is required", "Last name is required", "E-mail is required"]
    )
    await one.press("Escape")
    await fill_in(one, "Eve", **{"E-mail": "avery.roadly@demo.test"})
    await form.get_by_role("checkbox", name="Saturday").check()
    await form.get_by_label("Saturday, until").fill("07:00")
    await form.get_by_role("button", name="Save driver").click()
    await expect(form.locator("#saturday_end-fault")).to_have_text("Saturday: the end must be after the start")
    await form.get_by_label("Saturday, until").fill("1200")
    await form.get_by_role("button", name="Save driver").click()
    await expect(form.locator("#email-fault")).to_contain_text("It belongs to Avery Roadly")
    await one.press("Escape")
    await one.page.reload()
    await expect(form.get_by_label("First name")).to_have_value("Eve")
    await one.page.get_by_role("button", name="Add driver").click()
    await expect(form.get_by_label("Saturday, until")).to_have_value("12:00")
    await form.get_by_role("button", name="Discard").click()
    await expect(form.get_by_label("First name")).to_have_value("")
    await expect(form.get_by_label("Saturday, until")).to_be_hidden()


async def test_a_home_nobody_knows_is_corrected_from_the_card(person: People) -> None:
    one = await person()
    await one.come_back("supervisor", "drivers.html")
    form = await fill_in(one, "Lou", **{"City or town": "Nowhereville"})
    await form.get_by_label("Calendar").select_option("other")
    await form.get_by_role("button", name="Save driver").click()
    await expect(row_of(one, "Lou")).to_contain_text("Google Maps does not know this address")
    await row_of(one, "Lou").get_by_role("link", name="Lou Newly").click()
    card = one.page.locator("#driverCard")
    await card.get_by_role("button", name="Correct the address").click()
    await expect(form.get_by_label("Home address")).to_be_focused()
    await form.get_by_label("City or town").fill("Digby")
    await form.get_by_role("button", name="Save changes").click()
    await expect(card).to_contain_text("Driver updated successfully!")
    await expect(card.locator(".record")).to_contain_text("clients, just now")
    await expect(row_of(one, "Lou").locator("[data-state=failed]")).to_have_count(0)


async def test_time_off_names_the_trips_in_the_way_and_its_removal_is_taken_back(person: People, portal: Portal) -> None:
    ident = new_driver(portal, "Tia")["driver_id"]
    give_trip(portal, ident)
    one = await person()
    await one.come_back("supervisor", f"drivers.html?id={ident}")
    card, form = one.page.locator("#driverCard"), one.page.locator("#timeOffForm")
    await card.get_by_role("button", name="Enter time off").click()
    await form.get_by_role("button", name="Save").click()
    await expect(form.locator(".form-summary li")).to_have_text(["First day is required", "Last day is required"])
    await form.get_by_label("First day", exact=True).fill(str(NEXT_TUESDAY))
    await expect(form.get_by_label("Last day", exact=True)).to_have_value(str(NEXT_TUESDAY))
    await form.get_by_label("All day").uncheck()
    await form.get_by_label("From, on the first day").fill("800")
    await form.get_by_label("Until, on the last day").fill("0700")
    await form.get_by_role("button", name="Save").click()
    await form.get_by_label("From, on the first day").fill("6:30")
    await form.get_by_label("Until, on the last day").fill("0600")
    await form.get_by_role("button", name="Save").click()
    await expect(form.locator(".form-summary")).to_contain_text("The end must be after the start")
    await form.get_by_label("Until, on the last day").fill("12:00")
    await form.get_by_role("button", name="Save").click()
    await expect(card).to_contain_text("Time off of Tia Newly is saved.")
    await expect(card.locator(".notice")).to_contain_text("1 trip needs another driver:")
    await expect(card.get_by_role("link", name="Ida Passenger")).to_be_visible()
    entry = card.locator(".off-line")
    await expect(entry).to_contain_text("06:30–12:00")
    await entry.get_by_role("button", name="Remove").click()
    await expect(card).to_contain_text("None from today on.")
    await expect(card.get_by_role("button", name="Put it back")).to_be_focused()
    await one.press("Enter")
    await expect(entry).to_contain_text("06:30–12:00")
    await entry.get_by_role("button", name="Change").click()
    await form.get_by_label("All day").check()
    await form.get_by_role("button", name="Save").click()
    await expect(card).to_contain_text("Time off of Tia Newly is changed.")
    await expect(entry).not_to_contain_text("06:30")


async def test_whoever_is_taken_off_leaves_trips_that_are_named_and_a_second_editor_is_told_who_was_first(
    person: People, portal: Portal
) -> None:
    ident = new_driver(portal, "Off")["driver_id"]
    give_trip(portal, ident)
    one = await person()
    await one.come_back("supervisor", f"drivers.html?id={ident}")
    card, form = one.page.locator("#driverCard"), one.page.locator("#driverForm")
    await card.get_by_role("button", name="Edit").click()
    portal.ask("admin", "POST", "/webhook/update-driver", {"id": ident, "vehicle_description": "Grey van"})
    await form.get_by_label("Drives for us").select_option("false")
    await expect(form.locator("#active-help")).to_have_text("1 trip ahead will need somebody else")
    await form.get_by_role("button", name="Save changes").click()
    await expect(form.locator(".form-summary")).to_contain_text("Ada Admin saved it on")
    await expect(form.get_by_label("Drives for us")).to_have_value("false")
    await form.get_by_role("button", name="Take the newest, drop mine").click()
    await expect(form.get_by_label("Vehicle")).to_have_value("Grey van")
    await form.get_by_label("Drives for us").select_option("false")
    await form.get_by_role("button", name="Save changes").click()
    await expect(card.locator(".notice")).to_contain_text("1 trip needs another driver:")
    await expect(card.locator(".client-head")).to_contain_text("No longer active")


async def test_what_is_looked_for_is_in_the_address_and_keys_are_enough(person: People, portal: Portal) -> None:
    one = await person()
    await one.keep_session("supervisor")
    await one.page.route("**/driver-management?*", lambda route: route.abort())
    await one.open("drivers.html")
    await expect(one.page.locator("#listState")).to_contain_text("The server cannot be reached")
    await one.page.unroute("**/driver-management?*")
    await one.page.get_by_role("button", name="Try again").click()
    await expect(one.page.locator("#driverRows tr").first).to_be_visible()
    await one.press("/")
    await one.page.keyboard.type("avery")
    await expect(one.page.locator("#driverRows tr")).to_have_count(1)
    await one.page.get_by_role("button", name="On a trip").click()
    await expect(one.page).to_have_url(f"{portal.url}/drivers.html?q=avery&status=busy")
    await one.page.reload()
    await expect(one.page.get_by_label("Search the drivers")).to_have_value("avery")
    await expect(one.page.get_by_role("button", name="On a trip")).to_have_attribute("aria-pressed", "true")
    await one.page.get_by_role("button", name="Everybody").click()
    await one.page.get_by_role("link", name="Avery Roadly").focus()
    await one.press("Enter")
    await expect(one.page.locator("#driverCard")).to_be_focused()
    await one.page.get_by_role("button", name="The week after").press("Enter")
    await expect(one.page.get_by_role("button", name="This week", exact=True)).to_be_visible()
    await expect(one.page.get_by_role("button", name="The week after")).to_be_focused()
    await one.press("Escape")
    await expect(one.page.locator("#driverCard")).to_be_hidden()
    await expect(one.page.get_by_role("link", name="Avery Roadly")).to_be_focused()


async def test_an_agent_is_not_let_in_and_sees_no_entry_for_it(person: People) -> None:
    agent = await person()
    await agent.come_back("agent", "clients.html")
    await expect(agent.page.get_by_role("link", name="Drivers")).to_be_hidden()
    await agent.open("drivers.html")
    await expect(agent.page.get_by_role("heading", name="You do not have access to this page.")).to_be_visible()


@pytest.mark.parametrize(("dark", "phone"), [(False, False), (True, True)], ids=["light", "phone in the dark"])
async def test_no_state_of_the_page_has_a_fault_that_axe_finds_or_is_too_wide(person: People, dark: bool, phone: bool) -> None:
    one = await person(dark=dark, phone=phone)
    await one.come_back("supervisor", "drivers.html")
    await expect(one.page.locator("#driverRows tr").first).to_be_visible()
    await sound(one, "list", phone)
    await one.page.get_by_role("link", name="Avery Roadly").click()
    await expect(one.page.locator("#weekHeading")).to_be_visible()
    await sound(one, "card", phone)
    await one.page.get_by_role("button", name="Edit").click()
    await sound(one, "form", phone)
    await one.press("Escape")
    await one.page.get_by_role("button", name="Enter time off").click()
    await one.page.locator("#timeOffForm").get_by_label("All day").uncheck()
    await sound(one, "time off", phone)
