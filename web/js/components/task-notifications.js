"use strict"

/**
 * What a person sees of failed tasks wherever they are: toast, badge in the header, slide-out panel. Success is never announced.
 */
class TaskNotifications {
  /** @type {any[]} the open failures, newest first */
  static failedTasks = []
  static isInitialized = false

  static init() {
    if (TaskNotifications.isInitialized) return
    TaskNotifications.isInitialized = true
    document.addEventListener("header:built", () => TaskNotifications.#placeIndicator())
    document.addEventListener("tasks:list", (event) =>
      TaskNotifications.updateFailedTasks(event.detail.tasks, event.detail.source === "read"),
    )
    document.addEventListener("task:failed", (event) => TaskNotifications.showErrorToast(event.detail.task))
    document.addEventListener("tasks:error", (event) => TaskPanel.fail(event.detail.error, event.detail.doing))
    document.addEventListener("auth:signed-out", () => {
      TaskPanel.close()
      TaskToasts.clear()
    })
    TaskNotifications.#placeIndicator()
  }

  static get isPanelOpen() {
    return TaskPanel.isOpen()
  }

  /** @param {any} task a failed task; while the panel is open it is seen there, and no toast is needed */
  static showErrorToast(task) {
    if (!TaskPanel.isOpen()) TaskToasts.show(task, (one) => TaskPanel.open(one.id))
  }

  /** @param {any[]} tasks @param {boolean} [read] whether the list came from the server just now */
  static updateFailedTasks(tasks, read = true) {
    TaskNotifications.failedTasks = tasks
    TaskNotifications.#showCount()
    TaskPanel.update(tasks, read)
    TaskToasts.keepOnly(new Set(tasks.map((task) => task.id)))
  }

  static openPanel() {
    TaskToasts.clear()
    TaskPanel.open()
  }

  static closePanel() {
    TaskPanel.close()
  }

  static togglePanel() {
    if (TaskPanel.isOpen()) TaskPanel.close()
    else TaskNotifications.openPanel()
  }

  /** @param {string} id @returns {Promise<boolean>} */
  static dismissTask(id) {
    return TaskMonitor.dismissTask(id)
  }

  /** One's own, unless everybody's is said in so many words. @returns {Promise<boolean>} */
  static dismissAllTasks(scope = {}) {
    return TaskMonitor.dismissAllTasks(scope)
  }

  /** Opens the record a task is about. @param {string} type @param {string} id */
  static viewEntity(type, id) {
    TaskPanel.close()
    TaskItem.view(type, id)
  }

  // ── The badge ──

  static #placeIndicator() {
    if (!JWTManager.isAuthenticated()) return
    const indicator = document.getElementById("task-indicator") ?? TaskNotifications.#buildIndicator()
    const user = document.querySelector(".header-user")
    if (user) user.insertBefore(indicator, user.querySelector(".logout-btn"))
    else (document.querySelector(".navbar-nav, .nav, header nav, .header-right, .navbar-collapse") ?? document.body).append(indicator)
    indicator.classList.toggle("floating", indicator.parentElement === document.body)
    TaskNotifications.#showCount()
  }

  static #buildIndicator() {
    return Dom.el(
      "button",
      {
        type: "button",
        id: "task-indicator",
        class: "header-button",
        "aria-haspopup": "dialog",
        onclick: () => TaskNotifications.togglePanel(),
      },
      Dom.icon("bell"),
      Dom.el("span", { class: "task-indicator-badge", "aria-hidden": "true", hidden: true }),
    )
  }

  static #showCount() {
    const indicator = document.getElementById("task-indicator")
    if (!indicator) return
    const count = TaskNotifications.failedTasks.length
    const badge = indicator.querySelector(".task-indicator-badge")
    badge.hidden = count === 0
    badge.textContent = count > 99 ? "99+" : String(count)
    const label = count === 0 ? "No failed tasks" : Format.count(count, "failed task")
    indicator.setAttribute("aria-label", label)
    indicator.title = label
  }
}

window.TaskNotifications = TaskNotifications
TaskNotifications.init()
