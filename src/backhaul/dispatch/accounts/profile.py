"""The profile: what people look after themselves. Their name, how they are reached, and where they are signed in."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Self
from uuid import UUID

from pydantic import AliasChoices, ConfigDict, Field, model_validator

from backhaul.core.queries import Queries
from backhaul.core.store import Row, Tx, jsonb
from backhaul.core.user_agent import device
from backhaul.dispatch import forms
from backhaul.dispatch.forms import RequiredEmail, WithPassword, text

WIRE_NAMES = {"full_name": "fullName", "email": "email", "phone": "phone"}
_sql = Queries("profile")


class ProfileChanges(WithPassword):
    """One's own full name, e-mail address and telephone number. What is not sent stays; an empty phone is taken off.

    Changing e-mail or phone asks for the current password.
    """

    model_config = ConfigDict(validate_default=False)
    full_name: Annotated[str | None, text("Full name", required=True)] = Field(
        default=None, validation_alias=AliasChoices("fullName", "full_name")
    )
    email: RequiredEmail = forms.also("email")  # may be left out, but not taken away
    phone: Annotated[str | None, forms.phone()] = None

    @model_validator(mode="after")
    def _something(self) -> Self:
        if not self.changes:
            raise ValueError("Full name, e-mail or phone is required")
        return self

    @property
    def changes(self) -> Mapping[str, str | None]:
        """What was sent, by its column."""
        return {name: getattr(self, name) for name in WIRE_NAMES if name in self.model_fields_set}


class Elsewhere(WithPassword):
    """Asks for the current password, unless it was given in the last five minutes."""


class OtherSession(Elsewhere):
    """One of one's own sessions, by its id. Asks for the current password, unless it was given in the last five minutes."""

    session_id: Annotated[UUID | None, forms.record_id("Session")] = None

    @model_validator(mode="after")
    def _named(self) -> Self:
        if self.session_id is None:
            raise ValueError("Session is required")
        return self


async def save(tx: Tx, form: ProfileChanges) -> list[str]:
    """The fields that really changed, by their wire names. Raises: Conflict for a taken e-mail; Rejected without proof."""
    saved = await tx.one(_sql.save, {"changes": jsonb(form.changes)})
    changed: list[str] = saved["changed"] if saved else []
    return [WIRE_NAMES[name] for name in changed]


async def mine(tx: Tx) -> Row:
    """The caller's own record, as on the wire."""
    row = await tx.one(_sql.mine)
    if row is None:
        raise LookupError("whoever has entered has a record")
    return {WIRE_NAMES.get(name, name): value for name, value in row.items()}


async def open_sessions(tx: Tx, here: UUID) -> list[Row]:
    """Where the caller is signed in, the latest used first; `current` is the one they ask from."""
    rows = await tx.all(_sql.sessions)
    return [row | _where(row.pop("user_agent")) | {"current": row["id"] == here} for row in rows]


async def sign_out(tx: Tx, session_id: UUID | None) -> int:
    """Ends one session; 0 when it had ended before. Raises: NotFound for one of somebody else; Rejected without proof."""
    return _ended(await tx.one(_sql.sign_out, {"session": session_id}))


async def sign_out_others(tx: Tx, here: UUID) -> int:
    """Ends all others. Returns how many. Raises: Rejected without proof."""
    return _ended(await tx.one(_sql.sign_out_others, {"here": here}))


def _where(user_agent: str | None) -> Row:
    told = device(user_agent)
    return {"device": told.words, "device_kind": told.kind}


def _ended(row: Row | None) -> int:
    return int(row["ended"]) if row else 0
