"use strict"

/**
 * Trips by the office's days, read page by page, and read again quietly when something was heard of them.
 */
const TripList = (() => {
  const { el, fill, icon, byId } = Dom
  const PAGE = 60
  const MOST = 500

  /** @type {any[]} */
  let trips = []
  /** @type {string|null} */
  let next = null
  let total = 0
  let loading = new AbortController()
  /** @type {string|null} */
  let openId = null
  /** @type {Set<string>} those just saved */
  const fresh = new Set()
  let onOpen = (_id) => {}
  let onNew = () => {}

  /** @param {{onOpen: (id: string) => void, onNew: () => void}} options */
  function init(options) {
    ;({ onOpen, onNew } = options)
    byId("moreBtn").addEventListener("click", () => ask(next, PAGE, loading.signal))
  }

  /** Reads the first page anew; what is shown stays until the answer is there. */
  async function load() {
    loading.abort()
    loading = new AbortController()
    table().setAttribute("aria-busy", "true")
    if (trips.length === 0) fill(byId("listState"), el("p", { class: "loading", role: "status" }, "Loading the trips…"))
    await ask(null, PAGE, loading.signal)
  }

  /** As many as are shown, read again. A failure is passed over: what is shown stays, and the header shows a lost connection. */
  async function refresh() {
    if (byId("listState").querySelector(".loading")) return load()
    loading.abort()
    loading = new AbortController()
    const { signal } = loading
    try {
      take(null, await APIClient.get(TripFilters.question({ after: null, limit: Math.min(MOST, Math.max(PAGE, trips.length)) }), { signal }))
    } catch {
      // The next event, or the next reading, tries again.
    } finally {
      if (!signal.aborted) table().removeAttribute("aria-busy")
    }
  }

  async function ask(after, limit, signal) {
    try {
      const first = take(after, await APIClient.get(TripFilters.question({ after, limit }), { signal }))
      if (after && first) link(first)?.focus()
    } catch (error) {
      if (signal.aborted) return
      if (!after) [trips, next, total] = [[], null, 0]
      draw()
      const again = el("button", { type: "button", class: "btn btn-sm btn-soft", onclick: () => ask(after, limit, signal) }, "Try again")
      fill(byId("listState"), Dom.problem(error, again))
    } finally {
      if (!signal.aborted) table().removeAttribute("aria-busy")
    }
  }

  function take(after, answer) {
    const rows = answer.appointments ?? answer.data.appointments
    const known = new Set(after ? trips.map((one) => one.id) : [])
    trips = after ? [...trips, ...rows.filter((one) => !known.has(one.id))] : rows
    next = answer.next ?? null
    total = Math.max(answer.count ?? answer.counts.appointments, trips.length)
    draw()
    return rows[0]?.id
  }

  /** Nothing of the answer to an earlier question is shown as that to a new one. */
  function forget() {
    trips = []
    draw()
    fill(byId("listState"))
  }

  // ── Drawing ──

  function table() {
    return byId("tripTable")
  }

  function draw() {
    const focused = table().contains(document.activeElement) ? document.activeElement.closest("[data-trip-id]") : null
    const place = focused ? rows().indexOf(focused) : -1
    for (const body of [...table().tBodies]) body.remove()
    for (const [day, rows] of byDay()) table().append(dayGroup(day, rows))
    table().hidden = trips.length === 0
    byId("moreBtn").hidden = next === null
    byId("listCount").textContent = next === null ? Format.count(trips.length, "trip") : `${trips.length} of ${total} trips`
    fill(byId("listState"), trips.length === 0 && nothing())
    if (!focused) return
    const left = rows()
    ;(row(focused.dataset.tripId) ?? left[Math.min(place, left.length - 1)])?.querySelector("a").focus({ preventScroll: true })
  }

  function byDay() {
    const days = new Map()
    for (const trip of trips) {
      const day = WallTime.day(trip.appointmenttime)
      days.set(day, [...(days.get(day) ?? []), trip])
    }
    return days
  }

  function dayGroup(day, rows) {
    const today = WallTime.today()
    const name = { [today]: "Today", [WallTime.plus(today, 1)]: "Tomorrow", [WallTime.plus(today, -1)]: "Yesterday" }[day]
    const open = rows.filter((trip) => TripWords.state(trip) === "pending").length
    return el(
      "tbody",
      { role: "rowgroup" },
      el(
        "tr",
        { role: "row", class: "trip-day" },
        el(
          "th",
          { role: "rowheader", scope: "rowgroup", colspan: 5 },
          el("span", {}, name && `${name} · `, WallTime.title(day)),
          el("span", { class: "quiet" }, Format.count(rows.length, "trip"), open > 0 && `, ${open} without a driver`),
        ),
      ),
      rows.map((trip) => TripRow.build(trip, { onOpen, isOpen: trip.id === openId, isNew: fresh.has(trip.id) })),
    )
  }

  function nothing() {
    const narrowed = TripFilters.isNarrowed()
    return el(
      "div",
      { class: "empty" },
      icon(narrowed ? "search" : "calendar-plus"),
      el("p", {}, narrowed ? "No trip is like that" : "No trips from today on"),
      narrowed
        ? el("button", { type: "button", class: "btn btn-soft", onclick: () => TripFilters.clear() }, "Show all from today")
        : el("button", { type: "button", class: "btn btn-primary", onclick: () => onNew() }, icon("plus-lg"), "Book a trip"),
    )
  }

  /** Those just saved stand out, wherever they stand. */
  function markNew(ids) {
    for (const id of ids) fresh.add(id)
  }

  /** Marks the row whose card is open; null for none. */
  function mark(id) {
    const before = openId
    openId = id
    for (const one of [before, id]) if (one) row(one)?.classList.toggle("open", one === id)
  }

  /** @returns {HTMLElement[]} */
  function rows() {
    return [...table().querySelectorAll("[data-trip-id]")]
  }

  function row(id) {
    return table().querySelector(`[data-trip-id="${CSS.escape(id)}"]`)
  }

  /** @returns {HTMLElement|null} the way to a trip's card, if it is among those shown */
  function link(id) {
    return row(id)?.querySelector("a") ?? null
  }

  return Object.freeze({ init, load, refresh, forget, markNew, mark, link })
})()
