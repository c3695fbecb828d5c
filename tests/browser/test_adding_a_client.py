"""Adding a client, as the booking agents do it all day, with the telephone in one hand."""

from __future__ import annotations

import asyncio
import re

from playwright.async_api import Route, expect

from tests.browser.conftest import Faults, People
from tests.browser.person import lose_the_first_answer
from tests.browser.portal import Portal, new_number


async def test_every_fault_is_shown_at_its_field_and_everything_typed_is_kept(person: People) -> None:
    agent = await person()
    await agent.come_back("agent", "clients.html")
    wrong = {
        "K Number": "K12",
        "Phone": "12",
        "E-mail": "jane",
        "Postal code": "90210",
        "City or town": "",
        "Notes (optional)": "keep me",
    }
    await agent.fill_in("", "Jane", "", **wrong)
    await agent.page.get_by_role("button", name="Save client").click()
    form = agent.page.locator("#addClientForm")
    expected = {
        "K Number": "K Number must be in format K1234567",
        "Last name": "Last name is required",
        "Phone": "Phone must be in format 902-555-0134",
        "E-mail": "E-mail must look like name@example.ca",
        "City or town": "City or town is required",
        "Postal code": "Postal code must be in format B3H 4R2",
    }
    await expect(form.locator(".form-summary li")).to_have_text(list(expected.values()))
    await expect(form.locator(".form-summary")).to_be_focused()
    for label, fault in expected.items():
        await expect(form.get_by_label(label, exact=True)).to_have_attribute("aria-invalid", "true")
        await expect(form.get_by_label(label, exact=True)).to_have_accessible_description(fault_at_the_end(fault))
    for label, value in (wrong | {"First name": "Jane", "Civic address": "25 Water Street"}).items():
        await expect(form.get_by_label(label, exact=True)).to_have_value(value)

    await form.get_by_role("link", name=expected["Postal code"]).click()
    await expect(form.get_by_label("Postal code", exact=True)).to_be_focused()
    await form.get_by_label("Postal code", exact=True).fill("b0v1a0")
    await expect(form.get_by_label("Postal code", exact=True)).not_to_have_attribute("aria-invalid", "true")


async def test_faults_that_only_the_server_finds_are_shown_at_their_fields_too(person: People) -> None:
    agent = await person()
    await agent.come_back("agent", "clients.html")
    await agent.fill_in("K12", "Jane", "Roe", **{"Phone": "12", "Postal code": "90210"})
    await agent.page.evaluate(
        "() => document.querySelectorAll('#addClientForm [pattern]').forEach((field) => field.removeAttribute('pattern'))"
    )
    async with agent.page.expect_response("**/add-client") as answer:
        await agent.page.get_by_role("button", name="Save client").click()
    assert (await answer.value).status == 400
    form = agent.page.locator("#addClientForm")
    await expect(form.locator(".form-summary li")).to_have_count(3)
    for label, value in {"K Number": "K12", "Phone": "12", "Postal code": "90210"}.items():
        field = form.get_by_label(label, exact=True)
        await expect(field).to_have_attribute("aria-invalid", "true")
        await expect(field).to_have_value(value)


async def test_a_k_number_that_is_taken_is_told_at_its_field_with_the_name_it_belongs_to(person: People, portal: Portal) -> None:
    number = portal.client("Ottilie", "Firstcomer")["kNumber"]
    agent = await person()
    await agent.come_back("agent", "clients.html")
    await agent.add_client(number, "Jane", "Second")
    form = agent.page.locator("#addClientForm")
    await expect(form.get_by_label("K Number", exact=True)).to_have_attribute("aria-invalid", "true")
    await expect(form.locator("#kNumber-fault")).to_contain_text("Ottilie Firstcomer")
    await expect(form.get_by_label("Last name", exact=True)).to_have_value("Second")

    free = new_number()
    await form.get_by_label("K Number", exact=True).fill(free)
    await agent.page.get_by_role("button", name="Save client").click()
    await expect(agent.page.locator("#clientRows").get_by_text(free)).to_be_visible()


