"""What a service outside answered, and how much of it may be shown to a person."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from json import loads
from typing import Any
from urllib.parse import quote, quote_plus

import httpx

LONGEST_PAUSE_S = 86_400.0  # a Retry-After beyond a day is a broken header, or an outage worth asking about once a day


@dataclass(frozen=True)
class Answer:
    """What came back, read whole. `retry_after`: seconds to wait should this answer mean "slow down"."""

    status: int
    headers: httpx.Headers = field(repr=False)
    body: bytes = field(repr=False)
    retry_after: float
    sent: object = field(repr=False)
    secrets: tuple[str, ...] = field(repr=False)

    @property
    def succeeded(self) -> bool:
        return 200 <= self.status < 300

    @property
    def text(self) -> str:
        return self.body.decode("utf-8", errors="replace").strip()

    def json(self) -> Any:
        """The parsed body; None if it is not JSON (a proxy's HTML, an empty body, a cut one)."""
        try:
            return loads(self.body, parse_constant=_refuse_constant)
        except (ValueError, RecursionError):
            return None

    def quote(self, words: object) -> str:
        """The vendor's own words, fit for a screen: one short line without keys, addresses, or anything sent or told `about`."""
        return presentable(words, self.sent, self.secrets) if isinstance(words, str) else ""


def retry_after_s(header: str | None, now: datetime) -> float | None:
    """Seconds to wait by a Retry-After header, as a number or as an HTTP date; None if it names no time ahead.

    Source: RFC 9110, 10.2.3.
    """
    if header is None:
        return None
    if re.fullmatch(r"[0-9]{1,300}(\.[0-9]{1,300})?", header.strip()):
        seconds = float(header)
    else:
        try:
            at = parsedate_to_datetime(header)
        except (ValueError, OverflowError):
            return None
        seconds = (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp() - now.timestamp()
    return min(seconds, LONGEST_PAUSE_S) if seconds > 0 else None


def _refuse_constant(name: str) -> float:
    raise ValueError(f"{name} is not JSON")


_ELLIPSIS = "[…]"
# In this order: web address, e-mail, telephone or other long number, coordinate.
_PRIVATE = re.compile(r"[a-z]+://\S+|[^\s@]+@[^\s@]+|\+?\d[\d ().-]{6,}\d|-?\d+\.\d{3,}", re.IGNORECASE)


def presentable(words: str, sent: object, secrets: tuple[str, ...], longest: int = 200) -> str:
    line = " ".join(words.split())
    if len(line) > 10 * longest:  # cut between words, lest half of something private escapes what follows
        line = line[: 10 * longest].rpartition(" ")[0]
    line = without(line, secrets)
    if told := sorted(set(_leaves(sent)), key=len, reverse=True):
        line = re.sub(rf"(?<!\w)(?:{'|'.join(map(re.escape, told))})(?!\w)", _ELLIPSIS, line, flags=re.IGNORECASE)
    line = _PRIVATE.sub(_ELLIPSIS, line).rstrip(" .")  # it is quoted within a sentence
    return line if len(line) <= longest else line[: longest - 1] + "…"


def without(text: str, secrets: tuple[str, ...]) -> str:
    for secret in secrets:
        for form in (secret, quote(secret, safe="", errors="replace"), quote_plus(secret, errors="replace")):
            text = text.replace(form, _ELLIPSIS)
    return text


def _leaves(value: object) -> Iterator[str]:
    """Every text and fraction sent, whole and word by word: a vendor may echo part of a name or an address."""
    match value:
        case str():
            yield from (part for part in (value.strip(), *re.split(r"[\s,|]+", value)) if len(part) > 1)
        case float():
            yield str(value)
        case Mapping():
            for inner in value.values():
                yield from _leaves(inner)
        case list() | tuple():
            for inner in value:
                yield from _leaves(inner)
