"""update-office-settings: an administrator says how the office is called, when it reminds, and what it charges. No work follows.

Reminders are looked for every few minutes by what the settings say then.
"""

from __future__ import annotations

from backhaul.core.store import Actor, Tx
from backhaul.core.workflow import Saved
from backhaul.dispatch.admin import office_settings
from backhaul.dispatch.admin.office_settings import SettingsChange
from backhaul.dispatch.office import ADMINS, workflow

update_office_settings = workflow(
    "update-office-settings", SettingsChange, entity="office_settings", audit="update_settings", allow=ADMINS
)


@update_office_settings.sync
async def save_settings(tx: Tx, form: SettingsChange, by: Actor) -> Saved:
    ident, changed = await office_settings.change(tx, form)
    return Saved(
        ident,
        "Office settings",
        details={key: {"from": before, "to": after} for key, (before, after) in changed.items()},
        message="Settings saved." if changed else "Everything is as it was; there was nothing to change.",
        reply={"fields_updated": sorted(changed)},
        changed=bool(changed),
    )
