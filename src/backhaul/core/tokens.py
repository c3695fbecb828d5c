"""Access tokens: short-lived, signed, and understood by Supabase too.

`sub` is the user's UUID, `role` the database role `authenticated`, `user_role` what the person is in the office, `session_id`
the session it belongs to. A token says who asks; what they may do, and whether the session still lives, is asked of the
database at each request. A limited token belongs to no session and opens nothing but the change of a password.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from secrets import token_urlsafe
from typing import Any
from uuid import UUID

import jwt

from backhaul.core.errors import Unauthenticated

ACCESS_LIFE = timedelta(minutes=15)
LIMITED_LIFE = timedelta(minutes=15)
_ISSUER = "backhaul"
_AUDIENCE = "authenticated"
_ALGORITHM = "HS256"
_NOT_OURS = (jwt.InvalidTokenError, KeyError, ValueError, TypeError, AttributeError, OverflowError, OSError)


@dataclass(frozen=True, slots=True)
class Claims:
    """What a valid access token says."""

    user_id: UUID
    session_id: UUID
    role: str
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class LimitedClaims:
    """What a valid limited token says. password_of: which password it was issued for; void with any other."""

    user_id: UUID
    password_of: str


class Tokens:
    """Signs and reads tokens with one secret, Supabase's JWT secret where there is one. At least 32 bytes."""

    def __init__(self, secret: str, *, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        if len(secret.encode()) < 32:
            raise ValueError("the secret that signs tokens must have at least 32 bytes")
        self._secret = secret
        self._now = now

    def issue(self, user_id: UUID, session_id: UUID, role: str) -> str:
        return self._sign(user_id, ACCESS_LIFE, type="full", role="authenticated", user_role=role, session_id=str(session_id))

    def issue_limited(self, user_id: UUID, password_of: str) -> str:
        """For somebody whose password must be changed first. No `role`: Supabase takes it for nobody's."""
        return self._sign(user_id, LIMITED_LIFE, type="limited", role="anon", password_of=password_of)

    def read(self, token: str) -> Claims:
        """Raises: Unauthenticated for a token that is forged, expired or not one of ours."""
        claims = self._open(token, "full")
        try:
            return Claims(UUID(claims["sub"]), UUID(claims["session_id"]), str(claims["user_role"]), _expiry(claims))
        except _NOT_OURS as error:
            raise _not_ours() from error

    def read_limited(self, token: str) -> LimitedClaims:
        """Raises: Unauthenticated, also for a full token."""
        claims = self._open(token, "limited")
        try:
            return LimitedClaims(UUID(claims["sub"]), str(claims["password_of"]))
        except _NOT_OURS as error:
            raise _not_ours() from error

    def _sign(self, user_id: UUID, life: timedelta, **claims: str) -> str:
        issued = self._now()
        # jti: a tab tells by the token whether another has renewed it, and two of one second would be the same without
        unique = {"iat": issued, "exp": issued + life, "jti": token_urlsafe(9)}
        whole = {"iss": _ISSUER, "aud": _AUDIENCE, "sub": str(user_id), **claims, **unique}
        return jwt.encode(whole, self._secret, _ALGORITHM)

    def _open(self, token: str, kind: str) -> dict[str, Any]:
        try:
            claims: dict[str, Any] = jwt.decode(
                token,
                self._secret,
                [_ALGORITHM],
                audience=_AUDIENCE,
                issuer=_ISSUER,
                options={"require": ["exp", "sub", "aud", "iss"], "verify_exp": False, "verify_iat": False},
            )
            expires_at = _expiry(claims)
        except _NOT_OURS as error:
            raise _not_ours() from error
        if claims.get("type") != kind or expires_at <= self._now():
            raise Unauthenticated(
                "Token expired", "It was valid for 15 minutes", "Renew it, or log in again.", code="token.expired"
            )
        return claims


def _expiry(claims: dict[str, Any]) -> datetime:
    return datetime.fromtimestamp(float(claims["exp"]), UTC)


def _not_ours() -> Unauthenticated:
    return Unauthenticated(
        "Your sign-in is not valid", "The token was not made here", "Please log in again.", code="token.invalid"
    )
