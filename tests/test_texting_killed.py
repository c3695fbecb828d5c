"""Workers that are killed over a text, as real processes: the client's telephone rings once."""

from __future__ import annotations

import signal
from uuid import UUID, uuid4

import pytest

from backhaul.core.testing import Database
from tests.processes import StandIn, Workers, eventually

KNOWS = "tests.texting_task"
RESCUED_WITHIN_S = 10.0


def text(database: Database) -> UUID:
    """Asks for one text; the task's id."""
    create = "select create_background_task('client', %s, 'Jane Roe', 'text_the_client', lane => 'quo')"
    return UUID(str(database.value(create, uuid4())))


def completed(database: Database, task_id: UUID) -> bool:
    return bool(database.value("select status = 'completed' from background_tasks where id = %s", task_id))


def sent_once(database: Database, stand_in: StandIn, task_id: UUID) -> None:
    eventually(lambda: completed(database, task_id), within_s=RESCUED_WITHIN_S)
    (message,) = stand_in.texts()
    result = database.value("select result from background_tasks where id = %s", task_id)
    assert result == {"message_id": message["id"]}


def test_a_worker_killed_between_the_text_and_its_answer_leaves_one_text(
    workers: Workers, stand_in: StandIn, live_database: Database
) -> None:
    victim = workers.start_other(knows=KNOWS, lease_s=1)
    stand_in.order(service="quo", fault="hold", method="POST", path="/v1/messages", times=1)
    task = text(live_database)
    eventually(lambda: stand_in.held() == 1)
    victim.kill()
    workers.start_other(knows=KNOWS)
    sent_once(live_database, stand_in, task)


MOMENTS = {
    "nothing was asked": "backhaul.dispatch.messages.texting.send_once",
    "it was written down, but not sent": "backhaul.outside.quo_messages.QuoTexts.send",
    "it was sent, but the end not reported": "backhaul.core.worker.Worker._write",
}


@pytest.mark.parametrize("place", MOMENTS.values(), ids=MOMENTS.keys())
def test_a_worker_may_die_at_any_moment_of_a_text(
    place: str, workers: Workers, stand_in: StandIn, live_database: Database
) -> None:
    victim = workers.start_other(knows=KNOWS, dies_at=place, lease_s=1)
    task = text(live_database)
    assert victim.ended(within_s=10) == -signal.SIGKILL
    workers.start_other(knows=KNOWS)
    sent_once(live_database, stand_in, task)
