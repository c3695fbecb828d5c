"use strict"

/**
 * All the background work of one record, newest first: how each task stands, why one failed, and what can be done about it.
 */
const TaskHistory = (() => {
  const { el, fill, icon } = Dom
  const { isOpen } = OpenFailures

  /**
   * @param {any[]} tasks of the record, as the server answers them
   * @param {{onRetried: (task: any) => void, correct?: (task: any) => {label: string, act: () => void}|null}} options
   *   onRetried: with the task as it stands then; correct: what a failure fell over can be put right in a form
   */
  function build(tasks, options) {
    return el(
      "section",
      { "aria-labelledby": "historyTitle" },
      el("h3", { id: "historyTitle" }, "Background work"),
      tasks.length === 0
        ? el("p", { class: "quiet" }, "None yet.")
        : el(
            "ol",
            { class: "history" },
            tasks.map((task) => item(task, options)),
          ),
    )
  }

  function item(task, options) {
    const now = TaskChip.state(task)
    const when = task.completed_at ?? task.started_at ?? task.created_at
    const open = isOpen(task)
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
      open && acts(task, options),
    )
  }

  /** What can be done about a failure: correct what it fell over, try again, or see it whole. */
  function acts(task, { onRetried, correct = () => null }) {
    const correction = correct(task)
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
