"""The two cookies of our own pages: the refresh token, out of every script's reach, and the mark of a browser known before.

Both are HttpOnly and SameSite=Strict. A cookie travels by itself, so a request that lives on one must also show that a page of
ours made it: a header that no form can send, and no other site's name as its origin.
"""

from __future__ import annotations

from datetime import timedelta
from urllib.parse import urlsplit

from fastapi import Request, Response

from backhaul.core.errors import Forbidden

_DEVICE_LIFE = timedelta(days=365)


def refresh_token_of(request: Request) -> str | None:
    """The refresh token of the cookie, if a page of ours sent it. Raises: Forbidden when another site did."""
    token = request.cookies.get(_name(request, "refresh"))
    if token is not None and not _from_our_page(request):
        raise Forbidden(
            "This request did not come from a page of this portal",
            "Another site may have made your browser send it",
            "Open the portal itself and try again",
            code="csrf",
        )
    return token


def device_of(request: Request) -> str | None:
    return request.cookies.get(_name(request, "device"))


def keep_refresh_token(request: Request, response: Response, token: str, left_s: int) -> None:
    _keep(request, response, "refresh", token, left_s)


def keep_device(request: Request, response: Response, device: str) -> None:
    _keep(request, response, "device", device, int(_DEVICE_LIFE.total_seconds()))


def drop_refresh_token(request: Request, response: Response) -> None:
    name = _name(request, "refresh")
    response.delete_cookie(name, secure=_is_secure(request), httponly=True, samesite="strict")


def _keep(request: Request, response: Response, kind: str, value: str, life_s: int) -> None:
    secure = _is_secure(request)
    response.set_cookie(_name(request, kind), value, life_s, secure=secure, httponly=True, samesite="strict")


def _name(request: Request, kind: str) -> str:
    """Over TLS with the prefix by which the browser vouches that this very host has set it, not a neighbour in its domain.

    The price is a path of "/": it is sent with requests for pages too, which pay it no heed.
    """
    return f"__Host-backhaul-{kind}" if _is_secure(request) else f"backhaul-{kind}"


def _is_secure(request: Request) -> bool:
    return request.url.scheme == "https"


def _from_our_page(request: Request) -> bool:
    site, origin = request.headers.get("sec-fetch-site"), request.headers.get("origin")
    return (
        request.headers.get("x-requested-with") == "XMLHttpRequest"
        and site in (None, "same-origin")
        and (origin is None or urlsplit(origin).netloc == request.headers.get("host"))
    )
