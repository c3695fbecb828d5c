"""mark-message-sent: somebody has looked in Quo for a text whose fate nobody knew, and it is there. Nothing follows."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from backhaul.core.store import Actor, Tx
from backhaul.core.workflow import Saved
from backhaul.dispatch import forms
from backhaul.dispatch.forms import Form, needed
from backhaul.dispatch.messages import messages
from backhaul.dispatch.office import STAFF, workflow
from backhaul.dispatch.trips import appointments


class OneMessage(Form):
    """A text about a trip that may have been sent, and that they have. Its failure, if it is yours to see, is dismissed."""

    id: Annotated[UUID, forms.record_id("Message", required=True)] = needed("id", "messageId", "message_id")


mark_message_sent = workflow("mark-message-sent", OneMessage, entity="appointment", audit="mark_message_sent", allow=STAFF)


@mark_message_sent.sync
async def save_fate(tx: Tx, form: OneMessage, by: Actor) -> Saved:
    message = await messages.mark_sent(tx, form.id)
    trip = await appointments.get(tx, message["appointment_id"])
    return Saved(
        trip.id,
        trip.label,
        "Noted: they have it.",
        details={"audience": message["audience"], "kind": message["kind"]},
    )
