"use strict"

/**
 * One trip in full: when and where, who, what was texted, what calendars show, and the work done for it in the background.
 */
const TripCard = (() => {
  const { el, icon } = Dom
  const KINDS = Object.freeze({
    booked: "booked",
    changed: "changed",
    cancelled: "cancelled",
    assigned: "new trip",
    unassigned: "no longer theirs",
    reminder: "reminder",
  })
  const SENT = Object.freeze({
    sent: ["done", "check-lg", "sent"],
    refused: ["failed", "exclamation-circle", "not sent"],
    unknown: ["again", "question-circle", "may have been sent"],
    intended: ["waiting", "clock", "waiting"],
  })

  const card = RecordCard.make({
    place: "tripCard",
    what: "the trip",
    read: readTrip,
    draw,
    named: ({ trip }) => (trip.client_id ? trip.knumber : "Support event"), // not the name: it would stay in the browser's history
    onClose: () => onClose(),
    keepsOffline: true,
  })
  const { hide, hear, read } = card
  let onClose = () => {}
  let onDone = (_done) => {}

  /**
   * See record-card.js.
   * @param {string} id
   * @param {{highlight?: boolean, focus?: boolean, onClose: () => void, onDone: (done: any) => void}} options onDone: something was done with it, see
   *   trip-acts.js
   */
  function show(id, { onClose: closed, onDone: done, ...options }) {
    ;[onClose, onDone] = [closed, done]
    return card.show(id, options)
  }

  async function readTrip(id) {
    const answer = await APIClient.get(`/get-appointment?id=${encodeURIComponent(id)}`)
    return { ...answer, trip: answer.appointment }
  }

  // ── Drawing ──

  function draw({ trip, tasks, messages, calendars: places, changes }) {
    const failed = tasks.some(OpenFailures.isOpen)
    const work = TaskHistory.build(tasks, { onRetried: hear })
    return [
      heading(trip),
      TripActs.build(trip, (done) => onDone(done)),
      times(trip),
      trip.operation_status === "cancelled" && stamp("x-circle", "Cancelled", trip.cancelled_at, trip.cancelled_by_name, trip.cancellation_reason),
      trip.deleted_at && stamp("archive", "Archived", trip.deleted_at, trip.deleted_by_name),
      record(trip),
      failed && work, // what needs a person comes first
      texts(messages, trip),
      calendars(places, trip),
      !failed && work,
      Changes.build(changes, "appointment", trip.id),
    ]
  }

  function heading(trip) {
    const name = TripWords.who(trip)
    return [
      el("h2", {}, trip.client_id ? el("a", { href: `clients.html?id=${encodeURIComponent(trip.client_id)}`, class: "plain" }, name) : name),
      el(
        "p",
        { class: "trip-title" },
        trip.client_id && el("span", { class: "k-number" }, trip.knumber),
        TripWords.chip(trip),
        TripWords.invoiceChip(trip),
      ),
    ]
  }

  /** Pickup, appointment and drop-off in a row, by the office's clocks. */
  function times(trip) {
    const day = WallTime.day(trip.appointmenttime)
    const place = (moment) => (WallTime.day(moment) === day ? Format.time(moment) : `${Format.time(moment)}, ${WallTime.short(WallTime.day(moment))}`)
    const steps = [
      ["Pickup", trip.pickuptime],
      ["Appointment", trip.appointmenttime],
      [trip.trip_direction === "to_clinic" ? "There" : trip.appointment_type === "support" ? "Over" : "Home", trip.drop_off_time],
    ]
    return el(
      "div",
      { class: "trip-times" },
      el("p", {}, el("strong", {}, WallTime.title(day)), TripWords.kind(trip) && el("span", { class: "quiet" }, ` · ${TripWords.kind(trip)}`)),
      el(
        "ol",
        {},
        steps.map(([name, moment]) => el("li", {}, el("span", { class: "quiet small" }, name), el("strong", { class: "figure" }, place(moment)))),
      ),
    )
  }

  function stamp(name, what, when, who, why = null) {
    return el(
      "p",
      { class: "notice" },
      icon(name),
      el("span", {}, `${what} ${Format.dateTime(when)}${who ? ` by ${who}` : ""}`, why && `: ${why}`),
    )
  }

  function record(trip) {
    const phone = (number) => number && el("a", { href: `tel:${number}` }, Format.phone(number))
    const costs = hasFeaturePermission("canViewCosts")
    const driver = trip.driver_name && [trip.driver_name, trip.driver_phone && [" · ", phone(trip.driver_phone)]]
    const invoice = trip.invoice_number ? `${trip.invoice_number} (${TripWords.INVOICE[trip.invoice_status].toLowerCase()})` : null
    const rows = [
      ["To", [trip.locationname, address(trip.locationaddress)].filter(Boolean).join("\n")],
      ["From", address(trip.pickup_from)],
      ["Client’s phone", phone(trip.client_phone)],
      ["Driver", driver ?? (TripWords.state(trip) === "pending" && el("span", { class: "quiet" }, "not yet"))],
      ["Prefers", trip.preferred_driver_name],
      ["Takes", takes(trip)],
      ["For the driver", trip.driver_instructions],
      ["Notes", trip.notes],
      ["Scheduling", trip.scheduling_notes],
      ["Managed by", trip.managed_by_name],
      ["Rate", costs && (trip.custom_rate === null ? el("span", { class: "quiet" }, "the office’s usual") : `$${trip.custom_rate}`)],
      ["Invoice", costs && invoice],
    ]
    return RecordCard.facts(rows)
  }

  /** With a postal code that is not torn in two. */
  function address(line) {
    return line?.replace(/\b([A-Z]\d[A-Z]) (\d[A-Z]\d)\b/, "$1\u00a0$2")
  }

  function takes({ appointment_type: type, transittime: drive, this_appointment_length: stay }) {
    if (type === "support") return Format.minutes(stay)
    return type === "one_way" ? `${Format.minutes(drive)} of driving` : `${Format.minutes(drive)} each way, ${Format.minutes(stay)} there`
  }

  function texts(messages, trip) {
    const nobody = trip.appointment_type === "support" ? "None: a support event has nobody to text." : "None yet."
    return el(
      "section",
      { "aria-labelledby": "textsTitle" },
      el("h3", { id: "textsTitle" }, "Texts"),
      messages.length === 0 ? el("p", { class: "quiet" }, nobody) : el("ol", { class: "history" }, messages.map(textItem)),
    )
  }

  function textItem(message) {
    const [look, name, word] = SENT[message.state]
    return el(
      "li",
      {},
      el(
        "p",
        { class: "history-head" },
        el("span", { class: "chip", "data-state": look }, icon(name), el("span", { class: "chip-state" }, word)),
        Dom.ago(message.updated_at),
      ),
      el("p", {}, `${message.recipient_name ?? Format.role(message.audience)}: ${KINDS[message.kind] ?? message.kind}`),
      message.error && el("p", { class: "task-item-error" }, message.error),
    )
  }

  function calendars(places, trip) {
    if (places.length === 0 && !trip.driver_assigned) return null
    return el(
      "section",
      { "aria-labelledby": "calendarTitle" },
      el("h3", { id: "calendarTitle" }, "Calendar"),
      places.length === 0
        ? el("p", { class: "quiet" }, trip.driver_has_calendar ? "Not there yet." : `In no calendar: none is set for ${trip.driver_name}.`)
        : el("ol", { class: "history" }, places.map((one) => calendarItem(one, trip))),
    )
  }

  function calendarItem(place, trip) {
    const theirs = place.driver_id === trip.driver_assigned && !trip.deleted_at
    const said = place.synced_at ? (theirs ? "in the calendar" : "still to be taken out") : theirs ? "being written" : "still to be taken out"
    return el(
      "li",
      {},
      el("p", { class: "history-head" }, icon("calendar-event"), el("span", {}, `${place.driver_name}: ${said}`), place.synced_at && Dom.ago(place.synced_at)),
      place.error && el("p", { class: "task-item-error" }, place.error),
    )
  }

  return Object.freeze({ show, hide, hear, read })
})()
