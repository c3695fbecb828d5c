"""sign-out-session and sign-out-others: a person ends their own sessions in other places. Nothing follows in the background.

Whoever holds such a session hears of it at once: the end closes its event stream, and its next request is refused.
"""

from __future__ import annotations

from backhaul.core.store import Actor, Tx
from backhaul.core.workflow import Saved
from backhaul.dispatch.accounts import profile
from backhaul.dispatch.office import EVERYBODY, workflow

sign_out_session = workflow("sign-out-session", profile.OtherSession, entity="user", audit="sign_out_session", allow=EVERYBODY)
sign_out_others = workflow("sign-out-others", profile.Elsewhere, entity="user", audit="sign_out_others", allow=EVERYBODY)


@sign_out_session.sync
async def end_one(tx: Tx, form: profile.OtherSession, by: Actor) -> Saved:
    ended = await profile.sign_out(tx, form.session_id)
    said = "Signed out there" if ended else "That session had ended before"
    details = {"session_id": form.session_id}
    return Saved(by.id, by.name, message=said, details=details, reply={"sessions_ended": ended}, changed=ended > 0)


@sign_out_others.sync
async def end_others(tx: Tx, _: profile.Elsewhere, by: Actor) -> Saved:
    ended = await profile.sign_out_others(tx, by.session_id)
    said = "Signed out everywhere else" if ended else "You are signed in nowhere else"
    details = {"sessions_ended": ended}
    return Saved(by.id, by.name, message=said, details=details, reply=details, changed=ended > 0)
