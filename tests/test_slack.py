"""Slack alerts: what the archive's notice and on-call may rely on."""

from __future__ import annotations

import json
import logging
import traceback

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from backhaul.core.errors import Malformed, Misconfigured, OutcomeUnknown, OutsideProblem, RateLimited, Transient
from backhaul.core.outbound import NO_LIMITS
from backhaul.outside.slack import Slack, escape
from tests.fakes import CountingLimits

SECRET = "xox1secrettokenofthehook"
URL = f"https://hooks.slack.test/services/T0/B0/{SECRET}"
GONE = ("Slack no longer takes our alerts", "The webhook or its channel was removed", "Make a new webhook and store its address")


class FakeSlack:
    def __init__(self, status: int = 200, body: str = "ok", headers: dict[str, str] | None = None) -> None:
        self._answer = (status, body, headers)
        self.requests: list[httpx.Request] = []
        self.hook = Slack(URL, limits=NO_LIMITS, transport=httpx.MockTransport(self._act))

    def _act(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        status, body, headers = self._answer
        return httpx.Response(status, text=body, headers=headers)


async def problem_of(slack: FakeSlack) -> OutsideProblem:
    with pytest.raises(OutsideProblem) as caught:
        await slack.hook.post("3 tasks failed")
    assert len(slack.requests) == 1, "posted at most once"
    return caught.value


async def test_text_and_blocks_are_posted_to_the_very_address_of_the_webhook() -> None:
    slack = FakeSlack()
    blocks = [{"type": "section", "text": {"type": "mrkdwn", "text": "*3 tasks failed*"}}]
    await slack.hook.post("3 tasks failed", blocks)
    await slack.hook.post("archived")
    assert [str(request.url) for request in slack.requests] == [URL, URL]
    assert slack.requests[0].headers["Content-Type"] == "application/json"
    assert json.loads(slack.requests[0].content) == {"text": "3 tasks failed", "blocks": blocks}
    assert json.loads(slack.requests[1].content) == {"text": "archived"}


async def test_name_in_the_text_can_neither_call_the_channel_nor_make_a_link() -> None:
    slack = FakeSlack()
    await slack.hook.post("Failed: <!channel> & <https://x.test|Jane>")
    assert json.loads(slack.requests[0].content)["text"] == "Failed: &lt;!channel&gt; &amp; &lt;https://x.test|Jane&gt;"


@given(st.text())
def test_no_escaped_text_holds_markup_and_all_of_it_can_be_read_back(text: str) -> None:
    escaped = escape(text)
    assert not set(escaped) & {"<", ">"}
    assert escaped.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&") == text


@pytest.mark.parametrize("status", [200, 400, 403, 404, 410, 500])
@pytest.mark.parametrize(
    ("word", "kind"),
    [
        ("invalid_payload", Malformed),
        ("no_text", Malformed),
        ("too_many_attachments", Malformed),
        ("user_not_found", Misconfigured),
        ("action_prohibited", Misconfigured),
        ("invalid_token", Misconfigured),
        ("posting_to_general_channel_denied", Misconfigured),
        ("channel_not_found", Misconfigured),
        ("no_service", Misconfigured),
        ("no_service_id", Misconfigured),
        ("no_active_hooks", Misconfigured),
        ("no_team", Misconfigured),
        ("channel_is_archived", Misconfigured),
        ("team_disabled", Misconfigured),
        ("rollup_error", Transient),
    ],
)
async def test_failure_is_judged_by_its_word_whatever_the_status(word: str, kind: type[OutsideProblem], status: int) -> None:
    problem = await problem_of(FakeSlack(status, word))
    assert (type(problem), problem.code, problem.service) == (kind, f"slack.{word}", "Slack")
    assert problem.todo


@pytest.mark.parametrize("word", ["no_service", "channel_is_archived", "channel_not_found", "no_team", "invalid_token"])
async def test_removed_webhook_is_told_in_the_same_words(word: str) -> None:
    problem = await problem_of(FakeSlack(404, word))
    assert (problem.what, problem.why, problem.todo) == GONE


@pytest.mark.parametrize(
    ("status", "body", "kind", "code"),
    [
        (404, "<html>nothing here</html>", Misconfigured, "slack.404"),
        (410, "", Misconfigured, "slack.410"),
        (404, "brand_new_word", Misconfigured, "slack.brand_new_word"),
        (403, "brand_new_word", Misconfigured, "slack.403"),
        (400, "brand_new_word", Malformed, "slack.400"),
        (200, "brand_new_word", Malformed, "slack.brand_new_word"),
        (200, "<html>sign in to the guest network</html>", OutcomeUnknown, "slack.unknown"),
        (200, "", OutcomeUnknown, "slack.unknown"),
        (500, "<html>sorry</html>", OutcomeUnknown, "slack.500"),
        (503, "", OutcomeUnknown, "slack.503"),
        (500, "ok", OutcomeUnknown, "slack.500"),
    ],
)
async def test_what_has_no_known_word_is_judged_by_the_status(
    status: int, body: str, kind: type[OutsideProblem], code: str
) -> None:
    problem = await problem_of(FakeSlack(status, body))
    assert (type(problem), problem.code) == (kind, code)


async def test_new_word_is_shown_to_whoever_has_to_find_out() -> None:
    assert (await problem_of(FakeSlack(403, "brand_new_word"))).why == 'It answered 403: "brand_new_word"'


async def test_pause_is_what_slack_says_or_else_its_second() -> None:
    for headers, pause in (({"Retry-After": "30"}, 30.0), (None, 1.0)):
        problem = await problem_of(FakeSlack(429, "", headers))
        assert isinstance(problem, RateLimited)
        assert (problem.retry_after, problem.code) == (pause, "slack.rate_limited")


@pytest.mark.parametrize(
    ("failure", "kind"),
    [(httpx.ReadTimeout, OutcomeUnknown), (httpx.RemoteProtocolError, OutcomeUnknown), (httpx.ConnectError, Transient)],
)
async def test_post_without_an_answer_has_an_unknown_outcome(failure: type[Exception], kind: type[OutsideProblem]) -> None:
    def fail(request: httpx.Request) -> httpx.Response:
        raise failure(f"while asking {request.url}")

    with pytest.raises(OutsideProblem) as caught:
        await Slack(URL, limits=NO_LIMITS, transport=httpx.MockTransport(fail)).post("hello")
    assert type(caught.value) is kind
    assert SECRET not in "".join(traceback.format_exception(caught.value))


async def test_address_of_the_webhook_reaches_neither_error_nor_log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    shown = ""
    with capture_logs() as logged:
        for status, body in ((200, "ok"), (302, "ok"), (200, SECRET), (403, SECRET), (404, f"no {URL}"), (404, SECRET)):
            slack = FakeSlack(status, body, {"Location": URL})
            try:
                await slack.hook.post("hello")
            except OutsideProblem as error:
                shown += "".join(traceback.format_exception(error)) + repr(vars(error))
    shown += caplog.text + str(logged)
    assert len(logged) == 6
    for secret in (SECRET, "/services/T0"):
        assert secret not in shown


async def test_message_counts_as_one() -> None:
    limits = CountingLimits()
    await Slack(URL, limits=limits, transport=httpx.MockTransport(lambda _: httpx.Response(200, text="ok"))).post("hello")
    assert limits.taken == [("slack", 1)]
