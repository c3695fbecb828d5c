"use strict"

/**
 * The slide-out panel of failed tasks. A modal dialog: Escape and a click beside it close it, focus stays in it and goes back where it was.
 * Supervisors and admins see everybody's failures, grouped by cause, and may narrow them to their own.
 */
const TaskPanel = (() => {
  const { el, icon, fill } = Dom
  const PAGE = 50

  let overlay = null
  let tasks = []
  let loaded = false
  let shown = PAGE
  let scope = "everybody"
  let drawn = ""
  /** @type {{ids: string[], text: string}|null} */
  let undoable = null
  /** @type {{error: any, doing: string}|null} */
  let problem = null

  function open(taskId = null) {
    overlay ??= build()
    if (!overlay.open) {
      if (problem?.doing !== "read") problem = null
      overlay.showModal()
      render(true)
    }
    const item = taskId && overlay.querySelector(`[data-task-id="${CSS.escape(taskId)}"]`)
    if (item) {
      item.classList.add("highlight")
      item.scrollIntoView({ block: "center" })
      item.querySelector("button")?.focus()
    } else {
      part("title").focus()
    }
  }

  function close() {
    overlay?.close()
  }

  function isOpen() {
    return Boolean(overlay?.open)
  }

  /** @param {any[]} list the open failures, newest first @param {boolean} [read] whether it came from the server */
  function update(list, read = false) {
    tasks = list
    if (read) {
      loaded = true
      if (problem?.doing === "read") problem = null
    }
    if (isOpen()) render(read)
  }

  function fail(error, doing) {
    problem = { error, doing }
    if (isOpen()) render(true)
  }

  // ── Building ──

  function build() {
    const dialog = /** @type {HTMLDialogElement} */ (
      el(
        "dialog",
        { id: "task-panel-overlay", class: "task-panel-overlay", "aria-labelledby": "task-panel-title" },
        el(
          "div",
          { id: "task-panel", class: "task-panel" },
          el(
            "header",
            { class: "task-panel-head" },
            el("h2", { id: "task-panel-title", tabindex: -1 }, "Failed Tasks (", el("span", { id: "task-panel-count" }, "…"), ")"),
            el("button", { type: "button", class: "icon-button", "aria-label": "Close the panel", onclick: close }, icon("x-lg")),
          ),
          el("div", { id: "task-panel-tools", class: "task-panel-tools" }),
          el("div", { id: "task-panel-problem" }),
          el("div", { id: "task-panel-body", class: "task-panel-body", tabindex: 0, role: "region", "aria-label": "Failed tasks" }),
          el("div", { id: "task-panel-undo", class: "task-panel-undo", role: "status" }),
        ),
      )
    )
    dialog.addEventListener("click", (event) => event.target === dialog && close())
    dialog.addEventListener("close", () => {
      undoable = null
      shown = PAGE
    })
    document.body.append(dialog)
    return dialog
  }

  function part(name) {
    return Dom.byId(`task-panel-${name}`)
  }

  // ── Drawing ──

  /** @param {boolean} force false: only when the list really differs, so that reading and text selection are not disturbed */
  function render(force) {
    const listed = visible()
    const now = JSON.stringify(listed.map((task) => [task.id, task.attempt, task.error_message, task.created_by_name]))
    if (!force && now === drawn) return
    drawn = now
    KeepFocus.during(overlay, () => draw(listed), () => undoButton() ?? part("title"))
  }

  function draw(listed) {
    part("count").textContent = loaded ? String(listed.length) : "…"
    fill(part("tools"), ...tools(listed))
    fill(part("problem"), problem && Dom.problem(sayProblem(problem), problem.doing === "read" && again()))
    fill(part("body"), ...body(listed))
    fill(part("undo"), undoable && UndoLine.build(undoable, undone))
  }

  function undoButton() {
    return part("undo").querySelector("button")
  }

  function visible() {
    const me = getCurrentUser()?.id
    return widened() && !everybodys() ? tasks.filter((task) => task.created_by === me) : tasks
  }

  function everybodys() {
    return widened() && scope === "everybody"
  }

  function widened() {
    return TaskMonitor.isAdminOrSupervisor()
  }

  function tools(listed) {
    const choice = (name, label) =>
      el(
        "button",
        {
          type: "button",
          class: "segment",
          "aria-pressed": String(scope === name),
          "data-action": `scope-${name}`,
          onclick: () => ((scope = name), (shown = PAGE), render(true)),
        },
        label,
      )
    return [
      widened() &&
        el(
          "div",
          { class: "segments", role: "group", "aria-label": "Whose failures" },
          choice("everybody", "Everybody"),
          choice("mine", "Mine"),
        ),
      el("span", { class: "spacer" }),
      el(
        "button",
        { type: "button", class: "btn btn-sm btn-quiet", "data-action": "refresh", onclick: () => TaskMonitor.refresh() },
        icon("arrow-clockwise"),
        "Refresh",
      ),
      listed.length > 0 &&
        el("button", { type: "button", class: "btn btn-sm btn-quiet", "data-action": "dismiss-all", onclick: dismissAll }, everybodys() ? "Dismiss everybody's" : "Dismiss All"),
    ]
  }

  function body(listed) {
    if (!loaded) return problem ? [] : [el("p", { class: "loading", role: "status" }, "Loading the failed tasks…")]
    if (listed.length === 0) {
      return [
        el(
          "div",
          { class: "empty" },
          icon("check-circle"),
          el("p", {}, "No failed tasks"),
          el("p", { class: "quiet" }, "Nothing here needs you."),
        ),
      ]
    }
    const some = listed.slice(0, shown)
    const rest = listed.length - some.length
    const nodes = widened() ? TaskGroups.build(some, acts) : some.map((task) => TaskItem.build(task, acts))
    if (rest > 0) {
      nodes.push(
        el(
          "button",
          { type: "button", class: "btn btn-quiet", "data-action": "more", onclick: () => ((shown += PAGE), render(true)) },
          `Show ${Math.min(PAGE, rest)} more of ${rest}`,
        ),
      )
    }
    return nodes
  }

  function again() {
    return el("button", { type: "button", class: "btn btn-sm btn-soft", onclick: () => TaskMonitor.refresh() }, "Try again")
  }

  function sayProblem({ error, doing }) {
    const what = {
      read: loaded ? "The list may be out of date" : "The failed tasks could not be read",
      dismiss: "Not dismissed",
      undo: "Not taken back",
      retry: "Not started again",
    }[doing]
    return { what, why: error.why ? `${stop(error.what)} ${error.why}` : error.message, todo: error.todo }
  }

  function stop(sentence) {
    return /[.!?]$/.test(sentence) ? sentence : `${sentence}.`
  }

  // ── Doing ──

  const acts = {
    onRetryAll: retryAll,
    onRetry: async (task) => {
      problem = null
      if (await TaskMonitor.retryTask(task.id)) say(`Started again: ${name(task)}.`)
    },
    onDismiss: async (task) => {
      problem = null
      if (await TaskMonitor.dismissTask(task.id)) offerUndo([task.id], `Dismissed: ${name(task)}.`)
    },
  }

  async function dismissAll() {
    problem = null
    const ids = await TaskMonitor.dismissAll({ everybody: everybodys() })
    if (ids) offerUndo(ids, `Dismissed: ${Format.count(ids.length, "failed task")}.`)
  }

  async function retryAll(group) {
    problem = null
    let started = 0
    for (const task of group) {
      if (!(await TaskMonitor.retryTask(task.id))) break
      started += 1
    }
    say(`Started again: ${started} of ${Format.count(group.length, "task")}.`)
  }

  function offerUndo(ids, text) {
    undoable = ids.length > 0 ? { ids, text } : null
    render(true)
    // The list may have been emptied by an event before the answer came: then the focus waits on the heading.
    if (document.activeElement === part("title")) undoButton()?.focus()
  }

  /** To the first one that came back. */
  function undone() {
    const [first] = undoable?.ids ?? []
    undoable = null
    render(true)
    ;(overlay.querySelector(`[data-task-id="${CSS.escape(first ?? "")}"] button`) ?? part("title")).focus()
  }

  function say(text) {
    undoable = null
    render(true)
    Dom.announce(text)
  }

  function name(task) {
    return `${Format.task(task)} for ${task.entity_label || "Unknown"}`
  }

  return Object.freeze({ open, close, isOpen, update, fail })
})()
