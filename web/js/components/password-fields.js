"use strict"

/**
 * Fields for a new password: what it must be (by the server's own rules) is said before it is typed, and how far it is while it is. A form has
 * fields named newPassword and confirmPassword and a place `.password-help`; a button with data-shows="<id of a field>" shows what is in the field.
 */
const PasswordFields = (() => {
  const { el, fill, icon, byId } = Dom
  /** @type {Promise<{least: number, most: number, composed: boolean}>|null} */
  let asked = null

  /** @param {HTMLFormElement} form once for each; one without a place for help only gets its buttons */
  function init(form) {
    for (const button of form.querySelectorAll("[data-shows]")) button.addEventListener("click", () => toggle(button))
    const place = form.querySelector(".password-help")
    if (place) help(form, place)
  }

  /** Hides what was shown: before a form goes, so that no manager takes a password for a plain text. @param {HTMLFormElement} form */
  function cover(form) {
    for (const button of form.querySelectorAll("[data-shows][aria-pressed=true]")) toggle(button)
  }

  /** @param {HTMLFormElement} form @returns {Record<string, string>} what can be seen without the server, in its words */
  function faults(form) {
    const { newPassword, confirmPassword } = form.elements
    const found = FormFaults.check(form)
    if (!found.newPassword && !found.confirmPassword && newPassword.value !== confirmPassword.value) {
      found.confirmPassword = "New passwords do not match"
    }
    return found
  }

  // ── Showing ──

  function toggle(button) {
    const field = byId(button.dataset.shows)
    const shown = field.type === "text"
    field.type = shown ? "password" : "text"
    button.setAttribute("aria-pressed", String(!shown))
    button.querySelector("use").setAttribute("href", icon(shown ? "eye" : "eye-slash").querySelector("use").getAttribute("href"))
  }

  // ── Rules ──

  async function help(form, place) {
    const bar = el("meter", { min: 0, value: 0, "aria-hidden": "true", hidden: true })
    const words = el("p", { class: "help" })
    fill(place, bar, words)
    const rules = await read()
    if (!rules) return // The server says what is wrong when it is sent.
    const { least, most, composed } = rules
    const wanted = composed ? ", with an upper-case and a lower-case letter, a digit and a sign" : ""
    const advice = `At least ${least} characters${wanted}. Several words in a row are easy to keep. Pasting and password managers are welcome.`
    bar.setAttribute("max", String(least))
    const field = form.elements.newPassword
    field.addEventListener("input", show)
    form.addEventListener("reset", () => setTimeout(show))
    show()

    function show() {
      const length = [...field.value.normalize("NFC")].length
      bar.hidden = length === 0
      bar.value = Math.min(length, least)
      bar.dataset.enough = String(length >= least)
      if (length === 0) words.textContent = advice
      else if (length < least) words.textContent = `${Format.count(least - length, "more character")} needed`
      else if (length > most) words.textContent = `Too long: at most ${most} characters`
      else words.textContent = length < least * 2 ? "Long enough. Longer is stronger." : "Good and long."
    }
  }

  function read() {
    asked ??= APIClient.get("/password-rules", { auth: false }).catch(() => {
      asked = null
      return null
    })
    return asked
  }

  return Object.freeze({ init, cover, faults })
})()
