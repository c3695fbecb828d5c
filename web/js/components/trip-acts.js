"use strict"

/**
 * What can be done with a trip as it stands: edit, book again, cancel, archive, mark as driven, and back. Each act tells the page what was done:
 * {message, warnings, undo, gone}; undo: a way back to be offered; gone: the trip is on no list any more.
 */
const TripActs = (() => {
  const { el, icon, fill } = Dom
  const REASONS = Object.freeze(["Client cancelled", "Clinic cancelled", "Weather", "Client is ill"])

  /** @param {any} trip as get-appointment answers it @param {(done: any) => void} onDone */
  function build(trip, onDone) {
    const place = el("div", { class: "trip-act-problem" })
    const acts = offered(trip).map(({ key, name, look = "btn-quiet", label, act, opens = false }) => {
      const button = el(
        "button",
        { type: "button", class: `btn btn-sm ${look}`, "data-focus": key, "data-action": key, "aria-haspopup": opens ? "dialog" : null, onclick: run },
        icon(name),
        label,
      )
      async function run() {
        if (button.getAttribute("aria-disabled") === "true") return
        button.setAttribute("aria-disabled", "true")
        fill(place)
        try {
          const done = await act(trip)
          if (done) onDone(done)
        } catch (error) {
          fill(place, Dom.problem(error, ...wayOut(error, trip, onDone, place)))
        } finally {
          button.removeAttribute("aria-disabled")
        }
      }
      return button
    })
    return el("div", { class: "trip-acts" }, el("div", { class: "history-acts" }, acts), place)
  }

  /** Only what the server would let this person do with a trip in this state. */
  function offered(trip) {
    const leads = hasFeaturePermission("canAssignDrivers")
    const sets = hasFeaturePermission("canSetTripStatus")
    const state = TripWords.state(trip)
    const begun = Date.parse(trip.pickuptime) <= Date.now()
    return [
      state !== "archived" && { key: "edit", name: "pencil", label: "Edit", look: "btn-primary", opens: true, act: edit },
      state === "assigned" && sets && begun && { key: "complete", name: "check-lg", label: "Mark as driven", look: "btn-soft", act: complete },
      { key: "again", name: "copy", label: "Again next week", look: "btn-soft", opens: true, act: againNextWeek },
      trip.trip_direction === "to_clinic" && { key: "return", name: "arrow-counterclockwise", label: "Book the way home", look: "btn-soft", opens: true, act: wayHome },
      state === "completed" && sets && { key: "reopen", name: "arrow-counterclockwise", label: "Reopen", act: reopen },
      state === "cancelled" && leads && { key: "reactivate", name: "arrow-counterclockwise", label: "Reactivate", look: "btn-soft", act: reactivate },
      state === "assigned" && { key: "cancel", name: "calendar-x", label: "Cancel trip", opens: true, act: cancel },
      state === "pending" && { key: "archive", name: "archive", label: "Archive", act: archive },
      state === "archived" && leads && { key: "restore", name: "arrow-counterclockwise", label: "Restore", look: "btn-primary", act: restore },
      hasFeaturePermission("canHardDeleteAppointments") && { key: "delete", name: "trash", label: "Delete", opens: true, act: remove },
    ].filter((one) => one !== false)
  }

  // ── Into the form ──

  async function edit(trip) {
    await TripForm.edit(trip)
  }

  async function againNextWeek(trip) {
    const day = WallTime.plus(WallTime.day(trip.appointmenttime), 7)
    await TripForm.open(TripFields.copy(trip), [{ day, clock: WallTime.clock(trip.appointmenttime) }])
  }

  /** Home from where the client was taken, when the stay is over. */
  async function wayHome(trip) {
    const ends = Date.parse(trip.appointmenttime) + trip.this_appointment_length * 60_000
    const when = [{ day: WallTime.day(ends), clock: WallTime.clock(ends) }]
    await TripForm.open({ ...TripFields.copy(trip), appointment_type: "one_way", trip_direction: "to_home" }, when)
  }

  // ── At once ──

  async function complete(trip) {
    return told(await change(trip, { status: "completed" }), "Marked as driven.", () => changeNow(trip.id, { status: "assigned" }))
  }

  async function reopen(trip) {
    return told(await change(trip, { status: "assigned" }), "Open again.", () => changeNow(trip.id, { status: "completed" }))
  }

  async function reactivate(trip) {
    return told(await change(trip, { status: "assigned" }), `On again, with ${trip.driver_name}.`)
  }

  async function archive(trip) {
    const answer = await APIClient.post("/soft-delete-appointment", { id: trip.id })
    const undo = hasFeaturePermission("canAssignDrivers") ? () => APIClient.post("/unarchive-appointment", { id: trip.id }) : null
    return told(answer, "Archived: it is on the lists no more.", undo)
  }

  async function restore(trip) {
    return told(await APIClient.post("/unarchive-appointment", { id: trip.id }), "Out of the archive again.")
  }

  async function remove(trip) {
    const answer = await ConfirmDialog.ask({
      title: "Delete this trip for good?",
      says: [
        `${TripWords.who(trip)}, ${Format.dateTime(trip.appointmenttime)}.`,
        "It goes from every list and calendar and cannot be restored. To take it off the lists only, archive it.",
      ],
      action: "Delete for good",
      danger: true,
      act: () => APIClient.post("/delete-appointment", { id: trip.id }),
    })
    return answer && { ...told(answer, "Deleted for good."), gone: true }
  }

  async function cancel(trip) {
    const answer = await CancelDialog.ask(trip, REASONS)
    return answer && told(answer, "Cancelled.")
  }

  function change(trip, fields) {
    return APIClient.post("/update-appointment", { id: trip.id, version: trip.version, ...fields })
  }

  /** A way back is for what was just done, by whoever did it: it names no version. */
  function changeNow(id, fields) {
    return APIClient.post("/update-appointment", { id, ...fields })
  }

  /** @param {(() => Promise<any>)|null} undo */
  function told(answer, message, undo = null) {
    return { message, warnings: answer.warnings ?? [], undo }
  }

  /** A trip whose driver is busy by now can still be taken up again without one. */
  function wayOut(error, trip, onDone, place) {
    if (trip.operation_status !== "cancelled" || error.status !== 409 || error.code === "stale") return []
    const without = async () => {
      try {
        onDone(told(await change(trip, { status: "pending", driver_assigned: null }), "On again, without a driver."))
      } catch (again) {
        fill(place, Dom.problem(again))
      }
    }
    return [el("button", { type: "button", class: "btn btn-sm btn-soft", onclick: without }, "Reactivate without a driver")]
  }

  return Object.freeze({ build })
})()
