"""What Quo's contacts and messages have in common: the key, ten requests a second, the error body, reading, paging.

Source: external service notes 3. The codes of errors on contacts follow the two documented ones ("0800404", "0800409").
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from typing import Annotated, TypeVar

from pydantic import AfterValidator, AnyUrl, BaseModel, ConfigDict, StringConstraints, TypeAdapter, ValidationError
from pydantic.alias_generators import to_camel
from starlette.responses import JSONResponse, Response

from backhaul.sandbox.door import proxy_page
from backhaul.sandbox.faults import Fault
from backhaul.sandbox.vendor import Ask, Refusal, Refused, Window

PhoneNumber = Annotated[str, StringConstraints(pattern=r"^\+[1-9]\d{1,14}$")]
Text = Annotated[str, StringConstraints(min_length=1)]
ExternalId = Annotated[str, StringConstraints(min_length=1, max_length=75)]


def _is_free(source: str) -> str:
    if source in _RESERVED_SOURCES or source.startswith(("openphone", "csv")):
        raise ValueError("this source is reserved")
    return source


def _is_url(url: str) -> str:
    TypeAdapter(AnyUrl).validate_python(url)
    return url


Source = Annotated[str, StringConstraints(min_length=1, max_length=72), AfterValidator(_is_free)]
SourceUrl = Annotated[str, StringConstraints(max_length=200), AfterValidator(_is_url)]

_TITLES = {400: "Bad Request", 401: "Unauthorized", 402: "Payment Required", 403: "Forbidden", 404: "Not Found", 409: "Conflict"}
_RESERVED_SOURCES = {"openphone", "device", "csv", "zapier", "google-people", "other"}
_DOCS = "https://www.quo.com/docs"


class QuoBody(BaseModel):
    """Quo refuses properties it does not know. Names are camelCase on the wire."""

    model_config = ConfigDict(extra="forbid", strict=True, alias_generator=to_camel)


Body = TypeVar("Body", bound=QuoBody)


def problem(status: int, code: str, message: str, *, title: str = "", errors: Sequence[Mapping[str, object]] = ()) -> Response:
    """Quo's v1 error body. `code` is text, its leading zero counts."""
    body: dict[str, object] = {
        "message": message,
        "code": code,
        "status": status,
        "docs": _DOCS,
        "title": title or _TITLES.get(status, "Error"),
        "trace": f"stand-in-{code}",
    }
    return JSONResponse(body | {"errors": list(errors)} if errors else body, status_code=status)


def invalid(code: str, path: str, message: str, value: object = None, kind: str = "string") -> Refused:
    return _all_invalid(code, [{"path": f"/{path}", "message": message, "value": value, "schema": {"type": kind}}])


class Reception:
    """Every Quo call passes here: its key must be there as it is, and within its ten requests of this second."""

    def __init__(self, window: Window) -> None:
        self._window = window

    def admit(self, ask: Ask) -> None:
        """Raises Refused."""
        key = ask.headers.get("Authorization", "")
        if not key or key.lower().startswith("bearer") or key == "refused":
            raise Refused(problem(401, "0200401", "The API key is missing or not valid."))
        if not self._window.admits(key):
            raise Refused(too_many())


def read(ask: Ask, shape: type[Body], code: str) -> Body:
    """The body in its documented shape. Raises Refused with every fault of it, in Quo's `errors[]`."""
    try:
        return shape.model_validate_json(ask.body)
    except ValidationError as faults:
        raise _all_invalid(
            code,
            [
                {
                    "path": "/" + "/".join(map(str, fault["loc"])),
                    "message": fault["msg"],
                    "value": fault["input"] if isinstance(fault["input"], str | int | float | None) else None,
                    "schema": {"type": fault["type"]},
                }
                for fault in faults.errors()
            ],
        ) from faults


def page(ask: Ask, found: Sequence[Mapping[str, object]], code: str, *, most: int) -> Response:
    """A page of a list: `maxResults` is required, `pageToken` comes from the page before."""
    wish = ask.query.get("maxResults", "")
    size = int(wish) if wish.isascii() and wish.isdigit() and len(wish) < 9 else 0
    if not 1 <= size <= most:
        raise invalid(code, "maxResults", f"Expected integer from 1 to {most}", wish, "integer")
    try:
        start = int(base64.urlsafe_b64decode(ask.query.get("pageToken", "MA==")))
    except ValueError as unreadable:
        raise invalid(code, "pageToken", "Expected a token of an earlier answer") from unreadable
    end = start + size
    more = base64.urlsafe_b64encode(str(end).encode()).decode() if end < len(found) else None
    return JSONResponse({"data": list(found[start:end]), "totalItems": len(found), "nextPageToken": more})


def too_many(fault: Fault | None = None) -> Response:
    """No Retry-After: Quo promises none. A fault order may add one."""
    response = problem(429, "0200429", "Too many requests in this second.", title="Too Many Requests")
    if fault and fault.retry_after is not None:
        response.headers["Retry-After"] = str(fault.retry_after)
    return response


def refusals(family: str) -> Mapping[str, Refusal]:
    """`family`: the first four digits of a surface's codes, "0800" for contacts and "0200" for messages."""
    forbidden = _says(403, "0202403" if family == "0200" else f"{family}403", "Forbidden", "This key may not do that.")
    return {
        "401": _says(401, "0200401", "Unauthorized", "The API key is missing or not valid."),
        "402": _says(402, "0201402", "Subscription Expired", "The subscription or the message credit has run out."),
        "403": forbidden,
        "denied": forbidden,
        "404": _says(404, f"{family}404", "Not Found", "Not found."),
        "409": _says(409, f"{family}409", "Conflict", "Conflict."),
        "429": too_many,
        "500": _says(500, "0201500", "Unknown", "Something went wrong."),
        "503": lambda _: proxy_page(503),
        "0206400": _says(400, "0206400", "A2P Registration Not Approved", "US carrier registration is not finished."),
        "0204403": _says(403, "0204403", "Daily Limit Reached", "The carriers' limit of texts for this day is reached."),
    }


def _says(status: int, code: str, title: str, message: str) -> Refusal:
    return lambda _: problem(status, code, message, title=title)


def _all_invalid(code: str, errors: Sequence[Mapping[str, object]]) -> Refused:
    return Refused(problem(400, code, "The request is not valid.", errors=errors))
