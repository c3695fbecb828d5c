"use strict"

/**
 * The first administrator, by the link that `backhaul up` has printed. Its token is behind the #, which no browser sends; it leaves the address
 * once it has been used.
 */
{
  const { el, fill, icon, byId } = Dom
  const token = new URLSearchParams(location.hash.slice(1)).get("token") ?? ""

  async function start() {
    try {
      await APIClient.post("/check-setup-link", { token }, { auth: false })
      const rules = await APIClient.get("/password-rules", { auth: false })
      const form = byId("setupForm")
      NewPassword.init(form, rules)
      FormSending.init(form, {
        check: NewPassword.check,
        read: () => ({ ...Object.fromEntries(new FormData(form)), token }),
        send: (body) => APIClient.post("/create-first-admin", body, { auth: false }),
        done: welcome,
        busy: "Creating…",
      })
      fill(byId("setupState"))
      form.hidden = false
      byId("fullName").focus()
    } catch (error) {
      refuse(error)
    }
  }

  function refuse(error) {
    const dead = error.status === 404
    const way = dead
      ? el("a", { class: "btn btn-sm btn-soft", href: "dashboard.html" }, "Go to the sign-in page")
      : el("button", { type: "button", class: "btn btn-sm btn-soft", onclick: () => location.reload() }, "Try again")
    byId("setupLead").hidden = true
    fill(byId("setupState"), Dom.problem(error, way))
  }

  function welcome({ username }) {
    history.replaceState(null, "", location.pathname)
    byId("setupForm").remove()
    byId("setupLead").textContent = `Sign in as ${username}. You can then let others in.`
    byId("setupTitle").textContent = "You are the administrator"
    fill(byId("setupState"), el("a", { class: "btn btn-primary btn-wide", href: "dashboard.html" }, icon("check-lg"), "Sign in"))
    byId("setupTitle").focus()
  }

  start()
}
