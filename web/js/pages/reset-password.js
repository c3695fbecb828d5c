"use strict"

/**
 * The page that a mailed link opens: a new password for whoever has forgotten theirs. The link's token comes in the address's fragment, which no
 * server is ever sent, and is taken out of the address bar before anything else: it stays in this page's memory, and nowhere else.
 */
{
  const { el, fill, icon, byId } = Dom
  let token = ""

  /** Also for a second link opened in the same tab. */
  function start() {
    token = location.hash.replace(/^#(token=)?/, "")
    if (location.hash) history.replaceState(null, "", location.pathname)
    check()
  }

  async function check() {
    byId("resetForm").hidden = true
    byId("resetWayOn").hidden = true
    fill(byId("resetProblem"))
    if (!token) return refuse(new APIError("This page needs the link from the mail", 0, { todo: "Open the link in the mail again." }))
    byId("resetWhose").textContent = "Looking at the link…"
    try {
      const { username, fullName } = await APIClient.post("/check-reset-link", { token }, { auth: false })
      byId("resetWhose").textContent = `For ${fullName}. Every session opened with the old password ends.`
      byId("resetUsername").value = username
      byId("resetForm").hidden = false
      byId("newPassword").focus()
    } catch (error) {
      refuse(error)
    }
  }

  function done() {
    PasswordFields.cover(byId("resetForm"))
    byId("resetForm").reset()
    token = ""
    byId("resetForm").hidden = true
    byId("resetTitle").textContent = "Your password is changed"
    byId("resetWhose").textContent = "Every session opened with the old one has ended. Sign in with the new one."
    byId("resetWayOn").hidden = false
    byId("resetTitle").focus()
  }

  /** With a way to another try where the server could not be asked, and to the sign-in, where a new link can be had. */
  function refuse(error) {
    const again = el("button", { type: "button", class: "btn btn-sm btn-soft", onclick: check }, icon("arrow-clockwise"), "Try again")
    byId("resetForm").hidden = true
    byId("resetWhose").textContent = ""
    fill(byId("resetProblem"), token && error.outcomeUnknown ? Dom.problem(error, again) : Dom.problem(error))
    byId("resetWayOn").hidden = false
  }

  FormSending.init(byId("resetForm"), {
    check: PasswordFields.faults,
    read: () => ({ token, newPassword: byId("newPassword").value, confirmPassword: byId("confirmPassword").value }),
    send: (body) => APIClient.post("/reset-password", body, { auth: false }),
    done,
    refused: (error, show) => (error.code === "link.dead" ? refuse(error) : show()),
    busy: "Setting it…",
  })
  PasswordFields.init(byId("resetForm"))
  window.addEventListener("hashchange", () => location.hash && start())
  start()
}
