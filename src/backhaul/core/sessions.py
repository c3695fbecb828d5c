"""Who is here: passwords, access tokens and refresh tokens.

An access token is a signed JWT that Supabase understands too: `sub` is the user's UUID, `role` the database role `authenticated`,
`user_role` what the person is in the office. It says who asks; what they may do is read from the database at each request.
A refresh token is 256 random bits; the database keeps its SHA-256 only.
"""

from __future__ import annotations

import asyncio
import hashlib
import secrets
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache, partial
from typing import Any
from uuid import UUID

import jwt
from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from backhaul.core.errors import Forbidden, Locked, Problem, Unauthenticated
from backhaul.core.store import Row, Store

ACCESS_LIFE = timedelta(minutes=15)
SESSION_LIFE = timedelta(days=7)
_ISSUER = "backhaul"
_AUDIENCE = "authenticated"
_ALGORITHM = "HS256"

_FIND = b"""
select c.*, ceil(extract(epoch from c.locked_until - public.task_now()) / 60)::integer as locked_minutes
  from private.find_credentials(%(username)s) c
"""
_ONE_AT_A_TIME = b"select pg_advisory_xact_lock(hashtext('sign-in'), hashtext(%(user)s::text))"
_WRONG = b"select private.note_wrong_password(%(user)s) as left"
_OPEN = b"""
select private.open_session(%(user)s, %(token)s, %(life)s, %(agent)s, %(ip)s) as session_id,
       extract(epoch from %(life)s)::integer as left_s
"""
_RENEW = b"""
select r.*, extract(epoch from s.expires_at - public.task_now())::integer as left_s
  from private.renew_session(%(old)s, %(new)s) r left join public.user_sessions s on s.id = r.session_id
"""
_END = b"select private.end_session(%(session)s, %(because)s) as ended"
_HASHER = PasswordHasher()
_WRONG_CREDENTIALS = partial(Forbidden, "Invalid username or password", code="credentials")
_AUDIT = b"select private.write_audit('sign_in', 'user', %(user)s, %(user)s, '{}', %(ip)s, %(agent)s)"


