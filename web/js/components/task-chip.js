"use strict"

/**
 * A record's background work in a word: waiting, working, tries again, failed, done.
 */
const TaskChip = (() => {
  const { el, icon } = Dom
  const LOOKS = Object.freeze({
    waiting: "clock",
    working: "arrow-repeat",
    again: "hourglass-split",
    failed: "exclamation-circle",
    done: "check-lg",
  })

  /** @param {any} task @returns {"waiting"|"working"|"again"|"failed"|"done"} */
  function state(task) {
    if (task.status === "processing") return "working"
    if (task.status === "completed") return "done"
    if (task.status === "failed") return "failed"
    return task.attempt > 0 && task.error_message ? "again" : "waiting"
  }

  /** Whether it is still under way. */
  function isUnfinished(task) {
    return task.status === "pending" || task.status === "processing"
  }

  function build(task) {
    const now = state(task)
    return el(
      "span",
      { class: "chip", "data-state": now, "data-task-type": task.task_type },
      icon(LOOKS[now]),
      el("span", {}, Format.shortTask(task), " "),
      el("span", { class: "chip-state" }, now === "again" ? `tries again ${Format.time(task.run_after)}` : now),
    )
  }

  /** Why it failed or waits, in one line; null when there is nothing to say. */
  function reason(task) {
    const now = state(task)
    return now === "failed" || now === "again"
      ? el("p", { class: "chip-reason", "data-state": now }, Format.excerpt(task.error_message || "Unknown error", 140))
      : null
  }

  return Object.freeze({ state, isUnfinished, build, reason })
})()
