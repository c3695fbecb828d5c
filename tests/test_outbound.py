"""HTTP to others: what every adapter, and whoever reads its errors and logs, may rely on."""

from __future__ import annotations

import asyncio
import gzip
import logging
import traceback
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from backhaul.core.answer import LONGEST_PAUSE_S, Answer, retry_after_s
from backhaul.core.errors import (
    Gone,
    Malformed,
    Misconfigured,
    OutcomeUnknown,
    OutsideProblem,
    RateLimited,
    Transient,
)
from backhaul.core.outbound import LARGEST_BODY, NO_LIMITS, Outbound
from tests.fakes import CountingLimits

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
KEY = "AIza-Secret+Key/42"


class Server:
    """The far end: answers every request with the same answer or failure, and keeps the requests."""

    def __init__(self, answer: httpx.Response | type[Exception] | Callable[[httpx.Request], httpx.Response]) -> None:
        self._answer = answer
        self.requests: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        if isinstance(self._answer, httpx.Response):
            return self._answer
        if isinstance(self._answer, type):
            raise self._answer(f"while asking {request.url}")
        return self._answer(request)


def line_to(server: Server, **settings: Any) -> Outbound:
    defaults: dict[str, Any] = {"limits": NO_LIMITS, "limiter_key": "acme", "secrets": (KEY,), "now": lambda: NOW}
    return Outbound("Acme", "https://acme.test/base/", transport=httpx.MockTransport(server), **{**defaults, **settings})


def answer(status: int = 200, body: bytes = b"", sent: object = None, secrets: tuple[str, ...] = ()) -> Answer:
    return Answer(status=status, headers=httpx.Headers(), body=body, retry_after=1.0, sent=sent, secrets=secrets)


async def problem_of(line: Outbound, *, repeatable: bool = True, **request: Any) -> OutsideProblem:
    with pytest.raises(OutsideProblem) as caught:
        await line.send("POST", "/things", repeatable=repeatable, **request)
    return caught.value


# ── What a status means ──


@pytest.mark.parametrize(
    ("status", "repeatable", "once"),
    [
        (301, Misconfigured, Misconfigured),
        (307, Misconfigured, Misconfigured),
        (400, Malformed, Malformed),
        (401, Misconfigured, Misconfigured),
        (402, Misconfigured, Misconfigured),
        (403, Misconfigured, Misconfigured),
        (404, Gone, Gone),
        (405, Malformed, Malformed),
        (408, Transient, Transient),
        (409, Malformed, Malformed),
        (410, Gone, Gone),
        (413, Malformed, Malformed),
        (415, Malformed, Malformed),
        (418, Malformed, Malformed),
        (422, Malformed, Malformed),
        (429, RateLimited, RateLimited),
        (500, Transient, OutcomeUnknown),
        (502, Transient, OutcomeUnknown),
        (503, Transient, OutcomeUnknown),
        (504, Transient, OutcomeUnknown),
        (520, Transient, OutcomeUnknown),
    ],
)
async def test_each_status_has_its_class_and_a_text_a_person_can_act_on(
    status: int, repeatable: type[OutsideProblem], once: type[OutsideProblem]
) -> None:
    for may_repeat, expected in ((True, repeatable), (False, once)):
        server = Server(httpx.Response(status, headers={"Location": "https://elsewhere.test/"}))
        problem = await problem_of(line_to(server), repeatable=may_repeat)
        assert type(problem) is expected
        assert problem.service == "Acme"
        assert problem.what
        assert problem.why
        assert problem.todo
        assert problem.code == ("acme.rate_limited" if status == 429 else f"acme.{status}")
        assert len(server.requests) == 1, "neither redirects nor retries happen below the task layer"


@pytest.mark.parametrize("status", [200, 201, 202, 204])
async def test_success_is_returned(status: int) -> None:
    got = await line_to(Server(httpx.Response(status))).send("GET", "/things", repeatable=True)
    assert (got.status, got.succeeded) == (status, True)


async def test_vendors_own_message_is_added_to_a_status_nobody_explained() -> None:
    server = Server(httpx.Response(418, json={"message": "short and stout"}))
    problem = await problem_of(line_to(server, said=lambda got: got.json()["message"]))
    assert problem.why == 'It answered 418: "short and stout"'


async def test_explanation_comes_before_the_status_even_of_a_success() -> None:
    ours = Misconfigured("Acme", "Acme is closed", "It says so under 200", "Wait", code="acme.closed")
    for status in (200, 404, 500):
        server = Server(httpx.Response(status))
        assert await problem_of(line_to(server), explain=lambda _: ours) is ours


# ── Being let in ──


