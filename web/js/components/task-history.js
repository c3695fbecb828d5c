"use strict"

/**
 * All background work that was ever done for one record, newest first; with what can be done about a failure.
 */
const TaskHistory = (() => {
  const { el, icon, fill } = Dom

  /**
   * @param {any[]} tasks
   * @param {{correct?: (task: any) => {label: string, act: () => void}|null, onRetried: (task: any) => void}} options
   *   correct: the way to what a failure fell over; onRetried: hears the task as it is after Retry
   */
  function build(tasks, { correct = () => null, onRetried }) {
    return el(
      "section",
      { "aria-labelledby": "historyTitle" },
      el("h3", { id: "historyTitle" }, "Background work"),
      tasks.length === 0
        ? el("p", { class: "quiet" }, "None yet.")
        : el("ol", { class: "history" }, tasks.map((task) => item(task, correct, onRetried))),
    )
  }

  function item(task, correct, onRetried) {
    const now = TaskChip.state(task)
    const when = task.completed_at ?? task.started_at ?? task.created_at
    const open = OpenFailures.isOpen(task)
    return el(
      "li",
      { class: open ? "open-failure" : null },
      el(
        "p",
        { class: "history-head" },
        TaskChip.build(task),
        Dom.ago(when),
        task.attempt > 1 && el("span", {}, `Tried ${task.attempt} times`),
        task.dismissed_at && el("span", {}, "Dismissed"),
      ),
      (now === "failed" || now === "again") && el("p", { class: "task-item-error" }, task.error_message || "Unknown error"),
      (now === "failed" || now === "again") && TaskItem.hint(task),
      open && acts(task, correct(task), onRetried),
    )
  }

  /** What can be done about a failure: correct what it fell over, try again, or see it whole. */
  function acts(task, correction, onRetried) {
    return el(
      "div",
      { class: "history-acts" },
      correction &&
        el(
          "button",
          { type: "button", class: "btn btn-sm btn-primary", "data-focus": `correct-${task.id}`, onclick: correction.act },
          correction.label,
        ),
      retryButton(task, onRetried),
      el(
        "button",
        {
          type: "button",
          class: "btn btn-sm btn-quiet",
          "data-focus": `view-${task.id}`,
          "aria-label": `View the failure: ${Format.task(task)}`,
          onclick: () => TaskPanel.open(task.id),
        },
        "View the failure",
      ),
    )
  }

  function retryButton(task, onRetried) {
    const place = el("div", {})
    const button = el(
      "button",
      {
        type: "button",
        class: "btn btn-sm btn-soft",
        "data-focus": `retry-${task.id}`,
        "aria-label": `Retry: ${Format.task(task)}`,
        onclick: retry,
      },
      icon("arrow-clockwise"),
      "Retry",
    )
    async function retry() {
      if (button.getAttribute("aria-disabled") === "true") return
      button.setAttribute("aria-disabled", "true")
      fill(place)
      try {
        await APIClient.post("/retry-task", { task_id: task.id })
        onRetried({ ...task, status: "pending", error_message: null })
        TaskMonitor.refresh()
      } catch (error) {
        fill(place, Dom.problem(error))
      } finally {
        button.removeAttribute("aria-disabled")
      }
    }
    return el("div", { class: "retry" }, button, place)
  }

  return Object.freeze({ build })
})()
