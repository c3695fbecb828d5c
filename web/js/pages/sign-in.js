"use strict"

/**
 * The sign-in in front of the dashboard, with its second step: a password that somebody else made is replaced before it opens anything.
 */
const SignIn = (() => {
  const { el, fill, icon, byId } = Dom
  let onSignedIn = () => {}
  /** The step that is open: what replaces the password just typed. In memory only. @type {Awaited<ReturnType<typeof signIn>>} */
  let change = null
  let helped = false

  /** @param {{onSignedIn: () => void}} options called when the dashboard is to be shown, in this page */
  function init({ onSignedIn: signedIn }) {
    onSignedIn = signedIn
    byId("loginForm").addEventListener("submit", submit)
    byId("forgotPasswordBtn").addEventListener("click", () => ForgotPassword.open(byId("username").value.trim()))
    byId("changeBackBtn").addEventListener("click", () => back())
    PasswordFields.init(byId("loginForm"))
    FormSending.init(byId("passwordChangeForm"), {
      check: PasswordFields.faults,
      read: () => ({ chosen: byId("newPassword").value, again: byId("confirmPassword").value }),
      send: ({ chosen, again }) => change.changeTo(chosen, again),
      done: changed,
      // The quarter of an hour is over, or somebody has set yet another password: only a new sign-in helps.
      refused: (error, show) => (error.status === 401 || error.code === "password.wrong" ? back(error) : show()),
      busy: "Setting it…",
    })
    ForgotPassword.init()
  }

  async function show() {
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

  // ── Name and password ──

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
      change = await signIn(username.value, password.value)
      PasswordFields.cover(byId("loginForm"))
      password.value = ""
      if (change) showChange()
      else goOn()
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
    if (/^[a-z-]+\.html(\?[\w=&%.-]*)?$/.test(next)) {
      location.replace(next)
      return
    }
    history.replaceState(null, "", location.pathname)
    onSignedIn()
  }

  // ── A password of one's own ──

  function showChange() {
    const form = byId("passwordChangeForm")
    if (!helped) PasswordFields.init(form)
    helped = true
    FormFaults.clear(form)
    byId("changeUsername").value = change.username
    byId("loginSection").hidden = true
    byId("passwordChangeSection").hidden = false
    document.title = "Choose your password · Backhaul"
    byId("passwordChangeTitle").focus()
  }

  function changed() {
    const form = byId("passwordChangeForm")
    PasswordFields.cover(form)
    form.reset()
    change = null
    goOn()
  }

  function back(error = null) {
    change = null
    byId("passwordChangeForm").reset()
    byId("passwordChangeSection").hidden = true
    byId("loginSection").hidden = false
    document.title = "Sign in · Backhaul"
    byId("password").focus()
    if (error) refuse(error, byId("password"))
  }

  return Object.freeze({ init, show })
})()
