"use strict"

/**
 * What the trip in the form would be, worked out by the server as it would be saved: pickup and drop-off below each date, the known drive and its
 * age, and which drivers are free.
 */
const TripSketch = (() => {
  const { el, fill, byId } = Dom
  const SOON_MS = 150
  let timer = 0
  let asking = new AbortController()
  /** @type {any[]} */
  let drivers = []
  /** @type {() => {client: string|null, but: string|null}} */
  let about = () => ({ client: null, but: null })

  /** @param {{about: () => {client: string|null, but: string|null}}} options the client's id, and the trip that is changed */
  function init(options) {
    ;({ about } = options)
  }

  /** @param {any[]} list those who may be chosen */
  function offer(list) {
    drivers = list
    showDrivers([], 0)
  }

  function soon() {
    clearTimeout(timer)
    timer = setTimeout(ask, SOON_MS)
  }

  async function ask() {
    asking.abort()
    asking = new AbortController()
    const { signal } = asking
    const moments = TripDates.moments()
    const known = moments.map((moment, n) => ({ moment, n })).filter(({ moment }) => moment !== null)
    moments.forEach((moment, n) => moment === null && TripDates.say(n))
    try {
      const said = await APIClient.get(`/preview-appointment?${question(known)}`, { signal })
      showDrive(said)
      if (known.length === 0) return
      said.times.forEach((times, at) => TripDates.say(known[at].n, spoken(times)))
      showDrivers(said.objections, known.length)
    } catch (error) {
      if (!signal.aborted && error.status !== 0) for (const { n } of known) TripDates.say(n, error.what)
    }
  }

  function question(known) {
    const typed = TripFields.values()
    const { client, but } = about()
    const asked = new URLSearchParams({ appointment_type: typed.appointment_type })
    // Without a time yet, the drive is asked for all the same.
    for (const moment of known.length > 0 ? known.map((one) => one.moment) : [new Date().toISOString()]) asked.append("at", moment)
    if (typed.trip_direction) asked.set("trip_direction", typed.trip_direction)
    if (client) asked.set("client", client)
    if (typed.clinic_id) asked.set("clinic", typed.clinic_id)
    if (within(typed.transitTime, 1, 600) && !TripFields.isGuessed()) asked.set("transit", typed.transitTime)
    if (within(typed.appointmentLength, 5, 720)) asked.set("length", typed.appointmentLength)
    if (but) asked.set("but", but)
    return asked
  }

  function within(text, least, most) {
    return /^\d{1,3}$/.test(text ?? "") && Number(text) >= least && Number(text) <= most
  }

  // ── Showing ──

  function spoken({ pickuptime, appointmenttime, drop_off_time: over }) {
    const day = WallTime.day(appointmenttime)
    const place = (moment) => (WallTime.day(moment) === day ? Format.time(moment) : `${Format.time(moment)} on ${WallTime.short(WallTime.day(moment))}`)
    return [el("strong", {}, WallTime.short(day)), ` · pickup ${place(pickuptime)}, there ${Format.time(appointmenttime)}, over ${place(over)}`]
  }

  function showDrive({ transit, length }) {
    const field = TripFields.field("transitTime")
    if (field.value === "" || TripFields.isGuessed()) {
      field.defaultValue = field.value = String(transit.minutes) // nothing that anybody typed: no draft keeps it
      field.dataset.guessed = "true"
    }
    const stay = TripFields.field("appointmentLength")
    stay.placeholder = String(length)
    fill(byId("transitTime-help"), about().client && TripFields.values().clinic_id ? source(transit) : "Minutes, each way")
  }

  function source({ known, place, calculated_at: at, pending }) {
    const calculating = pending && el("span", { class: "still" }, "Travel times are still being calculated")
    if (known === null) return [calculating || "Not measured yet", "; 30 min is the usual"]
    const from = place === "secondary" ? "From the second address" : "From home"
    return [`${from}: ${Format.minutes(known)}, measured `, Dom.ago(at), calculating && [". ", calculating]]
  }

  /** Free or not stands behind each name, in words; what cannot be is still there to be chosen, and the server judges. */
  function showDrivers(objections, times) {
    const select = TripFields.field("driver_assigned")
    const chosen = select.value
    const kept = chosen && !drivers.some((driver) => driver.id === chosen) ? [...select.options].filter((one) => one.value === chosen) : []
    fill(
      select,
      el("option", { value: "" }, "Not yet"),
      kept,
      drivers.map((driver) => el("option", { value: driver.id }, [driver.name, times > 0 && ` · ${state(driver, objections, times)}`].flat().filter(Boolean).join(""))),
    )
    select.value = chosen
    const against = objections.filter((one) => one.driver_id === chosen)
    fill(byId("driver_assigned-help"), chosen && against.length > 0 ? [...new Set(against.map((one) => reason(one, times)))].join("; ") : "")
  }

  function state(driver, objections, times) {
    const against = objections.filter((one) => one.driver_id === driver.id)
    const hard = against.filter((one) => one.hard)
    const busy = new Set(hard.map((one) => one.place)).size
    if (busy === 0) return against.length === 0 ? "free" : `free, but ${against[0].label}`
    return times > 1 ? `not free on ${busy} of ${times} dates` : `not free: ${reason(hard[0], times)}`
  }

  function reason({ place, starts, ends, label, kind }, times) {
    const span = kind === "trip" || kind === "time_off" ? ` ${times > 1 && place !== null ? `${WallTime.short(WallTime.day(starts))}, ` : ""}${Format.time(starts)}–${Format.time(ends)}` : ""
    return `${kind === "trip" ? `trip of ${label}` : label}${span}`
  }

  return Object.freeze({ init, offer, soon })
})()
