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
    byId("passwordChangeForm").addEventListener("submit", submitChange)
    byId("changeBackBtn").addEventListener("click", () => back())
    PasswordFields.init(byId("loginForm"))
    FormFaults.watch(byId("passwordChangeForm"))
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
    busy(button, "Signing in…")
    try {
      change = await signIn(username.value, password.value)
      PasswordFields.cover(byId("loginForm"))
      password.value = ""
      if (change) showChange()
      else goOn()
    } catch (error) {
      refuse(error.message ? error : { what: "Login failed - please try again" }, password)
    } finally {
      busy(button, null, "Sign in")
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

  async function submitChange(event) {
    event.preventDefault()
    const [form, button] = [byId("passwordChangeForm"), byId("setPasswordBtn")]
    if (button.getAttribute("aria-disabled") === "true") return
    const found = PasswordFields.faults(form)
    if (Object.keys(found).length > 0) return FormFaults.show(form, found)
    FormFaults.clear(form)
    busy(button, "Setting it…")
    try {
      await change.changeTo(byId("newPassword").value, byId("confirmPassword").value)
      PasswordFields.cover(form)
      form.reset()
      change = null
      goOn()
    } catch (error) {
      // The quarter of an hour is over, or somebody has set yet another password: only a new sign-in helps.
      if (error.status === 401 || error.code === "password.wrong") back(error)
      else PasswordFields.refuse(form, error)
    } finally {
      busy(button, null, "Set password and sign in")
    }
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

  function busy(button, doing, otherwise) {
    if (doing) button.setAttribute("aria-disabled", "true")
    else button.removeAttribute("aria-disabled")
    button.textContent = doing ?? otherwise
  }

  return Object.freeze({ init, show })
})()
