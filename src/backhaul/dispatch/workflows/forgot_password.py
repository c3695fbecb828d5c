"""forgot-password: a link to choose a new one goes to the address we know. Nobody waits for it, or learns who has an account.

Not a `workflow`, since nobody is signed in; but audit entry and task are written in one commit all the same.
"""

from __future__ import annotations

import secrets
from typing import Any
from uuid import UUID

from backhaul.core.errors import OutcomeUnknown, Transient
from backhaul.core.queries import Queries
from backhaul.core.sessions import Caller, digest
from backhaul.core.store import Store, jsonb
from backhaul.core.task import Retry, Run
from backhaul.dispatch.office import OFFICE_TIME, Office, workflows
from backhaul.outside.mail import Message

_sql = Queries("profile")
_ASKED = b"""
select audit_log_id from private.record_save(null, 'request_password_reset', 'user', %(user)s, '{}', %(ip)s, %(agent)s, %(tasks)s)
"""
_REFUSED = b"""
select private.write_audit('request_password_reset', 'user', null, null, '{}', %(ip)s, %(agent)s,
                           'No active account has this name')
"""


# ── What the caller waits for: to whom a name belongs, and the note of it. The same answer follows either way ──
async def ask_for_reset_link(store: Store, name: str, caller: Caller) -> None:
    """name: what somebody signs in with, or their e-mail address. One that is nobody's is noted too, but not the name itself."""
    said = {"ip": caller.ip, "agent": caller.user_agent}
    async with store.service() as tx:
        meant = await tx.all(_sql.askers, {"name": name})
        for user in meant:
            task = send_reset_link.later(user["id"]).as_json(("user", user["id"], user["full_name"]))
            await tx.one(_ASKED, said | {"user": user["id"], "tasks": jsonb([task])})
        if not meant:
            await tx.one(_REFUSED, said)


# ── Background. The token is made here, so that no row of ours ever held it. Each attempt makes another, which voids the one
#    before: that is why a mail that may have gone out can be sent again. Its failure is nobody's own, so supervisors see it ──
@workflows.task(
    once_per="user_id", retry=Retry(attempts=8, on=(Transient, OutcomeUnknown)), lane="mail", label="Send password reset link"
)
async def send_reset_link(run: Run[Office], user_id: UUID) -> dict[str, Any]:
    user = await run.db.one(_sql.reachable, {"id": user_id})
    if user is None:  # disabled since
        return {"sent": False}
    token = secrets.token_urlsafe(32)
    link = await run.db.one(_sql.put_reset_link, {"user": user_id, "token": digest(token)}) or {}
    text = _TEXT.format(
        name=user["full_name"],
        username=user["username"],
        link=f"{run.office.portal_url}/reset-password.html#token={token}",
        until=link["expires_at"].astimezone(OFFICE_TIME).strftime("%H:%M on %d %B %Y").replace(" 0", " "),
    )
    await run.office.mail.send(
        Message(user["email"], "Choose a new password", text, f"{run.task_id}.{run.attempt}", to_name=user["full_name"])
    )
    return {"sent": True}


_TEXT = """\
Hello {name},

somebody, we hope you, asked for a new password for {username}.
Choose one here:

{link}

The link works once, until {until} (Halifax time). A newer link makes it void.

If it was not you, there is nothing to do: your password stays as it is, and nobody but you has this link. If it happens again,
tell an administrator.
"""
