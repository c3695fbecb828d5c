"""Series of measurements, and how they are shown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Series:
    """One figure. values: in `unit`; against: a comparison in words; aim: what we hoped for."""

    name: str
    values: Sequence[float]
    unit: str = "ms"
    against: str = ""
    aim: str = ""

    @property
    def count(self) -> int:
        return len(self.values)

    @property
    def shown(self) -> tuple[str, str, str]:
        if not self.values:
            return "–", "–", "–"
        if len(self.values) == 1:
            return f"{self.values[0]:,.0f} {self.unit}", "", ""
        p50, p95, p99 = (f"{quantile(self.values, q):.1f} {self.unit}" for q in (0.5, 0.95, 0.99))
        return p50, p95, p99


def quantile(values: Sequence[float], q: float) -> float:
    """The value below which the share `q` lies; the nearest one measured, never one in between."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(q * len(ordered)))]


def ratio(one: Sequence[float], other: Sequence[float], q: float) -> str:
    """How many times longer `one` took than `other`, at the share `q`."""
    return f"{quantile(one, q) / quantile(other, q):.1f}×"