@dataclass(frozen=True, slots=True)
class Claims:
    """What a valid access token says."""

    user_id: UUID
    session_id: UUID
    role: str
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A session just opened or renewed: its person, and the two tokens for them.

    left_s: seconds until it ends, however often it is renewed.
    """

    user_id: UUID
    session_id: UUID
    role: str
    full_name: str
    email: str
    username: str
    left_s: int
    access_token: str
    refresh_token: str


class Tokens:
    """Signs and reads access tokens with one secret, Supabase's JWT secret where there is one. At least 32 bytes."""

    def __init__(self, secret: str, *, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        if len(secret.encode()) < 32:
            raise ValueError("the secret that signs tokens must have at least 32 bytes")
        self._secret = secret
        self._now = now

    def issue(self, user_id: UUID, session_id: UUID, role: str) -> str:
        issued = self._now()
        claims = {
            "iss": _ISSUER,
            "aud": _AUDIENCE,
            "sub": str(user_id),
            "role": "authenticated",
            "user_role": role,
            "session_id": str(session_id),
            "type": "full",
            "iat": issued,
            "exp": issued + ACCESS_LIFE,
        }
        return jwt.encode(claims, self._secret, _ALGORITHM)

    def read(self, token: str) -> Claims:
        """Raises: Unauthenticated for a token that is forged, expired or not one of ours."""
        try:
            claims: dict[str, Any] = jwt.decode(
                token,
                self._secret,
                [_ALGORITHM],
                audience=_AUDIENCE,
                issuer=_ISSUER,
                options={"require": ["exp", "sub", "aud", "iss"], "verify_exp": False, "verify_iat": False},
            )
            expires_at = datetime.fromtimestamp(float(claims["exp"]), UTC)
            found = Claims(UUID(claims["sub"]), UUID(claims["session_id"]), str(claims["user_role"]), expires_at)
        except (jwt.InvalidTokenError, KeyError, ValueError, TypeError, AttributeError, OverflowError, OSError) as error:
            raise Unauthenticated(
                "Your sign-in is not valid", "The token was not made here", "Please log in again.", code="token.invalid"
            ) from error
        if claims.get("type") != "full" or expires_at <= self._now():
            raise Unauthenticated(
                "Token expired", "It was valid for 15 minutes", "Renew it, or log in again.", code="token.expired"
            )
        return found


class Sessions:
    """Sign-in, renewal and sign-out."""

    def __init__(self, store: Store, tokens: Tokens, *, hasher: PasswordHasher | None = None) -> None:
        self._store = store
        self._tokens = tokens
        self._hasher = hasher or _HASHER
        # argon2 wants a core and 64 MB each time: two at once, so that a flood of sign-ins leaves the rest room to breathe
        self._threads = ThreadPoolExecutor(max_workers=2, thread_name_prefix="argon2")
        self._decoy = _decoy(self._hasher)

    def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def hash(self, password: str) -> str:
        return await asyncio.get_running_loop().run_in_executor(self._threads, self._hasher.hash, password)

    async def sign_in(self, username: str, password: str, *, ip: str | None = None, user_agent: str | None = None) -> SignedIn:
        """Opens a session. An unknown user and a wrong password get the same answer in the same time.

        Raises: Forbidden for wrong credentials or a disabled account; Locked after five wrong passwords in a row.
        """
        found = await self._found(username)
        right = await self._verify(found["password_hash"] if found else self._decoy, password)
        if found is None:
            raise _WRONG_CREDENTIALS()
        refresh_token = secrets.token_urlsafe(32)
        who = {"user": found["user_id"], "ip": ip, "agent": user_agent}
        async with self._store.service() as tx:
            # looked up again, one sign-in of an account at a time: guesses sent all at once count and lock like guesses in a row
            await tx.one(_ONE_AT_A_TIME, who)
            account = await tx.one(_FIND, {"username": username}) or found
            right = right and account["password_hash"] == found["password_hash"]
            if not right and account["locked_until"] is None:
                await tx.one(_WRONG, who)
            refused = _why_not(account, right)
            if refused is None:
                opened = await tx.one(_OPEN, {**who, "token": _digest(refresh_token), "life": SESSION_LIFE})
                await tx.one(_AUDIT, who)
        if refused is not None:  # raised out here, so that the count of wrong passwords is kept
            raise refused
        return self._signed_in({**account, **(opened or {})}, refresh_token)

    async def renew(self, refresh_token: str) -> SignedIn:
        """Exchanges a refresh token for the next pair. Raises: Unauthenticated; a token used twice ends its whole session."""
        following = secrets.token_urlsafe(32)
        renewed = await self._store.call(_RENEW, {"old": _digest(refresh_token), "new": _digest(following)})
        if renewed["refused"] is not None:
            raise Unauthenticated(renewed["refused"], todo="Please log in again.", code="session.ended")
        return self._signed_in(renewed, following)

    async def sign_out(self, session_id: UUID) -> None:
        await self._store.call(_END, {"session": session_id, "because": "signed out"})

    def _signed_in(self, row: Row, refresh_token: str) -> SignedIn:
        names = ("user_id", "session_id", "role", "full_name", "email", "username", "left_s")
        access_token = self._tokens.issue(row["user_id"], row["session_id"], row["role"])
        return SignedIn(**{name: row[name] for name in names}, access_token=access_token, refresh_token=refresh_token)

    async def _found(self, username: str) -> Row | None:
        async with self._store.service() as tx:
            return await tx.one(_FIND, {"username": username})

    async def _verify(self, password_hash: str, password: str) -> bool:
        def verify() -> bool:
            try:
                return self._hasher.verify(password_hash, password)
            except (VerificationError, InvalidHashError):
                return False

        return await asyncio.get_running_loop().run_in_executor(self._threads, verify)


def _why_not(account: Row, right: bool) -> Problem | None:
    """Why this account may not sign in.

    While it is locked, the right password gets the same answer as a wrong one, or guessing could go on behind the lock.
    """
    if account["locked_until"] is not None:
        minutes = account["locked_minutes"]
        return Locked(
            f"Account is locked. Try again in {minutes} minute{'s' if minutes != 1 else ''}.",
            "Too many wrong passwords",
            "Wait, or ask an administrator",
            code="locked",
        )
    if not right:
        return _WRONG_CREDENTIALS()
    if not account["is_active"]:
        return Forbidden("Account is disabled. Contact administrator.", code="disabled")
    return None


@cache
def _decoy(hasher: PasswordHasher) -> str:
    """The hash of a password nobody has, so that an unknown user takes as long to refuse as a wrong password."""
    return hasher.hash(secrets.token_urlsafe())


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()
