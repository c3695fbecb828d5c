"use strict"

/**
 * Changing one's own password. The session goes on with the tokens of the answer; all others end, which `profile:password` announces.
 */
const PasswordForm = (() => {
  const { el, fill, icon, byId } = Dom

  /** @param {string} username for password managers @param {{least: number, most: number, composed: boolean}} rules */
  function init(username, rules) {
    const form = byId("passwordForm")
    byId("passwordOwner").value = username
    NewPassword.init(form, rules)
    FormFaults.watch(form)
    form.addEventListener("submit", (event) => {
      event.preventDefault()
      change(form)
    })
    form.addEventListener("input", () => fill(byId("passwordAlert")))
  }

  async function change(form) {
    const button = byId("changePasswordBtn")
    if (button.getAttribute("aria-disabled") === "true") return
    const faults = NewPassword.check(form)
    if (Object.keys(faults).length > 0) return FormFaults.show(form, faults)

    FormFaults.clear(form)
    busy(button, true)
    try {
      const answer = await APIClient.post("/change-password", {
        current_password: byId("currentPassword").value,
        new_password: byId("newPassword").value,
        confirm_password: byId("confirmPassword").value,
        use_cookie: true,
      })
      SessionStore.keepTokens(answer)
      const { value: username } = byId("passwordOwner")
      form.reset()
      byId("passwordOwner").value = username
      const said = `${answer.message}. You are signed out everywhere else.`
      fill(byId("passwordAlert"), el("p", { class: "saved" }, icon("check-lg"), el("span", {}, said)))
      Dom.announce(said)
      document.dispatchEvent(new CustomEvent("profile:password"))
    } catch (error) {
      FormFaults.show(form, error.fields, error.errors.length > 0 ? undefined : error)
    } finally {
      busy(button, false)
    }
  }

  function busy(button, on) {
    button.setAttribute("aria-disabled", String(on))
    button.querySelector("span").textContent = on ? "Changing…" : "Change password"
  }

  return Object.freeze({ init })
})()
