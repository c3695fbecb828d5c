"use strict"

/**
 * The dashboard's summary of everybody's failures, by cause; for supervisors and admins only. Read once a minute, and whenever the list changes.
 */
class FailedTasksWidget {
  static URGENT = 5
  static REFRESH_MS = 60_000
  static START_DELAY_MS = 600

  static isInitialized = false
  static failedCount = 0
  static #root = null
  static #timer = 0
  static #soon = 0
  static #asked = 0

  /** @param {string} [containerId] where to put it; first in `.dashboard-grid` when there is none of that id */
  static init(containerId = "failed-tasks-widget") {
    if (!JWTManager.isAuthenticated() || !TaskMonitor.isAdminOrSupervisor()) return
    const container = FailedTasksWidget.#place(containerId)
    if (!container) return
    FailedTasksWidget.#root = container
    if (!FailedTasksWidget.isInitialized) {
      document.addEventListener("tasks:list", () => FailedTasksWidget.#refreshSoon())
      FailedTasksWidget.#timer = setInterval(() => !document.hidden && FailedTasksWidget.refresh(), FailedTasksWidget.REFRESH_MS)
    }
    FailedTasksWidget.isInitialized = true
    FailedTasksWidget.#draw({ label: "Loading…", count: null })
    FailedTasksWidget.refresh()
  }

  static async refresh() {
    if (!FailedTasksWidget.#root) return
    FailedTasksWidget.#asked += 1
    const mine = FailedTasksWidget.#asked
    try {
      const answer = await APIClient.get("/get-failed-tasks-summary")
      if (mine !== FailedTasksWidget.#asked) return // A later question will have the newer answer.
      const summary = answer.total_failed === undefined ? (answer.data ?? {}) : answer
      FailedTasksWidget.failedCount = Number(summary.total_failed ?? 0)
      FailedTasksWidget.#drawSummary(summary)
    } catch (error) {
      if (mine === FailedTasksWidget.#asked) FailedTasksWidget.#draw({ label: "Error loading", count: null, error })
    }
  }

  static openPanel() {
    TaskNotifications.openPanel()
  }

  static #place(containerId) {
    const there = document.getElementById(containerId)
    if (there) return there
    const made = Dom.el("section", { id: containerId, class: "card-block failed-tasks-widget", "aria-label": "Failed tasks of everybody" })
    const grid = document.querySelector(".dashboard-grid")
    grid?.prepend(made)
    return grid ? made : null
  }

  /** Several changes in a row are one question. */
  static #refreshSoon() {
    clearTimeout(FailedTasksWidget.#soon)
    FailedTasksWidget.#soon = setTimeout(() => FailedTasksWidget.refresh(), 250)
  }

  static #drawSummary(summary) {
    const count = FailedTasksWidget.failedCount
    FailedTasksWidget.#draw({
      count,
      label: count === 0 ? "All tasks completed" : count === 1 ? "Needs attention" : "Need attention",
      oldest: count > 0 ? summary.oldest_failure : null,
      users: count > 0 ? summary.users_with_failures : 0,
      causes: summary.by_cause ?? [],
    })
  }

  static #draw({ label, count, oldest = null, users = 0, causes = [], error = null }) {
    const { el, icon } = Dom
    const root = FailedTasksWidget.#root
    root.classList.toggle("urgent", (count ?? 0) >= FailedTasksWidget.URGENT)
    root.classList.toggle("calm", count === 0)
    Dom.fill(
      root,
      el(
        "div",
        { class: "widget-head" },
        icon(count === 0 ? "check-circle" : "exclamation-triangle-fill", "widget-icon"),
        el("p", { id: "failedTasksCount" }, count === null ? Format.UNKNOWN : String(count)),
        el("div", {}, el("h2", { id: "failedTasksLabel" }, label), FailedTasksWidget.#subtitle(oldest, users)),
        count !== null &&
          count > 0 &&
          el("button", { type: "button", class: "btn btn-soft", onclick: () => FailedTasksWidget.openPanel() }, "View Details"),
      ),
      error &&
        Dom.problem(
          error,
          el("button", { type: "button", class: "btn btn-sm btn-soft", onclick: () => FailedTasksWidget.refresh() }, "Try again"),
        ),
      causes.length > 0 &&
        el(
          "ul",
          { class: "causes" },
          causes.slice(0, 4).map((cause) => FailedTasksWidget.#cause(cause)),
        ),
      causes.length > 4 && el("p", { class: "quiet" }, `and ${Format.count(causes.length - 4, "other cause")}`),
    )
  }

  static #subtitle(oldest, users) {
    if (!oldest) return null
    return Dom.el(
      "p",
      { class: "quiet" },
      "Oldest: ",
      Dom.ago(oldest),
      users > 1 && ` · ${Format.count(users, "person", "people")} concerned`,
    )
  }

  static #cause(cause) {
    const { el } = Dom
    return el(
      "li",
      {},
      el("span", { class: "count" }, `${cause.count} ×`),
      el(
        "div",
        {},
        el("p", { class: "cause-what" }, `${Format.task(cause)}: ${cause.sample_message || "Unknown error"}`),
        cause.error_hint && el("p", { class: "todo" }, Dom.icon("lightbulb"), el("span", {}, cause.error_hint)),
      ),
    )
  }
}

window.FailedTasksWidget = FailedTasksWidget
document.addEventListener("auth:signed-in", () => FailedTasksWidget.init())
setTimeout(() => {
  if (!FailedTasksWidget.isInitialized) FailedTasksWidget.init()
}, FailedTasksWidget.START_DELAY_MS)
