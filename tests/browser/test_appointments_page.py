"""The appointments page, as the office uses it all day: find, book, change, cancel, see the week. Halifax clocks, from Tokyo."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from playwright.async_api import Locator, Route, expect

from backhaul.dispatch.wall_time import office_day
from tests.browser.conftest import Faults, People
from tests.browser.person import Person
from tests.browser.portal import Portal
from tests.browser.test_accessibility import sound

FREE = "2027-03-02"
"""A Tuesday far from the demo's trips."""


def clinic(portal: Portal) -> dict[str, Any]:
    clinics: list[dict[str, Any]] = portal.ask("supervisor", "GET", "/webhook/get-appointment-modal-data")["clinics"]
    return clinics[0]


def driver(portal: Portal, place: int = 0) -> dict[str, Any]:
    drivers: list[dict[str, Any]] = portal.ask("supervisor", "GET", "/webhook/get-appointment-modal-data")["drivers"]
    return drivers[place]


def trip(portal: Portal, at: str, *, last: str = "", **given: Any) -> dict[str, Any]:
    """A round trip of somebody new, saved without the pages. at: as the office writes it. Returns its row, and `who`."""
    last = last or f"Rider{uuid4().hex[:6]}"
    client = portal.client("Tess", last)
    form = {"knumber": client["kNumber"], "appointmentDateTime": at, "clinic_id": clinic(portal)["id"], "transitTime": 30}
    saved = portal.ask("supervisor", "POST", "/webhook/save-appointment", form | {"appointmentLength": 60} | given)
    return {"id": saved["appointmentId"], "who": f"Tess {last}", "kNumber": client["kNumber"], "client_id": client["client_id"]}


def stored(portal: Portal, ident: str) -> dict[str, Any]:
    row: dict[str, Any] = portal.ask("supervisor", "GET", f"/webhook/get-appointment?id={ident}")["appointment"]
    return row


def row(one: Person, who: str) -> Locator:
    return one.page.locator("#tripTable tbody tr", has_text=who)


def form(one: Person) -> Locator:
    return one.page.locator("#tripForm")


async def choose_client(one: Person, number: str) -> None:
    await form(one).get_by_role("combobox", name="Client").press_sequentially(number)
    await expect(form(one).locator("#clientList [role=option]")).to_have_count(1)
    await one.press("Enter")
    await expect(form(one).get_by_role("combobox", name="Client")).to_have_value(f"Tess Chosen ({number})")


async def test_a_trip_is_booked_for_two_dates_with_the_keyboard_and_shown_as_it_will_be(
    person: People, portal: Portal, faults: Faults
) -> None:
    faults("maps", "hold")
    client = portal.client("Tess", "Chosen")
    one = await person()
    await one.come_back("supervisor", "appointments.html")
    await one.press("n")
    await choose_client(one, client["kNumber"])
    chosen = clinic(portal)
    await form(one).get_by_label("Clinic").select_option(chosen["id"])
    await expect(form(one).locator("#clinic_id-help")).to_contain_text(f"{chosen['address']}, {chosen['city']}")
    await expect(form(one).locator("#transitTime-help")).to_contain_text("Travel times are still being calculated")
    await expect(form(one).get_by_label("Drive, minutes")).to_have_value("30")
    portal.fault("maps", "ok")
    portal.release()
    await form(one).get_by_label("Drive, minutes").fill("45")
    await form(one).get_by_label("Date", exact=True).fill(FREE)
    await form(one).get_by_label("Appointment time").fill("09:30")
    first = form(one).get_by_role("group", name="When", exact=True).first
    await expect(first.locator(".trip-date-note").first).to_have_text("Tue, Mar 2 · pickup 08:45, there 09:30, over 12:15")
    await form(one).get_by_role("button", name="Another date").click()
    second = form(one).get_by_role("group", name="Date 2")
    await expect(second.get_by_label("Date", exact=True)).to_have_value("2027-03-09")
    await expect(second.locator(".trip-date-note")).to_have_text("Tue, Mar 9 · pickup 08:45, there 09:30, over 12:15")
    await form(one).get_by_role("button", name="Book", exact=True).click()
    await expect(one.page.locator("#savedNote .saved")).to_contain_text("2 trips booked")
    await expect(form(one)).to_be_hidden()
    await one.open(f"appointments.html?q={client['kNumber']}")
    await expect(row(one, "Tess Chosen")).to_have_count(2)
    await expect(one.page.locator(".trip-day")).to_contain_text(["Tuesday, March 2, 2027", "Tuesday, March 9, 2027"])
    await expect(row(one, "Tess Chosen").first).to_contain_text("09:30")


