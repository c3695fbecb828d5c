"""The pages as files: what each needs to be safe, whoever adds the next one."""

from __future__ import annotations

import re
from functools import cache
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

# What no other script has to name: these do their work by events, or at once.
BY_THEMSELVES = {
    "js/core/theme.js",
    "js/core/form-draft.js",
    "js/components/header.js",
    "js/components/task-notifications.js",
    "js/components/failed-tasks-widget.js",
}
NO_CODE = re.compile(r"/\*.*?\*/|\"(?:[^\"\\\n]|\\.)*\"|(?<!:)//[^\n]*", re.DOTALL)  # comments, and texts that name nothing


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


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_page_lists_just_the_scripts_it_needs_each_after_those_it_uses(page: Path) -> None:
    listed = _scripts(page)
    needed = {used for one in listed for used in _uses(one)} | BY_THEMSELVES | set(SESSION)
    amiss = [f"{one} is listed twice" for one in listed if listed.count(one) > 1]
    amiss += [f"nothing uses {one}" for one in listed if one.startswith("js/") and one not in needed and "/pages/" not in one]
    for place, one in enumerate(listed):
        for used in sorted(_uses(one)):
            if used not in listed:
                amiss.append(f"{one} uses {used}, which is not listed")
            elif used in listed[place:] and one not in SESSION:  # those name each other, but nothing before the page is there
                amiss.append(f"{one} uses {used}, which is listed after it")
    assert amiss == []


@cache
def _uses(script: str) -> frozenset[str]:
    """The scripts whose globals this one names."""
    if not script.startswith("js/"):
        return frozenset()
    named = set(re.findall(r"(?<!\w)(?<!(?<!\.\.)\.)[A-Za-z]\w+", NO_CODE.sub("", (WEB / script).read_text())))
    return frozenset(home for word, home in _homes().items() if word in named and home != script)


@cache
def _homes() -> dict[str, str]:
    """Each global of ours, and the script that makes it."""
    homes: dict[str, str] = {}
    for script in sorted(WEB.glob("js/**/*.js")):
        text = script.read_text()
        given = re.findall(r"^\s*Object\.assign\(window, \{([^}]*)\}", text, re.MULTILINE)
        for word in {*re.findall(r"^(?:const|class|function) (\w+)", text, re.MULTILINE), *re.findall(r"\w+", " ".join(given))}:
            assert word not in homes, f"{word} is made by {homes[word]} and by {script}"
            homes[word] = script.relative_to(WEB).as_posix()
    return homes


def _scripts(page: Path) -> list[str]:
    return re.findall(r'<script[^>]* src="([^"]+)"', page.read_text())
