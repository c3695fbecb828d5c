"use strict"

/**
 * The dialog in which a driver is added or corrected. The person waits for the save alone; what follows happens in the background.
 * An edit is sent with the version it was made from.
 */
const DriverForm = (() => {
  const { byId } = Dom
  const FIELDS = Object.freeze([
    "first_name", "last_name", "gender", "email", "phone", "work_phone", "home_address", "home_city", "home_province", "home_postal_code",
    "workload_preference", "preferred_calendar_type", "vehicle_description", "notes",
  ]) // prettier-ignore
  const draft = RecordDraft.make({
    form: "driverForm",
    name: "driver",
    first: "first_name",
    newest: async (id) => (await APIClient.get(`/get-driver-schedule?driver_id=${encodeURIComponent(id)}`)).data.driver,
    fillIn,
    laid,
  })
  let onSaved = (_answer, _edited) => {}

  /** @param {{onSaved: (answer: any, edited: boolean) => void}} options */
  function init(options) {
    ;({ onSaved } = options)
    const [dialog, form] = [byId("driverModal"), byId("driverForm")]
    FormSending.init(form, {
      check: () => ({ ...FormFaults.check(form), ...WeekHours.faults() }),
      read,
      send: (body, once) => APIClient.post(draft.editing() ? "/update-driver" : "/add-driver", body, once),
      done: saved,
      refused: draft.refused,
    })
    form.addEventListener("change", ({ target }) => {
      if (target.value.trim() === "") return
      if (target.type === "tel") target.value = Format.phone(target.value)
      if (target.name === "home_postal_code") target.value = Format.postalCode(target.value)
      if (target.name === "active") sayAhead()
    })
    dialog.addEventListener("close", draft.keep)
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
    if (driver) draft.lay(driver)
    byId("driverFormTitle").textContent = driver ? `Edit ${driver.name}` : "Add driver"
    FormSending.begin(byId("driverForm"), driver ? "Save changes" : "Save driver")
    byId("driverModal").showModal()
    byId(at).focus()
  }

  function fillIn(driver) {
    if (!driver) return
    for (const name of FIELDS) byId(name).value = driver[name] ?? ""
    for (const name of ["phone", "work_phone"]) byId(name).value = Format.phone(driver[name])
    byId("active").value = String(driver.active)
    WeekHours.fillIn(driver.weekly_hours)
  }

  function laid(driver) {
    WeekHours.turnAll()
    byId("activeField").hidden = !driver
    sayAhead()
  }

  /** Before they are taken off: how many trips somebody else will have to drive. */
  function sayAhead() {
    const editing = draft.editing()
    const ahead = editing?.trips_ahead ?? 0
    const leaves = editing?.active && byId("active").value === "false"
    byId("active-help").textContent = leaves && ahead > 0 ? `${Format.count(ahead, "trip")} ahead will need somebody else` : ""
  }

  // ── Saving ──

  function saved(answer) {
    draft.forget()
    byId("driverModal").close()
    onSaved(answer, Boolean(draft.editing()))
  }

  function read() {
    const editing = draft.editing()
    const typed = Object.fromEntries(FIELDS.map((name) => [name, byId(name).value.trim()]))
    const nowhere = !typed.home_address && !typed.home_city && !typed.home_postal_code
    if (nowhere && !editing?.home_province) typed.home_province = "" // a province alone is no home
    const whole = { ...typed, weekly_hours: WeekHours.read() }
    return editing ? { id: editing.id, version: editing.version, ...whole, active: byId("active").value === "true" } : { ...whole, active: true }
  }

  return Object.freeze({ init, open, edit })
})()