async def test_refused_dates_are_told_at_their_dates_and_what_was_typed_is_kept(person: People, portal: Portal) -> None:
    busy = driver(portal, 1)
    trip(portal, f"{FREE}T15:00", driver_assigned=busy["id"])
    client = portal.client("Tess", "Chosen")
    one = await person()
    await one.come_back("supervisor", "appointments.html")
    await one.page.get_by_role("button", name="Book a trip").click()
    await form(one).get_by_role("button", name="Book", exact=True).click()
    await expect(form(one).locator(".form-summary li")).to_have_text(
        ["Client is required", "Clinic is required", "Date is required", "Appointment time is required"]
    )
    await choose_client(one, client["kNumber"])
    await form(one).get_by_label("Clinic").select_option("elsewhere")
    await form(one).get_by_label("Place", exact=True).fill("Town hall")
    await form(one).get_by_label("Date", exact=True).fill("2027-03-01")
    await form(one).get_by_label("Appointment time").fill("15:00")
    await form(one).get_by_role("button", name="Another date").click()
    second = form(one).get_by_role("group", name="Date 2")
    await second.get_by_label("Date", exact=True).fill(FREE)
    option = form(one).get_by_label("Driver", exact=True).locator(f"option[value='{busy['id']}']")
    await expect(option).to_contain_text("not free on 1 of 2 dates")
    await form(one).get_by_label("Driver", exact=True).select_option(busy["id"])
    await form(one).get_by_role("button", name="Book", exact=True).click()
    await expect(second.locator(".fault")).to_have_text("Row 2: the driver is not free (trip)")
    await expect(form(one).get_by_label("Place", exact=True)).to_have_value("Town hall")
    await one.press("Escape")
    await one.page.get_by_role("button", name="Book a trip").click()
    await expect(second.get_by_label("Date", exact=True)).to_have_value(FREE)
    await expect(form(one).get_by_role("combobox", name="Client")).to_have_value(f"Tess Chosen ({client['kNumber']})")
    await one.page.reload()
    await expect(form(one)).to_contain_text("Restored what you had typed.")
    await expect(form(one).get_by_label("Place", exact=True)).to_have_value("Town hall")


async def test_an_agents_edit_sends_what_was_changed_and_keeps_it_when_somebody_was_first(person: People, portal: Portal) -> None:
    made = trip(portal, f"{FREE}T10:00", driver_assigned=driver(portal)["id"], customRate=80, notes="Two stairs")
    one = await person()
    await one.come_back("agent", f"appointments.html?id={made['id']}&highlight=true")
    card = one.page.locator("#tripCard")
    await expect(card.get_by_role("heading", name=made["who"])).to_be_visible()
    await expect(card).not_to_contain_text("80.00")
    await card.get_by_role("button", name="Edit").click()
    await expect(form(one).get_by_label("Notes (optional)", exact=True)).to_have_value("Two stairs")
    await expect(form(one).get_by_label("Driver", exact=True)).to_be_hidden()
    await expect(form(one).get_by_label("Drive, minutes")).to_have_attribute("readonly", "")
    await form(one).get_by_label("Notes (optional)", exact=True).fill("Three stairs")
    portal.ask("admin", "POST", "/webhook/update-appointment", {"id": made["id"], "driver_instructions": "Ring twice"})
    await expect(form(one).locator("#tripNews")).to_contain_text(
        "Ada Admin changed this trip just now. What you typed is still here."
    )
    await expect(form(one).get_by_label("Notes (optional)", exact=True)).to_be_focused()
    await form(one).get_by_role("button", name="Save changes").click()
    await expect(form(one).locator(".form-summary")).to_contain_text("Ada Admin saved it on")
    newer = form(one).locator("#tripNews").get_by_role("button", name="Load the newer, keep what I typed")
    await newer.focus()
    portal.ask("agent", "POST", "/webhook/update-appointment", {"id": made["id"], "scheduling_notes": "Call first"})
    await expect(form(one).locator("#tripNews")).to_contain_text(
        "You changed this trip just now."
    )  # a lost answer, for all we know
    await expect(newer).to_be_focused()
    await one.press("Enter")
    await expect(form(one).locator("#tripNews")).to_be_empty()
    await expect(form(one).get_by_label("For the driver")).to_have_value("Ring twice")
    await expect(form(one).get_by_label("Notes (optional)", exact=True)).to_have_value("Three stairs")
    await form(one).get_by_role("button", name="Save changes").click()
    await expect(one.page.locator("#savedNote")).to_have_text("Changed.")
    kept = stored(portal, made["id"])
    assert (kept["notes"], kept["driver_instructions"], kept["customRate"]) == ("Three stairs", "Ring twice", "80.00")
    assert (kept["operation_status"], kept["driver_assigned"], kept["transittime"]) == ("assigned", driver(portal)["id"], 30)


