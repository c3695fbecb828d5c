"use strict"

/**
 * The drivers page: who drives, how everybody stands now, and one driver's card. The search is in the address, so that it can be kept and sent.
 */
{
  const { el, fill, icon, byId } = Dom
  const beside = BesideList.make({
    page: "driversPage",
    search: "driverSearch",
    kind: "driver",
    address: (id) => address({ id }),
    list: DriverList,
    card: DriverCard,
  })

  async function start() {
    WeekHours.build(byId("weekHours")) // before anybody is known: what was typed into it is given back with the rest of the form
    if (!(await requireAuth()) || !enforcePageAccess("drivers")) return
    DriverForm.init({ onSaved })
    DriverCard.init({ close: beside.leave, changed: () => DriverList.load() })
    DriverList.init({ wanted: filters, open: beside.visit, showAll, status: (status) => search({ status }) })
    byId("addDriverBtn").addEventListener("click", () => DriverForm.open())
    ListSearch.init(byId("driverSearch"), () => search())
    ListSearch.keys(byId("driverSearch"), beside.leave)
    byId("driverActive").addEventListener("change", () => search())
    document.addEventListener("task:changed", (event) => hear(event.detail.task))
    document.addEventListener("tasks:list", (event) => event.detail.source === "read" && catchUp())
    document.addEventListener("entity:view", beside.viewHere)
    window.addEventListener("popstate", followAddress)
    fillSearch()
    beside.follow(wanted(), { focus: true })
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
    beside.follow(wanted(), { focus: false })
  }

  function search(changed = {}) {
    fill(byId("savedNote"))
    history.replaceState(null, "", address({ q: byId("driverSearch").value.trim(), active: byId("driverActive").value, id: beside.openId(), ...changed }))
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

  start()
}
