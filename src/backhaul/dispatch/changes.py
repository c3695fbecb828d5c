"""What a change did to a record: as it was, as it is, and in what they differ. Background work is asked for by that."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, fields
from typing import Any, Generic, TypeVar

from backhaul.core.errors import Conflict, Forbidden

T = TypeVar("T")
# these follow from others, so they say nothing of their own
_FOLLOWS = frozenset({"version", "updated_at"})


@dataclass(frozen=True, slots=True)
class Changed(Generic[T]):
    """before and after: the same record, a dataclass, as it was read with its row locked and as it was written."""

    before: T
    after: T

    @property
    def fields(self) -> list[str]:
        """The names of the fields that differ, in the order of the record."""
        named: Any = self.after
        return [
            field.name
            for field in fields(named)
            if field.name not in _FOLLOWS and getattr(self.before, field.name) != getattr(self.after, field.name)
        ]

    def touched(self, *names: str) -> bool:
        """Whether any of these fields differs."""
        return any(getattr(self.before, name) != getattr(self.after, name) for name in names)


def check_version(seen: int | None, stored: int, what: str) -> None:
    """seen: the version that the form was opened with; None when the page did not say.

    Raises: Conflict when somebody else has saved since.
    """
    if seen is not None and seen != stored:
        raise Conflict(
            f"Somebody else has changed {what} meanwhile",
            "You are looking at an older version of it",
            "Reload it, then make your changes again",
            code="stale",
        )


def must_have_changed(rows: int, what: str) -> None:
    """rows: how many an update touched. Row-level security lets some read what they may not change, and then touches none.

    Raises: Forbidden.
    """
    if rows == 0:
        raise Forbidden(f"You may not change {what}", "Your role does not include it", "Ask a supervisor", code="role")


def only(given: dict[str, Any], columns: Collection[str]) -> dict[str, Any]:
    """Those of a form's fields that are columns of the record."""
    return {name: value for name, value in given.items() if name in columns}
