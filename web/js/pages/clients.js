"use strict"

/**
 * The clients page: find a client, see how its background work stands, add one. The search is in the address, so that it can be kept and sent.
 */
{
  const { el, fill, icon, byId } = Dom
  const beside = BesideList.make({
    page: "clientsPage",
    search: "clientSearch",
    kind: "client",
    address: (id) => address({ q: wanted().q, id }),
    list: ClientList,
    card: ClientCard,
  })

  async function start() {
    if (!(await requireAuth()) || !enforcePageAccess("clients")) return
    ClientForm.init({ onSaved })
    ClientCard.init({ onClose: beside.leave })
    byId("addClientBtn").addEventListener("click", () => ClientForm.open())
    ClientList.init({ query: () => wanted().q, status: () => wanted().status, onOpen: (id) => beside.visit(id), onShowAll: showAll })
    byId("clientSearch").value = wanted().q
    ListSearch.init(byId("clientSearch"), search)
    ListSearch.keys(byId("clientSearch"), beside.leave)
    byId("clientStatus").value = wanted().status
    byId("clientStatus").addEventListener("change", search)
    document.addEventListener("task:changed", (event) => hear(event.detail.task))
    document.addEventListener("tasks:list", (event) => event.detail.source === "read" && catchUp())
    document.addEventListener("entity:view", beside.viewHere)
    window.addEventListener("popstate", followAddress)
    beside.follow(wanted(), { focus: true })
    await ClientList.load()
  }

  // ── The address: ?q= &status= &id= &highlight=true ──

  function wanted() {
    const asked = new URLSearchParams(location.search)
    const status = ["active", "inactive", "archived"].find((one) => one === asked.get("status")) ?? ""
    return { q: asked.get("q") ?? "", status, id: asked.get("id"), highlight: asked.get("highlight") === "true" }
  }

  function address({ q, status = wanted().status, id }) {
    const asked = new URLSearchParams()
    if (q) asked.set("q", q)
    if (status) asked.set("status", status)
    if (id) asked.set("id", id)
    return location.pathname + (asked.size > 0 ? `?${asked}` : "")
  }

  function followAddress() {
    const { q, status } = wanted()
    if (byId("clientSearch").value !== q || byId("clientStatus").value !== status) {
      byId("clientSearch").value = q
      byId("clientStatus").value = status
      ClientList.load()
    }
    beside.follow(wanted(), { focus: false })
  }

  function search() {
    fill(byId("savedNote"))
    history.replaceState(null, "", address({ q: byId("clientSearch").value.trim(), status: byId("clientStatus").value, id: beside.openId() }))
    ClientList.load()
  }

  function showAll() {
    byId("clientSearch").value = ""
    byId("clientStatus").value = ""
    search()
    byId("clientSearch").focus()
  }

  // ── Live changes ──

  function hear(task) {
    ClientList.hear(task)
    if (task.entity_type === "client") ClientCard.hear(task)
  }

  function catchUp() {
    ClientList.rereadUnfinished()
    ClientCard.catchUp()
  }

  // ── Adding and correcting ──

  async function onSaved(id, message, edited) {
    if (edited) {
      ClientCard.saved(message)
      await ClientList.refresh(id)
      return
    }
    fill(byId("savedNote"), el("p", { class: "saved" }, icon("check-lg"), el("span", {}, message)))
    await ClientList.add(id)
    byId("addClientBtn").focus()
  }

  start()
}
