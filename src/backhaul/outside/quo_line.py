"""The line to Quo (formerly OpenPhone), as contacts and texts share it: one key, ten requests a second, what refusals mean.

Two surfaces live on one host: v1, under /v1, and a dated one, chosen by a header on every request.
Source: Quo docs, Authentication; Versioning; Rate limits; Errors.
"""

from __future__ import annotations

from collections.abc import Mapping

import httpx

from backhaul.core.answer import Answer
from backhaul.core.errors import Misconfigured, OutsideProblem
from backhaul.core.outbound import Limits, Outbound

SERVICE = "Quo"
QUO_URL = "https://api.quo.com"
DATED = "2026-03-30"  # the version of the dated surface that this program speaks


def line(key: str, *, limits: Limits, base_url: str, transport: httpx.AsyncBaseTransport | None, dated: bool = False) -> Outbound:
    """dated: with the header that the dated surface asks for."""
    key = key.strip()
    return Outbound(
        SERVICE,
        base_url,
        limits=limits,
        limiter_key="quo",
        # The bare key: "Bearer" is answered by 401.
        headers={"Authorization": key, **({"Quo-Api-Version": DATED} if dated else {})},
        secrets=(key,),
        said=_said,
        transport=transport,
    )


def explain(answer: Answer) -> OutsideProblem | None:
    """By the HTTP status: v1's pages name one code per status, others occur, and the dated surface has none."""
    match answer.status:
        case 401:
            return Misconfigured(
                SERVICE,
                "Quo does not accept our key",
                "It was deleted or mistyped",
                "A Quo owner or admin makes a new one under Workspace Settings → API",
                code="quo.401",
            )
        case 402:
            return Misconfigured(SERVICE, *UNPAID, code="quo.402")
    return None


UNPAID = ("Quo's subscription or message credit has run out", "Billing", "The Quo account owner must renew or top up")


def field(answer: Answer, name: str) -> str:
    """A text at the top of an error body; blank if there is none."""
    body = answer.json()
    value = body.get(name) if isinstance(body, dict) else None
    return value if isinstance(value, str) else ""


def faults(answer: Answer) -> list[Mapping[str, object]]:
    """The fields that Quo finds fault with."""
    body = answer.json()
    errors = body.get("errors") if isinstance(body, dict) else None
    return [error for error in errors if isinstance(error, dict)] if isinstance(errors, list) else []


def _said(answer: Answer) -> str:
    """Title, message, and which fields it found fault with; never their values."""
    named = [f"{fault.get('path')}: {fault.get('message')}" for fault in faults(answer)[:3]]
    parts = [field(answer, "title"), field(answer, "message"), field(answer, "code"), *named]
    return " · ".join(dict.fromkeys(part for part in parts if part))
