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
  const SAVE = "Save"
  /** @type {Record<string, string>} as it is saved, the way it is shown */
  let kept = {}
  let unsure = { body: "", key: "" }

  /** @param {any} user as get-profile has it */
  function init(user) {
    const form = byId("profileForm")
    keep(user)
    byId("username").value = user.username
    FormFaults.watch(form)
    form.addEventListener("submit", (event) => {
      event.preventDefault()
      save(form)
    })
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

  async function save(form) {
    const button = byId("saveProfileBtn")
    if (button.getAttribute("aria-disabled") === "true") return
    const faults = FormFaults.check(form)
    if (faults.currentPassword) faults.currentPassword = byId("proof").dataset.faultMissing
    if (Object.keys(faults).length > 0) return FormFaults.show(form, faults)

    FormFaults.clear(form)
    busy(button, true)
    const body = Object.fromEntries(FIELDS.map((name) => [name, TIDY[name](byId(name).value)]))
    if (byId("proof").value !== "") body.currentPassword = byId("proof").value
    const text = JSON.stringify(body)
    const key = unsure.body === text ? unsure.key : APIClient.newKey()
    try {
      const answer = await APIClient.post("/update-user-profile", body, { idempotencyKey: key })
      unsure = { body: "", key: "" }
      keep(answer.user)
      fill(byId("profileAlert"), el("p", { class: "saved" }, icon("check-lg"), el("span", {}, answer.message)))
      Dom.announce(answer.message)
      document.dispatchEvent(new CustomEvent("profile:saved", { detail: { user: answer.user } }))
    } catch (error) {
      unsure = error.outcomeUnknown ? { body: text, key } : { body: "", key: "" }
      if (error.fields.currentPassword) ask(true)
      FormFaults.show(form, error.fields, error.errors.length > 0 ? undefined : error)
    } finally {
      busy(button, false)
    }
  }

  function busy(button, on) {
    button.setAttribute("aria-disabled", String(on))
    button.querySelector("span").textContent = on ? "Saving…" : SAVE
  }

  return Object.freeze({ init })
})()
