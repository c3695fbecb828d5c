"use strict"

/**
 * "Forgot password?": asks for the address and has a link sent there. The answer is the same whether somebody has that address or not.
 */
const ForgotPassword = (() => {
  const { el, fill, icon, byId } = Dom
  const SENT = "If an account exists with that email, a password reset link has been sent."

  function init() {
    const form = byId("forgotPasswordForm")
    FormSending.init(form, {
      read: () => ({ username: byId("forgotPasswordEmail").value.trim().toLowerCase() }),
      send: (body) => APIClient.post("/forgot-password", body, { auth: false }),
      done: sent,
      busy: "Sending…",
    })
  }

  /** @param {string} username what was typed into the sign-in already */
  function open(username) {
    const form = byId("forgotPasswordForm")
    FormFaults.clear(form)
    ask(form, true)
    byId("forgotPasswordEmail").value = username
    byId("forgotPasswordModal").showModal()
    byId("forgotPasswordEmail").focus()
  }

  /** @param {boolean} on false: it has been asked, and nothing is left but to close */
  function ask(form, on) {
    for (const node of [form.querySelector(".field"), byId("forgotPasswordHelp"), byId("forgotPasswordSend")]) node.hidden = !on
    form.querySelector("[data-close]").textContent = on ? "Cancel" : "Close"
  }

  function sent() {
    const form = byId("forgotPasswordForm")
    const note = el("p", { class: "notice working", tabindex: -1 }, icon("check-circle"), el("span", {}, SENT))
    fill(form.querySelector(".form-problems"), note)
    ask(form, false)
    note.focus()
  }

  return Object.freeze({ init, open })
})()
