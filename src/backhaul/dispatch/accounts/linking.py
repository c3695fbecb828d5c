"""Which driver, or which client, an account belongs to: whose trips it sees. Each has one account at most."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any
from uuid import UUID

from pydantic import model_validator

from backhaul.core.audit import anywhere
from backhaul.core.errors import Conflict
from backhaul.core.queries import Queries
from backhaul.core.store import Db, Row, Tx
from backhaul.dispatch import forms
from backhaul.dispatch.accounts import users
from backhaul.dispatch.forms import Form, also, faulty

AT_MOST = 20  # to choose from; whoever is not among them is searched for
_sql = Queries("users")


class Link(Form):
    """An account, and the driver or client that it is; neither of them takes the link away."""

    id: Annotated[UUID, forms.record_id("User", required=True)] = also("id", "userId", "user_id")
    driver_id: Annotated[UUID | None, forms.record_id("Driver")] = also("driver_id", "driverId")
    client_id: Annotated[UUID | None, forms.record_id("Client")] = also("client_id", "clientId")

    @model_validator(mode="after")
    def _one_of_them(self) -> Link:
        if self.driver_id and self.client_id:
            raise ValueError("An account is a driver's or a client's, never both")
        return self


@dataclass(frozen=True, slots=True)
class Linked:
    """Whose trips the account saw, and whose it sees now; None: nobody's."""

    before: str | None
    after: str | None
    changed: bool


async def link(tx: Tx, user_id: UUID, driver_id: UUID | None, client_id: UUID | None) -> Linked:
    """Raises: Conflict when somebody else's account is linked to them; Rejected for a role without trips; NotFound; Forbidden."""
    user = await users.find(tx, user_id=user_id)
    wanted: Row = {"driver_id": driver_id, "client_id": client_id}
    for role, ident in (("driver", driver_id), ("client", client_id)):
        if ident and user.role != role:
            raise faulty({f"{role}_id": f"Only the account of a {role} is linked to a {role}; this one is {_a(user.role)}"})
    before = await _linked(tx, user_id)
    taken = await tx.one(_sql.linked_account, wanted | {"but": user_id})
    if taken:
        whose = "driver" if driver_id else "client"
        problem = Conflict(
            f"This {whose} has an account already: {taken['full_name']}",
            f"It signs in as {taken['username']}; each {whose} has one account at most",
            "Unlink that account first, or choose somebody else",
            code="user.linked",
        )
        problem.fields = {f"{whose}_id": problem.what}
        raise problem
    changed = (before["driver_id"], before["client_id"]) != (driver_id, client_id)
    if changed:
        await tx.one(_sql.link, wanted | {"id": user_id})
    return Linked(before["name"], (await _linked(tx, user_id))["name"], changed)


async def candidates(db: Db, role: str, words: str) -> list[Row]:
    """Drivers, or clients, by name, each with the account it is linked to: user_id and user_name, None where there is none."""
    query = _sql.drivers_to_link if role == "driver" else _sql.clients_to_link
    return await db.all(query, {"words": anywhere(words), "limit": AT_MOST})


async def _linked(db: Db, user_id: UUID) -> dict[str, Any]:
    return await db.one(_sql.linked, {"id": user_id}) or {"driver_id": None, "client_id": None, "name": None}


def _a(role: str) -> str:
    words = role.replace("_", " ")
    return f"an {words}'s" if words[0] in "aeiou" else f"a {words}'s"
