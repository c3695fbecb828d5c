"use strict"

/**
 * One failed task as the panel and the dashboard show it: what failed, for whom, why, what to do, and the buttons for it.
 */
const TaskItem = (() => {
  const VIEWS = Object.freeze({ client: "clients.html", appointment: "appointments.html", destination: "destinations.html", user: "admin.html" })
  const { el, icon } = Dom

  /** @returns {string|null} the page that shows this record; null when there is none */
  function address(type, id) {
    return Object.hasOwn(VIEWS, type) && id ? `${VIEWS[type]}?id=${encodeURIComponent(id)}&highlight=true` : null
  }

  /** Opens the record: in place where the page can (it answers `entity:view` with preventDefault), else on its page. */
  function view(type, id) {
    const asked = new CustomEvent("entity:view", { cancelable: true, detail: { type, id } })
    if (document.dispatchEvent(asked)) location.assign(address(type, id) ?? "dashboard.html")
  }

  /**
   * @param {any} task
   * @param {{onRetry: (task: any) => void, onDismiss: (task: any) => void, brief?: boolean}} options brief: the cause stands above the group already
   */
  function build(task, { onRetry, onDismiss, brief = false }) {
    const heading = Dom.uid("task-heading")
    return el(
      "article",
      { class: "task-panel-item", "data-task-id": task.id, "aria-labelledby": heading },
      el(
        "h3",
        { id: heading, class: "task-item-title" },
        !brief && `${Format.task(task)} for `,
        el("strong", {}, task.entity_label || "Unknown"),
      ),
      !brief && el("p", { class: "task-item-error" }, task.error_message || "Unknown error"),
      !brief && hint(task),
      meta(task),
      el(
        "div",
        { class: "task-item-actions" },
        viewLink(task),
        action("retry", "arrow-clockwise", "Retry", task, onRetry),
        action("dismiss", "x-lg", "Dismiss", task, onDismiss),
      ),
    )
  }

  /** The advice: what to do about it. */
  function hint(task) {
    return task.error_hint
      ? el(
          "p",
          { class: "todo" },
          icon("lightbulb"),
          el("span", {}, el("span", { class: "visually-hidden" }, "What to do: "), task.error_hint),
        )
      : null
  }

  function meta(task) {
    const mine = task.mine ?? task.created_by === getCurrentUser()?.id
    return el(
      "p",
      { class: "task-item-meta" },
      Dom.ago(task.completed_at ?? task.created_at),
      !mine && task.created_by_name && el("span", {}, `Created by: ${task.created_by_name}`),
      task.attempt > 1 && el("span", {}, `Tried ${task.attempt} times`),
    )
  }

  function viewLink(task) {
    const href = address(task.entity_type, task.entity_id)
    if (!href) return null
    const label = `View ${Format.role(task.entity_type)}`
    return el(
      "a",
      {
        class: "btn btn-sm btn-quiet",
        href,
        "data-action": "view",
        onclick: (event) => {
          if (event.ctrlKey || event.metaKey || event.shiftKey) return
          event.preventDefault()
          view(task.entity_type, task.entity_id)
        },
      },
      label,
    )
  }

  function action(name, iconName, label, task, act) {
    return el(
      "button",
      {
        type: "button",
        class: `btn btn-sm ${name === "retry" ? "btn-soft" : "btn-quiet"}`,
        "data-action": name,
        "aria-label": `${label}: ${Format.task(task)} for ${task.entity_label || "Unknown"}`,
        onclick: (event) => {
          const { currentTarget } = event
          if (currentTarget.getAttribute("aria-disabled") === "true") return
          currentTarget.setAttribute("aria-disabled", "true")
          Promise.resolve(act(task)).finally(() => currentTarget.removeAttribute("aria-disabled"))
        },
      },
      icon(iconName),
      label,
    )
  }

  return Object.freeze({ build, hint, address, view })
})()
