"""Reminders: each client and driver of an assigned trip has one text before its pickup, in the hours in which the office reminds.

Nobody clicks for this. Every LOOK_EVERY the schedule asks the database whether anybody is due (private.reminders_due, by the
office's settings); only then there is a task, which leaves one for each person. So a trip that is booked late is reminded of too.

A reminder that cannot be sent is a failed task of whose booking it is: the list of failures is the one place where people look
for what they must do, it has the advice and the retry, and failures of one cause are one entry there.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from backhaul.core.errors import Unplaceable
from backhaul.core.queries import Queries
from backhaul.core.store import Db, jsonb
from backhaul.core.task import Retry, Run, Snooze
from backhaul.dispatch.messages import messages
from backhaul.dispatch.messages.messages import Audience, Due
from backhaul.dispatch.messages.texting import send_intended
from backhaul.dispatch.office import Office, workflows
from backhaul.dispatch.wall_time import office

LOOK_EVERY = timedelta(minutes=5)
AT_ONCE = 500  # the others are still due at the next look
_sql = Queries("reminders")


@workflows.task(retry=Retry(attempts=3), label="Send reminders")
async def send_due_reminders(run: Run[Office]) -> dict[str, int]:
    """One task for each who is to be reminded now. Somebody whose task waits already keeps it."""
    due = await messages.due(run.db, limit=AT_ONCE)
    await run.db.all(_sql.make, {"tasks": jsonb([_task(one) for one in due])})
    return {"reminders": len(due)}


def _task(due: Due) -> dict[str, Any]:
    later = send_reminder.later(due.appointment_id, due.audience, due.recipient_id, due.for_time.astimezone(UTC))
    return later.as_json(("appointment", due.appointment_id, due.label)) | {"created_by": due.managed_by}


@workflows.task(
    once_per=("appointment_id", "audience", "recipient_id", "for_time"),
    retry=Retry(attempts=8),
    lane="quo",
    label="Send reminder",
)
async def send_reminder(
    run: Run[Office], appointment_id: UUID, audience: Audience, recipient_id: UUID, for_time: datetime
) -> dict[str, Any] | Snooze:
    """The client or driver has one text about this pickup, as long as it is theirs, still ahead, and the office reminds now."""
    turn = await _turn(run.db, appointment_id, audience, recipient_id, for_time)
    if because := turn.not_any_more:
        which = {"appointment": appointment_id, "audience": audience, "recipient": recipient_id, "for_time": for_time}
        await run.db.run(_sql.forget, which | {"task": run.task_id, "sending": f"{_intent(audience)}: sending %"})
        return {"sent": None, "because": because}
    if turn.opens is not None and turn.opens < for_time:
        return Snooze(turn.opens, f"No reminder goes out before {office(turn.opens):%H:%M}")

    async def compose(for_time: datetime) -> str:
        driver = recipient_id if audience == "driver" else None
        return await messages.text(run.db, appointment_id, audience, "reminder", driver=driver)

    text = await run.step("what it says", compose, for_time)
    intended = await messages.intend(
        run.db, appointment_id, audience, recipient_id, "reminder", for_time=for_time, to_number=turn.number, body=text
    )
    if intended.state == "sent":
        return {"sent": None, "because": "They have it already"}
    if not turn.ahead or turn.opens is not None:
        if intended.state == "intended":
            await messages.settle(run.db, intended.id, "unknown", error=_TOO_LATE)
        return {"sent": None, "because": _TOO_LATE}
    if run.office.texts is None:
        await messages.settle(run.db, intended.id, "refused", error=_OFF)
        return {"sent": None, "because": _OFF}
    if turn.number is None:
        await messages.settle(run.db, intended.id, "refused", error="There is no telephone number.")
        raise _nobody_to_text(audience)
    sent = await send_intended(run, intended.id, text, turn.number, _intent(audience))
    return {"sent": "reminder", "message_id": sent.message_id}


def _intent(audience: Audience) -> str:
    return f"the reminder to the {audience}"


_TOO_LATE = "It was not sent, or not known to be, while there was time for it"
_OFF = "Texts are off: no number to send from is set (quo_from)"


@dataclass(frozen=True, slots=True)
class _Turn:
    """How a reminder stands now. opens: when the office reminds next, if it does not now."""

    wanted: bool
    stands: bool
    same_time: bool
    theirs: bool
    ahead: bool
    number: str | None
    opens: datetime | None

    @property
    def not_any_more(self) -> str:
        """Why nobody is to be reminded; empty while somebody is."""
        if not self.stands:
            return "The trip is cancelled, archived or over, or has no driver"
        if not self.same_time:
            return "The trip was moved; a reminder of its own goes out for the new time"
        if not self.theirs:
            return "It is somebody else's trip now"
        return "" if self.wanted else "Reminders are off"


async def _turn(db: Db, appointment_id: UUID, audience: Audience, recipient_id: UUID, for_time: datetime) -> _Turn:
    which = {"appointment": appointment_id, "audience": audience, "recipient": recipient_id, "for_time": for_time}
    turn = await db.one(_sql.turn, which, into=_Turn)
    return turn or _Turn(True, False, False, False, False, None, None)  # the trip was removed altogether


def _nobody_to_text(audience: Audience) -> Unplaceable:
    return Unplaceable(
        "Quo",
        f"The {audience} was not reminded of this trip",
        "No telephone number is known for them",
        f"Add a mobile number on the {audience}'s card: the reminder then goes out by itself. Or tell them another way, and"
        " dismiss this",
        code="reminder.no_number",
    )
