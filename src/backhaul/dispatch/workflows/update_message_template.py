"""update-message-template: an administrator writes what one kind of text message says, or goes back to the usual words."""

from __future__ import annotations

from backhaul.core.store import Actor, Tx
from backhaul.core.workflow import Saved
from backhaul.dispatch.messages import messages
from backhaul.dispatch.messages.messages import TemplateChange
from backhaul.dispatch.office import ADMINS, workflow

update_message_template = workflow(
    "update-message-template", TemplateChange, entity="message_template", audit="update_template", allow=ADMINS
)


@update_message_template.sync
async def save_template(tx: Tx, form: TemplateChange, by: Actor) -> Saved:
    changed = await messages.change_template(tx, form)
    before, after = changed.before, changed.after
    said = "It says the usual words." if after.body == after.usual_body else "The next message says the new words."
    moved = changed.touched("body")
    return Saved(
        after.id,
        f"{after.kind.capitalize()}, to the {after.audience}",
        details={"audience": after.audience, "kind": after.kind, "body": {"from": before.body, "to": after.body}},
        message=said if moved else "It says so already; there was nothing to change.",
        reply={"template": await messages.told(tx, after)},
        changed=moved,
    )
