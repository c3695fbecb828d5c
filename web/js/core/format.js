"use strict"

/**
 * How facts are written for people. Times are always the office's wall time (Halifax), whatever zone the browser is in.
 */
const Format = (() => {
  const ZONE = "America/Halifax"
  const UNKNOWN = "—"
  const clock = new Intl.DateTimeFormat("en-CA", { timeZone: ZONE, hour: "2-digit", minute: "2-digit", hourCycle: "h23" })
  const exactClock = new Intl.DateTimeFormat("en-CA", { timeZone: ZONE, timeStyle: "medium", hourCycle: "h23" })
  const day = new Intl.DateTimeFormat("en-CA", { timeZone: ZONE, day: "numeric", month: "short" })
  const fullDay = new Intl.DateTimeFormat("en-CA", { timeZone: ZONE, weekday: "long", day: "numeric", month: "long", year: "numeric" })
  const hourOfDay = new Intl.DateTimeFormat("en-CA", { timeZone: ZONE, hour: "2-digit", hourCycle: "h23" })
  const SHORT_TASK = Object.freeze({
    calculate_drive_times: "Drive times",
    calculate_clinic_travel_times: "Clinics",
    calculate_travel_times: "Travel times",
    calculate_driver_drive_times: "Drive times",
    create_driver_calendar: "Calendar",
    rename_driver_calendar: "Calendar's name",
    withdraw_driver_calendar: "Calendar access",
    sync_quo: "Quo",
    put_calendar_event: "Calendar",
    send_appointment_notification: "Text",
    sync_appointment_quo: "Note in Quo",
    send_invitation: "Invitation",
    send_temporary_password: "Temporary password",
    generate_invoice_pdf: "PDF",
    send_invoice_email: "E-mail",
  })
  // For rows that come without a label, straight from the table.
  const TASK = Object.freeze({
    calculate_drive_times: "Calculate drive times",
    sync_quo: "Sync to Quo",
    sync_appointment_quo: "Sync appointment to Quo",
    generate_invoice: "Generate invoice",
    send_notification: "Send notification",
  })

  /** @param {string|number|null|undefined} moment @returns {Date|null} null when it is absent or no date */
  function date(moment) {
    if (moment === null || moment === undefined || moment === "") return null
    const read = new Date(moment)
    return Number.isNaN(read.getTime()) ? null : read
  }

  /** "14:32", Halifax. */
  function time(moment) {
    const read = date(moment)
    return read ? clock.format(read) : UNKNOWN
  }

  /** "23 Nov, 14:32", Halifax. */
  function dateTime(moment) {
    const read = date(moment)
    return read ? `${day.format(read)}, ${clock.format(read)}` : UNKNOWN
  }

  /** "14:32:07", Halifax. */
  function exactTime(moment) {
    const read = date(moment)
    return read ? exactClock.format(read) : UNKNOWN
  }

  /** "Monday, 23 November 2026", Halifax. */
  function today(now = Date.now()) {
    return fullDay.format(new Date(now))
  }

  /** "Good morning" by the office's clock, not the browser's. */
  function greeting(now = Date.now()) {
    const hour = Number(hourOfDay.format(new Date(now)))
    if (hour < 12) return "Good morning"
    return hour < 18 ? "Good afternoon" : "Good evening"
  }

  /** "just now", "3 min ago", "2 hours ago", "4 days ago". A clock that runs a little fast never shows a negative age. */
  function ago(moment, now = Date.now()) {
    const read = date(moment)
    if (!read) return UNKNOWN
    const minutes = Math.floor(Math.max(0, now - read.getTime()) / 60_000)
    if (minutes < 1) return "just now"
    if (minutes < 60) return `${minutes} min ago`
    const hours = Math.floor(minutes / 60)
    if (hours < 48) return `${count(hours, "hour")} ago`
    return `${count(Math.floor(hours / 24), "day")} ago`
  }

  /** Minutes of driving: "42 min", "1 h 05 min". */
  function minutes(total) {
    if (total === null || total === undefined) return UNKNOWN
    if (total < 60) return `${total} min`
    return `${Math.floor(total / 60)} h ${String(total % 60).padStart(2, "0")} min`
  }

  /** "12.4 km". */
  function km(distance) {
    return distance === null || distance === undefined ? UNKNOWN : `${Number(distance).toFixed(1)} km`
  }

  /** count(1, "task") is "1 task", count(3, "task") is "3 tasks". */
  function count(n, one, many = `${one}s`) {
    return `${n} ${n === 1 ? one : many}`
  }

  /** ###-###-#### when ten digits (or eleven with a leading 1) are in it; otherwise as it was typed. */
  function phone(typed) {
    const digits = String(typed ?? "")
      .replace(/\D/g, "")
      .replace(/^1(?=\d{10}$)/, "")
    return digits.length === 10 ? `${digits.slice(0, 3)}-${digits.slice(3, 6)}-${digits.slice(6)}` : String(typed ?? "").trim()
  }

  /** "B3H 4R2" from "b3h4r2"; otherwise as it was typed, in capitals. */
  function postalCode(typed) {
    const joined = String(typed ?? "")
      .toUpperCase()
      .replace(/[\s-]/g, "")
    return /^[A-Z]\d[A-Z]\d[A-Z]\d$/.test(joined)
      ? `${joined.slice(0, 3)} ${joined.slice(3)}`
      : String(typed ?? "")
          .trim()
          .toUpperCase()
  }

  /** Cut to `length` characters with an ellipsis, at a word where one is near. */
  function excerpt(text, length) {
    const whole = String(text ?? "")
    if (whole.length <= length) return whole
    const cut = whole.slice(0, length - 1)
    const space = cut.lastIndexOf(" ")
    return `${(space > length * 0.7 ? cut.slice(0, space) : cut).trimEnd()}…`
  }

  /** The task's name as people know it; an unknown type is shown with spaces for underscores. */
  function task(shown) {
    const type = shown?.task_type
    return shown?.task_label || TASK[type] || (type ? String(type).replaceAll("_", " ") : "Unknown task")
  }

  /** The task's name where there is little room. */
  function shortTask(shown) {
    return SHORT_TASK[shown?.task_type] ?? task(shown)
  }

  /** "booking_agent" as "Booking agent". */
  function role(name) {
    const words = String(name ?? "").replaceAll("_", " ")
    return words.charAt(0).toUpperCase() + words.slice(1)
  }

  /** "Google Maps and Quo", "a, b and c". */
  function list(names) {
    return new Intl.ListFormat("en-CA", { style: "long", type: "conjunction" }).format(names).replace(/, and /, " and ")
  }

  return Object.freeze({
    UNKNOWN,
    date,
    time,
    exactTime,
    dateTime,
    today,
    greeting,
    ago,
    minutes,
    km,
    count,
    phone,
    postalCode,
    excerpt,
    task,
    shortTask,
    role,
    list,
  })
})()