async def test_a_double_click_on_save_saves_once(person: People, portal: Portal) -> None:
    agent = await person()
    await agent.come_back("agent", "clients.html")
    number = new_number()
    sent: list[str] = []
    agent.page.on("request", lambda request: sent.append(request.url) if request.url.endswith("/add-client") else None)
    await agent.fill_in(number)
    await agent.page.get_by_role("button", name="Save client").dblclick()
    await expect(agent.page.locator("#clientRows").get_by_text(number)).to_be_visible()
    assert len(sent) == 1
    assert clients_of(portal, number) == 1


async def test_saving_again_after_the_answer_was_lost_saves_once(person: People, portal: Portal) -> None:
    agent = await person()
    await agent.come_back("agent", "clients.html")
    number = new_number()
    keys = await lose_the_first_answer(agent.page, "add-client")
    await agent.add_client(number, "Lois", "Twice")
    await expect(agent.page.locator(".form-summary")).to_contain_text("What you typed is kept")
    assert clients_of(portal, number) == 1
    await agent.page.get_by_role("button", name="Save client").click()
    await expect(agent.page.locator("#clientRows").get_by_text(number)).to_be_visible()
    assert keys[0] == keys[1]
    assert clients_of(portal, number) == 1


async def test_a_form_on_its_way_stays_open_until_the_server_has_answered_it(person: People, portal: Portal) -> None:
    agent = await person()
    await agent.come_back("agent", "clients.html")
    number = new_number()
    answered = asyncio.Event()

    async def take_long(route: Route) -> None:
        await answered.wait()
        await route.continue_()

    await agent.page.route("**/add-client", take_long)
    await agent.add_client(number, "Slow", "Line")
    dialog = agent.page.locator("#addClientModal")
    await expect(dialog.get_by_role("button", name="Saving…")).to_have_attribute("aria-disabled", "true")
    await agent.press("Escape", "Escape")
    await dialog.get_by_role("button", name="Not now").click(force=True)
    await expect(dialog).to_be_visible()
    name, usual = dialog.get_by_label("Last name", exact=True), dialog.get_by_label("Usual clinic")
    await name.focus()
    await agent.page.keyboard.type("too late")
    await expect(name).to_have_value("Line")
    await expect(name).to_be_focused()
    await usual.focus()
    await agent.press("ArrowDown", "i")
    await expect(usual).to_have_value("")
    assert await agent.inaccessible() == []
    answered.set()
    await expect(agent.page.locator("#clientRows").get_by_text(number)).to_be_visible()
    await expect(dialog).to_be_hidden()
    await agent.page.get_by_role("button", name="Add client").click()
    await expect(dialog.get_by_role("button", name="Save client")).to_be_visible()
    await expect(name).to_have_value("")
    await expect(name).to_be_editable()
    await expect(usual).not_to_have_attribute("aria-disabled", "true")
    await agent.press("Escape")
    await expect(dialog).to_be_hidden()


async def test_what_was_typed_is_still_there_when_the_form_is_closed_and_opened_again(person: People) -> None:
    agent = await person()
    await agent.come_back("agent", "clients.html")
    await agent.fill_in("", "Halfway", "Through")
    await agent.press("Escape")
    await expect(agent.page.locator("#addClientModal")).to_be_hidden()
    await expect(agent.page.get_by_role("button", name="Add client")).to_be_focused()
    await agent.page.get_by_role("button", name="Add client").click()
    await expect(agent.page.get_by_label("Last name", exact=True)).to_have_value("Through")


