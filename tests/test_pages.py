"""The pages as files: what each needs to be safe, whoever adds the next one."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from backhaul.core.share import share

WEB = share("web")
PAGES = sorted(WEB.glob("*.html"))
BEHIND_THE_SIGN_IN = [page for page in PAGES if "js/auth/" in page.read_text()]
# The order in which they need each other; a page without the last two would neither warn of inactivity nor end for it by itself.
SESSION = (
    "js/core/dom.js",
    "js/auth/session-store.js",
    "js/auth/activity.js",
    "js/auth/permissions.js",
    "js/auth/jwt-auth.js",
    "js/auth/session-manager.js",
    "js/components/session-warning.js",
)


@pytest.mark.parametrize("page", BEHIND_THE_SIGN_IN, ids=lambda page: page.name)
def test_a_page_behind_the_sign_in_loads_all_of_the_session_in_its_order(page: Path) -> None:
    scripts = _scripts(page)
    assert [one for one in scripts if one in SESSION] == list(SESSION)
    assert scripts.index("js/auth/session-manager.js") < scripts.index("js/core/api-client.js")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_page_names_only_scripts_that_are_there_and_keeps_drafts_only_where_it_can(page: Path) -> None:
    scripts = _scripts(page)
    assert [one for one in scripts if not (WEB / one).is_file()] == []
    assert "data-draft=" not in page.read_text() or "js/core/form-draft.js" in scripts


def _scripts(page: Path) -> list[str]:
    return re.findall(r'<script[^>]* src="([^"]+)"', page.read_text())
