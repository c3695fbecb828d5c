"""The outside as the settings say: what whoever sets them may rely on."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest

from backhaul.core.outbound import NO_LIMITS
from backhaul.dispatch.checking import check_outside
from backhaul.dispatch.outside import outside
from backhaul.dispatch.settings import Settings, load
from backhaul.outside.quo_messages import QuoTexts
from tests.processes import stand_in_process


def settings(home: Path, **env: str) -> Settings:
    return load(env={"BACKHAUL_HOME": str(home), **env})


async def test_without_a_number_to_send_from_there_are_no_texts_and_check_says_so(tmp_path: Path) -> None:
    nothing_set = settings(tmp_path)
    async with outside(nothing_set, NO_LIMITS) as office:
        assert office.texts is None
    checks = {check.name: check for check in await check_outside(nothing_set)}
    assert (checks["Texts"].ok, checks["Texts"].what) == (None, "off: quo_from is not set")


@pytest.mark.parametrize("sender", ["+19025550188", "PN123abc"])
async def test_texts_come_from_the_number_that_is_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sender: str) -> None:
    asked: list[httpx.Request] = []

    async def answer(self: httpx.AsyncHTTPTransport, request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return httpx.Response(200, json={"data": [{"id": "PN123abc", "number": "+19025550188"}]})

    monkeypatch.setattr(httpx.AsyncHTTPTransport, "handle_async_request", answer)
    async with outside(settings(tmp_path, BACKHAUL_QUO_KEY="k", BACKHAUL_QUO_FROM=sender), NO_LIMITS) as office:
        assert isinstance(office.texts, QuoTexts)
        assert await office.texts.sender_id() == "PN123abc"
    assert [str(request.url) for request in asked] == ["https://api.quo.com/v1/phone-numbers"]


@pytest.mark.parametrize(
    ("env", "notes"), [({}, False), ({"BACKHAUL_QUO_API": "v1"}, False), ({"BACKHAUL_QUO_API": "2026-03-30"}, True)]
)
async def test_one_setting_chooses_how_contacts_reach_quo(tmp_path: Path, env: dict[str, str], notes: bool) -> None:
    async with outside(settings(tmp_path, **env), NO_LIMITS) as office:
        assert office.quo.keeps_notes is notes


@pytest.mark.parametrize("api", ["v1", "2026-03-30"])
async def test_all_is_well_with_the_stand_ins(tmp_path: Path, api: str) -> None:
    """Whatever number is set for the real Quo: the stand-in has one of its own."""
    with stand_in_process(tmp_path) as stand_in:
        env = {"BACKHAUL_STAND_INS": stand_in.address, "BACKHAUL_QUO_API": api, "BACKHAUL_QUO_FROM": "+19025550188"}
        checks = {check.name: check.ok for check in await check_outside(settings(tmp_path, **env))}
    assert checks == {"Google Maps": True, "Quo": True, "Texts": True, "Slack": True, "Google Calendar": True, "Mail": True}
