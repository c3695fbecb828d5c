"use strict"

/**
 * The toasts: failures only, three at most, eight seconds each, and longer while someone is reading (pointer or focus on them). Failures of one
 * cause share a toast, so that an outage is one notice.
 */
const TaskToasts = (() => {
  const MOST = 3
  const SHOWN_MS = 8_000
  const { el, icon, fill } = Dom

  /** @type {{cause: string, tasks: any[], node: HTMLElement, clock: ReturnType<typeof countdown>}[]} */
  let toasts = []

  /** @param {any} task a failed task @param {(task: any) => void} onDetails opens the panel at it */
  function show(task, onDetails) {
    const cause = TaskGroups.cause(task)
    const same = toasts.find((toast) => toast.cause === cause)
    if (same) {
      same.tasks = [task, ...same.tasks.filter((other) => other.id !== task.id)]
      const focused = same.node.contains(document.activeElement)
      write(same, onDetails)
      if (focused) same.node.querySelector("button").focus()
      same.clock.restart()
      return
    }
    const toast = { cause, tasks: [task], node: el("div", { class: "task-toast", role: "alert" }), clock: countdown(() => remove(toast)) }
    toasts.push(toast)
    write(toast, onDetails)
    for (const name of ["mouseenter", "focusin"]) toast.node.addEventListener(name, () => toast.clock.hold())
    for (const name of ["mouseleave", "focusout"]) {
      toast.node.addEventListener(name, () => !toast.node.matches(":hover, :focus-within") && toast.clock.go())
    }
    toast.node.addEventListener("keydown", (event) => {
      if (event.key !== "Escape") return
      event.stopPropagation()
      remove(toast)
    })
    container().append(toast.node)
    while (toasts.length > MOST) remove(toasts[0])
  }

  /** Takes away the toasts of tasks that are no longer open failures. @param {Set<string>} open their ids */
  function keepOnly(open) {
    for (const toast of [...toasts]) if (!toast.tasks.some((task) => open.has(task.id))) remove(toast)
  }

  function clear() {
    for (const toast of [...toasts]) remove(toast)
  }

  function write(toast, onDetails) {
    const [task] = toast.tasks
    const many = toast.tasks.length
    fill(
      toast.node,
      icon("exclamation-triangle-fill", "task-toast-icon"),
      el(
        "div",
        { class: "task-toast-body" },
        el("p", { class: "task-toast-title" }, many > 1 ? `${many} Tasks Failed` : "Task Failed"),
        el("p", {}, `${Format.task(task)} for "${task.entity_label || "Unknown"}"`, many > 1 && ` and ${Format.count(many - 1, "other")}`),
        el("p", { class: "task-toast-error" }, Format.excerpt(task.error_message || "Unknown error", 100)),
        el("button", { type: "button", class: "btn btn-sm btn-quiet", onclick: () => (remove(toast), onDetails(task)) }, "What to do"),
      ),
      el("button", { type: "button", class: "icon-button", "aria-label": "Close this notice", onclick: () => remove(toast) }, icon("x-lg")),
    )
  }

  function remove(toast) {
    toast.clock.stop()
    if (toast.node.contains(document.activeElement)) document.getElementById("task-indicator")?.focus()
    toast.node.remove()
    toasts = toasts.filter((other) => other !== toast)
  }

  /** Lives in the open dialog while there is one. */
  function container() {
    const home = Dom.top()
    let node = document.getElementById("task-toast-container")
    if (!node) {
      node = el("section", { id: "task-toast-container", "aria-label": "Failure notices" })
      // When its dialog closes the notices go on in the page.
      document.addEventListener(
        "close",
        (event) => event.target instanceof HTMLDialogElement && event.target.contains(node) && document.body.append(node),
        true,
      )
    }
    if (node.parentElement !== home) home.append(node)
    return node
  }

  /** Eight seconds that stand still while held. */
  function countdown(done) {
    let left = SHOWN_MS
    let since = performance.now()
    let timer = setTimeout(done, left)
    let held = false
    return {
      hold() {
        if (held) return
        held = true
        clearTimeout(timer)
        left -= performance.now() - since
      },
      go() {
        if (!held) return
        held = false
        since = performance.now()
        timer = setTimeout(done, Math.max(1_500, left))
      },
      restart() {
        left = SHOWN_MS
        if (held) return
        clearTimeout(timer)
        since = performance.now()
        timer = setTimeout(done, left)
      },
      stop: () => clearTimeout(timer),
    }
  }

  return Object.freeze({ show, keepOnly, clear })
})()