async def test_the_newer_of_one_trip_is_not_put_into_the_form_of_another(person: People, portal: Portal) -> None:
    made, other = trip(portal, f"{FREE}T10:00", notes="One"), trip(portal, f"{FREE}T11:00", notes="Other")
    one = await person()
    await one.come_back("supervisor", f"appointments.html?from={FREE}&to={FREE}&id={made['id']}")
    card, notes = one.page.locator("#tripCard"), form(one).get_by_label("Notes (optional)", exact=True)
    await card.get_by_role("button", name="Edit").click()
    portal.ask("admin", "POST", "/webhook/update-appointment", {"id": made["id"], "driver_instructions": "Ring twice"})
    newer = form(one).get_by_role("button", name="Load the newer, keep what I typed")
    await expect(newer).to_be_visible()
    answered = asyncio.Event()

    async def take_long(route: Route) -> None:
        await answered.wait()
        await route.continue_()

    await one.page.route(f"**/get-appointment?id={made['id']}", take_long)
    await newer.click()
    await one.press("Escape")
    await row(one, other["who"]).get_by_role("link").click()
    await expect(card.get_by_role("heading", name=other["who"])).to_be_visible()
    await card.get_by_role("button", name="Edit").click()
    async with one.page.expect_response(f"**/get-appointment?id={made['id']}"):
        answered.set()
    await expect(notes).to_have_value("Other")
    await notes.fill("Still the other")
    await form(one).get_by_role("button", name="Save changes").click()
    await expect(one.page.locator("#savedNote")).to_have_text("Changed.")
    assert [stored(portal, each["id"])["notes"] for each in (made, other)] == ["One", "Still the other"]


async def test_a_card_drawn_anew_leaves_one_where_one_was_and_a_failed_reading_takes_nothing_away(
    person: People, portal: Portal
) -> None:
    made = trip(portal, f"{FREE}T17:00")

    def change(notes: str) -> None:
        portal.ask("supervisor", "POST", "/webhook/update-appointment", {"id": made["id"], "notes": notes})

    for step in range(6):
        change(f"Step {step}")
    one = await person()
    await one.come_back("supervisor", f"appointments.html?id={made['id']}")
    card = one.page.locator("#tripCard")
    await card.locator("summary", has_text="older").click()
    phone = card.locator("a[href^='tel:']").first
    await phone.focus()
    change("Step 6")
    await expect(card.locator(".record")).to_contain_text("Step 6")
    await expect(phone).to_be_focused()
    await expect(card.locator("details.more")).to_have_attribute("open", "")
    await one.page.route("**/get-appointment?*", lambda route: route.fulfill(status=503, json={"message": "The office is full"}))
    change("Step 7")
    await expect(card.locator(".problem")).to_contain_text("The office is full")
    await expect(card.locator(".record")).to_contain_text("Step 6")
    await expect(phone).to_be_focused()
    await one.page.unroute("**/get-appointment?*")
    await card.get_by_role("button", name="Try again").click()
    await expect(card.locator(".record")).to_contain_text("Step 7")
    await expect(card.locator(".problem")).to_have_count(0)