async def test_a_saved_client_appears_and_its_work_goes_from_working_to_done_before_ones_eyes(
    person: People, portal: Portal, faults: Faults
) -> None:
    agent = await person()
    await agent.come_back("agent", "clients.html")
    faults("maps", "hold")
    number = new_number()
    loosely = {"K Number": number.lower(), "Phone": "(902) 555 0199", "Postal code": "b0v1a0"}
    await agent.add_client(number, "Lively", "Update", **loosely)
    row = agent.page.locator("#clientRows tr", has_text=number)
    await expect(row).to_contain_text("902-555-0199")
    await expect(row.locator('[data-task-type="calculate_drive_times"]')).to_contain_text("working")
    await expect(row).to_contain_text("Travel times are still being calculated")
    await expect(row.locator('[data-task-type="sync_quo"]')).to_contain_text("done")
    saved = "Client saved. Drive times and Quo sync processing in background."
    await expect(agent.page.locator("#savedNote")).to_contain_text(saved)
    await expect(agent.page.get_by_role("button", name="Add client")).to_be_focused()

    await row.get_by_role("link", name="Update, Lively").click()
    card = agent.page.locator("#clientCard")
    await expect(card.get_by_role("heading", name="Lively Update")).to_be_visible()
    await expect(card).to_contain_text("Travel times are still being calculated")
    portal.fault("maps", "ok")
    portal.release()
    await expect(row.locator('[data-task-type="calculate_drive_times"]')).to_contain_text("done")
    await expect(row).to_contain_text("min")
    table = card.locator(".drive-times tbody tr")
    await expect(table).to_have_count(12)
    await expect(table.first.locator(".bar rect")).to_have_count(1)
    minutes = [int(text.split(" ")[0]) for text in await table.locator(".figure").all_inner_texts() if " h" not in text]
    assert minutes == sorted(minutes)
    assert await agent.page.locator(".task-toast").count() == 0  # success is never announced


async def test_a_client_is_found_by_k_number_and_a_search_without_result_says_so(person: People, portal: Portal) -> None:
    number = portal.client("Needle", "Haystack")["kNumber"]
    agent = await person()
    await agent.come_back("agent", "clients.html")
    await agent.press("/")
    await agent.page.keyboard.type(number.lower())
    await expect(agent.page.locator("#clientRows tr")).to_have_count(1)
    await expect(agent.page.locator("#listCount")).to_have_text(f"1 client for “{number.lower()}”")
    await agent.page.keyboard.type("x")
    await expect(agent.page.locator("#listState")).to_contain_text(f"No client matches “{number.lower()}x”")
    await agent.page.get_by_role("button", name="Show all clients").click()
    await expect(agent.page.locator("#clientRows tr", has_text=number)).to_be_visible()


def fault_at_the_end(fault: str) -> re.Pattern[str]:
    """A field's description is its help, then its fault."""
    return re.compile(f"{re.escape(fault)}$")


def clients_of(portal: Portal, number: str) -> int:
    with portal.database() as database:
        (found,) = database.execute("select count(*) from public.clients where knumber = %s", [number]).fetchone() or (0,)
    return int(found)


async def test_clinics_are_ticked_by_the_keyboard_and_the_usual_one_is_measured_with_them(person: People, portal: Portal) -> None:
    agent = await person()
    await agent.come_back("agent", "clients.html")
    await agent.fill_in()
    form = agent.page.locator("#addClientForm")
    await form.get_by_text("Travel times to chosen clinics only").focus()
    await agent.press("Enter")
    boxes = form.get_by_role("group", name="Clinics to measure").get_by_role("checkbox")
    await expect(boxes.first).to_be_visible()
    assert await boxes.count() > 2
    await expect(form.get_by_role("group", name="Clinics to measure")).to_have_accessible_description(
        re.compile("With none ticked")
    )
    await agent.press("Tab", "Space")
    await expect(boxes.first).to_be_checked()
    for _ in range(2):  # what is given back is kept again
        await agent.page.reload()
        await expect(form).to_contain_text("Restored what you had typed.")
        await expect(boxes.first).to_be_checked()
    ticked, usual = [await boxes.nth(place).get_attribute("value") for place in (0, 1)]
    await form.get_by_label("Usual clinic").select_option(usual)
    assert await agent.inaccessible() == []
    async with agent.page.expect_request("**/add-client") as sent:
        await agent.page.get_by_role("button", name="Save client").click()
    body = (await sent.value).post_data_json
    assert body["selectedClinicIds"] == [ticked]
    assert "selectedClinicIds" not in body["clientData"]
    await expect(form).to_be_hidden()
    with portal.database() as database:
        wanted = database.execute(
            "select destination_id from clinic_times_wanted w join clients c on c.id = w.client_id where c.knumber = %s"
            " union select destination_id from client_clinic_times t join clients c on c.id = t.client_id where c.knumber = %s",
            [body["kNumber"]] * 2,
        ).fetchall()
    assert {str(one) for (one,) in wanted} == {ticked, usual}
    await agent.page.get_by_role("button", name="Add client").click()
    await expect(form.locator("#clinicChoice input:checked")).to_have_count(0)
