"""update-user-profile: one's own name, e-mail address and telephone. The caller waits for the save, and nothing follows it."""

from __future__ import annotations

from backhaul.core.store import Actor, Tx
from backhaul.core.workflow import Saved
from backhaul.dispatch.accounts import profile
from backhaul.dispatch.office import EVERYBODY, workflow

update_user_profile = workflow(
    "update-user-profile", profile.ProfileChanges, entity="user", audit="update_profile", allow=EVERYBODY
)


# ── Sync phase: whose record it is says the token. A password that came along has been judged before: see forms.WithPassword ──
@update_user_profile.sync
async def save_profile(tx: Tx, form: profile.ProfileChanges, by: Actor) -> Saved:
    changed = await profile.save(tx, form)
    me = await profile.mine(tx)
    return Saved(
        by.id,
        me["fullName"],
        details={"fields_updated": changed},
        message="Profile updated successfully" if changed else "Everything is as it was; there was nothing to change.",
        reply={"user": {name: me[name] for name in ("id", "fullName", "email", "phone")}},
        changed=bool(changed),
    )
