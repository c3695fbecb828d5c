"""What is logged: enough to find a fault, and nothing that somebody typed."""

from __future__ import annotations

import io
import json
import logging
import sys
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
import structlog

from backhaul.core import logs
from backhaul.core.store import Actor
from backhaul.core.testing import Database
from tests.api_fixtures import PASSWORD, Api, jane


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> Iterator[io.StringIO]:
    """What a process that logs at debug level writes to standard error."""
    stderr = io.StringIO()
    root = logging.getLogger()
    before, handlers, level = structlog.get_config(), root.handlers[:], root.level
    with monkeypatch.context() as patch:
        patch.setattr(sys, "stderr", stderr)
        logs.configure("debug")
        structlog.configure(cache_logger_on_first_use=False)
        yield stderr
    structlog.configure(**before)
    root.handlers[:] = handlers
    root.setLevel(level)


def lines(written: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in written.getvalue().splitlines()]


def _fail_with(password: str) -> None:
    raise ValueError(f"cannot use {password}")


def test_an_error_is_logged_with_its_kind_and_place_but_not_its_words_or_variables(written: io.StringIO) -> None:
    try:
        try:
            _fail_with("swordfish")
        except ValueError as error:
            raise LookupError("swordfish") from error
    except LookupError as error:
        structlog.get_logger().error("unforeseen", exc_info=error)
    (line,) = lines(written)
    assert [error["kind"] for error in line["errors"]] == ["LookupError", "ValueError"]
    assert "test_logs.py" in line["errors"][1]["where"][-1]
    assert "_fail_with" in line["errors"][1]["where"][-1]
    assert "swordfish" not in written.getvalue()


def test_a_database_error_is_logged_with_its_code_and_constraint_but_not_the_row(
    written: io.StringIO, database: Database
) -> None:
    with psycopg.connect(database.dsn) as connection, pytest.raises(psycopg.Error) as refused:
        connection.execute(
            "insert into users (username, email, full_name, role) values ('jane', 'jane@example.test', 'Jane Roe', 'queen')"
        )
    assert "Jane Roe" in str(refused.value)
    structlog.get_logger().error("unforeseen", exc_info=refused.value)
    (error,) = lines(written)[0]["errors"]
    assert (error["sqlstate"], error["table"], error["constraint"]) == ("23514", "users", "known_role")
    assert "Jane" not in written.getvalue()


def test_a_library_that_logs_a_traceback_says_where_but_not_what(written: io.StringIO) -> None:
    try:
        _fail_with("swordfish")
    except ValueError:
        logging.getLogger("some.library").exception("it broke")
    (line,) = lines(written)
    assert (line["event"], line["level"], line["errors"][0]["kind"]) == ("it broke", "error", "ValueError")
    assert "swordfish" not in written.getvalue()


def test_addresses_that_libraries_ask_are_not_logged(written: io.StringIO) -> None:
    logging.getLogger("httpx").info("HTTP Request: GET https://maps.example.test/?address=1+High+St&key=secret")
    assert written.getvalue() == ""


def test_a_persons_fields_are_blotted_out_whoever_logs_them(written: io.StringIO) -> None:
    structlog.get_logger().info("saved", full_name="Jane Roe", phone="902", token="abc", task_id="7")
    (line,) = lines(written)
    assert (line["full_name"], line["phone"], line["token"], line["task_id"]) == ("…", "…", "…", "7")


def test_nothing_that_is_logged_can_begin_a_line_of_its_own(written: io.StringIO) -> None:
    """(16.2.2, 16.4.1) One entry is one line of JSON, dated in UTC, whatever is in it."""
    forged = 'x\n{"event": "sign_in", "level": "info"}\r\u2028\x1b[2K'
    structlog.get_logger().info("answered", endpoint=forged)
    logging.getLogger("some.library").error("it said %s", forged)
    assert [line["event"] for line in lines(written)] == ["answered", f"it said {forged}"]
    assert all(line["timestamp"].endswith("Z") for line in lines(written))
    assert "\x1b" not in written.getvalue()


async def test_signing_in_and_adding_clients_leaves_no_word_of_anybody_in_the_log(
    written: io.StringIO, api: Api, agent: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    username = api.user("booking_agent", "Wilhelmina Secretly")
    typed = jane(
        firstName="Zebulon",
        lastName="Quux",
        phone="902-555-0177",
        email="zq@example.test",
        civicAddress="77 Hidden Lane",
        notes="walker",
    )
    for password in ("hunter2-wrong", PASSWORD):
        said = (await api.post("/webhook/user-login", {"username": username, "password": password})).json()
    await api.post("/webhook/refresh-token", {"refresh_token": said["refresh_token"]})
    saved = (await api.post("/webhook/add-client", typed, by=agent)).json()
    await api.post("/webhook/add-client", typed, by=agent)
    await api.post("/webhook/add-client", typed | {"kNumber": "K12"}, by=agent)
    await api.post("/webhook/add-client", b'{"Zebulon', by=agent)
    await api.get("/webhook/get-clients", by=agent, q="Zebulon")
    for task in saved["task_ids"].values():
        await api.app.state.worker.work_on(task)
    api.database.all("alter table clients add constraint boom check (lastname <> 'Quux') not valid")
    assert (await api.post("/webhook/add-client", typed | {"kNumber": "K7654321"}, by=agent)).status_code == 500
    log = written.getvalue()
    assert [line["event"] for line in lines(written)].count("unforeseen") == 1
    assert '"boom"' in log
    typed_words = ("Zebulon", "Quux", "5550177", "555-0177", "zq@", "Hidden", "walker", "K1234567", "hunter2", "Wilhelmina")
    for secret in (*typed_words, PASSWORD, username, said["access_token"], said["refresh_token"], api.token(agent)):
        assert secret not in log, secret
