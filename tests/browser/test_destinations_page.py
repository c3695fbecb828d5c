"""The destinations page, as supervisors keep it: find, add, correct, close and use again."""

from __future__ import annotations

import asyncio
from uuid import uuid4

import pytest
from playwright.async_api import expect

from tests.browser.conftest import Faults, People
from tests.browser.person import Person
from tests.browser.portal import Portal


async def fill_in(one: Person, name: str, **fields: str) -> None:
    typed = {"Name": name, "Street address": "25 Water Street", "City or town": "Digby", "Postal code": "b0v1a0"} | fields
    form = one.page.locator("#destinationForm")
    for label, value in typed.items():
        await form.get_by_label(label, exact=True).first.fill(value)


async def test_a_destination_is_added_with_somebody_to_ask_for_and_measured_before_ones_eyes(
    person: People, portal: Portal, faults: Faults
) -> None:
    name = f"Clinic {uuid4().hex[:6]}"
    one = await person()
    await one.come_back("supervisor", "destinations.html")
    await one.page.get_by_role("button", name="Add destination").click()
    await fill_in(one, name)
    await one.page.get_by_role("button", name="Add a person").click()
    contact = one.page.get_by_role("group", name="A person to ask for")
    await expect(contact.get_by_label("Name")).to_be_focused()
    await contact.get_by_label("Name").fill("Front desk")
    await contact.get_by_label("Phone").fill("(902) 555 0155")
    assert await one.inaccessible() == []
    faults("maps", "hold")
    await one.page.get_by_role("button", name="Save destination").click()
    row = one.page.locator("#destinationRows tr", has_text=name)
    await expect(row).to_contain_text("Front desk 902-555-0155")
    await expect(row).to_contain_text("Travel times are still being calculated")
    await expect(one.page.locator("#savedNote")).to_have_text("Destination saved. Travel times processing in background.")
    portal.fault("maps", "ok")
    portal.release()
    await expect(row).to_contain_text("from")
    assert await one.page.locator(".task-toast").count() == 0


async def test_an_address_nobody_knows_is_corrected_from_the_row(person: People) -> None:
    name = f"Lost {uuid4().hex[:6]}"
    one = await person()
    await one.come_back("supervisor", "destinations.html")
    await one.page.get_by_role("button", name="Add destination").click()
    await fill_in(one, name, **{"City or town": "Nowhereville"})
    await one.page.get_by_role("button", name="Save destination").click()
    row = one.page.locator("#destinationRows tr", has_text=name)
    await expect(row).to_contain_text("Google Maps does not know this address")
    await row.get_by_role("button", name="Correct the address").click()
    await expect(one.page.get_by_label("Street address")).to_be_focused()
    await one.page.get_by_label("City or town").fill("Digby")
    await one.page.get_by_role("button", name="Save changes").click()
    await expect(row).to_contain_text("from")
    await expect(row.get_by_role("button", name="Edit")).to_be_visible()


async def test_a_destination_is_closed_and_used_again_and_the_filter_is_in_the_address(person: People, portal: Portal) -> None:
    one = await person()
    await one.come_back("supervisor", "destinations.html")
    await one.page.get_by_label("Search the destinations").fill("aberdeen")
    await expect(one.page.locator("#destinationRows tr")).to_have_count(1)
    await expect(one.page).to_have_url(f"{portal.url}/destinations.html?q=aberdeen")
    await one.page.get_by_role("button", name="Close: Aberdeen Hospital").click()
    await expect(one.page.locator("#savedNote")).to_contain_text("Aberdeen Hospital is closed for new trips.")
    await expect(one.page.get_by_role("button", name="Use again: Aberdeen Hospital")).to_be_focused()
    await one.page.get_by_label("Which destinations").select_option("true")
    await expect(one.page.locator("#listState")).to_contain_text("No destination matches “aberdeen”")
    await one.page.get_by_role("button", name="Show all destinations").click()
    await one.page.get_by_role("button", name="Use again: Aberdeen Hospital").click()
    await expect(one.page.locator("#savedNote")).to_have_text("Aberdeen Hospital is in use again.")