class SignsIn(httpx.Auth):
    """Signs every request, unless told to fail."""

    def __init__(self, problem: OutsideProblem | None = None) -> None:
        self._problem = problem

    async def async_auth_flow(self, request: httpx.Request) -> AsyncGenerator[httpx.Request, httpx.Response]:
        if self._problem:
            raise self._problem
        request.headers["Authorization"] = "Bearer fresh"
        yield request


async def test_each_request_is_signed_in() -> None:
    server = Server(httpx.Response(200))
    await line_to(server, auth=SignsIn()).send("GET", "/things", repeatable=True)
    assert server.requests[0].headers["Authorization"] == "Bearer fresh"


async def test_not_being_let_in_is_what_the_request_ended_with_since_nothing_was_sent() -> None:
    server, limits = Server(httpx.Response(200)), CountingLimits()
    refused = Misconfigured("Acme", "Acme does not let us in", code="acme.key")
    line = line_to(server, auth=SignsIn(refused), limits=limits)
    with capture_logs() as logs:
        assert await problem_of(line, repeatable=False) is refused
    assert server.requests == []
    assert limits.unwell == [("acme", "acme.key")]
    assert [entry["problem"] for entry in logs] == ["acme.key"]


async def test_a_form_is_sent_as_one_and_hidden_where_the_far_end_repeats_it() -> None:
    server = Server(httpx.Response(418, json={"message": "no such Jane"}))
    problem = await problem_of(line_to(server, said=lambda got: got.json()["message"]), form={"name": "Jane", "of": "x y"})
    assert server.requests[0].headers["Content-Type"] == "application/x-www-form-urlencoded"
    assert server.requests[0].content == b"name=Jane&of=x+y"
    assert problem.why == 'It answered 418: "no such […]"'


# ── Nothing sent, perhaps sent ──


@pytest.mark.parametrize("failure", [httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError])
async def test_without_a_connection_nothing_was_sent_so_repeating_is_harmless(failure: type[Exception]) -> None:
    for repeatable in (True, False):
        problem = await problem_of(line_to(Server(failure)), repeatable=repeatable)
        assert (type(problem), problem.code) == (Transient, "acme.unreachable")


@pytest.mark.parametrize(
    ("failure", "code"),
    [
        (httpx.ReadTimeout, "acme.timeout"),
        (httpx.WriteTimeout, "acme.timeout"),
        (httpx.ReadError, "acme.broken"),
        (httpx.WriteError, "acme.broken"),
        (httpx.CloseError, "acme.broken"),
        (httpx.RemoteProtocolError, "acme.broken"),
        (httpx.DecodingError, "acme.broken"),
    ],
)
async def test_silence_after_sending_leaves_the_outcome_of_a_create_unknown(failure: type[Exception], code: str) -> None:
    read = await problem_of(line_to(Server(failure)), repeatable=True)
    assert (type(read), read.code) == (Transient, code)
    create = await problem_of(line_to(Server(failure)), repeatable=False)
    assert (type(create), create.code) == (OutcomeUnknown, code)
    assert create.todo == "Look in Acme before repeating it"


async def test_connection_that_ends_within_the_answer_leaves_the_outcome_of_a_create_unknown() -> None:
    class Cut(httpx.AsyncByteStream):
        async def __aiter__(self) -> AsyncIterator[bytes]:
            yield b'{"id": "'
            raise httpx.ReadError("cut")

    server = Server(lambda _: httpx.Response(201, stream=Cut()))
    assert type(await problem_of(line_to(server), repeatable=False)) is OutcomeUnknown
    assert type(await problem_of(line_to(server), repeatable=True)) is Transient


@asynccontextmanager
async def listening(talk: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Any]) -> AsyncIterator[str]:
    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        await server.wait_closed()


async def test_real_server_that_hangs_up_after_the_request_leaves_the_outcome_unknown() -> None:
    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.close()
        await writer.wait_closed()

    async with listening(hang_up) as url:
        line = Outbound("Acme", url, limits=NO_LIMITS, limiter_key="acme")
        problem = await problem_of(line, repeatable=False)
        await line.aclose()
    assert (type(problem), problem.code) == (OutcomeUnknown, "acme.broken")


async def test_real_port_where_nobody_listens_is_unreachable_also_for_a_create() -> None:
    async with listening(lambda _reader, writer: writer.close()) as url:
        pass
    line = Outbound("Acme", url, limits=NO_LIMITS, limiter_key="acme")
    problem = await problem_of(line, repeatable=False)
    await line.aclose()
    assert (type(problem), problem.code) == (Transient, "acme.unreachable")


