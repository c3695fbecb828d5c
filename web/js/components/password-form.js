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
    FormSending.init(form, {
      check: NewPassword.check,
      read,
      send: (body, once) => APIClient.post("/change-password", body, once),
      done: changed,
      busy: "Changing…",
    })
    form.addEventListener("input", () => fill(byId("passwordAlert")))
  }

  function read() {
    return {
      current_password: byId("currentPassword").value,
      new_password: byId("newPassword").value,
      confirm_password: byId("confirmPassword").value,
      use_cookie: true,
    }
  }

  function changed(answer) {
    SessionStore.keepTokens(answer)
    const { value: username } = byId("passwordOwner")
    byId("passwordForm").reset()
    byId("passwordOwner").value = username
    const said = `${answer.message}. You are signed out everywhere else.`
    fill(byId("passwordAlert"), el("p", { class: "saved" }, icon("check-lg"), el("span", {}, said)))
    Dom.announce(said)
    document.dispatchEvent(new CustomEvent("profile:password"))
  }

  return Object.freeze({ init })
})()
