"""HTTP to services outside the office: the manners all adapters share.

An adapter says what to send and what its vendor's words mean (`explain`). Here is the rest: one limiter per key, short
timeouts, no redirects, no retries (the task layer retries, so that a person sees it), bodies of any shape, and every
failure as one of `backhaul.errors`.

The question that matters after a failure is whether the request may have been carried out:

    no connection                           nothing was sent        → Transient
    silence, or a cut, after it was sent    repeatable              → Transient
                                            not repeatable          → OutcomeUnknown: look there before repeating
    an answer                               `explain`, then status  → see `_by_status`

No error and no log line holds a key: addresses are logged without query, and the vendor's words reach an error only
through `Answer.quote`, which also hides what we sent about people.
"""

from __future__ import annotations

import asyncio
import logging
import re
import ssl
from collections.abc import Callable, Collection, Mapping
from datetime import UTC, datetime
from functools import cache, partial
from importlib.metadata import version
from typing import Any, TypeVar

import httpx
from pydantic import TypeAdapter, ValidationError

from backhaul.core.answer import Answer, retry_after_s, without
from backhaul.core.errors import Gone, Malformed, Misconfigured, OutsideProblem, RateLimited
from backhaul.core.line import FAULTY, NO_LIMITS, SILENT, UNKNOWN, UNREACHABLE, UNREADABLE, UNUSABLE, Kind, Limits, Line

__all__ = ["LARGEST_BODY", "NO_LIMITS", "Explain", "Limits", "Outbound"]

LARGEST_BODY = 8 * 1024 * 1024

T = TypeVar("T")


Explain = Callable[[Answer], OutsideProblem | None]


class Outbound:
    """The line to one service.

    service       its name as people know it ("Google Maps")
    limiter_key   its short name: the budget to draw from, and the first half of every error code ("maps.403")
    secrets       hidden wherever the vendor's words or a path are shown
    pause_s       how long to wait when it says "slow down" without a time: 1 for a limit per second, 60 for one per minute
    said          finds the vendor's own short message in an answer that `explain` does not know
    auth          signs each request in; where it raises one of `backhaul.errors`, nothing was done
    """

    def __init__(
        self,
        service: str,
        base_url: str,
        *,
        limits: Limits,
        limiter_key: str,
        headers: Mapping[str, str] | None = None,
        secrets: Collection[str] = (),
        pause_s: float = 1.0,
        said: Callable[[Answer], object] = lambda _: None,
        auth: httpx.Auth | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
        connect_s: float = 5.0,
        read_s: float = 10.0,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.service = service
        self._base_url = base_url.rstrip("/")
        self._line = Line(service, limiter_key, limits)
        self._secrets = tuple(secret for secret in secrets if secret)
        self._pause_s = pause_s
        self._said = said
        self._connect_s, self._read_s = connect_s, read_s
        self._now = now
        self._headers = {"User-Agent": f"backhaul/{version('backhaul')}", **(headers or {})}
        self._client = httpx.AsyncClient(
            auth=auth,
            transport=transport,
            timeout=httpx.Timeout(read_s, connect=connect_s),
            follow_redirects=False,
            verify=_trusted(),
            # A company proxy is for the way out; a service on this machine is reached directly.
            trust_env=not re.match(r"https?://(localhost|127\.|\[::1\])", base_url),
        )

    async def send(
        self,
        method: str,
        path: str = "",
        *,
        repeatable: bool,
        unlogged: str = "",
        units: int = 1,
        params: Mapping[str, Any] | None = None,
        json: object = None,
        form: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        about: object = None,
        explain: Explain = lambda _: None,
    ) -> Answer:
        """One request, and the answer if it is a success.

        repeatable: sending it twice does no harm there (a read, a PATCH). If not, silence raises OutcomeUnknown.
        unlogged: the end of the path, where it tells of people.
        units: what it costs of the limit, in the vendor's unit (requests, elements, messages).
        about: whom it concerns, hidden in the vendor's words like everything sent, even where this request names nobody.
        explain: asked first, about successes too, since some vendors report failure under 200. None: the status decides.

        Raises: Transient, RateLimited, OutcomeUnknown, Misconfigured, Malformed, Gone; whatever `explain` and the limits raise.
        """
        merged = {**self._headers, **(headers or {})}
        content: dict[str, Any] = {"params": params, "json": json, "data": form, "headers": merged}
        build = partial(self._client.build_request, method, self._base_url + path + unlogged, **content)

        async def attempt(note: dict[str, object]) -> Answer | OutsideProblem:
            try:
                outcome = await self._exchange(build, (unlogged, params, json, form, about), repeatable)
            except OutsideProblem as signing_in:
                return signing_in
            if isinstance(outcome, OutsideProblem):
                return outcome
            note["status"] = outcome.status
            return explain(outcome) or self._by_status(outcome, repeatable) or outcome

        return await self._line.ask(attempt, units=units, method=method, path=without(path, self._secrets))

    def read(self, answer: Answer, shape: TypeAdapter[T]) -> T:
        """The answer as `shape`. Raises: Malformed, naming the first field that does not fit but never its value."""
        misfit = "It is not JSON"
        if (parsed := answer.json()) is not None:
            try:
                return shape.validate_python(parsed)
            except ValidationError as error:
                first = error.errors(include_url=False, include_context=False, include_input=False)[0]
                misfit = f"{'.'.join(str(part) for part in first['loc']) or 'the whole'}: {first['msg']}"
        raise self.unreadable(misfit)

    def unreadable(self, why: str) -> OutsideProblem:
        return self._line.problem(UNREADABLE, why, "unreadable")

    def unknown(self, why: str) -> OutsideProblem:
        return self._line.problem(UNKNOWN, why, "unknown")

    async def aclose(self) -> None:
        await self._client.aclose()

    async def _exchange(self, build: Callable[[], httpx.Request], sent: object, repeatable: bool) -> Answer | OutsideProblem:
        # Problems are returned, not raised: raised here they would carry httpx's error, and with it the address and its key.
        try:
            # httpx measures each wait; the deadline ends an answer that trickles in for ever.
            async with asyncio.timeout(self._connect_s + 2 * self._read_s):
                response = await self._client.send(build(), stream=True)
                try:
                    body = await _read_body(response)
                finally:
                    await response.aclose()
        except (httpx.InvalidURL, httpx.UnsupportedProtocol, httpx.LocalProtocolError, UnicodeEncodeError):
            why = "It is not a web address, or holds characters that no key has" if self._base_url else "No address is set"
            return self._line.problem(UNUSABLE, why, "setting")
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError):
            return self._line.problem(UNREACHABLE, "No connection could be made", "unreachable")
        except (httpx.TimeoutException, TimeoutError):
            why = f"No answer came within {self._read_s:g} seconds"
            return self._line.problem(SILENT if repeatable else UNKNOWN, why, "timeout")
        except (httpx.TransportError, httpx.DecodingError):
            why = "The connection ended before the answer was complete"
            return self._line.problem(SILENT if repeatable else UNKNOWN, why, "broken")
        if body is None:
            why = f"The answer is larger than {LARGEST_BODY // 1024 // 1024} MB"
            return self._line.problem(UNREADABLE if repeatable else UNKNOWN, why, "too_large")
        return Answer(
            status=response.status_code,
            headers=response.headers,
            body=body,
            retry_after=retry_after_s(response.headers.get("Retry-After"), self._now()) or self._pause_s,
            sent=sent,
            secrets=self._secrets,
        )

    def _by_status(self, answer: Answer, repeatable: bool) -> OutsideProblem | None:
        if answer.succeeded:
            return None
        if answer.status == 429:
            return RateLimited(self.service, retry_after=answer.retry_after, code=f"{self._line.key}.rate_limited")
        said = answer.quote(self._said(answer))
        why = f'It answered {answer.status}: "{said}"' if said else f"It answered {answer.status}"
        if answer.status == 503 and "Retry-After" in answer.headers:
            what, todo = (text.format(self.service) for text in (FAULTY.what, FAULTY.todo))
            return RateLimited(
                self.service, retry_after=answer.retry_after, what=what, why=why, todo=todo, code=f"{self._line.key}.503"
            )
        return self._line.problem(_kind(answer.status, repeatable), why, str(answer.status))


