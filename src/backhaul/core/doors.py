"""How often a stranger may knock: limits for public endpoints, shared by all processes.

A door that counts failures costs whoever behaves nothing, so that an office behind one address is not limited by its size.
This machine itself is never limited: behind a proxy that does not say for whom it asks, everybody would be one visitor.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address

import psycopg
import structlog
from psycopg_pool import PoolTimeout
from starlette.requests import Request

from backhaul.core.errors import Forbidden, TooMany
from backhaul.core.store import Store

_PATIENCE_S = 1.0  # whoever asks after our health is not kept waiting for a database that does not answer
_KNOCK = b"select private.knock(%(door)s, %(visitor)s, %(per_minute)s, %(burst)s, %(units)s) as wait_s"
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Door:
    """One limit: `burst` at once, `per_minute` from then on. what: what is refused, for people ("sign-in attempts").

    why: what else they may be told; nothing where the portal's pages know the text by heart.
    """

    name: str
    per_minute: float
    burst: float
    what: str
    why: str = "They came from the same place in a short time"

    async def look(self, store: Store, visitor: str | None) -> None:
        """Raises: TooMany, when the visitor has used the door up. Takes nothing."""
        await self._knock(store, visitor, 0)

    async def knock(self, store: Store, visitor: str | None) -> None:
        """Takes one. Raises: TooMany."""
        await self._knock(store, visitor, 1)

    async def _knock(self, store: Store, visitor: str | None, units: int) -> None:
        known_as = visitor and _known_as(visitor)
        if not known_as:
            return
        asked = {"door": self.name, "visitor": known_as, "per_minute": self.per_minute, "burst": self.burst, "units": units}
        wait_s: float = (await store.call(_KNOCK, asked))["wait_s"]
        if wait_s > 0:
            minutes = max(1, -(-int(wait_s) // 60))
            raise TooMany(
                f"Too many {self.what}. Please try again in {minutes} minute{'s' if minutes != 1 else ''}.",
                self.why,
                "Wait, then try again",
                retry_after=wait_s,
                code=f"limit.{self.name}",
            )


SIGN_IN = Door("sign-in", 30, 100, "failed sign-ins")
RENEWAL = Door("renewal", 60, 200, "failed renewals")
LINK = Door("link", 10, 20, "attempts")
PASSWORD = Door("password", 1 / 3, 5, "wrong passwords")
RESET = Door("reset", 10, 30, "password reset attempts", why="")
RESET_OF = Door("reset-of", 3 / 15, 3, "password reset attempts", why="")
PUBLIC = Door("public", 600, 600, "requests")


def limited(door: Door) -> Callable[[Request], Awaitable[None]]:
    """A dependency: every request through this router counts, by the caller's address.

    Without a database nothing can be counted; then the endpoint itself says what is wrong.
    """

    async def count(request: Request) -> None:
        try:
            async with asyncio.timeout(_PATIENCE_S):
                await door.knock(request.app.state.store, request.client.host if request.client else None)
        except (psycopg.Error, PoolTimeout, TimeoutError, Forbidden) as error:
            _log.warning("visitors not counted", door=door.name, why=type(error).__name__)

    return count


def _known_as(visitor: str) -> str | None:
    """What a visitor cannot change at will; None for this machine. Whoever has one IPv6 address has a whole network of them."""
    try:
        address: IPv4Address | IPv6Address = ip_address(visitor.partition("%")[0])
    except ValueError:
        return visitor  # a name, or the hash of one
    if isinstance(address, IPv6Address):
        address = address.ipv4_mapped or address
    if address.is_loopback:
        return None
    return str(address) if isinstance(address, IPv4Address) else str(IPv6Network((address, 64), strict=False))