async def test_a_trip_is_cancelled_with_a_reason_taken_up_again_and_archived_with_a_way_back(
    person: People, portal: Portal
) -> None:
    given = trip(portal, f"{FREE}T12:30", driver_assigned=driver(portal, 2)["id"])
    free = trip(portal, f"{FREE}T13:00")
    one = await person()
    await one.come_back("supervisor", f"appointments.html?id={given['id']}")
    card = one.page.locator("#tripCard")
    await card.get_by_role("button", name="Cancel trip").click()
    dialog = one.page.get_by_role("dialog", name="Cancel this trip?")
    await dialog.get_by_role("button", name="Cancel the trip").click()
    await expect(dialog.locator(".form-summary")).to_contain_text("Cancellation reason is required")
    await dialog.get_by_role("button", name="Weather").click()
    await one.press("Enter")
    await expect(card).to_contain_text("by Sam Supervisor: Weather")
    await card.get_by_role("button", name="Reactivate").click()
    await expect(card.locator("[data-trip=assigned]")).to_be_visible()
    await one.open(f"appointments.html?id={free['id']}")
    await card.get_by_role("button", name="Archive").click()
    await expect(card.locator("[data-trip=archived]")).to_be_visible()
    await one.page.locator("#savedNote").get_by_role("button", name="Undo").click()
    await expect(one.page.locator("#savedNote")).to_have_text("Taken back.")
    await expect(card.locator("[data-trip=pending]")).to_be_visible()
    await expect(card.get_by_role("button", name="Delete")).to_be_hidden()


async def test_an_administrator_marks_a_trip_as_driven_and_opens_it_again(person: People, portal: Portal) -> None:
    before = office_day(datetime.now(UTC)) - timedelta(days=3)
    made = trip(portal, f"{before}T04:00", driver_assigned=driver(portal)["id"])
    lead = await person()
    await lead.come_back("supervisor", f"appointments.html?when=past&id={made['id']}")
    await expect(lead.page.locator("#tripCard").get_by_role("button", name="Again next week")).to_be_visible()
    await expect(lead.page.locator("#tripCard").get_by_role("button", name="Mark as driven")).to_have_count(0)
    one = await person()
    await one.come_back("admin", f"appointments.html?when=past&id={made['id']}")
    card = one.page.locator("#tripCard")
    await card.get_by_role("button", name="Mark as driven").click()
    await expect(card.locator("[data-trip=completed]")).to_be_visible()
    await expect(row(one, made["who"])).to_contain_text("Driven")
    await card.get_by_role("button", name="Reopen").click()
    await expect(card.locator("[data-trip=assigned]")).to_be_visible()
    await one.page.locator("#savedNote").get_by_role("button", name="Undo").click()
    await expect(card.locator("[data-trip=completed]")).to_be_visible()


async def test_who_cannot_be_told_is_named_and_an_administrator_deletes_for_good(person: People, portal: Portal) -> None:
    silent = driver(portal, 6)
    made = trip(portal, f"{FREE}T14:00", driver_assigned=silent["id"])
    with portal.database() as database:
        (phones,) = database.execute("select (phone, work_phone) from drivers where id = %s", [silent["id"]]).fetchone() or (
            None,
        )
        database.execute("update drivers set phone = null, work_phone = null where id = %s", [silent["id"]])
        try:
            one = await person()
            await one.come_back("admin", f"appointments.html?id={made['id']}")
            await one.page.locator("#tripCard").get_by_role("button", name="Edit").click()
            await form(one).get_by_label("Appointment time").fill("14:15")
            await form(one).get_by_role("button", name="Save changes").click()
            said = f"No text goes to {silent['name']}: no telephone number is known"
            await expect(one.page.locator("#savedNote .notice")).to_have_text(said)
        finally:
            database.execute(
                "update drivers set phone = %s, work_phone = %s where id = %s", [*(phones or (None, None)), silent["id"]]
            )
    await one.page.locator("#tripCard").get_by_role("button", name="Delete").click()
    await one.page.get_by_role("alertdialog").get_by_role("button", name="Delete for good").click()
    await expect(one.page.locator("#savedNote .saved")).to_have_text("Deleted for good.")
    await expect(one.page.locator("#tripCard")).to_be_hidden()
    await one.open(f"appointments.html?q={made['kNumber']}")
    await expect(one.page.locator("#listState")).to_contain_text("No trip is like that")


