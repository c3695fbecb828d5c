"""A small stand-in for Supabase Realtime: a Phoenix server that knows one topic, and judges tokens as the real one does.

It speaks protocol 2.0.0: arrays of [join_ref, ref, topic, event, payload]. Nothing here reaches Supabase.
Source: Supabase's Realtime protocol page; what the real one does with tokens and filters is noted at each place.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit

import jwt
from websockets.asyncio.server import Server, ServerConnection, serve

_IDS = {"background_tasks": 104, "appointments": 105}  # of each subscription, as the server counts them
_TYPES = {"id": "uuid", "entity_id": "uuid", "created_by": "uuid", "attempt": "int4", "max_attempts": "int4"}


class RealtimeStandIn:
    """`async with RealtimeStandIn() as realtime`: then it is at `realtime.url`, as a Supabase project would be.

    refuse: what every join is told from now on by a `system` error; None lets those with a token in.
    """

    def __init__(self) -> None:
        self.refuse: str | None = None
        self.joins: list[dict[str, Any]] = []  # the payload of each phx_join
        self.renewed: list[str] = []  # tokens sent after the join
        self.keys: list[str] = []  # ?apikey= of each connection
        self._listeners: dict[ServerConnection, tuple[str, str]] = {}
        self._server: Server | None = None

    async def __aenter__(self) -> RealtimeStandIn:
        self._server = await serve(self._talk, "127.0.0.1", 0)
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        await self._server.wait_closed()

    @property
    def url(self) -> str:
        assert self._server is not None
        return f"http://127.0.0.1:{next(iter(self._server.sockets)).getsockname()[1]}"

    @property
    def listeners(self) -> int:
        return len(self._listeners)

    async def update(self, row: dict[str, Any], table: str = "background_tasks") -> None:
        """Tells everybody who asked for that table that this row of it has changed."""
        change = {
            "type": "UPDATE",
            "schema": "public",
            "table": table,
            "commit_timestamp": datetime.now(UTC).isoformat(),
            "columns": [{"name": name, "type": _TYPES.get(name, "text")} for name in row],
            "record": row,
            "old_record": {"id": row["id"]},
            "errors": None,
        }
        for line, (_, topic) in list(self._listeners.items()):
            await _send(line, None, None, topic, "postgres_changes", {"ids": [_IDS[table]], "data": change})

    async def listen_anew(self) -> None:
        """The database side was lost and is there again, on the same channel: it says so, and not what it has missed."""
        for line, (join_ref, topic) in list(self._listeners.items()):
            await _system(line, join_ref, topic, "ok", "Subscribed to PostgreSQL")

    async def hang_up(self, why: str) -> None:
        """As at the end of a token that was not renewed: a system error, then the channel is closed."""
        for line, (join_ref, topic) in list(self._listeners.items()):
            await _system(line, join_ref, topic, "error", why)
            await _send(line, join_ref, join_ref, topic, "phx_close", {})
        self._listeners.clear()

    async def _talk(self, line: ServerConnection) -> None:
        assert line.request is not None
        asked = urlsplit(line.request.path)
        assert asked.path == "/realtime/v1/websocket"
        self.keys += parse_qs(asked.query)["apikey"]
        async for text in line:
            join_ref, ref, topic, event, payload = json.loads(text)
            match event:
                case "phx_join":
                    await self._join(line, join_ref, ref, topic, payload)
                case "access_token":
                    self.renewed.append(payload["access_token"])
                case "phx_leave":
                    self._listeners.pop(line, None)
                    await _send(line, join_ref, ref, topic, "phx_reply", {"status": "ok", "response": {}})
                case "heartbeat":
                    await _send(line, None, ref, topic, "phx_reply", {"status": "ok", "response": {}})
        self._listeners.pop(line, None)

    async def _join(self, line: ServerConnection, join_ref: str, ref: str, topic: str, payload: dict[str, Any]) -> None:
        self.joins.append(payload)
        wanted = payload["config"]["postgres_changes"]
        answer = {"postgres_changes": [{**one, "id": _IDS[one["table"]]} for one in wanted]}
        await _send(line, join_ref, ref, topic, "phx_reply", {"status": "ok", "response": answer})
        if self.refuse is not None:
            await _system(line, join_ref, topic, "error", self.refuse)
            return
        await _system(line, join_ref, topic, "ok", "Subscribed to PostgreSQL")
        if _is_somebodys(payload.get("access_token")):  # without one the join is accepted all the same, and hears nothing
            self._listeners[line] = (join_ref, topic)


def _is_somebodys(token: str | None) -> bool:
    """Whether row-level security could know by it who is listening: the claims `role` and `exp` are required."""
    if not token:
        return False
    claims = jwt.decode(token, options={"verify_signature": False})
    return bool(claims["role"] == "authenticated" and claims["exp"] > datetime.now(UTC).timestamp())


async def _system(line: ServerConnection, join_ref: str, topic: str, status: str, message: str) -> None:
    channel = topic.removeprefix("realtime:")
    said = {"extension": "postgres_changes", "status": status, "message": message, "channel": channel}
    await _send(line, join_ref, None, topic, "system", said)


async def _send(line: ServerConnection, *message: Any) -> None:
    """message: join_ref, ref, topic, event, payload."""
    await line.send(json.dumps(message))
