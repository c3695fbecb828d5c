"""create-invoice and send-invoice: what the finance page, the client's mailbox and the accountant may rely on."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any
from uuid import UUID

import pytest

from backhaul.core.errors import Misconfigured, OutcomeUnknown, Transient, Unplaceable
from backhaul.core.store import Actor
from backhaul.core.testing import Database, TestOffice
from backhaul.dispatch.office import Office
from tests.api_fixtures import Api, refused
from tests.fakes import FakeMail
from tests.test_invoice_paper import pages
from tests.trips import Trips

NO_ANSWER = OutcomeUnknown("The mail server", "The mail may or may not have been sent", "No answer came", code="mail.broken")


@pytest.fixture
def sue(own_trips: Trips) -> Actor:
    return own_trips.people["supervisor"]


async def made(api: Api, by: Actor, *trips: UUID, **more: Any) -> Mapping[str, Any]:
    answer = await api.post("/webhook/create-invoice", {"appointmentIds": [str(trip) for trip in trips], **more}, by=by)
    assert answer.status_code == 200, answer.text
    body: Mapping[str, Any] = answer.json()
    return body


# ── Making one ──


async def test_the_caller_hears_number_and_total_and_only_the_pdf_follows(
    api: Api, office: TestOffice[Office], own_trips: Trips, sue: Actor, mail: FakeMail
) -> None:
    one, two = own_trips.completed(rate=80), own_trips.completed("2026-11-19 09:00", rate=85.55)
    body = await made(api, sue, one, two, knumber="K1234567", invoiceDate="2026-11-23", notes="Thank you")
    assert body["message"] == "INV-0001 created: $188.73. Its PDF follows in the background."
    assert body["invoice"]["invoice_number"] == "INV-0001"
    assert body["invoice"]["invoice_total"] == "188.73"
    assert office.tasks("pending") == ["generate_invoice_pdf"]
    audit = own_trips.database.one("select action, entity_type, entity_id, user_id, details from audit_logs")
    assert audit == {
        "action": "create_invoice",
        "entity_type": "invoice",
        "entity_id": UUID(body["invoice_id"]),
        "user_id": sue.id,
        "details": {"invoice_number": "INV-0001", "trips": 2, "mailed": False},
    }
    assert await office.work() == ["completed"]
    assert mail.sent == []
    assert own_trips.row(one)["invoice_status"] == "created"
    assert office.task("generate_invoice_pdf")["entity_label"] == "INV-0001, Jane Roe (K1234567)"


async def test_a_second_click_makes_no_second_invoice(api: Api, own_trips: Trips, sue: Actor) -> None:
    trip = own_trips.completed()
    body = {"appointmentIds": [str(trip)], "emailTo": "jane@example.test"}
    first = await api.post("/webhook/create-invoice", body, by=sue, key="click-1")
    again = await api.post("/webhook/create-invoice", body, by=sue, key="click-1")
    assert again.json()["invoice_id"] == first.json()["invoice_id"]
    assert own_trips.database.value("select count(*) from invoices") == 1
    assert own_trips.database.value("select count(*) from background_tasks") == 2


async def test_twenty_at_once_are_numbered_from_one_to_twenty(api: Api, own_trips: Trips, sue: Actor) -> None:
    trips = [own_trips.completed(f"2026-{month:02}-{day:02} 09:00") for month in (9, 10) for day in range(1, 12)][:20]
    made_at_once = await asyncio.gather(*(made(api, sue, trip) for trip in trips))
    assert sorted(body["invoice"]["invoice_number"] for body in made_at_once) == [f"INV-{n:04}" for n in range(1, 21)]


async def test_what_cannot_be_invoiced_is_refused_in_the_portals_words_and_leaves_nothing(
    api: Api, own_trips: Trips, sue: Actor
) -> None:
    ready, unready, priceless = (
        own_trips.completed(),
        own_trips.trip(driver="Ben"),
        own_trips.completed("2026-11-18 09:00", rate=None),
    )
    other = own_trips.completed("2026-11-17 09:00", client_id=own_trips.client("K7654321", "John"))
    cases: list[tuple[list[UUID], dict[str, Any], int, str]] = [
        ([UUID(int=1)], {}, 404, "No appointments found"),
        ([ready, other], {}, 409, "All appointments must be for same client"),
        ([ready], {"knumber": "K7654321"}, 409, "All appointments must be for same client"),
        ([ready, unready], {}, 409, "1 appointment(s) not in ready status"),
        ([priceless], {}, 409, "1 appointment(s) without a rate"),
        ([], {}, 400, "Validation failed: Appointments must be chosen, from 1 to 500"),
        ([ready], {"emailTo": "not an address"}, 400, "Validation failed: E-mail must be a valid address, like jane@example.com"),
        ([ready], {"invoiceDate": "2026-13-01"}, 400, "Validation failed: Invoice date must be a day, like 2026-12-01"),
    ]
    for trips, more, status, said in cases:
        answer = await api.post("/webhook/create-invoice", {"appointmentIds": [str(one) for one in trips], **more}, by=sue)
        assert refused(answer, status)["what"] == said
    for role in ("booking_agent", "driver", "client"):
        refused(await api.post("/webhook/create-invoice", {"appointmentIds": [str(ready)]}, by=own_trips.people[role]), 403)
    database = own_trips.database
    assert database.value("select count(*) from invoices") + database.value("select count(*) from background_tasks") == 0
    assert (await made(api, sue, ready))["invoice"]["invoice_number"] == "INV-0001"


# ── By mail ──


async def test_the_mail_brings_the_pdf_and_says_nothing_of_where_they_were_driven_to(
    api: Api, office: TestOffice[Office], own_trips: Trips, sue: Actor, mail: FakeMail
) -> None:
    own_trips.database.all("update office_settings set value = '\"Riverside Rides\"' where key = 'business_name'")
    trip = own_trips.completed(rate=80)
    body = await made(api, sue, trip, invoiceDate="2026-11-23", emailTo="Jane@Example.test")
    assert (
        body["message"] == "INV-0001 created: $91.20. Its PDF follows in the background, and goes to jane@example.test by e-mail."
    )
    assert office.tasks("pending") == ["generate_invoice_pdf", "send_invoice_email"]
    assert set(await office.work()) == {"completed"}
    (sent,) = mail.sent
    assert (sent.to, sent.subject) == ("jane@example.test", "Invoice INV-0001 from Riverside Rides")
    assert "Its total of $91.20 is due by 23 December 2026." in sent.text
    assert "QEII" not in sent.text
    (paper,) = sent.attachments
    kept = own_trips.database.value("select content from invoice_documents")
    assert (paper.name, paper.media_type, paper.content) == ("INV-0001.pdf", "application/pdf", bytes(kept))
    assert own_trips.database.value("select invoice_status from invoices") == "sent"
    assert own_trips.row(trip)["invoice_status"] == "sent"
    assert office.task("send_invoice_email")["result"] == {"sent": True, "status": "sent"}


async def test_a_mail_that_comes_before_the_pdf_makes_its_own_and_there_is_one_only(
    api: Api, office: TestOffice[Office], own_trips: Trips, sue: Actor, mail: FakeMail
) -> None:
    await made(api, sue, own_trips.completed(), emailTo="jane@example.test")
    own_trips.database.all(
        "update background_tasks set run_after = task_now() + interval '1 minute' where task_type = 'generate_invoice_pdf'"
    )
    assert await office.work(after_s=0) == ["completed"]
    assert len(mail.sent) == 1
    assert office.tasks("pending") == ["generate_invoice_pdf"]
    await office.work()
    assert own_trips.database.value("select content from invoice_documents") == mail.sent[0].attachments[0].content


async def test_sending_again_goes_to_the_new_address_and_is_written_down(
    api: Api, office: TestOffice[Office], own_trips: Trips, sue: Actor, mail: FakeMail
) -> None:
    ident = (await made(api, sue, own_trips.completed()))["invoice_id"]
    await office.work()
    for to in ("jane@example.test", "office@example.test"):
        answer = await api.post("/webhook/send-invoice", {"invoiceId": ident, "emailTo": to}, by=sue)
        assert answer.json()["message"] == f"INV-0001 goes to {to} by e-mail in the background."
        await office.work()
    assert [one.to for one in mail.sent] == ["jane@example.test", "office@example.test"]
    assert mail.sent[0].attachments == mail.sent[1].attachments
    assert own_trips.database.value("select count(*) from audit_logs where action = 'send_invoice'") == 2
    refused(await api.post("/webhook/send-invoice", {"invoiceId": ident}, by=sue), 400)
    refused(await api.post("/webhook/send-invoice", {"invoiceId": str(UUID(int=1)), "emailTo": "a@example.test"}, by=sue), 404)


async def test_a_paid_invoice_stays_paid_when_it_is_sent_and_a_void_one_is_not_sent(
    api: Api, office: TestOffice[Office], own_trips: Trips, sue: Actor, mail: FakeMail
) -> None:
    paid = (await made(api, sue, own_trips.completed()))["invoice_id"]
    void = (await made(api, sue, own_trips.completed("2026-11-19 09:00"), emailTo="jane@example.test"))["invoice_id"]
    await api.post("/webhook/void-invoice", {"id": void}, by=sue)
    await api.post("/webhook/update-invoice-status", {"id": paid, "status": "paid"}, by=sue)
    await api.post("/webhook/send-invoice", {"id": paid, "emailTo": "jane@example.test"}, by=sue)
    await office.work()
    (sent,) = mail.sent
    assert "Its total of $91.20 is paid, thank you." in sent.text
    states = own_trips.database.all("select invoice_status from invoices order by invoice_number")
    assert [row["invoice_status"] for row in states] == ["paid", "void"]
    answer = await api.post("/webhook/send-invoice", {"id": void, "emailTo": "jane@example.test"}, by=sue)
    assert refused(answer, 409)["what"] == "An invoice that is void is not sent"


async def test_a_voided_invoice_is_drawn_anew_and_the_paper_from_before_stays_as_it_was_made(
    api: Api, office: TestOffice[Office], own_trips: Trips, sue: Actor
) -> None:
    ident = (await made(api, sue, own_trips.completed()))["invoice_id"]
    await office.work()
    original = await api.get("/webhook/get-invoice-pdf", by=sue, id=ident)
    await api.post("/webhook/void-invoice", {"id": ident}, by=sue)
    refused(await api.get("/webhook/get-invoice-pdf", by=sue, id=ident), 409, "invoice.no_document")
    around = (await api.get("/webhook/get-invoice", by=sue, id=ident)).json()["around"]
    assert (around["document_made_at"], around["original_made_at"] is None) == (None, False)
    assert await office.work() == ["completed"]
    void = await api.get("/webhook/get-invoice-pdf", by=sue, id=ident)
    assert void.headers["content-disposition"] == 'attachment; filename="INV-0001-void.pdf"'
    assert "VOID" in pages(void.content)[0]
    before = await api.get("/webhook/get-invoice-pdf", by=sue, id=ident, original=True)
    assert before.content == original.content
    assert before.headers["content-disposition"] == 'attachment; filename="INV-0001.pdf"'
    assert (await api.get("/webhook/get-invoice", by=sue, id=ident)).json()["around"]["document_made_at"] is not None


async def test_an_invoice_that_was_voided_before_it_had_a_paper_has_the_one_that_says_so_alone(
    api: Api, office: TestOffice[Office], own_trips: Trips, sue: Actor
) -> None:
    ident = (await made(api, sue, own_trips.completed()))["invoice_id"]
    await api.post("/webhook/void-invoice", {"id": ident}, by=sue)
    await office.work()
    assert "VOID" in pages((await api.get("/webhook/get-invoice-pdf", by=sue, id=ident)).content)[0]
    none = refused(await api.get("/webhook/get-invoice-pdf", by=sue, id=ident, original=True), 404, "invoice.no_document")
    assert none["why"] == "It was voided before one was made"


async def test_a_server_that_is_busy_is_tried_again_until_it_goes_once(
    api: Api, office: TestOffice[Office], own_trips: Trips, sue: Actor, mail: FakeMail
) -> None:
    await made(api, sue, own_trips.completed(), emailTo="jane@example.test")
    for at in (1, 2):
        mail.fails(at=at, error=Transient("The mail server", "The mail server is busy", code="mail.451"))
    for _ in range(4):
        await office.work(after_s=120)
    assert len(mail.sent) == 1
    assert office.task("send_invoice_email")["status"] == "completed"


async def test_without_an_answer_it_is_not_repeated_until_a_person_says_so_and_then_bears_the_same_name(
    api: Api, office: TestOffice[Office], own_trips: Trips, sue: Actor, mail: FakeMail
) -> None:
    await made(api, sue, own_trips.completed(), emailTo="jane@example.test")
    mail.loses_answers = 1
    for _ in range(3):
        await office.work(after_s=600)
    failed = office.task("send_invoice_email")
    assert (failed["status"], failed["error_code"], len(mail.sent)) == ("failed", "mail.may_be_sent", 1)
    assert failed["error_message"] == "Invoice INV-0001 may or may not have been sent. The mail server gave no answer."
    assert failed["error_hint"].startswith("Ask the recipient whether it came.")
    assert own_trips.database.value("select invoice_status from invoices") == "created"
    await api.post("/webhook/retry-task", {"task_id": str(failed["id"])}, by=sue)
    await office.work()
    first, second = mail.sent
    assert first == second
    assert own_trips.database.value("select invoice_status from invoices") == "sent"


@pytest.mark.parametrize(
    ("problem", "hint"),
    [
        (
            Unplaceable(
                "The mail server", "The mail server does not take mail for this address", "550", "Correct", code="mail.550"
            ),
            "Correct the e-mail address: open the invoice and send it again",
        ),
        (
            Misconfigured("The mail server", "The mail server refused our password", "535", "Ask the admin", code="mail.535"),
            "Ask the admin",
        ),
    ],
)
async def test_a_refusal_says_what_to_do_and_does_not_make_it_sent(
    api: Api, office: TestOffice[Office], own_trips: Trips, sue: Actor, mail: FakeMail, problem: Any, hint: str
) -> None:
    ident = (await made(api, sue, own_trips.completed(), emailTo="jane@wrong.test"))["invoice_id"]
    mail.fails(at=1, error=problem)
    await office.work()
    failed = office.task("send_invoice_email")
    assert (failed["status"], failed["error_hint"]) == ("failed", hint)
    assert "jane" not in failed["error_message"]
    assert own_trips.database.value("select invoice_status from invoices") == "created"
    await api.post("/webhook/send-invoice", {"id": ident, "emailTo": "jane@right.test"}, by=sue)
    await office.work(after_s=61)
    assert [one.to for one in mail.sent] == ["jane@right.test"]


async def test_the_address_is_in_no_task(api: Api, own_trips: Trips, database: Database, sue: Actor) -> None:
    await made(api, sue, own_trips.completed(), emailTo="jane@example.test")
    assert database.value("select count(*) from background_tasks where args::text like %s", "%jane@%") == 0
