"""The invoices page, as supervisors keep it: choose trips, create, send, mark, void; and a mail that fails."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import pytest
from playwright.async_api import expect

from tests.browser.conftest import Faults, People
from tests.browser.person import Person
from tests.browser.portal import Portal

_DRIVEN = """
with made as (
  insert into public.appointments (client_id, clinic_id, appointmenttime, driver_assigned, operation_status, completed_at)
  select c.id, d.id, %(at)s, r.id, 'completed', public.task_now()
    from public.clients c, (select id from public.destinations where name = 'IWK Health Centre') d,
         (select id from public.drivers order by name limit 1) r
   where c.knumber = %(knumber)s returning id),
priced as (
  insert into public.appointment_costs (appointment_id, custom_rate)
  select id, %(rate)s::numeric from made where %(rate)s is not null)
select id from made
"""
_DAYS = count(30)


def driven(portal: Portal, *rates: float | None, ready: bool = True, first: str = "Ida") -> dict[str, Any]:
    """A client with completed trips of these rates, each on a day of its own; the answer to her saving, and `trips`."""
    client = portal.client(first, "Invoiced")
    trips = []
    with portal.database() as database:
        for rate in rates:
            at = datetime.now(UTC) - timedelta(days=next(_DAYS))  # one driver drives them all
            (trip,) = database.execute(_DRIVEN, {"at": at, "knumber": client["kNumber"], "rate": rate}).fetchone() or ()
            trips.append(str(trip))
            if ready:
                database.execute("update public.appointments set invoice_status = 'ready' where id = %s", (trip,))
    return client | {"trips": trips}


def invoiced(portal: Portal, *, email_to: str | None = None) -> dict[str, Any]:
    """An invoice of one trip of 80 dollars, as the server answered."""
    client = driven(portal, 80)
    return portal.ask("supervisor", "POST", "/webhook/create-invoice", {"appointmentIds": client["trips"], "emailTo": email_to})


async def test_trips_are_chosen_invoiced_and_the_invoice_sent_before_ones_eyes(person: People, portal: Portal) -> None:
    client = driven(portal, 80, 85.55, None)
    one = await person()
    await one.come_back("supervisor", "invoices.html")
    await one.page.get_by_label("Search", exact=True).fill(client["kNumber"])
    row = one.page.locator("#list tbody tr")
    await expect(row).to_have_count(1)
    await expect(row).to_contain_text("1 without a rate")
    await expect(row).to_contain_text("$165.55")
    await row.get_by_role("link").click()
    card = one.page.locator("#sideCard")
    without = card.get_by_role("link", name="No rate: enter one")
    await expect(without).to_have_attribute("href", f"appointments.html?id={client['trips'][2]}")
    await expect(card.locator(".sums dd")).to_have_text(["$165.55", "$23.18", "$188.73"])
    await card.get_by_role("checkbox").nth(1).uncheck()
    await expect(card.locator(".sums dd").last).to_have_text("$91.20")
    await card.get_by_role("button", name="All or none").click()
    await expect(card.locator(".sums dd").last).to_have_text("$188.73")
    await card.get_by_label("Send it by e-mail as soon as it is made").check()
    await expect(card.get_by_label("E-mail", exact=True)).to_have_value("jane@example.test")
    assert await one.inaccessible() == []
    await card.get_by_role("button", name="Create invoice").click()
    await expect(card.get_by_role("heading", level=2)).to_contain_text("INV-")
    await expect(card.locator(".saved")).to_contain_text("created: $188.73. Its PDF follows in the background, and goes to jane@")
    await expect(card.locator(".user-title .chip")).to_have_text("sent")
    await expect(card.locator(".history .chip[data-state=done]")).to_have_count(2)
    number = await card.get_by_role("heading", level=2).text_content()
    await expect(one.page.locator("#list tbody tr", has_text=f"{number}")).to_contain_text("sent")
    async with one.page.expect_download() as download:
        await card.get_by_role("button", name="Download PDF").click()
    assert (await download.value).suggested_filename == f"{number}.pdf"
    assert await one.page.locator(".task-toast").count() == 0


async def test_a_refusal_keeps_what_was_chosen_and_typed(person: People, portal: Portal) -> None:
    client = driven(portal, 80, 85)
    one = await person()
    await one.come_back("supervisor", f"invoices.html?view=ready&client={client['client_id']}")
    card = one.page.locator("#sideCard")
    await card.get_by_label("Notes").fill("Two trips were shared")
    await card.get_by_label("Send it by e-mail").check()
    await card.get_by_label("E-mail", exact=True).fill("nobody")
    await card.get_by_role("button", name="Create invoice").click()
    await expect(card.locator(".form-summary")).to_contain_text("E-mail must look like name@example.ca")
    await card.get_by_label("E-mail", exact=True).fill("jane@example.test")
    portal.ask("admin", "POST", "/webhook/mark-appointment-ready", {"appointmentIds": client["trips"][:1], "ready": False})
    await card.get_by_role("button", name="Create invoice").click()
    await expect(card.locator(".form-summary")).to_contain_text("1 appointment(s) not in ready status")
    await expect(card.get_by_label("Notes")).to_have_value("Two trips were shared")
    await expect(card.locator(".trip-choices input:checked")).to_have_count(2)


async def test_a_mail_that_fails_says_why_on_the_card_and_the_corrected_address_gets_it(
    person: People, portal: Portal, faults: Faults
) -> None:
    faults("mail", "404", times=1)
    made = invoiced(portal, email_to="jane@wrong.test")
    one = await person()
    await one.come_back("supervisor", f"invoices.html?id={made['invoice_id']}")
    card = one.page.locator("#sideCard")
    failure = card.locator(".open-failure")
    await expect(failure).to_contain_text("Correct the e-mail address: open the invoice and send it again")
    await failure.get_by_role("button", name="View the failure").click()
    await expect(one.page.locator("#task-panel")).to_contain_text(made["invoice"]["invoice_number"])
    assert await one.inaccessible() == []
    await one.press("Escape")
    await card.get_by_role("button", name="Send by e-mail").click()
    dialog = one.page.get_by_role("dialog", name="Send")
    await expect(dialog.get_by_label("E-mail")).to_have_value("jane@wrong.test")
    await dialog.get_by_label("E-mail").fill("jane@right.test")
    await one.press("Enter")
    await expect(card.locator(".user-title .chip")).to_have_text("sent")
    await expect(card.locator(".open-failure")).to_have_count(0)
    await expect(card.locator(".record")).to_contain_text("jane@right.test")


async def test_an_invoice_is_marked_paid_and_another_voided_by_the_keyboard(person: People, portal: Portal) -> None:
    paid, void = invoiced(portal), invoiced(portal)
    one = await person()
    await one.come_back("supervisor", f"invoices.html?view=invoices&id={paid['invoice_id']}")
    card = one.page.locator("#sideCard")
    await card.get_by_role("button", name="Mark paid").focus()
    await one.press("Enter")
    await expect(one.page.get_by_label("Paid on")).to_be_focused()
    await one.press("Enter")
    await expect(card.locator(".user-title .chip")).to_have_text("paid")
    await expect(card.get_by_role("button", name="Void")).to_have_count(0)
    await expect(card.locator(".history").last).to_contain_text("Sam Supervisor marked it paid")
    await one.open(f"invoices.html?view=invoices&id={void['invoice_id']}")
    await card.get_by_role("button", name="Void").click()
    question = one.page.get_by_role("alertdialog")
    await expect(question).to_contain_text("Its trips are ready for another invoice. This cannot be taken back.")
    await expect(question.get_by_role("button", name="Cancel")).to_be_focused()
    await question.get_by_role("button", name="Void it").click()
    await expect(card.locator(".user-title .chip")).to_have_text("void")
    for name in ("Download void PDF", "PDF from before"):
        async with one.page.expect_download() as paper:
            await card.get_by_role("button", name=name).click()
        assert (await paper.value).suggested_filename.endswith("-void.pdf") is ("void" in name)
    await one.press("Escape")
    await expect(card).to_be_hidden()
    await expect(one.page.get_by_role("link", name=void["invoice"]["invoice_number"])).to_be_focused()


async def test_view_search_filter_and_card_are_in_the_address_and_survive_a_reload(person: People, portal: Portal) -> None:
    made = invoiced(portal)
    number = made["invoice"]["invoice_number"]
    one = await person()
    await one.come_back("supervisor", "invoices.html")
    await one.page.get_by_role("button", name="Invoices", exact=True).click()
    await one.page.get_by_label("Search", exact=True).fill(number)
    await one.page.get_by_label("Which invoices").select_option("open")
    await expect(one.page.locator("#list tbody tr")).to_have_count(1)
    await one.page.get_by_role("link", name=number).click()
    await expect(one.page).to_have_url(f"{portal.url}/invoices.html?view=invoices&q={number}&status=open&id={made['invoice_id']}")
    await one.page.reload()
    await expect(one.page.locator("#sideCard h2")).to_have_text(number)
    await expect(one.page.get_by_label("Search", exact=True)).to_have_value(number)
    await expect(one.page.get_by_label("Which invoices")).to_have_value("open")
    await expect(one.page.locator("#list tbody tr")).to_have_count(1)
    await one.page.get_by_label("Which invoices").select_option("paid")
    await expect(one.page.locator("#listState")).to_contain_text(f"No invoice matches “{number}”")
    await one.page.get_by_role("button", name="Show all invoices").click()
    await expect(one.page.get_by_label("Search", exact=True)).to_be_focused()
    await one.page.go_back()
    await expect(one.page.locator("#sideCard")).to_be_hidden()


async def test_completed_trips_are_marked_ready_and_paid_out_together(person: People, portal: Portal) -> None:
    client = driven(portal, 80, 90, ready=False, first="Una")
    one = await person()
    await one.come_back("supervisor", f"invoices.html?view=unready&q={client['kNumber']}")
    await expect(one.page.locator("#list tbody tr")).to_have_count(2)
    await one.page.get_by_label("Choose all trips listed").check()
    await one.page.get_by_role("button", name="Mark ready: 2 trips").click()
    await expect(one.page.locator("#savedNote")).to_have_text("2 trip(s) ready for an invoice")
    await expect(one.page.locator("#listState")).to_contain_text("No completed trip matches")
    await one.page.get_by_role("button", name="Pay out").click()
    await one.page.get_by_label("Search", exact=True).fill(client["kNumber"])
    await expect(one.page.locator("#list tbody tr")).to_have_count(2)
    await one.page.get_by_label("Choose all trips listed").check()
    await one.page.get_by_role("button", name="Mark driver paid: 2 trips").click()
    await expect(one.page.locator("#savedNote")).to_have_text("2 trip(s) marked: driver paid")
    await one.page.get_by_role("button", name="To invoice").click()
    await one.page.get_by_label("Search", exact=True).fill(client["kNumber"])
    await expect(one.page.locator("#list tbody tr")).to_have_count(1)
    await expect(one.page.locator("#list tbody tr")).to_contain_text("$170.00")


async def test_an_agent_is_not_let_in_and_sees_no_entry_for_it(person: People) -> None:
    agent = await person()
    await agent.come_back("agent", "invoices.html")
    await expect(agent.page.get_by_role("heading", name="You do not have access to this page.")).to_be_visible()
    await expect(agent.page.get_by_role("link", name="Invoices")).to_be_hidden()


@pytest.mark.parametrize(("dark", "phone"), [(False, False), (True, True)], ids=["light", "dark phone"])
async def test_no_view_has_a_fault_that_axe_finds_or_is_too_wide(person: People, dark: bool, phone: bool) -> None:
    one = await person(dark=dark, phone=phone)
    await one.come_back("supervisor", "invoices.html")
    await _sound(one)
    await one.page.locator("#list tbody a.client-name").first.click()
    await expect(one.page.locator(".trip-choices")).to_be_visible()
    await _sound(one)
    await one.page.get_by_role("button", name="Close").click()
    for view in ("Not ready yet", "Pay out", "Invoices"):
        await one.page.get_by_role("button", name=view, exact=True).click()
        await _sound(one)
    await one.page.locator("#list tbody a.client-name").first.click()
    await expect(one.page.locator(".invoice-lines")).to_be_visible()
    await _sound(one)


async def _sound(one: Person) -> None:
    await expect(one.page.locator("#list tbody tr").first).to_be_attached()
    assert await one.inaccessible() == []
    assert await one.page.evaluate("document.scrollingElement.scrollWidth - innerWidth") <= 0
