"""Pages of a list that is read whole: an office has some dozens of drivers, and of clinics."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from backhaul.core.errors import NotFound
from backhaul.core.store import Row


def cut(found: Sequence[Row], whole: Sequence[Row], after: UUID | None, limit: int | None) -> tuple[Sequence[Row], UUID | None]:
    """One page of `found`, and the cursor of the next; by the `id` of each row.

    after: the cursor of the page before. The record it names may have left what was asked for since, so its place is looked for
    in the `whole` list, which comes in the same order, and was read no earlier. limit: None for all.

    Raises: NotFound for a cursor nobody made.
    """
    rest = found
    if after is not None:
        places = {row["id"]: place for place, row in enumerate(whole)}
        if after not in places:
            raise NotFound("There is no such page", "The cursor was not made here", "Start from the first page", code="cursor")
        rest = [row for row in found if places[row["id"]] > places[after]]
    page = rest[:limit]
    return page, page[-1]["id"] if len(rest) > len(page) else None
