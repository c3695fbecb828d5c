"""Users: who may come in, and as what. An account is deactivated but never removed, since what its person did stays theirs.

What is allowed is decided in sql/accounts_schema.sql, where each function asks whether the caller looks after users.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Self
from uuid import UUID

from pydantic import model_validator

from backhaul.core.errors import Conflict, NotFound
from backhaul.core.passwords import PasswordRules, Passwords
from backhaul.core.queries import Queries
from backhaul.core.store import Db, Row, Tx, jsonb
from backhaul.dispatch import forms
from backhaul.dispatch.forms import Change, Form, RequiredEmail, WithNewPassword, also, needed, text
from backhaul.dispatch.settings import Settings

ROLES = ("admin", "supervisor", "booking_agent", "driver", "client")
_sql = Queries("users")

FullName = Annotated[str, text("Full name", required=True)]
Role = Annotated[str, forms.choice("Role", *ROLES, required=True)]
Active = Annotated[bool, forms.yes_or_no("Active", default=True)]


def password_rules(settings: Settings) -> PasswordRules:
    """What new passwords must be in this installation."""
    return PasswordRules(settings["password_least"], settings["password_composed"], settings["breached_passwords"])


class NewUser(WithNewPassword):
    """A new account. Its username is the e-mail address; a password given here is temporary."""

    username: RequiredEmail = also("username", "email")
    full_name: FullName = also("full_name", "fullName")
    phone: Annotated[str | None, forms.phone()] = also("phone")
    role: Role = also("role")
    is_active: Active = also("is_active", "isActive")
    driver_id: Annotated[UUID | None, forms.record_id("Driver")] = also("driver_id", "driverId")
    client_id: Annotated[UUID | None, forms.record_id("Client")] = also("client_id", "clientId")

    def whose(self) -> tuple[str, ...]:
        return self.username, self.full_name


class UserChanges(Change):
    """Changes of an account. What is not sent stays as it is; an empty phone is taken off."""

    id: Annotated[UUID, forms.record_id("User", required=True)] = needed("id", "userId", "user_id")
    full_name: FullName = also("full_name", "fullName")
    email: RequiredEmail = also("email")
    phone: Annotated[str | None, forms.phone()] = also("phone")
    role: Role = also("role")
    is_active: Active = also("is_active", "isActive")

    @model_validator(mode="before")
    @classmethod
    def _without_nothing(cls, sent: Any) -> Any:
        """Older pages send null for what they do not show. Only a phone can be taken off."""
        if not isinstance(sent, Mapping):
            return sent
        return {name: value for name, value in sent.items() if value is not None or name == "phone"}

    @property
    def changes(self) -> dict[str, Any]:
        """What was sent, by its column."""
        return {name: value for name, value in self.given.items() if name != "id"}


class WhichUser(Form):
    """An account, by its id or its username."""

    id: Annotated[UUID | None, forms.record_id("User")] = also("userId", "id", "user_id")
    username: Annotated[str | None, text("Username", longest=320)] = also("username")

    @model_validator(mode="after")
    def _somebody(self) -> Self:
        if self.id is None and self.username is None:
            raise ValueError("userId or username is required")
        return self


@dataclass(frozen=True, slots=True)
class User:
    """What the workflows need of a user. is_new: they have never been in."""

    id: UUID
    username: str
    full_name: str
    email: str
    role: str
    is_active: bool
    must_change_password: bool
    is_new: bool


async def find(db: Db, *, user_id: UUID | None = None, username: str | None = None) -> User:
    """Raises: NotFound."""
    user = await db.one(_sql.find, {"id": user_id, "username": username}, into=User)
    if user is None:
        raise NotFound(
            "There is no such user",
            f"Nobody has the username {username}" if username else "Nobody has this id",
            "See the list of users",
            code="user.unknown",
        )
    return user


async def everybody(tx: Tx) -> list[Row]:
    """All accounts by name, with locks and open sessions. Raises: Forbidden for whoever does not look after users."""
    return await tx.all(_sql.all)


async def bookers(tx: Tx) -> list[Row]:
    """Who may look after a booking: every active agent, supervisor and administrator, by name."""
    return await tx.all(_sql.bookers)


async def insert(tx: Tx, form: NewUser) -> UUID:
    """A new account, which nobody can sign in to before it has a password. Raises: Conflict for a taken username."""
    made = await tx.one(_sql.create, form.model_dump(exclude={"password", "driver_id", "client_id"})) or {}
    await tx.one(_sql.take_password, {"id": made["id"]})
    return UUID(str(made["id"]))


async def change(tx: Db, user_id: UUID, changes: Mapping[str, Any]) -> tuple[list[str], str]:
    """Writes what differs. Returns the names of the fields that did, and the role before.

    Raises: Conflict for a taken e-mail, for the last administrator, and for rights that somebody takes from themselves.
    """
    done = await tx.one(_sql.change, {"id": user_id, "changes": jsonb(changes)}) or {}
    return done["changed"], done["role_before"]


async def take_password(tx: Db, user_id: UUID) -> int:
    """Nobody gets in with what was known before. Returns how many sessions ended."""
    return int((await tx.one(_sql.take_password, {"id": user_id}) or {})["ended"])


async def give_temporary_password(db: Db, user_id: UUID, password: str) -> datetime | None:
    """Until when it is good, a day. None, and nothing done, for somebody who has a password of their own."""
    given = await db.one(_sql.give_temporary_password, {"id": user_id, "hash": await Passwords().hash(password)}) or {}
    until: datetime | None = given["good_until"]
    return until


def must_be_active(user: User) -> None:
    """Raises: Conflict for a deactivated account."""
    if not user.is_active:
        raise Conflict(
            f"{user.full_name}'s account is deactivated",
            "Nobody can sign in to it, with any password",
            "Activate the account first",
            code="user.deactivated",
        )


async def unlock(tx: Db, user_id: UUID) -> bool:
    """Forgets wrong passwords. Whether there were any."""
    return bool((await tx.one(_sql.unlock, {"id": user_id}) or {})["was_locked"])


async def sign_out(tx: Db, user_id: UUID) -> int:
    """Ends every session. Returns how many there were."""
    return int((await tx.one(_sql.sign_out, {"id": user_id}) or {})["ended"])


# ── For the command line, which is the house and acts for nobody ────────────────────────────────────────────────────


async def set_own_password(tx: Db, user_id: UUID, password_hash: str) -> None:
    """One that its person has typed themselves."""
    await tx.one(_sql.set_own_password, {"id": user_id, "hash": password_hash})


async def sign_out_everybody(tx: Db) -> int:
    """Returns how many sessions there were."""
    return int((await tx.one(_sql.sign_out_everybody) or {})["ended"])


async def note_by_system(tx: Db, action: str, user_id: UUID | None, details: Mapping[str, Any]) -> None:
    await tx.one(_sql.note, {"action": action, "id": user_id, "details": jsonb(details)})
