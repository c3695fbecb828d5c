"""The API by its own description: what is generated from it, right and wrong, is answered as described and never with a 5xx.

schemathesis reads the OpenAPI description and makes up the requests; the application answers them over a real database.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest
import schemathesis
import uvicorn
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable

from backhaul.core.store import Actor
from tests.api_fixtures import SERVICE_KEY, Api, jane, until

EXAMPLES = 25  # of each endpoint, in each mode
_LEAVES = {"POST /webhook/logout", "POST /webhook/logout-all"}  # would end the session that asks
_STREAMS = {"GET /events"}  # never ends by itself; tests/test_stream.py


@pytest.fixture
async def address(api: Api) -> AsyncIterator[str]:
    server = uvicorn.Server(uvicorn.Config(api.app, port=0, lifespan="off", log_config=None, timeout_graceful_shutdown=2))
    serving = asyncio.create_task(server.serve())
    await until(lambda: server.started)
    host, port = server.servers[0].sockets[0].getsockname()[:2]
    yield f"http://{host}:{port}"
    server.should_exit = True
    await serving


@pytest.mark.parametrize("mode", list(schemathesis.GenerationMode))
async def test_nothing_that_the_description_lets_one_think_of_is_answered_with_a_fault_of_ours(
    api: Api, address: str, admin: Actor, mode: schemathesis.GenerationMode
) -> None:
    """(OWASP ASVS 5.0: 2.2.1, 4.1.1, 16.5.1, 16.5.3) As an administrator, who gets furthest."""
    await api.post("/webhook/add-client", jane(), by=admin)
    api.failed(admin)
    failed = await asyncio.to_thread(_try_all, api, address, mode)
    assert failed == []


def _try_all(api: Api, address: str, mode: schemathesis.GenerationMode) -> list[str]:
    """What went wrong, in words, over all endpoints."""
    who = api.database.one(
        "select u.id, s.id as session from users u join user_sessions s on s.user_id = u.id where role = 'admin'"
    )
    token = api.app.state.tokens.issue(who["id"], who["session"], "admin")
    failed: list[str] = []
    for result in schemathesis.openapi.from_dict(api.app.openapi()).get_all_operations():
        operation = result.ok()
        name = f"{operation.method.upper()} {operation.path}"
        if name not in _LEAVES | _STREAMS:
            key = SERVICE_KEY if "/process-" in operation.path else token
            _try_one(name, operation, mode, address, {"authorization": f"Bearer {key}"}, failed)
    return failed


def _try_one(
    name: str,
    operation: schemathesis.APIOperation,
    mode: schemathesis.GenerationMode,
    address: str,
    headers: dict[str, str],
    failed: list[str],
) -> None:
    @settings(
        max_examples=EXAMPLES, deadline=None, database=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck)
    )
    @given(case=operation.as_strategy(mode))
    def judge(case: schemathesis.Case) -> None:
        answer = case.call(base_url=address, headers=headers, timeout=20)
        told = f"{name} → {answer.status_code} {answer.text[:200]} for {case.body!r} {case.query!r}"
        unwell = name == "GET /health/ready" and answer.status_code == 503  # no worker here
        if (answer.status_code >= 500 and not unwell) or (
            answer.status_code >= 400 and not unwell and not {"message", "code", "what"} <= set(answer.json())
        ):
            failed.append(told)

    with contextlib.suppress(Unsatisfiable):  # an endpoint without anything that could be wrong
        judge()
