"use strict"

/**
 * One driver in full: how they stand, their week and its trips, time off, and the history of the work done in the background.
 */
const DriverCard = (() => {
  const { el, icon, byId } = Dom
  const LOOKS = Object.freeze({ pending: "waiting", assigned: "working", completed: "done", cancelled: "failed" })
  const card = RecordCard.make({
    place: "driverCard",
    what: "the driver",
    read,
    draw,
    acts,
    named: ({ driver }) => driver.name,
    onClose: () => on.close(),
  })
  const { hide, hear, catchUp } = card
  /** A day of the week that is shown; null: this one. @type {string|null} */
  let day = null
  let on = { close: () => {}, changed: () => {} }

  /** @param {{close: () => void, changed: () => void}} options changed: something was saved here that the list shows too */
  function init(options) {
    on = options
    TimeOffForm.init({ onSaved: (answer) => done(answer) })
  }

  /** See record-card.js; this week's. */
  function show(id, options) {
    day = null
    return card.show(id, options)
  }

  /** What was just saved of it, in the server's words; and the record is read again. */
  function saved(answer) {
    return card.saved(SavedNote.of(answer), "edit")
  }

  async function read(id) {
    const query = new URLSearchParams({ driver_id: id, ...(day && { day }) })
    return (await APIClient.get(`/get-driver-schedule?${query}`)).data
  }

  // ── Drawing ──

  function acts({ driver }) {
    if (!hasFeaturePermission("canManageDrivers")) return null
    return el("button", { type: "button", class: "btn btn-sm btn-soft", "data-focus": "edit", onclick: () => DriverForm.edit(driver) }, "Edit")
  }

  function draw(data, note) {
    const { driver, tasks } = data
    const failing = tasks.some(OpenFailures.isOpen)
    return [
      [el("h2", {}, driver.name), el("p", {}, DriverState.chip(driver))],
      el("div", { role: "status" }, note && SavedNote.build(note, { onUndone: done, said: toGive })),
      driver.home_found === "approximate" &&
        el("p", { class: "notice" }, icon("geo-alt"), el("span", {}, "Home found only approximately — check the address")),
      DriverRecord.build(data, hear),
      failing && history(data), // what needs a person comes first
      week(data),
      TimeOff.build(driver, data.time_off, { onDone: done }),
      trips(data.trips),
      !failing && history(data),
      Changes.build(data.changes, "driver", driver.id),
    ]
  }

  function week({ driver, time_off: off }) {
    const [monday, sunday] = [driver.week[0]?.day, driver.week[6]?.day]
    if (!monday) return null
    const { kept, driven, trips } = DriverWeek.sum(driver.week)
    const now = monday <= DriverWeek.today() && DriverWeek.today() <= sunday
    const said = `${DriverWeek.hours(driven)} booked of ${DriverWeek.hours(kept)} kept, ${Format.count(trips, "trip")}`
    return el(
      "section",
      { "aria-labelledby": "weekHeading" },
      el(
        "div",
        { class: "section-head" },
        el("h3", { id: "weekHeading" }, now ? "This week" : `${DriverWeek.day(monday)} – ${DriverWeek.day(sunday)}`),
        el(
          "div",
          { class: "week-steps" },
          step("chevron-left", "week-before", "The week before", DriverWeek.later(monday, -7)),
          !now && step(null, "week-now", "This week", null),
          step("chevron-right", "week-after", "The week after", DriverWeek.later(monday, 7)),
        ),
      ),
      el("p", { class: "quiet small" }, said),
      DriverWeek.table(driver.week, off),
    )
  }

  function step(name, key, label, to) {
    const go = async () => {
      day = to
      await card.read()
      Dom.announce(byId("weekHeading").textContent)
    }
    const looks = name ? { class: "icon-button", "aria-label": label, title: label } : { class: "btn btn-sm btn-quiet" }
    return el("button", { type: "button", "data-focus": key, onclick: go, ...looks }, name ? icon(name) : label)
  }

  /** What is still to be driven that week; what is over is a click away. */
  function trips(all) {
    const over = all.filter((trip) => Date.parse(trip.drop_off_time) <= Date.now())
    const ahead = all.filter((trip) => !over.includes(trip))
    return el(
      "section",
      { "aria-labelledby": "tripsHeading" },
      el("h3", { id: "tripsHeading" }, "Trips that week", all.length > 0 && el("span", { class: "quiet" }, ` ${ahead.length} ahead`)),
      all.length === 0 && el("p", { class: "quiet" }, "None."),
      ahead.length > 0 && el("ol", { class: "history" }, ahead.map(tripItem)),
      over.length > 0 &&
        el("details", { class: "more" }, el("summary", {}, `${over.length} that are over`), el("ol", { class: "history" }, over.map(tripItem))),
    )
  }

  function tripItem(trip) {
    const who = trip.client_name ?? trip.event_name
    const name = hasPageAccess("appointments") ? el("a", { href: `appointments.html?id=${encodeURIComponent(trip.id)}` }, who) : el("strong", {}, who)
    return el(
      "li",
      {},
      el(
        "p",
        { class: "history-head" },
        el("strong", { class: "figure" }, `${Format.dateTime(trip.pickuptime)}–${Format.time(trip.drop_off_time)}`),
        trip.operation_status !== "assigned" &&
          el("span", { class: "chip", "data-state": LOOKS[trip.operation_status] }, el("span", { class: "chip-state" }, trip.operation_status)),
      ),
      el("p", {}, name, el("span", { class: "quiet" }, ` · ${trip.locationname ?? trip.locationaddress ?? "place not given"}`)),
    )
  }

  function history({ driver, tasks }) {
    return TaskHistory.build(tasks, {
      onRetried: hear,
      correct: (task) =>
        task.task_type === "calculate_driver_drive_times" && ["maps.not_found", "maps.no_address"].includes(task.error_code)
          ? { label: "Correct the address", act: () => DriverForm.edit(driver, { at: "home_address" }) }
          : null,
    })
  }

  // ── After something was done ──

  function toGive(trips) {
    return `${Format.count(trips, "trip needs", "trips need")} another driver:`
  }

  async function done(answer, undo = undefined) {
    if (!card.shows(answer.driver_id)) return
    await card.saved(SavedNote.of(answer, undo))
    on.changed()
    const place = byId("driverCard")
    place.querySelector(undo ? "[data-focus=undo]" : "[data-focus=add-off]")?.focus({ preventScroll: true })
    place.querySelector("[role=status]")?.scrollIntoView({ block: "nearest" })
  }

  return Object.freeze({ init, show, saved, hide, hear, catchUp })
})()
