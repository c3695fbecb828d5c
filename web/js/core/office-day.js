"use strict"

/**
 * Days of the office, written like 2026-12-01. They are counted as days, never as so many hours: two of a year have 23 and 25.
 */
const OfficeDay = (() => {
  const ZONE = "America/Halifax"
  const parts = new Intl.DateTimeFormat("en-CA", { timeZone: ZONE, year: "numeric", month: "2-digit", day: "2-digit" })
  const full = new Intl.DateTimeFormat("en-CA", { timeZone: "UTC", weekday: "long", day: "numeric", month: "long", year: "numeric" })
  const brief = new Intl.DateTimeFormat("en-CA", { timeZone: "UTC", weekday: "short", day: "numeric", month: "short" })
  const zoned = new Intl.DateTimeFormat("en-CA", { timeZone: ZONE, hour: "2-digit", minute: "2-digit", hourCycle: "h23", timeZoneName: "short" })

  /** The day that a moment is on in Halifax, whatever zone the browser is in. */
  function of(moment = Date.now()) {
    return parts.format(new Date(moment))
  }

  /** @param {string|null} text @returns {string|null} the day, or null for what is none */
  function read(text) {
    const day = /^20\d\d-\d\d-\d\d$/.test(text ?? "") ? new Date(`${text}T00:00:00Z`) : null
    return day && !Number.isNaN(day.getTime()) && day.toISOString().startsWith(String(text)) ? text : null
  }

  /** @param {string} day @param {number} days */
  function plus(day, days) {
    const at = new Date(`${day}T00:00:00Z`)
    at.setUTCDate(at.getUTCDate() + days)
    return at.toISOString().slice(0, 10)
  }

  /** "Tuesday, December 1, 2026". */
  function spoken(day) {
    return full.format(new Date(`${day}T00:00:00Z`))
  }

  /** "Tue, Dec 1". */
  function short(day) {
    return brief.format(new Date(`${day}T00:00:00Z`))
  }

  /** "01:00 AST": for the hour that a night has twice. */
  function timeWithZone(moment) {
    return zoned.format(new Date(moment))
  }

  return Object.freeze({ of, read, plus, spoken, short, timeWithZone })
})()
