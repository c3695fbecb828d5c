"""The first administrator: a new installation comes with no account and no password. Whoever starts it gets a link."""

from __future__ import annotations

import secrets

from backhaul.core.queries import Queries
from backhaul.core.sessions import digest
from backhaul.core.store import Store

_sql = Queries("profile")


async def setup_link(store: Store, portal_url: str) -> str | None:
    """A link for making the first administrator, once, within 24 hours; it voids the one before. None when there is one already.

    The token is behind the #, so that no server and no log ever sees it in an address.
    """
    token = secrets.token_urlsafe(32)
    async with store.service() as tx:
        made = await tx.one(_sql.put_setup_link, {"token": digest(token)})
    return f"{portal_url}/setup.html#token={token}" if made else None
