"use strict"

/**
 * The dashboard. The sign-in is in front of it in the same page, so that after signing in nothing has to be loaded again: see sign-in.js.
 */
{
  const { el, fill, icon, byId } = Dom
  const SHOWN = 5
  /** @type {{ids: string[], text: string}|null} */
  let dismissed = null
  /** @type {any[]} */
  let own = []

  async function start() {
    SignIn.init({ onSignedIn: () => showDashboard({ focus: true }) })
    document.addEventListener("tasks:list", (event) => showOwn(event.detail.tasks))
    document.addEventListener("tasks:error", (event) => showOwnProblem(event.detail))
    document.addEventListener("tasks:state", (event) => showState(event.detail.state))
    if (await resume()) showDashboard()
    else SignIn.show()
  }

  // ── The dashboard ──

  async function showDashboard({ focus = false } = {}) {
    if (!(await requireAuth())) return
    const user = getCurrentUser()
    byId("loginSection").hidden = true
    byId("passwordChangeSection").hidden = true
    byId("dashboardSection").hidden = false
    document.title = "Dashboard · Backhaul"
    byId("greeting").textContent = `${Format.greeting()}, ${user?.fullName.split(" ")[0]}`
    byId("today").textContent = Format.today()
    byId("clientsTile").hidden = !hasPageAccess("clients")
    const isStaff = !["driver", "client"].includes(getUserRole() ?? "")
    byId("dashboardGrid").classList.toggle("own-page", !isStaff)
    byId("connection").hidden = !isStaff
    if (isStaff) DayCard.init()
    else OwnTrips.init(getUserRole() === "driver")
    if (getUserRole() === "driver") OwnTimeOff.init()
    showOwnWhereNeeded()
    showState(TaskMonitor.state)
    FaultsCard.init(byId("faultsCard"))
    if (focus) byId("greeting").focus()
  }

  function showOwn(tasks) {
    const me = getCurrentUser()?.id
    own = tasks.filter((task) => task.created_by === me)
    fill(byId("ownProblem"))
    drawOwn()
  }

  function drawOwn() {
    const acts = { onRetry: (task) => ((dismissed = null), TaskMonitor.retryTask(task.id)), onDismiss: dismiss }
    KeepFocus.during(
      byId("ownFailures"),
      () => fill(byId("ownFailures"), ...ownNodes(acts)),
      () => byId("ownTitle"),
    )
    showOwnWhereNeeded()
  }

  /** Agents are told that all is well; supervisors by the summary of everybody's, and who drives or rides starts hardly anything. */
  function showOwnWhereNeeded() {
    const section = byId("ownFailures").parentElement
    const quiet = own.length === 0 && !dismissed && getUserRole() !== "booking_agent"
    section.hidden = quiet && !section.contains(document.activeElement)
  }

  function ownNodes(acts) {
    return [
      dismissed &&
        el(
          "div",
          { role: "status" },
          UndoLine.build(dismissed, () => ((dismissed = null), drawOwn())),
        ),
      own.length === 0
        ? el(
            "div",
            { class: "empty" },
            icon("check-circle"),
            el("p", {}, "No failed tasks"),
            el("p", { class: "quiet" }, "Everything you started in the background has gone well."),
          )
        : own.slice(0, SHOWN).map((task) => TaskItem.build(task, acts)),
      own.length > SHOWN &&
        el("button", { type: "button", class: "btn btn-quiet", onclick: () => TaskNotifications.openPanel() }, `All ${own.length} of them`),
    ]
  }

  async function dismiss(task) {
    if (!(await TaskMonitor.dismissTask(task.id))) return
    dismissed = { ids: [task.id], text: `Dismissed: ${Format.task(task)} for ${task.entity_label || "Unknown"}.` }
    drawOwn()
    byId("ownFailures").querySelector(".undo-line button").focus()
  }

  function showOwnProblem({ error, doing }) {
    const again = el("button", { type: "button", class: "btn btn-sm btn-soft", onclick: () => TaskMonitor.refresh() }, "Try again")
    if (doing !== "read") fill(byId("ownProblem"), Dom.problem(error))
    else if (byId("ownFailures").querySelector(".loading")) fill(byId("ownFailures"), Dom.problem(error, again))
  }

  function showState(state) {
    const texts = {
      realtime: "Live: failures show here as they happen (Supabase Realtime).",
      stream: "Live: failures show here as they happen.",
      polling: "The live connection is down. The list is read every 30 seconds meanwhile.",
      connecting: "Connecting…",
      offline: "The server cannot be reached. Trying again by itself; what is shown may be old.",
      paused: "Out of sight for a while: catching up.",
    }
    byId("connection").textContent = texts[state] ?? ""
    byId("connection").dataset.state = state
  }

  start()
}
