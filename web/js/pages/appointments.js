"use strict"

/**
 * The appointments page: trips as a list by days or as a week, one of them in full, and the form in which they are booked and changed. View,
 * filters and the open trip are in the address.
 */
{
  const { el, fill, icon, byId } = Dom
  const STALE_MS = 20_000
  /** @type {string|null} */
  let openId = null
  let shown = ""
  let readAt = 0
  let readSoon = () => {}

  async function start() {
    if (!(await requireAuth()) || !enforcePageAccess("appointments")) return
    TripFilters.init({ onChange: look })
    TripList.init({ onOpen: visit, onNew: book })
    TripWeek.init({ onOpen: visit, onDay: (day) => go({ view: "list", from: day, to: day, when: "", day: "" }), onWeek: (day) => go({ day }) })
    TripForm.init({ onSaved })
    byId("newTripBtn").addEventListener("click", book)
    for (const button of byId("viewSwitch").querySelectorAll("button")) button.addEventListener("click", () => go({ view: button.dataset.view }))
    readSoon = TripNews.follow({ read: again, concerns: ({ days }) => !days || isShown(days) })
    TripNews.follow({ read: () => TripCard.read(), concerns: ({ id }) => id === openId })
    document.addEventListener("task:changed", (event) => hear(event.detail.task))
    document.addEventListener("tasks:list", (event) => event.detail.source === "read" && Date.now() - readAt > STALE_MS && again())
    document.addEventListener("entity:view", viewHere)
    document.addEventListener("keydown", shortcuts)
    window.addEventListener("popstate", followAddress)
    choices()
    followAddress()
  }

  /** What filters and form have to choose from. Without it the list is there all the same, and it is asked for again. */
  async function choices() {
    try {
      const offered = await APIClient.get("/get-appointment-modal-data")
      TripFilters.offer(offered)
      TripForm.offer(offered)
    } catch (error) {
      const retry = el("button", { type: "button", class: "btn btn-sm btn-soft", onclick: () => (fill(byId("savedNote")), choices()) }, "Try again")
      fill(byId("savedNote"), Dom.problem(error, retry))
    }
  }

  function book() {
    return TripForm.open()
  }

  // ── The address ──

  function go(changes) {
    history.pushState(null, "", TripFilters.address(changes))
    look()
  }

  /** Shows what the address asks for; an open card stays open. */
  function look() {
    TripFilters.show()
    const { view, id: _id, highlight: _highlight, ...rest } = TripFilters.wanted()
    for (const button of byId("viewSwitch").querySelectorAll("button")) button.setAttribute("aria-pressed", String(button.dataset.view === view))
    byId("weekView").hidden = view !== "week"
    byId("listView").hidden = view !== "list"
    const asked = JSON.stringify([view, rest])
    if (asked === shown) return
    shown = asked
    readAt = Date.now()
    if (view === "week") return TripWeek.load()
    return TripList.load()
  }

  function followAddress() {
    look()
    const { id, highlight } = TripFilters.wanted()
    if (id && id !== openId) openCard(id, { highlight, focus: highlight })
    if (!id && openId) closeCard()
  }

  // ── Live changes ──

  /** @param {string[]} days @returns {boolean} whether one of them is among those shown */
  function isShown(days) {
    const { view, from, to } = TripFilters.wanted()
    if (view === "week") return TripWeek.touches(days)
    return days.some((day) => (!from || from <= day) && (!to || day <= to))
  }

  function hear(task) {
    if (task.entity_type !== "appointment") return
    TripCard.hear(task)
    readSoon()
  }

  /** Reads what is shown again, quietly. */
  function again() {
    readAt = Date.now()
    return TripFilters.wanted().view === "week" ? TripWeek.load() : TripList.refresh()
  }

  // ── What was done ──

  async function onSaved({ ids, message, warnings, edited }) {
    TripList.markNew(edited ? [] : ids)
    tell(message, warnings, edited ? null : { label: "Show it", icon: "arrow-right", act: () => visit(ids[0]) })
    if (openId && ids.includes(openId)) TripCard.read()
    await again()
    if (!edited) (wayTo(ids[0]) ?? byId("newTripBtn")).focus()
    else document.querySelector("#tripCard [data-focus=edit]")?.focus()
  }

  function onDone({ message, warnings, undo, gone }) {
    tell(message, warnings, undo && { label: "Undo", icon: "arrow-counterclockwise", act: () => takeBack(undo) })
    if (gone) leaveCard()
    else TripCard.read()
    return again()
  }

  /** @param {{label: string, icon: string, act: () => void}|null} way what may be done next */
  function tell(message, warnings = [], way = null) {
    const button = way && el("button", { type: "button", class: "btn btn-sm btn-soft", onclick: way.act }, icon(way.icon), way.label)
    fill(
      byId("savedNote"),
      el("p", { class: "saved" }, icon("check-lg"), el("span", {}, message), button),
      warnings.map((text) => el("p", { class: "notice" }, icon("telephone"), el("span", {}, text))),
    )
  }

  async function takeBack(undo) {
    try {
      const answer = await undo()
      tell("Taken back.", answer.warnings ?? [])
    } catch (error) {
      fill(byId("savedNote"), Dom.problem(error))
    }
    TripCard.read()
    await again()
  }

  // ── The card ──

  function visit(id) {
    history.pushState(null, "", TripFilters.address({ id }))
    openCard(id, { highlight: false, focus: true })
  }

  function viewHere(event) {
    if (event.detail.type !== "appointment") return
    event.preventDefault()
    TaskPanel.close()
    history.pushState(null, "", TripFilters.address({ id: event.detail.id }))
    openCard(event.detail.id, { highlight: true, focus: true })
  }

  function openCard(id, { highlight, focus }) {
    openId = id
    byId("tripsPage").classList.add("has-card")
    mark(id)
    TripCard.show(id, { highlight, focus, onClose: leaveCard, onDone })
  }

  function leaveCard() {
    const from = openId
    history.pushState(null, "", TripFilters.address({ id: null }))
    closeCard()
    ;(wayTo(from) ?? byId("filterSearch")).focus()
  }

  function closeCard() {
    openId = null
    mark(null)
    byId("tripsPage").classList.remove("has-card")
    TripCard.hide()
  }

  function mark(id) {
    TripList.mark(id)
    TripWeek.mark(id)
  }

  function wayTo(id) {
    return TripFilters.wanted().view === "week" ? TripWeek.link(id) : TripList.link(id)
  }

  // ── Keys: "/" to the search, "n" for a new trip, Escape closes the card ──

  function shortcuts(event) {
    const typing = event.target.closest("input, select, textarea")
    if (document.querySelector("dialog[open]") || event.ctrlKey || event.metaKey || event.altKey || typing) return
    if (event.key === "/") {
      event.preventDefault()
      byId("filterSearch").focus()
    }
    if (event.key === "n") {
      event.preventDefault()
      book()
    }
    if (event.key === "Escape" && openId) leaveCard()
  }

  start()
}
