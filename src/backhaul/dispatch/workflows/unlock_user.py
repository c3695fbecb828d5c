"""unlock-user: wrong passwords are forgotten, so that somebody who is locked out may try again at once."""

from __future__ import annotations

from backhaul.core.store import Actor, Tx
from backhaul.core.workflow import Saved
from backhaul.dispatch.accounts import users
from backhaul.dispatch.office import ADMINS, workflow

unlock_user = workflow("unlock-user", users.WhichUser, entity="user", audit="unlock_user", allow=ADMINS)


@unlock_user.sync
async def forget_wrong_passwords(tx: Tx, form: users.WhichUser, by: Actor) -> Saved:
    user = await users.find(tx, user_id=form.id, username=form.username)
    was_locked = await users.unlock(tx, user.id)
    return Saved(
        user.id,
        user.full_name,
        details={"username": user.username},
        message=f"{user.full_name} may try again at once." if was_locked else f"{user.full_name} was not locked out.",
        changed=was_locked,
    )
