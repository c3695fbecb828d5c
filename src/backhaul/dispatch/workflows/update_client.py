"""update-client: the caller waits for the save; Maps and Quo hear only of what concerns them, and only when it changed."""

from __future__ import annotations

from uuid import UUID

from backhaul.core.store import Actor, Tx
from backhaul.core.task import Later
from backhaul.core.workflow import Saved
from backhaul.dispatch.changes import Changed
from backhaul.dispatch.clients import clients
from backhaul.dispatch.clients.clients import QUO_FIELDS, Client
from backhaul.dispatch.clients.forms import ADDRESS, SECOND_ADDRESS, ClientChange
from backhaul.dispatch.office import STAFF, workflow
from backhaul.dispatch.travel import wanted_times
from backhaul.dispatch.workflows.add_client import calculate_clinic_travel_times, calculate_drive_times, sync_quo

update_client = workflow(
    "update-client",
    ClientChange,
    entity="client",
    audit="update_client",
    allow=STAFF,
    aliases=("update-client-destinations", "updateClient"),
)


# ── Sync phase: what changed is saved, named in the audit log, and followed by the tasks it makes necessary ──
@update_client.sync
async def save_changes(tx: Tx, form: ClientChange, by: Actor) -> Saved:
    known = await wanted_times.measured_of(tx, form.id, form.original or form.knumber)  # a new address forgets them
    changed = await clients.update(tx, form)
    client = changed.after
    fields = [name for name in changed.fields if name in clients.COLUMNS]
    moved = changed.touched(*ADDRESS)
    then = await _to_follow(tx, form, changed, known)
    reply = {
        "travelTimesRecalculated": any(later.task_type != sync_quo.name for later in then),
        "data": {
            "client": {"id": client.id, "knumber": client.knumber, "version": client.version},
            "addressChanged": moved or changed.touched(*SECOND_ADDRESS),
            "fieldsUpdated": fields,
            "profileCompleted": changed.touched("profile_status") and client.profile_status == "complete",
        },
    }
    if not fields and not then:
        return Saved(client.id, client.label, f"Nothing to save: {client.full_name} is as before.", reply=reply, changed=False)
    details = {"client_name": client.full_name, "knumber": client.knumber, "fields_updated": fields}
    return Saved(client.id, client.label, message=_message(then), then=then, details=details, reply=reply)


async def _to_follow(tx: Tx, form: ClientChange, changed: Changed[Client], known: list[UUID]) -> list[Later]:
    """Only what the change makes necessary. The tasks read the newest data when they run."""
    client = changed.after
    then: list[Later] = []
    if changed.touched(*ADDRESS) and form.recalculate:
        then.append(calculate_drive_times.later(client.id))
    if await _want_clinic_times(tx, form, changed, known):
        then.append(calculate_clinic_travel_times.later(client.id))
    if changed.touched(*QUO_FIELDS):
        then.append(sync_quo.later(client.id))
    return then


async def _want_clinic_times(tx: Tx, form: ClientChange, changed: Changed[Client], known: list[UUID]) -> int:
    """Asks for the clinic times that the change makes necessary; returns for how many clinics.

    With a new address: for those chosen, and those there was a time for; for all active ones when none is chosen. Otherwise: for
    those chosen, and a new primary clinic, that have none yet.
    """
    client = changed.after
    chosen = set(form.selected_clinic_ids)
    if changed.touched("primary_clinic_id") and client.primary_clinic_id:
        chosen.add(client.primary_clinic_id)
    if changed.touched(*ADDRESS, *SECOND_ADDRESS):
        if not form.recalculate or not (client.second_address or changed.touched(*ADDRESS)):
            return 0  # a second address that was taken away leaves nothing to measure
        return await wanted_times.want(tx, client.id, chosen | set(known) if form.selected_clinic_ids else ())
    missing = await wanted_times.unmeasured(tx, client.id, chosen)
    return await wanted_times.want(tx, client.id, missing) if missing else 0


def _message(then: list[Later]) -> str:
    names = {calculate_drive_times.name: "drive times", calculate_clinic_travel_times.name: "clinic travel times"}
    parts = [names.get(later.task_type, "Quo sync") for later in then]
    if not parts:
        return "Client updated successfully"
    listed = " and ".join([", ".join(parts[:-1]), parts[-1]] if len(parts) > 1 else parts)
    return f"Client updated. Background tasks running: {listed}."
