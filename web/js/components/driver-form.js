"use strict"

/**
 * The dialog in which a driver is added or corrected. The person waits for the save alone; what follows happens in the background.
 *
 * One idempotency key per click, used again only when nobody knows whether the first arrived. An edit is sent with the version it was made from.
 */
const DriverForm = (() => {
  const { el, byId } = Dom
  const NEW = "new"
  const FIELDS = Object.freeze([
    "first_name", "last_name", "gender", "email", "phone", "work_phone", "home_address", "home_city", "home_province", "home_postal_code",
    "workload_preference", "preferred_calendar_type", "vehicle_description", "notes",
  ]) // prettier-ignore
  let unsure = { body: "", key: "" }
  /** @type {any} the driver who is corrected; null while one is added */
  let editing = null
  /** What was typed and not saved, by driver: {typed, version}. @type {Map<string, {typed: any[], version: number|null}>} */
  const drafts = new Map()
  /** The form as it was opened, to tell whether anything was typed. */
  let opened = ""
  let onSaved = (_answer, _edited) => {}

  /** @param {{onSaved: (answer: any, edited: boolean) => void}} options */
  function init({ onSaved: saved }) {
    onSaved = saved
    const [dialog, form] = [byId("driverModal"), byId("driverForm")]
    FormFaults.watch(form)
    form.addEventListener("submit", (event) => {
      event.preventDefault()
      save(form, dialog)
    })
    form.addEventListener("change", ({ target }) => {
      if (target.value.trim() === "") return
      if (target.type === "tel") target.value = Format.phone(target.value)
      if (target.name === "home_postal_code") target.value = Format.postalCode(target.value)
      if (target.name === "active") sayAhead()
    })
    for (const button of dialog.querySelectorAll("[data-close]")) button.addEventListener("click", () => dialog.close())
    dialog.addEventListener("close", () => keep(form))
  }

  /** A new driver. What was typed before and not saved is still there. */
  function open() {
    begin(null, "first_name")
  }

  /** A correction. @param {any} driver the record @param {{at?: string}} [options] at: the field to begin with */
  function edit(driver, { at = "first_name" } = {}) {
    begin(driver, at)
  }

  function begin(driver, at) {
    const form = byId("driverForm")
    if (driver) lay(form, driver)
    FormFaults.clear(form)
    byId("driverFormTitle").textContent = driver ? `Edit ${driver.name}` : "Add driver"
    busy(false)
    byId("driverModal").showModal()
    byId(at).focus()
  }

  /** Puts a driver into the form, or what was typed of a new one. Only a new one is kept beyond the page: see form-draft.js. */
  function lay(form, driver) {
    if (!editing) drafts.set(NEW, { typed: typedIn(form), version: null })
    form.removeAttribute("data-draft") // before the reset, which forgets what is kept under that name
    const draft = drafts.get(driver?.id ?? NEW)
    editing = driver && { ...driver, version: draft?.version ?? driver.version }
    form.reset()
    if (driver) fillIn(driver)
    opened = snapshot(form)
    for (const [id, value] of draft?.typed ?? []) set(byId(id), value)
    WeekHours.turnAll()
    if (!driver) form.dataset.draft = "driver"
    byId("activeField").hidden = !driver
    sayAhead()
  }

  function fillIn(driver) {
    for (const name of FIELDS) byId(name).value = driver[name] ?? ""
    for (const name of ["phone", "work_phone"]) byId(name).value = Format.phone(driver[name])
    byId("active").value = String(driver.active)
    WeekHours.fillIn(driver.weekly_hours)
  }

  /** Before they are taken off: how many trips somebody else will have to drive. */
  function sayAhead() {
    const ahead = editing?.trips_ahead ?? 0
    const leaves = editing?.active && byId("active").value === "false"
    byId("active-help").textContent = leaves && ahead > 0 ? `${Format.count(ahead, "trip")} ahead will need somebody else` : ""
  }

  // ── What is typed and not saved ──

  function typedIn(form) {
    return [...form.elements].filter((one) => one.id && one.name).map((one) => [one.id, one.type === "checkbox" ? one.checked : one.value])
  }

  function set(field, value) {
    if (field.type === "checkbox") field.checked = value
    else field.value = value
  }

  function snapshot(form) {
    return JSON.stringify(typedIn(form))
  }

  /** When the dialog closes: the form goes back to the new driver, whoever was in it. */
  function keep(form) {
    if (!editing) return
    if (snapshot(form) === opened) drafts.delete(editing.id)
    else drafts.set(editing.id, { typed: typedIn(form), version: editing.version })
    lay(form, null)
  }

  function forget(form) {
    drafts.delete(editing?.id ?? NEW)
    form.reset()
    WeekHours.turnAll()
    opened = snapshot(form)
  }

  // ── Saving ──

  async function save(form, dialog) {
    if (byId("saveDriverBtn").getAttribute("aria-disabled") === "true") return
    const faults = { ...FormFaults.check(form), ...WeekHours.faults() }
    if (Object.keys(faults).length > 0) return FormFaults.show(form, faults)

    FormFaults.clear(form)
    busy(true)
    const edited = editing
    const body = read()
    const text = JSON.stringify(body)
    const key = unsure.body === text ? unsure.key : APIClient.newKey()
    try {
      const answer = await APIClient.post(edited ? "/update-driver" : "/add-driver", body, { idempotencyKey: key })
      unsure = { body: "", key: "" }
      forget(form)
      dialog.close()
      onSaved(answer, Boolean(edited))
    } catch (error) {
      unsure = error.outcomeUnknown ? { body: text, key } : { body: "", key: "" }
      FormFaults.show(form, { ...error.fields }, error.code === "validation" ? undefined : error)
      if (error.code === "stale") form.querySelector(".form-summary .problem-text").append(newestButton(form))
    } finally {
      busy(false)
    }
  }

  function read() {
    const typed = Object.fromEntries(FIELDS.map((name) => [name, byId(name).value.trim()]))
    const nowhere = !typed.home_address && !typed.home_city && !typed.home_postal_code
    if (nowhere && !editing?.home_province) typed.home_province = "" // a province alone is no home
    const whole = { ...typed, weekly_hours: WeekHours.read() }
    return editing ? { id: editing.id, version: editing.version, ...whole, active: byId("active").value === "true" } : { ...whole, active: true }
  }

  function newestButton(form) {
    const take = async () => {
      try {
        const { data } = await APIClient.get(`/get-driver-schedule?driver_id=${encodeURIComponent(editing.id)}`)
        forget(form)
        editing = data.driver
        fillIn(editing)
        opened = snapshot(form)
        FormFaults.clear(form)
        byId("first_name").focus()
        Dom.announce("This is the newest. Make your changes again.")
      } catch (error) {
        FormFaults.show(form, {}, error)
      }
    }
    return el(
      "div",
      { class: "problem-actions" },
      el("button", { type: "button", class: "btn btn-sm btn-soft", onclick: take }, "Take the newest, drop mine"),
    )
  }

  function busy(on) {
    const button = byId("saveDriverBtn")
    button.setAttribute("aria-disabled", String(on))
    button.querySelector("span").textContent = on ? "Saving…" : editing ? "Save changes" : "Save driver"
  }

  return Object.freeze({ init, open, edit })
})()
