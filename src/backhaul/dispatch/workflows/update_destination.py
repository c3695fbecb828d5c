"""update-destination: a rename loses nothing; a new address is placed anew, and the times to it are measured again."""

from __future__ import annotations

from backhaul.core.store import Actor, Tx
from backhaul.core.workflow import Saved
from backhaul.dispatch.destinations import destinations
from backhaul.dispatch.destinations.destinations import ADDRESS, DestinationChange, NewDestination
from backhaul.dispatch.office import LEAD, workflow
from backhaul.dispatch.stale import check_fresh
from backhaul.dispatch.workflows.add_destination import calculate_travel_times

update_destination = workflow(
    "update-destination",
    DestinationChange,
    entity="destination",
    audit="update_destination",
    allow=LEAD,
    aliases=("update-destination-v5",),
    methods=("PUT", "POST"),  # POST for pages that know no PUT
)


# ── Sync phase: what changed is saved and named in the audit log; travel times follow a new address, or a clinic taken back ──
@update_destination.sync
async def save_changes(tx: Tx, form: DestinationChange, by: Actor) -> Saved:
    stored = await destinations.get(tx, form.id)
    await check_fresh(tx, form.version, stored.version, ("destination", stored.id, stored.label))
    changed = await destinations.update(tx, form)
    made = changed.after
    fields = [name for name in changed.fields if name in NewDestination.model_fields]
    moved = changed.touched(*ADDRESS)
    reply = {
        "data": {
            "destination": made,
            "addressChanged": moved,
            "nameChanged": changed.touched("name"),
            "fieldsUpdated": fields,
        }
    }
    if not fields:
        return Saved(made.id, made.label, f"Nothing to save: {made.name} is as before.", reply=reply, changed=False)
    measure = made.active and (moved or changed.touched("active"))
    return Saved(
        made.id,
        made.label,
        details={"name": made.name, "fields_updated": fields},
        message="Destination updated. Travel times processing in background." if measure else "Destination updated successfully",
        then=[calculate_travel_times.later(made.id)] if measure else [],
        reply=reply,
    )