async def test_refusals_are_told_at_their_fields_and_what_was_typed_is_kept(person: People, portal: Portal) -> None:
    one = await person()
    await one.come_back("supervisor", "destinations.html")
    await one.page.get_by_role("button", name="Add destination").click()
    form = one.page.locator("#destinationForm")
    await form.get_by_role("button", name="Save destination").click()
    await expect(form.locator(".form-summary li")).to_have_text(
        ["Name is required", "Street address is required", "City or town is required", "Postal code is required"]
    )
    await fill_in(one, "aberdeen hospital")
    await form.get_by_role("button", name="Save destination").click()
    await expect(form.locator("#name-fault")).to_contain_text("A destination has this name already")
    await expect(form.get_by_label("Street address")).to_have_value("25 Water Street")
    await one.press("Escape")
    await one.page.get_by_role("button", name="Add destination").click()
    await expect(form.get_by_label("Street address")).to_have_value("25 Water Street")


async def test_the_second_of_two_who_edit_is_told_who_was_first(person: People, portal: Portal) -> None:
    name = f"Twice {uuid4().hex[:6]}"
    made = portal.ask("supervisor", "POST", "/webhook/add-destination", {
        "name": name, "address": "25 Water Street", "city": "Digby", "province": "NS", "postal_code": "B0V 1A0",
    })  # fmt: skip
    one = await person()
    await one.come_back("supervisor", "destinations.html")
    await one.page.get_by_role("button", name=f"Edit: {name}").click()
    portal.ask("admin", "PUT", "/webhook/update-destination", {"id": made["destination_id"], "phone": "902-555-0100"})
    await one.page.get_by_label("Notes").fill("mine")
    await one.page.get_by_role("button", name="Save changes").click()
    await expect(one.page.locator("#destinationForm .form-summary")).to_contain_text("Ada Admin saved it on")
    await expect(one.page.get_by_label("Notes")).to_have_value("mine")


async def test_an_agent_is_not_let_in_and_sees_no_entry_for_it(person: People) -> None:
    agent = await person()
    await agent.come_back("agent", "clients.html")
    await expect(agent.page.get_by_role("link", name="Destinations")).to_be_hidden()
    await agent.open("destinations.html")
    await expect(agent.page.get_by_role("heading", name="You do not have access to this page.")).to_be_visible()


@pytest.mark.parametrize(("dark", "phone"), [(False, False), (True, False), (False, True)], ids=["light", "dark", "phone"])
async def test_no_state_of_the_page_has_a_fault_that_axe_finds_or_is_too_wide(
    person: People, portal: Portal, dark: bool, phone: bool
) -> None:
    one = await person(dark=dark, phone=phone)
    await one.come_back("supervisor", "destinations.html")
    await expect(one.page.locator("#destinationRows tr").first).to_be_visible()
    assert await one.inaccessible() == []
    assert await one.page.evaluate("document.scrollingElement.scrollWidth - innerWidth") <= 0
    await one.page.get_by_role("button", name="Edit: IWK Health Centre").click()
    await one.page.get_by_role("button", name="Add a person").click()
    assert await one.inaccessible() == []
    await one.press("Escape")
    await one.page.get_by_label("Search the destinations").fill("no such place")
    await expect(one.page.get_by_role("button", name="Show all destinations")).to_be_visible()
    assert await one.inaccessible() == []


async def test_a_list_that_cannot_be_read_says_why_and_offers_to_try_again(person: People) -> None:
    one = await person()
    await one.keep_session("supervisor")
    await one.page.route("**/get-all-destinations?*", lambda route: route.abort())
    await one.open("destinations.html")
    await expect(one.page.locator("#listState")).to_contain_text("The server cannot be reached")
    await one.page.unroute("**/get-all-destinations?*")
    await asyncio.gather(
        expect(one.page.locator("#destinationRows tr").first).to_be_visible(),
        one.page.get_by_role("button", name="Try again").click(),
    )
