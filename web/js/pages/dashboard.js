"use strict"

/**
 * The dashboard, and the sign-in in front of it: one page, so that after signing in nothing has to be loaded again.
 */
{
  const { el, fill, icon, byId } = Dom
  const SHOWN = 5
  /** @type {{ids: string[], text: string}|null} */
  let dismissed = null
  /** @type {any[]} */
  let own = []

  function start() {
    byId("loginForm").addEventListener("submit", submit)
    byId("showPassword").addEventListener("click", togglePassword)
    document.addEventListener("tasks:list", (event) => showOwn(event.detail.tasks))
    document.addEventListener("tasks:error", (event) => showOwnProblem(event.detail))
    document.addEventListener("tasks:state", (event) => showState(event.detail.state))
    if (JWTManager.isAuthenticated()) showDashboard()
    else showSignIn()
  }

  // ── Signing in ──

  async function showSignIn() {
    byId("dashboardSection").hidden = true
    byId("loginSection").hidden = false
    document.title = "Sign in · Backhaul"
    const notice = takeNotice()
    fill(byId("loginNotice"), notice && el("p", { class: "notice", role: "status" }, icon("clock"), el("span", {}, notice)))
    byId("username").focus()
    const { demo } = await PortalConfig.load()
    if (demo?.users?.length) showDemo(demo.users)
  }

  function showDemo(users) {
    fill(
      byId("demoUsers"),
      el("h2", {}, "Demonstration"),
      el("p", { class: "quiet" }, "Choose who to be. The password was printed when the demonstration first started."),
      el(
        "div",
        { class: "demo-users" },
        users.map((user) => el("button", { type: "button", class: "btn btn-sm btn-quiet", onclick: () => choose(user) }, user)),
      ),
    )
    byId("demoUsers").hidden = false
  }

  function choose(user) {
    byId("username").value = user
    byId("password").focus()
  }

  async function submit(event) {
    event.preventDefault()
    const [username, password, button] = [byId("username"), byId("password"), byId("loginBtn")]
    if (button.getAttribute("aria-disabled") === "true") return
    if (username.value.trim() === "" || password.value === "") {
      refuse({ what: "Please enter both username and password" }, username.value.trim() === "" ? username : password)
      return
    }
    fill(byId("loginError"))
    button.setAttribute("aria-disabled", "true")
    button.textContent = "Signing in…"
    try {
      await signIn(username.value, password.value)
      password.value = ""
      goOn()
    } catch (error) {
      refuse(error.message ? error : { what: "Login failed - please try again" }, password)
    } finally {
      button.removeAttribute("aria-disabled")
      button.textContent = "Sign in"
    }
  }

  function refuse(error, field) {
    fill(byId("loginError"), Dom.problem(error))
    field.focus()
    field.select()
  }

  /** To the page that asked for the sign-in, if it is one of ours; else the dashboard, here. */
  function goOn() {
    const next = new URLSearchParams(location.search).get("next") ?? ""
    if (/^(clients|profile|audit|admin)\.html(\?[\w=&%.-]*)?$/.test(next)) {
      location.replace(next)
      return
    }
    history.replaceState(null, "", location.pathname)
    showDashboard()
    byId("greeting").focus()
  }

  function togglePassword() {
    const field = byId("password")
    const shown = field.type === "text"
    field.type = shown ? "password" : "text"
    byId("showPassword").setAttribute("aria-pressed", String(!shown))
    fill(byId("showPassword"), icon(shown ? "eye" : "eye-slash"), el("span", { class: "visually-hidden" }, "Show password"))
  }

  // ── The dashboard ──

  async function showDashboard() {
    if (!(await requireAuth())) return
    const user = getCurrentUser()
    byId("loginSection").hidden = true
    byId("dashboardSection").hidden = false
    document.title = "Dashboard · Backhaul"
    byId("greeting").textContent = `${Format.greeting()}, ${user?.fullName.split(" ")[0]}`
    byId("today").textContent = Format.today()
    byId("clientsTile").hidden = !hasPageAccess("clients")
    showState(TaskMonitor.state)
    FaultsCard.init(byId("faultsCard"))
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
