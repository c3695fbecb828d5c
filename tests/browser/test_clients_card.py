"""A client's card: what a dispatcher sees there, and what can be corrected without leaving it."""

from __future__ import annotations

import time
from typing import Any

from playwright.async_api import Locator, expect

from tests.browser.conftest import Faults, People
from tests.browser.person import Person
from tests.browser.portal import Portal


def settle(portal: Portal, client_id: str) -> None:
    """Until nothing of this client waits or runs."""
    ask = "select count(*) from public.background_tasks where entity_id = %s and status in ('pending', 'processing')"
    deadline = time.monotonic() + 30
    with portal.database() as database:
        while (database.execute(ask, [client_id]).fetchone() or (0,))[0]:
            assert time.monotonic() < deadline, "its tasks do not end"
            time.sleep(0.1)


async def card_of(person: People, portal: Portal, who: str = "agent", **fields: Any) -> tuple[Person, Locator, dict[str, Any]]:
    client = portal.client("Cora", "Cardwell", by=who, **fields)
    settle(portal, client["client_id"])
    one = await person()
    await one.come_back(who, f"clients.html?id={client['client_id']}")
    card = one.page.locator("#clientCard")
    await expect(card.get_by_role("heading", name="Cora Cardwell")).to_be_visible()
    return one, card, client


def clinics(portal: Portal) -> int:
    """How many there are, whichever other pages have been tested before."""
    return portal.count("select count(*) from public.destinations where active")


def drivers(portal: Portal) -> int:
    return portal.count("select count(*) from public.drivers where active")


async def test_the_card_shows_the_way_to_the_clinics_with_its_age_the_trips_and_who_changed_what(
    person: People, portal: Portal
) -> None:
    agent, card, client = await card_of(person, portal)
    with portal.database() as database:
        database.execute(
            "insert into public.appointments (client_id, appointmenttime, locationname)"
            " values (%s, now() + interval '2 days', 'QEII Halifax Infirmary')",
            [client["client_id"]],
        )
    portal.ask("agent", "POST", "/webhook/update-client", {"id": client["client_id"], "notes": "Uses a walker"})
    await agent.page.reload()
    times = card.locator(".clinic-times tbody tr")
    await expect(times).to_have_count(clinics(portal))
    await expect(times.first.locator(".figure")).to_contain_text("min")
    await expect(card.locator("#clinicTimesTitle time")).to_be_visible()
    await expect(card.locator(".trips li")).to_contain_text("QEII Halifax Infirmary")
    await expect(card.locator(".trips li")).to_contain_text("no driver yet")
    await expect(card).to_contain_text("Alex Agent changed notes")
    await expect(card).not_to_contain_text("view client")
    await expect(card.get_by_role("link", name="All of it in the audit log")).to_have_count(0)
    assert await agent.inaccessible() == []


async def test_a_corrected_client_is_saved_shown_and_followed_by_what_changed_alone(person: People, portal: Portal) -> None:
    agent, card, client = await card_of(person, portal)
    await card.get_by_role("button", name="Edit").click()
    form = agent.page.locator("#addClientForm")
    await expect(agent.page.locator("#addClientTitle")).to_have_text("Edit Cora Cardwell")
    await expect(form.get_by_label("K Number")).to_have_value(client["kNumber"])
    await expect(form.get_by_label("K Number")).not_to_be_editable()
    await expect(form.get_by_label("First name")).to_be_focused()
    await form.get_by_label("Phone", exact=True).fill("(902) 555 0199")
    await form.get_by_label("Usual clinic").select_option(label="IWK Health Centre, Halifax")
    await form.get_by_role("button", name="Save changes").click()
    await expect(card.locator(".saved")).to_have_text("Client updated. Background tasks running: Quo sync.")
    await expect(card.get_by_role("button", name="Edit")).to_be_focused()
    await expect(card).to_contain_text("902-555-0199")
    await expect(card.locator(".record")).to_contain_text("IWK Health Centre")
    await expect(agent.page.locator("#clientRows tr", has_text=client["kNumber"])).to_have_count(1)

    await card.get_by_role("button", name="Edit").click()
    await form.get_by_role("button", name="Save changes").click()
    await expect(card.locator(".saved")).to_have_text("Nothing to save: Cora Cardwell is as before.")


async def test_an_address_nobody_knows_is_corrected_from_the_failure_and_the_failure_is_gone(
    person: People, portal: Portal
) -> None:
    agent, card, _ = await card_of(person, portal, city="Nowhereville", civicAddress="1 Hihg Street")
    await expect(card.locator(".open-failure")).to_have_count(2)
    await expect(card.locator(".clinic-times tbody tr").first).to_contain_text("not measured yet")
    await card.get_by_role("button", name="View the failure: Calculate drive times").click()
    await expect(agent.page.locator("#task-panel .task-panel-item.highlight")).to_contain_text(
        "Google Maps does not know this address"
    )
    await agent.press("Escape")
    await card.get_by_role("button", name="Correct the address").first.click()
    form = agent.page.locator("#addClientForm")
    await expect(form.get_by_label("Civic address", exact=True)).to_be_focused()
    await form.get_by_label("Civic address", exact=True).fill("25 Water Street")
    await form.get_by_label("City or town", exact=True).fill("Digby")
    await form.get_by_role("button", name="Save changes").click()
    await expect(card.locator(".saved")).to_contain_text("drive times and clinic travel times")
    await expect(card.locator(".open-failure")).to_have_count(0)
    await expect(card.locator(".clinic-times .figure")).to_have_count(clinics(portal))
    await expect(card.locator(".drive-times").first.locator("tbody tr")).to_have_count(drivers(portal))
    await expect(agent.page.locator(".task-indicator-badge")).to_be_hidden()


