"""password-reset: the old password is void at once; a temporary one reaches its person by mail afterwards.

Whoever has never been in is invited once more.
"""

from __future__ import annotations

from typing import Any
from uuid import UUID

from backhaul.core.errors import OutcomeUnknown, Transient
from backhaul.core.store import Actor, Tx
from backhaul.core.task import Later, Retry, Run
from backhaul.core.workflow import Saved
from backhaul.dispatch.accounts import temporary_passwords, users
from backhaul.dispatch.office import ADMINS, Office, workflow
from backhaul.dispatch.workflows.create_user import send_invitation

password_reset = workflow("password-reset", users.WhichUser, entity="user", audit="reset_password", allow=ADMINS)


# ── Sync phase: whoever knew the old password is out before the caller hears. Only the mail comes later ──
@password_reset.sync
async def take_password(tx: Tx, form: users.WhichUser, by: Actor) -> Saved:
    user = await users.find(tx, user_id=form.id, username=form.username)
    users.must_be_active(user)
    ended = await users.take_password(tx, user.id)
    return Saved(
        user.id,
        user.full_name,
        details={"username": user.username, "sessions_ended": ended},
        message=f"{user.full_name} is signed out everywhere, and the old password is void. "
        f"A temporary one goes to {user.email} in the background.",
        reply={"sessions_ended": ended, "email": user.email},
        then=[mail_new_password(user)],
    )


def mail_new_password(user: users.User) -> Later:
    """The same mail for the same person, so that one that arrives does the work of one that failed."""
    return (send_invitation if user.is_new else send_temporary_password).later(user.id)


# ── Background: see temporary_passwords.py for what a repeated attempt does ──
@password_reset.background(
    once_per="user_id", retry=Retry(attempts=8, on=(Transient, OutcomeUnknown)), lane="mail", label="Send temporary password"
)
async def send_temporary_password(run: Run[Office], user_id: UUID) -> dict[str, Any]:
    return await temporary_passwords.mail_one(run, user_id, "Your temporary password", _TEXT)


_TEXT = """\
Hello {name},

an administrator has reset your password in Backhaul. Your old one is void, and you are signed out everywhere. Sign in here:

{portal}

Username: {username}
Password: {password}

This password is good until {until} (Halifax time), for one thing: choosing your own. If several of these mails have come, only
the password in the newest works. If you have not asked for this, tell an administrator.
"""