_REFUSED = Kind(Misconfigured, "{} refused us", "Ask the administrator to check key, rights and bill; retrying will not help")
_MOVED = Kind(Misconfigured, "{} sent us to another address", "Ask the administrator to correct the address set for {}")
_GONE = Kind(
    Gone,
    "{} no longer has what we asked for",
    "Check whether it was deleted there; if every call fails so, the address set for {} is wrong",
)
_REJECTED = Kind(Malformed, "{} did not accept our request", "Report it to a developer; retrying will not help")


def _kind(status: int, repeatable: bool) -> Kind:
    match status:
        case 401 | 402 | 403 | 407:
            return _REFUSED
        case 404 | 410:
            return _GONE
        case 408:
            return FAULTY
        case _ if status >= 500:
            # A gateway, too, answers 5xx when the server behind it has done the work and only the answer got lost.
            return FAULTY if repeatable else UNKNOWN
        case _ if status < 400:
            return _MOVED
        case _:
            return _REJECTED


async def _read_body(response: httpx.Response) -> bytes | None:
    """The whole body; None once it proves larger than LARGEST_BODY."""
    body = bytearray()
    async for piece in response.aiter_bytes():
        body += piece
        if len(body) > LARGEST_BODY:
            return None
    return bytes(body)


class _HostOnly(logging.Filter):
    """httpx logs each request's whole address, and Google's holds our key and somebody's street."""

    def filter(self, record: logging.LogRecord) -> bool:
        if isinstance(record.args, tuple):
            record.args = tuple(f"{arg.scheme}://{arg.host}" if isinstance(arg, httpx.URL) else arg for arg in record.args)
        return True


logging.getLogger("httpx").addFilter(_HostOnly())


@cache
def _trusted() -> ssl.SSLContext:
    """Whom we believe to be who they say. Reading all those certificates takes as long as several calls: once for all lines."""
    return httpx.create_ssl_context()
