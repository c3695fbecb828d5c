"use strict"

/**
 * What was done in the background for one invoice: how it stands, why it failed, and what can be done about that.
 */
const InvoiceWork = (() => {
  const { el, icon, fill } = Dom

  /**
   * @param {any[]} tasks newest first
   * @param {{onRetried: (task: any) => void}} page
   */
  function build(tasks, { onRetried }) {
    return el(
      "section",
      { "aria-labelledby": "workTitle" },
      el("h3", { id: "workTitle" }, "Background work"),
      tasks.length === 0 ? el("p", { class: "quiet" }, "None.") : el("ol", { class: "history" }, tasks.map((task) => item(task, onRetried))),
    )
  }

  function item(task, onRetried) {
    const now = TaskChip.state(task)
    const open = OpenFailures.isOpen(task)
    const unwell = now === "failed" || now === "again"
    return el(
      "li",
      { class: open ? "open-failure" : null },
      el(
        "p",
        { class: "history-head" },
        TaskChip.build(task),
        Dom.ago(task.completed_at ?? task.started_at ?? task.created_at),
        task.attempt > 1 && el("span", {}, `Tried ${task.attempt} times`),
        task.dismissed_at && el("span", {}, "Dismissed"),
      ),
      unwell && el("p", { class: "task-item-error" }, task.error_message || "Unknown error"),
      unwell && TaskItem.hint(task),
      open && acts(task, onRetried),
    )
  }

  function acts(task, onRetried) {
    const problems = el("div", {})
    const retry = el(
      "button",
      { type: "button", class: "btn btn-sm btn-soft", "data-focus": `retry-${task.id}`, "aria-label": `Retry: ${Format.task(task)}`, onclick: again },
      icon("arrow-clockwise"),
      "Retry",
    )
    async function again() {
      if (retry.getAttribute("aria-disabled") === "true") return
      retry.setAttribute("aria-disabled", "true")
      fill(problems)
      try {
        await APIClient.post("/retry-task", { task_id: task.id })
        onRetried({ ...task, status: "pending", error_message: null })
        TaskMonitor.refresh()
      } catch (error) {
        fill(problems, Dom.problem(error))
      } finally {
        retry.removeAttribute("aria-disabled")
      }
    }
    const view = el(
      "button",
      {
        type: "button",
        class: "btn btn-sm btn-quiet",
        "data-focus": `view-${task.id}`,
        "aria-label": `View the failure: ${Format.task(task)}`,
        onclick: () => TaskPanel.open(task.id),
      },
      "View the failure",
    )
    return [el("div", { class: "history-acts" }, retry, view), problems]
  }

  return Object.freeze({ build })
})()
