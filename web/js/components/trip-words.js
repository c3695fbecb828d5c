"use strict"

/**
 * What a trip is called, and how its state looks: the same in list, week and card. No state is told by colour alone.
 */
const TripWords = (() => {
  const { el, icon } = Dom
  const STATES = Object.freeze({
    pending: { label: "No driver", icon: "hourglass-split" },
    assigned: { label: "Assigned", icon: "person-check" },
    completed: { label: "Driven", icon: "check-lg" },
    cancelled: { label: "Cancelled", icon: "x-circle" },
    archived: { label: "Archived", icon: "archive" },
  })
  const INVOICE = Object.freeze({
    not_ready: "Not ready",
    ready: "To invoice",
    created: "Invoiced",
    sent: "Invoice sent",
    paid: "Paid",
  })

  /** @returns {"pending"|"assigned"|"completed"|"cancelled"|"archived"} */
  function state(trip) {
    return trip.deleted_at ? "archived" : trip.operation_status
  }

  function chip(trip) {
    const now = state(trip)
    return el(
      "span",
      { class: "chip", "data-trip": now },
      icon(STATES[now].icon),
      el("span", { class: "chip-state" }, STATES[now].label),
    )
  }

  function stateIcon(trip) {
    return icon(STATES[state(trip)].icon)
  }

  function stateLabel(trip) {
    return STATES[state(trip)].label
  }

  /** Null while it is no matter for an invoice, and for who may not see it. */
  function invoiceChip(trip) {
    if (!hasFeaturePermission("canViewCosts") || trip.invoice_status === "not_ready") return null
    return el("span", { class: "chip", "data-invoice": trip.invoice_status }, icon("receipt"), el("span", {}, INVOICE[trip.invoice_status]))
  }

  /** "Jane Roe", or what a support trip is for. */
  function who(trip) {
    return trip.client_name || trip.event_name || "(no name)"
  }

  /** Null for the usual: there and back. */
  function kind(trip) {
    if (trip.appointment_type === "support") return "Support event"
    return { to_clinic: "One way there", to_home: "One way home" }[trip.trip_direction] ?? null
  }

  function where(trip) {
    return trip.locationname || "Place not given"
  }

  /** "08:45–11:15". */
  function span(trip) {
    return `${Format.time(trip.pickuptime)}–${Format.time(trip.drop_off_time)}`
  }

  /** Everything that a block of the calendar stands for, in one sentence. */
  function sentence(trip) {
    const driver = trip.driver_name ? `driven by ${trip.driver_name}` : ""
    return [span(trip), who(trip), where(trip), stateLabel(trip).toLowerCase(), driver].filter(Boolean).join(", ")
  }

  /** What was just booked. @param {string[]} moments */
  function booked(moments) {
    const times = moments.map((at) => `${WallTime.short(WallTime.day(at))}, ${Format.time(at)}`)
    if (times.length === 1) return `Booked for ${times[0]}.`
    return `${times.length} trips booked: ${times.slice(0, 6).join("; ")}${times.length > 6 ? " …" : ""}.`
  }

  return Object.freeze({ booked, STATES, INVOICE, state, chip, stateIcon, stateLabel, invoiceChip, who, kind, where, span, sentence })
})()