async def test_a_list_that_cannot_be_read_says_why_and_offers_to_try_again(person: People) -> None:
    one = await person()
    await one.keep_session("agent")
    await one.page.route("**/get-appointments-page-data?*", lambda route: route.abort())
    await one.page.route("**/events", lambda route: route.abort())  # once changes are heard the list is read by itself
    await one.open("appointments.html")
    await expect(one.page.locator("#listState")).to_contain_text("The server cannot be reached")
    await one.page.unroute("**/get-appointments-page-data?*")
    await one.page.locator("#listState").get_by_role("button", name="Try again").click()
    await expect(one.page.locator("#tripTable .trip-day").first).to_be_visible()


async def test_filters_and_view_are_in_the_address_and_survive_a_reload_and_the_way_back(person: People, portal: Portal) -> None:
    made = trip(portal, f"{FREE}T16:00", driver_assigned=driver(portal, 3)["id"])
    one = await person()
    await one.come_back("supervisor", "appointments.html")
    await one.page.get_by_label("Search the trips").fill(made["kNumber"])
    await expect(row(one, made["who"])).to_have_count(1)
    await one.page.locator(".pill", has_text="Cancelled").click()
    await expect(one.page.locator("#listState")).to_contain_text("No trip is like that")
    await one.page.locator(".pill", has_text="Assigned").click()
    await expect(row(one, made["who"])).to_have_count(1)
    await one.page.reload()
    await expect(one.page.get_by_label("Search the trips")).to_have_value(made["kNumber"])
    await expect(one.page.locator(".pill input:checked")).to_have_count(2)
    await expect(row(one, made["who"])).to_have_count(1)
    await row(one, made["who"]).get_by_role("link").click()
    await expect(one.page.locator("#tripCard")).to_contain_text(made["who"])
    await one.page.go_back()
    await expect(one.page.locator("#tripCard")).to_be_hidden()
    await one.open(f"clients.html?id={made['client_id']}")
    await one.page.locator("#clientCard .trips").get_by_role("link").click()
    await expect(one.page.locator("#tripCard")).to_contain_text(made["who"])


@pytest.mark.parametrize(
    ("sunday", "label", "asked"), [("2026-11-01", "01:00 again", "Which 01:30?"), ("2027-03-14", "02:00", "There is no 02:30")]
)
async def test_on_the_nights_when_the_clocks_change_trips_stand_where_they_are_and_a_time_is_asked_about(
    person: People, portal: Portal, sunday: str, label: str, asked: str
) -> None:
    """Both from Tokyo. A trip of two hours across the change, and one of the afternoon."""
    autumn = sunday.endswith("11-01")
    night = trip(portal, f"{sunday}T00:30", transitTime=30, appointmentLength=60)  # 0:00 to 2 hours later
    noon = trip(portal, f"{sunday}T13:00")
    one = await person()
    await one.come_back("supervisor", f"appointments.html?view=week&day={sunday}")
    rows = await one.page.locator(".week-hours span").all_inner_texts()
    assert (label in rows, len(rows) >= 18) == (True, True)

    async def lies(made: dict[str, Any]) -> tuple[float, float]:
        block = one.page.locator(f"[data-block='{made['id']}']")
        await expect(block).to_be_visible()
        top, height = await block.evaluate(
            "node => ['--from', '--long'].map((name) => Number(node.style.getPropertyValue(name)))"
        )
        return top, height

    assert await lies(night) == (0, 2)  # from midnight, two hours long, whatever the clocks show then
    again = rows.index("01:00 again") if autumn else None
    assert (await lies(noon))[0] == (13.5 if again else 12.5)
    day = one.page.locator(f".week-day[data-day='{sunday}']")
    await expect(day.locator(".week-lack")).to_have_count(0 if autumn else 1)
    await expect(one.page.locator(".week-day").first.locator(".week-lack")).to_have_count(1 if autumn else 0)

    await one.page.get_by_role("button", name="Book a trip").click()
    await form(one).get_by_label("Date", exact=True).fill(sunday)
    await form(one).get_by_label("Appointment time").fill("01:30" if autumn else "02:30")
    await one.press("Tab")
    await expect(form(one).get_by_role("group", name="When", exact=True).last).to_contain_text(asked)
    if not autumn:
        return
    await form(one).get_by_label("Kind of trip").select_option("support")
    await form(one).get_by_label("Event", exact=True).fill("Night watch")
    await form(one).get_by_label("Stay, minutes").fill("30")
    await form(one).get_by_role("button", name="Book", exact=True).click()
    await expect(form(one).locator(".form-summary li")).to_have_text("Which 01:30 is required")
    await form(one).get_by_label("Which 01:30?").select_option(label="The second 01:30 (AST), after the clocks go back")
    await form(one).get_by_role("button", name="Book", exact=True).click()
    await expect(one.page.locator("#savedNote .saved")).to_contain_text("Booked for")
    with portal.database() as database:
        (at,) = database.execute("select appointmenttime from appointments where event_name = 'Night watch'").fetchone() or (
            None,
        )
    assert at == datetime(2026, 11, 1, 5, 30, tzinfo=UTC)


