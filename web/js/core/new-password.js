"use strict"

/**
 * Two fields for a new password: the house's rules said before anything is typed, and judged in the page where it can. Password managers are
 * told them too. Paste is welcome, and nothing typed is cut off.
 */
const NewPassword = (() => {
  let rules = { least: 8, most: 128, composed: false }

  /**
   * @param {HTMLFormElement} form with fields newPassword and confirmPassword, a help text and #showPasswords
   * @param {{least: number, most: number, composed: boolean}} told by the server
   */
  function init(form, told) {
    rules = told
    const { newPassword, confirmPassword } = fields(form)
    for (const field of [newPassword, confirmPassword]) field.setAttribute("passwordrules", `minlength: ${rules.least}; maxlength: ${rules.most};`)
    form.querySelector(`#${newPassword.id}-help`).textContent = rules.composed
      ? `At least ${rules.least} characters, with an upper-case and a lower-case letter, a digit and a sign.`
      : `At least ${rules.least} characters. Several words make a good one; no sign or digit is asked for.`
    const show = /** @type {HTMLInputElement} */ (form.querySelector("#showPasswords"))
    show.addEventListener("change", () => {
      for (const field of form.querySelectorAll("input[autocomplete$='-password']")) field.setAttribute("type", show.checked ? "text" : "password")
    })
    form.addEventListener("reset", () => {
      for (const field of form.querySelectorAll("input[autocomplete$='-password']")) field.setAttribute("type", "password")
    })
  }

  /** @param {HTMLFormElement} form @returns {Record<string, string>} what can be seen to be wrong, in the server's own words */
  function check(form) {
    const faults = FormFaults.check(form)
    const { newPassword, confirmPassword } = fields(form)
    const length = [...newPassword.value.normalize("NFC")].length
    if (length === 0) return faults
    if (length < rules.least) faults.newPassword = `New password must be at least ${rules.least} characters`
    else if (length > rules.most) faults.newPassword = `New password must be at most ${rules.most} characters`
    if (confirmPassword.value !== "" && confirmPassword.value !== newPassword.value) faults.confirmPassword = "New passwords do not match"
    return faults
  }

  function fields(form) {
    return { newPassword: form.elements.namedItem("newPassword"), confirmPassword: form.elements.namedItem("confirmPassword") }
  }

  return Object.freeze({ init, check })
})()
