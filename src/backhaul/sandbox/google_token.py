"""Google's token endpoint for service accounts: a signed assertion in, an access token out.

Source: external service notes 4.2. The claims are checked, the signature is not: the stand-in has nobody's public key.
"""

from __future__ import annotations

import base64
import json
import secrets
from collections.abc import Mapping, Sequence
from urllib.parse import parse_qs

from starlette.responses import JSONResponse, Response

from backhaul.sandbox.door import proxy_page
from backhaul.sandbox.store import Store
from backhaul.sandbox.vendor import Ask, Call, Clock, Refusal, Refused

_GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
_AUDIENCE = "https://oauth2.googleapis.com/token"
_LIFETIME_S = 3600
_SKEW_S = 300


class GoogleToken:
    service = "calendar"
    label = "Google OAuth"

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    def calls(self) -> Sequence[Call]:
        return [Call("POST", "/token", self._grant)]

    @property
    def refusals(self) -> Mapping[str, Refusal]:
        return _REFUSALS

    def _grant(self, ask: Ask) -> Response:
        form = parse_qs(ask.body.decode("utf-8", "replace"))
        if form.get("grant_type") != [_GRANT]:
            raise _refused("unsupported_grant_type", "Invalid grant_type")
        claims = _claims(form.get("assertion", [""])[0])
        now = self._clock().timestamp()
        issued, expires = (value if isinstance(value := claims.get(name), int | float) else 0 for name in ("iat", "exp"))
        if not claims.get("iss") or claims.get("aud") != _AUDIENCE:
            raise _refused("invalid_grant", "Invalid JWT: iss and aud are required, aud must be the token endpoint.")
        if (
            not now - _LIFETIME_S - _SKEW_S < issued <= now + _SKEW_S
            or not issued < expires <= issued + _LIFETIME_S
            or expires <= now
        ):
            raise _refused(
                "invalid_grant", "Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable timeframe."
            )
        if not claims.get("scope"):
            raise _refused("invalid_scope", "Empty or missing scope not allowed.")
        token = f"ya29.stand-in-{secrets.token_hex(16)}"
        account = str(claims["iss"])
        user = str(claims.get("sub") or account)
        self._store.put("token", token, {"user": user, "own": user == account, "until": now + _LIFETIME_S})
        return JSONResponse({"access_token": token, "expires_in": _LIFETIME_S, "token_type": "Bearer"})


def _claims(assertion: str) -> dict[str, object]:
    try:
        header, payload = (json.loads(base64.urlsafe_b64decode(part + "==")) for part in assertion.split(".")[:2])
    except ValueError as unreadable:
        raise _refused("invalid_grant", "Bad Request: the assertion is no JWT.") from unreadable
    if not isinstance(header, dict) or header.get("alg") != "RS256" or not isinstance(payload, dict):
        raise _refused("invalid_grant", "Invalid JWT: RS256 is required.")
    return payload


def _refused(error: str, description: str) -> Refused:
    return Refused(JSONResponse({"error": error, "error_description": description}, status_code=400))


def _says(error: str, description: str, code: int) -> Refusal:
    return lambda _: JSONResponse({"error": error, "error_description": description}, status_code=code)


_UNAUTHORIZED = _says("unauthorized_client", "Client is unauthorized to retrieve access tokens using this method.", 401)
_REFUSALS: Mapping[str, Refusal] = {
    "401": _says("invalid_grant", "Invalid grant: account not found.", 400),
    "402": _UNAUTHORIZED,
    "403": _UNAUTHORIZED,
    "denied": _UNAUTHORIZED,
    "404": lambda _: proxy_page(404),
    "429": _says("rate_limit_exceeded", "Too many requests.", 429),
    "500": _says("internal_failure", "Backend error.", 500),
    "503": lambda _: proxy_page(503),
}
