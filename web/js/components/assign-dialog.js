"use strict"

/**
 * "Assign to…": one trip, and every driver there is for it: free ones first, then the shorter drive, with what speaks against each other one.
 * Arrow keys go through the list, Enter chooses.
 */
const AssignDialog = (() => {
  const { el, fill, icon } = Dom
  /** @type {{dialog: HTMLDialogElement, list: HTMLElement, tripId: string, onChoose: (driverId: string|null) => void}|null} */
  let open = null

  /**
   * @param {any} board @param {any} trip
   * @param {{onChoose: (driverId: string|null) => void, onClose: () => void}} answers null takes the driver off
   */
  function show(board, trip, { onChoose, onClose }) {
    const number = trip.client_name && trip.knumber
    const title = el("h2", { id: Dom.uid("assign") }, BoardDay.who(trip), number && el("span", { class: "quiet" }, ` ${number}`))
    const list = el("div", { class: "assign-drivers", onkeydown: arrows })
    const dialog = /** @type {HTMLDialogElement} */ (
      el(
        "dialog",
        { class: "form-dialog assign-dialog", "aria-labelledby": title.id },
        el(
          "div",
          { class: "assign" },
          el(
            "header",
            { class: "dialog-head" },
            title,
            el("button", { type: "button", class: "icon-button", "aria-label": "Close", onclick: () => dialog.close() }, icon("x-lg")),
          ),
          el("div", { class: "dialog-body" }, facts(trip), list),
          el("footer", { class: "dialog-foot" }, foot(trip)),
        ),
      )
    )
    dialog.addEventListener("close", () => {
      open = null
      dialog.remove()
      onClose()
    })
    open = { dialog, list, tripId: trip.id, onChoose }
    document.querySelector("main")?.append(dialog)
    refresh(board)
    dialog.showModal()
    ;(list.querySelector("button") ?? dialog.querySelector(".dialog-head button"))?.focus()
  }

  /** The list again, by what is known now; the focus stays at its driver. */
  function refresh(board) {
    const trip = open && board.trips.find((one) => one.id === open?.tripId)
    if (!open || !trip) return
    const { list } = open
    const focused = document.activeElement?.getAttribute("data-choose")
    const driven = "This trip was driven. Who drove it is changed on its own page."
    fill(list, BoardDay.isMovable(trip) ? drivers(board, trip) : el("p", { class: "quiet" }, driven))
    if (focused) (list.querySelector(`[data-choose="${CSS.escape(focused)}"]`) ?? list.querySelector("button"))?.focus()
  }

  function choose(driverId) {
    const was = open
    was?.dialog.close()
    was?.onChoose(driverId)
  }

  // ── What is shown ──

  function facts(trip) {
    const rows = [
      ["Pickup", Format.time(trip.pickuptime), trip.pickup_from],
      ["There", Format.time(trip.appointmenttime), [BoardDay.where(trip), trip.locationaddress].filter(Boolean).join(", ")],
      ["Back", Format.time(trip.drop_off_time), ""],
    ]
    const notes = [trip.scheduling_notes, trip.driver_instructions && `For the driver: ${trip.driver_instructions}`].filter(Boolean)
    return [
      el(
        "dl",
        { class: "assign-facts" },
        rows.map(([name, time, place]) =>
          el("div", {}, el("dt", {}, name), el("dd", {}, el("strong", { class: "figure" }, time), place && ` ${place}`)),
        ),
      ),
      notes.length > 0 && el("p", { class: "assign-note" }, icon("chat-left-text"), el("span", {}, notes.join(" · "))),
    ]
  }

  function drivers(board, trip) {
    const ranked = BoardDay.ranked(board, trip)
    const can = ranked.filter(({ verdict }) => verdict.state !== "busy")
    const cannot = ranked.filter(({ verdict }) => verdict.state === "busy")
    return [
      el("h3", {}, "Assign to"),
      can.length === 0 && el("p", { class: "quiet" }, "Nobody is free at this time."),
      el(
        "ul",
        {},
        can.map((one) => el("li", {}, choice(one, trip))),
      ),
      cannot.length > 0 && el("h3", {}, "Not free"),
      el(
        "ul",
        {},
        cannot.map((one) => el("li", { class: "assign-busy" }, words(one, trip))),
      ),
    ]
  }

  function choice(one, trip) {
    const { driver, verdict } = one
    const has = driver.id === trip.driver_assigned
    return el(
      "button",
      {
        type: "button",
        class: "assign-choice",
        "data-choose": driver.id,
        "data-state": verdict.state,
        "aria-current": has ? "true" : null,
        onclick: () => (has ? open?.dialog.close() : choose(driver.id)),
      },
      words(one, trip),
    )
  }

  function words({ driver, verdict }, trip) {
    const has = driver.id === trip.driver_assigned
    const says = [has && "Has it now", verdict.wished && "The client's wish", ...verdict.reasons].filter(Boolean)
    return [
      icon(verdict.state === "free" ? "check-lg" : verdict.state === "but" ? "exclamation-triangle-fill" : "x-circle"),
      el("span", { class: "assign-name" }, driver.name),
      el("span", { class: "assign-travel" }, verdict.travel),
      el(
        "span",
        { class: "assign-says" },
        [...says, driver.trips_today > 0 ? `${Format.count(driver.trips_today, "trip")} that day` : "no trips that day"].join(" · "),
      ),
    ]
  }

  function foot(trip) {
    return [
      el("a", { class: "btn btn-quiet", href: `appointments.html?id=${encodeURIComponent(trip.id)}` }, "Open the appointment"),
      el("span", { class: "spacer" }),
      BoardDay.isMovable(trip) &&
        trip.driver_assigned &&
        el("button", { type: "button", class: "btn btn-soft", "data-choose": "", onclick: () => choose(null) }, icon("x-lg"), "Take the driver off"),
    ]
  }

  function arrows(event) {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key]
    if (!step || !open) return
    event.preventDefault()
    const all = [...open.list.querySelectorAll("button")]
    const at = all.indexOf(/** @type {HTMLButtonElement} */ (document.activeElement))
    all[Math.min(all.length - 1, Math.max(0, at + step))]?.focus()
  }

  return Object.freeze({ show, refresh })
})()
