"use strict"

/**
 * One's own name, e-mail and phone. The password is asked for only where one of the last two is changed, by the page as soon as it sees it, and by
 * the server in any case. What was typed and not saved is kept when the server refuses, and leaving with it is warned of.
 *
 * Announces `profile:saved` with the user as the server has it now.
 */
const ProfileDetails = (() => {
  const { el, fill, icon, byId } = Dom
  const FIELDS = Object.freeze(["fullName", "email", "phone"])
  const TIDY = Object.freeze({
    fullName: (typed) => typed.trim().replace(/\s+/g, " "),
    email: (typed) => typed.trim().toLowerCase(),
    phone: Format.phone,
  })
  /** @type {Record<string, string>} as it is saved, the way it is shown */
  let kept = {}

  /** @param {any} user as get-profile has it */
  function init(user) {
    const form = byId("profileForm")
    keep(user)
    byId("username").value = user.username
    FormSending.init(form, { check, read, send: (body, once) => APIClient.post("/update-user-profile", body, once), done: saved, refused })
    form.addEventListener("input", () => {
      fill(byId("profileAlert"))
      look()
    })
    form.addEventListener("change", ({ target }) => {
      if (Object.hasOwn(TIDY, target.name) && target.value.trim() !== "") target.value = TIDY[target.name](target.value)
    })
    window.addEventListener("beforeunload", warn)
    // Whoever is signed out is never held back by a question; what they typed could not be saved any more.
    document.addEventListener("auth:signed-out", () => window.removeEventListener("beforeunload", warn))
  }

  function keep(user) {
    kept = { fullName: user.fullName, email: user.email, phone: Format.phone(user.phone) }
    for (const name of FIELDS) byId(name).value = kept[name]
    byId("proof").value = ""
    look()
  }

  /** Which fields differ from what is saved. */
  function changed() {
    return FIELDS.filter((name) => TIDY[name](byId(name).value) !== TIDY[name](kept[name]))
  }

  function look() {
    const names = changed()
    byId("unsavedNote").hidden = names.length === 0
    ask(names.includes("email") || names.includes("phone"))
  }

  function ask(needed) {
    byId("proofField").hidden = !needed
    byId("proof").required = needed
    if (!needed) byId("proof").value = ""
  }

  function warn(event) {
    if (changed().length > 0) event.preventDefault()
  }

  function check(form) {
    const faults = FormFaults.check(form)
    if (faults.currentPassword) faults.currentPassword = byId("proof").dataset.faultMissing
    return faults
  }

  function read() {
    const body = Object.fromEntries(FIELDS.map((name) => [name, TIDY[name](byId(name).value)]))
    return byId("proof").value === "" ? body : { ...body, currentPassword: byId("proof").value }
  }

  function saved(answer) {
    keep(answer.user)
    fill(byId("profileAlert"), el("p", { class: "saved" }, icon("check-lg"), el("span", {}, answer.message)))
    Dom.announce(answer.message)
    document.dispatchEvent(new CustomEvent("profile:saved", { detail: { user: answer.user } }))
  }

  function refused(error, show) {
    if (error.fields.currentPassword) ask(true)
    show()
  }

  return Object.freeze({ init })
})()
