"use strict"

/**
 * The clients page: find a client, see how its background work stands, add one. The search is in the address, so that it can be kept and sent.
 */
{
  const { el, fill, icon, byId } = Dom
  const PAGE = 50
  const SEARCH_MS = 250
  const REREAD_MOST = 10

  /** @type {any[]} */
  let clients = []
  /** @type {string|null} */
  let next = null
  let total = 0
  let loading = new AbortController()
  let openId = null
  let newIds = new Set()

  async function start() {
    if (!(await requireAuth()) || !enforcePageAccess("clients")) return
    ClientForm.init({ onSaved })
    byId("addClientBtn").addEventListener("click", () => ClientForm.open())
    byId("moreBtn").addEventListener("click", more)
    byId("clientSearchForm").addEventListener("submit", (event) => event.preventDefault())
    byId("clientSearch").value = wanted().q
    byId("clientSearch").addEventListener("input", soon(search, SEARCH_MS))
    document.addEventListener("task:changed", (event) => hear(event.detail.task))
    document.addEventListener("tasks:list", (event) => event.detail.source === "read" && rereadUnfinished())
    document.addEventListener("entity:view", viewHere)
    window.addEventListener("popstate", followAddress)
    document.addEventListener("keydown", shortcuts)
    if (wanted().id) openCard(wanted().id, { highlight: wanted().highlight, focus: true })
    await load()
  }

  // ── The address: ?q= &id= &highlight=true ──

  function wanted() {
    const asked = new URLSearchParams(location.search)
    return { q: asked.get("q") ?? "", id: asked.get("id"), highlight: asked.get("highlight") === "true" }
  }

  function address({ q, id }) {
    const asked = new URLSearchParams()
    if (q) asked.set("q", q)
    if (id) asked.set("id", id)
    return location.pathname + (asked.size > 0 ? `?${asked}` : "")
  }

  function followAddress() {
    const { q, id, highlight } = wanted()
    if (byId("clientSearch").value !== q) {
      byId("clientSearch").value = q
      load()
    }
    if (id && id !== openId) openCard(id, { highlight, focus: false })
    if (!id && openId) closeCard()
  }

  function search() {
    fill(byId("savedNote"))
    history.replaceState(null, "", address({ q: byId("clientSearch").value.trim(), id: openId }))
    load()
  }

  // ── The list ──

  async function load() {
    loading.abort()
    loading = new AbortController()
    byId("clientRows").setAttribute("aria-busy", "true")
    if (clients.length === 0) fill(byId("listState"), el("p", { class: "loading", role: "status" }, "Loading the clients…"))
    await ask(null, loading.signal)
  }

  function more() {
    return ask(next, loading.signal)
  }

  async function ask(after, signal) {
    const asked = new URLSearchParams({ limit: String(PAGE) })
    const { q } = wanted()
    if (q) asked.set("q", q)
    if (after) asked.set("after", after)
    const since = ClientNews.now()
    try {
      const answer = await APIClient.get(`/get-clients?${asked}`, { signal })
      if (signal.aborted) return
      const rows = answer.clients.map((client) => ClientNews.apply(client, since))
      clients = after ? [...clients, ...rows.filter((row) => !clients.some((one) => one.id === row.id))] : rows
      next = answer.next ?? null
      total = Math.max(answer.count ?? 0, clients.length)
      draw()
      if (after)
        byId("clientRows")
          .querySelector(`[data-client-id="${CSS.escape(rows[0]?.id ?? "")}"] a`)
          ?.focus()
    } catch (error) {
      if (signal.aborted) return
      fill(
        byId("listState"),
        Dom.problem(error, el("button", { type: "button", class: "btn btn-sm btn-soft", onclick: load }, "Try again")),
      )
    } finally {
      if (!signal.aborted) byId("clientRows").removeAttribute("aria-busy")
    }
  }

  function draw() {
    const { q } = wanted()
    const focused = document.activeElement?.closest("[data-client-id]")?.dataset.clientId
    fill(byId("clientRows"), clients.map(row))
    byId("clientTable").hidden = clients.length === 0
    byId("moreBtn").hidden = next === null
    const shown =
      next === null ? Format.count(clients.length, "client") : `${clients.length} of ${total > clients.length ? total : "more"} clients`
    byId("listCount").textContent = q ? `${shown} for “${q}”` : shown
    fill(byId("listState"), clients.length === 0 && nobody(q))
    if (focused) rowNode(focused)?.querySelector("a")?.focus()
  }

  function row(client) {
    return ClientRow.build(client, { isOpen: client.id === openId, isNew: newIds.has(client.id), onOpen: (id) => visit(id) })
  }

  function redraw(client) {
    const node = rowNode(client.id)
    if (!node) return
    const focused = node.contains(document.activeElement)
    const fresh = row(client)
    node.replaceWith(fresh)
    if (focused) fresh.querySelector("a")?.focus()
  }

  function rowNode(id) {
    return byId("clientRows").querySelector(`[data-client-id="${CSS.escape(id)}"]`)
  }

  function nobody(q) {
    const clear = () => {
      byId("clientSearch").value = ""
      search()
      byId("clientSearch").focus()
    }
    return el(
      "div",
      { class: "empty" },
      icon(q ? "search" : "people"),
      el("p", {}, q ? `No client matches “${q}”` : "No clients yet"),
      q
        ? el("button", { type: "button", class: "btn btn-soft", onclick: clear }, "Show all clients")
        : el(
            "button",
            { type: "button", class: "btn btn-primary", onclick: () => ClientForm.open() },
            icon("person-plus"),
            "Add the first client",
          ),
    )
  }

  // ── Live changes ──

  function hear(task) {
    ClientNews.hear(task)
    if (task.entity_type !== "client") return
    ClientCard.hear(task)
    const client = clients.find((one) => one.id === task.entity_id)
    if (!client) return
    client.tasks = ClientNews.merged(client.tasks ?? [], task)
    redraw(client)
    if (task.status === "completed") reread(client.id)
  }

  /** One client read again for what an event does not carry: its drive times. */
  async function reread(id) {
    try {
      const client = await ClientNews.read(id)
      const at = clients.findIndex((one) => one.id === id)
      if (at < 0) return
      clients[at] = client
      redraw(client)
    } catch {
      // What is shown stays; the next event or list reading tries again, and the header shows a lost connection.
    }
  }

  /** Events are not replayed: after a (re)connection, and at each polling, what was under way is looked at again. */
  function rereadUnfinished() {
    const unfinished = clients.filter((client) => (client.tasks ?? []).some(TaskChip.isUnfinished))
    for (const client of unfinished.slice(0, REREAD_MOST)) reread(client.id)
    ClientCard.catchUp()
  }

  // ── Adding ──

  async function onSaved(id, message) {
    newIds.add(id)
    fill(byId("savedNote"), el("p", { class: "saved" }, icon("check-lg"), el("span", {}, message)))
    try {
      clients = [await ClientNews.read(id), ...clients.filter((one) => one.id !== id)]
      total += 1
      draw()
    } catch {
      await load() // It is saved; the list shows it, or says why it cannot.
    }
    rowNode(id)?.scrollIntoView({ block: "nearest" })
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
    const before = openId
    openId = id
    byId("clientsPage").classList.add("has-card")
    for (const one of [before, id]) if (one && rowNode(one)) rowNode(one).classList.toggle("open", one === id)
    ClientCard.show(id, { highlight, focus, onClose: leaveCard })
  }

  function leaveCard() {
    const id = openId
    history.pushState(null, "", address({ q: wanted().q, id: null }))
    closeCard()
    ;(rowNode(id)?.querySelector("a") ?? byId("clientSearch")).focus()
  }

  function closeCard() {
    rowNode(openId)?.classList.remove("open")
    openId = null
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
