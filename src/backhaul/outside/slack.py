"""A Slack channel, by incoming webhook: alerts, at most once.

What was posted cannot be found, changed or taken back, so a post without an answer is not repeated; name the task in
the text, and a double can be recognised. Source: Slack, Sending messages using incoming webhooks; Rate Limits.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import httpx

from backhaul.core.answer import Answer
from backhaul.core.errors import Malformed, Misconfigured, OutsideProblem, Transient
from backhaul.core.outbound import Limits, Outbound

SERVICE = "Slack"


def escape(text: str) -> str:
    """`text` as Slack shows it: no name in it becomes a link or calls the whole channel."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


class Slack:
    """`url` is the webhook's address, and the secret."""

    service = SERVICE

    def __init__(self, url: str, *, limits: Limits, transport: httpx.AsyncBaseTransport | None = None) -> None:
        url = url.strip()
        path = url.partition("://")[2].partition("/")[2]
        self._outbound = Outbound(
            SERVICE,
            url,
            limits=limits,
            limiter_key="slack",
            secrets=(url, path, path.rpartition("/")[2]),
            said=_word,
            transport=transport,
        )

    async def post(self, text: str, blocks: Sequence[Mapping[str, Any]] | None = None) -> None:
        """Posts `text`, escaped. `blocks` go as they are, since they hold markup: `escape` whatever comes from people.

        Raises: OutcomeUnknown, never to be repeated; Transient, RateLimited; Misconfigured when the webhook is gone; Malformed.
        """
        body = {"text": escape(text), **({"blocks": list(blocks)} if blocks else {})}
        answer = await self._outbound.send("POST", repeatable=False, json=body, explain=_explain)
        if answer.text != "ok":
            raise self._outbound.unknown("It answered without saying ok")

    async def aclose(self) -> None:
        await self._outbound.aclose()


_MALFORMED = {"invalid_payload", "no_text", "too_many_attachments"}
_FORBIDDEN = {"action_prohibited", "posting_to_general_channel_denied", "user_not_found"}
_REMOVED = {
    "invalid_token",
    "channel_not_found",
    "no_service",
    "no_service_id",
    "no_active_hooks",
    "no_team",
    "channel_is_archived",
    "team_disabled",
}
_KNOWN = _MALFORMED | _FORBIDDEN | _REMOVED | {"ok", "rollup_error"}


def _explain(answer: Answer) -> OutsideProblem | None:
    """Judged by the word; the HTTP status of each word has varied, and counts only where the word is new to us."""
    word = _word(answer)
    said = f"It answered {word or answer.status}"
    if word in _REMOVED or (answer.status in (404, 410) and word not in _KNOWN):
        return Misconfigured(
            SERVICE,
            "Slack no longer takes our alerts",
            "The webhook or its channel was removed",
            "Make a new webhook and store its address",
            code=f"slack.{word or answer.status}",
        )
    if word in _FORBIDDEN:
        todo = "Ask an administrator of the Slack workspace to allow it, or make a webhook for another channel"
        return Misconfigured(SERVICE, "Slack does not let us post there", said, todo, code=f"slack.{word}")
    if word == "rollup_error":
        todo = "Nothing to do; it is tried again by itself"
        return Transient(SERVICE, "Slack had a fault", said, todo, code="slack.rollup_error")
    if word in _MALFORMED or (word not in ("", "ok") and answer.succeeded):
        todo = "Report it to a developer; retrying will not help"
        return Malformed(SERVICE, "Slack did not accept our message", said, todo, code=f"slack.{word}")
    return None


def _word(answer: Answer) -> str:
    """The word that is the whole body; blank if it is something else, such as a proxy's page."""
    word = answer.text if re.fullmatch(r"[a-z][a-z0-9_]{1,60}", answer.text) else ""
    return word if word in _KNOWN or answer.quote(word) == word else ""  # an echo of ours is no word of Slack's
