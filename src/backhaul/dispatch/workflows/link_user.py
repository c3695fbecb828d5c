"""link-user: an administrator says which driver, or which client, an account is; then it sees their trips, and only theirs."""

from __future__ import annotations

from backhaul.core.store import Actor, Tx
from backhaul.core.workflow import Saved
from backhaul.dispatch.accounts import linking, users
from backhaul.dispatch.accounts.linking import Link, Linked
from backhaul.dispatch.office import ADMINS, workflow

link_user = workflow("link-user", Link, entity="user", audit="link_user", allow=ADMINS)


# ── Sync phase. Row-level security reads the link at each statement, so it counts at once, in open sessions too ──
@link_user.sync
async def save_link(tx: Tx, form: Link, by: Actor) -> Saved:
    linked = await linking.link(tx, form.id, form.driver_id, form.client_id)
    user = await users.find(tx, user_id=form.id)
    return Saved(
        user.id,
        user.full_name,
        details={"linked_to": {"from": linked.before, "to": linked.after}},
        message=_said(user.full_name, linked),
        reply={"linked_to": linked.after},
        changed=linked.changed,
    )


def _said(name: str, linked: Linked) -> str:
    if not linked.changed:
        return "Everything is as it was; there was nothing to change."
    if linked.after is None:
        return f"{name}'s account is linked to nobody now: it sees no trips."
    return f"{name}'s account sees the trips of {linked.after} now."
