"""What supervisors and admins see of everybody's failures, and what booking agents never see of one another's."""

from __future__ import annotations

from playwright.async_api import expect

from tests.browser.conftest import People
from tests.browser.portal import Portal

REFUSED = "Quo does not accept our key. It was deleted or mistyped."


async def test_a_supervisor_sees_everybodys_failures_by_cause_and_dismisses_others_only_when_that_is_said(
    person: People, portal: Portal
) -> None:
    portal.failure("Ann One (K2000001)", of="agent")
    portal.failure("Ben Two (K2000002)", of="agent2")
    portal.failure("Cleo Three (K2000003)", of="agent2")
    portal.failure("Dan Mine (K2000004)", of="supervisor", code="maps.zero", message="No route.", hint="Check the address")
    supervisor = await person()
    await supervisor.come_back("supervisor")
    page = supervisor.page
    widget = page.locator("#failed-tasks-widget")
    await expect(widget.locator("#failedTasksCount")).to_have_text("4")
    await expect(widget.locator("#failedTasksLabel")).to_have_text("Need attention")
    await expect(widget).to_contain_text("3 people concerned")
    await expect(widget.locator(".causes li").first).to_contain_text("3 ×")
    await expect(widget.locator(".causes li").first).to_contain_text(f"Send notification: {REFUSED}")
    await expect(widget.locator(".causes li").last).to_contain_text("No route.")
    await expect(page.locator("#ownFailures .task-panel-item")).to_have_count(1)

    await widget.get_by_role("button", name="View Details").click()
    panel = page.locator("#task-panel")
    group = panel.locator(".task-group")
    await expect(group.get_by_role("heading", level=3).first).to_have_text("3 × Send notification")
    await expect(group.locator(".task-panel-item")).to_have_count(3)
    await expect(group).to_contain_text("Created by: Bo Agent")

    await panel.get_by_role("button", name="Mine", exact=True).click()
    await expect(panel.locator(".task-panel-item")).to_have_count(1)
    await panel.get_by_role("button", name="Dismiss All").click()
    await expect(panel.locator("#task-panel-undo")).to_contain_text("Dismissed: 1 failed task.")
    await expect(widget.locator("#failedTasksCount")).to_have_text("3")

    await panel.get_by_role("button", name="Everybody", exact=True).click()
    await expect(panel.locator(".task-panel-item")).to_have_count(3)
    await panel.get_by_role("button", name="Dismiss everybody's").click()
    await expect(panel.locator("#task-panel-undo")).to_contain_text("Dismissed: 3 failed tasks.")
    await expect(widget.locator("#failedTasksLabel")).to_have_text("All tasks completed")
    await panel.locator("#task-panel-undo").get_by_role("button", name="Undo").click()
    await expect(panel.locator(".task-panel-item")).to_have_count(3)

    await group.get_by_role("button", name="Retry all 3").click()
    await expect(panel.locator(".task-panel-item")).to_have_count(0)
    await expect(page.locator("#announcer")).to_have_text("Started again: 3 of 3 tasks.")


async def test_many_failures_stay_usable_and_the_widget_turns_urgent_at_five(person: People, portal: Portal) -> None:
    for number in range(5):
        portal.failure(f"Many {number} (K300000{number})")
    supervisor = await person()
    await supervisor.come_back("supervisor")
    widget = supervisor.page.locator("#failed-tasks-widget.urgent")
    await expect(widget.locator("#failedTasksCount")).to_have_text("5")
    portal.failure("Another Cause (K3000009)", code="other", message="Another reason.")
    await expect(widget.locator("#failedTasksCount")).to_have_text("6")  # by itself, as it happens
    await expect(widget).to_contain_text("Another reason.")


async def test_a_booking_agent_never_sees_what_failed_for_another(person: People, portal: Portal) -> None:
    other = await person()
    await other.come_back("agent2")
    supervisor = await person()
    await supervisor.come_back("supervisor")
    portal.failure("Not Theirs (K2000005)", of="agent")
    await expect(supervisor.page.locator(".task-toast")).to_contain_text("Not Theirs")
    portal.failure("Their Own (K2000006)", of="agent2", code="other")
    await expect(other.page.locator(".task-toast")).to_contain_text("Their Own")
    await expect(other.page.locator(".task-indicator-badge")).to_have_text("1")
    await other.page.locator("#task-indicator").click()
    await expect(other.page.locator(".task-panel-item")).to_have_count(1 + 1)  # in the panel, and behind it on the dashboard
    assert "Not Theirs" not in await other.page.content()
    assert await other.page.evaluate("TaskMonitor.dismissAllTasks()")
    await expect(supervisor.page.locator("#failedTasksCount")).to_have_text("1")
