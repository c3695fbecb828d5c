"""The stand-ins, asked to fail or to work again."""

from __future__ import annotations

from typing import Any

import httpx

from backhaul.core.errors import Rejected, Transient


async def ask_stand_ins(address: str, method: str, body: Any = None) -> dict[str, Any]:
    """Passes an order for faults on. Raises: Rejected with the stand-ins' own words; Transient when they do not run."""
    try:
        async with httpx.AsyncClient(timeout=5, trust_env=False) as line:
            answer = await line.request(method, f"{address}/_stand-ins/faults", json=body)
    except httpx.HTTPError as error:
        raise Transient(
            "The stand-ins", "The stand-ins do not answer", type(error).__name__, "Start them with: backhaul sandbox serve"
        ) from error
    said: dict[str, Any] = answer.json()
    if answer.status_code >= 400:
        raise Rejected(str(said.get("message", "The stand-ins refused")), code="sandbox")
    return {"success": True, **said}
