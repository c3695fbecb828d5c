"""Temporary passwords: made by the task that mails them, so that none ever lies in a form, an argument, a checkpoint or a log.

Each attempt makes another, which voids the one before. That is why a mail that may have gone out can be sent again, why there is
no step in it, and why each attempt's mail has an id of its own: mail programs would show two of one id as one, the wrong one.
"""

from __future__ import annotations

from typing import Any
from uuid import UUID

from backhaul.core.errors import Unplaceable
from backhaul.core.passwords import temporary_password
from backhaul.core.queries import Queries
from backhaul.core.task import Run
from backhaul.dispatch.accounts import users
from backhaul.dispatch.office import OFFICE_TIME, Office
from backhaul.outside.mail import Message

_sql = Queries("users")
_NOT_NEEDED = {"sent": False, "because": "They have a password of their own by now, or the account is deactivated"}


async def mail_one(run: Run[Office], user_id: UUID, subject: str, text: str) -> dict[str, Any]:
    """Gives a new temporary password and mails it, to whoever still waits for one. text: with {name}, {username}, {password} …

    Raises: whatever the mail does; Unplaceable says where the address is corrected.
    """
    user = await run.db.one(_sql.waits_for_password, {"id": user_id})
    if user is None:
        return _NOT_NEEDED
    password = temporary_password()
    good_until = await users.give_temporary_password(run.db, user_id, password)
    if good_until is None:
        return _NOT_NEEDED
    until = good_until.astimezone(OFFICE_TIME).strftime("%H:%M on %d %B %Y").replace(" 0", " ")
    filled = text.format(
        name=user["full_name"], username=user["username"], password=password, portal=run.office.portal_url, until=until
    )
    mail = Message(user["email"], subject, filled, f"{run.task_id}.{run.attempt}", to_name=user["full_name"])
    try:
        await run.office.mail.send(mail)
    except Unplaceable as problem:
        todo = "Correct the e-mail address under Users. Saving it sends a new password there by itself"
        raise Unplaceable(problem.service, problem.what, problem.why, todo, code=problem.code) from problem
    return {"sent": True, "good_until": good_until}
