"""Slack's incoming webhook: plain words instead of JSON, and no id to find a message by afterwards.

Source: external service notes 5. The last part of the address is the secret; "refused" there is refused.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence

from starlette.responses import PlainTextResponse, Response

from backhaul.sandbox.door import proxy_page
from backhaul.sandbox.faults import Fault
from backhaul.sandbox.store import Store
from backhaul.sandbox.vendor import Ask, Call, Clock, Refusal, Refused

_TEXT_KEPT = 40_000
_SECTION_TEXT = 3_000


class Slack:
    service = "slack"
    label = "Slack"

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    def calls(self) -> Sequence[Call]:
        return [Call("POST", "/services/{team}/{hook}/{secret}", self._post)]

    @property
    def refusals(self) -> Mapping[str, Refusal]:
        return _REFUSALS

    def _post(self, ask: Ask) -> Response:
        if ask.params["secret"] == "refused":  # noqa: S105 - the word that asks for a refusal, not a secret
            raise _refused("invalid_token", 403)
        try:
            message = ask.json()
        except ValueError as problem:
            raise _refused("invalid_payload", 400) from problem
        if not isinstance(message, dict):
            raise _refused("invalid_payload", 400)
        text, blocks, attachments = (message.get(name) for name in ("text", "blocks", "attachments"))
        if not (text or blocks or attachments):
            raise _refused("no_text", 400)
        if not isinstance(text, str | None) or not isinstance(blocks, list | None) or not _fits(blocks or []):
            raise _refused("invalid_payload", 400)
        if isinstance(attachments, list) and len(attachments) > 100:
            raise _refused("too_many_attachments", 400)
        kept = message | ({"text": text[:_TEXT_KEPT]} if text else {})
        self._store.put("slack", uuid.uuid4().hex, {"at": self._clock().isoformat(), "message": kept})
        return PlainTextResponse("ok")


def _fits(blocks: list[object]) -> bool:
    def length(block: object) -> int:
        text = block.get("text") if isinstance(block, dict) else None
        return len(str(text.get("text", ""))) if isinstance(text, dict) else 0

    return len(blocks) <= 50 and all(length(block) <= _SECTION_TEXT for block in blocks)


def _refused(word: str, code: int) -> Refused:
    return Refused(PlainTextResponse(word, status_code=code))


def _says(word: str, code: int) -> Refusal:
    return lambda fault: PlainTextResponse(word, status_code=code)


def _slow_down(fault: Fault) -> Response:
    wait = 1 if fault.retry_after is None else fault.retry_after
    return PlainTextResponse("rate_limited", status_code=429, headers={"Retry-After": str(wait)})


_WORDS = {
    "invalid_payload": 400, "no_text": 400, "too_many_attachments": 400, "user_not_found": 400,
    "action_prohibited": 403, "invalid_token": 403, "posting_to_general_channel_denied": 403,
    "channel_not_found": 404, "no_service": 404, "no_service_id": 404, "no_active_hooks": 404, "no_team": 404,
    "channel_is_archived": 410, "team_disabled": 410, "rollup_error": 500,
}  # fmt: skip
_REFUSALS: Mapping[str, Refusal] = {word: _says(word, code) for word, code in _WORDS.items()} | {
    "401": _says("invalid_token", 403),
    "402": _says("team_disabled", 410),
    "403": _says("action_prohibited", 403),
    "denied": _says("action_prohibited", 403),
    "404": _says("no_service", 404),
    "429": _slow_down,
    "500": _says("rollup_error", 500),
    "503": lambda fault: proxy_page(503),
}
