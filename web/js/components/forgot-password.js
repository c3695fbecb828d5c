"use strict"

/**
 * "Forgot password?": asks for the address and has a link sent there. The answer is the same whether somebody has that address or not.
 */
const ForgotPassword = (() => {
  const { el, fill, icon, byId } = Dom
  const SENT = "If an account exists with that email, a password reset link has been sent."

  function init() {
    const dialog = byId("forgotPasswordModal")
    const form = byId("forgotPasswordForm")
    FormFaults.watch(form)
    form.addEventListener("submit", (event) => {
      event.preventDefault()
      send(form)
    })
    for (const button of dialog.querySelectorAll("[data-close]")) button.addEventListener("click", () => dialog.close())
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

  async function send(form) {
    const button = byId("forgotPasswordSend")
    if (button.getAttribute("aria-disabled") === "true") return
    const found = FormFaults.check(form)
    if (Object.keys(found).length > 0) return FormFaults.show(form, found)
    FormFaults.clear(form)
    button.setAttribute("aria-disabled", "true")
    try {
      await APIClient.post("/forgot-password", { username: byId("forgotPasswordEmail").value.trim().toLowerCase() }, { auth: false })
      const note = el("p", { class: "notice working", tabindex: -1 }, icon("check-circle"), el("span", {}, SENT))
      fill(form.querySelector(".form-problems"), note)
      ask(form, false)
      note.focus()
    } catch (error) {
      FormFaults.show(form, error.fields, error)
    } finally {
      button.removeAttribute("aria-disabled")
    }
  }

  return Object.freeze({ init, open })
})()
