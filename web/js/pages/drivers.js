"use strict"

/**
 * The drivers page: who drives, how everybody stands now, and one driver's card. The search is in the address, so that it can be kept and sent.
 */
{
  const { el, fill, icon, byId } = Dom
  const SEARCH_MS = 250
  /** @type {string|null} */
  let openId = null

  async function start() {
    WeekHours.build(byId("weekHours")) // before anybody is known: what was typed into it is given back with the rest of the form
    if (!(await requireAuth()) || !enforcePageAccess("drivers")) return
    DriverForm.init({ onSaved })
    DriverCard.init({ close: leaveCard, changed: () => DriverList.load() })
    DriverList.init({ wanted: filters, open: visit, showAll, status: (status) => search({ status }) })
    byId("addDriverBtn").addEventListener("click", () => DriverForm.open())
    byId("driverSearchForm").addEventListener("submit", (event) => event.preventDefault())
    byId("driverSearch").addEventListener("input", soon(() => search(), SEARCH_MS))
    byId("driverActive").addEventListener("change", () => search())
    document.addEventListener("task:changed", (event) => hear(event.detail.task))
    document.addEventListener("tasks:list", (event) => event.detail.source === "read" && catchUp())
    document.addEventListener("entity:view", viewHere)
    window.addEventListener("popstate", followAddress)
    document.addEventListener("keydown", shortcuts)
    fillSearch()
    if (wanted().id) openCard(wanted().id, { highlight: wanted().highlight, focus: true })
    await DriverList.load()
  }

  // ── The address: ?q= &active= &status= &id= &highlight=true ──

  function wanted() {
    const asked = new URLSearchParams(location.search)
    const one = (name, known) => known.find((value) => value === asked.get(name)) ?? ""
    return {
      q: asked.get("q") ?? "",
      active: one("active", ["true", "false"]),
      status: one("status", Object.keys(DriverState.STATES)),
      id: asked.get("id"),
      highlight: asked.get("highlight") === "true",
    }
  }

  function filters() {
    const { q, active, status } = wanted()
    return { q, active, status }
  }

  function address(changed) {
    const { q, active, status, id } = { ...wanted(), ...changed }
    const asked = new URLSearchParams(Object.entries({ q, active, status, id }).filter(([, value]) => value))
    return location.pathname + (asked.size > 0 ? `?${asked}` : "")
  }

  function fillSearch() {
    const { q, active } = wanted()
    if (byId("driverSearch").value.trim() !== q) byId("driverSearch").value = q
    byId("driverActive").value = active
  }

  function followAddress() {
    fillSearch()
    DriverList.load()
    const { id, highlight } = wanted()
    if (id && id !== openId) openCard(id, { highlight, focus: false })
    if (!id && openId) closeCard()
  }

  function search(changed = {}) {
    fill(byId("savedNote"))
    history.replaceState(null, "", address({ q: byId("driverSearch").value.trim(), active: byId("driverActive").value, id: openId, ...changed }))
    return DriverList.load()
  }

  function showAll() {
    byId("driverSearch").value = ""
    byId("driverActive").value = ""
    search({ status: "" })
    byId("driverSearch").focus()
  }

  // ── Live changes ──

  function hear(task) {
    DriverList.hear(task)
    if (task.entity_type === "driver") DriverCard.hear(task)
  }

  function catchUp() {
    DriverList.catchUp()
    DriverCard.catchUp()
  }

  // ── Adding and correcting ──

  async function onSaved(answer, edited) {
    if (edited) {
      DriverCard.saved(answer)
      await DriverList.load()
      return
    }
    const text = el("span", {}, `${answer.driverName} is saved. `, "Calendar and drive times follow in the background.")
    fill(byId("savedNote"), el("p", { class: "saved", role: "status" }, icon("check-lg"), text))
    await DriverList.added(answer.driver_id)
    byId("addDriverBtn").focus()
  }

  // ── The card ──

  function visit(id) {
    history.pushState(null, "", address({ id }))
    openCard(id, { highlight: false, focus: true })
  }

  function viewHere(event) {
    if (event.detail.type !== "driver") return
    event.preventDefault()
    TaskPanel.close()
    history.pushState(null, "", address({ id: event.detail.id }))
    openCard(event.detail.id, { highlight: true, focus: true })
  }

  function openCard(id, options) {
    openId = id
    byId("driversPage").classList.add("has-card")
    DriverList.mark(id)
    DriverCard.show(id, options)
  }

  function leaveCard() {
    const row = DriverList.rowNode(openId)
    history.pushState(null, "", address({ id: null }))
    closeCard()
    ;(row?.querySelector("a") ?? byId("driverSearch")).focus()
  }

  function closeCard() {
    openId = null
    DriverList.mark(null)
    byId("driversPage").classList.remove("has-card")
    DriverCard.hide()
  }

  // ── Keys: "/" to the search, Escape closes the card ──

  function shortcuts(event) {
    const typing = event.target.closest("input, select, textarea")
    if (document.querySelector("dialog[open]") || event.ctrlKey || event.metaKey || event.altKey) return
    if (event.key === "/" && !typing) {
      event.preventDefault()
      byId("driverSearch").focus()
    }
    if (event.key === "Escape" && openId && !typing) leaveCard()
  }

  function soon(work, ms) {
    let timer = 0
    return () => {
      clearTimeout(timer)
      timer = setTimeout(work, ms)
    }
  }

  start()
}
