"""Workers that are killed over an invoice's mail, as real processes: the client's mailbox gets it once, or a person is asked."""

from __future__ import annotations

import signal
from typing import Any

import pytest

from backhaul.core.testing import Database
from tests.processes import StandIn, Workers, eventually
from tests.trips import Trips

RESCUED_WITHIN_S = 15.0


def ask_for_mail(database: Database) -> Any:
    """An invoice that was made, with its PDF, and is to be mailed; the task's id."""
    trip = Trips(database).completed()
    invoice = database.value("select (private.create_invoice(array[%s::uuid])).id", trip)
    database.all("select private.address_invoice(%s, 'jane@example.test')", invoice)
    database.all("insert into invoice_documents (invoice_id, content) values (%s, %s)", invoice, b"%PDF-1.7 as it was made")
    create = "select create_background_task('invoice', %s, 'INV-0001', 'send_invoice_email', lane => 'mail')"
    return database.value(create, invoice)


CERTAIN = {
    "it went, that was kept, but the invoice not marked": "backhaul.dispatch.invoices.invoices.note_mailed",
    "it went, but the end was not reported": "backhaul.core.worker.Worker._write",
}
IN_DOUBT = {
    "it was written down, but not sent": ("backhaul.outside.smtp.Smtp.send", 0),
    "it was sent, but that not kept": ("backhaul.dispatch.messages.mailing._known", 1),
}


@pytest.mark.parametrize("place", CERTAIN.values(), ids=CERTAIN.keys())
def test_a_worker_may_die_where_all_is_known_and_one_mail_goes(
    place: str, workers: Workers, stand_in: StandIn, live_database: Database
) -> None:
    task = ask_for_mail(live_database)
    victim = workers.start_other(dies_at=place, lease_s=1)
    assert victim.ended(within_s=10) == -signal.SIGKILL
    workers.start_other()
    ended = _ended(live_database, task)
    assert ended["status"] == "completed"
    assert [mail["to"] for mail in stand_in.mails()] == [["jane@example.test"]]
    assert live_database.value("select invoice_status from invoices") == "sent"


@pytest.mark.parametrize(("place", "gone"), IN_DOUBT.values(), ids=IN_DOUBT.keys())
def test_where_nobody_can_know_it_is_not_repeated_and_a_person_is_asked(
    place: str, gone: int, workers: Workers, stand_in: StandIn, live_database: Database
) -> None:
    task = ask_for_mail(live_database)
    victim = workers.start_other(dies_at=place, lease_s=1)
    assert victim.ended(within_s=10) == -signal.SIGKILL
    workers.start_other()
    ended = _ended(live_database, task)
    assert (ended["status"], ended["error_code"]) == ("failed", "mail.may_be_sent")
    assert len(stand_in.mails()) == gone
    live_database.all("select retry_background_task(%s)", task)
    eventually(lambda: len(stand_in.mails()) == gone + 1, within_s=RESCUED_WITHIN_S)
    assert _ended(live_database, task)["status"] == "completed"
    assert len(stand_in.mails()) == gone + 1


def _ended(database: Database, task: Any) -> Any:
    found = "select status, error_code from background_tasks where id = %s and status in ('completed', 'failed')"
    (row,) = eventually(lambda: database.all(found, task), within_s=RESCUED_WITHIN_S)
    return row
