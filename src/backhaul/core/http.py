"""Who asks, in whose name, and the shape of answers: what all endpoints share. See also refusals.py and manners.py."""

from __future__ import annotations

import hmac
from contextlib import AbstractAsyncContextManager
from ipaddress import ip_address
from typing import Annotated, Any

from fastapi import Depends, Header, Request
from fastapi.responses import JSONResponse
from fastapi.security import HTTPBearer
from pydantic_core import to_json

from backhaul.core import cookies
from backhaul.core.errors import Unauthenticated
from backhaul.core.sessions import Caller
from backhaul.core.store import Actor, Row, Store, Tx
from backhaul.core.tokens import Claims, LimitedClaims, Tokens

# Only for the description at /docs: what a token is good for is judged below.
ACCESS_TOKEN = HTTPBearer(
    auto_error=False, scheme_name="access token", description="The access_token of user-login or refresh-token"
)
_SERVICE_KEY = HTTPBearer(auto_error=False, scheme_name="service key", description="BACKHAUL_SERVICE_KEY; for our own services")


class Answer(JSONResponse):
    """JSON as the rest of the house writes it: UUIDs, dates and models included."""

    def render(self, content: Any) -> bytes:
        return to_json(content)


async def claims_of(request: Request, _: Annotated[object, Depends(ACCESS_TOKEN)]) -> Claims:
    """The claims of the bearer token. Raises: Unauthenticated."""
    token = _bearer(request)
    tokens: Tokens = request.app.state.tokens
    claims = tokens.read(token)
    request.state.claims = claims  # a refusal is written down with whose it was
    return claims


Asking = Annotated[Claims, Depends(claims_of)]
IdempotencyKey = Annotated[
    str | None,
    Header(
        min_length=1, max_length=200, description="One per click: the same key brings the same reply, and saves nothing twice."
    ),
]


def limited_claims_of(request: Request) -> LimitedClaims | None:
    """The claims of a limited token; None for anything else."""
    tokens: Tokens = request.app.state.tokens
    try:
        return tokens.read_limited(_bearer(request))
    except Unauthenticated:
        return None


def _bearer(request: Request) -> str:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise Unauthenticated("You are not signed in", "The request came without a token", "Please log in.", code="token.missing")
    return token.strip()


def caller(request: Request) -> Caller:
    """Where the request comes from, for sign-ins and the audit log."""
    return Caller(caller_ip(request), request.headers.get("user-agent"), cookies.device_of(request))


def actor(request: Request, claims: Claims) -> Actor:
    """The person of a token as an actor; what they may do is asked of the database when their transaction opens."""
    return Actor(claims.user_id, claims.role, "", claims.session_id, caller_ip(request), request.headers.get("user-agent"))


def caller_ip(request: Request) -> str | None:
    """The caller's address. None where there is none: on a Unix socket, or when a proxy passes on something else."""
    try:
        return str(ip_address(request.client.host.partition("%")[0])) if request.client else None
    except ValueError:
        return None


def person(request: Request, claims: Claims) -> AbstractAsyncContextManager[tuple[Tx, Row]]:
    """A transaction in the name of whoever asks."""
    store: Store = request.app.state.store
    return store.person(claims.user_id, claims.session_id)


async def service_key(request: Request, _: Annotated[object, Depends(_SERVICE_KEY)]) -> None:
    """For endpoints that only our own services call. Raises: Unauthenticated."""
    expected: str = request.app.state.service_key
    scheme, _, given = request.headers.get("authorization", "").partition(" ")
    known = hmac.compare_digest(given.strip().encode(), expected.encode())
    if not expected or scheme.lower() != "bearer" or not known:
        raise Unauthenticated(
            "This endpoint is internal", "The service key is missing or wrong", "Call it with the service key", code="service_key"
        )
