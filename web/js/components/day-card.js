"use strict"

/**
 * The office's day on the dashboard: in numbers, trip by trip with what nobody drives yet on top, what tomorrow still lacks, and the reminders.
 * Read again when a trip up to the coming week is heard of, whoever changed it, after the work that follows a save, and once a minute.
 */
const DayCard = (() => {
  const { el, fill, icon, byId } = Dom
  const POLL_MS = 60_000
  const APART_MS = 800
  const FEW = 12
  const SOME = 6
  const CONCERNS = new Set(["appointment", "client", "driver"])
  let isStarted = false
  let isWhole = false
  let asking = new AbortController()
  let answered = ""
  /** The texts for which something is being asked of the server, and what was refused, by text: a drawing meanwhile loses neither. */
  const underWay = new Set()
  /** @type {Map<string, any>} */
  const refusals = new Map()
  /** @type {any} */
  let day = null

  /** Fills #dayNumbers, #dayTrips, #tomorrow and #reminders, and keeps them true. */
  function init() {
    byId("officeDay").hidden = false
    byId("officeSide").hidden = false
    read()
    if (isStarted) return
    isStarted = true
    const readSoon = TripNews.follow({ read, concerns: isNear, apartMs: APART_MS })
    document.addEventListener("task:changed", (event) => CONCERNS.has(event.detail.task.entity_type) && readSoon())
    setInterval(() => !document.hidden && read(), POLL_MS)
  }

  /** What is past counts as well, as long as it is not closed or invoiced. */
  function isNear({ days }) {
    return !days || !day || days.some((one) => one <= WallTime.plus(day.day, 7))
  }

  async function read() {
    if (!JWTManager.isAuthenticated()) return
    asking.abort()
    asking = new AbortController()
    const { signal } = asking
    try {
      const answer = await APIClient.get("/get-dashboard", { signal })
      if (signal.aborted) return
      const text = JSON.stringify(answer)
      day = answer
      fill(byId("dayProblem"))
      // With nothing new, only what depends on the time of day is drawn.
      if (text !== answered) drawAside()
      answered = text
      drawTrips()
    } catch (error) {
      if (signal.aborted) return
      byId("dayTrips").querySelector(".loading")?.remove()
      fill(byId("dayProblem"), Dom.problem(error, el("button", { type: "button", class: "btn btn-sm btn-soft", onclick: read }, "Try again")))
    }
  }

  // ── Numbers ──

  function drawAside() {
    renew("dayNumbers", numbers(day.numbers))
    renew("dayToClose", hasFeaturePermission("canSetTripStatus") && toClose(day.numbers.not_closed))
    renew("tomorrow", tomorrow())
    drawReminders()
  }

  /** The focus goes to no other text's button: a second Enter would say of it what nobody has looked up. */
  function drawReminders() {
    const place = byId("reminders")
    KeepFocus.byName(place, () => fill(place, reminders()), () => place.querySelector("h2"))
  }

  /** @param {string} id @param {...any} content */
  function renew(id, ...content) {
    KeepFocus.byName(byId(id), () => fill(byId(id), ...content))
  }

  function numbers(said) {
    const figures = [
      { count: said.trips, label: "trips today", href: "appointments.html" },
      { count: said.unassigned, label: "without a driver", href: boardOr(day.day), alarming: true },
      { count: said.assigned, label: "still to be driven" },
      { count: said.completed, label: "driven" },
      said.cancelled > 0 && { count: said.cancelled, label: "cancelled" },
      { count: said.drivers, label: "drivers out" },
      { count: said.unassigned_next_7_days, label: "open in the next 7 days", alarming: true },
      hasPageAccess("finance") && { count: said.ready_for_invoice, label: "ready for an invoice", href: "invoices.html" },
    ].filter(Boolean)
    return figures.map(({ count, label, href, alarming }) =>
      el(
        href ? "a" : "div",
        { class: "number-tile", href, "data-alarming": Boolean(alarming && count > 0) },
        el("strong", { class: "figure" }, String(count)),
        el("span", {}, label),
      ),
    )
  }

  function toClose(count) {
    if (count === 0) return null
    return el("a", { href: "appointments.html?status=assigned" }, `${Format.count(count, "trip is", "trips are")} over and still to be closed`)
  }

  /** Where a driver is given: the board for those who may, else the list of trips. */
  function boardOr(date) {
    return hasPageAccess("operations") ? `operations.html?day=${date}` : "appointments.html?status=pending"
  }

  // ── Today's trips ──

  function drawTrips() {
    const now = Date.now()
    const isOver = (trip) => Date.parse(trip.drop_off_time) <= now
    const pending = day.trips.filter((trip) => trip.operation_status === "pending")
    const open = [...pending.filter((trip) => !isOver(trip)), ...pending.filter(isOver)] // what can still be driven comes first
    const rest = day.trips.filter((trip) => trip.operation_status !== "pending")
    const past = rest.filter(isOver)
    const ahead = rest.filter((trip) => !isOver(trip))
    const wasOpen = byId("dayTrips").querySelector("details")?.open ?? false
    renew(
      "dayTrips",
      day.trips.length === 0 && nothing(),
      open.length > 0 && [
        el(
          "h3",
          { class: "trips-title" },
          "Without a driver",
          el("a", { href: boardOr(day.day) }, hasPageAccess("operations") ? "Assign on the board" : "All of them"),
        ),
        list(open, now),
      ],
      past.length > 0 &&
        el("details", { open: wasOpen }, el("summary", { "data-focus": "earlier" }, `Earlier today: ${Format.count(past.length, "trip")}`), list(past, now)),
      day.trips.length > 0 && el("p", { class: "now-mark" }, el("span", {}, `Now ${Format.time(now)}`)),
      ahead.length > 0 && list(isWhole ? ahead : ahead.slice(0, FEW), now),
      ahead.length === 0 && rest.length > 0 && el("p", { class: "quiet" }, "Nothing more to be driven today."),
      !isWhole &&
        ahead.length > FEW &&
        el("button", { type: "button", class: "btn btn-sm btn-quiet", onclick: () => ((isWhole = true), drawTrips()) }, `Show all ${ahead.length}`),
    )
  }

  function nothing() {
    return el(
      "div",
      { class: "empty" },
      icon("calendar-event"),
      el("p", {}, "No trips today"),
      el("a", { class: "btn btn-soft", href: "appointments.html" }, "Book one"),
    )
  }

  function list(trips, now) {
    return el(
      "ol",
      { class: "day-trips" },
      trips.map((trip) => item(trip, now)),
    )
  }

  function item(trip, now) {
    const name = trip.client_name ?? trip.event_name ?? "Trip"
    const way = { to_clinic: "one way there", to_home: "one way home" }[trip.trip_direction]
    return el(
      "li",
      { "data-status": trip.operation_status },
      el("span", { class: "day-time figure" }, Format.time(trip.pickuptime)),
      el(
        "div",
        { class: "day-what" },
        el("a", { href: `appointments.html?id=${encodeURIComponent(trip.id)}` }, name),
        el("span", { class: "quiet" }, [trip.locationname, way, `until ${Format.time(trip.drop_off_time)}`].filter(Boolean).join(" · ")),
      ),
      el("span", { class: "day-driver" }, trip.driver_name),
      state(trip, now),
    )
  }

  function state(trip, now) {
    if (trip.operation_status === "completed") return chip("done", "Driven")
    if (trip.operation_status === "cancelled") return chip("failed", "Cancelled")
    if (Date.parse(trip.drop_off_time) <= now) return chip("again", trip.driver_name ? "To be closed" : "Nobody drove")
    if (Date.parse(trip.pickuptime) <= now) return trip.driver_name ? chip("working", "Under way") : chip("failed", "Pickup is over")
    return trip.driver_name ? null : chip("again", "Unassigned")
  }

  function chip(looks, words) {
    return el("span", { class: "chip", "data-state": looks === "working" ? null : looks, "data-under-way": looks === "working" }, words)
  }

  // ── Tomorrow, reminders ──

  function tomorrow() {
    const open = day.tomorrow_unassigned
    return [
      el("h2", {}, "Tomorrow", open.length > 0 && el("span", { class: "side-count" }, `${open.length} without a driver`)),
      open.length === 0
        ? el("p", { class: "quiet" }, "Every trip has a driver.")
        : el(
            "ol",
            { class: "side-list" },
            open.slice(0, SOME).map(unassigned),
          ),
      open.length > 0 &&
        el("a", { class: "btn btn-sm btn-soft", href: boardOr(day.tomorrow) }, hasPageAccess("operations") ? "Assign on the board" : "See the trips"),
    ]
  }

  function unassigned(trip) {
    const place = trip.locationname && el("span", { class: "quiet" }, ` ${trip.locationname}`)
    return el("li", {}, el("span", { class: "figure" }, Format.time(trip.pickuptime)), el("span", {}, trip.client_name ?? trip.event_name, place))
  }

  function reminders() {
    const said = day.reminders
    const sent = said.sent_today > 0 ? `${said.sent_today} sent today` : "None sent today"
    return [
      el("h2", { tabindex: -1, "data-focus": "reminders" }, "Reminders"),
      el("p", { class: "quiet" }, said.on ? `${sent}, ${said.waiting} to go out for the trips ahead.` : "They are switched off in the settings."),
      unsettled("May have been sent", said.to_look_at.filter(({ state }) => state === "unknown")),
      unsettled("Did not arrive", said.to_look_at.filter(({ state }) => state === "refused")),
      said.to_look_at.length === 0 && el("p", { class: "quiet" }, "No text of the trips ahead needs anybody."),
      said.next.length > 0 && [el("h3", {}, "Next"), el("ol", { class: "side-list" }, said.next.map(next))],
    ]
  }

  function unsettled(title, messages) {
    return messages.length > 0 && [el("h3", { class: "side-alarm" }, icon("exclamation-triangle-fill"), title), el("ol", { class: "side-list" }, messages.map(message))]
  }

  function message(one) {
    const says = [`${one.kind}, trip of ${Format.dateTime(one.for_time)}.`, one.error]
    return el(
      "li",
      {},
      el("span", { class: "figure" }, Format.time(one.created_at)),
      el(
        "div",
        {},
        el("a", { href: `appointments.html?id=${encodeURIComponent(one.appointment_id)}`, "data-focus": `open-${one.id}` }, one.recipient ?? "Somebody"),
        el("span", { class: "quiet" }, ` ${says.filter(Boolean).join(" ")}`),
        one.under_way ? el("p", { class: "todo" }, "It is being looked for once more.") : one.state === "unknown" && inDoubt(one),
      ),
    )
  }

  /** Only Quo knows; so a person looks there, and says what they found. */
  function inDoubt(one) {
    const refusal = refusals.get(one.id)
    const not = one.task_id ? "If not, send it again: it looks once more, then sends." : "If not, tell them another way."
    return [
      el("p", { class: "todo" }, `Look in Quo, at ${Format.phone(one.to_number)}, for a text of about ${Format.time(one.created_at)}. If it is there, they have it. ${not}`),
      el(
        "div",
        { class: "side-acts" },
        act(one, "They have it", () => APIClient.post("/mark-message-sent", { id: one.id }), "Noted: they have it."),
        one.task_id && act(one, "Send again", () => APIClient.post("/retry-task", { task_id: one.task_id }), "It is looked for once more, then sent."),
      ),
      refusal && Dom.problem(refusal),
    ]
  }

  function act(one, label, ask, done) {
    async function run() {
      if (underWay.has(one.id)) return
      underWay.add(one.id)
      refusals.delete(one.id)
      drawReminders()
      try {
        await ask()
        Dom.announce(done)
        await read()
      } catch (error) {
        if (!(error instanceof APIError)) throw error
        refusals.set(one.id, error)
        if (error.status === 404 || error.status === 409) await read() // somebody else has seen to it
      } finally {
        underWay.delete(one.id)
        drawReminders()
      }
    }
    return el(
      "button",
      {
        type: "button",
        class: "btn btn-sm btn-soft",
        "data-focus": `${one.id} ${label}`,
        "aria-disabled": underWay.has(one.id) ? "true" : null,
        "aria-label": `${label}: ${one.kind} to ${one.recipient ?? "somebody"}`,
        onclick: run,
      },
      label,
    )
  }

  function next(reminder) {
    const due = Date.parse(reminder.goes_at) <= Date.now()
    return el(
      "li",
      {},
      el("span", { class: "figure" }, due ? "due" : Format.time(reminder.goes_at)),
      el(
        "span",
        {},
        reminder.recipient,
        reminder.audience === "driver" && el("span", { class: "quiet" }, " (driver)"),
        el("span", { class: "quiet" }, ` trip of ${Format.dateTime(reminder.for_time)}${reminder.has_number ? "" : " · no telephone number"}`),
      ),
    )
  }

  return Object.freeze({ init })
})()
