"""How the booking pages round a drive: minutes with a buffer, in steps of five, and kilometres.

For what those pages read (`clients.clinic_travel_times`). The look-up tables keep raw minutes.
"""

from __future__ import annotations

BUFFER_MINUTES = 5
STEP_MINUTES = 5


def buffered_minutes(raw: int) -> int:
    """`raw` whole minutes, rounded up from seconds, plus the buffer, up to the next step: 0 → 5, 1 → 10, 15 → 20, 16 → 25.

    A `Leg` carries such minutes, and nothing is lost by it: the rule itself begins with raw = ceil(seconds / 60), and rounding
    up to minutes first and to steps of five afterwards is the same as doing it at once.
    """
    return -(-(raw + BUFFER_MINUTES) // STEP_MINUTES) * STEP_MINUTES


def kilometres(metres: int) -> float:
    """To two decimals, half of the last one up, as round() in SQL does it for the other tables."""
    return (metres + 5) // 10 / 100
