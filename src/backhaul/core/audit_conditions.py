"""What may be looked for in the audit log: over HTTP and at the command line alike."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, time, timedelta
from typing import Annotated
from uuid import UUID
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict, Field

from backhaul.core.audit import Wanted
from backhaul.core.errors import Rejected

_Day = Annotated[date | None, Field(ge=date(1900, 1, 1), le=date(2999, 12, 31))]
_Verb = Annotated[str, Field(pattern="^[a-z][a-z0-9_]{0,59}$")]


class Days(BaseModel):
    """Days of the office, the last one included."""

    model_config = ConfigDict(extra="ignore")
    since: _Day = Field(default=None, alias="from")
    until: _Day = Field(default=None, alias="to")

    def wanted(self, zone: ZoneInfo) -> Wanted:
        """Raises: Rejected when the last day comes before the first."""
        if self.since and self.until and self.until < self.since:
            raise Rejected("The last day is before the first", faults=["to must not be before from"], code="validation")
        return Wanted(
            since=datetime.combine(self.since, time.min, zone) if self.since else None,
            until=datetime.combine(self.until + timedelta(days=1), time.min, zone) if self.until else None,
        )


class Conditions(Days):
    """What is looked for; each condition narrows it down."""

    who: str | None = Field(default=None, max_length=100, description="A user's id, or a part of a name")
    action: list[_Verb] = Field(default_factory=list, max_length=50)
    entity_type: _Verb | None = None
    entity_id: UUID | None = None
    refused: bool = Field(default=False, description="Only what was tried and not done")
    q: str | None = Field(default=None, max_length=100, description="In the entry, or in the name of the record it is about")

    def wanted(self, zone: ZoneInfo) -> Wanted:
        typed = (self.who or "").strip()
        who = _as_id(typed)
        return replace(
            super().wanted(zone),
            who=who,
            name=None if who else typed or None,
            actions=self.action,
            entity_type=self.entity_type,
            entity_id=self.entity_id,
            refused=self.refused,
            words=(self.q or "").strip() or None,
        )


def _as_id(who: str) -> UUID | None:
    try:
        return UUID(who)
    except ValueError:
        return None
