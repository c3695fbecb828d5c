"""Faults on demand: what was ordered for which service, and the calls being held.

Orders live in memory: a restarted stand-in is a healthy one. A newer order for a service replaces the older one.

    ok          clears the order
    401 … 503   refuse in the vendor's documented words (`denied`, `zero`, Slack's `no_service`, OSRM's `TooBig` … where a
                vendor has its own)
    undelivered Quo accepts a text, and the carrier does not
    timeout     no answer, nothing done; the connection is dropped after `seconds` (60)
    slow        done at once, answered after `seconds` (3)
    lost        done, then the connection is dropped without an answer
    hold        done, then the answer is held until `POST /_stand-ins/release`
    html        a proxy's HTML page instead of an answer (`status` 502 or 200); nothing done
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

GENERAL = frozenset({"ok", "timeout", "slow", "lost", "hold", "html"})
"""Faults of the connection, which every HTTP service can have whatever its vendor."""

Service = Literal["maps", "quo", "calendar", "slack", "mail"]


class Fault(BaseModel):
    """One order. `times` absent: until told otherwise. `method` and `path` (a template's prefix) narrow it to some calls."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    service: Service
    fault: str
    times: int | None = Field(default=None, ge=1)
    seconds: float | None = Field(default=None, ge=0, le=600)
    retry_after: int | None = Field(default=None, ge=0, description="of a 429, whatever the vendor promises")
    status: Literal[200, 502] = Field(default=502, description="of the `html` page")
    wrapped: bool = Field(default=False, description="Google Routes: the error inside an array, as streaming may send it")
    method: str | None = None
    path: str | None = None

    @field_validator("fault", mode="before")
    @classmethod
    def _number_or_word(cls, value: object) -> object:
        return str(value) if isinstance(value, int) and not isinstance(value, bool) else value

    @field_validator("method")
    @classmethod
    def _upper(cls, value: str | None) -> str | None:
        return value.upper() if value else None

    def applies(self, method: str, path: str) -> bool:
        return (self.method is None or self.method == method) and (self.path is None or path.startswith(self.path))


class BadOrder(ValueError):
    """The order cannot be carried out; the text says why and what can be ordered instead."""


class FaultDesk:
    """Takes orders and hands them to the calls they are meant for."""

    def __init__(self, kinds: Mapping[str, frozenset[str]]) -> None:
        self.kinds = kinds
        self._orders: dict[str, Fault] = {}
        self._held: dict[asyncio.Event, str] = {}

    def order(self, wish: object) -> Fault:
        """Raises BadOrder."""
        try:
            fault = Fault.model_validate(wish)
        except ValidationError as problem:
            faults = "; ".join(f"{'.'.join(map(str, error['loc'])) or 'body'}: {error['msg']}" for error in problem.errors())
            raise BadOrder(f"This is no fault order: {faults}. Send {{service, fault, times?}}.") from problem
        known = self.kinds[fault.service]
        if fault.fault not in known:
            raise BadOrder(f"{fault.service} has no fault {fault.fault!r}. It has: {', '.join(sorted(known))}.")
        if fault.fault == "ok":
            self._orders.pop(fault.service, None)
        else:
            self._orders[fault.service] = fault
        return fault

    def take(self, service: str, method: str, path: str) -> Fault | None:
        """The fault this call must suffer, counted off its order."""
        fault = self._orders.get(service)
        if fault is None or not fault.applies(method, path):
            return None
        if fault.times == 1:
            del self._orders[service]
        elif fault.times is not None:
            self._orders[service] = fault.model_copy(update={"times": fault.times - 1})
        return fault

    def orders(self) -> list[dict[str, object]]:
        return [fault.model_dump(exclude_defaults=True) for fault in self._orders.values()]

    def clear(self) -> None:
        self._orders.clear()

    async def held(self, service: str) -> None:
        """Returns once somebody releases the calls held at this moment."""
        released = asyncio.Event()
        self._held[released] = service
        try:
            await released.wait()
        finally:
            self._held.pop(released, None)

    def holding(self) -> dict[str, int]:
        """How many calls are held now, by service."""
        services = list(self._held.values())
        return {service: services.count(service) for service in sorted(set(services))}

    def release(self, service: str | None = None) -> int:
        """Lets held calls go (of one service, or all) and says how many."""
        going = [event for event, held_by in self._held.items() if service in (None, held_by)]
        for event in going:
            event.set()
        return len(going)