async def test_the_week_is_walked_by_keys_and_filtered_by_driver(person: People, portal: Portal) -> None:
    theirs = driver(portal, 4)
    made = [trip(portal, f"2027-04-0{day}T10:00", driver_assigned=theirs["id"]) for day in (5, 6, 8)]
    one = await person()
    await one.come_back("supervisor", f"appointments.html?view=week&day=2027-04-07&driver={theirs['id']}")
    await expect(one.page.locator("#weekTitle")).to_have_text("Mon, Apr 5 – Sun, Apr 11, 2027")
    await expect(one.page.locator("[data-block]")).to_have_count(3)
    await one.page.locator(f"[data-block='{made[0]['id']}']").focus()
    await one.press("ArrowRight", "ArrowRight")
    await expect(one.page.get_by_role("link", name=f"09:30 to 11:30, {made[2]['who']}")).to_be_focused()
    await one.press("Enter")
    await expect(one.page.locator("#tripCard")).to_contain_text(made[2]["who"])
    await one.press("Escape")
    await expect(one.page.locator(f"[data-block='{made[2]['id']}']")).to_be_focused()
    await one.page.get_by_role("button", name="The week after").click()
    await expect(one.page).to_have_url(f"{portal.url}/appointments.html?view=week&driver={theirs['id']}&day=2027-04-14")
    await expect(one.page.locator("[data-block]")).to_have_count(0)


async def test_what_a_colleague_books_shows_without_a_reload(person: People, portal: Portal) -> None:
    one = await person()
    day = office_day(datetime.now(UTC)) + timedelta(days=40)
    await one.come_back("supervisor", f"appointments.html?from={day}&to={day}")
    await expect(one.page.locator("#listState")).to_contain_text("No trip is like that")
    made = trip(portal, f"{day}T09:00")
    await expect(row(one, made["who"])).to_have_count(1)


@pytest.mark.parametrize(("dark", "phone"), [(False, False), (True, True)], ids=["light", "dark phone"])
async def test_no_state_of_the_page_has_a_fault_that_axe_finds_or_is_too_wide(
    person: People, portal: Portal, dark: bool, phone: bool
) -> None:
    theirs = driver(portal, 5)["id"]
    made = trip(
        portal,
        f"{FREE}T{'19' if dark else '21'}:00",
        last="Wideofname" * 3,
        driver_assigned=theirs,
        notes="A long note. " * 20,
    )
    one = await person(dark=dark, phone=phone)
    await one.come_back("supervisor", "appointments.html?when=tomorrow")
    await expect(one.page.locator("#tripTable .trip-day").first).to_be_visible()
    await sound(one, "list", phone)
    await one.open(f"appointments.html?view=week{f'&driver={theirs}' if phone else ''}")
    await expect(one.page.locator("[data-block]").first).to_be_visible()
    await sound(one, "week", phone)
    await one.open(f"appointments.html?id={made['id']}")
    await expect(one.page.locator("#tripCard .record")).to_be_visible()
    await sound(one, "card", phone)
    await one.page.locator("#tripCard").get_by_role("button", name="Edit").click()
    await form(one).get_by_label("Kind of trip").select_option("one_way")
    await form(one).get_by_role("button", name="Save changes").click()
    await expect(form(one).locator(".form-summary")).to_be_focused()
    await sound(one, "form with a fault", phone)


async def test_a_driver_is_not_let_in(person: People, portal: Portal) -> None:
    one = await person()
    await one.come_back("driver", "dashboard.html")
    await expect(one.page.get_by_role("link", name="Appointments")).to_be_hidden()
    await one.open("appointments.html")
    await expect(one.page.get_by_role("heading", name="You do not have access to this page.")).to_be_visible()
