"""What the office decides for itself: its name, when it reminds, its tax and rate. Never a key or password.

The database holds each setting to its kind (private.is_setting); the form says the same in words.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import time
from decimal import Decimal, InvalidOperation
from typing import Annotated, Any
from uuid import UUID

from pydantic import BeforeValidator

from backhaul.core.errors import Forbidden
from backhaul.core.queries import Queries
from backhaul.core.store import Db, Row, Tx, jsonb
from backhaul.dispatch import forms
from backhaul.dispatch.forms import Change, also, faulty, text
from backhaul.dispatch.wall_time import read_clock

_sql = Queries("office_settings")


def _clock(label: str) -> BeforeValidator:
    def check(value: object) -> str:
        told = read_clock(value, label)
        if told is None:
            raise ValueError(f"{label} is required")
        return f"{told:%H:%M}"

    return BeforeValidator(check)


def _tax_rate(value: object) -> Decimal:
    """A fraction, or with a % sign a percentage."""
    written = str(value).strip() if isinstance(value, str | int | float | Decimal) and not isinstance(value, bool) else ""
    try:
        told = Decimal(written.removesuffix("%").strip()) / (100 if written.endswith("%") else 1)
    except InvalidOperation:
        told = Decimal("NaN")
    if not told.is_finite() or not 0 <= told <= 1 or told != round(told, 5):
        raise ValueError("Tax rate must be a fraction from 0 to 1, like 0.14")
    return told


class SettingsChange(Change):
    """Any of the settings; those left out stay as they are."""

    business_name: Annotated[str, text("Business name", required=True, longest=60)] = also("business_name", "businessName")
    business_address: Annotated[str | None, text("Business address", longest=500, lines=True)] = also("business_address")
    sms_signature: Annotated[str, text("Signature", required=True, longest=60)] = also("sms_signature", "smsSignature")
    support_phone: Annotated[str | None, forms.phone("Support phone")] = also("support_phone", "supportPhone")
    notices_on: Annotated[bool, forms.yes_or_no("Notices", default=True)] = also("notices_on")
    reminders_on: Annotated[bool, forms.yes_or_no("Reminders", default=True)] = also("reminders_on")
    reminder_hours_before: Annotated[int, forms.whole_number("Hours before the pickup", least=1, most=72, default=24)] = also(
        "reminder_hours_before"
    )
    reminder_window_start: Annotated[str, _clock("Earliest reminder")] = also("reminder_window_start")
    reminder_window_end: Annotated[str, _clock("Latest reminder")] = also("reminder_window_end")
    tax_rate: Annotated[Decimal, BeforeValidator(_tax_rate)] = also("tax_rate")
    default_rate: Annotated[Decimal | None, forms.amount("Default rate")] = also("default_rate")
    tax_number: Annotated[str | None, text("Tax number", longest=30)] = also("tax_number")
    invoice_due_days: Annotated[int, forms.whole_number("Days until due", least=0, most=120, default=30)] = also(
        "invoice_due_days"
    )
    invoice_footer: Annotated[str | None, text("Invoice footer", longest=500, lines=True)] = also("invoice_footer")


USUAL = {
    "business_name": "Dispatch office", "business_address": "", "sms_signature": "Dispatch office", "support_phone": None,
    "notices_on": True, "reminders_on": True, "reminder_hours_before": 24, "reminder_window_start": "08:00",
    "reminder_window_end": "20:00", "tax_rate": 0.14, "default_rate": None, "tax_number": "", "invoice_due_days": 30,
    "invoice_footer": "",
}  # fmt: skip
"""What a new installation begins with, as the schema has it."""

_NUMBERS = ("tax_rate", "default_rate")
_EMPTY = ("business_address", "tax_number", "invoice_footer")  # an empty text, where others are null


@dataclass(frozen=True, slots=True)
class OfficeSettings:
    """All settings, for the house. tax_rate: a fraction. default_rate: dollars, None when each trip needs a rate of its own."""

    business_name: str
    business_address: str
    sms_signature: str
    support_phone: str | None
    notices_on: bool
    reminders_on: bool
    reminder_hours_before: int
    reminder_window_start: time
    reminder_window_end: time
    tax_rate: Decimal
    default_rate: Decimal | None
    tax_number: str
    invoice_due_days: int
    invoice_footer: str


async def read(db: Db) -> OfficeSettings:
    """Raises: Forbidden for those who may not see all of them: they get `visible`."""
    said: dict[str, Any] = (await db.one(_sql.values) or {"said": {}})["said"]
    if not set(OfficeSettings.__dataclass_fields__) <= set(said):
        raise Forbidden("You may not see the office's settings", "Some are about costs", "Ask a supervisor", code="settings")
    rate = said["default_rate"]
    windows = {name: time.fromisoformat(said[name]) for name in ("reminder_window_start", "reminder_window_end")}
    return OfficeSettings(
        **said
        | windows
        | {"tax_rate": Decimal(str(said["tax_rate"])), "default_rate": None if rate is None else Decimal(str(rate))}
    )


async def visible(db: Db) -> list[Row]:
    """Each setting that its reader may see: key, value, its usual value, description, who changed it last and when."""
    return [row | {"usual": USUAL[row["key"]]} for row in await db.all(_sql.all)]


async def change(tx: Tx, form: SettingsChange) -> tuple[UUID, dict[str, tuple[Any, Any]]]:
    """Returns the id that stands for the settings in the audit log, and what changed: {key: (before, after)}.

    Raises: Forbidden for all but administrators; Rejected when no reminder could ever be sent (Conflict at the commit, where two
    people moved one end each).
    """
    before = {row["key"]: row["value"] for row in await visible(tx)}
    values = {key: _stored(key, value) for key, value in form.given.items()}
    after = before | values
    if before and after["reminder_window_start"] >= after["reminder_window_end"]:
        raise faulty({"reminder_window_end": "Latest reminder must be later in the day than the earliest"})
    changed = {key: (before.get(key), value) for key, value in values.items() if before.get(key) != value}
    if changed and await tx.run(_sql.put, {"changes": jsonb({key: value for key, (_, value) in changed.items()})}) == 0:
        raise Forbidden("You may not change the office's settings", "Your role does not include it", "Ask an administrator")
    whole = await tx.one(_sql.office_id)
    if whole is None:
        raise Forbidden("You may not see the office's settings", "Your role does not include it", "Ask an administrator")
    return UUID(str(whole["id"])), changed


def _stored(key: str, value: object) -> object:
    """As the database keeps it: numbers as numbers, and what may be empty as an empty text."""
    if key in _NUMBERS and value is not None:
        return float(str(value))
    return "" if value is None and key in _EMPTY else value
