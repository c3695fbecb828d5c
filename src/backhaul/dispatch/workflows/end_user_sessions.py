"""end-user-sessions: somebody is signed out on every device, at once: a lost telephone, a strange sign-in, a leaver."""

from __future__ import annotations

from backhaul.core.errors import Conflict
from backhaul.core.store import Actor, Tx
from backhaul.core.workflow import Saved
from backhaul.dispatch.accounts import users
from backhaul.dispatch.office import ADMINS, workflow

end_user_sessions = workflow("end-user-sessions", users.WhichUser, entity="user", audit="end_user_sessions", allow=ADMINS)


@end_user_sessions.sync
async def sign_out(tx: Tx, form: users.WhichUser, by: Actor) -> Saved:
    user = await users.find(tx, user_id=form.id, username=form.username)
    if user.id == by.id:
        raise Conflict(
            "These are your own sessions", "This one would end too", "Sign out on your profile", code="user.own_sessions"
        )
    ended = await users.sign_out(tx, user.id)
    return Saved(
        user.id,
        user.full_name,
        details={"username": user.username, "sessions_ended": ended},
        message=f"{user.full_name} is signed out everywhere." if ended else f"{user.full_name} is signed in nowhere.",
        reply={"sessions_ended": ended},
        changed=ended > 0,
    )
