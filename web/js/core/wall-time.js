"use strict"

/**
 * The office's days and clocks, whatever zone the browser is in: what lies where in a calendar, and which moment a date and time in a form mean.
 * A day is "2026-12-01", a clock "09:30". Two nights a year a wall time means no moment, or two: the hour the clocks skip, and the one they repeat.
 */
const WallTime = (() => {
  const ZONE = "America/Halifax"
  const HOUR_MS = 3_600_000
  const DAY_MS = 24 * HOUR_MS
  const numbers = new Intl.DateTimeFormat("en-CA", {
    timeZone: ZONE,
    year: "numeric",
    month: "2-digit",
    day: "2-digit",
    hour: "2-digit",
    minute: "2-digit",
    hourCycle: "h23",
  })
  const zone = new Intl.DateTimeFormat("en-CA", { timeZone: ZONE, timeZoneName: "short" })
  // Days are counted in UTC, where every day has 24 hours.
  const longDay = new Intl.DateTimeFormat("en-CA", { timeZone: "UTC", weekday: "long", day: "numeric", month: "long" })
  const longDayOfYear = new Intl.DateTimeFormat("en-CA", { timeZone: "UTC", weekday: "long", day: "numeric", month: "long", year: "numeric" })
  const shortDay = new Intl.DateTimeFormat("en-CA", { timeZone: "UTC", weekday: "short", day: "numeric", month: "short" })

  function read(moment) {
    const part = Object.fromEntries(numbers.formatToParts(new Date(moment)).map(({ type, value }) => [type, value]))
    return { day: `${part.year}-${part.month}-${part.day}`, clock: `${part.hour}:${part.minute}` }
  }

  /** @param {string|number|Date} moment @returns {string} the office's day then */
  function day(moment) {
    return read(moment).day
  }

  /** @param {string|number|Date} moment @returns {string} what the office's clocks show then */
  function clock(moment) {
    return read(moment).clock
  }

  function today() {
    return day(Date.now())
  }

  /** @param {string} from a day @param {number} days may be negative */
  function plus(from, days) {
    return new Date(Date.parse(`${from}T00:00Z`) + days * DAY_MS).toISOString().slice(0, 10)
  }

  function monday(of) {
    return plus(of, -((new Date(`${of}T00:00Z`).getUTCDay() + 6) % 7))
  }

  /** @returns {boolean} whether it is a day of the calendar, in this century */
  function isDay(text) {
    return /^20\d\d-\d\d-\d\d$/.test(text ?? "") && !Number.isNaN(Date.parse(`${text}T00:00Z`)) && plus(text, 0) === text
  }

  /** "Tuesday, December 1"; with the year where it is not this one. */
  function title(of) {
    return (of.startsWith(today().slice(0, 4)) ? longDay : longDayOfYear).format(Date.parse(`${of}T12:00Z`))
  }

  /** "Tue, Dec 1". */
  function short(of) {
    return shortDay.format(Date.parse(`${of}T12:00Z`))
  }

  /** @returns {Date[]} the moments that a wall time means: one; none in a skipped hour; two, in order, in a repeated one */
  function moments(of, at) {
    const asIfUtc = Date.parse(`${of}T${at}Z`)
    const offsets = new Set([offset(asIfUtc - DAY_MS), offset(asIfUtc + DAY_MS)])
    return [...offsets]
      .map((ms) => new Date(asIfUtc - ms))
      .filter((moment) => day(moment) === of && clock(moment) === at)
      .sort((a, b) => a.getTime() - b.getTime())
  }

  /** @returns {string} "ADT" or "AST" */
  function zoneName(moment) {
    return zone.formatToParts(new Date(moment)).find(({ type }) => type === "timeZoneName")?.value ?? ""
  }

  /** @returns {number[]} the beginnings of a day's hours, and last its end: 24 hours, but 23 and 25 on the two nights */
  function hours(of) {
    const begins = moments(of, "00:00")[0].getTime()
    const ends = moments(plus(of, 1), "00:00")[0].getTime()
    return Array.from({ length: (ends - begins) / HOUR_MS + 1 }, (_, n) => begins + n * HOUR_MS)
  }

  /** How far the office's clocks are ahead of UTC, in ms. */
  function offset(ms) {
    const { day: of, clock: at } = read(ms)
    return Date.parse(`${of}T${at}Z`) - Math.floor(ms / 60_000) * 60_000
  }

  return Object.freeze({ day, clock, today, plus, monday, isDay, title, short, moments, zoneName, hours })
})()