async def test_travel_times_that_are_under_way_are_said_to_be(person: People, portal: Portal, faults: Faults) -> None:
    agent, card, client = await card_of(person, portal)
    faults("maps", "hold")
    portal.ask("agent", "POST", "/webhook/update-client", {"id": client["client_id"], "city": "Truro"})
    await expect(card.locator("section", has_text="To the clinics")).to_contain_text("Travel times are still being calculated")
    await expect(card.locator(".clinic-times tbody tr").first).to_contain_text("still being calculated")
    portal.fault("maps", "ok")
    portal.release()
    await expect(card.locator(".clinic-times .figure")).to_have_count(clinics(portal))
    assert await agent.inaccessible() == []


async def test_two_who_edit_at_once_the_second_is_told_who_was_first_and_keeps_what_they_typed(
    person: People, portal: Portal
) -> None:
    agent, card, client = await card_of(person, portal)
    await card.get_by_role("button", name="Edit").click()
    form = agent.page.locator("#addClientForm")
    await form.get_by_label("Notes (optional)").fill("what I typed")
    portal.ask("supervisor", "POST", "/webhook/update-client", {"id": client["client_id"], "phone": "902-555-0177"})
    await form.get_by_role("button", name="Save changes").click()
    summary = form.locator(".form-summary")
    await expect(summary).to_contain_text("has been changed since you opened this form")
    await expect(summary).to_contain_text("Sam Supervisor saved it on")
    await expect(summary).to_contain_text("(phone)")
    await expect(form.get_by_label("Notes (optional)")).to_have_value("what I typed")
    assert await agent.inaccessible() == []
    await summary.get_by_role("button", name="Take the newest, drop mine").click()
    await expect(form.get_by_label("Phone", exact=True)).to_have_value("902-555-0177")
    await expect(form.get_by_label("Notes (optional)")).to_have_value("")
    await form.get_by_label("Notes (optional)").fill("and again")
    await form.get_by_role("button", name="Save changes").click()
    await expect(card.locator(".record")).to_contain_text("and again")


async def test_what_was_typed_of_one_client_is_kept_for_that_client_alone(person: People, portal: Portal) -> None:
    agent, card, _ = await card_of(person, portal)
    await card.get_by_role("button", name="Edit").click()
    form = agent.page.locator("#addClientForm")
    ticked = form.get_by_role("group", name="Clinics to measure").get_by_role("checkbox", checked=True)
    await form.get_by_label("Last name").fill("Half typed")
    await form.get_by_text("Travel times to chosen clinics only").click()
    await form.get_by_label("IWK Health Centre, Halifax").check()
    await agent.press("Escape")
    await agent.page.get_by_role("button", name="Add client").click()
    await expect(form.get_by_label("Last name")).to_have_value("")
    await expect(form.locator("#clinicBoxes input:checked")).to_have_count(0)
    await expect(form.get_by_label("K Number")).to_be_editable()
    await agent.press("Escape")
    await card.get_by_role("button", name="Edit").click()
    await expect(form.get_by_label("Last name")).to_have_value("Half typed")
    await expect(ticked).to_have_count(1)
    clinic = await ticked.get_attribute("value")
    async with agent.page.expect_request("**/update-client") as sent:
        await form.get_by_role("button", name="Save changes").click()
    assert (await sent.value).post_data_json["selectedClinicIds"] == [clinic]


async def test_supervisors_archive_and_agents_are_not_offered_it(person: People, portal: Portal) -> None:
    agent, card, client = await card_of(person, portal)
    await card.get_by_role("button", name="Edit").click()
    await expect(agent.page.locator("#status option[value=archived]")).to_be_disabled()
    supervisor = await person()
    await supervisor.come_back("supervisor", f"clients.html?id={client['client_id']}")
    await supervisor.page.locator("#clientCard").get_by_role("button", name="Edit").click()
    await supervisor.page.get_by_label("Status").select_option("archived")
    await supervisor.page.get_by_role("button", name="Save changes").click()
    await expect(supervisor.page.locator("#clientCard .role-badge")).to_have_text("Archived")
    await supervisor.page.get_by_label("Which clients").select_option("archived")
    await expect(supervisor.page.locator("#clientRows tr", has_text=client["kNumber"])).to_contain_text("Archived")
    await expect(supervisor.page).to_have_url(f"{portal.url}/clients.html?status=archived&id={client['client_id']}")
    await supervisor.page.get_by_label("Which clients").select_option("active")
    await expect(supervisor.page.locator("#clientRows tr", has_text=client["kNumber"])).to_have_count(0)


async def test_an_administrator_goes_from_the_card_to_all_that_was_done_to_the_record(person: People, portal: Portal) -> None:
    admin, card, client = await card_of(person, portal, "admin")
    await card.get_by_role("link", name="All of it in the audit log").click()
    await expect(admin.page).to_have_url(f"{portal.url}/audit.html?entity_type=client&entity_id={client['client_id']}")
    await expect(admin.page.locator("main")).to_contain_text("Ada Admin")
