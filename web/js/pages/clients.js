"use strict"

/**
 * The clients page: find a client, see how its background work stands, add one. The search is in the address, so that it can be kept and sent.
 */
{
  const { el, fill, icon, byId } = Dom
  const SEARCH_MS = 250
  /** @type {string|null} */
  let openId = null

  async function start() {
    if (!(await requireAuth()) || !enforcePageAccess("clients")) return
    ClientForm.init({ onSaved })
    byId("addClientBtn").addEventListener("click", () => ClientForm.open())
    ClientList.init({ query: () => wanted().q, status: () => wanted().status, onOpen: visit, onShowAll: showAll })
    byId("clientSearchForm").addEventListener("submit", (event) => event.preventDefault())
    byId("clientSearch").value = wanted().q
    byId("clientSearch").addEventListener("input", soon(search, SEARCH_MS))
    byId("clientStatus").value = wanted().status
    byId("clientStatus").addEventListener("change", search)
    document.addEventListener("task:changed", (event) => hear(event.detail.task))
    document.addEventListener("tasks:list", (event) => event.detail.source === "read" && catchUp())
    document.addEventListener("entity:view", viewHere)
    window.addEventListener("popstate", followAddress)
    document.addEventListener("keydown", shortcuts)
    if (wanted().id) openCard(wanted().id, { highlight: wanted().highlight, focus: true })
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
    const { q, status, id, highlight } = wanted()
    if (byId("clientSearch").value !== q || byId("clientStatus").value !== status) {
      byId("clientSearch").value = q
      byId("clientStatus").value = status
      ClientList.load()
    }
    if (id && id !== openId) openCard(id, { highlight, focus: false })
    if (!id && openId) closeCard()
  }

  function search() {
    fill(byId("savedNote"))
    history.replaceState(null, "", address({ q: byId("clientSearch").value.trim(), status: byId("clientStatus").value, id: openId }))
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

  // ── The card ──

  function visit(id) {
    history.pushState(null, "", address({ q: wanted().q, id }))
    openCard(id, { highlight: false, focus: true })
  }

  function viewHere(event) {
    if (event.detail.type !== "client") return
    event.preventDefault()
    TaskPanel.close()
    history.pushState(null, "", address({ q: wanted().q, id: event.detail.id }))
    openCard(event.detail.id, { highlight: true, focus: true })
  }

  function openCard(id, { highlight, focus }) {
    openId = id
    byId("clientsPage").classList.add("has-card")
    ClientList.mark(id)
    ClientCard.show(id, { highlight, focus, onClose: leaveCard })
  }

  function leaveCard() {
    const row = ClientList.rowNode(openId)
    history.pushState(null, "", address({ q: wanted().q, id: null }))
    closeCard()
    ;(row?.querySelector("a") ?? byId("clientSearch")).focus()
  }

  function closeCard() {
    openId = null
    ClientList.mark(null)
    byId("clientsPage").classList.remove("has-card")
    ClientCard.hide()
  }

  // ── Keys: "/" to the search, Escape closes the card ──

  function shortcuts(event) {
    const typing = event.target.closest("input, select, textarea")
    if (document.querySelector("dialog[open]") || event.ctrlKey || event.metaKey || event.altKey) return
    if (event.key === "/" && !typing) {
      event.preventDefault()
      byId("clientSearch").focus()
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
