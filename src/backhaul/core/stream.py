"""From LISTEN/NOTIFY to open pages: one listener per process, one server-sent event stream per page.

A notification carries ids only. Each stream reads again as its own person, so row-level security decides what a page sees. Which
kinds of record are heard of, the application says by its feeds.

Reading is no sign of a person: a stream ends when its session has lain idle to its limit, and looks at just that moment. A
session ended by somebody (signed out elsewhere, role changed, account disabled) is heard of at once.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Collection, Hashable, Sequence
from datetime import UTC, datetime
from typing import Any, Protocol

import psycopg
import structlog
from pydantic_core import to_json

from backhaul.core.errors import Unauthenticated
from backhaul.core.store import Store, Tx
from backhaul.core.tokens import Claims

KEEP_ALIVE_S = 15.0
GATHER_S = 0.02  # what happens within this time travels together

_SESSIONS = "sessions"
# a line that only listens would not notice for hours that the other end is gone; these are seconds and a count
_LINE: dict[str, Any] = {"connect_timeout": 5, "keepalives_idle": 30, "keepalives_interval": 10, "keepalives_count": 3}
_log = structlog.get_logger(__name__)


class Feed(Protocol):
    """One kind of record that pages hear of."""

    channel: str
    """Of NOTIFY, on which the schema announces changes."""
    event: str
    """What the pages hear it as."""

    def understand(self, payload: str) -> Hashable:
        """What a notification says.

        Raises: ValueError, TypeError, KeyError, AttributeError or RecursionError for one that is not ours: anybody at psql may
        send one.
        """

    def may_concern(self, said: Any, claims: Claims) -> bool:
        """A first sieve, to spare the database; row-level security has the last word."""

    async def read(self, tx: Tx, said: Collection[Any], claims: Claims) -> list[dict[str, Any]]:
        """What this person hears, event by event, of what was said. tx: a transaction in their name."""


class _Subscriber:
    def __init__(self, claims: Claims) -> None:
        self.claims = claims
        self.heard: dict[Feed, set[Hashable]] = {}
        self.woken = asyncio.Event()
        self.missed = False
        self.left_s = 0.0  # of the session, by the database's clock, when it was last asked
        self.spoken_to = 0.0  # when something was last sent, by the loop's clock

    def silence_s(self) -> float:
        return asyncio.get_running_loop().time() - self.spoken_to


class Stream:
    """Listens while it runs, and feeds every open page."""

    def __init__(
        self,
        store: Store,
        feeds: Sequence[Feed],
        *,
        listen_to: str | None = None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """listen_to: a session connection to the same database, when the store's own goes through a transaction pooler."""
        self._store = store
        self._feeds = {feed.channel: feed for feed in feeds}
        self._dsn = listen_to or store.dsn
        self._now = now
        self._subscribers: set[_Subscriber] = set()
        self._listener: asyncio.Task[None] | None = None
        self._closing = asyncio.Event()
        self.listening = False

    async def open(self) -> None:
        self._listener = asyncio.create_task(self._listen(), name="change listener")

    async def close(self) -> None:
        self.hang_up()
        if self._listener is not None:
            self._listener.cancel()
            await asyncio.wait({self._listener})

    def hang_up(self) -> None:
        """Says goodbye to all pages; they come back to whoever serves next."""
        self._closing.set()
        for subscriber in self._subscribers:
            subscriber.woken.set()

    @property
    def open_pages(self) -> int:
        return len(self._subscribers)

    async def events(self, claims: Claims) -> AsyncIterator[bytes]:
        """The event stream of one page, until its token expires, its session ends, we stop, or the database was out of hearing.

        Ends with `bye` and the reason: expired (the token), idle, ended (the session), shutdown or interrupted.
        """
        subscriber = _Subscriber(claims)
        self._subscribers.add(subscriber)
        try:
            yield _event("hello", {"now": self._now()})
            await self._read(subscriber, {})
            subscriber.spoken_to = asyncio.get_running_loop().time()
            while (reason := self._over(subscriber)) is None:
                heard = await self._heard(subscriber)
                if self._over(subscriber) is not None:  # what is not sent now is read from the list by whoever comes back
                    continue
                told = await self._read(subscriber, heard)
                # that something happened which is not theirs to know does not show either: the next word comes when it is due
                if not told and subscriber.silence_s() < KEEP_ALIVE_S:
                    continue
                subscriber.spoken_to = asyncio.get_running_loop().time()
                for event in told or [b": keep-alive\n\n"]:
                    yield event
            yield _event("bye", {"reason": reason})
        except Unauthenticated as ended:
            reason = "idle" if ended.code == "session.idle" else "ended"
            yield _event("bye", {"reason": reason, "message": ended.what})
        except psycopg.OperationalError as error:
            _log.warning("stream interrupted", why=type(error).__name__)
            yield _event("bye", {"reason": "interrupted"})
        finally:
            self._subscribers.discard(subscriber)

    def _over(self, subscriber: _Subscriber) -> str | None:
        if self._closing.is_set():
            return "shutdown"
        if subscriber.missed:
            return "interrupted"
        return "expired" if subscriber.claims.expires_at <= self._now() else None

    async def _heard(self, subscriber: _Subscriber) -> dict[Feed, set[Hashable]]:
        token_left_s = (subscriber.claims.expires_at - self._now()).total_seconds()
        quiet_s = KEEP_ALIVE_S - subscriber.silence_s()
        left_s = min(quiet_s, token_left_s, subscriber.left_s + 0.1)  # just past the end, not just before
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(subscriber.woken.wait(), max(0.0, left_s))
            await asyncio.sleep(GATHER_S)
        heard, subscriber.heard = subscriber.heard, {}
        if not self._closing.is_set():
            subscriber.woken.clear()
        return heard

    async def _read(self, subscriber: _Subscriber, heard: dict[Feed, set[Hashable]]) -> list[bytes]:
        """The events of what this person may see; asked without any, only whether they are still signed in."""
        claims = subscriber.claims
        async with self._store.person(claims.user_id, claims.session_id) as (tx, who):
            subscriber.left_s = who["left_s"]
            return [_event(feed.event, data) for feed, said in heard.items() for data in await feed.read(tx, said, claims)]

    async def _listen(self) -> None:
        pause_s = 0.1
        while True:
            try:
                async with await psycopg.AsyncConnection.connect(self._dsn, autocommit=True, **_LINE) as connection:
                    for channel in (*self._feeds, _SESSIONS):
                        await connection.execute(f"listen {channel}".encode())
                    self.listening = True
                    self._missed()  # pages that said hello while nobody listened
                    pause_s = 0.1
                    async for note in connection.notifies():
                        if note.channel == _SESSIONS:
                            self._hear_of_end(note.payload)
                        else:
                            self._hear(self._feeds[note.channel], note.payload)
            except psycopg.Error as error:
                _log.warning("stream without a database", why=type(error).__name__)
            finally:
                self.listening = False
            self._missed()
            await asyncio.sleep(pause_s)
            pause_s = min(pause_s * 2, 2.0)

    def _hear(self, feed: Feed, payload: str) -> None:
        try:
            said = feed.understand(payload)
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
            _log.warning("notification not understood", channel=feed.channel, length=len(payload))
            return
        for subscriber in self._subscribers:
            if feed.may_concern(said, subscriber.claims):
                subscriber.heard.setdefault(feed, set()).add(said)
                subscriber.woken.set()

    def _hear_of_end(self, session_id: str) -> None:
        """Streams of that session look for themselves: anybody at psql may send a notification."""
        for subscriber in self._subscribers:
            if str(subscriber.claims.session_id) == session_id:
                subscriber.woken.set()

    def _missed(self) -> None:
        """We did not hear for a while, and nothing is said twice: pages reconnect, and read their list anew."""
        for subscriber in self._subscribers:
            subscriber.missed = True
            subscriber.woken.set()


def _event(name: str, data: dict[str, Any]) -> bytes:
    return b"event: %b\ndata: %b\n\n" % (name.encode(), to_json(data))
