"use strict"

/**
 * Drivers' and clients' own trips on their dashboard. A driver gets today's with whom to fetch, where, and how to ring them, then the days ahead;
 * a client when they are fetched, and by whom. Read again when one of them is heard of or is theirs no more, and every two minutes.
 */
const OwnTrips = (() => {
  const { el, fill, icon, byId } = Dom
  const POLL_MS = 120_000
  const DAYS_AHEAD = 7
  let isStarted = false
  let drives = false
  let asking = new AbortController()

  /** Fills #ownTrips. @param {boolean} isDriver */
  function init(isDriver) {
    drives = isDriver
    byId("ownTripsCard").hidden = false
    byId("ownTripsTitle").textContent = drives ? "Your day" : "Your next trips"
    read()
    if (isStarted) return
    isStarted = true
    TripNews.follow({ read })
    setInterval(() => !document.hidden && read(), POLL_MS)
  }

  async function read() {
    if (!JWTManager.isAuthenticated()) return
    asking.abort()
    asking = new AbortController()
    const { signal } = asking
    try {
      const { appointments } = await APIClient.get("/get-active-present-future-appointments", { signal })
      if (signal.aborted) return
      KeepFocus.byName(byId("ownTrips"), () => fill(byId("ownTrips"), drives ? driversDays(appointments) : clientsTrips(appointments)))
    } catch (error) {
      if (signal.aborted) return
      const again = el("button", { type: "button", class: "btn btn-sm btn-soft", onclick: read }, "Try again")
      if (byId("ownTrips").querySelector(".loading")) fill(byId("ownTrips"))
      byId("ownTrips").querySelector(".problem")?.remove()
      byId("ownTrips").prepend(Dom.problem(error, again))
    }
  }

  // ── Of a driver ──

  function driversDays(trips) {
    const today = WallTime.today()
    const days = Array.from({ length: DAYS_AHEAD - 1 }, (_, at) => WallTime.plus(today, at + 1))
    const of = (day) => trips.filter((trip) => WallTime.day(trip.pickuptime) === day)
    const ahead = days.map((day) => ({ day, trips: of(day) })).filter((one) => one.trips.length > 0)
    const over = of(today).filter(isOver)
    const left = of(today).filter((trip) => !isOver(trip))
    return [
      over.length > 0 &&
        el(
          "details",
          { class: "own-day", open: isOpen("over"), "data-day": "over" },
          el("summary", { "data-focus": "over" }, `Over: ${Format.count(over.length, "trip")}`),
          list(over),
        ),
      left.length > 0 ? list(left) : nothing(over.length > 0 ? "Nothing more today" : "No trips today"),
      el("h3", {}, "The days ahead"),
      ahead.length === 0 && el("p", { class: "quiet" }, "Nothing in the coming week."),
      ahead.map(({ day, trips: some }) =>
        el(
          "details",
          { class: "own-day", open: isOpen(day, day === WallTime.plus(today, 1)), "data-day": day },
          el(
            "summary",
            { "data-focus": day },
            WallTime.short(day),
            el("span", { class: "quiet" }, ` ${Format.count(some.length, "trip")}, from ${Format.time(some[0].pickuptime)}`),
          ),
          list(some),
        ),
      ),
    ]
  }

  /** As it was left when it was last drawn. */
  function isOpen(day, usually = false) {
    return byId("ownTrips").querySelector(`[data-day="${day}"]`)?.open ?? usually
  }

  function isOver(trip) {
    return trip.operation_status === "completed" || Date.parse(trip.drop_off_time) <= Date.now()
  }

  function list(trips) {
    return el("ol", { class: "own-trips" }, trips.map(stop))
  }

  function stop(trip) {
    const home = trip.trip_direction === "to_home"
    const clinic = [trip.locationname, trip.locationaddress].filter(Boolean).join(", ")
    const from = trip.appointment_type === "support" ? clinic : home ? clinic : trip.pickup_address
    const to = trip.appointment_type === "support" ? "" : home ? trip.pickup_address : clinic
    return el(
      "li",
      { "data-over": isOver(trip) },
      el(
        "p",
        { class: "own-time" },
        el("strong", { class: "figure" }, Format.time(trip.pickuptime)),
        el("span", { class: "quiet" }, `until ${Format.time(trip.drop_off_time)}`),
        isOver(trip) && el("span", { class: "chip", "data-state": "done" }, "Over"),
      ),
      el(
        "p",
        { class: "own-who" },
        el("span", {}, trip.client_name ?? trip.event_name),
        trip.client_phone && call(trip),
      ),
      from && place("Fetch at", from, `from-${trip.id}`),
      to && place(`Be there at ${Format.time(trip.appointmenttime)}`, to, `to-${trip.id}`),
      trip.driver_instructions && el("p", { class: "own-note" }, icon("chat-left-text"), el("span", {}, trip.driver_instructions)),
    )
  }

  function call({ id, client_phone: phone, client_name: name }) {
    return el(
      "a",
      { class: "btn btn-sm btn-soft", href: `tel:${phone}`, "data-focus": `call-${id}` },
      icon("telephone"),
      el("span", {}, Format.phone(phone)),
      el("span", { class: "visually-hidden" }, ` rings ${name ?? "them"}`),
    )
  }

  function place(label, address, key) {
    const map = `https://www.google.com/maps/search/?api=1&query=${encodeURIComponent(address)}`
    return el(
      "p",
      { class: "own-place" },
      el("span", { class: "quiet" }, label),
      el(
        "a",
        { href: map, target: "_blank", rel: "noopener noreferrer", "data-focus": key },
        icon("geo-alt"),
        el("span", {}, address),
        el("span", { class: "visually-hidden" }, " (map, in a new tab)"),
      ),
    )
  }

  // ── Of a client ──

  function clientsTrips(trips) {
    const ahead = trips.filter((trip) => Date.parse(trip.drop_off_time) > Date.now())
    if (ahead.length === 0) return nothing("No trips ahead", "When the office has booked one, it is shown here.")
    return el(
      "ol",
      { class: "own-trips" },
      ahead.map((trip) =>
        el(
          "li",
          {},
          el("p", { class: "own-date" }, WallTime.title(WallTime.day(trip.pickuptime))),
          el(
            "p",
            { class: "own-time" },
            el("strong", { class: "figure" }, Format.time(trip.pickuptime)),
            el("span", { class: "quiet" }, "pickup"),
          ),
          el("p", { class: "own-who" }, trip.driver_first_name ? `${trip.driver_first_name} drives you` : "The driver is not chosen yet"),
          el("p", { class: "quiet" }, [trip.locationname, `there at ${Format.time(trip.appointmenttime)}`].filter(Boolean).join(", ")),
        ),
      ),
    )
  }

  function nothing(words, more = "") {
    return el("div", { class: "empty" }, icon("calendar-event"), el("p", {}, words), more && el("p", { class: "quiet" }, more))
  }

  return Object.freeze({ init })
})()
