"""update-user: an administrator changes somebody's name, address, telephone, role, or whether they may come in."""

from __future__ import annotations

from backhaul.core.store import Actor, Tx
from backhaul.core.workflow import Saved
from backhaul.dispatch.accounts import users
from backhaul.dispatch.office import ADMINS, workflow
from backhaul.dispatch.workflows.password_reset import mail_new_password

update_user = workflow("update-user", users.UserChanges, entity="user", audit="update_user", allow=ADMINS)


# ── Sync phase. A changed role or a deactivated account ends the person's sessions in the same commit, by a trigger ──
@update_user.sync
async def save_changes(tx: Tx, form: users.UserChanges, by: Actor) -> Saved:
    changed, role_before = await users.change(tx, form.id, form.changes)
    user = await users.find(tx, user_id=form.id)
    # whoever still waits for a password gets it where they are now reached: what went to an old address is void
    send = bool({"email", "is_active"} & set(changed)) and user.is_active and user.must_change_password
    roles = {"role": {"from": role_before, "to": user.role}} if "role" in changed else {}
    return Saved(
        user.id,
        user.full_name,
        details={"fields_updated": changed} | roles,
        message=_said(user, changed, sent=send),
        reply={"fields_updated": changed},
        then=[mail_new_password(user)] if send else [],
        changed=bool(changed),
    )


def _said(user: users.User, changed: list[str], *, sent: bool) -> str:
    if not changed:
        return "Everything is as it was; there was nothing to change."
    said = [f"{user.full_name} is saved."]
    if "is_active" in changed:
        said = [f"{user.full_name}'s account is {'active again' if user.is_active else 'deactivated'}."]
    if "role" in changed:
        said.append("With the new role they must sign in again.")
    if sent:
        said.append(f"A new temporary password goes to {user.email} in the background.")
    return " ".join(said)
