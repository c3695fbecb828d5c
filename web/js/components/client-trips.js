"use strict"

/**
 * One client's trips: those to come, soonest first, then those that were.
 */
const ClientTrips = (() => {
  const { el } = Dom
  const FEW = 5
  const LOOKS = Object.freeze({ pending: "waiting", assigned: "working", completed: "done", cancelled: "failed" })

  /** @param {any[]} trips as get-client answers them */
  function build(trips, all = false) {
    const ahead = trips.filter((trip) => Date.parse(trip.appointmenttime) >= Date.now())
    const shown = all ? trips : trips.slice(0, FEW)
    const section = el(
      "section",
      { "aria-labelledby": "clientTripsTitle" },
      el(
        "h3",
        { id: "clientTripsTitle" },
        "Trips",
        trips.length > 0 && el("span", { class: "quiet" }, ` ${ahead.length === 0 ? "none ahead" : `${ahead.length} ahead`}`),
      ),
      trips.length === 0 ? el("p", { class: "quiet" }, "None yet.") : el("ol", { class: "history trips" }, shown.map(tripItem)),
      shown.length < trips.length &&
        el(
          "button",
          {
            type: "button",
            class: "btn btn-sm btn-quiet",
            onclick: () => {
              const whole = build(trips, true)
              section.replaceWith(whole)
              whole.querySelectorAll("li")[shown.length].focus()
            },
          },
          `Show all ${trips.length}`,
        ),
    )
    return section
  }

  function tripItem(trip) {
    const where = trip.locationname || trip.event_name || "Place not given"
    const way = { to_clinic: "one way there", to_home: "one way home" }[trip.trip_direction]
    return el(
      "li",
      { tabindex: -1 },
      el(
        "p",
        { class: "history-head" },
        el(
          "a",
          { href: `appointments.html?id=${encodeURIComponent(trip.id)}&highlight=true`, class: "with-icon", "data-focus": `trip-${trip.id}` },
          el("strong", {}, Format.dateTime(trip.appointmenttime)),
        ),
        el(
          "span",
          { class: "chip", "data-state": LOOKS[trip.operation_status] ?? "waiting" },
          el("span", { class: "chip-state" }, trip.operation_status),
        ),
      ),
      el("p", {}, [where, way].filter(Boolean).join(" · ")),
      el(
        "p",
        { class: "quiet small" },
        `Pickup ${Format.time(trip.pickuptime)}, back ${Format.time(trip.drop_off_time)} · ${trip.driver_name ?? "no driver yet"}`,
      ),
    )
  }

  return Object.freeze({ build })
})()
