"use strict"

/**
 * The operations board: one day, who drives what, and giving trips to drivers. Day and filter are in the address.
 *
 * A move shows at once and is taken back where the server refuses it. The board is read again after one's own moves; when a trip of its day is heard
 * of, whoever moved it; after the background work of a driver or client; once a minute; and when the page comes back into sight.
 */
{
  const { el, fill, icon, byId } = Dom
  const SEARCH_MS = 150
  const POLL_MS = 60_000
  const NOW_MS = 20_000
  const CONCERNS = new Set(["appointment", "driver", "client"])

  /** @type {any} */
  let board = null
  let answered = ""
  let loading = new AbortController()
  let readSoon = () => {}
  let edition = 0 // of what is shown; an answer asked for before a move is older than it
  /** @type {Set<string>} */
  const saving = new Set()
  /** @type {Map<string, {error: Error, says: string}>} */
  const refusals = new Map()
  /** @type {{tripId: string, driverId: string|null}|null} */
  let undo = null

  async function start() {
    if (!(await requireAuth()) || !enforcePageAccess("operations")) return
    byId("operationsPage").hidden = false
    byId("boardForm").addEventListener("submit", (event) => event.preventDefault())
    byId("previousDay").addEventListener("click", () => visit(WallTime.plus(wanted().day, -1)))
    byId("nextDay").addEventListener("click", () => visit(WallTime.plus(wanted().day, 1)))
    byId("todayBtn").addEventListener("click", () => visit(WallTime.today()))
    byId("boardDay").addEventListener("change", () => WallTime.isDay(byId("boardDay").value) && visit(byId("boardDay").value))
    byId("boardSearch").addEventListener("input", soonSearch())
    BoardDrag.init(byId("board"), { verdict: verdictOf, onDrop: move, onEnd: draw })
    BoardKeys.init(byId("board"))
    readSoon = TripNews.follow({ read, concerns: ({ id, days }) => !days || days.includes(wanted().day) || tripOf(id) !== null })
    document.addEventListener("task:changed", (event) => CONCERNS.has(event.detail.task.entity_type) && readSoon())
    document.addEventListener("keydown", keys)
    window.addEventListener("popstate", follow)
    setInterval(() => !document.hidden && read(), POLL_MS)
    setInterval(() => board && BoardView.moveNow(byId("board"), board), NOW_MS)
    showAddress()
    await read()
  }

  // ── The address: ?day= &q= ──

  function wanted() {
    const asked = new URLSearchParams(location.search)
    return { day: WallTime.isDay(asked.get("day")) ? asked.get("day") : WallTime.today(), q: asked.get("q") ?? "" }
  }

  function address({ day, q }) {
    const asked = new URLSearchParams()
    if (day !== WallTime.today()) asked.set("day", day)
    if (q) asked.set("q", q)
    return location.pathname + (asked.size > 0 ? `?${asked}` : "")
  }

  function visit(day) {
    if (day === wanted().day) return
    history.pushState(null, "", address({ day, q: wanted().q }))
    follow()
  }

  function follow() {
    showAddress()
    if (board?.day === wanted().day) return draw()
    forget()
    return read()
  }

  function showAddress() {
    const { day, q } = wanted()
    byId("boardTitle").textContent = WallTime.title(day)
    byId("boardDay").value = day
    byId("todayBtn").setAttribute("aria-current", day === WallTime.today() ? "date" : "false")
    if (byId("boardSearch").value.trim() !== q) byId("boardSearch").value = q
    document.title = `${WallTime.short(day)} · Operations · Backhaul`
  }

  /** What was of another day. */
  function forget() {
    board = null
    answered = ""
    undo = null
    refusals.clear()
    fill(byId("board"))
    fill(byId("boardSaid"))
    fill(byId("boardCounts"))
    fill(byId("boardState"), el("p", { class: "loading", role: "status" }, "Loading the board…"))
  }

  // ── Reading ──

  async function read() {
    loading.abort()
    loading = new AbortController()
    const { signal } = loading
    const { day } = wanted()
    const asked = edition
    if (board && board.day !== day) {
      showAddress() // "today" has become another day
      forget()
    }
    try {
      const answer = await APIClient.get(`/get-operations-appointments?day=${day}`, { signal })
      if (signal.aborted) return
      if (asked !== edition || saving.size > 0) return readSoon()
      const text = JSON.stringify(answer)
      if (text === answered) return
      answered = text
      board = BoardDay.read(answer)
      draw()
      AssignDialog.refresh(board)
    } catch (error) {
      if (signal.aborted) return
      answered = "" // so that the next answer takes the place of this, even where nothing has changed
      const again = el("button", { type: "button", class: "btn btn-sm btn-soft", onclick: read }, "Try again")
      fill(byId("boardState"), Dom.problem(error, again))
    }
  }

  function draw() {
    if (!board || BoardDrag.isUnderWay()) return
    BoardView.draw(byId("board"), board, { words: wanted().q.toLowerCase(), saving, refusals, onOpen: openDialog, onRead: understood })
    fill(byId("boardCounts"), BoardView.counts(board))
    fill(byId("boardState"), board.trips.length === 0 && BoardView.empty(board))
  }

  function soonSearch() {
    let timer = 0
    return () => {
      clearTimeout(timer)
      timer = setTimeout(() => {
        history.replaceState(null, "", address({ day: wanted().day, q: byId("boardSearch").value.trim() }))
        draw()
      }, SEARCH_MS)
    }
  }

  // ── Moving trips ──

  function tripOf(id) {
    return board?.trips.find((trip) => trip.id === id) ?? null
  }

  function nameOf(driverId) {
    return board.drivers.find((one) => one.id === driverId)?.name ?? "another driver"
  }

  function verdictOf(tripId, driverId) {
    return BoardDay.verdict(
      board,
      tripOf(tripId),
      board.drivers.find((one) => one.id === driverId),
    )
  }

  function openDialog(id) {
    const trip = tripOf(id)
    if (!trip || saving.has(id)) return
    AssignDialog.show(board, trip, {
      onChoose: (driverId) => move(id, driverId),
      onClose: () => BoardView.tripNode(byId("board"), id)?.focus(),
    })
  }

  /** Shows it where it is to be, then asks; a refusal puts it back. @param {boolean} [back] whether it takes a move back */
  async function move(id, driverId, back = false) {
    const trip = tripOf(id)
    if (!trip || saving.has(id) || (trip.driver_assigned ?? null) === driverId) return
    const day = board.day
    const before = { driver_assigned: trip.driver_assigned ?? null, operation_status: trip.operation_status }
    edition += 1
    saving.add(id)
    refusals.delete(id)
    fill(byId("boardSaid"))
    Object.assign(trip, { driver_assigned: driverId, operation_status: driverId ? "assigned" : "pending" })
    draw()
    goTo(id)
    try {
      const body = { id, driver_assigned: driverId, version: trip.version, ...(driverId ? { status: "assigned" } : {}) }
      const answer = await APIClient.post("/update-driver-assignment", body)
      trip.version = answer.data?.version ?? trip.version
      if (board?.day === day) say(trip, driverId, before.driver_assigned, answer.warnings ?? [], back)
    } catch (error) {
      Object.assign(trip, before)
      if (board?.day === day) refusals.set(id, { error, says: driverId ? `${BoardDay.who(trip)} → ${nameOf(driverId)}` : BoardDay.who(trip) })
    } finally {
      edition += 1
      saving.delete(id)
      answered = ""
      draw()
      if (board?.day === day && document.activeElement === document.body) goTo(id)
      readSoon()
    }
  }

  function understood(id) {
    refusals.delete(id)
    draw()
    goTo(id)
  }

  function goTo(id) {
    const node = BoardView.tripNode(byId("board"), id)
    node?.focus()
    node?.scrollIntoView({ block: "nearest", inline: "nearest" }) // it may have had the focus already, out of sight
  }

  // ── What was done, and taking it back ──

  function say(trip, driverId, before, warnings, back) {
    undo = back ? null : { tripId: trip.id, driverId: before }
    const text = back ? "Taken back. " : ""
    const now = driverId ? `${BoardDay.who(trip)} is with ${nameOf(driverId)}.` : `${BoardDay.who(trip)} has no driver.`
    fill(
      byId("boardSaid"),
      el(
        "div",
        { class: "undo-line" },
        el(
          "div",
          {},
          el("p", {}, text + now),
          warnings.length > 0 && el("p", { class: "undo-warnings" }, icon("exclamation-triangle-fill"), warnings.join(". ")),
        ),
        undo &&
          el(
            "button",
            { type: "button", class: "btn btn-sm btn-inverse", "data-action": "undo", onclick: takeBack },
            icon("arrow-counterclockwise"),
            "Undo",
          ),
      ),
    )
  }

  function takeBack() {
    const was = undo
    if (!was || saving.has(was.tripId)) return
    undo = null
    move(was.tripId, was.driverId, true)
  }

  // ── Keys: "/" to the filter, Ctrl+Z takes the last move back ──

  function keys(event) {
    const typing = event.target.closest?.("input, select, textarea")
    if (typing || event.altKey || document.querySelector("dialog[open]")) return
    if (event.key === "/" && !event.ctrlKey && !event.metaKey) {
      event.preventDefault()
      byId("boardSearch").focus()
    }
    if (event.key === "z" && (event.ctrlKey || event.metaKey) && undo) {
      event.preventDefault()
      takeBack()
    }
  }

  start()
}
