"use strict"

/**
 * The dialog in which a stretch of time off is entered or changed. Days and times are the office's, whatever zone the browser is in.
 */
const TimeOffForm = (() => {
  const { byId } = Dom
  const FIELDS = Object.freeze(["entry_type", "start_date", "end_date", "start_time", "end_time", "reason"])
  /** @type {{driver: any, entry: any}} entry: the one that is changed; null while one is entered */
  let about = { driver: null, entry: null }
  let onSaved = (_answer) => {}
  let isOwn = false

  /** @param {{onSaved: (answer: any) => void, own?: boolean}} options own: whoever fills it in is the driver */
  function init(options) {
    ;({ onSaved, own: isOwn = false } = options)
    const form = byId("timeOffForm")
    FormSending.init(form, {
      check,
      read,
      send: (body, once) => APIClient.post(about.entry ? "/update-driver-time-off" : "/create-driver-time-off", body, once),
      done: saved,
    })
    form.addEventListener("change", ({ target }) => {
      if (target.name === "all_day") offerTimes()
      if (target.name.endsWith("_time")) target.value = DriverWeek.clock(target.value)
      // the last day follows the first, until it was chosen
      if (target.name === "start_date" && (byId("end_date").value === "" || byId("end_date").value < target.value)) byId("end_date").value = target.value
    })
  }

  /** @param {any} driver whose @param {any} [entry] the one to change */
  function open(driver, entry = null) {
    const form = byId("timeOffForm")
    // what was typed and refused is still there when the same is opened again, unless somebody has changed it meanwhile
    if (about.driver?.id !== driver.id || JSON.stringify(about.entry) !== JSON.stringify(entry)) lay(form, entry)
    about = { driver, entry }
    offerTimes()
    const whose = isOwn ? "your time off" : `time off of ${driver.name}`
    byId("timeOffTitle").textContent = entry ? `Change ${whose}` : whose.charAt(0).toUpperCase() + whose.slice(1)
    FormFaults.clear(form)
    byId("timeOffModal").showModal()
    byId(entry ? "start_date" : "entry_type").focus()
  }

  function lay(form, entry) {
    form.reset()
    if (!entry) return
    for (const name of FIELDS) byId(name).value = entry[name] ?? ""
    byId("all_day").checked = entry.all_day
  }

  function offerTimes() {
    const whole = byId("all_day").checked
    for (const place of byId("timeOffForm").querySelectorAll("[data-times]")) {
      place.hidden = whole
      place.querySelector("input").required = !whole
    }
  }

  function check(form) {
    const faults = FormFaults.check(form)
    const { start_date: first, end_date: last } = form.elements
    if (first.value && last.value && last.value < first.value) faults.end_date = "The last day must not be before the first"
    return faults
  }

  function saved(answer) {
    about = { driver: null, entry: null }
    byId("timeOffModal").close()
    onSaved(answer)
  }

  function read() {
    const whole = byId("all_day").checked
    const typed = Object.fromEntries(FIELDS.map((name) => [name, byId(name).value.trim()]))
    const times = whole ? { start_time: null, end_time: null } : {}
    const whose = about.entry ? { id: about.entry.id } : { driver_id: about.driver.id }
    return { ...whose, ...typed, all_day: whole, ...times }
  }

  return Object.freeze({ init, open })
})()
