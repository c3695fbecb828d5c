"use strict"

/**
 * A driver's week: the hours they keep, and what of them is booked or driven. Small, as bars in the list; whole, as a table on the card.
 *
 * Days are the office's, "2026-12-01", and are never turned into a moment of this browser's zone.
 */
const DriverWeek = (() => {
  const { el, svg } = Dom
  const NAMES = Object.freeze(["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"])
  const LONGEST = 10 * 60 // minutes a bar stands for at least, so that short days look short
  const written = new Intl.DateTimeFormat("en-CA", { timeZone: "UTC", weekday: "short", day: "numeric", month: "short" })
  const withYear = new Intl.DateTimeFormat("en-CA", { timeZone: "UTC", day: "numeric", month: "short", year: "numeric" })
  const office = new Intl.DateTimeFormat("en-CA", { timeZone: "America/Halifax" })

  /** "Tue, Dec 1", of a day as the wire writes it; with the year when it is another one. */
  function day(text) {
    const moment = new Date(`${text}T12:00:00Z`)
    return text.slice(0, 4) === today().slice(0, 4) ? written.format(moment) : withYear.format(moment)
  }

  /** "2026-12-01": today at the office. */
  function today(now = Date.now()) {
    return office.format(new Date(now))
  }

  /** @param {string} text a day @param {number} days later */
  function later(text, days) {
    return new Date(Date.parse(`${text}T12:00:00Z`) + days * 86_400_000).toISOString().slice(0, 10)
  }

  /** @param {any[]} week as the server answers it */
  function sum(week) {
    const total = (name) => week.reduce((all, one) => all + one[name], 0)
    return { kept: total("minutes_kept"), driven: total("minutes_driven"), trips: total("trips") }
  }

  /** "8 h", "8 h 30", "45 min": where there is little room. */
  function hours(minutes) {
    if (minutes < 60 && minutes > 0) return `${minutes} min`
    const rest = minutes % 60
    return `${Math.floor(minutes / 60)} h${rest ? ` ${String(rest).padStart(2, "0")}` : ""}`
  }

  /** "08:00" from "8:00" or "0800"; otherwise as it was typed. 24 hours, as all times of the office are written. */
  function clock(typed) {
    const [, hour, minute] = /^([01]?\d|2[0-3]):?([0-5]\d)$/.exec(typed.trim()) ?? []
    return hour ? `${hour.padStart(2, "0")}:${minute}` : typed.trim()
  }

  // ── Small ──

  /** Seven bars and their sum. Screen readers get the sum. */
  function bars(week) {
    if (week.length === 0) return el("span", { class: "quiet" }, Format.UNKNOWN)
    const { kept, driven, trips } = sum(week)
    const most = Math.max(LONGEST, ...week.map((one) => Math.max(one.minutes_kept, one.minutes_driven)))
    return el(
      "div",
      { class: "week-small", title: "Grey: hours kept. Green: booked. Amber: booked beyond them." },
      svg(
        "svg",
        { class: "week-bars", viewBox: "0 0 82 26", "aria-hidden": "true", focusable: "false" },
        week.map((one, at) => bar(one, at, most)),
      ),
      el(
        "div",
        {},
        el("p", { class: "figure" }, el("strong", {}, hours(driven)), kept > 0 && ` of ${hours(kept)}`),
        el("p", { class: "quiet small" }, trips === 0 ? "no trips" : Format.count(trips, "trip")),
      ),
    )
  }

  function bar(one, at, most) {
    const tall = (minutes) => (minutes === 0 ? 0 : Math.max(1.5, (minutes / most) * 24))
    const [x, width] = [at * 12, 10]
    const within = tall(Math.min(one.minutes_driven, one.minutes_kept))
    const beyond = tall(one.minutes_driven) - within
    const rect = (name, height, up = 0) => height > 0 && svg("rect", { class: name, x, y: 25 - up - height, width, height, rx: 1 })
    return [
      svg("rect", { class: one.day === today() ? "week-today" : "week-floor", x, y: 25, width, height: 1 }),
      rect(one.time_off ? "week-away" : "week-kept", tall(one.minutes_kept)),
      rect("week-driven", within),
      rect("week-beyond", beyond, within),
    ]
  }

  // ── Whole ──

  /** A table of the seven days; the bars stand beside their figures. @param {any[]} [entries] time off, for days that are there beyond the hours */
  function table(week, entries = []) {
    const most = Math.max(LONGEST, ...week.map((one) => Math.max(one.minutes_kept, one.minutes_driven)))
    return el(
      "table",
      { class: "drive-times week-table" },
      el(
        "thead",
        {},
        el("tr", {}, el("th", { scope: "col" }, "Day"), el("th", { scope: "col" }, "Hours kept"), el("th", { scope: "col" }, "Booked · trips")),
      ),
      el(
        "tbody",
        {},
        week.map((one, at) => line(one, at, most, entries)),
      ),
    )
  }

  function line(one, at, most, entries) {
    const extra = entries.some((entry) => entry.entry_type === "override_available" && entry.start_date <= one.day && one.day <= entry.end_date)
    const kept = one.starts ? `${Format.time(one.starts)}–${Format.time(one.ends)}` : extra ? "extra time" : "day off"
    const now = one.day === today()
    const width = (minutes) => (minutes / most) * 100
    const chart = svg(
      "svg",
      { class: "bar", viewBox: "0 0 100 8", preserveAspectRatio: "none", "aria-hidden": "true", focusable: "false" },
      one.minutes_kept > 0 && svg("rect", { class: "week-kept", x: 0, y: 0, width: width(one.minutes_kept), height: 8 }),
      one.minutes_driven > 0 && svg("rect", { class: "week-driven", x: 0, y: 1.5, width: width(one.minutes_driven), height: 5 }),
    )
    return el(
      "tr",
      { class: now ? "today" : null },
      el("th", { scope: "row" }, `${NAMES[at].slice(0, 3)} ${Number(one.day.slice(8))}`, now && el("span", { class: "visually-hidden" }, " (today)")),
      el("td", {}, one.time_off ? el("span", { class: "away" }, "time off") : el("span", { class: one.starts ? "figure" : "quiet" }, kept)),
      el(
        "td",
        { class: "bar-cell" },
        el("div", {}, chart, el("span", { class: "figure" }, one.trips === 0 ? "–" : `${hours(one.minutes_driven)} · ${one.trips}`)),
      ),
    )
  }

  return Object.freeze({ NAMES, day, today, later, sum, hours, clock, bars, table })
})()
