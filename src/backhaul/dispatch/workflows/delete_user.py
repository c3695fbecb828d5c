"""delete-user: nobody gets in by this account any more. It is deactivated, not removed, since what they did stays theirs."""

from __future__ import annotations

from backhaul.core.store import Actor, Tx
from backhaul.core.workflow import Saved
from backhaul.dispatch.accounts import users
from backhaul.dispatch.office import ADMINS, workflow

delete_user = workflow("delete-user", users.WhichUser, entity="user", audit="deactivate_user", allow=ADMINS)


@delete_user.sync
async def deactivate(tx: Tx, form: users.WhichUser, by: Actor) -> Saved:
    user = await users.find(tx, user_id=form.id, username=form.username)
    changed, _ = await users.change(tx, user.id, {"is_active": False})
    done = "is deactivated now" if changed else "was deactivated already"
    return Saved(
        user.id,
        user.full_name,
        details={"username": user.username, "role": user.role},
        message=f"{user.full_name}'s account {done}. It stays, with all they have done, and can be activated again.",
        reply={"deactivated": True},
        changed=bool(changed),
    )