async def test_answer_that_trickles_in_for_ever_is_given_up() -> None:
    class Trickle(httpx.AsyncByteStream):
        async def __aiter__(self) -> AsyncIterator[bytes]:
            while True:
                yield b""
                await asyncio.sleep(0)

    server = Server(lambda _: httpx.Response(200, stream=Trickle()))
    async with asyncio.timeout(5):
        problem = await problem_of(line_to(server, connect_s=0.01, read_s=0.01), repeatable=False)
    assert (type(problem), problem.code) == (OutcomeUnknown, "acme.timeout")


# ── What is sent ──


async def test_request_names_the_product_and_goes_where_it_should() -> None:
    server = Server(httpx.Response(200))
    line = line_to(server, headers={"X-Key": "k"})
    await line.send("PATCH", "/things/7", repeatable=True, params={"a": ["1", "2"]}, json={"b": 3}, headers={"X-More": "m"})
    request = server.requests[0]
    assert request.method == "PATCH"
    assert str(request.url) == "https://acme.test/base/things/7?a=1&a=2"
    assert request.content == b'{"b":3}'
    assert (request.headers["X-Key"], request.headers["X-More"]) == ("k", "m")
    assert request.headers["User-Agent"].startswith("backhaul/")
    assert request.extensions["timeout"] == {"connect": 5.0, "read": 10.0, "write": 10.0, "pool": 10.0}


async def test_limits_are_asked_first_and_in_the_vendors_unit() -> None:
    budget, server = CountingLimits(), Server(httpx.Response(200))
    await line_to(server, limits=budget).send("GET", "/things", repeatable=True, units=25)
    assert budget.taken == [("acme", 25)]

    refusal = RateLimited("Acme", retry_after=9)
    server = Server(httpx.Response(200))
    assert await problem_of(line_to(server, limits=CountingLimits(refusal))) is refusal
    assert server.requests == []


# ── Retry-After ──


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("7", 7.0),
        ("2.5", 2.5),
        (format_datetime(NOW + timedelta(seconds=90), usegmt=True), 90.0),
        (None, 60.0),
        ("", 60.0),
        ("soon", 60.0),
        ("0", 60.0),
        ("-5", 60.0),
        (format_datetime(NOW - timedelta(hours=1), usegmt=True), 60.0),
        ("9" * 400, 60.0),
        ("1000000000", LONGEST_PAUSE_S),
    ],
)
async def test_pause_is_what_retry_after_says_or_else_the_vendors_window(header: str | None, expected: float) -> None:
    server = Server(httpx.Response(429, headers={"Retry-After": header} if header is not None else {}))
    problem = await problem_of(line_to(server, pause_s=60.0))
    assert isinstance(problem, RateLimited)
    assert problem.retry_after == expected


async def test_service_that_says_when_it_will_be_back_is_not_asked_before() -> None:
    server = Server(httpx.Response(503, headers={"Retry-After": "120"}))
    for repeatable in (True, False):
        problem = await problem_of(line_to(server), repeatable=repeatable)
        assert isinstance(problem, RateLimited)
        assert (problem.retry_after, problem.code) == (120.0, "acme.503")


@given(st.one_of(st.text(), st.integers().map(str), st.floats().map(str), st.datetimes().map(format_datetime)))
def test_no_retry_after_header_can_break_or_stop_us(header: str) -> None:
    pause = retry_after_s(header, NOW)
    assert pause is None or 0 < pause <= LONGEST_PAUSE_S


# ── Bodies ──


@pytest.mark.parametrize("body", [b"", b"<html>502</html>", b"{", b"\xff\xfe", b"[NaN]", b"[" * 100_000, b"9" * 10_000])
def test_body_that_is_not_json_reads_as_none(body: bytes) -> None:
    assert answer(body=body).json() is None


async def test_page_of_a_proxy_is_judged_by_its_status() -> None:
    server = Server(httpx.Response(502, html="<html><h1>Bad gateway</h1></html>"))
    problem = await problem_of(line_to(server))
    assert (type(problem), problem.why) == (Transient, "It answered 502")


@pytest.mark.parametrize("headers", [{}, {"Content-Encoding": "gzip"}])
async def test_oversize_answer_is_not_taken_into_memory(headers: Mapping[str, str]) -> None:
    huge = b" " * (LARGEST_BODY + 1)
    server = Server(lambda _: httpx.Response(200, headers=headers, content=gzip.compress(huge) if headers else huge))
    assert type(await problem_of(line_to(server), repeatable=True)) is Malformed
    assert type(await problem_of(line_to(server), repeatable=False)) is OutcomeUnknown


# ── Keys and people stay unseen ──


def everything_shown(error: BaseException) -> str:
    return "".join(traceback.format_exception(error)) + repr(error) + str(error.__context__) + str(vars(error))


