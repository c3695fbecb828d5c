"use strict"

/**
 * The board drawn: a row for the trips nobody drives yet, then a row for each driver, along one time axis. On a narrow screen the same rows are
 * lists (operations.css). A trip is a button with data-trip-id; a row carries data-driver-id, empty for the first.
 */
const BoardView = (() => {
  const { el, fill, icon } = Dom

  /**
   * @param {HTMLElement} root
   * @param {any} board as BoardDay.read gives it
   * @param {{words: string, saving: Set<string>, refusals: Map<string, {error: Error, says: string}>,
   *   onOpen: (id: string) => void, onRead: (id: string) => void}} state
   *   words: what is searched for, in lower case. refusals: by trip, with what was to be.
   *   onRead: a refusal was read and may go
   */
  function draw(root, board, state) {
    const focused = root.contains(document.activeElement) ? document.activeElement.closest("[data-trip-id]")?.getAttribute("data-trip-id") : null
    const axis = BoardDay.axis(board)
    root.style.setProperty("--hours", String(axis.hours.length))
    const meant = state.words !== "" && board.trips.some((trip) => BoardDay.tripMatches(trip, state.words))
    const shown = board.drivers.filter(
      (driver) =>
        state.words === "" ||
        BoardDay.matches(state.words, driver.name) ||
        BoardDay.tripsOf(board, driver.id).some((trip) => BoardDay.tripMatches(trip, state.words)),
    )
    const draws = { board, axis, state, meant }
    fill(
      root,
      axisRow(axis),
      openRow(draws),
      shown.map((driver) => driverRow(driver, draws)),
      shown.length === 0 &&
        el("p", { class: "lane-none quiet" }, board.drivers.length === 0 ? "No drivers yet." : "No driver, and no driver's trip, matches."),
      el("div", { class: "board-now", "aria-hidden": "true" }),
    )
    moveNow(root, board)
    if (!focused || root.contains(document.activeElement)) return
    // Where the trip is gone, the board keeps the focus; it is not scrolled, since whoever looks elsewhere did not ask for this drawing.
    ;(tripNode(root, focused) ?? root.querySelector("[data-trip-id]"))?.focus({ preventScroll: true })
  }

  /** @returns {HTMLElement|null} */
  function tripNode(root, id) {
    return root.querySelector(`[data-trip-id="${CSS.escape(id)}"]`)
  }

  /** The line of now goes on; there is none on other days. */
  function moveNow(root, board, now = Date.now()) {
    const { from, to } = BoardDay.axis(board)
    for (const mark of /** @type {NodeListOf<HTMLElement>} */ (root.querySelectorAll(".board-now, .axis-now"))) {
      mark.hidden = now < from || now > to
      mark.style.setProperty("--at", String((now - from) / (to - from)))
      if (mark.matches(".axis-now")) mark.textContent = Format.time(now)
    }
  }

  // ── Words about the day ──

  /** The day in a few words, for the head of the page. */
  function counts(board) {
    const open = BoardDay.tripsOf(board, null).length
    const clashes = board.trips.filter((trip) => BoardDay.amiss(board, trip)?.hard).length
    return [
      el("span", {}, Format.count(board.trips.length, "trip")),
      el("span", { class: "count-open", "data-any": open > 0 }, `${open} unassigned`),
      clashes > 0 && el("span", { class: "count-clash" }, icon("exclamation-triangle-fill"), Format.count(clashes, "clash", "clashes")),
      board.cancelled > 0 && el("span", {}, `${board.cancelled} cancelled`),
    ]
  }

  function empty(board) {
    return el(
      "div",
      { class: "empty" },
      icon("calendar-event"),
      el("p", {}, `No trips on ${WallTime.title(board.day)}`),
      el("p", { class: "quiet" }, "Who works that day is below."),
      el("a", { class: "btn btn-soft", href: "appointments.html" }, "Book one"),
    )
  }

  // ── Rows ──

  function axisRow({ hours }) {
    return el(
      "div",
      { class: "board-axis", "aria-hidden": "true" },
      el("span", {}, "Halifax time"),
      el(
        "div",
        { class: "axis-hours" },
        hours.map(({ label }) => el("span", {}, label)),
        el("strong", { class: "axis-now" }),
      ),
    )
  }

  function openRow(draws) {
    const trips = BoardDay.tripsOf(draws.board, null)
    const head = [
      el(
        "h2",
        { id: "lane-open", class: "lane-name" },
        "Unassigned",
        el("span", { class: "lane-count", id: "unassignedCount", "data-any": trips.length > 0 }, String(trips.length)),
      ),
      el("p", { class: "lane-line lane-load" }, openHint(draws.board, trips)),
    ]
    return lane({ id: "", labelledBy: "lane-open", head, trips, ground: [], draws, extra: "lane-open" })
  }

  function openHint(board, trips) {
    if (trips.length === 0) return board.trips.length === 0 ? "No trips" : "Every trip has a driver"
    return [el("span", { class: "wide-only" }, "Drag to a driver, or press Enter"), el("span", { class: "narrow-only" }, "Tap one to assign it")]
  }

  function driverRow(driver, draws) {
    const { axis, board } = draws
    const label = `lane-${driver.id}`
    const away = driver.time_off.filter((one) => one.entry_type === "time_off")
    const also = driver.time_off.filter((one) => one.entry_type !== "time_off")
    const head = [
      el("h2", { id: label, class: "lane-name" }, driver.name, !driver.active && el("span", { class: "chip" }, "No longer drives")),
      el("p", { class: "lane-line lane-load" }, el("span", { class: "lane-hours" }, hoursOf(driver, away, also)), load(driver)),
      el("p", { class: "lane-line lane-verdict" }),
    ]
    const ground = [
      strip("kept", axis, driver.starts, driver.ends),
      also.map((one) => strip("kept", axis, one.starts, one.ends)),
      away.map((one) => strip("away", axis, one.starts, one.ends, one.reason ? `Time off: ${one.reason}` : "Time off")),
    ]
    return lane({ id: driver.id, labelledBy: label, head, trips: BoardDay.tripsOf(board, driver.id), ground, draws })
  }

  function hoursOf(driver, away, also) {
    if (away.some((one) => one.all_day)) return el("span", { class: "lane-away" }, "Time off")
    return [
      driver.starts ? `${Format.time(driver.starts)}–${Format.time(driver.ends)}` : also.length > 0 ? "By arrangement" : "Day off",
      away.map((one) => el("span", { class: "lane-away" }, `Off ${Format.time(one.starts)}–${Format.time(one.ends)}`)),
    ]
  }

  function load(driver) {
    const { trips_today: trips, minutes_today: today, minutes_this_week: week } = driver
    const ofWeek = `${Format.count(driver.trips_this_week, "trip")}, ${Format.minutes(week)} that week`
    const says = `${Format.count(trips, "trip")}, ${Format.minutes(today)} that day; ${ofWeek}`
    return [
      el("span", { class: "quiet", title: says, "aria-hidden": "true" }, `${BoardDay.hours(today)} · week ${BoardDay.hours(week)}`),
      el("span", { class: "visually-hidden" }, says),
    ]
  }

  function lane({ id, labelledBy, head, trips, ground, draws, extra = "" }) {
    const { places, rows } = BoardDay.layout(draws.axis, trips)
    const track = el(
      "div",
      { class: "lane-track" },
      ground,
      el(
        "ol",
        { class: "lane-trips" },
        trips.map((trip, at) => tripItem(trip, places[at], draws)),
      ),
    )
    track.style.setProperty("--rows", String(rows))
    const refused = trips.filter((trip) => draws.state.refusals.has(trip.id))
    return el(
      "div",
      { class: `lane ${extra}`.trim(), "data-driver-id": id, role: "group", "aria-labelledby": labelledBy },
      el("div", { class: "lane-head" }, head),
      track,
      refused.map((trip) => refusal(trip, draws.state)),
    )
  }

  /** A stretch of the row's ground: hours kept, or time off. */
  function strip(kind, axis, starts, ends, says = "") {
    const place = starts ? BoardDay.place(axis, starts, ends) : null
    return place && positioned(el("div", { class: `lane-${kind}` }, says && el("span", {}, says)), place)
  }

  // ── Trips ──

  function tripItem(trip, place, { board, state, meant }) {
    const amiss = BoardDay.amiss(board, trip)
    const looks = amiss ? (amiss.hard ? "clash" : "but") : trip.operation_status
    const says = [...(amiss?.reasons ?? []), trip.operation_status === "completed" && "Driven"].filter(Boolean)
    const button = el(
      "button",
      {
        type: "button",
        class: "trip",
        "data-trip-id": trip.id,
        "data-looks": looks,
        "data-movable": BoardDay.isMovable(trip),
        "data-faded": meant && !BoardDay.tripMatches(trip, state.words),
        "aria-haspopup": "dialog",
        "aria-busy": state.saving.has(trip.id) ? "true" : null,
        title: [`${BoardDay.span(trip)}  ${BoardDay.who(trip)}`, BoardDay.where(trip), ...says].filter(Boolean).join("\n"),
        onclick: () => state.onOpen(trip.id),
      },
      el(
        "span",
        { class: "trip-who" },
        amiss && icon("exclamation-triangle-fill"),
        trip.operation_status === "completed" && icon("check-lg"),
        el("span", {}, BoardDay.who(trip)),
      ),
      el("span", { class: "trip-when" }, el("span", { class: "figure" }, BoardDay.span(trip)), BoardDay.where(trip) && ` ${BoardDay.where(trip)}`),
      says.length > 0 && el("span", { class: "trip-says" }, says.join(". ")),
    )
    const item = positioned(el("li", { "data-short": place.part < 1 }, button), place)
    item.style.setProperty("--row", String(place.row))
    item.style.setProperty("--part", String(place.part))
    return item
  }

  function refusal(trip, state) {
    const read = el("button", { type: "button", class: "btn btn-sm btn-quiet", onclick: () => state.onRead(trip.id) }, "Understood")
    const { error, says } = /** @type {{error: Error, says: string}} */ (state.refusals.get(trip.id))
    const note = Dom.problem(error, read)
    note.classList.add("lane-refusal")
    note.querySelector(".problem-what")?.prepend(`${says}: `)
    return note
  }

  function positioned(node, { from, span }) {
    node.style.setProperty("--from", String(from))
    node.style.setProperty("--span", String(span))
    return node
  }

  return Object.freeze({ draw, tripNode, moveNow, counts, empty })
})()
