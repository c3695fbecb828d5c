"""create-user: the caller waits for the account alone; its person gets a temporary password by mail afterwards."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from backhaul.core.errors import OutcomeUnknown, Transient
from backhaul.core.store import Actor, Tx
from backhaul.core.task import Retry, Run
from backhaul.core.workflow import Saved
from backhaul.dispatch.accounts import linking, temporary_passwords, users
from backhaul.dispatch.office import ADMINS, Office, workflow

create_user = workflow("create-user", users.NewUser, entity="user", audit="create_user", allow=ADMINS)


# ── Sync phase: account, audit log and invitation in one commit. A password given by hand, judged before, needs no mail ──
@create_user.sync
async def save_user(tx: Tx, form: users.NewUser, by: Actor) -> Saved:
    user_id = await users.insert(tx, form)
    linked = await linking.link(tx, user_id, form.driver_id, form.client_id) if form.driver_id or form.client_id else None
    invited = form.is_active and form.password is None
    if form.password is not None:
        await users.give_temporary_password(tx, user_id, form.password.get_secret_value())
        then = "Hand the password over; it is good for 24 hours, and they choose their own when they sign in."
    elif invited:
        then = f"An invitation goes to {form.username} in the background."
    else:
        then = "It is deactivated, so no invitation is sent."
    return Saved(
        user_id,
        form.full_name,
        details={"username": form.username, "role": form.role, "is_active": form.is_active}
        | ({"linked_to": linked.after} if linked else {}),
        message=f"Account created. {then}",
        then=[send_invitation.later(user_id)] if invited else [],
    )


# ── Background: see temporary_passwords.py for what a repeated attempt does ──
@create_user.background(
    once_per="user_id", retry=Retry(attempts=8, on=(Transient, OutcomeUnknown)), lane="mail", label="Send invitation"
)
async def send_invitation(run: Run[Office], user_id: UUID) -> dict[str, Any]:
    return await temporary_passwords.mail_one(run, user_id, "Your Backhaul account", _TEXT)


_TEXT = """\
Hello {name},

you have an account in Backhaul, the portal of the dispatch office. Sign in here:

{portal}

Username: {username}
Password: {password}

The password is good until {until} (Halifax time), for one thing: choosing your own. If several of these mails have come, only
the password in the newest works. If this one is too old, choose "Forgot password" on that page.
"""
