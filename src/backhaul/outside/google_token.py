"""Signing in to Google as a service account that acts for one person of the Workspace (domain-wide delegation).

A short statement signed with the account's key is exchanged for an access token, which is good for about an hour. PyJWT
signs it, since we have that already; google-auth would bring a second HTTP client and keep our limits and texts out.
Source: Google, Using OAuth 2.0 for Server to Server Applications.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import httpx
import jwt
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from pydantic import BaseModel, Field, TypeAdapter

from backhaul.core.answer import Answer
from backhaul.core.errors import Misconfigured, OutsideProblem
from backhaul.core.outbound import NO_LIMITS, Outbound
from backhaul.outside.google_calendar_errors import LANE, SERVICE

TOKEN_URL = "https://oauth2.googleapis.com"  # noqa: S105  (an address)
SCOPE = "https://www.googleapis.com/auth/calendar"
LIFE = timedelta(hours=1)  # the longest Google allows
SPARE_S = 300  # a token this near its end is not used any more
_NEVER = datetime.min.replace(tzinfo=UTC)
_GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"


@dataclass(frozen=True, slots=True)
class Key:
    """A service account's key. `key_id`: Google's name for it, "" if unknown."""

    account: str
    private: rsa.RSAPrivateKey = field(repr=False)
    key_id: str = ""


def read_key(text: str) -> Key:
    """The key from the JSON that Google's console gives. Raises: ValueError, which never repeats what is in it."""
    try:
        given = json.loads(text)
    except ValueError:
        raise ValueError("it is not JSON") from None
    if not isinstance(given, dict) or given.get("type") != "service_account":
        raise ValueError("it is not the key of a service account (its type would say so)")
    account, private, key_id = (given.get(name) for name in ("client_email", "private_key", "private_key_id"))
    if not isinstance(account, str) or "@" not in account or not isinstance(private, str):
        raise ValueError("its client_email or private_key is missing")
    try:
        loaded = load_pem_private_key(private.encode(), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise ValueError("its private_key cannot be read; perhaps it was cut off, or its line breaks were lost") from None
    if not isinstance(loaded, rsa.RSAPrivateKey):
        raise ValueError("its private_key is not an RSA key")
    return Key(account, loaded, key_id if isinstance(key_id, str) else "")


def throw_away_key(account: str) -> Key:
    """A new key that nobody knows: for a far end that checks no signature."""
    return Key(account, rsa.generate_private_key(public_exponent=65537, key_size=2048))


class ServiceAccount(httpx.Auth):
    """Puts an access token on each request; when one is refused before its time, a fresh one is tried once."""

    def __init__(
        self,
        key: Key,
        user: str,
        *,
        base_url: str = TOKEN_URL,
        transport: httpx.AsyncBaseTransport | None = None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """user: the e-mail address of the person it acts for."""
        self._key = key
        self._user = user
        self._now = now
        self._token, self._good_until = "", _NEVER
        self._asking: asyncio.Task[str] | None = None
        self._outbound = Outbound(
            SERVICE,
            base_url,
            limits=NO_LIMITS,  # once an hour; and the call it is for has taken its turn already
            limiter_key=LANE,
            said=_said,
            transport=transport,
            read_s=5.0,  # so that the call it is for can still be made within its own deadline
            now=now,
        )

    async def async_auth_flow(self, request: httpx.Request) -> AsyncGenerator[httpx.Request, httpx.Response]:
        token = await self.token()
        request.headers["Authorization"] = f"Bearer {token}"
        response = yield request
        if response.status_code == 401:
            self._forget(token)
            request.headers["Authorization"] = f"Bearer {await self.token()}"
            yield request

    async def token(self) -> str:
        """A token good for five minutes at least. All who need a new one at the same time wait for the same answer.

        Raises: Misconfigured on a refused key, user or scope; Transient, RateLimited, Malformed. Never Gone, which could
        be taken for news of an event.
        """
        if self._now() < self._good_until:
            return self._token
        if self._asking is None:
            self._asking = asyncio.create_task(self._ask(), name="Google access token")
            self._asking.add_done_callback(self._asked)
        return await asyncio.shield(self._asking)  # who gives up waiting takes nothing from the others

    async def aclose(self) -> None:
        if self._asking is not None:
            self._asking.cancel()
            await asyncio.wait({self._asking})
        await self._outbound.aclose()

    def _forget(self, token: str) -> None:
        if token == self._token:  # and not one that somebody else has fetched meanwhile
            self._good_until = _NEVER

    async def _ask(self) -> str:
        asked_at = self._now()
        form = {"grant_type": _GRANT, "assertion": self._assertion(asked_at)}
        about = [self._key.account, self._user]
        answer = await self._outbound.send("POST", "/token", repeatable=True, form=form, about=about, explain=_explain)
        granted = self._outbound.read(answer, _GRANTED)
        self._token, self._good_until = granted.access_token, asked_at + timedelta(seconds=granted.expires_in - SPARE_S)
        return granted.access_token

    def _asked(self, asking: asyncio.Task[str]) -> None:
        self._asking = None
        if not asking.cancelled():
            asking.exception()  # if all who waited have left, nobody else looks at it

    def _assertion(self, issued: datetime) -> str:
        claims = {
            "iss": self._key.account,
            "sub": self._user,
            "scope": SCOPE,
            "aud": f"{TOKEN_URL}/token",
            "iat": issued,
            "exp": issued + LIFE,
        }
        return jwt.encode(claims, self._key.private, "RS256", headers={"kid": self._key.key_id} if self._key.key_id else None)


class _Granted(BaseModel):
    access_token: str = Field(min_length=1)
    expires_in: int = Field(gt=0, le=86_400)  # seconds


_GRANTED = TypeAdapter(_Granted)


def _explain(answer: Answer) -> OutsideProblem | None:
    match _word(answer, "error"), answer.status:
        case "unauthorized_client" | "access_denied", _:
            return Misconfigured(
                SERVICE,
                "Google does not let our service account act for the user whose calendars these are",
                "Domain-wide delegation is missing, or was granted for something else",
                f"The Workspace administrator must grant it to the service account, for exactly {SCOPE}",
                code="calendar.delegation",
            )
        case "invalid_grant" | "invalid_client", _:
            return Misconfigured(
                SERVICE,
                "Google does not accept our service account's key",
                f'It answered: "{answer.quote(_said(answer))}"',
                "Make a new key and set it; check also the user it acts for, and the clock of this machine",
                code="calendar.key",
            )
        case _, 404 | 410:
            return Misconfigured(
                SERVICE,
                "Google's way in is not where it should be",
                f"Asked for an access token, it answered {answer.status}",
                "Ask the administrator to look for a proxy on the way to oauth2.googleapis.com",
                code="calendar.no_way_in",
            )
    return None


def _said(answer: Answer) -> str:
    return " · ".join(words for name in ("error", "error_description") if (words := _word(answer, name)))


def _word(answer: Answer, name: str) -> str:
    body = answer.json()
    value = body.get(name) if isinstance(body, dict) else None
    return value if isinstance(value, str) else ""