@pytest.mark.parametrize(
    "far_end",
    [
        httpx.ConnectError,
        httpx.ReadTimeout,
        httpx.RemoteProtocolError,
        lambda request: httpx.Response(400, text=f"cannot serve {request.url} with {KEY}"),
        lambda request: httpx.Response(403, text=str(request.url)),
        lambda request: httpx.Response(302, headers={"Location": str(request.url)}),
        lambda request: httpx.Response(200, text=str(request.url)),
    ],
)
async def test_key_in_the_query_string_reaches_neither_error_nor_log(far_end: Any, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    line = line_to(Server(far_end), said=lambda got: got.text)
    params = {"key": KEY, "address": "1 High St"}
    shown = ""
    with capture_logs() as logged:
        try:
            await line.send("GET", f"/hooks/{KEY}", repeatable=True, params=params)
        except OutsideProblem as error:
            shown = everything_shown(error)
    shown += str(logged) + caplog.text
    assert logged[0]["path"] == "/hooks/[…]"
    for form in (KEY, "AIza-Secret%2BKey%2F42", "AIza", "High St", "High+St", "High%20St"):
        assert form not in shown
    assert "key=" not in shown


async def test_the_part_of_a_path_that_tells_of_people_is_sent_but_neither_logged_nor_quoted() -> None:
    server = Server(httpx.Response(400, text="no such street: Highstreet, in Halifax"))
    line, end = line_to(server, said=lambda got: got.text), "1,Highstreet"
    with capture_logs() as logged, pytest.raises(Malformed) as caught:
        await line.send("GET", "/find/", unlogged=end, repeatable=True)
    assert server.requests[0].url.path == "/base/find/1,Highstreet"
    assert logged[0]["path"] == "/find/"
    assert "Highstreet" not in everything_shown(caught.value) + str(logged)


@pytest.mark.parametrize("key", ["two\nlines", "schlüssel", "nul\0"])
async def test_key_that_cannot_be_a_header_is_a_setting_to_correct_and_is_not_shown(key: str) -> None:
    async def ok(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    async with listening(ok) as url:
        line = Outbound("Acme", url, limits=NO_LIMITS, limiter_key="acme", headers={"Authorization": key})
        problem = await problem_of(line)
        await line.aclose()
    assert (type(problem), problem.code) == (Misconfigured, "acme.setting")
    assert key not in everything_shown(problem)
    assert repr(key)[1:-1] not in everything_shown(problem)


@pytest.mark.parametrize("url", ["", "acme.test", "ftp://acme.test", "https://", "http://[::"])
async def test_address_that_is_none_is_a_setting_to_correct(url: str) -> None:
    line = Outbound("Acme", url, limits=NO_LIMITS, limiter_key="acme")
    problem = await problem_of(line)
    await line.aclose()
    assert (type(problem), problem.code) == (Misconfigured, "acme.setting")
    assert ("No address is set" in problem.why) == (url == "")


@given(
    secret=st.text(alphabet="abcXYZ0189-_+/= ", min_size=8, max_size=40).filter(lambda text: text.strip() == text),
    before=st.text(max_size=50),
    after=st.text(max_size=50),
)
def test_no_vendor_message_can_carry_a_secret(secret: str, before: str, after: str) -> None:
    secret = " ".join(secret.split())
    assert secret not in answer(secrets=(secret,)).quote(before + secret + after)


@given(word=st.from_regex(r"[A-Za-z][a-z]{1,12}", fullmatch=True), spell=st.sampled_from([str, str.upper, str.title]))
def test_no_vendor_message_can_echo_what_we_sent_about_a_person(word: str, spell: Callable[[str], str]) -> None:
    sent = ({"address": f"12 {word} St, Halifax"}, {"names": [{"first": f"{word} Ann", "at": 44.64}]})
    echoed = answer(sent=sent).quote(f"0: '{spell(word)}', ({spell(word)} Ann) 44.64!")
    assert echoed == "0: '[…]', ([…]) […]!"


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        ("jane.roe@example.com is taken", "[…] is taken"),
        ("call +1 (902) 555-0100 now", "call […] now"),
        ("call 902-555-0100", "call […]"),
        ("at 44.64881, -63.57521", "at […], […]"),
        ("see https://acme.test/x?key=1 for more", "see […] for more"),
        ("two\n  lines\x00", "two lines\x00"),
        ("code 0800400, at most 50 items", "code 0800400, at most 50 items"),
        ("It failed.", "It failed"),
        (None, ""),
        (["not", "text"], ""),
    ],
)
def test_quoted_words_hold_nothing_private(words: object, shown: str) -> None:
    assert answer().quote(words) == shown


def test_long_message_is_cut_without_baring_half_a_secret() -> None:
    secret = "s" * 300
    quoted = answer(secrets=(secret,)).quote("x " * 950 + secret)
    assert len(quoted) <= 200
    assert "ss" not in quoted
    assert answer().quote("y" * 5000) == ""
